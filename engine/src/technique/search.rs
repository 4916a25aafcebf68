//! Who can apply which rule to what: the rules tried for a principal over the objects of the world.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, RwLock};

use escalade_models::{ContextKeys, ResourceKinds};
use roaring::RoaringBitmap;

use super::actor::Actor;
use super::binding::{Binding, NoText, Reader, Text};
use super::gain::{self, Gained};
use super::index::{Actions, Class, Index};
use super::rule::{Expression, Part, Rule, RuleCall, RuleGain, Rules};
use super::walk::Walk;
use crate::authorization::{
    Caller, Edit, Edits, Ground, InForce, OrganizationEdit, Pins, ResourcePolicy, TagKey, Tagged, View,
    administrator, fold_time, governs,
};
use crate::policy::Policy;
use crate::reachability::{Decided, Help, Level, Variant};
use crate::residual::{Gap, Residual, VariableKind};
use crate::snapshot::{
    AccountIndex, Detail, DocumentId, Object, ObjectId, OwnPolicy, PolicySource, World,
};
use crate::solver::{Solution, Solver};

/// Which applications of rules are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Select {
    /// All, over the snapshot's objects.
    All,
    /// Only over objects whose own policy tells callers apart.
    Special,
    /// Only over this object, which the attacker has made, in a domain that is administered from
    /// inside if one is given.
    Only(ObjectId, Option<ObjectId>),
    /// Only in this OpenSearch domain, administered from inside.
    Administered(ObjectId),
    /// Only over this role, whose trust policy the attacker has written.
    Trusting(ObjectId),
    /// Only over this resource, which the attacker has changed.
    Changed(ObjectId),
    /// Only what changes the permissions of this user or role, as whom the attacker acts.
    Holder(ObjectId),
}

/// An application of a rule that may be authorized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The rule.
    pub rule: usize,
    /// Its objects.
    pub binding: Arc<Binding>,
    /// What is left of the authorization of its calls.
    pub residual: Residual,
    /// Further groups whose calls somebody else must make.
    pub help: Vec<usize>,
}

/// Trust policy, service and account.
type TrustKey = (DocumentId, Arc<str>, Arc<str>);

/// Everything that deciding rules takes, made once for a question.
pub struct Search<'w> {
    /// The snapshot's side.
    pub ground: Ground<'w>,
    /// The rules.
    pub rules: Rules,
    /// Condition keys.
    pub keys: &'w ContextKeys,
    /// Kinds of resource.
    pub kinds: &'w ResourceKinds,
    /// Keys that the user pinned.
    pub pins: Pins,
    /// Decides residuals.
    pub solver: Solver,
    /// Look-up tables.
    pub index: Index,
    /// Titles of techniques, by position.
    pub titles: Vec<Arc<str>>,
    /// Rules that may not be used.
    pub avoided: Vec<bool>,
    /// The objects that the question's call can be about.
    pub goal_objects: RoaringBitmap,
    /// Actions for which each document asks whether its caller has signed in with MFA, if any.
    with_mfa: HashMap<DocumentId, Actions>,
    /// The same of all resources' own policies together.
    own_with_mfa: Actions,
    /// Rules that ask whether a user has an MFA device.
    by_mfa: Vec<usize>,
    /// Kinds of object that calls of rules are checked on by the object's own service.
    used_kinds: BTreeSet<Arc<str>>,
    /// Objects that stand for kinds that were not listed, by kind.
    unlisted: BTreeMap<Arc<str>, Vec<ObjectId>>,
    /// Resource control policies in force somewhere.
    pub(super) resource_control: BTreeSet<DocumentId>,
    pub(super) service_trust: RwLock<HashMap<TrustKey, Residual>>,
    /// What is left of calls that bring a token, by the call's address and its binding.
    pub(super) by_token: RwLock<HashMap<(usize, Binding), Residual>>,
}

