//! On what footing a principal stands: everything that decides its calls besides its own policies.
//! On equal footing, whoever is allowed more by its own policies can do more.

use std::sync::Arc;

use foldhash::HashMap;
use roaring::RoaringBitmap;

use super::actions::Actions;
use super::actor::Actor;
use super::check::Check;
use super::rules::Rules;
use super::search::Search;
use crate::authorization::{
    ANY_CALL, Context, Edits, InForce, Input, OfCaller, OrganizationEdit, ResourcePolicy,
};
use crate::policy::{Policy, tells_callers_apart};
use crate::reachability::Variant;
use crate::residual::{Variable, VariableKind};
use crate::snapshot::{AccountIndex, DocumentId, Object, ObjectId};

/// A footing, by number: equal for those who stand alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FootingId(u32);

/// Towards whom principals stand alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Towards {
    /// Towards their own account.
    Own(AccountIndex),
    /// Towards other accounts.
    Others {
        partition: Arc<str>,
        /// Where they are tried.
        regions: Vec<Arc<str>>,
        /// The service control policies that bind them, level by level.
        control: Vec<Vec<DocumentId>>,
    },
}

/// What is the same for two principals that stand alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Footing {
    towards: Towards,
    /// User or role: some calls take one of them, and sessions of theirs differ.
    kind: Arc<str>,
    /// What the organization has come to for it.
    organization: Vec<OrganizationEdit>,
    /// The keys of its sessions, as far as more asks for them than objects' own policies.
    session: Vec<Input>,
    /// Whether its sessions can have been begun with MFA.
    may_have_mfa: bool,
    /// What control policies say of it.
    said: OfCaller,
}

/// What rules do with objects of a kind that the objects' own policies have a say in.
#[derive(Debug, Default)]
pub(super) struct Governed {
    /// The actions of these calls.
    pub(super) actions: Actions,
    /// Whether some rule gives somebody of another account more than principals that are found
    /// through the object, or another policy or other tags of the object itself.
    gives_others: bool,
    /// Whether some rule takes something that is not found through the object.
    takes_others: bool,
}

impl Governed {
    /// Whether it matters who is let in, of those who are allowed everything: what is gained, or what
    /// it takes, is not found through the object alone.
    pub(super) fn is_for_each(&self) -> bool {
        self.gives_others || self.takes_others
    }

    /// By kind of object.
    pub(super) fn by_kind(rules: &Rules) -> HashMap<Arc<str>, Self> {
        let mut out: HashMap<Arc<str>, Self> = HashMap::default();
        for rule in rules.rules.iter() {
            for slot in &rule.governed {
                let Some(kind) = rule.slots.get(*slot).map(|slot| slot.kind.clone()) else {
                    continue;
                };
                let of_kind = out.entry(kind).or_default();
                let calls = rule.calls.iter().filter(|call| call.mentions(*slot));
                calls.for_each(|call| {
                    of_kind.actions.insert(call.action_bit);
                    call.besides.iter().for_each(|more| of_kind.actions.insert(more.action_bit));
                });
                let more = !rule.gives_only_through(*slot) && !rule.needs_iam_beside(*slot);
                of_kind.gives_others |= more;
                let takes = !rule.takes_only_through(*slot) && !rule.needs_iam_beside(*slot);
                of_kind.takes_others |= takes;
            }
        }
        out
    }
}

/// The footings found so far.
pub(super) type Footings = HashMap<Footing, FootingId>;

/// The value of a session's key as far as it does not say whose session it is.
fn of_nobody(input: Input) -> Input {
    match input {
        Input::Free { variable, certain } => {
            let scope = match variable.kind {
                VariableKind::Chosen => "the caller".into(),
                _ => variable.scope,
            };
            Input::Free { variable: Variable { scope, ..variable }, certain }
        }
        other => other,
    }
}

