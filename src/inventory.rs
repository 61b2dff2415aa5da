//! What a plugged in key shows without a PIN, held against the kit: is it the enrolled one, how many tries are left,
//! does its head agree with the journal, what does it open.

use p256::ecdsa::VerifyingKey;
use serde::Serialize;

use crate::attestation::{Firmware, Serial, Slot};
use crate::device::{DeviceError, Key, Tries, firmware};
use crate::kit::finding::Finding;
use crate::kit::head::{self, Head};
use crate::kit::roster;
use crate::kit::words::kit_words;
use crate::kit::{Enrolled, Kit};
use crate::record::hash::{Hash, KeyId};

/// One key, as it was seen.
#[derive(Debug, Clone, Serialize)]
pub struct Seen {
    /// What it says its serial number is.
    pub serial: Serial,
    /// What it says its firmware is.
    pub firmware: Firmware,
    /// What the kit knows of it.
    pub standing: Standing,
    /// Whether 9E has proven that it is the enrolled key.
    pub presence: Presence,
    /// PIN tries.
    pub pin: TriesLeft,
    /// PUK tries, where the firmware tells.
    pub puk: Option<TriesLeft>,
    /// Its head against the journal.
    pub head: HeadSeen,
    /// Words of the kit that its head names.
    pub words: Option<String>,
    /// Credentials of this kit that it opens, alone or with others.
    pub opens: Vec<String>,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// What the kit knows of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Belongs.
    Admitted,
    /// Provisioned here, not admitted.
    Enrolled,
    /// Belongs no more.
    Retired,
    /// It and another key have retired each other.
    Frozen,
    /// Its head names another kit.
    OtherKit,
    /// Nothing.
    Unknown,
}

/// Whether the key has proven that it is the enrolled one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// It has signed a fresh nonce with the enrolled 9E key.
    Proven,
    /// It was enrolled without a 9E key that needs no PIN (FIPS from 5.7.1).
    NotChecked,
    /// It could not: another key.
    Failed,
    /// Its slots are empty.
    WasReset,
    /// It is not enrolled here: nothing to compare with.
    NotEnrolled,
}

/// The key's head against the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeadSeen {
    /// Both end at the same record.
    Agrees,
    /// The key has none.
    None,
    /// The journal goes on after it.
    JournalAhead,
    /// The key holds one record that the journal lacks.
    KeyAhead,
    /// The journal lacks more than one record that the key has seen.
    Gap,
    /// They hold different records at one place.
    Fork,
    /// It is of another kit.
    OtherKit,
    /// The key is not enrolled here.
    NotCompared,
}

/// Tries of a PIN or PUK.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TriesLeft {
    /// Left now; 0 is blocked.
    pub left: u8,
    /// After a right entry, where the key tells.
    pub total: Option<u8>,
    /// Whether it is still the factory value, where the key tells.
    pub factory: Option<bool>,
}

impl From<Tries> for TriesLeft {
    fn from(tries: Tries) -> Self {
        TriesLeft { left: tries.left, total: tries.total, factory: tries.factory }
    }
}

/// Looks at a connected key. Sends no PIN, changes nothing on the key and nothing in the kit. `kit` is `None` where there
/// is none.
///
/// # Errors
/// What a command can end with; that a key cannot prove itself is a finding.
pub fn look(key: &mut dyn Key, kit: Option<&Kit>, nonce: &[u8; 32]) -> Result<Seen, DeviceError> {
    let (serial, version) = (key.serial(), key.firmware());
    let signing = match firmware::behaviour(version).metadata {
        true => key.metadata(Slot::Signing)?.and_then(|metadata| metadata.public).map(VerifyingKey::from),
        false => None,
    };
    let enrolled = kit.and_then(|kit| which(kit, serial, signing.as_ref()));
    let mut findings = Vec::new();
    let presence = match &enrolled {
        Some(enrolled) => prove(key, enrolled, nonce, &mut findings)?,
        None => Presence::NotEnrolled,
    };
    let objects = key.head_objects()?;
    let (standing, head, words) = match (kit, &enrolled) {
        (Some(kit), Some(enrolled)) => {
            let found = head::highest(&objects, &VerifyingKey::from(enrolled.facts.signing.0));
            let words = found.as_ref().and_then(words_of);
            (of(enrolled.standing), compare(kit, enrolled, found.as_ref(), &mut findings), words)
        }
        _ => {
            let words =
                signing.and_then(|signing| head::highest(&objects, &signing)).as_ref().and_then(words_of);
            let standing = if words.is_some() { Standing::OtherKit } else { Standing::Unknown };
            (standing, HeadSeen::NotCompared, words)
        }
    };
    let (pin, puk) = (key.pin_tries()?, key.puk_tries()?);
    tried(serial, pin, puk, enrolled.is_some(), &mut findings);
    standing_finding(serial, standing, words.as_deref(), &mut findings);
    let opens = match (kit, &enrolled) {
        (Some(kit), Some(enrolled)) => opens(kit, &enrolled.id),
        _ => Vec::new(),
    };
    findings.sort_by_key(|finding| finding.weight);
    Ok(Seen {
        serial,
        firmware: version,
        standing,
        presence,
        pin: pin.into(),
        puk: puk.map(Into::into),
        head,
        words,
        opens,
        findings,
    })
}

