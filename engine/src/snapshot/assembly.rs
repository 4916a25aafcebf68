//! Accounts put together: documents each once and compiled, ARNs unique, references resolved.

use std::collections::BTreeSet;
use std::sync::Arc;

use escalade_models::AwsManagedPolicy;
use foldhash::{HashMap, HashSet};
use rayon::prelude::*;

use super::administration::add_administration;
use super::documents::{Documents, Text};
use super::draft::{AccountDraft, Attributes, ObjectDraft, References, boundary_mut, policies_mut};
use super::files::gap;
use super::identity::is_aws_managed;
use super::identity_center::link_identity_center;
use super::organization::Organization;
use super::world::{
    AccountIndex, Attached, Detail, Document, DocumentId, ManagedPolicy, Object, ObjectId,
    OwnPolicy, PolicySource, World,
};
use crate::policy::Policy;
use crate::residual::Gap;

/// Makes the world of the accounts, which are sorted by id, and the organization, whose documents
/// are in `documents`.
pub(super) fn assemble(
    mut drafts: Vec<AccountDraft>,
    organization: Option<(Organization, Documents)>,
    managed: &[AwsManagedPolicy],
) -> World {
    let mut world = World::default();
    let mut gaps: Vec<Gap> = Vec::new();

    // Documents first: after this all ids are the world's.
    let mut documents = Documents::default();
    let mut renumbered = Vec::with_capacity(drafts.len());
    for draft in &mut drafts {
        let texts = std::mem::take(&mut draft.documents).into_texts();
        renumbered.push(documents.absorb(texts));
    }
    if let Some((organization, own)) = organization {
        let new = documents.absorb(own.into_texts());
        world.organization = Some(organization.with_documents(&new));
    }
    drafts.par_iter_mut().zip(&renumbered).enumerate().for_each(|(at, (draft, new))| {
        let account = AccountIndex(u32::try_from(at).unwrap_or(u32::MAX));
        for one in &mut draft.objects {
            one.object.account = account;
            renumber(&mut one.object, new);
        }
    });
    add_managed_policies(&mut drafts, managed, &mut documents);
    link_identity_center(&mut drafts);
    if let Some(organization) = &world.organization {
        add_organization(&mut drafts, organization, &documents);
    }
    add_administration(&mut drafts, world.organization.as_ref());
    drafts.par_iter_mut().for_each(|draft| {
        // Stable: of two objects with one ARN the first in the files stays first.
        draft
            .objects
            .sort_by(|a, b| (&a.object.kind, &a.object.arn).cmp(&(&b.object.kind, &b.object.arn)));
    });

    let texts = documents.into_texts();
    let compiled: Vec<(Document, Option<Gap>)> = texts.par_iter().map(compile).collect();
    for (document, why) in compiled {
        world.documents.push(document);
        gaps.extend(why);
    }
    only_whole(&mut drafts, &texts, &mut world.documents);

    let count = drafts.iter().map(|draft| draft.objects.len()).sum();
    let mut references = Vec::with_capacity(count);
    world.objects.reserve(count);
    world.by_arn.reserve(count);
    let mut first_default: HashMap<Arc<str>, DocumentId> = HashMap::default();
    for draft in drafts {
        gaps.extend(draft.gaps);
        let account = draft.account.id.clone();
        world.accounts.push(draft.account);
        for ObjectDraft { object, refers_to, .. } in draft.objects {
            if let Some(first) = world.by_arn.get(&object.arn).copied() {
                let same_references = references.get(first.0 as usize) == Some(&refers_to);
                match in_doubt(&object, first, same_references, &account, &mut world) {
                    Some(why) => gaps.push(why),
                    None => gaps.extend(again(&object, &account, &first_default, &world)),
                }
                continue;
            }
            if let Detail::Policy(policy) = &object.detail
                && policy.aws_managed
                && let Some(document) = default_document(policy)
            {
                first_default.insert(object.arn.clone(), document);
            }
            let id = ObjectId(u32::try_from(world.objects.len()).unwrap_or(u32::MAX));
            world.by_arn.insert(object.arn.clone(), id);
            world.objects.push(object);
            references.push(refers_to);
        }
    }

    let by_arn = &world.by_arn;
    let missing: BTreeSet<Gap> = world
        .objects
        .par_iter_mut()
        .zip(references)
        .flat_map_iter(|(object, refers_to)| resolve(object, refers_to, by_arn))
        .collect();
    gaps.extend(missing);

    if let Some(organization) = &world.organization {
        gaps.extend(world.accounts.iter().filter_map(|account| organization.unplaced(&account.id)));
    }
    if world.organization.is_none()
        && let Some(first) = world.accounts.first()
    {
        let others = match world.accounts.len() - 1 {
            0 => String::new(),
            1 => " and 1 other account".to_owned(),
            more => format!(" and {more} other accounts"),
        };
        gaps.push(gap(format!(
            "accounts/{}{others}: no organization data: service control policies were taken as \
             absent",
            first.id
        )));
    }
    gaps.sort();
    gaps.dedup();
    world.gaps = gaps;
    world.build_index();
    world
}

