//! Permissions boundaries that policies ask for in a request.

use std::collections::BTreeSet;

use foldhash::HashSet;

use super::conditions::holds_for;
use crate::policy::{Condition, Effect, Operation, Policy, Template};
use crate::snapshot::{ObjectId, World};

/// The managed policies that some policy asks for as the permissions boundary of a request. Where one
/// that allows everything will do in an account, no other is worth being asked for.
///
/// Implements `iam:PermissionsBoundary` of
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html>.
pub(super) fn asked(world: &World) -> BTreeSet<ObjectId> {
    let policies = world.documents.iter().filter_map(|document| document.policy.as_ref().ok());
    let asking: HashSet<(Effect, &Condition)> = policies
        .flat_map(Policy::statements)
        .flat_map(|statement| statement.conditions().iter().map(|c| (statement.effect(), c)))
        .filter(|(_, condition)| &*condition.key_lowercase == "iam:permissionsboundary")
        .collect();
    asking.into_iter().flat_map(|(effect, condition)| fitting(world, effect, condition)).collect()
}

/// Those with which a statement allows the request, or does not deny it, where it does without one.
fn fitting(world: &World, effect: Effect, condition: &Condition) -> Vec<ObjectId> {
    let arn = |id: &ObjectId| world.object(*id).map(|object| &object.arn);
    let denies = effect == Effect::Deny;
    let fitting: BTreeSet<ObjectId> = match &condition.operation {
        // Any will do, as long as there is one.
        Operation::Null(_) => {
            let fits = |id: &&ObjectId| {
                let holds = arn(id).map(|arn| holds_for(condition, arn));
                holds.is_some_and(|holds| if denies { !holds.is_true() } else { !holds.is_false() })
            };
            world.of_kind("iam:policy").iter().filter(fits).copied().collect()
        }
        // What is asked not to be there need not be there at all.
        Operation::Compare { negated, .. } if *negated != denies => BTreeSet::new(),
        _ => {
            let patterns = condition.templates().filter_map(Template::with_any_values);
            let named = patterns.flat_map(|pattern| {
                let prefix = match pattern.ignores_case() {
                    true => String::new(),
                    false => pattern.literal_prefix(),
                };
                let fits = move |id: &&ObjectId| arn(id).is_some_and(|arn| pattern.matches(arn));
                world.with_prefix("iam:policy", &prefix).iter().filter(fits)
            });
            named.copied().collect()
        }
    };
    let is_whole =
        |id: &&ObjectId| world.managed_policy(**id, None).is_some_and(Policy::is_administrator);
    let whole: Vec<ObjectId> = fitting.iter().filter(is_whole).copied().collect();
    let place = |id: &ObjectId| world.object(*id).map(|policy| policy.account);
    let is_needless = |id: &ObjectId| {
        whole.iter().any(|other| {
            let everywhere = world.object(*other).is_some_and(|o| o.is_aws_managed());
            everywhere || place(other) == place(id)
        })
    };
    fitting.into_iter().filter(|id| whole.contains(id) || !is_needless(id)).collect()
}
