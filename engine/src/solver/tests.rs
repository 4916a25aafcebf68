//! The solver against slow, obvious twins: enumeration of small worlds, and Z3's own strings.

use std::collections::BTreeSet;

use super::*;
use crate::pattern::{Pattern, Token};
use crate::residual::{Comparison, Grammar, Test, VariableKind};

const UNIT: i128 = 1_000_000_000;

fn variable(
    name: &str,
    kind: VariableKind,
    alphabet: &[(char, char)],
    length: (u16, u16),
) -> Variable {
    Variable {
        name: name.into(),
        scope: "".into(),
        kind,
        multivalued: false,
        grammar: Grammar { alphabet: alphabet.into(), length },
    }
}

fn key(name: &str) -> Variable {
    variable(name, VariableKind::Environment, &[], (0, 1024))
}

fn name() -> Variable {
    variable(
        "$name",
        VariableKind::Chosen,
        &[('-', '-'), ('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        (1, 64),
    )
}

fn present(variable: &Variable) -> Residual {
    Residual::atom(Atom::Present(variable.clone()))
}

fn like(variable: &Variable, glob: &str) -> Residual {
    passes(variable, Test::Like(Pattern::glob(glob, false)))
}

fn passes(variable: &Variable, test: Test) -> Residual {
    Residual::atom(Atom::Passes(variable.clone(), test))
}

fn is_true(variable: &Variable) -> Residual {
    present(variable).and(passes(variable, Test::Like(Pattern::literal("true", true))))
}

fn within(variable: &Variable, range: &str) -> Residual {
    passes(variable, Test::Address(range.parse().unwrap()))
}

fn some(variable: &Variable, globs: &[&str], negated: bool) -> Residual {
    let tests = globs.iter().map(|glob| Test::Like(Pattern::glob(glob, false))).collect();
    Residual::atom(Atom::Some { variable: variable.clone(), tests, negated })
}

/// Solves, and shows the answer as `name=value` in order, `!` for unsatisfiable, `?` for unknown.
fn show(formula: &Residual) -> String {
    match solve(formula, Limits::default()) {
        Solution::Satisfiable(assignment) => assignment
            .iter()
            .map(|(variable, value)| match value {
                Value::Absent => format!("{}=", variable.name),
                Value::One(text) => format!("{}={text}", variable.name),
                Value::Many(texts) => format!("{}=[{}]", variable.name, texts.join(" ")),
            })
            .collect::<Vec<_>>()
            .join(", "),
        Solution::Unsatisfiable => "!".to_owned(),
        Solution::Unknown(_) => "?".to_owned(),
    }
}

fn check(formula: &Residual, expected: &str) {
    assert_eq!(show(formula), expected, "{formula:?}");
}

#[test]
fn constants_need_no_values() {
    check(&Residual::True, "");
    check(&Residual::False, "!");
    check(&Residual::unknown("no such policy"), "?");
    check(&Residual::unknown("no such policy").or(like(&name(), "a*")), "?");
}

#[test]
fn names_read_well_where_they_can() {
    let name = name();
    check(&like(&name, "prod-*"), "$name=prod-escalade");
    check(&like(&name, "prod-*").negate(), "$name=escalade");
    check(&like(&name, "exact"), "$name=exact");
    check(
        &like(&name, "a*").and(like(&name, "*b")).and(like(&name, "*escalade*").negate()),
        "$name=ab",
    );
    check(&like(&name, "e*").negate().and(like(&name, "E*").negate()), "$name=111122223333");
    check(&like(&name, "arn:*"), "!");
    check(&like(&name, "??").and(like(&name, "x?").negate()), "$name=ax");
}

#[test]
fn the_environment_is_left_open_where_a_name_will_do() {
    let mfa = key("aws:MultiFactorAuthPresent");
    check(&is_true(&mfa).or(like(&name(), "z*")), "$name=zescalade");
    check(&is_true(&mfa).or(like(&name(), ":*")), "aws:MultiFactorAuthPresent=true");
}

#[test]
fn a_key_is_absent_where_it_may_be() {
    let mfa = key("aws:MultiFactorAuthPresent");
    let truth = passes(&mfa, Test::Like(Pattern::literal("true", true)));
    check(&present(&mfa).negate().or(truth.clone()), "aws:MultiFactorAuthPresent=");
    check(&present(&mfa).and(truth.negate()), "aws:MultiFactorAuthPresent=false");
}

#[test]
fn a_boolean_key_is_true_or_false() {
    let mfa = key("aws:SecureTransport");
    let test = |text: &str| passes(&mfa, Test::Like(Pattern::literal(text, true)));
    check(&test("true").negate().and(test("false").negate()), "!");
    check(&test("true"), "aws:SecureTransport=true");
}

#[test]
fn addresses_numbers_and_dates_get_values() {
    let address = key("aws:SourceIp");
    let corporate = within(&address, "10.0.0.0/8").and(present(&address));
    check(&corporate, "aws:SourceIp=10.0.0.1");
    check(&corporate.clone().and(within(&address, "10.1.0.0/16")), "aws:SourceIp=10.1.0.1");
    check(&corporate.and(within(&address, "10.0.0.0/7").negate()), "!");
    check(&within(&address, "0.0.0.0/0").negate(), "aws:SourceIp=2001:db8::1");
    let age = key("aws:MultiFactorAuthAge");
    check(&passes(&age, Test::Number(Comparison::Less, 3600 * UNIT)), "aws:MultiFactorAuthAge=0");
    check(&passes(&age, Test::Number(Comparison::Less, 0)), "!");
    let time = key("aws:CurrentTime");
    let after = passes(&time, Test::Date(Comparison::Greater, 1_735_689_600_000));
    check(&after, "aws:CurrentTime=2025-01-01T00:00:01Z");
}

#[test]
fn the_two_clocks_are_one() {
    let (date, seconds) = (key("aws:CurrentTime"), key("aws:EpochTime"));
    let after = passes(&date, Test::Date(Comparison::GreaterOrEqual, 1_735_689_600_000));
    let before = |second: i128| passes(&seconds, Test::Number(Comparison::Less, second * UNIT));
    check(&after.clone().and(before(1_735_689_600)), "!");
    check(
        &after.and(before(1_735_689_601)),
        "aws:CurrentTime=2025-01-01T00:00:00Z, aws:EpochTime=1735689600",
    );
}

#[test]
fn keys_of_one_request_go_together() {
    let (mfa, age) = (key("aws:MultiFactorAuthPresent"), key("aws:MultiFactorAuthAge"));
    check(&present(&age).and(present(&mfa).negate()), "!");
    check(&present(&age).and(is_true(&mfa).negate()), "!");
    check(&present(&age).negate().and(is_true(&mfa)), "!");
    let (address, endpoint) = (key("aws:SourceIp"), key("aws:SourceVpce"));
    let inside = present(&endpoint).and(like(&endpoint, "vpce-1"));
    check(&inside.clone().and(present(&address)), "!");
    let outside = present(&address).negate().or(within(&address, "10.0.0.0/8").negate());
    check(&inside.and(outside), "aws:SourceIp=, aws:SourceVpce=vpce-1");
    // In another scope it is another request.
    let elsewhere = Variable { scope: "step 2".into(), ..address };
    let inside = present(&endpoint).and(like(&endpoint, "vpce-1"));
    check(&inside.and(present(&elsewhere)), "aws:SourceIp=203.0.113.1, aws:SourceVpce=vpce-1");
}

#[test]
fn a_multivalued_key_gets_as_many_values_as_it_needs() {
    let keys = Variable { multivalued: true, ..key("aws:TagKeys") };
    check(&some(&keys, &["a"], false).and(some(&keys, &["b"], false)), "aws:TagKeys=[a b]");
    let only = some(&keys, &["team", "cost-*"], true).negate();
    check(&only.clone().and(present(&keys)), "aws:TagKeys=[team]");
    check(&only.clone().and(some(&keys, &["owner"], false)), "!");
    check(&only, "aws:TagKeys=");
    let both = some(&keys, &["a*"], false).and(some(&keys, &["*b"], false));
    check(&both.and(some(&keys, &["ab"], true).negate()), "aws:TagKeys=[ab]");
    check(&present(&keys).and(some(&keys, &["*"], false).negate()), "!");
}

#[test]
fn validity_is_the_negation_without_a_model() {
    let name = name();
    let limits = Limits::default();
    let formula = like(&name, "a*").or(like(&name, "ab*").negate());
    assert_eq!(holds_always(&formula, limits), Validity::Always);
    let Validity::Fails(example) = holds_always(&like(&name, "a*"), limits) else { panic!() };
    assert!(!evaluate(&like(&name, "a*"), &example));
    assert!(matches!(holds_always(&Residual::unknown("gap"), limits), Validity::Unknown(_)));
}

/// What a solution of the formula assumes, as JSON.
fn assumed(formula: &Residual) -> String {
    let Solution::Satisfiable(assignment) = solve(formula, Limits::default()) else { panic!() };
    let literals = assumptions(formula, &assignment, Limits::default());
    serde_json::to_string(&Assumption::from_literals(&literals)).unwrap()
}

#[test]
fn assumptions_are_what_a_policy_would_say() {
    let mfa = key("aws:MultiFactorAuthPresent");
    assert_eq!(
        assumed(&is_true(&mfa)),
        r#"[{"kind":"context","key":"aws:MultiFactorAuthPresent","operator":"Bool","values":["true"]}]"#
    );
    let address = key("aws:SourceIp");
    let not_there = |range| present(&address).negate().or(within(&address, range).negate());
    assert_eq!(
        assumed(&not_there("10.0.0.0/8").and(not_there("192.168.0.0/16"))),
        r#"[{"kind":"context","key":"aws:SourceIp","operator":"NotIpAddress","values":["10.0.0.0/8","192.168.0.0/16"]}]"#
    );
    let endpoint = key("aws:SourceVpce");
    assert_eq!(
        assumed(&present(&endpoint).and(like(&endpoint, "vpce-1*"))),
        r#"[{"kind":"context","key":"aws:SourceVpce","operator":"StringLike","values":["vpce-1*"]}]"#
    );
    assert_eq!(
        assumed(&present(&endpoint).negate()),
        r#"[{"kind":"context","key":"aws:SourceVpce","operator":"Null","values":["true"]}]"#
    );
    let time = key("aws:CurrentTime");
    assert_eq!(
        assumed(&passes(&time, Test::Date(Comparison::Greater, 1_735_689_600_000))),
        r#"[{"kind":"context","key":"aws:CurrentTime","operator":"DateGreaterThan","values":["2025-01-01T00:00:00Z"]}]"#
    );
    let age = key("aws:MultiFactorAuthAge");
    let young = passes(&age, Test::Number(Comparison::Less, 3600 * UNIT));
    assert_eq!(
        assumed(&present(&age).and(young)),
        r#"[{"kind":"context","key":"aws:MultiFactorAuthAge","operator":"NumericLessThan","values":["3600"]}]"#
    );
    let via = Variable { multivalued: true, ..key("aws:CalledVia") };
    assert_eq!(
        assumed(&some(&via, &["athena.amazonaws.com"], false)),
        r#"[{"kind":"context","key":"aws:CalledVia","operator":"ForAnyValue:StringEquals","values":["athena.amazonaws.com"]}]"#
    );
    assert_eq!(assumed(&is_true(&mfa).or(is_true(&mfa).negate())), "[]");
}

#[test]
fn a_resource_limit_of_one_leaves_the_answer_unknown() {
    // Pigeons: no unit to propagate, so that Z3 is needed.
    let limits = Limits { resources: 1, ..Limits::default() };
    let solution = solve(&puzzle(), limits);
    assert!(matches!(solution, Solution::Unknown(_)), "{solution:?}");
    // The limit of one question does not stay for the next.
    assert_eq!(solve(&puzzle(), Limits::default()), Solution::Unsatisfiable);
}

/// Four tags in three colours, no two alike: needs case distinctions.
fn puzzle() -> Residual {
    let tags: Vec<Variable> = (0..4).map(|at| key(&format!("t:{at}"))).collect();
    let colours = ["r", "g", "b"];
    let each = tags.iter().map(|tag| Residual::any(colours.map(|colour| like(tag, colour))));
    let mut parts: Vec<Residual> = each.collect();
    for (at, tag) in tags.iter().enumerate() {
        for other in tags.iter().skip(at + 1) {
            parts.extend(colours.map(|c| like(tag, c).and(like(other, c)).negate()));
        }
    }
    Residual::all(parts)
}

#[test]
fn adversarial_patterns_are_answered_or_left_unknown_but_soon() {
    let name = Variable { grammar: Grammar::any(), ..name() };
    let letters: Vec<char> = ('a'..='z').collect();
    let start = std::time::Instant::now();
    for count in [4, 8, 16] {
        let globs: Vec<String> = (0..count)
            .map(|at| {
                let letter = |step: usize| letters[(at * 7 + step * 5) % letters.len()];
                format!("*{}*{}*{}*", letter(0), letter(1), letter(2))
            })
            .collect();
        let all = Residual::all(globs.iter().map(|glob| like(&name, glob)));
        let none = Residual::all(globs.iter().map(|glob| like(&name, glob).negate()));
        let limits = Limits { states: 5_000, ..Limits::default() };
        for formula in [&all, &none] {
            if let Solution::Satisfiable(assignment) = solve(formula, limits) {
                assert!(evaluate(formula, &assignment));
            } else {
                assert_ne!(solve(formula, limits), Solution::Unsatisfiable);
            }
        }
        // Contradictory only through many patterns at once: never "satisfiable".
        let short =
            Variable { grammar: Grammar { length: (0, 3), ..Grammar::any() }, ..name.clone() };
        let cramped = Residual::all(globs.iter().map(|glob| like(&short, glob)));
        assert!(!matches!(solve(&cramped, limits), Solution::Satisfiable(_)));
    }
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

// ---- random residuals -------------------------------------------------------------------------

struct Random(u64);

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
fn cast() -> Vec<Variable> {
    let letters = [('a', 'b')];
    vec![
        variable("$name", VariableKind::Chosen, &letters, (1, 2)),
        variable("$other", VariableKind::Chosen, &[(':', ':'), ('a', 'a')], (0, 2)),
        variable("t:key", VariableKind::Environment, &letters, (0, 2)),
        variable("aws:requesttag/k", VariableKind::Chosen, &letters, (0, 2)),
        Variable {
            multivalued: true,
            ..variable("aws:TagKeys", VariableKind::Chosen, &letters, (0, 2))
        },
        Variable {
            multivalued: true,
            ..variable("t:many", VariableKind::Environment, &letters, (1, 2))
        },
        key("s3:max-keys"),
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
        "s3:max-keys" | "aws:MultiFactorAuthAge" => {
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

fn random_residual(random: &mut Random, variables: &[Variable], depth: usize) -> Residual {
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
        "s3:max-keys" => one(&["-1", "0", "1", "1.5", "2", "2.5", "3", "4", "x"]),
        "aws:MultiFactorAuthAge" => one(&["0", "1", "1.5", "2", "2.5", "3", "4"]),
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

#[test]
fn solutions_agree_with_enumeration() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let solver = Solver::default();
    let (mut satisfiable, mut unsatisfiable) = (0, 0);
    while satisfiable + unsatisfiable < 24_000 {
        let formula = random_problem(&mut random);
        if matches!(formula, Residual::True | Residual::False) || !small(&formula) {
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
    assert!(unsatisfiable > 2_000, "{satisfiable} {unsatisfiable}");
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
fn random_hard(random: &mut Random) -> Residual {
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

// ---- Z3's own strings -------------------------------------------------------------------------

mod strings {
    use z3::ast::{Bool, Regexp, String as Text};
    use z3::{Params, SatResult};

    use super::*;

    fn any_character() -> Regexp {
        Regexp::range(&'a', &'b')
    }

    fn expression(pattern: &Pattern) -> Regexp {
        // Two at least: 4.8.12 complains about a concatenation of one.
        let mut parts = vec![Regexp::literal(""), Regexp::literal("")];
        for token in pattern.tokens() {
            parts.push(match token {
                Token::Literal(c) => Regexp::literal(&c.to_string()),
                Token::AnyCharacter | Token::AnyCharacterInSegment => any_character(),
                Token::AnyRun | Token::AnyRunInSegment => any_character().star(),
            });
        }
        Regexp::concat(&parts.iter().collect::<Vec<_>>())
    }

    fn term(formula: &Residual) -> Bool {
        match formula {
            Residual::Atom(atom) => match &**atom {
                Atom::Present(variable) => Bool::new_const(format!("has {}", variable.name)),
                Atom::Passes(variable, Test::Like(pattern)) => {
                    let has = Bool::new_const(format!("has {}", variable.name));
                    let text = Text::new_const(format!("text {}", variable.name));
                    Bool::and(&[has, text.regex_matches(&expression(pattern))])
                }
                other => panic!("{other:?}"),
            },
            Residual::Not(inner) => term(inner).not(),
            Residual::All(members) => Bool::and(&members.iter().map(term).collect::<Vec<_>>()),
            Residual::Any(members) => Bool::or(&members.iter().map(term).collect::<Vec<_>>()),
            constant => Bool::from_bool(constant.is_true()),
        }
    }

    #[test]
    fn atoms_with_an_automaton_agree_with_z3_strings() {
        let mut random = Random(0x51a7_57a7_e51a_7e57);
        let cast = cast();
        let variables = [cast[0].clone(), cast[2].clone(), cast[3].clone()];
        let (mut satisfiable, mut unsatisfiable) = (0, 0);
        for _ in 0..400 {
            let formula = random_residual(&mut random, &variables, 2);
            let solver = z3::Solver::new();
            let mut params = Params::new();
            params.set_u32("rlimit", 2_000_000);
            solver.set_params(&params);
            for variable in formula.variables() {
                let text = Text::new_const(format!("text {}", variable.name));
                let (low, high) = variable.grammar.length;
                let all = Regexp::r#loop(&any_character(), u32::from(low), u32::from(high));
                solver.assert(text.regex_matches(&all));
                let asked = formula
                    .atoms()
                    .iter()
                    .any(|atom| matches!(&**atom, Atom::Present(asked) if *asked == variable));
                if !asked {
                    solver.assert(Bool::new_const(format!("has {}", variable.name)));
                }
            }
            solver.assert(term(&formula));
            match (solver.check(), solve(&formula, Limits::default())) {
                (SatResult::Unknown, _) => {}
                (SatResult::Sat, Solution::Satisfiable(_)) => satisfiable += 1,
                (SatResult::Unsat, Solution::Unsatisfiable) => unsatisfiable += 1,
                (strings, atoms) => panic!("{strings:?} {atoms:?} {formula:?}"),
            }
        }
        println!("{satisfiable} {unsatisfiable}");
        assert!(satisfiable + unsatisfiable > 100, "{satisfiable} {unsatisfiable}");
    }
}
