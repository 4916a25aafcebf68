//! Mandates: what a service that acts with a role does for the attacker, and whose answers he sees.
//!
//! Whoever hands a role to AWS CloudFormation does not get its credentials: the service makes calls
//! with it. Everything that takes only calls can be done through it (attach a policy, write a trust
//! policy), what takes their answers only as far as the service shows them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::actions::Actions;
use super::actor::Actor;
use super::check::Check;
use super::new_names::PLAIN;
use super::rule::{RuleCall, RuleGain};
use super::rules::Rules;
use super::search::Search;
use crate::authorization::{Input, Resource};
use crate::policy::ActionPattern;
use crate::residual::Residual;

/// How the names of actions begin that only read: without the answer they are worth nothing.
const READS: &[&str] = &[
    "assume", "batchget", "decrypt", "describe", "download", "get", "head", "list", "lookup",
    "query", "read", "receive", "scan", "search", "select", "view",
];

/// What a service does with a role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mandate {
    /// The actions, wildcards allowed.
    pub actions: Vec<Arc<str>>,
    /// Of these, the ones that it does not do.
    pub except: Vec<Arc<str>>,
    /// The actions whose answers the attacker sees. `None`: all.
    pub answers: Option<Vec<Arc<str>>>,
    /// The service principal, if the service makes the calls in a forward access session.
    pub via: Option<Arc<str>>,
}

impl Mandate {
    /// The mandate of a technique's gain.
    pub fn new(actions: &[String], except: &[String], answers: Option<&[String]>) -> Self {
        let texts = |list: &[String]| list.iter().map(|text| Arc::from(text.as_str())).collect();
        let answers = answers.map(texts);
        Self { actions: texts(actions), except: texts(except), answers, via: None }
    }

    /// Whether the service makes a call of this action.
    pub fn makes(&self, action: &str) -> bool {
        matches(&self.actions, action) && !matches(&self.except, action)
    }

    /// Whether it makes a call of this action and the attacker sees the answer.
    pub fn answers(&self, action: &str) -> bool {
        self.makes(action) && self.answers.as_ref().is_none_or(|answers| matches(answers, action))
    }

    /// Whether a call of this action is worth something by itself: it is made, and if it only reads,
    /// the attacker sees what.
    pub fn achieves(&self, action: &str) -> bool {
        let name = action.split_once(':').map_or(action, |(_, name)| name).to_ascii_lowercase();
        if READS.iter().any(|read| name.starts_with(read)) {
            self.answers(action)
        } else {
            self.makes(action)
        }
    }

    /// Whether a service that does this for an administrator may be as good as one: it writes the
    /// policies of users and roles of the attacker's choice.
    pub fn makes_administrators(&self) -> bool {
        ["iam:PutUserPolicy", "iam:PutRolePolicy", "iam:CreateRole"]
            .iter()
            .all(|action| self.makes(action))
    }
}

/// Calls that make something of a kind that may do everything.
const MAKING: [(&str, [&str; 2]); 4] = [
    ("iam:role", ["iam:CreateRole", "iam:AttachRolePolicy"]),
    ("iam:role", ["iam:CreateRole", "iam:PutRolePolicy"]),
    ("iam:user", ["iam:CreateUser", "iam:AttachUserPolicy"]),
    ("iam:user", ["iam:CreateUser", "iam:PutUserPolicy"]),
];

impl Actor<'_, '_> {
    /// When control policies and the like leave what makes a user or role that may do everything.
    pub(super) fn may_make_administrators(&self) -> Residual {
        let Some(account) = self.view.object(self.principal).map(|object| object.account) else {
            return Residual::False;
        };
        let id = self.search.ground.world.accounts.get(account.0 as usize).map(|of| of.id.clone());
        Residual::any(MAKING.iter().map(|(kind, calls)| {
            let Some(arn) = self.search.arn_of_new(kind, account, PLAIN) else {
                return Residual::False;
            };
            Residual::all(calls.iter().map(|action| {
                let check = Check {
                    resource: Resource::Literal(arn.clone()),
                    account: id.clone(),
                    determined: Arc::new(
                        [("iam:permissionsboundary".into(), Input::Absent)].into(),
                    ),
                    ..Check::of_nothing()
                };
                self.decide(action, &action.to_lowercase(), &check).authorized()
            }))
        }))
    }
}

