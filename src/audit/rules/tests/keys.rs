//! Whether the kit and each key are what they say.

use super::*;
use crate::attestation::Serial;

/// A key that nobody of the kit knows.
fn foreign(world: &World) -> Writer {
    let mut key = Writer::new(9);
    let enrolment = key.enrolment();
    key.write(enrolment);
    key.kit = Some(world.kit());
    key
}

#[test]
fn kit_untrusted_unless_words_were_compared_or_its_founder_is_pinned() {
    let mut world = World::lived(2);
    none(&world, "KIT-UNTRUSTED");
    world.trust = None;
    let finding = one(&world, "KIT-UNTRUSTED", Sort::CannotCheck, "nobody has confirmed the kit");
    assert!(finding.next.unwrap().contains("breakglass-audit trust "));
    assert_eq!(world.assess().trusted, None);
    world.trust = Some(Trust::Pinned(vec![world.id(0), world.id(1)]));
    none(&world, "KIT-UNTRUSTED");
    world.trust = Some(Trust::Pinned(vec![world.id(1)]));
    one(&world, "KIT-UNTRUSTED", Sort::CannotCheck, "do not include the one that founded it");
}

#[test]
fn key_not_pinned_is_told() {
    let mut world = World::lived(2);
    world.trust = Some(Trust::Pinned(vec![world.id(0), world.id(1)]));
    none(&world, "KEY-NOT-PINNED");
    world.trust = Some(Trust::Pinned(vec![world.id(0)]));
    one(&world, "KEY-NOT-PINNED", Sort::CannotCheck, "key 20000002 belongs to the kit");
}

#[test]
fn kit_founding_that_has_not_come_in_leaves_everything_open() {
    let mut world = World::lived(2);
    none(&world, "KIT-FOUNDING");
    let kit = world.kit();
    world.keys[0].records.remove(1);
    let mut ledger = world.ledger();
    let findings = of_rule(assess(&mut ledger, &kit, NOW).unwrap(), "KIT-FOUNDING");
    assert_eq!(findings.iter().map(|finding| finding.sort).collect::<Vec<_>>(), [Sort::CannotCheck]);
}

#[test]
fn kit_practice_is_told_and_a_real_kit_is_none() {
    one(&World::lived(1), "KIT-PRACTICE", Sort::Note, "practice kit");
    none(&World::founded(1, KitKind::Real, &template("harbour", KitKind::Real)), "KIT-PRACTICE");
}

#[test]
fn key_attested_is_wrong_in_a_real_kit_and_not_checked_in_a_practice_kit() {
    let world = World::founded(1, KitKind::Real, &template("harbour", KitKind::Real));
    let finding = one(&world, "KEY-ATTESTED", Sort::Wrong, "key 20000001: the attestation of slot 9C");
    assert_eq!(finding.severity, Severity::Critical);
    one(&World::new(1), "KEY-ATTESTED", Sort::NotChecked, "a practice key proves nothing of itself");
}

#[test]
fn key_attested_or_its_counter_proves_nothing() {
    let periods = |kind| {
        let mut world = World::founded(1, kind, &template("harbour", kind));
        world.witness(0);
        world.assess().keys.remove(0).periods
    };
    assert_eq!(periods(KitKind::Practice)[0].use_of_it, Use::ProvenUnused);
    // Of a key that has shown once that there is a copy of it nothing is proven, before or after.
    let mut copied = World::new(1);
    copied.witness(0);
    copied.fido2[0].counter -= 1;
    copied.witness(0);
    copied.witness(0);
    for period in copied.assess().keys.remove(0).periods {
        assert!(matches!(period.use_of_it, Use::CannotBeProven(_)), "{period:?}");
    }
    let why = "its attestations do not bear out its enrolment";
    for period in periods(KitKind::Real) {
        assert_eq!(period.use_of_it, Use::CannotBeProven(why.into()));
    }
}

#[test]
fn key_practice_in_a_real_kit_is_found() {
    let world = World::founded(1, KitKind::Real, &template("harbour", KitKind::Real));
    one(&world, "KEY-PRACTICE", Sort::Wrong, "key 20000001 is a practice key");
    none(&World::new(1), "KEY-PRACTICE");
}

