//! How often one client may ask: a bucket of tokens each, which fills with time.

use std::collections::HashMap;
use std::time::Duration;

/// No more clients are remembered. Who is forgotten begins with a full bucket again.
const CLIENTS: usize = 10_000;

/// The buckets.
#[derive(Debug)]
pub struct Rate {
    /// Tokens that come back in a second.
    per_second: f64,
    /// How many a bucket holds.
    burst: f64,
    buckets: HashMap<String, (f64, Duration)>,
}

impl Rate {
    /// So many requests a second, and twice as many at once.
    pub fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second.max(1));
        Rate { per_second, burst: 2.0 * per_second, buckets: HashMap::new() }
    }

    /// Whether this client may ask now; `now` since some beginning.
    pub fn allows(&mut self, client: &str, now: Duration) -> bool {
        let (per_second, burst) = (self.per_second, self.burst);
        let filled = |(tokens, since): (f64, Duration)| {
            (tokens + now.saturating_sub(since).as_secs_f64() * per_second).min(burst)
        };
        if self.buckets.len() >= CLIENTS && !self.buckets.contains_key(client) {
            self.buckets.retain(|_, bucket| filled(*bucket) < burst);
            if self.buckets.len() >= CLIENTS {
                self.buckets.clear();
            }
        }
        let bucket = self.buckets.entry(client.to_owned()).or_insert((burst, now));
        let tokens = filled(*bucket);
        let allowed = tokens >= 1.0;
        *bucket = (if allowed { tokens - 1.0 } else { tokens }, now);
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_may_ask_so_often_and_no_other_suffers() {
        let mut rate = Rate::new(10);
        let at = Duration::from_millis;
        let allowed = (0..100).filter(|_| rate.allows("a", at(0))).count();
        assert_eq!(allowed, 20);
        assert!(rate.allows("b", at(0)));
        let allowed = (0..1000u64).filter(|n| rate.allows("a", at(*n))).count();
        assert!((9..=11).contains(&allowed), "{allowed} in a second");
        assert!(rate.allows("a", at(60_000)));
    }

    #[test]
    fn strangers_do_not_fill_the_memory() {
        let mut rate = Rate::new(1);
        for client in 0..50_000 {
            assert!(rate.allows(&client.to_string(), Duration::ZERO));
        }
        assert!(rate.buckets.len() <= CLIENTS);
    }
}
