//! Practice keys in files, through the traits that the flows use.

use p256::ecdsa::VerifyingKey;

use super::*;
use crate::attestation::{self, Slot};
use crate::device::practice::{Fault, FaultPlan, Touch, Which, root_certificate};
use crate::secret::{ManagementKey, Pin};

const SERIAL: Serial = Serial(4_000_001);

fn readers(folder: &Path) -> PracticeReaders {
    PracticeReaders::new(folder, Surroundings::seeded(11).0)
}

fn pin() -> Pin {
    Pin::parse(b"123456").unwrap()
}

/// Blank key to one with all three slots, by the traits alone.
fn provisioned(readers: &mut PracticeReaders, profile: Profile) -> PracticeKey {
    let key = readers.create(SERIAL, profile).unwrap();
    let mut administer = readers.administer(SERIAL).unwrap();
    let (algorithm, factory) = administer.management_algorithm().unwrap();
    assert_eq!((algorithm, factory), (profile.factory_management(), true));
    administer.authenticate(&ManagementKey::factory(algorithm)).unwrap();
    for slot in Slot::CORE {
        administer.generate(slot).unwrap();
    }
    key
}

#[test]
fn a_folder_that_is_not_there_has_no_keys() {
    let folder = tempfile::tempdir().unwrap();
    let mut readers = readers(&folder.path().join("nothing"));
    assert_eq!(readers.attached().unwrap(), []);
    assert!(matches!(readers.connect(SERIAL), Err(DeviceError::Absent(SERIAL))));
}

#[test]
fn a_key_signs_agrees_and_attests_through_the_same_session_as_a_real_one() {
    for profile in [Profile::Firmware543, Profile::Firmware574] {
        let folder = tempfile::tempdir().unwrap();
        let mut readers = readers(folder.path());
        let practice = provisioned(&mut readers, profile);
        let mut key = readers.connect(SERIAL).unwrap();
        assert_eq!((key.serial(), key.firmware()), (SERIAL, profile.firmware()));
        let public = |key: &mut Box<dyn Key>, slot| {
            key.metadata(slot).unwrap().unwrap().public.map(VerifyingKey::from).unwrap()
        };
        let presence = public(&mut key, Slot::Presence);
        key.prove_presence(&presence, &[3; 32]).unwrap();
        let signing = public(&mut key, Slot::Signing);
        key.sign_record(&signing, &pin(), &[4; 32]).unwrap();
        let peer = p256::SecretKey::from_slice(&[9; 32]).unwrap();
        let sealing = key.metadata(Slot::Sealing).unwrap().unwrap().public.unwrap();
        let expected = p256::ecdh::diffie_hellman(peer.to_nonzero_scalar(), sealing.as_affine());
        let secret = key.agree(&peer.public_key()).unwrap();
        assert_eq!(secret.expose_bytes()[..], expected.raw_secret_bytes()[..]);

        let leaf = readers.administer(SERIAL).unwrap().attest(Slot::Signing).unwrap();
        let device = practice.with_model(|model, _| model.attestation().certificate().to_vec()).unwrap();
        let roots = attestation::Roots::practice(&root_certificate().unwrap()).unwrap();
        let facts = attestation::verify(&leaf, &device, &roots).unwrap();
        assert_eq!(facts.serial, Some(SERIAL));
        assert_eq!(facts.firmware, profile.firmware());
        let real = attestation::Roots::real(None).unwrap();
        attestation::verify(&leaf, &device, &real).unwrap_err();
    }
}

#[test]
fn a_key_under_another_root_is_what_that_root_says_and_no_practice_key() {
    let folder = tempfile::tempdir().unwrap();
    let mut readers = readers(folder.path());
    let root = Authority::new("an organisation's own root", &Surroundings::seeded(1).0).unwrap();
    let key = readers.create_under(&root, SERIAL, Profile::Firmware574).unwrap();
    let mut administer = readers.administer(SERIAL).unwrap();
    administer.authenticate(&ManagementKey::factory(Profile::Firmware574.factory_management())).unwrap();
    administer.generate(Slot::Signing).unwrap();
    let leaf = administer.attest(Slot::Signing).unwrap();
    let device = key.with_model(|model, _| model.attestation().certificate().to_vec()).unwrap();
    let named = attestation::Roots::real(Some(&root.certificate_der().unwrap())).unwrap();
    assert_eq!(attestation::verify(&leaf, &device, &named).unwrap().serial, Some(SERIAL));
    let practice = attestation::Roots::practice(&root_certificate().unwrap()).unwrap();
    attestation::verify(&leaf, &device, &practice).unwrap_err();
}

