//! Many accounts at once: which principals are asked about, whatever order and threads they are read
//! with, and one account that cannot be read.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "the functions around the tests are tests as well"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

const ACCOUNTS: [&str; 4] = ["111111111111", "222222222222", "333333333333", "444444444444"];

/// The files of an organization: in each account `user/alice`, of team red, may put a policy on
/// herself, `user/bob` may do nothing, and `user/carol` may read the bucket of her account, which is
/// tagged `data=secret`.
fn files() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut add = |place: String, content: Value| {
        files.push((PathBuf::from(format!("{place}.json")), content.to_string()));
    };
    for account in ACCOUNTS {
        let user = |name: &str, team: &str, action: &str, resource: &str| {
            json!({
                "Path": "/", "UserName": name,
                "UserId": format!("AIDA{:X<17}", name.to_uppercase()),
                "Arn": format!("arn:aws:iam::{account}:user/{name}"),
                "CreateDate": "2024-01-01T00:00:00+00:00",
                "UserPolicyList": [{
                    "PolicyName": "own",
                    "PolicyDocument": { "Version": "2012-10-17", "Statement": [{
                        "Effect": "Allow", "Action": action, "Resource": resource,
                    }] },
                }],
                "GroupList": [], "AttachedManagedPolicies": [],
                "Tags": [{ "Key": "team", "Value": team }],
            })
        };
        let place = format!("accounts/{account}/global");
        let own = format!("arn:aws:iam::{account}:user/alice");
        let bucket = format!("data-{account}");
        add(
            format!("{place}/iam/get-account-authorization-details"),
            json!({
                "UserDetailList": [
                    user("alice", "red", "iam:PutUserPolicy", &own),
                    user("bob", "blue", "iam:GetUser", &own),
                    user("carol", "blue", "s3:GetObject", &format!("arn:aws:s3:::{bucket}/*")),
                ],
                "GroupDetailList": [], "RoleDetailList": [], "Policies": [],
            }),
        );
        add(format!("{place}/s3api/list-buckets"), json!({ "Buckets": [{ "Name": bucket }] }));
        add(
            format!("{place}/s3api/get-bucket-tagging/{bucket}"),
            json!({ "TagSet": [{ "Key": "data", "Value": "secret" }] }),
        );
    }
    let account = |(at, id): (usize, &&str)| json!({ "Id": id, "Name": format!("team-{at}") });
    let all: Vec<Value> = ACCOUNTS.iter().enumerate().map(account).collect();
    add(
        "organization/describe-organization".into(),
        json!({ "Organization": {
            "Id": "o-a1b2c3d4e5", "MasterAccountId": ACCOUNTS[0], "FeatureSet": "ALL"
        } }),
    );
    add("organization/list-accounts".into(), json!({ "Accounts": all }));
    add(
        "organization/list-roots".into(),
        json!({ "Roots": [{ "Id": "r-ab12", "Name": "Root", "PolicyTypes": [] }] }),
    );
    add("organization/list-accounts-for-parent/r-ab12".into(), json!({ "Accounts": all }));
    add(
        "organization/list-organizational-units-for-parent/r-ab12".into(),
        json!({ "OrganizationalUnits": [] }),
    );
    for target in ACCOUNTS.iter().chain(&["r-ab12"]) {
        add(format!("organization/list-policies-for-target/{target}"), json!({ "Policies": [] }));
    }
    files
}

struct Fixture {
    folder: TempDir,
}

