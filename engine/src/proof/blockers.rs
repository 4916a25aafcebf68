//! What blocks a call: for each policy layer that does, and each statement that denies, by itself or
//! together with others, a smallest set that is enough.

use std::sync::Arc;

use serde::Serialize;

use crate::authorization::{
    Applicable, Layer, PolicyKind, Request, Role, Standing, authorize, explain, fold_time, layers,
};
use crate::policy::Effect;
use crate::provenance::PolicyFiles;
use crate::residual::Residual;
use crate::simulation::{NearMissReport, Places, PolicyReport, StatementReport};
use crate::snapshot::World;
use crate::solver::{Solution, Solver};
use crate::technique::{Actor, Binding, Check, GoalTarget, NoText, OfKey, Rule, RuleCall, Search};

/// How many near misses of a layer are shown.
const NEAR: usize = 3;

/// One reason why a call is not authorized.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Blocker {
    /// A statement denies it.
    Deny {
        /// The layer: `identity`, `boundary`, `service-control`, ...
        layer: Arc<str>,
        /// The policy.
        policy: Arc<str>,
        /// Whose policy it is.
        of: Option<Arc<str>>,
        /// Position of the statement in the policy, from 0.
        statement: usize,
        /// The statement's Sid, if it has one.
        sid: Option<Arc<str>>,
        /// The snapshot's file that holds the policy.
        file: Option<Arc<str>>,
    },
    /// No statement of a layer allows it, though the layer has to.
    NoAllow {
        /// The layer.
        layer: Arc<str>,
        /// Of control policies the place in the organization.
        level: Option<Arc<str>>,
        /// The layer's policies.
        policies: Vec<Arc<str>>,
        /// Statements that would have allowed it but for one element.
        nearest: Vec<Nearest>,
    },
    /// Something else is in the way.
    Other {
        /// What, for people.
        reason: Arc<str>,
    },
}

/// A statement that would have allowed a call but for what it asks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Nearest {
    /// The policy.
    pub policy: Arc<str>,
    /// Position of the statement in the policy, from 0.
    pub statement: usize,
    /// The statement's Sid, if it has one.
    pub sid: Option<Arc<str>>,
    /// What it wants and what the call has, for people.
    pub wants: Vec<Arc<str>>,
}

/// A call that would be needed and is not authorized.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct BlockedCall {
    /// Who would make it.
    pub actor: Arc<str>,
    /// `service:Name`.
    pub action: Arc<str>,
    /// What it is checked on.
    pub resource: Arc<str>,
    /// Smallest sets of reasons: each is enough to block the call, and without any one of its
    /// members is not.
    pub blocked_by: Vec<Vec<Blocker>>,
}

impl BlockedCall {
    /// Whether no statement that grants comes near to allowing it.
    pub(super) fn is_far(&self) -> bool {
        self.blocked_by.iter().flatten().any(|blocker| match blocker {
            Blocker::NoAllow { layer, nearest, .. } => {
                nearest.is_empty() && (layer.contains("identity") || layer.contains("resource"))
            }
            Blocker::Deny { .. } => false,
            Blocker::Other { .. } => true,
        })
    }
}

/// A part of an authorization that must hold, and why it may not.
pub(super) struct Conjunct {
    pub(super) blocker: Blocker,
    pub(super) residual: Residual,
}

/// What decides about blockers.
pub(super) struct Explaining<'s, 'w> {
    pub(super) search: &'s Search<'w>,
    pub(super) places: Places<'s>,
}

impl<'s, 'w> Explaining<'s, 'w> {
    pub(super) fn new(search: &'s Search<'w>, world: &'s World) -> Self {
        let not_before = search.ground.not_before;
        let places =
            Places { files: PolicyFiles { world, kinds: search.kinds, single: None }, not_before };
        Self { search, places }
    }

