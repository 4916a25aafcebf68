//! The smallest set of edits that cuts paths, while what must stay stays.
//!
//! Edits take something away from policies, and from who has them, or add a deny; none takes away a
//! deny, so none makes anything possible. There is one exception: a deny is added by a new policy,
//! which a path may go by (a condition asks who has which boundary, the attacker is let to edit a
//! policy of that name). Such a path counts only for sets with that edit. A path found is touched by the edits of what its calls and trusts rest
//! on: as long as none of these is made, it stands. So a set that cuts all paths has one that
//! touches each. The smallest set that touches all paths found so far ([`hitting_set`]) is made,
//! and the question asked again; what is found then is one more path to be touched. When nothing is
//! found any more, the set cuts all, and no smaller one of these kinds does.
//!
//! Who else is at the goal from the start stays there, as if it were to be kept: what makes an
//! administrator is no path of those who come to act as one.

mod answer;
mod candidates;
mod causes;
mod edits;
mod hitting_set;
mod keep;
mod limits;
mod passing;
mod report;
mod run;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use answer::{Fix, FixError, Fixed, Outcome, Wanted};
pub use causes::of_causes;
pub use keep::Keep;
pub use report::{Denied, EditKind, EditReport};

use crate::analysis::{Models, Options, QuestionError, audit};
use crate::answer::{Answer, Audit, Gain, SCHEMA};
use crate::simulation::{self, Simulator};
use crate::snapshot::{LoadOptions, SnapshotFiles, World};
use candidates::Candidates;
use limits::Limits;
use passing::Roles;
use run::{End, Run};

/// How many sets of the smallest size are shown, the first included.
const SETS: usize = 3;

/// Looks for the smallest set of edits that cuts the paths.
///
/// Fails if the snapshot cannot be loaded, the question not be asked, or something is to be kept
/// that is not permitted.
pub fn fix(files: &SnapshotFiles, models: &Models, wanted: &Wanted<'_>) -> Result<Fixed, FixError> {
    let world = World::of_files(files, &LoadOptions::default())?;
    let listing = audit(&world, models, &general(wanted.options))?;
    Ground { files, models, world: &world, listing: &listing }.fix(wanted, None, SETS)
}

/// The goal, with every path counted.
fn general(options: &Options) -> Options {
    Options { goal: options.goal.clone(), ..Options::default() }
}

/// What fixes are looked for with.
struct Ground<'a> {
    files: &'a SnapshotFiles,
    models: &'a Models,
    /// As it is.
    world: &'a World,
    /// Who gets to the goal there, every path counted.
    listing: &'a Audit,
}

