//! Resources that the attacker has changed: what whoever he acts as can do with them now.

use std::collections::BTreeSet;
use std::sync::Arc;

use rayon::prelude::*;
use roaring::RoaringBitmap;

use super::derivations::{Edge, Level, Premises, Why, less};
use super::fact::{Fact, FactId};
use super::fixpoint::{Change, Goal, Reachability, Trial};
use crate::authorization::{Edit, Edits, Tagged};
use crate::residual::Residual;
use crate::snapshot::ObjectId;
use crate::technique::{Actions, Outcome, Select};

impl Reachability<'_, '_> {
    /// Notes that these starts can make an edit of a resource: what of each resource a start can
    /// change is tried one by one and all together, by everybody that the start acts as.
    pub(super) fn note_change(&mut self, edit: Edit, starts: &RoaringBitmap) {
        let Some(resource) = edit.resource() else { return };
        if let Edit::Tag(_, key) | Edit::NoTag(_, key) = edit
            && !self.search.ground.tag_keys().asks(key, Tagged::Resource)
        {
            return;
        }
        for start in starts {
            let start = start as usize;
            let Some(having) = self.having.get_mut(start) else { continue };
            let edits = having.edits.entry(resource).or_default();
            if edits.insert(edit) {
                self.await_change(start, Change { resource, edits: vec![edit] });
                self.grown.insert((start, resource));
            }
        }
    }

    /// What a start can change of a resource is tried all together once nothing else is found.
    fn await_changes_together(&mut self) {
        let grown = std::mem::take(&mut self.grown);
        for (start, resource) in &grown {
            let edits = self.edits_of(*start, *resource);
            if edits.len() > 1 {
                let edits = together(*resource, edits.into_iter());
                self.await_change(*start, Change { resource: *resource, edits });
            }
        }
        // One call may be on a resource, the next on what is found through it.
        let starts: BTreeSet<usize> = grown.iter().map(|(start, _)| *start).collect();
        for start in starts {
            let Some(having) = self.having.get(start) else { continue };
            let resources: Vec<ObjectId> = having.edits.keys().copied().collect();
            for resource in resources {
                let search = self.search;
                let known = self.decided_with.entry(resource);
                let others = known.or_insert_with(|| search.decided_with(resource).into()).clone();
                let has_grown = |resource| grown.contains(&(start, resource));
                let mut edits = together(resource, self.edits_of(start, resource).into_iter());
                let own = edits.len();
                let mut grows = has_grown(resource);
                for other in others.iter().copied() {
                    let more = together(other, self.edits_of(start, other).into_iter());
                    grows |= !more.is_empty() && has_grown(other);
                    edits.extend(more);
                }
                if grows && edits.len() > own {
                    self.await_change(start, Change { resource, edits });
                }
            }
        }
    }

    /// What a start can change of a resource.
    fn edits_of(&self, start: usize, resource: ObjectId) -> Vec<Edit> {
        let having = self.having.get(start);
        let edits = having.and_then(|having| having.edits.get(&resource));
        edits.into_iter().flatten().copied().collect()
    }

    /// The position of a change.
    pub(super) fn change(&mut self, change: Change) -> usize {
        let next = self.changes.len();
        let id = *self.change_ids.entry(change.clone()).or_insert(next);
        if id == next {
            self.changes.push(change);
        }
        id
    }

