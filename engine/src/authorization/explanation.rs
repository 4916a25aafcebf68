//! Why a request is decided as it is: the statements that allow or deny it, and those that would
//! have but for one element.

use super::conditions::condition_holds;
use super::principals::Naming;
use super::request::{Applicable, InForce, Request, ResourcePolicy};
use super::resource_policy::{must_admit, names_and_fits};
use super::resources::resources_match;
use super::statements::Question;
use super::{Decision, authorize, control_policy, needs_no_permission};
use crate::policy::{Effect, Statement};
use crate::residual::Residual;

/// The part a policy plays in a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyKind {
    /// An identity policy of the caller.
    Identity,
    /// The caller's permissions boundary.
    Boundary,
    /// The session policy.
    Session,
    /// A service control policy.
    ServiceControl,
    /// A resource control policy.
    ResourceControl,
    /// The resource's own policy.
    Resource,
    /// The trust policy of the role.
    Trust,
}

impl PolicyKind {
    /// The kind in one or two words, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Boundary => "boundary",
            Self::Session => "session",
            Self::ServiceControl => "service-control",
            Self::ResourceControl => "resource-control",
            Self::Resource => "resource",
            Self::Trust => "trust",
        }
    }
}

/// A statement that has a part in a decision.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deciding {
    /// What the policy is.
    pub kind: PolicyKind,
    /// The policy's name.
    pub policy: String,
    /// Position of the statement in it, from zero.
    pub statement: usize,
    /// The statement's `Sid`.
    pub sid: Option<String>,
    /// When it is about the request: `True` if everything is known.
    pub when: Residual,
}

/// The element of a statement that did not match.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Element {
    /// `Principal` or `NotPrincipal`
    Principal,
    /// `Resource` or `NotResource`
    Resource,
    /// One condition.
    Condition {
        /// The operator as the policy has it.
        operator: String,
        /// The key as the policy has it.
        key: String,
    },
}

/// A statement whose actions include the request's and of which something else did not match.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NearMiss {
    /// The statement.
    pub statement: Deciding,
    /// Whether it allows or denies.
    pub effect: Effect,
    /// What did not match, in the order principal, resource, conditions; at least one.
    pub failed: Vec<Element>,
}

/// Why a request is decided as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The decision.
    pub decision: Decision,
    /// Statements that allow or may allow, each within its kind of policy: an allow in a boundary
    /// or control policy permits but does not grant.
    pub allowing: Vec<Deciding>,
    /// Statements that deny or may deny.
    pub denying: Vec<Deciding>,
    /// Statements that would have, but for some element.
    pub near_misses: Vec<NearMiss>,
}

/// Decides a request and says which statements decide. Policies are listed in the order identity,
/// boundary, session, service control, resource control, resource; statements in document order.
pub fn explain(request: &Request<'_>, policies: &Applicable<'_>) -> Explanation {
    let question = Question::new(request);
    let mut explanation = Explanation {
        decision: authorize(request, policies),
        allowing: Vec::new(),
        denying: Vec::new(),
        near_misses: Vec::new(),
    };
    for (kind, in_force) in in_order(&question, policies) {
        let Ok(policy) = in_force.policy else { continue };
        for (position, statement) in policy.statements().iter().enumerate() {
            if !statement.matches_action(&question.action) {
                continue;
            }
            let of_resource = matches!(kind, PolicyKind::Resource | PolicyKind::Trust);
            let (naming, when) = if of_resource {
                names_and_fits(&question, policies, statement)
            } else {
                (Naming::Itself, question.fits(statement))
            };
            let missed = when.is_false();
            let deciding = Deciding {
                kind,
                policy: in_force.name.to_owned(),
                statement: position,
                sid: statement.sid().map(|sid| sid.to_string()),
                when,
            };
            if missed {
                let mut failed = failed_elements(&question, statement);
                if naming == Naming::Not {
                    failed.insert(0, Element::Principal);
                }
                let effect = statement.effect();
                explanation.near_misses.push(NearMiss { statement: deciding, effect, failed });
            } else if statement.effect() == Effect::Allow {
                explanation.allowing.push(deciding);
            } else {
                explanation.denying.push(deciding);
            }
        }
    }
    explanation
}

/// The policies that have a say, each with its part.
fn in_order<'p>(
    question: &Question<'_>,
    policies: &'p Applicable<'p>,
) -> Vec<(PolicyKind, InForce<'p>)> {
    let mut out = Vec::new();
    let mut push = |kind, in_force: &[InForce<'p>]| {
        out.extend(in_force.iter().map(|in_force| (kind, *in_force)));
    };
    if needs_no_permission(question) {
        return out;
    }
    push(PolicyKind::Identity, &policies.identity);
    push(PolicyKind::Boundary, policies.boundary.as_slice());
    push(PolicyKind::Session, policies.session.as_slice());
    if control_policy::bound_by_service_control(question) {
        policies.service_control.iter().for_each(|level| push(PolicyKind::ServiceControl, level));
    }
    if control_policy::bound_by_resource_control(question) {
        policies.resource_control.iter().for_each(|level| push(PolicyKind::ResourceControl, level));
    }
    if let ResourcePolicy::Present(in_force) = policies.resource {
        let trust = question.action.starts_with("sts:") && must_admit(question);
        push(if trust { PolicyKind::Trust } else { PolicyKind::Resource }, &[in_force]);
    }
    out
}

fn failed_elements(question: &Question<'_>, statement: &Statement) -> Vec<Element> {
    let Request { resource, context, .. } = *question.request;
    let mut failed = Vec::new();
    if resources_match(statement.resource_element(), resource, context).is_false() {
        failed.push(Element::Resource);
    }
    failed.extend(
        statement
            .conditions()
            .iter()
            .filter(|condition| condition_holds(condition, context).is_false())
            .map(|condition| Element::Condition {
                operator: condition.operator.to_string(),
                key: condition.key.to_string(),
            }),
    );
    failed
}
