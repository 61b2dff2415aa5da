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
fn incident_open_names_a_command_that_can_be_pasted_whatever_the_incident_is_called() {
    let mut world = World::new(1);
    world.seal(1, 1);
    let intent = Event::OpenIntent(world.intent());
    let mut draft = world.draft(0, intent);
    draft.txn = Some("it's down; touch /tmp/x".into());
    world.sign(0, draft);
    world.now = NOON + 3 * DAY;
    let finding = one(&world, "INCIDENT-OPEN", Sort::Due, "was not closed");
    let next = r"breakglass close 'it'\''s down; touch /tmp/x' --verdict … --outcome …";
    assert_eq!(finding.next.as_deref(), Some(next));
}

#[test]
fn incident_misuse_is_wrong_and_a_drill_is_not() {
    let mut world = opened();
    world.close(Verdict::Drill);
    none(&world, "INCIDENT-MISUSE");
    let mut world = opened();
    world.close(Verdict::Misuse);
    one(&world, "INCIDENT-MISUSE", Sort::Wrong, "was closed as misuse: quorum restored");
    // No later word takes it back, neither of another person nor after another opening.
    world.close(Verdict::Real);
    let taken_back = "was closed as misuse: quorum restored; another close calls it real";
    one(&world, "INCIDENT-MISUSE", Sort::Wrong, taken_back);
    world.open(1);
    one(&world, "INCIDENT-MISUSE", Sort::Wrong, "was closed as misuse: quorum restored");
}

#[test]
fn close_differs_where_two_closes_call_an_incident_by_other_words() {
    let mut world = opened();
    world.close(Verdict::Real);
    world.close(Verdict::Real);
    none(&world, "CLOSE-DIFFERS");
    world.close(Verdict::FalseAlarm);
    let finding = one(
        &world,
        "CLOSE-DIFFERS",
        Sort::Note,
        "was closed 3 times, and not always as the same: false-alarm, real",
    );
    assert_eq!((finding.records.len(), finding.incident.as_deref()), (3, Some(INCIDENT)));
}

#[test]
fn key_return_is_due_of_each_key_until_a_word_says_so() {
    let mut world = opened();
    assert_eq!(found(&world, "KEY-RETURN").len(), 2);
    world.word("return 20000001");
    let finding =
        one(&world, "KEY-RETURN", Sort::Due, "nobody has said that this was done: return the key 20000002");
    let next = format!("breakglass discharge {INCIDENT} 'return 20000002' --by NAME --how …");
    assert_eq!((finding.next, finding.records.len()), (Some(next), 1));
    world.word("return 20000002");
    none(&world, "KEY-RETURN");
}

#[test]
fn account_renew_is_due_until_a_word_says_so() {
    let mut world = World::new(1);
    none(&world, "ACCOUNT-RENEW");
    world.seal(1, 1);
    world.open(1);
    let told = "disable or recreate the account core-db/root";
    assert_eq!(one(&world, "ACCOUNT-RENEW", Sort::Due, told).incident.as_deref(), Some(INCIDENT));
    world.word("account core-db/root");
    none(&world, "ACCOUNT-RENEW");
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
fn review_disagrees_is_wrong_if_it_counts() {
    let mut world = opened();
    world.close(Verdict::Real);
    world.review("dana");
    none(&world, "REVIEW-DISAGREES");
    let disagrees = |by: &str| {
        let text = "this was theft".to_owned();
        let judgement = Judgement::Disagree;
        Event::IncidentReviewed(IncidentReviewed { by: by.into(), judgement, text, lesson: None })
    };
    world.write(0, disagrees("ada"));
    none(&world, "REVIEW-DISAGREES");
    world.write(0, disagrees("dana"));
    let told = format!("dana does not agree with what was done in {INCIDENT}: this was theft");
    one(&world, "REVIEW-DISAGREES", Sort::Wrong, &told);
    none(&world, "UNREVIEWED");
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
fn pin_unchanged_and_the_return_are_not_owed_of_a_key_that_was_retired() {
    let mut world = World::new(3);
    world.seal(1, 2);
    world.open(1);
    let of_the_last = |world: &World| -> Vec<String> {
        let debts = world.assess().incidents.remove(0).debts.into_iter();
        let open = debts.filter(|debt| debt.done.is_none() && debt.what.contains("20000003"));
        open.map(|debt| debt.what).collect()
    };
    assert_eq!(of_the_last(&world), ["change the PIN of 20000003", "return the key 20000003"]);
    let last = world.keys[2].records.last().unwrap().link.seq;
    for by in [0, 1] {
        world.retire(2, by, last);
    }
    assert!(of_the_last(&world).is_empty());
    assert!(found(&world, "PIN-UNCHANGED").iter().all(|finding| !finding.text.contains("20000003")));
}

#[test]
fn records_upload_is_due_until_a_signed_export_has_all_of_it() {
    let mut world = opened();
    let finding = one(&world, "RECORDS-UPLOAD", Sort::Due, "no signed export has all records of");
    assert_eq!(finding.incident.as_deref(), Some(INCIDENT));
    assert_eq!(finding.next.as_deref(), Some("breakglass records export DIR --with SERIAL"));
    let last = world.keys[0].records.last().unwrap();
    let heads = [(world.chain(0), (last.link.seq, last.hash()))].into();
    world.write(0, Event::Exported(Exported { count: 1, bundle: Hash::of(b"bundle"), heads }));
    assert_eq!(found(&world, "RECORDS-UPLOAD").len(), 1, "of the other chain it has nothing");
    world.export();
    none(&world, "RECORDS-UPLOAD");
    // What was done since is to be given, too.
    world.close(Verdict::Real);
    assert_eq!(found(&world, "RECORDS-UPLOAD").len(), 1);
    let origin = "https://ledger.example.org".to_owned();
    let facts = LedgerAnchored { checkpoint: Hash::of(b"checkpoint"), origin, size: 9 };
    world.write(1, Event::LedgerAnchored(facts.clone()));
    none(&world, "RECORDS-UPLOAD");
    // A clock that was set back: what its writer had seen counts, and without it the time that it claims.
    let closed = world.close(Verdict::Real);
    world.clock = Some(closed.iat - DAY);
    let mut unaware = world.draft(1, Event::LedgerAnchored(facts.clone()));
    unaware.link.seen.clear();
    world.sign(1, unaware);
    assert_eq!(found(&world, "RECORDS-UPLOAD").len(), 1);
    world.write(1, Event::LedgerAnchored(facts));
    none(&world, "RECORDS-UPLOAD");
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
