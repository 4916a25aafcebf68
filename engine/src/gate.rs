//! The gate of a pipeline: what of an audit is new, what of it was reviewed and accepted, and what
//! must not be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use crate::answer::{Answer, Question, SCHEMA, Verdict};
use crate::cause::administrator_id;
use crate::diff::{Listing, Movement, Renamed, Standing, compare};
use crate::invariant::{InvariantReport, Outcome};
use crate::pattern::Pattern;

/// A finding that was reviewed and is accepted for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// The finding's id, so its cause: see [`crate::cause`].
    pub id: Arc<str>,
    /// Why it is accepted.
    pub reason: Arc<str>,
    /// Who answers for it.
    pub owner: Arc<str>,
    /// The last day on which it counts.
    pub expires: Date,
    /// For which principals it counts, as patterns for their ARNs; for all, if empty.
    pub from: Vec<Arc<str>>,
}

impl Acceptance {
    fn covers(&self, id: &str, from: &str) -> bool {
        *self.id == *id
            && (self.from.is_empty()
                || self.from.iter().any(|pattern| Pattern::glob(pattern, false).matches(from)))
    }
}

/// An acceptance, as the report shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AcceptanceReport {
    /// The finding's id.
    pub id: Arc<str>,
    /// Why it is accepted.
    pub reason: Arc<str>,
    /// Who answers for it.
    pub owner: Arc<str>,
    /// The last day on which it counts.
    #[serde(serialize_with = "date")]
    #[schemars(with = "String")]
    pub expires: Date,
    /// The principals for whom it is used, sorted.
    pub from: Vec<Arc<str>>,
}

fn date<S: Serializer>(date: &Date, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(date)
}

/// Something that is new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NewPath {
    /// The principal.
    pub from: Arc<str>,
    /// The goal.
    pub to: Arc<str>,
    /// The id by which it can be accepted.
    pub id: Arc<str>,
    /// Whether the principal is at the goal from the start: then there is no path.
    pub at_goal: bool,
    /// The finding.
    pub finding: Option<Answer>,
}

/// How a snapshot passes the gate.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Gate {
    /// Always [`SCHEMA`].
    #[schemars(extend("const" = SCHEMA))]
    pub schema: &'static str,
    /// Whether nothing stands against it.
    pub passed: bool,
    /// What every principal was asked about, in order.
    pub goals: Vec<Arc<str>>,
    /// Paths that the baseline does not have and nobody accepted, by goal and principal.
    pub new: Vec<NewPath>,
    /// Acceptances of paths that are there, but that are not accepted any more.
    pub expired: Vec<AcceptanceReport>,
    /// Acceptances that count.
    pub accepted: Vec<AcceptanceReport>,
    /// Acceptances of what is not there, or not for these principals.
    pub unused: Vec<AcceptanceReport>,
    /// How many paths the baseline has as well.
    pub known: usize,
    /// Who has another name than in the baseline.
    pub renamed: Vec<Renamed>,
    /// For whom it is not decided and was, or was not asked: principal and goal. `account:ID` stands for
    /// the principals of an account who were not listed.
    pub undecided: Vec<NewPath>,
    /// The invariants, in the order of their file.
    pub invariants: Vec<InvariantReport>,
    /// What was missing or skipped, sorted.
    pub unknown: Vec<Arc<str>>,
}

