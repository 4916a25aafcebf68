//! One answer: the verdict, the steps of its witness, what they assume, what was missing.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::Arc;

use escalade_engine::answer::{AllowedBy, Answer, Call, Gain, KeyValue, Path, Step, Verdict};

use super::assumption::sentence;
use super::columns::{Cell, columns};
use super::constraints::{constraints, limit};
use super::goal::{SOME_ADMINISTRATOR, predicate, subject};
use super::names::Names;
use super::{ACTION, FAINT, PLAIN, STRONG, View, counted, verdict_style, visible};
use escalade_engine::analysis::Options;

/// Writes an answer to a question asked with these options.
pub(crate) fn answer(
    out: &mut dyn Write,
    answer: &Answer,
    options: &Options,
    view: View,
) -> io::Result<()> {
    let names = Names::of_start(&answer.question.from);
    let style = verdict_style(answer.verdict);
    writeln!(
        out,
        "{style}{}{style:#}: {}",
        verdict(answer.verdict),
        claim(names, answer, options)
    )?;
    if let Some(path) = &answer.path {
        steps(out, names, &answer.question.from, path, view)?;
        assumptions(out, path)?;
    }
    missing(out, &answer.unknown, view)
}

pub(crate) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::ReachableUnderAssumptions => "reachable under assumptions",
        other => other.as_str(),
    }
}

/// What the verdict says, as a sentence.
pub(crate) fn claim(names: Names<'_>, answer: &Answer, options: &Options) -> String {
    let who = subject(names, &answer.question.from);
    let what = match (&*answer.question.to, &answer.question.home) {
        ("admin", None) => SOME_ADMINISTRATOR.to_owned(),
        (goal, _) => predicate(names, goal),
    };
    let steps = answer.path.as_ref().map_or(0, |path| path.steps.len());
    let (within, limit) = (constraints(options), limit(options));
    match answer.verdict {
        Verdict::Reachable | Verdict::ReachableUnderAssumptions if steps == 0 => {
            format!("{who} can {what} without a step{within}")
        }
        Verdict::Reachable | Verdict::ReachableUnderAssumptions => {
            format!("{who} can {what} in {}{within}", counted(steps, "step"))
        }
        Verdict::Unreachable => format!("{who} cannot {what}{limit}{within}"),
        Verdict::Unknown => format!("whether {who} can {what}{limit}{within} is not decided"),
    }
}

/// Writes the steps of a path, each with its calls and what it gains.
pub(super) fn steps(
    out: &mut dyn Write,
    names: Names<'_>,
    from: &str,
    path: &Path,
    view: View,
) -> io::Result<()> {
    let mut actor = from;
    let mut gained_so_far: BTreeSet<&str> = BTreeSet::new();
    for (position, step) in path.steps.iter().enumerate() {
        let number = (position + 1).to_string();
        let indent = number.len() + 4;
        writeln!(
            out,
            "\n  {STRONG}{number}. {}{STRONG:#} {FAINT}({}){FAINT:#}",
            visible(&step.title),
            visible(&step.technique)
        )?;
        let is_example =
            |actor: &str| is_symbolic(from) && !gained_so_far.contains(actor) && actor != from;
        calls(out, names, &mut actor, &is_example, step, indent, view)?;
        for gain in &step.gains {
            if let Gain::Credentials { of } = gain {
                gained_so_far.insert(of);
            }
            writeln!(out, "{:indent$}{FAINT}gains{FAINT:#} {}", "", gained(names, gain))?;
        }
    }
    Ok(())
}

/// Whether a start stands for many.
fn is_symbolic(from: &str) -> bool {
    from == "anyone" || from.starts_with("account:") || from.starts_with("federated:")
}

fn is_provider(actor: &str) -> bool {
    actor.contains(":saml-provider/") || actor.contains(":oidc-provider/")
}

/// Writes a step's calls; `actor` is who made the call before, and `is_example` says of whom it is
/// only one of many, so that the condition keys matter that tell which.
fn calls<'a>(
    out: &mut dyn Write,
    names: Names<'_>,
    actor: &mut &'a str,
    is_example: &dyn Fn(&str) -> bool,
    step: &'a Step,
    indent: usize,
    view: View,
) -> io::Result<()> {
    for run in step.calls.chunk_by(|a, b| a.actor == b.actor) {
        let Some(first) = run.first() else { continue };
        if *first.actor != **actor {
            *actor = &first.actor;
            match &**actor {
                "anonymous" => writeln!(out, "{:indent$}{FAINT}unsigned{FAINT:#}", "")?,
                one => {
                    let one_of_many = is_example(one) && one.contains([':']) && !is_provider(one);
                    let word = if one_of_many { "for example as" } else { "as" };
                    writeln!(out, "{:indent$}{FAINT}{word}{FAINT:#} {}", "", names.short(one))?;
                }
            }
        }
        let whole = view.verbose || is_example(&first.actor);
        if whole || run.iter().any(is_forwarded) {
            // Each with its condition keys below, so there is nothing to align across calls.
            for call in run {
                columns(out, indent, &[row(names, call)], view.width)?;
                context(out, names, call, indent + 2, |key, value| {
                    whole || says_who_forwards(key, value)
                })?;
            }
        } else {
            let rows: Vec<_> = run.iter().map(|call| row(names, call)).collect();
            columns(out, indent, &rows, view.width)?;
        }
    }
    Ok(())
}

