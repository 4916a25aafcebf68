//! `diff`, `check`, `explain`, `who-can` and `escalade.toml` as scripts meet them.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the functions around the tests are tests as well"
)]

use std::fs;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder with `old.json`, where `user/ann` may put policies on herself, and `new.json`, where
/// `user/bob` may as well.
struct Fixture {
    folder: TempDir,
}

fn details(users: &[(&str, &str, bool)]) -> Value {
    let users: Vec<Value> = users
        .iter()
        .map(|(name, id, may)| {
            let action = if *may { "iam:PutUserPolicy" } else { "iam:GetUser" };
            json!({
                "Path": "/", "UserName": name, "UserId": id,
                "Arn": format!("arn:aws:iam::111111111111:user/{name}"),
                "CreateDate": "2024-01-01T00:00:00+00:00",
                "UserPolicyList": [{ "PolicyName": "own", "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [{ "Sid": "Own", "Effect": "Allow", "Action": action,
                        "Resource": format!("arn:aws:iam::111111111111:user/{name}") }],
                } }],
                "GroupList": [], "AttachedManagedPolicies": [], "Tags": [],
            })
        })
        .collect();
    json!({ "UserDetailList": users, "GroupDetailList": [], "RoleDetailList": [], "Policies": [] })
}

const ID: &str = "0123456789abcdef";

