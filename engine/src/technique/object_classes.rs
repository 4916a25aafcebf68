//! Deciding a call for many objects at once: objects that no statement in force tells apart are one
//! class, and the call is decided for one of them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::actor::Actor;
use super::binding::Binding;
use super::check::Check;
use super::rule::{Rule, RuleCall};
use crate::authorization::{
    Applicable, Context, InForce, Input, OPEN_TAG_SCOPE, ResourcePolicy, governs,
};
use crate::pattern::Pattern;
use crate::policy::{Effect, Statement, Template, depends_on_caller};
use crate::residual::{Atom, Residual};
use crate::snapshot::ObjectId;

/// Resource patterns with the values of the caller's keys in them; `None` if the value of a
/// variable is not the caller's alone.
type Patterns<'a> = Option<Vec<Cow<'a, Pattern>>>;

/// What the caller's policies say about one action.
pub(super) struct Said<'a> {
    /// Its policies, without those that are not about the action.
    pub(super) policies: Applicable<'a>,
    /// The resources of identity policies that allow it.
    allowed: Patterns<'a>,
    /// The resources that some statement tells from others, statement by statement.
    told_apart: Option<Vec<Vec<Cow<'a, Pattern>>>>,
}

/// Objects with what is left to be true of each.
pub(super) type Classes = Vec<(RoaringBitmap, Residual)>;

