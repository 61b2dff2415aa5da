//! The FIDO2 side of a signer: one assertion over a record that it has just signed, and the record of that.
//!
//! The key's counter moves with the assertion, whoever asks for it; recorded, it tells the next reader of the chain
//! whether anything else has used the key.

use std::fmt;

use super::{Signer, SigningError, Station, TOUCHES};
use crate::device::fido2::{Answer, Authenticator, Credential, Fido2Error, HmacSecret, Question};
use crate::kit::Kit;
use crate::kit::sealed::envelope_of;
use crate::operator::Unanswered;
use crate::record::counter::{self, Counted};
use crate::record::event::{
    AuthenticatorData, CounterProfile, DerSignature, Envelope, Event, Fido2Enrolled, KeyWitness,
    OpenAsserted, Random,
};
use crate::record::hash::Hash;
use crate::record::token::Record;
use crate::secret::Fido2Pin;

/// The FIDO2 side of a connected key.
pub(super) struct Side {
    authenticator: Box<dyn Authenticator>,
    credential: Credential,
    /// FIDO2 PIN tries left.
    left: u8,
    /// The PIV PIN is the FIDO2 PIN as well, as far as is known.
    shared: bool,
    pin: Option<Fido2Pin>,
    /// The counter that its chain showed last.
    before: Option<u32>,
    profile: CounterProfile,
}

impl Side {
    /// Requests that were sent to it.
    pub(super) fn requests(&self) -> u64 {
        self.authenticator.traffic().requests
    }
}

/// How the counter moved with an assertion, for who watches. `records verify` judges; this shows at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Movement {
    /// The counter that the key's chain showed before.
    pub from: Option<u32>,
    /// What it is now.
    pub to: u32,
    /// How it was seen to move at provisioning.
    pub profile: CounterProfile,
}

impl fmt::Display for Movement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MORE: &str = "breakglass records verify tells what it means";
        let Movement { from, to, profile } = self;
        let Some(from) = from else { return write!(f, "counter {to}") };
        write!(f, "counter {from} → {to}")?;
        match (counter::moved(*profile, *from, *to, 0, false), profile) {
            (None, CounterProfile::Exact { .. }) => f.write_str(", as expected"),
            (Some(Counted::Standstill { .. } | Counted::Regress { .. }), _) => {
                write!(f, ": it did not rise as it must. {MORE}")
            }
            (Some(_), CounterProfile::Exact { .. }) => {
                write!(f, ": not by the one use that is on record. {MORE}")
            }
            (_, CounterProfile::Monotonic) => Ok(()),
        }
    }
}

/// What an assertion over a record gave.
#[derive(Debug)]
pub struct Asserted {
    /// hmac-secret of the salt that was asked with.
    pub secret: HmacSecret,
    /// The record of the assertion, or why there is none: the record that it was made over stands.
    pub recorded: Result<Hash, SigningError>,
    /// How the key's counter moved.
    pub movement: Movement,
}

impl Signer {
    /// Finds the FIDO2 side and sees that it can be asked: refuses one whose PIN is blocked or at its last try. No PIN yet.
    ///
    /// # Errors
    /// [`SigningError::Fido2`], [`SigningError::LastFido2Try`].
    pub fn ready_fido2(
        &mut self,
        station: &mut Station,
        kit: &Kit,
        enrolled: &Fido2Enrolled,
    ) -> Result<(), SigningError> {
        let serial = self.serial;
        let failed = |cause| SigningError::Fido2 { serial, cause };
        let mut authenticator = station.readers.authenticator(serial).map_err(failed)?;
        if !authenticator.facts().map_err(failed)?.pin_set {
            return Err(failed(Fido2Error::PinNotSet));
        }
        let left = authenticator.pin_tries().map_err(failed)?;
        self.refuse_last_fido2_try(left)?;
        let word = crate::device::try_word(left);
        station
            .operator
            .progress(&format!("{serial}: its FIDO2 side answers, {left} {word} of the FIDO2 PIN left"));
        self.fido2 = Some(Side {
            authenticator,
            credential: Credential { id: enrolled.credential.bytes().to_vec(), public: enrolled.public.0 },
            left,
            shared: kit.fido2_pin_shared(&self.id),
            pin: None,
            before: kit.last_counter(&self.id),
            profile: enrolled.profile,
        });
        Ok(())
    }

    /// One assertion over a durable record of this signer, with the hmac-secret of `salt`; it makes the next envelope too,
    /// and is recorded. Needs [`Signer::ready_fido2`].
    ///
    /// # Errors
    /// [`SigningError::Fido2`] and those of asking: then nothing was asserted, as far as the key says.
    pub fn assert_over(
        &mut self,
        station: &mut Station,
        kit: &mut Kit,
        record: &Record,
        salt: [u8; 32],
        purpose: &str,
    ) -> Result<Asserted, SigningError> {
        let mut next = [0; 32];
        station.rng.fill_bytes(&mut next);
        let answer = self.ask_authenticator(station, record, salt, next, purpose)?;
        let made = answer.next.as_ref().map(|secret| envelope_of(next, secret));
        let event = asserted(record, &answer, made);
        let recorded = match event {
            Ok(event) => {
                let txn = record.txn.as_deref();
                self.sign(station, kit, txn, event, "to sign the record of that").map(|record| record.hash())
            }
            Err(cause) => Err(SigningError::Fido2 { serial: self.serial, cause }),
        };
        let (from, profile) = self.fido2.as_mut().map_or((None, CounterProfile::Monotonic), |side| {
            (side.before.replace(answer.counter), side.profile)
        });
        let movement = Movement { from, to: answer.counter, profile };
        Ok(Asserted { secret: answer.secret, recorded, movement })
    }

