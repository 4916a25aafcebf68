//! How the kinds of policy combine.

use super::*;
use crate::authorization::cases::{Verdict, decide_case};

const ALL: &str = r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#;
const NONE: &str = r#"{"Statement": {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}}"#;
const DENY: &str = r#"{"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}"#;

const USER: &str = r#""arn:aws:iam::111122223333:user/a""#;
const ROLE: &str = r#""arn:aws:iam::111122223333:role/r""#;
const SESSION: &str = r#""arn:aws:sts::111122223333:assumed-role/r/s""#;
const FEDERATED_USER: &str = r#""arn:aws:sts::111122223333:federated-user/a""#;
const ROOT: &str = r#""arn:aws:iam::111122223333:root""#;
const SERVICE: &str = r#"{"Service": "sns.amazonaws.com"}"#;
const LINKED: &str =
    r#""arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX""#;

/// A statement of a resource policy that allows everything to `principal`.
fn to(principal: &str) -> String {
    format!(r#"{{"Statement": {{"Effect": "Allow", "Principal": {principal}, "Action": "*"}}}}"#)
}

fn aws(principal: &str) -> String {
    to(&format!(r#"{{"AWS": {principal}}}"#))
}

/// `A` allowed, `E` explicitly denied, `I` implicitly denied.
fn check(caller: &str, call: &str, policies: &[(&str, &str)], expected: char) {
    let (action, resource) = call.split_once(' ').unwrap();
    let mut account = "111122223333";
    let mut members = String::new();
    for (member, value) in policies {
        match *member {
            "account" => account = value,
            "identity_policies" => members += &format!(r#", "{member}": [{value}]"#),
            "scps" | "rcps" => members += &format!(r#", "{member}": [[{value}]]"#),
            _ => members += &format!(r#", "{member}": {value}"#),
        }
    }
    let line = format!(
        r#"{{"id": "x", "request": {{"principal": {caller}, "action": "{action}",
        "resource": "{resource}", "resource_account": "{account}", "context": {{}}}}{members}}}"#
    );
    let found = match decide_case(&line).verdict {
        Ok(Verdict::Allowed) => 'A',
        Ok(Verdict::ExplicitlyDenied) => 'E',
        Ok(Verdict::ImplicitlyDenied) => 'I',
        Err(error) => panic!("{error}: {line}"),
    };
    assert_eq!(found, expected, "{line}");
}

const GET: &str = "s3:GetObject arn:aws:s3:::b/k";
const ASSUME: &str = "sts:AssumeRole arn:aws:iam::111122223333:role/target";
const DECRYPT: &str = "kms:Decrypt arn:aws:kms:us-east-1:111122223333:key/k";

#[test]
fn a_boundary_never_grants() {
    check(USER, GET, &[("boundary", ALL)], 'I');
    check(USER, GET, &[("identity_policies", ALL), ("boundary", ALL)], 'A');
    check(USER, GET, &[("identity_policies", ALL), ("boundary", NONE)], 'I');
    check(USER, GET, &[("identity_policies", ALL), ("boundary", DENY)], 'E');
}

#[test]
fn a_grant_to_the_caller_itself_is_not_limited() {
    let limits = [("boundary", NONE), ("session_policy", NONE)];
    for (caller, principal, expected) in [
        (USER, USER, 'A'),
        (SESSION, SESSION, 'A'),
        (SESSION, ROLE, 'I'),
        (ROLE, ROLE, 'I'),
        (ROLE, SESSION, 'I'),
        (FEDERATED_USER, FEDERATED_USER, 'A'),
        (FEDERATED_USER, USER, 'I'),
        (USER, r#""*""#, 'A'),
        (SESSION, r#""*""#, 'A'),
        (USER, ROOT, 'I'),
        (USER, r#""AIDAEXAMPLE""#, 'I'),
        (USER, r#""arn:aws:iam::111122223333:user/*""#, 'I'),
    ] {
        let policy = aws(principal);
        check(caller, GET, &[("resource_policy", &policy), limits[0], limits[1]], expected);
        let denied = [("resource_policy", &*policy), ("identity_policies", DENY)];
        check(caller, GET, &denied, 'E');
    }
}

#[test]
fn a_grant_to_the_role_needs_no_identity_policy() {
    check(SESSION, GET, &[("resource_policy", &aws(ROLE))], 'A');
    check(SESSION, GET, &[("resource_policy", &aws(ROOT))], 'I');
    check(SESSION, GET, &[("resource_policy", &aws(ROOT)), ("identity_policies", ALL)], 'A');
}

#[test]
fn across_accounts_both_must_allow() {
    let elsewhere = ("account", "444455556666");
    for principal in [SESSION, ROLE, ROOT, r#""*""#] {
        let policy = aws(principal);
        let theirs = ("resource_policy", &*policy);
        check(SESSION, GET, &[elsewhere, theirs], 'I');
        check(SESSION, GET, &[elsewhere, theirs, ("identity_policies", ALL)], 'A');
        let bounded = [elsewhere, theirs, ("identity_policies", ALL), ("boundary", NONE)];
        check(SESSION, GET, &bounded, 'I');
    }
    check(SESSION, GET, &[elsewhere, ("identity_policies", ALL)], 'I');
    check(ROOT, GET, &[elsewhere, ("resource_policy", &aws(ROOT))], 'A');
    check(ROOT, GET, &[elsewhere, ("resource_policy", &aws(USER))], 'I');
}

#[test]
fn trust_and_key_policies_must_admit_the_caller() {
    for call in [ASSUME, DECRYPT] {
        check(USER, call, &[("identity_policies", ALL)], 'I');
        check(USER, call, &[("resource_policy", &aws(ROOT))], 'I');
        check(USER, call, &[("resource_policy", &aws(ROOT)), ("identity_policies", ALL)], 'A');
        check(USER, call, &[("resource_policy", &aws(USER))], 'A');
        check(SESSION, call, &[("resource_policy", &aws(ROLE))], 'A');
        check(SESSION, call, &[("resource_policy", &aws(ROLE)), ("boundary", NONE)], 'I');
        check(USER, call, &[("resource_policy", &aws(ROLE)), ("identity_policies", ALL)], 'I');
    }
    // A key's policy has no say where no key is named.
    check(USER, "kms:ListKeys *", &[("identity_policies", ALL)], 'A');
    check(
        USER,
        "iam:PassRole arn:aws:iam::111122223333:role/r",
        &[("identity_policies", ALL)],
        'A',
    );
}

#[test]
fn the_root_user_needs_no_policy_of_its_own() {
    check(ROOT, GET, &[], 'A');
    check(ROOT, GET, &[("scps", NONE)], 'I');
    check(
        ROOT,
        GET,
        &[(
            "resource_policy",
            r#"{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "*"}}"#,
        )],
        'E',
    );
    check(ROOT, DECRYPT, &[("resource_policy", &aws(USER))], 'I');
    check(ROOT, DECRYPT, &[("resource_policy", &aws(ROOT))], 'A');
    check(ROOT, ASSUME, &[("resource_policy", &aws(r#""*""#))], 'I');
}

#[test]
fn control_policies_bind_whom_they_bind() {
    for kind in ["scps", "rcps"] {
        check(USER, GET, &[("identity_policies", ALL), (kind, NONE)], 'I');
        check(USER, GET, &[("identity_policies", ALL), (kind, DENY)], 'E');
        check(USER, GET, &[("resource_policy", &aws(USER)), (kind, NONE)], 'I');
        check(LINKED, GET, &[("identity_policies", ALL), (kind, DENY)], 'A');
    }
    let service = to(SERVICE);
    check(SERVICE, GET, &[("resource_policy", &service), ("scps", DENY)], 'A');
    check(SERVICE, GET, &[("resource_policy", &service), ("rcps", DENY)], 'E');
    let exempt = |member: &str| format!(r#"{{"{member}": true}}"#);
    let principal = exempt("principal_in_management_account");
    check(USER, GET, &[("identity_policies", ALL), ("scps", DENY), ("org", &principal)], 'A');
    check(USER, GET, &[("identity_policies", ALL), ("rcps", DENY), ("org", &principal)], 'E');
    let resource = exempt("resource_in_management_account");
    check(USER, GET, &[("identity_policies", ALL), ("rcps", DENY), ("org", &resource)], 'A');
}

#[test]
fn every_level_must_allow() {
    let two = format!("{ALL}], [{NONE}");
    check(USER, GET, &[("identity_policies", ALL), ("scps", &two)], 'I');
    let one_of_two = format!("{NONE}, {ALL}], [{ALL}");
    check(USER, GET, &[("identity_policies", ALL), ("scps", &one_of_two)], 'A');
    check(USER, GET, &[("identity_policies", ALL), ("scps", "")], 'I');
}

#[test]
fn not_principal_denies_all_but_whom_it_lists() {
    let own = |listed: &str| {
        format!(
            r#"{{"Statement": {{"Effect": "Deny", "NotPrincipal": {{"AWS": {listed}}}, "Action": "*"}}}}"#
        )
    };
    let both = own(&format!("[{USER}, {ROOT}]"));
    let mine = ("identity_policies", ALL);
    check(USER, GET, &[mine, ("resource_policy", &both)], 'A');
    check(USER, GET, &[mine, ("resource_policy", &both), ("boundary", ALL)], 'E');
    check(SESSION, GET, &[mine, ("resource_policy", &both)], 'E');
    check(USER, GET, &[mine, ("resource_policy", &own(ROOT))], 'E');
    let allow = own(ROOT).replace("Deny", "Allow");
    check(USER, GET, &[("resource_policy", &allow)], 'I');
    check(r#""anonymous""#, GET, &[("resource_policy", &allow)], 'A');
}

#[test]
fn callers_without_account_live_by_the_resource_policy() {
    let provider = r#"{"Federated": "arn:aws:iam::111122223333:saml-provider/idp"}"#;
    let saml = "sts:AssumeRoleWithSAML arn:aws:iam::111122223333:role/target";
    check(provider, saml, &[("resource_policy", &to(provider))], 'A');
    check(provider, saml, &[("resource_policy", &aws(ROOT))], 'I');
    check(r#""anonymous""#, GET, &[("resource_policy", &to(r#""*""#))], 'A');
    check(r#""anonymous""#, GET, &[("resource_policy", &aws(r#""*""#))], 'A');
    check(r#""anonymous""#, GET, &[("resource_policy", &aws(ROOT))], 'I');
    check(SERVICE, GET, &[("identity_policies", ALL)], 'I');
}

#[test]
fn some_calls_need_no_permission() {
    check(USER, "sts:GetCallerIdentity *", &[("identity_policies", DENY), ("scps", DENY)], 'A');
    check(USER, "sts:GetSessionToken *", &[], 'A');
    check(USER, "sts:GetSessionToken *", &[("identity_policies", DENY)], 'A');
    check(SESSION, "sts:GetSessionToken *", &[], 'I');
}

#[test]
fn a_federation_session_without_session_policy_has_only_what_resources_grant_it() {
    check(FEDERATED_USER, GET, &[("identity_policies", ALL)], 'I');
    check(FEDERATED_USER, GET, &[("identity_policies", ALL), ("session_policy", ALL)], 'A');
    check(FEDERATED_USER, GET, &[("resource_policy", &aws(FEDERATED_USER))], 'A');
}

#[test]
fn what_the_snapshot_lacks_is_a_gap_and_not_a_verdict() {
    let gap = crate::residual::Gap("policy p is missing".into());
    let allow = crate::policy::Policy::parse(ALL).unwrap();
    let present = InForce { policy: Ok(&allow), name: "p", origin: Origin::Elsewhere };
    let missing = InForce { policy: Err(&gap), name: "p", origin: Origin::Elsewhere };
    let (caller, resource) =
        (Caller::User("arn:aws:iam::111122223333:user/a".into()), Resource::Literal("*".into()));
    let request = Request {
        caller: &caller,
        action: "s3:ListAllMyBuckets",
        resource: &resource,
        resource_account: None,
        context: &Keys::default(),
    };
    let policies = |identity| Applicable {
        identity,
        boundary: None,
        session: None,
        service_control: Vec::new(),
        resource_control: Vec::new(),
        resource: ResourcePolicy::Absent,
        endpoints: &[],
    };
    let decision = authorize(&request, &policies(vec![missing]));
    assert_eq!(decision.authorized(), Residual::Unknown(gap.clone()));
    let decision = authorize(&request, &policies(vec![present, missing]));
    assert_eq!(
        (decision.allowed, decision.denied),
        (Residual::True, Residual::Unknown(gap.clone()))
    );
    let with_unknown_resource =
        Applicable { resource: ResourcePolicy::Unknown(&gap), ..policies(vec![present]) };
    let decision = authorize(&request, &with_unknown_resource);
    assert_eq!((decision.allowed, decision.denied), (Residual::True, Residual::Unknown(gap)));
}

#[test]
fn an_explanation_names_the_deciding_statements() {
    let identity = crate::policy::Policy::parse(
        r#"{"Statement": [
            {"Sid": "read", "Effect": "Allow", "Action": "s3:Get*", "Resource": "*"},
            {"Sid": "other", "Effect": "Allow", "Action": "ec2:*", "Resource": "*"},
            {"Sid": "near", "Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::c/*",
             "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}"#,
    )
    .unwrap();
    let bucket = crate::policy::Policy::parse(
        r#"{"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*"},
            {"Effect": "Allow", "Principal": {"AWS": "444455556666"}, "Action": "*"}]}"#,
    )
    .unwrap();
    let (caller, resource) = (
        Caller::User("arn:aws:iam::111122223333:user/a".into()),
        Resource::Literal("arn:aws:s3:::b/k".into()),
    );
    let request = Request {
        caller: &caller,
        action: "s3:GetObject",
        resource: &resource,
        resource_account: Some("111122223333"),
        context: &Keys::default(),
    };
    let policies = Applicable {
        identity: vec![InForce { policy: Ok(&identity), name: "mine", origin: Origin::Elsewhere }],
        boundary: None,
        session: None,
        service_control: Vec::new(),
        resource_control: Vec::new(),
        resource: ResourcePolicy::Present(InForce {
            policy: Ok(&bucket),
            name: "bucket",
            origin: Origin::Elsewhere,
        }),
        endpoints: &[],
    };
    let explanation = explain(&request, &policies, true);
    let shown = |deciding: &Deciding| {
        (deciding.kind, deciding.policy.clone(), deciding.statement, deciding.sid.clone())
    };
    let allowing: Vec<_> = explanation.allowing.iter().map(shown).collect();
    assert_eq!(allowing, [(PolicyKind::Identity, "mine".to_owned(), 0, Some("read".to_owned()))]);
    let denying: Vec<_> = explanation.denying.iter().map(shown).collect();
    assert_eq!(denying, [(PolicyKind::Resource, "bucket".to_owned(), 0, None)]);
    let misses: Vec<_> = explanation
        .near_misses
        .iter()
        .map(|miss| (miss.statement.policy.as_str(), miss.statement.statement, miss.failed.clone()))
        .collect();
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let condition = Element::Condition {
        operator: "Bool".to_owned(),
        key: "aws:SecureTransport".to_owned(),
        wanted: texts(&["false"]),
        found: Vec::new(),
    };
    let resource = Element::Resource { negated: false, wanted: texts(&["arn:aws:s3:::c/*"]) };
    let principal = Element::Principal { negated: false, wanted: texts(&["444455556666"]) };
    assert_eq!(misses, [("mine", 2, vec![resource, condition]), ("bucket", 1, vec![principal])]);
    assert!(explanation.decision.denied.is_true());
}
