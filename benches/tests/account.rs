//! Synthetic accounts are what their documentation says.

#![expect(clippy::unwrap_used, reason = "in a test, what is not there fails it")]

use std::collections::{BTreeMap, BTreeSet};

use escalade_benches::parse_floor::{self, Documents};
use escalade_benches::{Account, Shape};
use serde_json::Value;

/// Enough for every kind of planted path and near-miss.
const PRINCIPALS: usize = 1_200;

fn details(account: &Account) -> Value {
    let (_, text) = account
        .files()
        .iter()
        .find(|(path, _)| path.ends_with("iam/get-account-authorization-details.json"))
        .unwrap();
    serde_json::from_str(text).unwrap()
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap()
}

fn entities(details: &Value) -> impl Iterator<Item = &Value> {
    ["UserDetailList", "GroupDetailList", "RoleDetailList"]
        .into_iter()
        .flat_map(|field| list(details, field))
}

fn inline(entity: &Value) -> impl Iterator<Item = &Value> {
    ["UserPolicyList", "GroupPolicyList", "RolePolicyList"]
        .into_iter()
        .flat_map(|field| list(entity, field))
        .map(|policy| &policy["PolicyDocument"])
}

/// Documents that the account's people wrote, trust policies aside.
fn own_documents(details: &Value) -> Vec<&Value> {
    let managed = list(details, "Policies")
        .iter()
        .filter(|policy| !text(policy, "Arn").starts_with("arn:aws:iam::aws:"))
        .flat_map(|policy| list(policy, "PolicyVersionList"))
        .map(|version| &version["Document"]);
    entities(details).flat_map(inline).chain(managed).collect()
}

fn size(document: &Value) -> usize {
    document.to_string().len()
}

#[test]
fn the_same_seed_makes_the_same_bytes_and_another_seed_others() {
    assert_eq!(Account::new(7, 120).files(), Account::new(7, 120).files());
    assert_ne!(Account::new(7, 120).files(), Account::new(8, 120).files());
}

#[test]
fn an_account_has_as_many_principals_as_were_asked_for() {
    for principals in [0, 1, 10, 100, PRINCIPALS] {
        let account = Account::new(3, principals);
        let details = details(&account);
        let counted =
            list(&details, "UserDetailList").len() + list(&details, "RoleDetailList").len();
        assert_eq!((account.principals(), counted), (principals, principals));
    }
}

#[test]
fn every_file_is_json_and_the_parse_floor_reads_it() {
    let account = Account::new(1, PRINCIPALS);
    let raw = parse_floor::parse(account.files(), Documents::Raw).unwrap();
    let typed = parse_floor::parse(account.files(), Documents::Typed).unwrap();
    assert_eq!((raw.principals, raw.bytes), (PRINCIPALS, account.bytes()));
    assert_eq!((typed.documents, typed.bytes), (raw.documents, raw.bytes));
    assert!(typed.statements > typed.documents && raw.statements == 0);
}