    /// Asks the key for a fresh assertion, over a record that holds nothing but a nonce: what its counter says then is
    /// known to be of now. Needs [`Signer::ready_fido2`].
    ///
    /// # Errors
    /// Those of [`Signer::sign`] and [`Signer::assert_over`].
    pub fn witness(&mut self, station: &mut Station, kit: &mut Kit) -> Result<Asserted, SigningError> {
        let (mut nonce, mut salt) = ([0; 32], [0; 32]);
        station.rng.fill_bytes(&mut nonce);
        station.rng.fill_bytes(&mut salt);
        let event = Event::KeyWitness(KeyWitness { nonce: Random(nonce) });
        let record = self.sign(station, kit, None, event, "to sign that it is asked")?;
        self.assert_over(station, kit, &record, salt, "for FIDO2: it shows its counter")
    }

    /// A typed PIN goes to the key once; again only after a touch was missed, which shows that it was right, and after
    /// a fresh proof that it is the same key.
    fn ask_authenticator(
        &mut self,
        station: &mut Station,
        record: &Record,
        salt: [u8; 32],
        next: [u8; 32],
        purpose: &str,
    ) -> Result<Answer, SigningError> {
        let serial = self.serial;
        let failed = |cause| SigningError::Fido2 { serial, cause };
        let mut missed = 0;
        loop {
            self.ask_fido2_pin(station)?;
            let Some(Side { authenticator, credential, pin: Some(pin), .. }) = &mut self.fido2 else {
                return Err(failed(Fido2Error::NoDevice));
            };
            let question = Question { credential, challenge: record.bytes(), salt, next: Some(next) };
            self.touches += 1;
            station.operator.touch(serial, purpose);
            match authenticator.assert(pin, &question) {
                Ok(answer) => return Ok(answer),
                Err(Fido2Error::WrongPin { left }) => self.wrong_fido2_pin(station, left)?,
                Err(Fido2Error::NotTouched) if missed + 1 < TOUCHES => {
                    missed += 1;
                    station.operator.progress(&format!("{serial} was not touched in time; once more"));
                    self.prove(station)?;
                }
                Err(cause) => return Err(failed(cause)),
            }
        }
    }

    /// The PIV PIN where it is the FIDO2 PIN as well, else one that is typed now.
    fn ask_fido2_pin(&mut self, station: &mut Station) -> Result<(), SigningError> {
        let Some(side) = &mut self.fido2 else { return Ok(()) };
        if side.pin.is_some() {
            return Ok(());
        }
        side.pin = match (std::mem::take(&mut side.shared), &self.pin) {
            (true, Some(pin)) => Some(Fido2Pin::same_as_piv(pin)),
            _ => Some(station.operator.fido2_pin(self.serial, side.left)?),
        };
        Ok(())
    }

    fn wrong_fido2_pin(&mut self, station: &mut Station, left: u8) -> Result<(), SigningError> {
        let serial = self.serial;
        if let Some(side) = &mut self.fido2 {
            side.pin = None;
            side.left = left;
        }
        let word = crate::device::try_word(left);
        station
            .operator
            .progress(&format!("that is not the FIDO2 PIN of {serial}; it has {left} {word} left"));
        self.refuse_last_fido2_try(left)?;
        match self.ask_fido2_pin(station) {
            Err(SigningError::Unanswered(Unanswered::NobodyToAsk)) => {
                Err(SigningError::Fido2 { serial, cause: Fido2Error::WrongPin { left } })
            }
            outcome => outcome,
        }
    }

    fn refuse_last_fido2_try(&self, left: u8) -> Result<(), SigningError> {
        match left {
            0 => Err(SigningError::Fido2 { serial: self.serial, cause: Fido2Error::PinBlocked }),
            1 if !self.caution.spend_last_try => Err(SigningError::LastFido2Try { serial: self.serial }),
            _ => Ok(()),
        }
    }
}

/// The record of an assertion.
fn asserted(record: &Record, answer: &Answer, next: Option<Envelope>) -> Result<Event, Fido2Error> {
    let malformed =
        |_| Fido2Error::Malformed { step: "the assertion", detail: "it has a wrong length".into() };
    Ok(Event::OpenAsserted(OpenAsserted {
        over: record.hash(),
        data: AuthenticatorData::new(answer.authenticator_data.clone()).map_err(malformed)?,
        signature: DerSignature::new(answer.signature.clone()).map_err(malformed)?,
        next,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_movement_says_no_more_than_the_counter_shows() {
        let exact = CounterProfile::Exact { step: 2 };
        for (from, to, profile, says) in [
            (Some(207), 209, exact, "counter 207 → 209, as expected"),
            (Some(207), 208, exact, "counter 207 → 208: it did not rise as it must. "),
            (Some(207), 213, exact, "counter 207 → 213: not by the one use that is on record. "),
            (Some(207), 207, exact, "counter 207 → 207: it did not rise as it must. "),
            (Some(207), 3, CounterProfile::Monotonic, "counter 207 → 3: it did not rise as it must. "),
            (Some(207), 299, CounterProfile::Monotonic, "counter 207 → 299"),
            (None, 5, exact, "counter 5"),
        ] {
            let told = Movement { from, to, profile }.to_string();
            assert_eq!(told.split("breakglass").next(), Some(says));
        }
    }
}
