//! Which calls of a rule make its new resources: what tags they give is known to the calls after.

use std::collections::BTreeMap;

use escalade_models::ContextKeys;

use super::rule::{Expression, NewSlot, Part, RuleCall};

/// Notes which call makes which new resource: tags in its request are the resource's in the calls
/// after it.
///
/// Implements "Controlling access to AWS resources using tags" of
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html>.
pub(super) fn note_makers(calls: &mut [RuleCall], new: &[NewSlot], keys: &ContextKeys) {
    let made = |resource: &Expression| {
        resource.0.iter().rev().find_map(|part| match part {
            Part::New(at) | Part::NewName(at) => Some(*at),
            _ => None,
        })
    };
    let mut makers: BTreeMap<usize, usize> = BTreeMap::new();
    for (at, call) in calls.iter().enumerate() {
        for slot in call.resources.iter().filter_map(made) {
            makers.entry(slot).or_insert(at);
        }
    }
    let takes_tags = |call: &&RuleCall| {
        keys.get(&call.action, "aws:RequestTag/*").is_some() && call.tags.is_none()
    };
    let maker = |at: usize, resource: &Expression, calls: &[RuleCall]| {
        let slot = made(resource)?;
        let maker = *makers.get(&slot)?;
        let action = calls.get(maker).filter(takes_tags)?.action_lowercase.clone();
        (maker != at).then_some((slot, maker, action))
    };
    for at in 0..calls.len() {
        let Some(call) = calls.get(at) else { continue };
        let found: Vec<_> =
            call.resources.iter().map(|resource| maker(at, resource, calls)).collect();
        for (slot, maker, _) in found.iter().flatten() {
            if let (Some(call), Some(new)) = (calls.get_mut(*maker), new.get(*slot)) {
                call.makes = Some(new.kind.clone());
            }
        }
        if let Some(call) = calls.get_mut(at) {
            call.made_by = found.into_iter().map(|found| Some(found?.2)).collect();
        }
    }
}
