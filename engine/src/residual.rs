//! What is left of an authorization after everything known is folded in: a Boolean formula over
//! the inputs that are not known. With everything known it is `True` or `False`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::pattern::Pattern;

/// Who decides the value of an input that the evaluator does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VariableKind {
    /// The attacker picks it: a new resource's name, a request parameter.
    Chosen,
    /// Neither attacker nor snapshot decides: the source address, MFA, the time. Reported as an
    /// assumption.
    Environment,
}

/// An input of a request whose value is not known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Variable {
    /// The condition key as AWS writes it (`aws:SourceIp`), or the technique's name for a new
    /// resource (`$function`).
    pub name: Arc<str>,
    /// Tells apart variables of one name that need not be equal: the principal whose session it
    /// is (MFA), or the step (chosen names). Empty for what the whole path shares.
    pub scope: Arc<str>,
    /// Who decides its value.
    pub kind: VariableKind,
    /// Whether it holds a set of values.
    pub multivalued: bool,
    /// The texts AWS would accept as its value.
    pub grammar: Grammar,
}

/// The texts that can be a variable's value: characters and length, and where it is several names
/// in one what stands between them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Grammar {
    /// Characters allowed, as inclusive ranges in order. Empty: any character.
    pub alphabet: Arc<[(char, char)]>,
    /// Shortest and longest text, in characters.
    pub length: (u16, u16),
    /// What stands between its parts, of which each has at least one character of the alphabet. Each
    /// of these has a character that is not of the alphabet.
    #[serde(default, skip_serializing_if = "<[Arc<str>]>::is_empty")]
    pub between: Arc<[Arc<str>]>,
}

impl Grammar {
    /// Any text of up to 1,024 characters.
    pub fn any() -> Self {
        Self::new(&[], (0, 1024))
    }

    /// Text of one part.
    pub fn new(alphabet: &[(char, char)], length: (u16, u16)) -> Self {
        Self { alphabet: alphabet.into(), length, between: Arc::new([]) }
    }

    /// Whether `c` may occur.
    pub fn allows(&self, c: char) -> bool {
        self.is_in_alphabet(c) || self.between.iter().any(|text| text.contains(c))
    }

    /// Whether `c` may occur in a part.
    pub fn is_in_alphabet(&self, c: char) -> bool {
        self.alphabet.is_empty() || self.alphabet.iter().any(|&(low, high)| low <= c && c <= high)
    }

    /// Whether `text` is of this grammar.
    pub fn accepts(&self, text: &str) -> bool {
        let length = text.chars().count();
        usize::from(self.length.0) <= length
            && length <= usize::from(self.length.1)
            && self.has_its_parts(text)
    }

    /// Whether a text of this grammar may begin so.
    pub fn may_begin_with(&self, start: &str) -> bool {
        let separator = |text: &str| text.find(|c| !self.is_in_alphabet(c));
        let mut rest = start;
        for between in &*self.between {
            let Some(at) = separator(rest) else { return true };
            let Some(end) = at.checked_sub(separator(between).unwrap_or_default()) else {
                return false;
            };
            let Some(tail) = rest.get(end..).filter(|_| end > 0) else { return false };
            match tail.strip_prefix(&**between) {
                Some(after) => rest = after,
                None => return between.starts_with(tail),
            }
        }
        rest.chars().all(|c| self.is_in_alphabet(c))
    }

    fn has_its_parts(&self, text: &str) -> bool {
        let mut rest = text;
        for between in &*self.between {
            // What stands between two parts may begin like the first of them ends.
            let separator = |text: &str| text.find(|c| !self.is_in_alphabet(c));
            let (at, begins) = (separator(rest), separator(between).unwrap_or_default());
            let end = at.and_then(|at| at.checked_sub(begins));
            let after = end.and_then(|end| rest.get(end..)?.strip_prefix(&**between));
            match (end, after) {
                (Some(end), Some(after)) if end > 0 => rest = after,
                _ => return false,
            }
        }
        (self.between.is_empty() || !rest.is_empty())
            && rest.chars().all(|c| self.is_in_alphabet(c))
    }
}

