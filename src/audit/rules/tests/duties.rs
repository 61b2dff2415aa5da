//! What openings leave to be done, and what has to be done from time to time.

use super::*;

/// A kit of two keys that was opened and left so.
fn opened() -> World {
    let mut world = World::new(2);
    world.seal(1, 2);
    world.open(1);
    world
}

#[test]
fn incident_open_is_due_after_a_day() {
    let mut world = opened();
    none(&world, "INCIDENT-OPEN");
    // By the machines' clocks it is older than a day; the ledger has it for less.
    world.now = NOON + DAY + 3_600;
    let finding = one(&world, "INCIDENT-OPEN", Sort::Due, "was not closed: its last record is 24 hours old");
    assert_eq!((finding.claim, finding.incident.as_deref()), (Claim::Possible, Some(INCIDENT)));
    world.now = NOON + 3 * DAY;
    assert_eq!(one(&world, "INCIDENT-OPEN", Sort::Due, "2 days").claim, Claim::Certain);
    world.close(Verdict::Real);
    none(&world, "INCIDENT-OPEN");
}

#[test]
fn incident_misuse_is_wrong_and_a_drill_is_not() {
    let mut world = opened();
    world.close(Verdict::Drill);
    none(&world, "INCIDENT-MISUSE");
    let mut world = opened();
    world.close(Verdict::Misuse);
    one(&world, "INCIDENT-MISUSE", Sort::Wrong, "was closed as misuse: quorum restored");
}

#[test]
fn unreviewed_is_due_after_the_close_until_somebody_else_judges() {
    let mut world = opened();
    none(&world, "UNREVIEWED");
    world.close(Verdict::Drill);
    let finding =
        one(&world, "UNREVIEWED", Sort::Due, "was closed and not reviewed by someone who did not open");
    assert_eq!(finding.incident.as_deref(), Some(INCIDENT));
    world.review("ada");
    assert_eq!(found(&world, "UNREVIEWED").len(), 1, "ada opened for it");
    world.review("dana");
    none(&world, "UNREVIEWED");
    // What is opened afterwards was not judged.
    world.open(1);
    world.close(Verdict::Real);
    assert_eq!(found(&world, "UNREVIEWED").len(), 1);
}

#[test]
fn review_by_operator_is_wrong_and_one_by_somebody_else_is_not() {
    let mut world = opened();
    world.close(Verdict::Real);
    world.review("dana");
    none(&world, "REVIEW-BY-OPERATOR");
    world.review("ada");
    one(&world, "REVIEW-BY-OPERATOR", Sort::Wrong, "was reviewed by ada, who opened for it");
}

#[test]
fn words_discharge_what_no_other_record_can_show() {
    let mut world = opened();
    let left = |world: &World| -> Vec<String> {
        let debts = world.assess().incidents.remove(0).debts;
        debts.into_iter().filter(|debt| debt.done.is_none()).map(|debt| debt.what).collect()
    };
    let (key, account) =
        ("return the key 20000001".to_owned(), format!("disable or recreate the account {CREDENTIAL}"));
    assert!(left(&world).contains(&key) && left(&world).contains(&account), "{:?}", left(&world));
    world.word("return 20000001");
    world.word(&format!("account {CREDENTIAL}"));
    assert!(!left(&world).contains(&key) && !left(&world).contains(&account), "{:?}", left(&world));
    let facts = IncidentClosed {
        verdict: Verdict::Real,
        outcome: "quorum restored".into(),
        switched_off: vec!["the SCP".into()],
    };
    world.write(0, Event::IncidentClosed(facts));
    let restore = "put back what was switched off: the SCP".to_owned();
    assert!(left(&world).contains(&restore));
    world.word("restore the SCP");
    assert!(!left(&world).contains(&restore));
}

