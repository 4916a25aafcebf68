//! The files of a snapshot folder: found in one walk, looked up by AWS CLI command.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use percent_encoding::percent_decode_str;

use super::error::SnapshotError;
use super::tree::{EntryKind, Tree};
use crate::residual::Gap;

/// Deepest folder below a Region's: an OpenSearch domain's REST paths are the deepest that the
/// contract has.
const DEEPEST: usize = 12;

/// How much of a snapshot has been read so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Files read.
    pub files: u64,
    /// Bytes read.
    pub bytes: u64,
}

/// Reads files and counts what it read.
pub(super) struct Reader<'a> {
    pub(super) tree: Tree<'a>,
    progress: Option<&'a (dyn Fn(Progress) + Sync)>,
    files: AtomicU64,
    bytes: AtomicU64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(tree: Tree<'a>, progress: Option<&'a (dyn Fn(Progress) + Sync)>) -> Self {
        Self { tree, progress, files: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    /// The text of a file, without a byte order mark.
    pub(super) fn read(&self, path: &Path) -> Result<String, SnapshotError> {
        let failed = |source| SnapshotError::Read { file: path.to_owned(), source };
        let mut text = self.tree.read(path).map_err(failed)?;
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        let files = self.files.fetch_add(1, Ordering::Relaxed) + 1;
        let length = text.len() as u64;
        let bytes = self.bytes.fetch_add(length, Ordering::Relaxed) + length;
        if let Some(progress) = self.progress {
            progress(Progress { files, bytes });
        }
        Ok(text)
    }
}

/// A file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    /// Where it is.
    pub(super) path: PathBuf,
    /// Its place in the snapshot, for people: control characters escaped.
    pub(super) shown: Arc<str>,
}

/// The response files of one Region (or `global`, or `organization`).
///
/// Keys are commands: `lambda/list-functions`, or with the argument decoded
/// `s3api/get-bucket-policy/my bucket`.
#[derive(Debug, Default)]
pub(super) struct Responses {
    files: BTreeMap<String, File>,
}

impl Responses {
    /// Finds the files below `folder`, which people know as `shown`. What cannot be used is said in
    /// `gaps`; a folder that cannot be read at all is an error.
    pub(super) fn find(
        tree: Tree<'_>,
        folder: &Path,
        shown: &str,
        gaps: &mut Vec<Gap>,
    ) -> Result<Self, SnapshotError> {
        let mut files = BTreeMap::new();
        let mut rest = vec![(folder.to_owned(), String::new(), shown.to_owned(), 0)];
        while let Some((folder, command, shown, depth)) = rest.pop() {
            for entry in tree.entries(&folder)? {
                let name = entry.name;
                let Some(name) = name.to_str() else {
                    gaps.push(gap(format!("{shown}: {name:?} is no text and was not read")));
                    continue;
                };
                let here = format!("{shown}/{}", name.escape_debug());
                let join = |part: &str| {
                    let part = percent_decode_str(part).decode_utf8_lossy();
                    if command.is_empty() { part.into_owned() } else { format!("{command}/{part}") }
                };
                if entry.kind.is_folder() {
                    if depth < DEEPEST {
                        rest.push((entry.path, join(name), here, depth + 1));
                    } else {
                        gaps.push(gap(format!("{here}: too deep, not read")));
                    }
                } else if let Some(stem) = name.strip_suffix(".json") {
                    // A link to a file is followed; one to a folder could lead in circles.
                    if !tree.is_file(&entry.path) {
                        gaps.push(gap(format!("{here}: not a file, not read")));
                        continue;
                    }
                    let command = join(stem);
                    let file = File { path: entry.path, shown: here.clone().into() };
                    if files.insert(command, file).is_some() {
                        gaps.push(gap(format!("{here}: another file has the same argument")));
                    }
                } else if entry.kind == EntryKind::Link {
                    gaps.push(gap(format!("{here}: a link, not followed")));
                }
            }
        }
        Ok(Self { files })
    }

    /// The response to a command.
    pub(super) fn get(&self, command: &str) -> Option<&File> {
        self.files.get(command)
    }

    /// Takes files of others that are wanted, for commands to which there is no response here.
    pub(super) fn take(&mut self, others: &mut Self, wanted: impl Fn(&File) -> bool) {
        for (command, file) in std::mem::take(&mut others.files) {
            let into = match !self.files.contains_key(&command) && wanted(&file) {
                true => &mut self.files,
                false => &mut others.files,
            };
            into.insert(command, file);
        }
    }

    /// Every response to commands that start so, by the rest of the command.
    pub(super) fn starting<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a File)> {
        self.files
            .range(prefix.to_owned()..)
            .map_while(move |(command, file)| Some((command.strip_prefix(prefix)?, file)))
    }
}

/// A gap that says this.
pub(super) fn gap(text: impl Into<Arc<str>>) -> Gap {
    Gap(text.into())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{}").unwrap();
        }
        folder
    }

    fn find(files: &[&str]) -> (Responses, Vec<Gap>) {
        let folder = folder(files);
        let mut gaps = Vec::new();
        (Responses::find(Tree::Disk, folder.path(), "s", &mut gaps).unwrap(), gaps)
    }

    #[test]
    fn an_argument_is_decoded() {
        let (responses, gaps) = find(&["ssm/get-parameter/%2Fa%2Fb%20c.json", "ssm/list.json"]);
        assert!(responses.get("ssm/get-parameter//a/b c").is_some());
        assert!(responses.get("ssm/list").is_some());
        assert!(gaps.is_empty());
    }

    #[test]
    fn two_spellings_of_one_argument_are_reported() {
        let (_, gaps) = find(&["a/b/c.json", "a/b/%63.json"]);
        assert_eq!(gaps.len(), 1);
    }

    #[test]
    fn arguments_are_found_by_their_beginning() {
        let (responses, _) = find(&["a/b/x.json", "a/b/y.json", "a/bc/z.json"]);
        let found: Vec<&str> = responses.starting("a/b/").map(|(rest, _)| rest).collect();
        assert_eq!(found, ["x", "y"]);
    }

    #[test]
    fn control_characters_of_file_names_are_escaped() {
        let (responses, _) = find(&["a/b\u{1b}c.json"]);
        assert_eq!(&*responses.get("a/b\u{1b}c").unwrap().shown, "s/a/b\\u{1b}c.json");
    }

    #[cfg(unix)]
    #[test]
    fn a_linked_folder_is_not_followed() {
        let folder = folder(&["a/b.json"]);
        std::os::unix::fs::symlink(folder.path(), folder.path().join("a/loop")).unwrap();
        let mut gaps = Vec::new();
        Responses::find(Tree::Disk, folder.path(), "s", &mut gaps).unwrap();
        assert_eq!(gaps, [gap("s/a/loop: a link, not followed")]);
    }
}
