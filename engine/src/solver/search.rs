//! Decides a problem with Z3: Boolean atoms in Z3, patterns in our own theory.
//!
//! Z3 proposes a model of the propositions; the theory looks for a text for every value; where
//! there is none, the literals that contradict each other become a clause and Z3 is asked again.
//! The model found is then made canonical: for each proposition in order, its preferred value if
//! some model has it. Z3's own choices, which differ by version and history, leave no trace.

use std::cell::RefCell;
use std::sync::Arc;

use z3::ast::Bool;
use z3::{Params, SatResult};

use super::automaton::Search;
use super::descent::{Standing, Trail, start};
use super::problem::{Meaning, Node, Problem, Values};
use super::theory::{self, Literals, Model, Theory};

/// What Z3 and the theory agree on.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// A model; the canonical one if that was asked for.
    Model(Model),
    /// There is none.
    Unsatisfiable,
    /// A limit was hit.
    Unknown(Arc<str>),
}

/// Most models of Z3 that are looked at.
const MOST_ROUNDS: usize = 4_000;
/// Most sets of patterns the automaton may give up on.
const MOST_UNDECIDED: usize = 8;

/// A solver of this thread, reused with push and pop: a fresh one costs ten times as much.
struct Session {
    solver: z3::Solver,
    /// The Z3 constant of each proposition number, shared by all problems.
    constants: Vec<Bool>,
    resources: u32,
}

thread_local! {
    static SESSION: RefCell<Option<Session>> = const { RefCell::new(None) };
}

impl Session {
    fn new() -> Self {
        let solver = z3::Solver::new();
        // Pushing at once selects the incremental core.
        solver.push();
        Self { solver, constants: Vec::new(), resources: 0 }
    }

    fn prepare(&mut self, propositions: usize, resources: u32) {
        for index in self.constants.len()..propositions {
            self.constants.push(Bool::new_const(u32::try_from(index).unwrap_or(u32::MAX)));
        }
        if self.resources != resources {
            let mut params = Params::new();
            params.set_u32("rlimit", resources);
            self.solver.set_params(&params);
            self.resources = resources;
        }
    }
}

/// Decides the problem; counts the models looked at in `rounds`.
pub(super) fn search(
    problem: &Problem,
    theory: &mut Theory<'_>,
    resources: u32,
    canonical: bool,
    rounds: &mut usize,
) -> Outcome {
    SESSION.with(|slot| {
        let mut session = slot.take().unwrap_or_else(Session::new);
        session.prepare(problem.propositions.len(), resources);
        session.solver.push();
        let mut search = Lazy { problem, theory, session: &session, rounds: 0, undecided: 0 };
        let outcome = search.run(canonical);
        *rounds += search.rounds;
        session.solver.pop(1);
        slot.replace(Some(session));
        outcome
    })
}

struct Lazy<'s, 'p, 't> {
    problem: &'p Problem,
    theory: &'s mut Theory<'t>,
    session: &'s Session,
    rounds: usize,
    /// Sets of literals that the automaton gave up on. They are ruled out, which is noted here:
    /// without a model the answer is then unknown.
    undecided: usize,
}

/// One step of the loop between Z3 and the theory.
enum Check {
    Consistent(Model),
    Refuted,
}

