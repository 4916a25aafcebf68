//! What applying a rule to objects gives.

use std::collections::BTreeMap;
use std::sync::Arc;

use escalade_models::TagChange;

use super::binding::{Binding, Reader, Text};
use super::mandate::Mandate;
use super::new_names::PLAIN;
use super::rule::{Expression, Part, RuleGain};
use crate::authorization::{Edit, OrganizationEdit};
use crate::residual::Gap;
use crate::snapshot::{
    AccountIndex, Attached, Detail, Object, ObjectId, OwnPolicy, PolicySource, Role, User, World,
};

/// A service acts with a role on the attacker's behalf, within fixed actions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Delegation {
    /// The role.
    pub role: ObjectId,
    /// What the service does.
    pub mandate: Mandate,
    /// The resource through which.
    pub through: Arc<str>,
    /// What the actions are limited to, as ARN patterns. Empty: whatever the role may reach.
    pub resources: Vec<Arc<str>>,
}

/// One thing gained.
#[derive(Clone, Debug)]
pub enum Gained {
    /// Acting as this principal.
    Holds(ObjectId),
    /// This edit is made.
    Edited(Edit),
    /// Any user may be put into this group.
    Joinable(ObjectId),
    /// A service acts with a role.
    Delegated(Delegation),
    /// An object exists that did not.
    Made(Box<Object>),
    /// Acting as a user or role that did not exist: that may do everything within its boundary, or as
    /// a member of a group what that may do, or as an internal user everything in an OpenSearch domain.
    Principal(Box<Object>),
    /// Everything inside this OpenSearch domain.
    DomainAdministration(ObjectId),
    /// An identity provider in this account whose tokens are the attacker's to write.
    IdentityProvider(AccountIndex),
}

/// What a rule gives under a complete binding, in the order of the technique.
pub(super) fn gains(reader: &Reader<'_, '_>, binding: &Binding) -> Vec<Gained> {
    reader.rule.gains.iter().filter_map(|gain| gained(reader, binding, gain)).collect()
}

