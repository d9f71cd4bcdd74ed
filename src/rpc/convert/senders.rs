//! In whose name messages are sent.

use std::collections::HashMap;

use ownership_proto::v1 as pb;

use super::reads::{freshness, moment};
use super::{Invalid, distinct_ids, id};
use crate::context::{Freshness, Moment};
use crate::domain::ids::{AccountId, LeadId};
use crate::domain::sender::Skipped;
use crate::ownership::{Sender, SenderAnswer, Step};
use crate::page::Read;
use crate::rpc::call::Ask;

/// In whose name is a message about each of some leads sent?
pub(in crate::rpc) struct ResolveSenders {
    pub(in crate::rpc) leads: Vec<LeadId>,
    pub(in crate::rpc) as_of: Option<Moment>,
    pub(in crate::rpc) freshness: Freshness,
}

impl Ask for pb::ResolveSendersRequest {
    type Question = ResolveSenders;

    fn question(self) -> Result<(AccountId, ResolveSenders), Invalid> {
        let Self { account_id, lead_ids, as_of, consistency } = self;
        let question = ResolveSenders {
            leads: distinct_ids(lead_ids, "lead_ids")?,
            as_of: moment(as_of)?,
            freshness: freshness(consistency),
        };
        Ok((id(account_id, format_args!("account_id"))?, question))
    }
}

impl From<Read<Vec<SenderAnswer>>> for pb::ResolveSendersResponse {
    fn from(read: Read<Vec<SenderAnswer>>) -> Self {
        let Read { revision, value } = read;
        let mut senders = Senders::default();
        let resolutions = value.into_iter().map(|answer| resolution(answer, &mut senders)).collect();
        Self { senders: senders.list, resolutions, revision: revision.0 }
    }
}

/// The senders that occur, each once, in the order in which they occur first.
#[derive(Default)]
struct Senders {
    list: Vec<pb::Sender>,
    positions: HashMap<Sender, i32>,
}

impl Senders {
    fn position(&mut self, sender: Sender) -> i32 {
        // One for each lead at most, of which there are a thousand.
        let next = i32::try_from(self.list.len()).unwrap_or(i32::MAX);
        if let Some(known) = self.positions.get(&sender) {
            return *known;
        }
        self.positions.insert(sender.clone(), next);
        let Sender { member, name, email } = sender;
        self.list.push(pb::Sender { member_id: member.map(String::from), name, email });
        next
    }
}

fn resolution(answer: SenderAnswer, senders: &mut Senders) -> pb::SenderResolution {
    let SenderAnswer { lead, sender, step, skipped } = answer;
    let step = match step {
        Step::Owner => pb::SenderStep::Owner,
        Step::AccountDefault => pb::SenderStep::AccountDefault,
        Step::None => pb::SenderStep::None,
    };
    let owner_skipped = match skipped {
        None => pb::OwnerSkipped::Unspecified,
        Some(Skipped::Unassigned) => pb::OwnerSkipped::Unassigned,
        Some(Skipped::Inactive) => pb::OwnerSkipped::Inactive,
        Some(Skipped::NoEmail) => pb::OwnerSkipped::NoEmail,
        Some(Skipped::LeadUnknown) => pb::OwnerSkipped::LeadUnknown,
    };
    pb::SenderResolution {
        lead_id: lead.into(),
        sender: sender.map(|sender| senders.position(sender)),
        step: step.into(),
        owner_skipped: owner_skipped.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{MemberId, Revision};

    fn answer(lead: &str, member: Option<&str>) -> SenderAnswer {
        let sender =
            Sender { member: member.map(|id| MemberId::parse(id).unwrap()), name: "N".into(), email: "e".into() };
        let step = if member.is_some() { Step::Owner } else { Step::AccountDefault };
        let skipped = member.is_none().then_some(Skipped::Inactive);
        SenderAnswer { lead: LeadId::parse(lead).unwrap(), sender: Some(sender), step, skipped }
    }

    #[test]
    fn each_sender_stands_once_and_is_pointed_to() {
        let nobody = SenderAnswer { sender: None, step: Step::None, ..answer("L4", None) };
        let value = vec![answer("L1", Some("m")), answer("L2", None), answer("L3", Some("m")), nobody];
        let response = pb::ResolveSendersResponse::from(Read { revision: Revision(9), value });
        assert_eq!(response.senders.len(), 2);
        let positions: Vec<_> = response.resolutions.iter().map(|resolution| resolution.sender).collect();
        assert_eq!(positions, [Some(0), Some(1), Some(0), None]);
        assert_eq!(response.revision, 9);
    }
}
