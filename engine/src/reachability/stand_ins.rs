//! Administrators stand in for everybody else who stands alike.
//!
//! Whoever acts, for certain, as an unconditional administrator of an account can do whatever any
//! other principal on the same footing can do, but for what resources' own policies grant or deny
//! that one in particular. So the calls of the others are decided only over objects that may treat
//! them unlike the administrator: an account is one administrator and the ways out of it.

use std::collections::BTreeMap;

use foldhash::{HashMap, HashSet};
use roaring::RoaringBitmap;

use super::derivations::{Level, less};
use super::fact::Fact;
use super::fixpoint::{Goal, Reachability, Variant};
use super::world_facts::Lift;
use crate::authorization::Edit;
use crate::snapshot::{AccountIndex, ObjectId};
use crate::technique::{FootingId, GoalTarget, WaysOut};

/// What a lift is worth to some starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UseOfLift {
    /// Nothing.
    None,
    /// Something, unless they come to have it another way.
    Maybe,
    /// Something.
    Some,
}

/// The administrators that stand in for others.
#[derive(Debug, Default)]
pub(super) struct StandIns {
    /// Whether there are any: not where every way to the goal is asked for.
    enabled: bool,
    /// By footing, in the order found: variants with the starts that act as them for certain.
    by_footing: HashMap<FootingId, Vec<(usize, RoaringBitmap)>>,
    /// By footing: all these starts together.
    covered: HashMap<FootingId, RoaringBitmap>,
    /// By account: the starts that belong to it.
    pub(super) homes: HashMap<AccountIndex, RoaringBitmap>,
    /// By account: the starts for which somebody stands in there.
    administering: HashMap<AccountIndex, RoaringBitmap>,
    /// Variants that are administrators without condition.
    unconditional: HashSet<usize>,
    /// By variant, towards its own account and towards others.
    footings: HashMap<(usize, bool), Option<FootingId>>,
    /// Variants that have been tried only over objects that may treat them unlike their stand-ins.
    pub(super) partial: HashSet<usize>,
    /// Variants that have been tried only as far as that leads out of their accounts, by these ways.
    pub(super) outward: HashMap<usize, WaysOut>,
    /// By account: the variants of which these are known.
    outward_of: HashMap<AccountIndex, Vec<usize>>,
    /// By variant: starts that act as it and administer its account. Somebody may come to stand in
    /// for it.
    waiting: BTreeMap<usize, RoaringBitmap>,
    /// By start: by object, the variants for which something stands in for this start and which the
    /// object may treat unlike it.
    pub(super) beside: BTreeMap<u32, BTreeMap<ObjectId, Vec<usize>>>,
}

impl StandIns {
    /// None yet.
    pub(super) fn new(enabled: bool) -> Self {
        Self { enabled, ..Self::default() }
    }

    /// The starts for which somebody stands in in an account.
    pub(super) fn administering(&self, account: AccountIndex) -> Option<&RoaringBitmap> {
        self.administering.get(&account)
    }

    /// Whether a variant is known to be an administrator without condition.
    pub(super) fn is_unconditional(&self, variant: usize) -> bool {
        self.unconditional.contains(&variant)
    }
}

impl Reachability<'_, '_> {
    /// The footing of a variant.
    pub(super) fn footing(&mut self, variant: usize) -> Option<FootingId> {
        self.footing_towards(variant, false)
    }

    /// How a variant stands towards other accounts.
    pub(super) fn footing_abroad(&mut self, variant: usize) -> Option<FootingId> {
        if self.stand_ins.enabled { self.footing_towards(variant, true) } else { None }
    }

    fn footing_towards(&mut self, variant: usize, others: bool) -> Option<FootingId> {
        if let Some(known) = self.stand_ins.footings.get(&(variant, others)) {
            return *known;
        }
        // Control policies can keep administrators from what is asked for: then who is bound by others
        // is no better known by one who is not.
        let bound_anew = |of: &&Variant| {
            let account = self.object(of.principal).map(|object| object.account);
            !of.edits.organization.is_empty() && account.is_some_and(|at| self.calls_in(at))
        };
        let found =
            self.variants.get(variant).filter(|of| !bound_anew(of)).and_then(|of| match others {
                true => self.search.footing_abroad(of, &self.made),
                false => self.search.footing(of, &self.made),
            });
        self.stand_ins.footings.insert((variant, others), found);
        found
    }

