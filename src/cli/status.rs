//! `status`: what is due, what is wrong, and that the rest is fine.

use super::desk::{Desk, now};
use super::findings::counted;
use super::hint::Trouble;
use super::{Outcome, findings};
use crate::kit::finding::{Finding, Weight};
use crate::kit::roster::Standing;
use crate::kit::{Kit, check, due};

pub(super) fn status(desk: &mut Desk) -> Result<Outcome, Trouble> {
    let kit = desk.look()?;
    let found = found(&kit)?;
    let admitted = kit.enrolled_keys().iter().filter(|key| key.standing == Standing::Admitted).count();
    let (records, credentials) = (kit.journal.count(), kit.credentials.len());
    if desk.json {
        desk.json_result(&serde_json::json!({
            "kit": kit.policy.name, "kind": kit.kind(), "words": kit.words(), "keys": admitted,
            "records": records, "credentials": credentials, "findings": found,
        }))?;
        return Ok(findings::outcome(&found));
    }
    desk.practice_banner(&kit);
    findings::print(desk, &found)?;
    let fine = fine(&found, admitted, records, credentials);
    if !fine.is_empty() {
        desk.line(&format!("{:<12} {}", "fine", fine.join(" · ")))?;
    }
    Ok(findings::outcome(&found))
}

/// Everything that is wrong or due, the gravest first.
pub(super) fn found(kit: &Kit) -> Result<Vec<Finding>, Trouble> {
    let mut found = check::journal(kit);
    found.extend(check::sealed(kit)?);
    found.extend(due::due(kit, now()));
    found.sort_by_key(|finding| finding.weight);
    Ok(found)
}

/// What nothing was found against, in a few words each; of a kit that is only begun, what there is.
fn fine(found: &[Finding], keys: usize, records: usize, credentials: usize) -> Vec<String> {
    let none = |rules: &[&str]| {
        !found.iter().any(|f| f.weight != Weight::Note && rules.iter().any(|rule| f.rule.starts_with(rule)))
    };
    let mut fine = Vec::new();
    if keys > 0 {
        fine.push(counted(keys, "key"));
    }
    if records > 0 && none(&["JOURNAL", "RECORD-", "ROSTER"]) {
        fine.push(format!("journal intact, {}", counted(records, "record")));
    }
    if credentials == 0 {
        return fine;
    }
    if none(&["SEALED"]) {
        fine.push(format!("{} as sealed", counted(credentials, "credential")));
    }
    if none(&["ROTATE", "OPEN"]) {
        fine.push("every use was followed by a rotation".into());
    }
    if none(&["COVERAGE", "KEY-NO-PLACE"]) {
        fine.push("none dies with one key or one place".into());
    }
    fine
}