    /// `done(rule, binding), called <- edited(resource), ..., acts(variant)`: each change of a
    /// resource by itself, and all of them together.
    ///
    /// - `busy`: whether something else has been found that comes first.
    pub(super) fn changed_resources(&mut self, level: Level, busy: bool) -> bool {
        self.act_abroad(level);
        if !busy {
            self.await_changes_together();
        }
        self.let_in_anyway.begin_round(level);
        let stopped = self.stopped();
        let mut wanted: Vec<(usize, usize, Vec<FactId>)> = Vec::new();
        for (variant, changes) in self.untried.take() {
            if !self.expanded.contains(&variant) {
                self.untried.add_all(variant, &changes);
                continue;
            }
            let changes = changes.into_iter();
            wanted.extend(changes.filter_map(|at| self.untried_part(variant, at as usize, busy)));
        }
        self.delegated_calls(&stopped);
        type Found = (usize, Vec<FactId>, Vec<Outcome>, Residual);
        let found: Vec<Found> = wanted
            .par_iter()
            .filter_map(|(at, change, premises)| {
                let change = self.changes.get(*change)?;
                let mut variant = self.variants.get(*at)?.clone();
                for edit in &change.edits {
                    variant.edits.apply(*edit);
                }
                variant.newly = self.newly_by(*at, change);
                let select = match self.stand_ins.partial.contains(at) {
                    true => Select::ChangedApart(change.resource),
                    false => Select::Changed(change.resource),
                };
                let (_, outcomes) = self.search.outcomes(&variant, &self.made, select);
                let called = match &self.goal {
                    Goal::Call(call) => {
                        self.search.goal_call_on(&variant, &self.made, call, change.resource)
                    }
                    _ => Residual::False,
                };
                Some((*at, premises.clone(), outcomes, called))
            })
            .collect();
        for (variant, premises, outcomes, called) in found {
            self.record(variant, outcomes, &premises);
            self.conclude(variant, called, Fact::Called, &premises);
        }
        !wanted.is_empty()
    }

    /// What of a change is to be tried with a variant, if it has not been: variant, change, and the
    /// facts that it takes.
    fn untried_part(
        &mut self,
        variant: usize,
        all: usize,
        busy: bool,
    ) -> Option<(usize, usize, Vec<FactId>)> {
        let change = self.changes.get(all).cloned()?;
        // What makes no difference to this one is left out: less has been tried, or will be.
        let edits = change.edits.iter().copied();
        let edits: Vec<Edit> = edits.filter(|edit| self.helps(variant, &change, *edit)).collect();
        if edits.is_empty() {
            return None;
        }
        let change = Change { edits, ..change };
        let at = self.change(change.clone());
        // Where he administers the resource's account as well, what others get there by its policy
        // is mostly had by then: last.
        if busy && self.is_administered_elsewhere(variant, &change) {
            self.untried.insert(variant, all);
            return None;
        }
        // Who has somebody standing in for him today need not have tomorrow: what does not help
        // now is not crossed off.
        let trial = match self.stand_ins.partial.contains(&variant) {
            true => Trial::ChangedApart(at),
            false => Trial::Changed(at),
        };
        if !self.tried.insert((variant, trial)) {
            return None;
        }
        let premises = change.edits.iter().map(|edit| self.derivations.fact(Fact::Edited(*edit)));
        Some((variant, at, premises.collect()))
    }

    /// `called <- edited(resource), ..., delegated(delegation)`: a service makes the call that the
    /// question asks for, on a changed resource.
    fn delegated_calls(&mut self, stopped: &RoaringBitmap) {
        let Goal::Call(call) = self.goal.clone() else { return };
        for at in 0..self.changes.len() {
            let Some(change) = self.changes.get(at).cloned() else { continue };
            if !self.is_of_goal(change.resource) {
                continue;
            }
            for delegation in 0..self.delegations.len() {
                let mut premises: Vec<FactId> = change
                    .edits
                    .iter()
                    .map(|edit| self.derivations.fact(Fact::Edited(*edit)))
                    .collect();
                premises.push(self.derivations.fact(Fact::Delegated(delegation)));
                if less(&self.derivations.common(&premises), stopped).is_empty()
                    || !self.tried.insert((delegation, Trial::ChangedForService(at)))
                {
                    continue;
                }
                let Some(delegation) = self.delegations.get(delegation) else { continue };
                let edits = Edits::of(change.edits.iter().copied());
                let residual = self.search.delegated_call(delegation, &self.made, &edits, &call);
                let Some((level, decided)) = self.search.level(&residual, &[]) else { continue };
                let conclusion = self.derivations.fact(Fact::Called);
                let why = Why::Calls(Arc::new(decided));
                let premises = Premises::from_slice(&premises);
                self.derivations.add(Edge { premises, conclusion, level, steps: 0, why });
            }
        }
    }

