//! What can be said about a kit without any key: is the journal whole, is what is sealed what was sealed, who had a
//! right to sign what. Pure over the kit and its folder, so that every verb that looks says the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::attestation::Roots;
use crate::kit::credentials::{self, Generation};
use crate::kit::finding::Finding;
use crate::kit::folder::FolderError;
use crate::kit::name::CredentialName;
use crate::kit::roster::Standing;
use crate::kit::{Kit, KitError, SealedFile, enrolment};
use crate::record::event::{Event, Matter};
use crate::record::hash::Hash;
use crate::record::token::Record;

mod approvals;
mod bundle;
mod counters;
mod envelopes;

pub use approvals::approvals;
pub use bundle::{Checked, bundle};
pub use counters::{Since, counters, expected, since_last};
pub use envelopes::reused;

const MERGE: &str = "breakglass kit merge DIR   with another copy of the kit";

/// Everything that can be checked without a key, the gravest first. Reads each sealed file once.
///
/// # Errors
/// Those of the medium; what is wrong with the kit is a finding.
pub fn everything(kit: &Kit, roots: &Roots) -> Result<Vec<Finding>, KitError> {
    let mut findings = journal(kit);
    findings.extend(enrolments(kit, roots));
    findings.extend(sealed(kit)?);
    findings.extend(strays(kit)?);
    findings.extend(intents(kit));
    findings.extend(approvals(kit));
    findings.extend(crate::kit::drills::unended(kit));
    findings.extend(counters(kit));
    findings.extend(reused(kit));
    findings.sort_by_key(|finding| finding.weight);
    Ok(findings)
}

/// Damage, forks and torn tails; records that others have seen and this copy lacks; records that nobody had a right to
/// sign; a policy in force that contradicts the founding. Reads nothing again.
pub fn journal(kit: &Kit) -> Vec<Finding> {
    let mut findings = kit.journal.findings();
    for finding in findings.iter_mut().filter(|finding| finding.rule == "JOURNAL-DAMAGED") {
        finding.next = Some(MERGE.into());
    }
    findings.extend(lacking(kit));
    let Some(roster) = &kit.roster else { return findings };
    for irregular in &roster.irregular {
        let (chain, seq) = &irregular.at;
        findings
            .push(Finding::wrong("ROSTER-IRREGULAR", format!("record {chain}/{seq}: {}", irregular.what)));
    }
    findings.extend(kit.journal.records().filter_map(|(chain, record)| no_right(kit, chain, record)));
    findings.extend(crate::kit::authorities::findings(kit));
    if kit.policy.kind != roster.founded.kind {
        findings.push(Finding::wrong(
            "POLICY-KIND",
            "the policy in force contradicts the founding record on whether this kit is real or practice"
                .into(),
        ));
    }
    if kit.policy.attestation_root.as_deref().map(Hash::of) != roster.founded.attestation_root {
        let text = "the policy in force names another private attestation root than the founding record";
        findings.push(Finding::wrong("POLICY-ROOT", text.into()));
    }
    findings
}

/// What records say that their signers had seen on other chains, against what this copy holds. Only keys that belong, or
/// did, are believed: anyone may enrol a key of their own and claim to have seen anything.
pub fn lacking(kit: &Kit) -> Vec<Finding> {
    let believed = |record: &Record| {
        kit.roster.as_ref().is_none_or(|roster| {
            roster.keys.get(&record.kid).is_some_and(|member| member.standing != Standing::Enrolled)
        })
    };
    let mut held: HashMap<&str, HashMap<u64, Hash>> = HashMap::new();
    for (chain, record) in kit.journal.records() {
        held.entry(chain).or_default().insert(record.link.seq, record.hash());
    }
    let last = |chain: &str| kit.journal.last(chain).map(|(seq, _)| seq);
    // Places that a damaged line at the end may account for.
    let damaged: HashMap<&str, u64> = kit
        .journal
        .chains()
        .map(|chain| {
            (chain.name(), chain.lines().iter().filter(|line| line.intact().is_none()).count() as u64)
        })
        .collect();
    let reach =
        |chain: &str| last(chain).map_or(0, |seq| seq + 1) + damaged.get(chain).copied().unwrap_or_default();
    // Of each chain, the highest place that is lacking, and who says so.
    let mut lacking: BTreeMap<&str, (u64, String)> = BTreeMap::new();
    let mut other: BTreeMap<(&str, u64), String> = BTreeMap::new();
    for (at, record) in kit.journal.records().filter(|(_, record)| believed(record)) {
        let export = match &record.event {
            Event::Exported(facts) => Some(&facts.heads),
            _ => None,
        };
        for (chain, (seq, hash)) in record.link.seen.iter().chain(export.into_iter().flatten()) {
            let by = || format!("{at}/{}", record.link.seq);
            match held.get(chain.as_str()).and_then(|chain| chain.get(seq)) {
                Some(held) if held == hash => {}
                Some(_) => drop(other.entry((chain, *seq)).or_insert_with(by)),
                None if *seq < reach(chain) => {}
                None => {
                    let worst = lacking.entry(chain).or_insert_with(|| (*seq, by()));
                    if worst.0 < *seq {
                        *worst = (*seq, by());
                    }
                }
            }
        }
    }
    let mut findings = Vec::new();
    for (chain, (to, by)) in lacking {
        let from = last(chain).map_or(0, |seq| seq + 1);
        let what = if from == to { format!("record {to}") } else { format!("records {from} to {to}") };
        let text = format!("this copy of the kit lacks {what} of {chain}, which record {by} had seen");
        findings.push(Finding::wrong("JOURNAL-LACKS", text).then(MERGE));
    }
    for ((chain, seq), by) in other {
        let text = format!("record {by} had seen another record {chain}/{seq} than this copy holds");
        findings.push(Finding::wrong("JOURNAL-OTHER", text).then(MERGE));
    }
    findings
}

