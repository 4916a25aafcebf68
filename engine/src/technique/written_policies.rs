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
        let name = match caller {
            Caller::User(arn) | Caller::Role(arn) => arn,
            Caller::Service(service) if what == Written::Trust => service,
            _ => return None,
        };
        remembered(&self.written_policies, &(name.clone(), what), || {
            let policy = match what {
                Written::Trust => trust_in(caller),
                Written::Resource { granted: None, symbolic } => {
                    lets_in(name, &["*".into()], symbolic)
                }
                Written::Resource { granted: Some(granted), symbolic } => {
                    lets_in(name, self.rules.grants.get(granted.0 as usize)?, symbolic)
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

/// A trust policy that lets in the caller itself, a service or a principal of AWS: within one account
/// it needs nothing else. A role's session is told by the role's ARN in a condition, since naming the
/// role would leave it within the role's permissions boundary.
///
/// Implements "IAM role principals" of
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>.
fn trust_in(caller: &Caller) -> Option<Policy> {
    let named = |kind: &str, name: &str| serde_json::json!({ kind: name });
    let (principal, condition) = match caller {
        Caller::Service(service) => (named("Service", service), None),
        Caller::Role(arn) => {
            let is_it = serde_json::json!({"ArnEquals": {"aws:PrincipalArn": arn}});
            (named("AWS", "*"), Some(is_it))
        }
        Caller::User(arn) => (named("AWS", arn), None),
        _ => return None,
    };
    let mut statement = serde_json::json!({
        "Effect": "Allow",
        "Principal": principal,
        "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
    });
    if let Some(condition) = condition {
        statement.as_object_mut()?.insert("Condition".to_owned(), condition);
    }
    let document = serde_json::json!({"Version": "2012-10-17", "Statement": [statement]});
    Policy::parse(&document.to_string()).ok()
}
