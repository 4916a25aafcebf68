//! On what a residual hangs, as conditions that people and policies would state.

use crate::answer::Assumption;
use crate::residual::Residual;
use crate::solver::{Solution, Solver};

/// How many alternatives are listed. Policies with more are rare, and a reader takes in no more.
const MOST: usize = 8;

/// Whether the formula holds whatever is open. A gap or a limit is no yes.
pub(super) fn settled(solver: &Solver, formula: &Residual) -> bool {
    never(solver, &formula.clone().negate())
}

/// Whether the formula cannot hold.
pub(super) fn never(solver: &Solver, formula: &Residual) -> bool {
    matches!(solver.solve(formula), Solution::Unsatisfiable)
}

/// The ways in which the formula comes to hold, each as conditions that must hold together: the
/// least assuming first. Empty if there is none, or a limit was hit before one was found.
///
/// - `formula`: without gaps.
pub(super) fn alternatives(solver: &Solver, formula: &Residual) -> Vec<Vec<Assumption>> {
    let mut out = Vec::new();
    let mut rest = formula.clone();
    while out.len() < MOST {
        let Solution::Satisfiable(assignment) = solver.solve(&rest) else { break };
        let literals = solver.assumptions(formula, &assignment);
        let covered = Residual::all(literals.iter().map(|literal| {
            let atom = Residual::Atom(literal.atom.clone());
            if literal.holds { atom } else { atom.negate() }
        }));
        let assumptions = Assumption::from_literals(&literals);
        if assumptions.is_empty() || out.contains(&assumptions) {
            break;
        }
        out.push(assumptions);
        rest = rest.and(covered.negate());
    }
    out
}
