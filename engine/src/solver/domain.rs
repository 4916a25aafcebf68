//! Values that are few enough to list: one for each way in which the tests on a variable can come
//! out. Numbers, dates and addresses are cut into elementary intervals by the bounds they are
//! compared with; a Boolean key has two values.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;

use super::keys::{self, ValueType};
use crate::pattern::Pattern;
use crate::residual::{Test, Variable, date_text, number_text};

/// One value, for every variable of a cell: the time of a request has two spellings.
pub(super) type Class = Vec<Arc<str>>;

/// The listed values, preferred ones first.
#[derive(Clone, Debug)]
pub(super) struct Classes {
    pub(super) list: Vec<Class>,
    /// Whether every way in which the tests can come out is among them.
    pub(super) exact: bool,
}

/// Billionths in one.
const UNIT: i128 = 1_000_000_000;

/// Lists the values of a variable, or of the two variables of the clock. `None` where the value
/// is text under patterns only, which cannot be listed.
pub(super) fn classes(members: &[(&Variable, Vec<&Test>)]) -> Option<Classes> {
    let (first, tests) = members.first()?;
    let value_type = keys::value_type(&keys::lower_case(first));
    let candidates: Vec<Class> = match value_type {
        ValueType::Boolean => single(["false".to_owned(), "true".to_owned()]),
        ValueType::ClockDate | ValueType::ClockSeconds => clock(members),
        _ if tests.iter().all(|test| matches!(test, Test::Like(_))) => return None,
        _ => single(ordered(tests, value_type)),
    };
    let outcome = |class: &Class| -> Vec<bool> {
        let each = members.iter().zip(class);
        each.flat_map(|((_, tests), text)| tests.iter().map(|test| test.holds(text))).collect()
    };
    let accepted = |class: &Class| {
        members.iter().zip(class).all(|((variable, _), text)| variable.grammar.accepts(text))
    };
    if value_type == ValueType::Boolean {
        let list: Vec<Class> = candidates.into_iter().filter(accepted).collect();
        // A grammar that takes neither is not that of a Boolean: leave it to the patterns.
        return (list.len() == 2).then_some(Classes { list, exact: true });
    }
    let possible: BTreeSet<Vec<bool>> = candidates.iter().map(outcome).collect();
    let mut seen = BTreeSet::new();
    let list: Vec<Class> = candidates
        .into_iter()
        .filter(|class| accepted(class) && seen.insert(outcome(class)))
        .collect();
    let patterns = members
        .iter()
        .any(|(_, tests)| tests.iter().any(|test| matches!(test, Test::Like(p) if !p.is_any())));
    Some(Classes { exact: seen == possible && !patterns, list })
}

fn single(texts: impl IntoIterator<Item = String>) -> Vec<Class> {
    texts.into_iter().map(|text| vec![Arc::from(text)]).collect()
}

/// Values of a variable that is compared as number, date or address.
fn ordered(tests: &[&Test], value_type: ValueType) -> Vec<String> {
    let numbers: BTreeSet<i128> = tests
        .iter()
        .filter_map(|test| if let Test::Number(_, bound) = test { Some(*bound) } else { None })
        .collect();
    let dates: BTreeSet<i64> = tests
        .iter()
        .filter_map(|test| if let Test::Date(_, bound) = test { Some(*bound) } else { None })
        .collect();
    let ranges: BTreeSet<IpNet> = tests
        .iter()
        .filter_map(|test| if let Test::Address(range) = test { Some(*range) } else { None })
        .collect();
    let mut out = Vec::new();
    if !ranges.is_empty() {
        out.extend(addresses(&ranges));
    }
    if !numbers.is_empty() {
        match value_type {
            ValueType::Count => out.extend(counts(&numbers).into_iter().map(number_text)),
            _ => out.extend(number_points(&numbers).map(number_text)),
        }
    }
    if !dates.is_empty() {
        out.extend(date_points(&dates).into_iter().map(date_text));
    }
    for test in tests {
        if let Test::Like(pattern) = test {
            out.extend(pattern.as_literal());
            out.extend(completed(pattern));
        }
    }
    if value_type == ValueType::Other {
        // A key that the table does not know may hold text that is none of these.
        let none = ["x", "none", "-", ""].map(str::to_owned);
        out.extend(none.into_iter().filter(|text| {
            !tests.iter().any(|test| !matches!(test, Test::Like(_)) && test.holds(text))
        }));
    }
    out
}

