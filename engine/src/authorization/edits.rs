//! Edits: how the attacker has changed the world so far. The evaluator sees the edited world.

use std::collections::{BTreeMap, BTreeSet};

use roaring::RoaringBitmap;

use super::session::source_identity;
use super::tag_keys::SOURCE_IDENTITY;
use crate::residual::{Grammar, Variable, VariableKind};
use crate::snapshot::{AccountIndex, ControlPolicyKind, ObjectId};

/// A tag's key that some policy of the world asks for, by position in [`super::Ground::tag_keys`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TagKey(pub u32);

/// Actions that the attacker has a resource grant him, by position in the rules' list of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Granted(pub u32);

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
    /// A resource's own policy lets in whom the attacker wants, and denies nothing.
    ResourcePolicy(ObjectId),
    /// A resource has no policy of its own.
    NoResourcePolicy(ObjectId),
    /// A resource lets in whom the attacker wants for some actions, besides what its policy says.
    ResourceGrant(ObjectId, Granted),
    /// A tag of a principal or resource has a value of the attacker's choice.
    Tag(ObjectId, TagKey),
    /// A principal or resource does not have a tag.
    NoTag(ObjectId, TagKey),
    /// Sessions of a role carry a tag with a value of the attacker's choice.
    SessionTag(ObjectId, TagKey),
    /// A user has an MFA device that the attacker has.
    MfaDevice(ObjectId),
    /// A user has no MFA device.
    NoMfaDevice(ObjectId),
    /// The organization lets its accounts do something else.
    Organization(OrganizationEdit),
}

/// One change of an organization: of its control policies, or of which accounts they bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OrganizationEdit {
    /// A control policy of the organization allows everything.
    PolicyText(ObjectId),
    /// A control policy is not attached to a target any more: target and policy.
    PolicyDetached(ObjectId, ObjectId),
    /// A control policy is attached to one more target: target and policy; without one a service
    /// control policy that allows everything.
    PolicyAttached(ObjectId, Option<ObjectId>),
    /// Control policies of one kind are switched off.
    PoliciesOff(ControlPolicyKind),
    /// An account is not in the organization any more.
    Left(AccountIndex),
    /// An account stands below another parent: account and parent, as targets.
    Moved(ObjectId, ObjectId),
}

impl Edit {
    /// The object that is another one to whoever calls, if the edit is of such a kind: a resource's
    /// own policy or tags.
    pub fn resource(self) -> Option<ObjectId> {
        match self {
            Self::ResourcePolicy(object)
            | Self::NoResourcePolicy(object)
            | Self::ResourceGrant(object, _)
            | Self::Tag(object, _)
            | Self::NoTag(object, _)
            | Self::NoMfaDevice(object) => Some(object),
            _ => None,
        }
    }

    /// The object that the edit is about: whose calls, or whose checks, it can change. None where that
    /// is the organization.
    pub fn subject(self) -> Option<ObjectId> {
        match self {
            Self::InlinePolicy(object)
            | Self::PolicyText(object)
            | Self::DefaultVersion(object, _)
            | Self::Attached(object, _)
            | Self::Member(object, _)
            | Self::Left(object, _)
            | Self::TrustPolicy(object)
            | Self::NoBoundary(object)
            | Self::Detached(object, _)
            | Self::ResourcePolicy(object)
            | Self::NoResourcePolicy(object)
            | Self::ResourceGrant(object, _)
            | Self::Tag(object, _)
            | Self::NoTag(object, _)
            | Self::SessionTag(object, _)
            | Self::MfaDevice(object)
            | Self::NoMfaDevice(object) => Some(object),
            Self::Organization(_) => None,
        }
    }

    /// The principal whose own condition keys the edit changes.
    pub fn tagged_principal(self) -> Option<(ObjectId, TagKey)> {
        match self {
            Self::Tag(object, key) | Self::NoTag(object, key) | Self::SessionTag(object, key) => {
                Some((object, key))
            }
            _ => None,
        }
    }
}

/// What has become of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TagEdit {
    /// The attacker has chosen its value.
    Chosen,
    /// It is gone.
    Gone,
}

/// Begins the scope of variables that stand for tags: they are the same in all steps of a path.
pub const TAG_SCOPE: &str = "tag of ";

