//! Who may assume a role besides the attacker's principals: services on a resource's behalf, and
//! other roles.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::actor::Actor;
use super::check::{Check, input_of};
use super::rule::{Rule, Rules, Truster};
use super::search::Search;
use crate::authorization::{
    Applicable, CallContext, Caller, Input, Request, Resource, View, authorize, fold_time,
};
use crate::policy::{Effect, Principal};
use crate::residual::Residual;
use crate::snapshot::{Detail, DocumentId, ObjectId, World};

/// For each rule, whether every role that a service has to be able to assume may be there: some
/// trust policy of the snapshot names a service that will do, or everyone, or is not known.
///
/// Most services that a role can be passed to are ones that no role of an account trusts. Their
/// rules need not be looked at for each principal.
pub(super) fn trusted_somewhere(world: &World, rules: &Rules) -> Vec<bool> {
    let mut anyone = false;
    let mut documents: BTreeSet<DocumentId> = BTreeSet::new();
    for object in &world.objects {
        match &object.detail {
            Detail::Role(role) => match &role.trust {
                Ok(document) => {
                    documents.insert(*document);
                }
                Err(_) => anyone = true,
            },
            // Of roles that were not listed no trust policy is known.
            Detail::Unlisted => anyone |= &*object.kind == "iam:role",
            _ => {}
        }
    }
    let mut services: BTreeSet<&str> = BTreeSet::new();
    for document in documents {
        let policy = world.documents.get(document.0 as usize).map(|known| known.policy.as_ref());
        let Some(Ok(policy)) = policy else {
            anyone = true;
            continue;
        };
        for statement in policy.statements().iter().filter(|s| s.effect() == Effect::Allow) {
            let Some(principals) = statement.principals() else { continue };
            anyone |= principals.negated;
            for principal in &principals.named {
                match principal {
                    Principal::Everyone => anyone = true,
                    Principal::Service(name) => {
                        services.insert(name);
                    }
                    _ => {}
                }
            }
        }
    }
    let will_do = |who: &Truster| match who {
        Truster::Service(service) => services.contains(&**service),
        Truster::Role(_) => true,
    };
    let may_be = |rule: &Rule| {
        rule.slots.iter().all(|slot| slot.trusts.is_empty() || slot.trusts.iter().any(will_do))
    };
    rules.rules.iter().map(|rule| anyone || may_be(rule)).collect()
}

impl Search<'_> {
    /// When a service may assume the role, by its trust policy.
    ///
    /// - `source`: the resource on whose behalf the service acts, as far as it is known.
    ///
    /// Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html>.
    pub fn trusts_service(
        &self,
        view: &View<'_, '_>,
        role: ObjectId,
        service: &Arc<str>,
        source: &Resource,
    ) -> Residual {
        let Some(object) = view.object(role) else { return Residual::False };
        let Detail::Role(detail) = &object.detail else { return Residual::False };
        let document = match &detail.trust {
            Ok(document) => *document,
            Err(gap) => return Residual::Unknown(gap.clone()),
        };
        let account: Arc<str> = view.account_of(object).unwrap_or_default().into();
        let key = (document, service.clone(), account.clone());
        // The source only matters to trust policies with conditions, which are decided each time.
        let plain = view
            .ground
            .world
            .documents
            .get(document.0 as usize)
            .and_then(|document| document.policy.as_ref().ok())
            .is_some_and(|policy| policy.statements().iter().all(|s| s.conditions().is_empty()));
        if plain
            && let Ok(known) = self.service_trust.read()
            && let Some(residual) = known.get(&key)
        {
            return residual.clone();
        }
        let caller = Caller::Service(service.clone());
        let mut determined: BTreeMap<Arc<str>, Input> = BTreeMap::new();
        determined.insert("aws:sourceaccount".into(), Input::One(account.clone()));
        determined.insert("aws:sourcearn".into(), input_of(source));
        let resource = Resource::Literal(object.arn.clone());
        let context = CallContext {
            keys: self.keys,
            view: *view,
            action: "sts:assumerole",
            caller: &caller,
            principal: None,
            resource: &resource,
            object: Some(role),
            resource_account: Some(&account),
            region: object.region.as_deref().unwrap_or("us-east-1"),
            determined: &determined,
            pins: &self.pins,
            of_object: None,
            leave_open: false,
        };
        let applicable = Applicable {
            identity: Vec::new(),
            boundary: None,
            session: None,
            service_control: Vec::new(),
            resource_control: Vec::new(),
            resource: view.own_policy(role, None),
            endpoints: &[],
        };
        let residual = authorize(
            &Request {
                caller: &caller,
                action: "sts:AssumeRole",
                resource: &resource,
                resource_account: Some(&account),
                context: &context,
            },
            &applicable,
        )
        .authorized();
        let residual = fold_time(residual, self.ground.not_before);
        if plain && let Ok(mut known) = self.service_trust.write() {
            known.insert(key, residual.clone());
        }
        residual
    }

    /// When a role may assume another one, by its own policies and the other's trust policy.
    pub fn trusts_role(&self, view: View<'_, '_>, role: ObjectId, other: ObjectId) -> Residual {
        let (Some(actor), Some(object)) = (Actor::new(self, view, other), view.object(role)) else {
            return Residual::False;
        };
        let check = Check {
            resource: Resource::Literal(object.arn.clone()),
            object: Some(role),
            account: view.account_of(object).map(Arc::from),
            region: "us-east-1".into(),
            determined: BTreeMap::new(),
            gap: None,
        };
        actor.decide("sts:AssumeRole", "sts:assumerole", &check).authorized()
    }
}
