//! For tests: the session with the practice key, a card with a state of its own, over long and short APDUs and in both
//! firmware profiles.

use p256::ecdsa::VerifyingKey;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::{PublicKey, SecretKey};
use zeroize::Zeroizing;

use super::scripted::{DIGEST, Fixed, NONCE, error};
use super::{HEAD_OBJECTS, MOST_OBJECT_BYTES, Session, tlv};
use crate::attestation::{Serial, Slot};
use crate::device::practice::{
    Authority, Fault, FaultPlan, PracticeCard, PracticeKey, Profile, SimulatedKey, Surroundings, Touch,
};
use crate::device::*;
use crate::secret::{ManagementAlgorithm, ManagementKey, Pin};

const SERIAL: Serial = Serial(4_000_001);

/// A key that is provisioned, and what an enrolment knows of it.
struct Provisioned {
    key: PracticeKey,
    signing: VerifyingKey,
    sealing: PublicKey,
    presence: VerifyingKey,
    extended: bool,
}

impl Provisioned {
    fn new(profile: Profile, extended: bool) -> Self {
        let (around, _) = Surroundings::seeded(7);
        let model = SimulatedKey::new(SERIAL, profile, Authority::practice().unwrap(), &around).unwrap();
        let key = PracticeKey::in_memory(model, around);
        let mut session = Session::connect(key.card(), Box::new(Fixed(0x5A))).unwrap();
        session.verify_pin(&factory()).unwrap();
        let (algorithm, _) = session.management_algorithm().unwrap();
        session.authenticate(&ManagementKey::factory(algorithm)).unwrap();
        let [signing, sealing, presence] =
            [Slot::Signing, Slot::Sealing, Slot::Presence].map(|slot| session.generate(slot).unwrap());
        let strongest = match profile {
            Profile::Firmware543 => ManagementAlgorithm::TripleDes,
            Profile::Firmware574 => ManagementAlgorithm::Aes256,
        };
        let bytes: Vec<u8> = (1..).take(strongest.key_length()).collect();
        session.put_object(0x5F_C109, &tlv::write(0x88, &tlv::write(0x89, &bytes))).unwrap();
        let own = ManagementKey::new(strongest, Zeroizing::new(bytes)).unwrap();
        session.set_management_key(&own).unwrap();
        Provisioned { key, signing: signing.into(), sealing, presence: presence.into(), extended }
    }

    /// Every way in which a session meets the practice key.
    fn each(mut check: impl FnMut(Provisioned)) {
        for profile in [Profile::Firmware543, Profile::Firmware574] {
            for extended in [true, false] {
                check(Provisioned::new(profile, extended));
            }
        }
    }

    fn connect(&self) -> Result<Session<PracticeCard>, DeviceError> {
        let card = self.key.card();
        let card = if self.extended { card } else { card.short_only() };
        Session::connect(card, Box::new(Fixed(0x5A)))
    }

    /// What an opening asks of a key, from connect to the outcome's head.
    fn open(&self, peer: &PublicKey) -> Result<[u8; 32], DeviceError> {
        let mut session = self.connect()?;
        session.prove_presence(&self.presence, &NONCE)?;
        session.head_objects()?;
        session.pin_tries()?;
        let signature = session.sign_record(&self.signing, &factory(), &DIGEST)?;
        self.signing.verify_prehash(&DIGEST, &signature).expect("only a good signature is handed out");
        session.put_head_object(0, &[1; 1_500])?;
        let secret = *session.agree(peer)?.expose_bytes();
        session.sign_record(&self.signing, &factory(), &[2; 32])?;
        session.put_head_object(1, &[2; MOST_OBJECT_BYTES])?;
        Ok(secret)
    }

    fn tries(&self) -> u8 {
        self.connect().unwrap().pin_tries().unwrap().left
    }
}

fn factory() -> Pin {
    Pin::parse(b"123456").unwrap()
}

fn wrong() -> Pin {
    Pin::parse(b"654321").unwrap()
}

fn peer() -> SecretKey {
    SecretKey::from_slice(&[0x33; 32]).unwrap()
}

#[test]
fn an_opening_agrees_with_software_and_leaves_both_heads() {
    Provisioned::each(|provisioned| {
        let secret = provisioned.open(&peer().public_key()).unwrap();
        let shared = p256::ecdh::diffie_hellman(peer().to_nonzero_scalar(), provisioned.sealing.as_affine());
        assert_eq!(secret[..], shared.raw_secret_bytes()[..]);
        let heads = provisioned.connect().unwrap().head_objects().unwrap();
        assert_eq!(heads, [Some(vec![1; 1_500]), Some(vec![2; MOST_OBJECT_BYTES])]);
    });
}

