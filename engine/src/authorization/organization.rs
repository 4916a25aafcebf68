//! Which control policies bind an account in the edited organization.

use super::edits::OrganizationEdit;
use super::view::View;
use super::{InForce, Input, Origin};
use crate::residual::Gap;
use crate::snapshot::{ControlPolicyKind, DocumentId, ObjectId, OrganizationChanges};

/// The services whose resources resource control policies bind, by the prefix of their actions,
/// sorted: five at first, and AWS adds to them.
///
/// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html#rcp-supported-services>;
/// not AWS managed keys: <https://docs.aws.amazon.com/kms/latest/developerguide/resource-control-policies.html>.
const RESOURCE_CONTROLLED: [&str; 62] = [
    "aoss",
    "appconfig",
    "appstream",
    "autoscaling",
    "autoscaling-plans",
    "budgets",
    "clouddirectory",
    "cloudfront",
    "cloudsearch",
    "cloudtrail-data",
    "codeartifact",
    "codebuild",
    "codecommit",
    "codepipeline",
    "cognito-identity",
    "cognito-idp",
    "comprehend",
    "comprehendmedical",
    "compute-optimizer",
    "cost-optimization-hub",
    "dax",
    "dsql",
    "dynamodb",
    "ecr",
    "ecr-public",
    "events",
    "firehose",
    "fis",
    "fms",
    "gamelift",
    "health",
    "inspector-scan",
    "kendra",
    "kinesisvideo",
    "kms",
    "logs",
    "memorydb",
    "networkmonitor",
    "notifications",
    "opensearch",
    "pca-connector-ad",
    "personalize",
    "polly",
    "pricing",
    "resource-groups",
    "rolesanywhere",
    "s3",
    "secretsmanager",
    "servicediscovery",
    "signin",
    "sqs",
    "sts",
    "support",
    "swf",
    "textract",
    "timestream-influxdb",
    "transcribe",
    "transfer",
    "translate",
    "wafv2",
    "workspaces",
    "xray",
];

