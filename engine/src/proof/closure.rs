//! The closed set of facts: what follows from what, in one plain step, and the least set that holds
//! it all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::application::{Application, Hand, Seek, Trials, Visit};
use super::changes::{TooMany, subjects, together};
use super::had::{Had, State};
use crate::authorization::{Edit, Edits, IDENTITY_SCOPE, TAG_SCOPE};
use crate::reachability::{Goal, Start, Variant};
use crate::residual::{Residual, VariableKind};
use crate::snapshot::{OUTSIDE, ObjectId};
use crate::solver::Solution;
use crate::technique::{Binding, GoalCall, Search};
use crate::witness::{is_clock, is_late};

/// A question, as far as closing and checking need it.
pub(super) struct Asked<'s, 'w> {
    pub(super) search: &'s Search<'w>,
    pub(super) start: &'s Start,
    pub(super) goal: &'s Goal,
    /// Whether each step has an environment of its own.
    pub(super) per_step: bool,
}

/// What follows from a state in one step.
#[derive(Default)]
pub(super) struct Consequences {
    /// Facts, each with the environments in which it follows.
    pub(super) facts: BTreeMap<Had, Residual>,
    /// Techniques all of whose calls the policies of somebody held mention, and that are not
    /// authorized for any objects: technique and principal.
    pub(super) not_applicable: BTreeSet<(Arc<str>, Arc<str>)>,
}

/// Why no closed set without the goal was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotClosed {
    /// The goal follows.
    #[error("the goal follows from what the attacker has")]
    Reached,
    /// Too many combinations.
    #[error("{0}")]
    TooMany(#[from] TooMany),
    /// A limit was reached.
    #[error("the set of facts has not closed within {0} rounds")]
    Rounds(usize),
    /// A limit was reached.
    #[error("the attacker would come to have more than {0} things")]
    Large(usize),
}

/// Facts of which a set is given up on.
const LARGEST: usize = 50_000;

/// Rounds after which a set that still grows is given up on.
const ROUNDS: usize = 200;

impl Asked<'_, '_> {
    /// Whether a fact is the goal: of a start that has no account of its own in the snapshot, to
    /// administer any.
    pub(super) fn is_goal(&self, had: &Had) -> bool {
        match (self.goal, had) {
            (Goal::OwnAdministrator, Had::Administrator(account)) => {
                self.start.home.is_none_or(|home| home == *account)
            }
            (Goal::Administrator(wanted), Had::Administrator(account)) => wanted == account,
            (Goal::Holds(wanted), Had::Holds(principal)) => wanted == principal,
            (Goal::Call(_), Had::Called) => true,
            _ => false,
        }
    }

    /// The least closed set, if the goal is not in it.
    ///
    /// - `with_conditions`: whether to note in which environments each fact is had. Without, every
    ///   fact is taken to hold in all.
    pub(super) fn close(&self, with_conditions: bool) -> Result<(State, Consequences), NotClosed> {
        let mut state = State::of(self.search, self.start);
        if state.facts.keys().any(|had| self.is_goal(had)) {
            return Err(NotClosed::Reached);
        }
        for _ in 0..ROUNDS {
            // Whoever is at the goal can do so much else that it is not looked at.
            let mut at_goal = BTreeMap::new();
            let trials = Trials::new(self.search, &state, self.per_step, Seek::Possible);
            self.goals(&trials, &mut at_goal)?;
            if at_goal.keys().any(|had| self.is_goal(had)) {
                return Err(NotClosed::Reached);
            }
            drop(trials);
            let mut step = self.consequences(&mut state)?;
            let mut grown = false;
            for (had, condition) in std::mem::take(&mut step.facts) {
                if self.is_goal(&had) {
                    return Err(NotClosed::Reached);
                }
                let condition = if with_conditions { condition } else { Residual::True };
                grown |= self.add(&mut state, had, condition);
            }
            if !grown {
                return Ok((state, step));
            }
        }
        Err(NotClosed::Rounds(ROUNDS))
    }

    fn add(&self, state: &mut State, had: Had, condition: Residual) -> bool {
        if self.has(state, &had, &condition) {
            return false;
        }
        let all = match state.facts.get(&had) {
            Some(known) => known.clone().or(condition),
            None => condition,
        };
        state.facts.insert(had, all);
        true
    }

