//! Identity policies: what the policies of a user, its groups or a role allow and deny.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_identity-vs-resource.html>.

use super::request::{Applicable, Caller};
use super::statements::Question;
use crate::policy::Effect;
use crate::residual::Residual;

/// When an identity policy allows the request. The account's root user needs none.
pub(super) fn allows(question: &Question<'_>, policies: &Applicable<'_>) -> Residual {
    match question.request.caller {
        Caller::Root(_) => Residual::True,
        _ => question.some_fits(&policies.identity, Effect::Allow),
    }
}

/// When an identity policy denies it.
pub(super) fn denies(question: &Question<'_>, policies: &Applicable<'_>) -> Residual {
    question.some_fits(&policies.identity, Effect::Deny)
}
