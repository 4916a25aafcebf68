//! The shortest derivation of a fact from one start: fewest techniques, then fewest assumptions,
//! then fewest calls.
//!
//! Knuth's generalization of Dijkstra's algorithm to AND-OR graphs. The cost of a derivation is the
//! number of different steps in it, so that a step that serves two premises counts once.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::Arc;

use foldhash::HashMap;
use petgraph::graphmap::DiGraphMap;
use petgraph::visit::DfsPostOrder;

use super::derivations::{Derivations, EdgeId, Level};
use super::fact::FactId;

/// Which of the steps that a question insists on a derivation has used, as bits.
pub type Mask = u32;

/// What a search may use.
pub struct Scope<'s> {
    /// The weakest level of edges.
    pub level: Level,
    /// Whether an edge may be used.
    pub allowed: &'s dyn Fn(EdgeId) -> bool,
    /// The bits that an edge sets.
    pub mask: &'s dyn Fn(EdgeId) -> Mask,
    /// How many calls an edge takes.
    pub calls: &'s dyn Fn(EdgeId) -> usize,
    /// The bits that the goal needs.
    pub wanted: Mask,
}

/// A fact together with the steps that the question insists on and that were used on the way.
pub type State = (FactId, Mask);

#[derive(Clone, Debug)]
struct Reached {
    /// The steps used, sorted: edges with a step.
    steps: Arc<[EdgeId]>,
    /// The edge it follows from, with the states of its premises. `None`: given.
    from: Option<(EdgeId, Vec<State>)>,
}

/// A derivation: for each state in it, the edge it follows from and the states of the premises.
#[derive(Clone, Debug)]
pub struct Derivation {
    /// The goal.
    pub goal: State,
    /// States in the derivation that follow from an edge.
    pub chosen: BTreeMap<State, (EdgeId, Vec<State>)>,
}

impl Derivation {
    /// The edges in the order in which they are used: premises before conclusions.
    pub fn edges(&self) -> Vec<(EdgeId, State)> {
        let mut graph: DiGraphMap<State, ()> = DiGraphMap::new();
        graph.add_node(self.goal);
        for (state, (_, premises)) in &self.chosen {
            // Visited in the order of the premises.
            for premise in premises.iter().rev() {
                graph.add_edge(*state, *premise, ());
            }
        }
        let mut order = DfsPostOrder::new(&graph, self.goal);
        std::iter::from_fn(|| order.next(&graph))
            .filter_map(|state| Some((self.chosen.get(&state)?.0, state)))
            .collect()
    }
}

/// Finds the shortest derivation of `goal` from `given`. `None` if there is none within the scope.
///
/// - `remaining`: of each fact from which edges of the scope's level lead to the goal, how many
///   steps they take at least: see [`Remaining`].
///
/// What would come to more steps than the goal takes is not looked at. How many it takes is tried
/// from below, so that what is found is the same as if everything were looked at: a state of the
/// shortest derivation never comes to more steps, with those that remain, than the whole.
pub fn shortest(
    derivations: &Derivations,
    given: &[FactId],
    remaining: &Remaining,
    scope: &Scope<'_>,
) -> Option<Derivation> {
    let least = given.iter().filter_map(|fact| remaining.steps(*fact)).min()?;
    // With bits to set, an edge may serve twice and count once: no bound holds then.
    let mut within = if scope.wanted == 0 { least } else { usize::MAX };
    loop {
        match shortest_within(derivations, given, remaining, scope, within) {
            Ok(found) => return found,
            Err(more) => within = more,
        }
    }
}

/// How many steps lead from facts to a goal, at least.
#[derive(Debug)]
pub struct Remaining {
    goal: FactId,
    steps: HashMap<FactId, usize>,
}

