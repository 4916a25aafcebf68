//! The organization: its tree, and the control policies that stand on each level above an account.
//!
//! Implements <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html>
//! and <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps_evaluation.html>.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::details::is_account_id;
use super::documents::Documents;
use super::draft::Attributes;
use super::files::gap;
use super::pointer::{select, texts};
use super::response::{Response, ResponseFiles, is_one_page, one_page};
use super::world::{DocumentId, Known, OwnPolicy};
use crate::residual::Gap;

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

    /// Whether AWS said that the account is in no organization.
    ///
    /// <https://docs.aws.amazon.com/organizations/latest/APIReference/API_DescribeOrganization.html>
    pub(super) fn is_not_in_use(files: &mut ResponseFiles<'_>) -> bool {
        matches!(*files.response("describe-organization"), Response::Absent)
    }

    /// What there is where there is no organization: nothing.
    pub(super) fn none(documents: &mut Documents) -> Self {
        Self {
            unknown: documents.placeholder(gap(UNPLACED)),
            unmanaged: documents.placeholder(gap(UNMANAGED)),
            accounts: Some(BTreeSet::new()),
            trusted: Some(BTreeSet::new()),
            ..Self::default()
        }
    }

    /// Reads the organization's responses. What is missing or not understood goes to `gaps`.
    pub(super) fn read(
        files: &mut ResponseFiles<'_>,
        documents: &mut Documents,
        gaps: &mut Vec<Gap>,
    ) -> Self {
        let mut reading = Reading { files, gaps };
        let mut out = Self {
            unknown: documents.placeholder(gap(UNPLACED)),
            unmanaged: documents.placeholder(gap(UNMANAGED)),
            ..Self::default()
        };

        let about = reading.items(
            "describe-organization",
            "/Organization",
            &["/Id", "/MasterAccountId", "/FeatureSet"],
        );
        let about = about.ok().and_then(|items| items.into_iter().next()).unwrap_or_default();
        let mut about = about.into_iter();
        out.id = about.next().flatten().unwrap_or_default().into();
        out.management_account = about.next().flatten().map(Into::into);
        let billing_only = about.next().flatten().as_deref() == Some("CONSOLIDATED_BILLING");
        if let (None, Some((management, id))) = (&out.management_account, reading.owner()) {
            out.management_account = Some(management);
            if out.id.is_empty() {
                out.id = id;
            }
        }
        if out.management_account.is_none() {
            let place = reading.files.place("describe-organization");
            reading.gaps.push(gap(format!("{place}: the management account is not known")));
        }

        out.delegation = reading.delegation(documents);
        out.accounts = reading.items("list-accounts", "/Accounts/*", &["/Id"]).ok().map(|items| {
            items.into_iter().filter_map(|item| first(item).map(Into::into)).collect()
        });

        (out.delegated, out.trusted) = reading.administrators();

        let mut targets: Vec<Arc<str>> = Vec::new();
        if let Ok(roots) = reading.items("list-roots", "/Roots/*", &["/Id"]) {
            targets.extend(roots.into_iter().filter_map(first).map(Arc::from));
        }
        let enabled = reading.items("list-roots", "/Roots/*/PolicyTypes/*", &["/Type", "/Status"]);
        out.enabled = match enabled {
            _ if billing_only => Some(BTreeSet::new()),
            Ok(types) => Some(
                types
                    .into_iter()
                    .filter_map(|kind| match kind.as_slice() {
                        [Some(kind), Some(status)] if status == "ENABLED" => {
                            ControlPolicyKind::of(kind)
                        }
                        _ => None,
                    })
                    .collect(),
            ),
            Err(_) => None,
        };

        // Down the tree. A parent that comes up twice would be a circle.
        let mut seen: BTreeSet<Arc<str>> = targets.iter().cloned().collect();
        let mut at = 0;
        while let Some(parent) = targets.get(at).cloned() {
            at += 1;
            if !(parent.starts_with("r-") || parent.starts_with("ou-")) {
                continue;
            }
            let units = format!("list-organizational-units-for-parent/{parent}");
            let accounts = format!("list-accounts-for-parent/{parent}");
            for (command, items) in [(units, "/OrganizationalUnits/*"), (accounts, "/Accounts/*")] {
                let members = ["/Id", "/Name"];
                let Ok(children) = reading.items(&command, items, &members) else { continue };
                for child in children {
                    let [Some(child), title] = child.as_slice() else { continue };
                    let child = Arc::<str>::from(child.as_str());
                    if let Some(title) = title {
                        out.titles.insert(child.clone(), title.as_str().into());
                    }
                    if seen.insert(child.clone()) {
                        out.parents.insert(child.clone(), parent.clone());
                        targets.push(child);
                    }
                }
            }
        }

        for target in targets {
            let command = format!("list-policies-for-target/{target}");
            let policies = reading.items(&command, "/Policies/*", &["/Id", "/Type", "/Name"]);
            match policies {
                Ok(policies) => {
                    let mut here = Vec::new();
                    for policy in policies {
                        let [Some(id), Some(kind), name] = policy.as_slice() else {
                            let place = reading.files.place(&command);
                            let why = format!("{place}: a policy without Id or Type, left out");
                            reading.gaps.push(gap(why));
                            continue;
                        };
                        let Some(kind) = ControlPolicyKind::of(kind) else { continue };
                        let id: Arc<str> = id.as_str().into();
                        if !out.documents.contains_key(&id) {
                            let document = reading.document(&id, documents);
                            out.documents.insert(id.clone(), document);
                            out.types.insert(id.clone(), kind);
                            let name = name.as_deref().unwrap_or(&id);
                            out.names.entry(document).or_insert_with(|| name.into());
                        }
                        here.push((kind, id));
                    }
                    out.attached.insert(target, Ok(here));
                }
                Err(why) => {
                    // Under the target's own id: no policy has such an id.
                    let document = documents.missing(why.clone());
                    out.documents.insert(target.clone(), document);
                    out.attached.insert(target, Err(why));
                }
            }
        }
        // AWS's own can be attached where it is not.
        let service = ControlPolicyKind::ServiceControlPolicy;
        if out.types.values().any(|kind| *kind == service) {
            let id: Arc<str> = "p-FullAWSAccess".into();
            if !out.documents.contains_key(&id) {
                let document = reading.document(&id, documents);
                out.documents.insert(id.clone(), document);
                out.names.entry(document).or_insert_with(|| "FullAWSAccess".into());
            }
            out.types.entry(id).or_insert(service);
        }
        out
    }
}

