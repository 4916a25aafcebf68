//! Requests against small snapshots.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::snapshot::LoadOptions;

const ACCOUNT: &str = "111122223333";

/// A snapshot under construction: user `a`, role `r`, and what a test adds.
struct Snapshot {
    folder: TempDir,
    user: Value,
    role: Value,
}

fn statement(effect: &str, action: &str, resource: &str, condition: Value) -> Value {
    json!({"Effect": effect, "Action": action, "Resource": resource, "Condition": condition})
}

fn document(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

impl Snapshot {
    fn new() -> Self {
        let arn = |rest: &str| format!("arn:aws:iam::{ACCOUNT}:{rest}");
        Self {
            folder: TempDir::new().unwrap(),
            user: json!({
                "Path": "/", "UserName": "a", "UserId": "AIDAEXAMPLE", "Arn": arn("user/a"),
                "CreateDate": "2025-01-01T00:00:00Z", "UserPolicyList": [], "GroupList": [],
                "AttachedManagedPolicies": [], "Tags": [{"Key": "team", "Value": "red"}],
            }),
            role: json!({
                "Path": "/", "RoleName": "r", "RoleId": "AROAEXAMPLE", "Arn": arn("role/r"),
                "CreateDate": "2025-01-01T00:00:00Z", "RolePolicyList": [],
                "AttachedManagedPolicies": [], "Tags": [], "InstanceProfileList": [],
                "AssumeRolePolicyDocument": document(&[json!({
                    "Effect": "Allow", "Principal": {"AWS": arn("user/a")},
                    "Action": "sts:AssumeRole",
                })]),
            }),
        }
    }

    /// The user's inline policy `own`.
    fn own(mut self, statements: &[Value]) -> Self {
        self.user["UserPolicyList"] =
            json!([{"PolicyName": "own", "PolicyDocument": document(statements)}]);
        self
    }

    /// A file below the account's folder.
    fn with(self, file: &str, content: &Value) -> Self {
        self.put(&format!("accounts/{ACCOUNT}/{file}"), content);
        self
    }

    fn put(&self, file: &str, content: &Value) {
        let path = self.folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).unwrap();
        fs::write(path, content.to_string()).unwrap();
    }

    /// An organization whose account has the control policies, each attached to the root.
    fn organization(self, policies: &[(&str, &str, Value)]) -> Self {
        let put = |file: &str, content: Value| self.put(&format!("organization/{file}"), &content);
        put(
            "describe-organization.json",
            json!({"Organization": {"Id": "o-x", "MasterAccountId": "999999999999"}}),
        );
        let ids = [ACCOUNT, "999999999999"].map(|id| json!({"Id": id}));
        put("list-accounts.json", json!({ "Accounts": ids }));
        let kinds = ["SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"]
            .map(|kind| json!({"Type": kind, "Status": "ENABLED"}));
        put("list-roots.json", json!({"Roots": [{"Id": "r-x", "PolicyTypes": kinds}]}));
        put("list-accounts-for-parent/r-x.json", json!({ "Accounts": ids }));
        put("list-organizational-units-for-parent/r-x.json", json!({"OrganizationalUnits": []}));
        let full = |kind: &str, id: &str| json!({"Id": id, "Name": "Full", "Type": kind});
        let mut listed = vec![
            full("SERVICE_CONTROL_POLICY", "p-FullAWSAccess"),
            full("RESOURCE_CONTROL_POLICY", "p-RCPFullAWSAccess"),
        ];
        let here = json!({ "Policies": listed });
        for account in [ACCOUNT, "999999999999"] {
            put(&format!("list-policies-for-target/{account}.json"), here.clone());
        }
        for (kind, id, content) in policies {
            listed.push(json!({"Id": id, "Name": format!("control {id}"), "Type": kind}));
            put(
                &format!("describe-policy/{id}.json"),
                json!({"Policy": {"Content": content.to_string()}}),
            );
        }
        put("list-policies-for-target/r-x.json", json!({ "Policies": listed }));
        self
    }

    fn ask(&self, principal: &str, call: &str, context: &[(&str, &str)]) -> Simulation {
        self.try_ask(principal, call, context).unwrap()
    }

    /// `call` is `ACTION RESOURCE`.
    fn try_ask(
        &self,
        principal: &str,
        call: &str,
        context: &[(&str, &str)],
    ) -> Result<Simulation, QuestionError> {
        let details = json!({
            "UserDetailList": [self.user], "GroupDetailList": [], "RoleDetailList": [self.role],
            "Policies": [],
        });
        let global = format!("accounts/{ACCOUNT}/global");
        self.put(&format!("{global}/iam/get-account-authorization-details.json"), &details);
        let world = World::load(self.folder.path(), &LoadOptions::default()).unwrap();
        let models = Models::builtin().unwrap();
        let (action, resource) = call.split_once(' ').unwrap();
        let mut asked = Asked {
            principal: principal.to_owned(),
            action: action.to_owned(),
            resource: resource.to_owned(),
            ..Asked::default()
        };
        for (key, value) in context {
            let values = asked.context.entry((*key).into()).or_default();
            values.extend((!value.is_empty()).then(|| Arc::from(*value)));
        }
        Simulator::new(&world, &models)?.decide(&asked)
    }
}