impl Remaining {
    /// Counts from the goal back, over edges of at most `level`, whatever else they need.
    pub fn to(derivations: &Derivations, goal: FactId, level: Level) -> Self {
        let mut steps: HashMap<FactId, usize> = HashMap::default();
        let mut queue = VecDeque::from([(goal, 0)]);
        while let Some((fact, so_far)) = queue.pop_front() {
            if steps.contains_key(&fact) {
                continue;
            }
            steps.insert(fact, so_far);
            for edge in derivations.concluding(fact).iter().filter_map(|id| derivations.edge(*id)) {
                if edge.level > level {
                    continue;
                }
                for premise in edge.premises.iter().filter(|one| !steps.contains_key(one)) {
                    match edge.steps {
                        0 => queue.push_front((*premise, so_far)),
                        more => queue.push_back((*premise, so_far + more as usize)),
                    }
                }
            }
        }
        Self { goal, steps }
    }

    /// How many remain from a fact; `None` if nothing leads from it to the goal.
    fn steps(&self, fact: FactId) -> Option<usize> {
        self.steps.get(&fact).copied()
    }
}

/// The shortest derivation of at most so many steps. Fails with how many more to try where
/// something was left out for taking too many.
fn shortest_within(
    derivations: &Derivations,
    given: &[FactId],
    remaining: &Remaining,
    scope: &Scope<'_>,
    within: usize,
) -> Result<Option<Derivation>, usize> {
    let goal = remaining.goal;
    let mut left_out: Option<usize> = None;
    type Entry = Reverse<((usize, usize, usize), usize, State)>;
    let mut reached: BTreeMap<State, Reached> = BTreeMap::new();
    let mut by_fact: BTreeMap<FactId, Vec<Mask>> = BTreeMap::new();
    let mut candidates: Vec<Reached> = Vec::new();
    let mut heap: BinaryHeap<Entry> = BinaryHeap::new();
    for fact in given {
        candidates.push(Reached { steps: Arc::new([]), from: None });
        heap.push(Reverse(((0, 0, 0), candidates.len() - 1, (*fact, 0))));
    }
    while let Some(Reverse((_, candidate, state))) = heap.pop() {
        if reached.contains_key(&state) {
            continue;
        }
        let Some(candidate) = candidates.get(candidate).cloned() else { continue };
        let so_far = candidate.steps.len();
        reached.insert(state, candidate);
        by_fact.entry(state.0).or_default().push(state.1);
        if state == (goal, scope.wanted) {
            return Ok(Some(collect(&reached, state)));
        }
        for id in derivations.needing(state.0) {
            let Some(edge) = derivations.edge(*id) else { continue };
            if edge.level > scope.level {
                continue;
            }
            let Some(rest) = remaining.steps(edge.conclusion) else { continue };
            let mut too_long = |steps: usize| {
                let whole = steps + rest;
                if whole > within {
                    left_out = Some(left_out.map_or(whole, |least| least.min(whole)));
                }
                whole > within
            };
            if too_long(so_far + edge.steps as usize) || !(scope.allowed)(*id) {
                continue;
            }
            let Some(combinations) = combinations(&edge.premises, state, &by_fact) else {
                continue;
            };
            for premises in combinations {
                let mut mask = (scope.mask)(*id);
                let mut steps: Vec<EdgeId> = Vec::new();
                for premise in &premises {
                    mask |= premise.1;
                    if let Some(premise) = reached.get(premise) {
                        steps.extend(premise.steps.iter().copied());
                    }
                }
                if edge.steps > 0 {
                    steps.push(*id);
                }
                let conclusion = (edge.conclusion, mask);
                if reached.contains_key(&conclusion) {
                    continue;
                }
                steps.sort_unstable();
                steps.dedup();
                if too_long(steps.len()) {
                    continue;
                }
                let assumed = steps
                    .iter()
                    .filter(|step| {
                        derivations.edge(**step).is_some_and(|e| e.level > Level::Certain)
                    })
                    .count();
                let calls = steps.iter().map(|step| (scope.calls)(*step)).sum();
                let cost = (steps.len(), assumed, calls);
                candidates.push(Reached { steps: steps.into(), from: Some((*id, premises)) });
                heap.push(Reverse((cost, candidates.len() - 1, conclusion)));
            }
        }
    }
    left_out.map_or(Ok(None), Err)
}

