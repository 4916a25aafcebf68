//! Fixes for what findings come from, as far as a bounded effort goes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Fix, FixError, Ground, Outcome, Wanted, general};
use crate::analysis::{Models, Options, audit};
use crate::answer::{Answer, Audit};
use crate::snapshot::{SnapshotFiles, World};

/// How many snapshots are tried for one cause.
const ROUNDS: usize = 12;

/// Looks for a fix for the causes of findings: for each [`Answer::id`], the paths of the first who
/// has it, by all of its paths. The most frequent causes go first, until a fixed effort is spent:
/// on a large snapshot that is soon. What is left out was not looked for, or is not known.
///
/// - `world`: what the files say.
/// - `listing`: the audit that the findings are of, if they are of one of everybody.
/// - `effort`: how many bytes of the snapshot's text may be tried in all. A try costs what loading
///   and asking costs; seconds would differ from machine to machine.
///
/// Fails if a snapshot with edits made cannot be loaded or the question not be asked.
pub fn of_causes<'a>(
    files: &SnapshotFiles,
    world: &World,
    models: &Models,
    options: &Options,
    listing: Option<&Audit>,
    findings: impl Iterator<Item = &'a Answer>,
    effort: usize,
) -> Result<BTreeMap<Arc<str>, Fix>, FixError> {
    let mut causes = BTreeMap::<&Arc<str>, (usize, usize, &Answer)>::new();
    for (at, finding) in findings.filter(|finding| finding.path.is_some()).enumerate() {
        let Some(id) = &finding.id else { continue };
        causes.entry(id).or_insert((0, at, finding)).0 += 1;
    }
    let mut causes: Vec<_> = causes.into_iter().collect();
    causes.sort_by_key(|(_, (count, at, _))| (std::cmp::Reverse(*count), *at));

    let mut out = BTreeMap::new();
    let bytes: usize = files.files().map(|(_, text)| text.len()).sum();
    let mut rounds = effort / bytes.max(1);
    // Less than it takes to make one edit and ask again.
    if causes.is_empty() || rounds < 2 {
        return Ok(out);
    }
    // Who else gets there is asked with every path counted.
    let general = general(options);
    let every_path = Options { external: false, ..options.clone() } == general;
    let own = match listing.filter(|_| every_path) {
        Some(_) => None,
        None => Some(audit(world, models, &general)?),
    };
    let Some(listing) = own.as_ref().or(listing) else { return Ok(out) };
    let ground = Ground { files, models, world, listing };
    for (id, (_, _, finding)) in causes {
        let from = Some(&*finding.question.from);
        let most = ROUNDS.min(rounds);
        let wanted = Wanted { from, options, keep: &[], denies: true, rounds: most };
        let fix = ground.fix(&wanted, Some(finding), 1)?.fix;
        rounds = rounds.saturating_sub(fix.rounds);
        if fix.outcome == Outcome::Fixed {
            out.insert(id.clone(), fix);
        }
        if rounds < 2 {
            break;
        }
    }
    Ok(out)
}
