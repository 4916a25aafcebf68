//! What must stay possible.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use crate::analysis::QuestionError;
use crate::simulation::{Asked, Simulator, Verdict};

/// A permission that must stay: a request that one principal may make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Keep {
    /// Who calls: a principal's ARN or the end of one.
    pub principal: Arc<str>,
    /// `service:Name`.
    pub action: Arc<str>,
    /// One resource.
    pub resource: Arc<str>,
}

impl Keep {
    /// Reads `PRINCIPAL:ACTION@RESOURCE`; nothing if it is not of this form. Principals and
    /// resources may have `:` and `@` in them.
    pub fn parse(text: &str) -> Option<Self> {
        let word = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        text.match_indices('@').find_map(|(at, _)| {
            let (before, resource) = (text.get(..at)?, text.get(at + 1..)?);
            let (rest, name) = before.rsplit_once(':')?;
            let (principal, service) = rest.rsplit_once(':')?;
            let fits = word(service) && word(name) && !principal.is_empty() && !resource.is_empty();
            fits.then(|| Self {
                principal: principal.into(),
                action: format!("{service}:{name}").into(),
                resource: resource.into(),
            })
        })
    }

    /// What the policies say to it.
    pub(super) fn verdict(&self, simulator: &Simulator<'_>) -> Result<Verdict, QuestionError> {
        let asked = Asked {
            principal: self.principal.to_string(),
            action: self.action.to_string(),
            resource: self.resource.to_string(),
            ..Asked::default()
        };
        Ok(simulator.decide(&asked)?.verdict)
    }

    /// Whether it stays with this verdict after that one. Passing a role may come to depend on the
    /// service.
    pub(super) fn stays(&self, before: Verdict, after: Verdict) -> bool {
        let most = match before {
            Verdict::Allowed if !self.action.eq_ignore_ascii_case("iam:PassRole") => before,
            _ => Verdict::AllowedUnderAssumptions,
        };
        after <= most
    }
}
