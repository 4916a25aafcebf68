//! What an edit or a change of a snapshot is about, and where that is written.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

/// What an edit or a change of a snapshot is about, and where that is written. Reports have its
/// members among their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Location {
    /// Whose policy, membership, attachment, tag or setting it is: an ARN, or a name where there is
    /// none. Of a managed policy's statement the policy's; of a control policy that is added the
    /// account's in its organization.
    pub of: Option<Arc<str>>,
    /// The policy that a statement is in, or the one that is added.
    pub policy: Option<Arc<str>>,
    /// The statement's position in the policy, from 0: in the new one, or in the old one if it is
    /// gone.
    pub statement: Option<usize>,
    /// The statement's Sid, if it has one.
    pub sid: Option<Arc<str>>,
    /// What is attached, joined or set, or is so no longer: a policy's ARN, a group, a tag's key, a
    /// member's name, a principal that is trusted.
    pub what: Option<Arc<str>>,
    /// The file, below the snapshot's folder; empty if that is a single file.
    pub file: Arc<str>,
    /// JSON pointer into that file; into the old one of what is gone.
    pub at: Arc<str>,
}
