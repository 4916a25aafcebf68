//! Patterns with the two wildcards of IAM policies: `*` for any run of characters, `?` for one.
//!
//! A pattern is tokens, not text: a `*` that came out of the escape `${*}` is a literal star.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One element of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Token {
    /// This character. In a pattern that ignores case it is held in lower case.
    Literal(char),
    /// `?`: any one character.
    AnyCharacter,
    /// `*`: any run of characters, the empty one included, `:` and `/` included.
    AnyRun,
    /// `*` inside one of the first five segments of an ARN operator's value: stops at `:`.
    AnyRunInSegment,
    /// `?` inside one of the first five segments of an ARN operator's value: not `:`.
    AnyCharacterInSegment,
}

/// A pattern over text, as resources, actions and condition values use it.
///
/// Invariant: no two adjacent `AnyRun` tokens, and literals are lower case if `ignore_case`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "Spelled", from = "Spelled")]
pub struct Pattern {
    /// UTF-8, with bytes that it has not in the places of wildcards. Their order is that of tokens.
    bytes: Arc<[u8]>,
    ignore_case: bool,
}

const ANY_CHARACTER: u8 = 0xf8;
const ANY_RUN: u8 = 0xf9;
const ANY_RUN_IN_SEGMENT: u8 = 0xfa;
const ANY_CHARACTER_IN_SEGMENT: u8 = 0xfb;

/// A pattern as it is written to JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Spelled {
    tokens: Vec<Token>,
    ignore_case: bool,
}

impl From<Pattern> for Spelled {
    fn from(pattern: Pattern) -> Self {
        Self { tokens: pattern.tokens(), ignore_case: pattern.ignore_case }
    }
}

impl From<Spelled> for Pattern {
    fn from(spelled: Spelled) -> Self {
        Self::new(spelled.tokens, spelled.ignore_case)
    }
}

impl Pattern {
    /// A pattern of these tokens. Adjacent `*` are merged; literals are folded if `ignore_case`.
    pub fn new(tokens: impl IntoIterator<Item = Token>, ignore_case: bool) -> Self {
        let mut out: Vec<u8> = Vec::new();
        let literal = |c: char, out: &mut Vec<u8>| {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        };
        for token in tokens {
            match token {
                Token::AnyRun if out.last() == Some(&ANY_RUN) => {}
                Token::Literal(c) if ignore_case => {
                    c.to_lowercase().for_each(|c| literal(c, &mut out));
                }
                Token::Literal(c) => literal(c, &mut out),
                Token::AnyCharacter => out.push(ANY_CHARACTER),
                Token::AnyRun => out.push(ANY_RUN),
                Token::AnyRunInSegment => out.push(ANY_RUN_IN_SEGMENT),
                Token::AnyCharacterInSegment => out.push(ANY_CHARACTER_IN_SEGMENT),
            }
        }
        Self { bytes: out.into(), ignore_case }
    }

    /// Reads `*` and `?` as wildcards and everything else as itself.
    pub fn glob(text: &str, ignore_case: bool) -> Self {
        let tokens = text.chars().map(|c| match c {
            '*' => Token::AnyRun,
            '?' => Token::AnyCharacter,
            other => Token::Literal(other),
        });
        Self::new(tokens, ignore_case)
    }

    /// Matches exactly this text.
    pub fn literal(text: &str, ignore_case: bool) -> Self {
        Self::new(text.chars().map(Token::Literal), ignore_case)
    }

    /// The tokens, in order.
    pub fn tokens(&self) -> Vec<Token> {
        let mut out = Vec::with_capacity(self.bytes.len());
        for chunk in self.bytes.utf8_chunks() {
            out.extend(chunk.valid().chars().map(Token::Literal));
            out.extend(chunk.invalid().iter().filter_map(|byte| wildcard(*byte)));
        }
        out
    }

    /// Whether text is compared without regard to case.
    pub fn ignores_case(&self) -> bool {
        self.ignore_case
    }

    /// Whether every text matches.
    pub fn is_any(&self) -> bool {
        matches!(&*self.bytes, [ANY_RUN])
    }

