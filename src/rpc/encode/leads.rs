//! Leads and their owners.

use ownership_proto::{Encoded, v1 as pb};

use super::writer::Writer;
use crate::domain::lead::{LeadRef, OwnershipRef};
use crate::ownership::{Listing, Owner, Owners};
use crate::page::Read;
use crate::rpc::convert::count;

/// What a lead takes, about.
const LEAD_BYTES: usize = 192;

/// A page of leads.
pub(in crate::rpc) fn list_by_owner(read: Read<Listing<'_>>) -> Encoded<pb::ListByOwnerResponse> {
    let Read { revision, value: Listing { leads, next_page_token, total, cards, history } } = read;
    let mut response = Writer::sized((leads.len() + cards.len() + 1) * LEAD_BYTES);
    leads.into_iter().for_each(|lead| response.message(1, |message| write_lead(message, lead)));
    response.text(2, &next_page_token);
    response.number(3, revision.0);
    if let Some(total) = total {
        response.set_number(4, count(total));
    }
    response.cards(5, &cards);
    response.text(6, history);
    response.finish()
}

/// The owner of a lead.
pub(in crate::rpc) fn get_owner(read: Read<Owner<'_>>) -> Encoded<pb::GetOwnerResponse> {
    let Read { revision, value: Owner { ownership, card } } = read;
    let mut response = Writer::sized(LEAD_BYTES);
    response.message(1, |message| write_ownership(message, ownership));
    response.cards(2, card.as_slice());
    response.number(3, revision.0);
    response.finish()
}

/// The owners of some leads.
pub(in crate::rpc) fn batch_get_owners(read: Read<Owners<'_>>) -> Encoded<pb::BatchGetOwnersResponse> {
    let Read { revision, value: Owners { known, unknown, cards } } = read;
    let mut response = Writer::sized((known.len() + unknown.len() + cards.len()) * LEAD_BYTES / 2);
    known.into_iter().for_each(|ownership| response.message(1, |message| write_ownership(message, ownership)));
    unknown.into_iter().for_each(|lead| response.set_text(2, lead.as_str()));
    response.cards(3, &cards);
    response.number(4, revision.0);
    response.finish()
}

fn write_lead(message: &mut Writer, lead: LeadRef<'_>) {
    message.message(1, |message| write_ownership(message, lead.ownership()));
    message.text(2, lead.stage);
    message.time(3, lead.stage_entered_at);
    message.number(4, lead.closed);
    message.time(5, lead.created_at);
    message.number(6, i32::from(pb::Source::from(lead.source)));
    for (name, value) in lead.attributes.iter() {
        message.message(7, |entry| {
            entry.text(1, name);
            entry.text(2, value);
        });
    }
    message.number(8, lead.overdue);
}

fn write_ownership(message: &mut Writer, ownership: OwnershipRef<'_>) {
    message.text(1, ownership.lead);
    message.optional_text(2, ownership.owner);
    message.time(3, ownership.since);
    message.number(4, ownership.revision.0);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::actor::Source;
    use crate::domain::attributes::Attributes;
    use crate::domain::ids::{LeadId, MemberId, Revision};
    use crate::domain::lead::{Lead, Ownership, Projection};
    use crate::domain::time::Timestamp;

    prop_compose! {
        fn lead()(
            id in "[a-z][a-z0-9]{0,63}",
            owner in proptest::option::of("[a-z]{1,64}"),
            times in proptest::array::uniform3(-3_000_000_000_000_000_i64..3_000_000_000_000_000),
            revision in 0..i64::MAX,
            stage in "[ -~äß]{0,64}",
            (closed, overdue) in any::<(bool, bool)>(),
            attributes in proptest::collection::btree_map("[a-z]{1,64}", "[ -~]{0,256}", 0..4),
        ) -> Lead {
            Lead {
                ownership: Ownership {
                    lead: LeadId::parse(&id).unwrap(),
                    owner: owner.map(|owner| MemberId::parse(&owner).unwrap()),
                    since: Timestamp(times[0]),
                    revision: Revision(revision),
                },
                projection: Projection {
                    stage,
                    stage_entered_at: Timestamp(times[1]),
                    closed,
                    created_at: Timestamp(times[2]),
                    source: Source::Form,
                    attributes: attributes.into_iter().collect::<Attributes>(),
                    observed_at: Timestamp(0),
                },
                overdue,
            }
        }
    }

    proptest! {
        #[test]
        fn a_page_is_what_prost_makes_of_it(
            leads in proptest::collection::vec(lead(), 0..5),
            total in proptest::option::of(0..3_usize),
            token in "[a-z]{0,9}",
        ) {
            let listing = Listing {
                leads: leads.iter().map(Lead::as_ref).collect(),
                next_page_token: token.clone(),
                total,
                cards: vec![],
                history: "h",
            };
            let written = list_by_owner(Read { revision: Revision(7), value: listing });
            let message = pb::ListByOwnerResponse {
                leads: leads.into_iter().map(Into::into).collect(),
                next_page_token: token,
                revision: 7,
                total: total.map(count),
                cards: vec![],
                history_id: "h".to_owned(),
            };
            let made = Encoded::of(&message);
            prop_assert_eq!(written.to_bytes(), made.to_bytes());
        }

        #[test]
        fn owners_are_what_prost_makes_of_them(leads in proptest::collection::vec(lead(), 0..5), unknown in "[a-z]{1,64}") {
            let unknown = LeadId::parse(&unknown).unwrap();
            let known: Vec<_> = leads.iter().map(|lead| lead.ownership.as_ref()).collect();
            let owners = Owners { known, unknown: vec![&unknown], cards: vec![] };
            let written = batch_get_owners(Read { revision: Revision(7), value: owners });
            let message = pb::BatchGetOwnersResponse {
                ownerships: leads.into_iter().map(|lead| lead.ownership.into()).collect(),
                unknown_lead_ids: vec![unknown.into()],
                cards: vec![],
                revision: 7,
            };
            let made = Encoded::of(&message);
            prop_assert_eq!(written.to_bytes(), made.to_bytes());
        }
    }

    #[test]
    fn messages_of_any_length_have_their_length_before_them() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 3_000_000] {
            let mut writer = Writer::default();
            writer.message(7, |entry| entry.text(1, &"x".repeat(length)));
            let lead: pb::Lead = writer.finish().decode().unwrap();
            assert_eq!(lead.attributes, BTreeMap::from([("x".repeat(length), String::new())]));
        }
    }
}
