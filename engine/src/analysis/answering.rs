//! From a closed fixpoint to an answer: the shortest derivation that holds together and replays.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::question::{Environment, Options, Prefer};
use crate::answer::{Answer, Assumption, Path, Question, SCHEMA, Verdict};
use crate::cause::{Ground, cause_id};
use crate::reachability::{
    Derivation, EdgeId, Fact, FactId, Goal, Level, Mask, Reachability, Scope, Why, shortest,
};
use crate::residual::{Residual, VariableKind};
use crate::snapshot::OwnPolicy;
use crate::solver::{Assignment, Solution};
use crate::technique::{GoalCall, Rule, Search};
use crate::witness::{
    Deed, Plan, Replayed, Sharing, Times, are_timed, compare_as_text, plan, replay,
};

/// How many derivations are tried before one that holds together is given up on.
const ATTEMPTS: usize = 256;

/// Said of steps at several times, of which some condition looks at as text.
const TIME_AS_TEXT: &str = "a path whose steps hold only at different times, which a condition \
    compares as text, is not decided";

/// Said of steps at several times of which some is made with a role's session that an earlier one
/// began.
const LONG_SESSION: &str = "a path whose steps hold only at different times, and that needs a \
    role's session begun at the one to last until the other, is not decided";

/// What of the derivations of one start turned out.
enum Outcome {
    /// A path, at its verdict, and what its steps rest on.
    Path(Verdict, Path, Vec<Ground>),
    /// No derivation within the options is consistent.
    None,
    /// Not known, and why.
    Unknown(Vec<Arc<str>>),
}

/// Answers for one start.
pub(super) fn answer(
    reachability: &Reachability<'_, '_>,
    goal: &Goal,
    start: usize,
    question: Question,
    options: &Options,
    general: &[Arc<str>],
) -> Answer {
    let call = match goal {
        Goal::Call(call) => Some(call),
        _ => None,
    };
    let outcome = outcome(reachability, start, options, call);
    let mut unknown: Vec<Arc<str>> = general.to_vec();
    let (mut grounds, mut why) = (Vec::new(), Vec::new());
    let (verdict, path) = match outcome {
        Outcome::Path(verdict, path, rests_on) => {
            grounds = rests_on;
            (verdict, Some(path))
        }
        Outcome::None => (Verdict::Unreachable, None),
        Outcome::Unknown(reasons) => {
            unknown.extend_from_slice(&reasons);
            why = reasons;
            (Verdict::Unknown, None)
        }
    };
    if let Some(call) = call {
        unknown.extend(taken_as_none(reachability.search, call));
    }
    unknown.sort();
    unknown.dedup();
    let mut answer = Answer { schema: SCHEMA, question, verdict, path, unknown, id: None };
    if verdict != Verdict::Unreachable {
        let world = reachability.search.ground.world;
        answer.id = Some(cause_id(world, &answer, &grounds, &why));
    }
    answer
}

fn outcome(
    reachability: &Reachability<'_, '_>,
    start: usize,
    options: &Options,
    call: Option<&GoalCall>,
) -> Outcome {
    let Some(strongest) = reachability.verdict(start) else { return Outcome::None };
    let weakest = if options.no_assumptions { Level::Certain } else { Level::Assumed };
    let mut unknown = Vec::new();
    // At a level all stronger derivations count as well.
    let levels: &[Level] = match options.prefer {
        Prefer::Steps if !options.no_assumptions => &[Level::Assumed],
        _ => &[Level::Certain, Level::Assumed],
    };
    for level in levels.iter().copied() {
        if level < strongest || level > weakest {
            continue;
        }
        match consistent(reachability, start, level, options, call) {
            Outcome::None => {}
            Outcome::Unknown(reasons) => unknown.extend(reasons),
            path @ Outcome::Path(..) => return path,
        }
    }
    if !unknown.is_empty() {
        return Outcome::Unknown(unknown);
    }
    // A path that assumes something is none of those asked for, known or not.
    if options.no_assumptions && options.via.is_empty() && strongest < Level::Unknown {
        return Outcome::None;
    }
    undecided(reachability, start, options)
}

