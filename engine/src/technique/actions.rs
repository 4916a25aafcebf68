//! Sets of actions that some technique or the question calls.

use std::sync::{Arc, Mutex};

use foldhash::HashSet;

use super::rules::Rules;
use crate::pattern::Pattern;
use crate::policy::{Effect, Policy, Statement, is_of_mfa};

/// A set of a catalogue's actions, by position in [`Rules::actions`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Actions(Vec<u64>);

impl Actions {
    /// The actions that some Allow statement of the policy is about.
    pub fn allowed_by(policy: &Policy, rules: &Rules) -> Self {
        Self::with_effect(policy, rules, Effect::Allow)
    }

    /// The actions that some Deny statement of the policy is about.
    pub fn denied_by(policy: &Policy, rules: &Rules) -> Self {
        Self::with_effect(policy, rules, Effect::Deny)
    }

    fn with_effect(policy: &Policy, rules: &Rules, effect: Effect) -> Self {
        let mut out = Self::default();
        for statement in policy.statements().iter().filter(|s| s.effect() == effect) {
            rules.selected_by(statement, |at| out.insert(at));
        }
        out
    }

    /// The actions that a Deny statement of the policy forbids on every resource, whatever the
    /// context.
    pub fn forbidden_by(policy: &Policy, rules: &Rules) -> Self {
        let mut out = Self::default();
        for statement in policy.statements().iter().filter(|s| forbids_everywhere(s)) {
            rules.selected_by(statement, |at| out.insert(at));
        }
        out
    }

    /// The actions that a statement is about.
    pub(super) fn of_statement(statement: &Statement, rules: &Rules) -> Self {
        let mut out = Self::default();
        rules.selected_by(statement, |at| out.insert(at));
        out
    }

    /// All of a catalogue's actions.
    pub fn all(rules: &Rules) -> Self {
        let mut out = Self::default();
        (0..rules.actions.len()).for_each(|at| out.insert(at));
        out
    }

    /// Adds an action.
    pub fn insert(&mut self, at: usize) {
        if self.0.len() <= at / 64 {
            self.0.resize(at / 64 + 1, 0);
        }
        if let Some(word) = self.0.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// The actions for which the policy asks whether the caller has signed in with MFA.
    pub fn asked_with_mfa(policy: &Policy, rules: &Rules) -> Self {
        let mut out = Self::default();
        for statement in policy.statements() {
            let asks =
                statement.conditions().iter().any(|condition| is_of_mfa(&condition.key_lowercase));
            if asks {
                for (at, action) in rules.actions.iter().enumerate() {
                    if statement.matches_action(action) {
                        out.insert(at);
                    }
                }
            }
        }
        out
    }

    /// Whether an action is in it.
    pub fn contains(&self, at: usize) -> bool {
        self.0.get(at / 64).is_some_and(|word| word & (1 << (at % 64)) != 0)
    }

    /// Whether all of its actions are in the other set.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.0
            .iter()
            .enumerate()
            .all(|(at, word)| word & !other.0.get(at).copied().unwrap_or_default() == 0)
    }

    /// Whether none of its actions is in the other set.
    pub fn is_disjoint(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(word, other)| word & other == 0)
    }

    /// Adds all of another set.
    pub fn extend(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }

    /// Keeps only what is in the other set too.
    pub fn keep(&mut self, other: &Self) {
        for (at, word) in self.0.iter_mut().enumerate() {
            *word &= other.0.get(at).copied().unwrap_or_default();
        }
    }

    /// Takes out what is in the other set.
    pub fn remove(&mut self, other: &Self) {
        for (word, less) in self.0.iter_mut().zip(&other.0) {
            *word &= !less;
        }
    }
}

/// Whether a statement denies on every resource, whatever the context.
pub(super) fn forbids_everywhere(statement: &Statement) -> bool {
    statement.effect() == Effect::Deny
        && statement.conditions().is_empty()
        && statement.principals().is_none()
        && !statement.resources_negated()
        && statement.resources().iter().any(|t| t.fixed().is_some_and(Pattern::is_any))
}

/// Sets of actions, each kept once: documents are many, and what they are about is much the same.
#[derive(Debug, Default)]
pub(super) struct KnownActions(Mutex<HashSet<Arc<Actions>>>);

impl KnownActions {
    /// The one that is kept of equal sets.
    pub(super) fn shared(&self, actions: Actions) -> Arc<Actions> {
        let Ok(mut known) = self.0.lock() else { return actions.into() };
        match known.get(&actions) {
            Some(known) => known.clone(),
            None => {
                let new = Arc::new(actions);
                known.insert(new.clone());
                new
            }
        }
    }
}
