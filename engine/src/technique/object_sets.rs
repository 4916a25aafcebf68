//! Sets of the snapshot's objects that resource patterns select. The same patterns recur in
//! thousands of policies, so each is matched against the objects once.

use std::collections::BTreeSet;
use std::hash::Hash;
use std::sync::{Arc, OnceLock, RwLock};

use foldhash::HashMap;
use roaring::RoaringBitmap;

use super::partition::Partition;
use super::rule::MatcherOf;
use crate::authorization::Input;
use crate::pattern::Pattern;
use crate::residual::Atom;
use crate::snapshot::{AccountIndex, Known, ObjectId, World};
use crate::solver::{Value, holds};

/// What was made for keys before.
pub(super) type Remembered<K, V> = RwLock<HashMap<K, V>>;

/// Objects by the values of an attribute.
type ByValues = Partition<Known<Vec<Arc<str>>>>;

/// The objects of one kind.
#[derive(Debug, Default)]
pub(super) struct OfKind {
    /// All that the snapshot lists.
    pub(super) all: RoaringBitmap,
    /// Those of each account.
    by_account: HashMap<AccountIndex, RoaringBitmap>,
    /// Those that are no account's own: AWS's, and the organization's.
    everywhere: RoaringBitmap,
    /// Those of each account and region.
    pub(super) places: Partition<Place>,
    /// The first five parts of their ARNs, each ending with a colon.
    heads: OnceLock<BTreeSet<Arc<str>>>,
    /// By the last part of their ARNs, behind the last colon or slash.
    by_last_part: OnceLock<HashMap<Arc<str>, Vec<ObjectId>>>,
    /// By attribute: those of which it has a value, or may have.
    leading_on: Remembered<Arc<str>, Arc<RoaringBitmap>>,
    /// By key of a tag: those that have each value, and those that have none.
    by_tag: Remembered<Arc<str>, Arc<Partition<Input>>>,
    /// By a question about a tag: those for which the answer is yes.
    passing: Remembered<Atom, Arc<RoaringBitmap>>,
    /// By attribute: those that have the same values.
    by_attribute: Remembered<Arc<str>, Arc<ByValues>>,
    /// By attribute and what must be true of it: those of which it is, or may be.
    fitting: Remembered<(Arc<str>, MatcherOf), Arc<RoaringBitmap>>,
    matching: Remembered<Pattern, Arc<RoaringBitmap>>,
    /// By attributes, one after the other: what these lead to.
    leading_to: Remembered<Vec<Arc<str>>, Arc<Leading>>,
}

/// Through which objects of a kind others are found.
#[derive(Debug, Default)]
pub(super) struct Leading {
    /// What is found.
    found: RoaringBitmap,
    /// The objects through which each of these is found.
    through: HashMap<u32, RoaringBitmap>,
    /// The same only of other accounts than what is found.
    abroad: HashMap<u32, RoaringBitmap>,
}

impl Leading {
    fn of(world: &World, objects: &RoaringBitmap, path: &[Arc<str>]) -> Self {
        let mut out = Self::default();
        for id in objects {
            for found in led_to(world, ObjectId(id), path) {
                out.found.insert(found.0);
                out.through.entry(found.0).or_default().insert(id);
                let account = |id: ObjectId| world.object(id).map(|object| object.account);
                if account(ObjectId(id)) != account(found) {
                    out.abroad.entry(found.0).or_default().insert(id);
                }
            }
        }
        out
    }

    /// Whether something is found through objects of other accounts than its own.
    pub(super) fn is_abroad(&self) -> bool {
        !self.abroad.is_empty()
    }

    /// The objects through which some of these are found, without those beside the ones that are an
    /// account's own.
    pub(super) fn to(&self, those: &RoaringBitmap, own: &RoaringBitmap) -> RoaringBitmap {
        let mut out = RoaringBitmap::new();
        for id in &self.found & those {
            let through = if own.contains(id) { &self.abroad } else { &self.through };
            if let Some(through) = through.get(&id) {
                out |= through;
            }
        }
        out
    }
}

/// The objects of the snapshot that attributes lead to from an object, one after the other.
pub(super) fn led_to(world: &World, from: ObjectId, path: &[Arc<str>]) -> Vec<ObjectId> {
    path.iter().fold(vec![from], |found, attribute| {
        let objects = found.iter().filter_map(|id| world.object(*id));
        let values = objects.flat_map(|object| object.attribute(attribute).unwrap_or_default());
        values.filter_map(|value| world.by_arn.get(&value).copied()).collect()
    })
}

