//! `revoke`: what was minted is taken back, or a key's right to mint. The record is what counts: every list that is exported
//! afterwards has it. Nothing is taken back twice.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::json;

use super::Outcome;
use super::args::Revoke;
use super::desk::{Desk, now};
use super::hint::Trouble;
use super::{incident, trust};
use crate::attestation::Serial;
use crate::kit::Kit;
use crate::kit::authorities::Certified;
use crate::kit::debts::quoted;
use crate::kit::minted::{Ledger, TakenBack, minted, names_a_key};
use crate::kit::policy::Kind;
use crate::mint::jwt::TokenId;
use crate::mint::x509::RevokedCertificate;
use crate::minting::{MintingError, authority};
use crate::record::event::{Event, MintRevoked};
use crate::record::hash::Hash;
use crate::signing::{Caution, Signer};

/// So many numbers are named by one record, so that it fits on a key.
const MOST_NUMBERS: usize = 12;

/// The same of client certificates: their list is in the record, too.
const MOST_CERTIFICATES: usize = 3;

/// So many that have not ended may be on the list of a key.
const LONGEST_LIST: usize = 8;

/// What one record will take back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Deed {
    kind: Kind,
    key: Serial,
    /// None: all of it.
    numbers: Vec<String>,
    incident: Option<String>,
}

/// What is to be taken back, and what was before.
#[derive(Debug, Default)]
struct Asked {
    deeds: Vec<Deed>,
    already: Vec<String>,
    notes: Vec<String>,
}

pub(super) fn revoke(desk: &mut Desk, options: Revoke) -> Result<Outcome, Trouble> {
    let (mut kit, _lock) = desk.work()?;
    kit.founded()?;
    let ledger = minted(&kit);
    let asked = match options.altogether {
        true => altogether(&kit, &ledger, &options)?,
        false => by_number(&kit, &ledger, &options)?,
    };
    for line in asked.already.iter().chain(&asked.notes) {
        desk.terminal.say(line);
    }
    let (done, left) = match asked.deeds.is_empty() {
        true => (Vec::new(), Vec::new()),
        false => carry_out(desk, &mut kit, &options, asked.deeds)?,
    };
    let files = match &options.out {
        Some(folder) => {
            let pieces = trust::replace(desk, &kit)?;
            trust::write(folder, &pieces)?;
            pieces.into_iter().map(|(name, _, what)| (folder.join(name), what)).collect()
        }
        None => Vec::new(),
    };
    tell(desk, &options, &done, &left, &files)
}

/// Every kind that the key was made to mint, or what it mints with the slot of the one that was named: platforms have one key
/// for all that a slot signs.
fn altogether(kit: &Kit, ledger: &Ledger, options: &Revoke) -> Result<Asked, Trouble> {
    let Some(key) = options.key else { return Err(Trouble::Usage("say which key: --key SERIAL".into())) };
    let enrolled = kit.enrolled(key).ok_or(crate::signing::SigningError::NotEnrolled(key))?;
    let made = |kind: &Kind| enrolled.facts.minting.contains_key(&kind.slot().to_string());
    let kinds: Vec<Kind> = Kind::ALL
        .into_iter()
        .filter(|kind| options.kind.is_none_or(|one| one.slot() == kind.slot()))
        .filter(made)
        .collect();
    if kinds.is_empty() {
        let what = options.kind.map_or("anything", Kind::plural);
        return Err(Trouble::refused(
            format!("key {key} was not made to mint {what}"),
            "keys of the kit:  breakglass key list",
        ));
    }
    let mut asked = Asked::default();
    for kind in kinds {
        match ledger.withdrawn(kind, &enrolled.id) {
            Some(by) => asked.already.push(format!(
                "{} of {key} are trusted no more already: {}",
                kind.plural(),
                record(by)
            )),
            None => asked.deeds.push(Deed { kind, key, numbers: Vec::new(), incident: None }),
        }
    }
    Ok(asked)
}

fn record(by: &TakenBack) -> String {
    format!("record {}/{}", by.place.0, by.place.1)
}

