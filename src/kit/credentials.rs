//! What is sealed, by whom, for whom, and what was opened: derived from the records.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::kit::fido2::FIDO2;
use crate::kit::name::{CredentialName, Name};
use crate::kit::roster::{Roster, Standing};
use crate::record::event::{CredentialSealed, DrillEnded, EnvelopeId, Event, OpenIntent};
use crate::record::hash::{Hash, KeyId};
use crate::record::token::Record;

/// One credential with every sealing of it.
#[derive(Debug, Clone, Default)]
pub struct Credential {
    /// Every sealing, oldest first.
    pub generations: Vec<Generation>,
    /// Every opening, as the records tell it.
    pub openings: Vec<Opening>,
    /// Every drill that was begun.
    pub drills: Vec<Drill>,
}

/// One sealing.
#[derive(Debug, Clone)]
pub struct Generation {
    /// From 1.
    pub number: u64,
    /// Made by `rotate` and not yet confirmed.
    pub pending: bool,
    /// What the record says. Where it names a list, `recipients` and `files` are the list's.
    pub facts: CredentialSealed,
    /// Hash of the record.
    pub record: Hash,
    /// When its signer's machine said it was, in Unix seconds.
    pub sealed_at: i64,
}

/// One use, or what may have been one.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Which generation.
    pub generation: u64,
    /// The intent's facts.
    pub intent: OpenIntent,
    /// Hash of the intent record.
    pub record: Hash,
    /// The incident.
    pub incident: String,
    /// Which key signed it.
    pub key: KeyId,
    /// When its signer's machine said it was, in Unix seconds.
    pub at: i64,
    /// Whether an outcome names it. Without one it may have been disclosed, and counts as used.
    pub released: bool,
}

/// One rehearsal with one key. Never an opening: nothing was put together.
#[derive(Debug, Clone)]
pub struct Drill {
    /// Which generation.
    pub generation: u64,
    /// Hash of the record that began it.
    pub record: Hash,
    /// Which key.
    pub key: KeyId,
    /// Who drilled.
    pub operator: String,
    /// When its signer's machine said it was begun, in Unix seconds.
    pub at: i64,
    /// What it came to; `None` if no record of the same key says.
    pub ended: Option<DrillEnded>,
}

impl Drill {
    /// Whether it proved that the key would open that generation.
    pub fn proven(&self) -> bool {
        self.ended.as_ref().is_some_and(|ended| ended.proven)
    }
}

/// Recipients and files where they are too long for a record: `list.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Key ids of the recipients.
    pub recipients: Vec<KeyId>,
    /// The envelope of each recipient, as in `credential.sealed`.
    #[serde(default, with = "crate::record::event::envelope_ids", skip_serializing_if = "Vec::is_empty")]
    pub envelopes: Vec<Option<EnvelopeId>>,
    /// SHA-256 of each file in the folder but this one.
    pub files: BTreeMap<String, Hash>,
}

impl Credential {
    /// The generation that is in force: the newest that is not pending.
    pub fn current(&self) -> Option<&Generation> {
        self.generations.iter().rfind(|g| !g.pending)
    }

    /// A rotation that was begun and not confirmed: newer than the current one.
    pub fn pending(&self) -> Option<&Generation> {
        let current = self.current().map_or(0, |g| g.number);
        self.generations.iter().rfind(|g| g.pending && g.number > current)
    }

    /// Whether this key has opened this generation, or would have in a drill, which proves that it can.
    pub fn proven(&self, generation: u64, key: &KeyId) -> bool {
        self.last_proof(generation, key).is_some()
    }

    /// When this key last proved that it opens this generation, by an opening or a drill, as its machine claimed.
    pub fn last_proof(&self, generation: u64, key: &KeyId) -> Option<i64> {
        let opened =
            self.openings.iter().filter(|o| o.released && o.generation == generation && o.key == *key);
        let drilled =
            self.drills.iter().filter(|d| d.proven() && d.generation == generation && d.key == *key);
        opened.map(|opening| opening.at).chain(drilled.map(|drill| drill.at)).max()
    }

    /// When that generation was last drilled with any key that proved itself, as its machine claimed.
    pub fn last_drill(&self, generation: u64) -> Option<i64> {
        self.drills
            .iter()
            .filter(|drill| drill.proven() && drill.generation == generation)
            .map(|d| d.at)
            .max()
    }

    /// Openings (or what may have been one) of the current generation: it has to be rotated.
    pub fn used(&self) -> impl Iterator<Item = &Opening> {
        let current = self.current().map_or(0, |g| g.number);
        self.openings.iter().filter(move |o| o.generation == current)
    }
}