#[test]
fn key_serials_of_one_private_key_are_found() {
    let mut world = World::lived(2);
    none(&world, "KEY-SERIALS");
    let mut copy = Writer::new(2);
    copy.serial = crate::attestation::Serial(20_000_077);
    let enrolment = copy.enrolment();
    copy.write(enrolment);
    copy.kit = Some(world.kit());
    copy.write(Event::KeyPinChanged(KeyPinChanged { what: "pin".into() }));
    world.keys.push(copy);
    one(&world, "KEY-SERIALS", Sort::Wrong, "keys 20000002 and 20000077 sign with the same private key");
}

#[test]
fn key_serials_show_without_a_second_enrolment() {
    let mut world = World::lived(2);
    let mut copy = world.keys[1].draft(Event::KeyPinChanged(KeyPinChanged { what: "puk".into() }));
    copy.serial = crate::attestation::Serial(20_000_078);
    world.sign(1, copy);
    one(&world, "KEY-SERIALS", Sort::Wrong, "keys 20000002 and 20000078");
}

#[test]
fn key_reprovisioned_is_in_order_only_once_the_first_was_retired() {
    let mut world = World::lived(3);
    none(&world, "KEY-REPROVISIONED");
    let mut again = foreign(&world);
    again.records.clear();
    again.serial = world.keys[2].serial;
    again.kit = None;
    let enrolment = again.enrolment();
    again.write(enrolment);
    again.kit = Some(world.kit());
    again.write(Event::KeyPinChanged(KeyPinChanged { what: "pin".into() }));
    world.keys.push(again);
    one(&world, "KEY-REPROVISIONED", Sort::Wrong, "2 of its signing keys are not retired");
    for by in [0, 1] {
        world.retire(2, by, 99);
    }
    one(&world, "KEY-REPROVISIONED", Sort::Note, "all before the last were retired");
}

#[test]
fn key_enrolled_twice_is_found() {
    let mut world = World::lived(2);
    none(&world, "KEY-ENROLLED-TWICE");
    let mut twin = Writer::new(2);
    let Event::KeyEnrolled(mut facts) = twin.enrolment() else { panic!("an enrolment") };
    facts.root = "other".into();
    let second = twin.write(Event::KeyEnrolled(facts));
    world.keys[1].records.push(second);
    one(&world, "KEY-ENROLLED-TWICE", Sort::Wrong, "key 20000002 was enrolled 2 times");
}

#[test]
fn key_retired_used_after_its_last_known_record_is_found() {
    let mut world = World::lived(3);
    let last = world.keys[2].records.len() as u64 - 1;
    for by in [0, 1] {
        world.retire(2, by, last);
    }
    none(&world, "KEY-RETIRED-USED");
    world.begin(2);
    let finding =
        one(&world, "KEY-RETIRED-USED", Sort::Wrong, "signed 2 records after it: open.asserted, open.intent");
    assert_eq!((finding.severity, finding.records.len()), (Severity::Critical, 2));
    assert!(
        finding.text.ends_with(&format!("; opened with it: {CREDENTIAL}; for {INCIDENT}")),
        "{}",
        finding.text
    );
    assert_eq!(finding.incident.as_deref(), Some(INCIDENT));
    assert!(finding.next.is_some_and(|next| next.starts_with("breakglass rotate core-db/root")));
    assert_eq!(world.assess().keys[2].standing, "retired");
    assert_eq!(world.assess().outside.len(), 1);
}

#[test]
fn record_no_right_of_a_foreign_key_is_found() {
    let mut world = World::lived(2);
    let mut key = foreign(&world);
    key.write(Event::KeyPinChanged(KeyPinChanged { what: "pin".into() }));
    world.keys.push(key);
    none(&world, "RECORD-NO-RIGHT");
    one(&world, "KEY-NOT-ADMITTED", Sort::Note, "key 20000009 is enrolled and not admitted");
    let intent = Event::OpenIntent(world.intent());
    world.write(2, intent);
    let finding = one(&world, "RECORD-NO-RIGHT", Sort::Wrong, "key 20000009 was never admitted to the kit");
    assert!(finding.text.contains("(open.intent)"), "{}", finding.text);
}

