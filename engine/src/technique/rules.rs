//! All rules of a catalogue, with the actions that they call and which of these statements select.

use std::ops::Range;
use std::sync::Arc;

use foldhash::HashMap;

use super::actions::Actions;
use super::called_on::CalledOn;
use super::rule::Rule;
use crate::policy::{ActionPattern, Statement};

/// All rules of a catalogue and the actions they call.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The rules, by technique, simplest alternative first.
    pub rules: Arc<[Rule]>,
    /// Every action called, in lower case, sorted; behind them those of the question.
    pub actions: Vec<Arc<str>>,
    /// How many of these are the rules' own.
    pub(super) called: usize,
    /// Positions of these by the names of the actions, whichever service they are of.
    pub(super) by_name: Vec<usize>,
    /// By service, the positions of its actions among those.
    pub(super) of_services: HashMap<Box<str>, Range<usize>>,
    /// Positions of those that the question asks about.
    pub(super) questioned: Vec<usize>,
    pub(super) called_on: CalledOn,
    /// The lists of actions that resources are made to grant, by [`crate::authorization::Granted`].
    pub grants: Arc<[Vec<Arc<str>>]>,
}

impl Rules {
    /// Calls `found` with the position of each action that a statement is about, on something that
    /// the action is called on.
    pub fn selected_by(&self, statement: &Statement, mut found: impl FnMut(usize)) {
        let selected = statement.actions();
        let called_on = self.called_on.of(statement);
        let mut found = |at| {
            if called_on.as_ref().is_none_or(|actions| actions.contains(at)) {
                found(at);
            }
        };
        if selected.negated {
            let mut left_out = Actions::default();
            for pattern in &selected.patterns {
                self.named_by(pattern, |at| left_out.insert(at));
            }
            (0..self.actions.len()).filter(|at| !left_out.contains(*at)).for_each(found);
        } else {
            selected.patterns.iter().for_each(|pattern| self.named_by(pattern, &mut found));
        }
    }

    /// Calls `found` with the position of each action that a pattern names.
    ///
    /// Most patterns begin with the name of a service, some are of any service and begin with a verb:
    /// only such actions are compared.
    pub fn named_by(&self, pattern: &ActionPattern, mut found: impl FnMut(usize)) {
        let text = pattern.text();
        let is_named = |at: &usize| self.actions.get(*at).is_some_and(|one| pattern.matches(one));
        if let Some(of_any) = text.strip_prefix("*:") {
            let name = |at: &usize| self.actions.get(*at).map_or("", |action| name_of(action));
            let prefix = before_wildcard(of_any);
            let first = self.by_name.partition_point(|at| name(at) < prefix);
            let alike = self.by_name.iter().skip(first);
            let alike = alike.take_while(|at| name(at).starts_with(prefix)).copied();
            alike.filter(is_named).for_each(&mut found);
        } else {
            let prefix = before_wildcard(text);
            let of_service = match prefix.split_once(':') {
                Some((service, _)) => self.of_services.get(service).cloned().unwrap_or_default(),
                None => 0..self.called,
            };
            let ordered = self.actions.get(of_service.clone()).unwrap_or_default();
            let first = ordered.partition_point(|action| &**action < prefix);
            let alike = ordered.iter().skip(first).take_while(|action| action.starts_with(prefix));
            let alike = (of_service.start + first..).zip(alike).map(|(at, _)| at);
            alike.filter(is_named).for_each(&mut found);
        }
        // The question's actions are out of order.
        (self.called..self.actions.len()).filter(is_named).for_each(found);
    }
}

/// An action without its service.
pub(super) fn name_of(action: &str) -> &str {
    action.split_once(':').map_or(action, |(_, name)| name)
}

/// What every match of a pattern begins with.
fn before_wildcard(pattern: &str) -> &str {
    pattern.split(['*', '?']).next().unwrap_or_default()
}

/// Why a technique could not be made into rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("technique {technique:?}: {problem}")]
pub struct RuleError {
    /// The technique's id.
    pub technique: String,
    /// What is wrong.
    pub problem: String,
}
