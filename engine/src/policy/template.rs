//! Text with wildcards and policy variables, as resources and condition values are written:
//! `arn:aws:s3:::home/${aws:username}/*`, `${aws:PrincipalTag/team, 'none'}`.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>.

use std::sync::Arc;

use crate::pattern::{Pattern, Token};

/// Where `*` and `?` are wildcards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wildcards {
    /// Nowhere: `StringEquals` and its kin compare them as characters.
    Nowhere,
    /// Everywhere, and `*` crosses `:` and `/`: `StringLike`.
    Everywhere,
    /// Within a segment of an ARN: in the first five they stop at `:`. Resources, `ArnLike`.
    PerSegment,
}

/// A policy variable: the condition key whose value takes its place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PolicyVariable {
    /// The key in lower case: key names are compared without regard to case.
    pub key: Box<str>,
    /// What takes its place in a request without the key.
    pub default: Option<Box<str>>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// These characters.
    Text(Box<str>),
    /// `*`
    AnyRun,
    /// `?`
    AnyCharacter,
    /// `${key}` or `${key, 'default'}`
    Variable(PolicyVariable),
    /// Something between `${` and `}` that is neither variable nor escape.
    Unclear(Arc<str>),
}

/// Text with wildcards and policy variables.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Template {
    text: Box<str>,
    wildcards: Wildcards,
    ignore_case: bool,
    body: Body,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Body {
    /// Without variables there is one pattern, made once.
    Fixed(Pattern),
    /// The parts, at least one of them a variable or unclear.
    Variable(Box<[Part]>),
}

impl Template {
    /// Reads `text`.
    ///
    /// - `variables`: whether `${...}` is read, which takes a policy of version 2012-10-17; before
    ///   that it is plain text.
    pub fn new(text: &str, wildcards: Wildcards, ignore_case: bool, variables: bool) -> Self {
        Self::over(text, text, wildcards, ignore_case, variables)
    }

    /// A resource. Wildcards in the first five parts of an ARN stay within their part; in the
    /// last they cross `:` and `/`. An ARN with fewer than six parts is completed by `:*` for each
    /// that is missing.
    ///
    /// Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>
    /// and <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>.
    pub fn resource(text: &str, variables: bool) -> Self {
        if !text.starts_with("arn:") {
            return Self::new(text, Wildcards::Everywhere, false, variables);
        }
        let colons = text.bytes().filter(|&b| b == b':').count();
        if colons < 5 {
            let complete = format!("{text}{}", ":*".repeat(5 - colons));
            Self::over(text, &complete, Wildcards::PerSegment, false, variables)
        } else {
            Self::new(text, Wildcards::PerSegment, false, variables)
        }
    }

    /// Keeps `written` to show, and means `text`.
    fn over(
        written: &str,
        text: &str,
        wildcards: Wildcards,
        ignore_case: bool,
        variables: bool,
    ) -> Self {
        // A lone `*` stands for the whole ARN, which no run within one segment could.
        let wildcards = if text == "*" && wildcards == Wildcards::PerSegment {
            Wildcards::Everywhere
        } else {
            wildcards
        };
        let mut template = Self {
            text: written.into(),
            wildcards,
            ignore_case,
            body: Body::Fixed(Pattern::new([], ignore_case)),
        };
        template.body = if variables && text.contains("${") {
            let parts = parts(text, wildcards);
            if parts.iter().any(|part| matches!(part, Part::Variable(_) | Part::Unclear(_))) {
                Body::Variable(parts.into())
            } else {
                Body::Fixed(template.assemble(&parts, |_| None).unwrap_or(template.fixed_of(text)))
            }
        } else {
            Body::Fixed(template.fixed_of(text))
        };
        template
    }

    /// The text as the policy has it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether case does not matter.
    pub fn ignores_case(&self) -> bool {
        self.ignore_case
    }

    /// The pattern, if it is the same in every request.
    pub fn fixed(&self) -> Option<&Pattern> {
        match &self.body {
            Body::Fixed(pattern) => Some(pattern),
            Body::Variable(_) => None,
        }
    }

    /// The parts of a template that is not the same in every request.
    pub fn parts(&self) -> Option<&[Part]> {
        match &self.body {
            Body::Fixed(_) => None,
            Body::Variable(parts) => Some(parts),
        }
    }

    /// The variables, in order of appearance.
    pub fn variables(&self) -> impl Iterator<Item = &PolicyVariable> {
        self.parts().unwrap_or_default().iter().filter_map(|part| match part {
            Part::Variable(variable) => Some(variable),
            _ => None,
        })
    }

