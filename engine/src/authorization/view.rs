//! The world as the evaluator sees it: a snapshot with the attacker's edits laid over it, and
//! which policies apply to a caller and a resource in it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use escalade_models::ResourceKinds;

use super::edits::{Edits, OrganizationEdit, TagEdit, tag_variable};
use super::endpoint_policy::{Endpoint, endpoints};
use super::tag_keys::TagKeys;
use super::{Applicable, Caller, InForce, Input, Origin, ResourcePolicy, TagKey};
use crate::policy::{Policy, Principal};
use crate::residual::Gap;
use crate::snapshot::{
    Attached, ControlPolicyKind, Detail, DocumentId, Known, Object, ObjectId, OrganizationChanges,
    OwnPolicy, PolicySource, Role, World,
};

/// The name under which a policy that the attacker writes is shown.
pub const WRITTEN_POLICY: &str = "policy written by the attacker";

/// The services whose resources resource control policies bind.
///
/// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html#rcp-supported-services>;
/// not AWS managed keys: <https://docs.aws.amazon.com/kms/latest/developerguide/resource-control-policies.html>.
const RESOURCE_CONTROLLED: [&str; 11] = [
    "aoss",
    "cognito-identity",
    "cognito-idp",
    "dynamodb",
    "ecr",
    "kms",
    "logs",
    "s3",
    "secretsmanager",
    "sqs",
    "sts",
];

/// What views of one world share: policies that the attacker writes, and gaps for policies that
/// the snapshot names but does not hold.
#[derive(Debug)]
pub struct Ground<'w> {
    /// The snapshot's world.
    pub world: &'w World,
    /// A policy that allows everything.
    pub allow_all: Policy,
    missing: HashMap<Arc<str>, Gap>,
    unreadable: Gap,
    /// By where the policy lies in memory.
    documents: HashMap<usize, DocumentId>,
    /// A time before which no call is made, in milliseconds since 1970.
    pub not_before: Option<i64>,
    /// Objects that stand for kinds that were not listed: their ids follow the world's.
    unlisted: Vec<Object>,
    /// Keys of tags that policies ask for, as objects: their ids follow those of the unlisted.
    keys: Vec<Object>,
    tag_keys: TagKeys,
    service_control: BTreeMap<Arc<str>, Vec<Vec<DocumentId>>>,
    resource_control: BTreeMap<Arc<str>, Vec<Vec<DocumentId>>>,
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
        let mut missing = HashMap::new();
        let mut note = |source: &PolicySource| {
            if let PolicySource::Missing(arn) = source {
                missing.entry(arn.clone()).or_insert_with(|| {
                    Gap(format!("the policy {arn:?} is not in the snapshot").into())
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
            allow_all,
            missing,
            unreadable,
            service_control,
            resource_control,
            endpoints: endpoints(world),
        })
    }
}

/// The world with edits and with objects that the attacker has made.
#[derive(Clone, Copy)]
pub struct View<'v, 'w> {
    /// The snapshot's side.
    pub ground: &'v Ground<'w>,
    /// Objects that exist only since the attacker made them; ids go on behind the world's.
    pub made: &'v [Object],
    /// The edits.
    pub edits: &'v Edits,
}

fn object_id(at: usize) -> ObjectId {
    ObjectId(u32::try_from(at).unwrap_or(u32::MAX))
}

/// Where a policy lies in memory, which tells it from every other as long as the world lives.
fn address(policy: &Policy) -> usize {
    std::ptr::from_ref(policy).addr()
}

impl Ground<'_> {
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

