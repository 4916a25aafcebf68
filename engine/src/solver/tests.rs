//! The solver against slow, obvious twins: enumeration of small worlds, and Z3's own strings.

mod speed;
mod strings;
mod worlds;

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
        grammar: Grammar::new(alphabet, length),
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
    // Of a key that the table does not know this is only a likely value.
    let encrypted = key("ec2:Encrypted");
    let truth = |text| passes(&encrypted, Test::Like(Pattern::literal(text, true)));
    check(&truth("true").negate(), "ec2:Encrypted=false");
    check(&truth("true").negate().and(truth("false").negate()), "ec2:Encrypted=escalade");
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
    let either = within(&address, "10.0.0.0/8").or(within(&address, "192.168.0.0/16"));
    assert_eq!(
        assumed(&present(&address).and(either)),
        r#"[{"kind":"context","key":"aws:SourceIp","operator":"IpAddress","values":["10.0.0.0/8","192.168.0.0/16"]}]"#
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
