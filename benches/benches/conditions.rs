//! Residuals of policies made only of conditions: how many different ones are decided in a second.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run has nothing better to do")]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use escalade_benches::policies_of_conditions;
use escalade_engine::authorization::{AnyRequest, InForce, Origin, Permissions};
use escalade_engine::policy::Policy;
use escalade_engine::residual::Residual;
use escalade_engine::solver::Solver;

const SEED: u64 = 1;
const POLICIES: usize = 2_000;

/// What each policy leaves open, once each.
fn residuals() -> Vec<Residual> {
    let spelling = |key: &str| Arc::from(key);
    let policies = policies_of_conditions(SEED, POLICIES);
    let different: BTreeSet<Residual> = policies
        .iter()
        .map(|text| {
            let policy = Policy::parse(text).expect("the policies can be read");
            let in_force =
                InForce { policy: Ok(&policy), name: "policy", origin: Origin::Elsewhere };
            let permissions = Permissions { identity: vec![in_force], boundary: None };
            let mut request = AnyRequest::new(None, &spelling);
            request.note_sets(&permissions);
            request.permitted(&permissions)
        })
        .filter(|residual| !matches!(residual, Residual::True | Residual::False))
        .collect();
    different.into_iter().collect()
}

fn conditions(criterion: &mut Criterion) {
    let residuals = residuals();
    let solver = Solver::default();
    residuals.iter().for_each(|residual| drop(solver.solve(residual)));
    // Not part of any result: how they were decided.
    let counts = solver.statistics();
    let mut group = criterion.benchmark_group(format!(
        "conditions, {} by Z3, {} undecided",
        counts.solver, counts.unknown
    ));
    group.sample_size(10);
    group.throughput(Throughput::Elements(residuals.len() as u64));
    group.bench_function("solve", |bencher| {
        bencher.iter(|| {
            let solver = Solver::default();
            residuals.iter().for_each(|residual| drop(black_box(solver.solve(residual))));
        });
    });
    group.finish();
}

criterion_group!(benches, conditions);
criterion_main!(benches);