    /// Whether a wildcard is limited to a segment of an ARN.
    pub fn is_per_segment(&self) -> bool {
        self.bytes.iter().any(|byte| matches!(*byte, ANY_RUN_IN_SEGMENT | ANY_CHARACTER_IN_SEGMENT))
    }

    /// Whether it has a `*` that crosses `:`.
    pub fn has_run(&self) -> bool {
        self.bytes.contains(&ANY_RUN)
    }

    /// The only text that matches, if there is just one (up to case).
    pub fn as_literal(&self) -> Option<String> {
        str::from_utf8(&self.bytes).ok().map(Into::into)
    }

    /// The literal text every match begins with (up to case).
    pub fn literal_prefix(&self) -> String {
        let first = self.bytes.utf8_chunks().next();
        first.map_or_else(String::new, |chunk| chunk.valid().into())
    }

    /// The literal text every match ends with (up to case).
    pub fn literal_suffix(&self) -> String {
        let last = self.bytes.utf8_chunks().last();
        let last = last.filter(|chunk| chunk.invalid().is_empty());
        last.map_or_else(String::new, |chunk| chunk.valid().into())
    }

    /// Whether `text` matches. Linear in text times pattern at worst, no recursion.
    pub fn matches(&self, text: &str) -> bool {
        match (text.is_ascii(), self.ignore_case) {
            (true, false) => match_ascii(&self.bytes, text.as_bytes()),
            (true, true) if text.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                match_ascii(&self.bytes, text.to_ascii_lowercase().as_bytes())
            }
            (true, true) => match_ascii(&self.bytes, text.as_bytes()),
            (false, _) => {
                let text: Vec<char> = fold(text, self.ignore_case).chars().collect();
                match_tokens(&self.tokens(), &text)
            }
        }
    }

    /// What is left to match after `prefix` has been consumed: the pattern matches `prefix + x`
    /// exactly if one of the returned patterns matches `x`. Empty if no `x` would do.
    pub fn after_prefix(&self, prefix: &str) -> Vec<Pattern> {
        let prefix = fold(prefix, self.ignore_case);
        let head = self.bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        // Most patterns and prefixes part before the first wildcard.
        if head.starts_with(&*prefix) {
            let left = self.bytes.get(prefix.len()..).unwrap_or_default();
            if left.first() != Some(&ANY_RUN_IN_SEGMENT) {
                return vec![self.with_bytes(left)];
            }
        }
        let Some(rest) = prefix.strip_prefix(head) else { return Vec::new() };
        let behind = self.with_bytes(self.bytes.get(head.len()..).unwrap_or_default());
        if behind.is_any() {
            return vec![behind];
        }
        behind.after_characters(rest)
    }

    /// As [`Self::after_prefix`], character by character.
    fn after_characters(&self, prefix: &str) -> Vec<Pattern> {
        let tokens = self.tokens();
        let mut states = closure(&tokens, [0]);
        for c in prefix.chars() {
            states = closure(&tokens, step(&tokens, &states, c));
        }
        // An `AnyRun` position and the one behind it are both live; the first subsumes the second.
        let mut rest: Vec<Pattern> = Vec::new();
        for &at in &states {
            let behind_run = at > 0
                && matches!(tokens.get(at - 1), Some(Token::AnyRun))
                && states.contains(&(at - 1));
            if !behind_run {
                let left = tokens.get(at..).unwrap_or_default();
                rest.push(Self::new(left.iter().copied(), self.ignore_case));
            }
        }
        if let Some(any) = rest.iter().find(|pattern| pattern.is_any()) {
            return vec![any.clone()];
        }
        rest.sort();
        rest.dedup();
        rest
    }

    /// The mirror image of [`Pattern::after_prefix`]: the pattern matches `x + suffix` exactly if
    /// one of the returned patterns matches `x`.
    pub fn before_suffix(&self, suffix: &str) -> Vec<Pattern> {
        let last = self.bytes.iter().rposition(|byte| wildcard(*byte).is_some());
        let tail = self.bytes.get(last.map_or(0, |at| at + 1)..).unwrap_or_default();
        let ending = fold(suffix, self.ignore_case);
        let ending = ending.as_bytes();
        if tail.ends_with(ending) {
            let left = self.bytes.get(..self.bytes.len() - ending.len()).unwrap_or_default();
            if left.last() != Some(&ANY_RUN_IN_SEGMENT) {
                return vec![self.with_bytes(left)];
            }
        } else if !ending.ends_with(tail) {
            return Vec::new();
        }
        let reversed = self.reversed();
        let suffix: String = suffix.chars().rev().collect();
        let mut rest: Vec<_> =
            reversed.after_prefix(&suffix).iter().map(Pattern::reversed).collect();
        rest.sort();
        rest.dedup();
        rest
    }

    /// A part of it, between characters.
    fn with_bytes(&self, bytes: &[u8]) -> Self {
        Self { bytes: bytes.into(), ignore_case: self.ignore_case }
    }

    fn reversed(&self) -> Self {
        Self::new(self.tokens().into_iter().rev(), self.ignore_case)
    }
}

