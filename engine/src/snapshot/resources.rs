//! Objects of every kind but IAM's own, made from responses as the resource tables say.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use escalade_models::{
    AttributeForm, DetailSource, OneOrMany, ResourceKind, ResourceKinds, Source, fill, parent_of,
};
use serde_json::Value;

use super::draft::{AccountDraft, Attributes, ObjectDraft, References};
use super::files::gap;
use super::pointer::{Mismatch, mismatch, select, texts};
use super::response::{Response, ResponseFiles};
use super::world::{AccountIndex, Detail, Known, Object, OwnPolicy};
use crate::residual::Gap;

/// Adds the objects that the responses of one Region list. `region` is `None` for `global`.
///
/// What is not listed by any response goes to `uncollected`, with the response that would say.
pub(super) fn read_region(
    kinds: &ResourceKinds,
    region: Option<&Arc<str>>,
    files: &mut ResponseFiles<'_>,
    draft: &mut AccountDraft,
) {
    let mut made: BTreeMap<&str, Vec<ObjectDraft>> = BTreeMap::new();
    for kind in kinds.parents_first() {
        if kind.sources.is_empty() || kind.global != region.is_none() {
            continue;
        }
        let mut reading = KindReading {
            kind,
            region,
            files: &mut *files,
            draft: &mut *draft,
            found: BTreeMap::new(),
            uncollected: None,
        };
        reading.sources(&made);
        reading.details();
        let KindReading { found, uncollected, .. } = reading;
        if let Some(why) = uncollected {
            let region = region.map_or_else(|| "global".into(), Arc::clone);
            draft.account.uncollected.insert((kind.kind.as_str().into(), region), why);
        }
        made.insert(&kind.kind, found.into_values().collect());
    }
    draft.objects.extend(made.into_values().flatten());
}

/// Where an object was found, for what its attributes may refer to.
struct Place<'a> {
    key: Option<&'a str>,
    /// ARN and name of the object that it lives in.
    parent: Option<(&'a str, &'a str)>,
}

struct KindReading<'a, 'b> {
    kind: &'a ResourceKind,
    region: Option<&'a Arc<str>>,
    files: &'a mut ResponseFiles<'b>,
    draft: &'a mut AccountDraft,
    /// By ARN.
    found: BTreeMap<Arc<str>, ObjectDraft>,
    /// Why there may be objects that are not listed.
    uncollected: Option<Gap>,
}

impl KindReading<'_, '_> {
    fn sources(&mut self, made: &BTreeMap<&str, Vec<ObjectDraft>>) {
        let kind = self.kind;
        let mut listed = false;
        let mut why_not: Option<Gap> = None;
        for source in &kind.sources {
            let first = source.file.iter().next().unwrap_or_default();
            let outcome = if let Some(parent) = parent_of(first) {
                self.per_parent(source, parent, made.get(parent).map_or(&[], Vec::as_slice))
            } else if first.contains('*') {
                self.per_file(source);
                continue;
            } else {
                self.one_file(source)
            };
            match outcome {
                Ok(()) => listed |= source.complete,
                // The first reason is the best, but a file that is there and cannot be used says
                // more than one that is not there.
                Err(why) if source.complete => {
                    let asked = !why.0.ends_with("was not asked");
                    if why_not.is_none() || asked {
                        why_not = Some(why);
                    }
                }
                Err(_) => {}
            }
        }
        if !listed {
            self.uncollected = why_not;
        }
    }

    /// A source with one file.
    fn one_file(&mut self, source: &Source) -> Result<(), Gap> {
        let command = first_there(self.files, source.file.iter());
        self.list(source, &command, None)
    }

