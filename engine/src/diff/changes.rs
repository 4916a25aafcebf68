//! What differs between two snapshots, in pieces that can be made and undone by themselves:
//! statements, attachments, memberships, tags, entries of lists, settings, files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::normal::{DEFAULT_DOCUMENT, POLICY_TEXT, canonical, normal, written};
use crate::snapshot::SnapshotFiles;

/// One step from the whole of a file to what changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// A member of an object.
    Member(String),
    /// The element of a list whose `member` is `value`.
    Named { member: String, value: String },
    /// An element of a list that nothing names. Always the last part.
    Element,
}

/// One piece of what differs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    /// The file; or, where `place` is `None`, the folder that is there in one of the two only.
    pub(super) file: String,
    /// Where in the file; empty for all of it.
    pub(super) place: Option<Vec<Part>>,
    /// What was there.
    pub(super) old: Option<Value>,
    /// What is there now.
    pub(super) new: Option<Value>,
    /// JSON pointer into the new file, or the old one if it is not there any more.
    pub(super) at: String,
    /// The position in the list, likewise, of an element that nothing names.
    pub(super) position: Option<usize>,
}

/// Two snapshots and what differs between them.
pub(super) struct Changes {
    old: SnapshotFiles,
    new: SnapshotFiles,
    /// In normal form, of the files that differ.
    old_values: BTreeMap<String, Value>,
    /// The pieces, by file and place.
    pub(super) list: Vec<Change>,
}

impl Changes {
    /// Finds what differs.
    pub(super) fn between(old: SnapshotFiles, new: SnapshotFiles) -> Self {
        let mut list = Vec::new();
        let mut old_values = BTreeMap::new();
        let places: BTreeSet<&str> =
            old.files().chain(new.files()).map(|(place, _)| place).collect();
        for place in places {
            let (was, is) = (old.get(place), new.get(place));
            if was == is {
                continue;
            }
            let values =
                was.zip(is).and_then(|(was, is)| Some((normal(place, was)?, normal(place, is)?)));
            match values {
                Some((was, is)) => {
                    let mut finding = Finding { file: place, out: &mut list };
                    finding.compare(&mut Vec::new(), &was, &is, "");
                    old_values.insert(place.to_owned(), was);
                }
                None => list.push(Change {
                    file: place.to_owned(),
                    place: Some(Vec::new()),
                    old: was.map(|text| Value::String(text.to_string())),
                    new: is.map(|text| Value::String(text.to_string())),
                    at: String::new(),
                    position: None,
                }),
            }
        }
        for folder in old.folders().symmetric_difference(new.folders()) {
            // A folder with files comes and goes with them.
            let there = if old.folders().contains(folder) { &old } else { &new };
            let prefix = format!("{folder}/");
            if !there.files().any(|(place, _)| place.starts_with(&prefix)) {
                let (was, is) = (old.folders().contains(folder), new.folders().contains(folder));
                list.push(Change {
                    file: folder.clone(),
                    place: None,
                    old: was.then_some(Value::Null),
                    new: is.then_some(Value::Null),
                    at: String::new(),
                    position: None,
                });
            }
        }
        Self { old, new, old_values, list }
    }

    /// The old files that differ, in normal form.
    pub(super) fn old_values(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.old_values.iter().map(|(file, value)| (file.as_str(), value))
    }

    /// The old snapshot with these of the changes made, by position in the list.
    pub(super) fn made(&self, chosen: &BTreeSet<usize>) -> SnapshotFiles {
        if chosen.len() == self.list.len() {
            return self.new.clone();
        }
        let mut out = self.old.clone();
        let mut values: BTreeMap<&str, Value> = BTreeMap::new();
        for change in chosen.iter().filter_map(|at| self.list.get(*at)) {
            match &change.place {
                None => out.set_folder(&change.file, change.new.is_some()),
                Some(place) if place.is_empty() && !self.old_values.contains_key(&change.file) => {
                    out.set(&change.file, self.new.get(&change.file).cloned());
                }
                Some(place) => {
                    let value = values.entry(&change.file).or_insert_with(|| {
                        self.old_values.get(&change.file).cloned().unwrap_or_default()
                    });
                    make(value, place, change);
                }
            }
        }
        for (file, value) in values {
            out.set(file, Some(Arc::from(written(file, value))));
        }
        out
    }
}

/// An element of a list with its position.
type Placed<'v> = (usize, &'v Value);

