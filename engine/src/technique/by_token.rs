//! Rules that take nothing but a token of an identity provider: what they can do is found once for all.

use std::sync::Arc;

use super::object_sets::remembered;
use super::rule::{Rule, RuleCall, Slot};
use super::search::{Outcome, Search, Select};
use super::walk::Walk;
use crate::snapshot::AccountIndex;

impl Search<'_> {
    /// What a rule can do that takes nothing but a token. Who brings it is nobody in particular: what
    /// was found for one principal holds for all.
    pub(super) fn by_token(&self, at: usize, rule: &Rule, walk: &Walk<'_, '_>) -> Arc<[Outcome]> {
        let Some(account) = walk.account else { return Arc::default() };
        let account = self.place_of_token(rule, account);
        remembered(&self.by_token, &(at, account), || {
            let mut of_nobody = Walk::new(walk.actor, false, Select::All);
            of_nobody.account = Some(account);
            of_nobody.for_others = true;
            let mut out = Vec::new();
            of_nobody.rule(at, rule, &mut out);
            out.into()
        })
    }

    /// The account whose principals are the first to bring a token to a rule, of all for which that
    /// comes to the same as for those of an account.
    fn place_of_token(&self, rule: &Rule, account: AccountIndex) -> AccountIndex {
        let accounts = &self.ground.world.accounts;
        let by_place = |slot: &Slot| {
            let mut matchers = slot.matchers.iter();
            self.unlisted.contains_key(&slot.kind)
                || !slot.trusts.is_empty()
                || !matchers.all(|(_, matcher)| matcher.is_of_object_alone())
        };
        let is_somewhere = !rule.new.is_empty()
            || rule.calls.iter().any(RuleCall::mentions_place)
            || rule.slots.iter().any(by_place);
        let own = accounts.get(account.0 as usize).filter(|_| !is_somewhere);
        let first = own.and_then(|own| accounts.iter().position(|o| o.partition == own.partition));
        first.and_then(|at| u32::try_from(at).ok()).map_or(account, AccountIndex)
    }
}
