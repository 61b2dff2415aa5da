//! The one flow that opens a credential.
//!
//! 1. [`plan`]: judge by the adopted policy, check the sealed files, say which keys suffice. Nothing is asked yet.
//! 2. The person confirms the plan with an exact word.
//! 3. [`carry_out`], for each key while it is plugged in: 9E proof, head against journal, PIN, sign `open.intent`, append
//!    and fsync, head on the key; where FIDO2 is asked for one assertion over the intent, recorded likewise; then unwrap
//!    this key's file.
//! 4. After the last key: put together in memory; that key signs `open.released`, fsynced. If it cannot, the
//!    credential is handed out anyway: the intents stand.
//! 5. Handing out and the debts are the caller's.

use std::collections::BTreeMap;

use p256::PublicKey;

use crate::attestation::Serial;
use crate::device::{Agree, DeviceError, Key};
use crate::kit::credentials::Generation;
use crate::kit::name::CredentialName;
use crate::kit::sealed::{self, About, Share, UnsealError};
use crate::kit::{Kit, KitError, SealedFile};
use crate::record::event::{Event, OpenIntent, OpenReleased, Override};
use crate::record::hash::Hash;
use crate::record::token::Record;
use crate::secret::Plaintext;
use crate::signing::{Caution, Signer, SigningError, Station};

pub mod drill;
mod find;
mod judge;
mod plan;
mod steps;

pub use plan::{Fido2Asked, Plan, PlannedConsent, PlannedKey, plan};

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
    /// Approvals, verified and of keys that belong.
    pub approvals: Vec<Record>,
    /// The claimed time, Unix seconds: what has expired by it does not count.
    pub now: i64,
    /// Go on although the journal or a sealed file is damaged, for this reason.
    pub accept_damage: Option<String>,
    /// Go on although the policy wants an earlier incident reviewed first, for this reason.
    pub accept_unreviewed: Option<String>,
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
    /// An approval does not count for this opening.
    #[error("the approval of {approver} does not count: {why}")]
    Approval {
        /// Who signed it.
        approver: String,
        /// Why not.
        why: String,
    },
    /// Fewer approved than the policy asks for, and it does not let anybody go on.
    #[error(transparent)]
    Unapproved(Box<Unapproved>),
    /// The policy wants a review first.
    #[error(
        "the policy wants a review before {credential} is opened again: {} was not reviewed by someone who did not open for it",
        incidents.join(", ")
    )]
    Unreviewed {
        /// Which credential.
        credential: CredentialName,
        /// The incidents that it was opened for, and that lack a review.
        incidents: Vec<String>,
    },
    /// Fewer keys were chosen, or are left, than it takes.
    #[error("{credential} takes {threshold} of its keys, and fewer {}", match &unusable[..] {
        [] => "were chosen".to_owned(),
        why => format!("can be used: {}", why.join("; ")),
    })]
    TooFew {
        /// Which credential.
        credential: CredentialName,
        /// How many keys it takes.
        threshold: u8,
        /// Why each of the others, or each that was chosen, is of no use.
        unusable: Vec<String>,
        /// Every key that can be used, chosen or not.
        usable: Vec<PlannedKey>,
    },
    /// Something in the kit is damaged or was changed.
    #[error("{0}")]
    Damage(String),
    /// A record of this copy's own says that others are missing.
    #[error("{0}")]
    Lacks(String),
    /// No key can be looked for, or none of the plan is there.
    #[error(transparent)]
    Readers(DeviceError),
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

/// Fewer others approved than the policy asks for.
#[derive(Debug, thiserror::Error)]
#[error("{credential} needs the approval of {needs}, and {}", match &approved[..] {
    [] => "nobody gave it".to_owned(),
    names => format!("only {} gave it", names.join(", ")),
})]
pub struct Unapproved {
    /// Which credential.
    pub credential: CredentialName,
    /// How many others.
    pub needs: usize,
    /// Who approved.
    pub approved: Vec<String>,
    /// Who could be asked.
    pub others: Vec<String>,
    /// The request that was approved too seldom, if there is one.
    pub request: Option<Hash>,
}

/// An opening that ended without the credential.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub struct Stopped {
    /// Why.
    #[source]
    pub cause: Box<UnlockError>,
    /// Keys that were used or failed on the way.
    pub tried: Vec<Serial>,
    /// Intents that were signed on the way: they stand in the journal.
    pub intents: Vec<Hash>,
}

impl From<Stopped> for UnlockError {
    fn from(stopped: Stopped) -> Self {
        *stopped.cause
    }
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
    /// Keys whose assertion could not be recorded, and why; their intents stand, and their counter shows it.
    pub unrecorded: Vec<(Serial, SigningError)>,
}

/// What one key gave.
enum Part {
    Share(Share),
    Whole(Plaintext),
}

/// Carries out a confirmed plan.
///
/// # Errors
/// [`Stopped`], which names the keys that were tried. A missed touch is asked for again, a wrong PIN as well while tries are
/// left; a key that fails is left aside while others can do.
pub fn carry_out(kit: &mut Kit, plan: &Plan, station: &mut Station) -> Result<Opened, Stopped> {
    let mut opening = Opening::new(plan);
    opening.run(kit, station).map_err(|cause| Stopped {
        cause: Box::new(cause),
        tried: opening.tried.clone(),
        intents: opening.intents.clone(),
    })
}

