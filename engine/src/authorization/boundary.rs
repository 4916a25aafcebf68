//! Permissions boundaries: the most that identity policies can grant. A boundary never grants;
//! whether it also narrows what a resource policy grants is decided with resource policies.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html>.

use super::request::Applicable;
use super::statements::Question;
use crate::policy::Effect;
use crate::residual::Residual;

/// When the boundary, if there is one, leaves room for the request.
pub(super) fn permits(question: &Question<'_>, policies: &Applicable<'_>) -> Residual {
    match &policies.boundary {
        None => Residual::True,
        Some(boundary) => question.some_fits([boundary], Effect::Allow),
    }
}

/// When the boundary denies the request.
pub(super) fn denies(question: &Question<'_>, policies: &Applicable<'_>) -> Residual {
    question.some_fits(&policies.boundary, Effect::Deny)
}
