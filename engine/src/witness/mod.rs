//! Witnesses: plans taken from derivations, and their replay.

mod clock;
mod plan;
mod replay;

pub use clock::Part;
pub(crate) use clock::{in_order, is_clock, is_late};
pub use plan::{Deed, Plan, PlannedStep, Sharing, plan, rename_residual, rename_variable};
pub use replay::{Replayed, Stuck, replay};
