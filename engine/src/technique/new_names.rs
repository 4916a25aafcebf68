//! Names that are worth giving to users and roles that the attacker makes. Policies that ask for their
//! caller by a pattern let in, or spare, whoever is called so: also one that is made for it.

use std::sync::Arc;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use roaring::RoaringBitmap;

use super::binding::Binding;
use super::letting_in::LetIn;
use super::object_sets::{Remembered, remembered};
use super::rule::{Part, Rule, RuleCall, RuleGain};
use super::search::Search;
use super::walk::Walk;
use crate::authorization::{Ground, grammar_of};
use crate::pattern::{Pattern, Token};
use crate::policy::{Policy, Template};
use crate::snapshot::{AccountIndex, Detail, DocumentId, ObjectId, Organization, OwnPolicy};

/// What a new principal is called where nothing asks for a name.
pub(super) const PLAIN: &str = "escalade";

/// The keys by which policies ask what their caller is called.
const ARN: &str = "aws:principalarn";
const NAME: &str = "aws:username";

/// Beginnings of names that only AWS gives.
///
/// Implements `Path` of <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html> and
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>.
const RESERVED: [&str; 2] = ["aws-service-role/", "aws-reserved/"];

/// A pattern that a policy compares what its caller is called with.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Asked {
    pattern: Pattern,
    /// Whether it is for the whole ARN.
    of_arn: bool,
}

/// Kind and account of a new principal.
type NewKey = (Arc<str>, AccountIndex);

/// What policies that are not principals' own ask for.
#[derive(Debug, Default)]
pub(super) struct NewNames {
    /// Each with the objects whose own policies ask; of none where whatever the call is about.
    asked: IndexMap<Asked, Option<RoaringBitmap>, RandomState>,
    known: Remembered<NewKey, Arc<[Arc<str>]>>,
}

impl NewNames {
    /// Looks through the policies of a world that bind more than those whose they are.
    pub(super) fn of(ground: &Ground<'_>) -> Self {
        let world = ground.world;
        let mut out = Self::default();
        let controls = world.organization.iter().flat_map(Organization::control_documents);
        controls.filter_map(|at| world.policy(at)).for_each(|policy| out.add(policy, None));
        let endpoints = ground.endpoints.iter().filter_map(|end| end.policy.as_ref().ok());
        endpoints.for_each(|policy| out.add(policy, None));
        for (at, object) in world.objects.iter().enumerate() {
            let document = own_document(&object.detail, &object.policy);
            let policy = document.and_then(|document| world.policy(document));
            if let (Some(policy), Ok(at)) = (policy, u32::try_from(at)) {
                out.add(policy, Some(at));
            }
        }
        out
    }

    fn add(&mut self, policy: &Policy, object: Option<u32>) {
        for statement in policy.statements() {
            for condition in statement.conditions() {
                let of_arn = *condition.key_lowercase == *ARN;
                if !of_arn && *condition.key_lowercase != *NAME {
                    continue;
                }
                for pattern in condition.templates().filter_map(Template::fixed) {
                    self.add_pattern(pattern, of_arn, object);
                }
            }
        }
    }

    fn add_pattern(&mut self, pattern: &Pattern, of_arn: bool, object: Option<u32>) {
        let asked = Asked { pattern: pattern.clone(), of_arn };
        let by = self.asked.entry(asked).or_insert_with(|| Some(RoaringBitmap::new()));
        match (by, object) {
            (Some(by), Some(object)) => _ = by.insert(object),
            (by, None) => *by = None,
            // Whatever the call is about: this object as well.
            (None, Some(_)) => {}
        }
    }
}

/// An object's own policy.
fn own_document(detail: &Detail, policy: &OwnPolicy) -> Option<DocumentId> {
    match (detail, policy) {
        (Detail::Role(role), _) => role.trust.as_ref().ok().copied(),
        (_, OwnPolicy::Present(document)) => Some(*document),
        _ => None,
    }
}

/// A text that a pattern matches.
fn example(pattern: &Pattern) -> String {
    let mut out = String::new();
    let mut plain = Some(PLAIN);
    for token in pattern.tokens() {
        match token {
            Token::Literal(c) => out.push(c),
            Token::AnyCharacter | Token::AnyCharacterInSegment => out.push('x'),
            Token::AnyRun | Token::AnyRunInSegment => {
                out.push_str(plain.take().unwrap_or_default());
            }
        }
    }
    out
}

impl Rule {
    /// The new user or role that the rule gives, if the caller says what it is called.
    pub(super) fn named_principal(&self) -> Option<usize> {
        let new = self.gains.iter().find_map(|gain| match gain {
            RuleGain::NewPrincipal(new, _)
            | RuleGain::AttachedPrincipal(new, _)
            | RuleGain::NewMember(new, _) => Some(*new),
            _ => None,
        })?;
        let is_new = |parts: &[Part]| matches!(parts, [Part::New(at)] if *at == new);
        let mut calls = self.calls.iter();
        let named = calls.any(|call| call.resources.iter().any(|resource| is_new(&resource.0)));
        let elsewhere = self.new.get(new).is_some_and(|slot| slot.beside.is_some());
        (named && !elsewhere).then_some(new)
    }
}