fn row(names: Names<'_>, call: &Call) -> Vec<Cell> {
    let reasons: Vec<_> = call.allowed_by.iter().map(|by| reason(names, by)).collect();
    let allowed = match reasons.as_slice() {
        [] => String::new(),
        reasons => format!("allowed by {}", reasons.join(", ")),
    };
    let mut resource = names.short(&call.resource).into_owned();
    if let Some(name) = &call.resource_name {
        resource.push_str(&format!(" ({})", visible(name)));
    }
    vec![(visible(&call.action).into_owned(), ACTION), (resource, PLAIN), (allowed, FAINT)]
}

fn reason(names: Names<'_>, by: &AllowedBy) -> String {
    names.statement(&by.policy, by.statement, by.sid.as_deref())
}

/// Whether a service makes the call with the permissions of who is said to call, and a policy asks
/// for that: without it nobody sees why the call is made by a service at all.
fn is_forwarded(call: &Call) -> bool {
    call.context.iter().any(|(key, value)| says_who_forwards(key, value))
}

fn says_who_forwards(key: &str, value: &KeyValue) -> bool {
    let key = key.to_ascii_lowercase();
    match &*key {
        "aws:viaawsservice" => value.0.iter().any(|value| &**value == "true"),
        _ => key.starts_with("aws:calledvia") && !value.0.is_empty(),
    }
}

/// Writes the condition keys that a call's decision used, of those that are shown.
fn context(
    out: &mut dyn Write,
    names: Names<'_>,
    call: &Call,
    indent: usize,
    is_shown: impl Fn(&str, &KeyValue) -> bool,
) -> io::Result<()> {
    for (key, value) in call.context.iter().filter(|(key, value)| is_shown(key, value)) {
        let values: Vec<_> = value.0.iter().map(|value| names.short(value)).collect();
        let values = if values.is_empty() { "(no value)".to_owned() } else { values.join(", ") };
        writeln!(out, "{:indent$}{FAINT}with{FAINT:#} {} = {values}", "", visible(key))?;
    }
    Ok(())
}

/// The first few of a list, and how many more there are.
fn shortened(actions: &[std::sync::Arc<str>]) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<_> = actions.iter().take(SHOWN).map(|action| visible(action)).collect();
    match actions.len().checked_sub(SHOWN + 1) {
        Some(more) => format!("{} and {} more kinds of call", shown.join(", "), more + 1),
        None => {
            let all: Vec<_> = actions.iter().map(|action| visible(action)).collect();
            all.join(", ")
        }
    }
}

/// What a step gives, in words.
pub(crate) fn gained(names: Names<'_>, gain: &Gain) -> String {
    match gain {
        Gain::Credentials { of } => format!("the credentials of {}", names.short(of)),
        Gain::Policy { of, effect } => format!("{}: {}", names.short(of), visible(effect)),
        Gain::Delegation { of, actions, through } => {
            let through = names.short(through);
            format!("{} as {} through {through}", shortened(actions), names.short(of))
        }
        Gain::Resource { of, effect } => format!("{} ({})", visible(effect), visible(of)),
        Gain::Goal { of } => format!("what was asked for: {}", visible(of)),
    }
}