struct Finding<'a> {
    file: &'a str,
    out: &'a mut Vec<Change>,
}

impl Finding<'_> {
    fn push(
        &mut self,
        place: &[Part],
        old: Option<&Value>,
        new: Option<&Value>,
        at: String,
        position: Option<usize>,
    ) {
        self.out.push(Change {
            file: self.file.to_owned(),
            place: Some(place.to_vec()),
            old: old.cloned(),
            new: new.cloned(),
            at,
            position,
        });
    }

    /// Notes what differs between two values. `at` is the JSON pointer to the new one.
    fn compare(&mut self, place: &mut Vec<Part>, old: &Value, new: &Value, at: &str) {
        if canonical(old) == canonical(new) {
            return;
        }
        match (old, new) {
            (Value::Object(was), Value::Object(is)) => {
                let members: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
                for member in members {
                    let (old, new) = (was.get(member), is.get(member));
                    let here = pointer(at, member, if new.is_some() { is } else { was });
                    place.push(Part::Member(member.clone()));
                    match (old, new) {
                        (Some(old), Some(new)) => self.compare(place, old, new, &here),
                        _ => self.push(place, old, new, here, None),
                    }
                    place.pop();
                }
            }
            (Value::Array(was), Value::Array(is)) => match naming(was, is) {
                Some(member) => self.compare_named(place, member, was, is, at),
                None => self.compare_elements(place, was, is, at),
            },
            _ => self.push(place, Some(old), Some(new), at.to_owned(), None),
        }
    }

    fn compare_named(
        &mut self,
        place: &mut Vec<Part>,
        member: &str,
        old: &[Value],
        new: &[Value],
        at: &str,
    ) {
        let name = |value: &Value| value.get(member).and_then(Value::as_str).map(str::to_owned);
        let by_name = |values: &[Value]| -> BTreeMap<String, usize> {
            values.iter().enumerate().filter_map(|(at, value)| Some((name(value)?, at))).collect()
        };
        let (was, is) = (by_name(old), by_name(new));
        for value in was.keys().chain(is.keys()).collect::<BTreeSet<_>>() {
            let (old_at, new_at) = (was.get(value), is.get(value));
            let found =
                |list: &[Value], at: Option<&usize>| at.and_then(|at| list.get(*at)).cloned();
            let (old, new) = (found(old, old_at), found(new, new_at));
            let here = format!("{at}/{}", new_at.or(old_at).copied().unwrap_or_default());
            place.push(Part::Named { member: member.to_owned(), value: value.clone() });
            match (&old, &new) {
                (Some(old), Some(new)) => self.compare(place, old, new, &here),
                _ => self.push(place, old.as_ref(), new.as_ref(), here, None),
            }
            place.pop();
        }
    }

    /// Lists whose elements have no names: what is in both is the same, of the rest statements
    /// that have the same Sid, or the same position, are one that was changed.
    fn compare_elements(&mut self, place: &mut Vec<Part>, old: &[Value], new: &[Value], at: &str) {
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        for value in old {
            *known.entry(canonical(value).to_string()).or_default() += 1;
        }
        let mut is: Vec<(usize, &Value)> = Vec::new();
        for (at, value) in new.iter().enumerate() {
            match known.get_mut(&canonical(value).to_string()) {
                Some(count) if *count > 0 => *count -= 1,
                _ => is.push((at, value)),
            }
        }
        let mut was: Vec<(usize, &Value)> = Vec::new();
        for (at, value) in old.iter().enumerate().rev() {
            if let Some(count) = known.get_mut(&canonical(value).to_string())
                && *count > 0
            {
                *count -= 1;
                was.push((at, value));
            }
        }
        was.reverse();
        place.push(Part::Element);
        let sid = |value: &Value| {
            value
                .get("Sid")
                .and_then(Value::as_str)
                .filter(|sid| !sid.is_empty())
                .map(str::to_owned)
        };
        let mut pair = |same: &dyn Fn(Placed<'_>, Placed<'_>) -> bool, this: &mut Self| {
            is.retain(|&(position, value)| {
                let Some(at_old) = was.iter().position(|&old| same(old, (position, value))) else {
                    return true;
                };
                let (_, before) = was.remove(at_old);
                let here = format!("{at}/{position}");
                this.push(place, Some(before), Some(value), here, Some(position));
                false
            });
        };
        pair(&|old, new| sid(old.1).is_some() && sid(old.1) == sid(new.1), self);
        let is_statement = |value: &Value| value.get("Effect").is_some();
        pair(
            &|old, new| {
                old.0 == new.0
                    && is_statement(old.1)
                    && is_statement(new.1)
                    && (sid(old.1).is_none() || sid(new.1).is_none())
            },
            self,
        );
        for (position, value) in was {
            self.push(place, Some(value), None, format!("{at}/{position}"), Some(position));
        }
        for (position, value) in is {
            self.push(place, None, Some(value), format!("{at}/{position}"), Some(position));
        }
        place.pop();
    }
}

