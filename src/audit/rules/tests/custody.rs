//! Keys that are taken out of their bags, and put away.

use super::*;

/// A kit of two keys, whose policy says where the first lies.
fn world() -> World {
    let policy = template("harbour", KitKind::Practice)
        + "[[key]]\nserial = 20000001\nplace = \"safe A\"\nbag = \"0417\"\n";
    World::founded(2, KitKind::Practice, &policy)
}

fn out(world: &mut World, bag: &str, seal: SealSeen) -> Record {
    let facts = KeyCheckedOut {
        serial: world.keys[0].serial,
        key: world.id(0),
        bag: bag.into(),
        seal,
        person: "ada".into(),
        witness: "bob".into(),
        why: "INC-4711".into(),
    };
    world.write(0, Event::KeyCheckedOut(facts))
}

fn back(world: &mut World, bag: &str) -> Record {
    let facts = KeyCheckedIn {
        serial: world.keys[0].serial,
        key: world.id(0),
        place: "safe B".into(),
        bag: bag.into(),
        person: "ada".into(),
        witness: "bob".into(),
    };
    world.write(0, Event::KeyCheckedIn(facts))
}

#[test]
fn custody_seal_is_wrong_where_it_was_broken_until_the_pin_is_new_and_the_key_put_away() {
    let mut world = world();
    out(&mut world, "0417", SealSeen::Intact);
    back(&mut world, "0502");
    none(&world, "CUSTODY-SEAL");
    let record = out(&mut world, "0502", SealSeen::Broken);
    let finding =
        one(&world, "CUSTODY-SEAL", Sort::Wrong, "ada and bob found the seal of key 20000001 broken");
    assert_eq!(finding.records, [record.hash()]);
    back(&mut world, "0503");
    one(&world, "CUSTODY-SEAL", Sort::Wrong, "broken");
    world.change_pins();
    out(&mut world, "0503", SealSeen::Intact);
    back(&mut world, "0504");
    one(&world, "CUSTODY-SEAL", Sort::Note, "settled since");
}

#[test]
fn custody_seal_cannot_be_checked_where_there_was_none() {
    let mut world = world();
    out(&mut world, "0417", SealSeen::None);
    one(&world, "CUSTODY-SEAL", Sort::CannotCheck, "no seal on the bag of key 20000001");
}

#[test]
fn custody_seal_is_history_of_a_key_that_was_retired() {
    let mut world = World::new(3);
    out(&mut world, "", SealSeen::Broken);
    let last = world.keys[0].records.len() as u64 - 1;
    world.retire(0, 1, last);
    world.retire(0, 2, last);
    one(&world, "CUSTODY-SEAL", Sort::Note, "settled since");
}

#[test]
fn custody_bag_is_wrong_where_another_number_was_read() {
    let mut world = world();
    out(&mut world, "0417", SealSeen::Intact);
    none(&world, "CUSTODY-BAG");
    back(&mut world, "0502");
    out(&mut world, "0417", SealSeen::Intact);
    one(
        &world,
        "CUSTODY-BAG",
        Sort::Wrong,
        "number 0417 on the bag of key 20000001, which should have been 0502",
    );
}

#[test]
fn key_out_is_due_after_a_day() {
    let mut world = world();
    out(&mut world, "0417", SealSeen::Intact);
    none(&world, "KEY-OUT");
    world.now = NOON + 3 * DAY;
    let finding = one(&world, "KEY-OUT", Sort::Due, "key 20000001 has been out of its bag for");
    assert!(finding.next.is_some_and(|next| next.starts_with("breakglass key checkin 20000001")));
    back(&mut world, "0502");
    none(&world, "KEY-OUT");
}

#[test]
fn moves_are_told_with_their_key_and_the_last_check_in_says_where_it_lies() {
    let mut world = world();
    let place = |world: &World| world.assess().keys[0].place.clone();
    assert_eq!(place(&world).as_deref(), Some("safe A, bag 0417"));
    out(&mut world, "0417", SealSeen::Intact);
    assert_eq!(place(&world).as_deref(), Some("out, with ada"));
    back(&mut world, "0502");
    let assessment = world.assess();
    let key = &assessment.keys[0];
    assert_eq!(key.place.as_deref(), Some("safe B, bag 0502"));
    let told: Vec<&str> = key.moves.iter().map(|one| one.what).collect();
    assert_eq!(told, ["out", "in"]);
    assert_eq!(assessment.keys[1].moves.len(), 0);
}

#[test]
fn moves_that_a_stranger_signed_do_not_count() {
    let mut world = World::new(1);
    let mut stranger = Writer::new(7);
    let enrolment = stranger.enrolment();
    stranger.write(enrolment);
    stranger.kit = Some(world.kit());
    world.fido2.push(stranger.authenticator());
    world.keys.push(stranger);
    let facts = KeyCheckedOut {
        serial: world.keys[0].serial,
        key: world.id(0),
        bag: String::new(),
        seal: SealSeen::Broken,
        person: "ada".into(),
        witness: "bob".into(),
        why: "none".into(),
    };
    world.write(1, Event::KeyCheckedOut(facts));
    none(&world, "CUSTODY-SEAL");
    one(&world, "RECORD-NO-RIGHT", Sort::Wrong, "key.checked-out");
}
