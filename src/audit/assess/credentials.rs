//! What is sealed, and whether what was opened is still in force.

use super::case::Case;
use crate::attestation::Serial;
use crate::audit::assessment::CredentialState;
use crate::kit::policy::Rotation;
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
                rotation_due: !waived(case, &name)
                    && current.is_some_and(|current| used.contains(&(name.as_str(), current.number))),
                name,
            }
        })
        .collect()
}

/// Whether the policy in force does not have that credential rotated after use.
pub(super) fn waived(case: &Case, name: &str) -> bool {
    let policy = case.roster.as_ref().ok().and_then(|roster| case.policies.get(&roster.policy));
    let terms = policy.zip(name.parse().ok()).map(|(policy, name)| policy.terms(&name));
    terms.is_some_and(|terms| matches!(terms.rotation, Rotation::Waived(_)))
}
