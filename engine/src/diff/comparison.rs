//! Two audits compared, principal by principal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::listing::{Listing, Standing};
use crate::answer::Verdict;

/// How a principal's standing differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Movement {
    /// It gets to the goal and did not, or it needs less for it.
    Opened,
    /// It got to the goal and does not any more.
    Closed,
    /// It gets to the goal as before, but by another way.
    Changed,
    /// It is not decided any more, or newly undecided; or the goal takes more than before.
    Weakened,
}

/// A principal that stands elsewhere than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Its ARN now.
    pub arn: Arc<str>,
    /// Its ARN before.
    pub before: Arc<str>,
    /// How its standing differs.
    pub movement: Movement,
}

/// What a comparison finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Who stands elsewhere, by ARN.
    pub moved: Vec<Compared>,
    /// Who has another name: the new ARN, and the old one.
    pub renamed: BTreeMap<Arc<str>, Arc<str>>,
}

/// Compares where principals stand.
pub fn compare(old: &Listing, new: &Listing) -> Comparison {
    let renamed = renamed(old, new);
    let taken: BTreeSet<&Arc<str>> = renamed.values().collect();
    let mut moved = Vec::new();
    for (arn, now) in &new.standings {
        let before_name = renamed.get(arn).unwrap_or(arn);
        let before = old.standings.get(before_name);
        if let Some(movement) = movement(before, Some(now)) {
            moved.push(Compared { arn: arn.clone(), before: before_name.clone(), movement });
        }
    }
    for (arn, before) in &old.standings {
        if !new.standings.contains_key(arn)
            && !taken.contains(arn)
            && let Some(movement) = movement(Some(before), None)
        {
            // Of who is not listed any more it is not known that it does not get there.
            let movement = if new.may_have(arn) { Movement::Weakened } else { movement };
            moved.push(Compared { arn: arn.clone(), before: arn.clone(), movement });
        }
    }
    moved.sort_by(|a, b| a.arn.cmp(&b.arn));
    Comparison { moved, renamed }
}

fn movement(before: Option<&Standing>, now: Option<&Standing>) -> Option<Movement> {
    let reachable = |standing: Option<&Standing>| {
        standing.is_some_and(|standing| standing.verdict().is_reachable())
    };
    let rank = |standing: Option<&Standing>| match standing {
        None => 0,
        Some(standing) => standing.rank() + 1,
    };
    let (was, is) = (reachable(before), reachable(now));
    match (before, now) {
        _ if is && rank(now) > rank(before) => Some(Movement::Opened),
        (Some(_), None) if was => Some(Movement::Closed),
        // Known now not to get there: nothing that was to be feared.
        (_, None) => None,
        (Some(before), Some(now)) if rank(Some(before)) == rank(Some(now)) => {
            let same = before.verdict() == Verdict::Unknown
                || before.way() == now.way()
                || id(before).is_some() && id(before) == id(now);
            (!same).then_some(Movement::Changed)
        }
        (_, Some(_)) => Some(Movement::Weakened),
    }
}

fn id(standing: &Standing) -> Option<&Arc<str>> {
    standing.answer().and_then(|answer| answer.id.as_ref())
}

/// Who has another name. A user that is renamed keeps its unique id
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>);
/// one that was made anew under another name, and stands where the old one stood from the same
/// cause, is taken as renamed if the old one is known to be gone.
fn renamed(old: &Listing, new: &Listing) -> BTreeMap<Arc<str>, Arc<str>> {
    let by_id: BTreeMap<&Arc<str>, &Arc<str>> =
        old.unique_ids.iter().map(|(arn, id)| (id, arn)).collect();
    let mut out: BTreeMap<Arc<str>, Arc<str>> = BTreeMap::new();
    let gone =
        |arn: &Arc<str>| !new.unique_ids.contains_key(arn) && !new.standings.contains_key(arn);
    for (arn, unique) in &new.unique_ids {
        if let Some(before) = by_id.get(unique)
            && *before != arn
            && gone(before)
        {
            out.insert(arn.clone(), (*before).clone());
        }
    }
    let taken: BTreeSet<Arc<str>> = out.values().cloned().collect();
    let mut left: BTreeMap<&Arc<str>, Vec<&Arc<str>>> = BTreeMap::new();
    for (arn, standing) in old.standings.iter().rev() {
        if !taken.contains(arn)
            && !new.standings.contains_key(arn)
            && new.lacks(arn)
            && let Some(id) = id(standing)
        {
            left.entry(id).or_default().push(arn);
        }
    }
    for (arn, standing) in &new.standings {
        if !old.standings.contains_key(arn)
            && !out.contains_key(arn)
            && let Some(id) = id(standing)
            && let Some(before) = left.get_mut(id).and_then(Vec::pop)
        {
            out.insert(arn.clone(), before.clone());
        }
    }
    out
}
