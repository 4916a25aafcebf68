//! Z3's own strings as an oracle. Slow, and often without an answer: only small problems.

use z3::ast::{Bool, Regexp, String as Text};
use z3::{Params, SatResult};

use super::worlds::{Random, cast, random_residual};
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
