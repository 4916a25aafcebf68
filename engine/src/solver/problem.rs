//! A residual as a propositional problem: one proposition for each question about each value, in
//! the order in which a canonical answer decides them, and the formula and axioms over them.
//!
//! A *cell* is one value: that of a single-valued variable, or one of the values of a multivalued
//! one. A multivalued variable has as many cells as there are distinct questions about "some
//! value" (each that holds needs at most one value of its own; one that does not hold only
//! restricts), and one more for its presence. Present means having at least one value.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::axioms::{AXIOMS, Axiom, Fact, LISTS};
use super::domain::{self, Class};
use super::keys::{self, ValueType};
use crate::pattern::Pattern;
use crate::residual::{Atom, Residual, Test, Variable, VariableKind};

/// Deepest nesting that is followed.
const DEEPEST: usize = 256;
/// Most propositions of one problem.
const LARGEST: usize = 50_000;
/// Most values of one multivalued variable.
const MOST_VALUES: usize = 48;

/// A formula over propositions. Negation stands only in literals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Constant(bool),
    Literal(usize, bool),
    All(Vec<Node>),
    Any(Vec<Node>),
}

impl Node {
    fn all(members: impl IntoIterator<Item = Node>) -> Self {
        let mut out = Vec::new();
        for member in members {
            match member {
                Self::Constant(true) => {}
                Self::Constant(false) => return Self::Constant(false),
                Self::All(inner) => out.extend(inner),
                other => out.push(other),
            }
        }
        match out.len() {
            0 => Self::Constant(true),
            1 => out.remove(0),
            _ => Self::All(out),
        }
    }

    fn any(members: impl IntoIterator<Item = Node>) -> Self {
        let mut out = Vec::new();
        for member in members {
            match member {
                Self::Constant(false) => {}
                Self::Constant(true) => return Self::Constant(true),
                Self::Any(inner) => out.extend(inner),
                other => out.push(other),
            }
        }
        match out.len() {
            0 => Self::Constant(false),
            1 => out.remove(0),
            _ => Self::Any(out),
        }
    }

    fn negate(&self) -> Self {
        match self {
            Self::Constant(value) => Self::Constant(!value),
            Self::Literal(proposition, sign) => Self::Literal(*proposition, !sign),
            Self::All(members) => Self::any(members.iter().map(Self::negate)),
            Self::Any(members) => Self::all(members.iter().map(Self::negate)),
        }
    }

    fn implies(&self, other: &Self) -> Self {
        Self::any([self.negate(), other.clone()])
    }

    /// The value under a total or partial assignment; `None` if it depends.
    pub(super) fn evaluate(&self, value: &impl Fn(usize) -> Option<bool>) -> Option<bool> {
        let decided = |members: &[Node], neutral: bool| {
            let mut open = false;
            for member in members {
                match member.evaluate(value) {
                    Some(result) if result != neutral => return Some(result),
                    Some(_) => {}
                    None => open = true,
                }
            }
            (!open).then_some(neutral)
        };
        match self {
            Self::Constant(constant) => Some(*constant),
            Self::Literal(proposition, sign) => value(*proposition).map(|v| v == *sign),
            Self::All(members) => decided(members, true),
            Self::Any(members) => decided(members, false),
        }
    }
}

/// What a proposition says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The cell holds a value.
    Present,
    /// The cell's text matches its pattern of this index.
    Like(usize),
    /// The cell's value is the listed one of this index.
    Class(usize),
}

/// One yes-or-no question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proposition {
    pub(super) cell: usize,
    pub(super) meaning: Meaning,
    /// The value that a canonical answer gives it if it can.
    pub(super) preferred: bool,
}

/// What a cell's value can be.
#[derive(Clone, Debug)]
pub(super) enum Values {
    /// Any text of the grammar, told apart by patterns; `first` is the first pattern's proposition.
    Text { patterns: Arc<[Pattern]>, first: usize },
    /// One of a list.
    Listed { classes: Vec<Class>, first: usize },
}

/// One value.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    /// Indices of the variables that it is the value of. Two for the clock, else one.
    pub(super) members: Vec<usize>,
    /// The proposition that it is there; `None` if it always is.
    pub(super) present: Option<usize>,
    pub(super) values: Values,
}

