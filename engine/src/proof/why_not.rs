//! Why a goal is out of reach: the calls that would have opened it, and what blocks each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::application::{Application, Hand, Seek, Trials, Visit};
use super::blockers::{BlockedCall, Blocker, Conjunct, Explaining, cores, never};
use super::certificate::Proof;
use super::closure::Asked;
use super::facts::{HadText, Names};
use super::had::{Had, State};
use crate::analysis::{self, Models, Options, QuestionError};
use crate::answer::{Question, SCHEMA, Verdict};
use crate::authorization::Edits;
use crate::reachability::{Goal, Reachability};
use crate::snapshot::{ObjectId, World};
use crate::technique::{Actor, Gained, Permission, Reader, Rule, Search, Truster};

/// Applications looked at before the search for ways ends.
const APPLICATIONS: usize = 20_000;

/// Ways reported.
const WAYS: usize = 200;

/// Targets of the call asked for that are looked at.
const TARGETS: usize = 3;

/// A technique that would have opened the goal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Way {
    /// The technique's id, or `goal` for the call that was asked for.
    pub technique: Arc<str>,
    /// Its title.
    pub title: Arc<str>,
    /// What it would give.
    pub gains: Vec<HadText>,
    /// Its calls that are authorized.
    pub allowed: Vec<Arc<str>>,
    /// Its calls that are not, with what blocks each.
    pub blocked: Vec<BlockedCall>,
    /// Where every call may be authorized by itself but not all of them together: a smallest set of
    /// what does not go together.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contradiction: Vec<Blocker>,
}

/// Why a goal is out of reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WhyNot {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// What was asked.
    pub question: Question,
    /// The verdict; there are ways only if it is `unreachable`.
    pub verdict: Verdict,
    /// What would have opened the goal, the closest first: fewest calls that no statement comes near
    /// to allowing, then fewest blocked calls, then fewest reasons. Techniques of which no policy
    /// mentions a call are only listed if there are no others.
    pub ways: Vec<Way>,
    /// How many further ways were found.
    pub more: usize,
    /// Whether there may be more ways than were counted.
    pub limited: bool,
    /// What was missing and could change the answer, sorted.
    pub unknown: Vec<Arc<str>>,
}

/// Says why a goal is out of reach.
///
/// Fails if the question cannot be asked.
pub fn why_not(
    world: &World,
    models: &Models,
    from: &str,
    options: &Options,
) -> Result<WhyNot, QuestionError> {
    let answer = analysis::reach(world, models, from, options)?;
    let mut out = WhyNot {
        schema: SCHEMA,
        question: answer.question,
        verdict: answer.verdict,
        ways: Vec::new(),
        more: 0,
        limited: false,
        unknown: answer.unknown,
    };
    if out.verdict != Verdict::Unreachable {
        return Ok(out);
    }
    let proof = Proof::of(world, models, from, options)?;
    let asked = proof.asked();
    let state =
        proof.closed().map_or_else(|_| State::of(&proof.search, &proof.start), |(state, _)| state);
    let frontier = Frontier {
        asked: &asked,
        state: &state,
        via: &options.via,
        explaining: Explaining::new(&proof.search, world),
        trials: Trials::new(&proof.search, &state, asked.per_step, Seek::Thinkable),
    };
    let (mut ways, limited) = frontier.ways();
    ways.sort_by_key(Way::distance);
    out.limited = limited;
    out.more = ways.len().saturating_sub(WAYS);
    ways.truncate(WAYS);
    out.ways = ways;
    Ok(out)
}

impl Way {
    /// How far it is from working: calls that no policy comes near to allowing count most.
    fn distance(&self) -> (usize, usize, usize, Arc<str>, Vec<HadText>) {
        let reasons = self.blocked.iter().map(|call| call.blocked_by.len()).sum();
        let far = self.blocked.iter().filter(|call| call.is_far()).count();
        (far, self.blocked.len(), reasons, self.technique.clone(), self.gains.clone())
    }
}

/// What some applications give alike, and the applications, each by its hand's position.
type Alike = (Vec<Gained>, Vec<(usize, Application)>);

/// The border of what the attacker has.
struct Frontier<'s, 'w> {
    asked: &'s Asked<'s, 'w>,
    state: &'s State,
    /// Only techniques that use one of these, if there are any.
    via: &'s [Arc<str>],
    explaining: Explaining<'s, 'w>,
    trials: Trials<'s, 'w>,
}

/// Applications that are thinkable, as many as are looked at.
struct Near<'f> {
    via: &'f [Arc<str>],
    /// Whether by techniques of which some policy mentions a call, or by the others.
    mentioned: bool,
    /// The position of whoever is tried.
    hand: usize,
    out: Vec<(usize, Application)>,
    limited: bool,
}

