//! In whose name a message about a lead is sent.

use super::member::{Member, Standing};
use super::settings::DefaultSender;

/// Why a lead's owner is not its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skipped {
    /// Nobody owns the lead.
    Unassigned,
    /// The owner is inactive, or no longer known.
    Inactive,
    /// The owner has no e-mail address.
    NoEmail,
    /// The lead is not known.
    LeadUnknown,
}

/// The sender for a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution<'a> {
    /// Its owner.
    Owner(&'a Member),
    /// The account's default sender.
    AccountDefault(&'a DefaultSender, Skipped),
    /// Nobody.
    None(Skipped),
}

/// Who owns the lead in question.
#[derive(Debug, Clone, Copy)]
pub enum LeadOwner<'a> {
    /// The lead is not known.
    LeadUnknown,
    /// Nobody.
    Nobody,
    /// A member. Absent when nothing is known of it any more.
    Member(Option<&'a Member>),
}

/// The sender for a lead, given its owner and the account's default sender.
pub fn resolve<'a>(owner: LeadOwner<'a>, default: Option<&'a DefaultSender>) -> Resolution<'a> {
    let skipped = match owner {
        // Nothing falls back: a message to a lead nobody knows would be a mistake.
        LeadOwner::LeadUnknown => return Resolution::None(Skipped::LeadUnknown),
        LeadOwner::Nobody => Skipped::Unassigned,
        LeadOwner::Member(None) => Skipped::Inactive,
        LeadOwner::Member(Some(member)) if member.standing == Standing::Inactive => Skipped::Inactive,
        LeadOwner::Member(Some(member)) if member.email.is_empty() => Skipped::NoEmail,
        LeadOwner::Member(Some(member)) => return Resolution::Owner(member),
    };
    default.map_or(Resolution::None(skipped), |default| Resolution::AccountDefault(default, skipped))
}
