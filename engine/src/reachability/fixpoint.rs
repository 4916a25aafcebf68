//! The least fixpoint of everything an attacker can do, for every start at once.
//!
//! Rounds: first everything that the meaning of facts implies, then the calls of every principal
//! that somebody has newly come to act as. So facts appear in the order of the number of techniques
//! they need. Each level of certainty goes on from the stronger one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, RwLock};

use foldhash::HashMap;
use roaring::RoaringBitmap;

use super::derivations::{Derivations, Level};
use super::fact::{Fact, FactId};
use super::having::Having;
use super::helping::Helping;
use super::let_in_anyway::LetInAnyway;
use super::queue::Queue;
use super::shortest::Remaining;
use super::stand_ins::StandIns;
use super::start::{Start, Started};
use super::untried::Untried;
use super::world_facts::{Lift, Lifts};
use crate::authorization::{Edit, Edits, OrganizationEdit, TagKey};
use crate::residual::Residual;
use crate::snapshot::{AccountIndex, Object, ObjectId};
use crate::technique::{
    Actions, Binding, Delegation, Gained, GoalCall, Mandate, Mandated, Relief, Search,
};

/// What the question asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Administrator of the start's own account; of some account, if its own is outside the snapshot.
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
    /// What a service does as it for the attacker, if he does not act as it himself.
    pub mandated: Option<Arc<Mandated>>,
}

/// A set of bindings of one rule that some principals may apply alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct SetOf {
    pub(super) rule: usize,
    pub(super) bindings: Vec<Arc<Binding>>,
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

/// What tells variants apart: principal, lifts, whether it is special, mandate.
pub(super) type VariantKey = (ObjectId, Vec<Lift>, bool, Option<usize>);

/// What tells objects that the attacker makes apart: kind, ARN and attributes.
type MadeKey = (Arc<str>, Arc<str>, Vec<(Arc<str>, Arc<str>)>);

/// Something that is tried once for each variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Trial {
    /// A domain that the attacker administers from inside.
    Domain(ObjectId),
    /// A role whose trust policy the attacker has written.
    Trusting(ObjectId),
    /// The same, for a service to assume it.
    Serving(ObjectId),
    /// A user or role that the attacker acts as.
    Holder(ObjectId),
    /// A resource with changes.
    Changed(usize),
    /// The same, only where the resource's own policy has a say.
    ChangedApart(usize),
    /// A resource with changes, tried by a service with a delegation rather than by a variant.
    ChangedForService(usize),
}

/// A resource that the attacker has changed, and how; what is found through it may be changed as well.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Change {
    pub(super) resource: ObjectId,
    pub(super) edits: Vec<Edit>,
}

