//! Variants: principals that act alike, and principals with edits in force.

use std::collections::{BTreeMap, BTreeSet};

use super::fact::{Fact, FactId};
use super::fixpoint::{Reachability, Variant, VariantKey};
use super::stand_ins::UseOfLift;
use super::world_facts::Lift;
use crate::authorization::{Edit, Edits, OrganizationEdit};
use crate::snapshot::ObjectId;
use crate::technique::{Actions, Relief};

impl Reachability<'_, '_> {
    /// `acts(class) <- holds(principal)`, for the principal's class and for itself where its class
    /// leaves objects to each member. With a mandate, `acts(class) <- delegated(principal)`.
    pub(super) fn act_as(&mut self, principal: ObjectId, holds: FactId, mandate: Option<usize>) {
        let class = self.search.class_of(principal);
        let variant =
            self.variant((class.representative, Vec::new(), false, mandate), class.shared);
        let acts = self.derivations.fact(Fact::Acts(variant));
        self.derivations.imply(vec![holds], acts);
        if class.shared && self.search.has_special() {
            let variant = self.variant((principal, Vec::new(), true, mandate), false);
            let acts = self.derivations.fact(Fact::Acts(variant));
            self.derivations.imply(vec![holds], acts);
        }
    }

    /// `acts(principal with lifts) <- holds(principal), lift, ...` for each combination of lifts
    /// that some start has.
    ///
    /// - `late`: whether nothing else is found: what is mostly had another way is tried as well.
    pub(super) fn act_with_lifts(&mut self, principal: ObjectId, late: bool) {
        let holds = self.derivations.facts.find(&Fact::Holds(principal));
        let by_delegation = self.mandated.get(&principal).cloned().unwrap_or_default();
        let delegated = by_delegation.into_iter().map(|(fact, mandate)| (fact, Some(mandate)));
        for (base, mandate) in holds.map(|fact| (fact, None)).into_iter().chain(delegated) {
            self.act_with_lifts_by(principal, base, mandate, late);
        }
    }

    fn act_with_lifts_by(
        &mut self,
        principal: ObjectId,
        holds: FactId,
        mandate: Option<usize>,
        late: bool,
    ) {
        let mut lifts = self.lifts_of(principal);
        self.leave_out_idle_tags(principal, &mut lifts);
        if lifts.is_empty() {
            return;
        }
        let class = self.search.class_of(principal);
        let as_it_is = (class.representative, Vec::new(), false, mandate);
        // Nobody stands in for one that other control policies bind: what it is allowed counts there.
        let bound_anew =
            lifts.keys().any(|lift| matches!(lift, Lift::Edited(Edit::Organization(_))));
        let most = lifts.contains_key(&Lift::Unrestricted);
        let counts = |lift: &Lift| {
            bound_anew && if most { *lift == Lift::Unrestricted } else { lift.only_grants() }
        };
        if let Some(variant) = self.variant_ids.get(&as_it_is).copied() {
            lifts.retain(|lift, fact| {
                if counts(lift) {
                    return true;
                }
                let starts = self.followed(&self.derivations.common(&[holds, *fact]));
                match self.use_of_lift((principal, variant), *lift, &starts) {
                    UseOfLift::None => false,
                    UseOfLift::Maybe => {
                        self.late_lifts.insert(principal);
                        late
                    }
                    UseOfLift::Some => true,
                }
            });
        }
        let lifts = self.best_places(holds, lifts);
        let who = |facts: &[FactId]| self.followed(&self.derivations.common(facts));
        let unrestricted =
            lifts.get(&Lift::Unrestricted).map(|fact| who(&[holds, *fact])).unwrap_or_default();
        let available: Vec<(Lift, FactId)> = lifts
            .iter()
            .filter(|(lift, fact)| {
                let starts = who(&[holds, **fact]);
                // Policies that allow everything make any other policy superfluous.
                let superfluous = lift.only_grants() && starts.is_subset(&unrestricted);
                !starts.is_empty() && !superfluous
            })
            .map(|(lift, fact)| (*lift, *fact))
            .collect();
        let mut wanted = Vec::new();
        let kinds: Vec<Lift> = available.iter().map(|(lift, _)| *lift).collect();
        for combination in combinations(&kinds) {
            let chosen: Vec<(Lift, FactId)> =
                combination.iter().filter_map(|at| available.get(*at)).copied().collect();
            let lifts: Vec<Lift> = chosen.iter().map(|(lift, _)| *lift).collect();
            let mut premises: Vec<FactId> = vec![holds];
            premises.extend(chosen.iter().map(|(_, fact)| *fact));
            if !self.variant_ids.contains_key(&(principal, lifts.clone(), false, mandate))
                && !who(&premises).is_empty()
            {
                wanted.push((lifts, premises));
            }
        }
        for (lifts, premises) in wanted {
            let variant = self.variant((principal, lifts, false, mandate), false);
            let acts = self.derivations.fact(Fact::Acts(variant));
            self.derivations.imply(premises, acts);
        }
    }

