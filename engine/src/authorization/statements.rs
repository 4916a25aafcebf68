//! When a statement is about a request, its principal element left aside.

use std::borrow::Cow;

use super::conditions::conditions_hold;
use super::request::{InForce, Request};
use super::resources::resources_match;
use crate::policy::{Effect, Statement};
use crate::residual::Residual;

/// A request while it is decided.
pub(super) struct Question<'a> {
    /// The request.
    pub(super) request: &'a Request<'a>,
    /// Its action in lower case.
    pub(super) action: Cow<'a, str>,
}

impl<'a> Question<'a> {
    /// Lowers the action's case once for all statements.
    pub(super) fn new(request: &'a Request<'a>) -> Self {
        let action =
            if request.action.bytes().any(|byte| !byte.is_ascii() || byte.is_ascii_uppercase()) {
                Cow::Owned(request.action.to_lowercase())
            } else {
                Cow::Borrowed(request.action)
            };
        Self { request, action }
    }

    /// When action, resource and conditions of the statement fit.
    pub(super) fn fits(&self, statement: &Statement) -> Residual {
        if !statement.matches_action(&self.action) {
            return Residual::False;
        }
        let Request { resource, context, .. } = *self.request;
        let resource = resources_match(statement.resource_element(), resource, context);
        if resource.is_false() {
            return Residual::False;
        }
        resource.and(conditions_hold(statement.conditions(), context))
    }

    /// When a statement of this effect in one of the policies fits, whomever it names.
    pub(super) fn some_fits<'p>(
        &self,
        policies: impl IntoIterator<Item = &'p InForce<'p>>,
        effect: Effect,
    ) -> Residual {
        Residual::any(policies.into_iter().map(|in_force| {
            match in_force.policy {
                Err(gap) => Residual::Unknown(gap.clone()),
                Ok(policy) if effect == Effect::Deny && !policy.has_deny() => Residual::False,
                Ok(policy) => Residual::any(
                    policy
                        .statements()
                        .iter()
                        .filter(|statement| statement.effect() == effect)
                        .map(|statement| self.fits(statement)),
                ),
            }
        }))
    }
}
