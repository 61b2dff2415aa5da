//! When a line was written. Platforms write times without a zone, and syslog even without a year; what is missing is given
//! by the auditor, or assumed and said to be.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

/// A day, in seconds: the last line of a log may be that much later than the date of its file.
const DAY: i64 = 86_400;
/// Half a year, in seconds: a month that goes back further than this belongs to the next year.
const HALF_A_YEAR: i64 = 182 * DAY;

/// Time zone and year of a log that does not say them.
#[derive(Debug, Default)]
pub struct Clock {
    /// Zone of times that name none.
    pub zone: Option<TimeZone>,
    /// Zones by the names that the log uses, such as `CEST`.
    pub named: BTreeMap<String, TimeZone>,
    /// Year of the first line.
    pub year: Option<i16>,
    /// When the log was last written to, Unix seconds: no line is later.
    pub file_time: Option<i64>,
    /// The last time without a year, under the given one.
    last: Option<i64>,
    passed: i16,
    assumed_utc: bool,
    assumed_year: bool,
}

/// A time as a log writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp<'a> {
    pub(super) civil: DateTime,
    pub(super) zone: Mark<'a>,
    /// Bytes that it takes.
    pub(super) length: usize,
}

/// What a log says of the zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark<'a> {
    /// Nothing.
    None,
    /// Seconds east of UTC.
    Offset(i32),
    /// A name, such as `CET`.
    Name(&'a str),
}

/// Not a zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no time zone: UTC, +01:00, or a name that the system's zone files have, such as Europe/Berlin"
)]
pub struct ZoneError(pub String);

/// A zone from text: `UTC`, an offset, or with its zone file's bytes a name such as `Europe/Berlin`.
///
/// # Errors
/// [`ZoneError`], where it is none of these.
pub fn zone(text: &str, file: Option<&[u8]>) -> Result<TimeZone, ZoneError> {
    let wrong = || ZoneError(text.to_owned());
    if matches!(text, "UTC" | "utc" | "GMT" | "Z") {
        return Ok(TimeZone::UTC);
    }
    if let Some(file) = file {
        return TimeZone::tzif(text, file).map_err(|_| wrong());
    }
    match mark(text) {
        (Mark::Offset(seconds), used) if used == text.len() => fixed(seconds).ok_or_else(wrong),
        _ => Err(wrong()),
    }
}

fn fixed(seconds: i32) -> Option<TimeZone> {
    Some(TimeZone::fixed(Offset::from_seconds(seconds).ok()?))
}

impl Clock {
    /// Unix seconds of what a line says, or why that cannot be known.
    pub(super) fn at(&mut self, stamp: &Stamp<'_>) -> Result<i64, String> {
        let zone = match stamp.zone {
            Mark::Offset(seconds) => fixed(seconds).ok_or("a time zone out of range")?,
            Mark::Name("UTC" | "GMT" | "Z") => TimeZone::UTC,
            Mark::Name(name) => match (self.named.get(name), &self.zone) {
                (Some(zone), _) | (None, Some(zone)) => zone.clone(),
                (None, None) => {
                    return Err(format!("time zone {name} is not known: say what it is, as {name}=+01:00"));
                }
            },
            Mark::None => self.unmarked(),
        };
        seconds(stamp.civil, &zone)
    }

    /// The zone of times that name none.
    fn unmarked(&mut self) -> TimeZone {
        match &self.zone {
            Some(zone) => zone.clone(),
            None => {
                self.assumed_utc = true;
                TimeZone::UTC
            }
        }
    }

    /// Unix seconds of a month, day and time without a year, in the order of the log.
    pub(super) fn yearless(&mut self, month: i8, day: i8, time: (i8, i8, i8)) -> Result<i64, String> {
        let zone = self.unmarked();
        let in_year = |year: i16| {
            let civil = DateTime::new(year, month, day, time.0, time.1, time.2, 0);
            civil.map_err(|_| "no such day".to_owned()).and_then(|civil| seconds(civil, &zone))
        };
        match (self.year, self.file_time) {
            (Some(first), _) => {
                let year = first.saturating_add(self.passed);
                let mut at = in_year(year)?;
                if let Some(last) = self.last {
                    // A line that was kept back over the turn of the year: the log itself goes on in the new one.
                    let late = |before: &i64| (last - DAY..=last).contains(before);
                    if self.passed > 0
                        && at > last + HALF_A_YEAR
                        && let Some(before) = in_year(year - 1).ok().filter(late)
                    {
                        return Ok(before);
                    }
                    if at < last - HALF_A_YEAR {
                        self.passed += 1;
                        at = in_year(first.saturating_add(self.passed))?;
                    }
                }
                self.last = Some(at);
                Ok(at)
            }
            (None, Some(file)) => {
                self.assumed_year = true;
                let newest = jiff::Timestamp::from_second(file)
                    .map_err(|_| "the date of the file is out of range")?
                    .to_zoned(zone.clone())
                    .year();
                // The 29th of February may lie some years back.
                (0..9)
                    .filter_map(|back| in_year(newest.checked_add(1)?.checked_sub(back)?).ok())
                    .find(|at| *at <= file.saturating_add(DAY))
                    .ok_or_else(|| "no such day".to_owned())
            }
            (None, None) => Err("its time has no year, and the log has no date: say the year".to_owned()),
        }
    }