fn first(item: Vec<Option<String>>) -> Option<String> {
    item.into_iter().next().flatten()
}

struct Reading<'a, 'b> {
    files: &'a mut ResponseFiles<'b>,
    gaps: &'a mut Vec<Gap>,
}

impl Reading<'_, '_> {
    /// For each item of a response the text at each pointer.
    fn items(
        &mut self,
        command: &str,
        items: &str,
        pointers: &[&str],
    ) -> Known<Vec<Vec<Option<String>>>> {
        let response = self.files.response(command);
        let place = self.files.place(command);
        let found = match &*response {
            // What is missing may be what decides.
            Response::Content(content) if is_one_page(content) => {
                let why = one_page(&place);
                self.note(why.clone());
                return Err(why);
            }
            Response::Content(content) => select(content, items, true).and_then(|items| {
                items
                    .into_iter()
                    .map(|item| {
                        pointers
                            .iter()
                            .map(|pointer| Ok(texts(item.value, pointer)?.into_iter().next()))
                            .collect()
                    })
                    .collect()
            }),
            Response::Absent => return Ok(Vec::new()),
            Response::Unknown(why) => {
                self.note(why.clone());
                return Err(why.clone());
            }
        };
        found.map_err(|wrong| {
            let at = wrong.at.escape_debug();
            let why = gap(format!("{place} at {at}: {}", wrong.problem));
            self.note(why.clone());
            why
        })
    }

    /// The management account and the organization's id, from the ARNs of accounts and roots: they
    /// have both.
    ///
    /// <https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html>
    fn owner(&mut self) -> Option<(Arc<str>, Arc<str>)> {
        for (command, items) in [("list-accounts", "/Accounts/*"), ("list-roots", "/Roots/*")] {
            if !self.files.is_there(command) {
                continue;
            }
            let found = self.items(command, items, &["/Arn"]).unwrap_or_default();
            for arn in found.into_iter().filter_map(first) {
                let mut parts = arn.splitn(6, ':').skip(2);
                let ("organizations", Some(owner)) =
                    (parts.next().unwrap_or_default(), parts.nth(1))
                else {
                    continue;
                };
                let id = parts.next().and_then(|rest| rest.split('/').nth(1));
                if let (true, Some(id)) = (is_account_id(owner), id) {
                    return Some((owner.into(), id.into()));
                }
            }
        }
        None
    }

