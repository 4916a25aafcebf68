//! Witnesses: plans taken from derivations, and their replay.

mod plan;
mod replay;

pub use plan::{Deed, Plan, PlannedStep, Sharing, plan, rename_residual, rename_variable};
pub use replay::{Replayed, Stuck, replay};
