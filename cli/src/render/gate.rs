//! How a snapshot passes the gate: what is new, expired, violated; then what was accepted.

use std::io::{self, Write};
use std::sync::Arc;

use escalade_engine::answer::Verdict;
use escalade_engine::gate::{AcceptanceReport, Gate, NewPath};
use escalade_engine::invariant::{Expected, InvariantReport, Outcome};

use super::answer::{missing, more};
use super::diff::path;
use super::goal::{SOME_ADMINISTRATOR, predicate, subject};
use super::names::Names;
use super::{FAINT, STRONG, View, counted, verdict_style, visible};

/// Writes the judgement of a gate.
pub(crate) fn gate(out: &mut dyn Write, gate: &Gate, view: View) -> io::Result<()> {
    summary(out, gate)?;
    writeln!(out)?;
    for (new, rest) in grouped(&gate.new) {
        writeln!(out, "\n{STRONG}New{STRONG:#}")?;
        one(out, new, rest, view)?;
    }
    acceptances(out, "Expired", &gate.expired, view)?;
    for report in &gate.invariants {
        invariant(out, report, view)?;
    }
    if !gate.undecided.is_empty() {
        writeln!(out, "\n{STRONG}Undecided{STRONG:#}")?;
        let rows = view.rows(gate.undecided.len());
        for undecided in gate.undecided.iter().take(rows) {
            let names = Names::of_start(&undecided.from);
            let reasons = undecided.finding.iter().flat_map(|finding| &finding.unknown);
            let reasons: Vec<_> = reasons.map(|reason| visible(reason)).collect();
            writeln!(
                out,
                "  {} {FAINT}to{FAINT:#} {}  {FAINT}{}{FAINT:#}",
                names.short(&undecided.from),
                visible(&undecided.to),
                reasons.join("; ")
            )?;
        }
        more(out, gate.undecided.len() - rows, "  ")?;
    }
    acceptances(out, "Accepted", &gate.accepted, view)?;
    acceptances(out, "Accepted, but not there any more", &gate.unused, view)?;
    if !gate.renamed.is_empty() {
        writeln!(out, "\n{STRONG}Renamed{STRONG:#}")?;
        for renamed in &gate.renamed {
            let names = Names::of_start(&renamed.is);
            writeln!(out, "  {} is now {}", names.short(&renamed.was), names.short(&renamed.is))?;
        }
    }
    missing(out, &gate.unknown, view)
}