impl<'a> Actor<'a, '_> {
    /// What the policies on the caller's side say about an action, worked out once.
    ///
    /// - `bit`: the action's position in the catalogue's.
    pub(super) fn said(&self, bit: usize, lowercase: &str) -> Rc<Said<'a>> {
        if let Some(known) = self.said.borrow().get(&bit) {
            return known.clone();
        }
        let said = Rc::new(self.gather(bit, lowercase));
        self.said.borrow_mut().insert(bit, said.clone());
        said
    }

    fn gather(&self, bit: usize, lowercase: &str) -> Said<'a> {
        let is_about = |in_force: &InForce<'_>| {
            let Ok(policy) = in_force.policy else { return true };
            let document = self.search.ground.document_of(policy);
            let about = document.and_then(|at| self.search.index.about.get(at.0 as usize));
            about.is_none_or(|actions| actions.contains(bit))
        };
        let mut policies = self.applicable.clone();
        policies.identity.retain(is_about);
        let check = Check::of_nothing();
        let context = self.context(lowercase, &check);
        let about = |in_force: &InForce<'a>| {
            in_force
                .policy
                .ok()
                .into_iter()
                .flat_map(|policy| self.search.statements_about(policy, (bit, lowercase)))
        };
        let allowed = if policies.identity.iter().any(|in_force| in_force.policy.is_err()) {
            Some(vec![Cow::Owned(Pattern::glob("*", false))])
        } else {
            let statements = policies.identity.iter().flat_map(about);
            statements
                .filter(|statement| statement.effect() == Effect::Allow)
                .map(|statement| {
                    if statement.resources_negated() {
                        return Some(vec![Cow::Owned(Pattern::glob("*", false))]);
                    }
                    resources(statement, &context)
                })
                .collect::<Option<Vec<_>>>()
                .map(|patterns| patterns.concat())
        };
        let world = self.view.ground.world;
        let resource_control = self.search.resource_control.iter();
        let resource_control = resource_control.filter_map(|document| world.policy(*document));
        // With the organization changed, others may be in force.
        let changed: Vec<InForce<'_>> = if self.view.edits.organization.is_empty() {
            Vec::new()
        } else {
            let accounts = world.accounts.iter();
            accounts.flat_map(|a| self.view.resource_control_levels(&a.id)).flatten().collect()
        };
        let changed = changed.iter().filter_map(|in_force| in_force.policy.ok());
        let endpoints =
            policies.endpoints.iter().filter_map(|endpoint| endpoint.policy.as_ref().ok());
        let told_apart = policies
            .of_caller()
            .flat_map(about)
            .chain(
                resource_control
                    .chain(endpoints)
                    .chain(changed)
                    .flat_map(|policy| self.search.statements_about(policy, (bit, lowercase))),
            )
            .filter(|statement| !is_everywhere(statement))
            .map(|statement| resources(statement, &context))
            .collect();
        Said { policies, allowed, told_apart }
    }

    /// The objects of a kind that identity policies allow an action on, conditions left aside.
    pub(super) fn allowed_objects(&self, call: &RuleCall, kind: &str) -> RoaringBitmap {
        let said = self.said(call.action_bit, &call.action_lowercase);
        let sets = &self.search.index.objects;
        match &said.allowed {
            Some(patterns) => self.matching(kind, patterns),
            None => sets.of_kind(kind).map(|of_kind| of_kind.all.clone()).unwrap_or_default(),
        }
    }

    /// Whether identity policies allow an action on a resource at all, conditions left aside.
    pub(super) fn allows_on(&self, call: &RuleCall, resource: &str) -> bool {
        let said = self.said(call.action_bit, &call.action_lowercase);
        said.allowed.as_ref().is_none_or(|patterns| patterns.iter().any(|p| p.matches(resource)))
    }

    fn matching(&self, kind: &str, patterns: &[Cow<'_, Pattern>]) -> RoaringBitmap {
        let world = self.search.ground.world;
        let sets = &self.search.index.objects;
        patterns.iter().fold(RoaringBitmap::new(), |found, pattern| {
            found | &*sets.matching(world, kind, pattern)
        })
    }

    /// Decides a call, of whose slots one alone is open, for each of the objects that could be bound to
    /// it: those for which something is left, with what is.
    ///
    /// - `place`: the binding, in which the slot's object is replaced.
    pub(super) fn decide_classes(
        &self,
        rule: &Rule,
        call: &RuleCall,
        slot: usize,
        place: &mut Binding,
        objects: &RoaringBitmap,
    ) -> Classes {
        let Some(kind) = rule.slots.get(slot).map(|slot| &*slot.kind) else { return Vec::new() };
        let mut out = Classes::new();
        // Keys that the call determines by the object's attributes part the objects beforehand.
        let attributes = call.attributes_determined(slot).filter(|_| self.keeps_attributes());
        let determined = attributes.is_none();
        let mut waiting: Vec<(RoaringBitmap, BTreeSet<Arc<str>>)> = self
            .alike(call, kind, slot, objects)
            .into_iter()
            .flat_map(|class| self.by_attributes(kind, class, attributes.iter().flatten()))
            .map(|class| (class, BTreeSet::new()))
            .collect();
        let mut one = |id: u32| {
            if let Some(object) = place.objects.get_mut(slot) {
                *object = ObjectId(id);
            }
            self.call(rule, call, place)
        };
        while let Some((class, alike_in)) = waiting.pop() {
            let Some(first) = class.min() else { continue };
            let open = class.len() > 1 && alike_in.is_empty() && self.view.edits.tags.is_empty();
            self.of_object.reset(determined, open);
            let mut residual = one(first);
            self.of_object.open_tags.set(false);
            let mut asked = self.of_object.tags.take();
            let other = self.of_object.other.get();
            if open && !asked.is_empty() {
                if let (false, true, Some(parts)) =
                    (other, residual.is_decided(), self.by_open_tags(kind, &class, &residual))
                {
                    out.extend(parts);
                    continue;
                }
                self.of_object.reset(determined, false);
                residual = one(first);
                asked = self.of_object.tags.take();
            }
            if self.of_object.other.get() {
                let mut apart: BTreeMap<Residual, RoaringBitmap> = BTreeMap::new();
                for id in &class {
                    let residual = if id == first { residual.clone() } else { one(id) };
                    if !residual.is_false() {
                        apart.entry(residual).or_default().insert(id);
                    }
                }
                out.extend(apart.into_iter().map(|(residual, ids)| (ids, residual)));
                continue;
            }
            if class.len() == 1 || asked.is_subset(&alike_in) {
                if !residual.is_false() {
                    out.push((class, residual));
                }
                continue;
            }
            asked.extend(alike_in);
            let by_tags = self.by_tags(kind, &class, &asked);
            waiting.extend(by_tags.into_iter().map(|class| (class, asked.clone())));
        }
        out
    }

    /// Whether objects have the attributes that they had.
    pub(super) fn keeps_attributes(&self) -> bool {
        self.view.edits.no_mfa.is_empty() && self.view.edits.organization.is_empty()
    }

    /// Parts objects by the values of these attributes.
    fn by_attributes<'n>(
        &self,
        kind: &str,
        class: RoaringBitmap,
        attributes: impl Iterator<Item = &'n Arc<str>>,
    ) -> Vec<RoaringBitmap> {
        let Some(of_kind) = self.search.index.objects.of_kind(kind) else { return Vec::new() };
        attributes.fold(vec![class], |classes, attribute| {
            let parts = of_kind.by_attribute(attribute, |id| {
                let object = self.view.object(ObjectId(id));
                object.map_or(Ok(Vec::new()), |object| self.view.attribute(object, attribute))
            });
            classes.iter().flat_map(|class| parts.split(class)).collect()
        })
    }

    /// Parts objects by what is left to be true of each when a decision left their tags open.
    /// `None` if some value is not known.
    fn by_open_tags(
        &self,
        kind: &str,
        class: &RoaringBitmap,
        residual: &Residual,
    ) -> Option<Classes> {
        let of_kind = self.search.index.objects.of_kind(kind)?;
        let mut atoms = residual.atoms();
        atoms.retain(|atom| &*atom.variable().scope == OPEN_TAG_SCOPE);
        let mut parts: Vec<(RoaringBitmap, Vec<bool>)> = vec![(class.clone(), Vec::new())];
        for atom in &atoms {
            let tag = &atom.variable().name;
            let passing = of_kind.passing(atom, |id| {
                let object = self.view.object(ObjectId(id));
                object.map_or(Input::Absent, |object| self.view.tag(ObjectId(id), object, tag))
            })?;
            parts = parts
                .into_iter()
                .flat_map(|(ids, values)| {
                    [(&ids & &*passing, true), (&ids - &*passing, false)]
                        .map(|(ids, value)| (ids, [&values[..], &[value]].concat()))
                })
                .filter(|(ids, _)| !ids.is_empty())
                .collect();
        }
        let left = parts.into_iter().map(|(ids, values)| {
            let known = |atom: &Atom| {
                let at = atoms.iter().position(|known| **known == *atom)?;
                values.get(at).copied().map(Residual::constant)
            };
            (ids, residual.substitute(&known))
        });
        Some(left.filter(|(_, residual)| !residual.is_false()).collect())
    }

    /// Parts objects by the values of these tags.
    fn by_tags(
        &self,
        kind: &str,
        class: &RoaringBitmap,
        tags: &BTreeSet<Arc<str>>,
    ) -> Vec<RoaringBitmap> {
        let value = |id: u32, tag: &str| {
            let object = self.view.object(ObjectId(id));
            object.map_or(Input::Absent, |object| self.view.tag(ObjectId(id), object, tag))
        };
        if let (true, Some(of_kind)) =
            (self.view.edits.tags.is_empty(), self.search.index.objects.of_kind(kind))
        {
            return tags.iter().fold(vec![class.clone()], |classes, tag| {
                let values = of_kind.by_tag(tag, |id| value(id, tag));
                classes.iter().flat_map(|class| values.split(class)).collect()
            });
        }
        let mut parts: BTreeMap<Vec<Input>, RoaringBitmap> = BTreeMap::new();
        for id in class {
            let values = tags.iter().map(|tag| value(id, tag)).collect();
            parts.entry(values).or_default().insert(id);
        }
        parts.into_values().collect()
    }

    /// Parts the objects into classes for which a call's decision can only differ by keys whose
    /// values are of the object.
    fn alike(
        &self,
        call: &RuleCall,
        kind: &str,
        slot: usize,
        objects: &RoaringBitmap,
    ) -> Vec<RoaringBitmap> {
        let Some(of_kind) = self.search.index.objects.of_kind(kind) else { return Vec::new() };
        let by_place = of_kind.places.split(objects);
        if call.is_about_place() {
            return by_place;
        }
        let alone = call.is_on(slot) && call.federated.is_none();
        let besides = call.besides.iter().map(|more| (more.action_bit, &more.action_lowercase));
        let said: Vec<Rc<Said<'_>>> = std::iter::once((call.action_bit, &call.action_lowercase))
            .chain(besides)
            .map(|(bit, lowercase)| self.said(bit, lowercase))
            .collect();
        let told_apart: Option<Vec<_>> = said.iter().map(|said| said.told_apart.as_ref()).collect();
        let (true, Some(told_apart)) = (alone, told_apart) else {
            return objects.iter().map(|id| RoaringBitmap::from_iter([id])).collect();
        };
        let mut classes = by_place;
        for patterns in told_apart.into_iter().flatten() {
            let matching = self.matching(kind, patterns);
            classes = classes
                .iter()
                .flat_map(|class| [class & &matching, class - &matching])
                .filter(|class| !class.is_empty())
                .collect();
        }
        // Where objects' own policies have no say they tell nothing apart.
        let granted = !self.view.edits.granted.is_empty();
        if !(granted || governs(kind, &call.action_lowercase)) {
            return classes;
        }
        classes.iter().flat_map(|class| self.by_own_policy(call, class)).collect()
    }

    /// Parts objects by the policy of their own that the call is checked against.
    fn by_own_policy(&self, call: &RuleCall, class: &RoaringBitmap) -> Vec<RoaringBitmap> {
        let mut parts: BTreeMap<(u8, u32), RoaringBitmap> = BTreeMap::new();
        // Resource control policies do not bind the keys that AWS manages.
        let by_manager =
            call.action_lowercase.starts_with("kms:") && !self.search.resource_control.is_empty();
        for id in class {
            if by_manager || self.view.edits.granted.contains_key(&ObjectId(id)) {
                parts.entry((2, id)).or_default().insert(id);
                continue;
            }
            let key = match self.own_policy(&call.action_lowercase, Some(ObjectId(id))) {
                ResourcePolicy::Absent => (0, 0),
                // A trust policy has no resource element: the same text says the same.
                ResourcePolicy::Present(in_force)
                    if in_force.policy.is_ok_and(|policy| {
                        policy.statements().iter().all(|s| s.resource_element().is_none())
                    }) =>
                {
                    match in_force.policy.ok().and_then(|p| self.search.ground.document_of(p)) {
                        Some(document) => (1, document.0),
                        None => (2, id),
                    }
                }
                ResourcePolicy::Present(_) | ResourcePolicy::Unknown(_) => (2, id),
            };
            parts.entry(key).or_default().insert(id);
        }
        parts.into_values().collect()
    }
}

