//! Whether each key is what its enrolment says, and had a right to sign what it signed.

use std::collections::{BTreeMap, BTreeSet};

use super::count;
use crate::attestation::Serial;
use crate::audit::assess::case::ChainFacts;
use crate::audit::assess::{Case, Told, unchecked};
use crate::audit::finding::{Finding, Severity, Sort};
use crate::audit::time::At;
use crate::kit::roster::Standing;
use crate::record::event::{Event, KeyEnrolled, KitKind};
use crate::record::hash::{Hash, KeyId};

/// Every enrolment: its record, its key, what it says.
fn enrolments(case: &Case) -> impl Iterator<Item = (At, KeyId, &KeyEnrolled)> {
    case.enrolments.iter().filter_map(|(at, record)| match &record.event {
        Event::KeyEnrolled(facts) => Some((*at, record.kid, facts)),
        _ => None,
    })
}

/// A key whose attestations do not bear out what its enrolment says; or whose could not be held against anything.
pub(super) fn key_attested(case: &Case, told: &Told) -> Vec<Finding> {
    let mut findings = Vec::new();
    for key in &told.keys {
        let Err(why) = &key.attested else { continue };
        let enrolment = enrolments(case).filter(|(_, id, _)| *id == key.key).map(|(at, ..)| case.hash(at));
        let serial = key.serial;
        let finding = match unchecked(why) {
            true => {
                let practice = case.founded.as_ref().is_some_and(|founded| founded.kind == KitKind::Practice);
                let sort = if practice { Sort::NotChecked } else { Sort::CannotCheck };
                let text = format!("the attestations of key {serial} were not checked: {why}");
                Finding::new("KEY-ATTESTED", sort, Severity::Medium, text).then(
                    "breakglass-audit trust … --root FILE   where the kit has a private attestation root",
                )
            }
            false => {
                let text = format!("key {serial}: {why}");
                Finding::new("KEY-ATTESTED", Sort::Wrong, Severity::Critical, text)
                    .then(format!("breakglass key retire {serial} --why …   with keys that are attested"))
            }
        };
        findings.push(finding.on(enrolment));
    }
    findings
}

/// A simulated key in a kit that was founded as a real one.
pub(super) fn key_practice(case: &Case, _: &Told) -> Vec<Finding> {
    if case.founded.as_ref().is_none_or(|founded| founded.kind == KitKind::Practice) {
        return Vec::new();
    }
    enrolments(case)
        .filter(|(.., facts)| facts.root == "practice")
        .map(|(at, _, facts)| {
            let text = format!(
                "key {} is a practice key, simulated in a file, and this kit is a real one",
                facts.serial
            );
            Finding::new("KEY-PRACTICE", Sort::Wrong, Severity::Critical, text)
                .on([case.hash(at)])
                .at(case.claimed(at))
        })
        .collect()
}

/// One signing key under two serial numbers: it was copied, or a serial number is made up.
pub(super) fn key_serials(case: &Case, _: &Told) -> Vec<Finding> {
    let mut by_key: BTreeMap<KeyId, BTreeMap<Serial, Hash>> = BTreeMap::new();
    for chain in &case.chains {
        if case.records.good[chain.first as usize] {
            by_key.entry(chain.key).or_default().insert(chain.serial, case.hash(chain.first));
        }
    }
    by_key
        .into_values()
        .filter(|serials| serials.len() > 1)
        .map(|serials| {
            let names: Vec<String> = serials.keys().map(ToString::to_string).collect();
            let text = format!("keys {} sign with the same private key: one is a copy", names.join(" and "));
            Finding::new("KEY-SERIALS", Sort::Wrong, Severity::Critical, text).on(serials.into_values())
        })
        .collect()
}

