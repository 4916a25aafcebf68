//! What a session is given when it begins and keeps from then on: its name, its source identity.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::edits::TAG_SCOPE;
use super::view::View;
use crate::pattern::Pattern;
use crate::policy::{Policy, Principal, Statement};
use crate::residual::{Atom, Grammar, Residual, Test, Variable, VariableKind};
use crate::snapshot::{ObjectId, World};

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
        grammar: Grammar::new(&LETTERS, (2, 64)),
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
        grammar: Grammar::new(&alphabet, (2, 64)),
    }
}

/// When a session of a role that a service begins is called like this, and has these keys: wherever
/// the path then acts as the role, it is that session.
///
/// - `name`: a pattern;
/// - `keys`: condition keys that come with its credentials, with their values.
///
/// Implements "Principal key values" of
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>.
pub fn session_begun<'k>(
    view: &View<'_, '_>,
    role: ObjectId,
    name: &str,
    keys: impl Iterator<Item = (&'k str, Pattern)>,
) -> Residual {
    let Some(role) = view.object(role) else { return Residual::True };
    let ground = view.ground;
    let mut out = Residual::True;
    if ground.asks_for_sessions {
        let test = Test::Like(Pattern::glob(name, false));
        out = Residual::atom(Atom::Passes(session_name(&role.arn), test));
    }
    for (key, value) in keys.filter(|(key, _)| ground.asked_of_sessions.contains(*key)) {
        let variable = key_of_session(&role.arn, key);
        let test = Test::Like(value);
        out = out
            .and(Residual::atom(Atom::Present(variable.clone())))
            .and(Residual::atom(Atom::Passes(variable, test)));
    }
    out
}

/// The variable that stands for a key, in lower case, of whichever session of a role a path is in.
fn key_of_session(role: &str, key: &str) -> Variable {
    Variable {
        name: format!("{key} of a session").into(),
        scope: format!("{TAG_SCOPE}a session of {role}").into(),
        kind: VariableKind::Chosen,
        multivalued: false,
        grammar: Grammar::any(),
    }
}

/// Adds to each assumption about a key that comes with a role's credentials that the session is one
/// with such a key: a path that has begun another session cannot assume it.
///
/// - `role`: the caller's ARN;
/// - `sign`: whether the formula has to hold, or not to hold;
/// - `of_roles`: whether a key is such a one.
pub fn of_one_session(
    formula: Residual,
    role: &str,
    sign: bool,
    of_roles: &impl Fn(&str) -> bool,
) -> Residual {
    let each = |members: &[Residual]| -> Vec<Residual> {
        let member = |member: &Residual| of_one_session(member.clone(), role, sign, of_roles);
        members.iter().map(member).collect()
    };
    match &formula {
        Residual::Atom(atom) => {
            let variable = atom.variable();
            let is_such = variable.kind == VariableKind::Environment
                && !variable.multivalued
                && of_roles(&variable.name);
            if !is_such {
                return formula;
            }
            let own = key_of_session(role, &variable.name.to_lowercase());
            let own = Residual::atom(match &**atom {
                Atom::Passes(_, test) => Atom::Passes(own, test.clone()),
                _ => Atom::Present(own),
            });
            if sign { formula.and(own) } else { formula.or(own) }
        }
        Residual::Not(inner) => {
            of_one_session(Residual::clone(inner), role, !sign, of_roles).negate()
        }
        Residual::All(members) => Residual::all(each(members)),
        Residual::Any(members) => Residual::any(each(members)),
        Residual::True | Residual::False | Residual::Unknown(_) => formula,
    }
}

/// The keys that policies ask for, in lower case, of those that are wanted.
pub(super) fn asked_keys(world: &World, wanted: impl Fn(&str) -> bool) -> BTreeSet<Arc<str>> {
    let policies = world.documents.iter().filter_map(|document| document.policy.as_ref().ok());
    let conditions = policies.flat_map(Policy::statements).flat_map(Statement::conditions);
    let keys = conditions.map(|condition| &condition.key_lowercase);
    keys.filter(|key| wanted(key)).map(|key| Arc::from(&**key)).collect()
}

/// Whether some policy asks what a session is called: by a key that holds its name, or by the ARN of
/// a session.
pub(super) fn asks_for_sessions(world: &World) -> bool {
    let asks = |statement: &Statement| {
        let named = statement.principals().map_or(&[][..], |element| &element.named);
        statement.asks_for(|key| matches!(key, "aws:userid" | "sts:rolesessionname"))
            || named.iter().any(|principal| matches!(principal, Principal::RoleSession(_)))
    };
    let policies = world.documents.iter().filter_map(|document| document.policy.as_ref().ok());
    policies.flat_map(Policy::statements).any(asks)
}

/// What an external id is made of.
///
/// Implements `ExternalId` of
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>.
pub(super) fn external_id() -> Grammar {
    let alphabet = [('+', ':'), ('=', '='), ('@', 'Z'), ('_', '_'), ('a', 'z')];
    Grammar::new(&alphabet, (2, 1224))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assumption_about_a_session_is_one_about_the_session_of_the_path() {
        let role = "arn:aws:iam::111122223333:role/a";
        let key = Variable {
            name: "ec2:SourceInstanceARN".into(),
            scope: "".into(),
            kind: VariableKind::Environment,
            multivalued: false,
            grammar: Grammar::any(),
        };
        let is = |variable: Variable| {
            Residual::atom(Atom::Passes(variable, Test::Like(Pattern::literal("x", false))))
        };
        let (asked, own) = (is(key.clone()), is(key_of_session(role, "ec2:sourceinstancearn")));
        let of = |formula: &Residual, sign| {
            of_one_session(formula.clone(), role, sign, &|key| key == "ec2:SourceInstanceARN")
        };
        assert_eq!(of(&asked, true), asked.clone().and(own.clone()));
        let neither = asked.clone().negate().and(own.negate());
        assert_eq!(of(&asked.clone().negate(), true), neither);
        assert_eq!(of(&asked, false).negate(), neither);
        assert_eq!(of_one_session(asked.clone(), role, true, &|_| false), asked);
    }

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