/// What the derivations at the weakest level rest on, if what is known does not speak against one.
fn undecided(reachability: &Reachability<'_, '_>, start: usize, options: &Options) -> Outcome {
    let mut stack: Vec<BTreeSet<EdgeId>> = vec![BTreeSet::new()];
    let mut seen: BTreeSet<BTreeSet<EdgeId>> = BTreeSet::new();
    while let Some(blocked) = stack.pop() {
        if !seen.insert(blocked.clone()) {
            continue;
        }
        if seen.len() > ATTEMPTS {
            let limit = "no decision on a path within the limit of attempts";
            return Outcome::Unknown(vec![limit.into()]);
        }
        let level = Level::Unknown;
        let Some(derivation) = derive(reachability, start, level, options, &blocked) else {
            continue;
        };
        let environment_per_step = options.environment == Environment::PerStep;
        let sharing = Sharing { environment_per_step, ..Sharing::default() };
        let planned = plan(reachability, &derivation, sharing);
        let impossible = |planned: &Plan| {
            let possible = planned.residual.with_gaps(true);
            matches!(reachability.search.solver.solve(&possible), Solution::Unsatisfiable)
        };
        let contradiction = impossible(&planned)
            && at_times(reachability, &derivation, &planned, Times::Any)
                .is_none_or(|timed| impossible(&timed));
        let reasons = gaps(reachability, &derivation);
        if !contradiction && !reasons.is_empty() {
            return Outcome::Unknown(reasons);
        }
        // Without gaps it has been tried before.
        for edge in planned.open.into_iter().rev() {
            let mut more = blocked.clone();
            more.insert(edge);
            stack.push(more);
        }
    }
    Outcome::None
}

/// What is not known about a derivation.
fn gaps(reachability: &Reachability<'_, '_>, derivation: &Derivation) -> Vec<Arc<str>> {
    let mut reasons = BTreeSet::new();
    for (id, _) in derivation.edges() {
        if let Some(edge) = reachability.derivations.edge(id)
            && let Why::Calls(decided) = &edge.why
        {
            let technique = match reachability.derivations.facts.get(edge.conclusion) {
                Some(Fact::Done(rule, _)) => {
                    reachability.search.rules.rules.get(*rule).map(|rule| &rule.id)
                }
                _ => None,
            };
            reasons.extend(decided.gaps.iter().map(|gap| match technique {
                Some(technique) => Arc::from(format!("{gap}: {technique} depends on it")),
                None => gap.0.clone(),
            }));
        }
    }
    reasons.into_iter().collect()
}

fn derive(
    reachability: &Reachability<'_, '_>,
    start: usize,
    level: Level,
    options: &Options,
    blocked: &BTreeSet<EdgeId>,
) -> Option<Derivation> {
    let derivations = &reachability.derivations;
    let goal = reachability.goal_fact(start)?;
    let given: Vec<FactId> = reachability
        .given(start)
        .iter()
        .filter_map(|id| derivations.facts.find(&Fact::Holds(*id)))
        .collect();
    let wanted = wanted(options);
    let mask = |id: EdgeId| mask_of(reachability, id, options);
    let allowed = |id: EdgeId| !blocked.contains(&id) && !reachability.is_past_goal(start, id);
    let calls = |id: EdgeId| rule_of(reachability, id).map_or(0, |rule| rule.calls.len());
    let scope = Scope { level, allowed: &allowed, mask: &mask, calls: &calls, wanted };
    let remaining = reachability.remaining(goal, level);
    let found = shortest(derivations, &given, &remaining, &scope)?;
    match options.max_steps {
        Some(most) => {
            let steps = found
                .edges()
                .iter()
                .filter(|(id, _)| derivations.edge(*id).is_some_and(|edge| edge.steps > 0))
                .count();
            (steps <= most).then_some(found)
        }
        None => Some(found),
    }
}

fn wanted(options: &Options) -> Mask {
    (1_u32 << options.via.len().min(31)) - 1
}

