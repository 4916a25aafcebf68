//! Toggling against the obvious: changes that are made give the new snapshot, and those that are
//! named are the smallest set that opens the path.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use rayon::prelude::*;
use serde_json::{Value, json};

use super::changes::Changes;
use super::*;

fn statement(sid: &str, effect: &str, actions: Value, resource: Value) -> Value {
    json!({ "Sid": sid, "Effect": effect, "Action": actions, "Resource": resource })
}

fn user(name: &str, groups: &[&str], statements: &[Value]) -> Value {
    let policy = json!({ "PolicyName": "own",
        "PolicyDocument": { "Version": "2012-10-17", "Statement": statements } });
    json!({
        "Path": "/", "UserName": name, "UserId": format!("AIDA{}", name.to_uppercase()),
        "Arn": format!("arn:aws:iam::111111111111:user/{name}"),
        "CreateDate": "2024-01-01T00:00:00+00:00",
        "UserPolicyList": if statements.is_empty() { json!([]) } else { json!([policy]) },
        "GroupList": groups, "AttachedManagedPolicies": [], "Tags": [],
    })
}

fn put_policy() -> Value {
    statement("Put", "Allow", json!("iam:PutUserPolicy"), json!("*"))
}

fn group(name: &str, statements: &[Value]) -> Value {
    json!({
        "Path": "/", "GroupName": name, "GroupId": format!("AGPA{}", name.to_uppercase()),
        "Arn": format!("arn:aws:iam::111111111111:group/{name}"),
        "CreateDate": "2024-01-01T00:00:00+00:00", "AttachedManagedPolicies": [],
        "GroupPolicyList": [{ "PolicyName": "shared",
            "PolicyDocument": { "Version": "2012-10-17", "Statement": statements } }],
    })
}

fn details(users: &[Value], groups: &[Value]) -> Value {
    json!({ "UserDetailList": users, "GroupDetailList": groups, "RoleDetailList": [],
        "Policies": [] })
}

fn files(details: &Value) -> SnapshotFiles {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("details.json");
    fs::write(&file, details.to_string()).unwrap();
    SnapshotFiles::read(&file).unwrap()
}

/// The catalogue is large: it is read once.
fn models() -> &'static Models {
    static BUILTIN: LazyLock<Models> = LazyLock::new(|| Models::builtin().unwrap());
    &BUILTIN
}

fn compared(old: SnapshotFiles, new: SnapshotFiles) -> Diff {
    let models = models();
    let options = Options { goal: "admin".into(), ..Options::default() };
    diff_snapshots(old, new, models, &options).unwrap()
}

fn check(old: &Value, new: &Value) -> Diff {
    compared(files(old), files(new))
}

/// What opened the only path, in words.
fn because(diff: &Diff) -> Vec<String> {
    let [opened] = &*diff.opened else { panic!("{:?}", diff.opened) };
    let named = opened.because.as_ref().unwrap().iter().map(|at| &diff.changes[*at]);
    named
        .map(|change| {
            let last = |text: &Option<Arc<str>>| {
                text.as_deref().unwrap_or_default().rsplit(':').next().unwrap().to_owned()
            };
            let what = change.location.sid.clone().or(change.location.what.clone());
            format!(
                "{:?} {:?} {} {}",
                change.change,
                change.kind,
                last(&change.location.of),
                last(&what)
            )
        })
        .collect()
}

#[test]
fn the_statement_that_opens_a_path_is_named_and_nothing_else() {
    let other = statement("Read", "Allow", json!("s3:GetObject"), json!("*"));
    let old = details(&[user("ann", &[], std::slice::from_ref(&other))], &[]);
    let new = details(&[user("ann", &[], &[put_policy(), other]), user("bob", &[], &[])], &[]);
    let diff = check(&old, &new);
    assert_eq!(because(&diff), ["Added Statement user/ann Put"]);
    assert_eq!(diff.changes[0].location.statement, Some(0));
    assert_eq!(
        &*diff.changes[0].location.at,
        "/UserDetailList/0/UserPolicyList/0/PolicyDocument/Statement/0"
    );
}

#[test]
fn changes_that_open_a_path_only_together_are_all_named() {
    let old = details(&[user("ann", &[], &[])], &[group("g", &[])]);
    let new = details(&[user("ann", &["g"], &[])], &[group("g", &[put_policy()])]);
    let diff = check(&old, &new);
    assert_eq!(because(&diff), ["Added Statement group/g Put", "Added Membership user/ann g"]);
}