    /// Whether a variant is an administrator without condition and all who are followed and act as it
    /// look for something in other accounts.
    pub(super) fn only_passes(&self, variant: usize, stopped: &RoaringBitmap) -> bool {
        let principal = self.variants.get(variant).map(|variant| variant.principal);
        let object = principal.and_then(|id| self.object(id));
        // Who stands for many administers no account of the snapshot.
        let account = object.filter(|o| o.symbolic().is_none()).map(|object| object.account);
        let acts = self.derivations.facts.find(&Fact::Acts(variant));
        let starts = acts.and_then(|acts| self.derivations.starts(acts));
        self.stand_ins.enabled
            && self.stand_ins.is_unconditional(variant)
            && account
                .zip(starts)
                .is_some_and(|(account, starts)| self.pass(account, starts, stopped))
    }

    /// Whether all of these starts that are followed look for something in other accounts than this.
    fn pass(&self, account: AccountIndex, starts: &RoaringBitmap, stopped: &RoaringBitmap) -> bool {
        let of = |id: ObjectId| self.object(id).map(|object| object.account);
        match &self.goal {
            Goal::OwnAdministrator => {
                let own = self.stand_ins.homes.get(&account);
                own.is_none_or(|own| (own & starts).is_subset(stopped))
            }
            Goal::Administrator(other) => *other != account,
            Goal::Holds(principal) => of(*principal).is_some_and(|other| other != account),
            Goal::Call(_) => !self.calls_in(account),
        }
    }

    /// Whether the goal is a call, and can be about something in an account.
    fn calls_in(&self, account: AccountIndex) -> bool {
        let Goal::Call(call) = &self.goal else { return false };
        let of = |id: ObjectId| self.object(id).map(|object| object.account);
        let id = self.search.ground.world.accounts.get(account.0 as usize);
        let is_there = |target: &GoalTarget| match (target.object, &target.account) {
            (Some(object), _) => of(object).is_none_or(|other| other == account),
            (None, Some(other)) => id.is_none_or(|account| account.id == *other),
            (None, None) => true,
        };
        let decisive = self.search.goal_objects.iter().map(ObjectId);
        call.targets.iter().any(is_there)
            || decisive.into_iter().any(|id| of(id) == Some(account))
            || call.principals.iter().any(|id| of(*id).is_none_or(|own| own == account))
    }

    /// Whether an object is no step ahead for any of these starts, since they administer its account
    /// and look for something in others.
    fn is_idle(&self, object: ObjectId, starts: &RoaringBitmap) -> bool {
        let Some(account) = self.object(object).map(|object| object.account) else { return false };
        let outward = self.stand_ins.outward_of.get(&account).into_iter().flatten();
        let idle_for = |variant: &usize| {
            let ways_out = self.stand_ins.outward.get(variant);
            let acts = self.derivations.facts.find(&Fact::Acts(*variant));
            ways_out.is_some_and(|ways_out| ways_out.is_idle(object))
                && acts
                    .and_then(|acts| self.derivations.starts(acts))
                    .is_some_and(|acting| starts.is_subset(acting))
        };
        outward.copied().any(|variant| idle_for(&variant))
            && self.pass(account, starts, &self.arrived)
    }

    /// Notes how a variant has been tried that leads out of its account only.
    pub(super) fn note_outward(&mut self, variant: usize, ways_out: WaysOut) {
        let principal = self.variants.get(variant).map(|variant| variant.principal);
        if let Some(account) = principal.and_then(|id| self.object(id)).map(|o| o.account) {
            let known = self.stand_ins.outward_of.entry(account).or_default();
            if !known.contains(&variant) {
                known.push(variant);
            }
        }
        self.stand_ins.outward.insert(variant, ways_out);
    }

