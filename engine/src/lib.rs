//! The analysis behind escalade: what an attacker who holds a principal can end up doing.
#![warn(missing_docs)]

pub mod answer;
pub mod authorization;
pub mod pattern;
pub mod policy;
pub mod residual;
pub mod snapshot;
pub mod solver;