#[test]
fn what_a_key_went_through_is_in_its_file_when_another_process_opens_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = readers(folder.path());
    provisioned(&mut first, Profile::Firmware574);
    let wrong = Pin::parse(b"654321").unwrap();
    let mut key = first.connect(SERIAL).unwrap();
    assert!(matches!(key.verify_pin(&wrong), Err(DeviceError::WrongPin { left: 2 })));
    let public = key.metadata(Slot::Sealing).unwrap().unwrap().public;

    let mut second = readers(folder.path());
    let mut same = second.connect(SERIAL).unwrap();
    assert_eq!(same.pin_tries().unwrap().left, 2);
    assert_eq!(same.metadata(Slot::Sealing).unwrap().unwrap().public, public);
    same.verify_pin(&pin()).unwrap();
    assert_eq!(key.pin_tries().unwrap().left, 3, "and the first process sees what the second did");

    let text = std::fs::read_to_string(folder.path().join("4000001.key")).unwrap();
    assert!(text.starts_with("{\n  \"practice_key\": \"This is a breakglass practice key"), "{text}");
    assert!(!text.contains("123456") && !text.contains(&hex::encode("123456")), "no PIN in clear");
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["4000001.key"], "nothing is left beside it");
}

#[test]
fn a_key_taken_out_by_another_process_is_gone_here() {
    let folder = tempfile::tempdir().unwrap();
    let mut here = readers(folder.path());
    provisioned(&mut here, Profile::Firmware574);
    let mut there = readers(folder.path());
    let hand = there.key(SERIAL).unwrap();

    let mut key = here.connect(SERIAL).unwrap();
    hand.remove().unwrap();
    assert!(matches!(key.pin_tries(), Err(DeviceError::Removed { .. })));
    assert_eq!(here.attached().unwrap(), []);
    assert!(matches!(here.connect(SERIAL), Err(DeviceError::Absent(SERIAL))));
    hand.insert().unwrap();
    assert!(matches!(key.pin_tries(), Err(DeviceError::Removed { .. })), "the old connection stays dead");
    here.connect(SERIAL).unwrap().pin_tries().unwrap();

    hand.set_touch(Touch::Withheld { for_ms: 0 }).unwrap();
    let mut key = here.connect(SERIAL).unwrap();
    let signing = key.metadata(Slot::Signing).unwrap().unwrap().public.map(VerifyingKey::from).unwrap();
    let result = key.sign_record(&signing, &pin(), &[4; 32]);
    assert!(matches!(result, Err(DeviceError::NotTouched)), "{result:?}");
}

#[test]
fn a_key_is_pulled_out_at_the_command_that_its_file_names() {
    let folder = tempfile::tempdir().unwrap();
    let mut here = readers(folder.path());
    provisioned(&mut here, Profile::Firmware574);
    let hand = readers(folder.path()).key(SERIAL).unwrap();
    // Four commands connect: two SELECT, VERSION, SERIAL.
    hand.pull_out_at(6).unwrap();
    let mut key = here.connect(SERIAL).unwrap();
    key.pin_tries().unwrap();
    assert!(matches!(key.pin_tries(), Err(DeviceError::Removed { .. })));
    assert!(!hand.plugged_in().unwrap());
}

#[test]
fn faults_reach_every_session_of_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let mut readers = readers(folder.path());
    let key = provisioned(&mut readers, Profile::Firmware543);
    key.set_faults(FaultPlan::new().at(5, Fault::Replace(vec![0x90])));
    let mut session = readers.connect(SERIAL).unwrap();
    assert!(matches!(session.pin_tries(), Err(DeviceError::Malformed { .. })));
    session.pin_tries().unwrap();
}

#[test]
fn a_second_key_with_the_same_serial_is_not_made_and_damage_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut here = readers(folder.path());
    here.create(SERIAL, Profile::Firmware574).unwrap();
    assert!(matches!(here.create(SERIAL, Profile::Firmware574), Err(CreateError::Exists(_))));
    let path = folder.path().join("4000001.key");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = readers(folder.path()).attached().unwrap_err();
    assert!(matches!(&error, DeviceError::PracticeFile { path: named, .. } if *named == path), "{error}");
    std::fs::rename(&path, folder.path().join("5.key")).unwrap();
    std::fs::write(folder.path().join("5.key"), whole).unwrap();
    let error = readers(folder.path()).attached().unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "it holds the key 4000001");
}

#[test]
fn what_no_command_can_do_is_done_to_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let mut readers = readers(folder.path());
    let hand = provisioned(&mut readers, Profile::Firmware574);
    let mut key = readers.connect(SERIAL).unwrap();
    let presence = key.metadata(Slot::Presence).unwrap().unwrap().public.map(VerifyingKey::from).unwrap();
    hand.with_model(|model, around| model.counterfeit(Slot::Presence.into(), around).unwrap()).unwrap();
    let result = key.prove_presence(&presence, &[3; 32]);
    assert!(matches!(result, Err(DeviceError::NotGenuine(SERIAL))), "{result:?}");
    hand.with_model(|model, _| model.make_blank()).unwrap();
    assert!(hand.with_model(|model, _| model.reference(Which::Pin).factory).unwrap());
    let mut key = readers.connect(SERIAL).unwrap();
    assert_eq!(key.metadata(Slot::Presence).unwrap(), None);
}
