//! Which part each slot of a rule plays: what its gains are about, what is found for it when.

use std::sync::Arc;

use escalade_models::TagChange;

use super::binding::{Binding, is_of_organization};
use super::rule::{Anchor, Expression, Part, Rule, RuleCall, RuleGain};
use crate::authorization::{governs, stands_for_key};
use crate::snapshot::ObjectId;

impl Rule {
    /// The slot of the user or role whose own permissions the rule changes, if that is all it
    /// gives. Such a rule is worth nothing to who does not act as that principal.
    pub fn holder(&self) -> Option<usize> {
        let slots = self.gains.iter().map(|gain| match gain {
            RuleGain::InlinePolicy(slot)
            | RuleGain::AttachedPolicy(slot, _)
            | RuleGain::NoBoundary(slot)
            | RuleGain::DetachedPolicy(slot, _)
            | RuleGain::LeftGroup(slot, _)
            | RuleGain::MfaDevice(slot) => Some(*slot),
            _ => None,
        });
        let is_principal = |slot: &usize| {
            let slot = self.slots.get(*slot);
            slot.is_some_and(|slot| matches!(&*slot.kind, "iam:user" | "iam:role"))
        };
        the_same(slots).filter(is_principal)
    }

    /// The slot of the resource whose own policy or tags the rule changes, if that is all it gives.
    /// Such a rule is worth nothing where no call asks for them.
    pub fn resource_edited(&self) -> Option<usize> {
        let slots = self.gains.iter().map(|gain| match gain {
            RuleGain::ResourcePolicy(slot)
            | RuleGain::NoResourcePolicy(slot)
            | RuleGain::ResourceGrant(slot, _)
            | RuleGain::Tag(slot, _, TagChange::Set | TagChange::Remove) => Some(*slot),
            _ => None,
        });
        the_same(slots)
    }

    /// Whether all that the rule gives is another own policy, or none, of its one object of a kind.
    pub(super) fn only_lets_in(&self, kind: &str) -> bool {
        let mut of_kind = self.slots.iter().enumerate().filter(|(_, slot)| *slot.kind == *kind);
        let (Some((own, _)), None) = (of_kind.next(), of_kind.next()) else { return false };
        self.gains.iter().all(|gain| {
            matches!(gain, RuleGain::ResourcePolicy(slot) | RuleGain::NoResourcePolicy(slot)
                if *slot == own)
        })
    }

    /// The slot of what the rule gives or changes, if all its gains are about the same.
    pub(super) fn acquired(&self) -> Option<usize> {
        let slots = self.gains.iter().map(|gain| match gain {
            RuleGain::Credentials(slot)
            | RuleGain::InlinePolicy(slot)
            | RuleGain::PolicyText(slot)
            | RuleGain::DefaultVersion(slot)
            | RuleGain::AttachedPolicy(slot, _)
            | RuleGain::TrustPolicy(slot)
            | RuleGain::NoBoundary(slot)
            | RuleGain::DetachedPolicy(slot, _)
            | RuleGain::LeftGroup(slot, _)
            | RuleGain::Delegation { role: slot, .. }
            | RuleGain::ResourcePolicy(slot)
            | RuleGain::NoResourcePolicy(slot)
            | RuleGain::ResourceGrant(slot, _)
            | RuleGain::Tag(slot, ..)
            | RuleGain::MfaDevice(slot)
            | RuleGain::NoMfaDevice(slot) => Some(*slot),
            RuleGain::Membership(user, group) => {
                Some(if self.is_deferred(*user) { *group } else { *user })
            }
            _ => None,
        });
        // Who asks a service to make calls as itself is nothing that it comes to have.
        the_same(slots).filter(|_| self.forwarded().is_none())
    }

