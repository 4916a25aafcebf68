//! Drawing from the distributions of an account, the same for the same seed on every machine.

use fastrand::Rng;

/// A seeded source of choices.
#[derive(Clone, Debug)]
pub(crate) struct Draw(Rng);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }

    /// One of `items`, each as likely as the others.
    #[expect(
        clippy::indexing_slicing,
        reason = "no list drawn from is empty, and the index is below its length"
    )]
    pub(crate) fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.0.usize(..items.len())]
    }

    /// One of `items`, as likely as its weight says.
    #[expect(clippy::indexing_slicing, reason = "no list drawn from is empty")]
    pub(crate) fn weighted<T: Copy>(&mut self, items: &[(u32, T)]) -> T {
        let total: u32 = items.iter().map(|(weight, _)| weight).sum();
        let mut left = self.0.u32(..total);
        for (weight, item) in items {
            if left < *weight {
                return *item;
            }
            left -= weight;
        }
        items[0].1
    }

    /// True in `percent` of a hundred draws.
    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.0.u32(..100) < percent
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: usize, high: usize) -> usize {
        self.0.usize(low..=high)
    }

    /// A number of twelve digits.
    pub(crate) fn twelve_digits(&mut self) -> String {
        self.0.u64(100_000_000_000..1_000_000_000_000).to_string()
    }

    /// A unique id as IAM makes them: `AIDA` and 17 of its characters.
    pub(crate) fn unique_id(&mut self, prefix: &str) -> String {
        self.text(prefix, 17, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
    }

    /// A prefix and hexadecimal digits: `i-0a1b...`.
    pub(crate) fn hexadecimal(&mut self, prefix: &str, length: usize) -> String {
        self.text(prefix, length, b"0123456789abcdef")
    }

    /// A past moment, as the AWS CLI prints it.
    pub(crate) fn moment(&mut self) -> String {
        format!(
            "20{:02}-{:02}-{:02}T{:02}:{:02}:{:02}+00:00",
            self.between(19, 25),
            self.between(1, 12),
            self.between(1, 28),
            self.between(0, 23),
            self.between(0, 59),
            self.between(0, 59)
        )
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        self.0.shuffle(items);
    }

    fn text(&mut self, prefix: &str, length: usize, alphabet: &[u8]) -> String {
        let mut text = prefix.to_owned();
        text.extend((0..length).map(|_| char::from(self.one_of(alphabet))));
        text
    }
}
