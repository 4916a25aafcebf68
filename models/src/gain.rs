//! What a technique gives: facts that the evaluator sees from then on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Whoever makes the first calls of a technique, a user or a role.
pub const CALLER: &str = "{caller}";

/// What a technique gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Gain {
    /// Acting as this user or role, as this internal user of an OpenSearch domain, or as this user
    /// of IAM Identity Center.
    Credentials(String),
    /// Identity policy text of the attacker's choice on this user, role or group (put inline).
    InlinePolicy(String),
    /// This managed policy says what the attacker wants, wherever it is used.
    PolicyText(String),
    /// This version of this managed policy is in force.
    DefaultVersion {
        /// The managed policy.
        policy: String,
        /// The version, an object of kind `iam:policy-version`.
        version: String,
    },
    /// This managed policy is attached to this user, role or group.
    AttachedPolicy {
        /// User, role or group.
        to: String,
        /// Managed policy, or an ARN with `{partition}`.
        policy: String,
    },
    /// This user is in this group.
    Membership {
        /// The user.
        user: String,
        /// The group.
        group: String,
    },
    /// The trust policy of this role says what the attacker wants.
    TrustPolicy(String),
    /// This user or role has no permissions boundary any more, or one that allows everything.
    NoBoundary(String),
    /// This policy does not apply to this user, role or group any more.
    DetachedPolicy {
        /// User, role or group.
        from: String,
        /// An object of kind `iam:policy` or `iam:inline-policy`.
        policy: String,
    },
    /// This user is not in this group any more.
    LeftGroup {
        /// The user.
        user: String,
        /// The group.
        group: String,
    },
    /// A service does these actions with this role, or as this user, on the attacker's behalf, and
    /// nothing else. Whatever takes only such calls the attacker can do through it, other techniques
    /// included.
    Delegation {
        /// The role or user, or [`CALLER`].
        role: String,
        /// The service principal, where the service has no role but makes the calls with the
        /// permissions of who asked it to, in a forward access session: of [`CALLER`], and only of
        /// that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        via: Option<String>,
        /// The actions, wildcards allowed.
        actions: Vec<String>,
        /// Of these, the actions that the service does not do.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        except: Vec<String>,
        /// The actions whose answers the attacker gets to see; without it all of them. An action
        /// that only reads counts for nothing where its answer is not seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answers: Option<Vec<String>>,
        /// The resource through which.
        through: String,
        /// What the actions are limited to, as ARN patterns; one that names an attribute without
        /// value limits nothing. Empty: whatever the role may reach.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        resources: Vec<String>,
    },
    /// An object that did not exist: other techniques can use it from now on.
    Object {
        /// Its kind.
        kind: String,
        /// Its attributes; `$role` means that object's ARN.
        attributes: BTreeMap<String, String>,
    },
    /// Acting as this new user or role, whose identity policies allow everything, or as this new
    /// internal user of the OpenSearch domain that it is beside, who may do everything in it.
    NewPrincipal(String),
    /// The same within this permissions boundary, an object of kind `iam:policy`.
    BoundedPrincipal {
        /// The new user or role.
        principal: String,
        /// The managed policy.
        boundary: String,
    },
    /// Acting as this new user or role, which has no policy but this managed one.
    AttachedPrincipal {
        /// The new user or role.
        principal: String,
        /// The managed policy.
        policy: String,
    },
    /// Acting as this new user, which has no policies of its own and is in a group.
    NewMember {
        /// The new user.
        user: String,
        /// The group.
        group: String,
    },
    /// Everything inside this OpenSearch domain (its master user, its `all_access` role).
    DomainAdministration(String),
    /// The resource's own policy says what the attacker wants: it lets in whom he holds, and denies
    /// nothing.
    ResourcePolicy(String),
    /// The resource has no policy of its own any more.
    NoResourcePolicy(String),
    /// The resource lets in whom the attacker holds for these actions, besides what its policy says.
    ResourceGrant {
        /// The resource.
        on: String,
        /// The actions, wildcards allowed.
        actions: Vec<String>,
    },
    /// This tag has a value of the attacker's choice, as set by the call that says so.
    Tag {
        /// What is tagged.
        on: String,
        /// The tag's key, an object of kind `aws:tag-key`.
        key: String,
    },
    /// This tag is gone.
    NoTag {
        /// What was tagged.
        on: String,
        /// The tag's key, an object of kind `aws:tag-key`.
        key: String,
    },
    /// This new identity provider is the attacker's: of his account's roles he can sign in as those
    /// whose trust policy he writes.
    IdentityProvider(String),
    /// This user has an MFA device of the attacker's: its sessions count as authenticated with it.
    MfaDevice(String),
    /// This user has no MFA device.
    NoMfaDevice(String),
    /// This control policy of the organization allows everything, wherever it is attached.
    ControlPolicyText(String),
    /// This control policy is not attached to this root, organizational unit or account any more.
    DetachedControlPolicy {
        /// An object of kind `organizations:target`.
        from: String,
        /// An object of kind `organizations:policy`.
        policy: String,
    },
    /// This control policy is attached to this root, organizational unit or account as well; without
    /// one a service control policy of the attacker's own, which allows everything.
    AttachedControlPolicy {
        /// An object of kind `organizations:target`.
        to: String,
        /// An object of kind `organizations:policy`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        policy: Option<String>,
    },
    /// Control policies of this type bind nobody any more.
    ControlPoliciesOff {
        /// The organization's root.
        root: String,
        /// Of which type.
        #[serde(rename = "type")]
        of: ControlPolicyType,
    },
    /// An account is not in the organization any more: the caller's, `{account}`, or an object of kind
    /// `organizations:target`.
    LeftOrganization(String),
    /// This account stands below another root or organizational unit.
    MovedAccount {
        /// The account, an object of kind `organizations:target`.
        account: String,
        /// What it stands below now.
        to: String,
    },
    /// Sessions of this role carry this tag, or this source identity, with a value of the attacker's
    /// choice.
    SessionTag {
        /// The role.
        on: String,
        /// The tag's key, an object of kind `aws:tag-key`, or one of kind `aws:source-identity`.
        key: String,
    },
}

/// The types of policy with which an organization narrows authorization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ControlPolicyType {
    /// What principals of an account can be allowed.
    ServiceControlPolicy,
    /// What resources of an account can allow.
    ResourceControlPolicy,
}