/// One serial number with two signing keys: the slot was provisioned again, which is in order only if the first was
/// retired.
pub(super) fn key_reprovisioned(case: &Case, _: &Told) -> Vec<Finding> {
    let mut by_serial: BTreeMap<Serial, BTreeMap<KeyId, At>> = BTreeMap::new();
    for (at, key, facts) in enrolments(case) {
        by_serial.entry(facts.serial).or_default().insert(key, at);
    }
    let standing = |key: &KeyId| case.roster.as_ref().ok()?.keys.get(key).map(|member| member.standing);
    by_serial
        .into_iter()
        .filter(|(_, keys)| keys.len() > 1)
        .map(|(serial, keys)| {
            let in_use =
                keys.keys().filter(|key| !matches!(standing(key), Some(Standing::Retired { .. }))).count();
            let hashes = keys.values().map(|at| case.hash(*at));
            let text = format!("key {serial} was provisioned {} times", keys.len());
            match in_use > 1 {
                true => {
                    let text = format!("{text}, and {in_use} of its signing keys are not retired");
                    Finding::new("KEY-REPROVISIONED", Sort::Wrong, Severity::High, text).on(hashes).then(
                        format!("breakglass key retire {serial} --why …   for what the key no longer holds"),
                    )
                }
                false => {
                    let text = format!("{text}; all before the last were retired");
                    Finding::new("KEY-REPROVISIONED", Sort::Note, Severity::Info, text).on(hashes)
                }
            }
        })
        .collect()
}

/// Two enrolments of one signing key.
pub(super) fn key_enrolled_twice(case: &Case, _: &Told) -> Vec<Finding> {
    let mut by_key: BTreeMap<(KeyId, Serial), Vec<At>> = BTreeMap::new();
    for (at, key, facts) in enrolments(case) {
        by_key.entry((key, facts.serial)).or_default().push(at);
    }
    by_key
        .into_iter()
        .filter(|(_, records)| records.len() > 1)
        .map(|((_, serial), records)| {
            let text = format!("key {serial} was enrolled {} times with the same signing key", records.len());
            Finding::new("KEY-ENROLLED-TWICE", Sort::Wrong, Severity::High, text).on(case.hashes(&records))
        })
        .collect()
}

/// Records of a key after the last that its retirement knows of.
pub(super) fn key_retired_used(case: &Case, _: &Told) -> Vec<Finding> {
    let Ok(roster) = &case.roster else { return Vec::new() };
    let mut findings = Vec::new();
    for chain in &case.chains {
        let Some(Standing::Retired { last_seq }) = roster.keys.get(&chain.key).map(|member| member.standing)
        else {
            continue;
        };
        let later: Vec<At> = case
            .of_chain(chain)
            .filter(|at| case.seq(*at) > last_seq && case.records.good[*at as usize])
            .collect();
        let Some(first) = later.first() else { continue };
        let events: BTreeSet<&str> = later.iter().map(|at| case.records.event[*at as usize]).collect();
        let outside = Outside::of(case, chain);
        let text = format!(
            "key {} was retired as of {}/{last_seq} and signed {} after it: {}{}",
            chain.serial,
            chain.name,
            count(later.len() as u64, "record"),
            events.into_iter().collect::<Vec<_>>().join(", "),
            outside.sentence()
        );
        findings.push(
            outside
                .told(Finding::new("KEY-RETIRED-USED", Sort::Wrong, Severity::Critical, text))
                .on(case.hashes(&later))
                .at(case.claimed(*first)),
        );
    }
    findings
}

/// What a key opened, minted, and named as the reason, that had no right to any of it.
struct Outside<'a> {
    opened: BTreeSet<&'a str>,
    minted: BTreeSet<&'a str>,
    incidents: BTreeSet<&'a str>,
}

impl<'a> Outside<'a> {
    fn of(case: &'a Case, chain: &ChainFacts) -> Self {
        let mut all =
            Outside { opened: BTreeSet::new(), minted: BTreeSet::new(), incidents: BTreeSet::new() };
        let its = |at: At| std::ptr::eq(case.chain(at), chain);
        for one in case.outside.iter().filter(|one| its(one.at)) {
            all.incidents.insert(case.names.get(one.incident));
            if let Some(what) = &one.what {
                let minted = case.records.event[one.at as usize].starts_with("mint.");
                if minted {
                    all.minted.insert(what)
                } else {
                    all.opened.insert(what)
                };
            }
        }
        all
    }