/// The whole problem.
#[derive(Debug)]
pub(super) struct Problem {
    /// Those of the formula: environment first, then by name.
    pub(super) variables: Vec<Variable>,
    pub(super) cells: Vec<Cell>,
    /// In the order of decision.
    pub(super) propositions: Vec<Proposition>,
    pub(super) goal: Node,
    pub(super) constraints: Vec<Node>,
    /// Whether unsatisfiability of the problem is that of the residual.
    pub(super) exact: bool,
}

impl Problem {
    /// Encodes a residual. An error says what it is about it that cannot be encoded.
    pub(super) fn new(formula: &Residual) -> Result<Self, Arc<str>> {
        let mut uses: BTreeMap<&Variable, Uses> = BTreeMap::new();
        let atoms = atoms(formula)?;
        for atom in &atoms {
            let uses = uses.entry(atom.variable()).or_default();
            match &***atom {
                Atom::Present(_) => uses.present = true,
                Atom::Passes(_, test) => {
                    uses.tests.insert(test);
                    uses.some.insert(atom);
                }
                Atom::Some { tests, .. } => {
                    uses.tests.extend(tests);
                    uses.some.insert(atom);
                }
            }
        }
        let listings = members_listed(&uses);
        for (atom, _) in &listings {
            let uses = uses.entry(atom.variable()).or_default();
            if let Atom::Some { tests, .. } = &**atom {
                uses.tests.extend(tests);
            }
            uses.some.insert(atom);
        }
        let mut order: Vec<(&Variable, Uses)> = uses.into_iter().collect();
        order.sort_by(|(a, _), (b, _)| rank(a).cmp(&rank(b)).then_with(|| a.cmp(b)));
        let mut builder = Builder::default();
        for index in 0..order.len() {
            builder.add(&order, index)?;
        }
        builder.constraints_between_values(&order);
        builder.issued_before(&order);
        let names: Vec<&Variable> = order.iter().map(|(variable, _)| *variable).collect();
        builder.axioms(&names);
        builder.listed(&listings, &names);
        let goal = builder.node(formula, &names, true, 0)?;
        Ok(Self {
            variables: names.into_iter().cloned().collect(),
            cells: builder.cells,
            propositions: builder.propositions,
            goal,
            constraints: builder.constraints,
            exact: builder.exact,
        })
    }

    /// Whether the formula and the axioms hold under a total assignment.
    pub(super) fn holds(&self, values: &[bool]) -> bool {
        let value = |proposition: usize| values.get(proposition).copied();
        self.goal.evaluate(&value) == Some(true)
            && self.constraints.iter().all(|node| node.evaluate(&value) == Some(true))
    }

    /// The variable whose grammar rules a cell's text.
    pub(super) fn variable(&self, cell: &Cell) -> Option<&Variable> {
        cell.members.first().and_then(|index| self.variables.get(*index))
    }
}

/// Where a variable stands in the order of decision.
fn rank(variable: &Variable) -> (bool, &str, &str) {
    (variable.kind == VariableKind::Chosen, &variable.name, &variable.scope)
}

/// Whether a formula is nested deeper than is followed. Not recursive itself.
pub(super) fn too_deep(formula: &Residual) -> bool {
    let mut rest = vec![(formula, 0usize)];
    while let Some((part, depth)) = rest.pop() {
        match part {
            _ if depth > DEEPEST => return true,
            Residual::Not(inner) => rest.push((inner, depth + 1)),
            Residual::All(members) | Residual::Any(members) => {
                rest.extend(members.iter().map(|member| (member, depth + 1)));
            }
            _ => {}
        }
    }
    false
}

/// Every atom; an error if the formula is nested too deeply or holds a gap.
fn atoms(formula: &Residual) -> Result<BTreeSet<&Arc<Atom>>, Arc<str>> {
    let mut out = BTreeSet::new();
    let mut rest = vec![(formula, 0usize)];
    while let Some((part, depth)) = rest.pop() {
        if depth > DEEPEST {
            return Err("the formula is nested too deeply".into());
        }
        match part {
            Residual::True | Residual::False => {}
            Residual::Unknown(gap) => return Err(gap.0.clone()),
            Residual::Atom(atom) => {
                out.insert(atom);
            }
            Residual::Not(inner) => rest.push((inner, depth + 1)),
            Residual::All(members) | Residual::Any(members) => {
                rest.extend(members.iter().rev().map(|member| (member, depth + 1)));
            }
        }
    }
    Ok(out)
}

