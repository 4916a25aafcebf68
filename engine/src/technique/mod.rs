//! Techniques as rules over the world: what each needs, and for whom it works.

mod actor;
mod binding;
mod candidates;
mod gain;
mod goal;
mod index;
mod object_classes;
mod object_sets;
mod opensearch;
mod resolve;
mod role_trust;
mod rule;
mod search;
mod walk;

pub use actor::{Actor, Check};
pub use binding::{Binding, NoText, Reader, Text};
pub use gain::{Delegation, Gained};
pub use goal::{GoalCall, GoalTarget};
pub use index::{Actions, Class, Index};
pub use rule::{
    Determined, Expression, Group, MatcherOf, NewSlot, Part, Rule, RuleCall, RuleError, RuleGain,
    Rules, Slot, Truster,
};
pub use search::{Outcome, Search, Select, shown, substitute_chosen};