    /// What was assumed, in sentences.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.assumed_year {
            let date = self.file_time.map(super::matching::time).unwrap_or_default();
            notes.push(format!(
                "its times have no year: each was taken for the last such day up to {date}, the date of the file"
            ));
        }
        if self.assumed_utc {
            notes.push("its times have no zone: UTC was assumed".to_owned());
        }
        notes
    }
}

fn seconds(civil: DateTime, zone: &TimeZone) -> Result<i64, String> {
    zone.to_timestamp(civil).map(|at| at.as_second()).map_err(|_| "a time out of range".to_owned())
}

/// `2026-11-21 12:00:00`, with `T` or blank, any fraction, and then `Z`, an offset, or after a blank a zone's name.
pub(super) fn iso(text: &str) -> Option<Stamp<'_>> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i16> {
        let digits = bytes.get(from..to)?;
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then(|| digits.iter().fold(0, |n, c| n * 10 + i16::from(c - b'0')))
    };
    let short = |from: usize| number(from, from + 2).and_then(|n| i8::try_from(n).ok());
    let is = |at: usize, any: &[u8]| bytes.get(at).is_some_and(|byte| any.contains(byte));
    let separated = is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":");
    if !separated {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, short(5)?, short(8)?);
    let (hour, minute, second) = (short(11)?, short(14)?, short(17)?);
    let civil = DateTime::new(year, month, day, hour, minute, second.min(59), 0).ok()?;
    let mut length = 19;
    if is(length, b".,") && bytes.get(length + 1).is_some_and(u8::is_ascii_digit) {
        length += 1 + bytes[length + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    }
    let (zone, used) = mark(&text[length..]);
    if zone != Mark::None {
        return Some(Stamp { civil, zone, length: length + used });
    }
    if let Some(rest) = text[length..].strip_prefix(' ') {
        let (zone, used) = mark(rest);
        let upper = matches!(zone, Mark::Name(name) if name.len() >= 2);
        if upper || matches!(zone, Mark::Offset(_)) {
            return Some(Stamp { civil, zone, length: length + 1 + used });
        }
    }
    Some(Stamp { civil, zone: Mark::None, length })
}

/// The zone that text begins with, and how many bytes it takes.
fn mark(text: &str) -> (Mark<'_>, usize) {
    let bytes = text.as_bytes();
    let digits = |from: usize| -> Option<i32> {
        let pair = bytes.get(from..from + 2)?;
        pair.iter()
            .all(u8::is_ascii_digit)
            .then(|| i32::from(pair[0] - b'0') * 10 + i32::from(pair[1] - b'0'))
    };
    match bytes.first() {
        Some(sign @ (b'+' | b'-')) => {
            let Some(hours) = digits(1) else { return (Mark::None, 0) };
            let colon = usize::from(bytes.get(3) == Some(&b':'));
            let (minutes, used) = match digits(3 + colon) {
                Some(minutes) => (minutes, 5 + colon),
                None => (0, 3),
            };
            let seconds = hours * 3_600 + minutes * 60;
            (Mark::Offset(if *sign == b'-' { -seconds } else { seconds }), used)
        }
        Some(b'A'..=b'Z') => {
            let used = bytes.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
            let ends = bytes.get(used).is_none_or(|byte| !byte.is_ascii_alphanumeric());
            if ends && used <= 5 { (Mark::Name(&text[..used]), used) } else { (Mark::None, 0) }
        }
        Some(b'z') => (Mark::Offset(0), 1),
        _ => (Mark::None, 0),
    }
}

/// Seconds of a number that counts them, or thousandths of them, since 1970.
pub(super) fn unix(text: &str, thousandths: bool) -> Option<i64> {
    let whole = text.split('.').next()?.parse::<i64>().ok()?;
    Some(if thousandths { whole.div_euclid(1_000) } else { whole })
}