    /// The slots that the gains are about, sorted: applications that agree in them give the same.
    pub fn gain_slots(&self) -> Vec<usize> {
        let beside = |new: &usize| self.new.get(*new).and_then(|new| new.beside);
        let of = |expression: &Expression| -> Vec<usize> {
            expression
                .0
                .iter()
                .filter_map(|part| match part {
                    Part::Object(slot) | Part::Attribute(slot, _) => Some(*slot),
                    Part::New(new) | Part::NewName(new) => beside(new),
                    _ => None,
                })
                .collect()
        };
        let mut out: Vec<usize> = self
            .gains
            .iter()
            .flat_map(|gain| match gain {
                RuleGain::Credentials(slot)
                | RuleGain::InlinePolicy(slot)
                | RuleGain::PolicyText(slot)
                | RuleGain::DefaultVersion(slot)
                | RuleGain::TrustPolicy(slot)
                | RuleGain::NoBoundary(slot)
                | RuleGain::DomainAdministration(slot)
                | RuleGain::ResourcePolicy(slot)
                | RuleGain::NoResourcePolicy(slot)
                | RuleGain::ResourceGrant(slot, _)
                | RuleGain::MfaDevice(slot)
                | RuleGain::NoMfaDevice(slot)
                | RuleGain::ControlPolicyText(slot)
                | RuleGain::ControlPoliciesOff(slot, _)
                | RuleGain::AttachedControlPolicy(slot, None) => vec![*slot],
                RuleGain::AttachedPrincipal(new, slot)
                | RuleGain::NewMember(new, slot)
                | RuleGain::NewPrincipal(new, Some(slot)) => {
                    beside(new).into_iter().chain([*slot]).collect()
                }
                RuleGain::Tag(on, key, _) => vec![*on, *key],
                RuleGain::AttachedPolicy(slot, policy) => {
                    let mut slots = of(policy);
                    slots.push(*slot);
                    slots
                }
                RuleGain::Membership(one, two)
                | RuleGain::DetachedPolicy(one, two)
                | RuleGain::LeftGroup(one, two)
                | RuleGain::DetachedControlPolicy(one, two)
                | RuleGain::AttachedControlPolicy(one, Some(two))
                | RuleGain::MovedAccount(one, two) => vec![*one, *two],
                RuleGain::Delegation { role, through, resources, .. } => {
                    let mut slots = of(through);
                    slots.extend(resources.iter().flat_map(of));
                    slots.push(*role);
                    slots
                }
                RuleGain::NewPrincipal(new, None) => beside(new).into_iter().collect(),
                RuleGain::LeftOrganization(account) => account.iter().copied().collect(),
                RuleGain::IdentityProvider => Vec::new(),
                RuleGain::Object(_, attributes) => {
                    attributes.iter().flat_map(|(_, value)| of(value)).collect()
                }
            })
            .collect();
        out.sort_unstable();
        out.dedup();
        out
    }

    /// The slot and attribute that the holder is found through, if it is.
    pub fn holder_from(&self) -> Option<(usize, &Arc<str>)> {
        let (slot, attribute) = self.slots.get(self.holder()?)?.from.as_ref()?;
        Some((*slot, attribute))
    }

    /// For each slot whether it is this one, or found through it.
    fn found_through(&self, slot: usize) -> Vec<bool> {
        let mut found = vec![false; self.slots.len()];
        for (at, description) in self.slots.iter().enumerate() {
            let through = description.from.as_ref().map(|(from, _)| *from);
            let known = through.is_some_and(|from| found.get(from).copied().unwrap_or(false));
            if let Some(of_slot) = found.get_mut(at) {
                *of_slot = at == slot || known;
            }
        }
        found
    }

    /// Whether all that the rule gives is principals, or what services do as them, that are found
    /// through the object of a slot, or another policy or other tags of that object.
    pub(super) fn gives_only_through(&self, slot: usize) -> bool {
        let found = self.found_through(slot);
        self.gains.iter().all(|gain| match gain {
            RuleGain::Credentials(role) | RuleGain::Delegation { role, .. } => {
                *role != slot && found.get(*role).copied().unwrap_or(false)
            }
            RuleGain::ResourcePolicy(of)
            | RuleGain::NoResourcePolicy(of)
            | RuleGain::ResourceGrant(of, _)
            | RuleGain::Tag(of, ..) => *of == slot,
            _ => false,
        })
    }

    /// Whether the rule takes no account's object but that of a slot and what is found through it.
    pub(super) fn takes_only_through(&self, slot: usize) -> bool {
        let found = self.found_through(slot);
        self.slots.iter().enumerate().all(|(at, description)| {
            found.get(at).copied().unwrap_or(false)
                || self.is_deferred(at)
                || stands_for_key(&description.kind)
        })
    }

    /// Whether the first group needs a call of IAM's own on something of the account of a slot's
    /// object: nobody from another account can make it.
    ///
    /// Implements "cross-account" of
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html>.
    pub(super) fn needs_iam_beside(&self, slot: usize) -> bool {
        let beside = |other: &usize| {
            self.slots
                .get(*other)
                .is_some_and(|of| of.beside == Some(slot) && of.kind.starts_with("iam:"))
        };
        self.calls_of(0).any(|call| {
            call.action_lowercase.starts_with("iam:") && call.mentioned.iter().any(beside)
        })
    }

    /// The slots whose objects' own policies have a say in the rule's calls.
    pub(super) fn governed_slots(&self) -> Vec<usize> {
        let governed = |slot: &usize| {
            self.slots.get(*slot).is_some_and(|description| {
                self.calls.iter().any(|call| {
                    call.mentions(*slot) && governs(&description.kind, &call.action_lowercase)
                })
            })
        };
        (0..self.slots.len()).filter(governed).collect()
    }

