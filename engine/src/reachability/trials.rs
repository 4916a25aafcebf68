//! What is tried only once something else is there: a principal held, an object made, help asked for,
//! a trust policy written, a group open.

use std::collections::BTreeMap;

use rayon::prelude::*;
use roaring::{MultiOps, RoaringBitmap};

use super::derivations::Level;
use super::fact::{Fact, FactId};
use super::fixpoint::{Goal, Inside, Reachability, Trial, Variant};
use crate::authorization::Edit;
use crate::residual::Residual;
use crate::snapshot::{Object, ObjectId};
use crate::technique::{Outcome, Select};

/// Who is let in by a trust policy that the attacker writes, in the order in which it is tried: most
/// starts can be let in as themselves, or else as somebody in the role's account.
#[derive(Clone, Copy, Debug)]
enum Whom {
    Itself,
    Beside,
    Anyone,
}

impl Reachability<'_, '_> {
    /// `edited(edit of principal) <- acts(variant)`, for principals that some start holds as well.
    pub(super) fn changed_principals(&mut self) -> bool {
        let mut wanted: BTreeMap<usize, RoaringBitmap> = BTreeMap::new();
        for (variant, principals) in std::mem::take(&mut self.together) {
            if !self.expanded_actions.contains_key(&variant) {
                // Not decided yet what it can do: later.
                self.together.insert(variant, principals);
                continue;
            }
            if !self.editors.contains(&variant) {
                continue;
            }
            let by = self.variants.get(variant).map(|variant| variant.principal);
            for principal in principals.iter().map(ObjectId) {
                let near = by.is_none_or(|by| self.search.may_change(by, principal, &self.made));
                if near && self.tried.insert((variant, Trial::Holder(principal))) {
                    wanted.entry(variant).or_default().insert(principal.0);
                }
            }
        }
        let found: Vec<(usize, Vec<Outcome>)> = wanted
            .par_iter()
            .filter_map(|(at, principals)| {
                let variant = self.variants.get(*at)?;
                let select = Select::Holders(principals);
                Some((*at, self.search.outcomes(variant, &self.made, select).1))
            })
            .collect();
        for (variant, outcomes) in found {
            let mut by_made: BTreeMap<Option<ObjectId>, Vec<Outcome>> = BTreeMap::new();
            for outcome in outcomes {
                by_made.entry(self.made_in(&outcome)).or_default().push(outcome);
            }
            for (made, outcomes) in by_made {
                // Who is made has to be there.
                let there = made.map(|made| self.derivations.fact(Fact::Holds(made)));
                self.record(variant, outcomes, there.as_slice());
            }
        }
        !wanted.is_empty()
    }

    /// The principal that the attacker has made of those that an outcome is about.
    fn made_in(&self, outcome: &Outcome) -> Option<ObjectId> {
        let first_made = self.search.ground.next_made(0);
        let is_made = |id: &&ObjectId| **id >= first_made && id.0 != u32::MAX;
        outcome.binding.objects.iter().find(is_made).copied()
    }

    /// Objects that the attacker has made are tried by everyone he acts as.
    pub(super) fn made_objects(&mut self) -> bool {
        let mut wanted = Vec::new();
        // Inside a domain that is administered, also where its access policy has been written.
        let written = |domain: &ObjectId| {
            let edit = Edit::ResourcePolicy(*domain);
            self.derivations.facts.find(&Fact::Edited(edit)).is_some().then_some(edit)
        };
        let inside = self.administered.iter().flat_map(|domain| {
            let written = written(domain).map(|edit| Some((*domain, Some(edit))));
            std::iter::once(Some((*domain, None))).chain(written)
        });
        let within: Vec<Option<Inside>> = std::iter::once(None).chain(inside).collect();
        for object in &self.existing {
            let abroad =
                self.object(*object).is_some_and(|made| self.search.may_be_used_abroad(made));
            for domain in &within {
                let from = self.tried_made.entry((*object, *domain)).or_default();
                let new = self.in_order.get(*from..).unwrap_or_default();
                *from = self.in_order.len();
                let Some(of) = self.object(*object) else { continue };
                // What he has made lets in a stand-in as well as whom it stands in for.
                let new = new.iter().filter(|at| !self.stand_ins.partial.contains(*at));
                for variant in new {
                    let able = self.variants.get(*variant).zip(self.expanded_actions.get(variant));
                    if able.is_some_and(|(variant, actions)| {
                        (abroad || self.is_beside(variant, of))
                            && self.search.may_use(variant, actions, &of.kind)
                    }) {
                        wanted.push((*variant, *object, *domain));
                    }
                }
            }
        }
        for (at, object, domain) in &wanted {
            let Some(variant) = self.variants.get(*at) else { continue };
            let select = Select::Only(*object, domain.map(|(domain, _)| domain));
            let mut variant = variant.clone();
            let mut premises = vec![self.derivations.fact(Fact::Exists(*object))];
            if let Some((domain, written)) = domain {
                premises.push(self.derivations.fact(Fact::DomainAdministration(*domain)));
                if let Some(edit) = written {
                    variant.edits.apply(*edit);
                    premises.push(self.derivations.fact(Fact::Edited(*edit)));
                }
            }
            let (_, outcomes) = self.search.outcomes(&variant, &self.made, select);
            self.record(*at, outcomes, &premises);
        }
        !wanted.is_empty()
    }

