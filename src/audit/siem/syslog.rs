//! RFC 5424: what was done in one structured element, the signed record as the message. Whatever a relay cuts off, it
//! cuts from the end (section 6.1), so hash and facts come first.

use std::fmt::Write;

use super::cef::sort;
use super::digest::{Digest, Weight};
use super::identifier;
use super::text::{time, visible};
use crate::audit::finding::{Claim, Finding, Severity, Sort};

/// "log audit" (section 6.2.1).
const FACILITY: u8 = 13;
/// Sentences and reasons are cut to so many characters, so that a common record fits into 2,048 octets.
const TEXT_CAP: usize = 256;

/// `<PRI>1 TIME - breakglass-audit - MSGID `. The machine where it was exported is of no interest.
fn header(severity: u8, at: Option<String>, id: &str) -> String {
    let at = at.unwrap_or_else(|| "-".to_owned());
    format!("<{}>1 {at} - breakglass-audit - {id} ", FACILITY * 8 + severity)
}

/// One element. 32473 is the enterprise number for examples (RFC 5612).
struct Element(String);

impl Element {
    fn begin(header: String, name: &str) -> Self {
        Element(format!("{header}[{name}@32473"))
    }

    /// Section 6.3.3: a quote, a backslash and a closing bracket have a backslash before them.
    fn put(&mut self, name: &str, value: impl std::fmt::Display) {
        let value: String = value.to_string().chars().take(TEXT_CAP).collect();
        if !value.is_empty() {
            let value = visible(&value).replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]");
            let _ = write!(self.0, " {name}=\"{value}\"");
        }
    }

    fn end(self, message: &str) -> String {
        let mut line = self.0;
        line.push(']');
        if !message.is_empty() {
            line.push(' ');
            line.push_str(message);
        }
        line
    }
}

pub(super) fn record(digest: &Digest<'_>, raw: bool) -> String {
    let record = digest.record;
    let severity = match digest.weight {
        Weight::Info => 6,
        Weight::Low => 5,
        Weight::Medium => 4,
        Weight::High => 3,
        Weight::Critical => 2,
    };
    let mut element = Element::begin(header(severity, time(record.iat), record.event.name()), "breakglass");
    element.put("hash", record.hash());
    element.put("kit", digest.kit.map(|kit| kit.to_string()).unwrap_or_default());
    element.put("chain", record.chain_name());
    element.put("seq", record.link.seq);
    element.put("received", time(digest.received).unwrap_or_default());
    element.put("signature", digest.signature);
    element.put("object", format!("{} {}", digest.kind, digest.object));
    element.put("incident", record.txn.as_deref().unwrap_or_default());
    element.put("operator", digest.operator.unwrap_or_default());
    element.put("reason", digest.reason.unwrap_or_default());
    if raw {
        return element.end(&digest.raw());
    }
    element.put("record", "left-out");
    element.end(&format!("the record of {} bytes is left out", record.bytes().len()))
}

pub(super) fn finding(finding: &Finding, now: i64) -> String {
    let severity = match (finding.sort, finding.severity) {
        (Sort::Wrong, Severity::Critical) => 2,
        (Sort::Wrong, _) | (_, Severity::Critical) => 3,
        (Sort::Due | Sort::CannotRead, _) | (_, Severity::High) => 4,
        (Sort::CannotCheck | Sort::NotChecked, _) => 5,
        (Sort::Note, _) => 6,
    };
    // MSGID has at most 32 characters, and every rule's identifier fewer.
    let mut element = Element::begin(header(severity, time(now), finding.rule), "finding");
    element.put("id", identifier(finding));
    element.put("sort", sort(finding.sort));
    element.put("claim", if finding.claim == Claim::Certain { "certain" } else { "possible" });
    element.put("kit", finding.kit.map(|kit| kit.to_string()).unwrap_or_default());
    element.put("incident", finding.incident.as_deref().unwrap_or_default());
    element.put("at", finding.at.and_then(time).unwrap_or_default());
    for hash in finding.records.iter().take(8) {
        element.put("record", hash);
    }
    element.put("records", finding.records.len());
    element.put("next", finding.next.as_deref().unwrap_or_default());
    // UTF-8 is announced by its mark (section 6.4).
    let text: String = visible(&finding.text);
    element.end(&if text.is_ascii() { text } else { format!("\u{FEFF}{text}") })
}
