//! From when to when a minted credential holds.

use super::MintError;

/// Seconds that a credential reaches back, so that a clock which is ahead by less locks nobody out.
pub const BACKDATED: u64 = 300;
/// Most seconds that it may reach back.
pub const MOST_BACKDATED: u64 = 3_600;
/// Most seconds that anything minted holds, whatever a policy says: after that it is no emergency any more.
pub const LONGEST: u64 = 86_400;
/// 9999-12-31T23:59:59Z, the last time that X.509 can write.
const LAST: u64 = 253_402_300_799;

/// From when to when, in Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    issued: u64,
    from: u64,
    until: u64,
}

impl Window {
    /// For `lifetime` seconds from `now`, and `backdated` seconds before it.
    ///
    /// # Errors
    /// [`MintError::Window`].
    pub fn new(now: u64, lifetime: u64, backdated: u64) -> Result<Self, MintError> {
        let wrong = || MintError::Window { now, lifetime, backdated };
        let until = now.checked_add(lifetime).filter(|until| *until <= LAST).ok_or_else(wrong)?;
        let from = now.checked_sub(backdated).ok_or_else(wrong)?;
        if !(1..=LONGEST).contains(&lifetime) || backdated > MOST_BACKDATED {
            return Err(wrong());
        }
        Ok(Window { issued: now, from, until })
    }

    /// When it was made, by the clock of the machine.
    pub fn issued(&self) -> u64 {
        self.issued
    }

    /// The first second in which it holds.
    pub fn from(&self) -> u64 {
        self.from
    }

    /// The first second in which it does not hold any more. X.509 counts it in.
    pub fn until(&self) -> u64 {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_is_short_and_never_empty() {
        let window = Window::new(1_000_000, 900, BACKDATED).unwrap();
        assert_eq!((window.from(), window.issued(), window.until()), (999_700, 1_000_000, 1_000_900));
        for (now, lifetime, backdated) in [
            (1_000_000, 0, 0),
            (1_000_000, LONGEST + 1, 0),
            (1_000_000, 1, MOST_BACKDATED + 1),
            (10, 1, 11),
            (LAST, 1, 0),
            (u64::MAX, 1, 0),
        ] {
            assert!(
                matches!(Window::new(now, lifetime, backdated), Err(MintError::Window { .. })),
                "{now} {lifetime}"
            );
        }
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for(now: u64, lifetime: u64, backdated: u64) {
            if let Ok(window) = Window::new(now, lifetime, backdated) {
                prop_assert!(window.from() <= window.issued() && window.issued() < window.until());
                prop_assert!(window.until() - window.from() <= LONGEST + MOST_BACKDATED);
            }
        }
    }
}
