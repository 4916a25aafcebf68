//! The least fixpoint of everything an attacker can do, for every start at once.
//!
//! Rounds: first everything that the meaning of facts implies, then the calls of every principal
//! that somebody has newly come to act as. So facts appear in the order of the number of techniques
//! they need. Each level of certainty goes on from the stronger one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rayon::prelude::*;
use roaring::RoaringBitmap;

use super::derivations::{Decided, Derivations, Edge, Level, Why};
use super::fact::{Fact, FactId};
use super::world_facts::{Lift, Lifts};
use crate::authorization::{Edit, Edits};
use crate::residual::Residual;
use crate::snapshot::{AccountIndex, Object, ObjectId};
use crate::technique::{Actions, Binding, Delegation, GoalCall, Outcome, Search, Select};

/// What the question asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Administrator of the start's own account.
    OwnAdministrator,
    /// Administrator of this account.
    Administrator(AccountIndex),
    /// Acting as this principal.
    Holds(ObjectId),
    /// This call succeeds.
    Call(GoalCall),
}

/// Principals that the evaluator cannot tell apart, or one principal with edits in force.
#[derive(Clone, Debug)]
pub struct Variant {
    /// The principal evaluated.
    pub principal: ObjectId,
    /// What is in force for it.
    pub edits: Edits,
    /// Whether it stands for several principals, so that objects whose own policy tells callers
    /// apart are left to each of them.
    pub shared: bool,
    /// Only objects whose own policy tells callers apart are looked at.
    pub special: bool,
    /// The actions that the edits newly allow, if that is all they do: whatever uses none of them
    /// the principal can do without the edits.
    pub newly: Option<Actions>,
}

/// A set of bindings of one rule that some principals may apply alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct SetOf {
    rule: usize,
    bindings: Vec<Arc<Binding>>,
}

/// A further group of a rule that somebody else has to be found for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Help {
    /// The rule.
    pub rule: usize,
    /// Its group.
    pub group: usize,
    /// The binding.
    pub binding: Arc<Binding>,
    /// What the first group's calls leave open about names that both share.
    pub residual: Residual,
}

/// What tells objects that the attacker makes apart: kind, ARN and attributes.
type MadeKey = (Arc<str>, Arc<str>, Vec<(Arc<str>, Arc<str>)>);

/// Something that is tried once for each variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Trial {
    /// An object that the attacker has made, in a domain administered from inside if one is given.
    Made(ObjectId, Option<ObjectId>),
    /// A domain that the attacker administers from inside.
    Domain(ObjectId),
    /// Help asked for.
    Help(usize),
    /// A role whose trust policy the attacker has written.
    Trusting(ObjectId),
    /// A user or role that the attacker acts as.
    Holder(ObjectId),
}

/// The fixpoint under construction, and afterwards the graph to take witnesses from.
pub struct Reachability<'r, 'w> {
    /// Decides calls.
    pub search: &'r Search<'w>,
    /// Facts and edges.
    pub derivations: Derivations,
    /// Principals evaluated.
    pub variants: Vec<Variant>,
    /// Objects that the attacker has made.
    pub made: Vec<Object>,
    /// Delegations gained.
    pub delegations: Vec<Delegation>,
    /// Help asked for.
    pub help: Vec<Help>,
    pub(super) lifts: Lifts,
    starts: Vec<ObjectId>,
    goal: Goal,
    stop_at_goal: bool,
    variant_ids: HashMap<(ObjectId, Vec<Lift>, bool), usize>,
    set_ids: HashMap<SetOf, usize>,
    sets: Vec<SetOf>,
    help_ids: HashMap<Help, usize>,
    delegation_ids: BTreeMap<Delegation, usize>,
    made_ids: BTreeMap<MadeKey, ObjectId>,
    seen: BTreeSet<FactId>,
    /// Variants of which it is not decided yet whether they are administrators.
    unjudged: BTreeSet<usize>,
    /// Variants whose calls are not decided yet.
    pending: BTreeSet<usize>,
    expanded: BTreeSet<usize>,
    /// The actions that each expanded variant's policies are about.
    expanded_actions: BTreeMap<usize, Actions>,
    /// Expanded variants that may change principals' permissions.
    editors: BTreeSet<usize>,
    existing: Vec<ObjectId>,
    joinable: Vec<ObjectId>,
    trusting: Vec<ObjectId>,
    administered: Vec<ObjectId>,
    tried: BTreeSet<(usize, Trial)>,
    settled: [RoaringBitmap; 3],
    /// By start: the variants acted as, and the users and roles held.
    acted: Vec<Vec<usize>>,
    held: Vec<Vec<ObjectId>>,
    /// Variants and principals that some start has together and that are not tried yet.
    together: BTreeSet<(usize, ObjectId)>,
}

