//! A drill: one key and one credential through every step of an opening but the last. It proves that what the key holds
//! unwraps, puts nothing together, and hands nothing out; both its records are signed by the key that it is of.
//!
//! 1. [`plan`]: judge, check the sealed files, say what the person will do. Nothing is asked yet.
//! 2. The person confirms the plan with an exact word.
//! 3. [`carry_out`]: 9E proof, head against journal, PIN, sign `drill.begun`, append and fsync; where FIDO2 is asked for one
//!    assertion over it; unwrap this key's file, wiped at once; sign `drill.ended`, whatever came of it.
//!
//! A drill of one place needs no key of another: neither a threshold nor a quorum is asked for.

use p256::PublicKey;

use super::plan::{intact, planned};
use super::{
    CredentialName, Generation, Kit, KitError, PlannedKey, SigningError, Station, UnlockError, judge, sealed,
    steps,
};
use crate::attestation::Serial;
use crate::device::{Agree, DeviceError, Key};
use crate::kit::check;
use crate::kit::sealed::{PAYLOAD_NAME, UnsealError};
use crate::operator::Unanswered;
use crate::record::event::{DrillBegun, DrillEnded, Event};
use crate::record::hash::Hash;
use crate::record::token::{REASON_CAP, Record};
use crate::signing::{Caution, Signer};

/// What the person wants to prove.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Which credential.
    pub credential: CredentialName,
    /// Which generation; the current one if not said.
    pub generation: Option<u64>,
    /// With which key.
    pub key: Serial,
    /// Who drills, by the name in the policy.
    pub operator: String,
    /// Who watches, by the name in the policy.
    pub witness: Option<String>,
    /// The last PIN try of the key may be spent.
    pub spend_last_try: bool,
}

/// What will be done. Holds the sealed bytes that were checked against their record.
#[derive(Debug)]
pub struct Plan {
    /// What the person wants.
    pub wish: Wish,
    /// Which sealing of it.
    pub generation: Generation,
    /// The key.
    pub key: PlannedKey,
    /// When it last proved that it opens this generation, as its machine claimed.
    pub last: Option<i64>,
    /// What the journal lacks, where a key has signed that it is lost for good.
    pub accepted: Option<String>,
    payload: Vec<u8>,
}

impl Plan {
    /// The exact words that confirm it.
    pub fn word(&self) -> String {
        format!("drill {}", self.wish.credential.platform)
    }

    /// Touches that the person gives, at least and at most: those of an opening with this key.
    pub fn touches(&self) -> (usize, usize) {
        let (least, most) = self.key.touches();
        (least, most + 1)
    }
}

/// Judges and checks, and tries that the journal can be written; every refusal comes from here, before any PIN. A drill has
/// time: it goes on over nothing that is damaged or lacking, unless that was accepted on record.
///
/// # Errors
/// [`UnlockError`]: nothing was done.
pub fn plan(kit: &Kit, wish: Wish) -> Result<Plan, UnlockError> {
    let roster = kit.founded()?;
    judge::people(kit, &wish)?;
    let accepted = match check::wounds(kit) {
        Some(wounds) if !wounds.accepted => return Err(UnlockError::Damage(wounds.text)),
        wounds => wounds.map(|wounds| wounds.text),
    };
    let name = &wish.credential;
    let generation = judge::generation(kit, name, wish.generation)?.clone();
    let recipients = &generation.facts.recipients;
    let of_key = kit.enrolled(wish.key).map(|key| key.id).filter(|id| recipients.contains(id));
    let usable = of_key.and_then(|id| judge::usable(roster, &id).map(|member| (id, member)));
    let Some((id, member)) = usable else {
        return Err(UnlockError::NoKeyOfThese(judge::why_not(kit, name, &generation, wish.key)));
    };
    let key = planned(kit, name, &generation, &id, member)?;
    // Of a key with a file of its own the payload is not asked for; that it is there is part of what is proven.
    let payload = intact(kit, name, &generation, PAYLOAD_NAME)?;
    let last = kit.credentials.get(name).and_then(|one| one.last_proof(generation.number, &id));
    kit.folder.reserve().map_err(KitError::from)?;
    Ok(Plan { wish, generation, key, last, accepted, payload })
}

/// What a drill came to. Its `drill.begun` is durable.
#[derive(Debug)]
pub struct Drilled {
    /// The record that began it.
    pub begun: Hash,
    /// The record that ended it; or why there is none: then it proves nothing.
    pub ended: Result<Hash, SigningError>,
    /// What failed, if something did.
    pub failure: Option<UnlockError>,
    /// When it ended, by the machine's clock, in Unix seconds.
    pub at: i64,
    /// How long it took from when the key was found, typing and waiting for touches included.
    pub seconds: u64,
    /// Commands and requests sent to the key.
    pub commands: u64,
    /// How often a touch was asked for.
    pub touches: u64,
    /// Why the key does not carry its last record, if it does not.
    pub head: Result<(), DeviceError>,
}

