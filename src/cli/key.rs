//! `key list` and `key inspect`.

use serde::Serialize;

use super::args::Inspect;
use super::desk::{Desk, date};
use super::hint::Trouble;
use super::inventory::{head, presence, row};
use super::provision::which;
use super::table::table;
use super::{Outcome, findings};
use crate::attestation::{Firmware, Serial, Slot};
use crate::device::firmware::{Advisory, Severity, advisories, behaviour};
use crate::device::info::DeviceInfo;
use crate::device::{Readers, SlotMetadata};
use crate::inventory::{Seen, Standing, look, opens};
use crate::kit::custody::Out;
use crate::kit::finding::Finding;
use crate::kit::{Kit, KitError, roster};
use crate::record::event::KitKind;

mod fido2;

#[derive(Serialize)]
struct Listed {
    serial: Serial,
    firmware: Firmware,
    /// `admitted`, `enrolled`, `retired`, `frozen`.
    standing: &'static str,
    root: String,
    fido2: Option<fido2::Fido2>,
    place: Option<String>,
    bag: Option<String>,
    /// Time that its last check-in claims, in Unix seconds.
    checked_in: Option<i64>,
    out: Option<Out>,
    /// The same for people.
    #[serde(skip)]
    lies: String,
    /// Who keeps it, by the policy.
    keeper: Option<String>,
    puk: Option<String>,
    opens: Vec<String>,
    chain: String,
    last_seq: Option<u64>,
    /// Time that its last record claims, in Unix seconds.
    last_time: Option<i64>,
}

pub(super) fn list(desk: &mut Desk) -> Result<Outcome, Trouble> {
    let kit = desk.look()?;
    let keys: Vec<Listed> = kit.enrolled_keys().into_iter().map(|key| listed(&kit, key)).collect();
    if desk.json {
        desk.json_result(&serde_json::json!({ "keys": keys }))?;
        return Ok(Outcome::Done);
    }
    desk.practice_banner(&kit);
    if keys.is_empty() {
        desk.line("this kit has no key yet")?;
        return Ok(Outcome::Done);
    }
    let rows: Vec<Vec<String>> = keys.iter().map(in_words).collect();
    desk.text(&table(&rows))?;
    Ok(Outcome::Done)
}

fn listed(kit: &Kit, key: crate::kit::Enrolled) -> Listed {
    let serial = key.facts.serial;
    let there = kit.whereabouts(&key.id, serial);
    let puk = kit.policy.place(serial).and_then(|place| place.puk.as_ref());
    let some = |text: &String| (!text.is_empty()).then(|| text.clone());
    let last = kit.journal.records().filter(|(chain, _)| *chain == key.chain).last().map(|(_, r)| r.clone());
    Listed {
        serial,
        firmware: key.facts.firmware,
        standing: match key.standing {
            roster::Standing::Admitted => "admitted",
            roster::Standing::Enrolled => "enrolled",
            roster::Standing::Retired { .. } => "retired",
            roster::Standing::Frozen => "frozen",
        },
        root: key.facts.root.clone(),
        fido2: fido2::of(kit, &key.id),
        place: some(&there.place),
        bag: some(&there.bag),
        checked_in: there.checked_in,
        lies: super::bag::lies(&there),
        out: there.out,
        keeper: kit.policy.keeper(serial).map(|person| person.name.to_string()),
        puk: puk.map(ToString::to_string),
        opens: opens(kit, &key.id),
        chain: key.chain,
        last_seq: last.as_ref().map(|record| record.link.seq),
        last_time: last.map(|record| record.iat),
    }
}

fn in_words(key: &Listed) -> Vec<String> {
    let lies = if key.lies.is_empty() { "place not in the policy".to_owned() } else { key.lies.clone() };
    let keeper = key.keeper.as_ref().map(|keeper| format!("kept by {keeper}"));
    let puk = key.puk.as_ref().map(|puk| format!("PUK with {puk}"));
    let people: Vec<String> = keeper.into_iter().chain(puk).collect();
    let opens = match key.opens.is_empty() {
        true => "opens nothing".to_owned(),
        false => format!("opens {}", key.opens.join(", ")),
    };
    let last = match (key.last_seq, key.last_time) {
        (Some(seq), Some(time)) => format!("last record {seq}, {}", date(time)),
        _ => String::new(),
    };
    vec![
        key.serial.to_string(),
        key.firmware.to_string(),
        key.standing.to_owned(),
        format!("{} root", key.root),
        fido2::in_words(key.fido2.as_ref()),
        lies,
        people.join(", "),
        opens,
        last,
    ]
}