/// How a number or a date is compared: the request's value stands on the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Comparison {
    /// `value == bound`
    Equal,
    /// `value < bound`
    Less,
    /// `value <= bound`
    LessOrEqual,
    /// `value > bound`
    Greater,
    /// `value >= bound`
    GreaterOrEqual,
}

impl Comparison {
    /// Whether `value` stands in this relation to `bound`.
    pub fn holds<T: Ord>(self, value: &T, bound: &T) -> bool {
        match self {
            Self::Equal => value == bound,
            Self::Less => value < bound,
            Self::LessOrEqual => value <= bound,
            Self::Greater => value > bound,
            Self::GreaterOrEqual => value >= bound,
        }
    }
}

/// A question about one value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Test {
    /// The text matches.
    Like(Pattern),
    /// The number compares so. Decimal numbers are held in billionths, so that order is exact.
    Number(Comparison, i128),
    /// The time compares so, in milliseconds since 1970.
    Date(Comparison, i64),
    /// The address lies in the range.
    Address(IpNet),
}

impl Test {
    /// Whether the value `text` passes. Text that is no number, date or address passes none of
    /// the tests for these.
    pub fn holds(&self, text: &str) -> bool {
        match self {
            Self::Like(pattern) => pattern.matches(text),
            Self::Number(comparison, bound) => {
                parse_number(text).is_some_and(|value| comparison.holds(&value, bound))
            }
            Self::Date(comparison, bound) => {
                parse_date(text).is_some_and(|value| comparison.holds(&value, bound))
            }
            Self::Address(range) => {
                text.parse().is_ok_and(|address: std::net::IpAddr| range.contains(&address))
            }
        }
    }

    /// What the value is compared with, as a policy would have it.
    pub fn operand(&self) -> String {
        match self {
            Self::Like(pattern) => pattern.to_string(),
            Self::Number(_, bound) => number_text(*bound),
            Self::Date(_, bound) => date_text(*bound),
            Self::Address(range) => range.to_string(),
        }
    }
}

/// Reads a decimal number as billionths. `None` if it is none, or out of range.
pub fn parse_number(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if (whole.is_empty() && fraction.is_empty())
        || whole.len() > 20
        || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let kept: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let value = whole * 1_000_000_000 + kept.parse::<i128>().ok()?;
    Some(if negative { -value } else { value })
}

/// Reads a date as AWS accepts it, ISO 8601 or seconds since 1970, as milliseconds since 1970.
pub fn parse_date(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<i64>() {
        // Four digits are a year: "2026" is the W3C form of 2026-01-01.
        if text.len() != 4 {
            return seconds.checked_mul(1000);
        }
    }
    let completed = match text.len() {
        4 => format!("{text}-01-01T00:00:00Z"),
        7 => format!("{text}-01T00:00:00Z"),
        10 => format!("{text}T00:00:00Z"),
        _ => text.to_owned(),
    };
    let normal = if completed.len() > 10
        && !completed.ends_with('Z')
        && !completed.get(10..).is_some_and(|time| time.contains(['+', '-']))
    {
        format!("{completed}Z")
    } else {
        completed
    };
    normal.parse::<jiff::Timestamp>().ok().map(|timestamp| timestamp.as_millisecond())
}

/// A number of billionths as `parse_number` reads it.
pub(crate) fn number_text(value: i128) -> String {
    let (sign, size) =
        if value < 0 { ("-", value.unsigned_abs()) } else { ("", value.unsigned_abs()) };
    let unit = 1_000_000_000;
    let (whole, fraction) = (size / unit, size % unit);
    if fraction == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{}", format!("{fraction:09}").trim_end_matches('0'))
    }
}

/// A time in milliseconds as a date; seconds since 1970 where the calendar does not reach.
pub(crate) fn date_text(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds)
        .map_or_else(|_| (milliseconds / 1000).to_string(), |timestamp| timestamp.to_string())
}