fn gained(reader: &Reader<'_, '_>, binding: &Binding, gain: &RuleGain) -> Option<Gained> {
    let id = |slot: &usize| binding.objects.get(*slot).copied();
    Some(match gain {
        RuleGain::Credentials(slot) => Gained::Holds(id(slot)?),
        RuleGain::InlinePolicy(slot) => Gained::Edited(Edit::InlinePolicy(id(slot)?)),
        RuleGain::PolicyText(slot) => Gained::Edited(Edit::PolicyText(id(slot)?)),
        RuleGain::DefaultVersion(slot) => {
            let version = reader.view.object(id(slot)?)?;
            let (policy, at) = version_of(reader, version)?;
            Gained::Edited(Edit::DefaultVersion(policy, at))
        }
        RuleGain::AttachedPolicy(holder, policy) => {
            Gained::Edited(Edit::Attached(id(holder)?, by_arn(reader, binding, policy)?))
        }
        RuleGain::Membership(user, group) if reader.rule.is_deferred(*user) => {
            Gained::Joinable(id(group)?)
        }
        RuleGain::Membership(user, group) => Gained::Edited(Edit::Member(id(user)?, id(group)?)),
        RuleGain::TrustPolicy(slot) => Gained::Edited(Edit::TrustPolicy(id(slot)?)),
        RuleGain::NoBoundary(slot) => Gained::Edited(Edit::NoBoundary(id(slot)?)),
        RuleGain::DetachedPolicy(holder, policy) => {
            Gained::Edited(Edit::Detached(id(holder)?, id(policy)?))
        }
        RuleGain::LeftGroup(user, group) => Gained::Edited(Edit::Left(id(user)?, id(group)?)),
        RuleGain::Delegation { role, mandate, through, resources } => {
            Gained::Delegated(Delegation {
                role: id(role)?,
                mandate: mandate.clone(),
                through: super::search::shown(reader, binding, through),
                resources: resources
                    .iter()
                    .filter_map(|resource| match reader.text(binding, resource) {
                        Ok(Text::Literal(text)) => Some(text),
                        Ok(Text::Template(prefix, _, suffix)) => {
                            Some(format!("{prefix}*{suffix}").into())
                        }
                        Err(_) => None,
                    })
                    .collect(),
            })
        }
        RuleGain::Object(kind, attributes) => {
            Gained::Made(Box::new(made(reader, binding, kind, attributes)?))
        }
        RuleGain::NewPrincipal(new, boundary) => {
            let boundary = match boundary {
                Some(boundary) => Some(tie(reader, id(boundary)?)?),
                None => None,
            };
            Gained::Principal(Box::new(principal(reader, binding, *new, NewAs::Free(boundary))?))
        }
        RuleGain::AttachedPrincipal(new, policy) => {
            let new_as = NewAs::Attached(tie(reader, id(policy)?)?);
            Gained::Principal(Box::new(principal(reader, binding, *new, new_as)?))
        }
        RuleGain::NewMember(new, group) => {
            let new_as = NewAs::Member(tie(reader, id(group)?)?);
            Gained::Principal(Box::new(principal(reader, binding, *new, new_as)?))
        }
        RuleGain::DomainAdministration(slot) => Gained::DomainAdministration(id(slot)?),
        RuleGain::ResourcePolicy(slot) => Gained::Edited(Edit::ResourcePolicy(id(slot)?)),
        RuleGain::NoResourcePolicy(slot) => Gained::Edited(Edit::NoResourcePolicy(id(slot)?)),
        RuleGain::ResourceGrant(slot, actions) => {
            Gained::Edited(Edit::ResourceGrant(id(slot)?, *actions))
        }
        RuleGain::IdentityProvider => Gained::IdentityProvider(binding.account),
        RuleGain::MfaDevice(slot) => Gained::Edited(Edit::MfaDevice(id(slot)?)),
        RuleGain::NoMfaDevice(slot) => Gained::Edited(Edit::NoMfaDevice(id(slot)?)),
        RuleGain::ControlPolicyText(slot) => {
            Gained::Edited(Edit::Organization(OrganizationEdit::PolicyText(id(slot)?)))
        }
        RuleGain::DetachedControlPolicy(target, policy) => Gained::Edited(Edit::Organization(
            OrganizationEdit::PolicyDetached(id(target)?, id(policy)?),
        )),
        RuleGain::AttachedControlPolicy(target, policy) => {
            let policy = match policy {
                Some(policy) => Some(id(policy)?),
                None => None,
            };
            let edit = OrganizationEdit::PolicyAttached(id(target)?, policy);
            Gained::Edited(Edit::Organization(edit))
        }
        RuleGain::ControlPoliciesOff(_, kind) => {
            Gained::Edited(Edit::Organization(OrganizationEdit::PoliciesOff(*kind)))
        }
        RuleGain::LeftOrganization(named) => {
            let world = reader.view.ground.world;
            let at = match named {
                Some(slot) => account_named(world, &reader.view.object(id(slot)?)?.name)?,
                None => binding.account,
            };
            let account = world.accounts.get(at.0 as usize)?;
            let organization = world.organization.as_ref()?;
            // The management account cannot leave its own organization, nor can an account to which
            // it has delegated a service.
            if organization.contains(&account.id) != Some(true)
                || organization.management_account.as_ref() == Some(&account.id)
                || organization.has_delegated_to(&account.id)
            {
                return None;
            }
            Gained::Edited(Edit::Organization(OrganizationEdit::Left(at)))
        }
        RuleGain::MovedAccount(account, parent) => {
            Gained::Edited(Edit::Organization(OrganizationEdit::Moved(id(account)?, id(parent)?)))
        }
        RuleGain::Tag(on, key, change) => {
            let (on, key) = (id(on)?, reader.view.ground.tag_key(id(key)?)?);
            Gained::Edited(match change {
                TagChange::Set => Edit::Tag(on, key),
                TagChange::Remove => Edit::NoTag(on, key),
                TagChange::Session => Edit::SessionTag(on, key),
            })
        }
    })
}

/// The account of an id, if the snapshot has it.
fn account_named(world: &World, name: &str) -> Option<AccountIndex> {
    let at = world.accounts.iter().position(|account| *account.id == *name)?;
    u32::try_from(at).ok().map(AccountIndex)
}

