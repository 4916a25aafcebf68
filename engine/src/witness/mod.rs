//! Witnesses: plans taken from derivations, and their replay.

mod clock;
mod plan;
mod replay;

pub use clock::Part;
pub(crate) use clock::{are_timed, compare_as_text, is_clock, is_late};
pub use plan::{Deed, Plan, PlannedStep, Sharing, Times, plan, rename_residual, rename_variable};
pub use replay::{Replayed, Stuck, replay};
