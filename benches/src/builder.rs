//! An account while it is being made: principals, policies and resources with their cross
//! references, so that names, ARNs and attachment counts agree.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::account::{NearMiss, Planted};
use crate::aws_managed_policy::{self, ADMINISTRATOR_ACCESS};
use crate::draw::Draw;

/// A user to add.
#[derive(Clone, Debug, Default)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) path: &'static str,
    pub(crate) groups: Vec<String>,
    pub(crate) inline: Vec<(String, Value)>,
    /// ARNs of managed policies.
    pub(crate) attached: Vec<String>,
    /// ARN of a managed policy.
    pub(crate) boundary: Option<String>,
    pub(crate) tags: Vec<(&'static str, String)>,
    pub(crate) access_keys: usize,
    pub(crate) password: bool,
    /// Whether a user with a password is without an MFA device.
    pub(crate) without_mfa: bool,
}

/// A role to add.
#[derive(Clone, Debug, Default)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) trust: Value,
    pub(crate) inline: Vec<(String, Value)>,
    /// ARNs of managed policies.
    pub(crate) attached: Vec<String>,
    /// ARN of a managed policy.
    pub(crate) boundary: Option<String>,
    pub(crate) tags: Vec<(&'static str, String)>,
    /// Whether an instance profile of the same name holds it.
    pub(crate) profile: bool,
}

/// The account so far.
#[derive(Debug)]
pub(crate) struct Builder {
    pub(crate) draw: Draw,
    pub(crate) account: String,
    pub(crate) users: Vec<Value>,
    pub(crate) groups: Vec<Value>,
    pub(crate) roles: Vec<Value>,
    pub(crate) profiles: Vec<Value>,
    /// Unique ids of instance profiles, by name.
    pub(crate) profile_ids: BTreeMap<String, String>,
    /// Customer managed policies.
    pub(crate) policies: Vec<Value>,
    /// By region.
    pub(crate) functions: BTreeMap<&'static str, Vec<Value>>,
    /// By region.
    pub(crate) instances: BTreeMap<&'static str, Vec<Value>>,
    /// Lines of the credential report.
    pub(crate) report: Vec<String>,
    pub(crate) truth: Vec<Planted>,
    pub(crate) near_misses: Vec<NearMiss>,
    pub(crate) administrators: BTreeSet<String>,
    attachments: BTreeMap<String, usize>,
    boundaries: BTreeMap<String, usize>,
    administrator_groups: BTreeSet<String>,
}

impl Builder {
    pub(crate) fn new(seed: u64) -> Self {
        let mut draw = Draw::new(seed);
        let account = draw.twelve_digits();
        Self::drawing(draw, account)
    }

    /// The account of this id.
    pub(crate) fn of_account(seed: u64, account: String) -> Self {
        Self::drawing(Draw::new(seed), account)
    }

    fn drawing(draw: Draw, account: String) -> Self {
        Self {
            draw,
            account,
            users: Vec::new(),
            groups: Vec::new(),
            roles: Vec::new(),
            profiles: Vec::new(),
            profile_ids: BTreeMap::new(),
            policies: Vec::new(),
            functions: BTreeMap::new(),
            instances: BTreeMap::new(),
            report: Vec::new(),
            truth: Vec::new(),
            near_misses: Vec::new(),
            administrators: BTreeSet::new(),
            attachments: BTreeMap::new(),
            boundaries: BTreeMap::new(),
            administrator_groups: BTreeSet::new(),
        }
    }

    /// Users and roles so far.
    pub(crate) fn principals(&self) -> usize {
        self.users.len() + self.roles.len()
    }

    /// The ARN of something of IAM's in this account: `policy/name`.
    pub(crate) fn iam(&self, rest: &str) -> String {
        format!("arn:aws:iam::{}:{rest}", self.account)
    }

