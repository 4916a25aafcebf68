//! The search for the smallest set: what is chosen is made, and the question asked again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Standing;
use super::answer::{FixError, Wanted};
use super::candidates::{Candidates, Touched};
use super::edits::{Edit, made};
use super::hitting_set::{Choice, Clause, Clauses, smallest};
use super::keep::Keep;
use super::limits::{Limit, Limited, asks_for_boundaries};
use super::report::{EditReport, report};
use crate::analysis::{Models, Options, QuestionError, audit, audit_of, reach};
use crate::answer::{Answer, Path, Verdict};
use crate::simulation::{self, Simulator};
use crate::snapshot::{LoadOptions, SnapshotFiles, World};

/// How many snapshots are tried for the others.
const ALTERNATIVE_ROUNDS: usize = 12;

/// How a search ended.
pub(super) enum End {
    Found { chosen: BTreeSet<Edit>, unknown: Vec<Arc<str>> },
    None,
    Limit,
    Untouched(Box<Answer>),
}

pub(super) struct Run<'a> {
    pub(super) files: &'a SnapshotFiles,
    /// As it is without edits.
    pub(super) world: &'a World,
    /// What is answered there about the one start whose paths are cut, if that is known.
    pub(super) answer: Option<&'a Answer>,
    pub(super) models: &'a Models,
    pub(super) wanted: &'a Wanted<'a>,
    /// The goal, with every path counted.
    pub(super) general: Options,
    /// What must stay, with what it is now.
    pub(super) keep: Vec<(Keep, simulation::Verdict)>,
    pub(super) standing: Standing,
    pub(super) candidates: Candidates<'a>,
    /// What touches the paths found so far.
    pub(super) touched: BTreeSet<Touched>,
    /// Sets that take away what must stay, and those already shown.
    pub(super) forbidden: BTreeSet<BTreeSet<Edit>>,
    pub(super) rounds: usize,
}

impl Run<'_> {
    /// The smallest set that is not forbidden, if it has no more edits than `most`; `limit` is what
    /// the rounds may come to.
    pub(super) fn next(&mut self, most: usize, limit: usize) -> Result<End, FixError> {
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
            let edited = match chosen.is_empty() {
                true => None,
                false => Some(World::of_files(&self.made(&chosen), &LoadOptions::default())?),
            };
            let world = edited.as_ref().unwrap_or(self.world);
            // Without edits everything that must stay is there.
            if edited.is_some() && !self.keeps(world)? {
                let breaking = self.breaking(chosen)?;
                if !self.forbidden.insert(breaking) {
                    return Ok(End::Limit);
                }
                continue;
            }
            let answers = match (self.answer, &edited) {
                (Some(answer), None) => vec![answer.clone()],
                _ => self.ask(world)?,
            };
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
                    [] => self.touching_all(world, &answer.question.from, &chosen),
                    _ => self.touching(world, path, &chosen),
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
    pub(super) fn proves(&self, chosen: &BTreeSet<Edit>) -> bool {
        let bounds =
            |edit: &Edit| matches!(edit.limit(), Some(Limit { of: Limited::Boundary { .. }, .. }));
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
        let mut about = BTreeMap::<&str, Vec<usize>>::new();
        for (at, edit) in universe.iter().enumerate() {
            let subjects = edit.subjects().into_iter().chain(edit.limit().map(Limit::whose));
            subjects.for_each(|subject| about.entry(subject).or_default().push(at));
        }
        let numbers = |edits: &BTreeSet<Edit>| -> BTreeSet<usize> {
            edits.iter().map(|edit| position.get(edit).copied().unwrap_or(usize::MAX)).collect()
        };
        let some = self.touched.iter().map(|touched| {
            let mut of = numbers(&touched.edits);
            let near = touched.subjects().into_iter().filter_map(|subject| about.get(subject));
            of.extend(near.flatten().copied().filter(|at| {
                universe.get(*at).is_some_and(|edit| {
                    self.touches(edit, touched) && !touched.except.contains(edit)
                })
            }));
            Clause { of, unless_not: numbers(&touched.with) }
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

    pub(super) fn made(&self, chosen: &BTreeSet<Edit>) -> SnapshotFiles {
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
    pub(super) fn remaining(
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

    pub(super) fn reports(&self, chosen: &BTreeSet<Edit>) -> Vec<EditReport> {
        let report = |edit| report(self.files, edit, chosen, &self.candidates.wording);
        chosen.iter().map(report).collect()
    }

    /// Other sets of the same size.
    pub(super) fn alternatives(
        &mut self,
        first: &BTreeSet<Edit>,
        sets: usize,
    ) -> Result<Vec<Vec<EditReport>>, FixError> {
        let mut out = Vec::new();
        let mut last = first.clone();
        let limit = self.wanted.rounds.min(self.rounds + ALTERNATIVE_ROUNDS);
        while out.len() + 1 < sets && !first.is_empty() {
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
