//! What a simulated key takes from the world: randomness, time, and a person's finger. All arguments, so that a test
//! can seed the one, move the other by hand and withhold the third.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rand_core::{CryptoRng, Rng, TryCryptoRng, TryRng, UnwrapErr};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How long a YubiKey waits for a touch before it gives up, in milliseconds (yubico-piv-tool issue 185).
pub const TOUCH_WINDOW_MS: u64 = 15_000;

/// Randomness, time and touch, shared by every key that stands in the same surroundings. Clones share the first two, and
/// count touches together.
#[derive(Clone)]
pub struct Surroundings {
    random: Arc<Mutex<dyn CryptoRng + Send>>,
    clock: Arc<dyn Clock>,
    touches: Arc<AtomicU64>,
    /// What the person does when a key blinks.
    pub touch: Touch,
}

impl Surroundings {
    /// From a source of randomness and a clock; touches are given at once.
    pub fn new(random: impl CryptoRng + Send + 'static, clock: impl Clock + 'static) -> Self {
        let (random, clock) = (Arc::new(Mutex::new(random)), Arc::new(clock));
        Surroundings { random, clock, touches: Arc::default(), touch: Touch::AT_ONCE }
    }

    /// The same, with a person who does that.
    pub(super) fn with_touch(&self, touch: Touch) -> Self {
        Surroundings { touch, ..self.clone() }
    }

    /// The operating system's randomness and the machine's monotonic clock.
    pub fn of_this_machine() -> Self {
        Surroundings::new(UnwrapErr(getrandom::SysRng), MachineClock(Instant::now()))
    }

    /// Seeded randomness and a clock that stands still until it is moved: the same story twice gives the same bytes.
    pub fn seeded(seed: u64) -> (Self, HandMovedClock) {
        let clock = HandMovedClock::default();
        (Surroundings::new(SeededRandom::new(seed), clock.clone()), clock)
    }

    /// Fills `bytes` from the source of randomness.
    pub fn fill(&self, bytes: &mut [u8]) {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// The same source of randomness, for who wants one of its own.
    pub fn random(&self) -> Box<dyn CryptoRng + Send> {
        Box::new(SharedRandom(self.random.clone()))
    }

    /// Milliseconds since some moment in the past.
    pub fn milliseconds(&self) -> u64 {
        self.clock.milliseconds()
    }

    /// Waits for a touch as a key that blinks does; `false` if the window went by without one.
    pub(super) fn wait_for_touch(&self) -> bool {
        let (wait, touched) = match self.touch {
            Touch::Given { after_ms } => (after_ms.min(TOUCH_WINDOW_MS), after_ms < TOUCH_WINDOW_MS),
            Touch::Withheld { for_ms } => (for_ms, false),
        };
        self.wait(wait);
        self.touches.fetch_add(u64::from(touched), Ordering::SeqCst);
        touched
    }

    /// How many touches the keys that stand here were given since these surroundings began.
    pub fn touches(&self) -> u64 {
        self.touches.load(Ordering::SeqCst)
    }

    /// Lets that much time pass.
    pub fn wait(&self, milliseconds: u64) {
        if milliseconds > 0 {
            self.clock.wait(milliseconds);
        }
    }
}

struct SharedRandom(Arc<Mutex<dyn CryptoRng + Send>>);

impl SharedRandom {
    fn with<T>(&self, act: impl FnOnce(&mut (dyn CryptoRng + Send)) -> T) -> T {
        act(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl TryRng for SharedRandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.with(|random| random.next_u32()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.with(|random| random.next_u64()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.with(|random| random.fill_bytes(bytes));
        Ok(())
    }
}

impl TryCryptoRng for SharedRandom {}

/// A monotonic clock.
pub trait Clock: Send + Sync {
    /// Milliseconds since some moment in the past.
    fn milliseconds(&self) -> u64;
    /// Returns when that much time has passed on this clock.
    fn wait(&self, milliseconds: u64);
}

/// The machine's monotonic clock; waiting takes real time.
struct MachineClock(Instant);

impl Clock for MachineClock {
    fn milliseconds(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn wait(&self, milliseconds: u64) {
        std::thread::sleep(Duration::from_millis(milliseconds));
    }
}

/// Stands still until moved. Waiting on it moves it, and takes no time.
#[derive(Clone, Default)]
pub struct HandMovedClock(Arc<AtomicU64>);

impl HandMovedClock {
    /// Moves the clock on.
    pub fn advance(&self, milliseconds: u64) {
        self.0.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

impl Clock for HandMovedClock {
    fn milliseconds(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn wait(&self, milliseconds: u64) {
        self.advance(milliseconds);
    }
}

/// What the person does when a key asks for a touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Touch {
    /// Touches it so many milliseconds after it began to blink. Later than [`TOUCH_WINDOW_MS`] is too late.
    Given {
        /// Delay in milliseconds.
        after_ms: u64,
    },
    /// Does not touch it; the key gives up after so many milliseconds (a real one after [`TOUCH_WINDOW_MS`]).
    Withheld {
        /// How long the key waits, in milliseconds.
        for_ms: u64,
    },
}

impl Touch {
    /// Touched at once.
    pub const AT_ONCE: Touch = Touch::Given { after_ms: 0 };
    /// Never touched, and a key that waits as long as a real one.
    pub const NEVER: Touch = Touch::Withheld { for_ms: TOUCH_WINDOW_MS };
}

/// Reproducible bytes from a seed: SHA-256 of seed and counter. For tests; nobody's key comes from here.
pub struct SeededRandom {
    seed: u64,
    block: u64,
    unused: Vec<u8>,
}

impl SeededRandom {
    /// The same seed gives the same bytes.
    pub fn new(seed: u64) -> Self {
        SeededRandom { seed, block: 0, unused: Vec::new() }
    }
}

impl TryRng for SeededRandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for byte in bytes {
            *byte = match self.unused.pop() {
                Some(unused) => unused,
                None => {
                    let input = [self.seed.to_be_bytes(), self.block.to_be_bytes()].concat();
                    self.block += 1;
                    self.unused = Sha256::digest(input).to_vec();
                    self.unused.pop().unwrap_or_default()
                }
            };
        }
        Ok(())
    }
}

impl TryCryptoRng for SeededRandom {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes_however_they_are_asked_for() {
        let (one, _) = Surroundings::seeded(7);
        let (two, _) = Surroundings::seeded(7);
        let (other, _) = Surroundings::seeded(8);
        let whole = one.bytes::<100>();
        let mut parts = [0; 100];
        let (head, tail) = parts.split_at_mut(33);
        two.fill(head);
        two.fill(tail);
        assert_eq!(whole, parts);
        assert_ne!(whole, other.bytes::<100>());
    }
}
