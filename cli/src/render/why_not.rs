//! Why a goal is out of reach, for people.

use std::io::{self, Write};
use std::sync::Arc;

use escalade_engine::analysis::Options;
use escalade_engine::answer::{Question, Verdict};
use escalade_engine::proof::{BlockedCall, Blocker, HadText, Nearest, Way, WhyNot};

use super::answer::{missing, more};
use super::constraints::{constraints, limit};
use super::goal::{predicate, subject};
use super::names::Names;
use super::{ACTION, FAINT, STRONG, View, verdict_style, visible};

/// How many ways are shown unless all are asked for.
const SHOWN: usize = 5;

/// Writes why a goal is out of reach, or that it is not.
pub(crate) fn why_not(
    out: &mut dyn Write,
    answer: &WhyNot,
    options: &Options,
    view: View,
) -> io::Result<()> {
    let names = Names::of_start(&answer.question.from);
    let style = verdict_style(answer.verdict);
    let who = subject(names, &answer.question.from);
    let what = predicate(names, &answer.question.to);
    let within = format!("{}{}", limit(options), constraints(options));
    let (verdict, claim) = match answer.verdict {
        Verdict::Unreachable => ("unreachable", format!("{who} cannot {what}{within}")),
        Verdict::Unknown => ("unknown", format!("whether {who} can {what}{within} is not decided")),
        Verdict::Reachable | Verdict::ReachableUnderAssumptions => {
            ("not so", format!("{who} can {what}{within}: `escalade reach` shows how"))
        }
    };
    writeln!(out, "{style}{verdict}{style:#}: {claim}")?;
    if answer.verdict == Verdict::Unreachable {
        ways(out, names, answer, view)?;
    }
    missing(out, &answer.unknown, view)
}

/// Writes what a certificate has proved: with all that its question lets no path do, and with what the
/// snapshot does not hold.
pub(crate) fn proved(
    out: &mut dyn Write,
    question: &Question,
    options: &Options,
    unknown: &[Arc<str>],
    view: View,
) -> io::Result<()> {
    let (from, to) = (visible(&question.from), visible(&question.to));
    writeln!(out, "proved: {from} does not reach {to}{}", constraints(options))?;
    missing(out, unknown, view)
}

fn ways(out: &mut dyn Write, names: Names<'_>, answer: &WhyNot, view: View) -> io::Result<()> {
    if answer.ways.is_empty() {
        return writeln!(
            out,
            "\nNo technique leads there from what the attacker has, whatever were allowed."
        );
    }
    writeln!(out, "\n{STRONG}What would open it, the closest first, and what blocks it{STRONG:#}")?;
    let shown = if view.verbose { answer.ways.len() } else { SHOWN.min(answer.ways.len()) };
    for (position, way) in answer.ways.iter().take(shown).enumerate() {
        one(out, names, position + 1, way, view)?;
    }
    more(out, answer.ways.len() - shown + answer.more, "\n  ")?;
    if answer.limited {
        writeln!(out, "  {FAINT}not every way was looked at{FAINT:#}")?;
    }
    Ok(())
}

fn one(
    out: &mut dyn Write,
    names: Names<'_>,
    number: usize,
    way: &Way,
    view: View,
) -> io::Result<()> {
    let indent = number.to_string().len() + 4;
    writeln!(
        out,
        "\n  {STRONG}{number}. {}{STRONG:#} {FAINT}({}){FAINT:#}",
        visible(&way.title),
        visible(&way.technique)
    )?;
    let gains: Vec<String> = way.gains.iter().map(|gain| gained(names, gain)).collect();
    writeln!(out, "{:indent$}{FAINT}would give{FAINT:#} {}", "", gains.join(", "))?;
    for call in &way.blocked {
        blocked(out, names, call, indent, view)?;
    }
    if !way.contradiction.is_empty() {
        writeln!(out, "{:indent$}its calls are not allowed together:", "")?;
        for blocker in &way.contradiction {
            reason(out, names, blocker, indent + 2, "", view)?;
        }
    }
    Ok(())
}

fn blocked(
    out: &mut dyn Write,
    names: Names<'_>,
    call: &BlockedCall,
    indent: usize,
    view: View,
) -> io::Result<()> {
    writeln!(
        out,
        "{:indent$}{ACTION}{}{ACTION:#}  {}  {FAINT}by {}{FAINT:#}",
        "",
        visible(&call.action),
        names.short(&call.resource),
        names.short(&call.actor)
    )?;
    for set in &call.blocked_by {
        for (position, blocker) in set.iter().enumerate() {
            let word = if position == 0 { "" } else { "together with: " };
            reason(out, names, blocker, indent + 2, word, view)?;
        }
    }
    Ok(())
}

fn reason(
    out: &mut dyn Write,
    names: Names<'_>,
    blocker: &Blocker,
    indent: usize,
    word: &str,
    view: View,
) -> io::Result<()> {
    match blocker {
        Blocker::Deny { layer, policy, statement, sid, of, file } => {
            write!(
                out,
                "{:indent$}{word}denied by {layer}: {}",
                "",
                names.statement(policy, *statement, sid.as_deref())
            )?;
            if let Some(of) = of {
                write!(out, "  {FAINT}of {}{FAINT:#}", names.short(of))?;
            }
            match file {
                Some(file) if view.verbose => writeln!(out, "{FAINT}, {}{FAINT:#}", visible(file)),
                _ => writeln!(out),
            }
        }
        Blocker::NoAllow { layer, level, policies, nearest } => {
            write!(out, "{:indent$}{word}not allowed by {layer}", "")?;
            if let Some(level) = level {
                write!(out, " of {}", visible(level))?;
            }
            match policies.as_slice() {
                [] => writeln!(out, ": there is no policy")?,
                policies => {
                    let policies: Vec<_> = policies.iter().map(|name| names.short(name)).collect();
                    writeln!(out, ": {}", policies.join(", "))?;
                }
            }
            nearest.iter().try_for_each(|near| almost(out, names, near, indent + 2))
        }
        Blocker::Other { reason } => writeln!(out, "{:indent$}{word}{}", "", visible(reason)),
    }
}

fn almost(out: &mut dyn Write, names: Names<'_>, near: &Nearest, indent: usize) -> io::Result<()> {
    let wants: Vec<_> = near.wants.iter().map(|text| visible(text)).collect();
    writeln!(
        out,
        "{:indent$}{FAINT}almost: {} wants {}{FAINT:#}",
        "",
        names.statement(&near.policy, near.statement, near.sid.as_deref()),
        wants.join("; ")
    )
}

fn gained(names: Names<'_>, gain: &HadText) -> String {
    let list = |texts: &[Arc<str>]| {
        texts.iter().map(|text| names.short(text)).collect::<Vec<_>>().join(" and ")
    };
    match gain {
        HadText::ActsAs { principal } => format!("the credentials of {}", names.short(principal)),
        HadText::Edited { edit, of } => format!("{} of {}", visible(edit), list(of)),
        HadText::MayJoin { group } => format!("any user in {}", names.short(group)),
        HadText::Delegated { role, through, .. } => {
            format!("a service that acts as {} through {}", names.short(role), names.short(through))
        }
        HadText::Exists { object } => format!("a new object, {}", names.short(object)),
        HadText::Administers { domain } => {
            format!("everything inside {}", names.short(domain))
        }
        HadText::IdentityProvider { account } => {
            format!("an identity provider in {}", visible(account))
        }
        HadText::Administrator { account } => format!("administrator of {}", visible(account)),
        HadText::Called => "what was asked for".to_owned(),
    }
}
