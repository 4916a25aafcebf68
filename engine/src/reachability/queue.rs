//! Variants that wait to be looked at. Whether one is ready can only change when somebody else comes to
//! act as it: until then those that were not ready sleep, of a hundred thousand nearly all.

use std::collections::BTreeSet;

/// Variants that wait, in order.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: BTreeSet<usize>,
    /// Those of them that have not been looked at since somebody else came to act as them.
    awake: BTreeSet<usize>,
}

impl Queue {
    /// Adds a variant that is to be looked at.
    pub(super) fn add(&mut self, variant: usize) {
        self.waiting.insert(variant);
        self.awake.insert(variant);
    }

    /// Adds a variant that is not ready before somebody else acts as it.
    pub(super) fn add_asleep(&mut self, variant: usize) {
        self.waiting.insert(variant);
    }

    /// Notes that somebody else has come to act as a variant.
    pub(super) fn wake(&mut self, variant: usize) {
        if self.waiting.contains(&variant) {
            self.awake.insert(variant);
        }
    }

    /// Those to be looked at, which sleep from now on.
    pub(super) fn look(&mut self) -> BTreeSet<usize> {
        std::mem::take(&mut self.awake)
    }

    /// Takes out a variant.
    pub(super) fn remove(&mut self, variant: usize) {
        self.waiting.remove(&variant);
        self.awake.remove(&variant);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_not_ready_is_looked_at_again_once_somebody_else_acts_as_it() {
        let mut queue = Queue::default();
        queue.add(3);
        queue.add(1);
        queue.add_asleep(2);
        assert_eq!(queue.look(), BTreeSet::from([1, 3]));
        assert!(queue.look().is_empty());
        queue.wake(2);
        queue.wake(4);
        assert_eq!(queue.look(), BTreeSet::from([2]));
        queue.remove(3);
        queue.wake(3);
        assert!(queue.look().is_empty());
    }
}