/// For each key of a family that the formula asks for together with the key that lists the family's
/// members: the question whether it is listed, and the key.
fn members_listed(uses: &BTreeMap<&Variable, Uses<'_>>) -> Vec<(Arc<Atom>, Variable)> {
    let mut out = Vec::new();
    for list in uses.keys().filter(|variable| variable.multivalued) {
        let key = keys::lower_case(list);
        let Some((_, family)) = LISTS.iter().find(|(name, _)| *name == key) else { continue };
        let of_request =
            uses.keys().filter(|member| !member.multivalued && member.scope == list.scope);
        for member in of_request {
            let key = keys::lower_case(member);
            let Some(name) = key.strip_prefix(family) else { continue };
            let tests = vec![Test::Like(Pattern::literal(name, true))];
            let atom = Atom::Some { variable: (*list).clone(), tests, negated: false };
            out.push((Arc::new(atom), (*member).clone()));
        }
    }
    out
}

/// What a formula asks about one variable.
#[derive(Default)]
struct Uses<'a> {
    present: bool,
    tests: BTreeSet<&'a Test>,
    some: BTreeSet<&'a Arc<Atom>>,
}

/// The earliest and the latest time, in milliseconds.
type Span = (Option<i64>, Option<i64>);

#[derive(Default)]
struct Builder {
    /// The cells of each variable, in the order of the variables.
    cells_of: Vec<Vec<usize>>,
    cells: Vec<Cell>,
    propositions: Vec<Proposition>,
    constraints: Vec<Node>,
    exact: bool,
    clocks: BTreeMap<Arc<str>, usize>,
    /// For each question about some value of a multivalued variable, the cell made for it: the
    /// question holds exactly if that cell has a value.
    witnesses: BTreeMap<Arc<Atom>, usize>,
}