#[derive(Serialize)]
struct Inspected<'a> {
    #[serde(flatten)]
    seen: &'a Seen,
    model: Option<String>,
    fips: Option<bool>,
    fido2: Option<fido2::Fido2>,
    slots: &'a [InSlot],
    management_key: Option<Management>,
    advisories: &'a [Advisory],
}

#[derive(Serialize)]
struct InSlot {
    slot: String,
    empty: bool,
    algorithm: Option<String>,
    pin_policy: Option<&'static str>,
    touch_policy: Option<&'static str>,
    generated_on_key: Option<bool>,
}

#[derive(Serialize)]
struct Management {
    algorithm: String,
    factory: bool,
}

pub(super) fn inspect(desk: &mut Desk, options: &Inspect) -> Result<Outcome, Trouble> {
    let kit = match desk.look() {
        Ok(kit) => Some(kit),
        // A key can be looked at before there is a kit for it.
        Err(Trouble::Kit(KitError::NotAKit(_))) => None,
        Err(trouble) => return Err(trouble),
    };
    if let Some(kit) = &kit {
        desk.practice_banner(kit);
    }
    let mut readers = desk.readers(kit.as_ref().map_or(KitKind::Real, Kit::kind));
    let serial = which(readers.as_mut(), options.serial)?;
    let mut key = readers.connect(serial)?;
    let mut seen = look(key.as_mut(), kit.as_ref(), &desk.nonce())?;
    let knows = behaviour(seen.firmware);
    let mut slots = Vec::new();
    if knows.metadata {
        for slot in Slot::CORE {
            slots.push(in_slot(slot, key.metadata(slot)?));
        }
    }
    // The provisioning side may come with another program's handle on the same card: the other one ends first.
    drop(key);
    let (info, management) = about(readers.as_mut(), serial, knows.metadata)?;
    let advisories = advisories(seen.firmware, info.as_ref().is_some_and(DeviceInfo::is_fips));
    judge(&mut seen, management.as_ref(), &advisories);
    let enrolled = match seen.standing {
        Standing::Unknown | Standing::OtherKit => None,
        _ => kit.as_ref().and_then(|kit| Some((kit, kit.enrolled(serial)?.id))),
    };
    let fido2 = enrolled.and_then(|(kit, id)| fido2::of(kit, &id));
    let fido2_words = enrolled.map(|_| fido2::in_words(fido2.as_ref()));
    if desk.json {
        desk.json_result(&Inspected {
            seen: &seen,
            model: info.as_ref().map(DeviceInfo::model),
            fips: info.as_ref().map(DeviceInfo::is_fips),
            fido2,
            slots: &slots,
            management_key: management,
            advisories: &advisories,
        })?;
        return Ok(findings::outcome(&seen.findings));
    }
    let mut lines = describe(&seen, info.as_ref(), &slots, management.as_ref());
    lines.extend(fido2_words.map(|words| vec!["factors".to_owned(), words]));
    desk.text(&table(&lines))?;
    findings::print(desk, &seen.findings)?;
    Ok(findings::outcome(&seen.findings))
}

/// What only the provisioning side tells.
fn about(
    readers: &mut dyn Readers,
    serial: Serial,
    metadata: bool,
) -> Result<(Option<DeviceInfo>, Option<Management>), Trouble> {
    let mut admin = readers.administer(serial)?;
    let info = admin.device_info()?;
    let management = match metadata {
        true => {
            let (algorithm, factory) = admin.management_algorithm()?;
            Some(Management { algorithm: algorithm.to_string(), factory })
        }
        false => None,
    };
    Ok((info, management))
}

