//! The plan of an opening: everything that can be judged and checked before anyone is asked for a PIN.

use super::{CredentialName, Generation, Kit, Override, SealedFile, UnlockError, Wish, judge, sealed};
use crate::attestation::Serial;
use crate::kit::KitError;
use crate::kit::policy::Approval;
use crate::kit::roster::Member;
use crate::kit::sealed::{About, PAYLOAD_NAME, share_name};
use crate::record::event::{Consent, Fido2Enrolled};
use crate::record::hash::KeyId;

/// What will be done, for whom, with which keys. Holds the sealed bytes that were checked against their record.
#[derive(Debug)]
pub struct Plan {
    /// What the person wants.
    pub wish: Wish,
    /// Which sealing of it.
    pub generation: Generation,
    /// How many keys are needed.
    pub threshold: u8,
    /// Keys that can be used, in the order of the record.
    pub keys: Vec<PlannedKey>,
    /// Keys that could be used as well, but were not chosen.
    pub spare: Vec<PlannedKey>,
    /// The public description, if it is there and intact.
    pub about: Option<About>,
    /// What is overridden, with the person's reason.
    pub overrides: Vec<Override>,
    /// What it rests on beside the operator's word.
    pub consent: PlannedConsent,
    /// `payload.age`, as the record names it.
    pub payload: Vec<u8>,
}

/// Who approved, and who is passed over or told.
#[derive(Debug)]
pub struct PlannedConsent {
    /// What the policy asks for.
    pub asked: Approval,
    /// Who approved.
    pub approved: Vec<String>,
    /// The other approvers.
    pub others: Vec<String>,
    /// What each intent says of it.
    pub record: Option<Consent>,
}

/// One key of a plan.
#[derive(Debug)]
pub struct PlannedKey {
    /// Which key.
    pub serial: Serial,
    /// Its id.
    pub id: KeyId,
    /// Where it lies, by its last check-in or the policy; empty if unknown.
    pub place: String,
    /// Bag or seal number; empty if unknown.
    pub bag: String,
    /// Who has it, if it was taken out of its bag.
    pub out: Option<String>,
    /// Who holds its PUK, if known.
    pub puk: Option<String>,
    /// Whether it has opened this generation before, or would have in a drill.
    pub proven: bool,
    /// Its own file, where one key is not enough or FIDO2 is asked for.
    pub file: Option<Vec<u8>>,
    /// What its FIDO2 side is asked, where it is.
    pub fido2: Option<Fido2Asked>,
}

/// What the FIDO2 side of a key is asked.
#[derive(Debug)]
pub struct Fido2Asked {
    /// Its credential, and how its PIN was.
    pub enrolled: Fido2Enrolled,
    /// Salt of the envelope that its file is sealed to.
    pub salt: [u8; 32],
}

impl PlannedKey {
    /// Touches that it takes to have this key sign one record and unwrap, at least and at most.
    pub(super) fn touches(&self) -> (usize, usize) {
        if self.fido2.is_some() { (3, 4) } else { (2, 2) }
    }

    /// `23112 (safe A, bag 0417)`, or `23112 (out, with ada)`
    pub fn label(&self) -> String {
        if let Some(person) = &self.out {
            return format!("{} (out, with {person})", self.serial);
        }
        let bag = if self.bag.is_empty() { String::new() } else { format!("bag {}", self.bag) };
        let known: Vec<&str> = [self.place.as_str(), &bag].into_iter().filter(|t| !t.is_empty()).collect();
        match known.is_empty() {
            true => self.serial.to_string(),
            false => format!("{} ({})", self.serial, known.join(", ")),
        }
    }
}

impl Plan {
    /// PINs that the person will type if none is wrong.
    pub fn pins(&self) -> usize {
        usize::from(self.threshold)
    }

    /// Touches that the person gives, at least and at most. With each key: to sign the intent, for FIDO2 where it is asked
    /// for, to unwrap. The touch for signing is remembered for 15 s, which also signs what was asserted and the outcome;
    /// where it is not remembered so long each of these takes one more.
    pub fn touches(&self) -> (usize, usize) {
        let mut of_keys: Vec<(usize, usize)> = self.keys.iter().map(PlannedKey::touches).collect();
        of_keys.sort_unstable_by(|a, b| b.cmp(a));
        let few = of_keys.iter().take(usize::from(self.threshold));
        few.fold((0, 1), |(least, most), of_key| (least + of_key.0, most + of_key.1))
    }

    /// The exact words that confirm it.
    pub fn word(&self) -> String {
        format!("open {}", self.wish.credential.platform)
    }
}

