//! Decides a problem by going down its propositions in order, taking the preferred value of each
//! unless what was fixed so far rules it out.
//!
//! Where that ends in a model, it is the canonical one: every preference that was not followed was
//! impossible. Where it gets stuck, nothing is known and Z3 is asked.

use super::automaton::Search;
use super::problem::{Meaning, Node, Problem, Values};
use super::theory::{self, Model, Theory};
use foldhash::HashMap;

/// How a descent ended.
#[derive(Clone, Debug)]
pub(super) enum Descent {
    /// With the canonical model.
    Canonical(Model),
    /// What is fixed from the start is contradictory.
    Unsatisfiable,
    /// A choice that seemed possible was not, or the automaton gave up.
    Stuck,
}

/// Whether what is assigned can stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Possible,
    Impossible,
    Undecided,
}

/// A partial assignment, with its consequences drawn, that can be taken back.
pub(super) struct Trail<'p> {
    problem: &'p Problem,
    values: Vec<Option<bool>>,
    assigned: Vec<usize>,
    /// How many of `assigned` have had their consequences within the cell drawn.
    drawn: usize,
    /// A text of each cell that satisfied the literals asked of it last.
    texts: HashMap<usize, String>,
}

impl<'p> Trail<'p> {
    pub(super) fn new(problem: &'p Problem) -> Self {
        Self {
            problem,
            values: vec![None; problem.propositions.len()],
            assigned: Vec::new(),
            drawn: 0,
            texts: HashMap::default(),
        }
    }

    pub(super) fn get(&self, proposition: usize) -> Option<bool> {
        self.values.get(proposition).copied().flatten()
    }

    /// What was assigned, in order of time.
    pub(super) fn assigned(&self) -> &[usize] {
        &self.assigned
    }

    /// Assigns a proposition and draws the consequences.
    pub(super) fn assume(
        &mut self,
        proposition: usize,
        value: bool,
        theory: &mut Theory<'_>,
    ) -> Standing {
        if !self.assign(proposition, value) {
            return Standing::Impossible;
        }
        self.propagate(theory)
    }

    /// Takes back everything assigned since there were `length` assignments.
    pub(super) fn undo(&mut self, length: usize) {
        for proposition in self.assigned.drain(length.min(self.assigned.len())..) {
            if let Some(value) = self.values.get_mut(proposition) {
                *value = None;
            }
        }
        self.drawn = self.drawn.min(length);
    }

    fn assign(&mut self, proposition: usize, value: bool) -> bool {
        match self.values.get_mut(proposition) {
            Some(slot @ None) => {
                *slot = Some(value);
                self.assigned.push(proposition);
                true
            }
            Some(Some(known)) => *known == value,
            None => false,
        }
    }

    /// Draws all consequences that single clauses, cells and patterns have.
    pub(super) fn propagate(&mut self, theory: &mut Theory<'_>) -> Standing {
        let problem = self.problem;
        let mut forced = Vec::new();
        let checked = self.drawn;
        loop {
            while let Some(&proposition) = self.assigned.get(self.drawn) {
                self.drawn += 1;
                if !self.within_cell(proposition) {
                    return Standing::Impossible;
                }
            }
            let before = self.assigned.len();
            for node in std::iter::once(&problem.goal).chain(&problem.constraints) {
                forced.clear();
                if !self.require(node, &mut forced)
                    || !forced.iter().all(|&(proposition, value)| self.assign(proposition, value))
                {
                    return Standing::Impossible;
                }
            }
            if self.assigned.len() == before {
                break;
            }
        }
        self.check_texts(checked, theory)
    }

    /// What a proposition means for the others of its cell.
    fn within_cell(&mut self, proposition: usize) -> bool {
        let problem = self.problem;
        let Some(stated) = problem.propositions.get(proposition) else { return false };
        let Some(cell) = problem.cells.get(stated.cell) else { return false };
        let value = self.get(proposition) == Some(true);
        let (first, count) = match &cell.values {
            Values::Text { patterns, first } => (*first, patterns.len()),
            Values::Listed { classes, first } => (*first, classes.len()),
        };
        let listed = matches!(cell.values, Values::Listed { .. });
        let mut possible = true;
        match (stated.meaning, value) {
            (Meaning::Present, false) => {
                for other in first..first + count {
                    possible &= self.assign(other, false);
                }
            }
            (Meaning::Present, true) => {}
            (Meaning::Like(_) | Meaning::Class(_), true) => {
                if let Some(present) = cell.present {
                    possible &= self.assign(present, true);
                }
                if listed {
                    for other in (first..first + count).filter(|other| *other != proposition) {
                        possible &= self.assign(other, false);
                    }
                }
            }
            (Meaning::Like(_) | Meaning::Class(_), false) => {}
        }
        // A listed value that is there is one of the list.
        if possible && listed && cell.present.is_none_or(|p| self.get(p) == Some(true)) {
            let mut open = (first..first + count).filter(|at| self.get(*at) != Some(false));
            match (open.next(), open.next()) {
                (None, _) => return false,
                (Some(only), None) => possible &= self.assign(only, true),
                _ => {}
            }
        }
        possible
    }

