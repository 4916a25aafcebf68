//! `escalade diff`: two snapshots, or two audits, or one of each.

use std::error::Error;
use std::fs;
use std::path::Path;

use escalade_engine::analysis::{self, Models, Options};
use escalade_engine::answer::AuditQuestion;
use escalade_engine::diff::{self, Diff, Listing};
use escalade_engine::snapshot::{LoadOptions, SnapshotFiles, World};

/// One side of a comparison.
pub(crate) enum Side {
    Snapshot(SnapshotFiles),
    Audit(Box<Listing>),
}

impl Side {
    /// Whether it is an audit that asked about starts from outside.
    pub(crate) fn is_external(&self) -> bool {
        matches!(self, Self::Audit(listing) if listing.question.external)
    }
}

/// Reads a snapshot or an audit: a file with findings is an audit.
pub(crate) fn side(path: &Path) -> Result<Side, Box<dyn Error>> {
    if path.is_file() {
        let text = fs::read_to_string(path).map_err(|error| format!("{path:?}: {error}"))?;
        let value: Option<serde_json::Value> = serde_json::from_str(&text).ok();
        if value.is_some_and(|value| value.get("findings").is_some()) {
            let listing = Listing::read(&text).map_err(|error| format!("{path:?}: {error}"))?;
            return Ok(Side::Audit(Box::new(listing)));
        }
    }
    Ok(Side::Snapshot(SnapshotFiles::read(path)?))
}

/// Compares.
pub(crate) fn compare(
    old: Side,
    new: Side,
    models: &Models,
    options: &Options,
) -> Result<Diff, Box<dyn Error>> {
    match (old, new) {
        (Side::Snapshot(old), Side::Snapshot(new)) => {
            Ok(diff::diff_snapshots(old, new, models, options)?)
        }
        (Side::Audit(old), Side::Audit(new)) => {
            same_question(&old.question, &new.question)?;
            Ok(diff::diff_audits(&old, &new))
        }
        (Side::Audit(old), Side::Snapshot(new)) => {
            let new = listed(&new, models, options)?;
            same_question(&old.question, &new.question)?;
            Ok(diff::diff_audits(&old, &new))
        }
        (Side::Snapshot(old), Side::Audit(new)) => {
            let old = listed(&old, models, options)?;
            same_question(&old.question, &new.question)?;
            Ok(diff::diff_audits(&old, &new))
        }
    }
}

fn listed(
    files: &SnapshotFiles,
    models: &Models,
    options: &Options,
) -> Result<Listing, Box<dyn Error>> {
    let world = World::of_files(files, &LoadOptions::default())?;
    let audit = analysis::audit(&world, models, options)?;
    let listing = Listing::of(&audit).with_principals(diff::principals(&world));
    Ok(listing.with_not_listed(diff::not_listed(&world)))
}

/// Answers to different questions say nothing about each other.
pub(crate) fn same_question(old: &AuditQuestion, new: &AuditQuestion) -> Result<(), String> {
    if old == new {
        return Ok(());
    }
    let shown = |asked: &AuditQuestion| serde_json::to_string(asked).unwrap_or_default();
    Err(format!("the audits ask different questions: {} and {}", shown(old), shown(new)))
}
