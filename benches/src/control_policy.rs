//! The tree of an organization and the control policies that stand on it.

use serde_json::{Value, json};

use crate::draw::Draw;
use crate::trust::document;

/// An organizational unit of every synthetic organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unit {
    Security,
    Infrastructure,
    Workloads,
    /// Below workloads.
    Production,
    /// Below workloads.
    Development,
    Suspended,
}

impl Unit {
    pub(crate) const ALL: [Self; 6] = [
        Self::Security,
        Self::Infrastructure,
        Self::Workloads,
        Self::Production,
        Self::Development,
        Self::Suspended,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Security => "Security",
            Self::Infrastructure => "Infrastructure",
            Self::Workloads => "Workloads",
            Self::Production => "Production",
            Self::Development => "Development",
            Self::Suspended => "Suspended",
        }
    }

    /// The unit that it is in; none for those below the root.
    pub(crate) fn parent(self) -> Option<Self> {
        match self {
            Self::Production | Self::Development => Some(Self::Workloads),
            _ => None,
        }
    }

    /// What is attached to it besides AWS's own policy.
    pub(crate) fn policies(self) -> &'static [Control] {
        match self {
            Self::Security | Self::Infrastructure | Self::Development => &[],
            Self::Workloads => &[Control::Regions],
            Self::Production => &[Control::Production],
            Self::Suspended => &[Control::Suspended],
        }
    }
}

/// A control policy that the organization has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Control {
    /// On the root: what no account may do to the organization and its trail.
    Baseline,
    /// On the root, for resources: only principals of the organization.
    Perimeter,
    /// No Region but those in use.
    Regions,
    /// No new credentials and no new functions by hand.
    Production,
    /// Nothing at all.
    Suspended,
    /// On single accounts: no commands on instances.
    NoCommands,
}

impl Control {
    pub(crate) const ALL: [Self; 6] = [
        Self::Baseline,
        Self::Perimeter,
        Self::Regions,
        Self::Production,
        Self::Suspended,
        Self::NoCommands,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Perimeter => "perimeter",
            Self::Regions => "regions",
            Self::Production => "production",
            Self::Suspended => "suspended",
            Self::NoCommands => "no-commands",
        }
    }

    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Perimeter => "RESOURCE_CONTROL_POLICY",
            _ => "SERVICE_CONTROL_POLICY",
        }
    }

    /// Techniques of planted paths that it closes; `None` stands for all.
    pub(crate) fn closes(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Baseline | Self::Perimeter | Self::Regions => Some(&[]),
            Self::Production => Some(&[
                "iam-create-access-key",
                "iam-create-login-profile",
                "lambda-create-function",
            ]),
            Self::NoCommands => Some(&["ssm-send-command"]),
            Self::Suspended => None,
        }
    }

    /// Its text, in the organization of this id.
    pub(crate) fn document(self, organization: &str) -> Value {
        let deny = |sid: &str, actions: Value| json!({ "Sid": sid, "Effect": "Deny", "Action": actions, "Resource": "*" });
        let deny_unless = |sid: &str, actions: Value, role: &str| {
            json!({
                "Sid": sid, "Effect": "Deny", "Action": actions, "Resource": "*",
                "Condition": { "ArnNotLike": { "aws:PrincipalArn": format!("arn:aws:iam::*:role/{role}") } }
            })
        };
        document(match self {
            Self::Baseline => vec![
                deny("Stay", json!(["organizations:LeaveOrganization", "account:CloseAccount"])),
                deny("Trail", json!(["cloudtrail:StopLogging", "cloudtrail:DeleteTrail"])),
            ],
            Self::Perimeter => vec![json!({
                "Sid": "OnlyOurs", "Effect": "Deny", "Principal": "*",
                "Action": ["s3:*", "sqs:*", "kms:*", "secretsmanager:*", "sts:AssumeRole"],
                "Resource": "*",
                "Condition": {
                    "StringNotEqualsIfExists": { "aws:PrincipalOrgID": organization },
                    "BoolIfExists": { "aws:PrincipalIsAWSService": "false" }
                }
            })],
            Self::Regions => vec![json!({
                "Sid": "OurRegions", "Effect": "Deny", "Resource": "*",
                "NotAction": ["iam:*", "sts:*", "organizations:*", "route53:*", "cloudfront:*", "support:*"],
                "Condition": {
                    "StringNotEquals": { "aws:RequestedRegion": crate::background::REGIONS }
                }
            })],
            Self::Production => vec![
                deny_unless(
                    "NoNewCredentials",
                    json!(["iam:CreateAccessKey", "iam:CreateLoginProfile"]),
                    crate::organization::SPOKE_ADMINISTRATOR,
                ),
                deny_unless(
                    "FunctionsByPipelineOnly",
                    json!("lambda:CreateFunction"),
                    crate::organization::SPOKE_ADMINISTRATOR,
                ),
            ],
            Self::Suspended => {
                vec![deny_unless("Suspended", json!("*"), crate::organization::ACCOUNT_ACCESS)]
            }
            Self::NoCommands => vec![deny("NoCommands", json!(["ssm:SendCommand"]))],
        })
    }
}

/// The tree: ids of root, units, policies, and which account is where.
#[derive(Clone, Debug)]
pub(crate) struct Hierarchy {
    /// `o-...`
    pub(crate) id: String,
    root: String,
    units: Vec<(Unit, String)>,
    policies: Vec<(Control, String)>,
}