/// The rule that an edge applies, if it applies one.
fn rule_of<'r>(reachability: &'r Reachability<'_, '_>, id: EdgeId) -> Option<&'r Rule> {
    let derivations = &reachability.derivations;
    let edge = derivations.edge(id).filter(|edge| edge.steps > 0)?;
    match derivations.facts.get(edge.conclusion)? {
        Fact::Done(rule, _) => reachability.search.rules.rules.get(*rule),
        _ => None,
    }
}

/// The bits of `--via` that an edge sets.
fn mask_of(reachability: &Reachability<'_, '_>, id: EdgeId, options: &Options) -> Mask {
    if options.via.is_empty() {
        return 0;
    }
    let Some(rule) = rule_of(reachability, id) else { return 0 };
    options
        .via
        .iter()
        .take(31)
        .enumerate()
        .filter(|(_, via)| rule.uses(via))
        .fold(0, |mask, (bit, _)| mask | 1 << bit)
}

/// Looks for a derivation whose steps hold together and replay. Where one does not, every other
/// derivation does without at least one of its edges: each is left out in turn.
fn consistent(
    reachability: &Reachability<'_, '_>,
    start: usize,
    level: Level,
    options: &Options,
    call: Option<&GoalCall>,
) -> Outcome {
    let mut stack: Vec<BTreeSet<EdgeId>> = vec![BTreeSet::new()];
    let mut seen: BTreeSet<BTreeSet<EdgeId>> = BTreeSet::new();
    let mut stuck: Option<Arc<str>> = None;
    let mut attempts = 0;
    while let Some(blocked) = stack.pop() {
        if !seen.insert(blocked.clone()) {
            continue;
        }
        if attempts == ATTEMPTS {
            return Outcome::Unknown(vec![
                "no consistent path within the limit of attempts".into(),
            ]);
        }
        attempts += 1;
        let Some(derivation) = derive(reachability, start, level, options, &blocked) else {
            continue;
        };
        let environment_per_step = options.environment == Environment::PerStep;
        let mut sharing = Sharing { environment_per_step, ..Sharing::default() };
        let mut planned = plan(reachability, &derivation, sharing);
        let mut settled = settle(reachability, &planned);
        // What one user of an outside account cannot be, two may.
        if matches!(settled, Settled::Contradiction) && planned.has_open_identity() {
            sharing.identity_per_step = true;
            planned = plan(reachability, &derivation, sharing);
            settled = settle(reachability, &planned);
        }
        // What does not hold at one time may hold at several, one after the other.
        for times in [Times::Several, Times::Any] {
            if !matches!(settled, Settled::Contradiction) {
                break;
            }
            let Some(timed) = at_times(reachability, &derivation, &planned, times) else { break };
            settled = match settle(reachability, &timed) {
                Settled::Contradiction => continue,
                Settled::Holds(..) if compare_as_text(&timed.parts) => {
                    Settled::Unknown(TIME_AS_TEXT.into())
                }
                Settled::Holds(..) if times == Times::Any => Settled::Unknown(LONG_SESSION.into()),
                settled => settled,
            };
            planned = timed;
        }
        let leave_out: Vec<EdgeId> = match settled {
            Settled::Contradiction => planned.open.clone(),
            Settled::Unknown(reason) => {
                stuck = Some(reason);
                planned.open.clone()
            }
            Settled::Holds(assignment, assumptions) => {
                match replay(reachability, reachability.given(start), &planned, &assignment, call) {
                    Ok(Replayed { steps, grounds }) => {
                        let verdict = if assumptions.is_empty() {
                            Verdict::Reachable
                        } else {
                            Verdict::ReachableUnderAssumptions
                        };
                        return Outcome::Path(verdict, Path { assumptions, steps }, grounds);
                    }
                    Err(failure) => {
                        stuck = Some(
                            format!(
                                "a path is derived, but its step {} does not replay: {}",
                                failure.step + 1,
                                failure.reason
                            )
                            .into(),
                        );
                        derivation
                            .edges()
                            .iter()
                            .map(|(id, _)| *id)
                            .filter(|id| {
                                reachability.derivations.edge(*id).is_some_and(|e| e.steps > 0)
                            })
                            .collect()
                    }
                }
            }
        };
        for edge in leave_out.into_iter().rev() {
            let mut more = blocked.clone();
            more.insert(edge);
            stack.push(more);
        }
    }
    match stuck {
        Some(reason) => Outcome::Unknown(vec![reason]),
        None => Outcome::None,
    }
}

