//! Principals that the evaluator cannot tell apart, as far as what some technique or the question
//! calls is concerned: what else their policies are about does not matter.

use std::sync::Arc;

use foldhash::HashMap;

use super::actions::{Actions, KnownActions, forbids_everywhere};
use super::forwarding;
use super::index::object_id;
use super::rules::Rules;
use crate::authorization::may_sign_in_with_mfa;
use crate::policy::{
    Condition, Effect, Policy, Resources, Statement, is_of_mfa, tells_callers_apart,
};
use crate::snapshot::{
    AccountIndex, Attached, Detail, DocumentId, Object, ObjectId, PolicySource, World,
};

/// The class of a principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    /// The principal that is evaluated for all of them.
    pub representative: ObjectId,
    /// Whether there are others.
    pub shared: bool,
}

/// Principals with their classes.
pub(super) type Classes = HashMap<ObjectId, Class>;

/// What of a policy document some technique or the question can depend on.
#[derive(Debug)]
pub(super) struct Relevant<'w> {
    /// The actions that its statements are about.
    pub(super) about: Arc<Actions>,
    /// Those that it allows somewhere.
    pub(super) allowed: Arc<Actions>,
    /// Those that it denies on every resource in every context.
    pub(super) forbidden: Arc<Actions>,
    /// By statement, those that it is about.
    pub(super) by_statement: Box<[Arc<Actions>]>,
    /// Its statements; none if it is not known.
    statements: &'w [Statement],
    /// Whether a statement that is about some action tells callers apart by condition keys.
    pub(super) tells_callers_apart: bool,
    /// Whether some statement asks which service makes a call.
    pub(super) asks_for_forwarding: bool,
    /// Whether it allows actions that do not name their service: together with others it may make
    /// an administrator, on which every statement has a bearing.
    pub(super) wide: bool,
}

impl<'w> Relevant<'w> {
    /// What is relevant of a policy.
    pub(super) fn of(policy: &'w Policy, rules: &Rules, known: &KnownActions) -> Self {
        let statements = policy.statements();
        let (mut about, mut allowed, mut forbidden) =
            (Actions::default(), Actions::default(), Actions::default());
        let (mut tells_apart, mut wide, mut asks_for_forwarding) = (false, false, false);
        let mut by_statement = Vec::with_capacity(statements.len());
        for statement in statements {
            let actions = Actions::of_statement(statement, rules);
            wide |= statement.effect() == Effect::Allow && !names_services(statement);
            asks_for_forwarding |= forwarding::asks(statement);
            // No element of an identity policy: what it says here is not for this to tell.
            wide |= statement.principals().is_some();
            if !actions.is_empty() {
                tells_apart |= tells_callers_apart(statement);
                about.extend(&actions);
            }
            if statement.effect() == Effect::Allow {
                allowed.extend(&actions);
            } else if forbids_everywhere(statement) {
                forbidden.extend(&actions);
            }
            by_statement.push(known.shared(actions));
        }
        Self {
            about: known.shared(about),
            allowed: known.shared(allowed),
            forbidden: known.shared(forbidden),
            by_statement: by_statement.into(),
            statements,
            tells_callers_apart: tells_apart,
            asks_for_forwarding,
            wide,
        }
    }

    /// Of a policy that is not known everything may be.
    pub(super) fn unknown(rules: &Rules, known: &KnownActions) -> Self {
        let all = known.shared(Actions::all(rules));
        Self {
            about: all.clone(),
            allowed: all,
            forbidden: known.shared(Actions::default()),
            by_statement: Box::default(),
            statements: &[],
            tells_callers_apart: false,
            asks_for_forwarding: false,
            wide: true,
        }
    }
}

/// Whether a statement is only about actions of services that it names.
fn names_services(statement: &Statement) -> bool {
    let selected = statement.actions();
    !selected.negated
        && selected.patterns.iter().all(|pattern| {
            let service = pattern.text().split_once(':').map(|(service, _)| service);
            service.is_some_and(|service| !service.contains(['*', '?']))
        })
}

