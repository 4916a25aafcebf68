//! What became possible between two audits: who, by which change, by which path.

use std::io::{self, Write};
use std::sync::Arc;

use anstyle::AnsiColor;
use escalade_engine::answer::{Path, Verdict};
use escalade_engine::diff::{Alteration, Altered, ChangeReport, Diff, Moved, Stand};

use super::answer::{assumptions, missing, steps};
use super::goal::predicate;
use super::names::Names;
use super::{FAINT, STRONG, View, counted, verdict_style, visible};

/// Writes the difference of two audits.
pub(crate) fn diff(out: &mut dyn Write, diff: &Diff, view: View) -> io::Result<()> {
    summary(out, diff)?;
    writeln!(out)?;
    if differs_in_nothing(diff) {
        return Ok(());
    }
    opened(out, diff, "Opened", &diff.opened, view)?;
    opened(out, diff, "Changed", &diff.changed, view)?;
    list(out, "Closed", &diff.closed, view)?;
    list(out, "Weakened or undecided", &diff.weakened, view)?;
    if !diff.renamed.is_empty() {
        writeln!(out, "\n{STRONG}Renamed{STRONG:#}")?;
        for renamed in &diff.renamed {
            let names = Names::of_start(&renamed.is);
            writeln!(out, "  {} is now {}", names.short(&renamed.was), names.short(&renamed.is))?;
        }
    }
    missing(out, &diff.unknown, view)
}

/// Whether not even a name differs.
pub(super) fn differs_in_nothing(diff: &Diff) -> bool {
    diff.is_empty() && diff.renamed.is_empty()
}

/// Writes the difference in numbers, without ending the line.
pub(super) fn summary(out: &mut dyn Write, diff: &Diff) -> io::Result<()> {
    let goal = goal(diff);
    if differs_in_nothing(diff) {
        let style = verdict_style(Verdict::Unreachable);
        return write!(out, "{style}nothing differs{style:#} in who can {goal}");
    }
    let style = match (diff.opened.is_empty(), diff.changed.is_empty()) {
        (false, _) => verdict_style(Verdict::Reachable),
        (true, false) => verdict_style(Verdict::ReachableUnderAssumptions),
        (true, true) => verdict_style(Verdict::Unreachable),
    };
    write!(
        out,
        "{style}{} opened{style:#}, {} closed, {} changed",
        counted(diff.opened.len(), "path"),
        diff.closed.len(),
        diff.changed.len(),
    )?;
    if !diff.weakened.is_empty() {
        write!(out, ", {} weakened or undecided", diff.weakened.len())?;
    }
    write!(out, ": who can {goal}")
}

fn goal(diff: &Diff) -> String {
    match &*diff.question.to {
        "admin" => "become administrator".to_owned(),
        goal => predicate(Names::default(), goal),
    }
}

/// Those of one cause and one change together.
pub(super) fn same_cause(moved: &[Moved]) -> Vec<(&Moved, Vec<&Moved>)> {
    let mut groups: Vec<(&Moved, Vec<&Moved>)> = Vec::new();
    for moved in moved {
        let same = |first: &Moved| {
            (&first.because, &first.id, first.was, first.is)
                == (&moved.because, &moved.id, moved.was, moved.is)
        };
        match groups.iter_mut().find(|(first, _)| same(first)) {
            Some((_, group)) => group.push(moved),
            None => groups.push((moved, vec![moved])),
        }
    }
    groups
}

/// Writes paths with what opened them: those of one cause and one change together, the path of
/// the first.
fn opened(
    out: &mut dyn Write,
    diff: &Diff,
    title: &str,
    moved: &[Moved],
    view: View,
) -> io::Result<()> {
    let mut shown: Vec<Option<&Arc<str>>> = Vec::new();
    for (first, group) in same_cause(moved) {
        writeln!(out, "\n{STRONG}{title}{STRONG:#}")?;
        let rows = view.rows(group.len());
        for moved in group.iter().take(rows) {
            writeln!(
                out,
                "  {}  {FAINT}was {}, is {}{FAINT:#}",
                visible(&moved.from),
                stand(moved.was),
                stand(moved.is)
            )?;
        }
        super::answer::more(out, group.len() - rows, "  ")?;
        let names = Names::of_start(&first.from);
        match &first.because {
            Some(because) => {
                writeln!(out, "\n  {FAINT}because of{FAINT:#}")?;
                for at in because {
                    if let Some(change) = diff.changes.get(*at) {
                        self::change(out, names, change, view)?;
                    }
                }
            }
            None if diff.changes.is_empty() => {}
            None => writeln!(out, "\n  {FAINT}no part of the changes does it alone{FAINT:#}")?,
        }
        // Others may have come to the same path by other changes.
        let id = first.id.as_ref();
        let known = id.is_some() && shown.contains(&id) && !view.verbose;
        let witness = first.path.as_ref().filter(|_| !known);
        path(out, names, &first.from, witness, id.map(|id| &**id), view)?;
        shown.push(id);
    }
    Ok(())
}

