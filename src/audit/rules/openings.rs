//! Whether each opening was one that the policy and the records allow.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::count;
use crate::audit::assess::facts::{Intent, Release};
use crate::audit::assess::{Case, Told, judged_by};
use crate::audit::finding::{Finding, Severity, Sort};
use crate::audit::time::{At, TOLERANCE};
use crate::kit::credentials::Generation;
use crate::kit::debts::quoted;
use crate::kit::policy::{Policy, Refusal, Role};
use crate::record::event::Event;
use crate::record::hash::Hash;

/// A finding about an intent.
fn about(
    case: &Case,
    intent: &Intent,
    rule: &'static str,
    sort: Sort,
    severity: Severity,
    text: String,
) -> Finding {
    case.found(intent.at, intent.incident, Finding::new(rule, sort, severity, text))
}

/// `record 1-ab/3, core-db/root generation 2`.
fn opening(case: &Case, intent: &Intent) -> String {
    format!(
        "{}, {} generation {}",
        case.named(intent.at),
        case.names.get(intent.credential),
        intent.generation
    )
}

/// Intents that the policy they were judged by does not let pass for `what` names them with; each distinct pair of these
/// is asked of each policy once.
fn against_policy(
    case: &Case,
    what: fn(&Intent) -> [u32; 2],
    allowed: fn(&Policy, [&str; 2]) -> bool,
) -> impl Iterator<Item = (&Intent, &Policy, [&str; 2])> {
    let mut asked: HashMap<(Hash, [u32; 2]), bool> = HashMap::new();
    case.intents.iter().filter_map(move |intent| {
        let policy = judged_by(case, intent.at)?;
        let index = what(intent);
        let names = index.map(|index| case.names.get(index));
        let passes = *asked.entry((policy.hash, index)).or_insert_with(|| allowed(policy, names));
        (!passes).then_some((intent, policy, names))
    })
}

/// Opened by somebody whom the policy does not name as an operator.
pub(super) fn open_operator(case: &Case, _: &Told) -> Vec<Finding> {
    let known = |policy: &Policy, [name, _]: [&str; 2]| policy.person(name, Role::Operator).is_some();
    against_policy(case, |intent| [intent.operator; 2], known)
        .map(|(intent, _, [name, _])| {
            let text = format!(
                "{}: opened by {name:?}, whom the policy does not name as an operator",
                opening(case, intent)
            );
            about(case, intent, "OPEN-OPERATOR", Sort::Wrong, Severity::High, text)
        })
        .collect()
}

/// Why the policy does not let that emergency justify opening that credential.
fn unjustified(policy: &Policy, [emergency, credential]: [&str; 2]) -> Option<Refusal> {
    match credential.parse() {
        Ok(credential) => policy.justifies(emergency, &credential).err(),
        // No name of a credential: that it was never sealed is another rule's.
        Err(_) => None,
    }
}

/// Opened for what the policy does not count as an emergency, or not as one that justifies opening this.
pub(super) fn open_emergency(case: &Case, _: &Told) -> Vec<Finding> {
    let justified = |policy: &Policy, names: [&str; 2]| unjustified(policy, names).is_none();
    against_policy(case, |intent| [intent.emergency, intent.credential], justified)
        .map(|(intent, policy, names)| {
            let why = match unjustified(policy, names) {
                Some(Refusal::NotForThis { emergencies, .. }) => {
                    format!("which by the policy does not justify it; these do: {}", emergencies.join(", "))
                }
                _ => "which the policy does not count as an emergency".to_owned(),
            };
            let text = format!("{}: opened for {:?}, {why}", opening(case, intent), names[0]);
            about(case, intent, "OPEN-EMERGENCY", Sort::Wrong, Severity::High, text)
        })
        .collect()
}

fn generations(case: &Case, name: u32) -> &[Generation] {
    let credential = case.names.get(name).parse().ok().and_then(|name| case.credentials.get(&name));
    credential.map_or(&[], |credential| &credential.generations)
}

