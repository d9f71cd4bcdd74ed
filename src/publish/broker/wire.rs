//! Events as messages: CloudEvents 1.0 in binary mode, with the attributes as headers.
//!
//! Written here because the published SDK brings an older copy of the client, and its messages have the whole event in their
//! data, where nobody can route by it.

use std::sync::Arc;

use async_nats::HeaderMap;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::domain::ids::{AccountId, Revision};
use crate::domain::time::Timestamp;
use crate::publish::event::{Event, Format, Part, Place, Said};

const PREVIOUS: &str = "ce-previousrevision";
const LAST: &str = "ce-lastrevision";
const LAST_ORDINAL: &str = "ce-lastordinal";
const FRAGMENT: &str = "ce-fragment";
const FRAGMENTS: &str = "ce-fragmentcount";
const HISTORY: &str = "ce-historyid";
const TIME: &str = "ce-time";

/// The subjects of all accounts.
pub(super) const SUBJECTS: &str = "leadflip.ownership.v1.changes.*";

/// The subject of an account. Its id has no character that means something in a subject.
pub(super) fn subject(account: &AccountId) -> String {
    format!("leadflip.ownership.v1.changes.{account}")
}

/// A subject of the same kind that no account has: no id begins with `_`.
pub(super) fn subject_of_nobody() -> String {
    "leadflip.ownership.v1.changes._".to_owned()
}

/// The headers of an event. There is no `Nats-Msg-Id`: a broker that remembers the ids of messages that it has lost would
/// acknowledge them again without keeping them.
pub(super) fn headers(event: &Event, format: &Format) -> HeaderMap {
    let Event { topic, account, history, previous, first, last, last_ordinal, fragment, fragments, at, content: _ } =
        event;
    let mut headers = HeaderMap::new();
    let mut put = |name: &'static str, value: String| headers.insert(name, value);
    put("ce-specversion", "1.0".to_owned());
    put("ce-type", (format.data)(*topic).to_owned());
    put("ce-source", format!("/leadflip/ownership/{history}"));
    put("ce-id", format!("{account}.{first}-{last}.{fragment}"));
    put("ce-subject", account.to_string());
    put(TIME, rfc3339(*at));
    // The binding of CloudEvents to NATS says the first, its SDKs read the second.
    put("ce-datacontenttype", "application/protobuf".to_owned());
    put("content-type", "application/protobuf".to_owned());
    put("ce-partitionkey", account.to_string());
    put("ce-sequence", format!("{:020}", last.0));
    put(HISTORY, history.to_string());
    put(PREVIOUS, previous.to_string());
    put("ce-firstrevision", first.to_string());
    put(LAST, last.to_string());
    put(LAST_ORDINAL, last_ordinal.to_string());
    put(FRAGMENT, fragment.to_string());
    put(FRAGMENTS, fragments.to_string());
    headers
}

/// What a message says about where it stands, if it is an event.
pub(super) fn said(headers: &HeaderMap) -> Option<Said> {
    let text = |name: &'static str| headers.get_last(name).map(|value| value.as_str());
    let revision = |name| Some(Revision(text(name)?.parse().ok()?));
    let number = |name| text(name)?.parse::<i32>().ok();
    let (fragment, fragments) = (number(FRAGMENT)?, number(FRAGMENTS)?);
    let part = Part { previous: revision(PREVIOUS)?, ordinal: number(LAST_ORDINAL)?, fragment };
    let place = Place { revision: revision(LAST)?, part: (fragment < fragments).then_some(part) };
    Some(Said { history: Arc::from(text(HISTORY)?), place, at: timestamp(text(TIME)?)? })
}

fn rfc3339(at: Timestamp) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1_000).ok();
    // Times of this and many centuries can be written.
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
}

fn timestamp(written: &str) -> Option<Timestamp> {
    let time = OffsetDateTime::parse(written, &Rfc3339).ok()?;
    i64::try_from(time.unix_timestamp_nanos() / 1_000).ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::domain::published::Topic;

    fn event(fragment: i32) -> Event {
        Event {
            topic: Topic::Owners,
            account: AccountId::parse("acme").unwrap(),
            history: "h".into(),
            previous: Revision(3),
            first: Revision(7),
            last: Revision(7),
            last_ordinal: 499,
            fragment,
            fragments: 2,
            at: Timestamp(1_700_000_000_000_001),
            content: Bytes::new(),
        }
    }

    fn format() -> Format {
        Format { data: |_| "test.Event", item: |_, _| {}, intent: |_, _| {}, event: |event| event.content.clone() }
    }

    #[test]
    fn where_a_message_stands_is_read_back_from_its_headers() {
        for fragment in [1, 2] {
            let event = event(fragment);
            let said = said(&headers(&event, &format())).unwrap();
            assert_eq!(said, Said { history: "h".into(), place: Place::behind(&event), at: event.at });
        }
        for name in [LAST, TIME] {
            let mut broken = headers(&event(1), &format());
            broken.insert(name, "seven");
            assert_eq!(said(&broken), None);
        }
        assert_eq!(said(&HeaderMap::new()), None);
    }

    #[test]
    fn an_event_says_what_cloud_events_ask_for() {
        let headers = headers(&event(1), &format());
        let text = |name: &str| headers.get(name).unwrap().as_str().to_owned();
        assert_eq!(text("ce-id"), "acme.7-7.1");
        assert_eq!(text("ce-type"), "test.Event");
        assert_eq!(text("ce-time"), "2023-11-14T22:13:20.000001Z");
        assert_eq!(text("ce-sequence"), "00000000000000000007");
    }
}