    /// Notes that a variant is an administrator without condition.
    pub(super) fn note_unconditional(&mut self, variant: usize, level: Level) {
        let by_service = self.variants.get(variant).is_none_or(|v| v.mandated.is_some());
        if !self.stand_ins.enabled || by_service {
            return;
        }
        self.stand_ins.unconditional.insert(variant);
        let acts = self.derivations.facts.find(&Fact::Acts(variant));
        if let Some(starts) = acts.and_then(|acts| self.derivations.starts(acts)).cloned() {
            self.note_stand_in(variant, &starts, level);
        }
    }

    /// Notes that starts act as a variant: if it is an unconditional administrator, it stands in for
    /// others from now on. What is assumed to come to act as it is not enough.
    pub(super) fn note_stand_in(&mut self, variant: usize, starts: &RoaringBitmap, level: Level) {
        if level != Level::Certain || !self.stand_ins.unconditional.contains(&variant) {
            return;
        }
        let Some(footing) = self.footing(variant) else { return };
        let covered = self.stand_ins.covered.entry(footing).or_default();
        let known = self.stand_ins.by_footing.entry(footing).or_default();
        match known.iter_mut().find(|(other, _)| *other == variant) {
            Some((_, own)) => *own |= starts,
            // One that only stands beside others is not needed.
            None if starts.is_subset(covered) => return,
            None => known.push((variant, starts.clone())),
        }
        *covered |= starts;
        let principal = self.variants.get(variant).map(|variant| variant.principal);
        if let Some(account) = principal.and_then(|id| self.object(id)).map(|o| o.account) {
            *self.stand_ins.administering.entry(account).or_default() |= starts;
        }
    }

    /// The starts for which another administrator stands in for a variant.
    pub(super) fn covered(&mut self, variant: usize) -> RoaringBitmap {
        if !self.stand_ins.enabled {
            return RoaringBitmap::new();
        }
        let Some(footing) = self.footing(variant) else { return RoaringBitmap::new() };
        let Some(known) = self.stand_ins.by_footing.get(&footing) else {
            return RoaringBitmap::new();
        };
        if known.iter().any(|(other, _)| *other == variant) {
            // The one that was found first stands in.
            let before = known.iter().take_while(|(other, _)| *other != variant);
            return before.fold(RoaringBitmap::new(), |all, (_, starts)| all | starts);
        }
        self.stand_ins.covered.get(&footing).cloned().unwrap_or_default()
    }

    /// The objects that may treat a variant unlike its stand-in. A variant for principals that are
    /// alike leaves those to each of them.
    pub(super) fn told_apart(&self, variant: usize) -> std::sync::Arc<RoaringBitmap> {
        match self.variants.get(variant) {
            Some(variant) if !variant.shared => self.search.telling_apart(variant, &self.made),
            _ => std::sync::Arc::default(),
        }
    }

    /// Whether some start that is followed acts as a variant for which nobody stands in.
    pub(super) fn acts_itself(&mut self, variant: usize, stopped: &RoaringBitmap) -> bool {
        let acts = self.derivations.facts.find(&Fact::Acts(variant));
        let Some(starts) = acts.and_then(|acts| self.derivations.starts(acts)) else {
            return false;
        };
        let starts = less(starts, stopped);
        !starts.is_empty() && !starts.is_subset(&self.covered(variant))
    }

    /// The starts for which another administrator stands in for a variant, or it for others.
    fn covered_or_standing_in(&mut self, variant: usize) -> RoaringBitmap {
        let covered = self.covered(variant);
        let footing = self.footing(variant);
        let known = footing.and_then(|footing| self.stand_ins.by_footing.get(&footing));
        match known.into_iter().flatten().find(|(other, _)| *other == variant) {
            Some((_, own)) => covered | own,
            None => covered,
        }
    }

