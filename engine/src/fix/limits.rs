//! Edits that add a deny: to a principal's permissions boundary, or to an account by a service
//! control policy.
//!
//! A boundary gets a policy of its own: what the one before says, or everything, and the denies.
//! So nobody else with the same boundary loses anything. A control policy spares the principals
//! that are to stay at the goal.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html>
//! and <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_syntax.html>.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::edits::{decoded, holder, read, statements};
use crate::answer::{Call, Path};
use crate::snapshot::{Detail, Object, PolicySource, SnapshotFiles, World};

/// The most control policies that an account has attached.
/// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html>
const MOST_ATTACHED: usize = 5;

/// The most principals that a control policy spares: their ARNs have to fit into it.
const MOST_SPARED: usize = 20;

/// What people call the control policy that is added.
const CONTROL_POLICY: &str = "deny-escalation";

/// What a deny is added to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Limited {
    /// The permissions boundary of a user or role, by ARN, in the file with its details.
    Boundary { file: Arc<str>, of: Arc<str> },
    /// The control policies of an account, by id.
    Account(Arc<str>),
}

/// A deny that is added.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Limit {
    pub(super) of: Limited,
    /// `service:Name`.
    pub(super) action: Arc<str>,
    /// An ARN, or `*`.
    pub(super) resource: Arc<str>,
}

impl Limit {
    /// How much it takes away: more than edits that only remove, and with a control policy, from
    /// all others in the account as well, most.
    pub(super) fn weight(&self) -> i32 {
        let narrow = if &*self.resource == "*" { 5 } else { 0 };
        match self.of {
            Limited::Boundary { .. } => 60 + narrow,
            Limited::Account(_) => 80 + narrow,
        }
    }

    /// Whom it limits: a principal's ARN or an account's id.
    pub(super) fn whose(&self) -> &Arc<str> {
        match &self.of {
            Limited::Boundary { of, .. } => of,
            Limited::Account(account) => account,
        }
    }

    /// The file that says whom it limits.
    pub(super) fn file(&self) -> Arc<str> {
        match &self.of {
            Limited::Boundary { file, .. } => file.clone(),
            Limited::Account(account) => attachments(account).into(),
        }
    }
}

fn attachments(account: &str) -> String {
    format!("organization/list-policies-for-target/{account}.json")
}

/// A call as far as limits ask about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Checked {
    pub(super) actor: Arc<str>,
    pub(super) action: Arc<str>,
    pub(super) resource: Arc<str>,
    /// What no longer limits it there: the attacker has taken it off before.
    pub(super) lifted: Vec<Limited>,
}

impl Checked {
    pub(super) fn of(call: &Call) -> Self {
        Self {
            actor: call.actor.clone(),
            action: call.action.clone(),
            resource: call.resource.clone(),
            lifted: Vec::new(),
        }
    }

    pub(super) fn account(&self) -> &str {
        self.actor.split(':').nth(4).unwrap_or_default()
    }
}

/// What is known about limits of a snapshot.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits {
    /// The organization's id and management account.
    organization: Option<(Arc<str>, Arc<str>)>,
    /// Accounts that can have one more control policy, with its id and whom it spares.
    accounts: BTreeMap<Arc<str>, (String, Vec<Arc<str>>)>,
    /// Boundaries by their principal, as far as limits were offered.
    boundaries: BTreeMap<Arc<str>, Boundary>,
}

/// The boundary that a principal would get.
#[derive(Clone, Debug)]
struct Boundary {
    /// The new policy, by ARN.
    policy: Arc<str>,
    /// The one before, by ARN.
    before: Option<Arc<str>>,
}

