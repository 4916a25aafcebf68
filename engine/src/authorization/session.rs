//! What a session is given when it begins and keeps from then on: its name, its source identity.

use std::sync::Arc;

use super::edits::TAG_SCOPE;
use crate::residual::{Grammar, Variable, VariableKind};

/// What both are made of, but for the `+` that only a name may have.
const LETTERS: [(char, char); 6] =
    [(',', '.'), ('0', '9'), ('=', '='), ('@', 'Z'), ('_', '_'), ('a', 'z')];

/// The variable that stands for the source identity of sessions. A session passes its own on to those
/// that are begun from it, so it is one wherever it is set on a path.
///
/// Implements "Things to know about source identity" of
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html>
/// and `SourceIdentity` of <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>.
pub(super) fn source_identity() -> Variable {
    Variable {
        name: "source identity".into(),
        scope: format!("{TAG_SCOPE}sessions").into(),
        kind: VariableKind::Chosen,
        multivalued: false,
        grammar: Grammar { alphabet: Arc::new(LETTERS), length: (2, 64) },
    }
}

/// The variable that stands for the name of a role's sessions: whoever begins one chooses it, and it
/// is the same in the call that does and ever after. On a path all sessions of a role have one name.
///
/// - `role`: the role's ARN.
///
/// Implements `RoleSessionName` of
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>.
pub(super) fn session_name(role: &str) -> Variable {
    let mut alphabet = LETTERS.to_vec();
    alphabet.insert(0, ('+', '+'));
    Variable {
        name: "sts:RoleSessionName".into(),
        scope: format!("{TAG_SCOPE}a session of {role}").into(),
        kind: VariableKind::Chosen,
        multivalued: false,
        grammar: Grammar { alphabet: alphabet.into(), length: (2, 64) },
    }
}

/// What an external id is made of.
///
/// Implements `ExternalId` of
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>.
pub(super) fn external_id() -> Grammar {
    let alphabet = [('+', ':'), ('=', '='), ('@', 'Z'), ('_', '_'), ('a', 'z')];
    Grammar { alphabet: Arc::new(alphabet), length: (2, 1224) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_a_name_and_a_source_identity_of_few_letters() {
        let name = session_name("arn:aws:iam::111122223333:role/a").grammar;
        let identity = source_identity().grammar;
        for (text, as_name, as_identity) in [
            ("alice", true, true),
            ("alice@example.com", true, true),
            ("a+b", true, false),
            ("a", false, false),
            ("a b", false, false),
            ("aws:alice", false, false),
        ] {
            assert_eq!(
                (name.accepts(text), identity.accepts(text)),
                (as_name, as_identity),
                "{text}"
            );
        }
    }
}