impl Ground<'_> {
    /// Looks for a fix.
    ///
    /// - `answer`: what is answered about the one start that is asked about, if that is known.
    /// - `sets`: how many sets of the smallest size are wanted.
    fn fix(
        &self,
        wanted: &Wanted<'_>,
        answer: Option<&Answer>,
        sets: usize,
    ) -> Result<Fixed, FixError> {
        let mut keep = Vec::new();
        if !wanted.keep.is_empty() {
            let simulator = Simulator::new(self.world, self.models)?;
            for one in wanted.keep {
                let verdict = one.verdict(&simulator)?;
                if verdict > simulation::Verdict::AllowedUnderAssumptions {
                    let Keep { principal, action, resource } = one.clone();
                    return Err(FixError::NotPermitted { principal, action, resource, verdict });
                }
                keep.push((one.clone(), verdict));
            }
        }
        let standing = Standing::of(wanted, self.world, self.listing)?;
        let mut run = Run {
            files: self.files,
            world: self.world,
            answer,
            models: self.models,
            wanted,
            general: general(wanted.options),
            keep,
            candidates: self.candidates(wanted, &standing),
            standing,
            touched: BTreeSet::new(),
            forbidden: BTreeSet::new(),
            rounds: 0,
        };
        let mut lost = BTreeSet::new();
        let mut end = run.next(usize::MAX, wanted.rounds)?;
        if matches!(end, End::None) && !run.standing.direct.is_empty() {
            // It cannot be done without them.
            lost = std::mem::take(&mut run.standing.direct);
            run.forbidden.clear();
            end = run.next(usize::MAX, wanted.rounds)?;
        }
        let mut fix = Fix {
            schema: SCHEMA,
            from: wanted.from.map(Into::into),
            question: wanted.options.asked(),
            keep: wanted.keep.to_vec(),
            outcome: Outcome::None,
            edits: Vec::new(),
            proved_smallest: false,
            alternatives: Vec::new(),
            rounds: 0,
            paths: 0,
            lost: Vec::new(),
            untouched: None,
            unknown: self.world.gaps.iter().map(|gap| gap.0.clone()).collect(),
        };
        let mut after = self.files.clone();
        match end {
            End::None => {}
            End::Limit => fix.outcome = Outcome::Limit,
            End::Untouched(answer) => fix.untouched = Some(*answer),
            End::Found { chosen, unknown } => {
                fix.outcome = if unknown.is_empty() { Outcome::Fixed } else { Outcome::Undecided };
                fix.proved_smallest = run.proves(&chosen);
                fix.unknown.extend(unknown);
                (fix.rounds, fix.paths) = (run.rounds, run.touched.len());
                after = run.made(&chosen);
                fix.edits = run.reports(&chosen);
                let remaining = run.remaining(&after, &lost)?;
                fix.lost = lost.into_iter().filter(|arn| !remaining.contains(arn)).collect();
                fix.alternatives = run.alternatives(&chosen, sets)?;
            }
        }
        if fix.edits.is_empty() {
            (fix.rounds, fix.paths) = (run.rounds, run.touched.len());
        }
        // What those can do who were not listed no edit of what is there settles.
        let not_listed = crate::diff::not_listed(self.world);
        if wanted.from.is_none() && fix.outcome == Outcome::Fixed && !not_listed.is_empty() {
            fix.outcome = Outcome::Undecided;
            fix.proved_smallest = false;
            fix.unknown.extend(not_listed.into_iter().map(|(_, why)| why));
        }
        fix.unknown.sort();
        fix.unknown.dedup();
        Ok(Fixed { fix, files: after })
    }

    fn candidates(&self, wanted: &Wanted<'_>, standing: &Standing) -> Candidates<'_> {
        let findings = self.listing.findings.iter();
        let dangerous = findings.map(|answer| answer.question.from.clone());
        let dangerous = dangerous.chain(self.listing.administrators.iter().cloned()).collect();
        let spared = &standing.administrators;
        let limits = wanted.denies.then(|| Limits::new(self.files, self.world, spared));
        let kinds = self.models.kinds();
        let roles = Roles::new(dangerous, wanted.keep);
        Candidates::new(self.files, kinds, self.world, spared.clone(), roles, limits)
    }
}

/// Who is at the goal without a path.
#[derive(Default)]
struct Standing {
    /// They always stay there.
    administrators: BTreeSet<Arc<str>>,
    /// They make the call that is the goal themselves: they stay if it can be done.
    direct: BTreeSet<Arc<str>>,
}

impl Standing {
    fn of(wanted: &Wanted<'_>, world: &World, listing: &Audit) -> Result<Self, QuestionError> {
        let mut out = Self {
            administrators: listing.administrators.iter().cloned().collect(),
            direct: BTreeSet::new(),
        };
        let Some(from) = wanted.from else { return Ok(out) };
        let own = |answer: &&Answer| {
            let steps = answer.path.as_ref().map(|path| &*path.steps);
            let Some([step]) = steps else { return false };
            step.gains.iter().any(|gain| matches!(gain, Gain::Goal { .. }))
        };
        out.direct = listing
            .findings
            .iter()
            .filter(own)
            .map(|answer| answer.question.from.clone())
            .collect();
        if let Ok(start) = crate::analysis::principal(world, from)
            && let Some(start) = world.object(start)
        {
            out.administrators.remove(&start.arn);
            out.direct.remove(&start.arn);
        }
        Ok(out)
    }

    fn all(&self) -> BTreeSet<Arc<str>> {
        self.administrators.union(&self.direct).cloned().collect()
    }
}
