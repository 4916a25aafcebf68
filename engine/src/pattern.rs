//! Patterns with the two wildcards of IAM policies: `*` for any run of characters, `?` for one.
//!
//! A pattern is tokens, not text: a `*` that came out of the escape `${*}` is a literal star.

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
#[serde(rename_all = "kebab-case")]
pub struct Pattern {
    tokens: Arc<[Token]>,
    ignore_case: bool,
}

impl Pattern {
    /// A pattern of these tokens. Adjacent `*` are merged; literals are folded if `ignore_case`.
    pub fn new(tokens: impl IntoIterator<Item = Token>, ignore_case: bool) -> Self {
        let mut out: Vec<Token> = Vec::new();
        for token in tokens {
            match token {
                Token::AnyRun if out.last() == Some(&Token::AnyRun) => {}
                Token::Literal(c) if ignore_case => {
                    out.extend(c.to_lowercase().map(Token::Literal));
                }
                other => out.push(other),
            }
        }
        Self { tokens: out.into(), ignore_case }
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
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Whether text is compared without regard to case.
    pub fn ignores_case(&self) -> bool {
        self.ignore_case
    }

    /// Whether every text matches.
    pub fn is_any(&self) -> bool {
        matches!(&*self.tokens, [Token::AnyRun])
    }

    /// The only text that matches, if there is just one (up to case).
    pub fn as_literal(&self) -> Option<String> {
        self.tokens
            .iter()
            .map(|token| if let Token::Literal(c) = token { Some(*c) } else { None })
            .collect()
    }

    /// The literal text every match begins with (up to case).
    pub fn literal_prefix(&self) -> String {
        self.tokens
            .iter()
            .map_while(|token| if let Token::Literal(c) = token { Some(*c) } else { None })
            .collect()
    }

    /// Whether `text` matches. Linear in text times tokens at worst, no recursion.
    pub fn matches(&self, text: &str) -> bool {
        if self.ignore_case {
            let folded: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
            match_tokens(&self.tokens, &folded)
        } else if text.is_ascii() {
            match_ascii(&self.tokens, text.as_bytes())
        } else {
            let characters: Vec<char> = text.chars().collect();
            match_tokens(&self.tokens, &characters)
        }
    }

    /// What is left to match after `prefix` has been consumed: the pattern matches `prefix + x`
    /// exactly if one of the returned patterns matches `x`. Empty if no `x` would do.
    pub fn after_prefix(&self, prefix: &str) -> Vec<Pattern> {
        let mut states = closure(&self.tokens, [0]);
        for c in fold(prefix, self.ignore_case) {
            states = closure(&self.tokens, step(&self.tokens, &states, c));
        }
        // An `AnyRun` position and the one behind it are both live; the first subsumes the second.
        let mut rest: Vec<Pattern> = Vec::new();
        for &at in &states {
            let behind_run = at > 0
                && matches!(self.tokens.get(at - 1), Some(Token::AnyRun))
                && states.contains(&(at - 1));
            if !behind_run {
                rest.push(self.with_tokens(self.tokens.get(at..).unwrap_or_default()));
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
        let reversed = self.reversed();
        let suffix: String = suffix.chars().rev().collect();
        let mut rest: Vec<_> =
            reversed.after_prefix(&suffix).iter().map(Pattern::reversed).collect();
        rest.sort();
        rest.dedup();
        rest
    }

    fn reversed(&self) -> Self {
        self.with_tokens(&self.tokens.iter().rev().copied().collect::<Vec<_>>())
    }

    fn with_tokens(&self, tokens: &[Token]) -> Self {
        Self { tokens: tokens.into(), ignore_case: self.ignore_case }
    }
}

/// Shows the pattern in policy notation, with the escapes `${*}`, `${?}` and `${$}` where a
/// literal character would otherwise read as something else.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for token in self.tokens.iter() {
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

fn fold(text: &str, ignore_case: bool) -> Vec<char> {
    if ignore_case {
        text.chars().flat_map(char::to_lowercase).collect()
    } else {
        text.chars().collect()
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
    greedy(tokens, text.len(), |at| text.get(at).copied())
}

fn match_ascii(tokens: &[Token], text: &[u8]) -> bool {
    if tokens.contains(&Token::AnyRunInSegment) {
        return walk(tokens, text.iter().map(|&b| char::from(b)));
    }
    greedy(tokens, text.len(), |at| text.get(at).map(|&b| char::from(b)))
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

fn greedy(tokens: &[Token], length: usize, at: impl Fn(usize) -> Option<char>) -> bool {
    let (mut t, mut i) = (0, 0);
    let mut backtrack: Option<(usize, usize)> = None;
    while i < length {
        match (tokens.get(t), at(i)) {
            (Some(Token::AnyRun), _) => {
                backtrack = Some((t, i));
                t += 1;
                continue;
            }
            (Some(&token), Some(c)) if accepts(token, c) => {
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
    tokens.get(t..).is_some_and(|rest| rest.iter().all(|token| *token == Token::AnyRun))
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
            prop_assert_eq!(pattern.matches(&t), naive(pattern.tokens(), &text));
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
            prop_assert_eq!(pattern.matches(&t), naive(pattern.tokens(), &text));
        }

        #[test]
        fn what_is_left_after_a_prefix_decides(p in "[ab*?]{0,8}", x in "[ab]{0,4}", y in "[ab]{0,4}") {
            let pattern = Pattern::glob(&p, false);
            let whole = pattern.matches(&format!("{x}{y}"));
            prop_assert_eq!(pattern.after_prefix(&x).iter().any(|r| r.matches(&y)), whole);
            prop_assert_eq!(pattern.before_suffix(&y).iter().any(|r| r.matches(&x)), whole);
        }
    }
}
