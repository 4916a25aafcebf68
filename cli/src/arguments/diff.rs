//! `escalade diff`.

use std::path::PathBuf;

use clap::Args;

use super::{LogFormat, Paths, Report, Run};

/// Says what became possible between two snapshots or audits, and by which change.
#[derive(Debug, Args)]
#[command(after_help = "\
OLD and NEW are snapshots, or files that `escalade audit --format json` wrote. For two snapshots
the changes that open a path are found by making only some of them and asking again: none of those
that are named can be left out. What changes nobody's paths is not mentioned.

Examples:
  escalade diff yesterday today
  escalade diff yesterday.json today.json --exit-code
  escalade diff main pull-request --to 's3:GetObject@arn:aws:s3:::payroll/*' --format json")]
pub(crate) struct Diff {
    /// A snapshot, or an audit in JSON
    pub(crate) old: PathBuf,

    /// Another, taken later
    pub(crate) new: PathBuf,

    /// What every principal is asked about; as in `reach` [default: admin]
    #[arg(long, value_name = "GOAL")]
    pub(crate) to: Option<String>,

    /// Also ask who can from outside: anyone, and the outside accounts and identity providers that
    /// policies of the snapshots let in [default: as an audit that is compared did]
    #[arg(long)]
    pub(crate) external: bool,

    /// Exit with status 1 when something differs
    #[arg(long)]
    pub(crate) exit_code: bool,

    #[command(flatten)]
    pub(crate) paths: Paths,

    #[command(flatten)]
    pub(crate) run: Run,

    #[command(flatten)]
    pub(crate) report: Report<LogFormat>,
}
