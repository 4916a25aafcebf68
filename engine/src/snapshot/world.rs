//! The world: everything a snapshot says, in the form the evaluator and the rules use.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::HashMap;

use super::index::Index;
use super::organization::Organization;
use super::symbolic::Symbolic;
use crate::policy::Policy;
use crate::residual::Gap;

/// The attribute of objects whose tags were not asked for: the gap. No attribute of the tables is
/// called so.
pub const TAGS_NOT_KNOWN: &str = "tags not known";

/// An account of the world, by position in [`World::accounts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountIndex(pub u32);

/// An object of the world, by position in [`World::objects`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub u32);

/// An interned policy document, by position in [`World::documents`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentId(pub u32);

/// Something the snapshot may know: known, or missing with the reason.
pub type Known<T> = Result<T, Gap>;

/// One AWS account.
#[derive(Clone, Debug)]
pub struct Account {
    /// Twelve digits.
    pub id: Arc<str>,
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: Arc<str>,
    /// A time before which the snapshot was not taken, in milliseconds since 1970: the latest at
    /// which one of its principals was created. `None` if no such time is known.
    pub not_before: Option<i64>,
    /// Regions with a folder in the snapshot, sorted.
    pub regions: Vec<Arc<str>>,
    /// Kinds of object that were not listed, by kind and region (`global` for global services, `*`
    /// for all Regions where no Region has a folder), with what is missing. A kind that is not here
    /// was collected. Instance profiles without a role are listed by `iam/list-instance-profiles`
    /// only, which is not required.
    pub uncollected: BTreeMap<(Arc<str>, Arc<str>), Gap>,
    /// Kinds of object that were not listed for one object that they live in (the tasks of a
    /// cluster, the role mappings of a domain), by kind and that object's ARN. For a question about
    /// that object alone this says more than `uncollected`, which has the kind for the whole Region
    /// as soon as one of its objects was left out.
    pub uncollected_within: BTreeMap<(Arc<str>, Arc<str>), Gap>,
}

/// A policy document together with the text it came from.
#[derive(Debug)]
pub struct Document {
    /// The compiled policy; `Err` when the text is no policy (reported as a gap as well).
    pub policy: Known<Policy>,
}

/// Where a principal's policy comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicySource {
    /// Inline, by policy name.
    Inline(Arc<str>),
    /// A managed policy.
    Managed(ObjectId),
    /// A managed policy that the snapshot does not hold, by ARN.
    Missing(Arc<str>),
}

/// A policy of a principal or group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attached {
    /// Inline or managed.
    pub source: PolicySource,
    /// Inline: its document. Managed: resolve through the policy's default version.
    pub inline: Option<DocumentId>,
}

/// A user's own things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// `AIDA...`
    pub unique_id: Arc<str>,
    /// Inline and managed policies, in file order.
    pub policies: Vec<Attached>,
    /// Groups it is in.
    pub groups: Vec<ObjectId>,
    /// The permissions boundary.
    pub boundary: Option<PolicySource>,
    /// How many access keys it has.
    pub access_keys: Known<u8>,
    /// Whether it has a console password.
    pub login_profile: Known<bool>,
}

/// A role's own things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// `AROA...`
    pub unique_id: Arc<str>,
    /// The trust policy; a gap if the snapshot has none.
    pub trust: Known<DocumentId>,
    /// Inline and managed policies, in file order.
    pub policies: Vec<Attached>,
    /// The permissions boundary.
    pub boundary: Option<PolicySource>,
    /// Instance profiles that hold it.
    pub profiles: Vec<ObjectId>,
}

/// A managed policy's versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedPolicy {
    /// Version id and document, in file order.
    pub versions: Vec<(Arc<str>, DocumentId)>,
    /// Position of the default version.
    pub default: usize,
    /// Whether AWS owns it.
    pub aws_managed: bool,
}

/// What an object is beyond name and attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// `iam:user`
    User(Box<User>),
    /// `iam:role`
    Role(Box<Role>),
    /// `iam:group`: its policies.
    Group(Vec<Attached>),
    /// `iam:policy`
    Policy(Box<ManagedPolicy>),
    /// `iam:instance-profile`: its roles.
    InstanceProfile(Vec<ObjectId>),
    /// Any other kind: what a loader table says is in `attributes`.
    Other,
    /// Stands for the objects of a kind that was not listed: the ARN has `{name}` where the name
    /// would be, and no attribute, policy or trust is known, for this reason.
    Unlisted(Gap),
    /// A caller that a question stands for; of no snapshot.
    Symbolic(Symbolic),
}

/// The policy of a resource, as far as the snapshot knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OwnPolicy {
    /// Its kind has no resource policy, or it is known to have none.
    #[default]
    Absent,
    /// This one.
    Present(DocumentId),
    /// Not asked: taken as none, and said in the result.
    NotAsked(Gap),
    /// Asked, but not known: access was denied, or what came could not be read.
    Unknown(Gap),
}

/// Anything with an ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// `service:type`, as in the loader tables: `iam:role`, `lambda:function`.
    pub kind: Arc<str>,
    /// Its ARN.
    pub arn: Arc<str>,
    /// Its name: the last part of the ARN that a user would call it by.
    pub name: Arc<str>,
    /// The account it is in. A managed policy that AWS owns is in no account: it is held once, with
    /// the first account (by id) whose details list it, or the first of its partition.
    pub account: AccountIndex,
    /// Its region; `None` for global services.
    pub region: Option<Arc<str>>,
    /// What the loader table takes from the responses: text values by attribute name. ARNs of
    /// other objects are how objects refer to each other.
    pub attributes: BTreeMap<Arc<str>, Known<Vec<Arc<str>>>>,
    /// Tags, sorted by key.
    pub tags: Vec<(Arc<str>, Arc<str>)>,
    /// Its resource policy (not a role's trust policy, which is in `detail`).
    pub policy: OwnPolicy,
    /// What IAM's own kinds have.
    pub detail: Detail,
}

/// Everything a snapshot says.
///
/// Invariant: `objects` are sorted by account, then kind, then ARN, and ARNs are unique; `by_arn`
/// maps each ARN to its object.
#[derive(Debug, Default)]
pub struct World {
    /// The accounts, sorted by id.
    pub accounts: Vec<Account>,
    /// The objects.
    pub objects: Vec<Object>,
    /// The documents, each once.
    pub documents: Vec<Document>,
    /// Objects by ARN.
    pub by_arn: HashMap<Arc<str>, ObjectId>,
    /// What was missing, skipped or not understood, for every report: sorted, without repetition.
    pub gaps: Vec<Gap>,
    /// The organization, if the snapshot has it.
    pub organization: Option<Organization>,
    /// Ways into the world; [`World::build_index`] makes it.
    pub index: Index,
}
