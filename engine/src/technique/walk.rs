//! A walk over the bindings of rules for one actor: which objects make a rule work for it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use escalade_models::TagChange;
use roaring::RoaringBitmap;

use super::actor::Actor;
use super::binding::{Binding, Reader, Text};
use super::rule::{Expression, Part, Rule, RuleCall, RuleGain, Slot, Truster};
use super::search::{Outcome, Search, Select};
use crate::authorization::{Resource, TagKey, Tagged};
use crate::reachability::Level;
use crate::residual::{Gap, Residual};
use crate::snapshot::ObjectId;

/// One walk over the bindings of rules for one actor.
pub(super) struct Walk<'a, 'w> {
    search: &'a Search<'w>,
    actor: &'a Actor<'a, 'w>,
    shared: bool,
    select: Select,
    /// What is gained for certain already: technique and the objects that its gains are about.
    certain: HashSet<(usize, Vec<ObjectId>)>,
    known: Known,
}

/// What is left of the candidates of slots by themselves: by technique, slot and region, for the
/// calls that were asked.
type Known = HashMap<(usize, usize, Arc<str>), Vec<(Vec<RuleCall>, Left)>>;

/// Candidates that are left, in order, each with what is left to be true of it.
type Left = Arc<Vec<(ObjectId, Residual)>>;

/// Objects to try for a slot.
#[derive(Debug, Default)]
struct Candidates {
    /// Of the snapshot, certain to be what the slot asks for as far as its place goes.
    listed: RoaringBitmap,
    /// Others, each with what is not known about its being the one.
    others: Vec<(ObjectId, Residual)>,
}

impl Candidates {
    fn len(&self) -> u64 {
        self.listed.len() + self.others.len() as u64
    }
}

/// A rule on its way through a walk.
struct Trial<'r> {
    at: usize,
    rule: &'r Rule,
    gain_slots: Vec<usize>,
    /// For slots that are not found through others: the objects that pass the checks that are
    /// about them alone, with what is left of these.
    alone: Vec<Option<Left>>,
}

impl<'a, 'w> Walk<'a, 'w> {
    /// A walk that has found nothing yet. `shared`: for several principals that are alike.
    pub(super) fn new(actor: &'a Actor<'a, 'w>, shared: bool, select: Select) -> Self {
        let search = actor.search;
        Self { search, actor, shared, select, certain: HashSet::new(), known: Known::new() }
    }

