//! What is sealed, and whether what was opened is still in force.

use super::case::Case;
use crate::attestation::Serial;
use crate::audit::assessment::CredentialState;
use crate::kit::roster::Member;
use crate::record::hash::KeyId;

/// Every credential, by name.
pub(super) fn credentials(case: &Case) -> Vec<CredentialState> {
    let mut used = std::collections::BTreeSet::new();
    for intent in case.intents.iter().filter(|intent| case.belongs(intent.at)) {
        used.insert((case.names.get(intent.credential), intent.generation));
    }
    let serial = |key: &KeyId| -> Option<Serial> {
        let member: &Member = case.roster.as_ref().ok()?.keys.get(key)?;
        Some(member.enrolled.serial)
    };
    case.credentials
        .iter()
        .map(|(name, credential)| {
            let name = name.to_string();
            // Before the first confirmation there is only what is pending.
            let current = credential.current();
            let shown = current.or(credential.generations.last());
            CredentialState {
                generation: current.map(|generation| generation.number),
                sealed: shown.and_then(|it| case.sealed_at.get(&it.record)).map(|at| case.place(*at)),
                threshold: shown.map_or(0, |it| it.facts.threshold),
                factors: shown.map(|it| it.facts.factors.clone()).unwrap_or_default(),
                keys: shown
                    .map(|it| it.facts.recipients.iter().filter_map(serial).collect())
                    .unwrap_or_default(),
                rotation_due: current.is_some_and(|current| used.contains(&(name.as_str(), current.number))),
                name,
            }
        })
        .collect()
}