#[test]
fn names_are_unique_and_everything_that_is_named_exists() {
    let details = details(&Account::new(1, PRINCIPALS));
    let mut arns = BTreeSet::new();
    let policies = list(&details, "Policies");
    for item in entities(&details).chain(policies) {
        assert!(arns.insert(text(item, "Arn")), "{} is there twice", text(item, "Arn"));
    }
    let groups: BTreeSet<&str> =
        list(&details, "GroupDetailList").iter().map(|group| text(group, "GroupName")).collect();
    let mut attachments: BTreeMap<&str, u64> = BTreeMap::new();
    for entity in entities(&details) {
        for attached in list(entity, "AttachedManagedPolicies") {
            *attachments.entry(text(attached, "PolicyArn")).or_default() += 1;
        }
        if let Some(boundary) = entity["PermissionsBoundary"]["PermissionsBoundaryArn"].as_str() {
            assert!(arns.contains(boundary), "{boundary}");
        }
        for group in list(entity, "GroupList") {
            assert!(groups.contains(group.as_str().unwrap()), "{group}");
        }
    }
    for arn in attachments.keys() {
        assert!(arns.contains(arn), "{arn}");
    }
    for policy in policies {
        let count = attachments.get(text(policy, "Arn")).copied().unwrap_or_default();
        assert_eq!(policy["AttachmentCount"].as_u64(), Some(count), "{}", text(policy, "Arn"));
    }
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
#[test]
fn no_policy_or_name_exceeds_the_quotas_of_iam() {
    let details = details(&Account::new(1, PRINCIPALS));
    for user in list(&details, "UserDetailList") {
        assert!(inline(user).map(size).sum::<usize>() <= 2_048, "{user}");
    }
    for role in list(&details, "RoleDetailList") {
        assert!(inline(role).map(size).sum::<usize>() <= 10_240, "{role}");
        assert!(size(&role["AssumeRolePolicyDocument"]) <= 2_048, "{role}");
        assert!(text(role, "RoleName").len() <= 64, "{role}");
    }
    for entity in entities(&details) {
        assert!(list(entity, "AttachedManagedPolicies").len() <= 10, "{entity}");
    }
}

#[test]
fn a_third_of_the_statements_and_more_have_conditions() {
    let details = details(&Account::new(1, PRINCIPALS));
    let documents = own_documents(&details);
    let statements: Vec<&Value> =
        documents.iter().flat_map(|document| list(document, "Statement")).collect();
    let with =
        |field: &str| statements.iter().filter(|statement| !statement[field].is_null()).count();
    assert!(
        with("Condition") * 3 > statements.len(),
        "{} of {}",
        with("Condition"),
        statements.len()
    );
    assert!(with("NotAction") > 20 && with("NotResource") > 2);
    let denies = statements.iter().filter(|statement| statement["Effect"] == "Deny").count();
    assert!((statements.len() / 20..statements.len() / 5).contains(&denies), "{denies}");
    let distinct: BTreeSet<String> = documents.iter().map(ToString::to_string).collect();
    assert!(distinct.len() * 10 > documents.len() * 7, "{} of {}", distinct.len(), documents.len());
}

#[test]
fn a_principal_takes_one_to_four_kilobytes() {
    for (principals, at_most) in [(1_000, 4_500), (4_000, 4_096)] {
        let each = Account::new(1, principals).bytes() / principals;
        assert!((1_024..at_most).contains(&each), "{each} bytes at {principals} principals");
    }
}

#[test]
fn planted_paths_near_misses_and_administrators_exclude_each_other() {
    let account = Account::new(1, PRINCIPALS);
    let details = details(&account);
    let arns: BTreeSet<&str> = entities(&details).map(|entity| text(entity, "Arn")).collect();
    let reached: BTreeSet<&str> =
        account.truth().iter().map(|planted| planted.from.as_str()).collect();
    let missed: BTreeSet<&str> =
        account.near_misses().iter().map(|near_miss| near_miss.from.as_str()).collect();
    let administrators: BTreeSet<&str> =
        account.administrators().iter().map(String::as_str).collect();
    for (one, other) in
        [(&reached, &missed), (&reached, &administrators), (&missed, &administrators)]
    {
        assert!(one.is_disjoint(other));
    }
    assert!([reached, missed, administrators].iter().flatten().all(|arn| arns.contains(arn)));
    let techniques: BTreeSet<&str> =
        account.truth().iter().map(|planted| planted.technique).collect();
    let reasons: BTreeSet<&str> =
        account.near_misses().iter().map(|near_miss| near_miss.because).collect();
    assert_eq!((techniques.len(), reasons.len()), (19, 15));
    let small = Account::with_shape(1, 150, Shape::EveryKind);
    let again: BTreeSet<&str> = small.truth().iter().map(|planted| planted.technique).collect();
    assert_eq!((small.near_misses().len() >= reasons.len(), small.principals()), (true, 150));
    assert_eq!(techniques, again);
}

#[test]
fn every_role_but_one_reaches_the_administrator_when_every_role_may_be_assumed() {
    let account = Account::with_shape(1, 50, Shape::EveryRoleAssumesEveryRole);
    assert_eq!(
        (account.principals(), account.truth().len(), account.administrators().len()),
        (50, 49, 1)
    );
    let account = Account::with_shape(1, 50, Shape::EveryRoleAssumesEveryRoleInVain);
    assert_eq!(
        (account.principals(), account.truth().len(), account.administrators().len()),
        (50, 0, 0)
    );
}
