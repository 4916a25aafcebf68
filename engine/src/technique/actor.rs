//! One principal as the maker of a rule's calls: its policies gathered once, each call decided.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use foldhash::HashMap;

use super::besides::Permission;
use super::binding::{Binding, NoText, Reader, Text};
use super::check::{Check, Determining, account_in, any_resource, contexts};
use super::mandate::Mandated;
use super::object_classes::Said;
use super::opensearch;
use super::rule::{Expression, Part, Rule, RuleCall};
use super::same_say::{Answered, SayId};
use super::search::Search;
use super::written_policies::Written;
use crate::authorization::{
    Applicable, CallContext, Caller, Decision, Granted, InForce, OfObject, Origin, Request,
    Resource, ResourcePolicy, SOURCE_IDENTITY, View, WRITTEN_POLICY, authorize, authorize_only,
    fold_time, global_region, governs, is_token_call, of_one_session, takes_unsigned, well_formed,
    with_knowledge,
};
use crate::policy::Policy;
use crate::residual::{Gap, Residual};
use crate::snapshot::{DocumentId, OUTSIDE, Object, ObjectId, Symbolic};

/// A principal that makes calls in a view of the world.
pub struct Actor<'a, 'w> {
    /// What decides.
    pub search: &'a Search<'w>,
    /// The world with the edits in force.
    pub view: View<'a, 'w>,
    /// The principal.
    pub principal: ObjectId,
    /// How it appears to IAM.
    pub caller: Caller,
    /// The policies on its side.
    pub applicable: Applicable<'a>,
    /// The domain that it administers from inside, if any.
    pub administered: Option<ObjectId>,
    /// What a service does as it for the attacker, if he does not act as it himself.
    pub mandated: Option<&'a Mandated>,
    /// The service that makes its calls in a forward access session, if one does.
    pub via: Option<&'a str>,
    /// Whether a token that it brings is its own.
    own_token: bool,
    /// Whether the identity provider accepts the token for whichever audience.
    pub(super) any_audience: bool,
    /// A trust policy that names it, for roles whose trust the attacker has written.
    pub written: Option<Arc<Policy>>,
    /// What its policies say about each action, by position in the catalogue's.
    pub(super) said: RefCell<HashMap<usize, Rc<Said<'a>>>>,
    /// The same as numbers that other callers may share; none where it is its own. By action and the
    /// number of permissions that its call needs besides.
    pub(super) says: RefCell<HashMap<(usize, usize), Option<SayId>>>,
    /// By document and statement: what it says of the actor, by number.
    pub(super) answered: RefCell<HashMap<(DocumentId, usize), Answered>>,
    /// Notes what decisions were about while a whole class of objects is decided.
    pub(super) of_object: OfObject,
    /// A policy that lets it in, for resources whose own policy the attacker has written.
    pub written_resource: Option<Arc<Policy>>,
    /// Policies that let it in for some actions, for resources that the attacker has made grant
    /// them.
    pub granted: BTreeMap<Granted, Arc<Policy>>,
    /// Checks of new resources and of none in particular, which recur from object to object.
    decided: RefCell<HashMap<(usize, Check), Residual>>,
}

impl<'a, 'w> Actor<'a, 'w> {
    /// Gathers the policies of `principal` in `view`. `None` if it is nothing that can call.
    pub fn new(search: &'a Search<'w>, view: View<'a, 'w>, principal: ObjectId) -> Option<Self> {
        let object = view.object(principal)?;
        let caller = view.caller(object)?;
        let lets_in = |what| search.written_policy(&caller, what);
        let written = (!view.edits.trust.is_empty()).then(|| lets_in(Written::Trust)).flatten();
        let applicable = view.applicable(principal);
        let symbolic = object.symbolic().is_some();
        let resource = Written::Resource { granted: None, symbolic };
        let is_changed = !view.edits.resource_policy.is_empty();
        let written_resource = is_changed.then(|| lets_in(resource)).flatten();
        let granted = view.edits.granted.values().flatten();
        let granted = granted
            .filter_map(|actions| {
                let granted = Some(*actions);
                Some((*actions, lets_in(Written::Resource { granted, symbolic })?))
            })
            .collect();
        Some(Self {
            search,
            view,
            principal,
            caller,
            applicable,
            administered: None,
            mandated: None,
            via: None,
            own_token: true,
            any_audience: false,
            written,
            said: RefCell::default(),
            says: RefCell::default(),
            answered: RefCell::default(),
            of_object: OfObject::default(),
            written_resource,
            granted,
            decided: RefCell::default(),
        })
    }

