//! What holds of any request and any policies.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::authorization::cases::{Case, decide_case};

/// Callers; in an object those that are no principals of an account.
const PRINCIPALS: [&str; 8] = [
    "arn:aws:iam::111122223333:user/p/a",
    "arn:aws:iam::111122223333:role/r",
    "arn:aws:sts::111122223333:assumed-role/r/s",
    "arn:aws:sts::111122223333:federated-user/a",
    "arn:aws:iam::111122223333:root",
    "anonymous",
    r#"{"Service": "sns.amazonaws.com"}"#,
    r#"{"Federated": "accounts.google.com"}"#,
];
const CALLS: [(&str, &str); 4] = [
    ("s3:GetObject", "arn:aws:s3:::b/home/a/k"),
    ("sqs:SendMessage", "arn:aws:sqs:us-east-1:111122223333:q"),
    ("sts:AssumeRole", "arn:aws:iam::111122223333:role/home/a"),
    ("kms:Decrypt", "arn:aws:kms:us-east-1:111122223333:key/k"),
];
const ACTIONS: [&str; 8] =
    ["*", "s3:*", "S3:Get*", "sqs:Send?essage", "sts:assumerole", "kms:*", "kms:Decrypt", "ec2:*"];
const RESOURCES: [&str; 9] = [
    "*",
    "arn:aws:s3:::b/*",
    "arn:aws:s3:::b/home/${aws:username}/*",
    "arn:aws:s3:::*/a/?",
    "arn:aws:sqs:*:*:q",
    "arn:aws:sqs:*:q",
    "arn:aws:iam::111122223333:role/home/${aws:PrincipalTag/team, 'a'}",
    "arn:aws:kms",
    "arn:aws:kms:*:444455556666:*",
];
/// Key, values it has in requests, values and patterns policies compare it with, operators.
type KeySample =
    (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);
const KEYS: [KeySample; 6] = [
    (
        "aws:username",
        &["a", "b", ""],
        &["a", "b*", "${aws:PrincipalTag/team}"],
        &[
            "StringEquals",
            "StringNotEquals",
            "StringLikeIfExists",
            "StringNotLike",
            "Null",
            "StringEqualsIgnoreCase",
        ],
    ),
    (
        "aws:PrincipalTag/team",
        &["a", "A", "x"],
        &["A", "?", "${aws:username}"],
        &["StringEquals", "StringNotEqualsIgnoreCaseIfExists", "StringLike", "Null"],
    ),
    (
        "aws:SourceIp",
        &["10.0.0.1", "192.0.2.7"],
        &["10.0.0.0/8", "192.0.2.7"],
        &["IpAddress", "NotIpAddress", "IpAddressIfExists"],
    ),
    (
        "aws:MultiFactorAuthAge",
        &["10", "3600"],
        &["60", "3600"],
        &["NumericLessThan", "NumericGreaterThanEqualsIfExists", "NumericNotEquals"],
    ),
    (
        "aws:CurrentTime",
        &["2026-01-01T00:00:00Z", "1767225601"],
        &["2026-01-01"],
        &["DateGreaterThan", "DateLessThanEquals", "DateNotEquals"],
    ),
    (
        "aws:TagKeys",
        &["a", "b", "c"],
        &["a", "b", "${aws:username}"],
        &[
            "ForAllValues:StringEquals",
            "ForAnyValue:StringNotEquals",
            "ForAnyValue:StringLike",
            "ForAllValues:StringNotLike",
            "ForAnyValue:StringEqualsIfExists",
            "Null",
        ],
    ),
];

fn condition() -> impl Strategy<Value = (String, String, Vec<String>)> {
    prop::sample::select(KEYS.to_vec()).prop_flat_map(|(key, _, values, operators)| {
        let operator = prop::sample::select(operators);
        let values = prop::collection::vec(prop::sample::select(values), 1..3);
        (operator, values).prop_map(move |(operator, values)| {
            let values = match operator {
                "Null" => vec!["true".to_owned()],
                _ => values.into_iter().map(str::to_owned).collect(),
            };
            (operator.to_owned(), key.to_owned(), values)
        })
    })
}

fn statement(
    effect: &'static [&'static str],
    with_principal: bool,
) -> impl Strategy<Value = Value> {
    (
        prop::sample::select(effect),
        prop::collection::vec(prop::sample::select(&ACTIONS[..]), 1..3),
        prop::collection::vec(prop::sample::select(&RESOURCES[..]), 1..3),
        prop::collection::vec(condition(), 0..3),
        prop::sample::select(vec![
            "*",
            "111122223333",
            PRINCIPALS[0],
            PRINCIPALS[1],
            PRINCIPALS[2],
            r#"{"Service": "sns.amazonaws.com"}"#,
            r#"{"Federated": "accounts.google.com", "AWS": "111122223333"}"#,
        ]),
        prop::bool::weighted(0.15),
        prop::bool::weighted(0.15),
    )
        .prop_map(
            move |(effect, actions, resources, conditions, principal, not_action, not_resource)| {
                let mut statement = json!({"Effect": effect});
                statement[if not_action { "NotAction" } else { "Action" }] = json!(actions);
                statement[if not_resource { "NotResource" } else { "Resource" }] = json!(resources);
                if with_principal {
                    statement["Principal"] = serde_json::from_str(principal)
                        .ok()
                        .filter(Value::is_object)
                        .unwrap_or_else(|| json!({"AWS": principal}));
                }
                for (operator, key, values) in conditions {
                    statement["Condition"][operator][key] = json!(values);
                }
                statement
            },
        )
}

