//! The file of a practice key when its process is killed, or the disk fails, at any system call that touches it: it
//! stays readable, no try that was answered for is given back, and no assertion that was answered for is uncounted.

#[path = "support/pcsc.rs"]
mod pcsc;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use breakglass::attestation::Serial;
use breakglass::device::fido2::{Credential, Question};
use breakglass::device::practice::{PracticeReaders, Profile, SimulatedKey, Surroundings, Which};
use breakglass::device::{DeviceError, Readers};
use breakglass::secret::{Fido2Pin, Pin};
use pcsc::tools;

const SERIAL: Serial = Serial(4_000_001);

/// Where the inner run finds its key.
const FOLDER: &str = "BREAKGLASS_TEST_PRACTICE_FOLDER";

/// The system calls that a state change is made of.
const CALLS: [&str; 6] = ["openat", "flock", "read", "write", "fsync", "rename"];

/// What an inner run says after each thing that was answered for.
const ANSWERED: &str = "answered for";

/// Lies beside the key: the credential that the inner run asserts with.
const CREDENTIAL: &str = "credential";

fn readers(folder: &Path) -> PracticeReaders {
    PracticeReaders::new(folder, Surroundings::of_this_machine())
}

#[allow(clippy::disallowed_methods, reason = "the outer run says it so")]
fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

#[allow(clippy::print_stdout, reason = "the outer run reads what it says")]
fn say(result: &dyn std::fmt::Debug, answered: bool) {
    if answered {
        println!("{ANSWERED}");
    } else {
        println!("not answered for: {result:?}");
    }
}

/// Spends two tries and says so. It is an inner run; alone it has nothing to do.
#[test]
fn spend_two_tries() {
    let Some(folder) = folder() else { return };
    let mut readers = readers(&folder);
    let wrong = Pin::parse(b"000000").expect("a PIN");
    for _ in 0..2 {
        let result = readers.connect(SERIAL).and_then(|mut key| key.verify_pin(&wrong));
        say(&result, matches!(result, Err(DeviceError::WrongPin { .. })));
    }
}

/// Asserts twice and says so. It is an inner run; alone it has nothing to do.
#[test]
fn assert_twice() {
    let Some(folder) = folder() else { return };
    let text = std::fs::read_to_string(folder.join(CREDENTIAL)).expect("a credential");
    let (id, public) = text.split_once(' ').expect("id and point");
    let credential = Credential {
        id: hex::decode(id).expect("hex"),
        public: p256::PublicKey::from_sec1_bytes(&hex::decode(public).expect("hex")).expect("a point"),
    };
    let question = Question { credential: &credential, challenge: b"a record", salt: [1; 32], next: None };
    let mut readers = readers(&folder);
    for _ in 0..2 {
        let result = readers.authenticator(SERIAL).and_then(|mut key| key.assert(&fido2_pin(), &question));
        say(&result, result.is_ok());
    }
}

fn fido2_pin() -> Fido2Pin {
    Fido2Pin::parse(b"48151623").expect("a PIN")
}

/// What came of a run.
struct Outcome {
    output: Output,
    /// How much of what the inner run does is in the file.
    done: u32,
    /// Whether there was an n-th call.
    disturbed: bool,
}

/// An inner run, what it starts from, and how the file shows what it did.
struct Story {
    inner: &'static str,
    key: Vec<u8>,
    credential: String,
    done: fn(&SimulatedKey) -> u32,
}

impl Story {
    /// Runs it on a fresh key with something going wrong at the n-th of those calls.
    fn disturb(&self, call: &str, n: usize, what: &str) -> Outcome {
        let folder = tempfile::tempdir().expect("a folder");
        let key = folder.path().join(format!("{SERIAL}.key"));
        std::fs::write(&key, &self.key).expect("a key");
        std::fs::write(folder.path().join(CREDENTIAL), &self.credential).expect("a credential");
        let program = std::env::current_exe().expect("this test");
        let mut command = Command::new(tools::debian("strace", "strace"));
        let trace = folder.path().join("trace");
        command.args(["-f", "-e", &format!("trace={call}"), "-o"]).arg(&trace);
        command.args(["-e", &format!("inject={call}:{what}:when={n}")]);
        for path in [folder.path(), &key, &folder.path().join(format!(".{SERIAL}.key.new"))] {
            command.arg("-P").arg(path);
        }
        command.arg(program).args(["--exact", self.inner, "--nocapture"]);
        let output = command.env(FOLDER, folder.path()).output().expect("strace starts");

        let mut readers = readers(folder.path());
        let keys = readers.keys().unwrap_or_else(|error| panic!("{call} {n} {what}: {error}: {error:?}"));
        let done = keys[0].with_model(|model, _| (self.done)(model)).expect("readable");
        let trace = std::fs::read_to_string(trace).expect("a trace");
        Outcome { output, done, disturbed: trace.contains("INJECTED") || trace.contains("killed by SIGKILL") }
    }

    /// Disturbs every call of each sort, in each way.
    fn disturb_all(&self) {
        let mut disturbances = 0;
        for what in ["signal=KILL", "error=EIO", "error=ENOSPC"] {
            for call in CALLS {
                for n in 1.. {
                    let Outcome { output, done, disturbed } = self.disturb(call, n, what);
                    let said = pcsc::text(&output);
                    let answered =
                        u32::try_from(said.matches(&format!("\n{ANSWERED}")).count()).expect("two at most");
                    assert!(
                        answered <= done && done <= answered + 1,
                        "{call} {n} {what}: {done} are in the file, and {answered} were answered for\n{said}"
                    );
                    if !disturbed {
                        assert_eq!(answered, 2, "nothing went wrong: {said}");
                        break;
                    }
                    disturbances += 1;
                }
            }
        }
        assert!(disturbances > 50, "only {disturbances} disturbances");
    }
}

#[test]
fn a_kill_or_a_failing_disk_at_any_call_leaves_a_whole_file() {
    let folder = tempfile::tempdir().expect("a folder");
    readers(folder.path()).create(SERIAL, Profile::Firmware574).expect("a key");
    let story = Story {
        inner: "spend_two_tries",
        key: std::fs::read(folder.path().join(format!("{SERIAL}.key"))).expect("its file"),
        credential: String::new(),
        done: |key| u32::from(3 - key.reference(Which::Pin).left),
    };
    story.disturb_all();
}

#[test]
fn an_assertion_is_counted_in_the_file_before_anyone_has_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut readers = readers(folder.path());
    readers.create(SERIAL, Profile::Firmware574).expect("a key");
    let mut key = readers.authenticator(SERIAL).expect("FIDO2");
    key.set_pin(&fido2_pin()).expect("a PIN");
    let Credential { id, public } = key.make_credential(&fido2_pin(), b"kit").expect("a credential");
    let story = Story {
        inner: "assert_twice",
        key: std::fs::read(folder.path().join(format!("{SERIAL}.key"))).expect("its file"),
        credential: format!("{} {}", hex::encode(id), hex::encode(public.to_sec1_bytes())),
        done: |key| key.fido2().expect("FIDO2").counter() - 2, // a new credential counts two
    };
    story.disturb_all();
}
