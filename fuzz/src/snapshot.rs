//! Snapshots: a folder of responses to a world.
//!
//! The input is a folder in one text: `### PATH`, a line break, the file's content, and so on.

use std::fs;
use std::path::{Component, Path};
use std::sync::OnceLock;

use escalade_engine::analysis::Models;
use escalade_engine::simulation::{Asked, Simulator, Verdict};
use escalade_engine::snapshot::{LoadOptions, World};
use escalade_models::{Catalogue, ContextKeys, ResourceKinds};

/// Writes the files to a temporary folder and loads it, going on where something is wrong or, for
/// every other input, not. Then a request is simulated in what was loaded.
pub fn run(data: &[u8]) {
    let Ok(folder) = tempfile::tempdir_in(scratch()) else { return };
    if !unpack(data, folder.path()) {
        return;
    }
    let options = LoadOptions { keep_going: data.len() % 2 == 0, ..LoadOptions::default() };
    let Ok(world) = World::load(folder.path(), &options) else { return };
    for (at, object) in world.objects.iter().enumerate() {
        assert_eq!(world.find(&object.arn).map(|id| id.0 as usize), Some(at), "{}", object.arn);
    }
    if let Some(models) = models() {
        simulate(&world, models);
    }
}

/// Every principal assumes the last role, and the last one reads an object.
fn simulate(world: &World, models: &Models) {
    let Ok(simulator) = Simulator::new(world, models) else { return };
    let arn = |kind: &str| {
        world
            .of_kind(kind)
            .last()
            .and_then(|id| world.object(*id))
            .map(|found| found.arn.to_string())
    };
    let principal = arn("iam:user").or_else(|| arn("iam:role"));
    let Some(principal) = principal else { return };
    let object = arn("s3:bucket").map_or("arn:aws:s3:::b/k".to_owned(), |arn| format!("{arn}/k"));
    for (action, resource) in [
        ("iam:PassRole", arn("iam:role")),
        ("sts:AssumeRole", arn("iam:role")),
        ("s3:GetObject", Some(object)),
    ] {
        let Some(resource) = resource else { continue };
        let (principal, action) = (principal.clone(), action.to_owned());
        let asked = Asked { principal, action, resource, ..Asked::default() };
        if let Ok(answer) = simulator.decide(&asked) {
            let conditional = answer.verdict == Verdict::AllowedUnderAssumptions;
            assert_eq!(conditional, !answer.allowed_if.is_empty());
        }
    }
}

fn models() -> Option<&'static Models> {
    static MODELS: OnceLock<Option<Models>> = OnceLock::new();
    MODELS.get_or_init(|| Models::builtin().ok()).as_ref()
}

/// Memory if there is such a folder: the files live for a moment only.
fn scratch() -> &'static Path {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory } else { Path::new("/tmp") }
}

/// Writes the files; `false` if there is none. A path that leaves the folder is passed over.
fn unpack(data: &[u8], folder: &Path) -> bool {
    let mut some = false;
    let text = String::from_utf8_lossy(data);
    for part in text.split("### ").skip(1) {
        let (name, content) = part.split_once('\n').unwrap_or((part, ""));
        let path = Path::new(name);
        let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
        if name.is_empty() || name.len() > 200 || name.contains('\0') || !inside {
            continue;
        }
        let place = folder.join(path);
        if let Some(parent) = place.parent() {
            let _ = fs::create_dir_all(parent);
        }
        some |= fs::write(place, content).is_ok();
    }
    some
}
