//! Policies made only of conditions: every statement is about every action and resource, and leaves
//! the decision to what the request's context is.

use serde_json::{Value, json};

use crate::draw::Draw;

/// So many policies, each another one, the same for the same seed. Of each the conditions are of
/// several families of operators, in one to three statements that allow and up to two that deny.
pub fn policies_of_conditions(seed: u64, count: usize) -> Vec<String> {
    let mut draw = Draw::new(seed);
    (0..count)
        .map(|at| {
            let allow = 1 + draw.between(0, 2);
            let deny = draw.between(0, 2);
            let statement = |effect: &str, conditions: Value| {
                json!({"Effect": effect, "Action": "*", "Resource": "*", "Condition": conditions})
            };
            let mut statements: Vec<Value> =
                (0..allow).map(|_| statement("Allow", conditions(&mut draw, at))).collect();
            statements.extend((0..deny).map(|_| statement("Deny", conditions(&mut draw, at))));
            json!({"Version": "2012-10-17", "Statement": statements}).to_string()
        })
        .collect()
}

/// One to three conditions, about keys of their own.
fn conditions(draw: &mut Draw, at: usize) -> Value {
    let mut out = serde_json::Map::new();
    for _ in 0..1 + draw.between(0, 2) {
        let byte = draw.between(0, 249);
        let (operator, key, value) = match draw.between(0, 13) {
            0 => ("StringEquals", "aws:RequestedRegion", format!("eu-west-{}", draw.between(0, 2))),
            1 => ("StringLike", "aws:UserAgent", format!("*ci-{at}-*{}*", draw.between(0, 8))),
            2 => ("StringNotLike", "aws:UserAgent", format!("*-{}-*", draw.between(0, 98))),
            3 => ("StringEqualsIgnoreCase", "aws:PrincipalTag/team", format!("Team{at}")),
            4 => ("NumericLessThan", "aws:MultiFactorAuthAge", format!("{}", 60 * (1 + byte))),
            5 => ("NumericGreaterThanEquals", "s3:max-keys", format!("{}", draw.between(0, 999))),
            6 => (
                "DateLessThan",
                "aws:CurrentTime",
                format!("20{}-06-01T00:00:00Z", 27 + draw.between(0, 39)),
            ),
            7 => (
                "DateGreaterThan",
                "aws:CurrentTime",
                format!("20{}-01-01T00:00:00Z", 27 + draw.between(0, 39)),
            ),
            8 => ("Bool", "aws:MultiFactorAuthPresent", "true".to_owned()),
            9 => ("IpAddress", "aws:SourceIp", format!("10.{byte}.{}.0/24", at % 250)),
            10 => ("NotIpAddress", "aws:SourceIp", format!("2001:db8:{at:x}::/48")),
            11 => ("StringEqualsIfExists", "aws:SourceVpce", format!("vpce-{at}")),
            12 => {
                ("ForAllValues:StringLike", "aws:TagKeys", format!("team-{}*", draw.between(0, 8)))
            }
            _ => {
                ("ForAnyValue:StringEquals", "aws:TagKeys", format!("cost-{}", draw.between(0, 8)))
            }
        };
        let by_key = out.entry(operator.to_owned()).or_insert_with(|| json!({}));
        if let Some(by_key) = by_key.as_object_mut() {
            by_key.insert(key.to_owned(), json!(value));
        }
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_is_another_one_and_the_same_again() {
        let policies = policies_of_conditions(1, 200);
        let different: std::collections::BTreeSet<_> = policies.iter().collect();
        assert!(different.len() > 190);
        assert_eq!(policies, policies_of_conditions(1, 200));
    }
}
