//! Near-misses: principals that have all of an escalation path but one thing. None of them may be
//! reported as reaching administrator.

use serde_json::json;

use crate::account::NearMiss;
use crate::builder::{Builder, Role, User};
use crate::inventory;
use crate::planted_path::{
    administrator_role, administrator_user, allow, allow_if, everything, function_duties, start,
};
use crate::trust::{self, document};

/// The kinds of near-miss, used one after the other.
pub(crate) const NEAR_MISSES: &[fn(&mut Builder, usize)] = &[
    passed_to_another_service,
    trust_names_another,
    denied_pass_role,
    bounded_put_user_policy,
    full_access_keys,
    policy_attached_to_nobody,
    harmless_old_versions,
    no_such_function,
    other_instances,
    only_read_only_may_be_attached,
    harmless_group,
    role_trusts_another_service,
    tag_of_another_team,
    no_permission_to_assume,
    denied_by_group,
];

fn missed(builder: &mut Builder, from: String, technique: &'static str, because: &'static str) {
    builder.near_misses.push(NearMiss { from, to: "admin".to_owned(), technique, because });
}

fn passed_to_another_service(builder: &mut Builder, number: usize) {
    administrator_role(
        builder,
        format!("core-nm-fn-{number}"),
        trust::service("lambda.amazonaws.com"),
        false,
    );
    let from = start(
        builder,
        format!("core-nm-passer-{number}"),
        vec![
            allow_if(
                json!("iam:PassRole"),
                json!("*"),
                json!({ "StringEquals": { "iam:PassedToService": "ecs-tasks.amazonaws.com" } }),
            ),
            allow(json!(["lambda:CreateFunction", "lambda:InvokeFunction"]), json!("*")),
        ],
    );
    missed(builder, from, "lambda-create-function", "iam:PassedToService is another service");
}

fn trust_names_another(builder: &mut Builder, number: usize) {
    let other = builder.iam("user/break-glass");
    let target = administrator_role(
        builder,
        format!("core-nm-named-{number}"),
        trust::principal(&other),
        false,
    );
    let from = start(
        builder,
        format!("core-nm-assumer-{number}"),
        vec![allow(json!("sts:AssumeRole"), json!([target]))],
    );
    missed(builder, from, "sts-assume-role", "the trust policy names another user");
}

fn denied_pass_role(builder: &mut Builder, number: usize) {
    let target = administrator_role(
        builder,
        format!("core-nm-denied-{number}"),
        trust::service("lambda.amazonaws.com"),
        false,
    );
    let mut duties = function_duties(&target);
    duties.push(
        json!({ "Effect": "Deny", "Action": "iam:Pass*", "Resource": builder.iam("role/core-*") }),
    );
    let from = start(builder, format!("core-nm-denied-user-{number}"), duties);
    missed(builder, from, "lambda-create-function", "iam:PassRole is denied");
}

fn bounded_put_user_policy(builder: &mut Builder, number: usize) {
    let name = format!("core-nm-bounded-{number}");
    let own = builder.iam(&format!("user/{name}"));
    let boundary = builder.policy(
        &format!("core-nm-limit-{number}"),
        vec![document(vec![json!({ "Effect": "Allow", "NotAction": ["iam:*", "sts:*", "lambda:*", "ssm:*", "ec2:*", "cloudformation:*"], "Resource": "*" })])],
        0,
    );
    let from = builder.user(User {
        name,
        inline: vec![(
            "duties".to_owned(),
            document(vec![allow(json!("iam:PutUserPolicy"), json!(own))]),
        )],
        boundary: Some(boundary),
        access_keys: 1,
        ..User::default()
    });
    missed(builder, from, "iam-put-user-policy", "the boundary leaves no IAM action");
}

fn full_access_keys(builder: &mut Builder, number: usize) {
    let target = administrator_user(builder, format!("core-nm-full-{number}"), 2, false);
    let from = start(
        builder,
        format!("core-nm-keys-{number}"),
        vec![allow(json!("iam:CreateAccessKey"), json!(target))],
    );
    missed(
        builder,
        from,
        "iam-create-access-key",
        "the user has two access keys and none may be deleted",
    );
}

fn policy_attached_to_nobody(builder: &mut Builder, number: usize) {
    let name = format!("core-nm-unused-{number}");
    let policy = builder.policy(
        &name,
        vec![document(vec![allow(json!("s3:ListAllMyBuckets"), json!("*"))])],
        0,
    );
    let from = start(
        builder,
        format!("core-nm-writer-{number}"),
        vec![allow(json!("iam:CreatePolicyVersion"), json!(policy))],
    );
    missed(builder, from, "iam-create-policy-version", "the policy is attached to nobody");
}

fn harmless_old_versions(builder: &mut Builder, number: usize) {
    let name = format!("core-nm-versions-{number}");
    let own = builder.iam(&format!("policy/{name}"));
    let old = document(vec![allow(json!(["cloudwatch:*", "logs:*"]), json!("*"))]);
    let now = document(vec![allow(json!("iam:SetDefaultPolicyVersion"), json!(own))]);
    let policy = builder.policy(&name, vec![old, now], 1);
    let from = builder.user(User {
        name: format!("core-nm-keeper-{number}"),
        attached: vec![policy],
        access_keys: 1,
        ..User::default()
    });
    missed(builder, from, "iam-set-default-policy-version", "no version allows more that matters");
}

