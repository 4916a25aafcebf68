//! What views of one world share: the snapshot's side of the evaluator.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::HashMap;

use escalade_models::ResourceKinds;

use super::TagKey;
use super::asked_boundaries::asked;
use super::endpoint_policy::{Endpoint, endpoints};
use super::origin::asks_for_tokens;
use super::session::{asked_keys, asks_for_sessions};
use super::tag_keys::TagKeys;
use crate::policy::Policy;
use crate::residual::Gap;
use crate::snapshot::{Detail, DocumentId, Object, ObjectId, PolicySource, World};

/// What views of one world share: policies that the attacker writes, and gaps for policies that
/// the snapshot names but does not hold.
#[derive(Debug)]
pub struct Ground<'w> {
    /// The snapshot's world.
    pub world: &'w World,
    /// A policy that allows everything.
    pub allow_all: Policy,
    pub(super) missing: HashMap<Arc<str>, Gap>,
    pub(super) unreadable: Gap,
    /// By where the policy lies in memory.
    pub(super) documents: HashMap<usize, DocumentId>,
    /// A time before which no call is made, in milliseconds since 1970.
    pub not_before: Option<i64>,
    /// Objects that stand for kinds that were not listed: their ids follow the world's.
    pub(super) unlisted: Vec<Object>,
    /// Keys of tags that policies ask for, as objects: their ids follow those of the unlisted.
    pub(super) keys: Vec<Object>,
    pub(super) tag_keys: TagKeys,
    /// The managed policies that some policy asks for as the permissions boundary of a request.
    pub(super) asked_boundaries: BTreeSet<ObjectId>,
    /// Whether some policy asks what a session is called.
    pub(super) asks_for_sessions: bool,
    /// The services' own keys, in lower case, that some policy asks for.
    pub(super) asked_of_sessions: BTreeSet<Arc<str>>,
    /// Whether some policy other than a trust policy asks what the token of an identity provider said.
    pub asks_for_tokens: bool,
    pub(super) service_control: BTreeMap<Arc<str>, Vec<Vec<DocumentId>>>,
    pub(super) resource_control: BTreeMap<Arc<str>, Vec<Vec<DocumentId>>>,
    /// The VPC endpoints, sorted by id.
    pub endpoints: Vec<Endpoint>,
}