    /// Whether an object that the attacker has made is within reach of a variant though nothing has a
    /// policy of its own that is used together with it.
    fn is_beside(&self, variant: &Variant, made: &Object) -> bool {
        let by = self.object(variant.principal);
        by.is_none_or(|by| by.symbolic().is_some() || by.account == made.account)
    }

    /// Whoever administers a domain from inside may do everything in it, as whomever he acts as that
    /// the domain lets in.
    pub(super) fn domain_administrators(&mut self) -> bool {
        let mut wanted = Vec::new();
        for domain in &self.administered {
            let fact = self.derivations.facts.find(&Fact::DomainAdministration(*domain));
            let starts = fact.and_then(|fact| self.derivations.starts(fact));
            let let_in = self.search.whom_lets_in(*domain, &self.made);
            let starts = starts.map(|starts| self.followed(starts)).unwrap_or_default();
            let having = starts.iter().filter_map(|start| self.having.get(start as usize));
            let able = having.map(|having| having.let_in(&let_in)).union();
            for variant in able.into_iter().map(|variant| variant as usize) {
                if self.has_been_tried_whole(variant)
                    && self.tried.insert((variant, Trial::Domain(*domain)))
                {
                    wanted.push((variant, *domain));
                }
            }
        }
        for (at, domain) in &wanted {
            let Some(variant) = self.variants.get(*at) else { continue };
            let (_, outcomes) =
                self.search.outcomes(variant, &self.made, Select::Administered(*domain));
            let called = match &self.goal {
                Goal::Call(call) => {
                    self.search.goal_call_inside(variant, &self.made, call, *domain)
                }
                _ => Residual::False,
            };
            let fact = self.derivations.fact(Fact::DomainAdministration(*domain));
            self.record(*at, outcomes, &[fact]);
            self.conclude(*at, called, Fact::Called, &[fact]);
        }
        !wanted.is_empty()
    }

    /// Whether it is decided what a variant can do by itself, not only beside a stand-in.
    fn has_been_tried_whole(&self, variant: usize) -> bool {
        self.expanded.contains(&variant) && !self.stand_ins.partial.contains(&variant)
    }

    /// `done(assume-role, role) <- edited(trust-policy(role)), acts(variant)`: anyone the attacker
    /// holds can be let in; for each start one that works is enough.
    pub(super) fn rewritten_trust(&mut self, level: Level) -> bool {
        let mut busy = false;
        for role in self.trusting.clone() {
            let (edited, mut open) = self.in_need_of(role);
            for whom in [Whom::Itself, Whom::Beside, Whom::Anyone] {
                for at in self.whom_to_let_in(&open, role, whom) {
                    if open.is_empty() {
                        break;
                    }
                    let acts = self.derivations.fact(Fact::Acts(at));
                    if self.derivations.starts(acts).is_none_or(|starts| starts.is_disjoint(&open))
                    {
                        continue;
                    }
                    let starts = self.derivations.common(&[acts]) & &open;
                    if self.tried.insert((at, Trial::Trusting(role))) {
                        let Some(variant) = self.variants.get(at).cloned() else { continue };
                        let (_, outcomes) =
                            self.search.outcomes(&variant, &self.made, Select::Trusting(role));
                        self.record(at, outcomes, &[edited]);
                        busy = true;
                    }
                    if self.assumes(at, role, edited, level) {
                        open -= starts;
                    }
                }
            }
        }
        busy
    }

    /// `holds(role) <- edited(trust-policy(role)), identity-provider(account(role))`: for starts that
    /// nothing lets in themselves, which is the shorter way.
    pub(super) fn roles_for_tokens(&mut self) -> bool {
        let mut busy = false;
        for role in self.trusting.clone() {
            let Some(account) = self.object(role).map(|object| object.account) else { continue };
            let provider = Fact::IdentityProvider(account);
            let Some(provider) = self.derivations.facts.find(&provider) else { continue };
            let (edited, open) = self.in_need_of(role);
            let have = self.derivations.starts(provider);
            if have.is_some_and(|have| !have.is_disjoint(&open)) && self.let_in_tokens.insert(role)
            {
                let holds = self.derivations.fact(Fact::Holds(role));
                self.derivations.imply(vec![edited, provider], holds);
                busy = true;
            }
        }
        busy
    }

