//! Differences between snapshots in the words of IAM, in the shape and key order of the JSON.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::changes::{Change, Part};
use super::normal::{DEFAULT_DOCUMENT, POLICY_TEXT};
use crate::provenance::Location;

/// How something differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Alteration {
    /// It was not there.
    Added,
    /// It is not there any more.
    Removed,
    /// It says something else.
    Changed,
}

/// What it is that differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Altered {
    /// A statement of an identity, resource or control policy.
    Statement,
    /// A statement of a role's trust policy.
    Trust,
    /// A whole policy.
    Policy,
    /// A version of a managed policy.
    PolicyVersion,
    /// That a managed policy is attached.
    Attachment,
    /// That a user is in a group.
    Membership,
    /// A permissions boundary.
    Boundary,
    /// A tag.
    Tag,
    /// A user or role.
    Principal,
    /// A group.
    Group,
    /// Anything else that a list has an entry for.
    Resource,
    /// One value of something.
    Setting,
    /// A response that was collected.
    File,
}

/// One piece of what differs between two snapshots.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ChangeReport {
    /// How it differs.
    pub change: Alteration,
    /// What differs.
    pub kind: Altered,
    /// What it is about.
    #[serde(flatten)]
    pub location: Location,
    /// What was there; left out for whole files.
    pub before: Option<Value>,
    /// What is there now; left out for whole files.
    pub after: Option<Value>,
}

/// The report of a change.
pub(super) fn report(change: &Change) -> ChangeReport {
    let place = change.place.as_deref().unwrap_or_default();
    let members: Vec<&str> = place
        .iter()
        .filter_map(|part| match part {
            Part::Member(member) => Some(member.as_str()),
            _ => None,
        })
        .collect();
    let named = |wanted: &str| {
        place.iter().rev().find_map(|part| match part {
            Part::Named { member, value } if member == wanted => Some(value.as_str()),
            _ => None,
        })
    };
    let any = change.new.as_ref().or(change.old.as_ref());
    let text = |member: &str| any.and_then(|value| value.get(member)).and_then(Value::as_str);
    let has = |member: &str| members.contains(&member);
    let in_policy = has("Statement");
    let last = members.last().copied().unwrap_or_default();
    let ends_in_list = !matches!(place.last(), Some(Part::Member(_)) | None);
    let kind = match last {
        _ if place.is_empty() => Altered::File,
        "Statement" if has("AssumeRolePolicyDocument") => Altered::Trust,
        _ if in_policy => Altered::Statement,
        "UserPolicyList" | "RolePolicyList" | "GroupPolicyList" | "Policies" => Altered::Policy,
        "AssumeRolePolicyDocument" => Altered::Trust,
        "PolicyDocument" | POLICY_TEXT | DEFAULT_DOCUMENT => Altered::Policy,
        "PolicyVersionList" | "DefaultVersionId" => Altered::PolicyVersion,
        "AttachedManagedPolicies" => Altered::Attachment,
        "GroupList" => Altered::Membership,
        "PermissionsBoundary" | "PermissionsBoundaryArn" => Altered::Boundary,
        "Tags" | "TagSet" | "TagList" => Altered::Tag,
        "UserDetailList" | "RoleDetailList" => Altered::Principal,
        "GroupDetailList" => Altered::Group,
        _ if ends_in_list => Altered::Resource,
        _ => Altered::Setting,
    };
    let arn = place.iter().find_map(|part| match part {
        Part::Named { value, .. } if value.starts_with("arn:") => Some(value.as_str()),
        _ => None,
    });
    let entry = place.iter().find_map(|part| match part {
        Part::Named { value, .. } => Some(value.as_str()),
        _ => None,
    });
    let argument = change.file.rsplit('/').next().and_then(|name| name.strip_suffix(".json"));
    let of = arn.or(entry).or(argument).filter(|of| !of.is_empty());
    let policy = in_policy.then(|| {
        if has("AssumeRolePolicyDocument") {
            "trust policy"
        } else if let Some(name) = named("PolicyName") {
            name
        } else if has("Policies") {
            of.and_then(|arn| arn.rsplit('/').next()).unwrap_or_default()
        } else {
            "resource policy"
        }
    });
    let what = match kind {
        Altered::Attachment => named("PolicyArn").or(text("PolicyArn")),
        Altered::Membership => any.and_then(Value::as_str),
        Altered::Tag => named("Key").or(text("Key")),
        Altered::Policy => named("PolicyName"),
        Altered::PolicyVersion => named("VersionId").or(any.and_then(Value::as_str)),
        Altered::Boundary => text("PermissionsBoundaryArn").or(any.and_then(Value::as_str)),
        Altered::Setting => Some(last),
        _ => None,
    };
    let whole_file = place.is_empty();
    let value = |value: &Option<Value>| if whole_file { None } else { value.clone() };
    ChangeReport {
        change: match (&change.old, &change.new) {
            (None, _) => Alteration::Added,
            (_, None) => Alteration::Removed,
            _ => Alteration::Changed,
        },
        kind,
        location: Location {
            of: of.map(Into::into),
            policy: policy.map(Into::into),
            statement: change.position.filter(|_| in_policy && ends_in_list),
            sid: text("Sid").filter(|sid| in_policy && !sid.is_empty()).map(Into::into),
            what: what.map(Into::into),
            file: change.file.as_str().into(),
            at: change.at.as_str().into(),
        },
        before: value(&change.old),
        after: value(&change.new),
    }
}
