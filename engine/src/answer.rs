//! Questions and answers, in the shape and key order that other people's scripts rely on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

pub use crate::solver::Assumption;

/// The schema that [`Answer`] serializes to.
pub const SCHEMA: &str = "escalade/1";

/// What is asked of a path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Where the attacker starts: an ARN, or one of the symbolic starts.
    pub from: Arc<str>,
    /// The goal, as given.
    pub to: Arc<str>,
    /// Actions or techniques a path must use.
    pub via: Vec<Arc<str>>,
    /// Actions or techniques a path must not use.
    pub avoid: Vec<Arc<str>>,
    /// Environment keys that are pinned; `None` means that the key is absent.
    pub assume: BTreeMap<Arc<str>, Option<Arc<str>>>,
}

/// The four verdicts, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// A path exists that holds in every environment.
    Reachable,
    /// A path exists that holds under the assumptions listed.
    ReachableUnderAssumptions,
    /// Something that is needed is not known.
    Unknown,
    /// Proved: nothing the attacker can do leads there.
    Unreachable,
}

impl Verdict {
    /// The verdict in words, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reachable => "reachable",
            Self::ReachableUnderAssumptions => "reachable-under-assumptions",
            Self::Unknown => "unknown",
            Self::Unreachable => "unreachable",
        }
    }

    /// Whether it comes with a path.
    pub fn is_reachable(self) -> bool {
        matches!(self, Self::Reachable | Self::ReachableUnderAssumptions)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The value of a condition key in a witness: a single value or a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue(pub Vec<Arc<str>>);

impl Serialize for KeyValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// A statement that lets a call through.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct AllowedBy {
    /// The policy, as people call it: `AdministratorAccess`, `inline policy deploy of user/alice`.
    pub policy: Arc<str>,
    /// Which kind of policy: `identity`, `resource`, `trust`, ...
    pub kind: Arc<str>,
    /// Position of the statement in the policy, from 0.
    pub statement: usize,
    /// The statement's Sid, if it has one.
    pub sid: Option<Arc<str>>,
}

/// One call of a witness, with everything needed to check it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Call {
    /// The principal that makes it, by ARN.
    pub actor: Arc<str>,
    /// `service:Name`.
    pub action: Arc<str>,
    /// What it is checked on.
    pub resource: Arc<str>,
    /// The condition keys that the decision used.
    pub context: BTreeMap<Arc<str>, KeyValue>,
    /// The statements that allow it.
    pub allowed_by: Vec<AllowedBy>,
}

/// What a step gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Gain {
    /// Acting as this principal.
    Credentials {
        /// The principal's ARN.
        of: Arc<str>,
    },
    /// Policies that say what the attacker wants.
    Policy {
        /// Whose permissions change: a user, role, group or managed policy.
        of: Arc<str>,
        /// How, for people.
        effect: Arc<str>,
    },
    /// A service acts with a role on the attacker's behalf.
    Delegation {
        /// The role.
        of: Arc<str>,
        /// The actions.
        actions: Vec<Arc<str>>,
        /// The resource through which.
        through: Arc<str>,
    },
    /// A resource that was not there.
    Resource {
        /// Its kind.
        of: Arc<str>,
        /// What it is, for people.
        effect: Arc<str>,
    },
    /// The call that was asked for succeeds.
    Goal {
        /// The goal.
        of: Arc<str>,
    },
}

/// One applied technique.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The technique's id.
    pub technique: Arc<str>,
    /// Its title.
    pub title: Arc<str>,
    /// The calls, in order.
    pub calls: Vec<Call>,
    /// What they give.
    pub gains: Vec<Gain>,
}

/// A witness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Path {
    /// What must be true besides, sorted.
    pub assumptions: Vec<Assumption>,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// The answer to one question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// What was asked.
    pub question: Question,
    /// The strongest verdict that holds.
    pub verdict: Verdict,
    /// Its witness; present exactly for the reachable verdicts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Path>,
    /// What was missing and could change the answer, sorted.
    pub unknown: Vec<Arc<str>>,
}

/// The answer to "who can escalate to what".
#[derive(Clone, Debug, Serialize)]
pub struct Audit {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// One answer for each principal that can get to the goal and is not there already: shortest
    /// unconditional paths first, then by ARN; then the undecided ones.
    pub findings: Vec<Answer>,
    /// Principals that are at the goal from the start, sorted by ARN.
    pub administrators: Vec<Arc<str>>,
    /// How many principals were asked about.
    pub principals: usize,
    /// How many accounts.
    pub accounts: usize,
    /// What was missing or skipped, sorted.
    pub unknown: Vec<Arc<str>>,
    /// How residuals were decided, for `--stats`; not part of the regression snapshot.
    #[serde(skip)]
    pub statistics: Statistics,
}

/// How residuals were decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Checks of calls that the evaluator decided, with whatever was left open.
    pub decisions: u64,
    /// Time spent deciding what was left open, of all threads together.
    pub solving: std::time::Duration,
    /// Constants.
    pub folded: u64,
    /// Asked before.
    pub remembered: u64,
    /// Decided by a first candidate or by propagation.
    pub cheap: u64,
    /// Decided by Z3.
    pub solved: u64,
    /// Left undecided at a limit.
    pub undecided: u64,
}
