//! A line for each thing that somebody has to look at, for logs: no paths, no policies, nothing
//! that is as it should be. The first line is the whole in numbers, each other one begins with a
//! word that says of what kind it is.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::Arc;

use escalade_engine::answer::Answer;
use escalade_engine::diff::{ChangeReport, Diff, Moved};
use escalade_engine::fix::{EditReport, Fix};
use escalade_engine::gate::{AcceptanceReport, Gate};
use escalade_engine::invariant::{Expected, InvariantReport, Outcome as Held};

use super::diff::{same_cause, stand};
use super::gate::{becomes, grouped, how};
use super::goal::{predicate, subject};
use super::names::Names;
use super::{counted, visible};

/// Writes the judgement of a gate.
pub(crate) fn gate(out: &mut dyn Write, gate: &Gate) -> io::Result<()> {
    super::gate::summary(out, gate)?;
    not_known(out, &gate.unknown)?;
    for (new, rest) in grouped(&gate.new) {
        let names = Names::of_start(&new.from);
        let (who, what) = (subject(names, &new.from), becomes(names, new));
        let by = new.finding.as_ref().map(last_step).unwrap_or_default();
        let others = others(rest.len());
        writeln!(out, "new {} {who}{others} can {what} {}{by}", visible(&new.id), how(new))?;
    }
    for AcceptanceReport { id, owner, expires, reason, .. } in &gate.expired {
        let (id, owner, reason) = (visible(id), visible(owner), visible(reason));
        writeln!(out, "expired {id} on {expires}, by {owner}: {reason}")?;
    }
    gate.invariants.iter().try_for_each(|report| invariant(out, report))?;
    for undecided in &gate.undecided {
        let names = Names::of_start(&undecided.from);
        let (who, what) = (subject(names, &undecided.from), predicate(names, &undecided.to));
        writeln!(out, "undecided whether {who} can {what}")?;
    }
    for AcceptanceReport { id, owner, .. } in &gate.unused {
        writeln!(out, "unused {}, by {}", visible(id), visible(owner))?;
    }
    Ok(())
}

fn invariant(out: &mut dyn Write, report: &InvariantReport) -> io::Result<()> {
    let word = match report.outcome {
        Held::Holds => return Ok(()),
        Held::Unknown => "undecided",
        Held::Violated => "violated",
    };
    write!(out, "{word} {}", visible(&report.name))?;
    let answers =
        report.violations.iter().map(|answer| (&answer.question.from, &answer.question.to));
    let there = report.already_there.iter().map(|(goal, from)| (from, goal));
    let mut all = there.chain(answers);
    if let Some((from, to)) = all.next() {
        let names = Names::of_start(from);
        let can = if report.expect == Expected::Reachable { "cannot" } else { "can" };
        let (who, what) = (subject(names, from), predicate(names, to));
        write!(out, ": {who} {can} {what}")?;
        let more = all.count();
        if more > 0 {
            write!(out, ", and {more} more")?;
        }
    }
    writeln!(out)
}

/// Writes the difference of two audits.
pub(crate) fn diff(out: &mut dyn Write, diff: &Diff) -> io::Result<()> {
    super::diff::summary(out, diff)?;
    not_known(out, &diff.unknown)?;
    for (word, moved) in [("opened", &diff.opened), ("changed", &diff.changed)] {
        for (first, group) in same_cause(moved) {
            let others = others(group.len() - 1);
            write!(out, "{word} {}{others}", visible(&first.from))?;
            let names = Names::of_start(&first.from);
            let because = first.because.iter().flatten();
            let changes = because.filter_map(|at| diff.changes.get(*at));
            let changes: Vec<String> = changes.map(|change| in_words(names, change)).collect();
            match changes.is_empty() {
                true => writeln!(out, ": {}", was_and_is(first))?,
                false => writeln!(out, ": {}", changes.join("; "))?,
            }
        }
    }
    for (word, moved) in [("closed", &diff.closed), ("weakened", &diff.weakened)] {
        for moved in moved {
            writeln!(out, "{word} {}: {}", visible(&moved.from), was_and_is(moved))?;
        }
    }
    for renamed in &diff.renamed {
        writeln!(out, "renamed {}: was {}", visible(&renamed.is), visible(&renamed.was))?;
    }
    Ok(())
}

fn was_and_is(moved: &Moved) -> String {
    format!("was {}, is {}", stand(moved.was), stand(moved.is))
}

fn in_words(names: Names<'_>, change: &ChangeReport) -> String {
    format!("{} {}", super::diff::how(change), super::diff::subject(names, change))
}

/// Writes a fix.
pub(crate) fn fix(out: &mut dyn Write, fix: &Fix) -> io::Result<()> {
    super::fix::summary(out, fix)?;
    if fix.proved_smallest && !fix.edits.is_empty() {
        write!(out, "; fewer do not do")?;
    }
    not_known(out, &fix.unknown)?;
    let names = super::fix::names(fix);
    for edit in &fix.edits {
        writeln!(out, "{}{}", super::fix::subject(names, edit), members(edit))?;
    }
    for arn in &fix.lost {
        writeln!(out, "lost {}: the goal by its own call", visible(arn))?;
    }
    Ok(())
}

/// What a statement that stays has in other words, member by member.
fn members(edit: &EditReport) -> String {
    let (Some(before), Some(Some(after))) =
        (edit.before.as_object(), edit.after.as_ref().map(serde_json::Value::as_object))
    else {
        return String::new();
    };
    let mut out = String::new();
    for (member, now) in after {
        if before.get(member) != Some(now) {
            let sign = if out.is_empty() { ':' } else { ',' };
            let now = now.to_string();
            // Writing to a string does not fail.
            let _ = write!(out, "{sign} {} {}", visible(member), visible(&now));
        }
    }
    out
}

/// Ends the first line with how much is not known: what that is, other formats say.
fn not_known(out: &mut dyn Write, unknown: &[Arc<str>]) -> io::Result<()> {
    match unknown.len() {
        0 => writeln!(out),
        count => writeln!(out, "; {} not known", counted(count, "thing")),
    }
}

fn others(count: usize) -> String {
    match count {
        0 => String::new(),
        count => format!(" and {}", counted(count, "other")),
    }
}

/// The technique that leads to the goal.
fn last_step(finding: &Answer) -> String {
    let last = finding.path.as_ref().and_then(|path| path.steps.last());
    last.map(|step| format!(" by {}", visible(&step.technique))).unwrap_or_default()
}
