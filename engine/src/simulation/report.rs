//! What a simulation answers, in the shape and key order of its JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::answer::Assumption;

/// The verdicts on one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It succeeds, whatever was left open.
    Allowed,
    /// It succeeds where one of the alternatives in `allowed_if` holds.
    AllowedUnderAssumptions,
    /// It fails: some policy denies it.
    ExplicitlyDenied,
    /// It fails: an allow that it needs is missing.
    ImplicitlyDenied,
    /// It hangs on something that the snapshot does not hold.
    Unknown,
}

impl Verdict {
    /// The verdict in words, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::AllowedUnderAssumptions => "allowed-under-assumptions",
            Self::ExplicitlyDenied => "explicitly-denied",
            Self::ImplicitlyDenied => "implicitly-denied",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The request, with what its words were found to mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SimulatedRequest {
    /// The caller, by ARN or name.
    pub principal: Arc<str>,
    /// `service:Name`, as given.
    pub action: Arc<str>,
    /// The resource's ARN, or `*`.
    pub resource: Arc<str>,
    /// The condition keys that were given; one without a value is absent.
    pub context: BTreeMap<Arc<str>, Vec<Arc<str>>>,
}

/// A statement that has a part in the decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StatementReport {
    /// The policy's name.
    pub policy: Arc<str>,
    /// What kind of policy it is: `identity`, `boundary`, `service-control`, ...
    pub kind: &'static str,
    /// Whose policy it is, by ARN or by id of the place in the organization.
    pub of: Option<Arc<str>>,
    /// Position of the statement in the policy, from 0.
    pub statement: usize,
    /// The statement's Sid, if it has one.
    pub sid: Option<Arc<str>>,
    /// The snapshot's file that holds the policy.
    pub file: Option<Arc<str>>,
    /// Alternatives under which it is about the request; empty if it surely is.
    pub applies_if: Vec<Vec<Assumption>>,
    /// What is not known about that.
    pub unknown: Vec<Arc<str>>,
}

/// A policy of a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyReport {
    /// Its name.
    pub policy: Arc<str>,
    /// Whose it is.
    pub of: Option<Arc<str>>,
    /// The snapshot's file that holds it.
    pub file: Option<Arc<str>>,
}

/// What a layer says to the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Says {
    /// It allows.
    Allows,
    /// It allows under conditions that are open.
    MayAllow,
    /// It does not allow.
    DoesNotAllow,
    /// It denies.
    Denies,
    /// It denies under conditions that are open.
    MayDeny,
    /// What it says is not known.
    NotKnown,
    /// There is none, or it does not bind the request.
    Nothing,
}

/// One layer of policies and its contribution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LayerReport {
    /// What kind of policies.
    pub kind: &'static str,
    /// Of control policies the place in the organization: root, organizational unit or account.
    pub level: Option<Arc<str>>,
    /// What the layer says.
    pub says: Says,
    /// What its allow is for: `grants`, `required`, `limits`; for none why it says nothing.
    pub part: &'static str,
    /// Its policies.
    pub policies: Vec<PolicyReport>,
}

/// What of a statement did not match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deviation {
    /// `Action`, `NotAction`, `Principal`, `NotPrincipal`, `Resource`, `NotResource` or
    /// `Condition`.
    pub element: &'static str,
    /// The operator of a condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<Arc<str>>,
    /// The key of a condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Arc<str>>,
    /// What the statement has.
    pub wanted: Vec<Arc<str>>,
    /// What the request has; nothing if the key is not in it.
    pub found: Vec<Arc<str>>,
}

/// A statement that would have had a part but for what deviates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NearMissReport {
    /// The statement.
    #[serde(flatten)]
    pub statement: StatementReport,
    /// `allow` or `deny`.
    pub effect: &'static str,
    /// What did not match, at least one.
    pub failed: Vec<Deviation>,
}

/// The answer to one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Simulation {
    /// What was asked.
    pub request: SimulatedRequest,
    /// The verdict.
    pub verdict: Verdict,
    /// For `allowed-under-assumptions` the alternatives, the least assuming first: each is a list
    /// of conditions that must hold together.
    pub allowed_if: Vec<Vec<Assumption>>,
    /// Statements that allow, each within its layer.
    pub allowed_by: Vec<StatementReport>,
    /// Statements that deny, or would under conditions that are open.
    pub denied_by: Vec<StatementReport>,
    /// Every layer, in the order identity, boundary, session, service control, resource control,
    /// resource, endpoint.
    pub layers: Vec<LayerReport>,
    /// Statements that almost matched, in the same order.
    pub near_misses: Vec<NearMissReport>,
    /// What was missing and could change the answer, sorted.
    pub unknown: Vec<Arc<str>>,
}
