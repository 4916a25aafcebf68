//! What a solution assumes about the environment, as weak as it can be said.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::evaluate::{holds, three_valued};
use super::keys::{self, ValueType};
use super::{Assignment, Limits, feasible, literal, theory};
use crate::pattern::Pattern;
use crate::residual::{
    Atom, Comparison, Residual, Test, Variable, VariableKind, date_text, number_text,
};

/// How the scope of the time of one step begins, where steps are at several times: the step's
/// position follows.
pub const TIME_SCOPE: &str = "time of step ";

/// An atom with its value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Literal {
    /// The question.
    pub atom: Arc<Atom>,
    /// The answer.
    pub holds: bool,
}

/// Something that a path rests on, in the form of the JSON contract.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Assumption {
    /// A condition key, as a policy's condition would say it.
    Context {
        /// The key as AWS writes it.
        key: Arc<str>,
        /// The condition operator.
        operator: Arc<str>,
        /// The values, one of which (for negated operators: none of which) is matched.
        values: Vec<Arc<str>>,
        /// The step at whose time it must be so, counted from one, where the steps of a path are at
        /// several times.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<usize>,
    },
    /// Something the attacker must know.
    Knowledge {
        /// The key as AWS writes it.
        key: Arc<str>,
        /// The values that would do.
        values: Vec<Arc<str>>,
    },
    /// Something that must happen.
    Event {
        /// What.
        text: Arc<str>,
    },
}

/// See [`super::assumptions`].
pub(super) fn assumptions(
    formula: &Residual,
    assignment: &Assignment,
    limits: Limits,
) -> Vec<Literal> {
    // Chosen variables stand for their values from here on.
    let formula = &formula.substitute(&|atom: &Atom| {
        let variable = atom.variable();
        (variable.kind == VariableKind::Chosen)
            .then(|| assignment.get(variable))
            .flatten()
            .map(|value| Residual::constant(holds(atom, value)))
    });
    let mut kept: Vec<Literal> = formula
        .atoms()
        .into_iter()
        .filter_map(|atom| {
            let value = assignment.get(atom.variable())?;
            let holds = holds(&atom, value);
            Some(Literal { atom, holds })
        })
        .collect();
    if !implied(formula, &kept, limits) {
        return kept;
    }
    // Which are dropped first, among those that could be: presence, since a value that passes is
    // there anyway and one that does not need not be; then what passes, since "is none of these"
    // reads as weaker than "is that one".
    let mut order: Vec<Literal> = kept.clone();
    order.sort_by_key(|literal| {
        (!matches!(*literal.atom, Atom::Present(_)), !literal.holds, literal.clone())
    });
    for literal in order {
        let fewer: Vec<Literal> = kept.iter().filter(|other| **other != literal).cloned().collect();
        if implied(formula, &fewer, limits) {
            kept = fewer;
        }
    }
    widen(formula, kept, limits)
}

/// Adds to each test that must pass the others of its kind that would do as well: not "from this
/// range" but "from one of these", as the policy has it.
fn widen(formula: &Residual, mut kept: Vec<Literal>, limits: Limits) -> Vec<Literal> {
    let atoms = formula.atoms();
    for at in 0..kept.len() {
        let Some(Literal { atom, holds: true }) = kept.get(at).cloned() else { continue };
        let Atom::Passes(variable, test) = &*atom else { continue };
        let (operator, _) = single(variable, test, false);
        for other in &atoms {
            let Atom::Passes(same, alternative) = &**other else { continue };
            if same != variable
                || *other == atom
                || single(variable, alternative, false).0 != operator
            {
                continue;
            }
            let Some(literal) = kept.get(at).cloned() else { continue };
            let mut tests = match &*literal.atom {
                Atom::Some { tests, .. } => tests.clone(),
                _ => vec![test.clone()],
            };
            tests.push(alternative.clone());
            tests.sort();
            let wider = Atom::Some { variable: variable.clone(), tests, negated: false };
            let mut weaker = kept.clone();
            if let Some(place) = weaker.get_mut(at) {
                *place = Literal { atom: Arc::new(wider), holds: true };
            }
            if implied(formula, &weaker, limits) {
                kept = weaker;
            }
        }
    }
    kept
}

