//! A run that is killed leaves what was there, or the whole of what it wrote: never half of it.
#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// Milliseconds after which runs are killed: before, while and after the answer is written.
const AFTER: [u64; 12] = [0, 2, 5, 10, 20, 40, 60, 80, 120, 200, 400, 900];

fn demo() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "corpus", "demo", "snapshot"].iter().collect()
}

/// Whether a text is a whole answer.
fn is_whole(format: &str, text: &str) -> bool {
    match format {
        "json" => serde_json::from_str::<Value>(text).is_ok(),
        "jsonl" => {
            text.ends_with('\n')
                && text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok())
        }
        _ => text.trim_end().ends_with("</html>"),
    }
}

fn check(format: &str, before: Option<&str>) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("answer");
    let mut whole = Vec::new();
    for after in AFTER {
        match before {
            Some(text) => fs::write(&file, text).unwrap(),
            None => drop(fs::remove_file(&file)),
        }
        let mut run = Command::new(env!("CARGO_BIN_EXE_escalade"))
            .arg("audit")
            .arg(demo())
            .args(["--format", format, "--output"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(after));
        // It may have ended by itself.
        drop(run.kill());
        run.wait().unwrap();
        let left = fs::read_to_string(&file).ok();
        if left.as_deref() != before {
            let left = left.unwrap();
            assert!(is_whole(format, &left), "killed after {after} ms: {left}");
            whole.push(left);
        }
    }
    whole.dedup();
    assert!(whole.len() <= 1, "answers differ");
}

#[test]
fn nothing_is_left_where_nothing_was() {
    for format in ["json", "jsonl", "html"] {
        check(format, None);
    }
}

#[test]
fn what_was_there_stays_until_all_is_written() {
    check("json", Some("what was there\n"));
}
