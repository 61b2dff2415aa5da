//! For tests: every command that reads bytes, against a card that answers them wrong in every way we know from the
//! advisories on other software. Always an answer or a typed error, always a bounded number of commands, and a PIN
//! sent once at most.

use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature, SigningKey};
use proptest::prelude::*;

use super::scripted::*;
use super::{Card, CardError, HEAD_OBJECTS, Session, tlv};
use crate::attestation::Slot;
use crate::device::*;

/// One call, and what a good card answers to each command of it.
struct Call {
    name: &'static str,
    good: Vec<Step>,
    run: fn(&mut Session<Scripted>) -> Result<(), DeviceError>,
    /// Whether a changed byte must be found: not where the answer is unsigned and free in content.
    checked: bool,
}

fn calls() -> Vec<Call> {
    let head = tlv::write(0x53, b"head").to_vec();
    let slot = [&hex("010111 02020302 030101 0443 8641")[..], &public().to_sec1_bytes()].concat();
    vec![
        Call {
            name: "prove_presence",
            good: vec![signed(&presence_digest())],
            run: |session| session.prove_presence(&public(), &NONCE),
            checked: true,
        },
        Call {
            name: "sign_record",
            good: vec![status(0x9000), signed(&DIGEST)],
            run: |session| session.sign_record(&public(), &pin(), &DIGEST).map(|_| ()),
            checked: true,
        },
        Call {
            name: "agree",
            good: vec![done(&wrapped(&[7; 32]))],
            run: |session| session.agree(&p256::PublicKey::from(public())).map(|_| ()),
            checked: false,
        },
        Call {
            name: "metadata",
            good: vec![done(&slot)],
            run: |session| session.metadata(Slot::Signing).map(|_| ()),
            checked: false,
        },
        Call {
            name: "pin_tries",
            good: vec![done(&hex("0101FF 050100 06020303"))],
            run: |session| session.pin_tries().map(|_| ()),
            checked: false,
        },
        Call {
            name: "head_objects",
            good: vec![done(&head), done(&head)],
            run: |session| session.head_objects().map(|_| ()),
            checked: false,
        },
        Call {
            name: "put_head_object",
            good: vec![
                done(&hex("5324 8822 8920 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")),
                done(&hex("7C12 8010 dc9f01fd76b87c0d0f4be8850b0bece0")),
                done(&hex("7C12 8210 3b853a31ac7a359d79fddbb9b746791f")),
                status(0x9000),
                done(&head),
            ],
            run: |session| session.put_head_object(1, b"head"),
            checked: true,
        },
        Call {
            name: "verify_pin",
            good: vec![status(0x9000)],
            run: |session| session.verify_pin(&pin()),
            checked: true,
        },
        Call {
            name: "change_pin",
            good: vec![status(0x9000)],
            run: |session| session.change_pin(&pin(), &pin()),
            checked: true,
        },
        Call {
            name: "unblock_pin",
            good: vec![status(0x9000)],
            run: |session| session.unblock_pin(&pin(), &pin()),
            checked: true,
        },
        Call {
            name: "sealing_certificate",
            good: vec![done(&tlv::write(0x53, &[0x30; 700]))],
            run: |session| session.sealing_certificate().map(|_| ()),
            checked: false,
        },
        Call {
            name: "attest",
            good: vec![done(&[0x30; 600])],
            run: |session| session.attest(Slot::Signing).map(|_| ()),
            checked: false,
        },
        Call {
            name: "device_info",
            good: vec![status(0x9000), done(&hex("0a 040181 160101 14020001")), status(0x9000)],
            run: |session| session.device_info().map(|_| ()),
            checked: false,
        },
    ]
}

/// The steps of `call` with the one at `at` changed, a session over them, and the call's outcome.
fn attempt(call: &Call, at: usize, steps: Vec<Step>) -> (Result<(), DeviceError>, Session<Scripted>) {
    let mut script = call.good[..at].to_vec();
    script.extend(steps);
    let mut session = session(script);
    let outcome = (call.run)(&mut session);
    let pins =
        session.channel.card.instructions().iter().filter(|ins| matches!(ins, 0x20 | 0x24 | 0x2C)).count();
    assert!(pins <= 1, "{}: a PIN was sent {pins} times", call.name);
    (outcome, session)
}

fn each_answer(mut check: impl FnMut(&Call, usize, &[u8])) {
    for call in calls() {
        for at in 0..call.good.len() {
            let good = call.good[at].clone().expect("good answers arrive");
            check(&call, at, &good);
        }
    }
}

#[test]
fn good_answers_are_taken_and_cost_no_command_more() {
    for call in calls() {
        let (outcome, session) = attempt(&call, call.good.len(), vec![status(0x6F00)]);
        outcome.unwrap_or_else(|error| panic!("{}: {error}", call.name));
        assert_eq!(session.channel.card.asked.len(), call.good.len(), "{}", call.name);
    }
}

