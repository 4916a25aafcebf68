//! What facts about edits imply by their meaning, without any call.

use std::collections::{BTreeMap, BTreeSet};

use super::fact::{Fact, FactId};
use super::fixpoint::Reachability;
use super::having::Having;
use crate::authorization::{Edit, OrganizationEdit, Tagged};
use crate::snapshot::{AccountIndex, Detail, ObjectId, PolicySource};
use crate::technique::Relief;

/// Something that widens what a principal may do, for the attacker who has the fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Lift {
    /// Its identity policies allow everything.
    Unrestricted,
    /// No boundary limits it.
    Unbounded,
    /// This edit is in force.
    Edited(Edit),
}

impl Lift {
    /// Whether it adds permissions and lifts no limit.
    pub(super) fn only_grants(&self) -> bool {
        matches!(self, Self::Edited(Edit::Attached(..) | Edit::Member(..)))
    }

    /// Whether it adds all permissions.
    pub(super) fn grants_all(&self) -> bool {
        *self == Self::Unrestricted
    }
}

/// The lifts of each principal, with the facts that stand for them.
pub(super) type Lifts = BTreeMap<ObjectId, BTreeMap<Lift, FactId>>;

impl Reachability<'_, '_> {
    /// Draws the consequences of an edit. Returns the principals whose lifts it adds to.
    pub(super) fn imply_edit(&mut self, edit: Edit, fact: FactId) -> Vec<ObjectId> {
        match edit {
            // unrestricted(holder) <- edited(inline-policy(holder)).
            Edit::InlinePolicy(holder) => {
                let conclusion = self.derivations.fact(Fact::Unrestricted(holder));
                self.derivations.imply(vec![fact], conclusion);
                Vec::new()
            }
            // unrestricted(holder) <- edited(attached(holder, policy)), allows_everything(policy).
            Edit::Attached(holder, policy) => {
                if self.search.allows_everything(policy, None) {
                    let conclusion = self.derivations.fact(Fact::Unrestricted(holder));
                    self.derivations.imply(vec![fact], conclusion);
                    return Vec::new();
                }
                // unrestricted(holder) <- edited(attached(holder, policy)), edited(policy-text(policy)).
                let text = self.derivations.fact(Fact::Edited(Edit::PolicyText(policy)));
                let conclusion = self.derivations.fact(Fact::Unrestricted(holder));
                self.derivations.imply(vec![fact, text], conclusion);
                // The same with another stored version in force.
                for version in self.versions_of(policy) {
                    if self.search.allows_everything(policy, Some(version)) {
                        let edit = Edit::DefaultVersion(policy, version);
                        let in_force = self.derivations.fact(Fact::Edited(edit));
                        let conclusion = self.derivations.fact(Fact::Unrestricted(holder));
                        self.derivations.imply(vec![fact, in_force], conclusion);
                    }
                }
                if self.search.adds_nothing(policy) {
                    return Vec::new();
                }
                self.lift_holder(holder, Lift::Edited(edit), fact)
            }
            // unrestricted(holder) <- edited(policy-text(policy)), attached(holder, policy).
            // unbounded(principal) <- edited(policy-text(policy)), boundary(principal, policy).
            Edit::PolicyText(policy) => {
                let mut touched = Vec::new();
                for holder in self.attached_to(policy) {
                    let conclusion = self.derivations.fact(Fact::Unrestricted(holder));
                    self.derivations.imply(vec![fact], conclusion);
                    if self.search.denies_something(policy) {
                        touched.extend(self.lift_holder(holder, Lift::Edited(edit), fact));
                    }
                }
                for principal in self.bounded_by(policy) {
                    let conclusion = self.derivations.fact(Fact::Unbounded(principal));
                    self.derivations.imply(vec![fact], conclusion);
                }
                touched
            }
            Edit::DefaultVersion(policy, version) => {
                let mut touched = Vec::new();
                for holder in self.attached_to(policy) {
                    if self.search.allows_everything(policy, Some(version)) {
                        let conclusion = self.derivations.fact(Fact::Unrestricted(holder));
                        self.derivations.imply(vec![fact], conclusion);
                    }
                    touched.extend(self.lift_holder(holder, Lift::Edited(edit), fact));
                }
                for principal in self.bounded_by(policy) {
                    touched.extend(self.lift(principal, Lift::Edited(edit), fact));
                }
                touched
            }
            // unrestricted(user) <- edited(member(user, group)), unrestricted(group).
            Edit::Member(user, group) => {
                let premise = self.derivations.fact(Fact::Unrestricted(group));
                let conclusion = self.derivations.fact(Fact::Unrestricted(user));
                self.derivations.imply(vec![fact, premise], conclusion);
                self.lift(user, Lift::Edited(edit), fact)
            }
            Edit::Left(user, _) => self.lift(user, Lift::Edited(edit), fact),
            Edit::Detached(holder, _) => self.lift_holder(holder, Lift::Edited(edit), fact),
            // unbounded(principal) <- edited(no-boundary(principal)).
            Edit::NoBoundary(principal) => {
                let conclusion = self.derivations.fact(Fact::Unbounded(principal));
                self.derivations.imply(vec![fact], conclusion);
                Vec::new()
            }
            // What another policy of a resource allows, and other tags of it, is tried for whoever
            // the attacker acts as.
            Edit::ResourcePolicy(_)
            | Edit::NoResourcePolicy(_)
            | Edit::ResourceGrant(..)
            | Edit::NoMfaDevice(_) => Vec::new(),
            Edit::MfaDevice(user) => match self.search.asked_with_mfa(user).is_empty() {
                true => Vec::new(),
                false => self.lift(user, Lift::Edited(edit), fact),
            },
            // What the organization lets its accounts do concerns every principal in them.
            Edit::Organization(edit) => {
                self.everywhere.insert(edit, fact);
                // What is attached where an account can be moved to counts as well by now.
                if matches!(edit, OrganizationEdit::Moved(..)) {
                    self.reliefs.clear();
                    self.reliefs_of_resources.clear();
                }
                let held = self.having.iter().flat_map(Having::held);
                let held: BTreeSet<ObjectId> = held.collect();
                held.into_iter().collect()
            }
            Edit::Tag(object, key) | Edit::NoTag(object, key) | Edit::SessionTag(object, key) => {
                let keys = self.search.ground.tag_keys();
                let principal = self
                    .object(object)
                    .is_some_and(|o| matches!(o.detail, Detail::User(_) | Detail::Role(_)));
                if !principal || !keys.asks(key, Tagged::Principal) {
                    return Vec::new();
                }
                self.lift(object, Lift::Edited(edit), fact)
            }
            // What a trust policy edit allows is tried for the principals that the attacker holds.
            // Whom it lets in now may have MFA.
            Edit::TrustPolicy(role) => match self.search.lacks_mfa(role) {
                true => self.lift(role, Lift::Edited(edit), fact),
                false => Vec::new(),
            },
        }
    }

