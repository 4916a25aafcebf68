//! The theory of patterns: the shortest text that matches some patterns and none of others.
//!
//! A state is the set of positions each pattern can be at, all patterns side by side. States are
//! visited breadth first, over only the characters that tell live positions apart and one that
//! stands for all others, so the first accepted text is the shortest and, among those, the first
//! in the order of [`rank`].

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::OnceLock;

use foldhash::HashMap;

use crate::pattern::{Pattern, Token};
use crate::residual::Grammar;

/// What a search ended with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// This text satisfies all that was asked.
    Found(String),
    /// No text does.
    Empty,
    /// Too many states.
    Exhausted,
}

/// The order in which characters are preferred: lower case, digits, punctuation that names use,
/// the rest of ASCII that can be seen, upper case, everything else. `x` comes first of all, since
/// it reads as "anything".
pub(super) fn rank(c: char) -> u32 {
    let code = u32::from(c);
    match c {
        'x' => 0,
        'a'..='z' => 1 + code - u32::from('a'),
        '0'..='9' => 40 + code - u32::from('0'),
        '-' => 60,
        '_' => 61,
        '.' => 62,
        '/' => 63,
        'A'..='Z' => 70 + code - u32::from('A'),
        '!'..='~' => 100 + code,
        ' ' => 300,
        _ if c.is_alphanumeric() => 1_000 + code,
        _ if c.is_control() => 4_000_000 + code,
        _ => 2_000_000 + code,
    }
}

/// Finds the first shortest text of `grammar` that matches all of `positive` and none of
/// `negative`, visiting at most `limit` states. Adds the states visited to `visited`.
pub(super) fn shortest(
    positive: &[&Pattern],
    negative: &[&Pattern],
    grammar: &Grammar,
    limit: usize,
    visited: &mut usize,
) -> Search {
    // Most patterns say how a text begins, and most that a grammar of several parts is held against
    // begin otherwise.
    let begins_otherwise = |pattern: &&Pattern| {
        !pattern.ignores_case() && !grammar.may_begin_with(&pattern.literal_prefix())
    };
    if !grammar.between.is_empty() && positive.iter().any(begins_otherwise) {
        return Search::Empty;
    }
    let mut search = Product::new(positive, negative, grammar);
    let found = search.run(limit);
    *visited += search.states.len();
    found
}

/// One pattern laid out in the bits of a state.
struct Track {
    tokens: Vec<Token>,
    ignore_case: bool,
    positive: bool,
    /// Index of the first word in a state, and number of words.
    words: (usize, usize),
    /// A position from which everything matches: just before a last `*`.
    universal: Option<usize>,
}

struct Visited {
    /// The state one character before, and that character.
    from: Option<(usize, char)>,
    depth: usize,
}

struct Product<'a> {
    tracks: Vec<Track>,
    grammar: &'a Grammar,
    shortest: usize,
    longest: usize,
    states: Vec<Visited>,
    bits: Vec<Rc<[u64]>>,
    seen: HashMap<(Rc<[u64]>, usize), usize>,
}

impl<'a> Product<'a> {
    fn new(positive: &[&'a Pattern], negative: &[&'a Pattern], grammar: &'a Grammar) -> Self {
        let mut tracks = Vec::with_capacity(positive.len() + negative.len());
        let mut at = 0;
        let parts = parts(grammar);
        let signed = positive
            .iter()
            .map(|p| (*p, true))
            .chain(negative.iter().map(|p| (*p, false)))
            .chain(parts.iter().map(|(p, positive)| (p, *positive)));
        for (pattern, positive) in signed {
            let tokens = pattern.tokens();
            let length = tokens.len();
            let words = length / 64 + 1;
            let universal =
                (tokens.last() == Some(&Token::AnyRun)).then(|| length.saturating_sub(1));
            let ignore_case = pattern.ignores_case();
            tracks.push(Track { tokens, ignore_case, positive, words: (at, words), universal });
            at += words;
        }
        Self {
            tracks,
            grammar,
            shortest: usize::from(grammar.length.0),
            longest: usize::from(grammar.length.1),
            states: Vec::new(),
            bits: Vec::new(),
            seen: HashMap::default(),
        }
    }

