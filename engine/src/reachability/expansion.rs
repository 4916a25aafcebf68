//! Deciding what those can do whom somebody has newly come to act as.

use rayon::prelude::*;
use roaring::RoaringBitmap;

use super::derivations::{Level, less};
use super::fact::Fact;
use super::fixpoint::Reachability;
use super::queue::Queue;
use crate::residual::Residual;
use crate::technique::{Actions, Outcome, Select, WaysOut};

/// How a variant is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// Over everything.
    Whole,
    /// Over what is a step ahead for who is on the way to another account.
    Out,
    /// Over what may treat it unlike others that are alike.
    Apart,
}

impl Reachability<'_, '_> {
    /// Decides what every principal that somebody newly acts as can do: first whether it is an
    /// administrator, or makes the call that is asked for, since that settles most starts; then its
    /// calls. Returns whether anything was
    /// done.
    pub(super) fn expand(&mut self, level: Level) -> bool {
        let stopped = self.stopped();
        let ready = self.take_ready(&stopped, |this| &mut this.unjudged, |_, _| true);
        if !ready.is_empty() {
            let judged: Vec<(usize, Residual, Residual)> = ready
                .par_iter()
                .filter_map(|at| self.variants.get(*at).map(|variant| (*at, variant)))
                .map(|(at, variant)| {
                    let administers = self.search.administrator(variant, &self.made);
                    (at, administers, self.calls(variant))
                })
                .collect();
            for (variant, administers, calls) in judged {
                let level_of_call = self.search.level(&calls, &[]).map(|(level, _)| level);
                let surely = level_of_call == Some(Level::Certain);
                self.note_end(variant, administers.is_true(), surely);
                // What is only tried apart is another variant's as well.
                if self.variants.get(variant).is_some_and(|variant| !variant.special) {
                    if administers.is_true() {
                        self.note_unconditional(variant, level);
                    }
                    self.administrator(variant, administers);
                }
                self.conclude(variant, calls, Fact::Called, &[]);
            }
            ready.into_iter().for_each(|variant| self.pending.add(variant));
            return true;
        }
        self.arrive(level);
        let stopped = self.stopped();
        let ready = self.take_ready(
            &stopped,
            |this| &mut this.pending,
            |this, variant| {
                let in_part = this.stand_ins.partial.contains(&variant);
                let outward = this.stand_ins.outward.contains_key(&variant);
                (!in_part || this.acts_itself(variant, &stopped))
                    && !(outward && this.only_passes(variant, &stopped))
            },
        );
        let (last, ready): (Vec<usize>, Vec<usize>) =
            ready.into_iter().partition(|at| self.awaits_stand_in(*at, &stopped));
        let mut busy = self.expand_all(ready, &stopped);
        busy |= self.changed_principals();
        busy |= self.made_objects();
        busy |= self.domain_administrators();
        busy |= self.helpers();
        busy |= self.rewritten_trust(level);
        busy |= self.join_groups();
        busy |= self.changed_resources(level, busy);
        busy = busy || self.roles_for_tokens() || self.roles_for_services();
        if busy || self.act_with_late_lifts() || self.wait_no_longer() {
            last.into_iter().for_each(|variant| self.pending.add(variant));
            return true;
        }
        self.expand_all(last, &stopped)
    }

    /// Whether a variant is better left until nothing else is found: all who are followed and act
    /// as it administer its account, so that somebody may come to stand in for it.
    fn awaits_stand_in(&mut self, variant: usize, stopped: &RoaringBitmap) -> bool {
        let principal = self.variants.get(variant).map(|variant| variant.principal);
        let account = principal.and_then(|id| self.object(id)).map(|object| object.account);
        let acts = self.derivations.facts.find(&Fact::Acts(variant));
        let starts =
            acts.and_then(|acts| self.derivations.starts(acts)).map(|all| less(all, stopped));
        let administering = account.and_then(|account| self.stand_ins.administering(account));
        let administered = starts.zip(administering).is_some_and(|(all, by)| all.is_subset(by));
        administered
            && !self.stand_ins.is_unconditional(variant)
            && self.acts_itself(variant, stopped)
    }