const BOTH: &[&str] = &["Allow", "Allow", "Deny"];

fn policy(with_principal: bool) -> impl Strategy<Value = Value> {
    prop::collection::vec(statement(BOTH, with_principal), 1..4)
        .prop_map(|statements| json!({"Version": "2012-10-17", "Statement": statements}))
}

fn maybe(policy: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    prop::option::weighted(0.4, policy).prop_map(|policy| policy.unwrap_or(Value::Null))
}

fn context() -> impl Strategy<Value = Value> {
    let inputs: Vec<_> = KEYS
        .iter()
        .map(|&(key, values, _, _)| {
            let value = prop::sample::select(values);
            if key == "aws:TagKeys" {
                prop::option::of(prop::collection::vec(value, 0..3))
                    .prop_map(move |value| (key, value.map(|value| json!(value))))
                    .boxed()
            } else {
                prop::option::of(value)
                    .prop_map(move |value| (key, value.map(|value| json!(value))))
                    .boxed()
            }
        })
        .collect();
    inputs.prop_map(|inputs| {
        let mut context = json!({});
        for (key, value) in inputs {
            if let Some(value) = value {
                context[key] = value;
            }
        }
        context
    })
}

/// A whole case, as a line has it.
fn case() -> impl Strategy<Value = Value> {
    (
        prop::sample::select(&PRINCIPALS[..]),
        prop::sample::select(&CALLS[..]),
        prop::sample::select(vec!["111122223333", "444455556666"]),
        context(),
        prop::collection::vec(policy(false), 0..3),
        maybe(policy(false)),
        maybe(policy(false)),
        prop::collection::vec(prop::collection::vec(policy(false), 1..3), 0..2),
        prop::collection::vec(prop::collection::vec(policy(false), 1..2), 0..2),
        maybe(policy(true)),
        prop::bool::weighted(0.1),
    )
        .prop_map(
            |(
                principal,
                (action, resource),
                account,
                context,
                identity,
                boundary,
                session,
                scps,
                rcps,
                own,
                managing,
            )| {
                let principal = serde_json::from_str(principal).unwrap_or(json!(principal));
                json!({
                    "id": "x",
                    "request": {"principal": principal, "action": action, "resource": resource,
                                "resource_account": account, "context": context},
                    "identity_policies": identity, "boundary": boundary, "session_policy": session,
                    "scps": scps, "rcps": rcps, "resource_policy": own,
                    "org": {"principal_in_management_account": managing},
                })
            },
        )
}

fn decide(case: &Value) -> Decision {
    let case = Case::read(&case.to_string()).unwrap();
    decide_with(&case, &case.resource, &case.context)
}

fn decide_with(case: &Case, resource: &Resource, context: &dyn Context) -> Decision {
    let request = Request {
        caller: &case.caller,
        action: &case.action,
        resource,
        resource_account: case.resource_account.as_deref(),
        context,
    };
    authorize(&request, &case.policies())
}

/// The policies of a case, wherever they stand.
fn policies(case: &mut Value) -> Vec<&mut Value> {
    let mut out = Vec::new();
    for (member, value) in case.as_object_mut().unwrap() {
        match (member.as_str(), value) {
            ("identity_policies", Value::Array(policies)) => out.extend(policies),
            ("scps" | "rcps", Value::Array(levels)) => {
                out.extend(levels.iter_mut().flat_map(|level| level.as_array_mut().unwrap()));
            }
            ("boundary" | "session_policy" | "resource_policy", value) if value.is_object() => {
                out.push(value);
            }
            _ => {}
        }
    }
    out
}

fn add(case: &Value, at: prop::sample::Index, statement: Value) -> Value {
    let mut case = case.clone();
    let mut policies = policies(&mut case);
    if !policies.is_empty() {
        let at = at.index(policies.len());
        policies[at]["Statement"].as_array_mut().unwrap().push(statement);
    }
    case
}

