//! What must hold in every snapshot.

use std::collections::BTreeSet;
use std::path::Path;

use escalade_engine::invariant::Invariant;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    invariant: Vec<Invariant>,
}

/// Reads the invariants of a file. One that holds none is an error: it would always pass.
pub(crate) fn invariants(file: &Path) -> Result<Vec<Invariant>, String> {
    let read: File = super::read(file)?;
    if read.invariant.is_empty() {
        return Err(format!("{file:?}: expected at least one [[invariant]]"));
    }
    let mut names = BTreeSet::new();
    match read.invariant.iter().find(|invariant| !names.insert(&invariant.name)) {
        Some(twice) => Err(format!("{file:?}: two invariants are called {:?}", twice.name)),
        None => Ok(read.invariant),
    }
}
