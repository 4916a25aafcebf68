//! What the search looks up instead of trying everything: which actions each policy document may
//! allow, which objects refer to which, and which principals the evaluator cannot tell apart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::{HashMap, HashSet};
use rayon::prelude::*;
use roaring::RoaringBitmap;

use super::actions::{Actions, KnownActions};
use super::classes::{Class, Classes, Relevant, classes};
use super::forwarding;
use super::letting_in::LetIn;
use super::object_sets::{ObjectSets, Remembered, remembered};
use super::rule::{Expression, MatcherOf, Part};
use super::rules::Rules;
use super::trusting::{Trusted, Trusting, as_indexed, named_as};
use crate::authorization::{Caller, Edits, Ground, View, governs};
use crate::policy::{Effect, Policy, Principal, Principals, is_of_account, tells_callers_apart};
use crate::snapshot::{
    AccountIndex, Detail, DocumentId, Object, ObjectId, Organization, OwnPolicy, World,
};

/// Kind, attribute and value.
type AttributeKey = (Arc<str>, Arc<str>, Arc<str>);

/// Look-up tables over one world and catalogue.
#[derive(Debug, Default)]
pub struct Index {
    /// Whether policies that are no principal's own ask which service makes a call.
    pub(super) others_ask_for_forwarding: bool,
    /// Actions that each document may allow.
    pub allowed: Vec<Arc<Actions>>,
    /// Actions that some statement of each document is about.
    pub(super) about: Vec<Arc<Actions>>,
    /// The same by statement; of a document that cannot be read there is none.
    by_statement: Vec<Box<[Arc<Actions>]>>,
    /// Actions that each document denies on every resource in every context.
    pub forbidden: Vec<Arc<Actions>>,
    /// Documents that allow actions without naming their service, or cannot be read.
    wide: RoaringBitmap,
    /// Actions that some resource policy, or a role's trust, may grant to principals of AWS accounts.
    pub granted: Actions,
    classes: Classes,
    own_documents: RoaringBitmap,
    /// By ARN: the objects whose own policy names it.
    named: HashMap<Arc<str>, RoaringBitmap>,
    /// The users and roles that the access control of an OpenSearch domain names.
    mapped: HashSet<Arc<str>>,
    by_attribute: HashMap<AttributeKey, Vec<ObjectId>>,
    granting: HashMap<Arc<str>, RoaringBitmap>,
    pub(super) objects: ObjectSets,
    /// Objects whose own policy tells callers apart by condition keys.
    special: RoaringBitmap,
    /// The same by account.
    special_of: HashMap<AccountIndex, RoaringBitmap>,
    /// Those by which principals of each account may be told apart.
    special_to: Remembered<AccountIndex, Arc<RoaringBitmap>>,
    /// Their kinds.
    special_kinds: BTreeSet<Arc<str>>,
    /// Roles whose trust policy lets in identity providers.
    federating: RoaringBitmap,
    users: BTreeMap<AccountIndex, Vec<ObjectId>>,
    trusting: Trusting,
    /// By action of AWS STS: the roles whose trust policies allow it.
    trusting_with: HashMap<usize, RoaringBitmap>,
    /// The same of the objects of all kinds, by their own policies.
    admitting: Trusting,
    /// Whom objects' own policies let in of other accounts.
    let_in: HashMap<ObjectId, Arc<LetIn>>,
    /// The objects whose own policies let in principals of other accounts, by whose they are: of an
    /// account, or of any.
    letting_in: (HashMap<AccountIndex, RoaringBitmap>, RoaringBitmap),
    /// Objects whose own policies tell principals of other accounts apart by naming them or their
    /// accounts, or by keys of the account.
    telling_accounts: RoaringBitmap,
}

/// Whether some statement of a resource's own policy tells callers apart by condition keys that is
/// about principals of AWS accounts at all.
fn differs_as_own(policy: &Policy) -> bool {
    policy.statements().iter().any(|statement| {
        tells_callers_apart(statement)
            && statement.principals().is_none_or(Principals::is_about_accounts)
    })
}

/// What the tables need of a resource's own policy.
struct Own {
    /// The users and roles that it names.
    named: BTreeSet<Arc<str>>,
    /// The accounts that it names.
    accounts: BTreeSet<Arc<str>>,
    /// Whether it asks for a key of the caller's account.
    asks_for_account: bool,
    /// Whether it allows principals of AWS accounts anything.
    grants: bool,
    /// Whether it tells them apart by condition keys.
    differs: bool,
    trusted: Trusted,
    /// The accounts whose principals it lets in; nothing where it lets in nobody.
    let_in: Option<Arc<LetIn>>,
}