impl Limits {
    /// The accounts that control policies can limit.
    ///
    /// - `spared`: whom no control policy may take anything from.
    ///
    /// None of the management account's, which they do not bind.
    pub(super) fn new(files: &SnapshotFiles, world: &World, spared: &BTreeSet<Arc<str>>) -> Self {
        let mut out = Self::default();
        let Some(organization) = &world.organization else { return out };
        let Some(management) = &organization.management_account else { return out };
        out.organization = Some((organization.id.clone(), management.clone()));
        for account in world.accounts.iter().map(|account| &account.id) {
            // Empty where none apply, and while they are switched off.
            if organization.service_control_levels(account).is_empty() {
                continue;
            }
            let Some(list) = files.get(&attachments(account)).and_then(|text| read(text)) else {
                continue;
            };
            let Some(Value::Array(attached)) = list.get("Policies") else { continue };
            let own: Vec<Arc<str>> = spared
                .iter()
                .filter(|arn| arn.split(':').nth(4) == Some(account))
                .cloned()
                .collect();
            let of_kind = attached.iter().filter(|policy| {
                policy.get("Type").and_then(Value::as_str) == Some("SERVICE_CONTROL_POLICY")
            });
            if of_kind.count() >= MOST_ATTACHED || own.len() > MOST_SPARED {
                continue;
            }
            let mut id = format!("p-escalade{account}");
            while files.get(&description(&id)).is_some() {
                id.push('x');
            }
            out.accounts.insert(account.clone(), (id, own));
        }
        out
    }

    /// The denies that stop a call: of this resource where it is one of the snapshot's, and of all.
    /// Others the attacker picks, and could pick another.
    ///
    /// - `details`: the file with the details of who calls, and what is in it.
    pub(super) fn offered(
        &mut self,
        world: &World,
        details: Option<(&Arc<str>, &Value)>,
        call: &Checked,
    ) -> Vec<Limit> {
        let mut places = Vec::new();
        let actor = world.find(&call.actor).and_then(|id| world.object(id));
        if let (Some(actor), Some((file, value))) = (actor, details)
            && self.boundable(world, value, actor)
        {
            places.push(Limited::Boundary { file: file.clone(), of: actor.arn.clone() });
            places.retain(|place| !call.lifted.contains(place));
        }
        let account = Limited::Account(call.account().into());
        let everywhere = Limit { of: account, action: call.action.clone(), resource: "*".into() };
        if self.stops(&everywhere, call) {
            places.push(everywhere.of);
        }
        let named =
            world.find(&call.resource).is_some() && !call.resource.contains(['*', '?', '$']);
        let resources = [named.then(|| call.resource.clone()), Some("*".into())];
        let limit = |of: &Limited, resource: Arc<str>| Limit {
            of: of.clone(),
            action: call.action.clone(),
            resource,
        };
        let resources: Vec<Arc<str>> = resources.into_iter().flatten().collect();
        places
            .iter()
            .flat_map(|of| resources.iter().map(|resource| limit(of, resource.clone())))
            .collect()
    }

    /// Whether the principal can get another boundary. Service-linked roles have none, and those of
    /// permission sets are changed by Identity Center only.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePermissionsBoundary.html>
    fn boundable(&mut self, world: &World, details: &Value, principal: &Object) -> bool {
        let (kind, boundary) = match &principal.detail {
            Detail::User(user) => ("user", &user.boundary),
            Detail::Role(role) => ("role", &role.boundary),
            _ => return false,
        };
        if self.boundaries.contains_key(&principal.arn) {
            return true;
        }
        if principal.arn.contains(":role/aws-service-role/")
            || principal.arn.contains(":role/aws-reserved/")
        {
            return false;
        }
        let before = match boundary {
            None => None,
            Some(PolicySource::Managed(id)) => world.object(*id).map(|policy| policy.arn.clone()),
            Some(_) => return false,
        };
        if before.as_deref().is_some_and(|arn| current(details, arn).is_none()) {
            return false;
        }
        let mut parts = principal.arn.split(':');
        let (partition, account) = (parts.nth(1).unwrap_or("aws"), parts.nth(2).unwrap_or(""));
        let mut policy =
            format!("arn:{partition}:iam::{account}:policy/boundary-of-{kind}-{}", principal.name);
        while world.find(&policy).is_some() {
            policy.push('x');
        }
        let boundary = Boundary { policy: policy.into(), before };
        self.boundaries.insert(principal.arn.clone(), boundary);
        true
    }

