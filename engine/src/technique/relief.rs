//! What a change of the organization relieves its accounts of: the control policies that bind them.

use std::sync::Arc;

use super::actions::Actions;
use super::search::Search;
use crate::authorization::{Edit, Edits, InForce, OrganizationEdit};
use crate::policy::{Policy, Statement, Template};
use crate::snapshot::{AccountIndex, World};

/// What a change of the organization comes to for the principals of an account.
#[derive(Clone, Debug)]
pub enum Relief {
    /// Nothing.
    None,
    /// No more than that control policies forbid these actions no longer.
    Of(Arc<Actions>),
    /// Possibly anything.
    Any,
}

/// Control policies in force, level by level.
type Levels<'v> = Vec<Vec<InForce<'v>>>;

impl Search<'_> {
    /// What an edit of the organization comes to for the principals of an account: it changes what
    /// binds them, or the resources of any account.
    ///
    /// Implements the evaluation of
    /// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html>:
    /// where every level allows everything, only denies count.
    pub fn relief(&self, edit: OrganizationEdit, account: AccountIndex) -> Relief {
        let edits = Edits::of([Edit::Organization(edit)]);
        let none = Edits::default();
        let (before, after) = (self.view(&none, &[]), self.view(&edits, &[]));
        let accounts = &self.ground.world.accounts;
        let mut relieved = Actions::default();
        let mut any = false;
        let mut compare = |before: Levels<'_>, after: Levels<'_>| {
            if same(&before, &after) {
                return;
            }
            match self.no_longer_denied(&before, &after) {
                Some(actions) => relieved.extend(&actions),
                None => any = true,
            }
        };
        if let Some(own) = accounts.get(account.0 as usize) {
            compare(before.service_control(&own.id), after.service_control(&own.id));
            // Keys of the organization have other values, or none.
            if after.has_left(&own.id) || self.stands_elsewhere(edit, account) {
                return Relief::Any;
            }
        }
        for account in accounts {
            let before = before.resource_control_levels(&account.id);
            compare(before, after.resource_control_levels(&account.id));
        }
        match (any, relieved.is_empty()) {
            (true, _) => Relief::Any,
            (false, true) => Relief::None,
            (false, false) => Relief::Of(Arc::new(relieved)),
        }
    }

    /// Whether an edit moves an account, and some policy asks where its callers or resources stand;
    /// the resources of any account, if it is asked for those.
    ///
    /// Implements `aws:PrincipalOrgPaths` and `aws:ResourceOrgPaths` of
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>.
    fn stands_elsewhere(&self, edit: OrganizationEdit, account: AccountIndex) -> bool {
        let OrganizationEdit::Moved(moved, _) = edit else { return false };
        let world = self.ground.world;
        let of_account = world.accounts.get(account.0 as usize).map(|account| &account.id);
        let own = self.ground.object(&[], moved).map(|object| &object.name) == of_account;
        let [of_callers, of_resources] = self.asks_for_paths;
        (of_callers && own) || of_resources
    }

    /// The actions about which control policies deny something that are in force before and not
    /// after. `None` if something else counts: a level that does not allow everything by itself, or
    /// a policy that is not known.
    fn no_longer_denied(&self, before: &Levels<'_>, after: &Levels<'_>) -> Option<Actions> {
        let allows = |level: &Vec<InForce<'_>>| {
            level.iter().any(|in_force| in_force.policy.is_ok_and(Policy::allows_everything))
        };
        if !before.iter().all(allows) {
            return None;
        }
        let mut out = Actions::default();
        for in_force in before.iter().flatten() {
            let policy = in_force.policy.ok()?;
            let stays = |other: &InForce<'_>| other.policy.is_ok_and(|o| std::ptr::eq(o, policy));
            if !after.iter().flatten().any(stays) {
                out.extend(&Actions::denied_by(policy, &self.rules));
            }
        }
        Some(out)
    }
}

fn same(one: &Levels<'_>, other: &Levels<'_>) -> bool {
    let at = |in_force: &InForce<'_>| in_force.policy.ok().map(std::ptr::from_ref);
    one.iter().flatten().map(at).eq(other.iter().flatten().map(at)) && one.len() == other.len()
}

/// Whether some policy asks where in the organization its callers stand, and its resources.
pub(super) fn asks_for_paths(world: &World) -> [bool; 2] {
    let policies = || world.documents.iter().filter_map(|document| document.policy.as_ref().ok());
    let asks = |key: &str, statement: &Statement| {
        let mut variables = statement.templates().flat_map(Template::variables);
        statement.conditions().iter().any(|condition| &*condition.key_lowercase == key)
            || variables.any(|variable| &*variable.key == key)
    };
    ["aws:principalorgpaths", "aws:resourceorgpaths"]
        .map(|key| policies().flat_map(Policy::statements).any(|statement| asks(key, statement)))
}
