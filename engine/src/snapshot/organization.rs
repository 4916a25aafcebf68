//! The organization: its tree, and the control policies that stand on each level above an account.
//!
//! Implements <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html>
//! and <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps_evaluation.html>.

mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::draft::Attributes;
use super::files::gap;
use super::world::{DocumentId, Known, OwnPolicy, TAGS_NOT_KNOWN};
use crate::residual::Gap;

/// No response of a snapshot shows these.
const NO_TAGS: &str =
    "organization: tags of control policies and of what they are attached to are not collected";

/// The two kinds of organization policy that narrow authorization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ControlPolicyKind {
    /// What principals of an account can be allowed.
    ServiceControlPolicy,
    /// What resources of an account can allow.
    ResourceControlPolicy,
}

impl ControlPolicyKind {
    fn of(text: &str) -> Option<Self> {
        match text {
            "SERVICE_CONTROL_POLICY" => Some(Self::ServiceControlPolicy),
            "RESOURCE_CONTROL_POLICY" => Some(Self::ResourceControlPolicy),
            _ => None,
        }
    }

    /// As AWS writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ServiceControlPolicy => "SERVICE_CONTROL_POLICY",
            Self::ResourceControlPolicy => "RESOURCE_CONTROL_POLICY",
        }
    }

    fn in_arn(self) -> &'static str {
        match self {
            Self::ServiceControlPolicy => "service_control_policy",
            Self::ResourceControlPolicy => "resource_control_policy",
        }
    }
}

/// Kind and id of a control policy.
type ControlPolicy = (ControlPolicyKind, Arc<str>);

/// The policies that AWS attaches everywhere and that snapshots need not describe, from the pages
/// above.
const FULL_ACCESS: [(&str, &str); 2] = [
    (
        "p-FullAWSAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
    ),
    (
        "p-RCPFullAWSAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#,
    ),
];

/// Deepest tree: AWS allows five organizational units below the root.
const DEEPEST: usize = 16;

/// An organization: root, organizational units, accounts, and the control policies on each.
#[derive(Clone, Debug, Default)]
pub struct Organization {
    /// `o-...`; empty if `describe-organization` was not asked.
    pub id: Arc<str>,
    /// The account that owns the organization: no control policy applies to it.
    pub management_account: Option<Arc<str>>,
    /// What stands above each account and organizational unit.
    parents: BTreeMap<Arc<str>, Arc<str>>,
    /// The accounts, if they were listed.
    accounts: Option<BTreeSet<Arc<str>>>,
    /// Kinds of policy that are switched on, if the root says.
    enabled: Option<BTreeSet<ControlPolicyKind>>,
    /// Control policies by what they are attached to.
    attached: BTreeMap<Arc<str>, Known<Vec<ControlPolicy>>>,
    /// Documents by policy.
    documents: BTreeMap<Arc<str>, DocumentId>,
    /// Names by policy.
    names: BTreeMap<DocumentId, Arc<str>>,
    /// Names of organizational units and accounts, by id.
    titles: BTreeMap<Arc<str>, Arc<str>>,
    /// The kind of each policy.
    types: BTreeMap<Arc<str>, ControlPolicyKind>,
    /// The policy with which the management account lets other accounts work on the organization.
    delegation: OwnPolicy,
    /// The document that is not known: for what the tree does not say.
    unknown: DocumentId,
    /// The same where it is not known whether the account is the management account.
    unmanaged: DocumentId,
    /// Accounts to which the management account has delegated services, with the services.
    delegated: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    /// Why there may be more such accounts or services.
    delegated_more: Option<Gap>,
    /// Services that may act in the organization's accounts, if they were listed.
    trusted: Option<BTreeSet<Arc<str>>>,
}

const UNPLACED: &str = "organization: where the account stands in the tree was not collected";

const UNMANAGED: &str = "organization: which account is the management account, which no control \
    policy binds, is not known";

/// What an attacker has changed in an organization, by ids of policies and targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrganizationChanges {
    /// Target and policy, no longer attached.
    pub detached: BTreeSet<(Arc<str>, Arc<str>)>,
    /// Target and policy, attached in addition; without policy a service control policy that allows
    /// everything.
    pub attached: BTreeSet<(Arc<str>, Option<Arc<str>>)>,
    /// Policies that allow everything.
    pub rewritten: BTreeSet<Arc<str>>,
    /// Kinds of policy that are switched off.
    pub off: BTreeSet<ControlPolicyKind>,
    /// Accounts that have left.
    pub left: BTreeSet<Arc<str>>,
    /// Accounts with another parent.
    pub moved: BTreeMap<Arc<str>, Arc<str>>,
}

