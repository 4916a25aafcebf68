//! Callers of whom policies say the same about an action. Inline policies are mostly copies of one
//! another, with what other services take beside: statement by statement few are new, so what they
//! decide is worked out once and shared among all whom it concerns.

use std::hash::{BuildHasher, Hash};
use std::sync::{Arc, OnceLock, RwLock};

use foldhash::fast::RandomState;
use foldhash::{HashMap, HashSet};

use super::actor::Actor;
use super::binding::Binding;
use super::check::Check;
use super::rule::{NewSlot, Rule, RuleCall};
use super::rule_slots::gained;
use super::rules::Rules;
use super::search::{Outcome, Select};
use super::walk::{Left, Walk};
use crate::authorization::{ANY_CALL, Caller, InForce, OfCaller, governs};
use crate::policy::{Statement, tells_callers_apart};
use crate::residual::Residual;
use crate::snapshot::{AccountIndex, DocumentId, ObjectId, World};

/// What the policies on the caller's side say about an action, by number: equal where they say the
/// same, whoever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SayId(u32);

/// The statements about an action that bind a caller, with what else about it a decision takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Say {
    account: AccountIndex,
    role: bool,
    may_have_mfa: bool,
    service_linked: bool,
    bounded: bool,
    /// Meanings of statements, layer by layer.
    statements: Vec<u32>,
}

/// A statement that means something new: the first one of its kind, and its number.
#[derive(Clone, Copy, Debug)]
struct Meaning {
    document: DocumentId,
    at: usize,
    number: u32,
}

/// Stands behind the statements of a layer, where meanings are numbers.
const LAYER: u32 = u32::MAX;

/// Stands for a policy that allows everything, which the attacker has written.
const EVERYTHING: u32 = u32::MAX - 1;

/// What a slot's candidates hang on: rule, slot, account of the caller and region, whether they are
/// looked for on behalf of several principals, and what is said about the action of each call that
/// is about the slot. There may be no such call: then the candidates hang on the account alone.
type LeftKey = (usize, usize, AccountIndex, Arc<str>, bool, Vec<SayId>);

/// What the applications of a rule hang on: rule, account of the caller, whether they are looked for
/// on behalf of several principals, what is said about the action of each call, and, of the rules of
/// the same technique before it, what those hung on, by number.
type RuleKey = (usize, AccountIndex, bool, Box<[SayId]>, u32);

/// What a rule comes to, with the number of what that hangs on.
type OfRule = (u32, Arc<[Outcome]>);

/// A call about no object: its number, region, what is said about it.
type PlaceKey = (u32, Arc<str>, SayId);

/// What a statement says of one caller, by number; nothing if it does not concern it at all. `None`
/// if that cannot be told.
pub(super) type Answered = Option<Option<u32>>;

/// What a statement says about the actions that it selects.
#[derive(Clone, Copy, Debug)]
struct Said {
    /// By number: equal for statements with the same effect, resources and conditions.
    meaning: u32,
    /// Whether what it says of a caller hangs on keys of the caller.
    tells_apart: bool,
}

/// What was worked out for callers of whom policies say the same.
#[derive(Debug, Default)]
pub(super) struct SameSay {
    /// By document, what its statements say; nothing of one that names principals.
    meanings: Vec<OnceLock<Box<[Option<Said>]>>>,
    /// Statements that mean something new, by hash.
    known: RwLock<HashMap<u64, Meaning>>,
    /// Statements with the answers to what they ask of a caller.
    answered: RwLock<HashMap<(u32, OfCaller), u32>>,
    hasher: RandomState,
    /// By rule, numbers of its first group's calls: equal for those that come to the same where they are about no
    /// object.
    calls: Vec<Box<[u32]>>,
    says: RwLock<HashMap<Say, SayId>>,
    left: RwLock<HashMap<LeftKey, Left>>,
    possible: RwLock<HashMap<PlaceKey, bool>>,
    rules: RwLock<HashMap<RuleKey, OfRule>>,
}

impl SameSay {
    /// Knows nothing yet of the documents of `world`.
    pub(super) fn new(world: &World, rules: &Rules) -> Self {
        let meanings = world.documents.iter().map(|_| OnceLock::new()).collect();
        Self { meanings, calls: numbers(rules), ..Self::default() }
    }

    /// The meanings of a document's statements. `None` if it cannot be read.
    fn meanings(&self, world: &World, document: DocumentId) -> Option<&[Option<Said>]> {
        let policy = world.policy(document)?;
        let known = self.meanings.get(document.0 as usize)?;
        Some(known.get_or_init(|| {
            let statements = policy.statements().iter().enumerate();
            statements.map(|(at, _)| self.meaning(world, document, at)).collect()
        }))
    }

