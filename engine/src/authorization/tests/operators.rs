//! The truth table of the condition operators, and its symbolic twin.

use super::*;
use crate::authorization::conditions::condition_holds;
use crate::policy::Condition;

/// Positive operator, its negation, the policy's value, a value that passes and two that do not.
const FAMILIES: [(&str, Option<&str>, &str, [&str; 3]); 22] = [
    ("StringEquals", Some("StringNotEquals"), "a*", ["a*", "ab", "A*"]),
    ("StringEqualsIgnoreCase", Some("StringNotEqualsIgnoreCase"), "Ab", ["aB", "abc", "b"]),
    ("StringLike", Some("StringNotLike"), "a?c*", ["abcd", "Abc", "ac"]),
    ("StringLike", Some("StringNotLike"), "${*}${aws:username}", ["*alice", "xalice", "*bob"]),
    ("StringEquals", None, "${aws:missing, 'x'}", ["x", "y", "${aws:missing, 'x'}"]),
    (
        "ArnLike",
        Some("ArnNotLike"),
        "arn:aws:iam::*:role/a*",
        ["arn:aws:iam::1:role/a:b", "arn:aws:iam::1:2:role/a", "arn:aws:iam::1:user/a"],
    ),
    (
        "ArnEquals",
        Some("ArnNotEquals"),
        "arn:aws:iam::?:role/*",
        ["arn:aws:iam::1:role/a", "arn:aws:iam:::role/a", "arn:aws:iam::12:role/a"],
    ),
    ("NumericEquals", Some("NumericNotEquals"), "10", ["10.0", "10.000000001", "-10"]),
    ("NumericLessThan", None, "10", ["9.9", "10", "11"]),
    ("NumericLessThanEquals", None, "10", ["10", "10.1", "11"]),
    ("NumericGreaterThan", None, "-1", ["0", "-1", "-2"]),
    ("NumericGreaterThanEquals", None, "-1", ["-1", "-1.5", "-2"]),
    (
        "DateEquals",
        Some("DateNotEquals"),
        "2026-01-01T00:00:00Z",
        ["1767225600", "1767225601", "2026-01-02"],
    ),
    (
        "DateLessThan",
        None,
        "2026-01-01T00:00:00Z",
        ["2025-12-31T23:59:59Z", "2026-01-01", "1767225600"],
    ),
    (
        "DateLessThanEquals",
        None,
        "1767225600",
        ["2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2027-01-01"],
    ),
    (
        "DateGreaterThan",
        None,
        "2026-01-01",
        ["2026-01-01T00:00:01Z", "2026-01-01T00:00:00Z", "2025-01-01"],
    ),
    ("DateGreaterThanEquals", None, "2026-01-01", ["1767225600", "1767225599", "2025-01-01"]),
    ("Bool", None, "true", ["true", "false", "x"]),
    ("BinaryEquals", None, "QQ==", ["QQ", "QUI=", "qq=="]),
    (
        "IpAddress",
        Some("NotIpAddress"),
        "203.0.113.0/24",
        ["203.0.113.255", "203.0.114.0", "2001:db8::1"],
    ),
    (
        "IpAddress",
        Some("NotIpAddress"),
        "2001:db8::/32",
        ["2001:0db8:0:1::", "2001:db9::", "10.0.0.1"],
    ),
    ("IpAddress", Some("NotIpAddress"), "10.0.0.7", ["10.0.0.7", "10.0.0.8", "10.0.0.0"]),
];

/// What a key can be: absent, one value (passing, not), several ([], [p], [p, n], [n, n]).
fn states([pass, fail, other]: [&str; 3]) -> [Input; 7] {
    [
        Input::Absent,
        one(pass),
        one(fail),
        many(&[]),
        many(&[pass]),
        many(&[pass, fail]),
        many(&[fail, other]),
    ]
}

/// Whether positive and negated operators hold in each of the states; `?` is not documented.
const TABLE: [(&str, &str, &str, &str); 6] = [
    ("", "", "FTFFT??", "TFTTF??"),
    ("", "IfExists", "TTFTT??", "TFTTF??"),
    ("ForAllValues:", "", "TTFTTFF", "TFTTFFT"),
    ("ForAllValues:", "IfExists", "TTFTTFF", "TFTTFFT"),
    ("ForAnyValue:", "", "FTFFTTF", "FFTFFTT"),
    ("ForAnyValue:", "IfExists", "FTFFTTF", "FFTFFTT"),
];

fn keys(input: Input) -> Keys {
    Keys(BTreeMap::from([("k".to_owned(), input), ("aws:username".to_owned(), one("alice"))]))
}

fn letter(residual: &Residual) -> char {
    match residual {
        Residual::True => 'T',
        Residual::False => 'F',
        _ => '?',
    }
}

