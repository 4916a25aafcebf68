//! Which edits to choose: the smallest set that has one of each clause, by Z3's optimiser.

use std::collections::{BTreeMap, BTreeSet};

use z3::ast::Bool;
use z3::{Optimize, SatResult, Solver};

/// How much one more edit weighs against all that prefers one edit to another.
const ONE_EDIT: i32 = 10_000;

/// What a choice has to fulfil. Edits are numbers; a smaller one goes first where nothing else
/// decides.
#[derive(Clone, Debug, Default)]
pub(super) struct Clauses {
    /// What each asks for.
    pub(super) some: BTreeSet<Clause>,
    /// Not all of each may be chosen.
    pub(super) not_all: BTreeSet<BTreeSet<usize>>,
}

/// One of some edits has to be chosen, unless one of others is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Clause {
    pub(super) of: BTreeSet<usize>,
    pub(super) unless_not: BTreeSet<usize>,
}

/// What choosing came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// The smallest set; of those of its size the one that weighs least, and of these the first.
    Smallest(BTreeSet<usize>),
    /// No set does.
    None,
    /// The optimiser gave up.
    Undecided,
}

/// Chooses.
///
/// - `weights`: of each edit, small; decides between sets of the same size.
///
/// Z3 finds what the best costs, which is the same with every version of it. Which of the sets
/// that cost this is taken is then settled edit by edit.
pub(super) fn smallest(clauses: &Clauses, weights: &[i32]) -> Choice {
    let edits = worth_asking(clauses, weights);
    let chosen: Vec<(usize, Bool, i32)> = edits
        .iter()
        .map(|edit| {
            let weight = ONE_EDIT + weights.get(*edit).copied().unwrap_or_default();
            (*edit, Bool::new_const(u32::try_from(*edit).unwrap_or(u32::MAX)), weight)
        })
        .collect();
    let of = |clause: &BTreeSet<usize>| -> Vec<Bool> {
        let named = chosen.iter().filter(|(edit, ..)| clause.contains(edit));
        named.map(|(_, constant, _)| constant.clone()).collect()
    };
    let mut hard = Vec::new();
    for clause in &clauses.some {
        // An edit that is not asked about is never chosen.
        if !clause.unless_not.is_subset(&edits) {
            continue;
        }
        let mut one_of = of(&clause.of);
        one_of.extend(of(&clause.unless_not).iter().map(Bool::not));
        if one_of.is_empty() {
            return Choice::None;
        }
        hard.push(Bool::or(&one_of));
    }
    // One with an edit that is not asked about is never chosen whole.
    let whole = clauses.not_all.iter().filter(|clause| clause.is_subset(&edits));
    hard.extend(whole.map(|clause| Bool::and(&of(clause)).not()));

    let optimize = Optimize::new();
    for clause in &hard {
        optimize.assert(clause);
    }
    for (_, constant, weight) in &chosen {
        optimize.assert_soft(&constant.not(), *weight, None);
    }
    let model = match optimize.check(&[]) {
        SatResult::Sat => optimize.get_model(),
        SatResult::Unsat => return Choice::None,
        SatResult::Unknown => None,
    };
    let Some(model) = model else { return Choice::Undecided };
    let is_chosen = |constant: &Bool| {
        model.eval(constant, true).and_then(|value| value.as_bool()).unwrap_or(false)
    };
    let cost: i32 = chosen
        .iter()
        .filter(|(_, constant, _)| is_chosen(constant))
        .map(|(.., weight)| *weight)
        .sum();

    let solver = Solver::new();
    for clause in &hard {
        solver.assert(clause);
    }
    let costs: Vec<(&Bool, i32)> =
        chosen.iter().map(|(_, constant, weight)| (constant, *weight)).collect();
    solver.assert(Bool::pb_le(&costs, cost));
    let mut out = BTreeSet::new();
    for (edit, constant, _) in &chosen {
        match solver.check_assumptions(std::slice::from_ref(constant)) {
            SatResult::Sat => {
                solver.assert(constant);
                out.insert(*edit);
            }
            SatResult::Unsat => solver.assert(constant.not()),
            SatResult::Unknown => return Choice::Undecided,
        }
    }
    Choice::Smallest(out)
}

