//! What each start has: whom it acts as, whom it holds, what it can change. All by account, since
//! hardly anything of one account matters to the principals of another: of a thousand accounts that
//! a start administers, only pairs that could come to something are tried together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::HashSet;
use roaring::RoaringBitmap;

use super::derivations::Level;
use super::fixpoint::{Change, Reachability};
use super::untried::position;
use crate::authorization::Edit;
use crate::snapshot::{AccountIndex, ObjectId};
use crate::technique::{FootingId, LetIn};

/// What one start has.
#[derive(Debug, Default)]
pub(super) struct Having {
    /// The variants acted as for which nobody stands in.
    acted: RoaringBitmap,
    acted_in: BTreeMap<AccountIndex, RoaringBitmap>,
    /// Those of them that stand for many callers.
    acted_symbolic: RoaringBitmap,
    /// Those that are tried with all that is changed in other accounts.
    abroad: Vec<usize>,
    /// How the unconditional administrators among these stand towards other accounts.
    represented: HashSet<FootingId>,
    /// The users and roles held.
    held: RoaringBitmap,
    held_in: BTreeMap<AccountIndex, Vec<ObjectId>>,
    /// Principals of other kinds.
    held_beside: Vec<ObjectId>,
    /// The edits of resources that can be made, by resource.
    pub(super) edits: BTreeMap<ObjectId, BTreeSet<Edit>>,
    /// The changes that come of them, by resource.
    changes_of: BTreeMap<ObjectId, Vec<usize>>,
    /// Those that may let in principals of each account at most.
    changes_in: BTreeMap<AccountIndex, RoaringBitmap>,
    /// By kind of resource: those that may let in anybody.
    changes_abroad: BTreeMap<Arc<str>, Vec<usize>>,
    /// Of these, those where one administrator of another account need not be as good as the next.
    changes_for_each: BTreeMap<Arc<str>, Vec<usize>>,
}

impl Having {
    /// Whether a user or role is held.
    pub(super) fn holds(&self, principal: ObjectId) -> bool {
        self.held.contains(principal.0)
    }

    /// Everybody who is held.
    pub(super) fn held(&self) -> impl Iterator<Item = ObjectId> {
        self.held.iter().map(ObjectId)
    }

    /// The changes of a resource.
    pub(super) fn changes_of(&self, resource: ObjectId) -> &[usize] {
        self.changes_of.get(&resource).map_or(&[], Vec::as_slice)
    }

    /// The variants acted as, of an account or of all.
    pub(super) fn acted_of(&self, account: Option<AccountIndex>) -> Option<&RoaringBitmap> {
        match account {
            Some(account) => self.acted_in.get(&account),
            None => Some(&self.acted),
        }
    }

    /// The variants acted as that an object may let in.
    pub(super) fn let_in(&self, by: &LetIn) -> RoaringBitmap {
        match by {
            LetIn::Anybody => self.acted.clone(),
            LetIn::Accounts(accounts) => {
                let mut out = self.acted_symbolic.clone();
                for acted in accounts.iter().filter_map(|account| self.acted_in.get(account)) {
                    out |= acted;
                }
                out
            }
        }
    }
}

impl Reachability<'_, '_> {
    fn account_of(&self, object: ObjectId) -> Option<AccountIndex> {
        self.object(object).map(|object| object.account)
    }

    fn account_of_variant(&self, variant: usize) -> Option<AccountIndex> {
        self.account_of(self.variants.get(variant)?.principal)
    }

