//! What a call needs besides the permission for its action, where its request carries some keys: to
//! tag what it makes, to set the source identity of a session.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::actor::Actor;
use super::binding::{Binding, Reader};
use super::check::{Check, account_in};
use super::rule::{CallBesides, Rule, RuleCall};
use crate::authorization::{Input, Resource, tag_in_making};
use crate::residual::{Atom, Residual, Variable};

/// A permission that is asked for, on one resource.
#[derive(Clone, Debug)]
pub struct Permission<'c> {
    /// The action, as written.
    pub action: &'c Arc<str>,
    /// In lower case.
    pub lowercase: &'c Arc<str>,
    /// Position in [`super::Rules::actions`].
    pub(super) bit: usize,
    /// On what, with which keys.
    pub check: Check,
}

impl<'c> Permission<'c> {
    /// The permission for a call's own action.
    fn own(call: &'c RuleCall, check: Check) -> Self {
        Self {
            action: &call.action,
            lowercase: &call.action_lowercase,
            bit: call.action_bit,
            check,
        }
    }
}

impl Actor<'_, '_> {
    /// When one check of a call passes, with what the call then needs besides.
    ///
    /// Implements
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html> and
    /// "Permissions required to set a source identity" of
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html>;
    /// the table of keys names the page for each permission.
    ///
    /// - `decide`: what is left of one permission.
    pub(super) fn passes(
        &self,
        rule: &Rule,
        call: &RuleCall,
        binding: &Binding,
        check: &Check,
        decide: &impl Fn(&Self, &Permission<'_>) -> Residual,
    ) -> Residual {
        let own = Permission::own(call, check.clone());
        let whole = decide(self, &own);
        let ways = self.ways_beyond(rule, call, binding, &own, &whole);
        if ways.is_empty() {
            return if whole.is_false() { whole } else { whole.and(check.given.clone()) };
        }
        Residual::any(ways.iter().map(|way| {
            let mut all = Residual::True;
            for asked in way {
                all = all.and(decide(self, asked)).and(asked.check.given.clone());
                if all.is_false() {
                    break;
                }
            }
            all
        }))
    }

    /// The ways in which one check of a call can pass, each the permissions that it takes: the one
    /// that takes least first.
    pub fn ways<'c>(
        &self,
        rule: &Rule,
        call: &'c RuleCall,
        binding: &Binding,
        check: &Check,
    ) -> Vec<Vec<Permission<'c>>> {
        let mut own = Permission::own(call, check.clone());
        let whole = match call.besides.is_empty() && call.makes.is_none() {
            true => Residual::True,
            false => self.decide(&call.action, &call.action_lowercase, check).authorized(),
        };
        let ways = self.ways_beyond(rule, call, binding, &own, &whole);
        if !ways.is_empty() {
            return ways;
        }
        // What passes whatever the keys does not need them: it is said to be without.
        if whole.is_true() {
            let asked = call.besides.iter().flat_map(|besides| &besides.carrying);
            let asked = asked.filter(|key| !key.ends_with('/')).map(|key| key.to_string());
            for key in self.keys_carried(asked) {
                if call.besides.iter().any(|besides| besides.is_for(&key)) {
                    let determined = Arc::make_mut(&mut own.check.determined);
                    determined.entry(key.into()).or_insert(Input::Absent);
                }
            }
        }
        vec![vec![own]]
    }

    /// Keys of tags in a request that policies ask for, in lower case, and some others.
    fn keys_carried(&self, others: impl IntoIterator<Item = String>) -> BTreeSet<String> {
        let names = self.view.ground.tag_keys().names();
        let names = names.map(|name| format!("aws:requesttag/{name}"));
        names.chain(["aws:tagkeys".to_owned()]).chain(others).collect()
    }

    /// The ways, where the call can need something besides: with and without the keys that make it
    /// needed. None where the decision does not hang on such keys.
    ///
    /// - `whole`: what is left of the check, whatever the keys.
    fn ways_beyond<'c>(
        &self,
        rule: &Rule,
        call: &'c RuleCall,
        binding: &Binding,
        own: &Permission<'c>,
        whole: &Residual,
    ) -> Vec<Vec<Permission<'c>>> {
        if whole.is_false() || (call.besides.is_empty() && call.makes.is_none()) {
            return Vec::new();
        }
        let tags = self.tags_of_made(call);
        let settled = match whole {
            Residual::True => tags.is_empty(),
            _ => call.besides.is_empty() && tags.is_empty(),
        };
        if settled {
            return Vec::new();
        }
        let asked: BTreeSet<String> =
            whole.variables().iter().map(|open| open.name.to_lowercase()).collect();
        let needed: Vec<&CallBesides> = call
            .besides
            .iter()
            .filter(|besides| {
                asked.iter().any(|key| besides.is_for(key))
                    || (!tags.is_empty() && besides.is_for("aws:tagkeys"))
            })
            .collect();
        if needed.is_empty() && tags.is_empty() {
            return Vec::new();
        }
        let keys = self.keys_carried(asked);
        // Tags that calls after this one can ask for are part of this request.
        let mut own = own.clone();
        for (tag, variable) in &tags {
            let key = Arc::from(format!("aws:requesttag/{tag}"));
            let input = Input::Free { variable: variable.clone(), certain: false };
            Arc::make_mut(&mut own.check.determined).entry(key).or_insert(input);
        }
        let subsets = (0..1_u32 << needed.len().min(8)).map(|bits| {
            let carried =
                |at: &usize| u32::try_from(*at).is_ok_and(|at| bits & 1_u32.wrapping_shl(at) != 0);
            let mut way = vec![own.clone()];
            for (at, besides) in needed.iter().enumerate() {
                if carried(&at) {
                    way.push(self.permission_besides(rule, call, binding, &own.check, besides)?);
                    continue;
                }
                let Some(first) = way.first_mut() else { continue };
                let absent = keys.iter().filter(|key| besides.is_for(key));
                let absent = absent.map(|key| (Arc::from(key.as_str()), Input::Absent));
                Arc::make_mut(&mut first.check.determined).extend(absent);
                if besides.is_for("aws:tagkeys") {
                    let none = tags.iter().map(|(_, variable)| {
                        Residual::atom(Atom::Present(variable.clone())).negate()
                    });
                    first.check.given = first.check.given.clone().and(Residual::all(none));
                }
            }
            Some(way)
        });
        subsets.flatten().collect()
    }

    /// The tags of what a call makes that some policy asks for of such a resource, with what stands
    /// for their values.
    fn tags_of_made<'s>(&'s self, call: &'s RuleCall) -> Vec<(&'s str, Variable)> {
        let Some(kind) = &call.makes else { return Vec::new() };
        let asked = self.view.ground.tag_keys().asked_of_kind(kind);
        asked.map(|tag| (tag, tag_in_making(&call.action_lowercase, tag))).collect()
    }

    /// What a call needs besides, as a check of its own. `None` if there is nothing to check it on.
    fn permission_besides<'c>(
        &self,
        rule: &Rule,
        call: &'c RuleCall,
        binding: &Binding,
        check: &Check,
        besides: &'c CallBesides,
    ) -> Option<Permission<'c>> {
        let mut check = Check { request: Some(call.action_lowercase.clone()), ..check.clone() };
        if let Some(on) = &besides.on {
            let reader = Reader { view: self.view, kinds: self.search.kinds, rule };
            let mut resource = Resource::from(reader.text(binding, on).ok()?);
            // A task's id stands behind the name of its cluster.
            if let Resource::Template { variable, .. } = &mut resource {
                let mut alphabet = variable.grammar.alphabet.to_vec();
                alphabet.push(('/', '/'));
                alphabet.sort_unstable();
                variable.grammar.alphabet = alphabet.into();
                variable.scope = besides.action_lowercase.clone();
            }
            check.account = account_in(&resource);
            check.resource = resource;
            check.object = None;
        }
        if let Some(key) = &besides.says_action {
            let name = call.action.split_once(':').map_or(&*call.action, |(_, name)| name);
            Arc::make_mut(&mut check.determined).insert(key.clone(), Input::One(name.into()));
        }
        Some(Permission {
            action: &besides.action,
            lowercase: &besides.action_lowercase,
            bit: besides.action_bit,
            check,
        })
    }
}