impl Lazy<'_, '_, '_> {
    fn run(&mut self, canonical: bool) -> Outcome {
        self.state_problem();
        let model = match self.check(None) {
            Ok(Check::Consistent(model)) => model,
            Ok(Check::Refuted) if self.undecided > 0 => {
                return Outcome::Unknown("the patterns need too many automaton states".into());
            }
            Ok(Check::Refuted) => return Outcome::Unsatisfiable,
            Err(reason) => return Outcome::Unknown(reason),
        };
        if !canonical {
            return Outcome::Model(model);
        }
        match self.canonical(model) {
            Ok(model) => Outcome::Model(model),
            Err(reason) => Outcome::Unknown(reason),
        }
    }

    fn literal(&self, proposition: usize, sign: bool) -> Bool {
        match self.session.constants.get(proposition) {
            Some(constant) if sign => constant.clone(),
            Some(constant) => constant.not(),
            None => Bool::from_bool(false),
        }
    }

    fn term(&self, node: &Node) -> Bool {
        match node {
            Node::Constant(value) => Bool::from_bool(*value),
            Node::Literal(proposition, sign) => self.literal(*proposition, *sign),
            Node::All(members) => {
                let members: Vec<Bool> = members.iter().map(|member| self.term(member)).collect();
                Bool::and(&members)
            }
            Node::Any(members) => {
                let members: Vec<Bool> = members.iter().map(|member| self.term(member)).collect();
                Bool::or(&members)
            }
        }
    }

    /// Asserts formula, axioms, and what holds within each cell.
    fn state_problem(&self) {
        let solver = &self.session.solver;
        solver.assert(self.term(&self.problem.goal));
        for node in &self.problem.constraints {
            solver.assert(self.term(node));
        }
        for cell in &self.problem.cells {
            let (first, count, listed) = match &cell.values {
                Values::Text { patterns, first } => (*first, patterns.len(), false),
                Values::Listed { classes, first } => (*first, classes.len(), true),
            };
            let all: Vec<Bool> = (first..first + count).map(|at| self.literal(at, true)).collect();
            if let Some(present) = cell.present {
                for value in &all {
                    solver.assert(value.implies(self.literal(present, true)));
                }
            }
            if listed {
                let one = Bool::or(&all);
                match cell.present {
                    Some(present) => solver.assert(self.literal(present, true).implies(&one)),
                    None => solver.assert(&one),
                }
                let weighted: Vec<(&Bool, i32)> = all.iter().map(|value| (value, 1)).collect();
                if weighted.len() > 1 {
                    solver.assert(Bool::pb_le(&weighted, 1));
                }
            }
        }
    }

    /// Asks Z3 until its model has a text for every value, or there is no model.
    fn check(&mut self, assumption: Option<Bool>) -> Result<Check, Arc<str>> {
        let assumptions: Vec<Bool> = assumption.into_iter().collect();
        loop {
            if self.rounds >= MOST_ROUNDS {
                return Err("too many rounds between solver and patterns".into());
            }
            let answer = if assumptions.is_empty() {
                self.session.solver.check()
            } else {
                self.session.solver.check_assumptions(&assumptions)
            };
            match answer {
                SatResult::Unsat => return Ok(Check::Refuted),
                SatResult::Unknown => return Err("the solver's resource limit was hit".into()),
                SatResult::Sat => {}
            }
            self.rounds += 1;
            let proposed = self.proposed()?;
            let complete: Vec<Option<bool>> =
                proposed.iter().map(|value| Some(value.unwrap_or(false))).collect();
            // What Z3 left open need not hold either way; if that reading fails, it is closed.
            for values in [&proposed, &complete] {
                match self.texts(values)? {
                    Some(model) if self.problem.holds(&model.values) => {
                        return Ok(Check::Consistent(model));
                    }
                    Some(_) => {}
                    None => break,
                }
                if values == &complete {
                    return Err("the solver's model does not hold".into());
                }
            }
        }
    }

    /// Z3's model, with `None` for what it leaves open.
    fn proposed(&self) -> Result<Vec<Option<bool>>, Arc<str>> {
        let model = self.session.solver.get_model().ok_or("the solver gave no model")?;
        let count = self.problem.propositions.len();
        let constants = self.session.constants.iter().take(count);
        Ok(constants.map(|c| model.eval(c, false).and_then(|value| value.as_bool())).collect())
    }

    /// Looks for texts for a partial assignment and completes it by them. Where a cell has none, a
    /// clause is added and the result is `None`.
    fn texts(&mut self, proposed: &[Option<bool>]) -> Result<Option<Model>, Arc<str>> {
        let get = |at: usize| proposed.get(at).copied().flatten();
        let mut values: Vec<bool> = proposed.iter().map(|value| value.unwrap_or(false)).collect();
        let problem = self.problem;
        for cell in &problem.cells {
            if cell.present.is_some_and(|present| get(present) != Some(true)) {
                continue;
            }
            match &cell.values {
                Values::Text { patterns, first } => {
                    let literals = theory::literals(patterns, *first, &get);
                    match self.theory.text(cell, &literals) {
                        Search::Found(text) => {
                            for (index, pattern) in patterns.iter().enumerate() {
                                if let Some(value) = values.get_mut(first + index) {
                                    *value = pattern.matches(&text);
                                }
                            }
                        }
                        Search::Empty => {
                            let conflict = self.theory.conflict(cell, &literals);
                            self.exclude(cell.members.first(), &conflict);
                            return Ok(None);
                        }
                        Search::Exhausted => {
                            self.undecided += 1;
                            if self.undecided > MOST_UNDECIDED {
                                return Err("the patterns need too many automaton states".into());
                            }
                            self.exclude(cell.members.first(), &literals);
                            return Ok(None);
                        }
                    }
                }
                Values::Listed { classes, first } => {
                    let range = *first..first + classes.len();
                    if !range.clone().any(|at| get(at) == Some(true))
                        && let Some(open) = range.clone().find(|at| get(*at).is_none())
                        && let Some(value) = values.get_mut(open)
                    {
                        *value = true;
                    }
                }
            }
        }
        Ok(Some(Model { values }))
    }

    /// Rules a set of literals out for every value of the variable.
    fn exclude(&self, variable: Option<&usize>, literals: &Literals) {
        for cell in &self.problem.cells {
            let Values::Text { first, .. } = &cell.values else { continue };
            if cell.members.first() != variable {
                continue;
            }
            let mut clause: Vec<Bool> =
                literals.0.iter().map(|(index, sign)| self.literal(first + index, !sign)).collect();
            clause.extend(cell.present.map(|present| self.literal(present, false)));
            self.session.solver.assert(Bool::or(&clause));
        }
    }

    /// Replaces a model by the canonical one: for each proposition in order, its preferred value
    /// if some model agrees with what was fixed before and has it.
    fn canonical(&mut self, mut model: Model) -> Result<Model, Arc<str>> {
        let problem = self.problem;
        let mut trail = Trail::new(problem);
        let mut told = 0;
        if start(&mut trail, self.theory) == Standing::Impossible {
            return Err("the solver's model contradicts the formula".into());
        }
        for (proposition, stated) in problem.propositions.iter().enumerate() {
            if trail.get(proposition).is_some() {
                continue;
            }
            let current = model.values.get(proposition).copied().unwrap_or(false);
            let before = trail.assigned().len();
            let mut value = stated.preferred;
            if current != stated.preferred {
                let ruled_out = trail.assume(proposition, stated.preferred, self.theory)
                    == Standing::Impossible;
                trail.undo(before);
                if ruled_out {
                    value = current;
                } else if let Some(other) = self.flipped(&model, proposition) {
                    model = other;
                } else {
                    let known: Vec<usize> =
                        trail.assigned().get(told..).unwrap_or_default().to_vec();
                    told = trail.assigned().len();
                    for fixed in known {
                        if let Some(sign) = trail.get(fixed) {
                            self.session.solver.assert(self.literal(fixed, sign));
                        }
                    }
                    match self.check(Some(self.literal(proposition, stated.preferred)))? {
                        Check::Consistent(other) => model = other,
                        Check::Refuted => value = current,
                    }
                }
            }
            if trail.assume(proposition, value, self.theory) == Standing::Impossible {
                return Err("the solver's model contradicts the formula".into());
            }
        }
        Ok(trail.model().unwrap_or(model))
    }

    /// The model with one proposition given its preferred value and little else changed, if that
    /// holds too. Only propositions that come later in the order change with it.
    fn flipped(&mut self, model: &Model, proposition: usize) -> Option<Model> {
        let problem = self.problem;
        let stated = problem.propositions.get(proposition)?;
        let cell = problem.cells.get(stated.cell)?;
        let (first, count) = match &cell.values {
            Values::Text { patterns, first } => (*first, patterns.len()),
            Values::Listed { classes, first } => (*first, classes.len()),
        };
        let mut values = model.values.clone();
        match (stated.meaning, stated.preferred) {
            (Meaning::Present, false) => {
                values.get_mut(first..first + count)?.fill(false);
            }
            (Meaning::Class(_), true) => {
                if cell.present.is_some_and(|present| values.get(present) != Some(&true)) {
                    return None;
                }
                values.get_mut(first..first + count)?.fill(false);
            }
            (Meaning::Like(_), false) => {}
            _ => return None,
        }
        *values.get_mut(proposition)? = stated.preferred;
        if !problem.holds(&values) {
            return None;
        }
        if let Values::Text { patterns, first } = &cell.values
            && stated.meaning != Meaning::Present
        {
            let literals = theory::literals(patterns, *first, &|at| values.get(at).copied());
            if !matches!(self.theory.text(cell, &literals), Search::Found(_)) {
                return None;
            }
        }
        Some(Model { values })
    }
}
