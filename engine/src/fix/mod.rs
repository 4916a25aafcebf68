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

mod candidates;
mod edits;
mod hitting_set;
mod keep;
mod limits;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

pub use edits::{Denied, EditKind, EditReport};
pub use keep::Keep;

use crate::analysis::{Models, Options, QuestionError, audit, audit_of, reach};
use crate::answer::{Answer, AuditQuestion, Gain, Path, SCHEMA, Verdict};
use crate::simulation::{self, Simulator};
use crate::snapshot::{LoadOptions, SnapshotError, SnapshotFiles, World};
use candidates::{Candidates, Touched};
use edits::{Edit, made, report};
use hitting_set::{Choice, Clause, Clauses, smallest};
use limits::{Limits, asks_for_boundaries};

/// How many sets of the smallest size are shown, the first included.
const SETS: usize = 3;

/// How many snapshots are tried for the others.
const ALTERNATIVE_ROUNDS: usize = 12;

/// Why no fix could be looked for.
#[derive(Debug, thiserror::Error)]
pub enum FixError {
    /// The snapshot, or one with edits made, cannot be loaded.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The question cannot be asked.
    #[error(transparent)]
    Question(#[from] QuestionError),
    /// What must stay is not there.
    #[error("{principal:?} may not call {action} on {resource:?} as it is: it is {verdict}")]
    NotPermitted {
        /// Who.
        principal: Arc<str>,
        /// What.
        action: Arc<str>,
        /// On what.
        resource: Arc<str>,
        /// The verdict on the request.
        verdict: simulation::Verdict,
    },
}

/// What a fix is asked for.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// Whose paths are cut: one start, as [`reach`] takes it, or everybody that an audit finds.
    pub from: Option<&'a str>,
    /// The goal and which paths count.
    pub options: &'a Options,
    /// What must stay.
    pub keep: &'a [Keep],
    /// Whether denies may be added, by permissions boundaries and control policies.
    pub denies: bool,
    /// How many snapshots are tried.
    pub rounds: usize,
}

/// How looking for a fix ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// With the edits made there is no path.
    Fixed,
    /// With the edits made there is no path as far as is known; `unknown` says what is not.
    Undecided,
    /// Edits of these kinds do not do it, within what must stay.
    None,
    /// The limit of rounds was hit.
    Limit,
}

/// A fix.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Fix {
    /// Always [`SCHEMA`].
    #[schemars(extend("const" = SCHEMA))]
    pub schema: &'static str,
    /// The start; left out if everybody's paths are cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Arc<str>>,
    /// The goal and which paths count.
    pub question: AuditQuestion,
    /// What must stay.
    pub keep: Vec<Keep>,
    /// How it ended.
    pub outcome: Outcome,
    /// The edits, the least disruptive first.
    pub edits: Vec<EditReport>,
    /// Whether no smaller set of edits of these kinds cuts the paths and keeps what must stay.
    pub proved_smallest: bool,
    /// Other sets of the same size that do.
    pub alternatives: Vec<Vec<EditReport>>,
    /// How many snapshots were tried.
    pub rounds: usize,
    /// How many paths the edits were chosen by.
    pub paths: usize,
    /// Who could make the call that is the goal by themselves, and cannot any more: only where it
    /// could not be done otherwise. Sorted.
    pub lost: Vec<Arc<str>>,
    /// A path that no edit of these kinds touches, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untouched: Option<Answer>,
    /// What was missing and could change the answer, sorted.
    pub unknown: Vec<Arc<str>>,
}

/// A fix with the snapshot after it.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// What was found.
    pub fix: Fix,
    /// The snapshot with the edits made; the same as before if there are none.
    pub files: SnapshotFiles,
}

