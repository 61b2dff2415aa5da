//! Provisioning over real PC/SC: the `yubikey` crate beside our session, on virtual YubiKeys of both firmware lines.

#[path = "support/pcsc.rs"]
mod pcsc;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

use breakglass::attestation::{Roots, Serial, pem_or_der};
use breakglass::device::piv::pcsc::{Limits, PcscReaders};
use breakglass::device::{Readers, Tries, provisioning};
use breakglass::kit::sealed::PivRecipient;
use breakglass::operator::{Ask, Operator, Unanswered};
use breakglass::provision::{Cause, Circumstances, Outside, ProvisionError, carry_out, plan, survey};
use breakglass::record::event::{Event, KeyEnrolled, Override};
use breakglass::record::hash::Hash;
use breakglass::record::token::Record;
use breakglass::secret::{Fido2Pin, Pin};
use pcsc::{Pcsc, text, tools};
use rand_core::UnwrapErr;

const OLD: u32 = 12_345_678;
const NEW: u32 = 19_088_743;
const KEYS: [(u32, &str); 2] = [(OLD, "5.4.3"), (NEW, "5.7.4")];

/// Set inside the world: which key to provision there, and where journal and root lie.
const SERIAL: &str = "BREAKGLASS_TEST_SERIAL";
const FOLDER: &str = "BREAKGLASS_TEST_FOLDER";

#[test]
fn stock_tools_find_a_provisioned_key_as_we_report_it() {
    if provisioned_inside() {
        return;
    }
    let world = Pcsc::start(&KEYS);
    for (serial, firmware) in KEYS {
        let said = provision(&world, serial);
        assert!(said.status.success(), "{}", text(&said));
        let facts = enrolment(&world, serial);
        assert_eq!((facts.serial, facts.firmware.to_string().as_str()), (Serial(serial), firmware));
        assert_eq!(facts.root, "private");
        assert_eq!(world.tries(serial), (3, 3));

        let info = ykman(&world, serial, &["piv", "info"]);
        for line in [
            "PIN tries remaining: 3/3",
            "PUK tries remaining: 3/3",
            "Management key algorithm: AES256",
            "Management key is stored on the YubiKey, protected by PIN.",
            "Subject DN: CN=test kit,OU=0.1.0,O=age-plugin-yubikey",
        ] {
            assert!(info.lines().any(|said| squeezed(said) == line), "{line}\n{info}");
        }
        assert!(!info.contains("Using default"), "no factory value is left\n{info}");
        // The management key behind the PIN is the one in force: ykman manages the key with the PIN alone.
        ykman(&world, serial, &["piv", "objects", "generate", "chuid", "--pin", PIN]);
    }

    let listed = world.run(world.command(tools::age_plugin_yubikey()).arg("--list"));
    for (serial, _) in KEYS {
        let recipient = PivRecipient::new(enrolment(&world, serial).sealing.0).to_string();
        assert!(listed.contains(&recipient), "{recipient}\n{listed}");
        assert!(listed.contains(&format!("Serial: {serial}, Slot: 1")), "{listed}");
    }
    assert!(listed.contains("PIN policy: Once"), "{listed}");
}

/// A command is lost, before or after the key has done it, at every place of the conversation; the next run ends
/// enrolled. Several worlds at once, as most of the time goes by until pcscd looks at its readers again; a world each,
/// as a key that is provisioned is not alone with us: another program that looks at every reader ends what PIN and
/// management key have allowed, and the run with it.
#[test]
fn a_key_taken_out_over_pcsc_at_any_command_is_resumed() {
    if provisioned_inside() {
        return;
    }
    let lost = at_any_command(KEYS[0], |world, serial, index, n| {
        let at = format!("{serial} {} {n}", ["remove-at", "remove-after"][index % 2]);
        world.order(&at);
        let lost = provision(world, serial);
        world.order(&format!("{serial} clear"));
        if lost.status.success() {
            return false;
        }
        assert!(text(&lost).contains("taken out"), "{at}: {}", text(&lost));
        assert_eq!(world.tries(serial), (3, 3), "a try was spent: {at}");
        world.remove(serial);
        world.insert(serial);
        true
    });
    assert!(lost > 80, "{lost} commands were lost");
}

