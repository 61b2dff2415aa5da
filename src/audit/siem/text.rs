//! Text and times that every format shares.

pub(super) use crate::record::visible::visible;

/// RFC 3339 in UTC, where its four digits can hold the year.
pub(super) fn time(at: i64) -> Option<String> {
    let time = jiff::Timestamp::from_second(at).ok()?;
    let year = time.to_zoned(jiff::tz::TimeZone::UTC).year();
    (0..=9_999).contains(&year).then(|| time.to_string())
}

/// Milliseconds since 1970.
pub(super) fn millis(at: i64) -> i64 {
    at.saturating_mul(1_000)
}