/// Whether a statement is about every resource.
fn is_everywhere(statement: &Statement) -> bool {
    let any = |template: &Template| template.fixed().is_some_and(Pattern::is_any);
    match statement.resource_element() {
        None => true,
        Some(element) => !element.negated && element.patterns.iter().any(any),
    }
}

/// The resource patterns of a statement, variables that are the caller's own filled in.
fn resources<'a>(statement: &'a Statement, context: &dyn Context) -> Patterns<'a> {
    let mut out = Vec::new();
    for template in statement.resources() {
        if let Some(pattern) = template.fixed() {
            out.push(Cow::Borrowed(pattern));
            continue;
        }
        let mut open = false;
        let pattern = template.with_values(|variable| {
            if !depends_on_caller(&variable.key) && !variable.key.starts_with("aws:principal") {
                open = true;
                return None;
            }
            match context.get(&variable.key) {
                Input::One(value) => Some(value),
                Input::Absent => variable.default.as_deref().map(Into::into),
                Input::Many(_)
                | Input::Free { .. }
                | Input::Template { .. }
                | Input::IfPresent { .. }
                | Input::Unknown(_) => {
                    open = true;
                    None
                }
            }
        });
        if open {
            return None;
        }
        out.extend(pattern.map(Cow::Owned));
    }
    Some(out)
}
