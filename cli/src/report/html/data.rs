//! What the page draws: every step and every policy once, findings as positions of their steps.

use std::collections::{BTreeMap, HashMap};

use escalade_engine::answer::{Answer, Call, Step};
use escalade_engine::fix::{EditReport, Fix};
use escalade_engine::provenance::{PlacedPolicy, PolicyName};
use serde::Serialize;

use crate::cause::{Cause, causes};
use crate::render::{self, Names, gained, sentence, severity, visible};
use crate::report::{Asked, Report};

/// Everything on the page.
#[derive(Serialize)]
pub(super) struct Data<'a> {
    causes: Vec<CauseData<'a>>,
    /// Accounts with how many findings start there.
    accounts: Vec<(String, usize)>,
    findings: Vec<FindingData<'a>>,
    steps: Vec<StepData>,
    policies: Vec<PolicyData>,
    fixes: Vec<FixData>,
    administrators: Vec<String>,
    unknown: Vec<String>,
}

#[derive(Serialize)]
struct CauseData<'a> {
    title: String,
    on: String,
    severity: &'a str,
    findings: usize,
}

#[derive(Serialize)]
struct FindingData<'a> {
    name: String,
    arn: String,
    account: String,
    goal: String,
    verdict: &'a str,
    /// Position among the causes.
    cause: Option<usize>,
    /// Position among the fixes.
    fix: Option<usize>,
    /// Positions among the steps.
    steps: Vec<usize>,
    assumptions: Vec<String>,
    unknown: Vec<String>,
}

#[derive(Serialize)]
struct StepData {
    technique: String,
    title: String,
    severity: Option<&'static str>,
    calls: Vec<CallData>,
    gains: Vec<String>,
}

#[derive(Serialize)]
struct CallData {
    actor: String,
    action: String,
    resource: String,
    context: Vec<(String, String)>,
    /// Position of the policy, of the statement in it, and what they are called.
    by: Vec<(usize, usize, String)>,
}

#[derive(Serialize)]
struct PolicyData {
    name: String,
    of: Option<String>,
    file: Option<String>,
    text: Option<String>,
    statements: Vec<StatementData>,
}

#[derive(Serialize)]
struct StatementData {
    /// First and last line in the text.
    text: (usize, usize),
    /// First and last line in the file.
    file: Option<(usize, usize)>,
}

#[derive(Serialize)]
struct FixData {
    /// Whose paths are closed.
    of: String,
    /// Whether fewer edits do not do.
    smallest: bool,
    edits: Vec<EditData>,
}

#[derive(Serialize)]
struct EditData {
    title: String,
    place: String,
    /// What goes (`-`), what comes (`+`) and what stays.
    lines: Vec<(char, String)>,
    /// Position of the policy that is edited, if it is one of a path.
    policy: Option<usize>,
}

impl<'a> Data<'a> {
    /// Gathers what a report shows.
    pub(super) fn of(report: &Report<'a>) -> Self {
        let names = report.names();
        let causes = causes(report.findings());
        let position: BTreeMap<Cause<'_>, usize> =
            causes.iter().enumerate().map(|(at, (cause, _))| (*cause, at)).collect();
        let mut steps = Steps::new(report);
        let fixes = report.evidence.fixes();
        let fix_at: BTreeMap<&str, usize> =
            fixes.keys().enumerate().map(|(at, id)| (&**id, at)).collect();
        let mut accounts = BTreeMap::<String, usize>::new();
        let shown = report
            .answers()
            .filter(|answer| answer.path.is_some() || matches!(report.asked, Asked::Audit(_)));
        let findings: Vec<_> = shown
            .map(|finding| {
                let account = account(&finding.question.from);
                *accounts.entry(account.clone()).or_default() += 1;
                let path = finding.path.as_ref();
                let home = Names::of_start(&finding.question.from);
                FindingData {
                    name: names.short(&finding.question.from).into_owned(),
                    arn: visible(&finding.question.from).into_owned(),
                    account,
                    goal: render::predicate(home, &finding.question.to),
                    verdict: finding.verdict.as_str(),
                    cause: Cause::of(finding).and_then(|cause| position.get(&cause).copied()),
                    fix: finding.id.as_deref().and_then(|id| fix_at.get(id).copied()),
                    steps: path
                        .into_iter()
                        .flat_map(|path| &path.steps)
                        .map(|step| steps.add(step))
                        .collect(),
                    assumptions: path
                        .into_iter()
                        .flat_map(|path| &path.assumptions)
                        .map(sentence)
                        .collect(),
                    unknown: unknown_of(report, finding),
                }
            })
            .collect();
        let severity_of =
            |id: &str| report.technique(id).map_or("", |one| severity(one.severity()));
        let title_of = |id: &'a str| report.technique(id).map_or(id, |one| &one.title);
        Self {
            causes: causes
                .iter()
                .map(|(cause, findings)| CauseData {
                    title: visible(title_of(cause.technique)).into_owned(),
                    on: render::on(names, cause),
                    severity: severity_of(cause.technique),
                    findings: *findings,
                })
                .collect(),
            accounts: accounts.into_iter().collect(),
            findings,
            steps: steps.data,
            policies: report.evidence.policies().map(|(_, known)| policy(report, known)).collect(),
            fixes: fixes.values().map(|fix| self::fix(report, fix)).collect(),
            administrators: match report.asked {
                Asked::Audit(audit) => {
                    audit.administrators.iter().map(|arn| names.short(arn).into_owned()).collect()
                }
                Asked::Reach(_) => Vec::new(),
            },
            unknown: report.unknown().iter().map(|text| visible(text).into_owned()).collect(),
        }
    }
}

