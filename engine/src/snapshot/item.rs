//! What an item of a response says about an object, taken out as a table says.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use escalade_models::{AttributeForm, fill};
use serde_json::Value;

use super::draft::ObjectDraft;
use super::files::gap;
use super::pointer::{Mismatch, mismatch, nothing, select, texts};
use super::resources::KindReading;
use super::shown_keys::access_keys;
use super::world::{OwnPolicy, TAGS_NOT_KNOWN};
use crate::residual::Gap;

/// Where an object was found, for what its attributes may refer to.
pub(super) struct Place<'a> {
    pub(super) key: Option<&'a str>,
    /// ARN and name of the object that it lives in.
    pub(super) parent: Option<(&'a str, &'a str)>,
}
/// What a table takes from an item.
pub(super) struct Said<'a> {
    pub(super) attributes: &'a BTreeMap<String, AttributeForm>,
    pub(super) tags: Option<&'a str>,
    pub(super) policy: Option<&'a str>,
}

impl KindReading<'_, '_> {
    /// The texts of a pointer or template.
    pub(super) fn text(
        &self,
        form: &str,
        item: &Value,
        here: &Place<'_>,
    ) -> Result<Vec<String>, Mismatch> {
        if form.is_empty() || form.starts_with('/') {
            return texts(item, form);
        }
        let mut inner: HashMap<&str, String> = HashMap::new();
        for part in form.split('{').skip(1) {
            let Some((key, _)) = part.split_once('}') else { continue };
            let value = match key {
                "key" => here.key.map(str::to_owned),
                "parent" => here.parent.map(|(arn, _)| arn.to_owned()),
                "parent-name" => here.parent.map(|(_, name)| name.to_owned()),
                pointer if pointer.starts_with('/') => texts(item, pointer)?.into_iter().next(),
                other => self.here(other),
            };
            match value {
                Some(value) => {
                    inner.insert(key, value);
                }
                // Without one of its parts there is no such text.
                None => return Ok(Vec::new()),
            }
        }
        Ok(vec![fill(form, |key| inner.get(key).map(String::as_str))])
    }

    fn attribute(
        &self,
        form: &AttributeForm,
        item: &Value,
        here: &Place<'_>,
    ) -> Result<Vec<String>, Mismatch> {
        let full = match form {
            AttributeForm::Plain(form) => return self.text(form, item, here),
            AttributeForm::Full(full) => full,
        };
        let mut values = Vec::new();
        if full.access_keys {
            for form in full.at.iter() {
                for place in select(item, form, false)? {
                    if let Value::Bool(_) | Value::Number(_) = place.value {
                        return Err(mismatch(place.at, "a text", place.value));
                    }
                    add_texts(place.value, &mut values);
                }
            }
            return Ok(access_keys(&values));
        }
        for form in full.at.iter() {
            if let Some((left, right)) = &full.pairs {
                for place in select(item, form, false)? {
                    let rights = texts(place.value, right)?;
                    for left in texts(place.value, left)? {
                        values.extend(rights.iter().map(|right| format!("{left} {right}")));
                    }
                }
            } else {
                values = self.text(form, item, here)?;
            }
            if !values.is_empty() {
                break;
            }
        }
        if let Some(only) = &full.only {
            values.retain(|value| value == only);
        }
        Ok(values.iter().filter_map(|value| full.meaning(value, |key| self.here(key))).collect())
    }

    /// Partition, account or Region of what is being read.
    fn here(&self, key: &str) -> Option<String> {
        match key {
            "partition" => Some(self.draft.account.partition.to_string()),
            "account" => Some(self.draft.account.id.to_string()),
            "region" => Some(self.region.map_or_else(String::new, |region| region.to_string())),
            _ => None,
        }
    }