    fn reader<'r>(&'r self, rule: &'r Rule) -> Reader<'r, 'r> {
        Reader { view: self.actor.view, kinds: self.search.kinds, rule }
    }

    /// Tries a rule, by its position, and adds what works.
    pub(super) fn rule(&mut self, at: usize, rule: &Rule, out: &mut Vec<Outcome>) {
        let object = self.actor.view.object(self.actor.principal);
        let Some(account) = object.map(|object| object.account) else { return };
        let world = self.search.ground.world;
        let regions = world.accounts.get(account.0 as usize).map_or(&[][..], |a| &a.regions);
        let regional = rule.new.iter().any(|new| {
            let kind = self.search.kinds.get(&new.kind);
            kind.is_some_and(|kind| kind.arn.contains("{region}"))
        }) || rule
            .calls
            .iter()
            .any(|call| call.resources.iter().any(|e| e.0.contains(&Part::Region)));
        let default: Arc<str> = "us-east-1".into();
        let candidates: Vec<Arc<str>> = match (regional, regions) {
            (true, [_, ..]) => regions.to_vec(),
            _ => vec![default],
        };
        for region in candidates {
            let before = out.len();
            let binding = Binding { objects: Vec::new(), account, region };
            if let Some(trial) = self.trial(at, rule, &binding) {
                self.slot(&trial, binding, Residual::True, out);
            }
            // What works in one region is not shown for the others.
            if out.len() > before {
                break;
            }
        }
    }

    /// Prepares a rule: for each slot by itself the objects that are left of its candidates.
    /// `None` if a slot has none.
    fn trial<'r>(&mut self, at: usize, rule: &'r Rule, place: &Binding) -> Option<Trial<'r>> {
        let calls = || rule.calls_of(0);
        let mut open = place.clone();
        if !calls()
            .filter(|call| call.mentioned.is_empty())
            .all(|call| !self.actor.call(rule, call, &open).is_false())
        {
            return None;
        }
        let mut alone: Vec<Option<Left>> = vec![None; rule.slots.len()];
        let mut waiting = Vec::new();
        for (slot, description) in rule.slots.iter().enumerate() {
            let about: Vec<&RuleCall> = calls().filter(|call| call.mentions(slot)).collect();
            let found_through = description.is_found_through_others();
            let filters = !found_through || about.iter().any(|call| call.is_on(slot));
            if filters && !rule.is_deferred(slot) {
                let key = (rule.technique, slot, place.region.clone());
                if let Some(known) = self.known_left(&key, &about) {
                    if known.is_empty() && self.finds_only_listed(rule, slot) {
                        return None;
                    }
                    if let Some(at) = alone.get_mut(slot) {
                        *at = Some(known);
                    }
                } else {
                    let candidates = if found_through {
                        let listed = super::candidates::candidates(self.actor, rule, slot);
                        Candidates { listed, ..Candidates::default() }
                    } else {
                        self.candidates(rule, &open, slot)
                    };
                    if candidates.len() == 0 && !found_through {
                        return None;
                    }
                    waiting.push((slot, about, key, candidates));
                }
            }
            open.objects.push(ObjectId(u32::MAX));
        }
        // Where one slot has nothing that works, the others need not be looked at: the shortest
        // list first.
        waiting.sort_by_key(|(_, _, _, candidates)| candidates.len());
        for (slot, about, key, candidates) in waiting {
            open.objects.truncate(slot);
            open.objects.resize(slot, ObjectId(u32::MAX));
            let left = self.alone(rule, &mut open, slot, &about, candidates);
            let calls = about.iter().map(|call| (*call).clone()).collect();
            self.known.entry(key).or_default().push((calls, left.clone()));
            if left.is_empty() && self.finds_only_listed(rule, slot) {
                return None;
            }
            if let Some(at) = alone.get_mut(slot) {
                *at = Some(left);
            }
        }
        Some(Trial { at, rule, gain_slots: rule.gain_slots(), alone })
    }

    /// What was worked out for a slot before. Rules of one technique share most of this.
    fn known_left(&self, key: &(usize, usize, Arc<str>), about: &[&RuleCall]) -> Option<Left> {
        let known = self.known.get(key)?.iter();
        known
            .filter(|(calls, _)| calls.len() == about.len())
            .find(|(calls, _)| calls.iter().zip(about).all(|(a, b)| a == *b))
            .map(|(_, left)| left.clone())
    }

    /// Whether only objects of the snapshot can be bound to a slot, apart from what candidates
    /// name: not where it is found through an object that was not listed, or that was made.
    fn finds_only_listed(&self, rule: &Rule, slot: usize) -> bool {
        !rule.slots.get(slot).is_some_and(Slot::is_found_through_others)
            || matches!(self.select, Select::All | Select::Special)
                && rule.slots.iter().all(|slot| self.search.unlisted(&slot.kind).is_empty())
    }

    /// The candidates of a slot that pass the calls that are about it alone.
    fn alone(
        &self,
        rule: &Rule,
        open: &mut Binding,
        slot: usize,
        about: &[&RuleCall],
        candidates: Candidates,
    ) -> Left {
        let mut classes = vec![(candidates.listed, Residual::True)];
        let alone = about.iter().filter(|call| call.mentioned == [slot]);
        // Calls on resources that are made beside the object differ by its place alone.
        let (of_place, of_object): (Vec<_>, Vec<_>) = alone.partition(|call| call.is_about_place());
        for call in of_place.into_iter().chain(of_object) {
            classes = classes
                .into_iter()
                .flat_map(|(objects, so_far)| {
                    let decided = self.actor.decide_classes(rule, call, slot, open, &objects);
                    decided.into_iter().map(move |(ids, more)| (ids, so_far.clone().and(more)))
                })
                .filter(|(_, residual)| !residual.is_false())
                .collect();
        }
        let mut left: Vec<(ObjectId, Residual)> = classes
            .iter()
            .flat_map(|(ids, residual)| ids.iter().map(|id| (ObjectId(id), residual.clone())))
            .collect();
        for (candidate, given) in candidates.others {
            if !self.selected(candidate) {
                continue;
            }
            let residual = given.and(self.passes_alone(rule, open, slot, candidate));
            if !residual.is_false() {
                left.push((candidate, residual));
            }
        }
        left.sort_by_key(|(id, _)| *id);
        Arc::new(left)
    }

    /// What is left of the calls that are about a slot alone, for one object.
    fn passes_alone(
        &self,
        rule: &Rule,
        open: &mut Binding,
        slot: usize,
        object: ObjectId,
    ) -> Residual {
        open.objects.push(object);
        let residual =
            rule.calls_of(0).filter(|call| call.mentioned == [slot]).fold(Residual::True, |residual, call| {
                if residual.is_false() {
                    return residual;
                }
                residual.and(self.actor.call(rule, call, open))
            });
        open.objects.pop();
        residual
    }

    /// Binds the next slot, or finishes.
    fn slot(
        &mut self,
        trial: &Trial<'_>,
        binding: Binding,
        so_far: Residual,
        out: &mut Vec<Outcome>,
    ) {
        let rule = trial.rule;
        let slot = binding.objects.len();
        let so_far = so_far.and(self.ready_calls(trial, &binding));
        if so_far.is_false() || self.is_certain(trial, &binding) || self.is_weaker(rule, &binding) {
            return;
        }
        if slot == rule.slots.len() {
            self.finish(trial, binding, so_far, out);
            return;
        }
        if rule.is_deferred(slot) {
            let mut next = binding;
            next.objects.push(ObjectId(u32::MAX));
            self.slot(trial, next, so_far, out);
            return;
        }
        let alone = trial.alone.get(slot).and_then(Option::as_ref);
        let through = rule.slots.get(slot).is_some_and(Slot::is_found_through_others);
        let candidates = match alone {
            Some(alone) if !through => alone.clone(),
            _ => Arc::new(self.found_through(rule, &binding, slot, alone)),
        };
        for (candidate, given) in candidates.iter() {
            if !self.selected(*candidate) {
                continue;
            }
            let mut next = binding.clone();
            next.objects.push(*candidate);
            let reader = self.reader(rule);
            let fits = reader.matches(&next, slot);
            if fits.is_false() {
                continue;
            }
            let bound = reader.bind(so_far.clone().and(given.clone()), &next, slot);
            if bound.is_false() {
                continue;
            }
            let residual = bound.and(fits).and(self.trusted(rule, &next, slot));
            if !residual.is_false() {
                self.slot(trial, next, residual, out);
            }
        }
    }

    /// The objects that a slot is found to be through others, as far as they pass the calls about
    /// the slot alone.
    fn found_through(
        &self,
        rule: &Rule,
        binding: &Binding,
        slot: usize,
        alone: Option<&Left>,
    ) -> Vec<(ObjectId, Residual)> {
        let Candidates { listed, others } = self.candidates(rule, binding, slot);
        let all = listed.iter().map(|id| (ObjectId(id), Residual::True)).chain(others);
        let Some(alone) = alone else { return all.collect() };
        let mut open = binding.clone();
        all.filter_map(|(id, given)| {
            let in_snapshot = self.search.ground.world.objects.get(id.0 as usize);
            let residual = match in_snapshot {
                Some(object) if !object.is_unlisted() => {
                    let at = alone.binary_search_by_key(&id, |(id, _)| *id).ok()?;
                    given.and(alone.get(at)?.1.clone())
                }
                _ => given.and(self.passes_alone(rule, &mut open, slot, id)),
            };
            (!residual.is_false()).then_some((id, residual))
        })
        .collect()
    }

    /// Whether objects whose own policy tells callers apart belong to this walk.
    fn selected(&self, candidate: ObjectId) -> bool {
        !(self.shared
            && self.select == Select::All
            && self.search.index.special().contains(candidate.0))
    }

    fn trusted(&self, rule: &Rule, binding: &Binding, slot: usize) -> Residual {
        let (Some(description), Some(role)) = (rule.slots.get(slot), binding.objects.get(slot))
        else {
            return Residual::False;
        };
        if description.trusts.is_empty() {
            return Residual::True;
        }
        let source = rule
            .source()
            .and_then(|part| self.reader(rule).text(binding, &Expression(vec![part])).ok())
            .map_or(Resource::Literal("*".into()), Resource::from);
        Residual::any(description.trusts.iter().map(|who| match who {
            Truster::Service(service) => {
                self.search.trusts_service(&self.actor.view, *role, service, &source)
            }
            Truster::Role(slot) => match binding.objects.get(*slot) {
                Some(other) => self.search.trusts_role(self.actor.view, *role, *other),
                None => Residual::False,
            },
        }))
    }

    /// The calls of the first group whose objects have just become bound, those about one slot
    /// alone excepted: they are decided already.
    fn ready_calls(&self, trial: &Trial<'_>, binding: &Binding) -> Residual {
        let bound = binding.objects.len();
        Residual::all(trial.rule.calls_of(0).filter_map(|call| {
            let decided = match call.mentioned.as_slice() {
                [slot] => trial.alone.get(*slot).is_some_and(Option::is_some),
                _ => false,
            };
            (!decided && call.slots_needed() == bound)
                .then(|| self.actor.call(trial.rule, call, binding))
        }))
    }

    /// Whether what the rule gives under the binding is gained for certain already.
    fn is_certain(&self, trial: &Trial<'_>, binding: &Binding) -> bool {
        if self.certain.is_empty()
            || trial.gain_slots.last().is_none_or(|last| *last >= binding.objects.len())
        {
            return false;
        }
        self.certain.contains(&(trial.rule.technique, gained(&trial.gain_slots, binding)))
    }

    fn finish(
        &mut self,
        trial: &Trial<'_>,
        binding: Binding,
        residual: Residual,
        out: &mut Vec<Outcome>,
    ) {
        let rule = trial.rule;
        let chosen = match self.select {
            Select::All => true,
            Select::Special => {
                binding.objects.iter().any(|object| self.search.index.special().contains(object.0))
            }
            Select::Only(object, _)
            | Select::Trusting(object)
            | Select::Administered(object)
            | Select::Changed(object)
            | Select::Holder(object) => binding.objects.contains(&object),
        };
        let new = self.actor.mandated.is_some()
            || rule.gives_anything_new(self.actor.principal, &binding);
        if !chosen || !new {
            return;
        }
        let mut help = Vec::new();
        let mut all = residual;
        for group in 1..rule.groups.len() {
            let mut own = all.clone();
            for call in rule.calls_of(group) {
                own = own.and(self.actor.call(rule, call, &binding));
                if own.is_false() {
                    break;
                }
            }
            match self.search.level(&own, &[]) {
                Some((level, _)) if level < Level::Unknown => all = own,
                _ => help.push(group),
            }
        }
        let Some((level, _)) = self.search.level(&all, &rule.events) else { return };
        if level == Level::Certain && help.is_empty() {
            self.certain.insert((rule.technique, gained(&trial.gain_slots, &binding)));
        }
        out.push(Outcome { rule: trial.at, binding: Arc::new(binding), residual: all, help });
    }

    /// Whether the stronger technique is certain for the same objects.
    fn is_weaker(&self, rule: &Rule, binding: &Binding) -> bool {
        rule.weaker_than.first().is_some_and(|stronger| {
            let Some(stronger) = self.search.rules.rules.get(*stronger) else { return false };
            let objects: Option<Vec<ObjectId>> = stronger
                .gain_slots()
                .iter()
                .map(|slot| {
                    let name = &stronger.slots.get(*slot)?.name;
                    let own = rule.slots.iter().position(|own| own.name == *name)?;
                    binding.objects.get(own).copied()
                })
                .collect();
            objects.is_some_and(|objects| self.certain.contains(&(stronger.technique, objects)))
        })
    }

    /// The objects to try for a slot.
    fn candidates(&self, rule: &Rule, binding: &Binding, slot: usize) -> Candidates {
        let Some(description) = rule.slots.get(slot) else { return Candidates::default() };
        let reader = self.reader(rule);
        if let Some((from, attribute)) = &description.from {
            return Candidates {
                others: self.referred(&reader, binding, slot, *from, attribute),
                ..Candidates::default()
            };
        }
        let certain = |ids: &[ObjectId]| Candidates {
            others: ids.iter().map(|id| (*id, Residual::True)).collect(),
            ..Candidates::default()
        };
        let of_kind =
            |id: ObjectId| self.actor.view.object(id).is_some_and(|o| o.kind == description.kind);
        match self.select {
            Select::Holder(object)
                if rule.holder() == Some(slot)
                    || self.search.tags_principals(rule) == Some(slot) =>
            {
                return if of_kind(object) { certain(&[object]) } else { Candidates::default() };
            }
            // What the holder is found through.
            Select::Holder(object)
                if let Some((from, attribute)) = rule.holder_from()
                    && from == slot
                    && let Some(holder) = self.actor.view.object(object) =>
            {
                let kind = &description.kind;
                return certain(self.search.index.with_attribute(kind, attribute, &holder.arn));
            }
            Select::Special
                if rule.first_of_kinds(self.search.index.special_kinds()) == Some(slot) =>
            {
                let listed = super::candidates::candidates(self.actor, rule, slot);
                let listed = listed & self.search.index.special();
                return Candidates { listed, ..Candidates::default() };
            }
            Select::Only(object, _)
            | Select::Administered(object)
            | Select::Trusting(object)
            | Select::Changed(object)
                if of_kind(object) =>
            {
                return certain(&[object]);
            }
            _ => {}
        }
        for (attribute, matcher) in &description.matchers {
            if let Some(expression) = super::index::joined(matcher)
                && let Ok(Text::Literal(value)) = reader.text(binding, expression)
            {
                let found = self.search.index.with_attribute(&description.kind, attribute, &value);
                return certain(found);
            }
        }
        if &*description.kind == "aws:tag-key" {
            return Candidates { others: self.tag_keys(rule, slot), ..Candidates::default() };
        }
        let mut out = Candidates {
            listed: super::candidates::candidates(self.actor, rule, slot),
            ..Candidates::default()
        };
        if self.shared && self.select == Select::All {
            out.listed -= self.search.index.special();
        }
        if rule.resource_edited() == Some(slot) {
            if !self.search.is_worth_changing(&description.kind) {
                out.listed &= &self.search.goal_objects;
            }
            return out;
        }
        if self.select == Select::All {
            let account = self.actor.view.object(self.actor.principal).map(|o| o.account);
            for id in self.search.unlisted(&description.kind) {
                let Some(object) = self.actor.view.object(*id) else { continue };
                if Some(object.account) == account {
                    let gap = Gap(object.name.clone());
                    out.others.push((*id, Residual::Unknown(gap)));
                }
            }
        }
        out
    }

    /// The keys of tags that some policy asks for of what the rule tags.
    fn tag_keys(&self, rule: &Rule, slot: usize) -> Vec<(ObjectId, Residual)> {
        let ground = &self.search.ground;
        let asked = |key: TagKey| {
            rule.gains.iter().any(|gain| match gain {
                RuleGain::Tag(_, of, TagChange::Session) if *of == slot => {
                    ground.tag_keys().asks(key, Tagged::Principal)
                        || ground.tag_keys().asks(key, Tagged::Request)
                }
                // Its own tags are worth something to a principal only if the attacker acts as it.
                RuleGain::Tag(_, of, _)
                    if *of == slot && matches!(self.select, Select::Holder(_)) =>
                {
                    ground.tag_keys().asks(key, Tagged::Principal)
                }
                RuleGain::Tag(on, of, _) if *of == slot => rule
                    .slots
                    .get(*on)
                    .is_some_and(|on| ground.tag_keys().asks_of_kind(key, &on.kind)),
                _ => false,
            })
        };
        ground
            .tag_key_objects()
            .filter(|id| ground.tag_key(*id).is_some_and(asked))
            .map(|id| (id, Residual::True))
            .collect()
    }

    /// The objects that an attribute of an object bound before refers to. Of an object that was not
    /// listed, every role that its kind could run as.
    fn referred(
        &self,
        reader: &Reader<'_, '_>,
        binding: &Binding,
        slot: usize,
        from: usize,
        attribute: &str,
    ) -> Vec<(ObjectId, Residual)> {
        let world = self.search.ground.world;
        let (Some(object), Some(description)) =
            (reader.object(binding, from), reader.rule.slots.get(slot))
        else {
            return Vec::new();
        };
        match self.actor.view.attribute(object, attribute) {
            Ok(values) => values
                .iter()
                .filter_map(|value| world.by_arn.get(value))
                .filter(|id| {
                    world.objects.get(id.0 as usize).is_some_and(|o| o.kind == description.kind)
                })
                .map(|id| (*id, Residual::True))
                .collect(),
            Err(gap) => {
                let services = self.search.kinds.get(&object.kind).map(|kind| &kind.service[..]);
                let services: Vec<Arc<str>> =
                    services.unwrap_or_default().iter().map(|s| s.as_str().into()).collect();
                world
                    .of_kind(&description.kind)
                    .iter()
                    .filter(|id| {
                        let other = world.objects.get(id.0 as usize);
                        other.is_some_and(|other| other.account == object.account)
                    })
                    .map(|id| {
                        let trusted = self.runs_as(*id, &services);
                        (*id, Residual::Unknown(gap.clone()).and(trusted))
                    })
                    .collect()
            }
        }
    }

    /// Whether an object of a kind that these services run could run as a role.
    fn runs_as(&self, role: ObjectId, services: &[Arc<str>]) -> Residual {
        let is_role =
            self.actor.view.object(role).is_some_and(|object| &*object.kind == "iam:role");
        if !is_role || services.is_empty() {
            return Residual::True;
        }
        let source = Resource::Literal("*".into());
        Residual::any(
            services.iter().map(|service| {
                self.search.trusts_service(&self.actor.view, role, service, &source)
            }),
        )
    }
}

