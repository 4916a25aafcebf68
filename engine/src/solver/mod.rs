//! Decides residuals: whether the unknown inputs can be such that the formula holds, with values.
//!
//! Z3 never sees a string. Each question about a value is a Boolean for Z3; which questions can be
//! answered yes and no together is decided by a theory of patterns of our own (`automaton`), or by
//! listing one value per elementary interval (`domain`). Most questions need no Z3 at all: a
//! descent that follows preferences and never has to take one back gives the same canonical
//! answer.
//!
//! A *canonical* answer leaves the environment open if it can. Then, going through environment
//! before chosen variables by name, a key is absent if it can be, a pattern does not match if it
//! need not, a number is small, a time late, an address outside all ranges; and the text is a
//! readable one or the shortest. Variables that the formula holds without are not listed.

mod assumption;
mod automaton;
mod axioms;
mod descent;
mod domain;
mod evaluate;
mod keys;
mod problem;
mod search;
mod statistics;
#[cfg(test)]
mod tests;
mod theory;

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use foldhash::HashMap;
use foldhash::fast::RandomState;

pub use assumption::{Assumption, Literal, TIME_SCOPE};
pub use evaluate::{evaluate, holds};
pub use statistics::{Counts, Statistics};

use crate::residual::{Atom, Grammar, Residual, Variable, VariableKind};
use automaton::Search;
use descent::Descent;
use problem::{Problem, Values};
use search::Outcome;
use statistics::add;
use theory::{Model, Theory};

/// What a variable stands for in a solution.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// The key is not in the request.
    Absent,
    /// A single value.
    One(Arc<str>),
    /// The values of a multivalued key.
    Many(Vec<Arc<str>>),
}

/// Values for the variables that matter. A variable that is not listed may be anything.
pub type Assignment = BTreeMap<Variable, Value>;

/// The answer to a question about a residual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Solution {
    /// It can hold, for example so. Canonical: the same on every machine and with every libz3.
    Satisfiable(Assignment),
    /// It cannot hold.
    Unsatisfiable,
    /// A limit was hit.
    Unknown(Arc<str>),
}

/// The answer to whether a residual holds whatever its inputs are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Validity {
    /// It always holds.
    Always,
    /// It does not, for example here.
    Fails(Assignment),
    /// A limit was hit, or there is a gap.
    Unknown(Arc<str>),
}

/// How much work one question may cost, in deterministic units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Z3's `rlimit` for each check.
    pub resources: u32,
    /// States the glob automaton may visit for one variable.
    pub states: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { resources: 5_000_000, states: 100_000 }
    }
}

/// Whether the formula can hold. Gaps must have been replaced (`Residual::with_gaps`): one that is
/// left makes the answer unknown.
pub fn solve(formula: &Residual, limits: Limits) -> Solution {
    decide(formula, limits, &Statistics::default())
}

/// Whether the formula holds whatever its variables are. A gap makes the answer unknown.
pub fn holds_always(formula: &Residual, limits: Limits) -> Validity {
    validity(solve(&formula.clone().negate(), limits))
}

/// The weakest set of facts about the environment, of those that hold under `assignment`, with
/// which the formula holds whatever the rest of the environment is. Chosen variables keep the
/// values that the assignment gives them.
///
/// Empty if the formula holds in every environment. Where a question hits a limit the fact in
/// doubt is kept, so that the set is never too weak; for an assignment that does not solve the
/// formula it is everything the assignment says.
pub fn assumptions(formula: &Residual, assignment: &Assignment, limits: Limits) -> Vec<Literal> {
    assumption::assumptions(formula, assignment, limits)
}

/// Number of separately locked parts of the memory.
const SHARDS: usize = 32;

/// Answers questions under the same limits, remembers the answers, and counts. To be shared by
/// threads; what it answers does not depend on what it was asked before.
#[derive(Debug)]
pub struct Solver {
    limits: Limits,
    memory: Vec<RwLock<HashMap<Residual, Solution>>>,
    hasher: RandomState,
    statistics: Statistics,
}

impl Default for Solver {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Solver {
    /// A solver that remembers nothing yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            memory: (0..SHARDS).map(|_| RwLock::default()).collect(),
            hasher: RandomState::default(),
            statistics: Statistics::default(),
        }
    }

    /// As the function [`solve`].
    pub fn solve(&self, formula: &Residual) -> Solution {
        if matches!(formula, Residual::True | Residual::False | Residual::Unknown(_)) {
            return decide(formula, self.limits, &self.statistics);
        }
        let hash = self.hasher.hash_one(formula);
        let shard = usize::try_from(hash % (SHARDS as u64)).ok().and_then(|at| self.memory.get(at));
        let Some(shard) = shard else { return decide(formula, self.limits, &self.statistics) };
        if let Some(known) = shard.read().unwrap_or_else(PoisonError::into_inner).get(formula) {
            add(&self.statistics.remembered, 1);
            return known.clone();
        }
        let solution = decide(formula, self.limits, &self.statistics);
        let mut memory = shard.write().unwrap_or_else(PoisonError::into_inner);
        memory.insert(formula.clone(), solution.clone());
        solution
    }

    /// As the function [`holds_always`].
    pub fn holds_always(&self, formula: &Residual) -> Validity {
        validity(self.solve(&formula.clone().negate()))
    }

    /// As the function [`assumptions`].
    pub fn assumptions(&self, formula: &Residual, assignment: &Assignment) -> Vec<Literal> {
        assumption::assumptions(formula, assignment, self.limits)
    }

    /// What was asked so far.
    pub fn statistics(&self) -> Counts {
        self.statistics.counts()
    }
}

