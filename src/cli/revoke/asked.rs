//! What is meant by what the person said: which numbers of which key, and what of it was taken back before.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::attestation::Serial;
use crate::cli::args::Revoke;
use crate::cli::desk::now;
use crate::cli::hint::Trouble;
use crate::cli::incident;
use crate::kit::Kit;
use crate::kit::debts::quoted;
use crate::kit::minted::{Ledger, TakenBack, names_a_key};
use crate::kit::policy::Kind;
use crate::kit::roster::Standing;
use crate::mint::jwt::TokenId;

/// So many numbers are named by one record, so that it fits on a key.
const MOST_NUMBERS: usize = 12;

/// The same of client certificates: their list is in the record, too.
const MOST_CERTIFICATES: usize = 3;

/// So many that have not ended may be on the list of a key.
const LONGEST_LIST: usize = 8;

/// What one record will take back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Deed {
    pub(super) kind: Kind,
    pub(super) key: Serial,
    /// None: all of it.
    pub(super) numbers: Vec<String>,
    pub(super) incident: Option<String>,
}

impl Deed {
    /// Whether only the key that minted can take it back: it alone can sign its list.
    pub(super) fn needs_own_key(&self) -> bool {
        self.kind == Kind::X509 && !self.numbers.is_empty()
    }

    pub(super) fn words(&self) -> String {
        match &self.numbers[..] {
            [] => format!("{} of {}, altogether", self.kind.plural(), self.key),
            [one] => format!("{} {one} of {}", self.kind.singular(), self.key),
            many => format!("{} {} of {}", self.kind.plural(), many.join(", "), self.key),
        }
    }

    /// The command that takes it back, where another key has to.
    pub(super) fn next(&self) -> String {
        format!(
            "breakglass revoke {} --why … --with {}        if that key is lost:  breakglass revoke --altogether --key {} --kind {} --why …",
            self.numbers.join(" "),
            self.key,
            self.key,
            self.kind
        )
    }
}

/// What is to be taken back, and what was before.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) deeds: Vec<Deed>,
    pub(super) already: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// Every kind that the key was made to mint, or what it mints with the slot of the one that was named: platforms have one key
/// for all that a slot signs.
pub(super) fn altogether(kit: &Kit, ledger: &Ledger, options: &Revoke) -> Result<Asked, Trouble> {
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

/// One number: what, of which key, minted for what incident.
type Found = (Kind, Serial, Option<String>, String);

/// What was minted with these numbers, and all of that incident.
pub(super) fn by_number(kit: &Kit, ledger: &Ledger, options: &Revoke) -> Result<Asked, Trouble> {
    let mut asked = Asked::default();
    let mut found = found(kit, ledger, options, &mut asked.notes)?;
    found.retain(|(kind, key, ..)| {
        options.kind.is_none_or(|one| one == *kind) && options.key.is_none_or(|one| one == *key)
    });
    if found.is_empty() {
        return Err(Trouble::refused(
            "nothing that was minted is of that key and kind",
            "without  --key  and  --kind  all of it is taken back",
        ));
    }
    let mut deeds: BTreeMap<(Kind, Serial, Option<String>), Vec<String>> = BTreeMap::new();
    for (kind, key, incident, number) in found {
        match before(kit, ledger, kind, key, &number) {
            Some(why) => asked.already.push(format!("{} {number} {why}", kind.singular())),
            None => {
                let numbers = deeds.entry((kind, key, incident)).or_default();
                if !numbers.contains(&number) {
                    numbers.push(number);
                }
            }
        }
    }
    fit(kit, ledger, &deeds)?;
    for ((kind, key, incident), numbers) in deeds {
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

fn found(
    kit: &Kit,
    ledger: &Ledger,
    options: &Revoke,
    notes: &mut Vec<String>,
) -> Result<Vec<Found>, Trouble> {
    let mut found: Vec<Found> = Vec::new();
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
            notes.push(format!(
                "note: no record says that {} {number} was minted; it is taken back all the same. tell the auditor.",
                kind.singular()
            ));
            found.push((kind, key, None, number));
        }
        found.extend(
            named.into_iter().map(|one| (one.kind, one.key, Some(one.incident.clone()), one.number.clone())),
        );
    }
    Ok(found)
}

/// Why that number need not be taken back any more. The certificates of a key that was retired end with its authority, which no
/// export has any more; and it signs no list.
fn before(kit: &Kit, ledger: &Ledger, kind: Kind, key: Serial, number: &str) -> Option<String> {
    let enrolled = kit.enrolled(key);
    let withdrawn = enrolled.as_ref().and_then(|key| ledger.withdrawn(kind, &key.id));
    if let Some(by) = ledger.taken_back(kind, key, number).or(withdrawn) {
        return Some(format!("is taken back already: {}", record(by)));
    }
    let retired = enrolled.is_some_and(|key| matches!(key.standing, Standing::Retired { .. }));
    (kind == Kind::X509 && retired).then(|| format!("is trusted no more already: key {key} was retired"))
}

/// The list of a key is in a record, and a record on a key: it cannot grow for ever. What ended a day ago leaves it.
fn fit(
    kit: &Kit,
    ledger: &Ledger,
    deeds: &BTreeMap<(Kind, Serial, Option<String>), Vec<String>>,
) -> Result<(), Trouble> {
    let mut more: BTreeMap<Serial, usize> = BTreeMap::new();
    for ((_, key, _), numbers) in deeds.iter().filter(|((kind, ..), _)| *kind == Kind::X509) {
        *more.entry(*key).or_default() += numbers.len();
    }
    for (key, more) in more {
        let listed = kit.authority(key).map_or(0, |certified| certified.still_listed(ledger, now()).len());
        if listed + more > LONGEST_LIST {
            return Err(Trouble::refused(
                format!(
                    "the list of key {key} would have {} client certificates, and {LONGEST_LIST} fit on it",
                    listed + more
                ),
                format!(
                    "all that it signed at once:  breakglass revoke --altogether --key {key} --kind x509 --why …"
                ),
            ));
        }
    }
    Ok(())
}

/// Of what key and kind a number is that no record has.
fn unknown(kit: &Kit, options: &Revoke, number: &str) -> Result<(Kind, Serial, String), Trouble> {
    if let Some(found) = names_a_key(kit, number) {
        return Ok(found);
    }
    match (options.kind, options.key) {
        (Some(kind), Some(key)) => {
            let Some(number) = as_recorded(kind, number) else {
                return Err(Trouble::Usage(format!("{number:?} is no number of a {}", kind.singular())));
            };
            let made =
                kit.enrolled(key).is_some_and(|key| key.facts.minting.contains_key(&kind.slot().to_string()));
            match made {
                true => Ok((kind, key, number)),
                false => Err(Trouble::refused(
                    format!("key {key} was not made to mint {}", kind.plural()),
                    "keys of the kit:  breakglass key list",
                )),
            }
        }
        _ => Err(Trouble::refused(
            format!("no record of this kit says that {number:?} was minted, and it names none of its keys"),
            "what was minted:  breakglass incident list --json; if a platform shows it all the same, say whose it is:  --key SERIAL --kind KIND",
        )),
    }
}

/// A number in the one spelling that records have.
fn as_recorded(kind: Kind, number: &str) -> Option<String> {
    match kind {
        Kind::Ssh => number.parse::<u64>().ok().map(|number| number.to_string()),
        Kind::X509 => {
            let bytes = hex::decode(number).ok()?;
            (1..=20).contains(&bytes.len()).then(|| hex::encode(bytes))
        }
        _ => number.parse::<TokenId>().ok().map(|id| id.to_string()),
    }
}
