//! The FIDO2 side of a practice key as the flows see it: each request that a real one would get, one after the other, so
//! that a fault can meet any of them; and each answer checked as a real one's is.

use sha2::{Digest, Sha256};

use super::{Assertion, CtapStatus, Deceit, Fido2, PinToken};
use crate::attestation::Serial;
use crate::device::fido2::wire::RawInfo;
use crate::device::fido2::{
    Answer, Authenticator, AuthenticatorFacts, Credential, Fido2Error, Fido2Traffic, Question, check,
};
use crate::device::piv::CardError;
use crate::device::practice::faults::Fault;
use crate::device::practice::handle::{Connection, Unreached};
use crate::device::practice::{Front, Surroundings};
use crate::secret::Fido2Pin;

const INFO: &str = "GET INFO";
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
        let (answer, fault) = heard.map_err(|unreached| not_reached(step, unreached))?;
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

    /// What every operation begins with.
    fn info(&mut self) -> Result<RawInfo, Fido2Error> {
        let (info, fault) =
            self.send(INFO, |front, _, _| front.key.fido2_info().ok_or(CtapStatus::COMMAND))?;
        whole(INFO, fault.clone())?;
        Ok(match fault {
            Some(Fault::Deceive(deceit)) => deceit.told_in(info),
            _ => info,
        })
    }

    /// No PIN goes to a key that says it would not take one.
    fn wants_pin(&mut self) -> Result<(), Fido2Error> {
        let info = self.info()?;
        if info.client_pin != Some(true) {
            return Err(Fido2Error::PinNotSet);
        }
        if info.force_pin_change {
            return Err(Fido2Error::Unsupported(
                "anything before its FIDO2 PIN is changed, which it demands",
            ));
        }
        Ok(())
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
            Err(Fido2Error::WrongPin { .. }) => Err(match self.tries() {
                Ok(left) => Fido2Error::WrongPin { left },
                Err(_) => Fido2Error::Malformed {
                    step: TRIES,
                    detail: "the PIN was wrong, and how many tries are left it does not say".to_owned(),
                },
            }),
            other => {
                let (answer, fault) = other?;
                whole(step, fault)?;
                Ok(answer)
            }
        }
    }

    fn tries(&mut self) -> Result<u8, Fido2Error> {
        let tries = self.request(TRIES, |fido2, _| Ok(fido2.pin_tries()))?;
        check::tries(tries.into())
    }
}

impl Authenticator for PracticeAuthenticator {
    fn serial(&self) -> Serial {
        self.connection.key().serial()
    }

    fn facts(&mut self) -> Result<AuthenticatorFacts, Fido2Error> {
        check::facts(&self.info()?)
    }

    fn pin_tries(&mut self) -> Result<u8, Fido2Error> {
        self.info()?;
        self.tries()
    }

    fn set_pin(&mut self, new: &Fido2Pin) -> Result<(), Fido2Error> {
        if self.info()?.client_pin == Some(true) {
            return Err(Fido2Error::PinIsSet);
        }
        self.agree()?;
        let (set, fault) = self.send(SET_PIN, |front, around, _| {
            let complexity = front.key.complexity;
            front.key.fido2_mut().ok_or(CtapStatus::COMMAND)?.set_pin(new, complexity, around)
        })?;
        whole(SET_PIN, fault)?;
        Ok(set)
    }

    fn change_pin(&mut self, current: &Fido2Pin, new: &Fido2Pin) -> Result<(), Fido2Error> {
        if self.info()?.client_pin != Some(true) {
            return Err(Fido2Error::PinNotSet);
        }
        self.agree()?;
        self.with_pin(CHANGE_PIN, |fido2, complexity, around| {
            fido2.change_pin(current, new, complexity, around)
        })
    }

    fn make_credential(&mut self, pin: &Fido2Pin, user: &[u8]) -> Result<Credential, Fido2Error> {
        if !(1..=64).contains(&user.len()) {
            return Err(Fido2Error::Service(format!("a user handle has 1 to 64 bytes, not {}", user.len())));
        }
        self.wants_pin()?;
        let token = self.token(pin)?;
        self.traffic.touches += 1;
        let (mut made, fault) = self.send(MAKE, |front, around, deceit| {
            let fido2 = front.key.fido2_mut().ok_or(CtapStatus::COMMAND)?;
            fido2.make_credential(ONLY_WITH_PIN, Some(token), around, deceit)
        })?;
        if let Some(fault) = fault {
            fault.after(&mut made.authenticator_data).map_err(|error| lost(MAKE, error))?;
        }
        check::credential(&made)
    }

    fn assert(&mut self, pin: &Fido2Pin, question: &Question) -> Result<Answer, Fido2Error> {
        self.wants_pin()?;
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
        check::answer(question, &[asserted])
    }

    fn traffic(&self) -> Fido2Traffic {
        self.traffic
    }
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
    let begins = hex::encode(&answer[..answer.len().min(8)]);
    Err(Fido2Error::Malformed { step, detail: format!("it begins {begins}") })
}

fn not_reached(step: &'static str, unreached: Unreached) -> Fido2Error {
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