    /// The lifts without moves of an account to where it is bound by more than where all who can make
    /// them can move it as well.
    fn best_places(
        &mut self,
        holds: FactId,
        mut lifts: BTreeMap<Lift, FactId>,
    ) -> BTreeMap<Lift, FactId> {
        let moves: Vec<(OrganizationEdit, FactId)> = lifts
            .iter()
            .filter_map(|(lift, fact)| match lift {
                Lift::Edited(Edit::Organization(edit @ OrganizationEdit::Moved(..))) => {
                    Some((*edit, *fact))
                }
                _ => None,
            })
            .collect();
        let mut worse: BTreeSet<OrganizationEdit> = BTreeSet::new();
        for (edit, fact) in &moves {
            let who = self.followed(&self.derivations.common(&[holds, *fact]));
            for (other, other_fact) in &moves {
                if edit == other || worse.contains(other) {
                    continue;
                }
                let others = self.followed(&self.derivations.common(&[holds, *other_fact]));
                if who.is_subset(&others) && self.binds_no_more(*other, *edit) {
                    worse.insert(*edit);
                    break;
                }
            }
        }
        for edit in worse {
            lifts.remove(&Lift::Edited(Edit::Organization(edit)));
        }
        lifts
    }

    fn binds_no_more(&mut self, one: OrganizationEdit, other: OrganizationEdit) -> bool {
        let search = self.search;
        let known = self.places.entry((one, other));
        *known.or_insert_with(|| search.binds_no_more(one, other))
    }

    /// Tries lifts that were left for later. Returns whether there is anything new.
    pub(super) fn act_with_late_lifts(&mut self) -> bool {
        let before = self.variants.len();
        for principal in std::mem::take(&mut self.late_lifts) {
            self.act_with_lifts(principal, true);
        }
        self.late_lifts.clear();
        self.variants.len() > before
    }

    /// Leaves out other tags of a principal that no policy asks for which binds it, as it is or with
    /// the other lifts.
    fn leave_out_idle_tags(&mut self, principal: ObjectId, lifts: &mut BTreeMap<Lift, FactId>) {
        let key_of = |lift: &Lift| match lift {
            Lift::Edited(Edit::Tag(_, key) | Edit::NoTag(_, key) | Edit::SessionTag(_, key)) => {
                Some(*key)
            }
            _ => None,
        };
        if !lifts.keys().any(|lift| key_of(lift).is_some()) {
            return;
        }
        let search = self.search;
        let own = self.own_tags.entry(principal);
        let own = own.or_insert_with(|| search.own_tags_asked(principal));
        let mut asked = BTreeSet::new();
        for lift in lifts.keys() {
            match lift {
                Lift::Edited(Edit::Attached(_, policy)) => {
                    asked.extend(search.tags_asked_by(*policy, None));
                }
                Lift::Edited(Edit::DefaultVersion(policy, version)) => {
                    asked.extend(search.tags_asked_by(*policy, Some(*version)));
                }
                Lift::Edited(Edit::Member(_, group)) => {
                    asked.extend(search.tags_asked_of_members(*group));
                }
                _ => {}
            }
        }
        let keys = search.ground.tag_keys();
        lifts.retain(|lift, _| {
            key_of(lift).is_none_or(|key| {
                keys.asks_any_caller(key) || own.contains(&key) || asked.contains(&key)
            })
        });
    }

    pub(super) fn variant(&mut self, key: VariantKey, shared: bool) -> usize {
        let (principal, special) = (key.0, key.2);
        if let Some(variant) = self.variant_ids.get(&key) {
            return *variant;
        }
        let edits = Edits::of(key.1.iter().map(|lift| match lift {
            Lift::Unrestricted => Edit::InlinePolicy(principal),
            Lift::Unbounded => Edit::NoBoundary(principal),
            Lift::Edited(edit) => *edit,
        }));
        let newly = self.newly(principal, &key.1);
        let mandated = key.3.and_then(|mandate| self.mandates.get(mandate)?.clone());
        self.variants.push(Variant { principal, edits, shared, special, newly, mandated });
        let variant = self.variants.len() - 1;
        self.variant_ids.insert(key, variant);
        variant
    }

