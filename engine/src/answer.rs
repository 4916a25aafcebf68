//! Questions and answers, in the shape and key order that other people's scripts rely on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::authorization::Origin;
pub use crate::solver::Assumption;

/// The schema that [`Answer`] serializes to.
pub const SCHEMA: &str = "escalade/1";

/// What is asked of a path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Question {
    /// Where the attacker starts: an ARN, or one of the symbolic starts.
    pub from: Arc<str>,
    /// The account that the start's own is, by id; none if that is outside the snapshot.
    #[serde(skip)]
    pub home: Option<Arc<str>>,
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
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct KeyValue(pub Vec<Arc<str>>);

/// A statement that lets a call through.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct AllowedBy {
    /// The policy, as people call it: `AdministratorAccess`, `inline policy deploy of user/alice`.
    pub policy: Arc<str>,
    /// Which kind of policy: `identity`, `resource`, `trust`, ...
    pub kind: Arc<str>,
    /// Position of the statement in the policy, from 0.
    pub statement: usize,
    /// The statement's Sid, if it has one.
    pub sid: Option<Arc<str>>,
    /// Where the policy comes from, for [`crate::provenance`].
    #[serde(skip)]
    pub origin: Origin,
}

/// One call of a witness, with everything needed to check it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Call {
    /// The principal that makes it, by ARN: of those that a symbolic start stands for, one. An
    /// unsigned call is made by `anonymous`, one with a token by its identity provider.
    pub actor: Arc<str>,
    /// `service:Name`.
    pub action: Arc<str>,
    /// What it is checked on.
    pub resource: Arc<str>,
    /// The condition keys that the decision used.
    pub context: BTreeMap<Arc<str>, KeyValue>,
    /// The statements that allow it.
    pub allowed_by: Vec<AllowedBy>,
    /// What people call the resource, where its ARN does not say: a permission set, a group of a
    /// directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_name: Option<Arc<str>>,
}

/// What a step gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Path {
    /// What must be true besides, sorted.
    pub assumptions: Vec<Assumption>,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// The answer to one question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Answer {
    /// Always [`SCHEMA`].
    #[schemars(extend("const" = SCHEMA))]
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
    /// By what the answer comes about, for all verdicts but unreachable: see [`crate::cause`].
    /// Principals with the same cause share it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Arc<str>>,
}

/// What an audit asks about every principal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditQuestion {
    /// The goal, as given.
    pub to: Arc<str>,
    /// Actions or techniques a path must use.
    pub via: Vec<Arc<str>>,
    /// Actions or techniques a path must not use.
    pub avoid: Vec<Arc<str>>,
    /// Environment keys that are pinned; `None` means that the key is absent.
    pub assume: BTreeMap<Arc<str>, Option<Arc<str>>>,
    /// Whether only paths count that hold in every environment.
    pub no_assumptions: bool,
    /// Whether all steps share one environment: `one` or `per-step`.
    pub environment: Arc<str>,
    /// The most techniques a path may use.
    pub max_steps: Option<usize>,
    /// Ids or names of the accounts whose principals were asked about, as globs; of all, if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<Arc<str>>,
    /// Tags that the principals asked about have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub from_tags: BTreeMap<Arc<str>, Arc<str>>,
    /// Whether starts from outside the snapshot's accounts were asked about as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub external: bool,
}

/// Who can get to the goal from outside the snapshot's accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Outside {
    /// How many starts were asked about.
    pub starts: usize,
    /// One answer for each start that can get to the goal, or of which that is undecided; in the
    /// order of [`Audit::findings`].
    pub findings: Vec<Answer>,
}

/// The answer to "who can escalate to what".
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Audit {
    /// Always [`SCHEMA`].
    #[schemars(extend("const" = SCHEMA))]
    pub schema: &'static str,
    /// One answer for each principal that can get to the goal and is not there already: shortest
    /// unconditional paths first, then by ARN; then the undecided ones.
    pub findings: Vec<Answer>,
    /// Principals that are at the goal from the start, sorted by ARN.
    pub administrators: Vec<Arc<str>>,
    /// Where starts from outside were asked about: who of them can get to the goal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outside: Option<Outside>,
    /// How many principals were asked about.
    pub principals: usize,
    /// How many accounts.
    pub accounts: usize,
    /// What was missing or skipped, sorted.
    pub unknown: Vec<Arc<str>>,
    /// What every principal was asked.
    pub question: AuditQuestion,
    /// The unique ids (`AIDA...`, `AROA...`) of the principals in `findings` and `administrators`,
    /// by ARN: what stays when a user is renamed.
    pub unique_ids: BTreeMap<Arc<str>, Arc<str>>,
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
