//! What became possible between two audits, and by which changes of the snapshot.
//!
//! Two audits are compared by where every principal stands. A path is the same as long as the
//! principal gets to the goal by the same techniques on the same targets at the same verdict, or
//! from the same cause ([`crate::cause`]): how policies are written does not matter.
//!
//! Which changes opened a path is not guessed. The differences of the two snapshots are taken apart
//! into pieces that can be made by themselves, and the question is asked again of the old snapshot
//! with only some of them made, until none of those that are left can be left out.

mod changes;
mod comparison;
mod listing;
mod normal;
mod report;
mod smallest;
#[cfg(test)]
mod tests;
mod trial;
mod widening;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

pub use comparison::{Compared, Comparison, Movement, compare};
pub use listing::{Listing, ListingError, Standing, Way};
pub use report::{Alteration, Altered, ChangeReport};

use crate::analysis::{Models, Options, QuestionError, audit, starts};
use crate::answer::{AuditQuestion, Path, SCHEMA, Verdict};
use crate::snapshot::{Account, LoadOptions, SnapshotError, SnapshotFiles, World};
use changes::Changes;
use trial::{Trials, Wanted};

/// Why two snapshots could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// One of them could not be loaded.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The question could not be asked of one of them.
    #[error(transparent)]
    Question(#[from] QuestionError),
}

/// Where a principal stands, as the difference shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stand {
    /// At the goal from the start.
    AtGoal,
    /// A path holds in every environment.
    Reachable,
    /// A path holds under assumptions.
    ReachableUnderAssumptions,
    /// Not decided.
    Unknown,
    /// No path.
    Unreachable,
    /// There is no such principal.
    Absent,
}

impl Stand {
    /// In words, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AtGoal => "at-goal",
            Self::Reachable => "reachable",
            Self::ReachableUnderAssumptions => "reachable-under-assumptions",
            Self::Unknown => "unknown",
            Self::Unreachable => "unreachable",
            Self::Absent => "absent",
        }
    }

    fn of(standing: Option<&Standing>, listing: &Listing, arn: &str) -> Self {
        match standing {
            Some(Standing::AtGoal) => Self::AtGoal,
            Some(Standing::Finding(Verdict::Reachable, ..)) => Self::Reachable,
            Some(Standing::Finding(Verdict::ReachableUnderAssumptions, ..)) => {
                Self::ReachableUnderAssumptions
            }
            Some(Standing::Finding(..)) => Self::Unknown,
            None if listing.lacks(arn) => Self::Absent,
            None if listing.may_have(arn) => Self::Unknown,
            None => Self::Unreachable,
        }
    }
}

/// A principal who stands elsewhere than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Moved {
    /// The principal, by the ARN that it has now (or had, if it is gone).
    pub from: Arc<str>,
    /// Where it stood.
    pub was: Stand,
    /// Where it stands.
    pub is: Stand,
    /// The id of the finding, now or, if there is none any more, before.
    pub id: Option<Arc<str>>,
    /// The path of that finding.
    pub path: Option<Path>,
    /// The smallest part of the changes that does it, by position in `changes`; none if audits were
    /// compared, or if no part of the changes was found to do it.
    pub because: Option<Vec<usize>>,
}

/// A principal that is the same under another name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Renamed {
    /// Its ARN before.
    pub was: Arc<str>,
    /// Its ARN now.
    pub is: Arc<str>,
}

/// What differs between two audits.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Diff {
    /// Always [`SCHEMA`].
    #[schemars(extend("const" = SCHEMA))]
    pub schema: &'static str,
    /// What every principal was asked.
    pub question: AuditQuestion,
    /// Who gets to the goal and did not, or only under assumptions that are gone: sorted by ARN.
    pub opened: Vec<Moved>,
    /// Who got to the goal and is known not to any more: sorted by ARN.
    pub closed: Vec<Moved>,
    /// Who gets there as before, but by another way: sorted by ARN.
    pub changed: Vec<Moved>,
    /// For whom it is not decided any more, or under assumptions only: sorted by ARN.
    pub weakened: Vec<Moved>,
    /// Who has another name, sorted.
    pub renamed: Vec<Renamed>,
    /// The changes of the snapshot that `because` names: each once, in the order of files and
    /// places.
    pub changes: Vec<ChangeReport>,
    /// What was missing or skipped in the new audit, sorted.
    pub unknown: Vec<Arc<str>>,
}

impl Diff {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        [&self.opened, &self.closed, &self.changed, &self.weakened]
            .iter()
            .all(|moved| moved.is_empty())
    }
}

/// Compares two audits. Of what opened a path nothing is said: audits do not hold it.
pub fn diff_audits(old: &Listing, new: &Listing) -> Diff {
    assemble(old, new, &compare(old, new), &BTreeMap::new())
}

