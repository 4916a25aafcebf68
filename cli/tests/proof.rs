//! `why-not`, certificates and `compare` as scripts meet them.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the functions around the tests are tests as well"
)]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

const ACCOUNT: &str = "111111111111";

/// An account of six users: `alice` may put a policy on herself, `bob` may do nothing that helps,
/// for `carol` a statement denies what alice may, for `dave` a boundary does not allow it, `erin`
/// may do everything, `frank` may put a policy on himself from the office and assume `worker`, who
/// may put one on itself from anywhere.
struct Fixture {
    folder: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let arn = |rest: &str| format!("arn:aws:iam::{ACCOUNT}:{rest}");
        let user = |name: &str, statements: Value, boundary: Option<&str>| {
            let mut user = json!({
                "Path": "/",
                "UserName": name,
                "UserId": format!("AIDA{:X<17}", name.to_uppercase()),
                "Arn": arn(&format!("user/{name}")),
                "CreateDate": "2024-01-01T00:00:00+00:00",
                "UserPolicyList": [{
                    "PolicyName": "own",
                    "PolicyDocument": { "Version": "2012-10-17", "Statement": statements },
                }],
                "GroupList": [],
                "AttachedManagedPolicies": [],
                "Tags": [],
            });
            if let Some(boundary) = boundary {
                user["PermissionsBoundary"] = json!({
                    "PermissionsBoundaryType": "Policy",
                    "PermissionsBoundaryArn": boundary,
                });
            }
            user
        };
        let statement = |effect: &str, action: &str, sid: &str| json!({ "Sid": sid, "Effect": effect, "Action": action, "Resource": "*" });
        let mut from_office = statement("Allow", "iam:PutUserPolicy", "Office");
        from_office["Condition"] = json!({ "IpAddress": { "aws:SourceIp": "198.51.100.0/24" } });
        let assume = json!({
            "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": arn("role/worker"),
        });
        let put = || statement("Allow", "iam:PutUserPolicy", "Own");
        let details = json!({
            "UserDetailList": [
                user("alice", json!([put()]), None),
                user("bob", json!([statement("Allow", "iam:GetUser", "Look")]), None),
                user("carol", json!([put(), statement("Deny", "iam:Put*", "Never")]), None),
                user("dave", json!([put()]), Some(&arn("policy/limit"))),
                user("erin", json!([statement("Allow", "*", "All")]), None),
                user("frank", json!([from_office, assume]), None),
            ],
            "GroupDetailList": [],
            "RoleDetailList": [{
                "Path": "/",
                "RoleName": "worker",
                "RoleId": "AROAWORKERXXXXXXXXXXX",
                "Arn": arn("role/worker"),
                "CreateDate": "2024-01-01T00:00:00+00:00",
                "AssumeRolePolicyDocument": { "Version": "2012-10-17", "Statement": [{
                    "Effect": "Allow",
                    "Principal": { "AWS": arn("root") },
                    "Action": "sts:AssumeRole",
                }] },
                "InstanceProfileList": [],
                "RolePolicyList": [{
                    "PolicyName": "own",
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [statement("Allow", "iam:PutRolePolicy", "Own")],
                    },
                }],
                "AttachedManagedPolicies": [],
                "Tags": [],
            }],
            "Policies": [{
                "PolicyName": "limit",
                "PolicyId": "ANPALIMITXXXXXXXXXXXX",
                "Arn": arn("policy/limit"),
                "Path": "/",
                "DefaultVersionId": "v1",
                "AttachmentCount": 0,
                "PermissionsBoundaryUsageCount": 1,
                "IsAttachable": true,
                "CreateDate": "2024-01-01T00:00:00+00:00",
                "UpdateDate": "2024-01-01T00:00:00+00:00",
                "PolicyVersionList": [{
                    "VersionId": "v1",
                    "IsDefaultVersion": true,
                    "CreateDate": "2024-01-01T00:00:00+00:00",
                    "Document": {
                        "Version": "2012-10-17",
                        "Statement": [statement("Allow", "s3:*", "Storage")],
                    },
                }],
            }],
        });
        fs::write(folder.path().join("details.json"), details.to_string()).unwrap();
        Self { folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, line: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_escalade"))
            .args(line.split_whitespace())
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn answered(&self, line: &str) -> String {
        let output = self.run(line);
        assert_eq!(output.status.code(), Some(0), "{line}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.answered(&format!("{line} --format json"))).unwrap()
    }

    fn status(&self, line: &str) -> (Option<i32>, String) {
        let output = self.run(line);
        (output.status.code(), text(&output.stderr))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_deny_is_named_as_what_blocks() {
    let fixture = Fixture::new();
    let shown = fixture.answered("why-not details.json --from user/carol --to admin");
    assert!(shown.starts_with("unreachable: user/carol cannot become administrator"), "{shown}");
    assert!(shown.contains("denied by identity: own statement 1 (Never)"), "{shown}");
    let answer = fixture.json("why-not details.json --from user/carol --to admin");
    let way = &answer["ways"][0];
    assert_eq!(way["technique"], "iam-put-user-policy");
    assert_eq!(way["blocked"][0]["action"], "iam:PutUserPolicy");
    let by = &way["blocked"][0]["blocked_by"];
    assert_eq!(by.as_array().unwrap().len(), 1, "{by}");
    assert_eq!(by[0][0]["kind"], "deny");
    assert_eq!(by[0][0]["sid"], "Never");
}

#[test]
fn a_boundary_is_named_as_what_does_not_allow() {
    let fixture = Fixture::new();
    let shown = fixture.answered("why-not details.json --from user/dave --to admin");
    assert!(shown.contains("not allowed by boundary: limit"), "{shown}");
    assert!(!shown.contains("denied by"), "{shown}");
}

#[test]
fn an_allow_that_is_missing_is_named() {
    let fixture = Fixture::new();
    let answer = fixture.json("why-not details.json --from user/bob --to admin");
    let ways = answer["ways"].as_array().unwrap();
    // The role's trust policy leaves it to the account's policies, and none of them says so.
    let assume = ways.iter().find(|way| way["technique"] == "sts-assume-role").unwrap();
    let by = &assume["blocked"][0]["blocked_by"][0][0];
    assert_eq!(by["kind"], "no-allow", "{assume}");
}

#[test]
fn what_is_reachable_has_nothing_to_explain() {
    let fixture = Fixture::new();
    let shown = fixture.answered("why-not details.json --from user/alice --to admin");
    assert!(shown.starts_with("not so: user/alice can become administrator"), "{shown}");
    assert_eq!(
        fixture.json("why-not details.json --from user/alice --to admin")["ways"],
        json!([])
    );
}

#[test]
fn a_certificate_is_written_and_accepted() {
    let fixture = Fixture::new();
    let reach = "reach details.json --from user/carol --to admin --certificate proof.json";
    fixture.answered(reach);
    let shown = fixture.answered("verify details.json proof.json");
    assert!(shown.starts_with("proved: "), "{shown}");
}

#[test]
fn a_proof_says_what_it_is_under() {
    let fixture = Fixture::new();
    let plain = "reach details.json --from user/carol --to admin --certificate plain.json";
    fixture.answered(plain);
    let narrowed = "reach details.json --from user/frank --to admin --avoid sts:AssumeRole \
        --assume aws:SourceIp=203.0.113.7 --certificate narrowed.json";
    fixture.answered(narrowed);
    let shown = fixture.answered("verify details.json plain.json");
    assert!(shown.contains("user/carol does not reach admin\n"), "{shown}");
    assert!(shown.contains("\nNot known\n  - accounts/111111111111: no organization"), "{shown}");
    let shown = fixture.answered("verify details.json narrowed.json");
    let conditions =
        "does not reach admin without sts:AssumeRole where aws:SourceIp is 203.0.113.7\n";
    assert!(shown.contains(conditions), "{shown}");
    let verified = fixture.json("verify details.json narrowed.json");
    assert_eq!(verified["proved"], true);
    assert_eq!(verified["question"]["avoid"], json!(["sts:AssumeRole"]));
    assert_eq!(verified["question"]["assume"], json!({ "aws:SourceIp": "203.0.113.7" }));
    assert_eq!(verified["environment"], "one");
    assert_eq!(verified["unknown"].as_array().unwrap().len(), 1);
}

#[test]
fn a_certificate_without_one_of_its_facts_proves_nothing() {
    let fixture = Fixture::new();
    fixture.answered("reach details.json --from user/carol --to admin --certificate proof.json");
    let written = fs::read_to_string(fixture.file("proof.json")).unwrap();
    let mut certificate: Value = serde_json::from_str(&written).unwrap();
    let facts = certificate["facts"].as_array_mut().unwrap();
    assert_eq!(facts.len(), 1);
    facts.clear();
    fs::write(fixture.file("fewer.json"), certificate.to_string()).unwrap();
    let (status, message) = fixture.status("verify details.json fewer.json");
    assert_eq!(status, Some(1), "{message}");
    assert!(message.contains("what the attacker starts with is not among the facts"), "{message}");
}

#[test]
fn a_certificate_of_somebody_else_proves_nothing() {
    let fixture = Fixture::new();
    fixture.answered("reach details.json --from user/carol --to admin --certificate proof.json");
    let written = fs::read_to_string(fixture.file("proof.json")).unwrap();
    // Alice is not denied what carol is.
    fs::write(fixture.file("other.json"), written.replace("user/carol", "user/alice")).unwrap();
    let (status, message) = fixture.status("verify details.json other.json");
    assert_eq!(status, Some(1), "{message}");
    assert!(message.contains("not closed"), "{message}");
}

#[test]
fn a_certificate_for_anyone_is_about_all_that_anyone_stands_for() {
    let fixture = Fixture::new();
    fixture.answered("reach details.json --from anyone --to admin --certificate proof.json");
    let shown = fixture.answered("verify details.json proof.json");
    assert!(shown.starts_with("proved: anyone "), "{shown}");
    let written = fs::read_to_string(fixture.file("proof.json")).unwrap();
    let certificate: Value = serde_json::from_str(&written).unwrap();
    let callers = certificate["made"].as_array().unwrap();
    assert_eq!(callers.len(), 5, "unsigned, user, user with a path, role, root");
    for at in 0..callers.len() {
        let mut fewer = certificate.clone();
        fewer["facts"].as_array_mut().unwrap().remove(at);
        fs::write(fixture.file("fewer.json"), fewer.to_string()).unwrap();
        let (status, message) = fixture.status("verify details.json fewer.json");
        assert_eq!(status, Some(1), "{message}");
        assert!(message.contains("starts with is not among the facts"), "{message}");
        let mut other = certificate.clone();
        other["made"][at]["arn"] = "arn:aws:iam::111111111111:user/bob".into();
        fs::write(fixture.file("other.json"), other.to_string()).unwrap();
        let (status, message) = fixture.status("verify details.json other.json");
        assert_eq!(status, Some(1), "{message}");
        assert!(message.contains("the snapshot has nothing that is meant by"), "{message}");
    }
}

#[test]
fn why_not_has_an_answer_for_anyone() {
    let fixture = Fixture::new();
    let answer = fixture.json("why-not details.json --from anyone --to admin");
    assert_eq!(answer["verdict"], "unreachable");
    let ways = answer["ways"].as_array().unwrap();
    let opens = |way: &Value| way["technique"] == "sts-assume-role";
    assert!(ways.iter().any(opens), "{ways:#?}");
}

#[test]
fn what_is_reachable_has_no_certificate() {
    let fixture = Fixture::new();
    let reach = "reach details.json --from user/alice --to admin --certificate proof.json";
    let (status, message) = fixture.status(reach);
    assert_eq!(status, Some(1), "{message}");
    assert!(message.contains("no certificate: the verdict is reachable"), "{message}");
    assert!(!fixture.file("proof.json").exists());
}

#[test]
fn an_answer_without_a_proof_is_an_answer() {
    let fixture = Fixture::new();
    let reach = "reach details.json --from user/alice --to admin --via iam:PassRole \
        --certificate proof.json";
    let (status, message) = fixture.status(reach);
    assert_eq!(status, Some(1), "{message}");
    assert!(message.contains("no certificate: "), "{message}");
    assert!(text(&fixture.run(reach).stdout).starts_with("unreachable: "));
    assert!(!fixture.file("proof.json").exists());
}

#[test]
fn what_is_no_certificate_is_refused() {
    let fixture = Fixture::new();
    fs::write(fixture.file("proof.json"), "{}").unwrap();
    let (status, message) = fixture.status("verify details.json proof.json");
    assert_eq!(status, Some(2), "{message}");
    assert!(message.contains("proof.json"), "{message}");
}

#[test]
fn who_may_do_everything_is_equal_to_administrator_access() {
    let fixture = Fixture::new();
    let shown = fixture.answered("compare details.json user/erin AdministratorAccess");
    assert!(shown.starts_with("equal: user/erin and "), "{shown}");
}

#[test]
fn a_difference_has_an_example() {
    let fixture = Fixture::new();
    let answer = fixture.json("compare details.json user/carol user/alice");
    assert_eq!(answer["relation"], "less");
    assert_eq!(answer["only_a"]["exists"], false);
    assert_eq!(answer["only_b"]["example"]["action"], "iam:PutUserPolicy");
    assert_eq!(answer["only_b"]["actions"], json!(["iam:PutUserPolicy"]));
    let shown = fixture.answered("compare details.json user/alice user/bob");
    assert!(shown.starts_with("different: "), "{shown}");
    assert!(shown.contains("Only user/alice\n  for example iam:PutUserPolicy on "), "{shown}");
}

#[test]
fn the_shortest_path_is_shown_where_it_is_preferred() {
    let fixture = Fixture::new();
    let frank = "reach details.json --from user/frank --to admin";
    let strongest = fixture.json(frank);
    assert_eq!(strongest["verdict"], "reachable");
    assert_eq!(strongest["path"]["steps"].as_array().unwrap().len(), 2);
    let shortest = fixture.json(&format!("{frank} --prefer steps"));
    assert_eq!(shortest["verdict"], "reachable-under-assumptions");
    assert_eq!(shortest["path"]["steps"].as_array().unwrap().len(), 1);
    // What holds in every environment is asked for all the same.
    let certain = fixture.json(&format!("{frank} --prefer steps --no-assumptions"));
    assert_eq!(certain["verdict"], "reachable");
}

#[test]
fn what_is_neither_principal_nor_policy_is_refused() {
    let fixture = Fixture::new();
    let (status, message) = fixture.status("compare details.json user/alice nothing-like-it");
    assert_eq!(status, Some(2));
    assert!(message.contains("no principal and no policy \"nothing-like-it\""), "{message}");
}