    /// What blocks one call of a rule; nothing if it may be authorized.
    pub(super) fn call(
        &self,
        actor: &Actor<'_, 'w>,
        rule: &Rule,
        call: &RuleCall,
        binding: &Binding,
    ) -> Vec<BlockedCall> {
        let other = |reason: &str| {
            vec![BlockedCall {
                actor: self.arn(actor),
                action: call.action.clone(),
                resource: "*".into(),
                blocked_by: vec![vec![Blocker::Other { reason: reason.into() }]],
            }]
        };
        if actor.mandated.is_some_and(|mandated| !mandated.makes(call)) {
            return other("the service does not make this call for the attacker");
        }
        if let Some(slot) = call.bearer {
            return match binding.objects.get(slot) == Some(&actor.principal) {
                true => Vec::new(),
                false => other("the caller does not have this user's token"),
            };
        }
        let federated;
        let actor = match actor.federated(rule, call, binding) {
            None => actor,
            Some(Ok(other)) => {
                federated = other;
                &federated
            }
            Some(Err(NoText::Absent)) => return other("there is no such identity provider"),
            Some(Err(NoText::Unknown(_))) => return Vec::new(),
        };
        if actor.permitted(call, binding).is_false() {
            return other("the caller has no such permission inside the domain");
        }
        let Some(alternatives) = actor.checks(rule, call, binding) else {
            return other("a part of the call has no value");
        };
        alternatives
            .iter()
            .map(|checks| {
                let blocked = checks.iter().flat_map(|check| {
                    // Of ways that lack as much, the one that needs something besides: the other
                    // lacks a key that the request could carry.
                    let ways = actor.ways(rule, call, binding, check).into_iter().rev();
                    let ways = ways.map(|way| {
                        way.iter()
                            .filter_map(|asked| self.check(actor, asked.action, &asked.check))
                            .collect::<Vec<BlockedCall>>()
                    });
                    ways.min_by_key(Vec::len).unwrap_or_default()
                });
                blocked.collect::<Vec<BlockedCall>>()
            })
            .min_by_key(Vec::len)
            .unwrap_or_default()
    }

    /// What blocks one check of a call; `None` if it may be authorized.
    pub(super) fn check(
        &self,
        actor: &Actor<'_, 'w>,
        action: &str,
        check: &Check,
    ) -> Option<BlockedCall> {
        let lowercase = action.to_lowercase();
        let decided = actor.decide(action, &lowercase, check).authorized();
        if !never(&self.search.solver, &decided) {
            return None;
        }
        let conjuncts = self.conjuncts(actor, action, &lowercase, check);
        let blocked_by = cores(&self.search.solver, &conjuncts);
        Some(BlockedCall {
            actor: self.arn(actor),
            action: action.into(),
            resource: shown(check),
            blocked_by,
        })
    }

    /// What keeps a caller from using the key of a goal's resource; `None` if nothing may.
    pub(super) fn key(&self, actor: &Actor<'_, 'w>, target: &GoalTarget) -> Option<BlockedCall> {
        match self.search.key_of(&actor.view, target) {
            OfKey::Nothing | OfKey::Unknown(_) => None,
            OfKey::Permission(action, check) => self.check(actor, &action, &check),
            OfKey::OwnAccount(account) => {
                let reason = "the key of the service is for the resource's own account";
                let blocker = Blocker::Other { reason: reason.into() };
                (actor.caller.account() != Some(&*account)).then(|| BlockedCall {
                    actor: self.arn(actor),
                    action: target.action.clone(),
                    resource: shown(&target.check(actor.view)),
                    blocked_by: vec![vec![blocker]],
                })
            }
        }
    }

    pub(super) fn arn(&self, actor: &Actor<'_, 'w>) -> Arc<str> {
        actor.view.object(actor.principal).map_or("".into(), |object| object.arn.clone())
    }

