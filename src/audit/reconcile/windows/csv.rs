//! Events as CSV: `Get-WinEvent | Export-Csv`, the Event Viewer's "save as", EvtxECmd, and tables that have EventData's
//! fields as columns.

use csv::StringRecord;

use super::json::of_data;
use super::{Facts, is_login, message, take, when};
use crate::audit::reconcile::clock::Clock;
use crate::audit::reconcile::reading::{Reader, Report};
use crate::audit::reconcile::table::row;

/// What is between columns: commas, and with `Export-Csv -UseCulture` what the culture has.
pub(in super::super) const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// Events as CSV.
pub(in super::super) struct Csv {
    /// How times are written, where the auditor said.
    time_format: Option<String>,
    heading: Option<Vec<String>>,
    delimiter: u8,
}

impl Csv {
    pub(in super::super) fn new(time_format: Option<String>) -> Self {
        Csv { time_format, heading: None, delimiter: b',' }
    }

    fn value<'a>(&self, row: &'a StringRecord, names: &[&str]) -> Option<&'a str> {
        let heading = self.heading.as_ref()?;
        let index = heading.iter().position(|name| names.contains(&name.as_str()))?;
        row.get(index).map(str::trim)
    }

    fn facts(&self, id: u64, row: &StringRecord) -> Facts {
        let mut facts = Facts::default();
        for name in ["TargetUserName", "TargetDomainName", "IpAddress", "WorkstationName", "Status"] {
            if let Some(value) = self.value(row, &[&name.to_lowercase()]) {
                facts.set(name, value);
            }
        }
        if facts.is_empty()
            && let Some(payload) = self.value(row, &["payload"])
            && let Ok(payload) = serde_json::from_str::<serde_json::Value>(payload)
        {
            facts = of_data(payload.get("EventData").unwrap_or(&payload));
        }
        if facts.is_empty() {
            // The Event Viewer gives the text a column and no heading.
            let columns = self.heading.as_ref().map_or(0, Vec::len);
            let text = self.value(row, &["message", "description"]).or_else(|| row.get(columns));
            facts = message::facts(id, text.unwrap_or_default());
        }
        facts
    }
}

impl Reader for Csv {
    fn piece(&mut self, line: u64, bytes: &[u8], clock: &mut Clock, report: &mut Report<'_>) {
        if self.heading.is_none() {
            if bytes.starts_with(b"#TYPE") {
                return; // Export-Csv of PowerShell 5
            }
            // Export-Csv -UseCulture, where a comma is in every number.
            let count = |delimiter: u8| memchr::memchr_iter(delimiter, bytes).count();
            self.delimiter = *DELIMITERS.iter().max_by_key(|one| count(**one)).unwrap_or(&b',');
        }
        let Some(row) = row(bytes, self.delimiter) else { return report.unreadable(line, "no row of CSV") };
        if self.heading.is_none() {
            self.heading = Some(row.iter().map(|name| name.trim().to_lowercase()).collect());
            return;
        }
        let id = self.value(&row, &["id", "event id", "eventid", "eventcode"]).and_then(|id| id.parse().ok());
        let times =
            ["timecreated", "date and time", "timegenerated", "systemtime", "eventtime", "@timestamp"];
        let (Some(id), Some(time)) = (id, self.value(&row, &times)) else {
            return report.unreadable(line, "no columns of an event's number and time");
        };
        let at = match when(time, self.time_format.as_deref(), clock) {
            Ok(at) => at,
            Err(why) => return report.unreadable(line, why),
        };
        let channel = self.value(&row, &["logname", "channel"]).filter(|channel| !channel.is_empty());
        let id = if channel.is_none_or(|channel| channel.eq_ignore_ascii_case("Security")) { id } else { 0 };
        let facts = if is_login(id) { self.facts(id, &row) } else { Facts::default() };
        let host = self.value(&row, &["machinename", "computer", "hostname"]).filter(|host| !host.is_empty());
        take((line, &String::from_utf8_lossy(bytes)), id, at, host, &facts, report);
    }
}