/// The JSON pointer to a member as the file has it.
fn pointer(at: &str, member: &str, parent: &serde_json::Map<String, Value>) -> String {
    match member {
        // The text that holds the policy is as far as a pointer leads.
        POLICY_TEXT => at.to_owned(),
        DEFAULT_DOCUMENT => {
            let default = parent.get("DefaultVersionId");
            let versions = parent.get("PolicyVersionList").and_then(Value::as_array);
            let position =
                versions.and_then(|all| all.iter().position(|one| one.get("VersionId") == default));
            format!("{at}/PolicyVersionList/{}/Document", position.unwrap_or_default())
        }
        member => format!("{at}/{}", member.replace('~', "~0").replace('/', "~1")),
    }
}

/// The member by which the elements of both lists are told apart: all have it, with texts that
/// occur once in each list.
fn naming<'a>(old: &'a [Value], new: &'a [Value]) -> Option<&'a str> {
    const USUAL: [&str; 5] = ["Arn", "PolicyArn", "PolicyName", "VersionId", "Key"];
    let first = old.first().or(new.first())?.as_object()?;
    // What a statement says is what it is.
    if first.contains_key("Effect") {
        return None;
    }
    let distinct = |values: &[Value], member: &str| {
        let mut seen = BTreeSet::new();
        values.iter().all(|value| {
            value.get(member).and_then(Value::as_str).is_some_and(|text| seen.insert(text))
        })
    };
    let rank = |member: &str| {
        let usual = USUAL.iter().position(|usual| *usual == member);
        let lower = member.to_lowercase();
        let ends = ["arn", "id", "name", "key"].iter().position(|end| lower.ends_with(end));
        usual.or(ends.map(|at| USUAL.len() + at))
    };
    first
        .keys()
        .filter_map(|member| Some((rank(member)?, member.as_str())))
        .filter(|(_, member)| distinct(old, member) && distinct(new, member))
        .min()
        .map(|(_, member)| member)
}

/// Makes one change in a file's value.
fn make(value: &mut Value, place: &[Part], change: &Change) {
    let Some((part, rest)) = place.split_first() else {
        *value = change.new.clone().unwrap_or_default();
        return;
    };
    let last = rest.is_empty();
    match part {
        Part::Member(member) => {
            let Some(members) = value.as_object_mut() else { return };
            match (&change.new, last) {
                (None, true) => {
                    members.shift_remove(member);
                }
                (Some(new), true) => {
                    members.insert(member.clone(), new.clone());
                }
                (_, false) => {
                    if let Some(inner) = members.get_mut(member) {
                        make(inner, rest, change);
                    }
                }
            }
        }
        Part::Named { member, value: name } => {
            let Some(elements) = value.as_array_mut() else { return };
            let at = elements
                .iter()
                .position(|one| one.get(member).and_then(Value::as_str) == Some(name));
            match at {
                Some(at) if !last => {
                    if let Some(inner) = elements.get_mut(at) {
                        make(inner, rest, change);
                    }
                }
                at => put(elements, at, change),
            }
        }
        Part::Element => {
            let Some(elements) = value.as_array_mut() else { return };
            let wanted = change.old.as_ref().map(canonical);
            let at = wanted.and_then(|old| elements.iter().position(|one| canonical(one) == old));
            put(elements, at, change);
        }
    }
}

fn put(elements: &mut Vec<Value>, at: Option<usize>, change: &Change) {
    match (at.and_then(|at| Some((at, elements.get_mut(at)?))), &change.new) {
        (Some((_, element)), Some(new)) => *element = new.clone(),
        (Some((at, _)), None) => {
            elements.remove(at);
        }
        (None, Some(new)) => elements.push(new.clone()),
        (None, None) => {}
    }
}
