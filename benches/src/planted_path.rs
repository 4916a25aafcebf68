//! Planted escalation paths: for each, a start that reaches administrator and what it needs.
//!
//! Names begin with `core-`, which no team's patterns match, so that nobody but the planted start
//! gets anywhere. Ids of techniques are the catalogue's.

use serde_json::{Value, json};

use crate::account::Planted;
use crate::aws_managed_policy::ADMINISTRATOR_ACCESS;
use crate::builder::{Builder, Role, User};
use crate::inventory;
use crate::trust::{self, document};

/// The kinds of planted path, used one after the other.
pub(crate) const PATHS: &[fn(&mut Builder, usize)] = &[
    put_user_policy,
    assume_role,
    create_function,
    create_access_key,
    create_policy_version,
    update_function_code,
    send_command,
    attach_user_policy,
    run_instances,
    add_user_to_group,
    set_default_policy_version,
    assume_then_create_function,
    update_assume_role_policy,
    create_login_profile,
    create_stack,
    assume_role_with_mfa,
    put_role_policy,
    delete_boundary,
    update_login_profile,
    attach_group_policy,
    put_group_policy,
    assume_chain,
];

/// A statement that allows actions on resources.
pub(crate) fn allow(actions: Value, resources: Value) -> Value {
    json!({ "Effect": "Allow", "Action": actions, "Resource": resources })
}

/// The same, under a condition.
pub(crate) fn allow_if(actions: Value, resources: Value, condition: Value) -> Value {
    json!({ "Effect": "Allow", "Action": actions, "Resource": resources, "Condition": condition })
}

/// Full access, as an inline policy would say it.
pub(crate) fn everything() -> Value {
    document(vec![allow(json!("*"), json!("*"))])
}

/// A user with this one inline policy.
pub(crate) fn start(builder: &mut Builder, name: String, statements: Vec<Value>) -> String {
    builder.user(User {
        name,
        inline: vec![("duties".to_owned(), document(statements))],
        access_keys: 1,
        tags: vec![("team", "core".to_owned())],
        ..User::default()
    })
}

/// A role with AdministratorAccess.
pub(crate) fn administrator_role(
    builder: &mut Builder,
    name: String,
    trust: Value,
    profile: bool,
) -> String {
    builder.role(Role {
        name,
        trust,
        profile,
        attached: vec![ADMINISTRATOR_ACCESS.to_owned()],
        tags: vec![("team", "core".to_owned())],
        ..Role::default()
    })
}

/// A user with AdministratorAccess.
pub(crate) fn administrator_user(
    builder: &mut Builder,
    name: String,
    access_keys: usize,
    password: bool,
) -> String {
    builder.user(User {
        name,
        access_keys,
        password,
        without_mfa: true,
        attached: vec![ADMINISTRATOR_ACCESS.to_owned()],
        ..User::default()
    })
}

fn planted(builder: &mut Builder, from: String, technique: &'static str) {
    builder.truth.push(Planted {
        from,
        to: "admin".to_owned(),
        technique,
        under_assumptions: false,
    });
}

fn put_user_policy(builder: &mut Builder, number: usize) {
    let name = format!("core-oncall-{number}");
    let own = builder.iam(&format!("user/{name}"));
    let from = start(
        builder,
        name,
        vec![allow(json!(["iam:PutUserPolicy", "iam:GetUserPolicy"]), json!(own))],
    );
    planted(builder, from, "iam-put-user-policy");
}

fn attach_user_policy(builder: &mut Builder, number: usize) {
    let own = builder.iam("user/${aws:username}");
    let name = format!("core-selfserve-{number}");
    let from = start(builder, name, vec![allow(json!("iam:Attach*"), json!(own))]);
    planted(builder, from, "iam-attach-user-policy");
}

