//! One rule tried over every object that its slots can be.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::application::{Application, Hand, Seek, Trials, Visit, Way, call_residual};
use super::changes::{TooMany, subjects, together};
use super::had::Had;
use crate::authorization::{Caller, Edit, Edits, stands_for_key};
use crate::residual::Residual;
use crate::snapshot::{AccountIndex, ObjectId, OwnPolicy};
use crate::technique::{
    Actor, Binding, Expression, Part, Reader, Rule, RuleGain, Slot, Text, Truster, arn_of,
    is_of_organization,
};

/// One rule tried for one hand.
pub(super) struct Walk<'t, 's, 'w, 'f> {
    pub(super) trials: &'t Trials<'s, 'w>,
    pub(super) hand: &'t Hand,
    pub(super) at: usize,
    pub(super) rule: &'t Rule,
    /// What the hand's own permissions hang on: edits of these are in force already.
    pub(super) about: &'t BTreeSet<ObjectId>,
    /// How many slots have to be bound until all that the rule gives is settled.
    pub(super) gained_at: usize,
    pub(super) visit: &'f mut dyn Visit,
}

impl<'w> Walk<'_, '_, 'w, '_> {
    /// Tries the rule in every region that its new resources can be made in.
    pub(super) fn places(
        &mut self,
        actor: &Actor<'_, 'w>,
        edits: &[Edit],
        condition: Residual,
    ) -> Result<(), TooMany> {
        let Some(account) = actor.view.object(actor.principal).map(|object| object.account) else {
            return Ok(());
        };
        for region in self.trials.search.regions_for(actor, account, self.rule) {
            for name in self.trials.search.names_for(self.rule, account) {
                let region = region.clone();
                let binding = Binding { objects: Vec::new(), account, region, name };
                self.slot(actor, edits, binding, condition.clone())?;
            }
        }
        Ok(())
    }

    /// Binds the next slot to every object that it can be, or finishes.
    fn slot(
        &mut self,
        actor: &Actor<'_, 'w>,
        edits: &[Edit],
        binding: Binding,
        so_far: Residual,
    ) -> Result<(), TooMany> {
        let bound = binding.objects.len();
        if self.is_had(&binding) {
            return Ok(());
        }
        let mut so_far = so_far;
        if self.trials.seek == Seek::Possible {
            for call in self.rule.calls_of(0).filter(|call| call.slots_needed() == bound) {
                let residual = call_residual(actor, self.rule, call, &binding);
                so_far = so_far.and(self.trials.renamed(&residual, self.hand.principal));
                if so_far.is_false() {
                    return Ok(());
                }
            }
        }
        if bound == self.rule.slots.len() {
            if self.trials.seek == Seek::Possible {
                let residual = self.trials.search.bound_calls(&actor.view, self.rule, &binding);
                so_far = so_far.and(self.trials.renamed(&residual, self.hand.principal));
                if so_far.is_false() {
                    return Ok(());
                }
            }
            return self.finish(edits, &binding, so_far);
        }
        for (object, given) in self.candidates(actor, &binding, bound) {
            let mut next = binding.clone();
            next.objects.push(object);
            if self.is_had(&next) {
                continue;
            }
            let separate = self.trials.changes.concern(object) && !self.about.contains(&object);
            let administers = self.trials.state.facts.get(&Had::Administers(object));
            if !separate && administers.is_none() {
                self.bound(actor, edits, next, so_far.clone().and(given))?;
                continue;
            }
            let subjects = BTreeSet::from([object]);
            let name = || self.trials.name(object);
            let mut worlds = self.trials.changes.worlds(&subjects, false, name)?;
            if !separate || self.trials.seek == Seek::Thinkable {
                worlds.truncate(1);
            }
            for world in worlds {
                let all = together(edits, &world.edits);
                let more = Edits::of(all.iter().copied());
                for domain in [None, administers] {
                    let Some(mut other) = self.trials.actor(self.hand, &more) else { continue };
                    let condition = match domain {
                        Some(condition) => {
                            other.administered = Some(object);
                            world.condition.clone().and(condition.clone())
                        }
                        None => world.condition.clone(),
                    };
                    if other.administered.is_none() {
                        other.administered = actor.administered;
                    }
                    let so_far = so_far.clone().and(given.clone()).and(condition);
                    self.bound(&other, &all, next.clone(), so_far)?;
                    if administers.is_none() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether all that the rule can still give is had, whatever the slots not yet bound come to be.
    fn is_had(&self, binding: &Binding) -> bool {
        binding.objects.len() >= self.gained_at && self.visit.is_had(self.at, binding)
    }

    /// Goes on with a slot just bound, if its object is what the slot asks for.
    fn bound(
        &mut self,
        actor: &Actor<'_, 'w>,
        edits: &[Edit],
        binding: Binding,
        so_far: Residual,
    ) -> Result<(), TooMany> {
        let slot = binding.objects.len() - 1;
        if self.trials.seek == Seek::Possible && self.adds_nothing(&binding, slot) {
            return Ok(());
        }
        if self.rule.is_deferred(slot) {
            return self.slot(actor, edits, binding, so_far);
        }
        let reader = Reader { view: actor.view, kinds: self.trials.search.kinds, rule: self.rule };
        let fits = reader.matches(&binding, slot);
        if fits.is_false() {
            return Ok(());
        }
        let slot_variable = reader.slot_variable(slot);
        let so_far = match slot_variable {
            // Calls decided before have a renamed variable for it.
            Some(_) => self.bind(&reader, so_far, &binding, slot),
            None => so_far,
        };
        let trusted = match self.trials.seek {
            Seek::Possible => self.trusted(actor, &reader, &binding, slot),
            Seek::Thinkable => Residual::True,
        };
        let more = self.trials.renamed(&fits.and(trusted), self.hand.principal);
        let residual = so_far.and(more);
        if residual.is_false() {
            return Ok(());
        }
        self.slot(actor, edits, binding, residual)
    }

    /// Whether the rule only attaches one more policy to a user, role or group, and the attacker has
    /// given that one a policy that allows everything.
    fn adds_nothing(&self, binding: &Binding, slot: usize) -> bool {
        let [RuleGain::AttachedPolicy(holder, _)] = self.rule.gains.as_slice() else {
            return false;
        };
        let bound = binding.objects.get(slot).filter(|_| *holder == slot);
        bound.is_some_and(|id| self.trials.state.has_given_everything(*id))
    }

    /// The formula with the ARN of the object that a slot has been bound to.
    fn bind(
        &self,
        reader: &Reader<'_, '_>,
        residual: Residual,
        binding: &Binding,
        slot: usize,
    ) -> Residual {
        let (Some(variable), Some(object)) =
            (reader.slot_variable(slot), reader.object(binding, slot))
        else {
            return residual;
        };
        let Text::Literal(arn) = arn_of(self.trials.search.kinds, object) else { return residual };
        let value = crate::solver::Value::One(arn);
        residual.substitute(&|atom| {
            let asked = atom.variable();
            (asked.name == variable.name && asked.scope.ends_with(&*variable.scope))
                .then(|| Residual::constant(crate::solver::holds(atom, &value)))
        })
    }

    fn trusted(
        &self,
        actor: &Actor<'_, 'w>,
        reader: &Reader<'_, '_>,
        binding: &Binding,
        slot: usize,
    ) -> Residual {
        let (Some(description), Some(role)) =
            (self.rule.slots.get(slot), binding.objects.get(slot))
        else {
            return Residual::False;
        };
        if description.trusts.is_empty() {
            return Residual::True;
        }
        let sources = reader.sources(binding, slot);
        let search = self.trials.search;
        // Who holds a role needs no service to assume it that he lets in.
        let is_written = self.trials.lets_in_services
            && !self.trials.state.surely_holds(*role)
            && actor.view.edits.trust.contains(role);
        Residual::any(description.trusts.iter().map(|who| match who {
            Truster::Service(service) => Residual::any(sources.iter().map(|source| {
                let (view, source) = (&actor.view, source.as_ref());
                search.trusts_service_by(view, *role, service, source, is_written)
            })),
            Truster::Role(slot) => match binding.objects.get(*slot) {
                Some(other) => search.trusts_role(actor.view, *role, *other),
                None => Residual::False,
            },
        }))
    }

    /// Every object that a slot could be, with what is not known about it.
    fn candidates(
        &self,
        actor: &Actor<'_, 'w>,
        binding: &Binding,
        slot: usize,
    ) -> Vec<(ObjectId, Residual)> {
        let Some(description) = self.rule.slots.get(slot) else { return Vec::new() };
        if self.rule.is_deferred(slot) {
            return vec![(ObjectId(u32::MAX), Residual::True)];
        }
        let search = self.trials.search;
        let certain = |id: &ObjectId| (*id, Residual::True);
        if self.rule.forwarded() == Some(slot) {
            let forwarded = actor.is_forwarded(self.rule, slot);
            return forwarded.then(|| certain(&actor.principal)).into_iter().collect();
        }
        if let Some((from, attribute)) = &description.from {
            return self.referred(actor, binding, description, *from, attribute);
        }
        if stands_for_key(&description.kind) {
            let fits = |id: &ObjectId| {
                search.ground.object(&[], *id).is_some_and(|key| key.kind == description.kind)
            };
            let keys = search.ground.tag_key_objects().filter(fits);
            return keys.map(|id| certain(&id)).collect();
        }
        let own = actor.view.object(actor.principal).map(|object| object.account);
        let mut out: Vec<(ObjectId, Residual)> = search
            .ground
            .world
            .of_kind(&description.kind)
            .iter()
            .filter(|id| {
                self.is_checked(actor, slot)
                    || self.leads_to_checked(slot)
                    || description.is_assumed_by_role()
                    || self.is_near(**id, own)
            })
            .map(certain)
            .collect();
        out.extend(
            search
                .ground
                .unlisted()
                .filter(|(_, object)| {
                    let near = Some(object.account) == own || self.is_checked(actor, slot);
                    object.kind == description.kind && near
                })
                .map(|(id, _)| (id, search.is_unlisted_one(id))),
        );
        out.extend(self.trials.state.facts.iter().filter_map(|(had, condition)| match had {
            Had::Exists(id) | Had::Holds(id)
                if id.0 as usize >= search.ground.world.objects.len()
                    && actor.view.object(*id).is_some_and(|o| o.kind == description.kind) =>
            {
                Some((*id, condition.clone()))
            }
            _ => None,
        }));
        out
    }

    /// Whether a call of the first group is checked on the slot's object itself, so that the
    /// evaluator says whether one in another account will do.
    fn is_checked(&self, actor: &Actor<'_, '_>, slot: usize) -> bool {
        let whole = |text: &Expression| matches!(text.0[..], [Part::Object(s)] if s == slot);
        !matches!(actor.caller, Caller::Anonymous)
            && self.rule.calls_of(0).any(|call| call.resources.iter().any(whole))
    }

    /// Whether a call of the first group is checked on what is found through the slot's object and is
    /// some account's own, or takes a token of whoever brings it, so that it does not matter where the
    /// object itself is.
    fn leads_to_checked(&self, slot: usize) -> bool {
        let slots = &self.rule.slots;
        let through = |at: usize| slots.get(at).and_then(|of| of.from.as_ref()).map(|(of, _)| *of);
        let leads_to =
            |at| std::iter::successors(through(at), |of| through(*of)).any(|of| of == slot);
        let first = |text: &Expression| match text.0.first() {
            Some(Part::Object(at)) => {
                let own = slots.get(*at).is_some_and(|slot| !is_of_organization(&slot.kind));
                own && leads_to(*at)
            }
            _ => false,
        };
        self.rule.begins_with_token()
            || self.rule.calls_of(0).any(|call| call.resources.iter().any(first))
    }

    fn is_near(&self, id: ObjectId, own: Option<AccountIndex>) -> bool {
        self.trials.object(id).is_some_and(|object| {
            Some(object.account) == own
                || object.is_aws_managed()
                || matches!(object.policy, OwnPolicy::Present(_) | OwnPolicy::Unknown(_))
        })
    }

    /// The objects that an attribute of an object bound before refers to.
    fn referred(
        &self,
        actor: &Actor<'_, 'w>,
        binding: &Binding,
        description: &Slot,
        from: usize,
        attribute: &str,
    ) -> Vec<(ObjectId, Residual)> {
        let search = self.trials.search;
        let world = search.ground.world;
        let Some(object) = binding.objects.get(from).and_then(|id| actor.view.object(*id)) else {
            return Vec::new();
        };
        match actor.view.attribute(object, attribute) {
            Ok(values) => values
                .iter()
                .filter_map(|value| match world.by_arn.get(value) {
                    Some(id) => Some((*id, Residual::True)),
                    None => search.unlisted_as(&description.kind, value),
                })
                .filter(|(id, _)| {
                    self.trials.object(*id).is_some_and(|o| o.kind == description.kind)
                })
                .collect(),
            Err(gap) => {
                let services = search.kinds.get(&object.kind).map(|kind| &kind.service[..]);
                let services: Vec<Arc<str>> =
                    services.unwrap_or_default().iter().map(|s| s.as_str().into()).collect();
                let unlisted = search.unlisted(&description.kind);
                world
                    .of_kind(&description.kind)
                    .iter()
                    .chain(unlisted)
                    .filter(|id| {
                        self.trials.object(**id).is_some_and(|other| {
                            other.account == object.account || other.is_in_all_accounts()
                        })
                    })
                    .map(|id| {
                        let trusted = if &*description.kind != "iam:role" || services.is_empty() {
                            Residual::True
                        } else {
                            Residual::any(services.iter().map(|service| {
                                search.trusts_service(&actor.view, *id, service, None)
                            }))
                        };
                        (*id, Residual::Unknown(gap.clone()).and(trusted))
                    })
                    .collect()
            }
        }
    }

    /// Finds somebody for the calls of each further group, and reports the application.
    fn finish(
        &mut self,
        edits: &[Edit],
        binding: &Binding,
        residual: Residual,
    ) -> Result<(), TooMany> {
        if self.trials.seek == Seek::Thinkable {
            return self.helped_from(self.rule.groups.len(), edits, binding, residual);
        }
        let none = Edits::default();
        let search = self.trials.search;
        let begun = search.session_begun(&self.trials.view(&none), self.rule, binding);
        self.helped_from(1, edits, binding, residual.and(begun))
    }

    /// The same for a group and those after it.
    fn helped_from(
        &mut self,
        group: usize,
        edits: &[Edit],
        binding: &Binding,
        residual: Residual,
    ) -> Result<(), TooMany> {
        if residual.is_false() {
            return Ok(());
        }
        if group < self.rule.groups.len() {
            for (own, edits) in self.helped(group, binding, edits)?.iter() {
                // Whoever else might help as well.
                if self.is_had(binding) {
                    break;
                }
                self.helped_from(group + 1, edits, binding, residual.clone().and(own.clone()))?;
            }
            return Ok(());
        }
        let none = Edits::default();
        let view = self.trials.view(&none);
        let not_taken = self.trials.search.names_not_taken(&view, self.rule, binding, &residual);
        let residual = residual.and(not_taken);
        if !residual.is_false() {
            let (binding, edits) = (binding.clone(), edits.to_vec());
            self.visit.found(Application { rule: self.at, binding, residual, edits });
        }
        Ok(())
    }

    /// Everybody who makes the calls of a further group, while edits are in force.
    fn helped(
        &self,
        group: usize,
        binding: &Binding,
        edits: &[Edit],
    ) -> Result<Arc<[Way]>, TooMany> {
        let trials = self.trials;
        let key = (self.at, group, binding.clone(), trials.changes.chosen(edits).to_vec());
        if let Some(known) = trials.helped.borrow().get(&key) {
            return Ok(known.clone());
        }
        let last = group + 1 == self.rule.groups.len();
        let mut out: Vec<Way> = Vec::new();
        'helpers: for helper in &trials.hands {
            if !helper.makes(self.rule.calls_of(group)) {
                continue;
            }
            let about = subjects(trials.search, trials.state, helper.principal);
            for world in trials.changes.worlds(&about, false, || trials.name(helper.principal))? {
                let all = together(edits, &world.edits);
                let more = Edits::of(all.iter().copied());
                let Some(actor) = trials.actor(helper, &more) else { continue };
                let mut residual = helper.condition.clone().and(world.condition.clone());
                for call in self.rule.calls_of(group) {
                    if residual.is_false() {
                        break;
                    }
                    let own = call_residual(&actor, self.rule, call, binding);
                    residual = residual.and(trials.renamed(&own, helper.principal));
                }
                // Nobody else adds to what somebody does without condition.
                if last && residual.is_true() {
                    out = vec![(residual, all)];
                    break 'helpers;
                }
                if !residual.is_false() {
                    out.push((residual, all));
                }
            }
        }
        let out: Arc<[Way]> = out.into();
        trials.helped.borrow_mut().insert(key, out.clone());
        Ok(out)
    }
}
