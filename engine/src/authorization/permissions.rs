//! Everything that policies permit, as one formula over any action, any resource and any condition
//! key: for questions that are about all requests at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::conditions::conditions_hold;
use super::request::{Context, InForce, Input, Resource};
use super::resources::resources_match;
use crate::pattern::Pattern;
use crate::policy::{Effect, Statement};
use crate::residual::{Atom, Grammar, Residual, Test, Variable, VariableKind};

/// Policies on a principal's side.
#[derive(Clone, Debug, Default)]
pub struct Permissions<'a> {
    /// Those that grant.
    pub identity: Vec<InForce<'a>>,
    /// What limits them.
    pub boundary: Option<InForce<'a>>,
}

/// Any request: its action and its resource are variables, and so is every condition key that does
/// not follow from the caller.
pub struct AnyRequest<'c> {
    /// The action, in lower case.
    pub action: Variable,
    /// The resource: an ARN, or `*` where the action takes none.
    pub resource: Variable,
    /// What follows from the caller, if one is given.
    pub caller: Option<&'c dyn Context>,
    /// Keys with several values, in lower case.
    pub multivalued: BTreeSet<Arc<str>>,
    /// How AWS writes keys, by lower case: others are named as they are asked for.
    pub spelling: &'c dyn Fn(&str) -> Arc<str>,
}

/// The scope of the variables of [`AnyRequest`].
pub const ANY_REQUEST: &str = "any request";

impl<'c> AnyRequest<'c> {
    /// A request of a caller, or of anybody.
    pub fn new(caller: Option<&'c dyn Context>, spelling: &'c dyn Fn(&str) -> Arc<str>) -> Self {
        let variable = |name: &str, alphabet: &[(char, char)]| Variable {
            name: name.into(),
            scope: ANY_REQUEST.into(),
            kind: VariableKind::Chosen,
            multivalued: false,
            grammar: Grammar::new(alphabet, (1, 1024)),
        };
        Self {
            action: variable("$action", &[('-', '-'), ('0', '9'), (':', ':'), ('a', 'z')]),
            resource: variable("$resource", &[]),
            caller,
            multivalued: BTreeSet::new(),
            spelling,
        }
    }

    /// When the action has the form of one and the resource that of an ARN, or of `*`.
    pub fn well_formed(&self) -> Residual {
        let arn = like(&self.resource, Pattern::glob("arn:?*:?*:*:*:?*", false));
        let none = like(&self.resource, Pattern::literal("*", false));
        self.is_action("?*:?*").and(arn.or(none))
    }

    /// When the action matches, wildcards allowed.
    pub fn is_action(&self, pattern: &str) -> Residual {
        like(&self.action, Pattern::glob(&pattern.to_lowercase(), false))
    }

    /// When policies permit the request: some statement grants it within the boundary, and none
    /// denies it. What a policy leaves unclear is a gap.
    pub fn permitted(&self, permissions: &Permissions<'_>) -> Residual {
        let boundary = permissions.boundary.as_slice();
        let granted = self.some_fits(&permissions.identity, Effect::Allow);
        let limited = if boundary.is_empty() {
            Residual::True
        } else {
            self.some_fits(boundary, Effect::Allow)
        };
        let denied = self
            .some_fits(&permissions.identity, Effect::Deny)
            .or(self.some_fits(boundary, Effect::Deny));
        granted.and(limited).and(denied.negate())
    }

    /// Notes which keys the policies compare as sets.
    pub fn note_sets(&mut self, permissions: &Permissions<'_>) {
        let policies = permissions.identity.iter().chain(&permissions.boundary);
        for policy in policies.filter_map(|in_force| in_force.policy.ok()) {
            for condition in policy.statements().iter().flat_map(Statement::conditions) {
                if condition.set.is_some() {
                    self.multivalued.insert((&*condition.key_lowercase).into());
                }
            }
        }
    }

    fn some_fits(&self, policies: &[InForce<'_>], effect: Effect) -> Residual {
        Residual::any(policies.iter().map(|in_force| {
            match in_force.policy {
                Err(gap) => Residual::Unknown(gap.clone()),
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

    fn fits(&self, statement: &Statement) -> Residual {
        let actions = statement.actions();
        let selected = Residual::any(actions.patterns.iter().map(|pattern| {
            // A `*` by itself is about everything.
            match pattern.text() {
                "*" => Residual::True,
                text => like(&self.action, Pattern::glob(text, false)),
            }
        }));
        let selected = if actions.negated { selected.negate() } else { selected };
        let resource = Resource::Template {
            prefix: "".into(),
            variable: self.resource.clone(),
            suffix: "".into(),
        };
        selected
            .and(resources_match(statement.resource_element(), &resource, self))
            .and(conditions_hold(statement.conditions(), self))
    }
}

fn like(variable: &Variable, pattern: Pattern) -> Residual {
    if pattern.is_any() {
        return Residual::True;
    }
    Residual::atom(Atom::Passes(variable.clone(), Test::Like(pattern)))
}

impl Context for AnyRequest<'_> {
    fn get(&self, key: &str) -> Input {
        let of_caller = key.starts_with("aws:principal")
            || matches!(key, "aws:username" | "aws:userid" | "aws:securetransport");
        if let Some(caller) = self.caller.filter(|_| of_caller) {
            match caller.get(key) {
                Input::Free { .. } => {}
                known => return known,
            }
        }
        let name = (self.spelling)(key);
        let kind = if key.starts_with("aws:") && !key.starts_with("aws:requesttag/") {
            VariableKind::Environment
        } else {
            VariableKind::Chosen
        };
        let variable = Variable {
            name,
            scope: ANY_REQUEST.into(),
            kind,
            multivalued: self.multivalued.contains(key),
            grammar: Grammar::any(),
        };
        Input::Free { variable, certain: false }
    }
}