fn no_such_function(builder: &mut Builder, number: usize) {
    let name = format!("core-nm-live-{number}");
    let role =
        administrator_role(builder, name.clone(), trust::service("lambda.amazonaws.com"), false);
    inventory::function(builder, &name, &role);
    let retired = format!("arn:aws:lambda:*:{}:function:core-nm-retired-*", builder.account);
    let from = start(
        builder,
        format!("core-nm-patcher-{number}"),
        vec![allow(json!(["lambda:UpdateFunctionCode", "lambda:InvokeFunction"]), json!(retired))],
    );
    missed(builder, from, "lambda-update-function-code", "no function has such a name");
}

fn other_instances(builder: &mut Builder, number: usize) {
    let name = format!("core-nm-host-{number}");
    administrator_role(builder, name.clone(), trust::service("ec2.amazonaws.com"), true);
    inventory::instance(builder, &name, json!({ "Key": "team", "Value": "core" }));
    let from = start(
        builder,
        format!("core-nm-shell-{number}"),
        vec![
            allow(json!("ssm:SendCommand"), json!("arn:aws:ssm:*:*:document/AWS-RunShellScript")),
            allow_if(
                json!("ssm:SendCommand"),
                json!("arn:aws:ec2:*:*:instance/*"),
                json!({ "StringEquals": { "ssm:resourceTag/team": "core-retired" } }),
            ),
        ],
    );
    missed(builder, from, "ssm-send-command", "no instance has the tag");
}

fn only_read_only_may_be_attached(builder: &mut Builder, number: usize) {
    let name = format!("core-nm-attacher-{number}");
    let own = builder.iam(&format!("user/{name}"));
    let condition =
        json!({ "ArnEquals": { "iam:PolicyARN": "arn:aws:iam::aws:policy/ReadOnlyAccess" } });
    let from =
        start(builder, name, vec![allow_if(json!("iam:AttachUserPolicy"), json!(own), condition)]);
    missed(builder, from, "iam-attach-user-policy", "only ReadOnlyAccess may be attached");
}

fn harmless_group(builder: &mut Builder, number: usize) {
    let readers = document(vec![allow(json!(["s3:Get*", "s3:List*"]), json!("*"))]);
    let group = builder.group(
        &format!("core-nm-readers-{number}"),
        vec![("read".to_owned(), readers)],
        &[],
    );
    let target = builder.iam(&format!("group/{group}"));
    let from = start(
        builder,
        format!("core-nm-joiner-{number}"),
        vec![allow(json!("iam:AddUserToGroup"), json!(target))],
    );
    missed(builder, from, "iam-add-user-to-group", "the group may only read");
}

fn role_trusts_another_service(builder: &mut Builder, number: usize) {
    let target = administrator_role(
        builder,
        format!("core-nm-config-{number}"),
        trust::service("config.amazonaws.com"),
        false,
    );
    let from = start(builder, format!("core-nm-serverless-{number}"), function_duties(&target));
    missed(builder, from, "lambda-create-function", "the role does not trust Lambda");
}

fn tag_of_another_team(builder: &mut Builder, number: usize) {
    let root = builder.iam("root");
    let trust = trust::principal_if(
        &root,
        json!({ "StringEquals": { "aws:PrincipalTag/clearance": "high" } }),
    );
    let target = administrator_role(builder, format!("core-nm-cleared-{number}"), trust, false);
    let from = start(
        builder,
        format!("core-nm-uncleared-{number}"),
        vec![allow(json!("sts:AssumeRole"), json!(target))],
    );
    missed(
        builder,
        from,
        "sts-assume-role",
        "the trust policy wants a tag that the user does not have",
    );
}

fn no_permission_to_assume(builder: &mut Builder, number: usize) {
    let root = builder.iam("root");
    administrator_role(builder, format!("core-nm-open-{number}"), trust::principal(&root), false);
    let other = builder.iam("role/core-nm-elsewhere-*");
    let from = builder.role(Role {
        name: format!("core-nm-wanderer-{number}"),
        trust: trust::service("config.amazonaws.com"),
        inline: vec![(
            "wander".to_owned(),
            document(vec![allow(json!("sts:AssumeRole"), json!(other))]),
        )],
        ..Role::default()
    });
    missed(
        builder,
        from,
        "sts-assume-role",
        "the trust policy leaves it to identity policies, and none allows it",
    );
}

/// Full access, all of it denied by a group that the user may not leave.
fn denied_by_group(builder: &mut Builder, number: usize) {
    let deny = document(vec![
        json!({ "Sid": "Suspended", "Effect": "Deny", "Action": "*", "Resource": "*" }),
    ]);
    let group = builder.group(
        &format!("core-nm-suspended-{number}"),
        vec![("suspended".to_owned(), deny)],
        &[],
    );
    let from = builder.user(User {
        name: format!("core-nm-suspended-user-{number}"),
        groups: vec![group],
        inline: vec![("everything".to_owned(), everything())],
        access_keys: 1,
        ..User::default()
    });
    missed(builder, from, "iam-put-user-policy", "a group denies everything");
}
