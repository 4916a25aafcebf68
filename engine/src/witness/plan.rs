//! A plan: the steps of a derivation in order, each with who makes its calls and what is left open.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::clock::Part;
use crate::authorization::{IDENTITY_SCOPE, SESSION_SCOPE, TAG_SCOPE};
use crate::reachability::{
    Derivation, EdgeId, Fact, FactId, Level, Mask, Reachability, State, Why,
};
use crate::residual::{Atom, Residual, Variable, VariableKind};
use crate::snapshot::ObjectId;
use crate::technique::{Binding, Delegation};

/// One step of a plan.
#[derive(Clone, Debug)]
pub struct PlannedStep {
    /// What is done.
    pub deed: Deed,
    /// The principal that makes the calls of the rule's first group, or the goal's call.
    pub actor: ObjectId,
    /// Who makes the calls of further groups, by group.
    pub helpers: Vec<(usize, ObjectId)>,
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
    /// The edges of the derivation that leave something open.
    pub open: Vec<EdgeId>,
    /// The weakest level among the edges.
    pub level: Level,
    /// What steps share.
    pub sharing: Sharing,
}

/// What the steps of a path share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sharing {
    /// Whether each step has an environment of its own.
    pub environment_per_step: bool,
    /// Whether each step has symbolic callers of its own: another user, another token.
    pub identity_per_step: bool,
}

impl Plan {
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
        open: Vec::new(),
        level: Level::Certain,
        sharing,
    };
    let derivations = &reachability.derivations;
    // The parts that have happened where a state is reached.
    let mut parts: BTreeMap<State, BTreeSet<usize>> = BTreeMap::new();
    for (id, state) in derivation.edges() {
        let Some(edge) = derivations.edge(id) else { continue };
        out.level = out.level.max(edge.level);
        let premises = derivation.chosen.get(&state).map(|(_, premises)| premises.as_slice());
        let premises = premises.unwrap_or_default();
        let next = out.steps.len();
        let mut behind: BTreeSet<usize> =
            premises.iter().filter_map(|premise| parts.get(premise)).flatten().copied().collect();
        let actor = actor(reachability, derivation, premises);
        if let (Why::Calls(decided), Some(actor)) = (&edge.why, actor) {
            // An edge into a set or a helper belongs to the step that comes of it.
            let renamed = rename(reachability, &decided.residual, next, actor, sharing);
            if renamed != Residual::True {
                out.open.push(id);
                let residual = renamed.clone();
                behind.insert(out.parts.len());
                let mut after = behind.clone();
                after.remove(&out.parts.len());
                out.parts.push(Part { residual, after });
            }
            out.residual = out.residual.and(renamed);
        }
        parts.insert(state, behind);
        match derivations.facts.get(edge.conclusion) {
            Some(Fact::Done(rule, binding)) => {
                let Some(actor) = actor else { continue };
                let helpers = helpers(reachability, derivation, premises);
                let deed = Deed::Apply(*rule, binding.clone());
                out.steps.push(PlannedStep { deed, actor, helpers });
            }
            Some(Fact::Called) => {
                let delegated = delegation(reachability, derivation, premises);
                let (deed, actor) = match (delegated, actor) {
                    (Some(delegation), _) => {
                        let role = delegation.role;
                        (Deed::CallByDelegation(delegation), role)
                    }
                    (None, Some(actor)) => (Deed::Call, actor),
                    (None, None) => continue,
                };
                out.steps.push(PlannedStep { deed, actor, helpers: Vec::new() });
            }
            _ => {}
        }
    }
    out
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

fn helpers(
    reachability: &Reachability<'_, '_>,
    derivation: &Derivation,
    premises: &[(FactId, Mask)],
) -> Vec<(usize, ObjectId)> {
    let facts = &reachability.derivations.facts;
    premises
        .iter()
        .filter_map(|premise| {
            let Fact::Helped(help) = facts.get(premise.0)? else { return None };
            let group = reachability.help.get(*help)?.group;
            let (_, behind) = derivation.chosen.get(premise)?;
            Some((group, actor(reachability, derivation, behind)?))
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
    let rename = |variable: &Variable| rename_variable(variable, step, caller, sharing);
    residual.substitute(&|atom| {
        Some(Residual::atom(match atom {
            Atom::Present(variable) => Atom::Present(rename(variable)),
            Atom::Passes(variable, test) => Atom::Passes(rename(variable), test.clone()),
            Atom::Some { variable, tests, negated } => {
                Atom::Some { variable: rename(variable), tests: tests.clone(), negated: *negated }
            }
        }))
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