/// Where a principal, group or policy of the account's own is there twice and the two differ, which
/// of them is right is not known: what it allows, and whom a role trusts, is then unknown. Gives what
/// to say of it.
///
/// - `first`: the one that is in the world.
/// - `same_references`: whether both are in the same groups or instance profiles.
fn in_doubt(
    object: &Object,
    first: ObjectId,
    same_references: bool,
    account: &str,
    world: &mut World,
) -> Option<Gap> {
    // Written differently, a document may say the same.
    let known = world.objects.get(first.0 as usize)?;
    if same_references && *known == read_as(object, known, world) {
        return None;
    }
    let known = world.objects.get_mut(first.0 as usize)?;
    let why = gap(format!(
        "accounts/{account}: {:?} is there twice with different content: which is right is not \
         known",
        &*object.arn
    ));
    let unknown = || Attached { source: PolicySource::Missing(why.0.clone()), inline: None };
    match &mut known.detail {
        Detail::User(user) => user.policies.push(unknown()),
        Detail::Role(role) => {
            role.policies.push(unknown());
            role.trust = Err(why.clone());
        }
        Detail::Group(policies) => policies.push(unknown()),
        Detail::Policy(policy) if !policy.aws_managed => {
            let document = DocumentId(u32::try_from(world.documents.len()).unwrap_or(u32::MAX));
            world.documents.push(Document { policy: Err(why.clone()) });
            policy.versions.iter_mut().for_each(|(_, version)| *version = document);
        }
        _ => return None,
    }
    Some(why)
}

/// An object with the documents of another one that is at the same place, where these say the same.
fn read_as(object: &Object, other: &Object, world: &World) -> Object {
    let mut out = object.clone();
    let mut theirs = Vec::new();
    each_document(&mut other.clone(), |id| theirs.push(*id));
    let mut theirs = theirs.into_iter();
    each_document(&mut out, |id| {
        if let Some(other) = theirs.next()
            && let (Some(one), Some(same)) = (world.policy(*id), world.policy(other))
            && one == same
        {
            *id = other;
        }
    });
    out
}

/// What to say of an object whose ARN is there already.
fn again(
    object: &Object,
    account: &str,
    first_default: &HashMap<Arc<str>, DocumentId>,
    world: &World,
) -> Option<Gap> {
    if let Detail::Policy(policy) = &object.detail
        && policy.aws_managed
    {
        // The same policy in every account: worth a word only where it says something else.
        let (first, here) = (first_default.get(&object.arn).copied(), default_document(policy));
        // Written differently, it may say the same.
        let read = |document: Option<DocumentId>| world.policy(document?);
        if first == here || (read(first).is_some() && read(first) == read(here)) {
            return None;
        }
        return Some(gap(format!(
            "accounts/{account}: {:?} says something else than in another account, whose \
             document was used",
            &*object.arn
        )));
    }
    Some(gap(format!("accounts/{account}: {:?} is there twice, the first was used", &*object.arn)))
}

fn default_document(policy: &ManagedPolicy) -> Option<DocumentId> {
    policy.versions.get(policy.default).map(|(_, document)| *document)
}

/// Compiles a document; the gap is for the world.
fn compile(text: &Text) -> (Document, Option<Gap>) {
    match &text.json {
        Ok(json) => match Policy::parse(json) {
            Ok(policy) => (Document { policy: Ok(policy) }, None),
            Err(error) => {
                let at = error.pointer.escape_debug();
                let why = gap(format!(
                    "{}{at}: expected {}, found {:?}",
                    text.place, error.expected, error.found
                ));
                (Document { policy: Err(why.clone()) }, Some(why))
            }
        },
        Err(why) => (Document { policy: Err(why.clone()) }, text.reported.then(|| why.clone())),
    }
}