impl Search<'_> {
    /// The footing of a variant's principal. `None` if others that stand alike cannot be told: it is
    /// no user or role of an account, or something looks at more of it than policies do.
    pub fn footing(&self, variant: &Variant, made: &[Object]) -> Option<FootingId> {
        let object = self.ground.object(made, variant.principal)?;
        self.footing_towards(variant, made, Towards::Own(object.account))
    }

    /// How a variant's principal stands towards other accounts. Whoever is allowed everything by its
    /// own policies and stands alike can do the same with a resource of another account whose policy
    /// lets in everybody, whatever account it is of.
    pub fn footing_abroad(&self, variant: &Variant, made: &[Object]) -> Option<FootingId> {
        // What policies of VPC endpoints say of accounts is not looked into.
        if !self.ground.endpoints.is_empty() {
            return None;
        }
        let object = self.ground.object(made, variant.principal)?;
        let account = self.ground.world.accounts.get(object.account.0 as usize)?;
        let view = self.view(&variant.edits, made);
        let levels = view.service_control(&account.id);
        let document = |in_force: &InForce<'_>| self.ground.document_of(in_force.policy.ok()?);
        let level = |level: &Vec<InForce<'_>>| level.iter().map(document).collect::<Option<_>>();
        let towards = Towards::Others {
            partition: account.partition.clone(),
            regions: account.regions.clone(),
            control: levels.iter().map(level).collect::<Option<_>>()?,
        };
        self.footing_towards(variant, made, towards)
    }

    fn footing_towards(
        &self,
        variant: &Variant,
        made: &[Object],
        towards: Towards,
    ) -> Option<FootingId> {
        let view = self.view(&variant.edits, made);
        let object = view.object(variant.principal)?;
        if !matches!(&*object.kind, "iam:user" | "iam:role")
            || object.symbolic().is_some()
            || object.is_service_linked()
            || self.endpoints_tell_apart
            || self.index.is_mapped(&object.arn)
        {
            return None;
        }
        let actor = Actor::new(self, view, variant.principal)?;
        let check = Check::of_nothing();
        let context = actor.context(ANY_CALL, &check);
        let mut said = OfCaller::default();
        let service = actor.applicable.service_control.iter().flatten();
        let abroad = matches!(towards, Towards::Others { .. });
        let mut add = |policy: &Policy| {
            said.add(policy, &context);
            if abroad {
                said.add_of_account(policy, &context);
            }
        };
        service.filter_map(|in_force| in_force.policy.ok()).for_each(&mut add);
        let world = self.ground.world;
        self.resource_control.iter().filter_map(|at| world.policy(*at)).for_each(add);
        let session: &[&str] = match self.asking_for_mfa() {
            // What these objects say is told apart as what is said of one principal is.
            Some(_) => &["aws:tokenissuetime"],
            None => &["aws:multifactorauthpresent", "aws:multifactorauthage", "aws:tokenissuetime"],
        };
        let footing = Footing {
            towards,
            kind: object.kind.clone(),
            organization: variant.edits.organization.iter().copied().collect(),
            session: session.iter().map(|key| of_nobody(context.get(key))).collect(),
            may_have_mfa: self.may_have_mfa(&view, variant.principal),
            said,
        };
        if let Some(known) = self.footings.read().ok()?.get(&footing) {
            return Some(*known);
        }
        let mut footings = self.footings.write().ok()?;
        let next = FootingId(u32::try_from(footings.len()).ok()?);
        Some(*footings.entry(footing).or_insert(next))
    }

    /// Whether what a user or role is allowed may be changed by a principal at all: that is for its
    /// own account, but for the tags of sessions of a role that lets in others.
    ///
    /// Implements "cross-account" of
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html>:
    /// IAM's own calls reach no other account, for there is no resource policy that allows them.
    pub fn may_change(&self, principal: ObjectId, held: ObjectId, made: &[Object]) -> bool {
        let of = |id| self.ground.object(made, id);
        let (Some(by), Some(held_object)) = (of(principal), of(held)) else { return true };
        !held_object.kind.starts_with("iam:")
            || by.symbolic().is_some()
            || self.may_let_in(held, principal, made)
    }

    /// Whether an object's own policy may let in a principal: it is of the same account, or lets in
    /// principals of the other.
    pub fn may_let_in(&self, object: ObjectId, principal: ObjectId, made: &[Object]) -> bool {
        let of = |id| self.ground.object(made, id);
        let (Some(by), Some(about)) = (of(principal), of(object)) else { return true };
        let account = self.ground.world.accounts.get(by.account.0 as usize);
        by.account == about.account
            || self.index.lets_in(object, by, account.map_or("", |account| &account.id))
    }

    /// Whether these actions include one that the own policies of objects of a kind have a say in.
    pub fn may_be_governed(&self, kind: &str, actions: &Actions) -> bool {
        self.governed.get(kind).is_some_and(|governed| !governed.actions.is_disjoint(actions))
    }

    /// The users and roles that being let in by a resource's own policy can give a principal of
    /// another account at most, if an administrator of the resource's account can make all the calls
    /// that the policy has a say in. `None` if some control policy limits that one and not the
    /// principal, or there is more to be had.
    ///
    /// - `by`: the principal.
    ///
    /// Implements "effect of service control policies on resource-based policies" of
    /// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html>:
    /// they do not bind callers from outside.
    pub fn found_through(
        &self,
        resource: ObjectId,
        by: &Object,
        made: &[Object],
    ) -> Option<Vec<ObjectId>> {
        let world = self.ground.world;
        let object = self.ground.object(made, resource)?;
        let governed = self.governed.get(&object.kind)?;
        let account = world.accounts.get(object.account.0 as usize)?;
        let other = world.accounts.get(by.account.0 as usize)?;
        let none = Edits::default();
        let view = self.view(&none, &[]);
        let binding: Vec<InForce<'_>> =
            view.service_control(&other.id).into_iter().flatten().collect();
        let levels = view.service_control(&account.id);
        if governed.gives_others
            || !levels.iter().all(|level| self.leaves_alone(level, &governed.actions, &binding))
        {
            return None;
        }
        let mut found = self.found_from(resource)?;
        let is_principal = |id: &ObjectId| {
            let object = world.object(*id);
            object.is_some_and(|object| matches!(&*object.kind, "iam:user" | "iam:role"))
        };
        found.retain(is_principal);
        Some(found)
    }

    /// Whether the control policies of a level allow these actions everywhere, but for what those
    /// that bind somebody else deny as well.
    fn leaves_alone(
        &self,
        level: &[InForce<'_>],
        actions: &Actions,
        others: &[InForce<'_>],
    ) -> bool {
        let binds_others = |policy: &Policy| {
            let same = |other: &InForce<'_>| other.policy.is_ok_and(|p| std::ptr::eq(p, policy));
            others.iter().any(same) && !policy.statements().iter().any(tells_callers_apart)
        };
        let mut policies = level.iter().filter_map(|in_force| in_force.policy.ok());
        let allows_all = policies.any(Policy::allows_everything);
        allows_all
            && level.iter().all(|in_force| match in_force.policy {
                Ok(policy) => {
                    binds_others(policy)
                        || Actions::denied_by(policy, &self.rules).is_disjoint(actions)
                }
                Err(_) => false,
            })
    }

    /// Whether a resource's own policy could keep an unconditional administrator of its account
    /// from it: it denies something, or is of a kind whose policy alone lets anybody in.
    ///
    /// Implements "resource-based policies" of
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>
    /// and <https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html>.
    pub fn holds_back_administrators(&self, resource: ObjectId) -> bool {
        let none = Edits::default();
        let view = self.view(&none, &[]);
        let Some(object) = view.object(resource) else { return true };
        if matches!(&*object.kind, "iam:role" | "kms:key") {
            return true;
        }
        match view.own_policy(resource, None) {
            ResourcePolicy::Absent => false,
            ResourcePolicy::Present(InForce { policy: Ok(policy), .. }) => policy.has_deny(),
            _ => true,
        }
    }

    /// The objects whose own policy, or whose own users, may treat a variant's principal unlike others
    /// that stand alike: they name it, ask for keys that it has, or whether it has signed in with the
    /// MFA device that it has been given.
    pub fn telling_apart(&self, variant: &Variant, made: &[Object]) -> Arc<RoaringBitmap> {
        let principal = variant.principal;
        let edits = &variant.edits;
        let mfa = edits.mfa.contains(&principal) || edits.trust.contains(&principal);
        self.telling_apart_with(principal, mfa, made)
    }

    /// The same for a principal by itself.
    ///
    /// - `mfa`: whether it has been given an MFA device.
    pub fn telling_apart_with(
        &self,
        principal: ObjectId,
        mfa: bool,
        made: &[Object],
    ) -> Arc<RoaringBitmap> {
        let key = (principal, mfa);
        if let Ok(known) = self.told_apart.read()
            && let Some(known) = known.get(&key)
        {
            return known.clone();
        }
        let mut found = Arc::default();
        if let Some(object) = self.ground.object(made, principal) {
            let account = self.ground.world.accounts.get(object.account.0 as usize);
            let account = account.map_or("", |account| &account.id);
            found = self.index.telling_apart(object, account);
            if let Some(asking) = self.asking_for_mfa().filter(|_| mfa) {
                let (first, last) = self.ground.world.objects_of(object.account);
                let mut near = self.index.letting_in(object, account);
                near.insert_range(first..last);
                found = Arc::new(&*found | &(near & asking));
            }
        }
        // What the attacker makes is something else in every closure.
        if principal < self.ground.next_made(0)
            && let Ok(mut known) = self.told_apart.write()
        {
            known.insert(key, found.clone());
        }
        found
    }
}
