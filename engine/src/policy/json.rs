//! Reads JSON text once, without building a tree.
//!
//! Policies are read straight into their compiled form, and three things matter that a tree would
//! have lost: the place of an error, members that occur twice in one object, and how a number was
//! written. Nothing here recurses, so that no document is too deep.

use std::borrow::Cow;
use std::collections::HashSet;

use super::error::PolicyError;

/// What stands next in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `{`
    Object,
    /// `[`
    Array,
    /// `"`
    String,
    /// A digit or `-`.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `null`
    Null,
    /// The end of the text, or nothing that begins a value.
    Nothing,
}

/// A position in JSON text.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// At the beginning of `text`.
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// What the next value is, without reading it.
    pub(crate) fn kind(&mut self) -> Kind {
        match self.peek() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            Some(b't' | b'f') => Kind::Boolean,
            Some(b'n') => Kind::Null,
            _ => Kind::Nothing,
        }
    }

    /// Reads an object: `member` gets each name in turn and must read its value. A name that
    /// occurs twice is an error.
    pub(crate) fn object(
        &mut self,
        expected: &'static str,
        mut member: impl FnMut(&mut Self, &str) -> Result<(), PolicyError>,
    ) -> Result<(), PolicyError> {
        if !self.take(b'{') {
            return Err(self.unexpected(expected));
        }
        if self.take(b'}') {
            return Ok(());
        }
        let mut seen = Names::default();
        loop {
            let name = self.string("a member name")?;
            if !self.take(b':') {
                return Err(self.unexpected("`:`").inside(name));
            }
            if seen.contains(&name) {
                return Err(PolicyError::new("each member once", &name).inside(name));
            }
            member(self, &name).map_err(|error| error.inside(&name))?;
            seen.insert(name);
            if self.take(b'}') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(self.unexpected("`,` or `}`"));
            }
        }
    }

    /// Reads an array: `element` must read each value.
    pub(crate) fn array(
        &mut self,
        expected: &'static str,
        mut element: impl FnMut(&mut Self, usize) -> Result<(), PolicyError>,
    ) -> Result<(), PolicyError> {
        if !self.take(b'[') {
            return Err(self.unexpected(expected));
        }
        if self.take(b']') {
            return Ok(());
        }
        for index in 0.. {
            element(self, index).map_err(|error| error.inside(index))?;
            if self.take(b']') {
                break;
            }
            if !self.take(b',') {
                return Err(self.unexpected("`,` or `]`"));
            }
        }
        Ok(())
    }

    /// Reads one value or an array of them, as most elements of a policy may be written.
    pub(crate) fn one_or_many(
        &mut self,
        expected: &'static str,
        mut element: impl FnMut(&mut Self) -> Result<(), PolicyError>,
    ) -> Result<(), PolicyError> {
        if self.kind() == Kind::Array {
            self.array(expected, |reader, _| element(reader))
        } else {
            element(self)
        }
    }

    /// Reads a string.
    pub(crate) fn string(&mut self, expected: &'static str) -> Result<Cow<'a, str>, PolicyError> {
        if !self.take(b'"') {
            return Err(self.unexpected(expected));
        }
        let start = self.at;
        loop {
            match self.byte() {
                Some(b'"') => {
                    let plain = self.text.get(start..self.at).unwrap_or_default();
                    self.at += 1;
                    return Ok(Cow::Borrowed(plain));
                }
                Some(b'\\') => return self.escaped_string(start).map(Cow::Owned),
                Some(0..=0x1f) | None => return Err(self.unexpected("the rest of a string")),
                Some(_) => self.at += 1,
            }
        }
    }

    /// Goes on with a string that began at `start` from its first escape.
    fn escaped_string(&mut self, start: usize) -> Result<String, PolicyError> {
        let mut out = self.text.get(start..self.at).unwrap_or_default().to_owned();
        loop {
            let plain = self.at;
            while !matches!(self.byte(), Some(b'"' | b'\\' | 0..=0x1f) | None) {
                self.at += 1;
            }
            out.push_str(self.text.get(plain..self.at).unwrap_or_default());
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                _ => return Err(self.unexpected("the rest of a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, PolicyError> {
        let escaped = match self.byte() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape();
            }
            _ => return Err(self.unexpected("an escape")),
        };
        self.at += 1;
        Ok(escaped)
    }

    /// Reads the digits of `\uXXXX`, and the second half where that is the first of a pair.
    fn unicode_escape(&mut self) -> Result<char, PolicyError> {
        let first = self.four_digits()?;
        let code = if (0xd800..0xdc00).contains(&first) {
            if !(self.literal("\\u")) {
                return Err(self.unexpected("the second half of a surrogate pair"));
            }
            let second = self.four_digits()?;
            if !(0xdc00..0xe000).contains(&second) {
                return Err(self.unexpected("the second half of a surrogate pair"));
            }
            0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        } else {
            first
        };
        char::from_u32(code).ok_or_else(|| self.unexpected("a character"))
    }

    fn four_digits(&mut self) -> Result<u32, PolicyError> {
        let digits = self.text.get(self.at..self.at + 4).unwrap_or_default();
        if digits.len() == 4
            && digits.bytes().all(|b| b.is_ascii_hexdigit())
            && let Ok(code) = u32::from_str_radix(digits, 16)
        {
            self.at += 4;
            Ok(code)
        } else {
            Err(self.unexpected("four hexadecimal digits"))
        }
    }

    /// Reads a string, number or boolean as text, as condition values may be written.
    pub(crate) fn scalar(&mut self, expected: &'static str) -> Result<Cow<'a, str>, PolicyError> {
        match self.kind() {
            Kind::String => self.string(expected),
            Kind::Number => self.number().map(Cow::Borrowed),
            Kind::Boolean if self.literal("true") => Ok(Cow::Borrowed("true")),
            Kind::Boolean if self.literal("false") => Ok(Cow::Borrowed("false")),
            _ => Err(self.unexpected(expected)),
        }
    }

    /// Reads `true` or `false`.
    pub(crate) fn boolean(&mut self) -> Result<bool, PolicyError> {
        match self.kind() {
            Kind::Boolean if self.literal("true") => Ok(true),
            Kind::Boolean if self.literal("false") => Ok(false),
            _ => Err(self.unexpected("true or false")),
        }
    }

    /// Reads `null` if it is next.
    pub(crate) fn null(&mut self) -> bool {
        self.kind() == Kind::Null && self.literal("null")
    }

    fn number(&mut self) -> Result<&'a str, PolicyError> {
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        let leading_zero = self.byte() == Some(b'0');
        let whole = self.digits();
        let mut valid = whole > 0 && !(leading_zero && whole > 1);
        if self.byte() == Some(b'.') {
            self.at += 1;
            valid &= self.digits() > 0;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            valid &= self.digits() > 0;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        if valid { Ok(text) } else { Err(PolicyError::new("a number", text)) }
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    /// Reads any value and forgets it.
    pub(crate) fn skip(&mut self) -> Result<(), PolicyError> {
        // For each array or object around: whether it is an object.
        let mut open: Vec<bool> = Vec::new();
        loop {
            match self.kind() {
                Kind::Object => {
                    self.take(b'{');
                    if !self.take(b'}') {
                        open.push(true);
                        self.member_name()?;
                        continue;
                    }
                }
                Kind::Array => {
                    self.take(b'[');
                    if !self.take(b']') {
                        open.push(false);
                        continue;
                    }
                }
                Kind::Null if self.null() => {}
                _ => {
                    self.scalar("a value")?;
                }
            }
            // A value has ended: so may have what is around it.
            loop {
                let Some(&object) = open.last() else { return Ok(()) };
                if self.take(b',') {
                    if object {
                        self.member_name()?;
                    }
                    break;
                }
                if !self.take(if object { b'}' } else { b']' }) {
                    return Err(self.unexpected("`,` or the end of an array or object"));
                }
                open.pop();
            }
        }
    }

    fn member_name(&mut self) -> Result<(), PolicyError> {
        self.string("a member name")?;
        if self.take(b':') { Ok(()) } else { Err(self.unexpected("`:`")) }
    }

    /// Whether nothing but white space is left.
    pub(crate) fn finish(&mut self) -> Result<(), PolicyError> {
        if self.peek().is_none() { Ok(()) } else { Err(self.unexpected("the end of the document")) }
    }

    /// What to say when the next thing is not what belongs here.
    pub(crate) fn unexpected(&mut self, expected: &'static str) -> PolicyError {
        let found = match self.kind() {
            Kind::Object => "an object",
            Kind::Array => "an array",
            Kind::Null => "null",
            _ => {
                let rest = self.text.get(self.at..).unwrap_or_default();
                let rest = if rest.is_empty() { "the end of the text" } else { rest };
                return PolicyError::new(expected, rest);
            }
        };
        PolicyError::new(expected, found)
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.at += 1;
        }
        self.byte()
    }

    /// Reads this mark if it is next.
    fn take(&mut self, mark: u8) -> bool {
        let there = self.peek() == Some(mark);
        self.at += usize::from(there);
        there
    }

    /// Reads this text if it is next, white space not skipped.
    fn literal(&mut self, text: &str) -> bool {
        let there = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(text));
        if there {
            self.at += text.len();
        }
        there
    }
}

/// The member names of one object. Objects are small, so the first names are kept in a list.
#[derive(Default)]
struct Names<'a> {
    few: Vec<Cow<'a, str>>,
    many: HashSet<Cow<'a, str>>,
}