impl<'w> Search<'w> {
    /// Prepares to decide `rules` in the world of `ground`.
    pub fn new(
        ground: Ground<'w>,
        rules: Rules,
        keys: &'w ContextKeys,
        kinds: &'w ResourceKinds,
        pins: Pins,
        solver: Solver,
    ) -> Self {
        let mut index = Index::new(ground.world, &rules);
        let endpoints = ground.endpoints.iter();
        if endpoints.filter_map(|end| end.policy.as_ref().ok()).any(Policy::mentions_caller) {
            index.tell_all_apart();
        }
        let avoided = vec![false; rules.rules.len()];
        let mut unlisted: BTreeMap<Arc<str>, Vec<ObjectId>> = BTreeMap::new();
        for (id, object) in ground.unlisted() {
            unlisted.entry(object.kind.clone()).or_default().push(id);
        }
        let used_kinds = used_kinds(&rules);
        let (with_mfa, own_with_mfa) = asked_with_mfa(ground.world, &rules);
        let by_mfa = rules_by_attribute(&rules, "mfa");
        let resource_control = ground.resource_control_documents();
        Self {
            goal_objects: RoaringBitmap::new(),
            used_kinds,
            with_mfa,
            own_with_mfa,
            by_mfa,
            ground,
            resource_control,
            rules,
            keys,
            kinds,
            pins,
            solver,
            index,
            titles: Vec::new(),
            avoided,
            unlisted,
            service_trust: RwLock::new(HashMap::new()),
            by_token: RwLock::new(HashMap::new()),
        }
    }

    /// The class of a principal.
    pub fn class_of(&self, principal: ObjectId) -> Class {
        self.index.class_of(principal)
    }

    /// Whether some object's own policy tells callers apart by condition keys.
    pub fn has_special(&self) -> bool {
        !self.index.special().is_empty()
    }

    /// The users of a group's account.
    pub fn users_beside(&self, group: ObjectId) -> &[ObjectId] {
        match self.ground.world.objects.get(group.0 as usize) {
            Some(group) => self.index.users(group.account),
            None => &[],
        }
    }

    /// Objects of a kind by the value of an indexed attribute.
    pub fn with_attribute(&self, kind: &str, attribute: &str, value: &Arc<str>) -> &[ObjectId] {
        self.index.with_attribute(kind, attribute, value)
    }

    /// What is missing if objects of a kind were not listed that lie within another object.
    pub fn uncollected(&self, within: &Object, kind: &str) -> Option<Gap> {
        let account = self.ground.world.accounts.get(within.account.0 as usize)?;
        account.uncollected_within.get(&(kind.into(), within.arn.clone())).cloned()
    }

    /// Whether OpenSearch ships a role of this name.
    pub fn is_built_in_opensearch_role(&self, name: &str) -> bool {
        super::opensearch::is_built_in(name)
    }

