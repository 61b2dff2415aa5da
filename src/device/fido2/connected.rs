//! The FIDO2 side of a real key: each operation a helper process, each answer checked.

use std::path::PathBuf;

use super::supervisor::{Helper, HelperError};
use super::wire::{Failure, Outcome, Salt, Secret, Work};
use super::{
    Answer, Authenticator, AuthenticatorFacts, Credential, Fido2Error, Fido2Traffic, Question, check,
};
use crate::attestation::Serial;
use crate::secret::Fido2Pin;

/// An authenticator at a hidraw node. Nothing is held open between two operations.
pub struct HelperAuthenticator {
    serial: Serial,
    node: PathBuf,
    helper: Helper,
    traffic: Fido2Traffic,
}

impl HelperAuthenticator {
    /// The one at that node, which belongs to that key as far as [`super::port::choose`] can tell. Sends nothing yet.
    pub fn new(serial: Serial, node: PathBuf, helper: Helper) -> Self {
        HelperAuthenticator { serial, node, helper, traffic: Fido2Traffic::default() }
    }

    /// One operation. After any error nothing is sent again.
    fn ask(&mut self, work: Work) -> Result<Outcome, Fido2Error> {
        let (step, seconds) = (work.step(), self.helper.limit(&work).as_secs());
        let meant = Fido2Traffic { requests: work.requests(), touches: work.touches().into() };
        let replied = self.helper.ask(&self.node, work);
        // Of a helper that was ended nobody knows how far it came.
        let went = replied
            .as_ref()
            .map_or(meant, |reply| Fido2Traffic { requests: reply.requests, touches: reply.touches });
        self.traffic.requests = self.traffic.requests.saturating_add(went.requests);
        self.traffic.touches = self.traffic.touches.saturating_add(went.touches);
        match replied {
            Ok(reply) => match reply.outcome {
                Outcome::Failed(failure) => Err(self.failed(step, failure)),
                outcome => Ok(outcome),
            },
            Err(HelperError::TimedOut(_)) => Err(Fido2Error::TimedOut { step, seconds }),
            Err(error @ HelperError::GaveUp) => {
                Err(Fido2Error::Malformed { step, detail: error.to_string() })
            }
            Err(HelperError::NotStarted(cause)) => {
                Err(Fido2Error::Service(format!("the FIDO2 helper cannot be started: {cause}")))
            }
            Err(error @ (HelperError::TooLong(_) | HelperError::Ended(_) | HelperError::Garbage(_))) => {
                Err(Fido2Error::Service(format!("{step}: {error}")))
            }
        }
    }

    fn failed(&self, step: &'static str, failure: Failure) -> Fido2Error {
        let path = || self.node.display().to_string();
        match failure {
            Failure::Denied => Fido2Error::AccessDenied { path: path() },
            Failure::Gone => Fido2Error::Removed { step },
            Failure::NotOpened(why) => Fido2Error::Service(format!("{} cannot be opened: {why}", path())),
            Failure::Status(status) => of_status(step, status),
            Failure::WrongPin(left) => match left.map(check::tries) {
                Some(Ok(left)) => Fido2Error::WrongPin { left },
                _ => Fido2Error::Malformed {
                    step: "GET PIN RETRIES",
                    detail: "the PIN was wrong, and how many tries are left it does not say".to_owned(),
                },
            },
            Failure::StillWaiting(true) => Fido2Error::NotTouched,
            Failure::StillWaiting(false) => Fido2Error::TimedOut { step, seconds: 50 },
            Failure::NoPinOption => Fido2Error::Unsupported("PINs"),
            Failure::PinNotSet => Fido2Error::PinNotSet,
            Failure::PinIsSet => Fido2Error::PinIsSet,
            Failure::PinMustChange => {
                Fido2Error::Unsupported("anything before its FIDO2 PIN is changed, which it demands")
            }
            Failure::Other(detail) => Fido2Error::Malformed { step, detail },
        }
    }
}

/// CTAP 2.1 section 8.2.
fn of_status(step: &'static str, status: u8) -> Fido2Error {
    match status {
        // CTAP2_ERR_OPERATION_DENIED, USER_ACTION_TIMEOUT, ACTION_TIMEOUT
        0x27 | 0x2F | 0x3A => Fido2Error::NotTouched,
        0x2E => Fido2Error::NoCredential,
        0x32 => Fido2Error::PinBlocked,
        0x34 => Fido2Error::PinAuthBlocked,
        0x35 => Fido2Error::PinNotSet,
        0x37 => Fido2Error::PinNotAccepted,
        _ => Fido2Error::Refused { step, status },
    }
}

fn secret(pin: &Fido2Pin) -> Secret {
    Secret::new(pin.expose_typed().to_vec())
}

/// The answer to another operation than the one asked for: our own helper does not do that.
fn other(step: &'static str) -> Fido2Error {
    Fido2Error::Service(format!("{step}: the FIDO2 helper said something else"))
}

impl Authenticator for HelperAuthenticator {
    fn serial(&self) -> Serial {
        self.serial
    }

    fn facts(&mut self) -> Result<AuthenticatorFacts, Fido2Error> {
        match self.ask(Work::Info)? {
            Outcome::Info(raw) => check::facts(&raw),
            _ => Err(other("GET INFO")),
        }
    }

    fn pin_tries(&mut self) -> Result<u8, Fido2Error> {
        match self.ask(Work::Tries)? {
            Outcome::Tries(raw) => check::tries(raw),
            _ => Err(other("GET PIN RETRIES")),
        }
    }

    fn set_pin(&mut self, new: &Fido2Pin) -> Result<(), Fido2Error> {
        match self.ask(Work::SetPin { new: secret(new) })? {
            Outcome::Done => Ok(()),
            _ => Err(other("SET PIN")),
        }
    }

    fn change_pin(&mut self, current: &Fido2Pin, new: &Fido2Pin) -> Result<(), Fido2Error> {
        match self.ask(Work::ChangePin { current: secret(current), new: secret(new) })? {
            Outcome::Done => Ok(()),
            _ => Err(other("CHANGE PIN")),
        }
    }

    fn make_credential(&mut self, pin: &Fido2Pin, user: &[u8]) -> Result<Credential, Fido2Error> {
        if !(1..=64).contains(&user.len()) {
            return Err(Fido2Error::Service(format!("a user handle has 1 to 64 bytes, not {}", user.len())));
        }
        let mut challenge = vec![0; 32];
        getrandom::fill(&mut challenge).map_err(|error| Fido2Error::Service(error.to_string()))?;
        match self.ask(Work::Create { pin: secret(pin), user: user.to_vec(), challenge })? {
            Outcome::Created(raw) => check::credential(&raw),
            _ => Err(other("MAKE CREDENTIAL")),
        }
    }

    fn assert(&mut self, pin: &Fido2Pin, question: &Question<'_>) -> Result<Answer, Fido2Error> {
        let salts = [Some(question.salt), question.next].into_iter().flatten().map(Salt).collect();
        let credential = question.credential.id.clone();
        let challenge = question.challenge.to_vec();
        match self.ask(Work::Assert { pin: secret(pin), credential, challenge, salts })? {
            Outcome::Asserted(raw) => check::answer(question, &raw),
            _ => Err(other("GET ASSERTION")),
        }
    }

    fn traffic(&self) -> Fido2Traffic {
        self.traffic
    }
}

#[cfg(test)]
mod tests;
