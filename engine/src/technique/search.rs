//! Who can apply which rule to what: the rules tried for a principal over the objects of the world.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use escalade_models::{ContextKeys, ResourceKinds};
use foldhash::HashMap;
use roaring::RoaringBitmap;

use super::actions::Actions;
use super::actor::Actor;
use super::binding::{Binding, NoText, Reader, Text, arn_of};
use super::called_on::CalledOn;
use super::classes::Class;
use super::findable::Findable;
use super::footing::{Footings, Governed};
use super::gain::{self, Gained};
use super::goal_targets::like;
use super::helping::SharedHelp;
use super::index::Index;
use super::new_names::NewNames;
use super::object_sets::Remembered;
use super::regions::Regions;
use super::relief::asks_for_paths;
use super::role_trust::ServiceTrust;
use super::rule::{Expression, Rule, RuleCall, Slot};
use super::rules::Rules;
use super::same_say::SameSay;
use super::selected_rules::SelectedRules;
use super::walk::{Left, Walk};
use super::ways_out::WaysOut;
use super::with_mfa::WithMfa;
use super::without_policy::LettingIn;
use super::worth_changing::{unused, used_kinds};
use super::written_policies::Written;
use crate::authorization::{
    Caller, Edits, Ground, InForce, Pins, Tagged, View, administrator, fold_time, governs,
    is_token_call,
};
use crate::pattern::Pattern;
use crate::policy::{Policy, is_of_session, tells_callers_apart};
use crate::reachability::{Decided, Level, Variant};
use crate::residual::{Gap, Residual, VariableKind};
use crate::snapshot::{AccountIndex, Detail, DocumentId, OUTSIDE, Object, ObjectId, Organization};
use crate::solver::{Solution, Solver};

/// Which applications of rules are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Select<'s> {
    /// All, over the snapshot's objects.
    All,
    /// All that is a step ahead for who is on the way to another account.
    Out(&'s WaysOut),
    /// Only over objects whose own policy may treat the principal unlike others that are alike.
    Apart,
    /// Only over this object, which the attacker has made, in a domain that is administered from
    /// inside if one is given.
    Only(ObjectId, Option<ObjectId>),
    /// Only in this OpenSearch domain, administered from inside.
    Administered(ObjectId),
    /// Only over this role, whose trust policy the attacker has written.
    Trusting(ObjectId),
    /// Only where a service is to assume this role, whose trust policy the attacker has written.
    Serving(ObjectId),
    /// Only over this resource, which the attacker has changed.
    Changed(ObjectId),
    /// The same, only where the resource's own policy has a say.
    ChangedApart(ObjectId),
    /// Only what changes the permissions of these users and roles, as whom the attacker acts.
    Holders(&'s RoaringBitmap),
}

impl Select<'_> {
    /// Whether all objects of the snapshot are looked at, by whoever the principal is.
    pub(super) fn is_whole(self) -> bool {
        matches!(self, Self::All | Self::Out(_))
    }

    /// Whether objects that were not listed are looked at as well.
    pub(super) fn looks_everywhere(self) -> bool {
        self.is_whole() || matches!(self, Self::Serving(_))
    }
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
    /// Whether it works for certain, without anybody's help.
    pub certain: bool,
}

