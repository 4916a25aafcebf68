//! Permissions boundaries that policies ask for in a request.

use std::collections::BTreeSet;

use foldhash::HashSet;

use super::conditions::holds_for;
use crate::policy::{Condition, Operation, Policy, Statement, Template};
use crate::snapshot::{ObjectId, World};

/// The managed policies that some policy asks for as the permissions boundary of a request. Where one
/// that allows everything will do in an account, no other is worth being asked for.
///
/// Implements `iam:PermissionsBoundary` of
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html>.
pub(super) fn asked(world: &World) -> BTreeSet<ObjectId> {
    let policies = world.documents.iter().filter_map(|document| document.policy.as_ref().ok());
    let conditions = policies.flat_map(Policy::statements).flat_map(Statement::conditions);
    let asking: HashSet<&Condition> =
        conditions.filter(|c| &*c.key_lowercase == "iam:permissionsboundary").collect();
    asking.into_iter().flat_map(|condition| fitting(world, condition)).collect()
}

fn fitting(world: &World, condition: &Condition) -> Vec<ObjectId> {
    let arn = |id: &ObjectId| world.object(*id).map(|object| &object.arn);
    let fitting: BTreeSet<ObjectId> = match &condition.operation {
        // Any will do, as long as there is one.
        Operation::Null(_) => {
            let fits =
                |id: &&ObjectId| arn(id).is_some_and(|arn| !holds_for(condition, arn).is_false());
            world.of_kind("iam:policy").iter().filter(fits).copied().collect()
        }
        // What is asked not to be there need not be there at all.
        Operation::Compare { negated: true, .. } => BTreeSet::new(),
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
