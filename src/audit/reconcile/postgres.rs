//! PostgreSQL's log in its three forms. Logins are there where `log_connections` is on; failures always are.
//! (PostgreSQL 15 documentation, section 20.8; messages in English, as `lc_messages = C` gives them.)

use serde::Deserialize;

use super::clock::{Clock, iso};
use super::reading::{Found, Reader, Report};
use super::trace::Trace;

mod stderr;

pub(super) use stderr::Stderr;

/// `log_destination = csvlog`.
pub(super) struct Csv;

/// `log_destination = jsonlog` (from PostgreSQL 15).
pub(super) struct Json;

/// What a message with that severity says of a login.
enum Says<'a> {
    /// Who was let in.
    In(&'a str),
    /// The subject of the certificate that somebody came with.
    With(Trace),
    /// Who was refused.
    Refused(&'a str),
    /// Where a client is that has connected.
    Client(&'a str),
}

impl<'a> Says<'a> {
    /// Only these two severities say such things: what a session of a user says as it likes has others, but `RAISE LOG`.
    fn of(severity: &str, message: &'a str) -> Option<Self> {
        match severity {
            "LOG" => certified(message)
                .map(Says::With)
                .or_else(|| authorized(message).map(Says::In))
                .or_else(|| message.strip_prefix("connection received: host=").map(Says::Client)),
            "FATAL" => refused(message).map(Says::Refused),
            _ => None,
        }
    }

    fn is_login(&self) -> bool {
        !matches!(self, Says::Client(_))
    }
}

/// The subject of the client certificate that a message says somebody came with.
fn certified(message: &str) -> Option<Trace> {
    let (name, _) =
        message.strip_prefix("connection authenticated: identity=\"")?.rsplit_once("\" method=cert")?;
    Some(Trace::Name(name.to_owned()))
}

/// Whom a message says to be let in.
fn authorized(message: &str) -> Option<&str> {
    let rest = message.strip_prefix("replication ").unwrap_or(message);
    let rest = rest.strip_prefix("connection authorized: user=")?;
    let ends = [" database=", " application_name=", " SSL enabled", " GSS ("];
    let end = ends.iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
    Some(&rest[..end])
}

/// Whom a message says to be refused.
fn refused(message: &str) -> Option<&str> {
    let refused = [" authentication failed for user \"", "pg_hba.conf rejects ", "no pg_hba.conf entry for "];
    let role = message.strip_prefix("role \"").filter(|rest| {
        rest.ends_with("\" does not exist") || rest.ends_with("\" is not permitted to log in")
    });
    if let Some(rest) = role {
        return Some(rest.rsplit_once('"')?.0);
    }
    let how = refused.iter().find(|how| message.contains(**how))?;
    match how.strip_suffix('"') {
        Some(_) => message.split_once(how)?.1.strip_suffix('"'),
        None => Some(message.split_once(", user \"")?.1.split_once("\", ")?.0),
    }
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
        let column = |number| row.get(number).unwrap_or_default();
        let (severity, doing) = (column(11), column(7));
        let parts =
            Entry { time, severity, message, from, doing, context: column(18), statement: column(19) };
        entry(line, bytes, &parts, clock, report);
    }
}

#[derive(Deserialize)]
struct Object {
    timestamp: String,
    #[serde(default)]
    error_severity: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    remote_host: Option<String>,
    #[serde(default)]
    ps: String,
    #[serde(default)]
    context: String,
    #[serde(default)]
    statement: String,
}

impl Reader for Json {
    fn piece(&mut self, line: u64, bytes: &[u8], clock: &mut Clock, report: &mut Report<'_>) {
        match serde_json::from_slice::<Object>(bytes) {
            Err(error) => report.unreadable(line, format!("no entry of a jsonlog: {error}")),
            Ok(object) => {
                let parts = Entry {
                    time: &object.timestamp,
                    severity: &object.error_severity,
                    message: &object.message,
                    from: object.remote_host.as_deref(),
                    doing: &object.ps,
                    context: &object.context,
                    statement: &object.statement,
                };
                entry(line, bytes, &parts, clock, report);
            }
        }
    }
}

struct Entry<'a> {
    time: &'a str,
    severity: &'a str,
    message: &'a str,
    from: Option<&'a str>,
    /// What the process shows that it does; empty where `update_process_title` is off.
    doing: &'a str,
    context: &'a str,
    statement: &'a str,
}

impl Entry<'_> {
    /// The words of a session: `RAISE LOG` writes what any user of the database likes, as PostgreSQL's own severity. What the server
    /// itself says of a login it says before the session, without a statement.
    fn is_of_a_session(&self) -> bool {
        let before = ["", "authentication", "startup", "initializing"];
        !before.contains(&self.doing) || !self.context.is_empty() || !self.statement.is_empty()
    }
}

fn entry(line: u64, bytes: &[u8], entry: &Entry<'_>, clock: &mut Clock, report: &mut Report<'_>) {
    match iso(entry.time).ok_or_else(|| "no time".to_owned()).and_then(|stamp| clock.at(&stamp)) {
        Err(why) => report.unreadable(line, why),
        Ok(at) => {
            report.covers(at, None);
            let Some(says) = Says::of(entry.severity, entry.message) else { return };
            if entry.severity == "LOG" && entry.is_of_a_session() {
                return report.unreadable(line, OF_A_SESSION);
            }
            tell(line, &String::from_utf8_lossy(bytes), says, (at, entry.from), report);
        }
    }
}

/// Why what looks like a login is none.
const OF_A_SESSION: &str = "says who was let in, and it is a statement within a session that says so (RAISE LOG): not from the server";

/// What a message says of a login, of that time and from there.
fn tell(line: u64, raw: &str, says: Says<'_>, (at, from): (i64, Option<&str>), report: &mut Report<'_>) {
    let found = |account, success| Found { at, account, host: None, from, success };
    // Refusals are logged even where `log_connections` is off: they show nothing of logins.
    if !matches!(says, Says::Refused(_)) {
        report.shows_logins(None);
    }
    match says {
        Says::In(account) => report.login(line, raw, &found(account, true)),
        Says::Refused(account) => report.login(line, raw, &found(account, false)),
        Says::With(trace) => report.minted(line, raw, &found("", true), trace),
        Says::Client(_) => {}
    }
}
