//! `records list`, `verify`, `export`.

use serde::Serialize;

use super::Outcome;
use super::args::{RecordsList, RecordsVerify};
use super::desk::{Desk, date};
use super::findings::{self, counted};
use super::hint::Trouble;
use super::terminal::one_line;
use crate::kit::finding::Finding;
use crate::kit::order::in_order;
use crate::kit::{Kit, check};
use crate::record::chain::Depth;
use crate::record::event::Event;
use crate::record::hash::Hash;
use crate::record::token::Record;

mod anchor;
pub(super) mod codes;
mod export;

pub(super) use anchor::anchor;
pub(super) use export::export;

/// A record of the list: numbered over the whole kit, whatever filter is set.
#[derive(Serialize)]
struct Listed<'k> {
    n: usize,
    /// The machine's claim, in Unix seconds.
    time: i64,
    serial: u32,
    chain: &'k str,
    seq: u64,
    hash: Hash,
    event: &'static str,
    incident: Option<&'k str>,
    what: String,
    facts: &'k Event,
}

/// Every record in the order of the list: after what its signer had seen, then by the time it claims.
fn listed(kit: &Kit) -> impl Iterator<Item = (usize, &str, &Record)> {
    in_order(kit.journal.records(), |record| record.iat)
        .enumerate()
        .map(|(index, (chain, record))| (index + 1, chain, record))
}

pub(super) fn list(desk: &mut Desk, options: &RecordsList) -> Result<Outcome, Trouble> {
    let kit = desk.look()?;
    let wanted = |record: &Record| {
        options.serial.is_none_or(|serial| record.serial == serial)
            && options.incident.as_deref().is_none_or(|incident| record.txn.as_deref() == Some(incident))
    };
    let rows = listed(&kit).filter(|(_, _, record)| wanted(record)).map(|(n, chain, record)| Listed {
        n,
        time: record.iat,
        serial: record.serial.0,
        chain,
        seq: record.link.seq,
        hash: record.hash(),
        event: record.event.name(),
        incident: record.txn.as_deref(),
        what: what(&record.event),
        facts: &record.event,
    });
    let findings = kit.journal.findings();
    if desk.json {
        let records: Vec<Listed> = rows.collect();
        desk.json_result(&serde_json::json!({ "records": records, "findings": findings }))?;
        return Ok(findings::outcome(&findings));
    }
    desk.practice_banner(&kit);
    let mut text = String::new();
    for row in rows {
        let incident = row.incident.map_or(String::new(), |incident| format!("   {}", one_line(incident)));
        let at = format!("{}/{}", row.serial, row.seq);
        text.push_str(&format!(
            "{:>4}  {}  {at:<14} {:<20} {}{incident}\n",
            row.n,
            date(row.time),
            row.event,
            one_line(&row.what)
        ));
    }
    desk.text(&text)?;
    findings::say(desk, &findings);
    Ok(findings::outcome(&findings))
}

