//! JSON pointers with `*`: the only language that resource tables need.

use serde_json::Value;

/// A value that a pointer selects.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Selected<'a> {
    /// The value.
    pub(super) value: &'a Value,
    /// The key under which the last `*` found it, if it went through an object.
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

/// Every value of `root` that `pointer` selects, in order; `*` is every element of a list or every
/// member of an object. A member that is missing or null selects nothing (`Ok`), unless `*` has to
/// go through it and `strict` is set; anything but a list or an object under `*`, or but an object
/// under a key, is a mismatch.
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
                    next.extend(list.iter().enumerate().map(|(index, value)| Selected {
                        value,
                        key,
                        at: format!("{at}/{index}"),
                    }));
                }
                ("*", Value::Object(object)) => {
                    next.extend(object.iter().map(|(name, value)| Selected {
                        value,
                        key: Some(name.as_str()),
                        at: format!("{at}/{}", escape(name)),
                    }));
                }
                ("*", other) => {
                    if strict || !other.is_null() {
                        return Err(mismatch(at, "a list", other));
                    }
                }
                (name, Value::Object(object)) => {
                    let name = unescape(name);
                    match object.get(&name) {
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

/// The texts that `pointer` selects: texts as they are, numbers and truth values written out, null
/// as nothing.
pub(super) fn texts(root: &Value, pointer: &str) -> Result<Vec<String>, Mismatch> {
    let mut out = Vec::new();
    for Selected { value, at, .. } in select(root, pointer, false)? {
        match value {
            Value::String(text) => out.push(text.clone()),
            Value::Number(number) => out.push(number.to_string()),
            Value::Bool(truth) => out.push(truth.to_string()),
            Value::Null => {}
            other => return Err(mismatch(at, "a text", other)),
        }
    }
    Ok(out)
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

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

pub(super) fn unescape(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(root: &Value, pointer: &str, expected: &[&str]) {
        assert_eq!(texts(root, pointer).unwrap(), expected);
    }

    #[test]
    fn a_star_goes_through_lists_and_objects() {
        let root =
            json!({"a": [{"b": ["x", 1]}, {"b": [true, null]}, {}], "m": {"k/1": {"v": "y"}}});
        check(&root, "/a/*/b/*", &["x", "1", "true"]);
        check(&root, "/m/*/v", &["y"]);
        check(&root, "/m/k~11/v", &["y"]);
        check(&root, "/none/*/b", &[]);
        let selected = select(&root, "/m/*", true).unwrap();
        assert_eq!(selected[0].key, Some("k/1"));
        assert_eq!(selected[0].at, "/m/k~11");
    }

    #[test]
    fn a_value_of_the_wrong_type_is_a_mismatch() {
        let root = json!({"a": [{"b": {"c": 1}}], "d": "text"});
        let wrong = |pointer| {
            let found = texts(&root, pointer).unwrap_err();
            format!("{}: {}", found.at, found.problem)
        };
        assert_eq!(wrong("/a/*/b"), "/a/0/b: expected a text, found an object");
        assert_eq!(wrong("/d/*"), "/d: expected a list, found \"text\"");
        assert_eq!(wrong("/d/x"), "/d: expected an object, found \"text\"");
    }

    #[test]
    fn a_strict_pointer_must_be_there() {
        assert!(select(&json!({}), "/a/*", true).unwrap_err().missing);
        assert!(!select(&json!({"a": null}), "/a/*", true).unwrap_err().missing);
        assert_eq!(select(&json!({"a": []}), "/a/*", true).unwrap(), []);
    }
}