impl<'r, 'w> Reachability<'r, 'w> {
    /// Closes everything that the starts can do.
    ///
    /// With `stop_at_goal` a start is followed no further once it has reached the goal: enough for
    /// verdicts and shortest paths, not for paths that must use something given.
    pub fn close(
        search: &'r Search<'w>,
        starts: &[ObjectId],
        goal: Goal,
        stop_at_goal: bool,
    ) -> Self {
        let mut out = Self {
            search,
            derivations: Derivations::default(),
            variants: Vec::new(),
            made: Vec::new(),
            delegations: Vec::new(),
            help: Vec::new(),
            lifts: Lifts::new(),
            starts: starts.to_vec(),
            goal,
            stop_at_goal,
            variant_ids: HashMap::new(),
            set_ids: HashMap::new(),
            sets: Vec::new(),
            help_ids: HashMap::new(),
            delegation_ids: BTreeMap::new(),
            made_ids: BTreeMap::new(),
            seen: BTreeSet::new(),
            unjudged: BTreeSet::new(),
            pending: BTreeSet::new(),
            expanded: BTreeSet::new(),
            expanded_actions: BTreeMap::new(),
            editors: BTreeSet::new(),
            existing: Vec::new(),
            joinable: Vec::new(),
            trusting: Vec::new(),
            administered: Vec::new(),
            tried: BTreeSet::new(),
            settled: Default::default(),
            acted: vec![Vec::new(); starts.len()],
            held: vec![Vec::new(); starts.len()],
            together: BTreeSet::new(),
        };
        let mut first = BTreeMap::new();
        for (at, start) in starts.iter().enumerate() {
            let fact = out.derivations.fact(Fact::Holds(*start));
            let own = RoaringBitmap::from_iter([at as u32]);
            out.derivations.state(fact, &own);
            first.insert(fact, own);
        }
        for level in Level::ALL {
            out.close_level(level, std::mem::take(&mut first));
        }
        out
    }

    fn close_level(&mut self, level: Level, first: BTreeMap<FactId, RoaringBitmap>) {
        if level != Level::Certain {
            self.derivations.weaken();
        }
        let mut gained = first;
        loop {
            self.settle(level);
            for (fact, starts) in gained {
                self.meet(fact, &starts);
                self.react(fact, level);
            }
            gained = self.derivations.round(level, &self.stopped(level));
            if !gained.is_empty() {
                continue;
            }
            self.settle(level);
            if !self.expand(level) {
                break;
            }
        }
        self.settle(level);
        let at = level as usize;
        for weaker in at + 1..self.settled.len() {
            let settled = self.settled.get(at).cloned().unwrap_or_default();
            if let Some(set) = self.settled.get_mut(weaker) {
                *set |= settled;
            }
        }
    }

    /// Starts that need not be followed at this level: their verdict is there already, or the goal
    /// is reached and the rest is not asked for.
    fn stopped(&self, level: Level) -> RoaringBitmap {
        let at = level as usize;
        let stronger = at.checked_sub(1).and_then(|at| self.settled.get(at));
        if self.stop_at_goal {
            self.settled.get(at).cloned().unwrap_or_default()
        } else {
            stronger.cloned().unwrap_or_default()
        }
    }

    fn settle(&mut self, level: Level) {
        let reached = self.at_goal();
        if let Some(settled) = self.settled.get_mut(level as usize) {
            *settled |= reached;
        }
    }

    /// The starts that are at the goal with what has been carried so far.
    fn at_goal(&self) -> RoaringBitmap {
        let of = |fact: Fact| {
            self.derivations
                .facts
                .find(&fact)
                .and_then(|fact| self.derivations.starts(fact))
                .cloned()
                .unwrap_or_default()
        };
        match &self.goal {
            Goal::OwnAdministrator => {
                let mut out = RoaringBitmap::new();
                for account in 0..self.search.ground.world.accounts.len() {
                    let account = AccountIndex(account as u32);
                    let administrators = of(Fact::Administrator(account));
                    out.extend(administrators.iter().filter(|start| {
                        self.starts
                            .get(*start as usize)
                            .and_then(|start| {
                                self.search.ground.world.objects.get(start.0 as usize)
                            })
                            .is_some_and(|start| start.account == account)
                    }));
                }
                out
            }
            Goal::Administrator(account) => of(Fact::Administrator(*account)),
            Goal::Holds(principal) => of(Fact::Holds(*principal)),
            Goal::Call(_) => of(Fact::Called),
        }
    }

