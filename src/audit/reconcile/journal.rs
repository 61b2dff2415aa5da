//! The systemd journal, as `journalctl` exports it. (<https://systemd.io/JOURNAL_EXPORT_FORMATS/>)

use serde::Deserialize;

use super::auth::tried;
use super::clock::Clock;
use super::reading::{Found, Reader, Report};

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
    report.covers(at);
    let program = entry.identifier.text().or_else(|| entry.command.text()).unwrap_or_default();
    let message = entry.message.text().unwrap_or_default();
    if let Some(tried) = tried(&program, message.trim_end()) {
        let host = entry.host.text();
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
