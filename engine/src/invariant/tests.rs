//! Invariants on the demonstration account, each with the one that it turns into.

use std::path::Path;

use super::*;
use crate::snapshot::LoadOptions;

fn load(case: &str) -> World {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    World::load(&corpus.join(case).join("snapshot"), &LoadOptions::default()).unwrap()
}

fn ask(world: &World, json: &str) -> Result<InvariantReport, InvariantError> {
    let invariant: Invariant = serde_json::from_str(json).unwrap();
    let models = Models::builtin().unwrap();
    super::check(world, &models, &invariant)
}

fn check(case: &str, json: &str, expected: Outcome) -> InvariantReport {
    let report = ask(&load(case), json).unwrap();
    assert_eq!(report.outcome, expected, "{json}: {report:?}");
    report
}

#[test]
fn who_is_excepted_does_not_count() {
    let about = |except: &str| {
        format!(
            r#"{{ "name": "n", "to": "admin", "already-there": true,
                "from": {{ "principals": ["user/staff/carla.*", "user/staff/ben.*"] }},
                "except": {{ {except} }} }}"#
        )
    };
    let report = check("demo", &about(""), Outcome::Violated);
    let [found] = &*report.violations else { panic!("{report:?}") };
    assert!(found.question.from.ends_with("carla.mendes") && found.path.is_some());
    let report = check("demo", &about(r#""principals": ["*/carla.mendes"]"#), Outcome::Holds);
    assert_eq!(report.principals, 1);
}

#[test]
fn what_is_pinned_decides() {
    let about = |value: &str| {
        format!(
            r#"{{ "name": "n", "to": ["admin"], "from": {{ "principals": ["user/*/kira.tanaka"] }},
                "assume": {{ "aws:MultiFactorAuthPresent": "{value}" }} }}"#
        )
    };
    check("demo", &about("false"), Outcome::Holds);
    check("demo", &about("true"), Outcome::Violated);
}

#[test]
fn goals_are_described_by_kind_and_name() {
    let about = |from: &str| {
        format!(
            r#"{{ "name": "n", "from": {{ "principals": ["{from}"] }},
                "to": {{ "call": ["s3:GetObject"], "within": "/*",
                    "on": {{ "kinds": ["s3:bucket"], "arns": ["*payroll"] }} }} }}"#
        )
    };
    let report = check("demo", &about("user/*/hugo.martin"), Outcome::Holds);
    assert_eq!(&*report.goals[0], "s3:GetObject@arn:aws:s3:::hazelwood-payroll/*");
    check("demo", &about("user/*/grace.lin"), Outcome::Violated);
}

#[test]
fn what_is_about_nothing_does_not_hold() {
    let nobody = r#"{ "name": "n", "to": "admin", "from": { "principals": ["user/none"] } }"#;
    check("demo", nobody, Outcome::Unknown);
    let no_goal = r#"{ "name": "n", "to": { "act-as": { "principals": ["role/none"] } } }"#;
    check("demo", no_goal, Outcome::Unknown);
    let no_organization = r#"{ "name": "n", "to": "admin", "from": { "ou": ["Production"] } }"#;
    check("demo", no_organization, Outcome::Unknown);
}

#[test]
fn whoever_was_not_listed_is_not_known_to_keep_it() {
    let about = |from: &str| format!(r#"{{ "name": "n", "to": "admin", "from": {{ {from} }} }}"#);
    let case = "cross-account-assume-role-unknown";
    let report = check(case, &about(""), Outcome::Unknown);
    assert!(report.unknown.iter().any(|why| why.contains("AccessDenied")), "{report:?}");
    check(case, &about(r#""principals": ["user/*"]"#), Outcome::Unknown);
    check(case, &about(r#""principals": ["user/alice"]"#), Outcome::Holds);
    check(case, &about(r#""accounts": ["111122223333"]"#), Outcome::Holds);
}

#[test]
fn accounts_are_described_by_their_place() {
    let about = |unit: &str| {
        format!(
            r#"{{ "name": "n", "from": {{ "principals": ["user/alice"] }},
                "to": {{ "admin-of": {{ "ou": ["{unit}"] }} }} }}"#
        )
    };
    for unit in ["locked", "ou-ab12-locked00", "l*"] {
        let report = check("organizations-move-account", &about(unit), Outcome::Holds);
        assert_eq!(report.goals.len(), 1);
    }
    // Above it is the root, with every account.
    let report = check("organizations-move-account", &about("r-ab12"), Outcome::Holds);
    assert_eq!(report.goals.len(), 2);
    check("organizations-move-account", &about("elsewhere"), Outcome::Unknown);
}

#[test]
fn an_expected_path_is_missed() {
    let about = |from: &str| {
        format!(
            r#"{{ "name": "n", "expect": "reachable", "from": {{ "principals": ["{from}"] }},
                "to": "admin" }}"#
        )
    };
    check("demo", &about("user/admins/break-glass"), Outcome::Holds);
    let report = check("demo", &about("user/*/nadia.haddad"), Outcome::Violated);
    assert_eq!(report.violations[0].verdict, Verdict::Unreachable);
}

#[test]
fn what_is_wrong_is_said() {
    let wrong = |json: &str| serde_json::from_str::<Invariant>(json).unwrap_err().to_string();
    assert!(
        wrong(r#"{ "name": "n", "to": "admin", "form": {} }"#).contains("unknown field `form`")
    );
    assert!(wrong(r#"{ "name": "n", "to": { "admin": {} } }"#).contains("unknown field `admin`"));
    assert!(wrong(r#"{ "name": "n", "to": 3 }"#).contains("a goal, a list of goals"));
    let both = r#"{ "name": "n", "to": { "admin-of": {}, "act-as": {} } }"#;
    let error = ask(&load("demo"), both).unwrap_err();
    assert!(error.to_string().contains("exactly one of"), "{error}");
}
