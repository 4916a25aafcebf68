//! Keys that move together: what one key of a request that was given says about another that was
//! not.
//!
//! Implements each key's "Availability" and "Value type" in
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>. The
//! keys of a VPC endpoint and the public address are kept apart by the table of keys.

use super::Input;
use crate::residual::{date_text, parse_date};

/// What follows for a key, in lower case, from others. `None`: nothing.
///
/// - `given`: the value of a key that the question or the call gives.
pub(super) fn companion(key: &str, given: impl Fn(&str) -> Option<Input>) -> Option<Input> {
    let one = |text: &str| Some(Input::One(text.into()));
    let milliseconds = |key: &str| match given(key)? {
        Input::One(text) => parse_date(&text),
        _ => None,
    };
    match key {
        "aws:epochtime" => {
            milliseconds("aws:currenttime").and_then(|time| one(&(time / 1000).to_string()))
        }
        "aws:currenttime" => milliseconds("aws:epochtime").and_then(|time| one(&date_text(time))),
        // The age is there exactly if there was an MFA sign-in.
        "aws:multifactorauthpresent" => match given("aws:multifactorauthage")? {
            Input::One(_) => one("true"),
            _ => None,
        },
        "aws:multifactorauthage" => match given("aws:multifactorauthpresent")? {
            Input::Absent => Some(Input::Absent),
            Input::One(text) if text.eq_ignore_ascii_case("false") => Some(Input::Absent),
            _ => None,
        },
        // A service calls on behalf of the caller exactly if the chain of services has one.
        "aws:viaawsservice" => match given("aws:calledvia")? {
            Input::One(_) => one("true"),
            Input::Many(chain) => one(if chain.is_empty() { "false" } else { "true" }),
            _ => None,
        },
        "aws:calledviafirst" | "aws:calledvialast" => match given("aws:calledvia")? {
            Input::One(only) => Some(Input::One(only)),
            Input::Many(chain) => {
                let end = if key.ends_with("first") { chain.first() } else { chain.last() };
                Some(end.map_or(Input::Absent, |service| Input::One(service.clone())))
            }
            _ => None,
        },
        // Tags are in a request together with the list of their keys.
        _ if key.starts_with("aws:requesttag/") => match given("aws:tagkeys")? {
            Input::Absent => Some(Input::Absent),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(given: (&str, Input), key: &str, expected: Option<&str>) {
        let found = companion(key, |asked| (asked == given.0).then(|| given.1.clone()));
        let text = found.map(|found| match found {
            Input::Absent => "absent".to_owned(),
            Input::One(text) => text.to_string(),
            other => panic!("{other:?}"),
        });
        assert_eq!(text.as_deref(), expected, "{given:?} {key}");
    }

    fn one(text: &str) -> Input {
        Input::One(text.into())
    }

    #[test]
    fn both_keys_of_the_clock_tell_one_time() {
        let (date, seconds) = ("2026-01-01T00:00:00Z", "1767225600");
        check(("aws:currenttime", one(date)), "aws:epochtime", Some(seconds));
        check(("aws:epochtime", one(seconds)), "aws:currenttime", Some(date));
        check(("aws:epochtime", one("soon")), "aws:currenttime", None);
    }

    #[test]
    fn an_age_means_that_there_was_mfa() {
        let (age, present) = ("aws:multifactorauthage", "aws:multifactorauthpresent");
        check((age, one("60")), present, Some("true"));
        check((present, one("false")), age, Some("absent"));
        check((present, Input::Absent), age, Some("absent"));
        check((present, one("true")), age, None);
    }

    #[test]
    fn without_a_list_of_keys_there_are_no_tags() {
        check(("aws:tagkeys", Input::Absent), "aws:requesttag/team", Some("absent"));
        check(("aws:tagkeys", Input::Many(vec!["team".into()])), "aws:requesttag/team", None);
    }

    #[test]
    fn a_chain_of_services_has_ends() {
        let chain = || Input::Many(vec!["a".into(), "b".into()]);
        check(("aws:calledvia", chain()), "aws:calledviafirst", Some("a"));
        check(("aws:calledvia", chain()), "aws:calledvialast", Some("b"));
        check(("aws:calledvia", chain()), "aws:viaawsservice", Some("true"));
        check(("aws:calledvia", Input::Many(Vec::new())), "aws:calledvialast", Some("absent"));
    }
}
