//! The `Condition` element: operators, keys and the values they are compared with.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>.
//! `ArnEquals` and `ArnLike` behave alike, as that page says.

use std::sync::Arc;

use ipnet::IpNet;

use super::binary;
use super::error::PolicyError;
use super::json::Reader;
use super::template::{Template, Wildcards};
use crate::residual::{Comparison, Test, parse_date, parse_number};

/// How the values of a multivalued key are taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SetOperator {
    /// `ForAllValues:`
    ForAllValues,
    /// `ForAnyValue:`
    ForAnyValue,
}

/// What an operator does with key and values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Compares the key's value with each of the policy's.
    Compare {
        /// Whether the value must pass none of the tests instead of one (`StringNotEquals`).
        negated: bool,
        /// The comparisons, in the order of the values.
        tests: Box<[ValueTest]>,
        /// Whether values are base64 and compared decoded.
        binary: bool,
    },
    /// `Null`: for each value, whether the key must be absent.
    Null(Box<[Result<bool, Arc<str>>]>),
    /// An operator that is not known, with what to report.
    Unknown(Arc<str>),
}

/// The comparison with one value of the policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ValueTest {
    /// Text, which may hold variables.
    Text(Template),
    /// A number, date or address.
    Fixed(Test),
    /// A value that is none that the operator takes, with what to report.
    Unclear(Arc<str>),
}

/// One key under one operator.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Condition {
    /// The operator as the policy has it.
    pub operator: Box<str>,
    /// The key as the policy has it.
    pub key: Box<str>,
    /// The key in lower case: key names are compared without regard to case.
    pub key_lowercase: Box<str>,
    /// How several values of the request are taken together.
    pub set: Option<SetOperator>,
    /// Whether the condition holds in a request without the key.
    pub if_exists: bool,
    /// What is compared.
    pub operation: Operation,
}

impl Condition {
    /// The texts that values are compared with, those with variables in them left out.
    pub fn texts(&self) -> impl Iterator<Item = String> + '_ {
        let tests = match &self.operation {
            Operation::Compare { tests, .. } => &**tests,
            Operation::Null(_) | Operation::Unknown(_) => &[],
        };
        tests.iter().filter_map(|test| match test {
            ValueTest::Text(template) => Some(template.fixed()?.to_string()),
            ValueTest::Fixed(_) | ValueTest::Unclear(_) => None,
        })
    }

    /// Reads the whole element.
    pub(super) fn read_all(
        reader: &mut Reader<'_>,
        variables: bool,
    ) -> Result<Box<[Self]>, PolicyError> {
        let mut out = Vec::new();
        reader.object("an object of conditions by operator", |reader, operator| {
            reader.object("an object of values by condition key", |reader, key| {
                let mut values = Vec::new();
                reader.one_or_many("a value or a list of them", |reader| {
                    values.push(reader.scalar("a string, number or boolean")?);
                    Ok(())
                })?;
                out.push(Self::new(operator, key, &values, variables));
                Ok(())
            })
        })?;
        Ok(out.into())
    }

    /// The condition that `operator` makes of `key` and `values`.
    pub fn new(operator: &str, key: &str, values: &[impl AsRef<str>], variables: bool) -> Self {
        let lowercase = operator.to_ascii_lowercase();
        let (set, rest) = if let Some(rest) = lowercase.strip_prefix("forallvalues:") {
            (Some(SetOperator::ForAllValues), rest)
        } else if let Some(rest) = lowercase.strip_prefix("foranyvalue:") {
            (Some(SetOperator::ForAnyValue), rest)
        } else {
            (None, &*lowercase)
        };
        let (name, if_exists) = match rest.strip_suffix("ifexists") {
            Some(name) => (name, true),
            None => (rest, false),
        };
        let operation = Operation::new(name, values, variables)
            .filter(|operation| {
                // `NullIfExists` and `ForAllValues:Null` are not among AWS's operators.
                !matches!(operation, Operation::Null(_)) || (set.is_none() && !if_exists)
            })
            .unwrap_or_else(|| {
                Operation::Unknown(format!("condition operator {operator:?} is not known").into())
            });
        Self {
            operator: operator.into(),
            key: key.into(),
            key_lowercase: key.to_lowercase().into(),
            set,
            if_exists,
            operation,
        }
    }

    /// The templates among its values.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let tests: &[ValueTest] = match &self.operation {
            Operation::Compare { tests, .. } => tests,
            Operation::Null(_) | Operation::Unknown(_) => &[],
        };
        tests.iter().filter_map(|test| match test {
            ValueTest::Text(template) => Some(template),
            ValueTest::Fixed(_) | ValueTest::Unclear(_) => None,
        })
    }
}