fn validity(negated: Solution) -> Validity {
    match negated {
        Solution::Satisfiable(assignment) => Validity::Fails(assignment),
        Solution::Unsatisfiable => Validity::Always,
        Solution::Unknown(reason) => Validity::Unknown(reason),
    }
}

fn decide(formula: &Residual, limits: Limits, statistics: &Statistics) -> Solution {
    let solution = match formula {
        Residual::True => Solution::Satisfiable(Assignment::new()),
        Residual::False => Solution::Unsatisfiable,
        Residual::Unknown(gap) => Solution::Unknown(gap.0.clone()),
        _ => {
            // Only counted: no answer depends on the clock.
            let started = Instant::now();
            let solution = decide_open(formula, limits, statistics);
            let took = started.elapsed().as_nanos();
            add(&statistics.nanoseconds, u64::try_from(took).unwrap_or(u64::MAX));
            if matches!(solution, Solution::Unknown(_)) {
                add(&statistics.unknown, 1);
            }
            return solution;
        }
    };
    add(&statistics.folded, 1);
    solution
}

fn decide_open(formula: &Residual, limits: Limits, statistics: &Statistics) -> Solution {
    if problem::too_deep(formula) {
        return Solution::Unknown("the formula is nested too deeply".into());
    }
    if let Some(gap) = formula.gaps().into_iter().next() {
        return Solution::Unknown(gap.0);
    }
    // What holds in every environment needs no assumption: try that first.
    let certain = in_every_environment(formula, true);
    if certain.is_true() {
        add(&statistics.cheap, 1);
        return Solution::Satisfiable(Assignment::new());
    }
    if !certain.is_false()
        && certain != *formula
        && let solution @ Solution::Satisfiable(_) =
            decide_whole(&certain, limits, statistics, true)
    {
        return solution;
    }
    decide_whole(formula, limits, statistics, true)
}

/// The formula with each literal about the environment taken as not holding: what is left implies
/// that the formula holds in every environment.
fn in_every_environment(formula: &Residual, sign: bool) -> Residual {
    let each = |members: &[Residual]| -> Vec<Residual> {
        members.iter().map(|member| in_every_environment(member, sign)).collect()
    };
    match formula {
        Residual::Atom(atom) if atom.variable().kind == VariableKind::Environment => {
            Residual::False
        }
        Residual::Atom(_) if sign => formula.clone(),
        Residual::Atom(_) => formula.clone().negate(),
        Residual::Not(inner) => in_every_environment(inner, !sign),
        Residual::All(members) if sign => Residual::all(each(members)),
        Residual::Any(members) if !sign => Residual::all(each(members)),
        Residual::All(members) | Residual::Any(members) => Residual::any(each(members)),
        Residual::True | Residual::False => Residual::constant(formula.is_true() == sign),
        Residual::Unknown(_) => Residual::False,
    }
}

/// Decides a formula without gaps: descent first, then Z3. Unless `canonical`, any model will do.
fn decide_whole(
    formula: &Residual,
    limits: Limits,
    statistics: &Statistics,
    canonical: bool,
) -> Solution {
    let problem = match Problem::new(formula) {
        Ok(problem) => problem,
        Err(reason) => return Solution::Unknown(reason),
    };
    let mut theory = Theory::new(&problem, limits.states);
    let solution = decide_problem(formula, &problem, &mut theory, limits, statistics, canonical);
    add(&statistics.states, theory.states as u64);
    solution
}

fn decide_problem(
    formula: &Residual,
    problem: &Problem,
    theory: &mut Theory<'_>,
    limits: Limits,
    statistics: &Statistics,
    canonical: bool,
) -> Solution {
    let unsatisfiable = || {
        if problem.exact {
            Solution::Unsatisfiable
        } else {
            Solution::Unknown(
                "a value that is compared both as text and as number, date or address".into(),
            )
        }
    };
    match descent::descend(problem, theory) {
        Descent::Canonical(model) => {
            if let Some(assignment) = read_model(formula, problem, theory, &model) {
                add(&statistics.cheap, 1);
                return Solution::Satisfiable(assignment);
            }
        }
        Descent::Unsatisfiable => {
            add(&statistics.cheap, 1);
            return unsatisfiable();
        }
        Descent::Stuck => {}
    }
    let mut rounds = 0;
    let outcome = search::search(problem, theory, limits.resources, canonical, &mut rounds);
    add(&statistics.solver, 1);
    add(&statistics.rounds, rounds as u64);
    match outcome {
        Outcome::Unsatisfiable => unsatisfiable(),
        Outcome::Unknown(reason) => Solution::Unknown(reason),
        Outcome::Model(model) => match read_model(formula, problem, theory, &model) {
            Some(assignment) => Solution::Satisfiable(assignment),
            None => Solution::Unknown("no values were found for the solver's model".into()),
        },
    }
}

