//! README.md stays true: every output it shows is what the command prints today.
//!
//! An output is a fenced block right after a comment `<!-- output: escalade ... -->`, run from the
//! workspace's folder. With `UPDATE_README=1` in the environment, the blocks are written anew.
#![allow(clippy::unwrap_used, reason = "the functions around the test are tests as well")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Standard output of a command line of README.md.
fn output(line: &str) -> String {
    let mut words = line.split_whitespace();
    assert_eq!(words.next(), Some("escalade"), "not a command of ours: {line}");
    let output = Command::new(env!("CARGO_BIN_EXE_escalade"))
        .args(words)
        .current_dir(workspace())
        .output()
        .unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// `text` with every output replaced by what `run` returns, and how many there are.
fn renewed(text: &str, run: impl Fn(&str) -> String) -> (String, usize) {
    let (mut renewed, mut count) = (String::new(), 0);
    let mut lines = text.split_inclusive('\n');
    while let Some(line) = lines.next() {
        renewed.push_str(line);
        let marker = line.trim_end().strip_prefix("<!-- output: ");
        let Some(command) = marker.and_then(|rest| rest.strip_suffix(" -->")) else { continue };
        let fence = lines.next().unwrap_or_default();
        assert!(fence.starts_with("```"), "no fenced block after the output marker of {command}");
        renewed.push_str(fence);
        let end = lines.find(|line| line.starts_with("```"));
        renewed.push_str(run(command).trim_end());
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
    let (renewed, count) = renewed(&readme, output);
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
    let (renewed, count) = renewed(text, |command| format!("<{command}>\n\n"));
    assert_eq!(renewed, text.replace("old", "<escalade x>"));
    assert_eq!(count, 1);
}
