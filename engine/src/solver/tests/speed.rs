//! Measurements.

use super::worlds::{Random, random_hard};
use super::*;

/// Residuals as common policies leave them.
fn typical() -> Vec<Residual> {
    let (name, address, endpoint) = (name(), key("aws:SourceIp"), key("aws:SourceVpce"));
    let (mfa, age, time) =
        (key("aws:MultiFactorAuthPresent"), key("aws:MultiFactorAuthAge"), key("aws:CurrentTime"));
    let tags = Variable { multivalued: true, ..key("aws:TagKeys") };
    let region = key("aws:RequestedRegion");
    let mut out = Vec::new();
    for at in 0..40 {
        let allowed =
            Residual::any((0..1 + at % 5).map(|n| like(&name, &format!("team{at}-{n}-*"))));
        let denied = Residual::any((0..at % 7).map(|n| like(&name, &format!("*secret{n}*"))));
        let named = allowed.and(denied.negate());
        let range = |n: usize| within(&address, &format!("10.{at}.{n}.0/24"));
        let inside = present(&address).and(Residual::any((0..1 + at % 4).map(range)));
        let not_inside = present(&address).negate().or(Residual::any((0..2).map(range)).negate());
        let hour = passes(&age, Test::Number(Comparison::Less, 3600 * UNIT));
        let until = passes(&time, Test::Date(Comparison::Less, 1_800_000_000_000 + at as i64));
        let through = present(&endpoint).and(like(&endpoint, &format!("vpce-{at}")));
        let team = some(&tags, &["team", &format!("cost-{at}")], true).negate();
        let regions = present(&region).and(like(&region, "eu-*").or(like(&region, "us-east-?")));
        out.extend([
            named.clone(),
            is_true(&mfa).and(named.clone()),
            inside.clone().and(is_true(&mfa)),
            not_inside.clone().and(named.clone()),
            present(&age).and(hour).and(inside.clone().or(through.clone())),
            until.and(named.clone()),
            team.and(present(&tags)).and(named.clone()),
            regions.clone().and(inside.clone().or(is_true(&mfa))),
            through.and(not_inside),
            inside.clone().and(within(&address, "192.168.0.0/16")),
            named.and(like(&name, "other*")),
            Residual::any([inside, is_true(&mfa)]).and(regions.negate().or(is_true(&mfa).negate())),
        ]);
    }
    out
}

/// Run with `cargo test --release -p escalade-engine -- --ignored speed --nocapture`.
#[test]
#[ignore = "measures"]
fn speed_of_typical_residuals() {
    let formulas = typical();
    let limits = Limits::default();
    // Time on the processor, where Linux tells it: other work on the machine does not count.
    let clock = || {
        let ran = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        std::time::Duration::from_nanos(ran.split(' ').next().unwrap().parse().unwrap())
    };
    let time = |what: &str, count: usize, run: &mut dyn FnMut()| {
        run();
        let start = clock();
        for _ in 0..10 {
            run();
        }
        let each = (clock() - start) / u32::try_from(10 * count).unwrap();
        println!("{what}: {each:?} each, {:.0} a second", 1.0 / each.as_secs_f64());
    };
    let count = formulas.len();
    time("solve", count, &mut || formulas.iter().for_each(|f| drop(solve(f, limits))));
    let solver = Solver::default();
    time("remembered", count, &mut || formulas.iter().for_each(|f| drop(solver.solve(f))));
    println!("{:?}", solver.statistics());
    let solved: Vec<(&Residual, Assignment)> = formulas
        .iter()
        .filter_map(|f| match solve(f, limits) {
            Solution::Satisfiable(assignment) => Some((f, assignment)),
            _ => None,
        })
        .collect();
    println!("{} of {count} satisfiable", solved.len());
    time("assumptions", solved.len(), &mut || {
        solved.iter().for_each(|(f, a)| drop(assumptions(f, a, limits)));
    });
    let mut random = Random(0x1234_5678_9abc_def1);
    let hard: Vec<Residual> = (0..200).map(|_| random_hard(&mut random)).collect();
    let statistics = Statistics::default();
    time("hard", hard.len(), &mut || {
        hard.iter().for_each(|f| drop(decide(f, limits, &statistics)))
    });
    println!("{:?}", statistics.counts());
    let name = Variable { grammar: Grammar::any(), ..name() };
    for count in [4, 6, 8, 12, 16] {
        let letter = |n: usize| char::from(b'a' + u8::try_from(n % 26).unwrap());
        let globs = (0..count)
            .map(|n| format!("*{}*{}*{}*", letter(n * 7), letter(n * 3 + 5), letter(n * 11 + 2)));
        let formula = Residual::all(globs.map(|glob| like(&name, &glob)));
        let short =
            Variable { grammar: Grammar { length: (1, 4), ..Grammar::any() }, ..name.clone() };
        let cramped = formula.substitute(&|atom| match atom {
            Atom::Passes(_, test) => Some(passes(&short, test.clone())),
            _ => None,
        });
        for formula in [formula, cramped] {
            let start = clock();
            let answer = show(&formula);
            println!("adversarial {count}: {:?} {answer}", clock() - start);
        }
    }
}
