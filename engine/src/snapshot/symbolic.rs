//! Callers that a question stands for and that no snapshot lists: whoever calls unsigned, whoever has
//! a token of an identity provider, any principal that an account could have.

use std::sync::Arc;

use super::world::{AccountIndex, Detail, Object, OwnPolicy};

/// Where an ARN of a symbolic principal has its name while that is open.
const OPEN: &str = "{name}";

/// The account index of what is in no account of the snapshot.
pub const OUTSIDE: AccountIndex = AccountIndex(u32::MAX);

/// A caller that stands for many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Symbolic {
    /// Whoever sends an unsigned request.
    Unsigned,
    /// Whoever has a token or an assertion of an identity provider.
    Token {
        /// The provider, by ARN or name, as trust policies write it.
        provider: Arc<str>,
        /// The one subject that is meant. `None`: any.
        subject: Option<Arc<str>>,
    },
    /// Any principal of this kind that an account could have, with all permissions there.
    Principal {
        /// The kind.
        kind: PrincipalKind,
        /// The account, by id.
        account: Arc<str>,
        /// Whether the account is the attacker's own, so that nobody else's organization, account or
        /// unique ids can be his.
        own: bool,
    },
}

/// Kinds of principal, as far as requests tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PrincipalKind {
    /// A user whose path is `/`: its name is the end of its ARN.
    User,
    /// A user with a path.
    UserWithPath,
    /// Some session of a role, path and name open.
    Role,
    /// A role's session of this name, or a `GetFederationToken` session.
    Session,
    /// The account's root user.
    Root,
}

impl Symbolic {
    /// The caller as an object. What is open in its ARN is written `{name}`.
    ///
    /// - `arn`: its ARN, or what stands for it.
    /// - `account`: the snapshot's account that it is in, [`OUTSIDE`] if none.
    pub fn object(self, arn: impl Into<Arc<str>>, account: AccountIndex) -> Object {
        let arn = arn.into();
        Object {
            kind: self.kind().into(),
            name: arn.rsplit(['/', ':']).next().unwrap_or_default().into(),
            arn,
            account,
            region: None,
            attributes: Default::default(),
            tags: Vec::new(),
            policy: OwnPolicy::Absent,
            detail: Detail::Symbolic(self),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Unsigned => "symbolic:unsigned",
            Self::Token { .. } => "symbolic:token",
            Self::Principal { kind, .. } => match kind {
                PrincipalKind::User => "symbolic:user",
                PrincipalKind::UserWithPath => "symbolic:user-with-path",
                PrincipalKind::Role => "symbolic:role",
                PrincipalKind::Session => "symbolic:session",
                PrincipalKind::Root => "symbolic:root",
            },
        }
    }

    /// The ARN of a principal whose name is open.
    pub fn open_arn(partition: &str, account: &str, kind: &str) -> String {
        format!("arn:{partition}:iam::{account}:{kind}/{OPEN}")
    }
}

impl Object {
    /// The caller that it stands for, if it is symbolic.
    pub fn symbolic(&self) -> Option<&Symbolic> {
        match &self.detail {
            Detail::Symbolic(symbolic) => Some(symbolic),
            _ => None,
        }
    }

    /// Whether it stands for callers from outside the snapshot's accounts.
    pub fn is_outside(&self) -> bool {
        self.symbolic().is_some() && self.account == OUTSIDE
    }

    /// What stands before the open name in its ARN, if it is symbolic and its name is open.
    pub fn before_open_name(&self) -> Option<&str> {
        self.symbolic().and_then(|_| self.arn.strip_suffix(OPEN))
    }
}