fn put_role_policy(builder: &mut Builder, number: usize) {
    let name = format!("core-rotator-{number}");
    let own = builder.iam(&format!("role/{name}"));
    let from = builder.role(Role {
        name,
        trust: trust::service("config.amazonaws.com"),
        inline: vec![(
            "rotate".to_owned(),
            document(vec![allow(json!(["iam:PutRolePolicy"]), json!([own]))]),
        )],
        ..Role::default()
    });
    planted(builder, from, "iam-put-role-policy");
}

fn create_policy_version(builder: &mut Builder, number: usize) {
    let name = format!("core-editable-{number}");
    let own = builder.iam(&format!("policy/{name}"));
    let editing = document(vec![allow(
        json!(["iam:CreatePolicyVersion", "iam:GetPolicyVersion"]),
        json!(own),
    )]);
    let policy = builder.policy(&name, vec![editing], 0);
    let from = builder.user(User {
        name: format!("core-editor-{number}"),
        attached: vec![policy],
        access_keys: 1,
        ..User::default()
    });
    planted(builder, from, "iam-create-policy-version");
}

fn set_default_policy_version(builder: &mut Builder, number: usize) {
    let name = format!("core-tightened-{number}");
    let own = builder.iam(&format!("policy/{name}"));
    let now = document(vec![
        allow(json!(["iam:SetDefaultPolicyVersion", "iam:ListPolicyVersions"]), json!(own)),
        allow(json!("cloudwatch:*"), json!("*")),
    ]);
    let policy = builder.policy(&name, vec![everything(), now], 1);
    let from = builder.user(User {
        name: format!("core-keeper-{number}"),
        attached: vec![policy],
        access_keys: 1,
        ..User::default()
    });
    planted(builder, from, "iam-set-default-policy-version");
}

fn create_access_key(builder: &mut Builder, number: usize) {
    let target = administrator_user(builder, format!("core-root-{number}"), 1, false);
    let from = start(
        builder,
        format!("core-keys-{number}"),
        vec![allow(json!(["iam:CreateAccessKey", "iam:ListAccessKeys"]), json!(target))],
    );
    planted(builder, from, "iam-create-access-key");
}

fn create_login_profile(builder: &mut Builder, number: usize) {
    let target = administrator_user(builder, format!("core-robot-{number}"), 2, false);
    let from = start(
        builder,
        format!("core-console-{number}"),
        vec![allow(json!("iam:CreateLoginProfile"), json!(target))],
    );
    planted(builder, from, "iam-create-login-profile");
}

fn update_login_profile(builder: &mut Builder, number: usize) {
    let target = administrator_user(builder, format!("core-chief-{number}"), 2, true);
    let from = start(
        builder,
        format!("core-helpdesk-{number}"),
        vec![allow(json!("iam:UpdateLoginProfile"), json!(target))],
    );
    planted(builder, from, "iam-update-login-profile");
}

fn add_user_to_group(builder: &mut Builder, number: usize) {
    let group = builder.group(
        &format!("core-admins-{number}"),
        Vec::new(),
        &[ADMINISTRATOR_ACCESS.to_owned()],
    );
    let target = builder.iam(&format!("group/{group}"));
    let from = start(
        builder,
        format!("core-onboarding-{number}"),
        vec![allow(json!(["iam:AddUserToGroup", "iam:GetGroup"]), json!(target))],
    );
    planted(builder, from, "iam-add-user-to-group");
}

fn own_group(
    builder: &mut Builder,
    number: usize,
    word: &str,
    action: &str,
    technique: &'static str,
) {
    let name = format!("core-{word}-{number}");
    let own = builder.iam(&format!("group/{name}"));
    let duties = document(vec![allow(json!([action]), json!(own))]);
    let group = builder.group(&name, vec![("duties".to_owned(), duties)], &[]);
    for member in ["first", "second"] {
        let from = builder.user(User {
            name: format!("core-{word}-{number}-{member}"),
            groups: vec![group.clone()],
            access_keys: 1,
            ..User::default()
        });
        planted(builder, from, technique);
    }
}

fn attach_group_policy(builder: &mut Builder, number: usize) {
    own_group(builder, number, "leads", "iam:AttachGroupPolicy", "iam-attach-group-policy");
}

