//! Rules tried for everybody who makes calls for the attacker, one after the other, with nothing
//! looked up in advance.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::HashMap;

use super::changes::{Changes, TooMany, subjects};
use super::had::{Had, State};
use super::walk::Walk;
use crate::authorization::{Edit, Edits, View};
use crate::residual::Residual;
use crate::snapshot::{Object, ObjectId};
use crate::technique::{Actor, Binding, Mandate, Mandated, Rule, RuleCall, Search};
use crate::witness::{Sharing, rename_residual};

/// Somebody who makes calls for the attacker: a principal that he acts as, or a service with a role.
pub(super) struct Hand {
    pub(super) principal: ObjectId,
    pub(super) mandated: Option<Mandated>,
    pub(super) condition: Residual,
}

impl Hand {
    /// Whether the service that acts with the role makes these calls, where it is a service.
    pub(super) fn makes<'r>(&self, mut calls: impl Iterator<Item = &'r RuleCall>) -> bool {
        self.mandated.as_ref().is_none_or(|mandated| calls.all(|call| mandated.makes(call)))
    }
}

/// Everybody who makes calls for the attacker: services that do the same with a role count once.
pub(super) fn hands(search: &Search<'_>, state: &State) -> Vec<Hand> {
    let mut conditions: BTreeMap<(ObjectId, Option<&Mandate>), Vec<Residual>> = BTreeMap::new();
    for (had, condition) in &state.facts {
        let who = match had {
            Had::Holds(principal) => (*principal, None),
            Had::Delegated(delegation) if delegation.resources.is_empty() => {
                (delegation.role, Some(&delegation.mandate))
            }
            _ => continue,
        };
        conditions.entry(who).or_default().push(condition.clone());
    }
    conditions
        .into_iter()
        .map(|((principal, mandate), conditions)| Hand {
            principal,
            mandated: mandate.map(|mandate| Mandated::new(mandate, &search.rules)),
            condition: Residual::any(conditions),
        })
        .collect()
}

/// A rule applied to objects.
#[derive(Clone, Debug)]
pub(super) struct Application {
    pub(super) rule: usize,
    pub(super) binding: Binding,
    /// What is left of the calls' authorization, and of what had to be there before; false if it is
    /// not authorized.
    pub(super) residual: Residual,
    /// The edits in force.
    pub(super) edits: Vec<Edit>,
}

/// What a walk looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seek {
    /// Applications that may be authorized.
    Possible,
    /// Applications that objects allow, whether authorized or not, by one principal alone.
    Thinkable,
}

/// What is done with what trials come upon.
pub(super) trait Visit {
    /// Whether to try a rule.
    ///
    /// - `mentioned`: whether some policy mentions one of its calls.
    fn wants(&self, _rule: &Rule, _mentioned: bool) -> bool {
        true
    }

    /// A rule is tried: nobody can make a call that no policy mentions.
    fn tried(&mut self, _rule: usize) {}

    /// Whether nothing comes of any application of a rule that goes on from here: what all of them
    /// give is had.
    ///
    /// - `binding`: has the objects that the gains are about, and may lack others.
    fn is_had(&self, _rule: usize, _binding: &Binding) -> bool {
        false
    }

    /// A rule is applied.
    fn found(&mut self, application: Application);
}

/// Tries rules for the attacker's hands.
pub(super) struct Trials<'s, 'w> {
    pub(super) search: &'s Search<'w>,
    pub(super) state: &'s State,
    pub(super) changes: Changes,
    /// Actions that some resource's own policy allows somebody.
    granted: BTreeSet<usize>,
    pub(super) hands: Vec<Hand>,
    per_step: bool,
    pub(super) seek: Seek,
    /// Whether trust policies that the attacker has written let in services.
    pub(super) lets_in_services: bool,
    /// Who makes further calls: the same whoever made the first ones.
    pub(super) helped: RefCell<HashMap<Helped, Arc<[Way]>>>,
}

/// Further calls of a rule: rule, group of calls, what is bound, and the edits in force that are
/// not always in force.
pub(super) type Helped = (usize, usize, Binding, Vec<Edit>);

/// The formula under which calls are authorized, and the edits in force.
pub(super) type Way = (Residual, Vec<Edit>);

impl<'s, 'w> Trials<'s, 'w> {
    pub(super) fn new(
        search: &'s Search<'w>,
        state: &'s State,
        per_step: bool,
        seek: Seek,
    ) -> Self {
        Self {
            search,
            state,
            changes: Changes::of(search, state),
            granted: granted(search),
            hands: hands(search, state),
            per_step,
            seek,
            lets_in_services: true,
            helped: RefCell::default(),
        }
    }

