//! Which rules can be about what is looked for, found once for all callers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::actions::Actions;
use super::binding::{Binding, Reader};
use super::object_sets::{Remembered, led_to, remembered};
use super::rule::{Rule, RuleGain, Slot};
use super::rules::Rules;
use super::search::{Search, Select};
use crate::authorization::Edits;
use crate::snapshot::{AccountIndex, Object, ObjectId};

/// Positions of rules, in order, and by an action that each of them takes.
#[derive(Debug, Default)]
struct ByAction {
    all: Arc<[usize]>,
    /// By the position of the rarest action that the caller has to be allowed.
    taking: BTreeMap<usize, Vec<usize>>,
    /// Rules that take a token and nothing else.
    taking_none: Vec<usize>,
    /// Those within each set of actions that was asked for, and worth trying in the account if that
    /// counts.
    within: Remembered<(Actions, Option<AccountIndex>), Arc<[usize]>>,
}

impl ByAction {
    fn of(all: Vec<usize>, rules: &Rules) -> Self {
        let mut uses = vec![0_usize; rules.actions.len()];
        let mut taken: Vec<(usize, Vec<usize>)> = Vec::with_capacity(all.len());
        for at in &all {
            let calls = rules.rules.get(*at).into_iter().flat_map(|rule| rule.calls_of(0));
            let signed = calls.filter(|call| call.federated.is_none());
            let actions: Vec<usize> = signed.map(|call| call.action_bit).collect();
            for action in &actions {
                if let Some(uses) = uses.get_mut(*action) {
                    *uses += 1;
                }
            }
            taken.push((*at, actions));
        }
        let mut out = Self { all: all.into(), ..Self::default() };
        for (at, actions) in taken {
            let rarest = actions.into_iter().min_by_key(|action| (uses.get(*action), *action));
            match rarest {
                Some(action) => out.taking.entry(action).or_default().push(at),
                None => out.taking_none.push(at),
            }
        }
        out
    }

    /// All of which the caller may be allowed that action, if it may be allowed these.
    ///
    /// - `account`: of callers for whom only rules are looked for that are worth trying there;
    /// - `is_worth_trying`: whether one is.
    fn within(
        &self,
        actions: &Actions,
        account: Option<AccountIndex>,
        is_worth_trying: impl Fn(usize, AccountIndex) -> bool,
    ) -> Arc<[usize]> {
        let key = (actions.clone(), account);
        remembered(&self.within, &key, || {
            let taking = self.taking.iter().filter(|(action, _)| actions.contains(**action));
            let mut out: Vec<usize> = taking.flat_map(|(_, rules)| rules).copied().collect();
            out.extend(&self.taking_none);
            out.retain(|at| account.is_none_or(|account| is_worth_trying(*at, account)));
            out.sort_unstable();
            out.into()
        })
    }
}

/// Positions of rules, in order, by what they can be about.
#[derive(Debug, Default)]
pub(super) struct SelectedRules {
    /// Rules that change the permissions of a user or role, or its tags where these count.
    of_holders: ByAction,
    /// The others.
    of_others: ByAction,
    /// Those that an OpenSearch domain's own access control has a say in.
    within_domains: Vec<usize>,
    /// Those that a role's trust policy has a say in.
    by_trust: Vec<usize>,
    /// Those in which a service has to be able to assume a role.
    by_service: Vec<usize>,
    /// By kind: those that bind an object of it.
    by_kind: BTreeMap<Arc<str>, Vec<usize>>,
    /// By kind, user or role: the same with those that change the permissions of such a one. Its tags
    /// count there as for any other resource.
    by_kind_and_holder: BTreeMap<Arc<str>, Vec<usize>>,
    /// By kind: those in which the own policy of such an object has a say.
    governed_by_kind: BTreeMap<Arc<str>, Vec<usize>>,
    /// By kind: the attributes of its objects that lead to other objects.
    leading: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    /// By kind: the attributes, one after the other, that lead from its objects to others, where the
    /// own policies of both have a say in calls of one rule.
    governed_together: BTreeMap<Arc<str>, BTreeSet<Vec<Arc<str>>>>,
}

