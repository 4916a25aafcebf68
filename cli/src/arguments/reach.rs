//! `escalade reach`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{PathFormat, Paths, Report, Run};

/// Answers one question: its verdict, and the path that proves it.
#[derive(Debug, Args)]
#[command(after_help = "\
WHO is one of
  user/alice, role/deploy      a principal by unique shorthand, or its ARN
  opensearch:ACCOUNT/REGION/DOMAIN/USER
                               an internal user of an OpenSearch domain
  anyone                       an unsigned caller, or any principal of an account of the attacker's own
  account:ID                   any principal that the account could have
  federated:PROVIDER, federated:PROVIDER/SUBJECT
                               any subject of an identity provider, or one; PROVIDER is its ARN, or
                               a name such as accounts.google.com
GOAL is one of
  admin, admin@ACCOUNT         a principal that may do everything there; for a start from outside,
                               admin is that of some account of the snapshot
  a principal's ARN            acting as it
  ACTION@RESOURCE              that call succeeds (* and ? allowed in RESOURCE)
  ACTION@tag:KEY=VALUE         that call succeeds on a resource with this tag
  tag:KEY=VALUE                getting hold of a resource with this tag: acting as it, if it is a user
                               or role; the call that reads what is in it or takes it over otherwise

Examples:
  escalade reach SNAPSHOT --from user/alice --to admin
  escalade reach SNAPSHOT --from role/ci --to admin@111111111111 --via iam:PassRole
  escalade reach SNAPSHOT --from user/alice --to 's3:GetObject@arn:aws:s3:::payroll/*'
  escalade reach SNAPSHOT --from user/alice --to admin --assume aws:SourceIp=203.0.113.7
  escalade reach SNAPSHOT --from user/alice --to admin --expect unreachable
  escalade reach SNAPSHOT --from anyone --to admin
  escalade reach SNAPSHOT --from user/alice --to admin --format dot | dot -Tsvg

A statement is named by its position in the policy, from 0, and by its Sid.")]
pub(crate) struct Reach {
    /// Folder of AWS CLI responses, or one get-account-authorization-details file
    pub(crate) snapshot: PathBuf,

    /// Where the attacker starts
    #[arg(long, value_name = "WHO")]
    pub(crate) from: String,

    /// What the attacker is after
    #[arg(long, value_name = "GOAL")]
    pub(crate) to: String,

    /// Exit with status 1 when the verdict differs (reachable includes reachable under assumptions)
    #[arg(long, value_enum, value_name = "VERDICT")]
    pub(crate) expect: Option<Expectation>,

    /// Write a proof of unreachability to FILE, for `escalade verify`; status 1 if there is none
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) paths: Paths,

    #[command(flatten)]
    pub(crate) run: Run,

    #[command(flatten)]
    pub(crate) report: Report<PathFormat>,
}

/// What a script expects of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Expectation {
    Reachable,
    Unreachable,
}
