//! Text and times that every format shares.

/// What people typed, safe for a line: control characters, and those that turn text around or are invisible, as `\u{…}`.
pub(super) fn visible(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' | '\u{61C}')
    };
    let shown = |c: char| if hidden(c) { c.escape_unicode().collect() } else { String::from(c) };
    text.chars().map(shown).collect()
}

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
