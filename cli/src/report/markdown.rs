//! Markdown, for a comment on a pull request: what is most important first, the rest folded.

use std::fmt::Write as _;
use std::io::{self, Write};

use escalade_engine::answer::{AllowedBy, Answer, Path, Step};

use super::html::escape;
use super::{Asked, Report};
use crate::cause::causes;
use crate::render::{self, Names, counted, gained, sentence, visible};

/// Rows of the table of causes.
const CAUSES: usize = 20;

/// How much is written unless all is asked for: GitHub takes comments of 65,536 characters.
const LENGTH: usize = 60_000;

/// Writes the answer: of an audit its causes in a table, then every path, folded.
///
/// Implements <https://github.github.com/gfm/>.
pub(super) fn write(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    let mut page = Page { report: *report, text: String::new() };
    page.line(&format!("### {}", text(&report.headline())));
    match report.asked {
        Asked::Reach(answer) => page.one(answer),
        Asked::Audit(_) => page.all(),
    }
    page.list("Not known", report.unknown().iter().map(|text| visible(text).into_owned()));
    out.write_all(page.text.as_bytes())
}

struct Page<'a> {
    report: Report<'a>,
    text: String,
}

impl Page<'_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn list(&mut self, title: &str, items: impl Iterator<Item = String>) {
        let items: Vec<_> = items.collect();
        if items.is_empty() {
            return;
        }
        self.line(&format!("\n**{title}**\n"));
        for item in items {
            self.line(&format!("- {}", text(&item)));
        }
    }

    fn one(&mut self, answer: &Answer) {
        let Some(path) = &answer.path else { return };
        self.line("");
        let lines = path_lines(&self.report, Names::of_start(&answer.question.from), path);
        self.text.push_str(&lines);
    }

    fn all(&mut self) {
        let report = self.report;
        let names = report.names();
        let causes = causes(report.findings());
        if !causes.is_empty() {
            self.line("\n| Principals | Last step | On |\n| ---: | --- | --- |");
            let shown = if report.verbose { causes.len() } else { causes.len().min(CAUSES) };
            for (cause, count) in causes.iter().take(shown) {
                let title = report.technique(cause.technique).map_or("", |known| &known.title);
                let technique = cell(&code(&visible(cause.technique)));
                let on = cell(&code(&render::on(names, cause)));
                self.line(&format!("| {count} | {} ({technique}) | {on} |", text(&visible(title))));
            }
            if let more @ 1.. = causes.len() - shown {
                self.line(&format!("\nand {more} more"));
            }
        }
        let mut left = report.findings().count();
        if left > 0 {
            self.line("\n**Paths**");
        }
        for finding in report.findings() {
            let folded = folded(&report, finding);
            if !report.verbose && self.text.len() + folded.len() > LENGTH {
                self.line(&format!("\nand {left} more; `--verbose` shows all"));
                break;
            }
            self.text.push_str(&folded);
            left -= 1;
        }
        let names = report.names();
        let undecided: Vec<_> = report
            .undecided()
            .map(|finding| names.short(&finding.question.from).into_owned())
            .collect();
        let shown = if report.verbose { undecided.len() } else { undecided.len().min(CAUSES) };
        let more = undecided.len() - shown;
        let more = (more > 0).then(|| format!("and {more} more"));
        self.list("Undecided", undecided.into_iter().take(shown).chain(more));
    }
}

/// A finding that opens with a click.
fn folded(report: &Report<'_>, finding: &Answer) -> String {
    let Some(path) = &finding.path else { return String::new() };
    let names = Names::of_start(&finding.question.from);
    let mut title = counted(path.steps.len(), "step");
    if !path.assumptions.is_empty() {
        let _ = write!(title, ", under {}", counted(path.assumptions.len(), "assumption"));
    }
    format!(
        "\n<details><summary><code>{}</code>: {title}</summary>\n\n{}\n</details>\n",
        escape(&visible(&finding.question.from)),
        path_lines(report, names, path),
    )
}

fn path_lines(report: &Report<'_>, names: Names<'_>, path: &Path) -> String {
    let mut out = String::new();
    for (at, step) in path.steps.iter().enumerate() {
        step_lines(&mut out, report, names, at + 1, step);
    }
    if !path.assumptions.is_empty() {
        out.push_str("\n**If**\n\n");
        for assumption in &path.assumptions {
            let _ = writeln!(out, "- {}", text(&sentence(assumption)));
        }
    }
    out
}

fn step_lines(out: &mut String, report: &Report<'_>, names: Names<'_>, number: usize, step: &Step) {
    let indent = " ".repeat(number.to_string().len() + 2);
    let (title, technique) = (text(&visible(&step.title)), code(&visible(&step.technique)));
    let _ = writeln!(out, "{number}. {title} ({technique})");
    for call in &step.calls {
        let action = code(&visible(&call.action));
        let (on, by) = (code(&names.short(&call.resource)), code(&names.short(&call.actor)));
        let _ = write!(out, "{indent}- {action} on {on} as {by}");
        for (at, statement) in call.allowed_by.iter().enumerate() {
            let word = if at == 0 { ", allowed by" } else { " and" };
            let _ = write!(out, "{word} {}", allowed(report, names, statement));
        }
        out.push('\n');
    }
    for gain in &step.gains {
        let _ = writeln!(out, "{indent}- **gains** {}", text(&gained(names, gain)));
    }
}

/// A statement, with its place in the snapshot.
fn allowed(report: &Report<'_>, names: Names<'_>, by: &AllowedBy) -> String {
    let statement = code(&names.statement(&by.policy, by.statement, by.sid.as_deref()));
    match report.evidence.place(by) {
        Some((file, Some(place))) => {
            let path = visible(&report.evidence.path(file)).into_owned();
            format!("{statement} ({})", code(&format!("{path}:{}", place.lines.0)))
        }
        _ => statement,
    }
}

/// A text that means nothing but itself. Where GitHub would make a link or a mention of it, it is
/// code.
fn text(text: &str) -> String {
    if ["@", "#", "://", "www."].iter().any(|sign| text.contains(sign)) {
        return code(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' | '$' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// A part of a table's cell, which a bar would end, in code as well.
fn cell(markdown: &str) -> String {
    markdown.replace('|', "\\|")
}

/// A code span.
fn code(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    // A blank is taken off each end where both have one.
    let blank = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
    format!("{fence}{blank}{text}{blank}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_means_nothing_but_itself() {
        let check = |found: String, expected: &str| assert_eq!(found, expected);
        check(text("a*b_c [d](e) <script>&"), "a\\*b\\_c \\[d\\](e) &lt;script>&amp;");
        check(text("@everyone"), "`@everyone`");
        check(code("a`b"), "``a`b``");
        check(code("`"), "`` ` ``");
        check(cell(&code("a|b")), "`a\\|b`");
    }
}
