//! What should not be: each rule is one function with one identifier. `doc/audit-rules.md` tells what each means.
//!
//! A rule looks at what the ledger holds of one kit, or at the ledger as a whole, and answers what it found. It says
//! *certain* only of what follows from signatures, links, counters or the ledger's own clock; what rests on a claimed
//! time is *possible*.

use super::assess::{Case, Told};
use super::finding::Finding;

mod approvals;
mod clocks;
mod counters;
mod custody;
mod drills;
mod duties;
mod governance;
mod keys;
pub mod ledger;
mod mints;
mod openings;
mod reviews;
mod rotations;
mod trust;
mod whole;

use ledger::Books;

/// A rule about one kit.
pub type OfKit = fn(&Case, &Told) -> Vec<Finding>;

/// A rule about the ledger as a whole.
pub type OfLedger = fn(&Books) -> Vec<Finding>;

/// Every rule about a kit, by its identifier.
pub const KIT: &[(&str, OfKit)] = &[
    ("KIT-UNTRUSTED", trust::kit_untrusted),
    ("KIT-FOUNDING", trust::kit_founding),
    ("KIT-PRACTICE", trust::kit_practice),
    ("RECORD-CHANGED", whole::record_changed),
    ("RECORD-UNKNOWN-KEY", whole::record_unknown_key),
    ("RECORD-OTHER-KIT", whole::record_other_kit),
    ("RECORD-ISSUER", governance::record_issuer),
    ("CHAIN-GAP", whole::chain_gap),
    ("CHAIN-FORK", whole::chain_fork),
    ("CHAIN-LACKS", whole::chain_lacks),
    ("CHAIN-OTHER", whole::chain_other),
    ("GAP-ACCEPTED", whole::gap_accepted),
    ("KEY-ATTESTED", keys::key_attested),
    ("KEY-PRACTICE", keys::key_practice),
    ("KEY-NOT-PINNED", trust::key_not_pinned),
    ("KEY-SERIALS", keys::key_serials),
    ("KEY-REPROVISIONED", keys::key_reprovisioned),
    ("KEY-ENROLLED-TWICE", keys::key_enrolled_twice),
    ("KEY-RETIRED-USED", keys::key_retired_used),
    ("KEY-NO-PRESENCE", keys::key_no_presence),
    ("KEY-OVERRIDE", keys::key_override),
    ("RECORD-NO-RIGHT", keys::record_no_right),
    ("POLICY-MISSING", governance::policy_missing),
    ("POLICY-NOT-IN-FORCE", governance::policy_not_in_force),
    ("POLICY-KIND", governance::policy_kind),
    ("POLICY-ROOT", governance::policy_root),
    ("ROSTER-IRREGULAR", governance::roster_irregular),
    ("CHANGE-PENDING", governance::change_pending),
    ("KEY-FROZEN", governance::key_frozen),
    ("KEY-NOT-ADMITTED", governance::key_not_admitted),
    ("OPEN-OPERATOR", openings::open_operator),
    ("OPEN-EMERGENCY", openings::open_emergency),
    ("OPEN-SEALED", openings::open_sealed),
    ("OPEN-GENERATION", openings::open_generation),
    ("OPEN-THRESHOLD", openings::open_threshold),
    ("OPEN-INTENT-LACKING", openings::open_intent_lacking),
    ("OPEN-AFTER-CLOSE", openings::open_after_close),
    ("OPEN-NO-OUTCOME", openings::open_no_outcome),
    ("OPEN-OVERRIDE", openings::open_override),
    ("OPEN-TRIES", openings::open_tries),
    ("OPEN-PRESENCE", openings::open_presence),
    ("MINT-POLICY", mints::mint_policy),
    ("MINT-NO-SLOT", mints::mint_no_slot),
    ("MINT-WITHDRAWN", mints::mint_withdrawn),
    ("MINT-AFTER-CLOSE", mints::mint_after_close),
    ("MINT-NO-OUTCOME", mints::mint_no_outcome),
    ("MINT-INTENT-LACKING", mints::mint_intent_lacking),
    ("MINT-MISMATCH", mints::mint_mismatch),
    ("MINT-NUMBER", mints::mint_number),
    ("MINT-NUMBER-REUSED", mints::mint_number_reused),
    ("MINT-AUTHORITY", mints::mint_authority),
    ("MINT-REVOKED-UNKNOWN", mints::mint_revoked_unknown),
    ("MINT-OVERRIDE", mints::mint_override),
    ("OPEN-UNAPPROVED", approvals::open_unapproved),
    ("OPEN-SKIPPED", approvals::open_skipped),
    ("APPROVAL-SELF", approvals::approval_self),
    ("APPROVAL-NO-ROLE", approvals::approval_no_role),
    ("APPROVAL-OTHER", approvals::approval_other),
    ("APPROVAL-EXPIRED", approvals::approval_expired),
    ("APPROVAL-REUSED", approvals::approval_reused),
    ("APPROVAL-LACKING", approvals::approval_lacking),
    ("INCIDENT-OPEN", duties::incident_open),
    ("INCIDENT-MISUSE", duties::incident_misuse),
    ("CLOSE-DIFFERS", duties::close_differs),
    ("UNREVIEWED", reviews::unreviewed),
    ("REVIEW-DISAGREES", reviews::review_disagrees),
    ("REVIEW-BY-OPERATOR", reviews::review_by_operator),
    ("RESTORE-UNDONE", duties::restore_undone),
    ("SESSIONS-UNDONE", duties::sessions_undone),
    ("TRUST-UNDONE", duties::trust_undone),
    ("KEY-RETURN", duties::key_return),
    ("ACCOUNT-RENEW", duties::account_renew),
    ("NOTIFY-UNDONE", duties::notify_undone),
    ("ROTATE-USED", rotations::rotate_used),
    ("ROTATE-EXPOSED", rotations::rotate_exposed),
    ("ROTATE-PENDING", rotations::rotate_pending),
    ("ROTATE-RETIRED", rotations::rotate_retired),
    ("RECORDS-UPLOAD", duties::records_upload),
    ("PIN-UNCHANGED", duties::pin_unchanged),
    ("PIN-UNBLOCKED", duties::pin_unblocked),
    ("DRILL-OVERDUE", duties::drill_overdue),
    ("DRILL-WITNESS", duties::drill_witness),
    ("DRILL-FAILED", drills::drill_failed),
    ("ENVELOPE-REUSED", duties::envelope_reused),
    ("COUNTER-JUMP", counters::counter_jump),
    ("COUNTER-STANDSTILL", counters::counter_standstill),
    ("COUNTER-REGRESS", counters::counter_regress),
    ("COUNTER-EXPLAINED", counters::counter_explained),
    ("ASSERTION-INVALID", counters::assertion_invalid),
    ("ASSERTION-MISSING", counters::assertion_missing),
    ("SILENCE-UNPROVEN", counters::silence_unproven),
    ("TIME-AHEAD", clocks::time_ahead),
    ("TIME-BEHIND", clocks::time_behind),
    ("TIME-BACKWARDS", clocks::time_backwards),
    ("TIME-UNANCHORED", clocks::time_unanchored),
    ("ANCHOR-UNKNOWN", clocks::anchor_unknown),
    ("LEDGER-CLOCK", clocks::ledger_clock),
    ("CUSTODY-SEAL", custody::custody_seal),
    ("CUSTODY-BAG", custody::custody_bag),
    ("KEY-OUT", custody::key_out),
];