impl<'a> Names<'a> {
    const FEW: usize = 32;

    fn contains(&self, name: &str) -> bool {
        self.few.iter().any(|seen| seen == name) || self.many.contains(name)
    }

    fn insert(&mut self, name: Cow<'a, str>) {
        if self.few.len() < Self::FEW {
            self.few.push(name);
        } else {
            self.many.insert(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn skips(text: &str) -> bool {
        let mut reader = Reader::new(text);
        reader.skip().and_then(|()| reader.finish()).is_ok()
    }

    #[test]
    fn a_value_is_skipped_whole() {
        for (text, valid) in [
            (r#"{"a":[1,{"b":null}],"c":"x"}"#, true),
            ("[]", true),
            (" [ 1 , true , false , null , -0.5e+3 ] ", true),
            ("[1,]", false),
            ("{\"a\"}", false),
            ("{\"a\":1,}", false),
            ("01", false),
            ("tru", false),
            ("[", false),
            ("", false),
            ("1 2", false),
        ] {
            assert_eq!(skips(text), valid, "{text}");
        }
    }

    #[test]
    fn depth_is_no_danger() {
        assert!(skips(&("[".repeat(200_000) + &"]".repeat(200_000))));
    }

    #[test]
    fn a_member_that_occurs_twice_is_an_error() {
        let mut reader = Reader::new(r#"{"a": 1, "\u0061": 2}"#);
        let error = reader.object("an object", |reader, _| reader.skip()).unwrap_err();
        assert_eq!(error.pointer, "/a");
        let many: Vec<_> = (0..100).chain([77]).map(|n| format!("\"k{n}\":0")).collect();
        let text = format!("{{{}}}", many.join(","));
        let error = Reader::new(&text).object("an object", |reader, _| reader.skip()).unwrap_err();
        assert_eq!(error.pointer, "/k77");
    }

    proptest! {
        /// The slow, obvious twin: serde_json accepts the same strings and reads the same text.
        #[test]
        fn strings_are_read_as_serde_json_reads_them(
            text in r#""([a-z\u{e9}\u{1f600}]|\\["\\/bfnrtux]|\\u[0-9a-fd][0-9a-f89]{3}|[\t"]){0,6}""#
        ) {
            let ours = Reader::new(&text).string("a string").ok().map(Cow::into_owned);
            let mut theirs = serde_json::Deserializer::from_str(&text).into_iter::<String>();
            prop_assert_eq!(ours, theirs.next().and_then(Result::ok));
        }

        #[test]
        fn skipping_accepts_what_serde_json_accepts(text in r#"[\[\]{},:"a1\-.e0tn ]{0,10}"#) {
            prop_assert_eq!(skips(&text), serde_json::from_str::<serde_json::Value>(&text).is_ok());
        }
    }
}
