//! Who can apply which rule to what: the rules tried for a principal over the objects of the world.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, RwLock};

use escalade_models::{ContextKeys, ResourceKinds};

use super::actor::Actor;
use super::binding::{Binding, NoText, Reader, Text};
use super::gain::{self, Gained};
use super::index::{Actions, Class, Index};
use super::rule::{Expression, Part, Rule, RuleCall, RuleGain, Rules, Truster};
use crate::authorization::{
    Caller, Edits, Ground, Pins, Request, Resource, View, administrator, authorize, fold_time,
};
use crate::reachability::{Decided, Help, Level, Variant};
use crate::residual::{Gap, Residual, VariableKind};
use crate::snapshot::{AccountIndex, Detail, DocumentId, Object, ObjectId, PolicySource};
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
    /// Objects that stand for kinds that were not listed, by kind.
    unlisted: BTreeMap<Arc<str>, Vec<ObjectId>>,
    service_trust: RwLock<HashMap<TrustKey, Residual>>,
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
        let index = Index::new(ground.world, &rules);
        let avoided = vec![false; rules.rules.len()];
        let mut unlisted: BTreeMap<Arc<str>, Vec<ObjectId>> = BTreeMap::new();
        for (id, object) in ground.unlisted() {
            unlisted.entry(object.kind.clone()).or_default().push(id);
        }
        Self {
            ground,
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
        let check = super::actor::Check {
            resource: Resource::Literal("*".into()),
            object: None,
            account: None,
            region: "us-east-1".into(),
            determined: BTreeMap::new(),
            gap: None,
        };
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
        let Some(group) = rule.groups.get(help.group) else { return Residual::False };
        let Some(actor) = Actor::new(self, view, variant.principal) else { return Residual::False };
        let mut residual = help.residual.clone();
        for at in &group.calls {
            let Some(call) = rule.calls.get(*at) else { return Residual::False };
            residual = residual.and(actor.call(rule, call, &help.binding));
            if residual.is_false() {
                return residual;
            }
        }
        residual
    }

    /// The actions that an actor's identity policies are about, by the documents' own tables.
    fn actions_of(&self, actor: &Actor<'_, '_>) -> Actions {
        let mut out = self.index.granted.clone();
        for in_force in &actor.applicable.identity {
            match in_force.policy {
                Ok(policy) => match self.document_of(policy) {
                    Some(actions) => out.extend(actions),
                    None => out.extend(&Actions::allowed_by(policy, &self.rules)),
                },
                Err(_) => (0..self.rules.actions.len()).for_each(|at| out.insert(at)),
            }
        }
        out
    }

    /// The table of a document, recognised by its address in the world.
    fn document_of(&self, policy: &crate::policy::Policy) -> Option<&Actions> {
        let at = self.ground.position_of(policy)?;
        self.index.allowed.get(at)
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
        let actions = self.actions_of(&actor);
        let mut out = Vec::new();
        let mut walk = Walk {
            search: self,
            actor: &actor,
            shared: variant.shared,
            select,
            certain: HashSet::new(),
            known: Known::new(),
        };
        for (at, rule) in self.rules.rules.iter().enumerate() {
            if self.avoided.get(at).copied().unwrap_or(false) {
                continue;
            }
            let Some(first) = rule.groups.first() else { continue };
            let unsigned = matches!(actor.caller, Caller::Anonymous);
            let about = first.calls.iter().filter_map(|call| rule.calls.get(*call)).all(|call| {
                if unsigned { call.permission.is_some() } else { actions.contains(call.action_bit) }
            });
            let over = match select {
                Select::Special => rule.first_of_kinds(self.index.special_kinds()).is_some(),
                Select::Only(object, _) => actor
                    .view
                    .object(object)
                    .is_some_and(|object| rule.slots.iter().any(|slot| slot.kind == object.kind)),
                _ => true,
            };
            let on_demand = matches!(select, Select::Holder(_));
            let newly = variant.newly.as_ref().is_none_or(|newly| {
                let all = rule.groups.iter().flat_map(|group| &group.calls);
                let mut calls = all.filter_map(|call| rule.calls.get(*call));
                calls.any(|call| newly.contains(call.action_bit))
            });
            if about && over && newly && rule.holder().is_some() == on_demand {
                walk.rule(at, rule, &mut out);
            }
        }
        (actions, out)
    }

    /// Whether policies that are about these actions may let somebody change a principal's
    /// permissions.
    pub fn edits_principals(&self, actions: &Actions) -> bool {
        self.rules.rules.iter().filter(|rule| rule.holder().is_some()).any(|rule| {
            rule.groups.first().is_some_and(|group| {
                let calls = group.calls.iter().filter_map(|at| rule.calls.get(*at));
                calls.into_iter().all(|call| actions.contains(call.action_bit))
            })
        })
    }

    /// The actions that the calls of a further group need.
    pub fn actions_needed(&self, help: &Help) -> Actions {
        let mut out = Actions::default();
        let Some(rule) = self.rules.rules.get(help.rule) else { return out };
        for at in rule.groups.get(help.group).into_iter().flat_map(|group| &group.calls) {
            if let Some(call) = rule.calls.get(*at) {
                out.insert(call.action_bit);
            }
        }
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
            let calls = rule.groups.get(group).map_or(&[][..], |group| &group.calls);
            for (slot, object) in binding.objects.iter_mut().enumerate() {
                let mentioned =
                    calls.iter().filter_map(|at| rule.calls.get(*at)).any(|c| c.mentions(slot));
                if !mentioned {
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

    /// When a service may assume the role, by its trust policy.
    ///
    /// - `source`: the resource on whose behalf the service acts, as far as it is known.
    ///
    /// Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html>.
    pub fn trusts_service(
        &self,
        view: &View<'_, '_>,
        role: ObjectId,
        service: &Arc<str>,
        source: &Resource,
    ) -> Residual {
        let Some(object) = view.object(role) else { return Residual::False };
        let Detail::Role(detail) = &object.detail else { return Residual::False };
        let document = match &detail.trust {
            Ok(document) => *document,
            Err(gap) => return Residual::Unknown(gap.clone()),
        };
        let account: Arc<str> = view.account_of(object).unwrap_or_default().into();
        let key = (document, service.clone(), account.clone());
        // The source only matters to trust policies with conditions, which are decided each time.
        let plain = view
            .ground
            .world
            .documents
            .get(document.0 as usize)
            .and_then(|document| document.policy.as_ref().ok())
            .is_some_and(|policy| policy.statements().iter().all(|s| s.conditions().is_empty()));
        if plain
            && let Ok(known) = self.service_trust.read()
            && let Some(residual) = known.get(&key)
        {
            return residual.clone();
        }
        let caller = Caller::Service(service.clone());
        let mut determined: BTreeMap<Arc<str>, crate::authorization::Input> = BTreeMap::new();
        determined
            .insert("aws:sourceaccount".into(), crate::authorization::Input::One(account.clone()));
        determined.insert("aws:sourcearn".into(), super::actor::input_of(source));
        let resource = Resource::Literal(object.arn.clone());
        let context = crate::authorization::CallContext {
            keys: self.keys,
            view: *view,
            action: "sts:assumerole",
            caller: &caller,
            principal: None,
            resource: &resource,
            object: Some(role),
            resource_account: Some(&account),
            region: object.region.as_deref().unwrap_or("us-east-1"),
            determined: &determined,
            pins: &self.pins,
        };
        let applicable = crate::authorization::Applicable {
            identity: Vec::new(),
            boundary: None,
            session: None,
            service_control: Vec::new(),
            resource_control: Vec::new(),
            resource: view.own_policy(role, None),
        };
        let residual = authorize(
            &Request {
                caller: &caller,
                action: "sts:AssumeRole",
                resource: &resource,
                resource_account: Some(&account),
                context: &context,
            },
            &applicable,
        )
        .authorized();
        let residual = fold_time(residual, self.ground.not_before);
        if plain && let Ok(mut known) = self.service_trust.write() {
            known.insert(key, residual.clone());
        }
        residual
    }

    /// When a role may assume another one, by its own policies and the other's trust policy.
    pub fn trusts_role(&self, view: View<'_, '_>, role: ObjectId, other: ObjectId) -> Residual {
        let (Some(actor), Some(object)) = (Actor::new(self, view, other), view.object(role)) else {
            return Residual::False;
        };
        let check = super::actor::Check {
            resource: Resource::Literal(object.arn.clone()),
            object: Some(role),
            account: view.account_of(object).map(Arc::from),
            region: "us-east-1".into(),
            determined: BTreeMap::new(),
            gap: None,
        };
        actor.decide("sts:AssumeRole", "sts:assumerole", &check).authorized()
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

/// One walk over the bindings of rules for one actor.
struct Walk<'a, 'w> {
    search: &'a Search<'w>,
    actor: &'a Actor<'a, 'w>,
    shared: bool,
    select: Select,
    /// What is gained for certain already: technique and the objects that its gains are about.
    certain: HashSet<(usize, Vec<ObjectId>)>,
    known: Known,
}

/// What is left of the candidates of slots by themselves: by technique, slot and region, for the
/// calls that were asked.
type Known = HashMap<(usize, usize, Arc<str>), Vec<(Vec<RuleCall>, Left)>>;

/// Candidates that are left, each with what is left to be true of it.
type Left = Arc<Vec<(ObjectId, Residual)>>;

/// A rule on its way through a walk.
struct Trial<'r> {
    at: usize,
    rule: &'r Rule,
    gain_slots: Vec<usize>,
    /// For slots that are not found through others: the objects that pass the checks that are
    /// about them alone, with what is left of these.
    alone: Vec<Option<Left>>,
}

impl Walk<'_, '_> {
    fn reader<'r>(&'r self, rule: &'r Rule) -> Reader<'r, 'r> {
        Reader { view: self.actor.view, kinds: self.search.kinds, rule }
    }

    fn rule(&mut self, at: usize, rule: &Rule, out: &mut Vec<Outcome>) {
        let object = self.actor.view.object(self.actor.principal);
        let Some(account) = object.map(|object| object.account) else { return };
        let world = self.search.ground.world;
        let regions = world.accounts.get(account.0 as usize).map_or(&[][..], |a| &a.regions);
        let regional = rule.new.iter().any(|new| {
            let kind = self.search.kinds.get(&new.kind);
            kind.is_some_and(|kind| kind.arn.contains("{region}"))
        }) || rule
            .calls
            .iter()
            .any(|call| call.resources.iter().any(|e| e.0.contains(&Part::Region)));
        let default: Arc<str> = "us-east-1".into();
        let candidates: Vec<Arc<str>> = match (regional, regions) {
            (true, [_, ..]) => regions.to_vec(),
            _ => vec![default],
        };
        for region in candidates {
            let before = out.len();
            let binding = Binding { objects: Vec::new(), account, region };
            if let Some(trial) = self.trial(at, rule, &binding) {
                self.slot(&trial, binding, Residual::True, out);
            }
            // What works in one region is not shown for the others.
            if out.len() > before {
                break;
            }
        }
    }

    /// Prepares a rule: for each slot by itself the objects that are left of its candidates.
    /// `None` if a slot has none.
    fn trial<'r>(&mut self, at: usize, rule: &'r Rule, place: &Binding) -> Option<Trial<'r>> {
        let calls = rule.groups.first().map_or(&[][..], |group| &group.calls);
        let calls = || calls.iter().filter_map(|at| rule.calls.get(*at));
        let mut open = place.clone();
        if !calls()
            .filter(|call| call.mentioned.is_empty())
            .all(|call| !self.actor.call(rule, call, &open).is_false())
        {
            return None;
        }
        let mut alone = Vec::with_capacity(rule.slots.len());
        for (slot, description) in rule.slots.iter().enumerate() {
            let joined =
                description.matchers.iter().any(|(_, m)| super::index::joined(m).is_some());
            if description.from.is_some() || joined || rule.is_deferred(slot) {
                alone.push(None);
                open.objects.push(ObjectId(u32::MAX));
                continue;
            }
            let about: Vec<&RuleCall> = calls().filter(|call| call.mentions(slot)).collect();
            let left = self.alone(rule, &mut open, slot, &about);
            if left.is_empty() {
                return None;
            }
            alone.push(Some(left));
            open.objects.push(ObjectId(u32::MAX));
        }
        Some(Trial { at, rule, gain_slots: rule.gain_slots(), alone })
    }

    /// The candidates of a slot that pass the calls that are about it alone. Rules of one technique
    /// share most of this: what was worked out for one is taken for the next.
    fn alone(&mut self, rule: &Rule, open: &mut Binding, slot: usize, about: &[&RuleCall]) -> Left {
        let key = (rule.technique, slot, open.region.clone());
        if let Some((_, known)) = self.known.get(&key).into_iter().flatten().find(|(calls, _)| {
            calls.len() == about.len() && calls.iter().zip(about).all(|(a, b)| a == *b)
        }) {
            return known.clone();
        }
        let mut left = Vec::new();
        // Calls on resources that are made beside the object differ by its place alone.
        let mut beside: HashMap<(AccountIndex, Option<Arc<str>>), Residual> = HashMap::new();
        for (candidate, given) in self.candidates(rule, open, slot) {
            let Some(object) = self.actor.view.object(candidate) else { continue };
            if !self.selected(candidate) {
                continue;
            }
            open.objects.push(candidate);
            let decide = |residual: Residual, place: bool| {
                let alone = about.iter().filter(|call| call.mentioned == [slot]);
                alone.filter(|call| call.is_about_place() == place).fold(
                    residual,
                    |residual, call| {
                        if residual.is_false() {
                            return residual;
                        }
                        residual.and(self.actor.call(rule, call, open))
                    },
                )
            };
            let place = (object.account, object.region.clone());
            let there = beside.entry(place).or_insert_with(|| decide(Residual::True, true)).clone();
            let residual = decide(given.and(there), false);
            open.objects.pop();
            if !residual.is_false() {
                left.push((candidate, residual));
            }
        }
        let left = Arc::new(left);
        let calls = about.iter().map(|call| (*call).clone()).collect();
        self.known.entry(key).or_default().push((calls, left.clone()));
        left
    }

    /// Binds the next slot, or finishes.
    fn slot(
        &mut self,
        trial: &Trial<'_>,
        binding: Binding,
        so_far: Residual,
        out: &mut Vec<Outcome>,
    ) {
        let rule = trial.rule;
        let slot = binding.objects.len();
        let so_far = so_far.and(self.ready_calls(trial, &binding));
        if so_far.is_false() || self.is_certain(trial, &binding) || self.is_weaker(rule, &binding) {
            return;
        }
        if slot == rule.slots.len() {
            self.finish(trial, binding, so_far, out);
            return;
        }
        if rule.is_deferred(slot) {
            let mut next = binding;
            next.objects.push(ObjectId(u32::MAX));
            self.slot(trial, next, so_far, out);
            return;
        }
        let candidates = match trial.alone.get(slot) {
            Some(Some(alone)) => alone.clone(),
            _ => Arc::new(self.candidates(rule, &binding, slot)),
        };
        for (candidate, given) in candidates.iter() {
            if !self.selected(*candidate) {
                continue;
            }
            let mut next = binding.clone();
            next.objects.push(*candidate);
            let reader = self.reader(rule);
            let fits = reader.matches(&next, slot);
            if fits.is_false() {
                continue;
            }
            let bound = reader.bind(so_far.clone().and(given.clone()), &next, slot);
            if bound.is_false() {
                continue;
            }
            let residual = bound.and(fits).and(self.trusted(rule, &next, slot));
            if !residual.is_false() {
                self.slot(trial, next, residual, out);
            }
        }
    }

    /// Whether objects whose own policy tells callers apart belong to this walk.
    fn selected(&self, candidate: ObjectId) -> bool {
        !(self.shared
            && self.select == Select::All
            && self.search.index.special().contains(&candidate))
    }

    fn trusted(&self, rule: &Rule, binding: &Binding, slot: usize) -> Residual {
        let (Some(description), Some(role)) = (rule.slots.get(slot), binding.objects.get(slot))
        else {
            return Residual::False;
        };
        if description.trusts.is_empty() {
            return Residual::True;
        }
        let source = rule
            .source()
            .and_then(|part| self.reader(rule).text(binding, &Expression(vec![part])).ok())
            .map_or(Resource::Literal("*".into()), Resource::from);
        Residual::any(description.trusts.iter().map(|who| match who {
            Truster::Service(service) => {
                self.search.trusts_service(&self.actor.view, *role, service, &source)
            }
            Truster::Role(slot) => match binding.objects.get(*slot) {
                Some(other) => self.search.trusts_role(self.actor.view, *role, *other),
                None => Residual::False,
            },
        }))
    }

    /// The calls of the first group whose objects have just become bound, those about one slot
    /// alone excepted: they are decided already.
    fn ready_calls(&self, trial: &Trial<'_>, binding: &Binding) -> Residual {
        let Some(group) = trial.rule.groups.first() else { return Residual::False };
        let bound = binding.objects.len();
        Residual::all(group.calls.iter().filter_map(|at| {
            let call = trial.rule.calls.get(*at)?;
            let decided = match call.mentioned.as_slice() {
                [slot] => trial.alone.get(*slot).is_some_and(Option::is_some),
                _ => false,
            };
            (!decided && call.slots_needed() == bound)
                .then(|| self.actor.call(trial.rule, call, binding))
        }))
    }

    /// Whether what the rule gives under the binding is gained for certain already.
    fn is_certain(&self, trial: &Trial<'_>, binding: &Binding) -> bool {
        if self.certain.is_empty()
            || trial.gain_slots.last().is_none_or(|last| *last >= binding.objects.len())
        {
            return false;
        }
        self.certain.contains(&(trial.rule.technique, gained(&trial.gain_slots, binding)))
    }

    fn finish(
        &mut self,
        trial: &Trial<'_>,
        binding: Binding,
        residual: Residual,
        out: &mut Vec<Outcome>,
    ) {
        let rule = trial.rule;
        let chosen = match self.select {
            Select::All => true,
            Select::Special => {
                binding.objects.iter().any(|object| self.search.index.special().contains(object))
            }
            Select::Only(object, _)
            | Select::Trusting(object)
            | Select::Administered(object)
            | Select::Holder(object) => binding.objects.contains(&object),
        };
        if !chosen || !rule.gives_anything_new(self.actor.principal, &binding) {
            return;
        }
        let mut help = Vec::new();
        let mut all = residual;
        for (group, description) in rule.groups.iter().enumerate().skip(1) {
            let mut own = all.clone();
            for call in description.calls.iter().filter_map(|call| rule.calls.get(*call)) {
                own = own.and(self.actor.call(rule, call, &binding));
                if own.is_false() {
                    break;
                }
            }
            match self.search.level(&own, &[]) {
                Some((level, _)) if level < Level::Unknown => all = own,
                _ => help.push(group),
            }
        }
        let Some((level, _)) = self.search.level(&all, &rule.events) else { return };
        if level == Level::Certain && help.is_empty() {
            self.certain.insert((rule.technique, gained(&trial.gain_slots, &binding)));
        }
        out.push(Outcome { rule: trial.at, binding: Arc::new(binding), residual: all, help });
    }

    /// Whether the stronger technique is certain for the same objects.
    fn is_weaker(&self, rule: &Rule, binding: &Binding) -> bool {
        rule.weaker_than.first().is_some_and(|stronger| {
            let Some(stronger) = self.search.rules.rules.get(*stronger) else { return false };
            let objects: Option<Vec<ObjectId>> = stronger
                .gain_slots()
                .iter()
                .map(|slot| {
                    let name = &stronger.slots.get(*slot)?.name;
                    let own = rule.slots.iter().position(|own| own.name == *name)?;
                    binding.objects.get(own).copied()
                })
                .collect();
            objects.is_some_and(|objects| self.certain.contains(&(stronger.technique, objects)))
        })
    }

    /// The objects to try for a slot, each with what is not known about its being the one.
    fn candidates(&self, rule: &Rule, binding: &Binding, slot: usize) -> Vec<(ObjectId, Residual)> {
        let Some(description) = rule.slots.get(slot) else { return Vec::new() };
        let reader = self.reader(rule);
        if let Some((from, attribute)) = &description.from {
            return self.referred(&reader, binding, slot, *from, attribute);
        }
        let certain = |ids: &[ObjectId]| ids.iter().map(|id| (*id, Residual::True)).collect();
        let of_kind =
            |id: ObjectId| self.actor.view.object(id).is_some_and(|o| o.kind == description.kind);
        match self.select {
            Select::Holder(object) if rule.holder() == Some(slot) => {
                return if of_kind(object) { certain(&[object]) } else { Vec::new() };
            }
            // What the holder is found through.
            Select::Holder(object)
                if let Some((from, attribute)) = rule.holder_from()
                    && from == slot
                    && let Some(holder) = self.actor.view.object(object) =>
            {
                let kind = &description.kind;
                return certain(self.search.index.with_attribute(kind, attribute, &holder.arn));
            }
            Select::Special
                if rule.first_of_kinds(self.search.index.special_kinds()) == Some(slot) =>
            {
                return self
                    .search
                    .index
                    .special()
                    .iter()
                    .filter(|id| of_kind(**id))
                    .map(|id| (*id, Residual::True))
                    .collect();
            }
            Select::Only(object, _) | Select::Administered(object) | Select::Trusting(object)
                if of_kind(object) =>
            {
                return certain(&[object]);
            }
            _ => {}
        }
        for (attribute, matcher) in &description.matchers {
            if let Some(expression) = super::index::joined(matcher)
                && let Ok(Text::Literal(value)) = reader.text(binding, expression)
            {
                let found = self.search.index.with_attribute(&description.kind, attribute, &value);
                return certain(found);
            }
        }
        let mut out: Vec<(ObjectId, Residual)> =
            certain(&super::candidates::candidates(self.search, self.actor, rule, slot));
        if self.select == Select::All {
            let account = self.actor.view.object(self.actor.principal).map(|o| o.account);
            for id in self.search.unlisted(&description.kind) {
                let Some(object) = self.actor.view.object(*id) else { continue };
                if Some(object.account) == account {
                    let gap = Gap(object.name.clone());
                    out.push((*id, Residual::Unknown(gap)));
                }
            }
        }
        out
    }

    /// The objects that an attribute of an object bound before refers to. Of an object that was not
    /// listed, every role that its kind could run as.
    fn referred(
        &self,
        reader: &Reader<'_, '_>,
        binding: &Binding,
        slot: usize,
        from: usize,
        attribute: &str,
    ) -> Vec<(ObjectId, Residual)> {
        let world = self.search.ground.world;
        let (Some(object), Some(description)) =
            (reader.object(binding, from), reader.rule.slots.get(slot))
        else {
            return Vec::new();
        };
        match self.actor.view.attribute(object, attribute) {
            Ok(values) => values
                .iter()
                .filter_map(|value| world.by_arn.get(value))
                .filter(|id| {
                    world.objects.get(id.0 as usize).is_some_and(|o| o.kind == description.kind)
                })
                .map(|id| (*id, Residual::True))
                .collect(),
            Err(gap) => {
                let services = self.search.kinds.get(&object.kind).map(|kind| &kind.service[..]);
                let services: Vec<Arc<str>> =
                    services.unwrap_or_default().iter().map(|s| s.as_str().into()).collect();
                world
                    .of_kind(&description.kind)
                    .iter()
                    .filter(|id| {
                        let other = world.objects.get(id.0 as usize);
                        other.is_some_and(|other| other.account == object.account)
                    })
                    .map(|id| {
                        let trusted = self.runs_as(*id, &services);
                        (*id, Residual::Unknown(gap.clone()).and(trusted))
                    })
                    .collect()
            }
        }
    }

    /// Whether an object of a kind that these services run could run as a role.
    fn runs_as(&self, role: ObjectId, services: &[Arc<str>]) -> Residual {
        let is_role =
            self.actor.view.object(role).is_some_and(|object| &*object.kind == "iam:role");
        if !is_role || services.is_empty() {
            return Residual::True;
        }
        let source = Resource::Literal("*".into());
        Residual::any(
            services.iter().map(|service| {
                self.search.trusts_service(&self.actor.view, role, service, &source)
            }),
        )
    }
}