/// Why the ground could not be laid: a policy of our own did not parse.
#[derive(Debug, thiserror::Error)]
#[error("a built-in policy does not parse: {0}")]
pub struct GroundError(#[from] crate::policy::PolicyError);

impl<'w> Ground<'w> {
    /// Prepares views of `world`.
    pub fn new(world: &'w World, kinds: &ResourceKinds) -> Result<Self, GroundError> {
        let allow_all = Policy::parse(
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
        )?;
        let mut missing = HashMap::default();
        let mut note = |source: &PolicySource| {
            if let PolicySource::Missing(arn) = source {
                missing.entry(arn.clone()).or_insert_with(|| match arn.starts_with("arn:") {
                    true => Gap(format!("the policy {arn:?} is not in the snapshot").into()),
                    // A gap that was reported where it was found.
                    false => Gap(arn.clone()),
                });
            }
        };
        for object in &world.objects {
            let (policies, boundary) = match &object.detail {
                Detail::User(user) => (&user.policies[..], user.boundary.as_ref()),
                Detail::Role(role) => (&role.policies[..], role.boundary.as_ref()),
                Detail::Group(policies) => (&policies[..], None),
                _ => continue,
            };
            policies.iter().for_each(|attached| note(&attached.source));
            boundary.into_iter().for_each(&mut note);
        }
        let mut service_control = BTreeMap::new();
        let mut resource_control = BTreeMap::new();
        if let Some(organization) = &world.organization {
            let here = world.accounts.iter().map(|account| &account.id);
            for id in here.chain(organization.accounts()) {
                if !service_control.contains_key(id) {
                    service_control.insert(id.clone(), organization.service_control_levels(id));
                    resource_control.insert(id.clone(), organization.resource_control_levels(id));
                }
            }
        }
        let unreadable = Gap("a policy document could not be read".into());
        let documents = world
            .documents
            .iter()
            .enumerate()
            .filter_map(|(at, document)| {
                let id = DocumentId(u32::try_from(at).unwrap_or(u32::MAX));
                Some((address(document.policy.as_ref().ok()?), id))
            })
            .collect();
        let unlisted = super::unlisted::unlisted(world, kinds);
        let tag_keys = TagKeys::of(world);
        let keys = tag_keys.objects();
        let not_before = world.accounts.iter().filter_map(|account| account.not_before).max();
        Ok(Self {
            world,
            documents,
            not_before,
            unlisted,
            keys,
            tag_keys,
            asked_boundaries: asked(world),
            asks_for_sessions: asks_for_sessions(world),
            asked_of_sessions: asked_keys(world, |key| !key.starts_with("aws:")),
            asks_for_tokens: asks_for_tokens(world),
            allow_all,
            missing,
            unreadable,
            service_control,
            resource_control,
            endpoints: endpoints(world),
        })
    }
}

impl Ground<'_> {
    /// Takes in objects that stand for what the question names and was not listed. Their ids follow
    /// those of the others that stand for something.
    pub fn also_unlisted(&mut self, objects: &[Object]) {
        self.unlisted.extend(objects.iter().cloned());
    }

    /// The objects that stand for kinds that were not listed, with their ids.
    pub fn unlisted(&self) -> impl Iterator<Item = (ObjectId, &Object)> {
        let first = self.world.objects.len();
        self.unlisted.iter().enumerate().map(move |(at, object)| (object_id(first + at), object))
    }

    /// The object of an id: of the snapshot, standing for what was not listed, or made by the
    /// attacker.
    pub fn object<'o>(&'o self, made: &'o [Object], id: ObjectId) -> Option<&'o Object> {
        let at = id.0 as usize;
        if let Some(object) = self.world.objects.get(at) {
            return Some(object);
        }
        let behind = at.checked_sub(self.world.objects.len())?;
        if let Some(object) = self.unlisted.get(behind) {
            return Some(object);
        }
        let behind = behind.checked_sub(self.unlisted.len())?;
        self.keys.get(behind).or_else(|| made.get(behind.checked_sub(self.keys.len())?))
    }

    /// The keys of tags that policies ask for.
    pub fn tag_keys(&self) -> &TagKeys {
        &self.tag_keys
    }

    /// The objects that stand for the keys of tags that policies ask for.
    pub fn tag_key_objects(&self) -> impl Iterator<Item = ObjectId> {
        let first = self.world.objects.len() + self.unlisted.len();
        (0..self.keys.len()).map(move |at| object_id(first + at))
    }

    /// The key of a tag that an object stands for.
    pub fn tag_key(&self, id: ObjectId) -> Option<TagKey> {
        let at = (id.0 as usize).checked_sub(self.world.objects.len() + self.unlisted.len())?;
        (at < self.keys.len()).then(|| TagKey(u32::try_from(at).unwrap_or(u32::MAX)))
    }

    /// The id of the object that the attacker makes next, after so many.
    pub fn next_made(&self, made: usize) -> ObjectId {
        object_id(self.world.objects.len() + self.unlisted.len() + self.keys.len() + made)
    }

    /// Every resource control policy in force somewhere, once each.
    pub fn resource_control_documents(&self) -> BTreeSet<DocumentId> {
        self.resource_control.values().flatten().flatten().copied().collect()
    }

    /// The document of the world that a policy is, if it is one.
    pub fn document_of(&self, policy: &Policy) -> Option<DocumentId> {
        self.documents.get(&address(policy)).copied()
    }
}

fn object_id(at: usize) -> ObjectId {
    ObjectId(u32::try_from(at).unwrap_or(u32::MAX))
}

/// Where a policy lies in memory, which tells it from every other as long as the world lives.
fn address(policy: &Policy) -> usize {
    std::ptr::from_ref(policy).addr()
}
