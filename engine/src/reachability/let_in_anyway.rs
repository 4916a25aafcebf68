//! Whom it helps that the attacker writes a resource's own policy: nobody who is allowed all of it
//! anyway, and of those who bring nothing else nobody beside such a one.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::HashMap;
use roaring::RoaringBitmap;

use super::derivations::Level;
use super::fact::Fact;
use super::fixpoint::{Change, Reachability};
use crate::snapshot::{AccountIndex, ObjectId};

/// The resources that are alike for those who are allowed everything about them: account, kind and
/// Region.
type Alike = (AccountIndex, Arc<str>, Arc<str>);

/// Who needs no resource's own policy to let it in.
#[derive(Debug, Default)]
pub(super) struct LetInAnyway {
    /// Whether a variant does.
    known: HashMap<(usize, Alike), bool>,
    /// Those that do not, and of how many expanded variants that is known.
    found: BTreeMap<Alike, (Vec<usize>, usize)>,
    /// The starts that act as one of those, and in which round that was found.
    starts: BTreeMap<Alike, (Arc<RoaringBitmap>, usize)>,
    /// The rounds so far in which it counts whom starts act as by now.
    round: usize,
    /// Whether this is one of them.
    counts: bool,
}

impl LetInAnyway {
    /// Begins a round, in which starts may act as others than before. What is assumed to come to act
    /// as somebody is not enough to do without others, whose ways may assume less. At what is not
    /// known no way is shown.
    pub(super) fn begin_round(&mut self, level: Level) {
        self.counts = level != Level::Assumed;
        self.round += usize::from(self.counts);
    }
}

impl Reachability<'_, '_> {
    /// Whether another policy of a resource of its own account gives a variant nothing: it is allowed
    /// all that such a policy could allow, or has nothing to add to what somebody is allowed whom all
    /// act as who act as it and can make the change.
    ///
    /// Where every way to the goal is asked for, one more is something.
    pub(super) fn gains_nothing_let_in(
        &mut self,
        variant: usize,
        change: &Change,
        resource: ObjectId,
    ) -> bool {
        let search = self.search;
        if !self.stop_at_goal || self.is_of_goal(resource) {
            return false;
        }
        let by = self.variants.get(variant).and_then(|variant| self.object(variant.principal));
        let Some((by, of)) = by.zip(self.object(resource)) else { return false };
        let symbolic = by.symbolic().is_some() || of.symbolic().is_some();
        if by.account != of.account || symbolic || search.holds_back_administrators(resource) {
            return false;
        }
        let alike = (of.account, of.kind.clone(), of.region.clone().unwrap_or_default());
        if self.is_let_in_anyway(variant, &alike, resource) {
            return true;
        }
        let adds_nothing = |actions| search.adds_nothing_besides(&alike.1, actions);
        if !self.expanded_actions.get(&variant).is_some_and(adds_nothing) {
            return false;
        }
        let beside = self.starts_let_in_anyway(&alike, resource);
        self.both(variant, change).is_subset(&beside)
    }

    /// Whether a variant is allowed anyway all that own policies of resources that are alike could
    /// allow it.
    fn is_let_in_anyway(&mut self, variant: usize, alike: &Alike, like: ObjectId) -> bool {
        let key = (variant, alike.clone());
        if let Some(known) = self.let_in_anyway.known.get(&key) {
            return *known;
        }
        let of = self.variants.get(variant).zip(self.object(like));
        let found =
            of.is_some_and(|(of, like)| self.search.needs_no_letting_in(of, like, &self.made));
        self.let_in_anyway.known.insert(key, found);
        found
    }

    /// The starts that act as somebody in the account who is let in anyway, as far as that counts.
    fn starts_let_in_anyway(&mut self, alike: &Alike, like: ObjectId) -> Arc<RoaringBitmap> {
        let LetInAnyway { starts, round, counts, .. } = &self.let_in_anyway;
        match starts.get(alike) {
            Some((known, of_round)) if of_round == round || !counts => return known.clone(),
            None if !counts => return Arc::default(),
            _ => {}
        }
        let round = *round;
        let (mut found, known) = self.let_in_anyway.found.remove(alike).unwrap_or_default();
        for variant in self.in_order.get(known..).unwrap_or_default().to_vec() {
            let by = self.variants.get(variant).and_then(|of| self.object(of.principal));
            let is_near = by.is_some_and(|by| by.account == alike.0 && by.symbolic().is_none());
            if is_near && self.is_let_in_anyway(variant, alike, like) {
                found.push(variant);
            }
        }
        let mut out = RoaringBitmap::new();
        for variant in &found {
            let acts = self.derivations.facts.find(&Fact::Acts(*variant));
            if let Some(starts) = acts.and_then(|acts| self.derivations.starts(acts)) {
                out |= starts;
            }
        }
        self.let_in_anyway.found.insert(alike.clone(), (found, self.in_order.len()));
        let out = Arc::new(out);
        self.let_in_anyway.starts.insert(alike.clone(), (out.clone(), round));
        out
    }
}
