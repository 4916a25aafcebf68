//! Resources that the attacker has changed: what whoever he acts as can do with them now.

use rayon::prelude::*;

use super::derivations::Level;
use super::fact::{Fact, FactId};
use super::fixpoint::{Change, Goal, Reachability, Trial, Variant};
use crate::authorization::{Edit, Tagged};
use crate::residual::Residual;
use crate::snapshot::ObjectId;
use crate::technique::{Outcome, Select};

impl Reachability<'_, '_> {
    /// `done(rule, binding), called <- edited(resource), ..., acts(variant)`: each change of a
    /// resource by itself, and all of them together.
    pub(super) fn changed_resources(&mut self, level: Level) -> bool {
        self.list_changes();
        let stopped = self.stopped(level);
        let mut wanted: Vec<(usize, usize, Vec<FactId>)> = Vec::new();
        for at in 0..self.changes.len() {
            let Some(change) = self.changes.get(at).cloned() else { continue };
            let premises: Vec<FactId> = change
                .edits
                .iter()
                .map(|edit| self.derivations.fact(Fact::Edited(*edit)))
                .collect();
            let able = self.derivations.common(&premises) - &stopped;
            if able.is_empty() {
                continue;
            }
            for variant in self.expanded.iter().copied().collect::<Vec<usize>>() {
                if self.tried.contains(&(variant, Trial::Changed(at))) {
                    continue;
                }
                let acts = self.derivations.fact(Fact::Acts(variant));
                if self.derivations.starts(acts).is_none_or(|starts| starts.is_disjoint(&able)) {
                    continue;
                }
                self.tried.insert((variant, Trial::Changed(at)));
                let useful =
                    self.variants.get(variant).is_some_and(|variant| self.helps(variant, &change));
                if useful {
                    wanted.push((variant, at, premises.clone()));
                }
            }
        }
        type Found = (usize, Vec<FactId>, Vec<Outcome>, Residual);
        let found: Vec<Found> = wanted
            .par_iter()
            .filter_map(|(at, change, premises)| {
                let change = self.changes.get(*change)?;
                let mut variant = self.variants.get(*at)?.clone();
                for edit in &change.edits {
                    variant.edits.apply(*edit);
                }
                variant.newly = None;
                let select = Select::Changed(change.resource);
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

    /// Whether a change can make a difference to what a principal may do. Another policy of a
    /// resource may always; a tag only where some policy asks for it.
    fn helps(&self, variant: &Variant, change: &Change) -> bool {
        change.edits.iter().any(|edit| match edit {
            Edit::Tag(resource, key) | Edit::NoTag(resource, key) => {
                self.search.asks(variant, &self.made, *resource, *key, Tagged::Resource)
            }
            _ => true,
        })
    }

    /// Notes the combinations of edits of each resource that are worth trying.
    fn list_changes(&mut self) {
        let mut all: Vec<Change> = Vec::new();
        for (resource, edits) in &self.changed {
            let resource = *resource;
            all.extend(edits.iter().map(|edit| Change { resource, edits: vec![*edit] }));
            if edits.len() > 1 {
                let edits = together(resource, edits.iter().copied());
                all.push(Change { resource, edits });
            }
        }
        for change in all {
            if !self.changes.contains(&change) {
                self.changes.push(change);
            }
        }
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