    /// The strongest level at which a start reaches the goal.
    pub fn verdict(&self, start: usize) -> Option<Level> {
        Level::ALL.into_iter().find(|level| {
            self.settled.get(*level as usize).is_some_and(|set| set.contains(start as u32))
        })
    }

    /// The fact that the goal is for a start.
    pub fn goal_fact(&self, start: usize) -> Option<FactId> {
        let fact = match &self.goal {
            Goal::OwnAdministrator => {
                let start = self.starts.get(start)?;
                Fact::Administrator(self.search.ground.world.objects.get(start.0 as usize)?.account)
            }
            Goal::Administrator(account) => Fact::Administrator(*account),
            Goal::Holds(principal) => Fact::Holds(*principal),
            Goal::Call(_) => Fact::Called,
        };
        self.derivations.facts.find(&fact)
    }

    /// Notes which principals a start holds together with which it acts as: only then is it worth
    /// something to change their permissions.
    fn meet(&mut self, fact: FactId, starts: &RoaringBitmap) {
        match self.derivations.facts.get(fact) {
            Some(Fact::Acts(variant)) => {
                let variant = *variant;
                for start in starts {
                    let start = start as usize;
                    if let (Some(acted), Some(held)) =
                        (self.acted.get_mut(start), self.held.get(start))
                    {
                        acted.push(variant);
                        self.together.extend(held.iter().map(|principal| (variant, *principal)));
                    }
                }
            }
            Some(Fact::Holds(principal)) => {
                let principal = *principal;
                for start in starts {
                    let start = start as usize;
                    if let (Some(held), Some(acted)) =
                        (self.held.get_mut(start), self.acted.get(start))
                    {
                        held.push(principal);
                        self.together.extend(acted.iter().map(|variant| (*variant, principal)));
                    }
                }
            }
            _ => {}
        }
    }

    /// `edited(edit of principal) <- acts(variant)`, for principals that some start holds as well.
    fn changed_principals(&mut self) -> bool {
        let waiting = std::mem::take(&mut self.together);
        let mut wanted = Vec::new();
        for (variant, principal) in waiting {
            match self.expanded_actions.get(&variant) {
                // Not decided yet what it can do: later.
                None => {
                    self.together.insert((variant, principal));
                }
                Some(_) if !self.editors.contains(&variant) => {}
                Some(_) => {
                    if self.tried.insert((variant, Trial::Holder(principal))) {
                        wanted.push((variant, principal));
                    }
                }
            }
        }
        let found: Vec<(usize, Vec<Outcome>)> = wanted
            .par_iter()
            .filter_map(|(at, principal)| {
                let variant = self.variants.get(*at)?;
                let select = Select::Holder(*principal);
                Some((*at, self.search.outcomes(variant, &self.made, select).1))
            })
            .collect();
        for (variant, outcomes) in found {
            self.record(variant, outcomes, &[]);
        }
        !wanted.is_empty()
    }

    /// Draws the consequences of a fact that gained starts.
    fn react(&mut self, id: FactId, level: Level) {
        let first = self.seen.insert(id);
        let Some(fact) = self.derivations.facts.get(id).cloned() else { return };
        let touched = match fact {
            Fact::Holds(principal) => {
                if first {
                    self.act_as(principal, id);
                }
                vec![principal]
            }
            Fact::Acts(variant) => {
                if first {
                    self.unjudged.insert(variant);
                }
                Vec::new()
            }
            Fact::Edited(edit) => {
                if let (true, Edit::TrustPolicy(role)) = (first, edit) {
                    self.trusting.push(role);
                }
                self.imply_edit(edit, id)
            }
            Fact::Unrestricted(holder) => self.imply_unrestricted(holder, id),
            Fact::Unbounded(principal) => self.lift(principal, Lift::Unbounded, id),
            Fact::Joinable(group) => {
                if first {
                    self.joinable.push(group);
                }
                Vec::new()
            }
            Fact::Exists(object) => {
                if first {
                    self.existing.push(object);
                }
                Vec::new()
            }
            Fact::DomainAdministration(domain) => {
                if first {
                    self.administered.push(domain);
                }
                Vec::new()
            }
            Fact::Delegated(delegation) => {
                if first {
                    self.call_by_delegation(delegation, id);
                }
                Vec::new()
            }
            Fact::Done(..)
            | Fact::Set(_)
            | Fact::Helped(_)
            | Fact::Administrator(_)
            | Fact::Called => Vec::new(),
        };
        for principal in touched {
            self.act_with_lifts(principal, level);
        }
    }

