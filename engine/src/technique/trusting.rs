//! Whom trust policies, and other policies of resources, let in by themselves.

use std::collections::BTreeSet;
use std::sync::Arc;

use foldhash::HashMap;
use roaring::RoaringBitmap;

use crate::policy::{Effect, Policy, Principal};
use crate::snapshot::ObjectId;

/// Roles or other objects by whom their own policies let in by themselves.
#[derive(Debug, Default)]
pub(super) struct Trusting {
    pub(super) everyone: RoaringBitmap,
    pub(super) by_arn: HashMap<Arc<str>, RoaringBitmap>,
    /// Roles whose trust policy names an account, which leaves it to that account's policies.
    pub(super) by_account: HashMap<Arc<str>, RoaringBitmap>,
    /// Roles whose trust policy is not known.
    pub(super) unknown: RoaringBitmap,
}

impl Trusting {
    /// Notes whom an object's own policy lets in.
    pub(super) fn insert(&mut self, id: ObjectId, trusted: &Trusted) {
        if trusted.everyone {
            self.everyone.insert(id.0);
        }
        for arn in &trusted.arns {
            self.by_arn.entry(arn.clone()).or_default().insert(id.0);
        }
        for account in &trusted.accounts {
            self.by_account.entry(account.clone()).or_default().insert(id.0);
        }
    }
}

/// Whom a trust policy lets in by itself.
#[derive(Debug, Default)]
pub(super) struct Trusted {
    pub(super) everyone: bool,
    pub(super) arns: BTreeSet<Arc<str>>,
    pub(super) accounts: BTreeSet<Arc<str>>,
}

impl Trusted {
    pub(super) fn by(policy: &Policy) -> Self {
        let mut out = Self::default();
        for statement in policy.statements() {
            let Some(principals) = statement.principals() else { continue };
            if statement.effect() != Effect::Allow {
                continue;
            }
            out.everyone |= principals.negated;
            for principal in &principals.named {
                match principal {
                    Principal::Everyone => out.everyone = true,
                    Principal::User(arn)
                    | Principal::Role(arn)
                    | Principal::RoleSession(arn)
                    | Principal::FederatedUser(arn) => {
                        out.arns.insert(role_of_session(arn).into());
                    }
                    Principal::Account(account) => {
                        out.accounts.insert(account.as_ref().into());
                    }
                    Principal::Service(_)
                    | Principal::Federated(_)
                    | Principal::CanonicalUser(_)
                    | Principal::Nobody(_) => {}
                }
            }
        }
        out
    }
}

/// A role session's ARN as far as it names the role; other ARNs as they are.
pub(super) fn role_of_session(arn: &str) -> String {
    match arn.split_once(":assumed-role/") {
        Some((start, rest)) => {
            let role = rest.split('/').next().unwrap_or_default();
            format!("{}:role/{role}", start.replacen(":sts:", ":iam:", 1))
        }
        None => arn.to_owned(),
    }
}