/// Credentials whose current (or only, pending) generation is sealed to that key.
pub fn opens(kit: &Kit, id: &KeyId) -> Vec<String> {
    let sealed_to = |credential: &&crate::kit::credentials::Credential| {
        credential.current().or(credential.pending()).is_some_and(|g| g.facts.recipients.contains(id))
    };
    kit.credentials.iter().filter(|(_, c)| sealed_to(c)).map(|(name, _)| name.to_string()).collect()
}

/// Where a serial was enrolled more than once: the enrolment whose 9C key is on the key, else the one that belongs.
fn which(kit: &Kit, serial: Serial, signing: Option<&VerifyingKey>) -> Option<Enrolled> {
    let all: Vec<Enrolled> =
        kit.enrolled_keys().into_iter().filter(|key| key.facts.serial == serial).collect();
    let same = signing.map(KeyId::of).and_then(|id| all.iter().find(|key| key.id == id).cloned());
    same.or_else(|| all.into_iter().next())
}

fn prove(
    key: &mut dyn Key,
    enrolled: &Enrolled,
    nonce: &[u8; 32],
    findings: &mut Vec<Finding>,
) -> Result<Presence, DeviceError> {
    let serial = enrolled.facts.serial;
    let not_checked = |findings: &mut Vec<Finding>| {
        let text = format!("key {serial} cannot prove itself before its PIN is typed (FIPS)");
        findings.push(Finding::not_checked("KEY-PRESENCE", text));
        Ok(Presence::NotChecked)
    };
    let Some(expected) = enrolled.facts.presence else { return not_checked(findings) };
    match key.prove_presence(&VerifyingKey::from(expected.0), nonce) {
        Ok(()) => Ok(Presence::Proven),
        Err(DeviceError::PresenceNeedsPin(_)) => not_checked(findings),
        Err(DeviceError::NotGenuine(_) | DeviceError::EmptySlot(_)) if is_empty(key)? => {
            let text = format!(
                "the slots of key {serial} are empty: it was reset since it was enrolled, or it is another key; it opens nothing"
            );
            let next = format!("breakglass key retire {serial} --why …");
            findings.push(Finding::wrong("KEY-RESET", text).then(next));
            Ok(Presence::WasReset)
        }
        Err(DeviceError::NotGenuine(_) | DeviceError::EmptySlot(_)) => {
            let text =
                format!("this key says it is {serial}, but it cannot prove it; it may have been swapped");
            findings.push(Finding::wrong("KEY-PRESENCE", text).then("keep it and its bag as evidence"));
            Ok(Presence::Failed)
        }
        Err(error) => Err(error),
    }
}