    /// `acts(class) <- holds(principal)`, for the principal's class and for itself where its class
    /// leaves objects to each member.
    fn act_as(&mut self, principal: ObjectId, holds: FactId) {
        let class = self.search.class_of(principal);
        let variant = self.variant(class.representative, Vec::new(), class.shared, false);
        let acts = self.derivations.fact(Fact::Acts(variant));
        self.derivations.imply(vec![holds], acts);
        if class.shared && self.search.has_special() {
            let variant = self.variant(principal, Vec::new(), false, true);
            let acts = self.derivations.fact(Fact::Acts(variant));
            self.derivations.imply(vec![holds], acts);
        }
    }

    /// `acts(principal with lifts) <- holds(principal), lift, ...` for each combination of lifts
    /// that some start has.
    fn act_with_lifts(&mut self, principal: ObjectId, level: Level) {
        let Some(holds) = self.derivations.facts.find(&Fact::Holds(principal)) else { return };
        let Some(lifts) = self.lifts.get(&principal) else { return };
        let stopped = self.stopped(level);
        let who = |facts: &[FactId]| self.derivations.common(facts) - &stopped;
        let unrestricted =
            lifts.get(&Lift::Unrestricted).map(|fact| who(&[holds, *fact])).unwrap_or_default();
        let available: Vec<(Lift, FactId)> = lifts
            .iter()
            .filter(|(lift, fact)| {
                let starts = who(&[holds, **fact]);
                // Policies that allow everything make any other policy superfluous.
                let superfluous = lift.only_grants() && starts.is_subset(&unrestricted);
                !starts.is_empty() && !superfluous
            })
            .map(|(lift, fact)| (*lift, *fact))
            .collect();
        let mut wanted = Vec::new();
        let kinds: Vec<Lift> = available.iter().map(|(lift, _)| *lift).collect();
        for combination in combinations(&kinds) {
            let chosen: Vec<(Lift, FactId)> =
                combination.iter().filter_map(|at| available.get(*at)).copied().collect();
            let lifts: Vec<Lift> = chosen.iter().map(|(lift, _)| *lift).collect();
            let mut premises: Vec<FactId> = vec![holds];
            premises.extend(chosen.iter().map(|(_, fact)| *fact));
            if !self.variant_ids.contains_key(&(principal, lifts.clone(), false))
                && !who(&premises).is_empty()
            {
                wanted.push((lifts, premises));
            }
        }
        for (lifts, premises) in wanted {
            let variant = self.variant(principal, lifts, false, false);
            let acts = self.derivations.fact(Fact::Acts(variant));
            self.derivations.imply(premises, acts);
        }
    }

    fn variant(
        &mut self,
        principal: ObjectId,
        lifts: Vec<Lift>,
        shared: bool,
        special: bool,
    ) -> usize {
        let key = (principal, lifts, special);
        if let Some(variant) = self.variant_ids.get(&key) {
            return *variant;
        }
        let edits = Edits::of(key.1.iter().map(|lift| match lift {
            Lift::Unrestricted => Edit::InlinePolicy(principal),
            Lift::Unbounded => Edit::NoBoundary(principal),
            Lift::Edited(edit) => *edit,
        }));
        let newly = self.newly(&key.1);
        self.variants.push(Variant { principal, edits, shared, special, newly });
        let variant = self.variants.len() - 1;
        self.variant_ids.insert(key, variant);
        variant
    }

    /// The actions that lifts newly allow; `None` if they also lift limits, or there are none.
    fn newly(&self, lifts: &[Lift]) -> Option<Actions> {
        if lifts.is_empty() {
            return None;
        }
        let mut out = Actions::default();
        for lift in lifts {
            let Lift::Edited(edit) = lift else { return None };
            match edit {
                Edit::Attached(_, policy) => {
                    out.extend(self.search.allowed_by_policy(*policy, None)?);
                }
                Edit::Member(_, group) => {
                    for policy in self.search.policies_of_group(*group)? {
                        out.extend(policy);
                    }
                }
                _ => return None,
            }
        }
        Some(out)
    }

