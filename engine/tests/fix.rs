//! What `fix` finds holds: with the edits made nothing is found, with one less something is.

#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

mod cases;

use std::path::Path;

use cases::{cases, name, questions};
use escalade_engine::analysis::{Models, Options, audit, reach};
use escalade_engine::answer::Verdict;
use escalade_engine::fix::{EditKind, FixError, Fixed, Keep, Outcome, Wanted, fix, of_causes};
use escalade_engine::snapshot::{LoadOptions, SnapshotFiles, World};
use rayon::prelude::*;
use serde_json::{Value, json};

/// How fixing the first question of a case ends whose answer is a path: every case has an idea of its
/// own. What is fixed has to be unreachable.
fn fixed_or_not(case: &Path, models: &Models) -> Option<(String, Outcome)> {
    let questions = questions(case);
    let question = questions.iter().find(|question| question.expect.is_reachable())?;
    let files = SnapshotFiles::read(&case.join("snapshot")).unwrap();
    let options = question.options();
    let wanted = Wanted {
        from: Some(&question.from),
        options: &options,
        keep: &[],
        denies: true,
        rounds: 40,
    };
    let found = fix(&files, models, &wanted).unwrap();
    let name = name(case);
    if found.fix.outcome == Outcome::Fixed {
        assert!(!found.fix.edits.is_empty() && found.fix.proved_smallest, "{name}");
        let world = World::of_files(&found.files, &LoadOptions::default()).unwrap();
        let answer = reach(&world, models, &question.from, &options).unwrap();
        assert_eq!(answer.verdict, Verdict::Unreachable, "{name}: {:?}", found.fix.edits);
    }
    Some((name, found.fix.outcome))
}

#[test]
fn what_is_fixed_is_unreachable() {
    let models = Models::builtin().unwrap();
    let outcomes: Vec<(String, Outcome)> =
        cases().par_iter().filter_map(|case| fixed_or_not(case, &models)).collect();
    let fixed = outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Fixed).count();
    let left: Vec<String> = outcomes
        .iter()
        .filter(|(_, outcome)| *outcome != Outcome::Fixed)
        .map(|(name, outcome)| format!("{name}: {outcome:?}"))
        .collect();
    // Where something was not collected that may hold more paths, no edit proves that there is none;
    // whoever has the management account is bound by no policy of it, and nothing takes away what
    // needs no permission.
    let expected = [
        "account-in-the-organization: Undecided",
        "account-start-in-the-organization: None",
        "call-that-needs-no-permission: None",
        "role-listed-twice: Undecided",
    ];
    assert_eq!(left, expected);
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
    check_with(files, keep, true)
}

fn check_with(files: &SnapshotFiles, keep: &[&str], denies: bool) -> Result<Fixed, FixError> {
    let models = Models::builtin().unwrap();
    let options = Options { goal: "admin".into(), ..Options::default() };
    let keep: Vec<Keep> = keep.iter().map(|keep| Keep::parse(keep).unwrap()).collect();
    let wanted =
        Wanted { from: Some("user/ann"), options: &options, keep: &keep, denies, rounds: 100 };
    fix(files, &models, &wanted)
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
    assert_eq!(&*edit.location.at, "/UserDetailList/0/UserPolicyList/0/PolicyDocument/Statement/1");
}

#[test]
fn what_must_stay_is_not_taken_away() {
    let roles = [role("job-clean-up", &["AdministratorAccess"])];
    let files = jobs(&functions(), &roles);
    let free = check(&files, &[]).unwrap().fix;
    assert_eq!(free.edits[0].location.sid.as_deref(), Some("Pass"));
    let keep = "user/ann:iam:PassRole@role/job-clean-up";
    let kept = check(&files, &[keep]).unwrap().fix;
    assert_eq!(
        (kept.outcome, kept.edits[0].location.sid.as_deref()),
        (Outcome::Fixed, Some("Run"))
    );
    let run = "user/ann:lambda:CreateFunction@arn:aws:lambda:us-east-1:111111111111:function:a";
    let trust = check(&files, &[keep, run]).unwrap().fix;
    assert_eq!((trust.outcome, trust.edits[0].edit), (Outcome::Fixed, EditKind::RemoveTrust));
    let Err(error) = check(&files, &["user/ann:s3:GetObject@arn:aws:s3:::a/b"]) else { panic!() };
    assert!(matches!(error, FixError::NotPermitted { .. }), "{error}");
}

fn two_ways(more: &[Value]) -> SnapshotFiles {
    let mut statements = functions().to_vec();
    statements.push(statement("Put", json!("iam:PutUserPolicy"), "*"));
    statements.push(statement("Again", json!("iam:PutUserPolicy"), "*"));
    statements.extend(more.iter().cloned());
    jobs(&statements, &[role("job-clean-up", &["AdministratorAccess"])])
}