#[test]
fn an_answer_cut_at_any_length_is_an_error() {
    each_answer(|call, at, good| {
        for length in 0..good.len() {
            let (outcome, _) = attempt(call, at, vec![Ok(good[..length].to_vec()), status(0x6F00)]);
            assert!(
                outcome.is_err() || call.name == "device_info",
                "{} answer {at} cut to {length}",
                call.name
            );
        }
    });
}

#[test]
fn data_cut_before_a_good_status_is_an_error() {
    each_answer(|call, at, good| {
        for length in 0..good.len() - 2 {
            let (outcome, _) = attempt(call, at, vec![done(&good[..length]), status(0x6F00)]);
            assert!(
                outcome.is_err() || matches!(call.name, "attest" | "device_info"),
                "{} {at} {length}",
                call.name
            );
        }
    });
}

#[test]
fn more_data_than_the_answer_can_have_is_an_error() {
    each_answer(|call, at, good| {
        for more in [1, 300, 5_000, 70_000] {
            let long = [&good[..good.len() - 2], &vec![0; more], &good[good.len() - 2..]].concat();
            let (outcome, _) = attempt(call, at, vec![Ok(long), status(0x6F00)]);
            let free = matches!((call.name, more), ("attest", 1 | 300)) || call.name == "device_info";
            assert!(outcome.is_err() || free, "{} answer {at} with {more} bytes more", call.name);
        }
    });
}

#[test]
fn answers_in_pieces_without_end_are_given_up() {
    each_answer(|call, at, _| {
        for piece in [0, 1, 16, 256] {
            for length in [0x00, 0x01, 0xFF] {
                let endless = Ok([&vec![0x53; piece][..], &[0x61, length]].concat());
                let (outcome, session) = attempt(call, at, vec![endless]);
                assert!(outcome.is_err() || call.name == "device_info", "{} answer {at}", call.name);
                assert!(session.channel.card.asked.len() <= 40, "{}: too many commands", call.name);
            }
        }
    });
}

#[test]
fn a_length_named_anew_each_time_is_asked_for_once() {
    each_answer(|call, at, _| {
        let (outcome, session) = attempt(call, at, vec![status(0x6C10), status(0x6C20), status(0x6C10)]);
        assert!(outcome.is_err() || call.name == "device_info", "{} answer {at}", call.name);
        assert!(session.channel.card.asked.len() <= at + 4, "{}: asked again and again", call.name);
    });
}

#[test]
fn any_other_status_is_never_success() {
    each_answer(|call, at, good| {
        for word in [
            0x0000, 0x6282, 0x6300, 0x6402, 0x6581, 0x6700, 0x6881, 0x6981, 0x6982, 0x6983, 0x6984, 0x6985,
            0x6A80, 0x6A81, 0x6A84, 0x6A86, 0x6B00, 0x6D00, 0x6E00, 0x6F00, 0x9001, 0x9100, 0xFFFF, 0x63C0,
            0x63C2, 0x63CF,
        ] {
            let data = &good[..good.len() - 2];
            for bytes in [status(word), Ok([data, &u16::to_be_bytes(word)].concat())] {
                let (outcome, _) = attempt(call, at, vec![bytes, status(0x6F00)]);
                let optional = call.name == "device_info";
                assert!(outcome.is_err() || optional, "{} answer {at} with {word:04X}", call.name);
            }
        }
    });
}

#[test]
fn a_changed_byte_of_a_checked_answer_is_found() {
    each_answer(|call, at, good| {
        for index in 0..good.len() - 2 {
            for change in [0x01, 0x80, 0xFF] {
                let mut bytes = good.to_vec();
                bytes[index] ^= change;
                let mut steps = vec![Ok(bytes)];
                steps.extend(call.good[at + 1..].to_vec());
                let (outcome, _) = attempt(call, at, steps);
                // A witness is the card's own random block: a good card would refuse our answer to a changed one.
                let free = !call.checked || (call.name, at) == ("put_head_object", 1);
                assert!(outcome.is_err() || free, "{} answer {at} byte {index} changed", call.name);
            }
        }
    });
}

#[test]
fn zeros_ones_and_no_text_are_no_answer_to_a_checked_command() {
    each_answer(|call, at, good| {
        for byte in [0x00, 0x80, 0xFF] {
            let same = vec![byte; good.len() - 2];
            let (outcome, _) = attempt(call, at, vec![done(&same), status(0x6F00)]);
            assert!(
                outcome.is_err() || !call.checked || same.is_empty() || call.name == "attest",
                "{}",
                call.name
            );
        }
    });
}

