//! What policies say of one caller in particular: where they say the same of two callers, they bind
//! both alike.

use super::conditions::condition_holds;
use super::request::{Context, Input};
use crate::policy::{
    Effect, Policy, Statement, Template, depends_on_caller, is_of_account, is_of_session,
};
use crate::residual::Residual;

/// What a policy asks of its caller, answered for one caller.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct OfCaller {
    /// When each condition on a key of the caller holds, in order.
    pub conditions: Vec<Residual>,
    /// The value of each policy variable that is a key of the caller, in order.
    pub variables: Vec<Input>,
}

impl OfCaller {
    /// Adds what a policy asks.
    ///
    /// - `context`: of a call of the caller on nothing in particular. Keys of its session (MFA) are
    ///   left out: they are the session's, not the policy's.
    pub fn add(&mut self, policy: &Policy, context: &dyn Context) {
        policy.statements().iter().for_each(|statement| self.add_statement(statement, context));
    }

    /// Adds what a policy asks of the caller's account.
    ///
    /// - `context`: as for [`Self::add`].
    pub fn add_of_account(&mut self, policy: &Policy, context: &dyn Context) {
        let statements = policy.statements().iter();
        statements.for_each(|statement| self.add_keys(statement, context, is_of_account));
    }

    /// Whether a policy that is not a principal's own leaves one caller at least as free as another,
    /// as far as it asks who calls.
    ///
    /// - `one`, `other`: contexts of calls of the two on nothing in particular; keys of their
    ///   sessions are left out as by [`Self::add`].
    pub fn leaves_as_free(policy: &Policy, one: &dyn Context, other: &dyn Context) -> bool {
        policy.statements().iter().all(|statement| {
            let (mut of_one, mut of_other) = (Self::default(), Self::default());
            of_one.add_statement(statement, one);
            of_other.add_statement(statement, other);
            let passed_over = |of: &Self| of.conditions.iter().any(Residual::is_false);
            of_one == of_other
                || match statement.effect() {
                    Effect::Deny => passed_over(&of_one),
                    Effect::Allow => passed_over(&of_other),
                }
        })
    }

    /// Adds what a statement asks, as [`Self::add`] does.
    pub fn add_statement(&mut self, statement: &Statement, context: &dyn Context) {
        self.add_keys(statement, context, |key| depends_on_caller(key) && !is_of_session(key));
    }

    fn add_keys(
        &mut self,
        statement: &Statement,
        context: &dyn Context,
        wanted: impl Fn(&str) -> bool,
    ) {
        for condition in statement.conditions() {
            if wanted(&condition.key_lowercase) {
                self.conditions.push(condition_holds(condition, context));
            }
        }
        for variable in statement.templates().flat_map(Template::variables) {
            if wanted(&variable.key) {
                self.variables.push(context.get(&variable.key));
            }
        }
    }
}