/// What a finding lacks beside what all lack.
fn unknown_of(report: &Report<'_>, finding: &Answer) -> Vec<String> {
    match report.asked {
        Asked::Reach(_) => Vec::new(),
        Asked::Audit(_) => finding.unknown.iter().map(|text| visible(text).into_owned()).collect(),
    }
}

fn account(from: &str) -> String {
    let names = Names::of_start(from);
    names.home().map_or_else(|| "none".to_owned(), |account| visible(account).into_owned())
}

/// Steps, each once.
struct Steps<'r, 'a> {
    report: &'r Report<'a>,
    policies: HashMap<&'a PolicyName, usize>,
    known: HashMap<String, usize>,
    data: Vec<StepData>,
}

impl<'r, 'a> Steps<'r, 'a> {
    fn new(report: &'r Report<'a>) -> Self {
        let policies = report.evidence.policies();
        Self {
            report,
            policies: policies.enumerate().map(|(at, (name, _))| (name, at)).collect(),
            known: HashMap::new(),
            data: Vec::new(),
        }
    }

    /// The position of a step.
    fn add(&mut self, step: &Step) -> usize {
        let names = self.report.names();
        let technique = self.report.technique(&step.technique);
        let data = StepData {
            technique: visible(&step.technique).into_owned(),
            title: visible(&step.title).into_owned(),
            severity: technique.map(|technique| severity(technique.severity())),
            calls: step.calls.iter().map(|call| self.call(names, call)).collect(),
            gains: step.gains.iter().map(|gain| gained(names, gain)).collect(),
        };
        // What looks the same is the same, down to the positions of its policies.
        let looks = serde_json::to_string(&data).unwrap_or_default();
        let next = self.data.len();
        let at = *self.known.entry(looks).or_insert(next);
        if at == next {
            self.data.push(data);
        }
        at
    }

    fn call(&self, names: Names<'_>, call: &Call) -> CallData {
        let context = call.context.iter().map(|(key, value)| {
            let values: Vec<_> = value.0.iter().map(|value| names.short(value)).collect();
            let values =
                if values.is_empty() { "(no value)".to_owned() } else { values.join(", ") };
            (visible(key).into_owned(), values)
        });
        let by = call.allowed_by.iter().filter_map(|by| {
            let policy = *self.policies.get(&PolicyName::from(by))?;
            let label = names.statement(&by.policy, by.statement, by.sid.as_deref());
            Some((policy, by.statement, label))
        });
        CallData {
            actor: names.short(&call.actor).into_owned(),
            action: visible(&call.action).into_owned(),
            resource: names.short(&call.resource).into_owned(),
            context: context.collect(),
            by: by.collect(),
        }
    }
}

fn fix(report: &Report<'_>, fix: &Fix) -> FixData {
    let from = fix.from.as_deref().unwrap_or_default();
    let names = Names::of_start(from);
    let edits = fix.edits.iter().map(|edit| {
        let file = match &*edit.location.file {
            "" => String::new(),
            file => visible(&report.evidence.path(file)).into_owned(),
        };
        let policy = report.evidence.policies().position(|(_, known)| is_policy_of(known, edit));
        EditData {
            title: render::subject(names, edit),
            place: format!("{file} {}", visible(&edit.location.at)).trim_start().to_owned(),
            lines: render::changed(edit),
            policy: policy.filter(|_| edit.location.statement.is_some()),
        }
    });
    let smallest = fix.proved_smallest;
    FixData { of: names.short(from).into_owned(), smallest, edits: edits.collect() }
}

/// Whether an edit is one of this policy. Of a single file that is the snapshot the engine does not
/// know the name.
fn is_policy_of(known: &PlacedPolicy, edit: &EditReport) -> bool {
    let managed = edit.location.of.as_deref().is_some_and(|of| of.contains(":policy/"));
    edit.location.policy.as_deref() == Some(&*known.name)
        && (edit.location.file.is_empty() || known.file.as_ref() == Some(&edit.location.file))
        && (managed || known.of == edit.location.of)
}

fn policy(report: &Report<'_>, known: &PlacedPolicy) -> PolicyData {
    let text = known.text.as_ref();
    let lines = |text: &str| text.lines().map(visible).collect::<Vec<_>>().join("\n");
    PolicyData {
        name: visible(&known.name).into_owned(),
        of: known.of.as_ref().map(|of| report.names().short(of).into_owned()),
        file: known.file.as_ref().map(|file| visible(&report.evidence.path(file)).into_owned()),
        text: text.map(|text| lines(&text.text)),
        statements: text
            .into_iter()
            .flat_map(|text| &text.statements)
            .map(|statement| StatementData {
                text: statement.lines,
                file: statement.place.as_ref().map(|place| place.lines),
            })
            .collect(),
    }
}
