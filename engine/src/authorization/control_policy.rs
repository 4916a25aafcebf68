//! Service control policies, which bind the principals of an organization's member accounts, and
//! resource control policies, which bind their resources. At every level, from the root down to
//! the account, some policy must allow.
//!
//! Implements <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html>
//! and <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html>.
//! Levels that do not bind (no organization, the management account) are left out by the caller.

use super::request::{Applicable, Caller, InForce, Input};
use super::statements::Question;
use crate::policy::Effect;
use crate::residual::Residual;

/// When every level of both kinds allows the request.
pub(super) fn permit(question: &Question<'_>, policies: &Applicable<'_>) -> Residual {
    levels(question, policies).fold(Residual::True, |permitted, level| {
        if permitted.is_false() {
            return permitted;
        }
        permitted.and(question.some_fits(level, Effect::Allow))
    })
}

/// When a policy of either kind denies it.
pub(super) fn deny(question: &Question<'_>, policies: &Applicable<'_>) -> Residual {
    Residual::any(levels(question, policies).map(|level| question.some_fits(level, Effect::Deny)))
}

/// The levels that bind this request.
fn levels<'p>(
    question: &Question<'_>,
    policies: &'p Applicable<'p>,
) -> impl Iterator<Item = &'p Vec<InForce<'p>>> {
    let service: &[_] =
        if bound_by_service_control(question) { &policies.service_control } else { &[] };
    let resource: &[_] =
        if bound_by_resource_control(question) { &policies.resource_control } else { &[] };
    service.iter().chain(resource)
}

/// Service control policies bind callers that belong to an account, its root user included.
pub(super) fn bound_by_service_control(question: &Question<'_>) -> bool {
    question.request.caller.account().is_some() && !is_service_linked(question)
}

/// Resource control policies bind whoever calls, AWS services and unsigned callers included. One
/// action they leave alone:
/// <https://docs.aws.amazon.com/kms/latest/developerguide/resource-control-policies.html>.
pub(super) fn bound_by_resource_control(question: &Question<'_>) -> bool {
    question.action != "kms:retiregrant" && !is_service_linked(question)
}

/// Service-linked roles are bound by neither kind. They are known by their path.
fn is_service_linked(question: &Question<'_>) -> bool {
    let by_path = |arn: &str| arn.contains(":role/aws-service-role/");
    match question.request.caller {
        Caller::Role(role) | Caller::RoleSession { role: Some(role), .. } => by_path(role),
        Caller::RoleSession { role: None, .. } => {
            // The session's own ARN has no path.
            match question.request.context.get("aws:principalarn") {
                Input::One(arn) => by_path(&arn),
                _ => false,
            }
        }
        _ => false,
    }
}