impl Own {
    fn of(policy: &Policy, accounts: &HashMap<&str, AccountIndex>) -> Self {
        let trusted = Trusted::by(policy);
        let individual = |principal: &Principal| match principal {
            Principal::User(arn)
            | Principal::Role(arn)
            | Principal::RoleSession(arn)
            | Principal::FederatedUser(arn) => Some(Arc::from(as_indexed(arn))),
            _ => None,
        };
        let account = |principal: &Principal| match principal {
            Principal::Account(id) => Some(Arc::from(&**id)),
            _ => None,
        };
        Self {
            accounts: named(policy).filter_map(account).collect(),
            asks_for_account: policy.asks_for(is_of_account),
            named: named(policy).filter_map(individual).collect(),
            grants: grants_to_accounts(policy),
            differs: differs_as_own(policy),
            let_in: trusted.let_in(accounts).map(Arc::new),
            trusted,
        }
    }
}

/// Whom a policy names: every principal of AWS accounts that its elements name.
fn named(policy: &Policy) -> impl Iterator<Item = &Principal> {
    policy
        .statements()
        .iter()
        .filter_map(|statement| statement.principals())
        .flat_map(|principals| principals.named.iter())
}

fn grants_to_accounts(policy: &Policy) -> bool {
    policy.statements().iter().any(|statement| {
        statement.effect() == Effect::Allow
            && statement.principals().is_some_and(Principals::is_about_accounts)
    })
}

impl Index {
    /// Makes the tables.
    pub fn new(ground: &Ground<'_>, rules: &Rules) -> Self {
        let world = ground.world;
        let known = KnownActions::default();
        let relevant: Vec<Relevant<'_>> = world
            .documents
            .par_iter()
            .map(|document| match &document.policy {
                Ok(policy) => Relevant::of(policy, rules, &known),
                Err(_) => Relevant::unknown(rules, &known),
            })
            .collect();
        let mut out = Self { objects: ObjectSets::new(world), ..Self::default() };
        for (at, of_document) in (0..).zip(&relevant) {
            out.allowed.push(of_document.allowed.clone());
            out.forbidden.push(of_document.forbidden.clone());
            out.about.push(of_document.about.clone());
            out.by_statement.push(of_document.by_statement.clone());
            if of_document.wide {
                out.wide.insert(at);
            }
        }
        out.index_own_policies(world, rules);
        out.index_attributes(ground, rules);
        out.mapped = mapped_in_domains(world);
        for (at, object) in world.objects.iter().enumerate() {
            if matches!(object.detail, Detail::User(_)) {
                out.users.entry(object.account).or_default().push(object_id(at));
            }
        }
        out.others_ask_for_forwarding = forwarding::others_ask(world);
        // Control policies that tell callers apart do so whatever these are allowed.
        let mut controls = world.organization.iter().flat_map(Organization::control_documents);
        if controls.all(|at| relevant.get(at.0 as usize).is_none_or(|r| !r.tells_callers_apart)) {
            let alone = |object: &Object| out.is_named(&object.arn) || out.is_mapped(&object.arn);
            let forwarders = forwarding::forwarders(rules);
            out.classes =
                classes(world, &relevant, alone, (&forwarders, out.others_ask_for_forwarding));
        }
        out
    }