/// Whether the formula holds wherever the literals do.
fn implied(formula: &Residual, literals: &[Literal], limits: Limits) -> bool {
    let known = |atom: &Atom| {
        let literal = literals.iter().find(|literal| *literal.atom == *atom);
        literal.map(|literal| literal.holds)
    };
    if three_valued(formula, &known, true) == Some(true) {
        return true;
    }
    let fixed = literals.iter().map(|one| literal(&one.atom, one.holds));
    let refuting = Residual::all(fixed.chain([formula.clone().negate()]));
    feasible(&refuting, limits) == Some(false)
}

/// Whether the attacker sends the key himself, but has to know what is expected.
fn known_by_the_attacker(key: &str) -> bool {
    key.eq_ignore_ascii_case("sts:ExternalId")
}

impl Assumption {
    /// Renders literals, in the order of key, operator and values. Several values that a key must
    /// not have become one assumption.
    pub fn from_literals(literals: &[Literal]) -> Vec<Assumption> {
        let mut out: Vec<Assumption> = Vec::new();
        for literal in literals {
            let (operator, values) = render(literal);
            let merges = matches!(*literal.atom, Atom::Passes(..))
                && !literal.holds
                && operator.contains("Not");
            let key = literal.atom.variable().name.clone();
            let at = literal.atom.variable().scope.strip_prefix(TIME_SCOPE);
            let step = at.and_then(|at| at.parse::<usize>().ok()).map(|at| at.saturating_add(1));
            let same = |known: &&mut Assumption| {
                matches!(known, Self::Context { key: k, operator: o, step: s, .. }
                    if *k == key && **o == *operator && *s == step)
            };
            match out.iter_mut().find(same) {
                Some(Self::Context { values: known, .. }) if merges => {
                    known.extend(values);
                    known.sort();
                    known.dedup();
                }
                _ if known_by_the_attacker(&key) && literal.holds => {
                    out.push(Self::Knowledge { key, values });
                }
                _ => out.push(Self::Context { key, operator: operator.into(), values, step }),
            }
        }
        out.sort();
        out.dedup();
        out
    }
}

/// The condition operator and values that say the same as a literal.
fn render(literal: &Literal) -> (String, Vec<Arc<str>>) {
    match &*literal.atom {
        // `Null` with `true` is satisfied by a key that is absent.
        Atom::Present(_) => {
            ("Null".to_owned(), vec![if literal.holds { "false" } else { "true" }.into()])
        }
        Atom::Passes(variable, test) => {
            let (operator, value) = single(variable, test, !literal.holds);
            (operator, vec![value])
        }
        Atom::Some { variable, tests, negated } => {
            let values = tests.iter().map(|test| value(variable, test)).collect();
            if !variable.multivalued {
                return (several(tests, *negated == literal.holds), values);
            }
            // "No value passes none" is "all values pass one".
            let (set, negative) =
                if literal.holds { ("ForAnyValue", *negated) } else { ("ForAllValues", !*negated) };
            let operator = several(tests, negative);
            (format!("{set}:{operator}"), values)
        }
    }
}

