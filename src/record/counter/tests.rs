use p256::ecdsa::SigningKey;
use proptest::prelude::*;

use super::*;
use crate::record::event::{AuthenticatorData, KeyWitness, OpenAsserted, Random};
use crate::record::sample::{Authenticator, Writer, intent};

/// A key with FIDO2 that has founded a kit, and its authenticator, whose counter stands at 41.
fn key(profile: CounterProfile) -> (Writer, Authenticator) {
    let mut writer = Writer::new(1);
    let mut authenticator = writer.authenticator();
    let Event::KeyEnrolled(mut facts) = writer.fido2_enrolment(&mut authenticator) else { panic!() };
    facts.fido2.as_mut().unwrap().profile = profile;
    writer.write(Event::KeyEnrolled(facts));
    let founding = writer.write(crate::record::sample::founding());
    writer.kit = Some(founding.hash());
    (writer, authenticator)
}

const ONE: CounterProfile = CounterProfile::Exact { step: 1 };

/// An opening whose assertion is recorded.
fn open(writer: &mut Writer, authenticator: &mut Authenticator) {
    let intent = writer.write(intent());
    let asserted = authenticator.asserted(&intent, None);
    writer.write(asserted);
}

/// Openings of a credential that asks for FIDO2.
fn seen(writer: &Writer) -> Vec<(u64, Counted)> {
    let all = observe(writer.records.iter(), &|_| Expected::Yes);
    all.into_iter().map(|one| (one.seq, one.what)).collect()
}

#[test]
fn a_journal_that_accounts_for_every_use_says_nothing() {
    let (mut writer, mut authenticator) = key(ONE);
    open(&mut writer, &mut authenticator);
    let witness = writer.write(Event::KeyWitness(KeyWitness { nonce: Random([1; 32]) }));
    let asserted = authenticator.asserted(&witness, None);
    writer.write(asserted);
    open(&mut writer, &mut authenticator);
    assert_eq!(seen(&writer), []);
    assert_eq!(first(writer_fido2(&writer), &signing(&writer)), Ok(41));
}

fn writer_fido2(writer: &Writer) -> &Fido2Enrolled {
    let Event::KeyEnrolled(facts) = &writer.records[0].event else { panic!() };
    facts.fido2.as_ref().unwrap()
}

fn signing(writer: &Writer) -> crate::record::event::Point {
    let Event::KeyEnrolled(facts) = &writer.records[0].event else { panic!() };
    facts.signing
}

#[test]
fn a_use_outside_the_journal_shows_at_the_next_assertion_and_how_often() {
    for (uses, step) in [(1, 1), (7, 1), (3, 2)] {
        let (mut writer, mut authenticator) = key(CounterProfile::Exact { step });
        authenticator.step = step;
        open(&mut writer, &mut authenticator);
        for _ in 0..uses {
            authenticator.assert(b"somebody else's challenge");
        }
        open(&mut writer, &mut authenticator);
        open(&mut writer, &mut authenticator);
        assert_eq!(seen(&writer), [(5, Counted::Jump { more: uses, claim: Claim::Certain })]);
    }
}

#[test]
fn a_use_before_the_first_opening_shows_against_the_enrolment() {
    let (mut writer, mut authenticator) = key(ONE);
    authenticator.assert(b"x");
    open(&mut writer, &mut authenticator);
    assert_eq!(seen(&writer), [(3, Counted::Jump { more: 1, claim: Claim::Certain })]);
}

#[test]
fn on_a_key_without_fixed_step_more_is_possible_and_never_certain() {
    let (mut writer, mut authenticator) = key(CounterProfile::Monotonic);
    open(&mut writer, &mut authenticator);
    assert_eq!(seen(&writer), [], "one step for one use leaves no room for another");
    authenticator.step = 100;
    open(&mut writer, &mut authenticator);
    assert_eq!(seen(&writer), [(5, Counted::Jump { more: 99, claim: Claim::Possible })]);
}

#[test]
fn an_opening_that_stopped_before_its_assertion_was_recorded_accounts_for_one_use() {
    let (mut writer, mut authenticator) = key(ONE);
    let lost = writer.write(intent());
    authenticator.assert(lost.bytes());
    open(&mut writer, &mut authenticator);
    assert_eq!(seen(&writer), [(2, Counted::Missing), (4, Counted::Explained { more: 1 })]);

    // One that stopped before the key was asked: it accounts for a use that there was not.
    let (mut writer, mut authenticator) = key(ONE);
    writer.write(intent());
    open(&mut writer, &mut authenticator);
    assert_eq!(seen(&writer), [(2, Counted::Missing)]);

    // It accounts for one, not for two.
    let (mut writer, mut authenticator) = key(ONE);
    writer.write(intent());
    authenticator.assert(b"x");
    authenticator.assert(b"y");
    open(&mut writer, &mut authenticator);
    let jump = Counted::Jump { more: 1, claim: Claim::Certain };
    assert_eq!(seen(&writer), [(2, Counted::Missing), (4, jump)]);
}