/// Compares the audits of two snapshots, and finds for each path that was opened, or has become
/// another, the smallest part of what changed that does it.
///
/// Fails if one of the snapshots cannot be loaded, or the question is about something that one of
/// them does not have.
pub fn diff_snapshots(
    old: SnapshotFiles,
    new: SnapshotFiles,
    models: &Models,
    options: &Options,
) -> Result<Diff, DiffError> {
    let (before, after) = (listed(&old, models, options)?, listed(&new, models, options)?);
    let comparison = compare(&before, &after);
    let asked = |compared: &Compared| {
        let same_way = match compared.movement {
            Movement::Opened => false,
            Movement::Changed => true,
            Movement::Closed | Movement::Weakened => return None,
        };
        let now = after.standings.get(&compared.arn)?;
        Some((compared.arn.clone(), Wanted { now, same_way }))
    };
    let wanted: BTreeMap<Arc<str>, Wanted<'_>> =
        comparison.moved.iter().filter_map(asked).collect();
    if wanted.is_empty() {
        return Ok(assemble(&before, &after, &comparison, &BTreeMap::new()));
    }
    let changes = Changes::between(old, new);
    let found = Trials::new(&changes, models, options, &wanted, &before).smallest();
    let mut diff = assemble(&before, &after, &comparison, &found);
    // Only what is named is reported.
    let moved = [&mut diff.opened, &mut diff.changed];
    let named: BTreeSet<usize> = moved
        .iter()
        .flat_map(|moved| moved.iter())
        .flat_map(|moved| moved.because.iter().flatten().copied())
        .collect();
    let position = |at: &usize| named.iter().position(|one| one == at).unwrap_or_default();
    for moved in moved.into_iter().flatten() {
        if let Some(because) = &mut moved.because {
            *because = because.iter().map(position).collect();
        }
    }
    diff.changes =
        named.iter().filter_map(|at| changes.list.get(*at)).map(report::report).collect();
    Ok(diff)
}

fn listed(files: &SnapshotFiles, models: &Models, options: &Options) -> Result<Listing, DiffError> {
    let world = World::of_files(files, &LoadOptions::default())?;
    let audit = audit(&world, models, options)?;
    let listing = Listing::of(&audit).with_principals(principals(&world));
    Ok(listing.with_not_listed(not_listed(&world)))
}

/// The ARNs of everybody that an audit asks about.
pub fn principals(world: &World) -> BTreeSet<Arc<str>> {
    starts(world)
        .into_iter()
        .filter_map(|id| world.object(id))
        .map(|object| object.arn.clone())
        .collect()
}

/// The accounts whose users or roles were not listed, or not all of them, as starts that stand for
/// any principal there; each with what is missing.
pub fn not_listed(world: &World) -> Vec<(Arc<str>, Arc<str>)> {
    let missing = |account: &Account| {
        let of = |kind: &str| account.uncollected.get(&(kind.into(), "global".into()));
        let why = of("iam:user").or_else(|| of("iam:role"))?.0.clone();
        Some((format!("account:{}", account.id).into(), why))
    };
    world.accounts.iter().filter_map(missing).collect()
}

fn assemble(
    old: &Listing,
    new: &Listing,
    comparison: &Comparison,
    because: &BTreeMap<Arc<str>, BTreeSet<usize>>,
) -> Diff {
    let mut diff = Diff {
        schema: SCHEMA,
        question: new.question.clone(),
        opened: Vec::new(),
        closed: Vec::new(),
        changed: Vec::new(),
        weakened: Vec::new(),
        renamed: comparison
            .renamed
            .iter()
            .map(|(is, was)| Renamed { was: was.clone(), is: is.clone() })
            .collect(),
        changes: Vec::new(),
        unknown: new.unknown.clone(),
    };
    for compared in &comparison.moved {
        let before = old.standings.get(&compared.before);
        let now = new.standings.get(&compared.arn);
        let shown = now.or(before).and_then(Standing::answer);
        let because = because.get(&compared.arn);
        let moved = Moved {
            from: compared.arn.clone(),
            was: Stand::of(before, old, &compared.before),
            is: Stand::of(now, new, &compared.arn),
            id: shown.and_then(|answer| answer.id.clone()),
            path: shown.and_then(|answer| answer.path.clone()),
            because: because.map(|set| set.iter().copied().collect()),
        };
        match compared.movement {
            Movement::Opened => diff.opened.push(moved),
            Movement::Closed => diff.closed.push(moved),
            Movement::Changed => diff.changed.push(moved),
            Movement::Weakened => diff.weakened.push(moved),
        }
    }
    diff
}
