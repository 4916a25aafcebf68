//! IAM Identity Center: which roles a permission set is in which accounts, and which users and
//! groups they are assigned to.
//!
//! Implements <https://docs.aws.amazon.com/singlesignon/latest/userguide/permissionsetsconcept.html>:
//! a permission set that is assigned in an account is a role there, called
//! `AWSReservedSSO_<permission set>_<suffix>`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::draft::{AccountDraft, ObjectDraft};
use super::files::gap;
use super::world::Object;
use crate::residual::Gap;

/// The path of the roles that Identity Center makes; below it there may be the home Region.
const PATH: &str = ":role/aws-reserved/sso.amazonaws.com/";

/// The names of these roles begin so.
const PREFIX: &str = "AWSReservedSSO_";

/// What stands for the suffix of a role that is not there yet.
const NEW_SUFFIX: &str = "0123456789abcdef";

/// Length of the suffix that makes a role's name unique, in hexadecimal digits.
const SUFFIX: usize = 16;

/// By attribute of an object, its values.
type Added = BTreeMap<(Arc<str>, &'static str), BTreeSet<Arc<str>>>;

/// The path of the roles that an instance of IAM Identity Center makes: with its Region in it, unless
/// that is us-east-1.
///
/// Implements <https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html>.
fn path_of_roles(instance: &Object) -> String {
    match instance.region.as_deref() {
        Some(region) if region != "us-east-1" => {
            format!("aws-reserved/sso.amazonaws.com/{region}/")
        }
        _ => "aws-reserved/sso.amazonaws.com/".to_owned(),
    }
}

/// Puts together what Identity Center's responses say, from whichever accounts they come: what an
/// instance has, the roles of permission sets, users and groups.
pub(super) fn link_identity_center(drafts: &mut [AccountDraft]) {
    keep_once(drafts);
    let of = |kind: &'static str| {
        drafts
            .iter()
            .flat_map(|draft| &draft.objects)
            .map(|one| &one.object)
            .filter(move |object| &*object.kind == kind)
    };
    if of("sso:instance").next().is_none() {
        let unexplained = drafts
            .iter_mut()
            .find(|draft| draft.objects.iter().any(|one| provisioned(&one.object).is_some()));
        if let Some(draft) = unexplained {
            let why = format!(
                "accounts/{}: no data of IAM Identity Center (sso-admin/list-instances): who can \
                 change or use the roles that it made was not looked at",
                draft.account.id
            );
            draft.gaps.push(gap(why));
        }
        return;
    }

    // A permission set is only listed by its ARN: which roles are its own is told by its name.
    let nameless =
        of("sso:permission-set").filter(|set| set.arn.ends_with(&format!("/{}", set.name)));
    let nameless: Vec<Gap> = nameless
        .map(|set| {
            gap(format!(
                "{:?}: sso-admin/describe-permission-set was not asked, its roles are not known",
                &*set.arn
            ))
        })
        .collect();

    // By permission set's name and account: the role.
    let mut roles: BTreeMap<(&str, &str), Arc<str>> = BTreeMap::new();
    for role in of("iam:role") {
        if let (Some(set), Some(account)) = (provisioned(role), role.arn.split(':').nth(4)) {
            roles.entry((set, account)).or_insert_with(|| role.arn.clone());
        }
    }

    let mut added = Added::new();
    let mut put = |of: &Arc<str>, attribute: &'static str, value: Option<Arc<str>>| {
        added.entry((of.clone(), attribute)).or_default().extend(value);
    };
    for set in of("sso:permission-set") {
        for ((_, account), role) in roles.iter().filter(|((name, _), _)| *name == &*set.name) {
            put(&set.arn, "roles", Some(role.clone()));
            put(&set.arn, "accounts", Some((*account).into()));
        }
        put(&set.arn, "roles", None);
        put(&set.arn, "accounts", None);
        put(&set.arn, "administrator", is_administrator(set).then(|| "true".into()));
    }
    for instance in of("sso:instance") {
        let store = first(instance, "identity-store");
        let within = |object: &&Object| {
            first(object, "identity-store").is_none() || first(object, "identity-store") == store
        };
        for (kind, attribute) in
            [("identitystore:user", "users"), ("identitystore:group", "groups")]
        {
            put(&instance.arn, attribute, None);
            for object in of(kind).filter(within) {
                put(&instance.arn, attribute, Some(object.arn.clone()));
            }
        }
        put(&instance.arn, "permission-sets", None);
        let roles_begin = path_of_roles(instance) + PREFIX;
        put(&instance.arn, "roles-begin", Some(roles_begin.as_str().into()));
        let start = format!("{}/", instance.arn.replace(":instance/", ":permissionSet/"));
        for set in of("sso:permission-set").filter(|set| set.arn.starts_with(&*start)) {
            put(&instance.arn, "permission-sets", Some(set.arn.clone()));
            put(
                &set.arn,
                "role-name",
                Some(format!("{roles_begin}{}_{NEW_SUFFIX}", set.name).into()),
            );
        }
    }

    // Assigned roles, by user and group; a user has those of its groups as well.
    let names: BTreeMap<&Arc<str>, &Arc<str>> =
        of("sso:permission-set").map(|set| (&set.arn, &set.name)).collect();
    let mut assigned: BTreeMap<Arc<str>, BTreeSet<Arc<str>>> = BTreeMap::new();
    for assignment in of("sso:account-assignment") {
        let (Some(set), Some(account), Some(principal)) = (
            first(assignment, "permission-set"),
            first(assignment, "account-id"),
            first(assignment, "principal"),
        ) else {
            continue;
        };
        put(&set, "accounts", Some(account.clone()));
        let role = names.get(&set).and_then(|name| roles.get(&(&***name, &*account)));
        assigned.entry(principal).or_default().extend(role.cloned());
    }
    // An assignment or membership that cannot be read may be anybody's.
    let unread: Option<Gap> = ["sso:account-assignment", "identitystore:membership"]
        .iter()
        .find_map(|kind| unread(drafts, kind));
    let mut groups: BTreeMap<Arc<str>, Vec<Arc<str>>> = BTreeMap::new();
    for membership in of("identitystore:membership") {
        if let (Some(user), Some(group)) = (first(membership, "user"), first(membership, "group")) {
            groups.entry(user).or_default().push(group);
        }
    }
    for kind in ["identitystore:user", "identitystore:group"] {
        for principal in of(kind) {
            put(&principal.arn, "roles", None);
            let own = [principal.arn.clone()];
            let through = groups.get(&principal.arn).into_iter().flatten();
            for who in own.iter().chain(through) {
                // Assignments name principals by id.
                let id = who.rsplit('/').next().unwrap_or_default();
                for role in assigned.get(id).into_iter().flatten() {
                    put(&principal.arn, "roles", Some(role.clone()));
                }
            }
        }
    }

    if let Some(draft) = drafts.first_mut() {
        draft.gaps.extend(nameless);
    }
    for one in drafts.iter_mut().flat_map(|draft| &mut draft.objects) {
        if !is_of_identity_center(one) {
            continue;
        }
        let start = (one.object.arn.clone(), "");
        let own = added.range(start..).take_while(|((of, _), _)| *of == one.object.arn);
        for ((_, attribute), values) in own {
            let values = values.iter().cloned().collect();
            let known = match &unread {
                Some(why) if *attribute == "roles" && has_assigned_roles(&one.object) => {
                    Err(why.clone())
                }
                _ if *attribute == "administrator" => misread_policy(one).map_or(Ok(values), Err),
                _ => Ok(values),
            };
            one.object.attributes.insert((*attribute).into(), known);
        }
    }
}

