//! The front as bytes, each expectation from the published command descriptions, none from the code.

use aes::Aes192;
use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use des::TdesEde3;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{DerSignature, VerifyingKey};
use proptest::prelude::*;

use super::super::{Authority, HandMovedClock, Profile, TOUCH_CACHE_MS, TOUCH_WINDOW_MS, Touch};
use super::*;
use crate::attestation::Serial;

const FACTORY_MANAGEMENT: [u8; 24] = [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8];
const PIN: &str = "0020008008 313233343536FFFF";
const WRONG_PIN: &str = "0020008008 303030303030FFFF";
const PIN_STATE: &str = "0020008000";
const SELECT: &str = "00A4040005 A000000308";
const SELECT_MANAGEMENT: &str = "00A4040008 A000000527471117";

pub(super) struct Bench {
    front: Front,
    around: Surroundings,
    clock: HandMovedClock,
}

impl Bench {
    fn new(profile: Profile) -> Self {
        let (around, clock) = Surroundings::seeded(1);
        let authority = Authority::practice().unwrap();
        let key = SimulatedKey::new(Serial(19_088_743), profile, authority, &around).unwrap();
        let mut bench = Bench { front: Front::new(key), around, clock };
        assert_eq!(bench.send(SELECT), "61114f0600001000010079074f05a0000003089000");
        bench
    }

    fn send(&mut self, command: &str) -> String {
        let command = hex::decode(command.replace(' ', "")).unwrap();
        hex::encode(self.front.answer(&command, &self.around))
    }

    /// Mutual authentication as a host does it, with the factory key.
    fn authenticate(&mut self) {
        match self.front.key.profile {
            Profile::Firmware543 => {
                let cipher = TdesEde3::new(&Array::from(FACTORY_MANAGEMENT));
                let witness = hex::decode(self.send("0087039B04 7C028000")).unwrap();
                let mut block = Array::try_from(&witness[4..12]).unwrap();
                cipher.decrypt_block(&mut block);
                let mut challenge = Array::from(*b"breakgls");
                let command =
                    format!("0087039B16 7C148008{}8108{}", hex::encode(block), hex::encode(challenge));
                cipher.encrypt_block(&mut challenge);
                assert_eq!(self.send(&command), format!("7c0a8208{}9000", hex::encode(challenge)));
            }
            Profile::Firmware574 => {
                let cipher = Aes192::new(&Array::from(FACTORY_MANAGEMENT));
                let witness = hex::decode(self.send("00870A9B04 7C028000")).unwrap();
                let mut block = Array::try_from(&witness[4..20]).unwrap();
                cipher.decrypt_block(&mut block);
                let mut challenge = Array::from(*b"sixteen bytes ok");
                let command =
                    format!("00870A9B26 7C248010{}8110{}", hex::encode(block), hex::encode(challenge));
                cipher.encrypt_block(&mut challenge);
                assert_eq!(self.send(&command), format!("7c128210{}9000", hex::encode(challenge)));
            }
        }
    }

    /// Generates P-256 with those policy bytes and gives its public key.
    fn generate(&mut self, slot: &str, pin: u8, touch: u8) -> VerifyingKey {
        let answer = self.send(&format!("004700{slot}0B AC09800111AA01{pin:02x}AB01{touch:02x}"));
        assert!(answer.starts_with("7f4943864104") && answer.ends_with("9000"), "{answer}");
        VerifyingKey::from_sec1_bytes(&hex::decode(&answer[10..140]).unwrap()).unwrap()
    }
}