/// Who or what a record is about, in a few words.
fn what(event: &Event) -> String {
    let generation = |name: &str, generation: u64| format!("{name}, generation {generation}");
    match event {
        Event::KeyEnrolled(facts) => {
            format!("{}, firmware {}, attested by the {} root", facts.serial, facts.firmware, facts.root)
        }
        Event::KitFounded(facts) => format!("{}, {}", facts.name, super::kind_word(facts.kind)),
        Event::KeyAdmitted(facts) => facts.serial.to_string(),
        Event::KeyRetired(facts) => format!("{}: {}", facts.serial, facts.why),
        Event::PolicyAdopted(facts) => format!("policy {}", facts.policy.short()),
        Event::KeyPinChanged(facts) => facts.what.clone(),
        Event::CredentialSealed(facts) => {
            let pending = if facts.pending { ", pending" } else { "" };
            let keys = match facts.recipients.len() {
                0 => format!("{} of many", facts.threshold),
                n => format!("{} of {n}", facts.threshold),
            };
            format!("{}, {keys}{pending}", generation(&facts.credential, facts.generation))
        }
        Event::CredentialConfirmed(facts) => generation(&facts.credential, facts.generation),
        Event::OpenIntent(facts) => format!(
            "{}, {}, {}: {}",
            generation(&facts.credential, facts.generation),
            facts.operator,
            facts.emergency,
            facts.reason
        ),
        Event::OpenAsserted(facts) => {
            let counter = crate::assertion::counter(facts.data.bytes());
            let counter = counter.map_or("no counter".to_owned(), |counter| format!("counter {counter}"));
            let next = if facts.next.is_some() { ", and a new envelope" } else { "" };
            format!("over record {}, {counter}{next}", facts.over.short())
        }
        Event::OpenReleased(facts) => {
            format!("{}, to {}", generation(&facts.credential, facts.generation), facts.output)
        }
        Event::Exported(facts) => counted(facts.count as usize, "record"),
        Event::GapAccepted(facts) => facts.why.clone(),
        Event::KeyWitness(_) => "FIDO2 counter, by a fresh nonce".into(),
        Event::IncidentClosed(facts) => format!("{}: {}", facts.verdict.name(), facts.outcome),
        Event::LedgerAnchored(facts) => {
            format!("checkpoint {} of {}, {} records", facts.checkpoint.short(), facts.origin, facts.size)
        }
        Event::KeyCheckedOut(facts) => format!(
            "{} by {}, with {}, bag {:?}, seal {}: {}",
            facts.serial,
            facts.person,
            facts.witness,
            facts.bag,
            facts.seal.name(),
            facts.why
        ),
        Event::KeyCheckedIn(facts) => format!(
            "{} by {}, with {}: {}, bag {:?}",
            facts.serial, facts.person, facts.witness, facts.place, facts.bag
        ),
        Event::DebtDischarged(facts) => format!("{}, by {}: {}", facts.debt, facts.by, facts.how),
        Event::IncidentReviewed(facts) => {
            format!("{}, by {}: {}", facts.judgement.name(), facts.by, facts.text)
        }
        Event::DrillBegun(facts) => {
            let witness = facts.witness.as_ref().map_or(String::new(), |name| format!(", watched by {name}"));
            format!("{}, {}{witness}", generation(&facts.credential, facts.generation), facts.operator)
        }
        Event::DrillEnded(facts) => {
            let came = match &facts.failed {
                None if facts.proven => format!("proven in {} s", facts.seconds),
                None => "failed".to_owned(),
                Some(failed) => format!("failed: {failed}"),
            };
            format!("{}, {came}", generation(&facts.credential, facts.generation))
        }
        Event::RequestApproved(facts) => format!(
            "{}, for {}, by {}",
            generation(&facts.credential, facts.generation),
            facts.operator,
            facts.approver
        ),
        Event::MintIntent(facts) => format!(
            "{} {} as {}, number {}, {}, {}: {}",
            facts.kind.singular(),
            facts.rule,
            facts.accounts.join(" "),
            facts.numbers.join(" "),
            facts.operator,
            facts.emergency,
            facts.reason
        ),
        Event::MintIssued(facts) => {
            let which: Vec<String> = facts.credentials.iter().map(Hash::short).collect();
            format!("{} {}, to {}", facts.kind.singular(), which.join(" "), facts.output)
        }
        Event::MintAuthority(_) => "to mint client certificates under".to_owned(),
        Event::MintRevoked(facts) if facts.altogether => {
            format!("all {} of key {}: {}", facts.kind.plural(), facts.key, facts.why)
        }
        Event::MintRevoked(facts) => {
            format!("{} {}: {}", facts.kind.singular(), facts.numbers.join(" "), facts.why)
        }
    }
}

pub(super) fn verify(desk: &mut Desk, options: &RecordsVerify) -> Result<Outcome, Trouble> {
    if let Some(path) = &options.bundle {
        return verify_bundle(desk, path);
    }
    let kit = Kit::read(desk.folder(), Depth::Every)?;
    let roots = desk.roots(&kit)?;
    let mut findings = check::everything(&kit, &roots)?;
    findings.push(
        Finding::note(
            "HEAD-ON-KEY",
            "not checked here: whether the newest records of a key were cut off whole; only the key itself shows that".into(),
        )
        .then("breakglass inventory"),
    );
    let outcome = findings::outcome(&findings);
    let (records, chains) = (kit.journal.count(), kit.journal.chains().count());
    let generations: usize = kit.credentials.values().map(|credential| credential.generations.len()).sum();
    if desk.json {
        desk.json_result(&serde_json::json!({
            "verdict": findings::verdict(&findings), "records": records, "chains": chains,
            "generations": generations, "findings": findings,
        }))?;
        return Ok(outcome);
    }
    desk.practice_banner(&kit);
    findings::print(desk, &findings)?;
    let enrolments = kit.enrolled_keys().len();
    desk.line(&match outcome {
        Outcome::Wrong => "something is wrong: nothing was changed, nothing was cut away".to_owned(),
        _ => format!(
            "intact: {} in {}, each signed and linked; {} borne out by attestations; {} as recorded",
            counted(records, "record"),
            counted(chains, "chain"),
            counted(enrolments, "enrolment"),
            counted(generations, "sealed generation")
        ),
    })?;
    Ok(outcome)
}

/// A bundle without its kit.
fn verify_bundle(desk: &mut Desk, path: &std::path::Path) -> Result<Outcome, Trouble> {
    let bytes = std::fs::read(path).map_err(|cause| Trouble::Input { path: path.to_owned(), cause })?;
    let checked = check::bundle(&bytes);
    let outcome = findings::outcome(&checked.findings);
    if desk.json {
        desk.json_result(&serde_json::json!({
            "verdict": findings::verdict(&checked.findings), "records": checked.records,
            "chains": checked.chains, "generations": checked.generations, "findings": checked.findings,
        }))?;
        return Ok(outcome);
    }
    findings::print(desk, &checked.findings)?;
    desk.line(&match outcome {
        Outcome::Wrong => "something is wrong with the bundle".to_owned(),
        _ => format!(
            "intact: {} in {}, each signed and linked, each assertion verified",
            counted(checked.records, "record"),
            counted(checked.chains, "chain")
        ),
    })?;
    Ok(outcome)
}
