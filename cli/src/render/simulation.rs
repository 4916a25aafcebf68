//! Simulated requests: the verdict, on what it hangs, who decides, what every layer says, what
//! almost matched.

use std::io::{self, Write};
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use escalade_engine::simulation::{
    Deviation, LayerReport, NearMissReport, PolicyReport, Says, Simulation, StatementReport,
    Verdict,
};

use super::answer::{missing, more};
use super::assumption::sentence;
use super::columns::{Cell, columns};
use super::names::Names;
use super::{ACTION, FAINT, PLAIN, STRONG, View, visible};

/// Writes the answers to all requests, what is not known only once.
pub(crate) fn simulations(
    out: &mut dyn Write,
    results: &[Simulation],
    view: View,
) -> io::Result<()> {
    for (position, result) in results.iter().enumerate() {
        if position > 0 {
            writeln!(out)?;
        }
        one(out, result, view)?;
    }
    let mut unknown: Vec<Arc<str>> =
        results.iter().flat_map(|result| result.unknown.iter().cloned()).collect();
    unknown.sort();
    unknown.dedup();
    missing(out, &unknown, view)
}

fn one(out: &mut dyn Write, result: &Simulation, view: View) -> io::Result<()> {
    let request = &result.request;
    let names = Names::of_start(&request.principal);
    let style = style(result.verdict);
    writeln!(
        out,
        "{style}{}{style:#}: {} {} {ACTION}{}{ACTION:#}{}",
        result.verdict.as_str().replace('-', " "),
        names.short(&request.principal),
        match result.verdict {
            Verdict::Allowed | Verdict::AllowedUnderAssumptions => "can call",
            Verdict::ExplicitlyDenied | Verdict::ImplicitlyDenied => "cannot call",
            Verdict::Unknown => "may or may not be able to call",
        },
        visible(&request.action),
        if *request.resource == *"*" {
            String::new()
        } else {
            format!(" on {}", names.short(&request.resource))
        },
    )?;
    for (key, values) in &request.context {
        let values: Vec<_> = values.iter().map(|value| visible(value)).collect();
        let values = if values.is_empty() { "(absent)".to_owned() } else { values.join(", ") };
        writeln!(out, "  {FAINT}with{FAINT:#} {} = {values}", visible(key))?;
    }
    for (position, alternative) in result.allowed_if.iter().enumerate() {
        let heading = if position == 0 { "If" } else { "Or if" };
        writeln!(out, "\n{STRONG}{heading}{STRONG:#}")?;
        for assumption in alternative {
            writeln!(out, "  - {}", sentence(assumption))?;
        }
    }
    statements(out, "Denied by", names, &result.denied_by, view)?;
    let decides = |by: &&StatementReport| view.verbose || grants(by.kind);
    let allowing: Vec<_> = result.allowed_by.iter().filter(decides).cloned().collect();
    let heading = match result.verdict {
        Verdict::ExplicitlyDenied | Verdict::ImplicitlyDenied => "Would be allowed by",
        _ => "Allowed by",
    };
    statements(out, heading, names, &allowing, view)?;
    layers(out, names, &result.layers, view)?;
    let succeeds = matches!(result.verdict, Verdict::Allowed | Verdict::AllowedUnderAssumptions);
    if succeeds && !view.verbose {
        return Ok(());
    }
    near_misses(out, names, &result.near_misses, view)
}

/// Whether an allow of such a policy grants, rather than limits.
fn grants(kind: &str) -> bool {
    matches!(kind, "identity" | "resource" | "trust")
}

fn style(verdict: Verdict) -> Style {
    let color = match verdict {
        Verdict::Allowed => AnsiColor::Green,
        Verdict::AllowedUnderAssumptions => AnsiColor::Yellow,
        Verdict::ExplicitlyDenied | Verdict::ImplicitlyDenied => AnsiColor::Red,
        Verdict::Unknown => AnsiColor::Magenta,
    };
    color.on_default().bold()
}