/// One number in each elementary interval: small ones first, negative ones last.
fn number_points(bounds: &BTreeSet<i128>) -> impl Iterator<Item = i128> {
    let integer_above =
        |bound: i128| (bound.div_euclid(UNIT).saturating_add(1)).saturating_mul(UNIT);
    let mut points = BTreeSet::new();
    if let Some(&lowest) = bounds.first() {
        let below = (lowest - 1).div_euclid(UNIT).saturating_mul(UNIT);
        points.insert(if lowest > 0 { 0 } else { below });
    }
    let mut rest = bounds.iter().copied().peekable();
    while let Some(bound) = rest.next() {
        points.insert(bound);
        let between = [0, integer_above(bound), bound.saturating_add(1)];
        let inside = |point: &i128| *point > bound && rest.peek().is_none_or(|next| *point < *next);
        points.extend(between.into_iter().find(inside));
    }
    let (negative, positive): (Vec<i128>, Vec<i128>) =
        points.into_iter().partition(|point| *point < 0);
    positive.into_iter().chain(negative.into_iter().rev())
}

/// One whole number in each elementary interval that has one, small ones first, none negative.
fn counts(bounds: &BTreeSet<i128>) -> BTreeSet<i128> {
    let around = bounds.iter().flat_map(|bound| {
        let floor = bound.div_euclid(UNIT);
        [floor - 1, floor, floor + 1].map(|count| count.saturating_mul(UNIT))
    });
    std::iter::once(0).chain(around).filter(|count| *count >= 0).collect()
}

/// One time in each elementary interval, in milliseconds: latest first, since time goes on.
fn date_points(bounds: &BTreeSet<i64>) -> Vec<i64> {
    let mut points = BTreeSet::new();
    points.extend(bounds.first().map(|lowest| lowest.saturating_sub(1000)));
    let mut rest = bounds.iter().copied().peekable();
    while let Some(bound) = rest.next() {
        points.insert(bound);
        let between = [bound.saturating_add(1000), bound.saturating_add(1)];
        let inside = |point: &i64| *point > bound && rest.peek().is_none_or(|next| *point < *next);
        points.extend(between.into_iter().find(inside));
    }
    points.into_iter().rev().collect()
}

/// The earliest and the latest time, in milliseconds, at which the tests come out as they do for a
/// listed time. `None`: there is none.
pub(super) fn span(
    members: &[(&Variable, Vec<&Test>)],
    class: &Class,
) -> (Option<i64>, Option<i64>) {
    let spell = |milliseconds: i64, variable: &Variable| -> String {
        match keys::value_type(&keys::lower_case(variable)) {
            ValueType::ClockSeconds => (milliseconds / 1000).to_string(),
            _ => date_text(milliseconds),
        }
    };
    let bounds = members.iter().flat_map(|(_, tests)| tests).filter_map(|test| match test {
        Test::Date(_, bound) => Some(*bound),
        Test::Number(_, bound) => i64::try_from(bound.div_euclid(UNIT)).ok()?.checked_mul(1000),
        _ => None,
    });
    let around = |bound: i64| [-1000, 0, 1000].map(|by: i64| bound.saturating_add(by));
    let times: BTreeSet<i64> = bounds.flat_map(around).collect();
    let alike = |time: &&i64| {
        members.iter().zip(class).all(|((variable, tests), text)| {
            let other = spell(**time, variable);
            tests.iter().all(|test| test.holds(text) == test.holds(&other))
        })
    };
    let alike: Vec<i64> = times.iter().filter(alike).copied().collect();
    let inside = |time: &&i64, end: Option<&i64>| Some(*time) != end;
    (
        alike.first().filter(|time| inside(time, times.first())).copied(),
        alike.last().filter(|time| inside(time, times.last())).copied(),
    )
}

