//! A whole audit beside the parse floor: serde_json reading the same bytes.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run has nothing better to do")]

use std::hint::black_box;
use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use escalade_benches::parse_floor::{self, Documents};
use escalade_benches::{Account, Models, Shape, audit, load};

const SEED: u64 = 1;

/// One account of three sizes; what grows faster than the parse floor grows too fast.
fn account(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("account");
    group.sample_size(10);
    for principals in [100, 1_000, 10_000] {
        side_by_side(&mut group, "", principals, Shape::Realistic);
        group.bench_function(BenchmarkId::new("generate", principals), |bencher| {
            bencher.iter(|| black_box(Account::new(SEED, principals)));
        });
    }
    group.finish();
}

/// Every role may assume every role: edges have to be sets.
fn every_role_assumes_every_role(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("every-role");
    group.sample_size(10);
    side_by_side(&mut group, "", 5_000, Shape::EveryRoleAssumesEveryRole);
    side_by_side(&mut group, "-in-vain", 5_000, Shape::EveryRoleAssumesEveryRoleInVain);
    group.finish();
}

fn side_by_side(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    suffix: &str,
    principals: usize,
    shape: Shape,
) {
    let account = Account::with_shape(SEED, principals, shape);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{shape:?}-{principals}"));
    account.write_to(&folder).expect("the snapshot can be written");
    group.throughput(Throughput::Elements(account.principals() as u64));
    let id = |name: &str| BenchmarkId::new(format!("{name}{suffix}"), principals);
    for (name, documents) in
        [("parse-floor", Documents::Raw), ("parse-floor-and-documents", Documents::Typed)]
    {
        group.bench_function(id(name), |bencher| {
            bencher.iter(|| {
                parse_floor::parse(black_box(account.files()), documents).expect("snapshots parse")
            });
        });
    }
    let models = Models::builtin().expect("the program's own facts can be used");
    let world = load(&folder).expect("the snapshot loads");
    group.bench_function(id("load"), |bencher| bencher.iter(|| load(black_box(&folder))));
    group.bench_function(id("fixpoint"), |bencher| {
        bencher.iter(|| audit(black_box(&world), &models))
    });
    group.bench_function(id("audit"), |bencher| {
        bencher.iter(|| load(black_box(&folder)).map(|world| audit(&world, &models)));
    });
}

criterion_group!(benches, account, every_role_assumes_every_role);
criterion_main!(benches);