    /// Decides what every principal that somebody newly acts as can do: first whether it is an
    /// administrator, since that settles most starts; then its calls. Returns whether anything was
    /// done.
    fn expand(&mut self, level: Level) -> bool {
        let stopped = self.stopped(level);
        let ready = self.take_ready(&stopped, |this| &mut this.unjudged);
        if !ready.is_empty() {
            let administrators: Vec<(usize, Residual)> = ready
                .par_iter()
                .filter_map(|at| self.variants.get(*at).map(|variant| (*at, variant)))
                .filter(|(_, variant)| !variant.special)
                .map(|(at, variant)| (at, self.search.administrator(variant, &self.made)))
                .collect();
            for (variant, residual) in administrators {
                self.administrator(variant, residual);
            }
            self.pending.extend(ready);
            return true;
        }
        let ready = self.take_ready(&stopped, |this| &mut this.pending);
        let expansions: Vec<(usize, Actions, Vec<Outcome>, Residual)> = ready
            .par_iter()
            .filter_map(|at| self.variants.get(*at).map(|variant| (*at, variant)))
            .map(|(at, variant)| {
                let select = if variant.special { Select::Special } else { Select::All };
                let (actions, outcomes) = self.search.outcomes(variant, &self.made, select);
                let called = match &self.goal {
                    Goal::Call(call) => self.search.goal_call(variant, &self.made, call),
                    _ => Residual::False,
                };
                (at, actions, outcomes, called)
            })
            .collect();
        let mut busy = !expansions.is_empty();
        for (variant, actions, outcomes, called) in expansions {
            self.expanded.insert(variant);
            if self.search.edits_principals(&actions) {
                self.editors.insert(variant);
            }
            self.expanded_actions.insert(variant, actions);
            self.record(variant, outcomes, &[]);
            self.conclude(variant, called, Fact::Called, &[]);
        }
        busy |= self.changed_principals();
        busy |= self.made_objects();
        busy |= self.domain_administrators();
        busy |= self.helpers();
        busy |= self.rewritten_trust(level);
        busy |= self.join_groups(level);
        busy
    }

    /// Takes out the variants that somebody who is still followed acts as. The others stay: another
    /// start may come to act as them later.
    fn take_ready(
        &mut self,
        stopped: &RoaringBitmap,
        which: impl Fn(&mut Self) -> &mut BTreeSet<usize>,
    ) -> Vec<usize> {
        let waiting = std::mem::take(which(self));
        let (ready, waiting): (BTreeSet<usize>, BTreeSet<usize>) =
            waiting.into_iter().partition(|variant| {
                self.derivations
                    .facts
                    .find(&Fact::Acts(*variant))
                    .and_then(|fact| self.derivations.starts(fact))
                    .is_some_and(|starts| !starts.is_subset(stopped))
            });
        *which(self) = waiting;
        ready.into_iter().collect()
    }

    fn administrator(&mut self, variant: usize, residual: Residual) -> bool {
        let principal = self.variants.get(variant).map(|variant| variant.principal);
        let Some(account) = principal.and_then(|id| self.object(id)).map(|o| o.account) else {
            return false;
        };
        self.conclude(variant, residual, Fact::Administrator(account), &[])
    }

    /// `conclusion <- acts(variant), premises` where the residual leaves a way.
    fn conclude(
        &mut self,
        variant: usize,
        residual: Residual,
        conclusion: Fact,
        premises: &[FactId],
    ) -> bool {
        let Some((level, decided)) = self.search.level(&residual, &[]) else { return false };
        let acts = self.derivations.fact(Fact::Acts(variant));
        let conclusion = self.derivations.fact(conclusion);
        let mut all = vec![acts];
        all.extend_from_slice(premises);
        let why = Why::Calls(Arc::new(decided));
        self.derivations.add(Edge { premises: all, conclusion, level, steps: 0, why });
        true
    }

