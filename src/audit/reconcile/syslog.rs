//! Lines of a syslog file: the traditional form without a year (RFC 3164), the form with an RFC 3339 time that rsyslog
//! writes, and RFC 5424; each perhaps with its priority before it.

use jiff::civil::DateTime;

use super::auth::{logs_logins, tried};
use super::clock::{Clock, Mark, Stamp, iso};
use super::reading::{Found, Reader, Report};

/// OpenSSH and PAM in a syslog file.
pub(super) struct Syslog;

/// A line, taken apart.
struct Line<'a> {
    at: i64,
    host: &'a str,
    program: &'a str,
    message: &'a str,
}

impl Reader for Syslog {
    fn piece(&mut self, number: u64, bytes: &[u8], clock: &mut Clock, report: &mut Report<'_>) {
        let text = String::from_utf8_lossy(bytes);
        match line(&text, clock) {
            Err(why) => report.unreadable(number, why),
            Ok(line) => {
                let host = Some(line.host).filter(|host| !matches!(*host, "" | "-"));
                report.covers(line.at, host);
                if logs_logins(line.program, line.message) {
                    report.shows_logins(host);
                }
                if let Some(tried) = tried(line.program, line.message) {
                    let found = Found {
                        at: line.at,
                        account: tried.account,
                        host,
                        from: tried.from,
                        success: tried.success,
                    };
                    report.told(number, &text, &found, tried.trace);
                }
            }
        }
    }
}

fn line<'a>(text: &'a str, clock: &mut Clock) -> Result<Line<'a>, String> {
    let rest = priority(text).unwrap_or(text);
    if let Some(rest) = rest.strip_prefix("1 ")
        && let Some(stamp) = iso(rest)
    {
        let at = clock.at(&stamp)?;
        return rfc5424(at, &rest[stamp.length..]).ok_or_else(|| "no header of RFC 5424".to_owned());
    }
    let (at, rest) = match iso(rest) {
        Some(stamp) => (clock.at(&stamp)?, &rest[stamp.length..]),
        None => traditional(rest, clock)?,
    };
    // HOST PROGRAM[PID]: MESSAGE
    let rest = rest.trim_start_matches(' ');
    let (host, rest) = rest.split_once(' ').ok_or("no host and program after the time")?;
    // "host sshd[1]: …"; some leave the host out: "sshd[1]: …".
    if let Some(program) = host.strip_suffix(':') {
        return Ok(Line { at, host: "", program: name(program), message: rest });
    }
    match rest.split_once(": ") {
        Some((program, message)) => Ok(Line { at, host, program: name(program), message }),
        None => Ok(Line { at, host, program: "", message: rest }),
    }
}

/// What follows `<38>`.
fn priority(text: &str) -> Option<&str> {
    let (number, rest) = text.strip_prefix('<')?.split_once('>')?;
    (number.len() <= 3 && number.bytes().all(|c| c.is_ascii_digit())).then_some(rest)
}

fn name(program: &str) -> &str {
    program.split('[').next().unwrap_or(program)
}

/// ` HOST APP PROCID MSGID SD MESSAGE` (RFC 5424 section 6).
fn rfc5424(at: i64, rest: &str) -> Option<Line<'_>> {
    let mut fields = rest.strip_prefix(' ')?.splitn(5, ' ');
    let (host, program) = (fields.next()?, fields.next()?);
    let (_process, _message_id, rest) = (fields.next()?, fields.next()?, fields.next()?);
    let message = match rest.strip_prefix('-') {
        Some(message) => message,
        None => after_elements(rest)?,
    };
    let message = message.strip_prefix(' ').unwrap_or(message);
    Some(Line { at, host, program, message: message.strip_prefix('\u{FEFF}').unwrap_or(message) })
}

/// What follows `[id name="value" …][…]`; a quote, a backslash or a bracket within a value has a backslash before it.
fn after_elements(text: &str) -> Option<&str> {
    let (mut quoted, mut escaped, mut open) = (false, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'[' if !open => open = true,
            b']' if open => open = false,
            b' ' if !open => return Some(&text[at..]),
            _ if !open => return None,
            _ => {}
        }
    }
    (!open).then_some("")
}

/// `Nov 21 12:00:00`, the day with a blank before it where it has one digit; and the year after it, where some write one.
fn traditional<'a>(text: &'a str, clock: &mut Clock) -> Result<(i64, &'a str), String> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let wrong = || "does not begin with a time".to_owned();
    let (Some(head), Some(rest)) = (text.get(..15), text.get(15..)) else { return Err(wrong()) };
    let bytes = head.as_bytes();
    let month = MONTHS.iter().position(|month| head.starts_with(month)).ok_or_else(wrong)?;
    let number = |at: usize| -> Option<i8> {
        let (tens, ones) = (bytes[at], bytes[at + 1]);
        let tens = if tens == b' ' { b'0' } else { tens };
        (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| ((tens - b'0') * 10 + (ones - b'0')) as i8)
    };
    if bytes[3] != b' ' || bytes[6] != b' ' || bytes[9] != b':' || bytes[12] != b':' || !rest.starts_with(' ')
    {
        return Err(wrong());
    }
    let (Some(day), Some(hour), Some(minute), Some(second)) = (number(4), number(7), number(10), number(13))
    else {
        return Err(wrong());
    };
    let (month, second) = (month as i8 + 1, second.min(59));
    match year(rest) {
        Some((year, rest)) => {
            let civil = DateTime::new(year, month, day, hour, minute, second, 0);
            let civil = civil.map_err(|_| "no such day".to_owned())?;
            Ok((clock.at(&Stamp { civil, zone: Mark::None, length: 0 })?, rest))
        }
        None => Ok((clock.yearless(month, day, (hour, minute, second))?, rest)),
    }
}

/// ` 2026 host program…`: the year, and what follows it. Where a program follows at once, the number is a host's name.
fn year(rest: &str) -> Option<(i16, &str)> {
    let (digits, after) = rest.strip_prefix(' ')?.split_once(' ')?;
    let year = digits.parse().ok().filter(|year| digits.len() == 4 && (1970..=2099).contains(year))?;
    let (host, _) = after.split_once(' ')?;
    (!host.is_empty() && !host.ends_with(':')).then_some((year, &rest[1 + digits.len()..]))
}