    /// Whether a limit stops a call.
    pub(super) fn stops(&self, limit: &Limit, call: &Checked) -> bool {
        let about = limit.action.eq_ignore_ascii_case(&call.action)
            && (&*limit.resource == "*" || limit.resource == call.resource);
        about
            && !call.lifted.contains(&limit.of)
            && match &limit.of {
                Limited::Boundary { of, .. } => *of == call.actor,
                Limited::Account(account) => {
                    let spares = |(_, spared): &(_, Vec<Arc<str>>)| spared.contains(&call.actor);
                    **account == *call.account()
                        && self.accounts.get(account).is_some_and(|known| !spares(known))
                }
            }
    }

    /// The policy that a boundary replaced, by ARN: `None` if the policy is no such boundary,
    /// `Some(None)` if it replaced none.
    pub(super) fn replaced(&self, policy: &str) -> Option<Option<&Arc<str>>> {
        let boundary = self.boundaries.values().find(|boundary| &*boundary.policy == policy)?;
        Some(boundary.before.as_ref())
    }

    /// Whether a path goes by what a limit has put there: the new policy itself, or that a
    /// principal has a boundary of another name. Anything else only becomes less by it.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html>
    pub(super) fn goes_by(&self, path: &Path, limit: &Limit) -> bool {
        let id = match &limit.of {
            Limited::Boundary { of, .. } => self.boundaries.get(of).map(|known| &*known.policy),
            Limited::Account(account) => self.accounts.get(account).map(|(id, _)| id.as_str()),
        };
        let Some(id) = id else { return false };
        let bounded = matches!(limit.of, Limited::Boundary { .. });
        path.steps.iter().flat_map(|step| &step.calls).any(|call| {
            call.resource.ends_with(id)
                || call.context.iter().any(|(key, value)| {
                    bounded && key.eq_ignore_ascii_case(BOUNDARY_KEY)
                        || value.0.iter().any(|value| value.ends_with(id))
                })
        })
    }

    /// Makes limits in files in which all other edits are made.
    pub(super) fn make(&self, files: &mut SnapshotFiles, limits: &[&Limit]) {
        let mut by_place: BTreeMap<&Limited, Vec<&Limit>> = BTreeMap::new();
        for limit in limits {
            by_place.entry(&limit.of).or_default().push(limit);
        }
        for (place, limits) in by_place {
            match place {
                Limited::Boundary { file, of } => self.bound(files, file, of, &limits),
                Limited::Account(account) => self.attach(files, account, &limits),
            }
        }
    }

    fn bound(&self, files: &mut SnapshotFiles, file: &str, of: &Arc<str>, limits: &[&Limit]) {
        let Some(mut value) = files.get(file).and_then(|text| read(text)) else { return };
        let Some(boundary) = self.boundaries.get(of) else { return };
        let Some(document) = self.document(&value, limits) else { return };
        let name = boundary.policy.rsplit('/').next().unwrap_or_default();
        let policy = json!({
            "PolicyName": name, "PolicyId": format!("ANPA{}", name.to_uppercase()),
            "Arn": &*boundary.policy, "Path": "/", "DefaultVersionId": "v1", "AttachmentCount": 0,
            "PermissionsBoundaryUsageCount": 1, "IsAttachable": true,
            "PolicyVersionList": [
                { "Document": document, "VersionId": "v1", "IsDefaultVersion": true }],
        });
        let Some((principal, _)) = holder(&mut value, of) else { return };
        let Some(members) = principal.as_object_mut() else { return };
        members.insert(
            "PermissionsBoundary".to_owned(),
            json!({
                "PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": &*boundary.policy,
            }),
        );
        let Some(members) = value.as_object_mut() else { return };
        let policies = members.entry("Policies").or_insert_with(|| json!([]));
        let Some(policies) = policies.as_array_mut() else { return };
        policies.push(policy);
        files.set(file, Some(value.to_string().into()));
    }