    /// `done(rule, role) <- edited(trust-policy(role)), acts(variant)`: a service that the written
    /// policy lets in assumes the role for whoever passes it, or changes what runs as it; for starts
    /// that nothing lets in themselves.
    pub(super) fn roles_for_services(&mut self) -> bool {
        let mut wanted = Vec::new();
        for role in self.trusting.clone() {
            let (edited, open) = self.in_need_of(role);
            for at in self.whom_to_let_in(&open, role, Whom::Beside) {
                let acts = self.derivations.fact(Fact::Acts(at));
                let starts = self.derivations.starts(acts);
                if starts.is_some_and(|starts| !starts.is_disjoint(&open))
                    && self.tried.insert((at, Trial::Serving(role)))
                {
                    wanted.push((at, role, edited));
                }
            }
        }
        let found: Vec<(usize, FactId, Vec<Outcome>)> = wanted
            .par_iter()
            .filter_map(|(at, role, edited)| {
                let variant = self.variants.get(*at)?;
                let select = Select::Serving(*role);
                Some((*at, *edited, self.search.outcomes(variant, &self.made, select).1))
            })
            .collect();
        for (variant, edited, outcomes) in found {
            self.record(variant, outcomes, &[edited]);
        }
        !wanted.is_empty()
    }

    /// That a role's trust policy has been written, and the starts that can do so and do not hold
    /// the role.
    fn in_need_of(&mut self, role: ObjectId) -> (FactId, RoaringBitmap) {
        let edited = self.derivations.fact(Fact::Edited(Edit::TrustPolicy(role)));
        let holds = self.derivations.fact(Fact::Holds(role));
        let mut open = self.followed(&self.derivations.common(&[edited]));
        if let Some(have) = self.derivations.starts(holds) {
            open -= have;
        }
        (edited, open)
    }

    /// Variants that starts act as and that can be named in a role's trust policy, in order.
    fn whom_to_let_in(&self, starts: &RoaringBitmap, role: ObjectId, whom: Whom) -> Vec<usize> {
        let account = match whom {
            Whom::Itself => return self.variants_of_starts(starts),
            Whom::Beside => self.object(role).map(|object| object.account),
            Whom::Anyone => None,
        };
        let having = starts.iter().filter_map(|start| self.having.get(start as usize));
        let acted = having.filter_map(|having| having.acted_of(account)).union();
        let acted = acted.into_iter().map(|variant| variant as usize);
        acted.filter(|variant| self.has_been_tried_whole(*variant)).collect()
    }

    /// What starts act as from the beginning.
    fn variants_of_starts(&self, starts: &RoaringBitmap) -> Vec<usize> {
        let starts = starts.iter().filter_map(|start| self.starts.get(start as usize));
        let variant = |principal: &ObjectId| {
            let class = self.search.class_of(*principal).representative;
            self.variant_ids.get(&(class, Vec::new(), false, None)).copied()
        };
        starts.flat_map(|start| &start.holds).filter_map(variant).collect()
    }

    /// Whether an edge from acting as the variant and the edited trust policy is there.
    pub(super) fn assumes(
        &self,
        variant: usize,
        role: ObjectId,
        edited: FactId,
        level: Level,
    ) -> bool {
        self.derivations.needing(edited).iter().any(|id| {
            self.derivations.edge(*id).is_some_and(|edge| {
                let acts = self.derivations.facts.find(&Fact::Acts(variant));
                let gives = match self.derivations.facts.get(edge.conclusion) {
                    Some(Fact::Done(_, binding)) => binding.objects.contains(&role),
                    _ => false,
                };
                edge.level <= level
                    && gives
                    && acts.is_some_and(|acts| edge.premises.contains(&acts))
            })
        })
    }

    /// `edited(member(user, group)) <- joinable(group)`, for the users that somebody who may add
    /// members acts as: adding anybody else gives nothing.
    pub(super) fn join_groups(&mut self) -> bool {
        let mut wanted = Vec::new();
        for group in &self.joinable {
            let Some(joinable) = self.derivations.facts.find(&Fact::Joinable(*group)) else {
                continue;
            };
            for user in self.search.users_beside(*group) {
                let Some(holds) = self.derivations.facts.find(&Fact::Holds(*user)) else {
                    continue;
                };
                let starts = self.followed(&self.derivations.common(&[joinable, holds]));
                let member = Fact::Edited(Edit::Member(*user, *group));
                if !starts.is_empty() && self.derivations.facts.find(&member).is_none() {
                    wanted.push((joinable, member));
                }
            }
        }
        for (joinable, member) in &wanted {
            let member = self.derivations.fact(member.clone());
            self.derivations.imply(vec![*joinable], member);
        }
        !wanted.is_empty()
    }
}
