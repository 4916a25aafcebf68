//! What of a statement did not match a request: the element, what it has, and what the request has.

use super::conditions::condition_holds;
use super::request::{Input, Request};
use super::resources::resources_match;
use super::statements::Question;
use crate::policy::{ActionPattern, Condition, Operation, Statement, ValueTest};
use crate::residual::Variable;

/// The element of a statement that did not match.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Element {
    /// `Action` or `NotAction`
    Action {
        /// Whether it is `NotAction`.
        negated: bool,
        /// The patterns, in lower case.
        wanted: Vec<String>,
    },
    /// `Principal` or `NotPrincipal`
    Principal {
        /// Whether it is `NotPrincipal`.
        negated: bool,
        /// Whom it names.
        wanted: Vec<String>,
    },
    /// `Resource` or `NotResource`
    Resource {
        /// Whether it is `NotResource`.
        negated: bool,
        /// The patterns.
        wanted: Vec<String>,
    },
    /// One condition.
    Condition {
        /// The operator as the policy has it.
        operator: String,
        /// The key as the policy has it.
        key: String,
        /// The values that the policy compares with.
        wanted: Vec<String>,
        /// What the request has: no value if the key is not in it.
        found: Vec<String>,
    },
}

impl Element {
    /// The principal element of the statement.
    pub(super) fn principal(statement: &Statement) -> Self {
        let element = statement.principals();
        Self::Principal {
            negated: element.is_some_and(|element| element.negated),
            wanted: element
                .map(|element| element.named.iter().map(|named| named.to_string()).collect())
                .unwrap_or_default(),
        }
    }
}

/// The action element, if it is all that did not match and has actions of the request's service.
/// That a statement is about other services is no news.
pub(super) fn action_missed(question: &Question<'_>, statement: &Statement) -> Option<Element> {
    let actions = statement.actions();
    let service = question.action.split(':').next()?;
    let of_service = |pattern: &ActionPattern| {
        pattern.text().split_once(':').is_some_and(|(prefix, _)| prefix == service)
    };
    let near =
        actions.patterns.iter().any(of_service) && failed_elements(question, statement).is_empty();
    near.then(|| Element::Action {
        negated: actions.negated,
        wanted: actions
            .patterns
            .iter()
            .filter(|pattern| of_service(pattern))
            .map(|pattern| pattern.text().to_owned())
            .collect(),
    })
}

/// The resource and the conditions that did not match.
pub(super) fn failed_elements(question: &Question<'_>, statement: &Statement) -> Vec<Element> {
    let Request { resource, context, .. } = *question.request;
    let mut failed = Vec::new();
    if resources_match(statement.resource_element(), resource, context).is_false() {
        failed.push(Element::Resource {
            negated: statement.resources_negated(),
            wanted: statement.resources().iter().map(|text| text.text().to_owned()).collect(),
        });
    }
    failed.extend(
        statement
            .conditions()
            .iter()
            .filter(|condition| condition_holds(condition, context).is_false())
            .map(|condition| Element::Condition {
                operator: condition.operator.to_string(),
                key: condition.key.to_string(),
                wanted: wanted(condition),
                found: found(context.get(&condition.key_lowercase)),
            }),
    );
    failed
}

/// The values that a condition compares with, as near to the policy's as they are held.
pub(super) fn wanted(condition: &Condition) -> Vec<String> {
    match &condition.operation {
        Operation::Compare { tests, .. } => tests
            .iter()
            .map(|test| match test {
                ValueTest::Text(template) => template.text().to_owned(),
                ValueTest::Fixed(test) => test.operand(),
                ValueTest::Unclear(reason) => reason.to_string(),
            })
            .collect(),
        Operation::Null(values) => values
            .iter()
            .map(|value| match value {
                Ok(value) => value.to_string(),
                Err(reason) => reason.to_string(),
            })
            .collect(),
        Operation::Unknown(reason) => vec![reason.to_string()],
    }
}

/// What a request has for a key. Open parts are in braces.
fn found(input: Input) -> Vec<String> {
    let open = |variable: &Variable| format!("{{{}}}", variable.name);
    match input {
        Input::Absent | Input::Unknown(_) => Vec::new(),
        Input::One(text) => vec![text.to_string()],
        Input::Many(values) => values.iter().map(|value| value.to_string()).collect(),
        Input::Free { variable, .. } => vec![open(&variable)],
        Input::Template { prefix, variable, suffix } => {
            vec![format!("{prefix}{}{suffix}", open(&variable))]
        }
        Input::IfPresent { value, .. } => found(*value),
    }
}
