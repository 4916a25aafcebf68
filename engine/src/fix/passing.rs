//! Statements that pass roles, narrowed to the roles that lead nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::keep::Keep;
use crate::answer::Call;
use crate::pattern::Pattern;

/// The most roles that a narrower statement names.
const MOST_ROLES: usize = 20;

/// The roles that can be passed.
pub(super) struct Roles {
    /// By ARN, with the services that they trust.
    services: BTreeMap<Arc<str>, BTreeSet<String>>,
    /// Principals that are at the goal or get there.
    dangerous: BTreeSet<Arc<str>>,
    /// What passing must stay possible of, as it was given.
    kept: Vec<Arc<str>>,
}

impl Roles {
    /// No roles yet.
    pub(super) fn new(dangerous: BTreeSet<Arc<str>>, keep: &[Keep]) -> Self {
        let passing = keep.iter().filter(|keep| keep.action.eq_ignore_ascii_case("iam:PassRole"));
        let kept = passing.map(|keep| keep.resource.clone()).collect();
        Self { services: BTreeMap::new(), dangerous, kept }
    }

    /// One more, with the services that it trusts.
    pub(super) fn add(&mut self, role: Arc<str>, services: BTreeSet<String>) {
        self.services.insert(role, services);
    }

    fn is_kept(&self, role: &str) -> bool {
        self.kept.iter().any(|kept| {
            role.strip_suffix(&**kept)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with([':', '/']))
        })
    }

    /// What a statement that only passes roles says when it passes those only that do not lead to
    /// the goal, and those that must stay; where these are too many to be named, the latter. Nothing
    /// if that still lets the call through, or leaves nothing.
    ///
    /// Which services a role is passed to is limited to those that the roles trust: it is of no use
    /// to others. <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html>
    pub(super) fn narrower(&self, statement: &Value, call: &Call) -> Option<Value> {
        let texts = |value: &Value| -> Option<Vec<String>> {
            match value {
                Value::String(one) => Some(vec![one.clone()]),
                Value::Array(many) => {
                    many.iter().map(|one| one.as_str().map(str::to_owned)).collect()
                }
                _ => None,
            }
        };
        let actions = texts(statement.get("Action")?)?;
        if !actions.iter().all(|action| action.eq_ignore_ascii_case("iam:PassRole")) {
            return None;
        }
        let patterns = texts(statement.get("Resource")?)?;
        if patterns.iter().any(|pattern| pattern.contains("${")) {
            return None;
        }
        let globs: Vec<Pattern> =
            patterns.iter().map(|pattern| Pattern::glob(pattern, false)).collect();
        let mut left: Vec<&Arc<str>> = self
            .services
            .keys()
            .filter(|role| globs.iter().any(|glob| glob.matches(role)))
            .filter(|role| !self.dangerous.contains(*role) || self.is_kept(role))
            .collect();
        if left.len() > MOST_ROLES {
            left.retain(|role| self.is_kept(role));
        }
        if left.is_empty() || left.len() > MOST_ROLES || left.contains(&&call.resource) {
            return None;
        }
        let services: BTreeSet<&String> =
            left.iter().filter_map(|role| self.services.get(*role)).flatten().collect();
        let one_or_many = |texts: Vec<&str>| match texts.as_slice() {
            [one] => json!(one),
            many => json!(many),
        };
        let mut out = statement.clone();
        let members = out.as_object_mut()?;
        let shown = left.iter().map(|role| &***role).collect();
        members.insert("Resource".to_owned(), one_or_many(shown));
        let has_key = |condition: &Value| {
            condition.as_object().into_iter().flat_map(Map::values).any(|keys| {
                let mut keys = keys.as_object().into_iter().flat_map(Map::keys);
                keys.any(|key| key.eq_ignore_ascii_case("iam:PassedToService"))
            })
        };
        if !services.is_empty() && !statement.get("Condition").is_some_and(has_key) {
            let condition = members.entry("Condition").or_insert_with(|| json!({}));
            let equals = condition.as_object_mut()?.entry("StringEquals");
            let services = one_or_many(services.into_iter().map(String::as_str).collect());
            equals
                .or_insert_with(|| json!({}))
                .as_object_mut()?
                .insert("iam:PassedToService".to_owned(), services);
        }
        Some(out)
    }
}
