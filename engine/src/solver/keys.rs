//! What AWS says of single condition keys: what type of value they hold and when they are there.
//!
//! Facts from
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html> and
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-resource-policies-aws-condition-keys.html>.

use crate::residual::Variable;

/// What kind of value a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueType {
    /// `true` or `false`.
    Boolean,
    /// The time of the request, written as a date.
    ClockDate,
    /// The time of the request, in seconds since 1970.
    ClockSeconds,
    /// A date.
    Date,
    /// A whole number that is never negative.
    Count,
    /// An address.
    Address,
    /// Text, or not known to this table.
    Other,
}

/// The type of a key's value, by its name in lower case.
pub(super) fn value_type(key: &str) -> ValueType {
    match key {
        "aws:multifactorauthpresent"
        | "aws:securetransport"
        | "aws:viaawsservice"
        | "aws:principalisawsservice" => ValueType::Boolean,
        "aws:currenttime" => ValueType::ClockDate,
        "aws:epochtime" => ValueType::ClockSeconds,
        "aws:tokenissuetime" => ValueType::Date,
        "aws:multifactorauthage" | "s3:max-keys" => ValueType::Count,
        "aws:sourceip" | "aws:vpcsourceip" => ValueType::Address,
        _ => ValueType::Other,
    }
}

/// Whether every request has the key: the clock and the transport. Names of new resources (`$x`)
/// are no keys and always have a value.
pub(super) fn always_present(key: &str) -> bool {
    key.starts_with('$')
        || matches!(
            key,
            "aws:currenttime"
                | "aws:epochtime"
                | "aws:securetransport"
                | "aws:viaawsservice"
                | "aws:principalisawsservice"
        )
}

/// Whether a request usually has the key, so that a witness with it reads better than one without.
pub(super) fn usually_present(key: &str) -> bool {
    matches!(key, "aws:sourceip" | "aws:useragent")
}

/// The variable's name as the tables above spell it.
pub(super) fn lower_case(variable: &Variable) -> String {
    variable.name.to_ascii_lowercase()
}
