//! What policies that are not a principal's own say of one caller and of another.

use super::*;
use crate::policy::Policy;

const DEPLOYER: &str = "arn:aws:iam::111122223333:role/deployer";
const CLERK: &str = "arn:aws:iam::111122223333:role/clerk";

fn named(arn: &str) -> Keys {
    Keys(BTreeMap::from([("aws:principalarn".into(), one(arn))]))
}

/// Whether a policy leaves the first caller as free as the second, and the other way round.
fn as_free(effect: &str, condition: &str) -> [bool; 2] {
    let text = format!(
        r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "{effect}", "Action": "iam:*",
            "Resource": "*", "Condition": {condition}}}}}"#
    );
    let policy = Policy::parse(&text).unwrap();
    let (deployer, clerk) = (named(DEPLOYER), named(CLERK));
    [
        OfCaller::leaves_as_free(&policy, &deployer, &clerk),
        OfCaller::leaves_as_free(&policy, &clerk, &deployer),
    ]
}

#[test]
fn who_is_spared_by_a_deny_is_freer() {
    let spares = r#"{"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/deployer"}}"#;
    assert_eq!(as_free("Deny", spares), [true, false]);
}

#[test]
fn who_alone_is_allowed_something_is_freer() {
    let allows = r#"{"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/deployer"}}"#;
    assert_eq!(as_free("Allow", allows), [true, false]);
}

#[test]
fn what_is_said_of_both_leaves_both_as_free() {
    let both = r#"{"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}"#;
    assert_eq!(as_free("Deny", both), [true, true]);
    let of_request = r#"{"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}"#;
    assert_eq!(as_free("Deny", of_request), [true, true]);
}