/// The variable that stands for the value of a tag that the attacker sets, the same in the call
/// that sets it and ever after.
///
/// - `of`: the ARN of what is tagged; `session`: whether only a session of it is.
///
/// Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html>: a value is text of at
/// most 256 characters.
pub fn tag_variable(of: &str, key: &str, session: bool) -> Variable {
    if key == SOURCE_IDENTITY {
        return source_identity();
    }
    let what = if session { "a session of " } else { "" };
    Variable {
        name: format!("tag {key}").into(),
        scope: format!("{TAG_SCOPE}{what}{of}").into(),
        kind: VariableKind::Chosen,
        multivalued: false,
        grammar: Grammar::new(
            &[
                (' ', ' '),
                ('+', '+'),
                ('-', ':'),
                ('=', '='),
                ('@', 'Z'),
                ('_', '_'),
                ('a', 'z'),
                // Letters and digits of other scripts.
                ('\u{a0}', '\u{10ffff}'),
            ],
            (0, 256),
        ),
    }
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
    /// Resources with another policy of their own.
    pub resource_policy: BTreeSet<ObjectId>,
    /// Resources without their policy.
    pub no_resource_policy: BTreeSet<ObjectId>,
    /// What resources grant in addition.
    pub granted: BTreeMap<ObjectId, BTreeSet<Granted>>,
    /// Tags that have changed.
    pub tags: BTreeMap<(ObjectId, TagKey), TagEdit>,
    /// Tags of a role's sessions.
    pub session_tags: BTreeSet<(ObjectId, TagKey)>,
    /// Users whose MFA device the attacker has.
    pub mfa: BTreeSet<ObjectId>,
    /// Users without MFA device.
    pub no_mfa: BTreeSet<ObjectId>,
    /// What the organization has come to.
    pub organization: BTreeSet<OrganizationEdit>,
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

    /// Whether nothing has been edited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether all is as it was but for what principals are allowed: their policies, groups,
    /// boundaries and MFA devices.
    pub fn are_of_callers(&self) -> bool {
        self.trust.is_empty()
            && self.resource_policy.is_empty()
            && self.no_resource_policy.is_empty()
            && self.granted.is_empty()
            && self.tags.is_empty()
            && self.organization.is_empty()
    }

    /// Whether what has become of resources is other policies of their own and nothing else.
    pub fn are_of_policies(&self) -> bool {
        self.tags.is_empty() && self.no_mfa.is_empty()
    }

    /// The resources whose own policies let in whom the attacker wants.
    pub fn letting_in(&self) -> RoaringBitmap {
        self.resource_policy.iter().chain(self.granted.keys()).map(|id| id.0).collect()
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
            Edit::ResourcePolicy(resource) => {
                self.no_resource_policy.remove(&resource);
                self.resource_policy.insert(resource);
            }
            Edit::NoResourcePolicy(resource) => {
                self.resource_policy.remove(&resource);
                self.no_resource_policy.insert(resource);
            }
            Edit::ResourceGrant(resource, actions) => {
                self.granted.entry(resource).or_default().insert(actions);
            }
            Edit::Tag(object, key) => {
                self.tags.insert((object, key), TagEdit::Chosen);
            }
            Edit::NoTag(object, key) => {
                self.tags.insert((object, key), TagEdit::Gone);
            }
            Edit::SessionTag(role, key) => {
                self.session_tags.insert((role, key));
            }
            Edit::MfaDevice(user) => {
                self.no_mfa.remove(&user);
                self.mfa.insert(user);
            }
            Edit::NoMfaDevice(user) => {
                self.mfa.remove(&user);
                self.no_mfa.insert(user);
            }
            Edit::Organization(edit) => {
                self.organization.insert(edit);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ObjectId = ObjectId(1);

    #[test]
    fn the_later_of_two_edits_of_one_thing_wins() {
        let policy = [Edit::ResourcePolicy(ONE), Edit::NoResourcePolicy(ONE)];
        let edits = Edits::of(policy);
        assert!(edits.resource_policy.is_empty() && edits.no_resource_policy.contains(&ONE));
        let edits = Edits::of(policy.into_iter().rev());
        assert!(edits.resource_policy.contains(&ONE) && edits.no_resource_policy.is_empty());
        let key = (ONE, TagKey(0));
        let edits = Edits::of([Edit::NoTag(ONE, TagKey(0)), Edit::Tag(ONE, TagKey(0))]);
        assert_eq!(edits.tags.get(&key), Some(&TagEdit::Chosen));
    }

    #[test]
    fn a_tag_is_one_variable_wherever_it_is_read() {
        let of = |session| tag_variable("arn:aws:iam::111122223333:role/a", "team", session);
        assert_eq!(of(false), of(false));
        assert_ne!(of(false), of(true));
        assert_ne!(of(false), tag_variable("arn:aws:iam::111122223333:role/b", "team", false));
        for value in ["", "payroll", "a b", "a/b@c", "équipe"] {
            assert!(of(false).grammar.accepts(value), "{value}");
        }
        assert!(!of(false).grammar.accepts("a*b"));
    }
}
