//! Edits of a snapshot's policies and of who has them, and how they are made in its files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::limits::{Limit, Limited, Limits};
use crate::snapshot::SnapshotFiles;

/// A policy document in a file of the snapshot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Document {
    /// The file; empty if the snapshot is that file.
    pub(super) file: Arc<str>,
    /// JSON pointer to the document.
    pub(super) pointer: String,
    /// What the policy is called.
    pub(super) policy: Arc<str>,
    /// Whose it is, or the managed policy itself, by ARN.
    pub(super) of: Option<Arc<str>>,
}

/// One edit. Those that take away less go first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Edit {
    /// A statement that allows nothing but passing roles passes only roles that lead nowhere.
    Narrow { document: Document, statement: usize },
    /// A statement is removed. What it allows weighs: the number of its actions, patterns more.
    Remove { allows: i32, document: Document, statement: usize },
    /// A trust policy's statement names one principal less.
    Distrust { document: Document, statement: usize, kind: String, principal: String },
    /// A trust policy's statement is removed.
    RemoveTrust { document: Document, statement: usize },
    /// A user leaves a group.
    Leave { file: Arc<str>, user: Arc<str>, group: Arc<str> },
    /// A managed policy is detached.
    Detach { file: Arc<str>, holder: Arc<str>, policy: Arc<str> },
    /// A deny is added.
    Limit(Limit),
}

impl Edit {
    /// How much it takes away, next to other edits: decides between sets of one size.
    pub(super) fn weight(&self) -> i32 {
        match self {
            Self::Narrow { .. } => 1,
            Self::Remove { allows, .. } => 1 + allows,
            Self::Distrust { .. } => 5,
            Self::RemoveTrust { .. } => 10,
            Self::Leave { .. } => 40,
            Self::Detach { .. } => 50,
            Self::Limit(limit) => limit.weight(),
        }
    }

    /// The document that it is about.
    fn document(&self) -> Option<(&Document, usize)> {
        match self {
            Self::Narrow { document, statement }
            | Self::Remove { document, statement, .. }
            | Self::Distrust { document, statement, .. }
            | Self::RemoveTrust { document, statement } => Some((document, *statement)),
            Self::Leave { .. } | Self::Detach { .. } | Self::Limit(_) => None,
        }
    }

    /// The deny that it adds.
    pub(super) fn limit(&self) -> Option<&Limit> {
        match self {
            Self::Limit(limit) => Some(limit),
            _ => None,
        }
    }

    /// Whether it takes this statement out of its document.
    pub(super) fn removes(&self, of: &Document) -> Option<usize> {
        match self {
            Self::Remove { document, statement, .. }
            | Self::RemoveTrust { document, statement }
                if document == of =>
            {
                Some(*statement)
            }
            _ => None,
        }
    }

    fn file(&self) -> Arc<str> {
        match self {
            Self::Leave { file, .. } | Self::Detach { file, .. } => file.clone(),
            Self::Narrow { document, .. }
            | Self::Remove { document, .. }
            | Self::Distrust { document, .. }
            | Self::RemoveTrust { document, .. } => document.file.clone(),
            Self::Limit(limit) => limit.file(),
        }
    }

    /// What it takes something from, by ARN; of a deny that is added nothing.
    pub(super) fn subjects(&self) -> Vec<&Arc<str>> {
        match self {
            Self::Leave { user, .. } => vec![user],
            Self::Detach { holder, policy, .. } => vec![holder, policy],
            other => other.document().into_iter().filter_map(|(of, _)| of.of.as_ref()).collect(),
        }
    }
}

/// What the narrower statements say.
pub(super) type Narrowed = BTreeMap<(Document, usize), Value>;

/// What edits write into policies.
#[derive(Clone, Debug, Default)]
pub(super) struct Wording {
    pub(super) narrowed: Narrowed,
    pub(super) limits: Limits,
}

