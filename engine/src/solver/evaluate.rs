//! The plain meaning of a residual under an assignment: the oracle of the solver's tests, and for
//! whoever wants to check a witness without it.

use std::collections::BTreeSet;

use super::{Assignment, Value};
use crate::residual::{Atom, Residual, Variable};

/// Whether the formula holds under the assignment. A variable that is not listed is taken as
/// absent, and a gap as not holding, whichever sign it stands under.
pub fn evaluate(formula: &Residual, assignment: &Assignment) -> bool {
    let atom =
        |atom: &Atom| Some(holds(atom, assignment.get(atom.variable()).unwrap_or(&Value::Absent)));
    three_valued(formula, &atom, true) == Some(true)
}

/// Whether the atom holds when its variable has this value.
pub fn holds(atom: &Atom, value: &Value) -> bool {
    let texts: Vec<&str> = match value {
        Value::Absent => Vec::new(),
        Value::One(text) => vec![text],
        Value::Many(texts) => texts.iter().map(|text| &**text).collect(),
    };
    match atom {
        // A key with no value counts as absent: "null dataset" in the operators' documentation.
        Atom::Present(_) => !texts.is_empty(),
        Atom::Passes(_, test) => texts.iter().any(|text| test.holds(text)),
        Atom::Some { tests, negated, .. } => {
            texts.iter().any(|text| tests.iter().any(|test| test.holds(text)) != *negated)
        }
    }
}

/// The formula's value (or its negation's, unless `sign`) where some atoms are not known.
pub(super) fn three_valued(
    formula: &Residual,
    atom: &impl Fn(&Atom) -> Option<bool>,
    sign: bool,
) -> Option<bool> {
    let decide = |members: &[Residual], neutral: bool| {
        let mut open = false;
        for member in members {
            match three_valued(member, atom, sign) {
                Some(value) if value != neutral => return Some(value),
                Some(_) => {}
                None => open = true,
            }
        }
        (!open).then_some(neutral)
    };
    match formula {
        Residual::True => Some(sign),
        Residual::False => Some(!sign),
        Residual::Unknown(_) => Some(false),
        Residual::Atom(inner) => atom(inner).map(|value| value == sign),
        Residual::Not(inner) => three_valued(inner, atom, !sign),
        Residual::All(members) => decide(members, sign),
        Residual::Any(members) => decide(members, !sign),
    }
}

/// Drops the variables that the formula holds without, whatever they are: environment ones first,
/// since each that stays is an assumption.
pub(super) fn relevant(formula: &Residual, assignment: Assignment) -> Assignment {
    let mut order: Vec<&Variable> = assignment.keys().collect();
    order.sort_by_key(|variable| variable.kind == crate::residual::VariableKind::Chosen);
    let mut dropped: BTreeSet<&Variable> = BTreeSet::new();
    for variable in order {
        dropped.insert(variable);
        let known = |atom: &Atom| {
            let variable = atom.variable();
            if dropped.contains(variable) {
                return None;
            }
            Some(holds(atom, assignment.get(variable).unwrap_or(&Value::Absent)))
        };
        if three_valued(formula, &known, true) != Some(true) {
            dropped.remove(variable);
        }
    }
    let dropped: BTreeSet<Variable> = dropped.into_iter().cloned().collect();
    assignment.into_iter().filter(|(variable, _)| !dropped.contains(variable)).collect()
}