proptest! {
    #[test]
    fn whatever_comes_in_a_status_word_goes_out(
        commands in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            // Something that gets as far as an instruction.
            (
                prop_oneof![Just(0x00u8), Just(0x10)],
                prop::sample::select(vec![0x20u8, 0x24, 0x2C, 0x47, 0x87, 0xA4, 0xC0, 0xCB, 0xDB, 0xF6, 0xF7, 0xF9, 0xFA, 0xFE, 0xFF]),
                any::<u8>(),
                prop::sample::select(vec![0x00u8, 0x80, 0x81, 0x82, 0x9B, 0x9C, 0xF9, 0xFE, 0xFF]),
                prop::collection::vec(any::<u8>(), 0..60),
            ).prop_map(|(class, instruction, p1, p2, data)| {
                [&[class, instruction, p1, p2, data.len() as u8], &data[..]].concat()
            }),
        ], 1..30),
    ) {
        let mut bench = Bench::new(Profile::Firmware574);
        bench.authenticate();
        for command in commands {
            let answer = bench.front.answer(&command, &bench.around);
            prop_assert!((2..=258).contains(&answer.len()), "{} bytes", answer.len());
            let first = answer[answer.len() - 2];
            prop_assert!(first == 0x90 || (0x60..0x70).contains(&first), "{}", hex::encode(&answer));
            let pin = bench.front.key.reference(super::super::Which::Pin);
            prop_assert!(pin.left <= pin.total);
        }
    }
}

fn sign(slot: &str) -> String {
    format!("008711{slot}26 7C2482008120{}", "5a".repeat(32))
}

const BOTH: [Profile; 2] = [Profile::Firmware543, Profile::Firmware574];

#[test]
fn version_serial_and_metadata_of_a_blank_key() {
    for (profile, version, management) in
        [(BOTH[0], "050403", "010103 02020001 050101"), (BOTH[1], "050704", "01010a 02020001 050101")]
    {
        let mut bench = Bench::new(profile);
        assert_eq!(bench.send("00FD000000"), format!("{version}9000"));
        assert_eq!(bench.send("00F8000000"), "012345679000");
        assert_eq!(bench.send("00F7009B"), format!("{management} 9000").replace(' ', ""));
        assert_eq!(bench.send("00F7008000"), "0101ff050101060203039000");
        assert_eq!(bench.send("00F7008100"), "0101ff050101060203039000");
        for empty in ["82", "9C", "96", "9E"] {
            assert_eq!(bench.send(&format!("00F700{empty}00")), "6a88");
        }
        assert_eq!(bench.send("00F9820000"), "6a80");
        assert_eq!(bench.send("00010000"), "6d00");
        assert_eq!(bench.send("80FD000000"), "6e00");
    }
}

#[test]
fn the_pin_is_counted_blocked_and_unblocked() {
    let mut bench = Bench::new(Profile::Firmware574);
    assert_eq!(bench.send(PIN_STATE), "63c3");
    assert_eq!(bench.send(PIN), "9000");
    assert_eq!(bench.send(PIN_STATE), "9000");
    assert_eq!(bench.send(SELECT).split_at(38).1, "9000");
    assert_eq!(bench.send(PIN_STATE), "9000", "selecting PIV again keeps it");
    assert_eq!(bench.send("00A4040008 A000000527200101"), "6a82");
    assert_eq!(bench.send(PIN_STATE), "9000", "an application that is not there ends nothing");
    bench.send(SELECT_MANAGEMENT);
    bench.send(SELECT);
    assert_eq!(bench.send(PIN_STATE), "63c3", "another application ends it");
    assert_eq!(bench.send(WRONG_PIN), "63c2");
    assert_eq!(bench.send("00F7008000"), "0101ff050101060203029000");
    assert_eq!(bench.send(PIN), "9000");
    assert_eq!(bench.send(WRONG_PIN), "63c2", "a right PIN gives the tries back");
    assert_eq!(bench.send(PIN_STATE), "63c2", "a wrong PIN ends it");
    assert_eq!(bench.send(WRONG_PIN), "63c1");
    assert_eq!(bench.send(WRONG_PIN), "63c0");
    assert_eq!(bench.send(PIN), "6983");
    assert_eq!(bench.send(PIN_STATE), "6983");
    let new = "3837363534333231";
    assert_eq!(bench.send(&format!("002C008010 3030303030303030{new}")), "63c2");
    assert_eq!(bench.send(&format!("002C008010 3132333435363738{new}")), "9000");
    assert_eq!(bench.send(PIN_STATE), "63c3");
    assert_eq!(bench.send(&format!("0020008008{new}")), "9000");
    assert_eq!(bench.send("00F7008000"), "0101ff050100060203039000");
    assert_eq!(bench.send("0020FF8000"), "9000");
    assert_eq!(bench.send(PIN_STATE), "63c3");
    assert_eq!(bench.front.counters.pins_sent, 8);
}

