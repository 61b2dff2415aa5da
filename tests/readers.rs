//! Readers and connections over real PC/SC: found by serial number, alone on the card, nothing left behind, and every
//! wait has its end.

#[path = "support/pcsc.rs"]
mod pcsc;

use std::ffi::{CStr, CString};
use std::time::{Duration, Instant};

use ::pcsc::{Card, Context, Disposition, Protocols, Scope, ShareMode};
use breakglass::attestation::{Firmware, Serial};
use breakglass::device::fido2::Fido2Error;
use breakglass::device::fido2::supervisor::{self, Helper};
use breakglass::device::piv::Traffic;
use breakglass::device::piv::pcsc::{Limits, PcscReaders};
use breakglass::device::{Administer, DeviceError, Key, Readers, provisioning};
use breakglass::secret::Pin;
use pcsc::{Pcsc, Settings};

const FIRST: u32 = 12_345_678;
const SECOND: u32 = 19_088_743;
const KEYS: [(u32, &str); 2] = [(FIRST, "5.4.3"), (SECOND, "5.7.4")];

/// Short enough for a test, long enough for a busy machine.
const LIMITS: Limits =
    Limits { plain: Duration::from_secs(2), touch: Duration::from_secs(4), held: Duration::from_secs(3) };

/// PIN, as an empty VERIFY asks for it: 9000 while it is verified.
const PIN_STATE: [u8; 4] = [0x00, 0x20, 0x00, 0x80];

fn readers() -> PcscReaders {
    PcscReaders::new(LIMITS, provisioning::open)
}

fn factory() -> Pin {
    Pin::parse(b"123456").unwrap()
}

/// The reader's name on Linux for the n-th key of a world.
fn reader(index: usize) -> CString {
    CString::new(format!("{} {index:02X} 00", pcsc::YUBIKEY_READER)).unwrap()
}

/// A handle of another program.
fn stranger(reader: &CStr, share: ShareMode) -> Card {
    let context = Context::establish(Scope::User).unwrap();
    context.connect(reader, share, Protocols::T1).unwrap()
}

/// What PIV says of the PIN to another program that selects it.
fn pin_state(card: &Card) -> Vec<u8> {
    let mut answer = [0; 300];
    let select = [0x00, 0xA4, 0x04, 0x00, 0x05, 0xA0, 0x00, 0x00, 0x03, 0x08];
    card.transmit(&select, &mut answer).unwrap();
    card.transmit(&PIN_STATE, &mut answer).unwrap().to_vec()
}

#[track_caller]
fn error<T>(outcome: Result<T, DeviceError>) -> DeviceError {
    outcome.err().expect("it must fail")
}

#[test]
fn keys_are_found_by_serial_number_side_by_side() {
    if !Pcsc::inside("keys_are_found_by_serial_number_side_by_side", || Pcsc::start(&KEYS)) {
        return;
    }
    let mut readers = readers();
    let serials = |readers: &mut PcscReaders| {
        let mut serials: Vec<u32> =
            readers.attached().unwrap().iter().map(|attached| attached.serial.0).collect();
        serials.sort_unstable();
        serials
    };
    assert_eq!(serials(&mut readers), [FIRST, SECOND]);
    let mut second = readers.connect(Serial(SECOND)).unwrap();
    assert_eq!((second.serial(), second.firmware()), (Serial(SECOND), Firmware::new(5, 7, 4)));
    assert_eq!(second.traffic(), Traffic { commands: 4, sent: 35, received: 64 });
    let begun = Instant::now();
    assert_eq!(serials(&mut readers), [FIRST, SECOND], "a connected key is listed without asking it");
    assert!(begun.elapsed() < Duration::from_secs(2), "and without waiting for ourselves");
    let mut first = readers.connect(Serial(FIRST)).unwrap();
    for key in [&mut first, &mut second] {
        assert_eq!(key.pin_tries().unwrap().left, 3);
        assert_eq!(key.head_objects().unwrap(), [None, None]);
    }
    assert!(matches!(error(readers.connect(Serial(7))), DeviceError::Absent(Serial(7))));
}

#[test]
fn a_connection_is_alone_and_leaves_no_pin_behind() {
    if !Pcsc::inside("a_connection_is_alone_and_leaves_no_pin_behind", || Pcsc::start(&KEYS[1..])) {
        return;
    }
    let mut key = readers().connect(Serial(SECOND)).unwrap();
    key.verify_pin(&factory()).unwrap();
    let begun = Instant::now();
    let held = error(readers().connect(Serial(SECOND)));
    assert!(matches!(held, DeviceError::Busy { reader: name } if name == reader(0).to_str().unwrap()));
    assert!(begun.elapsed() >= LIMITS.held && begun.elapsed() < LIMITS.held * 2);
    key.pin_tries().expect("the other attempt did not disturb this connection");
    drop(key);
    let stranger = stranger(&reader(0), ShareMode::Shared);
    assert_eq!(pin_state(&stranger), [0x63, 0xC3]);
}