    /// The same where a service makes the calls for the attacker, if it does.
    pub fn by(mut self, mandated: Option<&'a Mandated>) -> Self {
        self.mandated = mandated;
        self.via = mandated.and_then(|mandated| mandated.mandate.via.as_deref());
        self
    }

    fn reader<'r>(&'r self, rule: &'r Rule) -> Reader<'r, 'w>
    where
        'a: 'r,
    {
        Reader { view: self.view, kinds: self.search.kinds, rule }
    }

    /// Its ARN, if it is a user or a role.
    pub(super) fn caller_arn(&self) -> Option<&Arc<str>> {
        match &self.caller {
            Caller::User(arn) | Caller::Role(arn) => Some(arn),
            _ => None,
        }
    }

    /// Who makes a call that brings a token of an identity provider: nobody that policies of an
    /// account bind. `None` for other calls; the provider may not be known.
    pub fn federated(
        &self,
        rule: &Rule,
        call: &RuleCall,
        binding: &Binding,
    ) -> Option<Result<Self, NoText>> {
        let provider = match self.reader(rule).text(binding, call.federated.as_ref()?) {
            Ok(Text::Literal(provider)) => provider,
            // Of a provider that was not listed only its account is known.
            Ok(Text::Template(start, ..)) => {
                let role = call.resources.iter().find_map(|resource| match *resource.0 {
                    [Part::Object(slot)] => binding.objects.get(slot).copied(),
                    _ => None,
                });
                if !role.is_some_and(|role| self.view.trusts_provider(role, &start)) {
                    return Some(Err(NoText::Absent));
                }
                let gap = Gap("which identity provider there is, is not known".into());
                return Some(Err(NoText::Unknown(gap)));
            }
            Err(reason) => return Some(Err(reason)),
        };
        Some(Ok(Self {
            search: self.search,
            view: self.view,
            principal: self.principal,
            caller: Caller::Federated(provider),
            applicable: Applicable {
                identity: Vec::new(),
                boundary: None,
                session: None,
                service_control: Vec::new(),
                resource_control: Vec::new(),
                endpoints: &[],
                resource: ResourcePolicy::Absent,
            },
            administered: None,
            mandated: None,
            via: None,
            own_token: false,
            any_audience: call.any_audience,
            written: None,
            said: RefCell::default(),
            says: RefCell::default(),
            answered: RefCell::default(),
            of_object: OfObject::default(),
            written_resource: None,
            granted: BTreeMap::new(),
            decided: RefCell::default(),
        }))
    }

    /// What is left of the authorization of one call.
    pub fn call(&self, rule: &Rule, call: &RuleCall, binding: &Binding) -> Residual {
        self.call_decided(rule, call, binding, Self::authorized)
    }

