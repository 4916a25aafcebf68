//! `escalade`: what an attacker who holds a principal can end up doing, on the command line.
//!
//! Results go to standard output, everything else to standard error. Exit status: 0 answered, 1 an
//! expectation failed, 2 the question or the input was wrong.

mod arguments;
mod cause;
mod check;
mod diff;
mod explain;
mod fix;
mod lines;
mod opening;
mod output;
mod progress;
mod proof;
mod render;
mod report;
mod settings;
mod simulate;
mod statistics;

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::slice;
use std::sync::Arc;
use std::time::Instant;

use anstyle::AnsiColor;
use clap::{CommandFactory, Parser};
use escalade_engine::analysis::{self, Models, Options};
use escalade_engine::answer::{Statistics, Verdict};
use escalade_engine::simulation::{self, Simulator};
use escalade_engine::snapshot::{LoadOptions, Progress, World};
use escalade_models::Catalogue;
use serde::Serialize;

use arguments::{Arguments, Command, Expectation, Format, LogFormat, PathFormat, Run};
use output::{Output, OutputError};
use progress::ProgressLine;
use render::View;
use report::{Asked, Evidence, Report};
use settings::Config;
use statistics::Times;

/// Policies and formulas are many small pieces: where they are kept decides a fifth of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            complain(&error.to_string());
            Outcome::Wrong.into()
        }
    }
}

fn run(mut arguments: Arguments) -> Result<Outcome, Failure> {
    Config::of(&arguments)?.complete(&mut arguments.command)?;
    match &arguments.command {
        Command::Audit(arguments) => audit(arguments),
        Command::Reach(arguments) => reach(arguments),
        Command::Diff(arguments) => diff(arguments),
        Command::Check(arguments) => check(arguments),
        Command::Fix(arguments) => fix::fix(arguments),
        Command::Explain(arguments) => explain(arguments),
        Command::WhoCan(arguments) => who_can(arguments),
        Command::Simulate(arguments) => simulate(arguments),
        Command::Techniques(arguments) => techniques(arguments),
        Command::Completions(arguments) => completions(arguments),
        Command::Man(arguments) => man(arguments),
        Command::WhyNot(arguments) => proof::why_not(arguments),
        Command::Verify(arguments) => proof::verify(arguments),
        Command::Compare(arguments) => proof::compare(arguments),
    }
}

/// What every principal is asked about unless something else is said.
const ADMINISTRATOR: &str = "admin";

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
    let goal = arguments.to.as_deref().unwrap_or(ADMINISTRATOR);
    let mut options = arguments.paths.options(goal)?;
    options.external = arguments.external;
    options.selection = arguments.selection();
    let output = Output::open(arguments.report.output.as_deref())?;
    if arguments.report.format == PathFormat::Jsonl {
        return audit_lines(arguments, &options, output);
    }
    let analysis = Analysis::run(&arguments.run, &arguments.snapshot, |world, models| {
        let audit = analysis::audit(world, models, &options)?;
        let format = arguments.report.format;
        let outside = audit.outside.iter().flat_map(|outside| &outside.findings);
        let answers = audit.findings.iter().chain(outside);
        let snapshot = &arguments.snapshot;
        let evidence =
            Evidence::of(format, world, models, snapshot, &options, Some(&audit), answers)?;
        Ok((audit, evidence))
    })?;
    let (audit, evidence) = &analysis.answer;
    let view = View { width: output.width(), verbose: arguments.report.verbose };
    written(match arguments.report.format {
        PathFormat::Text => output.text(|out| render::audit(out, audit, &options, view)),
        PathFormat::Json => json(output, audit),
        format => {
            let report = Report {
                asked: Asked::Audit(audit),
                options: &options,
                evidence,
                catalogue: analysis.models.catalogue(),
                verbose: arguments.report.verbose,
            };
            output.bytes(|out| report.write(out, format))
        }
    })?;
    stats(&arguments.run, &analysis.times, Some(&audit.statistics));
    Ok(Outcome::Answered)
}

/// An audit of which each finding is written as soon as it is known.
fn audit_lines(
    arguments: &arguments::Audit,
    options: &Options,
    output: Output,
) -> Result<Outcome, Failure> {
    let analysis = Analysis::run(&arguments.run, &arguments.snapshot, |world, models| {
        Ok(lines::audit(world, models, options, output)?)
    })?;
    stats(&arguments.run, &analysis.times, Some(&analysis.answer));
    Ok(Outcome::Answered)
}

