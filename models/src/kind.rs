//! Kinds of object that techniques may name, with the attributes each has.

use std::collections::{BTreeMap, BTreeSet};

/// The kinds of object that a technique can bind or make, and their attributes.
///
/// The table is `models/kinds.json`. Loaders fill the attributes; every object has `name` and `account` besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kinds(BTreeMap<String, BTreeSet<String>>);

impl Kinds {
    /// The table that comes with the catalogue. Fails only if the embedded file is no JSON.
    pub fn builtin() -> Result<Self, serde_json::Error> {
        serde_json::from_str(include_str!("../kinds.json")).map(Self)
    }

    /// Whether the kind is known: `iam:role`.
    pub fn contains(&self, kind: &str) -> bool {
        self.0.contains_key(kind)
    }

    /// Whether objects of the kind have the attribute.
    pub fn has(&self, kind: &str, attribute: &str) -> bool {
        matches!(attribute, "account" | "name")
            || self.0.get(kind).is_some_and(|attributes| attributes.contains(attribute))
    }

    /// The kinds, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_and_only_listed_attributes() {
        let kinds = Kinds::builtin().unwrap();
        assert!(kinds.contains("iam:role"));
        assert!(kinds.has("iam:role", "service-linked"));
        assert!(kinds.has("ecs:cluster", "name"));
        assert!(!kinds.has("ecs:cluster", "role"));
        assert!(!kinds.contains("iam:nothing"));
    }
}