#[test]
fn another_programs_pin_is_forgotten_and_its_connection_is_not_reset_by_a_look() {
    let name = "another_programs_pin_is_forgotten_and_its_connection_is_not_reset_by_a_look";
    if !Pcsc::inside(name, || Pcsc::start(&KEYS[1..])) {
        return;
    }
    let stranger = stranger(&reader(0), ShareMode::Shared);
    pin_state(&stranger);
    let mut answer = [0; 300];
    let verify = [0, 0x20, 0, 0x80, 8, b'1', b'2', b'3', b'4', b'5', b'6', 0xFF, 0xFF];
    assert_eq!(stranger.transmit(&verify, &mut answer).unwrap(), [0x90, 0x00]);
    assert_eq!(readers().attached().unwrap().len(), 1);
    assert_eq!(pin_state(&stranger), [0x90, 0x00], "listing changes nothing");
    let mut key = readers().connect(Serial(SECOND)).unwrap();
    let outcome = error(key.put_head_object(0, b"head"));
    assert!(matches!(outcome, DeviceError::Refused { status: 0x6982, .. }), "{outcome:?}");
}

#[test]
fn a_reader_that_is_held_is_waited_for_and_named() {
    if !Pcsc::inside("a_reader_that_is_held_is_waited_for_and_named", || Pcsc::start(&KEYS)) {
        return;
    }
    let name = reader(0);
    let is_busy = |error| matches!(error, DeviceError::Busy { reader } if reader == name.to_str().unwrap());

    let exclusive = stranger(&name, ShareMode::Exclusive);
    assert_eq!(readers().attached().unwrap()[0].serial, Serial(SECOND), "a free one is not kept waiting");
    assert!(is_busy(error(readers().connect(Serial(FIRST)))));
    let released = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(1));
        exclusive.disconnect(Disposition::LeaveCard).map_err(|(_, error)| error).unwrap();
    });
    readers().connect(Serial(FIRST)).expect("it is let go of within the limit");
    released.join().unwrap();

    let mut shared = stranger(&name, ShareMode::Shared);
    let transaction = shared.transaction().unwrap();
    assert!(is_busy(error(readers().connect(Serial(FIRST)))));
    readers().connect(Serial(SECOND)).expect("the other reader is free");
    drop(transaction);
    readers().connect(Serial(FIRST)).expect("the transaction is over");
}

#[test]
fn provisioning_works_beside_a_connection_in_any_order() {
    if !Pcsc::inside("provisioning_works_beside_a_connection_in_any_order", || Pcsc::start(&KEYS[1..])) {
        return;
    }
    let serial = Serial(SECOND);
    let uses = |key: &mut dyn Key, administration: &mut dyn Administer| {
        let (algorithm, factory_key) = administration.management_algorithm().unwrap();
        assert!(factory_key);
        key.verify_pin(&factory()).unwrap();
        administration.authenticate(&breakglass::secret::ManagementKey::factory(algorithm)).unwrap();
        administration.put_object(0x5F_B600, b"from beside").unwrap();
        assert_eq!(key.head_objects().unwrap()[0].as_deref(), Some(&b"from beside"[..]));
    };
    let mut readers = readers();
    let mut key = readers.connect(serial).unwrap();
    let mut administration = readers.administer(serial).unwrap();
    uses(&mut *key, &mut *administration);
    drop(administration);
    key.pin_tries().expect("the connection outlives what worked beside it");
    drop(key);

    let mut administration = readers.administer(serial).unwrap();
    let mut key = readers.connect(serial).unwrap();
    uses(&mut *key, &mut *administration);
    drop(key);
    administration.management_algorithm().expect("and the other way round");
    drop(administration);
    assert_eq!(pin_state(&stranger(&reader(0), ShareMode::Shared)), [0x63, 0xC3]);
}

#[test]
fn a_card_that_never_answers_keeps_nobody_from_the_others() {
    let name = "a_card_that_never_answers_keeps_nobody_from_the_others";
    let world = || {
        let world = Pcsc::start(&KEYS);
        world.order(&format!("{FIRST} silent-at 2"));
        world
    };
    if !Pcsc::inside(name, world) {
        return;
    }
    let mut readers = readers();
    let begun = Instant::now();
    assert_eq!(readers.attached().unwrap()[0].serial, Serial(SECOND));
    assert!(begun.elapsed() < LIMITS.plain * 2, "{:?}", begun.elapsed());
    let begun = Instant::now();
    let outcome = error(readers.connect(Serial(FIRST)));
    assert!(matches!(outcome, DeviceError::TimedOut { seconds: 2, .. }), "{outcome:?}");
    assert!(begun.elapsed() < LIMITS.plain, "a card that did not answer is not waited for again");
    readers.connect(Serial(SECOND)).unwrap().pin_tries().unwrap();
}

