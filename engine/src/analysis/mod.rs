//! The questions a user asks: who can escalate to what, and can this one reach that.

mod answering;
mod question;
mod start;

use std::collections::BTreeMap;
use std::sync::Arc;

use escalade_models::{Catalogue, ContextKeys, ResourceKinds};
use rayon::prelude::*;

pub use question::{Environment, Options, Prefer, QuestionError};
pub(crate) use question::{goal, principal};

use crate::answer::{Answer, Audit, Outside, Question, SCHEMA, Statistics, Verdict};
use crate::authorization::Ground;
use crate::reachability::{Goal, Level, Reachability, Start};
use crate::snapshot::{Detail, ObjectId, World};
use crate::solver::Solver;
use crate::technique::{Rule, Rules, Search};

/// The facts about AWS that an analysis rests on.
#[derive(Clone, Copy)]
pub struct Models<'m> {
    /// Techniques.
    pub catalogue: &'m Catalogue,
    /// Condition keys.
    pub keys: &'m ContextKeys,
    /// Kinds of resource.
    pub kinds: &'m ResourceKinds,
}

/// Answers whether `from` can reach the goal.
///
/// - `from`: a principal's ARN or the end of one, `user/alice`; `anyone`; `account:ID`;
///   `federated:PROVIDER` or `federated:PROVIDER/SUBJECT`.
///
/// Fails if the question is about something that is not in the snapshot, or the catalogue has a
/// technique that cannot be used.
pub fn reach(
    world: &World,
    models: Models<'_>,
    from: &str,
    options: &Options,
) -> Result<Answer, QuestionError> {
    reach_counted(world, models, from, options).map(|(answer, _)| answer)
}

/// As [`reach`], with how decisions were made.
pub fn reach_counted(
    world: &World,
    models: Models<'_>,
    from: &str,
    options: &Options,
) -> Result<(Answer, Statistics), QuestionError> {
    let start = start::start(world, from)?;
    let goal = question::goal(world, &options.goal)?;
    let search = prepare(world, models, options, &goal)?;
    let question = asked(world, &start, options);
    let starts = [start];
    let reachability = Reachability::close(&search, &starts, goal.clone(), options.stop_at_goal());
    let general = general(world);
    let asked = Asked { search: &search, goal: &goal, options, general: &general };
    let [start] = &starts;
    let answer = asked.answer(&reachability, 0, start, question);
    Ok((answer, search.statistics()))
}

/// Answers for every user and role of the snapshot whether it can reach the goal.
///
/// Service-linked roles are left out as starts: only AWS's services can hold them.
pub fn audit(world: &World, models: Models<'_>, options: &Options) -> Result<Audit, QuestionError> {
    audit_of(world, models, &starts(world), options)
}

/// Every user and role that somebody can start from.
pub fn starts(world: &World) -> Vec<ObjectId> {
    ["iam:user", "iam:role"]
        .into_iter()
        .flat_map(|kind| world.of_kind(kind))
        .copied()
        .filter(|id| world.object(*id).is_some_and(|object| !object.is_service_linked()))
        .collect()
}

/// Answers for these principals, and for those from outside if they are asked about, whether each
/// can reach the goal, as [`audit`] does for all.
pub fn audit_of(
    world: &World,
    models: Models<'_>,
    principals: &[ObjectId],
    options: &Options,
) -> Result<Audit, QuestionError> {
    let goal = question::goal(world, &options.goal)?;
    let search = prepare(world, models, options, &goal)?;
    let mut starts: Vec<Start> = principals
        .iter()
        .filter_map(|id| Some(Start::principal(*id, world.object(*id)?)))
        .collect();
    let principals = starts.len();
    if options.external {
        starts.extend(start::from_outside(world));
    }
    let reachability = Reachability::close(&search, &starts, goal.clone(), options.stop_at_goal());
    let of_one = Asked { search: &search, goal: &goal, options, general: &[] };
    let mut answers: Vec<(usize, Answer)> = starts
        .par_iter()
        .enumerate()
        .filter(|(at, _)| reachability.verdict(*at).is_some())
        .map(|(at, start)| {
            let question = asked(world, start, options);
            (at, of_one.answer(&reachability, at, start, question))
        })
        .filter(|(_, answer)| answer.verdict != Verdict::Unreachable)
        .collect();
    let outside = answers.split_off(answers.partition_point(|(at, _)| *at < principals));
    let outside: Vec<Answer> = outside.into_iter().map(|(_, answer)| answer).collect();
    let mut answers: Vec<Answer> = answers.into_iter().map(|(_, answer)| answer).collect();
    let mut administrators = Vec::new();
    answers.retain(|answer| {
        let there = answer.path.as_ref().is_some_and(|path| path.steps.is_empty());
        if there {
            administrators.push(answer.question.from.clone());
        }
        !there
    });
    administrators.sort();
    let length = |answer: &Answer| answer.path.as_ref().map_or(0, |path| path.steps.len());
    let worst_first = |a: &Answer, b: &Answer| {
        (a.verdict, length(a), &a.question.from).cmp(&(b.verdict, length(b), &b.question.from))
    };
    answers.sort_by(worst_first);
    let outside = options.external.then(|| {
        let mut findings = outside;
        findings.sort_by(worst_first);
        Outside { starts: starts.len() - principals, findings }
    });
    let named = answers.iter().map(|answer| &answer.question.from).chain(&administrators);
    let unique_ids =
        named.filter_map(|arn| Some((arn.clone(), unique_id(world, arn)?.clone()))).collect();
    Ok(Audit {
        schema: SCHEMA,
        findings: answers,
        administrators,
        outside,
        principals,
        accounts: world.accounts.len(),
        unknown: general(world),
        question: options.asked(),
        unique_ids,
        statistics: search.statistics(),
    })
}

