//! Policy variables: what `${aws:username}` stands for in a request, and whether the text or the
//! unknown value in question matches once it is put in.
//!
//! A key without value makes the text around the variable match nothing, so that a negated
//! operator or `NotResource` holds. The value is taken literally: AWS does not document what a
//! wildcard inside it would mean.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>.

use std::sync::Arc;

use super::origin::{is_of_token, said_for_example};
use super::request::{Context, Input};
use crate::pattern::{Pattern, Token};
use crate::policy::{Part, PolicyVariable, Template};
use crate::residual::{Atom, Gap, Residual, Test, Variable, VariableKind};

/// The text that a pattern is held against, as far as it is known.
#[derive(Clone, Copy)]
pub(super) enum Subject<'a> {
    /// All of it.
    Text(&'a str),
    /// All but the value of a variable in the middle.
    Partial {
        /// Text before the variable.
        prefix: &'a str,
        /// The unknown part, present in the case at hand.
        variable: &'a Variable,
        /// Text after it.
        suffix: &'a str,
    },
}

/// A template with the values of its variables put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Substitution {
    /// This pattern.
    Pattern(Pattern),
    /// A variable has no value: nothing matches.
    Nothing,
    /// A variable's value is not known, or the text is not well formed.
    Unknown(Gap),
}

/// Puts the values of the request's condition keys in for the variables of `template`.
///
/// Never fails: what cannot be said is [`Substitution::Unknown`], with the reason.
pub fn substitute(template: &Template, context: &dyn Context) -> Substitution {
    if let Some(pattern) = template.fixed() {
        return Substitution::Pattern(pattern.clone());
    }
    if let Some(gap) = unclear(template) {
        return Substitution::Unknown(gap);
    }
    let mut unknown = None;
    let pattern = template.with_values(|variable| match value(variable, context) {
        Value::Known(text) => Some(text),
        Value::None => None,
        Value::Open(input) => {
            unknown.get_or_insert(open(variable, &input));
            Some("".into())
        }
    });
    match (pattern, unknown) {
        (None, _) => Substitution::Nothing,
        (Some(_), Some(gap)) => Substitution::Unknown(gap),
        (Some(pattern), None) => Substitution::Pattern(pattern),
    }
}

/// When the subject matches the template.
pub(super) fn template_matches(
    template: &Template,
    subject: Subject<'_>,
    context: &dyn Context,
) -> Residual {
    if let Some(pattern) = template.fixed() {
        return pattern_matches(pattern, subject);
    }
    match substitute(template, context) {
        Substitution::Pattern(pattern) => pattern_matches(&pattern, subject),
        Substitution::Nothing => Residual::False,
        Substitution::Unknown(gap) => match subject {
            Subject::Text(text) => {
                value_that_matches(template, text, context).unwrap_or(Residual::Unknown(gap))
            }
            Subject::Partial { prefix, variable, suffix } => {
                let whole = prefix.is_empty() && suffix.is_empty();
                let alike = whole.then(|| chosen_alike(template, variable, context)).flatten();
                match alike.or_else(|| with_example(template, subject, variable, context)) {
                    Some(alike) => alike.or(Residual::Unknown(gap)),
                    None => Residual::Unknown(gap),
                }
            }
        },
    }
}

/// When the subject matches the pattern: constant for known text, else a question about the
/// variable in it.
pub(super) fn pattern_matches(pattern: &Pattern, subject: Subject<'_>) -> Residual {
    match subject {
        Subject::Text(text) => Residual::constant(pattern.matches(text)),
        Subject::Partial { prefix: "", variable, suffix: "" } => passes(variable, pattern.clone()),
        Subject::Partial { prefix, variable, suffix } => Residual::any(
            pattern
                .after_prefix(prefix)
                .iter()
                .flat_map(|rest| rest.before_suffix(suffix))
                .map(|rest| passes(variable, rest)),
        ),
    }
}

