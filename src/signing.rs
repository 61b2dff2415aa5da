//! One key that signs records: proven present, its head reconciled, its PIN asked, each record durable before anyone
//! acts on it. Every flow that writes to the journal goes through here.

use p256::ecdsa::{Signature, VerifyingKey};

use crate::attestation::{Serial, Slot};
use crate::device::fido2::Fido2Error;
use crate::device::{DeviceError, Key, Readers, Tries, try_word};
use crate::kit::head::{self, Head};
use crate::kit::{Kit, KitError};
use crate::operator::{Ask, Operator, Unanswered};
use crate::record::event::{Event, Override};
use crate::record::hash::{Hash, KeyId};
use crate::record::token::{Draft, Link, Record, RecordError};
use crate::secret::Pin;

mod fido2;

pub use fido2::{Asserted, Movement};

/// The machine and the person at it: everything that a flow takes from outside.
pub struct Station<'a> {
    /// Where keys are found.
    pub readers: &'a mut dyn Readers,
    /// The person.
    pub operator: &'a mut dyn Operator,
    /// The machine's clock, in Unix seconds: a claim, never an order.
    pub clock: &'a dyn Fn() -> i64,
    /// Randomness for nonces and record identifiers.
    pub rng: &'a mut dyn rand_core::CryptoRng,
    /// SHA-256 of the running program. Asked when a record is made: nobody waits for it before.
    pub tool: &'a dyn Fn() -> Hash,
}

/// What a person allows although the tool would refuse it; recorded.
#[derive(Debug, Clone, Default)]
pub struct Caution {
    /// The last PIN try may be spent.
    pub spend_last_try: bool,
    /// Go on although the key has seen records that the journal lacks, for this reason.
    pub accept_gap: Option<String>,
}

/// Why a key did not sign. What was written before stands.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The key or the way to it.
    #[error("key {serial}: {cause}")]
    Device {
        /// Which key.
        serial: Serial,
        /// What happened.
        #[source]
        cause: DeviceError,
    },
    /// The key's FIDO2 side or the way to it.
    #[error("key {serial}: {cause}")]
    Fido2 {
        /// Which key.
        serial: Serial,
        /// What happened.
        #[source]
        cause: Fido2Error,
    },
    /// The kit's folder or journal.
    #[error(transparent)]
    Kit(#[from] KitError),
    /// The record cannot be written in that form.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Nobody answered.
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
    /// The serial is not in the journal.
    #[error("key {0} is not enrolled in this kit")]
    NotEnrolled(Serial),
    /// The key's head is of another kit.
    #[error("key {serial} belongs to another kit: {words}")]
    OtherKit {
        /// Which key.
        serial: Serial,
        /// Its words.
        words: String,
    },
    /// Its slots are empty: it was reset after it was enrolled.
    #[error("key {0} was reset since it was enrolled: its slots are empty")]
    WasReset(Serial),
    /// One try left, and no word for it.
    #[error("key {serial} has 1 PIN try left")]
    LastTry {
        /// Which key.
        serial: Serial,
    },
    /// One FIDO2 PIN try left, and no word for it.
    #[error("key {serial} has 1 try of its FIDO2 PIN left")]
    LastFido2Try {
        /// Which key.
        serial: Serial,
    },
    /// What was planned was planned without a record that only the key had. The journal has it now.
    #[error("record {seq} of key {serial} was only on the key: {what}")]
    Restored {
        /// Which key.
        serial: Serial,
        /// The record.
        seq: u64,
        /// Its event.
        what: &'static str,
    },
    /// The journal lacks records that the key has seen.
    #[error(
        "this copy of the kit is older than key {serial} remembers: it lacks records {from} to {to} of {serial}"
    )]
    Gap {
        /// Which key.
        serial: Serial,
        /// First record that is missing.
        from: u64,
        /// Last record that the key has seen.
        to: u64,
    },
    /// The journal holds another record than the key's head.
    #[error("record {seq} of key {serial} is another one in this copy than the key remembers")]
    Fork {
        /// Which key.
        serial: Serial,
        /// Sequence number of both.
        seq: u64,
    },
}

