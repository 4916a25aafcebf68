//! Statements as teams write them, none of which lets anybody become an administrator.
//!
//! What may run code, pass a role or assume one is limited to the team's own names, and no
//! administrator has such a name. What writes IAM policies is limited to roles that have the
//! workload boundary, which allows data services only.

use serde_json::{Value, json};

use crate::draw::Draw;

/// Where a policy belongs.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) account: String,
    pub(crate) region: &'static str,
    pub(crate) team: String,
    pub(crate) environment: &'static str,
    /// What makes its resources' names its own; empty for policies that several share.
    pub(crate) application: String,
}

impl Place {
    fn arn(&self, service: &str, rest: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{rest}", self.region, self.account)
    }

    fn role(&self, pattern: &str) -> String {
        format!("arn:aws:iam::{}:role/{pattern}", self.account)
    }

    /// `payments-prod`, or `payments-prod-ledger17`: what resources are named after.
    fn stem(&self) -> String {
        if self.application.is_empty() {
            format!("{}-{}", self.team, self.environment)
        } else {
            format!("{}-{}-{}", self.team, self.environment, self.application)
        }
    }
}

type Template = fn(&mut Draw, &Place) -> Value;

/// A statement for a program: a function, a task, an instance.
pub(crate) fn for_program(draw: &mut Draw, place: &Place) -> Value {
    const TEMPLATES: &[(u32, Template)] = &[
        (14, objects),
        (6, objects_of_prefix),
        (12, table),
        (7, rows_of_team),
        (9, queue),
        (5, topic),
        (9, key_through_service),
        (8, secret_of_team),
        (8, parameters),
        (8, logs),
        (5, metrics),
        (4, stream),
        (4, state_machine),
        (4, events),
        (3, database_login),
        (3, objects_over_endpoint),
        (2, everything_but_bucket_settings),
    ];
    draw.weighted(TEMPLATES)(draw, place)
}

/// A statement for people and pipelines.
pub(crate) fn for_people(draw: &mut Draw, place: &Place) -> Value {
    const TEMPLATES: &[(u32, Template)] = &[
        (10, assume_team_roles),
        (8, pass_team_roles),
        (8, deploy_functions),
        (6, deploy_tasks),
        (10, describe),
        (9, instances_of_team),
        (7, sessions_on_instances),
        (8, read_iam),
        (6, write_bounded_roles),
        (6, stacks_of_team),
        (6, images),
        (4, organization_buckets),
        (4, until_a_date),
        (8, objects),
        (6, logs),
        (4, parameters),
    ];
    draw.weighted(TEMPLATES)(draw, place)
}

/// A statement that denies.
pub(crate) fn guardrail(draw: &mut Draw, place: &Place) -> Value {
    const TEMPLATES: &[(u32, Template)] = &[
        (5, deny_without_mfa),
        (4, deny_other_regions),
        (3, deny_unencrypted_objects),
        (3, deny_insecure_transport),
        (3, deny_deletion),
        (3, deny_from_elsewhere),
        (2, deny_foreign_buckets),
        (2, deny_audit_changes),
    ];
    draw.weighted(TEMPLATES)(draw, place)
}

/// What every person may do with the user that is theirs.
pub(crate) fn self_service(place: &Place) -> Vec<Value> {
    let own = [
        format!("arn:aws:iam::{}:user/${{aws:username}}", place.account),
        format!("arn:aws:iam::{}:user/*/${{aws:username}}", place.account),
    ];
    vec![
        json!({
            "Sid": "AllowManageOwnCredentials", "Effect": "Allow",
            "Action": [
                "iam:ChangePassword", "iam:GetUser", "iam:CreateAccessKey", "iam:DeleteAccessKey",
                "iam:ListAccessKeys", "iam:UpdateAccessKey", "iam:GetAccessKeyLastUsed"
            ],
            "Resource": own
        }),
        json!({
            "Sid": "AllowManageOwnVirtualMFADevice", "Effect": "Allow",
            "Action": ["iam:CreateVirtualMFADevice"],
            "Resource": format!("arn:aws:iam::{}:mfa/${{aws:username}}", place.account)
        }),
        json!({
            "Sid": "AllowManageOwnUserMFA", "Effect": "Allow",
            "Action": ["iam:EnableMFADevice", "iam:ListMFADevices", "iam:ResyncMFADevice"],
            "Resource": own
        }),
        json!({
            "Sid": "AllowDeactivateOwnMFAWithMFA", "Effect": "Allow",
            "Action": "iam:DeactivateMFADevice", "Resource": own,
            "Condition": { "Bool": { "aws:MultiFactorAuthPresent": "true" } }
        }),
    ]
}

