//! `escalade fix`: the smallest set of edits that cuts paths.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::Instant;

use escalade_engine::fix::{self, Outcome as Found, Wanted};
use escalade_engine::snapshot::SnapshotFiles;

use crate::arguments::{Fix, LogFormat};
use crate::output::Output;
use crate::progress::ProgressLine;
use crate::render::{self, View};
use crate::statistics::Times;
use crate::{ADMINISTRATOR, Failure, Outcome, json, models, stats, threads, written};

/// Looks for a fix and shows it.
pub(crate) fn fix(arguments: &Fix) -> Result<Outcome, Failure> {
    let mut options = arguments.paths.options(arguments.to.as_deref().unwrap_or(ADMINISTRATOR))?;
    options.external = arguments.external;
    if let Some(folder) = &arguments.write_snapshot
        && folder.exists()
    {
        return Err(format!("{folder:?} is there already").into());
    }
    if let Some(folder) = &arguments.write_snapshot
        && is_within(folder, &arguments.snapshot)
    {
        return Err(format!("{folder:?} is in the snapshot {:?}", arguments.snapshot).into());
    }
    let output = Output::open(arguments.report.output.as_deref())?;
    threads(&arguments.run)?;
    let models = models(&arguments.run)?;
    let progress = ProgressLine::start("reading the snapshot");
    let started = Instant::now();
    let files = SnapshotFiles::read(&arguments.snapshot)?;
    let loading = started.elapsed();
    progress.now("trying edits");
    let started = Instant::now();
    let wanted = Wanted {
        from: arguments.from.as_deref(),
        options: &options,
        keep: &arguments.keep,
        denies: !arguments.no_denies,
        rounds: arguments.max_rounds,
    };
    let fixed = fix::fix(&files, &models, &wanted)?;
    let times = Times { loading, answering: started.elapsed() };
    drop(progress);
    if let Some(folder) = &arguments.write_snapshot
        && matches!(fixed.fix.outcome, Found::Fixed | Found::Undecided)
    {
        write(&fixed.files, folder).map_err(|error| format!("{folder:?}: {error}"))?;
    }
    let view = View { width: output.width(), verbose: arguments.report.verbose };
    written(match arguments.report.format {
        LogFormat::Text => output.text(|out| render::fix(out, &fixed.fix, &options, view)),
        LogFormat::Brief => output.text(|out| render::brief::fix(out, &fixed.fix)),
        LogFormat::Json => json(output, &fixed.fix),
    })?;
    stats(&arguments.run, &times, None);
    Ok(match fixed.fix.outcome {
        Found::Fixed => Outcome::Answered,
        Found::Undecided | Found::None | Found::Limit => Outcome::ExpectationFailed,
    })
}

/// Whether a place that is not there yet would be in a folder, or in one below it.
fn is_within(place: &Path, folder: &Path) -> bool {
    let (Ok(place), Ok(folder)) = (std::path::absolute(place), fs::canonicalize(folder)) else {
        return false;
    };
    // Folders that are not there yet may be left again by `..`.
    let mut plain = PathBuf::new();
    for part in place.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    let there = plain.ancestors().find_map(|above| fs::canonicalize(above).ok());
    folder.is_dir() && there.is_some_and(|there| there.starts_with(&folder))
}

/// Writes a snapshot; one that is a single file as a file.
fn write(files: &SnapshotFiles, to: &Path) -> io::Result<()> {
    if files.is_single() {
        return files.files().try_for_each(|(_, text)| fs::write(to, &**text));
    }
    for folder in files.folders() {
        fs::create_dir_all(to.join(folder))?;
    }
    for (place, text) in files.files() {
        let file = to.join(place);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, &**text)?;
    }
    Ok(())
}