fn kinds(fixed: &Fixed) -> Vec<EditKind> {
    fixed.fix.edits.iter().map(|edit| edit.edit).collect()
}

#[test]
fn two_ways_take_two_edits() {
    let found = check_with(&two_ways(&[]), &[], false).unwrap();
    let sids: Vec<_> =
        found.fix.edits.iter().map(|edit| edit.location.sid.as_deref().unwrap()).collect();
    assert_eq!((found.fix.outcome, sids), (Outcome::Fixed, vec!["Pass", "Put", "Again"]));
    let text = found.files.get("").unwrap();
    assert!(text.contains("\"Run\"") && !text.contains("Put"), "{text}");
}

#[test]
fn one_deny_stands_for_two_statements() {
    let found = check(&two_ways(&[]), &[]).unwrap();
    assert_eq!((found.fix.outcome, found.fix.proved_smallest), (Outcome::Fixed, true));
    assert_eq!(kinds(&found), [EditKind::RemoveStatement, EditKind::AddBoundary]);
    let edit = &found.fix.edits[1];
    assert_eq!(edit.before, Value::Null);
    let ann = "arn:aws:iam::111111111111:user/ann";
    let after = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "*", "Resource": "*" },
        { "Effect": "Deny", "Action": "iam:PutUserPolicy", "Resource": ann },
    ]});
    assert_eq!((edit.location.of.as_deref(), edit.after.as_ref()), (Some(ann), Some(&after)));
}

#[test]
fn a_boundary_that_the_attacker_can_take_off_is_none() {
    let off = statement("Off", json!("iam:DeleteUserPermissionsBoundary"), "*");
    let found = check(&two_ways(&[off]), &[]).unwrap();
    assert_eq!((found.fix.outcome, found.fix.edits.len()), (Outcome::Fixed, 3));
    // Three edits without it take less away.
    assert_eq!(kinds(&found), [EditKind::RemoveStatement; 3]);
}

