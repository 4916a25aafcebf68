//! Ways out of an account. Who administers an account and looks for something in another one can
//! have whatever is in it: that is no step ahead unless something elsewhere treats it unlike the
//! administrator.

use std::collections::BTreeSet;
use std::sync::Arc;

use foldhash::HashMap;
use roaring::RoaringBitmap;

use super::actor::Actor;
use super::check::Check;
use super::gain::{Gained, NewAs, new_principal};
use super::new_names::PLAIN;
use super::object_sets::OfKind;
use super::rule::Rule;
use super::search::Search;
use crate::authorization::{ANY_CALL, Caller, Edit, Edits, OfCaller};
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

/// The users and roles of an account.
struct Inside {
    account: AccountIndex,
    users: RoaringBitmap,
    roles: RoaringBitmap,
    /// Those of the roles that are linked to services.
    linked: RoaringBitmap,
    /// By principal: the objects that may treat it unlike others.
    told_apart: HashMap<u32, Arc<RoaringBitmap>>,
    /// The positions of the account's objects: the first, and the one behind the last.
    place: (u32, u32),
}

impl Inside {
    /// Whether all of these objects are the account's.
    fn has(&self, objects: &RoaringBitmap) -> bool {
        let (first, last) = self.place;
        objects.min().is_none_or(|min| min >= first) && objects.max().is_none_or(|max| max < last)
    }

    fn told_apart(&self, principal: u32) -> Option<&RoaringBitmap> {
        self.told_apart.get(&principal).map(|objects| &**objects)
    }

    /// Whether an object of another account may treat a principal unlike others.
    fn is_told_abroad(&self, principal: u32) -> bool {
        self.told_apart(principal).is_none_or(|objects| !self.has(objects))
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
            Gained::Edited(edit) => edit.subject().is_none_or(|object| {
                let tagged = edit.tagged_principal().is_some();
                !ways_out.idle(tagged).contains(object.0)
            }),
            // A user of an OpenSearch domain leads where the domain does.
            Gained::Principal(new) if new.kind.starts_with("opensearch:") => {
                let domain = new.attribute("domain").unwrap_or_default();
                let by_arn = &self.ground.world.by_arn;
                domain.iter().filter_map(|arn| by_arn.get(arn)).any(|id| !is_idle(id))
            }
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
            || rule.begins_with_token()
            || self.starts_abroad(rule)
            || rule.slots.iter().any(|slot| self.unlisted.contains_key(&slot.kind))
    }

    /// Whether objects of other accounts may be within reach because a rule finds something of one's
    /// own through them: code whose image is in a repository here.
    fn starts_abroad(&self, rule: &Rule) -> bool {
        let world = self.ground.world;
        rule.slots.iter().zip(&rule.anchors).any(|(slot, anchors)| {
            let of_kind = self.index.objects.of_kind(&slot.kind);
            let leads = |of: &OfKind| {
                anchors.iter().any(|anchor| of.leading_to(world, &anchor.path).is_abroad())
            };
            of_kind.is_some_and(leads)
        })
    }

    /// The ways out of its account for a variant that administers it without condition. `None` if
    /// it is no user or role of an account, or policies look at more of it than is looked at here.
    ///
    /// A principal of the account is one if another account's object may treat it unlike the
    /// variant, if control policies leave it freer or could with tags, or if one that is names it.
    /// A resource is one if such a principal is found through it. The variant needs everything else
    /// there for nothing but these.
    pub fn ways_out(&self, variant: &Variant, made: &[Object]) -> Option<WaysOut> {
        let object = self.ground.object(made, variant.principal)?;
        let account = object.account;
        if object.symbolic().is_some() || self.endpoints_tell_apart {
            return None;
        }
        let actor = Actor::new(self, self.view(&variant.edits, made), variant.principal)?;
        if !matches!(actor.caller, Caller::User(_) | Caller::Role(_)) {
            return None;
        }
        let inside = self.inside(account);
        let has_exits = self.has_exits(&inside);
        let mut worth = self.principals_ahead(&actor, &inside, has_exits);
        let more = !worth.is_empty();
        // What no control policy binds and nobody can change.
        if has_exits {
            worth |= &inside.linked;
        }
        let idle = self.idle_of(&inside, &worth, more);
        let mut idle_tagged = idle.clone();
        if has_exits {
            idle_tagged.remove(variant.principal.0);
        }
        let let_in = self.letting_in(variant.principal, made).unwrap_or_default();
        let kinds_where = |holds: &dyn Fn(&OfKind) -> bool| -> BTreeSet<Arc<str>> {
            let kinds = self.index.objects.kinds();
            kinds.filter(|(_, of)| holds(of)).map(|(kind, _)| kind.clone()).collect()
        };
        let abroad = |of: &OfKind| !inside.has(&(&let_in & &of.all));
        let of_use = |of: &OfKind| !of.beside(Some(account)).is_subset(&idle_tagged);
        let new_principals = more
            || !inside.has(&self.telling_apart_in(account))
            || has_exits && !self.leaves_new_as_free(&actor, account);
        Some(WaysOut {
            account,
            kinds: kinds_where(&|of| of_use(of) || abroad(of)),
            kinds_abroad: kinds_where(&abroad),
            idle,
            idle_tagged,
            has_other_principals: more,
            has_exits,
            new_principals,
        })
    }

