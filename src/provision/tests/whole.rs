//! A blank key becomes an enrolled key, in one go.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::VerifyingKey;

use super::*;
use crate::attestation::{Expected, Root, bind, verify};
use crate::device::practice::Which;
use crate::device::{Administer, ChangePin, Identity, KeepHead, PinTries, Presence, SignMinted};

#[test]
fn both_profiles_are_enrolled_as_planned() {
    for profile in [Profile::Firmware543, Profile::Firmware574] {
        let world = World::new(profile);
        let planned = world.plan().unwrap();
        let fido2 = profile == Profile::Firmware574;
        assert_eq!((&planned.verdict, planned.touches()), (&Verdict::Blank, if fido2 { 8 } else { 2 }));
        assert_eq!(world.key.counters().pins_sent, 0, "looking and planning send no PIN");
        let mut person = Person::new();
        let enrolled = world.provision(&mut person).unwrap();
        assert_eq!(person.asks(), planned.asks);
        assert_eq!(person.touches, planned.touches());
        let sentences: Vec<String> = planned.steps.iter().map(ToString::to_string).collect();
        assert_eq!(person.told, sentences, "what is done is what was shown");

        // What is on the key
        assert_eq!(world.slots()[&Slot::Signing], enrolled.signing);
        assert_eq!(world.slots()[&Slot::Sealing], enrolled.sealing);
        assert_eq!(world.slots().get(&Slot::Presence), enrolled.presence.as_ref());
        let (pin, puk) = world.model(|m| (m.reference(Which::Pin).factory, m.reference(Which::Puk).factory));
        assert!(!pin && !puk);
        let management = world.model(|model| (model.management().algorithm(), model.management().factory));
        assert_eq!(management, (Some(crate::secret::ManagementAlgorithm::Aes256), false));
        assert_eq!(world.tries(), (3, 3));
        let mut session = world.session(world.key.card()).unwrap();
        assert_eq!(session.head_objects().unwrap(), [Some(head(&enrolled.record)), None]);
        let certificate = session.sealing_certificate().unwrap().unwrap();
        assert!(certificate::fits(&certificate, &enrolled.sealing));
    }
}

#[test]
fn the_record_proves_the_key_again() {
    let world = World::new(Profile::Firmware543);
    let enrolled = world.provision(&mut Person::new()).unwrap();
    let record = Record::parse(world.record().bytes()).unwrap();
    assert_eq!(record, enrolled.record);
    let facts = facts(&record);
    record.verify(&VerifyingKey::from(facts.signing.0)).unwrap();
    assert_eq!((record.link.seq, record.link.prev, record.link.kit), (0, None, world.kit));
    assert_eq!((facts.serial, facts.root.as_str()), (SERIAL, "practice"));
    assert_eq!(facts.overrides, world.overrides, "the word about the firmware is on record");

    // An auditor has nothing but the record and the root.
    let [leaf, device] = &record.x5c[..] else { panic!("leaf and device certificate") };
    for (slot, leaf, public) in [
        (Slot::Signing, leaf.clone(), facts.signing.0),
        (Slot::Sealing, STANDARD.decode(&facts.attestations["82"]).unwrap(), facts.sealing.0),
        (Slot::Presence, STANDARD.decode(&facts.attestations["9E"]).unwrap(), facts.presence.unwrap().0),
    ] {
        let attested = verify(&leaf, device, &world.roots).unwrap();
        assert!(matches!(attested.root, Root::Practice(_)));
        bind(&attested, &Expected::new(SERIAL, facts.firmware, slot, public)).unwrap();
    }
}

#[test]
fn a_key_is_made_to_mint_what_the_policy_wants() {
    for profile in [Profile::Firmware543, Profile::Firmware574] {
        for minting in [&[Slot::Tokens][..], &Slot::MINTING] {
            let mut world = World::new(profile);
            world.minting = minting.to_vec();
            let planned = world.plan().unwrap();
            let mut person = Person::new();
            let enrolled = world.provision(&mut person).unwrap();
            assert_eq!(person.told, planned.steps.iter().map(ToString::to_string).collect::<Vec<_>>());
            let facts = facts(&enrolled.record);
            let device = &enrolled.record.x5c[1];
            let mut session = world.session(world.key.card()).unwrap();
            let presence = VerifyingKey::from(facts.presence.unwrap().0);
            session.prove_presence(&presence, &[1; 32]).unwrap();
            for slot in Slot::MINTING {
                let public = facts.minting.get(&slot.to_string()).map(|point| point.0);
                assert_eq!(world.slots().get(&slot), public.as_ref(), "{slot}");
                assert_eq!(public.is_some(), minting.contains(&slot));
                let Some(public) = public else { continue };
                let leaf = STANDARD.decode(&facts.attestations[&slot.to_string()]).unwrap();
                let attested = verify(&leaf, device, &world.roots).unwrap();
                bind(&attested, &Expected::new(SERIAL, facts.firmware, slot, public)).unwrap();
                assert_eq!(
                    session.metadata(slot).unwrap().unwrap().policy,
                    (3, 2),
                    "PIN always, touch always"
                );
                let pin = Pin::parse(PIN.as_bytes()).unwrap();
                session.sign_minted(slot, &public.into(), &pin, &[5; 32]).unwrap();
            }
        }
    }
}

#[test]
fn the_key_lets_itself_be_managed_with_the_pin_alone() {
    let world = World::new(Profile::Firmware574);
    world.provision(&mut Person::new()).unwrap();
    let mut session = world.session(world.key.card()).unwrap();
    let pin = Pin::parse(PIN.as_bytes()).unwrap();
    session.verify_pin(&pin).unwrap();
    session.put_head_object(1, b"the next head").unwrap();
    let admin = Administer::object(&mut session, management::ADMIN_OBJECT).unwrap().unwrap();
    assert!(management::says_protected(&admin));
    assert_eq!(session.pin_tries().unwrap().left, 3);
}

#[test]
fn the_same_command_again_finds_it_enrolled_and_leaves_it() {
    for overwrite in [None, Some(SERIAL)] {
        let mut world = World::new(Profile::Firmware574);
        world.overwrite = overwrite;
        let enrolled = world.provision(&mut Person::new()).unwrap();
        let before = world.slots();
        let mut person = Person::new();
        let again = world.provision(&mut person);
        assert!(matches!(again, Err(ProvisionError::AlreadyEnrolled(SERIAL))), "{again:?}");
        assert_eq!((world.slots(), person.asked.len()), (before, 0));
        assert_eq!(world.record(), enrolled.record);
    }
}

#[test]
fn a_kit_that_is_not_founded_yet_enrols_its_first_key() {
    let mut world = World::new(Profile::Firmware574);
    world.kit = None;
    let enrolled = world.provision(&mut Person::new()).unwrap();
    assert_eq!(enrolled.record.link.kit, None);
}
