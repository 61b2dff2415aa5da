//! The FIDO2 side of the kit's keys: which envelopes each has, and what was sealed to them. Derived from the journal alone.
//!
//! An envelope comes from an enrolment, or from an assertion that is good evidence of the key's own. It is used once a
//! generation of any credential is sealed to it. Sealing takes the oldest that is not; where all are used, the newest
//! again, which the records then show.

use crate::attestation::Serial;
use crate::kit::Kit;
use crate::kit::credentials::{self, Generation};
use crate::kit::name::CredentialName;
use crate::record::counter;
use crate::record::event::{
    CredentialSealed, Envelope, EnvelopeId, Event, Fido2Enrolled, Fido2PinKind, KeyPinChanged,
};
use crate::record::hash::{Hash, KeyId};

/// Factor of every credential: the key's PIV slot.
pub const PIV: &str = "piv";

/// Factor of a credential whose keys ask for FIDO2 as well.
pub const FIDO2: &str = "fido2";

/// The FIDO2 side of one enrolled key.
#[derive(Debug, Clone)]
pub struct Fido2Side {
    /// What its enrolment says.
    pub facts: Fido2Enrolled,
    /// Its envelopes, oldest first; at least one.
    pub envelopes: Vec<Pooled>,
}

/// One envelope and what it was used for.
#[derive(Debug, Clone)]
pub struct Pooled {
    /// Salt and recipient.
    pub envelope: Envelope,
    /// Its short name, as sealed records give it.
    pub id: EnvelopeId,
    /// Hash of the record that brought it.
    pub record: Hash,
    /// What was sealed to it: credential and generation, by name and number.
    pub used: Vec<(CredentialName, u64)>,
}

/// A generation is sealed to an envelope that its key does not have: the record is wrong, or the journal lacks the record
/// that brought it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "generation {generation} is sealed to the envelope {envelope} of key {serial}, which no record brings"
)]
pub struct UnknownEnvelope {
    /// Which generation.
    pub generation: u64,
    /// Which key.
    pub serial: Serial,
    /// The envelope's short name.
    pub envelope: EnvelopeId,
}

impl Fido2Side {
    /// The envelope to seal to next: the oldest unused, else the newest again.
    pub fn next_envelope(&self) -> &Pooled {
        let unused = self.envelopes.iter().find(|pooled| pooled.used.is_empty());
        unused.or(self.envelopes.last()).expect("an enrolment with FIDO2 has at least one envelope")
    }

    /// How many envelopes nothing was sealed to yet.
    pub fn unused(&self) -> usize {
        self.envelopes.iter().filter(|pooled| pooled.used.is_empty()).count()
    }

    /// Envelopes that more than one generation was sealed to.
    pub fn reused(&self) -> impl Iterator<Item = &Pooled> {
        self.envelopes.iter().filter(|pooled| pooled.used.len() > 1)
    }

    fn find(&self, id: EnvelopeId) -> Option<&Envelope> {
        self.envelopes.iter().find(|pooled| pooled.id == id).map(|pooled| &pooled.envelope)
    }
}

impl Kit {
    /// The FIDO2 side of an enrolled key; `None` if it has none, or is not enrolled.
    ///
    /// The envelope of an assertion counts if its record does, and if the assertion verifies: without the key's FIDO2
    /// side nobody adds one.
    pub fn fido2(&self, id: &KeyId) -> Option<Fido2Side> {
        let key = self.key(id)?;
        let facts = *key.facts.fido2?;
        let mut pool: Vec<(Envelope, Hash)> =
            facts.envelopes.iter().map(|envelope| (envelope.clone(), key.enrolment)).collect();
        if let Some(roster) = &self.roster {
            for (chain, record) in self.journal.records() {
                if let Event::OpenAsserted(asserted) = &record.event
                    && let Some(next) = &asserted.next
                    && chain == key.chain
                    && credentials::belongs(roster, record)
                    && counter::asserted(&facts, asserted).is_ok()
                {
                    pool.push((next.clone(), record.hash()));
                }
            }
        }
        let mut envelopes: Vec<Pooled> = Vec::new();
        for (envelope, record) in pool {
            let id = envelope.recipient.id();
            if envelopes.iter().all(|pooled| pooled.id != id) {
                envelopes.push(Pooled { used: self.sealed_to(&key.id, id), envelope, id, record });
            }
        }
        Some(Fido2Side { facts, envelopes })
    }