    fn view<'v>(&'v self, edits: &'v Edits, made: &'v [Object]) -> View<'v, 'w> {
        View { ground: &self.ground, made, edits }
    }

    /// Whether a managed policy, in its default or the given version, allows everything.
    pub fn allows_everything(&self, policy: ObjectId, version: Option<usize>) -> bool {
        self.version(policy, version).is_some_and(|in_force| {
            in_force.statements().iter().all(|s| s.effect() == crate::policy::Effect::Allow)
                && in_force.statements().iter().any(|statement| {
                    statement.conditions().is_empty()
                        && !statement.actions().negated
                        && statement.actions().patterns.iter().any(|p| p.text() == "*")
                        && !statement.resources_negated()
                        && statement
                            .resources()
                            .iter()
                            .any(|t| t.fixed().is_some_and(crate::pattern::Pattern::is_any))
                })
        })
    }

    /// Whether a policy allows no action that a technique or the goal needs.
    pub fn adds_nothing(&self, policy: ObjectId) -> bool {
        self.allowed_by_policy(policy, None)
            .is_some_and(|actions| actions.is_subset(&Actions::default()))
    }

    /// The actions that a managed policy, in its default or the given version, allows. `None` if
    /// the snapshot does not hold it.
    pub fn allowed_by_policy(&self, policy: ObjectId, version: Option<usize>) -> Option<&Actions> {
        self.version(policy, version).and_then(|policy| self.document_of(policy))
    }

    /// The actions that each policy of a group allows. `None` if one is not known, or denies.
    pub fn policies_of_group(&self, group: ObjectId) -> Option<Vec<&Actions>> {
        let Detail::Group(policies) = &self.ground.world.objects.get(group.0 as usize)?.detail
        else {
            return None;
        };
        policies
            .iter()
            .map(|attached| match (&attached.source, attached.inline) {
                (PolicySource::Managed(policy), _) => self.allowed_by_policy(*policy, None),
                (PolicySource::Inline(_), Some(document)) => {
                    self.index.allowed.get(document.0 as usize)
                }
                _ => None,
            })
            .collect()
    }

    /// Whether a managed policy's default version has a deny.
    pub fn denies_something(&self, policy: ObjectId) -> bool {
        self.version(policy, None).is_some_and(crate::policy::Policy::has_deny)
    }

    fn version(&self, policy: ObjectId, version: Option<usize>) -> Option<&crate::policy::Policy> {
        let Detail::Policy(managed) = &self.ground.world.objects.get(policy.0 as usize)?.detail
        else {
            return None;
        };
        let (_, document) = managed.versions.get(version.unwrap_or(managed.default))?;
        self.ground.world.documents.get(document.0 as usize)?.policy.as_ref().ok()
    }

    /// When a variant's principal is an administrator of its account.
    pub fn administrator(&self, variant: &Variant, made: &[Object]) -> Residual {
        let view = self.view(&variant.edits, made);
        let Some(actor) = Actor::new(self, view, variant.principal) else { return Residual::False };
        let check = super::actor::Check::of_nothing();
        let context = actor.context("*", &check);
        let residual = administrator(
            &actor.applicable.identity,
            actor.applicable.boundary.as_ref(),
            &context,
            &self.solver,
        );
        fold_time(residual, self.ground.not_before)
    }

    /// The level at which a residual can hold, and what to remember of it; `None` if it cannot.
    pub fn level(&self, residual: &Residual, events: &[Arc<str>]) -> Option<(Level, Decided)> {
        let strongest = if events.is_empty() { Level::Certain } else { Level::Assumed };
        let decided = |gaps: Vec<Gap>| Decided { residual: residual.clone(), gaps };
        match residual {
            Residual::False => return None,
            Residual::True => return Some((strongest, decided(Vec::new()))),
            _ => {}
        }
        let certain = residual.with_gaps(false);
        match self.solver.solve(&certain) {
            Solution::Satisfiable(assignment) => {
                let fixed = substitute_chosen(&certain, &assignment);
                let always = match fixed {
                    Residual::True => true,
                    _ => matches!(self.solver.solve(&fixed.negate()), Solution::Unsatisfiable),
                };
                let level = if always { strongest } else { Level::Assumed };
                return Some((level, decided(Vec::new())));
            }
            Solution::Unknown(reason) => {
                return Some((Level::Unknown, decided(vec![Gap(reason)])));
            }
            Solution::Unsatisfiable if residual.is_decided() => return None,
            Solution::Unsatisfiable => {}
        }
        match self.solver.solve(&residual.with_gaps(true)) {
            Solution::Unsatisfiable => None,
            Solution::Satisfiable(_) => {
                Some((Level::Unknown, decided(residual.gaps().into_iter().collect())))
            }
            Solution::Unknown(reason) => Some((Level::Unknown, decided(vec![Gap(reason)]))),
        }
    }

    /// What applying a rule gives.
    pub fn gains(&self, rule: usize, binding: &Binding, made: &[Object]) -> Vec<Gained> {
        let Some(rule) = self.rules.rules.get(rule) else { return Vec::new() };
        let edits = Edits::default();
        let view = self.view(&edits, made);
        gain::gains(&Reader { view, kinds: self.kinds, rule }, binding)
    }

    /// What is left of the authorization of a further group's calls when another principal makes
    /// them, together with what the first group left open.
    pub fn help(&self, variant: &Variant, made: &[Object], help: &Help) -> Residual {
        let view = self.view(&variant.edits, made);
        let Some(rule) = self.rules.rules.get(help.rule) else { return Residual::False };
        let Some(mut actor) = Actor::new(self, view, variant.principal) else {
            return Residual::False;
        };
        actor.mandated = variant.mandated.as_deref();
        let mut residual = help.residual.clone();
        for call in rule.calls_of(help.group) {
            residual = residual.and(actor.call(rule, call, &help.binding));
            if residual.is_false() {
                return residual;
            }
        }
        residual
    }

    /// The actions that an actor may be allowed, by the tables of the documents in force: those of
    /// its identity policies within its boundary, and those that resources' own policies grant; all
    /// within the service control policies, and without what is denied whatever the resource.
    fn actions_of(&self, actor: &Actor<'_, '_>) -> Actions {
        let policies = &actor.applicable;
        let mut out = self.allowed_by_some(&policies.identity);
        if let Some(boundary) = &policies.boundary {
            out.keep(&self.allowed_by_some(std::slice::from_ref(boundary)));
        }
        out.extend(&self.index.granted);
        let linked = actor.view.object(actor.principal).is_some_and(Object::is_service_linked);
        let levels: &[_] = if linked { &[] } else { &policies.service_control };
        for level in levels {
            out.keep(&self.allowed_by_some(level));
        }
        let identity = policies.identity.iter().chain(&policies.boundary);
        for in_force in identity.chain(levels.iter().flatten()) {
            let Ok(policy) = in_force.policy else { continue };
            let document = self.ground.document_of(policy);
            match document.and_then(|at| self.index.forbidden.get(at.0 as usize)) {
                Some(actions) => out.remove(actions),
                None => out.remove(&Actions::forbidden_by(policy, &self.rules)),
            }
        }
        match actor.mandated {
            Some(mandated) => mandated.of(&out),
            None => out,
        }
    }

    /// The actions that some of these policies allow somewhere.
    fn allowed_by_some(&self, policies: &[InForce<'_>]) -> Actions {
        let mut out = Actions::default();
        for in_force in policies {
            match in_force.policy {
                Ok(policy) => match self.document_of(policy) {
                    Some(actions) => out.extend(actions),
                    None => out.extend(&Actions::allowed_by(policy, &self.rules)),
                },
                Err(_) => out.extend(&Actions::all(&self.rules)),
            }
        }
        out
    }

    /// The table of a document, recognised by its address in the world.
    fn document_of(&self, policy: &crate::policy::Policy) -> Option<&Actions> {
        let document = self.ground.document_of(policy)?;
        self.index.allowed.get(document.0 as usize)
    }

    /// Tries every rule for the principal of a variant.
    ///
    /// Returns the actions that the principal's policies are about, and what it can do.
    pub fn outcomes(
        &self,
        variant: &Variant,
        made: &[Object],
        select: Select,
    ) -> (Actions, Vec<Outcome>) {
        let edits;
        let edits = match select {
            Select::Trusting(role) => {
                let mut more = variant.edits.clone();
                more.apply(crate::authorization::Edit::TrustPolicy(role));
                edits = more;
                &edits
            }
            _ => &variant.edits,
        };
        let view = self.view(edits, made);
        let Some(mut actor) = Actor::new(self, view, variant.principal) else {
            return (Actions::default(), Vec::new());
        };
        if let Select::Administered(domain) | Select::Only(_, Some(domain)) = select {
            actor.administered = Some(domain);
        }
        actor.mandated = variant.mandated.as_deref();
        let actions = self.actions_of(&actor);
        let changed = match select {
            Select::Changed(object) => actor.view.object(object).map(|object| &*object.kind),
            _ => None,
        };
        let mut out = Vec::new();
        let mut walk = Walk::new(&actor, variant.shared, select);
        for (at, rule) in self.rules.rules.iter().enumerate() {
            if self.avoided.get(at).copied().unwrap_or(false) {
                continue;
            }
            if rule.groups.is_empty() {
                continue;
            }
            let able = |call: &RuleCall| {
                actions.contains(call.action_bit)
                    || call.federated.is_some()
                    || changed.is_some_and(|kind| governs(kind, &call.action_lowercase))
            };
            let unsigned = matches!(actor.caller, Caller::Anonymous);
            let about = rule
                .calls_of(0)
                .all(|call| if unsigned { call.permission.is_some() } else { able(call) });
            let over = match select {
                Select::Special => rule.first_of_kinds(self.index.special_kinds()).is_some(),
                Select::Only(object, _) | Select::Changed(object) => actor
                    .view
                    .object(object)
                    .is_some_and(|object| rule.slots.iter().any(|slot| slot.kind == object.kind)),
                // Nothing else asks for the domain's own access control, or for a trust policy.
                Select::Administered(_) => rule.calls.iter().any(|call| call.permission.is_some()),
                Select::Trusting(_) => {
                    rule.calls.iter().any(|call| call.action_lowercase.starts_with("sts:"))
                }
                _ => true,
            };
            let on_demand = matches!(select, Select::Holder(_));
            let newly = variant.newly.as_ref().is_none_or(|newly| {
                let mut calls = (0..rule.groups.len()).flat_map(|group| rule.calls_of(group));
                calls.any(|call| newly.contains(call.action_bit))
            });
            let in_turn = rule.holder().is_some() == on_demand
                || (on_demand && self.tags_principals(rule).is_some());
            if about && over && newly && in_turn {
                walk.rule(at, rule, &mut out);
            }
        }
        (actions, out)
    }

    /// Whether a principal whose policies are about these actions may use an object of a kind.
    pub fn may_use(&self, variant: &Variant, actions: &Actions, kind: &str) -> bool {
        let principal = self.ground.world.objects.get(variant.principal.0 as usize);
        // An internal user of an OpenSearch domain has no policies.
        if principal.is_none_or(|principal| matches!(principal.detail, Detail::Other)) {
            return true;
        }
        self.rules.rules.iter().any(|rule| {
            rule.slots.iter().any(|slot| &*slot.kind == kind)
                && rule.is_within(actions)
        })
    }

    /// Whether policies that are about these actions may let somebody change a principal's
    /// permissions.
    pub fn edits_principals(&self, actions: &Actions) -> bool {
        let changes =
            |rule: &&Rule| rule.holder().is_some() || self.tags_principals(rule).is_some();
        self.rules.rules.iter().filter(changes).any(|rule| rule.is_within(actions))
    }

    /// The slot of the user or role that a rule tags, if some policy asks for tags of its caller.
    pub(super) fn tags_principals(&self, rule: &Rule) -> Option<usize> {
        if !self.ground.tag_keys().asks_some(Tagged::Principal) {
            return None;
        }
        rule.resource_edited().filter(|slot| {
            rule.slots.get(*slot).is_some_and(|slot| matches!(&*slot.kind, "iam:user" | "iam:role"))
                && rule.gains.iter().any(|gain| matches!(gain, RuleGain::Tag(..)))
        })
    }

    /// The actions that the calls of a further group need.
    pub fn actions_needed(&self, help: &Help) -> Actions {
        let mut out = Actions::default();
        let Some(rule) = self.rules.rules.get(help.rule) else { return out };
        rule.calls_of(help.group).for_each(|call| out.insert(call.action_bit));
        out
    }

    /// The help that an outcome needs for one of its groups: only what the group's calls mention is
    /// kept of the binding, so that it is asked for once.
    pub fn help_wanted(&self, outcome: &Outcome, group: usize, made: &[Object]) -> Help {
        let edits = Edits::default();
        let mut binding = (*outcome.binding).clone();
        if let Some(rule) = self.rules.rules.get(outcome.rule) {
            let reader = Reader { view: self.view(&edits, made), kinds: self.kinds, rule };
            binding.region = reader.region(&outcome.binding).into();
            for (slot, object) in binding.objects.iter_mut().enumerate() {
                if !rule.calls_of(group).any(|call| call.mentions(slot)) {
                    *object = ObjectId(u32::MAX);
                }
            }
        }
        Help {
            rule: outcome.rule,
            group,
            binding: Arc::new(binding),
            residual: outcome.residual.clone(),
        }
    }

    /// Whether changing the own policy or tags of resources of a kind can lead anywhere, besides
    /// those that the question is about.
    pub fn is_worth_changing(&self, kind: &str) -> bool {
        self.used_kinds.contains(kind)
    }

    /// The actions for which some policy asks whether this user has signed in with MFA.
    pub fn asked_with_mfa(&self, user: ObjectId) -> Actions {
        let none = Edits::default();
        let applicable = self.view(&none, &[]).applicable(user);
        let mut out = self.own_with_mfa.clone();
        applicable
            .of_caller()
            .filter_map(|in_force| self.ground.document_of(in_force.policy.ok()?))
            .filter_map(|document| self.with_mfa.get(&document))
            .for_each(|actions| out.extend(actions));
        out
    }

    /// The actions of the rules that a user without MFA device is good for and that somebody with
    /// these actions may apply.
    pub fn good_without_mfa(&self, actions: &Actions) -> Actions {
        let mut out = Actions::default();
        for rule in self.by_mfa.iter().filter_map(|at| self.rules.rules.get(*at)) {
            if rule.is_within(actions) {
                rule.calls_of(0).for_each(|call| out.insert(call.action_bit));
            }
        }
        out
    }

    /// The tags of resources that the policies on the side of a variant's principal ask for, and
    /// those that resource control policies do.
    pub fn tags_asked(&self, variant: &Variant) -> BTreeSet<TagKey> {
        let view = self.view(&variant.edits, &[]);
        let applicable = view.applicable(variant.principal);
        let mut out = BTreeSet::new();
        applicable
            .of_caller()
            .filter_map(|in_force| self.ground.document_of(in_force.policy.ok()?))
            .chain(self.resource_control.iter().copied())
            .for_each(|document| {
                out.extend(self.ground.tag_keys().asked_by(document, Tagged::Resource));
            });
        out
    }

    /// Whether a resource's own policy asks for one of its tags.
    pub fn resource_asks(&self, resource: ObjectId, key: TagKey) -> bool {
        let none = Edits::default();
        let view = self.view(&none, &[]);
        let ResourcePolicy::Present(InForce { policy: Ok(policy), .. }) =
            view.own_policy(resource, None)
        else {
            return false;
        };
        self.ground.document_of(policy).is_some_and(|document| {
            let mut asked = self.ground.tag_keys().asked_by(document, Tagged::Resource);
            asked.any(|asked| asked == key)
        })
    }

    /// Whether an edit of the organization changes what binds the principals of an account, or the
    /// resources of any.
    pub fn concerns(&self, edit: OrganizationEdit, account: AccountIndex) -> bool {
        let world = self.ground.world;
        let edits = Edits::of([Edit::Organization(edit)]);
        let after = View { ground: &self.ground, made: &[], edits: &edits };
        let none = Edits::default();
        let before = View { ground: &self.ground, made: &[], edits: &none };
        let same = |one: Vec<Vec<InForce<'_>>>, other: Vec<Vec<InForce<'_>>>| {
            let at = |in_force: &InForce<'_>| in_force.policy.ok().map(std::ptr::from_ref);
            one.iter().flatten().map(at).eq(other.iter().flatten().map(at))
                && one.len() == other.len()
        };
        let own = world.accounts.get(account.0 as usize).is_some_and(|account| {
            !same(before.service_control(&account.id), after.service_control(&account.id))
                || after.has_left(&account.id)
        });
        own || world.accounts.iter().any(|account| {
            !same(
                before.resource_control_levels(&account.id),
                after.resource_control_levels(&account.id),
            )
        })
    }

    /// How decisions were made so far.
    pub fn statistics(&self) -> crate::answer::Statistics {
        let counts = self.solver.statistics();
        crate::answer::Statistics {
            folded: counts.folded,
            remembered: counts.remembered,
            cheap: counts.cheap,
            solved: counts.solver,
            undecided: counts.unknown,
        }
    }

    /// Objects that stand for those of a kind that was not listed in an account.
    pub fn unlisted(&self, kind: &str) -> &[ObjectId] {
        self.unlisted.get(kind).map_or(&[], Vec::as_slice)
    }
}