struct Opening<'p> {
    plan: &'p Plan,
    intents: Vec<Hash>,
    /// Keys whose part is at hand.
    keys: Vec<Serial>,
    /// Those, and the keys that failed.
    tried: Vec<Serial>,
    /// The last failure of a key, while others can do, and what it says, while nobody was told.
    failure: Option<UnlockError>,
    untold: Vec<String>,
    /// Keys that are plugged in and of no use, and why.
    strangers: BTreeMap<Serial, String>,
    heads: Vec<(Serial, DeviceError)>,
    unrecorded: Vec<(Serial, SigningError)>,
}

impl<'p> Opening<'p> {
    fn new(plan: &'p Plan) -> Self {
        Opening {
            plan,
            intents: Vec::new(),
            keys: Vec::new(),
            tried: Vec::new(),
            failure: None,
            untold: Vec::new(),
            strangers: BTreeMap::new(),
            heads: Vec::new(),
            unrecorded: Vec::new(),
        }
    }

    fn run(&mut self, kit: &mut Kit, station: &mut Station) -> Result<Opened, UnlockError> {
        let mut parts = Vec::new();
        loop {
            let (signer, part) = self.next_key(kit, station)?;
            parts.push(part);
            if parts.len() == usize::from(self.plan.threshold) {
                return self.finish(kit, station, signer, parts);
            }
            station.operator.progress(&format!("share {} of {}", parts.len(), self.plan.threshold));
        }
    }

    /// All steps of one key, before it is taken out. A key that fails is left aside while others can do.
    fn next_key(&mut self, kit: &mut Kit, station: &mut Station) -> Result<(Signer, Part), UnlockError> {
        loop {
            let key = self.find(kit, station)?;
            self.tried.push(key.serial());
            match self.use_key(kit, station, key) {
                Ok(done) => return Ok(done),
                Err(error) => self.leave_aside(error)?,
            }
        }
    }

    /// Goes on without the key that failed, if that makes sense and others can do.
    fn leave_aside(&mut self, error: UnlockError) -> Result<(), UnlockError> {
        if is_final(&error) || !self.others_suffice() {
            return Err(error);
        }
        self.untold.push(error.to_string());
        self.failure = Some(error);
        Ok(())
    }

    fn use_key(
        &mut self,
        kit: &mut Kit,
        station: &mut Station,
        key: Box<dyn Key>,
    ) -> Result<(Signer, Part), UnlockError> {
        let plan = self.plan;
        let serial = key.serial();
        let planned = plan.keys.iter().find(|key| key.serial == serial);
        let asked = planned.and_then(|key| key.fido2.as_ref());
        let mut signer = steps::ready(key, station, kit, &plan.wish.caution, asked)?;
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
            consent: plan.consent.record.clone(),
        });
        let txn = Some(plan.wish.incident.as_str());
        let record = signer.sign(station, kit, txn, intent, "to sign the record of this opening")?;
        self.intents.push(record.hash());
        station.operator.progress(&format!("signed and on disk: record {serial}/{}", record.link.seq));
        let purpose = "for FIDO2: it counts this opening and gives its half";
        let mut half = steps::half(&mut signer, station, kit, &record, asked, purpose)?;
        if let Some(cause) = half.as_mut().and_then(|half| half.unrecorded.take()) {
            self.unrecorded.push((serial, cause));
        }
        let unseal = |cause| UnlockError::Unseal { serial, cause };
        let file = planned.and_then(|key| key.file.as_deref()).unwrap_or_default();
        let file = steps::inner(file, half.as_ref()).map_err(unseal)?;
        let purpose = "to unwrap what this key holds";
        let part = steps::touched(&mut signer, station, purpose, |me, key| self.unwrap(&file, me, key))
            .map_err(unseal)?;
        self.keys.push(serial);
        Ok((signer, part))
    }

    /// `file` is the key's own, without its outer layer; where there is none the payload itself is for the key.
    fn unwrap(&self, file: &[u8], me: &PublicKey, key: &mut dyn Agree) -> Result<Part, UnsealError> {
        let plan = self.plan;
        match (plan.threshold, plan.generation.by_files()) {
            (1, false) => sealed::open_single(&plan.payload, me, key).map(Part::Whole),
            (1, true) => sealed::open_by_file(file, &plan.payload, me, key).map(Part::Whole),
            _ => sealed::unwrap_share(file, me, key).map(Part::Share),
        }
    }

    fn finish(
        &mut self,
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
            intents: std::mem::take(&mut self.intents),
            keys: std::mem::take(&mut self.keys),
            outcome,
            heads: std::mem::take(&mut self.heads),
            unrecorded: std::mem::take(&mut self.unrecorded),
        })
    }

    /// Keys of the plan that were neither used nor failed.
    fn candidates(&self) -> impl Iterator<Item = &'p PlannedKey> {
        self.plan.keys.iter().filter(|key| !self.tried.contains(&key.serial))
    }

    fn others_suffice(&self) -> bool {
        self.candidates().count() + self.keys.len() >= usize::from(self.plan.threshold)
    }
}

/// Errors that another key would meet as well, or that the person wanted.
fn is_final(error: &UnlockError) -> bool {
    match error {
        UnlockError::Key(SigningError::Kit(_) | SigningError::Record(_)) => true,
        UnlockError::Key(SigningError::Unanswered(_)) => true,
        UnlockError::Key(SigningError::Gap { .. } | SigningError::Fork { .. }) => true,
        UnlockError::Key(SigningError::Restored { .. }) => true,
        UnlockError::Key(SigningError::Device { cause, .. }) => {
            matches!(cause, DeviceError::NoService | DeviceError::AccessDenied)
        }
        UnlockError::Key(_) | UnlockError::Unseal { .. } => false,
        _ => true,
    }
}
