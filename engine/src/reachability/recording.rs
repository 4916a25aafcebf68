//! Edges for what the search has found: calls that work, and what applying a rule gives.

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::smallvec;

use super::derivations::{Decided, Edge, Level, Premises, Why};
use super::fact::{Fact, FactId};
use super::fixpoint::{Goal, Reachability, SetOf};
use crate::authorization::{Edit, Edits};
use crate::residual::Residual;
use crate::snapshot::{OUTSIDE, Object, ObjectId};
use crate::technique::{Binding, Gained, Outcome, may_do_everything};

impl Reachability<'_, '_> {
    pub(super) fn administrator(&mut self, variant: usize, residual: Residual) -> bool {
        let principal = self.variants.get(variant).map(|variant| variant.principal);
        let Some(account) = principal.and_then(|id| self.object(id)).map(|o| o.account) else {
            return false;
        };
        // Of an account of its own outside the snapshot.
        if account == OUTSIDE {
            return false;
        }
        self.conclude(variant, residual, Fact::Administrator(account), &[])
    }

    /// `conclusion <- acts(variant), premises` where the residual leaves a way.
    pub(super) fn conclude(
        &mut self,
        variant: usize,
        residual: Residual,
        conclusion: Fact,
        premises: &[FactId],
    ) -> bool {
        let Some((level, decided)) = self.search.level(&residual, &[]) else { return false };
        let acts = self.derivations.fact(Fact::Acts(variant));
        let conclusion = self.derivations.fact(conclusion);
        let mut all: Premises = smallvec![acts];
        all.extend_from_slice(premises);
        let why = Why::Calls(Arc::new(decided));
        self.derivations.add(Edge { premises: all, conclusion, level, steps: 0, why });
        true
    }

    /// Adds the edges of what a principal's calls can do.
    pub(super) fn record(&mut self, variant: usize, outcomes: Vec<Outcome>, premises: &[FactId]) {
        let acts = self.derivations.fact(Fact::Acts(variant));
        let mut alike: BTreeMap<(usize, Residual), Vec<Arc<Binding>>> = BTreeMap::new();
        for outcome in outcomes {
            if outcome.help.is_empty() && premises.is_empty() {
                alike.entry((outcome.rule, outcome.residual)).or_default().push(outcome.binding);
                continue;
            }
            let Some((level, decided)) = self.level_of(outcome.rule, &outcome.residual) else {
                continue;
            };
            let mut all: Premises = smallvec![acts];
            all.extend_from_slice(premises);
            for group in outcome.help.iter().copied() {
                let help = self.search.help_wanted(&outcome, group, &self.made);
                let help = self.ask_for_help(variant, help);
                all.push(self.derivations.fact(Fact::Helped(help)));
            }
            let done = self.done(outcome.rule, outcome.binding);
            let why = Why::Calls(Arc::new(decided));
            self.derivations.add(Edge { premises: all, conclusion: done, level, steps: 1, why });
        }
        for ((rule, residual), bindings) in alike {
            let Some((level, decided)) = self.level_of(rule, &residual) else { continue };
            let why = Why::Calls(Arc::new(decided));
            if let [binding] = bindings.as_slice() {
                let done = self.done(rule, binding.clone());
                let premises = smallvec![acts];
                self.derivations.add(Edge { premises, conclusion: done, level, steps: 1, why });
                continue;
            }
            let set = self.set(SetOf { rule, bindings });
            let premises = smallvec![acts];
            self.derivations.add(Edge { premises, conclusion: set, level, steps: 0, why });
        }
    }

    pub(super) fn level_of(&self, rule: usize, residual: &Residual) -> Option<(Level, Decided)> {
        let events = self.search.rules.rules.get(rule).map_or(&[][..], |rule| &rule.events);
        self.search.level(residual, events)
    }

    pub(super) fn set(&mut self, set: SetOf) -> FactId {
        if let Some(id) = self.set_ids.get(&set) {
            return self.derivations.fact(Fact::Set(*id));
        }
        let id = self.sets.len();
        let fact = self.derivations.fact(Fact::Set(id));
        for binding in &set.bindings {
            let done = self.done(set.rule, binding.clone());
            self.derivations.add(Edge {
                premises: smallvec![fact],
                conclusion: done,
                level: Level::Certain,
                steps: 1,
                why: Why::Implied,
            });
        }
        self.set_ids.insert(set.clone(), id);
        self.sets.push(set);
        fact
    }

