//! `escalade`: what an attacker who holds a principal can end up doing, on the command line.
//!
//! Results go to standard output, everything else to standard error. Exit status: 0 answered, 1 an
//! expectation failed, 2 the question or the input was wrong.

mod arguments;
mod output;
mod progress;
mod proof;
mod render;
mod simulate;
mod statistics;

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anstyle::AnsiColor;
use clap::Parser;
use escalade_engine::analysis::{self, Models};
use escalade_engine::answer::Verdict;
use escalade_engine::snapshot::{LoadOptions, Progress, World};
use escalade_models::{Catalogue, ContextKeys, ResourceKinds};
use serde::Serialize;

use arguments::{Arguments, Command, Expectation, Format, Run};
use output::{Output, OutputError};
use progress::ProgressLine;
use render::View;
use statistics::Times;

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Audit(arguments) => audit(&arguments),
        Command::Reach(arguments) => reach(&arguments),
        Command::Simulate(arguments) => simulate(&arguments),
        Command::Techniques(arguments) => techniques(&arguments),
        Command::WhyNot(arguments) => proof::why_not(&arguments),
        Command::Verify(arguments) => proof::verify(&arguments),
        Command::Compare(arguments) => proof::compare(&arguments),
    };
    match result {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            complain(&error.to_string());
            Outcome::Wrong.into()
        }
    }
}

/// What the exit status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Answered,
    ExpectationFailed,
    Wrong,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Answered => 0,
            Outcome::ExpectationFailed => 1,
            Outcome::Wrong => 2,
        })
    }
}

type Failure = Box<dyn Error>;

fn audit(arguments: &arguments::Audit) -> Result<Outcome, Failure> {
    let options = arguments.paths.options(&arguments.to)?;
    let output = Output::open(arguments.report.output.as_deref())?;
    let analysis = Analysis::run(&arguments.run, &arguments.snapshot, |world, models| {
        analysis::audit(world, models, &options).map_err(Into::into)
    })?;
    let audit = analysis.answer;
    let view = View { width: output.width(), verbose: arguments.report.verbose };
    written(match arguments.report.format {
        Format::Text => output.text(|out| render::audit(out, &audit, &options, view)),
        Format::Json => json(output, &audit),
    })?;
    if arguments.run.stats {
        let _ =
            statistics::report(&mut anstream::stderr(), &analysis.times, Some(&audit.statistics));
    }
    Ok(Outcome::Answered)
}

fn reach(arguments: &arguments::Reach) -> Result<Outcome, Failure> {
    let options = arguments.paths.options(&arguments.to)?;
    let output = Output::open(arguments.report.output.as_deref())?;
    let analysis = Analysis::run(&arguments.run, &arguments.snapshot, |world, models| {
        let (answer, counts) = analysis::reach_counted(world, models, &arguments.from, &options)?;
        if let (Some(file), Verdict::Unreachable) = (&arguments.certificate, answer.verdict) {
            proof::certificate(world, models, &arguments.from, &options, file)?;
        }
        Ok((answer, counts))
    })?;
    let (answer, counts) = analysis.answer;
    let view = View { width: output.width(), verbose: arguments.report.verbose };
    written(match arguments.report.format {
        Format::Text => output.text(|out| render::answer(out, &answer, &options, view)),
        Format::Json => json(output, &answer),
    })?;
    if arguments.run.stats {
        let _ = statistics::report(&mut anstream::stderr(), &analysis.times, Some(&counts));
    }
    if arguments.certificate.is_some() && answer.verdict != Verdict::Unreachable {
        complain(&format!("no certificate: the verdict is {}", answer.verdict));
        return Ok(Outcome::ExpectationFailed);
    }
    let (expected, met) = match arguments.expect {
        None => return Ok(Outcome::Answered),
        Some(Expectation::Reachable) => ("reachable", answer.verdict.is_reachable()),
        Some(Expectation::Unreachable) => ("unreachable", answer.verdict == Verdict::Unreachable),
    };
    if met {
        return Ok(Outcome::Answered);
    }
    complain(&format!("expected {expected}, found {}", answer.verdict));
    Ok(Outcome::ExpectationFailed)
}

fn simulate(arguments: &arguments::Simulate) -> Result<Outcome, Failure> {
    let output = Output::open(arguments.report.output.as_deref())?;
    let (Some(snapshot), Some(principal)) = (&arguments.snapshot, &arguments.principal) else {
        let file = arguments.cases.as_deref().ok_or("neither a snapshot nor --cases")?;
        return cases(file, output);
    };
    let requests = simulate::requests(arguments, principal, snapshot)?;
    let results = Analysis::run(&Run::default(), snapshot, |world, models| {
        simulate::decide(world, models, &requests).map_err(Into::into)
    })?
    .answer;
    let view = View { width: output.width(), verbose: arguments.report.verbose };
    written(match arguments.report.format {
        Format::Text => output.text(|out| render::simulations(out, &results.results, view)),
        Format::Json => json(output, &results),
    })?;
    let Some(expected) = arguments.expect else { return Ok(Outcome::Answered) };
    let differing: Vec<_> = simulate::differing(&results.results, expected).collect();
    if differing.is_empty() {
        return Ok(Outcome::Answered);
    }
    complain(&differing.join("\n"));
    Ok(Outcome::ExpectationFailed)
}

