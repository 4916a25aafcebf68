//! Small snapshots, loaded whole.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::*;

mod doubtful;
mod nothing_said;
mod organization_parts;
mod whole_policies;
mod wrong_types;

const ACCOUNT: &str = "111111111111";
const DETAILS: &str = "accounts/111111111111/global/iam/get-account-authorization-details.json";

fn write(folder: &Path, files: &[(&str, Value)]) {
    for (file, content) in files {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = match content {
            Value::String(text) => text.clone(),
            content => content.to_string(),
        };
        fs::write(path, text).unwrap();
    }
}

fn load_with(files: &[(&str, Value)], options: &LoadOptions<'_>) -> Result<World, SnapshotError> {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), files);
    World::load(folder.path(), options)
}

fn load(files: &[(&str, Value)]) -> World {
    load_with(files, &LoadOptions::default()).unwrap()
}

/// A world with nothing but these resources, in us-east-1 unless they are global.
fn load_resources(files: &[(&str, Value)]) -> World {
    let named: Vec<(String, Value)> = files
        .iter()
        .map(|(file, content)| {
            let region = match file.split('/').next() {
                Some("iam" | "s3api") => "global",
                _ => "us-east-1",
            };
            (format!("accounts/{ACCOUNT}/{region}/{file}.json"), content.clone())
        })
        .collect();
    let mut all: Vec<(&str, Value)> = vec![(DETAILS, details())];
    all.extend(named.iter().map(|(file, content)| (file.as_str(), content.clone())));
    load(&all)
}

fn allow(action: &str) -> Value {
    json!({"Version": "2012-10-17",
           "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})
}

/// The policy of a resource, or of a role.
fn let_anyone(action: &str) -> Value {
    let mut policy = allow(action);
    policy["Statement"][0]["Principal"] = json!("*");
    policy
}

fn deny(action: &str) -> Value {
    json!({"Version": "2012-10-17",
           "Statement": [{"Effect": "Deny", "Action": action, "Resource": "*"}]})
}

fn iam(rest: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:{rest}")
}

/// Details with a user, a group, two roles and a policy that has three versions.
fn details() -> Value {
    json!({
        "UserDetailList": [{
            "Path": "/", "UserName": "alice", "UserId": "AIDA1", "Arn": iam("user/alice"),
            "UserPolicyList": [{"PolicyName": "in", "PolicyDocument": deny("s3:*")}],
            "GroupList": ["dev"],
            "AttachedManagedPolicies": [
                {"PolicyName": "p", "PolicyArn": iam("policy/p")},
                {"PolicyName": "IAMFullAccess", "PolicyArn": "arn:aws:iam::aws:policy/IAMFullAccess"},
                {"PolicyName": "gone", "PolicyArn": iam("policy/gone")}],
            "PermissionsBoundary": {"PermissionsBoundaryType": "Policy",
                                    "PermissionsBoundaryArn": iam("policy/p")},
            "Tags": [{"Key": "team", "Value": "red"}, {"Key": "a", "Value": ""}],
        }],
        "GroupDetailList": [{
            "Path": "/", "GroupName": "dev", "Arn": iam("group/dev"),
            "GroupPolicyList": [{"PolicyName": "in", "PolicyDocument": allow("s3:*")}],
            "AttachedManagedPolicies": [{"PolicyArn": iam("policy/p")}],
        }],
        "RoleDetailList": [
            {"Path": "/", "RoleName": "app", "RoleId": "AROA1", "Arn": iam("role/app"),
             "AssumeRolePolicyDocument": let_anyone("sts:AssumeRole"),
             "InstanceProfileList": [{"InstanceProfileName": "prof",
                                      "Arn": iam("instance-profile/prof")}],
             "RolePolicyList": [], "AttachedManagedPolicies": []},
            {"Path": "/aws-service-role/x/", "RoleName": "linked", "RoleId": "AROA2",
             "Arn": iam("role/aws-service-role/x/linked"),
             "AssumeRolePolicyDocument": null},
        ],
        "Policies": [{
            "PolicyName": "p", "Arn": iam("policy/p"), "Path": "/", "DefaultVersionId": "v2",
            "PolicyVersionList": [
                {"VersionId": "v3", "IsDefaultVersion": false, "Document": allow("*")},
                {"VersionId": "v2", "IsDefaultVersion": true, "Document": deny("iam:*")},
                {"VersionId": "v1", "IsDefaultVersion": false, "Document": allow("*")}],
        }],
    })
}

fn object<'a>(world: &'a World, arn: &str) -> &'a Object {
    world.object(world.find(arn).unwrap_or_else(|| panic!("no {arn}"))).unwrap()
}

/// An attribute's values with commas between, or the gap.
fn attribute(world: &World, arn: &str, name: &str) -> String {
    match &object(world, arn).attributes[name] {
        Ok(values) => values.join(","),
        Err(why) => format!("unknown: {why}"),
    }
}

fn arns(world: &World, ids: &[ObjectId]) -> Vec<String> {
    ids.iter().map(|id| world.object(*id).unwrap().arn.to_string()).collect()
}

fn has_gap(world: &World, part: &str) -> bool {
    world.gaps.iter().any(|gap| gap.0.contains(part))
}

fn uncollected(world: &World, kind: &str, region: &str) -> Option<String> {
    let account = &world.accounts[0];
    account.uncollected.get(&(kind.into(), region.into())).map(ToString::to_string)
}

#[test]
fn principals_and_policies_refer_to_each_other() {
    let world = load(&[(DETAILS, details())]);
    let Detail::User(user) = &object(&world, &iam("user/alice")).detail else { panic!() };
    let policy = world.find(&iam("policy/p")).unwrap();
    let full_access = world.find("arn:aws:iam::aws:policy/IAMFullAccess").unwrap();
    let sources: Vec<&PolicySource> = user.policies.iter().map(|one| &one.source).collect();
    assert_eq!(
        sources,
        [
            &PolicySource::Inline("in".into()),
            &PolicySource::Managed(policy),
            &PolicySource::Managed(full_access),
            &PolicySource::Missing(iam("policy/gone").into()),
        ]
    );
    assert_eq!(arns(&world, &user.groups), [iam("group/dev")]);
    assert_eq!(user.boundary, Some(PolicySource::Managed(policy)));
    assert!(has_gap(&world, "policy/gone\" is attached, but the snapshot does not hold it"));
    let tags = &object(&world, &iam("user/alice")).tags;
    assert_eq!(*tags, [("a".into(), "".into()), ("team".into(), "red".into())]);

    let Detail::Role(role) = &object(&world, &iam("role/app")).detail else { panic!() };
    assert_eq!(arns(&world, &role.profiles), [iam("instance-profile/prof")]);
    let profile = object(&world, &iam("instance-profile/prof"));
    let Detail::InstanceProfile(roles) = &profile.detail else { panic!() };
    assert_eq!(arns(&world, roles), [iam("role/app")]);

    assert_eq!(
        arns(&world, world.members(world.find(&iam("group/dev")).unwrap())),
        [iam("user/alice")]
    );
    assert_eq!(arns(&world, world.attached_to(policy)), [iam("group/dev"), iam("user/alice")]);
    assert_eq!(arns(&world, world.bounded_by(policy)), [iam("user/alice")]);
}

