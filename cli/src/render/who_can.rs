//! Who may make a call as things are, and under which conditions.

use std::io::{self, Write};

use escalade_engine::answer::Verdict as Shown;
use escalade_engine::simulation::{MayCall, Verdict, WhoCan};

use super::answer::{missing, more};
use super::assumption::sentence;
use super::names::Names;
use super::{ACTION, FAINT, View, verdict_style, visible};

/// Writes who may make a call.
pub(crate) fn who_can(out: &mut dyn Write, answer: &WhoCan, view: View) -> io::Result<()> {
    let count = |verdict| answer.allowed.iter().filter(|may| may.verdict == verdict).count();
    let (surely, perhaps) = (count(Verdict::Allowed), count(Verdict::AllowedUnderAssumptions));
    let style = match surely + perhaps {
        0 => verdict_style(Shown::Unreachable),
        _ => verdict_style(Shown::Reachable),
    };
    let several = answer.resources.len() > 1;
    let on = match answer.resources.as_slice() {
        [one] if **one == *"*" => String::new(),
        [one] => format!(" on {}", visible(one)),
        many => format!(" on {} resources", many.len()),
    };
    // Of several resources each counts by itself.
    let of = answer.principals * answer.resources.len();
    let what = if several { "pairs of principal and resource" } else { "principals" };
    write!(
        out,
        "{style}{} of {of} {what}{style:#} can call {ACTION}{}{ACTION:#}{on}",
        surely + perhaps,
        visible(&answer.action)
    )?;
    if perhaps > 0 {
        write!(out, ", {perhaps} of them under assumptions")?;
    }
    let unknown = count(Verdict::Unknown);
    if unknown > 0 {
        write!(out, "; {unknown} undecided")?;
    }
    writeln!(out)?;
    let rows = view.rows(answer.allowed.len());
    for (position, may) in answer.allowed.iter().take(rows).enumerate() {
        if position == 0 {
            writeln!(out)?;
        }
        one(out, may, several)?;
    }
    more(out, answer.allowed.len() - rows, "")?;
    missing(out, &answer.unknown, view)
}

fn one(out: &mut dyn Write, may: &MayCall, several: bool) -> io::Result<()> {
    let names = Names::of_start(&may.principal);
    write!(out, "{}", names.short(&may.principal))?;
    if several {
        write!(out, " {FAINT}on{FAINT:#} {}", names.short(&may.resource))?;
    }
    let granting = |kind: &str| matches!(kind, "identity" | "resource" | "trust");
    let reasons: Vec<String> = may
        .allowed_by
        .iter()
        .filter(|by| granting(&by.kind))
        .map(|by| names.statement(&by.policy, by.statement, by.sid.as_deref()))
        .collect();
    if !reasons.is_empty() {
        write!(out, "  {FAINT}allowed by {}{FAINT:#}", reasons.join(", "))?;
    }
    writeln!(out)?;
    for (position, alternative) in may.allowed_if.iter().enumerate() {
        let sentences: Vec<_> = alternative.iter().map(sentence).collect();
        let word = if position == 0 { "if" } else { "or if" };
        writeln!(out, "    {FAINT}{word}{FAINT:#} {}", sentences.join(", and "))?;
    }
    for unknown in &may.unknown {
        writeln!(out, "    {FAINT}not known:{FAINT:#} {}", visible(unknown))?;
    }
    Ok(())
}