/// Looks for the smallest set of edits that cuts the paths.
///
/// Fails if the snapshot cannot be loaded, the question not be asked, or something is to be kept
/// that is not permitted.
pub fn fix(
    files: &SnapshotFiles,
    models: Models<'_>,
    wanted: &Wanted<'_>,
) -> Result<Fixed, FixError> {
    let world = World::of_files(files, &LoadOptions::default())?;
    let mut keep = Vec::new();
    let simulator = Simulator::new(&world, models)?;
    for one in wanted.keep {
        let verdict = one.verdict(&simulator)?;
        if verdict > simulation::Verdict::AllowedUnderAssumptions {
            let Keep { principal, action, resource } = one.clone();
            return Err(FixError::NotPermitted { principal, action, resource, verdict });
        }
        keep.push((one.clone(), verdict));
    }
    let general = Options { goal: wanted.options.goal.clone(), ..Options::default() };
    let listing = audit(&world, models, &general)?;
    let standing = Standing::of(wanted, &world, &listing)?;
    let dangerous = listing.findings.iter().map(|answer| answer.question.from.clone());
    let dangerous = dangerous.chain(listing.administrators.iter().cloned()).collect();
    let limits = wanted.denies.then(|| Limits::new(files, &world, &standing.administrators));
    let administrators = standing.administrators.clone();
    let candidates =
        Candidates::new(files, models.kinds, &world, administrators, dangerous, limits);
    let mut run = Run {
        files,
        models,
        wanted,
        general,
        keep,
        standing,
        candidates,
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
        unknown: world.gaps.iter().map(|gap| gap.0.clone()).collect(),
    };
    let mut after = files.clone();
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
            fix.alternatives = run.alternatives(&chosen)?;
        }
    }
    if fix.edits.is_empty() {
        (fix.rounds, fix.paths) = (run.rounds, run.touched.len());
    }
    fix.unknown.sort();
    fix.unknown.dedup();
    Ok(Fixed { fix, files: after })
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
    fn of(
        wanted: &Wanted<'_>,
        world: &World,
        listing: &crate::answer::Audit,
    ) -> Result<Self, QuestionError> {
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

/// How a search ended.
enum End {
    Found { chosen: BTreeSet<Edit>, unknown: Vec<Arc<str>> },
    None,
    Limit,
    Untouched(Box<Answer>),
}

struct Run<'a> {
    files: &'a SnapshotFiles,
    models: Models<'a>,
    wanted: &'a Wanted<'a>,
    /// The goal, with every path counted.
    general: Options,
    /// What must stay, with what it is now.
    keep: Vec<(Keep, simulation::Verdict)>,
    standing: Standing,
    candidates: Candidates<'a>,
    /// What touches the paths found so far.
    touched: BTreeSet<Touched>,
    /// Sets that take away what must stay, and those already shown.
    forbidden: BTreeSet<BTreeSet<Edit>>,
    rounds: usize,
}