/// What statements say, by number: those that say the same of the same relevant actions have the
/// same.
#[derive(Default)]
struct Meanings<'w> {
    known: HashMap<Meaning<'w>, u32>,
    /// By document, once it is asked for: what its statements say, in order.
    of_documents: HashMap<DocumentId, Arc<[u32]>>,
}

/// Relevant actions, effect, resources and conditions.
type Meaning<'w> = (&'w Actions, Effect, Option<&'w Resources>, &'w [Condition]);

impl<'w> Meanings<'w> {
    fn of(&mut self, document: DocumentId, relevant: &'w [Relevant<'w>]) -> Arc<[u32]> {
        if let Some(known) = self.of_documents.get(&document) {
            return known.clone();
        }
        let statements = relevant.get(document.0 as usize).into_iter().flat_map(|relevant| {
            let about = relevant.by_statement.iter().zip(relevant.statements);
            about.filter(|(actions, _)| !actions.is_empty())
        });
        let meanings = statements.map(|(actions, statement)| {
            let element = statement.resource_element();
            let meaning = (&**actions, statement.effect(), element, statement.conditions());
            let next = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
            *self.known.entry(meaning).or_insert(next)
        });
        let meanings: Arc<[u32]> = meanings.collect();
        self.of_documents.insert(document, meanings.clone());
        meanings
    }
}

/// What two principals must share to be alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum PolicyKey {
    Kind(Arc<str>),
    Account(AccountIndex),
    Identity(Source),
    /// What a statement of an identity policy means.
    Allowed(u32),
    Boundary(Source),
    /// That there is a boundary, and what its statements mean.
    Bounded(Vec<u32>),
    ServiceLinked,
    /// That no session of it can have been begun with MFA, where some policy asks for that.
    WithoutMfa,
    Principal(ObjectId),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Source {
    Document(DocumentId),
    Missing(Arc<str>),
}

/// Parts the world's users and roles into classes.
///
/// - `relevant`: by document;
/// - `alone`: whether something tells a principal from all others;
/// - `forwarders`: actions that have a service make calls as who called it, and whether policies that
///   are no principal's own ask for that.
pub(super) fn classes<'w>(
    world: &'w World,
    relevant: &'w [Relevant<'w>],
    alone: impl Fn(&Object) -> bool,
    forwarders: (&Actions, bool),
) -> Classes {
    let mut meanings = Meanings::default();
    let mut by_policies: HashMap<Vec<PolicyKey>, Vec<ObjectId>> = HashMap::default();
    let statements = relevant.iter().flat_map(|relevant| relevant.statements);
    let mut conditions = statements.flat_map(Statement::conditions);
    let mfa_asked = conditions.any(|condition| is_of_mfa(&condition.key_lowercase));
    for (at, object) in world.objects.iter().enumerate() {
        let id = object_id(at);
        let Some(policies) = Policies::of(world, object) else { continue };
        let mut key = policies.key(relevant, &mut meanings);
        key.push(PolicyKey::Kind(object.kind.clone()));
        key.push(PolicyKey::Account(object.account));
        if object.is_service_linked() {
            key.push(PolicyKey::ServiceLinked);
        }
        if mfa_asked && !may_sign_in_with_mfa(world, object) {
            key.push(PolicyKey::WithoutMfa);
        }
        let forwarded = policies.may_be_forwarded(relevant, forwarders);
        if alone(object) || forwarded || policies.tell_callers_apart(relevant) {
            key.push(PolicyKey::Principal(id));
        }
        by_policies.entry(key).or_default().push(id);
    }
    by_policies
        .into_values()
        .flat_map(|members| {
            let representative = members.iter().min().copied();
            let shared = members.len() > 1;
            members.into_iter().filter_map(move |member| {
                representative.map(|representative| (member, Class { representative, shared }))
            })
        })
        .collect()
}

/// The policies of a user or role itself.
struct Policies {
    identity: Vec<Source>,
    boundary: Option<Source>,
}

