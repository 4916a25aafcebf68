//! Finding somebody for the calls of a rule that its first caller cannot make: somebody whom a start
//! that needs the help acts as too.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::{HashMap, HashSet};
use rayon::prelude::*;
use roaring::RoaringBitmap;

use super::fact::Fact;
use super::fixpoint::{Help, Reachability};
use super::untried::{Untried, position};
use crate::residual::Residual;
use crate::snapshot::{AccountIndex, ObjectId};
use crate::technique::{Actions, HelpNumber, LetIn};

/// The help asked for, and who is to be tried.
#[derive(Debug, Default)]
pub(super) struct Helping {
    numbers: Vec<Option<HelpNumber>>,
    /// By rule and group.
    needed: BTreeMap<(usize, usize), Actions>,
    /// By variant: the help that it needs.
    asked_by: HashMap<usize, BTreeSet<usize>>,
    /// By start.
    asked: HashMap<u32, Asked>,
    /// Who could give each help at most.
    givers: Vec<LetIn>,
    /// By rule and group: all of them.
    of_group: BTreeMap<(usize, usize), RoaringBitmap>,
    /// Variants and helps that some start has together and that are not tried yet.
    untried: Untried,
    tried: HashSet<(usize, usize)>,
}

/// The help that those need whom a start acts as.
#[derive(Debug, Default)]
struct Asked {
    all: RoaringBitmap,
    /// What principals of each account could give.
    of: BTreeMap<AccountIndex, RoaringBitmap>,
    /// What anybody could.
    of_anybody: RoaringBitmap,
}

impl Reachability<'_, '_> {
    /// The position of a help, which a variant asks for from now on.
    pub(super) fn ask_for_help(&mut self, variant: usize, help: Help) -> usize {
        let next = self.help.len();
        let id = *self.help_ids.entry(help.clone()).or_insert(next);
        if id == next {
            self.helping.numbers.push(self.search.help_number(&help));
            self.helping.givers.push(self.search.givers(&help, &self.made));
            let group = (help.rule, help.group);
            self.helping.of_group.entry(group).or_default().insert(position(id));
            self.help.push(help);
        }
        if self.helping.asked_by.entry(variant).or_default().insert(id) {
            let acts = self.derivations.facts.find(&Fact::Acts(variant));
            let starts = acts.and_then(|acts| self.derivations.starts(acts)).cloned();
            starts.iter().flatten().for_each(|start| self.need_help(start, id));
        }
        id
    }

    /// Notes that a start acts as a variant, and needs the help that it asks for.
    pub(super) fn need_help_of(&mut self, start: u32, variant: usize) {
        let asked = self.helping.asked_by.get(&variant).cloned();
        asked.iter().flatten().for_each(|help| self.need_help(start, *help));
    }

    fn need_help(&mut self, start: u32, help: usize) {
        let asked = self.helping.asked.entry(start).or_default();
        if !asked.all.insert(position(help)) {
            return;
        }
        let givers = self.helping.givers.get(help).cloned().unwrap_or(LetIn::Anybody);
        match &givers {
            LetIn::Anybody => _ = asked.of_anybody.insert(position(help)),
            LetIn::Accounts(accounts) => {
                for account in accounts {
                    asked.of.entry(*account).or_default().insert(position(help));
                }
            }
        }
        let at = start as usize;
        let having = self.having.get(at);
        let mut able = having.map(|h| h.let_in(&givers)).unwrap_or_default();
        for object in self.objects_of_help(help) {
            able.extend(self.beside(at, object).iter().copied().map(position));
        }
        self.helping.untried.add_variants(help, &able);
    }

    /// Notes that a start acts as a variant, which may help.
    ///
    /// - `about`: whether it may help with something about these objects only.
    pub(super) fn may_help(&mut self, start: u32, variant: usize, about: Option<&[ObjectId]>) {
        let by = self.variants.get(variant).and_then(|variant| self.object(variant.principal));
        let account = by.filter(|by| by.symbolic().is_none()).map(|by| by.account);
        let Some(asked) = self.helping.asked.get(&start) else { return };
        let of_account = account.map(|account| asked.of.get(&account));
        let all = match of_account {
            Some(of_account) => [of_account, Some(&asked.of_anybody)],
            None => [Some(&asked.all), None],
        };
        for helps in all.into_iter().flatten() {
            let Some(about) = about else {
                self.helping.untried.add_all(variant, helps);
                continue;
            };
            let near = |help: &u32| {
                let help = self.help.get(*help as usize);
                let objects = help.map_or(&[][..], |help| &help.binding.objects);
                objects.iter().any(|object| about.contains(object))
            };
            let helps = helps.iter().filter(near).collect();
            self.helping.untried.add_all(variant, &helps);
        }
    }

    fn objects_of_help(&self, help: usize) -> Vec<ObjectId> {
        self.help.get(help).map(|help| help.binding.objects.clone()).unwrap_or_default()
    }

    /// `helped(help) <- acts(variant)` for everyone who can make the calls of a further group.
    pub(super) fn helpers(&mut self) -> bool {
        // By variant: whoever can help with one binding mostly can with others.
        let mut wanted: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (variant, helps) in self.helping.untried.take() {
            let Some(actions) = self.expanded_actions.get(&variant) else {
                // Not decided yet what it can do: later.
                self.helping.untried.add_all(variant, &helps);
                continue;
            };
            for ((rule, group), of_group) in &self.helping.of_group {
                let needed = self.helping.needed.entry((*rule, *group));
                let needed = needed.or_insert_with(|| self.search.actions_needed(*rule, *group));
                if !needed.is_subset(actions) {
                    continue;
                }
                for help in (&helps & of_group).into_iter().map(|help| help as usize) {
                    if self.helping.tried.insert((variant, help)) {
                        wanted.entry(variant).or_default().push(help);
                    }
                }
            }
        }
        let mut found: Vec<(usize, usize, Residual)> = wanted
            .par_iter()
            .filter_map(|(at, helps)| {
                let variant = self.variants.get(*at)?;
                let mut helps: Vec<(usize, &Help)> =
                    helps.iter().filter_map(|id| Some((*id, self.help.get(*id)?))).collect();
                helps.sort_by_key(|(_, help)| (help.rule, help.group));
                let number = |id: usize| self.helping.numbers.get(id).copied().flatten();
                let asked: Vec<_> = helps.iter().map(|(id, help)| (number(*id), *help)).collect();
                let left = self.search.help(variant, &self.made, &asked);
                let found = helps.into_iter().zip(left);
                let found = found.filter(|(_, residual)| !residual.is_false());
                Some(found.map(|((id, _), residual)| (id, *at, residual)).collect::<Vec<_>>())
            })
            .flatten_iter()
            .collect();
        found.sort_unstable_by_key(|(help, variant, _)| (*help, *variant));
        for (help, variant, residual) in found {
            self.conclude(variant, residual, Fact::Helped(help), &[]);
        }
        !wanted.is_empty()
    }
}
