//! What can be said on the command line.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use clap::{Args, Parser, Subcommand, ValueEnum};

use escalade_engine::analysis::{Environment, Options, Prefer};

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
  escalade simulate SNAPSHOT --principal user/alice --action iam:PassRole --resource role/admin
  escalade why-not SNAPSHOT --from user/bob --to admin
  escalade techniques

A SNAPSHOT is a folder of AWS CLI responses (accounts/ID/REGION/SERVICE/OPERATION.json), or one
file that `aws iam get-account-authorization-details` printed.

Exit status: 0 answered, 1 an expectation failed, 2 the question or the input was wrong."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Audit(Audit),
    Reach(Reach),
    Simulate(Simulate),
    Techniques(Techniques),
    WhyNot(WhyNot),
    Verify(Verify),
    Compare(Compare),
}

/// Finds who can escalate to what, worst first.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  escalade audit SNAPSHOT
  escalade audit details.json --verbose
  escalade audit SNAPSHOT --via iam:PassRole --assume aws:MultiFactorAuthPresent=false
  escalade audit SNAPSHOT --to 's3:GetObject@arn:aws:s3:::payroll/*'
  escalade audit SNAPSHOT --format json --output findings.json")]
pub(crate) struct Audit {
    /// Folder of AWS CLI responses, or one get-account-authorization-details file
    pub(crate) snapshot: PathBuf,

    /// What every principal is asked about; as in `reach`
    #[arg(long, value_name = "GOAL", default_value = "admin")]
    pub(crate) to: String,

    #[command(flatten)]
    pub(crate) paths: Paths,

    #[command(flatten)]
    pub(crate) run: Run,

    #[command(flatten)]
    pub(crate) report: Report,
}

/// Answers one question: its verdict, and the path that proves it.
#[derive(Debug, Args)]
#[command(after_help = "\
WHO is one of
  user/alice, role/deploy      a principal by unique shorthand, or its ARN
  opensearch:ACCOUNT/REGION/DOMAIN/USER
                               an internal user of an OpenSearch domain
GOAL is one of
  admin, admin@ACCOUNT         a principal that may do everything there
  a principal's ARN            acting as it
  ACTION@RESOURCE              that call succeeds (* and ? allowed in RESOURCE)

Examples:
  escalade reach SNAPSHOT --from user/alice --to admin
  escalade reach SNAPSHOT --from role/ci --to admin@111111111111 --via iam:PassRole
  escalade reach SNAPSHOT --from user/alice --to 's3:GetObject@arn:aws:s3:::payroll/*'
  escalade reach SNAPSHOT --from user/alice --to admin --assume aws:SourceIp=203.0.113.7
  escalade reach SNAPSHOT --from user/alice --to admin --expect unreachable

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
    pub(crate) report: Report,
}

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
    #[arg(long, value_name = "KEY=VALUE", value_parser = assumption, conflicts_with = "cases")]
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
    pub(crate) report: Report,
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

/// Lists the known techniques, or explains one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  escalade techniques
  escalade techniques iam-put-user-policy
  escalade techniques --models our-techniques.json --format json")]
pub(crate) struct Techniques {
    /// The technique to explain, by its id or another name it is known by
    pub(crate) id: Option<String>,

    #[command(flatten)]
    pub(crate) models: Models,

    /// How to show it
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,

    /// Write the result to FILE, which is replaced when it is complete
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Which paths count.
#[derive(Debug, Args)]
#[command(next_help_heading = "Paths")]
pub(crate) struct Paths {
    /// Only paths that use this action or technique; repeatable, all of them are needed
    #[arg(long, value_name = "ACTION-OR-TECHNIQUE")]
    via: Vec<String>,

    /// Only paths that do not use this action or technique; repeatable
    #[arg(long, value_name = "ACTION-OR-TECHNIQUE")]
    avoid: Vec<String>,

    /// Take an environment key to have this value, or with nothing after the = to be absent; repeatable
    #[arg(long, value_name = "KEY=VALUE", value_parser = assumption)]
    assume: Vec<(String, Option<String>)>,

    /// Only paths that hold in every environment
    #[arg(long)]
    no_assumptions: bool,

    /// Whether the attacker's network place is the same at every step
    #[arg(long, value_enum, default_value_t, value_name = "one|per-step")]
    environment: EnvironmentArgument,

    /// Only paths of at most N steps
    #[arg(long, value_name = "N")]
    max_steps: Option<usize>,