impl OfKind {
    /// Those through which an attribute leads anywhere.
    ///
    /// - `leads`: whether it has a value for an object, or may have; asked once for each.
    pub(super) fn leading_on(
        &self,
        attribute: &Arc<str>,
        leads: impl Fn(u32) -> bool,
    ) -> Arc<RoaringBitmap> {
        remembered(&self.leading_on, attribute, || {
            Arc::new(self.all.iter().filter(|id| leads(*id)).collect())
        })
    }

    /// The objects parted by the value of a tag.
    ///
    /// - `value`: an object's value of the tag; asked once for each.
    pub(super) fn by_tag(
        &self,
        tag: &Arc<str>,
        value: impl Fn(u32) -> Input,
    ) -> Arc<Partition<Input>> {
        let parted = || Arc::new(Partition::new(self.all.iter().map(|id| (id, value(id)))));
        remembered(&self.by_tag, tag, parted)
    }

    /// The objects whose value of a tag passes. `None` if some value is not known.
    ///
    /// - `atom`: the question, about the variable that stands for the tag and is named like it;
    /// - `value`: an object's value of the tag; asked once for each.
    pub(super) fn passing(
        &self,
        atom: &Atom,
        value: impl Fn(u32) -> Input,
    ) -> Option<Arc<RoaringBitmap>> {
        let known = self.passing.read().ok();
        if let Some(known) = known.and_then(|known| known.get(atom).cloned()) {
            return Some(known);
        }
        let mut out = RoaringBitmap::new();
        for (value, ids) in self.by_tag(&atom.variable().name, value).parts() {
            let value = match value {
                Input::Absent => Value::Absent,
                Input::One(text) => Value::One(text.clone()),
                _ => return None,
            };
            if holds(atom, &value) {
                out |= ids;
            }
        }
        let out = Arc::new(out);
        if let Ok(mut known) = self.passing.write() {
            known.insert(atom.clone(), out.clone());
        }
        Some(out)
    }

    /// The objects parted by the values of an attribute.
    ///
    /// - `values`: an object's values; asked once for each.
    pub(super) fn by_attribute(
        &self,
        attribute: &Arc<str>,
        values: impl Fn(u32) -> Known<Vec<Arc<str>>>,
    ) -> Arc<ByValues> {
        let parted = || Arc::new(Partition::new(self.all.iter().map(|id| (id, values(id)))));
        remembered(&self.by_attribute, attribute, parted)
    }

    /// The objects of whose attribute something is true, or may be.
    ///
    /// - `fits`: whether it is true of an object, or may be; asked once for each.
    pub(super) fn fitting(
        &self,
        matcher: &(Arc<str>, MatcherOf),
        fits: impl Fn(u32) -> bool,
    ) -> Arc<RoaringBitmap> {
        remembered(&self.fitting, matcher, || {
            Arc::new(self.all.iter().filter(|id| fits(*id)).collect())
        })
    }

    /// Through which of the objects others are found by these attributes, one after the other.
    pub(super) fn leading_to(&self, world: &World, path: &Vec<Arc<str>>) -> Arc<Leading> {
        remembered(&self.leading_to, path, || Arc::new(Leading::of(world, &self.all, path)))
    }

    /// Those of an account.
    pub(super) fn of_account(&self, account: AccountIndex) -> Option<&RoaringBitmap> {
        self.by_account.get(&account)
    }

    /// Those that a principal of an account reaches without being let in by their own policies.
    pub(super) fn beside(&self, account: Option<AccountIndex>) -> RoaringBitmap {
        match account.and_then(|account| self.by_account.get(&account)) {
            Some(own) => own | &self.everywhere,
            None => self.everywhere.clone(),
        }
    }
}

/// What was made for a key before, or is now.
pub(super) fn remembered<K: Clone + Eq + Hash, V: Clone>(
    known: &Remembered<K, V>,
    key: &K,
    make: impl FnOnce() -> V,
) -> V {
    if let Some(known) = known.read().ok().and_then(|known| known.get(key).cloned()) {
        return known;
    }
    let made = make();
    if let Ok(mut known) = known.write() {
        known.insert(key.clone(), made.clone());
    }
    made
}

/// Account and region.
pub(super) type Place = (AccountIndex, Option<Arc<str>>);

/// Sets of the objects of each kind.
#[derive(Debug, Default)]
pub(super) struct ObjectSets {
    kinds: HashMap<Arc<str>, OfKind>,
}