    /// Tries rules for one of the hands.
    pub(super) fn of_hand(&self, hand: &Hand, visit: &mut dyn Visit) -> Result<(), TooMany> {
        let about = subjects(self.search, self.state, hand.principal);
        let mut worlds = self.changes.worlds(&about, true, || self.name(hand.principal))?;
        if self.seek == Seek::Thinkable {
            worlds.truncate(1);
        }
        for world in worlds {
            let edits = Edits::of(world.edits.iter().copied());
            let Some(actor) = self.actor(hand, &edits) else { continue };
            let plausible = self.plausible(&actor);
            let mentioned = |call: &RuleCall| plausible.contains(&call.action_bit);
            for (at, rule) in self.search.rules.rules.iter().enumerate() {
                if self.search.avoided.get(at).copied().unwrap_or(false)
                    || rule.groups.is_empty()
                    || !visit.wants(rule, rule.calls.iter().any(mentioned))
                {
                    continue;
                }
                let able = |call: &RuleCall| {
                    call.is_by_token()
                        || call.permission.is_some()
                        || plausible.contains(&call.action_bit)
                };
                if self.seek == Seek::Possible && !rule.calls_of(0).all(able) {
                    continue;
                }
                visit.tried(at);
                if self.seek == Seek::Possible && !hand.makes(rule.calls_of(0)) {
                    continue;
                }
                let gained_at = rule.gain_slots().last().map_or(0, |slot| slot + 1);
                let (about, visit) = (&about, &mut *visit);
                let mut walk = Walk { trials: self, hand, at, rule, gained_at, about, visit };
                let condition = hand.condition.clone().and(world.condition.clone());
                walk.places(&actor, &world.edits, condition)?;
            }
        }
        Ok(())
    }

    pub(super) fn name(&self, id: ObjectId) -> String {
        self.object(id).map(|object| object.arn.to_string()).unwrap_or_default()
    }

    pub(super) fn object(&self, id: ObjectId) -> Option<&'s Object> {
        self.search.ground.object(&self.state.made, id)
    }

    pub(super) fn view<'v>(&self, edits: &'v Edits) -> View<'v, 'w>
    where
        's: 'v,
    {
        View { ground: &self.search.ground, made: &self.state.made, edits }
    }

    /// A hand as the maker of calls.
    pub(super) fn actor<'a>(&self, hand: &'a Hand, edits: &'a Edits) -> Option<Actor<'a, 'w>>
    where
        's: 'a,
    {
        let actor = Actor::new(self.search, self.view(edits), hand.principal)?;
        Some(actor.by(hand.mandated.as_ref()))
    }

    /// The formula with the variables of one step, as a path has them.
    pub(super) fn renamed(&self, residual: &Residual, caller: ObjectId) -> Residual {
        let arn: Arc<str> = self.object(caller).map_or("".into(), |object| object.arn.clone());
        let sharing = Sharing { environment_per_step: self.per_step, ..Sharing::default() };
        rename_residual(residual, 0, &arn, sharing)
    }

    /// The actions that an actor may be allowed: those that an allow statement of its own policies,
    /// or of some resource's, is about.
    fn plausible(&self, actor: &Actor<'_, '_>) -> BTreeSet<usize> {
        let actions = self.search.rules.actions.iter().enumerate();
        if self.changes.write_policies() {
            return actions.map(|(at, _)| at).collect();
        }
        let own = |action: &str| {
            actor.applicable.identity.iter().any(|in_force| match in_force.policy {
                Ok(policy) => policy.statements().iter().any(|statement| {
                    statement.effect() == crate::policy::Effect::Allow
                        && statement.matches_action(action)
                }),
                Err(_) => true,
            })
        };
        actions
            .filter(|(at, action)| {
                // Needs no permission, whatever the policies.
                let free = matches!(&***action, "sts:getcalleridentity" | "sts:getsessiontoken");
                free || self.granted.contains(at) || own(action)
            })
            .map(|(at, _)| at)
            .collect()
    }
}

/// The actions that some resource's own policy, or some trust policy, allows somebody.
fn granted(search: &Search<'_>) -> BTreeSet<usize> {
    let world = search.ground.world;
    let mut out = BTreeSet::new();
    let edits = Edits::default();
    let view = View { ground: &search.ground, made: &[], edits: &edits };
    for at in 0..world.objects.len() {
        let id = ObjectId(u32::try_from(at).unwrap_or(u32::MAX));
        match view.own_policy(id, None) {
            crate::authorization::ResourcePolicy::Absent => {}
            crate::authorization::ResourcePolicy::Present(in_force) => match in_force.policy {
                Ok(policy) => {
                    for statement in policy.statements() {
                        if statement.effect() == crate::policy::Effect::Allow {
                            search.rules.selected_by(statement, |action| {
                                out.insert(action);
                            });
                        }
                    }
                }
                Err(_) => return (0..search.rules.actions.len()).collect(),
            },
            crate::authorization::ResourcePolicy::Unknown(_) => {
                return (0..search.rules.actions.len()).collect();
            }
        }
    }
    out
}

/// What is left of one call's authorization: each of its checks decided under all policies.
pub(super) fn call_residual(
    actor: &Actor<'_, '_>,
    rule: &Rule,
    call: &RuleCall,
    binding: &Binding,
) -> Residual {
    actor.call_decided(rule, call, binding, |actor, asked| {
        actor.decide(asked.action, asked.lowercase, &asked.check).authorized()
    })
}
