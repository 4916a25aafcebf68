//! Who may assume a role besides the attacker's principals: services on a resource's behalf, and
//! other roles.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::HashMap;
use roaring::RoaringBitmap;

use super::actor::Actor;
use super::binding::{Binding, Reader, Text};
use super::check::{Check, input_of};
use super::object_sets::remembered;
use super::rule::{Expression, Rule, Slot, Truster};
use super::rules::Rules;
use super::search::Search;
use super::written_policies::Written;
use crate::authorization::{
    Applicable, CallContext, Caller, InForce, Input, Request, Resource, View, authorize,
    everywhere, fold_time, governs, session_begun,
};
use crate::pattern::{Pattern, Token};
use crate::policy::{Effect, Policy, Principal, Statement};
use crate::residual::{Atom, Grammar, Residual, Test, Variable, VariableKind};
use crate::snapshot::{AccountIndex, Detail, DocumentId, ObjectId, World};

/// Which roles services may be able to assume, by the tables of their trust policies alone.
///
/// Most services that a role can be passed to are ones that no role of an account trusts. Their
/// rules need not be looked at for each principal.
#[derive(Debug, Default)]
pub(super) struct ServiceTrust {
    /// By rule: its slots of roles that some service has to be able to assume.
    by_rule: Vec<Vec<Trusted>>,
    /// By the services that will do.
    by_services: HashMap<Vec<Truster>, Arc<Trusting>>,
}

/// A slot of a rule that some service has to be able to assume.
#[derive(Debug)]
struct Trusted {
    /// Whether only roles of the caller's account come into question.
    is_own: bool,
    by: Arc<Trusting>,
}

/// The roles whose trust policy names a service that will do, or everyone, or is not known.
#[derive(Debug)]
struct Trusting {
    roles: RoaringBitmap,
    /// The accounts that they are in, and those whose roles were not listed.
    accounts: RoaringBitmap,
}

impl ServiceTrust {
    /// Looks through the trust policies of a world.
    pub(super) fn of(world: &World, rules: &Rules) -> Self {
        let mut by_document: BTreeMap<DocumentId, RoaringBitmap> = BTreeMap::new();
        let (mut anyone, mut unlisted) = (RoaringBitmap::new(), RoaringBitmap::new());
        let mut out = Self::default();
        for (at, object) in world.objects.iter().enumerate() {
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            match &object.detail {
                Detail::Role(role) => match &role.trust {
                    Ok(document) => {
                        by_document.entry(*document).or_default().insert(at);
                    }
                    Err(_) => {
                        anyone.insert(at);
                    }
                },
                Detail::Unlisted(_) if &*object.kind == "iam:role" => {
                    unlisted.insert(object.account.0);
                }
                _ => {}
            }
        }
        let mut by_service: BTreeMap<Cow<'_, str>, RoaringBitmap> = BTreeMap::new();
        for (document, roles) in &by_document {
            let policy =
                world.documents.get(document.0 as usize).map(|known| known.policy.as_ref());
            let Some(Ok(policy)) = policy else {
                anyone |= roles;
                continue;
            };
            for statement in policy.statements().iter().filter(|s| s.effect() == Effect::Allow) {
                let Some(principals) = statement.principals() else { continue };
                if principals.negated {
                    anyone |= roles;
                }
                for principal in &principals.named {
                    match principal {
                        Principal::Everyone => anyone |= roles,
                        Principal::Service(name) => {
                            *by_service.entry(everywhere(name)).or_default() |= roles;
                        }
                        _ => {}
                    }
                }
            }
        }
        for rule in rules.rules.iter() {
            let mut of_rule = Vec::new();
            for (at, slot) in rule.slots.iter().enumerate() {
                let services: Option<Vec<&str>> =
                    slot.trusts.iter().map(Truster::service).collect();
                let Some(services) = services.filter(|services| !services.is_empty()) else {
                    continue;
                };
                let by = out.by_services.entry(slot.trusts.clone()).or_insert_with(|| {
                    let named =
                        services.iter().filter_map(|service| by_service.get(&everywhere(service)));
                    let roles = named.fold(anyone.clone(), |all, of| all | of);
                    let account = |role| Some(world.object(ObjectId(role))?.account.0);
                    let known: RoaringBitmap = roles.iter().filter_map(account).collect();
                    Arc::new(Trusting { accounts: known | &unlisted, roles })
                });
                let mut calls = rule.calls_of(0).filter(|call| call.mentions(at));
                let is_own = !slot.is_found_through_others()
                    && calls.all(|call| {
                        !call.is_by_token() && !governs(&slot.kind, &call.action_lowercase)
                    });
                of_rule.push(Trusted { is_own, by: by.clone() });
            }
            out.by_rule.push(of_rule);
        }
        out
    }

    /// Whether every role may be there that a service has to be able to assume for a rule.
    ///
    /// - `account`: the caller's.
    pub(super) fn may_be(&self, rule: usize, account: AccountIndex) -> bool {
        let of_rule = self.by_rule.get(rule).map_or(&[][..], Vec::as_slice);
        let found = |trusted: &Trusted| match trusted.is_own {
            true => trusted.by.accounts.contains(account.0),
            false => !trusted.by.accounts.is_empty(),
        };
        of_rule.iter().all(found)
    }