/// Resource policies of the goal's targets that were not asked and so taken as none.
pub(super) fn taken_as_none(search: &Search<'_>, call: &GoalCall) -> Vec<Arc<str>> {
    let world = search.ground.world;
    let not_asked = |arn: &Arc<str>| {
        format!("{arn:?}: what gets hold of a resource of its kind is not known, not asked").into()
    };
    let mut out: Vec<Arc<str>> = call.left_out.iter().map(not_asked).collect();
    for target in &call.targets {
        match target.object.and_then(|id| world.objects.get(id.0 as usize)) {
            Some(object) => {
                if let OwnPolicy::NotAsked(gap) = &object.policy {
                    out.push(format!("{gap}: taken as none").into());
                }
            }
            None if *call.resource == *"*" => {}
            None => out.push(
                format!(
                    "{:?} is nothing that the snapshot lists: a policy of its own was taken as none",
                    call.resource
                )
                .into(),
            ),
        }
    }
    out.dedup();
    out
}

enum Settled {
    Holds(Assignment, Vec<Assumption>),
    Contradiction,
    Unknown(Arc<str>),
}

/// Values for everything that a plan leaves open, and what they assume.
fn settle(reachability: &Reachability<'_, '_>, planned: &Plan) -> Settled {
    let solver = &reachability.search.solver;
    let formula = planned.residual.with_gaps(false);
    let events = events(reachability, planned);
    // First without any assumption: the choices alone must do.
    let unconditional = formula.for_kind(VariableKind::Environment, false);
    if let Solution::Satisfiable(assignment) = solver.solve(&unconditional) {
        return Settled::Holds(planned.with_times(assignment), events);
    }
    match solver.solve(&formula) {
        Solution::Unsatisfiable => Settled::Contradiction,
        Solution::Unknown(reason) => Settled::Unknown(reason),
        Solution::Satisfiable(assignment) => {
            let fixed = crate::technique::substitute_chosen(&formula, &assignment);
            let mut assumptions = if always(reachability, &fixed) {
                Vec::new()
            } else {
                Assumption::from_literals(&solver.assumptions(&fixed, &assignment))
            };
            assumptions.extend(events);
            assumptions.sort();
            assumptions.dedup();
            Settled::Holds(planned.with_times(assignment), assumptions)
        }
    }
}

/// The plan with steps at several times. `None` if that makes no difference: steps have environments
/// of their own anyway, or no two are about the time.
fn at_times(
    reachability: &Reachability<'_, '_>,
    derivation: &Derivation,
    planned: &Plan,
    times: Times,
) -> Option<Plan> {
    if planned.sharing.environment_per_step || !are_timed(&planned.parts) {
        return None;
    }
    let sharing = Sharing { times, ..planned.sharing };
    Some(plan(reachability, derivation, sharing))
}

fn always(reachability: &Reachability<'_, '_>, residual: &Residual) -> bool {
    residual.is_true()
        || matches!(
            reachability.search.solver.solve(&residual.clone().negate()),
            Solution::Unsatisfiable
        )
}

fn events(reachability: &Reachability<'_, '_>, planned: &Plan) -> Vec<Assumption> {
    let mut out: Vec<Assumption> = planned
        .steps
        .iter()
        .filter_map(|step| match &step.deed {
            Deed::Apply(rule, _) => reachability.search.rules.rules.get(*rule),
            _ => None,
        })
        .flat_map(|rule| rule.events.iter().map(|text| Assumption::Event { text: text.clone() }))
        .collect();
    out.sort();
    out.dedup();
    out
}
