//! `log_destination = stderr`: `PREFIX SEVERITY:  MESSAGE`, where the prefix may hold names that strangers chose, and the message
//! what any user of the database wrote. So a line is believed only where it can be read in one way.

use std::collections::HashMap;

use super::{OF_A_SESSION, Says, tell};
use crate::audit::reconcile::clock::{Clock, Stamp, iso, unix};
use crate::audit::reconcile::reading::{Reader, Report};

/// Severities, and what the fields that follow a message begin with; each with a colon and two blanks after it. (elog.c:
/// `error_severity`, `send_message_to_server_log`)
const WORDS: [&str; 20] = [
    "DEBUG",
    "DEBUG1",
    "DEBUG2",
    "DEBUG3",
    "DEBUG4",
    "DEBUG5",
    "LOG",
    "INFO",
    "NOTICE",
    "WARNING",
    "ERROR",
    "FATAL",
    "PANIC",
    "DETAIL",
    "HINT",
    "QUERY",
    "CONTEXT",
    "LOCATION",
    "BACKTRACE",
    "STATEMENT",
];
/// Fields that follow what a session says, and none that the server says of a login.
const OF_SESSIONS: [&str; 6] = ["DETAIL", "HINT", "QUERY", "CONTEXT", "BACKTRACE", "STATEMENT"];
/// A line with more of these words is read in no way at all.
const MOST_WORDS: usize = 16;
/// User and database of a connection are cut to 63 bytes each: a line break in one of them brings no line that begins further away.
const NAMES: usize = 2 * 64;
/// So many clients are remembered at once.
const MOST_CLIENTS: usize = 65_536;

/// Whatever `log_line_prefix` has, as long as a time is in it.
#[derive(Default)]
pub(in super::super) struct Stderr {
    /// Where each process' client is, from "connection received".
    clients: HashMap<u32, String>,
    /// What says who was let in: the line after it shows whether the server says so.
    held: Option<Held>,
    /// Bytes since the end of a line that broke off before its severity.
    broken: Option<usize>,
}

struct Held {
    line: u64,
    at: i64,
    text: String,
    /// Where its message begins.
    message: usize,
    process: Option<u32>,
}

/// A severity or a field's word in a line.
struct Marker<'a> {
    word: &'static str,
    /// What is before it.
    before: &'a str,
    /// What follows it.
    message: &'a str,
}

fn markers(text: &str) -> impl Iterator<Item = Marker<'_>> {
    memchr::memmem::find_iter(text.as_bytes(), b":  ").filter_map(|colon| {
        let word = WORDS.into_iter().find(|word| text[..colon].ends_with(word))?;
        let message = without_state(&text[colon + 3..]);
        Some(Marker { word, before: &text[..colon - word.len()], message })
    })
}

/// Without the SQLSTATE that `log_error_verbosity = verbose` puts before a message: `00000: `.
fn without_state(message: &str) -> &str {
    match message.split_once(": ") {
        Some((state, rest))
            if state.len() == 5
                && state.bytes().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase())
                && state.bytes().any(|c| c.is_ascii_digit()) =>
        {
            rest
        }
        _ => message,
    }
}

