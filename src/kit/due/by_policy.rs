//! What the policy gives a term to, and what it asks of each platform.

use std::collections::{BTreeMap, BTreeSet};

use crate::kit::Kit;
use crate::kit::finding::Finding;
use crate::kit::name::{CredentialName, Name};

/// Sealings that are older than the policy lets them be without a review. A credential never expires by itself.
pub(super) fn reviews(kit: &Kit, now: i64) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, credential) in &kit.credentials {
        let Some(generation) = credential.current() else { continue };
        let every = kit.policy.terms(name).review_every;
        let until = generation.sealed_at.saturating_add(every.seconds());
        if until <= now {
            let text = format!(
                "review {name}, generation {}: it was sealed more than {every} ago. is it still right, and still needed?",
                generation.number
            );
            let next = format!("breakglass rotate {name}   seals it anew");
            findings.push(Finding::due("REVIEW-DUE", text, next).since(until));
        }
    }
    findings
}

/// When the last grant for this incident ends, in Unix seconds: that of its newest opening, by what the policy says of the
/// credential.
fn granted_until(kit: &Kit, incident: &str) -> Option<i64> {
    let of_it = kit.credentials.iter().flat_map(|(name, credential)| {
        let grant = kit.policy.terms(name).grant.seconds();
        let openings = credential.openings.iter().filter(|opening| opening.incident == incident);
        openings.map(move |opening| opening.at.saturating_add(grant))
    });
    of_it.max()
}

/// That an open incident is past its grant, to follow the sentence about it.
pub(super) fn past_grant(kit: &Kit, incident: &str, now: i64) -> String {
    match granted_until(kit, incident) {
        Some(until) if until <= now => format!(", and its grant ended {} ago", about(now - until)),
        _ => String::new(),
    }
}

/// `5 minutes`, `3 hours`, `12 days`: as exact as anybody wants it.
fn about(seconds: i64) -> String {
    let (number, unit) = match seconds {
        ..3600 => (seconds / 60, "minute"),
        3600..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// Platforms without a primary and a backup credential. Due of those that the policy names, unless it waives the backup; of
/// others that have something sealed, it is told that the policy says nothing.
pub(super) fn backups(kit: &Kit) -> Vec<Finding> {
    let mut sealed: BTreeMap<&Name, Vec<&CredentialName>> = BTreeMap::new();
    for name in kit.credentials.keys() {
        sealed.entry(&name.platform).or_default().push(name);
    }
    // Before anything is sealed there is nothing to say of what is not.
    let named = kit.policy.platforms.iter().map(|one| &one.name).filter(|_| kit.roster.is_some());
    let all: BTreeSet<&Name> = named.chain(sealed.keys().copied()).collect();
    let backup = |platform| match (sealed.get(platform).map(Vec::as_slice), kit.policy.platform(platform)) {
        (None | Some([]), _) => Some(Finding::due(
            "PLATFORM-NO-BACKUP",
            format!("{platform} is in the policy, and no credential of it is sealed"),
            format!("breakglass seal {platform}/ACCOUNT"),
        )),
        (Some([one]), Some(known)) if known.backup_waived.is_none() => Some(Finding::due(
            "PLATFORM-NO-BACKUP",
            format!("{platform} has no backup credential beside {one}"),
            format!("breakglass seal {platform}/ANOTHER   or  backup-waived = \"why\"  in kit.toml"),
        )),
        (Some([one]), None) => Some(Finding::note(
            "PLATFORM-NO-BACKUP",
            format!(
                "{platform} has no backup credential beside {one}; the policy says nothing of {platform}"
            ),
        )),
        _ => None,
    };
    all.into_iter().filter_map(backup).collect()
}

#[cfg(test)]
mod tests;
