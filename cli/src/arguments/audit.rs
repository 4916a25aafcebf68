//! `escalade audit`.

use std::path::PathBuf;

use clap::Args;
use escalade_engine::analysis::Selection;

use super::{PathFormat, Paths, Report, Run};

/// Finds who can escalate to what, worst first.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  escalade audit SNAPSHOT
  escalade audit details.json --verbose
  escalade audit SNAPSHOT --via iam:PassRole --assume aws:MultiFactorAuthPresent=false
  escalade audit SNAPSHOT --to 's3:GetObject@arn:aws:s3:::payroll/*'
  escalade audit SNAPSHOT --goal tag:crown-jewel=true --from-tag team=contractors
  escalade audit SNAPSHOT --accounts '1111*' --accounts sandbox
  escalade audit SNAPSHOT --external
  escalade audit SNAPSHOT --format jsonl --output findings.jsonl
  escalade audit SNAPSHOT --format json --output findings.json
  escalade audit SNAPSHOT --format html --output report.html")]
pub(crate) struct Audit {
    /// Folder of AWS CLI responses, or one get-account-authorization-details file
    pub(crate) snapshot: PathBuf,

    /// What every principal is asked about; as in `reach` [default: admin]
    #[arg(long, visible_alias = "goal", value_name = "GOAL")]
    pub(crate) to: Option<String>,

    /// Only ask about principals of accounts whose id or name fits; the others are still there on the way; repeatable
    #[arg(long, value_name = "GLOB")]
    accounts: Vec<String>,

    /// Only ask about principals that have this tag; repeatable, all of them are needed
    #[arg(long, value_name = "KEY=VALUE", value_parser = tag)]
    from_tag: Vec<(String, String)>,

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

impl Audit {
    /// Which principals are asked about.
    pub(crate) fn selection(&self) -> Selection {
        let tag = |(key, value): &(String, String)| (key.as_str().into(), value.as_str().into());
        Selection {
            accounts: self.accounts.iter().map(|glob| glob.as_str().into()).collect(),
            tags: self.from_tag.iter().map(tag).collect(),
        }
    }
}

fn tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}