/// The values a model stands for, checked against the formula's plain meaning, without those that
/// do not matter. `None` if a text is too hard to find.
fn read_model(
    formula: &Residual,
    problem: &Problem,
    theory: &mut Theory<'_>,
    model: &Model,
) -> Option<Assignment> {
    let mut texts: BTreeMap<usize, Vec<Arc<str>>> = BTreeMap::new();
    for cell in &problem.cells {
        if cell.present.is_some_and(|present| model.values.get(present) != Some(&true)) {
            continue;
        }
        let value: Vec<Arc<str>> = match &cell.values {
            Values::Listed { classes, first } => {
                let chosen = (0..classes.len())
                    .find(|class| model.values.get(first + class) == Some(&true))?;
                classes.get(chosen)?.clone()
            }
            Values::Text { patterns, first } => {
                let value = |at: usize| model.values.get(at).copied();
                let literals = theory::literals(patterns, *first, &value);
                let Search::Found(text) = theory.text(cell, &literals) else { return None };
                vec![text.into()]
            }
        };
        for (member, text) in cell.members.iter().zip(value) {
            texts.entry(*member).or_default().push(text);
        }
    }
    let mut assignment = Assignment::new();
    for (index, variable) in problem.variables.iter().enumerate() {
        let mut values = texts.remove(&index).unwrap_or_default();
        values.sort();
        values.dedup();
        let value = match values.first() {
            None => Value::Absent,
            Some(_) if variable.multivalued => Value::Many(values),
            Some(only) => Value::One(only.clone()),
        };
        assignment.insert(variable.clone(), value);
    }
    if !evaluate(formula, &assignment) {
        return None;
    }
    drop_superfluous_values(formula, &mut assignment);
    Some(evaluate::relevant(formula, assignment))
}

/// Removes values of multivalued keys that the formula holds without, last ones first; but not the
/// names of keys that are in the request.
fn drop_superfluous_values(formula: &Residual, assignment: &mut Assignment) {
    let many: Vec<Variable> = assignment
        .iter()
        .filter(|(_, value)| matches!(value, Value::Many(values) if values.len() > 1))
        .map(|(variable, _)| variable.clone())
        .collect();
    for variable in many {
        let Some(Value::Many(mut values)) = assignment.get(&variable).cloned() else { continue };
        for at in (0..values.len()).rev() {
            if values.len() < 2 {
                break;
            }
            let mut fewer = values.clone();
            if axioms::lists_key_of(&variable, &fewer.remove(at), assignment) {
                continue;
            }
            let before = assignment.insert(variable.clone(), Value::Many(fewer.clone()));
            if evaluate(formula, assignment) {
                values = fewer;
            } else if let Some(before) = before {
                assignment.insert(variable.clone(), before);
            }
        }
    }
}

/// Whether the formula can hold at all; `None` if a limit was hit.
fn feasible(formula: &Residual, limits: Limits) -> Option<bool> {
    match formula {
        Residual::True => return Some(true),
        Residual::False => return Some(false),
        _ => {}
    }
    match decide_whole(formula, limits, &Statistics::default(), false) {
        Solution::Satisfiable(_) => Some(true),
        Solution::Unsatisfiable => Some(false),
        Solution::Unknown(_) => None,
    }
}

/// A residual that holds exactly if the atom has this value.
fn literal(atom: &Arc<Atom>, holds: bool) -> Residual {
    let atom = Residual::Atom(atom.clone());
    if holds { atom } else { atom.negate() }
}

/// A text of the grammar for a name that may be anything: readable if it can be.
pub fn any_text(grammar: &Grammar) -> Arc<str> {
    if let Some(word) = theory::READABLE.iter().find(|word| grammar.accepts(word)) {
        return Arc::from(*word);
    }
    let first = ('a'..='z').chain('0'..='9').chain('A'..='Z').find(|c| grammar.allows(*c));
    let first = first.or_else(|| grammar.alphabet.first().map(|range| range.0)).unwrap_or('x');
    let length = if grammar.between.is_empty() { grammar.length.0.max(1) } else { 1 };
    let begins: String = std::iter::repeat_n(first, usize::from(length)).collect();
    theory::with_parts(grammar, begins, first).into()
}