impl SelectedRules {
    /// Sorts the rules.
    ///
    /// - `tags_principals`: whether policies ask for tags of their callers.
    pub(super) fn of(rules: &Rules, tags_principals: bool) -> Self {
        let mut out = Self::default();
        let (mut of_holders, mut of_others) = (Vec::new(), Vec::new());
        for (at, rule) in rules.rules.iter().enumerate().filter(|(_, rule)| !rule.groups.is_empty())
        {
            for (from, attribute) in rule.slots.iter().filter_map(|slot| slot.from.as_ref()) {
                let kind = rule.slots.get(*from).map(|slot| slot.kind.clone());
                out.leading.entry(kind.unwrap_or_default()).or_default().insert(attribute.clone());
            }
            let holder = rule.holder().is_some();
            if holder || (tags_principals && rule.principal_tagged().is_some()) {
                of_holders.push(at);
            }
            let slots = rule.slots.iter().map(|slot| slot.kind.clone());
            for kind in slots.collect::<BTreeSet<Arc<str>>>() {
                out.by_kind_and_holder.entry(kind).or_default().push(at);
            }
            if holder {
                continue;
            }
            of_others.push(at);
            if rule.slots.iter().any(Slot::is_assumed_by_service) {
                out.by_service.push(at);
            }
            if rule.calls.iter().any(|call| call.permission.is_some()) {
                out.within_domains.push(at);
            }
            // The policy that the attacker writes lets in principals, not tokens.
            let assumes = rule
                .calls
                .iter()
                .any(|call| call.action_lowercase.starts_with("sts:") && call.federated.is_none());
            if assumes {
                out.by_trust.push(at);
            }
            let kinds = |slots: &mut dyn Iterator<Item = usize>| {
                let kinds = slots.filter_map(|slot| Some(rule.slots.get(slot)?.kind.clone()));
                kinds.collect::<BTreeSet<Arc<str>>>()
            };
            for kind in kinds(&mut (0..rule.slots.len())) {
                out.by_kind.entry(kind).or_default().push(at);
            }
            for slot in rule.governed.iter().copied() {
                let Some(kind) = rule.slots.get(slot).map(|slot| slot.kind.clone()) else {
                    continue;
                };
                let paths = rule.governed.iter().filter_map(|other| rule.path(slot, *other));
                let paths: BTreeSet<Vec<Arc<str>>> = paths.collect();
                if !paths.is_empty() {
                    out.governed_together.entry(kind).or_default().extend(paths);
                }
            }
            for kind in kinds(&mut rule.governed.iter().copied()) {
                out.governed_by_kind.entry(kind).or_default().push(at);
            }
        }
        out.of_holders = ByAction::of(of_holders, rules);
        out.of_others = ByAction::of(of_others, rules);
        out
    }

    /// Rules that change the permissions of a user or role, or its tags where these count, for a
    /// caller that may be allowed these actions.
    pub(super) fn of_holders(&self, actions: &Actions) -> Arc<[usize]> {
        self.of_holders.within(actions, None, |_, _| true)
    }
}

impl Rule {
    /// The slot of the user or role that the rule gives tags or takes them from.
    pub(super) fn principal_tagged(&self) -> Option<usize> {
        self.resource_edited().filter(|slot| {
            self.slots.get(*slot).is_some_and(|slot| matches!(&*slot.kind, "iam:user" | "iam:role"))
                && self.gains.iter().any(|gain| matches!(gain, RuleGain::Tag(..)))
        })
    }
}

