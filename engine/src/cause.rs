//! What a finding comes from, without the names that may change while it stays the same.
//!
//! A cause is made of the goal, the account of the start, the verdict and the keys that it assumes,
//! and of each step the technique, what it gains, and for each call the grants that allow it: the
//! action pattern, resource pattern, principal and conditions of the deciding statements. Left out
//! are the start's name, the names of users on the way (`$start` and `$user1`, `$user2`, ... stand
//! for them, also where a policy spells out their ARN), names that the attacker chooses, and the
//! names of policies, their Sids and the positions of statements. So renaming a user, moving a
//! statement to another policy, splitting or reordering it leave the cause as it is; a statement
//! that selects the call in other words, another technique or another target is another cause.
//!
//! Several principals may have one cause, such as the members of a group.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::answer::{Answer, Assumption, Gain};
use crate::authorization::{Grant, GrantElement};
use crate::snapshot::World;

/// What a step rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ground {
    /// Of each call: who makes it, its action, and the grants with the kind of their policy.
    pub calls: Vec<CallGround>,
}

/// What a call rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallGround {
    /// The grants that allow it, each with the kind of its policy.
    pub grants: Vec<(&'static str, Grant)>,
}

/// The id of a cause: 16 hexadecimal digits.
///
/// - `grounds`: of each step of the answer's path.
/// - `reasons`: why the answer is not known, if it is not.
///
/// The digest is cryptographic, since somebody who wants a path accepted that nobody reviewed
/// could look for another cause with the same id.
pub fn cause_id(
    world: &World,
    answer: &Answer,
    grounds: &[Ground],
    reasons: &[Arc<str>],
) -> Arc<str> {
    let mut names = Names { world, from: &answer.question.from, users: BTreeMap::new() };
    let path = answer.path.as_ref();
    let steps: Vec<Value> = path
        .map(|path| &*path.steps)
        .unwrap_or_default()
        .iter()
        .enumerate()
        .map(|(at, step)| {
            let ground = grounds.get(at);
            let calls: Vec<Value> = step
                .calls
                .iter()
                .enumerate()
                .map(|(at, call)| {
                    let ground = ground.and_then(|ground| ground.calls.get(at));
                    let mut grants: Vec<String> = ground
                        .map(|ground| &*ground.grants)
                        .unwrap_or_default()
                        .iter()
                        .map(|(kind, grant)| names.grant(kind, grant).to_string())
                        .collect();
                    grants.sort();
                    grants.dedup();
                    json!([&*names.of(&call.actor), call.action.to_lowercase(), grants])
                })
                .collect();
            let gains: Vec<Value> = step.gains.iter().map(|gain| names.gain(gain)).collect();
            json!([&*step.technique, calls, gains])
        })
        .collect();
    let mut assumed: Vec<String> = path
        .map(|path| &*path.assumptions)
        .unwrap_or_default()
        .iter()
        .map(|assumption| match assumption {
            Assumption::Context { key, .. } => format!("context {}", key.to_lowercase()),
            Assumption::Knowledge { key, .. } => format!("knowledge {}", key.to_lowercase()),
            Assumption::Event { text } => format!("event {text}"),
        })
        .collect();
    assumed.sort();
    assumed.dedup();
    let account = answer.question.from.split(':').nth(4).unwrap_or_default();
    digest(&json!([
        "path",
        account,
        &*answer.question.to,
        answer.verdict.as_str(),
        assumed,
        steps,
        reasons.iter().map(|reason| &**reason).collect::<Vec<_>>(),
    ]))
}

/// The id of being at a goal from the start: there is no step that it comes from, so it is who is
/// there, by unique id where the snapshot has one.
pub fn administrator_id(from: &str, unique_id: Option<&str>, to: &str) -> Arc<str> {
    let account = from.split(':').nth(4).unwrap_or_default();
    digest(&json!(["start", account, to, unique_id.unwrap_or(from)]))
}

fn digest(value: &Value) -> Arc<str> {
    let digest = Sha256::digest(value.to_string());
    let mut out = String::with_capacity(16);
    for byte in digest.iter().take(8) {
        // Writing to a string does not fail.
        let _ = write!(out, "{byte:02x}");
    }
    out.into()
}

/// Names as a cause has them.
struct Names<'a> {
    world: &'a World,
    from: &'a str,
    users: BTreeMap<String, usize>,
}

impl Names<'_> {
    fn of(&mut self, text: &str) -> String {
        if text == self.from {
            return "$start".to_owned();
        }
        let object = self.world.find(text).and_then(|id| self.world.object(id));
        match object {
            Some(object) if &*object.kind == "iam:user" => {
                let next = self.users.len() + 1;
                let number = *self.users.entry(text.to_owned()).or_insert(next);
                format!("$user{number}")
            }
            _ => text.to_owned(),
        }
    }

    /// A name that a step shows; what the attacker has made has one that was chosen.
    fn existing(&mut self, text: &str) -> String {
        if text.starts_with("arn:") && self.world.find(text).is_none() {
            return "$new".to_owned();
        }
        self.of(text)
    }

    fn gain(&mut self, gain: &Gain) -> Value {
        match gain {
            Gain::Credentials { of } => json!(["credentials", self.existing(of)]),
            Gain::Policy { of, .. } => json!(["policy", self.existing(of)]),
            Gain::Delegation { of, .. } => json!(["delegation", self.existing(of)]),
            Gain::Resource { of, .. } => json!(["resource", &**of]),
            Gain::Goal { .. } => json!(["goal"]),
        }
    }

    fn element(&mut self, element: &GrantElement) -> Value {
        match element {
            GrantElement::One(pattern) => json!(self.of(pattern)),
            GrantElement::NoneOf(patterns) => {
                json!({ "none of": patterns.iter().map(|p| self.of(p)).collect::<Vec<_>>() })
            }
        }
    }

    fn grant(&mut self, kind: &str, grant: &Grant) -> Value {
        let conditions: Vec<Value> = grant
            .conditions
            .iter()
            .map(|(operator, key, values)| {
                let values: Vec<String> = values.iter().map(|value| self.of(value)).collect();
                json!([operator, key, values])
            })
            .collect();
        json!([
            kind,
            self.element(&grant.action),
            grant.principal.as_ref().map(|element| self.element(element)),
            grant.resource.as_ref().map(|element| self.element(element)),
            conditions,
        ])
    }
}
