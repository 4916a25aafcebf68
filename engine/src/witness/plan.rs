//! A plan: the steps of a derivation in order, each with who makes its calls and what is left open.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::clock::{Part, forward, is_clock, time_of};
use crate::authorization::{IDENTITY_SCOPE, SESSION_SCOPE, TAG_SCOPE};
use crate::reachability::{
    Derivation, EdgeId, Fact, FactId, Level, Mask, Reachability, State, Why,
};
use crate::residual::{Atom, Residual, Variable, VariableKind};
use crate::snapshot::ObjectId;
use crate::solver::{Assignment, Value};
use crate::technique::{Binding, Delegation};

/// One step of a plan.
#[derive(Clone, Debug)]
pub struct PlannedStep {
    /// What is done.
    pub deed: Deed,
    /// The principal that makes the calls of the rule's first group, or the goal's call.
    pub actor: ObjectId,
    /// The service that makes them in a forward access session, if one does.
    pub via: Option<Arc<str>>,
    /// Who makes the calls of further groups, by group.
    pub helpers: Vec<Helper>,
}

/// Who makes the calls of a further group.
#[derive(Clone, Debug)]
pub struct Helper {
    /// The group.
    pub group: usize,
    /// The principal.
    pub principal: ObjectId,
    /// The service that makes them in a forward access session, if one does.
    pub via: Option<Arc<str>>,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Deed {
    /// Applies a rule under a binding.
    Apply(usize, Arc<Binding>),
    /// Makes the call that the question asks for.
    Call,
    /// Has the call made by a service with a delegated role.
    CallByDelegation(Delegation),
}

/// Steps in order, and the formula over their open inputs under which all of them work.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<PlannedStep>,
    /// What is left of all authorizations together, each step's choices apart from the others'.
    pub residual: Residual,
    /// Its parts, each with those that it needs to have happened.
    pub parts: Vec<Part>,
    /// By step, and one more for the goal: the first step that is at the same time.
    pub times: Vec<usize>,
    /// The edges of the derivation that leave something open.
    pub open: Vec<EdgeId>,
    /// The weakest level among the edges.
    pub level: Level,
    /// What steps share.
    pub sharing: Sharing,
}

/// At what times the steps of a path are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Times {
    /// All at one.
    #[default]
    One,
    /// None before those that it comes after. A session of a role lasts for hours, so what is done
    /// with one is done at the time at which it was begun.
    ///
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use.html>
    Several,
    /// The same, where sessions last for ever.
    Any,
}

/// What the steps of a path share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sharing {
    /// Whether each step has an environment of its own.
    pub environment_per_step: bool,
    /// Whether each step has symbolic callers of its own: another user, another token.
    pub identity_per_step: bool,
    /// At what times steps are.
    pub times: Times,
}

impl Plan {
    /// The values that were found, with the time of every step: found was one for all that are at
    /// the same.
    pub fn with_times(&self, mut assignment: Assignment) -> Assignment {
        for (step, time) in self.times.iter().enumerate().filter(|(step, time)| step != *time) {
            let scope = time_of(*time);
            let known: Vec<(Variable, Value)> = assignment
                .iter()
                .filter(|(variable, _)| variable.scope == scope)
                .map(|(variable, value)| (variable.clone(), value.clone()))
                .collect();
            for (variable, value) in known {
                assignment.insert(Variable { scope: time_of(step), ..variable }, value);
            }
        }
        assignment
    }

    /// Whether something about a symbolic caller is open that several steps share.
    pub fn has_open_identity(&self) -> bool {
        self.residual.variables().iter().any(|open| open.scope.starts_with(IDENTITY_SCOPE))
    }
}

