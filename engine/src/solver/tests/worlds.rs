//! Random residuals over small worlds, and the worlds: the slow, obvious twin.

use std::collections::BTreeSet;

use super::*;

pub(super) struct Random(pub(super) u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// The variables of the small worlds.
pub(super) fn cast() -> Vec<Variable> {
    let letters = [('a', 'b')];
    vec![
        variable("$name", VariableKind::Chosen, &letters, (1, 2)),
        variable("$other", VariableKind::Chosen, &[(':', ':'), ('a', 'a')], (0, 2)),
        variable("t:key", VariableKind::Environment, &letters, (0, 2)),
        variable("t:chosen", VariableKind::Chosen, &letters, (0, 2)),
        Variable {
            multivalued: true,
            ..variable("aws:TagKeys", VariableKind::Chosen, &letters, (0, 2))
        },
        Variable {
            multivalued: true,
            ..variable("t:many", VariableKind::Environment, &letters, (1, 2))
        },
        key("s3:object-lock-remaining-retention-days"),
        key("aws:SourceIp"),
        key("aws:SourceVpce"),
        key("aws:CurrentTime"),
        key("aws:EpochTime"),
        key("aws:MultiFactorAuthPresent"),
        key("aws:MultiFactorAuthAge"),
    ]
}

fn random_pattern(random: &mut Random, variable: &Variable) -> Pattern {
    if &*variable.name == "aws:SourceVpce" {
        return Pattern::glob(["vpce-1", "vpce-*", "vpce-2"][random.below(3)], false);
    }
    let other = if &*variable.name == "$other" { ':' } else { 'b' };
    let tokens: Vec<Token> = (0..random.below(4))
        .map(|_| match random.below(7) {
            0 | 1 => Token::Literal('a'),
            2 => Token::Literal(other),
            3 => Token::AnyCharacter,
            4 => Token::AnyRunInSegment,
            _ => Token::AnyRun,
        })
        .collect();
    Pattern::new(tokens, random.below(5) == 0)
}

fn random_test(random: &mut Random, variable: &Variable) -> Test {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual};
    let comparison = *random.pick(&[Equal, Less, LessOrEqual, Greater, GreaterOrEqual]);
    let step = random.below(3) as i64 + 1;
    match &*variable.name {
        "s3:object-lock-remaining-retention-days" | "aws:MultiFactorAuthAge" => {
            Test::Number(comparison, i128::from(step) * UNIT)
        }
        "aws:SourceIp" => {
            let ranges =
                ["10.0.0.0/31", "10.0.0.0/30", "10.0.0.3/32", "0.0.0.0/0", "2001:db8::/32"];
            Test::Address(random.pick(&ranges).parse().unwrap())
        }
        "aws:CurrentTime" => Test::Date(comparison, step * 1000),
        "aws:EpochTime" if random.below(2) == 0 => {
            Test::Number(comparison, i128::from(step) * UNIT)
        }
        "aws:EpochTime" => Test::Date(comparison, step * 1000),
        "aws:MultiFactorAuthPresent" => {
            Test::Like(Pattern::literal(if random.below(3) == 0 { "false" } else { "true" }, true))
        }
        _ => Test::Like(random_pattern(random, variable)),
    }
}

pub(super) fn random_residual(
    random: &mut Random,
    variables: &[Variable],
    depth: usize,
) -> Residual {
    if depth == 0 || random.below(4) == 0 {
        let variable = random.pick(variables).clone();
        let atom = if variable.multivalued {
            if random.below(4) == 0 {
                Atom::Present(variable)
            } else {
                let tests = (0..=random.below(2)).map(|_| random_test(random, &variable)).collect();
                Atom::Some { variable, tests, negated: random.below(2) == 0 }
            }
        } else if random.below(4) == 0 && !variable.name.starts_with('$') {
            Atom::Present(variable)
        } else {
            let test = random_test(random, &variable);
            Atom::Passes(variable, test)
        };
        let atom = Residual::atom(atom);
        return if random.below(2) == 0 { atom } else { atom.negate() };
    }
    let members: Vec<Residual> =
        (0..2 + random.below(2)).map(|_| random_residual(random, variables, depth - 1)).collect();
    if random.below(2) == 0 { Residual::all(members) } else { Residual::any(members) }
}

