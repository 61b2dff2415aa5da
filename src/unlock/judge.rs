//! Pure judgements of an opening: does the adopted policy allow it, which generation is meant, which keys count.

use super::plan::PlannedConsent;
use super::{CredentialName, Generation, Kit, Override, Unapproved, UnlockError, Wish, drill};
use crate::attestation::Serial;
use crate::kit::consent::{self, Given, Judged, Opening};
use crate::kit::policy::Role;
use crate::kit::roster::{Member, Roster, Standing};
use crate::record::event::Consent;
use crate::record::hash::{Hash, KeyId};

/// Longest reason, in bytes.
const REASON: usize = 256;

/// Who, which emergency, why, which incident.
pub(super) fn policy(kit: &Kit, wish: &Wish) -> Result<(), UnlockError> {
    let refuse = |what: String| Err(UnlockError::Policy(what));
    kit.policy
        .may_open(&wish.operator, &wish.emergency, &wish.credential)
        .map_err(|refusal| UnlockError::Policy(refusal.to_string()))?;
    if wish.reason.trim().is_empty() || wish.reason.len() > REASON {
        return refuse(format!("a reason is 1 to {REASON} bytes of text"));
    }
    let incident = wish.incident.trim();
    if incident.is_empty() || incident.len() > 64 || incident.chars().any(|c| c.is_control()) {
        return refuse("an incident or ticket is 1 to 64 bytes of text".into());
    }
    Ok(())
}

/// Where the policy says so, what was opened for an incident that nobody else has judged does not open for the next one
/// without the person's word.
pub(super) fn review(kit: &Kit, wish: &Wish) -> Result<Option<Override>, UnlockError> {
    if !kit.policy.review_before_reopen {
        return Ok(None);
    }
    let incidents = crate::kit::debts::unreviewed(kit, &wish.credential, &wish.incident);
    match &wish.accept_unreviewed {
        _ if incidents.is_empty() => Ok(None),
        Some(why) if !why.trim().is_empty() => Ok(Some(Override { rule: "review".into(), why: why.clone() })),
        _ => Err(UnlockError::Unreviewed { credential: wish.credential.clone(), incidents }),
    }
}

/// Whether as many others approved as the policy asks for; or whether it lets the operator go on without, and who is then
/// passed over. An approval that does not count is refused, never passed over in silence: who brought it shall know.
pub(super) fn consent(kit: &Kit, wish: &Wish, generation: u64) -> Result<PlannedConsent, UnlockError> {
    let given: Vec<Given<'_>> = wish.approvals.iter().filter_map(Given::of).collect();
    let request = given.first().map(|one| one.facts.request);
    let credential = wish.credential.to_string();
    let opening = Opening {
        credential: &credential,
        generation,
        operator: &wish.operator,
        emergency: &wish.emergency,
        incident: &wish.incident,
        at: wish.now,
        policy: kit.policy.hash,
        request,
    };
    let judged = consent::judge(&kit.policy, &opening, &given);
    if let Some((record, flaw)) = judged.flaws.first() {
        let by = given.iter().find(|one| one.record == *record);
        let approver = by.map(|one| one.facts.approver.clone()).unwrap_or_default();
        return Err(UnlockError::Approval { approver, why: flaw.to_string() });
    }
    if let Some(request) = request
        && let Some(incident) = crate::kit::approval::used(kit, &request)
    {
        let approver = judged.approved.join(", ");
        let why = format!("its request was used already, for {incident}; each is good for one opening");
        return Err(UnlockError::Approval { approver, why });
    }
    let asked = kit.policy.terms(&wish.credential).approval;
    if !judged.enough() && !judged.may_go_on {
        return Err(UnlockError::Unapproved(Box::new(Unapproved {
            credential: wish.credential.clone(),
            needs: judged.needs,
            approved: judged.approved,
            others: judged.not_asked,
            request,
        })));
    }
    let record = on_record(&judged, request, &given);
    Ok(PlannedConsent { asked, approved: judged.approved, others: judged.not_asked, record })
}

/// What each intent says of it; nothing where nothing was asked for and nothing given.
fn on_record(judged: &Judged, request: Option<Hash>, given: &[Given<'_>]) -> Option<Consent> {
    let skipped = if judged.enough() { Vec::new() } else { judged.not_asked.clone() };
    let approvals: Vec<Hash> = given.iter().map(|one| one.record).collect();
    (!approvals.is_empty() || !skipped.is_empty()).then_some(Consent { request, approvals, skipped })
}

/// Who drills, and who watches.
pub(super) fn people(kit: &Kit, wish: &drill::Wish) -> Result<(), UnlockError> {
    let refuse = |what: String| Err(UnlockError::Policy(what));
    let policy = &kit.policy;
    let roles = [Role::Custodian, Role::Operator];
    if !roles.iter().any(|role| policy.person(&wish.operator, *role).is_some()) {
        let mut names: Vec<&str> = roles.iter().flat_map(|role| policy.with_role(*role)).collect();
        names.sort_unstable();
        names.dedup();
        return refuse(format!(
            "{:?} is neither operator nor custodian; these are: {}",
            wish.operator,
            names.join(", ")
        ));
    }
    match &wish.witness {
        Some(witness) if *witness == wish.operator => refuse("nobody watches themselves".into()),
        Some(witness) if policy.people.iter().all(|person| person.name.as_str() != witness) => {
            let names: Vec<&str> = policy.people.iter().map(|person| person.name.as_str()).collect();
            refuse(format!("{witness:?} is not in the policy; who is: {}", names.join(", ")))
        }
        _ => Ok(()),
    }
}

/// The generation that is meant: the one of that number, else the current one.
pub(super) fn generation<'k>(
    kit: &'k Kit,
    name: &CredentialName,
    number: Option<u64>,
) -> Result<&'k Generation, UnlockError> {
    let credential = kit.credentials.get(name).ok_or_else(|| {
        let known: Vec<String> = kit.credentials.keys().map(ToString::to_string).collect();
        UnlockError::NoSuch(match known.is_empty() {
            true => format!("{name} is not in this kit; nothing is sealed in it"),
            false => format!("{name} is not in this kit; it has: {}", known.join(", ")),
        })
    })?;
    let found = match number {
        Some(number) => credential.generations.iter().rfind(|g| g.number == number),
        // Never confirmed at all: the pending one is all there is.
        None => credential.current().or(credential.pending()),
    };
    found.ok_or_else(|| {
        let numbers: Vec<String> = credential.generations.iter().map(|g| g.number.to_string()).collect();
        UnlockError::NoSuch(format!("{name} has no such generation; it has: {}", numbers.join(", ")))
    })
}

/// A recipient that may be used now. Retired keys may not.
pub(super) fn usable<'k>(roster: &'k Roster, id: &KeyId) -> Option<&'k Member> {
    roster.keys.get(id).filter(|m| m.standing == Standing::Admitted)
}

/// Why a key is of no use for opening this generation, as a sentence.
pub(super) fn why_not(kit: &Kit, name: &CredentialName, generation: &Generation, serial: Serial) -> String {
    match kit.enrolled(serial) {
        None => format!("key {serial} is not enrolled in this kit"),
        Some(key) => match key.standing {
            Standing::Retired { .. } => format!("key {serial} was retired"),
            Standing::Frozen => format!("key {serial} is frozen: it and another key have retired each other"),
            Standing::Enrolled => format!("key {serial} is enrolled but not admitted"),
            Standing::Admitted if !generation.facts.recipients.contains(&key.id) => {
                format!("{name} was not sealed for key {serial}")
            }
            Standing::Admitted => format!("key {serial} is none of those that were chosen"),
        },
    }
}