impl Walk<'_, '_> {
    /// Whether the caller's own policies let it call what it makes as a binding says, conditions left
    /// aside. Nobody else's policy is about what is not there yet.
    pub(super) fn may_give_name(&self, rule: &Rule, binding: &Binding) -> bool {
        let (Some(name), Some(new)) = (&binding.name, rule.named_principal()) else { return true };
        let kind = rule.new.get(new).map(|slot| &*slot.kind).unwrap_or_default();
        let Some(arn) = self.search.arn_of_new(kind, binding.account, name) else { return true };
        let is_on_new = |call: &&RuleCall| {
            call.resources
                .iter()
                .any(|resource| matches!(resource.0[..], [Part::New(at)] if at == new))
        };
        let mut own = rule.calls_of(0).filter(|call| call.federated.is_none()).filter(is_on_new);
        own.all(|call| self.actor.allows_on(call, &arn))
    }
}

impl Search<'_> {
    /// The names that a rule is tried with for the user or role that it makes: first any, then each
    /// that some policy asks for.
    pub(crate) fn names_for(&self, rule: &Rule, account: AccountIndex) -> Vec<Option<Arc<str>>> {
        let slot = rule.named_principal().and_then(|new| rule.new.get(new));
        let names = slot.map(|slot| self.names_of_new(&slot.kind, account)).unwrap_or_default();
        std::iter::once(None).chain(names.iter().cloned().map(Some)).collect()
    }

    /// The names that policies ask for of users or roles of an account and that nobody has.
    pub(super) fn names_of_new(&self, kind: &Arc<str>, account: AccountIndex) -> Arc<[Arc<str>]> {
        let key = (kind.clone(), account);
        remembered(&self.new_names.known, &key, || self.find_names(kind, account).into())
    }

    fn find_names(&self, kind: &Arc<str>, account: AccountIndex) -> Vec<Arc<str>> {
        let arn_of = |name: &str| self.arn_of_new(kind, account, name);
        let (Some(form), Some(before), Some(plain)) =
            (self.kinds.get(kind), arn_of(""), arn_of(PLAIN))
        else {
            return Vec::new();
        };
        let grammar = grammar_of(&form.name);
        let mut out: Vec<Arc<str>> = Vec::new();
        for (Asked { pattern, of_arn }, by) in &self.new_names.asked {
            let fits = |name: &str, arn: &str| {
                let last = name.rsplit('/').next().unwrap_or_default();
                pattern.matches(if *of_arn { arn } else { last })
            };
            let is_asked = *of_arn || &**kind == "iam:user";
            if !is_asked || fits(PLAIN, &plain) || !self.may_concern(by.as_ref(), account) {
                continue;
            }
            let rests = match of_arn {
                true => pattern.after_prefix(&before),
                false => vec![pattern.clone()],
            };
            for name in rests.iter().map(example) {
                let Some(arn) = arn_of(&name) else { continue };
                let reserved = RESERVED.iter().any(|start| name.starts_with(start));
                let is_whole = !name.starts_with('/') && !name.ends_with('/');
                if !reserved
                    && is_whole
                    && grammar.accepts(&name)
                    && fits(&name, &arn)
                    && !self.ground.world.by_arn.contains_key(&arn)
                {
                    out.push(name.into());
                }
            }
        }
        out.sort();
        out.dedup();
        out
    }

    /// The ARN of a user or role of an account by its name, its path before it.
    pub(super) fn arn_of_new(
        &self,
        kind: &str,
        account: AccountIndex,
        name: &str,
    ) -> Option<Arc<str>> {
        let of = self.ground.world.accounts.get(account.0 as usize)?;
        let form = self.kinds.get(kind)?.arn.replace("{partition}", &of.partition);
        Some(form.replace("{account}", &of.id).replace("{name}", name).into())
    }

    /// Whether some of these objects may let in principals of an account.
    fn may_concern(&self, objects: Option<&RoaringBitmap>, account: AccountIndex) -> bool {
        let Some(objects) = objects else { return true };
        objects.iter().map(ObjectId).any(|id| match self.whom_lets_in(id, &[]) {
            LetIn::Anybody => true,
            LetIn::Accounts(accounts) => accounts.contains(&account),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_its_example() {
        for (pattern, expected) in [
            ("deploy-*", "deploy-escalade"),
            ("*-admin", "escalade-admin"),
            ("a?c", "axc"),
            ("ops/*/night-*", "ops/escalade/night-"),
            ("exact", "exact"),
        ] {
            let pattern = Pattern::glob(pattern, false);
            assert_eq!(example(&pattern), expected);
            assert!(pattern.matches(expected));
        }
    }
}