/// By a format of strptime; a zone, if it reads one, counts.
pub(super) fn strptime(clock: &mut Clock, format: &str, text: &str) -> Result<i64, String> {
    let broken = jiff::fmt::strtime::parse(format, text)
        .map_err(|_| format!("{:?} is no time of the form {format}", super::reading::brief(text)))?;
    if let Ok(at) = broken.to_timestamp() {
        return Ok(at.as_second());
    }
    let civil = broken.to_datetime().map_err(|_| format!("{format} leaves the date or the time open"))?;
    clock.at(&Stamp { civil, zone: Mark::None, length: text.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-21 12:00:00 UTC.
    const NOON: i64 = 1_795_262_400;

    fn at(text: &str) -> Result<i64, String> {
        Clock::default().at(&iso(text).ok_or("no time")?)
    }

    #[test]
    fn every_spelling_is_the_same_second() {
        for text in [
            "2026-11-21T12:00:00Z",
            "2026-11-21T12:00:00.123456789Z rest",
            "2026-11-21 13:00:00+01:00",
            "2026-11-21 13:00:00,5+0100",
            "2026-11-21 13:00:00 +01",
            "2026-11-21 12:00:00.000 UTC [123] LOG:",
            "2026-11-21 09:00:00.000 -03 [123]",
            "2026-11-21 12:00:00",
        ] {
            assert_eq!(at(text), Ok(NOON), "{text}");
        }
        for text in [
            "",
            "2026-11-21",
            "2026-13-21 12:00:00",
            "2026-11-21T24:00:00Z",
            "2026-11-21x12:00:00",
            "ä026-11-21 12:00:00",
        ] {
            assert!(at(text).is_err(), "{text}");
        }
        assert_eq!(iso("2026-11-21 12:00:00 host x").unwrap().zone, Mark::None);
    }

    #[test]
    fn a_zone_by_name_must_be_told_and_knows_its_summer() {
        assert!(at("2026-11-21 13:00:00 CET").unwrap_err().contains("CET=+01:00"));
        let mut clock = Clock::default();
        clock.named.insert("CET".into(), zone("+01:00", None).unwrap());
        assert_eq!(clock.at(&iso("2026-11-21 13:00:00 CET").unwrap()), Ok(NOON));
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let mut clock = Clock { zone: Some(berlin), ..Clock::default() };
        assert_eq!(clock.at(&iso("2026-11-21 13:00:00").unwrap()), Ok(NOON));
        assert_eq!(clock.at(&iso("2026-07-21 14:00:00").unwrap()), Ok(NOON - 123 * DAY));
        assert!(zone("Mars/Olympus", None).is_err() && zone("+99:00", None).is_err());
    }

    #[test]
    fn a_year_is_inferred_from_the_file_and_said_to_be() {
        let mut clock = Clock { file_time: Some(NOON), ..Clock::default() };
        assert_eq!(clock.yearless(11, 21, (12, 0, 0)), Ok(NOON));
        assert_eq!(clock.yearless(12, 31, (12, 0, 0)), Ok(NOON - 325 * DAY)); // of the year before
        assert_eq!(clock.yearless(2, 29, (0, 0, 0)).unwrap(), 1_709_164_800); // of 2024
        assert!(clock.yearless(2, 30, (0, 0, 0)).is_err());
        assert_eq!(clock.notes().len(), 2);
        assert!(clock.notes()[0].contains("2026-11-21T12:00:00Z"));
    }

    #[test]
    fn a_given_year_goes_on_into_the_next() {
        let mut clock = Clock { year: Some(2026), ..Clock::default() };
        assert_eq!(clock.yearless(11, 21, (12, 0, 0)), Ok(NOON));
        assert_eq!(clock.yearless(1, 1, (12, 0, 0)), Ok(NOON + 41 * DAY));
        assert_eq!(clock.yearless(1, 1, (11, 0, 0)), Ok(NOON + 41 * DAY - 3_600));
        assert!(Clock::default().yearless(1, 1, (0, 0, 0)).unwrap_err().contains("say the year"));
    }

    #[test]
    fn a_line_that_comes_late_at_the_turn_of_the_year_is_of_the_old_one() {
        // 2027-01-01 00:00:00 UTC.
        const NEW_YEAR: i64 = 1_798_761_600;
        let mut clock = Clock { year: Some(2026), ..Clock::default() };
        for (month, day, time, expected) in [
            (12, 31, (23, 59, 58), NEW_YEAR - 2),
            (1, 1, (0, 0, 1), NEW_YEAR + 1),
            (12, 31, (23, 59, 59), NEW_YEAR - 1),
            (1, 1, (0, 0, 2), NEW_YEAR + 2),
            (3, 1, (0, 0, 0), NEW_YEAR + 59 * DAY),
        ] {
            assert_eq!(clock.yearless(month, day, time), Ok(expected), "{month}-{day} {time:?}");
        }
    }

    #[test]
    fn a_form_of_strptime_reads_what_its_locale_writes() {
        let mut clock = Clock::default();
        assert_eq!(strptime(&mut clock, "%d.%m.%Y %H:%M:%S", "21.11.2026 12:00:00"), Ok(NOON));
        assert_eq!(strptime(&mut clock, "%m/%d/%Y %I:%M:%S %p", "11/21/2026 12:00:00 PM"), Ok(NOON));
        assert_eq!(strptime(&mut clock, "%Y-%m-%d %H:%M %z", "2026-11-21 13:00 +0100"), Ok(NOON));
        assert!(strptime(&mut clock, "%d.%m.%Y", "21.11.2026 x").is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String, month: i8, day: i8, time: (i8, i8, i8), file: Option<i64>, year: Option<i16>) {
            let _ = iso(&text).map(|stamp| Clock::default().at(&stamp));
            let mut clock = Clock { file_time: file, year, ..Clock::default() };
            let _ = clock.yearless(month, day, time);
            let _ = clock.yearless(day, month, time);
            let _ = (unix(&text, true), unix(&text, false), zone(&text, None));
            clock.notes();
        }
    }
}
