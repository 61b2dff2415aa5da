//! Whether openings had the approval that the policy asks for, and whether the approvals were good.

use std::collections::BTreeMap;

use super::count;
use crate::audit::assess::consents::Weighed;
use crate::audit::assess::{Case, Told};
use crate::audit::finding::{Finding, Severity, Sort};
use crate::kit::consent::Flaw;
use crate::record::hash::Hash;

/// A finding about an opening.
fn about(
    case: &Case,
    one: &Weighed,
    rule: &'static str,
    sort: Sort,
    severity: Severity,
    text: &str,
) -> Finding {
    let text = format!("{}, {} for {}: {text}", case.named(one.at), one.what, one.incident);
    Finding::new(rule, sort, severity, text)
        .on([case.hash(one.at)])
        .at(case.claimed(one.at))
        .in_incident(&one.incident)
}

/// `the policy asks for the approval of 2 others, and it had that of bob`.
fn had(one: &Weighed) -> String {
    let had = match &one.judged.approved[..] {
        [] => "none".to_owned(),
        names => format!("that of {}", names.join(", ")),
    };
    format!(
        "the policy asks for the approval of {}, and it had {had}",
        count(one.judged.needs as u64, "other")
    )
}

/// Whether too few approved, whatever the approvals say that the ledger lacks.
fn short(one: &Weighed) -> bool {
    one.judged.approved.len() + one.lacking.len() < one.judged.needs
}

/// Whether the policy lets an operator go on without those who were not asked, and the record names them.
fn skipped(one: &Weighed) -> bool {
    one.judged.may_go_on && (!one.consent.skipped.is_empty() || one.judged.not_asked.is_empty())
}

/// Fewer approved than the policy asks for, and nothing allows that; or the record does not say who was not asked.
pub(super) fn open_unapproved(case: &Case, told: &Told) -> Vec<Finding> {
    let wrong = told.consents.iter().filter(|one| short(one) && !skipped(one));
    wrong
        .map(|one| {
            let why = match one.judged.may_go_on {
                true => "it could have gone on by the policy, but its record does not name who was not asked",
                false => "the policy lets nobody go on with fewer",
            };
            let text = format!("{}: {why}", had(one));
            about(case, one, "OPEN-UNAPPROVED", Sort::Wrong, Severity::High, &text)
        })
        .collect()
}

/// Fewer approved than the policy asks for, which it allows where the record names who was not asked.
pub(super) fn open_skipped(case: &Case, told: &Told) -> Vec<Finding> {
    let allowed = told.consents.iter().filter(|one| short(one) && skipped(one));
    allowed
        .map(|one| {
            let names = match &one.consent.skipped[..] {
                [] => "nobody could be asked".to_owned(),
                names => format!("not asked: {}", names.join(", ")),
            };
            let text = format!("{}; allowed by the policy. {names}", had(one));
            about(case, one, "OPEN-SKIPPED", Sort::Note, Severity::Low, &text)
        })
        .collect()
}

/// Approvals that do not count for a flaw of that kind.
fn flawed(
    case: &Case,
    told: &Told,
    rule: &'static str,
    severity: Severity,
    is: fn(&Flaw) -> bool,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for one in &told.consents {
        for (record, flaw) in one.judged.flaws.iter().filter(|(_, flaw)| is(flaw)) {
            let by = case.approvals.get(record).map(|(at, _)| case.named(*at)).unwrap_or_default();
            let text = format!("its approval, {by}, does not count: {flaw}");
            findings.push(
                about(case, one, rule, Sort::Wrong, severity, &text)
                    .on([*record])
                    // By the clocks of two machines.
                    .possibly_if(*flaw == Flaw::Expired),
            );
        }
    }
    findings
}

/// An approval by the one who opens, or with a key that they keep.
pub(super) fn approval_self(case: &Case, told: &Told) -> Vec<Finding> {
    flawed(case, told, "APPROVAL-SELF", Severity::High, |flaw| matches!(flaw, Flaw::BySelf))
}

/// An approval with a key whose keeper the policy does not name as an approver.
pub(super) fn approval_no_role(case: &Case, told: &Told) -> Vec<Finding> {
    flawed(case, told, "APPROVAL-NO-ROLE", Severity::High, |flaw| matches!(flaw, Flaw::NoRole))
}

/// An approval of something else than what was opened.
pub(super) fn approval_other(case: &Case, told: &Told) -> Vec<Finding> {
    flawed(case, told, "APPROVAL-OTHER", Severity::High, |flaw| {
        matches!(flaw, Flaw::Other(..) | Flaw::OtherPolicy)
    })
}

/// An approval whose time was over, by the claimed times.
pub(super) fn approval_expired(case: &Case, told: &Told) -> Vec<Finding> {
    flawed(case, told, "APPROVAL-EXPIRED", Severity::Medium, |flaw| matches!(flaw, Flaw::Expired))
}

/// One request under which several openings came to an outcome.
pub(super) fn approval_reused(case: &Case, told: &Told) -> Vec<Finding> {
    let mut uses: BTreeMap<Hash, Vec<&Weighed>> = BTreeMap::new();
    for one in told.consents.iter().filter(|one| one.spent) {
        uses.extend(
            one.consent.request.filter(|request| !uses.contains_key(request)).map(|it| (it, Vec::new())),
        );
        if let Some(all) = one.consent.request.and_then(|request| uses.get_mut(&request)) {
            all.push(one);
        }
    }
    let twice = uses.values().filter(|all| all.len() > 1);
    twice
        .filter_map(|all| {
            let last = all.iter().max_by_key(|one| (case.claimed(one.at), one.at))?;
            let request = last.consent.request.map(|request| request.short()).unwrap_or_default();
            let text = format!(
                "its request {request} was used {}: it is good for one opening",
                count(all.len() as u64, "time")
            );
            let finding = about(case, last, "APPROVAL-REUSED", Sort::Wrong, Severity::High, &text);
            Some(finding.on(all.iter().filter(|one| one.at != last.at).map(|one| case.hash(one.at))))
        })
        .collect()
}

/// An opening names approvals that the ledger has not.
pub(super) fn approval_lacking(case: &Case, told: &Told) -> Vec<Finding> {
    let lacking = told.consents.iter().filter(|one| !one.lacking.is_empty());
    lacking
        .map(|one| {
            let text = format!(
                "{} that it names are not in the ledger, or not by a key of the kit",
                count(one.lacking.len() as u64, "approval")
            );
            about(case, one, "APPROVAL-LACKING", Sort::CannotCheck, Severity::Medium, &text)
                .on(one.lacking.iter().copied())
                .then("import the bundles of the approvers' keys")
        })
        .collect()
}
