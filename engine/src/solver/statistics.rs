//! How questions were answered, for `--verbose` and benchmarks. Never part of a result: counts
//! depend on which thread asked first.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counters that threads share.
#[derive(Debug, Default)]
pub struct Statistics {
    pub(super) folded: AtomicU64,
    pub(super) remembered: AtomicU64,
    pub(super) cheap: AtomicU64,
    pub(super) solver: AtomicU64,
    pub(super) unknown: AtomicU64,
    pub(super) rounds: AtomicU64,
    pub(super) states: AtomicU64,
    pub(super) nanoseconds: AtomicU64,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Questions that were constants.
    pub folded: u64,
    /// Questions that had been answered before.
    pub remembered: u64,
    /// Questions that a first candidate or propagation settled.
    pub cheap: u64,
    /// Questions that Z3 settled.
    pub solver: u64,
    /// Questions left unknown.
    pub unknown: u64,
    /// Models of Z3 that were checked against the theory of patterns.
    pub rounds: u64,
    /// States the pattern automaton visited.
    pub states: u64,
    /// Time spent on questions that were not constants, of all threads together.
    pub time: Duration,
}

impl Statistics {
    /// The counters now.
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            folded: read(&self.folded),
            remembered: read(&self.remembered),
            cheap: read(&self.cheap),
            solver: read(&self.solver),
            unknown: read(&self.unknown),
            rounds: read(&self.rounds),
            states: read(&self.states),
            time: Duration::from_nanos(read(&self.nanoseconds)),
        }
    }
}

pub(super) fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Ordering::Relaxed);
}
