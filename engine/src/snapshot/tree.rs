//! Where a snapshot's files are: on disk, or held in memory so that changes can be tried on them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::SnapshotError;

/// The deepest folder that is looked into when a snapshot is taken into memory.
const DEEPEST: usize = 24;

/// The JSON files of a snapshot, held in memory.
///
/// Made by [`SnapshotFiles::read`]; [`super::World::of_files`] loads it exactly as
/// [`super::World::load`] loads what is on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotFiles {
    root: PathBuf,
    /// By place below the root, with `/`; of a snapshot that is one file, by the empty text.
    files: BTreeMap<String, Arc<str>>,
    /// Folders below the root, likewise: that a Region's folder is there says something.
    folders: BTreeSet<String>,
}

impl SnapshotFiles {
    /// Reads all JSON files of a snapshot. Fails if it is not there or something cannot be read;
    /// whether it is a snapshot is for loading to say.
    pub fn read(root: &Path) -> Result<Self, SnapshotError> {
        let mut out = Self { root: root.to_owned(), ..Self::default() };
        let read = |path: &Path| {
            fs::read_to_string(path)
                .map_err(|source| SnapshotError::Read { file: path.to_owned(), source })
        };
        if !root.is_dir() {
            out.files.insert(String::new(), read(root)?.into());
            return Ok(out);
        }
        let mut rest: Vec<(PathBuf, String, usize)> = ["accounts", "organization"]
            .iter()
            .map(|name| (root.join(name), (*name).to_owned(), 0))
            .filter(|(path, ..)| path.is_dir())
            .collect();
        while let Some((folder, place, depth)) = rest.pop() {
            for entry in Tree::Disk.entries(&folder)? {
                // What is no text is reported, and not read, when the original is loaded.
                let Some(name) = entry.name.to_str() else { continue };
                let here = format!("{place}/{name}");
                // A link to an account's folder is followed, as loading does; deeper ones are not.
                let folder = if depth < 2 { entry.path.is_dir() } else { entry.kind.is_folder() };
                if folder && depth < DEEPEST {
                    rest.push((entry.path, here, depth + 1));
                } else if name.ends_with(".json") && entry.path.is_file() {
                    out.files.insert(here, read(&entry.path)?.into());
                }
            }
            out.folders.insert(place);
        }
        Ok(out)
    }

    /// Whether it is one file by itself.
    pub fn is_single(&self) -> bool {
        self.files.contains_key("")
    }

    /// Where it was read from.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The files by place, sorted.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Arc<str>)> {
        self.files.iter().map(|(place, text)| (place.as_str(), text))
    }

    /// The text of a file.
    pub fn get(&self, place: &str) -> Option<&Arc<str>> {
        self.files.get(place)
    }

    /// The folders, sorted.
    pub fn folders(&self) -> &BTreeSet<String> {
        &self.folders
    }

    /// Puts a file there, or takes it away.
    pub fn set(&mut self, place: &str, text: Option<Arc<str>>) {
        let Some(text) = text else {
            self.files.remove(place);
            return;
        };
        for (at, _) in place.match_indices('/') {
            self.folders.extend(place.get(..at).map(str::to_owned));
        }
        self.files.insert(place.to_owned(), text);
    }

    /// Makes a folder be there, or not.
    pub fn set_folder(&mut self, place: &str, there: bool) {
        if there {
            self.folders.insert(place.to_owned());
        } else {
            self.folders.remove(place);
        }
    }

    /// The place of a path, if it is below the root.
    fn place(&self, path: &Path) -> Option<String> {
        let below = path.strip_prefix(&self.root).ok()?;
        let parts: Option<Vec<&str>> =
            below.components().map(|part| part.as_os_str().to_str()).collect();
        Some(parts?.join("/"))
    }
}

/// What an entry of a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    Folder,
    File,
    Link,
    Other,
}

impl EntryKind {
    pub(super) fn is_folder(self) -> bool {
        self == Self::Folder
    }
}

/// An entry of a folder.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: OsString,
    pub(super) path: PathBuf,
    pub(super) kind: EntryKind,
}

/// Where files are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tree<'a> {
    Disk,
    Held(&'a SnapshotFiles),
}

impl Tree<'_> {
    /// Whether there is a folder; a link to one counts.
    pub(super) fn is_folder(self, path: &Path) -> bool {
        match self {
            Self::Disk => path.is_dir(),
            Self::Held(held) => held.place(path).is_some_and(|place| match place.as_str() {
                "" => !held.is_single(),
                place => held.folders.contains(place),
            }),
        }
    }

    /// Whether there is a file; a link to one counts.
    pub(super) fn is_file(self, path: &Path) -> bool {
        match self {
            Self::Disk => path.is_file(),
            Self::Held(held) => {
                held.place(path).is_some_and(|place| held.files.contains_key(&place))
            }
        }
    }

    /// The text of a file.
    pub(super) fn read(self, path: &Path) -> io::Result<String> {
        match self {
            Self::Disk => fs::read_to_string(path),
            Self::Held(held) => held
                .place(path)
                .and_then(|place| held.files.get(&place))
                .map(|text| text.to_string())
                .ok_or_else(|| io::ErrorKind::NotFound.into()),
        }
    }

    /// The entries of a folder, sorted by name.
    pub(super) fn entries(self, folder: &Path) -> Result<Vec<Entry>, SnapshotError> {
        let failed = |source| SnapshotError::Read { file: folder.to_owned(), source };
        let mut out: Vec<Entry> = match self {
            Self::Disk => fs::read_dir(folder)
                .map_err(failed)?
                .map(|entry| {
                    let entry = entry?;
                    let kind = entry.file_type()?;
                    let kind = if kind.is_dir() {
                        EntryKind::Folder
                    } else if kind.is_file() {
                        EntryKind::File
                    } else if kind.is_symlink() {
                        EntryKind::Link
                    } else {
                        EntryKind::Other
                    };
                    Ok(Entry { name: entry.file_name(), path: entry.path(), kind })
                })
                .collect::<io::Result<_>>()
                .map_err(failed)?,
            Self::Held(held) => {
                let place = held.place(folder).ok_or_else(|| failed(not_found()))?;
                let prefix = if place.is_empty() { place } else { format!("{place}/") };
                let within = |whole: &str| {
                    let name = whole.strip_prefix(&prefix)?;
                    (!name.is_empty() && !name.contains('/')).then(|| name.to_owned())
                };
                let entry = |name: String, kind| Entry {
                    path: folder.join(&name),
                    name: name.into(),
                    kind,
                };
                let folders = held.folders.range(prefix.clone()..);
                let files = held.files.range(prefix.clone()..);
                folders
                    .take_while(|place| place.starts_with(&prefix))
                    .filter_map(|place| Some(entry(within(place)?, EntryKind::Folder)))
                    .chain(
                        files
                            .take_while(|(place, _)| place.starts_with(&prefix))
                            .filter_map(|(place, _)| Some(entry(within(place)?, EntryKind::File))),
                    )
                    .collect()
            }
        };
        out.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(out)
    }
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}
