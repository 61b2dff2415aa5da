//! The file of a practice key when its process is killed, or the disk fails, at any system call that touches it: it
//! stays readable, and no try that was answered for is given back.

#[path = "support/pcsc.rs"]
mod pcsc;

use std::path::Path;
use std::process::{Command, Output};

use breakglass::attestation::Serial;
use breakglass::device::practice::{PracticeReaders, Profile, Surroundings, Which};
use breakglass::device::{DeviceError, Readers};
use breakglass::secret::Pin;
use pcsc::tools;

const SERIAL: Serial = Serial(4_000_001);

/// Where the inner run finds its key.
const FOLDER: &str = "BREAKGLASS_TEST_PRACTICE_FOLDER";

/// The system calls that a state change is made of.
const CALLS: [&str; 6] = ["openat", "flock", "read", "write", "fsync", "rename"];

/// What the inner run says after each wrong PIN that was answered for.
const ANSWERED: &str = "answered for";

fn readers(folder: &Path) -> PracticeReaders {
    PracticeReaders::new(folder, Surroundings::of_this_machine())
}

/// Spends two tries and says so. It is the inner run; alone it has nothing to do.
#[test]
#[allow(clippy::disallowed_methods, clippy::print_stdout, reason = "the outer run reads what it says")]
fn spend_two_tries() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let mut readers = readers(Path::new(&folder));
    let wrong = Pin::parse(b"000000").expect("a PIN");
    for _ in 0..2 {
        let result = readers.connect(SERIAL).and_then(|mut key| key.verify_pin(&wrong));
        match result {
            Err(DeviceError::WrongPin { .. }) => println!("{ANSWERED}"),
            other => println!("not answered for: {other:?}"),
        }
    }
}

/// What came of a run.
struct Outcome {
    output: Output,
    /// Tries left in the file.
    left: u8,
    /// Whether there was an n-th call.
    disturbed: bool,
}

/// Runs it on a fresh key with something going wrong at the n-th of those calls.
fn disturb(template: &[u8], call: &str, n: usize, what: &str) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join(format!("{SERIAL}.key"));
    std::fs::write(&key, template).expect("a key");
    let program = std::env::current_exe().expect("this test");
    let mut command = Command::new(tools::debian("strace", "strace"));
    let trace = folder.path().join("trace");
    command.args(["-f", "-e", &format!("trace={call}"), "-o"]).arg(&trace);
    command.args(["-e", &format!("inject={call}:{what}:when={n}")]);
    for path in [folder.path(), &key, &folder.path().join(format!(".{SERIAL}.key.new"))] {
        command.arg("-P").arg(path);
    }
    command.arg(program).args(["--exact", "spend_two_tries", "--nocapture"]);
    let output = command.env(FOLDER, folder.path()).output().expect("strace starts");

    let mut readers = readers(folder.path());
    let keys = readers.keys().unwrap_or_else(|error| panic!("{call} {n} {what}: {error}: {:?}", error));
    let left = keys[0].with_model(|model, _| model.reference(Which::Pin).left).expect("readable");
    let trace = std::fs::read_to_string(trace).expect("a trace");
    Outcome { output, left, disturbed: trace.contains("INJECTED") || trace.contains("killed by SIGKILL") }
}

#[test]
fn a_kill_or_a_failing_disk_at_any_call_leaves_a_whole_file() {
    let folder = tempfile::tempdir().expect("a folder");
    readers(folder.path()).create(SERIAL, Profile::Firmware574).expect("a key");
    let template = std::fs::read(folder.path().join(format!("{SERIAL}.key"))).expect("its file");

    let mut disturbances = 0;
    for what in ["signal=KILL", "error=EIO", "error=ENOSPC"] {
        for call in CALLS {
            for n in 1.. {
                let Outcome { output, left, disturbed } = disturb(&template, call, n, what);
                let said = pcsc::text(&output);
                let answered =
                    u8::try_from(said.matches(&format!("\n{ANSWERED}")).count()).expect("two at most");
                let spent = 3 - left;
                assert!(
                    answered <= spent && spent <= answered + 1,
                    "{call} {n} {what}: {spent} tries are spent, and {answered} were answered for\n{said}"
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
