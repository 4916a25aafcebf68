//! Objects that stand for what the snapshot did not list: of each kind that was not asked for, one
//! whose name and attributes are not known. A rule that works for it rests on a gap.

use std::collections::BTreeMap;
use std::sync::Arc;

use escalade_models::ResourceKinds;

use crate::residual::Gap;
use crate::snapshot::{AccountIndex, Detail, Object, OwnPolicy, World};

/// One object for each account and kind that was not listed, by account and kind. Its ARN has
/// `{name}` for its name, and its own name is what is missing, for people.
///
/// Where several regions were not asked, the first stands for all: a rule's region is open anyway.
pub(super) fn unlisted(world: &World, kinds: &ResourceKinds) -> Vec<Object> {
    let mut out = Vec::new();
    for (at, account) in world.accounts.iter().enumerate() {
        let index = AccountIndex(u32::try_from(at).unwrap_or(u32::MAX));
        let mut missing: BTreeMap<Arc<str>, (Arc<str>, Gap)> = BTreeMap::new();
        for ((kind, region), gap) in &account.uncollected {
            missing.entry(kind.clone()).or_insert_with(|| (region.clone(), gap.clone()));
        }
        for (kind, (region, gap)) in missing {
            let Some(form) = kinds.get(&kind) else { continue };
            let region = if &*region == "*" { "us-east-1".into() } else { region };
            let arn = form
                .arn
                .replace("{partition}", &account.partition)
                .replace("{region}", &region)
                .replace("{account}", &account.id);
            out.push(Object {
                kind,
                arn: arn.into(),
                name: gap.0,
                account: index,
                region: (!form.global).then_some(region),
                attributes: BTreeMap::new(),
                tags: Vec::new(),
                policy: OwnPolicy::Absent,
                detail: Detail::Unlisted,
            });
        }
    }
    out
}
