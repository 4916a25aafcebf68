//! `escalade check`: the gate of a pipeline.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use escalade_engine::analysis::{self, Models, Options};
use escalade_engine::diff::{Listing, not_listed, principals};
use escalade_engine::gate::{Acceptance, Gate, judge};
use escalade_engine::invariant::{self, Invariant};
use escalade_engine::snapshot::World;

use crate::arguments::Check;
use crate::diff::same_question;
use crate::settings;

/// All that a snapshot is judged by.
pub(crate) struct Rules {
    /// The questions, each with its baseline.
    questions: Vec<(Options, Option<Listing>)>,
    acceptances: Vec<Acceptance>,
    invariants: Vec<Invariant>,
    /// The file that holds them.
    invariants_file: PathBuf,
    today: jiff::civil::Date,
    allow_unknown: bool,
}

impl Rules {
    /// Reads the files that a command line names. Fails if one of them is not what it should be, or
    /// a baseline answers another question than those that are asked.
    pub(crate) fn of(arguments: &Check) -> Result<Self, Box<dyn Error>> {
        let acceptances = match &arguments.accepted {
            Some(file) => settings::accepted(file)?,
            None => Vec::new(),
        };
        let mut invariants = match &arguments.invariants {
            Some(file) => settings::invariants(file)?,
            None => Vec::new(),
        };
        let mut baselines: BTreeMap<String, Listing> = BTreeMap::new();
        for file in &arguments.baseline {
            let listing = baseline(file)?;
            let goal = listing.question.to.to_string();
            if baselines.contains_key(&goal) {
                return Err(format!("{file:?}: a second baseline for the goal {goal:?}").into());
            }
            baselines.insert(goal, listing);
        }
        let only_invariants = arguments.invariants.is_some()
            && arguments.baseline.is_empty()
            && arguments.accepted.is_none()
            && arguments.to.is_empty();
        let goals: Vec<String> = match arguments.to.as_slice() {
            [] if only_invariants => Vec::new(),
            // A baseline says what it is about.
            [] if !baselines.is_empty() => baselines.keys().cloned().collect(),
            [] => vec!["admin".to_owned()],
            goals => goals.to_vec(),
        };
        let mut questions = Vec::new();
        for goal in goals {
            let mut options = arguments.paths.options(&goal)?;
            let baseline = baselines.remove(&goal);
            let before = baseline.as_ref().is_some_and(|baseline| baseline.question.external);
            options.external = arguments.external || before;
            if baseline.is_none() && !arguments.baseline.is_empty() {
                return Err(format!("no baseline is about the goal {goal:?}").into());
            }
            if let Some(baseline) = &baseline {
                same_question(&baseline.question, &options.asked())?;
            }
            questions.push((options, baseline));
        }
        if let Some((goal, _)) = baselines.first_key_value() {
            return Err(format!("a baseline is about {goal:?}, which is not asked about").into());
        }
        let shared = arguments.paths.options("")?.assume;
        for invariant in &mut invariants {
            for (key, value) in &shared {
                let own = &mut invariant.assume;
                if !own.keys().any(|known| known.eq_ignore_ascii_case(key)) {
                    own.insert(key.clone(), value.clone().unwrap_or_default());
                }
            }
        }
        let now = || jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::now()).date();
        let today = arguments.date.unwrap_or_else(now);
        let allow_unknown = arguments.allow_unknown;
        let invariants_file = arguments.invariants.clone().unwrap_or_default();
        Ok(Self { questions, acceptances, invariants, invariants_file, today, allow_unknown })
    }

    /// Judges a snapshot.
    pub(crate) fn judge(self, world: &World, models: &Models) -> Result<Gate, Box<dyn Error>> {
        let mut audits = Vec::new();
        for (options, baseline) in self.questions {
            let audit = analysis::audit(world, models, &options)?;
            let listing = Listing::of(&audit)
                .with_principals(principals(world))
                .with_not_listed(not_listed(world));
            audits.push((listing, baseline));
        }
        let mut reports = Vec::new();
        for invariant in &self.invariants {
            let report = invariant::check(world, models, invariant)
                .map_err(|error| format!("{:?}: {error}", self.invariants_file))?;
            reports.push(report);
        }
        let mut gate = judge(&audits, &self.acceptances, reports, self.today, self.allow_unknown);
        gate.unknown.extend(world.gaps.iter().map(|gap| gap.0.clone()));
        gate.unknown.sort();
        gate.unknown.dedup();
        Ok(gate)
    }
}

fn baseline(file: &Path) -> Result<Listing, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{file:?}: {error}"))?;
    Listing::read(&text).map_err(|error| format!("{file:?}: {error}"))
}
