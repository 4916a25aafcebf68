//! Objects that stand for what the snapshot did not list: of each kind that was not asked for, one
//! whose name and attributes are not known, each user, role and identity provider that a policy
//! names, and buckets of others. A rule that works for one rests on a gap, and what one is allowed is
//! not known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use escalade_models::{ResourceKind, ResourceKinds};

use crate::pattern::Pattern;
use crate::policy::Principal;
use crate::residual::Gap;
use crate::snapshot::{Account, AccountIndex, Detail, OUTSIDE, Object, OwnPolicy, World};

/// One object for each account and kind that was not listed, by account and kind, followed by those
/// that policies name. The ARN of the first has `{name}` for its name, and its own name is what is
/// missing, for people.
///
/// Where several regions were not asked, the first stands for all: a rule's region is open anyway.
pub fn unlisted(world: &World, kinds: &ResourceKinds) -> Vec<Object> {
    let mut out = Vec::new();
    let mut named: Option<BTreeSet<(&str, &str)>> = None;
    for (at, account) in world.accounts.iter().enumerate() {
        let index = AccountIndex(u32::try_from(at).unwrap_or(u32::MAX));
        let mut missing: BTreeMap<Arc<str>, (Arc<str>, Gap)> = BTreeMap::new();
        for ((kind, region), gap) in &account.uncollected {
            missing.entry(kind.clone()).or_insert_with(|| (region.clone(), gap.clone()));
        }
        for (kind, (region, gap)) in missing {
            let Some(form) = kinds.get(&kind) else {
                // What several responses together say, of the organization for one, has no form of
                // its own.
                let arn = format!("arn:{}:{kind}/{{name}}", account.partition);
                out.push(stand_in(&kind, arn, index, None, &gap));
                continue;
            };
            let region = if &*region == "*" { "us-east-1".into() } else { region };
            let mut arns = vec![open_arn(form, account, &region)];
            if NAMED.contains(&&*kind) {
                let here = |(of, arn): &&(&str, &str)| {
                    **of == *kind && arn.split(':').nth(4) == Some(&*account.id)
                };
                let named = named.get_or_insert_with(|| named_by_policies(world));
                arns.extend(named.iter().filter(here).map(|(_, arn)| (*arn).to_owned()));
            }
            for arn in arns {
                let region = (!form.global).then(|| region.clone());
                out.push(stand_in(&kind, arn, index, region, &gap));
            }
        }
    }
    out.extend(buckets_of_others(world, kinds));
    out
}

/// The buckets that something of the snapshot uses and that none of its accounts has, as far as all
/// of them were asked: somebody else's, whose policies are not known.
fn buckets_of_others(world: &World, kinds: &ResourceKinds) -> Vec<Object> {
    let kind: Arc<str> = "s3:bucket".into();
    let unasked = |account: &Account| account.uncollected.keys().any(|(of, _)| *of == kind);
    if world.accounts.iter().any(unasked) {
        return Vec::new();
    }
    let naming = kinds.iter().map(|form| (form, form.naming(&kind)));
    let used: BTreeSet<&Arc<str>> = naming
        .filter(|(_, attributes)| !attributes.is_empty())
        .flat_map(|(form, attributes)| {
            let objects = world.of_kind(&form.kind).iter().filter_map(|id| world.object(*id));
            objects.flat_map(move |object| {
                let values = attributes.clone().into_iter();
                values.filter_map(|name| object.attributes.get(name)?.as_ref().ok()).flatten()
            })
        })
        .collect();
    let others = used.into_iter().filter(|arn| !world.by_arn.contains_key(&***arn));
    others
        .map(|arn| {
            let gap = Gap(format!("{arn} is in no account of the snapshot").into());
            let bucket = stand_in(&kind, arn.to_string(), OUTSIDE, None, &gap);
            Object { policy: OwnPolicy::Unknown(gap), ..bucket }
        })
        .collect()
}