#[test]
fn changing_the_pin_keeps_it_verified_and_refuses_what_is_no_pin() {
    let mut bench = Bench::new(Profile::Firmware574);
    bench.send(PIN);
    assert_eq!(bench.send("0024008010 313233343536FFFF 383736353433FFFF"), "9000");
    assert_eq!(bench.send(PIN_STATE), "9000");
    assert_eq!(bench.send("0024008010 383736353433FFFF 3837363534FFFFFF"), "6a80");
    assert_eq!(bench.send("0024008110 3132333435363738 31323334353637C3"), "6a80");
    assert_eq!(bench.send("0024008110 3132333435363738 3132333435363737"), "9000");
    bench.front.key.complexity = true;
    assert_eq!(bench.send("0024008010 383736353433FFFF 3131313131313131"), "6985");
    assert_eq!(bench.send("0024008010 303736353433FFFF 3837363534333231"), "63c2");
}

#[test]
fn what_needs_the_management_key_is_refused_without_it() {
    for profile in BOTH {
        let mut bench = Bench::new(profile);
        let set = format!("00FFFFFF23 0C9B20{}", "a5".repeat(32));
        for command in ["0047008205 AC03800111", "00DB3FFF08 5C035FB60053 0101", "00FA0505", &set] {
            assert_eq!(bench.send(command), "6982", "{command}");
        }
        let wrong_algorithm = if profile == Profile::Firmware543 { "0A" } else { "03" };
        assert_eq!(bench.send(&format!("0087{wrong_algorithm}9B04 7C028000")), "6a80");
        bench.authenticate();
        bench.generate("82", 2, 2);
        assert_eq!(bench.send(&set), "9000");
        assert_eq!(bench.send("00F7009B"), "01010c020200010501009000");
        bench.send(SELECT_MANAGEMENT);
        bench.send(SELECT);
        assert_eq!(bench.send("0047008205 AC03800111"), "6982");
        assert_eq!(bench.send("0087039B04 7C028000"), "6a80");
        assert_eq!(
            bench
                .send("00870C9B267C248010000000000000000000000000000000008110000000000000000000000000000000"),
            "6700"
        );
        assert_eq!(
            bench.send(&format!("00870C9B267C248010{}8110{}", "00".repeat(16), "00".repeat(16))),
            "6982"
        );
    }
}

#[test]
fn pin_policy_always_wants_the_pin_in_the_command_before() {
    let mut bench = Bench::new(Profile::Firmware574);
    bench.authenticate();
    let key = bench.generate("9C", 3, 1);
    bench.generate("9E", 1, 1);
    assert_eq!(bench.send(&sign("9C")), "6982");
    bench.send(PIN);
    let answer = hex::decode(bench.send(&sign("9C"))).unwrap();
    let der = &answer[4..answer.len() - 2];
    let signature = DerSignature::try_from(der).unwrap();
    key.verify_prehash(&[0x5A; 32], &signature).unwrap();
    assert_eq!(bench.send(&sign("9C")), "6982", "the first signature used it up");
    bench.send(PIN);
    bench.send("00FD000000");
    assert_eq!(bench.send(&sign("9C")), "6982", "another command came between");
    bench.send(PIN);
    assert!(bench.send(&sign("9E")).ends_with("9000"));
    assert_eq!(bench.send(&sign("9C")), "6982", "another slot came between");
    assert_eq!(bench.send(&sign("9A")), "6a80", "an empty slot");
}

