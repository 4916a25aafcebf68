//! Calls that are not the attacker's own: a service, or a session that he has begun, makes them in
//! another account, with all permissions there that control policies leave.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::actions::Actions;
use super::binding::{Binding, NoText, Reader, Text};
use super::check::{account_in, contexts};
use super::rule::{BoundCall, Expression, Part, Rule};
use super::search::Search;
use crate::authorization::{
    Applicable, CallContext, Caller, Input, Request, Resource, ResourcePolicy, View, authorize,
    fold_time,
};
use crate::residual::Residual;
use crate::snapshot::ObjectId;

/// Who makes a call, and on what.
struct Made<'a> {
    caller: &'a Caller,
    account: &'a str,
    action: &'a str,
    resource: Resource,
    object: Option<ObjectId>,
    region: &'a str,
}

impl Search<'_> {
    /// When control policies leave the calls of a rule that others make for the attacker.
    ///
    /// Implements <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html>:
    /// they bind every principal of a member account, its root user included, and spare only
    /// service-linked roles.
    pub fn bound_calls(&self, view: &View<'_, '_>, rule: &Rule, binding: &Binding) -> Residual {
        Residual::all(rule.bound.iter().map(|bound| self.bound_call(view, rule, bound, binding)))
    }

    fn bound_call(
        &self,
        view: &View<'_, '_>,
        rule: &Rule,
        bound: &BoundCall,
        binding: &Binding,
    ) -> Residual {
        let reader = Reader { view: *view, kinds: self.kinds, rule };
        let unless_known = |reason: NoText| match reason {
            NoText::Absent => Residual::False,
            NoText::Unknown(gap) => Residual::Unknown(gap),
        };
        let by = match reader.text(binding, &bound.by) {
            Ok(Text::Literal(by)) => by,
            Ok(Text::Template(..)) => return Residual::False,
            Err(reason) => return unless_known(reason),
        };
        let Some(account) = by.split(':').nth(4).map(Arc::<str>::from) else {
            return Residual::False;
        };
        // From there on it is nobody else's to work on.
        if view.has_left(&account) {
            return Residual::False;
        }
        let caller = match by.ends_with(":root") {
            true => Caller::Root(by),
            false => Caller::Role(by),
        };
        let call = &bound.call;
        let contexts = match contexts(&reader, call, binding) {
            Ok(contexts) => contexts,
            Err(reason) => return unless_known(reason),
        };
        let on_all = |determined: &BTreeMap<Arc<str>, Input>| {
            Residual::all(call.resources.iter().map(|expression| {
                let resource = match reader.text(binding, expression) {
                    Ok(text) => Resource::from(text),
                    Err(reason) => return unless_known(reason),
                };
                let object = whole(expression).and_then(|slot| binding.objects.get(slot)).copied();
                let made = Made {
                    caller: &caller,
                    account: &account,
                    action: &call.action,
                    resource,
                    object,
                    region: reader.region(binding),
                };
                self.left_open(view, &made, determined)
            }))
        };
        Residual::any(contexts.iter().map(|(determined, given)| {
            let decided = on_all(determined);
            if decided.is_false() { decided } else { given.clone().and(decided) }
        }))
    }

    /// When nothing but what the caller's account and the resource's are bound by stands in the way.
    fn left_open(
        &self,
        view: &View<'_, '_>,
        made: &Made<'_>,
        determined: &BTreeMap<Arc<str>, Input>,
    ) -> Residual {
        let lowercase = made.action.to_lowercase();
        let owner = account_in(&made.resource).unwrap_or_else(|| made.account.into());
        let region = made.object.and_then(|id| view.object(id)?.region.as_deref());
        let applicable = Applicable {
            identity: vec![view.written()],
            boundary: None,
            session: None,
            service_control: view.service_control(made.account),
            resource_control: view.resource_control(&owner, &lowercase, made.object),
            resource: ResourcePolicy::Absent,
            endpoints: &[],
        };
        let context = CallContext {
            keys: self.keys,
            view: *view,
            action: &lowercase,
            request: &lowercase,
            made_by: None,
            caller: made.caller,
            principal: None,
            resource: &made.resource,
            object: made.object,
            resource_account: Some(&owner),
            region: region.unwrap_or(made.region),
            determined,
            pins: &self.pins,
            of_object: None,
            is_there: false,
            via: None,
            leave_open: false,
        };
        let request = Request {
            caller: made.caller,
            action: made.action,
            resource: &made.resource,
            resource_account: Some(&owner),
            context: &context,
        };
        fold_time(authorize(&request, &applicable).authorized(), self.ground.not_before)
    }

    /// Of these actions those that others make for the attacker in some rule.
    pub(super) fn made_by_others(&self, actions: &Actions) -> Actions {
        let mut out = Actions::default();
        let bound = self.rules.rules.iter().flat_map(|rule| &rule.bound);
        bound
            .map(|bound| bound.call.action_bit)
            .filter(|at| actions.contains(*at))
            .for_each(|at| out.insert(at));
        out
    }
}

/// The slot whose object is the resource.
fn whole(expression: &Expression) -> Option<usize> {
    match *expression.0 {
        [Part::Object(slot)] => Some(slot),
        _ => None,
    }
}
