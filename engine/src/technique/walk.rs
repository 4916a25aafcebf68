//! A walk over the bindings of rules for one actor: which objects make a rule work for it.

use std::sync::Arc;

use foldhash::{HashMap, HashSet};

use super::actor::Actor;
use super::binding::{Binding, Reader};
use super::candidates::{Candidates, listed};
use super::gain;
use super::object_classes::Classes;
use super::rule::{CallTag, Rule, RuleCall, RuleGain, Slot, Truster};
use super::rule_slots::gained;
use super::same_say::OfOthers;
use super::search::{Outcome, Search, Select};
use roaring::RoaringBitmap;

use crate::reachability::Level;
use crate::residual::Residual;
use crate::snapshot::{AccountIndex, OUTSIDE, ObjectId};

/// One walk over the bindings of rules for one actor.
pub(super) struct Walk<'a, 'w> {
    pub(super) search: &'a Search<'w>,
    pub(super) actor: &'a Actor<'a, 'w>,
    /// Where what is made is made: the account of the principal.
    pub(super) account: Option<AccountIndex>,
    pub(super) shared: bool,
    pub(super) select: Select<'a>,
    /// Whether what is worked out for the actor can hold for others.
    pub(super) as_others: bool,
    /// The slot whose object is one of these.
    pub(super) over: Option<(usize, Arc<RoaringBitmap>)>,
    /// What is gained for certain already: technique and the objects that its gains are about.
    pub(super) certain: HashSet<(usize, Vec<ObjectId>)>,
    /// Whether what is looked for is for others as well: then what is nothing new to the actor
    /// counts.
    pub(super) for_others: bool,
    /// What others come to by the rules of the technique that is tried.
    pub(super) of_others: OfOthers,
    /// Whether in the place that is tried something is gained for certain already.
    seen_certain: bool,
    known: Known,
}

/// What is left of the candidates of slots by themselves: by technique, slot and region, for the rule
/// that it was found for and the calls that were asked.
type Known = HashMap<KnownKey, Vec<(usize, Vec<RuleCall>, Left)>>;

/// Technique, slot, region and the name of a new principal.
type KnownKey = (usize, usize, Arc<str>, Option<Arc<str>>);

