//! In which Regions a rule is tried. Something can be made where nothing was collected as well: the
//! caller chooses the endpoint. Of those Regions only the ones count that policies tell from where
//! something was collected, for the better.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::HashMap;

use super::actor::Actor;
use super::index::Index;
use super::rule::{Part, Rule};
use super::search::Search;
use crate::authorization::{InForce, default_region, holds_for, regions};
use crate::pattern::Pattern;
use crate::policy::{Condition, Effect, Policy, Statement};
use crate::residual::Residual;
use crate::snapshot::{Account, AccountIndex, DocumentId, World};

/// A set of Regions, by position.
type Set = u128;

/// The Regions that there are, and in which of them statements let calls succeed sooner.
#[derive(Debug, Default)]
pub(super) struct Regions {
    /// At most as many as a [`Set`] has room for.
    names: Vec<Arc<str>>,
    /// By partition, those that every account can use.
    of_partitions: BTreeMap<Arc<str>, Vec<usize>>,
    /// By document: statements, each with a set of Regions in which a call is better off than in
    /// the others.
    favoured: HashMap<DocumentId, Box<[(usize, Set)]>>,
    /// The same of resources' own policies, by what they ask.
    by_resources: Vec<Set>,
}

impl Regions {
    /// Looks through the policies of a world.
    pub(super) fn of(world: &World, index: &Index) -> Self {
        let mut out = Self::default();
        let of_partition = |account: &Account| regions(&account.partition).iter().copied();
        let collected = world.accounts.iter().flat_map(|account| account.regions.iter());
        for name in world.accounts.iter().flat_map(of_partition).chain(collected.map(|r| &**r)) {
            let room = out.names.len() < Set::BITS as usize;
            if room && !out.names.iter().any(|known| **known == *name) {
                out.names.push(name.into());
            }
        }
        for account in &world.accounts {
            if !out.of_partitions.contains_key(&account.partition) {
                let known = of_partition(account).filter_map(|name| out.position(name)).collect();
                out.of_partitions.insert(account.partition.clone(), known);
            }
        }
        // The same Regions recur in every policy.
        let mut known: HashMap<&str, Set> = HashMap::default();
        for (id, document) in (0..).map(DocumentId).zip(&world.documents) {
            let Ok(policy) = &document.policy else { continue };
            let mut favoured: Vec<(usize, Set)> = Vec::new();
            for (at, statement) in policy.statements().iter().enumerate() {
                let allows = statement.effect() == Effect::Allow;
                let inside = allows != statement.resources_negated();
                for region in regions_in(statement) {
                    let set = *known.entry(region).or_insert_with(|| {
                        let pattern = Pattern::glob(region, false);
                        out.set_where(|name| pattern.matches(name))
                    });
                    favoured.push((at, if inside { set } else { !set }));
                }
                favoured.extend(out.asked_by(statement).map(|set| (at, set)));
            }
            favoured.dedup();
            if !favoured.is_empty() {
                out.favoured.insert(id, favoured.into());
            }
        }
        let own = index.own_documents().filter_map(|document| world.policy(document));
        let asked = own
            .flat_map(Policy::statements)
            .flat_map(|statement| out.asked_by(statement).chain(out.of_sources(statement)));
        let asked: BTreeSet<Set> = asked.collect();
        Self { by_resources: asked.into_iter().collect(), ..out }
    }

    /// Where a call is better off by what a statement asks of its Region.
    fn asked_by(&self, statement: &Statement) -> impl Iterator<Item = Set> {
        let allows = statement.effect() == Effect::Allow;
        let asks = |condition: &&Condition| {
            matches!(&*condition.key_lowercase, "aws:requestedregion" | "ec2:region")
        };
        statement.conditions().iter().filter(asks).map(move |condition| {
            let met = |name: &Arc<str>| !matches!(holds_for(condition, name), Residual::False);
            let set = self.set_where(met);
            if allows { set } else { !set }
        })
    }

    /// The Regions of what an allow statement lets a service act for.
    fn of_sources(&self, statement: &Statement) -> impl Iterator<Item = Set> {
        let allows = statement.effect() == Effect::Allow;
        let asks =
            move |condition: &&Condition| allows && *condition.key_lowercase == *"aws:sourcearn";
        let named = statement.conditions().iter().filter(asks).flat_map(Condition::templates);
        named.filter_map(|template| region_in(template.text())).map(move |region| {
            let pattern = Pattern::glob(region, false);
            self.set_where(|name| pattern.matches(name))
        })
    }