fn put_group_policy(builder: &mut Builder, number: usize) {
    own_group(builder, number, "maintainers", "iam:PutGroupPolicy", "iam-put-group-policy");
}

fn assume_role(builder: &mut Builder, number: usize) {
    let root = builder.iam("root");
    let target =
        administrator_role(builder, format!("core-admin-{number}"), trust::principal(&root), false);
    let from = start(
        builder,
        format!("core-engineer-{number}"),
        vec![allow(json!("sts:AssumeRole"), json!(target))],
    );
    planted(builder, from, "sts-assume-role");
}

fn assume_role_with_mfa(builder: &mut Builder, number: usize) {
    let root = builder.iam("root");
    let trust =
        trust::principal_if(&root, json!({ "Bool": { "aws:MultiFactorAuthPresent": "true" } }));
    let target = administrator_role(builder, format!("core-mfa-admin-{number}"), trust, false);
    let statements = vec![allow(json!("sts:AssumeRole"), json!(target))];
    // With a password, and the device that goes with it.
    let from = builder.user(User {
        name: format!("core-lead-{number}"),
        inline: vec![("duties".to_owned(), document(statements))],
        password: true,
        tags: vec![("team", "core".to_owned())],
        ..User::default()
    });
    builder.truth.push(Planted {
        from,
        to: "admin".to_owned(),
        technique: "sts-assume-role",
        under_assumptions: true,
    });
}

/// Three hops, each role trusting only the one before: all three starts count.
fn assume_chain(builder: &mut Builder, number: usize) {
    let names = [format!("core-hop-a-{number}"), format!("core-hop-b-{number}")];
    let [first, second] = names.clone().map(|name| builder.iam(&format!("role/{name}")));
    let target = administrator_role(
        builder,
        format!("core-hop-c-{number}"),
        trust::principal(&second),
        false,
    );
    let from = start(
        builder,
        format!("core-hopper-{number}"),
        vec![allow(json!("sts:AssumeRole"), json!(first))],
    );
    let [name, next] = names;
    for (name, trusted, to) in [(name, from.clone(), second.clone()), (next, first.clone(), target)]
    {
        let duties = document(vec![allow(json!("sts:AssumeRole"), json!(to))]);
        builder.role(Role {
            name,
            trust: trust::principal(&trusted),
            inline: vec![("onwards".to_owned(), duties)],
            ..Role::default()
        });
    }
    for from in [from, first, second] {
        planted(builder, from, "sts-assume-role");
    }
}

/// What a principal needs to run code in a new function under this role.
pub(crate) fn function_duties(role: &str) -> Vec<Value> {
    vec![
        allow_if(
            json!("iam:PassRole"),
            json!(role),
            json!({ "StringEquals": { "iam:PassedToService": "lambda.amazonaws.com" } }),
        ),
        allow(
            json!(["lambda:CreateFunction", "lambda:InvokeFunction", "lambda:GetFunction"]),
            json!("*"),
        ),
    ]
}

fn create_function(builder: &mut Builder, number: usize) {
    let target = administrator_role(
        builder,
        format!("core-fn-admin-{number}"),
        trust::service("lambda.amazonaws.com"),
        false,
    );
    let from = start(builder, format!("core-serverless-{number}"), function_duties(&target));
    planted(builder, from, "lambda-create-function");
}

/// A user assumes a role that may make a function: the user and the role both count.
fn assume_then_create_function(builder: &mut Builder, number: usize) {
    let target = administrator_role(
        builder,
        format!("core-automation-{number}"),
        trust::service("lambda.amazonaws.com"),
        false,
    );
    let name = format!("core-release-{number}");
    let between = builder.iam(&format!("role/{name}"));
    let from = start(
        builder,
        format!("core-releaser-{number}"),
        vec![allow(json!("sts:AssumeRole"), json!(between))],
    );
    builder.role(Role {
        name,
        trust: trust::principal(&from),
        inline: vec![("release".to_owned(), document(function_duties(&target)))],
        ..Role::default()
    });
    planted(builder, from, "lambda-create-function");
    planted(builder, between, "lambda-create-function");
}

