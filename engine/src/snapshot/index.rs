//! Ways into the world: objects by kind and by the beginning of their ARN, and who has a policy.

use std::sync::Arc;

use foldhash::HashMap;

use super::draft::{boundary_mut, policies_mut};
use super::world::{AccountIndex, Detail, DocumentId, Object, ObjectId, PolicySource, World};
use crate::policy::Policy;

/// What is looked up in a world. Made by [`World::build_index`].
#[derive(Debug, Default)]
pub struct Index {
    /// Every object, in the order of the world: by account, kind and ARN.
    all: Vec<ObjectId>,
    /// By kind, sorted by ARN.
    by_kind: HashMap<Arc<str>, Vec<ObjectId>>,
    /// By group.
    members: HashMap<ObjectId, Vec<ObjectId>>,
    /// By managed policy.
    attached_to: HashMap<ObjectId, Vec<ObjectId>>,
    /// By managed policy.
    boundary_of: HashMap<ObjectId, Vec<ObjectId>>,
}

impl World {
    /// The positions of an account's objects: the first, and the one behind the last.
    ///
    /// Relies on the world's invariant: `objects` sorted by account.
    pub fn objects_of(&self, account: AccountIndex) -> (u32, u32) {
        let first = self.objects.partition_point(|object| object.account < account);
        let last = self.objects.partition_point(|object| object.account <= account);
        let position = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        (position(first), position(last))
    }

    /// Makes the index anew. A world that was loaded has one; one that was changed, or made by
    /// hand, needs it before the other functions here answer.
    ///
    /// Relies on the world's invariant: `objects` sorted by account, kind and ARN.
    pub fn build_index(&mut self) {
        let mut index = Index::default();
        let ids = (0..self.objects.len()).filter_map(|at| u32::try_from(at).ok().map(ObjectId));
        for (id, object) in ids.zip(&mut self.objects) {
            index.all.push(id);
            match index.by_kind.get_mut(&object.kind) {
                Some(of_kind) => of_kind.push(id),
                None => {
                    index.by_kind.insert(object.kind.clone(), vec![id]);
                }
            }
            if let Detail::User(user) = &object.detail {
                for group in &user.groups {
                    index.members.entry(*group).or_default().push(id);
                }
            }
            for attached in policies_mut(&mut object.detail).into_iter().flatten() {
                if let PolicySource::Managed(policy) = attached.source {
                    let principals = index.attached_to.entry(policy).or_default();
                    if principals.last() != Some(&id) {
                        principals.push(id);
                    }
                }
            }
            if let Some(PolicySource::Managed(policy)) = boundary_mut(&mut object.detail) {
                index.boundary_of.entry(*policy).or_default().push(id);
            }
        }
        let objects = &self.objects;
        let arn = |id: &ObjectId| objects.get(id.0 as usize).map(|object: &Object| &object.arn);
        let kinds = index.by_kind.values_mut();
        #[expect(clippy::iter_over_hash_type, reason = "each list is sorted by itself")]
        for of_kind in kinds {
            of_kind.sort_by(|a, b| arn(a).cmp(&arn(b)));
        }
        self.index = index;
    }

    /// The object of this id.
    pub fn object(&self, id: ObjectId) -> Option<&Object> {
        self.objects.get(id.0 as usize)
    }

    /// The policy of this document, if its text is one.
    pub fn policy(&self, id: DocumentId) -> Option<&Policy> {
        self.documents.get(id.0 as usize)?.policy.as_ref().ok()
    }

    /// The text of a managed policy, in its default or the given version. `None` if the snapshot does
    /// not hold it.
    pub fn managed_policy(&self, policy: ObjectId, version: Option<usize>) -> Option<&Policy> {
        let Detail::Policy(managed) = &self.object(policy)?.detail else { return None };
        let (_, document) = managed.versions.get(version.unwrap_or(managed.default))?;
        self.policy(*document)
    }

    /// The object of this ARN.
    pub fn find(&self, arn: &str) -> Option<ObjectId> {
        self.by_arn.get(arn).copied()
    }

    /// Every object of a kind, sorted by ARN.
    pub fn of_kind(&self, kind: &str) -> &[ObjectId] {
        self.index.by_kind.get(kind).map_or(&[], Vec::as_slice)
    }

    /// The objects of a kind whose ARN starts with `prefix`, sorted by ARN.
    pub fn with_prefix(&self, kind: &str, prefix: &str) -> &[ObjectId] {
        let all = self.of_kind(kind);
        let arn = |id: &ObjectId| self.object(*id).map_or("", |object| &object.arn);
        let from = all.partition_point(|id| arn(id) < prefix);
        let rest = all.get(from..).unwrap_or_default();
        let count = rest.partition_point(|id| arn(id).starts_with(prefix));
        rest.get(..count).unwrap_or_default()
    }

    /// The objects of a kind in an account, sorted by ARN. Policies that AWS owns are in one of the
    /// accounts only: [`World::aws_managed_policies`] has them all.
    pub fn of_kind_in(&self, account: AccountIndex, kind: &str) -> &[ObjectId] {
        let from = self
            .objects
            .partition_point(|object| (object.account, &*object.kind) < (account, kind));
        let rest = self.objects.get(from..).unwrap_or_default();
        let count =
            rest.partition_point(|object| object.account == account && &*object.kind == kind);
        self.index.all.get(from..from + count).unwrap_or_default()
    }

    /// The managed policies that AWS owns, sorted by ARN. They can be attached in every account of
    /// their partition, whatever [`Object::account`] says.
    pub fn aws_managed_policies(&self) -> impl Iterator<Item = ObjectId> {
        self.of_kind("iam:policy").iter().copied().filter(|id| {
            self.object(*id).is_some_and(
                |object| matches!(&object.detail, Detail::Policy(policy) if policy.aws_managed),
            )
        })
    }

    /// The users in a group, in the order of the world.
    pub fn members(&self, group: ObjectId) -> &[ObjectId] {
        self.index.members.get(&group).map_or(&[], Vec::as_slice)
    }

    /// Users, roles and groups that a managed policy is attached to, in the order of the world.
    pub fn attached_to(&self, policy: ObjectId) -> &[ObjectId] {
        self.index.attached_to.get(&policy).map_or(&[], Vec::as_slice)
    }

    /// Users and roles that have a managed policy as permissions boundary, in the order of the
    /// world.
    pub fn bounded_by(&self, policy: ObjectId) -> &[ObjectId] {
        self.index.boundary_of.get(&policy).map_or(&[], Vec::as_slice)
    }
}