    /// Whether a change can make a difference to what a principal may do: a tag only where some
    /// policy asks for it.
    fn helps(&mut self, variant: usize, change: &Change, edit: Edit) -> bool {
        match &edit {
            Edit::Tag(resource, key) | Edit::NoTag(resource, key) => {
                let by = self.variants.get(variant).map(|variant| variant.principal);
                if by.is_some_and(|by| !self.search.may_change(by, *resource, &self.made)) {
                    return false;
                }
                let Some(variant_of) = self.variants.get(variant) else { return false };
                let search = self.search;
                // What its stand-in is allowed, its own policies cannot add to.
                let of_caller = !self.stand_ins.partial.contains(&variant) && {
                    let unconditional = self.stand_ins.is_unconditional(variant);
                    self.tags_asked
                        .entry(variant)
                        .or_insert_with(|| search.tags_asked(variant_of, unconditional))
                        .contains_key(key)
                };
                // Both are looked at: what is asked for whom says which rules are tried.
                let of_resource = self
                    .tags_asked_by_resource
                    .entry(*resource)
                    .or_insert_with(|| search.tags_asked_by_resource(*resource))
                    .contains_key(key);
                of_caller || of_resource
            }
            Edit::ResourcePolicy(resource)
            | Edit::NoResourcePolicy(resource)
            | Edit::ResourceGrant(resource, _) => self.policy_helps(variant, change, *resource),
            // What its stand-in can do without the device it need not do as well.
            Edit::NoMfaDevice(_) if self.stand_ins.partial.contains(&variant) => false,
            Edit::NoMfaDevice(user) => {
                let by = self.variants.get(variant).map(|variant| variant.principal);
                let actions = self.expanded_actions.get(&variant);
                by.is_none_or(|by| self.search.may_change(by, *user, &self.made))
                    && actions
                        .is_some_and(|actions| !self.search.good_without_mfa(actions).is_empty())
            }
            _ => true,
        }
    }

    /// The actions that a change newly allows a variant at most, as far as that is known.
    fn newly_by(&self, variant: usize, change: &Change) -> Option<Actions> {
        if matches!(change.edits.as_slice(), [Edit::NoMfaDevice(_)]) {
            let actions = self.expanded_actions.get(&variant)?;
            return Some(self.search.good_without_mfa(actions));
        }
        let of_caller = self.tags_asked.get(&variant);
        let mut out = Actions::default();
        for edit in &change.edits {
            let (Edit::Tag(of, key) | Edit::NoTag(of, key)) = edit else { return None };
            let of_resource = self.tags_asked_by_resource.get(of);
            let asked = [of_caller, of_resource].into_iter().flatten();
            asked.filter_map(|asked| asked.get(key)).for_each(|actions| out.extend(actions));
        }
        Some(out)
    }

    /// Whether the call that is asked for can be decided by a resource's own policy.
    pub(super) fn is_of_goal(&self, resource: ObjectId) -> bool {
        self.search.goal_objects.contains(resource.0)
    }

    /// Whether another policy of a resource can make a difference to what a principal may do.
    fn policy_helps(&mut self, variant: usize, change: &Change, resource: ObjectId) -> bool {
        if self.gains_nothing_let_in(variant, change, resource) {
            return false;
        }
        let by = self.variants.get(variant).and_then(|variant| self.object(variant.principal));
        let Some((by, of)) = by.zip(self.object(resource)) else { return true };
        // A policy that lets in whom the attacker wants lets in its stand-in.
        if self.stand_ins.partial.contains(&variant) {
            return false;
        }
        if by.account == of.account {
            return !self.stand_ins.is_unconditional(variant)
                || self.search.holds_back_administrators(resource);
        }
        let is_goal = self.is_of_goal(resource);
        let actions = self.expanded_actions.get(&variant);
        let able = actions.is_none_or(|actions| self.search.may_be_governed(&of.kind, actions));
        is_goal || by.symbolic().is_some() || (able && !self.all_held(variant, change))
    }

