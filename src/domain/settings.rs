//! Settings of an account.

use serde::{Deserialize, Serialize};

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
}