/// Why it is not known what a permission set allows: a response says what cannot be read.
fn misread_policy(set: &ObjectDraft) -> Option<Gap> {
    let policies = ["boundary", "customer-policies", "inline-policy", "managed-policies"];
    let misread = policies.iter().find(|name| set.misread.contains(**name))?;
    set.object.attributes.get(*misread)?.as_ref().err().cloned()
}

/// Whether the roles of an object are those that are assigned to it.
fn has_assigned_roles(object: &Object) -> bool {
    matches!(&*object.kind, "identitystore:user" | "identitystore:group")
}

/// Why there may be objects of a kind that are not listed, or that are not read whole.
fn unread(drafts: &[AccountDraft], kind: &str) -> Option<Gap> {
    let listed = drafts.iter().flat_map(|draft| &draft.account.uncollected);
    let mut listed = listed.filter(|((known, _), _)| &**known == kind).map(|(_, why)| why);
    let objects = drafts.iter().flat_map(|draft| &draft.objects);
    let objects = objects.filter(|one| &*one.object.kind == kind);
    let misread = |one: &ObjectDraft| {
        one.misread.iter().find_map(|name| one.object.attributes.get(name)?.as_ref().err().cloned())
    };
    listed.next().cloned().or_else(|| objects.into_iter().find_map(misread))
}

