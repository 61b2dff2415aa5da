//! `status`: what is due, what is wrong, and that the rest is fine.

use super::desk::Desk;
use super::findings::counted;
use super::hint::Trouble;
use super::{Outcome, findings};
use crate::kit::finding::{Finding, Weight};
use crate::kit::roster::Standing;
use crate::kit::{check, due};

pub(super) fn status(desk: &mut Desk) -> Result<Outcome, Trouble> {
    let kit = desk.look()?;
    let mut found = check::journal(&kit);
    found.extend(check::sealed(&kit)?);
    found.extend(due::due(&kit));
    found.sort_by_key(|finding| finding.weight);
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
    let no =
        |rules: &[&str]| !found.iter().any(|f: &Finding| rules.iter().any(|rule| f.rule.starts_with(rule)));
    let mut fine = vec![counted(admitted, "key")];
    let accused = |rule: &str| found.iter().any(|f| f.weight == Weight::Wrong && f.rule.starts_with(rule));
    if !accused("JOURNAL") && !accused("RECORD") && !accused("ROSTER") {
        fine.push(format!("journal intact, {}", counted(records, "record")));
    }
    if no(&["SEALED"]) {
        fine.push(format!("{} as sealed", counted(credentials, "credential")));
    }
    if no(&["ROTATE", "OPEN"]) {
        fine.push("no use that was not followed by a rotation".into());
    }
    if no(&["COVERAGE", "KEY-NO-PLACE"]) {
        fine.push("none dies with one key or one place".into());
    }
    desk.line(&format!("{:<12} {}", "fine", fine.join(" · ")))?;
    Ok(findings::outcome(&found))
}