#[test]
fn attributes_of_iam_have_the_names_that_techniques_use() {
    let world = load(&[(DETAILS, details())]);
    let check = |arn: &str, name: &str, value: &str| {
        assert_eq!(attribute(&world, arn, name), value, "{arn} {name}");
    };
    check(&iam("role/app"), "service-linked", "");
    check(&iam("role/aws-service-role/x/linked"), "service-linked", "true");
    check(&iam("policy/p"), "versions", "3");
    check(&iam("policy/p"), "denies", "true");
    check(&iam("policy/p"), "aws-managed", "");
    check(&iam("policy/p#v1"), "policy", &iam("policy/p"));
    check(&iam("policy/p#v3"), "version", "v3");
    check(&iam("user/alice#inline/in"), "of", &iam("user/alice"));
    check("arn:aws:iam::aws:policy/AdministratorAccess", "aws-managed", "true");
    check(&iam("instance-profile/prof"), "role", &iam("role/app"));
    assert!(world.find(&iam("policy/p#v2")).is_none());
    assert!(world.find(&iam("group/dev#inline/in")).is_none());
}

#[test]
fn a_document_is_held_once() {
    let encoded = percent_encoding::utf8_percent_encode(
        &allow("*").to_string(),
        percent_encoding::NON_ALPHANUMERIC,
    )
    .to_string();
    let mut changed = details();
    changed["Policies"][0]["PolicyVersionList"][0]["Document"] = encoded.into();
    let world = load(&[(DETAILS, changed)]);
    let Detail::Policy(policy) = &object(&world, &iam("policy/p")).detail else { panic!() };
    assert_eq!(policy.versions[0].1, policy.versions[2].1);
    assert_ne!(policy.versions[0].1, policy.versions[1].1);
    assert_eq!(&*policy.versions[policy.default].0, "v2");
}

#[test]
fn credentials_are_unknown_until_somebody_asks() {
    let keys = |user: &str| format!("accounts/{ACCOUNT}/global/iam/list-access-keys/{user}.json");
    let profile =
        |user: &str| format!("accounts/{ACCOUNT}/global/iam/get-login-profile/{user}.json");
    let unknown = load(&[(DETAILS, details())]);
    let said = attribute(&unknown, &iam("user/alice"), "access-keys");
    assert!(said.starts_with("unknown: accounts/111111111111/global/iam/list-access-keys/alice"));

    let world = load(&[
        (DETAILS, details()),
        (&keys("alice"), json!({"AccessKeyMetadata": [{"Status": "Inactive"}]})),
        (&profile("alice"), json!({"Error": {"Code": "NoSuchEntity"}})),
    ]);
    assert_eq!(attribute(&world, &iam("user/alice"), "access-keys"), "1");
    assert_eq!(attribute(&world, &iam("user/alice"), "login-profile"), "");
    let Detail::User(user) = &object(&world, &iam("user/alice")).detail else { panic!() };
    assert_eq!((user.access_keys.clone(), user.login_profile.clone()), (Ok(1), Ok(false)));

    let denied = load(&[
        (DETAILS, details()),
        (&profile("alice"), json!({"Error": {"Code": "AccessDenied"}})),
    ]);
    assert!(attribute(&denied, &iam("user/alice"), "login-profile").contains("AccessDenied"));
    assert!(has_gap(&denied, "get-login-profile/alice.json: AWS answered \"AccessDenied\""));
}

#[test]
fn the_credential_report_is_used_for_users_that_were_not_asked_about() {
    // user,password_enabled,access_key_1_active,access_key_1_last_rotated,
    // access_key_2_active,access_key_2_last_rotated / alice,true,true,2026-01-01,false,N/A
    let content = "dXNlcixwYXNzd29yZF9lbmFibGVkLGFjY2Vzc19rZXlfMV9hY3RpdmUsYWNjZXNzX2tleV8xX2xhc3Rf\
                   cm90YXRlZCxhY2Nlc3Nfa2V5XzJfYWN0aXZlLGFjY2Vzc19rZXlfMl9sYXN0X3JvdGF0ZWQKYWxpY2Us\
                   dHJ1ZSx0cnVlLDIwMjYtMDEtMDEsZmFsc2UsTi9BCg==";
    let report = format!("accounts/{ACCOUNT}/global/iam/get-credential-report.json");
    let world = load(&[(DETAILS, details()), (&report, json!({"Content": content}))]);
    assert_eq!(attribute(&world, &iam("user/alice"), "access-keys"), "1");
    assert_eq!(attribute(&world, &iam("user/alice"), "login-profile"), "true");
}

#[test]
fn a_role_without_trust_policy_is_a_gap() {
    let world = load(&[(DETAILS, details())]);
    let linked = object(&world, &iam("role/aws-service-role/x/linked"));
    let Detail::Role(role) = &linked.detail else { panic!() };
    assert!(role.trust.is_err());
    assert!(has_gap(&world, "/RoleDetailList/1/AssumeRolePolicyDocument"));
}

#[test]
fn a_group_that_is_not_listed_leaves_the_user_unknown() {
    let mut changed = details();
    changed["UserDetailList"][0]["GroupList"] = json!(["dev", "ghosts"]);
    let world = load(&[(DETAILS, changed)]);
    let Detail::User(user) = &object(&world, &iam("user/alice")).detail else { panic!() };
    assert_eq!(user.groups.len(), 1);
    assert!(matches!(&user.policies.last().unwrap().source, PolicySource::Missing(_)));
    assert!(has_gap(&world, "/UserDetailList/0/GroupList/1: no group \"ghosts\""));
}

#[test]
fn null_lists_and_missing_members_are_no_silent_loss() {
    let world = load(&[(
        DETAILS,
        json!({"UserDetailList": null,
               "RoleDetailList": [{"RoleName": "nameless"},
                                  {"Arn": iam("role/bare"), "Tags": null}],
               "Policies": [{"Arn": iam("policy/empty"), "PolicyVersionList": null}]}),
    )]);
    assert!(uncollected(&world, "iam:user", "global").is_some());
    assert!(uncollected(&world, "iam:group", "global").is_some());
    // The one without an ARN may be any.
    assert!(uncollected(&world, "iam:role", "global").is_some());
    assert!(has_gap(&world, "/RoleDetailList/0: expected an ARN"));
    assert_eq!(&*object(&world, &iam("role/bare")).name, "bare");
    assert!(has_gap(&world, "/Policies/0: the default version is not in PolicyVersionList"));
    let Detail::Policy(policy) = &object(&world, &iam("policy/empty")).detail else { panic!() };
    let (_, document) = policy.versions[policy.default];
    assert!(world.documents[document.0 as usize].policy.is_err());
}

#[test]
fn one_page_of_several_is_not_all() {
    let mut changed = details();
    changed["IsTruncated"] = true.into();
    let world = load(&[(DETAILS, changed)]);
    assert!(uncollected(&world, "iam:role", "global").unwrap().contains("one page"));
    // Where the AWS CLI was told to take no more items, and where it was told to take one page.
    for token in ["NextToken", "Marker"] {
        let mut changed = details();
        changed[token] = "AAbb".into();
        let world = load(&[(DETAILS, changed)]);
        assert!(uncollected(&world, "iam:user", "global").is_some(), "{token}");
    }
}

