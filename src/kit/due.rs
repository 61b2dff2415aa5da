//! What a kit leaves to be done, by what its records say. Each says since when, as far as a record claims it. The time is an
//! argument: only what the policy gives a term to becomes due by waiting.

use std::collections::BTreeSet;

use crate::attestation::Serial;
use crate::kit::coverage::{Coverage, coverage};
use crate::kit::debts;
use crate::kit::drills;
use crate::kit::finding::Finding;
use crate::kit::incidents::incidents;
use crate::kit::name::CredentialName;
use crate::kit::policy::{Kind, PolicyError, Rotation};
use crate::kit::roster::{Change, Roster, Standing};
use crate::kit::{Draft, Kit, change, check, custody};

mod by_policy;
mod left;

/// Everything that is due at the time `now`, in Unix seconds; then what has not been shown yet, as notes.
pub fn due(kit: &Kit, now: i64) -> Vec<Finding> {
    let mut findings: Vec<Finding> = draft(kit).into_iter().collect();
    match &kit.roster {
        Some(roster) => findings.extend(changes(kit, roster)),
        None => findings.push(Finding::due(
            "KIT-NOT-FOUNDED",
            "the kit is not founded: it has no key yet".into(),
            "breakglass key provision   then   breakglass key admit SERIAL".into(),
        )),
    }
    for name in kit.credentials.keys() {
        findings.extend(rotation(kit, name));
    }
    findings.extend(change::unfinished(kit));
    findings.extend(unclosed(kit, now));
    findings.extend(left::left(kit));
    findings.extend(by_policy::reviews(kit, now));
    findings.extend(by_policy::backups(kit));
    findings.extend(unknown_to_servers(kit));
    findings.extend(check::intents(kit));
    findings.extend(check::reused(kit));
    findings.extend(custody::findings(kit));
    let coverage = coverage(kit);
    findings.extend(dying(&coverage));
    findings.extend(places(&coverage));
    findings.extend(drills::unended(kit));
    findings.extend(drills::overdue(kit, now));
    findings.extend(unproven(kit, now));
    findings.sort_by_key(|finding| finding.weight);
    findings
}

/// Keys of which no server can be told to trust them, where the policy lets client certificates be minted.
fn unknown_to_servers(kit: &Kit) -> Vec<Finding> {
    if !kit.policy.mint_rules.iter().any(|rule| rule.says.kind() == Kind::X509) {
        return Vec::new();
    }
    let told = |serial: Serial| {
        let text = format!(
            "key {serial} mints client certificates that no server can trust: it has not signed its own"
        );
        Finding::due("AUTHORITY-MISSING", text, format!("breakglass trust authority --key {serial}"))
    };
    kit.lacking_authority().into_iter().map(told).collect()
}

/// How `kit.toml` stands to the policy in force.
fn draft(kit: &Kit) -> Option<Finding> {
    let (text, next) = match &kit.draft {
        Draft::Same => return None,
        Draft::Differs(_) => (
            "kit.toml is not the policy in force: it was edited and has no effect until it is adopted"
                .to_owned(),
            "breakglass policy check   then   breakglass policy adopt".to_owned(),
        ),
        Draft::Broken(error) => (
            format!("kit.toml cannot be read as a policy ({}); the policy in force stands", brief(error)),
            "mend kit.toml, then  breakglass policy check".to_owned(),
        ),
        Draft::Missing => {
            let at = |path: &str| debts::quoted(&kit.folder.root().join(path).display().to_string());
            (
                "kit.toml is missing; the policy in force stands".to_owned(),
                format!("cp {} {}", at(&crate::kit::policy_path(&kit.policy.hash)), at("kit.toml")),
            )
        }
    };
    Some(Finding::due("POLICY-DRAFT", text, next))
}

/// Where it is and what is wrong, without the lines of the file between.
fn brief(error: &PolicyError) -> String {
    let text = error.to_string();
    let mut lines = text.lines();
    let ends = [lines.next(), lines.next_back()];
    ends.into_iter().flatten().collect::<Vec<_>>().join(": ")
}

/// Changes that lack signatures, and keys that wait to be admitted.
fn changes(kit: &Kit, roster: &Roster) -> Vec<Finding> {
    let serial_of = |id| roster.keys.get(id).map(|member| member.enrolled.serial);
    let mut findings = Vec::new();
    let mut asked: BTreeSet<Serial> = BTreeSet::new();
    for pending in &roster.pending {
        let subject =
            |key| serial_of(key).map_or_else(|| "an unknown key".to_owned(), |serial| serial.to_string());
        let (what, next) = match &pending.change {
            Change::Admit { key, .. } => {
                asked.extend(serial_of(key));
                (format!("admit {}", subject(key)), format!("breakglass key admit {}", subject(key)))
            }
            Change::Retire { key, .. } => (
                format!("retire {}", subject(key)),
                format!("breakglass key retire {} --why …", subject(key)),
            ),
            Change::Adopt { policy } => {
                (format!("adopt policy {}", policy.short()), "breakglass policy adopt".to_owned())
            }
        };
        let signers: Vec<String> = pending.signers.iter().map(subject).collect();
        let text = format!(
            "{what}: {} of {} signatures ({}){}",
            signers.len(),
            pending.needs,
            signers.join(", "),
            pending.wanting.beside_the_count()
        );
        findings.push(Finding::due("CHANGE-PENDING", text, format!("{next} --with ANOTHER")));
    }
    for key in kit.enrolled_keys() {
        let serial = key.facts.serial;
        match key.standing {
            Standing::Enrolled if asked.insert(serial) => findings.push(Finding::due(
                "KEY-NOT-ADMITTED",
                format!("key {serial} is enrolled and not admitted"),
                format!("breakglass key admit {serial}"),
            )),
            Standing::Frozen => findings.push(Finding::due(
                "KEY-FROZEN",
                format!("key {serial} is frozen: it and another key have retired each other"),
                format!("breakglass key admit {serial}   or   breakglass key retire {serial} --why …"),
            )),
            _ => {}
        }
    }
    findings
}

