//! Every unreachable verdict of the corpus has a certificate that the checker accepts, and that it
//! no longer accepts with a fact taken out.

#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

mod cases;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use cases::{Asked, cases, name, questions};
use escalade_engine::analysis::{Models, Options, reach};
use escalade_engine::answer::Verdict;
use escalade_engine::proof::{Certificate, Proof, Rejection};
use escalade_engine::snapshot::{LoadOptions, World};
use rayon::prelude::*;

/// How many facts of one certificate are taken out, one at a time.
const MUTATIONS: usize = 6;

/// How many of the questions are asked unless `ESCALADE_ALL` is set: one in so many.
const SAMPLE: usize = 8;

/// The question as something to prove.
fn proof<'w>(world: &'w World, models: &'w Models, asked: &Asked) -> Proof<'w> {
    Proof::of(world, models, &asked.from, &asked.options()).unwrap()
}

/// What is wrong with the certificate of one question; how many facts were taken out.
fn unreachable(world: &World, models: &Models, asked: &Asked) -> Result<usize, String> {
    let options = asked.options();
    let proof = proof(world, models, asked);
    let certificate = match proof.certify() {
        Ok(certificate) => certificate,
        // There is a path, and it does not use what the question asks for.
        Err(Rejection::Narrowed("--via")) => {
            let plain = Options { via: Vec::new(), ..options };
            let answer = reach(world, models, &asked.from, &plain).unwrap();
            return match answer.verdict {
                Verdict::Unreachable => Err("no certificate".to_owned()),
                _ => Ok(0),
            };
        }
        Err(error) => return Err(error.to_string()),
    };
    // As it is written and read.
    let text = serde_json::to_string(&certificate).unwrap();
    let certificate: Certificate = serde_json::from_str(&text).unwrap();
    proof.verify(&certificate).map_err(|error| format!("not accepted: {error}"))?;
    let count = certificate.facts.len();
    let every = count.div_ceil(MUTATIONS).max(1);
    let mut mutated = 0;
    for at in (0..count).step_by(every) {
        let mut fewer = certificate.clone();
        let gone = fewer.facts.remove(at);
        if proof.verify(&fewer).is_ok() {
            return Err(format!("accepted without {gone:?}"));
        }
        mutated += 1;
    }
    Ok(mutated)
}

/// What is wrong if a goal that is not out of reach has a certificate that it is.
fn reachable(world: &World, models: &Models, asked: &Asked) -> Result<usize, String> {
    let proof = proof(world, models, asked);
    match proof.certify() {
        Ok(_) => Err(format!("{}, and certified to be unreachable", asked.expect)),
        Err(_) => Ok(0),
    }
}

/// Checks questions of the corpus, and returns what is wrong and how often nothing was.
fn every(
    which: impl Fn(Verdict) -> bool + Sync,
    check: impl Fn(&World, &Models, &Asked) -> Result<usize, String> + Sync,
) -> (usize, usize) {
    let models = Models::builtin().unwrap();
    let only = std::env::var("CASE").ok();
    let all = only.is_some() || std::env::var_os("ESCALADE_ALL").is_some();
    let asked: Vec<(PathBuf, Asked)> = cases()
        .into_iter()
        .filter(|case| only.as_ref().is_none_or(|only| name(case) == *only))
        .flat_map(|case| questions(&case).into_iter().map(move |asked| (case.clone(), asked)))
        .filter(|(_, asked)| which(asked.expect))
        .step_by(if all { 1 } else { SAMPLE })
        .collect();
    let (right, counted) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let wrong: Vec<String> = asked
        .par_iter()
        .filter_map(|(case, asked)| {
            let world = World::load(&case.join("snapshot"), &LoadOptions::default()).unwrap();
            let name = name(case);
            match check(&world, &models, asked) {
                Ok(count) => {
                    right.fetch_add(1, Ordering::Relaxed);
                    counted.fetch_add(count, Ordering::Relaxed);
                    None
                }
                Err(error) => Some(format!("{name}: {} to {}: {error}", asked.from, asked.to)),
            }
        })
        .collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    (right.into_inner(), counted.into_inner())
}

#[test]
fn every_unreachable_verdict_has_a_certificate() {
    let (accepted, mutated) = every(|verdict| verdict == Verdict::Unreachable, unreachable);
    println!("{accepted} accepted, {mutated} rejected with a fact taken out");
}

#[test]
fn no_other_verdict_has_one() {
    let (refused, _) = every(|verdict| verdict != Verdict::Unreachable, reachable);
    println!("{refused} refused");
}
