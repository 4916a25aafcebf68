//! How an analysis runs.

use std::path::PathBuf;

use clap::Args;

/// How the analysis runs.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Run")]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) models: Models,

    /// How many threads to use [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,

    /// Say on standard error how long it took and how decisions were made
    #[arg(long)]
    pub(crate) stats: bool,
}

#[derive(Debug, Default, Args)]
pub(crate) struct Models {
    /// Additional techniques: a JSON file, or a folder of them; repeatable
    #[arg(long = "models", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}