impl Run<'_> {
    /// The smallest set that is not forbidden, if it has no more edits than `most`; `limit` is what
    /// the rounds may come to.
    fn next(&mut self, most: usize, limit: usize) -> Result<End, FixError> {
        loop {
            let chosen = match self.choose() {
                Choosing::Edits(chosen) if chosen.len() <= most => chosen,
                Choosing::Edits(_) | Choosing::None => return Ok(End::None),
                Choosing::Undecided => return Ok(End::Limit),
            };
            if self.rounds >= limit {
                return Ok(End::Limit);
            }
            self.rounds += 1;
            let world = World::of_files(&self.made(&chosen), &LoadOptions::default())?;
            if !self.keeps(&world)? {
                let breaking = self.breaking(chosen)?;
                if !self.forbidden.insert(breaking) {
                    return Ok(End::Limit);
                }
                continue;
            }
            let answers = self.ask(&world)?;
            let mut unknown = BTreeSet::new();
            let mut stands = false;
            for answer in answers {
                let Some(path) = &answer.path else {
                    if answer.verdict == Verdict::Unknown {
                        unknown.extend(answer.unknown.iter().cloned());
                        // Something is not known even where nothing says what.
                        unknown.insert(answer.question.from.clone());
                    }
                    continue;
                };
                stands = true;
                let touched = match &*path.steps {
                    [] => self.touching_all(&world, &answer.question.from, &chosen),
                    _ => self.touching(&world, path, &chosen),
                };
                if touched.edits.is_empty() {
                    return Ok(End::Untouched(Box::new(answer)));
                }
                self.touched.insert(touched);
            }
            if !stands {
                return Ok(End::Found { chosen, unknown: unknown.into_iter().collect() });
            }
        }
    }

    fn touching(&mut self, world: &World, path: &Path, chosen: &BTreeSet<Edit>) -> Touched {
        let mut touched = self.candidates.touching(world, path, chosen);
        // What was made has left what this path rests on.
        let about = |edit: &&Edit| self.touches(edit, &touched);
        touched.except = chosen.iter().filter(about).cloned().collect();
        touched
    }

    fn touching_all(&mut self, world: &World, from: &str, chosen: &BTreeSet<Edit>) -> Touched {
        let mut touched = self.candidates.touching_all(world, from, chosen);
        let about = |edit: &&Edit| self.touches(edit, &touched);
        touched.except = chosen.iter().filter(about).cloned().collect();
        touched
    }

    /// Whether an edit touches a path by what it is about, whoever it was offered for.
    fn touches(&self, edit: &Edit, touched: &Touched) -> bool {
        edit.subjects().iter().any(|of| touched.also.contains(*of))
            || self.candidates.stops(edit, touched)
    }

    /// Whether what was found shows that there is no smaller set. What takes away a permission that
    /// must stay is never tried again with more; but where conditions ask for boundaries, one that
    /// is added may give it back.
    fn proves(&self, chosen: &BTreeSet<Edit>) -> bool {
        let bounds = |edit: &Edit| {
            matches!(edit.limit(), Some(limits::Limit { of: limits::Limited::Boundary { .. }, .. }))
        };
        chosen.len() < 2
            || self.forbidden.is_empty()
            || !self.universe().iter().any(bounds)
            || !asks_for_boundaries(self.files)
    }

    fn universe(&self) -> BTreeSet<Edit> {
        self.touched.iter().flat_map(|touched| touched.edits.iter().cloned()).collect()
    }

    fn choose(&self) -> Choosing {
        let universe: Vec<Edit> = self.universe().into_iter().collect();
        let position: BTreeMap<&Edit, usize> =
            universe.iter().enumerate().map(|(at, edit)| (edit, at)).collect();
        let numbers = |edits: &BTreeSet<Edit>| -> BTreeSet<usize> {
            edits.iter().map(|edit| position.get(edit).copied().unwrap_or(usize::MAX)).collect()
        };
        let some = self.touched.iter().map(|touched| {
            let mut out = numbers(&touched.edits);
            out.extend(universe.iter().enumerate().filter_map(|(at, edit)| {
                let about = self.touches(edit, touched);
                (about && !touched.except.contains(edit)).then_some(at)
            }));
            Clause { of: out, unless_not: numbers(&touched.with) }
        });
        let clauses =
            Clauses { some: some.collect(), not_all: self.forbidden.iter().map(numbers).collect() };
        let weights: Vec<i32> = universe.iter().map(Edit::weight).collect();
        match smallest(&clauses, &weights) {
            Choice::None => Choosing::None,
            Choice::Undecided => Choosing::Undecided,
            Choice::Smallest(chosen) => Choosing::Edits(
                chosen.into_iter().filter_map(|at| universe.get(at).cloned()).collect(),
            ),
        }
    }

    fn made(&self, chosen: &BTreeSet<Edit>) -> SnapshotFiles {
        made(self.files, &chosen.iter().collect(), &self.candidates.wording)
    }

    fn ask(&self, world: &World) -> Result<Vec<Answer>, QuestionError> {
        let options = self.wanted.options;
        match self.wanted.from {
            Some(from) => Ok(vec![reach(world, self.models, from, options)?]),
            None => {
                let audit = audit(world, self.models, options)?;
                let outside = audit.outside.into_iter().flat_map(|outside| outside.findings);
                Ok(audit.findings.into_iter().chain(outside).collect())
            }
        }
    }

    /// Whether what must stay is there.
    fn keeps(&self, world: &World) -> Result<bool, QuestionError> {
        if !self.keep.is_empty() {
            let simulator = Simulator::new(world, self.models)?;
            for (keep, before) in &self.keep {
                if !keep.stays(*before, keep.verdict(&simulator)?) {
                    return Ok(false);
                }
            }
        }
        let all = self.standing.all();
        Ok(self.at_goal(world, &all)?.is_superset(&all))
    }

    /// Which of these are at the goal.
    fn at_goal(
        &self,
        world: &World,
        of: &BTreeSet<Arc<str>>,
    ) -> Result<BTreeSet<Arc<str>>, QuestionError> {
        if of.is_empty() {
            return Ok(BTreeSet::new());
        }
        let starts: Vec<_> = of.iter().filter_map(|arn| world.find(arn)).collect();
        let audit = audit_of(world, self.models, &starts, &self.general)?;
        let mut out: BTreeSet<Arc<str>> = audit.administrators.into_iter().collect();
        let direct = audit.findings.into_iter().map(|answer| answer.question.from);
        out.extend(direct.filter(|arn| self.standing.direct.contains(arn)));
        Ok(out)
    }

    /// Who of these makes the goal's call in a snapshot.
    fn remaining(
        &self,
        files: &SnapshotFiles,
        of: &BTreeSet<Arc<str>>,
    ) -> Result<BTreeSet<Arc<str>>, FixError> {
        if of.is_empty() {
            return Ok(BTreeSet::new());
        }
        let world = World::of_files(files, &LoadOptions::default())?;
        let starts: Vec<_> = of.iter().filter_map(|arn| world.find(arn)).collect();
        let audit = audit_of(&world, self.models, &starts, &self.general)?;
        Ok(audit.findings.into_iter().map(|answer| answer.question.from).collect())
    }

    /// The part of a set, none of which can be left out, that takes away what must stay. More
    /// edits never give it back.
    fn breaking(&self, chosen: BTreeSet<Edit>) -> Result<BTreeSet<Edit>, FixError> {
        let mut out = chosen.clone();
        for edit in &chosen {
            let without: BTreeSet<Edit> = out.iter().filter(|one| *one != edit).cloned().collect();
            let world = World::of_files(&self.made(&without), &LoadOptions::default())?;
            if !self.keeps(&world)? {
                out = without;
            }
        }
        Ok(out)
    }

    fn reports(&self, chosen: &BTreeSet<Edit>) -> Vec<EditReport> {
        let report = |edit| report(self.files, edit, chosen, &self.candidates.wording);
        chosen.iter().map(report).collect()
    }

    /// Other sets of the same size.
    fn alternatives(&mut self, first: &BTreeSet<Edit>) -> Result<Vec<Vec<EditReport>>, FixError> {
        let mut out = Vec::new();
        let mut last = first.clone();
        let limit = self.wanted.rounds.min(self.rounds + ALTERNATIVE_ROUNDS);
        while out.len() + 1 < SETS && !first.is_empty() {
            self.forbidden.insert(last);
            match self.next(first.len(), limit)? {
                End::Found { chosen, unknown } if unknown.is_empty() => {
                    out.push(self.reports(&chosen));
                    last = chosen;
                }
                _ => break,
            }
        }
        Ok(out)
    }
}

/// What is tried next.
enum Choosing {
    Edits(BTreeSet<Edit>),
    None,
    Undecided,
}