    /// Whether a change is of the policy of a resource of another account that all who act as the
    /// variant and can make the change administer.
    fn is_administered_elsewhere(&self, variant: usize, change: &Change) -> bool {
        let by = self.variants.get(variant).and_then(|variant| self.object(variant.principal));
        let Some((by, of)) = by.zip(self.object(change.resource)) else { return false };
        by.account != of.account
            && self
                .stand_ins
                .administering(of.account)
                .is_some_and(|certain| self.both(variant, change).is_subset(certain))
    }

    /// The starts that are followed, act as a variant and can make a change.
    pub(super) fn both(&self, variant: usize, change: &Change) -> RoaringBitmap {
        let facts = change.edits.iter().map(|edit| Fact::Edited(*edit));
        let facts: Option<Vec<FactId>> = facts
            .chain([Fact::Acts(variant)])
            .map(|fact| self.derivations.facts.find(&fact))
            .collect();
        facts.map_or_else(RoaringBitmap::new, |facts| {
            self.followed(&self.derivations.common(&facts))
        })
    }

    /// Whether all who act as a variant and can make a change administer the resource's account and
    /// hold already whatever being let in by its policy could give them.
    fn all_held(&self, variant: usize, change: &Change) -> bool {
        let account = self.object(change.resource).map(|object| object.account);
        let certain = account.and_then(|account| self.stand_ins.administering(account));
        let starts = self.both(variant, change);
        if !certain.is_some_and(|certain| starts.is_subset(certain)) {
            return false;
        }
        let by = self.variants.get(variant).and_then(|variant| self.object(variant.principal));
        let found = by.and_then(|by| self.search.found_through(change.resource, by, &self.made));
        found.is_some_and(|found| {
            found.into_iter().all(|principal| {
                let holds = self.derivations.facts.find(&Fact::Holds(principal));
                let held = holds.and_then(|holds| self.derivations.starts(holds));
                held.is_some_and(|held| starts.is_subset(held))
            })
        })
    }
}

/// The edits of a resource that make sense together: the stronger of two about one thing.
fn together(resource: ObjectId, edits: impl Iterator<Item = Edit> + Clone) -> Vec<Edit> {
    let written = edits.clone().any(|edit| edit == Edit::ResourcePolicy(resource));
    let set = |key| edits.clone().any(|edit| edit == Edit::Tag(resource, key));
    edits
        .clone()
        .filter(|edit| match edit {
            Edit::NoResourcePolicy(_) | Edit::ResourceGrant(..) => !written,
            Edit::NoTag(_, key) => !set(*key),
            _ => true,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorization::{Granted, TagKey};

    const RESOURCE: ObjectId = ObjectId(1);

    fn check(edits: &[Edit], expected: &[Edit]) {
        assert_eq!(together(RESOURCE, edits.iter().copied()), expected, "{edits:?}");
    }

    #[test]
    fn a_policy_of_the_attackers_makes_grants_and_deletion_superfluous() {
        let written = Edit::ResourcePolicy(RESOURCE);
        let deleted = Edit::NoResourcePolicy(RESOURCE);
        let granted = Edit::ResourceGrant(RESOURCE, Granted(0));
        check(&[written, deleted, granted], &[written]);
        check(&[deleted, granted], &[deleted, granted]);
    }

    #[test]
    fn a_tag_is_either_set_or_gone() {
        let set = Edit::Tag(RESOURCE, TagKey(0));
        let gone = Edit::NoTag(RESOURCE, TagKey(0));
        let other = Edit::NoTag(RESOURCE, TagKey(1));
        check(&[set, gone, other], &[set, other]);
    }
}
