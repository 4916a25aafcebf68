//! What `fix` finds holds: with the edits made nothing is found, with one less something is.

#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

mod cases;

use cases::{Facts, cases, name, questions};
use escalade_engine::analysis::{Options, reach};
use escalade_engine::answer::Verdict;
use escalade_engine::fix::{EditKind, FixError, Fixed, Keep, Outcome, Wanted, fix};
use escalade_engine::snapshot::{LoadOptions, SnapshotFiles, World};
use serde_json::{Value, json};

#[test]
fn what_is_fixed_is_unreachable() {
    let facts = Facts::builtin();
    let (mut fixed, mut left) = (0, Vec::new());
    for case in cases() {
        let questions = questions(&case);
        let files = SnapshotFiles::read(&case.join("snapshot")).unwrap();
        // The first of each case: every case has an idea of its own.
        let Some(question) = questions.iter().find(|question| question.expect.is_reachable())
        else {
            continue;
        };
        let options = question.options();
        let wanted = Wanted {
            from: Some(&question.from),
            options: &options,
            keep: &[],
            denies: true,
            rounds: 40,
        };
        let found = fix(&files, facts.models(), &wanted).unwrap();
        let name = name(&case);
        match found.fix.outcome {
            Outcome::Fixed => {
                fixed += 1;
                assert!(!found.fix.edits.is_empty() && found.fix.proved_smallest, "{name}");
                let world = World::of_files(&found.files, &LoadOptions::default()).unwrap();
                let answer = reach(&world, facts.models(), &question.from, &options).unwrap();
                assert_eq!(answer.verdict, Verdict::Unreachable, "{name}: {:?}", found.fix.edits);
            }
            outcome => left.push(format!("{name}: {outcome:?}")),
        }
    }
    assert_eq!(left, Vec::<String>::new());
    assert!(fixed > 200, "{fixed}");
}

fn statement(sid: &str, action: Value, resource: &str) -> Value {
    json!({ "Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource })
}

fn role(name: &str, managed: &[&str]) -> Value {
    let attached: Vec<Value> = managed
        .iter()
        .map(|name| {
            json!({ "PolicyName": name, "PolicyArn": format!("arn:aws:iam::aws:policy/{name}") })
        })
        .collect();
    json!({
        "Path": "/", "RoleName": name, "RoleId": format!("AROA{}", name.to_uppercase()),
        "Arn": format!("arn:aws:iam::111111111111:role/{name}"),
        "CreateDate": "2024-01-01T00:00:00+00:00", "RolePolicyList": [],
        "AttachedManagedPolicies": attached, "Tags": [], "InstanceProfileList": [],
        "AssumeRolePolicyDocument": { "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": { "Service": "lambda.amazonaws.com" } }] },
    })
}

