//! Drills: when each key has to prove again that it would open what is sealed to it, and those that came to no end.

use crate::kit::Kit;
use crate::kit::credentials::{Credential, Generation};
use crate::kit::finding::Finding;
use crate::kit::name::CredentialName;
use crate::kit::policy::Policy;
use crate::kit::roster::Standing;
use crate::record::hash::KeyId;

/// When a drill of that key is due: so long after the last opening or proven drill of that generation with it, or after it
/// was sealed. Unix seconds, as far as the records' clocks are to be believed.
pub fn due_at(policy: &Policy, credential: &Credential, generation: &Generation, key: &KeyId) -> i64 {
    next(policy, credential.last_proof(generation.number, key).unwrap_or(generation.sealed_at))
}

/// When the next drill is due after a proof at that time.
pub fn next(policy: &Policy, proof: i64) -> i64 {
    proof.saturating_add(i64::from(policy.drill_days) * 86_400)
}

/// Drills that are due: of each current generation, with each admitted key that it is sealed to.
pub fn overdue(kit: &Kit, now: i64) -> Vec<Finding> {
    let mut findings = Vec::new();
    let keys = kit.enrolled_keys();
    for (name, credential) in &kit.credentials {
        let Some(generation) = credential.current() else { continue };
        let admitted = keys.iter().filter(|key| key.standing == Standing::Admitted);
        for key in admitted.filter(|key| generation.facts.recipients.contains(&key.id)) {
            let at = due_at(&kit.policy, credential, generation, &key.id);
            if at <= now {
                let serial = key.facts.serial;
                let text = format!("drill {name} with {serial}");
                let next = format!("breakglass drill {name} --key {serial}");
                findings.push(Finding::due("DRILL-DUE", text, next).since(at));
            }
        }
    }
    findings
}

/// Drills that were begun and of which no record tells the end, unless the key has proven itself since.
pub fn unended(kit: &Kit) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, credential) in &kit.credentials {
        for drill in credential.drills.iter().filter(|drill| drill.ended.is_none()) {
            if credential.last_proof(drill.generation, &drill.key).is_some_and(|at| at >= drill.at) {
                continue;
            }
            let serial =
                kit.key(&drill.key).map_or(String::new(), |key| format!(" with {}", key.facts.serial));
            let text = format!(
                "{name}, generation {}: {} began a drill{serial}, and no record tells the end: it proves nothing, and opened nothing",
                drill.generation, drill.operator
            );
            findings
                .push(Finding::note("DRILL-NO-END", text).since(drill.at).then(again(kit, name, &drill.key)));
        }
    }
    findings
}

fn again(kit: &Kit, name: &CredentialName, key: &KeyId) -> String {
    match kit.key(key) {
        Some(key) => format!("breakglass drill {name} --key {}", key.facts.serial),
        None => format!("breakglass drill {name}"),
    }
}