/// The actions for which each document asks for MFA, and all resources' own policies together.
fn asked_with_mfa(world: &World, rules: &Rules) -> (HashMap<DocumentId, Actions>, Actions) {
    let mut by_document = HashMap::new();
    for (at, document) in world.documents.iter().enumerate() {
        let Ok(policy) = &document.policy else { continue };
        let actions = Actions::asked_with_mfa(policy, rules);
        if !actions.is_empty() {
            by_document.insert(DocumentId(u32::try_from(at).unwrap_or(u32::MAX)), actions);
        }
    }
    let mut own = Actions::default();
    for object in &world.objects {
        let document = match (&object.detail, &object.policy) {
            (Detail::Role(role), _) => role.trust.as_ref().ok(),
            (_, OwnPolicy::Present(document)) => Some(document),
            _ => None,
        };
        if let Some(actions) = document.and_then(|document| by_document.get(document)) {
            own.extend(actions);
        }
    }
    (by_document, own)
}

/// The rules that ask for an attribute of an object.
fn rules_by_attribute(rules: &Rules, attribute: &str) -> Vec<usize> {
    let asks = |rule: &Rule| {
        rule.slots.iter().flat_map(|slot| &slot.matchers).any(|(name, _)| **name == *attribute)
    };
    rules.rules.iter().enumerate().filter(|(_, rule)| asks(rule)).map(|(at, _)| at).collect()
}

