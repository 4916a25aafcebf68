//! Why a snapshot, or one file of it, cannot be used.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use escalade_models::ResourceTableError;

/// A place in a JSON text, as RFC 6901 writes it: `/RoleDetailList/3/Path`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JsonPointer(pub String);

impl fmt::Display for JsonPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys are the snapshot's text: control characters must not reach a terminal.
        if self.0.is_empty() { f.write_str("/") } else { write!(f, "{}", self.0.escape_debug()) }
    }
}

/// Why a snapshot file could not be used, and where in it to look.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file or folder could not be read.
    #[error("{file:?}: {source}")]
    Read {
        /// Which one.
        file: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// A value is not what this place in the response takes, or the text is no JSON.
    #[error("{file:?} at {at}: {problem}")]
    Unexpected {
        /// The file.
        file: PathBuf,
        /// Where in it.
        at: JsonPointer,
        /// What was expected and what was found.
        problem: String,
    },
    /// The folder or file is no snapshot.
    #[error("{path:?}: {problem}")]
    NotASnapshot {
        /// The folder or file.
        path: PathBuf,
        /// What it lacks.
        problem: &'static str,
    },
    /// The tables that come with the program cannot be read.
    #[error("resource tables: {0}")]
    Tables(#[from] ResourceTableError),
    /// The AWS-managed policies that come with the program cannot be read.
    #[error("AWS-managed policies: {0}")]
    ManagedPolicies(serde_json::Error),
}

impl SnapshotError {
    /// The error for `text`, the content of `file`, that serde_json refused.
    pub(super) fn json(file: &Path, text: &str, error: &serde_json::Error) -> Self {
        let message = error.to_string();
        // serde_json ends its messages with the line and column, which the pointer replaces for
        // values of the wrong type; for text that is no JSON both are given.
        let place = format!(" at line {} column {}", error.line(), error.column());
        let problem = match error.classify() {
            serde_json::error::Category::Data => {
                message.strip_suffix(&place).unwrap_or(&message).to_owned()
            }
            _ => message,
        };
        let at = JsonPointer(pointer_at(text, error.line(), error.column()));
        Self::Unexpected { file: file.to_owned(), at, problem }
    }
}

/// The pointer to the innermost value of `text` around the byte before the given place (line and
/// column count from one, in bytes, as serde_json does).
fn pointer_at(text: &str, line: usize, column: usize) -> String {
    let start: usize =
        text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let end = (start + column).saturating_sub(1).min(text.len());
    let bytes = text.as_bytes().get(..end).unwrap_or_default();

    enum Container {
        List(usize),
        Object(Option<String>),
    }
    let mut stack: Vec<Container> = Vec::new();
    let mut at = 0;
    let mut key_next = false;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' => {
                stack.push(Container::Object(None));
                key_next = true;
            }
            b'[' => {
                stack.push(Container::List(0));
                key_next = false;
            }
            b'}' | b']' => {
                stack.pop();
                key_next = false;
            }
            b',' => match stack.last_mut() {
                Some(Container::List(index)) => *index += 1,
                Some(Container::Object(key)) => {
                    *key = None;
                    key_next = true;
                }
                None => {}
            },
            b'"' => {
                let from = at + 1;
                at = from;
                while let Some(inside) = bytes.get(at) {
                    match inside {
                        b'\\' => at += 1,
                        b'"' => break,
                        _ => {}
                    }
                    at += 1;
                }
                if key_next && let Some(Container::Object(key)) = stack.last_mut() {
                    let raw = bytes.get(from..at.min(bytes.len())).unwrap_or_default();
                    *key = Some(String::from_utf8_lossy(raw).into_owned());
                    key_next = false;
                }
            }
            _ => {}
        }
        at += 1;
    }
    let mut out = String::new();
    for container in &stack {
        match container {
            Container::List(index) => out.push_str(&format!("/{index}")),
            Container::Object(Some(key)) => {
                out.push('/');
                out.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Container::Object(None) => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        #[derive(serde::Deserialize)]
        #[allow(dead_code, reason = "only its shape is used")]
        struct Shape {
            list: Vec<Item>,
        }
        #[derive(serde::Deserialize)]
        #[allow(dead_code, reason = "only its shape is used")]
        struct Item {
            #[serde(rename = "a/b")]
            name: String,
        }
        let error = serde_json::from_str::<Shape>(text).err().unwrap();
        let shown = SnapshotError::json(Path::new("f.json"), text, &error).to_string();
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_value_of_the_wrong_type_is_named_by_its_pointer() {
        check(
            "{\"list\": [{\"a/b\": \"x\"},\n {\"a/b\": 7}]}",
            "\"f.json\" at /list/1/a~1b: invalid type: integer `7`, expected a string",
        );
        check(
            r#"{"list": {"x": 1}}"#,
            "\"f.json\" at /list: invalid type: map, expected a sequence",
        );
        check(r#"{"list": [{}]}"#, "\"f.json\" at /list/0: missing field `a/b`");
    }

    #[test]
    fn truncated_text_is_named_by_where_it_ends() {
        check(
            r#"{"list": [{"a/b": "x"#,
            "\"f.json\" at /list/0/a~1b: EOF while parsing a string at line 1 column 20",
        );
    }

    #[test]
    fn control_characters_of_keys_are_escaped() {
        assert_eq!(JsonPointer("/a\u{1b}[31m".to_owned()).to_string(), "/a\\u{1b}[31m");
    }
}
