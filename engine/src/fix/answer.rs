//! What a fix is asked for, and what comes out.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use super::keep::Keep;
use super::report::EditReport;
#[cfg(doc)]
use crate::analysis::reach;
use crate::analysis::{Options, QuestionError};
use crate::answer::{Answer, AuditQuestion, SCHEMA};
use crate::simulation;
use crate::snapshot::{SnapshotError, SnapshotFiles};

/// Why no fix could be looked for.
#[derive(Debug, thiserror::Error)]
pub enum FixError {
    /// The snapshot, or one with edits made, cannot be loaded.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The question cannot be asked.
    #[error(transparent)]
    Question(#[from] QuestionError),
    /// What must stay is not there.
    #[error("{principal:?} may not call {action} on {resource:?} as it is: it is {verdict}")]
    NotPermitted {
        /// Who.
        principal: Arc<str>,
        /// What.
        action: Arc<str>,
        /// On what.
        resource: Arc<str>,
        /// The verdict on the request.
        verdict: simulation::Verdict,
    },
}

/// What a fix is asked for.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// Whose paths are cut: one start, as [`reach`] takes it, or everybody that an audit finds.
    pub from: Option<&'a str>,
    /// The goal and which paths count.
    pub options: &'a Options,
    /// What must stay.
    pub keep: &'a [Keep],
    /// Whether denies may be added, by permissions boundaries and control policies.
    pub denies: bool,
    /// How many snapshots are tried.
    pub rounds: usize,
}

/// How looking for a fix ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// With the edits made there is no path.
    Fixed,
    /// With the edits made there is no path as far as is known; `unknown` says what is not.
    Undecided,
    /// Edits of these kinds do not do it, within what must stay.
    None,
    /// The limit of rounds was hit.
    Limit,
}

/// A fix.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Fix {
    /// Always [`SCHEMA`].
    #[schemars(extend("const" = SCHEMA))]
    pub schema: &'static str,
    /// The start; left out if everybody's paths are cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Arc<str>>,
    /// The goal and which paths count.
    pub question: AuditQuestion,
    /// What must stay.
    pub keep: Vec<Keep>,
    /// How it ended.
    pub outcome: Outcome,
    /// The edits, the least disruptive first.
    pub edits: Vec<EditReport>,
    /// Whether no smaller set of edits of these kinds cuts the paths and keeps what must stay.
    pub proved_smallest: bool,
    /// Other sets of the same size that do.
    pub alternatives: Vec<Vec<EditReport>>,
    /// How many snapshots were tried.
    pub rounds: usize,
    /// How many paths the edits were chosen by.
    pub paths: usize,
    /// Who could make the call that is the goal by themselves, and cannot any more: only where it
    /// could not be done otherwise. Sorted.
    pub lost: Vec<Arc<str>>,
    /// A path that no edit of these kinds touches, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untouched: Option<Answer>,
    /// What was missing and could change the answer, sorted.
    pub unknown: Vec<Arc<str>>,
}

/// A fix with the snapshot after it.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// What was found.
    pub fix: Fix,
    /// The snapshot with the edits made; the same as before if there are none.
    pub files: SnapshotFiles,
}
