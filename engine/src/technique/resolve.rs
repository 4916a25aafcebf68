//! From a technique to rules: choices multiplied out, names resolved to slots.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use escalade_models::{
    Alternative, Besides, CALLER, Call, CallOrChoice, ContextKeys, ContextValue, ControlPolicyType,
    Gain, Matcher, NewObject, ObjectPattern, Resources, TagChange, Technique,
};
use foldhash::HashMap;

use super::makers::note_makers;
use super::mandate::Mandate;
use super::rule::{
    BoundCall, CallBesides, CallTag, Determined, Expression, Group, MatcherOf, NewSlot, Part, Rule,
    RuleCall, RuleGain, RuleSession, Slot, Truster,
};
use super::rules::{RuleError, Rules, name_of};
use crate::authorization::Granted;
use crate::snapshot::ControlPolicyKind;

impl Rules {
    /// Multiplies out the choices of each technique and resolves its names.
    ///
    /// - `keys`: what calls need besides where they carry some keys.
    ///
    /// Fails on a name that is not bound; [`escalade_models::Catalogue`] checks the rest.
    pub fn of(techniques: &[Technique], keys: &ContextKeys) -> Result<Self, RuleError> {
        let mut rules = Vec::new();
        let mut grants = Vec::new();
        for (position, technique) in techniques.iter().enumerate() {
            for variant in variants(technique) {
                rules.push(variant.resolve(position, technique, keys, &mut grants)?);
            }
        }
        // A weaker technique is tried after the stronger one.
        let weaker = |rule: &Rule| {
            techniques.get(rule.technique).is_some_and(|technique| technique.weaker_than.is_some())
        };
        let (last, mut rules): (Vec<Rule>, Vec<Rule>) = rules.into_iter().partition(weaker);
        rules.extend(last);
        let by_id: BTreeMap<Arc<str>, Vec<usize>> = rules.iter().enumerate().fold(
            BTreeMap::new(),
            |mut map, (at, rule): (usize, &Rule)| {
                map.entry(rule.id.clone()).or_insert_with(Vec::new).push(at);
                map
            },
        );
        let mut actions: Vec<Arc<str>> = rules
            .iter()
            .flat_map(|rule| rule.calls.iter().chain(rule.bound.iter().map(|bound| &bound.call)))
            .flat_map(|call| {
                let besides = call.besides.iter().map(|besides| &besides.action_lowercase);
                std::iter::once(&call.action_lowercase).chain(besides).cloned()
            })
            .collect();
        actions.sort();
        actions.dedup();
        for rule in &mut rules {
            let stronger = techniques
                .get(rule.technique)
                .and_then(|technique| technique.weaker_than.as_deref());
            if let Some(stronger) = stronger {
                rule.weaker_than = by_id.get(stronger).cloned().unwrap_or_default();
            }
            rule.governed = rule.governed_slots();
            rule.anchors = (0..rule.slots.len()).map(|slot| rule.anchors_of(slot)).collect();
            let bound = rule.bound.iter_mut().map(|bound| &mut bound.call);
            for call in rule.calls.iter_mut().chain(bound) {
                call.action_bit = actions.binary_search(&call.action_lowercase).unwrap_or_default();
                for besides in &mut call.besides {
                    besides.action_bit =
                        actions.binary_search(&besides.action_lowercase).unwrap_or_default();
                }
            }
        }
        let called = actions.len();
        let of_services = of_services(&actions);
        let mut by_name: Vec<usize> = (0..called).collect();
        by_name.sort_by_key(|at| actions.get(*at).map_or("", |action| name_of(action)));
        let (questioned, called_on) = Default::default();
        let (rules, grants) = (rules.into(), grants.into());
        Ok(Self { rules, actions, called, by_name, of_services, questioned, called_on, grants })
    }

    /// Adds an action of the question to those that policies are looked through for, on whatever
    /// resource.
    pub fn also_about(&mut self, action: &str) {
        let action: Arc<str> = action.to_lowercase().into();
        let at = self.actions.iter().position(|known| *known == action).unwrap_or_else(|| {
            // Behind the others: the rules know their actions by position.
            self.actions.push(action);
            self.actions.len() - 1
        });
        self.questioned.push(at);
    }
}