/// The damage and the gaps of the journal: what they are, as a sentence, and what a person accepts by
/// [`Event::GapAccepted`]. `None` if the journal is whole.
pub fn wounds(kit: &Kit) -> Option<Wounds> {
    let lacks = lacking(kit);
    let mut sentences: Vec<String> = kit.journal.damage().into_iter().collect();
    sentences.extend(lacks.iter().map(|finding| finding.text.clone()));
    if sentences.is_empty() {
        return None;
    }
    let mut places = String::new();
    for chain in kit.journal.chains() {
        let damaged = chain.lines().iter().enumerate().filter(|(_, line)| line.intact().is_none());
        for (at, line) in damaged {
            places.push_str(&format!("{} line {} {}\n", chain.name(), at + 1, Hash::of(line.bytes())));
        }
        for one in chain.breaks() {
            places.push_str(&format!("{} {one}\n", chain.name()));
        }
    }
    places.extend(lacks.iter().map(|finding| format!("{}\n", finding.text)));
    let damage = Hash::of(places.as_bytes());
    let accepted = kit.journal.records().any(|(_, record)| {
        let belongs = kit.roster.as_ref().is_some_and(|roster| credentials::belongs(roster, record));
        matches!(&record.event, Event::GapAccepted(facts) if facts.damage == damage) && belongs
    });
    Some(Wounds { text: sentences.join("; "), damage, accepted })
}

/// What [`wounds`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wounds {
    /// As sentences.
    pub text: String,
    /// What is signed to go on without what is lost: SHA-256 over a line for each damaged line, break and lack.
    pub damage: Hash,
    /// Whether a key of the kit has signed just this.
    pub accepted: bool,
}

/// A record that its key had no right to sign. Governance is judged by the roster.
fn no_right(kit: &Kit, chain: &str, record: &Record) -> Option<Finding> {
    let roster = kit.roster.as_ref()?;
    let (seq, name) = (record.link.seq, record.event.name());
    let wrong = |what: &str| {
        Some(Finding::wrong(
            "RECORD-NO-RIGHT",
            format!("record {chain}/{seq} ({name}): {what}; it does not count"),
        ))
    };
    if record.link.kit.is_some_and(|kit| kit != roster.kit) {
        return wrong("it belongs to another kit");
    }
    if let Event::CredentialSealed(facts) = &record.event
        && !credentials::is_plain(facts)
    {
        return wrong(
            "it names files outside its folder, or a threshold, generation or envelopes that cannot be",
        );
    }
    let of_members = match record.event.matter() {
        Matter::Roster => return None,
        Matter::Key | Matter::Sight => false,
        Matter::Content | Matter::Deed => true,
    };
    match roster.keys.get(&record.kid).map(|member| member.standing) {
        Some(Standing::Retired { last_seq }) if seq > last_seq => {
            wrong("its key had been retired as of an earlier record")
        }
        Some(Standing::Enrolled) | None if of_members => wrong("its key is not admitted"),
        _ => None,
    }
}

/// Every enrolment against its attestations.
pub fn enrolments(kit: &Kit, roots: &Roots) -> Vec<Finding> {
    let records: HashMap<Hash, &Record> = kit
        .journal
        .records()
        .filter(|(_, record)| matches!(record.event, Event::KeyEnrolled(_)))
        .map(|(_, record)| (record.hash(), record))
        .collect();
    let mut findings = Vec::new();
    for key in kit.enrolled_keys() {
        let serial = key.facts.serial;
        let Some(record) = records.get(&key.enrolment) else { continue };
        let checked = enrolment::check(record, roots).and_then(|()| enrolment::check_alone(kit, &key));
        if let Err(error) = checked {
            let mut text = format!("key {serial}: {error}");
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                text.push_str(&format!(": {error}"));
                cause = error.source();
            }
            findings.push(
                Finding::wrong("KEY-ATTESTED", text).then(format!("breakglass key retire {serial} --why …")),
            );
        }
        if key.facts.presence.is_none() {
            let text = format!(
                "key {serial} has no 9E key without PIN (FIPS): it cannot prove itself before a PIN is typed"
            );
            findings.push(Finding::note("KEY-PRESENCE", text));
        }
    }
    findings
}

