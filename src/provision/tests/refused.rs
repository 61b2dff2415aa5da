//! What is not provisioned, and that nothing changes on such a key.

use p256::elliptic_curve::sec1::ToSec1Point;
use zeroize::Zeroizing;

use super::*;
use crate::attestation::PinPolicy;
use crate::device::piv::CardError;
use crate::device::practice::{PolicyBytes, Which};
use crate::device::{Administer, ChangePin};
use crate::secret::{ManagementAlgorithm, ManagementKey};

fn refused(world: &World) -> ProvisionError {
    let before = world.slots();
    let mut person = Person::new();
    let error = world.provision(&mut person).unwrap_err();
    assert_eq!(world.slots(), before, "{error}");
    assert_eq!(world.journal.borrow().len(), 0);
    error
}

/// Somebody else's hand on the key, with the factory management key.
fn manage(world: &World, act: impl FnOnce(&mut Session<crate::device::practice::PracticeCard>)) {
    let mut session = world.session(world.key.card()).unwrap();
    session.authenticate(&ManagementKey::factory(ManagementAlgorithm::Aes192)).unwrap();
    act(&mut session);
}

#[test]
fn firmware_before_5_7_needs_a_recorded_word() {
    let mut world = World::new(Profile::Firmware543);
    world.overrides = vec![Override { rule: "YSA-2025-02".to_owned(), why: "another one".to_owned() }];
    let error = refused(&world);
    assert!(matches!(&error, ProvisionError::Advisory { advisory, .. } if advisory.id == "YSA-2024-03"));
    assert!(
        error.to_string().starts_with("key 30877 with firmware 5.4.3 is refused by YSA-2024-03"),
        "{error}"
    );
    assert_eq!(world.key.counters().pins_sent, 0);
}

#[test]
fn firmware_that_cannot_tell_its_state_is_refused_with_any_word() {
    let world = World::new(Profile::Firmware543);
    let version = |command: &[u8], answer: &mut Vec<u8>| {
        if command[1] == 0xFD {
            answer[..3].copy_from_slice(&[5, 2, 7]);
        }
    };
    let error = world.provision_over(|| Lying { card: world.key.card(), lie: version }, &mut Person::new());
    assert!(matches!(error, Err(ProvisionError::FirmwareTooOld { .. })), "{error:?}");
}

#[test]
fn a_bio_is_refused() {
    let world = World::new(Profile::Firmware574);
    let bio = |command: &[u8], answer: &mut Vec<u8>| {
        if command[1] == 0x1D
            && let Some(at) = answer.windows(2).position(|tag| tag == [0x04, 0x01])
        {
            answer[at + 2] = 0x07;
        }
    };
    let error = world.provision_over(|| Lying { card: world.key.card(), lie: bio }, &mut Person::new());
    assert!(matches!(error, Err(ProvisionError::Bio(SERIAL))), "{error:?}");
}

#[test]
fn an_occupied_slot_needs_the_serial() {
    for slot in Slot::CORE {
        let mut world = World::new(Profile::Firmware574);
        manage(&world, |session| _ = session.generate(slot).unwrap());
        let before = world.slots();
        let error = refused(&world);
        assert_eq!(error.to_string(), format!("key 30877 is not blank: a key in {slot}"));
        world.overwrite = Some(Serial(30_878));
        assert!(matches!(refused(&world), ProvisionError::OtherSerial { .. }));
        world.overwrite = Some(SERIAL);
        let plan = world.plan().unwrap();
        assert_eq!(plan.verdict, Verdict::Overwrite { what: vec![format!("a key in {slot}")] });
        world.provision(&mut Person::new()).unwrap();
        assert_ne!(world.slots()[&slot], before[&slot]);
    }
}

