//! Conditions: when one holds in a request.
//!
//! A missing key makes positive operators false, negated ones and `IfExists` true,
//! `ForAllValues` true and `ForAnyValue` false. A key that is not known leaves a question about
//! its variable, guarded by the question whether it is there at all. The values of a multivalued
//! variable are taken never to be empty text.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>
//! and <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>.

use std::borrow::Cow;
use std::sync::Arc;

use super::request::{Context, Input};
use super::variables::{Subject, Substitution, pattern_matches, substitute, template_matches};
use crate::pattern::Pattern;
use crate::policy::{Condition, Operation, SetOperator, ValueTest, binary};
use crate::residual::{Atom, Gap, Residual, Test, Variable};

/// When all the conditions hold.
pub(super) fn conditions_hold(conditions: &[Condition], context: &dyn Context) -> Residual {
    let mut all = Residual::True;
    for condition in conditions {
        all = all.and(condition_holds(condition, context));
        if all.is_false() {
            break;
        }
    }
    all
}

/// When the condition holds.
pub(super) fn condition_holds(condition: &Condition, context: &dyn Context) -> Residual {
    holds_of(condition, context.get(&condition.key_lowercase), context)
}

/// When the condition holds of this value of its key, with no other key in the request.
pub fn holds_for(condition: &Condition, value: &Arc<str>) -> Residual {
    struct Nothing;
    impl Context for Nothing {
        fn get(&self, _: &str) -> Input {
            Input::Absent
        }
    }
    holds_of(condition, Input::One(value.clone()), &Nothing)
}

/// When the condition holds of a value of its key.
fn holds_of(condition: &Condition, input: Input, context: &dyn Context) -> Residual {
    let (tests, negated, is_binary) = match &condition.operation {
        Operation::Unknown(reason) => return Residual::unknown(reason.clone()),
        Operation::Null(values) => {
            let present = present(&input);
            return Residual::any(values.iter().map(|value| match value {
                Ok(true) => present.clone().negate(),
                Ok(false) => present.clone(),
                Err(reason) => Residual::unknown(reason.clone()),
            }));
        }
        Operation::Compare { negated, tests, binary } => (&**tests, *negated, *binary),
    };
    let compare = Comparing { condition, tests, negated, is_binary, context };
    match input {
        Input::Absent => Residual::constant(compare.holds_without_key()),
        Input::One(text) if condition.set.is_some() && text.is_empty() => {
            Residual::constant(compare.holds_without_key())
        }
        Input::One(text) => compare.text(&text),
        // To set operators, nothing but empty text is no value either.
        Input::Many(values)
            if values.is_empty()
                || (condition.set.is_some() && values.iter().all(|value| value.is_empty())) =>
        {
            Residual::constant(compare.holds_without_key())
        }
        Input::Many(values) => match (condition.set, values.as_slice()) {
            (Some(SetOperator::ForAllValues), values) => {
                Residual::all(values.iter().map(|value| compare.text(value)))
            }
            (Some(SetOperator::ForAnyValue), values) => {
                Residual::any(values.iter().map(|value| compare.text(value)))
            }
            (None, [value]) => compare.text(value),
            (None, _) => Residual::Unknown(compare.needs_set_operator()),
        },
        Input::Free { variable, certain } if variable.multivalued => {
            compare.set_of(&variable, certain)
        }
        Input::Free { variable, certain } => {
            let subject = Subject::Partial { prefix: "", variable: &variable, suffix: "" };
            let mut value = compare.subject(subject);
            if condition.set.is_some() && variable.grammar.length.0 == 0 {
                let empty = pattern_matches(&Pattern::literal("", false), subject);
                value = if compare.holds_without_key() {
                    value.or(empty)
                } else {
                    value.and(empty.negate())
                };
            }
            guarded(&variable, certain, value, compare.holds_without_key())
        }
        Input::Template { prefix, variable, suffix } => compare.subject(Subject::Partial {
            prefix: &prefix,
            variable: &variable,
            suffix: &suffix,
        }),
        Input::IfPresent { variable, value } => {
            let with = holds_of(condition, *value, context);
            guarded(&variable, false, with, compare.holds_without_key())
        }
        Input::Unknown(gap) => Residual::Unknown(gap),
    }
}