/// What opened each path, by the name of its start: the Sids of the statements.
fn sids(diff: &Diff) -> BTreeMap<String, Vec<String>> {
    let name = |arn: &str| arn.rsplit('/').next().unwrap().to_owned();
    let sid = |at: &usize| diff.changes[*at].location.sid.as_deref().unwrap().to_owned();
    let sids = |moved: &Moved| moved.because.as_ref().unwrap().iter().map(sid).collect();
    diff.opened.iter().map(|moved| (name(&moved.from), sids(moved))).collect()
}

#[test]
fn of_many_openings_each_has_its_own_statements() {
    let arn = |at: usize| json!(format!("arn:aws:iam::111111111111:user/u{at}"));
    let read = statement("Read", "Allow", json!("s3:GetObject"), json!("*"));
    let deny = |at: usize| statement(&format!("No{at}"), "Deny", json!("iam:*"), json!("*"));
    let put = |sid: &str, at: usize| statement(sid, "Allow", json!("iam:PutUserPolicy"), arn(at));
    let role = |at: usize, statements: &[Value]| {
        let trust = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow",
            "Principal": { "AWS": "arn:aws:iam::111111111111:root" },
            "Action": "sts:AssumeRole" }] });
        json!({
            "Path": "/", "RoleName": format!("r{at}"), "RoleId": format!("AROAR{at}"),
            "Arn": format!("arn:aws:iam::111111111111:role/r{at}"),
            "CreateDate": "2024-01-01T00:00:00+00:00", "AssumeRolePolicyDocument": trust,
            "RolePolicyList": [{ "PolicyName": "own",
                "PolicyDocument": { "Version": "2012-10-17", "Statement": statements } }],
            "AttachedManagedPolicies": [], "InstanceProfileList": [], "Tags": [],
        })
    };
    let (mut old, mut new, mut expected) = (Vec::new(), Vec::new(), BTreeMap::new());
    let (mut old_roles, mut new_roles) = (Vec::new(), Vec::new());
    for at in 0..24 {
        let own = format!("S{at}");
        let (was, is, because) = match at % 6 {
            // By a statement of its own, by one and a deny that is gone, and by two of which one
            // is another's.
            0 => (vec![], vec![put(&own, at)], vec![own]),
            1 => (vec![deny(at)], vec![put(&own, at)], vec![format!("No{at}"), own]),
            2 => {
                let arn = json!(format!("arn:aws:iam::111111111111:role/r{at}"));
                let theirs = format!("R{at}");
                let put = statement(&theirs, "Allow", json!("iam:PutRolePolicy"), arn.clone());
                old_roles.push(role(at, std::slice::from_ref(&read)));
                new_roles.push(role(at, &[read.clone(), put]));
                expected.insert(format!("r{at}"), vec![theirs.clone()]);
                let assume = statement(&own, "Allow", json!("sts:AssumeRole"), arn);
                (vec![], vec![assume], vec![theirs, own])
            }
            // Only the deny was in the way.
            3 => (vec![put("Put", at), deny(at)], vec![put("Put", at)], vec![format!("No{at}")]),
            // Nothing that leads anywhere; and there as before.
            4 => (vec![], vec![statement(&own, "Allow", json!("s3:*"), json!("*"))], vec![]),
            _ => (vec![put("Put", at)], vec![put("Put", at), deny(99)], vec![]),
        };
        let with =
            |more: Vec<Value>| user(&format!("u{at}"), &[], &[vec![read.clone()], more].concat());
        old.push(with(was));
        new.push(with(is));
        if !because.is_empty() {
            expected.insert(format!("u{at}"), because);
        }
    }
    let with_roles = |users: &[Value], roles: Vec<Value>| {
        let mut all = details(users, &[]);
        all["RoleDetailList"] = roles.into();
        all
    };
    let found = sids(&check(&with_roles(&old, old_roles), &with_roles(&new, new_roles)));
    let sorted = |mut sids: Vec<String>| {
        sids.sort();
        sids
    };
    let sorted = |all: BTreeMap<String, Vec<String>>| -> BTreeMap<String, Vec<String>> {
        all.into_iter().map(|(name, sids)| (name, sorted(sids))).collect()
    };
    assert_eq!(sorted(found), sorted(expected));
}

#[test]
fn a_deny_that_is_gone_opens_a_path() {
    let deny = statement("No", "Deny", json!("iam:*"), json!("*"));
    let old = details(&[user("ann", &[], &[put_policy(), deny])], &[]);
    let new = details(&[user("ann", &[], &[put_policy()])], &[]);
    assert_eq!(because(&check(&old, &new)), ["Removed Statement user/ann No"]);
}

