//! Chance, where what was started together is not to stay together.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Nine to eleven tenths of a span of time.
pub fn jittered(span: Duration) -> Duration {
    // The standard library seeds its hashers at random, which is all that is needed here.
    let random = u16::try_from(RandomState::new().hash_one(()) >> 48).unwrap_or_default();
    span.mul_f64(0.9 + 0.2 * f64::from(random) / f64::from(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_differ_and_by_no_more_than_a_tenth() {
        let spans: Vec<_> = (0..100).map(|_| jittered(Duration::from_secs(100)).as_secs_f64()).collect();
        assert!(spans.iter().all(|span| (90.0..=110.0).contains(span)), "{spans:?}");
        assert!(spans.iter().any(|span| *span < 97.0) && spans.iter().any(|span| *span > 103.0), "{spans:?}");
    }
}
