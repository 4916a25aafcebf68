//! Techniques as rules over the world: what each needs, and for whom it works.

mod able;
mod actions;
mod actor;
mod audience;
mod besides;
mod binding;
mod bound_calls;
mod by_token;
mod called_on;
mod candidates;
mod check;
mod classes;
mod findable;
mod footing;
mod forwarding;
mod gain;
mod goal;
mod goal_targets;
mod helping;
mod index;
mod key_use;
mod letting_in;
mod makers;
mod mandate;
mod new_names;
mod object_classes;
mod object_sets;
mod opensearch;
mod partition;
mod regions;
mod relief;
mod resolve;
mod role_trust;
mod rule;
mod rule_slots;
mod rules;
mod same_say;
mod search;
mod selected_rules;
mod tagged;
mod taken_names;
mod trusting;
mod walk;
mod ways_out;
mod with_mfa;
mod without_policy;
mod worth_changing;
mod written_policies;

pub use actions::Actions;
pub use actor::Actor;
pub use besides::Permission;
pub use binding::{Binding, NoText, Reader, Text, arn_of, is_of_organization};
pub use check::{Check, TAGS_OF_REQUEST};
pub use classes::Class;
pub use footing::FootingId;
pub use gain::{Delegation, Gained};
pub(crate) use gain::{NewAs, may_do_everything, new_principal};
pub use goal::{GoalCall, GoalTarget};
pub use helping::HelpNumber;
pub use index::Index;
pub use key_use::OfKey;
pub use letting_in::LetIn;
pub use mandate::{Mandate, Mandated};
pub use relief::Relief;
pub use rule::{
    CallBesides, Determined, Expression, Group, MatcherOf, NewSlot, Part, Rule, RuleCall, RuleGain,
    Slot, Truster,
};
pub use rules::{RuleError, Rules};
pub use search::{Outcome, Search, Select, shown, substitute_chosen};
pub use ways_out::WaysOut;

#[cfg(test)]
mod tests;
