//! Which changes open a path: found by making only some of them and asking again.
//!
//! A world that is tried answers for every principal at once, for just the changes that are made in
//! it. Where those that are asked of do nothing but permit more, one world answers for several sets
//! of them: see [`super::widening`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::changes::{Change, Changes, Part};
use super::listing::{Listing, Standing};
use super::smallest::{Looking, Set};
use super::widening::{Concerned, named, widenings};
use crate::analysis::{Models, Options, audit_of};
use crate::answer::Gain;
use crate::snapshot::{LoadOptions, World};

/// How many worlds are tried for one comparison.
const TRIALS: usize = 2000;

/// Where a snapshot lists its groups.
const GROUPS: &str = "GroupDetailList";

/// How a principal stands with all changes made, and what of it is to come about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// How it stands with all of them.
    pub(super) now: &'a Standing,
    /// Whether it is to go the same way; otherwise it is to stand at least as near to the goal.
    pub(super) same_way: bool,
}

impl Wanted<'_> {
    fn is_met(&self, standing: &Standing) -> bool {
        match self.same_way {
            true => standing.way() == self.now.way(),
            false => standing.rank() >= self.now.rank(),
        }
    }

    /// Principals with the same are likely to have come to it by the same changes.
    fn cause(&self) -> Option<(&Arc<str>, bool)> {
        Some((self.now.answer()?.id.as_ref()?, self.same_way))
    }
}

/// What is tried.
pub(super) struct Trials<'a> {
    changes: &'a Changes,
    models: &'a Models,
    options: &'a Options,
    /// What is asked, by the principal's ARN.
    wanted: &'a BTreeMap<Arc<str>, Wanted<'a>>,
    widenings: Vec<Option<Concerned>>,
    /// By principal: whom its path with all changes made names, of those whom one concerns.
    named: BTreeMap<&'a Arc<str>, Concerned>,
    /// By the changes that are made: of whom it is known whether what is wanted has come about.
    known: BTreeMap<Set, BTreeMap<Arc<str>, bool>>,
    /// What has to be tried by itself.
    alone: BTreeSet<(Set, Arc<str>)>,
    left: usize,
}

