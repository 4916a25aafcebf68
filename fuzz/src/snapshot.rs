//! Snapshots: a folder of responses to a world.
//!
//! The input is a folder in one text: `### PATH`, a line break, the file's content, and so on.

use std::fs;
use std::path::{Component, Path};

use escalade_engine::snapshot::{LoadOptions, World};

/// Writes the files to a temporary folder and loads it, once with and once without going on.
pub fn run(data: &[u8]) {
    let Ok(folder) = tempfile::tempdir_in(scratch()) else { return };
    if !unpack(data, folder.path()) {
        return;
    }
    let load = |keep_going| {
        World::load(folder.path(), &LoadOptions { keep_going, ..LoadOptions::default() })
    };
    let kept = load(true);
    // What loads without a word of complaint loads when complaints are let pass.
    assert!(load(false).is_err() || kept.is_ok());
    let Ok(world) = kept else { return };
    for (at, object) in world.objects.iter().enumerate() {
        assert_eq!(world.find(&object.arn).map(|id| id.0 as usize), Some(at), "{}", object.arn);
    }
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