/// What the workload boundary allows: data services, no IAM, no STS, nothing that runs code.
pub(crate) fn workload_boundary() -> Vec<Value> {
    vec![
        json!({
            "Sid": "DataServices", "Effect": "Allow",
            "Action": [
                "s3:*", "dynamodb:*", "sqs:*", "sns:*", "kms:Decrypt", "kms:GenerateDataKey*",
                "logs:*", "cloudwatch:*", "kinesis:*", "firehose:PutRecord*"
            ],
            "Resource": "*"
        }),
        json!({
            "Sid": "NoUnencryptedTransport", "Effect": "Deny", "Action": "s3:*", "Resource": "*",
            "Condition": { "Bool": { "aws:SecureTransport": "false" } }
        }),
    ]
}

fn objects(draw: &mut Draw, place: &Place) -> Value {
    let bucket = format!(
        "arn:aws:s3:::{}-{}",
        place.stem(),
        draw.one_of(&["data", "assets", "exports", "uploads"])
    );
    let action = draw.one_of(&[
        &["s3:GetObject", "s3:PutObject", "s3:ListBucket"] as &[_],
        &["s3:GetObject*", "s3:ListBucket", "s3:GetBucketLocation"],
        &[
            "s3:GetObject",
            "s3:PutObject",
            "s3:DeleteObject",
            "s3:ListBucket",
            "s3:AbortMultipartUpload",
        ],
    ]);
    json!({ "Effect": "Allow", "Action": action, "Resource": [bucket, format!("{bucket}/*")] })
}

fn objects_of_prefix(draw: &mut Draw, place: &Place) -> Value {
    json!({
        "Sid": format!("List{}", draw.between(1, 9)), "Effect": "Allow", "Action": "s3:ListBucket",
        "Resource": format!("arn:aws:s3:::{}-shared", place.team),
        "Condition": { "StringLike": {
            "s3:prefix": ["", format!("{}/*", place.environment), "home/${aws:username}/*"]
        } }
    })
}

fn table(draw: &mut Draw, place: &Place) -> Value {
    let table = place.arn(
        "dynamodb",
        &format!(
            "table/{}-{}",
            place.stem(),
            draw.one_of(&["orders", "sessions", "ledger", "state"])
        ),
    );
    json!({
        "Effect": "Allow",
        "Action": ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query", "dynamodb:BatchGetItem", "dynamodb:DescribeTable"],
        "Resource": [table, format!("{table}/index/*")]
    })
}

fn rows_of_team(_: &mut Draw, place: &Place) -> Value {
    json!({
        "Effect": "Allow", "Action": ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:BatchGetItem"],
        "Resource": place.arn("dynamodb", "table/shared-catalogue"),
        "Condition": {
            "ForAllValues:StringLike": { "dynamodb:LeadingKeys": ["${aws:PrincipalTag/team}#*"] },
            "Null": { "dynamodb:LeadingKeys": "false" }
        }
    })
}

fn queue(draw: &mut Draw, place: &Place) -> Value {
    json!({
        "Effect": "Allow",
        "Action": ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"],
        "Resource": place.arn("sqs", &format!("{}-{}", place.stem(), draw.one_of(&["events", "jobs", "dead-letter"])))
    })
}

fn topic(draw: &mut Draw, place: &Place) -> Value {
    json!({
        "Effect": "Allow", "Action": "sns:Publish",
        "Resource": place.arn("sns", &format!("{}-{}", place.stem(), draw.one_of(&["alerts", "updates"]))),
        "Condition": { "StringEquals": { "aws:SourceVpc": draw.one_of(&["vpc-0a1b2c3d4e5f60718", "vpc-0f1e2d3c4b5a69788"]) } }
    })
}

fn key_through_service(draw: &mut Draw, place: &Place) -> Value {
    let service = draw.one_of(&["s3", "dynamodb", "sqs", "secretsmanager"]);
    json!({
        "Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"],
        "Resource": place.arn("kms", "key/*"),
        "Condition": { "StringEquals": {
            "kms:ViaService": format!("{service}.{}.amazonaws.com", place.region),
            "kms:CallerAccount": place.account
        } }
    })
}

