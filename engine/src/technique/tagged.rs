//! Goals that are tags: the resources that have one, and what gets hold of each kind of them.

use std::sync::Arc;

use super::goal::{GoalCall, GoalTarget};
use super::goal_targets::{is_about_s3_objects, open};
use crate::authorization::Resource;
use crate::residual::Residual;
use crate::snapshot::{ObjectId, World};

/// Kind of resource, the call that gets hold of what is in it, and where that is below its ARN.
const GETTING_HOLD: &[(&str, &str, &str)] = &[
    ("dynamodb:table", "dynamodb:GetItem", ""),
    ("ec2:instance", "ssm:SendCommand", ""),
    ("ecr:repository", "ecr:PutImage", ""),
    ("kinesis:stream", "kinesis:GetRecords", ""),
    ("kms:key", "kms:Decrypt", ""),
    ("lambda:function", "lambda:UpdateFunctionCode", ""),
    ("rds:cluster", "rds-data:ExecuteStatement", ""),
    ("rds:db", "rds:ModifyDBInstance", ""),
    ("redshift:cluster", "redshift:GetClusterCredentials", ""),
    ("s3:bucket", "s3:GetObject", "/*"),
    ("secretsmanager:secret", "secretsmanager:GetSecretValue", ""),
    ("sns:topic", "sns:Subscribe", ""),
    ("sqs:queue", "sqs:ReceiveMessage", ""),
    ("ssm:parameter", "ssm:GetParameter", ""),
];

impl GoalCall {
    /// The call on any resource of the action's service that has the tag; on those below it where
    /// the action is about what is in a bucket. `None` if no resource has it.
    pub fn on_tagged(world: &World, action: &str, key: &str, value: &str) -> Option<Self> {
        let service = action.split(':').next().unwrap_or_default();
        let mut targets = Vec::new();
        for (id, object) in tagged(world, key, value) {
            if object.kind.split(':').next() != Some(service) {
                continue;
            }
            let inside = &*object.kind == "s3:bucket" && is_about_s3_objects(action);
            let within = if inside { "/*" } else { "" };
            targets.push(target(world, id, action, within));
        }
        let resource = format!("tag:{key}={value}").into();
        (!targets.is_empty()).then(|| Self {
            action: action.into(),
            resource,
            targets,
            principals: Vec::new(),
            left_out: Vec::new(),
            not_listed: Vec::new(),
        })
    }

    /// Getting hold of any resource that has the tag: acting as it, if it is a user or role, or the
    /// call that gets at what is in it. Resources of kinds of which that is not known are left out,
    /// and said. `None` if no resource has the tag.
    pub fn hold_of_tagged(world: &World, key: &str, value: &str) -> Option<Self> {
        let (mut targets, mut principals, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
        for (id, object) in tagged(world, key, value) {
            if matches!(&*object.kind, "iam:user" | "iam:role") {
                principals.push(id);
            } else if let Some((_, action, within)) =
                GETTING_HOLD.iter().find(|(kind, ..)| *kind == &*object.kind)
            {
                targets.push(target(world, id, action, within));
            } else {
                left_out.push(object.arn.clone());
            }
        }
        let resource: Arc<str> = format!("tag:{key}={value}").into();
        let any = !(targets.is_empty() && principals.is_empty() && left_out.is_empty());
        any.then(|| Self {
            action: "".into(),
            resource,
            targets,
            principals,
            left_out,
            not_listed: Vec::new(),
        })
    }
}

fn target(world: &World, id: ObjectId, action: &str, within: &str) -> GoalTarget {
    let arn = world.object(id).map_or("", |object| &*object.arn);
    let (resource, residual) = match within {
        "" => (Resource::Literal(arn.into()), Residual::True),
        within => open(&format!("{arn}{within}")),
    };
    GoalTarget::of(world, id, action, resource, residual)
}

fn tagged<'w>(
    world: &'w World,
    key: &str,
    value: &str,
) -> impl Iterator<Item = (ObjectId, &'w crate::snapshot::Object)> {
    world
        .objects
        .iter()
        .enumerate()
        .filter(move |(_, object)| {
            !object.is_unlisted()
                && object.tags.iter().any(|(has, is)| **has == *key && **is == *value)
        })
        .map(|(at, object)| (ObjectId(u32::try_from(at).unwrap_or(u32::MAX)), object))
}