fn cases(file: &Path, output: Output) -> Result<Outcome, Failure> {
    let progress = ProgressLine::start("deciding requests");
    // Kept until all is decided, so that what fails here is the input and leaves no output.
    let mut verdicts = Vec::new();
    let all_read =
        simulate::cases(file, &mut verdicts).map_err(|error| format!("{file:?}: {error}"))?;
    drop(progress);
    written(output.bytes(|out| out.write_all(&verdicts)))?;
    if all_read {
        return Ok(Outcome::Answered);
    }
    complain(&format!("{file:?}: some lines could not be read"));
    Ok(Outcome::Wrong)
}

fn techniques(arguments: &arguments::Techniques) -> Result<Outcome, Failure> {
    let catalogue = catalogue(&arguments.models.paths)?;
    let output = Output::open(arguments.output.as_deref())?;
    let view = View { width: output.width(), verbose: false };
    let techniques = catalogue.techniques();
    written(match (&arguments.id, arguments.format) {
        (None, Format::Text) => output.text(|out| render::list(out, techniques, view)),
        (None, Format::Json) => json(output, &techniques),
        (Some(id), format) => {
            let named = |technique: &&escalade_models::Technique| {
                technique.id == *id || technique.aliases.contains(id)
            };
            let technique = techniques.iter().find(named).ok_or_else(|| unknown(id, &catalogue))?;
            match format {
                Format::Text => output.text(|out| render::technique(out, technique, view)),
                Format::Json => json(output, technique),
            }
        }
    })?;
    Ok(Outcome::Answered)
}

/// What to say about an id that no technique has.
fn unknown(id: &str, catalogue: &Catalogue) -> String {
    let known = catalogue.techniques().iter().map(|technique| technique.id.as_str());
    let like: Vec<_> = known.filter(|known| known.contains(id)).take(5).collect();
    match like.as_slice() {
        [] => format!("no technique {id:?}; `escalade techniques` lists them"),
        like => format!("no technique {id:?}; there is {}", like.join(", ")),
    }
}

/// An answer and how long it took.
struct Analysis<T> {
    answer: T,
    times: Times,
}

impl<T> Analysis<T> {
    /// Reads catalogue and snapshot and asks the engine.
    fn run(
        run: &Run,
        snapshot: &Path,
        ask: impl FnOnce(&World, Models<'_>) -> Result<T, Failure>,
    ) -> Result<Self, Failure> {
        let threads = run.threads.map(usize::from);
        if let Some(threads) = threads {
            rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
        }
        let catalogue = catalogue(&run.models.paths)?;
        let keys = ContextKeys::builtin()?;
        let kinds = ResourceKinds::builtin()?;
        let models = Models { catalogue: &catalogue, keys: &keys, kinds: &kinds };
        let progress = ProgressLine::start("reading the snapshot");
        let started = Instant::now();
        let count = |read: Progress| progress.count(read.files, read.bytes);
        let world = World::load(
            snapshot,
            &LoadOptions { progress: Some(&count), ..LoadOptions::default() },
        )?;
        let loading = started.elapsed();
        progress.now("looking for paths");
        let started = Instant::now();
        let answer = ask(&world, models)?;
        Ok(Self { answer, times: Times { loading, answering: started.elapsed() } })
    }
}

/// The built-in catalogue and what the user adds to it.
fn catalogue(paths: &[PathBuf]) -> Result<Catalogue, Failure> {
    let mut catalogue = Catalogue::builtin()?;
    for path in paths {
        for file in model_files(path).map_err(|error| format!("{path:?}: {error}"))? {
            let text = fs::read_to_string(&file).map_err(|error| format!("{file:?}: {error}"))?;
            catalogue = catalogue.with(&text, &file.to_string_lossy())?;
        }
    }
    Ok(catalogue)
}

/// The file itself, or a folder's JSON files in the order of their names.
fn model_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    if files.is_empty() {
        return Err(io::Error::other("no JSON file in this folder"));
    }
    Ok(files)
}

fn json(output: Output, value: &(impl Serialize + ?Sized)) -> Result<(), OutputError> {
    output.bytes(|out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        writeln!(out)
    })
}

/// A reader that went away, as `head` does, is no failure.
fn written(result: Result<(), OutputError>) -> Result<(), OutputError> {
    match result {
        Err(error) if error.is_broken_pipe() => Ok(()),
        result => result,
    }
}

/// Says on standard error what went wrong. Where that is gone as well, the exit status still says
/// it.
fn complain(message: &str) {
    let style = AnsiColor::Red.on_default().bold();
    let lines: Vec<_> = message.lines().map(render::visible).collect();
    let _ = writeln!(anstream::stderr(), "{style}error:{style:#} {}", lines.join("\n"));
}
