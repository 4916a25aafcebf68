//! The analysis behind escalade: what an attacker who holds a principal can end up doing.
#![warn(missing_docs)]

pub mod analysis;
pub mod answer;
pub mod authorization;
pub mod cause;
pub mod comparison;
pub mod diff;
pub mod fix;
pub mod gate;
pub mod invariant;
pub mod pattern;
pub mod policy;
pub mod proof;
pub mod provenance;
pub mod reachability;
pub mod residual;
pub mod simulation;
pub mod snapshot;
pub mod solver;
pub mod technique;
pub mod witness;