    fn inside(&self, account: AccountIndex) -> Inside {
        let of = |kind| self.index.objects.of_kind(kind).and_then(|of| of.of_account(account));
        let own = |kind| of(kind).cloned().unwrap_or_default();
        let (users, roles) = (own("iam:user"), own("iam:role"));
        let is_linked = |id: &u32| {
            let object = self.ground.world.objects.get(*id as usize);
            object.is_some_and(Object::is_service_linked)
        };
        let told_apart = (&users | &roles)
            .iter()
            .map(|id| (id, self.telling_apart_with(ObjectId(id), users.contains(id), &[])))
            .collect();
        let linked = roles.iter().filter(is_linked).collect();
        let place = self.ground.world.objects_of(account);
        Inside { account, users, roles, linked, told_apart, place }
    }

    /// The users and roles of an account that are a step ahead for one that administers it, without
    /// this one and those that are linked to services.
    fn principals_ahead(
        &self,
        actor: &Actor<'_, '_>,
        inside: &Inside,
        has_exits: bool,
    ) -> RoaringBitmap {
        let own = actor.principal.0;
        // Others may be given tags that this one cannot give itself.
        let by_tags = self.ground.tag_keys().asks_every_caller_for_some();
        let is_freer =
            |id: u32| by_tags || !self.leaves_as_free(actor, ObjectId(id), actor.view.made);
        let is_ahead = |id: &u32| inside.is_told_abroad(*id) || (has_exits && is_freer(*id));
        let free = &inside.users | (&inside.roles - &inside.linked);
        let mut worth: RoaringBitmap = free.iter().filter(is_ahead).collect();
        if self.controls_ask_for_sessions && has_exits {
            worth |= match inside.users.contains(own) {
                true => &inside.roles - &inside.linked,
                false if actor.view.may_have_mfa(actor.principal) => inside.users.clone(),
                // Others may have MFA that this one cannot have.
                false => free.clone(),
            };
        }
        worth.remove(own);
        if worth.is_empty() {
            return worth;
        }
        // Whom something treats unlike this one that is needed for these.
        let mut others = (&inside.users | &inside.roles) - &worth;
        loop {
            let matters = |object: u32| !inside.roles.contains(object) || worth.contains(object);
            let is_told = |id: &u32| inside.told_apart(*id).is_none_or(|of| of.iter().any(matters));
            let found: RoaringBitmap = others.iter().filter(is_told).collect();
            if found.is_empty() {
                return worth;
            }
            others -= &found;
            worth |= found;
        }
    }

    /// The objects of an account that are no step ahead.
    ///
    /// - `worth`: the users and roles that are one; `more`: whether these are more than what is
    ///   linked to services.
    fn idle_of(&self, inside: &Inside, worth: &RoaringBitmap, more: bool) -> RoaringBitmap {
        let principals = (&inside.users | &inside.roles) - worth;
        let mut idle = principals.clone();
        for (kind, of_kind) in self.index.objects.kinds() {
            if matches!(&**kind, "iam:user" | "iam:role") || self.is_for_each(kind) {
                continue;
            }
            let Some(own) = of_kind.of_account(inside.account) else { continue };
            match kind.starts_with("iam:") {
                // What they are members of or have attached is not told apart.
                true if more => {}
                true => idle |= own,
                false => {
                    let leads_nowhere =
                        |id: &u32| self.leads_only_to(*id, &principals, inside.account);
                    idle |= own.iter().filter(leads_nowhere).collect::<RoaringBitmap>();
                }
            }
        }
        idle
    }

    /// Whether control policies leave an actor as free as any user or role that is made in its account,
    /// by whatever name.
    fn leaves_new_as_free(&self, actor: &Actor<'_, '_>, account: AccountIndex) -> bool {
        ["iam:user", "iam:role"].into_iter().map(Arc::from).all(|kind: Arc<str>| {
            let asked = self.names_of_new(&kind, account);
            let names = asked.iter().map(|name| &**name).chain([PLAIN]);
            names.filter_map(|name| self.arn_of_new(&kind, account, name)).all(|arn| {
                let new = new_principal(&kind, arn, account, NewAs::Free(None));
                self.leaves_as_free(actor, self.ground.next_made(0), &[new])
            })
        })
    }

    /// Whether principals of an account reach anything of another one at all: something there may let
    /// in some of them, or the account is one from which the organization is managed.
    fn has_exits(&self, inside: &Inside) -> bool {
        let account = self.ground.world.accounts.get(inside.account.0 as usize);
        let Some(id) = account.map(|account| &account.id) else { return true };
        let organization = self.ground.world.organization.as_ref();
        organization.is_some_and(|organization| organization.may_be_managed_by(id))
            || !inside.has(&self.index.letting_in_account(id))
            || inside.told_apart.keys().any(|principal| inside.is_told_abroad(*principal))
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
        let own = actor.context(ANY_CALL, &check);
        let others = other.context(ANY_CALL, &check);
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
}
