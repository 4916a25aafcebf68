//! The questions a user asks: who can escalate to what, and can this one reach that.

mod answering;
mod models;
mod pins;
mod question;
mod selection;
mod start;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

pub use models::{Models, ModelsError};
pub(crate) use pins::pins;
pub use question::{Environment, Options, Prefer, QuestionError};
pub(crate) use question::{check_action, goal, principal};
pub use selection::Selection;
pub(crate) use start::start;

use crate::answer::{Answer, Audit, Outside, Question, SCHEMA, Statistics, Verdict};
use crate::authorization::Ground;
use crate::cause::cause_id;
use crate::reachability::{Goal, Level, Reachability, Start};
use crate::snapshot::{Detail, ObjectId, World};
use crate::solver::Solver;
use crate::technique::{Rule, Search};

/// Answers whether `from` can reach the goal.
///
/// - `from`: a principal's ARN or the end of one, `user/alice`; `anyone`; `account:ID`;
///   `federated:PROVIDER` or `federated:PROVIDER/SUBJECT`.
///
/// Fails if the question is about something that is not in the snapshot, or the catalogue has a
/// technique that cannot be used.
pub fn reach(
    world: &World,
    models: &Models,
    from: &str,
    options: &Options,
) -> Result<Answer, QuestionError> {
    reach_counted(world, models, from, options).map(|(answer, _)| answer)
}

/// As [`reach`], with how decisions were made.
pub fn reach_counted(
    world: &World,
    models: &Models,
    from: &str,
    options: &Options,
) -> Result<(Answer, Statistics), QuestionError> {
    reach_by(world, models, from, options, Follow::Enough)
}

/// As [`reach`], with the start followed on every way and nobody standing in for others: slower, and
/// what is found otherwise can be checked against it.
pub fn reach_on_every_way(
    world: &World,
    models: &Models,
    from: &str,
    options: &Options,
) -> Result<Answer, QuestionError> {
    reach_by(world, models, from, options, Follow::EveryWay).map(|(answer, _)| answer)
}

/// How far a start is followed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Follow {
    /// As far as the question takes.
    Enough,
    /// On every way to where that ends.
    EveryWay,
}

fn reach_by(
    world: &World,
    models: &Models,
    from: &str,
    options: &Options,
    follow: Follow,
) -> Result<(Answer, Statistics), QuestionError> {
    let start = start(world, from)?;
    let goal = question::goal(world, models, &options.goal)?;
    let search = prepare(world, models, options, &goal)?;
    let question = asked(world, &start, options);
    let starts = [start];
    let close = |stop_at_goal| Reachability::close(&search, &starts, goal.clone(), stop_at_goal);
    let mut reachability = close(follow == Follow::Enough);
    let reached = reachability.verdict(0).is_some();
    if follow == Follow::Enough && options.asks_for_certain_ways() && reached {
        reachability = close(false);
    }
    let general = general(world);
    let asked = Asked { search: &search, goal: &goal, options, general: &general };
    let [start] = &starts;
    let answer = asked.answer(&reachability, 0, start, question);
    Ok((answer, search.statistics()))
}

/// Answers for every user and role of the snapshot that is selected, and every internal user of an
/// OpenSearch domain, whether it can reach the goal.
///
/// Service-linked roles are left out as starts: only AWS's services can hold them.
pub fn audit(world: &World, models: &Models, options: &Options) -> Result<Audit, QuestionError> {
    audit_of(world, models, &options.selection.of(world, &starts(world))?, options)
}

/// As [`audit`], with each finding handed over as soon as it is known, in the order of the
/// principals in the snapshot, those from outside last. What is returned has no findings.
///
/// A finding that is handed over is not held any longer. `found` says whether to go on; after it has
/// said no, nothing more is answered.
pub fn audit_each(
    world: &World,
    models: &Models,
    options: &Options,
    found: &mut dyn FnMut(Answer) -> bool,
) -> Result<Audit, QuestionError> {
    let principals = options.selection.of(world, &starts(world))?;
    let question = AskedOfAll::new(world, models, &principals, options)?;
    let mut audit = question.nothing_found();
    question.answers(&mut |outside, answer| {
        if at_goal(&answer) && !outside {
            audit.administrators.push(answer.question.from);
            return true;
        }
        found(answer)
    });
    audit.administrators.sort();
    audit.unique_ids = unique_ids(world, audit.administrators.iter());
    audit.statistics = question.search.statistics();
    Ok(audit)
}

