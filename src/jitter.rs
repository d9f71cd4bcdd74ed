//! Chance, where what was started together is not to stay together.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Nine to eleven tenths of a span of time.
pub fn jittered(span: Duration) -> Duration {
    // The standard library seeds its hashers at random, which is all that is needed here.
    let random = u16::try_from(RandomState::new().hash_one(()) >> 48).unwrap_or_default();
    span.mul_f64(0.9 + 0.2 * f64::from(random) / f64::from(u16::MAX))
}
