//! `escalade simulate` on the demonstration account, as scripts meet it.
#![allow(clippy::unwrap_used, reason = "the functions around the tests are tests as well")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../corpus/demo/snapshot");
const PASS: &str = "--action iam:PassRole --resource role/lambda-account-janitor";
const TO_LAMBDA: &str = "--context iam:PassedToService=lambda.amazonaws.com";

/// `escalade simulate SNAPSHOT` with these words.
fn run(snapshot: &str, line: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_escalade"))
        .args(["simulate", snapshot])
        .args(line.split_whitespace())
        .output()
        .unwrap()
}

fn answered(line: &str) -> String {
    let output = run(DEMO, line);
    assert_eq!(output.status.code(), Some(0), "{line}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn json(line: &str) -> Value {
    serde_json::from_str(&answered(&format!("{line} --format json"))).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_request_that_hangs_on_a_key_says_on_which() {
    let shown = answered(&format!("--principal user/carla.mendes {PASS}"));
    assert!(shown.starts_with("allowed under assumptions: user/staff/carla.mendes can call"));
    assert!(shown.contains("\nIf\n  - iam:PassedToService is lambda.amazonaws.com\n"), "{shown}");
    assert!(shown.contains("developer-lambda statement 2 (PassFunctionRoles)"), "{shown}");
}

#[test]
fn a_key_that_is_given_settles_it() {
    let carla = format!("--principal user/carla.mendes {PASS}");
    assert!(answered(&format!("{carla} {TO_LAMBDA}")).starts_with("allowed: "));
    let denied = answered(&format!("{carla} --context IAM:passedtoservice=ec2.amazonaws.com"));
    assert!(denied.starts_with("implicitly denied: "), "{denied}");
    let almost = "StringEquals iam:PassedToService wants lambda.amazonaws.com: it is \
                  ec2.amazonaws.com";
    assert!(denied.contains(almost), "{denied}");
}

#[test]
fn a_boundary_is_named_as_what_does_not_allow() {
    let result = &json(&format!("--principal user/ben.osei {PASS} {TO_LAMBDA}"))["results"][0];
    assert_eq!(result["verdict"], "implicitly-denied");
    let layers = result["layers"].as_array().unwrap();
    let says = |kind: &str| {
        layers.iter().find(|layer| layer["kind"] == kind).map(|layer| layer["says"].clone())
    };
    assert_eq!(says("identity"), Some("allows".into()));
    assert_eq!(says("boundary"), Some("does-not-allow".into()));
    let miss = &result["near_misses"].as_array().unwrap()[..];
    assert!(miss.iter().any(|miss| miss["sid"] == "PassApplicationRoles"
        && miss["kind"] == "boundary"
        && miss["failed"][0]["element"] == "Resource"));
}

#[test]
fn json_has_one_shape_for_one_request_and_for_several() {
    let several = "--action iam:PassRole --action iam:GetRole --resource role/lambda-account-janitor \
                   --resource role/glue-etl";
    let answer = json(&format!("--principal user/carla.mendes {several}"));
    assert_eq!(answer["schema"], "escalade/1");
    let asked: Vec<(String, String)> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| {
            let text = |member: &str| result["request"][member].as_str().unwrap().to_owned();
            (text("action"), text("resource").rsplit('/').next().unwrap().to_owned())
        })
        .collect();
    let pair = |action: &str, name: &str| (action.to_owned(), name.to_owned());
    assert_eq!(
        asked,
        [
            pair("iam:PassRole", "lambda-account-janitor"),
            pair("iam:PassRole", "glue-etl"),
            pair("iam:GetRole", "lambda-account-janitor"),
            pair("iam:GetRole", "glue-etl"),
        ]
    );
    let keys: Vec<_> = answer["results"][0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        keys,
        [
            "request",
            "verdict",
            "allowed_if",
            "allowed_by",
            "denied_by",
            "layers",
            "near_misses",
            "unknown"
        ]
    );
    let by = &answer["results"][0]["allowed_by"][0];
    assert_eq!(by["of"], "arn:aws:iam::444455556666:group/developers");
    assert_eq!(
        by["file"],
        "accounts/444455556666/global/iam/get-account-authorization-details.json"
    );
    assert_eq!(by["applies_if"][0][0]["key"], "iam:PassedToService");
}

#[test]
fn an_expectation_decides_the_exit_status() {
    let carla = format!("--principal user/carla.mendes {PASS}");
    let lambda = format!("{carla} {TO_LAMBDA}");
    let ec2 = format!("{carla} --context iam:PassedToService=ec2.amazonaws.com");
    for (line, expect, status) in [
        (&lambda, "allow", 0),
        (&lambda, "deny", 1),
        (&ec2, "deny", 0),
        (&ec2, "implicit-deny", 0),
        (&ec2, "explicit-deny", 1),
        (&ec2, "allow", 1),
        (&carla, "conditional", 0),
        (&carla, "allow", 1),
        (&carla, "unknown", 1),
    ] {
        let output = run(DEMO, &format!("{line} --expect {expect}"));
        assert_eq!(output.status.code(), Some(status), "{line} --expect {expect}");
        assert!(!output.stdout.is_empty(), "the answer is there either way");
        let complaint = text(&output.stderr);
        assert_eq!(complaint.contains(&format!("expected {expect}, found ")), status == 1);
    }
}

#[test]
fn what_is_no_question_is_refused() {
    let carla = "--principal user/carla.mendes";
    for (line, expected) in [
        (format!("--principal user/nobody {PASS}"), "user/nobody"),
        (format!("{carla} --action iam:Pass* --resource *"), "no action"),
        (format!("{carla} --action iam:PassRole --resource role/*"), "is a pattern"),
        (format!("{carla} --action iam:PassRole --resource role/nobody"), "role/nobody"),
        (format!("{carla} --action iam:PassRole"), "--resource"),
        (format!("{carla} {PASS} --context a"), "KEY=VALUE"),
        (format!("{carla} {PASS} --context a:b= --context A:b=c"), "absent and has a value"),
        (format!("{carla} {PASS} --cases x.jsonl"), "cannot be used with"),
        (format!("{carla} {PASS} --session-policy nothing.json"), "nothing.json"),
    ] {
        let output = run(DEMO, &line);
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert_eq!(text(&output.stdout), "", "{line}");
        assert!(text(&output.stderr).contains(expected), "{line}: {}", text(&output.stderr));
    }
}

#[test]
fn a_session_policy_limits() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("session.json");
    let policy = |action: &str| {
        format!(r#"{{"Statement": {{"Effect": "Allow", "Action": "{action}", "Resource": "*"}}}}"#)
    };
    let line = format!(
        "--principal user/carla.mendes {PASS} {TO_LAMBDA} --session-policy {}",
        file.display()
    );
    fs::write(&file, policy("iam:*")).unwrap();
    assert!(answered(&line).starts_with("allowed: "));
    fs::write(&file, policy("s3:*")).unwrap();
    let denied = answered(&line);
    assert!(denied.starts_with("implicitly denied: "), "{denied}");
    assert!(denied.contains("session           does not allow"), "{denied}");
    fs::write(&file, "{}").unwrap();
    assert_eq!(run(DEMO, &line).status.code(), Some(2));
}

#[test]
fn one_file_is_a_snapshot_too() {
    let file = Path::new(DEMO)
        .join("accounts/444455556666/global/iam/get-account-authorization-details.json");
    let line = format!("--principal user/carla.mendes {PASS} {TO_LAMBDA} --format json");
    let output = run(&file.to_string_lossy(), &line);
    let answer: Value = serde_json::from_str(&text(&output.stdout)).unwrap();
    assert_eq!(answer["results"][0]["verdict"], "allowed");
    let by = &answer["results"][0]["allowed_by"][0];
    assert_eq!(by["file"], "get-account-authorization-details.json");
}

#[test]
fn a_call_for_the_owners_account_alone_is_not_granted_to_others() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../corpus");
    let snapshot = format!("{corpus}/bucket-policy-is-for-the-owner-closed/snapshot");
    let call = "--action s3:PutBucketPolicy --resource arn:aws:s3:::shared-data";
    let alice = "--principal arn:aws:iam::111122223333:user/alice";
    let shown = text(&run(&snapshot, &format!("{alice} {call}")).stdout);
    assert!(shown.starts_with("implicitly denied: "), "{shown}");
    assert!(shown.contains("it can grant this call to principals of its own account"), "{shown}");
}

#[test]
fn a_policy_that_names_a_session_hangs_on_the_sessions_name() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../corpus");
    let snapshot = format!("{corpus}/bucket-policy-names-a-session/snapshot");
    let call = "--action s3:GetObject --resource arn:aws:s3:::payroll-exports/x";
    for (principal, verdict) in [
        ("role/developer", "allowed under assumptions: "),
        ("arn:aws:sts::111122223333:assumed-role/developer/release", "allowed: "),
        ("arn:aws:sts::111122223333:assumed-role/developer/other", "implicitly denied: "),
    ] {
        let shown = text(&run(&snapshot, &format!("--principal {principal} {call}")).stdout);
        assert!(shown.starts_with(verdict), "{shown}");
    }
}