/// Judges audits, one for each goal, by what is known already and what was accepted.
///
/// - `audits`: each with its baseline. Without one every finding is new; who is at the goal from
///   the start is new only in comparison with a baseline.
/// - `today`: acceptances count up to their day.
/// - `allow_unknown`: whether what is not decided passes.
pub fn judge(
    audits: &[(Listing, Option<Listing>)],
    acceptances: &[Acceptance],
    invariants: Vec<InvariantReport>,
    today: Date,
    allow_unknown: bool,
) -> Gate {
    let mut gate = Gate {
        schema: SCHEMA,
        passed: true,
        goals: audits.iter().map(|(audit, _)| audit.question.to.clone()).collect(),
        new: Vec::new(),
        expired: Vec::new(),
        accepted: Vec::new(),
        unused: Vec::new(),
        known: 0,
        renamed: Vec::new(),
        undecided: Vec::new(),
        invariants,
        unknown: Vec::new(),
    };
    gate.unknown.extend(gate.invariants.iter().flat_map(|report| report.missing.clone()));
    let mut used: Vec<BTreeSet<Arc<str>>> = vec![BTreeSet::new(); acceptances.len()];
    for (now, baseline) in audits {
        let none = Listing::default();
        let before = baseline.as_ref().unwrap_or(&none);
        let comparison = compare(before, now);
        let causes: BTreeSet<&Arc<str>> = before
            .standings
            .values()
            .filter_map(|standing| standing.answer()?.id.as_ref())
            .collect();
        let moved: BTreeMap<&Arc<str>, Movement> =
            comparison.moved.iter().map(|moved| (&moved.arn, moved.movement)).collect();
        let moved = |arn: &Arc<str>| moved.get(arn).copied();
        for (arn, standing) in &now.standings {
            let path = new_path(now, arn, standing);
            let covering: Vec<usize> = acceptances
                .iter()
                .enumerate()
                .filter(|(_, acceptance)| acceptance.covers(&path.id, arn))
                .map(|(at, _)| at)
                .collect();
            for at in &covering {
                if let Some(used) = used.get_mut(*at) {
                    used.insert(arn.clone());
                }
            }
            if !covering.is_empty() {
                continue;
            }
            if standing.verdict() == Verdict::Unknown {
                if moved(arn).is_some() {
                    gate.undecided.push(path);
                }
                continue;
            }
            let new = match (standing, moved(arn)) {
                (Standing::AtGoal, Some(_)) => baseline.is_some(),
                (_, Some(Movement::Opened)) => true,
                // Another way to where it got before is new unless others went that way already.
                (_, Some(Movement::Changed)) => !causes.contains(&path.id),
                _ => false,
            };
            match standing {
                _ if new => gate.new.push(path),
                Standing::AtGoal => {}
                Standing::Finding(..) => gate.known += 1,
            }
        }
        let renamed = comparison.renamed.iter();
        gate.renamed.extend(renamed.map(|(is, was)| Renamed { was: was.clone(), is: is.clone() }));
        // What somebody can who was not listed is not decided, unless it was not before.
        for (start, why) in &now.not_listed {
            if !before.unknown.contains(why) {
                gate.undecided.push(nobody_asked(now, start, why));
            }
        }
        gate.unknown.extend(now.unknown.iter().cloned());
    }
    for (acceptance, from) in acceptances.iter().zip(used) {
        let unused = from.is_empty();
        let report = AcceptanceReport {
            id: acceptance.id.clone(),
            reason: acceptance.reason.clone(),
            owner: acceptance.owner.clone(),
            expires: acceptance.expires,
            from: from.into_iter().collect(),
        };
        if unused {
            gate.unused.push(report);
        } else if acceptance.expires < today {
            gate.expired.push(report);
        } else {
            gate.accepted.push(report);
        }
    }
    // An acceptance that counts makes up for one that does not any more.
    let accepted: BTreeSet<(Arc<str>, Arc<str>)> = gate
        .accepted
        .iter()
        .flat_map(|report| report.from.iter().map(|from| (report.id.clone(), from.clone())))
        .collect();
    for report in &mut gate.expired {
        report.from.retain(|from| !accepted.contains(&(report.id.clone(), from.clone())));
    }
    gate.expired.retain(|report| !report.from.is_empty());
    gate.renamed.sort_by(|a, b| (&a.was, &a.is).cmp(&(&b.was, &b.is)));
    gate.renamed.dedup();
    gate.unknown.sort();
    gate.unknown.dedup();
    let invariants = gate.invariants.iter().all(|report| match report.outcome {
        Outcome::Holds => true,
        Outcome::Unknown => allow_unknown,
        Outcome::Violated => false,
    });
    gate.passed = gate.new.is_empty()
        && gate.expired.is_empty()
        && (allow_unknown || gate.undecided.is_empty())
        && invariants;
    gate
}

/// Of principals who were not listed.
fn nobody_asked(listing: &Listing, start: &Arc<str>, why: &Arc<str>) -> NewPath {
    let to = &listing.question.to;
    let question = Question { from: start.clone(), to: to.clone(), ..Question::default() };
    let finding = Answer {
        schema: SCHEMA,
        question,
        verdict: Verdict::Unknown,
        path: None,
        unknown: vec![why.clone()],
        id: None,
    };
    NewPath {
        from: start.clone(),
        to: to.clone(),
        id: "".into(),
        at_goal: false,
        finding: Some(finding),
    }
}

fn new_path(listing: &Listing, arn: &Arc<str>, standing: &Standing) -> NewPath {
    let to = &listing.question.to;
    let id = match standing.answer() {
        Some(answer) => answer.id.clone().unwrap_or_default(),
        None => administrator_id(arn, listing.unique_id(arn), to),
    };
    NewPath {
        from: arn.clone(),
        to: to.clone(),
        id,
        at_goal: *standing == Standing::AtGoal,
        finding: standing.answer().cloned(),
    }
}
