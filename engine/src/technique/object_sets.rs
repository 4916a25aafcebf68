//! Sets of the snapshot's objects that resource patterns select. The same patterns recur in
//! thousands of policies, so each is matched against the objects once.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock, RwLock};

use roaring::RoaringBitmap;

use crate::pattern::{Pattern, Token};
use crate::snapshot::{AccountIndex, ObjectId, OwnPolicy, World};

/// The objects of one kind.
#[derive(Debug, Default)]
pub(super) struct OfKind {
    /// All that the snapshot lists.
    pub(super) all: RoaringBitmap,
    /// Those of each account.
    by_account: HashMap<AccountIndex, RoaringBitmap>,
    /// Those that have a policy of their own, or are AWS's: other accounts may reach them.
    open: RoaringBitmap,
    /// Those of each account and region.
    pub(super) places: Vec<RoaringBitmap>,
    /// The first five parts of their ARNs, each ending with a colon.
    heads: OnceLock<BTreeSet<Arc<str>>>,
    /// By the last part of their ARNs, behind the last colon or slash.
    by_last_part: OnceLock<HashMap<Arc<str>, Vec<ObjectId>>>,
    /// By attribute: those of which it has a value, or may have.
    leading_on: RwLock<HashMap<Arc<str>, Arc<RoaringBitmap>>>,
    matching: RwLock<HashMap<Pattern, Arc<RoaringBitmap>>>,
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
        let known = self.leading_on.read().ok();
        if let Some(known) = known.and_then(|known| known.get(attribute).cloned()) {
            return known;
        }
        let found: Arc<RoaringBitmap> = Arc::new(self.all.iter().filter(|id| leads(*id)).collect());
        if let Ok(mut known) = self.leading_on.write() {
            known.insert(attribute.clone(), found.clone());
        }
        found
    }

    /// Those within reach of a principal of an account.
    pub(super) fn within_reach(&self, account: Option<AccountIndex>) -> RoaringBitmap {
        match account.and_then(|account| self.by_account.get(&account)) {
            Some(own) => own | &self.open,
            None => self.open.clone(),
        }
    }
}

/// Account and region.
type Place = (AccountIndex, Option<Arc<str>>);

/// Sets of the objects of each kind.
#[derive(Debug, Default)]
pub(super) struct ObjectSets {
    kinds: HashMap<Arc<str>, OfKind>,
}

impl ObjectSets {
    /// The sets of a world.
    pub(super) fn new(world: &World) -> Self {
        let mut kinds: HashMap<Arc<str>, OfKind> = HashMap::new();
        let mut places: HashMap<Arc<str>, HashMap<Place, usize>> = HashMap::new();
        for (at, object) in world.objects.iter().enumerate() {
            if object.is_unlisted() {
                continue;
            }
            let id = u32::try_from(at).unwrap_or(u32::MAX);
            let of_kind = kinds.entry(object.kind.clone()).or_default();
            of_kind.all.insert(id);
            of_kind.by_account.entry(object.account).or_default().insert(id);
            let has_policy = matches!(object.policy, OwnPolicy::Present(_) | OwnPolicy::Unknown(_));
            if has_policy || object.is_aws_managed() || object.is_of_organization() {
                of_kind.open.insert(id);
            }
            let known = places.entry(object.kind.clone()).or_default();
            let next = known.len();
            let place = *known.entry((object.account, object.region.clone())).or_insert(next);
            if place == of_kind.places.len() {
                of_kind.places.push(RoaringBitmap::new());
            }
            if let Some(place) = of_kind.places.get_mut(place) {
                place.insert(id);
            }
        }
        Self { kinds }
    }

    /// The objects of a kind.
    pub(super) fn of_kind(&self, kind: &str) -> Option<&OfKind> {
        self.kinds.get(kind)
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
    let suffix = literal_suffix(pattern);
    if pattern.ignores_case() {
        take(world.of_kind(kind));
    } else if let Some(at) = suffix.rfind([':', '/']) {
        let by_last_part = of_kind.by_last_part.get_or_init(|| {
            let mut by_last_part: HashMap<Arc<str>, Vec<ObjectId>> = HashMap::new();
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

/// The literal text that every match ends with.
fn literal_suffix(pattern: &Pattern) -> String {
    let literal = |token: &Token| if let Token::Literal(c) = token { Some(*c) } else { None };
    let mut suffix: Vec<char> = pattern.tokens().iter().rev().map_while(literal).collect();
    suffix.reverse();
    suffix.into_iter().collect()
}

/// The first five parts of an ARN with the colons behind them; of other names, no text.
fn head(arn: &str) -> Option<Arc<str>> {
    match arn.match_indices(':').nth(4) {
        Some((at, _)) => arn.get(..=at).map(Into::into),
        None => Some("".into()),
    }
}
