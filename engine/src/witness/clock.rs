//! Time along a path: it goes forward, so a call may be made later than the one before it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::residual::{Atom, Comparison, Residual, Test, Variable};

/// Whether a variable is the time of a request.
pub(crate) fn is_clock(variable: &Variable) -> bool {
    let name = &*variable.name;
    name.eq_ignore_ascii_case("aws:CurrentTime") || name.eq_ignore_ascii_case("aws:EpochTime")
}

/// Whether a literal about the clock, once true, stays so.
pub(crate) fn is_late(atom: &Atom, holds: bool) -> bool {
    let comparison = match atom {
        Atom::Passes(_, Test::Date(comparison, _) | Test::Number(comparison, _)) => *comparison,
        _ => return false,
    };
    match comparison {
        Comparison::Greater | Comparison::GreaterOrEqual => holds,
        Comparison::Less | Comparison::LessOrEqual => !holds,
        Comparison::Equal => false,
    }
}

/// What one step leaves open, and the steps that must be done before it, by position.
#[derive(Clone, Debug)]
pub struct Part {
    /// What is left of its authorization.
    pub residual: Residual,
    /// The parts that come before it.
    pub after: BTreeSet<usize>,
}

/// When each part can hold at a time of its own, none before those that it comes after. `None` if
/// fewer than two parts are about the time.
///
/// Holds whenever there are such times; where a part's conditions on the time are alternatives, it
/// may hold though there are none.
pub(crate) fn in_order(parts: &[Part]) -> Option<Residual> {
    let timed = |part: &&Part| part.residual.variables().iter().any(is_clock);
    if parts.iter().filter(timed).count() < 2 {
        return None;
    }
    let all = parts.iter().enumerate().flat_map(|(at, part)| {
        let earlier = part.after.iter().filter_map(|before| parts.get(*before)).filter(timed);
        let own = std::iter::once(part.residual.with_gaps(false));
        let lasting = earlier.map(|earlier| lasting(&earlier.residual.with_gaps(false)));
        own.chain(lasting).map(move |formula| at_time(&formula, at)).collect::<Vec<_>>()
    });
    Some(Residual::all(all))
}

/// What of a part is still true later: that it is late, and all that is not about the time.
fn lasting(part: &Residual) -> Residual {
    match part {
        Residual::All(members) => Residual::all(members.iter().map(lasting)),
        Residual::Any(members) => Residual::any(members.iter().map(lasting)),
        literal => {
            let (atom, holds) = match literal {
                Residual::Atom(atom) => (atom, true),
                Residual::Not(inner) => match &**inner {
                    Residual::Atom(atom) => (atom, false),
                    _ => return Residual::True,
                },
                _ => return literal.clone(),
            };
            if is_clock(atom.variable()) && !is_late(atom, holds) {
                return Residual::True;
            }
            literal.clone()
        }
    }
}

/// The formula with the time of one step.
fn at_time(formula: &Residual, step: usize) -> Residual {
    formula.substitute(&|atom| {
        let variable = atom.variable();
        if !is_clock(variable) {
            return None;
        }
        let scope: Arc<str> = format!("time {step}{}", variable.scope).into();
        let variable = Variable { scope, ..variable.clone() };
        Some(Residual::atom(match atom {
            Atom::Present(_) => Atom::Present(variable),
            Atom::Passes(_, test) => Atom::Passes(variable, test.clone()),
            Atom::Some { tests, negated, .. } => {
                Atom::Some { variable, tests: tests.clone(), negated: *negated }
            }
        }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::residual::{Grammar, VariableKind};
    use crate::solver::{Limits, Solution, solve};

    fn time(comparison: Comparison, bound: i64) -> Residual {
        let variable = Variable {
            name: "aws:CurrentTime".into(),
            scope: "".into(),
            kind: VariableKind::Environment,
            multivalued: false,
            grammar: Grammar::any(),
        };
        Residual::atom(Atom::Passes(variable, Test::Date(comparison, bound)))
    }

    /// Each part after all before it.
    fn line(parts: &[Residual]) -> Vec<Part> {
        let part = |(at, residual): (usize, &Residual)| Part {
            residual: residual.clone(),
            after: (0..at).collect(),
        };
        parts.iter().enumerate().map(part).collect()
    }

    fn check(parts: &[Residual], expected: bool) {
        let formula = in_order(&line(parts)).unwrap();
        let possible = matches!(solve(&formula, Limits::default()), Solution::Satisfiable(_));
        assert_eq!(possible, expected, "{parts:?}");
    }

    #[test]
    fn what_was_early_may_be_late_and_not_the_other_way_round() {
        let (early, late) =
            (time(Comparison::Less, 1_000_000), time(Comparison::Greater, 2_000_000));
        check(&[early.clone(), late.clone()], true);
        check(&[late, early], false);
    }

    #[test]
    fn steps_at_one_time_are_in_order() {
        let between = time(Comparison::Greater, 1_000_000);
        let before = time(Comparison::Less, 9_000_000);
        check(&[between.clone(), before.clone()], true);
        check(&[before, between], true);
    }

    #[test]
    fn one_timed_step_has_no_order() {
        assert_eq!(in_order(&line(&[time(Comparison::Less, 1), Residual::True])), None);
    }

    #[test]
    fn steps_that_do_not_need_each_other_are_in_any_order() {
        let (early, late) =
            (time(Comparison::Less, 1_000_000), time(Comparison::Greater, 2_000_000));
        let mut parts = line(&[late, early]);
        parts.iter_mut().for_each(|part| part.after.clear());
        let formula = in_order(&parts).unwrap();
        assert!(matches!(solve(&formula, Limits::default()), Solution::Satisfiable(_)));
    }
}
