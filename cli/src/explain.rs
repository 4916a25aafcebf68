//! `escalade explain`: one finding with everything about it.

use std::sync::Arc;

use escalade_engine::answer::{Answer, Audit};
use escalade_engine::simulation::{Asked, Simulator, StatementReport};
use escalade_models::{Catalogue, Technique};
use serde::Serialize;

/// A finding, the techniques that it uses, and who else has it.
#[derive(Serialize)]
pub(crate) struct Explanation {
    schema: &'static str,
    /// The finding.
    pub(crate) finding: Answer,
    /// Everybody who gets to the goal from the same cause, sorted by ARN.
    pub(crate) principals: Vec<Arc<str>>,
    /// The statements that allow its calls as the snapshot has them, with their files. Calls that
    /// only an earlier step makes possible have none here.
    pub(crate) statements: Vec<StatementReport>,
    /// The techniques of its steps, in the order of their first use.
    pub(crate) techniques: Vec<Technique>,
}

/// Finds a finding by its id, or the beginning of it; `from` is the end of a principal's ARN.
pub(crate) fn explain(
    audit: &Audit,
    simulator: &Simulator<'_>,
    catalogue: &Catalogue,
    file: Option<&Arc<str>>,
    id: &str,
    from: Option<&str>,
) -> Result<Explanation, String> {
    let starts_so = |answer: &&Answer| {
        !id.is_empty() && answer.id.as_deref().is_some_and(|whole| whole.starts_with(id))
    };
    let found: Vec<&Answer> = audit.findings.iter().filter(starts_so).collect();
    let Some(first) = found.first() else {
        let count = audit.findings.len();
        return Err(format!("no finding {id:?} among the {count} of this audit"));
    };
    if let Some(other) = found.iter().find(|answer| answer.id != first.id) {
        let shown = |answer: &Answer| answer.id.as_deref().unwrap_or_default().to_owned();
        return Err(format!("{id:?} could be {} or {}", shown(first), shown(other)));
    }
    let named = |answer: &&&Answer| {
        let arn = &answer.question.from;
        from.is_none_or(|from| {
            **arn == *from
                || arn.strip_suffix(from).is_some_and(|rest| rest.ends_with([':', '/']))
                || from.split_once('/').is_some_and(|(kind, name)| {
                    arn.contains(&format!(":{kind}/")) && arn.ends_with(&format!("/{name}"))
                })
        })
    };
    let finding = found.iter().find(named).copied().ok_or_else(|| {
        format!("{:?} does not have the finding {id:?}", from.unwrap_or_default())
    })?;
    let mut techniques: Vec<Technique> = Vec::new();
    for step in finding.path.iter().flat_map(|path| &path.steps) {
        let technique = catalogue.techniques().iter().find(|one| {
            // The id of a variant is that of its technique with something behind it.
            *one.id == *step.technique || one.aliases.iter().any(|alias| **alias == *step.technique)
        });
        if let Some(technique) = technique
            && !techniques.iter().any(|known| known.id == technique.id)
        {
            techniques.push(technique.clone());
        }
    }
    let mut principals: Vec<Arc<str>> =
        found.iter().map(|answer| answer.question.from.clone()).collect();
    principals.sort();
    let statements = statements(finding, simulator, file);
    let (schema, finding) = (audit.schema, finding.clone());
    Ok(Explanation { schema, finding, principals, statements, techniques })
}

/// Where the statements are that allow the calls of a finding's path.
fn statements(
    finding: &Answer,
    simulator: &Simulator<'_>,
    file: Option<&Arc<str>>,
) -> Vec<StatementReport> {
    let mut out: Vec<StatementReport> = Vec::new();
    let steps = finding.path.iter().flat_map(|path| &path.steps);
    for call in steps.flat_map(|step| &step.calls) {
        let context = call.context.iter().map(|(key, value)| (key.clone(), value.0.clone()));
        let asked = Asked {
            principal: call.actor.to_string(),
            action: call.action.to_string(),
            resource: call.resource.to_string(),
            context: context.collect(),
            session_policy: None,
            file: file.cloned(),
        };
        // A principal or a resource that an earlier step made is not in the snapshot.
        let Ok(simulation) = simulator.decide(&asked) else { continue };
        for by in simulation.allowed_by {
            let shown = call.allowed_by.iter().any(|shown| {
                (&*shown.policy, &*shown.kind, shown.statement)
                    == (&*by.policy, by.kind, by.statement)
            });
            if shown && !out.contains(&by) {
                out.push(by);
            }
        }
    }
    out
}
