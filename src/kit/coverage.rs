//! Lose this key or this place, and these credentials die: arithmetic over the roster and what is sealed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::attestation::Serial;
use crate::kit::Kit;
use crate::kit::name::CredentialName;
use crate::kit::roster::Standing;

/// Which keys open which credential, and what is lost with each place.
#[derive(Debug, Clone, Serialize)]
pub struct Coverage {
    /// Admitted keys and where they lie.
    pub keys: Vec<KeyColumn>,
    /// Every credential's current generation.
    pub credentials: Vec<Row>,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyColumn {
    /// Which.
    pub serial: Serial,
    /// Where it lies, or belongs while it is out; empty if neither a check-in nor the policy says.
    pub place: String,
}

/// One credential.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// `platform/account`.
    pub credential: String,
    /// Which generation.
    pub generation: u64,
    /// How many keys are needed.
    pub threshold: u8,
    /// What each admitted key means for it.
    pub keys: BTreeMap<String, Means>,
    /// Places without which it does not open any more.
    pub dies_without: Vec<String>,
    /// Keys of which each is indispensable.
    pub dies_with: Vec<Serial>,
    /// Keys of its record that belong no more.
    pub lost: usize,
}

impl Row {
    /// How many admitted keys it is sealed to.
    pub fn able(&self) -> usize {
        self.keys.values().filter(|means| **means != Means::No).count()
    }
}

/// What a key means for a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Means {
    /// It has opened this generation, or would have in a drill.
    Proven,
    /// Sealed for it, never tried.
    NotYet,
    /// Not sealed for it.
    No,
}

/// Works it out for the current generation of every credential.
pub fn coverage(kit: &Kit) -> Coverage {
    let admitted: Vec<_> =
        kit.enrolled_keys().into_iter().filter(|key| key.standing == Standing::Admitted).collect();
    let places: BTreeMap<Serial, String> = admitted
        .iter()
        .map(|key| (key.facts.serial, kit.whereabouts(&key.id, key.facts.serial).place))
        .collect();
    let place_of = |serial: Serial| places.get(&serial).cloned().unwrap_or_default();
    let keys: Vec<KeyColumn> = admitted
        .iter()
        .map(|key| KeyColumn { serial: key.facts.serial, place: place_of(key.facts.serial) })
        .collect();
    let row = |(name, credential): (&CredentialName, &crate::kit::credentials::Credential)| {
        let generation = credential.current().or(credential.pending())?;
        let recipients = &generation.facts.recipients;
        let able: Vec<_> = admitted.iter().filter(|key| recipients.contains(&key.id)).collect();
        let needed = usize::from(generation.facts.threshold);
        let places: BTreeSet<String> =
            able.iter().map(|key| place_of(key.facts.serial)).filter(|place| !place.is_empty()).collect();
        let without = |place: &String| able.iter().filter(|key| place_of(key.facts.serial) != *place).count();
        let means = admitted
            .iter()
            .map(|key| {
                let means =
                    match (recipients.contains(&key.id), credential.proven(generation.number, &key.id)) {
                        (false, _) => Means::No,
                        (true, true) => Means::Proven,
                        (true, false) => Means::NotYet,
                    };
                (key.facts.serial.to_string(), means)
            })
            .collect();
        Some(Row {
            credential: name.to_string(),
            generation: generation.number,
            threshold: generation.facts.threshold,
            keys: means,
            dies_without: places.iter().filter(|place| without(place) < needed).cloned().collect(),
            dies_with: match able.len() <= needed {
                true => able.iter().map(|key| key.facts.serial).collect(),
                false => Vec::new(),
            },
            lost: recipients.len() - able.len(),
        })
    };
    Coverage { credentials: kit.credentials.iter().filter_map(row).collect(), keys }
}