#[test]
fn restore_undone_is_due_until_it_was_put_back() {
    let mut world = opened();
    world.close(Verdict::Real);
    none(&world, "RESTORE-UNDONE");
    let switched_off = vec!["the SCP".into(), "MFA of admins".into()];
    let facts = IncidentClosed { verdict: Verdict::Real, outcome: "quorum restored".into(), switched_off };
    world.write(0, Event::IncidentClosed(facts));
    assert_eq!(found(&world, "RESTORE-UNDONE").len(), 2);
    world.word("restore the SCP");
    let finding = one(&world, "RESTORE-UNDONE", Sort::Due, "was not put back: MFA of admins");
    let next = format!("breakglass discharge {INCIDENT} 'restore MFA of admins' --by NAME --how …");
    assert_eq!((finding.incident.as_deref(), finding.next), (Some(INCIDENT), Some(next)));
    world.word("restore MFA of admins");
    none(&world, "RESTORE-UNDONE");
}

#[test]
fn rotate_used_is_due_until_the_next_generation() {
    let mut world = opened();
    let finding =
        one(&world, "ROTATE-USED", Sort::Due, "core-db/root was opened for 2026-11-21-database-down");
    assert_eq!(finding.next.as_deref(), Some("breakglass rotate core-db/root"));
    assert!(world.assess().credentials[0].rotation_due);
    world.seal(2, 2);
    none(&world, "ROTATE-USED");
}

#[test]
fn rotate_used_is_not_due_where_the_policy_waives_it() {
    let waive =
        "\n[[credential]]\nname = \"core-db/*\"\nrotate-after-use = false\nrotate-waived = \"console\"\n";
    let policy = template("harbour", KitKind::Practice) + waive;
    let mut world = World::founded(2, KitKind::Practice, &policy);
    world.seal(1, 2);
    world.open(1);
    none(&world, "ROTATE-USED");
    assert!(!world.assess().credentials[0].rotation_due);
}

#[test]
fn rotate_pending_is_due_until_it_is_confirmed() {
    let mut world = opened();
    let mut facts = world.sealing(2, 2);
    facts.pending = true;
    let pending = world.write(0, Event::CredentialSealed(facts));
    one(&world, "ROTATE-PENDING", Sort::Due, "generation 2, is sealed and not confirmed");
    assert_eq!(found(&world, "ROTATE-USED").len(), 1, "what is pending replaces nothing");
    world.write(
        0,
        Event::CredentialConfirmed(CredentialConfirmed {
            credential: CREDENTIAL.into(),
            generation: 2,
            sealed: pending.hash(),
        }),
    );
    none(&world, "ROTATE-PENDING");
    none(&world, "ROTATE-USED");
}

#[test]
fn rotate_retired_is_due_while_sealed_to_a_retired_key() {
    let mut world = World::new(3);
    world.seal(1, 1);
    none(&world, "ROTATE-RETIRED");
    for by in [0, 1] {
        world.retire(2, by, 1);
    }
    one(&world, "ROTATE-RETIRED", Sort::Due, "core-db/root is still sealed to 20000003");
    let key = world.keys.pop().unwrap();
    world.fido2.pop();
    world.seal(2, 1);
    world.keys.push(key);
    none(&world, "ROTATE-RETIRED");
}

#[test]
fn pin_unchanged_is_due_for_each_key_that_was_used() {
    let mut world = opened();
    assert_eq!(found(&world, "PIN-UNCHANGED").len(), 2);
    world.write(1, Event::KeyPinChanged(KeyPinChanged { what: "puk".into() }));
    world.write(0, Event::KeyPinChanged(KeyPinChanged { what: "pin".into() }));
    one(&world, "PIN-UNCHANGED", Sort::Due, "the PIN of key 20000002 was used");
    world.write(1, Event::KeyPinChanged(KeyPinChanged { what: "unblock".into() }));
    none(&world, "PIN-UNCHANGED");
}

#[test]
fn pin_unblocked_is_told() {
    let mut world = opened();
    none(&world, "PIN-UNBLOCKED");
    world.write(1, Event::KeyPinChanged(KeyPinChanged { what: "unblock".into() }));
    one(&world, "PIN-UNBLOCKED", Sort::Note, "the PIN of key 20000002 was set anew with the PUK");
}

