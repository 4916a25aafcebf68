//! What an attacker has, in facts that can be told without the fixpoint.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::authorization::Edit;
use crate::reachability::Start;
use crate::residual::Residual;
use crate::snapshot::{AccountIndex, Object, ObjectId};
use crate::technique::{Delegation, Gained, Search, may_do_everything};

/// Something that the attacker has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Had {
    /// Acts as this user, role or internal user of an OpenSearch domain.
    Holds(ObjectId),
    /// Has made this edit.
    Edited(Edit),
    /// May put any user into this group.
    MayJoin(ObjectId),
    /// A service acts with a role.
    Delegated(Delegation),
    /// An object that he has made exists.
    Exists(ObjectId),
    /// Administers this OpenSearch domain from inside.
    Administers(ObjectId),
    /// Writes the tokens of an identity provider in this account.
    IdentityProvider(AccountIndex),
    /// Acts as an administrator of the account.
    Administrator(AccountIndex),
    /// The call that the question asks for succeeds.
    Called,
}

/// All that the attacker has, each with the environments in which he has it.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The facts. A condition is over the environment that a path shares and over tags, and holds
    /// for all later times if it does for one.
    pub facts: BTreeMap<Had, Residual>,
    /// Objects that the attacker has made, and symbolic callers; their ids follow those of the ground.
    pub made: Vec<Object>,
}

impl State {
    /// Whether the attacker acts as a principal whatever the environment.
    pub(super) fn surely_holds(&self, principal: ObjectId) -> bool {
        self.facts.get(&Had::Holds(principal)).is_some_and(Residual::is_true)
    }

    /// What an attacker has who starts here: all callers that the start stands for.
    pub fn of(search: &Search<'_>, start: &Start) -> Self {
        let mut out = Self::default();
        let symbolic: Vec<ObjectId> =
            start.symbolic.iter().map(|object| out.make(search, object.clone())).collect();
        for id in symbolic.into_iter().chain(start.principals.iter().copied()) {
            out.facts.insert(Had::Holds(id), Residual::True);
        }
        out
    }

    /// Forgets policies that were attached to somebody before a policy of its own came to allow
    /// everything: nothing comes of them.
    pub(super) fn drop_needless(&mut self) {
        let is_needless = |had: &&Had| matches!(had, Had::Edited(Edit::Attached(holder, _)) if self.has_given_everything(*holder));
        let needless: Vec<Had> = self.facts.keys().filter(is_needless).cloned().collect();
        needless.iter().for_each(|had| _ = self.facts.remove(had));
    }

    /// Whether the attacker has, in every environment, given a user, role or group a policy of its
    /// own that allows everything.
    pub(super) fn has_given_everything(&self, holder: ObjectId) -> bool {
        let policy = Had::Edited(Edit::InlinePolicy(holder));
        self.facts.get(&policy).is_some_and(Residual::is_true)
    }

    /// The id of an object among those that the attacker has made, and the callers that he stands
    /// for.
    pub(super) fn made_as(&self, search: &Search<'_>, object: &Object) -> Option<ObjectId> {
        let alike = |other: &Object| {
            other.kind == object.kind
                && other.arn == object.arn
                && attributes(other) == attributes(object)
        };
        let at = self.made.iter().position(alike)?;
        Some(search.ground.next_made(at))
    }

    /// The id of an object that the attacker makes, new or old.
    pub fn make(&mut self, search: &Search<'_>, object: Object) -> ObjectId {
        self.made_as(search, &object).unwrap_or_else(|| {
            self.made.push(object);
            search.ground.next_made(self.made.len() - 1)
        })
    }

    /// The facts that a gain is. An object that it makes is added.
    pub(super) fn facts_of(&mut self, search: &Search<'_>, gained: Gained) -> Vec<Had> {
        let id = match &gained {
            Gained::Made(object) | Gained::Principal(object) => {
                Some(self.make(search, Object::clone(object)))
            }
            _ => None,
        };
        facts(gained, id)
    }

    /// The facts that a gain is; `None` if it makes something new.
    pub(super) fn known_as(&self, search: &Search<'_>, gained: Gained) -> Option<Vec<Had>> {
        let id = match &gained {
            Gained::Made(object) | Gained::Principal(object) => Some(self.made_as(search, object)?),
            _ => None,
        };
        Some(facts(gained, id))
    }
}

/// The facts that a gain is.
///
/// - `made`: what it makes, if it makes something.
fn facts(gained: Gained, made: Option<ObjectId>) -> Vec<Had> {
    match gained {
        Gained::Holds(principal) => vec![Had::Holds(principal)],
        Gained::Edited(edit) => vec![Had::Edited(edit)],
        Gained::Joinable(group) => vec![Had::MayJoin(group)],
        Gained::Delegated(delegation) => vec![Had::Delegated(delegation)],
        Gained::Made(_) => made.map(Had::Exists).into_iter().collect(),
        Gained::Principal(object) => made.map_or_else(Vec::new, |principal| {
            let everything = may_do_everything(&object);
            let mut out = vec![Had::Holds(principal)];
            out.extend(everything.then_some(Had::Edited(Edit::InlinePolicy(principal))));
            out
        }),
        Gained::DomainAdministration(domain) => vec![Had::Administers(domain)],
        Gained::IdentityProvider(account) => vec![Had::IdentityProvider(account)],
    }
}

fn attributes(object: &Object) -> Vec<(&Arc<str>, Vec<&Arc<str>>)> {
    object
        .attributes
        .iter()
        .map(|(name, values)| (name, values.iter().flatten().collect()))
        .collect()
}
