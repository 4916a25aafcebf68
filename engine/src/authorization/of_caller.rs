//! What policies say of one caller in particular: where they say the same of two callers, they bind
//! both alike.

use super::conditions::condition_holds;
use super::request::{Context, Input};
use crate::policy::{Policy, Statement, Template, depends_on_caller, is_of_session};
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

    /// Adds what a statement asks, as [`Self::add`] does.
    pub fn add_statement(&mut self, statement: &Statement, context: &dyn Context) {
        let of_caller = |key: &str| depends_on_caller(key) && !is_of_session(key);
        for condition in statement.conditions() {
            if of_caller(&condition.key_lowercase) {
                self.conditions.push(condition_holds(condition, context));
            }
        }
        for variable in statement.templates().flat_map(Template::variables) {
            if of_caller(&variable.key) {
                self.variables.push(context.get(&variable.key));
            }
        }
    }
}
