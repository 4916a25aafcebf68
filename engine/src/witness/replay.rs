//! Replay: the calls of a plan executed in order against the world, each authorized with its
//! concrete context, its effect applied before the next. A plan that does not replay is not shown.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use escalade_models::TagChange;

use super::plan::{Deed, Plan, PlannedStep, Sharing, rename_variable};
use crate::answer::{AllowedBy, Call, Gain, KeyValue, Step};
use crate::authorization::{
    CallContext, Caller, Context, Edit, Edits, IDENTITY_SCOPE, Input, Issuer, OrganizationEdit,
    PolicyKind, Request, Resource, SOURCE_IDENTITY, TagKey, View, audiences, authorize, explain,
    fold_time, name_of,
};
use crate::cause::{CallGround, Ground};
use crate::pattern::Pattern;
use crate::reachability::Reachability;
use crate::residual::{Atom, Residual, Variable};
use crate::snapshot::{AccountIndex, Object, ObjectId, Symbolic};
use crate::solver::{Assignment, Solution, Value};
use crate::technique::{
    Actor, Binding, Check, Delegation, Expression, Gained, GoalCall, Part, Reader, Rule, RuleCall,
    RuleGain, TAGS_OF_REQUEST, Text, may_do_everything,
};

/// Why a plan does not replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The step, from 0.
    pub step: usize,
    /// What failed, for people.
    pub reason: String,
}

/// The world as the attacker has made it so far.
struct Stage<'r, 'w> {
    reachability: &'r Reachability<'r, 'w>,
    edits: Edits,
    held: BTreeSet<ObjectId>,
    administered: BTreeSet<ObjectId>,
    /// Accounts with an identity provider of the attacker's.
    providers: BTreeSet<AccountIndex>,
    /// What services do with roles for the attacker.
    delegations: Vec<Delegation>,
    /// ARNs of users and roles that the attacker has made, by the names that were solved for.
    named: BTreeMap<ObjectId, Arc<str>>,
    assignment: &'r Assignment,
    sharing: Sharing,
}

/// What a plan that replays comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// The steps, as they are shown.
    pub steps: Vec<Step>,
    /// What each step rests on.
    pub grounds: Vec<Ground>,
}

/// A call that is authorized, and what that rests on.
#[derive(Clone)]
struct Made {
    call: Call,
    ground: CallGround,
}

/// Executes a plan. Returns its steps as they are shown, or where it got stuck.
///
/// - `assignment`: values for the inputs that the plan leaves open; the others may be anything.
pub fn replay(
    reachability: &Reachability<'_, '_>,
    start: &[ObjectId],
    plan: &Plan,
    assignment: &Assignment,
    goal: Option<&GoalCall>,
) -> Result<Replayed, Stuck> {
    let mut stage = Stage {
        reachability,
        edits: Edits::default(),
        held: start.iter().copied().collect(),
        administered: BTreeSet::new(),
        providers: BTreeSet::new(),
        delegations: Vec::new(),
        named: BTreeMap::new(),
        assignment,
        sharing: plan.sharing,
    };
    let mut out = Replayed::default();
    for (at, step) in plan.steps.iter().enumerate() {
        let (done, ground) = match &step.deed {
            Deed::Apply(rule, _) => {
                let rules = &reachability.search.rules.rules;
                let rule_of = rules.get(*rule).ok_or_else(|| stuck(at, "no such rule"))?;
                stage.apply(at, step, *rule, rule_of)?
            }
            Deed::Call | Deed::CallByDelegation(_) => {
                let goal = goal.ok_or_else(|| stuck(at, "no call was asked for"))?;
                stage.call(at, step, goal)?
            }
        };
        out.steps.push(done);
        out.grounds.push(ground);
    }
    Ok(out)
}

fn stuck(step: usize, reason: impl Into<String>) -> Stuck {
    Stuck { step, reason: reason.into() }
}

impl<'r, 'w> Stage<'r, 'w> {
    fn view(&self) -> View<'_, 'w> {
        View {
            ground: &self.reachability.search.ground,
            made: &self.reachability.made,
            edits: &self.edits,
        }
    }

    fn object(&self, id: ObjectId) -> Option<&Object> {
        self.view().object(id)
    }

