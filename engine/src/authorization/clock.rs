//! The clock: no call is made before the snapshot was taken, so what was over by then is over.

use crate::residual::{Atom, Comparison, Residual, Test};

/// The longest a session can last, in milliseconds: 36 hours, of `GetSessionToken`. Its token was
/// issued no earlier than that before the call.
///
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html>
const LONGEST_SESSION: i64 = 36 * 60 * 60 * 1000;

/// Folds what is known of the time of a call: it is not before `not_before`, in milliseconds since
/// 1970, and its session's token is at most as old as a session can be.
pub fn fold_time(residual: Residual, not_before: Option<i64>) -> Residual {
    let Some(not_before) = not_before else { return residual };
    if !matches!(
        residual,
        Residual::Atom(_) | Residual::Not(_) | Residual::All(_) | Residual::Any(_)
    ) {
        return residual;
    }
    residual.substitute(&|atom| {
        let Atom::Passes(variable, test) = atom else { return None };
        let name = &*variable.name;
        let earliest = if name.eq_ignore_ascii_case("aws:CurrentTime")
            || name.eq_ignore_ascii_case("aws:EpochTime")
        {
            not_before
        } else if name.eq_ignore_ascii_case("aws:TokenIssueTime") {
            not_before.saturating_sub(LONGEST_SESSION)
        } else {
            return None;
        };
        let holds = match test {
            Test::Date(comparison, bound) => beyond(*comparison, &earliest, bound),
            // Seconds since 1970, in billionths.
            Test::Number(comparison, bound) => {
                beyond(*comparison, &(i128::from(earliest) * 1_000_000), bound)
            }
            Test::Like(_) | Test::Address(_) => None,
        };
        holds.map(Residual::constant)
    })
}

/// Whether every value from `earliest` on compares so, or none does.
fn beyond<T: Ord>(comparison: Comparison, earliest: &T, bound: &T) -> Option<bool> {
    match comparison {
        Comparison::Equal | Comparison::LessOrEqual if bound < earliest => Some(false),
        Comparison::Less if bound <= earliest => Some(false),
        Comparison::Greater if bound < earliest => Some(true),
        Comparison::GreaterOrEqual if bound <= earliest => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::residual::{Grammar, Variable, VariableKind};

    fn check(name: &str, comparison: Comparison, bound: i64, expected: Option<bool>) {
        let variable = Variable {
            name: name.into(),
            scope: "".into(),
            kind: VariableKind::Environment,
            multivalued: false,
            grammar: Grammar::any(),
        };
        let atom = Residual::atom(Atom::Passes(variable, Test::Date(comparison, bound)));
        let folded = fold_time(atom.clone(), Some(1_000_000_000_000));
        assert_eq!(
            folded,
            expected.map_or(atom, Residual::constant),
            "{name} {comparison:?} {bound}"
        );
    }

    #[test]
    fn what_was_over_when_the_snapshot_was_taken_is_over() {
        check("aws:CurrentTime", Comparison::Less, 999_999_999_999, Some(false));
        check("aws:CurrentTime", Comparison::Less, 1_000_000_000_001, None);
        check("aws:CurrentTime", Comparison::Greater, 999_999_999_999, Some(true));
        check("aws:CurrentTime", Comparison::Greater, 1_000_000_000_000, None);
    }

    #[test]
    fn a_token_can_be_as_old_as_a_session() {
        check("aws:TokenIssueTime", Comparison::Less, 999_999_999_999, None);
        check("aws:TokenIssueTime", Comparison::Less, 900_000_000_000, Some(false));
        check("aws:MultiFactorAuthAge", Comparison::Less, 0, None);
    }
}