    /// Which path to show: the one with the strongest verdict, or the shortest whatever it assumes
    #[arg(long, value_enum, default_value_t, value_name = "verdict|steps")]
    prefer: PreferArgument,
}

impl Paths {
    /// As the engine takes them. Fails if a key is pinned twice.
    pub(crate) fn options(&self, goal: &str) -> Result<Options, String> {
        let texts = |list: &[String]| list.iter().map(|text| text.as_str().into()).collect();
        let mut assume = BTreeMap::<Arc<str>, Option<Arc<str>>>::new();
        for (key, value) in &self.assume {
            // Condition keys are compared without regard to case.
            if assume.keys().any(|other| other.eq_ignore_ascii_case(key)) {
                return Err(format!("--assume is given twice for {key:?}"));
            }
            assume.insert(key.as_str().into(), value.as_deref().map(Into::into));
        }
        Ok(Options {
            goal: goal.into(),
            via: texts(&self.via),
            avoid: texts(&self.avoid),
            assume,
            no_assumptions: self.no_assumptions,
            environment: match self.environment {
                EnvironmentArgument::One => Environment::One,
                EnvironmentArgument::PerStep => Environment::PerStep,
            },
            max_steps: self.max_steps,
            prefer: match self.prefer {
                PreferArgument::Verdict => Prefer::Verdict,
                PreferArgument::Steps => Prefer::Steps,
            },
        })
    }
}

/// How the analysis runs.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Run")]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) models: Models,

    /// How many threads to use [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,

    /// Say on standard error how long it took and how decisions were made
    #[arg(long)]
    pub(crate) stats: bool,
}

#[derive(Debug, Default, Args)]
pub(crate) struct Models {
    /// Additional techniques: a JSON file, or a folder of them; repeatable
    #[arg(long = "models", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

/// How the result is shown.
#[derive(Debug, Args)]
#[command(next_help_heading = "Result")]
pub(crate) struct Report {
    /// How to show the result
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,

    /// Write the result to FILE, which is replaced when the result is complete
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Leave nothing out of the text
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Expectation {
    Reachable,
    Unreachable,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum EnvironmentArgument {
    /// The same at every step; time only goes forward
    #[default]
    One,
    /// May differ from step to step
    PerStep,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum PreferArgument {
    /// Without assumptions if it can be
    #[default]
    Verdict,
    /// As short as it can be
    Steps,
}

/// Reads `KEY=VALUE`; `KEY=` says that the key is absent. A value may hold further `=`.
fn assumption(text: &str) -> Result<(String, Option<String>), &'static str> {
    match text.split_once('=') {
        None => Err("expected KEY=VALUE, or KEY= for a key that is absent"),
        Some(("", _)) => Err("expected a condition key before the ="),
        Some((key, "")) => Ok((key.to_owned(), None)),
        Some((key, value)) => Ok((key.to_owned(), Some(value.to_owned()))),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn check(line: &str, expected: Result<&[(&str, Option<&str>)], &str>) {
        let words = ["escalade", "reach", "s", "--from", "user/a", "--to", "admin"];
        let found = match Arguments::try_parse_from(words.into_iter().chain(line.split(' '))) {
            Ok(Arguments { command: Command::Reach(reach) }) => reach.paths.options("admin"),
            Ok(_) => panic!("not reach"),
            Err(error) => Err(error.to_string()),
        };
        match (found, expected) {
            (Ok(found), Ok(expected)) => {
                let found: Vec<_> =
                    found.assume.iter().map(|(key, value)| (&**key, value.as_deref())).collect();
                assert_eq!(found, expected);
            }
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
            (found, expected) => panic!("expected {expected:?}, found {found:?}"),
        }
    }

    #[test]
    fn the_definitions_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_pinned_key_has_a_value_or_is_absent() {
        check("--assume aws:SourceIp=203.0.113.7", Ok(&[("aws:SourceIp", Some("203.0.113.7"))]));
        check("--assume aws:SourceVpce=", Ok(&[("aws:SourceVpce", None)]));
        check("--assume aws:PrincipalTag/a=b=c", Ok(&[("aws:PrincipalTag/a", Some("b=c"))]));
    }

    #[test]
    fn a_key_is_pinned_once_without_regard_to_case() {
        check("--assume aws:SourceIp=1.1.1.1 --assume AWS:sourceip=", Err("given twice"));
    }

    #[test]
    fn an_assumption_without_key_or_sign_is_refused() {
        check("--assume aws:SourceIp", Err("expected KEY=VALUE"));
        check("--assume =x", Err("expected a condition key"));
    }
}
