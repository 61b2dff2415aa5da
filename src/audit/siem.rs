//! Records and findings as other systems want them: one line each, with the signed record inside, so that whoever has
//! the line can verify it. `doc/siem.md` has every mapping.

use super::finding::Finding;
use super::ledger::Held;
use crate::record::hash::Hash;

mod cef;
mod digest;
mod ecs;
mod ocsf;
mod syslog;
mod text;

use digest::Digest;

/// In which language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Open Cybersecurity Schema Framework, JSON.
    Ocsf,
    /// Elastic Common Schema, JSON.
    Ecs,
    /// Common Event Format of ArcSight, without a syslog header.
    Cef,
    /// RFC 5424.
    Syslog,
}

/// What RFC 5424 (section 6.1) asks receivers to take, in octets.
pub const SYSLOG_CAP: usize = 2_048;

/// What is written, without line feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The line.
    pub text: String,
    /// The signed record is in it. Where it is not, its hash is.
    pub whole: bool,
}

/// Writes records and findings.
#[derive(Debug, Clone, Copy)]
pub struct Writer {
    /// In which language.
    pub format: Format,
    /// A line that would be longer than this, in bytes, is written without the signed record: what a receiver would cut
    /// could not be verified.
    pub most: Option<usize>,
}

impl Writer {
    /// One record.
    pub fn record(&self, held: &Held, kit: Option<&Hash>) -> Line {
        let digest = Digest::of(held, kit);
        let fits = |text: &str| self.most.is_none_or(|most| text.len() <= most);
        let text = self.write(&digest, true);
        if fits(&text) {
            return Line { text, whole: true };
        }
        Line { text: self.write(&digest, false), whole: false }
    }

    fn write(&self, digest: &Digest<'_>, raw: bool) -> String {
        match self.format {
            Format::Ocsf => ocsf::record(digest, raw),
            Format::Ecs => ecs::record(digest, raw),
            Format::Cef => cef::record(digest, raw),
            Format::Syslog => syslog::record(digest, raw),
        }
    }

    /// One finding, as of that time by the auditor's clock, Unix seconds.
    pub fn finding(&self, finding: &Finding, now: i64) -> String {
        match self.format {
            Format::Ocsf => ocsf::finding(finding, now),
            Format::Ecs => ecs::finding(finding, now),
            Format::Cef => cef::finding(finding, now),
            Format::Syslog => syslog::finding(finding, now),
        }
    }
}

/// Tells findings apart from run to run: the same finding has the same identifier each time.
fn identifier(finding: &Finding) -> Hash {
    let mut bytes = Vec::new();
    let kit = finding.kit.map(|kit| kit.to_string()).unwrap_or_default();
    let incident = finding.incident.as_deref().unwrap_or_default();
    for part in [finding.rule, &kit, incident, &finding.text] {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    finding.records.iter().for_each(|hash| bytes.extend_from_slice(&hash.0));
    Hash::of(&bytes)
}

#[cfg(test)]
mod tests;
