//! Moments and spans of time: the contract has nanoseconds, the service keeps microseconds and drops the rest.

use ownership_proto::v1 as pb;
use prost_types::{Duration, Timestamp};

use crate::domain::time as domain;

const MICROS_PER_SECOND: i64 = 1_000_000;
const NANOS_PER_MICRO: i64 = 1_000;

/// A moment of the contract.
pub(in crate::rpc) fn timestamp(timestamp: Timestamp) -> domain::Timestamp {
    let Timestamp { seconds, nanos } = timestamp;
    domain::Timestamp(micros(seconds, nanos))
}

/// The length of a span of the contract, in microseconds.
pub(super) fn duration_micros(duration: Duration) -> i64 {
    let Duration { seconds, nanos } = duration;
    micros(seconds, nanos)
}

/// A span for the contract.
pub(super) fn duration(micros: i64) -> Duration {
    let Timestamp { seconds, nanos } = to_timestamp(domain::Timestamp(micros));
    Duration { seconds, nanos }
}

fn micros(seconds: i64, nanos: i32) -> i64 {
    seconds.saturating_mul(MICROS_PER_SECOND).saturating_add(i64::from(nanos).div_euclid(NANOS_PER_MICRO))
}

/// A moment for the contract.
pub(in crate::rpc) fn to_timestamp(timestamp: domain::Timestamp) -> Timestamp {
    let nanos = timestamp.0.rem_euclid(MICROS_PER_SECOND) * NANOS_PER_MICRO;
    Timestamp {
        seconds: timestamp.0.div_euclid(MICROS_PER_SECOND),
        // Below a thousand million.
        nanos: i32::try_from(nanos).unwrap_or_default(),
    }
}

/// A span between two moments.
pub(super) fn range(range: Option<pb::TimeRange>) -> domain::TimeRange {
    let pb::TimeRange { start, end } = range.unwrap_or_default();
    domain::TimeRange { start: start.map(timestamp), end: end.map(timestamp) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_survives_the_way_there_and_back_also_before_1970() {
        for micros in [0, 1, -1, 1_700_000_000_123_456, -62_135_596_800_000_000] {
            let moment = domain::Timestamp(micros);
            assert_eq!(timestamp(to_timestamp(moment)), moment);
        }
    }

    #[test]
    fn what_is_finer_than_a_microsecond_is_dropped_towards_the_past() {
        assert_eq!(timestamp(Timestamp { seconds: 1, nanos: 1_999 }), domain::Timestamp(1_000_001));
        assert_eq!(timestamp(Timestamp { seconds: -1, nanos: 999_999_999 }), domain::Timestamp(-1));
    }
}
