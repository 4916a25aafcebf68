//! Which objects are worth trying for a slot: those that an allow statement of the caller, or the
//! object's own policy, is about. Everything else would be denied, so it is not tried.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::actor::{Actor, Check};
use super::rule::{Part, Rule, RuleCall};
use super::search::Search;
use crate::authorization::{Caller, Context, Input, Resource};
use crate::policy::{Effect, Statement};
use crate::snapshot::{Object, ObjectId, OwnPolicy};

/// The objects to try, in order.
///
/// Where a call of the rule's first group is checked on the slot's object itself, the resource
/// patterns of the caller's allow statements select; otherwise every object of the kind in the
/// caller's account is tried.
pub(super) fn candidates(
    search: &Search<'_>,
    actor: &Actor<'_, '_>,
    rule: &Rule,
    slot: usize,
) -> Vec<ObjectId> {
    let Some(description) = rule.slots.get(slot) else { return Vec::new() };
    let kind = &*description.kind;
    let world = search.ground.world;
    let account = actor.view.object(actor.principal).map(|object| object.account);
    let checked = rule.groups.first().into_iter().flat_map(|group| &group.calls).find_map(|at| {
        let call = rule.calls.get(*at)?;
        let whole = |parts: &[Part]| matches!(parts, [Part::Object(s)] if *s == slot);
        call.resources.iter().any(|expression| whole(&expression.0)).then_some(call)
    });
    let mut out: BTreeSet<ObjectId> = BTreeSet::new();
    match checked {
        Some(call) if call.federated.is_some() => {
            out.extend(search.index.federating());
        }
        Some(call) if !matches!(actor.caller, Caller::Anonymous) => {
            select_by_statements(search, actor, kind, call, &mut out);
            // Another account's object is only within reach if its own policy lets the caller in.
            out.retain(|id| {
                world.objects.get(id.0 as usize).is_some_and(|object| {
                    Some(object.account) == account
                        || has_policy(object)
                        || search.index.is_assumable(*id)
                        || object.is_aws_managed()
                })
            });
            let assumes = &*call.action_lowercase == "sts:assumerole";
            if assumes {
                out.retain(|id| search.index.is_assumable(*id));
            }
            out.extend(
                search
                    .index
                    .granting(kind)
                    .iter()
                    .filter(|id| !assumes || search.index.trusts_without_identity(**id, actor)),
            );
        }
        _ => {
            out.extend(world.of_kind(kind).iter().filter(|id| {
                world.objects.get(id.0 as usize).is_some_and(|object| {
                    Some(object.account) == account || has_policy(object) || object.is_aws_managed()
                })
            }));
        }
    }
    out.into_iter().filter(|id| actor.view.object(*id).is_some_and(|o| !o.is_unlisted())).collect()
}

fn select_by_statements(
    search: &Search<'_>,
    actor: &Actor<'_, '_>,
    kind: &str,
    call: &RuleCall,
    out: &mut BTreeSet<ObjectId>,
) {
    let world = search.ground.world;
    let check = Check {
        resource: Resource::Literal("*".into()),
        object: None,
        account: None,
        region: "us-east-1".into(),
        determined: Default::default(),
        gap: None,
    };
    let context = actor.context(&call.action_lowercase, &check);
    for in_force in &actor.applicable.identity {
        let Ok(policy) = in_force.policy else {
            out.extend(world.of_kind(kind));
            return;
        };
        for statement in policy.statements() {
            if statement.effect() == Effect::Allow
                && statement.matches_action(&call.action_lowercase)
            {
                select_by_statement(search, kind, statement, &context, out);
            }
        }
    }
}

fn select_by_statement(
    search: &Search<'_>,
    kind: &str,
    statement: &Statement,
    context: &dyn Context,
    out: &mut BTreeSet<ObjectId>,
) {
    let world = search.ground.world;
    if statement.resources_negated() {
        out.extend(world.of_kind(kind));
        return;
    }
    for template in statement.resources() {
        let mut open = false;
        let pattern = template.with_values(|variable| match context.get(&variable.key) {
            Input::One(value) => Some(value),
            Input::Absent => variable.default.as_deref().map(Arc::from),
            Input::Many(_) | Input::Free { .. } | Input::Template { .. } | Input::Unknown(_) => {
                open = true;
                None
            }
        });
        match pattern {
            Some(pattern) => {
                let prefix = pattern.literal_prefix();
                for id in world.with_prefix(kind, &prefix) {
                    if world
                        .objects
                        .get(id.0 as usize)
                        .is_some_and(|object| pattern.matches(&object.arn))
                    {
                        out.insert(*id);
                    }
                }
            }
            None if open => out.extend(world.of_kind(kind)),
            None => {}
        }
    }
}

/// Whether the object has, or may have, a policy of its own that lets in other accounts.
fn has_policy(object: &Object) -> bool {
    matches!(object.policy, OwnPolicy::Present(_) | OwnPolicy::Unknown(_))
}
