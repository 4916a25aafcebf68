//! Statements and layers with the places of their policies: whose they are, and in which file.

use std::sync::Arc;

use super::conditions::{alternatives, never, settled};
use super::report::{Deviation, LayerReport, NearMissReport, PolicyReport, Says, StatementReport};
use crate::authorization::{
    Deciding, Element, Layer, NearMiss, Origin, PolicyKind, Role, Standing, fold_time,
};
use crate::policy::Effect;
use crate::provenance::{PolicyFile, PolicyFiles};
use crate::residual::Residual;
use crate::solver::Solver;

/// What policies' places are read from.
pub(crate) struct Places<'a> {
    pub(crate) files: PolicyFiles<'a>,
    pub(crate) not_before: Option<i64>,
}

impl Places<'_> {
    /// A statement with its place.
    pub(super) fn statement(&self, deciding: &Deciding, solver: &Solver) -> StatementReport {
        let when = fold_time(deciding.when.clone(), self.not_before);
        let known = when.with_gaps(true);
        let applies_if = if when.is_true() || settled(solver, &when) {
            Vec::new()
        } else {
            alternatives(solver, &known)
        };
        let unknown = when.gaps().into_iter().map(|gap| gap.0).collect();
        StatementReport { applies_if, unknown, ..self.placed(deciding) }
    }

    /// A statement with its place, whatever it applies on.
    pub(crate) fn placed(&self, deciding: &Deciding) -> StatementReport {
        let PolicyReport { policy, of, file } = self.policy(&deciding.policy, deciding.origin);
        StatementReport {
            policy,
            kind: deciding.kind.as_str(),
            of,
            statement: deciding.statement,
            sid: deciding.sid.as_deref().map(Into::into),
            file,
            applies_if: Vec::new(),
            unknown: Vec::new(),
        }
    }

    /// A statement that did not match, with what the request had instead.
    pub(crate) fn near_miss(
        &self,
        miss: &NearMiss,
        principal: &str,
        action: &str,
        resource: &str,
    ) -> NearMissReport {
        let list = |texts: &[String]| texts.iter().map(|text| text.as_str().into()).collect();
        let plain = |negated, names: [&'static str; 2], wanted: &[String], found: &str| {
            let [name, not] = names;
            Deviation {
                element: if negated { not } else { name },
                operator: None,
                key: None,
                wanted: list(wanted),
                found: vec![found.into()],
            }
        };
        let failed = miss.failed.iter().map(|element| match element {
            Element::Action { negated, wanted } => {
                plain(*negated, ["Action", "NotAction"], wanted, action)
            }
            Element::Principal { negated, wanted } => {
                plain(*negated, ["Principal", "NotPrincipal"], wanted, principal)
            }
            Element::Resource { negated, wanted } => {
                plain(*negated, ["Resource", "NotResource"], wanted, resource)
            }
            Element::Condition { operator, key, wanted, found } => Deviation {
                element: "Condition",
                operator: Some(operator.as_str().into()),
                key: Some(key.as_str().into()),
                wanted: list(wanted),
                found: list(found),
            },
        });
        NearMissReport {
            statement: self.placed(&miss.statement),
            effect: match miss.effect {
                Effect::Allow => "allow",
                Effect::Deny => "deny",
            },
            failed: failed.collect(),
        }
    }

    /// A layer with the places of its policies.
    ///
    /// - `accounts`: of the caller and of the resource.
    pub(super) fn layer(
        &self,
        layer: &Layer,
        accounts: (Option<&str>, Option<&str>),
        solver: &Solver,
    ) -> LayerReport {
        let account = match layer.kind {
            PolicyKind::ServiceControl => accounts.0,
            PolicyKind::ResourceControl => accounts.1,
            _ => None,
        };
        let (says, part) = match &layer.standing {
            Standing::Aside(why) => (Says::Nothing, *why),
            Standing::Says { role, allows, denies } => {
                let fold = |residual: &Residual| fold_time(residual.clone(), self.not_before);
                let part = match role {
                    Role::Grants => "grants",
                    Role::Required => "required",
                    Role::Limits => "limits",
                };
                (says(&fold(allows), &fold(denies), solver), part)
            }
        };
        LayerReport {
            kind: layer.kind.as_str(),
            level: layer.level.and_then(|level| self.level(layer.kind, account?, level)),
            says,
            part,
            policies: layer
                .policies
                .iter()
                .map(|(name, origin)| self.policy(name, *origin))
                .collect(),
        }
    }

    pub(crate) fn level(&self, kind: PolicyKind, account: &str, level: usize) -> Option<Arc<str>> {
        let organization = self.files.world.organization.as_ref()?;
        let targets = match kind {
            PolicyKind::ServiceControl => organization.service_control_targets(account),
            _ => organization.resource_control_targets(account),
        };
        targets.get(level).cloned()
    }

    pub(crate) fn policy(&self, name: &str, origin: Origin) -> PolicyReport {
        let PolicyFile { policy, of, file } = self.files.policy(name, origin);
        PolicyReport { policy, of, file }
    }
}

/// What a layer says, as strongly as it can be said.
fn says(allows: &Residual, denies: &Residual, solver: &Solver) -> Says {
    if settled(solver, &denies.with_gaps(false)) {
        return Says::Denies;
    }
    if !never(solver, &denies.with_gaps(false)) {
        return Says::MayDeny;
    }
    if !denies.is_decided() && !never(solver, &denies.with_gaps(true)) {
        return Says::NotKnown;
    }
    if settled(solver, &allows.with_gaps(false)) {
        return Says::Allows;
    }
    if !never(solver, &allows.with_gaps(false)) {
        return Says::MayAllow;
    }
    if never(solver, &allows.with_gaps(true)) { Says::DoesNotAllow } else { Says::NotKnown }
}
