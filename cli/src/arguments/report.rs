//! How a result is shown.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// How the result is shown.
#[derive(Debug, Args)]
#[command(next_help_heading = "Result")]
pub(crate) struct Report {
    /// How to show the result
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,

    /// Write the result to FILE, which is replaced when the result is complete
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Leave nothing out of the text
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}