    /// A source with one file for each object of another kind.
    fn per_parent(
        &mut self,
        source: &Source,
        parent_kind: &str,
        parents: &[ObjectDraft],
    ) -> Result<(), Gap> {
        let region = self.region.map_or("global", |region| region);
        let mut why_not = self
            .draft
            .account
            .uncollected
            .get(&(parent_kind.into(), region.into()))
            .cloned();
        let hole = format!("{{{parent_kind}}}");
        let mut missing: Vec<Gap> = Vec::new();
        let mut known: BTreeSet<&str> = BTreeSet::new();
        for parent in parents {
            let (arn, name) = (&*parent.object.arn, &*parent.object.name);
            known.extend([arn, name]);
            let commands: Vec<String> = source
                .file
                .iter()
                .flat_map(|file| [file.replace(&hole, name), file.replace(&hole, arn)])
                .collect();
            let command = first_there(self.files, commands.iter().map(String::as_str));
            if !self.files.is_there(&command) && !may_have(&parent.object, &source.parent_where) {
                continue;
            }
            if let Err(why) = self.list(source, &command, Some((arn, name))) {
                missing.push(why);
            }
        }
        for file in source.file.iter() {
            let Some((prefix, suffix)) = file.split_once(&hole) else { continue };
            for (rest, file) in self.files.responses().starting(prefix) {
                if let Some(argument) = rest.strip_suffix(suffix)
                    && !known.contains(argument)
                    && (suffix.is_empty() || !argument.contains('/'))
                {
                    let why = format!(
                        "{}: not used, since no {parent_kind} {argument:?} is listed",
                        file.shown
                    );
                    self.draft.gaps.push(gap(why));
                }
            }
        }
        if let Some(first) = missing.first() {
            why_not = Some(match missing.len() {
                1 => first.clone(),
                more => gap(format!("{first}, and {} more like it", more - 1)),
            });
        }
        why_not.map_or(Ok(()), Err)
    }

    /// A source with whatever files there are.
    fn per_file(&mut self, source: &Source) {
        for file in source.file.iter() {
            let Some((prefix, _)) = file.split_once('*') else { continue };
            let commands: Vec<String> = self
                .files
                .responses()
                .starting(prefix)
                .map(|(rest, _)| format!("{prefix}{rest}"))
                .collect();
            for command in commands {
                // A gap here is of one object that something else lists.
                let _ = self.list(source, &command, None);
            }
        }
    }

    /// Adds the objects of one response. `Err` if it does not say which there are.
    fn list(
        &mut self,
        source: &Source,
        command: &str,
        parent: Option<(&str, &str)>,
    ) -> Result<(), Gap> {
        let response = self.files.response(command);
        let content = match &*response {
            Response::Content(content) => content,
            Response::Absent => return Ok(()),
            Response::Unknown(why) => return Err(why.clone()),
        };
        let place = self.files.place(command);
        let items = match select(content, &source.items, true) {
            Ok(items) => items,
            // A response without members is how some services say that there are none.
            Err(Mismatch { missing: true, .. }) if is_empty(content) => return Ok(()),
            Err(wrong) => {
                let why = at_place(&place, "", &wrong);
                self.draft.gaps.push(why.clone());
                return Err(why);
            }
        };
        let mut seen = BTreeSet::new();
        let mut whole = Ok(());
        for item in items {
            if source.skip.iter().any(|(pointer, values)| {
                texts(item.value, pointer)
                    .is_ok_and(|found| found.iter().any(|value| values.contains(value)))
            }) {
                continue;
            }
            let here = Place { key: item.key, parent };
            let Some((arn, name)) = self.identify(source, item.value, &here) else {
                let why = gap(format!("{place} at {}: expected a name or ARN, left out", item.at));
                self.draft.gaps.push(why.clone());
                whole = Err(why);
                continue;
            };
            let arn: Arc<str> = arn.into();
            if !seen.insert(arn.clone()) {
                let why = format!("{place} at {}: {:?} is listed twice", item.at, &*arn);
                self.draft.gaps.push(gap(why));
            }
            let said = Said {
                attributes: &source.attributes,
                tags: source.tags.as_deref(),
                policy: source.policy.as_deref(),
            };
            let mut object = match self.found.remove(&arn) {
                Some(known) => known,
                None => self.new_object(&arn, &name),
            };
            self.say(&mut object, &said, item.value, &here, &format!("{place} at {}", item.at));
            self.found.insert(arn, object);
        }
        whole
    }

