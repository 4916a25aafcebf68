//! Files that people keep beside their snapshots: settings, accepted findings, invariants. TOML, or
//! JSON where the name ends so; what is not understood is an error with its place.

mod accepted;
mod config;
mod invariants;

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;

pub(crate) use accepted::accepted;
pub(crate) use config::Config;
pub(crate) use invariants::invariants;

/// Reads a file of either form.
fn read<T: DeserializeOwned>(file: &Path) -> Result<T, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{file:?}: {error}"))?;
    let text = text.trim_start_matches('\u{feff}');
    if file.extension().is_some_and(|extension| extension == "json") {
        return serde_json::from_str(text).map_err(|error| format!("{file:?}: {error}"));
    }
    toml::from_str(text).map_err(|error| {
        let place = error.span().map(|span| place(text, span.start)).unwrap_or_default();
        format!("{file:?}{place}: {}", error.message())
    })
}

/// Line and column of a position, counted from 1.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!(" at line {line} column {column}")
}
