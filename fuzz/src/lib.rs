//! What the fuzz targets do with their input. Each is a function of bytes, so that an input that
//! was found can be tried again without a fuzzer: `tests/inputs.rs` does it with the seeds.

pub mod document;
pub mod evaluation;
pub mod snapshot;