/// Candidates that are left, in order, each with what is left to be true of it.
pub(super) type Left = Arc<Vec<(ObjectId, Residual)>>;

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
    pub(super) fn new(actor: &'a Actor<'a, 'w>, shared: bool, select: Select<'a>) -> Self {
        let search = actor.search;
        let as_others = actor.is_as_others();
        let (certain, known) = (HashSet::default(), Known::default());
        let account = actor.view.object(actor.principal).map(|object| object.account);
        Self {
            search,
            actor,
            account,
            shared,
            select,
            as_others,
            over: None,
            certain,
            for_others: false,
            of_others: OfOthers::default(),
            seen_certain: false,
            known,
        }
    }

    /// The walk, only over bindings of one rule in which the object of a slot is one of these.
    pub(super) fn over(self, slot: usize, objects: Arc<RoaringBitmap>) -> Self {
        Self { over: Some((slot, objects)), ..self }
    }

    pub(super) fn reader<'r>(&'r self, rule: &'r Rule) -> Reader<'r, 'r> {
        Reader { view: self.actor.view, kinds: self.search.kinds, rule }
    }

    /// Tries a rule, by its position, and adds what works.
    pub(super) fn rule(&mut self, at: usize, rule: &Rule, out: &mut Vec<Outcome>) {
        let Some(account) = self.account else { return };
        for region in self.search.regions_for(self.actor, account, rule) {
            let before = out.len();
            self.seen_certain = false;
            for name in self.search.names_for(rule, account) {
                let region = region.clone();
                let binding = Binding { objects: Vec::new(), account, region, name };
                if !self.may_give_name(rule, &binding) {
                    continue;
                }
                if let Some(trial) = self.trial(at, rule, &binding) {
                    self.slot(&trial, binding, Residual::True, out);
                }
            }
            // What works in one region is not shown for the others. Of several holders, each may be
            // within reach in another one.
            let found = out.len() > before || self.for_others && self.seen_certain;
            if found && !matches!(self.select, Select::Holders(_)) {
                break;
            }
        }
    }

    /// Prepares a rule: for each slot by itself the objects that are left of its candidates.
    /// `None` if a slot has none.
    fn trial<'r>(&mut self, at: usize, rule: &'r Rule, place: &Binding) -> Option<Trial<'r>> {
        let calls = || rule.calls_of(0);
        let mut open = place.clone();
        if !calls().enumerate().filter(|(_, call)| call.mentioned.is_empty()).all(
            |(number, call)| {
                let decide = || !self.actor.call(rule, call, &open).is_false();
                self.is_possible((at, number), call, place, decide)
            },
        ) {
            return None;
        }
        let mut alone: Vec<Option<Left>> = vec![None; rule.slots.len()];
        let mut waiting = Vec::new();
        for (slot, description) in rule.slots.iter().enumerate() {
            let about: Vec<&RuleCall> = calls().filter(|call| call.mentions(slot)).collect();
            let found_through = description.is_found_through_others();
            let filters = !found_through || about.iter().any(|call| call.is_on(slot));
            if filters && !rule.is_deferred(slot) {
                let key = (rule.technique, slot, place.region.clone(), place.name.clone());
                let shared = self.left_key(at, rule, slot, place, &about);
                let known = self
                    .known_left(&key, description, &about)
                    .or_else(|| self.same_left(shared.as_ref()?));
                if let Some(known) = known {
                    if known.is_empty() && self.finds_only_listed(rule, slot) {
                        return None;
                    }
                    if let Some(at) = alone.get_mut(slot) {
                        *at = Some(known);
                    }
                } else {
                    let candidates = if found_through {
                        let listed = listed(self.actor, rule, slot);
                        let listed = self.fitting(rule, &open, slot, listed);
                        Candidates { listed, ..Candidates::default() }
                    } else {
                        self.candidates(rule, &open, slot)
                    };
                    if candidates.len() == 0 && !found_through {
                        if let Some(shared) = shared {
                            self.share_left(shared, &Left::default());
                        }
                        return None;
                    }
                    waiting.push((slot, about, key, shared, candidates));
                }
            }
            open.objects.push(ObjectId(u32::MAX));
        }
        // Where one slot has nothing that works, the others need not be looked at: the shortest
        // list first.
        waiting.sort_by_key(|(.., candidates)| candidates.len());
        for (slot, about, key, shared, candidates) in waiting {
            open.objects.truncate(slot);
            open.objects.resize(slot, ObjectId(u32::MAX));
            let left = self.alone(rule, &mut open, slot, &about, candidates);
            if let Some(shared) = shared {
                self.share_left(shared, &left);
            }
            let calls = about.iter().map(|call| (*call).clone()).collect();
            self.known.entry(key).or_default().push((at, calls, left.clone()));
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
    fn known_left(&self, key: &KnownKey, slot: &Slot, about: &[&RuleCall]) -> Option<Left> {
        let known = self.known.get(key)?.iter();
        let slot_of = |at: &usize| self.search.rules.rules.get(*at)?.slots.get(key.1);
        known
            .filter(|(at, calls, _)| calls.len() == about.len() && slot_of(at) == Some(slot))
            .find(|(_, calls, _)| calls.iter().zip(about).all(|(a, b)| a == *b))
            .map(|(.., left)| left.clone())
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
        open.objects.push(ObjectId(u32::MAX));
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
        for call in about.iter().filter(|call| call.is_on(slot)) {
            if let Some(tag) = call.tags.filter(|tag| tag.on == slot && tag.key > slot) {
                let taggable = self.taggable(rule, call, tag, open, &classes);
                classes.iter_mut().for_each(|(objects, _)| *objects &= &taggable);
            }
        }
        open.objects.pop();
        let mut left: Vec<(ObjectId, Residual)> = classes
            .iter()
            .flat_map(|(ids, residual)| ids.iter().map(|id| (ObjectId(id), residual.clone())))
            .collect();
        for (candidate, given) in candidates.others {
            if !self.selected(rule, slot, candidate) {
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

    /// The objects that a call can give some tag, or take it from. Whether a certain one is decided
    /// when it is bound.
    fn taggable(
        &self,
        rule: &Rule,
        call: &RuleCall,
        tag: CallTag,
        open: &Binding,
        classes: &Classes,
    ) -> RoaringBitmap {
        let mut place = open.clone();
        place.objects.resize(tag.key + 1, ObjectId(u32::MAX));
        let mut out = RoaringBitmap::new();
        for (key, _) in self.tag_keys(rule, tag.key) {
            if let Some(object) = place.objects.get_mut(tag.key) {
                *object = key;
            }
            for (objects, _) in classes {
                let decided = self.actor.decide_classes(rule, call, tag.on, &mut place, objects);
                decided.iter().for_each(|(objects, _)| out |= objects);
            }
        }
        out
    }

    /// What is left of the calls that are about a slot alone, for one object.
    pub(super) fn passes_alone(
        &self,
        rule: &Rule,
        open: &mut Binding,
        slot: usize,
        object: ObjectId,
    ) -> Residual {
        open.objects.push(object);
        let residual = rule.calls_of(0).filter(|call| call.mentioned == [slot]).fold(
            Residual::True,
            |residual, call| {
                if residual.is_false() {
                    return residual;
                }
                residual.and(self.actor.call(rule, call, open))
            },
        );
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
        if so_far.is_false() || self.is_weaker(rule, &binding) {
            return;
        }
        if self.is_certain(rule, &trial.gain_slots, &binding) || self.is_all_certain(trial, slot) {
            self.seen_certain = true;
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
        let let_in = self.trusting_at_most(rule, &binding, slot);
        for (candidate, given) in candidates.iter() {
            let trusts = let_in.as_ref().is_none_or(|roles| {
                let in_snapshot = (candidate.0 as usize) < self.search.ground.world.objects.len();
                !in_snapshot || roles.contains(candidate.0)
            });
            if !trusts || !self.selected(rule, slot, *candidate) {
                continue;
            }
            let mut next = binding.clone();
            next.objects.push(*candidate);
            let reader = self.reader(rule);
            let fits = reader.matches(&next, slot);
            if fits.is_false() {
                continue;
            }
            // What was found for the object by itself leaves open what was bound before it.
            let before = |given, bound| reader.bind(given, &next, bound);
            let given = (0..slot).fold(given.clone(), before);
            let bound = reader.bind(so_far.clone().and(given), &next, slot);
            if bound.is_false() {
                continue;
            }
            let residual = bound.and(fits).and(self.trusted(rule, &next, slot));
            if !residual.is_false() {
                self.slot(trial, next, residual, out);
            }
        }
    }

    /// Whether an object belongs to this walk, by who it is for.
    fn selected(&self, rule: &Rule, slot: usize, candidate: ObjectId) -> bool {
        if let Some((over, objects)) = &self.over
            && *over == slot
        {
            return objects.contains(candidate.0);
        }
        if let Select::Serving(role) = self.select
            && rule.slots.get(slot).is_some_and(Slot::is_assumed_by_service)
        {
            return candidate == role;
        }
        let idle = self.idle(rule, slot).is_some_and(|idle| idle.contains(candidate.0));
        let special = self.search.index.special();
        !(idle || self.leaves_out_special(rule, slot) && special.contains(candidate.0))
    }

    /// Whether what the rule gives is a step ahead, if only that is looked for.
    pub(super) fn leads_on(&self, rule: &Rule, binding: &Binding) -> bool {
        let Select::Out(ways) = self.select else { return true };
        let gained = gain::gains(&self.reader(rule), binding);
        gained.iter().any(|gained| self.search.leads_on(ways, gained))
    }

    /// The objects of which none is worth being what is found for a slot.
    pub(super) fn idle(&self, rule: &Rule, slot: usize) -> Option<&RoaringBitmap> {
        match self.select {
            Select::Out(ways_out) if rule.acquired() == Some(slot) => {
                let tags = |gain: &RuleGain| matches!(gain, RuleGain::Tag(..));
                Some(ways_out.idle(rule.gains.iter().any(tags)))
            }
            _ => None,
        }
    }

    /// Whether objects whose own policy tells callers apart are left to each of those for whom the
    /// walk is. Where that policy has no say, or who calls brings a token, they are all alike.
    pub(super) fn leaves_out_special(&self, rule: &Rule, slot: usize) -> bool {
        self.shared
            && self.select.is_whole()
            && !rule.is_by_token()
            && rule.governed.contains(&slot)
    }

    /// The roles of the snapshot that may trust those roles of which the rule asks it, where it asks
    /// nothing else and no trust policy has been written.
    fn trusting_at_most(
        &self,
        rule: &Rule,
        binding: &Binding,
        slot: usize,
    ) -> Option<Arc<RoaringBitmap>> {
        let description = rule.slots.get(slot)?;
        match description.trusts.as_slice() {
            [Truster::Role(other)] if self.actor.view.edits.trust.is_empty() => {
                self.search.letting_in_role(*binding.objects.get(*other)?)
            }
            _ => None,
        }
    }

    fn trusted(&self, rule: &Rule, binding: &Binding, slot: usize) -> Residual {
        let (Some(description), Some(role)) = (rule.slots.get(slot), binding.objects.get(slot))
        else {
            return Residual::False;
        };
        if description.trusts.is_empty() {
            return Residual::True;
        }
        let sources = self.reader(rule).sources(binding, slot);
        Residual::any(description.trusts.iter().map(|who| match who {
            Truster::Service(service) => Residual::any(sources.iter().map(|source| {
                self.search.trusts_service(&self.actor.view, *role, service, source.as_ref())
            })),
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
    pub(super) fn is_certain(&self, rule: &Rule, gain_slots: &[usize], binding: &Binding) -> bool {
        if self.certain.is_empty()
            || gain_slots.last().is_none_or(|last| *last >= binding.objects.len())
        {
            return false;
        }
        self.certain.contains(&(rule.technique, gained(gain_slots, binding)))
    }

    /// Whether whatever the rule could give, of the slots from this one on, is gained for certain
    /// already: then nothing is looked for to get it with.
    fn is_all_certain(&self, trial: &Trial<'_>, slot: usize) -> bool {
        let [gained] = trial.gain_slots[..] else { return false };
        let through = trial.rule.slots.get(gained).is_none_or(Slot::is_found_through_others);
        if gained <= slot || through || self.certain.is_empty() {
            return false;
        }
        let Some(Some(alone)) = trial.alone.get(gained) else { return false };
        let technique = trial.rule.technique;
        alone.iter().all(|(object, _)| self.certain.contains(&(technique, vec![*object])))
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
            Select::All | Select::Apart => true,
            Select::Out(_) => self.leads_on(rule, &binding),
            Select::Only(object, _)
            | Select::Trusting(object)
            | Select::Serving(object)
            | Select::Administered(object)
            | Select::Changed(object)
            | Select::ChangedApart(object) => binding.objects.contains(&object),
            Select::Holders(those) => binding.objects.iter().any(|id| those.contains(id.0)),
        };
        let new = self.for_others
            || self.shared
            || self.actor.mandated.is_some()
            || rule.is_by_token()
            || rule.gives_anything_new(self.actor.principal, &binding);
        if !chosen || !new {
            return;
        }
        let residual = residual.and(self.search.bound_calls(&self.actor.view, rule, &binding));
        if residual.is_false() {
            return;
        }
        let mut help = Vec::new();
        // Where its own calls are not decided, nobody's help decides more.
        let is_open = |residual: &Residual| {
            matches!(self.search.level(residual, &[]), Some((Level::Unknown, _)))
        };
        let open = rule.groups.len() > 1 && is_open(&residual);
        let mut all = residual.and(self.search.session_begun(&self.actor.view, rule, &binding));
        for group in 1..rule.groups.len() {
            let mut own = all.clone();
            for call in rule.calls_of(group) {
                own = own.and(self.actor.call(rule, call, &binding));
                if own.is_false() {
                    break;
                }
            }
            match self.search.level(&own, &[]) {
                Some((level, _)) if level < Level::Unknown || open => all = own,
                _ => help.push(group),
            }
        }
        let all =
            all.clone().and(self.search.names_not_taken(&self.actor.view, rule, &binding, &all));
        let Some((level, _)) = self.search.level(&all, &rule.events) else { return };
        let certain = level == Level::Certain && help.is_empty();
        if certain {
            self.certain.insert((rule.technique, gained(&trial.gain_slots, &binding)));
        }
        out.push(Outcome {
            rule: trial.at,
            binding: Arc::new(binding),
            residual: all,
            help,
            certain,
        });
    }

    /// Whether the stronger technique is certain whatever the rule is about: what it gives hangs on
    /// no object.
    pub(super) fn is_weaker_throughout(&self, rule: &Rule) -> bool {
        let (account, region) = (self.account.unwrap_or(OUTSIDE), "".into());
        let of_nothing = Binding { objects: Vec::new(), account, region, name: None };
        self.is_weaker(rule, &of_nothing)
    }

    /// Whether the stronger technique is certain for some objects.
    pub(super) fn is_weaker_somewhere(&self, rule: &Rule) -> bool {
        let stronger = rule.weaker_than.first().and_then(|at| self.search.rules.rules.get(*at));
        stronger.is_some_and(|stronger| {
            self.certain.iter().any(|(technique, _)| *technique == stronger.technique)
        })
    }

    /// Whether the stronger technique is certain for the same objects.
    pub(super) fn is_weaker(&self, rule: &Rule, binding: &Binding) -> bool {
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
}