/// Whether the key says that none of our slots holds a key. Where it cannot say, it counts as holding some.
fn is_empty(key: &mut dyn Key) -> Result<bool, DeviceError> {
    if !firmware::behaviour(key.firmware()).metadata {
        return Ok(false);
    }
    for slot in Slot::CORE {
        if key.metadata(slot)?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn compare(kit: &Kit, enrolled: &Enrolled, head: Option<&Head>, findings: &mut Vec<Finding>) -> HeadSeen {
    const MERGE: &str = "breakglass kit merge DIR   with another copy of the kit";
    let (serial, chain) = (enrolled.facts.serial, &enrolled.chain);
    let last = kit.journal.last(chain).map(|(seq, _)| seq);
    let at = |seq| kit.journal.hash_at(chain, seq);
    let kit_id = kit.id();
    let wrong = |rule, text| Finding::wrong(rule, text).then(MERGE);
    match head::compare(kit_id.as_ref(), head, last, &at) {
        head::Standing::Agree => HeadSeen::Agrees,
        head::Standing::NoHead => {
            let text = format!("key {serial} carries no head: nothing to compare the journal with");
            findings.push(Finding::not_checked("KEY-HEAD", text));
            HeadSeen::None
        }
        head::Standing::JournalAhead => {
            let text = format!(
                "the head on key {serial} is older than the journal; its next signature sets it right"
            );
            findings.push(Finding::note("KEY-HEAD", text));
            HeadSeen::JournalAhead
        }
        head::Standing::Restorable(record) => {
            let text = format!("record {serial}/{} is only on the key, not in the journal", record.link.seq);
            let next = "the next command that signs with this key puts it back".to_owned();
            findings.push(Finding::due("KEY-HEAD", text, next));
            HeadSeen::KeyAhead
        }
        head::Standing::Gap { from, to } => {
            let text = format!(
                "this copy of the kit is older than key {serial} remembers: it lacks records {from} to {to} of {serial}"
            );
            findings.push(wrong("KEY-HEAD", text));
            HeadSeen::Gap
        }
        head::Standing::Fork { seq } => {
            let text =
                format!("record {seq} of key {serial} is another one in this copy than the key remembers");
            findings.push(wrong("KEY-HEAD", text));
            HeadSeen::Fork
        }
        head::Standing::OtherKit(_) => {
            let text = format!("key {serial} is enrolled here, but its head is of another kit");
            findings.push(Finding::wrong("KEY-HEAD", text));
            HeadSeen::OtherKit
        }
    }
}

/// Tries below full, and factory values.
fn tried(serial: Serial, pin: Tries, puk: Option<Tries>, enrolled: bool, findings: &mut Vec<Finding>) {
    for (name, tries, mend) in [
        ("PIN", Some(pin), format!("breakglass key pin {serial}")),
        ("PUK", puk, format!("breakglass key pin {serial} --what puk")),
    ] {
        let Some(tries) = tries else { continue };
        if tries.factory == Some(true) {
            let text = format!("key {serial} has the factory {name}: anyone can use it");
            findings.push(match enrolled {
                true => Finding::wrong("KEY-FACTORY", text).then(mend.clone()),
                false => Finding::note("KEY-FACTORY", text),
            });
        }
        match (tries.left, tries.total) {
            (0, _) if name == "PIN" => {
                let next = format!("breakglass key pin {serial} --what unblock");
                findings.push(Finding::due("KEY-TRIES", format!("the PIN of key {serial} is blocked"), next));
            }
            (0, _) => {
                let text = format!("the PUK of key {serial} is blocked: nothing unblocks its PIN any more");
                findings.push(Finding::due("KEY-TRIES", text, "plan a replacement for it".into()));
            }
            (left, Some(total)) if left < total => {
                let text =
                    format!("key {serial} has {left} of {total} {name} tries left: a wrong {name} was typed");
                let next = format!("{mend}   a right {name} gives all tries back");
                findings.push(Finding::due("KEY-TRIES", text, next));
            }
            _ => {}
        }
    }
}

fn standing_finding(serial: Serial, standing: Standing, words: Option<&str>, findings: &mut Vec<Finding>) {
    let text = match standing {
        Standing::Admitted => return,
        Standing::Enrolled => format!("key {serial} is enrolled and not admitted"),
        Standing::Retired => format!("key {serial} was retired; it does not belong into a bag of this kit"),
        Standing::Frozen => format!("key {serial} is frozen: it and another key have retired each other"),
        Standing::OtherKit => format!("key {serial} belongs to another kit: {}", words.unwrap_or_default()),
        Standing::Unknown => format!("key {serial} is not enrolled in this kit"),
    };
    findings.push(Finding::note("KEY-STANDING", text));
}

fn of(standing: roster::Standing) -> Standing {
    match standing {
        roster::Standing::Admitted => Standing::Admitted,
        roster::Standing::Enrolled => Standing::Enrolled,
        roster::Standing::Retired { .. } => Standing::Retired,
        roster::Standing::Frozen => Standing::Frozen,
    }
}

/// The words of the kit that a head names; none while its key belonged to none.
fn words_of(head: &Head) -> Option<String> {
    (head.kit != Hash([0; 32])).then(|| kit_words(&head.kit).join(" "))
}