impl Rule {
    /// The slot and attribute that the holder is found through, if it is.
    pub fn holder_from(&self) -> Option<(usize, &Arc<str>)> {
        let (slot, attribute) = self.slots.get(self.holder()?)?.from.as_ref()?;
        Some((*slot, attribute))
    }

    /// The first slot of one of these kinds.
    fn first_of_kinds(&self, kinds: &BTreeSet<Arc<str>>) -> Option<usize> {
        self.slots.iter().position(|slot| kinds.contains(&slot.kind))
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
    fn gives_anything_new(&self, principal: ObjectId, binding: &Binding) -> bool {
        !self.gains.iter().all(|gain| {
            matches!(gain, RuleGain::Credentials(slot)
                if binding.objects.get(*slot) == Some(&principal))
        })
    }

    /// The resource on whose behalf a service will act with a role: the first new one, or the first
    /// object that is no role.
    fn source(&self) -> Option<Part> {
        if !self.new.is_empty() {
            return Some(Part::New(0));
        }
        self.slots.iter().position(|slot| !slot.kind.starts_with("iam:")).map(Part::Object)
    }
}

/// The objects that the gains of a rule are about.
fn gained(slots: &[usize], binding: &Binding) -> Vec<ObjectId> {
    slots.iter().filter_map(|slot| binding.objects.get(*slot)).copied().collect()
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
