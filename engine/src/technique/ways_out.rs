//! Ways out of an account. Who administers an account and looks for something in another one can
//! have whatever is in it: that is no step ahead unless something elsewhere treats it unlike the
//! administrator.

use std::collections::BTreeSet;
use std::sync::Arc;

use foldhash::HashMap;
use roaring::RoaringBitmap;

use super::actor::Actor;
use super::check::Check;
use super::gain::{Gained, new_principal};
use super::new_names::PLAIN;
use super::object_sets::OfKind;
use super::rule::Rule;
use super::search::Search;
use crate::authorization::{Caller, Edit, Edits, OfCaller};
use crate::reachability::Variant;
use crate::snapshot::{AccountIndex, Object, ObjectId};

/// What of an account is a step ahead for an administrator who is on the way to another one.
#[derive(Debug, PartialEq, Eq)]
pub struct WaysOut {
    account: AccountIndex,
    /// Objects of the account that are none.
    idle: RoaringBitmap,
    /// The same without the administrator, whose tags may be one.
    idle_tagged: RoaringBitmap,
    /// Kinds of which something may be one: of the account, of no account, or where another account's
    /// own policy may let in the administrator.
    kinds: BTreeSet<Arc<str>>,
    /// Kinds of which another account's object may let in the administrator.
    kinds_abroad: BTreeSet<Arc<str>>,
    /// Whether principals of the account that tokens may come to be are one.
    has_other_principals: bool,
    /// Whether anything in another account lets in somebody of this one.
    has_exits: bool,
    /// Whether users and roles that the attacker makes in the account may be one.
    new_principals: bool,
}

impl WaysOut {
    /// Objects of the account of which none is a step ahead.
    ///
    /// - `tagged`: as what is tagged.
    pub(super) fn idle(&self, tagged: bool) -> &RoaringBitmap {
        if tagged { &self.idle_tagged } else { &self.idle }
    }

    /// Whether an object is no step ahead.
    pub fn is_idle(&self, object: ObjectId) -> bool {
        self.idle.contains(object.0)
    }
}

