//! Whether somebody else has judged each incident.

use crate::audit::assess::{Case, Told};
use crate::audit::assessment::Incident;
use crate::audit::finding::{Finding, Severity, Sort};
use crate::kit::debts::quoted;
use crate::record::event::Judgement;

/// An incident that was closed, and that nobody has judged who did not open for it.
pub(super) fn unreviewed(_: &Case, told: &Told) -> Vec<Finding> {
    let mut findings = Vec::new();
    let used = |incident: &&Incident| !(incident.openings.is_empty() && incident.mintings.is_empty());
    for incident in told.incidents.iter().filter(used) {
        let Some(closed) = &incident.closed else { continue };
        if incident.reviews.iter().any(|review| review.counts()) {
            continue;
        }
        let name = &incident.name;
        let text = format!("{name} was closed and not reviewed by someone who did not open for it");
        findings.push(
            Finding::new("UNREVIEWED", Sort::Due, Severity::Medium, text)
                .in_incident(name)
                .on([closed.record.hash])
                .at(closed.record.time.claimed)
                .then(format!("breakglass review {} --by NAME --judgement … --text …", quoted(name))),
        );
    }
    findings
}

/// A review that counts, and does not agree with what was done.
pub(super) fn review_disagrees(_: &Case, told: &Told) -> Vec<Finding> {
    let mut findings = Vec::new();
    for incident in &told.incidents {
        for review in incident.reviews.iter().filter(|review| review.judgement == Judgement::Disagree.name())
        {
            if !review.counts() {
                continue;
            }
            let text = format!(
                "{} does not agree with what was done in {}: {}",
                review.by, incident.name, review.text
            );
            findings.push(
                Finding::new("REVIEW-DISAGREES", Sort::Wrong, Severity::High, text)
                    .in_incident(&incident.name)
                    .on([review.record.hash])
                    .at(review.record.time.claimed)
                    .then(format!(
                        "breakglass incident show {}   and settle it with who opened",
                        quoted(&incident.name)
                    )),
            );
        }
    }
    findings
}

/// A review by one of those who opened.
pub(super) fn review_by_operator(_: &Case, told: &Told) -> Vec<Finding> {
    let mut findings = Vec::new();
    for incident in &told.incidents {
        for review in incident.reviews.iter().filter(|review| review.by_operator) {
            let text = format!(
                "{} was reviewed by {}, who opened for it: it does not count ({}: {})",
                incident.name, review.by, review.judgement, review.text
            );
            findings.push(
                Finding::new("REVIEW-BY-OPERATOR", Sort::Wrong, Severity::High, text)
                    .in_incident(&incident.name)
                    .on([review.record.hash])
                    .at(review.record.time.claimed)
                    .then("have it reviewed by someone who did not open for it"),
            );
        }
    }
    findings
}
