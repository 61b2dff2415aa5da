//! `inventory`: every key, one after the other or side by side, without a PIN.

use std::collections::BTreeMap;

mod witness;

use super::args::Inventory;
use super::desk::Desk;
use super::hint::Trouble;
use super::table::table;
use super::{Outcome, findings};
use crate::attestation::Serial;
use crate::device::{DeviceError, Readers};
use crate::inventory::{HeadSeen, Presence, Seen, Standing, TriesLeft, look};
use crate::kit::Kit;
use crate::kit::custody;
use crate::kit::finding::Finding;
use crate::kit::roster;
use crate::operator::{Operator, Unanswered};

pub(super) fn inventory(desk: &mut Desk, options: &Inventory) -> Result<Outcome, Trouble> {
    if options.witness {
        return witness::witness(desk, options);
    }
    let kit = desk.look()?;
    desk.practice_banner(&kit);
    let mut readers = desk.readers(kit.kind());
    let wanted: Vec<Serial> = kit
        .enrolled_keys()
        .into_iter()
        .filter(|key| matches!(key.standing, roster::Standing::Admitted | roster::Standing::Enrolled))
        .map(|key| key.facts.serial)
        .collect();
    let mut seen: BTreeMap<Serial, Result<Seen, DeviceError>> = BTreeMap::new();
    loop {
        look_at_all(desk, &kit, readers.as_mut(), options.all, &mut seen)?;
        let missing: Vec<String> =
            wanted.iter().filter(|serial| !seen.contains_key(serial)).map(ToString::to_string).collect();
        if missing.is_empty() || !options.all {
            break;
        }
        match desk.terminal.swap(&format!("insert one of: {}", missing.join(" · "))) {
            Ok(()) => {}
            Err(Unanswered::NobodyToAsk | Unanswered::Cancelled) => break,
        }
    }
    let mut all: Vec<Finding> = Vec::new();
    for (serial, looked) in &seen {
        match looked {
            Ok(seen) => all.extend(seen.findings.iter().cloned()),
            Err(error) => all.push(Finding::not_checked("KEY-SEEN", format!("key {serial}: {error}"))),
        }
    }
    let not_seen: Vec<Serial> = wanted.into_iter().filter(|serial| !seen.contains_key(serial)).collect();
    for serial in &not_seen {
        let place = desk.whereabouts(&kit, *serial);
        let text = format!("key {serial} was not seen{place}");
        all.push(match options.all {
            true => Finding::not_checked("KEY-SEEN", text),
            false => Finding::note("KEY-SEEN", text),
        });
    }
    all.extend(custody::findings(&kit));
    all.sort_by_key(|finding| finding.weight);
    if desk.json {
        let keys: Vec<&Seen> = seen.values().filter_map(|looked| looked.as_ref().ok()).collect();
        desk.json_result(&serde_json::json!({ "keys": keys, "not_seen": not_seen, "findings": all }))?;
        return Ok(findings::outcome(&all));
    }
    let rows: Vec<Vec<String>> = seen.values().filter_map(|looked| looked.as_ref().ok()).map(row).collect();
    if rows.is_empty() {
        desk.line("no key is plugged in")?;
    }
    desk.text(&table(&rows))?;
    findings::print(desk, &all)?;
    Ok(findings::outcome(&all))
}

/// Looks at every key that is plugged in and was not looked at yet.
fn look_at_all(
    desk: &mut Desk,
    kit: &Kit,
    readers: &mut dyn Readers,
    waits: bool,
    seen: &mut BTreeMap<Serial, Result<Seen, DeviceError>>,
) -> Result<(), Trouble> {
    let attached = match readers.attached() {
        Ok(attached) => attached,
        Err(DeviceError::NoKey) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    for serial in attached.into_iter().map(|key| key.serial) {
        if seen.contains_key(&serial) {
            continue;
        }
        let nonce = desk.nonce();
        let looked = readers.connect(serial).and_then(|mut key| look(key.as_mut(), Some(kit), &nonce));
        if waits {
            desk.terminal.progress(&match &looked {
                Ok(_) => format!("{serial} was seen; take it out"),
                Err(error) => format!("key {serial}: {error}"),
            });
        }
        seen.insert(serial, looked);
    }
    Ok(())
}

/// One key in words: serial, firmware, standing, presence, tries, head, what it opens.
pub(super) fn row(seen: &Seen) -> Vec<String> {
    let tries = |tries: TriesLeft| match tries.total {
        Some(total) => format!("{} of {total}", tries.left),
        None => tries.left.to_string(),
    };
    let puk = seen.puk.map_or(String::new(), |puk| format!(", PUK {}", tries(puk)));
    let opens = match seen.opens.is_empty() {
        true => "opens nothing here".to_owned(),
        false => format!("opens {}", seen.opens.join(", ")),
    };
    vec![
        seen.serial.to_string(),
        seen.firmware.to_string(),
        standing(seen.standing).to_owned(),
        presence(seen.presence).to_owned(),
        format!("PIN {}{puk}", tries(seen.pin)),
        head(seen.head).to_owned(),
        opens,
    ]
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Admitted => "admitted",
        Standing::Enrolled => "not admitted",
        Standing::Retired => "retired",
        Standing::Frozen => "frozen",
        Standing::OtherKit => "of another kit",
        Standing::Unknown => "unknown here",
    }
}

pub(super) fn presence(presence: Presence) -> &'static str {
    match presence {
        Presence::Proven => "genuine",
        Presence::NotChecked => "not checked",
        Presence::Failed => "not the enrolled key",
        Presence::WasReset => "was reset",
        Presence::NotEnrolled => "nothing to prove",
    }
}

pub(super) fn head(head: HeadSeen) -> &'static str {
    match head {
        HeadSeen::Agrees => "head agrees",
        HeadSeen::None => "no head",
        HeadSeen::JournalAhead => "journal ahead",
        HeadSeen::KeyAhead => "key one ahead",
        HeadSeen::Gap => "journal lacks records",
        HeadSeen::Fork => "another record",
        HeadSeen::OtherKit => "head of another kit",
        HeadSeen::NotCompared => "head not compared",
    }
}