/// Rule and account.
type TokenKey = (usize, AccountIndex);

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
    /// The objects whose own policies decide the question's call: what it can be about, and the keys
    /// of that.
    pub goal_objects: RoaringBitmap,
    pub(super) mfa: WithMfa,
    /// Kinds of object that calls of rules are checked on by the object's own service.
    pub(super) used_kinds: BTreeSet<Arc<str>>,
    /// By kind, the objects that rules have no use for.
    pub(super) unused: HashMap<Arc<str>, RoaringBitmap>,
    /// Objects that stand for kinds that were not listed, by kind.
    pub(super) unlisted: BTreeMap<Arc<str>, Vec<ObjectId>>,
    /// Resource control policies in force somewhere.
    pub(super) resource_control: BTreeSet<DocumentId>,
    /// Checks of calls decided so far.
    pub(super) decisions: AtomicU64,
    pub(super) service_trust: RwLock<HashMap<TrustKey, Residual>>,
    /// What rules that take nothing but a token can do, by rule and account.
    pub(super) by_token: Remembered<TokenKey, Arc<[Outcome]>>,
    /// By kind of an object that was not listed, account, and kind of what it runs as.
    pub(super) could_run_as: Remembered<(Arc<str>, AccountIndex, Arc<str>), Left>,
    /// By caller.
    pub(super) written_policies: Remembered<(Arc<str>, Written), Option<Arc<Policy>>>,
    /// What holds for callers of whom policies say the same.
    pub(super) same_say: SameSay,
    pub(super) shared_help: SharedHelp,
    /// Whether policies of VPC endpoints name callers.
    pub(super) endpoints_tell_apart: bool,
    /// Whether resource control policies ask who calls.
    pub(super) resource_control_tells_apart: bool,
    pub(super) footings: RwLock<Footings>,
    pub(super) new_names: NewNames,
    /// Whether control policies ask for keys of their callers' sessions.
    pub(super) controls_ask_for_sessions: bool,
    pub(super) selected_rules: SelectedRules,
    pub(super) findable: Findable,
    /// By kind: what objects' own policies have a say in.
    pub(super) governed: HashMap<Arc<str>, Governed>,
    /// By role, the objects whose own policies may let it in.
    pub(super) roles_let_in: Remembered<ObjectId, Option<Arc<RoaringBitmap>>>,
    /// When, nothing being edited, the first role of each pair lets the second one assume it.
    pub(super) roles_trusting_roles: Remembered<(ObjectId, ObjectId), Residual>,
    /// By kind: what it is good for to be let in by an object's own policy.
    pub(super) letting_in_by_kind: HashMap<Arc<str>, LettingIn>,
    /// By principal, and whether it has been given an MFA device: the objects whose own policy may
    /// treat it unlike others.
    pub(super) told_apart: Remembered<(ObjectId, bool), Arc<RoaringBitmap>>,
    /// Whether policies ask where in the organization their callers stand, and their resources.
    pub(super) asks_for_paths: [bool; 2],
    pub(super) regions: Regions,
    /// The position of `sts:AssumeRole` among the actions.
    assume_role: Option<usize>,
    /// The roles that services may be able to assume.
    pub(super) service_trusts: ServiceTrust,
}