impl Policies {
    /// `None` if the object is neither.
    fn of(world: &World, object: &Object) -> Option<Self> {
        let of = |policies: &[Attached]| -> Vec<Source> {
            policies.iter().map(|policy| source(world, &policy.source, policy.inline)).collect()
        };
        let (mut identity, boundary) = match &object.detail {
            Detail::User(user) => {
                let groups = user.groups.iter();
                let of_groups = groups.filter_map(|group| {
                    match world.objects.get(group.0 as usize).map(|group| &group.detail) {
                        Some(Detail::Group(policies)) => Some(of(policies)),
                        _ => None,
                    }
                });
                let all = std::iter::once(of(&user.policies)).chain(of_groups);
                (all.flatten().collect::<Vec<_>>(), user.boundary.as_ref())
            }
            Detail::Role(role) => (of(&role.policies), role.boundary.as_ref()),
            _ => return None,
        };
        identity.sort();
        identity.dedup();
        let boundary = boundary.map(|boundary| source(world, boundary, None));
        Some(Self { identity, boundary })
    }

    /// What is relevant of each; `None` of one that is missing.
    fn relevant<'r, 'w>(
        &self,
        relevant: &'r [Relevant<'w>],
    ) -> impl Iterator<Item = Option<&'r Relevant<'w>>> {
        self.identity.iter().chain(&self.boundary).map(|source| match source {
            Source::Document(document) => relevant.get(document.0 as usize),
            Source::Missing(_) => None,
        })
    }

    fn tell_callers_apart(&self, relevant: &[Relevant<'_>]) -> bool {
        self.relevant(relevant).flatten().any(|relevant| relevant.tells_callers_apart)
    }

    /// Whether they may let a service make calls as the principal, with more power than it has.
    fn may_be_forwarded(
        &self,
        relevant: &[Relevant<'_>],
        (forwarders, others_ask): (&Actions, bool),
    ) -> bool {
        let own = || self.relevant(relevant).flatten();
        (others_ask || own().any(|relevant| relevant.asks_for_forwarding))
            && own().any(|relevant| !relevant.allowed.is_disjoint(forwarders))
    }

    /// What the class depends on as far as these policies go.
    fn key<'w>(&self, relevant: &'w [Relevant<'w>], meanings: &mut Meanings<'w>) -> Vec<PolicyKey> {
        let whole = self.relevant(relevant).any(|relevant| relevant.is_none_or(|r| r.wide));
        let mut key = Vec::new();
        let mut statements = Vec::new();
        for source in &self.identity {
            match source {
                Source::Document(document) if !whole => {
                    statements.extend_from_slice(&meanings.of(*document, relevant));
                }
                source => key.push(PolicyKey::Identity(source.clone())),
            }
        }
        statements.sort_unstable();
        statements.dedup();
        key.extend(statements.into_iter().map(PolicyKey::Allowed));
        match &self.boundary {
            Some(Source::Document(document)) if !whole => {
                let mut statements = meanings.of(*document, relevant).to_vec();
                statements.sort_unstable();
                statements.dedup();
                key.push(PolicyKey::Bounded(statements));
            }
            Some(source) => key.push(PolicyKey::Boundary(source.clone())),
            None => {}
        }
        key
    }
}

/// What an attached policy's text is.
fn source(world: &World, attached: &PolicySource, inline: Option<DocumentId>) -> Source {
    match (attached, inline) {
        (PolicySource::Inline(_), Some(document)) => Source::Document(document),
        (PolicySource::Managed(policy), _) => {
            match world.objects.get(policy.0 as usize).map(|object| &object.detail) {
                Some(Detail::Policy(policy)) => {
                    policy.versions.get(policy.default).map(|(_, document)| *document)
                }
                _ => None,
            }
            .map_or(Source::Missing("".into()), Source::Document)
        }
        (PolicySource::Missing(arn), _) => Source::Missing(arn.clone()),
        (PolicySource::Inline(name), None) => Source::Missing(name.clone()),
    }
}
