//! Which objects are worth trying for a slot: those that an allow statement of the caller, or the
//! object's own policy, is about. Everything else would be denied, so it is not tried.

use std::sync::Arc;

use escalade_models::TagChange;
use roaring::RoaringBitmap;

use super::actor::Actor;
use super::binding::{Binding, Reader, Text};
use super::object_sets::remembered;
use super::rule::{Part, Rule, RuleCall, RuleGain, Slot};
use super::search::Select;
use super::walk::{Left, Walk};
use crate::authorization::{Caller, TagKey, Tagged, governs, stands_for_key};
use crate::residual::Residual;
use crate::snapshot::{Object, ObjectId};

/// So many objects are decided one by one as soon as together.
const FEW: u64 = 4;

/// Objects to try for a slot.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// Of the snapshot, certain to be what the slot asks for as far as its place goes.
    pub(super) listed: RoaringBitmap,
    /// Others, each with what is not known about its being the one.
    pub(super) others: Vec<(ObjectId, Residual)>,
}

impl Candidates {
    pub(super) fn len(&self) -> u64 {
        self.listed.len() + self.others.len() as u64
    }
}

impl Walk<'_, '_> {
    /// The objects to try for a slot.
    pub(super) fn candidates(&self, rule: &Rule, binding: &Binding, slot: usize) -> Candidates {
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
        if rule.bearer() == Some(slot) {
            return certain(&[self.actor.principal]);
        }
        if rule.forwarded() == Some(slot) {
            return match self.actor.is_forwarded(rule, slot) {
                true => certain(&[self.actor.principal]),
                false => Candidates::default(),
            };
        }
        match self.select {
            Select::Holders(those)
                if rule.holder() == Some(slot)
                    || self.search.tags_principals(rule) == Some(slot) =>
            {
                // Few are decided sooner than looked up, and what is made is not listed.
                let (few, first_made) = (those.len() <= FEW, self.search.ground.next_made(0).0);
                let one_by_one = those.iter().filter(|id| few || *id >= first_made).map(ObjectId);
                let one_by_one = one_by_one.filter(|id| of_kind(*id));
                let listed = match few {
                    true => RoaringBitmap::new(),
                    false => listed(self.actor, rule, slot) & those,
                };
                return Candidates {
                    listed: self.fitting(rule, binding, slot, listed),
                    others: one_by_one.map(|id| (id, Residual::True)).collect(),
                };
            }
            // What the holders are found through.
            Select::Holders(those)
                if let Some((from, attribute)) = rule.holder_from()
                    && from == slot =>
            {
                let kind = &description.kind;
                let holders = those.iter().filter_map(|id| self.actor.view.object(ObjectId(id)));
                let found = holders
                    .flat_map(|holder| {
                        self.search.index.with_attribute(kind, attribute, &holder.arn)
                    })
                    .map(|id| id.0);
                let found: RoaringBitmap = found.collect();
                let others = found.iter().map(|id| (ObjectId(id), Residual::True)).collect();
                return Candidates { others, ..Candidates::default() };
            }
            Select::Serving(role) if description.is_assumed_by_service() => {
                return certain(&[role]);
            }
            Select::Only(object, _)
            | Select::Administered(object)
            | Select::Trusting(object)
            | Select::Changed(object)
            | Select::ChangedApart(object)
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
                let mut out = certain(found);
                out.others.extend(self.not_listed(rule, slot));
                return out;
            }
        }
        if stands_for_key(&description.kind) {
            return Candidates { others: self.tag_keys(rule, slot), ..Candidates::default() };
        }
        let listed = self.fitting(rule, binding, slot, listed(self.actor, rule, slot));
        let mut out = Candidates { listed, ..Candidates::default() };
        if self.leaves_out_special(rule, slot) {
            out.listed -= self.search.index.special();
        }
        if let Some((over, objects)) = &self.over
            && *over == slot
        {
            out.listed &= &**objects;
        }
        if let Some(idle) = self.idle(rule, slot) {
            out.listed -= idle;
        }
        for (at, later) in rule.slots.iter().enumerate() {
            let Some((_, attribute)) = later.from.as_ref().filter(|(from, _)| *from == slot) else {
                continue;
            };
            if let Some(idle) = self.idle(rule, at) {
                out.listed = self.leading_beyond(&out.listed, attribute, idle);
            }
            // The attacker's edits change attributes of IAM's own objects.
            if (!description.kind.starts_with("iam:") || self.as_others)
                && let Some(of_kind) = self.search.index.objects.of_kind(&description.kind)
            {
                out.listed &= &*reader.leading_on(of_kind, attribute);
            }
        }
        // Changing what is of no use leads only to what the question is about.
        let mut not_listed = self.not_listed(rule, slot);
        if rule.resource_edited() == Some(slot) {
            self.search.keep_worth_changing(&description.kind, &mut out.listed);
            not_listed.retain(|(id, _)| self.search.is_of_use(&description.kind, *id));
        }
        out.others.extend(not_listed);
        out
    }

    /// The objects that stand for those that were not listed where a slot's object may be.
    fn not_listed(&self, rule: &Rule, slot: usize) -> Vec<(ObjectId, Residual)> {
        let kind = rule.slots.get(slot).map_or("", |slot| &*slot.kind);
        if !self.select.looks_everywhere() {
            return Vec::new();
        }
        let account = self.actor.view.object(self.actor.principal).map(|o| o.account);
        let abroad = self.is_governed(rule, slot);
        let near = |id: &&ObjectId| {
            let of = self.actor.view.object(**id).map(|object| object.account);
            of.is_some() && (of == account || abroad)
        };
        let ids = self.search.unlisted(kind).iter().filter(near);
        ids.map(|id| (*id, self.search.is_unlisted_one(*id))).collect()
    }

    /// Whether a role's trust policy decides a call on the slot's object: then one of another account,
    /// of which nothing is known, may let the caller in. What policies of other kinds were not asked
    /// let in nobody.
    fn is_governed(&self, rule: &Rule, slot: usize) -> bool {
        let is_role = rule.slots.get(slot).is_some_and(|slot| &*slot.kind == "iam:role");
        is_role
            && rule.calls_of(0).any(|call| {
                governs("iam:role", &call.action_lowercase)
                    && call
                        .resources
                        .iter()
                        .any(|r| matches!(r.0[..], [Part::Object(s)] if s == slot))
            })
    }

    /// Those of the objects whose attribute may lead to something else than these.
    fn leading_beyond(
        &self,
        objects: &RoaringBitmap,
        attribute: &Arc<str>,
        idle: &RoaringBitmap,
    ) -> RoaringBitmap {
        let view = &self.actor.view;
        let by_arn = &self.search.ground.world.by_arn;
        let is_idle = |arn: &Arc<str>| by_arn.get(arn).is_none_or(|id| idle.contains(id.0));
        let leads = |id: &u32| {
            let values = view.object(ObjectId(*id)).map(|object| view.attribute(object, attribute));
            values.is_some_and(|v| v.map_or(true, |values| !values.iter().all(is_idle)))
        };
        objects.iter().filter(leads).collect()
    }

    /// Those of the objects of which everything that the slot asks of the object alone may be true.
    pub(super) fn fitting(
        &self,
        rule: &Rule,
        binding: &Binding,
        slot: usize,
        mut objects: RoaringBitmap,
    ) -> RoaringBitmap {
        let Some(description) = rule.slots.get(slot) else { return objects };
        // A trust policy that the attacker has written may trust any service.
        if self.actor.view.edits.trust.is_empty()
            && let Some(trusting) = self.search.service_trusts.of_slot(description)
        {
            objects &= trusting;
        }
        let sets = &self.search.index.objects;
        let Some(of_kind) = sets.of_kind(&description.kind) else { return objects };
        if !self.actor.keeps_attributes() {
            return objects;
        }
        self.reader(rule).keep_fitting(of_kind, binding, description, &mut objects);
        objects
    }

    /// The objects that a slot is found to be through others, as far as they pass the calls about
    /// the slot alone.
    pub(super) fn found_through(
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

    /// Whether only objects of the snapshot can be bound to a slot, apart from what candidates
    /// name: not where it is found through an object that was not listed, or that was made.
    pub(super) fn finds_only_listed(&self, rule: &Rule, slot: usize) -> bool {
        !rule.slots.get(slot).is_some_and(Slot::is_found_through_others)
            || (self.select.looks_everywhere() || self.select == Select::Apart)
                && rule.slots.iter().all(|slot| self.search.unlisted(&slot.kind).is_empty())
    }

    /// The keys of tags that some policy asks for of what the rule tags.
    pub(super) fn tag_keys(&self, rule: &Rule, slot: usize) -> Vec<(ObjectId, Residual)> {
        let ground = &self.search.ground;
        let fits = |key: &Object| rule.slots.get(slot).is_some_and(|slot| slot.kind == key.kind);
        let asked = |key: TagKey| {
            rule.gains.iter().any(|gain| match gain {
                RuleGain::Tag(_, of, TagChange::Session) if *of == slot => {
                    ground.tag_keys().asks(key, Tagged::Principal)
                        || ground.tag_keys().asks(key, Tagged::Request)
                }
                // Its own tags are worth something to a principal only if the attacker acts as it.
                RuleGain::Tag(_, of, _)
                    if *of == slot && matches!(self.select, Select::Holders(_)) =>
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
            .filter(|id| ground.object(&[], *id).is_some_and(&fits))
            .filter(|id| ground.tag_key(*id).is_some_and(asked))
            .map(|id| (id, Residual::True))
            .collect()
    }

    /// The objects that an attribute of an object bound before refers to. Of an object that was not
    /// listed, every role that its kind could run as.
    pub(super) fn referred(
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
                .filter_map(|value| match world.by_arn.get(value) {
                    Some(id) => Some((*id, Residual::True)),
                    None => self.search.unlisted_as(&description.kind, value),
                })
                .filter(|(id, _)| {
                    self.actor.view.object(*id).is_some_and(|o| o.kind == description.kind)
                })
                .collect(),
            Err(gap) => self
                .could_run_as(object, &description.kind)
                .iter()
                .map(|(id, trusted)| (*id, Residual::Unknown(gap.clone()).and(trusted.clone())))
                .collect(),
        }
    }

    /// The objects of a kind beside an object that was not listed, or of the organization, that it
    /// could run as or belong to, each with what has to be true for that. They are found once for
    /// all callers.
    fn could_run_as(&self, object: &Object, kind: &Arc<str>) -> Left {
        let world = self.search.ground.world;
        let find = || {
            let services = self.search.kinds.get(&object.kind).map(|kind| &kind.service[..]);
            let services: Vec<Arc<str>> =
                services.unwrap_or_default().iter().map(|s| s.as_str().into()).collect();
            let beside = world.of_kind(kind).iter().filter(|id| {
                let other = world.objects.get(id.0 as usize);
                other.is_some_and(|other| {
                    other.account == object.account || other.is_in_all_accounts()
                })
            });
            let unlisted = self.search.unlisted(kind).iter().filter(|id| {
                self.search.ground.object(&[], **id).is_some_and(|o| o.account == object.account)
            });
            let found = beside.chain(unlisted).map(|id| (*id, self.runs_as(*id, &services)));
            Arc::new(found.filter(|(_, trusted)| !trusted.is_false()).collect())
        };
        if !self.actor.view.edits.are_of_callers() {
            return find();
        }
        let key = (object.kind.clone(), object.account, kind.clone());
        remembered(&self.search.could_run_as, &key, find)
    }

    /// Whether an object of a kind that these services run could run as a role.
    pub(super) fn runs_as(&self, role: ObjectId, services: &[Arc<str>]) -> Residual {
        let is_role =
            self.actor.view.object(role).is_some_and(|object| &*object.kind == "iam:role");
        if !is_role || services.is_empty() {
            return Residual::True;
        }
        Residual::any(
            services
                .iter()
                .map(|service| self.search.trusts_service(&self.actor.view, role, service, None)),
        )
    }
}

/// The snapshot's objects to try.
///
/// Where a call of the rule's first group is checked on the slot's object itself, the resource
/// patterns of the caller's allow statements select; otherwise every object of the kind in the
/// caller's account is tried.
pub(super) fn listed(actor: &Actor<'_, '_>, rule: &Rule, slot: usize) -> RoaringBitmap {
    let index = &actor.search.index;
    let Some(kind) = rule.slots.get(slot).map(|slot| &*slot.kind) else {
        return RoaringBitmap::new();
    };
    let Some(of_kind) = index.objects.of_kind(kind) else { return RoaringBitmap::new() };
    let account = actor.view.object(actor.principal).map(|object| object.account);
    let whole = |parts: &[Part]| matches!(parts, [Part::Object(s)] if *s == slot);
    let checked =
        rule.calls_of(0).find(|call| call.resources.iter().any(|expression| whole(&expression.0)));
    let caller = (&actor.caller, actor.stands_for_many());
    match checked {
        // A token is enough: neither the caller's policies nor its account count.
        Some(call) if call.federated.is_some() => index.federating() & &of_kind.all,
        // Who has a token is let in by roles that trust its provider.
        Some(_) if matches!(actor.caller, Caller::Federated(_)) => {
            index.federating() & &of_kind.all
        }
        Some(call) if !matches!(actor.caller, Caller::Anonymous) => {
            let assumes = &*call.action_lowercase == "sts:assumerole";
            // Another account's object is only within reach if its own policy lets the caller in.
            let mut out = actor.allowed_objects(call, kind);
            if assumes {
                let trusting = index.trusting(&actor.caller);
                // Trust in the account is enough only together with a policy of the caller.
                match index.trusting_account(&actor.caller) {
                    Some(account) => out &= &trusting | account,
                    None => out &= &trusting,
                }
                out |= trusting;
                // What is asked for in the same request, trust policies have to allow as well.
                let of_trust = |call: &&RuleCall| call.action_lowercase.starts_with("sts:");
                for more in rule.calls_of(0).filter(of_trust).filter(|call| call.is_on(slot)) {
                    out &= index.trusting_with(more.action_bit);
                }
                out |= actor.view.edits.trust.iter().map(|role| role.0).collect::<RoaringBitmap>();
            } else {
                let governed = governs(kind, &call.action_lowercase);
                out &= index.within_reach(kind, caller, account, governed);
                // What their own policies allow needs no policy of the caller.
                if governed {
                    out |= index.granting(kind, caller);
                    out |= actor.view.edits.letting_in();
                }
            }
            out & &of_kind.all
        }
        // A token says nothing of where whoever brings it is.
        _ if rule.begins_with_token() => of_kind.all.clone(),
        // Trust policies let nobody do anything but assume the role: what assumes it for the caller
        // is a role of his account.
        _ => {
            let mut within = index.within_reach(kind, caller, account, kind != "iam:role");
            // What is found through it may let in the caller where it has no policy itself.
            for anchor in rule.anchors.get(slot).into_iter().flatten() {
                let mut those = index.within_reach(&anchor.kind, caller, account, anchor.governed);
                if anchor.governed {
                    those |= actor.view.edits.letting_in();
                }
                let own = index.objects.of_kind(&anchor.kind).map(|of| of.beside(account));
                let leading = of_kind.leading_to(actor.search.ground.world, &anchor.path);
                within |= leading.to(&those, &own.unwrap_or_default());
            }
            if !rule.slots.get(slot).is_some_and(Slot::is_assumed_by_role) {
                return within;
            }
            within | (index.letting_in_some_of(account) & &of_kind.all)
        }
    }
}