/// Whether a sealing is one that this program could have made: names that stay in their folder, keys enough, and a number
/// that another can follow. Whoever has one key can sign anything.
pub fn is_plain(facts: &CredentialSealed) -> bool {
    let next = 1..(1 << 53) - 1;
    is_name(&facts.folder)
        && facts.files.keys().all(|file| is_name(file))
        && facts.threshold > 0
        && next.contains(&facts.generation)
        && (facts.list.is_some() || is_parallel(&facts.factors, &facts.envelopes, &facts.recipients))
}

/// Whether the envelopes are those of the recipients, one for each, where FIDO2 is asked for, and none elsewhere.
pub fn is_parallel(factors: &[String], envelopes: &[Option<EnvelopeId>], recipients: &[KeyId]) -> bool {
    match factors.iter().any(|factor| factor == FIDO2) {
        true => envelopes.len() == recipients.len() && envelopes.iter().any(Option::is_some),
        false => envelopes.is_empty(),
    }
}

/// Whether a file of that name lies in the folder that it is looked for in.
pub fn is_name(file: &str) -> bool {
    file.parse::<Name>().is_ok()
}

/// Folder of a generation, relative to the kit's.
pub fn folder(name: &CredentialName, generation: &Generation) -> String {
    format!("sealed/{}/{}/{}", name.platform, name.account, generation.facts.folder)
}

/// Everything that is sealed, by name. Records of keys that do not belong are left out.
pub fn derive<'a>(
    roster: &Roster,
    records: impl Iterator<Item = &'a Record> + Clone,
) -> BTreeMap<CredentialName, Credential> {
    let mut found: BTreeMap<CredentialName, Credential> = BTreeMap::new();
    let mut released: std::collections::BTreeSet<Hash> = Default::default();
    let mut ended: std::collections::HashMap<(KeyId, Hash), DrillEnded> = Default::default();
    let regular = records.filter(|record| belongs(roster, record));
    for record in regular.clone() {
        match &record.event {
            Event::CredentialSealed(facts) => {
                let Ok(name) = facts.credential.parse() else { continue };
                if !is_plain(facts) {
                    continue;
                }
                found.entry(name).or_default().generations.push(Generation {
                    number: facts.generation,
                    pending: facts.pending,
                    facts: facts.clone(),
                    record: record.hash(),
                    sealed_at: record.iat,
                });
            }
            Event::OpenIntent(intent) => {
                let Ok(name) = intent.credential.parse() else { continue };
                found.entry(name).or_default().openings.push(Opening {
                    generation: intent.generation,
                    intent: intent.clone(),
                    record: record.hash(),
                    incident: record.txn.clone().unwrap_or_default(),
                    key: record.kid,
                    at: record.iat,
                    released: false,
                });
            }
            Event::OpenReleased(facts) => released.extend(facts.intents.iter().copied()),
            Event::DrillBegun(facts) => {
                let Ok(name) = facts.credential.parse() else { continue };
                found.entry(name).or_default().drills.push(Drill {
                    generation: facts.generation,
                    record: record.hash(),
                    key: record.kid,
                    operator: facts.operator.clone(),
                    at: record.iat,
                    ended: None,
                });
            }
            Event::DrillEnded(facts) => drop(ended.insert((record.kid, facts.begun), facts.clone())),
            _ => {}
        }
    }
    for record in regular {
        if let Event::CredentialConfirmed(facts) = &record.event {
            let Some(credential) = facts.credential.parse().ok().and_then(|name| found.get_mut(&name)) else {
                continue;
            };
            for generation in credential.generations.iter_mut().filter(|g| g.record == facts.sealed) {
                generation.pending = false;
            }
        }
    }
    for (name, credential) in &mut found {
        credential.generations.sort_by_key(|g| (g.number, g.sealed_at, g.record));
        for opening in &mut credential.openings {
            opening.released = released.contains(&opening.record);
        }
        for drill in &mut credential.drills {
            let end = ended.remove(&(drill.key, drill.record));
            let same =
                |end: &DrillEnded| end.generation == drill.generation && end.credential == name.to_string();
            drill.ended = end.filter(same);
        }
    }
    found.retain(|_, credential| !credential.generations.is_empty());
    found
}

/// Whether the record was signed by a key of this kit while it belonged.
pub fn belongs(roster: &Roster, record: &Record) -> bool {
    record.link.kit == Some(roster.kit)
        && match roster.keys.get(&record.kid).map(|member| member.standing) {
            Some(Standing::Admitted) => true,
            Some(Standing::Retired { last_seq }) => record.link.seq <= last_seq,
            // Two keys that retired each other: what they sealed stays openable until the others decide.
            Some(Standing::Frozen) => true,
            Some(Standing::Enrolled) | None => false,
        }
}