impl Reader for Stderr {
    fn piece(&mut self, line: u64, bytes: &[u8], clock: &mut Clock, report: &mut Report<'_>) {
        let text = String::from_utf8_lossy(bytes);
        let broken = self.broken.filter(|since| *since <= NAMES);
        self.broken = broken.map(|since| since + bytes.len() + 1);
        if text.starts_with('\t') {
            return; // goes on from the line before
        }
        let found: Vec<Marker<'_>> = markers(&text).take(MOST_WORDS + 1).collect();
        let stamp = found.first().and_then(|first| time(first.before));
        self.settle(found.first(), stamp.is_some(), report);
        let Some(first) = found.first() else {
            self.broken = Some(0);
            let timed = time(&text).is_some();
            return report.unreadable(
                line,
                match timed {
                    true => "a time and no severity: lc_messages = C is needed, or a name with a line break broke it off",
                    false => "no line of a PostgreSQL log",
                },
            );
        };
        let at = match stamp {
            Some(Ok(stamp)) => clock.at(&stamp),
            Some(Err(at)) => Ok(at),
            None => Err("no time before its severity: log_line_prefix needs %m, %t or %n".to_owned()),
        };
        let at = match at {
            Ok(at) => at,
            Err(why) => return report.unreadable(line, why),
        };
        let is_login =
            |marker: &Marker<'_>| Says::of(marker.word, marker.message).is_some_and(|says| says.is_login());
        if found.len() > MOST_WORDS || (found.len() > 1 && found.iter().any(is_login)) {
            let words: Vec<&str> = found.iter().take(3).map(|marker| marker.word).collect();
            return report.unreadable(
                line,
                format!(
                    "may be a login or not: it has {} in one line, and names or a statement hold what their user likes. csvlog and jsonlog keep them apart",
                    words.join(", ")
                ),
            );
        }
        if broken.is_some() && is_login(first) {
            let why = "a login right after a line that broke off, which a name with a line break can write";
            return report.unreadable(line, why);
        }
        if broken.is_none() {
            report.covers(at, None); // else its time may be as forged as the rest
        }
        let believed = found.len() == 1 && broken.is_none();
        let Some(says) = Says::of(first.word, first.message).filter(|_| believed) else { return };
        let process = process(first.before);
        if first.word == "LOG" {
            let message = text.len() - first.message.len();
            self.held = Some(Held { line, at, text: text.into_owned(), message, process });
        } else {
            tell(line, &text, says, (at, self.client(process)), report);
        }
    }

    fn end(&mut self, report: &mut Report<'_>) {
        self.settle(None, true, report);
    }
}

impl Stderr {
    /// Tells what was held back, now that the line after it is known. `RAISE LOG` in a session writes any message with the severity of
    /// the server's own; a context and a statement follow it, which the session cannot switch off.
    fn settle(&mut self, next: Option<&Marker<'_>>, whole: bool, report: &mut Report<'_>) {
        let Some(held) = self.held.take() else { return };
        let Some(says) = Says::of("LOG", &held.text[held.message..]) else { return };
        let same = |next: &&Marker<'_>| process(next.before) == held.process;
        let doubt = match next.filter(same).map(|next| next.word) {
            _ if !whole => Some(
                "a login right before a line that is not whole, which a name with a line break can write",
            ),
            Some("LOCATION") => return self.held = Some(held), // verbose, and others may follow
            Some(word) if OF_SESSIONS.contains(&word) => Some(OF_A_SESSION),
            _ => None,
        };
        match doubt {
            Some(why) if says.is_login() => return report.unreadable(held.line, why),
            Some(_) => return,
            None => {}
        }
        if let (Says::Client(client), Some(process)) = (&says, held.process) {
            if self.clients.len() >= MOST_CLIENTS {
                self.clients.clear();
            }
            let host = client.split(' ').next().unwrap_or(client);
            self.clients.insert(process, host.chars().take(256).collect());
        }
        tell(held.line, &held.text, says, (held.at, self.client(held.process)), report);
    }

    fn client(&self, process: Option<u32>) -> Option<&str> {
        process.and_then(|process| self.clients.get(&process)).map(String::as_str)
    }
}

/// The time in a prefix: written out (`%m`, `%t`) or as seconds since 1970 (`%n`).
fn time(prefix: &str) -> Option<Result<Stamp<'_>, i64>> {
    let starts = prefix.char_indices().filter(|(_, c)| c.is_ascii_digit()).map(|(at, _)| at).take(64);
    if let Some(stamp) = starts.clone().find_map(|at| iso(&prefix[at..])) {
        return Some(Ok(stamp));
    }
    starts.clone().find_map(|at| {
        let word = prefix[at..].split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
        let (whole, fraction) = word.split_once('.')?;
        (whole.len() == 10 && fraction.len() == 3).then(|| unix(whole, false))?.map(Err)
    })
}

/// The process in a prefix: the first number in brackets (`[%p]`).
fn process(prefix: &str) -> Option<u32> {
    prefix.split('[').skip(1).find_map(|rest| rest.split_once(']')?.0.split('-').next()?.parse().ok())
}