    fn set_where(&self, fits: impl Fn(&Arc<str>) -> bool) -> Set {
        let fitting = self.names.iter().enumerate().filter(|(_, name)| fits(name));
        fitting.fold(0, |set, (at, _)| set | 1 << at)
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| **known == *name)
    }

    /// Regions of a partition besides these in which a call may be better off than in each of them.
    fn better(&self, partition: &str, from: &[Arc<str>], favoured: &[Set]) -> Vec<Arc<str>> {
        let mut tried: Vec<usize> = from.iter().filter_map(|name| self.position(name)).collect();
        let mut out = Vec::new();
        for at in self.of_partitions.get(partition).into_iter().flatten().copied() {
            let is_as_good = |other: &usize| {
                favoured.iter().all(|set| set >> at & 1 == 0 || set >> other & 1 == 1)
            };
            if !tried.iter().any(is_as_good) {
                tried.push(at);
                out.extend(self.names.get(at).cloned());
            }
        }
        out
    }
}

/// The Regions in a statement's resources, wildcards among them; none where it is any Region.
fn regions_in(statement: &Statement) -> impl Iterator<Item = &str> {
    statement.resources().iter().filter_map(|resource| region_in(resource.text()))
}

/// The Region in an ARN or a pattern for some; none where it is any Region.
fn region_in(arn: &str) -> Option<&str> {
    let mut parts = arn.split(':');
    let region = (parts.next() == Some("arn")).then(|| parts.nth(2)).flatten()?;
    (!region.is_empty() && region != "*" && !region.contains('$')).then_some(region)
}

impl Rule {
    /// Whether it hangs on the Region in which the step happens: something is made there, or tokens
    /// are asked for, of which there is an endpoint everywhere.
    ///
    /// Implements <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_region-endpoints.html>.
    fn hangs_on_region(&self, kinds: &escalade_models::ResourceKinds) -> (bool, bool) {
        let in_form = |kind: &str| kinds.get(kind).is_some_and(|k| k.arn.contains("{region}"));
        let mut calls = self.calls.iter();
        let regional = self.new.iter().any(|new| in_form(&new.kind))
            || calls.any(|call| {
                call.resources.iter().chain(&call.sources).any(|e| e.0.contains(&Part::Region))
            });
        let tokens = self.calls.iter().any(|call| call.action_lowercase.starts_with("sts:"));
        (regional, tokens)
    }
}

impl Search<'_> {
    /// The Regions in which a rule is tried for an actor: those that were collected, and those in
    /// which policies favour it. One stands for all where it does not hang on the Region.
    pub(crate) fn regions_for(
        &self,
        actor: &Actor<'_, '_>,
        account: AccountIndex,
        rule: &Rule,
    ) -> Vec<Arc<str>> {
        let (regional, tokens) = rule.hangs_on_region(self.kinds);
        let accounts = &self.ground.world.accounts;
        let Some(own) = accounts.get(account.0 as usize) else {
            // Who calls from outside does so in the snapshot's partition.
            let first = accounts.first().map_or("aws", |account| &account.partition);
            return vec![default_region(first).into()];
        };
        let mut out: Vec<Arc<str>> = match own.regions.as_slice() {
            collected @ [_, ..] if regional => collected.to_vec(),
            _ => vec![default_region(&own.partition).into()],
        };
        if !(regional || tokens) {
            return out;
        }
        let known = &self.regions;
        let mut favoured = known.by_resources.clone();
        // Who brings a token is bound by no policy of its own.
        let policies = actor.applicable.of_caller().filter(|_| !rule.is_by_token());
        let documents = policies
            .filter_map(|in_force: &InForce<'_>| self.ground.document_of(in_force.policy.ok()?));
        for document in documents {
            for (statement, set) in known.favoured.get(&document).into_iter().flatten() {
                let is_about = |action| self.index.is_about(document, *statement, action);
                let mut actions = rule.calls_of(0).flat_map(|call| {
                    let besides = call.besides.iter().map(|besides| besides.action_bit);
                    besides.chain([call.action_bit])
                });
                let about = actions.any(|action| is_about(action) == Some(true));
                if about && !favoured.contains(set) {
                    favoured.push(*set);
                }
            }
        }
        if !favoured.is_empty() {
            let better = known.better(&own.partition, &out, &favoured);
            out.extend(better);
        }
        out
    }
}
