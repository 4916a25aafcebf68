//! Whether anyone gets in by a trust policy, against every caller of a small world one by one.
//!
//! The other side knows nothing of open callers: it lists users and roles of an outside account,
//! or tokens of a provider, with all that a trust policy of this test can ask about them, and decides
//! a complete request for each.

#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]
#![expect(clippy::indexing_slicing, reason = "what is missing fails the test")]

use std::cell::Cell;

use escalade_engine::analysis::{Models, Options, reach};
use escalade_engine::answer::{Call, Verdict};
use escalade_engine::authorization::cases::{Verdict as Decided, decide_case};
use escalade_engine::snapshot::{LoadOptions, World};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value, json};

const ROLE: &str = "arn:aws:iam::111122223333:role/intake";
const OUTSIDE: &str = "888888888888";

/// Operator, key and value of a condition.
type Asked = (&'static str, &'static str, &'static str);

const TAG: &str = "aws:PrincipalTag/team";
const ARN: &str = "aws:PrincipalArn";
const ORGANIZATION: &str = "aws:PrincipalOrgID";
const MFA: &str = "aws:MultiFactorAuthPresent";

const OF_CALLERS: [Asked; 32] = [
    ("StringEquals", TAG, "core"),
    ("StringEquals", TAG, "ops"),
    ("StringNotEquals", TAG, "core"),
    ("StringLike", TAG, "c*"),
    ("StringNotLikeIfExists", TAG, "c*"),
    ("Null", TAG, "true"),
    ("Null", TAG, "false"),
    ("ArnLike", ARN, "arn:aws:iam::*:role/*"),
    ("ArnLike", ARN, "arn:aws:iam::*:role/ci/*"),
    ("ArnLike", ARN, "arn:aws:iam::*:user/bob"),
    ("ArnNotLike", ARN, "arn:aws:iam::*:user/*"),
    ("StringLike", ARN, "*:user/ci/*"),
    ("ArnLike", ARN, "arn:aws:iam::111122223333:*"),
    ("ArnNotLike", ARN, "arn:aws:iam::111122223333:*"),
    ("StringEquals", ORGANIZATION, "o-a1b2c3d4e5"),
    ("StringNotEquals", ORGANIZATION, "o-a1b2c3d4e5"),
    ("StringNotEqualsIfExists", ORGANIZATION, "o-a1b2c3d4e5"),
    ("StringLike", ORGANIZATION, "o-*"),
    ("Null", ORGANIZATION, "true"),
    ("Null", ORGANIZATION, "false"),
    ("StringEquals", "aws:PrincipalAccount", "111122223333"),
    ("StringNotEquals", "aws:PrincipalAccount", "111122223333"),
    ("Bool", MFA, "true"),
    ("Bool", MFA, "false"),
    ("BoolIfExists", MFA, "true"),
    ("BoolIfExists", MFA, "false"),
    ("StringEquals", "aws:PrincipalType", "User"),
    ("StringEquals", "aws:PrincipalType", "AssumedRole"),
    ("StringEquals", "aws:PrincipalType", "Anonymous"),
    ("StringEquals", "aws:username", "bob"),
    ("StringLike", "aws:userid", "AROA*:*"),
    ("StringLike", "aws:userid", "AIDA*"),
];

const PROVIDER: &str =
    "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";
const SUBJECT: &str = "token.actions.githubusercontent.com:sub";
const AUDIENCE: &str = "token.actions.githubusercontent.com:aud";

const OF_TOKENS: [Asked; 10] = [
    ("StringLike", SUBJECT, "repo:acme/*"),
    ("StringLike", SUBJECT, "repo:acme/web:*"),
    ("StringLike", SUBJECT, "*:environment:*"),
    ("StringEquals", SUBJECT, "repo:acme/web:ref:refs/heads/main"),
    ("StringNotLike", SUBJECT, "repo:*"),
    ("StringNotLike", SUBJECT, "repo:acme/web:*"),
    ("StringNotEquals", SUBJECT, "repo:acme/web:ref:refs/heads/main"),
    ("StringEquals", AUDIENCE, "sts.amazonaws.com"),
    ("StringNotEquals", AUDIENCE, "sts.amazonaws.com"),
    ("Null", SUBJECT, "true"),
];

/// One subject for every way in which these conditions can come out.
const SUBJECTS: [&str; 9] = [
    "repo:acme/web:ref:refs/heads/main",
    "repo:acme/web:environment:live",
    "repo:acme/web:pull_request",
    "repo:acme/api:environment:live",
    "repo:acme/api:pull_request",
    "repo:other/web:environment:live",
    "repo:other/web:pull_request",
    "user:bob",
    "user:environment:live",
];

fn principals() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => Just(json!({"Principal": "*"})),
        1 => Just(json!({"Principal": {"AWS": "arn:aws:iam::444455556666:root"}})),
        1 => Just(json!({"Principal": {"AWS": "arn:aws:iam::111122223333:role/other"}})),
    ]
}

