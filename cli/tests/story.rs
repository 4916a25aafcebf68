//! A pull request adds one innocent-looking `iam:PassRole`: what the gate of a pipeline says to the
//! snapshots before and after it.
#![allow(clippy::unwrap_used, reason = "the functions around the tests are tests as well")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

fn story() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/pull-request")
}

/// Runs a command in the story's folder: exit status and standard output.
fn run(line: &str) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_escalade"))
        .args(line.split_whitespace())
        .current_dir(story())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.stderr.is_empty(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap(), said)
}

fn json(line: &str) -> Value {
    serde_json::from_str(&run(&format!("{line} --format json")).1).unwrap()
}

#[test]
fn the_baseline_is_the_audit_of_yesterday() {
    let (status, audit) = run("audit yesterday --format json");
    assert_eq!(status, 0);
    let file = story().join("baseline.json");
    if env::var_os("UPDATE_README").is_some() {
        fs::write(&file, &audit).unwrap();
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), audit, "UPDATE_README=1 writes it anew");
}

#[test]
fn yesterday_passes_and_today_fails() {
    let gate = |day: &str| {
        run(&format!(
            "check {day} --baseline baseline.json --accepted accepted.toml --date 2026-12-01"
        ))
    };
    let (status, said) = gate("yesterday");
    assert_eq!(
        (status, said.starts_with("passed: 0 new paths, 1 accepted\n")),
        (0, true),
        "{said}"
    );
    let (status, said) = gate("today");
    assert_eq!(status, 1, "{said}");
    assert!(said.starts_with("failed: 2 new paths, 1 accepted\n"), "{said}");
    assert!(said.contains("user/ben can become administrator of 111122223333 in 1 step"), "{said}");
    assert!(said.contains("likewise user/chloe"), "{said}");
}

#[test]
fn the_statement_is_named() {
    let diff = json("diff yesterday today");
    let opened = diff["opened"].as_array().unwrap();
    assert_eq!(opened.len(), 2);
    let changes = diff["changes"].as_array().unwrap();
    let statement = &changes[opened[0]["because"][0].as_u64().unwrap() as usize];
    assert_eq!(opened[0]["because"].as_array().unwrap().len(), 1);
    assert_eq!(opened[0]["because"], opened[1]["because"]);
    assert_eq!(
        (&statement["change"], &statement["kind"], &statement["sid"], &statement["statement"]),
        (&"added".into(), &"statement".into(), &"NightlyJobs".into(), &2.into())
    );
    // That somebody was hired and somebody tagged opens nothing.
    assert_eq!(changes.len(), 1, "{changes:#?}");
}

#[test]
fn nothing_opened_the_other_way_around() {
    let diff = json("diff today yesterday");
    assert_eq!(diff["opened"].as_array().unwrap().len(), 0);
    assert_eq!(diff["closed"].as_array().unwrap().len(), 2);
    let (status, said) = run("diff yesterday yesterday --exit-code");
    assert_eq!((status, &*said), (0, "nothing differs in who can become administrator\n"));
    assert_eq!(run("diff yesterday today --exit-code").0, 1);
    assert_eq!(run("diff yesterday today").0, 0);
}

#[test]
fn a_log_has_a_line_for_each_thing_to_look_at() {
    let lines = |line: &str| {
        let (status, said) = run(&format!("{line} --format brief"));
        (status, said.lines().map(str::to_owned).collect::<Vec<_>>())
    };
    let check = |line: &str, status: i32, expected: &[&str]| {
        let (left, said) = lines(line);
        assert_eq!(left, status, "{line}: {said:?}");
        assert_eq!(said.len(), expected.len(), "{line}: {said:?}");
        for (said, expected) in said.iter().zip(expected) {
            assert!(said.starts_with(expected), "{line}: {said:?}");
        }
    };
    check(
        "check today --baseline baseline.json",
        1,
        &[
            "failed: 2 new paths, 1 known; 1 thing not known",
            "new 166e41b8b516586b user/ben and 1 other can become administrator of 111122223333",
        ],
    );
    check(
        "check today --invariants invariants.toml",
        1,
        &["failed: ", "violated builders do not become administrator: user/ben can become "],
    );
    check(
        "check yesterday --accepted accepted.toml --date 2027-07-01",
        1,
        &[
            "failed: 0 new paths, 1 expired",
            "expired a596915518e3d83c on 2027-06-30, by help desk: ",
        ],
    );
    check("check yesterday --baseline baseline.json", 0, &["passed: 0 new paths, 1 known"]);
    let ben = "arn:aws:iam::111122223333:user/ben";
    check(
        "diff yesterday today",
        0,
        &[
            "2 paths opened, 0 closed, 0 changed: who can become administrator",
            &format!("opened {ben} and 1 other: added jobs statement 2 (NightlyJobs)"),
        ],
    );
    check(
        "diff today yesterday",
        0,
        &[
            "0 paths opened, 2 closed, 0 changed: ",
            &format!("closed {ben}: was reachable, is unreachable"),
            "closed arn:aws:iam::111122223333:user/chloe: ",
        ],
    );
    check(
        &format!("fix today --from user/ben {MEANT}"),
        0,
        &[
            "1 edit, after which no path is left by which user/ben can become administrator; fewer",
            "narrow jobs statement 2 (NightlyJobs): Resource \"arn:aws:iam::111122223333:role/report-job\"",
        ],
    );
}

