//! Trust policies as accounts have them.

use serde_json::{Value, json};

use crate::draw::Draw;

/// A policy of these statements.
pub(crate) fn document(statements: Vec<Value>) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// Trusts a service.
pub(crate) fn service(service: &str) -> Value {
    document(vec![json!({
        "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole"
    })])
}

/// Trusts a service, but only for resources of this account.
pub(crate) fn service_for_account(service: &str, account: &str) -> Value {
    document(vec![json!({
        "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole",
        "Condition": { "StringEquals": { "aws:SourceAccount": account } }
    })])
}

/// Trusts a user, a role, or with an account's root whoever that account allows.
pub(crate) fn principal(arn: &str) -> Value {
    document(vec![json!({
        "Effect": "Allow", "Principal": { "AWS": arn }, "Action": "sts:AssumeRole"
    })])
}

/// Trusts a principal under a condition.
pub(crate) fn principal_if(arn: &str, condition: Value) -> Value {
    document(vec![json!({
        "Effect": "Allow", "Principal": { "AWS": arn }, "Action": "sts:AssumeRole",
        "Condition": condition
    })])
}

/// Trusts people of the account, as teams write it: with MFA, from a network, by tag, or with
/// nothing else.
pub(crate) fn people(draw: &mut Draw, account: &str, team: &str) -> Value {
    let root = format!("arn:aws:iam::{account}:root");
    match draw.between(0, 9) {
        0..=2 => principal_if(&root, json!({ "Bool": { "aws:MultiFactorAuthPresent": "true" } })),
        3..=4 => principal_if(&root, json!({ "StringEquals": { "aws:PrincipalTag/team": team } })),
        5 => principal_if(
            &root,
            json!({ "IpAddress": { "aws:SourceIp": ["203.0.113.0/24", "198.51.100.0/25"] } }),
        ),
        6 => principal_if(
            &root,
            json!({ "ArnLike": { "aws:PrincipalArn": format!("arn:aws:iam::{account}:role/{team}-*") } }),
        ),
        7 => principal_if(
            &root,
            json!({
                "NumericLessThan": { "aws:MultiFactorAuthAge": "3600" },
                "StringEquals": { "aws:PrincipalTag/team": team }
            }),
        ),
        _ => principal(&root),
    }
}

/// Trusts workflows of one repository on GitHub.
pub(crate) fn pipeline(account: &str, team: &str, repository: &str, branch: &str) -> Value {
    document(vec![json!({
        "Effect": "Allow",
        "Principal": {
            "Federated": format!("arn:aws:iam::{account}:oidc-provider/token.actions.githubusercontent.com")
        },
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": { "token.actions.githubusercontent.com:aud": "sts.amazonaws.com" },
            "StringLike": {
                "token.actions.githubusercontent.com:sub":
                    format!("repo:example-{team}/{repository}:ref:refs/heads/{branch}")
            }
        }
    })])
}

/// Trusts another account's root with an external id.
pub(crate) fn vendor(draw: &mut Draw) -> Value {
    let vendor = format!("arn:aws:iam::{}:root", draw.twelve_digits());
    principal_if(&vendor, json!({ "StringEquals": { "sts:ExternalId": draw.hexadecimal("", 32) } }))
}

/// Trusts IAM Identity Center, as the roles that it makes do.
pub(crate) fn identity_center(account: &str, provider: &str) -> Value {
    document(vec![json!({
        "Effect": "Allow",
        "Principal": { "Federated": format!("arn:aws:iam::{account}:saml-provider/{provider}") },
        "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession"],
        "Condition": { "StringEquals": { "SAML:aud": "https://signin.aws.amazon.com/saml" } }
    })])
}
