//! Resource policies, trust policies and key policies among them: what the policy of the resource
//! itself grants and denies, and how far a grant goes.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html>
//! and <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies-cross-account-resource-access.html>.

use escalade_models::is_for_own_account;

use super::in_same_account;
use super::principals::{Naming, named, named_by_session, names_some_session};
use super::request::{Applicable, Caller, Resource, ResourcePolicy};
use super::statements::Question;
use crate::policy::{Effect, Statement};
use crate::residual::{Gap, Residual};

/// When the resource's policy grants the request, by how closely it names the caller.
pub(super) struct Grant {
    /// To the caller itself: a user, a session, a service, everyone. Only an explicit deny counts
    /// against it within the account.
    pub(super) itself: Residual,
    /// To the role or user behind the session: within what boundary and session policy permit.
    pub(super) identity: Residual,
    /// To the account: identity policies decide who may use it.
    pub(super) account: Residual,
}

impl Grant {
    /// When there is any grant.
    pub(super) fn any(&self) -> Residual {
        Residual::any([self.itself.clone(), self.identity.clone(), self.account.clone()])
    }
}

/// What the resource's policy grants.
pub(super) fn grants(question: &Question<'_>, policies: &Applicable<'_>) -> Grant {
    let mut grant =
        Grant { itself: Residual::False, identity: Residual::False, account: Residual::False };
    let policy = match policies.resource {
        ResourcePolicy::Absent => return grant,
        ResourcePolicy::Unknown(gap) => return Grant { itself: unknown(gap), ..grant },
        ResourcePolicy::Present(in_force) => match in_force.policy {
            Ok(policy) => policy,
            Err(gap) => return Grant { itself: unknown(gap), ..grant },
        },
    };
    if !may_grant(question) {
        return grant;
    }
    for statement in policy.statements() {
        if statement.effect() != Effect::Allow {
            continue;
        }
        let (naming, fits) = names_and_fits(question, policies, statement);
        let slot = match naming {
            Naming::Not => continue,
            Naming::Unknown(_) | Naming::Account => &mut grant.account,
            Naming::Identity => &mut grant.identity,
            Naming::Itself => &mut grant.itself,
        };
        let by_session = match naming {
            Naming::Itself => Residual::False,
            _ => fits_by_session(question, statement),
        };
        *slot = std::mem::replace(slot, Residual::False).or(fits);
        grant.itself = grant.itself.or(by_session);
    }
    grant
}

/// Whether a resource's policy can grant the request at all: some calls are for principals of the
/// owner's account alone.
pub(super) fn may_grant(question: &Question<'_>) -> bool {
    let caller = question.request.caller;
    match caller {
        Caller::Service(_) | Caller::Federated(_) => true,
        _ if caller.account().is_some_and(|account| in_same_account(question, account)) => true,
        _ => {
            question.request.context.is_about_policies_alone()
                || !is_for_own_account(&question.action)
        }
    }
}

/// The calls in which a bucket's policy cannot deny the root user of the bucket's own account, so
/// that nobody locks himself out.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html>
const NOT_DENIED_TO_ROOT: [&str; 3] =
    ["s3:deletebucketpolicy", "s3:getbucketpolicy", "s3:putbucketpolicy"];

/// Whether no resource policy can deny the request.
fn cannot_be_denied(question: &Question<'_>) -> bool {
    let caller = question.request.caller;
    matches!(caller, Caller::Root(_))
        && NOT_DENIED_TO_ROOT.contains(&&*question.action)
        && caller.account().is_some_and(|account| in_same_account(question, account))
}

/// When the resource's policy denies the request.
pub(super) fn denies(question: &Question<'_>, policies: &Applicable<'_>) -> Residual {
    if cannot_be_denied(question) {
        return Residual::False;
    }
    let policy = match policies.resource {
        ResourcePolicy::Absent => return Residual::False,
        ResourcePolicy::Unknown(gap) => return unknown(gap),
        ResourcePolicy::Present(in_force) => match in_force.policy {
            Ok(policy) => policy,
            Err(gap) => return unknown(gap),
        },
    };
    Residual::any(
        policy
            .statements()
            .iter()
            .filter(|statement| statement.effect() == Effect::Deny)
            .map(|statement| names_and_fits(question, policies, statement).1),
    )
}

/// Whether the statement counts: one that grants what no policy can grant does not, nor one that
/// denies what none can.
pub(super) fn has_a_say(question: &Question<'_>, statement: &Statement) -> bool {
    match statement.effect() {
        Effect::Allow => may_grant(question),
        Effect::Deny => !cannot_be_denied(question),
    }
}

/// How closely the statement names the caller, and when it is about the request.
pub(super) fn names_and_fits(
    question: &Question<'_>,
    policies: &Applicable<'_>,
    statement: &Statement,
) -> (Naming, Residual) {
    if !has_a_say(question, statement) || !statement.matches_action(&question.action) {
        return (Naming::Not, Residual::False);
    }
    let naming = naming(question, policies, statement);
    match naming {
        Naming::Not => match fits_by_session(question, statement) {
            Residual::False => (Naming::Not, Residual::False),
            fits => (Naming::Itself, fits),
        },
        Naming::Unknown(gap) => {
            let fits = question.fits(statement).and(unknown(&gap));
            (Naming::Unknown(gap), fits)
        }
        naming => (naming, question.fits(statement)),
    }
}

/// When the statement is about the request and names the caller's session by its name.
fn fits_by_session(question: &Question<'_>, statement: &Statement) -> Residual {
    let Some(element) = statement.principals() else { return Residual::False };
    let (caller, context) = (question.request.caller, question.request.context);
    match named_by_session(element, statement.effect(), caller, context) {
        Residual::False => Residual::False,
        named => question.fits(statement).and(named),
    }
}

/// Whether the statement names the caller in any way, a session of its role included.
pub(super) fn may_name(
    question: &Question<'_>,
    policies: &Applicable<'_>,
    statement: &Statement,
) -> bool {
    naming(question, policies, statement) != Naming::Not
        || statement.principals().is_some_and(|element| {
            names_some_session(element, statement.effect(), question.request.caller)
        })
}

/// How closely the statement names the caller, its session's name left aside.
fn naming(question: &Question<'_>, policies: &Applicable<'_>, statement: &Statement) -> Naming {
    let bounded = policies.boundary.is_some();
    match statement.principals() {
        Some(element) => {
            match named(element, statement.effect(), question.request.caller, bounded) {
                Naming::Unknown(_) if question.request.context.is_of_no_named_account() => {
                    Naming::Not
                }
                naming => naming,
            }
        }
        None => Naming::Unknown(Gap("a statement of a resource policy names no principal".into())),
    }
}

/// Whether the resource's policy must admit the caller even within one account: a role's trust
/// policy for the `sts` actions on it, a key's policy for `kms` actions on it. Where part of the
/// resource is not known, its kind is read from what stands before that part.
pub(super) fn must_admit(question: &Question<'_>) -> bool {
    if question.action.starts_with("sts:") {
        arn_start(question.request.resource).contains(":role/")
    } else if question.action.starts_with("kms:") {
        arn_start(question.request.resource).contains(":key/")
    } else {
        false
    }
}

/// The known beginning of the resource's ARN.
fn arn_start(resource: &Resource) -> &str {
    match resource {
        Resource::Literal(text) => text,
        Resource::Template { prefix, .. } => prefix,
    }
}

fn unknown(gap: &Gap) -> Residual {
    Residual::Unknown(gap.clone())
}