#[test]
fn drill_witness_cannot_be_checked_of_a_key_that_is_silent() {
    let mut world = World::lived(2);
    world.now = NOON + 89 * DAY;
    none(&world, "DRILL-WITNESS");
    world.now = NOON + 97 * DAY;
    let findings = found(&world, "DRILL-WITNESS");
    assert_eq!(findings.len(), 2);
    assert_eq!(findings[0].text, "key 20000001 has not been heard from for 96 days");
    assert_eq!((findings[0].sort, findings[0].claim), (Sort::CannotCheck, Claim::Certain));
    none(&world, "DRILL-OVERDUE");
}

#[test]
fn drill_overdue_for_a_key_that_signs_and_shows_no_counter() {
    let mut world = World::lived(2);
    world.now = NOON + 97 * DAY;
    world.clock = Some(NOON + 96 * DAY);
    world.received = NOON + 97 * DAY;
    world.write(0, Event::KeyPinChanged(KeyPinChanged { what: "puk".into() }));
    world.witness(1);
    none(&world, "DRILL-WITNESS");
    let finding =
        one(&world, "DRILL-OVERDUE", Sort::Due, "key 20000001 has not shown its FIDO2 counter for 9");
    assert_eq!(finding.claim, Claim::Possible, "only claimed times say so");
}

#[test]
fn drill_failed_is_due_until_the_key_proves_itself() {
    let mut world = World::lived(2);
    world.drill(0, None);
    none(&world, "DRILL-FAILED");
    for rule in ["ROTATE-USED", "PIN-UNCHANGED", "ASSERTION-MISSING", "ASSERTION-INVALID", "COUNTER-JUMP"] {
        none(&world, rule); // a drill is no opening, and on record
    }
    world.drill(1, Some("the key was not touched in time"));
    let text =
        "the drill of core-db/root, generation 2, with key 20000002 failed: the key was not touched in time";
    let finding = one(&world, "DRILL-FAILED", Sort::Due, text);
    assert_eq!(finding.next.as_deref(), Some("breakglass drill core-db/root --key 20000002"));
    // The other key proves nothing for this one.
    world.drill(0, None);
    one(&world, "DRILL-FAILED", Sort::Due, text);
    world.drill(1, None);
    one(&world, "DRILL-FAILED", Sort::Note, text);
    let assessment = world.assess();
    let proven: Vec<bool> = assessment.drills.iter().map(|drill| drill.proven).collect();
    assert_eq!(proven.iter().filter(|proven| **proven).count(), 3);
    assert_eq!(assessment.incidents.len(), 1, "a drill is no incident");
}

#[test]
fn drill_failed_of_a_drill_without_end_or_of_an_old_generation_is_a_note() {
    let mut world = World::lived(2);
    world.drill(0, Some("the file is not sealed for this key"));
    world.seal(3, 2);
    one(&world, "DRILL-FAILED", Sort::Note, "the file is not sealed for this key");
    let mut world = World::lived(2);
    world.begin_drill(0);
    one(&world, "DRILL-FAILED", Sort::Note, "was begun, and no record tells the end");
}

#[test]
fn drill_overdue_is_put_off_by_a_drill() {
    let mut world = World::lived(2);
    world.clock = Some(NOON + 96 * DAY);
    world.now = NOON + 97 * DAY;
    world.received = NOON + 97 * DAY;
    for key in [0, 1] {
        world.drill(key, None);
    }
    none(&world, "DRILL-OVERDUE");
    none(&world, "DRILL-WITNESS");
}

#[test]
fn envelope_reused_is_told() {
    let mut world = opened();
    none(&world, "ENVELOPE-REUSED");
    let facts = CredentialSealed { generation: 2, folder: "2-0a1b2c3d".into(), ..world.sealing(1, 2) };
    world.write(0, Event::CredentialSealed(facts));
    let findings = found(&world, "ENVELOPE-REUSED");
    assert_eq!(findings.len(), 2, "one for each key");
    assert!(findings[0].text.contains("generation 1; core-db/root, generation 2"), "{}", findings[0].text);
}