    fn width(&self) -> usize {
        self.tracks.last().map_or(0, |track| track.words.0 + track.words.1)
    }

    fn run(&mut self, limit: usize) -> Search {
        if self.shortest > self.longest {
            return Search::Empty;
        }
        // Memory is bounded too: wide states count for more.
        let limit = limit.saturating_mul(32) / self.width().max(32);
        let mut start = vec![0u64; self.width()];
        for track in &self.tracks {
            set(words_mut(&mut start, track), 0);
        }
        let Some(start) = self.settle(start) else { return Search::Empty };
        self.admit(start, None, 0);
        let mut next = 0;
        while next < self.states.len() {
            if self.states.len() > limit {
                return Search::Exhausted;
            }
            let Some(state) = self.bits.get(next).cloned() else { break };
            let depth = self.states.get(next).map_or(0, |visited| visited.depth);
            if depth >= self.shortest && self.accepts(&state) {
                return Search::Found(self.text(next));
            }
            if depth < self.longest {
                for c in self.characters(&state) {
                    if let Some(after) = self.step(&state, c) {
                        self.admit(after, Some((next, c)), depth + 1);
                    }
                }
            }
            next += 1;
        }
        Search::Empty
    }

    /// Records a state unless it was reached before; length counts up to the shortest allowed.
    fn admit(&mut self, state: Rc<[u64]>, from: Option<(usize, char)>, depth: usize) {
        let index = self.states.len();
        let key = (state, depth.min(self.shortest));
        if !self.seen.contains_key(&key) {
            self.bits.push(key.0.clone());
            self.seen.insert(key, index);
            self.states.push(Visited { from, depth });
        }
    }

    /// Follows runs without reading, drops positions that a later `*` covers, and gives up on a
    /// state that can never be accepted.
    fn settle(&self, mut state: Vec<u64>) -> Option<Rc<[u64]>> {
        for track in &self.tracks {
            let tokens = &track.tokens;
            let words = words_mut(&mut state, track);
            let mut run = None;
            for (at, token) in tokens.iter().enumerate() {
                if has(words, at) {
                    if matches!(token, Token::AnyRun | Token::AnyRunInSegment) {
                        set(words, at + 1);
                    }
                    if *token == Token::AnyRun {
                        run = Some(at);
                    }
                }
            }
            // Whatever an earlier position would accept, a `*` reached later accepts too.
            if let Some(run) = run {
                clear_below(words, run);
            }
            if track.positive {
                if words.iter().all(|word| *word == 0) {
                    return None;
                }
            } else if track.universal.is_some_and(|at| has(words, at)) {
                return None;
            }
        }
        Some(state.into())
    }

    fn step(&self, state: &[u64], c: char) -> Option<Rc<[u64]>> {
        let mut after = vec![0u64; state.len()];
        for track in &self.tracks {
            let tokens = &track.tokens;
            if track.ignore_case {
                // Lower case of one character can be several, which are read one after another.
                let mut current = words(state, track).to_vec();
                for folded in c.to_lowercase() {
                    let mut moved = vec![0u64; current.len()];
                    read(tokens, &current, folded, &mut moved);
                    for (at, token) in tokens.iter().enumerate() {
                        if has(&moved, at)
                            && matches!(token, Token::AnyRun | Token::AnyRunInSegment)
                        {
                            set(&mut moved, at + 1);
                        }
                    }
                    current = moved;
                }
                words_mut(&mut after, track).copy_from_slice(&current);
            } else {
                read(tokens, words(state, track), c, words_mut(&mut after, track));
            }
        }
        self.settle(after)
    }

    fn accepts(&self, state: &[u64]) -> bool {
        self.tracks
            .iter()
            .all(|track| has(words(state, track), track.tokens.len()) == track.positive)
    }