/// Judges and checks, and tries that the journal can be written; every refusal comes from here, before any PIN.
pub fn plan(kit: &Kit, wish: Wish) -> Result<Plan, UnlockError> {
    let roster = kit.founded()?;
    judge::policy(kit, &wish)?;
    let mut overrides = Vec::new();
    if let Some(damage) = kit.journal.damage() {
        match &wish.accept_damage {
            Some(why) => overrides.push(Override { rule: "damage".into(), why: why.clone() }),
            None => return Err(UnlockError::Damage(damage)),
        }
    }
    if let Some(lack) = crate::kit::check::lacking(kit).into_iter().next() {
        match &wish.caution.accept_gap {
            Some(why) => overrides.push(Override { rule: "gap".into(), why: why.clone() }),
            None => return Err(UnlockError::Lacks(lack.text)),
        }
    }
    let generation = judge::generation(kit, &wish.credential, wish.generation)?.clone();
    overrides.extend(judge::review(kit, &wish)?);
    let consent = judge::consent(kit, &wish, generation.number)?;
    let payload = intact(kit, &wish.credential, &generation, PAYLOAD_NAME)?;
    let about = match intact(kit, &wish.credential, &generation, "about.toml") {
        Ok(bytes) => sealed::About::parse(&bytes).ok(),
        // The description helps, but what it describes is intact: not a reason to stop in an emergency.
        Err(_) => None,
    };
    let (mut keys, mut spare) = (Vec::new(), Vec::new());
    let mut damaged = None;
    for id in &generation.facts.recipients {
        let Some(member) = judge::usable(roster, id) else { continue };
        let chosen = wish.only.is_empty() || wish.only.contains(&member.enrolled.serial);
        match planned(kit, &wish.credential, &generation, id, member) {
            Ok(key) if chosen => keys.push(key),
            Ok(key) => spare.push(key),
            Err(_) if !chosen => {}
            Err(error) => {
                damaged.get_or_insert(error);
            }
        }
    }
    let threshold = generation.facts.threshold;
    match damaged {
        Some(error) if wish.accept_damage.is_none() || keys.len() < usize::from(threshold) => {
            return Err(error);
        }
        Some(_) if overrides.iter().all(|one| one.rule != "damage") => overrides
            .push(Override { rule: "damage".into(), why: wish.accept_damage.clone().unwrap_or_default() }),
        _ => {}
    }
    if keys.len() < usize::from(threshold) {
        let usable = |serial: &Serial| keys.iter().chain(&spare).any(|key| key.serial == *serial);
        let named = match wish.only.is_empty() {
            true => generation
                .facts
                .recipients
                .iter()
                .filter_map(|id| kit.key(id))
                .map(|k| k.facts.serial)
                .collect(),
            false => wish.only.clone(),
        };
        let why = |serial| judge::why_not(kit, &wish.credential, &generation, serial);
        let unusable: Vec<String> = named.into_iter().filter(|s| !usable(s)).map(why).collect();
        return Err(UnlockError::TooFew {
            credential: wish.credential,
            threshold,
            unusable,
            usable: keys.into_iter().chain(spare).collect(),
        });
    }
    kit.folder.reserve().map_err(KitError::from)?;
    Ok(Plan { wish, generation, threshold, keys, spare, about, overrides, consent, payload })
}

/// A file of that generation, if it is as it was sealed.
pub(super) fn intact(
    kit: &Kit,
    name: &CredentialName,
    generation: &Generation,
    file: &str,
) -> Result<Vec<u8>, UnlockError> {
    match kit.sealed_file(name, generation, file)? {
        SealedFile::Intact(bytes) => Ok(bytes),
        SealedFile::Changed(path) => {
            Err(UnlockError::Damage(format!("{path} is not the file that was sealed")))
        }
        SealedFile::Missing(path) => Err(UnlockError::Damage(format!("{path} is missing"))),
    }
}

/// One key of that generation: its own file, and what its FIDO2 side is asked.
pub(super) fn planned(
    kit: &Kit,
    name: &CredentialName,
    generation: &Generation,
    id: &KeyId,
    member: &Member,
) -> Result<PlannedKey, UnlockError> {
    let file = match generation.by_files() {
        false => None,
        true => Some(intact(kit, name, generation, &share_name(&member.chain))?),
    };
    let envelope =
        kit.envelope_for(generation, id).map_err(|unknown| UnlockError::Damage(unknown.to_string()))?;
    let fido2 = envelope
        .zip(member.enrolled.fido2.as_deref())
        .map(|(envelope, enrolled)| Fido2Asked { enrolled: enrolled.clone(), salt: envelope.salt.0 });
    let serial = member.enrolled.serial;
    let there = kit.whereabouts(id, serial);
    Ok(PlannedKey {
        serial,
        id: *id,
        place: there.place,
        bag: there.bag,
        out: there.out.map(|out| out.person),
        puk: kit.policy.place(serial).and_then(|p| p.puk.as_ref()).map(ToString::to_string),
        proven: kit.credentials.get(name).is_some_and(|c| c.proven(generation.number, id)),
        file,
        fido2,
    })
}