fn update_function_code(builder: &mut Builder, number: usize) {
    let name = format!("core-operator-{number}");
    let role =
        administrator_role(builder, name.clone(), trust::service("lambda.amazonaws.com"), false);
    let function = inventory::function(builder, &name, &role);
    let from = start(
        builder,
        format!("core-patcher-{number}"),
        vec![allow(json!(["lambda:UpdateFunctionCode", "lambda:InvokeFunction"]), json!(function))],
    );
    planted(builder, from, "lambda-update-function-code");
}

fn send_command(builder: &mut Builder, number: usize) {
    let name = format!("core-bastion-{number}");
    administrator_role(builder, name.clone(), trust::service("ec2.amazonaws.com"), true);
    let tag = format!("core-{number}");
    inventory::instance(builder, &name, json!({ "Key": "team", "Value": tag }));
    let from = start(
        builder,
        format!("core-shell-{number}"),
        vec![
            allow(json!("ssm:SendCommand"), json!("arn:aws:ssm:*:*:document/AWS-RunShellScript")),
            allow_if(
                json!("ssm:SendCommand"),
                json!("arn:aws:ec2:*:*:instance/*"),
                json!({ "StringEquals": { "ssm:resourceTag/team": tag } }),
            ),
        ],
    );
    planted(builder, from, "ssm-send-command");
}

fn run_instances(builder: &mut Builder, number: usize) {
    let target = administrator_role(
        builder,
        format!("core-builder-{number}"),
        trust::service("ec2.amazonaws.com"),
        true,
    );
    let from = start(
        builder,
        format!("core-launcher-{number}"),
        vec![
            allow(json!(["ec2:RunInstances", "ec2:Describe*"]), json!("*")),
            allow(json!("iam:PassRole"), json!(target)),
        ],
    );
    planted(builder, from, "ec2-run-instances");
}

fn create_stack(builder: &mut Builder, number: usize) {
    let target = administrator_role(
        builder,
        format!("core-stacks-{number}"),
        trust::service("cloudformation.amazonaws.com"),
        false,
    );
    let from = start(
        builder,
        format!("core-provisioner-{number}"),
        vec![
            allow(
                json!(["cloudformation:CreateStack", "cloudformation:DescribeStacks"]),
                json!("*"),
            ),
            allow(json!("iam:PassRole"), json!(target)),
        ],
    );
    planted(builder, from, "cloudformation-create-stack");
}

fn update_assume_role_policy(builder: &mut Builder, number: usize) {
    let target = administrator_role(
        builder,
        format!("core-dormant-{number}"),
        trust::service("config.amazonaws.com"),
        false,
    );
    let from = start(
        builder,
        format!("core-truster-{number}"),
        vec![allow(json!(["iam:UpdateAssumeRolePolicy", "sts:AssumeRole"]), json!(target))],
    );
    planted(builder, from, "iam-update-assume-role-policy");
}

/// The boundary is all that stands between the user and administrator, and the user may drop it.
fn delete_boundary(builder: &mut Builder, number: usize) {
    let name = format!("core-bounded-{number}");
    let own = builder.iam(&format!("user/{name}"));
    let within =
        document(vec![allow(json!(["iam:DeleteUserPermissionsBoundary", "s3:*"]), json!("*"))]);
    let boundary = builder.policy(&format!("core-limit-{number}"), vec![within], 0);
    let duties = document(vec![allow(
        json!(["iam:DeleteUserPermissionsBoundary", "iam:PutUserPolicy"]),
        json!(own),
    )]);
    let from = builder.user(User {
        name,
        inline: vec![("duties".to_owned(), duties)],
        boundary: Some(boundary),
        access_keys: 1,
        ..User::default()
    });
    planted(builder, from, "iam-delete-user-permissions-boundary");
}
