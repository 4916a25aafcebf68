//! Where an attacker starts: as one principal, or as everyone that a symbolic start stands for.

use std::sync::Arc;

use crate::residual::Gap;
use crate::snapshot::{AccountIndex, Object, ObjectId};

/// A start, as the question means it.
#[derive(Clone, Debug)]
pub struct Start {
    /// As the answer names it.
    pub name: Arc<str>,
    /// Principals of the snapshot that the attacker acts as.
    pub principals: Vec<ObjectId>,
    /// Callers that it stands for, and that the snapshot does not list: the plainest first.
    pub symbolic: Vec<Object>,
    /// The account that is its own; none if that is outside the snapshot.
    pub home: Option<AccountIndex>,
    /// What of it is not known, so that it may come further than is found.
    pub gap: Option<Gap>,
}

impl Start {
    /// One principal of the snapshot.
    pub fn principal(id: ObjectId, object: &Object) -> Self {
        Self {
            name: object.arn.clone(),
            principals: vec![id],
            symbolic: Vec::new(),
            home: Some(object.account),
            gap: None,
        }
    }
}

/// A start whose callers all have an id.
#[derive(Clone, Debug)]
pub(super) struct Started {
    pub(super) holds: Vec<ObjectId>,
    pub(super) home: Option<AccountIndex>,
}