/// The actions of the catalogue that patterns name.
fn named(patterns: &[Arc<str>], rules: &Rules) -> Actions {
    let mut out = Actions::default();
    for text in patterns {
        rules.named_by(&ActionPattern::new(text), |at| out.insert(at));
    }
    out
}

fn matches(patterns: &[Arc<str>], action: &str) -> bool {
    let action = action.to_lowercase();
    patterns.iter().any(|pattern| ActionPattern::new(pattern).matches(&action))
}

/// A mandate, looked up for the actions of a catalogue.
#[derive(Clone, Debug)]
pub struct Mandated {
    /// The mandate.
    pub mandate: Mandate,
    made: Actions,
    answered: Actions,
}

impl Mandated {
    /// Looks up each action of the catalogue.
    pub fn new(mandate: &Mandate, rules: &Rules) -> Self {
        let mut made = named(&mandate.actions, rules);
        made.remove(&named(&mandate.except, rules));
        let mut answered = made.clone();
        if let Some(answers) = &mandate.answers {
            answered.keep(&named(answers, rules));
        }
        Self { mandate: mandate.clone(), made, answered }
    }

    /// Whether the service makes a call, with its answer where that is needed.
    pub fn makes(&self, call: &RuleCall) -> bool {
        let set = if call.answer { &self.answered } else { &self.made };
        set.contains(call.action_bit)
    }

    /// The actions of a set that the service does.
    pub fn of(&self, actions: &Actions) -> Actions {
        let mut out = actions.clone();
        out.keep(&self.made);
        out
    }
}

impl Search<'_> {
    /// A mandate as techniques see it; `None` if no technique could come of it.
    pub fn mandated(&self, mandate: &Mandate) -> Option<Mandated> {
        let mandated = Mandated::new(mandate, &self.rules);
        let of_use = self.rules.rules.iter().any(|rule| {
            (0..rule.groups.len()).any(|group| {
                let mut calls = rule.calls_of(group).peekable();
                calls.peek().is_some() && calls.all(|call| mandated.makes(call))
            })
        });
        of_use.then_some(mandated)
    }

    /// Of which rules nothing can come: all that they give are services that act within limits, and
    /// neither a technique nor the question's call takes what they do.
    pub fn leading_nowhere(&self, asked: &BTreeSet<&Arc<str>>) -> Vec<bool> {
        let mut known: BTreeMap<&Mandate, (bool, bool)> = BTreeMap::new();
        let mut out = Vec::with_capacity(self.rules.rules.len());
        for rule in self.rules.rules.iter() {
            let mut nowhere = true;
            for gain in &rule.gains {
                let RuleGain::Delegation { mandate, resources, .. } = gain else {
                    nowhere = false;
                    break;
                };
                let (achieves, of_use) = *known.entry(mandate).or_insert_with(|| {
                    let achieves = asked.iter().any(|action| mandate.achieves(action));
                    (achieves, self.mandated(mandate).is_some())
                });
                nowhere &= !achieves && (!resources.is_empty() || !of_use);
            }
            out.push(nowhere);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(action: &str, expected: (bool, bool, bool)) {
        let text = |text: &str| text.to_owned();
        let mandate = Mandate::new(
            &[text("*")],
            &[text("sts:Assume*")],
            Some(&[text("iam:CreateAccessKey"), text("sts:*")]),
        );
        let found = (mandate.makes(action), mandate.answers(action), mandate.achieves(action));
        assert_eq!(found, expected, "{action}");
    }

    #[test]
    fn a_call_that_changes_something_needs_no_answer() {
        check("iam:PutRolePolicy", (true, false, true));
    }

    #[test]
    fn a_call_that_only_reads_is_worth_nothing_without_its_answer() {
        check("s3:GetObject", (true, false, false));
    }

    #[test]
    fn answers_are_seen_of_the_actions_named() {
        check("iam:createaccesskey", (true, true, true));
    }

    #[test]
    fn what_is_excepted_is_not_done() {
        check("sts:AssumeRole", (false, false, false));
    }

    #[test]
    fn without_a_list_every_answer_is_seen() {
        let mandate = Mandate::new(&["s3:*".to_owned()], &[], None);
        assert!(mandate.achieves("s3:GetObject"));
        assert!(!mandate.achieves("dynamodb:GetItem"));
    }
}