    /// The attributes that lead from the object of a slot to that of another, one after the other, if
    /// it is found through it.
    pub(super) fn path(&self, from: usize, to: usize) -> Option<Vec<Arc<str>>> {
        let (through, attribute) = self.slots.get(to)?.from.as_ref()?;
        let mut path = match *through == from {
            true => Vec::new(),
            false => self.path(from, *through)?,
        };
        path.push(attribute.clone());
        Some(path)
    }

    /// What is found through the object of a slot that the first group's calls are about, and is some
    /// account's own: what is the organization's keeps nobody out.
    pub(super) fn anchors_of(&self, slot: usize) -> Vec<Anchor> {
        let anchor = |other: usize| {
            let path = self.path(slot, other)?;
            let kind = &self.slots.get(other)?.kind;
            let kind = (!is_of_organization(kind)).then(|| kind.clone())?;
            let about = |call: &&RuleCall| {
                let on = |text: &Expression| text.0.first() == Some(&Part::Object(other));
                !call.is_by_token() && call.resources.iter().any(on)
            };
            let mut calls = self.calls_of(0).filter(about).peekable();
            calls.peek()?;
            let governed = calls.any(|call| governs(&kind, &call.action_lowercase));
            Some(Anchor { path, kind, governed })
        };
        (0..self.slots.len()).filter_map(anchor).collect()
    }

    /// Whether a slot is left open until somebody is found for it: the user who is put into a group
    /// is not what any call is checked on.
    pub fn is_deferred(&self, slot: usize) -> bool {
        let gained = self.gains.iter().any(
            |gain| matches!(gain, RuleGain::Membership(user, group) if *user == slot && *group != slot),
        );
        gained
            && self.slots.get(slot).is_some_and(|s| s.from.is_none() && s.matchers.is_empty())
            && !self.calls.iter().any(|call| call.mentions(slot))
    }

    /// Whether the gains are more than what the principal has by being itself.
    pub(super) fn gives_anything_new(&self, principal: ObjectId, binding: &Binding) -> bool {
        !self.gains.iter().all(|gain| {
            matches!(gain, RuleGain::Credentials(slot)
                if binding.objects.get(*slot) == Some(&principal))
        })
    }

    /// For whom a service will act with the role of a slot, one of these: what the first call says
    /// that says anything of it, else the resource that has the role already, or what no response
    /// shows. None, if that is not known.
    ///
    /// Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html>.
    pub fn sources(&self, slot: usize) -> Vec<Expression> {
        if let Some(call) = self.calls.iter().find(|call| !call.sources.is_empty()) {
            return call.sources.clone();
        }
        let likely = self.likely_source();
        let from = self.slots.get(slot).and_then(|slot| slot.from.as_ref()).map(|(from, _)| *from);
        let is_of_service =
            |from: &usize| self.slots.get(*from).is_some_and(|from| !from.kind.starts_with("iam:"));
        let Some(from) = from.filter(is_of_service) else { return likely.into_iter().collect() };
        let has_it = Expression(vec![Part::Object(from)]);
        let unseen = likely.filter(|likely| likely.0.contains(&Part::Open));
        std::iter::once(has_it).chain(unseen).collect()
    }

    /// For whom a service will act where no call says so: a resource that no response shows, if the
    /// first call of the service that is about anything is about it, the first new one, or the first
    /// object that is no role.
    fn likely_source(&self) -> Option<Expression> {
        let anything = |resource: &Expression| *resource.0 != [Part::Text("*".into())];
        let first = self.calls.iter().find(|call| {
            !call.action_lowercase.starts_with("iam:") && call.resources.iter().any(anything)
        });
        let mut resources = first.into_iter().flat_map(|call| &call.resources);
        if let Some(unseen) = resources.find(|resource| resource.0.contains(&Part::Open)) {
            return Some(unseen.clone());
        }
        let part = if self.new.is_empty() {
            Part::Object(self.slots.iter().position(|slot| !slot.kind.starts_with("iam:"))?)
        } else {
            Part::New(0)
        };
        Some(Expression(vec![part]))
    }
}

/// The slot that all of these are.
fn the_same(mut slots: impl Iterator<Item = Option<usize>>) -> Option<usize> {
    let first = slots.next()??;
    slots.all(|slot| slot == Some(first)).then_some(first)
}

/// The objects that the gains of a rule are about.
pub(super) fn gained(slots: &[usize], binding: &Binding) -> Vec<ObjectId> {
    slots.iter().filter_map(|slot| binding.objects.get(*slot)).copied().collect()
}
