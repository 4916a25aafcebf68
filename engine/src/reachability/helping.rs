//! Finding somebody for the calls of a rule that its first caller cannot make.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::fact::Fact;
use super::fixpoint::{Help, Reachability};
use crate::residual::Residual;
use crate::technique::{Actions, HelpNumber};

/// The help asked for, and who has been tried.
#[derive(Debug, Default)]
pub(super) struct Helping {
    numbers: Vec<Option<HelpNumber>>,
    /// By rule and group: whoever can help with one binding mostly can with others.
    of_groups: BTreeMap<(usize, usize), OfGroup>,
}

/// The help asked for with one group of a rule.
#[derive(Debug)]
struct OfGroup {
    needed: Actions,
    helps: Vec<usize>,
    /// How many of these have been tried by those who are able.
    tried: usize,
    /// Those whose policies are about what is needed, by position in the order of expansion.
    able: Vec<usize>,
    /// How many of those in this order have been looked at.
    seen: usize,
}

impl Reachability<'_, '_> {
    /// The position of a help, which is asked for from now on.
    pub(super) fn ask_for_help(&mut self, help: Help) -> usize {
        if let Some(id) = self.help_ids.get(&help) {
            return *id;
        }
        let id = self.help.len();
        let group = self.helping.of_groups.entry((help.rule, help.group));
        let group = group.or_insert_with(|| OfGroup {
            needed: self.search.actions_needed(help.rule, help.group),
            helps: Vec::new(),
            tried: 0,
            able: Vec::new(),
            seen: 0,
        });
        group.helps.push(id);
        self.helping.numbers.push(self.search.help_number(&help));
        self.help_ids.insert(help.clone(), id);
        self.help.push(help);
        id
    }

    /// `helped(help) <- acts(variant)` for everyone who can make the calls of a further group.
    pub(super) fn helpers(&mut self) -> bool {
        let mut helping = std::mem::take(&mut self.helping);
        // By position in the order of expansion.
        let mut wanted: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for group in helping.of_groups.values_mut() {
            let known = group.able.len();
            let new = self.in_order.iter().enumerate().skip(group.seen);
            group.able.extend(new.filter_map(|(at, variant)| {
                let actions = self.expanded_actions.get(variant)?;
                group.needed.is_subset(actions).then_some(at)
            }));
            group.seen = self.in_order.len();
            for (number, at) in group.able.iter().enumerate() {
                let from = if number < known { group.tried } else { 0 };
                let Some(helps @ [_, ..]) = group.helps.get(from..) else { continue };
                let Some(variant) = self.in_order.get(*at).copied() else { continue };
                let helps = helps.iter().copied();
                if self.stand_ins.partial.contains(&variant) {
                    // Where nothing treats it unlike its stand-in, that one helps.
                    let apart = self.told_apart(variant);
                    let about = |help: &usize| {
                        let help = self.help.get(*help);
                        let mut objects = help.into_iter().flat_map(|h| &h.binding.objects);
                        objects.any(|object| apart.contains(object.0))
                    };
                    let helps: Vec<usize> = helps.filter(about).collect();
                    if !helps.is_empty() {
                        wanted.entry(*at).or_default().extend(helps);
                    }
                } else {
                    wanted.entry(*at).or_default().extend(helps);
                }
            }
            group.tried = group.helps.len();
        }
        let found: Vec<(usize, usize, Residual)> = wanted
            .par_iter()
            .filter_map(|(at, helps)| {
                let variant = self.variants.get(*self.in_order.get(*at)?)?;
                let helps: Vec<_> = helps
                    .iter()
                    .filter_map(|help| {
                        let number = helping.numbers.get(*help).copied().flatten();
                        Some((*help, (number, self.help.get(*help)?)))
                    })
                    .collect();
                let asked: Vec<_> = helps.iter().map(|(_, asked)| *asked).collect();
                let left = self.search.help(variant, &self.made, &asked);
                let found = helps.into_iter().zip(left);
                let found = found.filter(|(_, residual)| !residual.is_false());
                Some(found.map(|((help, _), residual)| (help, *at, residual)).collect::<Vec<_>>())
            })
            .flatten_iter()
            .collect();
        self.helping = helping;
        let mut found = found;
        found.sort_unstable_by_key(|(help, at, _)| (*help, *at));
        for (help, at, residual) in found {
            if let Some(variant) = self.in_order.get(at).copied() {
                self.conclude(variant, residual, Fact::Helped(help), &[]);
            }
        }
        !wanted.is_empty()
    }
}