/// By service, the positions of its actions; `actions` are sorted.
fn of_services(actions: &[Arc<str>]) -> HashMap<Box<str>, Range<usize>> {
    let mut out: HashMap<Box<str>, Range<usize>> = HashMap::default();
    for (at, action) in actions.iter().enumerate() {
        let service = action.split_once(':').map_or(&**action, |(service, _)| service);
        out.entry(service.into()).or_insert(at..at).end = at + 1;
    }
    out
}

/// A technique with one alternative taken at each choice.
#[derive(Clone)]
struct Variant<'t> {
    objects: Vec<&'t ObjectPattern>,
    new: Vec<&'t NewObject>,
    calls: Vec<&'t Call>,
    events: Vec<&'t str>,
    conditions: Vec<(&'t str, &'t str, &'t Matcher)>,
}

fn variants(technique: &Technique) -> Vec<Variant<'_>> {
    let mut out = vec![Variant {
        objects: technique.objects.iter().collect(),
        new: technique.new.iter().collect(),
        calls: Vec::new(),
        events: technique.event.as_deref().into_iter().collect(),
        conditions: Vec::new(),
    }];
    // Up to the call that passes the role the ways are like the rest; then each goes on by itself.
    let before_ways = technique.before_ways();
    let mut ways = Vec::new();
    for (at, item) in technique.calls.iter().enumerate() {
        if before_ways == Some(at) {
            ways = out.clone();
        }
        match item {
            CallOrChoice::Call(call) => {
                for variant in &mut out {
                    variant.calls.push(call);
                }
            }
            CallOrChoice::Choice(choice) => {
                out = out
                    .iter()
                    .flat_map(|variant| {
                        choice.any_of.iter().map(|alternative| variant.with(alternative))
                    })
                    .collect();
            }
        }
    }
    // A technique that ends with the passing of the role is nothing but its ways.
    if before_ways == Some(technique.calls.len()) && !technique.ways.is_empty() {
        ways = std::mem::take(&mut out);
    }
    out.extend(ways.iter().flat_map(|variant| technique.ways.iter().map(|way| variant.with(way))));
    let forwards = |gain: &Gain| matches!(gain, Gain::Delegation { role, .. } if role == CALLER);
    if technique.gains.iter().any(forwards) {
        out = out
            .iter()
            .flat_map(|variant| CALLERS.iter().map(|caller| variant.as_caller(caller)))
            .collect();
    }
    // Fewest calls first, so that the simplest way is the one shown.
    out.sort_by_key(|variant| (variant.events.len(), variant.calls.len()));
    out
}

/// Who makes the first calls, as something to bind.
static CALLERS: LazyLock<[ObjectPattern; 2]> = LazyLock::new(|| {
    ["iam:user", "iam:role"].map(|kind| ObjectPattern {
        name: CALLER.to_owned(),
        kind: kind.to_owned(),
        from: None,
        beside: None,
        where_: BTreeMap::new(),
        trusts: Vec::new(),
    })
});

impl<'t> Variant<'t> {
    fn as_caller(&self, caller: &'t ObjectPattern) -> Self {
        let mut out = self.clone();
        out.objects.push(caller);
        out
    }

    fn with(&self, alternative: &'t Alternative) -> Self {
        let mut out = Variant {
            objects: self.objects.clone(),
            new: self.new.clone(),
            calls: self.calls.clone(),
            events: self.events.clone(),
            conditions: self.conditions.clone(),
        };
        out.objects.extend(&alternative.objects);
        out.new.extend(&alternative.new);
        out.calls.extend(&alternative.calls);
        out.events.extend(alternative.event.as_deref());
        for (object, matchers) in &alternative.where_ {
            out.conditions.extend(matchers.iter().map(|(a, m)| (object.as_str(), a.as_str(), m)));
        }
        out
    }

