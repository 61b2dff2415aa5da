//! One key that signs records: proven present, its head reconciled, its PIN asked, each record durable before anyone
//! acts on it. Every flow that writes to the journal goes through here.

use p256::ecdsa::{Signature, VerifyingKey};

use crate::attestation::{Serial, Slot};
use crate::device::{DeviceError, Key, Readers, Tries, try_word};
use crate::kit::Kit;
use crate::kit::head;
use crate::operator::{Ask, Operator, Unanswered};
use crate::record::event::{Event, Override};
use crate::record::hash::{Hash, KeyId};
use crate::record::token::{Draft, Link, Record};
use crate::secret::Pin;

mod error;
mod fido2;
mod reconcile;

pub use error::SigningError;
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
