//! Settings of an account.

use serde::{Deserialize, Serialize};

use super::overdue::{Limit, Rule};
use super::time::Timestamp;

/// A sender that is not a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultSender {
    /// The name to send as.
    pub name: String,
    /// The address to send from.
    pub email: String,
}

/// The settings of an account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Settings {
    /// Sends where a lead's owner cannot.
    pub default_sender: Option<DefaultSender>,
    /// Whether those who get leads are to be told, where a request does not say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub notify_new_owner: bool,
    /// After how long a lead that nobody owns is overdue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overdue: Option<Limit>,
    /// Since when others are told of overdue leads, if that was ever turned on: those that were overdue before are not told of. Not
    /// asked for, but decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overdue_from: Option<Timestamp>,
}

impl Settings {
    /// When leads that nobody owns are overdue, if they ever are. Of what was so before `counted_from`, nobody is told.
    pub fn overdue_rule(&self, counted_from: Timestamp) -> Option<Rule> {
        let after = Limit::micros(self.overdue)?;
        Some(Rule { after, from: self.overdue_from.map_or(counted_from, |from| from.max(counted_from)) })
    }
}