/// Every user and role that somebody can start from, and every internal user of an OpenSearch domain.
pub fn starts(world: &World) -> Vec<ObjectId> {
    ["iam:user", "iam:role", "opensearch:internal-user"]
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
    models: &Models,
    principals: &[ObjectId],
    options: &Options,
) -> Result<Audit, QuestionError> {
    let question = AskedOfAll::new(world, models, principals, options)?;
    let mut audit = question.nothing_found();
    let mut from_outside = Vec::new();
    question.answers(&mut |outside, answer| {
        if outside {
            from_outside.push(answer);
        } else if at_goal(&answer) {
            audit.administrators.push(answer.question.from);
        } else {
            audit.findings.push(answer);
        }
        true
    });
    audit.administrators.sort();
    let length = |answer: &Answer| answer.path.as_ref().map_or(0, |path| path.steps.len());
    let worst_first = |a: &Answer, b: &Answer| {
        (a.verdict, length(a), &a.question.from).cmp(&(b.verdict, length(b), &b.question.from))
    };
    audit.findings.sort_by(worst_first);
    if let Some(outside) = &mut audit.outside {
        from_outside.sort_by(worst_first);
        outside.findings = from_outside;
    }
    let named = audit.findings.iter().map(|answer| &answer.question.from);
    audit.unique_ids = unique_ids(world, named.chain(&audit.administrators));
    audit.statistics = question.search.statistics();
    Ok(audit)
}

/// Whether the start is at the goal without a step.
fn at_goal(answer: &Answer) -> bool {
    answer.path.as_ref().is_some_and(|path| path.steps.is_empty())
}

/// How many starts are answered for before the answers are handed over.
const AT_A_TIME: usize = 256;

/// An audit's question about all its starts, before it is answered.
struct AskedOfAll<'w, 'o> {
    search: Search<'w>,
    goal: Goal,
    options: &'o Options,
    /// Principals first, then those from outside.
    starts: Vec<Start>,
    principals: usize,
}

impl<'w, 'o> AskedOfAll<'w, 'o> {
    fn new(
        world: &'w World,
        models: &'w Models,
        principals: &[ObjectId],
        options: &'o Options,
    ) -> Result<Self, QuestionError> {
        let goal = question::goal(world, models, &options.goal)?;
        let search = prepare(world, models, options, &goal)?;
        let mut starts: Vec<Start> = principals
            .iter()
            .filter_map(|id| Some(Start::principal(*id, world.object(*id)?)))
            .collect();
        let principals = starts.len();
        if options.external {
            starts.extend(start::from_outside(world));
        }
        Ok(Self { search, goal, options, starts, principals })
    }

    /// Answers for every start that can get to the goal or of which that is undecided, in order;
    /// with each answer goes whether its start is from outside. Ends when `found` says no.
    fn answers(&self, found: &mut dyn FnMut(bool, Answer) -> bool) {
        let Self { search, goal, options, starts, principals } = self;
        let reachability = Reachability::close(search, starts, goal.clone(), true);
        let of_one = Asked { search, goal, options, general: &[] };
        let open: Vec<(usize, &Start)> = starts
            .iter()
            .enumerate()
            .filter(|(at, _)| reachability.verdict(*at).is_some())
            .collect();
        // Who is not at the goal by any way is not by certain ones.
        let every_way = options.asks_for_certain_ways().then(|| {
            let starts: Vec<Start> = open.iter().map(|(_, start)| (*start).clone()).collect();
            Reachability::close(search, &starts, goal.clone(), false)
        });
        let anyhow = Options { via: Vec::new(), ..(*options).clone() };
        let answer = |(position, (at, start)): &(usize, &(usize, &Start))| {
            let question = asked(search.ground.world, start, options);
            let Some(every_way) = &every_way else {
                return (*at, of_one.answer(&reachability, *at, start, question));
            };
            if !options.via.is_empty() {
                // Who is at the goal already needs no way.
                let asked = Asked { options: &anyhow, ..of_one };
                let first = asked.answer(&reachability, *at, start, question.clone());
                if at_goal(&first) {
                    return (*at, first);
                }
            }
            (*at, of_one.answer(every_way, *position, start, question))
        };
        let numbered: Vec<(usize, &(usize, &Start))> = open.iter().enumerate().collect();
        for some in numbered.chunks(AT_A_TIME) {
            let answers: Vec<(usize, Answer)> = some
                .par_iter()
                .map(answer)
                .filter(|(_, answer)| answer.verdict != Verdict::Unreachable)
                .collect();
            for (at, answer) in answers {
                if !found(at >= *principals, answer) {
                    return;
                }
            }
        }
    }