fn spared() -> impl Strategy<Value = Value> {
    prop_oneof![
        2 => principals(),
        1 => Just(json!({"NotPrincipal": {"AWS": "arn:aws:iam::111122223333:root"}})),
    ]
}

fn statement(
    effect: &'static str,
    action: &'static str,
    conditions: &'static [Asked],
    whom: impl Strategy<Value = Value>,
) -> impl Strategy<Value = Value> {
    (whom, prop::sample::subsequence(conditions, 0..4)).prop_map(move |(whom, asked)| {
        let mut conditions: Map<String, Value> = Map::new();
        for (operator, key, value) in asked {
            let of_operator = conditions.entry(operator).or_insert_with(|| json!({}));
            of_operator[key] = json!(value);
        }
        let mut out = whom;
        out["Effect"] = json!(effect);
        out["Action"] = json!(action);
        if !conditions.is_empty() {
            out["Condition"] = Value::Object(conditions);
        }
        out
    })
}

fn trust_in_callers() -> impl Strategy<Value = Value> {
    let action = "sts:AssumeRole";
    let allow = statement("Allow", action, &OF_CALLERS, principals());
    let deny = statement("Deny", action, &OF_CALLERS, spared());
    trust(allow, deny)
}

fn trust_in_tokens() -> impl Strategy<Value = Value> {
    let action = "sts:AssumeRoleWithWebIdentity";
    let whom = || Just(json!({"Principal": {"Federated": PROVIDER}}));
    let allow = statement("Allow", action, &OF_TOKENS, whom());
    let deny = statement("Deny", action, &OF_TOKENS, whom());
    trust(allow, deny)
}

fn trust(
    allow: impl Strategy<Value = Value>,
    deny: impl Strategy<Value = Value>,
) -> impl Strategy<Value = Value> {
    let allow = prop::collection::vec(allow, 1..3);
    let deny = prop::collection::vec(deny, 0..2);
    (allow, deny).prop_map(|(mut statements, denying)| {
        statements.extend(denying);
        json!({"Version": "2012-10-17", "Statement": statements})
    })
}

/// Every caller of the small world: its ARN and its condition keys.
fn callers() -> Vec<(Value, Value)> {
    let mut out = Vec::new();
    let users = ["user/escalade", "user/bob", "user/ci/escalade", "user/ci/bob"];
    for name in users.into_iter().chain(["role/escalade", "role/deploy", "role/ci/deploy"]) {
        let arn = format!("arn:aws:iam::{OUTSIDE}:{name}");
        for tag in [None, Some("core"), Some("ops")] {
            for organization in [None, Some("o-zzzzzzzzzz")] {
                for mfa in [None, Some("true"), Some("false")] {
                    let mut keys = json!({ARN: arn, "aws:PrincipalAccount": OUTSIDE});
                    if name.starts_with("user/") {
                        keys["aws:PrincipalType"] = json!("User");
                        keys["aws:username"] = json!(name.rsplit('/').next());
                        keys["aws:userid"] = json!("AIDAXXXXXXXXXXXXXXXXX");
                    } else {
                        keys["aws:PrincipalType"] = json!("AssumedRole");
                        keys["aws:userid"] = json!("AROAXXXXXXXXXXXXXXXXX:session");
                    }
                    for (key, value) in [(TAG, tag), (ORGANIZATION, organization), (MFA, mfa)] {
                        if let Some(value) = value {
                            keys[key] = json!(value);
                        }
                    }
                    out.push((json!(arn), keys));
                }
            }
        }
    }
    out
}