/// Every rule about the ledger as a whole, by its identifier.
pub const LEDGER: &[(&str, OfLedger)] = &[
    ("LINE-UNREADABLE", ledger::line_unreadable),
    ("LINE-NEWER", ledger::line_newer),
    ("BUNDLE-END", ledger::bundle_end),
    ("IMPORT-SHRUNK", ledger::import_shrunk),
    ("RECORDS-KNOWN", ledger::records_known),
    ("KEY-HOMELESS", ledger::key_homeless),
    ("PRACTICE-AMONG-REAL", ledger::practice_among_real),
];

/// A rule tells no more cases than this one by one; of the rest it tells how many.
pub const MOST_CASES: usize = 1_000;

/// What every rule about a kit finds.
pub fn of_kit(case: &Case, told: &Told) -> Vec<Finding> {
    KIT.iter()
        .flat_map(|(id, rule)| capped(id, rule(case, told)))
        .map(|finding| finding.of(case.kit))
        .collect()
}

/// What every rule about the ledger finds.
pub fn of_ledger(books: &Books) -> Vec<Finding> {
    LEDGER.iter().flat_map(|(id, rule)| capped(id, rule(books))).collect()
}

fn capped(id: &str, mut findings: Vec<Finding>) -> Vec<Finding> {
    debug_assert!(findings.iter().all(|finding| finding.rule == id), "{id} finds under another name");
    if findings.len() > MOST_CASES {
        let rest = findings.split_off(MOST_CASES);
        // The gravest of them decides how they count.
        let gravest = rest.iter().min_by_key(|finding| (finding.sort, finding.severity));
        let more = gravest.map(|one| {
            let hashes = rest.iter().filter_map(|finding| finding.records.first().copied());
            Finding { claim: one.claim, ..Finding::new(one.rule, one.sort, one.severity, "") }
                .on(hashes)
                .saying(format!("{} more of the same", rest.len()))
        });
        findings.extend(more);
    }
    findings
}

/// `1 record`, `2 records`.
fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
