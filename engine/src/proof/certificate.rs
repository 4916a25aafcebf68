//! Certificates of unreachability: a set of facts that holds the attacker's start, that is closed
//! under every technique, and that does not hold the goal. Whoever finds all three true has the
//! proof, however the set was found.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::closure::{Asked, Consequences, NotClosed, lasts};
use super::facts::{FactText, HadText, MadeText, Names};
use super::had::{Had, State};
use crate::analysis::{self, Environment, Models, Options, QuestionError};
use crate::answer::Question;
use crate::reachability::{Goal, Start};
use crate::residual::Residual;
use crate::snapshot::{ObjectId, World};
use crate::technique::Search;

/// The form of certificates.
pub const CERTIFICATE_SCHEMA: &str = "escalade-certificate/1";

/// A proof that a goal is out of reach, to be checked against the snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// Always [`CERTIFICATE_SCHEMA`].
    pub schema: Arc<str>,
    /// What is out of reach.
    pub question: Question,
    /// `one` or `per-step`: whether all steps share one environment.
    pub environment: Arc<str>,
    /// Objects that the attacker can make; facts name them by position.
    pub made: Vec<MadeText>,
    /// Everything that he can come to have, sorted.
    pub facts: Vec<FactText>,
    /// Techniques whose calls his policies mention, and that are not authorized for any objects.
    pub not_applicable: Vec<NotApplicable>,
}

/// A technique that somebody held cannot apply to anything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotApplicable {
    /// The technique.
    pub technique: Arc<str>,
    /// The principal.
    pub by: Arc<str>,
}

/// Why a certificate was not given or not accepted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Rejection {
    /// The question cannot be asked of this snapshot.
    #[error(transparent)]
    Question(#[from] QuestionError),
    /// It is of a form that is not known.
    #[error("schema {0:?} is not known: this reads {CERTIFICATE_SCHEMA:?}")]
    Schema(Arc<str>),
    /// A proof is only given of what is asked without these options.
    #[error("a certificate says that there is no path at all: ask without {0}")]
    Narrowed(&'static str),
    /// It names something that is not in the snapshot.
    #[error("the snapshot has nothing that is meant by {0}")]
    Names(String),
    /// A condition says more than what stays true along a path.
    #[error("the condition of {0} need not stay true along a path")]
    Condition(String),
    /// What the attacker starts with is not known.
    #[error("{0}")]
    Unknown(Arc<str>),
    /// The start is missing.
    #[error("what the attacker starts with is not among the facts")]
    Start,
    /// The goal is there.
    #[error("the goal is among the facts")]
    Goal,
    /// Something follows that is not there.
    #[error("not closed: {0} follows from the facts and is not among them")]
    Open(String),
    /// A technique is applicable after all.
    #[error("{by:?} can apply {technique:?}, which is said not to be applicable")]
    Applicable {
        /// The technique.
        technique: Arc<str>,
        /// The principal.
        by: Arc<str>,
    },
    /// No closed set without the goal was found.
    #[error("no certificate: {0}")]
    NotClosed(String),
}

/// A question with everything that proving and checking its answer takes.
pub struct Proof<'w> {
    pub(super) world: &'w World,
    pub(super) search: Search<'w>,
    pub(super) start: Start,
    pub(super) goal: Goal,
    options: Options,
}

impl<'w> Proof<'w> {
    /// Prepares a question. Fails if it cannot be asked of this snapshot.
    pub fn of(
        world: &'w World,
        models: &'w Models,
        from: &str,
        options: &Options,
    ) -> Result<Self, QuestionError> {
        let start = analysis::start(world, from)?;
        let goal = analysis::goal(world, models, &options.goal)?;
        let mut search = analysis::prepare(world, models, options, &goal)?;
        // None is left out but what the question avoids.
        let rules = search.rules.rules.iter();
        search.avoided =
            rules.map(|rule| options.avoid.iter().any(|avoid| rule.uses(avoid))).collect();
        Ok(Self { world, search, start, goal, options: options.clone() })
    }

    fn question(&self, options: &Options) -> Question {
        // As it is when it has been written and read.
        Question { home: None, ..analysis::asked(self.world, &self.start, options) }
    }

    pub(super) fn asked(&self) -> Asked<'_, 'w> {
        Asked {
            search: &self.search,
            start: &self.start,
            goal: &self.goal,
            per_step: self.options.environment == Environment::PerStep,
        }
    }

    /// Everything that the attacker can come to have, and what follows from it in one step: nothing
    /// more, and not the goal.
    pub(super) fn closed(&self) -> Result<(State, Consequences), NotClosed> {
        let asked = self.asked();
        let closed = match asked.close(false) {
            Err(NotClosed::Reached) => asked.close(true),
            other => other,
        };
        closed.map(|(mut state, step)| {
            state.drop_needless();
            (state, step)
        })
    }

    /// Nothing is proved of a start that may come further than is known.
    fn is_known(&self) -> Result<(), Rejection> {
        match &self.start.gap {
            Some(gap) => Err(Rejection::Unknown(gap.0.clone())),
            None => Ok(()),
        }
    }