/// Makes unknown what a policy says that lacks an element which every statement of its kind has: a
/// principal in policies of resources and roles, a resource in those of principals. AWS refuses such
/// policies, so something is missing from the text; that it is about nobody, or about everything,
/// would be a guess.
///
/// Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>
/// and <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>.
fn only_whole(drafts: &mut [AccountDraft], texts: &[Text], documents: &mut Vec<Document>) {
    let lacks = |documents: &[Document], id: DocumentId, element: &str| {
        let at = id.0 as usize;
        let statements = documents.get(at)?.policy.as_ref().ok()?.statements();
        let lacking = statements.iter().position(|statement| match element {
            "Principal" => statement.principals().is_none(),
            _ => statement.resource_element().is_none(),
        })?;
        let (place, number) = (&texts.get(at)?.place, lacking + 1);
        Some(gap(format!("{place}: expected a {element} in statement {number}, found none")))
    };
    // A document may be whole as the one and not as the other.
    let mut partial: HashMap<DocumentId, DocumentId> = HashMap::default();
    for AccountDraft { objects, gaps, .. } in drafts {
        for ObjectDraft { object, .. } in objects {
            if let OwnPolicy::Present(id) = object.policy
                && let Some(why) = lacks(documents, id, "Principal")
            {
                gaps.push(why.clone());
                object.policy = OwnPolicy::Unknown(why);
            }
            if let Detail::Role(role) = &mut object.detail
                && let Ok(id) = role.trust
                && let Some(why) = lacks(documents, id, "Principal")
            {
                gaps.push(why.clone());
                role.trust = Err(why);
            }
            each_of_principals(&mut object.detail, |id| {
                if let Some(known) = partial.get(id) {
                    *id = *known;
                } else if let Some(why) = lacks(documents, *id, "Resource") {
                    gaps.push(why.clone());
                    let new = DocumentId(u32::try_from(documents.len()).unwrap_or(u32::MAX));
                    documents.push(Document { policy: Err(why) });
                    partial.insert(*id, new);
                    *id = new;
                }
            });
        }
    }
}

fn renumber(object: &mut Object, new: &[DocumentId]) {
    each_document(object, |id| {
        if let Some(renumbered) = new.get(id.0 as usize) {
            *id = *renumbered;
        }
    });
}

/// Looks at each document of an object, in order.
fn each_document(object: &mut Object, mut change: impl FnMut(&mut DocumentId)) {
    if let OwnPolicy::Present(id) = &mut object.policy {
        change(id);
    }
    if let Detail::Role(role) = &mut object.detail
        && let Ok(id) = &mut role.trust
    {
        change(id);
    }
    each_of_principals(&mut object.detail, change);
}

/// Looks at each document that is a policy of principals, in order.
fn each_of_principals(detail: &mut Detail, mut change: impl FnMut(&mut DocumentId)) {
    if let Detail::Policy(policy) = detail {
        policy.versions.iter_mut().for_each(|(_, id)| change(id));
    }
    for attached in policies_mut(detail).into_iter().flatten() {
        if let Some(id) = &mut attached.inline {
            change(id);
        }
    }
}

/// Adds the organization's policies and what they are attached to to the management account, if the
/// snapshot has it.
fn add_organization(
    drafts: &mut [AccountDraft],
    organization: &Organization,
    documents: &Documents,
) {
    let management = organization.management_account.as_ref();
    let Some((at, draft)) =
        drafts.iter_mut().enumerate().find(|(_, draft)| Some(&draft.account.id) == management)
    else {
        return;
    };
    let account = AccountIndex(u32::try_from(at).unwrap_or(u32::MAX));
    let partition = draft.account.partition.clone();
    for (kind, arn, name, attributes) in
        organization.objects(&partition, |document| documents.denies(document))
    {
        let added = draft.add(kind, &arn, &name, attributes, Detail::Other);
        added.object.account = account;
        added.object.policy = organization.delegation().clone();
    }
}

