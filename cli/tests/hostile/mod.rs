//! An account whose names mean something in every format that reports are written in.

use serde_json::{Value, json};

/// Markup that would run if it were taken for markup.
pub(crate) const HOSTILE: &str = "<script>alert(1)</script>\"'`|]]>{{--%0A";

/// `get-account-authorization-details` of an account with one user, who may put a policy on
/// himself. User, policy and Sid have hostile names.
pub(crate) fn hostile_details() -> Value {
    let arn = format!("arn:aws:iam::111111111111:user/{HOSTILE}");
    json!({
        "UserDetailList": [{
            "Path": "/",
            "UserName": HOSTILE,
            "UserId": "AIDAXXXXXXXXXXXXXXXXX",
            "Arn": arn,
            "CreateDate": "2024-01-01T00:00:00+00:00",
            "UserPolicyList": [{
                "PolicyName": format!("\u{202e}{HOSTILE}\u{2028}"),
                "PolicyDocument": { "Version": "2012-10-17", "Statement": [{
                    "Sid": "--><img src=x onerror=alert(2)>",
                    "Effect": "Allow",
                    "Action": "iam:PutUserPolicy",
                    "Resource": "*",
                    "Condition": { "StringLike": { "aws:UserAgent": "</script><b>\u{2028}" } },
                }]},
            }],
            "GroupList": [],
            "AttachedManagedPolicies": [],
            "Tags": [],
        }],
        "GroupDetailList": [],
        "RoleDetailList": [],
        "Policies": [],
    })
}
