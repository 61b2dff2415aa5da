use super::*;
use crate::kit::policy::template;
use crate::record::event::{KeyCheckedIn, KeyCheckedOut, KeyPinChanged, KitKind};
use crate::record::sample::Writer;

/// A kit's policy that says where key `serial` lies.
fn policy(serial: Serial) -> Policy {
    let text = template("harbour", KitKind::Practice);
    let key = format!("[[key]]\nserial = {serial}\nplace = \"safe A\"\nbag = \"0417\"\n");
    Policy::parse((text + &key).as_bytes()).unwrap()
}

fn out(key: &Writer, bag: &str, seal: SealSeen) -> Event {
    Event::KeyCheckedOut(KeyCheckedOut {
        serial: key.serial,
        key: KeyId::of(&key.verifying_key()),
        bag: bag.into(),
        seal,
        person: "ada".into(),
        witness: "bob".into(),
        why: "INC-4711".into(),
    })
}

fn back(key: &Writer, bag: &str) -> Event {
    Event::KeyCheckedIn(KeyCheckedIn {
        serial: key.serial,
        key: KeyId::of(&key.verifying_key()),
        place: "safe B".into(),
        bag: bag.into(),
        person: "ada".into(),
        witness: "bob".into(),
    })
}

fn pin(what: &str) -> Event {
    Event::KeyPinChanged(KeyPinChanged { what: what.into() })
}

/// What a key writes next.
type Wrote = fn(&Writer) -> Event;

/// The moves of the first key, by what each key wrote.
fn moves(keys: &[Writer]) -> Vec<Move> {
    let names: Vec<String> = keys.iter().map(Writer::name).collect();
    let records = keys
        .iter()
        .zip(&names)
        .flat_map(|(key, name)| key.records.iter().map(move |record| (name.as_str(), record)));
    let policy = policy(keys[0].serial);
    let mut found = derive(records, &|hash| (*hash == Hash::of(b"policy")).then(|| policy.clone()));
    found.remove(&KeyId::of(&keys[0].verifying_key())).unwrap_or_default()
}

fn lived(events: &[Wrote]) -> Vec<Move> {
    let mut key = Writer::founder(1);
    for event in events {
        let event = event(&key);
        key.write(event);
    }
    moves(&[key])
}

#[test]
fn the_first_bag_is_that_of_the_policy_and_every_later_one_that_of_the_check_in_before() {
    let told = lived(&[
        |key| out(key, "0417", SealSeen::Intact),
        |key| back(key, "0502"),
        |key| out(key, "0502", SealSeen::Intact),
        |key| back(key, "0503"),
        |key| out(key, "0417", SealSeen::Intact),
    ]);
    let wrong: Vec<_> = told.iter().map(Move::bag_wrong).collect();
    assert_eq!(wrong, [None, None, None, None, Some(("0417", "0503"))]);
    assert!(told.iter().all(|one| one.seal_wrong().is_none()));
}

#[test]
fn a_bag_without_a_number_is_not_the_bag_with_one() {
    let told = lived(&[|key| out(key, "", SealSeen::None)]);
    assert_eq!((told[0].bag_wrong(), told[0].seal_wrong()), (Some(("", "0417")), Some(SealSeen::None)));
    // Nothing was expected of a bag that was put away without a number.
    let told = lived(&[|key| back(key, ""), |key| out(key, "", SealSeen::None)]);
    assert_eq!((told[1].bag_wrong(), told[1].seal_wrong()), (None, None));
}

#[test]
fn a_broken_seal_is_settled_by_a_new_pin_and_then_a_check_in() {
    let broken: Wrote = |key| out(key, "0417", SealSeen::Broken);
    let back: Wrote = |key| back(key, "0502");
    let (pin, puk): (Wrote, Wrote) = (|_| pin("pin"), |_| pin("puk"));
    for (events, settled) in [
        (&[broken][..], false),
        (&[broken, back], false),
        (&[broken, pin], false),
        (&[pin, broken, back], false),
        (&[broken, back, pin], false),
        (&[broken, puk, back], false),
        (&[broken, pin, back], true),
    ] {
        let told = lived(events);
        let first = told.iter().find(|one| matches!(one.what, What::Out { .. })).unwrap();
        assert_eq!(first.seal_wrong(), Some(SealSeen::Broken));
        assert_eq!(first.settled(), settled, "{}", events.len());
    }
}

#[test]
fn records_of_other_keys_count_in_the_order_in_which_they_were_seen() {
    // The second key signs the check-in of the first; its clock is behind.
    let mut keys = [1, 2].map(Writer::founder);
    let taken = out(&keys[0], "0417", SealSeen::Intact);
    let taken = keys[0].write(taken);
    keys[1].seen = [(taken.chain_name(), (taken.link.seq, taken.hash()))].into();
    let mut draft = keys[1].draft(back(&keys[0], "0502"));
    draft.iat = taken.iat - 1_000;
    let record = keys[1].sign(draft);
    keys[1].records.push(record);
    let told = moves(&keys);
    assert!(matches!((&told[0].what, &told[1].what), (What::Out { .. }, What::In { .. })), "{told:?}");
}
