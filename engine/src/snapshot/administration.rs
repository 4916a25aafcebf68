//! Who administers the accounts of an organization through a service: the management account, and
//! the accounts to which it has delegated the service.
//!
//! Implements <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_integrate_delegated_admin.html>:
//! a delegated administrator works on the organization's accounts through the service that it is
//! registered for, and only through that.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::draft::{AccountDraft, Attributes};
use super::identity::is_aws_managed;
use super::organization::Organization;
use super::world::{AccountIndex, Detail, Known};

/// The service of IAM Identity Center.
const IDENTITY_CENTER: &str = "sso.amazonaws.com";

/// The service of stack sets with service-managed permissions.
const STACK_SETS: &str = "member.org.stacksets.cloudformation.amazonaws.com";

/// The service of central access as root.
const ROOT_ACCESS: &str = "iam.amazonaws.com";

/// The service of account management.
const ACCOUNT_MANAGEMENT: &str = "account.amazonaws.com";

/// What the attribute `trusted` says where the response that would say it was not asked.
const NOT_ASKED: &str = "not-asked";

/// Adds the organization, its accounts, and who administers them through which service.
///
/// Without organization data an organization is made of the account that owns an instance of IAM
/// Identity Center and all others of the snapshot; without such an instance there is none.
pub(super) fn add_administration(drafts: &mut [AccountDraft], organization: Option<&Organization>) {
    let Some(management) = management_account(drafts, organization) else { return };
    let Some(first) = drafts.first() else { return };
    let partition = first.account.partition.clone();
    let id: Arc<str> = organization.map_or_else(|| "".into(), |known| known.id.clone());
    let arn: Arc<str> =
        format!("arn:{partition}:organizations::{management}:organization/{id}").into();
    let root =
        |account: &str| -> Arc<str> { format!("arn:{partition}:iam::{account}:root").into() };

    let of_it: Vec<(usize, Arc<str>)> = drafts
        .iter()
        .map(|draft| draft.account.id.clone())
        .enumerate()
        .filter(|(_, account)| organization.is_none_or(|it| it.contains(account) != Some(false)))
        .collect();
    let members: Vec<Arc<str>> = of_it
        .iter()
        .filter(|(_, account)| *account != management)
        .map(|(_, account)| root(account))
        .collect();
    let all: Vec<Arc<str>> = of_it.iter().map(|(_, account)| root(account)).collect();
    let attributes: Attributes = [
        ("accounts".into(), Ok(all)),
        ("id".into(), Ok(vec![id])),
        ("instances".into(), Ok(of_kind(drafts, "sso:instance"))),
        ("management".into(), Ok(vec![management.clone()])),
        ("members".into(), Ok(members)),
    ]
    .into();
    let home = of_it.iter().find(|(_, account)| *account == management).or(of_it.first());
    if let Some((at, _)) = home {
        add(drafts, *at, "organizations:organization", &arn, &management, attributes);
    }

    if let Some(why) = organization.and_then(Organization::delegated_more) {
        for (at, _) in of_it.iter().filter(|(_, account)| *account != management) {
            let uncollected = drafts.get_mut(*at).map(|draft| &mut draft.account.uncollected);
            let place = ("organizations:administration".into(), "global".into());
            uncollected.and_then(|uncollected| uncollected.insert(place, why.clone()));
        }
    }
    let root_access = root_access(drafts, organization, &management);
    for (at, account) in of_it {
        let this = root(&account);
        let in_it = drafts.get(at).map(contents).unwrap_or_default();
        add(drafts, at, "iam:account", &this, &account, in_it);
        for service in [ACCOUNT_MANAGEMENT, IDENTITY_CENTER, ROOT_ACCESS, STACK_SETS] {
            let delegated = organization.is_some_and(|it| it.is_delegated(&account, service));
            let level = match account == management {
                true => "management",
                false if delegated => "delegated",
                false => continue,
            };
            let trusted = match service {
                ROOT_ACCESS => root_access,
                // There is no instance without trust in the service.
                IDENTITY_CENTER => "true",
                _ => {
                    organization.and_then(|it| it.trusts_service(service)).map_or(NOT_ASKED, truth)
                }
            };
            let one = |text: &str| -> Known<Vec<Arc<str>>> { Ok(vec![text.into()]) };
            let attributes: Attributes = [
                ("administrator".into(), one(&this)),
                ("level".into(), one(level)),
                ("organization".into(), one(&arn)),
                ("service".into(), one(service)),
                ("trusted".into(), one(trusted)),
            ]
            .into();
            let kind = "organizations:administration";
            let arn = format!("{arn}#{service}/{account}");
            add(drafts, at, kind, &arn, service, attributes);
        }
    }
}

