//! `trust`: says why a kit is believed; `kits`: every kit of the ledger, and whether it is.

use std::path::PathBuf;

use serde::Serialize;

use super::desk::AuditDesk;
use super::import::grouped;
use super::trouble::Trouble;
use crate::attestation::pem_or_der;
use crate::audit::ledger::{Evidence, KitRow, Ledger, Signature, Trust};
use crate::audit::report::words::visible;
use crate::audit::trust::{by_words, key_set, kit_id, profile};
use crate::cli::Outcome;
use crate::kit::words::kit_words;
use crate::record::event::KitKind;
use crate::record::hash::{Hash, KeyId};

mod pinned;

use pinned::{ahead_of_records, count, of_the_kit, replaced};

/// What to trust, and why.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The six words that are printed on the kit's bags
    #[arg(required_unless_present = "jwks", conflicts_with = "jwks", value_name = "WORD")]
    words: Vec<String>,
    /// The kit's own attestation root, PEM or DER, where it has one beside Yubico's
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// Instead of words: public keys of the kit that you were given on another way
    #[arg(long, value_name = "FILE", requires = "kit")]
    jwks: Option<PathBuf>,
    /// Whose keys these are: kit id, or the six words
    #[arg(long, value_name = "KIT")]
    kit: Option<String>,
}

pub(super) fn trust(desk: &mut AuditDesk, options: Options) -> Result<Outcome, Trouble> {
    let mut ledger = desk.open()?;
    let named = options.kit.clone().unwrap_or_else(|| options.words.join(" "));
    let kit = find(&mut *ledger, &named)?;
    let before = ledger.kits()?.into_iter().find(|row| row.kit == kit);
    let root = options.root.as_ref().map(|path| root(&mut *ledger, &kit, path)).transpose()?;
    let trust = match &options.jwks {
        None => {
            founded_as(&mut *ledger, &kit)?;
            Trust::Words
        }
        Some(path) => {
            let bytes = read(path)?;
            let keys =
                key_set(&bytes).map_err(|error| Trouble::Refused(format!("{}: {error}", path.display())))?;
            let ids: Vec<KeyId> = keys.iter().map(KeyId::of).collect();
            let said = match before.as_ref().is_some_and(|row| row.records > 0) {
                true => of_the_kit(&mut *ledger, &kit, path, &ids)?,
                false => Some(ahead_of_records(&mut *ledger, &kit)?),
            };
            ledger.put_keys(&keys)?;
            said.iter().for_each(|text| desk.terminal.say(text));
            Trust::Pinned(ids)
        }
    };
    if let Some(text) = before.and_then(|row| replaced(&row, &trust)) {
        desk.terminal.say(&text);
    }
    ledger.put_trust(&kit, &trust, root.as_deref(), desk.now())?;
    let row = ledger.kits()?.into_iter().find(|row| row.kit == kit);
    let shown = Shown::of(&mut *ledger, &row.expect("a kit that was just put there"))?;
    match desk.json {
        true => desk.object(&shown)?,
        false => desk.text(&shown.text())?,
    }
    Ok(Outcome::Done)
}

/// The kit with these words, or this id.
pub(super) fn find(ledger: &mut dyn Ledger, named: &str) -> Result<Hash, Trouble> {
    if let Some(id) = kit_id(named) {
        return Ok(id);
    }
    match by_words(ledger, named)?[..] {
        [kit] => Ok(kit),
        [] => Err(Trouble::Refused(format!(
            "no kit of this ledger has the words \"{named}\": compare them with the bag letter by letter; \
             if they are right, its records have not come in, or are those of another kit"
        ))),
        _ => Err(Trouble::Wrong(format!(
            "more than one kit has the words \"{named}\": somebody made one to look like another. Name the kit by its \
             id, from a place you trust"
        ))),
    }
}

/// That the words stand for a founding record that is here and was signed by the key it names.
fn founded_as(ledger: &mut dyn Ledger, kit: &Hash) -> Result<(), Trouble> {
    match profile(ledger, kit)?.founded {
        None => {
            Err(Trouble::Refused("records name this kit, but its founding record has not come in".into()))
        }
        Some((_, Signature::Unknown)) => Err(Trouble::Refused(
            "the founding record is here, but not the enrolment of the key that signed it".into(),
        )),
        Some((_, Signature::Bad)) => {
            Err(Trouble::Wrong("the founding record was not signed by the key that it names".into()))
        }
        Some((_, Signature::Good)) => Ok(()),
    }
}

/// The DER of the attestation root, if it is the one that the founding record names.
fn root(ledger: &mut dyn Ledger, kit: &Hash, path: &PathBuf) -> Result<Vec<u8>, Trouble> {
    let der =
        pem_or_der(&read(path)?).map_err(|error| Trouble::Refused(format!("{}: {error}", path.display())))?;
    let named = profile(ledger, kit)?.founded.and_then(|(facts, _)| facts.attestation_root);
    match named {
        Some(hash) if hash == Hash::of(&der) => Ok(der),
        Some(_) => Err(Trouble::Wrong(format!(
            "{} is another attestation root than the founding record names",
            path.display()
        ))),
        None => Err(Trouble::Refused("the founding record of this kit names no attestation root".into())),
    }
}