fn check(simulation: &Simulation, verdict: Verdict, allowed_if: &[&[(&str, &str, &str)]]) {
    let found: Vec<Vec<(String, String, String)>> = simulation
        .allowed_if
        .iter()
        .map(|alternative| {
            alternative
                .iter()
                .map(|assumption| match serde_json::to_value(assumption).unwrap() {
                    Value::Object(known) => {
                        let text = |name: &str| match known.get(name) {
                            Some(Value::String(text)) => text.clone(),
                            Some(Value::Array(values)) => {
                                let texts: Vec<_> =
                                    values.iter().filter_map(Value::as_str).collect();
                                texts.join("|")
                            }
                            _ => String::new(),
                        };
                        (text("operator"), text("key"), text("values"))
                    }
                    _ => panic!(),
                })
                .collect()
        })
        .collect();
    let expected: Vec<Vec<_>> = allowed_if
        .iter()
        .map(|alternative| {
            alternative.iter().map(|(a, b, c)| ((*a).into(), (*b).into(), (*c).into())).collect()
        })
        .collect();
    assert_eq!((simulation.verdict, found), (verdict, expected), "{simulation:#?}");
}

fn layer<'s>(simulation: &'s Simulation, kind: &str) -> &'s LayerReport {
    simulation.layers.iter().find(|layer| layer.kind == kind).unwrap()
}

#[test]
fn a_key_that_was_not_given_is_named_and_not_guessed() {
    let mfa = json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}});
    let snapshot = Snapshot::new().own(&[statement("Allow", "iam:PutUserPolicy", "*", mfa)]);
    let call = "iam:PutUserPolicy user/a";
    check(
        &snapshot.ask("user/a", call, &[]),
        Verdict::AllowedUnderAssumptions,
        &[&[("Bool", "aws:MultiFactorAuthPresent", "true")]],
    );
    let key = "AWS:MultiFactorAuthPresent";
    check(&snapshot.ask("user/a", call, &[(key, "true")]), Verdict::Allowed, &[]);
    for value in ["false", ""] {
        let denied = snapshot.ask("user/a", call, &[(key, value)]);
        check(&denied, Verdict::ImplicitlyDenied, &[]);
        let failed = &denied.near_misses[0].failed[0];
        assert_eq!(failed.key.as_deref(), Some("aws:MultiFactorAuthPresent"));
        let found: Vec<&str> = failed.found.iter().map(|value| &**value).collect();
        let expected: &[&str] = if value.is_empty() { &[] } else { &[value] };
        assert_eq!(found, expected);
    }
}

#[test]
fn every_alternative_is_listed() {
    let snapshot = Snapshot::new().own(&[
        statement("Allow", "s3:*", "*", json!({"StringEquals": {"aws:SourceVpce": "vpce-1"}})),
        statement(
            "Allow",
            "s3:GetObject",
            "*",
            json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
        ),
    ]);
    check(
        &snapshot.ask("user/a", "s3:GetObject arn:aws:s3:::b/k", &[]),
        Verdict::AllowedUnderAssumptions,
        &[
            &[("IpAddress", "aws:SourceIp", "10.0.0.0/8")],
            &[("StringEquals", "aws:SourceVpce", "vpce-1")],
        ],
    );
}

