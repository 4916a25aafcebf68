//! What each layer of policies says about a request, one after the other: the decision taken apart.

use super::explanation::{PolicyKind, own_kind};
use super::request::{Applicable, Caller, InForce, Origin, Request, ResourcePolicy};
use super::statements::Question;
use super::{
    boundary, control_policy, endpoint_policy, identity_policy, in_same_account,
    needs_no_permission, resource_policy, session_policy,
};
use crate::policy::Effect;
use crate::residual::Residual;

/// One layer of policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// What the policies are.
    pub kind: PolicyKind,
    /// Of control policies the level, from the organization's root down.
    pub level: Option<usize>,
    /// The policies, by name and what they are of.
    pub policies: Vec<(String, Origin)>,
    /// How it stands to the request.
    pub standing: Standing,
}

/// How a layer stands to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is no such policy, or it does not bind this request; the reason, for people.
    Aside(&'static str),
    /// It has a say.
    Says {
        /// What its allow is for.
        role: Role,
        /// When it allows.
        allows: Residual,
        /// When it denies.
        denies: Residual,
    },
}

/// What the allow of a layer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// One of several that can grant: one is enough.
    Grants,
    /// It must allow, besides what others grant.
    Required,
    /// It never grants; without its allow nothing is permitted.
    Limits,
}

/// Takes a decision apart, in the order identity, boundary, session, service control, resource
/// control, resource, endpoint. Empty for a call that needs no permission.
pub fn layers(request: &Request<'_>, policies: &Applicable<'_>) -> Vec<Layer> {
    let question = Question::new(request);
    if needs_no_permission(&question) {
        return Vec::new();
    }
    let mut out = Vec::new();
    principal_side(&question, policies, &mut out);
    control(&question, policies, &mut out);
    out.push(own(&question, policies));
    if !policies.endpoints.is_empty() {
        let used = endpoint_policy::used(&question, policies);
        out.push(match used {
            None => aside(PolicyKind::Endpoint, "the request comes through none that is known"),
            Some(endpoint) => Layer {
                kind: PolicyKind::Endpoint,
                level: None,
                policies: names(&[endpoint.in_force()]),
                standing: Standing::Says {
                    role: Role::Limits,
                    allows: endpoint_policy::permits(&question, endpoint),
                    denies: endpoint_policy::denies(&question, policies),
                },
            },
        });
    }
    out
}

fn principal_side(question: &Question<'_>, policies: &Applicable<'_>, out: &mut Vec<Layer>) {
    let caller = question.request.caller;
    if caller.account().is_none() {
        let none = match caller {
            Caller::Service(_) => "an AWS service has none",
            Caller::Federated(_) => "a federated caller has none",
            _ => "an unsigned caller has none",
        };
        out.push(aside(PolicyKind::Identity, none));
        return;
    }
    let cross = caller.account().is_some_and(|account| !in_same_account(question, account));
    let role = if cross { Role::Required } else { Role::Grants };
    out.push(match caller {
        Caller::Root(_) => aside(PolicyKind::Identity, "the root user needs none"),
        _ => says(
            PolicyKind::Identity,
            &policies.identity,
            role,
            identity_policy::allows(question, policies),
            identity_policy::denies(question, policies),
        ),
    });
    out.push(match &policies.boundary {
        None => aside(PolicyKind::Boundary, "none is set"),
        Some(in_force) => says(
            PolicyKind::Boundary,
            &[*in_force],
            Role::Limits,
            boundary::permits(question, policies),
            boundary::denies(question, policies),
        ),
    });
    out.push(match (&policies.session, caller) {
        (None, Caller::FederatedUser(_)) => says(
            PolicyKind::Session,
            &[],
            Role::Limits,
            session_policy::permits(question, policies),
            Residual::False,
        ),
        (None, _) => aside(PolicyKind::Session, "none was given"),
        (Some(in_force), _) => says(
            PolicyKind::Session,
            &[*in_force],
            Role::Limits,
            session_policy::permits(question, policies),
            session_policy::denies(question, policies),
        ),
    });
}

fn control(question: &Question<'_>, policies: &Applicable<'_>, out: &mut Vec<Layer>) {
    let kinds = [
        (
            PolicyKind::ServiceControl,
            &policies.service_control,
            control_policy::bound_by_service_control(question),
            "they bind principals of accounts only, and no service-linked role",
        ),
        (
            PolicyKind::ResourceControl,
            &policies.resource_control,
            control_policy::bound_by_resource_control(question),
            "they do not bind service-linked roles",
        ),
    ];
    for (kind, levels, bound, why) in kinds {
        if !bound {
            out.push(aside(kind, why));
        } else if levels.is_empty() {
            out.push(aside(kind, "none apply"));
        } else {
            for (at, level) in levels.iter().enumerate() {
                let layer = says(
                    kind,
                    level,
                    Role::Limits,
                    question.some_fits(level, Effect::Allow),
                    question.some_fits(level, Effect::Deny),
                );
                out.push(Layer { level: Some(at), ..layer });
            }
        }
    }
}

fn own(question: &Question<'_>, policies: &Applicable<'_>) -> Layer {
    let kind = own_kind(question);
    let account = question.request.caller.account();
    let cross = account.is_none_or(|account| !in_same_account(question, account));
    let must = cross || resource_policy::must_admit(question);
    let denies = resource_policy::denies(question, policies);
    if denies.is_false() && !resource_policy::may_grant(question) {
        return aside(kind, "it can grant this call to principals of its own account only");
    }
    let role = if must { Role::Required } else { Role::Grants };
    let policy = match policies.resource {
        ResourcePolicy::Absent if !must => return aside(kind, "none takes part"),
        ResourcePolicy::Absent => Vec::new(),
        ResourcePolicy::Present(in_force) => vec![in_force],
        ResourcePolicy::Unknown(_) => Vec::new(),
    };
    says(kind, &policy, role, resource_policy::grants(question, policies).any(), denies)
}

fn says(
    kind: PolicyKind,
    policies: &[InForce<'_>],
    role: Role,
    allows: Residual,
    denies: Residual,
) -> Layer {
    let standing = Standing::Says { role, allows, denies };
    Layer { kind, level: None, policies: names(policies), standing }
}

fn aside(kind: PolicyKind, why: &'static str) -> Layer {
    Layer { kind, level: None, policies: Vec::new(), standing: Standing::Aside(why) }
}

fn names(policies: &[InForce<'_>]) -> Vec<(String, Origin)> {
    policies.iter().map(|in_force| (in_force.name.to_owned(), in_force.origin)).collect()
}
