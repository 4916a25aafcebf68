//! JSON pointers with `*`: the only language that resource tables need.
//!
//! A pointer says of which type everything on its way is. So whatever else stands there is noticed,
//! and never read as if nothing were there.

use std::borrow::Cow;

use serde_json::Value;

/// A value that a pointer selects.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Selected<'a> {
    /// The value.
    pub(super) value: &'a Value,
    /// The key under which the last `~*` found it, if there was one.
    pub(super) key: Option<&'a str>,
    /// Its place, with every `*` replaced.
    pub(super) at: String,
}

/// A place where the text is not as the pointer expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mismatch {
    /// The place.
    pub(super) at: String,
    /// What was expected and what was found.
    pub(super) problem: String,
    /// Whether the place is just not there.
    pub(super) missing: bool,
}

/// Every value of `root` that `pointer` selects, in order; `*` is every element of a list, `~*`
/// every member of an object.
///
/// A member that is missing or null selects nothing (`Ok`): that is how the AWS CLI prints what has
/// no value. With `strict`, where `*` or `~*` has to go on from it, it is a mismatch. Always
/// mismatches: anything but a list under `*`, or but an object under `~*` or a key; nothing at a key
/// that ends in `!`, which AWS always gives; and, unless `strict` leaves them to the caller, elements
/// that are null.
pub(super) fn select<'a>(
    root: &'a Value,
    pointer: &str,
    strict: bool,
) -> Result<Vec<Selected<'a>>, Mismatch> {
    let mut found = vec![Selected { value: root, key: None, at: String::new() }];
    if pointer.is_empty() {
        return Ok(found);
    }
    for part in pointer.split('/').skip(1) {
        let mut next = Vec::with_capacity(found.len());
        for Selected { value, key, at } in found {
            match (part, value) {
                ("*", Value::Array(list)) => {
                    for (index, value) in list.iter().enumerate() {
                        let at = format!("{at}/{index}");
                        if !strict && value.is_null() {
                            return Err(mismatch(at, "a value", value));
                        }
                        next.push(Selected { value, key, at });
                    }
                }
                ("~*", Value::Object(object)) => {
                    next.extend(object.iter().map(|(name, value)| Selected {
                        value,
                        key: Some(name.as_str()),
                        at: format!("{at}/{}", escape(name)),
                    }));
                }
                ("*" | "~*", Value::Null) if !strict => {}
                ("*", other) => return Err(mismatch(at, "a list", other)),
                (name, Value::Object(object)) if name != "~*" => {
                    let (name, always) = match name.strip_suffix('!') {
                        Some(name) => (unescape(name), true),
                        None => (unescape(name), false),
                    };
                    match object.get(&*name) {
                        None | Some(Value::Null) if always => {
                            let at = format!("{at}/{}", escape(&name));
                            return Err(nothing(at));
                        }
                        Some(value) => next.push(Selected {
                            value,
                            key,
                            at: format!("{at}/{}", escape(&name)),
                        }),
                        None if strict => {
                            return Err(Mismatch {
                                at: format!("{at}/{}", escape(&name)),
                                problem: "expected a list, found nothing".to_owned(),
                                missing: true,
                            });
                        }
                        None => {}
                    }
                }
                (_, Value::Null) if !strict => {}
                (_, other) => return Err(mismatch(at, "an object", other)),
            }
        }
        found = next;
    }
    Ok(found)
}

/// The texts that `pointer` selects, null as nothing. Anything else is a mismatch, unless the pointer
/// ends in the word ` number` or ` boolean`: then it is what AWS gives as one, written out. (A few
/// interfaces write these as texts.)
pub(super) fn texts(root: &Value, pointer: &str) -> Result<Vec<String>, Mismatch> {
    let (pointer, written) = pointer.split_once(' ').unwrap_or((pointer, ""));
    let mut out = Vec::new();
    for Selected { value, at, .. } in select(root, pointer, false)? {
        match (written, value) {
            (_, Value::Null) => {}
            ("", Value::String(text)) if text.is_empty() && pointer.ends_with('!') => {
                return Err(nothing(at));
            }
            ("", Value::String(text)) => out.push(text.clone()),
            ("number", Value::Number(number)) => out.push(number.to_string()),
            ("number", Value::String(text)) if text.parse::<f64>().is_ok() => {
                out.push(text.clone());
            }
            ("boolean", Value::Bool(truth)) => out.push(truth.to_string()),
            ("boolean", Value::String(text)) if text == "true" || text == "false" => {
                out.push(text.clone());
            }
            ("number", other) => return Err(mismatch(at, "a number", other)),
            ("boolean", other) => return Err(mismatch(at, "true or false", other)),
            (_, other) => return Err(mismatch(at, "a text", other)),
        }
    }
    Ok(out)
}

/// The mismatch of having found nothing where AWS always says something.
pub(super) fn nothing(at: String) -> Mismatch {
    Mismatch { at, problem: "expected a value, found none".to_owned(), missing: false }
}