    fn new_object(&mut self, arn: &Arc<str>, name: &str) -> ObjectDraft {
        let kind = self.draft.texts.share(&self.kind.kind);
        let detail = if self.kind.kind == "iam:instance-profile" {
            Detail::InstanceProfile(Vec::new())
        } else {
            Detail::Other
        };
        ObjectDraft {
            object: Object {
                kind,
                arn: arn.clone(),
                name: name.into(),
                account: AccountIndex(0),
                region: self.region.cloned(),
                attributes: Attributes::new(),
                tags: Vec::new(),
                policy: OwnPolicy::Absent,
                detail,
            },
            refers_to: References::None,
        }
    }

    /// ARN and name of an item.
    fn identify(
        &self,
        source: &Source,
        item: &Value,
        here: &Place<'_>,
    ) -> Option<(String, String)> {
        let one = |form: &str| match self.text(form, item, here) {
            Ok(texts) => texts.into_iter().next().filter(|text| !text.is_empty()),
            Err(_) => None,
        };
        let shorten = |text: String| match &source.name_after {
            Some(mark) => {
                text.rsplit_once(mark.as_str()).map_or(text.clone(), |(_, rest)| rest.to_owned())
            }
            None => text,
        };
        let account = &self.draft.account;
        match (&source.arn, &source.name) {
            (Some(arn), name) => {
                let arn = one(arn)?;
                let name = match name {
                    Some(name) => shorten(one(name)?),
                    None => shorten(arn.clone()),
                };
                Some((arn, name))
            }
            (None, Some(name)) => {
                let name = shorten(one(name)?);
                let region = self.region.map_or("", |region| region);
                let parent = here.parent.map_or("", |(_, name)| name);
                let arn = self.kind.arn_within(
                    &account.partition,
                    region,
                    &account.id,
                    parent,
                    &name,
                );
                Some((arn, name))
            }
            (None, None) => None,
        }
    }

    /// The texts of a pointer or template.
    fn text(
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
                "partition" => Some(self.draft.account.partition.to_string()),
                "account" => Some(self.draft.account.id.to_string()),
                "region" => Some(self.region.map_or_else(String::new, |region| region.to_string())),
                pointer if pointer.starts_with('/') => texts(item, pointer)?.into_iter().next(),
                _ => None,
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
        Ok(values)
    }

