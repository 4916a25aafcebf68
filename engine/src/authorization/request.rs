//! A request as the evaluator sees it: caller, action, resource and condition keys, each known or
//! symbolic, and the policies that apply to it.

use std::sync::Arc;

use super::endpoint_policy::Endpoint;
use crate::policy::Policy;
use crate::residual::{Gap, Residual, Variable};
use crate::snapshot::{DocumentId, ObjectId};

/// Who makes a request.
///
/// Implements the forms of <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Caller {
    /// An IAM user, by ARN.
    User(Arc<str>),
    /// Some session of an IAM role, by the role's ARN; the session's name is not known.
    Role(Arc<str>),
    /// A role session, by its `sts` ARN (`assumed-role/NAME/SESSION`) and, if known, the role's ARN.
    RoleSession {
        /// The session's ARN.
        session: Arc<str>,
        /// The role's ARN with its path; unknown in self-contained cases.
        role: Option<Arc<str>>,
    },
    /// A `GetFederationToken` session, by its `sts` ARN.
    FederatedUser(Arc<str>),
    /// An account's root user, by ARN.
    Root(Arc<str>),
    /// An AWS service that calls as itself, by service principal.
    Service(Arc<str>),
    /// The caller of AssumeRoleWithSAML or AssumeRoleWithWebIdentity, by provider ARN or name.
    Federated(Arc<str>),
    /// An unsigned request.
    Anonymous,
}

impl Caller {
    /// The account the caller belongs to; none for services, federated and unsigned callers.
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::User(arn)
            | Self::Role(arn)
            | Self::RoleSession { session: arn, .. }
            | Self::FederatedUser(arn)
            | Self::Root(arn) => account_of(arn),
            Self::Service(_) | Self::Federated(_) | Self::Anonymous => None,
        }
    }

    /// The partition of the account that it belongs to.
    pub fn partition(&self) -> Option<&str> {
        match self {
            Self::User(arn)
            | Self::Role(arn)
            | Self::RoleSession { session: arn, .. }
            | Self::FederatedUser(arn)
            | Self::Root(arn) => Some(arn.strip_prefix("arn:")?.split_once(':')?.0),
            Self::Service(_) | Self::Federated(_) | Self::Anonymous => None,
        }
    }
}

/// The fifth part of an ARN. Asked for with every decision, so without looking for parts one by one.
fn account_of(arn: &str) -> Option<&str> {
    let mut colons = arn.bytes().enumerate().filter(|(_, byte)| *byte == b':').skip(3);
    let from = colons.next()?.0 + 1;
    let to = colons.next().map_or(arn.len(), |(at, _)| at);
    arn.get(from..to)
}

/// The resource a request names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// A whole ARN, or `*` for an action that takes no resource.
    Literal(Arc<str>),
    /// An ARN with one part that is not known yet: `prefix`, then the variable's value, then `suffix`.
    Template {
        /// Text before the unknown part.
        prefix: Arc<str>,
        /// The unknown part; always present and single-valued.
        variable: Variable,
        /// Text after it.
        suffix: Arc<str>,
    },
}

impl Resource {
    /// Its text as far as it is known.
    pub fn start(&self) -> &str {
        match self {
            Self::Literal(text) | Self::Template { prefix: text, .. } => text,
        }
    }
}

/// The value of one condition key in a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Input {
    /// The key is not in the request.
    Absent,
    /// A single-valued key.
    One(Arc<str>),
    /// A multivalued key, possibly with no value.
    Many(Vec<Arc<str>>),
    /// Not known: the variable stands for it. Unless `certain`, it may be absent.
    Free {
        /// What stands for the value.
        variable: Variable,
        /// Whether the key is surely in the request.
        certain: bool,
    },
    /// One of the parts of a resource name: `prefix`, the variable, `suffix`. Surely present.
    Template {
        /// Text before the variable.
        prefix: Arc<str>,
        /// The unknown part.
        variable: Variable,
        /// Text after it.
        suffix: Arc<str>,
    },
    /// A value that is known, in the request if whoever decides about the variable has it there.
    IfPresent {
        /// What stands for whether the key is there.
        variable: Variable,
        /// The value: [`Input::One`] or [`Input::Many`].
        value: Box<Input>,
    },
    /// Missing from the snapshot, or a key that the engine does not know.
    Unknown(Gap),
}