    /// Adds the edges of what a principal's calls can do.
    fn record(&mut self, variant: usize, outcomes: Vec<Outcome>, premises: &[FactId]) {
        let acts = self.derivations.fact(Fact::Acts(variant));
        let mut alike: BTreeMap<(usize, Residual), Vec<Arc<Binding>>> = BTreeMap::new();
        for outcome in outcomes {
            if outcome.help.is_empty() && premises.is_empty() {
                alike.entry((outcome.rule, outcome.residual)).or_default().push(outcome.binding);
                continue;
            }
            let Some((level, decided)) = self.level_of(outcome.rule, &outcome.residual) else {
                continue;
            };
            let mut all = vec![acts];
            all.extend_from_slice(premises);
            for group in outcome.help.iter().copied() {
                let help = self.search.help_wanted(&outcome, group, &self.made);
                let help = self.ask_for_help(help);
                all.push(self.derivations.fact(Fact::Helped(help)));
            }
            let done = self.done(outcome.rule, outcome.binding);
            let why = Why::Calls(Arc::new(decided));
            self.derivations.add(Edge { premises: all, conclusion: done, level, steps: 1, why });
        }
        for ((rule, residual), bindings) in alike {
            let Some((level, decided)) = self.level_of(rule, &residual) else { continue };
            let why = Why::Calls(Arc::new(decided));
            if let [binding] = bindings.as_slice() {
                let done = self.done(rule, binding.clone());
                let premises = vec![acts];
                self.derivations.add(Edge { premises, conclusion: done, level, steps: 1, why });
                continue;
            }
            let set = self.set(SetOf { rule, bindings });
            let premises = vec![acts];
            self.derivations.add(Edge { premises, conclusion: set, level, steps: 0, why });
        }
    }

    fn level_of(&self, rule: usize, residual: &Residual) -> Option<(Level, Decided)> {
        let events = self.search.rules.rules.get(rule).map_or(&[][..], |rule| &rule.events);
        self.search.level(residual, events)
    }

    fn set(&mut self, set: SetOf) -> FactId {
        if let Some(id) = self.set_ids.get(&set) {
            return self.derivations.fact(Fact::Set(*id));
        }
        let id = self.sets.len();
        let fact = self.derivations.fact(Fact::Set(id));
        for binding in &set.bindings {
            let done = self.done(set.rule, binding.clone());
            self.derivations.add(Edge {
                premises: vec![fact],
                conclusion: done,
                level: Level::Certain,
                steps: 1,
                why: Why::Implied,
            });
        }
        self.set_ids.insert(set.clone(), id);
        self.sets.push(set);
        fact
    }

    fn ask_for_help(&mut self, help: Help) -> usize {
        if let Some(id) = self.help_ids.get(&help) {
            return *id;
        }
        let id = self.help.len();
        self.help_ids.insert(help.clone(), id);
        self.help.push(help);
        id
    }

    /// The fact that a rule has been applied, and from it what the rule gives.
    fn done(&mut self, rule: usize, binding: Arc<Binding>) -> FactId {
        if let Some(id) = self.derivations.facts.find(&Fact::Done(rule, binding.clone())) {
            return id;
        }
        let id = self.derivations.fact(Fact::Done(rule, binding.clone()));
        for gain in self.search.gains(rule, &binding, &self.made) {
            let fact = match gain {
                crate::technique::Gained::Holds(principal) => Fact::Holds(principal),
                crate::technique::Gained::Principal(object) => {
                    let principal = self.make(*object);
                    let edited = Fact::Edited(Edit::InlinePolicy(principal));
                    let edited = self.derivations.fact(edited);
                    self.derivations.imply(vec![id], edited);
                    Fact::Holds(principal)
                }
                crate::technique::Gained::Edited(edit) => Fact::Edited(edit),
                crate::technique::Gained::Joinable(group) => Fact::Joinable(group),
                crate::technique::Gained::Delegated(delegation) => {
                    let next = self.delegations.len();
                    let at = *self.delegation_ids.entry(delegation.clone()).or_insert(next);
                    if at == next {
                        self.delegations.push(delegation);
                    }
                    Fact::Delegated(at)
                }
                crate::technique::Gained::Made(object) => Fact::Exists(self.make(*object)),
                crate::technique::Gained::DomainAdministration(domain) => {
                    Fact::DomainAdministration(domain)
                }
            };
            let fact = self.derivations.fact(fact);
            self.derivations.imply(vec![id], fact);
        }
        id
    }

    /// An object of the snapshot, or one that the attacker has made.
    pub fn object(&self, id: ObjectId) -> Option<&Object> {
        self.search.ground.object(&self.made, id)
    }

