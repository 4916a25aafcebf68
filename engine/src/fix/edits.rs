//! Edits of a snapshot's policies and of who has them, and how they are made in its files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::limits::{Limit, Limits};
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
    pub(super) fn document(&self) -> Option<(&Document, usize)> {
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

    pub(super) fn file(&self) -> Arc<str> {
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
        let copies = copies(&value);
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
        for (list, at) in copies.into_iter().rev() {
            if let Some(Value::Array(holders)) = value.get_mut(&list) {
                holders.remove(at);
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
pub(super) fn edited(statement: &Value, edit: &Edit, narrowed: &Narrowed) -> Option<Value> {
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

/// Users, groups and roles that are there once more, just as before: list and position. With one of
/// them edited, which of them is right would not be known.
fn copies(value: &Value) -> Vec<(String, usize)> {
    let mut out = Vec::new();
    for (list, holders) in value.as_object().into_iter().flatten() {
        let mut first: BTreeMap<&str, &Value> = BTreeMap::new();
        let holders = holders.as_array().filter(|_| list.ends_with("DetailList"));
        for (at, holder) in holders.into_iter().flatten().enumerate() {
            let Some(arn) = holder.get("Arn").and_then(Value::as_str) else { continue };
            match first.get(arn) {
                None => _ = first.insert(arn, holder),
                Some(before) if *before == holder => out.push((list.clone(), at)),
                Some(_) => {}
            }
        }
    }
    out
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