#[test]
fn touch_is_waited_for_cached_and_withheld() {
    let mut bench = Bench::new(Profile::Firmware574);
    bench.authenticate();
    bench.generate("9A", 1, 3);
    bench.generate("82", 1, 2);
    bench.around.touch = Touch::NEVER;
    let before = bench.around.milliseconds();
    assert_eq!(bench.send(&sign("9A")), "6982");
    assert_eq!(bench.around.milliseconds() - before, TOUCH_WINDOW_MS);
    bench.around.touch = Touch::Given { after_ms: 4_000 };
    assert!(bench.send(&sign("9A")).ends_with("9000"));
    assert_eq!(bench.around.milliseconds() - before, TOUCH_WINDOW_MS + 4_000);
    bench.around.touch = Touch::NEVER;
    assert!(bench.send(&sign("9A")).ends_with("9000"), "the touch is cached");
    assert_eq!(bench.send(&sign("82")), "6982", "a cached touch does not serve policy always");
    bench.around.touch = Touch::AT_ONCE;
    assert!(bench.send(&sign("9A")).ends_with("9000"));
    bench.clock.advance(TOUCH_CACHE_MS - 1);
    bench.around.touch = Touch::NEVER;
    assert!(bench.send(&sign("9A")).ends_with("9000"), "and serves until its time is over");
    bench.clock.advance(1);
    assert_eq!(bench.send(&sign("9A")), "6982");
    bench.around.touch = Touch::Given { after_ms: TOUCH_WINDOW_MS };
    assert_eq!(bench.send(&sign("9A")), "6982", "a touch after the window is too late");
}

#[test]
fn agreement_gives_both_sides_the_same_secret_and_refuses_points_off_the_curve() {
    let mut bench = Bench::new(Profile::Firmware543);
    bench.authenticate();
    let key = bench.generate("82", 2, 2);
    let peer = p256::SecretKey::from_slice(&[7; 32]).unwrap();
    let point = hex::encode(peer.public_key().to_sec1_bytes());
    let command = format!("0087118247 7C4582008541{point}");
    assert_eq!(bench.send(&command), "6982");
    bench.send(PIN);
    let expected = p256::ecdh::diffie_hellman(peer.to_nonzero_scalar(), key.as_affine());
    let expected = format!("7c228220{}9000", hex::encode(expected.raw_secret_bytes()));
    assert_eq!(bench.send(&command), expected);
    assert_eq!(bench.send(&command), expected, "PIN policy once");
    let off_curve = format!("{}00", &point[..128]);
    assert_eq!(bench.send(&format!("0087118247 7C4582008541{off_curve}")), "6a80");
}

#[test]
fn objects_are_chained_in_and_out_limited_and_deleted() {
    let mut bench = Bench::new(Profile::Firmware574);
    bench.authenticate();
    assert_eq!(bench.send("00CB3FFF05 5C035FB600"), "6a82");
    let content = "c7".repeat(600);
    let whole = format!("5C035FB600 53820258{content}").replace(' ', "");
    let (first, rest) = whole.split_at(510);
    let (second, third) = rest.split_at(510);
    assert_eq!(bench.send(&format!("10DB3FFFFF{first}")), "9000");
    assert_eq!(bench.send(&format!("10DB3FFFFF{second}")), "9000");
    assert_eq!(bench.send(&format!("00DB3FFF{:02x}{third}", third.len() / 2)), "9000");
    let mut answer = bench.send("00CB3FFF05 5C035FB600 00");
    assert_eq!(&answer[512..], "6100");
    answer.truncate(512);
    let part = bench.send("00C0000000");
    assert_eq!(&part[512..], "615c");
    answer += &part[..512];
    answer += &bench.send("00C00000");
    assert_eq!(answer, format!("53820258{content}9000"));
    assert_eq!(bench.send("00C00000"), "6985", "nothing is left");
    let extended = bench.send("00CB3FFF000005 5C035FB600 0000");
    assert_eq!(extended, format!("53820258{content}9000"));

    let largest = format!("00DB3FFF000C00 5C035FB601 53820BF7{}", "11".repeat(3063));
    assert_eq!(bench.send(&largest), "9000");
    let too_large = format!("00DB3FFF000C01 5C035FB601 53820BF8{}", "11".repeat(3064));
    assert_eq!(bench.send(&too_large), "6a84");
    for id in 0x20..0x2F {
        assert_eq!(bench.send(&largest.replace("5FB601", &format!("5FB6{id:02X}"))), "9000");
    }
    assert_eq!(bench.send(&largest.replace("5FB601", "5FB630")), "6a84", "the whole store is full");
    assert_eq!(bench.send("00DB3FFF07 5C035FB601 5300"), "9000");
    assert_eq!(bench.send("00CB3FFF05 5C035FB601"), "6a82");
    assert_eq!(bench.send("00DB3FFF08 5C035FC109 530144"), "9000");
    assert_eq!(bench.send("00CB3FFF05 5C035FC109"), "6982", "printed information wants the PIN");
    bench.send(PIN);
    assert_eq!(bench.send("00CB3FFF05 5C035FC109"), "5301449000");
}