impl Search<'_> {
    /// Whether some rule takes an object of a kind together with one, itself perhaps, whose own policy
    /// may let in principals of other accounts.
    pub fn is_of_use_abroad(&self, kind: &str) -> bool {
        let of_kind = self.selected_rules.by_kind.get(kind).into_iter().flatten();
        of_kind.filter_map(|at| self.rules.rules.get(*at)).any(|rule| !rule.governed.is_empty())
    }

    /// Whether [`Self::is_of_use_abroad`] holds of an object that the attacker has made, as it is.
    pub fn may_be_used_abroad(&self, made: &Object) -> bool {
        let edits = Edits::default();
        let view = self.view(&edits, &[]);
        let place =
            Binding { objects: Vec::new(), account: made.account, region: "".into(), name: None };
        let of_kind = self.selected_rules.by_kind.get(&made.kind).into_iter().flatten();
        let rules = of_kind.filter_map(|at| self.rules.rules.get(*at));
        rules.filter(|rule| !rule.governed.is_empty()).any(|rule| {
            let reader = Reader { view, kinds: self.kinds, rule };
            rule.slots.iter().filter(|slot| slot.kind == made.kind).any(|slot| {
                let alone = slot.matchers.iter().filter(|matcher| matcher.1.is_of_object_alone());
                alone
                    .map(|matcher| reader.attribute_fits(&place, made, matcher))
                    .all(|fits| !fits.is_false())
            })
        })
    }

    /// The objects that are found through a resource and whose own policies have a say in calls together
    /// with the resource's: those of rules, and the one that the question asks for.
    pub fn decided_with(&self, resource: ObjectId) -> Vec<ObjectId> {
        let world = self.ground.world;
        let Some(object) = world.object(resource) else { return Vec::new() };
        let of_rules = self.selected_rules.governed_together.get(&object.kind);
        let asked = self.rules.questioned.iter().filter_map(|at| self.rules.actions.get(*at));
        let of_key = asked.filter_map(|action| self.keys.key_use(action));
        let of_key = of_key.map(|key_use| vec![Arc::from(&*key_use.key)]);
        let paths = of_rules.into_iter().flatten().cloned().chain(of_key);
        let found: BTreeSet<ObjectId> =
            paths.flat_map(|path| led_to(world, resource, &path)).collect();
        found.into_iter().filter(|other| *other != resource).collect()
    }

    /// The objects of the snapshot that rules find through an object, by attributes of it and of
    /// those found; itself first. `None` if such an attribute is not known: it could be anybody.
    pub(super) fn found_from(&self, object: ObjectId) -> Option<Vec<ObjectId>> {
        let world = self.ground.world;
        let mut found = vec![object];
        let mut at = 0;
        while let Some(id) = found.get(at).copied() {
            at += 1;
            let object = world.objects.get(id.0 as usize)?;
            for attribute in self.selected_rules.leading.get(&object.kind).into_iter().flatten() {
                for value in object.attribute(attribute).ok()? {
                    let other = world.by_arn.get(&value).filter(|other| !found.contains(other));
                    found.extend(other);
                }
            }
        }
        Some(found)
    }

    /// The rules that can be about what is looked for.
    ///
    /// - `apart`: the kinds of the objects whose own policies tell the caller apart;
    /// - `changed`: the kind of the object that has been changed or made;
    /// - `of_policies`: whether only its own policy is another;
    /// - `signed`: the actions that the caller may be allowed, if it signs its calls;
    /// - `as_it_is`: the caller's account, if it is a user or role of it and nothing has changed but
    ///   what policies of principals say.
    pub(super) fn rules_for(
        &self,
        select: Select<'_>,
        apart: &BTreeSet<&str>,
        changed: Option<&str>,
        of_policies: bool,
        signed: Option<&Actions>,
        as_it_is: Option<AccountIndex>,
    ) -> Arc<[usize]> {
        let known = &self.selected_rules;
        let is_worth_trying =
            |at, account| self.service_trusts.may_be(at, account) && self.may_find(at, account);
        let able = |rules: &ByAction| match signed {
            Some(actions) => {
                let account = as_it_is.filter(|_| select.is_whole());
                rules.within(actions, account, is_worth_trying)
            }
            None => rules.all.clone(),
        };
        match select {
            Select::All | Select::Out(_) => able(&known.of_others),
            Select::Holders(_) => able(&known.of_holders),
            Select::Administered(_) => known.within_domains.as_slice().into(),
            Select::Trusting(_) => known.by_trust.as_slice().into(),
            Select::Serving(_) => known.by_service.as_slice().into(),
            Select::Apart => {
                let of_kinds = apart.iter().filter_map(|kind| known.governed_by_kind.get(*kind));
                let rules: BTreeSet<usize> = of_kinds.flatten().copied().collect();
                rules.into_iter().collect()
            }
            Select::Changed(_) | Select::ChangedApart(_) | Select::Only(..) => {
                // Another policy of a resource counts where that policy has a say.
                let by_kind = match select {
                    Select::ChangedApart(_) => &known.governed_by_kind,
                    Select::Changed(_) if of_policies => &known.governed_by_kind,
                    Select::Changed(_) => &known.by_kind_and_holder,
                    _ => &known.by_kind,
                };
                changed.and_then(|kind| by_kind.get(kind)).map_or(&[][..], Vec::as_slice).into()
            }
        }
    }
}