#[test]
fn the_same_policy_twice_with_different_content_is_not_known() {
    let mut changed = details();
    let policies = changed["Policies"].as_array_mut().unwrap();
    let mut again = policies[0].clone();
    again["PolicyVersionList"][0]["Document"] = deny("s3:*");
    policies.push(again);
    let world = load(&[(DETAILS, changed)]);
    let Detail::Policy(policy) = &object(&world, &iam("policy/p")).detail else { panic!() };
    for (_, document) in &policy.versions {
        assert!(world.documents[document.0 as usize].policy.is_err());
    }
    assert!(has_gap(&world, "is there twice with different content"));
}

#[test]
fn the_same_arn_twice_is_reported_and_the_first_kept() {
    let mut changed = details();
    let mut again = changed["RoleDetailList"][0].clone();
    again["RoleId"] = "AROA9".into();
    changed["RoleDetailList"].as_array_mut().unwrap().push(again);
    let world = load(&[(DETAILS, changed)]);
    let Detail::Role(role) = &object(&world, &iam("role/app")).detail else { panic!() };
    assert_eq!(&*role.unique_id, "AROA1");
    assert!(has_gap(&world, "role/app\" is there twice"));
}

#[test]
fn objects_are_sorted_and_found() {
    let other = details().to_string().replace(ACCOUNT, "222222222222");
    let file = DETAILS.replace(ACCOUNT, "222222222222");
    let world = load(&[(DETAILS, details()), (&file, Value::String(other))]);
    let key = |object: &Object| (object.account, object.kind.clone(), object.arn.clone());
    assert!(world.objects.is_sorted_by(|a, b| key(a) < key(b)));
    for (at, object) in world.objects.iter().enumerate() {
        assert_eq!(world.by_arn[&object.arn].0 as usize, at);
    }
    assert_eq!(world.of_kind("iam:user").len(), 2);
    assert_eq!(
        arns(&world, world.of_kind_in(AccountIndex(1), "iam:group")),
        ["arn:aws:iam::222222222222:group/dev"]
    );
    assert_eq!(world.of_kind_in(AccountIndex(2), "iam:group"), []);
    assert_eq!(
        arns(&world, world.with_prefix("iam:role", &iam("role/a"))),
        [iam("role/app"), iam("role/aws-service-role/x/linked")]
    );
    assert_eq!(world.with_prefix("iam:role", &iam("role/z")), []);
    // Policies of AWS are in the world once, those that nobody uses included.
    let managed = arns(&world, &world.aws_managed_policies().collect::<Vec<_>>());
    let times = |name: &str| managed.iter().filter(|arn| arn.ends_with(name)).count();
    assert_eq!(["/AdministratorAccess", "/IAMFullAccess"].map(times), [1, 1]);
    assert_eq!(world.of_kind_in(AccountIndex(1), "iam:policy").len(), 1);
}

#[test]
fn nothing_is_known_of_what_was_not_asked() {
    let world = load(&[(DETAILS, details())]);
    let why = uncollected(&world, "lambda:function", "*").unwrap();
    assert!(why.contains("no Region was collected"), "{why}");
    assert!(uncollected(&world, "s3:bucket", "global").unwrap().contains("s3api/list-buckets"));

    let world = load_resources(&[("lambda/list-functions", json!({"Functions": []}))]);
    assert_eq!(uncollected(&world, "lambda:function", "us-east-1"), None);
    assert_eq!(uncollected(&world, "lambda:function", "*"), None);
    let why = uncollected(&world, "glue:job", "us-east-1").unwrap();
    assert_eq!(why, "accounts/111111111111/us-east-1/glue/get-jobs.json was not asked");
}

#[test]
fn a_function_has_role_policy_and_address() {
    let list = json!({"Functions": [
        {"FunctionName": "f", "FunctionArn": "arn:aws:lambda:us-east-1:111111111111:function:f",
         "Role": iam("role/app"), "Runtime": "python3.13"},
        {"FunctionName": "g", "FunctionArn": "arn:aws:lambda:us-east-1:111111111111:function:g",
         "Role": iam("role/app")},
        {"FunctionName": "h", "FunctionArn": "arn:aws:lambda:us-east-1:111111111111:function:h",
         "Role": iam("role/app")}]});
    let world = load_resources(&[
        ("lambda/list-functions", list),
        ("lambda/get-policy/f", json!({"Policy": let_anyone("lambda:InvokeFunction").to_string()})),
        ("lambda/get-policy/g", json!({"Error": {"Code": "ResourceNotFoundException"}})),
        ("lambda/get-function-url-config/f", json!({"AuthType": "NONE"})),
        (
            "lambda/list-event-source-mappings",
            json!({"EventSourceMappings": [
            {"UUID": "1", "FunctionArn": "arn:aws:lambda:us-east-1:111111111111:function:f:live"}]}),
        ),
    ]);
    let function = |name: &str| format!("arn:aws:lambda:us-east-1:111111111111:function:{name}");
    assert_eq!(attribute(&world, &function("f"), "role"), iam("role/app"));
    assert_eq!(attribute(&world, &function("f"), "url-auth"), "NONE");
    assert_eq!(attribute(&world, &function("g"), "runtime"), "");
    assert!(attribute(&world, &function("g"), "url-auth").starts_with("unknown: "));
    assert!(matches!(object(&world, &function("f")).policy, OwnPolicy::Present(_)));
    assert_eq!(object(&world, &function("g")).policy, OwnPolicy::Absent);
    let OwnPolicy::NotAsked(why) = &object(&world, &function("h")).policy else { panic!() };
    assert_eq!(
        why.to_string(),
        "accounts/111111111111/us-east-1/lambda/get-policy/h.json was not asked"
    );
    let mapping = "arn:aws:lambda:us-east-1:111111111111:event-source-mapping:1";
    assert_eq!(attribute(&world, mapping, "function"), function("f"));
}

#[test]
fn an_instance_has_the_role_of_its_profile() {
    let instance = |id: &str, profile: Option<&str>| {
        json!({"InstanceId": id, "State": {"Name": "running"}, "KeyName": "k",
               "IamInstanceProfile": profile.map(|name| json!({
                   "Arn": iam(&format!("instance-profile/{name}"))}))})
    };
    let world = load_resources(&[
        (
            "ec2/describe-instances",
            json!({"Reservations": [
                {"Instances": [instance("i-1", Some("prof")), instance("i-2", None)]},
                {"Instances": [instance("i-3", Some("gone"))]}]}),
        ),
        (
            "ssm/describe-instance-information",
            json!({"InstanceInformationList": [{"InstanceId": "i-1", "PingStatus": "Online"}]}),
        ),
    ]);
    let arn = |id: &str| format!("arn:aws:ec2:us-east-1:111111111111:instance/{id}");
    assert_eq!(attribute(&world, &arn("i-1"), "role"), iam("role/app"));
    assert_eq!(attribute(&world, &arn("i-1"), "ssm"), "Online");
    assert_eq!(attribute(&world, &arn("i-2"), "role"), "");
    assert_eq!(attribute(&world, &arn("i-2"), "ssm"), "");
    assert!(attribute(&world, &arn("i-3"), "role").contains("not in the snapshot"));
}

