//! The test world itself: virtual YubiKeys come and go as real ones do, faults meet the command they are meant for, and
//! the `yubikey` crate, which provisions real keys, does its work on them.

#[path = "support/pcsc.rs"]
mod pcsc;

use std::process::Command;
use std::time::{Duration, Instant};

use ::pcsc as pcsc_crate;
use pcsc::{Pcsc, tools};
use yubikey::mgm::{MgmAlgorithmId, MgmKey};
use yubikey::piv::{AlgorithmId, SlotId};
use yubikey::{Context, PinPolicy, Serial, TouchPolicy, YubiKey};

const NEW: u32 = 4_000_001;
const OLD: u32 = 4_000_002;
const KEYS: [(u32, &str); 2] = [(NEW, "5.7.4"), (OLD, "5.4.3")];

const FACTORY_MANAGEMENT: [u8; 24] = [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8];

/// Names of readers with a card, as a PC/SC program sees them.
fn readers(world: &Pcsc) -> Vec<String> {
    let list = world.run(world.command(tools::debian("opensc-tool", "opensc")).arg("--list-readers"));
    let with_card = list.lines().filter(|line| line.split_whitespace().nth(1) == Some("Yes"));
    with_card.filter_map(|line| Some(line[line.find("Yubico")?..].trim().to_owned())).collect()
}

#[test]
fn a_world_is_ready_soon_and_leaves_nothing_behind() {
    drop(Pcsc::start(&KEYS[..1])); // builds what is to be built
    let begun = Instant::now();
    let world = Pcsc::start(&KEYS);
    let started = begun.elapsed();
    let (process, folder) = (world.first_process().to_owned(), world.folder().to_owned());
    assert!(started < Duration::from_secs(15), "the start took {started:?}");
    assert_eq!(readers(&world), [world.reader(NEW), world.reader(OLD)]);
    world.remove(OLD);
    assert_eq!(readers(&world), [world.reader(NEW)], "each key is in the reader that it is said to be in");
    let namespace = std::fs::read_link(format!("/proc/{process}/ns/net")).expect("a namespace");
    drop(world);
    assert!(!folder.exists());
    let left: Vec<String> = std::fs::read_dir("/proc")
        .expect("processes")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|id| std::fs::read_link(format!("/proc/{id}/ns/net")).is_ok_and(|link| link == namespace))
        .collect();
    assert!(left.is_empty(), "still there: {left:?}");
}

#[test]
fn two_worlds_do_not_see_each_other() {
    let (one, two) = (Pcsc::start(&KEYS[..1]), Pcsc::start(&KEYS[1..]));
    let list = |world: &Pcsc| world.run(world.command(tools::ykman()).args(["list", "--serials"]));
    assert_eq!((list(&one), list(&two)), (format!("{NEW}\n"), format!("{OLD}\n")));
}

#[test]
fn keys_are_taken_out_and_swapped_in_one_port() {
    let world = Pcsc::one_port(&KEYS);
    let serials = || world.run(world.command(tools::ykman()).args(["list", "--serials"]));
    assert_eq!(serials(), format!("{NEW}\n"));
    world.remove(NEW);
    assert_eq!(readers(&world), [""; 0]);
    world.insert(OLD);
    assert_eq!(serials(), format!("{OLD}\n"));
    assert_eq!(world.reader(OLD), world.reader(NEW));
}

#[test]
fn a_world_without_a_service_has_none() {
    let world = Pcsc::with(&pcsc::Settings { service: false, ..pcsc::Settings::usual(&KEYS[..1]) });
    let output = world.command(tools::debian("opensc-tool", "opensc")).arg("--list-readers").output();
    let said = pcsc::text(&output.expect("opensc-tool starts"));
    assert!(said.contains("No smart card readers found") || said.contains("failed"), "{said}");
}