    /// As [`Self::call`], where `decide` says what is left of one permission that the call takes.
    pub fn call_decided(
        &self,
        rule: &Rule,
        call: &RuleCall,
        binding: &Binding,
        decide: impl Fn(&Self, &Permission<'_>) -> Residual,
    ) -> Residual {
        if self.mandated.is_some_and(|mandated| !mandated.makes(call)) {
            return Residual::False;
        }
        if let Some(slot) = call.bearer {
            let own = binding.objects.get(slot) == Some(&self.principal);
            return Residual::constant(own);
        }
        match self.federated(rule, call, binding) {
            None => self.signed(rule, call, binding, decide),
            Some(Ok(federated)) => federated.signed(rule, call, binding, decide),
            Some(Err(NoText::Absent)) => Residual::False,
            Some(Err(NoText::Unknown(gap))) => Residual::Unknown(gap),
        }
    }

    /// Whether the caller can make a call of this action, in lower case, at all: unsigned, with a
    /// token, or signed.
    pub fn can_make(&self, lowercase: &str) -> bool {
        match self.caller {
            Caller::Anonymous => takes_unsigned(lowercase),
            Caller::Federated(_) => is_token_call(lowercase),
            _ => true,
        }
    }

    /// The object of the principal, if it stands for many.
    fn symbolic(&self) -> Option<&Object> {
        self.view.object(self.principal).filter(|object| object.symbolic().is_some())
    }

    /// Whether it stands for callers of several ARNs.
    pub(super) fn stands_for_many(&self) -> bool {
        self.symbolic().is_some()
    }

    /// Whether it calls from outside the snapshot's accounts.
    pub fn is_outside(&self) -> bool {
        self.symbolic().is_some_and(Object::is_outside)
    }

    /// The account of what a check is about. To who calls from outside, what is nobody's in
    /// particular is not its own: what it does in its own account does not matter here.
    pub fn owner<'c>(&self, check: &'c Check) -> Option<&'c str> {
        let of_others = || {
            let object = check.object.and_then(|id| self.view.object(id));
            object.is_some_and(|object| object.is_unlisted() && object.account == OUTSIDE)
        };
        check
            .account
            .as_deref()
            .or_else(|| (self.is_outside() || of_others()).then_some("elsewhere"))
    }

    fn signed(
        &self,
        rule: &Rule,
        call: &RuleCall,
        binding: &Binding,
        decide: impl Fn(&Self, &Permission<'_>) -> Residual,
    ) -> Residual {
        let permitted = self.permitted(call, binding);
        if permitted.is_false() {
            return Residual::False;
        }
        let authorized = |checks: &Vec<Check>| {
            Residual::all(checks.iter().map(|check| {
                let authorized = self.passes(rule, call, binding, check, &decide);
                match &check.gap {
                    Some(gap) => authorized.and(Residual::Unknown(gap.clone())),
                    None => authorized,
                }
            }))
        };
        // Mostly nothing asks which tags the request has: then they need not be told apart.
        if let Some(checks) = self.check_without_tags(rule, call, binding) {
            self.of_object.request_tags.set(false);
            let left = authorized(&checks);
            if !self.of_object.request_tags.get() {
                return permitted.and(left);
            }
        }
        match self.checks(rule, call, binding) {
            None => Residual::False,
            Some(alternatives) => permitted.and(Residual::any(alternatives.iter().map(authorized))),
        }
    }

    /// The check of a call on tags and nothing else that hangs on them, none of them in the request.
    fn check_without_tags(
        &self,
        rule: &Rule,
        call: &RuleCall,
        binding: &Binding,
    ) -> Option<Vec<Check>> {
        let tag = call.tags?;
        let name = self.view.ground.tag_key(*binding.objects.get(tag.key)?)?;
        self.view.ground.tag_keys().name(name).filter(|name| *name != SOURCE_IDENTITY)?;
        self.view.object(*binding.objects.get(tag.on)?)?;
        if !(call.context.is_empty() && call.besides.is_empty() && call.makes.is_none()) {
            return None;
        }
        self.checks_in(rule, call, binding, vec![(BTreeMap::new(), Residual::True)])?.pop()
    }

    /// Whether the resource's own access control permits a call. An unsigned caller, an internal
    /// user of an OpenSearch domain, makes no other calls.
    pub fn permitted(&self, call: &RuleCall, binding: &Binding) -> Residual {
        match &call.permission {
            None => Residual::constant(match self.caller {
                Caller::Anonymous => false,
                Caller::Federated(_) => is_token_call(&call.action_lowercase),
                _ => !is_token_call(&call.action_lowercase),
            }),
            Some(_) if matches!(self.caller, Caller::Federated(_)) => Residual::False,
            Some((slot, permission)) => {
                let Some(domain) = binding.objects.get(*slot) else { return Residual::False };
                opensearch::permits(
                    self.search,
                    &self.view,
                    *domain,
                    self.principal,
                    permission,
                    self.administered == Some(*domain),
                )
            }
        }
    }

    /// The checks of a call: alternatives of checks that all must pass. `None`: a part of the call
    /// has no value, so that it cannot be made.
    ///
    /// A resource that is not known may be any.
    pub fn checks(
        &self,
        rule: &Rule,
        call: &RuleCall,
        binding: &Binding,
    ) -> Option<Vec<Vec<Check>>> {
        let contexts = contexts(&self.reader(rule), call, binding).ok()?;
        self.checks_in(rule, call, binding, contexts)
    }

    /// The same with the keys that the call determines.
    fn checks_in(
        &self,
        rule: &Rule,
        call: &RuleCall,
        binding: &Binding,
        contexts: Vec<Determining>,
    ) -> Option<Vec<Vec<Check>>> {
        let reader = self.reader(rule);
        let region = self.region(&reader, call, binding);
        let mut resources = Vec::new();
        for expression in &call.resources {
            resources.push(match reader.text(binding, expression) {
                Ok(text) => (expression, Resource::from(text), None),
                Err(NoText::Absent) => return None,
                Err(NoText::Unknown(gap)) => (expression, any_resource(), Some(gap)),
            });
        }
        Some(
            contexts
                .into_iter()
                .map(|(determined, given)| {
                    let determined = Arc::new(determined);
                    resources
                        .iter()
                        .enumerate()
                        .map(|(at, (expression, resource, gap))| {
                            let (object, account) = self.place(binding, expression, resource);
                            Check {
                                resource: resource.clone(),
                                object,
                                account,
                                region: region.clone(),
                                determined: determined.clone(),
                                request: None,
                                made_by: call.made_by.get(at).cloned().flatten(),
                                is_there: false,
                                given: given.clone(),
                                gap: gap.clone(),
                            }
                        })
                        .collect()
                })
                .collect(),
        )
    }

    /// The Region of a call: that of its service's only endpoint, or of the bucket, empty if it is not
    /// known; but a role is passed where it is passed to.
    fn region(&self, reader: &Reader<'_, '_>, call: &RuleCall, binding: &Binding) -> Arc<str> {
        let service = call.action_lowercase.split(':').next().unwrap_or_default();
        let accounts = &self.view.ground.world.accounts;
        let account = accounts.get(binding.account.0 as usize).or(accounts.first());
        let partition = account.map_or("aws", |account| &account.partition);
        let bucket = || {
            let bound = call.mentioned.iter().filter_map(|slot| binding.objects.get(*slot));
            bound.filter_map(|id| self.view.object(*id)).find(|object| &*object.kind == "s3:bucket")
        };
        match (global_region(service, partition), service) {
            (Some(region), _) if *call.action_lowercase != *"iam:passrole" => region.into(),
            (_, "s3") if let Some(bucket) = bucket() => region_of_bucket(bucket),
            _ => reader.region(binding).into(),
        }
    }

    /// The object that a check is on, if the snapshot has it, and the account that owns it.
    fn place(
        &self,
        binding: &Binding,
        expression: &Expression,
        resource: &Resource,
    ) -> (Option<ObjectId>, Option<Arc<str>>) {
        let slot = expression.0.iter().find_map(|part| match part {
            Part::Object(slot) | Part::Attribute(slot, _) => Some(*slot),
            _ => None,
        });
        let bound = slot.and_then(|slot| binding.objects.get(slot)).copied();
        let object = bound.filter(|_| matches!(expression.0.first(), Some(Part::Object(_))));
        let account = match object.and_then(|id| self.view.object(id)) {
            Some(object) if object.is_of_organization() => None,
            Some(object) => self.view.account_of(object).map(Arc::from),
            None => account_in(resource),
        };
        (object, account)
    }

    /// What is left of one check, remembered if the same check can come again.
    fn authorized(&self, asked: &Permission<'_>) -> Residual {
        let Permission { action, lowercase, bit, check } = asked;
        let decide = || {
            let said = self.said(*bit, lowercase);
            self.decide_under(&said.policies, action, lowercase, check, authorize_only).authorized()
        };
        if check.object.is_some() {
            return decide();
        }
        let key = (*bit, check.clone());
        if let Some(known) = self.decided.borrow().get(&key) {
            return known.clone();
        }
        let residual = decide();
        self.decided.borrow_mut().insert(key, residual.clone());
        residual
    }

    /// Decides one check of a call.
    ///
    /// - `lowercase`: the action in lower case.
    pub fn decide(&self, action: &str, lowercase: &str, check: &Check) -> Decision {
        self.decide_under(&self.applicable, action, lowercase, check, authorize)
    }

    /// Decides one check under these policies of the caller, which may lack what is not about the
    /// action.
    ///
    /// - `decide`: how, where nothing is granted in addition to the resource's own policy.
    fn decide_under(
        &self,
        policies: &Applicable<'_>,
        action: &str,
        lowercase: &str,
        check: &Check,
        decide: fn(&Request<'_>, &Applicable<'_>) -> Decision,
    ) -> Decision {
        self.search.decisions.fetch_add(1, Ordering::Relaxed);
        let context = self.context(lowercase, check);
        let request = Request {
            caller: &self.caller,
            action,
            resource: &check.resource,
            resource_account: self.owner(check),
            context: &context,
        };
        let mut decision: Option<Decision> = None;
        let alternatives = self.with_resource(policies, lowercase, check);
        let decide = if alternatives.len() == 1 { decide } else { authorize };
        for applicable in alternatives {
            let one = decide(&request, &applicable);
            // What is granted in addition does not take away what the resource's policy denies.
            decision = Some(match decision {
                None => one,
                Some(own) => Decision { allowed: own.allowed.or(one.allowed), denied: own.denied },
            });
        }
        let not_before = self.view.ground.not_before;
        match decision {
            Some(decision) => {
                let (mut allowed, mut denied) = (decision.allowed, decision.denied);
                if lowercase == "sts:assumerolewithwebidentity" {
                    allowed = self.for_accepted_audience(allowed, &context);
                }
                if lowercase == "sts:assumerole" {
                    (allowed, denied) =
                        (with_knowledge(allowed, true), with_knowledge(denied, false));
                }
                if let Caller::Role(role) = &self.caller {
                    let of_roles = |key: &str| {
                        self.search.keys.global_named(key).is_some_and(|known| known.of_roles)
                    };
                    allowed = of_one_session(allowed, role, true, &of_roles);
                    denied = of_one_session(denied, role, false, &of_roles);
                }
                if self.view.ground.asks_for_tokens && matches!(self.caller, Caller::Role(_)) {
                    let both = allowed.clone().and(denied.clone().negate());
                    allowed = allowed.and(context.let_in_with_token(&both));
                }
                if let Some(object) = self.symbolic() {
                    let both = allowed.clone().and(denied.clone().negate());
                    allowed = allowed.and(well_formed(&both, object, self.view.ground));
                }
                Decision {
                    allowed: fold_time(allowed, not_before),
                    denied: fold_time(denied, not_before),
                }
            }
            None => Decision { allowed: Residual::False, denied: Residual::False },
        }
    }

    /// The policies that apply to a check: with the resource's own policy, then with each that the
    /// attacker has had it grant in addition in its place.
    pub fn applicable_to(&self, lowercase: &str, check: &Check) -> Vec<Applicable<'_>> {
        self.with_resource(&self.applicable, lowercase, check)
    }

    fn with_resource<'s>(
        &'s self,
        policies: &Applicable<'s>,
        lowercase: &str,
        check: &Check,
    ) -> Vec<Applicable<'s>> {
        let mut applicable: Applicable<'s> = policies.clone();
        applicable.resource = self.own_policy(lowercase, check.object);
        if let Some(account) = &check.account {
            applicable.resource_control =
                self.view.resource_control(account, lowercase, check.object);
        }
        let mut out = vec![applicable];
        let Some(object) = check.object.filter(|_| !self.granted.is_empty()) else { return out };
        for granted in self.view.edits.granted.get(&object).into_iter().flatten() {
            let Some(policy) = self.granted.get(granted) else { continue };
            if let (true, Some(own)) = (self.is_governed(lowercase, object), out.first()) {
                let mut more = own.clone();
                more.resource = ResourcePolicy::Present(InForce {
                    policy: Ok(policy),
                    name: WRITTEN_POLICY,
                    origin: Origin::Elsewhere,
                });
                out.push(more);
            }
        }
        out
    }

    /// Whether the call is made with a token whose subject is not the principal itself.
    fn brings_token_of_others(&self) -> bool {
        let is_subject =
            |object: &Object| matches!(object.symbolic(), Some(Symbolic::Token { .. }));
        matches!(self.caller, Caller::Federated(_))
            && !(self.own_token && self.symbolic().is_some_and(is_subject))
    }

    /// The condition keys of one check.
    pub fn context<'c>(&'c self, action: &'c str, check: &'c Check) -> CallContext<'c> {
        CallContext {
            keys: self.search.keys,
            view: self.view,
            action,
            request: check.request.as_deref().unwrap_or(action),
            made_by: check.made_by.as_deref(),
            is_there: check.is_there,
            caller: &self.caller,
            via: self.via,
            principal: (!self.brings_token_of_others()).then_some(self.principal),
            resource: &check.resource,
            object: check.object,
            resource_account: check.account.as_deref(),
            region: &check.region,
            determined: &check.determined,
            pins: &self.search.pins,
            of_object: Some(&self.of_object),
            leave_open: false,
        }
    }

    /// The policy of the resource that this action is checked against: a role's trust policy only
    /// decides who may assume it, and other policies only govern actions of their own service.
    pub fn own_policy(&self, action: &str, object: Option<ObjectId>) -> ResourcePolicy<'_> {
        let Some(object) = object else { return ResourcePolicy::Absent };
        if self.has_left() && self.is_organizations(object) {
            return ResourcePolicy::Absent;
        }
        let is_role = self.view.object(object).is_some_and(|object| &*object.kind == "iam:role");
        let written = if is_role { &self.written } else { &self.written_resource };
        self.view.governing_policy(action, object, written.as_deref())
    }

    /// Whether the caller's account is no longer in the organization, whose resource policy lets in
    /// none but its members.
    ///
    /// Implements <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_delegate_policies.html>.
    fn has_left(&self) -> bool {
        self.caller.account().is_some_and(|account| self.view.has_left(account))
    }

    fn is_organizations(&self, object: ObjectId) -> bool {
        self.view.object(object).is_some_and(|object| object.kind.starts_with("organizations:"))
    }

    fn is_governed(&self, action: &str, object: ObjectId) -> bool {
        self.view.object(object).is_some_and(|object| governs(&object.kind, action))
    }
}

/// The Region of a bucket, empty if it was not asked.
pub(super) fn region_of_bucket(bucket: &Object) -> Arc<str> {
    let values = bucket.attribute("region").unwrap_or_default();
    values.first().cloned().unwrap_or_default()
}