/// The snapshot with these edits made.
pub(super) fn made(
    files: &SnapshotFiles,
    edits: &BTreeSet<&Edit>,
    wording: &Wording,
) -> SnapshotFiles {
    let mut out = files.clone();
    let mut by_file: BTreeMap<Arc<str>, Vec<&Edit>> = BTreeMap::new();
    for edit in edits.iter().filter(|edit| edit.limit().is_none()) {
        by_file.entry(edit.file()).or_default().push(edit);
    }
    for (file, edits) in by_file {
        let Some(mut value) = files.get(&file).and_then(|text| read(text)) else { continue };
        let mut documents: BTreeMap<&Document, Vec<&Edit>> = BTreeMap::new();
        for edit in edits {
            match edit {
                Edit::Leave { user, group, .. } => {
                    without(&mut value, user, "GroupList", |one| one.as_str() == Some(&**group))
                }
                Edit::Detach { holder, policy, .. } => {
                    without(&mut value, holder, "AttachedManagedPolicies", |one| {
                        one.get("PolicyArn").and_then(Value::as_str) == Some(&**policy)
                    });
                }
                edit => {
                    if let Some((document, _)) = edit.document() {
                        documents.entry(document).or_default().push(edit);
                    }
                }
            }
        }
        for (document, edits) in documents {
            if let Some(place) = value.pointer_mut(&document.pointer) {
                edit_document(place, &edits, &wording.narrowed);
            }
        }
        out.set(&file, Some(value.to_string().into()));
    }
    // A new boundary says what the one before it says with its edits made.
    let limits: Vec<&Limit> = edits.iter().filter_map(|edit| edit.limit()).collect();
    wording.limits.make(&mut out, &limits);
    out
}

/// The value of a file.
pub(super) fn read(text: &str) -> Option<Value> {
    serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()
}

/// The document that a value is, or holds as a text.
pub(super) fn decoded(value: &Value) -> Option<Value> {
    let Value::String(text) = value else { return Some(value.clone()) };
    let text = text.trim();
    if text.starts_with('{') {
        return serde_json::from_str(text).ok();
    }
    serde_json::from_str(&percent_decode_str(text).decode_utf8().ok()?).ok()
}

/// The statements of a document.
pub(super) fn statements(document: &Value) -> &[Value] {
    match document.get("Statement") {
        Some(Value::Array(statements)) => statements,
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        _ => &[],
    }
}

/// How much a statement allows, next to others: actions count one each, patterns many.
pub(super) fn breadth(statement: &Value) -> i32 {
    let one = |action: &Value| match action.as_str() {
        Some(action) if !action.contains(['*', '?']) => 1,
        _ => PATTERN,
    };
    let actions = match statement.get("Action") {
        Some(Value::Array(actions)) => actions.iter().map(one).sum(),
        Some(action) => one(action),
        // `NotAction` allows almost everything.
        None => PATTERN,
    };
    actions.min(PATTERN)
}

/// What a pattern of actions counts, and the most that a statement does.
const PATTERN: i32 = 30;

fn edit_document(place: &mut Value, edits: &[&Edit], narrowed: &Narrowed) {
    let Some(mut document) = decoded(place) else { return };
    let mut out: Vec<Option<Value>> = statements(&document).iter().cloned().map(Some).collect();
    // Removing goes last, whatever else is done to a statement.
    for edit in edits {
        if let Some((_, statement)) = edit.document()
            && let Some(slot) = out.get_mut(statement)
        {
            *slot = slot.take().and_then(|value| edited(&value, edit, narrowed));
        }
    }
    let out: Vec<Value> = out.into_iter().flatten().collect();
    let Some(members) = document.as_object_mut() else { return };
    members.insert("Statement".to_owned(), Value::Array(out));
    *place = match place {
        Value::String(_) => Value::String(document.to_string()),
        _ => document,
    };
}

