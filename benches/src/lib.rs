//! Synthetic accounts for benchmarks.
