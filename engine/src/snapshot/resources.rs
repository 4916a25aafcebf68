//! Objects of every kind but IAM's own, made from responses as the resource tables say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use escalade_models::{OneOrMany, ResourceKind, ResourceKinds, Source, parent_of};
use serde_json::Value;

use super::draft::{AccountDraft, Attributes, ObjectDraft};
use super::files::{File, Responses, gap};
use super::item::{Place, Said, shown};
use super::pointer::{Mismatch, select, texts};
use super::response::{Response, ResponseFiles, is_empty, is_one_page, one_page};
use super::world::{AccountIndex, Detail, Object, OwnPolicy};
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
        if kind.sources.is_empty() {
            continue;
        }
        if !kind.anywhere && kind.global != region.is_none() {
            misplaced(kind, files, draft);
            continue;
        }
        let mut reading = KindReading {
            kind,
            region,
            files: &mut *files,
            draft: &mut *draft,
            found: BTreeMap::new(),
            left_out: BTreeSet::new(),
            uncollected: None,
        };
        reading.sources(&made);
        reading.unlisted();
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

/// Says that responses about a kind are in a folder where they are not looked for.
fn misplaced(kind: &ResourceKind, files: &ResponseFiles<'_>, draft: &mut AccountDraft) {
    let right = if kind.global { "the folder global" } else { "a Region's folder" };
    for file in responses_about(kind, files.responses()) {
        draft.gaps.push(gap(format!("{}: not used, it belongs in {right}", file.shown)));
    }
}

/// The responses that say something of objects of a kind.
fn responses_about<'a>(
    kind: &'a ResourceKind,
    responses: &'a Responses,
) -> impl Iterator<Item = &'a File> {
    let listing = kind.sources.iter().flat_map(|source| source.file.iter());
    let more = kind.details.iter().flat_map(|detail| detail.file.iter());
    listing.chain(more).flat_map(|file| {
        let (prefix, exact) = match file.split_once(['{', '*']) {
            Some((prefix, _)) => (prefix, false),
            None => (file, true),
        };
        responses
            .starting(prefix)
            .filter(move |(rest, _)| !exact || rest.is_empty())
            .map(|(_, f)| f)
    })
}

/// Takes the responses of global services that lie in a Region's folder and not in `global`: they
/// are the same from every Region.
pub(super) fn take_global(kinds: &ResourceKinds, global: &mut Responses, region: &mut Responses) {
    let mut wanted: BTreeSet<Arc<str>> = BTreeSet::new();
    for kind in kinds.iter().filter(|kind| kind.global && !kind.anywhere) {
        wanted.extend(responses_about(kind, region).map(|file| file.shown.clone()));
    }
    global.take(region, |file| wanted.contains(&file.shown));
}