fn secret_of_team(_: &mut Draw, place: &Place) -> Value {
    json!({
        "Effect": "Allow", "Action": ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
        "Resource": place.arn("secretsmanager", &format!("secret:{}/{}/*", place.team, place.environment)),
        "Condition": { "StringEquals": { "aws:ResourceTag/team": "${aws:PrincipalTag/team}" } }
    })
}

fn parameters(_: &mut Draw, place: &Place) -> Value {
    json!({
        "Effect": "Allow", "Action": ["ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath"],
        "Resource": place.arn("ssm", &format!("parameter/{}/{}/*", place.team, place.environment))
    })
}

fn logs(_: &mut Draw, place: &Place) -> Value {
    json!({
        "Effect": "Allow",
        "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
        "Resource": place.arn("logs", &format!("log-group:/{}/*", place.stem()))
    })
}

fn metrics(_: &mut Draw, place: &Place) -> Value {
    json!({
        "Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*",
        "Condition": { "StringEquals": { "cloudwatch:namespace": format!("Example/{}", place.team) } }
    })
}

fn stream(_: &mut Draw, place: &Place) -> Value {
    json!({
        "Effect": "Allow",
        "Action": ["kinesis:PutRecord", "kinesis:PutRecords", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:DescribeStream"],
        "Resource": place.arn("kinesis", &format!("stream/{}-clicks", place.stem()))
    })
}

fn state_machine(_: &mut Draw, place: &Place) -> Value {
    json!({
        "Effect": "Allow", "Action": ["states:StartExecution", "states:DescribeExecution"],
        "Resource": [
            place.arn("states", &format!("stateMachine:{}-flow", place.stem())),
            place.arn("states", &format!("execution:{}-flow:*", place.stem()))
        ]
    })
}

fn events(_: &mut Draw, place: &Place) -> Value {
    json!({
        "Effect": "Allow", "Action": "events:PutEvents",
        "Resource": place.arn("events", "event-bus/default"),
        "Condition": { "StringEquals": { "events:source": format!("example.{}", place.team) } }
    })
}

fn database_login(_: &mut Draw, place: &Place) -> Value {
    json!({
        "Effect": "Allow", "Action": "rds-db:connect",
        "Resource": place.arn("rds-db", &format!("dbuser:*/{}_{}", place.team, place.environment))
    })
}

fn objects_over_endpoint(draw: &mut Draw, place: &Place) -> Value {
    json!({
        "Effect": "Allow", "Action": "s3:GetObject*",
        "Resource": format!("arn:aws:s3:::{}-{}-artifacts/*", place.team, place.region),
        "Condition": { "StringEqualsIfExists": { "aws:SourceVpce": draw.one_of(&["vpce-0123456789abcdef0", "vpce-0fedcba9876543210"]) } }
    })
}

fn everything_but_bucket_settings(_: &mut Draw, place: &Place) -> Value {
    let bucket = format!("arn:aws:s3:::{}-scratch", place.stem());
    json!({
        "Effect": "Allow",
        "NotAction": ["s3:PutBucketPolicy", "s3:DeleteBucket", "s3:PutBucketAcl", "s3:PutLifecycleConfiguration"],
        "Resource": [bucket, format!("{bucket}/*")]
    })
}

fn assume_team_roles(draw: &mut Draw, place: &Place) -> Value {
    let mut statement = json!({
        "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": place.role(&format!("{}-{}-*", place.team, place.environment))
    });
    let condition = match draw.between(0, 4) {
        0 | 1 => json!({ "Bool": { "aws:MultiFactorAuthPresent": "true" } }),
        2 => json!({ "IpAddress": { "aws:SourceIp": "203.0.113.0/24" } }),
        3 => json!({ "StringEquals": { "aws:ResourceTag/team": "${aws:PrincipalTag/team}" } }),
        _ => return statement,
    };
    if let Some(fields) = statement.as_object_mut() {
        fields.insert("Condition".to_owned(), condition);
    }
    statement
}

fn pass_team_roles(draw: &mut Draw, place: &Place) -> Value {
    let services = draw.one_of(&[
        &["lambda.amazonaws.com"] as &[_],
        &["ecs-tasks.amazonaws.com"],
        &["lambda.amazonaws.com", "ecs-tasks.amazonaws.com", "states.amazonaws.com"],
    ]);
    json!({
        "Sid": "PassTeamRoles", "Effect": "Allow", "Action": ["iam:PassRole", "iam:GetRole"],
        "Resource": place.role(&format!("{}-{}-*", place.team, place.environment)),
        "Condition": { "StringEquals": { "iam:PassedToService": services } }
    })
}

fn deploy_functions(_: &mut Draw, place: &Place) -> Value {
    json!({
        "Sid": "DeployFunctions", "Effect": "Allow",
        "Action": [
            "lambda:CreateFunction", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration",
            "lambda:InvokeFunction", "lambda:GetFunction", "lambda:PublishVersion", "lambda:UpdateAlias"
        ],
        "Resource": place.arn("lambda", &format!("function:{}-{}-*", place.team, place.environment))
    })
}

fn deploy_tasks(_: &mut Draw, place: &Place) -> Value {
    json!({
        "Sid": "DeployTasks", "Effect": "Allow",
        "Action": ["ecs:UpdateService", "ecs:RunTask", "ecs:DescribeServices", "ecs:DescribeTasks"],
        "Resource": [
            place.arn("ecs", &format!("service/{}/*", place.team)),
            place.arn("ecs", &format!("task-definition/{}-*", place.team))
        ],
        "Condition": { "ArnEquals": { "ecs:cluster": place.arn("ecs", &format!("cluster/{}", place.team)) } }
    })
}

fn describe(draw: &mut Draw, _: &Place) -> Value {
    let action = draw.one_of(&[
        &["ec2:Describe*", "autoscaling:Describe*", "elasticloadbalancing:Describe*"] as &[_],
        &[
            "ec2:Describe*",
            "rds:Describe*",
            "cloudwatch:Get*",
            "cloudwatch:List*",
            "logs:FilterLogEvents",
        ],
        &[
            "ecs:List*",
            "ecs:Describe*",
            "lambda:List*",
            "lambda:GetFunctionConfiguration",
            "tag:GetResources",
        ],
    ]);
    json!({ "Effect": "Allow", "Action": action, "Resource": "*" })
}

fn instances_of_team(_: &mut Draw, place: &Place) -> Value {
    json!({
        "Effect": "Allow", "Action": ["ec2:StartInstances", "ec2:StopInstances", "ec2:RebootInstances"],
        "Resource": place.arn("ec2", "instance/*"),
        "Condition": { "StringEquals": { "ec2:ResourceTag/team": "${aws:PrincipalTag/team}" } }
    })
}

fn sessions_on_instances(_: &mut Draw, place: &Place) -> Value {
    json!({
        "Effect": "Allow", "Action": "ssm:StartSession", "Resource": place.arn("ec2", "instance/*"),
        "Condition": {
            "StringEquals": { "ssm:resourceTag/team": place.team },
            "BoolIfExists": { "aws:MultiFactorAuthPresent": "true" }
        }
    })
}

fn read_iam(_: &mut Draw, _: &Place) -> Value {
    json!({
        "Sid": "ReadIam", "Effect": "Allow",
        "Action": ["iam:Get*", "iam:List*", "iam:SimulatePrincipalPolicy", "access-analyzer:ValidatePolicy"],
        "Resource": "*"
    })
}

fn write_bounded_roles(_: &mut Draw, place: &Place) -> Value {
    json!({
        "Sid": "BoundedRoles", "Effect": "Allow",
        "Action": ["iam:CreateRole", "iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:AttachRolePolicy"],
        "Resource": place.role(&format!("{}-{}-*", place.team, place.environment)),
        "Condition": { "StringEquals": {
            "iam:PermissionsBoundary": format!("arn:aws:iam::{}:policy/{WORKLOAD_BOUNDARY}", place.account)
        } }
    })
}

/// Name of the boundary that teams' workloads have.
pub(crate) const WORKLOAD_BOUNDARY: &str = "workload-boundary";

fn stacks_of_team(_: &mut Draw, place: &Place) -> Value {
    json!({
        "Effect": "Allow",
        "Action": ["cloudformation:CreateStack", "cloudformation:UpdateStack", "cloudformation:DescribeStacks", "cloudformation:DeleteStack"],
        "Resource": place.arn("cloudformation", &format!("stack/{}-{}-*/*", place.team, place.environment)),
        "Condition": { "StringEquals": { "aws:RequestTag/team": place.team } }
    })
}

fn images(_: &mut Draw, place: &Place) -> Value {
    json!({
        "Effect": "Allow",
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:PutImage", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"],
        "Resource": place.arn("ecr", &format!("repository/{}/*", place.team))
    })
}

