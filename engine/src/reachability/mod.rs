//! The attacker as a monotone fixpoint: facts, the graph of their derivations, and shortest ways.

mod at_goal;
mod changes;
mod derivations;
mod expansion;
mod fact;
mod fixpoint;
mod having;
mod helping;
mod let_in_anyway;
mod queue;
mod recording;
mod shortest;
mod stand_ins;
mod start;
mod trials;
mod untried;
mod variants;
mod world_facts;

pub use derivations::{Decided, Derivations, Edge, EdgeId, Level, Why};
pub use fact::{Fact, FactId, Facts};
pub use fixpoint::{Goal, Help, Reachability, Variant};
pub use shortest::{Derivation, Mask, Remaining, Scope, State, shortest};
pub use start::Start;
