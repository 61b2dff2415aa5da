//! Whether the openings of a kit had the consent that the policy of their time asked for.

use std::collections::{BTreeMap, HashMap};

use crate::kit::Kit;
use crate::kit::approval;
use crate::kit::consent::{self, Flaw, Given, Opening};
use crate::kit::credentials::belongs;
use crate::kit::finding::Finding;
use crate::kit::incidents::{self, incidents};
use crate::kit::policy::Policy;
use crate::record::event::Event;
use crate::record::hash::Hash;
use crate::record::token::Record;

/// Openings that too few approved, or that somebody was passed over for; approvals that do not count, that are not here,
/// or whose request was used twice.
pub fn approvals(kit: &Kit) -> Vec<Finding> {
    let Some(roster) = &kit.roster else { return Vec::new() };
    let mut given: HashMap<Hash, &Record> = HashMap::new();
    let mut policies: HashMap<Hash, Option<Hash>> = HashMap::new();
    for (_, record) in kit.journal.records() {
        match &record.event {
            Event::RequestApproved(_) if belongs(roster, record) => drop(given.insert(record.hash(), record)),
            Event::OpenIntent(_) => drop(policies.insert(record.hash(), record.link.policy)),
            _ => {}
        }
    }
    // Most openings are of the policy in force; each other one is read once.
    let mut known: HashMap<Hash, Option<Policy>> = HashMap::new();
    let mut uses: BTreeMap<Hash, Vec<String>> = BTreeMap::new();
    let mut findings = Vec::new();
    for (incident, told) in incidents(kit) {
        for opening in &told.openings {
            let named = opening.records.first().and_then(|first| policies.get(first).copied().flatten());
            let in_force = roster.policies.iter().any(|(hash, _)| Some(*hash) == named);
            let hash = named.filter(|_| in_force).unwrap_or(kit.policy.hash);
            let policy = known.entry(hash).or_insert_with(|| kit.policy_named(&hash));
            // That a policy of old is gone is another finding's.
            let Some(policy) = policy else { continue };
            findings.extend(of_one(policy, &incident, opening, &given));
            let request = opening.intent.consent.as_ref().and_then(|consent| consent.request);
            if let Some(request) = request.filter(|_| approval::spent(kit, opening)) {
                uses.entry(request).or_default().push(incident.clone());
            }
        }
    }
    for (request, mut incidents) in uses.into_iter().filter(|(_, incidents)| incidents.len() > 1) {
        let times = incidents.len();
        incidents.dedup();
        let text = format!(
            "the request {} was used {times} times, for {}: it is good for one opening",
            request.short(),
            incidents.join(", ")
        );
        findings.push(Finding::wrong("APPROVAL-REUSED", text));
    }
    findings
}

fn of_one(
    policy: &Policy,
    incident: &str,
    opening: &incidents::Opening,
    given: &HashMap<Hash, &Record>,
) -> Vec<Finding> {
    let intent = &opening.intent;
    let consent = intent.consent.clone().unwrap_or_default();
    let found: Vec<Given<'_>> = consent
        .approvals
        .iter()
        .filter_map(|hash| given.get(hash))
        .filter_map(|record| Given::of(record))
        .collect();
    let lacking = consent.approvals.len() - found.len();
    let judged = consent::judge(
        policy,
        &Opening {
            credential: &intent.credential,
            generation: intent.generation,
            operator: &intent.operator,
            emergency: &intent.emergency,
            incident,
            at: opening.at,
            policy: policy.hash,
            request: consent.request,
        },
        &found,
    );
    let what = format!(
        "{}, generation {}, opened by {} for {incident}",
        intent.credential, intent.generation, intent.operator
    );
    let mut findings: Vec<Finding> = Vec::new();
    for (record, flaw) in &judged.flaws {
        let by = found.iter().find(|one| one.record == *record).map_or("", |one| &one.facts.approver);
        let text = format!("{what}: the approval of {by} does not count: {flaw}");
        findings.push(of_flaw(flaw, text).since(opening.at));
    }
    if lacking > 0 {
        let text = format!("{what}: {lacking} of the approvals that it names are not in this copy");
        findings.push(Finding::not_checked("APPROVAL-LACKING", text).then(super::MERGE).since(opening.at));
    }
    if !judged.enough() && judged.approved.len() + lacking < judged.needs {
        let asked = format!(
            "the policy asked for the approval of {}, and it had that of {}",
            judged.needs,
            judged.approved.len()
        );
        findings.push(match (judged.may_go_on, consent.skipped.is_empty()) {
            (true, false) => {
                let text = format!(
                    "{what}: {asked}; allowed by the policy. not asked: {}",
                    consent.skipped.join(", ")
                );
                Finding::note("OPEN-SKIPPED", text).since(opening.at)
            }
            (true, true) if judged.not_asked.is_empty() => {
                Finding::note("OPEN-SKIPPED", format!("{what}: {asked}; nobody could be asked"))
                    .since(opening.at)
            }
            (true, true) => {
                let text = format!("{what}: {asked}, and its record does not name who was not asked");
                Finding::wrong("OPEN-UNAPPROVED", text).since(opening.at)
            }
            (false, _) => Finding::wrong("OPEN-UNAPPROVED", format!("{what}: {asked}")).since(opening.at),
        });
    }
    findings
}

fn of_flaw(flaw: &Flaw, text: String) -> Finding {
    match flaw {
        Flaw::BySelf => Finding::wrong("APPROVAL-SELF", text),
        Flaw::NoRole => Finding::wrong("APPROVAL-NO-ROLE", text),
        Flaw::Other(..) | Flaw::OtherPolicy => Finding::wrong("APPROVAL-OTHER", text),
        Flaw::Expired => Finding::wrong("APPROVAL-EXPIRED", text),
    }
}