/// When the key is in the request, with a value.
fn present(input: &Input) -> Residual {
    match input {
        Input::Absent => Residual::False,
        Input::Many(values) => Residual::constant(!values.is_empty()),
        Input::One(_) | Input::Template { .. } | Input::Free { certain: true, .. } => {
            Residual::True
        }
        Input::Free { variable, certain: false } | Input::IfPresent { variable, .. } => {
            Residual::atom(Atom::Present(variable.clone()))
        }
        Input::Unknown(gap) => Residual::Unknown(gap.clone()),
    }
}

/// `value` where the variable is present, `without` where it is not.
fn guarded(variable: &Variable, certain: bool, value: Residual, without: bool) -> Residual {
    if certain {
        return value;
    }
    let present = Residual::atom(Atom::Present(variable.clone()));
    if without { present.negate().or(value) } else { present.and(value) }
}

/// One comparison under way.
struct Comparing<'a> {
    condition: &'a Condition,
    tests: &'a [ValueTest],
    negated: bool,
    is_binary: bool,
    context: &'a dyn Context,
}

impl Comparing<'_> {
    fn holds_without_key(&self) -> bool {
        match self.condition.set {
            Some(SetOperator::ForAllValues) => true,
            Some(SetOperator::ForAnyValue) => false,
            None => self.negated || self.condition.if_exists,
        }
    }

    fn text(&self, text: &str) -> Residual {
        let text = match self.is_binary.then(|| binary::canonical(text)).flatten() {
            Some(canonical) => Cow::Owned(canonical),
            None => Cow::Borrowed(text),
        };
        self.subject(Subject::Text(&text))
    }

    /// When one value passes one of the tests or, negated, none of them.
    fn subject(&self, subject: Subject<'_>) -> Residual {
        let mut passes = Residual::False;
        for test in self.tests {
            passes = passes.or(match test {
                ValueTest::Text(template) => template_matches(template, subject, self.context),
                ValueTest::Fixed(test) => fixed_holds(test, subject),
                ValueTest::Unclear(reason) => Residual::unknown(reason.clone()),
            });
            if passes.is_true() {
                break;
            }
        }
        if self.negated { passes.negate() } else { passes }
    }

    /// When a multivalued key that is not known satisfies the condition.
    fn set_of(&self, variable: &Variable, certain: bool) -> Residual {
        let tests: Result<Vec<Option<Test>>, Gap> =
            self.tests.iter().map(|test| self.resolved(test)).collect();
        let tests: Vec<Test> = match tests {
            Ok(tests) => tests.into_iter().flatten().collect(),
            Err(gap) => return Residual::Unknown(gap),
        };
        let some = |negated: bool| {
            // No value passes one of no tests.
            if tests.is_empty() && !negated {
                return Residual::False;
            }
            let (variable, tests) = (variable.clone(), tests.clone());
            Residual::atom(Atom::Some { variable, tests, negated })
        };
        match self.condition.set {
            Some(SetOperator::ForAnyValue) => {
                let absent = if self.holds_without_key() && !certain {
                    Residual::atom(Atom::Present(variable.clone())).negate()
                } else {
                    Residual::False
                };
                some(self.negated).or(absent)
            }
            Some(SetOperator::ForAllValues) => some(!self.negated).negate(),
            None => Residual::Unknown(self.needs_set_operator()),
        }
    }

    /// The test with its variables put in; none if nothing passes it.
    fn resolved(&self, test: &ValueTest) -> Result<Option<Test>, Gap> {
        match test {
            ValueTest::Fixed(test) => Ok(Some(test.clone())),
            ValueTest::Unclear(reason) => Err(Gap(reason.clone())),
            ValueTest::Text(template) => match substitute(template, self.context) {
                Substitution::Pattern(pattern) => Ok(Some(Test::Like(pattern))),
                Substitution::Nothing => Ok(None),
                Substitution::Unknown(gap) => Err(gap),
            },
        }
    }

    /// AWS documents multivalued keys with set operators only.
    fn needs_set_operator(&self) -> Gap {
        let Condition { operator, key, .. } = self.condition;
        let reason = format!(
            "condition operator {operator:?} on several values of {key:?} is not documented"
        );
        Gap(reason.into())
    }
}

/// When the subject passes a test on numbers, dates or addresses.
fn fixed_holds(test: &Test, subject: Subject<'_>) -> Residual {
    match subject {
        Subject::Text(text) => Residual::constant(test.holds(text)),
        Subject::Partial { prefix: "", variable, suffix: "" } => {
            Residual::atom(Atom::Passes(variable.clone(), test.clone()))
        }
        Subject::Partial { variable, .. } => Residual::unknown(format!(
            "a number, date or address with {:?} in it cannot be compared",
            variable.name
        )),
    }
}
