//! Forward access sessions: a service makes calls with the permissions of who asked it to.
//!
//! That is more than the caller can do by itself only where a policy asks which service makes the
//! call: elsewhere it is left alone.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_forward_access_sessions.html>

use super::actions::Actions;
use super::actor::Actor;
use super::rule::{Rule, RuleGain};
use super::rules::Rules;
use crate::authorization::{Applicable, Edits, View};
use crate::policy::{Policy, Statement, is_of_forwarding};
use crate::snapshot::{Detail, Organization, OwnPolicy, World};

impl Rule {
    /// The slot of whose permissions a service makes calls with: it is who makes the first calls.
    pub(crate) fn forwarded(&self) -> Option<usize> {
        self.gains.iter().find_map(|gain| match gain {
            RuleGain::Delegation { role, mandate, .. } if mandate.via.is_some() => Some(*role),
            _ => None,
        })
    }
}

/// Whether a statement asks which service makes a call.
pub(super) fn asks(statement: &Statement) -> bool {
    statement.asks_for(is_of_forwarding)
}

/// The actions of the first calls of rules by which a service makes calls as who made those.
pub(super) fn forwarders(rules: &Rules) -> Actions {
    let mut out = Actions::default();
    for rule in rules.rules.iter().filter(|rule| rule.forwarded().is_some()) {
        rule.calls_of(0).for_each(|call| out.insert(call.action_bit));
    }
    out
}

/// Whether a policy that is not some principal's own asks which service makes a call: a control
/// policy, or a resource's own.
pub(super) fn others_ask(world: &World) -> bool {
    let asks_at = |document| {
        world.policy(document).is_some_and(|policy| policy.statements().iter().any(asks))
    };
    let mut controls = world.organization.iter().flat_map(Organization::control_documents);
    controls.any(asks_at)
        || world.objects.iter().any(|object| match (&object.detail, &object.policy) {
            (Detail::Role(role), _) => role.trust.as_ref().is_ok_and(|trust| asks_at(*trust)),
            (_, OwnPolicy::Present(document)) => asks_at(*document),
            _ => false,
        })
}

impl Actor<'_, '_> {
    /// Whether a service that makes calls with its permissions may be able to do what it cannot do
    /// by itself: as its policies are before anything is changed. What the attacker attaches to it
    /// does not ask.
    pub(crate) fn gains_by_forwarding(&self) -> bool {
        let none = Edits::default();
        let View { ground, made, .. } = self.view;
        let view = View { ground, made, edits: &none };
        let Applicable { identity, boundary, session, .. } = view.applicable(self.principal);
        let own = identity.iter().chain(&boundary).chain(&session);
        let mut statements =
            own.filter_map(|policy| policy.policy.ok()).flat_map(Policy::statements);
        self.mandated.is_none()
            && (statements.any(asks) || self.search.index.others_ask_for_forwarding)
    }

    /// Whether it can be who a service makes calls as in a rule's slot: the maker of its first calls.
    pub(crate) fn is_forwarded(&self, rule: &Rule, slot: usize) -> bool {
        let kind = rule.slots.get(slot).map(|slot| &slot.kind);
        let own = self.view.object(self.principal).map(|object| &object.kind);
        kind == own && self.gains_by_forwarding()
    }
}