fn by_arn(reader: &Reader<'_, '_>, binding: &Binding, expression: &Expression) -> Option<ObjectId> {
    match reader.text(binding, expression) {
        Ok(Text::Literal(arn)) => reader.view.ground.world.by_arn.get(&arn).copied(),
        _ => None,
    }
}

/// The policy of a version object, and the version's position in it.
fn version_of(reader: &Reader<'_, '_>, version: &Object) -> Option<(ObjectId, usize)> {
    let world = reader.view.ground.world;
    let arn = version.attribute("policy").ok()?.first().cloned()?;
    let name = version.attribute("version").ok()?.first().cloned()?;
    let policy = *world.by_arn.get(&arn)?;
    let Detail::Policy(managed) = &world.objects.get(policy.0 as usize)?.detail else {
        return None;
    };
    let at = managed.versions.iter().position(|(version, _)| *version == name)?;
    Some((policy, at))
}

/// A user or role that the attacker makes. Where its name is open, it is called
/// [`PLAIN`].
fn principal(
    reader: &Reader<'_, '_>,
    binding: &Binding,
    new: usize,
    new_as: NewAs,
) -> Option<Object> {
    let slot = reader.rule.new.get(new)?;
    let kind = &slot.kind;
    // In another account where it is made beside something there.
    let beside = slot.beside.and_then(|slot| reader.object(binding, slot));
    let account = beside.map_or(binding.account, |object| object.account);
    let arn: Arc<str> = match reader.text(binding, &Expression(vec![Part::New(new)])).ok()? {
        Text::Literal(arn) => arn,
        Text::Template(prefix, _, suffix) => format!("{prefix}{PLAIN}{suffix}").into(),
    };
    if **kind == *INTERNAL_USER {
        return Some(new_internal_user(arn, beside?));
    }
    Some(new_principal(kind, arn, account, new_as))
}

/// What a user or role that the attacker makes is tied to, with its ARN.
type Tie = (ObjectId, Arc<str>);

fn tie(reader: &Reader<'_, '_>, to: ObjectId) -> Option<Tie> {
    Some((to, reader.view.object(to)?.arn.clone()))
}

/// What a user or role is like that the attacker makes.
#[derive(Clone, Debug)]
pub(crate) enum NewAs {
    /// It may do everything, within a permissions boundary if it has one.
    Free(Option<Tie>),
    /// It may do what this managed policy says.
    Attached(Tie),
    /// A user that may do what this group may do.
    Member(Tie),
}

impl NewAs {
    /// The attributes that say so: what is made is told apart by them.
    const BOUNDARY: &str = "boundary";
    const GROUPS: &str = "groups";
    const POLICIES: &str = "policies";

    /// As the attributes say.
    ///
    /// - `find`: the object of an ARN.
    pub(crate) fn read(
        attributes: &BTreeMap<Arc<str>, Vec<Arc<str>>>,
        find: impl Fn(&Arc<str>) -> Option<ObjectId>,
    ) -> Option<Self> {
        let first = |name: &str| attributes.get(name).and_then(|arns| arns.first());
        let tied = |arn: &Arc<str>| Some((find(arn)?, arn.clone()));
        Some(match (first(Self::POLICIES), first(Self::GROUPS), first(Self::BOUNDARY)) {
            (Some(policy), ..) => Self::Attached(tied(policy)?),
            (None, Some(group), _) => Self::Member(tied(group)?),
            (None, None, Some(boundary)) => Self::Free(Some(tied(boundary)?)),
            (None, None, None) => Self::Free(None),
        })
    }
}

/// The kind of the users of OpenSearch domains.
const INTERNAL_USER: &str = "opensearch:internal-user";

/// An internal user of an OpenSearch domain as the attacker makes it: with the domain's role of
/// administrators.
fn new_internal_user(arn: Arc<str>, domain: &Object) -> Object {
    let attributes: [(&str, Vec<Arc<str>>); 3] = [
        ("backend-roles", Vec::new()),
        ("domain", vec![domain.arn.clone()]),
        ("roles", vec!["all_access".into()]),
    ];
    Object {
        kind: INTERNAL_USER.into(),
        name: arn.rsplit('/').next().unwrap_or_default().into(),
        arn,
        account: domain.account,
        region: domain.region.clone(),
        attributes: attributes.map(|(name, values)| (name.into(), Ok(values))).into(),
        tags: Vec::new(),
        policy: OwnPolicy::Absent,
        detail: Detail::Other,
    }
}