    /// Decides what these variants can do. Returns whether there were any.
    fn expand_all(&mut self, ready: Vec<usize>, stopped: &RoaringBitmap) -> bool {
        let wanted = self.whole_or_apart(ready, stopped);
        type Expansion = (usize, Option<WaysOut>, Actions, Vec<Outcome>);
        let expansions: Vec<Expansion> = wanted
            .par_iter()
            .filter_map(|(at, how)| Some((*at, self.variants.get(*at)?, how)))
            .map(|(at, variant, how)| {
                let ways_out = match how {
                    How::Out => self.search.ways_out(variant, &self.made),
                    How::Whole | How::Apart => None,
                };
                let select = match (how, &ways_out) {
                    (How::Apart, _) => Select::Apart,
                    (How::Out, Some(ways_out)) => Select::Out(ways_out),
                    (How::Whole | How::Out, _) => Select::All,
                };
                let (actions, outcomes) = self.search.outcomes(variant, &self.made, select);
                (at, ways_out, actions, outcomes)
            })
            .collect();
        let busy = !expansions.is_empty();
        for (variant, ways_out, actions, outcomes) in expansions {
            match ways_out {
                Some(ways_out) => {
                    self.note_outward(variant, ways_out);
                    self.pending.add_asleep(variant);
                }
                None => _ = self.stand_ins.outward.remove(&variant),
            }
            self.expanded.insert(variant);
            // Once more if it has been tried in part before.
            self.in_order.push(variant);
            if self.search.edits_principals(&actions) {
                self.editors.insert(variant);
            }
            self.expanded_actions.insert(variant, actions);
            self.record(variant, outcomes, &[]);
        }
        busy
    }

    /// How each variant is tried: over everything if somebody who is followed acts as it for whom
    /// nobody stands in, or over the ways out of its account if all of them look for something
    /// elsewhere; otherwise over what may treat it unlike its stand-in. What has been tried in part
    /// only waits for somebody else to act as it.
    fn whole_or_apart(&mut self, ready: Vec<usize>, stopped: &RoaringBitmap) -> Vec<(usize, How)> {
        let mut out = Vec::new();
        for variant in ready {
            let special = self.variants.get(variant).is_some_and(|variant| variant.special);
            if self.acts_itself(variant, stopped) {
                self.stand_ins.partial.remove(&variant);
                let out_only = !special && self.only_passes(variant, stopped);
                out.push((
                    variant,
                    match (special, out_only) {
                        (true, _) => How::Apart,
                        (_, true) => How::Out,
                        _ => How::Whole,
                    },
                ));
                continue;
            }
            self.stand_ins.partial.insert(variant);
            self.pending.add_asleep(variant);
            if !self.told_apart(variant).is_empty() {
                out.push((variant, How::Apart));
            }
        }
        out
    }

    /// Takes out the variants that somebody who is still followed acts as, of those that are wanted.
    /// The others stay: another start may come to act as them later.
    fn take_ready(
        &mut self,
        stopped: &RoaringBitmap,
        which: impl Fn(&mut Self) -> &mut Queue,
        wanted: impl Fn(&mut Self, usize) -> bool,
    ) -> Vec<usize> {
        let mut ready = Vec::new();
        for variant in which(self).look() {
            let acts = self.derivations.facts.find(&Fact::Acts(variant));
            let starts = acts.and_then(|fact| {
                Some(self.derivations.going_on(fact, self.derivations.starts(fact)?))
            });
            if starts.is_some_and(|starts| !starts.is_subset(stopped)) && wanted(self, variant) {
                which(self).remove(variant);
                ready.push(variant);
            }
        }
        ready
    }
}
