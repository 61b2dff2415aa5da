//! `revoke`: what was minted is taken back, or a key's right to mint. The record is what counts: every list that is exported
//! afterwards has it. Nothing is taken back twice.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::Outcome;
use super::args::Revoke;
use super::desk::{Desk, now};
use super::hint::Trouble;
use super::trust;
use crate::device::Readers;
use crate::kit::Kit;
use crate::kit::minted::minted;
use crate::kit::policy::Kind;
use crate::kit::roster::Standing;
use crate::mint::x509::RevokedCertificate;
use crate::minting::{MintingError, authority};
use crate::record::event::{Event, MintRevoked};
use crate::record::hash::Hash;
use crate::signing::{Caution, Signer};

mod asked;

use asked::{Asked, Deed};

/// Longest reason, in bytes.
const REASON: usize = 256;

pub(super) fn revoke(desk: &mut Desk, options: Revoke) -> Result<Outcome, Trouble> {
    let (mut kit, _lock) = desk.work()?;
    kit.founded()?;
    if options.why.trim().is_empty() || options.why.len() > REASON {
        return Err(Trouble::refused(format!("a reason is 1 to {REASON} bytes of text"), ""));
    }
    let ledger = minted(&kit);
    let Asked { deeds, already, notes } = match options.altogether {
        true => asked::altogether(&kit, &ledger, &options)?,
        false => asked::by_number(&kit, &ledger, &options)?,
    };
    for line in already.iter().chain(&notes) {
        desk.terminal.say(line);
    }
    // A list that lacks what was taken back before would give it back.
    if options.out.is_some() || deeds.iter().any(Deed::needs_own_key) {
        desk.refuse_damaged(&kit)?;
    }
    // Where it cannot be written is found before anything is signed.
    let folder = options.out.as_deref().map(trust::new_folder).transpose()?;
    let carried = match deeds.is_empty() {
        true => Ok(Carried::default()),
        false => carry_out(desk, &mut kit, &options, deeds),
    };
    if let (Err(_), Some(folder)) = (&carried, folder) {
        let _ = std::fs::remove_dir(folder); // nothing was taken back, and nothing is in it
    }
    let carried = carried?;
    let (files, unwritten) = match folder.map(|folder| write(desk, &kit, folder)) {
        Some(Err(trouble)) => (Vec::new(), Some(trouble)),
        Some(Ok(files)) => (files, None),
        None => (Vec::new(), None),
    };
    let outcome = tell(desk, &options, &carried, &files)?;
    match carried.failed.or(unwritten) {
        Some(trouble) => Err(trouble),
        None => Ok(outcome),
    }
}

/// What platforms have to replace: each file, and what to do with it.
fn write(desk: &Desk, kit: &Kit, folder: &Path) -> Result<Vec<(PathBuf, String)>, Trouble> {
    let pieces = trust::replace(desk, kit)?;
    trust::write(folder, &pieces)?;
    Ok(pieces.into_iter().map(|(name, _, what)| (folder.join(name), what)).collect())
}

/// What came of it.
#[derive(Default)]
struct Carried {
    /// Signed, each with its record.
    done: Vec<(Deed, Hash)>,
    /// What another key has to sign.
    left: Vec<Deed>,
    /// Why not all was signed that this key can sign.
    failed: Option<Trouble>,
}

/// Signs what can be signed with one key; what another has to sign is left. What was signed before something failed stands.
fn carry_out(desk: &mut Desk, kit: &mut Kit, options: &Revoke, deeds: Vec<Deed>) -> Result<Carried, Trouble> {
    let mut text = format!("revoke\nbecause   {}", options.why);
    for deed in &deeds {
        let (what, key) = (deed.words(), deed.key);
        text += &format!("\nrevoke    {what}");
        if deed.needs_own_key() {
            text += &format!("\nnote      {key} itself signs the list of its certificates");
        }
    }
    let word = match (&deeds[..], &options.incident) {
        ([first, ..], _) if first.numbers.is_empty() => format!("revoke all of {}", first.key),
        (_, Some(incident)) => format!("revoke {incident}"),
        ([only], _) if only.numbers.len() == 1 => format!("revoke {}", only.numbers[0]),
        (all, _) => format!("revoke {}", all.iter().map(|deed| deed.numbers.len()).sum::<usize>()),
    };
    // Who can sign all of it, if one can.
    let own = deeds.iter().find(|deed| deed.needs_own_key()).map(|deed| deed.key);
    desk.confirm(&text, &word)?;
    let mut readers = desk.readers(kit.kind());
    let caution = Caution { spend_last_try: options.caution.spend_last_try, accept_gap: None };
    let admitted = |serial: &crate::attestation::Serial| {
        kit.enrolled(*serial).is_some_and(|key| key.standing == Standing::Admitted)
    };
    let with = options.with.or(own.filter(|_| deeds.iter().all(Deed::needs_own_key)).filter(admitted));
    let mut signer = desk.admitted_signer(kit, readers.as_mut(), with, &caution)?;
    let (own, left): (Vec<Deed>, Vec<Deed>) =
        deeds.into_iter().partition(|deed| !deed.needs_own_key() || deed.key == signer.serial);
    let mut carried = Carried { left, ..Carried::default() };
    for deed in own {
        match sign(desk, kit, readers.as_mut(), &mut signer, &deed, &options.why) {
            Ok(record) => carried.done.push((deed, record)),
            Err(trouble) if carried.done.is_empty() => return Err(trouble),
            Err(trouble) => {
                carried.failed = Some(trouble);
                break;
            }
        }
    }
    desk.head_written(&mut signer);
    Ok(carried)
}