/// A residual over a few of the cast. Some are over keys that move together.
fn random_problem(random: &mut Random) -> Residual {
    let cast = cast();
    let variables: Vec<Variable> = match random.below(6) {
        0 => [7, 8].iter().map(|at| cast[*at].clone()).collect(),
        1 => [9, 10].iter().map(|at| cast[*at].clone()).collect(),
        2 => [11, 12].iter().map(|at| cast[*at].clone()).collect(),
        _ => (0..1 + random.below(3)).map(|_| random.pick(&cast).clone()).collect(),
    };
    let depth = 1 + random.below(3);
    random_residual(random, &variables, depth)
}

/// Every value that a variable of the cast can have in a small world.
fn values(variable: &Variable, formula: &Residual) -> Vec<Value> {
    let one =
        |texts: &[&str]| texts.iter().map(|text| Value::One((*text).into())).collect::<Vec<_>>();
    let asked = formula
        .atoms()
        .iter()
        .any(|atom| matches!(&**atom, Atom::Present(asked) if asked == variable));
    let mut out = match &*variable.name {
        "s3:object-lock-remaining-retention-days" => {
            one(&["-1", "0", "1", "1.5", "2", "2.5", "3", "4", "x"])
        }
        "aws:MultiFactorAuthAge" => one(&["0", "1", "2", "3", "4"]),
        "aws:SourceIp" => one(&[
            "10.0.0.0",
            "10.0.0.1",
            "10.0.0.2",
            "10.0.0.3",
            "10.0.0.4",
            "2001:db8::7",
            "2001:db9::",
        ]),
        "aws:SourceVpce" => one(&["vpce-1", "vpce-2", "vpce-", "x"]),
        "aws:CurrentTime" => {
            (0..5).map(|second| Value::One(format!("1970-01-01T00:00:0{second}Z").into())).collect()
        }
        "aws:EpochTime" => one(&["0", "1", "2", "3", "4"]),
        "aws:MultiFactorAuthPresent" => one(&["true", "false"]),
        _ => {
            let mut layer = vec![String::new()];
            let mut texts = Vec::new();
            for length in 0..=variable.grammar.length.1 {
                if length >= variable.grammar.length.0 {
                    texts.extend(layer.iter().cloned());
                }
                let characters =
                    ['a', 'b', ':'].into_iter().filter(|c| variable.grammar.allows(*c));
                let characters: Vec<char> = characters.collect();
                layer = layer
                    .iter()
                    .flat_map(|text| characters.iter().map(move |c| format!("{text}{c}")))
                    .collect();
            }
            if variable.multivalued {
                // Sets of up to four values.
                let mut sets: BTreeSet<BTreeSet<&str>> = BTreeSet::from([BTreeSet::new()]);
                for _ in 0..4 {
                    for set in sets.clone() {
                        for text in &texts {
                            let mut larger = set.clone();
                            larger.insert(text);
                            sets.insert(larger);
                        }
                    }
                }
                sets.iter()
                    .map(|set| Value::Many(set.iter().map(|text| (*text).into()).collect()))
                    .collect()
            } else {
                texts.iter().map(|text| Value::One(text.as_str().into())).collect()
            }
        }
    };
    let clock = ["aws:CurrentTime", "aws:EpochTime"].contains(&&*variable.name);
    if asked && !clock && !variable.multivalued && !variable.name.starts_with('$') {
        out.push(Value::Absent);
    }
    if variable.multivalued {
        out.retain(|value| *value != Value::Many(Vec::new()));
        out.push(Value::Absent);
    }
    out
}

