//! The targets without a fuzzer: every seed as it is, and with bytes changed as a small generator
//! says, the same on every machine.

use std::fs;
use std::path::Path;

use escalade_fuzz::{document, evaluation, snapshot};

/// Tries the seeds of a target, each as it is and then changed `times` times.
fn check(target: &str, times: u64, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let mut seeds: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    seeds.sort();
    assert!(!seeds.is_empty());
    for path in seeds {
        let seed = fs::read(&path).unwrap();
        run(&seed);
        for round in 0..times {
            run(&changed(&seed, round));
        }
    }
}

/// The seed with up to four bytes replaced, inserted or removed.
fn changed(seed: &[u8], round: u64) -> Vec<u8> {
    let mut state = round.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed.len() as u64;
    let mut next = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below.max(1)
    };
    const PIECES: [&[u8]; 12] =
        [b"\"", b"{", b"}", b"[", b"]", b",", b"*", b"${", b"\\u0000", b"null", b"-1", b"arn:aws:"];
    let mut bytes = seed.to_vec();
    for _ in 0..1 + next(4) {
        let at = next(bytes.len());
        match next(3) {
            0 => bytes[at] = u8::try_from(next(256)).unwrap(),
            1 => drop(bytes.splice(at..at, PIECES[next(PIECES.len())].iter().copied())),
            _ => drop(bytes.drain(at..(at + 1 + next(8)).min(bytes.len()))),
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

#[test]
fn documents_are_read_or_refused() {
    check("document", 3000, document::run);
}

#[test]
fn cases_are_decided_or_refused() {
    check("evaluation", 1000, evaluation::run);
}

#[test]
fn snapshots_are_loaded_or_refused() {
    check("snapshot", 40, snapshot::run);
}