#[test]
fn an_opening_that_asks_for_no_fido2_accounts_for_nothing() {
    let (mut writer, mut authenticator) = key(ONE);
    writer.write(intent());
    authenticator.assert(b"x");
    let witness = writer.write(Event::KeyWitness(KeyWitness { nonce: Random([1; 32]) }));
    let asserted = authenticator.asserted(&witness, None);
    writer.write(asserted);
    let says = |expected| -> Vec<Counted> {
        observe(writer.records.iter(), &|_| expected).into_iter().map(|one| one.what).collect()
    };
    assert_eq!(says(Expected::No), [Counted::Jump { more: 1, claim: Claim::Certain }]);
    // Where it is not known, the doubt is the journal's favour, and nothing is missed.
    assert_eq!(says(Expected::Unknown), [Counted::Explained { more: 1 }]);
}

#[test]
fn a_counter_that_does_not_rise_is_wrong_on_every_key() {
    for profile in [ONE, CounterProfile::Monotonic] {
        let (mut writer, mut authenticator) = key(profile);
        open(&mut writer, &mut authenticator);
        authenticator.step = 0;
        open(&mut writer, &mut authenticator);
        assert_eq!(seen(&writer), [(5, Counted::Standstill { at: 42 })]);
        (authenticator.step, authenticator.counter) = (1, 6);
        open(&mut writer, &mut authenticator);
        assert_eq!(seen(&writer)[1..], [(7, Counted::Regress { from: 42, to: 7 })]);
    }
    let (mut writer, mut authenticator) = key(CounterProfile::Exact { step: 2 });
    open(&mut writer, &mut authenticator);
    assert_eq!(seen(&writer), [(3, Counted::Regress { from: 41, to: 42 })], "less than one use");
}

#[test]
fn an_assertion_is_held_to_the_record_the_key_and_the_chain() {
    let (mut writer, mut authenticator) = key(ONE);
    let intent = writer.write(intent());
    let Event::OpenAsserted(good) = authenticator.asserted(&intent, None) else { panic!() };
    let mut stranger = Authenticator { key: SigningKey::from_slice(&[9; 32]).unwrap(), counter: 41, step: 1 };
    let mut touched = good.data.bytes().to_vec();
    touched[32] &= !1;
    let invalid = |error| Counted::Invalid(Flaw::Assertion(error));
    for (event, expected) in [
        (stranger.asserted(&intent, None), invalid(AssertionError::Signature)),
        (
            Event::OpenAsserted(OpenAsserted { over: Hash::of(b"another"), ..good.clone() }),
            invalid(AssertionError::Signature),
        ),
        (
            Event::OpenAsserted(OpenAsserted {
                data: AuthenticatorData::new(touched).unwrap(),
                ..good.clone()
            }),
            invalid(AssertionError::NotTouched),
        ),
    ] {
        let mut writer = Writer { records: writer.records.clone(), ..key(ONE).0 };
        writer.write(event);
        assert_eq!(seen(&writer), [(2, Counted::Missing), (3, expected)]);
    }
    // A good assertion over a record that asks for none, over itself to come, or over nothing that is there.
    let founding = writer.records[1].clone();
    writer.write(Event::OpenAsserted(good));
    let over_founding = authenticator.asserted(&founding, None);
    writer.write(over_founding);
    assert_eq!(seen(&writer), [(4, Counted::Invalid(Flaw::Over))]);
    // The same, while records are lacking: it may be over one of those.
    let Event::OpenAsserted(facts) = &writer.records[3].event else { panic!() };
    assert_eq!(asserted(writer_fido2(&writer), facts), Ok(42));
    let cut: Vec<&Record> = [0, 1, 3].map(|at| &writer.records[at]).into();
    let all = observe(cut.into_iter(), &|_| Expected::Yes);
    assert_eq!(all, [Observation { seq: 3, what: Counted::OverUnknown }]);
}

#[test]
fn while_records_are_lacking_a_jump_is_not_certain() {
    let (mut writer, mut authenticator) = key(ONE);
    open(&mut writer, &mut authenticator);
    for _ in 0..3 {
        open(&mut writer, &mut authenticator);
    }
    let kept: Vec<&Record> =
        writer.records.iter().enumerate().filter(|(at, _)| !(4..=7).contains(at)).map(|(_, r)| r).collect();
    let all = observe(kept.into_iter(), &|_| Expected::Yes);
    assert_eq!(all, [Observation { seq: 9, what: Counted::Jump { more: 2, claim: Claim::Possible } }]);
}

