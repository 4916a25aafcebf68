//! Time along a path: it goes forward, so a call may be made later than the one before it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::residual::{Atom, Comparison, Residual, Test, Variable};
use crate::solver::TIME_SCOPE;

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
    /// The step that it belongs to, counted from zero.
    pub step: usize,
    /// What is left of its authorization.
    pub residual: Residual,
    /// The parts that come before it.
    pub after: BTreeSet<usize>,
}

impl Part {
    fn is_timed(&self) -> bool {
        self.residual.variables().iter().any(is_clock)
    }
}

/// Whether parts of several steps are about the time.
pub(crate) fn are_timed(parts: &[Part]) -> bool {
    let steps = parts.iter().filter(|part| part.is_timed()).map(|part| part.step);
    steps.collect::<BTreeSet<_>>().len() > 1
}

/// Whether some part compares the time with a pattern: as text, whose order is not known.
pub(crate) fn compare_as_text(parts: &[Part]) -> bool {
    parts.iter().flat_map(|part| part.residual.atoms()).any(|atom| {
        is_clock(atom.variable())
            && match &*atom {
                Atom::Passes(_, test) => matches!(test, Test::Like(_)),
                Atom::Some { tests, .. } => tests.iter().any(|t| matches!(t, Test::Like(_))),
                Atom::Present(_) => false,
            }
    })
}

/// The scope of the time of a step.
pub(super) fn time_of(step: usize) -> Arc<str> {
    format!("{TIME_SCOPE}{step}").into()
}

/// That time goes forward: no step is at an earlier time than those that it comes after.
///
/// Between two bounds that conditions compare the time with, all times are alike. So it is enough
/// that where an earlier step is past a bound, a later one is.
///
/// - `parts`: with a time for each step, see [`time_of`].
pub(super) fn forward(parts: &[Part]) -> Residual {
    let atoms: Vec<Arc<Atom>> = parts.iter().flat_map(|part| part.residual.atoms()).collect();
    let mut bounds: BTreeSet<(Variable, Test)> = BTreeSet::new();
    for atom in atoms.iter().filter(|atom| is_clock(atom.variable())) {
        let tests: &[Test] = match &**atom {
            Atom::Passes(_, test) => std::slice::from_ref(test),
            Atom::Some { tests, .. } => tests,
            Atom::Present(_) => &[],
        };
        let variable = Variable { scope: "".into(), ..atom.variable().clone() };
        for past in [Comparison::Greater, Comparison::GreaterOrEqual] {
            bounds.extend(tests.iter().filter_map(|test| match test {
                Test::Date(_, bound) => Some((variable.clone(), Test::Date(past, *bound))),
                Test::Number(_, bound) => Some((variable.clone(), Test::Number(past, *bound))),
                _ => None,
            }));
        }
    }
    let past = |step: usize, (variable, test): &(Variable, Test)| {
        let variable = Variable { scope: time_of(step), ..variable.clone() };
        Residual::atom(Atom::Passes(variable, test.clone()))
    };
    let mut pairs: BTreeSet<(usize, usize)> = BTreeSet::new();
    for part in parts.iter().filter(|part| part.is_timed()) {
        let before = part.after.iter().filter_map(|at| parts.get(*at));
        let before = before.filter(|before| before.is_timed() && before.step != part.step);
        pairs.extend(before.map(|before| (before.step, part.step)));
    }
    Residual::all(pairs.into_iter().flat_map(|(earlier, later)| {
        let kept = |bound| past(earlier, bound).negate().or(past(later, bound));
        bounds.iter().map(kept).collect::<Vec<_>>()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::residual::{Grammar, VariableKind};
    use crate::solver::{Limits, Solution, solve};
    use crate::witness::Sharing;
    use crate::witness::plan::Times;
    use crate::witness::plan::rename_residual;

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
            step: at,
            residual: residual.clone(),
            after: (0..at).collect(),
        };
        parts.iter().enumerate().map(part).collect()
    }

    /// Whether the parts can hold, each at the time of its own step.
    fn is_possible(parts: &[Part]) -> bool {
        let sharing = Sharing { times: Times::Any, ..Sharing::default() };
        let apart: Vec<Part> = parts
            .iter()
            .map(|part| Part {
                residual: rename_residual(&part.residual, part.step, &"".into(), sharing),
                ..part.clone()
            })
            .collect();
        let all = apart.iter().map(|part| part.residual.clone()).chain([forward(&apart)]);
        matches!(solve(&Residual::all(all), Limits::default()), Solution::Satisfiable(_))
    }

    fn check(parts: &[Residual], expected: bool) {
        assert!(are_timed(&line(parts)));
        assert_eq!(is_possible(&line(parts)), expected, "{parts:?}");
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
    fn a_step_between_two_others_does_not_bring_the_time_back() {
        let (early, late) =
            (time(Comparison::Less, 1_000_000), time(Comparison::Greater, 2_000_000));
        let mut parts = line(&[late, Residual::True, early]);
        assert!(!is_possible(&parts));
        parts.swap_remove(1);
        parts.iter_mut().for_each(|part| part.after.clear());
        assert!(is_possible(&parts), "in any order");
    }

    #[test]
    fn alternatives_are_of_one_time() {
        let (early, late) =
            (time(Comparison::Less, 1_000_000), time(Comparison::Greater, 3_000_000));
        let between = time(Comparison::Greater, 1_500_000).and(time(Comparison::Less, 2_000_000));
        let either = early.clone().or(late.clone());
        check(&[either.clone(), between.clone()], true);
        check(&[between.clone(), either.clone()], true);
        check(&[late.clone().and(either.clone()), between.clone()], false);
        check(&[between.clone(), either, between], false);
    }

    #[test]
    fn a_moment_is_a_time() {
        let moment = |at| time(Comparison::Equal, at);
        check(&[moment(1_000_000), moment(1_000_000)], true);
        check(&[moment(1_000_000), moment(2_000_000)], true);
        check(&[moment(2_000_000), moment(1_000_000)], false);
    }

    #[test]
    fn one_timed_step_has_no_order() {
        assert!(!are_timed(&line(&[time(Comparison::Less, 1), Residual::True])));
    }
}
