//! What an attacker can have. Facts never go away.

use std::sync::Arc;

use foldhash::fast::RandomState;
use indexmap::IndexSet;

use crate::authorization::Edit;
use crate::snapshot::{AccountIndex, ObjectId};
use crate::technique::Binding;

/// Something the attacker has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// Acts as this user, role or internal user of an OpenSearch domain.
    Holds(ObjectId),
    /// Acts as one of the principals that are alike, or as a principal with edits in force.
    Acts(usize),
    /// Has made this edit.
    Edited(Edit),
    /// May put any user into this group.
    Joinable(ObjectId),
    /// The identity policies of this user, role or group allow everything, by whichever edit.
    Unrestricted(ObjectId),
    /// No permissions boundary limits this user or role, by whichever edit.
    Unbounded(ObjectId),
    /// Has applied a rule under a binding.
    Done(usize, Arc<Binding>),
    /// May apply a rule under each of a set of bindings.
    Set(usize),
    /// Somebody makes the calls of a rule's further group under a binding.
    Helped(usize),
    /// An object that the attacker has made exists.
    Exists(ObjectId),
    /// A service acts with this role through a resource, for the actions of this delegation.
    Delegated(usize),
    /// Administers this OpenSearch domain from inside.
    DomainAdministration(ObjectId),
    /// Writes the tokens of an identity provider in this account.
    IdentityProvider(AccountIndex),
    /// Acts as an administrator of the account.
    Administrator(AccountIndex),
    /// Acts as an administrator of some account of the snapshot.
    AdministratorSomewhere,
    /// The call that the question asks for succeeds.
    Called,
}

/// A fact, by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactId(pub u32);

/// Facts, each once, in the order in which they were first named.
#[derive(Debug, Default)]
pub struct Facts {
    facts: IndexSet<Fact, RandomState>,
}

fn id_of(position: usize) -> FactId {
    FactId(u32::try_from(position).unwrap_or(u32::MAX))
}

impl Facts {
    /// The id of a fact, new or old.
    pub fn intern(&mut self, fact: Fact) -> FactId {
        id_of(self.facts.insert_full(fact).0)
    }

    /// The id of a fact that has been named.
    pub fn find(&self, fact: &Fact) -> Option<FactId> {
        self.facts.get_index_of(fact).map(id_of)
    }

    /// The fact of an id.
    pub fn get(&self, id: FactId) -> Option<&Fact> {
        self.facts.get_index(id.0 as usize)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.facts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }
}