#[test]
fn an_enrolment_whose_own_assertion_is_of_another_key_is_found() {
    let (mut writer, mut authenticator) = key(ONE);
    let Event::KeyEnrolled(mut facts) = writer.records[0].event.clone() else { panic!() };
    let fido2 = facts.fido2.as_mut().unwrap();
    fido2.proof = authenticator.assert(&enrolment_challenge(&crate::record::event::Point(fido2.public.0)));
    writer.records.clear();
    writer.kit = None;
    writer.write(Event::KeyEnrolled(facts));
    let signature = Counted::Invalid(Flaw::Assertion(AssertionError::Signature));
    assert_eq!(seen(&writer), [(0, signature)]);
}

#[test]
fn a_key_without_fido2_cannot_have_asserted() {
    let mut writer = Writer::founder(1);
    let mut authenticator = writer.authenticator();
    open(&mut writer, &mut authenticator);
    assert_eq!(seen(&writer), [(3, Counted::Invalid(Flaw::NoCredential))]);
    assert_eq!(observe(writer.records[1..].iter(), &|_| Expected::Yes), []);
}

#[test]
fn extremes_of_the_counter_do_not_overflow() {
    let (mut writer, mut authenticator) = key(CounterProfile::Exact { step: u32::MAX });
    writer.write(intent());
    authenticator.counter = u32::MAX - 1;
    open(&mut writer, &mut authenticator);
    assert_eq!(seen(&writer)[1..], [(4, Counted::Regress { from: 41, to: u32::MAX })]);
    for profile in [ONE, CounterProfile::Monotonic] {
        assert_eq!(
            moved(profile, 1, u32::MAX, 0, true),
            Some(Counted::Jump { more: u32::MAX - 2, claim: Claim::Possible })
        );
        assert_eq!(moved(profile, 1, u32::MAX, u32::MAX, false).is_some(), profile == ONE);
    }
}

/// What may happen to a key.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Open,
    /// An opening that stopped before the key was asked.
    Stopped,
    /// An opening that stopped after it.
    Lost,
    Witness,
    /// Something that the journal knows nothing of.
    Outside,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        Just(Deed::Open),
        Just(Deed::Stopped),
        Just(Deed::Lost),
        Just(Deed::Witness),
        Just(Deed::Outside)
    ];
    prop::collection::vec(deed, 0..12)
}

/// Carries them out, each use moving the counter by the next of `steps`. Gives the uses that no record tells of but the
/// counter does: those before the last assertion.
fn carry_out(writer: &mut Writer, authenticator: &mut Authenticator, deeds: &[Deed], steps: &[u32]) -> u32 {
    let mut steps = steps.iter().cycle();
    let (mut outside, mut told) = (0, 0);
    for deed in deeds {
        authenticator.step = *steps.next().unwrap();
        match deed {
            Deed::Open => open(writer, authenticator),
            Deed::Stopped => drop(writer.write(intent())),
            Deed::Lost => {
                let over = writer.write(intent());
                authenticator.assert(over.bytes());
            }
            Deed::Witness => {
                let over = writer.write(Event::KeyWitness(KeyWitness { nonce: Random([3; 32]) }));
                let asserted = authenticator.asserted(&over, None);
                writer.write(asserted);
            }
            Deed::Outside => {
                authenticator.assert(b"elsewhere");
                outside += 1;
            }
        }
        if matches!(deed, Deed::Open | Deed::Witness) {
            told = outside;
        }
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_certain_is_never_more_than_what_happened(deeds in deeds(), step in 1u32..4) {
        let (mut writer, mut authenticator) = key(CounterProfile::Exact { step });
        let outside = carry_out(&mut writer, &mut authenticator, &deeds, &[step]);
        let mut certain = 0;
        for (_, what) in seen(&writer) {
            match what {
                Counted::Jump { more, claim: Claim::Certain } => certain += more,
                Counted::Explained { .. } | Counted::Missing => {}
                other => prop_assert!(false, "{other:?}"),
            }
        }
        prop_assert!(certain <= outside, "{certain} of {outside}");
        let stopped = deeds.iter().any(|deed| matches!(deed, Deed::Stopped | Deed::Lost));
        prop_assert!(stopped || certain == outside, "{certain} of {outside}");
    }

    #[test]
    fn a_key_without_fixed_step_is_accused_of_nothing(
        deeds in deeds(),
        steps in prop::collection::vec(1u32..300, 1..6),
    ) {
        let (mut writer, mut authenticator) = key(CounterProfile::Monotonic);
        carry_out(&mut writer, &mut authenticator, &deeds, &steps);
        for (_, what) in seen(&writer) {
            let harmless = matches!(what, Counted::Jump { claim: Claim::Possible, .. } | Counted::Missing);
            prop_assert!(harmless, "{what:?}");
        }
    }
}
