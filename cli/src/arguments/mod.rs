//! What can be said on the command line.

mod audit;
mod check;
mod diff;
mod explain;
mod fix;
mod paths;
mod pinned;
mod reach;
mod report;
mod run;
mod shell;
mod simulate;
mod techniques;
mod who_can;

use std::path::PathBuf;
use std::sync::LazyLock;

use clap::{Parser, Subcommand};

pub(crate) use audit::Audit;
pub(crate) use check::Check;
pub(crate) use diff::Diff;
pub(crate) use explain::Explain;
pub(crate) use fix::Fix;
pub(crate) use paths::Paths;
pub(crate) use reach::{Expectation, Reach};
pub(crate) use report::{Format, LogFormat, PathFormat, Report};
pub(crate) use run::{Models, Run};
pub(crate) use shell::{Completions, Man};
pub(crate) use simulate::{ExpectedDecision, Simulate};
pub(crate) use techniques::Techniques;
pub(crate) use who_can::WhoCan;

use crate::proof::{Compare, Verify, WhyNot};

static VERSION: LazyLock<String> =
    LazyLock::new(|| format!("{} (Z3 {})", env!("CARGO_PKG_VERSION"), z3::full_version().trim()));

/// Finds privilege-escalation paths in AWS IAM and proves where there are none.
#[derive(Debug, Parser)]
#[command(
    name = "escalade",
    version = VERSION.as_str(),
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = "\
Examples:
  escalade audit SNAPSHOT
  escalade reach SNAPSHOT --from user/alice --to admin
  escalade diff YESTERDAY TODAY
  escalade check SNAPSHOT --baseline baseline.json
  escalade fix SNAPSHOT --all
  escalade why-not SNAPSHOT --from user/bob --to admin
  escalade simulate SNAPSHOT --principal user/alice --action iam:PassRole --resource role/admin
  escalade techniques

A SNAPSHOT is a folder of AWS CLI responses (accounts/ID/REGION/SERVICE/OPERATION.json), or one
file that `aws iam get-account-authorization-details` printed.

escalade.toml, in the current folder or given with --config, may hold what is the same every time;
the command line goes before it:
  models = [\"our-techniques.json\"]        goals = [\"admin\"]
  baseline = [\"baseline.json\"]            accepted = \"accepted.toml\"
  invariants = \"invariants.toml\"          assume = { \"aws:SourceVpce\" = \"\" }

Exit status: 0 answered, 1 an expectation or a gate failed, 2 the question or the input was wrong."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Settings to start from [default: escalade.toml in the current folder, if it is there]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    pub(crate) config: Option<PathBuf>,

    /// Do not read escalade.toml
    #[arg(long, global = true, conflicts_with = "config", help_heading = "Settings")]
    pub(crate) no_config: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Audit(Audit),
    Reach(Reach),
    Diff(Diff),
    Check(Check),
    Fix(Fix),
    Explain(Explain),
    WhoCan(WhoCan),
    Simulate(Simulate),
    Techniques(Techniques),
    WhyNot(WhyNot),
    Verify(Verify),
    Compare(Compare),
    Completions(Completions),
    Man(Man),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        Arguments::command().debug_assert();
    }
}
