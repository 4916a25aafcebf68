//! Where a policy stands: whose it is, and in which file of the snapshot.

use std::sync::Arc;

use escalade_models::ResourceKinds;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::conditions::{alternatives, never, settled};
use super::report::{Deviation, LayerReport, NearMissReport, PolicyReport, Says, StatementReport};
use crate::authorization::{
    Deciding, Element, Layer, NearMiss, Origin, PolicyKind, Role, Standing, fold_time,
};
use crate::policy::Effect;
use crate::residual::Residual;
use crate::snapshot::{Detail, DocumentId, Object, ObjectId, World};
use crate::solver::Solver;

/// What snapshot files leave as it is in a call's argument.
const ARGUMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'-');

const DETAILS: &str = "iam/get-account-authorization-details.json";

/// What policies' places are read from.
pub(crate) struct Places<'a> {
    pub(crate) world: &'a World,
    pub(crate) kinds: &'a ResourceKinds,
    /// The snapshot's only file, if it is a single one.
    pub(crate) file: Option<Arc<str>>,
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
        let organization = self.world.organization.as_ref()?;
        let targets = match kind {
            PolicyKind::ServiceControl => organization.service_control_targets(account),
            _ => organization.resource_control_targets(account),
        };
        targets.get(level).cloned()
    }

    pub(crate) fn policy(&self, name: &str, origin: Origin) -> PolicyReport {
        let object = |id: ObjectId| self.world.object(id);
        match origin {
            Origin::Elsewhere => PolicyReport { policy: name.into(), of: None, file: None },
            Origin::Held { holder, managed } => {
                let by_aws = managed.and_then(object).is_some_and(
                    |policy| matches!(&policy.detail, Detail::Policy(policy) if policy.aws_managed),
                );
                let holder = object(holder);
                PolicyReport {
                    policy: name.into(),
                    of: holder.map(|holder| holder.arn.clone()),
                    // AWS's own are known whether the snapshot lists them or not.
                    file: holder.filter(|_| !by_aws).and_then(|holder| self.details(holder)),
                }
            }
            Origin::Own(id) => {
                let object = object(id);
                PolicyReport {
                    policy: name.into(),
                    of: object.map(|object| object.arn.clone()),
                    file: object.and_then(|object| self.own_file(object)),
                }
            }
            Origin::Organization(document) => self.control(name, document),
        }
    }

    fn control(&self, name: &str, document: DocumentId) -> PolicyReport {
        let organization = self.world.organization.as_ref();
        let id = organization.and_then(|organization| organization.policy_id(document));
        let known = organization.and_then(|organization| organization.policy_name(document));
        PolicyReport {
            policy: known.unwrap_or(name).into(),
            of: None,
            file: id
                .filter(|id| id.starts_with("p-"))
                .map(|id| format!("organization/describe-policy/{}.json", argument(id)).into()),
        }
    }

    fn account(&self, object: &Object) -> Option<&str> {
        self.world.accounts.get(object.account.0 as usize).map(|account| &*account.id)
    }

    fn details(&self, object: &Object) -> Option<Arc<str>> {
        if let Some(file) = &self.file {
            return Some(file.clone());
        }
        Some(format!("accounts/{}/global/{DETAILS}", self.account(object)?).into())
    }

    /// The file with the resource's own policy, as the tables say.
    fn own_file(&self, object: &Object) -> Option<Arc<str>> {
        if object.kind.starts_with("iam:") {
            return self.details(object);
        }
        let kind = self.kinds.get(&object.kind)?;
        let of_detail = kind.details.iter().find(|detail| detail.policy.is_some());
        let of_source = kind.sources.iter().find(|source| source.policy.is_some());
        let pattern = match (of_detail, of_source) {
            (Some(detail), _) => detail.file.iter().next(),
            (None, Some(source)) => source.file.iter().next(),
            // The policies of endpoints are attributes, since they are of no resource.
            (None, None) => kind.sources.first().and_then(|source| source.file.iter().next()),
        }?;
        let region = if kind.global { Some("global") } else { object.region.as_deref() }?;
        let command = pattern.replace("{name}", &argument(&object.name));
        (!command.contains('{'))
            .then(|| Some(format!("accounts/{}/{region}/{command}.json", self.account(object)?)))
            .flatten()
            .map(Into::into)
    }
}

fn argument(text: &str) -> String {
    utf8_percent_encode(text, ARGUMENT).to_string()
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