#[test]
fn an_opening_costs_the_commands_of_the_protocol_and_no_other() {
    let provisioned = Provisioned::new(Profile::Firmware574, true);
    let mut session = provisioned.connect().unwrap();
    let mut before = 0;
    let mut cost = |session: &Session<PracticeCard>| {
        let now = session.traffic().commands;
        std::mem::replace(&mut before, now).abs_diff(now)
    };
    assert_eq!(cost(&session), 4, "two SELECT, VERSION, SERIAL");
    session.prove_presence(&provisioned.presence, &NONCE).unwrap();
    assert_eq!(cost(&session), 1);
    session.head_objects().unwrap();
    assert_eq!(cost(&session), 2);
    session.pin_tries().unwrap();
    assert_eq!(cost(&session), 1);
    session.sign_record(&provisioned.signing, &factory(), &DIGEST).unwrap();
    assert_eq!(cost(&session), 2, "VERIFY and the signature");
    session.put_head_object(0, &[1; 2_000]).unwrap();
    assert_eq!(cost(&session), 5, "the management key, two for its proof, PUT, GET");
    session.agree(&peer().public_key()).unwrap();
    assert_eq!(cost(&session), 1);
    session.sign_record(&provisioned.signing, &factory(), &DIGEST).unwrap();
    session.put_head_object(1, &[1; 2_000]).unwrap();
    assert_eq!(cost(&session), 4, "the management key is proven once");
    assert_eq!(session.traffic().commands, 20);
}

#[test]
fn pulled_out_at_any_command_it_says_so_and_no_try_is_spent() {
    Provisioned::each(|provisioned| at_any_command(&provisioned, &Fault::Remove));
    let provisioned = Provisioned::new(Profile::Firmware574, true);
    for fault in [Fault::RemoveAfter, Fault::Reset, Fault::NeverAnswers(5)] {
        at_any_command(&provisioned, &fault);
    }
}

fn at_any_command(provisioned: &Provisioned, fault: &Fault) {
    let counter = FaultPlan::new();
    provisioned.key.set_faults(counter.clone());
    provisioned.open(&peer().public_key()).unwrap();
    let commands = counter.commands_seen();
    assert!(commands >= 20);
    for n in 1..=commands {
        provisioned.key.set_faults(FaultPlan::new().at(n, fault.clone()));
        let outcome = error(provisioned.open(&peer().public_key()));
        let named = match fault {
            Fault::NeverAnswers(_) => matches!(outcome, DeviceError::TimedOut { seconds: 5, .. }),
            _ => matches!(outcome, DeviceError::Removed { .. }),
        };
        assert!(named, "{fault:?} at {n}: {outcome:?}");
        provisioned.key.set_faults(FaultPlan::new());
        provisioned.key.insert().unwrap();
        assert_eq!(provisioned.tries(), 3, "{fault:?} at {n}");
    }
    provisioned.open(&peer().public_key()).unwrap();
}

#[test]
fn an_answer_spoilt_at_any_command_ends_in_an_error_or_in_the_right_secret() {
    let provisioned = Provisioned::new(Profile::Firmware574, true);
    let good = provisioned.open(&peer().public_key()).unwrap();
    const AGREEMENT: usize = 16;
    for n in 1..=20 {
        for fault in [
            Fault::Truncate(0),
            Fault::Truncate(1),
            Fault::Truncate(2),
            Fault::Append(vec![0x90, 0x00]),
            Fault::Replace(vec![0x61, 0x20]),
            Fault::Replace(vec![0x6C, 0x20]),
            Fault::Replace(vec![0x6F, 0x00]),
            Fault::Replace(vec![0x90, 0x00]),
            Fault::Flip { byte: 0, mask: 0x01 },
            Fault::Flip { byte: 2, mask: 0x80 },
            Fault::Flip { byte: 9, mask: 0x10 },
        ] {
            provisioned.key.set_faults(FaultPlan::new().at(n, fault.clone()));
            match provisioned.open(&peer().public_key()) {
                // The one answer without a check of its own: what it opens is authenticated.
                Ok(secret) => assert!(secret == good || n == AGREEMENT, "{fault:?} at {n}"),
                Err(error) => {
                    assert!(!matches!(error, DeviceError::WrongPin { .. }), "{fault:?} at {n}: {error}")
                }
            }
            provisioned.key.set_faults(FaultPlan::new());
            assert_eq!(provisioned.tries(), 3, "{fault:?} at {n}");
        }
    }
}

