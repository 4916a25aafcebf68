//! A whole audit: how many, by which cause, then the findings by length, the shortest first.

use std::collections::BTreeMap;
use std::io::{self, Write};

use escalade_engine::analysis::Options;
use escalade_engine::answer::{Answer, Audit, Outside, Verdict};

use super::columns::{Cell, columns};
use super::constraints::{constraints, limit};
use super::goal::predicate;
use super::names::Names;
use super::{ACTION, FAINT, PLAIN, STRONG, View, answer, counted, verdict_style, visible};
use crate::cause::{Cause, causes, target};
use crate::opening::openings;

/// How many paths are shown call by call unless all are asked for.
const DETAILED: usize = 3;

/// Writes an audit made with these options.
pub(crate) fn audit(
    out: &mut dyn Write,
    audit: &Audit,
    options: &Options,
    view: View,
) -> io::Result<()> {
    let (reachable, undecided): (Vec<_>, Vec<_>) =
        audit.findings.iter().partition(|finding| finding.verdict.is_reachable());
    summary(out, audit, options, reachable.len(), undecided.len())?;
    let names = home(audit);
    by_statement(out, names, &reachable, view)?;
    by_cause(out, names, &reachable, view)?;
    by_length(out, names, &reachable, view)?;
    detail(out, &reachable, view)?;
    if !undecided.is_empty() {
        let style = verdict_style(Verdict::Unknown);
        writeln!(out, "\n{style}Undecided{style:#}")?;
        let rows = view.rows(undecided.len());
        for finding in undecided.iter().take(rows) {
            write!(out, "  {}", names.short(&finding.question.from))?;
            match finding.unknown.first() {
                Some(gap) => writeln!(out, "  {FAINT}{}{FAINT:#}", visible(gap))?,
                None => writeln!(out)?,
            }
        }
        more(out, undecided.len() - rows)?;
    }
    if let Some(found) = &audit.outside {
        outside(out, names, found, options, view)?;
    }
    answer::missing(out, &audit.unknown, view)
}