    /// Whether a state has a fact wherever the condition holds.
    pub(super) fn has(&self, state: &State, had: &Had, condition: &Residual) -> bool {
        match state.facts.get(had) {
            None => false,
            Some(Residual::True) => true,
            Some(known) if known == condition => true,
            Some(known) => {
                let outside = condition.clone().and(known.clone().negate());
                matches!(self.search.solver.solve(&outside), Solution::Unsatisfiable)
            }
        }
    }

    /// Everything that follows in one step. Objects that the attacker makes are added to the state.
    pub(super) fn consequences(&self, state: &mut State) -> Result<Consequences, NotClosed> {
        let out = self.consequences_where(state, false)?;
        let is_open = |had: &Had| match had {
            Had::Edited(Edit::TrustPolicy(role)) => !state.surely_holds(*role),
            _ => false,
        };
        if !state.facts.keys().any(is_open)
            || out.facts.iter().any(|(had, condition)| !self.has(state, had, condition))
        {
            return Ok(out);
        }
        // Only once nothing else follows: mostly the roles are held by then.
        self.consequences_where(state, true)
    }

    /// The same.
    ///
    /// - `let_in`: whether services are let in by trust policies that the attacker has written.
    fn consequences_where(
        &self,
        state: &mut State,
        let_in: bool,
    ) -> Result<Consequences, NotClosed> {
        let mut out = Consequences::default();
        let mut next = State { facts: BTreeMap::new(), made: state.made.clone() };
        {
            let mut trials = Trials::new(self.search, state, self.per_step, Seek::Possible);
            trials.lets_in_services = let_in;
            for hand in &trials.hands {
                let mut step = Step {
                    asked: self,
                    state,
                    next: &mut next,
                    facts: &mut out.facts,
                    tried: BTreeSet::new(),
                    applied: BTreeSet::new(),
                };
                trials.of_hand(hand, &mut step)?;
                let Step { tried, applied, .. } = step;
                if out.facts.len() > LARGEST {
                    return Err(NotClosed::Large(LARGEST));
                }
                let technique =
                    |at: &usize| self.search.rules.rules.get(*at).map(|rule| rule.id.clone());
                let applied: BTreeSet<Arc<str>> = applied.iter().filter_map(technique).collect();
                let who: Arc<str> =
                    trials.object(hand.principal).map_or("".into(), |object| object.arn.clone());
                out.not_applicable.extend(
                    tried
                        .iter()
                        .filter_map(technique)
                        .filter(|technique| !applied.contains(technique))
                        .map(|technique| (technique, who.clone())),
                );
            }
            self.goals(&trials, &mut out.facts)?;
        }
        state.made = next.made;
        self.implied(state, &mut out.facts);
        Ok(out)
    }

    /// What follows in one step of goals alone.
    fn goals(
        &self,
        trials: &Trials<'_, '_>,
        out: &mut BTreeMap<Had, Residual>,
    ) -> Result<(), TooMany> {
        for hand in &trials.hands {
            self.of_goal(trials, hand, out)?;
        }
        self.by_limited_delegations(trials, out)
    }