/// What the axioms say, said again.
fn consistent(world: &Assignment) -> bool {
    let get = |name: &str| {
        world.iter().find(|(variable, _)| &*variable.name == name).map(|(_, value)| value)
    };
    let is_there = |name: &str| get(name).map(|value| *value != Value::Absent);
    let truth = get("aws:MultiFactorAuthPresent").map(|v| *v == Value::One("true".into()));
    if let (Some(age), Some(truth)) = (is_there("aws:MultiFactorAuthAge"), truth)
        && age != truth
    {
        return false;
    }
    let lists_a = |list: &Value| match list {
        Value::Many(keys) => keys.iter().any(|key| key.eq_ignore_ascii_case("a")),
        Value::Absent | Value::One(_) => false,
    };
    if let (Some(tagged), Some(listed)) =
        (is_there("aws:RequestTag/a"), get("aws:TagKeys").map(lists_a))
        && tagged != listed
    {
        return false;
    }
    if is_there("aws:SourceIp") == Some(true) && is_there("aws:SourceVpce") == Some(true) {
        return false;
    }
    if let (Some(Value::One(date)), Some(Value::One(seconds))) =
        (get("aws:CurrentTime"), get("aws:EpochTime"))
    {
        return crate::residual::parse_date(date) == seconds.parse::<i64>().ok().map(|s| s * 1000);
    }
    true
}

/// Every world in which the listed variables are as `fixed` says.
fn worlds(formula: &Residual, fixed: &Assignment) -> Vec<Assignment> {
    let mut out = vec![Assignment::new()];
    for variable in formula.variables() {
        let values = match fixed.get(&variable) {
            Some(value) => vec![value.clone()],
            None => values(&variable, formula),
        };
        out = out
            .into_iter()
            .flat_map(|world| {
                let variable = &variable;
                values.iter().map(move |value| {
                    let mut world = world.clone();
                    world.insert(variable.clone(), value.clone());
                    world
                })
            })
            .collect();
    }
    out
}

/// Whether the formula is small enough to enumerate.
fn small(formula: &Residual) -> bool {
    let count = |variable: &Variable| match variable.multivalued {
        true => 100,
        false => values(variable, formula).len(),
    };
    formula.variables().iter().map(count).product::<usize>() <= 3_000
}

/// A residual over the keys of a request's tags and the list of these.
fn random_tags(random: &mut Random) -> Residual {
    let letters = [('a', 'b')];
    let tag = variable("aws:RequestTag/a", VariableKind::Chosen, &letters, (0, 2));
    let list = cast().into_iter().find(|variable| &*variable.name == "aws:TagKeys");
    let variables: Vec<Variable> = std::iter::once(tag).chain(list).collect();
    let depth = 1 + random.below(3);
    random_residual(random, &variables, depth)
}

#[test]
fn solutions_agree_with_enumeration() {
    agree_with_enumeration(random_problem, 21_000, 2_000);
}

#[test]
fn a_tag_is_in_a_request_exactly_if_it_is_listed() {
    agree_with_enumeration(random_tags, 1_500, 50);
}