fn organization_buckets(_: &mut Draw, _: &Place) -> Value {
    json!({
        "Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": ["arn:aws:s3:::example-org-artifacts", "arn:aws:s3:::example-org-artifacts/*"],
        "Condition": { "StringEquals": { "aws:ResourceOrgID": "o-exampleorgid", "aws:PrincipalOrgID": "o-exampleorgid" } }
    })
}

fn until_a_date(draw: &mut Draw, place: &Place) -> Value {
    json!({
        "Sid": "Temporary", "Effect": "Allow", "Action": ["rds:CreateDBSnapshot", "rds:DescribeDBSnapshots"],
        "Resource": place.arn("rds", &format!("db:{}-*", place.team)),
        "Condition": { "DateLessThan": { "aws:CurrentTime": format!("2026-{:02}-01T00:00:00Z", draw.between(1, 12)) } }
    })
}

fn deny_without_mfa(_: &mut Draw, _: &Place) -> Value {
    json!({
        "Sid": "DenyAllExceptListedIfNoMFA", "Effect": "Deny",
        "NotAction": [
            "iam:CreateVirtualMFADevice", "iam:EnableMFADevice", "iam:GetUser", "iam:ListMFADevices",
            "iam:ListVirtualMFADevices", "iam:ResyncMFADevice", "iam:ChangePassword", "sts:GetSessionToken"
        ],
        "Resource": "*",
        "Condition": { "BoolIfExists": { "aws:MultiFactorAuthPresent": "false" } }
    })
}