impl<'a> Trials<'a> {
    /// - `before`: where everybody stands with none of the changes made.
    pub(super) fn new(
        changes: &'a Changes,
        models: &'a Models,
        options: &'a Options,
        wanted: &'a BTreeMap<Arc<str>, Wanted<'a>>,
        before: &Listing,
    ) -> Self {
        let all = (0..changes.list.len()).collect();
        let widenings = widenings(changes);
        let concerned: BTreeSet<&String> = widenings.iter().flatten().flatten().collect();
        let of = |start: &Arc<str>, wanted: &Wanted<'_>| {
            let names = named(wanted.now, start).unwrap_or_default();
            names.into_iter().filter(|name| concerned.contains(name)).collect()
        };
        let named = wanted.iter().map(|(start, wanted)| (start, of(start, wanted))).collect();
        let mut out = Self {
            changes,
            models,
            options,
            wanted,
            widenings,
            named,
            known: BTreeMap::new(),
            alone: BTreeSet::new(),
            left: TRIALS,
        };
        // An audit of some may leave out who is one of them only now.
        if options.selection.is_everyone() {
            out.note(Set::new(), &before.standings);
        }
        let after = wanted.keys().map(|start| (start.clone(), true)).collect();
        out.known.insert(all, after);
        out
    }

    /// For each principal the smallest part of the changes, in the sense that none of it can be left
    /// out, with which it stands as wanted. Who is not in it does so with no part that was found
    /// before the limit of trials.
    ///
    /// The first of each cause goes first; what did for it is tried for the others of that cause.
    pub(super) fn smallest(&mut self) -> BTreeMap<Arc<str>, Set> {
        let mut first: BTreeMap<(&Arc<str>, bool), &Arc<str>> = BTreeMap::new();
        let (mut leading, mut following) = (Vec::new(), Vec::new());
        for (start, wanted) in self.wanted {
            match wanted.cause() {
                Some(cause) if first.contains_key(&cause) => following.push(start),
                cause => {
                    first.extend(cause.map(|cause| (cause, start)));
                    leading.push(start);
                }
            }
        }
        let (near, of_nobody) = (Near::new(self.changes), of_nobody(self.changes));
        let (count, asked) = (self.changes.list.len(), self.wanted);
        let looking = |start: &Arc<str>, tried: Vec<Set>| {
            let now = asked.get(start).map(|wanted| wanted.now);
            let (cited, near) = (near.cited(now), near.of(start, now));
            let wide = near.union(&of_nobody).copied().collect();
            (start.clone(), Looking { tried, likely: vec![cited, near, wide], count })
        };
        let open = leading.into_iter().map(|start| looking(start, Vec::new())).collect();
        let mut found = self.all(open);
        let tried = |start: &Arc<str>| {
            let leader = first.get(&asked.get(start)?.cause()?)?;
            found.get(*leader).cloned()
        };
        let tried = |start: &Arc<str>| tried(start).into_iter().collect();
        let open = following.into_iter().map(|start| looking(start, tried(start))).collect();
        let more = self.all(open);
        found.extend(more);
        found
    }

    /// What those who look find, side by side.
    fn all(&mut self, mut open: BTreeMap<Arc<str>, Looking>) -> BTreeMap<Arc<str>, Set> {
        let mut out = BTreeMap::new();
        loop {
            let mut asked: BTreeMap<Set, BTreeSet<Arc<str>>> = BTreeMap::new();
            open.retain(|start, looking| {
                let known = |set: &Set| self.known.get(set)?.get(start).copied();
                match looking.smallest(&known) {
                    Ok(found) => {
                        out.extend(found.map(|found| (start.clone(), found)));
                        false
                    }
                    Err(set) => {
                        asked.entry(set).or_default().insert(start.clone());
                        true
                    }
                }
            });
            if asked.is_empty() || self.answer(asked).is_none() {
                return out;
            }
        }
    }

    /// Finds out what is asked; what has to be tried by itself may be left for the next time.
    /// `None` at the limit of trials.
    fn answer(&mut self, asked: BTreeMap<Set, BTreeSet<Arc<str>>>) -> Option<()> {
        let (mut together, mut alone): (Vec<Shared>, Vec<Set>) = (Vec::new(), Vec::new());
        for (set, starts) in asked {
            let concerned = self.concerned(&set);
            // Once it was to no avail.
            let must = starts.iter().any(|one| self.alone.contains(&(set.clone(), one.clone())));
            match concerned.filter(|_| !must) {
                None => alone.push(set),
                Some(concerned) => {
                    let named = starts.iter().filter_map(|start| self.named.get(start));
                    let named = named.flatten().cloned().collect();
                    let one = Shared { concerned, named, sets: vec![(set, starts)] };
                    match together.iter_mut().find(|shared| shared.fits(&one)) {
                        Some(shared) => shared.add(one),
                        None => together.push(one),
                    }
                }
            }
        }
        for shared in together {
            match &*shared.sets {
                [(set, _)] => alone.push(set.clone()),
                sets => self.infer(sets)?,
            }
        }
        for set in alone {
            // Where it cannot be asked nobody stands anywhere.
            let standings = self.ask(&set, self.wanted.keys())?.unwrap_or_default();
            self.note(set, &standings);
        }
        Some(())
    }

    /// Whom changes concern, if all that they do is permit more.
    fn concerned(&self, set: &Set) -> Option<Concerned> {
        let mut out = Concerned::new();
        for at in set {
            out.extend(self.widenings.get(*at)?.iter().flatten().cloned());
            self.widenings.get(*at)?.as_ref()?;
        }
        Some(out)
    }

    /// Answers for several sets by one world with all of them made.
    ///
    /// With fewer changes that permit more, nobody can do more: who gets nowhere there gets nowhere
    /// with one set alone. And who has a path there that names nobody whom the other sets concern
    /// has it with one set alone; it is the path that is shown, since no other has come about.
    fn infer(&mut self, sets: &[(Set, BTreeSet<Arc<str>>)]) -> Option<()> {
        let made: Set = sets.iter().flat_map(|(set, _)| set).copied().collect();
        let starts: BTreeSet<&Arc<str>> = sets.iter().flat_map(|(_, starts)| starts).collect();
        let Some(standings) = self.ask(&made, starts.into_iter())? else {
            let all =
                sets.iter().flat_map(|(set, starts)| starts.iter().map(move |one| (set, one)));
            self.alone.extend(all.map(|(set, start)| (set.clone(), start.clone())));
            return Some(());
        };
        for (set, starts) in sets {
            let rest: Set = made.difference(set).copied().collect();
            let others = self.concerned(&rest).unwrap_or_default();
            for start in starts {
                let Some(wanted) = self.wanted.get(start) else { continue };
                let stands = match standings.get(start) {
                    None => false,
                    Some(standing)
                        if named(standing, start).is_none_or(|all| !all.is_disjoint(&others)) =>
                    {
                        self.alone.insert((set.clone(), start.clone()));
                        continue;
                    }
                    Some(standing) => wanted.is_met(standing),
                };
                self.known.entry(set.clone()).or_default().insert(start.clone(), stands);
            }
        }
        Some(())
    }

    /// Notes for everybody what a world with just these changes made says.
    fn note(&mut self, made: Set, standings: &BTreeMap<Arc<str>, Standing>) {
        let met = |start, wanted: &Wanted<'_>| {
            standings.get(start).is_some_and(|standing| wanted.is_met(standing))
        };
        let all = self.wanted.iter().map(|(start, wanted)| (start.clone(), met(start, wanted)));
        self.known.insert(made, all.collect());
    }

    /// Where these stand with only these changes made; nothing where the snapshot then cannot be
    /// loaded or the question not be asked. `None` at the limit of trials.
    fn ask<'s>(
        &mut self,
        made: &Set,
        starts: impl Iterator<Item = &'s Arc<str>>,
    ) -> Option<Option<BTreeMap<Arc<str>, Standing>>> {
        self.left = self.left.checked_sub(1)?;
        let files = self.changes.made(made);
        let standings = || {
            let world = World::of_files(&files, &LoadOptions::default()).ok()?;
            let starts: Vec<_> = starts.filter_map(|arn| world.find(arn)).collect();
            let audit = audit_of(&world, self.models, &starts, self.options).ok()?;
            Some(Listing::of(&audit).standings)
        };
        Some(standings())
    }
}