/// Every file of every generation against its record.
pub fn sealed(kit: &Kit) -> Result<Vec<Finding>, KitError> {
    let mut findings = Vec::new();
    let sides = envelopes::Sides::of(kit);
    for (name, credential) in &kit.credentials {
        for generation in &credential.generations {
            for file in generation.facts.files.keys() {
                findings.extend(sealed_file(kit, name, generation, file)?);
            }
            findings.extend(envelopes::sidecars(kit, &sides, name, generation)?);
        }
    }
    Ok(findings)
}

fn sealed_file(
    kit: &Kit,
    name: &CredentialName,
    generation: &Generation,
    file: &str,
) -> Result<Option<Finding>, KitError> {
    let of = format!("{name}, generation {}", generation.number);
    let wrong = |rule, text| Some(Finding::wrong(rule, text).then(MERGE));
    Ok(match kit.sealed_file(name, generation, file) {
        Ok(SealedFile::Intact(_)) => None,
        Ok(SealedFile::Changed(path)) => {
            wrong("SEALED-CHANGED", format!("{path} is not the file that was sealed ({of})"))
        }
        Ok(SealedFile::Missing(path)) => wrong("SEALED-MISSING", format!("{path} is missing ({of})")),
        Err(KitError::Folder(FolderError::NotAFile { path })) => {
            wrong("SEALED-CHANGED", format!("{} is no regular file ({of})", path.display()))
        }
        Err(error) => return Err(error),
    })
}

/// Files that no record names: nothing vouches for them.
pub fn strays(kit: &Kit) -> Result<Vec<Finding>, KitError> {
    let mut named: BTreeSet<String> = BTreeSet::new();
    for (name, credential) in &kit.credentials {
        for generation in &credential.generations {
            let folder = credentials::folder(name, generation);
            named.extend(generation.facts.files.keys().map(|file| format!("{folder}/{file}")));
        }
    }
    let stray = |path: &str, what: &str| Finding::not_checked("FILE-STRAY", format!("{path} {what}"));
    let mut findings = Vec::new();
    for path in files(kit, "sealed", 4)? {
        if !named.contains(&path) {
            findings.push(stray(
                &path,
                "is named by no record: the rest of a sealing that did not end, or not ours",
            ));
        }
    }
    for path in files(kit, "journal", 1)? {
        if path.contains(".torn-") {
            let text = format!("{path} holds a write that did not end; it was never acknowledged");
            findings.push(Finding::note("JOURNAL-TORN", text));
        } else if path.contains(crate::kit::journal::DAMAGED) {
            let text = format!("{path} is a journal as it was before a merge mended it");
            findings.push(Finding::note("JOURNAL-MENDED", text));
        } else if !path.ends_with(".jws") && !path.ends_with("/.reserve") {
            findings.push(stray(&path, "is no journal"));
        }
    }
    for path in files(kit, "policy", 1)? {
        let bytes = kit.folder.read(&path)?.unwrap_or_default();
        if crate::kit::policy_path(&Hash::of(&bytes)) != path {
            let text = format!("{path} is not the policy that its name says");
            findings.push(Finding::wrong("POLICY-CHANGED", text).then(MERGE));
        }
    }
    Ok(findings)
}

/// Files below a folder of the kit, as deep as the kit lays any down.
fn files(kit: &Kit, folder: &str, depth: usize) -> Result<Vec<String>, KitError> {
    let mut found = Vec::new();
    for name in kit.folder.names(folder)? {
        let path = format!("{folder}/{name}");
        let metadata = kit.folder.root().join(&path).symlink_metadata();
        match metadata.is_ok_and(|metadata| metadata.is_dir()) && depth > 1 {
            true => found.extend(files(kit, &path, depth - 1)?),
            false => found.push(path),
        }
    }
    Ok(found)
}

/// Openings that were begun and of which no record tells the end: the credential may have been disclosed. Of a
/// generation that has been replaced since, that is history.
pub fn intents(kit: &Kit) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, credential) in &kit.credentials {
        let current = credential.current().map_or(0, |generation| generation.number);
        for opening in credential.openings.iter().filter(|opening| !opening.released) {
            let serial =
                kit.key(&opening.key).map_or(String::new(), |key| format!(" with {}", key.facts.serial));
            let text = format!(
                "{name}, generation {}: {} began to open it{serial} for {}, and no record tells the end: it may have been disclosed",
                opening.generation, opening.intent.operator, opening.incident
            );
            findings.push(match opening.generation >= current {
                true => Finding::due("OPEN-NO-OUTCOME", text, format!("breakglass rotate {name}"))
                    .since(opening.at),
                false => Finding::note("OPEN-NO-OUTCOME", text).since(opening.at),
            });
        }
    }
    findings
}

#[cfg(test)]
mod tests;
