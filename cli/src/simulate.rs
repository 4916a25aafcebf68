//! `escalade simulate`: what the policies say about a request.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use escalade_engine::analysis::{Models, QuestionError};
use escalade_engine::answer::SCHEMA;
use escalade_engine::authorization::cases::{CaseVerdict, decide_case};
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

/// What there is to say about the lines of a file of cases.
#[derive(Default)]
pub(crate) struct Remarks {
    /// Of each line that could not be decided: it has an `error` instead of a verdict.
    pub(crate) undecided: Vec<String>,
    /// Members that no case has, each with the first line that has it.
    pub(crate) passed_over: BTreeMap<String, usize>,
}

/// Decides the cases of a file, one a line, and writes one verdict a line in the same order.
///
/// Fails if the file cannot be read or the output not written.
pub(crate) fn cases(path: &Path, out: &mut impl Write) -> io::Result<Remarks> {
    let text = fs::read(path)?;
    let is_blank = |line: &[u8]| line.iter().all(u8::is_ascii_whitespace);
    let lines: Vec<(usize, &[u8])> =
        text.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !is_blank(line)).collect();
    let answers: Vec<(String, Remarks)> = lines.par_chunks(CHUNK).map(decide_chunk).collect();
    let mut remarks = Remarks::default();
    for (answer, of_chunk) in answers {
        out.write_all(answer.as_bytes())?;
        remarks.undecided.extend(of_chunk.undecided);
        for (member, line) in of_chunk.passed_over {
            remarks.passed_over.entry(member).or_insert(line);
        }
    }
    Ok(remarks)
}

fn decide_chunk(lines: &[(usize, &[u8])]) -> (String, Remarks) {
    let mut out = String::with_capacity(lines.len() * 64);
    let mut remarks = Remarks::default();
    for (at, line) in lines {
        let case = match str::from_utf8(line) {
            Ok(line) => decide_case(line),
            Err(error) => {
                let verdict = Err(format!("not UTF-8: {error}"));
                CaseVerdict { id: None, verdict, passed_over: Vec::new() }
            }
        };
        for member in case.passed_over {
            remarks.passed_over.entry(member).or_insert(at + 1);
        }
        let (member, value) = match &case.verdict {
            Ok(verdict) => ("verdict", verdict.name()),
            Err(error) => ("error", error.as_str()),
        };
        if let Err(error) = &case.verdict {
            remarks.undecided.push(format!("line {}: {error}", at + 1));
        }
        let id = case.id.map_or(serde_json::Value::Null, serde_json::Value::String);
        let value = serde_json::Value::String(value.to_owned());
        out.push_str(&format!("{{\"id\": {id}, \"{member}\": {value}}}\n"));
    }
    (out, remarks)
}
