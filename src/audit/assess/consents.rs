//! What each opening rests on beside the operator's word, weighed by the policy that it was judged by.

use std::collections::{BTreeSet, HashMap};

use super::case::Case;
use super::facts::Intent;
use crate::audit::assessment::{Incident, Opening};
use crate::audit::time::{At, TOLERANCE};
use crate::kit::consent::{self, Given, Judged};
use crate::kit::name::CredentialName;
use crate::kit::policy::Policy;
use crate::record::event::Consent;
use crate::record::hash::Hash;

/// An opening with what its approvals come to.
#[derive(Debug)]
pub struct Weighed {
    /// Its first intent.
    pub at: At,
    /// The incident.
    pub incident: String,
    /// `core-db/root generation 2, opened by ada`.
    pub what: String,
    /// What it names.
    pub consent: Consent,
    /// What the approvals come to that the ledger has.
    pub judged: Judged,
    /// Approvals that it names and the ledger has not, or not of a key that belongs.
    pub lacking: Vec<Hash>,
    /// Whether it came to an outcome, or as many keys signed for it as the credential takes.
    pub spent: bool,
}

/// Every opening that a policy asks an approval for, or that names one.
pub(super) fn consents(case: &Case, incidents: &[Incident]) -> Vec<Weighed> {
    let by_hash: HashMap<Hash, &Intent> =
        case.intents.iter().map(|intent| (case.hash(intent.at), intent)).collect();
    let openings = incidents.iter().flat_map(|incident| &incident.openings);
    openings.filter_map(|opening| weighed(case, &by_hash, opening)).collect()
}

fn weighed(case: &Case, by_hash: &HashMap<Hash, &Intent>, opening: &Opening) -> Option<Weighed> {
    let intents = opening.intents.iter().filter_map(|place| by_hash.get(&place.hash).copied());
    let first = intents.min_by_key(|intent| (case.claimed(intent.at), intent.at))?;
    let policy = judged_by(case, first.at)?;
    let credential: Option<CredentialName> = opening.credential.parse().ok();
    let asked = credential.map_or(0, |name| policy.terms(&name).approval.number());
    if asked == 0 && first.consent.is_none() {
        return None;
    }
    let consent = first.consent.as_deref().cloned().unwrap_or_default();
    let known = |hash: &&Hash| case.approvals.get(hash).is_some_and(|(at, _)| case.belongs(*at));
    let (found, lacking): (Vec<&Hash>, Vec<&Hash>) = consent.approvals.iter().partition(known);
    let given: Vec<Given<'_>> =
        found.into_iter().filter_map(|hash| Given::of(&case.approvals.get(hash)?.1)).collect();
    let told = consent::Opening {
        credential: &opening.credential,
        generation: opening.generation,
        operator: &opening.operator,
        emergency: &opening.emergency,
        incident: &opening.incident,
        // Clocks of two machines differ by so much, and nobody meant anything by it.
        at: case.claimed(first.at).saturating_sub(TOLERANCE),
        policy: policy.hash,
        request: consent.request,
    };
    let judged = consent::judge(policy, &told, &given);
    Some(Weighed {
        at: first.at,
        incident: opening.incident.clone(),
        what: format!(
            "{} generation {}, opened by {}",
            opening.credential, opening.generation, opening.operator
        ),
        spent: opening.released.is_some() || keys(opening) >= threshold(case, opening),
        lacking: lacking.into_iter().copied().collect(),
        consent,
        judged,
    })
}

fn keys(opening: &Opening) -> usize {
    opening.intents.iter().map(|place| &place.chain).collect::<BTreeSet<_>>().len()
}

fn threshold(case: &Case, opening: &Opening) -> usize {
    let credential = opening.credential.parse().ok().and_then(|name| case.credentials.get(&name));
    let generation =
        credential.and_then(|it| it.generations.iter().find(|one| one.number == opening.generation));
    generation.map_or(1, |generation| usize::from(generation.facts.threshold))
}

/// The policy that an intent was judged by: the one it names, if that ever was in force; else the one that is.
pub fn judged_by(case: &Case, at: At) -> Option<&Policy> {
    let roster = case.roster.as_ref().ok()?;
    let named = case.policy_of(at).filter(|named| roster.policies.iter().any(|(hash, _)| hash == named));
    case.policies.get(&named.unwrap_or(roster.policy))
}