impl<'v> View<'v, '_> {
    fn levels(
        &self,
        levels: Option<&'v Vec<Vec<DocumentId>>>,
        name: &'v str,
    ) -> Vec<Vec<InForce<'v>>> {
        levels
            .into_iter()
            .flatten()
            .map(|level| {
                let of = |document: &DocumentId| {
                    self.in_force(*document, name, Origin::Organization(*document))
                };
                level.iter().map(of).collect()
            })
            .collect()
    }

    /// What the edits make of the organization.
    pub fn organization_changes(&self) -> OrganizationChanges {
        let mut out = OrganizationChanges::default();
        let name = |id: ObjectId| self.object(id).map(|object| object.name.clone());
        for edit in &self.edits.organization {
            match *edit {
                OrganizationEdit::PolicyText(policy) => out.rewritten.extend(name(policy)),
                OrganizationEdit::PolicyDetached(target, policy) => {
                    out.detached.extend(name(target).zip(name(policy)));
                }
                OrganizationEdit::PolicyAttached(target, policy) => {
                    let policy = policy.and_then(name);
                    out.attached.extend(name(target).map(|target| (target, policy)));
                }
                OrganizationEdit::PoliciesOff(kind) => {
                    out.off.insert(kind);
                }
                OrganizationEdit::Left(account) => {
                    let account = self.ground.world.accounts.get(account.0 as usize);
                    out.left.extend(account.map(|account| account.id.clone()));
                }
                OrganizationEdit::Moved(account, parent) => {
                    out.moved.extend(name(account).zip(name(parent)));
                }
            }
        }
        out
    }

    /// The levels of one kind of control policy after the edits; `None` if there are no edits.
    fn changed_levels(
        &self,
        account: &str,
        kind: ControlPolicyKind,
        name: &'v str,
    ) -> Option<Vec<Vec<InForce<'v>>>> {
        let organization = self.ground.world.organization.as_ref()?;
        if self.edits.organization.is_empty() {
            return None;
        }
        let levels = organization.changed_levels(account, kind, &self.organization_changes());
        let in_force = |document: Option<DocumentId>| match document {
            Some(document) => self.in_force(document, name, Origin::Organization(document)),
            None => self.written(),
        };
        Some(
            levels
                .into_iter()
                .filter(|level| {
                    kind == ControlPolicyKind::ServiceControlPolicy || !level.is_empty()
                })
                .map(|level| level.into_iter().map(in_force).collect())
                .collect(),
        )
    }

    /// Whether an account is in an organization after all.
    pub fn has_left(&self, account: &str) -> bool {
        self.edits.organization.iter().any(|edit| {
            matches!(edit, OrganizationEdit::Left(left)
                if self.ground.world.accounts.get(left.0 as usize).is_some_and(|a| &*a.id == account))
        })
    }

    /// A condition key that says in which organization an account is, or where in it.
    pub fn organization_key(&self, key: &str, account: Option<&str>) -> Input {
        let Some(account) = account else { return Input::Absent };
        if self.has_left(account) {
            return Input::Absent;
        }
        match &self.ground.world.organization {
            None => Input::Unknown(Gap(format!(
                "no organization data: {key} of account {account} is not known"
            )
            .into())),
            Some(organization) if key.ends_with("orgid") => match organization.contains(account) {
                Some(true) => Input::One(organization.id.clone()),
                Some(false) => Input::Absent,
                None => Input::Unknown(Gap(format!(
                    "whether account {account} is in the organization is not known"
                )
                .into())),
            },
            Some(organization) if organization.contains(account) == Some(false) => Input::Absent,
            Some(organization) => match organization.path(account, &self.organization_changes()) {
                Some(path) => Input::Many(vec![path.into()]),
                None => Input::Unknown(Gap(format!(
                    "where account {account} is in the organization is not known"
                )
                .into())),
            },
        }
    }

    /// Service control policies that bind principals of the account, by level.
    pub fn service_control(&self, account: &str) -> Vec<Vec<InForce<'v>>> {
        let kind = ControlPolicyKind::ServiceControlPolicy;
        if let Some(levels) = self.changed_levels(account, kind, "service control policy") {
            return levels;
        }
        self.levels(self.ground.service_control.get(account), "service control policy")
    }

    /// Resource control policies that bind resources of the account in a call, by level.
    ///
    /// - `action`: in lower case.
    /// - `object`: the resource, if the snapshot has it.
    pub fn resource_control(
        &self,
        account: &str,
        action: &str,
        object: Option<ObjectId>,
    ) -> Vec<Vec<InForce<'v>>> {
        let service = action.split(':').next().unwrap_or_default();
        let managed_by_aws = || {
            object.and_then(|id| self.object(id)).is_some_and(|object| {
                matches!(object.attribute("manager"), Ok(who) if who.iter().any(|w| **w == *"AWS"))
            })
        };
        if RESOURCE_CONTROLLED.binary_search(&service).is_err()
            || (service == "kms" && managed_by_aws())
        {
            return Vec::new();
        }
        self.resource_control_levels(account)
    }

    /// Resource control policies attached above the resources of an account, by level.
    pub fn resource_control_levels(&self, account: &str) -> Vec<Vec<InForce<'v>>> {
        let kind = ControlPolicyKind::ResourceControlPolicy;
        if let Some(levels) = self.changed_levels(account, kind, "resource control policy") {
            return levels;
        }
        self.levels(self.ground.resource_control.get(account), "resource control policy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_found_among_those_that_resource_control_policies_bind() {
        assert!(RESOURCE_CONTROLLED.is_sorted());
        for (service, expected) in [("s3", true), ("codebuild", true), ("lambda", false)] {
            assert_eq!(RESOURCE_CONTROLLED.binary_search(&service).is_ok(), expected, "{service}");
        }
    }
}