    fn apply(
        &mut self,
        at: usize,
        step: &PlannedStep,
        id: usize,
        rule: &Rule,
    ) -> Result<(Step, Ground), Stuck> {
        let search = self.reachability.search;
        let Deed::Apply(_, binding) = &step.deed else { return Err(stuck(at, "no rule")) };
        let (mut calls, mut ground) = (Vec::new(), Ground::default());
        let mut tagged = Vec::new();
        for (position, call) in rule.calls.iter().enumerate() {
            let group = rule
                .groups
                .iter()
                .position(|group| group.calls.contains(&position))
                .unwrap_or_default();
            let helper = step.helpers.iter().find(|helper| helper.group == group);
            let (caller, via) =
                helper.map_or((step.actor, &step.via), |helper| (helper.principal, &helper.via));
            let held = via.is_none() && self.held.contains(&caller);
            if !held && !self.delegated(caller, via.as_ref(), call) && call.federated.is_none() {
                return Err(stuck(at, format!("{} is made by nobody held", call.action)));
            }
            let view = self.view();
            let mut actor = Actor::new(search, view, caller)
                .ok_or_else(|| stuck(at, "the caller cannot call"))?;
            actor.via = via.as_deref();
            actor.administered =
                binding.objects.iter().find(|object| self.administered.contains(object)).copied();
            if call.bearer.is_some() {
                if !self.holds(&actor.call(rule, call, binding)) {
                    return Err(stuck(at, format!("{} is made without its token", call.action)));
                }
                calls.push(self.bearer_call(rule, call, binding, &actor));
                continue;
            }
            match actor.federated(rule, call, binding) {
                None => {}
                Some(Ok(federated)) => actor = federated,
                Some(Err(_)) => return Err(stuck(at, "the identity provider is not known")),
            }
            let permitted = actor.permitted(call, binding);
            if !self.holds(&self.concrete(&permitted, at, caller)) {
                return Err(stuck(
                    at,
                    format!("{} is not permitted inside the domain", call.action),
                ));
            }
            let alternatives = actor
                .checks(rule, call, binding)
                .ok_or_else(|| stuck(at, format!("{} has no resource", call.action)))?;
            let shown = alternatives.iter().find_map(|checks| {
                let made = checks.iter().map(|check| {
                    let ways = actor.ways(rule, call, binding, check);
                    let mut ways = ways.iter().filter(|way| {
                        let mut given = way.iter().map(|asked| &asked.check.given);
                        given.all(|given| self.is_given(given, at, caller))
                    });
                    ways.find_map(|way| {
                        way.iter()
                            .map(|asked| self.make(at, &actor, asked.action, &asked.check))
                            .collect::<Option<Vec<Made>>>()
                    })
                });
                let made = made.collect::<Option<Vec<_>>>()?.concat();
                Some((made, self.tags_beside(call, binding, checks.first())))
            });
            match shown {
                Some((shown, beside)) => {
                    for made in shown {
                        calls.push(made.call);
                        ground.calls.push(made.ground);
                    }
                    tagged.extend(beside);
                }
                None => return Err(stuck(at, format!("{} is not authorized", call.action))),
            }
        }
        let gained = search.gains(id, binding, &self.reachability.made);
        self.name_principals(at, step.actor, id, binding, &gained);
        let mut throughs = self.throughs(at, step.actor, rule, binding).into_iter();
        let shown = |gain: &Gained| match (self.shown(gain), gain) {
            (Gain::Delegation { of, actions, through }, Gained::Delegated(_)) => {
                let through = throughs.next().flatten().unwrap_or(through);
                Gain::Delegation { of, actions, through }
            }
            (shown, _) => shown,
        };
        let gains = gained.iter().map(shown).collect();
        tagged.into_iter().for_each(|edit| self.edits.apply(edit));
        for gain in gained {
            self.take(gain);
        }
        self.sign_in();
        let technique = rule.id.clone();
        let title = search.titles.get(rule.technique).cloned().unwrap_or_else(|| technique.clone());
        Ok((Step { technique, title, calls, gains }, ground))
    }

    /// Through which resources services act for the attacker, as the rule's gains have them, under
    /// the names that these get.
    fn throughs(
        &self,
        at: usize,
        caller: ObjectId,
        rule: &Rule,
        binding: &Binding,
    ) -> Vec<Option<Arc<str>>> {
        let view = self.view();
        let reader = Reader { view, kinds: self.reachability.search.kinds, rule };
        let caller = self.arn(caller);
        let named = |gain: &RuleGain| match gain {
            RuleGain::Delegation { through, .. } => {
                let resource = reader.text(binding, through).ok().map(Resource::from);
                Some(resource.map(|resource| self.concrete_resource(&resource, at, &caller)))
            }
            _ => None,
        };
        rule.gains.iter().filter_map(named).collect()
    }

