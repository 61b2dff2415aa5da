//! Writes one generation of a credential into the kit: files whole and durable first, then the record that names them.

use std::collections::BTreeMap;

use crate::kit::credentials::List;
use crate::kit::name::CredentialName;
use crate::kit::sealed::{About, SealError, SealTo, Sealed, seal};
use crate::kit::{Enrolled, Kit, KitError};
use crate::record::event::{CredentialSealed, Event};
use crate::record::hash::{Hash, KeyId};
use crate::secret::Plaintext;

/// So many recipients stand in the record itself; of more, only the hash of the list.
const IN_RECORD: usize = 6;

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
}

/// Seals, writes every file, and gives the event that names them and what was shown of them.
pub fn write(
    kit: &Kit,
    order: &Order,
    rng: &mut dyn rand_core::CryptoRng,
) -> Result<(Event, Sealed), SealingError> {
    let to: Vec<SealTo> = order
        .recipients
        .iter()
        .map(|key| SealTo { name: key.chain.clone(), point: key.facts.sealing.0 })
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
        factors: vec!["piv".into()],
        folder,
        recipients,
        envelopes: vec![],
        files,
        list: None,
    };
    if facts.recipients.len() > IN_RECORD {
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