fn statements(
    out: &mut dyn Write,
    heading: &str,
    names: Names<'_>,
    list: &[StatementReport],
    view: View,
) -> io::Result<()> {
    if list.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{STRONG}{heading}{STRONG:#}")?;
    let rows: Vec<Vec<Cell>> = list.iter().map(|by| row(names, by)).collect();
    for (by, row) in list.iter().zip(aligned(rows)) {
        columns(out, 2, &[row], view.width)?;
        for (position, alternative) in by.applies_if.iter().enumerate() {
            let sentences: Vec<_> = alternative.iter().map(sentence).collect();
            let word = if position == 0 { "if" } else { "or if" };
            writeln!(out, "      {FAINT}{word}{FAINT:#} {}", sentences.join(", and "))?;
        }
        for unknown in &by.unknown {
            writeln!(out, "      {FAINT}not known:{FAINT:#} {}", visible(unknown))?;
        }
    }
    Ok(())
}

/// Rows padded so that they align although each is written by itself.
fn aligned(mut rows: Vec<Vec<Cell>>) -> Vec<Vec<Cell>> {
    let width = |column: usize, rows: &[Vec<Cell>]| {
        rows.iter().filter_map(|row| row.get(column)).map(|(text, _)| text.chars().count()).max()
    };
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    for column in 0..columns.saturating_sub(1) {
        let widest = width(column, &rows).unwrap_or(0);
        for row in &mut rows {
            if let Some((text, _)) = row.get_mut(column) {
                let pad = widest.saturating_sub(text.chars().count());
                text.push_str(&" ".repeat(pad));
            }
        }
    }
    rows
}

fn row(names: Names<'_>, by: &StatementReport) -> Vec<Cell> {
    vec![
        (by.kind.to_owned(), FAINT),
        (name(names, by), PLAIN),
        (place(names, by.of.as_deref(), by.file.as_deref()), FAINT),
    ]
}

fn name(names: Names<'_>, by: &StatementReport) -> String {
    names.statement(&by.policy, by.statement, by.sid.as_deref())
}

fn place(names: Names<'_>, of: Option<&str>, file: Option<&str>) -> String {
    match (of, file) {
        (Some(of), Some(file)) => format!("of {}, {}", names.short(of), visible(file)),
        (Some(of), None) => format!("of {}", names.short(of)),
        (None, Some(file)) => visible(file).into_owned(),
        (None, None) => String::new(),
    }
}

fn layers(
    out: &mut dyn Write,
    names: Names<'_>,
    list: &[LayerReport],
    view: View,
) -> io::Result<()> {
    if list.is_empty() {
        return writeln!(out, "  the call needs no permission");
    }
    writeln!(out, "\n{STRONG}Layers{STRONG:#}")?;
    let rows: Vec<Vec<Cell>> = list
        .iter()
        .map(|layer| {
            let kind = match &layer.level {
                Some(level) => format!("{} {}", layer.kind, visible(level)),
                None => layer.kind.to_owned(),
            };
            let (words, style) = says(layer.says);
            let last = match layer.says {
                Says::Nothing => layer.part.to_owned(),
                _ => listed(names, &layer.policies),
            };
            vec![(kind, FAINT), (words.to_owned(), style), (last, FAINT)]
        })
        .collect();
    columns(out, 2, &rows, view.width)
}

fn says(says: Says) -> (&'static str, Style) {
    match says {
        Says::Allows => ("allows", PLAIN),
        Says::MayAllow => ("allows on conditions", PLAIN),
        Says::DoesNotAllow => ("does not allow", STRONG),
        Says::Denies => ("denies", STRONG),
        Says::MayDeny => ("denies on conditions", STRONG),
        Says::NotKnown => ("not known", STRONG),
        Says::Nothing => ("-", FAINT),
    }
}

/// The names of a layer's policies; many are counted.
fn listed(names: Names<'_>, policies: &[PolicyReport]) -> String {
    const MOST: usize = 4;
    let shown: Vec<_> =
        policies.iter().take(MOST).map(|known| names.short(&known.policy)).collect();
    match policies.len().saturating_sub(MOST) {
        0 if shown.is_empty() => "no policy".to_owned(),
        0 => shown.join(", "),
        rest => format!("{} and {rest} more", shown.join(", ")),
    }
}

fn near_misses(
    out: &mut dyn Write,
    names: Names<'_>,
    list: &[NearMissReport],
    view: View,
) -> io::Result<()> {
    if list.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{STRONG}Almost{STRONG:#}")?;
    let mut sorted: Vec<&NearMissReport> = list.iter().collect();
    // What is wrong in one place only is the nearest.
    sorted.sort_by_key(|miss| (miss.failed.len(), miss.failed.iter().any(is_action)));
    let rows = view.rows(sorted.len()).min(if view.verbose { usize::MAX } else { MISSES });
    for miss in sorted.iter().take(rows) {
        let verb = if miss.effect == "deny" { "would deny" } else { "would allow" };
        writeln!(
            out,
            "  {} {} {FAINT}{verb}, but{FAINT:#}",
            miss.statement.kind,
            name(names, &miss.statement)
        )?;
        for deviation in &miss.failed {
            writeln!(out, "    - {}", deviates(names, deviation))?;
        }
    }
    more(out, sorted.len() - rows, "  ")
}

/// How many statements that almost matched are shown unless all are asked for.
const MISSES: usize = 6;

fn is_action(deviation: &Deviation) -> bool {
    deviation.element.ends_with("Action")
}

fn deviates(names: Names<'_>, deviation: &Deviation) -> String {
    let wanted = values(names, &deviation.wanted);
    let found = values(names, &deviation.found);
    match (deviation.element, &deviation.operator, &deviation.key) {
        ("Condition", Some(operator), Some(key)) => {
            let (operator, key) = (visible(operator), visible(key));
            if deviation.found.is_empty() {
                format!("{operator} {key} wants {wanted}: it is absent")
            } else {
                format!("{operator} {key} wants {wanted}: it is {found}")
            }
        }
        (element, ..) => format!("{element} is {wanted}: the request has {found}"),
    }
}

fn values(names: Names<'_>, values: &[Arc<str>]) -> String {
    const MOST: usize = 5;
    let shown: Vec<_> = values.iter().take(MOST).map(|value| names.short(value)).collect();
    match values.len().saturating_sub(MOST) {
        0 if shown.is_empty() => "nothing".to_owned(),
        0 => shown.join(", "),
        rest => format!("{} and {rest} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_says_what_it_wants_and_what_is_there() {
        let mut deviation = Deviation {
            element: "Condition",
            operator: Some("StringEquals".into()),
            key: Some("iam:PassedToService".into()),
            wanted: vec!["ec2.amazonaws.com".into()],
            found: Vec::new(),
        };
        let check = |deviation: &Deviation, expected: &str| {
            assert_eq!(deviates(Names::default(), deviation), expected);
        };
        check(&deviation, "StringEquals iam:PassedToService wants ec2.amazonaws.com: it is absent");
        deviation.found.push("a\u{1b}".into());
        check(
            &deviation,
            r"StringEquals iam:PassedToService wants ec2.amazonaws.com: it is a\u{1b}",
        );
    }
}