    /// Whether the key's FIDO2 PIN is its PIV PIN now, as far as the journal says: enrolled so or set so later, and the
    /// PIV PIN not changed since. `false` for a key without FIDO2. A record that was signed and is lost makes it wrong.
    pub fn fido2_pin_shared(&self, id: &KeyId) -> bool {
        let Some(key) = self.key(id) else { return false };
        let Some(facts) = &key.facts.fido2 else { return false };
        let changes =
            self.journal.records().filter(|(chain, record)| *chain == key.chain && record.kid == *id);
        changes.fold(facts.pin == Fido2PinKind::Shared, |shared, (_, record)| match &record.event {
            Event::KeyPinChanged(change) => match change.what.as_str() {
                KeyPinChanged::FIDO2_SHARED => true,
                "pin" | "unblock" | KeyPinChanged::FIDO2_OWN => false,
                _ => shared,
            },
            _ => shared,
        })
    }

    /// The counter that the newest good assertion of this key's chain shows, that of its enrolment included.
    pub fn last_counter(&self, id: &KeyId) -> Option<u32> {
        let key = self.key(id)?;
        let facts = key.facts.fido2.as_ref()?;
        let of_chain = self.journal.records().filter(|(chain, _)| *chain == key.chain);
        let shown = of_chain.filter_map(|(_, record)| match &record.event {
            Event::OpenAsserted(asserted) => counter::asserted(facts, asserted).ok(),
            _ => None,
        });
        shown.last().or_else(|| counter::first(facts, &key.facts.signing).ok())
    }

    /// What is sealed to that envelope of that key.
    fn sealed_to(&self, key: &KeyId, id: EnvelopeId) -> Vec<(CredentialName, u64)> {
        let mut used = Vec::new();
        for (name, credential) in &self.credentials {
            for generation in &credential.generations {
                if generation.envelope_of(key) == Some(id) {
                    used.push((name.clone(), generation.number));
                }
            }
        }
        used
    }

    /// The envelope that this key is asked to open for that generation; `None` if it opens it by PIV alone.
    ///
    /// # Errors
    /// [`UnknownEnvelope`], where no record brings the envelope that the sealing names.
    pub fn envelope_for(
        &self,
        generation: &Generation,
        key: &KeyId,
    ) -> Result<Option<Envelope>, UnknownEnvelope> {
        if generation.envelope_of(key).is_none() {
            return Ok(None);
        }
        let serial = self.key(key).map_or(Serial(0), |key| key.facts.serial);
        generation.envelope_at(self.fido2(key).as_ref(), serial, key)
    }
}

impl Generation {
    /// Whether each key has a file of its own: several are needed, or FIDO2 too.
    pub fn by_files(&self) -> bool {
        self.facts.threshold > 1 || self.asks_fido2()
    }

    /// Whether keys that have FIDO2 are asked for it.
    pub fn asks_fido2(&self) -> bool {
        is_fido2(&self.facts)
    }

    /// The envelope that this key's file is sealed to, by what is known of the key's FIDO2 side.
    pub(super) fn envelope_at(
        &self,
        side: Option<&Fido2Side>,
        serial: Serial,
        key: &KeyId,
    ) -> Result<Option<Envelope>, UnknownEnvelope> {
        let Some(envelope) = self.envelope_of(key) else { return Ok(None) };
        let known = side.and_then(|side| side.find(envelope).cloned());
        known.map(Some).ok_or(UnknownEnvelope { generation: self.number, serial, envelope })
    }

    /// The short name of the envelope that this key's file is sealed to, if it is.
    pub fn envelope_of(&self, key: &KeyId) -> Option<EnvelopeId> {
        envelope_in(&self.facts, key)
    }
}

/// Whether opening that sealing asks keys that have FIDO2 for it.
pub fn is_fido2(facts: &CredentialSealed) -> bool {
    facts.factors.iter().any(|factor| factor == FIDO2)
}

/// The short name of the envelope that a sealing gives for this key.
pub fn envelope_in(facts: &CredentialSealed, key: &KeyId) -> Option<EnvelopeId> {
    let at = facts.recipients.iter().position(|recipient| recipient == key)?;
    facts.envelopes.get(at).copied().flatten()
}

#[cfg(test)]
mod tests;
