//! The `Resource` element: when a statement is about the resource of a request.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>.

use super::request::{Context, Resource};
use super::variables::{Subject, template_matches};
use crate::policy::Resources;
use crate::residual::Residual;

/// When the element, if there is one, covers the resource. Trust policies have none: they are
/// about the role that they belong to.
pub(super) fn resources_match(
    element: Option<&Resources>,
    resource: &Resource,
    context: &dyn Context,
) -> Residual {
    let Some(element) = element else { return Residual::True };
    let subject = match resource {
        Resource::Literal(text) => Subject::Text(text),
        Resource::Template { prefix, variable, suffix } => {
            Subject::Partial { prefix, variable, suffix }
        }
    };
    let covered = Residual::any(
        element.patterns.iter().map(|pattern| template_matches(pattern, subject, context)),
    );
    if element.negated { covered.negate() } else { covered }
}