/// The changes that are not in anybody's policies, groups or attachments.
fn of_nobody(changes: &Changes) -> Set {
    let of_somebody = |place: &[Part]| {
        matches!(place.first(), Some(Part::Member(list))
            if list.ends_with("DetailList") || list == "Policies")
    };
    let list = changes.list.iter().enumerate();
    list.filter(|(_, change)| !change.place.as_deref().is_some_and(of_somebody))
        .map(|(at, _)| at)
        .collect()
}

/// Sets that one world answers for.
struct Shared {
    /// Whom all of them together concern: of the same one no two do.
    concerned: Concerned,
    /// Who is on the paths of those who ask: only the set that they ask about may concern them.
    named: Concerned,
    sets: Vec<(Set, BTreeSet<Arc<str>>)>,
}

impl Shared {
    fn fits(&self, other: &Self) -> bool {
        self.concerned.is_disjoint(&other.concerned)
            && self.concerned.is_disjoint(&other.named)
            && self.named.is_disjoint(&other.concerned)
    }

    fn add(&mut self, other: Self) {
        self.concerned.extend(other.concerned);
        self.named.extend(other.named);
        self.sets.extend(other.sets);
    }
}

/// The changes of what a path names: its principals, resources and policies.
struct Near<'a> {
    changes: &'a Changes,
    /// By name, as a path or an ARN has it.
    by_name: BTreeMap<&'a str, Set>,
}

impl<'a> Near<'a> {
    fn new(changes: &'a Changes) -> Self {
        let mut by_name: BTreeMap<&str, Set> = BTreeMap::new();
        for (at, change) in changes.list.iter().enumerate() {
            let place = change.place.as_deref().unwrap_or_default();
            // Paths do not name the groups that have a policy.
            let group = matches!(place.first(), Some(Part::Member(list)) if list == GROUPS);
            let named = place.iter().filter_map(|part| match part {
                Part::Named { value, .. } => Some(value.as_str()),
                Part::Member(_) | Part::Element => None,
            });
            for value in named.take(if group { usize::MAX } else { 1 }) {
                by_name.entry(value).or_default().insert(at);
                if let Some((_, name)) = value.rsplit_once('/') {
                    by_name.entry(name).or_default().insert(at);
                }
            }
        }
        Self { changes, by_name }
    }

    /// The changes of the statements that allow the calls of a path.
    fn cited(&self, now: Option<&Standing>) -> Set {
        let path = now.and_then(Standing::answer).and_then(|answer| answer.path.as_ref());
        let calls = path.into_iter().flat_map(|path| &path.steps).flat_map(|step| &step.calls);
        let mut out = Set::new();
        for call in calls {
            for by in &call.allowed_by {
                let holders = [&*by.policy, &*call.actor, &*call.resource];
                let near = holders.into_iter().filter_map(|name| self.by_name.get(name));
                out.extend(near.flatten().copied().filter(|at| {
                    let change = self.changes.list.get(*at);
                    change.is_some_and(|change| is_of(change, &by.policy, &by.kind, by.statement))
                }));
            }
        }
        out
    }

    fn of(&self, start: &str, now: Option<&Standing>) -> Set {
        let mut names = BTreeSet::from([start]);
        let path = now.and_then(Standing::answer).and_then(|answer| answer.path.as_ref());
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
        names.into_iter().filter_map(|name| self.by_name.get(name)).flatten().copied().collect()
    }
}

/// Whether a change is that of a statement, or of its whole policy.
fn is_of(change: &Change, policy: &str, kind: &str, statement: usize) -> bool {
    let place = change.place.as_deref().unwrap_or_default();
    let is_policy = |part: &Part| match part {
        Part::Named { value, .. } => value.rsplit('/').next() == Some(policy),
        Part::Member(member) => kind == "trust" && member == "AssumeRolePolicyDocument",
        Part::Element => false,
    };
    change.position.is_none_or(|position| position == statement) && place.iter().any(is_policy)
}
