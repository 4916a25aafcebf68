//! `escalade who-can`.

use std::path::PathBuf;

use clap::Args;

use super::{Format, Paths, Report, Run};

/// Lists who may make a call as things are, and who can come to do it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  escalade who-can SNAPSHOT iam:PassRole --on role/admin
  escalade who-can SNAPSHOT s3:GetObject --on arn:aws:s3:::payroll/2026.csv
  escalade who-can SNAPSHOT 's3:GetObject' --on 'arn:aws:s3:::payroll/*' --via-paths")]
pub(crate) struct WhoCan {
    /// Folder of AWS CLI responses, or one get-account-authorization-details file
    pub(crate) snapshot: PathBuf,

    /// What is called, such as s3:GetObject
    pub(crate) action: String,

    /// What it is about: an ARN, its end if unique in the snapshot, * for an action that takes none, or a pattern
    #[arg(long, value_name = "RESOURCE")]
    pub(crate) on: String,

    /// Who can come to do it, in some steps, instead of who may do it now
    #[arg(long)]
    pub(crate) via_paths: bool,

    #[command(flatten)]
    pub(crate) paths: Paths,

    #[command(flatten)]
    pub(crate) run: Run,

    #[command(flatten)]
    pub(crate) report: Report<Format>,
}
