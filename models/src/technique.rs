//! The technique language: one known way for an attacker to gain something, as data.
//!
//! A technique is a Horn rule. *If* the attacker controls actors for whom these calls are
//! authorized, *and* the snapshot has these objects, *then* the attacker gains these facts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::gain::Gain;

/// One known way to gain something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Technique {
    /// Stable id, `service-what-it-does`: also the corpus case, the report line and the rule id.
    pub id: String,
    /// One line, imperative, for people.
    pub title: String,
    /// Family, for grouping in reports.
    pub category: Category,
    /// What must exist in the snapshot, bound in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<ObjectPattern>,
    /// Resources the attacker makes, with names of his choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new: Vec<NewObject>,
    /// The calls, in the order in which they are made.
    pub calls: Vec<CallOrChoice>,
    /// Other calls that hand a role over: each takes the place of those after `iam:PassRole`, which
    /// need not be there. Those of the catalogue come from `models/passed-roles.json`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ways: Vec<Alternative>,
    /// What the attacker has afterwards.
    pub gains: Vec<Gain>,
    /// The id of a technique with the same calls and a stronger gain: this one is only tried where
    /// that one is not authorized for the same actor and objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weaker_than: Option<String>,
    /// What has to happen that the attacker does not do, for example "somebody invokes the
    /// function": reported as an assumption of kind `event`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The session in which the role is used, where AWS says what its name is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Session>,
    /// Limits AWS sets, for people; also those that no rule uses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
    /// Pages to read, AWS's documentation first.
    pub references: Vec<String>,
    /// Names of this technique elsewhere (`pathfinding.cloud:lambda-001`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// MITRE ATT&CK technique id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attack: Option<String>,
    /// How bad it is that somebody can do this, where it differs from what is usual in its family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
}

/// A session that a service begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Session {
    /// The role.
    pub of: String,
    /// The session's name; `*` and `?` are wildcards.
    pub name: String,
    /// Condition keys that come with its credentials, with their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, String>,
}

impl Technique {
    /// How many of the calls come before those that a way takes the place of: up to the one that
    /// passes the role. `None` if no role is passed.
    pub fn before_ways(&self) -> Option<usize> {
        let passes = |item: &CallOrChoice| matches!(item, CallOrChoice::Call(call) if call.action == "iam:PassRole");
        self.calls.iter().position(passes).map(|at| at + 1)
    }

    /// How bad it is that somebody can do this who should not: as the technique says, or as is
    /// usual in its family. What it leads to in an account is the audit's to say.
    pub fn severity(&self) -> Severity {
        self.severity.unwrap_or(match self.category {
            Category::SelfEscalation
            | Category::PrincipalAccess
            | Category::NewPassrole
            | Category::CrossAccount => Severity::Critical,
            Category::ExistingResource
            | Category::GuardrailRemoval
            | Category::CredentialAccess => Severity::High,
            Category::ServiceDelegation | Category::ResourcePolicyEdit => Severity::Medium,
        })
    }
}

/// How bad it is that somebody can apply a technique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// A limited action through a service.
    Low,
    /// One resource, or fixed actions.
    Medium,
    /// Lifts a limit, or takes what happens to be there.
    High,
    /// Another principal, or more permissions for one's own.
    Critical,
}

/// Family of a technique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// Changes what a controlled principal may do.
    SelfEscalation,
    /// Gets another principal's credentials.
    PrincipalAccess,
    /// Makes a resource that runs under a passed role.
    NewPassrole,
    /// Uses a resource that already runs as a role.
    ExistingResource,
    /// A service acts with the role, within fixed limits.
    ServiceDelegation,
    /// Removes a deny, a boundary, or another guardrail.
    GuardrailRemoval,
    /// Reads credentials that lie about.
    CredentialAccess,
    /// Opens a resource through its own policy.
    ResourcePolicyEdit,
    /// Crosses accounts.
    CrossAccount,
}

/// An object of the snapshot that the technique needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ObjectPattern {
    /// What the technique calls it: `$role`.
    pub name: String,
    /// Its kind: `iam:role`, `lambda:function`.
    pub kind: String,
    /// Where its ARN is found: `$function.role`, an attribute of an object bound before. Without
    /// it every object of the kind is tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// An object bound before whose account and, if both have one, region it shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<String>,
    /// What must be true of its attributes, by attribute name. A value `$other` means that
    /// object's ARN, `$other.attribute` that object's attribute. Besides what its kind has, every
    /// object has the attribute `name`.
    #[serde(default, rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    pub where_: BTreeMap<String, Matcher>,
    /// Who must be able to assume this role, one of these: a service principal (the trust policy
    /// is evaluated, conditions included), or `$other`, a role bound before, whose own policies
    /// have to allow it as well. The attacker need not control that role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusts: Vec<String>,
}

/// What must be true of an attribute. An attribute that has several values matches if one does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Matcher {
    /// It has this value.
    Is(String),
    /// It has one of these values.
    OneOf(Vec<String>),
    /// A comparison.
    Compare(Comparison),
}

/// A comparison of an attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Comparison {
    /// It does not have this value.
    Not(String),
    /// It is a number below this.
    LessThan(i64),
    /// It is a number of at least this.
    AtLeast(i64),
    /// It has no value (`true`) or has one (`false`).
    Absent(bool),
    /// It matches this pattern, with `*` and `?`.
    Like(String),
}

/// A resource the attacker makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NewObject {
    /// What the technique calls it: `$function`.
    pub name: String,
    /// Its kind, which gives the ARN's form and the grammar of its name.
    pub kind: String,
    /// The object whose account and region it shares; without it the caller's account, and a
    /// region of the attacker's choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<String>,
    /// What a service calls it, its path before it, where that is not the attacker's to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<String>,
}