    /// Whether a hand is an administrator, or makes the call that was asked for.
    fn of_goal(
        &self,
        trials: &Trials<'_, '_>,
        hand: &Hand,
        out: &mut BTreeMap<Had, Residual>,
    ) -> Result<(), TooMany> {
        let about = subjects(self.search, trials.state, hand.principal);
        let Some(object) = trials.object(hand.principal) else { return Ok(()) };
        let name = || object.arn.to_string();
        let made = &trials.state.made;
        let variant = |edits: &[Edit]| Variant {
            principal: hand.principal,
            edits: Edits::of(edits.iter().copied()),
            shared: false,
            special: false,
            newly: None,
            mandated: hand.mandated.clone().map(Arc::new),
        };
        let mut conclude = |had: Had, residual: &Residual, condition: Residual| {
            let all = trials.renamed(residual, hand.principal).and(condition);
            if let Some(condition) = self.carried(&all) {
                note(out, had, condition);
            }
        };
        for world in trials.changes.worlds(&about, true, name)? {
            let condition = hand.condition.clone().and(world.condition);
            let variant_of = variant(&world.edits);
            // Of an account of its own outside the snapshot.
            if object.account != OUTSIDE {
                let residual = self.search.administrator(&variant_of, made);
                conclude(Had::Administrator(object.account), &residual, condition.clone());
            }
            let Goal::Call(call) = self.goal else { continue };
            let residual = self.search.goal_call(&variant_of, made, call);
            conclude(Had::Called, &residual, condition.clone());
            for subjects in self.decisive(call) {
                let changed = |object: &&ObjectId| trials.changes.concern(**object);
                let Some(target) = subjects.iter().find(changed).copied() else { continue };
                for of_target in trials.changes.worlds(&subjects, false, name)? {
                    let all = together(&world.edits, &of_target.edits);
                    let residual = self.search.goal_call_on(&variant(&all), made, call, target);
                    conclude(Had::Called, &residual, condition.clone().and(of_target.condition));
                }
            }
            // In a domain that is administered from inside, whatever its policy has come to be.
            for target in targets(call) {
                let Some(administers) = trials.state.facts.get(&Had::Administers(target)) else {
                    continue;
                };
                let subjects = BTreeSet::from([target]);
                for of_target in trials.changes.worlds(&subjects, false, name)? {
                    let all = together(&world.edits, &of_target.edits);
                    let variant = variant(&all);
                    let residual = self.search.goal_call_inside(&variant, made, call, target);
                    let condition = condition.clone().and(administers.clone());
                    conclude(Had::Called, &residual, condition.and(of_target.condition));
                }
            }
        }
        Ok(())
    }

    /// The call that was asked for, made by services that act within certain resources.
    fn by_limited_delegations(
        &self,
        trials: &Trials<'_, '_>,
        out: &mut BTreeMap<Had, Residual>,
    ) -> Result<(), TooMany> {
        let Goal::Call(call) = self.goal else { return Ok(()) };
        for (had, condition) in &trials.state.facts {
            let Had::Delegated(delegation) = had else { continue };
            let mut about = subjects(self.search, trials.state, delegation.role);
            about.extend(self.decisive(call).into_iter().flatten());
            for world in trials.changes.worlds(&about, true, || delegation.through.to_string())? {
                let edits = Edits::of(world.edits.iter().copied());
                let made = &trials.state.made;
                let residual = self.search.delegated_call(delegation, made, &edits, call);
                let all = trials
                    .renamed(&residual, delegation.role)
                    .and(condition.clone())
                    .and(world.condition);
                if let Some(condition) = self.carried(&all) {
                    note(out, Had::Called, condition);
                }
            }
        }
        Ok(())
    }

    /// For each resource that the call can be about the objects whose own policies decide it.
    fn decisive(&self, call: &GoalCall) -> BTreeSet<BTreeSet<ObjectId>> {
        let of_targets = call.targets.iter();
        of_targets.map(|target| self.search.decisive(target).collect()).collect()
    }

    /// What facts mean together, without any call.
    fn implied(&self, state: &State, out: &mut BTreeMap<Had, Residual>) {
        let object = |id: ObjectId| self.search.ground.object(&state.made, id);
        for (had, condition) in &state.facts {
            // called <- holds(principal), where acting as it is what is asked for.
            if let (Had::Holds(principal), Goal::Call(call)) = (had, self.goal)
                && call.principals.contains(principal)
            {
                note(out, Had::Called, condition.clone());
            }
            for (other, also) in &state.facts {
                let implied = match (had, other) {
                    // edited(member(user, group)) <- may-join(group), holds(user).
                    (Had::MayJoin(group), Had::Holds(user)) => {
                        let beside =
                            object(*user).zip(object(*group)).is_some_and(|(user, group)| {
                                &*user.kind == "iam:user" && user.account == group.account
                            });
                        beside.then_some(Had::Edited(Edit::Member(*user, *group)))
                    }
                    // holds(role) <- edited(trust-policy(role)), identity-provider(account(role)).
                    (Had::Edited(Edit::TrustPolicy(role)), Had::IdentityProvider(account)) => {
                        object(*role)
                            .is_some_and(|role| role.account == *account)
                            .then_some(Had::Holds(*role))
                    }
                    _ => None,
                };
                if let Some(implied) = implied {
                    note(out, implied, condition.clone().and(also.clone()));
                }
            }
        }
    }

