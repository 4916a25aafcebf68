//! The world as the evaluator sees it: a snapshot with the attacker's edits laid over it, and
//! which policies apply to a caller and a resource in it.

use std::collections::BTreeSet;

use super::edits::Edits;
use super::ground::Ground;
use super::symbolic::symbolic_caller;
use super::{Applicable, Caller, InForce, Origin, ResourcePolicy};
use crate::policy::Policy;
use crate::residual::Gap;
use crate::snapshot::{
    Attached, Detail, DocumentId, Object, ObjectId, OwnPolicy, PolicySource, Symbolic,
};

/// The name under which the policies are shown that a symbolic principal's own account gives it.
pub const OWN_ACCOUNT_POLICY: &str = "policy of the caller's own account";

/// The name under which a policy that the attacker writes is shown.
pub const WRITTEN_POLICY: &str = "policy written by the attacker";

/// The world with edits and with objects that the attacker has made.
#[derive(Clone, Copy)]
pub struct View<'v, 'w> {
    /// The snapshot's side.
    pub ground: &'v Ground<'w>,
    /// Objects that exist only since the attacker made them; ids go on behind the world's.
    pub made: &'v [Object],
    /// The edits.
    pub edits: &'v Edits,
}

impl<'v> View<'v, '_> {
    /// The object of an id, from the snapshot or made by the attacker.
    pub fn object(&self, id: ObjectId) -> Option<&'v Object> {
        self.ground.object(self.made, id)
    }

    /// The document of a managed policy, if the snapshot holds it.
    pub(super) fn source_policy(&self, source: &PolicySource) -> Option<&'v Policy> {
        match source {
            PolicySource::Managed(id) => self.managed(*id, *id)?.policy.ok(),
            _ => None,
        }
    }

    /// The account id of an object.
    pub fn account_of<'o>(&self, object: &'o Object) -> Option<&'o str>
    where
        'v: 'o,
    {
        if let Some(Symbolic::Principal { account, .. }) = object.symbolic() {
            return Some(account);
        }
        self.ground.world.accounts.get(object.account.0 as usize).map(|account| &*account.id)
    }

    /// Who calls when this principal does. An internal user of an OpenSearch domain and a user of IAM
    /// Identity Center have no IAM identity: to IAM their requests are unsigned.
    pub fn caller(&self, principal: &Object) -> Option<Caller> {
        match &*principal.kind {
            "iam:user" => Some(Caller::User(principal.arn.clone())),
            "iam:role" => Some(Caller::Role(principal.arn.clone())),
            "opensearch:internal-user" | "identitystore:user" => Some(Caller::Anonymous),
            _ => principal.symbolic().map(|symbolic| symbolic_caller(symbolic, &principal.arn)),
        }
    }

    pub(super) fn document(&self, id: DocumentId) -> Result<&'v Policy, &'v Gap> {
        match self.ground.world.documents.get(id.0 as usize) {
            Some(document) => document.policy.as_ref(),
            None => Err(&self.ground.unreadable),
        }
    }

    pub(super) fn in_force(&self, id: DocumentId, name: &'v str, origin: Origin) -> InForce<'v> {
        InForce { policy: self.document(id), name, origin }
    }

    /// A policy that allows everything.
    pub fn written(&self) -> InForce<'v> {
        InForce {
            policy: Ok(&self.ground.allow_all),
            name: WRITTEN_POLICY,
            origin: Origin::Elsewhere,
        }
    }

    /// A managed policy of a holder as it now stands.
    pub(crate) fn managed(&self, id: ObjectId, holder: ObjectId) -> Option<InForce<'v>> {
        if self.edits.text.contains(&id) {
            return Some(self.written());
        }
        let object = self.object(id)?;
        let policy = match &object.detail {
            Detail::Policy(policy) => policy,
            Detail::Unlisted(gap) => return Some(not_listed(gap, holder)),
            _ => return None,
        };
        let at = self.edits.version.get(&id).copied().unwrap_or(policy.default);
        let origin = Origin::Held { holder, managed: Some((id, at)) };
        Some(match policy.versions.get(at) {
            Some((_, document)) => self.in_force(*document, &object.name, origin),
            None => InForce { policy: Err(&self.ground.unreadable), name: &object.name, origin },
        })
    }

    fn source(&self, source: &'v PolicySource, holder: ObjectId) -> Option<InForce<'v>> {
        match source {
            PolicySource::Managed(id) => self.managed(*id, holder),
            PolicySource::Missing(arn) => Some(InForce {
                policy: Err(self.ground.missing.get(arn).unwrap_or(&self.ground.unreadable)),
                name: arn,
                origin: Origin::Held { holder, managed: None },
            }),
            PolicySource::Inline(_) => None,
        }
    }

    /// The policies of one holder (user, role or group) as they now stand, group policies of users
    /// not included.
    fn held(
        &self,
        id: ObjectId,
        holder: &'v Object,
        policies: &'v [Attached],
        out: &mut Vec<InForce<'v>>,
    ) {
        let detached = self.edits.detached.get(&id);
        for attached in policies {
            match &attached.source {
                PolicySource::Inline(name) => {
                    let gone = detached.is_some_and(|set| {
                        set.iter().any(|policy| {
                            self.object(*policy).is_some_and(|policy| {
                                &*policy.kind == "iam:inline-policy"
                                    && *policy.arn == *format!("{}#inline/{name}", holder.arn)
                            })
                        })
                    });
                    if !gone && let Some(document) = attached.inline {
                        let origin = Origin::Held { holder: id, managed: None };
                        out.push(self.in_force(document, name, origin));
                    }
                }
                source @ PolicySource::Managed(policy) => {
                    if !detached.is_some_and(|set| set.contains(policy)) {
                        out.extend(self.source(source, id));
                    }
                }
                source @ PolicySource::Missing(_) => out.extend(self.source(source, id)),
            }
        }
        if let Some(added) = self.edits.attached.get(&id) {
            out.extend(added.iter().filter_map(|policy| self.managed(*policy, id)));
        }
        if self.edits.inline.contains(&id) {
            out.push(self.written());
        }
    }

    /// The groups a user is now in, in order.
    pub fn groups(&self, id: ObjectId) -> Vec<ObjectId> {
        let Some(Detail::User(user)) = self.object(id).map(|object| &object.detail) else {
            return Vec::new();
        };
        let left = self.edits.left.get(&id);
        let mut groups: BTreeSet<ObjectId> = user
            .groups
            .iter()
            .copied()
            .filter(|group| !left.is_some_and(|set| set.contains(group)))
            .collect();
        groups.extend(self.edits.joined.get(&id).into_iter().flatten());
        groups.into_iter().collect()
    }

    /// The identity policies of a user or role as they now stand, those of its groups included.
    pub fn identity(&self, id: ObjectId) -> Vec<InForce<'v>> {
        let mut out = Vec::new();
        let Some(principal) = self.object(id) else { return out };
        match &principal.detail {
            Detail::User(user) => {
                self.held(id, principal, &user.policies, &mut out);
                for group in self.groups(id) {
                    let Some(object) = self.object(group) else { continue };
                    match &object.detail {
                        Detail::Group(policies) => self.held(group, object, policies, &mut out),
                        Detail::Unlisted(gap) => out.push(not_listed(gap, group)),
                        _ => {}
                    }
                }
            }
            Detail::Role(role) => self.held(id, principal, &role.policies, &mut out),
            // Of other kinds none has an IAM identity.
            Detail::Unlisted(gap) if principal.kind.starts_with("iam:") => {
                out.push(not_listed(gap, id));
            }
            // Its account's administrator gives it what it needs.
            Detail::Symbolic(Symbolic::Principal { .. }) => {
                out.push(InForce { name: OWN_ACCOUNT_POLICY, ..self.written() });
            }
            _ => {}
        }
        out
    }

    /// The permissions boundary of a user or role as it now stands.
    pub fn boundary(&self, id: ObjectId) -> Option<InForce<'v>> {
        if self.edits.no_boundary.contains(&id) {
            return None;
        }
        match &self.object(id)?.detail {
            Detail::User(user) => user.boundary.as_ref().and_then(|source| self.source(source, id)),
            Detail::Role(role) => role.boundary.as_ref().and_then(|source| self.source(source, id)),
            _ => None,
        }
    }

    /// The policy of a resource. A role's is its trust policy; `written` stands in for one that
    /// the attacker has edited.
    pub fn own_policy(&self, id: ObjectId, written: Option<&'v Policy>) -> ResourcePolicy<'v> {
        let Some(object) = self.object(id) else { return ResourcePolicy::Absent };
        if let Detail::Role(role) = &object.detail {
            if self.edits.trust.contains(&id)
                && let Some(policy) = written
            {
                return ResourcePolicy::Present(InForce {
                    policy: Ok(policy),
                    name: WRITTEN_POLICY,
                    origin: Origin::Elsewhere,
                });
            }
            return match &role.trust {
                Ok(document) => ResourcePolicy::Present(self.in_force(
                    *document,
                    "trust policy",
                    Origin::Own(id),
                )),
                Err(gap) => ResourcePolicy::Unknown(gap),
            };
        }
        if let Detail::Unlisted(gap) = &object.detail
            && &*object.kind == "iam:role"
        {
            return ResourcePolicy::Unknown(gap);
        }
        if self.edits.no_resource_policy.contains(&id) {
            return ResourcePolicy::Absent;
        }
        if self.edits.resource_policy.contains(&id)
            && let Some(policy) = written
        {
            return ResourcePolicy::Present(InForce {
                policy: Ok(policy),
                name: WRITTEN_POLICY,
                origin: Origin::Elsewhere,
            });
        }
        match &object.policy {
            OwnPolicy::Absent | OwnPolicy::NotAsked(_) => ResourcePolicy::Absent,
            OwnPolicy::Present(document) => ResourcePolicy::Present(self.in_force(
                *document,
                "resource policy",
                Origin::Own(id),
            )),
            OwnPolicy::Unknown(gap) => ResourcePolicy::Unknown(gap),
        }
    }

    /// The policy of a resource that this action, in lower case, is checked against: a role's
    /// trust policy only decides who may assume it, and other policies only govern actions of
    /// their own service.
    pub fn governing_policy(
        &self,
        action: &str,
        id: ObjectId,
        written: Option<&'v Policy>,
    ) -> ResourcePolicy<'v> {
        let kind = self.object(id).map_or("", |object: &Object| &*object.kind);
        if governs(kind, action) { self.own_policy(id, written) } else { ResourcePolicy::Absent }
    }

    /// Everything that applies when `principal` calls, except the resource's side.
    pub fn applicable(&self, principal: ObjectId) -> Applicable<'v> {
        let account = self.object(principal).and_then(|object| self.account_of(object));
        let caller = self.object(principal).and_then(|object| self.caller(object));
        let unsigned = matches!(caller, Some(Caller::Anonymous | Caller::Federated(_)));
        Applicable {
            identity: self.identity(principal),
            boundary: self.boundary(principal),
            session: None,
            service_control: match account {
                Some(account) if !unsigned => self.service_control(account),
                _ => Vec::new(),
            },
            resource_control: Vec::new(),
            resource: ResourcePolicy::Absent,
            endpoints: if unsigned { &[] } else { &self.ground.endpoints },
        }
    }
}

/// The policies of something that was not listed.
fn not_listed(gap: &Gap, holder: ObjectId) -> InForce<'_> {
    InForce {
        policy: Err(gap),
        name: "policies that were not listed",
        origin: Origin::Held { holder, managed: None },
    }
}

/// Whether an object's own policy governs an action, in lower case: a role's trust policy only
/// decides who may assume it, and other policies only govern actions of their own service.
pub fn governs(kind: &str, action: &str) -> bool {
    let service = action.split(':').next().unwrap_or_default();
    match kind.split(':').next().unwrap_or_default() {
        "iam" => kind == "iam:role" && service == "sts",
        "opensearch" => service == "es",
        own => service == own,
    }
}