/// The time of the request, whole seconds as AWS gives it, in the spelling of each variable.
fn clock(members: &[(&Variable, Vec<&Test>)]) -> Vec<Class> {
    const FALLBACK: i64 = 1_767_225_600; // 2026-01-01T00:00:00Z
    let mut bounds: BTreeSet<i64> = BTreeSet::new();
    let mut whole = |bound: i128, unit: i128| {
        let floor = bound.div_euclid(unit);
        let ceiling = floor + i128::from(bound.rem_euclid(unit) != 0);
        bounds.extend([floor, ceiling].into_iter().filter_map(|second| i64::try_from(second).ok()));
    };
    let mut written = Vec::new();
    for test in members.iter().flat_map(|(_, tests)| tests) {
        match test {
            Test::Date(_, bound) => whole(i128::from(*bound), 1000),
            Test::Number(_, bound) => whole(*bound, UNIT),
            Test::Like(pattern) => {
                written.extend(pattern.as_literal());
                written.extend(completed(pattern));
            }
            Test::Address(_) => {}
        }
    }
    let mut seconds: BTreeSet<i64> = BTreeSet::new();
    for bound in &bounds {
        seconds.extend([bound.saturating_sub(1), *bound, bound.saturating_add(1)]);
    }
    let written = written.iter().filter_map(|text| crate::residual::parse_date(text));
    seconds.extend(written.map(|milliseconds| milliseconds.div_euclid(1000)));
    if seconds.is_empty() {
        seconds.insert(FALLBACK);
    }
    let spell = |second: i64, variable: &Variable| -> Arc<str> {
        match keys::value_type(&keys::lower_case(variable)) {
            ValueType::ClockSeconds => second.to_string().into(),
            _ => date_text(second.saturating_mul(1000)).into(),
        }
    };
    seconds
        .into_iter()
        .rev()
        .map(|second| members.iter().map(|(variable, _)| spell(second, variable)).collect())
        .collect()
}

/// One address in each elementary interval: those that pass the fewest tests first, version 4
/// before version 6, and of these the ones set aside for documentation (RFC 5737, RFC 3849).
fn addresses(ranges: &BTreeSet<IpNet>) -> Vec<String> {
    const READABLE: [IpAddr; 4] = [
        IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)),
        IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)),
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
    ];
    // Where an interval begins; the one before it ends just below.
    let mut version_4: BTreeSet<u32> = BTreeSet::from([0]);
    let mut version_6: BTreeSet<u128> = BTreeSet::from([0]);
    for range in ranges {
        match range {
            IpNet::V4(range) => {
                version_4.insert(range.network().to_bits());
                version_4.extend(range.broadcast().to_bits().checked_add(1));
            }
            IpNet::V6(range) => {
                version_6.insert(range.network().to_bits());
                version_6.extend(range.broadcast().to_bits().checked_add(1));
            }
        }
    }
    let mut points: BTreeSet<IpAddr> = READABLE.into();
    for &start in &version_4 {
        let next = start.saturating_add(1);
        // The first address of a range is its network's name: the one after it reads better.
        let point = if version_4.contains(&next) { start } else { next };
        points.insert(Ipv4Addr::from_bits(point).into());
    }
    for &start in &version_6 {
        let next = start.saturating_add(1);
        let point = if version_6.contains(&next) { start } else { next };
        points.insert(Ipv6Addr::from_bits(point).into());
    }
    let passing = |address: &IpAddr| ranges.iter().filter(|range| range.contains(address)).count();
    let mut points: Vec<(usize, bool, usize, IpAddr)> = points
        .into_iter()
        .map(|address| {
            let readable = READABLE.iter().position(|known| *known == address);
            (passing(&address), address.is_ipv6(), readable.unwrap_or(READABLE.len()), address)
        })
        .collect();
    points.sort();
    points.into_iter().map(|(.., address)| address.to_string()).collect()
}