    fn note(&mut self, why: Gap) {
        if !self.gaps.contains(&why) {
            self.gaps.push(why);
        }
    }

    /// Which services are delegated to which accounts, and which services may act in the
    /// organization's accounts. Who is a delegated administrator is used where it was asked: for
    /// one service (`list-delegated-administrators/SERVICE`), or account by account.
    #[expect(clippy::type_complexity, reason = "two fields of one organization")]
    fn administrators(
        &mut self,
    ) -> (BTreeMap<Arc<str>, BTreeSet<Arc<str>>>, Option<BTreeSet<Arc<str>>>) {
        let mut delegated: BTreeMap<Arc<str>, BTreeSet<Arc<str>>> = BTreeMap::new();
        let all = "list-delegated-administrators";
        let accounts = "/DelegatedAdministrators/*";
        let services: Vec<String> = self
            .files
            .responses()
            .starting("list-delegated-administrators/")
            .map(|(service, _)| service.to_owned())
            .collect();
        for service in &services {
            let found = self.items(&format!("{all}/{service}"), accounts, &["/Id"]);
            for account in found.unwrap_or_default().into_iter().filter_map(first) {
                delegated.entry(account.into()).or_default().insert(service.as_str().into());
            }
        }
        if self.files.is_there(all) {
            let found = self.items(all, accounts, &["/Id"]).unwrap_or_default();
            for account in found.into_iter().filter_map(first) {
                let command = format!("list-delegated-services-for-account/{account}");
                if !services.is_empty() && !self.files.is_there(&command) {
                    continue;
                }
                let of = self.items(&command, "/DelegatedServices/*", &["/ServicePrincipal"]);
                let of = of.unwrap_or_default().into_iter().filter_map(first).map(Arc::from);
                delegated.entry(account.into()).or_default().extend(of);
            }
        }
        let command = "list-aws-service-access-for-organization";
        let trusted = self.files.is_there(command).then(|| {
            self.items(command, "/EnabledServicePrincipals/*", &["/ServicePrincipal"]).ok()
        });
        let trusted = trusted.flatten().map(|items| {
            items.into_iter().filter_map(first).map(Arc::from).collect::<BTreeSet<_>>()
        });
        (delegated, trusted)
    }

    /// The organization's resource policy.
    fn delegation(&mut self, documents: &mut Documents) -> OwnPolicy {
        let command = "describe-resource-policy";
        let place = self.files.place(command);
        if !self.files.is_there(command) {
            return OwnPolicy::NotAsked(gap(format!("{place} was not asked")));
        }
        match &*self.files.response(command) {
            Response::Content(content) => match content.pointer("/ResourcePolicy/Content") {
                Some(Value::String(text)) => {
                    let at = || format!("{place} at /ResourcePolicy/Content");
                    OwnPolicy::Present(documents.intern_text(text, at))
                }
                _ => OwnPolicy::Unknown(gap(format!(
                    "{place} at /ResourcePolicy/Content: expected a policy document"
                ))),
            },
            Response::Absent => OwnPolicy::Absent,
            Response::Unknown(why) => OwnPolicy::Unknown(why.clone()),
        }
    }

    /// The document of a policy.
    fn document(&mut self, id: &str, documents: &mut Documents) -> DocumentId {
        let command = format!("describe-policy/{id}");
        if !self.files.is_there(&command)
            && let Some((_, text)) = FULL_ACCESS.iter().find(|(known, _)| *known == id)
        {
            return documents.intern_text(text, || format!("AWS's policy {id}"));
        }
        let response = self.files.response(&command);
        let place = self.files.place(&command);
        let why = match &*response {
            Response::Content(content) => match content.pointer("/Policy/Content") {
                Some(Value::String(text)) => {
                    return documents.intern_text(text, || format!("{place} at /Policy/Content"));
                }
                Some(object @ Value::Object(_)) => {
                    return documents
                        .intern(&object.to_string(), || format!("{place} at /Policy/Content"));
                }
                _ => gap(format!("{place} at /Policy/Content: expected a policy document")),
            },
            Response::Absent => gap(format!("{place}: the policy is attached, but is not there")),
            Response::Unknown(why) => why.clone(),
        };
        self.note(why.clone());
        documents.missing(why)
    }
}
