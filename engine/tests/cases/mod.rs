//! The cases of the corpus, as several tests ask them.

#![allow(dead_code, reason = "no test uses everything")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use escalade_engine::analysis::Options;
use escalade_engine::answer::Verdict;
use serde::Deserialize;

/// A question of a case's `questions.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// The start.
    pub(crate) from: String,
    /// The goal.
    pub(crate) to: Arc<str>,
    /// The verdict that is right.
    pub(crate) expect: Verdict,
    #[serde(default)]
    pub(crate) via: Vec<Arc<str>>,
    #[serde(default)]
    pub(crate) avoid: Vec<Arc<str>>,
    #[serde(default)]
    pub(crate) assume: BTreeMap<Arc<str>, Option<Arc<str>>>,
    /// The techniques that the witness has to use.
    #[serde(default)]
    pub(crate) techniques: Vec<String>,
    /// The techniques that this question shows closed, where its twin is in the same file.
    #[serde(default)]
    pub(crate) closes: Vec<String>,
}

impl Asked {
    /// What is asked, as options.
    pub(crate) fn options(&self) -> Options {
        Options {
            goal: self.to.clone(),
            via: self.via.clone(),
            avoid: self.avoid.clone(),
            assume: self.assume.clone(),
            ..Options::default()
        }
    }
}

/// The folder of the corpus.
pub(crate) fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus")
}

/// The folders of its cases that ask something, sorted.
pub(crate) fn cases() -> Vec<PathBuf> {
    let folders = corpus().read_dir().unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> =
        folders.filter(|case| case.join("questions.json").is_file()).collect();
    cases.sort();
    cases
}

/// What a case asks.
pub(crate) fn questions(case: &Path) -> Vec<Asked> {
    let text = std::fs::read_to_string(case.join("questions.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A case's name.
pub(crate) fn name(case: &Path) -> String {
    case.file_name().unwrap().to_string_lossy().into_owned()
}