#[test]
fn what_the_call_determines_is_left_open_unless_it_is_given() {
    let passed = json!({"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}});
    let snapshot = Snapshot::new().own(&[statement("Allow", "iam:PassRole", "*", passed)]);
    check(
        &snapshot.ask("user/a", "iam:PassRole role/r", &[]),
        Verdict::AllowedUnderAssumptions,
        &[&[("StringEquals", "iam:PassedToService", "lambda.amazonaws.com")]],
    );
    let ec2 = [("iam:PassedToService", "ec2.amazonaws.com")];
    check(&snapshot.ask("user/a", "iam:PassRole role/r", &ec2), Verdict::ImplicitlyDenied, &[]);
}

#[test]
fn what_follows_from_the_snapshot_needs_no_giving() {
    let condition = json!({
        "StringEquals": {"aws:PrincipalTag/team": "red", "aws:username": "a"},
        "ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:user/a"},
    });
    let snapshot = Snapshot::new().own(&[statement("Allow", "iam:*", "*", condition)]);
    check(&snapshot.ask("user/a", "iam:GetUser user/a", &[]), Verdict::Allowed, &[]);
    // What is given goes before what follows.
    let blue = [("aws:PrincipalTag/Team", "blue")];
    check(&snapshot.ask("user/a", "iam:GetUser user/a", &blue), Verdict::ImplicitlyDenied, &[]);
}

#[test]
fn keys_of_services_follow_from_caller_resource_and_snapshot() {
    let boundary = "arn:aws:iam::111122223333:policy/limit";
    let equals = |key: &str, value: &str| json!({"StringEquals": {key: value}});
    let ask = |action: &str, condition: Value, resource: &str| {
        let own = [statement("Allow", action, "*", condition)];
        let mut snapshot = Snapshot::new().own(&own).with(
            "global/s3api/list-buckets.json",
            &json!({"Buckets": [{"Name": "b", "BucketRegion": "eu-west-1"}]}),
        );
        snapshot.user["PermissionsBoundary"] = json!({"PermissionsBoundaryArn": boundary});
        // The boundary itself lets nothing pass: what counts is the layer of identity policies.
        let simulation = snapshot.ask("user/a", &format!("{action} {resource}"), &[]);
        layer(&simulation, "identity").says
    };
    let key = "arn:aws:kms:us-east-1:111122223333:key/1";
    let instance = "arn:aws:ec2:us-east-1:111122223333:instance/i-1";
    for (action, name, right, wrong, resource) in [
        ("kms:Decrypt", "kms:CallerAccount", ACCOUNT, "444455556666", key),
        ("s3:ListBucket", "s3:ResourceAccount", ACCOUNT, "444455556666", "arn:aws:s3:::b"),
        ("ec2:StartInstances", "ec2:Region", "us-east-1", "us-east-2", instance),
        ("iam:PutUserPolicy", "iam:PermissionsBoundary", boundary, "arn:x", "user/a"),
    ] {
        assert_eq!(ask(action, equals(name, right), resource), Says::Allows, "{name}");
        assert_eq!(ask(action, equals(name, wrong), resource), Says::DoesNotAllow, "{name}");
    }
}

#[test]
fn keys_that_move_together_are_told_by_one_of_them() {
    let both = json!({
        "NumericLessThan": {"aws:EpochTime": "1767225601"},
        "Bool": {"aws:MultiFactorAuthPresent": "true"},
        "StringEqualsIfExists": {"aws:SourceVpc": "vpc-1"},
    });
    let snapshot = Snapshot::new().own(&[statement("Allow", "iam:*", "*", both)]);
    let given = [
        ("aws:CurrentTime", "2026-01-01T00:00:00Z"),
        ("aws:MultiFactorAuthAge", "10"),
        ("aws:SourceIp", "192.0.2.1"),
    ];
    check(&snapshot.ask("user/a", "iam:GetUser user/a", &given), Verdict::Allowed, &[]);
}

#[test]
fn a_federated_user_is_named_by_its_session() {
    let condition = json!({
        "StringEquals": {"aws:userid": "111122223333:a"},
        "ArnEquals": {"aws:PrincipalArn": "arn:aws:sts::111122223333:federated-user/a"},
        "Null": {"aws:username": "true"},
    });
    let snapshot = Snapshot::new().with(
        "us-east-1/sqs/list-queues.json",
        &json!({"QueueUrls": ["https://sqs.us-east-1.amazonaws.com/111122223333/q"]}),
    );
    let grant = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*",
        "Condition": condition,
    }]});
    let attributes = json!({"Attributes": {
        "QueueArn": "arn:aws:sqs:us-east-1:111122223333:q", "Policy": grant.to_string(),
    }});
    let argument = "https%3A%2F%2Fsqs.us-east-1.amazonaws.com%2F111122223333%2Fq";
    let snapshot = snapshot
        .with(&format!("us-east-1/sqs/get-queue-attributes/{argument}.json"), &attributes)
        .with("us-east-1/sqs/get-queue-attributes/q.json", &attributes);
    let federated = "arn:aws:sts::111122223333:federated-user/a";
    let call = "sqs:SendMessage arn:aws:sqs:us-east-1:111122223333:q";
    check(&snapshot.ask(federated, call, &[]), Verdict::Allowed, &[]);
    check(&snapshot.ask("user/a", call, &[]), Verdict::ImplicitlyDenied, &[]);
}

