//! SARIF 2.1.0, for code scanning and editors: one result for each principal that gets to the goal,
//! at the statement that allows its last step; techniques are the rules.

mod log;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use escalade_engine::answer::{AllowedBy, Answer, Call, Path, Step};
use escalade_models::{Severity, Technique};

use super::Report;
use crate::cause::Cause;
use crate::render::{self, Names, category, sentence, severity, visible};
use log::{
    ArtifactLocation, CodeFlow, Configuration, Driver, Help, Invocation, Location, Log,
    LogicalLocation, Message, Notification, PhysicalLocation, Region, ResultProperties, Rule,
    RuleProperties, Run, SarifResult, ThreadFlow, ThreadFlowLocation, Tool, UriBase,
};

/// The name by which files are told from where they are, if the snapshot's folder is not part of
/// them.
const BASE: &str = "SNAPSHOT";

/// The technique of the step that is the call that was asked for.
const GOAL: &str = "goal";

/// Writes the findings as results. What is undecided or not known is a notification of the run.
pub(super) fn write(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    let used: BTreeSet<&str> = report
        .findings()
        .filter_map(|finding| finding.path.as_ref())
        .flat_map(|path| &path.steps)
        .map(|step| &*step.technique)
        .collect();
    let techniques = report.catalogue.techniques().iter();
    let techniques = techniques.filter(|technique| used.contains(technique.id.as_str())).map(rule);
    let of_goal = used.contains(GOAL).then(rule_of_goal);
    let rules: Vec<Rule> = techniques.chain(of_goal).collect();
    let results = report.findings().filter_map(|finding| result(report, &rules, finding)).collect();
    let base = UriBase { description: Message { text: "The folder of the snapshot.".to_owned() } };
    let relative = report.evidence.is_relative();
    let log = Log {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: [Run {
            original_uri_base_ids: (!relative).then_some((BASE, base)).into_iter().collect(),
            results,
            tool: Tool {
                driver: Driver {
                    name: "escalade",
                    semantic_version: env!("CARGO_PKG_VERSION"),
                    rules,
                },
            },
            invocations: [Invocation {
                execution_successful: true,
                tool_execution_notifications: notifications(report),
            }],
            column_kind: "unicodeCodePoints",
        }],
    };
    serde_json::to_writer_pretty(&mut *out, &log)?;
    writeln!(out)
}

fn notifications(report: &Report<'_>) -> Vec<Notification> {
    let undecided = report.undecided().map(|finding| {
        let names = Names::of_start(&finding.question.from);
        let claim = render::claim(names, finding, report.options);
        Notification { level: "warning", message: message(&claim) }
    });
    let unknown = report
        .unknown()
        .iter()
        .map(|text| Notification { level: "note", message: message(&visible(text)) });
    undecided.chain(unknown).collect()
}

/// A message; what would be a placeholder or a link is not (3.11.5 and 3.11.6).
fn message(text: &str) -> Message {
    let text = text.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]");
    Message { text: text.replace('{', "{{").replace('}', "}}") }
}

fn rule(technique: &Technique) -> Rule {
    let level = technique.severity();
    let list = |title: &str, items: &[String]| {
        let items: String = items.iter().map(|item| format!("\n- {}", visible(item))).collect();
        if items.is_empty() { items } else { format!("\n\n{title}:\n{items}") }
    };
    let text = format!(
        "{}.{}{}",
        visible(&technique.title),
        list("Limits", &technique.limits),
        list("References", &technique.references),
    );
    Rule {
        id: technique.id.clone(),
        short_description: Message { text: visible(&technique.title).into_owned() },
        help: Help { markdown: text.clone(), text },
        help_uri: technique.references.first().filter(|page| page.starts_with("https://")).cloned(),
        default_configuration: Configuration { level: sarif_level(level) },
        properties: RuleProperties {
            security_severity: score(level),
            tags: vec![
                "security".to_owned(),
                category(technique.category).to_owned(),
                severity(level).to_owned(),
            ],
        },
    }
}

/// The rule of findings that end with the call that was asked for.
fn rule_of_goal() -> Rule {
    let text = "The call that was asked for can be made.".to_owned();
    Rule {
        id: GOAL.to_owned(),
        short_description: Message { text: text.clone() },
        help: Help { markdown: text.clone(), text },
        help_uri: None,
        default_configuration: Configuration { level: sarif_level(Severity::High) },
        properties: RuleProperties {
            security_severity: score(Severity::High),
            tags: vec!["security".to_owned(), severity(Severity::High).to_owned()],
        },
    }
}

fn sarif_level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "note",
    }
}

/// Within the bands that GitHub documents: critical over 9, high from 7, medium from 4, low from
/// 0.1 (<https://docs.github.com/en/code-security/reference/code-scanning/sarif-support>).
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.0",
    }
}