/// Writes a path with the id of its finding.
pub(super) fn path(
    out: &mut dyn Write,
    names: Names<'_>,
    from: &str,
    path: Option<&Path>,
    id: Option<&str>,
    view: View,
) -> io::Result<()> {
    if let Some(path) = path {
        steps(out, names, from, path, view)?;
        assumptions(out, path)?;
    }
    match id {
        Some(id) => writeln!(out, "\n  {FAINT}finding {}{FAINT:#}", visible(id)),
        None => Ok(()),
    }
}

fn list(out: &mut dyn Write, title: &str, moved: &[Moved], view: View) -> io::Result<()> {
    if moved.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{STRONG}{title}{STRONG:#}")?;
    let rows = view.rows(moved.len());
    for moved in moved.iter().take(rows) {
        writeln!(
            out,
            "  {}  {FAINT}was {}, is {}{FAINT:#}",
            visible(&moved.from),
            stand(moved.was),
            stand(moved.is)
        )?;
    }
    super::answer::more(out, moved.len() - rows, "  ")
}

pub(super) fn stand(stand: Stand) -> &'static str {
    match stand {
        Stand::AtGoal => "at the goal from the start",
        Stand::ReachableUnderAssumptions => "reachable under assumptions",
        Stand::Absent => "not there",
        other => other.as_str(),
    }
}

/// Writes one change: what, where, before and after.
fn change(
    out: &mut dyn Write,
    names: Names<'_>,
    change: &ChangeReport,
    view: View,
) -> io::Result<()> {
    let how = how(change);
    writeln!(out, "    {STRONG}{how}{STRONG:#} {}", subject(names, change))?;
    let place = match (&*change.location.file, &*change.location.at) {
        ("", at) => visible(at).into_owned(),
        (file, "") => visible(file).into_owned(),
        (file, at) => format!("{} at {}", visible(file), visible(at)),
    };
    writeln!(out, "      {FAINT}{place}{FAINT:#}")?;
    for (sign, value, color) in
        [('-', &change.before, AnsiColor::Red), ('+', &change.after, AnsiColor::Green)]
    {
        let Some(value) = value else { continue };
        let text = value.to_string();
        let style = color.on_default();
        let text = match text.char_indices().nth(MOST) {
            Some((at, _)) if !view.verbose => {
                format!("{} ...", visible(text.get(..at).unwrap_or_default()))
            }
            _ => visible(&text).into_owned(),
        };
        writeln!(out, "      {style}{sign} {text}{style:#}")?;
    }
    Ok(())
}

/// How much of a value is shown unless all is asked for.
const MOST: usize = 600;

/// How something differs.
pub(super) fn how(change: &ChangeReport) -> &'static str {
    match change.change {
        Alteration::Added => "added",
        Alteration::Removed => "removed",
        Alteration::Changed => "changed",
    }
}

/// What differs.
pub(super) fn subject(names: Names<'_>, change: &ChangeReport) -> String {
    let of =
        change.location.of.as_deref().map(|of| names.short(of).into_owned()).unwrap_or_default();
    let what = change.location.what.as_deref().map(|what| names.short(what).into_owned());
    let what = what.unwrap_or_default();
    match change.kind {
        Altered::Statement | Altered::Trust if change.location.statement.is_some() => {
            let policy = change.location.policy.as_deref().unwrap_or_default();
            let statement = change.location.statement.unwrap_or_default();
            let named = names.statement(policy, statement, change.location.sid.as_deref());
            // A managed policy is what it belongs to.
            if of.ends_with(&format!("/{policy}")) { named } else { format!("{named} of {of}") }
        }
        Altered::Statement => format!("policy of {of}"),
        Altered::Trust => format!("trust policy of {of}"),
        Altered::Policy if what.is_empty() => format!("policy {of}"),
        Altered::Policy => format!("policy {what} of {of}"),
        Altered::PolicyVersion => format!("default version {what} of {of}"),
        Altered::Attachment => format!("{what} attached to {of}"),
        Altered::Membership => format!("{of} in group {what}"),
        Altered::Boundary => format!("permissions boundary {what} of {of}"),
        Altered::Tag => format!("tag {what} of {of}"),
        Altered::Setting => format!("{what} of {of}"),
        Altered::File => "response".to_owned(),
        Altered::Principal | Altered::Group | Altered::Resource => of,
    }
}
