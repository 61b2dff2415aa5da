//! A practice kit in a folder of its own: three keys, `core-db/root` sealed 2 of 3, `core-fw/admin` 1 of 3. Made by the
//! program itself, once for each test process; every test works on a copy.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use breakglass::attestation::Serial;
use breakglass::device::Tries;
use breakglass::device::practice::PracticeReaders;
use breakglass::kit::Kit;
use breakglass::kit::folder::Folder;
use breakglass::operator::{Ask, Operator, Unanswered};
use breakglass::record::chain::Depth;
use breakglass::record::hash::Hash;
use breakglass::secret::{Fido2Pin, Pin};
use breakglass::signing::{Caution, Station};
use breakglass::unlock::{self, Opened, UnlockError, Wish};

pub(crate) const SERIALS: [u32; 3] = [23112, 23115, 30877];
pub(crate) const PIN: &str = "48151623";
pub(crate) const PUK: &str = "97531864";

/// A copy of the practice kit; gone when dropped.
pub(crate) struct PracticeKit {
    folder: tempfile::TempDir,
}

impl PracticeKit {
    pub(crate) fn new() -> Self {
        static MADE: OnceLock<PracticeKit> = OnceLock::new();
        MADE.get_or_init(|| make("exact")).copied()
    }

    /// The same of keys without FIDO2.
    pub(crate) fn of_piv_alone() -> Self {
        static MADE: OnceLock<PracticeKit> = OnceLock::new();
        MADE.get_or_init(|| make("none")).copied()
    }

