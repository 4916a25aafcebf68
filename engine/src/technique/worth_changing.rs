//! Where a change can make a difference: who asks for tags, and of what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use escalade_models::ResourceKinds;
use foldhash::HashMap;
use roaring::RoaringBitmap;

use super::actions::Actions;
use super::binding::{Text, arn_of};
use super::object_sets::ObjectSets;
use super::rule::{MatcherOf, Part, Rule, RuleGain, Slot};
use super::rules::Rules;
use super::search::Search;
use crate::authorization::{Edits, Ground, InForce, ResourcePolicy, TagKey, Tagged};
use crate::policy::Policy;
use crate::reachability::Variant;
use crate::snapshot::{Detail, ObjectId, PolicySource};

impl Search<'_> {
    /// Whether changing the own policy or tags of resources of a kind can lead anywhere, besides
    /// those that the question is about.
    pub fn is_worth_changing(&self, kind: &str) -> bool {
        self.used_kinds.contains(kind)
    }

    /// Whether some rule can use a resource whose own policy or tags have been changed, or the question
    /// is about it.
    pub(super) fn is_of_use(&self, kind: &str, resource: ObjectId) -> bool {
        let unused = self.unused.get(kind).is_some_and(|unused| unused.contains(resource.0));
        (self.is_worth_changing(kind) && !unused) || self.goal_objects.contains(resource.0)
    }

    /// Keeps the resources of a kind whose own policy or tags are worth changing: those that some rule
    /// can use, and those that the question is about.
    pub(super) fn keep_worth_changing(&self, kind: &str, resources: &mut RoaringBitmap) {
        if !self.is_worth_changing(kind) {
            *resources &= &self.goal_objects;
        } else if let Some(unused) = self.unused.get(kind) {
            *resources -= unused - &self.goal_objects;
        }
    }

    /// The tags of resources that the policies on the side of a variant's principal ask for, and
    /// those that resource control policies and VPC endpoints do; each with the actions of which it is asked.
    ///
    /// - `unconditional`: whether what the principal itself is allowed is everything, whatever its
    ///   own policies ask.
    pub fn tags_asked(&self, variant: &Variant, unconditional: bool) -> BTreeMap<TagKey, Actions> {
        let view = self.view(&variant.edits, &[]);
        let applicable = view.applicable(variant.principal);
        let mut out = BTreeMap::new();
        let of_account = applicable.service_control.iter().flatten();
        let of_caller = applicable.of_caller().filter(|_| !unconditional);
        let of_endpoints = applicable.endpoints.iter().filter_map(|end| end.policy.as_ref().ok());
        of_caller
            .chain(of_account.filter(|_| unconditional))
            .filter_map(|in_force| in_force.policy.ok())
            .chain(self.resource_control.iter().filter_map(|at| self.ground.world.policy(*at)))
            .chain(of_endpoints)
            .for_each(|policy| self.add_tags_asked(policy, &mut out));
        out
    }

    /// Adds the tags of resources that a policy asks for.
    fn add_tags_asked(&self, policy: &Policy, out: &mut BTreeMap<TagKey, Actions>) {
        let keys = self.ground.tag_keys();
        let document = self.ground.document_of(policy);
        if document.is_some_and(|at| keys.asked_by(at, Tagged::Resource).next().is_none()) {
            return;
        }
        for statement in policy.statements() {
            for key in keys.asked_of_resources(statement) {
                let actions = out.entry(key).or_default();
                self.rules.selected_by(statement, |at| actions.insert(at));
            }
        }
    }

    /// The tags of a principal that the policies which bind it as a caller ask for, none of it
    /// changed.
    pub fn own_tags_asked(&self, principal: ObjectId) -> BTreeSet<TagKey> {
        let none = Edits::default();
        let applicable = self.view(&none, &[]).applicable(principal);
        let documents = applicable
            .of_caller()
            .filter_map(|in_force| self.ground.document_of(in_force.policy.ok()?));
        documents.flat_map(|at| self.ground.tag_keys().asked_by(at, Tagged::Principal)).collect()
    }

    /// The tags of principals that a managed policy, in its default or the given version, asks for.
    pub fn tags_asked_by(
        &self,
        policy: ObjectId,
        version: Option<usize>,
    ) -> impl Iterator<Item = TagKey> {
        let policy = self.version(policy, version);
        let document = policy.and_then(|policy| self.ground.document_of(policy));
        document.into_iter().flat_map(|at| self.ground.tag_keys().asked_by(at, Tagged::Principal))
    }

    /// The same of all policies of a group.
    pub fn tags_asked_of_members(&self, group: ObjectId) -> BTreeSet<TagKey> {
        let mut out = BTreeSet::new();
        let group = self.ground.world.objects.get(group.0 as usize).map(|group| &group.detail);
        let Some(Detail::Group(policies)) = group else { return out };
        for attached in policies {
            match (&attached.source, attached.inline) {
                (PolicySource::Managed(policy), _) => out.extend(self.tags_asked_by(*policy, None)),
                (_, Some(document)) => {
                    out.extend(self.ground.tag_keys().asked_by(document, Tagged::Principal));
                }
                _ => {}
            }
        }
        out
    }

    /// The tags of itself that a resource's own policy asks for, with the actions of which it is
    /// asked.
    pub fn tags_asked_by_resource(&self, resource: ObjectId) -> BTreeMap<TagKey, Actions> {
        let none = Edits::default();
        let view = self.view(&none, &[]);
        let mut out = BTreeMap::new();
        if let ResourcePolicy::Present(InForce { policy: Ok(policy), .. }) =
            view.own_policy(resource, None)
        {
            self.add_tags_asked(policy, &mut out);
        }
        out
    }
}

