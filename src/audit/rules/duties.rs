//! What openings leave to be done, and what has to be done from time to time.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::audit::assess::{Case, Told, pin_changed};
use crate::audit::assessment::{Incident, KeyStatement, Place};
use crate::audit::finding::{Finding, Severity, Sort};
use crate::audit::time::{At, day, span};
use crate::kit::debts::{What, quoted};
use crate::kit::fido2::envelope_in;
use crate::record::event::EnvelopeId;
use crate::record::hash::{Hash, KeyId};

/// An incident is to be closed so long after its last opening: a day.
const CLOSE_WITHIN: i64 = 24 * 3_600;

/// A key is to be heard of so often: 90 days.
const HEARD_WITHIN: i64 = 90 * 86_400;

/// How long ago that is at least, and whether that is certain: by the ledger's clock where that is enough, else by what
/// the machine claimed. `None` where neither is so long ago.
pub(super) fn overdue(
    case: &Case,
    time: &crate::audit::assessment::Interval,
    within: i64,
) -> Option<(i64, bool)> {
    let certain = time.upper.map(|upper| case.now.saturating_sub(upper)).filter(|age| *age > within);
    let claimed = case.now.saturating_sub(time.claimed);
    match certain {
        Some(age) => Some((age.max(claimed), !case.clock_in_doubt)),
        None => (claimed > within).then_some((claimed, false)),
    }
}

/// The last record of an incident, by claimed time.
fn last(incident: &Incident) -> Option<&Place> {
    let opened = incident.openings.iter().flat_map(|opening| opening.intents.iter().chain(&opening.released));
    let minted =
        incident.mintings.iter().flat_map(|minting| [&minting.intent].into_iter().chain(&minting.issued));
    opened.chain(minted).max_by_key(|place| place.time.claimed)
}

/// An incident that nobody has closed.
pub(super) fn incident_open(case: &Case, told: &Told) -> Vec<Finding> {
    let mut findings = Vec::new();
    for incident in told.incidents.iter().filter(|incident| incident.closed.is_none()) {
        let Some(last) = last(incident) else { continue };
        let Some((age, certain)) = overdue(case, &last.time, CLOSE_WITHIN) else { continue };
        let name = &incident.name;
        let text = format!("{name} was not closed: its last record is {} old", span(age));
        findings.push(
            Finding::new("INCIDENT-OPEN", Sort::Due, Severity::Medium, text)
                .in_incident(name)
                .on([last.hash])
                .at(last.time.claimed)
                .possibly_if(!certain)
                .then(format!("breakglass close {} --verdict … --outcome …", quoted(name))),
        );
    }
    findings
}

/// An incident of which a close says that it was no emergency. Another close takes that word back no more than a record can be
/// taken back.
pub(super) fn incident_misuse(_: &Case, told: &Told) -> Vec<Finding> {
    let mut findings = Vec::new();
    for incident in &told.incidents {
        for misuse in incident.closes.iter().filter(|close| close.verdict == "misuse") {
            let other = incident.closed.as_ref().filter(|closed| closed.verdict != "misuse");
            let other =
                other.map_or(String::new(), |closed| format!("; another close calls it {}", closed.verdict));
            let text = format!("{} was closed as misuse: {}{other}", incident.name, misuse.outcome);
            findings.push(
                Finding::new("INCIDENT-MISUSE", Sort::Wrong, Severity::Critical, text)
                    .in_incident(&incident.name)
                    .on([misuse.record.hash])
                    .at(misuse.record.time.claimed)
                    .then(format!(
                        "breakglass incident show {}   and take it to whoever answers for who opened",
                        quoted(&incident.name)
                    )),
            );
        }
    }
    findings
}

/// An incident that closes call by different words.
pub(super) fn close_differs(_: &Case, told: &Told) -> Vec<Finding> {
    let mut findings = Vec::new();
    for incident in &told.incidents {
        let verdicts: BTreeSet<&str> = incident.closes.iter().map(|close| close.verdict.as_str()).collect();
        let (Some(last), true) = (incident.closes.last(), verdicts.len() > 1) else { continue };
        let verdicts: Vec<&str> = verdicts.into_iter().collect();
        let text = format!(
            "{} was closed {} times, and not always as the same: {}",
            incident.name,
            incident.closes.len(),
            verdicts.join(", ")
        );
        findings.push(
            Finding::new("CLOSE-DIFFERS", Sort::Note, Severity::Medium, text)
                .in_incident(&incident.name)
                .on(incident.closes.iter().map(|close| close.record.hash))
                .at(last.record.time.claimed)
                .then("ask who closed it; the page of the incident has each close"),
        );
    }
    findings
}

/// Something that was switched off for an emergency, by the word of its close, and was not put back since.
pub(super) fn restore_undone(_: &Case, told: &Told) -> Vec<Finding> {
    let mut findings = Vec::new();
    for incident in &told.incidents {
        for debt in incident.debts.iter().filter(|debt| debt.done.is_none()) {
            let Some(what) = &debt.restores else { continue };
            let name = &incident.name;
            let text = format!("what was switched off for {name} was not put back: {what}");
            let next = What::Restore(what.clone()).next(name);
            let finding = Finding::new("RESTORE-UNDONE", Sort::Due, Severity::High, text).in_incident(name);
            findings.push(match &incident.closed {
                Some(closed) => finding.on([closed.record.hash]).at(closed.record.time.claimed).then(next),
                None => finding.then(next),
            });
        }
    }
    findings
}