/// Writes the judgement in numbers, without ending the line.
pub(super) fn summary(out: &mut dyn Write, gate: &Gate) -> io::Result<()> {
    let (style, word) = match gate.passed {
        true => (verdict_style(Verdict::Unreachable), "passed"),
        false => (verdict_style(Verdict::Reachable), "failed"),
    };
    let mut new = counted(gate.new.len(), "new path");
    // Baselines may be about something else than who comes to be administrator.
    if gate.goals.iter().any(|goal| **goal != *"admin") {
        let goals: Vec<_> = gate.goals.iter().map(|goal| visible(goal)).collect();
        new.push_str(" to ");
        new.push_str(&goals.join(" and "));
    }
    let mut parts = vec![new];
    let accepted: usize = gate.accepted.iter().map(|report| report.from.len()).sum();
    for (count, what) in [
        (gate.known, "known"),
        (accepted, "accepted"),
        (gate.expired.len(), "expired"),
        (gate.undecided.len(), "undecided"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    if !gate.invariants.is_empty() {
        let holding =
            gate.invariants.iter().filter(|report| report.outcome == Outcome::Holds).count();
        let all = counted(gate.invariants.len(), "invariant");
        parts.push(format!("{holding} of {all} {}", if holding == 1 { "holds" } else { "hold" }));
    }
    write!(out, "{style}{word}{style:#}: {}", parts.join(", "))
}

/// New paths of one cause and goal together.
pub(super) fn grouped(new: &[NewPath]) -> Vec<(&NewPath, Vec<&NewPath>)> {
    let mut groups: Vec<(&NewPath, Vec<&NewPath>)> = Vec::new();
    for path in new {
        let same = |first: &NewPath| first.id == path.id && first.to == path.to && !first.at_goal;
        match groups.iter_mut().find(|(first, _)| same(first)) {
            Some((_, rest)) => rest.push(path),
            None => groups.push((path, Vec::new())),
        }
    }
    groups
}

fn one(out: &mut dyn Write, new: &NewPath, rest: Vec<&NewPath>, view: View) -> io::Result<()> {
    let names = Names::of_start(&new.from);
    let how = how(new);
    let (who, what) = (subject(names, &new.from), becomes(names, new));
    writeln!(out, "  {who} can {what} {how}")?;
    let shown = view.rows(rest.len());
    for other in rest.iter().take(shown) {
        writeln!(out, "  {FAINT}likewise{FAINT:#} {}", names.short(&other.from))?;
    }
    more(out, rest.len() - shown, "  ")?;
    let witness = new.finding.as_ref().and_then(|finding| finding.path.as_ref());
    path(out, names, &new.from, witness, Some(&new.id), view)
}

/// What somebody newly can do.
pub(super) fn becomes(names: Names<'_>, new: &NewPath) -> String {
    let is_outside = new.finding.as_ref().is_some_and(|finding| finding.question.home.is_none());
    match &*new.to {
        "admin" if is_outside => SOME_ADMINISTRATOR.to_owned(),
        goal => predicate(names, goal),
    }
}

/// From the start, or in how many steps.
pub(super) fn how(new: &NewPath) -> String {
    match &new.finding {
        None => "from the start".to_owned(),
        Some(finding) => {
            let steps = finding.path.as_ref().map_or(0, |path| path.steps.len());
            format!("in {}", counted(steps, "step"))
        }
    }
}

fn acceptances(
    out: &mut dyn Write,
    title: &str,
    list: &[AcceptanceReport],
    view: View,
) -> io::Result<()> {
    if list.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{STRONG}{title}{STRONG:#}")?;
    for report in list {
        writeln!(
            out,
            "  {}  {FAINT}until{FAINT:#} {}  {FAINT}by{FAINT:#} {}: {}",
            visible(&report.id),
            report.expires,
            visible(&report.owner),
            visible(&report.reason)
        )?;
        let rows = view.rows(report.from.len());
        for from in report.from.iter().take(rows) {
            writeln!(out, "    {}", visible(from))?;
        }
        more(out, report.from.len() - rows, "    ")?;
    }
    Ok(())
}

fn invariant(out: &mut dyn Write, report: &InvariantReport, view: View) -> io::Result<()> {
    let (style, word) = match report.outcome {
        Outcome::Holds => (verdict_style(Verdict::Unreachable), "Holds"),
        Outcome::Unknown => (verdict_style(Verdict::Unknown), "Unknown"),
        Outcome::Violated => (verdict_style(Verdict::Reachable), "Violated"),
    };
    writeln!(out, "\n{style}{word}{style:#} {}", visible(&report.name))?;
    let pairs = format!(
        "{} and {}",
        counted(report.principals, "principal"),
        counted(report.goals.len(), "goal")
    );
    match (report.outcome, report.expect) {
        (Outcome::Holds, Expected::Unreachable) => {
            return writeln!(out, "  {FAINT}proved for {pairs}{FAINT:#}");
        }
        (Outcome::Holds, Expected::Reachable) => {
            return writeln!(out, "  {FAINT}a path for {pairs}{FAINT:#}");
        }
        _ => writeln!(out, "  {FAINT}of {pairs}{FAINT:#}")?,
    }
    let rows = view.rows(report.already_there.len());
    for (goal, from) in report.already_there.iter().take(rows) {
        let names = Names::of_start(from);
        let (who, what) = (subject(names, from), predicate(names, goal));
        writeln!(out, "  {who} can {what} from the start")?;
    }
    more(out, report.already_there.len() - rows, "  ")?;
    // Each cause with its path, the first ones in full.
    let mut shown: Vec<Option<&Arc<str>>> = Vec::new();
    for answer in &report.violations {
        let from = &answer.question.from;
        let names = Names::of_start(from);
        let (who, what) = (subject(names, from), predicate(names, &answer.question.to));
        let id = answer.id.as_ref();
        if answer.path.is_none() {
            writeln!(out, "  {who} cannot {what}")?;
        } else if view.verbose || (shown.len() < DETAILED && !shown.contains(&id)) {
            writeln!(out, "  {who} can {what}")?;
            path(out, names, from, answer.path.as_ref(), id.map(|id| &**id), view)?;
            shown.push(id);
        } else {
            let id = id.map(|id| visible(id)).unwrap_or_default();
            writeln!(out, "  {who} can {what}  {FAINT}finding {id}{FAINT:#}")?;
        }
    }
    for unknown in &report.unknown {
        writeln!(out, "  {FAINT}not known:{FAINT:#} {}", visible(unknown))?;
    }
    Ok(())
}

/// How many causes of violations of one invariant are shown call by call.
const DETAILED: usize = 3;