    /// The characters that tell the live positions apart, in order of preference.
    fn characters(&self, state: &[u64]) -> Vec<char> {
        let mut live: BTreeMap<u32, char> = BTreeMap::new();
        let mut folded: Vec<char> = Vec::new();
        for track in &self.tracks {
            for (at, token) in track.tokens.iter().enumerate() {
                if !has(words(state, track), at) {
                    continue;
                }
                match token {
                    Token::Literal(c) => {
                        live.insert(rank(*c), *c);
                        if track.ignore_case {
                            folded.push(*c);
                            for upper in uppercase_of(*c) {
                                live.insert(rank(*upper), *upper);
                            }
                        }
                    }
                    Token::AnyCharacterInSegment | Token::AnyRunInSegment => {
                        live.insert(rank(':'), ':');
                    }
                    Token::AnyCharacter | Token::AnyRun => {}
                }
            }
        }
        let is_other = |c: char| {
            !live.contains_key(&rank(c)) && !c.to_lowercase().any(|lower| folded.contains(&lower))
        };
        if let Some(other) = preferred(self.grammar).find(|c| is_other(*c)) {
            live.insert(rank(other), other);
        }
        live.retain(|_, c| self.grammar.allows(*c));
        live.into_values().collect()
    }

    fn text(&self, mut at: usize) -> String {
        let mut out: Vec<char> = Vec::new();
        while let Some((before, c)) = self.states.get(at).and_then(|visited| visited.from) {
            out.push(c);
            at = before;
        }
        out.iter().rev().collect()
    }
}

/// That a text has the parts of its grammar, as patterns that it matches (`true`) or not: all that
/// stands between them is there, and no more of the characters with which that begins.
fn parts(grammar: &Grammar) -> Vec<(Pattern, bool)> {
    if grammar.between.is_empty() {
        return Vec::new();
    }
    let part = [Token::AnyCharacter, Token::AnyRun];
    let mut tokens = part.to_vec();
    let mut separators: BTreeMap<char, usize> = BTreeMap::new();
    for between in &*grammar.between {
        tokens.extend(between.chars().map(Token::Literal));
        tokens.extend(part);
        for c in between.chars().filter(|c| !grammar.is_in_alphabet(*c)) {
            *separators.entry(c).or_default() += 1;
        }
    }
    let mut out = vec![(Pattern::new(tokens, false), true)];
    for (c, times) in separators {
        let mut more = vec![Token::AnyRun];
        more.extend((0..=times).flat_map(|_| [Token::Literal(c), Token::AnyRun]));
        out.push((Pattern::new(more, false), false));
    }
    out
}

/// The characters a grammar allows, preferred ones first. At the end of a long alphabet the order
/// is the code's; only a few characters beyond the live ones are ever read.
fn preferred(grammar: &Grammar) -> impl Iterator<Item = char> + '_ {
    const READABLE: &str = "xabcdefghijklmnopqrstuvwyz0123456789-_./ABCDEFGHIJKLMNOPQRSTUVWXYZ\
        !\"#$%&'()*+,:;<=>?@[\\]^`{|}~ ";
    let any = [('\u{a1}', '\u{ffff}'), ('\u{10000}', char::MAX), ('\0', '\u{a0}')];
    READABLE.chars().filter(|c| grammar.allows(*c)).chain(
        if grammar.alphabet.is_empty() { any.to_vec() } else { grammar.alphabet.to_vec() }
            .into_iter()
            .flat_map(|(low, high)| low..=high),
    )
}

/// The characters, other than itself, whose lower case begins with `c`.
fn uppercase_of(c: char) -> &'static [char] {
    static TABLE: OnceLock<HashMap<char, Vec<char>>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let mut table: HashMap<char, Vec<char>> = HashMap::default();
        for upper in '\0'..='\u{1ffff}' {
            if let Some(lower) = upper.to_lowercase().next()
                && lower != upper
            {
                table.entry(lower).or_default().push(upper);
            }
        }
        table
    });
    table.get(&c).map_or(&[], Vec::as_slice)
}

fn read(tokens: &[Token], from: &[u64], c: char, into: &mut [u64]) {
    for (at, token) in tokens.iter().enumerate() {
        if !has(from, at) {
            continue;
        }
        match token {
            Token::Literal(l) if *l == c => set(into, at + 1),
            Token::AnyCharacter => set(into, at + 1),
            Token::AnyCharacterInSegment if c != ':' => set(into, at + 1),
            Token::AnyRun => set(into, at),
            Token::AnyRunInSegment if c != ':' => set(into, at),
            _ => {}
        }
    }
}