/// Operator and value for one test of a single-valued key. A negated one also holds without the
/// key, as negated operators of IAM do; where IAM has no negated operator, the opposite one with
/// `IfExists` says that.
fn single(variable: &Variable, test: &Test, negated: bool) -> (String, Arc<str>) {
    let key = keys::lower_case(variable);
    let if_exists = if keys::always_present(&key) { "" } else { "IfExists" };
    match test {
        Test::Like(pattern) => {
            // Without the key a negated `Bool` holds too; of the two truth values one is left.
            match (theory::as_truth(pattern), negated) {
                (Some(truth), false) => return ("Bool".to_owned(), truth.to_string().into()),
                (Some(truth), true) if keys::value_type(&key) == ValueType::Boolean => {
                    return (format!("Bool{if_exists}"), (!truth).to_string().into());
                }
                _ => {}
            }
            (text_operator(std::slice::from_ref(pattern), negated), value(variable, test))
        }
        Test::Number(comparison, _) | Test::Date(comparison, _) => {
            let family = if matches!(test, Test::Date(..)) { "Date" } else { "Numeric" };
            let (comparison, suffix) = match (comparison, negated) {
                (Comparison::Equal, true) => ("NotEquals", ""),
                (Comparison::Equal, false) => ("Equals", ""),
                (Comparison::Less, true) => ("GreaterThanEquals", if_exists),
                (Comparison::Less, false) => ("LessThan", ""),
                (Comparison::LessOrEqual, true) => ("GreaterThan", if_exists),
                (Comparison::LessOrEqual, false) => ("LessThanEquals", ""),
                (Comparison::Greater, true) => ("LessThanEquals", if_exists),
                (Comparison::Greater, false) => ("GreaterThan", ""),
                (Comparison::GreaterOrEqual, true) => ("LessThan", if_exists),
                (Comparison::GreaterOrEqual, false) => ("GreaterThanEquals", ""),
            };
            (format!("{family}{comparison}{suffix}"), value(variable, test))
        }
        Test::Address(_) => {
            let operator = if negated { "NotIpAddress" } else { "IpAddress" };
            (operator.to_owned(), value(variable, test))
        }
    }
}

/// The operator for the tests of one set condition, which come from one operator.
fn several(tests: &[Test], negated: bool) -> String {
    match tests.first() {
        Some(Test::Number(comparison, _)) => set_comparison("Numeric", *comparison, negated),
        Some(Test::Date(comparison, _)) => set_comparison("Date", *comparison, negated),
        Some(Test::Address(_)) if negated => "NotIpAddress".to_owned(),
        Some(Test::Address(_)) => "IpAddress".to_owned(),
        Some(Test::Like(_)) | None => {
            let patterns: Vec<Pattern> = tests
                .iter()
                .filter_map(|test| if let Test::Like(p) = test { Some(p.clone()) } else { None })
                .collect();
            text_operator(&patterns, negated)
        }
    }
}

fn set_comparison(family: &str, comparison: Comparison, negated: bool) -> String {
    let comparison = match (comparison, negated) {
        (Comparison::Equal, false) => "Equals",
        (Comparison::Equal, true) => "NotEquals",
        (Comparison::Less, false) | (Comparison::GreaterOrEqual, true) => "LessThan",
        (Comparison::LessOrEqual, false) | (Comparison::Greater, true) => "LessThanEquals",
        (Comparison::Greater, false) | (Comparison::LessOrEqual, true) => "GreaterThan",
        (Comparison::GreaterOrEqual, false) | (Comparison::Less, true) => "GreaterThanEquals",
    };
    format!("{family}{comparison}")
}

fn text_operator(patterns: &[Pattern], negated: bool) -> String {
    let not = if negated { "Not" } else { "" };
    if patterns.iter().any(Pattern::is_per_segment) {
        format!("Arn{not}Like")
    } else if patterns.iter().any(|pattern| pattern.as_literal().is_none()) {
        format!("String{not}Like")
    } else if patterns.iter().any(Pattern::ignores_case) {
        format!("String{not}EqualsIgnoreCase")
    } else {
        format!("String{not}Equals")
    }
}

/// The value as the operator takes it.
fn value(variable: &Variable, test: &Test) -> Arc<str> {
    match test {
        Test::Like(pattern) => pattern.to_string().into(),
        Test::Number(_, bound) => number_text(*bound).into(),
        Test::Date(_, bound) => {
            let seconds = keys::value_type(&keys::lower_case(variable)) == ValueType::ClockSeconds;
            if seconds && bound % 1000 == 0 {
                (bound / 1000).to_string().into()
            } else {
                date_text(*bound).into()
            }
        }
        Test::Address(range) => range.to_string().into(),
    }
}