#[test]
fn a_card_that_goes_away_is_named_as_that_at_every_command() {
    each_answer(|call, at, _| {
        let kinds = [CardError::Removed, CardError::Reset, CardError::TimedOut(5), CardError::TooLong];
        for kind in kinds.into_iter().chain([CardError::Service("a word of PC/SC".to_owned())]) {
            let (outcome, session) = attempt(call, at, vec![Err(kind.clone())]);
            let expected = match (&kind, call.name) {
                (CardError::TooLong, "prove_presence") => matches!(outcome, Err(DeviceError::NotGenuine(_))),
                (CardError::TooLong, _) => matches!(outcome, Err(DeviceError::Malformed { .. })),
                (CardError::TimedOut(_), _) => {
                    matches!(outcome, Err(DeviceError::TimedOut { seconds: 5, .. }))
                }
                (CardError::Service(_), _) => matches!(outcome, Err(DeviceError::Service(_))),
                _ => matches!(outcome, Err(DeviceError::Removed { .. })),
            };
            assert!(expected, "{} command {at}: {kind:?} became {outcome:?}", call.name);
            let after = if call.name == "device_info" { 2 } else { 1 };
            assert!(session.channel.card.asked.len() <= at + after, "{} went on", call.name);
        }
    });
}

#[test]
fn a_card_without_proof_is_sent_no_pin() {
    let other = SigningKey::from_slice(&[0x22; 32]).expect("a scalar");
    let forged: Signature = other.sign_prehash(&presence_digest()).expect("32 bytes");
    let failures = [
        done(&wrapped(forged.to_der().as_bytes())),
        signed(&DIGEST),
        done(&[]),
        done(&wrapped(&[0; 70])),
        status(0x6A80),
        status(0x6A82),
        status(0x6A88),
        status(0x6985),
        status(0x6D00),
        status(0x6100),
        Err(CardError::TooLong),
    ];
    for failure in failures {
        let mut session = session(vec![failure.clone(), status(0x9000)]);
        let outcome = error(session.prove_presence(&public(), &NONCE));
        assert!(matches!(outcome, DeviceError::NotGenuine(SERIAL)), "{failure:?}: {outcome:?}");
        session.channel.card.asked.clear();
        let refusals = [
            session.sign_record(&public(), &pin(), &DIGEST).map(|_| ()),
            session.verify_pin(&pin()),
            session.change_pin(&pin(), &pin()),
            session.change_puk(&pin(), &pin()),
            session.unblock_pin(&pin(), &pin()),
        ];
        assert!(refusals.iter().all(|refusal| matches!(refusal, Err(DeviceError::NotGenuine(SERIAL)))));
        assert!(session.channel.card.asked.is_empty(), "{failure:?}: something was sent");
    }
}

#[test]
fn a_proof_that_was_cut_off_counts_as_none_until_the_next_one() {
    let good = signed(&presence_digest());
    let mut session = session(vec![Err(CardError::TimedOut(5)), good, status(0x9000)]);
    assert!(matches!(error(session.prove_presence(&public(), &NONCE)), DeviceError::TimedOut { .. }));
    assert!(matches!(error(session.verify_pin(&pin())), DeviceError::NotGenuine(_)));
    session.prove_presence(&public(), &NONCE).expect("the second proof is good");
    session.verify_pin(&pin()).expect("and the PIN goes out");
    assert_eq!(session.channel.card.instructions(), [0x87, 0x87, 0x20]);
}

fn step() -> impl Strategy<Value = Step> {
    let status = prop_oneof![
        4 => Just([0x90, 0x00]),
        1 => any::<u8>().prop_map(|low| [0x61, low]),
        1 => any::<u8>().prop_map(|low| [0x6C, low]),
        1 => any::<[u8; 2]>(),
    ];
    let data = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..80),
        (prop_oneof![Just(0x53u16), Just(0x7C), Just(0x88)], proptest::collection::vec(any::<u8>(), 0..600))
            .prop_map(|(tag, value)| tlv::write(tag, &value).to_vec()),
    ];
    prop_oneof![
        12 => (data, status).prop_map(|(data, status)| Ok([&data[..], &status].concat())),
        1 => proptest::collection::vec(any::<u8>(), 0..4).prop_map(Ok),
        1 => Just(Err(CardError::Removed)),
    ]
}

proptest! {
    #[test]
    fn random_answers_end_every_call(steps in proptest::collection::vec(step(), 1..12), extended: bool,
                                     minor in 0u8..9) {
        let connected = Session::connect(Scripted::new(steps.clone()), Box::new(Fixed(0x5A)));
        prop_assert!(connected.is_err() || steps.len() >= 3);
        for call in calls() {
            let mut session = session_of([5, minor, 0], extended, steps.clone());
            let outcome = (call.run)(&mut session);
            prop_assert!(outcome.is_err() || call.name != "sign_record" && call.name != "prove_presence");
            let traffic = session.traffic();
            prop_assert_eq!(traffic.commands - 4, session.channel.card.asked.len() as u64);
            let pins = session.channel.card.asked.iter().filter(|command| command.len() > 12 && command[1] == 0x20);
            prop_assert!(pins.count() <= 1);
            prop_assert!(session.reader() == "scripted reader" && session.channel.extended_length() == extended);
        }
        prop_assert_eq!(HEAD_OBJECTS, [0x5F_B600, 0x5F_B601]);
    }
}