#[test]
fn a_deny_is_named_with_its_file() {
    let snapshot = Snapshot::new().own(&[
        statement("Allow", "*", "*", json!({})),
        statement(
            "Deny",
            "iam:*",
            "*",
            json!({"StringNotEquals": {"aws:PrincipalTag/team": "blue"}}),
        ),
    ]);
    let denied = snapshot.ask("user/a", "iam:GetUser user/a", &[]);
    check(&denied, Verdict::ExplicitlyDenied, &[]);
    let by = &denied.denied_by[0];
    assert_eq!((&*by.policy, by.kind, by.statement), ("own", "identity", 1));
    assert_eq!(by.of.as_deref(), Some("arn:aws:iam::111122223333:user/a"));
    assert_eq!(
        by.file.as_deref(),
        Some("accounts/111122223333/global/iam/get-account-authorization-details.json")
    );
}

#[test]
fn a_trust_policy_decides_who_may_assume() {
    let snapshot = Snapshot::new();
    let allowed = snapshot.ask("user/a", "sts:AssumeRole role/r", &[]);
    check(&allowed, Verdict::Allowed, &[]);
    assert_eq!(allowed.allowed_by[0].kind, "trust");
    let service = snapshot.ask("ec2.amazonaws.com", "sts:AssumeRole role/r", &[]);
    check(&service, Verdict::ImplicitlyDenied, &[]);
    assert_eq!(service.near_misses[0].failed[0].element, "Principal");
}

#[test]
fn what_an_identity_provider_says_is_left_open() {
    let mut snapshot = Snapshot::new();
    let provider = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/id.example.com/x");
    snapshot.role["AssumeRolePolicyDocument"] = document(&[json!({
        "Effect": "Allow", "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringLike": {"id.example.com/x:sub": "team:*"}},
    })]);
    let call = "sts:AssumeRoleWithWebIdentity role/r";
    let key = "id.example.com/x:sub";
    check(
        &snapshot.ask(&provider, call, &[]),
        Verdict::AllowedUnderAssumptions,
        &[&[("StringLike", key, "team:*")]],
    );
    check(&snapshot.ask(&provider, call, &[(key, "team:a")]), Verdict::Allowed, &[]);
    check(&snapshot.ask(&provider, call, &[(key, "a")]), Verdict::ImplicitlyDenied, &[]);
    check(&snapshot.ask("anonymous", call, &[]), Verdict::ImplicitlyDenied, &[]);
}

#[test]
fn control_policies_bind_in_accounts_that_were_not_collected() {
    let deny = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}]});
    let snapshot = Snapshot::new()
        .own(&[statement("Allow", "*", "*", json!({}))])
        .organization(&[("RESOURCE_CONTROL_POLICY", "p-rcp", deny)]);
    let accounts = [ACCOUNT, "999999999999", "444455556666"].map(|id| json!({"Id": id}));
    for file in ["list-accounts.json", "list-accounts-for-parent/r-x.json"] {
        snapshot.put(&format!("organization/{file}"), &json!({ "Accounts": accounts }));
    }
    let none = json!({"Policies": []});
    snapshot.put("organization/list-policies-for-target/444455556666.json", &none);
    let queue = "sqs:SendMessage arn:aws:sqs:us-east-1:444455556666:q";
    check(&snapshot.ask("user/a", queue, &[]), Verdict::ExplicitlyDenied, &[]);
}

