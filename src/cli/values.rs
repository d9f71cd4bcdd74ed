//! Times, spans and pairs, as people write and read them.

use std::time::Duration;

use ownership_proto::v1::as_of::At;
use ownership_proto::v1::{AsOf, TimeRange};
use prost_types::Timestamp;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, PrimitiveDateTime, UtcOffset};

/// A moment: `2026-01-31`, `2026-01-31 14:30`, RFC 3339, or `7d ago`. Without a zone it is UTC.
pub(super) fn parse_time(text: &str) -> Result<Timestamp, String> {
    let moment = match text.trim().strip_suffix("ago") {
        Some(span) => before_now(parse_wait(span.trim())?),
        None => iso_time(text.trim()),
    };
    moment
        .map(timestamp)
        .ok_or_else(|| format!("{text:?} is not a time like 2026-01-31, 2026-01-31T14:30:00Z or \"7d ago\""))
}

fn before_now(span: Duration) -> Option<OffsetDateTime> {
    OffsetDateTime::now_utc().checked_sub(time::Duration::try_from(span).ok()?)
}

/// A moment in one of the ISO forms; without a zone it is UTC, without a time it is midnight.
pub(super) fn iso_time(text: &str) -> Option<OffsetDateTime> {
    let text = text.replacen([' ', 't'], "T", 1);
    let day = format_description!("[year]-[month]-[day]");
    if let Ok(date) = Date::parse(&text, day) {
        return Some(date.midnight().assume_utc());
    }
    let local =
        format_description!("[year]-[month]-[day]T[hour]:[minute][optional [:[second][optional [.[subsecond]]]]]");
    if let Ok(moment) = PrimitiveDateTime::parse(&text, local) {
        return Some(moment.assume_utc());
    }
    OffsetDateTime::parse(&with_colon_in_offset(text), &Rfc3339).ok()
}

/// Writes an offset like `+0100`, as some systems do, the way RFC 3339 wants it.
fn with_colon_in_offset(mut text: String) -> String {
    let digits = text.chars().rev().take_while(char::is_ascii_digit).count();
    let signed = text.len() > 5 && matches!(text.as_bytes()[text.len() - 5], b'+' | b'-');
    if digits == 4 && signed {
        text.insert(text.len() - 2, ':');
    }
    text
}

/// A moment as the contract writes it.
pub(super) fn timestamp(moment: OffsetDateTime) -> Timestamp {
    Timestamp { seconds: moment.unix_timestamp(), nanos: i32::try_from(moment.nanosecond()).unwrap_or(0) }
}

/// A span of time: `30s`, `7d`, `2h 30min`.
pub(super) fn parse_wait(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| format!("{text:?} is not a duration like 30s, 12h or 7d"))
}

/// A span of time for the contract.
pub(super) fn parse_span(text: &str) -> Result<prost_types::Duration, String> {
    let wait = parse_wait(text)?;
    prost_types::Duration::try_from(wait).map_err(|_| format!("{text:?} is too long"))
}

/// A revision, or a moment as [`parse_time`] reads it.
pub(super) fn parse_as_of(text: &str) -> Result<AsOf, String> {
    let at = match text.parse() {
        Ok(revision) => At::Revision(revision),
        Err(_) => At::Time(parse_time(text)?),
    };
    Ok(AsOf { at: Some(at) })
}

/// A `NAME=VALUE` pair.
pub(super) fn parse_pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not NAME=VALUE"))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// The span between two optional moments; absent when neither is given.
pub(super) fn range(start: Option<Timestamp>, end: Option<Timestamp>) -> Option<TimeRange> {
    (start.is_some() || end.is_some()).then_some(TimeRange { start, end })
}

/// RFC 3339, in UTC. Absent or out of range: absent.
pub(super) fn rfc3339(moment: Option<&Timestamp>) -> Option<String> {
    moment.and_then(calendar).and_then(|moment| moment.format(&Rfc3339).ok())
}

/// For tables: to the second, or the day alone if it is midnight; empty when absent.
pub(super) fn short(moment: Option<&Timestamp>) -> String {
    let Some(moment) = moment.and_then(calendar) else {
        return String::new();
    };
    let format = match moment.to_hms() {
        (0, 0, 0) => moment.format(format_description!("[year]-[month]-[day]")),
        _ => moment.format(format_description!("[year]-[month]-[day] [hour]:[minute]:[second]")),
    };
    format.unwrap_or_default()
}

fn calendar(moment: &Timestamp) -> Option<OffsetDateTime> {
    let seconds = OffsetDateTime::from_unix_timestamp(moment.seconds).ok()?.to_offset(UtcOffset::UTC);
    Some(seconds + time::Duration::nanoseconds(moment.nanos.into()))
}

/// How many rows to ask for when `wanted` are missing: the service puts at most 1,000 on a page.
pub(super) fn page_size(wanted: usize) -> i32 {
    i32::try_from(wanted.min(1_000)).unwrap_or(1_000)
}

/// A count with what is counted: `1 change`, `8,800 changes`.
pub(super) fn counted(count: usize, one: &str) -> String {
    format!("{} {one}{}", grouped(count as i64), if count == 1 { "" } else { "s" })
}

/// A count with its thousands set apart: `8,800`.
pub(super) fn grouped(count: i64) -> String {
    let digits = count.unsigned_abs().to_string();
    let mut text = String::from(if count < 0 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<i64> {
        iso_time(text).map(OffsetDateTime::unix_timestamp)
    }

    #[test]
    fn the_iso_forms_mean_the_same_moment() {
        for text in ["2017-03-01", "2017-03-01 00:00", "2017-03-01T00:00:00Z", "2017-03-01 01:00:00.000+0100"] {
            assert_eq!(seconds(text), Some(1_488_326_400), "{text}");
        }
        assert_eq!(seconds("2017-03-01T01:00:00+01:00"), Some(1_488_326_400));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in ["", "soon", "2017-02-30", "2017-13-01", "01.03.2017", "2017-03-01T25:00", "2017-3-1x", "€€€€€€"]
        {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn a_span_before_now_is_a_moment() {
        assert!(parse_time("7d ago").unwrap().seconds < timestamp(OffsetDateTime::now_utc()).seconds);
        assert!(parse_time("x ago").is_err());
        assert!(parse_time("9999999999y ago").is_err());
    }

    #[test]
    fn digits_alone_are_a_revision() {
        assert_eq!(parse_as_of("17").unwrap().at, Some(At::Revision(17)));
        assert!(matches!(parse_as_of("2026-01-31").unwrap().at, Some(At::Time(_))));
    }

    #[test]
    fn times_are_printed_in_utc() {
        let moment = Timestamp { seconds: 1_488_326_400, nanos: 5_000 };
        assert_eq!(rfc3339(Some(&moment)).unwrap(), "2017-03-01T00:00:00.000005Z");
        assert_eq!(short(Some(&moment)), "2017-03-01");
        assert_eq!(short(Some(&Timestamp { seconds: i64::MAX, nanos: 0 })), "");
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([0, 999, 8800, -1_234_567].map(grouped), ["0", "999", "8,800", "-1,234,567"]);
    }
}
