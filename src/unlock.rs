//! The one flow that opens a credential.
//!
//! 1. [`plan`]: judge by the adopted policy, check the sealed files, say which keys suffice. Nothing is asked yet.
//! 2. The person confirms the plan with an exact word.
//! 3. [`carry_out`], for each key while it is plugged in: 9E proof, head against journal, PIN, sign `open.intent`, append
//!    and fsync, head on the key, then unwrap this key's file.
//! 4. After the last key: put together in memory; that key signs `open.released`, fsynced. If it cannot, the
//!    credential is handed out anyway: the intents stand.
//! 5. Handing out and the debts are the caller's.

use crate::attestation::Serial;
use crate::device::DeviceError;
use crate::kit::credentials::Generation;
use crate::kit::name::CredentialName;
use crate::kit::sealed::{self, About, Share, UnsealError};
use crate::kit::{Kit, KitError, SealedFile};
use crate::operator::Unanswered;
use crate::record::event::{Event, OpenIntent, OpenReleased, Override};
use crate::record::hash::Hash;
use crate::secret::Plaintext;
use crate::signing::{Caution, Signer, SigningError, Station};

mod judge;
mod plan;

pub use plan::{Plan, PlannedKey, plan};

/// What the person wants to open, and why.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Which credential.
    pub credential: CredentialName,
    /// Which generation; the current one if not said.
    pub generation: Option<u64>,
    /// Emergency, by its name in the policy.
    pub emergency: String,
    /// Incident or ticket.
    pub incident: String,
    /// In the person's words.
    pub reason: String,
    /// Who opens, by the name in the policy.
    pub operator: String,
    /// Only with these keys; any if empty.
    pub only: Vec<Serial>,
    /// How it will be handed out: `terminal`, `fd`, `stdout`.
    pub output: String,
    /// Go on although the journal or a sealed file is damaged, for this reason.
    pub accept_damage: Option<String>,
    /// What is allowed at each key.
    pub caution: Caution,
}

