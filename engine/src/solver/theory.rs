//! Texts for sets of literals: which patterns a value must match, which not. Readable candidates
//! are tried before the automaton; the answer depends on the set alone.

use std::sync::Arc;

use foldhash::HashMap;

use super::automaton::{self, Search};
use super::domain;
use super::keys::{self, ValueType};
use super::problem::{Cell, Problem, Values};
use crate::pattern::{Pattern, Token};
use crate::residual::{Grammar, Variable};

/// States tried before candidates for large problems.
const FIRST_ATTEMPT: usize = 2_000;
/// Names that read well, for values that little is asked of.
pub(super) const READABLE: [&str; 4] = ["escalade", "Escalade", "ESCALADE", "111122223333"];

/// Which of a cell's patterns its value must match, by index, and which not.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Literals(pub(super) Vec<(usize, bool)>);

/// Answers questions about texts, and remembers the answers while one problem is solved.
pub(super) struct Theory<'p> {
    problem: &'p Problem,
    limit: usize,
    /// States the automaton visited so far, and how many it may in all.
    pub(super) states: usize,
    budget: usize,
    known: HashMap<(usize, Literals), Search>,
}

impl<'p> Theory<'p> {
    pub(super) fn new(problem: &'p Problem, limit: usize) -> Self {
        let budget = limit.saturating_mul(4);
        Self { problem, limit, states: 0, budget, known: HashMap::default() }
    }

    /// The canonical text for these literals.
    pub(super) fn text(&mut self, cell: &Cell, literals: &Literals) -> Search {
        let Some(variable) = self.problem.variable(cell) else { return Search::Exhausted };
        let Values::Text { patterns, .. } = &cell.values else { return Search::Exhausted };
        let key = (cell.members.first().copied().unwrap_or_default(), literals.clone());
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let side = |wanted: bool| -> Vec<&Pattern> {
            let literals = literals.0.iter().filter(|(_, sign)| *sign == wanted);
            literals.filter_map(|(index, _)| patterns.get(*index)).collect()
        };
        let limit = self.limit.min(self.budget.saturating_sub(self.states));
        let found = find(variable, &side(true), &side(false), limit, &mut self.states);
        self.known.insert(key, found.clone());
        found
    }

    /// A subset of literals that no text satisfies, from which none can be dropped as far as the
    /// automaton can tell.
    pub(super) fn conflict(&mut self, cell: &Cell, literals: &Literals) -> Literals {
        let mut kept = literals.0.clone();
        let mut size = kept.len().div_ceil(2).max(1);
        loop {
            let mut at = 0;
            while at < kept.len() {
                let end = (at + size).min(kept.len());
                let mut fewer = kept.clone();
                fewer.drain(at..end);
                let fewer = Literals(fewer);
                if self.text(cell, &fewer) == Search::Empty {
                    kept = fewer.0;
                } else {
                    at = end;
                }
            }
            if size == 1 {
                return Literals(kept);
            }
            size = size.div_ceil(2);
        }
    }
}

/// Finds the canonical text of `variable`'s grammar: a readable one if it fits, else the shortest.
fn find(
    variable: &Variable,
    positive: &[&Pattern],
    negative: &[&Pattern],
    limit: usize,
    states: &mut usize,
) -> Search {
    let grammar = &variable.grammar;
    let fits = |text: &str| {
        grammar.accepts(text)
            && positive.iter().all(|pattern| pattern.matches(text))
            && !negative.iter().any(|pattern| pattern.matches(text))
    };
    // Only one text can match a literal, unless case does not matter.
    let mut exact = positive.iter().filter(|pattern| !pattern.ignores_case());
    if let Some(literal) = exact.find_map(|pattern| pattern.as_literal()) {
        return if fits(&literal) { Search::Found(literal) } else { Search::Empty };
    }
    if let Some(text) = readable(variable, positive, negative).into_iter().find(|text| fits(text)) {
        return Search::Found(text);
    }
    // The first shortest one of several parts, where nothing speaks against it, needs no search.
    if let Some(text) = of_parts(grammar).filter(|text| positive.is_empty() && fits(text)) {
        return Search::Found(text);
    }
    let first = limit.min(FIRST_ATTEMPT);
    let found = automaton::shortest(positive, negative, grammar, first, states);
    if found != Search::Exhausted {
        return found;
    }
    if let Some(text) = assembled(positive, grammar).into_iter().find(|text| fits(text)) {
        return Search::Found(text);
    }
    if limit > first {
        return automaton::shortest(positive, negative, grammar, limit, states);
    }
    Search::Exhausted
}

/// The shortest text of several parts, if there are several.
fn of_parts(grammar: &Grammar) -> Option<String> {
    let part = 'x';
    let are_several = !grammar.between.is_empty() && grammar.is_in_alphabet(part);
    are_several.then(|| with_parts(grammar, part.into(), part))
}

/// A text that begins with this part, where each further one is a single character.
pub(super) fn with_parts(grammar: &Grammar, first: String, part: char) -> String {
    let mut out = first;
    for between in &*grammar.between {
        out.push_str(between);
        out.push(part);
    }
    out
}

