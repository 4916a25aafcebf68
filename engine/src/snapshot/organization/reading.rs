//! Reading an organization from its responses.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::super::details::is_account_id;
use super::super::documents::Documents;
use super::super::files::gap;
use super::super::pointer::{Mismatch, nothing, select, texts};
use super::super::response::{Response, ResponseFiles, is_one_page, one_page};
use super::super::world::{DocumentId, Known, OwnPolicy};
use super::{ControlPolicyKind, FULL_ACCESS, Organization, UNMANAGED, UNPLACED};
use crate::residual::Gap;

impl Organization {
    /// Whether AWS said that the account is in no organization.
    ///
    /// <https://docs.aws.amazon.com/organizations/latest/APIReference/API_DescribeOrganization.html>
    pub(in crate::snapshot) fn is_not_in_use(files: &mut ResponseFiles<'_>) -> bool {
        matches!(*files.response("describe-organization"), Response::Absent)
    }

    /// What there is where there is no organization: nothing.
    pub(in crate::snapshot) fn none(documents: &mut Documents) -> Self {
        Self {
            unknown: documents.placeholder(gap(UNPLACED)),
            unmanaged: documents.placeholder(gap(UNMANAGED)),
            accounts: Some(BTreeSet::new()),
            trusted: Some(BTreeSet::new()),
            ..Self::default()
        }
    }

    /// Reads the organization's responses. What is missing or not understood goes to `gaps`.
    pub(in crate::snapshot) fn read(
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
            0,
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
        out.accounts =
            reading.items("list-accounts", "/Accounts/*", &["/Id"], 1).ok().map(|items| {
                items.into_iter().filter_map(|item| first(item).map(Into::into)).collect()
            });

        reading.administrators(&mut out);

        let mut targets: Vec<Arc<str>> = Vec::new();
        if let Ok(roots) = reading.items("list-roots", "/Roots/*", &["/Id"], 1) {
            targets.extend(roots.into_iter().filter_map(first).map(Arc::from));
        }
        let types = ["/Type", "/Status"];
        let enabled = reading.items("list-roots", "/Roots/*/PolicyTypes/*", &types, 2);
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
                let Ok(children) = reading.items(&command, items, &members, 1) else { continue };
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
            // Where no type of control policy is on, none is attached anywhere.
            let none_is_on = out.enabled.as_ref().is_some_and(BTreeSet::is_empty);
            if none_is_on && !reading.files.is_there(&command) {
                out.attached.insert(target, Ok(Vec::new()));
                continue;
            }
            let policies = reading.items(&command, "/Policies/*", &["/Id", "/Type", "/Name"], 2);
            match policies {
                Ok(policies) => {
                    let mut here = Vec::new();
                    for policy in policies {
                        let [Some(id), Some(kind), name] = policy.as_slice() else { continue };
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
    /// For each item of a response the text at each pointer. Without one at each of the first
    /// `needed` pointers an item says nothing, and so it is not known what the response says.
    fn items(
        &mut self,
        command: &str,
        items: &str,
        pointers: &[&str],
        needed: usize,
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
                        let text = |(index, pointer): (usize, &&str)| {
                            let text = texts(item.value, pointer)?.into_iter().next();
                            match text.filter(|text| !text.is_empty()) {
                                None if index < needed => Err(nothing((*pointer).to_owned())),
                                text => Ok(text),
                            }
                        };
                        let found: Result<Vec<_>, Mismatch> =
                            pointers.iter().enumerate().map(text).collect();
                        found.map_err(|wrong| Mismatch {
                            at: format!("{}{}", item.at, wrong.at),
                            ..wrong
                        })
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
            let found = self.items(command, items, &["/Arn"], 0).unwrap_or_default();
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
    /// one service (`list-delegated-administrators/SERVICE`), or account by account. There may be
    /// more where a response was asked for and cannot be used.
    fn administrators(&mut self, out: &mut Organization) {
        let Organization { delegated, delegated_more: more, .. } = &mut *out;
        let mut known = |found: Known<Vec<Vec<Option<String>>>>| {
            found.unwrap_or_else(|why| {
                more.get_or_insert(why);
                Vec::new()
            })
        };
        let all = "list-delegated-administrators";
        let accounts = "/DelegatedAdministrators/*";
        let services: Vec<String> = self
            .files
            .responses()
            .starting("list-delegated-administrators/")
            .map(|(service, _)| service.to_owned())
            .collect();
        for service in &services {
            let found = self.items(&format!("{all}/{service}"), accounts, &["/Id"], 1);
            for account in known(found).into_iter().filter_map(first) {
                delegated.entry(account.into()).or_default().insert(service.as_str().into());
            }
        }
        if self.files.is_there(all) {
            let found = self.items(all, accounts, &["/Id"], 1);
            for account in known(found).into_iter().filter_map(first) {
                let command = format!("list-delegated-services-for-account/{account}");
                if !services.is_empty() && !self.files.is_there(&command) {
                    continue;
                }
                let of = self.items(&command, "/DelegatedServices/*", &["/ServicePrincipal"], 1);
                let of = known(of).into_iter().filter_map(first).map(Arc::from);
                delegated.entry(account.into()).or_default().extend(of);
            }
        }
        let command = "list-aws-service-access-for-organization";
        let trusted = self.files.is_there(command).then(|| {
            self.items(command, "/EnabledServicePrincipals/*", &["/ServicePrincipal"], 1).ok()
        });
        out.trusted = trusted
            .flatten()
            .map(|items| items.into_iter().filter_map(first).map(Arc::from).collect());
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
                _ => {
                    let why = "at /ResourcePolicy/Content: expected a policy document";
                    let why = gap(format!("{place} {why}"));
                    self.note(why.clone());
                    OwnPolicy::Unknown(why)
                }
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