/// A control policy at one place of the organization.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attachment {
    /// Root, organizational unit or account; empty where that is not known.
    pub target: Arc<str>,
    /// The policy's id; empty where it is not known, or a new one of the attacker's.
    pub policy: Arc<str>,
    /// What it says; `None` if it allows everything by now.
    pub document: Option<DocumentId>,
}

/// A type of target: as AWS names it, and in ARNs.
struct TargetType {
    name: &'static str,
    in_arn: &'static str,
}

fn target_type(id: &str) -> TargetType {
    if id.starts_with("r-") {
        TargetType { name: "ROOT", in_arn: "root" }
    } else if id.starts_with("ou-") {
        TargetType { name: "ORGANIZATIONAL_UNIT", in_arn: "ou" }
    } else {
        TargetType { name: "ACCOUNT", in_arn: "account" }
    }
}

impl Organization {
    /// Service control policies that apply to principals of an account, by level from the root
    /// down to the account. Empty where none apply: in the management account, in an account
    /// outside the organization, and while the policies are switched off. What was not collected
    /// is a document whose policy is a gap.
    pub fn service_control_levels(&self, account: &str) -> Vec<Vec<DocumentId>> {
        self.levels(account, ControlPolicyKind::ServiceControlPolicy)
    }

    /// Resource control policies that apply to resources of an account, likewise. A level that has
    /// none is left out: AWS's own policy that allows everything cannot be detached.
    pub fn resource_control_levels(&self, account: &str) -> Vec<Vec<DocumentId>> {
        let mut levels = self.levels(account, ControlPolicyKind::ResourceControlPolicy);
        levels.retain(|level| !level.is_empty());
        levels
    }

    /// Where the levels of [`Organization::service_control_levels`] stand, by id: the root,
    /// organizational units, the account.
    pub fn service_control_targets(&self, account: &str) -> Vec<Arc<str>> {
        self.above(account).unwrap_or_default()
    }

    /// Likewise for [`Organization::resource_control_levels`].
    pub fn resource_control_targets(&self, account: &str) -> Vec<Arc<str>> {
        let levels = self.levels(account, ControlPolicyKind::ResourceControlPolicy);
        let targets = self.service_control_targets(account);
        let kept = targets.into_iter().zip(levels).filter(|(_, level)| !level.is_empty());
        kept.map(|(target, _)| target).collect()
    }

    /// The id of a control policy, `p-...`.
    pub fn policy_id(&self, document: DocumentId) -> Option<&str> {
        self.documents.iter().find(|(_, known)| **known == document).map(|(id, _)| &**id)
    }

    /// What a control policy says, by its id.
    pub fn policy_document(&self, policy: &str) -> Option<DocumentId> {
        self.documents.get(policy).copied()
    }

    /// Why the control policies of an account are not known, if the tree does not say where it stands.
    pub(super) fn unplaced(&self, account: &str) -> Option<Gap> {
        let kinds =
            [ControlPolicyKind::ServiceControlPolicy, ControlPolicyKind::ResourceControlPolicy];
        let mut levels = kinds.into_iter().flat_map(|kind| self.levels(account, kind));
        levels.any(|level| level.contains(&self.unknown)).then(|| gap(UNPLACED))
    }

    /// The control policies of the organization, whether they are attached anywhere or not.
    pub(crate) fn control_documents(&self) -> impl Iterator<Item = DocumentId> {
        self.documents.values().copied()
    }

    /// The accounts that it is known to have, in order.
    pub fn accounts(&self) -> impl Iterator<Item = &Arc<str>> {
        self.accounts.iter().flatten()
    }

    /// Whether the organization has the account. Unknown if neither `list-accounts` nor the tree
    /// was collected.
    pub fn contains(&self, account: &str) -> Option<bool> {
        match &self.accounts {
            Some(accounts) => Some(accounts.contains(account)),
            None => self.parents.contains_key(account).then_some(true),
        }
    }