impl Search<'_> {
    /// Whether something gained is a step ahead.
    pub(super) fn leads_on(&self, ways_out: &WaysOut, gained: &Gained) -> bool {
        let is_idle = |object: &ObjectId| ways_out.is_idle(*object);
        match gained {
            Gained::Holds(object)
            | Gained::Joinable(object)
            | Gained::DomainAdministration(object) => !is_idle(object),
            Gained::Delegated(delegation) => !is_idle(&delegation.role),
            Gained::Edited(edit) => match edit {
                Edit::InlinePolicy(object)
                | Edit::PolicyText(object)
                | Edit::DefaultVersion(object, _)
                | Edit::Attached(object, _)
                | Edit::Member(object, _)
                | Edit::Left(object, _)
                | Edit::TrustPolicy(object)
                | Edit::NoBoundary(object)
                | Edit::Detached(object, _)
                | Edit::ResourcePolicy(object)
                | Edit::NoResourcePolicy(object)
                | Edit::ResourceGrant(object, _)
                | Edit::MfaDevice(object)
                | Edit::NoMfaDevice(object) => !is_idle(object),
                Edit::Tag(object, _) | Edit::NoTag(object, _) | Edit::SessionTag(object, _) => {
                    !ways_out.idle_tagged.contains(object.0)
                }
                Edit::Organization(_) => true,
            },
            Gained::Principal(new) => ways_out.new_principals || new.account != ways_out.account,
            Gained::Made(new) => {
                ways_out.has_exits
                    || new.account != ways_out.account
                    || self.is_of_use_abroad(&new.kind)
            }
            Gained::IdentityProvider(account) => {
                ways_out.has_other_principals || *account != ways_out.account
            }
        }
    }

    /// Whether a rule can give anything that is a step ahead, by the kinds of what there is.
    pub(super) fn may_lead_on(&self, ways_out: &WaysOut, rule: &Rule) -> bool {
        let kind = |slot: usize| rule.slots.get(slot).map(|slot| &slot.kind);
        let Some(acquired) = rule.acquired().and_then(kind) else { return true };
        let abroad = |slot: &usize| kind(*slot).is_some_and(|k| ways_out.kinds_abroad.contains(k));
        ways_out.kinds.contains(acquired)
            || rule.governed.iter().any(abroad)
            || rule.slots.iter().any(|slot| self.unlisted.contains_key(&slot.kind))
    }

    /// The ways out of its account for a variant that administers it without condition. `None` if
    /// it is no user or role of an account, or policies look at more of it than is looked at here.
    ///
    /// A principal of the account is one if another account's object may treat it unlike the
    /// variant, if control policies leave it freer or could with tags, or if one that is names it. A resource is one if
    /// such a principal is found through it. The variant needs everything else there for nothing but
    /// these.
    pub fn ways_out(&self, variant: &Variant, made: &[Object]) -> Option<WaysOut> {
        let object = self.ground.object(made, variant.principal)?;
        let account = object.account;
        if object.symbolic().is_some() {
            return None;
        }
        let view = self.view(&variant.edits, made);
        let actor = Actor::new(self, view, variant.principal)?;
        if self.endpoints_tell_apart || !matches!(actor.caller, Caller::User(_) | Caller::Role(_)) {
            return None;
        }
        let of = |kind| self.index.objects.of_kind(kind).and_then(|of| of.of_account(account));
        let own = |kind| of(kind).cloned().unwrap_or_default();
        let (users, roles) = (own("iam:user"), own("iam:role"));
        let principals = &users | &roles;
        let told_apart: HashMap<u32, Arc<RoaringBitmap>> = principals
            .iter()
            .map(|id| (id, self.telling_apart_with(ObjectId(id), users.contains(id), &[])))
            .collect();
        let (first, last) = self.ground.world.objects_of(account);
        let within = |set: &RoaringBitmap| {
            set.min().is_none_or(|min| min >= first) && set.max().is_none_or(|max| max < last)
        };
        let (linked, free): (RoaringBitmap, RoaringBitmap) = principals.iter().partition(|id| {
            let object = self.ground.world.objects.get(*id as usize);
            object.is_some_and(Object::is_service_linked)
        });
        let has_exits =
            self.has_exits(account, within) || told_apart.values().any(|objects| !within(objects));
        // Others may be given tags that the variant cannot give itself.
        let by_tags = self.ground.tag_keys().asks_every_caller_for_some();
        let mut worth: RoaringBitmap = free
            .iter()
            .filter(|id| {
                let abroad = |objects: &Arc<RoaringBitmap>| !within(objects);
                told_apart.get(id).is_none_or(abroad)
                    || (has_exits && (by_tags || !self.leaves_as_free(&actor, ObjectId(*id), made)))
            })
            .collect();
        if self.controls_ask_for_sessions && has_exits {
            worth |= if users.contains(variant.principal.0) { &roles - &linked } else { users };
        }
        worth.remove(variant.principal.0);
        let more = !worth.is_empty();
        // What no control policy binds and nobody can change.
        if has_exits {
            worth |= linked;
        }
        // Whom something treats unlike the variant that is needed for these.
        let mut others = if more { &principals - &worth } else { RoaringBitmap::new() };
        loop {
            let matters = |object: u32| !roles.contains(object) || worth.contains(object);
            let is_told = |id: &u32| told_apart.get(id).is_none_or(|of| of.iter().any(matters));
            let found: RoaringBitmap = others.iter().filter(is_told).collect();
            if found.is_empty() {
                break;
            }
            others -= &found;
            worth |= found;
        }
        let mut idle = principals - &worth;
        for (kind, of_kind) in self.index.objects.kinds() {
            if matches!(&**kind, "iam:user" | "iam:role") || self.is_for_each(kind) {
                continue;
            }
            let Some(own) = of_kind.of_account(account) else { continue };
            match kind.starts_with("iam:") {
                // What they are members of or have attached is not told apart.
                true if more => {}
                true => idle |= own,
                false => {
                    let leads_on = |id: &u32| !self.leads_only_to(*id, &idle, account);
                    idle |= own - own.iter().filter(leads_on).collect::<RoaringBitmap>();
                }
            }
        }
        let mut idle_tagged = idle.clone();
        if has_exits {
            idle_tagged.remove(variant.principal.0);
        }
        let let_in = self.letting_in(variant.principal, made).unwrap_or_default();
        let kinds = || self.index.objects.kinds();
        let kinds_abroad: BTreeSet<Arc<str>> = kinds()
            .filter(|(_, of_kind)| !within(&(&let_in & &of_kind.all)))
            .map(|(kind, _)| kind.clone())
            .collect();
        let of_use = |of_kind: &OfKind| !of_kind.beside(Some(account)).is_subset(&idle_tagged);
        let kinds =
            kinds().filter(|(kind, of_kind)| of_use(of_kind) || kinds_abroad.contains(*kind));
        let kinds = kinds.map(|(kind, _)| kind.clone()).collect();
        let new_principals = more
            || !within(&self.telling_apart_in(account))
            || has_exits
                && ["iam:user", "iam:role"].into_iter().map(Arc::from).any(|kind: Arc<str>| {
                    let asked = self.names_of_new(&kind, account);
                    let names = asked.iter().map(|name| &**name).chain([PLAIN]);
                    names.map(|name| self.arn_of_new(account, &kind, name)).any(|arn| {
                        let new = new_principal(&kind, arn, account);
                        !self.leaves_as_free(&actor, self.ground.next_made(0), &[new])
                    })
                });
        Some(WaysOut {
            account,
            idle,
            idle_tagged,
            kinds,
            kinds_abroad,
            has_other_principals: more,
            has_exits,
            new_principals,
        })
    }

    /// Whether principals of an account reach anything of another one at all: something there may let
    /// in some of them, or the account is one from which the organization is managed.
    fn has_exits(&self, account: AccountIndex, within: impl Fn(&RoaringBitmap) -> bool) -> bool {
        let Some(of) = self.ground.world.accounts.get(account.0 as usize) else { return true };
        let organization = self.ground.world.organization.as_ref();
        let manages =
            organization.is_some_and(|organization| organization.may_be_managed_by(&of.id));
        let let_in = self.index.letting_in_account(&of.id);
        manages || !within(&let_in)
    }

    /// Whether control policies leave an actor at least as free as another user or role of its
    /// account, in the organization as it has come to be for the actor.
    fn leaves_as_free(&self, actor: &Actor<'_, '_>, other: ObjectId, made: &[Object]) -> bool {
        let edits = actor.view.edits.organization.iter().copied().map(Edit::Organization);
        let edits = Edits::of(edits);
        let Some(other) = Actor::new(self, self.view(&edits, made), other) else { return false };
        if other.caller_arn().is_none_or(|arn| self.index.is_mapped(arn)) {
            return false;
        }
        let check = Check::of_nothing();
        let own = actor.context("sts:getcalleridentity", &check);
        let others = other.context("sts:getcalleridentity", &check);
        let service = actor.applicable.service_control.iter().flatten();
        let world = self.ground.world;
        service
            .filter_map(|in_force| in_force.policy.ok())
            .chain(self.resource_control.iter().filter_map(|at| world.policy(*at)))
            .all(|policy| OfCaller::leaves_as_free(policy, &own, &others))
    }

    /// Whether all that is found through an object of an account is of the account, and the users and
    /// roles are among these.
    fn leads_only_to(&self, object: u32, those: &RoaringBitmap, account: AccountIndex) -> bool {
        let is_none = |id: &ObjectId| {
            let of = self.ground.world.objects.get(id.0 as usize);
            of.is_some_and(|of| {
                let is_principal = matches!(&*of.kind, "iam:user" | "iam:role");
                of.account == account && (!is_principal || those.contains(id.0))
            })
        };
        self.found_from(ObjectId(object)).is_some_and(|found| found.iter().all(is_none))
    }

    /// The objects whose own policies may let in principals of an account and tell them apart by
    /// condition keys or by their having signed in with MFA.
    fn telling_apart_in(&self, account: AccountIndex) -> RoaringBitmap {
        let account = self.ground.world.accounts.get(account.0 as usize);
        let none = RoaringBitmap::new();
        let asking = self.asking_for_mfa().unwrap_or(&none);
        self.index.telling_apart_of(account.map_or("", |account| &account.id), asking)
    }

    /// The ARN of a user or role that the attacker makes.
    fn arn_of_new(&self, account: AccountIndex, kind: &str, name: &str) -> Arc<str> {
        let account = self.ground.world.accounts.get(account.0 as usize);
        let (partition, id) = account.map_or(("aws", ""), |of| (&*of.partition, &*of.id));
        let kind = kind.trim_start_matches("iam:");
        format!("arn:{partition}:iam::{id}:{kind}/{name}").into()
    }
}