/// The question whether the variable's value matches, unless its grammar answers it.
fn passes(variable: &Variable, pattern: Pattern) -> Residual {
    if pattern.is_any() {
        return Residual::True;
    }
    let tokens = pattern.tokens();
    if *tokens == [Token::AnyRunInSegment] && !variable.grammar.allows(':') {
        return Residual::True;
    }
    let possible = tokens.iter().all(|token| match *token {
        Token::Literal(c) if pattern.ignores_case() => {
            variable.grammar.allows(c) || c.to_uppercase().any(|c| variable.grammar.allows(c))
        }
        Token::Literal(c) => variable.grammar.allows(c),
        _ => true,
    });
    if possible {
        Residual::atom(Atom::Passes(variable.clone(), Test::Like(pattern)))
    } else {
        Residual::False
    }
}

enum Value {
    Known(Arc<str>),
    None,
    Open(Input),
}

/// What the variable stands for. Multivalued keys cannot be used as variables.
fn value(variable: &PolicyVariable, context: &dyn Context) -> Value {
    match context.get(&variable.key) {
        Input::One(text) => Value::Known(text),
        Input::Absent | Input::Many(_) => default(variable),
        Input::Free { variable: free, .. } if free.multivalued => default(variable),
        input => Value::Open(input),
    }
}

fn default(variable: &PolicyVariable) -> Value {
    match &variable.default {
        Some(text) => Value::Known((&**text).into()),
        None => Value::None,
    }
}

fn unclear(template: &Template) -> Option<Gap> {
    template.parts().unwrap_or_default().iter().find_map(|part| match part {
        Part::Unclear(reason) => Some(Gap(reason.clone())),
        _ => None,
    })
}

fn open(variable: &PolicyVariable, input: &Input) -> Gap {
    match input {
        Input::Unknown(gap) => gap.clone(),
        _ => Gap(format!("the value of policy variable {:?} is not known", variable.key).into()),
    }
}

/// The most texts that are looked at for the value of one policy variable.
const VALUES: usize = 32;

/// When known text matches a template whose only unknown is the value of one variable: that value
/// must be what stands in its place. With wildcards around it there may be several such texts. `None`
/// if there are more unknowns, or too many texts.
fn value_that_matches(template: &Template, text: &str, context: &dyn Context) -> Option<Residual> {
    let (mut before, mut after): (Vec<Token>, Vec<Token>) = Default::default();
    let mut unknown: Option<(&PolicyVariable, Input)> = None;
    let literal = |text: &str| text.chars().map(Token::Literal).collect::<Vec<Token>>();
    for part in template.parts()? {
        let known: Vec<Token> = match part {
            Part::Text(text) => literal(text),
            Part::AnyRun => vec![Token::AnyRun],
            Part::AnyCharacter => vec![Token::AnyCharacter],
            Part::Variable(variable) => match value(variable, context) {
                Value::Known(text) => literal(&text),
                Value::None => return Some(Residual::False),
                Value::Open(input) if unknown.is_none() => {
                    unknown = Some((variable, input));
                    continue;
                }
                Value::Open(_) => return None,
            },
            Part::Unclear(_) => return None,
        };
        if unknown.is_none() { &mut before } else { &mut after }.extend(known);
    }
    let (policy_variable, input) = unknown?;
    let (prefix, variable, suffix, certain) = match input {
        Input::Free { variable, certain } => ("".into(), variable, "".into(), certain),
        Input::Template { prefix, variable, suffix } => (prefix, variable, suffix, true),
        _ => return None,
    };
    before.extend(literal(&prefix));
    after.splice(0..0, literal(&suffix));
    let pattern = |tokens: Vec<Token>| Pattern::new(tokens, template.ignores_case());
    let absent = policy_variable.default.as_ref().is_some_and(|default| {
        let whole = [before.clone(), literal(default), after.clone()].concat();
        pattern(whole).matches(text)
    });
    let (before, after) = (pattern(before), pattern(after));
    let mut middles = between(text, &before, &after)?;
    // Wildcards of ARNs match less than those of other texts.
    middles.retain(|middle| {
        let whole = template.with_values(|variable| match value(variable, context) {
            Value::Known(text) => Some(text),
            Value::None => None,
            Value::Open(_) => Some(format!("{prefix}{middle}{suffix}").into()),
        });
        whole.is_some_and(|pattern| pattern.matches(text))
    });
    let matching = Residual::any(middles.iter().map(|middle| {
        let one = passes(&variable, Pattern::literal(middle, template.ignores_case()));
        match one {
            // A literal either is one of the values that the variable can have or it is not.
            Residual::Atom(atom) if !literal_accepted(&atom) => Residual::False,
            other => other,
        }
    }));
    Some(if certain {
        matching
    } else {
        let present = Residual::atom(Atom::Present(variable));
        let with_default = present.clone().negate().and(Residual::constant(absent));
        present.and(matching).or(with_default)
    })
}

