//! Why a document is not a policy, and where in it to look.

use std::fmt;

/// A place in a document that holds something else than what belongs there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at {pointer:?}: expected {expected}, found {found:?}")]
pub struct PolicyError {
    /// JSON pointer into the document; empty for the document itself.
    pub pointer: String,
    /// What belongs there.
    pub expected: &'static str,
    /// What stands there, cut short if it is long.
    pub found: String,
}

impl PolicyError {
    /// An error at the place that is being read; callers put what is around it in front.
    pub(crate) fn new(expected: &'static str, found: &str) -> Self {
        Self { pointer: String::new(), expected, found: clip(found) }
    }

    /// The same error, seen from outside of the member or element `segment`.
    #[must_use]
    pub(crate) fn inside(mut self, segment: impl fmt::Display) -> Self {
        let escaped = segment.to_string().replace('~', "~0").replace('/', "~1");
        self.pointer = format!("/{escaped}{}", self.pointer);
        self
    }
}

/// Long enough to recognise the place by, short enough for one line.
fn clip(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() <= LONGEST {
        text.to_owned()
    } else {
        text.chars().take(LONGEST).chain("...".chars()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_escapes_its_segments() {
        let error = PolicyError::new("a string", "7").inside(3).inside("aws:PrincipalTag/a~b");
        assert_eq!(error.pointer, "/aws:PrincipalTag~1a~0b/3");
        assert_eq!(
            error.to_string(),
            "at \"/aws:PrincipalTag~1a~0b/3\": expected a string, found \"7\""
        );
    }

    #[test]
    fn what_was_found_is_cut_short() {
        assert_eq!(PolicyError::new("x", &"é".repeat(100)).found.chars().count(), 63);
    }
}