/// Solves random problems, so many, and compares with what their small worlds say.
///
/// - `least`: how many of them cannot be satisfied, at least.
fn agree_with_enumeration(problem: fn(&mut Random) -> Residual, problems: usize, least: usize) {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let solver = Solver::default();
    let (mut satisfiable, mut unsatisfiable) = (0, 0);
    let mut seen = BTreeSet::new();
    while satisfiable + unsatisfiable < problems {
        let formula = problem(&mut random);
        if matches!(formula, Residual::True | Residual::False)
            || !small(&formula)
            || !seen.insert(formula.clone())
        {
            continue;
        }
        match solver.solve(&formula) {
            Solution::Satisfiable(witness) => {
                satisfiable += 1;
                for (variable, value) in &witness {
                    let texts: Vec<&Arc<str>> = match value {
                        Value::Absent => Vec::new(),
                        Value::One(text) => vec![text],
                        Value::Many(texts) => texts.iter().collect(),
                    };
                    assert!(texts.iter().all(|text| variable.grammar.accepts(text)));
                }
                assert!(consistent(&witness), "{formula:?}\n{witness:?}");
                // Whatever is not listed may be anything.
                for world in worlds(&formula, &witness).into_iter().step_by(1 + random.below(7)) {
                    assert!(evaluate(&formula, &world), "{formula:?}\n{witness:?}\n{world:?}");
                }
            }
            Solution::Unsatisfiable => {
                unsatisfiable += 1;
                let counter = worlds(&formula, &Assignment::new())
                    .into_iter()
                    .find(|world| consistent(world) && evaluate(&formula, world));
                assert_eq!(counter, None, "{formula:?}");
            }
            Solution::Unknown(reason) => panic!("{reason}: {formula:?}"),
        }
    }
    assert!(unsatisfiable > least, "{satisfiable} {unsatisfiable}");
    println!("{satisfiable} {unsatisfiable} {:?}", solver.statistics());
}

#[test]
fn assumptions_are_enough_and_none_is_superfluous() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut with_assumptions = 0;
    while with_assumptions < 1_500 {
        let formula = random_problem(&mut random);
        if !small(&formula) {
            continue;
        }
        let limits = Limits::default();
        let Solution::Satisfiable(witness) = solve(&formula, limits) else { continue };
        let literals = assumptions(&formula, &witness, limits);
        if literals.is_empty() {
            continue;
        }
        with_assumptions += 1;
        let chosen: Assignment = witness
            .iter()
            .filter(|(variable, _)| variable.kind == VariableKind::Chosen)
            .map(|(variable, value)| (variable.clone(), value.clone()))
            .collect();
        let worlds: Vec<Assignment> =
            worlds(&formula, &chosen).into_iter().filter(consistent).collect();
        let stands = |world: &Assignment, literal: &Literal| {
            holds(&literal.atom, &world[literal.atom.variable()]) == literal.holds
        };
        for world in &worlds {
            if literals.iter().all(|literal| stands(world, literal)) {
                assert!(evaluate(&formula, world), "{formula:?}\n{literals:?}\n{world:?}");
            }
        }
        for dropped in &literals {
            let needed = worlds.iter().any(|world| {
                let rest = literals.iter().filter(|literal| *literal != dropped);
                rest.into_iter().all(|literal| stands(world, literal)) && !evaluate(&formula, world)
            });
            assert!(needed, "{formula:?}\n{literals:?}\n{dropped:?}");
        }
    }
}

#[test]
fn descent_and_z3_give_the_same_canonical_answer() {
    let mut random = Random(0xd1b5_4a32_d192_ed03);
    let mut compared = 0;
    while compared < 3_000 {
        let formula = random_problem(&mut random);
        if matches!(formula, Residual::True | Residual::False) {
            continue;
        }
        let problem = Problem::new(&formula).unwrap();
        let mut theory = Theory::new(&problem, 100_000);
        let found = search::search(&problem, &mut theory, 5_000_000, true, &mut 0);
        match (descent::descend(&problem, &mut theory), found) {
            (Descent::Canonical(descent), Outcome::Model(z3)) => {
                assert_eq!(descent.values, z3.values, "{formula:?}");
            }
            (Descent::Unsatisfiable, Outcome::Unsatisfiable) => {}
            (Descent::Stuck, _) => continue,
            (descent, z3) => panic!("{descent:?} {z3:?} {formula:?}"),
        }
        compared += 1;
    }
}

