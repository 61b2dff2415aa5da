//! PostgreSQL's log in its three forms. Logins are there where `log_connections` is on; failures always are.
//! (PostgreSQL 15 documentation, section 20.8; messages in English, as `lc_messages = C` gives them.)

use std::collections::HashMap;

use serde::Deserialize;

use super::clock::{Clock, Stamp, iso, unix};
use super::reading::{Found, Reader, Report};
use super::trace::Trace;

/// `log_destination = stderr`, whatever `log_line_prefix` has, as long as a time is in it.
#[derive(Default)]
pub(super) struct Stderr {
    /// Where each process' client is, from "connection received".
    clients: HashMap<u32, String>,
}

/// `log_destination = csvlog`.
pub(super) struct Csv;

/// `log_destination = jsonlog` (from PostgreSQL 15).
pub(super) struct Json;

/// So many clients are remembered at once.
const MOST_CLIENTS: usize = 65_536;

const SEVERITIES: [&str; 4] = ["LOG:  ", "FATAL:  ", "ERROR:  ", "WARNING:  "];

/// The subject of the client certificate that a message says somebody came with.
fn certified(message: &str) -> Option<Trace> {
    let (name, _) =
        message.strip_prefix("connection authenticated: identity=\"")?.rsplit_once("\" method=cert")?;
    Some(Trace::Name(name.to_owned()))
}

/// What a message says of a login.
fn tried(message: &str) -> Option<(&str, bool)> {
    let authorized = message
        .strip_prefix("connection authorized: user=")
        .or_else(|| message.strip_prefix("replication connection authorized: user="));
    if let Some(rest) = authorized {
        let ends = [" database=", " application_name=", " SSL enabled", " GSS ("];
        let end = ends.iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
        return Some((&rest[..end], true));
    }
    let refused = [" authentication failed for user \"", "pg_hba.conf rejects ", "no pg_hba.conf entry for "];
    let role = message.strip_prefix("role \"").filter(|rest| {
        rest.ends_with("\" does not exist") || rest.ends_with("\" is not permitted to log in")
    });
    if let Some(rest) = role {
        return Some((rest.rsplit_once('"')?.0, false));
    }
    let how = refused.iter().find(|how| message.contains(**how))?;
    let rest = match how.strip_suffix('"') {
        Some(_) => message.split_once(how)?.1.strip_suffix('"')?,
        None => message.split_once(", user \"")?.1.split_once("\", ")?.0,
    };
    Some((rest, false))
}

impl Reader for Stderr {
    fn piece(&mut self, line: u64, bytes: &[u8], clock: &mut Clock, report: &mut Report<'_>) {
        let text = String::from_utf8_lossy(bytes);
        if text.starts_with('\t') {
            return; // goes on from the line before
        }
        let marker = SEVERITIES.iter().filter_map(|marker| Some((text.find(marker)?, marker.len()))).min();
        // DETAIL, HINT, STATEMENT and others tell of no login, but of a time.
        let prefix = marker.map_or(&*text, |(at, _)| &text[..at]);
        let at = match time(prefix) {
            Some(Ok(stamp)) => clock.at(&stamp),
            Some(Err(at)) => Ok(at),
            None if marker.is_some() => {
                Err("no time before its severity: log_line_prefix needs %m, %t or %n".to_owned())
            }
            None => Err("no line of a PostgreSQL log".to_owned()),
        };
        let at = match at {
            Ok(at) => at,
            Err(why) => return report.unreadable(line, why),
        };
        report.covers(at, None);
        let Some((from, length)) = marker else { return };
        let message = &text[from + length..];
        let process = process(prefix);
        if let Some(rest) = message.strip_prefix("connection received: host=") {
            if self.clients.len() >= MOST_CLIENTS {
                self.clients.clear();
            }
            let host = rest.split(' ').next().unwrap_or(rest);
            if let Some(process) = process {
                self.clients.insert(process, host.chars().take(256).collect());
            }
        }
        let from = process.and_then(|process| self.clients.get(&process)).map(String::as_str);
        tell(line, &text, message, (at, from), report);
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

/// Whether it begins like csvlog: a time, a comma, and then quotes or commas.
pub(super) fn looks_like_csv(start: &str) -> bool {
    iso(start).is_some_and(|stamp| start[stamp.length..].starts_with(','))
}

impl Reader for Csv {
    fn piece(&mut self, line: u64, bytes: &[u8], clock: &mut Clock, report: &mut Report<'_>) {
        let Some(row) = super::table::row(bytes, b',') else {
            return report.unreadable(line, "no row of CSV");
        };
        let (Some(time), Some(message)) = (row.get(0), row.get(13)) else {
            return report.unreadable(line, format!("{} columns, and a csvlog has 14 at least", row.len()));
        };
        let from = row.get(4).map(|client| client.rsplit_once(':').map_or(client, |(host, _)| host));
        entry(line, bytes, &Entry { time, message, from }, clock, report);
    }
}

#[derive(Deserialize)]
struct Object {
    timestamp: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    remote_host: Option<String>,
}

impl Reader for Json {
    fn piece(&mut self, line: u64, bytes: &[u8], clock: &mut Clock, report: &mut Report<'_>) {
        match serde_json::from_slice::<Object>(bytes) {
            Err(error) => report.unreadable(line, format!("no entry of a jsonlog: {error}")),
            Ok(Object { timestamp, message, remote_host }) => {
                let parts = Entry { time: &timestamp, message: &message, from: remote_host.as_deref() };
                entry(line, bytes, &parts, clock, report);
            }
        }
    }
}

struct Entry<'a> {
    time: &'a str,
    message: &'a str,
    from: Option<&'a str>,
}

fn entry(line: u64, bytes: &[u8], entry: &Entry<'_>, clock: &mut Clock, report: &mut Report<'_>) {
    match iso(entry.time).ok_or_else(|| "no time".to_owned()).and_then(|stamp| clock.at(&stamp)) {
        Err(why) => report.unreadable(line, why),
        Ok(at) => {
            report.covers(at, None);
            tell(line, &String::from_utf8_lossy(bytes), entry.message, (at, entry.from), report);
        }
    }
}

/// What a message says of a login, of that time and from there.
fn tell(line: u64, raw: &str, message: &str, (at, from): (i64, Option<&str>), report: &mut Report<'_>) {
    // Refusals are logged even where `log_connections` is off: they show nothing of logins.
    if message.starts_with("connection ") {
        report.shows_logins(None);
    }
    if let Some(trace) = certified(message) {
        let found = Found { at, account: "", host: None, from, success: true };
        report.minted(line, raw, &found, trace);
    }
    if let Some((account, success)) = tried(message) {
        report.login(line, raw, &Found { at, account, host: None, from, success });
    }
}