/// Writes what must be true for a path to work.
pub(super) fn assumptions(out: &mut dyn Write, path: &Path) -> io::Result<()> {
    if path.assumptions.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{STRONG}If{STRONG:#}")?;
    for assumption in &path.assumptions {
        writeln!(out, "  - {}", sentence(assumption))?;
    }
    Ok(())
}

/// Writes what the snapshot does not say.
pub(super) fn missing(out: &mut dyn Write, unknown: &[Arc<str>], view: View) -> io::Result<()> {
    if unknown.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{STRONG}Not known{STRONG:#}")?;
    let rows = view.rows(unknown.len());
    for text in unknown.iter().take(rows) {
        writeln!(out, "  - {}", visible(text))?;
    }
    more(out, unknown.len() - rows, "  ")
}

/// Writes that a list was cut.
pub(super) fn more(out: &mut dyn Write, left: usize, indent: &str) -> io::Result<()> {
    match left {
        0 => Ok(()),
        left => writeln!(out, "{indent}{FAINT}and {left} more; --verbose shows all{FAINT:#}"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use escalade_engine::answer::{Assumption, KeyValue, Question, SCHEMA};
    use escalade_engine::authorization::Origin;

    use super::*;
    use crate::render::plain;

    fn arn(name: &str) -> Arc<str> {
        match name.split_once(':') {
            None => format!("arn:aws:iam::111111111111:{name}").into(),
            Some(_) => format!("arn:aws:lambda:us-east-1:111111111111:{name}").into(),
        }
    }

    fn call(actor: &str, action: &str, resource: &str, by: (&str, usize, Option<&str>)) -> Call {
        Call {
            actor: arn(actor),
            action: action.into(),
            resource: arn(resource),
            resource_name: None,
            context: BTreeMap::new(),
            allowed_by: vec![AllowedBy {
                policy: by.0.into(),
                kind: "identity".into(),
                statement: by.1,
                sid: by.2.map(Into::into),
                origin: Origin::default(),
            }],
        }
    }

    /// `user/alice` assumes `role/deploy` and makes a function under `role/admin`.
    pub(in crate::render) fn two_steps() -> Answer {
        let mut pass =
            call("role/deploy", "iam:PassRole", "role/admin", ("Deploy", 0, Some("PassAll")));
        pass.context
            .insert("iam:PassedToService".into(), KeyValue(vec!["lambda.amazonaws.com".into()]));
        Answer {
            schema: SCHEMA,
            question: Question {
                from: arn("user/alice"),
                home: Some("111111111111".into()),
                to: "admin".into(),
                ..Question::default()
            },
            verdict: Verdict::ReachableUnderAssumptions,
            path: Some(Path {
                assumptions: vec![
                    Assumption::Context {
                        key: "aws:MultiFactorAuthPresent".into(),
                        operator: "Bool".into(),
                        values: vec!["true".into()],
                        step: None,
                    },
                    Assumption::Event { text: "somebody invokes function x".into() },
                ],
                steps: vec![
                    Step {
                        technique: "sts-assume-role".into(),
                        title: "Assume a role".into(),
                        calls: vec![call(
                            "user/alice",
                            "sts:AssumeRole",
                            "role/deploy",
                            ("trust policy of role/deploy", 0, None),
                        )],
                        gains: vec![Gain::Credentials { of: arn("role/deploy") }],
                    },
                    Step {
                        technique: "lambda-create-function".into(),
                        title: "Run code in a new Lambda function under a role passed to it".into(),
                        calls: vec![
                            pass,
                            call(
                                "role/deploy",
                                "lambda:CreateFunction",
                                "function:x",
                                ("Deploy", 1, None),
                            ),
                        ],
                        gains: vec![Gain::Credentials { of: arn("role/admin") }],
                    },
                ],
            }),
            unknown: vec!["accounts/111111111111: no organization data".into()],
            id: Some("0123456789abcdef".into()),
        }
    }

    fn unreachable() -> Answer {
        Answer {
            verdict: Verdict::Unreachable,
            path: None,
            unknown: Vec::new(),
            id: None,
            ..two_steps()
        }
    }

    fn show(answer: &Answer, view: View) -> String {
        plain(|out| super::answer(out, answer, &Options::default(), view))
    }

    #[test]
    fn a_witness_reads_from_verdict_to_what_was_missing() {
        insta::assert_snapshot!(show(&two_steps(), View::default()), @r"
        reachable under assumptions: user/alice can become administrator of 111111111111 in 2 steps

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

        Not known
          - accounts/111111111111: no organization data
        ");
    }

    #[test]
    fn a_verbose_witness_has_the_condition_keys() {
        let shown = show(&two_steps(), View { verbose: true, width: None });
        assert!(
            shown.contains("\n       with iam:PassedToService = lambda.amazonaws.com\n"),
            "{shown}"
        );
    }

    #[test]
    fn a_narrow_terminal_gets_the_reasons_below_the_calls() {
        insta::assert_snapshot!(show(&two_steps(), View { width: Some(60), verbose: false }), @r"
        reachable under assumptions: user/alice can become administrator of 111111111111 in 2 steps

          1. Assume a role (sts-assume-role)
             sts:AssumeRole  role/deploy
                 allowed by trust policy of role/deploy statement 0
             gains the credentials of role/deploy

          2. Run code in a new Lambda function under a role passed to it (lambda-create-function)
             as role/deploy
             iam:PassRole           role/admin
                 allowed by Deploy statement 0 (PassAll)
             lambda:CreateFunction  function:x
                 allowed by Deploy statement 1
             gains the credentials of role/admin

        If
          - the caller signed in with MFA (aws:MultiFactorAuthPresent)
          - somebody invokes function x

        Not known
          - accounts/111111111111: no organization data
        ");
    }

    #[test]
    fn what_is_proved_absent_is_one_line() {
        insta::assert_snapshot!(show(&unreachable(), View::default()), @"unreachable: user/alice cannot become administrator of 111111111111");
    }

    #[test]
    fn a_verdict_names_the_constraints_it_holds_under() {
        let options =
            Options { avoid: vec!["s3:*".into()], max_steps: Some(3), ..Options::default() };
        let check = |answer: &Answer, expected: &str| {
            let shown = plain(|out| super::answer(out, answer, &options, View::default()));
            assert!(shown.starts_with(expected), "{shown}");
        };
        check(
            &unreachable(),
            "unreachable: user/alice cannot become administrator of 111111111111 in at most 3 steps \
             without s3:*\n",
        );
        check(
            &two_steps(),
            "reachable under assumptions: user/alice can become administrator of 111111111111 in 2 \
             steps without s3:*\n",
        );
    }

    #[test]
    fn an_undecided_question_says_what_is_missing() {
        let mut answer = unreachable();
        answer.verdict = Verdict::Unknown;
        answer.unknown = (0..30).map(|n| format!("policy {n} is missing").into()).collect();
        let shown = show(&answer, View::default());
        let first = shown.lines().take(4).collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(first, @r"
        unknown: whether user/alice can become administrator of 111111111111 is not decided

        Not known
          - policy 0 is missing
        ");
        assert!(
            shown.ends_with("policy 19 is missing\n  and 10 more; --verbose shows all\n"),
            "{shown}"
        );
    }

    #[test]
    fn a_start_that_is_there_already_needs_no_step() {
        let mut answer = two_steps();
        answer.verdict = Verdict::Reachable;
        answer.unknown.clear();
        if let Some(path) = &mut answer.path {
            path.steps.clear();
            path.assumptions.clear();
        }
        insta::assert_snapshot!(show(&answer, View::default()), @"reachable: user/alice can become administrator of 111111111111 without a step");
    }

    #[test]
    fn names_from_a_snapshot_cannot_write_on_the_terminal() {
        let hostile = "\u{1b}]0;title\u{7}\n\u{202e}";
        let mut answer = two_steps();
        answer.question.from = hostile.into();
        answer.question.to = hostile.into();
        let options = Options {
            via: vec![hostile.into()],
            assume: [(hostile.into(), Some(hostile.into()))].into(),
            ..Options::default()
        };
        answer.unknown = vec![hostile.into()];
        let path = answer.path.as_mut().unwrap();
        path.assumptions.push(Assumption::Event { text: hostile.into() });
        path.assumptions.push(Assumption::Context {
            key: hostile.into(),
            operator: hostile.into(),
            values: vec![hostile.into()],
            step: None,
        });
        path.assumptions
            .push(Assumption::Knowledge { key: hostile.into(), values: vec![hostile.into()] });
        path.assumptions.push(Assumption::Context {
            key: "aws:MultiFactorAuthPresent".into(),
            operator: "Bool".into(),
            values: vec![hostile.into()],
            step: None,
        });
        let step = &mut path.steps[0];
        (step.technique, step.title) = (hostile.into(), hostile.into());
        let call = &mut step.calls[0];
        (call.actor, call.action, call.resource) = (hostile.into(), hostile.into(), hostile.into());
        call.context.insert(hostile.into(), KeyValue(vec![hostile.into()]));
        call.allowed_by = vec![AllowedBy {
            policy: hostile.into(),
            kind: hostile.into(),
            statement: 0,
            sid: Some(hostile.into()),
            origin: Origin::default(),
        }];
        let text: Arc<str> = hostile.into();
        step.gains = vec![
            Gain::Credentials { of: text.clone() },
            Gain::Policy { of: text.clone(), effect: text.clone() },
            Gain::Delegation {
                of: text.clone(),
                actions: vec![text.clone()],
                through: text.clone(),
            },
            Gain::Resource { of: text.clone(), effect: text.clone() },
            Gain::Goal { of: text },
        ];
        let shown = {
            let mut bytes = Vec::new();
            let view = View { verbose: true, width: None };
            super::answer(&mut bytes, &answer, &options, view).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        // What is left after our own styles are taken out, which are `ESC [ ... m`.
        let ours: String = shown
            .split("\u{1b}[")
            .enumerate()
            .map(|(n, part)| if n == 0 { part } else { part.split_once('m').unwrap().1 })
            .collect();
        assert!(ours.chars().all(|c| c == '\n' || !c.is_control()), "{ours:?}");
        assert!(!ours.contains('\u{202e}'), "{ours:?}");
    }
}