#[test]
fn a_statement_that_is_widened_is_one_change() {
    let narrow = statement(
        "Put",
        "Allow",
        json!("iam:PutUserPolicy"),
        json!("arn:aws:iam::111111111111:user/x"),
    );
    let old = details(&[user("ann", &[], &[narrow])], &[]);
    let new = details(&[user("ann", &[], &[put_policy()])], &[]);
    assert_eq!(because(&check(&old, &new)), ["Changed Statement user/ann Put"]);
}

#[test]
fn a_condition_that_is_gone_opens_what_was_open_under_assumptions() {
    let mut with_mfa = put_policy();
    with_mfa["Condition"] = json!({ "Bool": { "aws:MultiFactorAuthPresent": "true" } });
    let old = details(&[user("ann", &[], &[with_mfa])], &[]);
    let new = details(&[user("ann", &[], &[put_policy()])], &[]);
    let diff = check(&old, &new);
    assert_eq!(because(&diff), ["Changed Statement user/ann Put"]);
    assert_eq!(diff.opened[0].was, Stand::ReachableUnderAssumptions);
    assert_ne!(diff.opened[0].id, compared(files(&new), files(&old)).weakened[0].id);
}

#[test]
fn another_way_to_the_same_goal_is_a_change() {
    let attach = statement("Attach", "Allow", json!("iam:AttachUserPolicy"), json!("*"));
    let old = details(&[user("ann", &[], &[put_policy()])], &[]);
    let new = details(&[user("ann", &[], &[attach])], &[]);
    let diff = check(&old, &new);
    assert!(diff.opened.is_empty() && diff.closed.is_empty());
    assert_eq!(diff.changed.len(), 1);
    // The new way has to be there, and the old one gone.
    let named = diff.changed[0].because.as_ref().unwrap().len();
    assert!((1..=2).contains(&named), "{diff:?}");
}

#[test]
fn a_path_that_is_closed_is_said_without_a_reason() {
    let old = details(&[user("ann", &[], &[put_policy()])], &[]);
    let new = details(&[user("ann", &[], &[])], &[]);
    let diff = check(&old, &new);
    assert!(diff.opened.is_empty() && diff.changes.is_empty());
    assert_eq!((diff.closed[0].was, diff.closed[0].is), (Stand::Reachable, Stand::Unreachable));
    let gone = check(&old, &details(&[user("bob", &[], &[])], &[]));
    assert_eq!(gone.closed[0].is, Stand::Absent);
}

#[test]
fn a_user_that_is_renamed_keeps_its_path() {
    let own = |name: &str| {
        let resource = json!(format!("arn:aws:iam::111111111111:user/{name}"));
        let mut user =
            user(name, &[], &[statement("Put", "Allow", json!("iam:PutUserPolicy"), resource)]);
        user["UserId"] = json!("AIDASAME");
        user
    };
    let diff = check(&details(&[own("ann")], &[]), &details(&[own("zoe")], &[]));
    assert!(diff.is_empty(), "{diff:?}");
    assert_eq!(diff.renamed.len(), 1);
    // One that was made anew has another unique id, and its path the same cause.
    let mut anew = own("zoe");
    anew["UserId"] = json!("AIDAOTHER");
    let diff = check(&details(&[own("ann")], &[]), &details(&[anew], &[]));
    assert!(diff.is_empty(), "{diff:?}");
}

#[test]
fn a_second_user_with_the_same_cause_is_new() {
    let old = details(&[user("ann", &["g"], &[])], &[group("g", &[put_policy()])]);
    let new = details(
        &[user("ann", &["g"], &[]), user("bob", &["g"], &[])],
        &[group("g", &[put_policy()])],
    );
    let diff = check(&old, &new);
    assert_eq!(because(&diff), ["Added Principal user/bob "]);
}

fn demo() -> SnapshotFiles {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/demo/snapshot");
    SnapshotFiles::read(&corpus).unwrap()
}

/// Every list the other way around, every list of actions or resources split into statements of
/// their own, names of members in another order.
fn rewritten(value: &Value) -> Value {
    match value {
        Value::Array(elements) => {
            let mut out: Vec<Value> = Vec::new();
            for element in elements.iter().rev() {
                match (element.get("Effect"), element.get("Action")) {
                    (Some(effect), Some(Value::Array(actions))) if effect == "Allow" => {
                        for action in actions {
                            let mut one = element.clone();
                            one["Action"] = json!([action]);
                            one.as_object_mut().unwrap().shift_remove("Sid");
                            out.push(rewritten(&one));
                        }
                    }
                    _ => out.push(rewritten(element)),
                }
            }
            out.into()
        }
        Value::Object(members) => {
            members.iter().rev().map(|(name, value)| (name.clone(), rewritten(value))).collect()
        }
        other => other.clone(),
    }
}

