//! Where the statements of an answer stand: in which file of the snapshot, on which lines, and the
//! policy's text around them.

mod file;
mod location;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use escalade_models::{ResourceKinds, aws_managed_policies};
use rayon::prelude::*;

pub(crate) use file::{PolicyFile, PolicyFiles};
pub use location::Location;

use crate::answer::{AllowedBy, Answer};
use crate::authorization::Origin;
use crate::snapshot::{Detail, JsonText, PolicyText, PolicyTexts, Wanted, World};

/// A policy that statements of answers are of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyName {
    /// What it is of.
    pub origin: Origin,
    /// What it is called there.
    pub name: Arc<str>,
}

impl From<&AllowedBy> for PolicyName {
    fn from(by: &AllowedBy) -> Self {
        Self { origin: by.origin, name: by.policy.clone() }
    }
}

/// A policy with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedPolicy {
    /// The policy as people know it.
    pub name: Arc<str>,
    /// Whose it is, by ARN; nothing for control policies, and for what is in no snapshot.
    pub of: Option<Arc<str>>,
    /// The file that holds it, from the snapshot's folder on, with `/` between the parts. Nothing
    /// for what an attacker writes, and for AWS's own policies where the snapshot lists them not.
    pub file: Option<Arc<str>>,
    /// Its document; nothing if the files do not show it.
    pub text: Option<PolicyText>,
}

/// The policies whose statements allow the calls of these answers, with their places.
///
/// - `snapshot`: the folder or the file that `world` was loaded from. What cannot be read from it
///   any more is left without a text.
pub fn policies<'a>(
    world: &World,
    kinds: &ResourceKinds,
    snapshot: &Path,
    answers: impl IntoIterator<Item = &'a Answer>,
) -> BTreeMap<PolicyName, PlacedPolicy> {
    let wanted: BTreeSet<PolicyName> = answers
        .into_iter()
        .filter_map(|answer| answer.path.as_ref())
        .flat_map(|path| &path.steps)
        .flat_map(|step| &step.calls)
        .flat_map(|call| &call.allowed_by)
        .map(PolicyName::from)
        .collect();
    let (folder, single) = split(snapshot);
    let files = PolicyFiles { world, kinds, single };
    let mut by_file = BTreeMap::<Arc<str>, BTreeSet<Wanted>>::new();
    for policy in &wanted {
        for (file, place) in files.places(&policy.name, policy.origin) {
            by_file.entry(file).or_default().insert(place);
        }
    }
    // Each file is read once, and gone before too many others are read.
    let found: BTreeMap<(Arc<str>, Wanted), PolicyText> = by_file
        .into_par_iter()
        .flat_map_iter(|(file, places)| {
            let text = JsonText::read(&folder.join(&*file)).ok();
            let texts = text.as_ref().map(PolicyTexts::of);
            let found: Vec<_> = places
                .into_iter()
                .filter_map(|place| {
                    let text = texts.as_ref()?.get(&place)?;
                    Some(((file.clone(), place), text))
                })
                .collect();
            found
        })
        .collect();
    wanted
        .into_iter()
        .map(|policy| {
            let known = files.policy(&policy.name, policy.origin);
            let mut placed = files
                .places(&policy.name, policy.origin)
                .into_iter()
                .find_map(|place| Some((found.get(&place)?.clone(), place.0)));
            if placed.is_none() {
                placed = built_in(world, policy.origin).map(|text| (text, "".into()));
            }
            let (text, file) = placed.unzip();
            let file = file.filter(|file| !file.is_empty()).or(known.file);
            (policy, PlacedPolicy { name: known.policy, of: known.of, file, text })
        })
        .collect()
}

/// The file that says most about a principal; nothing if it is not in the snapshot.
pub fn file_of_principal(
    world: &World,
    kinds: &ResourceKinds,
    snapshot: &Path,
    arn: &str,
) -> Option<Arc<str>> {
    let object = world.object(*world.by_arn.get(arn)?)?;
    PolicyFiles { world, kinds, single: split(snapshot).1 }.details(object)
}

/// The folder that files are named from, and the snapshot's only file.
fn split(snapshot: &Path) -> (&Path, Option<Arc<str>>) {
    if snapshot.is_dir() {
        return (snapshot, None);
    }
    let name = snapshot.file_name().unwrap_or_default().to_string_lossy();
    (snapshot.parent().unwrap_or(Path::new("")), Some(name.into()))
}

/// The text of an AWS-managed policy that no file lists.
fn built_in(world: &World, origin: Origin) -> Option<PolicyText> {
    let Origin::Held { managed: Some((id, _)), .. } = origin else { return None };
    let policy = world.object(id)?;
    if !matches!(&policy.detail, Detail::Policy(policy) if policy.aws_managed) {
        return None;
    }
    let policies = aws_managed_policies().ok()?;
    let known = |known: &&escalade_models::AwsManagedPolicy| {
        policy.arn.strip_suffix(&*known.path).is_some_and(|start| start.ends_with(":aws:policy/"))
    };
    Some(PolicyText::of_document(policies.iter().find(known)?.document()))
}