/// A domain that is administered from inside, and its access policy where that has been written.
pub(super) type Inside = (ObjectId, Option<Edit>);

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
    /// Edits of the organization, with the facts that stand for them.
    pub(super) everywhere: BTreeMap<OrganizationEdit, FactId>,
    /// What each of them comes to for an account.
    pub(super) reliefs: BTreeMap<(OrganizationEdit, AccountIndex), Relief>,
    /// The same for resources, whoever works on them.
    pub(super) reliefs_of_resources: BTreeMap<OrganizationEdit, Relief>,
    /// Of two moves of an account, whether the first brings it to where no more binds it.
    pub(super) places: BTreeMap<(OrganizationEdit, OrganizationEdit), bool>,
    pub(super) starts: Vec<Started>,
    pub(super) goal: Goal,
    pub(super) stop_at_goal: bool,
    pub(super) variant_ids: HashMap<VariantKey, usize>,
    pub(super) set_ids: HashMap<SetOf, usize>,
    pub(super) sets: Vec<SetOf>,
    pub(super) help_ids: HashMap<Help, usize>,
    pub(super) delegation_ids: BTreeMap<Delegation, usize>,
    /// What services do, each once; none where no technique could come of it.
    pub(super) mandates: Vec<Option<Arc<Mandated>>>,
    pub(super) mandate_ids: BTreeMap<Mandate, usize>,
    /// By role: delegations that techniques can be applied through, with their mandates.
    pub(super) mandated: BTreeMap<ObjectId, Vec<(FactId, usize)>>,
    pub(super) made_ids: BTreeMap<MadeKey, ObjectId>,
    pub(super) seen: BTreeSet<FactId>,
    /// Variants of which it is not decided yet whether they are administrators.
    pub(super) unjudged: Queue,
    /// Variants whose calls are not decided yet.
    pub(super) pending: Queue,
    pub(super) expanded: BTreeSet<usize>,
    /// Expanded variants in the order in which they were.
    pub(super) in_order: Vec<usize>,
    /// How many of these each object made has been tried by, in each domain administered, and where
    /// its access policy has been written.
    pub(super) tried_made: BTreeMap<(ObjectId, Option<Inside>), usize>,
    pub(super) helping: Helping,
    /// The actions that each expanded variant's policies are about.
    pub(super) expanded_actions: HashMap<usize, Actions>,
    /// Expanded variants that may change principals' permissions.
    pub(super) editors: BTreeSet<usize>,
    pub(super) existing: Vec<ObjectId>,
    pub(super) joinable: Vec<ObjectId>,
    pub(super) trusting: Vec<ObjectId>,
    /// Of these, the ones that let in tokens of the attacker's own providers.
    pub(super) let_in_tokens: BTreeSet<ObjectId>,
    /// By start.
    pub(super) having: Vec<Having>,
    /// Variants and starts that act as them, for which it is not decided yet whether they are tried
    /// with what is changed in other accounts.
    pub(super) abroad: BTreeSet<(usize, usize)>,
    /// Starts with resources of which they can change more than what has been tried together.
    pub(super) grown: BTreeSet<(usize, ObjectId)>,
    /// By resource: what is found through it whose own policy has a say together with its own.
    pub(super) decided_with: HashMap<ObjectId, Arc<[ObjectId]>>,
    pub(super) changes: Vec<Change>,
    pub(super) change_ids: BTreeMap<Change, usize>,
    /// Variants and changes that some start has together and that are not tried yet.
    pub(super) untried: Untried,
    /// The tags of resources that policies of each variant ask for, and of which actions.
    pub(super) tags_asked: HashMap<usize, BTreeMap<TagKey, Actions>>,
    /// The same of resources' own policies.
    pub(super) tags_asked_by_resource: HashMap<ObjectId, BTreeMap<TagKey, Actions>>,
    /// The tags of principals that the policies which bind them ask for.
    pub(super) own_tags: HashMap<ObjectId, BTreeSet<TagKey>>,
    /// Principals with lifts that are mostly worth nothing once everything else is found.
    pub(super) late_lifts: BTreeSet<ObjectId>,
    pub(super) administered: Vec<ObjectId>,
    /// Who needs no resource's own policy to let it in.
    pub(super) let_in_anyway: LetInAnyway,
    pub(super) tried: BTreeSet<(usize, Trial)>,
    pub(super) settled: [RoaringBitmap; 3],
    /// Starts that were at the goal before the last calls were decided. Those that get there with
    /// these calls are still followed through what they imply: there may be a way with fewer.
    pub(super) arrived: RoaringBitmap,
    /// By variant: principals that some start has together with it and that are not tried yet.
    pub(super) together: BTreeMap<usize, RoaringBitmap>,
    pub(super) stand_ins: StandIns,
    /// By goal and level: how many steps remain from facts to it.
    remaining: RwLock<HashMap<(FactId, Level), Arc<Remaining>>>,
}

impl<'r, 'w> Reachability<'r, 'w> {
    /// Closes everything that the starts can do.
    ///
    /// With `stop_at_goal` a start is followed no further once it has reached the goal, whichever way:
    /// enough for verdicts and the shortest paths to them, not for paths that must use something
    /// given, or be short whatever they assume. For these it is followed on every way to where that
    /// ends at the goal.
    pub fn close(search: &'r Search<'w>, starts: &[Start], goal: Goal, stop_at_goal: bool) -> Self {
        Self::close_with(search, starts, &[], goal, stop_at_goal)
    }