/// Where the evaluator looks condition keys up.
pub trait Context {
    /// The value of the key, whose name is given in lower case (`aws:principaltag/team`).
    fn get(&self, key: &str) -> Input;

    /// Whether the caller is of an account that no policy names, not even by an id that does not say
    /// which account it is.
    fn is_of_no_named_account(&self) -> bool {
        false
    }

    /// Whether the request is decided by itself and stands for nothing but its policies: what a
    /// service keeps to the account that owns the resource is then left aside.
    fn is_about_policies_alone(&self) -> bool {
        false
    }
}

/// One policy in force, with what an explanation calls it.
#[derive(Clone, Copy, Debug)]
pub struct InForce<'a> {
    /// The compiled document; `Err` if the snapshot does not hold it.
    pub policy: Result<&'a Policy, &'a Gap>,
    /// Name for people: `AdministratorAccess`, `deploy`.
    pub name: &'a str,
    /// What it is of.
    pub origin: Origin,
}

/// Where a policy in force comes from, for who wants to look at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Not from a snapshot: part of a self-contained case, or written by the attacker.
    #[default]
    Elsewhere,
    /// Of this user, role or group.
    Held {
        /// Whose it is.
        holder: ObjectId,
        /// The managed policy and the position of its version; none for an inline policy, or one
        /// that the snapshot does not hold.
        managed: Option<(ObjectId, usize)>,
    },
    /// The policy of this resource: a trust policy, a bucket policy, an endpoint policy.
    Own(ObjectId),
    /// A control policy of the organization.
    Organization(DocumentId),
}

/// The policy of the resource itself.
#[derive(Clone, Copy, Debug)]
pub enum ResourcePolicy<'a> {
    /// The resource has none, or its kind takes none.
    Absent,
    /// The policy. For `sts:AssumeRole*` the role's trust policy, for `kms:*` the key policy.
    Present(InForce<'a>),
    /// Not in the snapshot.
    Unknown(&'a Gap),
}

/// Every policy that applies to a request.
#[derive(Clone, Debug)]
pub struct Applicable<'a> {
    /// Identity policies of the caller, those of its groups included.
    pub identity: Vec<InForce<'a>>,
    /// The caller's permissions boundary.
    pub boundary: Option<InForce<'a>>,
    /// The session policy, where one was passed.
    pub session: Option<InForce<'a>>,
    /// Service control policies of the caller's account, by level from the organization's root
    /// down. Empty: no organization, or the caller is in the management account.
    pub service_control: Vec<Vec<InForce<'a>>>,
    /// Resource control policies of the resource's account, likewise.
    pub resource_control: Vec<Vec<InForce<'a>>>,
    /// The resource's own policy.
    pub resource: ResourcePolicy<'a>,
    /// VPC endpoints with their policies. Each binds the requests that come through it.
    pub endpoints: &'a [Endpoint],
}

impl<'a> Applicable<'a> {
    /// The policies of the caller and of its account: identity policies, boundary, session policy,
    /// service control policies.
    pub fn of_caller(&self) -> impl Iterator<Item = &InForce<'a>> {
        self.identity
            .iter()
            .chain(&self.boundary)
            .chain(&self.session)
            .chain(self.service_control.iter().flatten())
    }
}

/// A request to decide.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Who calls.
    pub caller: &'a Caller,
    /// The action, `service:Name`; case does not matter.
    pub action: &'a str,
    /// What it is checked on.
    pub resource: &'a Resource,
    /// The account that owns the resource; `None` if nobody's in particular (`*`).
    pub resource_account: Option<&'a str>,
    /// The condition keys.
    pub context: &'a dyn Context,
}

/// What the policies say about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// When every allow that is needed is there.
    pub allowed: Residual,
    /// When some statement denies.
    pub denied: Residual,
}

impl Decision {
    /// When the request succeeds.
    pub fn authorized(&self) -> Residual {
        self.allowed.clone().and(self.denied.clone().negate())
    }
}