impl Builder {
    /// Adds the cells of the variable at `index`.
    fn add(&mut self, order: &[(&Variable, Uses<'_>)], index: usize) -> Result<(), Arc<str>> {
        if index == 0 {
            self.exact = true;
        }
        let Some((variable, uses)) = order.get(index) else { return Ok(()) };
        let key = keys::lower_case(variable);
        let clock = is_clock(&key) && !variable.multivalued;
        if clock && let Some(cell) = self.clocks.get(&variable.scope) {
            self.cells_of.push(vec![*cell]);
            return Ok(());
        }
        let mut members = vec![index];
        if clock {
            let others = order.iter().enumerate().skip(index + 1);
            members.extend(others.filter_map(|(at, (other, _))| {
                let same = other.scope == variable.scope && !other.multivalued;
                (same && is_clock(&keys::lower_case(other))).then_some(at)
            }));
            self.clocks.insert(variable.scope.clone(), self.cells.len());
        }
        let tests: Vec<(&Variable, Vec<&Test>)> = members
            .iter()
            .filter_map(|at| order.get(*at))
            .map(|(variable, uses)| (*variable, uses.tests.iter().copied().collect()))
            .collect();
        let classes = domain::classes(&tests);
        self.exact &= classes.as_ref().is_none_or(|classes| classes.exact);
        let patterns: Arc<[Pattern]> = uses
            .tests
            .iter()
            .filter_map(|test| if let Test::Like(p) = test { Some(p.clone()) } else { None })
            .filter(|pattern| !pattern.is_any())
            .collect();
        let count = if variable.multivalued { uses.some.len() + 1 } else { 1 };
        if count > MOST_VALUES {
            return Err(format!("too many questions about the values of {}", variable.name).into());
        }
        let always = !variable.multivalued && (keys::always_present(&key) || !uses.present);
        let mut cells = Vec::new();
        for _ in 0..count {
            let cell = self.cells.len();
            let propose = |propositions: &mut Vec<Proposition>, meaning, preferred| {
                propositions.push(Proposition { cell, meaning, preferred });
                propositions.len() - 1
            };
            let present = (!always).then(|| {
                let preferred = !variable.multivalued && keys::usually_present(&key);
                propose(&mut self.propositions, Meaning::Present, preferred)
            });
            let first = self.propositions.len();
            let values = if let Some(classes) = &classes {
                for class in 0..classes.list.len() {
                    propose(&mut self.propositions, Meaning::Class(class), true);
                }
                Values::Listed { classes: classes.list.clone(), first }
            } else {
                for pattern in 0..patterns.len() {
                    propose(&mut self.propositions, Meaning::Like(pattern), false);
                }
                Values::Text { patterns: patterns.clone(), first }
            };
            cells.push(cell);
            self.cells.push(Cell { members: members.clone(), present, values });
            if self.propositions.len() > LARGEST {
                return Err("the formula asks too many questions".into());
            }
        }
        self.cells_of.push(cells);
        Ok(())
    }

    /// Ties the values of a multivalued variable to the questions that each was made for.
    fn constraints_between_values(&mut self, order: &[(&Variable, Uses<'_>)]) {
        for (index, (variable, uses)) in order.iter().enumerate() {
            if !variable.multivalued {
                continue;
            }
            let cells = self.cells_of.get(index).cloned().unwrap_or_default();
            for (atom, &witness) in uses.some.iter().zip(&cells) {
                self.witnesses.insert((*atom).clone(), witness);
                let holds = self.present(witness);
                for &cell in &cells {
                    let passes = self.passes_some(cell, 0, atom);
                    self.constraints.push(if cell == witness {
                        holds.implies(&passes)
                    } else {
                        Node::all([self.present(cell), passes]).implies(&holds)
                    });
                }
            }
        }
        self.constraints.retain(|node| *node != Node::Constant(true));
    }

    /// No token is issued after the call that is made with it.
    fn issued_before(&mut self, order: &[(&Variable, Uses<'_>)]) {
        let is_issue = |variable: &Variable| {
            keys::lower_case(variable) == "aws:tokenissuetime" && !variable.multivalued
        };
        let Some(issue) = order.iter().position(|(variable, _)| is_issue(variable)) else { return };
        let Some(call) = self.clocks.get("").copied() else { return };
        let Some(issue) = self.cells_of.get(issue).and_then(|cells| cells.first().copied()) else {
            return;
        };
        let (Some(issued), Some(called)) = (self.times(issue, order), self.times(call, order))
        else {
            return;
        };
        for (literal, (earliest, _)) in &issued {
            for (other, (_, latest)) in &called {
                if let (Some(earliest), Some(latest)) = (earliest, latest)
                    && earliest > latest
                {
                    let is_there = Node::all([self.present(issue), literal.clone()]);
                    self.constraints.push(is_there.implies(&other.negate()));
                }
            }
        }
    }

    /// Each listed time of a cell, with the earliest and the latest that it stands for.
    fn times(&self, cell: usize, order: &[(&Variable, Uses<'_>)]) -> Option<Vec<(Node, Span)>> {
        let cell = self.cells.get(cell)?;
        let Values::Listed { classes, first } = &cell.values else { return None };
        let members: Vec<(&Variable, Vec<&Test>)> = cell
            .members
            .iter()
            .filter_map(|at| order.get(*at))
            .map(|(variable, uses)| (*variable, uses.tests.iter().copied().collect()))
            .collect();
        let each = classes.iter().enumerate();
        let time = |(at, class)| (Node::Literal(first + at, true), domain::span(&members, class));
        Some(each.map(time).collect())
    }

    fn axioms(&mut self, variables: &[&Variable]) {
        let mut by_scope: BTreeMap<&str, BTreeMap<String, usize>> = BTreeMap::new();
        for (index, variable) in variables.iter().enumerate() {
            if variable.kind == VariableKind::Environment {
                let keys = by_scope.entry(&variable.scope).or_default();
                keys.entry(keys::lower_case(variable)).or_insert(index);
            }
        }
        for keys in by_scope.values() {
            for axiom in AXIOMS {
                let (Axiom::Implies(a, b) | Axiom::Equivalent(a, b) | Axiom::Excludes(a, b)) =
                    axiom;
                let (Some(first), Some(second)) = (self.fact(*a, keys), self.fact(*b, keys)) else {
                    continue;
                };
                match axiom {
                    Axiom::Implies(..) => self.constraints.push(first.implies(&second)),
                    Axiom::Excludes(..) => self.constraints.push(first.implies(&second.negate())),
                    Axiom::Equivalent(..) => {
                        self.constraints.push(first.implies(&second));
                        self.constraints.push(second.implies(&first));
                    }
                }
            }
        }
        self.constraints.retain(|node| *node != Node::Constant(true));
    }

    /// A key is there exactly if it is listed.
    fn listed(&mut self, listings: &[(Arc<Atom>, Variable)], variables: &[&Variable]) {
        for (atom, member) in listings {
            let at = variables.iter().position(|variable| *variable == member);
            let cell = at.and_then(|at| self.cells_of.get(at)?.first().copied());
            let (Some(cell), Some(witness)) = (cell, self.witnesses.get(atom)) else { continue };
            let (there, listed) = (self.present(cell), self.present(*witness));
            self.constraints.push(there.implies(&listed));
            self.constraints.push(listed.implies(&there));
        }
        self.constraints.retain(|node| *node != Node::Constant(true));
    }

    fn fact(&self, fact: Fact, keys: &BTreeMap<String, usize>) -> Option<Node> {
        let (Fact::Present(key) | Fact::True(key)) = fact;
        let cells = self.cells_of.get(*keys.get(key)?)?;
        match fact {
            Fact::Present(_) => Some(Node::any(cells.iter().map(|cell| self.present(*cell)))),
            Fact::True(_) => {
                let cell = *cells.first()?;
                let truth = Test::Like(Pattern::literal("true", true));
                Some(Node::all([self.present(cell), self.passes(cell, 0, &truth)?]))
            }
        }
    }

    fn present(&self, cell: usize) -> Node {
        match self.cells.get(cell).and_then(|cell| cell.present) {
            Some(proposition) => Node::Literal(proposition, true),
            None => Node::Constant(true),
        }
    }

    /// Whether a cell's value passes, given that there is one; `None` if the cell has no
    /// proposition for the test.
    fn passes(&self, cell: usize, member: usize, test: &Test) -> Option<Node> {
        match &self.cells.get(cell)?.values {
            Values::Listed { classes, first } => {
                let passing = classes
                    .iter()
                    .enumerate()
                    .filter(|(_, class)| class.get(member).is_some_and(|text| test.holds(text)));
                Some(Node::any(passing.map(|(at, _)| Node::Literal(first + at, true))))
            }
            Values::Text { patterns, first } => {
                let Test::Like(pattern) = test else { return None };
                if pattern.is_any() {
                    return Some(Node::Constant(true));
                }
                let at = patterns.binary_search(pattern).ok()?;
                Some(Node::Literal(first + at, true))
            }
        }
    }

    /// Whether a cell's value answers a question about "some value", given that there is one.
    fn passes_some(&self, cell: usize, member: usize, atom: &Atom) -> Node {
        let passes = |test| self.passes(cell, member, test).unwrap_or(Node::Constant(false));
        match atom {
            Atom::Present(_) => Node::Constant(true),
            Atom::Passes(_, test) => passes(test),
            Atom::Some { tests, negated, .. } => {
                let any = Node::any(tests.iter().map(passes));
                if *negated { any.negate() } else { any }
            }
        }
    }

    fn atom(&self, atom: &Arc<Atom>, variables: &[&Variable]) -> Result<Node, Arc<str>> {
        let variable = atom.variable();
        let lost = || Arc::<str>::from("a variable of the formula has no place in the problem");
        let index = variables.iter().position(|known| *known == variable).ok_or_else(lost)?;
        let cells = self.cells_of.get(index).ok_or_else(lost)?;
        if let Atom::Present(_) = &**atom {
            return Ok(Node::any(cells.iter().map(|cell| self.present(*cell))));
        }
        if variable.multivalued {
            return Ok(self.present(*self.witnesses.get(atom).ok_or_else(lost)?));
        }
        let cell = *cells.first().ok_or_else(lost)?;
        let member = self
            .cells
            .get(cell)
            .and_then(|cell| cell.members.iter().position(|member| *member == index))
            .unwrap_or(0);
        Ok(Node::all([self.present(cell), self.passes_some(cell, member, atom)]))
    }

    fn node(
        &self,
        formula: &Residual,
        variables: &[&Variable],
        sign: bool,
        depth: usize,
    ) -> Result<Node, Arc<str>> {
        if depth > DEEPEST {
            return Err("the formula is nested too deeply".into());
        }
        let members = |members: &[Residual]| -> Result<Vec<Node>, Arc<str>> {
            members.iter().map(|member| self.node(member, variables, sign, depth + 1)).collect()
        };
        Ok(match formula {
            Residual::True => Node::Constant(sign),
            Residual::False => Node::Constant(!sign),
            Residual::Unknown(gap) => return Err(gap.0.clone()),
            Residual::Atom(atom) => {
                let node = self.atom(atom, variables)?;
                if sign { node } else { node.negate() }
            }
            Residual::Not(inner) => self.node(inner, variables, !sign, depth + 1)?,
            Residual::All(inner) if sign => Node::all(members(inner)?),
            Residual::Any(inner) if !sign => Node::all(members(inner)?),
            Residual::All(inner) | Residual::Any(inner) => Node::any(members(inner)?),
        })
    }
}

fn is_clock(key: &str) -> bool {
    matches!(keys::value_type(key), ValueType::ClockDate | ValueType::ClockSeconds)
}