    /// The parts that must hold together for a check to pass.
    pub(super) fn conjuncts(
        &self,
        actor: &Actor<'_, 'w>,
        action: &str,
        lowercase: &str,
        check: &Check,
    ) -> Vec<Conjunct> {
        let context = actor.context(lowercase, check);
        let request = Request {
            caller: &actor.caller,
            action,
            resource: &check.resource,
            resource_account: check.account.as_deref(),
            context: &context,
        };
        let mut out = Vec::new();
        let all = actor.applicable_to(lowercase, check);
        let Some(policies) = all.first() else { return out };
        let explanation = explain(&request, policies, false);
        let fold = |residual: &Residual| fold_time(residual.clone(), self.search.ground.not_before);
        for denying in &explanation.denying {
            let StatementReport { policy, kind, of, statement, sid, file, .. } =
                self.places.placed(denying);
            let blocker = Blocker::Deny { layer: kind.into(), policy, of, statement, sid, file };
            out.push(Conjunct { blocker, residual: fold(&denying.when).negate() });
        }
        let principal = self.arn(actor);
        let resource = shown(check);
        let nearest = |kinds: &[PolicyKind]| -> Vec<Nearest> {
            explanation
                .near_misses
                .iter()
                .filter(|miss| miss.effect == Effect::Allow && kinds.contains(&miss.statement.kind))
                .take(NEAR)
                .map(|miss| near(self.places.near_miss(miss, &principal, action, &resource)))
                .collect()
        };
        let accounts = (actor.caller.account(), check.account.as_deref());
        let mut granting: Vec<(&Layer, &Residual)> = Vec::new();
        let said = layers(&request, policies);
        for layer in &said {
            let Standing::Says { role, allows, .. } = &layer.standing else { continue };
            if *role == Role::Grants {
                granting.push((layer, allows));
                continue;
            }
            let blocker = Blocker::NoAllow {
                layer: layer.kind.as_str().into(),
                level: self.level(layer, accounts),
                policies: self.names(layer),
                nearest: nearest(&[layer.kind]),
            };
            out.push(Conjunct { blocker, residual: fold(allows) });
        }
        if !granting.is_empty() {
            let kinds: Vec<PolicyKind> = granting.iter().map(|(layer, _)| layer.kind).collect();
            let names: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
            let blocker = Blocker::NoAllow {
                layer: names.join(" or ").into(),
                level: None,
                policies: granting.iter().flat_map(|(layer, _)| self.names(layer)).collect(),
                nearest: nearest(&kinds),
            };
            let allows = granting.iter().map(|(_, allows)| fold(allows));
            out.push(Conjunct { blocker, residual: Residual::any(allows) });
        }
        // What the layers do not tell apart.
        let whole =
            all.iter().map(|policies: &Applicable<'_>| authorize(&request, policies).allowed);
        out.push(Conjunct {
            blocker: Blocker::Other {
                reason: "the policies that allow it do not do so together".into(),
            },
            residual: fold(&Residual::any(whole)),
        });
        out
    }

    fn level(&self, layer: &Layer, accounts: (Option<&str>, Option<&str>)) -> Option<Arc<str>> {
        let account = match layer.kind {
            PolicyKind::ServiceControl => accounts.0,
            PolicyKind::ResourceControl => accounts.1,
            _ => None,
        }?;
        self.places.level(layer.kind, account, layer.level?)
    }

    fn names(&self, layer: &Layer) -> Vec<Arc<str>> {
        let named = layer.policies.iter().map(|(name, origin)| {
            let PolicyReport { policy, .. } = self.places.policy(name, *origin);
            policy
        });
        named.collect()
    }
}

fn near(report: NearMissReport) -> Nearest {
    let StatementReport { policy, statement, sid, .. } = report.statement;
    let join = |values: &[Arc<str>]| values.join(", ");
    let wants = report
        .failed
        .iter()
        .map(|failed| {
            let what = match (&failed.operator, &failed.key) {
                (Some(operator), Some(key)) => format!("{operator} {key}"),
                _ => failed.element.to_owned(),
            };
            let found = if failed.found.is_empty() { "absent".into() } else { join(&failed.found) };
            format!("{what} {}: it is {found}", join(&failed.wanted)).into()
        })
        .collect();
    Nearest { policy, statement, sid, wants }
}

/// What a check is on, its open part as `*`.
fn shown(check: &Check) -> Arc<str> {
    match &check.resource {
        crate::authorization::Resource::Literal(text) => text.clone(),
        crate::authorization::Resource::Template { prefix, suffix, .. } => {
            format!("{prefix}*{suffix}").into()
        }
    }
}

/// Whether a formula cannot hold, whatever is not known.
pub(super) fn never(solver: &Solver, formula: &Residual) -> bool {
    matches!(solver.solve(&formula.with_gaps(true)), Solution::Unsatisfiable)
}

/// Smallest sets of conjuncts that cannot hold: each conjunct that cannot hold by itself, or, where
/// there is none, one set found by leaving out what is not needed, from the first to the last.
pub(super) fn cores(solver: &Solver, conjuncts: &[Conjunct]) -> Vec<Vec<Blocker>> {
    let specific = |conjunct: &&Conjunct| !matches!(conjunct.blocker, Blocker::Other { .. });
    let alone: Vec<Vec<Blocker>> = conjuncts
        .iter()
        .filter(specific)
        .filter(|conjunct| never(solver, &conjunct.residual))
        .map(|conjunct| vec![conjunct.blocker.clone()])
        .collect();
    if !alone.is_empty() {
        return alone;
    }
    let mut kept: Vec<&Conjunct> = conjuncts.iter().collect();
    let together =
        |some: &[&Conjunct]| never(solver, &Residual::all(some.iter().map(|c| c.residual.clone())));
    if !together(&kept) {
        return Vec::new();
    }
    // What is least telling goes first.
    let mut at = kept.len();
    while at > 0 {
        at -= 1;
        let mut fewer = kept.clone();
        fewer.remove(at);
        if together(&fewer) {
            kept = fewer;
        }
    }
    vec![kept.into_iter().map(|conjunct| conjunct.blocker.clone()).collect()]
}