/// A value for two inputs of the attacker's choice that have to be the same.
const SAME: &str = "escalade";

/// When the attacker chooses both the subject and all that the template says, and may choose the
/// same text for both. Another text may do where this one does not: that is left unknown.
fn chosen_alike(
    template: &Template,
    subject: &Variable,
    context: &dyn Context,
) -> Option<Residual> {
    let [Part::Variable(variable)] = template.parts()? else { return None };
    let Value::Open(Input::Free { variable: other, certain }) = value(variable, context) else {
        return None;
    };
    let is_chosen = |variable: &Variable| variable.kind == VariableKind::Chosen;
    if !(is_chosen(subject) && is_chosen(&other)) {
        return None;
    }
    let present = match certain {
        true => Residual::True,
        false => Residual::atom(Atom::Present(other.clone())),
    };
    if *subject == other {
        return Some(present);
    }
    let same = Pattern::literal(SAME, template.ignores_case());
    Some(present.and(passes(subject, same.clone())).and(passes(&other, same)))
}

/// When the subject matches with one value in the place of the only unknown of the template, where the
/// attacker chooses that value or a token said it. Another may do where this one does not: that is
/// left unknown.
fn with_example(
    template: &Template,
    subject: Subject<'_>,
    chosen: &Variable,
    context: &dyn Context,
) -> Option<Residual> {
    if chosen.kind != VariableKind::Chosen {
        return None;
    }
    let mut open: Option<(Variable, bool)> = None;
    for part in template.parts()? {
        let Part::Variable(variable) = part else { continue };
        match value(variable, context) {
            Value::Open(Input::Free { variable, certain }) if open.is_none() => {
                open = Some((variable, certain));
            }
            Value::Open(_) => return None,
            Value::Known(_) | Value::None => {}
        }
    }
    let (variable, certain) = open?;
    let of_token = is_of_token(&variable.name.to_lowercase());
    if variable.kind != VariableKind::Chosen && !of_token {
        return None;
    }
    let example = if of_token { said_for_example(&variable.name) } else { SAME };
    let pattern = template.with_values(|variable| match value(variable, context) {
        Value::Known(text) => Some(text),
        Value::None => None,
        Value::Open(_) => Some(example.into()),
    })?;
    let present = match certain {
        true => Residual::True,
        false => Residual::atom(Atom::Present(variable.clone())),
    };
    let is_it = passes(&variable, Pattern::literal(example, false));
    Some(present.and(is_it).and(pattern_matches(&pattern, subject)))
}

fn literal_accepted(atom: &Atom) -> bool {
    match atom {
        Atom::Passes(variable, Test::Like(pattern)) => pattern
            .as_literal()
            .is_none_or(|text| pattern.ignores_case() || variable.grammar.accepts(&text)),
        _ => true,
    }
}

/// The texts that can stand in `text` between what two patterns match. `None`: too many.
fn between(text: &str, before: &Pattern, after: &Pattern) -> Option<Vec<String>> {
    let places = || text.char_indices().map(|(at, _)| at).chain([text.len()]);
    let starts: Vec<usize> =
        places().filter(|at| text.get(..*at).is_some_and(|start| before.matches(start))).collect();
    let ends: Vec<usize> =
        places().filter(|at| text.get(*at..).is_some_and(|end| after.matches(end))).collect();
    let mut out = Vec::new();
    for start in starts {
        for end in ends.iter().filter(|end| **end >= start) {
            out.push(text.get(start..*end)?.to_owned());
            if out.len() > VALUES {
                return None;
            }
        }
    }
    out.sort();
    out.dedup();
    Some(out)
}
