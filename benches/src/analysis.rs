//! What is measured: the engine's load and audit, behind two functions, so that the engine's
//! interface is named in one place only.

use std::path::Path;

pub use escalade_engine::analysis::Models;
use escalade_engine::analysis::{self, Options, QuestionError};
use escalade_engine::answer::Audit;
use escalade_engine::snapshot::{LoadOptions, SnapshotError, World};

/// Loads a snapshot folder.
///
/// # Errors
///
/// When the folder is no snapshot or a file in it cannot be used.
pub fn load(folder: &Path) -> Result<World, SnapshotError> {
    World::load(folder, &LoadOptions { keep_going: false, ..LoadOptions::default() })
}

/// Answers for every user and role at once whether it reaches administrator.
///
/// # Errors
///
/// When the catalogue has a technique that cannot be used.
pub fn audit(world: &World, models: &Models) -> Result<Audit, QuestionError> {
    audit_to(world, models, "admin")
}

/// Answers for every user and role at once whether it reaches a goal, as `escalade reach --to` takes
/// it.
///
/// # Errors
///
/// When the goal is about something that is not there, or the catalogue has a technique that cannot
/// be used.
pub fn audit_to(world: &World, models: &Models, goal: &str) -> Result<Audit, QuestionError> {
    let options = Options { goal: goal.into(), ..Options::default() };
    analysis::audit(world, models, &options)
}