    fn resolve(
        &self,
        position: usize,
        technique: &Technique,
        keys: &ContextKeys,
        grants: &mut Vec<Vec<Arc<str>>>,
    ) -> Result<Rule, RuleError> {
        let names = Names {
            technique,
            slots: self.objects.iter().map(|object| object.name.as_str()).collect(),
            new: self.new.iter().map(|new| new.name.as_str()).collect(),
        };
        let mut slots = Vec::new();
        for object in &self.objects {
            let from = match &object.from {
                None => None,
                Some(text) => match names.expression(text)?.0.as_slice() {
                    [Part::Attribute(slot, attribute)] => Some((*slot, attribute.clone())),
                    _ => return Err(names.error(format!("{text:?} is not an object's attribute"))),
                },
            };
            let mut matchers = Vec::new();
            for (attribute, matcher) in &object.where_ {
                matchers.push((Arc::from(attribute.as_str()), names.matcher(matcher)?));
            }
            for (_, attribute, matcher) in
                self.conditions.iter().filter(|(o, ..)| *o == object.name)
            {
                matchers.push((Arc::from(*attribute), names.matcher(matcher)?));
            }
            let beside = object.beside.as_deref().map(|name| names.slot(name)).transpose()?;
            let mut trusts = Vec::new();
            for who in &object.trusts {
                trusts.push(if who.starts_with('$') {
                    Truster::Role(names.slot(who)?)
                } else {
                    Truster::Service(who.as_str().into())
                });
            }
            slots.push(Slot {
                name: object.name.as_str().into(),
                kind: object.kind.as_str().into(),
                from,
                beside,
                matchers,
                trusts,
            });
        }
        let mut new = Vec::new();
        for object in &self.new {
            let beside = object.beside.as_deref().map(|name| names.slot(name)).transpose()?;
            let named = object.named.as_deref().map(|name| names.expression(name)).transpose()?;
            new.push(NewSlot {
                name: object.name.as_str().into(),
                kind: object.kind.as_str().into(),
                beside,
                named,
            });
        }
        let mut calls = Vec::new();
        let mut groups: Vec<Group> = Vec::new();
        let mut bound = Vec::new();
        for call in &self.calls {
            let at = calls.len();
            let mut call_of = names.call(call, keys)?;
            if let Some(by) = &call.made_as {
                bound.push(BoundCall { by: names.expression(by)?, call: call_of });
                continue;
            }
            call_of.mentioned = mentioned(&call_of, &new);
            calls.push(call_of);
            match groups.iter_mut().find(|group| *group.actor == *call.actor) {
                Some(group) => group.calls.push(at),
                None => groups.push(Group { actor: call.actor.as_str().into(), calls: vec![at] }),
            }
        }
        note_makers(&mut calls, &new, keys);
        let mut gains = Vec::new();
        for gain in &technique.gains {
            gains.push(names.gain(gain, grants)?);
        }
        let session = match &technique.session {
            Some(session) => {
                let mut keys = Vec::new();
                for (key, value) in &session.keys {
                    keys.push((key.to_lowercase().into(), names.expression(value)?));
                }
                let of = names.slot(&session.of)?;
                Some(RuleSession { of, name: names.expression(&session.name)?, keys })
            }
            None => None,
        };
        Ok(Rule {
            technique: position,
            id: technique.id.as_str().into(),
            slots,
            new,
            calls,
            groups,
            bound,
            gains,
            events: self.events.iter().map(|event| Arc::from(*event)).collect(),
            weaker_than: Vec::new(),
            aliases: technique.aliases.iter().map(|alias| alias.as_str().into()).collect(),
            governed: Vec::new(),
            anchors: Vec::new(),
            session,
        })
    }
}

/// The slots that a call needs bound, those beside which it makes resources included.
fn mentioned(call: &RuleCall, new: &[NewSlot]) -> Vec<usize> {
    let values = call.context.iter().flat_map(|(_, value)| match value {
        Determined::Absent => Vec::new(),
        Determined::One(expression) if matches!(*expression.0, [Part::Object(_)]) => Vec::new(),
        Determined::One(expression) => vec![expression],
        Determined::Many(expressions) | Determined::AnyOf(expressions) => {
            expressions.iter().collect()
        }
    });
    let mut out: Vec<usize> = call
        .resources
        .iter()
        .chain(values)
        .chain(&call.federated)
        .flat_map(|expression| &expression.0)
        .filter_map(|part| match part {
            Part::Object(slot) | Part::Attribute(slot, _) => Some(*slot),
            Part::New(at) | Part::NewName(at) => new.get(*at).and_then(|new| new.beside),
            Part::Text(_)
            | Part::Partition
            | Part::Region
            | Part::Account
            | Part::Open
            | Part::Said => None,
        })
        .chain(call.permission.iter().map(|(slot, _)| *slot))
        .chain(call.bearer)
        .chain(call.tags.iter().flat_map(|tags| [tags.on, tags.key]))
        .collect();
    out.sort_unstable();
    out.dedup();
    out
}

