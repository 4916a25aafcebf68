//! Administrators who stand in for the other principals of their account.
//!
//! A start that acts for certain as an administrator whom nothing limits gains nothing by changing
//! the permissions of a principal with the same standing: see
//! [`Standing`](crate::technique::Standing). Such principals are still held and still make the calls
//! that they may make as they are; only what would come of changing their permissions, or of what
//! the attacker has changed, is left to the administrator. Where a path has to use something given
//! nobody stands in: that path may lead through anybody.

use roaring::RoaringBitmap;

use super::derivations::Level;
use super::fact::{Fact, FactId};
use super::fixpoint::Reachability;
use crate::snapshot::ObjectId;

impl Reachability<'_, '_> {
    /// Notes the administrators that starts have come to act as for certain.
    pub(super) fn note_stand_ins(&mut self, fact: FactId, starts: &RoaringBitmap, level: Level) {
        if level != Level::Certain || !self.stop_at_goal {
            return;
        }
        let Some(Fact::Holds(principal)) = self.derivations.facts.get(fact) else { return };
        let principal = *principal;
        let search = self.search;
        if !*self.unlimited.entry(principal).or_insert_with(|| search.is_unlimited(principal)) {
            return;
        }
        let Some(standing) = self.standing(principal) else { return };
        for start in starts {
            self.stand_ins.entry((start, standing)).or_insert(principal);
            self.with_stand_in.entry(standing).or_default().insert(start);
        }
    }

    /// Whether, for a start, somebody else stands in for a principal.
    pub(super) fn is_stood_in_for(&mut self, start: u32, principal: ObjectId) -> bool {
        if self.stand_ins.is_empty() {
            return false;
        }
        let Some(standing) = self.standing(principal) else { return false };
        self.stand_ins.get(&(start, standing)).is_some_and(|other| {
            *other != principal && self.search.class_of(*other).representative != principal
        })
    }

    /// The starts for which somebody else stands in for a principal.
    pub(super) fn stood_in_for(&mut self, principal: ObjectId) -> RoaringBitmap {
        if self.stand_ins.is_empty() {
            return RoaringBitmap::new();
        }
        let Some(standing) = self.standing(principal) else { return RoaringBitmap::new() };
        let Some(starts) = self.with_stand_in.get(&standing) else { return RoaringBitmap::new() };
        let other = |start: &u32| self.stand_ins.get(&(*start, standing)) != Some(&principal);
        starts.iter().filter(other).collect()
    }

    /// The standing of a principal, by number.
    fn standing(&mut self, principal: ObjectId) -> Option<usize> {
        if let Some(known) = self.standing_of.get(&principal) {
            return *known;
        }
        let standing = self.search.standing(principal).map(|standing| {
            let next = self.standing_ids.len();
            *self.standing_ids.entry(standing).or_insert(next)
        });
        self.standing_of.insert(principal, standing);
        standing
    }
}
