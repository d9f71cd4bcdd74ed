//! Texts for people, and for metadata.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::context::Moment;
use crate::domain::time::Timestamp;

/// Longest message: it stands in the trailers, of which clients read 8 KiB.
const MAX_BYTES: usize = 400;

/// A position as callers wrote it: a revision, or a time in RFC 3339.
pub(super) fn position(moment: &Moment) -> String {
    match moment {
        Moment::Revision(revision) => revision.to_string(),
        Moment::Time(Timestamp(micros)) => {
            let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(*micros) * 1_000).ok();
            time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| micros.to_string())
        }
    }
}

/// A text that is short enough for a message.
pub(super) fn line(text: &str) -> String {
    if text.len() <= MAX_BYTES {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(MAX_BYTES)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Revision;

    #[test]
    fn a_position_is_a_revision_or_a_time() {
        assert_eq!(position(&Moment::Revision(Revision(7))), "7");
        assert_eq!(position(&Moment::Time(Timestamp(1_700_000_000_000_001))), "2023-11-14T22:13:20.000001Z");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let cut = line(&"ä".repeat(400));
        assert!(cut.len() <= MAX_BYTES + "…".len() && cut.ends_with("ä…"));
    }
}