    /// Adds a user and returns its ARN.
    pub(crate) fn user(&mut self, user: User) -> String {
        let path = if user.path.is_empty() { "/" } else { user.path };
        let arn = self.iam(&format!("user{path}{}", user.name));
        if user.attached.iter().any(|policy| policy == ADMINISTRATOR_ACCESS)
            || user.groups.iter().any(|group| self.administrator_groups.contains(group))
        {
            self.administrators.insert(arn.clone());
        }
        let created = self.draw.moment();
        let mut detail = json!({
            "Path": path, "UserName": user.name, "UserId": self.draw.unique_id("AIDA"),
            "Arn": arn, "CreateDate": created,
        });
        put(&mut detail, "UserPolicyList", inline(user.inline));
        put(&mut detail, "GroupList", Some(json!(user.groups)));
        put(&mut detail, "AttachedManagedPolicies", Some(self.attached(&user.attached)));
        put(&mut detail, "PermissionsBoundary", self.boundary(user.boundary));
        put(&mut detail, "Tags", Some(tags(user.tags)));
        self.users.push(detail);
        let key = |number: usize| {
            let used = "2025-11-03T08:14:00+00:00,us-east-1,s3";
            if user.access_keys >= number {
                format!("true,{created},{used}")
            } else {
                "false,N/A,N/A,N/A,N/A".to_owned()
            }
        };
        let password = if user.password {
            format!("true,2025-10-20T09:30:00+00:00,{created},N/A,{}", !user.without_mfa)
        } else {
            "false,N/A,N/A,N/A,false".to_owned()
        };
        self.report.push(format!(
            "{},{arn},{created},{password},{},{},false,N/A,false,N/A",
            user.name,
            key(1),
            key(2)
        ));
        arn
    }

    /// Adds a role and returns its ARN.
    pub(crate) fn role(&mut self, role: Role) -> String {
        let path = if role.path.is_empty() { "/" } else { role.path.as_str() };
        let arn = self.iam(&format!("role{path}{}", role.name));
        if role.attached.iter().any(|policy| policy == ADMINISTRATOR_ACCESS) {
            self.administrators.insert(arn.clone());
        }
        let mut detail = json!({
            "Path": path, "RoleName": role.name, "RoleId": self.draw.unique_id("AROA"),
            "Arn": arn, "CreateDate": self.draw.moment(), "AssumeRolePolicyDocument": role.trust,
        });
        let mut profiles = Vec::new();
        if role.profile {
            let id = self.draw.unique_id("AIPA");
            self.profile_ids.insert(role.name.clone(), id.clone());
            let profile = json!({
                "Path": "/", "InstanceProfileName": role.name, "InstanceProfileId": id,
                "Arn": self.iam(&format!("instance-profile/{}", role.name)),
                "CreateDate": self.draw.moment(),
                "Roles": [detail.clone()],
            });
            self.profiles.push(profile.clone());
            profiles.push(profile);
        }
        put(&mut detail, "InstanceProfileList", Some(json!(profiles)));
        put(&mut detail, "RolePolicyList", Some(inline(role.inline).unwrap_or_else(|| json!([]))));
        put(&mut detail, "AttachedManagedPolicies", Some(self.attached(&role.attached)));
        put(&mut detail, "PermissionsBoundary", self.boundary(role.boundary));
        put(&mut detail, "Tags", Some(tags(role.tags)));
        let used = if self.draw.chance(70) {
            json!({ "LastUsedDate": "2025-11-12T06:41:00+00:00", "Region": "us-east-1" })
        } else {
            json!({})
        };
        put(&mut detail, "RoleLastUsed", Some(used));
        self.roles.push(detail);
        arn
    }

    /// Adds a group and returns its name.
    pub(crate) fn group(
        &mut self,
        name: &str,
        policies: Vec<(String, Value)>,
        attached: &[String],
    ) -> String {
        if attached.iter().any(|policy| policy == ADMINISTRATOR_ACCESS) {
            self.administrator_groups.insert(name.to_owned());
        }
        let group = json!({
            "Path": "/", "GroupName": name, "GroupId": self.draw.unique_id("AGPA"),
            "Arn": self.iam(&format!("group/{name}")), "CreateDate": self.draw.moment(),
            "GroupPolicyList": inline(policies).unwrap_or_else(|| json!([])),
            "AttachedManagedPolicies": self.attached(attached),
        });
        self.groups.push(group);
        name.to_owned()
    }

