//! An audit as lines of JSON: each finding as soon as it is known, and none of them held.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use escalade_engine::analysis::{self, Models, Options, QuestionError};
use escalade_engine::answer::{Answer, Audit, AuditQuestion, SCHEMA, Statistics};
use escalade_engine::snapshot::World;
use serde::Serialize;

use crate::output::{Output, OutputError};

/// Why there are no lines, or not all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinesError {
    #[error(transparent)]
    Question(#[from] QuestionError),
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// The last line: what is said of all findings together.
#[derive(Serialize)]
struct Summary<'a> {
    schema: &'static str,
    summary: About<'a>,
}

#[derive(Serialize)]
struct About<'a> {
    question: &'a AuditQuestion,
    principals: usize,
    accounts: usize,
    reachable: usize,
    undecided: usize,
    administrators: &'a [Arc<str>],
    unique_ids: &'a BTreeMap<Arc<str>, Arc<str>>,
    unknown: &'a [Arc<str>],
}

/// Writes the findings of an audit, in the order of principals in the snapshot, those of starts from
/// outside last, and then what is said of all together. A reader that went away is no failure.
pub(crate) fn audit(
    world: &World,
    models: &Models,
    options: &Options,
    output: Output,
) -> Result<Statistics, LinesError> {
    let mut wrong = None;
    let written = output.bytes(|out| {
        let (mut reachable, mut undecided) = (0, 0);
        let mut failed = None;
        let audit = analysis::audit_each(world, models, options, &mut |answer: Answer| {
            match answer.verdict.is_reachable() {
                true => reachable += 1,
                false => undecided += 1,
            }
            match line(out, &answer) {
                Ok(()) => true,
                Err(error) => {
                    failed = Some(error);
                    false
                }
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let audit = match audit {
            Ok(audit) => audit,
            Err(error) => {
                wrong = Some(error);
                // Keeps the file from being replaced.
                return Err(io::Error::other("no audit"));
            }
        };
        line(out, &summary(&audit, reachable, undecided))?;
        Ok(audit.statistics)
    });
    match (wrong, written) {
        (Some(error), _) => Err(error.into()),
        (None, Err(error)) if error.is_broken_pipe() => Ok(Statistics::default()),
        (None, written) => Ok(written?),
    }
}

fn summary(audit: &Audit, reachable: usize, undecided: usize) -> Summary<'_> {
    Summary {
        schema: SCHEMA,
        summary: About {
            question: &audit.question,
            principals: audit.principals,
            accounts: audit.accounts,
            reachable,
            undecided,
            administrators: &audit.administrators,
            unique_ids: &audit.unique_ids,
            unknown: &audit.unknown,
        },
    }
}

/// Writes a value as one line.
pub(crate) fn line(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)
}
