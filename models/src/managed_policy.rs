//! Documents of AWS-managed policies: they exist in every account, whether a snapshot lists them
//! or not. A small set of those that matter here; the others are unknown when not listed.

use serde::Deserialize;
use serde_json::value::RawValue;

const BUILTIN: &str = include_str!("../resources/aws-managed-policies.json");

/// An AWS-managed policy.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsManagedPolicy {
    /// What follows `policy/` in its ARN: `service-role/AWSGlueServiceRole`.
    pub path: String,
    /// The version of the document: `v8`.
    pub version: String,
    /// Where the document is from.
    pub source: String,
    /// The document.
    document: Box<RawValue>,
}

impl AwsManagedPolicy {
    /// Its ARN in a partition (`aws`, `aws-cn`, `aws-us-gov`).
    pub fn arn(&self, partition: &str) -> String {
        format!("arn:{partition}:iam::aws:policy/{}", self.path)
    }

    /// Its document, as JSON text.
    pub fn document(&self) -> &str {
        self.document.get()
    }
}

/// The AWS-managed policies that come with the program, sorted by path. Fails if the table cannot
/// be read, which a test excludes.
pub fn aws_managed_policies() -> Result<Vec<AwsManagedPolicy>, serde_json::Error> {
    serde_json::from_str(BUILTIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_set_is_sorted_and_holds_administrator_access() {
        let policies = aws_managed_policies().unwrap();
        assert!(policies.is_sorted_by(|a, b| a.path < b.path));
        let administrator =
            policies.iter().find(|policy| policy.path == "AdministratorAccess").unwrap();
        assert_eq!(administrator.arn("aws-cn"), "arn:aws-cn:iam::aws:policy/AdministratorAccess");
        assert!(administrator.document().contains("\"Allow\""));
    }

    #[test]
    fn every_policy_names_its_source() {
        assert!(aws_managed_policies().unwrap().iter().all(|policy| !policy.source.is_empty()));
    }
}
