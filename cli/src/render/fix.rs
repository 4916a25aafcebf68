//! A fix: what is edited, before and after, and whether fewer edits would do.

use std::io::{self, Write};

use anstyle::AnsiColor;
use escalade_engine::analysis::Options;
use escalade_engine::answer::Verdict;
use escalade_engine::fix::{EditKind, EditReport, Fix, Outcome};
use serde_json::Value;

use super::answer::missing;
use super::goal::predicate;
use super::names::Names;
use super::{FAINT, STRONG, View, answer, counted, verdict_style, visible};

/// Writes a fix.
pub(crate) fn fix(out: &mut dyn Write, fix: &Fix, options: &Options, view: View) -> io::Result<()> {
    summary(out, fix)?;
    writeln!(out)?;
    let names = names(fix);
    if fix.proved_smallest && !fix.edits.is_empty() {
        writeln!(
            out,
            "{FAINT}fewer edits of these kinds do not do: proved by {}; {} tried{FAINT:#}",
            counted(fix.paths, "path"),
            counted(fix.rounds, "snapshot"),
        )?;
    }
    for edit in &fix.edits {
        writeln!(out)?;
        self::edit(out, names, edit)?;
    }
    if !fix.lost.is_empty() {
        writeln!(out, "\n{STRONG}Who can no longer do it by themselves either{STRONG:#}")?;
        for arn in &fix.lost {
            writeln!(out, "  {}", names.short(arn))?;
        }
    }
    for (at, edits) in fix.alternatives.iter().enumerate() {
        writeln!(out, "\n{STRONG}Or instead ({} of {}){STRONG:#}", at + 1, fix.alternatives.len())?;
        for edit in edits {
            match view.verbose {
                true => self::edit(out, names, edit)?,
                false => writeln!(out, "  {}", subject(names, edit))?,
            }
        }
    }
    if let Some(untouched) = &fix.untouched {
        writeln!(out, "\n{STRONG}No edit of these kinds touches{STRONG:#}")?;
        answer(out, untouched, options, view)?;
    }
    missing(out, &fix.unknown, view)
}

/// Names as the reader of a fix needs them.
pub(super) fn names(fix: &Fix) -> Names<'_> {
    let from = fix.from.as_deref().filter(|from| from.contains(':'));
    let first = fix.edits.iter().find_map(|edit| edit.location.of.as_deref());
    Names::of_start(from.or(first).unwrap_or_default())
}

/// Writes how it came out, without ending the line.
pub(super) fn summary(out: &mut dyn Write, fix: &Fix) -> io::Result<()> {
    let from = fix.from.as_deref();
    let names = names(fix);
    let who = from.map_or("anybody".into(), |from| names.short(from));
    let goal = match &*fix.question.to {
        "admin" => "become administrator".to_owned(),
        goal => predicate(names, goal),
    };
    let style = verdict_style(match fix.outcome {
        Outcome::Fixed => Verdict::Unreachable,
        Outcome::Undecided => Verdict::Unknown,
        Outcome::None | Outcome::Limit => Verdict::Reachable,
    });
    let edits = counted(fix.edits.len(), "edit");
    match fix.outcome {
        Outcome::Fixed if fix.edits.is_empty() => {
            write!(out, "{style}nothing to fix{style:#}: no path by which {who} can {goal}")
        }
        Outcome::Fixed => {
            write!(
                out,
                "{style}{edits}{style:#}, after which no path is left by which {who} can {goal}"
            )
        }
        Outcome::Undecided if fix.edits.is_empty() => {
            write!(
                out,
                "{style}nothing found to fix{style:#}: it is not known whether {who} can {goal}"
            )
        }
        Outcome::Undecided => {
            write!(
                out,
                "{style}{edits}{style:#}, after which it is not known whether {who} can {goal}"
            )
        }
        Outcome::None => {
            let must = if fix.keep.is_empty() { "" } else { " and keep what must stay" };
            write!(
                out,
                "{style}no fix{style:#}: no edits of these kinds stop that {who} can {goal}{must}"
            )
        }
        Outcome::Limit => write!(
            out,
            "{style}no fix{style:#}: the limit was hit after trying {}",
            counted(fix.rounds, "snapshot")
        ),
    }
}

