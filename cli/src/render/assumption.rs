//! Assumptions as plain sentences.

use escalade_engine::answer::Assumption;

use super::visible;

/// What must be true, as a sentence without full stop.
pub(crate) fn sentence(assumption: &Assumption) -> String {
    match assumption {
        Assumption::Context { key, operator, values, step } => {
            let mut sentence = context(key, operator, values);
            if let Some(step) = step {
                sentence.push_str(&format!(", in step {step}"));
            }
            sentence
        }
        Assumption::Knowledge { key, values } if values.is_empty() => {
            format!("the attacker knows the value of {}", visible(key))
        }
        Assumption::Knowledge { key, values } => {
            format!("the attacker knows {}: {}", visible(key), any_of(values))
        }
        Assumption::Event { text } => visible(text).into_owned(),
    }
}

fn context(key: &str, operator: &str, values: &[impl AsRef<str>]) -> String {
    let (set, operator) = match operator.split_once(':') {
        Some((set, operator)) => (Some(set), operator),
        None => (None, operator),
    };
    let (operator, or_absent) = match operator.strip_suffix("IfExists") {
        Some(operator) => (operator, true),
        None => (operator, false),
    };
    let key_text = visible(key);
    let subject = match set {
        Some("ForAnyValue") => format!("some value of {key_text}"),
        Some("ForAllValues") => format!("every value of {key_text}"),
        Some(set) => format!("{} of {key_text}", visible(set)),
        None => match subject(key) {
            Some(words) => format!("{words} ({key_text})"),
            None => key_text.into_owned(),
        },
    };
    let value = match values {
        [value] => Some(value.as_ref()),
        _ => None,
    };
    let is_mfa = key.eq_ignore_ascii_case("aws:MultiFactorAuthPresent");
    let mut sentence = match (operator, value) {
        ("Bool", Some("true")) if is_mfa => format!("the caller signed in with MFA ({key})"),
        ("Bool", Some("false")) if is_mfa => {
            format!("the caller signed in without MFA ({key} is false)")
        }
        ("Null", Some("true")) => format!("{subject} is absent from the request"),
        ("Null", Some("false")) => format!("{subject} is in the request"),
        _ => match relation(operator) {
            Some(relation) => format!("{subject} {relation} {}", any_of(values)),
            None => format!("{subject} satisfies {} {}", visible(operator), any_of(values)),
        },
    };
    if or_absent {
        sentence.push_str(", or is absent");
    }
    sentence
}

/// Words for the environment keys of
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>.
fn subject(key: &str) -> Option<&'static str> {
    Some(match key.to_ascii_lowercase().as_str() {
        "aws:currenttime" | "aws:epochtime" => "the time of the call",
        "aws:multifactorauthage" => "the age of the MFA sign-in in seconds",
        "aws:referer" => "the referring page",
        "aws:requestedregion" => "the Region of the call",
        "aws:sourceip" => "the attacker's address",
        "aws:sourcevpc" => "the VPC the call comes from",
        "aws:sourcevpce" => "the VPC endpoint the call comes through",
        "aws:tokenissuetime" => "the time the session was issued",
        "aws:useragent" => "the user agent",
        "aws:vpcsourceip" => "the attacker's address in the VPC",
        _ => return None,
    })
}

/// IAM's condition operators as verbs, see
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>.
fn relation(operator: &str) -> Option<&'static str> {
    Some(match operator {
        "StringEquals" | "NumericEquals" | "DateEquals" | "Bool" | "BinaryEquals" => "is",
        "StringEqualsIgnoreCase" => "is, in whatever case,",
        "StringNotEquals" | "NumericNotEquals" | "DateNotEquals" => "is not",
        "StringNotEqualsIgnoreCase" => "is not, in whatever case,",
        "StringLike" | "ArnLike" | "ArnEquals" => "matches",
        "StringNotLike" | "ArnNotLike" | "ArnNotEquals" => "does not match",
        "NumericLessThan" => "is less than",
        "NumericLessThanEquals" => "is at most",
        "NumericGreaterThan" => "is greater than",
        "NumericGreaterThanEquals" => "is at least",
        "DateLessThan" => "is before",
        "DateLessThanEquals" => "is not after",
        "DateGreaterThan" => "is after",
        "DateGreaterThanEquals" => "is not before",
        "IpAddress" => "is in",
        "NotIpAddress" => "is not in",
        _ => return None,
    })
}

/// `a`, `a or b`, `a, b or c`.
fn any_of(values: &[impl AsRef<str>]) -> String {
    let values: Vec<_> = values.iter().map(|value| quoted(value.as_ref())).collect();
    match values.split_last() {
        None => "no value".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// Values that could be mistaken for the sentence around them are quoted.
fn quoted(value: &str) -> String {
    if value.is_empty() || value.contains([' ', ',', '"']) {
        format!("{value:?}")
    } else {
        visible(value).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: &str, operator: &str, values: &[&str], expected: &str) {
        let values = values.iter().map(|&value| value.into()).collect();
        let (key, operator) = (key.into(), operator.into());
        let assumption = Assumption::Context { key, operator, values, step: None };
        assert_eq!(sentence(&assumption), expected);
    }

    #[test]
    fn well_known_keys_read_as_prose() {
        check(
            "aws:MultiFactorAuthPresent",
            "Bool",
            &["true"],
            "the caller signed in with MFA (aws:MultiFactorAuthPresent)",
        );
        check(
            "aws:SourceIp",
            "IpAddress",
            &["10.0.0.0/8", "192.0.2.0/24"],
            "the attacker's address (aws:SourceIp) is in 10.0.0.0/8 or 192.0.2.0/24",
        );
        check(
            "aws:CurrentTime",
            "DateLessThan",
            &["2030-01-01T00:00:00Z"],
            "the time of the call (aws:CurrentTime) is before 2030-01-01T00:00:00Z",
        );
    }

    #[test]
    fn other_keys_are_named() {
        check("aws:Foo", "StringEquals", &["a b"], "aws:Foo is \"a b\"");
        check(
            "aws:Foo",
            "StringNotLikeIfExists",
            &["a*"],
            "aws:Foo does not match a*, or is absent",
        );
        check("aws:Foo", "Null", &["true"], "aws:Foo is absent from the request");
        check("aws:TagKeys", "ForAnyValue:StringEquals", &["x"], "some value of aws:TagKeys is x");
    }

    #[test]
    fn an_operator_without_words_is_named() {
        check("aws:Foo", "Quux", &["\u{202e}"], r"aws:Foo satisfies Quux \u{202e}");
    }

    #[test]
    fn knowledge_and_events_have_words() {
        let knowledge =
            Assumption::Knowledge { key: "sts:ExternalId".into(), values: vec!["42".into()] };
        assert_eq!(sentence(&knowledge), "the attacker knows sts:ExternalId: 42");
        let event = Assumption::Event { text: "somebody invokes function f".into() };
        assert_eq!(sentence(&event), "somebody invokes function f");
    }
}
