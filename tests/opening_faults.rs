//! Opening with a key that is pulled out at the n-th command, for every n: afterwards the kit opens, the journal
//! verifies, no PIN try was spent unseen, and no secret was given without its durable intent.

#[path = "support/practice.rs"]
#[allow(dead_code)]
mod practice;

use breakglass::attestation::Serial;
use breakglass::device::practice::{Fault, FaultPlan, PracticeReaders, Surroundings, Which};
use breakglass::kit::Kit;
use breakglass::kit::folder::Folder;
use breakglass::record::chain::Depth;
use breakglass::record::event::Event;
use breakglass::record::hash::Hash;
use practice::{Hand, PracticeKit, keys_of, open, wish};

fn intents(kit: &PracticeKit) -> Vec<Hash> {
    let kit = Kit::read(Folder::at(kit.path(), None), Depth::Every).unwrap();
    assert_eq!(kit.journal.damage(), None);
    let records = kit.journal.records();
    records.filter(|(_, r)| matches!(r.event, Event::OpenIntent(_))).map(|(_, r)| r.hash()).collect()
}

fn secret_of(credential: &str) -> (PracticeKit, Vec<u8>) {
    let kit = PracticeKit::new();
    let mut readers = PracticeReaders::new(&keys_of(kit.path()), Surroundings::of_this_machine());
    let opened = open(&kit, &mut readers, &mut Hand::knowing(), wish(credential, &[])).unwrap();
    (PracticeKit::new(), opened.secret.expose_bytes().to_vec())
}

fn tries_left(readers: &mut PracticeReaders, serial: u32) -> u8 {
    readers.key(Serial(serial)).unwrap().with_model(|key, _| key.reference(Which::Pin).left).unwrap()
}

/// Pulls `victim` at every command of an opening with `only`, by each way of pulling.
fn pulled_at_every_command(credential: &str, only: &[u32], victim: u32, at_least: usize) {
    let (_, secret) = secret_of(credential);
    for fault in [Fault::Remove, Fault::RemoveAfter, Fault::Reset, Fault::NeverAnswers(5)] {
        let mut n = 0;
        loop {
            n += 1;
            let kit = PracticeKit::new();
            let mut readers = PracticeReaders::new(&keys_of(kit.path()), Surroundings::of_this_machine());
            let plan = FaultPlan::new().at(n, fault.clone());
            readers.key(Serial(victim)).unwrap().set_faults(plan.clone());
            let mut hand = Hand::knowing();
            let result = open(&kit, &mut readers, &mut hand, wish(credential, only));
            let finished = plan.commands_seen() < n;
            let told = format!(
                "{fault:?} at command {n} of {victim}: {:?}",
                result.as_ref().err().map(ToString::to_string)
            );

            let durable = intents(&kit);
            if let Ok(opened) = &result {
                assert_eq!(opened.secret.expose_bytes(), secret, "{told}");
                assert!(
                    !opened.intents.is_empty() && opened.intents.iter().all(|i| durable.contains(i)),
                    "{told}"
                );
            } else {
                assert!(!finished, "{told}");
            }
            plan.clear();
            readers.key(Serial(victim)).unwrap().insert().unwrap();
            assert_eq!(tries_left(&mut readers, victim), 3, "{told}");

            let again = open(&kit, &mut readers, &mut Hand::knowing(), wish(credential, only));
            let again = again.unwrap_or_else(|error| panic!("{told}, and then: {error}"));
            assert_eq!(again.secret.expose_bytes(), secret, "{told}");
            assert!(again.outcome.is_ok(), "{told}");
            assert!(intents(&kit).len() > durable.len(), "{told}");
            if finished {
                break;
            }
        }
        assert!(n > at_least, "only {n} commands were seen");
    }
}

#[test]
fn one_key_pulled_at_every_command() {
    pulled_at_every_command("core-fw/admin", &[23112], 23112, 15);
}

#[test]
fn first_of_two_keys_pulled_at_every_command() {
    pulled_at_every_command("core-db/root", &[23112, 23115], 23112, 10);
}

#[test]
fn second_of_two_keys_pulled_at_every_command() {
    pulled_at_every_command("core-db/root", &[23112, 23115], 23115, 15);
}

#[test]
fn a_third_key_takes_the_place_of_one_that_fails() {
    let (kit, secret) = secret_of("core-db/root");
    let mut readers = PracticeReaders::new(&keys_of(kit.path()), Surroundings::of_this_machine());
    readers
        .key(Serial(23115))
        .unwrap()
        .set_faults(FaultPlan::new().from(1, Fault::Replace(vec![0x6F, 0x00])));
    let opened = open(&kit, &mut readers, &mut Hand::knowing(), wish("core-db/root", &[])).unwrap();
    assert_eq!(opened.secret.expose_bytes(), secret);
    assert_eq!(opened.keys, [Serial(23112), Serial(30877)]);
}