#[test]
fn a_boundary_keeps_what_the_one_before_it_says() {
    let files = two_ways(&[]);
    let mut details: Value = serde_json::from_str(files.get("").unwrap()).unwrap();
    let arn = "arn:aws:iam::111111111111:policy/most";
    details["UserDetailList"][0]["PermissionsBoundary"] =
        json!({ "PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn });
    let most = statement("Most", json!(["iam:*", "lambda:*"]), "*");
    details["Policies"] = json!([{
        "PolicyName": "most", "PolicyId": "ANPAMOST", "Arn": arn, "Path": "/",
        "DefaultVersionId": "v1", "PolicyVersionList": [{ "VersionId": "v1",
            "IsDefaultVersion": true,
            "Document": { "Version": "2012-10-17", "Statement": [most] } }],
    }]);
    let mut files = files.clone();
    files.set("", Some(details.to_string().into()));
    let keep = [
        "user/ann:iam:PassRole@role/job-clean-up",
        "user/ann:iam:PutUserPolicy@arn:aws:iam::111111111111:user/other",
        "user/ann:lambda:CreateFunction@arn:aws:lambda:us-east-1:111111111111:function:a",
        "user/ann:lambda:InvokeFunction@arn:aws:lambda:us-east-1:111111111111:function:a",
    ];
    let found = check(&files, &keep).unwrap();
    assert_eq!(kinds(&found), [EditKind::RemoveTrust, EditKind::AddBoundary]);
    let edit = &found.fix.edits[1];
    assert_eq!(edit.before["Statement"], json!([most]));
    let after = edit.after.as_ref().unwrap()["Statement"].as_array().unwrap();
    assert_eq!((&after[0], &after[1]["Effect"]), (&most, &json!("Deny")));
}

/// Two users who may each put a policy on themselves, and an administrator, in an account of an
/// organization with this management account.
fn organization(management: &str) -> SnapshotFiles {
    let user = |name: &str, inline: Value, attached: Value| {
        json!({
            "Path": "/", "UserName": name, "UserId": format!("AIDA{}", name.to_uppercase()),
            "Arn": format!("arn:aws:iam::111111111111:user/{name}"),
            "CreateDate": "2024-01-01T00:00:00+00:00", "GroupList": [], "Tags": [],
            "AttachedManagedPolicies": attached, "UserPolicyList": inline,
        })
    };
    let put = |name: &str| {
        let own = format!("arn:aws:iam::111111111111:user/{name}");
        json!([{ "PolicyName": "own", "PolicyDocument": { "Version": "2012-10-17",
            "Statement": [statement("Put", json!("iam:PutUserPolicy"), &own)] } }])
    };
    let administrator = json!([{ "PolicyName": "AdministratorAccess",
        "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess" }]);
    let details = json!({
        "UserDetailList": [
            user("ada", json!([]), administrator),
            user("ann", put("ann"), json!([])),
            user("bob", put("bob"), json!([])),
        ],
        "GroupDetailList": [], "RoleDetailList": [], "Policies": [],
    });
    let full = json!({ "Policies": [{ "Id": "p-FullAWSAccess", "Name": "FullAWSAccess",
        "Type": "SERVICE_CONTROL_POLICY", "AwsManaged": true }] });
    let id = "111111111111";
    let files = [
        (format!("accounts/{id}/global/iam/get-account-authorization-details.json"), details),
        (
            "organization/describe-organization.json".to_owned(),
            json!({ "Organization": {
            "Id": "o-a1b2c3d4e5", "MasterAccountId": management, "FeatureSet": "ALL" } }),
        ),
        (
            "organization/list-accounts.json".to_owned(),
            json!({ "Accounts": [
            { "Id": id, "Status": "ACTIVE" }, { "Id": "222222222222", "Status": "ACTIVE" }] }),
        ),
        (
            "organization/list-roots.json".to_owned(),
            json!({ "Roots": [{ "Id": "r-ab12",
            "PolicyTypes": [{ "Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED" }] }] }),
        ),
        (
            "organization/list-organizational-units-for-parent/r-ab12.json".to_owned(),
            json!({ "OrganizationalUnits": [] }),
        ),
        (
            "organization/list-accounts-for-parent/r-ab12.json".to_owned(),
            json!({ "Accounts": [{ "Id": id }, { "Id": "222222222222" }] }),
        ),
        ("organization/list-policies-for-target/r-ab12.json".to_owned(), full.clone()),
        (format!("organization/list-policies-for-target/{id}.json"), full.clone()),
        ("organization/list-policies-for-target/222222222222.json".to_owned(), full),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (place, value) in files {
        let file = folder.path().join(place);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, value.to_string()).unwrap();
    }
    SnapshotFiles::read(folder.path()).unwrap()
}

fn check_all(files: &SnapshotFiles) -> Fixed {
    let models = Models::builtin().unwrap();
    let options = Options { goal: "admin".into(), ..Options::default() };
    let wanted = Wanted { from: None, options: &options, keep: &[], denies: true, rounds: 40 };
    fix(files, &models, &wanted).unwrap()
}

#[test]
fn a_control_policy_denies_all_but_administrators() {
    let found = check_all(&organization("222222222222"));
    assert_eq!((found.fix.outcome, found.fix.proved_smallest), (Outcome::Fixed, true));
    assert_eq!(kinds(&found), [EditKind::AddControlPolicyDeny]);
    let edit = &found.fix.edits[0];
    assert_eq!(
        edit.after.as_ref().unwrap()["Statement"],
        json!([{ "Effect": "Deny", "Action": "iam:PutUserPolicy", "Resource": "*",
            "Condition": { "ArnNotEquals": {
                "aws:PrincipalArn": ["arn:aws:iam::111111111111:user/ada"] } } }])
    );
    let attached = found.files.get("organization/list-policies-for-target/111111111111.json");
    assert!(attached.unwrap().contains("deny-escalation"));
}

#[test]
fn the_management_account_gets_no_control_policy() {
    let found = check_all(&organization("111111111111"));
    assert_eq!(found.fix.outcome, Outcome::Fixed);
    assert_eq!(kinds(&found), [EditKind::RemoveStatement; 2]);
}

#[test]
fn causes_have_fixes_as_far_as_the_effort_goes() {
    let models = Models::builtin().unwrap();
    let options = Options { goal: "admin".into(), ..Options::default() };
    let files = organization("222222222222");
    let world = World::of_files(&files, &LoadOptions::default()).unwrap();
    let found = audit(&world, &models, &options).unwrap();
    let fixes = |effort: usize| {
        let of = |listing| {
            let findings = found.findings.iter();
            of_causes(&files, &world, &models, &options, listing, findings, effort).unwrap()
        };
        let fixes = of(Some(&found));
        // The audit is asked for anew where it is not given.
        assert_eq!(fixes, of(None));
        fixes
    };
    let all = fixes(10_000_000);
    // Ann and Bob do the same by statements of the same words.
    let ids: Vec<_> = found.findings.iter().map(|one| one.id.clone().unwrap()).collect();
    assert_eq!(all.len(), ids.iter().collect::<std::collections::BTreeSet<_>>().len());
    for id in ids {
        let fix = &all[&id];
        assert_eq!((fix.outcome, fix.edits.len()), (Outcome::Fixed, 1));
        assert!(fix.alternatives.is_empty());
    }
    assert!(fixes(1000).is_empty());
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