    fn index_own_policies(&mut self, world: &World, rules: &Rules) {
        let mut known: HashMap<DocumentId, Own> = HashMap::default();
        // Of what they may grant anything.
        let mut unread: BTreeSet<&Arc<str>> = BTreeSet::new();
        let ids = world.accounts.iter().enumerate();
        let ids: HashMap<&str, AccountIndex> =
            ids.map(|(at, account)| (&*account.id, AccountIndex(at as u32))).collect();
        for (at, object) in world.objects.iter().enumerate() {
            let id = object_id(at);
            let document = match (&object.detail, &object.policy) {
                (Detail::Role(role), _) => role.trust.as_ref().ok().copied(),
                (_, OwnPolicy::Present(document)) => Some(*document),
                (_, OwnPolicy::Unknown(_)) => None,
                (_, OwnPolicy::Absent | OwnPolicy::NotAsked(_)) => continue,
            };
            let policy = document.and_then(|at| Some((at, world.policy(at)?)));
            // A policy that is not known may be any.
            let Some((document, policy)) = policy else {
                self.granting.entry(object.kind.clone()).or_default().insert(id.0);
                unread.insert(&object.kind);
                if matches!(object.detail, Detail::Role(_)) {
                    self.trusting.unknown.insert(id.0);
                }
                self.admitting.unknown.insert(id.0);
                self.note_let_in(id, &Arc::new(LetIn::Anybody));
                continue;
            };
            self.own_documents.insert(document.0);
            let own = known.entry(document).or_insert_with(|| Own::of(policy, &ids));
            let federates = |principal: &Principal| matches!(principal, Principal::Federated(_));
            if matches!(object.detail, Detail::Role(_)) && named(policy).any(federates) {
                self.federating.insert(id.0);
            }
            for arn in &own.named {
                self.named.entry(arn.clone()).or_default().insert(id.0);
            }
            // What only denies tells callers apart as well.
            if own.differs {
                self.special.insert(id.0);
                self.special_of.entry(object.account).or_default().insert(id.0);
                self.special_kinds.insert(object.kind.clone());
            }
            let home = world.accounts.get(object.account.0 as usize).map(|account| &*account.id);
            let other = |account: &Arc<str>| Some(&**account) != home;
            if own.asks_for_account || !own.named.is_empty() || own.accounts.iter().any(other) {
                self.telling_accounts.insert(id.0);
            }
            self.admitting.insert(id, &own.trusted);
            if let Some(let_in) = &own.let_in {
                self.note_let_in(id, let_in);
            }
            if !own.grants {
                continue;
            }
            self.granting.entry(object.kind.clone()).or_default().insert(id.0);
            if let Some(actions) = self.allowed.get(document.0 as usize).cloned() {
                self.granted.extend(&actions);
            }
            if matches!(object.detail, Detail::Role(_)) {
                self.trusting.insert(id, &own.trusted);
                let allowed = self.allowed.get(document.0 as usize);
                for action in rules.of_services.get("sts").cloned().into_iter().flatten() {
                    if allowed.is_some_and(|allowed| allowed.contains(action)) {
                        self.trusting_with.entry(action).or_default().insert(id.0);
                    }
                }
            }
        }
        // A trust policy that the attacker writes can grant what trust policies grant, and a policy
        // that could not be read whatever its kind governs.
        for (at, action) in rules.actions.iter().enumerate() {
            let may_grant = || unread.iter().any(|kind| governs(kind, action));
            if action.starts_with("sts:assumerole") || may_grant() {
                self.granted.insert(at);
            }
        }
    }

    fn note_let_in(&mut self, object: ObjectId, let_in: &Arc<LetIn>) {
        let (of_accounts, of_any) = &mut self.letting_in;
        match &**let_in {
            LetIn::Anybody => _ = of_any.insert(object.0),
            LetIn::Accounts(accounts) => {
                for account in accounts {
                    of_accounts.entry(*account).or_default().insert(object.0);
                }
            }
        }
        self.let_in.insert(object, let_in.clone());
    }

    /// Indexes the attributes that matchers of the rules compare with other objects.
    fn index_attributes(&mut self, ground: &Ground<'_>, rules: &Rules) {
        let world = ground.world;
        let edits = Edits::default();
        let view = View { ground, made: &[], edits: &edits };
        let mut wanted: BTreeSet<(Arc<str>, Arc<str>)> = BTreeSet::new();
        for slot in rules.rules.iter().flat_map(|rule| &rule.slots) {
            for (attribute, matcher) in &slot.matchers {
                if joined(matcher).is_some() {
                    wanted.insert((slot.kind.clone(), attribute.clone()));
                }
            }
        }
        for rule in rules.rules.iter() {
            if let Some((slot, attribute)) = rule.holder_from()
                && let Some(slot) = rule.slots.get(slot)
            {
                wanted.insert((slot.kind.clone(), attribute.clone()));
            }
        }
        for kind in ["opensearch:role-mapping", "opensearch:role", "opensearch:action-group"] {
            wanted.insert((kind.into(), "domain".into()));
        }
        for (kind, attribute) in wanted {
            for id in world.of_kind(&kind) {
                let Some(object) = world.objects.get(id.0 as usize) else { continue };
                for value in view.attribute(object, &attribute).unwrap_or_default() {
                    self.by_attribute
                        .entry((kind.clone(), attribute.clone(), value))
                        .or_default()
                        .push(*id);
                }
            }
        }
    }

    /// Whether a statement of a document is about an action, by its position, on something that it
    /// may be called on. `None` if the document cannot be read.
    pub(super) fn is_about(
        &self,
        document: DocumentId,
        statement: usize,
        action: usize,
    ) -> Option<bool> {
        Some(self.actions_of(document, statement)?.contains(action))
    }

