//! A bundle by itself, without its kit: what an auditor can say of the records alone.

use std::collections::HashMap;

use super::counters;
use crate::kit::finding::Finding;
use crate::record::bundle::{End, unbundle};
use crate::record::chain::{Chain, Depth, Severity, Tail};
use crate::record::event::{CredentialSealed, Event};
use crate::record::hash::Hash;

/// What was found in a bundle.
#[derive(Debug)]
pub struct Checked {
    /// Intact records.
    pub records: usize,
    /// Chains.
    pub chains: usize,
    /// Sealings on record.
    pub generations: usize,
    /// The gravest first.
    pub findings: Vec<Finding>,
}

/// Verifies every record, every link and every assertion of a bundle, and its end.
pub fn bundle(bytes: &[u8]) -> Checked {
    let unbundled = unbundle(bytes);
    let mut findings: Vec<Finding> = Vec::new();
    for stray in &unbundled.strays {
        let text = format!("line {} of the bundle is no record: {}", stray.line, stray.why);
        findings.push(Finding::wrong("JOURNAL-DAMAGED", text));
    }
    let chains: Vec<Chain> =
        unbundled.journals.iter().map(|(name, journal)| Chain::read(name, journal, Depth::Every)).collect();
    for chain in &chains {
        findings.extend(chain.check().err().map(|damage| match damage.severity {
            Severity::CannotRead => Finding::not_checked("JOURNAL-UNREADABLE", damage.to_string()),
            Severity::CannotCheck | Severity::Wrong => Finding::wrong("JOURNAL-DAMAGED", damage.to_string()),
        }));
        debug_assert!(matches!(chain.tail(), Tail::None), "a bundle is taken apart by its line feeds");
    }
    findings.extend(end(&unbundled.end));
    let mut sealed: HashMap<Hash, &CredentialSealed> = HashMap::new();
    for record in chains.iter().flat_map(Chain::records) {
        if let Event::CredentialSealed(facts) = &record.event {
            sealed.insert(record.hash(), facts);
        }
    }
    findings.extend(counters::of_chains(chains.iter(), &|hash| sealed.get(hash).copied()));
    let text =
        "not checked here: attestations, sealed files, and who had a right to sign; that takes the kit";
    findings.push(Finding::note("BUNDLE-ALONE", text.into()));
    findings.sort_by_key(|finding| finding.weight);
    Checked {
        records: chains.iter().flat_map(Chain::records).count(),
        chains: chains.len(),
        generations: sealed.len(),
        findings,
    }
}

fn end(end: &End) -> Option<Finding> {
    match end {
        End::Whole(_) => None,
        End::Other(record) => Some(Finding::wrong(
            "BUNDLE-END",
            format!("the export that ends the bundle, signed by {}, was of other lines", record.serial),
        )),
        End::Cut => {
            Some(Finding::wrong("BUNDLE-END", "the bundle ends in the middle of a line: it was cut".into()))
        }
        End::Open => Some(Finding::not_checked(
            "BUNDLE-END",
            "no signed export ends the bundle: whether lines were cut off cannot be seen".into(),
        )),
    }
}
