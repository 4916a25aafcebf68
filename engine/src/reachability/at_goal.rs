//! Where the ways of starts end: who is at its goal, and by what.

use roaring::RoaringBitmap;

use super::derivations::{EdgeId, Level, less};
use super::fact::{Fact, FactId};
use super::fixpoint::{Goal, Reachability, Variant};
use crate::residual::Residual;
use crate::snapshot::{AccountIndex, OUTSIDE};

impl Reachability<'_, '_> {
    /// Starts that need not be followed: the goal is reached and the rest is not asked for.
    pub(super) fn stopped(&self) -> RoaringBitmap {
        if self.stop_at_goal { self.arrived.clone() } else { RoaringBitmap::new() }
    }

    /// Those of some starts that are followed.
    pub(super) fn followed(&self, starts: &RoaringBitmap) -> RoaringBitmap {
        if self.stop_at_goal { less(starts, &self.arrived) } else { starts.clone() }
    }

    pub(super) fn settle(&mut self, level: Level) {
        let reached = self.at_goal();
        if let Some(settled) = self.settled.get_mut(level as usize) {
            *settled |= reached;
        }
    }

    /// The starts that are at the goal with what has been carried so far.
    fn at_goal(&self) -> RoaringBitmap {
        let of = |fact: Fact| {
            self.derivations
                .facts
                .find(&fact)
                .and_then(|fact| self.derivations.starts(fact))
                .cloned()
                .unwrap_or_default()
        };
        match &self.goal {
            Goal::OwnAdministrator => {
                let home = |start: u32| self.starts.get(start as usize).map(|start| start.home);
                let somewhere = of(Fact::AdministratorSomewhere);
                let mut out: RoaringBitmap =
                    somewhere.iter().filter(|start| home(*start) == Some(None)).collect();
                for account in 0..self.search.ground.world.accounts.len() {
                    let account = AccountIndex(account as u32);
                    let administrators = of(Fact::Administrator(account));
                    let own = |start: &u32| home(*start) == Some(Some(account));
                    out.extend(administrators.iter().filter(own));
                }
                out
            }
            Goal::Administrator(account) => of(Fact::Administrator(*account)),
            Goal::Holds(principal) => of(Fact::Holds(*principal)),
            Goal::Call(_) => of(Fact::Called),
        }
    }

    /// The strongest level at which a start reaches the goal.
    pub fn verdict(&self, start: usize) -> Option<Level> {
        Level::ALL.into_iter().find(|level| {
            self.settled.get(*level as usize).is_some_and(|set| set.contains(start as u32))
        })
    }

    /// The fact that the goal is for a start.
    pub fn goal_fact(&self, start: usize) -> Option<FactId> {
        let fact = match &self.goal {
            Goal::OwnAdministrator => match self.starts.get(start)?.home {
                Some(account) => Fact::Administrator(account),
                None => Fact::AdministratorSomewhere,
            },
            Goal::Administrator(account) => Fact::Administrator(*account),
            Goal::Holds(principal) => Fact::Holds(*principal),
            Goal::Call(_) => Fact::Called,
        };
        self.derivations.facts.find(&fact)
    }

    /// What is left to be true for whoever acts as a variant to make the call that is asked for.
    pub(super) fn calls(&self, variant: &Variant) -> Residual {
        match &self.goal {
            Goal::Call(call) => self.search.goal_call(variant, &self.made, call),
            _ => Residual::False,
        }
    }

    /// Notes for which starts the way ends with acting as a variant, since they are at the goal then
    /// whatever the environment. A way that goes on from there and comes to the goal once more is
    /// none that leads to it.
    ///
    /// - `administers`, `calls`: whether the variant is an administrator of its account, and makes the
    ///   call that is asked for, without condition.
    pub(super) fn note_end(&mut self, variant: usize, administers: bool, calls: bool) {
        if self.stop_at_goal {
            return;
        }
        let Some(of) = self.variants.get(variant) else { return };
        let Some(account) = self.object(of.principal).map(|object| object.account) else { return };
        let administers = administers && account != OUTSIDE;
        let all = 0..u32::try_from(self.starts.len()).unwrap_or(u32::MAX);
        let (starts, goal): (RoaringBitmap, Fact) = match &self.goal {
            Goal::OwnAdministrator if administers => {
                let ends = |start: &u32| {
                    let start = self.starts.get(*start as usize);
                    start.is_some_and(|start| start.home.is_none_or(|home| home == account))
                };
                (all.filter(ends).collect(), Fact::Administrator(account))
            }
            Goal::Administrator(asked) if administers && *asked == account => {
                (all.collect(), Fact::Administrator(account))
            }
            Goal::Call(_) if calls => (all.collect(), Fact::Called),
            _ => return,
        };
        let acts = self.derivations.fact(Fact::Acts(variant));
        let goal = self.derivations.fact(goal);
        self.derivations.end(acts, starts, Some(goal));
    }

    /// Notes that the way of every start ends with holding the principal that is asked for. Acting as
    /// somebody that is alike is not enough.
    pub(super) fn note_end_with_principal(&mut self) {
        if let (Goal::Holds(principal), false) = (&self.goal, self.stop_at_goal) {
            let holds = self.derivations.fact(Fact::Holds(*principal));
            let all = 0..u32::try_from(self.starts.len()).unwrap_or(u32::MAX);
            self.derivations.end(holds, all.collect(), None);
        }
    }

    /// Whether a start would have been at its goal before an edge.
    pub fn is_past_goal(&self, start: usize, edge: EdgeId) -> bool {
        let start = u32::try_from(start).unwrap_or(u32::MAX);
        self.derivations.edge(edge).is_some_and(|edge| self.derivations.is_past_end(edge, start))
    }
}