/// Sessions that were begun with what was minted, of which nobody has said that they were ended.
pub(super) fn sessions_undone(_: &Case, told: &Told) -> Vec<Finding> {
    undone(told, "sessions ", "SESSIONS-UNDONE", Severity::High)
}

/// A key that minted, and of which nobody has said that platforms trust it no more, or trust it anew.
pub(super) fn trust_undone(_: &Case, told: &Told) -> Vec<Finding> {
    undone(told, "trust ", "TRUST-UNDONE", Severity::Medium)
}

/// A key that was used, and of which no record says that it lies where it belongs.
pub(super) fn key_return(_: &Case, told: &Told) -> Vec<Finding> {
    undone(told, "return ", "KEY-RETURN", Severity::Medium)
}

/// An account that was opened, and of which nobody has said that it was disabled or made anew.
pub(super) fn account_renew(_: &Case, told: &Told) -> Vec<Finding> {
    undone(told, "account ", "ACCOUNT-RENEW", Severity::Medium)
}

/// Somebody who is to be told of an opening, and of whom nobody has said that they were.
pub(super) fn notify_undone(_: &Case, told: &Told) -> Vec<Finding> {
    undone(told, "notify ", "NOTIFY-UNDONE", Severity::Medium)
}

/// What only a person's word discharges, and nobody has given it: debts whose word begins so.
fn undone(told: &Told, of: &str, rule: &'static str, severity: Severity) -> Vec<Finding> {
    let mut findings = Vec::new();
    for incident in &told.incidents {
        for debt in incident.debts.iter().filter(|debt| debt.done.is_none()) {
            let Some((word, object)) =
                debt.word.as_deref().and_then(|word| Some((word, word.strip_prefix(of)?)))
            else {
                continue;
            };
            let text = format!("{}: nobody has said that this was done: {}", incident.name, debt.what);
            let name = quoted(&incident.name);
            findings.push(
                Finding::new(rule, Sort::Due, severity, text)
                    .in_incident(&incident.name)
                    .on(about(incident, of, object))
                    .at(incident.claimed.1)
                    .then(match of {
                        "notify " => format!("breakglass notify {name} --out DIR"),
                        _ => format!("breakglass discharge {name} {} --by NAME --how …", quoted(word)),
                    }),
            );
        }
    }
    findings
}

/// The intents that such a debt comes from.
fn about(incident: &Incident, of: &str, object: &str) -> Vec<Hash> {
    let minted = incident.mintings.iter().filter(|minting| match of {
        "sessions " => minting.rule == object,
        "trust " | "return " => minting.key.to_string() == object,
        _ => false,
    });
    let openings = incident.openings.iter().filter(|opening| match of {
        "account " => opening.credential == object,
        "return " | "notify " => true,
        _ => false,
    });
    let intents = openings.flat_map(|opening| &opening.intents);
    let intents = intents.filter(|intent| of != "return " || intent.serial.to_string() == object);
    minted.map(|minting| minting.intent.hash).chain(intents.map(|intent| intent.hash)).collect()
}

/// An incident whose records no signed export has all of, and no checkpoint came home after: what came in may not be all.
pub(super) fn records_upload(_: &Case, told: &Told) -> Vec<Finding> {
    let mut findings = Vec::new();
    for incident in &told.incidents {
        if !incident.debts.iter().any(|debt| debt.uploads && debt.done.is_none()) {
            continue;
        }
        let name = &incident.name;
        let text = format!(
            "no signed export has all records of {name}, and no checkpoint came home after it: that all were given to the auditor is not on record"
        );
        findings.push(
            Finding::new("RECORDS-UPLOAD", Sort::Due, Severity::Low, text)
                .in_incident(name)
                .on(last(incident).map(|last| last.hash))
                .at(incident.claimed.1)
                .then(What::Upload.next(name)),
        );
    }
    findings
}

/// A key whose PIN was typed to open or to mint and not changed since. Of one that was retired nobody changes it.
pub(super) fn pin_unchanged(case: &Case, _: &Told) -> Vec<Finding> {
    let mut newest: BTreeMap<u32, (At, u32)> = BTreeMap::new();
    let opened = case.intents.iter().map(|intent| (intent.at, intent.incident));
    for (at, incident) in opened.chain(case.mints.intents.iter().map(|mint| (mint.at, mint.incident))) {
        let last = newest.entry(case.records.chain[at as usize]).or_insert((at, incident));
        if last.0 <= at {
            *last = (at, incident);
        }
    }
    newest
        .into_values()
        .filter(|(at, _)| pin_changed(case, *at).is_none())
        .filter(|(at, _)| !case.retired_at.contains_key(&case.chain(*at).key))
        .map(|(at, incident)| {
            let (serial, incident) = (case.chain(at).serial, case.names.get(incident));
            let text = format!("the PIN of key {serial} was used for {incident} and not changed since");
            Finding::new("PIN-UNCHANGED", Sort::Due, Severity::Low, text)
                .in_incident(incident)
                .on([case.hash(at)])
                .at(case.claimed(at))
                .then(format!("breakglass key pin {serial}"))
        })
        .collect()
}

