//! Variants and changes of resources that some start has together and that are not tried yet. Many
//! starts have the same, so that they are kept as sets.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

/// Pairs of variants and changes, by position.
#[derive(Debug, Default)]
pub(super) struct Untried {
    by_change: BTreeMap<usize, RoaringBitmap>,
    by_variant: BTreeMap<usize, RoaringBitmap>,
}

impl Untried {
    /// Notes a pair.
    pub(super) fn insert(&mut self, variant: usize, change: usize) {
        self.by_variant.entry(variant).or_default().insert(position(change));
    }

    /// Notes a change with several variants.
    pub(super) fn add_variants(&mut self, change: usize, variants: &RoaringBitmap) {
        if !variants.is_empty() {
            *self.by_change.entry(change).or_default() |= variants;
        }
    }

    /// Notes a variant with several changes.
    pub(super) fn add_changes(&mut self, variant: usize, changes: &RoaringBitmap) {
        if !changes.is_empty() {
            *self.by_variant.entry(variant).or_default() |= changes;
        }
    }

    /// Takes out all pairs, in order.
    pub(super) fn take(&mut self) -> Vec<(usize, usize)> {
        for (change, variants) in std::mem::take(&mut self.by_change) {
            for variant in variants {
                self.insert(variant as usize, change);
            }
        }
        let pairs = std::mem::take(&mut self.by_variant).into_iter();
        let pairs = pairs.flat_map(|(variant, changes)| {
            changes.into_iter().map(move |change| (variant, change as usize))
        });
        pairs.collect()
    }
}

/// A position as sets hold it.
pub(super) fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_come_once_and_in_order() {
        let mut untried = Untried::default();
        untried.add_variants(7, &RoaringBitmap::from_iter([3, 1]));
        untried.add_changes(1, &RoaringBitmap::from_iter([7, 2]));
        untried.insert(3, 7);
        assert_eq!(untried.take(), [(1, 2), (1, 7), (3, 7)]);
        assert_eq!(untried.take(), []);
    }
}