/// A finding; nothing for one without a step.
fn result(report: &Report<'_>, rules: &[Rule], finding: &Answer) -> Option<SarifResult> {
    let path = finding.path.as_ref()?;
    let last = path.steps.last()?;
    let (index, rule) = rules.iter().enumerate().find(|(_, rule)| *rule.id == *last.technique)?;
    let names = Names::of_start(&finding.question.from);
    let mut text = render::claim(names, finding, report.options);
    let titles: Vec<_> = path.steps.iter().map(|step| visible(&step.title)).collect();
    text.push_str(&format!(": {}.", titles.join("; then ")));
    let assumptions: Vec<_> = path.assumptions.iter().map(sentence).collect();
    if !assumptions.is_empty() {
        text.push_str(&format!(" If {}.", assumptions.join("; and ")));
    }
    Some(SarifResult {
        rule_id: last.technique.to_string(),
        rule_index: index,
        level: rule.default_configuration.level,
        message: message(&text),
        locations: vec![primary(report, finding, path)],
        code_flows: vec![CodeFlow {
            thread_flows: [ThreadFlow { locations: flow(report, names, path) }],
        }],
        partial_fingerprints: BTreeMap::from([("escalade/v1", fingerprint(finding)?)]),
        properties: ResultProperties {
            from: visible(&finding.question.from).into_owned(),
            to: visible(&finding.question.to).into_owned(),
            verdict: finding.verdict.as_str(),
            assumptions,
        },
    })
}

/// What makes a finding the same one in another snapshot: who gets where, and by which last step.
fn fingerprint(finding: &Answer) -> Option<String> {
    let Cause { technique, target } = Cause::of(finding)?;
    let (from, to) = (&*finding.question.from, &*finding.question.to);
    let parts = [from, to, technique, target.unwrap_or("itself")];
    Some(parts.map(|part| visible(part).into_owned()).join(" "))
}

/// The statement to look at first: one that allows the last step, or else one of an earlier step,
/// or else where the principal stands.
fn primary(report: &Report<'_>, finding: &Answer, path: &Path) -> Location {
    let statements = path.steps.iter().rev().flat_map(statements);
    statements.into_iter().find_map(|by| location(report, by)).unwrap_or_else(|| {
        let file = report.evidence.principal(&finding.question.from);
        Location {
            physical_location: file.map(|file| PhysicalLocation {
                artifact_location: artifact(report, file),
                region: None,
            }),
            logical_locations: Vec::new(),
            message: None,
        }
    })
}

fn statements(step: &Step) -> impl Iterator<Item = &AllowedBy> {
    step.calls.iter().flat_map(|call| &call.allowed_by)
}

fn location(report: &Report<'_>, by: &AllowedBy) -> Option<Location> {
    let (file, place) = report.evidence.place(by)?;
    Some(Location {
        physical_location: Some(PhysicalLocation {
            artifact_location: artifact(report, file),
            region: place
                .map(|place| Region { start_line: place.lines.0, end_line: place.lines.1 }),
        }),
        logical_locations: place
            .map(|place| LogicalLocation {
                fully_qualified_name: place.pointer.clone(),
                kind: "object",
            })
            .into_iter()
            .collect(),
        message: None,
    })
}

fn artifact(report: &Report<'_>, file: &str) -> ArtifactLocation {
    ArtifactLocation {
        uri: report.evidence.uri(file),
        uri_base_id: (!report.evidence.is_relative()).then_some(BASE),
    }
}

/// The calls in order, each at the statements that allow it.
fn flow(report: &Report<'_>, names: Names<'_>, path: &Path) -> Vec<ThreadFlowLocation> {
    let calls = path.steps.iter().flat_map(|step| step.calls.iter().map(move |call| (step, call)));
    let mut out = Vec::new();
    for (step, call) in calls {
        let located: Vec<_> =
            call.allowed_by.iter().map(|by| (Some(by), location(report, by))).collect();
        let located = if located.is_empty() { vec![(None, None)] } else { located };
        for (by, place) in located {
            let place = place.unwrap_or(Location {
                physical_location: None,
                logical_locations: Vec::new(),
                message: None,
            });
            let text = told(names, step, call, by);
            out.push(ThreadFlowLocation {
                location: Location { message: Some(message(&text)), ..place },
                execution_order: out.len() + 1,
            });
        }
    }
    out
}

fn told(names: Names<'_>, step: &Step, call: &Call, by: Option<&AllowedBy>) -> String {
    let mut text = format!(
        "{}: {} calls {} on {}",
        visible(&step.title),
        names.short(&call.actor),
        visible(&call.action),
        names.short(&call.resource)
    );
    if let Some(by) = by {
        let statement = names.statement(&by.policy, by.statement, by.sid.as_deref());
        text.push_str(&format!(", allowed by {statement}"));
    }
    text
}