impl Fixture {
    /// Files that are made in this order: what a folder lists first may depend on it.
    fn of(files: &[(PathBuf, String)]) -> Self {
        let folder = TempDir::new().unwrap();
        for (place, text) in files {
            let file = folder.path().join("snapshot").join(place);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn run(&self, line: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_escalade"))
            .args(line.split_whitespace())
            .current_dir(self.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn answered(&self, line: &str) -> String {
        let output = self.run(line);
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{line}: {complaint}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn refused(&self, line: &str, expected: &str) {
        let output = self.run(line);
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{line}");
        assert!(complaint.contains(expected), "{line}: {complaint}");
    }

    /// Who is found, as `ACCOUNT:user/NAME`.
    fn found(&self, options: &str) -> Vec<String> {
        let text = self.answered(&format!("audit snapshot --format json {options}"));
        let audit: Value = serde_json::from_str(&text).unwrap();
        let findings = audit["findings"].as_array().unwrap();
        let from = |finding: &Value| finding["question"]["from"].as_str().unwrap().to_owned();
        findings.iter().map(|one| from(one).replace("arn:aws:iam::", "")).collect()
    }
}

#[test]
fn starts_are_selected_by_account_and_tag() {
    let fixture = Fixture::of(&files());
    let alice = |accounts: &[&str]| -> Vec<String> {
        accounts.iter().map(|account| format!("{account}:user/alice")).collect()
    };
    assert_eq!(fixture.found(""), alice(&ACCOUNTS));
    assert_eq!(
        fixture.found("--accounts 11* --accounts team-2"),
        alice(&[ACCOUNTS[0], ACCOUNTS[2]])
    );
    assert_eq!(fixture.found("--from-tag team=red"), alice(&ACCOUNTS));
    assert!(fixture.found("--from-tag team=blue").is_empty());
    assert_eq!(fixture.found("--accounts team-1 --from-tag team=red"), alice(&[ACCOUNTS[1]]));
    let shown = fixture.answered("audit snapshot --accounts team-1");
    assert!(shown.starts_with("1 of 3 principals can become administrator"), "{shown}");
    assert!(shown.contains(" from accounts team-1;"), "{shown}");
    fixture.refused("audit snapshot --accounts nobody", "no account \"nobody\"");
    fixture.refused("audit snapshot --from-tag team=green", "no principal has the tag team=green");
    fixture.refused("audit snapshot --from-tag team", "expected KEY=VALUE");
}

#[test]
fn goals_are_named_by_tag() {
    let fixture = Fixture::of(&files());
    let goal = "--accounts team-1 --goal tag:data=secret";
    assert_eq!(fixture.found(goal), ["222222222222:user/carol", "222222222222:user/alice"]);
    let goal = "--accounts team-1 --goal s3:GetObject@tag:data=secret --avoid iam-put-user-policy";
    assert_eq!(fixture.found(goal), ["222222222222:user/carol"]);
    let reach = "reach snapshot --from arn:aws:iam::222222222222:user/bob --expect unreachable";
    fixture.answered(&format!("{reach} --to tag:data=secret"));
    // Acting as a user that is tagged.
    fixture.answered(&format!("{reach} --to tag:team=red"));
    fixture.refused("audit snapshot --goal tag:data=public", "has the tag data=public");
    fixture.refused("audit snapshot --goal sqs:SendMessage@tag:data=secret", "sqs:SendMessage");
}

#[test]
fn lines_are_the_findings_and_then_what_is_said_of_all() {
    let fixture = Fixture::of(&files());
    let lines = fixture.answered("audit snapshot --format jsonl");
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (summary, findings) = lines.split_last().unwrap();
    let audit: Value =
        serde_json::from_str(&fixture.answered("audit snapshot --format json")).unwrap();
    assert_eq!(findings, audit["findings"].as_array().unwrap());
    let summary = &summary["summary"];
    assert_eq!(summary["principals"], 12);
    assert_eq!((&summary["reachable"], &summary["accounts"]), (&json!(4), &json!(4)));
    assert_eq!(summary["unknown"], audit["unknown"]);
}

#[test]
fn lines_of_a_wrong_question_leave_the_old_file() {
    let fixture = Fixture::of(&files());
    let file = fixture.path().join("findings.jsonl");
    fs::write(&file, "old").unwrap();
    let line = "audit snapshot --format jsonl --output findings.jsonl";
    fixture.refused(&format!("{line} --goal nonsense"), "is no goal");
    assert_eq!(fs::read_to_string(&file).unwrap(), "old");
    fixture.answered(line);
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 5);
    // Nothing is left beside it.
    assert_eq!(fs::read_dir(fixture.path()).unwrap().count(), 2);
}

#[test]
fn neither_threads_nor_the_order_of_files_change_a_byte() {
    let mut files = files();
    let fixture = Fixture::of(&files);
    for format in ["text", "json", "jsonl"] {
        let line = format!("audit snapshot --format {format} --threads");
        let one = fixture.answered(&format!("{line} 1"));
        assert!(!one.is_empty());
        for threads in [2, 8] {
            assert_eq!(fixture.answered(&format!("{line} {threads}")), one, "{line} {threads}");
        }
        for _ in 0..3 {
            // An order that no sorting makes: every third first.
            let (front, back): (Vec<_>, Vec<_>) =
                files.iter().cloned().enumerate().partition(|(at, _)| at % 3 == 1);
            files = front.into_iter().chain(back.into_iter().rev()).map(|(_, file)| file).collect();
            assert_eq!(Fixture::of(&files).answered(&format!("{line} 2")), one, "{line}");
        }
    }
}

#[test]
fn a_damaged_account_is_reported_and_the_others_are_answered() {
    let mut files = files();
    let damaged = "accounts/222222222222/global/iam/get-account-authorization-details.json";
    for (place, text) in &mut files {
        if place == Path::new(damaged) {
            text.truncate(text.len() / 2);
        }
    }
    let fixture = Fixture::of(&files);
    let audit: Value =
        serde_json::from_str(&fixture.answered("audit snapshot --format json")).unwrap();
    assert_eq!(audit["findings"].as_array().unwrap().len(), 3);
    let said = audit["unknown"].as_array().unwrap().iter().filter_map(Value::as_str);
    assert!(said.clone().any(|gap| gap.contains(damaged)), "{:?}", said.collect::<Vec<_>>());
    let summary = fixture.answered("audit snapshot --format jsonl");
    assert!(summary.lines().last().unwrap().contains(damaged));
    assert!(fixture.answered("audit snapshot").contains("222222222222"));
}

/// What an account that could not be read may do leads nowhere in one that is not open to it.
#[test]
fn an_account_that_is_not_known_is_of_no_use_in_ones_own() {
    let snapshot = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../corpus/cross-account-assume-role-unknown/snapshot");
    for (goal, verdict) in [("admin", "unreachable"), ("admin@444455556666", "unknown")] {
        let output = Command::new(env!("CARGO_BIN_EXE_escalade"))
            .args(["reach", "--from", "user/alice", "--format", "json", "--to", goal])
            .arg(&snapshot)
            .output()
            .unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer["verdict"], verdict, "{goal}");
    }
}