pub(super) struct KindReading<'a, 'b> {
    pub(super) kind: &'a ResourceKind,
    pub(super) region: Option<&'a Arc<str>>,
    pub(super) files: &'a mut ResponseFiles<'b>,
    pub(super) draft: &'a mut AccountDraft,
    /// By ARN.
    pub(super) found: BTreeMap<Arc<str>, ObjectDraft>,
    /// ARNs of what a source leaves out: no other source's word brings it back.
    left_out: BTreeSet<Arc<str>>,
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
                self.per_file(source)
            } else {
                self.one_file(source)
            };
            match outcome {
                Ok(()) => listed |= source.complete,
                Err(why) => {
                    // What was not asked of a list that is not complete counts as none; what AWS
                    // did not answer, or cannot be read, may hold anything.
                    let asked = !was_not_asked(&why);
                    // The first reason is the best, but a file that is there and cannot be used says
                    // more than one that is not there.
                    if asked || (source.complete && why_not.is_none()) {
                        why_not = Some(why);
                    }
                }
            }
        }
        if !listed {
            self.uncollected = why_not;
        }
        let left_out = std::mem::take(&mut self.left_out);
        self.found.retain(|arn, _| !left_out.contains(arn));
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
        let mut why_not =
            self.draft.account.uncollected.get(&(parent_kind.into(), region.into())).cloned();
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
                if source.complete {
                    let key = (self.kind.kind.as_str().into(), parent.object.arn.clone());
                    self.draft.account.uncollected_within.insert(key, why.clone());
                }
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
        // One that AWS did not answer says more than one that it was not asked for.
        let first = missing.iter().find(|why| !was_not_asked(why)).or(missing.first());
        if let Some(first) = first {
            why_not = Some(match missing.len() {
                1 => first.clone(),
                more => gap(format!("{first}, and {} more like it", more - 1)),
            });
        }
        why_not.map_or(Ok(()), Err)
    }

    /// A source with whatever files there are.
    fn per_file(&mut self, source: &Source) -> Result<(), Gap> {
        let mut whole = Ok(());
        for file in source.file.iter() {
            let Some((prefix, _)) = file.split_once('*') else { continue };
            let commands: Vec<String> = self
                .files
                .responses()
                .starting(prefix)
                .map(|(rest, _)| format!("{prefix}{rest}"))
                .collect();
            for command in commands {
                whole = whole.and(self.list(source, &command, None));
            }
        }
        whole
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
        let mut whole = if is_one_page(content) { Err(one_page(&place)) } else { Ok(()) };
        if let Err(why) = &whole {
            self.draft.gaps.push(why.clone());
        }
        for item in items {
            let here = Place { key: item.key, parent };
            match is_skipped(source, item.value) {
                Ok(false) => {}
                Ok(true) => {
                    if let Some((arn, _)) = self.identify(source, item.value, &here) {
                        self.left_out.insert(arn.into());
                    }
                    continue;
                }
                // It may be there, or be gone.
                Err(wrong) => {
                    let why = at_place(&place, &shown(&item.at), &wrong);
                    self.draft.gaps.push(why.clone());
                    whole = Err(why);
                    continue;
                }
            }
            let Some((arn, name)) = self.identify(source, item.value, &here) else {
                let at = shown(&item.at);
                let why = gap(format!("{place} at {at}: expected a name or ARN, left out"));
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

    pub(super) fn new_object(&mut self, arn: &Arc<str>, name: &str) -> ObjectDraft {
        let kind = self.draft.texts.share(&self.kind.kind);
        let detail = if self.kind.kind == "iam:instance-profile" {
            Detail::InstanceProfile(Vec::new())
        } else {
            Detail::Other
        };
        ObjectDraft::new(Object {
            kind,
            arn: arn.clone(),
            name: name.into(),
            account: AccountIndex(0),
            region: self.region.cloned(),
            attributes: Attributes::new(),
            tags: Vec::new(),
            policy: if self.kind.has_policy() { not_said() } else { OwnPolicy::Absent },
            detail,
        })
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
                let arn =
                    self.kind.arn_within(&account.partition, region, &account.id, parent, &name);
                Some((arn, name))
            }
            (None, None) => None,
        }
    }
}

/// Whether a gap is that nobody asked.
pub(super) fn was_not_asked(why: &Gap) -> bool {
    let first = why.0.split(", and ").next().unwrap_or_default();
    first.ends_with("was not asked")
}

/// Whether an item is one of those to leave out.
fn is_skipped(source: &Source, item: &Value) -> Result<bool, Mismatch> {
    for (pointer, values) in &source.skip {
        if texts(item, pointer)?.iter().any(|value| values.contains(value)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The policy of an object of which no response has said yet whether it has one.
pub(super) fn not_said() -> OwnPolicy {
    OwnPolicy::Unknown(gap(""))
}
/// Whether an object may have what only objects with these attribute values have.
fn may_have(object: &Object, parent_where: &BTreeMap<String, String>) -> bool {
    parent_where.iter().all(|(name, value)| match object.attributes.get(name.as_str()) {
        Some(Ok(values)) => values.iter().any(|known| **known == **value),
        _ => true,
    })
}

/// The first of the commands that has a file, or the first.
pub(super) fn first_there<'a>(
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
pub(super) fn at_place(place: &str, before: &str, wrong: &Mismatch) -> Gap {
    gap(format!("{place} at {before}{}: {}", shown(&wrong.at), wrong.problem))
}
/// The files that would list a kind, for the gap of a Region or account that was not collected.
pub(super) fn listing(kind: &ResourceKind) -> Option<&str> {
    kind.sources.iter().find(|source| source.complete).and_then(|source| match &source.file {
        OneOrMany::One(file) => Some(file.as_str()),
        OneOrMany::Many(files) => files.first().map(String::as_str),
    })
}