/// Success and nothing else is what the `yubikey` crate stumbles over; an honest run afterwards ends enrolled.
#[test]
fn a_key_that_answers_any_command_with_nothing_neither_panics_nor_hangs_us() {
    if provisioned_inside() {
        return;
    }
    let answered = at_any_command(KEYS[1], |world, serial, _, n| {
        world.order(&format!("{serial} reset-counters"));
        let at = format!("{serial} answer-at {n} 9000");
        world.order(&at);
        let begun = std::time::Instant::now();
        let said = provision(world, serial);
        world.order(&format!("{serial} clear"));
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "{at}: {:?}", begun.elapsed());
        // The run inside fails by one panic, of its own thread, that tells the error.
        let panics = text(&said).matches("panicked at").count();
        assert_eq!(panics, usize::from(!said.status.success()), "{at}: {}", text(&said));
        assert_eq!(world.tries(serial), (3, 3), "a try was spent: {at}");
        u64::from(n) <= world.counters(serial).commands
    });
    assert!(answered > 80, "{answered} commands were answered with nothing");
}

/// Does `fault` to that key, blank, at each command, each followed by a run without fault that must end enrolled. `fault`
/// gets the world, the key, how often it was called there, and the command; it says whether there was such a command.
/// How often there was.
fn at_any_command(key: (u32, &str), fault: impl Fn(&Pcsc, u32, usize, u32) -> bool + Sync) -> usize {
    const SIDE_BY_SIDE: u32 = 6;
    let one_world = |first: u32| {
        let (world, serial) = (Pcsc::start(&[key]), key.0);
        for (index, n) in (first..).step_by(SIDE_BY_SIDE as usize).enumerate() {
            std::fs::remove_file(journal(world.folder(), serial)).ok();
            world.order(&format!("{serial} blank"));
            if !fault(&world, serial, index, n) {
                return index;
            }
            let resumed = provision(&world, serial);
            let enrolled =
                resumed.status.success() || text(&resumed).contains("is enrolled in this kit already");
            assert!(enrolled, "{serial} after command {n}: {}", text(&resumed));
            assert_eq!(world.tries(serial), (3, 3), "{serial}: a try was spent after command {n}");
            enrolment(&world, serial);
        }
        unreachable!("a run ends at some command")
    };
    std::thread::scope(|scope| {
        let one_world = &one_world;
        let worlds: Vec<_> = (1..=SIDE_BY_SIDE).map(|first| scope.spawn(move || one_world(first))).collect();
        worlds.into_iter().map(|world| world.join().expect("keys that end enrolled")).sum()
    })
}

/// Provisions that key in the world, by this test program run inside.
fn provision(world: &Pcsc, serial: u32) -> Output {
    let mut command = world.command(std::env::current_exe().expect("the test program"));
    command.args(["--exact", "stock_tools_find_a_provisioned_key_as_we_report_it", "--nocapture"]);
    command.env(SERIAL, serial.to_string()).env(FOLDER, world.folder());
    command.output().expect("the test program runs")
}

/// Whether this is the run inside; then the key is provisioned, or this has panicked with the reason.
#[allow(clippy::disallowed_methods, reason = "what to do inside is told by the environment")]
fn provisioned_inside() -> bool {
    let (Some(serial), Some(folder)) = (std::env::var_os(SERIAL), std::env::var_os(FOLDER)) else {
        return false;
    };
    let serial = Serial(serial.to_str().and_then(|serial| serial.parse().ok()).expect("a serial number"));
    if let Err(error) = provision_here(serial, Path::new(&folder)) {
        let mut causes = vec![error.to_string()];
        let mut cause: &dyn std::error::Error = &error;
        while let Some(next) = cause.source() {
            causes.push(next.to_string());
            cause = next;
        }
        panic!("{}", causes.join(": "));
    }
    true
}

