//! The evaluator: one, partial by nature. `authorize` folds in everything that is known and
//! returns what is left.

mod request;

pub use request::{
    Applicable, Caller, Context, Decision, InForce, Input, Request, Resource, ResourcePolicy,
};

use crate::residual::Residual;

/// Decides a request under the policies that apply to it.
pub fn authorize(_request: &Request<'_>, _policies: &Applicable<'_>) -> Decision {
    Decision { allowed: Residual::False, denied: Residual::False }
}
