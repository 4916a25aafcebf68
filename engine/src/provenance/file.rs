//! In which file of the snapshot a policy stands.

use std::sync::Arc;

use escalade_models::{ResourceKinds, plain_pointer};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::authorization::Origin;
use crate::snapshot::{Detail, DocumentId, Object, ObjectId, Wanted, World};

/// What snapshot files leave as it is in a call's argument.
const ARGUMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'-');

const DETAILS: &str = "iam/get-account-authorization-details.json";

/// A policy's name as people know it, whose it is, and the file that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PolicyFile {
    pub(crate) policy: Arc<str>,
    pub(crate) of: Option<Arc<str>>,
    pub(crate) file: Option<Arc<str>>,
}

/// What the files of policies are told from.
#[derive(Clone)]
pub(crate) struct PolicyFiles<'a> {
    pub(crate) world: &'a World,
    pub(crate) kinds: &'a ResourceKinds,
    /// The snapshot's only file, if it is a single one.
    pub(crate) single: Option<Arc<str>>,
}

impl PolicyFiles<'_> {
    /// The file of a policy that is called `name` and comes from there.
    pub(crate) fn policy(&self, name: &str, origin: Origin) -> PolicyFile {
        let object = |id: ObjectId| self.world.object(id);
        match origin {
            Origin::Elsewhere => PolicyFile { policy: name.into(), of: None, file: None },
            Origin::Held { holder, managed } => {
                let by_aws = managed.and_then(|(id, _)| object(id)).is_some_and(
                    |policy| matches!(&policy.detail, Detail::Policy(policy) if policy.aws_managed),
                );
                let holder = object(holder);
                PolicyFile {
                    policy: name.into(),
                    of: holder.map(|holder| holder.arn.clone()),
                    // AWS's own are known whether the snapshot lists them or not.
                    file: holder.filter(|_| !by_aws).and_then(|holder| self.details(holder)),
                }
            }
            Origin::Own(id) => {
                let object = object(id);
                PolicyFile {
                    policy: name.into(),
                    of: object.map(|object| object.arn.clone()),
                    file: object.and_then(|object| Some(self.own(object).into_iter().next()?.0)),
                }
            }
            Origin::Organization(document) => self.control(name, document),
        }
    }

    /// Where the text of a policy may be, the likeliest place first.
    pub(crate) fn places(&self, name: &str, origin: Origin) -> Vec<(Arc<str>, Wanted)> {
        let object = |id: ObjectId| self.world.object(id);
        match origin {
            Origin::Elsewhere => Vec::new(),
            Origin::Held { holder, managed: None } => {
                let Some(holder) = object(holder) else { return Vec::new() };
                let wanted = Wanted::Inline { holder: holder.arn.clone(), name: name.into() };
                self.details(holder).into_iter().map(|file| (file, wanted.clone())).collect()
            }
            Origin::Held { holder, managed: Some((id, version)) } => {
                let Some(policy) = object(id) else { return Vec::new() };
                let Detail::Policy(versions) = &policy.detail else { return Vec::new() };
                let Some((version, _)) = versions.versions.get(version) else { return Vec::new() };
                let wanted =
                    Wanted::Managed { policy: policy.arn.clone(), version: version.clone() };
                // What AWS owns is listed with every account that uses it.
                let holders = [object(holder), Some(policy)];
                let files = holders.into_iter().flatten().filter_map(|of| self.details(of));
                files.map(|file| (file, wanted.clone())).collect()
            }
            Origin::Own(id) => object(id).map_or_else(Vec::new, |object| self.own(object)),
            Origin::Organization(document) => {
                let file = self.control(name, document).file;
                file.into_iter().map(|file| (file, Wanted::At("/Policy/Content".into()))).collect()
            }
        }
    }

    fn control(&self, name: &str, document: DocumentId) -> PolicyFile {
        let organization = self.world.organization.as_ref();
        let id = organization.and_then(|organization| organization.policy_id(document));
        let known = organization.and_then(|organization| organization.policy_name(document));
        PolicyFile {
            policy: known.unwrap_or(name).into(),
            of: None,
            file: id
                .filter(|id| id.starts_with("p-"))
                .map(|id| format!("organization/describe-policy/{}.json", argument(id)).into()),
        }
    }

    fn account(&self, object: &Object) -> Option<&str> {
        self.world.accounts.get(object.account.0 as usize).map(|account| &*account.id)
    }

    /// The file with the authorization details of an object's account.
    pub(crate) fn details(&self, object: &Object) -> Option<Arc<str>> {
        if let Some(file) = &self.single {
            return Some(file.clone());
        }
        Some(format!("accounts/{}/global/{DETAILS}", self.account(object)?).into())
    }

    /// The files that may hold the resource's own policy and where in them, as the tables say.
    fn own(&self, object: &Object) -> Vec<(Arc<str>, Wanted)> {
        if object.kind.starts_with("iam:") {
            let file = self.details(object);
            return file
                .into_iter()
                .map(|file| (file, Wanted::Trust(object.arn.clone())))
                .collect();
        }
        let Some(kind) = self.kinds.get(&object.kind) else { return Vec::new() };
        let Some(account) = self.account(object) else { return Vec::new() };
        // Responses of global services count in a Region's folder as well.
        let collected = self.world.accounts.get(object.account.0 as usize);
        let collected = collected.map_or(&[][..], |account| &account.regions);
        let regions: Vec<&str> = match kind.global {
            true => std::iter::once("global").chain(collected.iter().map(|r| &**r)).collect(),
            false => object.region.as_deref().into_iter().collect(),
        };
        let mut out = Vec::new();
        let mut take = |pattern: &str, wanted: Wanted| {
            for argument in [argument(&object.name), argument(&object.arn)] {
                let command = pattern.replace("{name}", &argument).replace('*', &argument);
                if command.contains('{') {
                    continue;
                }
                for region in &regions {
                    let file = format!("accounts/{account}/{region}/{command}.json").into();
                    out.push((file, wanted.clone()));
                }
            }
        };
        let in_item = |items: &str, pointer: &str| {
            let pointer = plain_pointer(pointer);
            if items.is_empty() {
                return Wanted::At(pointer);
            }
            let names = vec![object.name.clone(), object.arn.clone()];
            Wanted::OfItem { items: items.to_owned(), names, pointer }
        };
        for detail in &kind.details {
            let Some(pointer) = &detail.policy else { continue };
            detail.file.iter().for_each(|file| take(file, in_item(&detail.items, pointer)));
        }
        for source in &kind.sources {
            // The policies of endpoints are attributes, since they are of no resource.
            let pointer = source.policy.as_deref().or_else(|| {
                let attribute = source.attributes.get("policy-document")?;
                match attribute {
                    escalade_models::AttributeForm::Plain(pointer) => Some(pointer),
                    escalade_models::AttributeForm::Full(_) => None,
                }
            });
            let Some(pointer) = pointer else { continue };
            source.file.iter().for_each(|file| take(file, in_item(&source.items, pointer)));
        }
        out.dedup();
        out
    }
}

fn argument(text: &str) -> String {
    utf8_percent_encode(text, ARGUMENT).to_string()
}
