//! What the keys' FIDO2 counters show.

use super::*;

#[test]
fn counter_jump_is_certain_on_a_key_with_a_fixed_step() {
    let mut world = World::lived(2);
    none(&world, "COUNTER-JUMP");
    world.fido2[1].counter += 1;
    world.witness(1);
    let finding = one(
        &world,
        "COUNTER-JUMP",
        Sort::Wrong,
        "key 20000002 was used once on or after 2026-11-21 without a record",
    );
    assert_eq!((finding.severity, finding.claim), (Severity::Critical, Claim::Certain));
    let assessment = world.assess();
    let used =
        |period: &crate::audit::assessment::Period| period.use_of_it == Use::Used { times: 1, certain: true };
    assert!(assessment.keys[1].periods.iter().any(used), "{:?}", assessment.keys[1].periods);
}

#[test]
fn counter_jump_is_possible_where_records_are_lacking() {
    let mut world = World::lived(2);
    world.witness(1);
    world.witness(1);
    let end = world.keys[1].records.len();
    world.keys[1].records.drain(end - 4..end - 2);
    let finding =
        one(&world, "COUNTER-JUMP", Sort::CannotCheck, "or the records that are lacking tell of it");
    assert_eq!(finding.claim, Claim::Possible);
}

#[test]
fn counter_jump_cannot_be_told_on_a_key_without_a_fixed_step() {
    let mut world = World::new(1);
    let mut key = Writer::new(9);
    let mut side = key.authenticator();
    let Event::KeyEnrolled(mut facts) = key.fido2_enrolment(&mut side) else { panic!("an enrolment") };
    facts.fido2.as_mut().unwrap().profile = CounterProfile::Monotonic;
    key.write(Event::KeyEnrolled(facts));
    key.kit = Some(world.kit());
    world.keys.push(key);
    world.fido2.push(side);
    world.admit(1, 0);
    world.witness(1);
    none(&world, "COUNTER-JUMP");
    world.fido2[1].counter += 3;
    world.witness(1);
    let finding =
        one(&world, "COUNTER-JUMP", Sort::CannotCheck, "cannot be told: its counter moves by no fixed step");
    assert_eq!(finding.claim, Claim::Possible);
    world.witness(0);
    one(&world, "SILENCE-UNPROVEN", Sort::NotChecked, "key 20000009");
}

#[test]
fn counter_standstill_is_found() {
    let mut world = World::lived(2);
    none(&world, "COUNTER-STANDSTILL");
    world.fido2[1].counter -= 1;
    world.witness(1);
    one(&world, "COUNTER-STANDSTILL", Sort::Wrong, "its counter stands at 42 as before");
}

#[test]
fn counter_regress_is_found() {
    let mut world = World::lived(2);
    none(&world, "COUNTER-REGRESS");
    world.fido2[1].counter -= 2;
    world.witness(1);
    one(&world, "COUNTER-REGRESS", Sort::Wrong, "its counter went from 42 to 41");
}

#[test]
fn counter_explained_by_an_opening_that_stopped_half_way() {
    let mut world = World::lived(2);
    none(&world, "COUNTER-EXPLAINED");
    none(&world, "ASSERTION-MISSING");
    // The assertion was made and the machine went down before it was recorded.
    let intent = Event::OpenIntent(world.intent());
    let intent = world.write(1, intent);
    let _lost = world.fido2[1].asserted(&intent, None);
    world.witness(1);
    one(&world, "COUNTER-EXPLAINED", Sort::Note, "openings that stopped in between account for it");
    none(&world, "COUNTER-JUMP");
}

#[test]
fn assertion_missing_after_an_intent_is_told() {
    let mut world = World::lived(2);
    none(&world, "ASSERTION-MISSING");
    let intent = Event::OpenIntent(world.intent());
    world.write(1, intent);
    one(&world, "ASSERTION-MISSING", Sort::Note, "no assertion follows the open.intent");
}

#[test]
fn assertion_invalid_is_found_and_one_over_a_lost_record_is_not_checked() {
    let mut world = World::lived(2);
    none(&world, "ASSERTION-INVALID");
    let witness = world.write(1, Event::KeyWitness(KeyWitness { nonce: Random([1; 32]) }));
    let by_another = world.fido2[0].asserted(&witness, None);
    world.write(1, by_another);
    one(
        &world,
        "ASSERTION-INVALID",
        Sort::Wrong,
        "is no good evidence: the assertion's signature does not verify",
    );
    let mut world = World::lived(2);
    world.witness(1);
    let end = world.keys[1].records.len();
    world.keys[1].records.remove(end - 2);
    one(&world, "ASSERTION-INVALID", Sort::CannotCheck, "is over a record that the ledger lacks");
}

#[test]
fn silence_unproven_of_a_key_without_fido2() {
    let mut world = World::lived(1);
    none(&world, "SILENCE-UNPROVEN");
    let mut key = Writer::new(9);
    let enrolment = key.enrolment();
    key.write(enrolment);
    key.kit = Some(world.kit());
    world.keys.push(key);
    world.admit(1, 0);
    one(
        &world,
        "SILENCE-UNPROVEN",
        Sort::NotChecked,
        "key 20000009 was not used without a record was never proven",
    );
}
