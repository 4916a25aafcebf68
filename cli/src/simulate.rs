//! `escalade simulate`: what the policies say about a request.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use escalade_engine::analysis::{Models, QuestionError};
use escalade_engine::answer::SCHEMA;
use escalade_engine::authorization::cases::decide_case;
use escalade_engine::policy::Policy;
use escalade_engine::simulation::{Asked, Simulation, Simulator, Verdict};
use escalade_engine::snapshot::World;
use rayon::prelude::*;
use serde::Serialize;

use crate::arguments::{ExpectedDecision, Simulate};

/// The answers as JSON has them.
#[derive(Serialize)]
pub(crate) struct Results {
    schema: &'static str,
    /// One for each request: actions in the order given, for each the resources.
    pub(crate) results: Vec<Simulation>,
}

/// The requests that a command line asks about.
pub(crate) fn requests(
    arguments: &Simulate,
    principal: &str,
    snapshot: &Path,
) -> Result<Vec<Asked>, String> {
    let context = arguments.context()?;
    let session_policy = match &arguments.session_policy {
        None => None,
        Some(file) => {
            let text = fs::read_to_string(file).map_err(|error| format!("{file:?}: {error}"))?;
            let policy = Policy::parse(&text).map_err(|error| format!("{file:?} {error}"))?;
            Some(Arc::new(policy))
        }
    };
    let file = (!snapshot.is_dir())
        .then(|| snapshot.file_name().unwrap_or_default().to_string_lossy().into());
    let mut out = Vec::new();
    for action in &arguments.action {
        for resource in &arguments.resource {
            out.push(Asked {
                principal: principal.to_owned(),
                action: action.clone(),
                resource: resource.clone(),
                context: context.clone(),
                session_policy: session_policy.clone(),
                file: file.clone(),
            });
        }
    }
    Ok(out)
}

/// Decides the requests, in order.
pub(crate) fn decide(
    world: &World,
    models: &Models,
    requests: &[Asked],
) -> Result<Results, QuestionError> {
    let simulator = Simulator::new(world, models)?;
    let results = requests.iter().map(|asked| simulator.decide(asked)).collect::<Result<_, _>>()?;
    Ok(Results { schema: SCHEMA, results })
}

/// What to say of each request that is not decided as expected.
pub(crate) fn differing(
    results: &[Simulation],
    expected: ExpectedDecision,
) -> impl Iterator<Item = String> {
    let (words, verdicts): (&str, &[Verdict]) = match expected {
        ExpectedDecision::Allow => ("allow", &[Verdict::Allowed]),
        ExpectedDecision::Deny => ("deny", &[Verdict::ExplicitlyDenied, Verdict::ImplicitlyDenied]),
        ExpectedDecision::ExplicitDeny => ("explicit-deny", &[Verdict::ExplicitlyDenied]),
        ExpectedDecision::ImplicitDeny => ("implicit-deny", &[Verdict::ImplicitlyDenied]),
        ExpectedDecision::Conditional => ("conditional", &[Verdict::AllowedUnderAssumptions]),
        ExpectedDecision::Unknown => ("unknown", &[Verdict::Unknown]),
    };
    results.iter().filter(|result| !verdicts.contains(&result.verdict)).map(move |result| {
        let (request, verdict) = (&result.request, result.verdict);
        format!("expected {words}, found {verdict}: {} on {}", request.action, request.resource)
    })
}

/// Lines that one thread decides at a time: enough to make the hand-over cheap.
const CHUNK: usize = 256;

/// Decides the cases of a file, one a line, and writes one verdict a line in the same order.
///
/// Returns what to say of each line that could not be decided: it has an `error` instead of a
/// verdict. Fails if the file cannot be read or the output not written.
pub(crate) fn cases(path: &Path, out: &mut impl Write) -> io::Result<Vec<String>> {
    let text = fs::read_to_string(path)?;
    let lines: Vec<(usize, &str)> =
        text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).collect();
    let answers: Vec<(String, Vec<String>)> = lines.par_chunks(CHUNK).map(decide_chunk).collect();
    let mut undecided = Vec::new();
    for (answer, wrong) in answers {
        out.write_all(answer.as_bytes())?;
        undecided.extend(wrong);
    }
    Ok(undecided)
}

fn decide_chunk(lines: &[(usize, &str)]) -> (String, Vec<String>) {
    let mut out = String::with_capacity(lines.len() * 64);
    let mut undecided = Vec::new();
    for (at, line) in lines {
        let case = decide_case(line);
        let (member, value) = match &case.verdict {
            Ok(verdict) => ("verdict", verdict.name()),
            Err(error) => ("error", error.as_str()),
        };
        if let Err(error) = &case.verdict {
            undecided.push(format!("line {}: {error}", at + 1));
        }
        let id = case.id.map_or(serde_json::Value::Null, serde_json::Value::String);
        let value = serde_json::Value::String(value.to_owned());
        out.push_str(&format!("{{\"id\": {id}, \"{member}\": {value}}}\n"));
    }
    (out, undecided)
}
