//! `escalade audit`.

use std::path::PathBuf;

use clap::Args;

use super::{PathFormat, Paths, Report, Run};

/// Finds who can escalate to what, worst first.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  escalade audit SNAPSHOT
  escalade audit details.json --verbose
  escalade audit SNAPSHOT --via iam:PassRole --assume aws:MultiFactorAuthPresent=false
  escalade audit SNAPSHOT --to 's3:GetObject@arn:aws:s3:::payroll/*'
  escalade audit SNAPSHOT --external
  escalade audit SNAPSHOT --format json --output findings.json
  escalade audit SNAPSHOT --format html --output report.html")]
pub(crate) struct Audit {
    /// Folder of AWS CLI responses, or one get-account-authorization-details file
    pub(crate) snapshot: PathBuf,

    /// What every principal is asked about; as in `reach` [default: admin]
    #[arg(long, value_name = "GOAL")]
    pub(crate) to: Option<String>,

    /// Also ask who can from outside: anyone, and the outside accounts and identity providers that
    /// policies of the snapshot let in
    #[arg(long)]
    pub(crate) external: bool,

    #[command(flatten)]
    pub(crate) paths: Paths,

    #[command(flatten)]
    pub(crate) run: Run,

    #[command(flatten)]
    pub(crate) report: Report<PathFormat>,
}