impl Fixture {
    fn new() -> Self {
        let fixture = Self { folder: TempDir::new().unwrap() };
        let old = details(&[("ann", "AIDAANN", true), ("bob", "AIDABOB", false)]);
        let new = details(&[("ann", "AIDAANN", true), ("bob", "AIDABOB", true)]);
        fixture.write("old.json", &old.to_string());
        fixture.write("new.json", &new.to_string());
        fixture
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn run(&self, line: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_escalade"))
            .args(line.split_whitespace())
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs a command that answers with this status, and returns what it says.
    fn answered(&self, line: &str, status: i32) -> String {
        let output = self.run(line);
        let said = text(&output.stdout);
        assert_eq!(output.status.code(), Some(status), "{line}: {said}{}", text(&output.stderr));
        assert_eq!(text(&output.stderr), "", "{line}");
        said
    }

    fn json(&self, line: &str, status: i32) -> Value {
        serde_json::from_str(&self.answered(&format!("{line} --format json"), status)).unwrap()
    }

    /// Runs a command that must be refused: status 2, silence on standard output, and this on
    /// standard error.
    fn refused(&self, line: &str, expected: &str) {
        let output = self.run(line);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {message}");
        assert_eq!(text(&output.stdout), "", "{line}");
        assert!(message.starts_with("error: ") && message.contains(expected), "{line}: {message}");
    }

    /// The id of the finding that `user/ann` and, in `new.json`, `user/bob` have.
    fn id(&self) -> String {
        let audit = self.json("audit old.json", 0);
        audit.pointer("/findings/0/id").unwrap().as_str().unwrap().to_owned()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn an_audit_names_its_question_and_its_findings_at_the_end() {
    let fixture = Fixture::new();
    let audit = fixture.json("audit new.json", 0);
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        keys(&audit),
        [
            "schema",
            "findings",
            "administrators",
            "principals",
            "accounts",
            "unknown",
            "question",
            "unique_ids"
        ]
    );
    let findings = audit["findings"].as_array().unwrap();
    assert_eq!(keys(&findings[0]), ["schema", "question", "verdict", "path", "unknown", "id"]);
    assert_eq!(audit["question"]["to"], "admin");
    assert_eq!(audit["unique_ids"]["arn:aws:iam::111111111111:user/ann"], "AIDAANN");
    // Each may change itself: one cause.
    assert_eq!(findings[0]["id"], findings[1]["id"]);
}

#[test]
fn snapshots_and_audits_are_compared_with_each_other() {
    let fixture = Fixture::new();
    fixture.write("old-audit.json", &fixture.answered("audit old.json --format json", 0));
    fixture.write("new-audit.json", &fixture.answered("audit new.json --format json", 0));
    for line in [
        "diff old.json new.json",
        "diff old-audit.json new-audit.json",
        "diff old-audit.json new.json",
        "diff old.json new-audit.json",
    ] {
        let diff = fixture.json(line, 0);
        assert_eq!(diff["opened"][0]["from"], "arn:aws:iam::111111111111:user/bob", "{line}");
        assert_eq!(diff["opened"].as_array().unwrap().len(), 1, "{line}");
        fixture.answered(&format!("{line} --exit-code"), 1);
        assert!(fixture.answered(line, 0).starts_with("1 path opened, 0 closed, 0 changed"));
    }
    let diff = fixture.json("diff old.json new.json", 0);
    assert_eq!(diff["changes"][0]["change"], "changed");
    assert_eq!(diff["changes"][0]["sid"], "Own");
    let said = fixture.answered("diff old-audit.json old-audit.json --exit-code", 0);
    assert!(said.starts_with("nothing differs"), "{said}");
}

#[test]
fn a_baseline_knows_paths_and_a_renamed_user_is_no_new_one() {
    let fixture = Fixture::new();
    fixture.write("baseline.json", &fixture.answered("audit old.json --format json", 0));
    fixture.answered("check old.json --baseline baseline.json", 0);
    let gate = fixture.json("check new.json --baseline baseline.json", 1);
    assert_eq!(gate["new"][0]["from"], "arn:aws:iam::111111111111:user/bob");
    assert_eq!((&gate["known"], &gate["passed"]), (&json!(1), &json!(false)));
    for id in ["AIDAANN", "AIDAANEW"] {
        let renamed = details(&[("zoe", id, true), ("bob", "AIDABOB", false)]);
        fixture.write("renamed.json", &renamed.to_string());
        let gate = fixture.json("check renamed.json --baseline baseline.json", 0);
        assert_eq!(gate["renamed"][0]["was"], "arn:aws:iam::111111111111:user/ann");
    }
    // Without a baseline all is new.
    assert_eq!(fixture.json("check old.json", 1)["new"].as_array().unwrap().len(), 1);
}

#[test]
fn who_is_administrator_all_at_once_is_new() {
    let fixture = Fixture::new();
    fixture.write("baseline.json", &fixture.answered("audit old.json --format json", 0));
    let mut new = details(&[("ann", "AIDAANN", true), ("bob", "AIDABOB", false)]);
    let statement =
        &mut new["UserDetailList"][1]["UserPolicyList"][0]["PolicyDocument"]["Statement"][0];
    (statement["Action"], statement["Resource"]) = (json!("*"), json!("*"));
    fixture.write("new.json", &new.to_string());
    let gate = fixture.json("check new.json --baseline baseline.json", 1);
    assert_eq!(
        (&gate["new"][0]["at_goal"], &gate["new"][0]["finding"]),
        (&json!(true), &Value::Null)
    );
    let said = fixture.answered("check new.json --baseline baseline.json", 1);
    assert!(
        said.contains("user/bob can become administrator of 111111111111 from the start"),
        "{said}"
    );
    let diff = fixture.json("diff old.json new.json", 0);
    assert_eq!(diff["opened"][0]["is"], "at-goal");
    assert_eq!(diff["opened"][0]["because"], json!([0]));
}

#[test]
fn what_is_accepted_passes_until_its_day() {
    let fixture = Fixture::new();
    let id = fixture.id();
    let entry = |from: &str| {
        format!(
            "[[accepted]]\nid = \"{id}\"\nreason = \"moving\"\nowner = \"platform\"\n\
             expires = 2026-06-30\n{from}"
        )
    };
    fixture.write("accepted.toml", &entry(""));
    let gate = fixture.json("check new.json --accepted accepted.toml --date 2026-06-30", 0);
    assert_eq!(gate["accepted"][0]["from"].as_array().unwrap().len(), 2);
    let gate = fixture.json("check new.json --accepted accepted.toml --date 2026-07-01", 1);
    assert_eq!(gate["expired"][0]["expires"], "2026-06-30");
    // It fails even if the baseline knows the path.
    fixture.write("baseline.json", &fixture.answered("audit new.json --format json", 0));
    let line = "check new.json --accepted accepted.toml --baseline baseline.json";
    fixture.answered(&format!("{line} --date 2026-07-01"), 1);
    // Of one principal only.
    fixture.write("accepted.toml", &entry("from = [\"*:user/ann\"]\n"));
    let gate = fixture.json("check new.json --accepted accepted.toml --date 2026-06-30", 1);
    assert_eq!(gate["new"][0]["from"], "arn:aws:iam::111111111111:user/bob");
    // As JSON, and of something that is not there.
    let other =
        json!({ "accepted": [{ "id": ID, "reason": "r", "owner": "o", "expires": "2026-06-30" }] });
    fixture.write("accepted.json", &other.to_string());
    let gate = fixture.json("check old.json --accepted accepted.json --date 2026-06-30", 1);
    assert_eq!(gate["unused"][0]["id"], ID);
}

#[test]
fn files_that_are_not_understood_are_refused_with_the_place() {
    let fixture = Fixture::new();
    let accepted = |id: &str, date: &str, more: &str| {
        format!(
            "[[accepted]]\nid = \"{id}\"\nreason = \"r\"\nowner = \"o\"\nexpires = {date}\n{more}"
        )
    };
    let line = "check old.json --accepted accepted.toml";
    for (text, expected) in [
        (accepted("x", "2026-01-01", ""), "\"accepted.toml\" at line 2"),
        (accepted(ID, "2026-13-01", ""), "accepted.toml"),
        (accepted(ID, "\"soon\"", ""), "expected a date such as"),
        (accepted(ID, "2026-01-01T00:00:00Z", ""), "expected a date such as"),
        (accepted(ID, "2026-01-01", "ownr = 1\n"), "unknown field `ownr`"),
        ("[[accepted]]\nid = \"0123456789abcdef\"\n".to_owned(), "missing field `reason`"),
        ("accepted = 3".to_owned(), "at line 1"),
        ("[[[".to_owned(), "at line 1"),
    ] {
        fixture.write("accepted.toml", &text);
        fixture.refused(line, expected);
    }
    fixture.refused("check old.json --accepted none.toml", "none.toml");
    fixture.write("bad.json", "{\"accepted\": [{}]}");
    fixture.refused("check old.json --accepted bad.json", "missing field `id` at line 1");
    fixture.write("invariants.toml", "");
    fixture.refused("check old.json --invariants invariants.toml", "at least one [[invariant]]");
    fixture.write("invariants.toml", "[[invariant]]\nname = \"n\"\nto = \"admin\"\nexcpet = {}\n");
    fixture.refused("check old.json --invariants invariants.toml", "at line 4 column 1");
    fixture.write("invariants.toml", "[[invariant]]\nname = \"n\"\nto = \"admin@222222222222\"\n");
    fixture.refused("check old.json --invariants invariants.toml", "invariant \"n\": no account");
    fixture.write("baseline.json", "{\"findings\": []}");
    fixture.refused("check old.json --baseline baseline.json", "expected what `escalade audit");
    let other =
        fixture.answered("audit old.json --format json", 0).replace("escalade/1", "other/9");
    fixture.write("baseline.json", &other);
    fixture.refused("check old.json --baseline baseline.json", "found \"other/9\"");
    fixture.refused("check old.json --date tomorrow", "--date");
}

#[test]
fn whoever_was_not_listed_is_undecided() {
    let fixture = Fixture::new();
    let mut details = details(&[]);
    details.as_object_mut().unwrap().remove("UserDetailList");
    details["RoleDetailList"] = json!([{ "Arn": "arn:aws:iam::111111111111:role/r" }]);
    fixture.write("no-users.json", &details.to_string());
    let gate = fixture.json("check no-users.json", 1);
    assert_eq!(gate["undecided"][0]["from"], "account:111111111111");
    let why = gate["undecided"][0]["finding"]["unknown"][0].as_str().unwrap();
    assert!(why.contains("/UserDetailList"), "{why}");
    fixture.answered("check no-users.json --allow-unknown", 0);
    // What was not known before is nothing new.
    let before = fixture.answered("audit no-users.json --format json", 0);
    fixture.write("baseline.json", &before);
    fixture.answered("check no-users.json --baseline baseline.json", 0);
}

#[test]
fn answers_to_other_questions_are_refused() {
    let fixture = Fixture::new();
    let pinned = fixture.answered("audit old.json --assume aws:SourceVpce= --format json", 0);
    fixture.write("pinned.json", &pinned);
    fixture.write("baseline.json", &fixture.answered("audit old.json --format json", 0));
    fixture.refused("diff pinned.json baseline.json", "different questions");
    fixture.refused("check old.json --baseline pinned.json", "different questions");
    let line = "check old.json --baseline baseline.json --to admin@111111111111";
    fixture.refused(line, "no baseline is about the goal");
    fixture.refused("check old.json --baseline baseline.json --baseline baseline.json", "a second");
    fixture.refused("diff none old.json", "none");
    fixture.refused("diff old.json old.json --to nothing", "is no goal");
}

#[test]
fn a_finding_is_explained() {
    let fixture = Fixture::new();
    let id = fixture.id();
    let said = fixture.answered(&format!("explain new.json {id}"), 0);
    for part in [
        "reachable: user/ann can become administrator",
        "From the same cause\n  user/bob\n",
        "Statements\n  own statement 0 (Own) of user/ann  new.json\n",
        "iam-put-user-policy  ",
        "https://docs.aws.amazon.com/",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let short = &id[..6];
    let said = fixture.answered(&format!("explain new.json {short} --from user/bob"), 0);
    assert!(said.starts_with("reachable: user/bob"), "{said}");
    let explained = fixture.json(&format!("explain new.json {id}"), 0);
    assert_eq!(explained["finding"]["id"], id.as_str());
    assert_eq!(explained["principals"].as_array().unwrap().len(), 2);
    assert_eq!(explained["techniques"][0]["id"], "iam-put-user-policy");
    fixture.refused("explain new.json ffffffffffffffff0", "no finding");
    fixture.refused(&format!("explain new.json {id} --from user/none"), "does not have");
}

#[test]
fn who_may_call_is_listed() {
    let fixture = Fixture::new();
    let answer = fixture.json("who-can new.json iam:PutUserPolicy --on user/bob", 0);
    assert_eq!(answer["allowed"].as_array().unwrap().len(), 1);
    assert_eq!(answer["allowed"][0]["verdict"], "allowed");
    assert_eq!(answer["allowed"][0]["allowed_by"][0]["sid"], "Own");
    let said = fixture.answered("who-can new.json iam:PutUserPolicy --on user/bob", 0);
    assert!(
        said.starts_with("1 of 2 principals can call iam:PutUserPolicy on user/bob\n"),
        "{said}"
    );
    assert!(said.contains("user/bob  allowed by own statement 0 (Own)"), "{said}");
    let answer = fixture.json("who-can new.json iam:PutUserPolicy --on *:user/*", 0);
    assert_eq!(answer["resources"].as_array().unwrap().len(), 2);
    assert_eq!(answer["allowed"].as_array().unwrap().len(), 2);
    // Nobody may delete users; who becomes administrator can come to do it.
    let line = "who-can new.json iam:DeleteUser --on arn:aws:iam::111111111111:user/bob";
    assert!(fixture.answered(line, 0).starts_with("0 of 2 principals"));
    let audit = fixture.json(&format!("{line} --via-paths"), 0);
    assert_eq!(audit["findings"].as_array().unwrap().len(), 2);
    fixture.refused("who-can new.json PutUserPolicy --on user/bob", "is no action");
    fixture.refused("who-can new.json iam:GetUser --on user/none", "no resource");
    fixture.refused("who-can new.json iam:GetUser --on arn:none*", "no resource");
    fixture.refused("who-can new.json iam:GetUser --on user/bob --via iam:PassRole", "--via-paths");
}

#[test]
fn settings_are_read_and_the_command_line_goes_before_them() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.folder.path().join("ci")).unwrap();
    let baseline = fixture.answered("audit old.json --format json", 0);
    fixture.write("ci/baseline.json", &baseline);
    let id = fixture.id();
    fixture.write(
        "ci/accepted.toml",
        &format!(
            "[[accepted]]\nid = \"{id}\"\nreason = \"r\"\nowner = \"o\"\nexpires = 9999-12-31\n"
        ),
    );
    fixture.write("ci/escalade.toml", "baseline = [\"baseline.json\"]\n");
    // Paths are relative to the file that they are in.
    fixture.answered("check old.json --config ci/escalade.toml", 0);
    fixture.answered("check new.json --config ci/escalade.toml", 1);
    fixture.write(
        "escalade.toml",
        "accepted = \"ci/accepted.toml\"\ngoals = [\"admin@111111111111\"]\n",
    );
    // Another goal is another cause: what was accepted is not this.
    let gate = fixture.json("check new.json", 1);
    assert_eq!(gate["new"][0]["to"], "admin@111111111111");
    fixture.answered("check new.json --to admin", 0);
    assert_eq!(fixture.json("audit new.json", 0)["question"]["to"], "admin@111111111111");
    assert_eq!(fixture.json("audit new.json --no-config", 0)["question"]["to"], "admin");
    fixture.write("escalade.toml", "assume = { \"aws:SourceIp\" = \"203.0.113.7\" }\n");
    let assumed = |line: &str| fixture.json(line, 0)["question"]["assume"].clone();
    assert_eq!(assumed("audit new.json"), json!({ "aws:SourceIp": "203.0.113.7" }));
    assert_eq!(assumed("audit new.json --assume AWS:sourceip="), json!({ "AWS:sourceip": null }));
}

#[test]
fn settings_that_are_not_understood_are_refused() {
    let fixture = Fixture::new();
    fixture.write("escalade.toml", "goals = [\"admin\"]\nbaselines = []\n");
    fixture.refused("audit old.json", "\"escalade.toml\" at line 2 column 1: unknown field");
    fixture.answered("audit old.json --no-config", 0);
    fixture.write("escalade.toml", "goals = [\"admin\", \"user/ann\"]\n");
    fixture.refused("audit old.json", "several goals");
    fixture.answered("audit old.json --to admin", 0);
    fixture.refused("audit old.json --config none.toml", "none.toml");
    fixture.write("escalade.toml", "models = [\"none.json\"]\n");
    fixture.refused("audit old.json", "none.json");
}

#[test]
fn names_from_a_snapshot_cannot_write_on_the_terminal() {
    let fixture = Fixture::new();
    let hostile = |may: bool| {
        details(&[("bob\u{1b}[2J", "AIDABOB", may)]).to_string().replace("Own", "Own\u{202e}")
    };
    fixture.write("old.json", &hostile(false));
    fixture.write("new.json", &hostile(true));
    fixture.write("baseline.json", &fixture.answered("audit old.json --format json", 0));
    let id = fixture.json("audit new.json", 0)["findings"][0]["id"].as_str().unwrap().to_owned();
    for (line, status) in [
        ("diff old.json new.json".to_owned(), 0),
        ("check new.json --baseline baseline.json".to_owned(), 1),
        (format!("explain new.json {id}"), 0),
        ("who-can new.json iam:PutUserPolicy --on *".to_owned(), 0),
        ("who-can new.json iam:PutUserPolicy --on *:user/*".to_owned(), 0),
    ] {
        let said = fixture.answered(&line, status);
        assert!(!said.contains(['\u{1b}', '\u{202e}']), "{line}: {said:?}");
    }
}

/// A role that comes to trust another account, of which nothing else is known.
#[test]
fn starts_from_outside_are_compared_and_judged_where_they_are_asked_about() {
    let fixture = Fixture::new();
    for (name, trusted) in [("inside", "user/ann"), ("outside", "root")] {
        let account = if trusted == "root" { "999999999999" } else { "111111111111" };
        let mut snapshot = details(&[("ann", "AIDAANN", false)]);
        snapshot["RoleDetailList"] = json!([{
            "Path": "/", "RoleName": "ops", "RoleId": "AROAOPS",
            "Arn": "arn:aws:iam::111111111111:role/ops",
            "CreateDate": "2024-01-01T00:00:00+00:00",
            "AssumeRolePolicyDocument": { "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": { "AWS": format!("arn:aws:iam::{account}:{trusted}") },
            }] },
            "RolePolicyList": [{ "PolicyName": "all", "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }],
            } }],
            "InstanceProfileList": [], "AttachedManagedPolicies": [], "Tags": [],
        }]);
        fixture.write(&format!("{name}.json"), &snapshot.to_string());
        fixture.answered(
            &format!("audit {name}.json --external --format json --output {name}-audit.json"),
            0,
        );
    }
    let outside = |diff: &Value| {
        let from = diff["opened"].as_array().unwrap().iter().map(|moved| moved["from"].clone());
        from.collect::<Vec<_>>()
    };
    let plain = fixture.json("diff inside.json outside.json", 0);
    assert!(outside(&plain).is_empty(), "{plain}");
    let asked = fixture.json("diff inside.json outside.json --external", 0);
    assert_eq!(outside(&asked), ["account:999999999999"]);
    assert!(asked["changes"][0].to_string().contains("999999999999"), "{asked}");
    let audits = fixture.json("diff inside-audit.json outside.json", 0);
    assert_eq!(outside(&audits), ["account:999999999999"]);
    // The baseline says that they are asked about.
    let gate = fixture.json("check outside.json --baseline inside-audit.json", 1);
    assert_eq!(gate["new"][0]["from"], "account:999999999999");
    let said = fixture.answered("check outside.json --baseline inside-audit.json", 1);
    let claim = "can become administrator of an account of the snapshot in 1 step";
    assert!(said.contains(claim), "{said}");
    fixture.json("check inside.json --baseline inside-audit.json", 0);
    fixture.json("check outside.json --baseline outside-audit.json", 0);
}
