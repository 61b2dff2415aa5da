//! The FIDO2 side: its PIN, one credential, how its counter moves, and the first envelopes.
//!
//! All of it is done before the enrolment record is signed, and none of it is kept by an interrupted run: a credential
//! that no record names is dropped for a new one, as it is not discoverable and takes no place on the key.

use p256::ecdsa::VerifyingKey;

use super::carry_out::Run;
use super::keys::Made;
use super::{NO_FIDO2, ProvisionError, Step};
use crate::attestation::{Serial, Slot};
use crate::device::fido2::{
    Answer, Authenticator, AuthenticatorFacts, Credential, Fido2Error, HmacSecret, Question,
};
use crate::device::try_word;
use crate::operator::Unanswered;
use crate::record::event::{
    Aaguid, Assertion, AuthenticatorData, CounterProfile, CredentialId, DerSignature, Envelope,
    Fido2Enrolled, Fido2PinKind, Override, Point, Random, enrolment_challenge,
};
use crate::record::hash::KeyId;
use crate::secret::{Fido2Pin, Pin};

/// The way to the FIDO2 side of a key, or why there is none: as [`crate::device::Readers::authenticator`] gives it.
pub type Fido2Side = Result<Box<dyn Authenticator>, Fido2Error>;

/// Assertions of the calibration: four steps of the counter.
pub(super) const ASSERTIONS: usize = 5;

/// How often a person may miss the touch before the flow gives up.
const TOUCHES: usize = 3;

/// Most characters of a PIV PIN, which is the FIDO2 PIN where none is set.
const LONGEST_PIV_PIN: u8 = 8;

/// What a key's FIDO2 side says of itself, unsigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fido2Found {
    /// GET INFO.
    pub facts: AuthenticatorFacts,
    /// PIN tries left; none where no PIN is set.
    pub tries: Option<u8>,
}

/// Asks what there is. Being taken out meanwhile ends the survey; any other failure is judged by the plan.
pub(super) fn survey(
    serial: Serial,
    side: &mut Fido2Side,
) -> Result<Result<Fido2Found, Fido2Error>, ProvisionError> {
    let found = match side {
        Ok(authenticator) => look(authenticator.as_mut()),
        Err(error) => Err(error.clone()),
    };
    match found {
        Err(cause @ Fido2Error::Removed { .. }) => Err(ProvisionError::Fido2 { serial, cause }),
        found => Ok(found),
    }
}

fn look(authenticator: &mut dyn Authenticator) -> Result<Fido2Found, Fido2Error> {
    let facts = authenticator.facts()?;
    let tries = facts.pin_set.then(|| authenticator.pin_tries()).transpose()?;
    Ok(Fido2Found { facts, tries })
}

/// What is to be done with the FIDO2 side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Intended {
    /// It is enrolled, by these steps.
    Enrol([Step; 3]),
    /// The key has none.
    Absent,
    /// A person said to leave it, and why.
    Left(Override),
}

/// Judges what was found: a side that cannot be used, or is of no use, is refused unless a person gave a reason to do
/// without it.
pub(super) fn judge(
    serial: Serial,
    found: &Result<Fido2Found, Fido2Error>,
    overrides: &[Override],
) -> Result<Intended, ProvisionError> {
    if matches!(found, Err(Fido2Error::NoDevice | Fido2Error::Absent(_))) {
        return Ok(Intended::Absent);
    }
    if let Some(left) = overrides.iter().find(|known| known.rule == NO_FIDO2) {
        return Ok(Intended::Left(left.clone()));
    }
    let refused = |cause| ProvisionError::Fido2 { serial, cause };
    let Fido2Found { facts, tries } = found.as_ref().map_err(|cause| refused(cause.clone()))?;
    if !facts.hmac_secret {
        return Err(refused(Fido2Error::Unsupported("hmac-secret")));
    }
    if !facts.cred_protect {
        return Err(refused(Fido2Error::Unsupported("credProtect")));
    }
    if facts.aaguid == [0; 16] {
        return Err(ProvisionError::NoModel(serial));
    }
    if facts.pin_set && facts.pin_must_change {
        let demands = "anything before its FIDO2 PIN is changed, which it demands";
        return Err(refused(Fido2Error::Unsupported(demands)));
    }
    let pin = match tries {
        Some(0) => return Err(refused(Fido2Error::PinBlocked)),
        Some(1) => return Err(ProvisionError::LastFido2Try(serial)),
        Some(_) => Step::OwnFido2Pin,
        None if facts.pin_length > LONGEST_PIV_PIN => {
            return Err(ProvisionError::ShortForFido2 { serial, least: facts.pin_length });
        }
        None => Step::Fido2Pin,
    };
    Ok(Intended::Enrol([pin, Step::Credential, Step::Calibrate]))
}