/// The mismatch of having found `found` at `at`.
pub(super) fn mismatch(at: String, expected: &str, found: &Value) -> Mismatch {
    let found = match found {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("{:?}", text.chars().take(40).collect::<String>()),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    Mismatch { at, problem: format!("expected {expected}, found {found}"), missing: false }
}

fn escape(name: &str) -> Cow<'_, str> {
    match name.contains(['~', '/']) {
        true => name.replace('~', "~0").replace('/', "~1").into(),
        false => name.into(),
    }
}

pub(super) fn unescape(name: &str) -> Cow<'_, str> {
    match name.contains('~') {
        true => name.replace("~1", "/").replace("~0", "~").into(),
        false => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(root: &Value, pointer: &str, expected: &[&str]) {
        assert_eq!(texts(root, pointer).unwrap(), expected);
    }

    fn wrong(root: &Value, pointer: &str) -> String {
        let found = texts(root, pointer).unwrap_err();
        format!("{}: {}", found.at, found.problem)
    }

    #[test]
    fn a_star_goes_through_lists_and_a_star_with_a_tilde_through_objects() {
        let root = json!({"a": [{"b": ["x", "1"]}, {"b": ["y"]}, {}], "m": {"k/1": {"v": "y"}}});
        check(&root, "/a/*/b/*", &["x", "1", "y"]);
        check(&root, "/m/~*/v", &["y"]);
        check(&root, "/m/k~11/v", &["y"]);
        check(&root, "/none/*/b", &[]);
        check(&root, "/none/~*/b", &[]);
        let selected = select(&root, "/m/~*", true).unwrap();
        assert_eq!(selected[0].key, Some("k/1"));
        assert_eq!(selected[0].at, "/m/k~11");
    }

    #[test]
    fn a_value_of_the_wrong_type_is_a_mismatch() {
        let root = json!({"a": [{"b": {"c": 1}}], "d": "text", "e": {}, "f": [], "n": [null]});
        assert_eq!(wrong(&root, "/a/*/b"), "/a/0/b: expected a text, found an object");
        assert_eq!(wrong(&root, "/d/*"), "/d: expected a list, found \"text\"");
        assert_eq!(wrong(&root, "/d/x"), "/d: expected an object, found \"text\"");
        assert_eq!(wrong(&root, "/e/*"), "/e: expected a list, found an object");
        assert_eq!(wrong(&root, "/f/~*"), "/f: expected an object, found a list");
        assert_eq!(wrong(&root, "/f/x"), "/f: expected an object, found a list");
        assert_eq!(wrong(&root, "/n/*"), "/n/0: expected a value, found null");
    }

    #[test]
    fn only_texts_are_texts_unless_the_pointer_says_otherwise() {
        let root = json!({"n": 5, "b": true, "t": "x", "tn": "7", "tb": "false", "z": null});
        check(&root, "/n number", &["5"]);
        check(&root, "/tn number", &["7"]);
        check(&root, "/b boolean", &["true"]);
        check(&root, "/tb boolean", &["false"]);
        for pointer in ["/z", "/z number", "/z boolean", "/none boolean"] {
            check(&root, pointer, &[]);
        }
        assert_eq!(wrong(&root, "/n"), "/n: expected a text, found 5");
        assert_eq!(wrong(&root, "/b"), "/b: expected a text, found true");
        assert_eq!(wrong(&root, "/b number"), "/b: expected a number, found true");
        assert_eq!(wrong(&root, "/t number"), "/t: expected a number, found \"x\"");
        assert_eq!(wrong(&root, "/n boolean"), "/n: expected true or false, found 5");
        assert_eq!(wrong(&root, "/t boolean"), "/t: expected true or false, found \"x\"");
    }

    #[test]
    fn what_aws_always_gives_is_there_if_what_holds_it_is() {
        let root = json!({"a": {"b": "x", "e": ""}, "l": [{"b": "x"}, {}], "n": {"b": null}});
        check(&root, "/a/b!", &["x"]);
        check(&root, "/a!/b!", &["x"]);
        check(&root, "/none/b!", &[]);
        assert_eq!(wrong(&root, "/none!/b"), "/none: expected a value, found none");
        assert_eq!(wrong(&root, "/a/none!"), "/a/none: expected a value, found none");
        assert_eq!(wrong(&root, "/a/e!"), "/a/e: expected a value, found none");
        assert_eq!(wrong(&root, "/n/b!"), "/n/b: expected a value, found none");
        assert_eq!(wrong(&root, "/l/*/b!"), "/l/1/b: expected a value, found none");
        assert!(!select(&root, "/a/none!", true).unwrap_err().missing);
    }

    #[test]
    fn a_strict_pointer_must_be_there() {
        assert!(select(&json!({}), "/a/*", true).unwrap_err().missing);
        assert!(!select(&json!({"a": null}), "/a/*", true).unwrap_err().missing);
        assert_eq!(select(&json!({"a": []}), "/a/*", true).unwrap(), []);
        assert_eq!(select(&json!({"a": {}}), "/a/~*", true).unwrap(), []);
        assert_eq!(select(&json!({"a": [null]}), "/a/*", true).unwrap().len(), 1);
    }
}
