//! Invariants: what must hold in every snapshot, such as "nobody outside the organizational unit
//! Security becomes administrator of a production account". Each is checked by asking for every
//! principal that it is about whether it reaches each of the goals; what is found is shown with its
//! path, and what is not found is proved, as for any other question.

mod selection;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use selection::{Accounts, Principals, Things};

use crate::analysis::{Models, Options, QuestionError, audit_of, check_action, starts};
use crate::answer::{Answer, Verdict};
use crate::pattern::Pattern;
use crate::snapshot::{ObjectId, World};
use selection::Place;

/// What must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Invariant {
    /// What it is called in reports.
    pub name: Arc<str>,
    /// Whom it is about; without it, all users and roles.
    #[serde(default)]
    pub from: Principals,
    /// Who of them is left out: nobody, where it describes nothing.
    #[serde(default)]
    pub except: Principals,
    /// Whether those who are at a goal from the start are left alone: for "nobody else becomes".
    #[serde(default)]
    pub already_there: bool,
    /// What is asked about each of them: at least one goal.
    pub to: Goals,
    /// Environment keys that are pinned; an empty value means that the key is absent.
    #[serde(default)]
    pub assume: BTreeMap<Arc<str>, Arc<str>>,
    /// Only paths that hold in every environment.
    #[serde(default)]
    pub no_assumptions: bool,
    /// What the answers have to be.
    #[serde(default)]
    pub expect: Expected,
}

/// What an invariant says of its answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    /// Nobody reaches any of the goals.
    #[default]
    Unreachable,
    /// Everybody reaches each of the goals.
    Reachable,
}

/// Goals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goals {
    /// One or more, as on the command line.
    Several(Vec<Arc<str>>),
    /// Those that a description selects.
    Selected(Box<Selected>),
}

impl Default for Goals {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

/// A description of goals: exactly one of `admin-of`, `act-as` and `call`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Selected {
    /// Becoming administrator of these accounts.
    pub admin_of: Option<Accounts>,
    /// Acting as these principals.
    pub act_as: Option<Principals>,
    /// Making one of these calls ...
    #[serde(default)]
    pub call: Vec<Arc<str>>,
    /// ... on these resources ...
    pub on: Option<Things>,
    /// ... or on what is within them: `/*` for the objects of buckets.
    #[serde(default)]
    pub within: Arc<str>,
}

/// How an invariant turned out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It does not hold.
    Violated,
    /// Whether it holds is not known.
    Unknown,
    /// It holds.
    Holds,
}

/// One invariant, checked.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct InvariantReport {
    /// Its name.
    pub name: Arc<str>,
    /// How it turned out.
    pub outcome: Outcome,
    /// What the answers have to be.
    pub expect: Expected,
    /// How many principals it is about.
    pub principals: usize,
    /// The goals that were asked about, sorted.
    pub goals: Vec<Arc<str>>,
    /// What speaks against it, with witnesses: by goal, then by principal. Where everybody is
    /// expected to reach the goals, those who do not.
    pub violations: Vec<Answer>,
    /// Who is at a goal from the start and should not be: goal and principal.
    pub already_there: Vec<(Arc<str>, Arc<str>)>,
    /// Why it is not known, sorted.
    pub unknown: Vec<Arc<str>>,
    /// What was missing, skipped or taken as none when it was looked into: for whoever shows it
    /// together with other reports.
    #[serde(skip)]
    pub missing: Vec<Arc<str>>,
}

/// Why an invariant could not be checked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invariant {name:?}: {problem}")]
pub struct InvariantError {
    /// The invariant.
    pub name: Arc<str>,
    /// What is wrong with it.
    pub problem: String,
}

