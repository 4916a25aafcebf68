//! What is measured: the engine's load and audit, behind two functions, so that the benchmarks
//! name the engine's interface in one place only.

use std::path::Path;

use escalade_engine::snapshot::World;

/// Loads a snapshot folder.
///
/// `None` as long as the engine has no loader: the benchmarks then measure the parse floor alone.
pub fn load(_folder: &Path) -> Option<World> {
    // Fill in: the engine's loader, with the built-in resource tables.
    None
}

/// Audits a world for every start at once and returns the number of findings.
pub fn audit(_world: &World) -> usize {
    // Fill in: the engine's audit, with the built-in catalogue.
    0
}