    /// As the function [`certify`].
    pub fn certify(&self) -> Result<Certificate, Rejection> {
        self.is_known()?;
        let (state, step) =
            self.closed().map_err(|error| match (error, narrowed(&self.options)) {
                (NotClosed::Reached, Some(option)) => Rejection::Narrowed(option),
                (error, _) => Rejection::NotClosed(error.to_string()),
            })?;
        let names = Names { search: &self.search };
        let facts = state.facts.iter().map(|(had, condition)| FactText {
            fact: names.text(&state, had),
            condition: (!condition.is_true()).then(|| condition.clone()),
        });
        let options = Options { via: Vec::new(), ..self.options.clone() };
        Ok(Certificate {
            schema: CERTIFICATE_SCHEMA.into(),
            question: self.question(&options),
            environment: environment(&options).into(),
            made: state.made.iter().map(|object| names.made_text(object)).collect(),
            facts: facts.collect(),
            not_applicable: step
                .not_applicable
                .into_iter()
                .map(|(technique, by)| NotApplicable { technique, by })
                .collect(),
        })
    }

    /// As the function [`verify`], for a certificate of this question.
    pub fn verify(&self, certificate: &Certificate) -> Result<(), Rejection> {
        if *certificate.schema != *CERTIFICATE_SCHEMA {
            return Err(Rejection::Schema(certificate.schema.clone()));
        }
        self.is_known()?;
        let asked = self.asked();
        let options = Options { via: Vec::new(), ..self.options.clone() };
        if certificate.question != self.question(&options)
            || *certificate.environment != *environment(&options)
        {
            return Err(Rejection::Names("its question".to_owned()));
        }
        let names = Names { search: &self.search };
        let mut state = read(&names, &self.start, certificate)?;
        let symbolic = self.start.symbolic.iter();
        let symbolic = symbolic.map(|object| state.made_as(&self.search, object));
        let holds: Option<Vec<ObjectId>> =
            symbolic.chain(self.start.principals.iter().copied().map(Some)).collect();
        let starts = |id: &ObjectId| asked.has(&state, &Had::Holds(*id), &Residual::True);
        if !holds.is_some_and(|holds| !holds.is_empty() && holds.iter().all(starts)) {
            return Err(Rejection::Start);
        }
        if state.facts.keys().any(|had| asked.is_goal(had)) {
            return Err(Rejection::Goal);
        }
        let step = asked
            .consequences(&mut state)
            .map_err(|error| Rejection::NotClosed(error.to_string()))?;
        for (had, condition) in &step.facts {
            if !asked.has(&state, had, condition) {
                return Err(Rejection::Open(said(&names.text(&state, had))));
            }
        }
        for NotApplicable { technique, by } in &certificate.not_applicable {
            if !step.not_applicable.contains(&(technique.clone(), by.clone())) {
                let (technique, by) = (technique.clone(), by.clone());
                return Err(Rejection::Applicable { technique, by });
            }
        }
        Ok(())
    }
}

fn environment(options: &Options) -> &'static str {
    match options.environment {
        Environment::One => "one",
        Environment::PerStep => "per-step",
    }
}

/// Proves that the goal is out of reach.
///
/// Fails if it is not, or if no proof of this form is found: for questions that are narrowed by
/// `--via`, `--no-assumptions` or `--max-steps` only where the goal is out of reach without these.
pub fn certify(
    world: &World,
    models: &Models,
    from: &str,
    options: &Options,
) -> Result<Certificate, Rejection> {
    Proof::of(world, models, from, options)?.certify()
}

fn narrowed(options: &Options) -> Option<&'static str> {
    if !options.via.is_empty() {
        Some("--via")
    } else if options.no_assumptions {
        Some("--no-assumptions")
    } else if options.max_steps.is_some() {
        Some("--max-steps")
    } else {
        None
    }
}

/// Checks a certificate against a snapshot: that the start is in the set, that every technique that
/// could be applied by anybody in it, to anything, under any of its edits, gives nothing that is
/// not in the set, and that the goal is not in it.
///
/// Every application is tried and decided by the evaluator; nothing of how the set was found is
/// used.
pub fn verify(world: &World, models: &Models, certificate: &Certificate) -> Result<(), Rejection> {
    let question = &certificate.question;
    if !question.via.is_empty() {
        return Err(Rejection::Narrowed("--via"));
    }
    let environment = match &*certificate.environment {
        "one" => Environment::One,
        "per-step" => Environment::PerStep,
        other => return Err(Rejection::Names(format!("environment {other:?}"))),
    };
    let options = Options {
        goal: question.to.clone(),
        avoid: question.avoid.clone(),
        assume: question.assume.clone(),
        environment,
        ..Options::default()
    };
    Proof::of(world, models, &question.from, &options)?.verify(certificate)
}

fn read(
    names: &Names<'_, '_>,
    start: &Start,
    certificate: &Certificate,
) -> Result<State, Rejection> {
    let mut state = State::default();
    for text in &certificate.made {
        // Whom the question stands for is for the question to say.
        let mut symbolic = start.symbolic.iter();
        let symbolic = symbolic.find(|object| names.made_text(object) == *text).cloned();
        let object = symbolic.or_else(|| names.made(text));
        state.made.push(object.ok_or_else(|| Rejection::Names(format!("{text:?}")))?);
    }
    for FactText { fact, condition } in &certificate.facts {
        let had = names.had(&state, fact).ok_or_else(|| Rejection::Names(said(fact)))?;
        let condition = condition.clone().map_or(Residual::True, |condition| condition.tidy());
        if !lasts(&condition) {
            return Err(Rejection::Condition(said(fact)));
        }
        let all = match state.facts.remove(&had) {
            Some(other) => other.or(condition),
            None => condition,
        };
        state.facts.insert(had, all);
    }
    Ok(state)
}

/// A fact in a message.
fn said(fact: &HadText) -> String {
    serde_json::to_string(fact).unwrap_or_else(|_| format!("{fact:?}"))
}
