//! What is left of resources and variables that are not known.

use super::*;
use crate::authorization::resources::resources_match;
use crate::policy::Policy;
use crate::residual::Test;

fn matches(resources: &str, resource: &Resource, keys: &Keys) -> Residual {
    let policy = Policy::parse(&format!(
        r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Allow", "Action": "*", {resources}}}}}"#
    ))
    .unwrap();
    resources_match(policy.statements()[0].resource_element(), resource, keys)
}

fn function() -> Resource {
    let mut variable = variable("$function", false);
    variable.grammar =
        Grammar::new(&[('-', '-'), ('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')], (1, 64));
    Resource::Template {
        prefix: "arn:aws:lambda:us-east-1:111122223333:function:".into(),
        variable,
        suffix: "".into(),
    }
}

fn check(resources: &str, expected: &str) {
    let shown = match matches(resources, &function(), &Keys::default()) {
        Residual::True => "always".to_owned(),
        Residual::False => "never".to_owned(),
        Residual::Atom(atom) => match &*atom {
            Atom::Passes(_, Test::Like(pattern)) => pattern.to_string(),
            other => format!("{other:?}"),
        },
        Residual::Not(inner) => format!("{inner:?}"),
        other => format!("{other:?}"),
    };
    assert_eq!(shown, expected, "{resources}");
}

#[test]
fn a_pattern_is_folded_onto_the_part_that_is_not_known() {
    check(r#""Resource": "*""#, "always");
    check(r#""Resource": "arn:aws:lambda:*:*:function:*""#, "always");
    check(r#""Resource": "arn:aws:lambda:*:*:function:dev-*""#, "dev-*");
    check(r#""Resource": "arn:aws:lambda:*:444455556666:function:dev-*""#, "never");
    check(r#""Resource": "arn:aws:s3:::*""#, "never");
    check(r#""Resource": "arn:aws:lambda:us-east-1:111122223333:function:a""#, "a");
    // No function name has a colon in it.
    check(r#""Resource": "arn:aws:lambda:us-east-1:111122223333:function:a:*""#, "never");
    check(r#""NotResource": "arn:aws:s3:::*""#, "always");
}

#[test]
fn a_variable_that_is_not_known_is_solved_from_known_text() {
    let resource = Resource::Literal("arn:aws:iam::111122223333:user/bob".into());
    let free = |certain| {
        let variable = variable("aws:username", false);
        Keys(BTreeMap::from([("aws:username".to_owned(), Input::Free { variable, certain })]))
    };
    let pattern = r#""Resource": "arn:aws:iam::111122223333:user/${aws:username}""#;
    for (value, expected) in [(one("bob"), true), (one("eve"), false), (Input::Absent, false)] {
        let point = BTreeMap::from([("aws:username".to_owned(), value)]);
        let residual = matches(pattern, &resource, &free(false));
        for of_absent in [false, true] {
            assert_eq!(at_point(&residual, &point, of_absent), Residual::constant(expected));
        }
    }
    let default = r#""Resource": "arn:aws:iam::111122223333:user/${aws:username, 'bob'}""#;
    let point = BTreeMap::from([("aws:username".to_owned(), Input::Absent)]);
    let residual = matches(default, &resource, &free(false));
    assert_eq!(at_point(&residual, &point, true), Residual::True);
    assert!(matches(default, &resource, &free(true)).is_decided());
    // With a wildcard besides, the value has to be one of the texts that can stand there.
    let both = r#""Resource": "arn:aws:iam::*:user/${aws:username}""#;
    for (value, expected) in [(one("bob"), true), (one("eve"), false)] {
        let point = BTreeMap::from([("aws:username".to_owned(), value)]);
        let residual = matches(both, &resource, &free(true));
        assert_eq!(at_point(&residual, &point, false), Residual::constant(expected));
    }
    let anywhere = r#""Resource": "*${aws:username}*""#;
    assert!(!matches(anywhere, &resource, &free(true)).is_decided());
}

#[test]
fn a_key_missing_from_the_snapshot_leaves_a_gap() {
    let gap = crate::residual::Gap("no tags".into());
    let keys =
        Keys(BTreeMap::from([("aws:principaltag/team".to_owned(), Input::Unknown(gap.clone()))]));
    let resource = Resource::Literal("arn:aws:s3:::b/red".into());
    let residual =
        matches(r#""Resource": "arn:aws:s3:::b/${aws:PrincipalTag/Team}""#, &resource, &keys);
    assert_eq!(residual, Residual::Unknown(gap));
}

#[test]
fn a_key_that_is_known_in_part_is_folded_too() {
    let key = |suffix: &str| {
        Keys(BTreeMap::from([(
            "k".to_owned(),
            Input::Template {
                prefix: "arn:aws:iam::1:role/".into(),
                variable: variable("$role", false),
                suffix: suffix.into(),
            },
        )]))
    };
    let point = |name: &str| BTreeMap::from([("$role".to_owned(), one(name))]);
    let condition =
        crate::policy::Condition::new("ArnLike", "k", &["arn:aws:iam::*:role/a*b/x"], true);
    let residual = crate::authorization::conditions::condition_holds(&condition, &key("/x"));
    assert_eq!(at_point(&residual, &point("acb"), true), Residual::True);
    assert_eq!(at_point(&residual, &point("acx"), true), Residual::False);
    // As the value of a policy variable.
    let resource = Resource::Literal("on arn:aws:iam::1:role/a/x!".into());
    let residual = matches(r#""Resource": "on ${k}!""#, &resource, &key("/x"));
    assert_eq!(at_point(&residual, &point("a"), true), Residual::True);
    assert_eq!(at_point(&residual, &point("a/x"), true), Residual::False);
    assert!(matches(r#""Resource": "on ${k}!""#, &resource, &key("/y")).is_false());
}