    fn make(&mut self, object: Object) -> ObjectId {
        let attributes: Vec<(Arc<str>, Arc<str>)> = object
            .attributes
            .iter()
            .flat_map(|(name, values)| {
                values.iter().flatten().map(|value| (name.clone(), value.clone()))
            })
            .collect();
        let next = self.search.ground.next_made(self.made.len());
        let id = *self.made_ids.entry((object.kind.clone(), object.arn.clone(), attributes)).or_insert(next);
        if id == next {
            self.made.push(object);
        }
        id
    }

    /// Objects that the attacker has made are tried by everyone he acts as.
    fn made_objects(&mut self) -> bool {
        let mut wanted = Vec::new();
        let within: Vec<Option<ObjectId>> =
            std::iter::once(None).chain(self.administered.iter().copied().map(Some)).collect();
        for object in &self.existing {
            for variant in &self.expanded {
                for domain in &within {
                    if self.tried.insert((*variant, Trial::Made(*object, *domain))) {
                        wanted.push((*variant, *object, *domain));
                    }
                }
            }
        }
        for (at, object, domain) in &wanted {
            let Some(variant) = self.variants.get(*at) else { continue };
            let select = Select::Only(*object, *domain);
            let (_, outcomes) = self.search.outcomes(variant, &self.made, select);
            let mut premises = vec![self.derivations.fact(Fact::Exists(*object))];
            if let Some(domain) = domain {
                premises.push(self.derivations.fact(Fact::DomainAdministration(*domain)));
            }
            self.record(*at, outcomes, &premises);
        }
        !wanted.is_empty()
    }

    /// Whoever administers a domain from inside may do everything in it.
    fn domain_administrators(&mut self) -> bool {
        let mut wanted = Vec::new();
        for domain in &self.administered {
            for variant in &self.expanded {
                if self.tried.insert((*variant, Trial::Domain(*domain))) {
                    wanted.push((*variant, *domain));
                }
            }
        }
        for (at, domain) in &wanted {
            let Some(variant) = self.variants.get(*at) else { continue };
            let (_, outcomes) =
                self.search.outcomes(variant, &self.made, Select::Administered(*domain));
            let fact = self.derivations.fact(Fact::DomainAdministration(*domain));
            self.record(*at, outcomes, &[fact]);
        }
        !wanted.is_empty()
    }

    /// `helped(help) <- acts(variant)` for everyone who can make the calls of a further group.
    fn helpers(&mut self) -> bool {
        let mut wanted = Vec::new();
        for help in 0..self.help.len() {
            let needed = self.help.get(help).map(|help| self.search.actions_needed(help));
            for (variant, actions) in &self.expanded_actions {
                let able = needed.as_ref().is_some_and(|needed| needed.is_subset(actions));
                if able && self.tried.insert((*variant, Trial::Help(help))) {
                    wanted.push((*variant, help));
                }
            }
        }
        let found: Vec<(usize, usize, Residual)> = wanted
            .par_iter()
            .filter_map(|(at, help)| {
                let variant = self.variants.get(*at)?;
                let help_of = self.help.get(*help)?;
                let residual = self.search.help(variant, &self.made, help_of);
                (!residual.is_false()).then_some((*at, *help, residual))
            })
            .collect();
        for (variant, help, residual) in found {
            self.conclude(variant, residual, Fact::Helped(help), &[]);
        }
        !wanted.is_empty()
    }

    /// `done(assume-role, role) <- edited(trust-policy(role)), acts(variant)`: anyone the attacker
    /// holds can be let in; for each start one that works is enough.
    fn rewritten_trust(&mut self, level: Level) -> bool {
        let stopped = self.stopped(level);
        let mut busy = false;
        for role in self.trusting.clone() {
            let edited = self.derivations.fact(Fact::Edited(Edit::TrustPolicy(role)));
            let holds = self.derivations.fact(Fact::Holds(role));
            let mut open = self.derivations.common(&[edited]) - &stopped;
            if let Some(have) = self.derivations.starts(holds) {
                open -= have;
            }
            // Most starts can be let in as themselves; the others as anyone they act as.
            let own: Vec<usize> = open
                .iter()
                .filter_map(|start| self.starts.get(start as usize))
                .filter_map(|start| {
                    let class = self.search.class_of(*start).representative;
                    self.variant_ids.get(&(class, Vec::new(), false)).copied()
                })
                .collect();
            let others = self.expanded.iter().copied();
            let order: Vec<usize> = own.into_iter().chain(others).collect();
            for at in order {
                if open.is_empty() {
                    break;
                }
                let acts = self.derivations.fact(Fact::Acts(at));
                if self.derivations.starts(acts).is_none_or(|starts| starts.is_disjoint(&open)) {
                    continue;
                }
                let starts = self.derivations.common(&[acts]) & &open;
                if self.tried.insert((at, Trial::Trusting(role))) {
                    let Some(variant) = self.variants.get(at).cloned() else { continue };
                    let (_, outcomes) =
                        self.search.outcomes(&variant, &self.made, Select::Trusting(role));
                    self.record(at, outcomes, &[edited]);
                    busy = true;
                }
                if self.assumes(at, role, edited, level) {
                    open -= starts;
                }
            }
        }
        busy
    }