#[test]
fn three_wrong_pins_block_and_the_puk_unblocks() {
    Provisioned::each(|provisioned| {
        let mut session = provisioned.connect().unwrap();
        for left in [2, 1] {
            let outcome = error(session.sign_record(&provisioned.signing, &wrong(), &DIGEST));
            assert!(matches!(outcome, DeviceError::WrongPin { left: found } if found == left));
            assert_eq!(session.pin_tries().unwrap().left, left);
        }
        assert!(matches!(error(session.verify_pin(&wrong())), DeviceError::PinBlocked));
        assert!(matches!(error(session.verify_pin(&factory())), DeviceError::PinBlocked));
        assert_eq!(session.pin_tries().unwrap().left, 0);

        let puk = Pin::parse(b"12345678").unwrap();
        let new = Pin::parse(b"A7b3x9Q2").unwrap();
        assert!(matches!(error(session.unblock_pin(&wrong(), &new)), DeviceError::WrongPuk { left: 2 }));
        session.unblock_pin(&puk, &new).unwrap();
        session.sign_record(&provisioned.signing, &new, &DIGEST).unwrap();
        session.change_pin(&new, &factory()).unwrap();
        assert!(matches!(error(session.change_pin(&new, &factory())), DeviceError::WrongPin { left: 2 }));
        session.change_puk(&puk, &new).unwrap();
        let tries = session.puk_tries().unwrap().unwrap();
        assert_eq!(tries, Tries { left: 3, total: Some(3), factory: Some(false) });
    });
}

#[test]
fn a_withheld_touch_leaves_the_pin_good() {
    let provisioned = Provisioned::new(Profile::Firmware574, true);
    let mut session = provisioned.connect().unwrap();
    session.sign_record(&provisioned.signing, &factory(), &DIGEST).unwrap();
    provisioned.key.set_touch(Touch::NEVER).unwrap();
    assert!(matches!(error(session.agree(&peer().public_key())), DeviceError::NotTouched));
    assert_eq!(session.pin_tries().unwrap().left, 3);
    provisioned.key.set_touch(Touch::AT_ONCE).unwrap();
    session.agree(&peer().public_key()).unwrap();
}

#[test]
fn the_next_connection_finds_no_verified_pin() {
    Provisioned::each(|provisioned| {
        let mut first = provisioned.connect().unwrap();
        first.verify_pin(&factory()).unwrap();
        let mut second = provisioned.connect().unwrap();
        let outcome = error(second.put_head_object(0, b"head"));
        assert!(matches!(outcome, DeviceError::Refused { status: 0x6982, .. }), "{outcome:?}");
        assert!(matches!(error(second.agree(&peer().public_key())), DeviceError::NotTouched));
    });
}

#[test]
fn slots_objects_and_device_tell_what_was_made() {
    Provisioned::each(|provisioned| {
        let mut session = provisioned.connect().unwrap();
        for (slot, public) in
            [(Slot::Signing, provisioned.signing.into()), (Slot::Sealing, provisioned.sealing)]
        {
            let metadata = session.metadata(slot).unwrap().unwrap();
            let (pin, touch) = slot.policy();
            assert_eq!((metadata.algorithm, metadata.origin), (0x11, 1));
            assert_eq!(metadata.policy, (pin as u8, touch as u8));
            assert_eq!(metadata.public, Some(public));
            let attestation = Session::attest(&mut session, slot).unwrap();
            let point = public.to_sec1_point(false);
            assert!(attestation.windows(65).any(|window| window == point.as_bytes()));
        }
        assert_eq!(session.sealing_certificate().unwrap(), None);
        let info = Session::device_info(&mut session).unwrap().unwrap();
        assert_eq!((info.serial, info.firmware), (Some(SERIAL), Some(session.firmware())));
        assert_eq!(HEAD_OBJECTS.map(|id| session.object("GET DATA", id).unwrap()), [None, None]);
    });
}

#[test]
fn a_key_without_keys_says_which_slot_is_empty() {
    let (around, _) = Surroundings::seeded(8);
    let model =
        SimulatedKey::new(SERIAL, Profile::Firmware574, Authority::practice().unwrap(), &around).unwrap();
    let mut session =
        Session::connect(PracticeKey::in_memory(model, around).card(), Box::new(Fixed(0x5A))).unwrap();
    assert_eq!(session.metadata(Slot::Signing).unwrap(), None);
    // 6A80 is also what an imported key answers, so that it is not called empty.
    let outcome = error(Session::attest(&mut session, Slot::Sealing));
    assert!(matches!(outcome, DeviceError::Refused { command: "attestation", status: 0x6A80 }));
    let somebody = VerifyingKey::from(peer().public_key());
    let outcome = error(session.prove_presence(&somebody, &NONCE));
    assert!(matches!(outcome, DeviceError::EmptySlot(Slot::Presence)), "{outcome:?}");
    assert_eq!(session.pin_tries().unwrap().factory, Some(true));
}
