//! Who has no use for what resources' own policies let in: what such a policy could allow, some
//! principals are allowed anyway, and others can do nothing more with it than these.

use std::borrow::Cow;
use std::sync::Arc;

use foldhash::HashMap;

use super::actions::Actions;
use super::rule::{Expression, Part, Rule, RuleCall};
use super::rules::Rules;
use super::search::Search;
use crate::authorization::{Applicable, InForce, governs};
use crate::policy::{Effect, Policy, Statement, Template};
use crate::reachability::Variant;
use crate::snapshot::Object;

/// What being let in by the own policies of objects of a kind is good for.
#[derive(Debug, Default)]
pub(super) struct LettingIn {
    /// The actions of rules that such a policy can allow.
    actions: Actions,
    /// What rules ask of the same caller besides, each time all of it.
    besides: Vec<Actions>,
    /// Whether some rule hangs on more of the caller than what policies allow it.
    of_each: bool,
}

impl LettingIn {
    /// By kind of object.
    pub(super) fn by_kind(rules: &Rules) -> HashMap<Arc<str>, Self> {
        let mut out: HashMap<Arc<str>, Self> = HashMap::default();
        for rule in rules.rules.iter() {
            for slot in rule.governed.iter().copied() {
                let kind = rule.slots.get(slot).map(|slot| slot.kind.clone());
                if let Some(kind) = kind {
                    out.entry(kind.clone()).or_default().note(rule, slot, &kind);
                }
            }
        }
        out
    }

    fn note(&mut self, rule: &Rule, slot: usize, kind: &str) {
        // On the object itself or what is in it: elsewhere its policy has no say.
        let within = |text: &Expression| text.0.first() == Some(&Part::Object(slot));
        let is_let_in = |call: &RuleCall| {
            call.mentioned == [slot]
                && call.resources.iter().all(within)
                && governs(kind, &call.action_lowercase)
                && !call.is_by_token()
        };
        for call in rule.calls.iter().filter(|call| is_let_in(call)) {
            self.actions.insert(call.action_bit);
        }
        let mut besides = Actions::default();
        for call in rule.calls_of(0) {
            self.of_each |= call.permission.is_some() || call.is_by_token();
            if !is_let_in(call) {
                besides.insert(call.action_bit);
            }
            // Only needed where the request carries something.
            for more in &call.besides {
                if governs(kind, &more.action_lowercase) && more.on.is_none() {
                    self.actions.insert(more.action_bit);
                } else {
                    let mut one = Actions::default();
                    one.insert(more.action_bit);
                    self.note_besides(one);
                }
            }
        }
        if !besides.is_empty() {
            self.note_besides(besides);
        }
    }

    fn note_besides(&mut self, besides: Actions) {
        if !self.besides.contains(&besides) {
            self.besides.push(besides);
        }
    }
}

impl Search<'_> {
    /// Whether whoever may be allowed these actions can do no more, let in by another policy of an
    /// object of a kind, than somebody who is let in and allowed nothing else.
    pub fn adds_nothing_besides(&self, kind: &str, actions: &Actions) -> bool {
        self.letting_in_by_kind.get(kind).is_some_and(|of_kind| {
            !of_kind.of_each && !of_kind.besides.iter().any(|besides| besides.is_subset(actions))
        })
    }

    /// Whether a variant's principal, whatever the circumstances, is allowed all that own policies of
    /// the objects of a kind in its account and a Region could allow it: then such a policy, as long
    /// as it denies nothing, makes no difference to it.
    ///
    /// Implements "policy evaluation for requests within a single account" of
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics-single-account.html>:
    /// an allow of an identity policy is as good as one of the resource's.
    pub fn needs_no_letting_in(&self, variant: &Variant, like: &Object, made: &[Object]) -> bool {
        if variant.mandated.is_some() || variant.special {
            return false;
        }
        let Some((of_kind, form)) =
            self.letting_in_by_kind.get(&like.kind).zip(self.kinds.get(&like.kind))
        else {
            return false;
        };
        let account = self.ground.world.accounts.get(like.account.0 as usize);
        let Some(account) = account else { return false };
        let region = like.region.as_deref().unwrap_or_default();
        let all = form.arn_of(&account.partition, region, &account.id, "*");
        let view = self.view(&variant.edits, made);
        let Applicable { identity, boundary, service_control, endpoints, .. } =
            view.applicable(variant.principal);
        // By the tables of documents most are not.
        if !of_kind.actions.is_subset(&self.allowed_by_some(&identity)) {
            return false;
        }
        let resource_control = view.resource_control_levels(&account.id);
        let service = like.kind.split(':').next().unwrap_or_default();
        let endpoints = endpoints.iter().filter(|endpoint| *endpoint.service == *service);
        let endpoints: Option<Vec<&Policy>> =
            endpoints.map(|endpoint| endpoint.policy.as_ref().ok()).collect();
        let Some(endpoints) = endpoints else { return false };
        let allows = |layer: &mut dyn Iterator<Item = &Policy>| {
            let mut allowed = Actions::default();
            for policy in layer {
                let document = self.ground.document_of(policy);
                for (at, statement) in policy.statements().iter().enumerate() {
                    let known = document.and_then(|id| self.index.actions_of(id, at));
                    let about = match known {
                        Some(about) => Cow::Borrowed(about),
                        None => Cow::Owned(Actions::of_statement(statement, &self.rules)),
                    };
                    match statement.effect() {
                        Effect::Deny if !about.is_disjoint(&of_kind.actions) => return false,
                        Effect::Deny => {}
                        Effect::Allow if is_on_all(statement, &all) => allowed.extend(&about),
                        Effect::Allow => {}
                    }
                }
            }
            of_kind.actions.is_subset(&allowed)
        };
        let in_force = |layer: &[InForce<'_>]| match layer.iter().any(|p| p.policy.is_err()) {
            true => false,
            false => allows(&mut layer.iter().filter_map(|in_force| in_force.policy.ok())),
        };
        let limits = boundary.iter().map(std::slice::from_ref);
        let levels = service_control.iter().chain(&resource_control).map(Vec::as_slice);
        in_force(&identity)
            && limits.chain(levels).all(in_force)
            && endpoints.into_iter().all(|policy| allows(&mut std::iter::once(policy)))
    }
}

/// Whether a statement is, without condition, about everything that an ARN pattern covers.
fn is_on_all(statement: &Statement, all: &str) -> bool {
    // The wildcard of the pattern is matched by one of the statement's, as any other character.
    let covers = |template: &Template| {
        let pattern = template.fixed().filter(|_| !template.text().contains('?'));
        pattern.is_some_and(|pattern| pattern.is_any() || pattern.matches(all))
    };
    statement.conditions().is_empty()
        && !statement.resources_negated()
        && statement.principals().is_none_or(|principals| principals.is_everyone())
        && statement.resources().iter().any(covers)
}