impl ObjectSets {
    /// The sets of a world.
    pub(super) fn new(world: &World) -> Self {
        let mut kinds: HashMap<Arc<str>, OfKind> = HashMap::default();
        for (at, object) in world.objects.iter().enumerate() {
            if object.is_unlisted() {
                continue;
            }
            let id = u32::try_from(at).unwrap_or(u32::MAX);
            let of_kind = kinds.entry(object.kind.clone()).or_default();
            of_kind.all.insert(id);
            of_kind.by_account.entry(object.account).or_default().insert(id);
            if object.is_aws_managed() || object.is_of_organization() {
                of_kind.everywhere.insert(id);
            }
        }
        let place = |id: u32| {
            let object = world.objects.get(id as usize)?;
            Some((id, (object.account, object.region.clone())))
        };
        let kinds = kinds.into_iter().map(|(kind, of_kind)| {
            let places = Partition::new(of_kind.all.iter().filter_map(place));
            (kind, OfKind { places, ..of_kind })
        });
        Self { kinds: kinds.collect() }
    }

    /// The objects of a kind.
    pub(super) fn of_kind(&self, kind: &str) -> Option<&OfKind> {
        self.kinds.get(kind)
    }

    /// Every kind with its objects, in no order.
    pub(super) fn kinds(&self) -> impl Iterator<Item = (&Arc<str>, &OfKind)> {
        self.kinds.iter()
    }

    /// The objects of a kind whose ARN matches.
    pub(super) fn matching(
        &self,
        world: &World,
        kind: &str,
        pattern: &Pattern,
    ) -> Arc<RoaringBitmap> {
        let Some(of_kind) = self.kinds.get(kind) else { return Arc::default() };
        let known = of_kind.matching.read().ok();
        if let Some(known) = known.and_then(|known| known.get(pattern).cloned()) {
            return known;
        }
        let found = Arc::new(find(world, kind, of_kind, pattern));
        if let Ok(mut known) = of_kind.matching.write() {
            known.insert(pattern.clone(), found.clone());
        }
        found
    }
}

fn find(world: &World, kind: &str, of_kind: &OfKind, pattern: &Pattern) -> RoaringBitmap {
    if pattern.is_any() {
        return of_kind.all.clone();
    }
    let arn = |id: &ObjectId| world.objects.get(id.0 as usize).map(|object| &object.arn);
    let mut out = RoaringBitmap::new();
    let mut take = |ids: &[ObjectId]| {
        let found = ids.iter();
        out.extend(
            found.filter(|id| arn(id).is_some_and(|arn| pattern.matches(arn))).map(|id| id.0),
        );
    };
    let suffix = pattern.literal_suffix();
    if pattern.ignores_case() {
        take(world.of_kind(kind));
    } else if let Some(at) = suffix.rfind([':', '/']) {
        let by_last_part = of_kind.by_last_part.get_or_init(|| {
            let mut by_last_part: HashMap<Arc<str>, Vec<ObjectId>> = HashMap::default();
            for id in of_kind.all.iter().map(ObjectId) {
                if let Some(arn) = arn(&id) {
                    let last = arn.rsplit([':', '/']).next().unwrap_or_default();
                    by_last_part.entry(last.into()).or_default().push(id);
                }
            }
            by_last_part
        });
        let last = suffix.get(at + 1..).unwrap_or_default();
        take(by_last_part.get(last).map_or(&[], Vec::as_slice));
    } else {
        let prefix = pattern.literal_prefix();
        if prefix.matches(':').count() >= 5 {
            take(world.with_prefix(kind, &prefix));
        } else {
            // A wildcard in account or region: within each, what follows can be looked up again.
            let heads = of_kind.heads.get_or_init(|| {
                of_kind.all.iter().filter_map(|id| head(arn(&ObjectId(id))?)).collect()
            });
            for head in heads {
                for rest in pattern.after_prefix(head) {
                    let prefix = format!("{head}{}", rest.literal_prefix());
                    take(world.with_prefix(kind, &prefix));
                }
            }
        }
    }
    out &= &of_kind.all;
    out
}

/// The first five parts of an ARN with the colons behind them; of other names, no text.
fn head(arn: &str) -> Option<Arc<str>> {
    match arn.match_indices(':').nth(4) {
        Some((at, _)) => arn.get(..=at).map(Into::into),
        None => Some("".into()),
    }
}