fn provision_here(serial: Serial, folder: &Path) -> Result<(), ProvisionError> {
    let root = pem_or_der(&std::fs::read(folder.join("root.pem")).expect("root.pem")).expect("a certificate");
    let roots = Roots::real(Some(&root)).expect("a root");
    let journal = journal(folder, serial.0);
    let known = std::fs::read(&journal).ok().map(|bytes| Record::parse(&bytes).expect("a record"));
    let overrides = [Override { rule: "YSA-2024-03".to_owned(), why: "a test".to_owned() }];
    let circumstances = Circumstances {
        roots: &roots,
        kit: Some(Hash([5; 32])),
        policy: None,
        seen: BTreeMap::new(),
        issuer: "https://test.example",
        tool: Hash([6; 32]),
        version: "0.1.0",
        name: "test kit",
        now: 1_793_491_200, // 2026-11-01T00:00:00Z
        overwrite: None,
        overrides: &overrides,
        enrolment: &|kid| known.clone().filter(|record| record.kid == kid),
    };
    let mut readers = PcscReaders::new(Limits::default(), provisioning::open);
    let mut key = readers.connect(serial)?;
    let mut admin = readers.administer(serial)?;
    let mut fido2 = readers.authenticator(serial);
    let plan = plan(&survey(&mut *key, &mut *admin, &mut fido2, &[])?, &circumstances)?;
    let store = &mut |record: &Record| Ok::<(), Cause>(std::fs::write(&journal, record.bytes())?);
    let head = |record: &Record| record.hash().to_string().into_bytes();
    let mut outside = Outside { random: &mut UnwrapErr(getrandom::SysRng), store, head: &head };
    carry_out(&plan, &mut *key, &mut *admin, &mut fido2, &mut Person, &circumstances, &mut outside)?;
    Ok(())
}

fn journal(folder: &Path, serial: u32) -> std::path::PathBuf {
    folder.join(format!("{serial}.jws"))
}

fn enrolment(world: &Pcsc, serial: u32) -> KeyEnrolled {
    let bytes = std::fs::read(journal(world.folder(), serial)).expect("the journal");
    match &Record::parse(&bytes).expect("a record").event {
        Event::KeyEnrolled(facts) => facts.clone(),
        other => panic!("{} is no enrolment", other.name()),
    }
}

fn ykman(world: &Pcsc, serial: u32, arguments: &[&str]) -> String {
    world.run(world.command(tools::ykman()).args(["--device", &serial.to_string()]).args(arguments))
}

/// With single spaces.
fn squeezed(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

const PIN: &str = "280491";
const PUK: &str = "77310462";

struct Person;

impl Operator for Person {
    fn pin(&mut self, ask: Ask, _serial: Serial, _tries: Option<Tries>) -> Result<Pin, Unanswered> {
        let typed = if matches!(ask, Ask::Pin | Ask::NewPin) { PIN } else { PUK };
        Pin::parse(typed.as_bytes()).map_err(|_| Unanswered::NobodyToAsk)
    }
    fn fido2_pin(&mut self, _serial: Serial, _left: u8) -> Result<Fido2Pin, Unanswered> {
        Err(Unanswered::NobodyToAsk)
    }
    fn touch(&mut self, _serial: Serial, _purpose: &str) {}
    fn confirm(&mut self, _text: &str, _word: &str) -> Result<bool, Unanswered> {
        Err(Unanswered::NobodyToAsk)
    }
    fn swap(&mut self, _text: &str) -> Result<(), Unanswered> {
        Err(Unanswered::NobodyToAsk)
    }
    fn progress(&mut self, _text: &str) {}
}
