//! The audit of a synthetic account finds what was planted and nothing else.

#![expect(clippy::unwrap_used, reason = "in a test, what is not there fails it")]

use std::collections::BTreeMap;
use std::path::Path;

use escalade_benches::{Account, Models, Shape, audit, load};

/// Compares who is reported to reach administrator with who does.
fn check(name: &str, account: &Account) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    account.write_to(&folder).unwrap();
    let audit = audit(&load(&folder).unwrap(), &Models::builtin().unwrap()).unwrap();
    let found: BTreeMap<&str, &str> = audit
        .findings
        .iter()
        .map(|answer| (answer.question.from.as_ref(), answer.verdict.as_str()))
        .collect();
    let planted: BTreeMap<&str, &str> = account
        .truth()
        .iter()
        .map(|planted| {
            let verdict =
                if planted.under_assumptions { "reachable-under-assumptions" } else { "reachable" };
            (planted.from.as_str(), verdict)
        })
        .collect();
    let wrong: Vec<String> = found
        .keys()
        .chain(planted.keys())
        .filter(|from| found.get(*from) != planted.get(*from))
        .map(|from| format!("{from}: planted {:?}, found {:?}", planted.get(from), found.get(from)))
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {} are wrong:\n{}",
        wrong.len(),
        planted.len(),
        wrong.join("\n")
    );
    let administrators: Vec<&str> = audit.administrators.iter().map(AsRef::as_ref).collect();
    assert_eq!(administrators, account.administrators());
}

#[test]
fn what_is_planted_is_found_and_near_misses_are_not() {
    check("every-kind", &Account::with_shape(1, 150, Shape::EveryKind));
    check("realistic", &Account::new(1, 200));
}

#[test]
fn every_role_but_one_is_found_when_every_role_may_be_assumed() {
    check("every-role", &Account::with_shape(1, 200, Shape::EveryRoleAssumesEveryRole));
}
