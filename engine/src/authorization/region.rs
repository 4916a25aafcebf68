//! The Regions of calls.

/// The Region of calls to services that have one endpoint for a whole partition. `None` for other
/// services.
///
/// - `service`: its prefix in the names of actions.
///
/// Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-requestedregion>;
/// in which Region the endpoint of another partition is, says
/// <https://docs.aws.amazon.com/general/latest/gr/iam-service.html>.
pub fn global_region(service: &str, partition: &str) -> Option<&'static str> {
    let global = [
        "account",
        "billing",
        "budgets",
        "ce",
        "cloudfront",
        "globalaccelerator",
        "iam",
        "importexport",
        "organizations",
        "route53",
        "route53domains",
        "shield",
        "support",
        "waf",
    ];
    global.contains(&service).then(|| default_region(partition))
}

/// The Region where something is made if nothing says where.
pub fn default_region(partition: &str) -> &'static str {
    regions(partition).first().copied().unwrap_or("us-east-1")
}

/// The Regions of a partition that every account can use, whether something was collected there or
/// not. Those that an account has to enable first are not among them.
///
/// Implements <https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html>.
pub fn regions(partition: &str) -> &'static [&'static str] {
    match partition {
        "aws-cn" => &["cn-north-1", "cn-northwest-1"],
        "aws-us-gov" => &["us-gov-west-1", "us-gov-east-1"],
        _ => &[
            "us-east-1",
            "us-east-2",
            "us-west-1",
            "us-west-2",
            "ap-northeast-1",
            "ap-northeast-2",
            "ap-northeast-3",
            "ap-south-1",
            "ap-southeast-1",
            "ap-southeast-2",
            "ca-central-1",
            "eu-central-1",
            "eu-north-1",
            "eu-west-1",
            "eu-west-2",
            "eu-west-3",
            "sa-east-1",
        ],
    }
}
