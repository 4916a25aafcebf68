//! Goals that are calls: does `ACTION@RESOURCE` succeed, made by a principal or by a service that
//! acts with a role?

use std::collections::BTreeSet;
use std::sync::Arc;

use super::actions::Actions;
use super::actor::{Actor, region_of_bucket};
use super::check::Check;
use super::gain::Delegation;
use super::goal_targets::like;
use super::opensearch;
use super::search::Search;
use crate::authorization::{Edits, Resource, View, may_need_no_permission};
use crate::pattern::Pattern;
use crate::reachability::Variant;
use crate::residual::Residual;
use crate::snapshot::{Object, ObjectId, World};

/// A call that the question asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoalCall {
    /// `service:Name`; empty where each target has its own.
    pub action: Arc<str>,
    /// The resource, `*` and `?` allowed, or `tag:KEY=VALUE`.
    pub resource: Arc<str>,
    /// The resources that would do: each object of the snapshot that the pattern can be about,
    /// and what the pattern says by itself.
    pub targets: Vec<GoalTarget>,
    /// Users and roles that would do: acting as one of them.
    pub principals: Vec<ObjectId>,
    /// ARNs of resources that are asked for, but of which it is not known what gets hold of them.
    pub left_out: Vec<Arc<str>>,
    /// What the resource may be that was not listed: objects beside those of the snapshot, some of
    /// which targets are.
    pub not_listed: Vec<Object>,
}

/// One resource that would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoalTarget {
    /// The action of the call: `service:Name`.
    pub action: Arc<str>,
    /// The same in lower case.
    pub action_lowercase: Arc<str>,
    /// The resource.
    pub resource: Resource,
    /// What must be true of its open part.
    pub within: Residual,
    /// The object it is, or is part of.
    pub object: Option<ObjectId>,
    /// The account that owns it.
    pub account: Option<Arc<str>>,
}

impl GoalCall {
    /// The actions that are asked for, each once, in order.
    pub fn actions(&self) -> BTreeSet<&Arc<str>> {
        self.targets.iter().map(|target| &target.action).collect()
    }

    /// What an answer calls it: `s3:GetObject@arn:...`, `tag:KEY=VALUE`.
    pub fn text(&self) -> String {
        match &*self.action {
            "" => self.resource.to_string(),
            action => format!("{action}@{}", self.resource),
        }
    }
}

impl GoalTarget {
    /// The call of `action` on an object of the snapshot, or on something in it.
    pub(super) fn of(
        world: &World,
        id: ObjectId,
        action: &str,
        resource: Resource,
        within: Residual,
    ) -> Self {
        let account = world
            .object(id)
            .and_then(|object| world.accounts.get(object.account.0 as usize))
            .map(|account| account.id.clone());
        Self {
            action: action.into(),
            action_lowercase: action.to_lowercase().into(),
            resource,
            within,
            object: Some(id),
            account,
        }
    }
}

/// Who makes a call, and the service that makes it in a forward access session, if one does.
type Maker<'v> = (ObjectId, Option<&'v str>);

fn maker(variant: &Variant) -> Maker<'_> {
    let mandated = variant.mandated.as_deref();
    (variant.principal, mandated.and_then(|mandated| mandated.mandate.via.as_deref()))
}

