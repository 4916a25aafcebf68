//! The questions a user asks: who can escalate to what, and can this one reach that.

mod answering;
mod question;

use std::collections::BTreeMap;
use std::sync::Arc;

use escalade_models::{Catalogue, ContextKeys, ResourceKinds};
use rayon::prelude::*;

pub use question::{Environment, Options, Prefer, QuestionError};
pub(crate) use question::{goal, principal};

use crate::answer::{Answer, Audit, Question, SCHEMA, Statistics, Verdict};
use crate::authorization::Ground;
use crate::reachability::{Goal, Level, Reachability};
use crate::snapshot::{ObjectId, World};
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
/// - `from`: a principal's ARN or the end of one, `user/alice`.
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
    let start = question::principal(world, from)?;
    let goal = question::goal(world, &options.goal)?;
    let search = prepare(world, models, options, &goal)?;
    let reachability = Reachability::close(&search, &[start], goal.clone(), options.stop_at_goal());
    let question = asked(world, start, options);
    let general = general(world);
    let asked = Asked { search: &search, goal: &goal, options, general: &general };
    let answer = asked.answer(&reachability, 0, start, question);
    Ok((answer, search.statistics()))
}

/// Answers for every user and role of the snapshot whether it can reach the goal.
///
/// Service-linked roles are left out as starts: only AWS's services can hold them.
pub fn audit(world: &World, models: Models<'_>, options: &Options) -> Result<Audit, QuestionError> {
    let goal = question::goal(world, &options.goal)?;
    let search = prepare(world, models, options, &goal)?;
    let starts: Vec<ObjectId> = ["iam:user", "iam:role"]
        .into_iter()
        .flat_map(|kind| world.of_kind(kind))
        .copied()
        .filter(|id| {
            world
                .objects
                .get(id.0 as usize)
                .is_some_and(|object| !object.arn.contains(":role/aws-service-role/"))
        })
        .collect();
    let reachability = Reachability::close(&search, &starts, goal.clone(), options.stop_at_goal());
    let of_one = Asked { search: &search, goal: &goal, options, general: &[] };
    let mut answers: Vec<Answer> = starts
        .par_iter()
        .enumerate()
        .filter(|(at, _)| reachability.verdict(*at).is_some())
        .map(|(at, start)| {
            let question = asked(world, *start, options);
            of_one.answer(&reachability, at, *start, question)
        })
        .filter(|answer| answer.verdict != Verdict::Unreachable)
        .collect();
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
    answers.sort_by(|a, b| {
        (a.verdict, length(a), &a.question.from).cmp(&(b.verdict, length(b), &b.question.from))
    });
    Ok(Audit {
        schema: SCHEMA,
        findings: answers,
        administrators,
        principals: starts.len(),
        accounts: world.accounts.len(),
        unknown: general(world),
        statistics: search.statistics(),
    })
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
        start: ObjectId,
        question: Question,
    ) -> Answer {
        let Self { goal, options, general, .. } = *self;
        let answer = |reachability: &Reachability<'_, '_>, at| {
            answering::answer(reachability, goal, at, start, question.clone(), options, general)
        };
        let first = answer(reachability, at);
        let arrived = reachability.verdict(at).is_some_and(|level| level < Level::Unknown)
            || first.verdict == Verdict::Unreachable;
        if !options.stop_at_goal() || first.verdict < Verdict::Unknown || !arrived {
            return first;
        }
        // The steps of what leads to the goal do not hold together, and the start was followed no
        // further: those of something longer may.
        answer(&Reachability::close(self.search, &[start], goal.clone(), false), 0)
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
pub(crate) fn asked(world: &World, start: ObjectId, options: &Options) -> Question {
    let from = world.objects.get(start.0 as usize).map_or("".into(), |object| object.arn.clone());
    Question {
        from,
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