/// Ann runs functions; she may pass all roles whose name begins with `job-`.
fn jobs(statements: &[Value], roles: &[Value]) -> SnapshotFiles {
    let details = json!({
        "UserDetailList": [{
            "Path": "/", "UserName": "ann", "UserId": "AIDAANN",
            "Arn": "arn:aws:iam::111111111111:user/ann",
            "CreateDate": "2024-01-01T00:00:00+00:00", "GroupList": [],
            "AttachedManagedPolicies": [], "Tags": [],
            "UserPolicyList": [{ "PolicyName": "own",
                "PolicyDocument": { "Version": "2012-10-17", "Statement": statements } }],
        }],
        "GroupDetailList": [], "RoleDetailList": roles, "Policies": [],
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("details.json");
    std::fs::write(&file, details.to_string()).unwrap();
    SnapshotFiles::read(&file).unwrap()
}

fn functions() -> [Value; 2] {
    let run = json!(["lambda:CreateFunction", "lambda:InvokeFunction"]);
    [
        statement("Run", run, "*"),
        statement("Pass", json!("iam:PassRole"), "arn:aws:iam::111111111111:role/job-*"),
    ]
}

fn check(files: &SnapshotFiles, keep: &[&str]) -> Result<Fixed, FixError> {
    let facts = Facts::builtin();
    let options = Options { goal: "admin".into(), ..Options::default() };
    let keep: Vec<Keep> = keep.iter().map(|keep| Keep::parse(keep).unwrap()).collect();
    let wanted =
        Wanted { from: Some("user/ann"), options: &options, keep: &keep, denies: true, rounds: 40 };
    fix(files, facts.models(), &wanted)
}

#[test]
fn passing_roles_is_narrowed_to_those_that_lead_nowhere() {
    let roles = [role("job-clean-up", &["AdministratorAccess"]), role("job-report", &[])];
    let found = check(&jobs(&functions(), &roles), &[]).unwrap().fix;
    assert_eq!((found.outcome, found.edits.len()), (Outcome::Fixed, 1));
    let edit = &found.edits[0];
    assert_eq!(edit.edit, EditKind::NarrowStatement);
    let mut after = functions()[1].clone();
    after["Resource"] = json!("arn:aws:iam::111111111111:role/job-report");
    after["Condition"] =
        json!({ "StringEquals": { "iam:PassedToService": "lambda.amazonaws.com" } });
    assert_eq!(edit.after.as_ref(), Some(&after));
    assert_eq!(&*edit.at, "/UserDetailList/0/UserPolicyList/0/PolicyDocument/Statement/1");
}

#[test]
fn what_must_stay_is_not_taken_away() {
    let roles = [role("job-clean-up", &["AdministratorAccess"])];
    let files = jobs(&functions(), &roles);
    let free = check(&files, &[]).unwrap().fix;
    assert_eq!(free.edits[0].sid.as_deref(), Some("Pass"));
    let keep = "user/ann:iam:PassRole@role/job-clean-up";
    let kept = check(&files, &[keep]).unwrap().fix;
    assert_eq!((kept.outcome, kept.edits[0].sid.as_deref()), (Outcome::Fixed, Some("Run")));
    let run = "user/ann:lambda:CreateFunction@arn:aws:lambda:us-east-1:111111111111:function:a";
    let trust = check(&files, &[keep, run]).unwrap().fix;
    assert_eq!((trust.outcome, trust.edits[0].edit), (Outcome::Fixed, EditKind::RemoveTrust));
    let Err(error) = check(&files, &["user/ann:s3:GetObject@arn:aws:s3:::a/b"]) else { panic!() };
    assert!(matches!(error, FixError::NotPermitted { .. }), "{error}");
}

#[test]
fn two_ways_take_two_edits() {
    let mut statements = functions().to_vec();
    statements.push(statement("Put", json!("iam:PutUserPolicy"), "*"));
    statements.push(statement("Again", json!("iam:PutUserPolicy"), "*"));
    let roles = [role("job-clean-up", &["AdministratorAccess"])];
    let found = check(&jobs(&statements, &roles), &[]).unwrap();
    let sids: Vec<_> = found.fix.edits.iter().map(|edit| edit.sid.as_deref().unwrap()).collect();
    assert_eq!((found.fix.outcome, sids), (Outcome::Fixed, vec!["Pass", "Put", "Again"]));
    let text = found.files.get("").unwrap();
    assert!(text.contains("\"Run\"") && !text.contains("Put"), "{text}");
}

#[test]
fn what_is_to_be_kept_is_read_with_its_at_signs_and_colons() {
    let read = |text: &str| {
        Keep::parse(text)
            .map(|keep| format!("{} {} {}", keep.principal, keep.action, keep.resource))
    };
    assert_eq!(read("user/a:s3:GetObject@*").as_deref(), Some("user/a s3:GetObject *"));
    assert_eq!(
        read("arn:aws:iam::111111111111:user/a@b.c:s3:GetObject@arn:aws:s3:::d/e@f").as_deref(),
        Some("arn:aws:iam::111111111111:user/a@b.c s3:GetObject arn:aws:s3:::d/e@f")
    );
    assert_eq!(read("user/a:GetObject@*"), None);
    assert_eq!(read("s3:GetObject@*"), None);
}