/// Why nothing was opened, or not all of it. What was signed before stands in the journal.
#[derive(Debug, thiserror::Error)]
pub enum UnlockError {
    /// The kit.
    #[error(transparent)]
    Kit(#[from] KitError),
    /// The policy does not allow it.
    #[error("the policy does not allow it: {0}")]
    Policy(String),
    /// No such credential or generation.
    #[error("{0}")]
    NoSuch(String),
    /// Something in the kit is damaged or was changed.
    #[error("{0}")]
    Damage(String),
    /// A record of this copy's own says that others are missing.
    #[error("{0}")]
    Lacks(String),
    /// A key failed and no other took its place.
    #[error(transparent)]
    Key(#[from] SigningError),
    /// The key's file did not unwrap.
    #[error("key {serial}: {cause}")]
    Unseal {
        /// Which key.
        serial: Serial,
        /// What happened.
        #[source]
        cause: UnsealError,
    },
    /// The shares do not give the credential.
    #[error("the shares do not give the credential: {0}")]
    Combine(#[source] UnsealError),
    /// None of the plugged in keys is one that can open this.
    #[error("{0}")]
    NoKeyOfThese(String),
}

/// An opened credential. The record of it is durable.
#[derive(Debug)]
pub struct Opened {
    /// The secret.
    pub secret: Plaintext,
    /// What lies beside it in the open.
    pub about: Option<About>,
    /// Hashes of the intents.
    pub intents: Vec<Hash>,
    /// The keys that were used.
    pub keys: Vec<Serial>,
    /// Why the outcome could not be signed, if it could not; the intents stand.
    pub outcome: Result<Hash, SigningError>,
    /// Keys whose head could not be written, and why.
    pub heads: Vec<(Serial, DeviceError)>,
}

/// What one key gave.
enum Part {
    Share(Share),
    Whole(Plaintext),
}

/// Carries out a confirmed plan.
pub fn carry_out(kit: &mut Kit, plan: &Plan, station: &mut Station) -> Result<Opened, UnlockError> {
    kit.folder.reserve().map_err(KitError::from)?;
    let mut opening =
        Opening { plan, intents: Vec::new(), keys: Vec::new(), failed: Vec::new(), heads: Vec::new() };
    let mut parts = Vec::new();
    loop {
        let (signer, part) = opening.next_key(kit, station)?;
        parts.push(part);
        if parts.len() == usize::from(plan.threshold) {
            return opening.finish(kit, station, signer, parts);
        }
        station.operator.progress(&format!("share {} of {}", parts.len(), plan.threshold));
    }
}

struct Opening<'p> {
    plan: &'p Plan,
    intents: Vec<Hash>,
    keys: Vec<Serial>,
    failed: Vec<(Serial, UnlockError)>,
    heads: Vec<(Serial, DeviceError)>,
}

impl Opening<'_> {
    /// All steps of one key, before it is taken out. A key that fails is left aside while others can do.
    fn next_key(&mut self, kit: &mut Kit, station: &mut Station) -> Result<(Signer, Part), UnlockError> {
        loop {
            let serial = self.find(kit, station)?;
            match self.use_key(kit, station, serial) {
                Ok(done) => return Ok(done),
                Err(error) if self.is_final(&error) => return Err(error),
                Err(error) => {
                    station.operator.progress(&error.to_string());
                    self.failed.push((serial, error));
                    if self.candidates().len() + self.keys.len() < usize::from(self.plan.threshold) {
                        return Err(self.first_failure());
                    }
                }
            }
        }
    }

    fn use_key(
        &mut self,
        kit: &mut Kit,
        station: &mut Station,
        serial: Serial,
    ) -> Result<(Signer, Part), UnlockError> {
        let plan = self.plan;
        let mut signer = Signer::ready(station, kit, serial, &plan.wish.caution)?;
        let overrides = plan.overrides.iter().cloned().chain(signer.overrides.clone()).collect();
        let intent = Event::OpenIntent(OpenIntent {
            credential: plan.wish.credential.to_string(),
            generation: plan.generation.number,
            sealed: plan.generation.record,
            emergency: plan.wish.emergency.clone(),
            reason: plan.wish.reason.clone(),
            operator: plan.wish.operator.clone(),
            presence: signer.presence,
            tries: signer.tries.left,
            overrides,
        });
        let txn = Some(plan.wish.incident.as_str());
        let record = signer.sign(station, kit, txn, intent, "to sign the record of this opening")?;
        self.intents.push(record.hash());
        station.operator.progress(&format!("signed and on disk: record {serial}/{}", record.link.seq));
        station.operator.touch(serial, "to unwrap what this key holds");
        let part = self.unwrap(&mut signer, serial)?;
        self.keys.push(serial);
        Ok((signer, part))
    }

    fn unwrap(&self, signer: &mut Signer, serial: Serial) -> Result<Part, UnlockError> {
        let plan = self.plan;
        let me = signer.sealing;
        let unseal = |cause| UnlockError::Unseal { serial, cause };
        if plan.threshold == 1 {
            return sealed::open_single(&plan.payload, &me, signer.key.as_mut())
                .map(Part::Whole)
                .map_err(unseal);
        }
        let key = plan.keys.iter().find(|k| k.serial == serial);
        let file = key.and_then(|k| k.file.as_deref()).unwrap_or_default();
        sealed::unwrap_share(file, &me, signer.key.as_mut()).map(Part::Share).map_err(unseal)
    }

    fn finish(
        mut self,
        kit: &mut Kit,
        station: &mut Station,
        mut signer: Signer,
        parts: Vec<Part>,
    ) -> Result<Opened, UnlockError> {
        let plan = self.plan;
        let mut shares = Vec::new();
        let mut whole = None;
        for part in parts {
            match part {
                Part::Share(share) => shares.push(share),
                Part::Whole(secret) => whole = Some(secret),
            }
        }
        let secret = match whole {
            Some(secret) => secret,
            None => sealed::combine(shares, &plan.payload).map_err(UnlockError::Combine)?,
        };
        let released = Event::OpenReleased(OpenReleased {
            credential: plan.wish.credential.to_string(),
            generation: plan.generation.number,
            intents: self.intents.clone(),
            output: plan.wish.output.clone(),
        });
        let txn = Some(plan.wish.incident.as_str());
        let outcome =
            signer.sign(station, kit, txn, released, "to sign the outcome").map(|record| record.hash());
        if let Err(cause) = std::mem::replace(&mut signer.head, Ok(())) {
            self.heads.push((signer.serial, cause));
        }
        Ok(Opened {
            secret,
            about: plan.about.clone(),
            intents: self.intents,
            keys: self.keys,
            outcome,
            heads: self.heads,
        })
    }

    /// Keys of the plan that were neither used nor failed.
    fn candidates(&self) -> Vec<Serial> {
        let gone =
            |serial: &Serial| self.keys.contains(serial) || self.failed.iter().any(|(s, _)| s == serial);
        self.plan.keys.iter().map(|k| k.serial).filter(|serial| !gone(serial)).collect()
    }

    /// The next key of the plan that is plugged in; asks for one while there is somebody to ask.
    fn find(&mut self, kit: &Kit, station: &mut Station) -> Result<Serial, UnlockError> {
        let wanted = self.candidates();
        loop {
            let attached = match station.readers.attached() {
                Ok(attached) => attached,
                Err(DeviceError::NoKey) => Vec::new(),
                Err(cause) => return Err(self.no_key(cause)),
            };
            if let Some(found) = attached.iter().map(|a| a.serial).find(|serial| wanted.contains(serial)) {
                return Ok(found);
            }
            let strangers: Vec<String> = attached
                .iter()
                .filter(|a| !self.keys.contains(&a.serial))
                .map(|a| judge::why_not(kit, self.plan, a.serial))
                .collect();
            let places: Vec<String> = self
                .plan
                .keys
                .iter()
                .filter(|k| wanted.contains(&k.serial))
                .map(plan::PlannedKey::label)
                .collect();
            let text = format!("insert one of: {}", places.join(" · "));
            for stranger in &strangers {
                station.operator.progress(stranger);
            }
            match station.operator.swap(&text) {
                Ok(()) => {}
                Err(Unanswered::Cancelled) => return Err(SigningError::from(Unanswered::Cancelled).into()),
                Err(Unanswered::NobodyToAsk) if !self.failed.is_empty() => return Err(self.first_failure()),
                Err(Unanswered::NobodyToAsk) if strangers.is_empty() => {
                    return Err(self.no_key(DeviceError::NoKey));
                }
                Err(Unanswered::NobodyToAsk) => return Err(UnlockError::NoKeyOfThese(strangers.join("; "))),
            }
        }
    }

    fn no_key(&self, cause: DeviceError) -> UnlockError {
        let serial = self.candidates().first().copied().unwrap_or(Serial(0));
        SigningError::Device { serial, cause }.into()
    }

    fn first_failure(&mut self) -> UnlockError {
        match self.failed.is_empty() {
            true => SigningError::from(Unanswered::NobodyToAsk).into(),
            false => self.failed.remove(0).1,
        }
    }

    /// Errors that another key would meet as well, or that the person wanted.
    fn is_final(&self, error: &UnlockError) -> bool {
        match error {
            UnlockError::Key(SigningError::Kit(_) | SigningError::Record(_)) => true,
            UnlockError::Key(SigningError::Unanswered(_)) => true,
            UnlockError::Key(SigningError::Gap { .. } | SigningError::Fork { .. }) => true,
            UnlockError::Key(SigningError::Device { cause, .. }) => {
                matches!(cause, DeviceError::NoService | DeviceError::AccessDenied)
            }
            UnlockError::Key(_) | UnlockError::Unseal { .. } => false,
            _ => true,
        }
    }
}