impl Operation {
    /// `name` is the operator in lower case, without set operator and `IfExists`.
    fn new(name: &str, values: &[impl AsRef<str>], variables: bool) -> Option<Self> {
        let compare = |negated: bool, test: &dyn Fn(&str) -> ValueTest| {
            let tests = values.iter().map(|value| test(value.as_ref())).collect();
            Some(Self::Compare { negated, tests, binary: false })
        };
        let text = |negated, wildcards, ignore_case| {
            compare(negated, &|value| {
                ValueTest::Text(Template::new(value, wildcards, ignore_case, variables))
            })
        };
        let number = |negated, comparison| {
            compare(negated, &|value| {
                fixed(parse_number(value).map(|n| Test::Number(comparison, n)), value, "a number")
            })
        };
        let date = |negated, comparison| {
            compare(negated, &|value| {
                fixed(parse_date(value).map(|d| Test::Date(comparison, d)), value, "a date")
            })
        };
        let address = |negated| {
            compare(negated, &|value| {
                fixed(parse_range(value).map(Test::Address), value, "an address or range")
            })
        };
        use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual};
        use Wildcards::{Everywhere, Nowhere, PerSegment};
        match name {
            "stringequals" => text(false, Nowhere, false),
            "stringnotequals" => text(true, Nowhere, false),
            "stringequalsignorecase" => text(false, Nowhere, true),
            "stringnotequalsignorecase" => text(true, Nowhere, true),
            "stringlike" => text(false, Everywhere, false),
            "stringnotlike" => text(true, Everywhere, false),
            "arnequals" | "arnlike" => text(false, PerSegment, false),
            "arnnotequals" | "arnnotlike" => text(true, PerSegment, false),
            "numericequals" => number(false, Equal),
            "numericnotequals" => number(true, Equal),
            "numericlessthan" => number(false, Less),
            "numericlessthanequals" => number(false, LessOrEqual),
            "numericgreaterthan" => number(false, Greater),
            "numericgreaterthanequals" => number(false, GreaterOrEqual),
            "dateequals" => date(false, Equal),
            "datenotequals" => date(true, Equal),
            "datelessthan" => date(false, Less),
            "datelessthanequals" => date(false, LessOrEqual),
            "dategreaterthan" => date(false, Greater),
            "dategreaterthanequals" => date(false, GreaterOrEqual),
            "ipaddress" => address(false),
            "notipaddress" => address(true),
            // Variables are for string and ARN operators only.
            "bool" => compare(false, &|value| match truth(value) {
                Some(_) => ValueTest::Text(Template::new(value, Nowhere, true, false)),
                None => fixed(None, value, "true or false"),
            }),
            "binaryequals" => {
                let tests = values.iter().map(|value| {
                    let value = value.as_ref();
                    match binary::canonical(value) {
                        Some(text) => ValueTest::Text(Template::new(&text, Nowhere, false, false)),
                        None => fixed(None, value, "base64"),
                    }
                });
                Some(Self::Compare { negated: false, tests: tests.collect(), binary: true })
            }
            "null" => Some(Self::Null(
                values
                    .iter()
                    .map(|value| {
                        truth(value.as_ref())
                            .ok_or_else(|| unclear(value.as_ref(), "true or false").into())
                    })
                    .collect(),
            )),
            _ => None,
        }
    }
}

fn truth(value: &str) -> Option<bool> {
    if value.eq_ignore_ascii_case("true") {
        Some(true)
    } else if value.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

fn fixed(test: Option<Test>, value: &str, expected: &str) -> ValueTest {
    match test {
        Some(test) => ValueTest::Fixed(test),
        None => ValueTest::Unclear(unclear(value, expected).into()),
    }
}

fn unclear(value: &str, expected: &str) -> String {
    format!("condition value {value:?} is not {expected}")
}

/// A range in CIDR notation; an address alone is a range of one.
fn parse_range(text: &str) -> Option<IpNet> {
    match text.parse::<IpNet>() {
        Ok(range) => Some(range.trunc()),
        Err(_) => text.parse::<std::net::IpAddr>().ok().map(IpNet::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operator_names_are_taken_apart() {
        let condition =
            Condition::new("ForAnyValue:stringLikeIfExists", "aws:TagKeys", &["a*"], true);
        assert_eq!(condition.set, Some(SetOperator::ForAnyValue));
        assert!(condition.if_exists);
        assert!(matches!(condition.operation, Operation::Compare { negated: false, .. }));
        assert_eq!(&*condition.key_lowercase, "aws:tagkeys");
    }

    #[test]
    fn what_is_not_an_operator_is_unknown() {
        for operator in ["StringMatches", "NullIfExists", "ForAllValues:Null", "IfExists", ""] {
            let condition = Condition::new(operator, "k", &["true"], true);
            assert!(matches!(condition.operation, Operation::Unknown(_)), "{operator}");
        }
    }

    #[test]
    fn a_value_of_another_type_is_unclear() {
        for (operator, value) in [
            ("NumericEquals", "ten"),
            ("DateLessThan", "tomorrow"),
            ("IpAddress", "10.0.0.0/33"),
            ("Bool", "yes"),
            ("BinaryEquals", "%%"),
        ] {
            let condition = Condition::new(operator, "k", &[value], true);
            let Operation::Compare { tests, .. } = condition.operation else {
                panic!("{operator}")
            };
            assert!(matches!(&*tests, [ValueTest::Unclear(_)]), "{operator} {value}");
        }
    }

    #[test]
    fn an_address_alone_is_a_range_of_one() {
        assert_eq!(parse_range("10.1.2.3"), "10.1.2.3/32".parse().ok());
        assert_eq!(parse_range("2001:db8::1"), "2001:db8::1/128".parse().ok());
        assert_eq!(parse_range("10.1.2.3/8"), "10.0.0.0/8".parse().ok());
    }
}