/// A call, or a choice between ways to go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CallOrChoice {
    /// One of these lists of calls.
    Choice(Choice),
    /// One call.
    Call(Box<Call>),
}

/// Alternatives for one requirement; the first that works is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Choice {
    /// The alternatives, simplest first. An empty list of calls needs nothing.
    pub any_of: Vec<Alternative>,
}

/// One alternative of a choice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Alternative {
    /// The calls of this alternative.
    #[serde(default)]
    pub calls: Vec<Call>,
    /// Resources that only this alternative makes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new: Vec<NewObject>,
    /// Objects that only this alternative needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<ObjectPattern>,
    /// What must be true of objects bound outside, in addition: `{"$user": {"access-keys": ...}}`.
    #[serde(default, rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    pub where_: BTreeMap<String, BTreeMap<String, Matcher>>,
    /// What has to happen that the attacker does not do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
}

/// A call that must be authorized.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Call {
    /// Who makes it. Calls with the same word are made by one and the same principal; different
    /// words may be different principals, all controlled by the attacker.
    #[serde(default = "attacker", skip_serializing_if = "is_attacker")]
    pub actor: String,
    /// `service:Name`.
    pub action: String,
    /// What it is checked on, each of which must be allowed: `$role`, `*`, an ARN with
    /// `{partition}`, `{region}`, `{account}`, or text around names:
    /// `$domain/_snapshot/$repository.name`. A `*` inside an ARN stands for itself: it is what AWS
    /// checks for a resource whose id AWS has yet to choose (`instance/*`). `{id}` is the name of
    /// something that no response shows, of the attacker's choice; several of them in a resource
    /// have `/` or `:` between them. It is the same in each resource that begins alike. `$$` is
    /// a `$`.
    pub resource: Resources,
    /// Condition keys that the call determines. A value `$role` means that object's ARN,
    /// `$object.attribute` its attribute; a list is a multivalued key. `{text}` is what the attacker
    /// makes a token say, `{id}` a name in it; one of them once in a value, where `federated` brings
    /// a token.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, ContextValue>,
    /// The tag that the call sets, to a value of the attacker's choice, or takes away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Box<TagInCall>>,
    /// The call is unsigned and brings a token of this identity provider (an ARN): only the policy
    /// of the resource decides, for whatever the token says. What it says beyond `context` is the
    /// attacker's choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub federated: Option<String>,
    /// Whether the identity provider accepts a token for any audience, because another call has made it
    /// do so. Otherwise it accepts those that the snapshot shows it has clients for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub any_audience: bool,
    /// The call is unsigned and brings a token of this user of IAM Identity Center, which whoever
    /// acts as the user has: no policy decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer: Option<String>,
    /// The call is not the attacker's: a service, or a session that he has begun, makes it for him as
    /// this principal (an ARN), which may do what control policies leave it.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub made_as: Option<String>,
    /// Access control of the resource's own that must permit the call as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission: Option<Permission>,
    /// For whom a service uses a role because of the call, as it says in `aws:SourceArn`: one of
    /// these. `*` where AWS's documentation does not say. Written as `resource` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Resources>,
    /// Whether what the call returns is needed: credentials, a URL, a session. A service that makes
    /// calls for the attacker without showing him their answers is of no use for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answer: bool,
}

impl Call {
    /// A call that the attacker makes, with nothing determined.
    pub(crate) fn by_attacker(action: &str, resource: Resources) -> Self {
        Self {
            actor: attacker(),
            action: action.to_owned(),
            resource,
            context: BTreeMap::new(),
            tags: None,
            federated: None,
            any_audience: false,
            bearer: None,
            made_as: None,
            permission: None,
            source: None,
            answer: false,
        }
    }
}

fn attacker() -> String {
    "attacker".to_owned()
}

fn is_attacker(actor: &String) -> bool {
    actor == "attacker"
}

/// One resource or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Resources {
    /// One.
    One(String),
    /// Several; all must be allowed.
    Many(Vec<String>),
}

impl Resources {
    /// As a list.
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(resource) => std::slice::from_ref(resource),
            Self::Many(resources) => resources,
        }
    }
}

/// The value of a condition key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ContextValue {
    /// A single-valued key.
    One(String),
    /// A multivalued key.
    Many(Vec<String>),
    /// The call may carry any one of these values (AWS documents more than one, or none).
    AnyOf {
        /// The values.
        #[serde(rename = "any-of")]
        any_of: Vec<String>,
    },
    /// The key is not in the request.
    Absent {
        /// Always `true`.
        absent: bool,
    },
}

/// A tag in a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TagInCall {
    /// What is tagged.
    pub on: String,
    /// The tag's key, an object of kind `aws:tag-key`.
    pub key: String,
    /// What the call does with it.
    #[serde(default, skip_serializing_if = "TagChange::is_set")]
    pub change: TagChange,
}

/// What a call does with a tag.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum TagChange {
    /// Sets it, on what is tagged.
    #[default]
    Set,
    /// Takes it away.
    Remove,
    /// Sets it for a session of the role.
    Session,
}

impl TagChange {
    fn is_set(&self) -> bool {
        *self == Self::Set
    }
}

/// Access control inside a service, beside IAM's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Permission {
    /// The OpenSearch domain whose own roles must grant it.
    pub domain: String,
    /// The permission, as OpenSearch names it: `cluster:admin/repository/put`.
    pub grants: String,
}