    /// The audit without its findings.
    fn nothing_found(&self) -> Audit {
        let world = self.search.ground.world;
        let mut unknown = general(world);
        if let Goal::Call(call) = &self.goal {
            unknown.extend(answering::taken_as_none(&self.search, call));
            unknown.sort();
            unknown.dedup();
        }
        let outside = self
            .options
            .external
            .then(|| Outside { starts: self.starts.len() - self.principals, findings: Vec::new() });
        Audit {
            schema: SCHEMA,
            findings: Vec::new(),
            administrators: Vec::new(),
            outside,
            principals: self.principals,
            accounts: world.accounts.len(),
            unknown,
            question: self.options.asked(),
            unique_ids: BTreeMap::new(),
            statistics: Statistics::default(),
        }
    }
}

fn unique_ids<'a>(
    world: &World,
    arns: impl Iterator<Item = &'a Arc<str>>,
) -> BTreeMap<Arc<str>, Arc<str>> {
    arns.filter_map(|arn| Some((arn.clone(), unique_id(world, arn)?.clone()))).collect()
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
#[derive(Clone, Copy)]
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
        let mut answer = self.found(reachability, at, start, question);
        if let (Verdict::Unreachable, Some(gap)) = (answer.verdict, &start.gap) {
            answer.verdict = Verdict::Unknown;
            answer.unknown.push(gap.0.clone());
            answer.unknown.sort();
            let why = std::slice::from_ref(&gap.0);
            answer.id = Some(cause_id(self.search.ground.world, &answer, &[], why));
        }
        answer
    }

    /// The answer as far as the start is known.
    fn found(
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
        let level = reachability.verdict(at);
        let arrived = level.is_some_and(|level| level < Level::Unknown)
            || first.verdict == Verdict::Unreachable;
        // Until it was at the goal it was followed to the end of what assumes nothing.
        let assumes = options.no_assumptions && level == Some(Level::Assumed);
        let settled = first.verdict < Verdict::Unknown || !arrived || assumes;
        if settled || options.asks_for_certain_ways() {
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
    models: &'w Models,
    options: &Options,
    goal: &Goal,
) -> Result<Search<'w>, QuestionError> {
    let mut ground = Ground::new(world, models.kinds())
        .map_err(|error| QuestionError::Catalogue(error.to_string()))?;
    if let Goal::Call(call) = goal {
        ground.also_unlisted(&call.not_listed);
    }
    let techniques = models.catalogue().techniques();
    let mut rules = models.rules()?.clone();
    let mut actions = match goal {
        Goal::Call(call) => call.actions(),
        _ => BTreeSet::new(),
    };
    // With the permission for the key of the resource, where it takes one.
    let of_keys = actions.iter().filter_map(|action| models.keys().key_use(action));
    let of_keys: Vec<Arc<str>> = of_keys.map(|use_| use_.permission.as_str().into()).collect();
    actions.extend(&of_keys);
    actions.iter().for_each(|action| rules.also_about(action));
    for name in options.via.iter().chain(&options.avoid) {
        if !rules.rules.iter().any(|rule| rule.uses(name)) {
            return Err(QuestionError::NoTechnique(name.to_string()));
        }
    }
    let solver = Solver::default();
    let pins = pins(&ground, models.keys(), &solver, &options.assume)?;
    let mut search = Search::new(ground, rules, models.keys(), models.kinds(), pins, solver);
    search.titles = techniques.iter().map(|technique| technique.title.as_str().into()).collect();
    let nowhere = search.leading_nowhere(&actions);
    let avoided = |rule: &Rule| options.avoid.iter().any(|avoid| rule.uses(avoid));
    let avoided =
        search.rules.rules.iter().zip(nowhere).map(|(rule, nowhere)| nowhere || avoided(rule));
    let avoided = avoided.collect();
    search.avoided = avoided;
    if let Goal::Call(call) = goal {
        let decisive = call.targets.iter().flat_map(|target| search.decisive(target));
        search.goal_objects = decisive.map(|id| id.0).collect();
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