    /// What a statement says about the actions that it selects. `None` if it names principals.
    fn meaning(&self, world: &World, document: DocumentId, at: usize) -> Option<Said> {
        let statement = statement(world, document, at)?;
        if statement.principals().is_some_and(|principals| !principals.is_everyone()) {
            return None;
        }
        let says = |statement: &Statement| {
            let mut hasher = self.hasher.build_hasher();
            (statement.effect(), statement.resource_element(), statement.conditions())
                .hash(&mut hasher);
            std::hash::Hasher::finish(&hasher)
        };
        let hash = says(statement);
        let mut known = self.known.write().ok()?;
        let number = u32::try_from(known.len()).ok()?.checked_mul(2)?;
        let meaning = known.entry(hash).or_insert(Meaning { document, at, number });
        let first = self::statement(world, meaning.document, meaning.at)?;
        // Statements that have their hash in common only are not worth a number.
        let same = first.effect() == statement.effect()
            && first.resource_element() == statement.resource_element()
            && first.conditions() == statement.conditions();
        let tells_apart = tells_callers_apart(statement);
        same.then_some(Said { meaning: meaning.number, tells_apart })
    }

    /// The number of what a statement says of callers for whom what it asks has these answers. Odd,
    /// where those of statements that ask nothing are even.
    fn answered(&self, meaning: u32, answers: OfCaller) -> Option<u32> {
        let key = (meaning, answers);
        if let Some(known) = self.answered.read().ok()?.get(&key) {
            return Some(*known);
        }
        let mut answered = self.answered.write().ok()?;
        let next = u32::try_from(answered.len()).ok()?.checked_mul(2)?.checked_add(1)?;
        Some(*answered.entry(key).or_insert(next))
    }

    /// The number of a say.
    fn number(&self, say: Say) -> Option<SayId> {
        if let Some(known) = self.says.read().ok()?.get(&say) {
            return Some(*known);
        }
        let mut says = self.says.write().ok()?;
        let next = SayId(u32::try_from(says.len()).ok()?);
        Some(*says.entry(say).or_insert(next))
    }
}

/// By rule, numbers of its first group's calls: equal for equal calls of rules that make the same resources.
fn numbers(rules: &Rules) -> Vec<Box<[u32]>> {
    let mut known: HashMap<(&[NewSlot], &RuleCall), u32> = HashMap::default();
    let of_rules = rules.rules.iter().map(|rule| {
        let numbers = rule.calls_of(0).map(|call| {
            let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
            *known.entry((&rule.new, call)).or_insert(next)
        });
        numbers.collect()
    });
    of_rules.collect()
}

fn statement(world: &World, document: DocumentId, at: usize) -> Option<&Statement> {
    world.policy(document)?.statements().get(at)
}

impl RuleCall {
    /// Whether callers of whom the same is said may make the call alike. The bearer of a token is
    /// not bound by its policies, domains know their own users, and roles let in whom they name.
    pub(super) fn binds_caller_alike(&self) -> bool {
        self.permission.is_none()
            && !self.is_by_token()
            && !self.action_lowercase.starts_with("sts:")
    }
}

impl Actor<'_, '_> {
    /// Whether anything worked out for it can hold for others at all: it is a user or role by
    /// itself, in a world in which nothing has changed but the policies of principals.
    pub(super) fn is_as_others(&self) -> bool {
        self.is_listed()
            && self.mandated.is_none()
            && self.administered.is_none()
            && self.view.edits.are_of_callers()
            && self.view.edits.mfa.is_empty()
            && self.view.edits.no_mfa.is_empty()
            && !self.search.endpoints_tell_apart
    }

    /// Whether it is a user or role of the snapshot.
    pub(super) fn is_listed(&self) -> bool {
        let in_snapshot = (self.principal.0 as usize) < self.search.ground.world.objects.len();
        in_snapshot && matches!(self.caller, Caller::User(_) | Caller::Role(_))
    }

    /// What its policies say about a call's action. `None` if that is its own.
    pub(super) fn say(&self, call: &RuleCall) -> Option<SayId> {
        // What a call of this action needs besides may differ.
        let key = (call.action_bit, call.besides.len());
        if let Some(known) = self.says.borrow().get(&key) {
            return *known;
        }
        let found = self.find_say(call);
        self.says.borrow_mut().insert(key, found);
        found
    }

    fn find_say(&self, call: &RuleCall) -> Option<SayId> {
        let mut statements = Vec::new();
        self.add_layers(call.action_bit, &mut statements)?;
        for besides in &call.besides {
            self.add_layers(besides.action_bit, &mut statements)?;
        }
        let object = self.view.object(self.principal)?;
        self.search.same_say.number(Say {
            account: object.account,
            role: matches!(self.caller, Caller::Role(_)),
            may_have_mfa: self.search.may_have_mfa(&self.view, self.principal),
            service_linked: object.is_service_linked(),
            bounded: self.applicable.boundary.is_some(),
            statements,
        })
    }