#[test]
fn a_task_has_the_role_of_its_definition_unless_it_was_given_another() {
    let arn = |rest: &str| format!("arn:aws:ecs:us-east-1:111111111111:{rest}");
    let task = |id: &str, more: Value| {
        json!({"taskArn": arn(&format!("task/c/{id}")), "clusterArn": arn("cluster/c"),
               "taskDefinitionArn": arn("task-definition/web:2"),
               "enableExecuteCommand": id == "1", "overrides": more})
    };
    let world = load_resources(&[
        ("ecs/list-clusters", json!({"clusterArns": [arn("cluster/c"), arn("cluster/d")]})),
        (
            "ecs/list-task-definitions",
            json!({"taskDefinitionArns": [arn("task-definition/web:1"), arn("task-definition/web:2")]}),
        ),
        (
            "ecs/describe-task-definition/web",
            json!({"taskDefinition": {"taskDefinitionArn": arn("task-definition/web:2"),
                                      "taskRoleArn": iam("role/app"), "family": "web"},
                   "tags": [{"key": "k", "value": "v"}]}),
        ),
        (
            "ecs/describe-tasks/c",
            json!({"tasks": [task("1", json!({})),
                             task("2", json!({"taskRoleArn": iam("role/other")}))]}),
        ),
    ]);
    assert_eq!(attribute(&world, &arn("task/c/1"), "role"), iam("role/app"));
    assert_eq!(attribute(&world, &arn("task/c/1"), "exec"), "true");
    assert_eq!(attribute(&world, &arn("task/c/2"), "role"), iam("role/other"));
    assert_eq!(attribute(&world, &arn("task/c/2"), "exec"), "");
    assert_eq!(attribute(&world, &arn("task-definition/web:2"), "family"), "web");
    assert!(attribute(&world, &arn("task-definition/web:1"), "task-role").starts_with("unknown"));
    assert_eq!(&*object(&world, &arn("task-definition/web:2")).name, "web:2");
    // The tasks of cluster d were not asked for.
    let within = &world.accounts[0].uncollected_within;
    let key = |cluster: &str| ("ecs:task".into(), arn(&format!("cluster/{cluster}")).into());
    assert!(within.contains_key(&key("d")) && !within.contains_key(&key("c")));
    let why = uncollected(&world, "ecs:task", "us-east-1").unwrap();
    assert_eq!(why, "accounts/111111111111/us-east-1/ecs/describe-tasks/d.json was not asked");
}

#[test]
fn a_name_that_stands_for_an_object_becomes_its_arn() {
    let world = load_resources(&[
        ("glue/get-jobs", json!({"Jobs": [{"Name": "j", "Role": "linked"}]})),
        (
            "glue/get-triggers",
            json!({"Triggers": [{"Name": "t", "Actions": [{"JobName": "j"}, {"JobName": "new"}]}]}),
        ),
    ]);
    let arn = |rest: &str| format!("arn:aws:glue:us-east-1:111111111111:{rest}");
    let role = iam("role/aws-service-role/x/linked");
    assert_eq!(attribute(&world, &arn("job/j"), "role"), role);
    let jobs = format!("{},{}", arn("job/j"), arn("job/new"));
    assert_eq!(attribute(&world, &arn("trigger/t"), "job"), jobs);
}

#[test]
fn a_domain_says_what_is_inside_it() {
    let inside = "opensearch/domains/d/_plugins/_security/api";
    let domain = |name: &str| {
        json!({"DomainName": name, "ARN": format!("arn:aws:es:us-east-1:111111111111:domain/{name}"),
               "AdvancedSecurityOptions": {"Enabled": name != "plain",
                                           "InternalUserDatabaseEnabled": true},
               "Endpoint": "e", "AccessPolicies": let_anyone("es:*").to_string()})
    };
    let mut files = vec![
        (
            "opensearch/describe-domains".to_owned(),
            json!({"DomainStatusList": [domain("d"), domain("plain")]}),
        ),
        (
            format!("{inside}/rolesmapping"),
            json!({"all_access": {
            "users": ["master"], "backend_roles": [iam("role/app")], "hosts": [],
            "and_backend_roles": []}}),
        ),
        (
            format!("{inside}/roles"),
            json!({"snap": {
            "cluster_permissions": ["cluster:admin/snapshot/*"],
            "index_permissions": [{"index_patterns": ["a*", "b"], "allowed_actions": ["read", "w"]}]}}),
        ),
        (
            format!("{inside}/internalusers"),
            json!({"master": {
            "backend_roles": ["admin"], "opendistro_security_roles": ["snap"]}}),
        ),
        (
            "opensearch/domains/d/_snapshot/_all".to_owned(),
            json!({"repo": {"type": "s3",
            "settings": {"bucket": "b", "role_arn": iam("role/app"), "readonly": "true"}}}),
        ),
        ("opensearch/domains/plain/_snapshot/_all".to_owned(), json!({})),
        ("s3api/list-buckets".to_owned(), json!({"Buckets": [{"Name": "b"}]})),
    ];
    let load = |files: &[(String, Value)]| {
        let files: Vec<(&str, Value)> =
            files.iter().map(|(file, content)| (file.as_str(), content.clone())).collect();
        load_resources(&files)
    };
    let world = load(&files);
    let arn = "arn:aws:es:us-east-1:111111111111:domain/d";
    let own = |rest: &str| format!("opensearch:111111111111/us-east-1/d{rest}");
    assert_eq!(attribute(&world, arn, "advanced-security"), "true");
    assert!(matches!(object(&world, arn).policy, OwnPolicy::Present(_)));
    assert_eq!(attribute(&world, &own("#role-mapping/all_access"), "users"), "master");
    assert_eq!(attribute(&world, &own("#role-mapping/all_access"), "domain"), arn);
    assert_eq!(
        attribute(&world, &own("#role/snap"), "index-permissions"),
        "a* read,a* w,b read,b w"
    );
    assert_eq!(attribute(&world, &own("/master"), "roles"), "snap");
    assert_eq!(attribute(&world, &own("#repository/repo"), "bucket"), "arn:aws:s3:::b");
    assert_eq!(attribute(&world, &own("#repository/repo"), "role"), iam("role/app"));
    assert_eq!(attribute(&world, &own("#repository/repo"), "readonly"), "true");
    // The plain domain has no access control of its own.
    assert_eq!(uncollected(&world, "opensearch:internal-user", "us-east-1"), None);

    files.retain(|(file, _)| !file.ends_with("internalusers"));
    let why = uncollected(&load(&files), "opensearch:internal-user", "us-east-1").unwrap();
    assert!(why.ends_with("domains/d/_plugins/_security/api/internalusers.json was not asked"));
}

#[test]
fn a_response_about_something_that_is_not_listed_is_reported() {
    let world = load_resources(&[
        ("ecs/list-clusters", json!({"clusterArns": []})),
        ("ecs/describe-tasks/ghost", json!({"tasks": []})),
    ]);
    assert!(has_gap(&world, "describe-tasks/ghost.json: not used, since no ecs:cluster \"ghost\""));
}

#[test]
fn a_response_in_the_wrong_folder_is_reported() {
    let list = |place: &str, content: Value| (format!("accounts/{ACCOUNT}/{place}.json"), content);
    let buckets = |name: &str| json!({"Buckets": [{"Name": name}]});
    let functions = list("global/lambda/list-functions", json!({"Functions": []}));
    let (here, there) = (
        list("global/s3api/list-buckets", buckets("a")),
        list("eu-west-1/s3api/list-buckets", buckets("b")),
    );
    let loaded = |files: &[&(String, Value)]| {
        let mut all = vec![(DETAILS, details())];
        all.extend(files.iter().map(|(file, content)| (file.as_str(), content.clone())));
        load(&all)
    };
    let world = loaded(&[&functions, &here, &there]);
    assert!(has_gap(&world, "global/lambda/list-functions.json: not used, it belongs in a Region"));
    assert!(has_gap(&world, "eu-west-1/s3api/list-buckets.json: not used, it belongs in the"));
    assert!(world.find("arn:aws:s3:::b").is_none());
    // What is the same from every Region may lie in the folder of one.
    let world = loaded(&[&there]);
    assert!(world.find("arn:aws:s3:::b").is_some());
    assert_eq!(uncollected(&world, "s3:bucket", "global"), None);
}