    /// Whether an account may be one from which the organization is managed: it is the management
    /// account, which need not be known, or some service is delegated to it.
    pub fn may_be_managed_by(&self, account: &str) -> bool {
        let managing = self.management_account.as_deref();
        (managing.is_none_or(|management| management == account)
            && self.contains(account) != Some(false))
            || self.has_delegated_to(account)
    }

    /// Whether the management account has delegated some service to an account.
    pub fn has_delegated_to(&self, account: &str) -> bool {
        self.delegated.get(account).is_some_and(|services| !services.is_empty())
    }

    /// Whether the management account has delegated a service, by its service principal, to an
    /// account.
    pub fn is_delegated(&self, account: &str, service: &str) -> bool {
        self.delegated.get(account).is_some_and(|services| services.contains(service))
    }

    /// Why an account may be delegated more services than [`Self::is_delegated`] says.
    pub(super) fn delegated_more(&self) -> Option<&Gap> {
        self.delegated_more.as_ref()
    }

    /// Whether a service may act in the organization's accounts. `None` if
    /// `list-aws-service-access-for-organization` was not asked.
    pub fn trusts_service(&self, service: &str) -> Option<bool> {
        self.trusted.as_ref().map(|services| services.contains(service))
    }

    /// The path of an account as `aws:PrincipalOrgPaths` has it: `o-.../r-.../ou-.../`. `None` if
    /// the tree does not say.
    ///
    /// - `changes`: what has become of the organization.
    pub fn path(&self, account: &str, changes: &OrganizationChanges) -> Option<String> {
        let mut out = format!("{}/", self.id);
        let above = self.above_after(account, changes)?;
        for part in above.iter().filter(|part| &***part != account) {
            out.push_str(part);
            out.push('/');
        }
        Some(out)
    }

    /// As [`Self::above`], after changes.
    fn above_after(&self, account: &str, changes: &OrganizationChanges) -> Option<Vec<Arc<str>>> {
        let moved = changes.moved.get(account).and_then(|parent| {
            if parent.starts_with("r-") { Some(vec![parent.clone()]) } else { self.above(parent) }
        });
        match moved {
            Some(mut above) => {
                above.push(account.into());
                Some(above)
            }
            None => self.above(account),
        }
    }

    /// What people call an organizational unit or an account.
    pub fn title(&self, id: &str) -> Option<&str> {
        self.titles.get(id).map(|title| &**title)
    }

    /// What people call a control policy.
    pub fn policy_name(&self, document: DocumentId) -> Option<&str> {
        self.names.get(&document).map(|name| &**name)
    }

    /// The organization's policies and what they are attached to, as objects of the management
    /// account. Their names are their ids.
    ///
    /// - `denies`: whether a document denies something.
    pub(super) fn objects(
        &self,
        partition: &str,
        denies: impl Fn(DocumentId) -> bool,
    ) -> Vec<(&'static str, String, Arc<str>, Attributes)> {
        let Some(management) = self.management_account.as_deref() else { return Vec::new() };
        let arn = |rest: String| format!("arn:{partition}:organizations::{management}:{rest}");
        let policy_arn = |id: &str, kind: ControlPolicyKind| match FULL_ACCESS
            .iter()
            .any(|(known, _)| *known == id)
        {
            true => format!("arn:{partition}:organizations::aws:policy/{}/{id}", kind.in_arn()),
            false => arn(format!("policy/{}/{}/{id}", self.id, kind.in_arn())),
        };
        let target_arn = |id: &str| {
            let kind = target_type(id);
            arn(format!("{}/{}/{id}", kind.in_arn, self.id))
        };
        let yes = |holds: bool| -> Known<Vec<Arc<str>>> {
            Ok(if holds { vec!["true".into()] } else { Vec::new() })
        };
        let document = |policy: &Arc<str>| self.documents.get(policy).copied();
        let mut out = Vec::new();
        for (policy, kind) in &self.types {
            let targets = self.attached.iter().filter(|(_, attached)| {
                attached.as_ref().is_ok_and(|attached| attached.iter().any(|(_, id)| id == policy))
            });
            let attributes: Attributes = [
                ("type".into(), Ok(vec![kind.name().into()])),
                ("denies".into(), yes(document(policy).is_some_and(&denies))),
                ("targets".into(), Ok(targets.map(|(id, _)| target_arn(id).into()).collect())),
                ("aws-managed".into(), yes(FULL_ACCESS.iter().any(|(id, _)| *id == &**policy))),
                (TAGS_NOT_KNOWN.into(), Err(gap(NO_TAGS))),
            ]
            .into();
            out.push((
                "organizations:policy",
                policy_arn(policy, *kind),
                policy.clone(),
                attributes,
            ));
        }
        for (target, attached) in &self.attached {
            let policies: &[ControlPolicy] = attached.as_ref().map_or(&[], Vec::as_slice);
            let arns = policies.iter().map(|(kind, id)| policy_arn(id, *kind).into()).collect();
            let denying = policies.iter().any(|(_, id)| document(id).is_some_and(&denies));
            let full = policies.iter().any(|(_, id)| &**id == "p-FullAWSAccess");
            let parent = self.parents.get(target).map(|parent| target_arn(parent).into());
            let elsewhere = match target_type(target).name {
                "ACCOUNT" => Vec::new(),
                _ => self.elsewhere(target).map(|other| target_arn(other).into()).collect(),
            };
            let attributes: Attributes = [
                ("type".into(), Ok(vec![target_type(target).name.into()])),
                ("policies".into(), Ok(arns)),
                ("denies".into(), yes(denying)),
                ("full-access".into(), yes(full)),
                ("parent".into(), Ok(parent.into_iter().collect())),
                ("elsewhere".into(), Ok(elsewhere)),
                (TAGS_NOT_KNOWN.into(), Err(gap(NO_TAGS))),
            ]
            .into();
            out.push(("organizations:target", target_arn(target), target.clone(), attributes));
        }
        out
    }