/// Carries out a confirmed plan.
///
/// # Errors
/// [`UnlockError`], where nothing was begun. Whatever fails afterwards is on record, if the key can still sign, and in
/// [`Drilled::failure`].
pub fn carry_out(kit: &mut Kit, plan: &Plan, station: &mut Station) -> Result<Drilled, UnlockError> {
    let (wish, serial) = (&plan.wish, plan.key.serial);
    let key = inserted(plan, station)?;
    let start = (station.clock)();
    let caution = Caution { spend_last_try: wish.spend_last_try, accept_gap: None };
    let mut signer = steps::ready(key, station, kit, &caution, plan.key.fido2.as_ref())?;
    let begun = Event::DrillBegun(DrillBegun {
        credential: wish.credential.to_string(),
        generation: plan.generation.number,
        sealed: plan.generation.record,
        operator: wish.operator.clone(),
        witness: wish.witness.clone(),
        presence: signer.presence,
        tries: signer.tries.left,
    });
    let begun = signer.sign(station, kit, None, begun, "to sign that the drill begins")?;
    station.operator.progress(&format!("signed and on disk: record {serial}/{}", begun.link.seq));
    let failure = prove(kit, plan, station, &mut signer, &begun).err();
    let at = (station.clock)();
    let seconds = u64::try_from(at.saturating_sub(start)).unwrap_or_default();
    let (commands, touches) = (signer.commands(), signer.touches);
    let ended = Event::DrillEnded(DrillEnded {
        credential: wish.credential.to_string(),
        generation: plan.generation.number,
        begun: begun.hash(),
        proven: failure.is_none(),
        seconds,
        commands,
        touches,
        failed: failure.as_ref().map(|failure| capped(failure.to_string())),
    });
    let ended = signer.sign(station, kit, None, ended, "to sign what the drill came to");
    let (begun, ended) = (begun.hash(), ended.map(|record| record.hash()));
    Ok(Drilled { begun, ended, failure, at, seconds, commands, touches, head: signer.head })
}

/// The key, once it is plugged in; while there is somebody to ask it is waited for, as at an opening.
fn inserted(plan: &Plan, station: &mut Station) -> Result<Box<dyn Key>, SigningError> {
    let serial = plan.key.serial;
    loop {
        let cause = match station.readers.connect(serial) {
            Ok(key) => return Ok(key),
            Err(cause) => cause,
        };
        let absent = matches!(cause, DeviceError::Absent(_) | DeviceError::NoKey);
        match absent.then(|| station.operator.swap(&format!("insert {}", plan.key.label()))) {
            Some(Ok(())) => {}
            Some(Err(Unanswered::Cancelled)) => return Err(Unanswered::Cancelled.into()),
            None | Some(Err(Unanswered::NobodyToAsk)) => return Err(SigningError::Device { serial, cause }),
        }
    }
}

/// The FIDO2 half where it is asked for, and the touch that unwraps. What comes out is wiped here.
fn prove(
    kit: &mut Kit,
    plan: &Plan,
    station: &mut Station,
    signer: &mut Signer,
    begun: &Record,
) -> Result<(), UnlockError> {
    let serial = signer.serial;
    let purpose = "for FIDO2: it counts this drill and gives its half";
    let mut half = steps::half(signer, station, kit, begun, plan.key.fido2.as_ref(), purpose)?;
    // An opening goes on in an emergency; a drill whose evidence is not on record proves nothing.
    if let Some(cause) = half.as_mut().and_then(|half| half.unrecorded.take()) {
        return Err(cause.into());
    }
    let unseal = |cause| UnlockError::Unseal { serial, cause };
    let file = plan.key.file.as_deref().unwrap_or_default();
    let file = steps::inner(file, half.as_ref()).map_err(unseal)?;
    let purpose = "to prove that it unwraps what it holds";
    steps::touched(signer, station, purpose, |me, key| unwrap(plan, &file, me, key)).map_err(unseal)
}

fn unwrap(plan: &Plan, file: &[u8], me: &PublicKey, key: &mut dyn Agree) -> Result<(), UnsealError> {
    match (plan.generation.facts.threshold, plan.generation.by_files()) {
        (1, false) => sealed::prove_single(&plan.payload, me, key),
        (1, true) => sealed::prove_by_file(file, &plan.payload, me, key),
        _ => sealed::prove_share(file, me, key),
    }
}

/// As much of a sentence as a record takes.
fn capped(mut text: String) -> String {
    let end = (0..=REASON_CAP).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    if text.len() > REASON_CAP {
        text.truncate(end);
    }
    text
}