    /// Puts what an item says into the object; what is known already stays.
    fn say(
        &mut self,
        draft: &mut ObjectDraft,
        said: &Said<'_>,
        item: &Value,
        here: &Place<'_>,
        place: &str,
    ) {
        for (name, form) in said.attributes {
            let known: Known<Vec<Arc<str>>> = match self.attribute(form, item, here) {
                Ok(values) => {
                    let mut values: Vec<Arc<str>> = values
                        .iter()
                        .filter(|value| !value.is_empty())
                        .map(|value| self.draft.texts.share(value))
                        .collect();
                    // Several places may name the same: a set, in the order found.
                    let mut seen = BTreeSet::new();
                    values.retain(|value| seen.insert(value.clone()));
                    Ok(values)
                }
                Err(wrong) => {
                    let why = gap(format!("{place}{}: {}", shown(&wrong.at), wrong.problem));
                    self.draft.gaps.push(why.clone());
                    Err(why)
                }
            };
            learn(&mut draft.object.attributes, self.draft.texts.share(name), known);
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
                    let why = format!("{place}{}: {}", shown(&wrong.at), wrong.problem);
                    self.draft.gaps.push(gap(why));
                }
            }
        }
        if let Some(pointer) = said.policy
            && !matches!(draft.object.policy, OwnPolicy::Present(_))
        {
            draft.object.policy = self.policy(item, pointer, place);
        }
    }

    fn policy(&mut self, item: &Value, pointer: &str, place: &str) -> OwnPolicy {
        let found = match select(item, pointer, false) {
            Ok(found) => found,
            Err(wrong) => {
                let why = gap(format!("{place}{}: {}", shown(&wrong.at), wrong.problem));
                self.draft.gaps.push(why.clone());
                return OwnPolicy::Unknown(why);
            }
        };
        let Some(found) = found.into_iter().next() else { return OwnPolicy::Absent };
        let here = || format!("{place}{}", shown(&found.at));
        match found.value {
            Value::Null => OwnPolicy::Absent,
            Value::String(text) if text.trim().is_empty() => OwnPolicy::Absent,
            Value::String(text) => {
                OwnPolicy::Present(self.draft.documents.intern_text(text, here))
            }
            object @ Value::Object(_) => {
                OwnPolicy::Present(self.draft.documents.intern(&object.to_string(), here))
            }
            other => {
                let wrong = mismatch(String::new(), "a policy document", other);
                let why = gap(format!("{}: {}", here(), wrong.problem));
                self.draft.gaps.push(why.clone());
                OwnPolicy::Unknown(why)
            }
        }
    }

    /// Completes every object that was found: what other responses say, and what none does.
    fn details(&mut self) {
        let kind = self.kind;
        let indexes: Vec<Option<Lookup>> =
            kind.details.iter().map(|detail| self.lookup(detail)).collect();
        let mut found = std::mem::take(&mut self.found);
        for draft in found.values_mut() {
            let mut policy_known = !kind.has_policy()
                || matches!(draft.object.policy, OwnPolicy::Present(_) | OwnPolicy::Unknown(_));
            // Domains say their policy where they are described: then none is none.
            policy_known |= kind.sources.iter().any(|source| {
                source.policy.is_some()
                    && source.attributes.keys().any(|name| {
                        matches!(draft.object.attributes.get(name.as_str()), Some(Ok(_)))
                    })
            });
            let mut policy_unknown = None;
            for (detail, index) in kind.details.iter().zip(&indexes) {
                match self.detail(draft, detail, index.as_ref()) {
                    Ok(()) => policy_known |= detail.policy.is_some(),
                    Err(why) => {
                        for name in detail.attributes.keys() {
                            let name = self.draft.texts.share(name);
                            learn(&mut draft.object.attributes, name, Err(why.clone()));
                        }
                        if detail.policy.is_some() && policy_unknown.is_none() {
                            policy_unknown = Some(why);
                        }
                    }
                }
            }
            if !policy_known {
                let why = policy_unknown.unwrap_or_else(|| self.would_say(|source| {
                    source.policy.is_some()
                }));
                draft.object.policy = OwnPolicy::Unknown(why);
            }
            for name in kind.attributes() {
                let linked = kind.links.contains_key(name);
                if !linked && !draft.object.attributes.contains_key(name) {
                    let why = self.would_say(|source| source.attributes.contains_key(name));
                    let name = self.draft.texts.share(name);
                    draft.object.attributes.insert(name, Err(why));
                }
            }
        }
        self.found = found;
    }

    /// The gap of the source that would have said something.
    fn would_say(&self, says: impl Fn(&Source) -> bool) -> Gap {
        let source = self.kind.sources.iter().find(|source| says(source));
        let file = source.and_then(|source| source.file.iter().next()).unwrap_or_default();
        gap(format!("{} was not asked, or does not say", self.files.place(file)))
    }

    fn detail(
        &mut self,
        draft: &mut ObjectDraft,
        detail: &DetailSource,
        index: Option<&Lookup>,
    ) -> Result<(), Gap> {
        let said = Said {
            attributes: &detail.attributes,
            tags: detail.tags.as_deref(),
            policy: detail.policy.as_deref(),
        };
        let here = Place { key: None, parent: None };
        if let Some(index) = index {
            let (content, by_key, place) = match index {
                Lookup::Unknown(why) => return Err(why.clone()),
                Lookup::Known(content, by_key, place) => (content, by_key, place),
            };
            let item = by_key.get(&*draft.object.name).or_else(|| by_key.get(&*draft.object.arn));
            match (item, &**content) {
                (Some(at), Response::Content(content)) => {
                    if let Some(item) = content.pointer(at) {
                        self.say(draft, &said, item, &here, &format!("{place} at {at}"));
                    }
                }
                _ => self.say_nothing(draft, detail),
            }
            return Ok(());
        }
        let commands: Vec<String> =
            detail.file.iter().flat_map(|file| arguments(file, &draft.object)).collect();
        let command = first_there(self.files, commands.iter().map(String::as_str));
        let response = self.files.response(&command);
        match &*response {
            Response::Content(content) => {
                let place = format!("{} at ", self.files.place(&command));
                self.say(draft, &said, content, &here, &place);
                Ok(())
            }
            Response::Absent => {
                self.say_nothing(draft, detail);
                Ok(())
            }
            Response::Unknown(why) => Err(why.clone()),
        }
    }

    /// The response says nothing about the object: there is nothing.
    fn say_nothing(&mut self, draft: &mut ObjectDraft, detail: &DetailSource) {
        for name in detail.attributes.keys() {
            let name = self.draft.texts.share(name);
            learn(&mut draft.object.attributes, name, Ok(Vec::new()));
        }
    }

    /// The items of a response about many objects, by the object they are about.
    fn lookup(&mut self, detail: &DetailSource) -> Option<Lookup> {
        let key = detail.key.as_ref()?;
        let command = first_there(self.files, detail.file.iter());
        let response = self.files.response(&command);
        let place = self.files.place(&command);
        let content = match &*response {
            Response::Content(content) => content,
            Response::Absent => return Some(Lookup::Known(response, HashMap::new(), place)),
            Response::Unknown(why) => return Some(Lookup::Unknown(why.clone())),
        };
        let items = match select(content, &detail.items, true) {
            Ok(items) => items,
            Err(Mismatch { missing: true, .. }) if is_empty(content) => Vec::new(),
            Err(wrong) => {
                let why = at_place(&place, "", &wrong);
                self.draft.gaps.push(why.clone());
                return Some(Lookup::Unknown(why));
            }
        };
        let mut by_key = HashMap::new();
        for item in items {
            match texts(item.value, key).ok().and_then(|keys| keys.into_iter().next()) {
                Some(key) => {
                    by_key.entry(key).or_insert(item.at);
                }
                None => self.draft.gaps.push(gap(format!(
                    "{place} at {}: expected a text at {key}, left out",
                    item.at
                ))),
            }
        }
        Some(Lookup::Known(response, by_key, place))
    }
}