    /// The tags that a call sets besides the one that it is about.
    fn tags_beside(&self, call: &RuleCall, binding: &Binding, check: Option<&Check>) -> Vec<Edit> {
        let keys = self.reachability.search.ground.tag_keys();
        let (Some(tag), Some(check)) = (call.tags, check) else { return Vec::new() };
        let Some(on) = binding.objects.get(tag.on).copied() else { return Vec::new() };
        let set = check.determined.iter().filter(|(_, input)| matches!(input, Input::Free { .. }));
        let set = set.filter_map(|(key, _)| keys.find(key.strip_prefix("aws:requesttag/")?));
        set.filter_map(|key| match tag.change {
            TagChange::Set => Some(Edit::Tag(on, key)),
            TagChange::Session => Some(Edit::SessionTag(on, key)),
            TagChange::Remove => None,
        })
        .collect()
    }

    /// Makes the call that the question asks for.
    fn call(
        &mut self,
        at: usize,
        step: &PlannedStep,
        goal: &GoalCall,
    ) -> Result<(Step, Ground), Stuck> {
        let view = self.view();
        let search = self.reachability.search;
        let by_service = matches!(step.deed, Deed::CallByDelegation(_));
        let there = match &step.deed {
            Deed::CallByDelegation(delegation) => self.delegations.contains(delegation),
            _ => self.held.contains(&step.actor),
        };
        if !there {
            return Err(stuck(at, "the caller is not held"));
        }
        let mut actor = Actor::new(search, view, step.actor)
            .filter(|actor| goal.targets.iter().any(|one| actor.can_make(&one.action_lowercase)))
            .ok_or_else(|| stuck(at, "the caller cannot call"))?;
        actor.via = step.via.as_deref();
        let limits: Vec<Pattern> = match &step.deed {
            Deed::CallByDelegation(delegation) => {
                delegation.resources.iter().map(|limit| Pattern::glob(limit, false)).collect()
            }
            _ => Vec::new(),
        };
        let Made { call, ground } = goal
            .targets
            .iter()
            .filter(|target| actor.can_make(&target.action_lowercase))
            .filter(|target| {
                let within = target.within.clone().and(target.limited(&limits));
                self.holds(&self.concrete(&within, at, step.actor))
            })
            .find_map(|target| self.make(at, &actor, &target.action, &target.check(view)))
            .ok_or_else(|| stuck(at, format!("{} is not authorized", goal.text())))?;
        let of: Arc<str> = format!("{}@{}", call.action, call.resource).into();
        let title: Arc<str> = match by_service {
            true => "The service makes the call that was asked for".into(),
            false => "Make the call that was asked for".into(),
        };
        let (technique, gains) = ("goal".into(), vec![Gain::Goal { of }]);
        Ok((Step { technique, title, calls: vec![call], gains }, Ground { calls: vec![ground] }))
    }

    /// Whether a service makes a call with a role for the attacker, with its answer if that is
    /// needed.
    ///
    /// - `via`: by which, if in a forward access session.
    fn delegated(&self, role: ObjectId, via: Option<&Arc<str>>, call: &RuleCall) -> bool {
        self.delegations.iter().any(|delegation| {
            let mandate = &delegation.mandate;
            delegation.role == role
                && mandate.via.as_ref() == via
                && delegation.resources.is_empty()
                && if call.answer {
                    mandate.answers(&call.action)
                } else {
                    mandate.makes(&call.action)
                }
        })
    }

    /// A call with a user's token as it is shown: nothing authorizes it but the token.
    fn bearer_call(
        &self,
        rule: &Rule,
        call: &RuleCall,
        binding: &Binding,
        actor: &Actor<'_, '_>,
    ) -> Call {
        let reader = Reader { view: actor.view, kinds: self.reachability.search.kinds, rule };
        let text = call.resources.first().map(|resource| reader.text(binding, resource));
        let resource = match text {
            Some(Ok(Text::Literal(resource))) => resource,
            _ => "*".into(),
        };
        Call {
            actor: self.arn(actor.principal),
            action: call.action.clone(),
            resource,
            resource_name: None,
            context: BTreeMap::new(),
            allowed_by: Vec::new(),
        }
    }

