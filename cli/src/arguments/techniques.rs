//! `escalade techniques`.

use std::path::PathBuf;

use clap::Args;

use super::{Format, Models};

/// Lists the known techniques, or explains one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  escalade techniques
  escalade techniques iam-put-user-policy
  escalade techniques --models our-techniques.json --format json")]
pub(crate) struct Techniques {
    /// The technique to explain, by its id or another name it is known by
    pub(crate) id: Option<String>,

    #[command(flatten)]
    pub(crate) models: Models,

    /// How to show it
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,

    /// Write the result to FILE, which is replaced when it is complete
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}