/// The account that the organization's services are managed from.
fn management_account(
    drafts: &[AccountDraft],
    organization: Option<&Organization>,
) -> Option<Arc<str>> {
    if let Some(organization) = organization {
        return organization.management_account.clone();
    }
    // An instance names its owner; what does not is its own account's.
    drafts.iter().find_map(|draft| {
        let one = draft.objects.iter().find(|one| &*one.object.kind == "sso:instance")?;
        match one.object.attributes.get("owner") {
            Some(Ok(owner)) if !owner.is_empty() => owner.first().cloned(),
            _ => Some(draft.account.id.clone()),
        }
    })
}

/// The ARNs of the objects of a kind, each once.
pub(super) fn of_kind(drafts: &[AccountDraft], kind: &str) -> Vec<Arc<str>> {
    let arns: BTreeSet<&Arc<str>> = drafts
        .iter()
        .flat_map(|draft| &draft.objects)
        .filter(|one| &*one.object.kind == kind)
        .map(|one| &one.object.arn)
        .collect();
    arns.into_iter().cloned().collect()
}

/// Whether privileged sessions as root of the member accounts are switched on, as
/// `iam list-organizations-features` says. Without trusted access of IAM they are not:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_root-enable-root-access.html>.
fn root_access(
    drafts: &[AccountDraft],
    organization: Option<&Organization>,
    management: &str,
) -> &'static str {
    let features = drafts
        .iter()
        .filter(|draft| &*draft.account.id == management)
        .flat_map(|draft| &draft.objects)
        .find(|one| &*one.object.kind == "iam:organizations-features")
        .and_then(|one| one.object.attributes.get("features"));
    match features {
        Some(Ok(features)) => truth(features.iter().any(|name| &**name == "RootSessions")),
        _ if organization.and_then(|it| it.trusts_service(ROOT_ACCESS)) == Some(false) => {
            truth(false)
        }
        _ => NOT_ASKED,
    }
}

/// What whoever works on an account from another one finds in it: buckets, queues, and policies of
/// its own.
fn contents(draft: &AccountDraft) -> Attributes {
    let of = |kind: &str| -> Known<Vec<Arc<str>>> {
        let own = draft.objects.iter().map(|one| &one.object);
        let own = own.filter(|object| &*object.kind == kind && !is_aws_managed(&object.arn));
        Ok(own.map(|object| object.arn.clone()).collect())
    };
    [
        ("buckets".into(), of("s3:bucket")),
        ("policies".into(), of("iam:policy")),
        ("queues".into(), of("sqs:queue")),
    ]
    .into()
}

fn truth(holds: bool) -> &'static str {
    if holds { "true" } else { "false" }
}

fn add(
    drafts: &mut [AccountDraft],
    at: usize,
    kind: &str,
    arn: &str,
    name: &str,
    attributes: Attributes,
) {
    if let Some(draft) = drafts.get_mut(at) {
        let added = draft.add(kind, arn, name, attributes, Detail::Other);
        added.object.account = AccountIndex(u32::try_from(at).unwrap_or(u32::MAX));
    }
}