#[test]
fn a_key_survives_its_world_in_its_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = pcsc::Settings { keys_folder: Some(folder.path()), ..pcsc::Settings::usual(&KEYS[..1]) };
    let change = ["piv", "access", "change-pin", "-P", "123456", "-n", "87654321"];
    let world = Pcsc::with(&settings);
    world.run(world.command(tools::ykman()).args(change));
    drop(world);
    let world = Pcsc::with(&settings);
    let output = world.command(tools::ykman()).args(change).output().expect("ykman starts");
    assert!(!output.status.success(), "the old PIN is still good");
    assert_eq!(world.tries(NEW), (2, 3));
}

#[test]
fn faults_meet_the_command_they_are_meant_for() {
    let world = Pcsc::start(&KEYS[..1]);
    let status = || {
        let tool = tools::debian("yubico-piv-tool", "yubico-piv-tool");
        let mut command = Command::new(tools::debian("timeout", "coreutils"));
        let inside = world.command(tool);
        command.arg("3").arg(inside.get_program()).args(inside.get_args());
        command.args(["--reader", "Yubico", "--action", "status"]).output().expect("timeout starts")
    };
    world.order(&format!("{NEW} reset-counters"));
    world.order(&format!("{NEW} heard"));
    assert!(status().status.success());
    let heard = world.order(&format!("{NEW} heard"));
    let commands: Vec<&str> = heard.split(' ').collect();
    assert_eq!(world.counters(NEW).commands, commands.len() as u64);
    assert_eq!(commands[0], "00A40400", "{heard}");
    let version = commands.iter().position(|header| header.starts_with("00FD")).expect("VERSION") + 1;

    world.order(&format!("{NEW} answer-at {version} 0909099000"));
    assert!(pcsc::text(&status()).contains("9.9.9"));
    world.order(&format!("{NEW} silent-at {version}"));
    let begun = Instant::now();
    assert_eq!(status().status.code(), Some(124), "it waited until it was stopped");
    assert!(begun.elapsed() >= Duration::from_secs(3));
    // The reader waits on: only taking the key out ends that.
    world.order(&format!("{NEW} clear"));
    world.remove(NEW);
    world.insert(NEW);
    assert!(status().status.success());

    world.order(&format!("{NEW} remove-at {version}"));
    let said = pcsc::text(&status());
    assert!(said.contains("Version:\tNo data available"), "{said}");
    world.remove(NEW);
    world.insert(NEW);
    assert!(status().status.success());
}

#[test]
fn a_verified_pin_outlives_a_connection_that_leaves_the_card_and_no_other() {
    use pcsc_crate::{Card, Disposition, Protocols, Scope, ShareMode};
    let name = "a_verified_pin_outlives_a_connection_that_leaves_the_card_and_no_other";
    if !Pcsc::inside(name, || Pcsc::start(&KEYS[..1])) {
        return;
    }
    let context = pcsc_crate::Context::establish(Scope::User).expect("pcscd is there");
    let reader = context.list_readers_owned().expect("readers").remove(0);
    let connect = || context.connect(&reader, ShareMode::Shared, Protocols::T1).expect("connected");
    let send = |card: &Card, command: &[u8]| {
        let mut room = [0; 258];
        hex::encode(card.transmit(command, &mut room).expect("answered"))
    };
    let select = [0, 0xA4, 4, 0, 5, 0xA0, 0, 0, 3, 8];
    let verify = [&[0, 0x20, 0, 0x80, 8][..], b"123456\xFF\xFF"].concat();
    let ask = [0, 0x20, 0, 0x80, 0];

    let card = connect();
    send(&card, &select);
    assert_eq!(send(&card, &verify), "9000");
    assert!(card.disconnect(Disposition::LeaveCard).is_ok());
    let card = connect();
    send(&card, &select);
    assert_eq!(send(&card, &ask), "9000", "pcscd keeps the card powered for some seconds");
    assert!(card.disconnect(Disposition::ResetCard).is_ok());
    let card = connect();
    send(&card, &select);
    assert_eq!(send(&card, &ask), "63c3");
    assert_eq!(send(&card, &verify), "9000");
    assert!(card.disconnect(Disposition::LeaveCard).is_ok());
    std::thread::sleep(Duration::from_secs(12)); // pcscd takes the power away after twice 5 s at most
    let card = connect();
    send(&card, &select);
    assert_eq!(send(&card, &ask), "63c3");
}