#[test]
fn record_no_right_is_all_that_a_foreign_key_brings_about() {
    // An opening that stopped half way, and a drill that failed.
    let mut world = World::new(2);
    world.seal(1, 2);
    let begun = world.begin(0);
    let drill = world.drill(1, Some("the key was not touched in time"));
    let Event::DrillEnded(ended) = drill.event.clone() else { panic!("an end") };
    let before = world.assess();
    // A key that nobody admitted says that the one came to its end, and the other too; and it opens and closes for itself.
    let mut key = foreign(&world);
    key.serial = Serial(1); // its chain is read before all others
    key.records.clear();
    let enrolment = key.enrolment();
    key.write(enrolment);
    key.kit = Some(world.kit());
    world.keys.push(key);
    let (credential, output) = (CREDENTIAL.to_owned(), "terminal".to_owned());
    let released = OpenReleased { credential, generation: 1, intents: vec![begun.hash()], output };
    world.write(2, Event::OpenReleased(released.clone()));
    world.write(2, Event::DrillEnded(DrillEnded { proven: true, failed: None, ..ended }));
    let intent = Event::OpenIntent(world.intent());
    let mut draft = world.draft(2, intent);
    draft.txn = Some("2026-11-21-made-up".into());
    let own = world.sign(2, draft);
    let mut draft =
        world.draft(2, Event::OpenReleased(OpenReleased { intents: vec![own.hash()], ..released }));
    draft.txn = Some("2026-11-21-made-up".into());
    world.sign(2, draft);
    let after = world.assess();
    let names = |assessment: &Assessment| -> Vec<(String, usize, bool)> {
        let told = assessment.incidents.iter();
        told.map(|it| (it.name.clone(), it.openings.len(), it.openings[0].released.is_some())).collect()
    };
    assert_eq!(names(&after), names(&before));
    let texts = |assessment: Assessment, rule| -> Vec<(Sort, String)> {
        of_rule(assessment, rule).into_iter().map(|finding| (finding.sort, finding.text)).collect()
    };
    for rule in ["OPEN-NO-OUTCOME", "DRILL-FAILED", "OPEN-THRESHOLD", "OPEN-INTENT-LACKING"] {
        assert_eq!(texts(world.assess(), rule), texts(before.clone(), rule), "{rule}");
    }
    one(&world, "RECORD-NO-RIGHT", Sort::Wrong, "key 1 was never admitted to the kit and signed 4 records");
}

#[test]
fn key_no_presence_is_told() {
    let mut world = World::new(1);
    none(&world, "KEY-NO-PRESENCE");
    let mut key = Writer::new(9);
    let Event::KeyEnrolled(mut facts) = key.enrolment() else { panic!("an enrolment") };
    facts.presence = None;
    key.write(Event::KeyEnrolled(facts));
    key.kit = Some(world.kit());
    key.write(Event::KeyPinChanged(KeyPinChanged { what: "pin".into() }));
    world.keys.push(key);
    one(&world, "KEY-NO-PRESENCE", Sort::Note, "key 20000009 has no 9E key");
}

#[test]
fn key_override_is_told_with_its_reason() {
    let mut world = World::new(1);
    none(&world, "KEY-OVERRIDE");
    let mut key = Writer::new(9);
    let Event::KeyEnrolled(mut facts) = key.enrolment() else { panic!("an enrolment") };
    facts.overrides = vec![Override { rule: "YSA-2024-03".into(), why: "no newer key at hand".into() }];
    key.write(Event::KeyEnrolled(facts));
    key.kit = Some(world.kit());
    key.write(Event::KeyPinChanged(KeyPinChanged { what: "pin".into() }));
    world.keys.push(key);
    one(&world, "KEY-OVERRIDE", Sort::Note, "although YSA-2024-03 spoke against it: no newer key at hand");
}