impl Rule {
    /// The slot and attribute that the holder is found through, if it is.
    pub fn holder_from(&self) -> Option<(usize, &Arc<str>)> {
        let (slot, attribute) = self.slots.get(self.holder()?)?.from.as_ref()?;
        Some((*slot, attribute))
    }

    /// The first slot of one of these kinds.
    pub(super) fn first_of_kinds(&self, kinds: &BTreeSet<Arc<str>>) -> Option<usize> {
        self.slots.iter().position(|slot| kinds.contains(&slot.kind))
    }

    /// Whether a slot is left open until somebody is found for it: the user who is put into a group
    /// is not what any call is checked on.
    pub fn is_deferred(&self, slot: usize) -> bool {
        let gained = self.gains.iter().any(
            |gain| matches!(gain, RuleGain::Membership(user, group) if *user == slot && *group != slot),
        );
        gained
            && self.slots.get(slot).is_some_and(|s| s.from.is_none() && s.matchers.is_empty())
            && !self.calls.iter().any(|call| call.mentions(slot))
    }

    /// Whether the gains are more than what the principal has by being itself.
    fn gives_anything_new(&self, principal: ObjectId, binding: &Binding) -> bool {
        !self.gains.iter().all(|gain| {
            matches!(gain, RuleGain::Credentials(slot)
                if binding.objects.get(*slot) == Some(&principal))
        })
    }

    /// The resource on whose behalf a service will act with a role: the first new one, or the first
    /// object that is no role.
    fn source(&self) -> Option<Part> {
        if !self.new.is_empty() {
            return Some(Part::New(0));
        }
        self.slots.iter().position(|slot| !slot.kind.starts_with("iam:")).map(Part::Object)
    }
}

/// The objects that the gains of a rule are about.
fn gained(slots: &[usize], binding: &Binding) -> Vec<ObjectId> {
    slots.iter().filter_map(|slot| binding.objects.get(*slot)).copied().collect()
}
