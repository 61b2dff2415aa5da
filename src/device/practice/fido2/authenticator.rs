//! The FIDO2 side of a practice key as the flows see it: each request that a real one would get, one after the other, so
//! that a fault can meet any of them.

use p256::ecdsa::VerifyingKey;
use sha2::{Digest, Sha256};

use super::{Asserted, Assertion, CtapStatus, Deceit, Fido2, PinToken};
use crate::assertion;
use crate::attestation::Serial;
use crate::device::fido2::{
    Answer, Authenticator, AuthenticatorFacts, Credential, Fido2Error, Fido2Traffic, Question,
};
use crate::device::piv::CardError;
use crate::device::practice::faults::Fault;
use crate::device::practice::handle::{Connection, Unreached};
use crate::device::practice::{Front, Surroundings};
use crate::secret::Fido2Pin;

const FACTS: &str = "GET INFO";
const TRIES: &str = "GET PIN RETRIES";
const AGREEMENT: &str = "GET KEY AGREEMENT";
const SET_PIN: &str = "SET PIN";
const CHANGE_PIN: &str = "CHANGE PIN";
const TOKEN: &str = "GET PIN TOKEN";
const MAKE: &str = "MAKE CREDENTIAL";
const ASSERT: &str = "GET ASSERTION";

/// credProtect that the kit asks for.
const ONLY_WITH_PIN: u8 = 3;

/// A connection to the FIDO2 side of a practice key.
pub struct PracticeAuthenticator {
    connection: Connection,
    traffic: Fido2Traffic,
}

impl PracticeAuthenticator {
    pub(in super::super) fn new(connection: Connection) -> Self {
        PracticeAuthenticator { connection, traffic: Fido2Traffic::default() }
    }

    /// One request to the key, whatever becomes of its answer.
    fn send<T>(
        &mut self,
        step: &'static str,
        act: impl FnOnce(&mut Front, &Surroundings, Option<Deceit>) -> Result<T, CtapStatus>,
    ) -> Result<(T, Option<Fault>), Fido2Error> {
        self.traffic.requests += 1;
        let heard = self.connection.command(|front, around, fault| {
            front.counters.fido2_requests += 1;
            match fault {
                Some(Fault::Deceive(Deceit::Refuse(status))) => Err(CtapStatus(*status)),
                Some(Fault::Deceive(deceit)) => act(front, around, Some(*deceit)),
                _ => act(front, around, None),
            }
        });
        let (answer, fault) = heard.map_err(|unreached| unreachable_key(step, unreached))?;
        if let Some(fault @ (Fault::RemoveAfter | Fault::NeverAnswers(_))) = &fault {
            fault.after(&mut Vec::new()).map_err(|error| lost(step, error))?;
        }
        Ok((answer.map_err(|status| refused(step, status))?, fault))
    }

    /// A request whose answer arrives whole or not at all.
    fn request<T>(
        &mut self,
        step: &'static str,
        act: impl FnOnce(&mut Fido2, &Surroundings) -> Result<T, CtapStatus>,
    ) -> Result<T, Fido2Error> {
        let (answer, fault) = self
            .send(step, |front, around, _| act(front.key.fido2_mut().ok_or(CtapStatus::COMMAND)?, around))?;
        whole(step, fault)?;
        Ok(answer)
    }

    /// The platform's half of an ECDH that there is no wire to protect with; the request is sent all the same.
    fn agree(&mut self) -> Result<(), Fido2Error> {
        self.request(AGREEMENT, |_, _| Ok(()))
    }

    fn token(&mut self, pin: &Fido2Pin) -> Result<PinToken, Fido2Error> {
        self.agree()?;
        self.with_pin(TOKEN, |fido2, _, _| fido2.pin_token(pin))
    }

    /// A request that spends a try if its PIN is wrong. The tries that are left are asked for then.
    fn with_pin<T>(
        &mut self,
        step: &'static str,
        act: impl FnOnce(&mut Fido2, bool, &Surroundings) -> Result<T, CtapStatus>,
    ) -> Result<T, Fido2Error> {
        let sent = self.send(step, |front, around, _| {
            front.counters.fido2_pins_sent += 1;
            let complexity = front.key.complexity;
            act(front.key.fido2_mut().ok_or(CtapStatus::COMMAND)?, complexity, around)
        });
        match sent {
            Err(Fido2Error::WrongPin { .. }) => Err(Fido2Error::WrongPin { left: self.pin_tries()? }),
            other => {
                let (answer, fault) = other?;
                whole(step, fault)?;
                Ok(answer)
            }
        }
    }
}

impl Authenticator for PracticeAuthenticator {
    fn serial(&self) -> Serial {
        self.connection.key().serial()
    }

    fn facts(&mut self) -> Result<AuthenticatorFacts, Fido2Error> {
        let (facts, fault) =
            self.send(FACTS, |front, _, _| front.key.fido2_facts().ok_or(CtapStatus::COMMAND))?;
        whole(FACTS, fault.clone())?;
        Ok(match fault {
            Some(Fault::Deceive(deceit)) => deceit.told_in(facts),
            _ => facts,
        })
    }

    fn pin_tries(&mut self) -> Result<u8, Fido2Error> {
        self.request(TRIES, |fido2, _| Ok(fido2.pin_tries()))
    }

