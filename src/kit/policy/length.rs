//! Lengths of time as a policy writes them: `30m`, `1h`, `90d`.

use std::fmt;

use serde::Deserialize;

/// A whole number of minutes, hours or days, more than none and at most ten years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Length(i64);

/// Not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a length of time: a number and m, h or d, such as 30m, 1h or 90d, at most 3650d")]
pub struct NotALength(pub String);

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const LONGEST: i64 = 3650 * DAY;

impl Length {
    /// That many minutes.
    pub const fn minutes(minutes: u16) -> Self {
        Length(minutes as i64 * MINUTE)
    }

    /// That many hours.
    pub const fn hours(hours: u16) -> Self {
        Length(hours as i64 * HOUR)
    }

    /// That many days.
    pub const fn days(days: u16) -> Self {
        Length(days as i64 * DAY)
    }

    /// In seconds.
    pub fn seconds(self) -> i64 {
        self.0
    }

    /// In days, if it is a whole number of them.
    pub fn whole_days(self) -> Option<u32> {
        if self.0 % DAY == 0 { u32::try_from(self.0 / DAY).ok() } else { None }
    }
}

impl TryFrom<String> for Length {
    type Error = NotALength;
    fn try_from(text: String) -> Result<Self, NotALength> {
        let unit = match text.as_bytes().last() {
            Some(b'm') => MINUTE,
            Some(b'h') => HOUR,
            Some(b'd') => DAY,
            _ => return Err(NotALength(text)),
        };
        let digits = &text[..text.len() - 1];
        let number = match digits.bytes().all(|c| c.is_ascii_digit()) {
            true => digits.parse::<i64>().ok(),
            false => None,
        };
        match number.and_then(|number| number.checked_mul(unit)) {
            Some(seconds @ 1..=LONGEST) => Ok(Length(seconds)),
            _ => Err(NotALength(text)),
        }
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = match self.0 {
            seconds if seconds % DAY == 0 => (seconds / DAY, "day"),
            seconds if seconds % HOUR == 0 => (seconds / HOUR, "hour"),
            seconds => (seconds / MINUTE, "minute"),
        };
        write!(f, "{number} {unit}{}", if number == 1 { "" } else { "s" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit_and_nothing_else() {
        for (text, seconds, words) in [
            ("1m", 60, "1 minute"),
            ("90m", 5400, "90 minutes"),
            ("60m", 3600, "1 hour"),
            ("1h", 3600, "1 hour"),
            ("24h", 86_400, "1 day"),
            ("365d", 31_536_000, "365 days"),
        ] {
            let length = Length::try_from(text.to_owned()).unwrap();
            assert_eq!((length.seconds(), length.to_string().as_str()), (seconds, words), "{text}");
        }
        for wrong in ["", "h", "0h", "-1h", "+1h", "1 h", "1.5h", "1", "1w", "3651d", "99999999999999999999d"]
        {
            assert!(Length::try_from(wrong.to_owned()).is_err(), "{wrong:?}");
        }
        assert_eq!(Length::days(90).whole_days(), Some(90));
        assert_eq!(Length::hours(25).whole_days(), None);
    }
}
