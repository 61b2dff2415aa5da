//! Claimed times against what is known of them.

use super::*;

#[test]
fn time_ahead_of_the_ledger_is_certain() {
    let mut world = World::lived(2);
    none(&world, "TIME-AHEAD");
    world.clock = Some(world.received + DAY);
    let record = world.write(1, Event::KeyPinChanged(KeyPinChanged { what: "puk".into() }));
    let finding = one(
        &world,
        "TIME-AHEAD",
        Sort::Wrong,
        "key 20000002: a record claims a time after it was known, by up to 24 hours",
    );
    assert_eq!((finding.claim, &finding.records[..]), (Claim::Certain, &[record.hash()][..]));
}

#[test]
fn time_ahead_of_what_was_built_on_it_is_found_too() {
    // The record came in late; what had seen it came in early.
    let mut world = World::lived(2);
    world.clock = Some(NOON + 2 * 3_600);
    let early = world.write(0, Event::KeyPinChanged(KeyPinChanged { what: "puk".into() }));
    world.clock = None;
    world.write(1, Event::KeyPinChanged(KeyPinChanged { what: "puk".into() }));
    let mut ledger = Sqlite::in_memory();
    ledger.put_policy(&world.policy).unwrap();
    world.put(&mut ledger, &world.keys[1].records);
    world.received += DAY;
    world.now += DAY;
    world.put(&mut ledger, &world.keys[0].records);
    let assessment = assess(&mut ledger, &world.kit(), world.now).unwrap();
    let findings = of_rule(assessment, "TIME-AHEAD");
    assert_eq!(
        findings.iter().map(|finding| &finding.records[..]).collect::<Vec<_>>(),
        [&[early.hash()][..]]
    );
}

#[test]
fn time_behind_the_checkpoint_that_it_is_built_on_is_certain() {
    let mut world = World::lived(1);
    let mut ledger = Sqlite::in_memory();
    let text = "a checkpoint";
    ledger.put_checkpoint(text, 0, NOON + 3_000).unwrap();
    let anchored = LedgerAnchored { checkpoint: Hash::of(text.as_bytes()), origin: "ledger".into(), size: 0 };
    world.clock = Some(NOON + 3_000);
    world.write(0, Event::LedgerAnchored(anchored));
    world.clock = Some(NOON + 2_900);
    world.write(0, Event::KeyPinChanged(KeyPinChanged { what: "puk".into() }));
    let judge = |world: &World, ledger: &mut Sqlite| {
        world.put(ledger, &world.keys[0].records);
        ledger.put_policy(&world.policy).unwrap();
        assess(ledger, &world.kit(), NOW).unwrap()
    };
    let assessment = judge(&world, &mut ledger);
    assert_eq!(assessment.keys[0].last.as_ref().unwrap().time.lower, Some(NOON + 3_000));
    assert_eq!(of_rule(assessment.clone(), "TIME-BEHIND"), []);
    assert_eq!(of_rule(assessment, "TIME-UNANCHORED"), []);
    world.clock = Some(NOON);
    let late = world.write(0, Event::KeyPinChanged(KeyPinChanged { what: "puk".into() }));
    let findings = of_rule(judge(&world, &mut ledger), "TIME-BEHIND");
    assert_eq!(findings.iter().map(|finding| &finding.records[..]).collect::<Vec<_>>(), [&[late.hash()][..]]);
    assert!(findings[0].text.contains("by up to 50 minutes"), "{}", findings[0].text);
}

#[test]
fn time_backwards_along_a_chain_and_against_what_was_seen() {
    let mut world = World::lived(2);
    none(&world, "TIME-BACKWARDS");
    world.clock = Some(NOON - DAY);
    world.write(1, Event::KeyPinChanged(KeyPinChanged { what: "puk".into() }));
    one(
        &world,
        "TIME-BACKWARDS",
        Sort::Wrong,
        "key 20000002: a record claims an earlier time than one it was made after",
    );
    let mut world = World::lived(2);
    let other = world.keys[0].records.last().unwrap().iat;
    world.clock = Some(other + 1_800);
    world.write(0, Event::KeyPinChanged(KeyPinChanged { what: "puk".into() }));
    world.clock = Some(other);
    world.write(1, Event::KeyPinChanged(KeyPinChanged { what: "puk".into() }));
    one(&world, "TIME-BACKWARDS", Sort::Wrong, "by up to 30 minutes");
}

#[test]
fn time_unanchored_is_not_checked() {
    one(&World::lived(1), "TIME-UNANCHORED", Sort::NotChecked, "no record names a checkpoint");
}

#[test]
fn anchor_unknown_is_told_with_the_name_of_the_ledger() {
    let mut world = World::lived(1);
    none(&world, "ANCHOR-UNKNOWN");
    let anchored =
        LedgerAnchored { checkpoint: Hash::of(b"of another"), origin: "audit.example".into(), size: 9 };
    world.write(0, Event::LedgerAnchored(anchored));
    one(
        &world,
        "ANCHOR-UNKNOWN",
        Sort::CannotCheck,
        "a checkpoint of the ledger audit.example that this ledger has not made",
    );
    one(&world, "TIME-UNANCHORED", Sort::NotChecked, "no record names a checkpoint");
}

#[test]
fn ledger_clock_that_contradicts_itself_makes_everything_possible_at_most() {
    let mut world = World::lived(2);
    world.clock = Some(world.received + DAY);
    world.write(1, Event::KeyPinChanged(KeyPinChanged { what: "puk".into() }));
    none(&world, "LEDGER-CLOCK");
    // The records came in an hour after it is now.
    world.now = world.received - 3_600;
    one(&world, "LEDGER-CLOCK", Sort::CannotCheck, "contradicts itself");
    assert_eq!(one(&world, "TIME-AHEAD", Sort::Wrong, "24 hours").claim, Claim::Possible);
}