/// Lines up the steps of a derivation.
pub fn plan(
    reachability: &Reachability<'_, '_>,
    derivation: &Derivation,
    sharing: Sharing,
) -> Plan {
    let mut out = Plan {
        steps: Vec::new(),
        residual: Residual::True,
        parts: Vec::new(),
        times: Vec::new(),
        open: Vec::new(),
        level: Level::Certain,
        sharing,
    };
    let derivations = &reachability.derivations;
    // The parts that have happened where a state is reached.
    let mut parts: BTreeMap<State, BTreeSet<usize>> = BTreeMap::new();
    // The steps that began the sessions in which somebody acts where a state is reached.
    let mut sessions: BTreeMap<State, BTreeSet<usize>> = BTreeMap::new();
    let mut bound: BTreeSet<(usize, usize)> = BTreeSet::new();
    for (id, state) in derivation.edges() {
        let Some(edge) = derivations.edge(id) else { continue };
        out.level = out.level.max(edge.level);
        let premises = derivation.chosen.get(&state).map(|(_, premises)| premises.as_slice());
        let premises = premises.unwrap_or_default();
        let next = out.steps.len();
        let mut behind: BTreeSet<usize> =
            premises.iter().filter_map(|premise| parts.get(premise)).flatten().copied().collect();
        let began: BTreeSet<usize> =
            premises.iter().filter_map(|at| sessions.get(at)).flatten().copied().collect();
        let conclusion = derivations.facts.get(edge.conclusion);
        if matches!(edge.why, Why::Calls(_)) {
            bound.extend(began.iter().map(|first| (next, *first)));
        }
        let session = match conclusion {
            Some(Fact::Done(..)) => BTreeSet::from([next]),
            Some(Fact::Holds(principal)) if is_role(reachability, *principal) => began,
            Some(Fact::Acts(_) | Fact::Set(_) | Fact::Helped(_)) => began,
            _ => BTreeSet::new(),
        };
        sessions.insert(state, session);
        let actor = actor(reachability, derivation, premises);
        let delegated = delegation(reachability, derivation, premises);
        // What a service does with a role is authorized for the role.
        let caller = delegated.as_ref().map(|delegation| delegation.role).or(actor);
        if let (Why::Calls(decided), Some(actor)) = (&edge.why, caller) {
            // An edge into a set or a helper belongs to the step that comes of it.
            let renamed = rename(reachability, &decided.residual, next, actor, sharing);
            if renamed != Residual::True {
                out.open.push(id);
                let residual = renamed.clone();
                behind.insert(out.parts.len());
                let mut after = behind.clone();
                after.remove(&out.parts.len());
                out.parts.push(Part { step: next, residual, after });
            }
            out.residual = out.residual.and(renamed);
        }
        parts.insert(state, behind);
        match conclusion {
            Some(Fact::Done(rule, binding)) => {
                let Some(actor) = actor else { continue };
                let helpers = helpers(reachability, derivation, premises);
                let deed = Deed::Apply(*rule, binding.clone());
                let via = via(&delegated);
                out.steps.push(PlannedStep { deed, actor, via, helpers });
            }
            Some(Fact::Called) => {
                let via = via(&delegated);
                let (deed, actor) = match (delegated, actor) {
                    (Some(delegation), _) => {
                        let role = delegation.role;
                        (Deed::CallByDelegation(delegation), role)
                    }
                    (None, Some(actor)) => (Deed::Call, actor),
                    (None, None) => continue,
                };
                out.steps.push(PlannedStep { deed, actor, via, helpers: Vec::new() });
            }
            _ => {}
        }
    }
    out.times = (0..=out.steps.len()).collect();
    if sharing.times == Times::Several {
        at_one_time(&mut out.times, &bound);
        out.residual = in_groups(&out.residual, &out.times);
        for part in &mut out.parts {
            part.residual = in_groups(&part.residual, &out.times);
            part.step = out.times.get(part.step).copied().unwrap_or(part.step);
        }
    }
    if sharing.times != Times::One {
        out.residual = out.residual.and(forward(&out.parts));
    }
    out
}

/// Notes pairs of steps that are at one time, the later one first.
fn at_one_time(times: &mut [usize], pairs: &BTreeSet<(usize, usize)>) {
    for (later, earlier) in pairs {
        let (Some(one), Some(other)) = (times.get(*later), times.get(*earlier)) else { continue };
        let (first, second) = (*one.min(other), *one.max(other));
        times.iter_mut().filter(|time| **time == second).for_each(|time| *time = first);
    }
}

/// The formula with one time for all steps that are at the same.
fn in_groups(residual: &Residual, times: &[usize]) -> Residual {
    let scopes: BTreeMap<Arc<str>, Arc<str>> =
        times.iter().enumerate().map(|(step, time)| (time_of(step), time_of(*time))).collect();
    residual.substitute(&|atom| {
        let scope = scopes.get(&atom.variable().scope)?;
        let variable = Variable { scope: scope.clone(), ..atom.variable().clone() };
        Some(Residual::atom(with_variable(atom, variable)))
    })
}

fn with_variable(atom: &Atom, variable: Variable) -> Atom {
    match atom {
        Atom::Present(_) => Atom::Present(variable),
        Atom::Passes(_, test) => Atom::Passes(variable, test.clone()),
        Atom::Some { tests, negated, .. } => {
            Atom::Some { variable, tests: tests.clone(), negated: *negated }
        }
    }
}