/// A question about one variable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Atom {
    /// The key is in the request.
    Present(Variable),
    /// The value passes. Only meaningful where the variable is present: the evaluator guards it.
    Passes(Variable, Test),
    /// Some value of a multivalued variable passes one of the tests, or (`negated`) passes none of
    /// them. False when there is no value.
    Some {
        /// The multivalued variable.
        variable: Variable,
        /// The tests, in order.
        tests: Vec<Test>,
        /// Whether the value must pass none instead of one.
        negated: bool,
    },
}

impl Atom {
    /// The variable it asks about.
    pub fn variable(&self) -> &Variable {
        match self {
            Self::Present(variable) | Self::Passes(variable, _) | Self::Some { variable, .. } => {
                variable
            }
        }
    }
}

/// Why a part of a decision is not known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Gap(pub Arc<str>);

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A Boolean formula over atoms and gaps.
///
/// Invariant (kept by the constructors): `All` and `Any` have at least two members, no member is
/// a constant or of the same connective, and members are sorted without repetition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Residual {
    /// Does not hold, whatever the inputs.
    False,
    /// Holds, whatever the inputs.
    True,
    /// Holds if the atom does.
    Atom(Arc<Atom>),
    /// Something the snapshot or the engine does not know. Two occurrences of one gap need not
    /// have the same value.
    Unknown(Gap),
    /// Holds if the inner one does not.
    Not(Arc<Residual>),
    /// Holds if all do.
    All(Arc<[Residual]>),
    /// Holds if one does.
    Any(Arc<[Residual]>),
}

impl Residual {
    /// `True` or `False`.
    pub fn constant(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }

    /// An atom.
    pub fn atom(atom: Atom) -> Self {
        Self::Atom(Arc::new(atom))
    }

    /// A gap.
    pub fn unknown(reason: impl Into<Arc<str>>) -> Self {
        Self::Unknown(Gap(reason.into()))
    }

    /// Whether it is `True`.
    pub fn is_true(&self) -> bool {
        *self == Self::True
    }

    /// Whether it is `False`.
    pub fn is_false(&self) -> bool {
        *self == Self::False
    }

    /// The conjunction.
    pub fn all(members: impl IntoIterator<Item = Residual>) -> Self {
        let mut out = Vec::new();
        for member in members {
            match member {
                Self::False => return Self::False,
                Self::True => {}
                Self::All(inner) => out.extend(inner.iter().cloned()),
                other => out.push(other),
            }
        }
        match in_order(out) {
            None => Self::False,
            Some(mut out) => match out.len() {
                0 => Self::True,
                1 => out.remove(0),
                _ => Self::All(out.into()),
            },
        }
    }

    /// The disjunction. Stops reading members at the first `True`.
    pub fn any(members: impl IntoIterator<Item = Residual>) -> Self {
        let mut out = Vec::new();
        for member in members {
            match member {
                Self::True => return Self::True,
                Self::False => {}
                Self::Any(inner) => out.extend(inner.iter().cloned()),
                other => out.push(other),
            }
        }
        match in_order(out) {
            None => Self::True,
            Some(mut out) => match out.len() {
                0 => Self::False,
                1 => out.remove(0),
                _ => Self::Any(out.into()),
            },
        }
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::all([self, other])
    }