impl Search<'_> {
    /// What is left of the goal's call when the principal of a variant makes it.
    pub fn goal_call(&self, variant: &Variant, made: &[Object], call: &GoalCall) -> Residual {
        let view = View { ground: &self.ground, made, edits: &variant.edits };
        let achieves = |target: &GoalTarget| {
            // What tells those apart that are alike is left to each of them.
            let apart = variant.shared
                && target.object.is_some_and(|id| self.index.special().contains(id.0));
            !apart && variant.mandated.as_ref().is_none_or(|by| by.mandate.achieves(&target.action))
        };
        let maker = maker(variant);
        self.called_by(view, maker, call, &[], None, achieves)
    }

    /// The same only where a resource decides it by its own policy: on that resource, or on what is
    /// encrypted with it.
    pub fn goal_call_on(
        &self,
        variant: &Variant,
        made: &[Object],
        call: &GoalCall,
        resource: ObjectId,
    ) -> Residual {
        let view = View { ground: &self.ground, made, edits: &variant.edits };
        let is_it = |target: &GoalTarget| {
            target.object == Some(resource) || self.decisive(target).any(|id| id == resource)
        };
        let maker = maker(variant);
        self.called_by(view, maker, call, &[], None, is_it)
    }

    /// The same on an OpenSearch domain that the attacker administers from inside.
    pub fn goal_call_inside(
        &self,
        variant: &Variant,
        made: &[Object],
        call: &GoalCall,
        domain: ObjectId,
    ) -> Residual {
        let view = View { ground: &self.ground, made, edits: &variant.edits };
        let is_it = |target: &GoalTarget| {
            target.object == Some(domain)
                && variant.mandated.as_ref().is_none_or(|by| by.mandate.achieves(&target.action))
        };
        let maker = maker(variant);
        self.called_by(view, maker, call, &[], Some(domain), is_it)
    }

    /// What is left of the goal's call when a service makes it with a delegated role.
    pub fn delegated_call(
        &self,
        delegation: &Delegation,
        made: &[Object],
        edits: &Edits,
        call: &GoalCall,
    ) -> Residual {
        let view = View { ground: &self.ground, made, edits };
        let limits: Vec<Pattern> =
            delegation.resources.iter().map(|resource| Pattern::glob(resource, false)).collect();
        let achieves = |target: &GoalTarget| delegation.mandate.achieves(&target.action);
        let maker = (delegation.role, delegation.mandate.via.as_deref());
        self.called_by(view, maker, call, &limits, None, achieves)
    }

    fn called_by(
        &self,
        view: View<'_, '_>,
        (principal, via): Maker<'_>,
        call: &GoalCall,
        limits: &[Pattern],
        administered: Option<ObjectId>,
        fits: impl Fn(&GoalTarget) -> bool,
    ) -> Residual {
        let mut targets = call.targets.iter().filter(|target| fits(target)).peekable();
        if targets.peek().is_none() {
            return Residual::False;
        }
        let Some(mut actor) = Actor::new(self, view, principal) else { return Residual::False };
        actor.via = via;
        // Where anything else has been changed, more may be allowed than policies say.
        let allowed = actor.is_as_others().then(|| self.actions_of(&actor));
        let mut some = Vec::new();
        for target in targets {
            let may_call = allowed.as_ref().is_none_or(|allowed| self.may_call(allowed, target));
            if !(may_call && actor.can_make(&target.action_lowercase)) {
                continue;
            }
            let decision =
                actor.decide(&target.action, &target.action_lowercase, &target.check(view));
            let within = target.within.clone().and(target.limited(limits));
            let authorized = decision.authorized();
            let authorized = match authorized {
                Residual::False => authorized,
                _ => {
                    let inside = self.may_request(&view, principal, target, administered);
                    authorized.and(self.may_use_key(&actor, &view, target)).and(inside)
                }
            };
            match within.and(authorized) {
                // The others make no difference.
                Residual::True => return Residual::True,
                residual => some.push(residual),
            }
        }
        Residual::any(some)
    }

    /// Whether an OpenSearch domain's own access control lets a request through that is the target's
    /// call.
    fn may_request(
        &self,
        view: &View<'_, '_>,
        principal: ObjectId,
        target: &GoalTarget,
        administered: Option<ObjectId>,
    ) -> Residual {
        let of = target.object.and_then(|id| Some((id, view.object(id)?)));
        match of {
            Some((id, domain))
                if &*domain.kind == "opensearch:domain"
                    && target.action_lowercase.starts_with("es:eshttp") =>
            {
                let path = match &target.resource {
                    Resource::Literal(text) => text.strip_prefix(&*domain.arn),
                    Resource::Template { .. } => None,
                };
                let administers = administered == Some(id);
                opensearch::lets_through(self, view, id, principal, path, administers)
            }
            _ => Residual::True,
        }
    }

    /// Whether a target's call is among actions that policies may allow.
    fn may_call(&self, allowed: &Actions, target: &GoalTarget) -> bool {
        let position = |at: &&usize| {
            self.rules.actions.get(**at).is_some_and(|known| *known == target.action_lowercase)
        };
        let questioned = self.rules.questioned.iter().find(position);
        questioned.is_none_or(|at| allowed.contains(*at))
            || may_need_no_permission(&target.action_lowercase)
    }
}

impl GoalTarget {
    /// When the resource is within one of the limits; always if there are none.
    pub fn limited(&self, limits: &[Pattern]) -> Residual {
        if limits.is_empty() {
            return Residual::True;
        }
        match &self.resource {
            Resource::Literal(text) => {
                Residual::constant(limits.iter().any(|limit| limit.matches(text)))
            }
            Resource::Template { prefix, variable, .. } => {
                let rests = limits.iter().flat_map(|limit| limit.after_prefix(prefix));
                Residual::any(rests.map(|rest| like(variable, rest)))
            }
        }
    }

    /// The check that the call makes on this resource.
    pub fn check(&self, view: View<'_, '_>) -> Check {
        let region = match self.object.and_then(|id| view.object(id)) {
            Some(bucket) if &*bucket.kind == "s3:bucket" => region_of_bucket(bucket),
            object => {
                let own = object.and_then(|object| object.region.clone());
                own.unwrap_or_else(|| region_in(&self.resource).unwrap_or("us-east-1").into())
            }
        };
        Check {
            resource: self.resource.clone(),
            object: self.object,
            account: self.account.clone(),
            region,
            is_there: self.object.is_none(),
            ..Check::of_nothing()
        }
    }
}

/// The Region in a resource's ARN, if there is one.
fn region_in(resource: &Resource) -> Option<&str> {
    let (Resource::Literal(text) | Resource::Template { prefix: text, .. }) = resource;
    text.split(':').nth(3).filter(|region| !region.is_empty() && !region.contains(['*', '?']))
}
