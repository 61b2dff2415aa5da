//! How long to wait before something is tried again.

use std::time::Duration;

/// The first wait is up to this long; each further one up to twice the one before.
const FIRST: Duration = Duration::from_millis(500);
/// No wait of our own is longer.
const LONGEST: Duration = Duration::from_secs(60);

/// Time, given by the edge.
pub trait Pace {
    /// Time since some beginning; never goes back.
    fn now(&self) -> Duration;
    /// Unix seconds: for receivers that name a date to come back.
    fn wall_clock(&self) -> i64;
    /// Lets it pass.
    fn sleep(&mut self, wait: Duration);
}

/// Before attempt `attempt + 1`: something between half of the step and the whole of it, so that many stations that were cut off
/// together do not come back together; never less than the receiver asks for.
pub fn wait(attempt: u32, asked: Option<Duration>, random: u64) -> Duration {
    let step = FIRST.saturating_mul(1 << attempt.min(10)).min(LONGEST);
    let half = u64::try_from(step.as_millis() / 2).expect("at most a minute");
    let jitter = Duration::from_millis(half + random % (half + 1));
    match asked {
        // Also what was asked for is spread.
        Some(asked) => asked + jitter.min(FIRST),
        None => jitter,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn waits_grow_and_stay_below_a_minute(attempt in 0u32..100, random: u64) {
            let step = (500u128 << attempt.min(10)).min(60_000);
            let wait = wait(attempt, None, random).as_millis();
            prop_assert!((step / 2..=step).contains(&wait), "{} ms before attempt {}", wait, attempt + 1);
        }

        #[test]
        fn what_the_receiver_asks_for_is_kept(attempt in 0u32..100, asked in 0u64..10_000, random: u64) {
            let asked = Duration::from_secs(asked);
            let wait = wait(attempt, Some(asked), random);
            prop_assert!(wait >= asked && wait <= asked + FIRST);
        }
    }

    #[test]
    fn stations_do_not_come_back_together() {
        let waits: std::collections::BTreeSet<Duration> =
            (0..50u64).map(|station| wait(6, None, station.wrapping_mul(0x9E37_79B9_7F4A_7C15))).collect();
        assert!(waits.len() > 40, "{waits:?}");
    }
}
