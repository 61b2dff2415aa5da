//! Envelopes that were used twice, and texts for `fido2-assert` that do not say what the records say.

use std::collections::BTreeMap;

use super::MERGE;
use crate::kit::credentials::Generation;
use crate::kit::fido2::Fido2Side;
use crate::kit::finding::Finding;
use crate::kit::name::CredentialName;
use crate::kit::sealed::{Outer, sidecar_name};
use crate::kit::{Kit, KitError, SealedFile};
use crate::record::hash::KeyId;

/// Envelopes that more than one generation is sealed to. A pool that was empty never stops a rotation: it shows here.
pub fn reused(kit: &Kit) -> Vec<Finding> {
    let mut findings = Vec::new();
    for key in kit.enrolled_keys() {
        let Some(side) = kit.fido2(&key.id) else { continue };
        for pooled in side.reused() {
            let what: Vec<String> = pooled
                .used
                .iter()
                .map(|(name, generation)| format!("{name}, generation {generation}"))
                .collect();
            let text = format!(
                "key {}: one FIDO2 envelope for {}: what it answers for one of them opens that layer of all",
                key.facts.serial,
                what.join("; ")
            );
            findings.push(Finding::note("ENVELOPE-REUSED", text));
        }
    }
    findings
}

/// The FIDO2 side of each key, read once: it takes the whole journal.
pub(super) struct Sides(BTreeMap<KeyId, Fido2Side>);

impl Sides {
    pub(super) fn of(kit: &Kit) -> Self {
        let keys = kit.enrolled_keys().into_iter();
        Sides(keys.filter_map(|key| Some((key.id, kit.fido2(&key.id)?))).collect())
    }
}

/// The text beside each nested file of a generation, against the roster.
pub(super) fn sidecars(
    kit: &Kit,
    sides: &Sides,
    name: &CredentialName,
    generation: &Generation,
) -> Result<Vec<Finding>, KitError> {
    let mut findings = Vec::new();
    for id in &generation.facts.recipients {
        let (Some(_), Some(key)) = (generation.envelope_of(id), kit.key(id)) else { continue };
        let file = sidecar_name(&key.chain);
        let side = sides.0.get(id);
        let outer = match (generation.envelope_at(side, key.facts.serial, id), side) {
            (Ok(Some(envelope)), Some(Fido2Side { facts, .. })) => {
                Outer { envelope, credential: facts.credential.clone() }
            }
            (Err(unknown), _) => {
                let text = format!("{name}: {unknown}");
                findings.push(Finding::not_checked("ENVELOPE-UNKNOWN", text).then(MERGE));
                continue;
            }
            _ => continue,
        };
        let of = format!("{name}, generation {}", generation.number);
        if !generation.facts.files.contains_key(&file) {
            let text = format!("{of}: no record names {file}, without which stock tools cannot ask the key");
            findings.push(Finding::wrong("SEALED-SIDECAR", text));
        } else if let Ok(SealedFile::Intact(bytes)) = kit.sealed_file(name, generation, &file)
            && let Err(error) = outer.check_sidecar(&bytes)
        {
            findings.push(Finding::wrong("SEALED-SIDECAR", format!("{of}: {file}: {error}")));
        }
    }
    Ok(findings)
}