    /// One call as it is shown, if it is authorized.
    fn make(&self, at: usize, actor: &Actor<'_, '_>, action: &str, check: &Check) -> Option<Made> {
        let caller = actor.principal;
        let arn: Arc<str> = self.object(caller).map_or("".into(), |object| object.arn.clone());
        let lowercase = action.to_lowercase();
        let resource = self.concrete_resource(&check.resource, at, &arn);
        let concrete = Check { resource: Resource::Literal(resource.clone()), ..check.clone() };
        let context = actor.context(&lowercase, &concrete);
        let recording = Recording {
            inner: &context,
            stage: self,
            step: at,
            caller: &arn,
            used: RefCell::default(),
        };
        let request = Request {
            caller: &actor.caller,
            action,
            resource: &concrete.resource,
            resource_account: actor.owner(check),
            context: &recording,
        };
        let not_before = actor.view.ground.not_before;
        let all = actor.applicable_to(&lowercase, check);
        let own = all.first()?;
        let denied = fold_time(authorize(&request, own).denied, not_before);
        let applicable = all.iter().find(|applicable| {
            let allowed = fold_time(authorize(&request, applicable).allowed, not_before);
            let left = allowed.and(denied.clone().negate());
            self.holds(&self.concrete(&left, at, caller))
        })?;
        let allowing = explain(&request, applicable, false).allowing;
        // What only limits (boundaries, control policies) is no cause of what gets through it.
        let granting = [PolicyKind::Identity, PolicyKind::Resource, PolicyKind::Trust];
        let grants = allowing
            .iter()
            .filter(|deciding| granting.contains(&deciding.kind))
            .flat_map(|deciding| {
                deciding.grants.iter().map(|grant| (deciding.kind.as_str(), grant.clone()))
            })
            .collect();
        let allowed_by = allowing
            .into_iter()
            .map(|deciding| AllowedBy {
                policy: deciding.policy.into(),
                kind: deciding.kind.as_str().into(),
                statement: deciding.statement,
                sid: deciding.sid.map(Into::into),
                origin: deciding.origin,
            })
            .collect();
        if let (Caller::Federated(provider), Some(Symbolic::Token { .. })) =
            (&actor.caller, self.object(caller).and_then(Object::symbolic))
        {
            recording.complete_token(provider);
        }
        // What the session is called is said where it begins, if a later step depends on it.
        if recording.inner.action == "sts:assumerole" {
            let _ = recording.get("sts:rolesessionname");
        }
        let context = recording.shown(&context, &check.determined);
        let made_by = match &actor.caller {
            Caller::Federated(provider) => provider.clone(),
            _ => self.called(caller, at),
        };
        let object = check.object.and_then(|id| actor.view.object(id));
        let resource_name = object
            .filter(|object| object.is_of_organization() && !resource.contains(&*object.name))
            .map(|object| object.name.clone());
        let call = Call {
            actor: made_by,
            action: action.into(),
            resource,
            resource_name,
            context,
            allowed_by,
        };
        Some(Made { call, ground: CallGround { grants } })
    }

    /// Whether what is left is true whatever the inputs that nobody fixed.
    fn holds(&self, residual: &Residual) -> bool {
        match residual {
            Residual::True => true,
            Residual::False => false,
            other if !other.is_decided() => false,
            other => matches!(
                self.reachability.search.solver.solve(&other.clone().negate()),
                Solution::Unsatisfiable
            ),
        }
    }

    /// The formula of one step with the values that the assignment fixes.
    fn concrete(&self, residual: &Residual, at: usize, caller: ObjectId) -> Residual {
        let arn: Arc<str> = self.object(caller).map_or("".into(), |object| object.arn.clone());
        residual.substitute(&|atom| {
            let variable = rename_variable(atom.variable(), at, &arn, self.sharing);
            self.assignment
                .get(&variable)
                .map(|value| Residual::constant(crate::solver::holds(atom, value)))
        })
    }

    /// Whether a request is as it has to be for one of the ways to make its call. What nothing asks
    /// for is not in it.
    fn is_given(&self, given: &Residual, at: usize, caller: ObjectId) -> bool {
        let left = self.concrete(given, at, caller);
        self.holds(&left.substitute(&|atom| match atom {
            Atom::Present(_) => Some(Residual::False),
            // Where nothing asks which tags it has, the first request is as good as the others.
            Atom::Passes(which, _) if &*which.name == TAGS_OF_REQUEST => Some(Residual::True),
            Atom::Passes(..) | Atom::Some { .. } => None,
        }))
    }