/// Whether a user or role that the attacker has made has a policy of its own that allows
/// everything: those that are in a group or have a managed policy have what that allows, and internal
/// users of an OpenSearch domain have none.
pub(crate) fn may_do_everything(made: &Object) -> bool {
    match &made.detail {
        Detail::User(user) => user.groups.is_empty() && user.policies.is_empty(),
        Detail::Role(role) => role.policies.is_empty(),
        _ => *made.kind != *INTERNAL_USER,
    }
}

/// A user or role as it is when the attacker has just made it.
pub(crate) fn new_principal(
    kind: &str,
    arn: Arc<str>,
    account: AccountIndex,
    new_as: NewAs,
) -> Object {
    let managed = |(policy, _): &Tie| PolicySource::Managed(*policy);
    let (mut policies, mut boundary, mut groups) = (Vec::new(), None, Vec::new());
    let tied = match &new_as {
        NewAs::Free(None) => None,
        NewAs::Free(Some(tie)) => {
            boundary = Some(managed(tie));
            Some((NewAs::BOUNDARY, tie))
        }
        NewAs::Attached(tie) => {
            policies.push(Attached { source: managed(tie), inline: None });
            Some((NewAs::POLICIES, tie))
        }
        NewAs::Member(tie) => {
            groups.push(tie.0);
            Some((NewAs::GROUPS, tie))
        }
    };
    let attributes = tied.into_iter().map(|(name, (_, arn))| (name.into(), Ok(vec![arn.clone()])));
    let attributes = attributes.collect();
    let detail = match kind {
        "iam:user" => Detail::User(Box::new(User {
            unique_id: "AIDAESCALADE".into(),
            policies,
            groups,
            boundary,
            access_keys: Ok(1),
            login_profile: Ok(false),
        })),
        _ => Detail::Role(Box::new(Role {
            unique_id: "AROAESCALADE".into(),
            trust: Err(Gap("the attacker has written the trust policy of a new role".into())),
            policies,
            boundary,
            profiles: Vec::new(),
        })),
    };
    Object {
        kind: kind.into(),
        name: arn.rsplit('/').next().unwrap_or_default().into(),
        arn,
        account,
        region: None,
        attributes,
        tags: Vec::new(),
        policy: OwnPolicy::Absent,
        detail,
    }
}

/// An object that the attacker makes. Its name is a placeholder: nothing is checked on it that the
/// technique that uses it does not say.
fn made(
    reader: &Reader<'_, '_>,
    binding: &Binding,
    kind: &Arc<str>,
    attributes: &[(Arc<str>, Expression)],
) -> Option<Object> {
    let account = reader.view.ground.world.accounts.get(binding.account.0 as usize)?;
    let mut values = BTreeMap::new();
    let mut place = None;
    for (name, expression) in attributes {
        // Where a name is open, the one that it gets unless something speaks against it.
        let text: Arc<str> = match reader.text(binding, expression) {
            Ok(Text::Template(prefix, variable, suffix)) => {
                let name = crate::solver::any_text(&variable.grammar);
                format!("{prefix}{name}{suffix}").into()
            }
            _ => super::search::shown(reader, binding, expression),
        };
        if place.is_none() {
            place = reader.view.ground.world.by_arn.get(&text).copied();
        }
        values.insert(name.clone(), Ok(vec![text]));
    }
    let place = place.and_then(|id| reader.view.object(id));
    Some(Object {
        kind: kind.clone(),
        arn: format!("{kind} made in account {}", account.id).into(),
        name: "escalade".into(),
        account: place.map_or(binding.account, |place| place.account),
        region: place.and_then(|place| place.region.clone()),
        attributes: values,
        tags: Vec::new(),
        policy: OwnPolicy::Absent,
        detail: Detail::Other,
    })
}