    /// The users and roles whose permissions boundary is a policy, those that the attacker has made
    /// included.
    fn bounded_by(&self, policy: ObjectId) -> Vec<ObjectId> {
        let of_made = self.made_with(policy, Self::boundary_of);
        self.search.ground.world.bounded_by(policy).iter().copied().chain(of_made).collect()
    }

    /// The users, groups and roles that a managed policy is attached to, likewise.
    fn attached_to(&self, policy: ObjectId) -> Vec<ObjectId> {
        let of_made = self.made_with(policy, Self::policy_of);
        self.search.ground.world.attached_to(policy).iter().copied().chain(of_made).collect()
    }

    /// The principals that the attacker has made of which this is the policy.
    fn made_with(
        &self,
        policy: ObjectId,
        of: impl Fn(&Self, ObjectId) -> Option<ObjectId>,
    ) -> impl Iterator<Item = ObjectId> {
        let made = (0..self.made.len()).map(|at| self.search.ground.next_made(at));
        made.filter(move |made| of(self, *made) == Some(policy))
    }

    /// The positions of a managed policy's versions.
    fn versions_of(&self, policy: ObjectId) -> std::ops::Range<usize> {
        match self.object(policy).map(|object| &object.detail) {
            Some(Detail::Policy(managed)) => 0..managed.versions.len(),
            _ => 0..0,
        }
    }

    /// The managed policy that a principal has which the attacker has made.
    fn policy_of(&self, made: ObjectId) -> Option<ObjectId> {
        let policies = match &self.object(made)?.detail {
            Detail::User(user) => &user.policies,
            Detail::Role(role) => &role.policies,
            _ => return None,
        };
        match policies.first()?.source {
            PolicySource::Managed(policy) => Some(policy),
            _ => None,
        }
    }

