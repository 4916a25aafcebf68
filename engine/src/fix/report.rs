//! Edits as people read them: what is there, and what is there afterwards.

use std::collections::BTreeSet;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::edits::{Edit, Wording, decoded, edited, holder, made, read, statements};
use super::limits::{Limit, Limited};
use crate::provenance::Location;
use crate::snapshot::SnapshotFiles;

/// What kind of edit it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EditKind {
    /// A statement that passes roles passes only those that lead nowhere.
    NarrowStatement,
    /// A statement of a policy is removed.
    RemoveStatement,
    /// A trust policy no longer names a principal.
    RemoveTrustedPrincipal,
    /// A statement of a trust policy is removed.
    RemoveTrust,
    /// A user leaves a group.
    LeaveGroup,
    /// A managed policy is detached from a user, group or role.
    DetachPolicy,
    /// A user or role gets a permissions boundary that denies something.
    AddBoundary,
    /// A service control policy that denies something is attached to an account.
    AddControlPolicyDeny,
}

/// An edit, with the text before and after it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct EditReport {
    /// What it does.
    pub edit: EditKind,
    /// What it is about.
    #[serde(flatten)]
    pub location: Location,
    /// What is there: a statement, a list of groups or attachments, the policy that is the
    /// boundary; null if nothing is.
    pub before: Value,
    /// What is there afterwards; left out if nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// Whether the policy then has no statement left: AWS takes none without, so it has to be
    /// deleted itself.
    pub last_statement: bool,
    /// What is denied, if a deny is added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denies: Option<Denied>,
}

/// What an added deny is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Denied {
    /// `service:Name`.
    pub action: Arc<str>,
    /// One resource's ARN, or `*`.
    pub resource: Arc<str>,
}

/// An edit as people read it.
///
/// - `with`: the edits that are made with it. A deny is added to what those before it have made of
///   the same policy.
pub(super) fn report(
    files: &SnapshotFiles,
    edit: &Edit,
    with: &BTreeSet<Edit>,
    wording: &Wording,
) -> EditReport {
    let value = files.get(&edit.file()).and_then(|text| read(text));
    let kind = match edit {
        Edit::Narrow { .. } => EditKind::NarrowStatement,
        Edit::Remove { .. } => EditKind::RemoveStatement,
        Edit::Distrust { .. } => EditKind::RemoveTrustedPrincipal,
        Edit::RemoveTrust { .. } => EditKind::RemoveTrust,
        Edit::Leave { .. } => EditKind::LeaveGroup,
        Edit::Detach { .. } => EditKind::DetachPolicy,
        Edit::Limit(limit) => match limit.of {
            Limited::Boundary { .. } => EditKind::AddBoundary,
            Limited::Account(_) => EditKind::AddControlPolicyDeny,
        },
    };
    let mut out = EditReport {
        edit: kind,
        location: Location { file: edit.file(), ..Location::default() },
        before: Value::Null,
        after: None,
        last_statement: false,
        denies: None,
    };
    if let Some((document, at)) = edit.document() {
        let whole = value.as_ref().and_then(|value| value.pointer(&document.pointer));
        let text = whole.is_some_and(Value::is_string);
        let decoded = whole.and_then(decoded).unwrap_or_default();
        let all = statements(&decoded);
        out.before = all.get(at).cloned().unwrap_or_default();
        out.after = edited(&out.before, edit, &wording.narrowed);
        out.last_statement = all.len() == 1 && out.after.is_none();
        out.location.of.clone_from(&document.of);
        out.location.policy = Some(document.policy.clone());
        out.location.statement = Some(at);
        out.location.sid = out.before.get("Sid").and_then(Value::as_str).map(Into::into);
        if let Edit::Distrust { principal, .. } = edit {
            out.location.what = Some(principal.as_str().into());
        }
        // The text that holds the policy is as far as a pointer leads.
        out.location.at = match (text, decoded.get("Statement")) {
            (true, _) => document.pointer.as_str().into(),
            (false, Some(Value::Array(_))) => format!("{}/Statement/{at}", document.pointer).into(),
            (false, _) => format!("{}/Statement", document.pointer).into(),
        };
        return out;
    }
    if let Edit::Limit(limit) = edit {
        limiting(&mut out, files, limit, with, wording);
        return out;
    }
    let (of, what, list) = match edit {
        Edit::Leave { user, group, .. } => (user, group, "GroupList"),
        Edit::Detach { holder, policy, .. } => (holder, policy, "AttachedManagedPolicies"),
        _ => return out,
    };
    out.location.of = Some(of.clone());
    out.location.what = Some(what.clone());
    let find = |mut value: Value| {
        holder(&mut value, of)
            .map(|(holder, at)| (holder.get(list).cloned().unwrap_or_default(), at))
    };
    if let Some((before, at)) = value.and_then(find) {
        out.before = before;
        out.location.at = format!("{at}/{list}").into();
    }
    let after = made(files, &BTreeSet::from([edit]), wording);
    let after = after.get(&edit.file()).and_then(|text| read(text));
    out.after = after.and_then(find).map(|(after, _)| after);
    out
}

/// An added deny as people read it.
fn limiting(
    out: &mut EditReport,
    files: &SnapshotFiles,
    limit: &Limit,
    with: &BTreeSet<Edit>,
    wording: &Wording,
) {
    let limits = &wording.limits;
    let others = with.iter().filter(|edit| edit.limit().is_none()).collect();
    let files = made(files, &others, wording);
    let Some(mut value) = files.get(&limit.file()).and_then(|text| read(text)) else { return };
    let mut of_place: Vec<&Limit> = with.iter().filter_map(Edit::limit).collect();
    of_place.retain(|one| one.of == limit.of && *one < limit);
    let before = limits.document(&value, &of_place).or_else(|| limits.before(&value, &limit.of));
    out.before = before.unwrap_or_default();
    of_place.push(limit);
    out.after = limits.document(&value, &of_place);
    let (of, policy) = limits.called(&limit.of);
    out.location.of = of;
    out.location.policy = Some(policy);
    out.location.at = match &limit.of {
        Limited::Boundary { of, .. } => {
            let at = holder(&mut value, of).map(|(_, at)| at).unwrap_or_default();
            format!("{at}/PermissionsBoundary").into()
        }
        Limited::Account(_) => "/Policies".into(),
    };
    out.denies = Some(Denied { action: limit.action.clone(), resource: limit.resource.clone() });
}