/// The position of a list of actions that a resource is made to grant, new or old.
fn granted(grants: &mut Vec<Vec<Arc<str>>>, actions: &[String]) -> Granted {
    let actions: Vec<Arc<str>> = actions.iter().map(|action| action.as_str().into()).collect();
    let at = grants.iter().position(|known| *known == actions).unwrap_or_else(|| {
        grants.push(actions);
        grants.len() - 1
    });
    Granted(u32::try_from(at).unwrap_or(u32::MAX))
}

/// The names a variant binds.
struct Names<'t> {
    technique: &'t Technique,
    slots: Vec<&'t str>,
    new: Vec<&'t str>,
}

impl Names<'_> {
    fn error(&self, problem: String) -> RuleError {
        RuleError { technique: self.technique.id.clone(), problem }
    }

    fn new_slot(&self, name: &str) -> Result<usize, RuleError> {
        let new = self.new.iter().position(|new| *new == name);
        new.ok_or_else(|| self.error(format!("{name:?} is not a new resource")))
    }

    fn slot(&self, name: &str) -> Result<usize, RuleError> {
        self.slots
            .iter()
            .position(|slot| *slot == name)
            .ok_or_else(|| self.error(format!("{name:?} is not an object of the technique")))
    }

    /// Reads text around `$name`, `$name.attribute`, `{partition}`, `{region}`, `{account}`, `{id}`
    /// and `{text}`; `$$` is a `$`.
    fn expression(&self, text: &str) -> Result<Expression, RuleError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if let Some(after) = rest.strip_prefix("$$") {
                literal.push('$');
                rest = after;
                continue;
            }
            let placeholder = [
                ("{partition}", Part::Partition),
                ("{region}", Part::Region),
                ("{account}", Part::Account),
                ("{id}", Part::Open),
                ("{text}", Part::Said),
            ]
            .into_iter()
            .find(|(word, _)| rest.starts_with(word));
            let (part, length) = if let Some((word, part)) = placeholder {
                (part, word.len())
            } else if c == '$' {
                let name_length = 1 + rest
                    .chars()
                    .skip(1)
                    .take_while(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_')
                    .count();
                self.reference(rest, name_length)?
            } else {
                literal.push(c);
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
                continue;
            };
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal).into()));
            }
            parts.push(part);
            rest = rest.get(length..).unwrap_or_default();
        }
        if !literal.is_empty() || parts.is_empty() {
            parts.push(Part::Text(literal.into()));
        }
        Ok(Expression(parts))
    }

    fn reference(&self, rest: &str, name_length: usize) -> Result<(Part, usize), RuleError> {
        let name = rest.get(..name_length).unwrap_or_default();
        let attribute: String = rest
            .get(name_length..)
            .and_then(|tail| tail.strip_prefix('.'))
            .map(|tail| {
                tail.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect()
            })
            .unwrap_or_default();
        let length = name_length + if attribute.is_empty() { 0 } else { 1 + attribute.len() };
        if let Some(new) = self.new.iter().position(|new| *new == name) {
            return match attribute.as_str() {
                "" => Ok((Part::New(new), length)),
                "name" => Ok((Part::NewName(new), length)),
                _ => Err(self.error(format!("{name}.{attribute}: a new resource has only a name"))),
            };
        }
        let slot = self.slot(name)?;
        let part = if attribute.is_empty() {
            Part::Object(slot)
        } else {
            Part::Attribute(slot, attribute.into())
        };
        Ok((part, length))
    }

    fn matcher(&self, matcher: &Matcher) -> Result<MatcherOf, RuleError> {
        use escalade_models::Comparison;
        Ok(match matcher {
            Matcher::Is(value) => MatcherOf::OneOf(vec![self.expression(value)?]),
            Matcher::OneOf(values) => MatcherOf::OneOf(
                values.iter().map(|value| self.expression(value)).collect::<Result<_, _>>()?,
            ),
            Matcher::Compare(Comparison::Not(value)) => MatcherOf::Not(self.expression(value)?),
            Matcher::Compare(Comparison::LessThan(bound)) => MatcherOf::LessThan(*bound),
            Matcher::Compare(Comparison::AtLeast(bound)) => MatcherOf::AtLeast(*bound),
            Matcher::Compare(Comparison::Absent(absent)) => MatcherOf::Absent(*absent),
            Matcher::Compare(Comparison::Like(pattern)) => {
                MatcherOf::Like(crate::pattern::Pattern::glob(pattern, false))
            }
        })
    }

    /// What a call needs besides. A call that sets a tag says itself what that takes.
    fn besides(&self, call: &Call, keys: &ContextKeys) -> Result<Vec<CallBesides>, RuleError> {
        let mut out = Vec::new();
        let tags = |besides: &&Besides| besides.carrying.iter().any(|key| key == "aws:TagKeys");
        let all = keys.besides(&call.action, None);
        for besides in all.filter(|besides| call.tags.is_none() || !tags(besides)) {
            let on = besides.on.as_deref().map(|on| self.expression(on)).transpose()?;
            let carrying = besides.carrying.iter();
            out.push(CallBesides {
                action: besides.permission.as_str().into(),
                action_lowercase: besides.permission.to_lowercase().into(),
                action_bit: 0,
                carrying: carrying
                    .map(|key| key.to_lowercase().trim_end_matches('*').into())
                    .collect(),
                on,
                says_action: besides.says_action.as_ref().map(|key| key.to_lowercase().into()),
            });
        }
        Ok(out)
    }

    fn call(&self, call: &Call, keys: &ContextKeys) -> Result<RuleCall, RuleError> {
        let expressions = |resources: &Resources| -> Result<Vec<Expression>, RuleError> {
            resources.as_slice().iter().map(|resource| self.expression(resource)).collect()
        };
        let resources = expressions(&call.resource)?;
        let sources = match &call.source {
            Some(source) => expressions(source)?,
            None => Vec::new(),
        };
        let mut context = Vec::new();
        for (key, value) in &call.context {
            let value = match value {
                ContextValue::One(value) => Determined::One(self.expression(value)?),
                ContextValue::Many(values) => Determined::Many(
                    values.iter().map(|value| self.expression(value)).collect::<Result<_, _>>()?,
                ),
                ContextValue::AnyOf { any_of } => Determined::AnyOf(
                    any_of.iter().map(|v| self.expression(v)).collect::<Result<_, _>>()?,
                ),
                ContextValue::Absent { .. } => Determined::Absent,
            };
            context.push((Arc::from(key.to_lowercase()), value));
        }
        let permission = match &call.permission {
            None => None,
            Some(permission) => {
                Some((self.slot(&permission.domain)?, Arc::from(permission.grants.as_str())))
            }
        };
        let tags = match &call.tags {
            None => None,
            Some(tags) => Some(CallTag {
                on: self.slot(&tags.on)?,
                key: self.slot(&tags.key)?,
                change: tags.change,
            }),
        };
        let federated = match &call.federated {
            None => None,
            Some(provider) => Some(self.expression(provider)?),
        };
        let bearer = match &call.bearer {
            None => None,
            Some(user) => Some(self.slot(user)?),
        };
        Ok(RuleCall {
            action: call.action.as_str().into(),
            action_lowercase: call.action.to_lowercase().into(),
            action_bit: 0,
            resources,
            sources,
            context,
            permission,
            answer: call.answer,
            tags,
            federated,
            any_audience: call.any_audience,
            bearer,
            besides: self.besides(call, keys)?,
            makes: None,
            made_by: Vec::new(),
            mentioned: Vec::new(),
        })
    }

    fn gain(&self, gain: &Gain, grants: &mut Vec<Vec<Arc<str>>>) -> Result<RuleGain, RuleError> {
        Ok(match gain {
            Gain::Credentials(name) => RuleGain::Credentials(self.slot(name)?),
            Gain::InlinePolicy(name) => RuleGain::InlinePolicy(self.slot(name)?),
            Gain::PolicyText(name) => RuleGain::PolicyText(self.slot(name)?),
            Gain::DefaultVersion { version, .. } => RuleGain::DefaultVersion(self.slot(version)?),
            Gain::AttachedPolicy { to, policy } => {
                RuleGain::AttachedPolicy(self.slot(to)?, self.expression(policy)?)
            }
            Gain::Membership { user, group } => {
                RuleGain::Membership(self.slot(user)?, self.slot(group)?)
            }
            Gain::TrustPolicy(name) => RuleGain::TrustPolicy(self.slot(name)?),
            Gain::NoBoundary(name) => RuleGain::NoBoundary(self.slot(name)?),
            Gain::DetachedPolicy { from, policy } => {
                RuleGain::DetachedPolicy(self.slot(from)?, self.slot(policy)?)
            }
            Gain::LeftGroup { user, group } => {
                RuleGain::LeftGroup(self.slot(user)?, self.slot(group)?)
            }
            Gain::Delegation { role, via, actions, except, answers, through, resources } => {
                RuleGain::Delegation {
                    role: self.slot(role)?,
                    mandate: Mandate {
                        via: via.as_deref().map(Arc::from),
                        ..Mandate::new(actions, except, answers.as_deref())
                    },
                    through: self.expression(through)?,
                    resources: resources
                        .iter()
                        .map(|resource| self.expression(resource))
                        .collect::<Result<_, _>>()?,
                }
            }
            Gain::Object { kind, attributes } => {
                let mut out = Vec::new();
                for (name, value) in attributes {
                    out.push((Arc::from(name.as_str()), self.expression(value)?));
                }
                RuleGain::Object(kind.as_str().into(), out)
            }
            Gain::NewPrincipal(name) => RuleGain::NewPrincipal(self.new_slot(name)?, None),
            Gain::BoundedPrincipal { principal, boundary } => {
                RuleGain::NewPrincipal(self.new_slot(principal)?, Some(self.slot(boundary)?))
            }
            Gain::AttachedPrincipal { principal, policy } => {
                RuleGain::AttachedPrincipal(self.new_slot(principal)?, self.slot(policy)?)
            }
            Gain::NewMember { user, group } => {
                RuleGain::NewMember(self.new_slot(user)?, self.slot(group)?)
            }
            Gain::DomainAdministration(name) => RuleGain::DomainAdministration(self.slot(name)?),
            Gain::ResourcePolicy(name) => RuleGain::ResourcePolicy(self.slot(name)?),
            Gain::NoResourcePolicy(name) => RuleGain::NoResourcePolicy(self.slot(name)?),
            Gain::ResourceGrant { on, actions } => {
                RuleGain::ResourceGrant(self.slot(on)?, granted(grants, actions))
            }
            Gain::Tag { on, key } => RuleGain::Tag(self.slot(on)?, self.slot(key)?, TagChange::Set),
            Gain::NoTag { on, key } => {
                RuleGain::Tag(self.slot(on)?, self.slot(key)?, TagChange::Remove)
            }
            Gain::IdentityProvider(_) => RuleGain::IdentityProvider,
            Gain::MfaDevice(name) => RuleGain::MfaDevice(self.slot(name)?),
            Gain::NoMfaDevice(name) => RuleGain::NoMfaDevice(self.slot(name)?),
            Gain::ControlPolicyText(name) => RuleGain::ControlPolicyText(self.slot(name)?),
            Gain::DetachedControlPolicy { from, policy } => {
                RuleGain::DetachedControlPolicy(self.slot(from)?, self.slot(policy)?)
            }
            Gain::AttachedControlPolicy { to, policy } => {
                let policy = policy.as_ref().map(|policy| self.slot(policy)).transpose()?;
                RuleGain::AttachedControlPolicy(self.slot(to)?, policy)
            }
            Gain::ControlPoliciesOff { root, of } => RuleGain::ControlPoliciesOff(
                self.slot(root)?,
                match of {
                    ControlPolicyType::ServiceControlPolicy => {
                        ControlPolicyKind::ServiceControlPolicy
                    }
                    ControlPolicyType::ResourceControlPolicy => {
                        ControlPolicyKind::ResourceControlPolicy
                    }
                },
            ),
            Gain::LeftOrganization(account) => {
                let named = account.starts_with('$').then(|| self.slot(account)).transpose()?;
                RuleGain::LeftOrganization(named)
            }
            Gain::MovedAccount { account, to } => {
                RuleGain::MovedAccount(self.slot(account)?, self.slot(to)?)
            }
            Gain::SessionTag { on, key } => {
                RuleGain::Tag(self.slot(on)?, self.slot(key)?, TagChange::Session)
            }
        })
    }
}