fn check(operator: &str, value: &str, values: [&str; 3], expected: &str) {
    let condition = Condition::new(operator, "K", &[value], true);
    let found: String = states(values)
        .into_iter()
        .map(|input| letter(&condition_holds(&condition, &keys(input))))
        .collect();
    assert_eq!(found, expected, "{operator} {value:?} with {values:?}");
    check_symbolic(&condition, values);
}

/// The residual for a key that is not known, at each value that it can have, is what the known
/// value gives.
fn check_symbolic(condition: &Condition, values: [&str; 3]) {
    for input in states(values) {
        let multivalued = matches!(input, Input::Many(_));
        let present = match &input {
            Input::Absent => false,
            Input::Many(values) => !values.is_empty(),
            _ => true,
        };
        for certain in [false, true] {
            let undocumented = multivalued && condition.set.is_none();
            if undocumented || (certain && !present) {
                continue;
            }
            let free = Input::Free { variable: variable("k", multivalued), certain };
            let symbolic = condition_holds(condition, &keys(free));
            let point = BTreeMap::from([("k".to_owned(), input.clone())]);
            let known = condition_holds(condition, &keys(input.clone()));
            for of_absent in [false, true] {
                // The automaton compares text: other spellings of the same bytes are not tried.
                if !condition.operator.contains("Binary") {
                    assert_eq!(
                        at_point(&symbolic, &point, of_absent),
                        known,
                        "{} of {input:?}: {symbolic:?}",
                        condition.operator
                    );
                }
            }
        }
    }
}

#[test]
fn every_operator_follows_the_truth_table() {
    for (positive, negated, value, values) in FAMILIES {
        for (set, suffix, holds, holds_negated) in TABLE {
            check(&format!("{set}{positive}{suffix}"), value, values, holds);
            if let Some(negated) = negated {
                check(&format!("{set}{negated}{suffix}"), value, values, holds_negated);
            }
        }
    }
}

#[test]
fn null_asks_whether_there_is_a_value() {
    check("Null", "true", ["a", "b", "c"], "TFFTFFF");
    check("Null", "FALSE", ["a", "b", "c"], "FTTFTTT");
}

#[test]
fn several_values_of_the_policy_are_alternatives() {
    for (operator, expected) in [("StringEquals", "TTF"), ("StringNotEquals", "FFT")] {
        let condition = Condition::new(operator, "k", &["a", "b"], true);
        let found: String = ["a", "b", "c"]
            .map(|text| letter(&condition_holds(&condition, &keys(one(text)))))
            .iter()
            .collect();
        assert_eq!(found, expected, "{operator}");
    }
}

#[test]
fn empty_text_is_no_value_to_set_operators() {
    for (operator, expected) in [
        ("StringEquals", true),
        ("ForAllValues:StringEquals", true),
        ("ForAllValues:StringNotEquals", true),
        ("ForAnyValue:StringEquals", false),
        ("ForAnyValue:StringNotEquals", false),
    ] {
        let condition = Condition::new(operator, "k", &[""], true);
        let known = condition_holds(&condition, &keys(one("")));
        assert_eq!(known, Residual::constant(expected), "{operator}");
        let free = Input::Free { variable: variable("k", false), certain: false };
        let symbolic = condition_holds(&condition, &keys(free));
        let point = BTreeMap::from([("k".to_owned(), one(""))]);
        assert_eq!(at_point(&symbolic, &point, false), known, "{operator}");
        if condition.set.is_some() {
            let several = condition_holds(&condition, &keys(many(&[""])));
            assert_eq!(several, known, "{operator}");
        }
    }
}

#[test]
fn a_variable_without_value_equals_nothing() {
    for (operator, expected) in [
        ("StringEquals", 'F'),
        ("StringNotEquals", 'T'),
        ("StringLike", 'F'),
        ("StringNotLike", 'T'),
        ("ForAllValues:StringEquals", 'F'),
        ("ForAnyValue:StringNotEquals", 'T'),
    ] {
        let condition = Condition::new(operator, "k", &["${aws:missing}"], true);
        assert_eq!(letter(&condition_holds(&condition, &keys(one("x")))), expected, "{operator}");
        let free = Input::Free { variable: variable("k", true), certain: true };
        if condition.set.is_some() {
            let symbolic = condition_holds(&condition, &keys(free));
            let point = BTreeMap::from([("k".to_owned(), many(&["x"]))]);
            assert_eq!(letter(&at_point(&symbolic, &point, false)), expected, "{operator}");
        }
    }
}

#[test]
fn what_is_not_understood_is_neither_true_nor_false() {
    for (operator, value) in
        [("StringMatches", "a"), ("NumericEquals", "x"), ("StringEquals", "${a"), ("Bool", "1")]
    {
        let condition = Condition::new(operator, "k", &[value], true);
        let residual = condition_holds(&condition, &keys(one("a")));
        assert!(matches!(residual, Residual::Unknown(_)), "{operator}: {residual:?}");
    }
}