/// The ways to have all premises, of which `settled` is one just reached. `None` if one is missing.
fn combinations(
    premises: &[FactId],
    settled: State,
    by_fact: &BTreeMap<FactId, Vec<Mask>>,
) -> Option<Vec<Vec<State>>> {
    let mut out: Vec<Vec<State>> = vec![Vec::with_capacity(premises.len())];
    for premise in premises {
        if *premise == settled.0 {
            for combination in &mut out {
                combination.push(settled);
            }
            continue;
        }
        let masks = by_fact.get(premise)?;
        out = out
            .iter()
            .flat_map(|combination| {
                masks.iter().map(|mask| {
                    let mut longer = combination.clone();
                    longer.push((*premise, *mask));
                    longer
                })
            })
            .collect();
    }
    Some(out)
}

fn collect(reached: &BTreeMap<State, Reached>, goal: State) -> Derivation {
    let mut chosen = BTreeMap::new();
    let mut stack = vec![goal];
    while let Some(state) = stack.pop() {
        if chosen.contains_key(&state) {
            continue;
        }
        if let Some((edge, premises)) = reached.get(&state).and_then(|reached| reached.from.clone())
        {
            stack.extend(premises.iter().copied());
            chosen.insert(state, (edge, premises));
        }
    }
    Derivation { goal, chosen }
}

#[cfg(test)]
mod tests {
    use super::super::derivations::{Edge, Why};
    use super::super::fact::Fact;
    use super::*;
    use crate::snapshot::ObjectId;

    fn check(edges: &[(&[u32], u32, u32)], expected: Option<usize>) {
        let mut derivations = Derivations::default();
        let facts: Vec<FactId> =
            (0..10).map(|n| derivations.fact(Fact::Holds(ObjectId(n)))).collect();
        for (premises, conclusion, steps) in edges {
            derivations.add(Edge {
                premises: premises.iter().map(|n| facts[*n as usize]).collect(),
                conclusion: facts[*conclusion as usize],
                level: Level::Certain,
                steps: *steps,
                why: Why::Implied,
            });
        }
        let scope = Scope {
            level: Level::Certain,
            allowed: &|_| true,
            mask: &|_| 0,
            calls: &|_| 1,
            wanted: 0,
        };
        let remaining = Remaining::to(&derivations, facts[9], Level::Certain);
        let found = shortest(&derivations, &[facts[0]], &remaining, &scope);
        let steps = found.map(|derivation| {
            derivation
                .edges()
                .iter()
                .filter(|(e, _)| derivations.edge(*e).unwrap().steps > 0)
                .count()
        });
        assert_eq!(steps, expected);
    }

    #[test]
    fn the_shorter_of_two_ways_is_taken() {
        check(&[(&[0], 1, 1), (&[1], 9, 1), (&[0], 2, 1), (&[2], 3, 1), (&[3], 9, 1)], Some(2));
    }

    #[test]
    fn all_premises_are_needed() {
        check(&[(&[0], 1, 1), (&[1, 2], 9, 1)], None);
        check(&[(&[0], 1, 1), (&[0], 2, 1), (&[1, 2], 9, 1)], Some(3));
    }

    #[test]
    fn a_step_that_serves_twice_counts_once() {
        // 9 from (1 and 2), both behind the same first step: 4 steps; against a way of 5.
        check(
            &[
                (&[0], 3, 1),
                (&[3], 1, 1),
                (&[3], 2, 1),
                (&[1, 2], 9, 1),
                (&[0], 4, 1),
                (&[4], 5, 1),
                (&[5], 6, 1),
                (&[6], 7, 1),
                (&[7], 9, 1),
            ],
            Some(4),
        );
    }
}