#[test]
fn a_session_has_its_name_and_its_policy() {
    let mut snapshot = Snapshot::new();
    let condition = json!({"StringEquals": {"aws:userid": "AROAEXAMPLE:s"}});
    snapshot.role["RolePolicyList"] = json!([{
        "PolicyName": "own",
        "PolicyDocument": document(&[statement("Allow", "sqs:*", "*", condition)]),
    }]);
    let session = |name: &str| format!("arn:aws:sts::{ACCOUNT}:assumed-role/r/{name}");
    let call = "sqs:SendMessage arn:aws:sqs:us-east-1:111122223333:q";
    check(&snapshot.ask(&session("s"), call, &[]), Verdict::Allowed, &[]);
    check(&snapshot.ask(&session("t"), call, &[]), Verdict::ImplicitlyDenied, &[]);
    check(
        &snapshot.ask("role/r", call, &[]),
        Verdict::AllowedUnderAssumptions,
        &[&[("StringEquals", "sts:RoleSessionName", "s")]],
    );
}

/// A call that every role and user of [`role`] may make under its condition.
const READ: &str = "s3:GetObject arn:aws:s3:::b/k";

/// Role `r` with a trust policy that allows these actions, and a policy with this condition.
fn role(trusted: &[&str], condition: &Value) -> Snapshot {
    let mut snapshot = Snapshot::new();
    let own = [statement("Allow", "s3:GetObject", "*", condition.clone())];
    snapshot.role["AssumeRolePolicyDocument"]["Statement"][0]["Action"] = json!(trusted);
    snapshot.role["Tags"] = json!([{"Key": "team", "Value": "red"}]);
    snapshot.role["RolePolicyList"] =
        json!([{"PolicyName": "own", "PolicyDocument": document(&own)}]);
    snapshot.own(&own)
}

#[test]
fn a_session_may_have_tags_if_its_role_lets_them_be_given() {
    let wanted = json!({"StringEquals": {"aws:PrincipalTag/team": "blue"}});
    let without = role(&["sts:AssumeRole"], &wanted).ask("role/r", READ, &[]);
    check(&without, Verdict::ImplicitlyDenied, &[]);
    let with = role(&["sts:AssumeRole", "sts:TagSession"], &wanted).ask("role/r", READ, &[]);
    let team = ("StringEquals", "aws:PrincipalTag/team", "blue");
    check(&with, Verdict::AllowedUnderAssumptions, &[&[team]]);
    let user = role(&["sts:AssumeRole", "sts:TagSession"], &wanted).ask("user/a", READ, &[]);
    check(&user, Verdict::ImplicitlyDenied, &[]);
}

#[test]
fn a_session_may_have_a_source_identity_if_its_role_lets_one_be_set() {
    let wanted = json!({"StringEquals": {"aws:SourceIdentity": "bob"}});
    let without = role(&["sts:AssumeRole"], &wanted);
    check(&without.ask("role/r", READ, &[]), Verdict::ImplicitlyDenied, &[]);
    check(&without.ask("user/a", READ, &[]), Verdict::ImplicitlyDenied, &[]);
    let with = role(&["sts:AssumeRole", "sts:SetSourceIdentity"], &wanted);
    let bob = ("StringEquals", "aws:SourceIdentity", "bob");
    check(&with.ask("role/r", READ, &[]), Verdict::AllowedUnderAssumptions, &[&[bob]]);
}

#[test]
fn what_a_service_says_of_its_sessions_needs_a_role_that_lets_it_in() {
    let wanted = json!({"Null": {"ec2:SourceInstanceARN": "false"}});
    let simulation = role(&["sts:AssumeRole"], &wanted).ask("role/r", READ, &[]);
    check(&simulation, Verdict::ImplicitlyDenied, &[]);
    let wanted = json!({"Null": {"aws:FederatedProvider": "false"}});
    let simulation = role(&["sts:AssumeRole"], &wanted).ask("role/r", READ, &[]);
    check(&simulation, Verdict::ImplicitlyDenied, &[]);
}