    fn value(&self, variable: &Variable, at: usize, caller: &Arc<str>) -> Option<&Value> {
        self.assignment.get(&rename_variable(variable, at, caller, self.sharing))
    }

    /// The text of a chosen name: as solved for, or any that AWS would accept.
    fn name(&self, variable: &Variable, at: usize, caller: &Arc<str>) -> Arc<str> {
        match self.value(variable, at, caller) {
            Some(Value::One(text)) => text.clone(),
            // Callers that differ from step to step have names that do.
            _ if self.sharing.identity_per_step && variable.scope.starts_with(IDENTITY_SCOPE) => {
                format!("{}{}", crate::solver::any_text(&variable.grammar), at + 1).into()
            }
            _ => crate::solver::any_text(&variable.grammar),
        }
    }

    fn concrete_resource(&self, resource: &Resource, at: usize, caller: &Arc<str>) -> Arc<str> {
        match resource {
            Resource::Literal(text) => text.clone(),
            Resource::Template { prefix, variable, suffix } => {
                format!("{prefix}{}{suffix}", self.name(variable, at, caller)).into()
            }
        }
    }

    fn take(&mut self, gain: Gained) {
        match gain {
            Gained::Holds(principal) => {
                self.held.insert(principal);
            }
            Gained::Edited(edit) => self.edits.apply(edit),
            Gained::Principal(object) => {
                if let Some(principal) = self.made(&object) {
                    self.held.insert(principal);
                    if may_do_everything(&object) {
                        self.edits.apply(Edit::InlinePolicy(principal));
                    }
                }
            }
            // The group takes in whom the attacker holds.
            Gained::Joinable(group) => {
                let users: Vec<ObjectId> = self
                    .held
                    .iter()
                    .copied()
                    .filter(|id| self.object(*id).is_some_and(|o| &*o.kind == "iam:user"))
                    .collect();
                for user in users {
                    self.edits.apply(Edit::Member(user, group));
                }
            }
            Gained::DomainAdministration(domain) => {
                self.administered.insert(domain);
            }
            Gained::IdentityProvider(account) => {
                self.providers.insert(account);
            }
            Gained::Delegated(delegation) => self.delegations.push(delegation),
            Gained::Made(_) => {}
        }
    }

    /// Notes under which names the users and roles that a step makes appear.
    fn name_principals(
        &mut self,
        at: usize,
        actor: ObjectId,
        rule: usize,
        binding: &Binding,
        gained: &[Gained],
    ) {
        let search = self.reachability.search;
        let Some(rule) = search.rules.rules.get(rule) else { return };
        for gain in gained {
            let Gained::Principal(object) = gain else { continue };
            let Some(id) = self.made(object) else { continue };
            let new = rule.new.iter().position(|new| new.kind == object.kind);
            let reader = Reader { view: self.view(), kinds: search.kinds, rule };
            let text = new.map(|new| reader.text(binding, &Expression(vec![Part::New(new)])));
            if let Some(Ok(text)) = text {
                let caller = self.object(actor).map_or("".into(), |object| object.arn.clone());
                let arn = self.concrete_resource(&Resource::from(text), at, &caller);
                self.named.insert(id, arn);
            }
        }
    }

    /// The id of an object that the fixpoint has made.
    fn made(&self, object: &Object) -> Option<ObjectId> {
        let made = &self.reachability.made;
        let alike = |made: &Object| {
            (&made.kind, &made.arn, &made.attributes)
                == (&object.kind, &object.arn, &object.attributes)
        };
        let at = made.iter().position(alike)?;
        Some(self.reachability.search.ground.next_made(at))
    }

    fn arn(&self, id: ObjectId) -> Arc<str> {
        if let Some(named) = self.named.get(&id) {
            return named.clone();
        }
        self.object(id).map_or("".into(), |object| object.arn.clone())
    }

    /// Who makes a call at a step, by ARN: of symbolic principals the one that was solved for.
    fn called(&self, id: ObjectId, at: usize) -> Arc<str> {
        let Some(object) = self.object(id) else { return "".into() };
        match (object.before_open_name(), name_of(object)) {
            (Some(prefix), Some(name)) => {
                format!("{prefix}{}", self.name(&name, at, &object.arn)).into()
            }
            _ => self.arn(id),
        }
    }