/// A connected, enrolled key, ready to sign.
pub struct Signer {
    /// The connection; also unwraps.
    pub key: Box<dyn Key>,
    /// Its serial.
    pub serial: Serial,
    /// Its key id.
    pub id: KeyId,
    /// Its public sealing key.
    pub sealing: p256::PublicKey,
    /// Whether 9E has proven it; `false` only where the enrolment has no 9E key.
    pub presence: bool,
    /// PIN tries before the PIN was asked.
    pub tries: Tries,
    /// What was accepted to go on with this key.
    pub overrides: Vec<Override>,
    /// How often a touch was asked for.
    pub touches: u64,
    /// Whether the last head could be written to the key; failing is a finding, never a refusal.
    pub head: Result<(), DeviceError>,
    chain: String,
    signing: VerifyingKey,
    presence_key: Option<VerifyingKey>,
    /// Sequence number and hash of the record before the next one.
    last: Option<(u64, Hash)>,
    pin: Option<Pin>,
    fido2: Option<fido2::Side>,
    /// Whether the PIN was sent in this connection and was right.
    signed: bool,
    caution: Caution,
}

/// How often a person may miss the touch before the flow gives up.
pub(crate) const TOUCHES: usize = 3;

impl Signer {
    /// Connects to an enrolled key, lets it prove itself, brings its head and the journal together, and refuses one whose
    /// PIN is blocked or at its last try. No PIN yet.
    pub fn ready(
        station: &mut Station,
        kit: &mut Kit,
        serial: Serial,
        caution: &Caution,
    ) -> Result<Self, SigningError> {
        Self::proven(station, kit, serial, caution)?.with_tries()
    }

    /// The same for a key that is connected already.
    pub fn ready_on(
        key: Box<dyn Key>,
        station: &mut Station,
        kit: &mut Kit,
        caution: &Caution,
    ) -> Result<Self, SigningError> {
        Self::proven_on(key, station, kit, caution)?.with_tries()
    }

    /// Refuses a blocked PIN, and the last try without the word.
    fn with_tries(self) -> Result<Self, SigningError> {
        let serial = self.serial;
        match self.tries.left {
            0 => Err(SigningError::Device { serial, cause: DeviceError::PinBlocked }),
            1 if !self.caution.spend_last_try => Err(SigningError::LastTry { serial }),
            _ => Ok(self),
        }
    }

    /// The same, whatever tries are left: for who changes or unblocks a PIN.
    pub fn proven(
        station: &mut Station,
        kit: &mut Kit,
        serial: Serial,
        caution: &Caution,
    ) -> Result<Self, SigningError> {
        kit.enrolled(serial).ok_or(SigningError::NotEnrolled(serial))?;
        let key = station.readers.connect(serial).map_err(|cause| SigningError::Device { serial, cause })?;
        Self::proven_on(key, station, kit, caution)
    }

    fn proven_on(
        key: Box<dyn Key>,
        station: &mut Station,
        kit: &mut Kit,
        caution: &Caution,
    ) -> Result<Self, SigningError> {
        let serial = key.serial();
        let device = |cause| SigningError::Device { serial, cause };
        let enrolled = kit.enrolled(serial).ok_or(SigningError::NotEnrolled(serial))?;
        let mut signer = Signer {
            key,
            serial,
            id: enrolled.id,
            sealing: enrolled.facts.sealing.0,
            presence: false,
            tries: Tries { left: 0, total: None, factory: None },
            overrides: Vec::new(),
            touches: 0,
            head: Ok(()),
            chain: enrolled.chain,
            signing: VerifyingKey::from(enrolled.facts.signing.0),
            presence_key: enrolled.facts.presence.map(|point| VerifyingKey::from(point.0)),
            last: None,
            pin: None,
            fido2: None,
            signed: false,
            caution: caution.clone(),
        };
        signer.prove(station)?;
        signer.reconcile(station, kit)?;
        signer.tries = signer.key.pin_tries().map_err(device)?;
        let genuine = match signer.presence {
            true => "genuine",
            false => "NOT checked to be genuine: it has no key that signs without a PIN",
        };
        let left = signer.tries.left;
        let word = try_word(left);
        station.operator.progress(&format!("{serial}: {genuine}, head read, {left} PIN {word} left"));
        Ok(signer)
    }

