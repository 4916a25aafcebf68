//! How objects refer to each other: names made ARNs, and attributes that are another object's.

use std::sync::Arc;

use foldhash::HashMap;

use escalade_models::{AttributeForm, Link, ResourceKind, ResourceKinds};

use super::draft::{AccountDraft, ObjectDraft};
use super::files::gap;
use super::world::{Known, Object};

/// Makes the values of attributes that name other objects ARNs, and follows the links of the
/// tables. All Regions of the account have been read.
pub(super) fn link(kinds: &ResourceKinds, draft: &mut AccountDraft) {
    let naming: HashMap<&str, Vec<(&str, &ResourceKind)>> = kinds
        .iter()
        .map(|kind| (kind.kind.as_str(), references(kind, kinds)))
        .filter(|(_, references)| !references.is_empty())
        .collect();
    let linked = |object: &Object| kinds.get(&object.kind).filter(|kind| !kind.links.is_empty());
    let any = draft
        .objects
        .iter()
        .any(|one| naming.contains_key(&*one.object.kind) || linked(&one.object).is_some());
    if !any {
        return;
    }

    let mut by_arn: HashMap<Arc<str>, usize> = HashMap::default();
    let mut by_name: HashMap<(Arc<str>, Arc<str>), Vec<usize>> = HashMap::default();
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
    let mut open: Vec<(usize, Arc<str>, &Link)> = Vec::new();
    for (at, ObjectDraft { object, misread, .. }) in draft.objects.iter().enumerate() {
        for (name, link) in linked(object).into_iter().flat_map(|kind| &kind.links) {
            let has_value = matches!(
                object.attributes.get(name.as_str()),
                Some(Ok(values)) if !values.is_empty()
            );
            // What a response says and cannot be read is not what the other object has.
            if !has_value && !misread.contains(name.as_str()) {
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
    link: &Link,
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
