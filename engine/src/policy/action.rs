//! Action names as a statement selects them: `iam:PassRole`, `s3:Get*`, `*`.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html>
//! and `NotAction` likewise.

use crate::pattern::Pattern;

/// One pattern over action names.
///
/// Invariant: held in lower case, since AWS compares service prefixes and action names without
/// regard to case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionPattern {
    text: Box<str>,
    shape: Shape,
}

/// What most patterns look like, so that most comparisons are of plain bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    /// No wildcard.
    Exact,
    /// `*` at the end and nowhere else; the number of bytes before it.
    Prefix(usize),
    /// Anything else.
    Glob(Pattern),
}

impl ActionPattern {
    /// Reads `*` and `?` as wildcards.
    pub fn new(text: &str) -> Self {
        let text: Box<str> = text.to_lowercase().into();
        let shape = match text.find(['*', '?']) {
            None => Shape::Exact,
            Some(at) if at + 1 == text.len() && text.ends_with('*') => Shape::Prefix(at),
            Some(_) => Shape::Glob(Pattern::glob(&text, false)),
        };
        Self { text, shape }
    }

    /// The pattern in lower case.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it selects the action, whose name is given in lower case.
    pub fn matches(&self, action: &str) -> bool {
        match &self.shape {
            Shape::Exact => *self.text == *action,
            Shape::Prefix(length) => {
                self.text.get(..*length).is_some_and(|prefix| action.starts_with(prefix))
            }
            Shape::Glob(pattern) => pattern.matches(action),
        }
    }
}

/// The `Action` or `NotAction` element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actions {
    /// Whether it is `NotAction`.
    pub negated: bool,
    /// The patterns, at least one.
    pub patterns: Box<[ActionPattern]>,
}

impl Actions {
    /// Whether the statement is about the action, whose name is given in lower case.
    pub fn matches(&self, action: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(action)) != self.negated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, action: &str, expected: bool) {
        assert_eq!(ActionPattern::new(pattern).matches(action), expected, "{pattern} on {action}");
    }

    #[test]
    fn an_action_is_selected_by_name_and_wildcard() {
        check("*", "iam:passrole", true);
        check("IAM:PassRole", "iam:passrole", true);
        check("iam:PassRole", "iam:passroles", false);
        check("iam:Pass*", "iam:passrole", true);
        check("iam:*Role", "iam:passrole", true);
        check("iam:Pass?ole", "iam:passrole", true);
        check("iam:PassRole?", "iam:passrole", false);
        check("i*:*", "iam:passrole", true);
        check("s3:*", "iam:passrole", false);
    }
}
