//! What is measured: the engine's load and audit, behind two functions, so that the engine's
//! interface is named in one place only.

use std::path::Path;

use escalade_engine::analysis::{self, Models, Options, QuestionError};
use escalade_engine::answer::Audit;
use escalade_engine::snapshot::{LoadOptions, SnapshotError, World};
use escalade_models::{Catalogue, ContextKeys, ResourceKinds};

/// The facts about AWS that come with the program, read once.
#[derive(Debug)]
pub struct Facts {
    catalogue: Catalogue,
    keys: ContextKeys,
    kinds: ResourceKinds,
}

impl Facts {
    /// Those that come with the program.
    ///
    /// # Errors
    ///
    /// When a table or technique of the program's own cannot be used.
    pub fn builtin() -> Result<Self, Box<dyn std::error::Error>> {
        Ok(Self {
            catalogue: Catalogue::builtin()?,
            keys: ContextKeys::builtin()?,
            kinds: ResourceKinds::builtin()?,
        })
    }
}

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
pub fn audit(world: &World, facts: &Facts) -> Result<Audit, QuestionError> {
    audit_to(world, facts, "admin")
}

/// Answers for every user and role at once whether it reaches a goal, as `escalade reach --to` takes
/// it.
///
/// # Errors
///
/// When the goal is about something that is not there, or the catalogue has a technique that cannot
/// be used.
pub fn audit_to(world: &World, facts: &Facts, goal: &str) -> Result<Audit, QuestionError> {
    let models = Models { catalogue: &facts.catalogue, keys: &facts.keys, kinds: &facts.kinds };
    let options = Options { goal: goal.into(), ..Options::default() };
    analysis::audit(world, models, &options)
}
