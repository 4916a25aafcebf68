//! Variants, and changes of resources or help that is asked for, that some start has together and that
//! are not tried yet. Many starts have the same, so that they are kept as sets.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

/// Pairs of variants and what is to be tried with them, by position.
#[derive(Debug, Default)]
pub(super) struct Untried {
    with: BTreeMap<usize, RoaringBitmap>,
    by_variant: BTreeMap<usize, RoaringBitmap>,
}

impl Untried {
    /// Notes a pair.
    pub(super) fn insert(&mut self, variant: usize, with: usize) {
        self.by_variant.entry(variant).or_default().insert(position(with));
    }

    /// Notes something with several variants.
    pub(super) fn add_variants(&mut self, with: usize, variants: &RoaringBitmap) {
        if !variants.is_empty() {
            *self.with.entry(with).or_default() |= variants;
        }
    }

    /// Notes a variant with several things.
    pub(super) fn add_all(&mut self, variant: usize, with: &RoaringBitmap) {
        if !with.is_empty() {
            *self.by_variant.entry(variant).or_default() |= with;
        }
    }

    /// Takes out everything, by variant.
    pub(super) fn take(&mut self) -> BTreeMap<usize, RoaringBitmap> {
        for (with, variants) in std::mem::take(&mut self.with) {
            for variant in variants {
                self.insert(variant as usize, with);
            }
        }
        std::mem::take(&mut self.by_variant)
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
    fn pairs_come_once_and_by_variant() {
        let mut untried = Untried::default();
        untried.add_variants(7, &RoaringBitmap::from_iter([3, 1]));
        untried.add_all(1, &RoaringBitmap::from_iter([7, 2]));
        untried.insert(3, 7);
        let expected = [(1, [2, 7].into_iter().collect()), (3, [7].into_iter().collect())];
        assert_eq!(untried.take(), BTreeMap::from(expected));
        assert_eq!(untried.take(), BTreeMap::new());
    }
}