    /// Collects what must hold for the node to hold; false if it cannot.
    fn require(&self, node: &Node, forced: &mut Vec<(usize, bool)>) -> bool {
        match node {
            Node::Constant(value) => *value,
            Node::Literal(proposition, sign) => match self.get(*proposition) {
                Some(value) => value == *sign,
                None => {
                    forced.push((*proposition, *sign));
                    true
                }
            },
            Node::All(members) => members.iter().all(|member| self.require(member, forced)),
            Node::Any(members) => {
                let mut open = None;
                for member in members {
                    match member.evaluate(&|proposition| self.get(proposition)) {
                        Some(true) => return true,
                        Some(false) => {}
                        // Two ways are open: nothing is forced.
                        None if open.is_some() => return true,
                        None => open = Some(member),
                    }
                }
                open.is_some_and(|only| self.require(only, forced))
            }
        }
    }

    /// Whether every text cell touched since `from` assignments has a text.
    fn check_texts(&mut self, from: usize, theory: &mut Theory<'_>) -> Standing {
        let problem = self.problem;
        let mut touched: Vec<usize> = self
            .assigned
            .get(from..)
            .unwrap_or_default()
            .iter()
            .filter_map(|proposition| problem.propositions.get(*proposition))
            .map(|stated| stated.cell)
            .collect();
        touched.sort_unstable();
        touched.dedup();
        for index in touched {
            let Some(cell) = problem.cells.get(index) else { continue };
            let Values::Text { patterns, first } = &cell.values else { continue };
            if cell.present.is_some_and(|present| self.get(present) != Some(true)) {
                continue;
            }
            let literals = theory::literals(patterns, *first, &|at| self.get(at));
            let still = self.texts.get(&index).is_some_and(|text| {
                literals.0.iter().all(|(pattern, sign)| {
                    patterns.get(*pattern).is_some_and(|p| p.matches(text) == *sign)
                })
            });
            if still {
                continue;
            }
            match theory.text(cell, &literals) {
                Search::Found(text) => {
                    self.texts.insert(index, text);
                }
                Search::Empty => return Standing::Impossible,
                Search::Exhausted => return Standing::Undecided,
            }
        }
        Standing::Possible
    }

    /// The total assignment, once every proposition has a value.
    pub(super) fn model(&self) -> Option<Model> {
        let values: Option<Vec<bool>> = self.values.iter().copied().collect();
        Some(Model { values: values? })
    }
}

/// Goes down the propositions.
pub(super) fn descend(problem: &Problem, theory: &mut Theory<'_>) -> Descent {
    let mut trail = Trail::new(problem);
    match start(&mut trail, theory) {
        Standing::Possible => {}
        Standing::Impossible => return Descent::Unsatisfiable,
        Standing::Undecided => return Descent::Stuck,
    }
    let mut chosen = false;
    for (proposition, stated) in problem.propositions.iter().enumerate() {
        if trail.get(proposition).is_some() {
            continue;
        }
        let before = trail.assigned().len();
        match trail.assume(proposition, stated.preferred, theory) {
            Standing::Possible => {
                chosen = true;
                continue;
            }
            Standing::Impossible => trail.undo(before),
            Standing::Undecided => return Descent::Stuck,
        }
        match trail.assume(proposition, !stated.preferred, theory) {
            Standing::Possible => {}
            Standing::Impossible if !chosen => return Descent::Unsatisfiable,
            Standing::Impossible | Standing::Undecided => return Descent::Stuck,
        }
    }
    match trail.model() {
        Some(model) if problem.holds(&model.values) => Descent::Canonical(model),
        _ => Descent::Stuck,
    }
}

/// Draws the consequences of the formula alone, cells with no proposition decided included.
pub(super) fn start(trail: &mut Trail<'_>, theory: &mut Theory<'_>) -> Standing {
    let problem = trail.problem;
    for cell in &problem.cells {
        match &cell.values {
            Values::Listed { classes, first } if cell.present.is_none() => match classes.len() {
                0 => return Standing::Impossible,
                1 => {
                    trail.assign(*first, true);
                }
                _ => {}
            },
            Values::Listed { classes, .. } if classes.is_empty() => {
                if let Some(present) = cell.present {
                    trail.assign(present, false);
                }
            }
            // A grammar can be empty, and then nothing is its text.
            Values::Text { .. } => match theory.text(cell, &theory::Literals::default()) {
                Search::Found(_) => {}
                Search::Empty => match cell.present {
                    None => return Standing::Impossible,
                    Some(present) => {
                        trail.assign(present, false);
                    }
                },
                Search::Exhausted => return Standing::Undecided,
            },
            Values::Listed { .. } => {}
        }
    }
    trail.propagate(theory)
}