#[test]
fn a_list_of_the_wrong_type_is_not_an_empty_list() {
    for wrong in [json!({"Functions": null}), json!({"Functions": "x"}), json!({"Other": []})] {
        let world = load_resources(&[("lambda/list-functions", wrong)]);
        assert!(uncollected(&world, "lambda:function", "us-east-1").is_some());
        assert!(has_gap(&world, "lambda/list-functions.json at /Functions: expected a list"));
    }
    let denied = json!({"Error": {"Code": "AccessDenied"}});
    let world = load_resources(&[("lambda/list-functions", denied)]);
    assert!(uncollected(&world, "lambda:function", "us-east-1").unwrap().contains("AccessDenied"));
    // The AWS CLI prints nothing for an account without queues.
    let world = load_resources(&[("sqs/list-queues", Value::String(String::new()))]);
    assert_eq!(uncollected(&world, "sqs:queue", "us-east-1"), None);
}

#[test]
fn one_page_of_a_list_is_not_all() {
    let page = json!({"Functions": [{"FunctionName": "f", "FunctionArn": "arn:f"}],
                      "NextToken": "x"});
    let world = load_resources(&[("lambda/list-functions", page)]);
    assert!(world.find("arn:f").is_some());
    let why = uncollected(&world, "lambda:function", "us-east-1").unwrap();
    assert!(why.contains("one page of several"), "{why}");
}

#[test]
fn every_table_finds_what_the_aws_cli_prints() {
    let regional =
        |service: &str, rest: &str| format!("arn:aws:{service}:us-east-1:{ACCOUNT}:{rest}");
    let role = iam("role/app");
    let policy = json!({"Policy": let_anyone("x:*").to_string()});
    let attributes = json!({"Attributes": policy});
    let files = [
        (
            "apprunner/list-services",
            json!({"ServiceSummaryList": [{"ServiceName": "s",
            "ServiceId": "8fe1", "ServiceArn": regional("apprunner", "service/s/8fe1")}]}),
        ),
        (
            "apprunner/describe-service/8fe1",
            json!({"Service": {"InstanceConfiguration": {
            "InstanceRoleArn": role}}}),
        ),
        (
            "autoscaling/describe-auto-scaling-groups",
            json!({"AutoScalingGroups": [{
            "AutoScalingGroupName": "g", "AutoScalingGroupARN": regional("autoscaling", "g"),
            "LaunchTemplate": {"LaunchTemplateId": "lt-1"},
            "Tags": [{"ResourceId": "g", "Key": "k", "Value": "v"}]}]}),
        ),
        (
            "batch/describe-job-definitions",
            json!({"jobDefinitions": [{"jobDefinitionName": "j",
            "jobDefinitionArn": regional("batch", "job-definition/j:3"), "status": "ACTIVE",
            "containerProperties": {"jobRoleArn": role}}]}),
        ),
        (
            "bedrock-agentcore-control/list-code-interpreters",
            json!({"codeInterpreterSummaries": [{
            "codeInterpreterId": "c-1",
            "codeInterpreterArn": regional("bedrock-agentcore", "code-interpreter-custom/c-1")}]}),
        ),
        ("bedrock-agentcore-control/get-code-interpreter/c-1", json!({"executionRoleArn": role})),
        (
            "cloudformation/describe-stacks",
            json!({"Stacks": [{"StackName": "s",
            "StackId": regional("cloudformation", "stack/s/1"), "RoleARN": role,
            "StackStatus": "CREATE_COMPLETE"}]}),
        ),
        (
            "cloudformation/list-stack-sets",
            json!({"Summaries": [
            {"StackSetName": "t", "StackSetId": "t:1", "Status": "ACTIVE"},
            {"StackSetName": "u", "StackSetId": "u:1", "Status": "DELETED"}]}),
        ),
        (
            "cloudformation/describe-stack-set/t",
            json!({"StackSet": {
            "AdministrationRoleARN": role, "ExecutionRoleName": "e"}}),
        ),
        ("codebuild/list-projects", json!({"projects": ["p"]})),
        (
            "codebuild/batch-get-projects",
            json!({"projects": [{"name": "p",
            "arn": regional("codebuild", "project/p"), "serviceRole": role}]}),
        ),
        ("datapipeline/list-pipelines", json!({"pipelineIdList": [{"id": "df-1", "name": "n"}]})),
        (
            "datapipeline/get-pipeline-definition/df-1",
            json!({"objects": [
            {"id": "Default", "role": "app"}, {"id": "x"}]}),
        ),
        ("dynamodb/list-tables", json!({"TableNames": ["t"]})),
        ("dynamodb/get-resource-policy/t", policy.clone()),
        (
            "ec2/describe-launch-templates",
            json!({"LaunchTemplates": [{
            "LaunchTemplateId": "lt-1", "LaunchTemplateName": "n", "DefaultVersionNumber": 2}]}),
        ),
        (
            "ec2/describe-launch-template-versions/lt-1",
            json!({"LaunchTemplateVersions": [
            {"LaunchTemplateData": {"IamInstanceProfile": {"Name": "prof"}}}]}),
        ),
        (
            "glue/get-dev-endpoints",
            json!({"DevEndpoints": [{"EndpointName": "e",
            "RoleArn": role}]}),
        ),
        ("kms/list-keys", json!({"Keys": [{"KeyId": "1", "KeyArn": regional("kms", "key/1")}]})),
        ("kms/get-key-policy/1", policy.clone()),
        (
            "lambda/list-layers",
            json!({"Layers": [{"LayerName": "l",
            "LayerArn": regional("lambda", "layer:l")}]}),
        ),
        ("s3api/list-buckets", json!({"Buckets": [{"Name": "b"}, {"Name": "c"}]})),
        ("s3api/get-bucket-policy/b", policy.clone()),
        ("s3api/get-bucket-policy/c", json!({"Error": {"Code": "NoSuchBucketPolicy"}})),
        (
            "sagemaker/list-notebook-instances",
            json!({"NotebookInstances": [{
            "NotebookInstanceName": "n", "NotebookInstanceStatus": "InService",
            "NotebookInstanceArn": regional("sagemaker", "notebook-instance/n"),
            "NotebookInstanceLifecycleConfigName": "c"}]}),
        ),
        ("sagemaker/describe-notebook-instance/n", json!({"RoleArn": role})),
        (
            "secretsmanager/list-secrets",
            json!({"SecretList": [{"Name": "s",
            "ARN": regional("secretsmanager", "secret:s-abcdef")}]}),
        ),
        (
            "secretsmanager/get-resource-policy/s",
            json!({"Name": "s", "ResourcePolicy":
            let_anyone("x:*").to_string()}),
        ),
        ("sns/list-topics", json!({"Topics": [{"TopicArn": regional("sns", "t")}]})),
        ("sns/get-topic-attributes/t", attributes.clone()),
        (
            "sqs/list-queues",
            json!({"QueueUrls": [
            "https://sqs.us-east-1.amazonaws.com/111111111111/q"]}),
        ),
        (
            "sqs/get-queue-attributes/https%3A%2F%2Fsqs.us-east-1.amazonaws.com%2F111111111111%2Fq",
            attributes,
        ),
        ("ssm/describe-parameters", json!({"Parameters": [{"Name": "/a/b", "Type": "String"}]})),
        (
            "stepfunctions/list-state-machines",
            json!({"stateMachines": [{"name": "m",
            "stateMachineArn": regional("states", "stateMachine:m")}]}),
        ),
        ("stepfunctions/describe-state-machine/m", json!({"roleArn": role})),
    ];
    let world = load_resources(&files);
    for (arn, name, expected) in [
        (regional("apprunner", "service/s/8fe1"), "role", &*role),
        (regional("autoscaling", "g"), "launch-template", &regional("ec2", "launch-template/lt-1")),
        (regional("autoscaling", "g"), "role", &role),
        (regional("batch", "job-definition/j:3"), "role", &role),
        (regional("bedrock-agentcore", "code-interpreter-custom/c-1"), "role", &role),
        (regional("cloudformation", "stack/s/1"), "role", &role),
        (regional("cloudformation", "stackset/t:1"), "administration-role", &role),
        (regional("cloudformation", "stackset/t:1"), "execution-role-name", "e"),
        (regional("codebuild", "project/p"), "role", &role),
        (regional("datapipeline", "pipeline/df-1"), "role", &role),
        (regional("ec2", "launch-template/lt-1"), "role", &role),
        (regional("glue", "devEndpoint/e"), "role", &role),
        (regional("sagemaker", "notebook-instance/n"), "role", &role),
        (
            regional("sagemaker", "notebook-instance/n"),
            "lifecycle-config",
            &regional("sagemaker", "notebook-instance-lifecycle-config/c"),
        ),
        (regional("ssm", "parameter/a/b"), "type", "String"),
        (regional("states", "stateMachine:m"), "role", &role),
    ] {
        assert_eq!(attribute(&world, &arn, name), expected, "{arn} {name}");
    }
    for (arn, name) in [
        ("arn:aws:s3:::b".to_owned(), "b"),
        (regional("dynamodb", "table/t"), "t"),
        (regional("kms", "key/1"), "1"),
        (regional("secretsmanager", "secret:s-abcdef"), "s"),
        (regional("sns", "t"), "t"),
        (regional("sqs", "q"), "q"),
    ] {
        assert!(matches!(object(&world, &arn).policy, OwnPolicy::Present(_)), "{arn}");
        assert_eq!(&*object(&world, &arn).name, name);
    }
    assert_eq!(object(&world, "arn:aws:s3:::c").policy, OwnPolicy::Absent);
    assert!(world.find(&regional("lambda", "layer:l")).is_some());
    assert!(world.find(&regional("cloudformation", "stackset/u:1")).is_none());
}