/// Dates and addresses that begin as the pattern does: `2026-*` is completed to a whole date,
/// `10.*` to a whole address.
pub(super) fn completed(pattern: &Pattern) -> Vec<String> {
    const DATE: &str = "2026-01-01T00:00:00Z";
    let prefix = pattern.literal_prefix();
    if prefix.is_empty() || !pattern.has_run() {
        return Vec::new();
    }
    let date = DATE.get(prefix.len()..).unwrap_or_default();
    ["", date, "1", "0.1", "0.0.1", ".1", ".0.1", ".0.0.1", "::1"]
        .into_iter()
        .map(|tail| format!("{prefix}{tail}"))
        .filter(|text| pattern.matches(text))
        .filter(|text| {
            text.parse::<IpAddr>().is_ok() || crate::residual::parse_date(text).is_some()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::residual::{Comparison, Grammar, VariableKind};

    fn key(name: &str) -> Variable {
        Variable {
            name: name.into(),
            scope: "".into(),
            kind: VariableKind::Environment,
            multivalued: false,
            grammar: Grammar::any(),
        }
    }

    fn check(name: &str, tests: &[Test], expected: &[&str]) {
        let variable = key(name);
        let classes = classes(&[(&variable, tests.iter().collect())]).expect("can be listed");
        let texts: Vec<&str> = classes.list.iter().map(|class| &*class[0]).collect();
        assert_eq!(texts, expected, "{name} under {tests:?}");
        assert!(classes.exact);
    }

    #[test]
    fn bounds_cut_numbers_into_intervals() {
        let tests = [
            Test::Number(Comparison::Less, 3600 * UNIT),
            Test::Number(Comparison::Greater, 3600 * UNIT + 5),
        ];
        // The last interval is named by its first whole number.
        check("aws:MultiFactorAuthAge", &tests, &["0", "3600", "3601"]);
    }

    #[test]
    fn a_key_of_unknown_type_may_hold_no_number() {
        let key = "s3:object-lock-remaining-retention-days";
        check(key, &[Test::Number(Comparison::LessOrEqual, 10 * UNIT)], &["0", "11"]);
        let equal = [Test::Number(Comparison::Greater, -5 * UNIT)];
        check(key, &equal, &["0", "-5"]);
        let both = [
            Test::Number(Comparison::Greater, 5 * UNIT),
            Test::Number(Comparison::LessOrEqual, 5 * UNIT),
        ];
        check(key, &both, &["0", "6", "x"]);
    }

    #[test]
    fn a_count_is_whole_and_not_negative() {
        let between = [
            Test::Number(Comparison::Greater, 10 * UNIT),
            Test::Number(Comparison::Less, 11 * UNIT),
        ];
        check("s3:max-keys", &between, &["0", "11"]);
        check("s3:max-keys", &[Test::Number(Comparison::Less, 0)], &["0"]);
    }

    #[test]
    fn addresses_of_both_versions_are_listed() {
        let range = |text: &str| Test::Address(text.parse().unwrap());
        check("aws:SourceIp", &[range("10.0.0.0/8")], &["203.0.113.1", "10.0.0.1"]);
        check("aws:SourceIp", &[range("0.0.0.0/0")], &["2001:db8::1", "203.0.113.1"]);
        check("aws:SourceIp", &[range("203.0.113.7/32")], &["203.0.113.1", "203.0.113.7"]);
        check("aws:SourceIp", &[range("2001:db8::/32")], &["203.0.113.1", "2001:db8::1"]);
        check(
            "aws:SourceIp",
            &[range("0.0.0.0/0"), range("::/0")],
            &["203.0.113.1", "2001:db8::1"],
        );
    }

    #[test]
    fn later_times_come_first() {
        let bound = 1_735_689_600_000;
        let tests = [Test::Date(Comparison::Greater, bound)];
        check("aws:CurrentTime", &tests, &["2025-01-01T00:00:01Z", "2025-01-01T00:00:00Z"]);
        check("aws:EpochTime", &tests, &["1735689601", "1735689600"]);
    }
}
