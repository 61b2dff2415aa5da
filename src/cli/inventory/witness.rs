//! `inventory --witness`: a visit to the vault that proves what the keys' counters say, with the PINs.

use std::collections::BTreeMap;

use crate::attestation::Serial;
use crate::cli::args::Inventory;
use crate::cli::desk::Desk;
use crate::cli::hint::Trouble;
use crate::cli::table::table;
use crate::cli::{Outcome, findings};
use crate::device::DeviceError;
use crate::kit::check::{self, Since};
use crate::kit::finding::Finding;
use crate::kit::roster::Standing;
use crate::kit::{Enrolled, Kit};
use crate::operator::{Operator, Unanswered};
use crate::signing::{Caution, Signer, SigningError, Station};

const AGAIN: &str = "plug it in and run  breakglass inventory --witness";

pub(super) fn witness(desk: &mut Desk, options: &Inventory) -> Result<Outcome, Trouble> {
    let (mut kit, _lock) = desk.work()?;
    kit.founded()?;
    let wanted: Vec<Enrolled> =
        kit.enrolled_keys().into_iter().filter(|key| key.standing == Standing::Admitted).collect();
    kit.folder.reserve().map_err(crate::kit::KitError::from)?;
    let mut readers = desk.readers(kit.kind());
    let mut asked: BTreeMap<Serial, Asked> = BTreeMap::new();
    loop {
        let attached = match readers.attached() {
            Ok(attached) => attached,
            Err(DeviceError::NoKey) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        for key in &wanted {
            let serial = key.facts.serial;
            if asked.contains_key(&serial) || !attached.iter().any(|attached| attached.serial == serial) {
                continue;
            }
            let outcome = desk.at_station(readers.as_mut(), |station| ask(station, &mut kit, key, options));
            match outcome {
                // What another key would meet as well, or the person wanted.
                Err(error @ (SigningError::Kit(_) | SigningError::Unanswered(Unanswered::Cancelled))) => {
                    return Err(error.into());
                }
                outcome => asked.insert(serial, outcome),
            };
        }
        let missing: Vec<String> = wanted
            .iter()
            .map(|key| key.facts.serial)
            .filter(|serial| !asked.contains_key(serial))
            .map(|serial| serial.to_string())
            .collect();
        if missing.is_empty() || !options.all {
            break;
        }
        match desk.terminal.swap(&format!("insert one of: {}", missing.join(" · "))) {
            Ok(()) => {}
            Err(Unanswered::NobodyToAsk | Unanswered::Cancelled) => break,
        }
    }
    // As the journal has it now.
    report(desk, &desk.look()?, &wanted, &asked)
}

/// Whether a key has a FIDO2 side that was asked, or why it gave nothing.
type Asked = Result<bool, SigningError>;

/// One key: proven, its PIN asked, its counter on record. `false` for a key without FIDO2, which witnesses nothing.
fn ask(station: &mut Station, kit: &mut Kit, key: &Enrolled, options: &Inventory) -> Asked {
    let Some(enrolled) = key.facts.fido2.clone() else { return Ok(false) };
    let caution = Caution { spend_last_try: options.caution.spend_last_try, accept_gap: None };
    let mut signer = Signer::ready(station, kit, key.facts.serial, &caution)?;
    signer.ready_fido2(station, kit, &enrolled)?;
    signer.witness(station, kit)?.recorded?;
    Ok(true)
}

fn report(
    desk: &mut Desk,
    kit: &Kit,
    wanted: &[Enrolled],
    asked: &BTreeMap<Serial, Asked>,
) -> Result<Outcome, Trouble> {
    let mut all = check::counters(kit);
    let mut rows = Vec::new();
    let mut keys = Vec::new();
    for key in wanted {
        let serial = key.facts.serial;
        let (word, text) = match asked.get(&serial) {
            None => {
                let place = desk.whereabouts(kit, serial);
                all.push(
                    Finding::not_checked("WITNESS", format!("key {serial} was not asked{place}")).then(AGAIN),
                );
                continue;
            }
            Some(Ok(true)) => match check::since_last(kit, &key.chain) {
                Some(since) => words(since),
                None => words(Since::Wrong),
            },
            Some(Ok(false)) => {
                let text =
                    format!("key {serial} has no FIDO2 side in this kit: what else used it cannot be told");
                all.push(Finding::not_checked("WITNESS", text));
                continue;
            }
            Some(Err(error)) => {
                let text = format!("{error}; its counter is not on record");
                all.push(Finding::not_checked("WITNESS", text).then(AGAIN));
                continue;
            }
        };
        keys.push(serde_json::json!({ "serial": serial, "since": word }));
        rows.push(vec![serial.to_string(), text.to_owned()]);
    }
    all.sort_by_key(|finding| finding.weight);
    if desk.json {
        desk.json_result(&serde_json::json!({ "witnessed": keys, "findings": all }))?;
        return Ok(findings::outcome(&all));
    }
    desk.text(&table(&rows))?;
    findings::print(desk, &all)?;
    Ok(findings::outcome(&all))
}

fn words(since: Since) -> (&'static str, &'static str) {
    match since {
        Since::Unused => ("unused", "FIDO2 was used by nothing else since its last assertion on record"),
        Since::Accounted => {
            ("accounted", "its counter fits the record, if openings that stopped half way count")
        }
        Since::CannotTell => {
            ("cannot-tell", "counted; its counter cannot tell whether anything else used it")
        }
        Since::Wrong => ("wrong", "its counter does not fit the record: see below"),
    }
}