/// Adds the AWS-managed policies that are built in and that no account lists to the first account of
/// each partition: they are in every account, whether somebody refers to them or not.
fn add_managed_policies(
    drafts: &mut [AccountDraft],
    managed: &[AwsManagedPolicy],
    documents: &mut Documents,
) {
    let mut wanted: HashSet<Arc<str>> = HashSet::default();
    let mut listed: HashSet<Arc<str>> = HashSet::default();
    let mut partitions: Vec<(Arc<str>, usize)> = Vec::new();
    for (at, draft) in drafts.iter_mut().enumerate() {
        let partition = &draft.account.partition;
        if !partitions.iter().any(|(known, _)| known == partition) {
            partitions.push((partition.clone(), at));
        }
        for one in &mut draft.objects {
            if matches!(one.object.detail, Detail::Policy(_)) {
                listed.insert(one.object.arn.clone());
            }
            let detail = &mut one.object.detail;
            for attached in policies_mut(detail).into_iter().flatten() {
                want(&attached.source, &mut wanted);
            }
            if let Some(boundary) = boundary_mut(detail) {
                want(boundary, &mut wanted);
            }
        }
    }
    for (partition, at) in partitions {
        let Some(draft) = drafts.get_mut(at) else { continue };
        let account = AccountIndex(u32::try_from(at).unwrap_or(u32::MAX));
        for policy in managed {
            let arn = policy.arn(&partition);
            if listed.contains(&*arn) {
                continue;
            }
            let document = documents.intern_text(policy.document(), || {
                format!("the document of {arn} that is built in")
            });
            // Nobody gains anything by attaching those that deny.
            if documents.denies(document) && !wanted.contains(&*arn) {
                continue;
            }
            let (path, name) = match policy.path.rsplit_once('/') {
                Some((path, name)) => (format!("/{path}/"), name),
                None => ("/".to_owned(), &*policy.path),
            };
            let truth: Arc<str> = "true".into();
            let denies = if documents.denies(document) { vec![truth.clone()] } else { Vec::new() };
            let attributes: Attributes = [
                ("aws-managed".into(), Ok(vec![truth])),
                ("denies".into(), Ok(denies)),
                ("path".into(), Ok(vec![path.into()])),
                ("versions".into(), Ok(vec!["1".into()])),
            ]
            .into();
            let versions = vec![(policy.version.as_str().into(), document)];
            let detail =
                Detail::Policy(Box::new(ManagedPolicy { versions, default: 0, aws_managed: true }));
            draft.add("iam:policy", &arn, name, attributes, detail).object.account = account;
        }
    }
}

fn want(source: &PolicySource, wanted: &mut HashSet<Arc<str>>) {
    if let PolicySource::Missing(arn) = source
        && is_aws_managed(arn)
        && !wanted.contains(arn)
    {
        wanted.insert(arn.clone());
    }
}

/// Replaces ARNs by ids. The gaps say which policies are attached but are not there.
fn resolve(
    object: &mut Object,
    refers_to: References,
    by_arn: &HashMap<Arc<str>, ObjectId>,
) -> Vec<Gap> {
    let mut missing = Vec::new();
    let mut find = |source: &mut PolicySource, what: &str| {
        if let PolicySource::Missing(arn) = source {
            match by_arn.get(arn) {
                Some(id) => *source = PolicySource::Managed(*id),
                // What is no ARN is a gap that was reported where it was found.
                None if !arn.starts_with("arn:") => {}
                None => missing.push(gap(format!(
                    "{:?} is {what}, but the snapshot does not hold it",
                    &**arn
                ))),
            }
        }
    };
    for attached in policies_mut(&mut object.detail).into_iter().flatten() {
        find(&mut attached.source, "attached");
    }
    if let Some(boundary) = boundary_mut(&mut object.detail) {
        find(boundary, "a permissions boundary");
    }
    let ids =
        |arns: Vec<Arc<str>>| arns.iter().filter_map(|arn| by_arn.get(arn).copied()).collect();
    match (&mut object.detail, refers_to) {
        (Detail::User(user), References::Groups(arns)) => user.groups = ids(arns),
        (Detail::Role(role), References::Profiles(arns)) => role.profiles = ids(arns),
        (Detail::InstanceProfile(roles), _) => {
            if let Some(Ok(arns)) = object.attributes.get("role") {
                *roles = ids(arns.clone());
            }
        }
        _ => {}
    }
    missing
}
