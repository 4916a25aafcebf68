//! `escalade why-not`, `escalade verify`, `escalade compare`, and the certificate of `reach`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use escalade_engine::analysis::{Environment, Models, Options};
use escalade_engine::answer::{Question, SCHEMA};
use escalade_engine::comparison;
use escalade_engine::proof::{self, Certificate};
use escalade_engine::snapshot::World;
use serde::Serialize;

use crate::arguments::{Format, Paths, Report, Run};
use crate::output::Output;
use crate::render::{self, View};
use crate::{Analysis, Failure, Outcome, complain, json, statistics, written};

/// Says why a goal is out of reach: the calls that would open it, and what blocks each.
#[derive(Debug, Args)]
#[command(after_help = "\
WHO and GOAL are as in `escalade reach`.

Examples:
  escalade why-not SNAPSHOT --from user/alice --to admin
  escalade why-not SNAPSHOT --from user/alice --to 's3:GetObject@arn:aws:s3:::payroll/*'

Each set of reasons is enough to block its call, and is not without any of its members. The closest
ways come first: those with the fewest calls that are blocked.")]
pub(crate) struct WhyNot {
    /// Folder of AWS CLI responses, or one get-account-authorization-details file
    pub(crate) snapshot: PathBuf,

    /// Where the attacker starts
    #[arg(long, value_name = "WHO")]
    pub(crate) from: String,

    /// What the attacker is after
    #[arg(long, value_name = "GOAL")]
    pub(crate) to: String,

    #[command(flatten)]
    pub(crate) paths: Paths,

    #[command(flatten)]
    pub(crate) run: Run,

    #[command(flatten)]
    pub(crate) report: Report<Format>,
}

/// Checks a certificate of unreachability that `reach --certificate` wrote.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  escalade reach SNAPSHOT --from user/alice --to admin --certificate proof.json
  escalade verify SNAPSHOT proof.json

A proof is of the question that was asked: what this let no path do (--avoid, --assume) is said with
it.

Exit status: 0 the certificate proves what it says, 1 it does not, 2 it could not be read.")]
pub(crate) struct Verify {
    /// Folder of AWS CLI responses, or one get-account-authorization-details file
    pub(crate) snapshot: PathBuf,

    /// The certificate
    pub(crate) certificate: PathBuf,

    #[command(flatten)]
    pub(crate) run: Run,

    #[command(flatten)]
    pub(crate) report: Report<Format>,
}

/// What a certificate proves, as JSON has it.
#[derive(Serialize)]
struct Verified<'a> {
    schema: &'static str,
    proved: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What is out of reach, and what paths were not to do.
    question: &'a Question,
    /// `one` or `per-step`: whether all steps share one environment.
    environment: &'a str,
    /// What is missing in the snapshot that it was checked against.
    unknown: &'a [Arc<str>],
}

/// Compares what two principals or policies permit: any action, on any resource, in any context.
#[derive(Debug, Args)]
#[command(after_help = "\
A and B are principals (user/alice, role/deploy, an ARN) or policies (an ARN, or a name such as
AdministratorAccess). A principal's policies count within its permissions boundary; control
policies, resource policies and session policies do not. A policy is read as attached to the
principal that it is compared with.

Examples:
  escalade compare SNAPSHOT role/ci AdministratorAccess
  escalade compare SNAPSHOT user/alice user/bob")]
pub(crate) struct Compare {
    /// Folder of AWS CLI responses, or one get-account-authorization-details file
    pub(crate) snapshot: PathBuf,

    /// One side
    #[arg(value_name = "A")]
    pub(crate) a: String,

    /// The other side
    #[arg(value_name = "B")]
    pub(crate) b: String,

    #[command(flatten)]
    pub(crate) run: Run,

    #[command(flatten)]
    pub(crate) report: Report<Format>,
}

pub(crate) fn why_not(arguments: &WhyNot) -> Result<Outcome, Failure> {
    let options = arguments.paths.options(&arguments.to)?;
    let output = Output::open(arguments.report.output.as_deref())?;
    let analysis = Analysis::run(&arguments.run, &arguments.snapshot, |world, models| {
        proof::why_not(world, models, &arguments.from, &options).map_err(Into::into)
    })?;
    let answer = analysis.answer;
    let view = View { width: output.width(), verbose: arguments.report.verbose };
    written(match arguments.report.format {
        Format::Text => output.text(|out| render::why_not(out, &answer, &options, view)),
        Format::Json => json(output, &answer),
    })?;
    if arguments.run.stats {
        let _ = statistics::report(&mut anstream::stderr(), &analysis.times, None);
    }
    Ok(Outcome::Answered)
}

pub(crate) fn verify(arguments: &Verify) -> Result<Outcome, Failure> {
    let file = &arguments.certificate;
    let text = fs::read_to_string(file).map_err(|error| format!("{file:?}: {error}"))?;
    let certificate: Certificate =
        serde_json::from_str(&text).map_err(|error| format!("{file:?}: {error}"))?;
    let output = Output::open(arguments.report.output.as_deref())?;
    let (verdict, unknown) =
        Analysis::run(&arguments.run, &arguments.snapshot, |world, models| {
            let unknown: Vec<Arc<str>> = world.gaps.iter().map(|gap| gap.0.clone()).collect();
            match proof::verify(world, models, &certificate) {
                Err(proof::Rejection::Question(error)) => Err(error.into()),
                other => Ok((other, unknown)),
            }
        })?
        .answer;
    let reason = verdict.err().map(|rejection| rejection.to_string());
    let (question, proved) = (&certificate.question, reason.is_none());
    match arguments.report.format {
        Format::Text if proved => {
            let options = Options {
                avoid: question.avoid.clone(),
                assume: question.assume.clone(),
                environment: match &*certificate.environment {
                    "per-step" => Environment::PerStep,
                    _ => Environment::One,
                },
                ..Options::default()
            };
            let view = View { width: output.width(), verbose: arguments.report.verbose };
            written(output.text(|out| render::proved(out, question, &options, &unknown, view)))?;
        }
        Format::Text => {}
        Format::Json => written(json(
            output,
            &Verified {
                schema: SCHEMA,
                proved,
                reason: reason.clone(),
                question,
                environment: &certificate.environment,
                unknown: &unknown,
            },
        ))?,
    }
    match reason {
        None => Ok(Outcome::Answered),
        Some(reason) => {
            complain(&format!("{file:?} proves nothing: {reason}"));
            Ok(Outcome::ExpectationFailed)
        }
    }
}

pub(crate) fn compare(arguments: &Compare) -> Result<Outcome, Failure> {
    let output = Output::open(arguments.report.output.as_deref())?;
    let comparison = Analysis::run(&arguments.run, &arguments.snapshot, |world, models| {
        comparison::compare(world, models, &arguments.a, &arguments.b).map_err(Into::into)
    })?
    .answer;
    let view = View { width: output.width(), verbose: arguments.report.verbose };
    written(match arguments.report.format {
        Format::Text => output.text(|out| render::comparison(out, &comparison, view)),
        Format::Json => json(output, &comparison),
    })?;
    Ok(Outcome::Answered)
}

/// Writes the certificate of an unreachable goal. Gives why there is none, if there is none.
pub(crate) fn certificate(
    world: &World,
    models: &Models,
    from: &str,
    options: &Options,
    file: &Path,
) -> Result<Option<String>, Failure> {
    match proof::certify(world, models, from, options) {
        Ok(certificate) => {
            json(Output::open(Some(file))?, &certificate)?;
            Ok(None)
        }
        Err(why) => Ok(Some(why.to_string())),
    }
}