/// Those of that number; they are kept by number.
fn of_number(generations: &[Generation], number: u64) -> impl Iterator<Item = &Generation> {
    let first = generations.partition_point(|it| it.number < number);
    generations[first..].iter().take_while(move |it| it.number == number)
}

/// What is opened was not sealed so by a key of the kit, or not to the key that opened it.
pub(super) fn open_sealed(case: &Case, _: &Told) -> Vec<Finding> {
    if case.roster.is_err() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut listed: BTreeMap<Hash, &Intent> = BTreeMap::new();
    for intent in &case.intents {
        let mut of_it = of_number(generations(case, intent.credential), intent.generation);
        let sealed = of_it.find(|it| it.record == intent.sealed);
        let (sort, why) = match sealed {
            Some(it) if it.facts.list.is_some() => {
                listed.entry(intent.sealed).or_insert(intent);
                continue;
            }
            Some(it) if it.facts.recipients.contains(&case.chain(intent.at).key) => continue,
            Some(_) => (Sort::Wrong, "it was not sealed to that key"),
            None if case.sealed_at.contains_key(&intent.sealed) => {
                (Sort::Wrong, "the record that it names sealed something else, or its key had no right to")
            }
            None => (Sort::CannotCheck, "the record that sealed it is not in the ledger"),
        };
        let text = format!("{}: {why}", opening(case, intent));
        findings.push(about(case, intent, "OPEN-SEALED", sort, Severity::High, text));
    }
    // Once for each sealing, however often it was opened.
    findings.extend(listed.into_values().map(|intent| {
        let text = format!(
            "{}: whether it was sealed to the keys that open it cannot be told: the list of its recipients is with the kit",
            opening(case, intent)
        );
        about(case, intent, "OPEN-SEALED", Sort::CannotCheck, Severity::Low, text)
    }));
    findings
}

/// Where a generation came into force: its sealing, or its confirmation.
fn in_force_from(case: &Case, generation: &Generation) -> Option<At> {
    match generation.facts.pending {
        true => case.confirmed_at.get(&generation.record).copied(),
        false => case.sealed_at.get(&generation.record).copied(),
    }
}

/// A generation was opened that another had replaced.
pub(super) fn open_generation(case: &Case, _: &Told) -> Vec<Finding> {
    let mut findings = Vec::new();
    for intent in &case.intents {
        let all = generations(case, intent.credential);
        let newer = all[all.partition_point(|it| it.number <= intent.generation)..].iter();
        // Who knew of a later one knew of the next as well; a few more, lest that one was sealed twice.
        let newer: Vec<(u64, At)> =
            newer.filter_map(|it| Some((it.number, in_force_from(case, it)?))).take(8).collect();
        let knew = newer.iter().find(|(_, at)| case.knew(intent.at, *at));
        let claimed = |at: &At| case.claimed(intent.at).saturating_sub(case.claimed(*at)) > TOLERANCE;
        let after = newer.iter().find(|(_, at)| !case.knew(*at, intent.at) && claimed(at));
        let Some((number, at)) = knew.or(after) else { continue };
        let text = format!("{}: generation {number} was in force already", opening(case, intent));
        findings.push(
            about(case, intent, "OPEN-GENERATION", Sort::Wrong, Severity::Medium, text)
                .on([case.hash(*at)])
                .possibly_if(knew.is_none()),
        );
    }
    findings
}

/// The intents that an outcome names, as far as the ledger has them; and how many it has not.
struct Named<'a> {
    by_hash: HashMap<Hash, &'a Intent>,
}

impl<'a> Named<'a> {
    fn of(case: &'a Case) -> Self {
        Named { by_hash: case.intents.iter().map(|intent| (case.hash(intent.at), intent)).collect() }
    }

    fn intents(&self, release: &Release) -> (Vec<&'a Intent>, usize) {
        let found: Vec<&Intent> =
            release.intents.iter().filter_map(|hash| self.by_hash.get(hash).copied()).collect();
        let lacking = release.intents.len() - found.len();
        (found, lacking)
    }
}