#[test]
fn a_card_that_answers_nonsense_is_passed_over_and_told_when_it_is_wanted() {
    let name = "a_card_that_answers_nonsense_is_passed_over_and_told_when_it_is_wanted";
    for nonsense in ["6100", "900061FF", "6C00", "9000", &format!("{}9000", "00".repeat(20_000))] {
        let world = || {
            let world = Pcsc::start(&KEYS);
            world.order(&format!("{FIRST} answer-from 1 {nonsense}"));
            world
        };
        if !Pcsc::inside(name, world) {
            continue;
        }
        let mut readers = readers();
        let attached = readers.attached().unwrap();
        assert_eq!(attached.iter().map(|key| key.serial).collect::<Vec<_>>(), [Serial(SECOND)]);
        let outcome = error(readers.connect(Serial(FIRST)));
        assert!(
            matches!(
                outcome,
                DeviceError::Malformed { .. } | DeviceError::Refused { .. } | DeviceError::Absent(_)
            ),
            "{outcome:?}"
        );
        readers.connect(Serial(SECOND)).unwrap();
        return;
    }
}

#[test]
fn two_cards_with_one_serial_number_are_both_refused() {
    let world = || {
        let world = Pcsc::start(&KEYS);
        world.order(&format!("{FIRST} answer-at 3 {SECOND:08X}9000"));
        world
    };
    if !Pcsc::inside("two_cards_with_one_serial_number_are_both_refused", world) {
        return;
    }
    let outcome = error(readers().connect(Serial(SECOND)));
    assert!(matches!(outcome, DeviceError::TwoWithSerial(Serial(SECOND))), "{outcome:?}");
    readers().connect(Serial(SECOND)).expect("the impostor said it once");
}

#[test]
fn no_service_is_said_to_be_that() {
    let settings = Settings { service: false, ..Settings::usual(&KEYS[..1]) };
    if Pcsc::inside("no_service_is_said_to_be_that", || Pcsc::with(&settings)) {
        assert!(matches!(error(readers().connect(Serial(FIRST))), DeviceError::NoService));
        assert!(matches!(error(readers().attached()), DeviceError::NoService));
        assert!(matches!(error(readers().survey()), DeviceError::NoService));
    }
}

#[test]
fn a_reader_without_a_card_is_no_key() {
    let world = || {
        let world = Pcsc::start(&KEYS[..1]);
        world.remove(FIRST);
        world
    };
    if Pcsc::inside("a_reader_without_a_card_is_no_key", world) {
        assert!(matches!(error(readers().connect(Serial(FIRST))), DeviceError::NoKey));
        assert!(readers().attached().unwrap().is_empty());
        let surveyed = readers().survey().unwrap();
        assert!(surveyed.iter().all(|reader| reader.serial.is_none()));
        assert_eq!(surveyed[0].reader, reader(0).to_str().unwrap());
    }
}

/// A sysfs with so many FIDO2 devices that hang on no USB device, and whose nodes are not there.
fn sysfs(devices: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..devices {
        let device = folder.path().join(format!("class/hidraw/hidraw{}/device", 9_000_000 + number));
        std::fs::create_dir_all(&device).unwrap();
        std::fs::write(device.join("report_descriptor"), [0x06, 0xD0, 0xF1, 0x09, 0x01]).unwrap();
    }
    folder
}

fn fido2_side(devices: u32, readers: PcscReaders, serial: u32) -> (Fido2Error, PcscReaders) {
    let folder = sysfs(devices);
    let helper = Helper::new("/nowhere", ["never started"], supervisor::Limits::default());
    let mut readers = readers.with_fido2(folder.path().to_owned(), helper);
    (readers.authenticator(Serial(serial)).err().expect("its node is not there"), readers)
}

#[test]
fn the_fido2_side_of_a_key_is_looked_for_beside_its_open_connection() {
    let name = "the_fido2_side_of_a_key_is_looked_for_beside_its_open_connection";
    if !Pcsc::inside(name, || Pcsc::start(&KEYS[..1])) {
        return;
    }
    let (error, mut readers) = fido2_side(0, readers(), FIRST);
    assert!(matches!(error, Fido2Error::NoDevice), "{error}");
    let mut key = readers.connect(Serial(FIRST)).unwrap();
    key.verify_pin(&factory()).unwrap();
    let sent = key.traffic();
    // One key, one device: it is that one.
    let (error, readers) = fido2_side(1, readers, FIRST);
    assert!(matches!(&error, Fido2Error::AccessDenied { path } if path == "/dev/hidraw9000000"), "{error}");
    let (error, readers) = fido2_side(2, readers, FIRST);
    assert!(matches!(error, Fido2Error::Ambiguous { serial: Serial(FIRST), count: 2 }), "{error}");
    // The connection was not disturbed.
    assert_eq!(key.traffic(), sent);
    assert!(key.pin_tries().is_ok());
    drop(key);
    let (error, _) = fido2_side(1, readers, SECOND);
    assert!(matches!(error, Fido2Error::Absent(Serial(SECOND))), "{error}");
}

#[test]
fn one_fido2_device_is_not_given_to_one_of_two_keys() {
    if !Pcsc::inside("one_fido2_device_is_not_given_to_one_of_two_keys", || Pcsc::start(&KEYS)) {
        return;
    }
    let (error, _) = fido2_side(1, readers(), FIRST);
    assert!(matches!(error, Fido2Error::Ambiguous { serial: Serial(FIRST), count: 1 }), "{error}");
}
