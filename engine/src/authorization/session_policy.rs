//! Session policies: what was passed when the session was created, and limits it.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session>.

use super::request::{Applicable, Caller};
use super::statements::Question;
use crate::policy::Effect;
use crate::residual::Residual;

/// When the session policy leaves room for the request. A session that `GetFederationToken` made
/// without one has no permissions but those a resource policy grants to it:
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html>.
pub(super) fn permits(question: &Question<'_>, policies: &Applicable<'_>) -> Residual {
    match (&policies.session, question.request.caller) {
        (None, Caller::FederatedUser(_)) => Residual::False,
        (None, _) => Residual::True,
        (Some(session), _) => question.some_fits([session], Effect::Allow),
    }
}

/// When the session policy denies it.
pub(super) fn denies(question: &Question<'_>, policies: &Applicable<'_>) -> Residual {
    question.some_fits(&policies.session, Effect::Deny)
}