fn is_role(reachability: &Reachability<'_, '_>, principal: ObjectId) -> bool {
    reachability.object(principal).is_none_or(|object| &*object.kind == "iam:role")
}

/// The principal that acts, as the premises of a state say: directly, or through a set of bindings.
fn actor(
    reachability: &Reachability<'_, '_>,
    derivation: &Derivation,
    premises: &[(FactId, Mask)],
) -> Option<ObjectId> {
    let facts = &reachability.derivations.facts;
    premises.iter().find_map(|premise| match facts.get(premise.0)? {
        Fact::Acts(_) => {
            let (_, behind) = derivation.chosen.get(premise)?;
            behind.iter().find_map(|(fact, _)| reachability.principal_of(*fact))
        }
        Fact::Set(_) => {
            let (_, behind) = derivation.chosen.get(premise)?;
            actor(reachability, derivation, behind)
        }
        _ => None,
    })
}

/// The delegation through which a call is made, if a service makes it.
fn delegation(
    reachability: &Reachability<'_, '_>,
    derivation: &Derivation,
    premises: &[(FactId, Mask)],
) -> Option<Delegation> {
    let facts = &reachability.derivations.facts;
    let of = |premises: &[(FactId, Mask)]| {
        premises.iter().find_map(|(fact, _)| match facts.get(*fact)? {
            Fact::Delegated(at) => reachability.delegations.get(*at).cloned(),
            _ => None,
        })
    };
    of(premises).or_else(|| {
        let acts =
            premises.iter().find(|(fact, _)| matches!(facts.get(*fact), Some(Fact::Acts(_))));
        of(&derivation.chosen.get(acts?)?.1)
    })
}

fn via(delegation: &Option<Delegation>) -> Option<Arc<str>> {
    delegation.as_ref()?.mandate.via.clone()
}

fn helpers(
    reachability: &Reachability<'_, '_>,
    derivation: &Derivation,
    premises: &[(FactId, Mask)],
) -> Vec<Helper> {
    let facts = &reachability.derivations.facts;
    premises
        .iter()
        .filter_map(|premise| {
            let Fact::Helped(help) = facts.get(premise.0)? else { return None };
            let group = reachability.help.get(*help)?.group;
            let (_, behind) = derivation.chosen.get(premise)?;
            let principal = actor(reachability, derivation, behind)?;
            let via = via(&delegation(reachability, derivation, behind));
            Some(Helper { group, principal, via })
        })
        .collect()
}

/// Gives the variables of one step their own scope: names chosen in it are its own, and what belongs
/// to a session is its caller's.
pub fn rename_variable(
    variable: &Variable,
    step: usize,
    caller: &Arc<str>,
    sharing: Sharing,
) -> Variable {
    let mut out = variable.clone();
    match variable.kind {
        // A tag keeps its value until it is set again.
        VariableKind::Chosen if variable.scope.starts_with(TAG_SCOPE) => {}
        VariableKind::Chosen
            if variable.scope.starts_with(IDENTITY_SCOPE) && !sharing.identity_per_step => {}
        VariableKind::Chosen => out.scope = format!("{step} {}", variable.scope).into(),
        VariableKind::Environment if &*variable.scope == SESSION_SCOPE => {
            out.scope = caller.clone();
        }
        VariableKind::Environment if sharing.environment_per_step => {
            out.scope = format!("{step} {}", variable.scope).into();
        }
        VariableKind::Environment if sharing.times != Times::One && is_clock(variable) => {
            out.scope = time_of(step);
        }
        VariableKind::Environment => {}
    }
    out
}

/// The formula with every variable renamed as [`rename_variable`] does.
pub fn rename_residual(
    residual: &Residual,
    step: usize,
    caller: &Arc<str>,
    sharing: Sharing,
) -> Residual {
    residual.substitute(&|atom| {
        let variable = rename_variable(atom.variable(), step, caller, sharing);
        Some(Residual::atom(with_variable(atom, variable)))
    })
}

fn rename(
    reachability: &Reachability<'_, '_>,
    residual: &Residual,
    step: usize,
    actor: ObjectId,
    sharing: Sharing,
) -> Residual {
    let caller = match reachability.object(actor) {
        Some(object) => object.arn.clone(),
        None => "".into(),
    };
    rename_residual(residual, step, &caller, sharing)
}