/// The wildcard that a byte stands for.
fn wildcard(byte: u8) -> Option<Token> {
    match byte {
        ANY_CHARACTER => Some(Token::AnyCharacter),
        ANY_RUN => Some(Token::AnyRun),
        ANY_RUN_IN_SEGMENT => Some(Token::AnyRunInSegment),
        ANY_CHARACTER_IN_SEGMENT => Some(Token::AnyCharacterInSegment),
        _ => None,
    }
}

/// Shows the pattern in policy notation, with the escapes `${*}`, `${?}` and `${$}` where a
/// literal character would otherwise read as something else.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for token in self.tokens() {
            match token {
                Token::Literal('*') => f.write_str("${*}")?,
                Token::Literal('?') => f.write_str("${?}")?,
                Token::Literal('$') => f.write_str("${$}")?,
                Token::Literal(c) => write!(f, "{c}")?,
                Token::AnyCharacter | Token::AnyCharacterInSegment => f.write_str("?")?,
                Token::AnyRun | Token::AnyRunInSegment => f.write_str("*")?,
            }
        }
        Ok(())
    }
}

fn fold(text: &str, ignore_case: bool) -> Cow<'_, str> {
    match ignore_case {
        true => text.chars().flat_map(char::to_lowercase).collect(),
        false => text.into(),
    }
}

/// Whether one character takes the token at hand.
fn accepts(token: Token, c: char) -> bool {
    match token {
        Token::Literal(l) => l == c,
        Token::AnyCharacter | Token::AnyRun => true,
        Token::AnyCharacterInSegment | Token::AnyRunInSegment => c != ':',
    }
}

fn is_run(token: Token) -> bool {
    matches!(token, Token::AnyRun | Token::AnyRunInSegment)
}

/// The positions reachable from `from` without reading a character, sorted.
pub(crate) fn closure(tokens: &[Token], from: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let mut out: Vec<usize> = Vec::new();
    for mut at in from {
        loop {
            out.push(at);
            match tokens.get(at) {
                Some(token) if is_run(*token) => at += 1,
                _ => break,
            }
        }
    }
    out.sort_unstable();
    out.dedup();
    out
}

/// The positions after reading `c` in one of `states`, before closure.
pub(crate) fn step(tokens: &[Token], states: &[usize], c: char) -> Vec<usize> {
    let mut out = Vec::with_capacity(states.len());
    for &at in states {
        if let Some(&token) = tokens.get(at)
            && accepts(token, c)
        {
            out.push(if is_run(token) { at } else { at + 1 });
        }
    }
    out
}

/// Greedy matching with one backtrack point, which is enough for `*`; the in-segment run needs
/// the position-set walk.
fn match_tokens(tokens: &[Token], text: &[char]) -> bool {
    if tokens.contains(&Token::AnyRunInSegment) {
        return walk(tokens, text.iter().copied());
    }
    greedy(tokens.len(), text.len(), |t| tokens.get(t).copied(), |at| text.get(at).copied())
}