/// An object of which only the ARN is known; `gap` is why.
fn stand_in(
    kind: &Arc<str>,
    arn: String,
    account: AccountIndex,
    region: Option<Arc<str>>,
    gap: &Gap,
) -> Object {
    Object {
        kind: kind.clone(),
        arn: arn.into(),
        name: gap.0.clone(),
        account,
        region,
        attributes: BTreeMap::new(),
        tags: Vec::new(),
        policy: OwnPolicy::Absent,
        detail: Detail::Unlisted(gap.clone()),
    }
}

/// The form of a kind's ARNs in an account and Region, with the name open.
fn open_arn(form: &ResourceKind, account: &Account, region: &str) -> String {
    form.arn
        .replace("{partition}", &account.partition)
        .replace("{region}", region)
        .replace("{account}", &account.id)
}

/// What a resource that a question names may be, or be in, where that kind was not listed: each with
/// its whole ARN.
///
/// - `resource`: an ARN. What its wildcards leave open is not looked for.
pub fn may_be(world: &World, kinds: &ResourceKinds, resource: &str) -> Vec<Object> {
    let mut out = Vec::new();
    for (at, account) in world.accounts.iter().enumerate() {
        let index = AccountIndex(u32::try_from(at).unwrap_or(u32::MAX));
        for ((kind, region), gap) in &account.uncollected {
            let Some(form) = kinds.get(kind).filter(|_| !kind.starts_with("iam:")) else {
                continue;
            };
            let own = resource.split(':').nth(3).unwrap_or_default();
            let region = match &**region {
                "*" => own,
                "global" if form.global => "",
                region => region,
            };
            let open = open_arn(form, account, region);
            let Some((before, after)) = open.split_once("{name}") else { continue };
            let Some(rest) = resource.strip_prefix(before) else { continue };
            let Some(whole) = whole(form, rest, after) else { continue };
            let arn = format!("{before}{whole}");
            let region = (!form.global).then(|| region.into());
            if !world.by_arn.contains_key(&*arn) && !out.iter().any(|o: &Object| *o.arn == *arn) {
                out.push(stand_in(kind, arn, index, region, gap));
            }
        }
    }
    out
}

/// The end of an object's ARN, where it begins with the name: all, or up to what is in the object.
fn whole<'a>(form: &ResourceKind, rest: &'a str, after: &str) -> Option<&'a str> {
    let ranges = form.name.ranges()?;
    let fits = |c: char| ranges.iter().any(|(low, high)| (*low..=*high).contains(&c));
    let (whole, beyond) = rest.split_at(rest.find(|c| !fits(c)).unwrap_or(rest.len()));
    // What AWS adds to the name is made of the same characters.
    let end = whole.len().checked_sub(after.len())?;
    let (name, added) = (whole.get(..end)?, whole.get(end..)?);
    let ends = beyond.is_empty() || beyond.starts_with(['/', ':']);
    (ends && !name.is_empty() && Pattern::glob(after, false).matches(added)).then_some(whole)
}

/// The kinds of what policies name as principals.
const NAMED: [&str; 4] = ["iam:oidc-provider", "iam:role", "iam:saml-provider", "iam:user"];

/// The users, roles and identity providers that policies name and that are not in the world: kind
/// and ARN.
fn named_by_policies(world: &World) -> BTreeSet<(&str, &str)> {
    let policies = world.documents.iter().filter_map(|document| document.policy.as_ref().ok());
    policies
        .flat_map(|policy| policy.statements())
        .filter_map(|statement| statement.principals())
        .flat_map(|principals| &principals.named)
        .filter_map(|principal| match principal {
            Principal::User(arn) => Some(("iam:user", &**arn)),
            Principal::Role(arn) => Some(("iam:role", &**arn)),
            Principal::Federated(arn) if arn.contains(":oidc-provider/") => {
                Some(("iam:oidc-provider", &**arn))
            }
            Principal::Federated(arn) if arn.contains(":saml-provider/") => {
                Some(("iam:saml-provider", &**arn))
            }
            _ => None,
        })
        .filter(|(_, arn)| !world.by_arn.contains_key(*arn))
        .collect()
}