impl<'w> Search<'w> {
    /// Prepares to decide `rules` in the world of `ground`.
    pub fn new(
        ground: Ground<'w>,
        mut rules: Rules,
        keys: &'w ContextKeys,
        kinds: &'w ResourceKinds,
        pins: Pins,
        solver: Solver,
    ) -> Self {
        rules.called_on = CalledOn::in_world(&rules, kinds, ground.world);
        let mut index = Index::new(&ground, &rules);
        let mut endpoints = ground.endpoints.iter().filter_map(|end| end.policy.as_ref().ok());
        let endpoints_tell_apart = endpoints.any(Policy::mentions_caller);
        let resource_control = ground.resource_control_documents();
        let controls = resource_control.iter().filter_map(|at| ground.world.policy(*at));
        let resource_control_tells_apart =
            controls.flat_map(Policy::statements).any(tells_callers_apart);
        if endpoints_tell_apart || resource_control_tells_apart {
            index.no_classes();
        }
        let service_control = ground.world.organization.iter();
        let service_control = service_control.flat_map(Organization::control_documents);
        let controls_ask_for_sessions = service_control
            .chain(resource_control.iter().copied())
            .filter_map(|at| ground.world.policy(at))
            .chain(ground.endpoints.iter().filter_map(|end| end.policy.as_ref().ok()))
            .any(|policy| policy.asks_for(is_of_session));
        let new_names = NewNames::of(&ground);
        let avoided = vec![false; rules.rules.len()];
        let mut unlisted: BTreeMap<Arc<str>, Vec<ObjectId>> = BTreeMap::new();
        for (id, object) in ground.unlisted() {
            unlisted.entry(object.kind.clone()).or_default().push(id);
        }
        let used_kinds = used_kinds(&rules);
        let unused = unused(&rules, &ground, kinds, &index.objects, &unlisted);
        let mfa = WithMfa::of(&ground, &rules);
        let same_say = SameSay::new(ground.world, &rules);
        let tags_principals = ground.tag_keys().asks_some(Tagged::Principal);
        let service_trusts = ServiceTrust::of(ground.world, &rules);
        Self {
            asks_for_paths: asks_for_paths(ground.world),
            regions: Regions::of(ground.world, &index),
            assume_role: rules.actions.iter().position(|action| **action == *"sts:assumerole"),
            service_trusts,
            same_say,
            shared_help: SharedHelp::default(),
            endpoints_tell_apart,
            resource_control_tells_apart,
            footings: RwLock::default(),
            new_names,
            controls_ask_for_sessions,
            selected_rules: SelectedRules::of(&rules, tags_principals),
            findable: Findable::new(rules.rules.len()),
            governed: Governed::by_kind(&rules),
            roles_let_in: RwLock::default(),
            roles_trusting_roles: RwLock::default(),
            letting_in_by_kind: LettingIn::by_kind(&rules),
            told_apart: RwLock::default(),
            could_run_as: RwLock::default(),
            written_policies: RwLock::default(),
            goal_objects: RoaringBitmap::new(),
            used_kinds,
            unused,
            mfa,
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
            decisions: AtomicU64::new(0),
            service_trust: RwLock::new(HashMap::default()),
            by_token: RwLock::new(HashMap::default()),
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

    pub(super) fn view<'v>(&'v self, edits: &'v Edits, made: &'v [Object]) -> View<'v, 'w> {
        View { ground: &self.ground, made, edits }
    }

    /// When a variant's principal is an administrator of its account: by a service, when that makes
    /// one for the attacker.
    pub fn administrator(&self, variant: &Variant, made: &[Object]) -> Residual {
        let view = self.view(&variant.edits, made);
        let Some(mut actor) = Actor::new(self, view, variant.principal) else {
            return Residual::False;
        };
        actor = actor.by(variant.mandated.as_deref());
        if actor.mandated.is_some_and(|by| !by.mandate.makes_administrators()) {
            return Residual::False;
        }
        // Most principals have no policy that could be about everything.
        let may_be_wide = |in_force: &InForce<'_>| {
            let document = in_force.policy.ok().and_then(|policy| self.ground.document_of(policy));
            document.is_none_or(|document| self.index.is_wide(document))
        };
        if !actor.applicable.identity.iter().any(may_be_wide) {
            return Residual::False;
        }
        let check = super::check::Check::of_nothing();
        let context = actor.context("*", &check);
        let residual = administrator(
            &actor.applicable.identity,
            actor.applicable.boundary.as_ref(),
            &context,
            &self.solver,
        );
        let residual = fold_time(residual, self.ground.not_before);
        match actor.mandated {
            Some(_) if !residual.is_false() => residual.and(actor.may_make_administrators()),
            _ => residual,
        }
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

    /// Tries every rule for the principal of a variant.
    ///
    /// Returns the actions that the principal's policies are about, and what it can do.
    pub fn outcomes(
        &self,
        variant: &Variant,
        made: &[Object],
        select: Select<'_>,
    ) -> (Actions, Vec<Outcome>) {
        let edits;
        let edits = match select {
            Select::Trusting(role) | Select::Serving(role) => {
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
        actor = actor.by(variant.mandated.as_deref());
        let actions = self.actions_of(&actor);
        let kind = match select {
            Select::Changed(object) | Select::ChangedApart(object) | Select::Only(object, _) => {
                actor.view.object(object).map(|object| &*object.kind)
            }
            _ => None,
        };
        let changed =
            kind.filter(|_| matches!(select, Select::Changed(_) | Select::ChangedApart(_)));
        let is_written = match select {
            Select::Changed(object) | Select::ChangedApart(object) => {
                edits.resource_policy.contains(&object)
            }
            _ => false,
        };
        let by_token = matches!(actor.caller, Caller::Federated(_));
        let unsigned = matches!(actor.caller, Caller::Anonymous);
        let mut out = Vec::new();
        let mut walk = Walk::new(&actor, variant.shared, select);
        let apart = match select {
            Select::Apart => self.telling_apart(variant, made),
            _ => Arc::default(),
        };
        let kind_of = |id| Some(&*actor.view.object(ObjectId(id))?.kind);
        let kinds_apart: BTreeSet<&str> = apart.iter().filter_map(kind_of).collect();
        // A trust policy that the attacker writes, or a role that he makes, may trust any service.
        let written_trust = !edits.trust.is_empty()
            || matches!(select, Select::Only(..)) && kind == Some("iam:role");
        let account = actor.view.object(actor.principal).map_or(OUTSIDE, |object| object.account);
        let signed = (!unsigned).then_some(&actions);
        let as_it_is =
            (actor.is_listed() && actor.keeps_attributes() && !written_trust).then_some(account);
        let policies = edits.are_of_policies();
        let rules = self.rules_for(select, &kinds_apart, kind, policies, signed, as_it_is);
        for at in rules.iter().copied() {
            let Some(rule) = self.rules.rules.get(at) else { continue };
            if self.avoided.get(at).copied().unwrap_or(false) {
                continue;
            }
            if !(written_trust || self.service_trusts.may_be(at, account)) {
                continue;
            }
            // Nobody else has the token of a user of IAM Identity Center.
            let bearer = rule.bearer().and_then(|slot| rule.slots.get(slot));
            let principal = actor.view.object(actor.principal);
            if bearer.is_some_and(|slot| principal.is_none_or(|own| own.kind != slot.kind)) {
                continue;
            }
            // A service brings no tokens, and the attacker needs none to bring his.
            if variant.mandated.is_some() && rule.begins_with_token() {
                continue;
            }
            let able = |call: &RuleCall| {
                if call.federated.is_none() && is_token_call(&call.action_lowercase) != by_token {
                    return false;
                }
                actions.contains(call.action_bit)
                    || call.federated.is_some()
                    || changed.is_some_and(|kind| governs(kind, &call.action_lowercase))
            };
            let about = rule.calls_of(0).all(|call| match unsigned {
                true => call.permission.is_some() || call.is_by_token(),
                false => able(call),
            });
            // Who writes its policy gains nothing by writing or deleting it.
            if is_written && changed.is_some_and(|kind| rule.only_lets_in(kind)) {
                continue;
            }
            let newly = variant.newly.as_ref();
            if !(about && newly.is_none_or(|newly| self.can_use(rule, newly, edits))) {
                continue;
            }
            if let Select::Out(ways_out) = select
                && !self.may_lead_on(ways_out, rule)
            {
                continue;
            }
            if select == Select::Apart {
                // Who brings a token is nobody in particular.
                if rule.is_by_token() {
                    continue;
                }
                let is_apart = |slot: &Slot| kinds_apart.contains(&*slot.kind);
                let slots = rule.governed.iter().copied();
                let slots = slots.filter(|at| rule.slots.get(*at).is_some_and(is_apart));
                self.apart(at, slots, &actor, &apart, &mut out);
                continue;
            }
            if walk.is_weaker_throughout(rule) {
                continue;
            }
            let alike = select.is_whole() && rule.is_by_token() && edits.are_of_callers();
            if alike {
                let found = self.by_token(at, rule, &walk);
                walk.add_of_others(rule, &found, &mut out);
            } else {
                walk.rule_as_others(at, rule, &mut out);
            }
        }
        (actions, out)
    }

    /// Whether what edits newly allow can make a rule work: one of its calls, or that services or
    /// other roles assume a role, which is not among the calls and hangs on more than the caller.
    ///
    /// - `newly`: the actions that the edits newly allow.
    fn can_use(&self, rule: &Rule, newly: &Actions, edits: &Edits) -> bool {
        let assumed = self.assume_role.is_some_and(|at| newly.contains(at));
        let mut trusts = rule.slots.iter().flat_map(|slot| &slot.trusts);
        let mut calls = (0..rule.groups.len()).flat_map(|group| rule.calls_of(group));
        calls.any(|call| newly.contains(call.action_bit))
            || rule.bound.iter().any(|bound| newly.contains(bound.call.action_bit))
            || !edits.are_of_callers()
                // What the other role's own policies newly allow it is not said.
                && trusts.any(|who| assumed || who.service().is_none())
    }

    /// Tries a rule over bindings in which the object of one of these slots, by its own policy, has a
    /// say that may treat the actor unlike others.
    fn apart<'a>(
        &'a self,
        at: usize,
        slots: impl Iterator<Item = usize>,
        actor: &'a Actor<'a, 'w>,
        apart: &Arc<RoaringBitmap>,
        out: &mut Vec<Outcome>,
    ) {
        let Some(rule) = self.rules.rules.get(at) else { return };
        let first = out.len();
        for slot in slots {
            let mut found = Vec::new();
            let mut walk = Walk::new(actor, false, Select::Apart).over(slot, apart.clone());
            walk.rule(at, rule, &mut found);
            // A binding with several such objects is found by way of each.
            found.retain(|outcome| !out.iter().skip(first).any(|known| known == outcome));
            out.extend(found);
        }
    }

    /// How decisions were made so far.
    pub fn statistics(&self) -> crate::answer::Statistics {
        let counts = self.solver.statistics();
        crate::answer::Statistics {
            decisions: self.decisions.load(Ordering::Relaxed),
            solving: counts.time,
            folded: counts.folded,
            remembered: counts.remembered,
            cheap: counts.cheap,
            solved: counts.solver,
            undecided: counts.unknown,
        }
    }

    /// What is true of an object that stands for those that were not listed: that there is one is not
    /// known.
    pub fn is_unlisted_one(&self, id: ObjectId) -> Residual {
        match self.ground.object(&[], id).map(|object| &object.detail) {
            Some(Detail::Unlisted(gap)) => Residual::Unknown(gap.clone()),
            _ => Residual::False,
        }
    }

    /// The object that stands for what has this ARN, if its kind was not listed where that is.
    pub fn unlisted_as(&self, kind: &str, arn: &str) -> Option<(ObjectId, Residual)> {
        self.unlisted(kind).iter().rev().find_map(|id| {
            let object = self.ground.object(&[], *id)?;
            let Detail::Unlisted(gap) = &object.detail else { return None };
            let is_it = match arn_of(self.kinds, object) {
                Text::Literal(own) => Residual::constant(*own == *arn),
                Text::Template(prefix, variable, _) => {
                    like(&variable, Pattern::literal(arn.strip_prefix(&*prefix)?, false))
                }
            };
            let is_it = Residual::Unknown(gap.clone()).and(is_it);
            (!is_it.is_false()).then_some((*id, is_it))
        })
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