    /// The actions that lifts newly allow a principal, beside what it is tried with anyway: nothing,
    /// or what is granted with no limit lifted. `None` if that may be any, or there are no lifts.
    fn newly(&mut self, principal: ObjectId, lifts: &[Lift]) -> Option<Actions> {
        if lifts.is_empty() {
            return None;
        }
        let (organization, own): (Vec<Lift>, Vec<Lift>) =
            lifts.iter().partition(|lift| matches!(lift, Lift::Edited(Edit::Organization(_))));
        let mut out = Actions::default();
        for lift in &organization {
            let Lift::Edited(Edit::Organization(edit)) = lift else { return None };
            let account = self.object(principal)?.account;
            match self.relief(*edit, account) {
                Relief::None => {}
                Relief::Of(actions) => out.extend(&actions),
                Relief::Any => return None,
            }
        }
        let granted = |lift: &Lift| lift.only_grants() || lift.grants_all();
        if !organization.is_empty() && own.iter().all(granted) {
            return Some(out);
        }
        for lift in &own {
            let Lift::Edited(edit) = lift else { return None };
            match edit {
                Edit::Attached(_, policy) => {
                    out.extend(self.search.allowed_by_policy(*policy, None)?);
                }
                Edit::Member(_, group) => {
                    for policy in self.search.policies_of_group(*group)? {
                        out.extend(policy);
                    }
                }
                Edit::MfaDevice(of) | Edit::TrustPolicy(of) => {
                    out.extend(&self.search.asked_with_mfa(*of));
                }
                _ => return None,
            }
        }
        Some(out)
    }
}

/// Combinations of lifts to try, as positions: what grants permissions one at a time and all
/// together, with no limit lifted and with all of them; and each limit by itself. Of several places
/// for one account it is in one at a time.
fn combinations(lifts: &[Lift]) -> Vec<Vec<usize>> {
    let (grants, limits): (Vec<usize>, Vec<usize>) = (0..lifts.len())
        .partition(|at| lifts.get(*at).is_some_and(|lift| lift.only_grants() || lift.grants_all()));
    let mut out: BTreeSet<Vec<usize>> = BTreeSet::new();
    let mut add = |parts: &[&[usize]]| {
        let mut combination: Vec<usize> = parts.concat();
        combination.sort_unstable();
        if !combination.is_empty() {
            out.insert(combination);
        }
    };
    for limit in &limits {
        add(&[&[*limit]]);
    }
    // Calls of one technique may be granted by several.
    add(&[&grants]);
    for limits in &places(lifts, &limits) {
        add(&[limits]);
        add(&[&grants, limits]);
        for grant in &grants {
            add(&[&[*grant], limits]);
        }
    }
    for grant in &grants {
        add(&[&[*grant]]);
        if lifts.get(*grant).is_some_and(|lift| lift.grants_all()) {
            for limit in &limits {
                add(&[&[*grant], &[*limit]]);
            }
        }
    }
    let mut out: Vec<Vec<usize>> = out.into_iter().collect();
    out.sort_by_key(|combination| (combination.len(), combination.clone()));
    out
}

/// All limits together, but with accounts in no more than one place: none moved, one of them moved
/// to each of its places, each moved to its last.
fn places(lifts: &[Lift], limits: &[usize]) -> Vec<Vec<usize>> {
    let moved = |at: &usize| match lifts.get(*at) {
        Some(Lift::Edited(Edit::Organization(OrganizationEdit::Moved(account, _)))) => {
            Some(*account)
        }
        _ => None,
    };
    let (moves, others): (Vec<usize>, Vec<usize>) =
        limits.iter().partition(|at| moved(at).is_some());
    let last: BTreeMap<ObjectId, usize> =
        moves.iter().filter_map(|at| Some((moved(at)?, *at))).collect();
    let all: Vec<usize> = last.into_values().collect();
    let one_by_one = moves.iter().map(|at| vec![*at]);
    let choices = std::iter::once(Vec::new()).chain(one_by_one).chain([all]);
    choices.map(|moves| [&others[..], &moves].concat()).collect()
}
