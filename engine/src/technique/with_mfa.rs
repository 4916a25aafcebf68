//! What asks whether the caller has signed in with MFA.
//!
//! Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_mfa_configure-api-require.html>.

use foldhash::HashMap;
use roaring::RoaringBitmap;

use super::actions::Actions;
use super::rules::Rules;
use super::search::Search;
use super::worth_changing::rules_without;
use crate::authorization::{Edits, Ground, View, may_sign_in_with_mfa};
use crate::snapshot::{Detail, DocumentId, ObjectId, Organization, OwnPolicy};

/// Which policies ask for MFA, and which rules ask for a device.
#[derive(Debug, Default)]
pub(super) struct WithMfa {
    /// Actions for which each document asks, if any.
    by_document: HashMap<DocumentId, Actions>,
    /// The same of all resources' own policies together.
    of_resources: Actions,
    /// The objects whose own policies these are.
    resources: RoaringBitmap,
    /// Whether control policies ask, or policies of VPC endpoints: whatever the call is about.
    everywhere: bool,
    /// Rules that a user without an MFA device is good for.
    rules: Vec<usize>,
}

impl WithMfa {
    /// Looks through the policies of a world and the rules.
    pub(super) fn of(ground: &Ground<'_>, rules: &Rules) -> Self {
        let world = ground.world;
        let mut out = Self { rules: rules_without(rules, "mfa"), ..Self::default() };
        for (at, document) in world.documents.iter().enumerate() {
            let Ok(policy) = &document.policy else { continue };
            let actions = Actions::asked_with_mfa(policy, rules);
            if !actions.is_empty() {
                let document = DocumentId(u32::try_from(at).unwrap_or(u32::MAX));
                out.by_document.insert(document, actions);
            }
        }
        for (at, object) in world.objects.iter().enumerate() {
            let document = match (&object.detail, &object.policy) {
                (Detail::Role(role), _) => role.trust.as_ref().ok(),
                (_, OwnPolicy::Present(document)) => Some(document),
                _ => None,
            };
            if let Some(actions) = document.and_then(|document| out.by_document.get(document)) {
                out.of_resources.extend(actions);
                out.resources.insert(u32::try_from(at).unwrap_or(u32::MAX));
            }
        }
        let mut controls = world.organization.iter().flat_map(Organization::control_documents);
        let mut endpoints = ground.endpoints.iter().filter_map(|end| end.policy.as_ref().ok());
        out.everywhere = controls.any(|document| out.by_document.contains_key(&document))
            || endpoints.any(|policy| !Actions::asked_with_mfa(policy, rules).is_empty());
        out
    }
}

impl Search<'_> {
    /// The actions of the rules that a user without MFA device is good for and that somebody with
    /// these actions may apply.
    pub fn good_without_mfa(&self, actions: &Actions) -> Actions {
        let mut out = Actions::default();
        for rule in self.mfa.rules.iter().filter_map(|at| self.rules.rules.get(*at)) {
            if rule.is_within(actions) {
                rule.calls_of(0).for_each(|call| {
                    out.insert(call.action_bit);
                    call.besides.iter().for_each(|more| out.insert(more.action_bit));
                });
            }
        }
        out
    }

    /// The objects whose own policies ask those who call for MFA, if nothing asks for it whatever the
    /// call is about.
    pub fn asking_for_mfa(&self) -> Option<&RoaringBitmap> {
        (!self.mfa.everywhere).then_some(&self.mfa.resources)
    }

    /// Whether a principal's sessions can have been begun with MFA, or nothing asks for it.
    pub(super) fn may_have_mfa(&self, view: &View<'_, '_>, principal: ObjectId) -> bool {
        let asks = self.mfa.everywhere || !self.mfa.by_document.is_empty();
        !asks || view.may_have_mfa(principal)
    }

    /// Whether nobody can begin a session of this principal with MFA as long as its trust policy is as
    /// it is, while some policy asks for it.
    pub fn lacks_mfa(&self, principal: ObjectId) -> bool {
        let world = self.ground.world;
        world.object(principal).is_some_and(|object| !may_sign_in_with_mfa(world, object))
            && !self.asked_with_mfa(principal).is_empty()
    }

    /// The actions for which some policy asks whether this principal has signed in with MFA.
    pub fn asked_with_mfa(&self, user: ObjectId) -> Actions {
        let none = Edits::default();
        let applicable = self.view(&none, &[]).applicable(user);
        let mut out = self.mfa.of_resources.clone();
        applicable
            .of_caller()
            .filter_map(|in_force| self.ground.document_of(in_force.policy.ok()?))
            .filter_map(|document| self.mfa.by_document.get(&document))
            .for_each(|actions| out.extend(actions));
        out
    }
}