/// Compares what is before the first wildcard and behind the last one as it stands. Text in which
/// every byte is a character.
fn match_ascii(pattern: &[u8], text: &[u8]) -> bool {
    // No byte of text is as high.
    let is_wildcard = |byte: &u8| *byte >= ANY_CHARACTER;
    let Some(first) = pattern.iter().position(is_wildcard) else { return pattern == text };
    let (head, pattern) = pattern.split_at(first);
    let last = pattern.iter().rposition(is_wildcard).unwrap_or_default();
    let (pattern, tail) = pattern.split_at(last + 1);
    let text = text.strip_prefix(head).and_then(|text| text.strip_suffix(tail));
    let Some(text) = text else { return false };
    if pattern.iter().all(|byte| *byte == ANY_RUN || !is_wildcard(byte)) {
        return in_turn(pattern.split(|byte| *byte == ANY_RUN), text);
    }
    let token = |byte: u8| wildcard(byte).unwrap_or(Token::Literal(char::from(byte)));
    if pattern.contains(&ANY_RUN_IN_SEGMENT) {
        let tokens: Vec<Token> = pattern.iter().map(|byte| token(*byte)).collect();
        return walk(&tokens, text.iter().map(|&b| char::from(b)));
    }
    let token_at = |t: usize| pattern.get(t).map(|byte| token(*byte));
    greedy(pattern.len(), text.len(), token_at, |at| text.get(at).map(|&b| char::from(b)))
}

/// Whether the text has these pieces one after the other, with anything around them. The first place
/// of each leaves most for the next.
fn in_turn<'p>(pieces: impl Iterator<Item = &'p [u8]>, text: &[u8]) -> bool {
    let mut rest = text;
    for piece in pieces {
        let Some(behind) = behind_first(rest, piece) else { return false };
        rest = behind;
    }
    true
}

/// What is behind the first place of a piece.
fn behind_first<'t>(text: &'t [u8], piece: &[u8]) -> Option<&'t [u8]> {
    let Some(first) = piece.first() else { return Some(text) };
    let mut rest = text;
    loop {
        let at = rest.iter().position(|byte| byte == first)?;
        rest = rest.get(at..)?;
        if let Some(behind) = rest.strip_prefix(piece) {
            return Some(behind);
        }
        rest = rest.get(1..)?;
    }
}

/// Keeps every position that the text so far can have reached. Positions are found in ascending
/// order, so the last one tells whether a position is there already.
fn walk(tokens: &[Token], text: impl Iterator<Item = char>) -> bool {
    fn reach(tokens: &[Token], states: &mut Vec<usize>, mut at: usize) {
        loop {
            if states.last().is_none_or(|&last| last < at) {
                states.push(at);
            }
            match tokens.get(at) {
                Some(token) if is_run(*token) => at += 1,
                _ => return,
            }
        }
    }
    let (mut states, mut next) = (Vec::with_capacity(8), Vec::with_capacity(8));
    reach(tokens, &mut states, 0);
    for c in text {
        next.clear();
        for &at in &states {
            if let Some(&token) = tokens.get(at)
                && accepts(token, c)
            {
                reach(tokens, &mut next, if is_run(token) { at } else { at + 1 });
            }
        }
        std::mem::swap(&mut states, &mut next);
        if states.is_empty() {
            return false;
        }
    }
    states.last() == Some(&tokens.len())
}