    /// Asks the key to sign a fresh nonce with 9E.
    fn prove(&mut self, station: &mut Station) -> Result<(), SigningError> {
        let Some(expected) = self.presence_key else { return Ok(()) };
        let mut nonce = [0; 32];
        station.rng.fill_bytes(&mut nonce);
        match self.key.prove_presence(&expected, &nonce) {
            Ok(()) => self.presence = true,
            Err(DeviceError::EmptySlot(_)) => return Err(SigningError::WasReset(self.serial)),
            Err(cause) => return Err(SigningError::Device { serial: self.serial, cause }),
        }
        Ok(())
    }

    fn reconcile(&mut self, station: &mut Station, kit: &mut Kit) -> Result<(), SigningError> {
        let serial = self.serial;
        let objects = self.key.head_objects().map_err(|cause| SigningError::Device { serial, cause })?;
        let head = head::highest(&objects, &self.signing);
        self.last = kit.journal.last(&self.chain);
        let at = |seq| kit.journal.hash_at(&self.chain, seq);
        let kit_id = kit.id();
        match head::compare(kit_id.as_ref(), head.as_ref(), self.last.map(|(seq, _)| seq), &at) {
            head::Standing::Agree | head::Standing::JournalAhead => {}
            // Without a head the key cannot tell of records that this copy lacks: that is said, not passed over.
            head::Standing::NoHead => station.operator.progress(&format!(
                "note: {serial} carries no head, so it was not compared with the journal"
            )),
            head::Standing::Restorable(record) => {
                kit.append(&self.chain, &record)?;
                station.operator.progress(&format!(
                    "record {} of {serial} was only on the key; it is back in the journal",
                    record.link.seq
                ));
                self.last = Some((record.link.seq, record.hash()));
                if record.event.changes_plans() {
                    let (seq, what) = (record.link.seq, record.event.name());
                    return Err(SigningError::Restored { serial, seq, what });
                }
            }
            head::Standing::Gap { from, to } => match self.accepted_gap() {
                Some(why) => self.go_on_with(kit, "gap", why, head)?,
                None => return Err(SigningError::Gap { serial, from, to }),
            },
            head::Standing::Fork { seq } => match self.accepted_gap() {
                Some(why) => self.go_on_with(kit, "fork", why, head)?,
                None => return Err(SigningError::Fork { serial, seq }),
            },
            head::Standing::OtherKit(other) => {
                let words = crate::kit::words::kit_words(&other).join(" ");
                return Err(SigningError::OtherKit { serial, words });
            }
        }
        Ok(())
    }

    /// Why to go on without records, if somebody says why.
    fn accepted_gap(&self) -> Option<String> {
        self.caution.accept_gap.clone().filter(|why| !why.trim().is_empty())
    }

    /// Goes on after the higher of journal and head; what the head holds whole is put into the journal.
    fn go_on_with(
        &mut self,
        kit: &mut Kit,
        rule: &str,
        why: String,
        head: Option<Head>,
    ) -> Result<(), SigningError> {
        self.overrides.push(Override { rule: rule.into(), why });
        let Some(head) = head else { return Ok(()) };
        if self.last.is_none_or(|(seq, _)| head.seq > seq) {
            if let Some(record) = &head.record {
                kit.append(&self.chain, record)?;
            }
            self.last = Some((head.seq, head.hash));
        }
        Ok(())
    }

    /// PIV commands and FIDO2 requests that were sent to the key since it was connected.
    pub fn commands(&self) -> u64 {
        let requests = self.fido2.as_ref().map_or(0, fido2::Side::requests);
        self.key.traffic().commands.saturating_add(requests)
    }

    /// Asks for the PIN once per connection. It is kept for this key until the signer is dropped.
    pub fn ask_pin(&mut self, station: &mut Station) -> Result<(), SigningError> {
        if self.pin.is_none() {
            self.pin = Some(station.operator.pin(Ask::Pin, self.serial, Some(self.tries))?);
        }
        Ok(())
    }

    /// Signs one event, makes the record durable in the journal, and writes the head to the key.
    ///
    /// # Errors
    /// After an error nothing of this event is in the journal, unless the error is of the folder itself.
    pub fn sign(
        &mut self,
        station: &mut Station,
        kit: &mut Kit,
        txn: Option<&str>,
        event: Event,
        purpose: &str,
    ) -> Result<Record, SigningError> {
        let draft = self.draft(station, kit, txn, event);
        let input = draft.with_room().signing_input()?;
        let (signing, digest) = (self.signing, input.digest());
        let signature =
            self.signature(station, purpose, |key, pin| key.sign_record(&signing, pin, &digest))?;
        let record = input.finish(&signature);
        kit.append(&self.chain, &record)?;
        self.go_on_after(kit, &record);
        Ok(record)
    }

