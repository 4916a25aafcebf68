//! `escalade explain`.

use std::path::PathBuf;

use clap::Args;

use super::{Format, Paths, Report, Run};

/// Shows everything about one finding of an audit.
#[derive(Debug, Args)]
#[command(after_help = "\
Ids are in the output of `check`, and in that of `audit --format json`. Principals who get to the
goal from the same cause share one.

Examples:
  escalade explain SNAPSHOT 0123456789abcdef
  escalade explain SNAPSHOT 0123456789abcdef --from user/alice")]
pub(crate) struct Explain {
    /// Folder of AWS CLI responses, or one get-account-authorization-details file
    pub(crate) snapshot: PathBuf,

    /// The finding's id, or the beginning of it
    pub(crate) id: String,

    /// The goal that the audit was about; as in `reach` [default: admin]
    #[arg(long, value_name = "GOAL")]
    pub(crate) to: Option<String>,

    /// Of several principals with this finding, the one to show
    #[arg(long, value_name = "WHO")]
    pub(crate) from: Option<String>,

    #[command(flatten)]
    pub(crate) paths: Paths,

    #[command(flatten)]
    pub(crate) run: Run,

    #[command(flatten)]
    pub(crate) report: Report<Format>,
}