/// Every token of the small world: its provider and what it says.
fn tokens() -> Vec<(Value, Value)> {
    let audiences = ["sts.amazonaws.com", "other"];
    let says = |subject, audience| json!({SUBJECT: subject, AUDIENCE: audience});
    SUBJECTS
        .iter()
        .flat_map(|subject| audiences.map(|audience| (token(), says(subject, audience))))
        .collect()
}

fn token() -> Value {
    json!({"Federated": PROVIDER})
}

fn is_let_in(trust: &Value, caller: &Value, keys: &Value) -> bool {
    let all = json!({"Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    let case = json!({
        "id": "one",
        "request": {"principal": caller, "action": trust["Statement"][0]["Action"], "resource": ROLE,
            "resource_account": "111122223333", "context": keys},
        "identity_policies": [all], "boundary": null, "scps": [], "rcps": [],
        "resource_policy": trust, "session_policy": null,
    });
    decide_case(&case.to_string()).verdict.unwrap() == Decided::Allowed
}

fn world(trust: &Value) -> World {
    let details = json!({
        "UserDetailList": [], "GroupDetailList": [], "Policies": [],
        "RoleDetailList": [{
            "Path": "/", "RoleName": "intake", "RoleId": "AROAQV7QWYSRM3OIF6ETL", "Arn": ROLE,
            "CreateDate": "2025-03-04T09:00:00+00:00", "AssumeRolePolicyDocument": trust,
            "InstanceProfileList": [], "RolePolicyList": [], "AttachedManagedPolicies": [],
            "Tags": [], "RoleLastUsed": {},
        }],
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("details.json");
    std::fs::write(&file, details.to_string()).unwrap();
    World::load(&file, &LoadOptions::default()).unwrap()
}

/// The condition keys of a call as a complete request has them.
fn keys_of(call: &Call) -> Value {
    let of = |(key, values): (&std::sync::Arc<str>, &escalade_engine::answer::KeyValue)| {
        (key.to_string(), json!(values.0.first()))
    };
    Value::Object(call.context.iter().map(of).collect())
}

/// Holds the answer for a start against every caller, for generated trust policies.
fn check(from: &str, trust: impl Strategy<Value = Value>, callers: &[(Value, Value)]) {
    let models = Models::builtin().unwrap();
    // What anybody can have of a public issuer is another way in.
    let avoid = vec!["sts-assume-role-with-web-identity".into()];
    let options = Options { goal: ROLE.into(), avoid, ..Options::default() };
    let config = Config { cases: 200, failure_persistence: None, ..Config::default() };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let (open, closed) = (Cell::new(0), Cell::new(0));
    TestRunner::new_with_rng(config, random)
        .run(&trust, |trust| {
            let expected = callers.iter().any(|(caller, keys)| is_let_in(&trust, caller, keys));
            let count = if expected { &open } else { &closed };
            count.set(count.get() + 1);
            let answer = reach(&world(&trust), &models, from, &options).unwrap();
            // A user's name and its path cannot both be open.
            let undecided =
                answer.verdict == Verdict::Unknown && trust.to_string().contains("aws:username");
            prop_assert!(
                undecided || answer.verdict != Verdict::Unknown,
                "{trust}: {:?}",
                answer.unknown
            );
            prop_assert!(
                undecided || answer.verdict.is_reachable() == expected,
                "{trust}: expected {expected}, got {}",
                answer.verdict
            );
            // The call that is shown is one that another evaluator lets through as it stands.
            if let Some(path) = &answer.path {
                let call = &path.steps[0].calls[0];
                let caller = if *call.actor == *PROVIDER { token() } else { json!(&*call.actor) };
                prop_assert!(is_let_in(&trust, &caller, &keys_of(call)), "{trust}: {call:?}");
            }
            Ok(())
        })
        .unwrap();
    assert!(open.get() > 30 && closed.get() > 30, "{} open, {} closed", open.get(), closed.get());
}

#[test]
fn anyone_gets_in_where_some_caller_does() {
    check("anyone", trust_in_callers(), &callers());
}

#[test]
fn a_subject_gets_in_where_some_token_does() {
    check(&format!("federated:{PROVIDER}"), trust_in_tokens(), &tokens());
}
