use std::{fmt, ops::RangeInclusive};

use prost_types::{Duration, Timestamp};

use super::Rule;

const NANOS_PER_SECOND: i128 = 1_000_000_000;
/// 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z, in seconds since 1970.
const TIMESTAMP_SECONDS: RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
/// About 10,000 years: what `google.protobuf.Duration` can say.
const DURATION_SECONDS: RangeInclusive<i64> = -315_576_000_000..=315_576_000_000;

/// A rule for moments: one that `google.protobuf.Timestamp` can mean.
pub(in crate::validate) struct ValidTimestamp;

impl Rule for ValidTimestamp {
    type Value = Timestamp;

    fn holds(&self, value: &Timestamp) -> bool {
        TIMESTAMP_SECONDS.contains(&value.seconds) && (0..=999_999_999).contains(&value.nanos)
    }
}

impl fmt::Display for ValidTimestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be a moment of the years 0001 to 9999, with 0 to 999999999 nanoseconds")
    }
}

/// A rule for lengths of time.
pub(in crate::validate) enum DurationRule {
    /// One that `google.protobuf.Duration` can mean.
    Valid,
    /// At least this.
    Gte(Duration),
    /// At most this.
    Lte(Duration),
}

impl Rule for DurationRule {
    type Value = Duration;

    fn holds(&self, value: &Duration) -> bool {
        match self {
            Self::Valid => is_duration(value),
            Self::Gte(min) => nanos(value) >= nanos(min),
            Self::Lte(max) => nanos(value) <= nanos(max),
        }
    }
}

fn is_duration(value: &Duration) -> bool {
    let one_sign = value.seconds.signum() * i64::from(value.nanos.signum()) >= 0;
    let whole_nanos = (-999_999_999..=999_999_999).contains(&value.nanos);
    DURATION_SECONDS.contains(&value.seconds) && whole_nanos && one_sign
}

fn nanos(value: &Duration) -> i128 {
    i128::from(value.seconds) * NANOS_PER_SECOND + i128::from(value.nanos)
}

impl fmt::Display for DurationRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Valid => {
                f.write_str("must be within 10,000 years, with at most 999999999 nanoseconds of the same sign")
            }
            Self::Gte(min) => write!(f, "must be at least {min}"),
            Self::Lte(max) => write!(f, "must be at most {max}"),
        }
    }
}
