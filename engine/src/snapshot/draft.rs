//! An account while it is being read: objects that refer to each other by ARN, documents by the
//! account's own numbers.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::documents::Documents;
use super::error::SnapshotError;
use super::world::{
    Account, AccountIndex, Attached, Detail, Known, Object, OwnPolicy, PolicySource,
};
use crate::residual::Gap;

/// One account's part of the world.
#[derive(Debug)]
pub(super) struct AccountDraft {
    pub(super) account: Account,
    /// Managed policies are [`PolicySource::Missing`] until all accounts are there.
    pub(super) objects: Vec<ObjectDraft>,
    pub(super) documents: Documents,
    pub(super) gaps: Vec<Gap>,
    /// Accounts whose entries stand in the same file, each loaded by itself.
    pub(super) others: BTreeSet<Arc<str>>,
    /// Files that could not be used.
    pub(super) damaged: Vec<SnapshotError>,
    /// Texts that recur: policy ARNs, tag keys, attribute values.
    pub(super) texts: Texts,
}

/// An object, and what it refers to by ARN.
#[derive(Debug)]
pub(super) struct ObjectDraft {
    pub(super) object: Object,
    pub(super) refers_to: References,
    /// Attributes of which a response says what cannot be read, and nothing else gives a value.
    pub(super) misread: BTreeSet<Arc<str>>,
}

impl ObjectDraft {
    pub(super) fn new(object: Object) -> Self {
        Self { object, refers_to: References::None, misread: BTreeSet::new() }
    }

    /// A value replaces what is unknown or empty, a gap replaces nothing; and that one response says
    /// nothing does not make empty what cannot be read in another.
    pub(super) fn learn(&mut self, name: Arc<str>, known: Known<Vec<Arc<str>>>) {
        let better = match (self.object.attributes.get(&name), &known) {
            (None, _) => true,
            (Some(Err(_)), Ok(new)) => !new.is_empty() || !self.misread.contains(&name),
            (Some(Ok(old)), Ok(new)) => old.is_empty() && !new.is_empty(),
            _ => false,
        };
        if better {
            self.misread.remove(&name);
            self.object.attributes.insert(name, known);
        }
    }

    /// A response says something of the attribute that cannot be read: it is not known, unless
    /// another gave or gives it a value.
    pub(super) fn misread(&mut self, name: Arc<str>, why: Gap) {
        let known = self.object.attributes.get(&name);
        if !matches!(known, Some(Ok(values)) if !values.is_empty()) {
            self.object.attributes.insert(name.clone(), Err(why));
            self.misread.insert(name);
        }
    }
}

/// What an object refers to by ARN.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum References {
    /// Nothing beyond attributes and policies.
    None,
    /// A user's groups.
    Groups(Vec<Arc<str>>),
    /// A role's instance profiles.
    Profiles(Vec<Arc<str>>),
}

/// Texts, each held once.
#[derive(Debug, Default)]
pub(super) struct Texts(HashSet<Arc<str>>);

impl Texts {
    pub(super) fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return known.clone();
        }
        let shared: Arc<str> = text.into();
        self.0.insert(shared.clone());
        shared
    }
}

/// The attributes of an object under construction.
pub(super) type Attributes = BTreeMap<Arc<str>, Known<Vec<Arc<str>>>>;

impl AccountDraft {
    pub(super) fn new(id: &str, partition: &str) -> Self {
        Self {
            account: Account {
                id: id.into(),
                partition: partition.into(),
                not_before: None,
                regions: Vec::new(),
                uncollected: BTreeMap::new(),
                uncollected_within: BTreeMap::new(),
            },
            objects: Vec::new(),
            documents: Documents::default(),
            gaps: Vec::new(),
            others: BTreeSet::new(),
            damaged: Vec::new(),
            texts: Texts::default(),
        }
    }

    /// Adds an object of a global service.
    pub(super) fn add(
        &mut self,
        kind: &str,
        arn: &str,
        name: &str,
        attributes: Attributes,
        detail: Detail,
    ) -> &mut ObjectDraft {
        let kind = self.texts.share(kind);
        self.objects.push(ObjectDraft::new(Object {
            kind,
            arn: arn.into(),
            name: name.into(),
            account: AccountIndex(0),
            region: None,
            attributes,
            tags: Vec::new(),
            policy: OwnPolicy::Absent,
            detail,
        }));
        let last = self.objects.len() - 1;
        #[expect(clippy::indexing_slicing, reason = "pushed just above")]
        &mut self.objects[last]
    }
}

/// The policies of an object, if its kind has any.
pub(super) fn policies_mut(detail: &mut Detail) -> Option<&mut Vec<Attached>> {
    match detail {
        Detail::User(user) => Some(&mut user.policies),
        Detail::Role(role) => Some(&mut role.policies),
        Detail::Group(policies) => Some(policies),
        _ => None,
    }
}

/// The permissions boundary of an object, if it has one.
pub(super) fn boundary_mut(detail: &mut Detail) -> Option<&mut PolicySource> {
    match detail {
        Detail::User(user) => user.boundary.as_mut(),
        Detail::Role(role) => role.boundary.as_mut(),
        _ => None,
    }
}
