//! Whom trust policies, and other policies of resources, let in by themselves.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use foldhash::HashMap;
use roaring::RoaringBitmap;

use super::letting_in::LetIn;
use crate::authorization::Caller;
use crate::policy::{Effect, Policy, Principal};
use crate::snapshot::{AccountIndex, ObjectId};

/// Roles or other objects by whom their own policies let in by themselves.
#[derive(Debug, Default)]
pub(super) struct Trusting {
    pub(super) everyone: RoaringBitmap,
    pub(super) by_arn: HashMap<Arc<str>, RoaringBitmap>,
    /// Roles whose trust policy names an account, which leaves it to that account's policies.
    pub(super) by_account: HashMap<Arc<str>, RoaringBitmap>,
    /// Those whose policy is not known, or names somebody of whom it does not tell who that is.
    pub(super) unknown: RoaringBitmap,
}

impl Trusting {
    /// Those that let in a caller: they name it, its account or everyone, or may do so.
    ///
    /// - `arn`: as which policies name it.
    pub(super) fn letting_in(&self, account: Option<&str>, arn: Option<&str>) -> RoaringBitmap {
        let mut out = self.by_themselves(arn);
        if let Some(account) = account.and_then(|account| self.by_account.get(account)) {
            out |= account;
        }
        out
    }

    /// Those that let in a caller whatever its account says: they name it or everyone, or may do
    /// so. Naming the account only delegates.
    pub(super) fn by_themselves(&self, arn: Option<&str>) -> RoaringBitmap {
        let mut out = &self.everyone | &self.unknown;
        if let Some(named) = arn.and_then(|arn| self.by_arn.get(arn)) {
            out |= named;
        }
        out
    }

    /// Notes whom an object's own policy lets in.
    pub(super) fn insert(&mut self, id: ObjectId, trusted: &Trusted) {
        if trusted.everyone {
            self.everyone.insert(id.0);
        }
        if trusted.unknown {
            self.unknown.insert(id.0);
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
    /// Whether it lets in somebody of whom it does not tell who that is.
    pub(super) unknown: bool,
    pub(super) arns: BTreeSet<Arc<str>>,
    pub(super) accounts: BTreeSet<Arc<str>>,
}

impl Trusted {
    /// The accounts of the snapshot whose principals are let in. `None` if nobody is.
    pub(super) fn let_in(&self, accounts: &HashMap<&str, AccountIndex>) -> Option<LetIn> {
        if self.everyone || self.unknown {
            return Some(LetIn::Anybody);
        }
        let of_arns = self.arns.iter().filter_map(|arn| arn.split(':').nth(4));
        let named = of_arns.chain(self.accounts.iter().map(|account| &**account));
        let named: BTreeSet<AccountIndex> =
            named.filter_map(|id| accounts.get(id).copied()).collect();
        (!named.is_empty()).then_some(LetIn::Accounts(named))
    }

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
                        out.arns.insert(as_indexed(arn).into());
                    }
                    Principal::Account(account) => {
                        out.accounts.insert(account.as_ref().into());
                    }
                    Principal::CanonicalUser(_) => out.unknown = true,
                    Principal::Service(_) | Principal::Federated(_) | Principal::Nobody(_) => {}
                }
            }
        }
        out
    }
}

/// As which ARN policies name a caller itself.
pub(super) fn named_as(caller: &Caller) -> Option<Cow<'_, str>> {
    match caller {
        Caller::User(arn)
        | Caller::Role(arn)
        | Caller::RoleSession { session: arn, .. }
        | Caller::FederatedUser(arn) => Some(as_indexed(arn)),
        _ => None,
    }
}

/// Under which ARN a principal is looked up: a role session's as far as it names the role, a role's
/// without its path, which the ARN of a session does not have; others as they are.
pub(super) fn as_indexed(arn: &str) -> Cow<'_, str> {
    if let Some((start, rest)) = arn.split_once(":assumed-role/") {
        let role = rest.split('/').next().unwrap_or_default();
        return format!("{}:role/{role}", start.replacen(":sts:", ":iam:", 1)).into();
    }
    match arn.split_once(":role/") {
        Some((start, path)) => match path.rsplit_once('/') {
            Some((_, name)) => format!("{start}:role/{name}").into(),
            None => arn.into(),
        },
        None => arn.into(),
    }
}