    /// Puts what an item says into the object; what is known already stays.
    pub(super) fn say(
        &mut self,
        draft: &mut ObjectDraft,
        said: &Said<'_>,
        item: &Value,
        here: &Place<'_>,
        place: &str,
    ) {
        for (name, form) in said.attributes {
            let name = self.draft.texts.share(name);
            match self.attribute(form, item, here) {
                Ok(values) => {
                    let mut values: Vec<Arc<str>> = values
                        .iter()
                        .filter(|value| !value.is_empty())
                        .map(|value| self.draft.texts.share(value))
                        .collect();
                    // Several places may name the same: a set, in the order found.
                    let mut seen = BTreeSet::new();
                    values.retain(|value| seen.insert(value.clone()));
                    draft.learn(name, Ok(values));
                }
                Err(wrong) => draft.misread(name, self.wrong(place, &wrong)),
            }
        }
        if let Some(pointer) = said.tags {
            match tags(item, pointer) {
                Ok(tags) if draft.object.tags.is_empty() => {
                    let texts = &mut self.draft.texts;
                    draft.object.tags =
                        tags.iter().map(|(k, v)| (texts.share(k), texts.share(v))).collect();
                    draft.object.tags.sort();
                }
                Ok(_) => {}
                Err(wrong) => {
                    let why = self.wrong(place, &wrong);
                    draft.misread(self.draft.texts.share(TAGS_NOT_KNOWN), why);
                }
            }
        }
        if let Some(pointer) = said.policy
            && !matches!(draft.object.policy, OwnPolicy::Present(_))
        {
            draft.object.policy = self.policy(item, pointer, place);
        }
    }

    /// The gap of what is not as a table says, noted.
    fn wrong(&mut self, place: &str, wrong: &Mismatch) -> Gap {
        let why = gap(format!("{place}{}: {}", shown(&wrong.at), wrong.problem));
        self.draft.gaps.push(why.clone());
        why
    }

    fn policy(&mut self, item: &Value, pointer: &str, place: &str) -> OwnPolicy {
        let found = match select(item, pointer, false) {
            Ok(found) => found,
            Err(wrong) => return OwnPolicy::Unknown(self.wrong(place, &wrong)),
        };
        let Some(found) = found.into_iter().next() else { return OwnPolicy::Absent };
        let here = || format!("{place}{}", shown(&found.at));
        match found.value {
            Value::Null => OwnPolicy::Absent,
            Value::String(text) if text.trim().is_empty() => match pointer.ends_with('!') {
                true => OwnPolicy::Unknown(self.wrong(place, &nothing(found.at))),
                false => OwnPolicy::Absent,
            },
            Value::String(text) => OwnPolicy::Present(self.draft.documents.intern_text(text, here)),
            object @ Value::Object(_) => {
                OwnPolicy::Present(self.draft.documents.intern(&object.to_string(), here))
            }
            other => {
                let wrong = mismatch(found.at, "a policy document", other);
                OwnPolicy::Unknown(self.wrong(place, &wrong))
            }
        }
    }
}

/// Tags in any of AWS's shapes, as key and value.
fn tags(item: &Value, pointer: &str) -> Result<Vec<(String, String)>, Mismatch> {
    let mut out = Vec::new();
    for found in select(item, pointer, false)? {
        match found.value {
            Value::Null => {}
            Value::Array(list) => {
                for (index, tag) in list.iter().enumerate() {
                    let member = |names: [&str; 4]| {
                        names.iter().find_map(|name| tag.get(name)).unwrap_or(&Value::Null)
                    };
                    let key = member(["Key", "key", "TagKey", "tagKey"]);
                    let value = member(["Value", "value", "TagValue", "tagValue"]);
                    match (key, value) {
                        (Value::String(key), Value::String(value)) => {
                            out.push((key.clone(), value.clone()));
                        }
                        // Where AWS leaves the value out, it is empty.
                        (Value::String(key), Value::Null) => out.push((key.clone(), String::new())),
                        _ => {
                            let at = format!("{}/{index}", found.at);
                            return Err(mismatch(at, "a tag", tag));
                        }
                    }
                }
            }
            Value::Object(map) => {
                for (key, value) in map {
                    match value {
                        Value::String(value) => out.push((key.clone(), value.clone())),
                        other => return Err(mismatch(found.at, "tags", other)),
                    }
                }
            }
            other => return Err(mismatch(found.at, "tags", other)),
        }
    }
    Ok(out)
}
/// A pointer, for people: keys are the snapshot's text.
pub(super) fn shown(at: &str) -> String {
    at.escape_debug().to_string()
}

/// Adds every text in a value: a template in JSON is given as a structure, one in YAML as a text.
fn add_texts(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) => out.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| add_texts(item, out)),
        Value::Object(members) => members.values().for_each(|member| add_texts(member, out)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