    fn attach(&self, files: &mut SnapshotFiles, account: &Arc<str>, limits: &[&Limit]) {
        let file = attachments(account);
        let Some(mut list) = files.get(&file).and_then(|text| read(text)) else { return };
        let Some((id, _)) = self.accounts.get(account) else { return };
        let Some((organization, management)) = &self.organization else { return };
        let Some(document) = self.document(&list, limits) else { return };
        let Some(Value::Array(attached)) = list.get_mut("Policies") else { return };
        let summary = json!({
            "Id": id, "Name": CONTROL_POLICY, "Type": "SERVICE_CONTROL_POLICY", "AwsManaged": false,
            "Arn": format!("arn:aws:organizations::{management}:policy/{organization}/service_control_policy/{id}"),
        });
        attached.push(summary.clone());
        files.set(&file, Some(list.to_string().into()));
        let policy =
            json!({ "Policy": { "PolicySummary": summary, "Content": document.to_string() } });
        files.set(&description(id), Some(policy.to_string().into()));
    }

    /// The policy with these limits, all of one place.
    ///
    /// - `value`: the file of [`Limit::file`].
    pub(super) fn document(&self, value: &Value, limits: &[&Limit]) -> Option<Value> {
        let denies = limits.iter().map(|limit| self.statement(limit));
        let mut out: Vec<Value> = match &limits.first()?.of {
            Limited::Boundary { of, .. } => match &self.boundaries.get(of)?.before {
                Some(before) => statements(&current(value, before)?).to_vec(),
                None => vec![json!({ "Effect": "Allow", "Action": "*", "Resource": "*" })],
            },
            Limited::Account(_) => Vec::new(),
        };
        out.extend(denies);
        Some(json!({ "Version": "2012-10-17", "Statement": out }))
    }

    /// The policy that a limit of this place is added to, where there is one.
    pub(super) fn before(&self, value: &Value, of: &Limited) -> Option<Value> {
        match of {
            Limited::Boundary { of, .. } => {
                current(value, self.boundaries.get(of)?.before.as_ref()?)
            }
            Limited::Account(_) => None,
        }
    }

    fn statement(&self, limit: &Limit) -> Value {
        let mut out = json!({
            "Effect": "Deny", "Action": &*limit.action, "Resource": &*limit.resource,
        });
        if let Limited::Account(account) = &limit.of
            && let Some((_, spared)) = self.accounts.get(account)
            && !spared.is_empty()
            && let Some(members) = out.as_object_mut()
        {
            let spared: Vec<&str> = spared.iter().map(|arn| &**arn).collect();
            let condition = json!({ "ArnNotEquals": { "aws:PrincipalArn": spared } });
            members.insert("Condition".to_owned(), condition);
        }
        out
    }

    /// What the policy of a place is called, and whose it is: an ARN.
    pub(super) fn called(&self, of: &Limited) -> (Option<Arc<str>>, Arc<str>) {
        match of {
            Limited::Boundary { of, .. } => {
                let policy = self.boundaries.get(of).map(|known| &*known.policy);
                let name = policy.and_then(|arn| arn.rsplit('/').next()).unwrap_or_default();
                (Some(of.clone()), name.into())
            }
            Limited::Account(account) => {
                let of = self.organization.as_ref().map(|(id, management)| {
                    format!("arn:aws:organizations::{management}:account/{id}/{account}").into()
                });
                (of, CONTROL_POLICY.into())
            }
        }
    }
}

/// The key that depends on which boundary a principal has.
const BOUNDARY_KEY: &str = "iam:PermissionsBoundary";

/// Whether a snapshot has conditions on which boundary a principal has.
pub(super) fn asks_for_boundaries(files: &SnapshotFiles) -> bool {
    let key = BOUNDARY_KEY.to_lowercase();
    files.files().any(|(_, text)| text.to_lowercase().contains(&key))
}

fn description(policy: &str) -> String {
    format!("organization/describe-policy/{policy}.json")
}

/// The document of a managed policy in details.
fn current(details: &Value, arn: &str) -> Option<Value> {
    let is = |value: &Value, member: &str, text: &str| {
        value.get(member).and_then(Value::as_str) == Some(text)
    };
    let policies = details.get("Policies")?.as_array()?;
    let policy = policies.iter().find(|policy| is(policy, "Arn", arn))?;
    let default = policy.get("DefaultVersionId")?.as_str()?;
    let versions = policy.get("PolicyVersionList")?.as_array()?;
    decoded(versions.iter().find(|version| is(version, "VersionId", default))?.get("Document")?)
}