/// A statement after an edit; nothing if it is gone.
fn edited(statement: &Value, edit: &Edit, narrowed: &Narrowed) -> Option<Value> {
    match edit {
        Edit::Narrow { document, statement: at } => {
            narrowed.get(&(document.clone(), *at)).cloned().or_else(|| Some(statement.clone()))
        }
        Edit::Distrust { kind, principal, .. } => {
            let mut out = statement.clone();
            let named = out.get_mut("Principal").and_then(|all| all.get_mut(kind));
            match named {
                Some(Value::Array(named)) => {
                    named.retain(|one| one.as_str() != Some(principal));
                    // AWS takes no empty list.
                    if named.is_empty() {
                        out.get_mut("Principal")?.as_object_mut()?.shift_remove(kind);
                    }
                }
                Some(_) => {
                    out.get_mut("Principal")?.as_object_mut()?.shift_remove(kind);
                }
                None => {}
            }
            let left = out.get("Principal").and_then(Value::as_object);
            left.is_none_or(|left| !left.is_empty()).then_some(out)
        }
        Edit::Remove { .. } | Edit::RemoveTrust { .. } => None,
        Edit::Leave { .. } | Edit::Detach { .. } | Edit::Limit(_) => Some(statement.clone()),
    }
}

/// Takes elements out of a list of the user, group or role with this ARN.
fn without(value: &mut Value, arn: &str, list: &str, gone: impl Fn(&Value) -> bool) {
    if let Some(Value::Array(elements)) =
        holder(value, arn).and_then(|(holder, _)| holder.get_mut(list))
    {
        elements.retain(|one| !gone(one));
    }
}

/// The details of the user, group or role with this ARN, and the pointer to them.
pub(super) fn holder<'v>(value: &'v mut Value, arn: &str) -> Option<(&'v mut Value, String)> {
    let lists = value.as_object_mut()?.iter_mut();
    for (list, holders) in lists.filter(|(list, _)| list.ends_with("DetailList")) {
        let holders = holders.as_array_mut().into_iter().flatten().enumerate();
        for (at, holder) in holders {
            if holder.get("Arn").and_then(Value::as_str) == Some(arn) {
                return Some((holder, format!("/{list}/{at}")));
            }
        }
    }
    None
}

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
    /// Whose policy, membership or attachment it is: an ARN. Of a managed policy's statement the
    /// policy's; of a control policy the account's in its organization.
    pub of: Option<Arc<str>>,
    /// The policy that a statement is in, or the one that is added.
    pub policy: Option<Arc<str>>,
    /// The statement's position in the policy, from 0.
    pub statement: Option<usize>,
    /// The statement's Sid, if it has one.
    pub sid: Option<Arc<str>>,
    /// What is left, detached or not trusted any more: a group's name, a policy's ARN, a principal.
    pub what: Option<Arc<str>>,
    /// The file, below the snapshot's folder; empty if that is a single file.
    pub file: Arc<str>,
    /// JSON pointer to what is edited.
    pub at: Arc<str>,
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
        of: None,
        policy: None,
        statement: None,
        sid: None,
        what: None,
        file: edit.file(),
        at: "".into(),
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
        out.of.clone_from(&document.of);
        out.policy = Some(document.policy.clone());
        out.statement = Some(at);
        out.sid = out.before.get("Sid").and_then(Value::as_str).map(Into::into);
        if let Edit::Distrust { principal, .. } = edit {
            out.what = Some(principal.as_str().into());
        }
        // The text that holds the policy is as far as a pointer leads.
        out.at = match (text, decoded.get("Statement")) {
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
    out.of = Some(of.clone());
    out.what = Some(what.clone());
    let find = |mut value: Value| {
        holder(&mut value, of)
            .map(|(holder, at)| (holder.get(list).cloned().unwrap_or_default(), at))
    };
    if let Some((before, at)) = value.and_then(find) {
        out.before = before;
        out.at = format!("{at}/{list}").into();
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
    out.of = of;
    out.policy = Some(policy);
    out.at = match &limit.of {
        Limited::Boundary { of, .. } => {
            let at = holder(&mut value, of).map(|(_, at)| at).unwrap_or_default();
            format!("{at}/PermissionsBoundary").into()
        }
        Limited::Account(_) => "/Policies".into(),
    };
    out.denies = Some(Denied { action: limit.action.clone(), resource: limit.resource.clone() });
}