    /// The pattern with `value` in the place of each variable, its characters taken literally.
    /// `None` if a variable has no value or a part is unclear: then there is no text that matches.
    pub fn with_values(
        &self,
        mut value: impl FnMut(&PolicyVariable) -> Option<Arc<str>>,
    ) -> Option<Pattern> {
        match &self.body {
            Body::Fixed(pattern) => Some(pattern.clone()),
            Body::Variable(parts) => self.assemble(parts, |variable| value(variable).map(Some)),
        }
    }

    /// The pattern with anything in the place of each variable. `None` if a part is unclear.
    pub fn with_any_values(&self) -> Option<Pattern> {
        match &self.body {
            Body::Fixed(pattern) => Some(pattern.clone()),
            Body::Variable(parts) => self.assemble(parts, |_| Some(None)),
        }
    }

    fn fixed_of(&self, text: &str) -> Pattern {
        let mut segment = 0;
        Pattern::new(text.chars().map(|c| self.token(c, &mut segment)), self.ignore_case)
    }

    /// What `c` of the policy's own text stands for, `segment` colons into an ARN.
    fn token(&self, c: char, segment: &mut usize) -> Token {
        if c == ':' {
            *segment += 1;
        }
        let in_segment = self.wildcards == Wildcards::PerSegment && *segment < 5;
        match c {
            '*' if self.wildcards != Wildcards::Nowhere => any_run(in_segment),
            '?' if self.wildcards != Wildcards::Nowhere => any_character(in_segment),
            c => Token::Literal(c),
        }
    }

    /// - `value`: what takes the place of a variable, if anything does; without text, any run of
    ///   characters.
    fn assemble(
        &self,
        parts: &[Part],
        mut value: impl FnMut(&PolicyVariable) -> Option<Option<Arc<str>>>,
    ) -> Option<Pattern> {
        let mut tokens = Vec::with_capacity(self.text.len());
        let mut colons = 0;
        for part in parts {
            let per_segment = self.wildcards == Wildcards::PerSegment && colons < 5;
            let mut literal = |text: &str| {
                colons += text.bytes().filter(|&b| b == b':').count();
                tokens.extend(text.chars().map(Token::Literal));
            };
            match part {
                Part::Text(text) => literal(text),
                Part::Variable(variable) => match value(variable)? {
                    Some(text) => literal(&text),
                    None => tokens.push(Token::AnyRun),
                },
                Part::AnyRun => tokens.push(any_run(per_segment)),
                Part::AnyCharacter => tokens.push(any_character(per_segment)),
                Part::Unclear(_) => return None,
            }
        }
        Some(Pattern::new(tokens, self.ignore_case))
    }
}

fn any_run(in_segment: bool) -> Token {
    if in_segment { Token::AnyRunInSegment } else { Token::AnyRun }
}

fn any_character(in_segment: bool) -> Token {
    if in_segment { Token::AnyCharacterInSegment } else { Token::AnyCharacter }
}

/// Splits text of version 2012-10-17 into its parts.
fn parts(text: &str, wildcards: Wildcards) -> Vec<Part> {
    let mut out = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let part = if let Some(inside) = rest.strip_prefix("${") {
            let (reading, after) = read_braces(inside);
            rest = after;
            match reading {
                Braces::Character(c) => {
                    plain.push(c);
                    continue;
                }
                Braces::Part(part) => part,
            }
        } else {
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            match c {
                '*' if wildcards != Wildcards::Nowhere => Part::AnyRun,
                '?' if wildcards != Wildcards::Nowhere => Part::AnyCharacter,
                c => {
                    plain.push(c);
                    continue;
                }
            }
        };
        if !plain.is_empty() {
            out.push(Part::Text(std::mem::take(&mut plain).into()));
        }
        out.push(part);
    }
    if !plain.is_empty() {
        out.push(Part::Text(plain.into()));
    }
    out
}

enum Braces {
    /// One of the escapes `${*}`, `${?}`, `${$}`.
    Character(char),
    Part(Part),
}

