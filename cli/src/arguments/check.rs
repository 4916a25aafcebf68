//! `escalade check`.

use std::path::PathBuf;

use clap::Args;

use super::{LogFormat, Paths, Report, Run};

/// Fails on new paths, on acceptances that have expired and on invariants that do not hold.
#[derive(Debug, Args)]
#[command(after_help = "\
The baseline is what `escalade audit --format json` wrote; without one every path is new. Accepted
findings are named by their id, which is made of what they come from: it stays when a user is
renamed or a policy is written differently. Ids are in the output of check and in audits in JSON.

  [[accepted]]
  id = \"0123456789abcdef\"
  reason = \"the deployment role needs it until the move to the pipeline\"
  owner = \"platform\"
  expires = 2026-12-31
  from = [\"arn:aws:iam::111111111111:role/deploy\"]      # without it: whoever has this cause

An invariant says who must not reach what. Patterns have * and ?; elements that are left out
select everything:

  [[invariant]]
  name = \"only Security becomes administrator of production\"
  from = { principals = [\"user/*\"], accounts = [], ou = [], tags = {} }
  except = { ou = [\"Security\"] }
  to = { admin-of = { ou = [\"Production\"] } }

  [[invariant]]
  name = \"nobody reads personal data without MFA\"
  to = { call = [\"s3:GetObject\"], on = { kinds = [\"s3:bucket\"], tags = { data = \"pii\" } }, within = \"/*\" }
  assume = { \"aws:MultiFactorAuthPresent\" = \"false\" }

`to` is also a goal as in `reach`, or a list of them; `already-there = true` leaves those alone who
are at the goal from the start; `expect = \"reachable\"` turns it around.

Both may be JSON, in a file that ends in .json.

Examples:
  escalade check SNAPSHOT --baseline baseline.json
  escalade check SNAPSHOT --baseline baseline.json --accepted accepted.toml
  escalade check SNAPSHOT --invariants invariants.toml")]
pub(crate) struct Check {
    /// Folder of AWS CLI responses, or one get-account-authorization-details file
    pub(crate) snapshot: PathBuf,

    /// An audit in JSON: its paths are known; repeatable, one for each goal
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Vec<PathBuf>,

    /// Findings that were reviewed and are accepted, in TOML or JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) accepted: Option<PathBuf>,

    /// What must hold, in TOML or JSON; alone, only this is checked
    #[arg(long, value_name = "FILE")]
    pub(crate) invariants: Option<PathBuf>,

    /// What every principal is asked about; as in `reach`; repeatable [default: what
    /// the baselines are about, without any admin]
    #[arg(long, value_name = "GOAL")]
    pub(crate) to: Vec<String>,

    /// Also ask who can from outside: anyone, and the outside accounts and identity providers that
    /// policies of the snapshot let in [default: as the baselines did]
    #[arg(long)]
    pub(crate) external: bool,

    /// Let pass what is not decided
    #[arg(long)]
    pub(crate) allow_unknown: bool,

    /// The day by which acceptances are judged [default: today, in UTC]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) date: Option<jiff::civil::Date>,

    #[command(flatten)]
    pub(crate) paths: Paths,

    #[command(flatten)]
    pub(crate) run: Run,

    #[command(flatten)]
    pub(crate) report: Report<LogFormat>,
}