#[test]
fn what_another_tool_left_is_named() {
    let world = World::new(Profile::Firmware574);
    manage(&world, |session| {
        session.put_object(0x5F_C105, b"a certificate in 9A").unwrap();
        session.put_object(certificate::OBJECT, b"not one of ours").unwrap();
        session.put_object(0x5F_B601, b"head of another kit").unwrap();
        let (pin, new) = (Pin::parse(b"123456").unwrap(), Pin::parse(b"424242").unwrap());
        session.change_pin(&pin, &new).unwrap();
    });
    assert_eq!(
        refused(&world).to_string(),
        "key 30877 is not blank: a certificate in 9A, a certificate in 82, a chain head, \
         a PIN other than the factory one"
    );
}

#[test]
fn a_management_key_that_nobody_knows_is_refused_even_with_the_serial() {
    let mut world = World::new(Profile::Firmware574);
    manage(&world, |session| {
        let key = ManagementKey::new(ManagementAlgorithm::Aes192, Zeroizing::new(vec![9; 24])).unwrap();
        session.set_management_key(&key).unwrap();
    });
    world.overwrite = Some(SERIAL);
    assert!(matches!(refused(&world), ProvisionError::ManagementKeyUnknown(SERIAL)));
}

#[test]
fn another_roots_keys_are_refused_before_anything_is_enrolled() {
    let mut world = World::new(Profile::Firmware574);
    world.roots = Roots::real(None).unwrap();
    let error = refused_after_generation(&world);
    assert!(matches!(error, ProvisionError::Attestation { slot: Slot::Signing, .. }), "{error:?}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("not accepted here"), "{cause}");
}

fn refused_after_generation(world: &World) -> ProvisionError {
    let error = world.provision(&mut Person::new()).unwrap_err();
    assert_eq!(world.journal.borrow().len(), 0);
    error
}

#[test]
fn an_imported_key_is_found_out_on_resume() {
    let world = half_provisioned();
    let _owner = owner(&world);
    let at = KeyReference::new(0x82).unwrap();
    let policy = PolicyBytes { pin: Some(2), touch: Some(2) };
    world.model(|model| model.import(at, 0x11, &[5; 32], policy).map(drop)).unwrap();
    let error = refused_after_generation(&world);
    assert!(matches!(error, ProvisionError::Unattested { slot: Slot::Sealing, .. }), "{error:?}");
}

#[test]
fn a_key_with_another_policy_is_found_out_on_resume() {
    let world = half_provisioned();
    let _owner = owner(&world);
    let at = KeyReference::new(0x9C).unwrap();
    let weak = PolicyBytes { pin: Some(PinPolicy::Never as u8), touch: Some(1) };
    let (around, _) = Surroundings::seeded(5);
    world.model(|model| model.generate(at, 0x11, weak, &around).map(drop)).unwrap();
    let error = refused_after_generation(&world);
    assert!(
        matches!(error, ProvisionError::Binding { slot: Slot::Signing, cause: BindError::Policy { .. }, .. }),
        "{error:?}"
    );
}

#[test]
fn metadata_that_lies_is_caught_by_the_attestation() {
    let world = half_provisioned();
    let real = world.slots()[&Slot::Signing].to_sec1_point(false).as_bytes().to_vec();
    let other = p256::SecretKey::from_slice(&[3; 32]).unwrap().public_key();
    let other = other.to_sec1_point(false).as_bytes().to_vec();
    let lie = move |command: &[u8], answer: &mut Vec<u8>| {
        if command.starts_with(&[0, 0xF7, 0, 0x9C])
            && let Some(at) = answer.windows(65).position(|point| point == real)
        {
            answer[at..at + 65].copy_from_slice(&other);
        }
    };
    let card = || Lying { card: world.key.card(), lie: lie.clone() };
    let error = world.provision_over(card, &mut Person::new()).unwrap_err();
    assert!(
        matches!(error, ProvisionError::Binding { slot: Slot::Signing, cause: BindError::Key { .. }, .. }),
        "{error:?}"
    );
}

#[test]
fn a_key_of_another_algorithm_in_a_half_provisioned_slot_is_not_taken_for_ours() {
    let world = half_provisioned();
    let rsa = |command: &[u8], answer: &mut Vec<u8>| {
        if command.starts_with(&[0, 0xF7, 0, 0x9C]) {
            assert_eq!(answer[..3], [1, 1, 0x11]);
            answer[2] = 0x07;
        }
    };
    let card = || Lying { card: world.key.card(), lie: rsa };
    let error = world.provision_over(card, &mut Person::new()).unwrap_err();
    assert!(matches!(error, ProvisionError::ForeignKey { slot: Slot::Signing, .. }), "{error:?}");
}

#[test]
fn a_key_without_an_attestation_certificate_is_refused() {
    let world = World::new(Profile::Firmware574);
    let lost = |command: &[u8], answer: &mut Vec<u8>| {
        if command[1] == 0xCB && command.windows(3).any(|id| id == [0x5F, 0xFF, 0x01]) {
            *answer = vec![0x6A, 0x82];
        }
    };
    let error = world.provision_over(|| Lying { card: world.key.card(), lie: lost }, &mut Person::new());
    assert!(matches!(error, Err(ProvisionError::NoDeviceCertificate(SERIAL))), "{error:?}");
}

#[test]
fn a_fips_key_is_enrolled_without_a_key_that_needs_no_pin() {
    let world = World::new(Profile::Firmware574);
    let fips = |command: &[u8], answer: &mut Vec<u8>| {
        if command[1] == 0x1D
            && let Some(at) = answer.windows(2).position(|tag| tag == [0x04, 0x01])
        {
            answer[at + 2] |= 0x80;
        }
    };
    let card = || Lying { card: world.key.card(), lie: fips };
    let enrolled = world.provision_over(card, &mut Person::new()).unwrap();
    assert_eq!((enrolled.presence, facts(&enrolled.record).presence), (None, None));
    assert_eq!(world.slots().keys().collect::<Vec<_>>(), [&Slot::Signing, &Slot::Sealing]);
}

/// One thing at the end that is not what was put there, each by a card that lies from then on.
#[test]
fn what_reads_back_otherwise_is_said() {
    let comparing = std::sync::atomic::AtomicBool::new(false);
    let now = || comparing.load(std::sync::atomic::Ordering::SeqCst);
    let world = World::new(Profile::Firmware574);
    let lie = |command: &[u8], answer: &mut Vec<u8>| {
        // The head is written by then, and read back twice: once by who wrote it.
        if command[1] == 0xDB && command.windows(4).any(|head| head == *b"head") {
            comparing.store(true, std::sync::atomic::Ordering::SeqCst);
        }
        if now() && command.starts_with(&[0, 0xF7, 0, 0x80]) {
            let at = answer.windows(2).position(|tag| tag == [0x05, 0x01]).unwrap();
            answer[at + 2] = 1;
        }
    };
    let error = world.provision_over(|| Lying { card: world.key.card(), lie: &lie }, &mut Person::new());
    assert!(
        matches!(
            error,
            Err(ProvisionError::ReadsBackOtherwise { what: "PIN or PUK is the factory one", .. })
        ),
        "{error:?}"
    );
}

#[test]
fn a_key_that_says_another_serial_than_it_attests_is_refused() {
    let world = World::new(Profile::Firmware574);
    let lie = |command: &[u8], answer: &mut Vec<u8>| {
        if command[1] == 0xF8 {
            answer[3] ^= 1;
        }
    };
    let error =
        world.provision_over(|| Lying { card: world.key.card(), lie }, &mut Person::new()).unwrap_err();
    assert!(matches!(error, ProvisionError::Binding { cause: BindError::Serial { .. }, .. }), "{error:?}");
}

#[test]
fn factory_values_and_a_pin_that_is_the_puk_are_refused_before_anything_is_sent() {
    for (pin, puk, expected) in [
        ("123456", PUK, "the new PIN is the factory one"),
        (PIN, "12345678", "the new PUK is the factory one"),
        ("77310462", "77310462", "PIN and PUK are the same; whoever knows the one would know the other"),
    ] {
        let world = World::new(Profile::Firmware574);
        let error = world.provision(&mut Person { pin, puk, ..Person::new() }).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(world.key.counters().pins_sent, 0);
        assert_eq!(world.plan().unwrap().verdict, Verdict::Blank, "nothing has changed");
    }
}

#[test]
fn a_pin_that_the_key_finds_too_simple_leaves_it_to_be_resumed() {
    let world = World::new(Profile::Firmware574);
    world.model(|model| model.complexity = true);
    let error = world.provision(&mut Person { pin: "111111", ..Person::new() }).unwrap_err();
    assert!(matches!(error, ProvisionError::Device(DeviceError::PinNotAccepted)), "{error:?}");
    assert_eq!(world.plan().unwrap().verdict, Verdict::Interrupted);
    world.provision(&mut Person::new()).unwrap();
}

#[test]
fn a_blocked_pin_or_puk_is_refused() {
    for which in [Which::Pin, Which::Puk] {
        let world = World::new(Profile::Firmware574);
        manage(&world, |session| {
            let (wrong, new) = (Pin::parse(b"999999").unwrap(), Pin::parse(b"424242").unwrap());
            for _ in 0..3 {
                let _ = match which {
                    Which::Pin => session.change_pin(&wrong, &new),
                    Which::Puk => session.change_puk(&wrong, &new),
                };
            }
        });
        let error = refused(&world);
        match which {
            Which::Pin => assert!(matches!(error, ProvisionError::Device(DeviceError::PinBlocked))),
            Which::Puk => assert!(matches!(error, ProvisionError::Device(DeviceError::PukBlocked))),
        }
    }
}

#[test]
fn a_plan_is_not_carried_out_on_a_key_that_changed_since() {
    let world = World::new(Profile::Firmware574);
    let outdated = world.with(
        || world.key.card(),
        |key, admin, circumstances| {
            let mut side = world.side();
            let plan = plan(&survey(key, admin, &mut side, &[])?, circumstances)?;
            manage(&world, |session| _ = session.generate(Slot::Signing).unwrap());
            let mut overwrite = Circumstances { seen: BTreeMap::new(), ..*circumstances };
            overwrite.overwrite = Some(SERIAL);
            let mut random = SeededRandom::new(1);
            let store = &mut |_: &Record| -> Result<(), Cause> { panic!("nothing is stored") };
            let mut outside = Outside { random: &mut random, store, head: &head };
            carry_out(&plan, key, admin, &mut side, &mut Person::new(), &overwrite, &mut outside)
        },
    );
    assert!(matches!(outdated, Err(ProvisionError::PlanOutdated { .. })), "{outdated:?}");
}

/// Somebody who knows the PIN, and by it the management key. Holds what the key allows while it lives.
fn owner(world: &World) -> Session<crate::device::practice::PracticeCard> {
    let mut session = world.session(world.key.card()).unwrap();
    session.verify_pin(&Pin::parse(PIN.as_bytes()).unwrap()).unwrap();
    let content = Administer::object(&mut session, management::PROTECTED_OBJECT).unwrap().unwrap();
    let key = management::protected_keys(&content, ManagementAlgorithm::Aes256).remove(0);
    session.authenticate(&key).unwrap();
    session
}

/// A key on which everything is made but nothing enrolled.
fn half_provisioned() -> World {
    let mut world = World::new(Profile::Firmware574);
    world.store_fails = true;
    world.provision(&mut Person::new()).unwrap_err();
    world.store_fails = false;
    world
}

/// A card that tells the truth but for one lie.
struct Lying<C, F> {
    card: C,
    lie: F,
}

impl<C: Card, F: Fn(&[u8], &mut Vec<u8>) + Send> Card for Lying<C, F> {
    fn transmit(&mut self, command: &[u8], answer: &mut Zeroizing<Vec<u8>>) -> Result<(), CardError> {
        self.card.transmit(command, answer)?;
        (self.lie)(command, answer);
        Ok(())
    }
    fn extended_length(&self) -> bool {
        self.card.extended_length()
    }
    fn reader(&self) -> &str {
        self.card.reader()
    }
}