    /// Whether an edge from acting as the variant and the edited trust policy is there.
    fn assumes(&self, variant: usize, role: ObjectId, edited: FactId, level: Level) -> bool {
        self.derivations.needing(edited).iter().any(|id| {
            self.derivations.edge(*id).is_some_and(|edge| {
                let acts = self.derivations.facts.find(&Fact::Acts(variant));
                let gives = match self.derivations.facts.get(edge.conclusion) {
                    Some(Fact::Done(_, binding)) => binding.objects.contains(&role),
                    _ => false,
                };
                edge.level <= level
                    && gives
                    && acts.is_some_and(|acts| edge.premises.contains(&acts))
            })
        })
    }

    /// `edited(member(user, group)) <- joinable(group)`, for the users that somebody who may add
    /// members acts as: adding anybody else gives nothing.
    fn join_groups(&mut self, level: Level) -> bool {
        let stopped = self.stopped(level);
        let mut wanted = Vec::new();
        for group in &self.joinable {
            let Some(joinable) = self.derivations.facts.find(&Fact::Joinable(*group)) else {
                continue;
            };
            for user in self.search.users_beside(*group) {
                let Some(holds) = self.derivations.facts.find(&Fact::Holds(*user)) else {
                    continue;
                };
                let starts = self.derivations.common(&[joinable, holds]) - &stopped;
                let member = Fact::Edited(Edit::Member(*user, *group));
                if !starts.is_empty() && self.derivations.facts.find(&member).is_none() {
                    wanted.push((joinable, member));
                }
            }
        }
        for (joinable, member) in &wanted {
            let member = self.derivations.fact(member.clone());
            self.derivations.imply(vec![*joinable], member);
        }
        !wanted.is_empty()
    }

    fn call_by_delegation(&mut self, at: usize, fact: FactId) {
        let (Goal::Call(call), Some(delegation)) = (&self.goal, self.delegations.get(at)) else {
            return;
        };
        let residual = self.search.delegated_call(delegation, &self.made, call);
        let Some((level, decided)) = self.search.level(&residual, &[]) else { return };
        let conclusion = self.derivations.fact(Fact::Called);
        let why = Why::Calls(Arc::new(decided));
        self.derivations.add(Edge { premises: vec![fact], conclusion, level, steps: 0, why });
    }
}

/// Combinations of lifts to try, as positions: what grants permissions one at a time, each with no
/// limit lifted and with all of them; and each limit by itself.
fn combinations(lifts: &[Lift]) -> Vec<Vec<usize>> {
    let (grants, limits): (Vec<usize>, Vec<usize>) = (0..lifts.len())
        .partition(|at| lifts.get(*at).is_some_and(|lift| lift.only_grants() || lift.grants_all()));
    let mut out: BTreeSet<Vec<usize>> = BTreeSet::new();
    let mut add = |parts: &[&[usize]]| {
        let mut combination: Vec<usize> = parts.concat();
        combination.sort_unstable();
        if !combination.is_empty() {
            out.insert(combination);
        }
    };
    for limit in &limits {
        add(&[&[*limit]]);
    }
    add(&[&limits]);
    for grant in &grants {
        add(&[&[*grant]]);
        add(&[&[*grant], &limits]);
        if lifts.get(*grant).is_some_and(|lift| lift.grants_all()) {
            for limit in &limits {
                add(&[&[*grant], &[*limit]]);
            }
        }
    }
    let mut out: Vec<Vec<usize>> = out.into_iter().collect();
    out.sort_by_key(|combination| (combination.len(), combination.clone()));
    out
}
