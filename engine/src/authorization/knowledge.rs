//! What the caller sends and has to know: the external id that a role's trust policy expects.
//!
//! Whether one is sent, and which, is the caller's choice. A value that a policy asks for has to be
//! known; to send another one, or none, takes no knowledge.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html>.

use crate::residual::{Atom, Residual, Variable, VariableKind};

/// Adds to each test that an external id of the caller's choice has to pass that such a value is
/// known: a fact about the environment, under the key's name.
///
/// - `sign`: whether the formula has to hold, or not to hold.
pub fn with_knowledge(formula: Residual, sign: bool) -> Residual {
    let each = |members: Vec<Residual>| -> Vec<Residual> {
        members.into_iter().map(|member| with_knowledge(member, sign)).collect()
    };
    match formula {
        Residual::Atom(atom) if sign => match &*atom {
            Atom::Passes(variable, test) if has_to_be_known(variable) => {
                let known = Variable { kind: VariableKind::Environment, ..variable.clone() };
                let known = Residual::atom(Atom::Passes(known, test.clone()));
                Residual::Atom(atom).and(known)
            }
            _ => Residual::Atom(atom),
        },
        Residual::Not(inner) => with_knowledge(Residual::clone(&inner), !sign).negate(),
        Residual::All(members) => Residual::all(each(members.to_vec())),
        Residual::Any(members) => Residual::any(each(members.to_vec())),
        other => other,
    }
}

fn has_to_be_known(variable: &Variable) -> bool {
    variable.kind == VariableKind::Chosen && variable.name.eq_ignore_ascii_case("sts:ExternalId")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Pattern;
    use crate::residual::{Grammar, Test};

    fn external_id(kind: VariableKind) -> Variable {
        Variable {
            name: "sts:ExternalId".into(),
            scope: "".into(),
            kind,
            multivalued: false,
            grammar: Grammar::any(),
        }
    }

    fn is(kind: VariableKind) -> Residual {
        let test = Test::Like(Pattern::literal("a", false));
        Residual::atom(Atom::Passes(external_id(kind), test))
    }

    #[test]
    fn a_value_that_is_asked_for_has_to_be_known() {
        let chosen = is(VariableKind::Chosen);
        let known = chosen.clone().and(is(VariableKind::Environment));
        assert_eq!(with_knowledge(chosen.clone(), true), known);
        assert_eq!(with_knowledge(chosen.clone().negate(), true), chosen.clone().negate());
        assert_eq!(with_knowledge(chosen.clone(), false), chosen.clone());
        assert_eq!(with_knowledge(chosen.negate(), false), known.negate());
    }

    #[test]
    fn to_send_some_value_takes_no_knowledge() {
        let present = Residual::atom(Atom::Present(external_id(VariableKind::Chosen)));
        assert_eq!(with_knowledge(present.clone(), true), present);
    }
}