impl<'v> View<'v, '_> {
    /// The object of an id, from the snapshot or made by the attacker.
    pub fn object(&self, id: ObjectId) -> Option<&'v Object> {
        self.ground.object(self.made, id)
    }

    /// The values of an attribute, empty if the object has none: what a loader took from the
    /// responses, the name, and for IAM's own kinds what they are connected with.
    pub fn attribute(&self, object: &Object, name: &str) -> Known<Vec<Arc<str>>> {
        let arn = |id: &ObjectId| self.object(*id).map(|object| object.arn.clone());
        let managed = |policies: &[Attached]| -> Vec<Arc<str>> {
            policies
                .iter()
                .filter_map(|attached| match &attached.source {
                    PolicySource::Managed(policy) => arn(policy),
                    PolicySource::Missing(arn) => Some(arn.clone()),
                    PolicySource::Inline(_) => None,
                })
                .collect()
        };
        let boundary = |boundary: &Option<PolicySource>| -> Vec<Arc<str>> {
            match boundary {
                Some(PolicySource::Managed(policy)) => arn(policy).into_iter().collect(),
                Some(PolicySource::Missing(arn)) => vec![arn.clone()],
                Some(PolicySource::Inline(_)) | None => Vec::new(),
            }
        };
        Ok(match (name, &object.detail) {
            ("policies", Detail::User(user)) => managed(&user.policies),
            ("policies", Detail::Role(role)) => managed(&role.policies),
            ("policies", Detail::Group(policies)) => managed(policies),
            ("groups", Detail::User(user)) => user.groups.iter().filter_map(arn).collect(),
            ("boundary", Detail::User(user)) => boundary(&user.boundary),
            ("boundary", Detail::Role(role)) => boundary(&role.boundary),
            ("denies", Detail::Group(policies)) => {
                let denies = policies.iter().any(|attached| {
                    let in_force = match (&attached.source, attached.inline) {
                        (PolicySource::Inline(_), Some(document)) => self.document(document).ok(),
                        (source, _) => self.source_policy(source),
                    };
                    in_force.is_some_and(Policy::has_deny)
                });
                if denies { vec!["true".into()] } else { Vec::new() }
            }
            ("mfa", Detail::User(_))
                if !self.edits.no_mfa.is_empty()
                    && self
                        .ground
                        .world
                        .by_arn
                        .get(&object.arn)
                        .is_some_and(|id| self.edits.no_mfa.contains(id)) =>
            {
                Vec::new()
            }
            ("inline-policies", Detail::Role(role)) => {
                let inline = |attached: &Attached| match &attached.source {
                    PolicySource::Inline(name) => Some(name.clone()),
                    PolicySource::Managed(_) | PolicySource::Missing(_) => None,
                };
                role.policies.iter().filter_map(inline).collect()
            }
            ("profiles", Detail::Role(role)) => role.profiles.iter().filter_map(arn).collect(),
            ("absent-saml-provider", Detail::Role(role)) => {
                return self.absent_saml_providers(object, role);
            }
            ("oidc-providers", Detail::Role(role)) => return self.oidc_providers(object, role),
            ("account", _) => self.account_of(object).map(Arc::from).into_iter().collect(),
            _ => return object.attribute(name),
        })
    }

    /// The identity providers of its own account that a role trusts, of one kind.
    fn trusted_providers(
        &self,
        object: &Object,
        role: &Role,
        kind: &str,
    ) -> Known<BTreeSet<Arc<str>>> {
        let trust = self.document(*role.trust.as_ref().map_err(Gap::clone)?).map_err(Gap::clone)?;
        let of_account = format!(":iam::{}:{kind}/", self.account_of(object).unwrap_or(""));
        Ok(trust
            .statements()
            .iter()
            .filter_map(|statement| statement.principals())
            .flat_map(|principals| principals.named.iter())
            .filter_map(|principal| match principal {
                Principal::Federated(arn) if arn.contains(&of_account) => Some(Arc::from(&**arn)),
                _ => None,
            })
            .collect())
    }

    /// What is missing if objects of a kind of IAM's were not listed in an object's account.
    fn not_listed(&self, object: &Object, kind: &str) -> Option<&Gap> {
        let account = self.ground.world.accounts.get(object.account.0 as usize)?;
        account.uncollected.get(&(kind.into(), "global".into()))
    }

    /// The SAML providers that a role trusts and that are not there.
    fn absent_saml_providers(&self, object: &Object, role: &Role) -> Known<Vec<Arc<str>>> {
        let mut absent = self.trusted_providers(object, role, "saml-provider")?;
        absent.retain(|arn| !self.ground.world.by_arn.contains_key(arn));
        match self.not_listed(object, "iam:saml-provider") {
            Some(gap) if !absent.is_empty() => Err(gap.clone()),
            _ => Ok(absent.into_iter().collect()),
        }
    }

    /// The OpenID Connect providers that a role trusts, without those that are known not to be
    /// there.
    fn oidc_providers(&self, object: &Object, role: &Role) -> Known<Vec<Arc<str>>> {
        let mut there = self.trusted_providers(object, role, "oidc-provider")?;
        if self.not_listed(object, "iam:oidc-provider").is_none() {
            there.retain(|arn| self.ground.world.by_arn.contains_key(arn));
        }
        Ok(there.into_iter().collect())
    }

    /// Whether a role trusts an identity provider whose ARN begins so.
    pub fn trusts_provider(&self, role: ObjectId, start: &str) -> bool {
        let Some(object) = self.object(role) else { return false };
        let Detail::Role(detail) = &object.detail else { return false };
        ["saml-provider", "oidc-provider"].into_iter().any(|kind| {
            self.trusted_providers(object, detail, kind)
                .is_ok_and(|providers| providers.iter().any(|arn| arn.starts_with(start)))
        })
    }

    /// The document of a managed policy, if the snapshot holds it.
    fn source_policy(&self, source: &PolicySource) -> Option<&'v Policy> {
        match source {
            PolicySource::Managed(id) => self.managed(*id, *id)?.policy.ok(),
            _ => None,
        }
    }

    /// The account id of an object.
    pub fn account_of(&self, object: &Object) -> Option<&'v str> {
        self.ground.world.accounts.get(object.account.0 as usize).map(|account| &*account.id)
    }

    /// Who calls when this principal does. An internal user of an OpenSearch domain has no IAM
    /// identity: to IAM its requests are unsigned.
    pub fn caller(&self, principal: &Object) -> Option<Caller> {
        match &*principal.kind {
            "iam:user" => Some(Caller::User(principal.arn.clone())),
            "iam:role" => Some(Caller::Role(principal.arn.clone())),
            "opensearch:internal-user" => Some(Caller::Anonymous),
            _ => None,
        }
    }

    fn document(&self, id: DocumentId) -> Result<&'v Policy, &'v Gap> {
        match self.ground.world.documents.get(id.0 as usize) {
            Some(document) => document.policy.as_ref(),
            None => Err(&self.ground.unreadable),
        }
    }

    fn in_force(&self, id: DocumentId, name: &'v str, origin: Origin) -> InForce<'v> {
        InForce { policy: self.document(id), name, origin }
    }

    fn written(&self) -> InForce<'v> {
        InForce {
            policy: Ok(&self.ground.allow_all),
            name: WRITTEN_POLICY,
            origin: Origin::Elsewhere,
        }
    }

    /// A managed policy of a holder as it now stands.
    fn managed(&self, id: ObjectId, holder: ObjectId) -> Option<InForce<'v>> {
        if self.edits.text.contains(&id) {
            return Some(self.written());
        }
        let object = self.object(id)?;
        let Detail::Policy(policy) = &object.detail else { return None };
        let at = self.edits.version.get(&id).copied().unwrap_or(policy.default);
        let origin = Origin::Held { holder, managed: Some(id) };
        Some(match policy.versions.get(at) {
            Some((_, document)) => self.in_force(*document, &object.name, origin),
            None => InForce { policy: Err(&self.ground.unreadable), name: &object.name, origin },
        })
    }

    fn source(&self, source: &'v PolicySource, holder: ObjectId) -> Option<InForce<'v>> {
        match source {
            PolicySource::Managed(id) => self.managed(*id, holder),
            PolicySource::Missing(arn) => Some(InForce {
                policy: Err(self.ground.missing.get(arn).unwrap_or(&self.ground.unreadable)),
                name: arn,
                origin: Origin::Held { holder, managed: None },
            }),
            PolicySource::Inline(_) => None,
        }
    }

    /// The policies of one holder (user, role or group) as they now stand, group policies of users
    /// not included.
    fn held(
        &self,
        id: ObjectId,
        holder: &'v Object,
        policies: &'v [Attached],
        out: &mut Vec<InForce<'v>>,
    ) {
        let detached = self.edits.detached.get(&id);
        for attached in policies {
            match &attached.source {
                PolicySource::Inline(name) => {
                    let gone = detached.is_some_and(|set| {
                        set.iter().any(|policy| {
                            self.object(*policy).is_some_and(|policy| {
                                &*policy.kind == "iam:inline-policy"
                                    && *policy.arn == *format!("{}#inline/{name}", holder.arn)
                            })
                        })
                    });
                    if !gone && let Some(document) = attached.inline {
                        let origin = Origin::Held { holder: id, managed: None };
                        out.push(self.in_force(document, name, origin));
                    }
                }
                source @ PolicySource::Managed(policy) => {
                    if !detached.is_some_and(|set| set.contains(policy)) {
                        out.extend(self.source(source, id));
                    }
                }
                source @ PolicySource::Missing(_) => out.extend(self.source(source, id)),
            }
        }
        if let Some(added) = self.edits.attached.get(&id) {
            out.extend(added.iter().filter_map(|policy| self.managed(*policy, id)));
        }
        if self.edits.inline.contains(&id) {
            out.push(self.written());
        }
    }

    /// The groups a user is now in, in order.
    pub fn groups(&self, id: ObjectId) -> Vec<ObjectId> {
        let Some(Detail::User(user)) = self.object(id).map(|object| &object.detail) else {
            return Vec::new();
        };
        let left = self.edits.left.get(&id);
        let mut groups: BTreeSet<ObjectId> = user
            .groups
            .iter()
            .copied()
            .filter(|group| !left.is_some_and(|set| set.contains(group)))
            .collect();
        groups.extend(self.edits.joined.get(&id).into_iter().flatten());
        groups.into_iter().collect()
    }

    /// The identity policies of a user or role as they now stand, those of its groups included.
    pub fn identity(&self, id: ObjectId) -> Vec<InForce<'v>> {
        let mut out = Vec::new();
        let Some(principal) = self.object(id) else { return out };
        match &principal.detail {
            Detail::User(user) => {
                self.held(id, principal, &user.policies, &mut out);
                for group in self.groups(id) {
                    if let Some(object) = self.object(group)
                        && let Detail::Group(policies) = &object.detail
                    {
                        self.held(group, object, policies, &mut out);
                    }
                }
            }
            Detail::Role(role) => self.held(id, principal, &role.policies, &mut out),
            _ => {}
        }
        out
    }

    /// The permissions boundary of a user or role as it now stands.
    pub fn boundary(&self, id: ObjectId) -> Option<InForce<'v>> {
        if self.edits.no_boundary.contains(&id) {
            return None;
        }
        match &self.object(id)?.detail {
            Detail::User(user) => user.boundary.as_ref().and_then(|source| self.source(source, id)),
            Detail::Role(role) => role.boundary.as_ref().and_then(|source| self.source(source, id)),
            _ => None,
        }
    }

    fn levels(
        &self,
        levels: Option<&'v Vec<Vec<DocumentId>>>,
        name: &'v str,
    ) -> Vec<Vec<InForce<'v>>> {
        levels
            .into_iter()
            .flatten()
            .map(|level| {
                let of = |document: &DocumentId| {
                    self.in_force(*document, name, Origin::Organization(*document))
                };
                level.iter().map(of).collect()
            })
            .collect()
    }

    /// What the edits make of the organization.
    fn organization_changes(&self) -> OrganizationChanges {
        let mut out = OrganizationChanges::default();
        let name = |id: ObjectId| self.object(id).map(|object| object.name.clone());
        for edit in &self.edits.organization {
            match *edit {
                OrganizationEdit::PolicyText(policy) => out.rewritten.extend(name(policy)),
                OrganizationEdit::PolicyDetached(target, policy) => {
                    out.detached.extend(name(target).zip(name(policy)));
                }
                OrganizationEdit::PolicyAttached(target, policy) => {
                    out.attached.extend(name(target).zip(name(policy)));
                }
                OrganizationEdit::PoliciesOff(kind) => {
                    out.off.insert(kind);
                }
                OrganizationEdit::Left(account) => {
                    let account = self.ground.world.accounts.get(account.0 as usize);
                    out.left.extend(account.map(|account| account.id.clone()));
                }
                OrganizationEdit::Moved(account, parent) => {
                    out.moved.extend(name(account).zip(name(parent)));
                }
            }
        }
        out
    }

    /// The levels of one kind of control policy after the edits; `None` if there are no edits.
    fn changed_levels(
        &self,
        account: &str,
        kind: ControlPolicyKind,
        name: &'v str,
    ) -> Option<Vec<Vec<InForce<'v>>>> {
        let organization = self.ground.world.organization.as_ref()?;
        if self.edits.organization.is_empty() {
            return None;
        }
        let levels = organization.changed_levels(account, kind, &self.organization_changes());
        let in_force = |document: Option<DocumentId>| match document {
            Some(document) => self.in_force(document, name, Origin::Organization(document)),
            None => self.written(),
        };
        Some(
            levels
                .into_iter()
                .filter(|level| {
                    kind == ControlPolicyKind::ServiceControlPolicy || !level.is_empty()
                })
                .map(|level| level.into_iter().map(in_force).collect())
                .collect(),
        )
    }

    /// Whether an account is in an organization after all.
    pub fn has_left(&self, account: &str) -> bool {
        self.edits.organization.iter().any(|edit| {
            matches!(edit, OrganizationEdit::Left(left)
                if self.ground.world.accounts.get(left.0 as usize).is_some_and(|a| &*a.id == account))
        })
    }

    /// Service control policies that bind principals of the account, by level.
    pub fn service_control(&self, account: &str) -> Vec<Vec<InForce<'v>>> {
        let kind = ControlPolicyKind::ServiceControlPolicy;
        if let Some(levels) = self.changed_levels(account, kind, "service control policy") {
            return levels;
        }
        self.levels(self.ground.service_control.get(account), "service control policy")
    }

    /// Resource control policies that bind resources of the account in a call, by level.
    ///
    /// - `action`: in lower case.
    /// - `object`: the resource, if the snapshot has it.
    pub fn resource_control(
        &self,
        account: &str,
        action: &str,
        object: Option<ObjectId>,
    ) -> Vec<Vec<InForce<'v>>> {
        let service = action.split(':').next().unwrap_or_default();
        let managed_by_aws = || {
            object.and_then(|id| self.object(id)).is_some_and(|object| {
                matches!(object.attribute("manager"), Ok(who) if who.iter().any(|w| **w == *"AWS"))
            })
        };
        if !RESOURCE_CONTROLLED.contains(&service) || (service == "kms" && managed_by_aws()) {
            return Vec::new();
        }
        self.resource_control_levels(account)
    }

    /// Resource control policies attached above the resources of an account, by level.
    pub fn resource_control_levels(&self, account: &str) -> Vec<Vec<InForce<'v>>> {
        let kind = ControlPolicyKind::ResourceControlPolicy;
        if let Some(levels) = self.changed_levels(account, kind, "resource control policy") {
            return levels;
        }
        self.levels(self.ground.resource_control.get(account), "resource control policy")
    }

    /// The policy of a resource. A role's is its trust policy; `written` stands in for one that
    /// the attacker has edited.
    pub fn own_policy(&self, id: ObjectId, written: Option<&'v Policy>) -> ResourcePolicy<'v> {
        let Some(object) = self.object(id) else { return ResourcePolicy::Absent };
        if let Detail::Role(role) = &object.detail {
            if self.edits.trust.contains(&id)
                && let Some(policy) = written
            {
                return ResourcePolicy::Present(InForce {
                    policy: Ok(policy),
                    name: WRITTEN_POLICY,
                    origin: Origin::Elsewhere,
                });
            }
            return match &role.trust {
                Ok(document) => ResourcePolicy::Present(self.in_force(
                    *document,
                    "trust policy",
                    Origin::Own(id),
                )),
                Err(gap) => ResourcePolicy::Unknown(gap),
            };
        }
        if self.edits.no_resource_policy.contains(&id) {
            return ResourcePolicy::Absent;
        }
        if self.edits.resource_policy.contains(&id)
            && let Some(policy) = written
        {
            return ResourcePolicy::Present(InForce {
                policy: Ok(policy),
                name: WRITTEN_POLICY,
                origin: Origin::Elsewhere,
            });
        }
        match &object.policy {
            OwnPolicy::Absent | OwnPolicy::NotAsked(_) => ResourcePolicy::Absent,
            OwnPolicy::Present(document) => ResourcePolicy::Present(self.in_force(
                *document,
                "resource policy",
                Origin::Own(id),
            )),
            OwnPolicy::Unknown(gap) => ResourcePolicy::Unknown(gap),
        }
    }

    /// The policy of a resource that this action, in lower case, is checked against: a role's
    /// trust policy only decides who may assume it, and other policies only govern actions of
    /// their own service.
    pub fn governing_policy(
        &self,
        action: &str,
        id: ObjectId,
        written: Option<&'v Policy>,
    ) -> ResourcePolicy<'v> {
        let kind = self.object(id).map_or("", |object: &Object| &*object.kind);
        if governs(kind, action) { self.own_policy(id, written) } else { ResourcePolicy::Absent }
    }

    /// The value of an object's tag as it now stands.
    ///
    /// - `key`: in lower case; tag keys in condition keys are compared without regard to case.
    pub fn tag(&self, id: ObjectId, object: &Object, key: &str) -> Input {
        if let Some(at) = self.ground.tag_keys.find(key) {
            match self.edits.tags.get(&(id, at)) {
                Some(TagEdit::Chosen) => return self.chosen_tag(object, at, false),
                Some(TagEdit::Gone) => return Input::Absent,
                None => {}
            }
        }
        object
            .tags
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(key) || own.to_lowercase() == key)
            .map_or(Input::Absent, |(_, value)| Input::One(value.clone()))
    }

    /// The value of a tag of a principal: what its session was given comes before its own.
    pub fn principal_tag(&self, id: ObjectId, object: &Object, key: &str) -> Input {
        match self.ground.tag_keys.find(key) {
            Some(at) if self.edits.session_tags.contains(&(id, at)) => {
                self.chosen_tag(object, at, true)
            }
            _ => self.tag(id, object, key),
        }
    }

    fn chosen_tag(&self, object: &Object, key: TagKey, session: bool) -> Input {
        let name = self.ground.tag_keys.name(key).unwrap_or_default();
        let variable = tag_variable(&object.arn, name, session);
        Input::Free { variable, certain: true }
    }

    /// Everything that applies when `principal` calls, except the resource's side.
    pub fn applicable(&self, principal: ObjectId) -> Applicable<'v> {
        let account = self.object(principal).and_then(|object| self.account_of(object));
        let unsigned =
            self.object(principal).is_some_and(|o| &*o.kind == "opensearch:internal-user");
        Applicable {
            identity: self.identity(principal),
            boundary: self.boundary(principal),
            session: None,
            service_control: match account {
                Some(account) if !unsigned => self.service_control(account),
                _ => Vec::new(),
            },
            resource_control: Vec::new(),
            resource: ResourcePolicy::Absent,
            endpoints: if unsigned { &[] } else { &self.ground.endpoints },
        }
    }
}

/// Whether an object's own policy governs an action, in lower case: a role's trust policy only
/// decides who may assume it, and other policies only govern actions of their own service.
pub fn governs(kind: &str, action: &str) -> bool {
    let service = action.split(':').next().unwrap_or_default();
    match kind.split(':').next().unwrap_or_default() {
        "iam" => kind == "iam:role" && service == "sts",
        "opensearch" => service == "es",
        own => service == own,
    }
}