    /// Sequence number of the next record of this key.
    pub fn next(&self) -> u64 {
        self.last.map_or(0, |(seq, _)| seq + 1)
    }

    /// Signs what is minted with that slot, whose enrolled key is `expected`; a touch. That there is a record of it is the
    /// caller's business, before.
    ///
    /// # Errors
    /// [`SigningError::Device`], and those of asking for the PIN.
    pub fn sign_minted(
        &mut self,
        station: &mut Station,
        slot: Slot,
        expected: &VerifyingKey,
        digest: &[u8; 32],
        purpose: &str,
    ) -> Result<Signature, SigningError> {
        self.signature(station, purpose, |key, pin| key.sign_minted(slot, expected, pin, digest))
    }

    /// Takes a record of this key that is in the journal as its last one, and writes the head to the key.
    pub fn go_on_after(&mut self, kit: &Kit, record: &Record) {
        self.last = Some((record.link.seq, record.hash()));
        let object = head::encode(kit.id().as_ref(), record);
        self.head = self.key.put_head_object(head::place(record.link.seq), &object);
    }

    /// The next record of this key's chain, before it is signed.
    pub fn draft(&self, station: &mut Station, kit: &Kit, txn: Option<&str>, event: Event) -> Draft {
        Draft {
            kid: self.id,
            x5c: Vec::new(),
            iss: kit.policy.issuer.clone(),
            serial: self.serial,
            txn: txn.map(str::to_owned),
            jti: identifier(station.rng),
            iat: (station.clock)(),
            link: Link {
                kit: kit.id(),
                seq: self.next(),
                prev: self.last.map(|(_, hash)| hash),
                seen: kit.journal.seen(&self.chain),
                policy: Some(kit.policy.hash),
                tool: (station.tool)(),
            },
            event,
        }
    }

    /// One signature: the PIN is sent again only to this key, after a fresh proof, never after it was wrong.
    fn signature(
        &mut self,
        station: &mut Station,
        purpose: &str,
        mut sign: impl FnMut(&mut dyn Key, &Pin) -> Result<Signature, DeviceError>,
    ) -> Result<Signature, SigningError> {
        let serial = self.serial;
        let mut missed = 0;
        let mut sent_before = self.signed;
        loop {
            if sent_before {
                self.prove(station)?;
            }
            self.ask_pin(station)?;
            let Some(pin) = &self.pin else { continue };
            self.touches += 1;
            station.operator.touch(serial, purpose);
            match sign(self.key.as_mut(), pin) {
                Ok(signature) => {
                    self.signed = true;
                    return Ok(signature);
                }
                Err(DeviceError::WrongPin { left }) => {
                    self.pin = None;
                    sent_before = false;
                    self.tries.left = left;
                    let word = try_word(left);
                    station.operator.progress(&format!("that PIN is wrong. {serial} has {left} {word} left"));
                    match left {
                        0 => return Err(SigningError::Device { serial, cause: DeviceError::PinBlocked }),
                        1 if !self.caution.spend_last_try => return Err(SigningError::LastTry { serial }),
                        _ => {}
                    }
                    if let Err(unanswered) = self.ask_pin(station) {
                        return Err(match unanswered {
                            SigningError::Unanswered(Unanswered::NobodyToAsk) => {
                                SigningError::Device { serial, cause: DeviceError::WrongPin { left } }
                            }
                            other => other,
                        });
                    }
                }
                Err(DeviceError::NotTouched) if missed + 1 < TOUCHES => {
                    missed += 1;
                    sent_before = true;
                    station.operator.progress(&format!("{serial} was not touched in time; once more"));
                }
                Err(cause) => return Err(SigningError::Device { serial, cause }),
            }
        }
    }
}

/// A record identifier: 128 random bits in hexadecimal.
pub fn identifier(rng: &mut dyn rand_core::CryptoRng) -> String {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    hex::encode(bytes)
}