impl Visit for Near<'_> {
    fn wants(&self, rule: &Rule, mentioned: bool) -> bool {
        let asked_for = self.via.is_empty() || self.via.iter().any(|via| rule.uses(via));
        mentioned == self.mentioned && asked_for
    }

    fn found(&mut self, application: Application) {
        if self.out.len() < APPLICATIONS {
            self.out.push((self.hand, application));
        } else {
            self.limited = true;
        }
    }
}

impl<'w> Frontier<'_, 'w> {
    fn search(&self) -> &Search<'w> {
        self.asked.search
    }

    /// What would have opened the goal; whether the search was cut short.
    ///
    /// Techniques of which some policy mentions a call come first: only if these open nothing the
    /// others are looked at.
    fn ways(&self) -> (Vec<Way>, bool) {
        let (near, limited) = self.ways_by(true);
        if near.is_empty() { self.ways_by(false) } else { (near, limited) }
    }

    fn ways_by(&self, mentioned: bool) -> (Vec<Way>, bool) {
        let mut out = if mentioned { self.goal_calls() } else { Vec::new() };
        let (applications, limited) = self.applications(mentioned);
        let mut by_gains: BTreeMap<Vec<HadText>, Alike> = BTreeMap::new();
        for (hand, application) in applications {
            let gains =
                self.search().gains(application.rule, &application.binding, &self.state.made);
            let texts = self.texts(&gains);
            // What is had already opens nothing.
            if !texts.is_empty() {
                let entry = by_gains.entry(texts).or_insert_with(|| (gains, Vec::new()));
                entry.1.push((hand, application));
            }
        }
        let opening = self.opening(by_gains.values().map(|(gains, _)| gains.clone()).collect());
        for (at, (gains, (_, applications))) in by_gains.into_iter().enumerate() {
            if !opening.contains(&at) {
                continue;
            }
            // Of each technique the objects with which it is closest.
            let mut best: BTreeMap<usize, Way> = BTreeMap::new();
            for (hand, application) in &applications {
                let Some(way) = self.way(*hand, application, &gains) else { continue };
                let technique = self
                    .search()
                    .rules
                    .rules
                    .get(application.rule)
                    .map_or(usize::MAX, |rule| rule.technique);
                match best.get(&technique) {
                    Some(known) if known.distance() <= way.distance() => {}
                    _ => {
                        best.insert(technique, way);
                    }
                }
            }
            out.extend(best.into_values());
        }
        out.sort();
        out.dedup();
        (out, limited)
    }

    /// Gains in words, without what the attacker has already.
    fn texts(&self, gains: &[Gained]) -> Vec<HadText> {
        let mut state = self.state.clone();
        let names = Names { search: self.search() };
        let mut out = Vec::new();
        for gain in gains {
            for had in state.facts_of(self.search(), gain.clone()) {
                if !self.state.facts.contains_key(&had) {
                    out.push(names.text(&state, &had));
                }
            }
        }
        out
    }

    /// Rules that objects would allow somebody held, those of which some policy mentions a call or
    /// the others.
    fn applications(&self, mentioned: bool) -> (Vec<(usize, Application)>, bool) {
        let mut near = Near { via: self.via, mentioned, hand: 0, out: Vec::new(), limited: false };
        // The start first: what others could do is less telling.
        let mut order: Vec<(usize, &Hand)> = self.trials.hands.iter().enumerate().collect();
        let own = State::of(self.search(), self.asked.start);
        order.sort_by_key(|(_, hand)| !own.facts.contains_key(&Had::Holds(hand.principal)));
        for (at, hand) in order {
            near.hand = at;
            if self.trials.of_hand(hand, &mut near).is_err() {
                near.limited = true;
            }
        }
        (near.out, near.limited)
    }

    /// Which of these gains would open the goal, decided for all of them at once.
    fn opening(&self, gains: Vec<Vec<Gained>>) -> BTreeSet<usize> {
        let starts = vec![self.asked.start.clone(); gains.len()];
        let given: Vec<(usize, Vec<Gained>)> = gains.into_iter().enumerate().collect();
        let goal: Goal = self.asked.goal.clone();
        let closed = Reachability::close_with(self.search(), &starts, &given, goal, true);
        (0..starts.len()).filter(|at| closed.verdict(*at).is_some()).collect()
    }

    /// What keeps an application from working; `None` if nothing that is known does.
    fn way(&self, hand: usize, application: &Application, gains: &[HadText]) -> Option<Way> {
        let search = self.search();
        let rule = search.rules.rules.get(application.rule)?;
        let hand = self.trials.hands.get(hand)?;
        let edits = Edits::of(application.edits.iter().copied());
        let actor = self.trials.actor(hand, &edits)?;
        let (mut allowed, mut blocked) = (Vec::new(), Vec::new());
        let mut conjuncts: Vec<Conjunct> = Vec::new();
        for group in 0..rule.groups.len() {
            for call in rule.calls_of(group) {
                let mut by = self.explaining.call(&actor, rule, call, &application.binding);
                if group > 0 && !by.is_empty() && self.somebody(hand, rule, group, application) {
                    by.clear();
                }
                if by.is_empty() {
                    allowed.push(call.action.clone());
                } else {
                    blocked.extend(by);
                }
                if group == 0
                    && let Some(alternatives) = actor.checks(rule, call, &application.binding)
                    && let Some(checks) = alternatives.first()
                {
                    conjuncts.extend(checks.iter().flat_map(|check| {
                        let ways = actor.ways(rule, call, &application.binding, check);
                        let way = ways.into_iter().next_back().unwrap_or_default();
                        let of = |asked: &Permission<'_>| {
                            let (action, check) = (asked.action, &asked.check);
                            self.explaining.conjuncts(&actor, action, asked.lowercase, check)
                        };
                        way.iter().flat_map(of).collect::<Vec<Conjunct>>()
                    }));
                }
            }
        }
        blocked.extend(self.untrusting(&actor, rule, application));
        let mut contradiction = Vec::new();
        if blocked.is_empty() {
            contradiction =
                cores(&search.solver, &conjuncts).into_iter().next().unwrap_or_default();
            if contradiction.is_empty() {
                return None;
            }
        }
        let title = search.titles.get(rule.technique).cloned();
        Some(Way {
            technique: rule.id.clone(),
            title: title.unwrap_or_else(|| rule.id.clone()),
            gains: gains.to_vec(),
            allowed,
            blocked,
            contradiction,
        })
    }

    /// Whether somebody else held can make the calls of a further group.
    fn somebody(&self, own: &Hand, rule: &Rule, group: usize, application: &Application) -> bool {
        let edits = Edits::of(application.edits.iter().copied());
        self.trials.hands.iter().filter(|hand| hand.principal != own.principal).any(|hand| {
            self.trials.actor(hand, &edits).is_some_and(|actor| {
                rule.calls_of(group).all(|call| {
                    self.explaining.call(&actor, rule, call, &application.binding).is_empty()
                })
            })
        })
    }

    /// Roles that do not trust whom the technique needs them to trust.
    fn untrusting(
        &self,
        actor: &Actor<'_, 'w>,
        rule: &Rule,
        application: &Application,
    ) -> Vec<BlockedCall> {
        let search = self.search();
        let binding = &application.binding;
        let reader = Reader { view: actor.view, kinds: search.kinds, rule };
        let mut out = Vec::new();
        for (at, slot) in rule.slots.iter().enumerate() {
            let (Some(role), false) = (binding.objects.get(at), slot.trusts.is_empty()) else {
                continue;
            };
            let sources = reader.sources(binding, at);
            let mut names: Vec<Arc<str>> = Vec::new();
            let trusted = slot.trusts.iter().any(|who| match who {
                Truster::Service(service) => {
                    names.push(service.clone());
                    sources.iter().any(|source| {
                        let source = source.as_ref();
                        let residual = search.trusts_service(&actor.view, *role, service, source);
                        !never(&search.solver, &residual)
                    })
                }
                Truster::Role(other) => match binding.objects.get(*other) {
                    Some(other) => {
                        names.push(self.arn(*other));
                        !never(&search.solver, &search.trusts_role(actor.view, *role, *other))
                    }
                    None => false,
                },
            });
            if trusted {
                continue;
            }
            let blocker = Blocker::NoAllow {
                layer: "trust".into(),
                level: None,
                policies: vec!["trust policy".into()],
                nearest: Vec::new(),
            };
            out.push(BlockedCall {
                actor: names.join(" or ").into(),
                action: "sts:AssumeRole".into(),
                resource: self.arn(*role),
                blocked_by: vec![vec![blocker]],
            });
        }
        out
    }

    fn arn(&self, id: ObjectId) -> Arc<str> {
        self.trials.object(id).map_or("".into(), |object| object.arn.clone())
    }

    /// The call that was asked for, by everybody held.
    fn goal_calls(&self) -> Vec<Way> {
        let Goal::Call(call) = self.asked.goal else { return Vec::new() };
        let edits = Edits::default();
        let mut out = Vec::new();
        for hand in self.trials.hands.iter().filter(|hand| hand.mandated.is_none()) {
            let Some(actor) = self.trials.actor(hand, &edits) else { continue };
            for target in call.targets.iter().take(TARGETS) {
                let check = target.check(actor.view);
                let blocked = self
                    .explaining
                    .check(&actor, &target.action, &check)
                    .or_else(|| self.explaining.key(&actor, target));
                out.extend(blocked.map(|blocked| Way {
                    technique: "goal".into(),
                    title: "Make the call that was asked for".into(),
                    gains: vec![HadText::Called],
                    allowed: Vec::new(),
                    blocked: vec![blocked],
                    contradiction: Vec::new(),
                }));
            }
        }
        out
    }
}