/// Candidates that a person would write.
fn readable(variable: &Variable, positive: &[&Pattern], negative: &[&Pattern]) -> Vec<String> {
    let key = keys::lower_case(variable);
    let mut out: Vec<String> = Vec::new();
    match keys::value_type(&key) {
        ValueType::Other => {}
        // Only patterns are asked of it, but it is still an address or a date.
        ValueType::Address => {
            out.extend(positive.iter().flat_map(|pattern| domain::completed(pattern)));
            out.extend(["203.0.113.1", "198.51.100.1"].map(str::to_owned));
        }
        _ => {
            out.extend(positive.iter().flat_map(|pattern| domain::completed(pattern)));
            out.push("2026-01-01T00:00:00Z".to_owned());
        }
    }
    // Compared as a Boolean: the other truth value reads best.
    out.extend(negative.iter().filter_map(|pattern| as_truth(pattern)).map(|t| (!t).to_string()));
    out.extend(READABLE.map(str::to_owned));
    // A new resource's name is the attacker's: `prod-*` becomes `prod-escalade`.
    if key.starts_with('$') {
        for pattern in positive {
            for filling in ["escalade", ""] {
                out.extend(filled(pattern, &[filling]));
            }
        }
    }
    // The subject of a token: of a repository where the pattern is about one.
    if key.ends_with(":sub") {
        for pattern in positive {
            let fillings = SUBJECTS.iter().filter_map(|filling| filled(pattern, filling));
            out.extend(fillings.filter(|text| text.starts_with("repo:") && is_of_branch(text)));
            out.extend(filled(pattern, &["escalade"]).filter(|text| !text.starts_with("repo:")));
        }
    }
    out
}

/// What wildcards in patterns of subjects stand for, in order.
const SUBJECTS: [&[&str]; 6] = [
    &["escalade/escalade:ref:refs/heads/main"],
    &["escalade:ref:refs/heads/main"],
    &["ref:refs/heads/main"],
    &["main"],
    &["escalade", "ref:refs/heads/main"],
    &["escalade", "main"],
];

/// Whether text is a subject of a workflow on a branch or in an environment of a repository,
/// `repo:OWNER/NAME:ref:refs/heads/BRANCH`.
fn is_of_branch(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(3, ':').collect();
    let [_, repository, context] = *parts.as_slice() else { return false };
    let Some((owner, name)) = repository.split_once('/') else { return false };
    let contexts = ["ref:refs/heads/", "ref:refs/tags/", "environment:"];
    let known = |start: &&str| {
        context.strip_prefix(*start).is_some_and(|rest| !rest.is_empty() && !rest.contains(':'))
    };
    !owner.is_empty()
        && !name.is_empty()
        && !name.contains('/')
        && (context == "pull_request" || contexts.iter().any(known))
}

/// The truth value that a pattern stands for, as the `Bool` operator compares it.
pub(super) fn as_truth(pattern: &Pattern) -> Option<bool> {
    pattern.as_literal().filter(|_| pattern.ignores_case())?.parse().ok()
}

/// The pattern's text with its runs of any characters replaced by `fillings` in order, others empty.
fn filled(pattern: &Pattern, fillings: &[&str]) -> Option<String> {
    let mut out = String::new();
    let mut left = fillings.iter();
    let mut open = true;
    for token in pattern.tokens() {
        match token {
            Token::Literal(c) => out.push(c),
            Token::AnyCharacter | Token::AnyCharacterInSegment => out.push('x'),
            Token::AnyRun | Token::AnyRunInSegment => {
                out.push_str(left.next().copied().unwrap_or_default());
                open = false;
            }
        }
    }
    (!open).then_some(out)
}

/// Candidates for many patterns at once: the longest beginning, every middle, the longest end.
fn assembled(positive: &[&Pattern], grammar: &Grammar) -> Vec<String> {
    let plain = |tokens: &[Token]| -> String {
        tokens
            .iter()
            .filter_map(|token| match token {
                Token::Literal(c) => Some(*c),
                Token::AnyCharacter | Token::AnyCharacterInSegment => {
                    Some(if grammar.allows('x') { 'x' } else { '0' })
                }
                Token::AnyRun | Token::AnyRunInSegment => None,
            })
            .collect()
    };
    let is_run = |token: &Token| matches!(token, Token::AnyRun | Token::AnyRunInSegment);
    let (mut start, mut end) = (String::new(), String::new());
    let mut middles: Vec<Vec<String>> = Vec::new();
    for pattern in positive {
        let mut parts: Vec<String> = pattern.tokens().split(is_run).map(plain).collect();
        if parts.len() < 2 {
            continue;
        }
        let first = parts.remove(0);
        let last = parts.pop().unwrap_or_default();
        if first.len() > start.len() {
            start = first;
        }
        if last.len() > end.len() {
            end = last;
        }
        middles.push(parts);
    }
    let forward: String = middles.iter().flatten().map(String::as_str).collect();
    let backward: String = middles.iter().rev().flatten().map(String::as_str).collect();
    // Patterns that share their pieces in order are served by each distinct piece once.
    let mut shared: Vec<&str> = Vec::new();
    for piece in middles.iter().flatten() {
        if !shared.contains(&piece.as_str()) {
            shared.push(piece);
        }
    }
    [forward, backward, shared.concat()]
        .into_iter()
        .flat_map(|middle| ["", "x", "-"].map(|gap| format!("{start}{gap}{middle}{gap}{end}")))
        .collect()
}

/// A total assignment with the text of every cell that holds a value.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) values: Vec<bool>,
}

/// The literals of a cell that a partial assignment decides.
pub(super) fn literals(
    patterns: &Arc<[Pattern]>,
    first: usize,
    value: &impl Fn(usize) -> Option<bool>,
) -> Literals {
    let decided = (0..patterns.len()).filter_map(|index| Some((index, value(first + index)?)));
    Literals(decided.collect())
}