/// A PIN that was blocked, or forgotten, and set anew with the PUK.
pub(super) fn pin_unblocked(case: &Case, _: &Told) -> Vec<Finding> {
    let unblocked = case.pin_changes.iter().filter(|(_, what)| what == "unblock");
    unblocked
        .map(|(at, _)| {
            let text = format!(
                "{}: the PIN of key {} was set anew with the PUK",
                case.named(*at),
                case.chain(*at).serial
            );
            Finding::new("PIN-UNBLOCKED", Sort::Note, Severity::Low, text)
                .on([case.hash(*at)])
                .at(case.claimed(*at))
        })
        .collect()
}

/// Keys that belong and of which nothing was heard for too long.
fn silent<'a>(case: &'a Case, told: &'a Told) -> impl Iterator<Item = (&'a KeyStatement, i64, bool)> {
    let admitted = told.keys.iter().filter(|key| matches!(key.standing, "admitted" | "frozen"));
    admitted.filter_map(|key| {
        let (age, certain) = overdue(case, &key.last.as_ref()?.time, HEARD_WITHIN)?;
        Some((key, age, certain))
    })
}

/// A key of which there is no record for too long: whether it still exists cannot be told.
pub(super) fn drill_witness(case: &Case, told: &Told) -> Vec<Finding> {
    silent(case, told)
        .map(|(key, age, certain)| {
            let serial = key.serial;
            let text = format!("key {serial} has not been heard from for {}", span(age));
            Finding::new("DRILL-WITNESS", Sort::CannotCheck, Severity::Medium, text)
                .on(key.last.as_ref().map(|last| last.hash))
                .at(key.last.as_ref().map_or(case.now, |last| last.time.claimed))
                .possibly_if(!certain)
                .then("breakglass inventory --witness   with that key plugged in, then import the records")
        })
        .collect()
}

/// A key that has records, but has not proven itself for too long: by its FIDO2 counter, or in a drill. A key without FIDO2 is
/// held to the last drill that it proved itself in.
pub(super) fn drill_overdue(case: &Case, told: &Told) -> Vec<Finding> {
    let silent: BTreeSet<KeyId> = silent(case, told).map(|(key, ..)| key.key).collect();
    let admitted = told.keys.iter().filter(|key| key.standing == "admitted" && !silent.contains(&key.key));
    admitted
        .filter_map(|key| {
            let counted = key.last_proof.as_ref().map(|(place, _)| place);
            let place = counted.into_iter().chain(&key.last_drill).max_by_key(|place| place.seq)?;
            let (age, certain) = overdue(case, &place.time, HEARD_WITHIN)?;
            let serial = key.serial;
            let what = match counted {
                Some(_) => "shown its FIDO2 counter",
                None => "proven itself in a drill",
            };
            let text =
                format!("key {serial} has not {what} for {}, since {}", span(age), day(place.time.claimed));
            Some(
                Finding::new("DRILL-OVERDUE", Sort::Due, Severity::Medium, text)
                    .on([place.hash])
                    .at(place.time.claimed)
                    .possibly_if(!certain)
                    .then("breakglass inventory --witness   with that key plugged in"),
            )
        })
        .collect()
}

/// One FIDO2 envelope for several generations: what it answers for one of them opens that layer of all.
pub(super) fn envelope_reused(case: &Case, _: &Told) -> Vec<Finding> {
    let mut used: HashMap<(KeyId, EnvelopeId), Vec<(String, Hash)>> = HashMap::new();
    for (name, credential) in &case.credentials {
        for generation in &credential.generations {
            for key in &generation.facts.recipients {
                let Some(envelope) = envelope_in(&generation.facts, key) else { continue };
                let of = format!("{name}, generation {}", generation.number);
                used.entry((*key, envelope)).or_default().push((of, generation.record));
            }
        }
    }
    let serial = |key: &KeyId| {
        let member = case.roster.as_ref().ok().and_then(|roster| roster.keys.get(key));
        member.map_or_else(|| key.0.short(), |member| member.enrolled.serial.to_string())
    };
    let mut findings: Vec<Finding> = used
        .into_iter()
        .filter(|(_, uses)| uses.len() > 1)
        .map(|((key, _), uses)| {
            let what: Vec<&str> = uses.iter().take(10).map(|(of, _)| of.as_str()).collect();
            let text = format!(
                "key {}: one FIDO2 envelope for {} generations ({}): what it answers for one opens that layer of all",
                serial(&key),
                uses.len(),
                what.join("; ")
            );
            Finding::new("ENVELOPE-REUSED", Sort::Note, Severity::Low, text).on(uses.iter().map(|(_, hash)| *hash))
        })
        .collect();
    findings.sort_by(|one, other| one.text.cmp(&other.text));
    findings
}
