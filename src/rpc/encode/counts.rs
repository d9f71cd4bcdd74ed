//! How many leads each owner has.

use ownership_proto::{Encoded, v1 as pb};

use super::writer::Writer;
use crate::domain::book::query::Counted;
use crate::ownership::Counting;
use crate::page::Read;
use crate::rpc::convert::count;

/// What the count of a stage takes, about.
const STAGE_BYTES: usize = 24;

/// The counts of some owners.
pub(in crate::rpc) fn count_by_owner(read: Read<Counting<'_>>) -> Encoded<pb::CountByOwnerResponse> {
    let Read { revision, value: Counting { counts, next_page_token, cards } } = read;
    let stages: usize = counts.iter().map(|(_, count)| count.stages.len() + 2).sum();
    let mut response = Writer::sized(stages * STAGE_BYTES);
    counts.iter().for_each(|counted| response.message(1, |message| write_count(message, counted)));
    response.text(2, &next_page_token);
    response.number(3, revision.0);
    response.cards(4, &cards);
    response.finish()
}

fn write_count(message: &mut Writer, (owner, counts): &Counted<'_>) {
    message.optional_text(1, *owner);
    message.number(2, count(counts.total()));
    for (stage, counted) in &counts.stages {
        message.message(3, |message| {
            message.text(1, stage);
            message.number(2, count(counted.open));
            message.number(3, count(counted.closed));
        });
    }
    if let Some(oldest) = counts.oldest {
        message.time(4, oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::book::query::{OwnerCount, StageCount};
    use crate::domain::ids::Revision;
    use crate::domain::time::Timestamp;
    use crate::rpc::convert::time::to_timestamp;

    #[test]
    fn counts_are_what_prost_makes_of_them() {
        let of_anna = OwnerCount {
            stages: vec![("", StageCount { open: 1, closed: 0 }), ("Won", StageCount { open: 0, closed: 300 })],
            oldest: Some(Timestamp(5)),
        };
        let counts = vec![(None, OwnerCount::default()), (Some("anna"), of_anna)];
        let counting = Counting { counts, next_page_token: "t".into(), cards: vec![] };
        let written = count_by_owner(Read { revision: Revision(7), value: counting });
        let stage = |stage: &str, open, closed| pb::StageCount { stage: stage.into(), open, closed };
        let of_anna = pb::OwnerCount {
            owner_id: Some("anna".into()),
            total: 301,
            stages: vec![stage("", 1, 0), stage("Won", 0, 300)],
            oldest_owner_since: Some(to_timestamp(Timestamp(5))),
        };
        let message = pb::CountByOwnerResponse {
            counts: vec![pb::OwnerCount::default(), of_anna],
            next_page_token: "t".into(),
            revision: 7,
            cards: vec![],
        };
        assert_eq!(written.to_bytes(), Encoded::of(&message).to_bytes());
    }
}