#[test]
fn each_level_of_the_organization_is_a_layer() {
    let deny = document(&[statement("Deny", "iam:Delete*", "*", json!({}))]);
    let snapshot = Snapshot::new()
        .own(&[statement("Allow", "*", "*", json!({}))])
        .organization(&[("SERVICE_CONTROL_POLICY", "p-deny", deny)]);
    let denied = snapshot.ask("user/a", "iam:DeleteUser user/a", &[]);
    check(&denied, Verdict::ExplicitlyDenied, &[]);
    let by = &denied.denied_by[0];
    assert_eq!((&*by.policy, by.kind), ("control p-deny", "service-control"));
    assert_eq!(by.file.as_deref(), Some("organization/describe-policy/p-deny.json"));
    let levels: Vec<(Option<&str>, Says)> = denied
        .layers
        .iter()
        .filter(|layer| layer.kind == "service-control")
        .map(|layer| (layer.level.as_deref(), layer.says))
        .collect();
    assert_eq!(levels, [(Some("r-x"), Says::Denies), (Some(ACCOUNT), Says::Allows)]);
    check(&snapshot.ask("user/a", "iam:GetUser user/a", &[]), Verdict::Allowed, &[]);
}

#[test]
fn resource_control_policies_bind_only_services_that_take_them() {
    let deny = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}]});
    let snapshot = Snapshot::new()
        .own(&[statement("Allow", "*", "*", json!({}))])
        .organization(&[("RESOURCE_CONTROL_POLICY", "p-rcp", deny)]);
    let queue = "sqs:SendMessage arn:aws:sqs:us-east-1:111122223333:q";
    let denied = snapshot.ask("user/a", queue, &[]);
    check(&denied, Verdict::ExplicitlyDenied, &[]);
    assert_eq!(layer(&denied, "resource-control").says, Says::Denies);
    let function = "lambda:GetFunction arn:aws:lambda:us-east-1:111122223333:function:f";
    check(&snapshot.ask("user/a", function, &[]), Verdict::Allowed, &[]);
}

fn endpoint(policy: &Value) -> Value {
    json!({"VpcEndpoints": [{
        "VpcEndpointId": "vpce-1", "VpcEndpointType": "Gateway", "VpcId": "vpc-1",
        "ServiceName": "com.amazonaws.us-east-1.s3", "PolicyDocument": policy.to_string(),
    }]})
}

#[test]
fn an_endpoint_policy_binds_what_comes_through_it() {
    let policy = json!({"Statement": [{"Effect": "Allow", "Principal": "*",
        "Action": "s3:*", "Resource": "arn:aws:s3:::good/*"}]});
    let snapshot = Snapshot::new()
        .own(&[statement("Allow", "*", "*", json!({}))])
        .with("us-east-1/ec2/describe-vpc-endpoints.json", &endpoint(&policy));
    let through = [("aws:SourceVpce", "vpce-1")];
    let good = "s3:GetObject arn:aws:s3:::good/k";
    let bad = "s3:GetObject arn:aws:s3:::bad/k";
    check(&snapshot.ask("user/a", good, &through), Verdict::Allowed, &[]);
    let denied = snapshot.ask("user/a", bad, &through);
    check(&denied, Verdict::ImplicitlyDenied, &[]);
    assert_eq!(layer(&denied, "endpoint").says, Says::DoesNotAllow);
    let policy = &layer(&denied, "endpoint").policies[0];
    assert_eq!(
        policy.file.as_deref(),
        Some("accounts/111122223333/us-east-1/ec2/describe-vpc-endpoints.json")
    );
    // Nobody has to come that way, and calls to other services cannot.
    check(&snapshot.ask("user/a", bad, &[]), Verdict::Allowed, &[]);
    check(&snapshot.ask("user/a", "iam:GetUser user/a", &through), Verdict::Allowed, &[]);
    let other = snapshot.ask("user/a", bad, &[("aws:SourceVpce", "vpce-9")]);
    check(&other, Verdict::Allowed, &[]);
    assert!(other.unknown.iter().any(|text| text.contains("vpce-9")));
}