    /// Notes that nobody stands in for a variant for these starts: it is tried with all that they
    /// hold and can change.
    pub(super) fn act_by_itself(&mut self, variant: usize, starts: &RoaringBitmap) {
        let account = self.account_of_variant(variant);
        let principal = self.variants.get(variant).map(|variant| variant.principal);
        let letting_in = principal.map(|principal| self.search.letting_in(principal, &self.made));
        for start in starts {
            self.may_help(start, variant, None);
            let start = start as usize;
            let Some(having) = self.having.get_mut(start) else { continue };
            let number = position(variant);
            having.acted.insert(number);
            self.abroad.insert((variant, start));
            match account.zip(letting_in.as_ref().and_then(Option::as_ref)) {
                Some((account, letting_in)) => {
                    having.acted_in.entry(account).or_default().insert(number);
                    let near = having.held_in.get(&account).into_iter().flatten().copied();
                    let others = (&having.held & letting_in).into_iter().map(ObjectId);
                    let held = near.chain(others).chain(having.held_beside.iter().copied());
                    let with = self.together.entry(variant).or_default();
                    with.extend(held.map(|principal| principal.0));
                    if let Some(changes) = having.changes_in.get(&account) {
                        self.untried.add_all(variant, changes);
                    }
                }
                None => {
                    having.acted_symbolic.insert(number);
                    *self.together.entry(variant).or_default() |= &having.held;
                }
            }
        }
    }

    /// Tries variants with what is changed in other accounts, once it is known whether they are
    /// administrators. Of those that stand alike towards other accounts one is enough.
    pub(super) fn act_abroad(&mut self, level: Level) {
        if self.abroad.is_empty() {
            return;
        }
        let kinds = self.having.iter().flat_map(|having| having.changes_abroad.keys().cloned());
        let kinds: BTreeSet<Arc<str>> = kinds.collect();
        for (variant, start) in std::mem::take(&mut self.abroad) {
            if !self.expanded.contains(&variant) {
                self.abroad.insert((variant, start));
                continue;
            }
            let footing = match self.stand_ins.is_unconditional(variant) {
                true => self.footing_abroad(variant),
                false => None,
            };
            let able = |kind: &Arc<str>| self.may_use_abroad(variant, kind);
            let able: BTreeSet<&Arc<str>> = kinds.iter().filter(|kind| able(kind)).collect();
            let is_symbolic = self.is_symbolic(variant);
            let Some(having) = self.having.get_mut(start) else { continue };
            let new = footing.is_none_or(|footing| !having.represented.contains(&footing));
            if new {
                // What is assumed to come to act as it represents nobody.
                if let (Some(footing), Level::Certain) = (footing, level) {
                    having.represented.insert(footing);
                }
                having.abroad.push(variant);
            }
            let of_kinds = if new { &having.changes_abroad } else { &having.changes_for_each };
            let of_kinds = of_kinds.iter().filter(|(kind, _)| able.contains(kind));
            let of_kinds = of_kinds.flat_map(|(_, changes)| changes);
            let all = having.changes_of.values().flatten().filter(|_| is_symbolic);
            let changes = of_kinds.chain(all).map(|change| u32::try_from(*change));
            self.untried.add_all(variant, &changes.flatten().collect());
        }
    }

    /// Whether a variant stands for many callers.
    fn is_symbolic(&self, variant: usize) -> bool {
        let by = self.variants.get(variant).and_then(|variant| self.object(variant.principal));
        by.is_none_or(|by| by.symbolic().is_some())
    }

    /// Whether being let in by the policy of an object of a kind, of another account, can be worth
    /// something to a variant.
    fn may_use_abroad(&self, variant: usize, kind: &Arc<str>) -> bool {
        let of_goal = self.search.goal_objects.iter().filter_map(|id| self.object(ObjectId(id)));
        let is_goal = of_goal.into_iter().any(|object| object.kind == *kind);
        let actions = self.expanded_actions.get(&variant);
        is_goal
            || self.is_symbolic(variant)
            || actions.is_none_or(|actions| self.search.may_be_governed(kind, actions))
    }

