//! Answers as text for people.
//!
//! Everything that comes from a snapshot goes through [`visible`], since it is not ours: nothing
//! in it may move the cursor, reorder the line or hide.

mod answer;
mod assumption;
mod audit;
pub(crate) mod brief;
mod columns;
mod comparison;
mod constraints;
mod diff;
mod explanation;
mod fix;
mod gate;
mod goal;
mod names;
mod simulation;
mod technique;
mod visible;
mod who_can;
mod why_not;

use anstyle::{AnsiColor, Style};

pub(crate) use answer::{answer, claim, gained, verdict};
pub(crate) use assumption::sentence;
pub(crate) use audit::{audit, headline, home, on};
pub(crate) use comparison::comparison;
pub(crate) use diff::diff;
pub(crate) use explanation::explanation;
pub(crate) use fix::{changed, fix, subject};
pub(crate) use gate::gate;
pub(crate) use goal::predicate;
pub(crate) use names::Names;
pub(crate) use simulation::simulations;
pub(crate) use technique::{category, list, severity, technique};
pub(crate) use visible::visible;
pub(crate) use who_can::who_can;
pub(crate) use why_not::{proved, why_not};

use escalade_engine::answer::Verdict;

/// How much is shown, and on what.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct View {
    /// Columns of the terminal; none if it is no terminal.
    pub(crate) width: Option<usize>,
    /// Whether nothing is left out.
    pub(crate) verbose: bool,
}

impl View {
    /// Rows that a list of `length` shows.
    fn rows(self, length: usize) -> usize {
        // One more row than the cut would take as much room as saying that it was cut.
        if self.verbose || length <= LIST + 1 { length } else { LIST }
    }
}

/// How many rows of a list are shown unless all are asked for.
const LIST: usize = 20;

const PLAIN: Style = Style::new();
const STRONG: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();
const ACTION: Style = AnsiColor::Cyan.on_default();

fn verdict_style(verdict: Verdict) -> Style {
    let color = match verdict {
        Verdict::Reachable => AnsiColor::Red,
        Verdict::ReachableUnderAssumptions => AnsiColor::Yellow,
        Verdict::Unreachable => AnsiColor::Green,
        Verdict::Unknown => AnsiColor::Magenta,
    };
    color.on_default().bold()
}

/// `1 step`, `2 steps`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
fn plain(write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut bytes = Vec::new();
    write(&mut bytes).unwrap();
    anstream::adapter::strip_str(&String::from_utf8(bytes).unwrap()).to_string()
}