/// What a table takes from an item.
struct Said<'a> {
    attributes: &'a BTreeMap<String, AttributeForm>,
    tags: Option<&'a str>,
    policy: Option<&'a str>,
}

/// A response about many objects.
enum Lookup {
    /// The response, the pointer to what it says by object, and its file.
    Known(Rc<Response>, HashMap<String, String>, Arc<str>),
    Unknown(Gap),
}

/// A value replaces what is unknown or empty, a gap replaces nothing.
fn learn(attributes: &mut Attributes, name: Arc<str>, known: Known<Vec<Arc<str>>>) {
    use std::collections::btree_map::Entry;
    match attributes.entry(name) {
        Entry::Vacant(vacant) => {
            vacant.insert(known);
        }
        Entry::Occupied(mut occupied) => {
            let better = match (occupied.get(), &known) {
                (Err(_), Ok(_)) => true,
                (Ok(old), Ok(new)) => old.is_empty() && !new.is_empty(),
                _ => false,
            };
            if better {
                *occupied.get_mut() = known;
            }
        }
    }
}

/// Whether an object may have what only objects with these attribute values have.
fn may_have(object: &Object, parent_where: &BTreeMap<String, String>) -> bool {
    parent_where.iter().all(|(name, value)| match object.attributes.get(name.as_str()) {
        Some(Ok(values)) => values.iter().any(|known| **known == **value),
        _ => true,
    })
}

/// The first of the commands that has a file, or the first.
fn first_there<'a>(
    files: &ResponseFiles<'_>,
    commands: impl Iterator<Item = &'a str> + Clone,
) -> String {
    commands
        .clone()
        .find(|command| files.is_there(command))
        .or_else(|| commands.clone().next())
        .unwrap_or_default()
        .to_owned()
}