    /// The other parents that accounts of this one can be moved to and where not all that binds them
    /// here binds them as well.
    fn elsewhere<'o>(&'o self, parent: &'o Arc<str>) -> impl Iterator<Item = &'o Arc<str>> {
        let here = self.bound_below(parent);
        let is_parent = |id: &Arc<str>| target_type(id).name != "ACCOUNT";
        let others = self.attached.keys().filter(move |other| is_parent(other) && *other != parent);
        others.filter(move |other| match (&here, self.bound_below(other)) {
            // What is attached in several places binds in each of them by itself.
            (Some(here), Some(there)) => here == &there || !here.is_subset(&there),
            _ => true,
        })
    }

    /// The control policies above accounts of a parent. `None` if they are not known, or some level
    /// does not allow everything by AWS's own policy.
    fn bound_below(&self, parent: &Arc<str>) -> Option<BTreeSet<&Arc<str>>> {
        let above = match target_type(parent).name {
            "ROOT" => vec![parent.clone()],
            _ => self.above(parent)?,
        };
        let mut out = BTreeSet::new();
        for target in above {
            let attached = self.attached.get(&target)?.as_ref().ok()?;
            let full = attached.iter().any(|(_, policy)| **policy == *"p-FullAWSAccess");
            let service = ControlPolicyKind::ServiceControlPolicy;
            if !full && attached.iter().any(|(kind, _)| *kind == service) {
                return None;
            }
            out.extend(attached.iter().map(|(_, policy)| policy));
        }
        Some(out)
    }

    /// What lets principals of other accounts work on the organization, if it is known.
    pub(super) fn delegation(&self) -> &OwnPolicy {
        &self.delegation
    }

    /// Root, organizational units and the account itself, from the top.
    fn above(&self, account: &str) -> Option<Vec<Arc<str>>> {
        let mut chain: Vec<Arc<str>> = vec![account.into()];
        let mut at = self.parents.get(account)?;
        loop {
            chain.push(at.clone());
            if at.starts_with("r-") {
                chain.reverse();
                return Some(chain);
            }
            if chain.len() > DEEPEST {
                return None;
            }
            at = self.parents.get(at)?;
        }
    }

    fn levels(&self, account: &str, kind: ControlPolicyKind) -> Vec<Vec<DocumentId>> {
        let levels = self.changed_levels(account, kind, &OrganizationChanges::default());
        levels.into_iter().map(|level| level.into_iter().flatten().collect()).collect()
    }

    /// The levels of one kind of policy as they are after changes; `None` stands for a policy that
    /// allows everything.
    pub fn changed_levels(
        &self,
        account: &str,
        kind: ControlPolicyKind,
        changes: &OrganizationChanges,
    ) -> Vec<Vec<Option<DocumentId>>> {
        let levels = self.attachments(account, kind, changes).into_iter();
        levels.map(|level| level.into_iter().map(|one| one.document).collect()).collect()
    }