    fn account(&self, account: AccountIndex) -> Arc<str> {
        let accounts = &self.reachability.search.ground.world.accounts;
        accounts.get(account.0 as usize).map_or("".into(), |account| account.id.clone())
    }

    /// Signs in as the roles that trust an identity provider of the attacker's.
    fn sign_in(&mut self) {
        let signed: Vec<ObjectId> = self
            .edits
            .trust
            .iter()
            .copied()
            .filter(|role| self.object(*role).is_some_and(|o| self.providers.contains(&o.account)))
            .collect();
        self.held.extend(signed);
    }

    fn key(&self, key: TagKey) -> &str {
        self.reachability.search.ground.tag_keys().name(key).unwrap_or_default()
    }

    fn shown(&self, gain: &Gained) -> Gain {
        let policy =
            |of: ObjectId, effect: String| Gain::Policy { of: self.arn(of), effect: effect.into() };
        match gain {
            Gained::Holds(principal) => Gain::Credentials { of: self.arn(*principal) },
            Gained::Principal(object) => Gain::Credentials {
                of: self.made(object).map_or_else(|| object.arn.clone(), |id| self.arn(id)),
            },
            Gained::Joinable(group) => policy(*group, "any user can be put into it".to_owned()),
            Gained::IdentityProvider(account) => Gain::Policy {
                of: self.account(*account),
                effect: "an identity provider of it is the attacker's".into(),
            },
            Gained::DomainAdministration(domain) => {
                policy(*domain, "everything inside the domain is allowed".to_owned())
            }
            Gained::Delegated(delegation) => Gain::Delegation {
                of: self.arn(delegation.role),
                actions: delegation.mandate.actions.clone(),
                through: delegation.through.clone(),
            },
            Gained::Made(object) => Gain::Resource {
                of: object.kind.clone(),
                effect: object
                    .attributes
                    .iter()
                    .filter_map(|(name, values)| {
                        Some(format!("{name} {}", values.as_ref().ok()?.first()?))
                    })
                    .collect::<Vec<_>>()
                    .join(", ")
                    .into(),
            },
            Gained::Edited(edit) => match *edit {
                Edit::InlinePolicy(holder) => {
                    policy(holder, "an inline policy allows everything".to_owned())
                }
                Edit::PolicyText(text) => {
                    policy(text, "its default version allows everything".to_owned())
                }
                Edit::DefaultVersion(text, _) => {
                    policy(text, "another version is in force".to_owned())
                }
                Edit::Attached(holder, attached) => {
                    policy(holder, format!("{} is attached", self.arn(attached)))
                }
                Edit::Member(user, group) => policy(user, format!("is in {}", self.arn(group))),
                Edit::Left(user, group) => policy(user, format!("has left {}", self.arn(group))),
                Edit::TrustPolicy(role) => {
                    policy(role, "its trust policy is the attacker's".to_owned())
                }
                Edit::NoBoundary(principal) => {
                    policy(principal, "no permissions boundary limits it".to_owned())
                }
                Edit::Detached(holder, detached) => {
                    policy(holder, format!("{} no longer applies", self.arn(detached)))
                }
                Edit::ResourcePolicy(resource) => {
                    policy(resource, "its own policy lets the attacker in".to_owned())
                }
                Edit::NoResourcePolicy(resource) => {
                    policy(resource, "it has no policy of its own".to_owned())
                }
                Edit::ResourceGrant(resource, actions) => {
                    let grants = &self.reachability.search.rules.grants;
                    let actions = grants.get(actions.0 as usize).map(Vec::as_slice);
                    let actions = actions.unwrap_or_default().join(", ");
                    policy(resource, format!("it grants the attacker {actions}"))
                }
                Edit::Tag(object, key) => {
                    policy(object, format!("its tag {} is as the attacker wants", self.key(key)))
                }
                Edit::NoTag(object, key) => {
                    policy(object, format!("it has no tag {}", self.key(key)))
                }
                Edit::MfaDevice(user) => {
                    policy(user, "an MFA device of the attacker's is registered".to_owned())
                }
                Edit::NoMfaDevice(user) => policy(user, "it has no MFA device".to_owned()),
                Edit::Organization(edit) => match edit {
                    OrganizationEdit::PolicyText(text) => {
                        policy(text, "it allows everything".to_owned())
                    }
                    OrganizationEdit::PolicyDetached(target, detached) => {
                        policy(target, format!("{} is not attached", self.arn(detached)))
                    }
                    OrganizationEdit::PolicyAttached(target, attached) => {
                        let what = match attached {
                            Some(attached) => self.arn(attached).to_string(),
                            None => "a policy that allows everything".to_owned(),
                        };
                        policy(target, format!("{what} is attached"))
                    }
                    OrganizationEdit::PoliciesOff(kind) => Gain::Policy {
                        of: kind.name().into(),
                        effect: "policies of this type are switched off".into(),
                    },
                    OrganizationEdit::Left(account) => Gain::Policy {
                        of: self.account(account),
                        effect: "the account has left the organization".into(),
                    },
                    OrganizationEdit::Moved(account, parent) => {
                        policy(account, format!("it stands below {}", self.arn(parent)))
                    }
                },
                Edit::SessionTag(role, key) if self.key(key) == SOURCE_IDENTITY => policy(
                    role,
                    "its session's source identity is as the attacker wants".to_owned(),
                ),
                Edit::SessionTag(role, key) => policy(
                    role,
                    format!("its session's tag {} is as the attacker wants", self.key(key)),
                ),
            },
        }
    }
}