/// The commands of a file with `{name}` or `{attribute}`: the object's name and then its ARN, or
/// the attribute's values.
fn arguments(file: &str, object: &Object) -> Vec<String> {
    let Some((before, rest)) = file.split_once('{') else { return vec![file.to_owned()] };
    let Some((key, after)) = rest.split_once('}') else { return vec![file.to_owned()] };
    let values: Vec<&str> = match key {
        "name" => vec![&object.name, &object.arn],
        attribute => match object.attributes.get(attribute) {
            Some(Ok(values)) => values.iter().map(|value| &**value).collect(),
            _ => Vec::new(),
        },
    };
    values.into_iter().map(|value| format!("{before}{value}{after}")).collect()
}

/// Whether a response has no members of its own.
fn is_empty(content: &Value) -> bool {
    content
        .as_object()
        .is_some_and(|object| object.keys().all(|key| key == "ResponseMetadata"))
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
                        names.iter().find_map(|name| tag.get(name)).and_then(Value::as_str)
                    };
                    let key = member(["Key", "key", "TagKey", "tagKey"]);
                    let value = member(["Value", "value", "TagValue", "tagValue"]);
                    match key {
                        Some(key) => out.push((key.to_owned(), value.unwrap_or("").to_owned())),
                        None => {
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

fn at_place(place: &str, before: &str, wrong: &Mismatch) -> Gap {
    gap(format!("{place} at {before}{}: {}", shown(&wrong.at), wrong.problem))
}

/// A pointer, for people: keys are the snapshot's text.
fn shown(at: &str) -> String {
    at.escape_debug().to_string()
}

/// Makes the values of attributes that name other objects ARNs, and follows the links of the
/// tables. All Regions of the account have been read.
pub(super) fn link(kinds: &ResourceKinds, draft: &mut AccountDraft) {
    let naming: HashMap<&str, Vec<(&str, &ResourceKind)>> = kinds
        .iter()
        .map(|kind| (kind.kind.as_str(), references(kind, kinds)))
        .filter(|(_, references)| !references.is_empty())
        .collect();
    let linked = |object: &Object| kinds.get(&object.kind).filter(|kind| !kind.links.is_empty());
    let any = draft.objects.iter().any(|one| {
        naming.contains_key(&*one.object.kind) || linked(&one.object).is_some()
    });
    if !any {
        return;
    }

    let mut by_arn: HashMap<Arc<str>, usize> = HashMap::new();
    let mut by_name: HashMap<(Arc<str>, Arc<str>), Vec<usize>> = HashMap::new();
    for (at, ObjectDraft { object, .. }) in draft.objects.iter().enumerate() {
        by_arn.entry(object.arn.clone()).or_insert(at);
        by_name.entry((object.kind.clone(), object.name.clone())).or_default().push(at);
    }

    // Names become ARNs.
    let mut resolved: Vec<(usize, Arc<str>, Vec<Arc<str>>)> = Vec::new();
    for (at, ObjectDraft { object, .. }) in draft.objects.iter().enumerate() {
        for (attribute, kind) in naming.get(&*object.kind).into_iter().flatten() {
            let Some((name, Ok(values))) = object.attributes.get_key_value(*attribute) else {
                continue;
            };
            let arns: Vec<Arc<str>> = values
                .iter()
                .map(|value| {
                    if value.starts_with("arn:") {
                        return without_qualifier(value, &by_arn);
                    }
                    let known = by_name
                        .get(&(kind.kind.as_str().into(), value.clone()))
                        .into_iter()
                        .flatten()
                        .filter_map(|at| draft.objects.get(*at))
                        .find(|other| kind.global || other.object.region == object.region);
                    match known {
                        Some(other) => other.object.arn.clone(),
                        None => {
                            let region = object.region.as_deref().unwrap_or_default();
                            let account = &draft.account;
                            kind.arn_of(&account.partition, region, &account.id, value).into()
                        }
                    }
                })
                .collect();
            if arns != *values {
                resolved.push((at, name.clone(), arns));
            }
        }
    }
    for (at, name, arns) in resolved {
        if let Some(one) = draft.objects.get_mut(at) {
            one.object.attributes.insert(name, Ok(arns));
        }
    }

    // Links may go through other links: a group's launch template's profile's role. Each pass
    // follows one more; what is left then goes in circles.
    let mut open: Vec<(usize, Arc<str>, &escalade_models::Link)> = Vec::new();
    for (at, ObjectDraft { object, .. }) in draft.objects.iter().enumerate() {
        for (name, link) in linked(object).into_iter().flat_map(|kind| &kind.links) {
            let has_value = matches!(
                object.attributes.get(name.as_str()),
                Some(Ok(values)) if !values.is_empty()
            );
            if !has_value {
                open.push((at, draft.texts.share(name), link));
            }
        }
    }
    // An attribute that is still to be followed must not be read as empty.
    for (at, name, _) in &open {
        if let Some(one) = draft.objects.get_mut(*at) {
            one.object.attributes.remove(name);
        }
    }
    for _ in 0..8 {
        let mut later = Vec::new();
        for (at, name, link) in std::mem::take(&mut open) {
            match follow(draft, at, link, &by_arn) {
                Some(known) => {
                    if let Some(one) = draft.objects.get_mut(at) {
                        one.object.attributes.insert(name, known);
                    }
                }
                None => later.push((at, name, link)),
            }
        }
        open = later;
    }
    for (at, name, link) in open {
        if let Some(one) = draft.objects.get_mut(at) {
            let why = gap(format!("{:?} refers to itself by {}", &*one.object.arn, link.through));
            one.object.attributes.insert(name, Err(why));
        }
    }
}

/// What a link leads to; `None` if the other object's attribute is not there yet.
fn follow(
    draft: &AccountDraft,
    at: usize,
    link: &escalade_models::Link,
    by_arn: &HashMap<Arc<str>, usize>,
) -> Option<Known<Vec<Arc<str>>>> {
    let object = &draft.objects.get(at)?.object;
    let through = match object.attributes.get(link.through.as_str())? {
        Ok(through) => through,
        Err(why) => return Some(Err(why.clone())),
    };
    let mut out: Vec<Arc<str>> = Vec::new();
    for arn in through {
        let Some(other) = by_arn.get(arn).and_then(|at| draft.objects.get(*at)) else {
            let why = format!("{:?}: not in the snapshot, needed for {:?}", &**arn, &*object.arn);
            return Some(Err(gap(why)));
        };
        match other.object.attributes.get(link.take.as_str())? {
            Ok(values) => {
                for value in values {
                    if !out.contains(value) {
                        out.push(value.clone());
                    }
                }
            }
            Err(why) => return Some(Err(why.clone())),
        }
    }
    Some(Ok(out))
}

/// The ARN itself; or, where that is no object, the ARN without the version or alias at its end,
/// if that is one.
fn without_qualifier(arn: &Arc<str>, by_arn: &HashMap<Arc<str>, usize>) -> Arc<str> {
    if by_arn.contains_key(arn) {
        return arn.clone();
    }
    match arn.rsplit_once(':').and_then(|(plain, _)| by_arn.get_key_value(plain)) {
        Some((plain, _)) => plain.clone(),
        None => arn.clone(),
    }
}

/// The attributes of a kind whose values name objects, with the kind of these.
fn references<'a>(
    kind: &'a ResourceKind,
    kinds: &'a ResourceKinds,
) -> Vec<(&'a str, &'a ResourceKind)> {
    let sources = kind.sources.iter().flat_map(|source| &source.attributes);
    let details = kind.details.iter().flat_map(|detail| &detail.attributes);
    let mut out: Vec<(&str, &ResourceKind)> = sources
        .chain(details)
        .filter_map(|(name, form)| match form {
            AttributeForm::Full(full) => Some((name.as_str(), kinds.get(full.object.as_ref()?)?)),
            AttributeForm::Plain(_) => None,
        })
        .collect();
    out.sort_by_key(|(name, _)| *name);
    out.dedup_by_key(|(name, _)| *name);
    out
}

/// The files that would list a kind, for the gap of a Region or account that was not collected.
pub(super) fn listing(kind: &ResourceKind) -> Option<&str> {
    kind.sources.iter().find(|source| source.complete).and_then(|source| match &source.file {
        OneOrMany::One(file) => Some(file.as_str()),
        OneOrMany::Many(files) => files.first().map(String::as_str),
    })
}