/// Leaves each object once: a delegated administrator's account lists what the management account
/// lists. The first account's counts.
fn keep_once(drafts: &mut [AccountDraft]) {
    let mut seen: BTreeSet<Arc<str>> = BTreeSet::new();
    for draft in drafts {
        draft
            .objects
            .retain(|one| !is_of_identity_center(one) || seen.insert(one.object.arn.clone()));
    }
}

fn is_of_identity_center(one: &ObjectDraft) -> bool {
    one.object.kind.starts_with("sso:") || one.object.kind.starts_with("identitystore:")
}

/// The name of the permission set that a role was made for.
fn provisioned(role: &Object) -> Option<&str> {
    if !role.arn.contains(PATH) {
        return None;
    }
    let name = role.arn.rsplit('/').next()?.strip_prefix(PREFIX)?;
    let (set, suffix) = name.rsplit_once('_')?;
    let hexadecimal = suffix.len() == SUFFIX && suffix.bytes().all(|b| b.is_ascii_hexdigit());
    hexadecimal.then_some(set)
}

fn first(object: &Object, attribute: &str) -> Option<Arc<str>> {
    match object.attributes.get(attribute) {
        Some(Ok(values)) => values.first().cloned(),
        _ => None,
    }
}

/// Whether a permission set is known to allow everything: by AdministratorAccess or an inline policy,
/// with nothing that could take some of it away.
fn is_administrator(set: &Object) -> bool {
    let values = |attribute: &str| match set.attributes.get(attribute) {
        Some(Ok(values)) => values.as_slice(),
        _ => &[],
    };
    let inline = values("inline-policy").first().filter(|text| !text.is_empty());
    let inline = inline.map(|text| serde_json::from_str(text).unwrap_or_default());
    if !values("boundary").is_empty()
        || !values("customer-policies").is_empty()
        || inline.as_ref().is_some_and(denies)
    {
        return false;
    }
    values("managed-policies").iter().any(|arn| arn.ends_with(":policy/AdministratorAccess"))
        || inline.as_ref().is_some_and(allows_all)
}

fn statements(policy: &serde_json::Value) -> Vec<&serde_json::Value> {
    match policy.get("Statement") {
        Some(serde_json::Value::Array(several)) => several.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

fn has(statement: &serde_json::Value, member: &str, text: &str) -> bool {
    match statement.get(member) {
        Some(serde_json::Value::Array(several)) => several.iter().any(|one| one == text),
        Some(one) => one == text,
        None => false,
    }
}

/// Whether a policy has a statement that does not allow.
fn denies(policy: &serde_json::Value) -> bool {
    statements(policy).iter().any(|statement| !has(statement, "Effect", "Allow"))
}

/// Whether a policy has a statement that allows everything.
fn allows_all(policy: &serde_json::Value) -> bool {
    statements(policy).iter().any(|statement| {
        has(statement, "Effect", "Allow")
            && has(statement, "Action", "*")
            && has(statement, "Resource", "*")
            && statement.get("Condition").is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_allows_everything_only_without_condition_and_deny() {
        let check = |text: &str, expected: bool| {
            let policy = serde_json::from_str(text).unwrap();
            assert_eq!(allows_all(&policy) && !denies(&policy), expected, "{text}");
        };
        let all = r#"{"Effect": "Allow", "Action": ["*"], "Resource": "*"}"#;
        check(&format!(r#"{{"Statement": {all}}}"#), true);
        check(&format!(r#"{{"Statement": [{all}]}}"#), true);
        let deny = r#"{"Effect": "Deny", "Action": "iam:*", "Resource": "*"}"#;
        check(&format!(r#"{{"Statement": [{all}, {deny}]}}"#), false);
        check(
            r#"{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {}}]}"#,
            false,
        );
        check(r#"{"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}"#, false);
        check("{}", false);
    }
}