/// Reads what follows `${`, through the `}`; gives it and the text behind.
fn read_braces(inside: &str) -> (Braces, &str) {
    for c in ['*', '?', '$'] {
        if let Some(after) = inside.strip_prefix(c).and_then(|rest| rest.strip_prefix('}')) {
            return (Braces::Character(c), after);
        }
    }
    let unclear = |upto: &str| {
        let reason = format!("policy variable \"${{{upto}\" is not well formed");
        Braces::Part(Part::Unclear(reason.into()))
    };
    let Some(end) = inside.find([',', '}']) else { return (unclear(inside), "") };
    let key = inside.get(..end).unwrap_or_default().trim();
    let behind = inside.get(end..).unwrap_or_default();
    let (default, after) = if let Some(after) = behind.strip_prefix('}') {
        (None, after)
    } else {
        let quoted = behind
            .strip_prefix(',')
            .and_then(|rest| rest.trim_start_matches(' ').strip_prefix('\''))
            .and_then(|rest| rest.split_once('\''))
            .and_then(|(default, rest)| {
                Some((default, rest.trim_start_matches(' ').strip_prefix('}')?))
            });
        match quoted {
            Some((default, after)) => (Some(default.into()), after),
            None => return (unclear(inside), ""),
        }
    };
    let named = !key.is_empty() && !key.contains(['$', '{', '*', '?', '\'']);
    if named {
        let variable = PolicyVariable { key: key.to_lowercase().into(), default };
        (Braces::Part(Part::Variable(variable)), after)
    } else {
        (unclear(key), after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &Template, team: Option<&str>, text: &str, expected: bool) {
        let pattern = template.with_values(|variable| {
            assert_eq!(&*variable.key, "aws:principaltag/team");
            team.or(variable.default.as_deref()).map(Into::into)
        });
        let matched = pattern.is_some_and(|pattern| pattern.matches(text));
        assert_eq!(matched, expected, "{} with {team:?} on {text}", template.text());
    }

    #[test]
    fn a_variable_takes_the_value_of_its_key() {
        let template = Template::resource("arn:aws:s3:::b/${aws:PrincipalTag/Team}/*", true);
        check(&template, Some("red"), "arn:aws:s3:::b/red/x", true);
        check(&template, Some("red"), "arn:aws:s3:::b/blue/x", false);
        check(&template, None, "arn:aws:s3:::b//x", false);
        check(&template, Some("*"), "arn:aws:s3:::b/blue/x", false);
        check(&template, Some("*"), "arn:aws:s3:::b/*/x", true);
    }

    #[test]
    fn a_default_stands_in() {
        let template =
            Template::new("${aws:PrincipalTag/team, 'all}'}-x", Wildcards::Nowhere, false, true);
        check(&template, None, "all}-x", true);
        check(&template, Some("red"), "red-x", true);
        check(&template, Some("red"), "all}-x", false);
    }

    #[test]
    fn escapes_are_characters() {
        let template = Template::new("a${*}${?}${$}*", Wildcards::Everywhere, false, true);
        check(&template, None, "a*?$bcd", true);
        check(&template, None, "axy$", false);
        assert!(template.fixed().is_some());
    }

    #[test]
    fn older_versions_have_no_variables() {
        let template = Template::new("${aws:username}", Wildcards::Everywhere, false, false);
        check(&template, None, "${aws:username}", true);
    }

    #[test]
    fn what_is_not_well_formed_is_unclear() {
        for text in ["${", "${aws:username", "${}", "${a, b}", "${a,'b'", "x${a*}"] {
            let template = Template::new(text, Wildcards::Everywhere, false, true);
            let unclear = template
                .parts()
                .is_some_and(|parts| parts.iter().any(|part| matches!(part, Part::Unclear(_))));
            assert!(unclear, "{text}");
        }
    }

    #[test]
    fn a_wildcard_stays_in_its_part_of_a_resource() {
        let function = "arn:aws:lambda:eu-west-1:111122223333:function:a:PROD";
        for (resource, expected) in [
            ("arn:aws:lambda:*:function:a:PROD", false),
            ("arn:aws:lambda:*:a:PROD", false),
            ("arn:aws:lambda:*:*:function:a:PROD", true),
            ("arn:aws:lambda:eu-*:1111*:function:*", true),
            ("arn:aws:lambda:*", true),
            ("arn:*", true),
            ("*", true),
        ] {
            check(&Template::resource(resource, true), None, function, expected);
        }
    }

    #[test]
    fn an_incomplete_arn_is_completed() {
        let template = Template::resource("arn:aws:sqs", true);
        check(&template, None, "arn:aws:sqs:us-east-1:111122223333:orders", true);
        check(&template, None, "arn:aws:sns:us-east-1:111122223333:orders", false);
        let template = Template::resource("arn:aws:iam::111122223333", false);
        check(&template, None, "arn:aws:iam::111122223333:role/a", true);
        assert_eq!(template.text(), "arn:aws:iam::111122223333");
    }

    #[test]
    fn an_arn_condition_value_matches_per_segment() {
        let like = |text| Template::new(text, Wildcards::PerSegment, false, true);
        let role = "arn:aws:iam::111122223333:role/a:b/c";
        check(&like("arn:aws:iam::*:role/*"), None, role, true);
        check(&like("arn:aws:*:role/*"), None, role, false);
        check(&like("arn:aws:iam::11112222333?:role/*c"), None, role, true);
        check(&like("*"), None, role, true);
    }
}
