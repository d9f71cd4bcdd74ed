//! Who does something, from where, and why.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ids::{BatchId, CallerId, MemberId};

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The caller, as it was authenticated.
    pub caller: CallerId,
    /// The member for whom it acts.
    pub member: Option<MemberId>,
}

/// Through which door a change or a lead came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A person in the user interface.
    Ui,
    /// A program.
    Api,
    /// An import.
    Import,
    /// A form that a visitor filled in.
    Form,
    /// An automation rule.
    Automation,
    /// A rotation that took the next member.
    Rotation,
    /// The offboarding of a member.
    Offboarding,
    /// The service itself or its operator.
    System,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Ui,
        Self::Api,
        Self::Import,
        Self::Form,
        Self::Automation,
        Self::Rotation,
        Self::Offboarding,
        Self::System,
    ];

    /// The word that stands for it in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ui => "ui",
            Self::Api => "api",
            Self::Import => "import",
            Self::Form => "form",
            Self::Automation => "automation",
            Self::Rotation => "rotation",
            Self::Offboarding => "offboarding",
            Self::System => "system",
        }
    }

    /// The one a word of the database stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == word)
    }
}

/// What a write says about itself. Recorded with each of its facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Who.
    pub actor: Actor,
    /// From where.
    pub source: Source,
    /// Why. May be empty.
    pub reason: String,
    /// Together with what.
    pub batch: Option<BatchId>,
    /// Under which request id.
    pub request: Option<Uuid>,
}