/// Whether the PIV PIN can be the FIDO2 PIN too, as it will be where none is set.
pub(super) fn fits(serial: Serial, facts: &AuthenticatorFacts, pin: &Pin) -> Result<(), ProvisionError> {
    let length = Fido2Pin::same_as_piv(pin).expose_typed().len();
    match facts.pin_set || length >= usize::from(facts.pin_length) {
        true => Ok(()),
        false => Err(ProvisionError::ShortForFido2 { serial, least: facts.pin_length }),
    }
}

/// The PIN that the key has taken or will be tried with, and whose it is.
struct Known {
    pin: Fido2Pin,
    kind: Fido2PinKind,
}

impl Run<'_, '_> {
    /// The FIDO2 side of the enrolment record; none if the plan leaves it.
    pub(super) fn enrol_fido2(
        &mut self,
        found: &Result<Fido2Found, Fido2Error>,
        made: &Made,
        pin: &Pin,
    ) -> Result<Option<Fido2Enrolled>, ProvisionError> {
        let (Ok(found), true) = (found, self.plan.steps.contains(&Step::Credential)) else { return Ok(None) };
        let mut known = if self.plan.steps.contains(&Step::Fido2Pin) {
            self.tell(Step::Fido2Pin);
            let new = Fido2Pin::same_as_piv(pin);
            self.side(|side| side.set_pin(&new))?;
            Known { pin: new, kind: Fido2PinKind::Shared }
        } else {
            self.tell(Step::OwnFido2Pin);
            let left = self.side(|side| side.pin_tries())?;
            self.own_pin(left, pin, None)?
        };
        self.tell(Step::Credential);
        let signing = Point(made.of(Slot::Signing).public);
        let KeyId(user) = KeyId::of(&VerifyingKey::from(signing.0));
        let credential = self.by_pin(&mut known, pin, "to make its FIDO2 credential", |side, pin| {
            side.make_credential(pin, &user.0)
        })?;
        self.tell(Step::Calibrate);
        let (profile, proof, envelopes) = self.calibrate(&credential, &signing, &mut known, pin)?;
        let id =
            CredentialId::new(credential.id).map_err(|length| self.malformed("MAKE CREDENTIAL", length))?;
        Ok(Some(Fido2Enrolled {
            aaguid: Aaguid(found.facts.aaguid),
            firmware: found.facts.firmware,
            credential: id,
            public: Point(credential.public),
            pin: known.kind,
            profile,
            proof,
            envelopes,
        }))
    }

    /// Assertions over the enrolment's challenge, two salts in each. The last one answers the very first salt once more:
    /// a key that gave another secret then would not open what is sealed to it.
    fn calibrate(
        &mut self,
        credential: &Credential,
        signing: &Point,
        known: &mut Known,
        piv: &Pin,
    ) -> Result<(CounterProfile, Assertion, Vec<Envelope>), ProvisionError> {
        let challenge = enrolment_challenge(signing);
        let mut envelopes: Vec<Envelope> = Vec::new();
        let mut counters = Vec::new();
        let mut proof = None;
        for n in 1..=ASSERTIONS {
            let [fresh, next] = [self.salt(), self.salt()];
            let salt = envelopes.first().filter(|_| n == ASSERTIONS).map_or(fresh, |first| first.salt.0);
            let question = Question { credential, challenge: &challenge, salt, next: Some(next) };
            let purpose = format!("to see how its counter moves ({n} of {ASSERTIONS})");
            let answer = self.by_pin(known, piv, &purpose, |side, pin| side.assert(pin, &question))?;
            let made = [
                Some(envelope(salt, &answer.secret)),
                answer.next.as_ref().map(|secret| envelope(next, secret)),
            ];
            for envelope in made.into_iter().flatten() {
                let same =
                    |kept: &&Envelope| kept.salt == envelope.salt || kept.recipient == envelope.recipient;
                match envelopes.iter().find(same) {
                    None => envelopes.push(envelope),
                    Some(kept) if *kept == envelope => {}
                    Some(_) => {
                        let what = "the secret that opens an envelope";
                        return Err(ProvisionError::ReadsBackOtherwise { serial: self.plan.serial, what });
                    }
                }
            }
            counters.push(answer.counter);
            proof = Some(answer);
        }
        let profile = CounterProfile::measured(&counters).map_err(|(from, to)| ProvisionError::Counter {
            serial: self.plan.serial,
            from,
            to,
        })?;
        let Answer { authenticator_data, signature, .. } = proof.expect("there is more than one assertion");
        let proof = Assertion {
            data: AuthenticatorData::new(authenticator_data)
                .map_err(|length| self.malformed("GET ASSERTION", length))?,
            signature: DerSignature::new(signature)
                .map_err(|length| self.malformed("GET ASSERTION", length))?,
        };
        Ok((profile, proof, envelopes))
    }

