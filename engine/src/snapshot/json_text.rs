//! Values of a JSON text, by pointer, with the lines that they stand on.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::value::RawValue;

use super::error::SnapshotError;
use super::pointer::unescape;

/// A JSON text. Values are given as the parts of the text that they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonText {
    text: String,
    /// Where each line starts.
    starts: Vec<usize>,
}

impl JsonText {
    /// A text as it is; whether it is JSON shows when something is looked up.
    pub fn new(mut text: String) -> Self {
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// The text of a file. Fails if it cannot be read.
    pub fn read(file: &Path) -> Result<Self, SnapshotError> {
        let failed = |source| SnapshotError::Read { file: file.to_owned(), source };
        Ok(Self::new(fs::read_to_string(file).map_err(failed)?))
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The value at a JSON pointer (RFC 6901). Nothing if there is none, or the text is no JSON.
    pub fn get(&self, pointer: &str) -> Option<&str> {
        let whole = serde_json::from_str::<&RawValue>(&self.text).ok()?.get();
        value_in(whole, pointer)
    }

    /// The first and the last line, from 1, of a part of this text; nothing if `part` is of
    /// another.
    pub fn lines(&self, part: &str) -> Option<(usize, usize)> {
        let start = (part.as_ptr() as usize).checked_sub(self.text.as_ptr() as usize)?;
        let end = start.checked_add(part.len().max(1))? - 1;
        (end < self.text.len().max(1)).then(|| (self.line(start), self.line(end)))
    }

    fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset)
    }
}

/// The value at a pointer within a value.
pub(super) fn value_in<'a>(value: &'a str, pointer: &str) -> Option<&'a str> {
    let mut value = value;
    for part in pointer.split('/').skip(1) {
        let found: &RawValue = if value.starts_with('[') {
            let list: Vec<&RawValue> = serde_json::from_str(value).ok()?;
            list.get(part.parse::<usize>().ok()?).copied()?
        } else {
            let object: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(value).ok()?;
            object.get(&*unescape(part)).copied()?
        };
        value = found.get();
    }
    Some(value)
}

/// The statements of a policy document, each with its pointer in it. None if it is no policy.
pub(super) fn statements(document: &str) -> Vec<(String, &str)> {
    let Some(statement) = value_in(document, "/Statement") else { return Vec::new() };
    if !statement.starts_with('[') {
        return vec![("/Statement".to_owned(), statement)];
    }
    let list: Vec<&RawValue> = serde_json::from_str(statement).unwrap_or_default();
    let numbered = list.into_iter().enumerate();
    numbered.map(|(at, one)| (format!("/Statement/{at}"), one.get())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "{\n  \"a\": [1,\n    {\"b/c\": \"x\"}],\n  \"d\": {\n  }\n}\n";

    fn check(pointer: &str, expected: Option<(&str, (usize, usize))>) {
        let text = JsonText::new(TEXT.to_owned());
        let found = text.get(pointer).map(|part| (part, text.lines(part).unwrap()));
        assert_eq!(found, expected, "{pointer}");
    }

    #[test]
    fn a_value_is_found_with_its_lines() {
        check("/a/0", Some(("1", (2, 2))));
        check("/a/1/b~1c", Some(("\"x\"", (3, 3))));
        check("/a", Some(("[1,\n    {\"b/c\": \"x\"}]", (2, 3))));
        check("/d", Some(("{\n  }", (4, 5))));
        check("", Some((TEXT.trim_end(), (1, 6))));
    }

    #[test]
    fn what_is_not_there_is_nothing() {
        for pointer in ["/x", "/a/2", "/a/b", "/a/1/b", "/a/0/0"] {
            check(pointer, None);
        }
        assert_eq!(JsonText::new("{".to_owned()).get("/a"), None);
        assert_eq!(JsonText::new(String::new()).get(""), None);
    }

    #[test]
    fn a_part_of_another_text_has_no_lines() {
        let text = JsonText::new("[1]".to_owned());
        assert_eq!(text.lines(&String::from("[1]")), None);
    }

    #[test]
    fn one_statement_needs_no_list() {
        assert_eq!(
            statements(r#"{"Statement": {"Sid": "a"}}"#),
            [("/Statement".to_owned(), r#"{"Sid": "a"}"#)]
        );
        assert_eq!(statements(r#"{"Statement": [1, 2]}"#).last().unwrap().0, "/Statement/1");
        assert_eq!(statements("[]"), []);
    }
}
