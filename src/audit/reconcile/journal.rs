//! The systemd journal, as `journalctl` exports it. (<https://systemd.io/JOURNAL_EXPORT_FORMATS/>)

use serde::Deserialize;

use super::auth::{logs_logins, tried};
use super::clock::Clock;
use super::reading::{Found, Reader, Report, brief};

/// `journalctl -o json`, one object an entry.
pub(super) struct Json;

/// `journalctl -o export`, as [`super::split::Entries`] cuts it.
pub(super) struct Export;

/// The fields that count. A field is text; a list of bytes, where it is no text; a list of these, where it was given more than once;
/// `null`, where it is too long.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    #[serde(rename = "__REALTIME_TIMESTAMP")]
    received: Field,
    #[serde(rename = "_SOURCE_REALTIME_TIMESTAMP")]
    sent: Field,
    #[serde(rename = "_HOSTNAME")]
    host: Field,
    #[serde(rename = "SYSLOG_IDENTIFIER")]
    identifier: Field,
    #[serde(rename = "_COMM")]
    command: Field,
    #[serde(rename = "_UID")]
    user: Field,
    #[serde(rename = "MESSAGE")]
    message: Field,
}

#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Field {
    Text(String),
    Bytes(Vec<u8>),
    Many(Vec<Field>),
    #[default]
    None,
}

impl Field {
    /// The first value, as text.
    fn text(&self) -> Option<String> {
        match self {
            Field::Text(text) => Some(text.clone()),
            Field::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            Field::Many(values) => values.first().and_then(|first| match first {
                Field::Many(_) => None,
                other => other.text(),
            }),
            Field::None => None,
        }
    }
}

impl Reader for Json {
    fn piece(&mut self, line: u64, bytes: &[u8], _: &mut Clock, report: &mut Report<'_>) {
        match serde_json::from_slice::<Entry>(bytes) {
            Ok(entry) => take(line, &entry, report),
            Err(error) => report.unreadable(line, format!("no entry of a journal: {error}")),
        }
    }
}

impl Reader for Export {
    fn piece(&mut self, line: u64, bytes: &[u8], _: &mut Clock, report: &mut Report<'_>) {
        let text = String::from_utf8_lossy(bytes);
        let mut entry = Entry::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
            let field = match name {
                "__REALTIME_TIMESTAMP" => &mut entry.received,
                "_SOURCE_REALTIME_TIMESTAMP" => &mut entry.sent,
                "_HOSTNAME" => &mut entry.host,
                "SYSLOG_IDENTIFIER" => &mut entry.identifier,
                "_COMM" => &mut entry.command,
                "_UID" => &mut entry.user,
                _ => &mut entry.message,
            };
            if let Field::None = field {
                *field = Field::Text(value.to_owned());
            }
        }
        take(line, &entry, report);
    }
}

fn take(line: u64, entry: &Entry, report: &mut Report<'_>) {
    let time = entry.sent.text().or_else(|| entry.received.text());
    let Some(micros) = time.and_then(|time| time.parse::<i64>().ok()) else {
        return report.unreadable(line, "an entry without __REALTIME_TIMESTAMP");
    };
    let at = micros.div_euclid(1_000_000);
    let host = entry.host.text();
    report.covers(at, host.as_deref());
    let message = entry.message.text().unwrap_or_default();
    let message = message.trim_end();
    let program = match sender(entry, message) {
        Ok(program) => program,
        Err(why) => return report.unreadable(line, why),
    };
    if logs_logins(&program, message) && entry.user.text().is_none_or(|user| user == "0") {
        report.shows_logins(host.as_deref());
    }
    if let Some(tried) = tried(&program, message) {
        let found = Found {
            at,
            account: tried.account,
            host: host.as_deref(),
            from: tried.from,
            success: tried.success,
        };
        report.told(line, &format!("{program}: {message}"), &found, tried.trace);
    }
}

/// What sshd is called in `_COMM`: since 9.8 a connection is served by sshd-session, and authenticated by sshd-auth.
const SSHD: [&str; 3] = ["sshd", "sshd-session", "sshd-auth"];
/// Whoever calls these is the user that journald sees, though they run as root: PAM tells of their sessions.
const BY_USERS: [&str; 2] = ["su", "doas"];

/// The program that a line is of, or why it is not of the one that it names. `SYSLOG_IDENTIFIER` is what the sender calls itself, and any
/// user can send one; `_COMM` and `_UID` journald takes from the kernel. (systemd.journal-fields(7))
fn sender(entry: &Entry, message: &str) -> Result<String, String> {
    let command = entry.command.text();
    let own = entry.identifier.text().or_else(|| command.clone()).unwrap_or_default();
    let is_sshd = command.as_deref().is_some_and(|command| SSHD.contains(&command));
    let user = entry.user.text().filter(|user| user != "0");
    if own.starts_with("sshd") || is_sshd {
        let own = if own.starts_with("sshd") { own } else { command.clone().unwrap_or_default() };
        return match (command, user) {
            (Some(command), _) if !is_sshd => {
                Err(format!("says that it is {own}, and its _COMM is {}: not from sshd", brief(&command)))
            }
            // What sshd does as the user who logged in says nothing of logins.
            (_, Some(user)) if tried(&own, message).is_some() => {
                Err(format!("a login, and its _UID is {}: not from sshd, which runs as 0", brief(&user)))
            }
            _ => Ok(own),
        };
    }
    let by_user = command.as_deref().is_some_and(|command| BY_USERS.contains(&command));
    match user {
        Some(user) if !by_user && tried(&own, message).is_some_and(|tried| tried.success) => {
            let command = command.unwrap_or_default();
            let (user, command) = (brief(&user), brief(&command));
            Err(format!(
                "a session that PAM opened, and its _UID is {user}, its _COMM {command:?}: anybody can send that"
            ))
        }
        _ => Ok(own),
    }
}
