//! Writes one generation of a credential into the kit: files whole and durable first, then the record that names them.

use std::collections::BTreeMap;

use crate::attestation::Serial;
use crate::kit::credentials::List;
use crate::kit::fido2::{FIDO2, PIV};
use crate::kit::name::CredentialName;
use crate::kit::policy::Factors;
use crate::kit::sealed::{About, Outer, SealError, SealTo, Sealed, seal};
use crate::kit::{Enrolled, Kit, KitError};
use crate::record::event::{CredentialSealed, EnvelopeId, Event};
use crate::record::hash::{Hash, KeyId};
use crate::secret::Plaintext;

/// So many recipients stand in the record itself; of more, only the hash of the list.
const IN_RECORD: usize = 6;

/// So many where FIDO2 is asked for: each key has two files then, and an envelope.
const IN_RECORD_FIDO2: usize = 3;

/// What is to be sealed.
pub struct Order<'a> {
    /// Which credential.
    pub name: &'a CredentialName,
    /// Which sealing of it.
    pub generation: u64,
    /// Made by `rotate`: current only once confirmed.
    pub pending: bool,
    /// The secret.
    pub secret: &'a Plaintext,
    /// What lies beside it in the open.
    pub about: &'a About,
    /// Keys to seal to.
    pub recipients: &'a [Enrolled],
    /// How many of them are needed.
    pub threshold: u8,
    /// What opening asks of each key.
    pub factors: Factors,
}

/// Why nothing was sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealingError {
    /// The envelope.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The public description.
    #[error(transparent)]
    About(#[from] crate::kit::sealed::AboutError),
    /// The kit's folder.
    #[error(transparent)]
    Kit(#[from] KitError),
    /// FIDO2 was asked for, and these keys have none.
    #[error("sealing to FIDO2 was asked for, and {} enrolled without it", match &.0[..] {
        [one] => format!("{one} is"),
        more => format!("{} are", more.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    })]
    WithoutFido2(Vec<Serial>),
}

/// The FIDO2 side of a key that a generation is sealed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Envelope and credential.
    pub outer: Outer,
    /// The envelope's short name.
    pub id: EnvelopeId,
    /// How many generations were sealed to that envelope before: 0 while there are unused ones.
    pub before: usize,
}

/// What opening will ask of each of these keys: `None` is PIV alone.
///
/// # Errors
/// [`SealingError::WithoutFido2`], where the factors ask for what a key does not have.
pub fn choose(
    kit: &Kit,
    recipients: &[Enrolled],
    factors: Factors,
) -> Result<Vec<Option<Chosen>>, SealingError> {
    let choose = |key: &Enrolled| {
        let side = kit.fido2(&key.id).filter(|_| factors != Factors::Piv)?;
        let next = side.next_envelope();
        let outer = Outer { envelope: next.envelope.clone(), credential: side.facts.credential.clone() };
        Some(Chosen { outer, id: next.id, before: next.used.len() })
    };
    let chosen: Vec<Option<Chosen>> = recipients.iter().map(choose).collect();
    let without = recipients.iter().zip(&chosen).filter(|(_, chosen)| chosen.is_none());
    let without: Vec<Serial> = without.map(|(key, _)| key.facts.serial).collect();
    match factors == Factors::Both && !without.is_empty() {
        true => Err(SealingError::WithoutFido2(without)),
        false => Ok(chosen),
    }
}

/// Seals, writes every file, and gives the event that names them and what was shown of them. No FIDO2 side is asked.
pub fn write(
    kit: &Kit,
    order: &Order,
    rng: &mut dyn rand_core::CryptoRng,
) -> Result<(Event, Sealed), SealingError> {
    let chosen = choose(kit, order.recipients, order.factors)?;
    let nested = chosen.iter().any(Option::is_some);
    let to: Vec<SealTo> = order
        .recipients
        .iter()
        .zip(&chosen)
        .map(|(key, chosen)| SealTo {
            name: key.chain.clone(),
            point: key.facts.sealing.0,
            fido2: chosen.as_ref().map(|chosen| chosen.outer.clone()),
        })
        .collect();
    let sealed = seal(order.secret, &to, order.threshold, rng)?;
    let payload = sealed.files.first().map(|file| Hash::of(&file.bytes)).unwrap_or(Hash([0; 32]));
    let folder = format!("{}-{}", order.generation, payload.short());
    let below = format!("sealed/{}/{}/{folder}", order.name.platform, order.name.account);
    let mut files = BTreeMap::new();
    let mut put = |name: &str, bytes: &[u8]| -> Result<(), SealingError> {
        kit.folder.write_new(&format!("{below}/{name}"), bytes).map_err(KitError::from)?;
        files.insert(name.to_owned(), Hash::of(bytes));
        Ok(())
    };
    put("about.toml", order.about.write()?.as_bytes())?;
    for file in &sealed.files {
        put(&file.name, &file.bytes)?;
    }
    let recipients: Vec<KeyId> = order.recipients.iter().map(|key| key.id).collect();
    let mut facts = CredentialSealed {
        credential: order.name.to_string(),
        generation: order.generation,
        pending: order.pending,
        threshold: order.threshold,
        factors: if nested { vec![PIV.into(), FIDO2.into()] } else { vec![PIV.into()] },
        folder,
        recipients,
        envelopes: match nested {
            true => chosen.iter().map(|chosen| chosen.as_ref().map(|chosen| chosen.id)).collect(),
            false => Vec::new(),
        },
        files,
        list: None,
    };
    if facts.recipients.len() > if nested { IN_RECORD_FIDO2 } else { IN_RECORD } {
        let list = List {
            recipients: std::mem::take(&mut facts.recipients),
            envelopes: std::mem::take(&mut facts.envelopes),
            files: std::mem::take(&mut facts.files),
        };
        let bytes = serde_json::to_vec_pretty(&list).unwrap_or_default();
        kit.folder.write_new(&format!("{below}/list.json"), &bytes).map_err(KitError::from)?;
        facts.files.insert("list.json".into(), Hash::of(&bytes));
        facts.list = Some(Hash::of(&bytes));
    }
    Ok((Event::CredentialSealed(facts), sealed))
}