/// Opens the key with that serial, as provisioning does.
fn open(serial: u32) -> YubiKey {
    let mut context = Context::open().expect("pcscd is there");
    let found = context.iter().expect("readers").find_map(|reader| {
        let key = reader.open().ok()?;
        (key.serial() == Serial(serial)).then_some(key)
    });
    found.expect("the key is there")
}

#[test]
fn the_yubikey_crate_provisions_both_profiles() {
    if !Pcsc::inside("the_yubikey_crate_provisions_both_profiles", || Pcsc::start(&KEYS)) {
        return;
    }
    for (serial, algorithm) in [(NEW, MgmAlgorithmId::Aes192), (OLD, MgmAlgorithmId::ThreeDes)] {
        let mut key = open(serial);
        let factory = MgmKey::from_bytes(FACTORY_MANAGEMENT, Some(algorithm)).expect("a key");
        key.authenticate(&factory).expect("authenticated");
        let next = MgmKey::from_bytes([0xC4; 32], Some(MgmAlgorithmId::Aes256)).expect("a key");
        next.set_manual(&mut key, false).expect("management key set");
        key.authenticate(&factory).expect_err("the factory key is good no more");
        key.authenticate(&next).expect("the new one is");

        let slot = SlotId::Retired(yubikey::piv::RetiredSlotId::R1);
        yubikey::piv::metadata(&mut key, slot).expect_err("the slot is empty");
        let public = yubikey::piv::generate(
            &mut key,
            slot,
            AlgorithmId::EccP256,
            PinPolicy::Once,
            TouchPolicy::Always,
        )
        .expect("generated");
        let metadata = yubikey::piv::metadata(&mut key, slot).expect("metadata");
        assert_eq!(metadata.policy, Some((PinPolicy::Once, TouchPolicy::Always)));
        assert_eq!(metadata.public, Some(public.clone()));
        let leaf = yubikey::piv::attest(&mut key, slot).expect("attested");
        let leaf = yubikey::Certificate::from_bytes(leaf.to_vec()).expect("a certificate");
        assert_eq!(leaf.subject_pki().subject_public_key.raw_bytes(), public.subject_public_key.raw_bytes());
        assert_eq!(leaf.subject(), "CN=YubiKey PIV Attestation 82");

        let mut content = vec![0xB6; 2900];
        key.save_object(0x5F_B600, &mut content).expect("saved");
        assert_eq!(key.fetch_object(0x5F_B600).expect("fetched").to_vec(), content);
        key.fetch_object(0x5F_B601).expect_err("nothing is there");

        key.verify_pin(b"123456").expect("the factory PIN");
        let signature =
            yubikey::piv::sign_data(&mut key, &[0x5A; 32], AlgorithmId::EccP256, slot).expect("signed");
        let verifying = p256::ecdsa::VerifyingKey::from_sec1_bytes(public.subject_public_key.raw_bytes());
        let signature = p256::ecdsa::Signature::from_der(&signature).expect("a signature");
        p256::ecdsa::signature::hazmat::PrehashVerifier::verify_prehash(
            &verifying.expect("a point"),
            &[0x5A; 32],
            &signature,
        )
        .expect("it verifies");
        let peer = p256::SecretKey::from_slice(&[7; 32]).expect("a scalar").public_key();
        let secret = yubikey::piv::decrypt_data(&mut key, &peer.to_sec1_bytes(), AlgorithmId::EccP256, slot);
        assert_eq!(secret.expect("agreed").len(), 32);
        key.change_pin(b"123456", b"87654321").expect("PIN changed");
        key.change_puk(b"12345678", b"13572468").expect("PUK changed");
        key.verify_pin(b"123456").expect_err("the old PIN");
    }
}