/// Rotations that are due or were not confirmed.
fn rotation(kit: &Kit, name: &CredentialName) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(credential) = kit.credentials.get(name) else { return findings };
    let rotate = || format!("breakglass rotate {name}");
    let used: Vec<_> = credential.used().filter(|opening| opening.released).collect();
    if let Some(first) = used.iter().min_by_key(|opening| opening.at) {
        let incidents: BTreeSet<&str> = used.iter().map(|opening| opening.incident.as_str()).collect();
        let incidents: Vec<&str> = incidents.into_iter().collect();
        let text = format!("rotate {name} after {}", incidents.join(", "));
        findings.push(match kit.policy.terms(name).rotation {
            Rotation::AfterUse => Finding::due("ROTATE-USED", text, rotate()).since(first.at),
            Rotation::Waived(why) => {
                let text = format!("{name} was opened and need not be rotated, by the policy: {why}");
                Finding::note("ROTATE-WAIVED", text).since(first.at)
            }
        });
    }
    if let Some(pending) = credential.pending() {
        let text = format!(
            "{name}, generation {}, is sealed and not confirmed: set it on the platform, then confirm it",
            pending.number
        );
        let next = format!("breakglass rotate {name} --confirm-pending");
        findings.push(Finding::due("ROTATE-PENDING", text, next).since(pending.sealed_at));
    }
    if let (Some(current), Some(roster)) = (credential.current(), &kit.roster) {
        let lost: Vec<String> = current
            .facts
            .recipients
            .iter()
            .filter_map(|id| roster.keys.get(id))
            .filter(|member| matches!(member.standing, Standing::Retired { .. }))
            .map(|member| member.enrolled.serial.to_string())
            .collect();
        if !lost.is_empty() {
            let text = format!("rotate {name}: it is still sealed to {}, which was retired", lost.join(", "));
            findings.push(Finding::due("ROTATE-RETIRED", text, rotate()));
        }
    }
    findings
}

/// Incidents of which nobody has said that they ended.
fn unclosed(kit: &Kit, now: i64) -> impl Iterator<Item = Finding> {
    incidents(kit).into_iter().filter(|(_, incident)| incident.closed.is_none()).map(
        move |(name, incident)| {
            let past = by_policy::past_grant(kit, &name, now);
            let next = format!("breakglass close {} --verdict … --outcome …", debts::quoted(&name));
            Finding::due("INCIDENT-OPEN", format!("close {name}: nobody has said how it ended{past}"), next)
                .since(incident.since)
        },
    )
}

/// Credentials that die with one place, or with one key; and those that are dead.
pub fn dying(coverage: &Coverage) -> Vec<Finding> {
    let mut findings = Vec::new();
    for row in &coverage.credentials {
        let name = &row.credential;
        let able = row.able();
        let another = format!("provision another key, then  breakglass rotate {name} --to …");
        if able < usize::from(row.threshold) {
            let text = format!(
                "{name} cannot be opened any more: it needs {} keys, and {able} are left",
                row.threshold
            );
            findings.push(Finding::due("COVERAGE-DEAD", text, format!("breakglass rotate {name}")));
            continue;
        }
        if !row.dies_without.is_empty() {
            let text = format!("{name} would die with {}", row.dies_without.join(", or with "));
            findings.push(Finding::due("COVERAGE-PLACE", text, another));
        } else if !row.dies_with.is_empty() {
            let keys: Vec<String> = row.dies_with.iter().map(ToString::to_string).collect();
            let text = format!("{name} would die with key {}", keys.join(", or with key "));
            findings.push(Finding::due("COVERAGE-KEY", text, another));
        }
    }
    findings
}

/// Keys of which neither a check-in nor the policy says where they lie.
pub fn places(coverage: &Coverage) -> Option<Finding> {
    let homeless: Vec<String> =
        coverage.keys.iter().filter(|key| key.place.is_empty()).map(|key| key.serial.to_string()).collect();
    if homeless.is_empty() {
        return None;
    }
    let text = format!(
        "the policy does not say where {} lies: what would die with a place is not known",
        homeless.join(", ")
    );
    Some(Finding::due("KEY-NO-PLACE", text, "add [[key]] to kit.toml, then  breakglass policy adopt".into()))
}

/// Keys that were never seen to open a current generation, by an opening or a drill. Told, and not demanded before a drill
/// is due.
fn unproven(kit: &Kit, now: i64) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, credential) in &kit.credentials {
        let Some(generation) = credential.current() else { continue };
        let unproven: Vec<String> = kit
            .enrolled_keys()
            .iter()
            .filter(|key| key.standing == Standing::Admitted && generation.facts.recipients.contains(&key.id))
            .filter(|key| {
                !credential.proven(generation.number, &key.id)
                    && drills::due_at(&kit.policy, credential, generation, &key.id) > now
            })
            .map(|key| key.facts.serial.to_string())
            .collect();
        if !unproven.is_empty() {
            let (number, keys) = (generation.number, unproven.join(", "));
            let text = format!("not shown yet: that {name}, generation {number}, opens with {keys}");
            findings.push(Finding::note("KEY-UNPROVEN", text));
        }
    }
    findings
}
