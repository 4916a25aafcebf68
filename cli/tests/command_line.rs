//! The command as scripts meet it: exit status, what goes to which stream, files.
#![allow(clippy::unwrap_used, reason = "the functions around the tests are tests as well")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder with one account's authorization details: `user/alice` may put a policy on herself,
/// `user/bob` may do nothing.
struct Fixture {
    folder: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let user = |name: &str, statements: Value| {
            json!({
                "Path": "/",
                "UserName": name,
                "UserId": format!("AIDA{:X<17}", name.to_uppercase()),
                "Arn": format!("arn:aws:iam::111111111111:user/{name}"),
                "CreateDate": "2024-01-01T00:00:00+00:00",
                "UserPolicyList": [{
                    "PolicyName": "own",
                    "PolicyDocument": { "Version": "2012-10-17", "Statement": statements },
                }],
                "GroupList": [],
                "AttachedManagedPolicies": [],
                "Tags": [],
            })
        };
        let statement = |action: &str| {
            json!([{
                "Sid": "Only",
                "Effect": "Allow",
                "Action": action,
                "Resource": "arn:aws:iam::111111111111:user/alice",
            }])
        };
        let details = json!({
            "UserDetailList": [
                user("alice", statement("iam:PutUserPolicy")),
                user("bob", statement("iam:GetUser")),
            ],
            "GroupDetailList": [],
            "RoleDetailList": [],
            "Policies": [],
        });
        fs::write(folder.path().join("details.json"), details.to_string()).unwrap();
        Self { folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the command in the folder.
    fn run(&self, line: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_escalade"))
            .args(line.split_whitespace())
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs a command that must answer, and returns what it says.
    fn answered(&self, line: &str) -> String {
        let output = self.run(line);
        assert_eq!(output.status.code(), Some(0), "{line}: {}", text(&output.stderr));
        text(&output.stdout)
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
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

const ALICE: &str = "reach details.json --from user/alice --to admin";
const BOB: &str = "reach details.json --from user/bob --to admin";

#[test]
fn a_question_gets_its_verdict_and_its_witness() {
    let fixture = Fixture::new();
    let shown = fixture.answered(ALICE);
    assert!(shown.starts_with("reachable: user/alice can become administrator of 111111111111"));
    assert!(shown.contains("iam:PutUserPolicy  user/alice  allowed by "), "{shown}");
    let shown = fixture.answered(BOB);
    assert!(shown.starts_with("unreachable: user/bob cannot become administrator"), "{shown}");
}

#[test]
fn an_answer_in_json_has_the_published_shape() {
    let fixture = Fixture::new();
    let answer: Value =
        serde_json::from_str(&fixture.answered(&format!("{ALICE} --format json"))).unwrap();
    let keys: Vec<_> = answer.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["schema", "question", "verdict", "path", "unknown", "id"]);
    assert_eq!(answer["schema"], "escalade/1");
    assert_eq!(answer["question"]["from"], "arn:aws:iam::111111111111:user/alice");
    assert_eq!(answer["verdict"], "reachable");
    let call = &answer["path"]["steps"][0]["calls"][0];
    assert_eq!(call["action"], "iam:PutUserPolicy");
    assert_eq!(call["resource"], "arn:aws:iam::111111111111:user/alice");
    let answer: Value =
        serde_json::from_str(&fixture.answered(&format!("{BOB} --format json"))).unwrap();
    assert_eq!(answer["verdict"], "unreachable");
    assert!(answer.get("path").is_none(), "{answer}");
}

#[test]
fn an_audit_asks_about_every_principal() {
    let fixture = Fixture::new();
    let shown = fixture.answered("audit details.json");
    assert!(
        shown.starts_with("1 of 2 principals can become administrator; 0 already are"),
        "{shown}"
    );
    assert!(shown.contains("\narn:aws:iam::111111111111:user/alice\n"), "{shown}");
    let audit: Value =
        serde_json::from_str(&fixture.answered("audit details.json --format json")).unwrap();
    assert_eq!(audit["schema"], "escalade/1");
    assert_eq!(audit["findings"].as_array().unwrap().len(), 1);
    assert_eq!(audit["findings"][0]["question"]["from"], "arn:aws:iam::111111111111:user/alice");
}

#[test]
fn an_expectation_decides_the_exit_status() {
    let fixture = Fixture::new();
    for (line, expect, status) in [
        (ALICE, "reachable", 0),
        (ALICE, "unreachable", 1),
        (BOB, "reachable", 1),
        (BOB, "unreachable", 0),
    ] {
        let output = fixture.run(&format!("{line} --expect {expect}"));
        assert_eq!(output.status.code(), Some(status), "{line} --expect {expect}");
        assert!(!output.stdout.is_empty(), "the answer is there either way");
        let complaint = text(&output.stderr);
        assert_eq!(complaint.contains(&format!("error: expected {expect}, found ")), status == 1);
    }
}

#[test]
fn what_is_wrong_with_the_command_line_is_said() {
    let fixture = Fixture::new();
    fixture.refused("frobnicate", "unrecognized subcommand");
    fixture.refused("audit", "SNAPSHOT");
    fixture.refused("reach details.json --from user/alice", "--to");
    fixture.refused("audit details.json --format yaml", "invalid value 'yaml'");
    fixture.refused("audit details.json --threads 0", "invalid value '0'");
    fixture.refused("audit details.json --max-steps many", "invalid value 'many'");
    fixture.refused("audit details.json --assume aws:SourceIp", "expected KEY=VALUE");
    fixture.refused("audit details.json --assume a:b=1 --assume A:B=2", "given twice");
    fixture.refused(&format!("{ALICE} --expect maybe"), "invalid value 'maybe'");
    fixture.refused("simulate", "SNAPSHOT");
}

#[test]
fn what_is_wrong_with_the_input_is_said_with_its_file() {
    let fixture = Fixture::new();
    fs::write(fixture.file("truncated.json"), r#"{"UserDetailList": [{"Arn": "#).unwrap();
    fs::write(fixture.file("list.json"), "[1, 2]").unwrap();
    fs::write(fixture.file("empty.json"), "").unwrap();
    fs::create_dir(fixture.file("empty")).unwrap();
    for name in ["nothing.json", "truncated.json", "list.json", "empty.json", "empty"] {
        fixture.refused(&format!("audit {name}"), name);
        fixture.refused(&format!("reach {name} --from user/alice --to admin"), name);
    }
    fixture.refused("audit details.json --models nothing.json", "nothing.json");
    fixture.refused("audit details.json --models truncated.json", "truncated.json");
    fixture.refused("audit details.json --models empty", "no JSON file");
    fixture.refused("simulate --cases nothing.jsonl", "nothing.jsonl");
}

#[test]
fn a_principal_that_is_not_there_is_no_unreachable_goal() {
    let fixture = Fixture::new();
    fixture.refused("reach details.json --from user/nobody --to admin", "user/nobody");
}

#[test]
fn a_pattern_of_actions_is_no_goal() {
    let fixture = Fixture::new();
    let goal = "s3:Get*@arn:aws:s3:::payroll/*";
    let expected = "\"s3:Get*\" is no action";
    fs::write(
        fixture.file("invariants.toml"),
        format!("[[invariant]]\nname = \"n\"\nto = \"{goal}\"\n"),
    )
    .unwrap();
    fs::write(
        fixture.file("calls.toml"),
        "[[invariant]]\nname = \"n\"\nto = { call = [\"s3:Get*\"], on = { kinds = [\"s3:bucket\"] } }\n",
    )
    .unwrap();
    for line in [
        format!("reach details.json --from user/bob --to {goal}"),
        format!("reach details.json --from user/bob --to {goal} --certificate proof.json"),
        format!("audit details.json --to {goal}"),
        format!("check details.json --to {goal}"),
        format!("diff details.json details.json --to {goal}"),
        format!("fix details.json --all --to {goal}"),
        format!("why-not details.json --from user/bob --to {goal}"),
        "who-can details.json s3:Get* --on * --via-paths".to_owned(),
        "audit details.json --to s3:*@tag:team=red".to_owned(),
    ] {
        fixture.refused(&line, "is no action");
    }
    fixture.refused(&format!("audit details.json --to {goal}"), expected);
    for file in ["invariants.toml", "calls.toml"] {
        let line = format!("check details.json --invariants {file}");
        fixture.refused(&line, &format!("\"{file}\": invariant \"n\": {expected}"));
    }
}

#[test]
fn an_arn_that_lacks_a_part_is_no_goal() {
    let fixture = Fixture::new();
    let asked = "reach details.json --from user/bob --to s3:GetObject@arn:aws:";
    for resource in ["s3::payroll/*", "s3::payroll", "s3", "iam:111111111111:user/*"] {
        fixture.refused(&format!("{asked}{resource}"), "is no ARN: expected arn:");
    }
    for resource in ["s3:::payroll/*", "s3:*", "*", "s3::1*", "s3:eu-?:111111111111:x"] {
        fixture.answered(&format!("{asked}{resource}"));
    }
}

#[test]
fn what_cannot_be_assumed_is_said() {
    let fixture = Fixture::new();
    for (assume, expected) in [
        ("--assume aws:PrincipalArn=x", "\"aws:PrincipalArn\" cannot be assumed: it follows"),
        ("--assume aws:SourceIp=notanip", "\"notanip\" is no IP address"),
        (
            "--assume aws:SourceIp=10.1.1.1 --assume aws:SourceVpce=vpce-1",
            "\"aws:SourceIp\" and \"aws:SourceVpce\" cannot be assumed together",
        ),
    ] {
        for line in [BOB, "audit details.json", "who-can details.json iam:GetUser --on user/bob"] {
            fixture.refused(&format!("{line} {assume}"), expected);
        }
    }
    fs::write(
        fixture.file("invariants.toml"),
        "[[invariant]]\nname = \"n\"\nto = \"admin\"\nassume = { \"aws:userid\" = \"x\" }\n",
    )
    .unwrap();
    let expected = "\"invariants.toml\": invariant \"n\": \"aws:userid\" cannot be assumed";
    fixture.refused("check details.json --invariants invariants.toml", expected);
}

/// A snapshot of the corpus.
fn corpus(case: &str) -> String {
    format!("{}/../corpus/{case}/snapshot", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_start_of_no_known_form_is_refused_and_not_unreachable() {
    let fixture = Fixture::new();
    let line = |start| format!("reach details.json --from {start} --to admin --expect unreachable");
    fixture.refused(&line("account:2222"), "an account's id has twelve digits");
    let provider = "federated:arn:aws:iam::111111111111:x";
    fixture.refused(&line(provider), "give an identity provider's ARN");
    fixture.refused(&line("federated:token.example.com"), "give an identity provider's ARN");
    let line = "simulate details.json --principal account:111111111111 --action s3:GetObject \
                --resource arn:aws:s3:::b/k";
    fixture.refused(line, "stands for many");
    fixture.refused("reach details.json --from user/bob --to anyone", "stands for many");
}

#[test]
fn a_start_from_outside_reaches_only_what_lets_it_in() {
    let fixture = Fixture::new();
    for start in ["anyone", "account:222222222222", "federated:accounts.google.com"] {
        let shown = fixture.answered(&format!("reach details.json --from {start} --to admin"));
        assert!(shown.starts_with("unreachable: "), "{start}: {shown}");
        assert!(
            shown.contains(" cannot become administrator of an account of the snapshot"),
            "{start}: {shown}"
        );
    }
    let shown = fixture.answered("reach details.json --from account:111111111111 --to admin");
    assert!(
        shown.starts_with(
            "reachable: any principal of account 111111111111 can become administrator of \
             111111111111 without a step"
        ),
        "{shown}"
    );
}

#[test]
fn an_answer_for_many_names_one_of_them() {
    let fixture = Fixture::new();
    let line = format!("reach {} --from anyone --to admin", corpus("anyone-with-a-tag"));
    let shown = fixture.answered(&line);
    assert!(
        shown.starts_with(
            "reachable: anyone can become administrator of an account of the snapshot"
        ),
        "{shown}"
    );
    assert!(shown.contains("for example as arn:aws:iam::999999999999:user/escalade\n"), "{shown}");
    assert!(shown.contains("with aws:PrincipalTag/team = core\n"), "{shown}");
    let answer: Value =
        serde_json::from_str(&fixture.answered(&format!("{line} --format json"))).unwrap();
    assert_eq!(answer["question"]["from"], "anyone");
    let call = &answer["path"]["steps"][0]["calls"][0];
    assert_eq!(call["actor"], "arn:aws:iam::999999999999:user/escalade");
    assert_eq!(call["context"]["aws:PrincipalTag/team"], json!(["core"]));
}

#[test]
fn a_token_shows_a_subject_that_its_issuer_could_write() {
    let fixture = Fixture::new();
    let provider = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";
    let line =
        format!("reach {} --from federated:{provider} --to admin", corpus("federated-any-subject"));
    let shown = fixture.answered(&line);
    let subject = "repo:acme/escalade:ref:refs/heads/main";
    assert!(
        shown.contains(&format!("with token.actions.githubusercontent.com:sub = {subject}\n")),
        "{shown}"
    );
    let answer: Value =
        serde_json::from_str(&fixture.answered(&format!("{line} --format json"))).unwrap();
    let call = &answer["path"]["steps"][0]["calls"][0];
    assert_eq!(call["actor"], provider);
    assert_eq!(call["context"]["token.actions.githubusercontent.com:sub"], json!([subject]));
    assert_eq!(
        call["context"]["token.actions.githubusercontent.com:aud"],
        json!(["sts.amazonaws.com"])
    );
}

#[test]
fn an_audit_asks_about_starts_from_outside_if_told_to() {
    let fixture = Fixture::new();
    let line = format!("audit {}", corpus("account-third-party"));
    assert!(!fixture.answered(&line).contains("From outside"));
    let shown = fixture.answered(&format!("{line} --external"));
    assert!(shown.contains("\nFrom outside: 1 of 2 starts can become administrator\n"), "{shown}");
    assert!(shown.contains("\naccount:777788889999\n"), "{shown}");
    let json = |line: &str| -> Value {
        serde_json::from_str(&fixture.answered(&format!("{line} --format json"))).unwrap()
    };
    assert_eq!(json(&line).get("outside"), None);
    let outside = &json(&format!("{line} --external"))["outside"];
    assert_eq!(outside["starts"], 2);
    assert_eq!(outside["findings"][0]["question"]["from"], "account:777788889999");
}

#[test]
fn a_message_cannot_write_on_the_terminal() {
    let fixture = Fixture::new();
    let output = Command::new(env!("CARGO_BIN_EXE_escalade"))
        .args(["reach", "details.json", "--to", "admin", "--from", "user/\u{1b}]0;x\u{7}\u{202e}"])
        .current_dir(&fixture.folder)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    assert!(!message.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{message:?}");
}

#[test]
fn a_case_that_cannot_be_read_does_not_stop_the_others() {
    let fixture = Fixture::new();
    fs::write(fixture.file("cases.jsonl"), b"{\"id\": \"a\"}\nno JSON\n\xe9\n").unwrap();
    let output = fixture.run("simulate --cases cases.jsonl");
    assert_eq!(output.status.code(), Some(2));
    let lines = text(&output.stdout);
    assert_eq!(lines.lines().count(), 3, "{lines}");
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["error"].is_string(), "{line}");
    }
    let message = text(&output.stderr);
    for line in ["line 1: ", "line 2: ", "line 3: not UTF-8"] {
        assert!(message.contains(&format!("\"cases.jsonl\" {line}")), "{message}");
    }
}

#[test]
fn a_member_that_no_case_has_is_named() {
    let fixture = Fixture::new();
    let case = |more: Value| {
        let request = json!({
            "principal": "anonymous", "action": "s3:GetObject", "resource": "arn:aws:s3:::b/k",
            "resource_account": "111122223333", "context": {},
        });
        let mut case = json!({"id": "a", "request": request, "expect": "ImplicitlyDenied"});
        case.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        case.to_string()
    };
    let lines = [case(json!({})), case(json!({"sesion_policy": null, "org": {"managed": true}}))];
    fs::write(fixture.file("cases.jsonl"), lines.join("\n")).unwrap();
    let output = fixture.run("simulate --cases cases.jsonl");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout).matches("ImplicitlyDenied").count(), 2);
    let message = text(&output.stderr);
    assert!(message.contains("line 2: no case has \"sesion_policy\""), "{message}");
    assert!(message.contains("line 2: no case has \"org.managed\""), "{message}");
    assert!(!message.contains("line 1"), "{message}");
}

#[test]
fn help_and_version_are_no_errors() {
    let fixture = Fixture::new();
    for command in ["", "audit", "reach", "simulate", "techniques"] {
        let help = fixture.answered(&format!("{command} --help"));
        assert!(help.contains("\nExamples:\n  escalade "), "{command}: {help}");
    }
    let version = fixture.answered("--version");
    let package = concat!("escalade ", env!("CARGO_PKG_VERSION"), " (Z3 ");
    assert!(version.starts_with(package), "{version}");
}

#[test]
fn a_result_replaces_its_file_once_it_is_complete() {
    let fixture = Fixture::new();
    let file = fixture.file("answer.json");
    fs::write(&file, "before").unwrap();
    let line = format!("{ALICE} --format json");
    let expected = fixture.answered(&line);
    assert_eq!(fixture.answered(&format!("{line} --output answer.json")), "");
    assert_eq!(fs::read_to_string(&file).unwrap(), expected);
    assert_eq!(fixture.answered(&format!("{ALICE} --output answer.txt")), "");
    assert_eq!(fs::read_to_string(fixture.file("answer.txt")).unwrap(), fixture.answered(ALICE));
    nothing_else(&fixture, &["answer.json", "answer.txt", "details.json"]);
}

#[test]
fn a_failure_leaves_the_file_as_it_was() {
    let fixture = Fixture::new();
    fs::write(fixture.file("answer.json"), "before").unwrap();
    fixture.refused("audit nothing.json --output answer.json", "nothing.json");
    assert_eq!(fs::read_to_string(fixture.file("answer.json")).unwrap(), "before");
    fixture.refused("audit details.json --output nowhere/answer.json", "nowhere");
    fixture.refused("audit details.json --output .", "directory");
    nothing_else(&fixture, &["answer.json", "details.json"]);
}

/// No temporary file is left.
fn nothing_else(fixture: &Fixture, expected: &[&str]) {
    let mut names: Vec<_> = fs::read_dir(&fixture.folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, expected);
}

#[cfg(unix)]
#[test]
fn a_link_or_a_device_is_written_to_and_not_replaced() {
    use std::os::unix::fs::{FileTypeExt, symlink};
    let fixture = Fixture::new();
    fs::write(fixture.file("target"), "before").unwrap();
    symlink("target", fixture.file("link")).unwrap();
    fixture.answered(&format!("{ALICE} --output link"));
    assert!(fs::symlink_metadata(fixture.file("link")).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(fixture.file("target")).unwrap(), fixture.answered(ALICE));
    fixture.answered(&format!("{ALICE} --output /dev/null"));
    assert!(fs::metadata(Path::new("/dev/null")).unwrap().file_type().is_char_device());
    // A pipe by the name of a link that leads nowhere: here of a link to it, so that nothing that
    // others use is at stake.
    symlink("/proc/self/fd/1", fixture.file("stdout")).unwrap();
    if cfg!(target_os = "linux") {
        let said = fixture.answered(&format!("{ALICE} --output stdout"));
        assert_eq!(said, fixture.answered(ALICE));
        assert!(fs::symlink_metadata(fixture.file("stdout")).unwrap().is_symlink());
    }
}

#[cfg(unix)]
#[test]
fn who_may_read_a_file_stays_as_it_was() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = Fixture::new();
    let file = fixture.file("answer.txt");
    fs::write(&file, "before").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    fixture.answered(&format!("{ALICE} --output answer.txt"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn nothing_is_fixed_where_nobody_could_be_read() {
    let fixture = Fixture::new();
    let details = "accounts/111111111111/global/iam/get-account-authorization-details.json";
    let file = fixture.file(details);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, r#"{"Error": {"Code": "AccessDenied", "Message": "no"}}"#).unwrap();
    let output = fixture.run("fix . --all");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(said.starts_with("nothing found to fix: it is not known whether"), "{said}");
    assert!(said.contains(details), "{said}");
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let fixture = Fixture::new();
    for line in [ALICE, "audit details.json --format json", "techniques"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = Command::new(env!("CARGO_BIN_EXE_escalade"))
            .args(line.split(' '))
            .current_dir(&fixture.folder)
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{line}");
        assert_eq!(text(&output.stderr), "", "{line}");
    }
}

#[test]
fn statistics_go_to_standard_error() {
    let fixture = Fixture::new();
    let output = fixture.run("audit details.json --stats");
    assert_eq!(text(&output.stdout), fixture.answered("audit details.json"));
    assert!(text(&output.stderr).contains("residuals"), "{}", text(&output.stderr));
}

#[test]
fn the_same_bytes_come_out_at_any_number_of_threads() {
    let fixture = Fixture::new();
    let line = "audit details.json --format json --threads";
    assert_eq!(fixture.answered(&format!("{line} 1")), fixture.answered(&format!("{line} 4")));
}

#[test]
fn the_catalogue_is_listed_and_every_technique_explained() {
    let fixture = Fixture::new();
    let catalogue: Value =
        serde_json::from_str(&fixture.answered("techniques --format json")).unwrap();
    let list = fixture.answered("techniques");
    let catalogue = catalogue.as_array().unwrap();
    assert_eq!(list.lines().count(), catalogue.len());
    assert!(!catalogue.is_empty());
    for technique in catalogue {
        let id = technique["id"].as_str().unwrap();
        assert!(list.lines().any(|line| line.starts_with(&format!("{id} "))), "{id}");
        let shown = fixture.answered(&format!("techniques {id}"));
        assert!(shown.starts_with(&format!("{id}  ")), "{shown}");
        for heading in ["Calls", "Gains", "References"] {
            assert!(shown.contains(&format!("\n{heading}\n")), "{shown}");
        }
    }
    fixture.refused("techniques iam-put-user", ", iam-put-user-policy");
    fixture.refused("techniques no-such-technique", "escalade techniques");
}

#[test]
fn techniques_of_the_users_own_are_added() {
    let fixture = Fixture::new();
    let own = json!([{
        "id": "own-technique",
        "title": "Do something of our own",
        "category": "principal-access",
        "objects": [{ "name": "$role", "kind": "iam:role" }],
        "calls": [{ "action": "own:Call", "resource": "$role" }],
        "gains": [{ "credentials": "$role" }],
        "references": ["https://example.com/own"],
    }]);
    fs::write(fixture.file("own.json"), own.to_string()).unwrap();
    let builtin = fixture.answered("techniques").lines().count();
    let list = fixture.answered("techniques --models own.json");
    assert_eq!(list.lines().count(), builtin + 1);
    assert!(list.contains("own-technique"), "{list}");
    let shown = fixture.answered("techniques own-technique --models own.json");
    assert!(shown.contains("own:Call"), "{shown}");
}
