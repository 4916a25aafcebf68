//! Responses that say nothing: empty files, and things that no list names.

use super::*;

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

#[test]
fn an_empty_response_is_no_empty_list() {
    for nothing in ["", " \n", "{}", "null", "[]", r#"{"ResponseMetadata": {}}"#] {
        let world = load_resources(&[("lambda/list-functions", text(nothing))]);
        let why = uncollected(&world, "lambda:function", "us-east-1").unwrap();
        assert!(why.ends_with("lambda/list-functions.json could not be used"), "{why}");
        assert!(has_gap(&world, "lambda/list-functions.json at /: expected a response, found"));
    }
    let world = load_resources(&[("lambda/list-functions", json!({"Functions": {}}))]);
    assert!(uncollected(&world, "lambda:function", "us-east-1").is_some());
    for nothing in ["", "{}"] {
        let world = load_resources(&[("sqs/list-queues", text(nothing))]);
        assert_eq!(uncollected(&world, "sqs:queue", "us-east-1"), None);
    }
}

#[test]
fn an_empty_response_is_no_absent_policy() {
    for nothing in ["", "{}", "null"] {
        let world = load_resources(&[
            ("s3api/list-buckets", json!({"Buckets": [{"Name": "b"}]})),
            ("s3api/get-bucket-policy/b", text(nothing)),
            ("sqs/list-queues", json!({"QueueUrls": ["https://sqs/1/q"]})),
            ("sqs/get-queue-attributes/q", text(if nothing == "null" { "{}" } else { nothing })),
        ]);
        let bucket = object(&world, "arn:aws:s3:::b");
        assert!(matches!(bucket.policy, OwnPolicy::Unknown(_)), "{:?}", bucket.policy);
        let queue = object(&world, &format!("arn:aws:sqs:us-east-1:{ACCOUNT}:q"));
        assert_eq!(queue.policy, OwnPolicy::Absent);
    }
}

#[test]
fn a_list_that_is_never_asked_for_is_unknown_where_aws_refused_it() {
    let file = "rolesanywhere/list-profiles";
    assert_eq!(uncollected(&load_resources(&[]), "rolesanywhere:profile", "us-east-1"), None);
    for wrong in [json!({"Error": {"Code": "AccessDenied"}}), json!({"profiles": "x"})] {
        let world = load_resources(&[(file, wrong)]);
        assert!(uncollected(&world, "rolesanywhere:profile", "us-east-1").is_some());
    }
}

#[test]
fn a_policy_is_there_whether_its_resource_is_listed_or_not() {
    let policy = json!({"Policy": let_anyone("s3:*").to_string()});
    let denied = json!({"Error": {"Code": "AccessDenied"}});
    for list in [None, Some(denied.clone()), Some(json!({"Buckets": []}))] {
        let mut files = vec![
            ("s3api/get-bucket-policy/b", policy.clone()),
            ("s3api/get-bucket-policy/refused", denied.clone()),
            ("s3api/get-bucket-policy/none", json!({"Error": {"Code": "NoSuchBucketPolicy"}})),
        ];
        files.extend(list.map(|list| ("s3api/list-buckets", list)));
        let world = load_resources(&files);
        let bucket = object(&world, "arn:aws:s3:::b");
        assert!(matches!(bucket.policy, OwnPolicy::Present(_)), "{:?}", bucket.policy);
        assert!(bucket.attributes["region"].is_err());
        let refused = object(&world, "arn:aws:s3:::refused");
        assert!(matches!(refused.policy, OwnPolicy::Unknown(_)), "{:?}", refused.policy);
        assert!(world.find("arn:aws:s3:::none").is_none());
    }
}

#[test]
fn what_no_list_names_has_the_arn_that_its_policy_comes_with() {
    let arn =
        |rest: &str| format!("arn:aws:{rest}").replace("HERE", &format!("us-east-1:{ACCOUNT}"));
    let said = let_anyone("*").to_string();
    let secret = arn("secretsmanager:HERE:secret:s-AbCdEf");
    let repository = arn("codeartifact:HERE:repository/d/r");
    let table = arn("dynamodb:HERE:table/t");
    let world = load_resources(&[
        ("secretsmanager/get-resource-policy/s", json!({"ARN": &secret, "ResourcePolicy": &said})),
        (
            "codeartifact/get-repository-permissions-policy/r",
            json!({"policy": {"resourceArn": &repository, "document": &said}}),
        ),
        (
            &format!(
                "dynamodb/get-resource-policy/{}",
                table.replace(':', "%3A").replace('/', "%2F")
            ),
            json!({"Policy": &said}),
        ),
        (
            "sqs/get-queue-attributes/https%3A%2F%2Fsqs.us-east-1.amazonaws.com%2F1%2Fq",
            json!({"Attributes": {"Policy": &said}}),
        ),
        (
            "events/describe-event-bus/b",
            json!({"Name": "b", "Arn": arn("events:HERE:event-bus/b"),
            "Policy": &said}),
        ),
    ]);
    let queue = arn("sqs:HERE:q");
    for arn in [secret, repository, table, queue, arn("events:HERE:event-bus/b")] {
        let object = object(&world, &arn);
        assert!(matches!(object.policy, OwnPolicy::Present(_)), "{arn}: {:?}", object.policy);
    }
}

#[test]
fn an_account_in_no_organization_has_no_control_policies() {
    let refused = json!({"Error": {"Code": "AWSOrganizationsNotInUseException"}});
    let files = [
        (DETAILS, details()),
        ("organization/describe-organization.json", refused.clone()),
        ("organization/list-roots.json", refused),
    ];
    let world = load(&files);
    let organization = world.organization.as_ref().unwrap();
    assert!(organization.service_control_levels(ACCOUNT).is_empty());
    assert!(!organization.may_be_managed_by(ACCOUNT));
    assert!(!has_gap(&world, "organization"));
    // It is said of one account. Of others it is not known.
    let other = "accounts/222222222222/global/iam/get-account-authorization-details.json";
    let mut files = files.to_vec();
    files.push((
        other,
        json!({"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [],
        "Policies": []}),
    ));
    assert!(has_gap(&load(&files), "no organization data"));
}

#[cfg(unix)]
#[test]
fn an_account_that_cannot_be_read_leaves_the_others() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[(DETAILS, details())]);
    let place = folder.path().join("accounts/222222222222");
    fs::create_dir_all(&place).unwrap();
    let mode = |mode| fs::Permissions::from_mode(mode);
    fs::set_permissions(&place, mode(0o000)).unwrap();
    // Nothing is kept from root.
    let refused = fs::read_dir(&place).is_err();
    let world = World::load(folder.path(), &LoadOptions::default()).unwrap();
    assert!(world.find(&iam("user/alice")).is_some());
    assert_eq!(world.accounts.len(), 2);
    assert_eq!(has_gap(&world, "accounts/222222222222: "), refused);
    fs::set_permissions(&place, mode(0o755)).unwrap();
}