/// What was minted with these numbers, and all of that incident.
fn by_number(kit: &Kit, ledger: &Ledger, options: &Revoke) -> Result<Asked, Trouble> {
    let mut found: Vec<(Kind, Serial, Option<String>, String)> = Vec::new();
    let mut asked = Asked::default();
    if let Some(name) = &options.incident {
        incident::named(kit, name)?;
        let of_it = ledger.minted.iter().filter(|one| one.incident == *name);
        found.extend(of_it.map(|one| (one.kind, one.key, Some(name.clone()), one.number.clone())));
        if found.is_empty() && options.numbers.is_empty() {
            let next = format!("what was done for it:  breakglass incident show {}", quoted(name));
            return Err(Trouble::refused(format!("nothing was minted for {name}"), next));
        }
    }
    for number in &options.numbers {
        let named = ledger.named(number);
        if named.is_empty() {
            let (kind, key, number) = unknown(kit, options, number)?;
            asked.notes.push(format!(
                "note: no record says that {} {number} was minted; it is taken back all the same. tell the auditor.",
                kind.singular()
            ));
            found.push((kind, key, None, number));
        }
        found.extend(
            named.into_iter().map(|one| (one.kind, one.key, Some(one.incident.clone()), one.number.clone())),
        );
    }
    let wanted = |(kind, key, ..): &(Kind, Serial, Option<String>, String)| {
        options.kind.is_none_or(|one| one == *kind) && options.key.is_none_or(|one| one == *key)
    };
    found.retain(wanted);
    if found.is_empty() {
        return Err(Trouble::refused(
            "nothing that was minted is of that key and kind",
            "without  --key  and  --kind  all of it is taken back",
        ));
    }
    let mut deeds: BTreeMap<(Kind, Serial, Option<String>), Vec<String>> = BTreeMap::new();
    for (kind, key, incident, number) in found {
        let withdrawn = || kit.enrolled(key).and_then(|key| ledger.withdrawn(kind, &key.id).cloned());
        match ledger.taken_back(kind, key, &number).cloned().or_else(withdrawn) {
            Some(by) => asked.already.push(format!(
                "{} {number} is taken back already: {}",
                kind.singular(),
                record(&by)
            )),
            None => {
                let numbers = deeds.entry((kind, key, incident)).or_default();
                if !numbers.contains(&number) {
                    numbers.push(number);
                }
            }
        }
    }
    for ((kind, key, incident), numbers) in deeds {
        if kind == Kind::X509 {
            fits(kit, ledger, key, numbers.len())?;
        }
        let lots = numbers.chunks(if kind == Kind::X509 { MOST_CERTIFICATES } else { MOST_NUMBERS });
        asked.deeds.extend(lots.map(|lot| Deed {
            kind,
            key,
            numbers: lot.to_vec(),
            incident: incident.clone(),
        }));
    }
    Ok(asked)
}

/// The list of a key is in a record, and a record on a key: it cannot grow for ever. What ended a day ago leaves it.
fn fits(kit: &Kit, ledger: &Ledger, key: Serial, more: usize) -> Result<(), Trouble> {
    let listed = kit.authority(key).map_or(0, |certified| still_listed(&certified, ledger).len());
    match listed + more <= LONGEST_LIST {
        true => Ok(()),
        false => Err(Trouble::refused(
            format!(
                "the list of key {key} would have {} client certificates, and {LONGEST_LIST} fit on it",
                listed + more
            ),
            format!(
                "all that it signed at once:  breakglass revoke --altogether --key {key} --kind x509 --why …"
            ),
        )),
    }
}

/// What is on the newest list of that key, and has not ended long ago.
fn still_listed(certified: &Certified, ledger: &Ledger) -> Vec<RevokedCertificate> {
    let mut listed = certified.list.revoked();
    listed.retain(|one| !ledger.is_over(Kind::X509, certified.serial, &hex::encode(&one.serial), now()));
    listed
}

/// Of what key and kind a number is that no record has.
fn unknown(kit: &Kit, options: &Revoke, number: &str) -> Result<(Kind, Serial, String), Trouble> {
    if let Some(found) = names_a_key(kit, number) {
        return Ok(found);
    }
    let is_one = |kind: Kind| match kind {
        Kind::Ssh => number.parse::<u64>().is_ok(),
        Kind::X509 => {
            number.len().is_multiple_of(2) && (2..=40).contains(&number.len()) && hex::decode(number).is_ok()
        }
        _ => number.parse::<TokenId>().is_ok(),
    };
    match (options.kind, options.key) {
        (Some(kind), Some(key)) if is_one(kind) => {
            let made =
                kit.enrolled(key).is_some_and(|key| key.facts.minting.contains_key(&kind.slot().to_string()));
            match made {
                true if kind == Kind::X509 => Ok((kind, key, number.to_lowercase())),
                true => Ok((kind, key, number.to_owned())),
                false => Err(Trouble::refused(
                    format!("key {key} was not made to mint {}", kind.plural()),
                    "keys of the kit:  breakglass key list",
                )),
            }
        }
        (Some(kind), Some(_)) => {
            Err(Trouble::Usage(format!("{number:?} is no number of a {}", kind.singular())))
        }
        _ => Err(Trouble::refused(
            format!("no record of this kit says that {number:?} was minted, and it names none of its keys"),
            "what was minted:  breakglass incident list --json; if a platform shows it all the same, say whose it is:  --key SERIAL --kind KIND",
        )),
    }
}

