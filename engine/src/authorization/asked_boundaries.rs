//! Permissions boundaries that policies ask for in a request.

use std::collections::BTreeSet;

use foldhash::HashSet;

use super::conditions::holds_for;
use crate::pattern::Pattern;
use crate::policy::{Condition, Operation, Policy, Statement, Template};
use crate::snapshot::{Detail, ObjectId, World};

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
    let fits = |id: &&ObjectId| {
        let arn = world.object(**id).map(|object| &object.arn);
        arn.is_some_and(|arn| !holds_for(condition, arn).is_false())
    };
    let prefixes: Vec<String> = match &condition.operation {
        // Any will do, as long as there is one.
        Operation::Null(_) => vec![String::new()],
        // What is asked not to be there need not be there at all.
        Operation::Compare { negated: true, .. } => Vec::new(),
        _ => {
            let patterns = condition.templates().filter_map(Template::fixed);
            patterns.map(Pattern::literal_prefix).collect()
        }
    };
    let named = prefixes.iter().flat_map(|prefix| world.with_prefix("iam:policy", prefix));
    let fitting: BTreeSet<ObjectId> = named.filter(fits).copied().collect();
    let whole: Vec<ObjectId> =
        fitting.iter().copied().filter(|id| allows_everything(world, *id)).collect();
    let place = |id: &ObjectId| world.object(*id).map(|policy| policy.account);
    let is_needless = |id: &ObjectId| {
        whole.iter().any(|other| {
            let everywhere = world.object(*other).is_some_and(|o| o.is_aws_managed());
            everywhere || place(other) == place(id)
        })
    };
    fitting.into_iter().filter(|id| whole.contains(id) || !is_needless(id)).collect()
}

fn allows_everything(world: &World, policy: ObjectId) -> bool {
    let Some(Detail::Policy(policy)) = world.object(policy).map(|object| &object.detail) else {
        return false;
    };
    let text = policy.versions.get(policy.default).and_then(|(_, text)| world.policy(*text));
    text.is_some_and(|text| text.allows_everything() && !text.has_deny())
}
