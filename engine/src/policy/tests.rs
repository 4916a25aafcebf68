use super::*;
use proptest::prelude::*;

/// Where and what reading the document fails with; empty if it does not.
fn error(json: &str) -> String {
    Policy::parse(json).err().map(|error| error.to_string()).unwrap_or_default()
}

fn policy(statement: &str) -> Policy {
    Policy::parse(&format!(r#"{{"Version": "2012-10-17", "Statement": {statement}}}"#)).unwrap()
}

#[test]
fn a_document_is_read_whole() {
    let policy = Policy::parse(
        r#"{"Id": "p", "Statement": {"Sid": "s", "Effect": "Deny", "Principal": {"AWS": ["*"],
            "Service": "s3.amazonaws.com"}, "NotAction": "S3:Get*", "NotResource": ["a", "b"],
            "Condition": {"Bool": {"aws:SecureTransport": false}, "NumericLessThan": {"k": [1, 2.5]}}},
            "Version": "2012-10-17"}"#,
    )
    .unwrap();
    assert_eq!((policy.version(), policy.id()), (Version::V2012, Some("p")));
    let [statement] = policy.statements() else { panic!() };
    assert_eq!(statement.sid().map(|sid| &**sid), Some("s"));
    assert!(policy.has_deny() && statement.resources_negated() && statement.actions().negated);
    assert!(statement.matches_action("s3:putobject") && !statement.matches_action("s3:getobject"));
    assert_eq!(statement.resources().len(), 2);
    assert_eq!(statement.principals().unwrap().named.len(), 2);
    assert_eq!(statement.conditions().len(), 2);
}

#[test]
fn what_is_no_policy_is_an_error_with_its_place() {
    for (json, expected) in [
        ("", r#"at "": expected a policy document, found "the end of the text""#),
        ("[]", r#"at "": expected a policy document, found "an array""#),
        ("{}", r#"at "": expected a Statement, found "none""#),
        (r#"{"Statement": []} x"#, r#"at "": expected the end of the document, found "x""#),
        (
            r#"{"Statement": [{"Effect": "allow", "Action": "*"}]}"#,
            r#"at "/Statement/0/Effect": expected Allow or Deny, found "allow""#,
        ),
        (
            r#"{"Statement": {"Effect": "Allow", "Action": ["*", 7]}}"#,
            r#"at "/Statement/Action/1": expected an action, found "7]}}""#,
        ),
        (
            r#"{"Statement": {"Effect": "Allow", "Action": "*", "Ressource": "*"}}"#,
            r#"at "/Statement/Ressource": expected an element of a statement, found "Ressource""#,
        ),
        (
            r#"{"Statement": {"Effect": "Allow", "Action": "*", "NotAction": "*"}}"#,
            r#"at "/Statement/NotAction": expected one of Action and NotAction, found "NotAction""#,
        ),
        (
            r#"{"Statement": {"Effect": "Allow", "Effect": "Deny", "Action": "*"}}"#,
            r#"at "/Statement/Effect": expected each member once, found "Effect""#,
        ),
        (
            r#"{"Statement": [], "Version": "2012-10-18"}"#,
            r#"at "/Version": expected 2012-10-17 or 2008-10-17, found "2012-10-18""#,
        ),
        (
            r#"{"Statement": {"Effect": "Allow", "Action": "*", "Condition": {"Bool": {"a/b": {}}}}}"#,
            r#"at "/Statement/Condition/Bool/a~1b": expected a string, number or boolean, found "an object""#,
        ),
    ] {
        assert_eq!(error(json), expected, "{json}");
    }
}

#[test]
fn a_principal_is_a_text_or_the_number_of_an_account() {
    let principal = |principal: &str| {
        error(&format!(
            r#"{{"Statement": {{"Effect": "Allow", "Action": "*", "Principal": {principal}}}}}"#
        ))
    };
    for right in ["\"*\"", r#"{"AWS": 111122223333}"#, r#"{"AWS": ["*", 111122223333]}"#] {
        assert_eq!(principal(right), "", "{right}");
    }
    for (wrong, at) in [
        ("5", ""),
        ("null", ""),
        ("[]", ""),
        ("{}", ""),
        (r#"{"AWS": true}"#, "/AWS"),
        (r#"{"AWS": 5}"#, "/AWS"),
        (r#"{"AWS": ["*", false]}"#, "/AWS/1"),
        (r#"{"AWS": null}"#, "/AWS"),
        (r#"{"AWS": {}}"#, "/AWS"),
        (r#"{"Service": 111122223333}"#, "/Service"),
        (r#"{"Federated": true}"#, "/Federated"),
    ] {
        let error = principal(wrong);
        let place = format!("/Statement/Principal{at}\": expected");
        assert!(error.contains(&place), "{wrong}: {error}");
    }
}

#[test]
fn variables_are_read_whatever_stands_first() {
    let statement =
        r#"{"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::${aws:username}"}"#;
    for (json, variables) in [
        (format!(r#"{{"Version": "2012-10-17", "Statement": {statement}}}"#), 1),
        (format!(r#"{{"Statement": {statement}, "Version": "2012-10-17"}}"#), 1),
        (format!(r#"{{"Statement": {statement}, "Version": "2008-10-17"}}"#), 0),
        (format!(r#"{{"Statement": {statement}}}"#), 0),
    ] {
        let policy = Policy::parse(&json).unwrap();
        let found = policy.statements()[0].resources()[0].variables().count();
        assert_eq!(found, variables, "{json}");
    }
}

#[test]
fn a_policy_that_mentions_the_caller_says_so() {
    for (rest, expected) in [
        (r#""Resource": "*""#, false),
        (r#""Resource": "${aws:username}""#, true),
        (r#""Resource": "${aws:PrincipalAccount}""#, false),
        (r#""Condition": {"StringEquals": {"AWS:PrincipalTag/a": "b"}}"#, true),
        (r#""Condition": {"StringEquals": {"s3:prefix": "${aws:userid}"}}"#, true),
        (r#""Condition": {"StringEquals": {"aws:PrincipalOrgID": "o"}}"#, false),
        (r#""Principal": {"AWS": "111122223333"}"#, false),
        (r#""Principal": "*""#, false),
        (r#""Principal": {"AWS": "arn:aws:iam::111122223333:role/a"}"#, true),
        (r#""NotPrincipal": {"AWS": "111122223333"}"#, true),
    ] {
        let policy = policy(&format!(r#"{{"Effect": "Allow", "Action": "*", {rest}}}"#));
        assert_eq!(policy.mentions_caller(), expected, "{rest}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in r#"(\{|\}|\[|\]|,|:|"Statement"|"Effect":"Allow"|"Action":"\*"|"Condition"|"\$\{a"|1|"x"){0,14}"#) {
        let _ = Policy::parse(&text);
    }
}