#[test]
fn what_one_response_shows_gone_no_other_brings_back() {
    let arn = |name: &str| format!("arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/{name}");
    let named = |name: &str, status: &str| json!({"clusterArn": arn(name), "clusterName": name, "status": status});
    let world = load_resources(&[
        ("ecs/list-clusters", json!({"clusterArns": [arn("a"), arn("b"), arn("c")]})),
        (
            "ecs/describe-clusters",
            json!({"clusters": [named("a", "ACTIVE"), named("b", "INACTIVE")]}),
        ),
    ]);
    assert!(world.find(&arn("a")).is_some());
    assert!(world.find(&arn("b")).is_none());
    assert!(world.find(&arn("c")).is_some());
    assert!(uncollected(&world, "ecs:cluster", "us-east-1").is_none());
}

#[test]
fn a_policy_of_aws_that_differs_between_accounts_is_reported() {
    let listing = |account: &str, document: Value| {
        let policy = json!({"PolicyName": "X", "Arn": "arn:aws:iam::aws:policy/X", "Path": "/",
            "DefaultVersionId": "v1", "PolicyVersionList": [
                {"VersionId": "v1", "IsDefaultVersion": true, "Document": document}]});
        let mut changed = details();
        changed["Policies"].as_array_mut().unwrap().push(policy);
        changed["RoleDetailList"][0]["AttachedManagedPolicies"] = json!([{"PolicyArn": "arn:aws:iam::aws:policy/X"},
                   {"PolicyArn": "arn:aws:iam::aws:policy/NotListed"}]);
        let text = changed.to_string().replace(ACCOUNT, account);
        (DETAILS.replace(ACCOUNT, account), Value::String(text))
    };
    let (first, one) = listing(ACCOUNT, allow("x:1"));
    let (second, same) = listing("222222222222", allow("x:1"));
    let (third, other) = listing("333333333333", allow("x:2"));
    let pretty = serde_json::to_string_pretty(&allow("x:1")).unwrap();
    let (fourth, written) = listing("444444444444", Value::String(pretty));
    let world = load(&[(&first, one.clone()), (&second, same), (&fourth, written)]);
    assert!(!has_gap(&world, "says something else"));
    assert_eq!(object(&world, "arn:aws:iam::aws:policy/X").account, AccountIndex(0));
    assert!(has_gap(&world, "policy/NotListed\" is attached, but the snapshot does not hold it"));
    let world = load(&[(&first, one), (&third, other)]);
    assert!(has_gap(&world, "accounts/333333333333: \"arn:aws:iam::aws:policy/X\" says something"));
}

#[test]
fn an_item_of_the_wrong_type_is_a_gap_and_the_others_stay() {
    let world = load_resources(&[(
        "s3api/list-buckets",
        json!({"Buckets": [{"Name": {"x": 1}}, {"Name": "b", "BucketRegion": ["x"]}]}),
    )]);
    assert!(has_gap(&world, "list-buckets.json at /Buckets/0: expected a name or ARN"));
    assert!(uncollected(&world, "s3:bucket", "global").is_some());
    assert!(attribute(&world, "arn:aws:s3:::b", "region").contains("expected a text"));
}

#[test]
fn every_shape_of_tags_is_read() {
    let world = load_resources(&[
        ("s3api/list-buckets", json!({"Buckets": [{"Name": "b"}]})),
        ("s3api/get-bucket-tagging/b", json!({"TagSet": [{"Key": "k", "Value": "v"}]})),
        (
            "kms/list-keys",
            json!({"Keys": [{"KeyId": "1", "KeyArn": "arn:aws:kms:us-east-1:1:key/1"}]}),
        ),
        ("kms/list-resource-tags/1", json!({"Tags": [{"TagKey": "k", "TagValue": "v"}]})),
        (
            "lambda/list-functions",
            json!({"Functions": [{"FunctionName": "f",
            "FunctionArn": "arn:aws:lambda:us-east-1:111111111111:function:f", "Role": "r"}]}),
        ),
        (
            "lambda/list-tags/arn%3Aaws%3Alambda%3Aus-east-1%3A111111111111%3Afunction%3Af",
            json!({"Tags": {"k": "v"}}),
        ),
    ]);
    for arn in [
        "arn:aws:s3:::b",
        "arn:aws:kms:us-east-1:1:key/1",
        "arn:aws:lambda:us-east-1:111111111111:function:f",
    ] {
        assert_eq!(object(&world, arn).tags, [("k".into(), "v".into())], "{arn}");
    }
}

