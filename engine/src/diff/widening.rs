//! Changes that only permit more, and whom they concern.
//!
//! A statement that is added and allows, or is removed and denied, in a policy of a user, role or
//! group, in a managed policy or in a trust policy: nobody can do less afterwards, and only calls
//! by or on those whom the policy is about are decided otherwise. So with more such changes made
//! everything stays possible that was; and a path that names nobody concerned by a change is there
//! with and without it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::changes::{Change, Changes, Part};
use super::listing::Standing;
use super::normal::{DEFAULT_DOCUMENT, is_details};
use crate::policy::Policy;

/// Those whom a change concerns, by name: that of the policy, role, user or group that it is made
/// in, and of whoever has it.
pub(super) type Concerned = BTreeSet<String>;

/// Of each change whom it concerns, if all it does is permit more; of others nothing.
pub(super) fn widenings(changes: &Changes) -> Vec<Option<Concerned>> {
    let holders: BTreeMap<&str, Holders> =
        changes.old_values().map(|(file, value)| (file, Holders::of(value))).collect();
    let none = Holders::default();
    let of = |change: &Change| {
        concerned(change, holders.get(change.file.as_str()).unwrap_or(&none))
            .filter(|names| names.iter().all(|name| name.chars().all(is_of_name)))
    };
    changes.list.iter().map(of).collect()
}

/// The names that a principal's standing has in it: its own, and those of everybody on its path.
/// Nothing if it is not decided, which may come of anybody.
pub(super) fn named(standing: &Standing, start: &str) -> Option<Concerned> {
    let path = match standing {
        Standing::AtGoal => String::new(),
        Standing::Finding(_, _, answer) => {
            answer.path.as_ref().and_then(|path| serde_json::to_string(path).ok())?
        }
    };
    let words =
        |text: &str| -> Concerned { text.split(|c| !is_of_name(c)).map(str::to_owned).collect() };
    Some(words(start).into_iter().chain(words(&path)).collect())
}

/// Whether names of users, groups, roles and policies can have this character:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>.
fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
}

/// The name that an ARN ends with.
fn name(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

fn concerned(change: &Change, holders: &Holders) -> Option<Concerned> {
    if !is_details(&change.file) {
        return None;
    }
    let [Part::Member(list), Part::Named { member, value: arn }, rest @ ..] =
        change.place.as_deref()?
    else {
        return None;
    };
    if member != "Arn" || !is_widening(change, rest) {
        return None;
    }
    let own = name(arn);
    let mut out = Concerned::from([own.to_owned()]);
    match list.as_str() {
        "UserDetailList" | "RoleDetailList" => {}
        "GroupDetailList" => out.extend(holders.members.get(own).into_iter().flatten().cloned()),
        // What AWS manages is the same in all accounts.
        "Policies" if !arn.contains(":iam::aws:") => {
            out.extend(holders.of_policy.get(arn).into_iter().flatten().cloned());
        }
        _ => return None,
    }
    Some(out)
}

/// Whether a change, at this place of an entry, only permits more.
fn is_widening(change: &Change, place: &[Part]) -> bool {
    let is = |part: &Part, wanted: &[&str]| matches!(part, Part::Member(member) if wanted.contains(&member.as_str()));
    let inline = ["UserPolicyList", "RolePolicyList", "GroupPolicyList"];
    let in_document = match place {
        [list, Part::Named { .. }] if is(list, &inline) => {
            let whole = |policy: &Option<Value>| {
                policy.as_ref().map(|policy| {
                    let document = policy.get("PolicyDocument");
                    let statements = document.and_then(|document| document.get("Statement"));
                    statements.and_then(Value::as_array).cloned().unwrap_or_default()
                })
            };
            return match (whole(&change.old), whole(&change.new)) {
                (None, Some(new)) => new.iter().all(|one| is_statement(one, "Allow")),
                (Some(old), None) => old.iter().all(|one| is_statement(one, "Deny")),
                _ => false,
            };
        }
        [list, Part::Named { .. }, document, rest @ ..]
            if is(list, &inline) && is(document, &["PolicyDocument"]) =>
        {
            rest
        }
        [document, rest @ ..] if is(document, &["AssumeRolePolicyDocument", DEFAULT_DOCUMENT]) => {
            rest
        }
        _ => return false,
    };
    let [statements, Part::Element] = in_document else { return false };
    is(statements, &["Statement"])
        && match (&change.old, &change.new) {
            (None, Some(new)) => is_statement(new, "Allow"),
            (Some(old), None) => is_statement(old, "Deny"),
            _ => false,
        }
}

/// Whether a value is a statement of this effect. A policy with something else in it is none, so
/// that nothing of it would count.
fn is_statement(value: &Value, effect: &str) -> bool {
    let policy = || json!({ "Version": "2012-10-17", "Statement": [value] }).to_string();
    value.get("Effect").and_then(Value::as_str) == Some(effect) && Policy::parse(&policy()).is_ok()
}

/// Who has which policies, and who is in which group.
#[derive(Default)]
struct Holders {
    /// By a managed policy's ARN.
    of_policy: BTreeMap<String, BTreeSet<String>>,
    /// By a group's name.
    members: BTreeMap<String, BTreeSet<String>>,
}

impl Holders {
    /// As a file of account authorization details has it.
    fn of(value: &Value) -> Self {
        let mut out = Self::default();
        let entries = |list: &str| value.get(list).and_then(Value::as_array).into_iter().flatten();
        let text = |value: &Value, member: &str| {
            value.get(member).and_then(Value::as_str).map(str::to_owned)
        };
        for user in entries("UserDetailList") {
            let groups = user.get("GroupList").and_then(Value::as_array).into_iter().flatten();
            for group in groups.filter_map(Value::as_str) {
                let members = out.members.entry(group.to_owned()).or_default();
                members.extend(text(user, "UserName"));
            }
        }
        for list in ["UserDetailList", "RoleDetailList", "GroupDetailList"] {
            for holder in entries(list) {
                let Some(arn) = text(holder, "Arn") else { continue };
                let mut names = BTreeSet::from([name(&arn).to_owned()]);
                if list == "GroupDetailList" {
                    names.extend(out.members.get(name(&arn)).into_iter().flatten().cloned());
                }
                let attached = holder.get("AttachedManagedPolicies").and_then(Value::as_array);
                let attached = attached.into_iter().flatten();
                let policies = attached.filter_map(|policy| text(policy, "PolicyArn"));
                let boundary = holder
                    .get("PermissionsBoundary")
                    .and_then(|boundary| text(boundary, "PermissionsBoundaryArn"));
                for policy in policies.chain(boundary) {
                    out.of_policy.entry(policy).or_default().extend(names.iter().cloned());
                }
            }
        }
        out
    }
}