    /// What a lift is worth to these starts. Where an administrator stands in for a principal's
    /// variant without lifts, that is what something gives that treats it unlike that one.
    pub(super) fn use_of_lift(
        &mut self,
        (principal, variant): (ObjectId, usize),
        lift: Lift,
        starts: &RoaringBitmap,
    ) -> UseOfLift {
        let search = self.search;
        let mfa = matches!(lift, Lift::Edited(Edit::MfaDevice(_) | Edit::TrustPolicy(_)));
        let apart = search.telling_apart_with(principal, mfa, &self.made);
        let changes_footing = match lift {
            // What only its own policies ask for adds nothing to what its stand-in is allowed.
            Lift::Edited(Edit::Tag(_, key) | Edit::NoTag(_, key) | Edit::SessionTag(_, key)) => {
                search.ground.tag_keys().asks_every_caller(key)
            }
            Lift::Edited(Edit::MfaDevice(_) | Edit::TrustPolicy(_)) => {
                search.asking_for_mfa().is_none()
            }
            Lift::Edited(Edit::Organization(_)) => true,
            _ => false,
        };
        let covered = self.stand_ins.enabled
            && !changes_footing
            && starts.is_subset(&self.covered_or_standing_in(variant));
        if !covered {
            return UseOfLift::Some;
        }
        let of_no_use = |object| self.all_hold(object, starts) || self.is_idle(object, starts);
        match apart.iter().map(ObjectId).all(of_no_use) {
            true => UseOfLift::None,
            false => UseOfLift::Maybe,
        }
    }

    /// Whether these starts all hold a role: whoever else it lets in adds nothing.
    fn all_hold(&self, role: ObjectId, starts: &RoaringBitmap) -> bool {
        let is_role = self.object(role).is_some_and(|object| &*object.kind == "iam:role");
        let holds = self.derivations.facts.find(&Fact::Holds(role)).filter(|_| is_role);
        let have = holds.and_then(|holds| self.derivations.starts(holds));
        have.is_some_and(|have| starts.is_subset(have))
    }

    /// The starts for which it need not be waited whether somebody comes to stand in for a variant:
    /// those that do not administer its account. The others are noted.
    pub(super) fn let_wait(&mut self, variant: usize, starts: RoaringBitmap) -> RoaringBitmap {
        let principal = self.variants.get(variant).map(|variant| variant.principal);
        let account = principal.and_then(|id| self.object(id)).map(|object| object.account);
        let administering = account.and_then(|account| self.stand_ins.administering(account));
        let Some(administering) = administering.filter(|by| !by.is_disjoint(&starts)) else {
            return starts;
        };
        if self.stand_ins.is_unconditional(variant) {
            return starts;
        }
        let (waiting, rest) = (&starts & administering, &starts - administering);
        *self.stand_ins.waiting.entry(variant).or_default() |= waiting;
        rest
    }

    /// Waits no longer, since nothing else is found. Returns whether there is anything to try.
    pub(super) fn wait_no_longer(&mut self) -> bool {
        let mut busy = false;
        for (variant, starts) in std::mem::take(&mut self.stand_ins.waiting) {
            let covered = self.covered(variant);
            for start in &starts & &covered {
                self.act_beside(start, variant);
            }
            let rest = starts - covered;
            busy |= !rest.is_empty();
            self.act_by_itself(variant, &rest);
        }
        busy
    }

    /// Notes that a start acts as a variant for which something stands in: what objects that treat
    /// it unlike the stand-in come to is tried as it all the same.
    pub(super) fn act_beside(&mut self, start: u32, variant: usize) {
        let objects = self.told_apart(variant);
        let own = RoaringBitmap::from_iter([start]);
        let about: Vec<ObjectId> =
            objects.iter().map(ObjectId).filter(|object| !self.is_idle(*object, &own)).collect();
        self.may_help(start, variant, Some(&about));
        for object in about {
            let known = self.stand_ins.beside.entry(start).or_default();
            known.entry(object).or_default().push(variant);
            let Some(having) = self.having.get(start as usize) else { continue };
            let changes = having.changes_of(object).iter();
            changes.for_each(|change| self.untried.insert(variant, *change));
            if having.holds(object) {
                self.together.entry(variant).or_default().insert(object.0);
            }
        }
    }

    /// The variants that an object may treat unlike what stands in for them.
    pub(super) fn beside(&self, start: usize, object: ObjectId) -> &[usize] {
        let of_start = u32::try_from(start).ok().and_then(|at| self.stand_ins.beside.get(&at));
        of_start.and_then(|known| known.get(&object)).map_or(&[], Vec::as_slice)
    }
}