    /// Adds what the statements of each layer say about an action.
    fn add_layers(&self, action: usize, statements: &mut Vec<u32>) -> Option<()> {
        let mut layer = |policies: &mut dyn Iterator<Item = &InForce<'_>>| {
            let first = statements.len();
            for in_force in policies {
                self.add_meanings(in_force, action, statements)?;
            }
            let added = statements.get_mut(first..)?;
            added.sort_unstable();
            statements.push(LAYER);
            Some(())
        };
        let policies = &self.applicable;
        layer(&mut policies.identity.iter())?;
        if policies.session.is_some() {
            return None;
        }
        layer(&mut policies.boundary.iter())?;
        for level in &policies.service_control {
            layer(&mut level.iter())?;
        }
        if self.search.resource_control_tells_apart {
            let documents = self.search.resource_control.iter();
            documents
                .into_iter()
                .try_for_each(|document| self.add_document(*document, action, statements))?;
        }
        Some(())
    }

    fn add_meanings(
        &self,
        in_force: &InForce<'_>,
        action: usize,
        out: &mut Vec<u32>,
    ) -> Option<()> {
        let policy = in_force.policy.ok()?;
        // The attacker's own says the same of everybody.
        if std::ptr::eq(policy, &self.search.ground.allow_all) {
            out.push(EVERYTHING);
            return Some(());
        }
        self.add_document(self.search.ground.document_of(policy)?, action, out)
    }

    fn add_document(&self, document: DocumentId, action: usize, out: &mut Vec<u32>) -> Option<()> {
        let world = self.search.ground.world;
        let about = self.search.index.about.get(document.0 as usize)?;
        if !about.contains(action) {
            return Some(());
        }
        let policy = world.policy(document)?;
        let meanings = self.search.same_say.meanings(world, document)?;
        for (at, (statement, said)) in policy.statements().iter().zip(meanings).enumerate() {
            if !self.search.index.is_about(document, at, action)? {
                continue;
            }
            let said = (*said)?;
            match said.tells_apart {
                true => out.extend(self.answered((document, at), statement, said.meaning)?),
                false => out.push(said.meaning),
            }
        }
        Some(())
    }

    /// What a statement says of the actor.
    fn answered(
        &self,
        place: (DocumentId, usize),
        statement: &Statement,
        meaning: u32,
    ) -> Answered {
        if let Some(known) = self.answered.borrow().get(&place) {
            return *known;
        }
        let check = Check::of_nothing();
        let context = self.context(ANY_CALL, &check);
        let mut answers = OfCaller::default();
        answers.add_statement(statement, &context);
        let found = match answers.conditions.iter().any(Residual::is_false) {
            true => Some(None),
            false => self.search.same_say.answered(meaning, answers).map(Some),
        };
        self.answered.borrow_mut().insert(place, found);
        found
    }
}

/// What callers of whom the same is said come to by the rules of one technique.
#[derive(Debug, Default)]
pub(super) struct OfOthers {
    /// The technique, by its position.
    technique: usize,
    /// What is gained for certain.
    certain: HashSet<(usize, Vec<ObjectId>)>,
    /// What that hangs on.
    number: u32,
}

impl Walk<'_, '_> {
    /// Tries a rule as [`Self::rule`] does: once for all callers of whom the same is said about its
    /// calls, as far as that tells what it can do.
    pub(super) fn rule_as_others(&mut self, at: usize, rule: &Rule, out: &mut Vec<Outcome>) {
        // Where a stronger technique works, little is left to be found, and none of it for others.
        if self.is_weaker_somewhere(rule) {
            return self.rule(at, rule, out);
        }
        if self.of_others.technique != rule.technique {
            self.of_others = OfOthers { technique: rule.technique, ..OfOthers::default() };
        }
        let Some(key) = self.rule_key(at, rule) else { return self.rule(at, rule, out) };
        let rules = &self.search.same_say.rules;
        let known = rules.read().ok().and_then(|known| known.get(&key).cloned());
        let (number, found) = known.unwrap_or_else(|| {
            // What the actor has gained by rules of its own is not what others have.
            let certain = std::mem::take(&mut self.of_others.certain);
            let own = std::mem::replace(&mut self.certain, certain);
            self.for_others = true;
            let mut found = Vec::new();
            self.rule(at, rule, &mut found);
            self.for_others = false;
            self.of_others.certain = std::mem::replace(&mut self.certain, own);
            let found: Arc<[Outcome]> = found.into();
            let Ok(mut known) = rules.write() else { return (u32::MAX, found) };
            let next = u32::try_from(known.len()).unwrap_or(u32::MAX).saturating_add(1);
            known.entry(key).or_insert((next, found)).clone()
        });
        self.of_others.number = number;
        let gain_slots = rule.gain_slots();
        for outcome in found.iter().filter(|outcome| outcome.certain) {
            let gained = gained(&gain_slots, &outcome.binding);
            self.of_others.certain.insert((rule.technique, gained));
        }
        self.add_of_others(rule, &found, out);
    }