    fn copied(&self) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        copy(self.path(), folder.path());
        PracticeKit { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs the program on this kit with PIN lines on a descriptor.
    pub(crate) fn run(&self, arguments: &[&str], pins: &[&str]) -> Output {
        run(self.path(), arguments, pins)
    }

    /// The arguments of an opening of that credential.
    pub(crate) fn opening(credential: &str) -> Vec<&str> {
        let platform = credential.split('/').next().expect("a platform");
        let word = if platform == "core-db" { "open core-db" } else { "open core-fw" };
        [
            vec!["open", credential, "--emergency", "pam-outage", "--incident", "INC-4711"],
            vec!["--reason", "PAM lost quorum", "--operator", "ada", "--confirm", word],
        ]
        .concat()
    }

    /// PIN lines for all three keys, each as often as said.
    pub(crate) fn pins(times: usize) -> Vec<String> {
        SERIALS.iter().flat_map(|serial| vec![format!("{serial} pin {PIN}"); times]).collect()
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir_all(&target).expect("a folder");
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Runs the program on a kit; `pins` are lines on a pipe that becomes its descriptor 0.
pub(crate) fn run(kit: &Path, arguments: &[&str], pins: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_breakglass"))
        .arg("--kit")
        .arg(kit)
        .args(["--pin-fd", "0"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    // A program that refuses before it reads its PINs has closed the pipe.
    let _ = stdin.write_all((pins.join("\n") + "\n").as_bytes());
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

/// Runs and insists on exit code 0.
pub(crate) fn done(output: &Output) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "exit {:?}:\n{text}", output.status.code());
}

fn make(fido2: &str) -> PracticeKit {
    let folder = tempfile::tempdir().expect("a folder");
    let kit = PracticeKit { folder };
    let ok = |arguments: &[&str], pins: &[&str]| done(&kit.run(arguments, pins));
    ok(&["init", "--practice", "--name", "DC1 emergency kit"], &[]);
    let toml = kit.path().join("kit.toml");
    let mut text = std::fs::read_to_string(&toml).expect("kit.toml");
    for (serial, place, bag) in
        [(23112, "safe A", "0417"), (23115, "safe A", "0418"), (30877, "safe B", "0102")]
    {
        text += &format!("\n[[key]]\nserial = {serial}\nplace = {place:?}\nbag = {bag:?}\npuk = \"carol\"\n");
    }
    text += "\n[[person]]\nname = \"dana\"\nroles = [\"auditor\"]\n";
    std::fs::write(&toml, text).expect("kit.toml");
    let pin = |serial: u32| format!("{serial} pin {PIN}");
    for serial in SERIALS.map(|serial| serial.to_string()) {
        ok(&["practice", "new", "--serial", &serial, "--fido2", fido2], &[]);
        let new = [format!("{serial} new-pin {PIN}"), format!("{serial} new-puk {PUK}")];
        ok(
            &["key", "provision", "--serial", &serial, "--confirm", &serial],
            &new.each_ref().map(|l| l.as_str()),
        );
    }
    ok(&["key", "admit", "23112", "--confirm", "found 23112"], &[&pin(23112)]);
    ok(&["key", "admit", "23115", "--with", "23112", "--confirm", "admit 23115"], &[&pin(23112)]);
    ok(&["key", "admit", "30877", "--with", "23112", "--confirm", "admit 30877"], &[&pin(23112)]);
    ok(&["key", "admit", "30877", "--with", "23115", "--confirm", "admit 30877"], &[&pin(23115)]);
    let seal = |credential: &str, k: &str, word: &str| {
        let arguments = [
            "seal",
            credential,
            "--generate",
            "-k",
            k,
            "--with",
            "23112",
            "--user",
            "postgres",
            "--confirm",
            word,
        ];
        ok(&arguments, &[&pin(23112)]);
    };
    seal("core-db/root", "2", "seal core-db");
    seal("core-fw/admin", "1", "seal core-fw");
    kit
}

/// A person who answers from a list, and counts what was asked of them.
#[derive(Default)]
pub(crate) struct Hand {
    pub(crate) pins: BTreeMap<u32, Vec<String>>,
    /// FIDO2 PINs of their own, typed when the flow asks for one.
    pub(crate) fido2_pins: BTreeMap<u32, Vec<String>>,
    pub(crate) asked: Vec<u32>,
    pub(crate) touches: Vec<u32>,
    pub(crate) said: Vec<String>,
}

impl Hand {
    /// Knows the PIN of every key, and types it whenever asked.
    pub(crate) fn knowing() -> Self {
        let pins = SERIALS.iter().map(|serial| (*serial, vec![PIN.to_owned(); 8])).collect();
        Hand { pins, ..Hand::default() }
    }
}

impl Operator for Hand {
    fn pin(&mut self, _: Ask, serial: Serial, _: Option<Tries>) -> Result<Pin, Unanswered> {
        self.asked.push(serial.0);
        let known = self.pins.get_mut(&serial.0).filter(|pins| !pins.is_empty());
        let pin = known.ok_or(Unanswered::NobodyToAsk)?.remove(0);
        Ok(Pin::parse(pin.as_bytes()).expect("a PIN"))
    }
    fn fido2_pin(&mut self, serial: Serial, _: u8) -> Result<Fido2Pin, Unanswered> {
        self.asked.push(serial.0);
        let known = self.fido2_pins.get_mut(&serial.0).filter(|pins| !pins.is_empty());
        let pin = known.ok_or(Unanswered::NobodyToAsk)?.remove(0);
        Ok(Fido2Pin::parse(pin.as_bytes()).expect("a FIDO2 PIN"))
    }
    fn touch(&mut self, serial: Serial, _: &str) {
        self.touches.push(serial.0);
    }
    fn confirm(&mut self, _: &str, _: &str) -> Result<bool, Unanswered> {
        Ok(true)
    }
    fn swap(&mut self, _: &str) -> Result<(), Unanswered> {
        Err(Unanswered::NobodyToAsk)
    }
    fn progress(&mut self, text: &str) {
        self.said.push(text.to_owned());
    }
}

/// What is wanted: that credential, with these keys or any.
pub(crate) fn wish(credential: &str, only: &[u32]) -> Wish {
    Wish {
        credential: credential.parse().expect("a name"),
        generation: None,
        emergency: "pam-outage".into(),
        incident: "INC-1".into(),
        reason: "test".into(),
        operator: "ada".into(),
        only: only.iter().map(|serial| Serial(*serial)).collect(),
        output: "fd".into(),
        approvals: vec![],
        now: 1_790_000_000, // 2026-09-21
        accept_damage: None,
        accept_unreviewed: None,
        caution: Caution::default(),
    }
}

/// An opening in this process.
pub(crate) fn open(
    kit: &PracticeKit,
    readers: &mut PracticeReaders,
    hand: &mut Hand,
    wish: Wish,
) -> Result<Opened, UnlockError> {
    let (mut kit, _lock, _) = Kit::write(Folder::at(kit.path(), None), Depth::Links)?;
    let plan = unlock::plan(&kit, wish)?;
    let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
    let mut station = Station {
        readers,
        operator: hand,
        clock: &|| 1_790_000_000, // 2026-09-21
        rng: &mut rng,
        tool: &|| Hash([7; 32]),
    };
    Ok(unlock::carry_out(&mut kit, &plan, &mut station)?)
}

/// The practice keys of a kit.
pub(crate) fn keys_of(kit: &Path) -> PathBuf {
    kit.join("practice")
}

/// Puts one more person into the policy of that kit, and adopts it with two keys.
pub(crate) fn add_person(kit: &Path, name: &str, role: &str) {
    add_to_policy(kit, &format!("\n[[person]]\nname = {name:?}\nroles = [{role:?}]\n"));
}

/// Adds these lines to the policy of that kit, and adopts it with two keys.
pub(crate) fn add_to_policy(kit: &Path, lines: &str) {
    let toml = kit.join("kit.toml");
    let text = std::fs::read_to_string(&toml).expect("kit.toml");
    std::fs::write(&toml, text + lines).expect("kit.toml");
    for serial in ["23112", "23115"] {
        let adopt = ["policy", "adopt", "--with", serial, "--confirm", "adopt policy"];
        done(&run(kit, &adopt, &[&format!("{serial} pin {PIN}")]));
    }
}
