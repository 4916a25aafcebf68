//! Policies that the attacker writes so that they let in a caller. There are few for each caller, and
//! many that make calls under them: each is written once.

use std::sync::Arc;

use super::object_sets::remembered;
use super::search::Search;
use crate::authorization::{Caller, Granted};
use crate::policy::Policy;

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Written {
    /// A role's trust policy.
    Trust,
    /// The policy of another resource.
    Resource {
        /// The actions that it grants; all if none are given.
        granted: Option<Granted>,
        /// Whether the caller stands for many.
        symbolic: bool,
    },
}

impl Search<'_> {
    /// A policy that lets in a caller. `None` if no policy can name it.
    pub(super) fn written_policy(&self, caller: &Caller, what: Written) -> Option<Arc<Policy>> {
        let (Caller::User(arn) | Caller::Role(arn)) = caller else { return None };
        remembered(&self.written_policies, &(arn.clone(), what), || {
            let policy = match what {
                Written::Trust => trust_in(arn),
                Written::Resource { granted: None, symbolic } => {
                    lets_in(arn, &["*".into()], symbolic)
                }
                Written::Resource { granted: Some(granted), symbolic } => {
                    lets_in(arn, self.rules.grants.get(granted.0 as usize)?, symbolic)
                }
            };
            policy.map(Arc::new)
        })
    }
}

/// A resource policy that lets in the caller itself, whatever limits its session or role has: no
/// more than the caller, since it has to be that principal.
///
/// - `symbolic`: whether the caller stands for many.
fn lets_in(arn: &str, actions: &[Arc<str>], symbolic: bool) -> Option<Policy> {
    let actions: Vec<&str> = actions.iter().map(|action| &**action).collect();
    if symbolic {
        // Its ARN is open, but who names it means it.
        let document = serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": {"AWS": arn},
                "Action": actions,
                "Resource": "*",
            }],
        });
        return Policy::parse(&document.to_string()).ok();
    }
    let document = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": actions,
            "Resource": "*",
            "Condition": {"ArnEquals": {"aws:PrincipalArn": arn}},
        }],
    });
    Policy::parse(&document.to_string()).ok()
}

/// A trust policy that names the caller itself. A role's session is named by its role: that is
/// enough within one account, where trust that names the caller needs nothing else.
fn trust_in(arn: &str) -> Option<Policy> {
    let document = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"AWS": arn},
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        }],
    });
    Policy::parse(&document.to_string()).ok()
}