/// An outcome that rests on the intents of fewer keys than it takes, or on intents for something else.
pub(super) fn open_threshold(case: &Case, _: &Told) -> Vec<Finding> {
    let named = Named::of(case);
    let mut findings = Vec::new();
    for release in &case.releases {
        let (intents, lacking) = named.intents(release);
        let what = format!(
            "{}, {} generation {}",
            case.named(release.at),
            case.names.get(release.credential),
            release.generation
        );
        let other = intents
            .iter()
            .find(|it| (it.credential, it.generation) != (release.credential, release.generation));
        if let Some(other) = other {
            let text = format!("{what}: it rests on an intent for something else, {}", opening(case, other));
            findings.push(
                case.found(
                    release.at,
                    release.incident,
                    Finding::new("OPEN-THRESHOLD", Sort::Wrong, Severity::High, text),
                )
                .on([case.hash(other.at)]),
            );
            continue;
        }
        let keys: BTreeSet<u32> = intents.iter().map(|it| case.records.chain[it.at as usize]).collect();
        let sealed = intents.first().map(|intent| intent.sealed);
        let mut of_it = of_number(generations(case, release.credential), release.generation);
        let generation = of_it.find(|it| Some(it.record) == sealed);
        let Some(threshold) = generation.map(|it| usize::from(it.facts.threshold)) else { continue };
        if keys.len() < threshold && lacking == 0 {
            let text = format!(
                "{what}: it takes {threshold} keys, and {} on record opened it: the others' records are lacking, or it was opened otherwise",
                count(keys.len() as u64, "key")
            );
            findings.push(case.found(
                release.at,
                release.incident,
                Finding::new("OPEN-THRESHOLD", Sort::Wrong, Severity::High, text),
            ));
        }
    }
    findings
}

/// An outcome names intents that the ledger has not.
pub(super) fn open_intent_lacking(case: &Case, _: &Told) -> Vec<Finding> {
    let named = Named::of(case);
    case.releases
        .iter()
        .filter_map(|release| {
            let lacking = match named.intents(release).1 {
                0 if !release.intents.is_empty() => return None,
                0 => "it names no intent at all".to_owned(),
                lacking => {
                    format!("{} that it rests on are not in the ledger", count(lacking as u64, "intent"))
                }
            };
            let text =
                format!("{}, {}: {lacking}", case.named(release.at), case.names.get(release.credential));
            Some(
                case.found(
                    release.at,
                    release.incident,
                    Finding::new("OPEN-INTENT-LACKING", Sort::CannotCheck, Severity::Medium, text),
                )
                .then("import the bundles of every key that took part"),
            )
        })
        .collect()
}

/// An opening after its incident had been closed.
pub(super) fn open_after_close(case: &Case, _: &Told) -> Vec<Finding> {
    let mut closes: BTreeMap<u32, Vec<At>> = BTreeMap::new();
    for close in case.closes.iter().filter(|close| case.belongs(close.at)) {
        closes.entry(close.incident).or_default().push(close.at);
    }
    let mut findings = Vec::new();
    for intent in &case.intents {
        let Some(closes) = closes.get(&intent.incident) else { continue };
        let lower = case.bounds.lower[intent.at as usize];
        let certain = closes.iter().find(|close| {
            let upper = case.bounds.upper[**close as usize];
            case.knew(intent.at, **close) || lower.is_some_and(|lower| !case.clock_in_doubt && lower > upper)
        });
        let possible = || {
            closes.iter().find(|close| {
                let later = case.claimed(intent.at).saturating_sub(case.claimed(**close));
                !case.knew(**close, intent.at) && later > TOLERANCE
            })
        };
        let Some(close) = certain.or_else(possible) else { continue };
        let incident = case.names.get(intent.incident);
        let text = format!("{}: opened after {incident} had been closed", opening(case, intent));
        findings.push(
            about(case, intent, "OPEN-AFTER-CLOSE", Sort::Wrong, Severity::High, text)
                .on([case.hash(*close)])
                .possibly_if(certain.is_none()),
        );
    }
    findings
}