fn reach(arguments: &arguments::Reach) -> Result<Outcome, Failure> {
    let options = arguments.paths.options(&arguments.to)?;
    let output = Output::open(arguments.report.output.as_deref())?;
    let analysis = Analysis::run(&arguments.run, &arguments.snapshot, |world, models| {
        let (answer, counts) = analysis::reach_counted(world, models, &arguments.from, &options)?;
        let uncertified = match (&arguments.certificate, answer.verdict) {
            (None, _) => None,
            (Some(file), Verdict::Unreachable) => {
                proof::certificate(world, models, &arguments.from, &options, file)?
            }
            (Some(_), other) => Some(format!("the verdict is {other}")),
        };
        let (format, answers) = (arguments.report.format, slice::from_ref(&answer).iter());
        let snapshot = &arguments.snapshot;
        let evidence = Evidence::of(format, world, models, snapshot, &options, None, answers)?;
        Ok((answer, counts, evidence, uncertified))
    })?;
    let (answer, counts, evidence, uncertified) = &analysis.answer;
    let view = View { width: output.width(), verbose: arguments.report.verbose };
    written(match arguments.report.format {
        PathFormat::Text => output.text(|out| render::answer(out, answer, &options, view)),
        PathFormat::Json => json(output, answer),
        PathFormat::Jsonl => output.bytes(|out| lines::line(out, answer)),
        format => {
            let report = Report {
                asked: Asked::Reach(answer),
                options: &options,
                evidence,
                catalogue: analysis.models.catalogue(),
                verbose: arguments.report.verbose,
            };
            output.bytes(|out| report.write(out, format))
        }
    })?;
    stats(&arguments.run, &analysis.times, Some(counts));
    if let Some(why) = uncertified {
        complain(&format!("no certificate: {why}"));
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

fn diff(arguments: &arguments::Diff) -> Result<Outcome, Failure> {
    let goal = arguments.to.as_deref().unwrap_or(ADMINISTRATOR);
    let mut options = arguments.paths.options(goal)?;
    let output = Output::open(arguments.report.output.as_deref())?;
    threads(&arguments.run)?;
    let models = models(&arguments.run)?;
    let progress = ProgressLine::start("reading");
    let started = Instant::now();
    let (old, new) = (diff::side(&arguments.old)?, diff::side(&arguments.new)?);
    options.external = arguments.external || [&old, &new].iter().any(|side| side.is_external());
    let loading = started.elapsed();
    progress.now("comparing");
    let started = Instant::now();
    let difference = diff::compare(old, new, &models, &options)?;
    let times = Times { loading, answering: started.elapsed() };
    drop(progress);
    let view = View { width: output.width(), verbose: arguments.report.verbose };
    written(match arguments.report.format {
        LogFormat::Text => output.text(|out| render::diff(out, &difference, view)),
        LogFormat::Brief => output.text(|out| render::brief::diff(out, &difference)),
        LogFormat::Json => json(output, &difference),
    })?;
    stats(&arguments.run, &times, None);
    Ok(match arguments.exit_code && !difference.is_empty() {
        true => Outcome::ExpectationFailed,
        false => Outcome::Answered,
    })
}

fn check(arguments: &arguments::Check) -> Result<Outcome, Failure> {
    let rules = check::Rules::of(arguments)?;
    let output = Output::open(arguments.report.output.as_deref())?;
    let analysis = Analysis::run(&arguments.run, &arguments.snapshot, |world, models| {
        rules.judge(world, models)
    })?;
    let gate = analysis.answer;
    let view = View { width: output.width(), verbose: arguments.report.verbose };
    written(match arguments.report.format {
        LogFormat::Text => output.text(|out| render::gate(out, &gate, view)),
        LogFormat::Brief => output.text(|out| render::brief::gate(out, &gate)),
        LogFormat::Json => json(output, &gate),
    })?;
    stats(&arguments.run, &analysis.times, None);
    Ok(if gate.passed { Outcome::Answered } else { Outcome::ExpectationFailed })
}

fn explain(arguments: &arguments::Explain) -> Result<Outcome, Failure> {
    let goal = arguments.to.as_deref().unwrap_or(ADMINISTRATOR);
    let options = arguments.paths.options(goal)?;
    let output = Output::open(arguments.report.output.as_deref())?;
    let (id, from) = (arguments.id.as_str(), arguments.from.as_deref());
    let file = single_file(&arguments.snapshot);
    let analysis = Analysis::run(&arguments.run, &arguments.snapshot, |world, models| {
        let audit = analysis::audit(world, models, &options)?;
        let simulator = Simulator::new(world, models)?;
        let found =
            explain::explain(&audit, &simulator, models.catalogue(), file.as_ref(), id, from);
        Ok(found?)
    })?;
    let explanation = analysis.answer;
    let view = View { width: output.width(), verbose: arguments.report.verbose };
    written(match arguments.report.format {
        Format::Text => output.text(|out| render::explanation(out, &explanation, &options, view)),
        Format::Json => json(output, &explanation),
    })?;
    stats(&arguments.run, &analysis.times, None);
    Ok(Outcome::Answered)
}

fn who_can(arguments: &arguments::WhoCan) -> Result<Outcome, Failure> {
    let output = Output::open(arguments.report.output.as_deref())?;
    let view = View { width: output.width(), verbose: arguments.report.verbose };
    let goal = format!("{}@{}", arguments.action, arguments.on);
    let options = arguments.paths.options(&goal)?;
    if arguments.via_paths {
        let analysis = Analysis::run(&arguments.run, &arguments.snapshot, |world, models| {
            analysis::audit(world, models, &options).map_err(Into::into)
        })?;
        let audit = analysis.answer;
        written(match arguments.report.format {
            Format::Text => output.text(|out| render::audit(out, &audit, &options, view)),
            Format::Json => json(output, &audit),
        })?;
        stats(&arguments.run, &analysis.times, Some(&audit.statistics));
        return Ok(Outcome::Answered);
    }
    if options
        != (Options {
            goal: options.goal.clone(),
            assume: options.assume.clone(),
            ..Options::default()
        })
    {
        return Err("which paths count is only asked with --via-paths".into());
    }
    let analysis = Analysis::run(&arguments.run, &arguments.snapshot, |world, models| {
        let (action, on) = (&arguments.action, &arguments.on);
        simulation::who_can(world, models, action, on, &options.assume).map_err(Into::into)
    })?;
    let answer = analysis.answer;
    written(match arguments.report.format {
        Format::Text => output.text(|out| render::who_can(out, &answer, view)),
        Format::Json => json(output, &answer),
    })?;
    stats(&arguments.run, &analysis.times, None);
    Ok(Outcome::Answered)
}

/// Says how long it took, if that was asked for. Where standard error is gone nobody asks.
fn stats(run: &Run, times: &Times, decisions: Option<&Statistics>) {
    if run.stats {
        let _ = statistics::report(&mut anstream::stderr(), times, decisions);
    }
}

/// The name of a snapshot that is one file, for the places that answers name.
fn single_file(snapshot: &Path) -> Option<Arc<str>> {
    (!snapshot.is_dir()).then(|| snapshot.file_name().unwrap_or_default().to_string_lossy().into())
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

/// How many of the lines that could not be read are named on standard error.
const LINES_SHOWN: usize = 10;

fn cases(file: &Path, output: Output) -> Result<Outcome, Failure> {
    let progress = ProgressLine::start("deciding requests");
    // Kept until all is decided, so that what fails here is the input and leaves no output.
    let mut verdicts = Vec::new();
    let remarks =
        simulate::cases(file, &mut verdicts).map_err(|error| format!("{file:?}: {error}"))?;
    drop(progress);
    written(output.bytes(|out| out.write_all(&verdicts)))?;
    let passed_over = remarks.passed_over.iter();
    let passed_over: Vec<String> = passed_over
        .map(|(member, line)| format!("{file:?} line {line}: no case has {member:?}: passed over"))
        .collect();
    if !passed_over.is_empty() {
        warn(&passed_over.join("\n"));
    }
    let undecided = remarks.undecided;
    if undecided.is_empty() {
        return Ok(Outcome::Answered);
    }
    let shown = undecided.iter().take(LINES_SHOWN).map(|line| format!("{file:?} {line}"));
    let mut message: Vec<String> = shown.collect();
    if let Some(more) = undecided.len().checked_sub(LINES_SHOWN + 1) {
        message.push(format!("{file:?}: {} more lines could not be read", more + 1));
    }
    complain(&message.join("\n"));
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

fn completions(arguments: &arguments::Completions) -> Result<Outcome, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "escalade", &mut script);
    written(Output::open(None)?.bytes(|out| out.write_all(&script)))?;
    Ok(Outcome::Answered)
}

fn man(arguments: &arguments::Man) -> Result<Outcome, Failure> {
    let mut command = Arguments::command();
    command.build();
    let command = match &arguments.command {
        None => command,
        Some(name) => command
            .find_subcommand(name)
            .ok_or_else(|| format!("no command {name:?}; `escalade --help` lists them"))?
            .clone(),
    };
    let page = clap_mangen::Man::new(command);
    written(Output::open(None)?.bytes(|out| page.render(out)))?;
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

/// An answer, how long it took, and the techniques it was found with.
struct Analysis<T> {
    answer: T,
    times: Times,
    models: Models,
}

impl<T> Analysis<T> {
    /// Reads catalogue and snapshot and asks the engine.
    fn run(
        run: &Run,
        snapshot: &Path,
        ask: impl FnOnce(&World, &Models) -> Result<T, Failure>,
    ) -> Result<Self, Failure> {
        threads(run)?;
        let models = models(run)?;
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
        let answer = ask(&world, &models)?;
        let times = Times { loading, answering: started.elapsed() };
        Ok(Self { answer, times, models })
    }
}

/// Uses as many threads as were asked for.
fn threads(run: &Run) -> Result<(), Failure> {
    if let Some(threads) = run.threads.map(usize::from) {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    }
    Ok(())
}

/// The facts about AWS, with the user's own techniques.
fn models(run: &Run) -> Result<Models, Failure> {
    Ok(Models::with_catalogue(catalogue(&run.models.paths)?)?)
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
    say("error", AnsiColor::Red, message);
}

fn warn(message: &str) {
    say("warning", AnsiColor::Yellow, message);
}

fn say(word: &str, color: AnsiColor, message: &str) {
    let style = color.on_default().bold();
    let lines: Vec<_> = message.lines().map(render::visible).collect();
    let _ = writeln!(anstream::stderr(), "{style}{word}:{style:#} {}", lines.join("\n"));
}
