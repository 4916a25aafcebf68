//! Why a request is decided as it is: the statements that allow or deny it, and those that would
//! have but for one element.

use super::grant::{Grant, grants};
use super::near_miss::{Element, action_missed, failed_elements};
use super::principals::Naming;
use super::request::{Applicable, InForce, Origin, Request, ResourcePolicy};
use super::resource_policy::{has_a_say, may_name, must_admit, names_and_fits};
use super::statements::Question;
use super::{Decision, authorize, control_policy, endpoint_policy, needs_no_permission};
use crate::policy::Effect;
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
    /// The policy of the VPC endpoint that the request comes through.
    Endpoint,
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
            Self::Endpoint => "endpoint",
        }
    }
}

/// A statement that has a part in a decision.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deciding {
    /// What the policy is.
    pub kind: PolicyKind,
    /// Of control policies the level, from the organization's root down.
    pub level: Option<usize>,
    /// The policy's name.
    pub policy: String,
    /// What it is of.
    pub origin: Origin,
    /// Position of the statement in it, from zero.
    pub statement: usize,
    /// The statement's `Sid`.
    pub sid: Option<String>,
    /// When it is about the request: `True` if everything is known.
    pub when: Residual,
    /// Of a statement that allows: what of it selects the request.
    pub grants: Vec<Grant>,
}

/// A statement of which only one thing is wrong: the action, of the same service, while everything
/// else matches; or the action matches and something else does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss {
    /// The statement.
    pub statement: Deciding,
    /// Whether it allows or denies.
    pub effect: Effect,
    /// What did not match, in the order action, principal, resource, conditions; at least one.
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
///
/// - `other_actions`: whether a statement about other actions of the same service is a near miss.
///   To find them, keys are looked up that the decision does not need.
pub fn explain(
    request: &Request<'_>,
    policies: &Applicable<'_>,
    other_actions: bool,
) -> Explanation {
    let question = Question::new(request);
    let mut explanation = Explanation {
        decision: authorize(request, policies),
        allowing: Vec::new(),
        denying: Vec::new(),
        near_misses: Vec::new(),
    };
    for Sayer { kind, level, in_force } in in_order(&question, policies) {
        let Ok(policy) = in_force.policy else { continue };
        for (position, statement) in policy.statements().iter().enumerate() {
            let deciding = |when| Deciding {
                kind,
                level,
                policy: in_force.name.to_owned(),
                origin: in_force.origin,
                statement: position,
                sid: statement.sid().map(|sid| sid.to_string()),
                when,
                grants: Vec::new(),
            };
            let endpoint = || endpoint_policy::used(&question, policies);
            let named = |naming: &Naming| match kind {
                PolicyKind::Endpoint => endpoint()
                    .is_some_and(|endpoint| endpoint_policy::names(&question, endpoint, statement)),
                _ => *naming != Naming::Not,
            };
            let effect = statement.effect();
            let of_resource = matches!(kind, PolicyKind::Resource | PolicyKind::Trust);
            if of_resource && !has_a_say(&question, statement) {
                continue;
            }
            if !statement.matches_action(&question.action) {
                if !other_actions {
                    continue;
                }
                let naming = match !of_resource || may_name(&question, policies, statement) {
                    true => Naming::Itself,
                    false => Naming::Not,
                };
                if named(&naming)
                    && let Some(missed) = action_missed(&question, statement)
                {
                    let (statement, failed) = (deciding(Residual::False), vec![missed]);
                    explanation.near_misses.push(NearMiss { statement, effect, failed });
                }
                continue;
            }
            let (naming, when) = if of_resource {
                names_and_fits(&question, policies, statement)
            } else {
                (Naming::Itself, question.fits(statement))
            };
            let named = named(&naming);
            if when.is_false() || !named {
                let mut failed = failed_elements(&question, statement);
                if !named {
                    failed.insert(0, Element::principal(statement));
                }
                let statement = deciding(Residual::False);
                explanation.near_misses.push(NearMiss { statement, effect, failed });
            } else if effect == Effect::Allow {
                let grants = grants(&question, statement);
                explanation.allowing.push(Deciding { grants, ..deciding(when) });
            } else {
                explanation.denying.push(deciding(when));
            }
        }
    }
    explanation
}

/// A policy that has a say.
struct Sayer<'p> {
    kind: PolicyKind,
    level: Option<usize>,
    in_force: InForce<'p>,
}

/// The policies that have a say, each with its part.
fn in_order<'p>(question: &Question<'_>, policies: &'p Applicable<'p>) -> Vec<Sayer<'p>> {
    let mut out = Vec::new();
    if needs_no_permission(question) {
        return out;
    }
    let mut push = |kind, level, in_force: &[InForce<'p>]| {
        out.extend(in_force.iter().map(|in_force| Sayer { kind, level, in_force: *in_force }));
    };
    push(PolicyKind::Identity, None, &policies.identity);
    push(PolicyKind::Boundary, None, policies.boundary.as_slice());
    push(PolicyKind::Session, None, policies.session.as_slice());
    if control_policy::bound_by_service_control(question) {
        for (at, level) in policies.service_control.iter().enumerate() {
            push(PolicyKind::ServiceControl, Some(at), level);
        }
    }
    if control_policy::bound_by_resource_control(question) {
        for (at, level) in policies.resource_control.iter().enumerate() {
            push(PolicyKind::ResourceControl, Some(at), level);
        }
    }
    if let ResourcePolicy::Present(in_force) = policies.resource {
        push(own_kind(question), None, &[in_force]);
    }
    if let Some(endpoint) = endpoint_policy::used(question, policies) {
        push(PolicyKind::Endpoint, None, &[endpoint.in_force()]);
    }
    out
}

/// What the resource's own policy is to the request.
pub(super) fn own_kind(question: &Question<'_>) -> PolicyKind {
    if question.action.starts_with("sts:") && must_admit(question) {
        PolicyKind::Trust
    } else {
        PolicyKind::Resource
    }
}