    /// Adds a customer managed policy with these versions, oldest first, of which `default`
    /// (from 0) is in force, and returns its ARN.
    pub(crate) fn policy(&mut self, name: &str, versions: Vec<Value>, default: usize) -> String {
        let arn = self.iam(&format!("policy/{name}"));
        let created = self.draw.moment();
        // AWS lists the newest version first.
        let versions: Vec<Value> = versions
            .into_iter()
            .enumerate()
            .rev()
            .map(|(position, document)| {
                json!({
                    "Document": document, "VersionId": format!("v{}", position + 1),
                    "IsDefaultVersion": position == default, "CreateDate": created,
                })
            })
            .collect();
        self.policies.push(json!({
            "PolicyName": name, "PolicyId": self.draw.unique_id("ANPA"), "Arn": arn, "Path": "/",
            "DefaultVersionId": format!("v{}", default + 1),
            "AttachmentCount": 0, "PermissionsBoundaryUsageCount": 0, "IsAttachable": true,
            "CreateDate": created, "UpdateDate": self.draw.moment(), "PolicyVersionList": versions,
        }));
        arn
    }

    /// Every policy, with its counts: the account's own, then AWS's as far as they are attached.
    pub(crate) fn all_policies(&mut self) -> Vec<Value> {
        let mut policies = std::mem::take(&mut self.policies);
        for policy in aws_managed_policy::all() {
            if !self.attachments.contains_key(&policy.arn) {
                continue;
            }
            let name = policy.arn.rsplit('/').next().unwrap_or_default();
            let path = policy
                .arn
                .split_once(":policy")
                .map_or("/", |(_, rest)| rest.strip_suffix(name).unwrap_or(rest));
            policies.push(json!({
                "PolicyName": name, "PolicyId": self.draw.unique_id("ANPA"), "Arn": policy.arn,
                "Path": path, "DefaultVersionId": policy.version_id,
                "AttachmentCount": 0, "PermissionsBoundaryUsageCount": 0, "IsAttachable": true,
                "CreateDate": "2015-02-06T18:39:46+00:00", "UpdateDate": "2025-06-02T17:20:03+00:00",
                "PolicyVersionList": [{
                    "Document": policy.document, "VersionId": policy.version_id,
                    "IsDefaultVersion": true, "CreateDate": "2025-06-02T17:20:03+00:00",
                }],
            }));
        }
        for policy in &mut policies {
            let arn = policy.get("Arn").and_then(Value::as_str).unwrap_or_default();
            let attached = self.attachments.get(arn).copied().unwrap_or_default();
            let bounding = self.boundaries.get(arn).copied().unwrap_or_default();
            put(policy, "AttachmentCount", Some(json!(attached)));
            put(policy, "PermissionsBoundaryUsageCount", Some(json!(bounding)));
        }
        policies
    }

    fn attached(&mut self, arns: &[String]) -> Value {
        arns.iter()
            .map(|arn| {
                *self.attachments.entry(arn.clone()).or_default() += 1;
                json!({ "PolicyName": arn.rsplit('/').next().unwrap_or_default(), "PolicyArn": arn })
            })
            .collect()
    }

    fn boundary(&mut self, arn: Option<String>) -> Option<Value> {
        let arn = arn?;
        *self.boundaries.entry(arn.clone()).or_default() += 1;
        Some(json!({ "PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn }))
    }
}

/// Sets a field of an object; without a value it is left out.
fn put(object: &mut Value, field: &str, value: Option<Value>) {
    if let (Some(fields), Some(value)) = (object.as_object_mut(), value) {
        fields.insert(field.to_owned(), value);
    }
}

fn inline(policies: Vec<(String, Value)>) -> Option<Value> {
    if policies.is_empty() {
        return None;
    }
    Some(
        policies
            .into_iter()
            .map(|(name, document)| json!({ "PolicyName": name, "PolicyDocument": document }))
            .collect(),
    )
}

fn tags(tags: Vec<(&'static str, String)>) -> Value {
    tags.into_iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}
