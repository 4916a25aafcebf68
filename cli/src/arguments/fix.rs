//! `escalade fix`.

use std::path::PathBuf;

use clap::Args;
use escalade_engine::fix::Keep;

use super::{LogFormat, Paths, Report, Run};

/// Finds the smallest set of edits that cuts paths, and shows the policies before and after.
#[derive(Debug, Args)]
#[command(after_help = "\
Edits remove or narrow a statement, take a principal out of a trust policy, take a user out of a
group, detach a managed policy, or add one deny: to a principal's permissions boundary or, where the
snapshot has the organization, to an account by a service control policy. Who else is at the goal
without a path stays there. The edited snapshot is asked again: the exit status is 0 if the goal is
then proved to be unreachable, and 1 if edits of these kinds do not do it within what must stay, or
the limit was hit. Of sets of one size the one that takes least away is first.

A statement of a managed policy is edited in a new default version. Delete the version that it
replaces: who may set the default could go back to it.

Examples:
  escalade fix SNAPSHOT --from user/alice --to admin
  escalade fix SNAPSHOT --all --keep 'user/ben:lambda:InvokeFunction@function:nightly-job'
  escalade fix SNAPSHOT --all --write-snapshot fixed && escalade check fixed")]
pub(crate) struct Fix {
    /// The snapshot
    pub(crate) snapshot: PathBuf,

    /// Whose paths are cut; as in `reach`
    #[arg(long, value_name = "WHO", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) from: Option<String>,

    /// Cut the paths of everybody that `audit` finds
    #[arg(long)]
    pub(crate) all: bool,

    /// With --all also starts from outside: `anyone`, and the accounts and providers that are let in
    #[arg(long, requires = "all")]
    pub(crate) external: bool,

    /// Where the paths lead; as in `reach` [default: admin]
    #[arg(long, value_name = "GOAL")]
    pub(crate) to: Option<String>,

    /// A permission that must stay; repeatable
    #[arg(long, value_name = "PRINCIPAL:ACTION@RESOURCE", value_parser = keep)]
    pub(crate) keep: Vec<Keep>,

    /// Add no denies: no permissions boundary and no control policy
    #[arg(long)]
    pub(crate) no_denies: bool,

    /// The most snapshots to try
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(crate) max_rounds: usize,

    /// Write the edited snapshot to this folder, which must not be there
    #[arg(long, value_name = "FOLDER")]
    pub(crate) write_snapshot: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) paths: Paths,

    #[command(flatten)]
    pub(crate) run: Run,

    #[command(flatten)]
    pub(crate) report: Report<LogFormat>,
}

fn keep(text: &str) -> Result<Keep, String> {
    Keep::parse(text).ok_or_else(|| {
        "give PRINCIPAL:ACTION@RESOURCE, such as user/ben:s3:GetObject@arn:aws:s3:::jobs/a"
            .to_owned()
    })
}