/// Checks an invariant.
///
/// Never holds because there is nothing that it is about: where it selects no principal or no goal,
/// or an organizational unit that the snapshot does not have, it is unknown; likewise where it is about
/// users or roles that may be there and were not listed.
///
/// Fails if it asks for something that is not there by its own name, or describes no goal.
pub fn check(
    world: &World,
    models: &Models,
    invariant: &Invariant,
) -> Result<InvariantReport, InvariantError> {
    let wrong = |problem: String| InvariantError { name: invariant.name.clone(), problem };
    let mut unknown: Vec<Arc<str>> = Vec::new();
    let place = Place::new(world);
    let from: Vec<ObjectId> = starts(world)
        .into_iter()
        .filter(|id| {
            place.selects_principal(&invariant.from, *id, &mut unknown)
                && (invariant.except.is_empty()
                    || !place.selects_principal(&invariant.except, *id, &mut unknown))
        })
        .collect();
    place.not_listed(&invariant.from, &invariant.except, &mut unknown);
    let goals = goals(world, &place, &invariant.to, &mut unknown).map_err(wrong)?;
    if from.is_empty() {
        unknown.push("no principal of the snapshot is one that it is about".into());
    }
    if goals.is_empty() {
        unknown.push("nothing of the snapshot is a goal of it".into());
    }
    let mut report = InvariantReport {
        name: invariant.name.clone(),
        outcome: Outcome::Holds,
        expect: invariant.expect,
        principals: from.len(),
        goals,
        violations: Vec::new(),
        already_there: Vec::new(),
        unknown,
        missing: Vec::new(),
    };
    for goal in &report.goals {
        let assume = invariant
            .assume
            .iter()
            .map(|(key, value)| (key.clone(), (!value.is_empty()).then(|| value.clone())));
        let options = Options {
            goal: goal.clone(),
            assume: assume.collect(),
            no_assumptions: invariant.no_assumptions,
            ..Options::default()
        };
        let audit = audit_of(world, models, &from, &options)
            .map_err(|error: QuestionError| wrong(error.to_string()))?;
        report.missing.extend(audit.unknown.iter().cloned());
        let found: BTreeMap<&Arc<str>, &Answer> =
            audit.findings.iter().map(|answer| (&answer.question.from, answer)).collect();
        for id in &from {
            let Some(arn) = world.object(*id).map(|object| &object.arn) else { continue };
            let answer = found.get(arn).copied();
            let there = audit.administrators.contains(arn);
            let reachable = answer.is_some_and(|answer| answer.verdict.is_reachable());
            if answer.is_some_and(|answer| answer.verdict == Verdict::Unknown) {
                let reasons = answer.map(|answer| answer.unknown.join("; ")).unwrap_or_default();
                report.unknown.push(format!("{arn} to {goal}: {reasons}").into());
                continue;
            }
            match invariant.expect {
                Expected::Unreachable if there => {
                    if !invariant.already_there {
                        report.already_there.push((goal.clone(), arn.clone()));
                    }
                }
                Expected::Unreachable => {
                    report.violations.extend(answer.filter(|_| reachable).cloned())
                }
                Expected::Reachable if there || reachable => {}
                Expected::Reachable => report.violations.push(unreachable(arn, &options)),
            }
        }
    }
    report.unknown.sort();
    report.unknown.dedup();
    report.outcome = if !report.violations.is_empty() || !report.already_there.is_empty() {
        Outcome::Violated
    } else if !report.unknown.is_empty() {
        Outcome::Unknown
    } else {
        Outcome::Holds
    };
    Ok(report)
}

fn unreachable(from: &Arc<str>, options: &Options) -> Answer {
    Answer {
        schema: crate::answer::SCHEMA,
        question: crate::answer::Question {
            from: from.clone(),
            to: options.goal.clone(),
            assume: options.assume.clone(),
            ..Default::default()
        },
        verdict: Verdict::Unreachable,
        path: None,
        unknown: Vec::new(),
        id: None,
    }
}

/// The goals in the words of the command line, sorted.
fn goals(
    world: &World,
    place: &Place<'_>,
    goals: &Goals,
    unknown: &mut Vec<Arc<str>>,
) -> Result<Vec<Arc<str>>, String> {
    let selected = match goals {
        Goals::Several(goals) if goals.is_empty() => return Err("expected a goal in to".to_owned()),
        Goals::Several(goals) => return Ok(goals.clone()),
        Goals::Selected(selected) => &**selected,
    };
    let mut out: Vec<Arc<str>> = match selected {
        Selected { admin_of: Some(accounts), act_as: None, call, on: None, .. }
            if call.is_empty() =>
        {
            world
                .accounts
                .iter()
                .filter(|account| place.selects_account(accounts, &account.id, unknown))
                .map(|account| format!("admin@{}", account.id).into())
                .collect()
        }
        Selected { admin_of: None, act_as: Some(principals), call, on: None, .. }
            if call.is_empty() =>
        {
            starts(world)
                .into_iter()
                .filter(|id| place.selects_principal(principals, *id, unknown))
                .filter_map(|id| Some(world.object(id)?.arn.clone()))
                .collect()
        }
        Selected { admin_of: None, act_as: None, call, on: Some(things), within }
            if !call.is_empty() =>
        {
            // Each is looked at, though there be nothing to call it on.
            for call in call {
                check_action(call).map_err(|error| error.to_string())?;
            }
            let resources: Vec<Arc<str>> = world
                .objects
                .iter()
                .filter(|object| place.selects_thing(things, object, unknown))
                .map(|object| object.arn.clone())
                .collect();
            call.iter()
                .flat_map(|call| {
                    resources.iter().map(move |arn| format!("{call}@{arn}{within}").into())
                })
                .collect()
        }
        _ => {
            return Err(
                "expected in to exactly one of admin-of, act-as, and call together with on"
                    .to_owned(),
            );
        }
    };
    out.sort();
    out.dedup();
    Ok(out)
}

/// Whether some pattern, with `*` and `?`, covers the text.
fn covers(patterns: &[Arc<str>], text: &str) -> bool {
    patterns.iter().any(|pattern| Pattern::glob(pattern, false).matches(text))
}