/// The rules that work on objects without a certain attribute only.
pub(super) fn rules_without(rules: &Rules, attribute: &str) -> Vec<usize> {
    let asks = |rule: &Rule| {
        let mut matchers = rule.slots.iter().flat_map(|slot| &slot.matchers);
        matchers.any(|(name, must)| **name == *attribute && *must == MatcherOf::Absent(true))
    };
    rules.rules.iter().enumerate().filter(|(_, rule)| asks(rule)).map(|(at, _)| at).collect()
}

/// Slots that some rule's call is checked on, where that call is one that the object's own policy
/// governs or that asks for its tags.
fn used(rules: &Rules) -> impl Iterator<Item = (&Rule, &Slot)> {
    let using = rules.rules.iter().filter(|rule| rule.resource_edited().is_none());
    using.flat_map(|rule| {
        let parts = rule.calls.iter().flat_map(|call| &call.resources).flat_map(|text| &text.0);
        parts.filter_map(move |part| match part {
            Part::Object(slot) => Some((rule, rule.slots.get(*slot)?)),
            _ => None,
        })
    })
}

/// The kinds of what such slots can be.
pub(super) fn used_kinds(rules: &Rules) -> BTreeSet<Arc<str>> {
    used(rules).map(|(_, slot)| slot.kind.clone()).collect()
}

/// By kind, the objects that are no such slot's: of kinds whose objects rules only find through
/// others, those through which they find none.
///
/// - `unlisted`: by kind, the objects that stand for those that were not listed.
pub(super) fn unused(
    rules: &Rules,
    ground: &Ground<'_>,
    kinds: &ResourceKinds,
    objects: &ObjectSets,
    unlisted: &BTreeMap<Arc<str>, Vec<ObjectId>>,
) -> HashMap<Arc<str>, RoaringBitmap> {
    let world = ground.world;
    let is_made = |kind: &Arc<str>| {
        let gains = rules.rules.iter().flat_map(|rule| &rule.gains);
        gains.into_iter().any(|gain| matches!(gain, RuleGain::Object(of, _) if of == kind))
    };
    // The attacker's edits change attributes of IAM's own objects.
    let is_settled = |kind: &Arc<str>| {
        !kind.starts_with("iam:") && !unlisted.contains_key(kind) && !is_made(kind)
    };
    let led_to = |from: &Arc<str>, attribute: &Arc<str>| -> Option<BTreeSet<Arc<str>>> {
        let of_kind = objects.of_kind(from).map(|of_kind| &of_kind.all);
        let ids = of_kind.into_iter().flatten().map(ObjectId);
        let mut out = BTreeSet::new();
        for object in ids.filter_map(|id| world.object(id)) {
            out.extend(object.attribute(attribute).ok()?);
        }
        Some(out)
    };
    let mut found: BTreeMap<&Arc<str>, Option<BTreeSet<Arc<str>>>> = BTreeMap::new();
    let mut known = HashMap::default();
    for (rule, slot) in used(rules) {
        let through = slot.from.as_ref().and_then(|(from, attribute)| {
            let from = &rule.slots.get(*from)?.kind;
            let led_to = || is_settled(from).then(|| led_to(from, attribute)).flatten();
            known.entry((from, attribute)).or_insert_with(led_to).clone()
        });
        match (found.entry(&slot.kind).or_insert_with(|| Some(BTreeSet::new())), through) {
            (Some(known), Some(more)) => known.extend(more),
            (known, _) => *known = None,
        }
    }
    let unused = found.into_iter().filter_map(|(kind, used)| {
        let used = used?;
        let listed = used.iter().filter_map(|arn| world.by_arn.get(arn)).map(|id| id.0);
        let listed: RoaringBitmap = listed.collect();
        let mut unused =
            objects.of_kind(kind).map(|of_kind| &of_kind.all - listed).unwrap_or_default();
        let is_used = |id: &&ObjectId| {
            ground.object(&[], **id).is_none_or(|object| match arn_of(kinds, object) {
                Text::Literal(arn) => used.contains(&arn),
                Text::Template(prefix, ..) => {
                    let mut behind = used.range(prefix.clone()..);
                    behind.next().is_some_and(|arn| arn.starts_with(&*prefix))
                }
            })
        };
        let stand_ins = unlisted.get(kind).into_iter().flatten();
        unused.extend(stand_ins.filter(|id| !is_used(id)).map(|id| id.0));
        (!unused.is_empty()).then_some((kind.clone(), unused))
    });
    unused.collect()
}
