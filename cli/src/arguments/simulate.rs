//! `escalade simulate`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::{Format, Report, pinned::pinned};

/// Decides one request, and says which statements decide it and what almost did.
#[derive(Debug, Args)]
#[command(after_help = "\
PRINCIPAL is one of
  user/alice, role/deploy      a principal of the snapshot by unique shorthand, or its ARN
  arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION
                               one session of a role
  arn:aws:iam::ACCOUNT:root    an account's root user
  lambda.amazonaws.com         an AWS service that calls as itself
  federated:PROVIDER           the caller of AssumeRoleWithSAML or AssumeRoleWithWebIdentity
  anonymous                    an unsigned request
Condition keys that follow from principal, resource and snapshot are filled in; of the others those
that are not given are left open, and the answer says on which of them it hangs, and how.

Examples:
  escalade simulate SNAPSHOT --principal user/alice --action iam:PassRole --resource role/admin
  escalade simulate SNAPSHOT --principal user/alice --action s3:GetObject \\
      --resource arn:aws:s3:::payroll/2026.csv --context aws:SourceIp=203.0.113.7
  escalade simulate SNAPSHOT --principal role/ci --action ec2:RunInstances --resource '*' \\
      --context aws:SourceVpce= --expect deny
  escalade simulate --cases requests.jsonl

--format json prints {\"schema\": ..., \"results\": [...]}, one result for each request: its verdict
(allowed, allowed-under-assumptions, explicitly-denied, implicitly-denied, unknown), in allowed_if
the alternatives on which it hangs, allowed_by, denied_by, layers, near_misses and unknown.

--cases decides requests that carry all their policies with them. Each line of FILE is one JSON
object: a request, the policies that apply to it, and an id. Each line of the result is
{\"id\": ..., \"verdict\": \"Allowed\" | \"ExplicitlyDenied\" | \"ImplicitlyDenied\"}, or
{\"id\": ..., \"error\": ...}; the exit status is then 2.")]
pub(crate) struct Simulate {
    /// Folder of AWS CLI responses, or one get-account-authorization-details file
    #[arg(required_unless_present = "cases", conflicts_with = "cases")]
    pub(crate) snapshot: Option<PathBuf>,

    /// Who calls
    #[arg(long, required_unless_present = "cases", conflicts_with = "cases")]
    pub(crate) principal: Option<String>,

    /// What is called, such as s3:GetObject; repeatable, every action with every resource
    #[arg(long, required_unless_present = "cases", conflicts_with = "cases")]
    pub(crate) action: Vec<String>,

    /// What it is about: an ARN, its end if unique in the snapshot, or * for an action that takes none; repeatable
    #[arg(long, required_unless_present = "cases", conflicts_with = "cases")]
    pub(crate) resource: Vec<String>,

    /// A condition key's value, or with nothing after the = that it is absent; again for further values of a key
    #[arg(long, value_name = "KEY=VALUE", value_parser = pinned, conflicts_with = "cases")]
    context: Vec<(String, Option<String>)>,

    /// The session policy of the caller's session, a JSON file
    #[arg(long, value_name = "FILE", conflicts_with = "cases")]
    pub(crate) session_policy: Option<PathBuf>,

    /// Exit with status 1 when the verdict of some request differs
    #[arg(long, value_enum, value_name = "VERDICT", conflicts_with = "cases")]
    pub(crate) expect: Option<ExpectedDecision>,

    /// Decide requests that carry all their policies with them, one JSON object per line
    #[arg(long, value_name = "FILE")]
    pub(crate) cases: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) report: Report<Format>,
}

impl Simulate {
    /// The condition keys with their values. Fails if a key is said to be absent and to have a
    /// value.
    pub(crate) fn context(&self) -> Result<BTreeMap<Arc<str>, Vec<Arc<str>>>, String> {
        let mut out = BTreeMap::<Arc<str>, Vec<Arc<str>>>::new();
        let mut absent = Vec::new();
        for (key, value) in &self.context {
            // Condition keys are compared without regard to case.
            let known = out.keys().find(|known| known.eq_ignore_ascii_case(key)).cloned();
            let values = out.entry(known.unwrap_or_else(|| key.as_str().into())).or_default();
            match value {
                Some(value) => values.push(value.as_str().into()),
                None => absent.push(key),
            }
        }
        let with_value = |key: &&&String| {
            out.iter().any(|(known, values)| known.eq_ignore_ascii_case(key) && !values.is_empty())
        };
        match absent.iter().find(with_value) {
            Some(key) => Err(format!("--context says that {key:?} is absent and has a value")),
            None => Ok(out),
        }
    }
}

/// What a script expects of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExpectedDecision {
    /// It succeeds, whatever was left open
    Allow,
    /// It fails, whatever was left open, by an explicit deny or for lack of an allow
    Deny,
    /// It fails because a policy denies it
    ExplicitDeny,
    /// It fails for lack of an allow
    ImplicitDeny,
    /// It succeeds under assumptions
    Conditional,
    /// It hangs on something that the snapshot does not hold
    Unknown,
}