    /// What of a formula the rest of a path is bound by; `None` if the formula cannot hold.
    ///
    /// A step's own choices are made anew, and so is its network place if each step has its own.
    /// Time goes forward: that it is late stays true, that it is early does not.
    fn carried(&self, formula: &Residual) -> Option<Residual> {
        let possible = formula.with_gaps(true);
        match self.search.solver.solve(&possible) {
            Solution::Unsatisfiable => None,
            _ => Some(weaken(&possible)),
        }
    }
}

/// What one hand adds to what follows.
struct Step<'a, 's, 'w> {
    asked: &'a Asked<'s, 'w>,
    state: &'a State,
    next: &'a mut State,
    facts: &'a mut BTreeMap<Had, Residual>,
    tried: BTreeSet<usize>,
    applied: BTreeSet<usize>,
}

impl Visit for Step<'_, '_, '_> {
    fn tried(&mut self, rule: usize) {
        self.tried.insert(rule);
    }

    fn is_had(&self, rule: usize, binding: &Binding) -> bool {
        let search = self.asked.search;
        // That it can be applied at all has to be seen once.
        self.applied.contains(&rule)
            && search.gains(rule, binding, &self.state.made).into_iter().all(|gain| {
                self.next.known_as(search, gain).is_some_and(|facts| {
                    facts.iter().all(|had| {
                        let anywhere = |facts: &BTreeMap<Had, Residual>| {
                            facts.get(had).is_some_and(Residual::is_true)
                        };
                        anywhere(&self.state.facts) || anywhere(self.facts)
                    })
                })
            })
    }

    fn found(&mut self, application: Application) {
        let Some(condition) = self.asked.carried(&application.residual) else { return };
        self.applied.insert(application.rule);
        let search = self.asked.search;
        for gain in search.gains(application.rule, &application.binding, &self.state.made) {
            for had in self.next.facts_of(search, gain) {
                note(self.facts, had, condition.clone());
            }
        }
    }
}

fn note(out: &mut BTreeMap<Had, Residual>, had: Had, condition: Residual) {
    let all = match out.remove(&had) {
        Some(Residual::True) => Residual::True,
        Some(known) => known.or(condition),
        None => condition,
    };
    out.insert(had, all);
}

fn targets(call: &GoalCall) -> impl Iterator<Item = ObjectId> {
    let ids: BTreeSet<ObjectId> = call.targets.iter().filter_map(|target| target.object).collect();
    ids.into_iter()
}

fn weaken(formula: &Residual) -> Residual {
    match formula {
        Residual::All(members) => Residual::all(members.iter().map(weaken)),
        Residual::Any(members) => Residual::any(members.iter().map(weaken)),
        literal if is_lasting(literal) => literal.clone(),
        Residual::False => Residual::False,
        _ => Residual::True,
    }
}

/// Whether a condition says only what stays true along a path.
pub(super) fn lasts(condition: &Residual) -> bool {
    match condition {
        Residual::True | Residual::False => true,
        Residual::All(members) | Residual::Any(members) => members.iter().all(lasts),
        literal => is_lasting(literal),
    }
}

fn is_lasting(literal: &Residual) -> bool {
    let (atom, holds) = match literal {
        Residual::Atom(atom) => (atom, true),
        Residual::Not(inner) => match &**inner {
            Residual::Atom(atom) => (atom, false),
            _ => return false,
        },
        _ => return false,
    };
    let variable = atom.variable();
    let shared = match variable.kind {
        VariableKind::Chosen => {
            [TAG_SCOPE, IDENTITY_SCOPE].iter().any(|shared| variable.scope.starts_with(shared))
        }
        // A step's own variables are numbered.
        VariableKind::Environment => !variable.scope.starts_with("0 "),
    };
    shared && (!is_clock(variable) || is_late(atom, holds))
}
