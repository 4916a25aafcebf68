//! The AWS-managed policies that synthetic principals use.

use serde::Deserialize;
use serde_json::Value;

const POLICIES: &str = include_str!("../data/aws-managed-policies.json");

/// Full access; the only one of these policies that makes an administrator.
pub(crate) const ADMINISTRATOR_ACCESS: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// What people and pipelines get besides their team's own policies: reading, mostly.
pub(crate) const FOR_PEOPLE: &[(u32, &str)] = &[
    (14, "arn:aws:iam::aws:policy/ReadOnlyAccess"),
    (10, "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess"),
    (8, "arn:aws:iam::aws:policy/AWSSupportAccess"),
    (6, "arn:aws:iam::aws:policy/job-function/Billing"),
    (10, "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"),
    (8, "arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess"),
    (6, "arn:aws:iam::aws:policy/IAMReadOnlyAccess"),
    (20, "arn:aws:iam::aws:policy/IAMUserChangePassword"),
    (6, "arn:aws:iam::aws:policy/AmazonDynamoDBReadOnlyAccess"),
    (6, "arn:aws:iam::aws:policy/AmazonRDSReadOnlyAccess"),
    (8, "arn:aws:iam::aws:policy/CloudWatchReadOnlyAccess"),
    (4, "arn:aws:iam::aws:policy/AWSCloudTrail_ReadOnlyAccess"),
    (4, "arn:aws:iam::aws:policy/AmazonSSMReadOnlyAccess"),
    (4, "arn:aws:iam::aws:policy/AWSLambda_ReadOnlyAccess"),
];

/// What roles of Lambda functions get.
pub(crate) const FOR_FUNCTIONS: &[(u32, &str)] = &[
    (60, "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"),
    (25, "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"),
    (10, "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"),
    (5, "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"),
];

/// What roles of EC2 instances get.
pub(crate) const FOR_INSTANCES: &[(u32, &str)] = &[
    (60, "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"),
    (25, "arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy"),
    (10, "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"),
    (3, "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"),
    (2, "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"),
];

/// What roles of ECS tasks get.
pub(crate) const FOR_TASKS: &[(u32, &str)] = &[
    (60, "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"),
    (20, "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"),
    (10, "arn:aws:iam::aws:policy/AmazonSQSFullAccess"),
    (10, "arn:aws:iam::aws:policy/CloudWatchLogsFullAccess"),
];

/// Service-linked roles: service, role name, policy.
pub(crate) const SERVICE_LINKED: &[(&str, &str, &str)] = &[
    ("autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling", "AutoScalingServiceRolePolicy"),
    (
        "trustedadvisor.amazonaws.com",
        "AWSServiceRoleForTrustedAdvisor",
        "AWSTrustedAdvisorServiceRolePolicy",
    ),
    ("rds.amazonaws.com", "AWSServiceRoleForRDS", "AmazonRDSServiceRolePolicy"),
    (
        "elasticloadbalancing.amazonaws.com",
        "AWSServiceRoleForElasticLoadBalancing",
        "AWSElasticLoadBalancingServiceRolePolicy",
    ),
    (
        "guardduty.amazonaws.com",
        "AWSServiceRoleForAmazonGuardDuty",
        "AmazonGuardDutyServiceRolePolicy",
    ),
    (
        "organizations.amazonaws.com",
        "AWSServiceRoleForOrganizations",
        "AWSOrganizationsServiceTrustPolicy",
    ),
    ("ecs.amazonaws.com", "AWSServiceRoleForECS", "AmazonECSServiceRolePolicy"),
];

/// One policy that AWS manages, in the version that is in force.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AwsManagedPolicy {
    pub(crate) arn: String,
    pub(crate) version_id: String,
    pub(crate) document: Value,
}

/// All of them, in file order.
#[expect(clippy::expect_used, reason = "a file of this crate, read by every test")]
pub(crate) fn all() -> Vec<AwsManagedPolicy> {
    serde_json::from_str(POLICIES).expect("data/aws-managed-policies.json holds policies")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_that_is_used_is_in_the_file() {
        let known: Vec<String> = all().into_iter().map(|policy| policy.arn).collect();
        for (_, arn) in [FOR_PEOPLE, FOR_FUNCTIONS, FOR_INSTANCES, FOR_TASKS].concat() {
            assert!(known.contains(&arn.to_owned()), "{arn}");
        }
        for (_, _, name) in SERVICE_LINKED {
            let arn = format!("arn:aws:iam::aws:policy/aws-service-role/{name}");
            assert!(known.contains(&arn), "{arn}");
        }
        assert!(known.contains(&ADMINISTRATOR_ACCESS.to_owned()));
    }
}
