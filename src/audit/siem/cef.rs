//! CEF, version 0 of the format: `CEF:0|vendor|product|version|class|name|severity|extension`. A pipe is escaped in the
//! header, an equals sign in the extension, a backslash in both; line feeds do not occur.

use std::fmt::Write;

use super::digest::{Digest, Weight};
use super::identifier;
use super::text::{millis, visible};
use crate::audit::finding::{Claim, Finding, Severity, Sort};

/// `msg` and `reason` hold so many characters.
const TEXT_CAP: usize = 1_023;

fn header(class: &str, name: &str, severity: u8) -> String {
    let escaped = |text: &str| visible(text).replace('\\', "\\\\").replace('|', "\\|");
    let version = env!("CARGO_PKG_VERSION");
    format!("CEF:0|breakglass|breakglass-audit|{version}|{}|{}|{severity}|", escaped(class), escaped(name))
}

/// The extension, pair by pair, after the header.
struct Extension(String, bool);

impl Extension {
    fn put(&mut self, key: &str, value: impl std::fmt::Display) {
        let value = visible(&value.to_string()).replace('\\', "\\\\").replace('=', "\\=");
        if !value.is_empty() {
            let blank = if std::mem::replace(&mut self.1, true) { " " } else { "" };
            let _ = write!(self.0, "{blank}{key}={value}");
        }
    }

    fn text(&mut self, key: &str, value: &str) {
        self.put(key, value.chars().take(TEXT_CAP).collect::<String>());
    }

    /// One of the fields that have no meaning of their own.
    fn custom(&mut self, key: &str, label: &str, value: impl std::fmt::Display) {
        let before = self.0.len();
        self.put(key, value);
        if self.0.len() > before {
            self.put(&format!("{key}Label"), label);
        }
    }
}

pub(super) fn record(digest: &Digest<'_>, raw: bool) -> String {
    let record = digest.record;
    let severity = match digest.weight {
        Weight::Info => 1,
        Weight::Low => 3,
        Weight::Medium => 5,
        Weight::High => 7,
        Weight::Critical => 10,
    };
    let mut line = Extension(header(record.event.name(), record.event.name(), severity), false);
    line.put("rt", millis(digest.received));
    line.put("start", millis(record.iat));
    line.put("act", record.event.name());
    line.put("externalId", record.jti.as_str());
    line.put("dvchost", record.iss.as_str());
    line.put("suser", digest.operator.unwrap_or_default());
    if let Some((platform, account)) = digest.account() {
        line.put("duser", account);
        line.put("dhost", platform);
    }
    line.text("reason", digest.reason.unwrap_or_default());
    line.text("msg", &digest.sentence);
    line.custom("cs1", "recordSha256", hex::encode(record.hash().0));
    line.custom("cs2", "kit", digest.kit.map(|kit| kit.to_string()).unwrap_or_default());
    line.custom("cs3", "chain", record.chain_name());
    line.custom("cs4", "incident", record.txn.as_deref().unwrap_or_default());
    line.custom("cs5", "signature", digest.signature);
    line.custom("cs6", "object", format!("{} {}", digest.kind, digest.object));
    line.custom("cn1", "seq", record.link.seq);
    if let Some(generation) = digest.generation {
        line.custom("cn2", "generation", generation);
    }
    if raw {
        line.put("rawEvent", digest.raw());
    }
    line.0
}

pub(super) fn finding(finding: &Finding, now: i64) -> String {
    let severity = match finding.severity {
        Severity::Info => 1,
        Severity::Low => 3,
        Severity::Medium => 5,
        Severity::High => 8,
        Severity::Critical => 10,
    };
    let mut line = Extension(header(finding.rule, finding.rule, severity), false);
    line.put("rt", millis(now));
    if let Some(at) = finding.at {
        line.put("start", millis(at));
    }
    line.put("externalId", identifier(finding));
    line.put("cat", sort(finding.sort));
    line.text("msg", &finding.text);
    let first = finding.records.first().map(|hash| hex::encode(hash.0)).unwrap_or_default();
    line.custom("cs1", "recordSha256", first);
    line.custom("cs2", "kit", finding.kit.map(|kit| kit.to_string()).unwrap_or_default());
    line.custom("cs3", "next", finding.next.as_deref().unwrap_or_default());
    line.custom("cs4", "incident", finding.incident.as_deref().unwrap_or_default());
    line.custom("cs5", "claim", if finding.claim == Claim::Certain { "certain" } else { "possible" });
    line.custom("cn1", "records", finding.records.len());
    line.0
}

/// The word for it, as JSON has it.
pub(super) fn sort(sort: Sort) -> &'static str {
    match sort {
        Sort::Wrong => "wrong",
        Sort::Due => "due",
        Sort::CannotRead => "cannot-read",
        Sort::CannotCheck => "cannot-check",
        Sort::NotChecked => "not-checked",
        Sort::Note => "note",
    }
}