/// The first total assignment, in the order of preference, that holds and has texts: by counting.
fn first_by_counting(problem: &Problem, theory: &mut Theory<'_>) -> Option<Vec<bool>> {
    let count = problem.propositions.len();
    (0..1u32 << count).find_map(|number| {
        let values: Vec<bool> = problem
            .propositions
            .iter()
            .enumerate()
            .map(|(at, stated)| stated.preferred != (number >> (count - 1 - at) & 1 == 1))
            .collect();
        let fits = problem.cells.iter().all(|cell| {
            let there = cell.present.is_none_or(|present| values[present]);
            match &cell.values {
                Values::Text { patterns, first } if there => {
                    let literals =
                        theory::literals(patterns, *first, &|at| values.get(at).copied());
                    matches!(theory.text(cell, &literals), Search::Found(_))
                }
                Values::Text { patterns, first } => {
                    values[*first..first + patterns.len()].iter().all(|value| !value)
                }
                Values::Listed { classes, first } => {
                    let chosen = &values[*first..first + classes.len()];
                    chosen.iter().filter(|value| **value).count() == usize::from(there)
                }
            }
        });
        (fits && problem.holds(&values)).then_some(values)
    })
}

#[test]
fn the_canonical_answer_is_the_first_there_is() {
    let mut random = Random(0x6a09_e667_f3bc_c908);
    let (mut compared, mut found) = (0, 0);
    while compared < 400 {
        let formula =
            if compared % 2 == 0 { random_hard(&mut random) } else { random_problem(&mut random) };
        if matches!(formula, Residual::True | Residual::False) {
            continue;
        }
        let problem = Problem::new(&formula).unwrap();
        if problem.propositions.len() > 13 {
            continue;
        }
        let mut theory = Theory::new(&problem, 100_000);
        let expected = first_by_counting(&problem, &mut theory);
        match search::search(&problem, &mut theory, 5_000_000, true, &mut 0) {
            Outcome::Model(model) => {
                found += 1;
                assert_eq!(Some(model.values), expected, "{formula:?}");
            }
            Outcome::Unsatisfiable => assert_eq!(expected, None, "{formula:?}"),
            Outcome::Unknown(reason) => panic!("{reason}"),
        }
        compared += 1;
    }
    assert!((50..390).contains(&found), "{found}");
}

#[test]
fn text_tests_on_a_number_are_never_called_impossible() {
    let mut random = Random(0x3c6e_f372_fe94_f82b);
    let number = key("s3:object-lock-remaining-retention-days");
    for _ in 0..500 {
        let parts: Vec<Residual> = (0..3)
            .map(|_| {
                let test = if random.below(2) == 0 {
                    random_test(&mut random, &number)
                } else {
                    let globs = ["1*", "*2", "?", "1.5", "x*"];
                    Test::Like(Pattern::glob(globs[random.below(5)], false))
                };
                let atom = passes(&number, test);
                if random.below(2) == 0 { atom } else { atom.negate() }
            })
            .collect();
        let formula = Residual::all(parts);
        match solve(&formula, Limits::default()) {
            Solution::Satisfiable(witness) => assert!(evaluate(&formula, &witness)),
            Solution::Unsatisfiable => {
                let possible = worlds(&formula, &Assignment::new());
                assert!(!possible.iter().any(|world| evaluate(&formula, world)), "{formula:?}");
            }
            Solution::Unknown(_) => {}
        }
    }
}

#[test]
fn a_formula_nested_without_end_is_left_unknown() {
    let mut formula = like(&name(), "a*");
    for at in 0..2_000 {
        let other = like(&name(), &format!("{at}*"));
        let members = [formula, other];
        formula =
            if at % 2 == 0 { Residual::All(members.into()) } else { Residual::Any(members.into()) };
    }
    assert!(matches!(solve(&formula, Limits::default()), Solution::Unknown(_)));
}

#[test]
fn threads_share_a_solver_and_get_the_same_answers() {
    let mut random = Random(0x510e_527f_ade6_82d1);
    let formulas: Vec<Residual> = (0..100).map(|_| random_hard(&mut random)).collect();
    let alone: Vec<Solution> = formulas.iter().map(|f| solve(f, Limits::default())).collect();
    let solver = Solver::default();
    std::thread::scope(|scope| {
        for start in [0, 50] {
            let (solver, formulas, alone) = (&solver, &formulas, &alone);
            scope.spawn(move || {
                for at in (0..formulas.len()).map(|at| (at + start) % formulas.len()) {
                    assert_eq!(solver.solve(&formulas[at]), alone[at]);
                }
            });
        }
    });
}