fn deny_other_regions(_: &mut Draw, _: &Place) -> Value {
    json!({
        "Sid": "DenyOtherRegions", "Effect": "Deny",
        "NotAction": ["iam:*", "sts:*", "organizations:*", "route53:*", "cloudfront:*", "support:*", "s3:GetBucketLocation", "s3:ListAllMyBuckets"],
        "Resource": "*",
        "Condition": { "StringNotEquals": { "aws:RequestedRegion": ["us-east-1", "eu-west-1"] } }
    })
}

fn deny_unencrypted_objects(_: &mut Draw, place: &Place) -> Value {
    json!({
        "Effect": "Deny", "Action": "s3:PutObject", "Resource": format!("arn:aws:s3:::{}-*", place.team),
        "Condition": {
            "StringNotEquals": { "s3:x-amz-server-side-encryption": "aws:kms" },
            "Null": { "s3:x-amz-server-side-encryption": "false" }
        }
    })
}

fn deny_insecure_transport(_: &mut Draw, place: &Place) -> Value {
    json!({
        "Effect": "Deny", "Action": "s3:*", "Resource": format!("arn:aws:s3:::{}-*/*", place.team),
        "Condition": { "Bool": { "aws:SecureTransport": "false" } }
    })
}

fn deny_deletion(_: &mut Draw, place: &Place) -> Value {
    json!({
        "Sid": "DenyDeletion", "Effect": "Deny",
        "Action": ["s3:DeleteBucket", "dynamodb:DeleteTable", "rds:DeleteDB*", "kms:ScheduleKeyDeletion", "sqs:DeleteQueue"],
        "Resource": "*",
        "Condition": { "StringNotLike": { "aws:PrincipalArn": place.role(&format!("{}-*-operator", place.team)) } }
    })
}

fn deny_from_elsewhere(_: &mut Draw, _: &Place) -> Value {
    json!({
        "Sid": "DenyFromElsewhere", "Effect": "Deny", "Action": "*", "Resource": "*",
        "Condition": {
            "NotIpAddress": { "aws:SourceIp": ["203.0.113.0/24", "198.51.100.0/24", "2001:db8::/32"] },
            "Bool": { "aws:ViaAWSService": "false" }
        }
    })
}

fn deny_foreign_buckets(_: &mut Draw, place: &Place) -> Value {
    json!({
        "Effect": "Deny", "Action": ["s3:PutObject", "s3:PutObjectAcl"],
        "NotResource": [format!("arn:aws:s3:::{}-*/*", place.team), "arn:aws:s3:::example-org-*/*"]
    })
}

fn deny_audit_changes(_: &mut Draw, _: &Place) -> Value {
    json!({
        "Sid": "DenyAuditChanges", "Effect": "Deny",
        "Action": ["cloudtrail:StopLogging", "cloudtrail:DeleteTrail", "config:Delete*", "guardduty:Delete*"],
        "Resource": "*"
    })
}