fn written_differently(old: &SnapshotFiles) -> SnapshotFiles {
    let mut new = old.clone();
    for (place, text) in old.files() {
        // Some say nothing.
        let Ok(value) = serde_json::from_str::<Value>(text) else { continue };
        let text = serde_json::to_string_pretty(&rewritten(&value)).unwrap();
        new.set(place, Some(text.into()));
    }
    new
}

/// Every finding with its id.
fn ids(files: &SnapshotFiles) -> BTreeSet<(Arc<str>, Option<Arc<str>>)> {
    let models = models();
    let options = Options { goal: "admin".into(), ..Options::default() };
    let world = World::of_files(files, &LoadOptions::default()).unwrap();
    let audit = audit(&world, models, &options).unwrap();
    audit.findings.into_iter().map(|answer| (answer.question.from, answer.id)).collect()
}

#[test]
fn a_snapshot_that_is_written_differently_does_not_differ() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    let snapshots: Vec<PathBuf> = fs::read_dir(corpus)
        .unwrap()
        .map(|case| case.unwrap().path().join("snapshot"))
        .filter(|snapshot| snapshot.is_dir())
        .collect();
    assert!(snapshots.len() > 300, "{}", snapshots.len());
    snapshots.par_iter().for_each(|snapshot| {
        let old = SnapshotFiles::read(snapshot).unwrap();
        let new = written_differently(&old);
        assert_ne!(old, new, "{snapshot:?}");
        let diff = compared(old.clone(), new.clone());
        assert!(diff.is_empty(), "{snapshot:?}: {diff:?}");
        assert_eq!(ids(&old), ids(&new), "{snapshot:?}");
    });
}

#[test]
fn a_snapshot_in_memory_is_the_one_on_disk() {
    let held = demo();
    let (disk, memory) = (
        World::load(held.root(), &LoadOptions::default()).unwrap(),
        World::of_files(&held, &LoadOptions::default()).unwrap(),
    );
    assert_eq!(format!("{:?}", disk.objects), format!("{:?}", memory.objects));
    assert_eq!(format!("{:?}", disk.accounts), format!("{:?}", memory.accounts));
    assert_eq!(disk.gaps, memory.gaps);
}

#[test]
fn making_changes_one_by_one_leads_from_old_to_new() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/pull-request");
    let read = |day: &str| SnapshotFiles::read(&corpus.join(day)).unwrap();
    let changes = Changes::between(read("yesterday"), read("today"));
    assert!(changes.list.len() > 3);
    // Nothing made is the old snapshot; all but one made differ from the new one in that one. The
    // versions of a managed policy hang together: which is the default, and the documents of the
    // others. Without one of these the others of the same policy may differ as well.
    assert_eq!(changes.made(&BTreeSet::new()), read("yesterday"));
    for left_out in 0..changes.list.len() {
        let made: BTreeSet<usize> = (0..changes.list.len()).filter(|at| *at != left_out).collect();
        let rest = Changes::between(changes.made(&made), read("today"));
        let found: Vec<_> = rest.list.iter().map(|change| &*change.at).collect();
        let at = &changes.list[left_out].at;
        match at.strip_prefix("/Policies/0/") {
            Some(_) => {
                assert!(!found.is_empty(), "{at}");
                let of_policy = |at: &&str| at.starts_with("/Policies/0/");
                assert!(found.iter().all(of_policy), "{at}: {found:?}");
            }
            None => assert_eq!(found.len(), 1, "{at}: {found:?}"),
        }
    }
}

#[test]
fn who_is_not_listed_any_more_is_not_closed() {
    let old = details(&[user("ann", &[], &[put_policy()]), user("bob", &[], &[])], &[]);
    let mut page = details(&[user("bob", &[], &[])], &[]);
    page["IsTruncated"] = json!(true);
    let diff = check(&old, &page);
    assert!(diff.closed.is_empty());
    let ann = diff.weakened.iter().find(|moved| moved.from.ends_with("user/ann")).unwrap();
    assert_eq!((ann.was, ann.is), (Stand::Reachable, Stand::Unknown));
    let diff = check(&old, &details(&[user("bob", &[], &[])], &[]));
    assert_eq!(diff.closed[0].is, Stand::Absent);
}
