//! Times, stretches of time and foreign text, as reports write them.

/// As `2026-11-21 12:00:05 UTC`; a time that no calendar holds as a number of seconds.
pub fn time(seconds: i64) -> String {
    const YEARS_1_TO_9999: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
    match jiff::Timestamp::from_second(seconds) {
        Ok(time) if YEARS_1_TO_9999.contains(&seconds) => {
            let text = time.to_string();
            format!("{} {} UTC", &text[..10], &text[11..19])
        }
        _ => format!("{seconds} s after 1970"),
    }
}

/// The day of it, as `2026-11-21`.
pub fn day(seconds: i64) -> String {
    let text = time(seconds);
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// As `58 min`, `3 h 5 min`, `97 days`.
pub fn stretch(seconds: i64) -> String {
    match seconds.max(0) {
        0..60 => format!("{} s", seconds.max(0)),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 if seconds / 60 % 60 == 0 => format!("{} h", seconds / 3_600),
        3_600..172_800 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// `1 record`, `2 records`.
pub fn count(number: usize, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

/// Foreign text on one line: what could move a cursor, turn the direction of reading or hide is shown as `\u{202e}`.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match is_hidden(c) {
            true => shown.extend(c.escape_unicode()),
            false => shown.push(c),
        }
    }
    shown
}

/// The same set as `HIDDEN` in `page/bytes.js`.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}')
        || matches!(c, '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_of_one_width_and_never_fail() {
        assert_eq!(time(1_795_262_405), "2026-11-21 12:00:05 UTC");
        assert_eq!(time(-1), "1969-12-31 23:59:59 UTC");
        assert_eq!(time(i64::MAX), "9223372036854775807 s after 1970");
        assert_eq!(day(1_795_262_405), "2026-11-21");
    }

    #[test]
    fn stretches_are_short() {
        let all = [(-5, "0 s"), (59, "59 s"), (3_480, "58 min"), (7_200, "2 h"), (11_100, "3 h 5 min")];
        for (seconds, text) in all.into_iter().chain([(97 * 86_400, "97 days")]) {
            assert_eq!(stretch(seconds), text);
        }
    }

    #[test]
    fn what_hides_is_shown() {
        let text = "a\x1b[2J\u{202e}b\nc\u{e0041}ä</script>";
        assert_eq!(visible(text), "a\\u{1b}[2J\\u{202e}b\\u{a}c\\u{e0041}ä</script>");
    }
}