#[test]
fn a_name_with_control_characters_is_data() {
    let name = "b\u{1b}[31m\n";
    let mut changed = details();
    changed["UserDetailList"][0]["GroupList"] = json!([name]);
    changed["RoleDetailList"][0]["RoleName"] = name.into();
    let world = load(&[(DETAILS, changed)]);
    assert_eq!(&*object(&world, &iam("role/app")).name, name);
    assert!(world.gaps.iter().all(|gap| !gap.0.contains(char::is_control)));
    assert!(has_gap(&world, "no group \"b\\u{1b}[31m\\n\""));
}

#[test]
fn a_deeply_nested_document_is_no_crash() {
    let nested = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let text = details().to_string().replacen("\"sts:AssumeRole\"", &nested, 1);
    load(&[(DETAILS, Value::String(text))]);
    let nested = format!("{{\"Functions\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let file = format!("accounts/{ACCOUNT}/us-east-1/lambda/list-functions.json");
    let world = load(&[(DETAILS, details()), (&file, Value::String(nested))]);
    assert!(has_gap(&world, "recursion limit"));
    assert!(uncollected(&world, "lambda:function", "us-east-1").is_some());
}

#[test]
fn a_damaged_file_is_an_error_or_a_gap() {
    let truncated = details().to_string()[..200].to_owned();
    let other = DETAILS.replace(ACCOUNT, "222222222222");
    let good = Value::String(details().to_string().replace(ACCOUNT, "222222222222"));
    let files = [(DETAILS, Value::String(truncated)), (other.as_str(), good)];
    let world = load(&files);
    assert_eq!(world.accounts.len(), 2);
    let said = world.gaps.iter().find(|gap| gap.0.contains("EOF while parsing")).unwrap();
    assert!(said.0.starts_with(&format!("{DETAILS} at /UserDetailList/0")), "{said}");
    assert!(uncollected(&world, "iam:user", "global").unwrap().contains("could not be used"));
    assert_eq!(world.of_kind("iam:user").len(), 1);

    let stop = LoadOptions { keep_going: false, progress: None };
    assert!(matches!(load_with(&files, &stop), Err(SnapshotError::Unexpected { .. })));
    // Nothing is left to answer from.
    let error = load_with(&files[..1], &LoadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("get-account-authorization-details.json\" at /"), "{error}");
}

#[test]
fn no_damage_to_a_file_is_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("details.json");
    let text = details().to_string();
    let mut refused = 0;
    for at in (0..text.len()).step_by(31) {
        for damage in ["", "[", "}", "\"", "null,", "7", "\\"] {
            let after = if damage.is_empty() { "" } else { &text[at + 1..] };
            fs::write(&path, format!("{}{damage}{after}", &text[..at])).unwrap();
            match World::load(&path, &LoadOptions::default()) {
                Ok(_) => {}
                Err(SnapshotError::Unexpected { .. } | SnapshotError::NotASnapshot { .. }) => {
                    refused += 1;
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
    assert!(refused > 200, "{refused}");
}

#[test]
fn a_value_of_the_wrong_type_is_named() {
    let mut changed = details();
    changed["RoleDetailList"][1]["Path"] = 7.into();
    let error = load_with(&[(DETAILS, changed)], &LoadOptions::default()).unwrap_err();
    let SnapshotError::Unexpected { at, problem, .. } = &error else { panic!("{error}") };
    assert_eq!(at.0, "/RoleDetailList/1/Path");
    assert!(problem.contains("expected a string"), "{problem}");
}

#[test]
fn what_is_no_snapshot_is_an_error() {
    let check = |files: &[(&str, Value)], expected: &str| {
        let error = load_with(files, &LoadOptions::default()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(&[], "expected a folder accounts in it");
    check(&[("accounts/x/y.json", json!({}))], "expected a folder accounts/<account id>");
    let missing = World::load(Path::new("/nonexistent/x"), &LoadOptions::default());
    assert!(matches!(missing, Err(SnapshotError::Read { .. })));
}

#[test]
fn an_account_without_details_is_reported() {
    let file = format!("accounts/{ACCOUNT}/global/s3api/list-buckets.json");
    let world = load(&[(&file, json!({"Buckets": []}))]);
    assert!(has_gap(&world, "get-account-authorization-details.json was not asked"));
    assert!(uncollected(&world, "iam:role", "global").is_some());
}

#[test]
fn one_file_is_a_snapshot_of_one_account() {
    let folder = tempfile::tempdir().unwrap();
    let load = |content: &str| {
        let path = folder.path().join("details.json");
        fs::write(&path, content).unwrap();
        World::load(&path, &LoadOptions::default())
    };
    let world = load(&details().to_string().replace("arn:aws:", "arn:aws-cn:")).unwrap();
    assert_eq!(&*world.accounts[0].id, ACCOUNT);
    assert_eq!(&*world.accounts[0].partition, "aws-cn");
    assert!(world.find("arn:aws-cn:iam::aws:policy/AdministratorAccess").is_some());
    let why = uncollected(&world, "lambda:function", "*").unwrap();
    assert!(why.starts_with("accounts/111111111111: no Region"), "{why}");

    assert!(matches!(load("{}"), Err(SnapshotError::NotASnapshot { .. })));
    assert!(matches!(load(""), Err(SnapshotError::Unexpected { .. })));
    assert!(matches!(load("[]"), Err(SnapshotError::Unexpected { .. })));
}

#[test]
fn without_an_organization_that_is_said_once() {
    let world = load(&[(DETAILS, details())]);
    assert!(world.organization.is_none());
    let said = "accounts/111111111111: no organization data: service control policies were taken \
                as absent";
    assert_eq!(world.gaps.iter().filter(|gap| &*gap.0 == said).count(), 1);
}

/// An organization with a unit above the member account, and the given policy files.
fn organization(more: &[(&str, Value)]) -> World {
    let policies = |ids: &[&str]| {
        json!({"Policies": ids.iter().map(|id| json!({
            "Id": id, "Name": id, "Type": if id.starts_with("p-RCP") {
                "RESOURCE_CONTROL_POLICY" } else { "SERVICE_CONTROL_POLICY" }
        })).collect::<Vec<_>>()})
    };
    let mut files = vec![
        (DETAILS, details()),
        (
            "organization/describe-organization.json",
            json!({"Organization": {
            "Id": "o-1", "MasterAccountId": "999999999999", "FeatureSet": "ALL"}}),
        ),
        (
            "organization/list-accounts.json",
            json!({"Accounts": [{"Id": "999999999999"}, {"Id": ACCOUNT}]}),
        ),
        (
            "organization/list-roots.json",
            json!({"Roots": [{"Id": "r-1", "PolicyTypes": [
            {"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}]}]}),
        ),
        (
            "organization/list-organizational-units-for-parent/r-1.json",
            json!({"OrganizationalUnits": [{"Id": "ou-1"}]}),
        ),
        (
            "organization/list-organizational-units-for-parent/ou-1.json",
            json!({"OrganizationalUnits": []}),
        ),
        (
            "organization/list-accounts-for-parent/r-1.json",
            json!({"Accounts": [{"Id": "999999999999"}]}),
        ),
        ("organization/list-accounts-for-parent/ou-1.json", json!({"Accounts": [{"Id": ACCOUNT}]})),
        ("organization/list-policies-for-target/r-1.json", policies(&["p-FullAWSAccess"])),
        ("organization/list-policies-for-target/ou-1.json", policies(&["p-FullAWSAccess", "p-1"])),
        (
            "organization/describe-policy/p-1.json",
            json!({"Policy": {"Content": deny("iam:*").to_string()}}),
        ),
    ];
    files.extend(more.iter().cloned());
    load(&files)
}

#[test]
fn control_policies_stand_on_levels() {
    let target = format!("organization/list-policies-for-target/{ACCOUNT}.json");
    let world = organization(&[(
        &target,
        json!({"Policies": [
        {"Id": "p-FullAWSAccess", "Type": "SERVICE_CONTROL_POLICY", "Name": "FullAWSAccess"}]}),
    )]);
    let organization = world.organization.as_ref().unwrap();
    let levels = organization.service_control_levels(ACCOUNT);
    assert_eq!(levels.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2, 1]);
    assert_eq!(levels[0], levels[2]);
    for document in levels.iter().flatten() {
        assert!(world.documents[document.0 as usize].policy.is_ok());
    }
    assert_eq!(organization.policy_name(levels[1][1]), Some("p-1"));
    assert_eq!(
        organization.path(ACCOUNT, &OrganizationChanges::default()).unwrap(),
        "o-1/r-1/ou-1/"
    );
    assert!(organization.resource_control_levels(ACCOUNT).is_empty());
    assert!(organization.service_control_levels("999999999999").is_empty());
    assert!(organization.service_control_levels("333333333333").is_empty());
    assert_eq!(organization.contains("333333333333"), Some(false));
    assert!(!has_gap(&world, "no organization data"));
}

#[test]
fn changes_of_the_organization_are_seen_on_the_levels() {
    let target = format!("organization/list-policies-for-target/{ACCOUNT}.json");
    let world = organization(&[(
        &target,
        json!({"Policies": [
        {"Id": "p-FullAWSAccess", "Type": "SERVICE_CONTROL_POLICY", "Name": "FullAWSAccess"}]}),
    )]);
    let organization = world.organization.as_ref().unwrap();
    let scp = ControlPolicyKind::ServiceControlPolicy;
    let check = |changes: &OrganizationChanges, expected: &[(usize, usize)]| {
        let levels = organization.changed_levels(ACCOUNT, scp, changes);
        let found: Vec<(usize, usize)> = levels
            .iter()
            .map(|level| (level.len(), level.iter().filter(|policy| policy.is_none()).count()))
            .collect();
        assert_eq!(found, expected, "{changes:?}");
    };
    let none = OrganizationChanges::default;
    fn pair<T: FromIterator<(Arc<str>, Arc<str>)>>(one: &str, other: &str) -> T {
        std::iter::once((Arc::from(one), Arc::from(other))).collect()
    }
    check(&none(), &[(1, 0), (2, 0), (1, 0)]);
    check(
        &OrganizationChanges { detached: pair("ou-1", "p-1"), ..none() },
        &[(1, 0), (1, 0), (1, 0)],
    );
    check(
        &OrganizationChanges { detached: pair("r-1", "p-1"), ..none() },
        &[(1, 0), (2, 0), (1, 0)],
    );
    check(
        &OrganizationChanges {
            attached: [(Arc::from(ACCOUNT), Some(Arc::from("p-1")))].into(),
            ..none()
        },
        &[(1, 0), (2, 0), (2, 0)],
    );
    let new = || [(Arc::from(ACCOUNT), None)].into();
    check(&OrganizationChanges { attached: new(), ..none() }, &[(1, 0), (2, 0), (2, 1)]);
    // The last one stays unless there is another.
    check(
        &OrganizationChanges { detached: pair(ACCOUNT, "p-FullAWSAccess"), ..none() },
        &[(1, 0), (2, 0), (1, 0)],
    );
    check(
        &OrganizationChanges {
            attached: new(),
            detached: pair(ACCOUNT, "p-FullAWSAccess"),
            ..none()
        },
        &[(1, 0), (2, 0), (1, 1)],
    );
    check(
        &OrganizationChanges { rewritten: [Arc::from("p-1")].into(), ..none() },
        &[(1, 0), (2, 1), (1, 0)],
    );
    check(&OrganizationChanges { off: [scp].into(), ..none() }, &[]);
    check(&OrganizationChanges { left: [Arc::from(ACCOUNT)].into(), ..none() }, &[]);
    check(&OrganizationChanges { moved: pair(ACCOUNT, "r-1"), ..none() }, &[(1, 0), (1, 0)]);
}

#[test]
fn policies_and_their_targets_are_objects_of_the_management_account() {
    let management = DETAILS.replace(ACCOUNT, "999999999999");
    let details = details().to_string().replace(ACCOUNT, "999999999999");
    let world = organization(&[(&management, Value::String(details))]);
    let of = |kind: &str| -> Vec<&Object> {
        world.of_kind(kind).iter().map(|id| &world.objects[id.0 as usize]).collect()
    };
    let policy = of("organizations:policy").into_iter().find(|o| &*o.name == "p-1").unwrap();
    assert_eq!(
        &*policy.arn,
        "arn:aws:organizations::999999999999:policy/o-1/service_control_policy/p-1"
    );
    assert_eq!(policy.attribute("denies").unwrap(), ["true".into()]);
    let unit = of("organizations:target").into_iter().find(|o| &*o.name == "ou-1").unwrap();
    assert_eq!(policy.attribute("targets").unwrap(), std::slice::from_ref(&unit.arn));
    assert_eq!(&*world.accounts[unit.account.0 as usize].id, "999999999999");
    assert!(organization(&[]).of_kind("organizations:policy").is_empty());
}

#[test]
fn a_level_that_was_not_collected_is_a_gap() {
    let world = organization(&[]);
    let levels = world.organization.as_ref().unwrap().service_control_levels(ACCOUNT);
    assert_eq!(levels.len(), 3);
    let [document] = levels[2][..] else { panic!() };
    let why = world.documents[document.0 as usize].policy.as_ref().unwrap_err();
    let file = format!("organization/list-policies-for-target/{ACCOUNT}.json was not asked");
    assert_eq!(why.to_string(), file);
    assert!(has_gap(&world, &file));
}

#[test]
fn a_circle_of_units_ends() {
    let world = organization(&[(
        "organization/list-organizational-units-for-parent/ou-1.json",
        json!({"OrganizationalUnits": [{"Id": "r-1"}, {"Id": "ou-1"}]}),
    )]);
    assert_eq!(world.organization.unwrap().service_control_levels(ACCOUNT).len(), 3);
}

#[test]
fn progress_is_told_and_the_world_is_the_same_at_any_thread_count() {
    let folder = tempfile::tempdir().unwrap();
    for account in 0..8 {
        let id = format!("{account:012}");
        let content = details().to_string().replace(ACCOUNT, &id);
        write(folder.path(), &[(&DETAILS.replace(ACCOUNT, &id), Value::String(content))]);
    }
    let bytes = AtomicU64::new(0);
    let told = |progress: Progress| {
        bytes.fetch_max(progress.bytes, Ordering::Relaxed);
    };
    let options = LoadOptions { keep_going: true, progress: Some(&told) };
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let world = pool.install(|| World::load(folder.path(), &options)).unwrap();
        format!("{:?}{:?}{:?}{:?}", world.accounts, world.objects, world.documents, world.gaps)
    };
    assert_eq!(with(1), with(4));
    assert_eq!(bytes.load(Ordering::Relaxed), 8 * details().to_string().len() as u64);
}
