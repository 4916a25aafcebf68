//! Proofs that a goal is out of reach: a certificate that can be checked without the fixpoint, and
//! why it is so, call by call.
//!
//! Nothing here uses the fixpoint's look-up tables, classes or shortcuts. Rules are tried over every
//! object of every kind, each call decided by the evaluator with all its policies: slow, and plain
//! enough to be believed.

mod application;
mod blockers;
mod certificate;
mod changes;
mod closure;
mod facts;
mod had;
mod walk;
mod why_not;

pub use blockers::{BlockedCall, Blocker, Nearest};
pub use certificate::{
    CERTIFICATE_SCHEMA, Certificate, NotApplicable, Proof, Rejection, certify, verify,
};
pub use changes::TooMany;
pub use closure::NotClosed;
pub use facts::{FactText, HadText, MadeText};
pub use had::{Had, State};
pub use why_not::{Way, WhyNot, why_not};
