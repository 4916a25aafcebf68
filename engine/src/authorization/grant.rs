//! What of an allowing statement lets a request through: the same however the statement is
//! written. A statement that is split in two, has its lists reordered, or gets more actions that
//! have nothing to do with the request still makes the same grants.

use super::near_miss::wanted;
use super::principals::names;
use super::resources::resources_match;
use super::statements::Question;
use crate::policy::{Resources, Statement};

/// One action pattern with one resource pattern and one principal of a statement that select a
/// request, and the statement's conditions.
///
/// Of a negated element (`NotAction`), which cannot be taken apart, all patterns, sorted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The action patterns, in lower case.
    pub action: Element,
    /// Whom it names; none in policies of principals.
    pub principal: Option<Element>,
    /// The resource patterns, as written; none in trust policies.
    pub resource: Option<Element>,
    /// Operator and key in lower case and the sorted values of each condition, sorted.
    pub conditions: Vec<(String, String, Vec<String>)>,
}

/// What of an element selects a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Element {
    /// This pattern of `Action`, `Resource`, `Principal`.
    One(String),
    /// None of these patterns of `NotAction`, `NotResource`, `NotPrincipal`.
    NoneOf(Vec<String>),
}

impl Element {
    fn of(negated: bool, all: Vec<String>, selecting: Vec<String>) -> Vec<Self> {
        if negated {
            let mut all = all;
            all.sort();
            all.dedup();
            return vec![Self::NoneOf(all)];
        }
        selecting.into_iter().map(Self::One).collect()
    }
}

/// The grants that a statement which is about the request makes, sorted.
pub(super) fn grants(question: &Question<'_>, statement: &Statement) -> Vec<Grant> {
    let actions = statement.actions();
    let texts = |patterns: Vec<&str>| patterns.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let actions = Element::of(
        actions.negated,
        texts(actions.patterns.iter().map(|pattern| pattern.text()).collect()),
        texts(
            actions
                .patterns
                .iter()
                .filter(|pattern| pattern.matches(&question.action))
                .map(|pattern| pattern.text())
                .collect(),
        ),
    );
    let principals = optional(statement.principals().map(|element| {
        let shown = |principal: &crate::policy::Principal| principal.to_string();
        let caller = question.request.caller;
        Element::of(
            element.negated,
            element.named.iter().map(shown).collect(),
            element.named.iter().filter(|named| names(named, caller)).map(shown).collect(),
        )
    }));
    let resources = optional(statement.resource_element().map(|element| {
        let selects = |pattern: &crate::policy::Template| {
            let alone = Resources { negated: false, patterns: vec![pattern.clone()].into() };
            let request = question.request;
            !resources_match(Some(&alone), request.resource, request.context).is_false()
        };
        let shown = |pattern: &crate::policy::Template| pattern.text().to_owned();
        Element::of(
            element.negated,
            element.patterns.iter().map(shown).collect(),
            element.patterns.iter().filter(|pattern| selects(pattern)).map(shown).collect(),
        )
    }));
    let mut conditions: Vec<_> = statement
        .conditions()
        .iter()
        .map(|condition| {
            let mut values = wanted(condition);
            values.sort();
            values.dedup();
            (condition.operator.to_lowercase(), condition.key_lowercase.to_string(), values)
        })
        .collect();
    conditions.sort();
    let mut out = Vec::new();
    for action in &actions {
        for principal in &principals {
            for resource in &resources {
                out.push(Grant {
                    action: action.clone(),
                    principal: principal.clone(),
                    resource: resource.clone(),
                    conditions: conditions.clone(),
                });
            }
        }
    }
    out.sort();
    out.dedup();
    out
}

/// The alternatives of an element that may not be there.
fn optional(element: Option<Vec<Element>>) -> Vec<Option<Element>> {
    match element {
        None => vec![None],
        Some(alternatives) => alternatives.into_iter().map(Some).collect(),
    }
}
