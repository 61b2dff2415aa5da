//! What incidents leave to be done, as findings: of each incident a line for each kind of debt.

use std::mem::discriminant;

use crate::kit::Kit;
use crate::kit::debts::{Debt, What, debts, quoted};
use crate::kit::finding::Finding;

/// Debts that are open, but for the rotation of what was opened, which is told by credential.
pub(super) fn left(kit: &Kit) -> Vec<Finding> {
    let told = |incident: &str, what: &What| match what {
        What::Rotate(name, _) => kit
            .credentials
            .get(name)
            .is_some_and(|credential| credential.used().any(|opening| opening.incident == incident)),
        _ => false,
    };
    let mut findings = Vec::new();
    for (incident, debts) in debts(kit) {
        let open: Vec<Debt> =
            debts.into_iter().filter(|debt| debt.done.is_none() && !told(&incident, &debt.what)).collect();
        let kinds = open.chunk_by(|one, next| discriminant(&one.what) == discriminant(&next.what));
        findings.extend(kinds.filter_map(|same| grouped(&incident, same)));
    }
    findings
}

/// Debts of one kind as one finding; the command is for the first of them.
fn grouped(incident: &str, debts: &[Debt]) -> Option<Finding> {
    let first = debts.first()?;
    let objects: Vec<String> = debts.iter().filter_map(|debt| debt.what.object()).collect();
    let (objects, many) = (objects.join(", "), if debts.len() == 1 { "" } else { "s" });
    let next = first.what.next(incident);
    let finding = match &first.what {
        What::Rotate(..) => {
            let text = format!("rotate {objects}: the keys used for {incident} could have opened it too");
            Finding::due("ROTATE-EXPOSED", text, next)
        }
        What::ChangePin(_) => {
            let text = format!("change the PIN{many} of {objects}: typed for {incident}");
            Finding::due("PIN-TYPED", text, next)
        }
        What::Return(_) => {
            Finding::due("KEY-RETURN", format!("return {objects}: taken for {incident}"), next)
        }
        What::Account(_) => {
            let text = format!("disable or recreate the account{many} {objects}: opened for {incident}");
            Finding::due("ACCOUNT-RENEW", text, next)
        }
        What::Sessions(_) => {
            let text =
                format!("end the sessions that were begun with what was minted as {objects} for {incident}");
            Finding::due("SESSIONS-MINTED", text, next)
        }
        What::Trust(_) => {
            let text = format!(
                "platforms trust what {objects} mint{}, and it was used for {incident}: end or renew that",
                if debts.len() == 1 { "s" } else { "" }
            );
            Finding::due("TRUST-USED", text, next)
        }
        What::Restore(_) => {
            let text = format!("put back what was switched off for {incident}: {objects}");
            Finding::due("RESTORE-UNDONE", text, next)
        }
        What::Notify(_) => {
            let text = format!("tell {objects} of {incident}: by the policy, or because they were not asked");
            Finding::due("NOTIFY-UNDONE", text, format!("breakglass notify {} --out DIR", quoted(incident)))
        }
        What::Upload => {
            let text = format!("give the records of {incident} to the auditor");
            Finding::due("RECORDS-UPLOAD", text, next)
        }
        What::Review(_) => {
            let text = format!("{incident} was not reviewed by someone who did not open for it");
            Finding::due("REVIEW-UNDONE", text, next)
        }
    };
    Some(finding.since(debts.iter().map(|debt| debt.since).min().unwrap_or(first.since)))
}