fn words<'s>(state: &'s [u64], track: &Track) -> &'s [u64] {
    state.get(track.words.0..track.words.0 + track.words.1).unwrap_or_default()
}

fn words_mut<'s>(state: &'s mut [u64], track: &Track) -> &'s mut [u64] {
    state.get_mut(track.words.0..track.words.0 + track.words.1).unwrap_or_default()
}

fn has(words: &[u64], at: usize) -> bool {
    words.get(at / 64).is_some_and(|word| word & (1 << (at % 64)) != 0)
}

fn set(words: &mut [u64], at: usize) {
    if let Some(word) = words.get_mut(at / 64) {
        *word |= 1 << (at % 64);
    }
}

fn clear_below(words: &mut [u64], at: usize) {
    for (index, word) in words.iter_mut().enumerate() {
        let first = index * 64;
        if at >= first + 64 {
            *word = 0;
        } else if at > first {
            *word &= !((1u64 << (at - first)) - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn find(positive: &[Pattern], negative: &[Pattern], grammar: &Grammar) -> Search {
        let positive: Vec<_> = positive.iter().collect();
        let negative: Vec<_> = negative.iter().collect();
        shortest(&positive, &negative, grammar, 100_000, &mut 0)
    }

    fn check(positive: &[&str], negative: &[&str], expected: Option<&str>) {
        let glob =
            |texts: &[&str]| texts.iter().map(|t| Pattern::glob(t, false)).collect::<Vec<_>>();
        let expected = expected.map_or(Search::Empty, |text| Search::Found(text.to_owned()));
        assert_eq!(
            find(&glob(positive), &glob(negative), &Grammar::any()),
            expected,
            "{positive:?} without {negative:?}"
        );
    }

    #[test]
    fn the_shortest_text_is_found() {
        check(&["a*", "*b"], &[], Some("ab"));
        check(&["a*", "*b"], &["ab"], Some("axb"));
        check(&["prod-*"], &["prod-"], Some("prod-x"));
        check(&["a*"], &["*"], None);
        check(&["abc"], &["a?c"], None);
        check(&["?"], &["x", "a"], Some("b"));
        check(&["*é*", "??"], &[], Some("xé"));
        check(&["**"], &[""], Some("x"));
    }

    #[test]
    fn runs_in_a_segment_stop_at_a_colon() {
        let segment =
            Pattern::new([Token::Literal('a'), Token::AnyRunInSegment, Token::Literal('b')], false);
        let colon = Pattern::glob("*:*", false);
        assert_eq!(find(&[segment.clone(), colon], &[], &Grammar::any()), Search::Empty);
        let wide = Pattern::glob("a*b", false);
        assert_eq!(find(&[wide], &[segment], &Grammar::any()), Search::Found("a:b".to_owned()));
    }

    #[test]
    fn case_variants_are_told_apart() {
        let any = Pattern::literal("k", true);
        let not = [Pattern::literal("k", false), Pattern::literal("K", false)];
        // The Kelvin sign is the third character whose lower case is `k`.
        assert_eq!(find(&[any], &not, &Grammar::any()), Search::Found("\u{212a}".to_owned()));
    }

    #[test]
    fn a_grammar_bounds_length_and_characters() {
        let digits = Grammar::new(&[('0', '9')], (12, 12));
        let found = find(&[Pattern::glob("1*", false)], &[], &digits);
        assert_eq!(found, Search::Found("100000000000".to_owned()));
        assert_eq!(find(&[Pattern::glob("a*", false)], &[], &digits), Search::Empty);
        assert_eq!(find(&[Pattern::glob("?????????????*", false)], &[], &digits), Search::Empty);
    }

    #[test]
    fn parts_are_told_apart_by_what_stands_between_them() {
        let between = ["/source/".into(), ":".into()].into();
        let length = (12, 60);
        let grammar = Grammar { between, ..Grammar::new(&[('a', 'z')], length) };
        let check = |positive: &[&str], negative: &[&str], expected: Option<&str>| {
            let globs = |texts: &[&str]| -> Vec<Pattern> {
                texts.iter().map(|text| Pattern::glob(text, false)).collect()
            };
            let found = find(&globs(positive), &globs(negative), &grammar);
            if let Search::Found(text) = &found {
                assert!(grammar.accepts(text), "{text}");
            }
            let expected = expected.map_or(Search::Empty, |text| Search::Found(text.to_owned()));
            assert_eq!(found, expected, "{positive:?} but {negative:?}");
        };
        check(&[], &[], Some("x/source/x:x"));
        check(&["abc/*"], &[], Some("abc/source/x:x"));
        check(&["*:b", "a*"], &["a/*"], Some("ax/source/x:b"));
        check(&["a/*/c:*"], &[], Some("a/source/c:x"));
        check(&["a/b/*"], &[], None);
        check(&["*/source/*/*"], &[], None);
        check(&["a:*"], &[], None);
    }

    #[test]
    fn what_stands_between_parts_may_begin_like_a_part() {
        let between = ["-x/".into(), ":".into()].into();
        let grammar = Grammar { between, ..Grammar::new(&[('-', '-'), ('a', 'z')], (5, 60)) };
        let check = |pattern: &str, expected: Option<&str>| {
            let found = find(&[Pattern::glob(pattern, false)], &[], &grammar);
            if let Search::Found(text) = &found {
                assert!(grammar.accepts(text), "{text}");
            }
            let expected = expected.map_or(Search::Empty, |text| Search::Found(text.to_owned()));
            assert_eq!(found, expected, "{pattern}");
        };
        check("ab*/c:*", Some("ab-x/c:x"));
        check("ab-x/*", Some("ab-x/x:x"));
        check("ab-x*:d", Some("ab-x/x:d"));
        check("ab/*", None);
        check("-x/*", None);
        check("ab-x/c/*", None);
        check("b:*", None);
        assert!(!grammar.accepts("-x/c:d") && !grammar.accepts("a/c:d"));
    }

    #[test]
    fn long_patterns_span_several_words() {
        let long = "ab".repeat(100);
        let pattern = Pattern::glob(&format!("*{long}*"), false);
        assert_eq!(find(&[pattern], &[], &Grammar::any()), Search::Found(long));
    }

    fn token() -> impl Strategy<Value = Token> {
        prop_oneof![
            4 => prop::sample::select(vec!['a', 'b', ':', 'é']).prop_map(Token::Literal),
            1 => Just(Token::AnyCharacter),
            2 => Just(Token::AnyRun),
            1 => Just(Token::AnyRunInSegment),
            1 => Just(Token::AnyCharacterInSegment),
        ]
    }

    fn pattern() -> impl Strategy<Value = Pattern> {
        (prop::collection::vec(token(), 0..5), any::<bool>())
            .prop_map(|(tokens, fold)| Pattern::new(tokens, fold))
    }

    /// Every text over a few characters, shortest first and in order of preference.
    fn texts(longest: u32) -> Vec<String> {
        let mut characters = ['a', 'b', ':', 'é', 'A', 'B', 'É'];
        characters.sort_by_key(|c| rank(*c));
        let (mut out, mut layer) = (vec![String::new()], vec![String::new()]);
        for _ in 0..longest {
            layer = layer
                .iter()
                .flat_map(|text| characters.iter().map(move |c| format!("{text}{c}")))
                .collect();
            out.extend(layer.iter().cloned());
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn the_automaton_agrees_with_the_plain_matcher(
            positive in prop::collection::vec(pattern(), 0..3),
            negative in prop::collection::vec(pattern(), 0..3),
        ) {
            let alphabet = [(':', ':'), ('A', 'B'), ('a', 'b'), ('É', 'É'), ('é', 'é')];
            let grammar = Grammar::new(&alphabet, (0, 4));
            let fits = |text: &String| positive.iter().all(|p| p.matches(text))
                && !negative.iter().any(|p| p.matches(text));
            let expected = texts(4).into_iter().find(fits).map_or(Search::Empty, Search::Found);
            prop_assert_eq!(find(&positive, &negative, &grammar), expected);
        }
    }
}