    /// The actions that a statement of a document is about. `None` if the document cannot be read.
    pub(super) fn actions_of(&self, document: DocumentId, statement: usize) -> Option<&Actions> {
        let by_statement = self.by_statement.get(document.0 as usize)?;
        by_statement.get(statement).map(|actions| &**actions)
    }

    /// The roles that may let callers make a call of this action of AWS STS, by its position.
    pub(super) fn trusting_with(&self, action: usize) -> RoaringBitmap {
        let known = self.trusting_with.get(&action).cloned();
        known.unwrap_or_default() | &self.trusting.unknown
    }

    /// Whether a document may help to make an administrator: it allows actions without naming their
    /// service, or cannot be read.
    pub(super) fn is_wide(&self, document: DocumentId) -> bool {
        self.wide.contains(document.0)
    }

    /// The documents that are some resource's own policy, or a role's trust.
    pub(super) fn own_documents(&self) -> impl Iterator<Item = DocumentId> {
        self.own_documents.iter().map(DocumentId)
    }

    /// Puts every principal in a class of its own.
    pub fn no_classes(&mut self) {
        self.classes.clear();
    }

    /// Whether some resource's own policy names the user or role of this ARN.
    pub(super) fn is_named(&self, arn: &Arc<str>) -> bool {
        self.named.contains_key(&*as_indexed(arn))
    }

    /// Whether the access control of an OpenSearch domain names the user or role of this ARN.
    pub(super) fn is_mapped(&self, arn: &Arc<str>) -> bool {
        self.mapped.contains(arn)
    }

    /// Whether an object's own policy lets in a principal of another account, by naming it, its
    /// account or everyone; or may do so, because it is not known.
    pub(super) fn lets_in(&self, object: ObjectId, principal: &Object, account: &str) -> bool {
        let of =
            |known: Option<&RoaringBitmap>| known.is_some_and(|known| known.contains(object.0));
        of(Some(&self.admitting.everyone))
            || of(Some(&self.admitting.unknown))
            || of(self.admitting.by_account.get(account))
            || of(self.admitting.by_arn.get(&principal.arn))
    }

    /// The objects whose own policy may say something of a principal that it does not say of
    /// others of its account: it names the principal, or tells callers apart by condition keys
    /// and is of the same account or lets in principals of it.
    pub(super) fn telling_apart(&self, principal: &Object, account: &str) -> Arc<RoaringBitmap> {
        let of_account = remembered(&self.special_to, &principal.account, || {
            if self.special.is_empty() {
                return Arc::default();
            }
            let mut out = &self.admitting.everyone | &self.admitting.unknown;
            if let Some(letting) = self.admitting.by_account.get(account) {
                out |= letting;
            }
            out &= &self.special;
            if let Some(beside) = self.special_of.get(&principal.account) {
                out |= beside;
            }
            Arc::new(out)
        });
        match self.named.get(&*as_indexed(&principal.arn)) {
            Some(naming) => Arc::new(&*of_account | naming),
            None => of_account,
        }
    }

    /// The objects whose own policies may let in principals of an account by naming it or everyone.
    pub(super) fn letting_in_account(&self, account: &str) -> RoaringBitmap {
        self.admitting.letting_in(Some(account), None)
    }

    /// The objects whose own policies may let in principals of an account and tell them apart by
    /// condition keys.
    ///
    /// - `more`: further objects whose policies do.
    pub(super) fn telling_apart_of(&self, account: &str, more: &RoaringBitmap) -> RoaringBitmap {
        let mut out = &self.admitting.everyone | &self.admitting.unknown;
        if let Some(letting) = self.admitting.by_account.get(account) {
            out |= letting;
        }
        out & (&self.special | more)
    }

    /// Whom an object's own policy lets in by naming them, their account or everyone.
    pub(super) fn others_let_in(&self, object: ObjectId) -> Option<&LetIn> {
        self.let_in.get(&object).map(|let_in| &**let_in)
    }

    /// The objects whose own policies let in principals of an account of the snapshot, if there is
    /// one, by naming them, the account or everyone; or may do so.
    pub(super) fn letting_in_some_of(&self, account: Option<AccountIndex>) -> RoaringBitmap {
        let (of_accounts, of_any) = &self.letting_in;
        match account.and_then(|account| of_accounts.get(&account)) {
            Some(own) => own | of_any,
            None => of_any.clone(),
        }
    }

    /// The objects whose own policies let in a principal, or may do so.
    pub(super) fn letting_in(&self, principal: &Object, account: &str) -> RoaringBitmap {
        self.admitting.letting_in(Some(account), Some(&as_indexed(&principal.arn)))
    }

    /// Objects whose own policies tell principals of other accounts apart by naming them or their
    /// accounts, or by keys of the account.
    pub(super) fn telling_accounts(&self) -> &RoaringBitmap {
        &self.telling_accounts
    }