fn greedy(
    tokens: usize,
    length: usize,
    token: impl Fn(usize) -> Option<Token>,
    at: impl Fn(usize) -> Option<char>,
) -> bool {
    let (mut t, mut i) = (0, 0);
    let mut backtrack: Option<(usize, usize)> = None;
    while i < length {
        match (token(t), at(i)) {
            (Some(Token::AnyRun), _) => {
                backtrack = Some((t, i));
                t += 1;
                continue;
            }
            (Some(token), Some(c)) if accepts(token, c) => {
                t += 1;
                i += 1;
                continue;
            }
            _ => {}
        }
        match backtrack {
            Some((run, from)) => {
                backtrack = Some((run, from + 1));
                t = run + 1;
                i = from + 1;
            }
            None => return false,
        }
    }
    (t..tokens).all(|t| token(t) == Some(Token::AnyRun))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(Pattern::glob(pattern, false).matches(text), expected, "{pattern} on {text}");
    }

    #[test]
    fn a_star_crosses_colons_and_slashes() {
        check("arn:*:role/a*", "arn:aws:iam::1:role/x:role/ab/c", true);
        check("a*b*c", "abbbc", true);
        check("a*b*c", "acb", false);
        check("*", "", true);
        check("?", "", false);
    }

    #[test]
    fn case_counts_unless_told() {
        check("Abc", "abc", false);
        assert!(Pattern::glob("IAM:Pass*", true).matches("iam:passROLE"));
    }

    #[test]
    fn a_run_in_a_segment_stops_at_a_colon() {
        let tokens = [Token::Literal('a'), Token::AnyRunInSegment, Token::Literal('b')];
        let pattern = Pattern::new(tokens, false);
        assert!(pattern.matches("axxb"));
        assert!(!pattern.matches("ax:b"));
    }

    /// The slow, obvious twin.
    fn naive(tokens: &[Token], text: &[char]) -> bool {
        match tokens.split_first() {
            None => text.is_empty(),
            Some((&run, rest)) if is_run(run) => (0..=text.len())
                .take_while(|&n| n == 0 || accepts(run, text[n - 1]))
                .any(|n| naive(rest, &text[n..])),
            Some((token, rest)) => {
                text.split_first().is_some_and(|(c, tail)| accepts(*token, *c) && naive(rest, tail))
            }
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_naive_matcher(p in "[ab*?]{0,8}", t in "[ab]{0,8}") {
            let pattern = Pattern::glob(&p, false);
            let text: Vec<char> = t.chars().collect();
            prop_assert_eq!(pattern.matches(&t), naive(&pattern.tokens(), &text));
        }

        #[test]
        fn matching_in_segments_agrees_with_the_naive_matcher(
            p in proptest::collection::vec(
                prop_oneof![
                    Just(Token::Literal('a')),
                    Just(Token::Literal(':')),
                    Just(Token::AnyCharacter),
                    Just(Token::AnyCharacterInSegment),
                    Just(Token::AnyRun),
                    Just(Token::AnyRunInSegment),
                ],
                0..8,
            ),
            t in "[ab:]{0,8}",
        ) {
            let pattern = Pattern::new(p, false);
            let text: Vec<char> = t.chars().collect();
            prop_assert_eq!(pattern.matches(&t), naive(&pattern.tokens(), &text));
        }

        #[test]
        fn matching_agrees_whatever_the_characters(
            p in "[aé€*?k\u{212a}]{0,8}",
            t in "[aAé€k]{0,6}",
            ignore_case: bool,
        ) {
            let pattern = Pattern::glob(&p, ignore_case);
            let text: Vec<char> = fold(&t, ignore_case).chars().collect();
            prop_assert_eq!(pattern.matches(&t), naive(&pattern.tokens(), &text));
        }

        #[test]
        fn patterns_are_in_the_order_of_their_tokens(p in "[a:é€*?]{0,5}", q in "[a:é€*?]{0,5}") {
            let (p, q) = (Pattern::glob(&p, false), Pattern::glob(&q, false));
            prop_assert_eq!(p.cmp(&q), p.tokens().cmp(&q.tokens()));
        }

        #[test]
        fn what_is_left_after_a_prefix_decides(
            p in proptest::collection::vec(
                prop_oneof![
                    4 => prop::sample::select(vec!['a', 'A', 'é', ':']).prop_map(Token::Literal),
                    1 => Just(Token::AnyCharacter),
                    1 => Just(Token::AnyCharacterInSegment),
                    1 => Just(Token::AnyRun),
                    1 => Just(Token::AnyRunInSegment),
                ],
                0..8,
            ),
            x in "[aAé:]{0,4}",
            y in "[aAé:]{0,4}",
            ignore_case: bool,
        ) {
            let pattern = Pattern::new(p, ignore_case);
            let whole = pattern.matches(&format!("{x}{y}"));
            prop_assert_eq!(pattern.after_prefix(&x).iter().any(|r| r.matches(&y)), whole);
            prop_assert_eq!(pattern.before_suffix(&y).iter().any(|r| r.matches(&x)), whole);
        }
    }
}