    fn set_pin(&mut self, new: &Fido2Pin) -> Result<(), Fido2Error> {
        self.agree()?;
        let set = self.send(SET_PIN, |front, around, _| {
            let complexity = front.key.complexity;
            front.key.fido2_mut().ok_or(CtapStatus::COMMAND)?.set_pin(new, complexity, around)
        });
        match set {
            // setPIN answers so where there is a PIN (CTAP 2.1 section 6.5.5.5).
            Err(Fido2Error::Refused { status, .. }) if status == CtapStatus::PIN_AUTH_INVALID.0 => {
                Err(Fido2Error::PinIsSet)
            }
            other => whole(SET_PIN, other?.1),
        }
    }

    fn change_pin(&mut self, current: &Fido2Pin, new: &Fido2Pin) -> Result<(), Fido2Error> {
        self.agree()?;
        self.with_pin(CHANGE_PIN, |fido2, complexity, around| {
            fido2.change_pin(current, new, complexity, around)
        })
    }

    fn make_credential(&mut self, pin: &Fido2Pin, user: &[u8]) -> Result<Credential, Fido2Error> {
        if !(1..=64).contains(&user.len()) {
            return Err(Fido2Error::Refused { step: MAKE, status: CtapStatus::LENGTH.0 });
        }
        let token = self.token(pin)?;
        self.traffic.touches += 1;
        self.request(MAKE, |fido2, around| fido2.make_credential(ONLY_WITH_PIN, Some(token), around))
    }

    fn assert(&mut self, pin: &Fido2Pin, question: &Question) -> Result<Answer, Fido2Error> {
        self.agree()?; // for the salts
        let token = self.token(pin)?;
        let salts: Vec<[u8; 32]> = std::iter::once(question.salt).chain(question.next).collect();
        let asked = Assertion {
            credential: &question.credential.id,
            client_data_hash: Sha256::digest(question.challenge).into(),
            salts: &salts,
        };
        self.traffic.touches += 1;
        let (mut asserted, fault) = self.send(ASSERT, |front, around, deceit| {
            let fido2 = front.key.fido2_mut().ok_or(CtapStatus::COMMAND)?;
            fido2.assert(&asked, Some(token), around, deceit)
        })?;
        if let Some(fault) = fault {
            fault.after(&mut asserted.authenticator_data).map_err(|error| lost(ASSERT, error))?;
        }
        check(question, salts.len(), asserted)
    }

    fn traffic(&self) -> Fido2Traffic {
        self.traffic
    }
}

/// What a real connection checks, on what the simulated key gave.
fn check(question: &Question, salts: usize, asserted: Asserted) -> Result<Answer, Fido2Error> {
    let Asserted { credential, authenticator_data, signature, outputs } = asserted;
    let malformed = |detail: &str| Fido2Error::Malformed { step: ASSERT, detail: detail.to_owned() };
    if credential != question.credential.id {
        return Err(malformed("it answers for another credential"));
    }
    let public = VerifyingKey::from(&question.credential.public);
    let counter = assertion::verify(&public, question.challenge, &authenticator_data, &signature)?;
    if outputs.len() != salts {
        return Err(malformed("the hmac-secret is missing"));
    }
    let mut outputs = outputs.into_iter();
    let secret = outputs.next().ok_or_else(|| malformed("the hmac-secret is missing"))?;
    Ok(Answer { authenticator_data, signature, counter, secret, next: outputs.next() })
}

/// Bytes that a fault changed are an answer to nothing.
fn whole(step: &'static str, fault: Option<Fault>) -> Result<(), Fido2Error> {
    const SUCCESS: [u8; 2] = [0x00, 0xA0];
    let mut answer = SUCCESS.to_vec();
    if let Some(fault) = fault {
        fault.after(&mut answer).map_err(|error| lost(step, error))?;
    }
    if answer == SUCCESS {
        return Ok(());
    }
    Err(Fido2Error::Malformed {
        step,
        detail: format!("it begins {}", hex::encode(&answer[..answer.len().min(8)])),
    })
}

fn unreachable_key(step: &'static str, unreached: Unreached) -> Fido2Error {
    lost(step, unreached.into_card_error())
}

/// No answer.
fn lost(step: &'static str, error: CardError) -> Fido2Error {
    match error {
        CardError::Removed => Fido2Error::Removed { step },
        CardError::Reset => Fido2Error::Refused { step, status: CtapStatus::BUSY.0 },
        CardError::TimedOut(seconds) => Fido2Error::TimedOut { step, seconds },
        CardError::TooLong => Fido2Error::Malformed { step, detail: "it is too long".to_owned() },
        CardError::Service(text) => Fido2Error::Service(text),
    }
}

/// A refusal in our words. How many tries a wrong PIN leaves is asked afterwards.
fn refused(step: &'static str, status: CtapStatus) -> Fido2Error {
    match status {
        CtapStatus::NO_CREDENTIALS => Fido2Error::NoCredential,
        CtapStatus::TOUCH_TIMEOUT => Fido2Error::NotTouched,
        CtapStatus::PIN_INVALID => Fido2Error::WrongPin { left: 0 },
        CtapStatus::PIN_BLOCKED => Fido2Error::PinBlocked,
        CtapStatus::PIN_AUTH_BLOCKED => Fido2Error::PinAuthBlocked,
        CtapStatus::PIN_NOT_SET => Fido2Error::PinNotSet,
        CtapStatus::PIN_POLICY => Fido2Error::PinNotAccepted,
        CtapStatus(status) => Fido2Error::Refused { step, status },
    }
}

#[cfg(test)]
mod tests;