impl Hierarchy {
    pub(crate) fn new(draw: &mut Draw) -> Self {
        let id = draw.hexadecimal("o-", 10);
        let root = draw.hexadecimal("r-", 4);
        let under = root.replacen("r-", "ou-", 1);
        let units = Unit::ALL.map(|unit| (unit, draw.hexadecimal(&format!("{under}-"), 8)));
        let policies = Control::ALL.map(|control| (control, draw.hexadecimal("p-", 8)));
        Self { id, root, units: units.to_vec(), policies: policies.to_vec() }
    }

    fn unit(&self, unit: Unit) -> &str {
        let found = self.units.iter().find(|(known, _)| *known == unit);
        found.map_or("", |(_, id)| id)
    }

    /// Every response of the organization: command below `organization/`, and what it answered.
    ///
    /// - `accounts`: id, name, unit, and the control policies attached to it; the first is the
    ///   management account.
    /// - `delegated`: the account that administers services for the organization.
    pub(crate) fn responses(
        &self,
        accounts: &[(String, String, Option<Unit>, Vec<Control>)],
        delegated: &str,
    ) -> Vec<(String, Value)> {
        let management = accounts.first().map_or("", |(id, ..)| id);
        let arn = |rest: &str| format!("arn:aws:organizations::{management}:{rest}");
        let account = |(id, name, ..): &(String, String, Option<Unit>, Vec<Control>)| {
            json!({
                "Id": id, "Arn": arn(&format!("account/{}/{id}", self.id)), "Name": name,
                "Email": format!("{name}@example.com"), "Status": "ACTIVE",
                "JoinedMethod": "CREATED", "JoinedTimestamp": "2021-03-02T10:00:00+00:00",
            })
        };
        let mut out = vec![
            (
                "describe-organization".to_owned(),
                json!({ "Organization": {
                    "Id": self.id, "Arn": arn(&format!("organization/{}", self.id)),
                    "FeatureSet": "ALL", "MasterAccountId": management,
                } }),
            ),
            (
                "list-accounts".to_owned(),
                json!({ "Accounts": accounts.iter().map(account).collect::<Vec<_>>() }),
            ),
            (
                "list-roots".to_owned(),
                json!({ "Roots": [{
                    "Id": self.root, "Arn": arn(&format!("root/{}/{}", self.id, self.root)),
                    "Name": "Root",
                    "PolicyTypes": [
                        { "Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED" },
                        { "Type": "RESOURCE_CONTROL_POLICY", "Status": "ENABLED" }
                    ],
                }] }),
            ),
            (
                "describe-resource-policy".to_owned(),
                json!({ "Error": {
                    "Code": "ResourcePolicyNotFoundException",
                    "Message": "We can't find a resource policy request with the parameter that you specified."
                } }),
            ),
            (
                "list-aws-service-access-for-organization".to_owned(),
                json!({ "EnabledServicePrincipals": [
                    { "ServicePrincipal": "access-analyzer.amazonaws.com" },
                    { "ServicePrincipal": "guardduty.amazonaws.com" }
                ] }),
            ),
            (
                "list-delegated-administrators".to_owned(),
                json!({ "DelegatedAdministrators": [{ "Id": delegated }] }),
            ),
            (
                format!("list-delegated-services-for-account/{delegated}"),
                json!({ "DelegatedServices": [
                    { "ServicePrincipal": "access-analyzer.amazonaws.com" },
                    { "ServicePrincipal": "guardduty.amazonaws.com" }
                ] }),
            ),
        ];
        for parent in std::iter::once(None).chain(Unit::ALL.map(Some)) {
            let id = parent.map_or(self.root.as_str(), |unit| self.unit(unit));
            let units: Vec<Value> = Unit::ALL
                .into_iter()
                .filter(|unit| unit.parent() == parent)
                .map(|unit| json!({ "Id": self.unit(unit), "Name": unit.name() }))
                .collect();
            let within: Vec<Value> =
                accounts.iter().filter(|(_, _, unit, _)| *unit == parent).map(account).collect();
            out.push((
                format!("list-organizational-units-for-parent/{id}"),
                json!({ "OrganizationalUnits": units }),
            ));
            out.push((format!("list-accounts-for-parent/{id}"), json!({ "Accounts": within })));
            let attached = match parent {
                None => &[Control::Baseline, Control::Perimeter],
                Some(unit) => unit.policies(),
            };
            out.push((format!("list-policies-for-target/{id}"), self.attached(attached)));
        }
        for (id, _, _, attached) in accounts {
            out.push((format!("list-policies-for-target/{id}"), self.attached(attached)));
        }
        for (control, id) in &self.policies {
            let summary = json!({
                "Id": id, "Name": control.name(), "Description": "", "Type": control.kind(),
                "AwsManaged": false,
            });
            let text = control.document(&self.id).to_string();
            out.push((
                format!("describe-policy/{id}"),
                json!({ "Policy": { "PolicySummary": summary, "Content": text } }),
            ));
        }
        out
    }

    /// AWS's own policies, and these.
    fn attached(&self, controls: &[Control]) -> Value {
        let full = [
            ("p-FullAWSAccess", "FullAWSAccess", "SERVICE_CONTROL_POLICY"),
            ("p-RCPFullAWSAccess", "RCPFullAWSAccess", "RESOURCE_CONTROL_POLICY"),
        ];
        let full = full.map(|(id, name, kind)| (id, name, kind, true));
        let own = self
            .policies
            .iter()
            .filter(|(control, _)| controls.contains(control))
            .map(|(control, id)| (id.as_str(), control.name(), control.kind(), false));
        let policies: Vec<Value> = full
            .into_iter()
            .chain(own)
            .map(|(id, name, kind, managed)| {
                json!({ "Id": id, "Name": name, "Type": kind, "AwsManaged": managed })
            })
            .collect();
        json!({ "Policies": policies })
    }
}
