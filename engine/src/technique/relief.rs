//! What a change of the organization relieves its accounts of: the control policies that bind them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::actions::Actions;
use super::search::Search;
use crate::authorization::{Edit, Edits, OrganizationEdit};
use crate::policy::{Policy, Statement, Template};
use crate::snapshot::{AccountIndex, Attachment, ControlPolicyKind, World};

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

impl Relief {
    fn of(relieved: Option<Actions>) -> Self {
        match relieved {
            None => Self::Any,
            Some(actions) if actions.is_empty() => Self::None,
            Some(actions) => Self::Of(Arc::new(actions)),
        }
    }

    /// What two changes come to.
    pub fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => Self::Any,
            (Self::None, relief) | (relief, Self::None) => relief.clone(),
            (Self::Of(one), Self::Of(other)) => {
                let mut all = (**one).clone();
                all.extend(other);
                Self::Of(Arc::new(all))
            }
        }
    }
}

/// Control policies in force, level by level.
type Levels = Vec<Vec<Attachment>>;

impl Search<'_> {
    /// What an edit of the organization comes to for the principals of an account: it changes what
    /// binds them. What it comes to for resources is [`Self::relief_of_resources`].
    ///
    /// - `moves`: where accounts can be moved to besides: what is attached there counts as well.
    ///
    /// Implements the evaluation of
    /// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html>:
    /// where every level allows everything, only denies count, and each of them until it is gone
    /// from every level.
    pub fn relief(
        &self,
        edit: OrganizationEdit,
        account: AccountIndex,
        moves: &[OrganizationEdit],
    ) -> Relief {
        let accounts = &self.ground.world.accounts;
        let Some(own) = accounts.get(account.0 as usize) else { return Relief::None };
        // Keys of the organization have other values, or none.
        let left = matches!(edit, OrganizationEdit::Left(left) if left == account);
        if left || self.stands_elsewhere(edit, account) {
            return Relief::Any;
        }
        let kind = ControlPolicyKind::ServiceControlPolicy;
        Relief::of(self.relieved(edit, &own.id, kind, moves))
            .and(&self.relief_of_others(edit, &own.id, moves))
    }

    /// What an edit of the organization comes to for an account from which others are administered:
    /// what is done in these for its principals is bound there.
    fn relief_of_others(
        &self,
        edit: OrganizationEdit,
        account: &str,
        moves: &[OrganizationEdit],
    ) -> Relief {
        let world = self.ground.world;
        let organization = world.organization.as_ref();
        if !organization.is_some_and(|organization| organization.may_be_managed_by(account)) {
            return Relief::None;
        }
        let kind = ControlPolicyKind::ServiceControlPolicy;
        let moved = self.moved_account(edit);
        let others = world.accounts.iter().filter(|other| *other.id != *account);
        let others = others.filter(|other| moved.is_none_or(|moved| *moved == *other.id));
        let mut out = Actions::default();
        for other in others {
            match self.relieved(edit, &other.id, kind, moves) {
                Some(actions) => out.extend(&self.made_by_others(&actions)),
                None => return Relief::of(Some(self.made_by_others(&Actions::all(&self.rules)))),
            }
        }
        Relief::of(Some(out))
    }

    /// What an edit of the organization comes to for whoever works on the resources of its accounts.
    ///
    /// - `moves`: as in [`Self::relief`].
    pub fn relief_of_resources(
        &self,
        edit: OrganizationEdit,
        moves: &[OrganizationEdit],
    ) -> Relief {
        let kind = ControlPolicyKind::ResourceControlPolicy;
        let moved = self.moved_account(edit);
        let mut relieved = Actions::default();
        for account in &self.ground.world.accounts {
            if moved.is_some_and(|moved| *moved != *account.id) {
                continue;
            }
            match self.relieved(edit, &account.id, kind, moves) {
                Some(actions) => relieved.extend(&actions),
                None => return Relief::Any,
            }
        }
        Relief::of(Some(relieved))
    }

    /// Whether a move brings an account to where no more binds it than where another one brings it,
    /// and nothing hangs on the place itself.
    pub fn binds_no_more(&self, one: OrganizationEdit, other: OrganizationEdit) -> bool {
        let account = self.moved_account(one);
        let Some(account) = account.filter(|_| account == self.moved_account(other)) else {
            return false;
        };
        if self.asks_for_paths != [false, false] {
            return false;
        }
        let kinds =
            [ControlPolicyKind::ServiceControlPolicy, ControlPolicyKind::ResourceControlPolicy];
        kinds.into_iter().all(|kind| {
            let after = |edit| self.attachments(account, kind, [Edit::Organization(edit)]);
            let (one, other) = (after(one), after(other));
            let other: BTreeSet<&Attachment> = other.iter().flatten().collect();
            one.iter().all(|level| self.allows_everything_at(kind, level))
                && one.iter().flatten().all(|bound| self.is_open(bound) || other.contains(bound))
        })
    }

    /// Whether a control policy at one place allows everything and denies nothing.
    fn is_open(&self, one: &Attachment) -> bool {
        let policy = one.document.map(|at| self.ground.world.policy(at));
        let open = |policy: &Policy| policy.allows_everything() && !policy.has_deny();
        policy.is_none_or(|policy| policy.is_some_and(open))
    }

    /// Whether the policies of a level allow everything between them.
    fn allows_everything_at(&self, kind: ControlPolicyKind, level: &[Attachment]) -> bool {
        let allows = |one: &Attachment| {
            let policy = one.document.map(|at| self.ground.world.policy(at));
            policy.is_none_or(|policy| policy.is_some_and(Policy::allows_everything))
        };
        // AWS's own resource control policy is everywhere, listed or not.
        let none_counts = kind == ControlPolicyKind::ResourceControlPolicy;
        (none_counts && level.is_empty()) || level.iter().any(allows)
    }

    /// The account that an edit moves.
    fn moved_account(&self, edit: OrganizationEdit) -> Option<&str> {
        let OrganizationEdit::Moved(moved, _) = edit else { return None };
        self.ground.object(&[], moved).map(|object| &*object.name)
    }

    /// The actions that control policies of a kind may no longer forbid after an edit, where the
    /// account stands and where it can be moved to; `None` for any.
    fn relieved(
        &self,
        edit: OrganizationEdit,
        account: &str,
        kind: ControlPolicyKind,
        moves: &[OrganizationEdit],
    ) -> Option<Actions> {
        let mut out = Actions::default();
        let is_move = matches!(edit, OrganizationEdit::Moved(..));
        let elsewhere = moves.iter().filter(|_| !is_move).copied();
        let elsewhere = elsewhere.filter(|one| self.moved_account(*one) == Some(account));
        for place in std::iter::once(None).chain(elsewhere.map(Some)) {
            let place = place.map(Edit::Organization);
            let before = self.attachments(account, kind, place);
            // The last policy of a place can be detached once there is another one.
            let beside = match edit {
                OrganizationEdit::PolicyDetached(target, _) => {
                    let beside = OrganizationEdit::PolicyAttached(target, None);
                    Some(Edit::Organization(beside))
                }
                _ => None,
            };
            let after = [place, beside, Some(Edit::Organization(edit))];
            let after = self.attachments(account, kind, after.into_iter().flatten());
            if before != after {
                out.extend(&self.no_longer_denied(kind, &before, &after)?);
            }
        }
        Some(out)
    }

    fn attachments(
        &self,
        account: &str,
        kind: ControlPolicyKind,
        edits: impl IntoIterator<Item = Edit>,
    ) -> Levels {
        let edits = Edits::of(edits);
        let organization = self.ground.world.organization.as_ref();
        organization.map_or_else(Vec::new, |organization| {
            let changes = self.view(&edits, &[]).organization_changes();
            organization.attachments(account, kind, &changes)
        })
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

    /// The actions about which some control policy denies something that binds before and not after,
    /// or can be detached after since another one is attached beside it. `None` if something else
    /// counts: a level that does not allow everything by itself, or a policy that is not known.
    fn no_longer_denied(
        &self,
        kind: ControlPolicyKind,
        before: &Levels,
        after: &Levels,
    ) -> Option<Actions> {
        if !before.iter().all(|level| self.allows_everything_at(kind, level)) {
            return None;
        }
        let policy = |one: &Attachment| one.document.map(|at| self.ground.world.policy(at));
        let before: BTreeSet<&Attachment> = before.iter().flatten().collect();
        let after: BTreeSet<&Attachment> = after.iter().flatten().collect();
        let added: BTreeSet<&Arc<str>> =
            after.difference(&before).map(|added| &added.target).collect();
        let mut out = Actions::default();
        for one in before {
            let counts = !after.contains(one) || added.contains(&one.target);
            if let (true, Some(policy)) = (counts, policy(one)) {
                out.extend(&Actions::denied_by(policy?, &self.rules));
            }
        }
        Some(out)
    }
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