#[test]
fn an_endpoint_that_a_policy_asks_for_must_let_the_request_pass() {
    let condition = json!({"StringEquals": {"aws:SourceVpce": ["vpce-1", "vpce-2"]}});
    let snapshot = |resource: &str| {
        let policy = json!({"Statement": [{"Effect": "Allow", "Principal": "*",
            "Action": "s3:*", "Resource": resource}]});
        Snapshot::new()
            .own(&[statement("Allow", "s3:*", "*", condition.clone())])
            .with("us-east-1/ec2/describe-vpc-endpoints.json", &endpoint(&policy))
    };
    let call = "s3:GetObject arn:aws:s3:::b/k";
    let both: &[(&str, &str, &str)] = &[("StringEquals", "aws:SourceVpce", "vpce-1|vpce-2")];
    let open = Verdict::AllowedUnderAssumptions;
    check(&snapshot("*").ask("user/a", call, &[]), open, &[both]);
    let second: &[(&str, &str, &str)] = &[("StringEquals", "aws:SourceVpce", "vpce-2")];
    check(&snapshot("arn:aws:s3:::c/*").ask("user/a", call, &[]), open, &[second]);
}

#[test]
fn the_endpoint_says_which_vpc_it_is() {
    let condition = json!({"StringEquals": {"aws:SourceVpc": "vpc-1"}});
    let full = json!({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*",
        "Resource": "*"}]});
    let snapshot = Snapshot::new()
        .own(&[statement("Allow", "s3:*", "*", condition)])
        .with("us-east-1/ec2/describe-vpc-endpoints.json", &endpoint(&full));
    let call = "s3:GetObject arn:aws:s3:::b/k";
    let through = [("aws:SourceVpce", "vpce-1")];
    check(&snapshot.ask("user/a", call, &through), Verdict::Allowed, &[]);
    check(&snapshot.ask("user/a", call, &[("aws:SourceVpce", "")]), Verdict::ImplicitlyDenied, &[]);
}

#[test]
fn a_gateway_endpoint_names_an_account_for_its_root_user_only() {
    let policy = json!({"Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT},
        "Action": "*", "Resource": "*"}]});
    let through = [("aws:SourceVpce", "vpce-1")];
    let call = "s3:GetObject arn:aws:s3:::b/k";
    let snapshot = |kind: &str| {
        let mut endpoint = endpoint(&policy);
        endpoint["VpcEndpoints"][0]["VpcEndpointType"] = json!(kind);
        Snapshot::new()
            .own(&[statement("Allow", "*", "*", json!({}))])
            .with("us-east-1/ec2/describe-vpc-endpoints.json", &endpoint)
    };
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    check(&snapshot("Interface").ask("user/a", call, &through), Verdict::Allowed, &[]);
    let gateway = snapshot("Gateway");
    check(&gateway.ask("user/a", call, &through), Verdict::ImplicitlyDenied, &[]);
    check(&gateway.ask(&root, call, &through), Verdict::Allowed, &[]);
}

#[test]
fn a_principal_of_an_account_outside_the_snapshot_leaves_the_answer_unknown() {
    let mut snapshot = Snapshot::new();
    snapshot.role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"] =
        json!("444455556666");
    let stranger = "arn:aws:iam::444455556666:user/x";
    let unknown = snapshot.ask(stranger, "sts:AssumeRole role/r", &[]);
    check(&unknown, Verdict::Unknown, &[]);
    assert!(unknown.unknown.iter().any(|text| text.contains("444455556666")));
    // What no policy of theirs could change is known all the same.
    let denied = snapshot.ask("arn:aws:iam::555566667777:user/x", "sts:AssumeRole role/r", &[]);
    check(&denied, Verdict::ImplicitlyDenied, &[]);
}

#[test]
fn what_is_no_question_is_refused() {
    let snapshot = Snapshot::new();
    for (principal, call) in [
        ("user/nobody", "iam:GetUser user/a"),
        ("arn:aws:iam::111122223333:user/nobody", "iam:GetUser user/a"),
        ("arn:aws:sts::111122223333:assumed-role/nobody/s", "iam:GetUser user/a"),
        ("user/a", "GetUser user/a"),
        ("user/a", "iam:Get* user/a"),
        ("user/a", "iam:GetUser user/*"),
        ("user/a", "iam:GetUser user/nobody"),
    ] {
        assert!(snapshot.try_ask(principal, call, &[]).is_err(), "{principal} {call}");
    }
}