    /// Adds of what others can do with a rule what is something to the actor.
    pub(super) fn add_of_others(&mut self, rule: &Rule, found: &[Outcome], out: &mut Vec<Outcome>) {
        if found.is_empty() {
            return;
        }
        let gain_slots = rule.gain_slots();
        for outcome in found {
            let binding = &outcome.binding;
            // To those who are only alike it is something new to act as the principal.
            let new = self.shared
                || rule.is_by_token()
                || rule.gives_anything_new(self.actor.principal, binding);
            if !new
                || !self.leads_on(rule, binding)
                || self.is_certain(rule, &gain_slots, binding)
                || self.is_weaker(rule, binding)
            {
                continue;
            }
            if outcome.certain {
                self.certain.insert((rule.technique, gained(&gain_slots, binding)));
            }
            out.push(outcome.clone());
        }
    }

    /// What a rule's applications hang on, if they are the same for all callers of whom the same is
    /// said about its calls.
    fn rule_key(&self, at: usize, rule: &Rule) -> Option<RuleKey> {
        if self.select != Select::All || !self.as_others || rule.forwarded().is_some() {
            return None;
        }
        let index = &self.search.index;
        if !rule.governed.is_empty() {
            let special = |slot: &usize| {
                let kind = rule.slots.get(*slot).map(|slot| &slot.kind);
                kind.is_none_or(|kind| index.special_kinds().contains(kind))
            };
            if index.is_named(self.actor.caller_arn()?)
                || (!self.shared && rule.governed.iter().any(special))
            {
                return None;
            }
        }
        let says = rule.calls.iter().map(|call| match call.binds_caller_alike() {
            true => self.actor.say(call),
            false => None,
        });
        let says = says.collect::<Option<_>>()?;
        Some((at, self.account?, self.shared, says, self.of_others.number))
    }

    /// What the candidates of a slot hang on, if they are the same for all callers of whom the same
    /// is said about these calls.
    pub(super) fn left_key(
        &self,
        at: usize,
        rule: &Rule,
        slot: usize,
        place: &Binding,
        about: &[&RuleCall],
    ) -> Option<LeftKey> {
        if self.select != Select::All || !self.as_others || place.name.is_some() {
            return None;
        }
        if rule.forwarded().is_some() {
            return None;
        }
        let index = &self.search.index;
        let kind = &rule.slots.get(slot)?.kind;
        let own = about.iter().any(|call| !call.binds_caller_alike());
        let anchors = rule.anchors.get(slot)?;
        let governed = about.iter().any(|call| governs(kind, &call.action_lowercase))
            || anchors.iter().any(|anchor| anchor.governed);
        let named = governed
            && (index.is_named(self.actor.caller_arn()?)
                || (!self.shared && index.special_kinds().contains(kind)));
        if own || named {
            return None;
        }
        let says = about.iter().map(|call| self.actor.say(call)).collect::<Option<Vec<_>>>()?;
        Some((at, slot, self.account?, place.region.clone(), self.shared, says))
    }

    pub(super) fn same_left(&self, key: &LeftKey) -> Option<Left> {
        self.search.same_say.left.read().ok()?.get(key).cloned()
    }

    pub(super) fn share_left(&self, key: LeftKey, left: &Left) {
        if let Ok(mut known) = self.search.same_say.left.write() {
            known.insert(key, left.clone());
        }
    }

    /// Whether a call about no object can succeed at all; `decide` decides.
    ///
    /// - `at`: the rule's position; `number`: the call's among those of the rule.
    pub(super) fn is_possible(
        &self,
        (at, number): (usize, usize),
        call: &RuleCall,
        place: &Binding,
        decide: impl Fn() -> bool,
    ) -> bool {
        let shared = self.as_others && place.name.is_none();
        let key = (shared && call.permission.is_none() && !call.is_by_token())
            .then(|| {
                let number = *self.search.same_say.calls.get(at)?.get(number)?;
                Some((number, place.region.clone(), self.actor.say(call)?))
            })
            .flatten();
        let Some(key) = key else { return decide() };
        let known = &self.search.same_say.possible;
        if let Ok(known) = known.read()
            && let Some(known) = known.get(&key)
        {
            return *known;
        }
        let possible = decide();
        if let Ok(mut known) = known.write() {
            known.insert(key, possible);
        }
        possible
    }
}
