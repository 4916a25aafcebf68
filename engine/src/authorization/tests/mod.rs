//! Tests of the evaluator as a whole.

mod fine_print;
mod layers;
mod of_caller;
mod operators;
mod properties;
mod symbolic;

use std::collections::BTreeMap;

use super::*;
use crate::residual::{Atom, Grammar, Variable, VariableKind};

/// Keys by name in lower case; the others are absent.
#[derive(Clone, Debug, Default)]
struct Keys(BTreeMap<String, Input>);

impl Context for Keys {
    fn get(&self, key: &str) -> Input {
        self.0.get(key).cloned().unwrap_or(Input::Absent)
    }
}

fn one(text: &str) -> Input {
    Input::One(text.into())
}

fn many(texts: &[&str]) -> Input {
    Input::Many(texts.iter().map(|text| (*text).into()).collect())
}

fn variable(name: &str, multivalued: bool) -> Variable {
    Variable {
        name: name.into(),
        scope: "".into(),
        kind: VariableKind::Environment,
        multivalued,
        grammar: Grammar::any(),
    }
}

/// The formula with each variable having the value that `values` has for its name. A question
/// about a value that is not there must not matter: it is answered with `of_absent`.
fn at_point(residual: &Residual, values: &BTreeMap<String, Input>, of_absent: bool) -> Residual {
    residual.substitute(&|atom| {
        let value = values.get(&*atom.variable().name).unwrap_or(&Input::Absent);
        Some(Residual::constant(match (atom, value) {
            (Atom::Present(_), Input::One(_)) => true,
            (Atom::Present(_), Input::Many(values)) => !values.is_empty(),
            (Atom::Present(_), _) => false,
            (Atom::Passes(_, test), Input::One(text)) => test.holds(text),
            (Atom::Passes(..), _) => of_absent,
            (Atom::Some { tests, negated, .. }, Input::Many(values)) => {
                values.iter().any(|value| tests.iter().any(|test| test.holds(value)) != *negated)
            }
            (Atom::Some { .. }, _) => false,
        }))
    })
}