fn read(path: &PathBuf) -> Result<Vec<u8>, Trouble> {
    std::fs::read(path).map_err(|error| Trouble::File { path: path.clone(), error })
}

pub(super) fn kits(desk: &mut AuditDesk) -> Result<Outcome, Trouble> {
    let mut ledger = desk.open()?;
    let mut kits = Vec::new();
    for row in ledger.kits()? {
        kits.push(Shown::of(&mut *ledger, &row)?);
    }
    let unknown: Vec<Stray> = ledger
        .homeless()?
        .into_iter()
        .map(|(serial, key, records)| Stray { serial: serial.0, key, records })
        .collect();
    let (_, set_aside) = ledger.set_aside(0)?;
    if desk.json {
        desk.object(&All { kits, keys_without_kit: unknown, set_aside })?;
        return Ok(Outcome::Done);
    }
    let mut text: String = kits.iter().map(Shown::text).collect();
    for stray in unknown {
        let (serial, records) = (stray.serial, grouped(stray.records));
        text += &format!("key {serial}: {records} records, and none says of which kit\n");
    }
    if set_aside > 0 {
        text += &format!("{} lines set aside\n", grouped(set_aside));
    }
    match text.is_empty() {
        true => desk.terminal.say("the ledger is empty"),
        false => desk.text(&text)?,
    }
    Ok(Outcome::Done)
}

/// The one object of `kits --json`.
#[derive(Serialize)]
struct All {
    kits: Vec<Shown>,
    keys_without_kit: Vec<Stray>,
    set_aside: u64,
}

#[derive(Serialize)]
struct Stray {
    serial: u32,
    key: KeyId,
    records: u64,
}

/// One kit, as text or JSON.
#[derive(Serialize)]
struct Shown {
    kit: Hash,
    words: String,
    name: Option<String>,
    kind: Option<KitKind>,
    records: u64,
    keys: Vec<u32>,
    trust: Option<&'static str>,
    pinned: Vec<KeyId>,
    trusted_at: Option<i64>,
    attestation_root: bool,
}

impl Shown {
    fn of(evidence: &mut dyn Evidence, row: &KitRow) -> Result<Self, Trouble> {
        let profile = profile(evidence, &row.kit)?;
        let founded = profile.founded.map(|(facts, _)| facts);
        let mut keys: Vec<u32> = profile.keys.iter().map(|(serial, ..)| serial.0).collect();
        keys.sort_unstable();
        keys.dedup();
        let (trust, pinned) = match &row.trust {
            None => (None, vec![]),
            Some((Trust::Words, _)) => (Some("words"), vec![]),
            Some((Trust::Pinned(keys), _)) => (Some("pinned"), keys.clone()),
        };
        Ok(Shown {
            kit: row.kit,
            words: kit_words(&row.kit).join(" "),
            kind: founded.as_ref().map(|facts| facts.kind),
            name: founded.map(|facts| facts.name),
            records: row.records,
            keys,
            trust,
            pinned,
            trusted_at: row.trust.as_ref().map(|(_, at)| *at),
            attestation_root: row.attestation_root.is_some(),
        })
    }

    fn text(&self) -> String {
        let name = match (&self.name, self.kind) {
            (Some(name), Some(KitKind::Practice)) => format!("{} (practice)", visible(name)),
            (Some(name), _) => visible(name),
            (None, _) => "no founding record yet".into(),
        };
        let trust = match (self.trust, &self.pinned[..]) {
            (None, _) => "nobody has vouched for it".into(),
            (Some("words"), _) => "trusted: its words were compared".into(),
            (Some(_), keys) => format!("trusted for {} that came from elsewhere", count(keys.len(), "key")),
        };
        let root = if self.attestation_root { ", with its own attestation root" } else { "" };
        let keys: Vec<String> = self.keys.iter().map(u32::to_string).collect();
        format!(
            "{name}\n  words    {}\n  kit      {}\n  records  {}\n  keys     {}\n  trust    {trust}{root}\n",
            self.words,
            self.kit,
            grouped(self.records),
            keys.join(" "),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kit_says_nothing_of_its_trust_by_its_name() {
        let shown = Shown {
            kit: Hash::of(b"kit"),
            words: "one two".into(),
            name: Some("DC1\n  trust    trusted: its words were compared".into()),
            kind: Some(KitKind::Real),
            records: 1,
            keys: vec![7],
            trust: None,
            pinned: vec![],
            trusted_at: None,
            attestation_root: false,
        };
        let text = shown.text();
        assert_eq!(text.lines().filter(|line| line.starts_with("  trust ")).count(), 1, "{text}");
    }
}