/// Writes who can from outside, each with its path.
fn outside(
    out: &mut dyn Write,
    names: Names<'_>,
    found: &Outside,
    options: &Options,
    view: View,
) -> io::Result<()> {
    let (reachable, undecided): (Vec<_>, Vec<_>) =
        found.findings.iter().partition(|finding| finding.verdict.is_reachable());
    let what = match &*options.goal {
        "admin" => "become administrator".to_owned(),
        goal => predicate(Names::default(), goal),
    };
    writeln!(
        out,
        "\n{STRONG}From outside{STRONG:#}: {} of {} can {what}",
        reachable.len(),
        counted(found.starts, "start")
    )?;
    let shown = view.rows(reachable.len());
    for finding in reachable.iter().take(shown) {
        let Some(path) = &finding.path else { continue };
        writeln!(out, "\n{STRONG}{}{STRONG:#}", visible(&finding.question.from))?;
        answer::steps(out, names, &finding.question.from, path, view)?;
        answer::assumptions(out, path)?;
    }
    more(out, reachable.len() - shown)?;
    for finding in undecided {
        write!(out, "\n{STRONG}{}{STRONG:#} undecided", visible(&finding.question.from))?;
        match finding.unknown.first() {
            Some(gap) => writeln!(out, ": {}", visible(gap))?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}

/// Short names where there is one account, full ones otherwise.
pub(crate) fn home(audit: &Audit) -> Names<'_> {
    let start = audit.findings.first().map(|finding| &finding.question.from);
    match start.or(audit.administrators.first()) {
        Some(start) if audit.accounts <= 1 => Names::of_start(start),
        _ => Names::default(),
    }
}

fn summary(
    out: &mut dyn Write,
    audit: &Audit,
    options: &Options,
    reachable: usize,
    undecided: usize,
) -> io::Result<()> {
    let style = match (reachable, undecided) {
        (0, 0) => verdict_style(Verdict::Unreachable),
        (0, _) => verdict_style(Verdict::Unknown),
        _ => verdict_style(Verdict::Reachable),
    };
    let (how_many, what) = headline(audit, options);
    writeln!(out, "{style}{how_many}{style:#} {what}")
}

/// An audit in one sentence: how many principals, and what they can do.
pub(crate) fn headline(audit: &Audit, options: &Options) -> (String, String) {
    let reachable = audit.findings.iter().filter(|finding| finding.verdict.is_reachable()).count();
    let undecided = audit.findings.len() - reachable;
    let goal = &*options.goal;
    let what = if goal == "admin" {
        "become administrator".to_owned()
    } else {
        predicate(Names::default(), goal)
    };
    let already = if goal.starts_with("admin") { "already are" } else { "already can" };
    let mut text = format!(
        "can {what}{}{}; {} {already}",
        limit(options),
        constraints(options),
        audit.administrators.len(),
    );
    if undecided > 0 {
        text.push_str(&format!("; {undecided} undecided"));
    }
    if audit.accounts > 1 {
        text.push_str(&format!("; {}", counted(audit.accounts, "account")));
    }
    (format!("{reachable} of {}", counted(audit.principals, "principal")), text)
}

/// Writes the statements that most paths rest on, with how many principals each serves, where there
/// are more findings than are listed.
fn by_statement(
    out: &mut dyn Write,
    names: Names<'_>,
    findings: &[&Answer],
    view: View,
) -> io::Result<()> {
    if (View { verbose: false, ..view }).rows(findings.len()) == findings.len() {
        return Ok(());
    }
    let counts = openings(findings.iter().copied());
    let Some((_, most)) = counts.first() else { return Ok(()) };
    writeln!(out, "\n{STRONG}By statement{STRONG:#}")?;
    let digits = most.to_string().len();
    let shown = view.rows(counts.len());
    let rows: Vec<Vec<Cell>> = counts
        .iter()
        .take(shown)
        .map(|(opening, count)| {
            let statement = names.statement(opening.policy, opening.statement, opening.sid);
            let account = if Some(opening.account) == names.home() { "" } else { opening.account };
            vec![
                (format!("{count:digits$}"), STRONG),
                (statement, PLAIN),
                (visible(account).into_owned(), FAINT),
            ]
        })
        .collect();
    columns(out, 2, &rows, view.width)?;
    more(out, counts.len() - shown)
}

/// Writes the causes with how many principals have each, the most frequent first.
fn by_cause(
    out: &mut dyn Write,
    names: Names<'_>,
    findings: &[&Answer],
    view: View,
) -> io::Result<()> {
    let counts = causes(findings.iter().copied());
    // A list as short as the causes would say the same twice.
    if counts.len() == findings.len() {
        return Ok(());
    }
    writeln!(out, "\n{STRONG}By last step{STRONG:#}")?;
    let digits = counts.first().map_or(1, |(_, most)| most.to_string().len());
    let shown = view.rows(counts.len());
    let rows: Vec<Vec<Cell>> = counts
        .iter()
        .take(shown)
        .map(|(cause, count)| {
            vec![
                (format!("{count:digits$}"), STRONG),
                (visible(cause.technique).into_owned(), ACTION),
                (on(names, cause), PLAIN),
            ]
        })
        .collect();
    columns(out, 2, &rows, view.width)?;
    more(out, counts.len() - shown)
}

/// What a cause is done to, in words.
pub(crate) fn on(names: Names<'_>, cause: &Cause<'_>) -> String {
    cause.target.map_or_else(|| "itself".to_owned(), |arn| names.short(arn).into_owned())
}

/// Writes the findings with one line for each step, shortest paths first.
fn by_length(
    out: &mut dyn Write,
    names: Names<'_>,
    findings: &[&Answer],
    view: View,
) -> io::Result<()> {
    let mut groups = BTreeMap::<usize, Vec<&Answer>>::new();
    for finding in findings {
        let steps = finding.path.as_ref().map_or(0, |path| path.steps.len());
        groups.entry(steps).or_default().push(finding);
    }
    for (steps, group) in groups {
        writeln!(
            out,
            "\n{STRONG}In {}{STRONG:#} {FAINT}({}){FAINT:#}",
            counted(steps, "step"),
            counted(group.len(), "principal")
        )?;
        let shown = view.rows(group.len());
        if steps == 1 {
            let rows: Vec<_> = group
                .iter()
                .take(shown)
                .map(|finding| {
                    let mut row = vec![(names.short(&finding.question.from).into_owned(), PLAIN)];
                    row.extend(outline(names, finding).into_iter().flatten());
                    row
                })
                .collect();
            columns(out, 2, &rows, view.width)?;
        } else {
            for finding in group.iter().take(shown) {
                writeln!(out, "  {}", names.short(&finding.question.from))?;
                columns(out, 4, &outline(names, finding), view.width)?;
            }
        }
        more(out, group.len() - shown)?;
    }
    Ok(())
}

/// One row for each step: technique and target, and on the last what the path assumes.
fn outline(names: Names<'_>, finding: &Answer) -> Vec<Vec<Cell>> {
    let Some(path) = &finding.path else { return Vec::new() };
    let last = path.steps.len().saturating_sub(1);
    path.steps
        .iter()
        .enumerate()
        .map(|(position, step)| {
            let target = match target(step) {
                Some(arn) if arn != &*finding.question.from => names.short(arn).into_owned(),
                _ => "itself".to_owned(),
            };
            let under = match path.assumptions.len() {
                count if position == last && count > 0 => {
                    format!("under {}", counted(count, "assumption"))
                }
                _ => String::new(),
            };
            vec![(visible(&step.technique).into_owned(), ACTION), (target, PLAIN), (under, FAINT)]
        })
        .collect()
}

/// Writes the worst paths call by call.
fn detail(out: &mut dyn Write, findings: &[&Answer], view: View) -> io::Result<()> {
    let shown = if view.verbose { findings.len() } else { findings.len().min(DETAILED) };
    if shown == 0 {
        return Ok(());
    }
    let title = if shown == findings.len() { "Paths" } else { "Worst paths" };
    writeln!(out, "\n{STRONG}{title}{STRONG:#}")?;
    for finding in findings.iter().take(shown) {
        let Some(path) = &finding.path else { continue };
        let names = Names::of_start(&finding.question.from);
        writeln!(out, "\n{STRONG}{}{STRONG:#}", visible(&finding.question.from))?;
        answer::steps(out, names, &finding.question.from, path, view)?;
        answer::assumptions(out, path)?;
    }
    match findings.len() - shown {
        0 => Ok(()),
        left => writeln!(
            out,
            "\n{FAINT}and {left} more; --verbose shows all, `escalade reach` one{FAINT:#}"
        ),
    }
}

fn more(out: &mut dyn Write, left: usize) -> io::Result<()> {
    match left {
        0 => Ok(()),
        left => writeln!(out, "  {FAINT}and {left} more; --format json has all{FAINT:#}"),
    }
}

#[cfg(test)]
mod tests {
    use escalade_engine::answer::{AuditQuestion, Gain, SCHEMA, Statistics};

    use super::*;
    use crate::render::answer::tests::two_steps;
    use crate::render::{LIST, plain};

    fn audit_of(findings: Vec<Answer>, accounts: usize) -> Audit {
        Audit {
            schema: SCHEMA,
            findings,
            administrators: vec!["arn:aws:iam::111111111111:role/admin".into()],
            principals: 40,
            accounts,
            outside: None,
            unknown: Vec::new(),
            question: AuditQuestion::default(),
            unique_ids: BTreeMap::new(),
            statistics: Statistics::default(),
        }
    }

    /// `user/<name>` gains policy text on itself in one step.
    fn one_step(name: &str) -> Answer {
        let mut answer = two_steps();
        answer.verdict = Verdict::Reachable;
        answer.question.from = format!("arn:aws:iam::111111111111:user/{name}").into();
        answer.unknown.clear();
        let path = answer.path.as_mut().unwrap();
        path.assumptions.clear();
        path.steps.remove(0);
        let step = &mut path.steps[0];
        step.technique = "iam-put-user-policy".into();
        step.title = "Put an inline policy on a user".into();
        step.calls.remove(0);
        let call = &mut step.calls[0];
        (call.actor, call.resource) = (answer.question.from.clone(), answer.question.from.clone());
        call.action = "iam:PutUserPolicy".into();
        step.gains = vec![Gain::Policy {
            of: answer.question.from.clone(),
            effect: "any inline policy".into(),
        }];
        answer
    }

    fn show(audit: &Audit, verbose: bool) -> String {
        let options = Options { goal: "admin".into(), ..Options::default() };
        plain(|out| super::audit(out, audit, &options, View { width: None, verbose }))
    }

    #[test]
    fn findings_are_grouped_by_length_and_cause() {
        let mut undecided = two_steps();
        (undecided.verdict, undecided.path) = (Verdict::Unknown, None);
        let audit = audit_of(vec![one_step("bob"), one_step("carol"), two_steps(), undecided], 1);
        insta::assert_snapshot!(show(&audit, false), @r"
        3 of 40 principals can become administrator; 1 already are; 1 undecided

        By last step
          2  iam-put-user-policy     itself
          1  lambda-create-function  role/admin

        In 1 step (2 principals)
          user/bob    iam-put-user-policy  itself
          user/carol  iam-put-user-policy  itself

        In 2 steps (1 principal)
          user/alice
            sts-assume-role         role/deploy
            lambda-create-function  role/admin   under 2 assumptions

        Paths

        arn:aws:iam::111111111111:user/bob

          1. Put an inline policy on a user (iam-put-user-policy)
             iam:PutUserPolicy  user/bob  allowed by Deploy statement 1
             gains user/bob: any inline policy

        arn:aws:iam::111111111111:user/carol

          1. Put an inline policy on a user (iam-put-user-policy)
             iam:PutUserPolicy  user/carol  allowed by Deploy statement 1
             gains user/carol: any inline policy

        arn:aws:iam::111111111111:user/alice

          1. Assume a role (sts-assume-role)
             sts:AssumeRole  role/deploy  allowed by trust policy of role/deploy statement 0
             gains the credentials of role/deploy

          2. Run code in a new Lambda function under a role passed to it (lambda-create-function)
             as role/deploy
             iam:PassRole           role/admin  allowed by Deploy statement 0 (PassAll)
             lambda:CreateFunction  function:x  allowed by Deploy statement 1
             gains the credentials of role/admin

        If
          - the caller signed in with MFA (aws:MultiFactorAuthPresent)
          - somebody invokes function x

        Undecided
          user/alice  accounts/111111111111: no organization data
        ");
    }

    #[test]
    fn a_clean_account_is_one_line() {
        let audit = audit_of(Vec::new(), 1);
        assert_eq!(
            show(&audit, false),
            "0 of 40 principals can become administrator; 1 already are\n"
        );
    }

    #[test]
    fn names_are_full_where_there_are_several_accounts() {
        let audit = audit_of(vec![one_step("bob")], 2);
        assert!(show(&audit, false).contains("\n  arn:aws:iam::111111111111:user/bob  iam-put"));
    }

    #[test]
    fn a_hundred_thousand_findings_stay_readable() {
        let findings = (0..100_000).map(|n| one_step(&format!("user-{n:06}"))).collect();
        let shown = show(&audit_of(findings, 1), false);
        assert!(shown.lines().count() < 60, "{shown}");
        assert!(shown.contains("\n  100000  iam-put-user-policy  itself\n"), "{shown}");
        assert!(shown.contains("  and 99980 more; --format json has all\n"), "{shown}");
    }

    #[test]
    fn verbose_leaves_nothing_out() {
        let findings = (0..50).map(|n| one_step(&format!("user-{n}"))).collect();
        let shown = show(&audit_of(findings, 1), true);
        for n in 0..50 {
            assert!(shown.contains(&format!("\narn:aws:iam::111111111111:user/user-{n}\n")));
        }
        assert!(!shown.contains("more;"), "{shown}");
    }

    #[test]
    fn a_list_of_one_row_too_many_is_not_cut() {
        let findings = |count| (0..count).map(|n| one_step(&n.to_string())).collect::<Vec<_>>();
        assert!(!show(&audit_of(findings(LIST + 1), 1), false).contains("--format json"));
        assert!(
            show(&audit_of(findings(LIST + 2), 1), false).contains("and 2 more; --format json")
        );
    }
}