/// The edits that a choice may have: those that some clause asks for, and that no other does as well
/// as. One does if it is in all clauses that the edit is in, weighs less, or as much and goes first,
/// and nothing forbids it: put in the place of the edit it makes every choice better. Of edits for
/// single principals there may be thousands beside the few that are for many.
fn worth_asking(clauses: &Clauses, weights: &[i32]) -> BTreeSet<usize> {
    let mut within = BTreeMap::<usize, BTreeSet<usize>>::new();
    for (at, clause) in clauses.some.iter().enumerate() {
        for edit in &clause.of {
            within.entry(*edit).or_default().insert(at);
        }
    }
    let held: BTreeSet<usize> = clauses
        .not_all
        .iter()
        .chain(clauses.some.iter().map(|clause| &clause.unless_not))
        .flatten()
        .copied()
        .collect();
    let all: Vec<&Clause> = clauses.some.iter().collect();
    let cost = |edit: usize| (weights.get(edit).copied().unwrap_or_default(), edit);
    let outdone = |edit: usize, asking: &BTreeSet<usize>| {
        let first = asking.first().and_then(|at| all.get(*at));
        first.is_some_and(|clause| {
            clause.of.iter().any(|other| {
                cost(*other) < cost(edit)
                    && !held.contains(other)
                    && within.get(other).is_some_and(|others| asking.is_subset(others))
            })
        })
    };
    within.iter().filter(|(edit, asking)| !outdone(**edit, asking)).map(|(edit, _)| *edit).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn clause(edits: &BTreeSet<usize>) -> Clause {
        Clause { of: edits.clone(), unless_not: BTreeSet::new() }
    }

    fn sets(clauses: &[&[usize]]) -> BTreeSet<BTreeSet<usize>> {
        clauses.iter().map(|clause| clause.iter().copied().collect()).collect()
    }

    fn check(some: &[&[usize]], not_all: &[&[usize]], weights: &[i32], expected: Option<&[usize]>) {
        let some = sets(some).iter().map(clause).collect();
        let clauses = Clauses { some, not_all: sets(not_all) };
        let expected = match expected {
            Some(edits) => Choice::Smallest(edits.iter().copied().collect()),
            None => Choice::None,
        };
        assert_eq!(smallest(&clauses, weights), expected);
    }

    #[test]
    fn one_edit_that_does_for_all_is_chosen() {
        check(&[&[0, 2], &[1, 2]], &[], &[1, 1, 9], Some(&[2]));
    }

    #[test]
    fn the_weight_decides_between_sets_of_one_size_and_then_the_order() {
        check(&[&[0, 1]], &[], &[2, 1], Some(&[1]));
        check(&[&[0, 1]], &[], &[1, 1], Some(&[0]));
    }

    #[test]
    fn what_may_not_be_chosen_is_not() {
        check(&[&[0, 1]], &[&[0]], &[1, 1], Some(&[1]));
        check(&[&[0], &[1]], &[&[0, 1]], &[1, 1], None);
        check(&[&[]], &[], &[], None);
        // An edit that nothing asks for stands in nobody's way.
        check(&[&[0]], &[&[0, 7]], &[1], Some(&[0]));
    }

    #[test]
    fn what_a_path_goes_by_can_be_left_out_instead() {
        let goes_by = Clause { of: BTreeSet::from([2, 3]), unless_not: BTreeSet::from([0]) };
        let first = Clause { of: BTreeSet::from([0, 1]), unless_not: BTreeSet::new() };
        let clauses = Clauses { some: BTreeSet::from([first, goes_by]), not_all: BTreeSet::new() };
        assert_eq!(smallest(&clauses, &[1, 9, 1, 1]), Choice::Smallest(BTreeSet::from([1])));
    }

    proptest! {
        /// Against trying every set.
        #[test]
        fn the_choice_is_the_best_of_all(
            some in proptest::collection::btree_set(
                proptest::collection::btree_set(0_usize..6, 1..4), 1..5),
            not_all in proptest::collection::btree_set(
                proptest::collection::btree_set(0_usize..6, 1..3), 0..3),
            unless_not in proptest::collection::vec(
                proptest::collection::btree_set(0_usize..6, 0..2), 5),
            weights in proptest::collection::vec(1_i32..4, 6),
        ) {
            let some: BTreeSet<Clause> = some
                .into_iter()
                .zip(unless_not)
                .map(|(of, unless_not)| Clause { of, unless_not })
                .collect();
            let asked: BTreeSet<usize> =
                some.iter().flat_map(|clause| &clause.of).copied().collect();
            let sets = (0_u32..64).map(|bits| -> BTreeSet<usize> {
                (0_usize..6).filter(|at| bits >> at & 1 == 1).collect()
            });
            let best = sets
                .filter(|set| set.is_subset(&asked))
                .filter(|set| {
                    some.iter().all(|clause| {
                        !clause.of.is_disjoint(set) || !clause.unless_not.is_subset(set)
                    })
                })
                .filter(|set| !not_all.iter().any(|clause| clause.is_subset(set)))
                .map(|set| {
                    let weight: i32 = set.iter().map(|at| weights[*at]).sum();
                    // Which comes first: the one with the first edit that the other lacks.
                    let order: Vec<bool> = (0..6).map(|at| !set.contains(&at)).collect();
                    (set.len(), weight, order, set)
                })
                .min()
                .map_or(Choice::None, |(.., set)| Choice::Smallest(set));
            prop_assert_eq!(smallest(&Clauses { some, not_all }, &weights), best);
        }
    }
}