/// The key's own list, with what is new on it: DER in base64. A list that no record has is nowhere.
fn sign_list(
    desk: &mut Desk,
    kit: &Kit,
    readers: &mut dyn Readers,
    signer: &mut Signer,
    deed: &Deed,
) -> Result<String, Trouble> {
    let certified =
        kit.authority(deed.key).ok_or(MintingError::NoAuthority { serial: deed.key, others: Vec::new() })?;
    let at = u64::try_from(now()).unwrap_or(0);
    let mut revoked = certified.still_listed(&minted(kit), now());
    for number in &deed.numbers {
        let serial =
            hex::decode(number).map_err(|_| Trouble::Usage(format!("{number:?} is no serial number")))?;
        revoked.push(RevokedCertificate { serial, since: at });
    }
    let number = certified.list.number().saturating_add(1);
    let list = desk.at_station(readers, |station| {
        signer.ask_pin(station)?;
        authority::sign_list(signer, station, &certified.certificate, &revoked, number, at)
    })?;
    Ok(STANDARD.encode(list.der()))
}

fn sign(
    desk: &mut Desk,
    kit: &mut Kit,
    readers: &mut dyn Readers,
    signer: &mut Signer,
    deed: &Deed,
    why: &str,
) -> Result<Hash, Trouble> {
    let list = match deed.needs_own_key() {
        true => Some(sign_list(desk, kit, readers, signer, deed)?),
        false => None,
    };
    let facts = MintRevoked {
        kind: deed.kind,
        key: deed.key,
        numbers: deed.numbers.clone(),
        altogether: deed.numbers.is_empty(),
        why: why.to_owned(),
        list,
    };
    let record = desk.at_station(readers, |station| {
        let event = Event::MintRevoked(facts);
        signer.sign(station, kit, deed.incident.as_deref(), event, "to sign that it is taken back")
    })?;
    Ok(record.hash())
}

fn tell(
    desk: &mut Desk,
    options: &Revoke,
    Carried { done, left, .. }: &Carried,
    files: &[(PathBuf, String)],
) -> Result<Outcome, Trouble> {
    let outcome = if left.is_empty() { Outcome::Done } else { Outcome::Due };
    if desk.json {
        let one = |deed: &Deed, record: Option<&Hash>| {
            json!({
                "kind": deed.kind, "key": deed.key, "numbers": deed.numbers, "altogether": deed.numbers.is_empty(),
                "incident": deed.incident, "record": record,
            })
        };
        desk.json_result(&json!({
            "revoked": done.iter().map(|(deed, record)| one(deed, Some(record))).collect::<Vec<_>>(),
            "left": left.iter().map(|deed| one(deed, None)).collect::<Vec<_>>(),
            "files": files.iter().map(|(file, what)| json!({"file": file, "what": what})).collect::<Vec<_>>(),
        }))?;
        return Ok(outcome);
    }
    for (deed, _) in done {
        desk.terminal.say(&format!("on record: {} is taken back.", deed.words()));
    }
    for deed in left {
        desk.terminal.say(&format!(
            "not done: {}: that key signs it itself.\n  {}",
            deed.words(),
            deed.next()
        ));
    }
    for (file, what) in files {
        desk.line(&format!("{}   {what}", file.display()))?;
    }
    if done.iter().any(|(deed, _)| deed.kind == Kind::X509 && deed.numbers.is_empty()) {
        desk.terminal.say("servers know client certificates by breakglass_ca.pem: put the new one there; where no key is left in it, take it out of their settings.");
    }
    if options.out.is_none() {
        desk.terminal
            .say("no platform knows of it yet. what they have to replace:  breakglass trust export DIR");
    }
    Ok(outcome)
}
