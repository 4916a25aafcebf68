//! Responses that say more about objects that are listed elsewhere.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use escalade_models::{DetailSource, Source};
use serde_json::Value;

use super::draft::ObjectDraft;
use super::files::gap;
use super::item::{Place, Said, shown};
use super::pointer::{Mismatch, select, texts};
use super::resources::{KindReading, at_place, first_there, not_said, was_not_asked};
use super::response::{Response, is_empty, is_one_page, one_page};
use super::shown_keys::shows_keys;
use super::world::{Object, OwnPolicy, TAGS_NOT_KNOWN};
use crate::residual::Gap;

/// A response about many objects.
enum Lookup {
    Known(Index),
    Unknown(Gap),
}

/// What a response about many objects says.
struct Index {
    response: Rc<Response>,
    /// The pointers to it by object.
    by_key: HashMap<String, Vec<String>>,
    /// The response's file.
    place: Arc<str>,
    /// Why it may say something of objects that are not in `by_key`.
    more: Option<Gap>,
}

impl KindReading<'_, '_> {
    /// Completes every object that was found: what other responses say, and what none does.
    pub(super) fn details(&mut self) {
        let kind = self.kind;
        let indexes: Vec<Option<Lookup>> =
            kind.details.iter().map(|detail| self.lookup(detail)).collect();
        let mut found = std::mem::take(&mut self.found);
        for draft in found.values_mut() {
            let mut policy_unknown = None;
            for (detail, index) in kind.details.iter().zip(&indexes) {
                let Err(why) = self.detail(draft, detail, index.as_ref()) else { continue };
                for name in detail.attributes.keys().filter(|name| !shows_keys(name)) {
                    let name = self.draft.texts.share(name);
                    draft.learn(name, Err(why.clone()));
                }
                if detail.tags.is_some() {
                    let name = self.draft.texts.share(TAGS_NOT_KNOWN);
                    // Said alike of all, so that they count as alike.
                    let why = match was_not_asked(&why) {
                        true => self.tags_not_asked(detail),
                        false => why.clone(),
                    };
                    draft.learn(name, Err(why));
                }
                if detail.policy.is_some() && policy_unknown.is_none() {
                    policy_unknown = Some(why);
                }
            }
            if draft.object.policy == not_said() {
                let says = |source: &Source| source.policy.is_some();
                let why = policy_unknown.unwrap_or_else(|| self.would_say(says));
                draft.object.policy = if was_not_asked(&why) && !kind.always_has_policy {
                    OwnPolicy::NotAsked(why)
                } else {
                    OwnPolicy::Unknown(why)
                };
            }
            for name in kind.attributes() {
                let linked = kind.links.contains_key(name);
                if shows_keys(name) {
                    let name = self.draft.texts.share(name);
                    draft.object.attributes.entry(name).or_insert_with(|| Ok(Vec::new()));
                } else if !linked && !draft.object.attributes.contains_key(name) {
                    let why = self.would_say(|source| source.attributes.contains_key(name));
                    let name = self.draft.texts.share(name);
                    draft.object.attributes.insert(name, Err(why));
                }
            }
        }
        self.found = found;
    }

    /// The gap of a response about tags that was not asked.
    fn tags_not_asked(&self, detail: &DetailSource) -> Gap {
        let file = detail.file.iter().next().unwrap_or_default();
        let (command, _) = file.split_once("/{").unwrap_or((file, ""));
        let place = self.files.place(command);
        gap(format!("{} was not asked for each", place.trim_end_matches(".json")))
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
            let index = match index {
                Lookup::Unknown(why) => return Err(why.clone()),
                Lookup::Known(index) => index,
            };
            let (name, arn) = (&*draft.object.name, &*draft.object.arn);
            let item = index.by_key.get(name).or_else(|| index.by_key.get(arn));
            match (item, &*index.response) {
                (Some(items), Response::Content(content)) => {
                    for at in items {
                        if let Some(item) = content.pointer(at) {
                            let place = format!("{} at {at}", index.place);
                            match detail.every {
                                true => self.say_more(draft, &said, item, &here, &place),
                                false => self.say(draft, &said, item, &here, &place),
                            }
                        }
                    }
                }
                _ => match &index.more {
                    Some(why) => return Err(why.clone()),
                    None => self.say_nothing(draft, detail),
                },
            }
            return Ok(());
        }
        let commands: Vec<String> =
            detail.file.iter().flat_map(|file| arguments(file, &draft.object)).collect();
        let command = first_there(self.files, commands.iter().map(String::as_str));
        let response = self.files.response(&command);
        match &*response {
            // The others may hold what decides.
            Response::Content(content) if is_one_page(content) => {
                let why = one_page(&self.files.place(&command));
                self.draft.gaps.push(why.clone());
                Err(why)
            }
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

    /// Puts what one of several items says into the object, with what the others said.
    fn say_more(
        &mut self,
        draft: &mut ObjectDraft,
        said: &Said<'_>,
        item: &Value,
        here: &Place<'_>,
        place: &str,
    ) {
        let mut earlier = Vec::new();
        for name in said.attributes.keys() {
            // What was not asked elsewhere is known by this response.
            if let Some((name, known)) = draft.object.attributes.remove_entry(name.as_str())
                && (known.is_ok() || draft.misread.contains(&name))
            {
                earlier.push((name, known));
            }
        }
        self.say(draft, said, item, here, place);
        for (name, known) in earlier {
            let Some(now) = draft.object.attributes.get_mut(&name) else { continue };
            match (known, &mut *now) {
                // One of the items cannot be read: then what they say together is not known.
                (Err(why), _) => {
                    *now = Err(why);
                    draft.misread.insert(name);
                }
                (Ok(_), Err(_)) => {}
                (Ok(mut values), Ok(more)) => {
                    values.append(more);
                    let mut seen = BTreeSet::new();
                    values.retain(|value| seen.insert(value.clone()));
                    *more = values;
                }
            }
        }
    }

    /// The response says nothing about the object: there is nothing.
    fn say_nothing(&mut self, draft: &mut ObjectDraft, detail: &DetailSource) {
        for name in detail.attributes.keys() {
            let name = self.draft.texts.share(name);
            draft.learn(name, Ok(Vec::new()));
        }
        if detail.policy.is_some() && draft.object.policy == not_said() {
            draft.object.policy = OwnPolicy::Absent;
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
            Response::Absent => {
                let by_key = HashMap::new();
                return Some(Lookup::Known(Index { response, by_key, place, more: None }));
            }
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
        let mut more = is_one_page(content).then(|| one_page(&place));
        self.draft.gaps.extend(more.clone());
        let mut by_key = HashMap::new();
        for item in items {
            match texts(item.value, key).ok().and_then(|keys| keys.into_iter().next()) {
                Some(key) => {
                    let items: &mut Vec<String> = by_key.entry(key).or_default();
                    if detail.every || items.is_empty() {
                        items.push(item.at);
                    }
                }
                None => {
                    let at = shown(&item.at);
                    let why = gap(format!("{place} at {at}: expected a text at {key}, left out"));
                    self.draft.gaps.push(why.clone());
                    more.get_or_insert(why);
                }
            }
        }
        Some(match more {
            // What is left out may be about any of them.
            Some(why) if detail.every => Lookup::Unknown(why),
            more => Lookup::Known(Index { response, by_key, place, more }),
        })
    }
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