    fn boundary_of(&self, principal: ObjectId) -> Option<ObjectId> {
        let boundary = match &self.object(principal)?.detail {
            Detail::User(user) => user.boundary.as_ref(),
            Detail::Role(role) => role.boundary.as_ref(),
            _ => None,
        };
        match boundary? {
            PolicySource::Managed(policy) => Some(*policy),
            _ => None,
        }
    }

    /// What edits of its boundary, policy and groups mean for a principal that the attacker has made: those
    /// that are there already, and what allows everything whenever it comes.
    pub(super) fn imply_ties(&mut self, made: ObjectId) {
        let groups = match self.object(made).map(|object| &object.detail) {
            Some(Detail::User(user)) => user.groups.clone(),
            _ => Vec::new(),
        };
        for group in groups {
            let premise = self.derivations.fact(Fact::Unrestricted(group));
            let conclusion = self.derivations.fact(Fact::Unrestricted(made));
            self.derivations.imply(vec![premise], conclusion);
        }
        let boundary = self.boundary_of(made).map(|policy| (policy, Fact::Unbounded(made)));
        let policy = self.policy_of(made).map(|policy| (policy, Fact::Unrestricted(made)));
        for (policy, rewritten) in boundary.into_iter().chain(policy) {
            let text = self.derivations.fact(Fact::Edited(Edit::PolicyText(policy)));
            let conclusion = self.derivations.fact(rewritten);
            self.derivations.imply(vec![text], conclusion);
            for version in self.versions_of(policy) {
                let edit = Edit::DefaultVersion(policy, version);
                if let Some(fact) = self.derivations.facts.find(&Fact::Edited(edit)) {
                    self.lift(made, Lift::Edited(edit), fact);
                }
            }
        }
    }

    /// Draws the consequences of identity policies that allow everything.
    pub(super) fn imply_unrestricted(&mut self, holder: ObjectId, fact: FactId) -> Vec<ObjectId> {
        let world = self.search.ground.world;
        if !self.is_group(holder) {
            return self.lift(holder, Lift::Unrestricted, fact);
        }
        // unrestricted(user) <- unrestricted(group), member(user, group).
        for member in world.members(holder).to_vec() {
            let conclusion = self.derivations.fact(Fact::Unrestricted(member));
            self.derivations.imply(vec![fact], conclusion);
        }
        Vec::new()
    }

    /// The lifts of a principal: its own, and what has changed for its whole account.
    pub(super) fn lifts_of(&mut self, principal: ObjectId) -> BTreeMap<Lift, FactId> {
        let mut out = self.lifts.get(&principal).cloned().unwrap_or_default();
        let account = self.object(principal).map(|object| object.account);
        if let Some(account) = account {
            for (edit, fact) in self.everywhere.clone() {
                if !matches!(self.relief(edit, account), Relief::None) {
                    out.insert(Lift::Edited(Edit::Organization(edit)), fact);
                }
            }
        }
        out
    }

    /// What an edit of the organization comes to for principals of an account.
    pub(super) fn relief(&mut self, edit: OrganizationEdit, account: AccountIndex) -> Relief {
        if let Some(known) = self.reliefs.get(&(edit, account)) {
            return known.clone();
        }
        let is_move = |edit: &&OrganizationEdit| matches!(edit, OrganizationEdit::Moved(..));
        let moves: Vec<OrganizationEdit> =
            self.everywhere.keys().filter(is_move).copied().collect();
        let search = self.search;
        let of_resources = self
            .reliefs_of_resources
            .entry(edit)
            .or_insert_with(|| search.relief_of_resources(edit, &moves));
        let relief = search.relief(edit, account, &moves).and(of_resources);
        self.reliefs.insert((edit, account), relief.clone());
        relief
    }

    fn is_group(&self, holder: ObjectId) -> bool {
        self.object(holder).is_some_and(|object| matches!(object.detail, Detail::Group(_)))
    }

    /// Registers a lift of a user or role, or of every member of a group.
    fn lift_holder(&mut self, holder: ObjectId, lift: Lift, fact: FactId) -> Vec<ObjectId> {
        let world = self.search.ground.world;
        if !self.is_group(holder) {
            return self.lift(holder, lift, fact);
        }
        world
            .members(holder)
            .to_vec()
            .into_iter()
            .flat_map(|member| self.lift(member, lift, fact))
            .collect()
    }

    /// Registers a lift of a principal.
    pub(super) fn lift(&mut self, principal: ObjectId, lift: Lift, fact: FactId) -> Vec<ObjectId> {
        self.lifts.entry(principal).or_default().entry(lift).or_insert(fact);
        vec![principal]
    }
}