/// The unique id of a user or role.
fn unique_id<'w>(world: &'w World, arn: &str) -> Option<&'w Arc<str>> {
    let id = match &world.object(world.find(arn)?)?.detail {
        Detail::User(user) => &user.unique_id,
        Detail::Role(role) => &role.unique_id,
        _ => return None,
    };
    (!id.is_empty()).then_some(id)
}

/// A question about some starts.
struct Asked<'s, 'w> {
    search: &'s Search<'w>,
    goal: &'s Goal,
    options: &'s Options,
    general: &'s [Arc<str>],
}

impl Asked<'_, '_> {
    /// Answers for one start.
    fn answer(
        &self,
        reachability: &Reachability<'_, '_>,
        at: usize,
        start: &Start,
        question: Question,
    ) -> Answer {
        let Self { goal, options, general, .. } = *self;
        let answer = |reachability: &Reachability<'_, '_>, at| {
            answering::answer(reachability, goal, at, question.clone(), options, general)
        };
        let first = answer(reachability, at);
        let arrived = reachability.verdict(at).is_some_and(|level| level < Level::Unknown)
            || first.verdict == Verdict::Unreachable;
        if !options.stop_at_goal() || first.verdict < Verdict::Unknown || !arrived {
            return first;
        }
        // The steps of what leads to the goal do not hold together, and the start was followed no
        // further: those of something longer may.
        let starts = std::slice::from_ref(start);
        answer(&Reachability::close(self.search, starts, goal.clone(), false), 0)
    }
}

/// Everything that deciding a question takes.
pub(crate) fn prepare<'w>(
    world: &'w World,
    models: Models<'w>,
    options: &Options,
    goal: &Goal,
) -> Result<Search<'w>, QuestionError> {
    let ground = Ground::new(world, models.kinds)
        .map_err(|error| QuestionError::Catalogue(error.to_string()))?;
    let techniques = models.catalogue.techniques();
    let mut rules =
        Rules::of(techniques).map_err(|error| QuestionError::Catalogue(error.to_string()))?;
    if let Some((action, _)) = options.goal.split_once('@') {
        rules.also_about(action);
    }
    for name in options.via.iter().chain(&options.avoid) {
        if !rules.rules.iter().any(|rule| rule.uses(name)) {
            return Err(QuestionError::NoTechnique(name.to_string()));
        }
    }
    let pins: BTreeMap<Arc<str>, Option<Arc<str>>> = options
        .assume
        .iter()
        .map(|(key, value)| (Arc::from(key.to_lowercase()), value.clone()))
        .collect();
    let mut search = Search::new(ground, rules, models.keys, models.kinds, pins, Solver::default());
    search.titles = techniques.iter().map(|technique| technique.title.as_str().into()).collect();
    let action = options.goal.split_once('@').map(|(action, _)| action);
    let nowhere = search.leading_nowhere(action);
    let avoided = |rule: &Rule| options.avoid.iter().any(|avoid| rule.uses(avoid));
    let avoided =
        search.rules.rules.iter().zip(nowhere).map(|(rule, nowhere)| nowhere || avoided(rule));
    let avoided = avoided.collect();
    search.avoided = avoided;
    if let Goal::Call(call) = goal {
        search.goal_objects = call.targets.iter().filter_map(|t| Some(t.object?.0)).collect();
    }
    Ok(search)
}

/// The question as answers repeat it.
pub(crate) fn asked(world: &World, start: &Start, options: &Options) -> Question {
    let home = start.home.and_then(|home| world.accounts.get(home.0 as usize));
    Question {
        from: start.name.clone(),
        home: home.map(|account| account.id.clone()),
        to: options.goal.clone(),
        via: options.via.clone(),
        avoid: options.avoid.clone(),
        assume: options.assume.clone(),
    }
}

/// What was missing or skipped, for every answer.
pub(crate) fn general(world: &World) -> Vec<Arc<str>> {
    world.gaps.iter().map(|gap| gap.0.clone()).collect()
}
