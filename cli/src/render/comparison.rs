//! How two sets of permissions differ, for people.

use std::io::{self, Write};

use anstyle::AnsiColor;
use escalade_engine::comparison::{Comparison, Difference, Relation};

use super::answer::{missing, more};
use super::names::Names;
use super::{ACTION, FAINT, STRONG, View, visible};

/// Writes a comparison.
pub(crate) fn comparison(
    out: &mut dyn Write,
    comparison: &Comparison,
    view: View,
) -> io::Result<()> {
    let names = Names::of_start(&comparison.a);
    let (a, b) = (names.short(&comparison.a), names.short(&comparison.b));
    let (word, claim, color) = match comparison.relation {
        Relation::Equal => ("equal", format!("{a} and {b} permit the same"), AnsiColor::Green),
        Relation::More => {
            ("more", format!("{a} permits all that {b} does, and more"), AnsiColor::Yellow)
        }
        Relation::Less => {
            ("less", format!("{a} permits less than {b}, and nothing else"), AnsiColor::Yellow)
        }
        Relation::Different => (
            "different",
            format!("{a} and {b} each permit something that the other does not"),
            AnsiColor::Yellow,
        ),
        Relation::Unknown => {
            ("unknown", format!("how {a} and {b} differ is not decided"), AnsiColor::Magenta)
        }
    };
    let style = color.on_default().bold();
    writeln!(out, "{style}{word}{style:#}: {claim}")?;
    one(out, names, &format!("Only {a}"), &comparison.only_a, view)?;
    one(out, names, &format!("Only {b}"), &comparison.only_b, view)?;
    let mut unknown = comparison.only_a.unknown.clone();
    unknown.extend(comparison.only_b.unknown.iter().cloned());
    unknown.sort();
    unknown.dedup();
    missing(out, &unknown, view)
}

fn one(
    out: &mut dyn Write,
    names: Names<'_>,
    heading: &str,
    difference: &Difference,
    view: View,
) -> io::Result<()> {
    let Some(example) = &difference.example else { return Ok(()) };
    writeln!(out, "\n{STRONG}{heading}{STRONG:#}")?;
    writeln!(
        out,
        "  for example {ACTION}{}{ACTION:#} on {}",
        visible(&example.action),
        names.short(&example.resource)
    )?;
    for (key, values) in &example.context {
        let values: Vec<_> = values.0.iter().map(|value| names.short(value)).collect();
        let values = if values.is_empty() { "(absent)".to_owned() } else { values.join(", ") };
        writeln!(out, "    {FAINT}with{FAINT:#} {} = {values}", visible(key))?;
    }
    if difference.actions.len() > 1 {
        let rows = view.rows(difference.actions.len());
        writeln!(out, "  of the actions that techniques use:")?;
        for action in difference.actions.iter().take(rows) {
            writeln!(out, "    {}", visible(action))?;
        }
        more(out, difference.actions.len() - rows, "    ")?;
    }
    Ok(())
}
