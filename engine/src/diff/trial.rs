//! Which changes open a path: found by making only some of them and asking again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::changes::{Changes, Part};
use super::listing::{Listing, Standing};
use crate::analysis::{Models, Options, audit_of};
use crate::answer::Gain;
use crate::snapshot::{LoadOptions, World};

/// How many worlds are tried for one comparison.
const TRIALS: usize = 2000;

/// Where a snapshot lists its groups.
const GROUPS: &str = "GroupDetailList";

/// What is tried.
pub(super) struct Trials<'a> {
    changes: &'a Changes,
    models: Models<'a>,
    options: &'a Options,
    /// The principals whose standing is asked for, by ARN.
    starts: &'a BTreeSet<Arc<str>>,
    known: BTreeMap<BTreeSet<usize>, Arc<BTreeMap<Arc<str>, Standing>>>,
    left: usize,
}

impl<'a> Trials<'a> {
    pub(super) fn new(
        changes: &'a Changes,
        models: Models<'a>,
        options: &'a Options,
        starts: &'a BTreeSet<Arc<str>>,
    ) -> Self {
        Self { changes, models, options, starts, known: BTreeMap::new(), left: TRIALS }
    }

    /// Where the principals stand with only these changes made. Nowhere, where the snapshot then
    /// cannot be loaded or the question not be asked; `None` at the limit of trials.
    fn standings(&mut self, made: &BTreeSet<usize>) -> Option<Arc<BTreeMap<Arc<str>, Standing>>> {
        if let Some(known) = self.known.get(made) {
            return Some(known.clone());
        }
        self.left = self.left.checked_sub(1)?;
        let found = Arc::new(self.ask(made).unwrap_or_default());
        self.known.insert(made.clone(), found.clone());
        Some(found)
    }

    fn ask(&self, made: &BTreeSet<usize>) -> Option<BTreeMap<Arc<str>, Standing>> {
        let files = self.changes.made(made);
        let world = World::of_files(&files, &LoadOptions::default()).ok()?;
        let starts: Vec<_> = self.starts.iter().filter_map(|arn| world.find(arn)).collect();
        let audit = audit_of(&world, self.models, &starts, self.options).ok()?;
        Some(Listing::of(&audit).standings)
    }

    /// The smallest part of the changes, in the sense that none of it can be left out, with which
    /// `start` stands as `wanted` asks. `None` if it does not with all of them, or at the limit.
    ///
    /// - `now`: how it stands with all of them. What its path names is looked at first: if that does,
    ///   it need not be found among everything.
    /// - `tried`: sets that did for others, looked at before that.
    pub(super) fn smallest(
        &mut self,
        start: &Arc<str>,
        now: &Standing,
        wanted: &dyn Fn(&Standing) -> bool,
        tried: &[BTreeSet<usize>],
    ) -> Option<BTreeSet<usize>> {
        for set in tried {
            if self.holds(set, start, wanted)? && self.is_minimal(set, start, wanted)? {
                return Some(set.clone());
            }
        }
        let mut kept: BTreeSet<usize> = (0..self.changes.list.len()).collect();
        if !self.holds(&kept, start, wanted)? {
            return None;
        }
        let near = self.near(start, now);
        if near.len() < kept.len() && !near.is_empty() && self.holds(&near, start, wanted)? {
            kept = near;
        }
        // Halves, quarters, ... are left out where it still holds without them; at the end single
        // ones, again and again, since leaving one out may make another dispensable.
        let mut size = kept.len().div_ceil(2);
        loop {
            let mut shrunk = false;
            let all: Vec<usize> = kept.iter().copied().collect();
            for part in all.chunks(size.max(1)) {
                let without: BTreeSet<usize> =
                    kept.iter().copied().filter(|at| !part.contains(at)).collect();
                if without.len() < kept.len() && self.holds(&without, start, wanted)? {
                    kept = without;
                    shrunk = true;
                }
            }
            if size <= 1 && !shrunk {
                return Some(kept);
            }
            size = size.div_ceil(2).min(kept.len().max(1));
        }
    }

    /// The changes of what a path names: its principals, resources and policies.
    fn near(&self, start: &Arc<str>, now: &Standing) -> BTreeSet<usize> {
        let mut names = BTreeSet::from([&**start]);
        let path = now.answer().and_then(|answer| answer.path.as_ref());
        for step in path.into_iter().flat_map(|path| &path.steps) {
            for call in &step.calls {
                names.extend([&*call.actor, &*call.resource]);
                names.extend(call.allowed_by.iter().map(|by| &*by.policy));
            }
            names.extend(step.gains.iter().filter_map(|gain| match gain {
                Gain::Credentials { of }
                | Gain::Policy { of, .. }
                | Gain::Delegation { of, .. } => Some(&**of),
                Gain::Resource { .. } | Gain::Goal { .. } => None,
            }));
        }
        let is_named = |part: &Part| match part {
            Part::Named { value, .. } => {
                let name = value.rsplit_once('/').map_or(value.as_str(), |(_, name)| name);
                names.contains(value.as_str()) || names.contains(name)
            }
            Part::Member(_) | Part::Element => false,
        };
        let is_near = |place: &[Part]| {
            let mut named = place.iter().filter(|part| matches!(part, Part::Named { .. }));
            // Paths do not name the groups that have a policy.
            let group = matches!(place.first(), Some(Part::Member(list)) if list == GROUPS);
            if group { named.any(is_named) } else { named.next().is_some_and(is_named) }
        };
        let list = self.changes.list.iter().enumerate();
        list.filter(|(_, change)| change.place.as_deref().is_some_and(is_near))
            .map(|(at, _)| at)
            .collect()
    }

    fn holds(
        &mut self,
        made: &BTreeSet<usize>,
        start: &Arc<str>,
        wanted: &dyn Fn(&Standing) -> bool,
    ) -> Option<bool> {
        Some(self.standings(made)?.get(start).is_some_and(wanted))
    }

    fn is_minimal(
        &mut self,
        set: &BTreeSet<usize>,
        start: &Arc<str>,
        wanted: &dyn Fn(&Standing) -> bool,
    ) -> Option<bool> {
        for at in set {
            let without: BTreeSet<usize> = set.iter().copied().filter(|one| one != at).collect();
            if self.holds(&without, start, wanted)? {
                return Some(false);
            }
        }
        Some(true)
    }
}
