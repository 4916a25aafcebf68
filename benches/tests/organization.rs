//! The audit of a synthetic organization finds what was planted and nothing else.

#![expect(clippy::unwrap_used, reason = "in a test, what is not there fails it")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use escalade_benches::{Models, Organization, Written, audit_to, load};
use escalade_engine::snapshot::World;

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    folder
}

/// Compares who is reported to reach `goal` with who does.
///
/// - `there`: the account whose administrators reach it without a step; all for `admin`.
fn check(world: &World, written: &Written, goal: &str, there: Option<&str>) {
    let audit = audit_to(world, &Models::builtin().unwrap(), goal).unwrap();
    let found: BTreeMap<&str, &str> = audit
        .findings
        .iter()
        .map(|answer| (answer.question.from.as_ref(), answer.verdict.as_str()))
        .collect();
    let within = |arn: &str| there.is_none_or(|account| arn.contains(&format!("::{account}:")));
    let mut planted: BTreeMap<&str, &str> = BTreeMap::new();
    for one in &written.truth {
        if one.to == goal || (there.is_some() && one.to == "admin" && within(&one.from)) {
            let verdict =
                if one.under_assumptions { "reachable-under-assumptions" } else { "reachable" };
            planted.insert(&one.from, verdict);
        }
    }
    let wrong: Vec<String> = found
        .keys()
        .chain(planted.keys())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .filter(|from| found.get(*from) != planted.get(*from))
        .map(|from| format!("{from}: planted {:?}, found {:?}", planted.get(from), found.get(from)))
        .collect();
    assert!(
        wrong.is_empty(),
        "{goal}: {} of {} are wrong:\n{}",
        wrong.len(),
        planted.len(),
        wrong.join("\n")
    );
    let administrators: Vec<&str> = audit.administrators.iter().map(AsRef::as_ref).collect();
    let expected: Vec<&str> =
        written.administrators.iter().map(String::as_str).filter(|arn| within(arn)).collect();
    assert_eq!(administrators, expected, "{goal}");
}

#[test]
fn what_is_planted_in_a_few_accounts_is_found_and_nothing_else() {
    let organization = Organization::new(1, 3, 10);
    let folder = folder("few-accounts");
    let written = organization.write_to(&folder).unwrap();
    let world = load(&folder).unwrap();
    check(&world, &written, "admin", None);
}

/// Run with `--ignored`: it takes a minute in a release build.
#[test]
#[ignore = "takes minutes without optimization"]
fn what_is_planted_is_found_and_what_control_policies_close_is_not() {
    let organization = Organization::new(1, 13, 60);
    let folder = folder("organization");
    let written = organization.write_to(&folder).unwrap();
    let closed = written.near_misses.iter().filter(|one| one.because.contains("control policy"));
    assert!(closed.count() >= 3);
    let world = load(&folder).unwrap();
    check(&world, &written, "admin", None);
    // Management account, hub, a suspended one, a workload.
    for position in [0, 1, 3, 5] {
        let account = &organization.accounts()[position];
        check(&world, &written, &format!("admin@{account}"), Some(account));
    }
}

#[test]
fn the_same_seed_makes_the_same_organization_and_another_seed_another() {
    let (one, same, other) =
        (Organization::new(7, 5, 40), Organization::new(7, 5, 40), Organization::new(8, 5, 40));
    assert_eq!(one.files(), same.files());
    assert_ne!(one.files(), other.files());
    assert_eq!(one.account(3).files(), same.account(3).files());
    let paths: BTreeSet<PathBuf> = one.files().into_iter().map(|(path, _)| path).collect();
    for there in ["describe-organization.json", "list-roots.json", "list-accounts.json"] {
        assert!(paths.contains(&Path::new("organization").join(there)), "{there}");
    }
}
