//! How much is measured, and for how long.

use std::time::Duration;

/// The size of a run.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    pub name: &'static str,
    /// In all accounts together.
    pub leads: usize,
    pub accounts: usize,
    /// Members of each account.
    pub members: usize,
    /// Leads of one owner. There are as many owners among the members as that makes.
    pub leads_per_owner: usize,
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
    leads: 100_000,
    accounts: 10,
    members: 200,
    leads_per_owner: 500,
    rounds: 3,
    warm: Duration::from_millis(500),
    time: Duration::from_millis(1_500),
};

/// For the documentation.
pub const LONG: Profile = Profile {
    name: "long",
    leads: 1_000_000,
    rounds: 5,
    warm: Duration::from_secs(3),
    time: Duration::from_secs(8),
    ..SHORT
};

impl Profile {
    /// Leads of one account.
    pub fn leads_per_account(&self) -> usize {
        self.leads / self.accounts
    }

    /// Members of one account who own leads.
    pub fn owners(&self) -> usize {
        (self.leads_per_account() / self.leads_per_owner).clamp(1, self.members)
    }
}