    /// The same with what is attached where: two attachments may have one document.
    pub fn attachments(
        &self,
        account: &str,
        kind: ControlPolicyKind,
        changes: &OrganizationChanges,
    ) -> Vec<Vec<Attachment>> {
        let is_service = kind == ControlPolicyKind::ServiceControlPolicy;
        let nowhere = Arc::<str>::default();
        let unknown = |document| Attachment {
            target: nowhere.clone(),
            policy: nowhere.clone(),
            document: Some(document),
        };
        if changes.off.contains(&kind) || changes.left.contains(account) {
            return Vec::new();
        }
        if self.management_account.as_deref() == Some(account)
            || self.contains(account) == Some(false)
        {
            return Vec::new();
        }
        let Some(above) = self.above_after(account, changes) else {
            return vec![vec![unknown(self.unknown)]];
        };
        let mut any = false;
        let levels: Vec<Vec<Attachment>> = above
            .iter()
            .map(|target| match self.attached.get(target) {
                Some(Ok(policies)) => {
                    let detached = |policy: &Arc<str>| {
                        changes.detached.contains(&(target.clone(), policy.clone()))
                    };
                    let at = |policy: &Arc<str>, document: Option<DocumentId>| Attachment {
                        target: target.clone(),
                        policy: policy.clone(),
                        document,
                    };
                    let one = |policy: &Arc<str>| {
                        let document = self.documents.get(policy).copied()?;
                        let rewritten = changes.rewritten.contains(policy);
                        Some(at(policy, (!rewritten).then_some(document)))
                    };
                    let here = policies.iter().filter(|(of, _)| *of == kind);
                    let here = here.map(|(_, policy)| policy);
                    let kept = here.clone().filter(|policy| !detached(policy));
                    let added = changes.attached.iter().filter(|(to, _)| to == target);
                    let added = added.filter_map(|(_, policy)| match policy {
                        Some(policy) if self.types.get(policy) == Some(&kind) => one(policy),
                        None if is_service => Some(at(&nowhere, None)),
                        _ => None,
                    });
                    let mut level: Vec<Attachment> = kept.filter_map(one).chain(added).collect();
                    // The last one of a place cannot be detached.
                    if is_service && level.is_empty() {
                        level.extend(here.filter_map(one).take(1));
                    }
                    any |= !level.is_empty();
                    level
                }
                _ => {
                    any = true;
                    vec![unknown(self.documents.get(target).copied().unwrap_or(self.unknown))]
                }
            })
            .collect();
        // While a kind of policy is switched off nothing of it is attached anywhere, not even
        // AWS's own that allows everything.
        let off = self.enabled.as_ref().is_some_and(|enabled| !enabled.contains(&kind));
        if !any && (off || self.enabled.is_none()) {
            return Vec::new();
        }
        // Where all that is attached allows everything, it makes no difference who is bound.
        if self.management_account.is_none() && !self.allow_everything(kind, &levels) {
            return vec![vec![unknown(self.unmanaged)]];
        }
        levels
    }

    /// Whether nothing but AWS's own policies that allow everything is attached at every level.
    fn allow_everything(&self, kind: ControlPolicyKind, levels: &[Vec<Attachment>]) -> bool {
        let none_counts = kind == ControlPolicyKind::ResourceControlPolicy;
        let full: Vec<DocumentId> = FULL_ACCESS
            .iter()
            .filter_map(|(policy, _)| self.documents.get(*policy).copied())
            .collect();
        let allows = |one: &Attachment| one.document.is_none_or(|at| full.contains(&at));
        levels.iter().all(|level| (none_counts || !level.is_empty()) && level.iter().all(allows))
    }

    /// With the documents' ids changed.
    pub(super) fn with_documents(mut self, new: &[DocumentId]) -> Self {
        let change = |id: DocumentId| new.get(id.0 as usize).copied().unwrap_or(id);
        for id in self.documents.values_mut() {
            *id = change(*id);
        }
        self.names = self.names.into_iter().map(|(id, name)| (change(id), name)).collect();
        self.unknown = change(self.unknown);
        self.unmanaged = change(self.unmanaged);
        if let OwnPolicy::Present(id) = &mut self.delegation {
            *id = change(*id);
        }
        self
    }
}