    /// The class of a principal; one of its own for what has none.
    pub fn class_of(&self, principal: ObjectId) -> Class {
        let of_its_own = Class { representative: principal, shared: false };
        self.classes.get(&principal).copied().unwrap_or(of_its_own)
    }

    /// Objects of a kind with a value of an attribute that some rule compares, or that an OpenSearch
    /// domain's own access control is looked up by.
    pub fn with_attribute(&self, kind: &str, attribute: &str, value: &Arc<str>) -> &[ObjectId] {
        self.by_attribute
            .get(&(kind.into(), attribute.into(), value.clone()))
            .map_or(&[], Vec::as_slice)
    }

    /// The objects of a kind that a caller of an account reaches: its account's own and those that
    /// are no account's; and, where their own policies have a say, those that let it in.
    ///
    /// - `account`: the caller's; `is_open`: whether it stands for callers of several ARNs;
    /// - `governed`: whether the objects' own policies have a say.
    ///
    /// Implements "cross-account" of
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html>.
    pub(super) fn within_reach(
        &self,
        kind: &str,
        (caller, is_open): (&Caller, bool),
        account: Option<AccountIndex>,
        governed: bool,
    ) -> RoaringBitmap {
        let Some(of_kind) = self.objects.of_kind(kind) else { return RoaringBitmap::new() };
        let mut out = of_kind.beside(account);
        if governed {
            let letting_in = |caller: &Caller| {
                self.admitting.letting_in(caller.account(), named_as(caller).as_deref())
            };
            out |= match (is_open, self.granting.get(kind)) {
                (true, Some(granting)) => letting_in(caller) | granting,
                _ => letting_in(caller),
            } & &of_kind.all;
        }
        out
    }

    /// The objects of a kind whose own policies may let in a caller by themselves, whatever its
    /// account's policies say.
    ///
    /// - `is_open`: whether it stands for callers of several ARNs.
    pub(super) fn granting(&self, kind: &str, (caller, is_open): (&Caller, bool)) -> RoaringBitmap {
        match self.granting.get(kind) {
            Some(granting) if is_open => granting.clone(),
            _ => self.admitting.by_themselves(named_as(caller).as_deref()),
        }
    }

    /// The roles whose trust policy may let the caller in without an identity policy that allows
    /// it: it names the caller, or everyone. Trust that names the account only delegates.
    pub(super) fn trusting(&self, caller: &Caller) -> RoaringBitmap {
        self.trusting.by_themselves(named_as(caller).as_deref())
    }

    /// The roles whose trust policy leaves it to the caller's account to let it in.
    pub(super) fn trusting_account(&self, caller: &Caller) -> Option<&RoaringBitmap> {
        self.trusting.by_account.get(caller.account()?)
    }

    /// Roles whose trust policy lets in identity providers.
    pub(super) fn federating(&self) -> &RoaringBitmap {
        &self.federating
    }

    /// Objects whose own policy tells callers apart by condition keys, in order.
    pub fn special(&self) -> &RoaringBitmap {
        &self.special
    }

    /// The kinds of these objects.
    pub fn special_kinds(&self) -> &BTreeSet<Arc<str>> {
        &self.special_kinds
    }

    /// The users of an account, in order.
    pub fn users(&self, account: AccountIndex) -> &[ObjectId] {
        self.users.get(&account).map_or(&[], Vec::as_slice)
    }
}

/// The slot that a matcher compares with, if it is one.
pub(super) fn joined(matcher: &MatcherOf) -> Option<&Expression> {
    match matcher {
        MatcherOf::OneOf(expressions) => match expressions.as_slice() {
            [expression] => match expression.0.as_slice() {
                [Part::Object(_) | Part::Attribute(..)] => Some(expression),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// The users and roles that an OpenSearch domain's own access control names: to it they are not
/// like others with the same policies.
fn mapped_in_domains(world: &World) -> HashSet<Arc<str>> {
    world
        .of_kind("opensearch:role-mapping")
        .iter()
        .filter_map(|id| world.objects.get(id.0 as usize))
        .flat_map(|mapping| {
            ["users", "backend-roles", "and-backend-roles"]
                .into_iter()
                .flat_map(|attribute| mapping.attribute(attribute).unwrap_or_default())
        })
        .flat_map(|value| value.split(' ').map(Arc::from).collect::<Vec<_>>())
        .collect()
}

pub(super) fn object_id(at: usize) -> ObjectId {
    ObjectId(u32::try_from(at).unwrap_or(u32::MAX))
}