    /// The fact that a rule has been applied, and from it what the rule gives.
    pub(super) fn done(&mut self, rule: usize, binding: Arc<Binding>) -> FactId {
        if let Some(id) = self.derivations.facts.find(&Fact::Done(rule, binding.clone())) {
            return id;
        }
        let id = self.derivations.fact(Fact::Done(rule, binding.clone()));
        for gain in self.search.gains(rule, &binding, &self.made) {
            for fact in self.facts_of(gain) {
                self.derivations.imply(vec![id], fact);
            }
        }
        id
    }

    /// The facts that a gain is.
    pub(super) fn facts_of(&mut self, gain: Gained) -> Vec<FactId> {
        let mut out = Vec::new();
        let fact = match gain {
            Gained::Holds(principal) => Fact::Holds(principal),
            Gained::Principal(object) => {
                let everything = may_do_everything(&object);
                let principal = self.make(*object);
                self.imply_ties(principal);
                if everything {
                    out.push(self.derivations.fact(Fact::Edited(Edit::InlinePolicy(principal))));
                }
                Fact::Holds(principal)
            }
            Gained::Edited(edit) => Fact::Edited(edit),
            Gained::Joinable(group) => Fact::Joinable(group),
            Gained::Delegated(delegation) => {
                let next = self.delegations.len();
                let at = *self.delegation_ids.entry(delegation.clone()).or_insert(next);
                if at == next {
                    self.delegations.push(delegation);
                }
                Fact::Delegated(at)
            }
            Gained::Made(object) => Fact::Exists(self.make(*object)),
            Gained::DomainAdministration(domain) => Fact::DomainAdministration(domain),
            Gained::IdentityProvider(account) => Fact::IdentityProvider(account),
        };
        out.push(self.derivations.fact(fact));
        out
    }

    /// An object of the snapshot, or one that the attacker has made.
    pub fn object(&self, id: ObjectId) -> Option<&Object> {
        self.search.ground.object(&self.made, id)
    }

    pub(super) fn make(&mut self, object: Object) -> ObjectId {
        let attributes: Vec<(Arc<str>, Arc<str>)> = object
            .attributes
            .iter()
            .flat_map(|(name, values)| {
                values.iter().flatten().map(|value| (name.clone(), value.clone()))
            })
            .collect();
        let next = self.search.ground.next_made(self.made.len());
        let id = *self
            .made_ids
            .entry((object.kind.clone(), object.arn.clone(), attributes))
            .or_insert(next);
        if id == next {
            self.made.push(object);
        }
        id
    }

    /// What a delegation is good for: the call asked for, and other techniques where the service
    /// makes calls that they take and is not limited to certain resources.
    pub(super) fn act_by_delegation(&mut self, at: usize, fact: FactId) {
        self.call_by_delegation(at, fact);
        let Some(delegation) = self.delegations.get(at).cloned() else { return };
        if !delegation.resources.is_empty() {
            return;
        }
        let mandate = match self.mandate_ids.get(&delegation.mandate) {
            Some(known) => *known,
            None => {
                let mandated = self.search.mandated(&delegation.mandate).map(Arc::new);
                self.mandates.push(mandated);
                self.mandate_ids.insert(delegation.mandate.clone(), self.mandates.len() - 1);
                self.mandates.len() - 1
            }
        };
        if self.mandates.get(mandate).is_some_and(Option::is_some) {
            self.act_as(delegation.role, fact, Some(mandate));
            self.mandated.entry(delegation.role).or_default().push((fact, mandate));
        }
    }

    /// The user or role that a fact lets the attacker make calls as, himself or by a service.
    pub fn principal_of(&self, fact: FactId) -> Option<ObjectId> {
        match self.derivations.facts.get(fact)? {
            Fact::Holds(principal) => Some(*principal),
            Fact::Delegated(at) => self.delegations.get(*at).map(|delegation| delegation.role),
            _ => None,
        }
    }

    fn call_by_delegation(&mut self, at: usize, fact: FactId) {
        let (Goal::Call(call), Some(delegation)) = (&self.goal, self.delegations.get(at)) else {
            return;
        };
        let residual = self.search.delegated_call(delegation, &self.made, &Edits::default(), call);
        let Some((level, decided)) = self.search.level(&residual, &[]) else { return };
        let conclusion = self.derivations.fact(Fact::Called);
        let why = Why::Calls(Arc::new(decided));
        self.derivations.add(Edge { premises: smallvec![fact], conclusion, level, steps: 0, why });
    }
}