/// A context with the assignment's values in place, which notes the keys that were asked for.
struct Recording<'c> {
    inner: &'c CallContext<'c>,
    stage: &'c Stage<'c, 'c>,
    step: usize,
    caller: &'c Arc<str>,
    used: RefCell<BTreeMap<Arc<str>, Input>>,
}

impl Recording<'_> {
    /// Has a token say who its subject is and whom it is for, whether that was asked or not.
    fn complete_token(&self, provider: &str) {
        let issuer = Issuer::of(provider);
        let ground = &self.stage.reachability.search.ground;
        let complete = |key: String, example: Option<Arc<str>>| {
            if let Input::Free { variable, .. } = self.get(&key)
                && !variable.multivalued
            {
                let text = example.unwrap_or_else(|| crate::solver::any_text(&variable.grammar));
                self.used.borrow_mut().insert(key.into(), Input::One(text));
            }
        };
        complete(issuer.subject_key(), issuer.example().map(Arc::from));
        let audience = audiences(ground, provider).and_then(|all| all.first().cloned());
        if let Some(audience) = audience {
            complete(format!("{}:aud", issuer.prefix()), Some(audience));
        }
    }

    /// The keys that decided, by AWS's spelling, and those that the call determines.
    fn shown(
        &self,
        context: &CallContext<'_>,
        determined: &BTreeMap<Arc<str>, Input>,
    ) -> BTreeMap<Arc<str>, KeyValue> {
        for key in determined.keys() {
            let _ = self.get(key);
        }
        self.used
            .borrow()
            .iter()
            .filter_map(|(key, input)| {
                let values = match input {
                    Input::One(value) => vec![value.clone()],
                    Input::Many(values) => values.clone(),
                    // A tag of any value: the request still has it.
                    Input::Free { variable, certain: true }
                        if !variable.multivalued && determined.contains_key(key) =>
                    {
                        vec![crate::solver::any_text(&variable.grammar)]
                    }
                    _ => return None,
                };
                Some((context.spelling(key), KeyValue(values)))
            })
            .collect()
    }
}

impl Context for Recording<'_> {
    fn is_of_no_named_account(&self) -> bool {
        self.inner.is_of_no_named_account()
    }

    fn is_about_policies_alone(&self) -> bool {
        self.inner.is_about_policies_alone()
    }

    fn get(&self, key: &str) -> Input {
        let input = match self.inner.get(key) {
            Input::Free { variable, certain } => {
                match self.stage.value(&variable, self.step, self.caller) {
                    Some(Value::One(value)) => Input::One(value.clone()),
                    Some(Value::Many(values)) => Input::Many(values.clone()),
                    Some(Value::Absent) => Input::Absent,
                    None => Input::Free { variable, certain },
                }
            }
            Input::Template { prefix, variable, suffix } => Input::One(
                format!("{prefix}{}{suffix}", self.stage.name(&variable, self.step, self.caller))
                    .into(),
            ),
            Input::IfPresent { variable, value } => {
                match self.stage.value(&variable, self.step, self.caller) {
                    Some(Value::One(_) | Value::Many(_)) => *value,
                    _ => Input::Absent,
                }
            }
            known => known,
        };
        self.used.borrow_mut().insert(key.into(), input.clone());
        input
    }
}