#[test]
fn a_used_solver_answers_as_a_fresh_one() {
    let mut random = Random(0x1234_5678_9abc_def1);
    let formulas: Vec<Residual> = (0..400).map(|_| random_hard(&mut random)).collect();
    let used: Vec<Solution> = formulas.iter().map(|f| solve(f, Limits::default())).collect();
    let backwards: Vec<Solution> =
        formulas.iter().rev().map(|f| solve(f, Limits::default())).collect();
    assert!(used.iter().eq(backwards.iter().rev()));
    for (formula, solution) in formulas.iter().zip(&used).step_by(20) {
        // Each thread has a solver of its own.
        let fresh = std::thread::scope(|scope| {
            scope.spawn(|| solve(formula, Limits::default())).join().unwrap()
        });
        assert_eq!(fresh, *solution);
    }
}

/// A formula in which few things are fixed from the start.
pub(super) fn random_hard(random: &mut Random) -> Residual {
    let cast = cast();
    let clauses = (0..4 + random.below(12)).map(|_| {
        let members: Vec<Residual> =
            (0..3).map(|_| random_residual(random, &cast[..6], 0)).collect();
        Residual::any(members)
    });
    Residual::all(clauses.collect::<Vec<_>>())
}

#[test]
fn random_clauses_agree_with_enumeration() {
    let mut random = Random(0x0dd_b1a5_e5ba_d5ee);
    let solver = Solver::default();
    let mut unsatisfiable = 0;
    for _ in 0..3_000 {
        let variables = [cast()[0].clone(), cast()[2].clone(), cast()[1].clone()];
        let clauses = (0..6 + random.below(14)).map(|_| {
            let members: Vec<Residual> = (0..2 + random.below(2))
                .map(|_| random_residual(&mut random, &variables, 0))
                .collect();
            Residual::any(members)
        });
        let formula = Residual::all(clauses.collect::<Vec<_>>());
        let all = worlds(&formula, &Assignment::new());
        let possible = all.iter().any(|world| evaluate(&formula, world));
        match solver.solve(&formula) {
            Solution::Satisfiable(_) => assert!(possible),
            Solution::Unsatisfiable => {
                unsatisfiable += 1;
                assert!(!possible, "{formula:?}");
            }
            Solution::Unknown(reason) => panic!("{reason}"),
        }
    }
    assert!(unsatisfiable > 100);
    assert!(solver.statistics().solver > 100, "{:?}", solver.statistics());
    println!("{unsatisfiable} {:?}", solver.statistics());
}

#[test]
fn few_automaton_states_never_turn_into_an_answer_that_is_wrong() {
    let mut random = Random(0xbb67_ae85_84ca_a73b);
    let mut unknown = 0;
    for _ in 0..600 {
        let formula = random_hard(&mut random);
        let limits = Limits { states: 1 + random.below(4), ..Limits::default() };
        match (solve(&formula, limits), solve(&formula, Limits::default())) {
            (Solution::Unknown(_), _) => unknown += 1,
            (Solution::Satisfiable(witness), _) => {
                assert!(evaluate(&formula, &with_absent(&formula, witness)), "{formula:?}");
            }
            (Solution::Unsatisfiable, full) => assert_eq!(full, Solution::Unsatisfiable),
        }
    }
    assert!(unknown > 50, "{unknown}");
}

/// The witness with every variable that it leaves open absent, or some text for a new name.
fn with_absent(formula: &Residual, mut witness: Assignment) -> Assignment {
    for variable in formula.variables() {
        let open =
            if variable.name.starts_with('$') { Value::One("a".into()) } else { Value::Absent };
        witness.entry(variable).or_insert(open);
    }
    witness
}