#[test]
fn an_invariant_fails_with_its_path_and_holds_with_a_proof() {
    let (status, said) = run("check today --invariants invariants.toml");
    assert_eq!(status, 1);
    assert!(said.contains("Violated builders do not become administrator\n"), "{said}");
    assert!(said.contains("Holds the job runner stays what it is\n"), "{said}");
    let (status, said) = run("check yesterday --invariants invariants.toml");
    assert_eq!(status, 0, "{said}");
}

#[test]
fn an_acceptance_ends() {
    let gate = |date: &str| run(&format!("check yesterday --accepted accepted.toml --date {date}"));
    assert_eq!(gate("2027-06-30").0, 0);
    let (status, said) = gate("2027-07-01");
    assert_eq!(status, 1);
    assert!(said.contains("\nExpired\n"), "{said}");
}

const MEANT: &str = "--keep user/ben:iam:PassRole@role/report-job";

#[test]
fn the_fix_narrows_the_statement_and_the_fixed_snapshot_passes() {
    let folder = tempfile::tempdir().unwrap();
    let fixed = folder.path().join("fixed");
    let line = format!("fix today --from user/ben {MEANT} --write-snapshot {}", fixed.display());
    let (status, said) = run(&line);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("\n  narrow jobs statement 2 (NightlyJobs)\n"), "{said}");
    for line in [
        "-   \"Resource\": \"arn:aws:iam::111122223333:role/*-job\"",
        "+   \"Resource\": \"arn:aws:iam::111122223333:role/report-job\",",
        "+       \"iam:PassedToService\": \"lambda.amazonaws.com\"",
    ] {
        assert!(said.contains(&format!("\n    {line}\n")), "{line} is not in {said}");
    }
    let gate = format!(
        "check {} --baseline baseline.json --accepted accepted.toml --date 2026-12-01 \
         --invariants invariants.toml",
        fixed.display()
    );
    let (status, said) = run(&gate);
    assert_eq!(status, 0, "{said}");
    // What the pull request was for is there, and what it opened is not.
    let passes = |snapshot: &str, role: &str| {
        json(&format!(
            "simulate {snapshot} --principal user/ben --action iam:PassRole --resource role/{role}"
        ))["results"][0]["verdict"]
            .clone()
    };
    let fixed = fixed.display().to_string();
    assert_eq!(passes("today", "clean-up-job"), "allowed");
    assert_eq!(passes(&fixed, "report-job"), "allowed-under-assumptions");
    assert_eq!(passes(&fixed, "clean-up-job"), "implicitly-denied");
}

#[test]
fn a_fix_is_not_written_into_the_snapshot_that_it_reads() {
    let inside = "today/accounts/444455556666";
    let output = Command::new(env!("CARGO_BIN_EXE_escalade"))
        .args(["fix", "today", "--from", "user/ben", "--write-snapshot", inside])
        .current_dir(story())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(!story().join(inside).exists());
}

#[test]
fn a_permission_that_only_a_deny_can_narrow_gets_a_boundary() {
    // Dora is to reset some passwords, but not those of administrators.
    let line = "fix yesterday --from user/dora --keep user/dora:iam:UpdateLoginProfile@user/ben";
    let fix = json(line);
    assert_eq!(fix["outcome"], "fixed");
    let edit = &fix["edits"][0];
    assert_eq!(
        (&edit["edit"], &edit["of"]),
        (&"add-boundary".into(), &"arn:aws:iam::111122223333:user/dora".into())
    );
    assert_eq!(
        edit["denies"],
        serde_json::json!({
        "action": "iam:UpdateLoginProfile", "resource": "arn:aws:iam::111122223333:user/ada" })
    );
    let said = run(line).1;
    assert!(
        said.contains(
            "deny user/dora iam:UpdateLoginProfile on user/ada: permissions boundary \
             boundary-of-user-dora"
        ),
        "{said}"
    );
    assert!(said.contains("+       \"Effect\": \"Deny\",\n"), "{said}");
    let (status, said) = run(&format!("{line} --no-denies"));
    assert_eq!((status, said.starts_with("no fix: ")), (1, true), "{said}");
}

#[test]
fn edits_that_take_least_away_go_first() {
    let fix = json("fix today --from user/ben");
    assert_eq!(fix["edits"][0]["edit"], "narrow-statement");
    let others: Vec<_> =
        fix["alternatives"].as_array().unwrap().iter().map(|edits| &edits[0]["edit"]).collect();
    assert_eq!(others, ["remove-statement", "remove-statement"]);
    let all = json("fix today --all");
    assert_eq!((&all["outcome"], &all["proved_smallest"]), (&"fixed".into(), &true.into()));
    assert_eq!(all["edits"].as_array().unwrap().len(), 2);
    // The same every time.
    assert_eq!(all, json("fix today --all"));
}

#[test]
fn a_fix_that_takes_away_what_must_stay_is_none() {
    let (status, said) = run(
        "fix today --from user/ben --keep user/ben:iam:PassRole@role/clean-up-job \
         --keep user/ben:lambda:CreateFunction@arn:aws:lambda:us-east-1:111122223333:function:job-a",
    );
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("\n  remove trust policy statement 0 of role/clean-up-job\n"), "{said}");
    let (status, said) = run("fix today --from user/ben --max-rounds 1");
    assert_eq!((status, said.starts_with("no fix: the limit was hit")), (1, true), "{said}");
}
