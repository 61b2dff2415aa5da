//! What has to be given another secret: it was opened, or could have been, or is not finished.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::assess::{Case, Told};
use crate::audit::assessment::Place;
use crate::audit::finding::{Finding, Severity, Sort};
use crate::kit::name::CredentialName;
use crate::kit::roster::Standing;
use crate::record::hash::Hash;

/// A credential that was opened and is still the one in force. Nothing, where the policy in force waives its rotation.
pub(super) fn rotate_used(_: &Case, told: &Told) -> Vec<Finding> {
    let mut uses: BTreeMap<&str, Uses<'_>> = BTreeMap::new();
    for incident in &told.incidents {
        for opening in &incident.openings {
            let credential = told.credentials.iter().find(|it| it.name == opening.credential);
            let current = credential.filter(|it| it.rotation_due).and_then(|it| it.generation);
            let Some(released) = opening.released.as_ref().filter(|_| current == Some(opening.generation))
            else {
                continue;
            };
            let uses = uses.entry(&opening.credential).or_insert_with(|| Uses::new(released));
            uses.incidents.insert(&incident.name);
            uses.records.push(released.hash);
            uses.first = uses.first.min(released.time.claimed);
        }
    }
    let used = uses.into_iter().map(|(name, uses)| {
        let text = format!("{name} was opened for {} and not rotated since", uses.named());
        uses.told(Finding::new("ROTATE-USED", Sort::Due, Severity::High, text))
            .then(format!("breakglass rotate {name}"))
    });
    used.collect()
}

/// A credential that the keys which were used for another could have opened, too, and that is still the one in force.
pub(super) fn rotate_exposed(case: &Case, told: &Told) -> Vec<Finding> {
    let mut uses: BTreeMap<&str, Uses<'_>> = BTreeMap::new();
    for incident in &told.incidents {
        for debt in incident.debts.iter().filter(|debt| debt.done.is_none()) {
            let Some(name) = &debt.exposed else { continue };
            let intents = || incident.openings.iter().flat_map(|opening| &opening.intents);
            let Some(first) = intents().min_by_key(|place| place.time.claimed) else { continue };
            let uses = uses.entry(name).or_insert_with(|| Uses::new(first));
            uses.incidents.insert(&incident.name);
            uses.records.extend(intents().map(|place| place.hash));
            uses.first = uses.first.min(first.time.claimed);
        }
    }
    let exposed = uses.into_iter().map(|(name, uses)| {
        let text = format!(
            "the keys used for {} could have opened {name}, too, and it was not rotated since",
            uses.named()
        );
        uses.told(Finding::new("ROTATE-EXPOSED", Sort::Due, Severity::Medium, text))
            .then(format!("breakglass rotate {name}"))
    });
    let mut findings: Vec<Finding> = exposed.collect();
    let opened = told.incidents.iter().any(|incident| !incident.openings.is_empty());
    if opened {
        let what =
            |name: &CredentialName| format!("whether the keys that were used could have opened {name}, too,");
        findings.extend(untold(case, "ROTATE-EXPOSED", what));
    }
    findings
}

/// Of each credential in force whose recipients are in a list beside the record, which the ledger has not: that it cannot be told
/// whether what is asked of it is so.
fn untold(
    case: &Case,
    rule: &'static str,
    whether: impl Fn(&CredentialName) -> String,
) -> impl Iterator<Item = Finding> {
    let current =
        case.credentials.iter().filter_map(|(name, credential)| Some((name, credential.current()?)));
    current.filter(|(_, current)| current.facts.list.is_some()).map(move |(name, current)| {
        let text = format!("{} cannot be told: the list of its recipients is with the kit", whether(name));
        Finding::new(rule, Sort::CannotCheck, Severity::Low, text)
            .on([current.record])
            .at(current.sealed_at)
            .then("breakglass status   at the kit")
    })
}

/// The incidents that a rotation is owed for.
struct Uses<'a> {
    incidents: BTreeSet<&'a str>,
    records: Vec<Hash>,
    first: i64,
}

impl Uses<'_> {
    fn new(first: &Place) -> Self {
        Uses { incidents: BTreeSet::new(), records: Vec::new(), first: first.time.claimed }
    }

    /// The first of their names, and how many more.
    fn named(&self) -> String {
        let some: Vec<&str> = self.incidents.iter().take(5).copied().collect();
        let more = self.incidents.len().saturating_sub(some.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", some.join(", "))
    }

    /// The finding as one about them.
    fn told(self, finding: Finding) -> Finding {
        let finding = match self.incidents.first() {
            Some(one) if self.incidents.len() == 1 => finding.in_incident(*one),
            _ => finding,
        };
        finding.on(self.records).at(self.first)
    }
}

/// A rotation that was begun and not confirmed.
pub(super) fn rotate_pending(case: &Case, _: &Told) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, credential) in &case.credentials {
        let Some(pending) = credential.pending() else { continue };
        let text = format!(
            "{name}, generation {}, is sealed and not confirmed: which secret is in force on the platform is not on record",
            pending.number
        );
        findings.push(
            Finding::new("ROTATE-PENDING", Sort::Due, Severity::Medium, text)
                .on([pending.record])
                .at(pending.sealed_at)
                .then(format!("breakglass rotate {name} --confirm-pending")),
        );
    }
    findings
}

/// A credential that is still sealed to a key which was retired.
pub(super) fn rotate_retired(case: &Case, _: &Told) -> Vec<Finding> {
    let Ok(roster) = &case.roster else { return Vec::new() };
    let mut findings = Vec::new();
    if roster.keys.values().any(|member| matches!(member.standing, Standing::Retired { .. })) {
        let what =
            |name: &CredentialName| format!("whether {name} is still sealed to a key that was retired");
        findings.extend(untold(case, "ROTATE-RETIRED", what));
    }
    for (name, credential) in &case.credentials {
        let Some(current) = credential.current() else { continue };
        let members = current.facts.recipients.iter().filter_map(|key| roster.keys.get(key));
        let lost: Vec<String> = members
            .filter(|member| matches!(member.standing, Standing::Retired { .. }))
            .map(|member| member.enrolled.serial.to_string())
            .collect();
        if lost.is_empty() {
            continue;
        }
        let text = format!("{name} is still sealed to {}, which was retired", lost.join(", "));
        findings.push(
            Finding::new("ROTATE-RETIRED", Sort::Due, Severity::High, text)
                .on([current.record])
                .at(current.sealed_at)
                .then(format!("breakglass rotate {name}")),
        );
    }
    findings
}