    /// The roles whose trust policies may let in a service that will do for a slot, if one has to be
    /// let in.
    pub(super) fn of_slot(&self, slot: &Slot) -> Option<&RoaringBitmap> {
        (!slot.trusts.is_empty())
            .then(|| self.by_services.get(&slot.trusts))
            .flatten()
            .map(|by| &by.roles)
    }
}

/// `aws:SourceArn`, where AWS does not say what a service puts there.
fn unknown_source() -> Variable {
    Variable {
        name: "aws:SourceArn".into(),
        scope: "".into(),
        kind: VariableKind::Environment,
        multivalued: false,
        grammar: Grammar::any(),
    }
}

/// That a source that is not known is none of another account: `aws:SourceAccount` says whose it is.
///
/// Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html>.
fn of_account(source: &Variable, account: &str) -> Residual {
    let fits = |pattern: String| {
        Residual::atom(Atom::Passes(source.clone(), Test::Like(Pattern::glob(&pattern, false))))
    };
    let forms = [format!("arn:*:*:*:{account}:*"), "arn:*:*:*::*".to_owned()];
    let absent = Residual::atom(Atom::Present(source.clone())).negate();
    Residual::any(std::iter::once(absent).chain(forms.map(fits)))
}

impl Search<'_> {
    /// When a service may assume the role, by its trust policy and the resource control policies that
    /// bind it.
    ///
    /// - `source`: the resource on whose behalf the service acts. `None` if it is not known: then it
    ///   is assumed to be one that the trust policy asks for.
    ///
    /// Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html>; for
    /// services as callers
    /// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html>, of
    /// which service-linked roles are exempt; and, for
    /// what services need besides, <https://docs.aws.amazon.com/rolesanywhere/latest/userguide/trust-model.html>.
    pub fn trusts_service(
        &self,
        view: &View<'_, '_>,
        role: ObjectId,
        service: &Arc<str>,
        source: Option<&Resource>,
    ) -> Residual {
        let is_written = view.edits.trust.contains(&role);
        self.trusts_service_by(view, role, service, source, is_written)
    }

    /// The same by the trust policy as it is, or as the attacker has written it.
    pub fn trusts_service_by(
        &self,
        view: &View<'_, '_>,
        role: ObjectId,
        service: &Arc<str>,
        source: Option<&Resource>,
        is_written: bool,
    ) -> Residual {
        let Some(object) = view.object(role) else { return Residual::False };
        let detail = match &object.detail {
            Detail::Role(detail) => detail,
            Detail::Unlisted(gap) => return Residual::Unknown(gap.clone()),
            _ => return Residual::False,
        };
        let document = match &detail.trust {
            Ok(document) => Some(*document),
            Err(_) if is_written => None,
            Err(gap) => return Residual::Unknown(gap.clone()),
        };
        let account: Arc<str> = view.account_of(object).unwrap_or_default().into();
        let key = document.map(|document| (document, service.clone(), account.clone()));
        // The source only matters to policies with conditions, which are decided each time. Roles that
        // resource control policies spare are few.
        let is_linked = object.is_service_linked();
        let trust = document.and_then(|document| view.ground.world.policy(document));
        let caller = Caller::Service(service.clone());
        let written = is_written.then(|| self.written_policy(&caller, Written::Trust)).flatten();
        let recurs = !is_linked
            && !is_written
            && view.edits.organization.is_empty()
            && trust.is_some_and(|it| it.statements().iter().all(|s| s.conditions().is_empty()));
        if recurs
            && let Some(key) = &key
            && let Ok(known) = self.service_trust.read()
            && let Some(residual) = known.get(key)
        {
            return residual.clone();
        }
        let controls = match is_linked {
            true => Vec::new(),
            false => view.resource_control(&account, "sts:assumerole", Some(role)),
        };
        let is_open =
            |in_force: &InForce<'_>| in_force.policy.is_ok_and(|policy| !policy.has_deny());
        let plain = recurs && controls.iter().flatten().all(is_open);
        let mut determined: BTreeMap<Arc<str>, Input> = BTreeMap::new();
        determined.insert("aws:sourceaccount".into(), Input::One(account.clone()));
        match source {
            Some(source) => _ = determined.insert("aws:sourcearn".into(), input_of(source)),
            None if self.pins.contains_key("aws:sourcearn") => {}
            None => {
                let variable = unknown_source();
                determined.insert("aws:sourcearn".into(), Input::Free { variable, certain: false });
            }
        }
        for key in ["aws:sourceorgid", "aws:sourceorgpaths"] {
            determined.insert(key.into(), view.organization_key(key, Some(&account)));
        }
        if let Some(trust) = trust.filter(|_| !is_written) {
            for key in self.tags_told(trust, service) {
                let variable = Variable {
                    name: key.clone(),
                    scope: "sts:assumerole".into(),
                    kind: VariableKind::Chosen,
                    multivalued: false,
                    grammar: Grammar::any(),
                };
                determined.entry(key).or_insert(Input::Free { variable, certain: false });
            }
        }
        let resource = Resource::Literal(object.arn.clone());
        let applicable = Applicable {
            identity: Vec::new(),
            boundary: None,
            session: None,
            service_control: Vec::new(),
            resource_control: controls,
            resource: view.own_policy(role, written.as_deref()),
            endpoints: &[],
        };
        // Some services always tag their sessions, or set their source identity.
        let besides = self.keys.besides("sts:AssumeRole", Some(service));
        let actions = std::iter::once("sts:AssumeRole")
            .chain(besides.map(|besides| besides.permission.as_str()));
        let residual = Residual::all(actions.map(|action| {
            let context = CallContext {
                keys: self.keys,
                view: *view,
                action: &action.to_lowercase(),
                request: "sts:assumerole",
                made_by: None,
                is_there: false,
                caller: &caller,
                principal: None,
                resource: &resource,
                object: Some(role),
                resource_account: Some(&account),
                region: object.region.as_deref().unwrap_or("us-east-1"),
                determined: &determined,
                pins: &self.pins,
                of_object: None,
                via: None,
                leave_open: false,
            };
            let request = Request {
                caller: &caller,
                action,
                resource: &resource,
                resource_account: Some(&account),
                context: &context,
            };
            authorize(&request, &applicable).authorized()
        }));
        let open = unknown_source();
        let residual = match source.is_none() && residual.variables().contains(&open) {
            true => residual.and(of_account(&open, &account)),
            false => residual,
        };
        let residual = fold_time(residual, self.ground.not_before);
        if plain
            && let Some(key) = key
            && let Ok(mut known) = self.service_trust.write()
        {
            known.insert(key, residual.clone());
        }
        residual
    }

    /// The tags of its caller, in lower case, that a trust policy asks for and that a service always
    /// tells: what the certificate says with which the attacker calls.
    ///
    /// Implements <https://docs.aws.amazon.com/rolesanywhere/latest/userguide/attribute-mapping-and-trust-policy.html>.
    fn tags_told(&self, trust: &Policy, service: &str) -> BTreeSet<Arc<str>> {
        let besides = self.keys.besides("sts:AssumeRole", Some(service));
        let families = besides.flat_map(|besides| &besides.carrying);
        let told: Vec<String> = families
            .filter_map(|family| family.to_lowercase().strip_suffix('*').map(str::to_owned))
            .filter(|family| family.starts_with("aws:principaltag/"))
            .collect();
        let conditions = trust.statements().iter().flat_map(Statement::conditions);
        let keys = conditions.map(|condition| &condition.key_lowercase);
        let told = keys.filter(|key| told.iter().any(|family| key.starts_with(family)));
        told.map(|key| Arc::from(&**key)).collect()
    }

    /// What the session is called in which a service uses a role for a rule, and which keys come with
    /// it, if AWS says so.
    pub fn session_begun(&self, view: &View<'_, '_>, rule: &Rule, binding: &Binding) -> Residual {
        let Some(session) = &rule.session else { return Residual::True };
        let Some(role) = binding.objects.get(session.of) else { return Residual::True };
        let reader = Reader { view: *view, kinds: self.kinds, rule };
        let name = match reader.text(binding, &session.name) {
            Ok(Text::Literal(name)) => name,
            _ => "*".into(),
        };
        // Of something new that is what is known before its name is chosen.
        let value = |expression: &Expression| match reader.text(binding, expression).ok()? {
            Text::Literal(text) => Some(Pattern::literal(&text, false)),
            Text::Template(before, _, after) => {
                let (before, after) = (before.chars(), after.chars());
                let (before, after) = (before.map(Token::Literal), after.map(Token::Literal));
                Some(Pattern::new(before.chain([Token::AnyRun]).chain(after), false))
            }
        };
        let keys = session.keys.iter().filter_map(|(key, of)| Some((&**key, value(of)?)));
        session_begun(view, *role, &name, keys)
    }

    /// When a role may assume another one, by its own policies and the other's trust policy.
    pub fn trusts_role(&self, view: View<'_, '_>, role: ObjectId, other: ObjectId) -> Residual {
        let in_snapshot = |id: ObjectId| (id.0 as usize) < self.ground.world.objects.len();
        let decide = || self.decide_trust_of_role(view, role, other);
        match view.edits.is_empty() && in_snapshot(role) && in_snapshot(other) {
            true => remembered(&self.roles_trusting_roles, &(role, other), decide),
            false => decide(),
        }
    }

    fn decide_trust_of_role(
        &self,
        view: View<'_, '_>,
        role: ObjectId,
        other: ObjectId,
    ) -> Residual {
        let (Some(actor), Some(object)) = (Actor::new(self, view, other), view.object(role)) else {
            return Residual::False;
        };
        let check = Check {
            resource: Resource::Literal(object.arn.clone()),
            object: Some(role),
            account: view.account_of(object).map(Arc::from),
            ..Check::of_nothing()
        };
        actor.decide("sts:AssumeRole", "sts:assumerole", &check).authorized()
    }
}
