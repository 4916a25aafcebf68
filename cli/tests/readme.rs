//! README.md stays true: every output it shows is what the command prints today.
//!
//! An output is a fenced block right after a comment `<!-- output: escalade ... -->`, run from the
//! workspace's folder. A session is one after a comment `<!-- session: FOLDER -->`: each of its lines
//! that begin with `$ ` is run, in order, in a copy of that folder, and what is printed stands below
//! it. With `UPDATE_README=1` in the environment, the blocks are written anew.
#![allow(clippy::unwrap_used, reason = "the functions around the test are tests as well")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Standard output of a command line of README.md, and its exit status.
fn output(line: &str, folder: &Path) -> (String, Option<i32>) {
    let mut words = line.split_whitespace();
    assert_eq!(words.next(), Some("escalade"), "not a command of ours: {line}");
    let output = Command::new(env!("CARGO_BIN_EXE_escalade"))
        .args(words)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.stderr.is_empty(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

/// What the block after a marker holds today.
///
/// - `old`: what it holds in the file.
fn block(kind: &str, argument: &str, old: &str) -> String {
    if kind == "session" {
        return session(argument, old);
    }
    let (said, status) = output(argument, &workspace());
    assert_eq!(status, Some(0), "{argument}: {said}");
    said
}

fn session(folder: &str, old: &str) -> String {
    let copy = tempfile::tempdir().unwrap();
    copied(&workspace().join(folder), copy.path());
    let mut new = String::new();
    for line in old.lines() {
        let Some(command) = line.strip_prefix("$ ") else { continue };
        let (said, status) = output(command, copy.path());
        // A gate may fail; but what is asked must be a question.
        assert!(matches!(status, Some(0 | 1)), "{line}: {said}");
        new.extend([line, "\n", said.as_str()]);
    }
    new
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, to) = entry.map(|entry| (entry.path(), to.join(entry.file_name()))).unwrap();
        if path.is_dir() {
            copied(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

/// `text` with every block after a marker replaced by what `run` makes of the marker's kind, its
/// argument and the block; and how many there are.
fn renewed(text: &str, run: impl Fn(&str, &str, &str) -> String) -> (String, usize) {
    let (mut renewed, mut count) = (String::new(), 0);
    let mut lines = text.split_inclusive('\n');
    while let Some(line) = lines.next() {
        renewed.push_str(line);
        let marker = line.trim_end().strip_prefix("<!-- ");
        let marker = marker.and_then(|rest| rest.strip_suffix(" -->")?.split_once(": "));
        let Some((kind @ ("output" | "session"), argument)) = marker else { continue };
        let fence = lines.next().unwrap_or_default();
        assert!(fence.starts_with("```"), "no fenced block after the marker of {argument}");
        renewed.push_str(fence);
        let mut old = String::new();
        let end = lines.find(|line| {
            let ends = line.starts_with("```");
            if !ends {
                old.push_str(line);
            }
            ends
        });
        renewed.push_str(run(kind, argument, &old).trim_end());
        renewed.push('\n');
        renewed.push_str(end.unwrap());
        count += 1;
    }
    (renewed, count)
}

#[test]
fn the_outputs_in_the_readme_are_real() {
    let path = workspace().join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (renewed, count) = renewed(&readme, block);
    assert!(count > 0, "README.md shows no output");
    if env::var_os("UPDATE_README").is_some() {
        fs::write(&path, renewed).unwrap();
    } else {
        assert_eq!(readme, renewed, "run the test with UPDATE_README=1 to write the outputs anew");
    }
}

#[test]
fn only_the_block_after_a_marker_is_an_output() {
    let text = "a\n<!-- output: escalade x -->\n```text\nold\n```\n```text\nkept\n```\n";
    let run =
        |kind: &str, argument: &str, old: &str| format!("<{kind} {argument} {}>\n\n", old.trim());
    let (renewed, count) = renewed(text, run);
    assert_eq!(renewed, text.replace("old", "<output escalade x old>"));
    assert_eq!(count, 1);
}

/// The story of a pull request is told in about ten lines.
#[test]
fn the_session_is_short() {
    let readme = fs::read_to_string(workspace().join("README.md")).unwrap();
    let lines = std::cell::Cell::new(0);
    renewed(&readme, |kind, _, old| {
        if kind == "session" {
            lines.set(lines.get() + old.lines().count());
        }
        old.to_owned()
    });
    assert!((8..=12).contains(&lines.get()), "{}", lines.get());
}
