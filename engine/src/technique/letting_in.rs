//! Whom the own policies of objects let in at most: of a thousand accounts, few have anything to do
//! with an object of another.

use std::collections::BTreeSet;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::footing::Governed;
use super::object_sets::remembered;
use super::search::Search;
use crate::reachability::Help;
use crate::snapshot::{AccountIndex, Object, ObjectId};

/// Whose principals an object may let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LetIn {
    /// Those of any account.
    Anybody,
    /// Those of these accounts of the snapshot.
    Accounts(BTreeSet<AccountIndex>),
}

impl LetIn {
    /// Adds those whom something else lets in.
    fn extend(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::Accounts(own), Self::Accounts(others)) => own.extend(others),
            _ => *self = Self::Anybody,
        }
    }
}

impl Search<'_> {
    /// Whose principals an object may let in: its own account's, and those that its own policy names.
    pub fn whom_lets_in(&self, object: ObjectId, made: &[Object]) -> LetIn {
        let Some(of) = self.ground.object(made, object) else { return LetIn::Anybody };
        let mut out = LetIn::Accounts(BTreeSet::from([of.account]));
        if let Some(others) = self.index.others_let_in(object) {
            out.extend(others.clone());
        }
        out
    }

    /// The objects whose own policies may let in a principal. `None` if it stands for many.
    pub fn letting_in(&self, principal: ObjectId, made: &[Object]) -> Option<RoaringBitmap> {
        let object = self.ground.object(made, principal)?;
        let account = self.ground.world.accounts.get(object.account.0 as usize)?;
        object.symbolic().is_none().then(|| self.index.letting_in(object, &account.id))
    }

    /// The same of a role that is asked about for many callers. `None` also of one that the attacker
    /// makes: that is another one in each closure.
    pub(super) fn letting_in_role(&self, role: ObjectId) -> Option<Arc<RoaringBitmap>> {
        let find = || self.letting_in(role, &[]).map(Arc::new);
        let is_made = role >= self.ground.next_made(0);
        if is_made { None } else { remembered(&self.roles_let_in, &role, find) }
    }

    /// Whose principals could give a help at most: those of the account that it is about, and those
    /// whom the objects that it is about let in. What the attacker has made may let in anybody, and
    /// what is the organization's is no account's own.
    pub fn givers(&self, help: &Help, made: &[Object]) -> LetIn {
        let mut out = LetIn::Accounts(BTreeSet::from([help.binding.account]));
        let first_made = self.ground.next_made(0);
        for id in help.binding.objects.iter().filter(|id| id.0 != u32::MAX) {
            let object = self.ground.object(made, *id);
            if *id >= first_made || object.is_none_or(Object::is_of_organization) {
                return LetIn::Anybody;
            }
            out.extend(self.whom_lets_in(*id, made));
        }
        out
    }

    /// Whether an object's own policy may say something of one principal of another account that it
    /// does not say of the next, or of the same with an MFA device.
    pub fn tells_apart(&self, object: ObjectId) -> bool {
        self.index.special().contains(object.0)
            || self.index.telling_accounts().contains(object.0)
            || self.asking_for_mfa().is_some_and(|asking| asking.contains(object.0))
    }

    /// Whether objects of a kind may let in principals of other accounts to any call that some rule
    /// makes.
    pub fn may_let_in_others(&self, kind: &str) -> bool {
        self.governed.contains_key(kind)
    }

    /// Whether one administrator of another account need not be as good as the next, where the policy
    /// of an object of a kind lets both in: something else of theirs matters.
    pub fn is_for_each(&self, kind: &str) -> bool {
        self.governed.get(kind).is_some_and(Governed::is_for_each)
    }
}