    /// As [`Self::close`], where starts have something besides the principal that they hold.
    ///
    /// - `given`: by position of the start, what it has been given.
    pub fn close_with(
        search: &'r Search<'w>,
        starts: &[Start],
        given: &[(usize, Vec<Gained>)],
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
            everywhere: BTreeMap::new(),
            reliefs: BTreeMap::new(),
            reliefs_of_resources: BTreeMap::new(),
            places: BTreeMap::new(),
            starts: Vec::with_capacity(starts.len()),
            goal,
            stop_at_goal,
            variant_ids: HashMap::default(),
            set_ids: HashMap::default(),
            sets: Vec::new(),
            help_ids: HashMap::default(),
            delegation_ids: BTreeMap::new(),
            mandates: Vec::new(),
            mandate_ids: BTreeMap::new(),
            mandated: BTreeMap::new(),
            made_ids: BTreeMap::new(),
            seen: BTreeSet::new(),
            unjudged: Queue::default(),
            pending: Queue::default(),
            expanded: BTreeSet::new(),
            in_order: Vec::new(),
            helping: Helping::default(),
            tried_made: BTreeMap::new(),
            expanded_actions: HashMap::default(),
            editors: BTreeSet::new(),
            existing: Vec::new(),
            joinable: Vec::new(),
            trusting: Vec::new(),
            let_in_tokens: BTreeSet::new(),
            having: starts.iter().map(|_| Having::default()).collect(),
            abroad: BTreeSet::new(),
            grown: BTreeSet::new(),
            decided_with: HashMap::default(),
            changes: Vec::new(),
            change_ids: BTreeMap::new(),
            untried: Untried::default(),
            tags_asked: HashMap::default(),
            tags_asked_by_resource: HashMap::default(),
            own_tags: HashMap::default(),
            late_lifts: BTreeSet::new(),
            administered: Vec::new(),
            let_in_anyway: LetInAnyway::default(),
            tried: BTreeSet::new(),
            settled: Default::default(),
            arrived: RoaringBitmap::new(),
            together: BTreeMap::new(),
            stand_ins: StandIns::new(stop_at_goal),
            remaining: RwLock::default(),
        };
        let mut first: BTreeMap<FactId, RoaringBitmap> = BTreeMap::new();
        for (at, start) in starts.iter().enumerate() {
            let symbolic = start.symbolic.iter().map(|object| out.make(object.clone()));
            let holds: Vec<ObjectId> = symbolic.chain(start.principals.iter().copied()).collect();
            for id in &holds {
                let fact = out.derivations.fact(Fact::Holds(*id));
                let own = RoaringBitmap::from_iter([at as u32]);
                out.derivations.state(fact, &own);
                *first.entry(fact).or_default() |= own;
            }
            out.starts.push(Started { holds, home: start.home });
            if let Some(home) = start.home {
                out.stand_ins.homes.entry(home).or_default().insert(at as u32);
            }
        }
        for (at, gains) in given {
            let own = RoaringBitmap::from_iter([*at as u32]);
            for gain in gains {
                for fact in out.facts_of(gain.clone()) {
                    out.derivations.state(fact, &own);
                    *first.entry(fact).or_default() |= own.clone();
                }
            }
        }
        out.note_end_with_principal();
        for level in Level::ALL {
            out.close_level(level, std::mem::take(&mut first));
        }
        out
    }

    fn close_level(&mut self, level: Level, first: BTreeMap<FactId, RoaringBitmap>) {
        if level != Level::Certain {
            self.derivations.weaken(level);
        }
        let mut gained = first;
        let mut touched = BTreeSet::new();
        loop {
            self.settle(level);
            if level == Level::Unknown {
                // What is not known has no way to show, so that none with fewer calls is looked for.
                self.arrive(level);
            }
            for (fact, starts) in gained {
                let starts = self.followed(&starts);
                if starts.is_empty() {
                    continue;
                }
                self.meet(fact, &starts, level);
                touched.extend(self.react(fact));
            }
            gained = self.derivations.round(level, &self.stopped());
            if !gained.is_empty() {
                continue;
            }
            // What allows everything makes other lifts superfluous: all that is implied comes first.
            for principal in std::mem::take(&mut touched) {
                self.act_with_lifts(principal, false);
            }
            gained = self.derivations.round(level, &self.stopped());
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

    /// Those that are at the goal by now are followed no further.
    pub(super) fn arrive(&mut self, level: Level) {
        if let Some(settled) = self.settled.get(level as usize) {
            self.arrived = settled.clone();
        }
    }

    /// How many steps remain to a goal, over edges of at most a level; worked out once for each.
    pub fn remaining(&self, goal: FactId, level: Level) -> Arc<Remaining> {
        let key = (goal, level);
        if let Ok(known) = self.remaining.read()
            && let Some(known) = known.get(&key)
        {
            return known.clone();
        }
        let found = Arc::new(Remaining::to(&self.derivations, goal, level));
        if let Ok(mut known) = self.remaining.write() {
            known.insert(key, found.clone());
        }
        found
    }

    /// What a start is given: the callers that it stands for.
    pub fn given(&self, start: usize) -> &[ObjectId] {
        self.starts.get(start).map_or(&[], |start| &start.holds)
    }

    /// Notes which principals a start holds together with which it acts as: only then is it worth
    /// something to change their permissions.
    fn meet(&mut self, fact: FactId, starts: &RoaringBitmap, level: Level) {
        match self.derivations.facts.get(fact) {
            Some(Fact::Acts(variant)) => {
                let variant = *variant;
                self.unjudged.wake(variant);
                self.pending.wake(variant);
                self.note_stand_in(variant, starts, level);
                let starts = self.derivations.going_on(fact, starts);
                for start in starts.iter() {
                    self.need_help_of(start, variant);
                }
                let covered = self.covered(variant);
                for start in &*starts & &covered {
                    self.act_beside(start, variant);
                }
                let rest = self.let_wait(variant, &*starts - covered);
                self.act_by_itself(variant, &rest);
            }
            Some(Fact::Holds(_) | Fact::Delegated(_)) => {
                let Some(principal) = self.principal_of(fact) else { return };
                self.hold(starts, principal);
            }
            Some(Fact::Edited(edit)) => {
                let edit = *edit;
                self.note_change(edit, starts);
            }
            _ => {}
        }
    }

    /// Draws the consequences of a fact that gained starts. Returns the principals that somebody
    /// may now act as with other lifts than before.
    fn react(&mut self, id: FactId) -> Vec<ObjectId> {
        let first = self.seen.insert(id);
        let Some(fact) = self.derivations.facts.get(id).cloned() else { return Vec::new() };
        match fact {
            Fact::Holds(principal) => {
                if first {
                    self.act_as(principal, id, None);
                    // called <- holds(principal), where acting as it is what is asked for.
                    if let Goal::Call(call) = &self.goal
                        && call.principals.contains(&principal)
                    {
                        let called = self.derivations.fact(Fact::Called);
                        self.derivations.imply(vec![id], called);
                    }
                }
                vec![principal]
            }
            Fact::Acts(variant) => {
                if first {
                    self.unjudged.add(variant);
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
                    self.act_by_delegation(delegation, id);
                }
                let role = self.delegations.get(delegation).map(|delegation| delegation.role);
                role.filter(|role| self.mandated.contains_key(role)).into_iter().collect()
            }
            // administrator-somewhere <- administrator(account).
            Fact::Administrator(_) => {
                if first && self.starts.iter().any(|start| start.home.is_none()) {
                    let somewhere = self.derivations.fact(Fact::AdministratorSomewhere);
                    self.derivations.imply(vec![id], somewhere);
                }
                Vec::new()
            }
            Fact::Done(..)
            | Fact::Set(_)
            | Fact::Helped(_)
            | Fact::AdministratorSomewhere
            | Fact::IdentityProvider(_)
            | Fact::Called => Vec::new(),
        }
    }
}
