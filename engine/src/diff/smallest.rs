//! Smallest parts of the changes, in the sense that none of them can be left out: by delta
//! debugging, one question at a time.
//!
//! Whoever looks for one says what is to be known next, and begins anew when that is known. So many
//! are looked for side by side, and one world that is tried answers for several of them.

use std::collections::BTreeSet;

/// Changes, by position in the list.
pub(super) type Set = BTreeSet<usize>;

/// What is looked for, for one principal.
#[derive(Clone, Debug, Default)]
pub(super) struct Looking {
    /// Sets that did for others: looked at before all else.
    pub(super) tried: Vec<Set>,
    /// Sets that are likely to have what is looked for in them, the likeliest first: it need not be
    /// found among everything.
    pub(super) likely: Vec<Set>,
    /// How many changes there are.
    pub(super) count: usize,
}

impl Looking {
    /// The set that is looked for; none if it does not hold with all changes made.
    ///
    /// - `holds`: whether it does with just these made, as far as that is known.
    ///
    /// Fails with the changes of which that is to be known next.
    pub(super) fn smallest(
        &self,
        holds: &dyn Fn(&Set) -> Option<bool>,
    ) -> Result<Option<Set>, Set> {
        let holds = |set: &Set| holds(set).ok_or_else(|| set.clone());
        for set in &self.tried {
            if holds(set)? && is_minimal(set, &holds)? {
                return Ok(Some(set.clone()));
            }
        }
        let mut kept: Set = (0..self.count).collect();
        if !holds(&kept)? {
            return Ok(None);
        }
        for likely in &self.likely {
            if likely.len() < kept.len() && !likely.is_empty() && holds(likely)? {
                kept.clone_from(likely);
                break;
            }
        }
        // Halves, quarters, ... are left out where it still holds without them; at the end single
        // ones, again and again, since leaving one out may make another dispensable.
        let mut size = kept.len().div_ceil(2);
        loop {
            let mut shrunk = false;
            let all: Vec<usize> = kept.iter().copied().collect();
            for part in all.chunks(size.max(1)) {
                let without: Set = kept.iter().copied().filter(|at| !part.contains(at)).collect();
                if without.len() < kept.len() && holds(&without)? {
                    kept = without;
                    shrunk = true;
                }
            }
            if size <= 1 && !shrunk {
                return Ok(Some(kept));
            }
            size = size.div_ceil(2).min(kept.len().max(1));
        }
    }
}

fn is_minimal(set: &Set, holds: &dyn Fn(&Set) -> Result<bool, Set>) -> Result<bool, Set> {
    for at in set {
        let without: Set = set.iter().copied().filter(|one| one != at).collect();
        if holds(&without)? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use super::*;

    /// What is found where `truth` decides, and of how many sets it was asked.
    fn check(looking: &Looking, truth: &dyn Fn(&Set) -> bool) -> (Option<Set>, usize) {
        let known: RefCell<BTreeMap<Set, bool>> = RefCell::default();
        loop {
            match looking.smallest(&|set| known.borrow().get(set).copied()) {
                Ok(found) => return (found, known.borrow().len()),
                Err(asked) => {
                    let answer = truth(&asked);
                    assert_eq!(known.borrow_mut().insert(asked, answer), None, "asked twice");
                }
            }
        }
    }

    fn looking(count: usize) -> Looking {
        Looking { count, ..Looking::default() }
    }

    #[test]
    fn what_is_needed_together_is_found_among_many() {
        let needed = Set::from([17, 400, 801]);
        let (found, asked) = check(&looking(1000), &|set| set.is_superset(&needed));
        assert_eq!(found, Some(needed));
        assert!(asked < 150, "{asked}");
    }

    #[test]
    fn nothing_is_found_where_all_changes_do_not_do() {
        assert_eq!(check(&looking(5), &|_| false), (None, 1));
    }

    #[test]
    fn of_two_ways_one_is_found() {
        let (found, _) = check(&looking(8), &|set| set.contains(&1) || set.contains(&6));
        assert!(found == Some(Set::from([1])) || found == Some(Set::from([6])), "{found:?}");
    }

    #[test]
    fn what_is_likely_is_enough_where_it_holds() {
        let near = Set::from([3, 5]);
        let looking = Looking { likely: vec![Set::from([1]), near], ..looking(1000) };
        let (found, asked) = check(&looking, &|set| set.contains(&5));
        // All, the two that are likely, the one without the other, and none at all.
        assert_eq!((found, asked), (Some(Set::from([5])), 5));
    }

    #[test]
    fn what_did_for_another_does_only_if_none_of_it_can_be_left_out() {
        let both = Set::from([1, 2]);
        let looking = Looking { tried: vec![both.clone()], ..looking(4) };
        assert_eq!(check(&looking, &|set| set.is_superset(&both)).0, Some(both));
        assert_eq!(check(&looking, &|set| set.contains(&2)).0, Some(Set::from([2])));
    }
}