/// An opening that was begun and of which no record tells the end: the credential may have been disclosed.
pub(super) fn open_no_outcome(case: &Case, told: &Told) -> Vec<Finding> {
    let current: HashMap<&str, u64> =
        told.credentials.iter().map(|it| (it.name.as_str(), it.generation.unwrap_or_default())).collect();
    let mut findings = Vec::new();
    for opening in told.incidents.iter().flat_map(|incident| &incident.openings) {
        if opening.released.is_some() {
            continue;
        }
        let keys: BTreeSet<String> = opening.intents.iter().map(|place| place.serial.to_string()).collect();
        let text = format!(
            "{}, generation {}: {} began to open it with {} for {}, and no record tells the end: it may have been disclosed",
            opening.credential,
            opening.generation,
            opening.operator,
            keys.into_iter().collect::<Vec<_>>().join(", "),
            opening.incident
        );
        let name = opening.credential.as_str();
        let replaced = current.get(name).is_some_and(|current| opening.generation < *current);
        let finding = match replaced {
            true => Finding::new("OPEN-NO-OUTCOME", Sort::Note, Severity::Low, text),
            false => Finding::new("OPEN-NO-OUTCOME", Sort::Due, Severity::High, text)
                .then(format!("breakglass rotate {}", quoted(name))),
        };
        let finding = finding.possibly().in_incident(&opening.incident);
        let begun = opening.intents.iter().map(|place| place.time.claimed).min().unwrap_or(case.now);
        findings.push(finding.on(opening.intents.iter().map(|place| place.hash)).at(begun));
    }
    findings
}

/// Something that the program refused, and a person overrode to open.
pub(super) fn open_override(case: &Case, _: &Told) -> Vec<Finding> {
    let mut findings = Vec::new();
    for intent in &case.intents {
        for (rule, why) in &intent.overrides {
            let text = format!("{}: opened although {rule} spoke against it: {why}", opening(case, intent));
            findings.push(about(case, intent, "OPEN-OVERRIDE", Sort::Note, Severity::Medium, text));
        }
    }
    findings
}

/// PIN tries had been spent before an opening: somebody did not know the PIN.
pub(super) fn open_tries(case: &Case, _: &Told) -> Vec<Finding> {
    let mut most: HashMap<u32, u8> = HashMap::new();
    let mut findings = Vec::new();
    for intent in &case.intents {
        let most = most.entry(case.records.chain[intent.at as usize]).or_insert(USUAL_TRIES);
        *most = (*most).max(intent.tries);
        if intent.tries < *most {
            let tries = if intent.tries == 1 { "try" } else { "tries" };
            let text = format!(
                "{}: {} PIN {tries} of {most} were left before the PIN was asked: wrong PINs had been given",
                opening(case, intent),
                intent.tries
            );
            findings.push(about(case, intent, "OPEN-TRIES", Sort::Note, Severity::Low, text));
        }
    }
    findings
}

/// PIN tries that a YubiKey leaves the factory with (Yubico, PIV: 3 for the PIN).
const USUAL_TRIES: u8 = 3;

/// A PIN was typed into a key that had not proved itself, though it can.
pub(super) fn open_presence(case: &Case, _: &Told) -> Vec<Finding> {
    let can: HashMap<u32, bool> = case
        .enrolments
        .iter()
        .filter_map(|(at, record)| match &record.event {
            Event::KeyEnrolled(facts) => Some((case.records.chain[*at as usize], facts.presence.is_some())),
            _ => None,
        })
        .collect();
    case.intents
        .iter()
        .filter(|intent| {
            !intent.presence && can.get(&case.records.chain[intent.at as usize]).copied().unwrap_or(true)
        })
        .map(|intent| {
            let text = format!(
                "{}: key {} had not proved itself by 9E before its PIN was typed",
                opening(case, intent),
                case.chain(intent.at).serial
            );
            about(case, intent, "OPEN-PRESENCE", Sort::Wrong, Severity::Medium, text)
        })
        .collect()
}