/// A deed that was signed, with its record.
type Done = (Deed, Hash);

/// Signs what can be signed with one key; what another has to sign is left.
fn carry_out(
    desk: &mut Desk,
    kit: &mut Kit,
    options: &Revoke,
    deeds: Vec<Deed>,
) -> Result<(Vec<Done>, Vec<Deed>), Trouble> {
    let mut text = format!("revoke\nbecause   {}", options.why);
    for deed in &deeds {
        let (what, key) = (deed.words(), deed.key);
        text += &format!("\nrevoke    {what}");
        if needs_own_key(deed) {
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
    let own = deeds.iter().find(|deed| needs_own_key(deed)).map(|deed| deed.key);
    desk.confirm(&text, &word)?;
    let mut readers = desk.readers(kit.kind());
    let caution = Caution { spend_last_try: options.caution.spend_last_try, accept_gap: None };
    let admitted = |serial: &Serial| {
        kit.enrolled(*serial).is_some_and(|key| key.standing == crate::kit::roster::Standing::Admitted)
    };
    let with = options.with.or(own.filter(|_| deeds.iter().all(needs_own_key)).filter(admitted));
    let mut signer = desk.admitted_signer(kit, readers.as_mut(), with, &caution)?;
    let (mut done, mut left) = (Vec::new(), Vec::new());
    for deed in deeds {
        if needs_own_key(&deed) && deed.key != signer.serial {
            left.push(deed);
            continue;
        }
        let list = match needs_own_key(&deed) {
            true => Some(sign_list(desk, kit, readers.as_mut(), &mut signer, &deed)?),
            false => None,
        };
        let record = sign(desk, kit, readers.as_mut(), &mut signer, (&deed, list), &options.why)?;
        done.push((deed, record));
    }
    desk.head_written(&mut signer);
    Ok((done, left))
}

/// Whether only the key that minted can take it back: it alone can sign its list.
fn needs_own_key(deed: &Deed) -> bool {
    deed.kind == Kind::X509 && !deed.numbers.is_empty()
}

/// The key's own list, with what is new on it: DER in base64. A list that no record has is nowhere.
fn sign_list(
    desk: &mut Desk,
    kit: &Kit,
    readers: &mut dyn crate::device::Readers,
    signer: &mut Signer,
    deed: &Deed,
) -> Result<String, Trouble> {
    let certified =
        kit.authority(deed.key).ok_or(MintingError::NoAuthority { serial: deed.key, others: Vec::new() })?;
    let at = u64::try_from(now()).unwrap_or(0);
    let mut revoked = still_listed(&certified, &minted(kit));
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
    readers: &mut dyn crate::device::Readers,
    signer: &mut Signer,
    (deed, list): (&Deed, Option<String>),
    why: &str,
) -> Result<Hash, Trouble> {
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

impl Deed {
    fn words(&self) -> String {
        match &self.numbers[..] {
            [] => format!("{} of {}, altogether", self.kind.plural(), self.key),
            [one] => format!("{} {one} of {}", self.kind.singular(), self.key),
            many => format!("{} {} of {}", self.kind.plural(), many.join(", "), self.key),
        }
    }

    /// The command that takes it back, where another key has to.
    fn next(&self) -> String {
        format!(
            "breakglass revoke {} --why … --with {}        if that key is lost:  breakglass revoke --altogether --key {} --kind {} --why …",
            self.numbers.join(" "),
            self.key,
            self.key,
            self.kind
        )
    }
}

fn tell(
    desk: &mut Desk,
    options: &Revoke,
    done: &[Done],
    left: &[Deed],
    files: &[(std::path::PathBuf, String)],
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