    /// A request with the PIN and a touch. A wrong PIN is asked for again, never sent again, while more than one try is
    /// left; a missed touch is asked for again.
    fn by_pin<T>(
        &mut self,
        known: &mut Known,
        piv: &Pin,
        purpose: &str,
        mut request: impl FnMut(&mut dyn Authenticator, &Fido2Pin) -> Result<T, Fido2Error>,
    ) -> Result<T, ProvisionError> {
        let serial = self.plan.serial;
        let mut missed = 0;
        loop {
            self.operator.touch(serial, purpose);
            match self.side(|side| request(side, &known.pin)) {
                Err(ProvisionError::Fido2 { cause: Fido2Error::WrongPin { left: left @ 1.. }, .. }) => {
                    self.operator
                        .progress(&format!("that FIDO2 PIN is wrong; {left} {} left", try_word(left)));
                    *known = self.own_pin(left, piv, Some(left))?;
                }
                Err(ProvisionError::Fido2 { cause: Fido2Error::NotTouched, .. }) if missed + 1 < TOUCHES => {
                    missed += 1;
                    self.operator.progress(&format!("{serial} was not touched in time; once more"));
                }
                done => return done,
            }
        }
    }

    /// Asks for the PIN that is set. The last try is not spent here. `wrong`: what was typed before it was wrong, and so
    /// many tries are left.
    fn own_pin(&mut self, left: u8, piv: &Pin, wrong: Option<u8>) -> Result<Known, ProvisionError> {
        let serial = self.plan.serial;
        let refused = |cause| ProvisionError::Fido2 { serial, cause };
        match left {
            0 => return Err(refused(Fido2Error::PinBlocked)),
            1 => return Err(ProvisionError::LastFido2Try(serial)),
            _ => {}
        }
        let pin = match (self.operator.fido2_pin(serial, left), wrong) {
            (Err(Unanswered::NobodyToAsk), Some(left)) => return Err(refused(Fido2Error::WrongPin { left })),
            (typed, _) => typed?,
        };
        let same = pin.expose_typed() == Fido2Pin::same_as_piv(piv).expose_typed();
        Ok(Known { pin, kind: if same { Fido2PinKind::Shared } else { Fido2PinKind::Own } })
    }

    /// One request to the FIDO2 side.
    fn side<T>(
        &mut self,
        request: impl FnOnce(&mut dyn Authenticator) -> Result<T, Fido2Error>,
    ) -> Result<T, ProvisionError> {
        let serial = self.plan.serial;
        let answer = match self.fido2 {
            Ok(side) => request(side.as_mut()),
            Err(error) => Err(error.clone()),
        };
        answer.map_err(|cause| ProvisionError::Fido2 { serial, cause })
    }

    fn salt(&mut self) -> [u8; 32] {
        let mut salt = [0; 32];
        self.outside.random.fill_bytes(&mut salt);
        salt
    }

    fn malformed(&self, step: &'static str, length: impl ToString) -> ProvisionError {
        let cause = Fido2Error::Malformed { step, detail: length.to_string() };
        ProvisionError::Fido2 { serial: self.plan.serial, cause }
    }
}

fn envelope(salt: [u8; 32], secret: &HmacSecret) -> Envelope {
    let recipient = secret.recipient().parse().expect("age writes recipients in their one form");
    Envelope { salt: Random(salt), recipient }
}