    /// One of both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::any([self, other])
    }

    /// The negation, with negations pushed inward. A gap stays a gap: what is not known is not
    /// known negated either.
    #[must_use]
    pub fn negate(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::True => Self::False,
            Self::Not(inner) => (*inner).clone(),
            Self::All(members) => Self::any(members.iter().cloned().map(Self::negate)),
            Self::Any(members) => Self::all(members.iter().cloned().map(Self::negate)),
            gap @ Self::Unknown(_) => gap,
            atom @ Self::Atom(_) => Self::Not(Arc::new(atom)),
        }
    }

    /// The same formula built anew, where it came from outside and may not be as the constructors
    /// would have it.
    #[must_use]
    pub fn tidy(&self) -> Self {
        match self {
            Self::Not(inner) => inner.tidy().negate(),
            Self::All(members) => Self::all(members.iter().map(Self::tidy)),
            Self::Any(members) => Self::any(members.iter().map(Self::tidy)),
            other => other.clone(),
        }
    }

    /// Whether it holds no gap.
    pub fn is_decided(&self) -> bool {
        match self {
            Self::Unknown(_) => false,
            Self::False | Self::True | Self::Atom(_) => true,
            Self::Not(inner) => inner.is_decided(),
            Self::All(members) | Self::Any(members) => members.iter().all(Self::is_decided),
        }
    }

    /// The formula with each gap replaced by `value`. Since negations stand only on atoms, `false`
    /// gives what certainly holds and `true` what may hold.
    #[must_use]
    pub fn with_gaps(&self, value: bool) -> Self {
        match self {
            Self::Unknown(_) => Self::constant(value),
            Self::All(members) => Self::all(members.iter().map(|m| m.with_gaps(value))),
            Self::Any(members) => Self::any(members.iter().map(|m| m.with_gaps(value))),
            other => other.clone(),
        }
    }

    /// Replaces atoms: `fold` returns what is known of one, or `None` to keep it.
    #[must_use]
    pub fn substitute(&self, fold: &impl Fn(&Atom) -> Option<Residual>) -> Self {
        match self {
            Self::Atom(atom) => fold(atom).unwrap_or_else(|| self.clone()),
            Self::Not(inner) => inner.substitute(fold).negate(),
            Self::All(members) => Self::all(members.iter().map(|m| m.substitute(fold))),
            Self::Any(members) => Self::any(members.iter().map(|m| m.substitute(fold))),
            constant => constant.clone(),
        }
    }

    /// The formula with every literal over an input of this kind replaced by `value`: with `false`
    /// what holds whatever these inputs are, with `true` what may hold for some.
    #[must_use]
    pub fn for_kind(&self, kind: VariableKind, value: bool) -> Self {
        let of_kind =
            |part: &Self| matches!(part, Self::Atom(atom) if atom.variable().kind == kind);
        match self {
            Self::Not(inner) if of_kind(inner) => Self::constant(value),
            atom if of_kind(atom) => Self::constant(value),
            Self::All(members) => Self::all(members.iter().map(|m| m.for_kind(kind, value))),
            Self::Any(members) => Self::any(members.iter().map(|m| m.for_kind(kind, value))),
            other => other.clone(),
        }
    }

    /// Every atom, in order, without repetition.
    pub fn atoms(&self) -> BTreeSet<Arc<Atom>> {
        let mut out = BTreeSet::new();
        self.visit(&mut |part| {
            if let Self::Atom(atom) = part {
                out.insert(atom.clone());
            }
        });
        out
    }

    /// Every gap, in order, without repetition.
    pub fn gaps(&self) -> BTreeSet<Gap> {
        let mut out = BTreeSet::new();
        self.visit(&mut |part| {
            if let Self::Unknown(gap) = part {
                out.insert(gap.clone());
            }
        });
        out
    }

    /// Every variable, in order, without repetition.
    pub fn variables(&self) -> BTreeSet<Variable> {
        self.atoms().iter().map(|atom| atom.variable().clone()).collect()
    }

    fn visit(&self, see: &mut impl FnMut(&Self)) {
        see(self);
        match self {
            Self::Not(inner) => inner.visit(see),
            Self::All(members) | Self::Any(members) => {
                for member in members.iter() {
                    member.visit(see);
                }
            }
            _ => {}
        }
    }
}

/// The members of a connective, sorted without repetition; `None` if one is the negation of another.
fn in_order(mut members: Vec<Residual>) -> Option<Vec<Residual>> {
    if members.len() < 2 {
        return Some(members);
    }
    members.sort_unstable();
    members.dedup();
    let is_opposed = |member: &Residual| match member {
        Residual::Not(inner) => inner.is_decided() && members.binary_search(inner).is_ok(),
        _ => false,
    };
    (!members.iter().any(is_opposed)).then_some(members)
}