/// Kinds of object that some rule's call is checked on, where that call is one that the object's
/// own policy governs or that asks for its tags.
fn used_kinds(rules: &Rules) -> BTreeSet<Arc<str>> {
    let mut out = BTreeSet::new();
    for rule in rules.rules.iter().filter(|rule| rule.resource_edited().is_none()) {
        for part in rule.calls.iter().flat_map(|call| &call.resources).flat_map(|text| &text.0) {
            if let Part::Object(slot) = part
                && let Some(slot) = rule.slots.get(*slot)
            {
                out.insert(slot.kind.clone());
            }
        }
    }
    out
}

/// The formula with the values that the assignment gives to chosen inputs.
pub fn substitute_chosen(residual: &Residual, assignment: &crate::solver::Assignment) -> Residual {
    residual.substitute(&|atom| {
        let variable = atom.variable();
        if variable.kind != VariableKind::Chosen {
            return None;
        }
        assignment.get(variable).map(|value| Residual::constant(crate::solver::holds(atom, value)))
    })
}

/// Text of an expression for display, with names of new resources as they are.
pub fn shown(reader: &Reader<'_, '_>, binding: &Binding, expression: &Expression) -> Arc<str> {
    match reader.text(binding, expression) {
        Ok(Text::Literal(text)) => text,
        Ok(Text::Template(prefix, variable, suffix)) => {
            format!("{prefix}{}{suffix}", variable.name).into()
        }
        Err(NoText::Absent) => "".into(),
        Err(NoText::Unknown(gap)) => gap.0,
    }
}