fn in_slot(slot: Slot, metadata: Option<SlotMetadata>) -> InSlot {
    let algorithm = |identifier: u8| match identifier {
        0x06 => "RSA-1024".to_owned(),
        0x07 => "RSA-2048".to_owned(),
        0x05 => "RSA-3072".to_owned(),
        0x16 => "RSA-4096".to_owned(),
        0x11 => "P-256".to_owned(),
        0x14 => "P-384".to_owned(),
        0xE0 => "Ed25519".to_owned(),
        0xE1 => "X25519".to_owned(),
        other => format!("{other:02X}"),
    };
    let pin = |policy: u8| match policy {
        1 => "never",
        2 => "once",
        3 => "always",
        4 => "match once",
        5 => "match always",
        _ => "default",
    };
    let touch = |policy: u8| match policy {
        1 => "never",
        2 => "always",
        3 => "cached",
        _ => "default",
    };
    InSlot {
        slot: slot.to_string(),
        empty: metadata.is_none(),
        algorithm: metadata.as_ref().map(|found| algorithm(found.algorithm)),
        pin_policy: metadata.as_ref().map(|found| pin(found.policy.0)),
        touch_policy: metadata.as_ref().map(|found| touch(found.policy.1)),
        generated_on_key: metadata.as_ref().map(|found| found.origin == 1),
    }
}

/// The factory management key, and what speaks against the firmware.
fn judge(seen: &mut Seen, management: Option<&Management>, advisories: &[Advisory]) {
    let serial = seen.serial;
    let here = !matches!(seen.standing, Standing::Unknown | Standing::OtherKit);
    if management.is_some_and(|management| management.factory) {
        let text = format!("key {serial} has the factory management key: anyone can change what is on it");
        seen.findings.push(match here {
            true => Finding::wrong("KEY-FACTORY", text),
            false => Finding::note("KEY-FACTORY", text),
        });
    }
    for advisory in advisories {
        let text = format!("{} ({})", advisory.sentence, advisory.id);
        seen.findings.push(match advisory.severity {
            Severity::Info | Severity::Warn => Finding::note("KEY-ADVISORY", text),
            // Whether a word overrides it is asked when it is provisioned; one that is enrolled has had it.
            Severity::Refuse | Severity::Never if here => Finding::note("KEY-ADVISORY", text),
            Severity::Refuse | Severity::Never => {
                Finding::due("KEY-ADVISORY", text, "use another key for a kit".into())
            }
        });
    }
    seen.findings.sort_by_key(|finding| finding.weight);
}

fn describe(
    seen: &Seen,
    info: Option<&DeviceInfo>,
    slots: &[InSlot],
    management: Option<&Management>,
) -> Vec<Vec<String>> {
    let line = |name: &str, value: String| vec![name.to_owned(), value];
    // In the words of the inventory: serial, firmware, standing, presence, tries, head, opens.
    let words = row(seen);
    let mut lines = vec![
        line("key", format!("{}, firmware {}", seen.serial, seen.firmware)),
        line("model", info.map_or_else(|| "not told".to_owned(), DeviceInfo::model)),
        line(
            "kit",
            format!("{}{}", words[2], seen.words.as_ref().map_or(String::new(), |w| format!(", {w}"))),
        ),
        line("9E", presence(seen.presence).to_owned()),
        line("head", head(seen.head).to_owned()),
        line("tries", words[4].clone()),
    ];
    if let Some(management) = management {
        let factory = if management.factory { "the factory one" } else { "its own" };
        lines.push(line("management", format!("{}, {factory}", management.algorithm)));
    }
    for slot in slots {
        lines.push(line(&format!("slot {}", slot.slot), slot_words(slot)));
    }
    lines.push(line(
        "opens",
        if seen.opens.is_empty() { "nothing here".into() } else { seen.opens.join(", ") },
    ));
    lines
}

fn slot_words(slot: &InSlot) -> String {
    match (&slot.algorithm, slot.pin_policy, slot.touch_policy, slot.generated_on_key) {
        (Some(algorithm), Some(pin), Some(touch), Some(own)) => {
            let origin = if own { "made on the key" } else { "imported" };
            format!("{algorithm}, PIN {pin}, touch {touch}, {origin}")
        }
        _ => "empty".to_owned(),
    }
}
