//! Objects parted by something that each has one value of. A few of them are parted at their own
//! cost, not at that of all values in the world: of a thousand accounts, one has a dozen.

use std::collections::BTreeMap;

use foldhash::HashMap;
use roaring::RoaringBitmap;

/// Objects by a value.
#[derive(Debug)]
pub(super) struct Partition<V> {
    /// Each value with those that have it.
    parts: Vec<(V, RoaringBitmap)>,
    /// Where each is.
    part_of: HashMap<u32, u32>,
}

impl<V> Default for Partition<V> {
    fn default() -> Self {
        Self { parts: Vec::new(), part_of: HashMap::default() }
    }
}

impl<V: Ord> Partition<V> {
    /// Parts objects by their values. Parts are in the order of the values.
    pub(super) fn new(objects: impl Iterator<Item = (u32, V)>) -> Self {
        let mut parts: BTreeMap<V, RoaringBitmap> = BTreeMap::new();
        for (id, value) in objects {
            parts.entry(value).or_default().insert(id);
        }
        let mut out = Self { parts: parts.into_iter().collect(), part_of: HashMap::default() };
        for (at, (_, ids)) in out.parts.iter().enumerate() {
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            out.part_of.extend(ids.iter().map(|id| (id, at)));
        }
        out
    }

    /// The values with all that have each.
    pub(super) fn parts(&self) -> &[(V, RoaringBitmap)] {
        &self.parts
    }

    /// Parts some of the objects: none of the parts is empty.
    pub(super) fn split(&self, some: &RoaringBitmap) -> Vec<RoaringBitmap> {
        if self.parts.len() == 1 {
            return if some.is_empty() { Vec::new() } else { vec![some.clone()] };
        }
        if some.len() >= self.parts.len() as u64 {
            let parts = self.parts.iter().map(|(_, part)| part & some);
            return parts.filter(|part| !part.is_empty()).collect();
        }
        let mut out: BTreeMap<u32, RoaringBitmap> = BTreeMap::new();
        for id in some {
            if let Some(part) = self.part_of.get(&id) {
                out.entry(*part).or_default().insert(id);
            }
        }
        out.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ids: &[u32]) -> RoaringBitmap {
        ids.iter().copied().collect()
    }

    #[test]
    fn few_are_parted_like_many() {
        let partition = Partition::new((0..9).map(|id| (id, id % 4)));
        assert_eq!(partition.parts().len(), 4);
        assert_eq!(partition.split(&set(&[])), Vec::<RoaringBitmap>::new());
        assert_eq!(partition.split(&set(&[5, 8, 4])), [set(&[4, 8]), set(&[5])]);
        let all = [set(&[0, 4, 8]), set(&[1, 5]), set(&[2, 6]), set(&[3, 7])];
        assert_eq!(partition.split(&set(&[0, 1, 2, 3, 4, 5, 6, 7, 8])), all);
        assert_eq!(partition.split(&set(&[0, 1, 5, 8])), [set(&[0, 8]), set(&[1, 5])]);
    }

    #[test]
    fn what_is_not_parted_is_in_no_part() {
        let partition = Partition::new((0..4).map(|id| (id, id)));
        assert_eq!(partition.split(&set(&[1, 9])), [set(&[1])]);
    }

    #[test]
    fn one_part_is_everything() {
        let partition = Partition::new((0..4).map(|id| (id, ())));
        assert_eq!(partition.split(&set(&[1, 2])), [set(&[1, 2])]);
    }
}
