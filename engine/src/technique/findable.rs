//! Which rules are worth trying at all: those for each of whose slots there is an object. Most of the
//! catalogue is about services that an account does not use, whatever its policies allow.

use std::sync::{Arc, OnceLock};

use roaring::RoaringBitmap;

use super::binding::{Binding, Reader};
use super::object_sets::OfKind;
use super::rule::{Part, Rule, RuleCall, Slot};
use super::search::Search;
use crate::authorization::{Edits, governs, stands_for_key};
use crate::snapshot::{AccountIndex, ObjectId};

/// By rule, the accounts from which its objects may be found; `None` if that is all.
#[derive(Debug, Default)]
pub(super) struct Findable {
    by_rule: Vec<OnceLock<Option<RoaringBitmap>>>,
}

impl Findable {
    /// Knows nothing yet of so many rules.
    pub(super) fn new(rules: usize) -> Self {
        Self { by_rule: (0..rules).map(|_| OnceLock::new()).collect() }
    }
}

impl Search<'_> {
    /// Whether a user or role of an account can find objects for all slots of a rule in the snapshot,
    /// as that is or with other policies.
    ///
    /// - `at`: the rule's position.
    pub(super) fn may_find(&self, at: usize, account: AccountIndex) -> bool {
        let (Some(rule), Some(known)) = (self.rules.rules.get(at), self.findable.by_rule.get(at))
        else {
            return true;
        };
        let accounts = known.get_or_init(|| self.accounts_finding(rule));
        accounts.as_ref().is_none_or(|accounts| accounts.contains(account.0))
    }

    fn accounts_finding(&self, rule: &Rule) -> Option<RoaringBitmap> {
        let mut accounts: Option<RoaringBitmap> = None;
        for (at, slot) in rule.slots.iter().enumerate() {
            let named_otherwise = slot.is_found_through_others()
                || rule.is_deferred(at)
                || rule.bearer() == Some(at)
                || stands_for_key(&slot.kind);
            if named_otherwise {
                continue;
            }
            let unlisted = self.unlisted(&slot.kind);
            let objects = match self.index.objects.of_kind(&slot.kind) {
                Some(of_kind) => self.objects_for(rule, (at, slot), of_kind),
                None => RoaringBitmap::new(),
            };
            if objects.is_empty() && unlisted.is_empty() {
                return Some(RoaringBitmap::new());
            }
            let everywhere = self
                .index
                .objects
                .of_kind(&slot.kind)
                .is_some_and(|of_kind| !of_kind.beside(None).is_disjoint(&objects));
            if everywhere || !rule.is_own(at, slot) {
                continue;
            }
            let ids = objects.iter().map(ObjectId).chain(unlisted.iter().copied());
            let own = ids.filter_map(|id| Some(self.ground.object(&[], id)?.account.0));
            let own: RoaringBitmap = own.collect();
            accounts = Some(match accounts {
                Some(so_far) => so_far & own,
                None => own,
            });
        }
        accounts
    }

    /// The objects of a kind that may be what a slot asks for, whoever asks.
    fn objects_for(
        &self,
        rule: &Rule,
        (at, slot): (usize, &Slot),
        of_kind: &OfKind,
    ) -> RoaringBitmap {
        let edits = Edits::default();
        let reader = Reader { view: self.view(&edits, &[]), kinds: self.kinds, rule };
        let (account, region) = (AccountIndex(u32::MAX), "".into());
        let place = Binding { objects: Vec::new(), account, region, name: None };
        let mut objects = of_kind.all.clone();
        if let Some(trusting) = self.service_trusts.of_slot(slot) {
            objects &= trusting;
        }
        reader.keep_fitting(of_kind, &place, slot, &mut objects);
        // The attacker's edits change attributes of IAM's own objects.
        if !slot.kind.starts_with("iam:") {
            let later = rule.slots.iter().filter_map(|later| later.from.as_ref());
            for (_, attribute) in later.filter(|(from, _)| *from == at) {
                objects &= &*reader.leading_on(of_kind, attribute);
            }
        }
        if rule.resource_edited() == Some(at) {
            self.keep_worth_changing(&slot.kind, &mut objects);
        }
        objects
    }
}

impl Reader<'_, '_> {
    /// Keeps the objects of which everything may be true that a slot asks of the object alone.
    pub(super) fn keep_fitting(
        &self,
        of_kind: &OfKind,
        place: &Binding,
        slot: &Slot,
        objects: &mut RoaringBitmap,
    ) {
        for matcher in slot.matchers.iter().filter(|matcher| matcher.1.is_of_object_alone()) {
            *objects &= &*of_kind.fitting(matcher, |id| {
                let object = self.view.object(ObjectId(id));
                object.is_some_and(|o| !self.attribute_fits(place, o, matcher).is_false())
            });
        }
    }

    /// The objects of a kind through which an attribute leads to others, or may.
    pub(super) fn leading_on(&self, of_kind: &OfKind, attribute: &Arc<str>) -> Arc<RoaringBitmap> {
        of_kind.leading_on(attribute, |id| {
            let object = self.view.object(ObjectId(id));
            let values = object.map(|object| self.view.attribute(object, attribute));
            values.is_some_and(|values| values.map_or(true, |values| !values.is_empty()))
        })
    }
}

impl Rule {
    /// Whether the objects of a slot are of the caller's account alone: no policy of the objects
    /// themselves, or of what is found through them, lets in callers of other accounts.
    fn is_own(&self, at: usize, slot: &Slot) -> bool {
        let is_on = |call: &&RuleCall| {
            call.resources.iter().any(|on| matches!(on.0[..], [Part::Object(slot)] if slot == at))
        };
        let decides = match self.calls_of(0).find(is_on) {
            Some(call) => call.is_by_token() || governs(&slot.kind, &call.action_lowercase),
            None => &*slot.kind != "iam:role",
        };
        let anchored = self.anchors.get(at).is_none_or(|anchors| !anchors.is_empty());
        !(decides || anchored || slot.is_assumed_by_role() || self.begins_with_token())
    }
}