    /// Notes that these starts hold a principal: whom they act as may change what that one is allowed.
    pub(super) fn hold(&mut self, starts: &RoaringBitmap, principal: ObjectId) {
        let account = self.account_of(principal);
        let is_of_iam = self.object(principal).is_some_and(|o| o.kind.starts_with("iam:"));
        let let_in = match is_of_iam {
            true => self.search.whom_lets_in(principal, &self.made),
            false => LetIn::Anybody,
        };
        // Most starts act as the same.
        let mut able = RoaringBitmap::new();
        for start in starts {
            able.extend(self.beside(start as usize, principal).iter().copied().map(position));
            let Some(having) = self.having.get_mut(start as usize) else { continue };
            having.held.insert(principal.0);
            match account {
                Some(account) if is_of_iam => {
                    having.held_in.entry(account).or_default().push(principal);
                }
                _ => having.held_beside.push(principal),
            }
            able |= having.let_in(&let_in);
        }
        for variant in able {
            self.together.entry(variant as usize).or_default().insert(principal.0);
        }
    }

    /// Everybody that a start acts as, now and later, is to be tried with a change.
    pub(super) fn await_change(&mut self, start: usize, change: Change) {
        let resource = change.resource;
        let let_in = self.whom_may_let_in(&change);
        let id = self.change(change);
        let beside = self.beside(start, resource).to_vec();
        let kind = self.object(resource).map(|object| object.kind.clone()).unwrap_or_default();
        let for_each = self.search.is_for_each(&kind) || self.search.tells_apart(resource);
        let own = self.account_of(resource);
        let Some(having) = self.having.get_mut(start) else { return };
        having.changes_of.entry(resource).or_default().push(id);
        let mut able = match &let_in {
            LetIn::Accounts(_) => having.let_in(&let_in),
            LetIn::Anybody if for_each => having.acted.clone(),
            LetIn::Anybody => {
                let near = own.and_then(|own| having.acted_in.get(&own)).cloned();
                let mut able = near.unwrap_or_default();
                able.extend(having.abroad.iter().copied().map(position));
                able
            }
        };
        match let_in {
            LetIn::Accounts(accounts) => {
                for account in accounts {
                    having.changes_in.entry(account).or_default().insert(position(id));
                }
            }
            LetIn::Anybody => {
                if let Some(own) = own {
                    having.changes_in.entry(own).or_default().insert(position(id));
                }
                having.changes_abroad.entry(kind.clone()).or_default().push(id);
                if for_each {
                    having.changes_for_each.entry(kind.clone()).or_default().push(id);
                }
                let near = own.and_then(|own| having.acted_in.get(&own)).cloned();
                let far = &able - near.clone().unwrap_or_default();
                let unable = far.into_iter().filter(|variant| {
                    let variant = *variant as usize;
                    self.account_of_variant(variant) != own && !self.may_use_abroad(variant, &kind)
                });
                able -= unable.collect::<RoaringBitmap>();
            }
        }
        able.extend(beside.into_iter().map(position));
        self.untried.add_variants(id, &able);
    }

    /// Whose principals may be let in by a resource with a change, to a call that matters.
    fn whom_may_let_in(&self, change: &Change) -> LetIn {
        let resource = change.resource;
        let Some(object) = self.object(resource) else { return LetIn::Anybody };
        let of_policy = |edit: &Edit| {
            matches!(
                edit,
                Edit::ResourcePolicy(_) | Edit::NoResourcePolicy(_) | Edit::ResourceGrant(..)
            )
        };
        // What is the organization's is no account's own.
        if object.is_of_organization() {
            let accounts = 0..self.search.ground.world.accounts.len();
            return LetIn::Accounts(accounts.map(|at| AccountIndex(at as u32)).collect());
        }
        if !self.search.may_let_in_others(&object.kind) && !self.is_of_goal(resource) {
            return LetIn::Accounts(BTreeSet::from([object.account]));
        }
        match change.edits.iter().any(of_policy) {
            true => LetIn::Anybody,
            false => self.search.whom_lets_in(resource, &self.made),
        }
    }
}
