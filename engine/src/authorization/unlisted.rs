//! Objects that stand for what the snapshot did not list: of each kind that was not asked for, one
//! whose name and attributes are not known, and each user and role that a policy names. A rule that
//! works for one rests on a gap, and what one is allowed is not known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use escalade_models::ResourceKinds;

use crate::policy::Principal;
use crate::residual::Gap;
use crate::snapshot::{AccountIndex, Detail, Object, OwnPolicy, World};

/// One object for each account and kind that was not listed, by account and kind, followed by those
/// that policies name. The ARN of the first has `{name}` for its name, and its own name is what is
/// missing, for people.
///
/// Where several regions were not asked, the first stands for all: a rule's region is open anyway.
pub(super) fn unlisted(world: &World, kinds: &ResourceKinds) -> Vec<Object> {
    let mut out = Vec::new();
    let mut named: Option<BTreeSet<(&str, &str)>> = None;
    for (at, account) in world.accounts.iter().enumerate() {
        let index = AccountIndex(u32::try_from(at).unwrap_or(u32::MAX));
        let mut missing: BTreeMap<Arc<str>, (Arc<str>, Gap)> = BTreeMap::new();
        for ((kind, region), gap) in &account.uncollected {
            missing.entry(kind.clone()).or_insert_with(|| (region.clone(), gap.clone()));
        }
        for (kind, (region, gap)) in missing {
            let Some(form) = kinds.get(&kind) else { continue };
            let region = if &*region == "*" { "us-east-1".into() } else { region };
            let open = form
                .arn
                .replace("{partition}", &account.partition)
                .replace("{region}", &region)
                .replace("{account}", &account.id);
            let mut arns = vec![open];
            if matches!(&*kind, "iam:role" | "iam:user") {
                let here = |(of, arn): &&(&str, &str)| {
                    **of == *kind && arn.split(':').nth(4) == Some(&*account.id)
                };
                let named = named.get_or_insert_with(|| named_by_policies(world));
                arns.extend(named.iter().filter(here).map(|(_, arn)| (*arn).to_owned()));
            }
            for arn in arns {
                out.push(Object {
                    kind: kind.clone(),
                    arn: arn.into(),
                    name: gap.0.clone(),
                    account: index,
                    region: (!form.global).then(|| region.clone()),
                    attributes: BTreeMap::new(),
                    tags: Vec::new(),
                    policy: OwnPolicy::Absent,
                    detail: Detail::Unlisted(gap.clone()),
                });
            }
        }
    }
    out
}

/// The users and roles that policies name and that are not in the world: kind and ARN.
fn named_by_policies(world: &World) -> BTreeSet<(&str, &str)> {
    let policies = world.documents.iter().filter_map(|document| document.policy.as_ref().ok());
    policies
        .flat_map(|policy| policy.statements())
        .filter_map(|statement| statement.principals())
        .flat_map(|principals| &principals.named)
        .filter_map(|principal| match principal {
            Principal::User(arn) => Some(("iam:user", &**arn)),
            Principal::Role(arn) => Some(("iam:role", &**arn)),
            _ => None,
        })
        .filter(|(_, arn)| !world.by_arn.contains_key(*arn))
        .collect()
}