#[test]
fn reset_wants_both_blocked_and_leaves_the_attestation_key() {
    let mut bench = Bench::new(Profile::Firmware574);
    bench.authenticate();
    bench.generate("82", 2, 2);
    let attestation = bench.send("00CB3FFF000005 5C035FFF01 0000");
    assert_eq!(bench.send("00FB000000"), "6985");
    for _ in 0..3 {
        bench.send(WRONG_PIN);
        bench.send("002C008010 3030303030303030 3837363534333231");
    }
    assert_eq!(bench.send("00FB000000"), "9000");
    assert_eq!(bench.send("00F7008200"), "6a88");
    assert_eq!(bench.send("00F7008000"), "0101ff050101060203039000");
    assert_eq!(bench.send("00CB3FFF000005 5C035FFF01 0000"), attestation);
}

#[test]
fn retries_moves_and_imports_follow_the_firmware() {
    let mut old = Bench::new(Profile::Firmware543);
    assert_eq!(old.send("00F69A82"), "6d00");
    let mut bench = Bench::new(Profile::Firmware574);
    bench.authenticate();
    assert_eq!(bench.send("00FA080900"), "6982", "wants the PIN as well");
    bench.send(PIN);
    bench.send("0024008010 313233343536FFFF 383736353433FFFF");
    assert_eq!(bench.send("00FA080900"), "9000");
    assert_eq!(bench.send("00F7008000"), "0101ff050101060208089000");
    assert_eq!(bench.send("00F7008100"), "0101ff050101060209099000");
    bench.generate("82", 2, 2);
    assert_eq!(bench.send("00F68382"), "9000");
    assert_eq!(bench.send("00F7008200"), "6a88");
    assert_eq!(bench.send("00F6FF83"), "9000");
    assert_eq!(bench.send("00F7008300"), "6a88");
    assert_eq!(bench.send(&format!("00FE1184250620{}AA0101", "07".repeat(32))), "9000");
    assert!(bench.send("00F7008400").starts_with("010111020201010301020443864104"));
    assert_eq!(bench.send("00F9840000"), "6a80", "an imported key is not attested");
    assert_eq!(bench.send("004700820B AC09800111AA0109AB0101"), "6a80");
    assert_eq!(bench.send("0047008205 AC03800107"), "6a80");
}

#[test]
fn device_info_has_one_page_before_5_7_and_two_from_then_on() {
    let mut old = Bench::new(Profile::Firmware543);
    assert_eq!(old.send(SELECT_MANAGEMENT), format!("{}9000", hex::encode("Virtual mgr - FW version 5.4.3")));
    let page = old.send("001D0000");
    assert!(page.contains("020401234567") && page.contains("0503050403"), "{page}");
    assert_eq!(usize::from_str_radix(&page[..2], 16).unwrap() * 2 + 6, page.len());
    assert_eq!(old.send("001D0100"), "6a86");
    let mut new = Bench::new(Profile::Firmware574);
    new.front.key.complexity = true;
    new.send(SELECT_MANAGEMENT);
    assert!(new.send("001D0000").ends_with("1001019000"));
    assert!(new.send("001D0100").contains("160101"));
    assert_eq!(new.send(PIN_STATE), "6d00", "PIV is not selected");
}