    /// `; opened with it: core-db/root; for INC-4711`, or nothing.
    fn sentence(&self) -> String {
        let listed = |word: &str, names: &BTreeSet<&str>| match names.is_empty() {
            true => String::new(),
            false => {
                let more = names.len().saturating_sub(MOST_NAMED);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                let names: Vec<&str> = names.iter().take(MOST_NAMED).copied().collect();
                format!("; {word} {}{more}", names.join(", "))
            }
        };
        [
            listed("opened with it:", &self.opened),
            listed("minted with it:", &self.minted),
            listed("for", &self.incidents),
        ]
        .concat()
    }

    /// With what is to be done first, and the incident, where that is one.
    fn told(&self, finding: Finding) -> Finding {
        let finding = match self.opened.first() {
            Some(name) => {
                finding.then(format!("breakglass rotate {name}   and whatever else it was opened with"))
            }
            None => finding,
        };
        match self.incidents.first() {
            Some(incident) if self.incidents.len() == 1 => finding.in_incident(*incident),
            _ => finding,
        }
    }
}

/// So many names stand in one sentence.
const MOST_NAMED: usize = 10;

/// What only a key that belongs may sign.
const FOR_MEMBERS: [&str; 17] = [
    "credential.sealed",
    "credential.confirmed",
    "open.intent",
    "open.released",
    "gap.accepted",
    "incident.closed",
    "key.checked-out",
    "key.checked-in",
    "debt.discharged",
    "incident.reviewed",
    "drill.begun",
    "drill.ended",
    "request.approved",
    "mint.intent",
    "mint.issued",
    "mint.authority",
    "mint.revoked",
];

/// Openings, sealings and the like by a key that was never admitted: a foreign key, or one that nobody has let in.
pub(super) fn record_no_right(case: &Case, _: &Told) -> Vec<Finding> {
    let Ok(roster) = &case.roster else { return Vec::new() };
    let mut findings = Vec::new();
    for chain in &case.chains {
        let standing = roster.keys.get(&chain.key).map(|member| member.standing);
        if !matches!(standing, Some(Standing::Enrolled) | None) {
            continue;
        }
        let signed: Vec<At> = case
            .of_chain(chain)
            .filter(|at| FOR_MEMBERS.contains(&case.records.event[*at as usize]))
            .filter(|at| case.records.good[*at as usize])
            .collect();
        let Some(first) = signed.first() else { continue };
        let outside = Outside::of(case, chain);
        let text = format!(
            "key {} was never admitted to the kit and signed {} that only its keys may sign, from {} ({}) on{}",
            chain.serial,
            count(signed.len() as u64, "record"),
            case.named(*first),
            case.records.event[*first as usize],
            outside.sentence()
        );
        findings.push(
            outside
                .told(Finding::new("RECORD-NO-RIGHT", Sort::Wrong, Severity::High, text))
                .on(case.hashes(&signed))
                .at(case.claimed(*first)),
        );
    }
    findings
}

/// A key that cannot prove itself before its PIN is typed.
pub(super) fn key_no_presence(case: &Case, _: &Told) -> Vec<Finding> {
    enrolments(case)
        .filter(|(.., facts)| facts.presence.is_none())
        .map(|(at, _, facts)| {
            let text = format!(
                "key {} has no 9E key without PIN (FIPS): it cannot prove itself before a PIN is typed",
                facts.serial
            );
            Finding::new("KEY-NO-PRESENCE", Sort::Note, Severity::Info, text).on([case.hash(at)])
        })
        .collect()
}

/// A key that was enrolled although the program refused it.
pub(super) fn key_override(case: &Case, _: &Told) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, _, facts) in enrolments(case) {
        for one in &facts.overrides {
            let text = format!(
                "key {} was enrolled although {} spoke against it: {}",
                facts.serial, one.rule, one.why
            );
            findings.push(
                Finding::new("KEY-OVERRIDE", Sort::Note, Severity::Medium, text)
                    .on([case.hash(at)])
                    .at(case.claimed(at)),
            );
        }
    }
    findings
}
