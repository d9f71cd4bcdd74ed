//! How much is measured, and for how long.

use std::time::Duration;

use super::data::Shape;

/// The size of a run.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    pub name: &'static str,
    /// The ten accounts that most is measured with.
    pub many: Shape,
    /// Leads of the large account, for what takes one account as a whole.
    pub large: usize,
    /// Revisions that wait to be published.
    pub backlog: usize,
    /// Leads of one account as it grows.
    pub growth: &'static [usize],
    /// Samples of each side of a comparison.
    pub rounds: usize,
    /// Before each sample, under the same load.
    pub warm: Duration,
    /// Length of a sample.
    pub time: Duration,
}

/// Under five minutes.
pub const SHORT: Profile = Profile {
    name: "short",
    many: Shape { accounts: 10, leads: 20_000 },
    large: 100_000,
    backlog: 20_000,
    growth: &[100_000, 1_000_000],
    rounds: 3,
    warm: Duration::from_millis(250),
    time: Duration::from_secs(1),
};

/// For the documentation.
pub const LONG: Profile = Profile {
    name: "long",
    many: Shape { accounts: 10, leads: 100_000 },
    large: 1_000_000,
    backlog: 100_000,
    growth: &[100_000, 1_000_000, 5_000_000],
    rounds: 3,
    warm: Duration::from_secs(1),
    time: Duration::from_secs(3),
};

impl Profile {
    /// Warm-up and length of a sample.
    pub fn span(&self) -> (Duration, Duration) {
        (self.warm, self.time)
    }
}