fn succeeds(case: &Value) -> bool {
    let authorized = decide(case).authorized();
    assert!(authorized.is_true() || authorized.is_false(), "{authorized:?}");
    authorized.is_true()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    /// The residual, at the point where the unknown inputs have the values of the concrete
    /// request, is the concrete decision.
    #[test]
    fn a_concrete_decision_is_the_residual_at_its_point(
        case in case(),
        free in prop::collection::vec(any::<bool>(), KEYS.len()),
        certain in any::<bool>(),
        hole in (0..24usize, 0..4usize),
    ) {
        let written = case;
        let case = Case::read(&written.to_string()).unwrap();
        let concrete = decide(&written);
        let mut keys = Keys::default();
        let mut point = BTreeMap::new();
        for (&(key, ..), free) in KEYS.iter().zip(free) {
            let key = key.to_lowercase();
            let known = case.context.get(&key);
            let present = match &known {
                Input::Absent => false,
                Input::Many(values) => !values.is_empty(),
                _ => true,
            };
            let input = if free {
                let variable = variable(&key, key == "aws:tagkeys");
                Input::Free { variable, certain: certain && present }
            } else {
                known.clone()
            };
            point.insert(key.clone(), known);
            keys.0.insert(key, input);
        }
        let Resource::Literal(text) = &case.resource else { panic!() };
        // What kind of resource it is must be known.
        let kind = if text.contains(":role/") || text.contains(":key/") {
            text.find('/').unwrap() + 1
        } else {
            0
        };
        let start = (kind + hole.0).min(text.len());
        let end = (start + hole.1).min(text.len());
        let resource = Resource::Template {
            prefix: text[..start].into(),
            variable: variable("$hole", false),
            suffix: text[end..].into(),
        };
        point.insert("$hole".to_owned(), one(&text[start..end]));
        let symbolic = decide_with(&case, &resource, &keys);
        for (symbolic, concrete) in
            [(symbolic.allowed, concrete.allowed), (symbolic.denied, concrete.denied)]
        {
            for of_absent in [false, true] {
                let there = at_point(&symbolic, &point, of_absent);
                if concrete.is_true() {
                    prop_assert_eq!(there.with_gaps(true), Residual::True);
                } else {
                    prop_assert_eq!(there.with_gaps(false), Residual::False);
                }
                if symbolic.is_decided() {
                    prop_assert_eq!(&there, &concrete);
                }
            }
        }
    }

    #[test]
    fn an_allow_never_takes_away(case in case(), at in any::<prop::sample::Index>(), more in statement(&["Allow"], true)) {
        prop_assert!(!succeeds(&case) || succeeds(&add(&case, at, more)));
    }

    #[test]
    fn a_deny_never_gives(case in case(), at in any::<prop::sample::Index>(), more in statement(&["Deny"], true)) {
        prop_assert!(succeeds(&case) || !succeeds(&add(&case, at, more)));
    }

    #[test]
    fn order_and_splitting_of_statements_do_not_matter(case in case()) {
        let mut other = case.clone();
        for policy in policies(&mut other) {
            policy["Statement"].as_array_mut().unwrap().reverse();
        }
        let split = |policies: &Value| -> Vec<Value> {
            let statements = policies.as_array().unwrap().iter().flat_map(|policy| {
                policy["Statement"].as_array().unwrap().clone()
            });
            statements.map(|one| json!({"Statement": one, "Version": "2012-10-17"})).collect()
        };
        other["identity_policies"] = split(&other["identity_policies"]).into();
        for kind in ["scps", "rcps"] {
            let levels: Vec<_> = other[kind].as_array().unwrap().iter().map(split).collect();
            other[kind] = json!(levels);
        }
        prop_assert_eq!(decide(&case), decide(&other));
    }

    #[test]
    fn case_of_actions_keys_and_operators_does_not_matter(case in case()) {
        let mut other = case.clone();
        let shout = |value: &mut Value| *value = json!(value.as_str().unwrap().to_uppercase());
        for policy in policies(&mut other) {
            for statement in policy["Statement"].as_array_mut().unwrap() {
                for element in ["Action", "NotAction"] {
                    if let Some(Value::Array(actions)) = statement.get_mut(element) {
                        actions.iter_mut().for_each(shout);
                    }
                }
                if let Some(Value::Object(operators)) = statement.get_mut("Condition") {
                    let shouted = std::mem::take(operators).into_iter().map(|(operator, keys)| {
                        let Value::Object(keys) = keys else { panic!() };
                        let keys = keys.into_iter().map(|(key, values)| (key.to_uppercase(), values));
                        (operator.to_lowercase(), Value::Object(keys.collect()))
                    });
                    *operators = shouted.collect();
                }
            }
        }
        shout(&mut other["request"]["action"]);
        let context = other["request"]["context"].as_object_mut().unwrap();
        let lowered = std::mem::take(context).into_iter().map(|(key, value)| (key.to_lowercase(), value));
        *context = lowered.collect();
        prop_assert_eq!(decide(&case), decide(&other));
    }

    #[test]
    fn renaming_an_account_changes_nothing(case in case()) {
        let line = case.to_string();
        let renamed = line.replace("111122223333", "999900001111");
        prop_assert_eq!(decide_case(&line), decide_case(&renamed));
    }
}
