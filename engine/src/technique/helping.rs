//! Calls that somebody else has to make: what is left of a further group's calls for whoever could.

use foldhash::HashMap;
use std::sync::{Arc, RwLock};

use super::actions::Actions;
use super::actor::Actor;
use super::binding::Reader;
use super::rule::{Rule, RuleCall};
use super::same_say::SayId;
use super::search::{Outcome, Search};
use crate::authorization::{Edits, governs};
use crate::reachability::{Help, Variant};
use crate::residual::{Residual, Variable, VariableKind};
use crate::snapshot::{Object, ObjectId};

/// The number of a help that callers of whom the same is said can give alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HelpNumber(u32);

/// A help, and what is said about its calls.
type HelpKey = (HelpNumber, Arc<[SayId]>);

/// What of help is known for callers of whom policies say the same.
#[derive(Debug, Default)]
pub(super) struct SharedHelp {
    numbers: RwLock<HashMap<Help, HelpNumber>>,
    known: RwLock<HashMap<HelpKey, Residual>>,
}

impl Search<'_> {
    /// The help that an outcome needs for one of its groups: only what the group's calls mention is
    /// kept of the binding, so that it is asked for once.
    pub fn help_wanted(&self, outcome: &Outcome, group: usize, made: &[Object]) -> Help {
        let edits = Edits::default();
        let mut binding = (*outcome.binding).clone();
        let mut residual = outcome.residual.clone();
        if let Some(rule) = self.rules.rules.get(outcome.rule) {
            residual = without_names_of_others(&residual, rule, group);
            let reader = Reader { view: self.view(&edits, made), kinds: self.kinds, rule };
            binding.region = reader.region(&outcome.binding).into();
            for (slot, object) in binding.objects.iter_mut().enumerate() {
                if !rule.calls_of(group).any(|call| call.names(slot)) {
                    *object = ObjectId(u32::MAX);
                }
            }
        }
        Help { rule: outcome.rule, group, binding: Arc::new(binding), residual }
    }

    /// The actions that the calls of a further group need.
    pub fn actions_needed(&self, rule: usize, group: usize) -> Actions {
        let mut out = Actions::default();
        let Some(rule) = self.rules.rules.get(rule) else { return out };
        rule.calls_of(group).for_each(|call| out.insert(call.action_bit));
        out
    }

    /// The number of a help, the same in all closures. `None` of one that is about something that
    /// the attacker makes: that is something else in each.
    pub fn help_number(&self, help: &Help) -> Option<HelpNumber> {
        let first_made = self.ground.next_made(0);
        if help.binding.objects.iter().any(|id| *id >= first_made && id.0 != u32::MAX) {
            return None;
        }
        let numbers = &self.shared_help.numbers;
        if let Some(known) = numbers.read().ok()?.get(help) {
            return Some(*known);
        }
        let mut numbers = numbers.write().ok()?;
        let next = HelpNumber(u32::try_from(numbers.len()).ok()?);
        Some(*numbers.entry(help.clone()).or_insert(next))
    }

    /// What is left of the authorization of further groups' calls when the principal of a variant
    /// makes them, together with what the first groups left open; for each help, in order.
    ///
    /// - `wanted`: helps with their numbers, those of one group side by side.
    pub fn help(
        &self,
        variant: &Variant,
        made: &[Object],
        wanted: &[(Option<HelpNumber>, &Help)],
    ) -> Vec<Residual> {
        let view = self.view(&variant.edits, made);
        let Some(mut actor) = Actor::new(self, view, variant.principal) else {
            return vec![Residual::False; wanted.len()];
        };
        actor = actor.by(variant.mandated.as_deref());
        let mut out = Vec::with_capacity(wanted.len());
        let same_group =
            |a: &(_, &Help), b: &(_, &Help)| (a.1.rule, a.1.group) == (b.1.rule, b.1.group);
        for helps in wanted.chunk_by(same_group) {
            let first = helps.first().map_or((0, 0), |(_, help)| (help.rule, help.group));
            match self.rules.rules.get(first.0) {
                Some(rule) => actor.help(rule, first.1, helps, &mut out),
                None => out.extend(helps.iter().map(|_| Residual::False)),
            }
        }
        out
    }
}

/// What the first group's calls leave open, without what is only about names of new resources that
/// have no part in a group's calls: whoever makes these may be whoever, whatever the names are.
fn without_names_of_others(residual: &Residual, rule: &Rule, group: usize) -> Residual {
    let used = |at: usize| {
        let named_after = rule.new.iter().filter_map(|new| new.named.as_ref());
        rule.calls_of(group).any(|call| call.names_new(at))
            || named_after.into_iter().any(|name| name.names_new(at))
    };
    let foreign: Vec<&str> = rule
        .new
        .iter()
        .enumerate()
        .filter(|(at, _)| !used(*at))
        .map(|(_, new)| &*new.name)
        .collect();
    let is_foreign = |part: &Residual| {
        let name = |of: &Variable| {
            of.kind == VariableKind::Chosen && of.scope.is_empty() && foreign.contains(&&*of.name)
        };
        part.is_decided() && part.variables().iter().all(name)
    };
    match residual {
        _ if foreign.is_empty() => residual.clone(),
        Residual::All(parts) => {
            Residual::all(parts.iter().filter(|part| !is_foreign(part)).cloned())
        }
        part if !part.is_false() && is_foreign(part) => Residual::True,
        _ => residual.clone(),
    }
}

impl Actor<'_, '_> {
    /// What is left of the calls of helps with one group of a rule, decided once for all callers of
    /// whom the same is said about them.
    fn help(
        &self,
        rule: &Rule,
        group: usize,
        wanted: &[(Option<HelpNumber>, &Help)],
        out: &mut Vec<Residual>,
    ) {
        let says = || -> Option<Arc<[SayId]>> {
            let alike = |call: &RuleCall| call.binds_caller_alike().then(|| self.say(call))?;
            rule.calls_of(group).map(alike).collect()
        };
        let arn = self.caller_arn().filter(|_| self.is_as_others());
        let says = arn.and_then(|_| says());
        let index = &self.search.index;
        let named = arn.is_some_and(|arn| index.is_named(arn));
        for (number, help) in wanted {
            let governed = rule.calls_of(group).any(|call| {
                let mut objects =
                    call.mentioned.iter().filter_map(|slot| help.binding.objects.get(*slot));
                objects.any(|id| {
                    let tells_apart = named || index.special().contains(id.0);
                    tells_apart
                        && self
                            .view
                            .object(*id)
                            .is_none_or(|object| governs(&object.kind, &call.action_lowercase))
                })
            });
            let key = number.filter(|_| !governed).zip(says.clone());
            let shared = &self.search.shared_help.known;
            if let Some(key) = &key
                && let Some(known) = shared.read().ok().and_then(|known| known.get(key).cloned())
            {
                out.push(known);
                continue;
            }
            let mut residual = help.residual.clone();
            for call in rule.calls_of(group) {
                residual = residual.and(self.call(rule, call, &help.binding));
                if residual.is_false() {
                    break;
                }
            }
            let not_taken = self.search.names_not_taken(&self.view, rule, &help.binding, &residual);
            let residual = residual.and(not_taken);
            if let Some(key) = key
                && let Ok(mut known) = shared.write()
            {
                known.insert(key, residual.clone());
            }
            out.push(residual);
        }
    }
}
