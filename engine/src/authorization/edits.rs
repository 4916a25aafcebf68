//! Edits: how the attacker has changed the world so far. The evaluator sees the edited world.

use std::collections::{BTreeMap, BTreeSet};

use crate::snapshot::ObjectId;

/// One change to the world that a technique can make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Edit {
    /// An inline policy that allows everything, on a user, role or group.
    InlinePolicy(ObjectId),
    /// A managed policy whose text allows everything.
    PolicyText(ObjectId),
    /// Another version of a managed policy is in force: policy and position of the version.
    DefaultVersion(ObjectId, usize),
    /// A managed policy is attached to a user, role or group: holder and policy.
    Attached(ObjectId, ObjectId),
    /// A user is in a group: user and group.
    Member(ObjectId, ObjectId),
    /// A user is no longer in a group: user and group.
    Left(ObjectId, ObjectId),
    /// A role's trust policy lets in whom the attacker wants.
    TrustPolicy(ObjectId),
    /// A user or role has no permissions boundary that limits it.
    NoBoundary(ObjectId),
    /// A policy no longer applies to its holder: holder and policy (managed, or `iam:inline-policy`).
    Detached(ObjectId, ObjectId),
}

/// All edits made so far, by what they touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// Holders with an inline policy that allows everything.
    pub inline: BTreeSet<ObjectId>,
    /// Managed policies that allow everything.
    pub text: BTreeSet<ObjectId>,
    /// Managed policies with another default version.
    pub version: BTreeMap<ObjectId, usize>,
    /// Policies attached in addition, by holder.
    pub attached: BTreeMap<ObjectId, BTreeSet<ObjectId>>,
    /// Groups joined, by user.
    pub joined: BTreeMap<ObjectId, BTreeSet<ObjectId>>,
    /// Groups left, by user.
    pub left: BTreeMap<ObjectId, BTreeSet<ObjectId>>,
    /// Roles with another trust policy.
    pub trust: BTreeSet<ObjectId>,
    /// Principals without boundary.
    pub no_boundary: BTreeSet<ObjectId>,
    /// Policies that no longer apply, by holder.
    pub detached: BTreeMap<ObjectId, BTreeSet<ObjectId>>,
}

impl Edits {
    /// No edits but these.
    pub fn of(edits: impl IntoIterator<Item = Edit>) -> Self {
        let mut out = Self::default();
        for edit in edits {
            out.apply(edit);
        }
        out
    }

    /// Makes one more edit. Later edits win over earlier ones on the same thing.
    pub fn apply(&mut self, edit: Edit) {
        match edit {
            Edit::InlinePolicy(holder) => {
                self.inline.insert(holder);
            }
            Edit::PolicyText(policy) => {
                self.version.remove(&policy);
                self.text.insert(policy);
            }
            Edit::DefaultVersion(policy, version) => {
                self.text.remove(&policy);
                self.version.insert(policy, version);
            }
            Edit::Attached(holder, policy) => {
                if let Some(detached) = self.detached.get_mut(&holder) {
                    detached.remove(&policy);
                }
                self.attached.entry(holder).or_default().insert(policy);
            }
            Edit::Member(user, group) => {
                if let Some(left) = self.left.get_mut(&user) {
                    left.remove(&group);
                }
                self.joined.entry(user).or_default().insert(group);
            }
            Edit::Left(user, group) => {
                if let Some(joined) = self.joined.get_mut(&user) {
                    joined.remove(&group);
                }
                self.left.entry(user).or_default().insert(group);
            }
            Edit::TrustPolicy(role) => {
                self.trust.insert(role);
            }
            Edit::NoBoundary(principal) => {
                self.no_boundary.insert(principal);
            }
            Edit::Detached(holder, policy) => {
                if let Some(attached) = self.attached.get_mut(&holder) {
                    attached.remove(&policy);
                }
                self.detached.entry(holder).or_default().insert(policy);
            }
        }
    }
}