/// Writes an edit with the text before and after.
fn edit(out: &mut dyn Write, names: Names<'_>, edit: &EditReport) -> io::Result<()> {
    writeln!(out, "  {STRONG}{}{STRONG:#}", subject(names, edit))?;
    let place = match (&*edit.location.file, &*edit.location.at) {
        ("", at) => visible(at).into_owned(),
        (file, at) => format!("{} at {}", visible(file), visible(at)),
    };
    writeln!(out, "  {FAINT}{place}{FAINT:#}")?;
    if edit.last_statement {
        let what = match edit.edit {
            EditKind::RemoveTrust => "nobody is trusted any more: delete the role",
            _ => "its only statement: delete the policy",
        };
        writeln!(out, "  {FAINT}{what}{FAINT:#}")?;
    }
    for (sign, line) in changed(edit) {
        let color = match sign {
            '-' => Some(AnsiColor::Red),
            '+' => Some(AnsiColor::Green),
            _ => None,
        };
        let style = color.map(|color| color.on_default()).unwrap_or_default();
        writeln!(out, "    {style}{sign} {line}{style:#}")?;
    }
    Ok(())
}

/// The text before and after an edit, line by line: `-` what goes, `+` what comes, and a space
/// before what both have.
pub(crate) fn changed(edit: &EditReport) -> Vec<(char, String)> {
    let lines = |value: &Value| -> Vec<String> {
        if value.is_null() {
            return Vec::new();
        }
        let text = serde_json::to_string_pretty(value).unwrap_or_default();
        text.lines().map(|line| visible(line).into_owned()).collect()
    };
    let (before, after) = (lines(&edit.before), edit.after.as_ref().map(lines).unwrap_or_default());
    // What both begin and end with is shown once.
    let same = |(a, b): &(&String, &String)| a == b;
    let start = before.iter().zip(&after).take_while(same).count();
    let rest = before.len().min(after.len()) - start;
    let end = before.iter().rev().zip(after.iter().rev()).take(rest).take_while(same).count();
    let mut out = Vec::new();
    let mut part = |sign: char, lines: &[String], from: usize, to: usize| {
        let lines = lines.get(from..to).unwrap_or_default().iter();
        out.extend(lines.map(|line| (sign, line.clone())));
    };
    part(' ', &before, 0, start);
    part('-', &before, start, before.len() - end);
    part('+', &after, start, after.len() - end);
    part(' ', &before, before.len() - end, before.len());
    out
}

/// What an edit does, in a few words.
pub(crate) fn subject(names: Names<'_>, edit: &EditReport) -> String {
    let of = edit.location.of.as_deref().map(|of| names.short(of).into_owned()).unwrap_or_default();
    let what = edit
        .location
        .what
        .as_deref()
        .map(|what| names.short(what).into_owned())
        .unwrap_or_default();
    let policy = edit.location.policy.as_deref().unwrap_or_default();
    let named = names.statement(
        policy,
        edit.location.statement.unwrap_or_default(),
        edit.location.sid.as_deref(),
    );
    // A managed policy is what it belongs to.
    let statement =
        if of.ends_with(&format!("/{policy}")) { named } else { format!("{named} of {of}") };
    match edit.edit {
        EditKind::NarrowStatement => format!("narrow {statement}"),
        EditKind::RemoveStatement | EditKind::RemoveTrust => format!("remove {statement}"),
        EditKind::RemoveTrustedPrincipal => format!("take {what} out of {statement}"),
        EditKind::LeaveGroup => format!("take {of} out of group {what}"),
        EditKind::DetachPolicy => format!("detach {what} from {of}"),
        EditKind::AddBoundary | EditKind::AddControlPolicyDeny => {
            let denied = edit.denies.as_ref().map_or_else(String::new, |denied| {
                let (action, on) = (visible(&denied.action), names.short(&denied.resource));
                format!("{action} on {on}")
            });
            match edit.edit {
                EditKind::AddBoundary => {
                    format!("deny {of} {denied}: permissions boundary {}", visible(policy))
                }
                _ => {
                    let account = of.rsplit('/').next().unwrap_or_default();
                    format!(
                        "deny account {account} {denied}: service control policy {}",
                        visible(policy)
                    )
                }
            }
        }
    }
}
