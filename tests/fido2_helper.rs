//! The FIDO2 helper as the program starts it: the unmodified binary with its hidden verb, without a key.

#![cfg(feature = "hardware")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use breakglass::device::fido2::supervisor::{Helper, Limits, VERB};
use breakglass::device::fido2::wire::{Failure, Outcome, Secret, Work};

const PROGRAM: &str = env!("CARGO_BIN_EXE_breakglass");

fn helper(input: &[u8]) -> Output {
    let mut child = Command::new(PROGRAM)
        .arg(VERB)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    child.stdin.take().expect("piped").write_all(input).expect("it reads");
    child.wait_with_output().expect("it ends")
}

#[test]
fn the_program_answers_as_its_own_helper() {
    let helper = Helper::new(PROGRAM, [VERB], Limits::default());
    let pin = || Secret::new(b"73920485".to_vec());
    for work in [
        Work::Info,
        Work::Tries,
        Work::SetPin { new: pin() },
        Work::ChangePin { current: pin(), new: pin() },
        Work::Create { pin: pin(), user: vec![1], challenge: vec![2; 32] },
        Work::Assert { pin: pin(), credential: vec![1; 64], challenge: vec![2; 2600], salts: vec![] },
    ] {
        let step = work.step();
        let reply = helper.ask(Path::new("/dev/hidraw-of-no-key"), work).expect(step);
        assert!(matches!(reply.outcome, Outcome::Failed(Failure::Gone)), "{step}: {reply:?}");
        assert_eq!((reply.requests, reply.touches), (0, 0), "{step}");
    }
    // A node that opens and is no HID device.
    let reply = helper.ask(Path::new("/dev/null"), Work::Info).expect("a reply");
    assert!(matches!(reply.outcome, Outcome::Failed(Failure::NotOpened(_))), "{reply:?}");
}

#[test]
fn its_only_words_are_the_reply() {
    let output = helper(br#"{"id":11,"path":"/dev/hidraw-of-no-key","work":"info"}"#);
    assert!(output.status.success());
    assert_eq!(output.stdout, br#"{"id":11,"requests":0,"touches":0,"outcome":{"failed":"gone"}}"#);
    assert_eq!(output.stderr, b"");
    for bad in [&b""[..], b"nonsense", br#"{"id":11,"path":"/dev/null","work":"wipe"}"#] {
        let output = helper(bad);
        assert_eq!((output.status.code(), output.stdout, output.stderr), (Some(1), vec![], vec![]));
    }
}

#[test]
fn nobody_is_told_of_it() {
    for arguments in [&["--help"][..], &["help"], &[]] {
        let output = Command::new(PROGRAM).args(arguments).output().expect("the program runs");
        let told = [output.stdout, output.stderr].concat();
        assert!(!String::from_utf8_lossy(&told).contains(VERB), "{arguments:?}");
    }
}

/// Whether a process runs; one that nobody has waited for does not.
fn runs(process: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    status.rsplit(')').next().and_then(|rest| rest.trim().chars().next()).is_some_and(|state| state != 'Z')
}

#[test]
fn it_is_hardened_before_it_reads_and_ends_with_the_program_that_started_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (pipe, note) = (folder.path().join("pipe"), folder.path().join("pid"));
    // The pipe is held open by the shell itself, so that the helper waits for its request.
    let script = format!(
        "mkfifo '{0}'; exec 9<>'{0}'; '{PROGRAM}' {VERB} <'{0}' & echo $! > '{1}.new'; mv '{1}.new' '{1}'; wait",
        pipe.display(),
        note.display()
    );
    let mut parent = Command::new("sh").args(["-c", &script]).spawn().expect("a shell");
    let until = Instant::now() + Duration::from_secs(60);
    let hardened = |process: &str| {
        let limits = std::fs::read_to_string(format!("/proc/{process}/limits")).unwrap_or_default();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap_or("");
        // Its stderr goes nowhere once it is about to read.
        let quiet = std::fs::read_link(format!("/proc/{process}/fd/2"));
        core.split_whitespace().skip(4).take(2).eq(["0", "0"])
            && quiet.is_ok_and(|to| to == Path::new("/dev/null"))
    };
    let process = loop {
        let process = std::fs::read_to_string(&note).unwrap_or_default().trim().to_owned();
        if !process.is_empty() && hardened(&process) {
            break process;
        }
        assert!(Instant::now() < until, "it is not hardened");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(runs(&process));
    parent.kill().expect("it runs");
    parent.wait().expect("it ends");
    while runs(&process) {
        assert!(Instant::now() < until, "it outlives its parent");
        std::thread::sleep(Duration::from_millis(20));
    }
}
