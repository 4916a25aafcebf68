//! One finding with everything about it.

use std::io::{self, Write};

use escalade_engine::analysis::Options;

use super::names::Names;
use super::technique::technique;
use super::{STRONG, View, visible};
use crate::explain::Explanation;

/// Writes a finding, who else has it, where its statements are, and its techniques.
pub(crate) fn explanation(
    out: &mut dyn Write,
    explanation: &Explanation,
    options: &Options,
    view: View,
) -> io::Result<()> {
    let verbose = View { verbose: true, ..view };
    super::answer(out, &explanation.finding, options, verbose)?;
    let from = &explanation.finding.question.from;
    let names = Names::of_start(from);
    let others: Vec<_> = explanation.principals.iter().filter(|other| *other != from).collect();
    if !others.is_empty() {
        writeln!(out, "\n{STRONG}From the same cause{STRONG:#}")?;
        let rows = view.rows(others.len());
        for other in others.iter().take(rows) {
            writeln!(out, "  {}", names.short(other))?;
        }
        super::answer::more(out, others.len() - rows, "  ")?;
    }
    if !explanation.statements.is_empty() {
        writeln!(out, "\n{STRONG}Statements{STRONG:#}")?;
        for by in &explanation.statements {
            let named = names.statement(&by.policy, by.statement, by.sid.as_deref());
            let of = by.of.as_deref().map(|of| format!(" of {}", names.short(of)));
            let file = by.file.as_deref().map(|file| format!("  {}", visible(file)));
            writeln!(out, "  {named}{}{}", of.unwrap_or_default(), file.unwrap_or_default())?;
        }
    }
    for one in &explanation.techniques {
        writeln!(out)?;
        technique(out, one, view)?;
    }
    if let Some(id) = &explanation.finding.id {
        writeln!(out, "\nfinding {}", visible(id))?;
    }
    Ok(())
}