#[test]
fn a_wrong_pin_is_sent_once_and_the_last_try_is_kept() {
    let kit = PracticeKit::new();
    let mut readers = PracticeReaders::new(&keys_of(kit.path()), Surroundings::of_this_machine());
    let mut hand = Hand::default();
    hand.pins.insert(23112, vec!["11111111".into(); 8]);
    let error = open(&kit, &mut readers, &mut hand, wish("core-fw/admin", &[23112])).unwrap_err();
    assert_eq!(error.to_string(), "key 23112 has 1 PIN try left");
    assert_eq!(hand.asked, [23112, 23112]);
    assert_eq!(tries_left(&mut readers, 23112), 1);
    // Nor is it asked for again without the word.
    let mut hand = Hand::knowing();
    open(&kit, &mut readers, &mut hand, wish("core-fw/admin", &[23112])).unwrap_err();
    assert!(hand.asked.is_empty());
    let mut word = wish("core-fw/admin", &[23112]);
    word.caution.spend_last_try = true;
    open(&kit, &mut readers, &mut hand, word).unwrap();
    assert_eq!(tries_left(&mut readers, 23112), 3);
}

#[test]
fn a_missed_touch_is_asked_for_again_without_the_pin() {
    let kit = PracticeKit::new();
    let mut readers = PracticeReaders::new(&keys_of(kit.path()), Surroundings::of_this_machine());
    let mut hand = Hand::knowing();
    // Counted once on an opening without faults: the first command that waits for a touch.
    let probe = FaultPlan::new();
    readers.key(Serial(23112)).unwrap().set_faults(probe.clone());
    open(&kit, &mut readers, &mut hand, wish("core-fw/admin", &[23112])).unwrap();
    let all = probe.commands_seen();
    let mut again = 0;
    for n in 1..=all {
        let kit = PracticeKit::new();
        let mut readers = PracticeReaders::new(&keys_of(kit.path()), Surroundings::of_this_machine());
        readers.key(Serial(23112)).unwrap().set_faults(FaultPlan::new().at(n, Fault::WithholdTouch));
        let mut hand = Hand::knowing();
        let result = open(&kit, &mut readers, &mut hand, wish("core-fw/admin", &[23112]));
        assert!(hand.asked.len() <= 1, "asked again at {n}");
        assert_eq!(tries_left(&mut readers, 23112), 3);
        assert!(result.is_ok(), "a touch missed at {n}: {:?}", result.err());
        again += usize::from(hand.said.iter().any(|line| line.contains("was not touched in time")));
    }
    assert!(again >= 2, "signing and unwrapping wait for a touch: {again}");
}

#[test]
fn a_copy_that_lacks_what_others_have_seen_is_refused_before_any_pin() {
    let kit = PracticeKit::new();
    let mut readers = PracticeReaders::new(&keys_of(kit.path()), Surroundings::of_this_machine());
    let chain = |kit: &PracticeKit, serial: &str| {
        let journal = std::fs::read_dir(kit.path().join("journal")).unwrap();
        journal.map(|e| e.unwrap().path()).find(|p| p.to_string_lossy().contains(serial)).unwrap()
    };
    let old = std::fs::read(chain(&kit, "23112")).unwrap();
    open(&kit, &mut readers, &mut Hand::knowing(), wish("core-fw/admin", &[23112])).unwrap();
    open(&kit, &mut readers, &mut Hand::knowing(), wish("core-fw/admin", &[23115])).unwrap();
    // The stick lost what 23112 wrote last; 23115 had seen it, and is the key at hand.
    std::fs::write(chain(&kit, "23112"), old).unwrap();
    let mut hand = Hand::knowing();
    let error = open(&kit, &mut readers, &mut hand, wish("core-fw/admin", &[23115])).unwrap_err();
    assert!(error.to_string().starts_with("this copy of the kit lacks records"), "{error}");
    assert!(hand.asked.is_empty());
    let mut accepted = wish("core-fw/admin", &[23115]);
    accepted.caution.accept_gap = Some("the other stick burned".into());
    open(&kit, &mut readers, &mut hand, accepted).unwrap();
    let kit = Kit::read(Folder::at(kit.path(), None), Depth::Every).unwrap();
    let recorded = kit.journal.records().any(|(_, record)| match &record.event {
        Event::OpenIntent(intent) => intent.overrides.iter().any(|o| o.rule == "gap"),
        _ => false,
    });
    assert!(recorded);
}
