//! The program killed, or its system call failed with EIO or ENOSPC, at the n-th call, for every n, in each command that
//! writes. Afterwards nothing that was acknowledged is lost, the journal verifies, and the kit opens. Needs strace.

#[path = "support/practice.rs"]
#[allow(dead_code)]
mod practice;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use breakglass::kit::Kit;
use breakglass::kit::folder::Folder;
use breakglass::record::chain::Depth;
use breakglass::record::event::Event;
use practice::{PIN, PracticeKit, done};

/// A call, what becomes of it.
const FAULTS: [(&str, &str); 12] = [
    ("write", "signal=KILL"),
    ("fsync", "signal=KILL"),
    ("rename", "signal=KILL"),
    ("unlink", "signal=KILL"),
    ("mkdir", "signal=KILL"),
    ("ftruncate", "signal=KILL"),
    ("write", "error=EIO"),
    ("fsync", "error=EIO"),
    ("openat", "error=EIO"),
    ("openat2", "error=EIO"),
    ("write", "error=ENOSPC"),
    ("mkdir", "error=ENOSPC"),
];

/// What is true before: the secret of `core-fw/admin`.
fn known_secret() -> &'static [u8] {
    static SECRET: OnceLock<Vec<u8>> = OnceLock::new();
    SECRET.get_or_init(|| secret_of(&PracticeKit::new(), "core-fw/admin"))
}

fn secret_of(kit: &PracticeKit, credential: &str) -> Vec<u8> {
    let pins = PracticeKit::pins(4);
    let pins: Vec<&str> = pins.iter().map(String::as_str).collect();
    let output = kit.run(&PracticeKit::opening(credential), &pins);
    done(&output);
    output.stdout
}

fn strace() -> &'static str {
    assert!(Path::new("/usr/bin/strace").exists(), "this test needs strace:  sudo apt-get install strace");
    "/usr/bin/strace"
}

/// Runs the program with one fault; the output, and whether the fault came to pass.
fn with_fault(kit: &PracticeKit, arguments: &[&str], call: &str, fault: &str, n: usize) -> (Output, bool) {
    use std::io::Write;
    let log = tempfile::NamedTempFile::new().expect("a file");
    let mut child = Command::new(strace())
        .args([
            "-f",
            "-qq",
            "-e",
            &format!("trace={call}"),
            "-e",
            &format!("inject={call}:{fault}:when={n}"),
            "-o",
        ])
        .arg(log.path())
        .arg(env!("CARGO_BIN_EXE_breakglass"))
        .current_dir(kit.path())
        .arg("--kit")
        .arg(kit.path())
        .args(["--pin-fd", "0"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("strace runs");
    let pins: Vec<String> = practice::SERIALS.iter().map(|serial| format!("{serial} pin {PIN}")).collect();
    let _ = child.stdin.take().expect("a pipe").write_all((pins.join("\n") + "\n").as_bytes());
    let output = child.wait_with_output().expect("it ends");
    let log = std::fs::read_to_string(log.path()).expect("a log");
    (output, log.contains("INJECTED") || log.contains("killed by SIGKILL"))
}

/// Tries every fault at every call of one command, on two threads; `check` looks at the kit afterwards.
fn at_every_call(
    arguments: &[&str],
    prepare: &(dyn Fn(&PracticeKit) + Sync),
    check: &(dyn Fn(&PracticeKit, &Output, &str) + Sync),
) {
    let secret = known_secret();
    let runs = AtomicUsize::new(0);
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((call, fault)) = FAULTS.get(next.fetch_add(1, Ordering::Relaxed)) {
            // A simulated key opens its file for every command: of these reads every third is enough.
            let step = if *call == "openat" { 3 } else { 1 };
            for n in (1..).step_by(step) {
                let kit = PracticeKit::new();
                prepare(&kit);
                let (output, happened) = with_fault(&kit, arguments, call, fault, n);
                let text = String::from_utf8_lossy(&output.stderr);
                let told = format!("{call} {n} {fault}: exit {:?}\n{text}", output.status.code());
                assert!(!text.contains("panicked") && output.status.code() != Some(101), "{told}");
                let after = Kit::read(Folder::at(kit.path(), None), Depth::Every)
                    .unwrap_or_else(|e| panic!("{told}{e}"));
                assert_eq!(after.journal.damage(), None, "{told}");
                check(&kit, &output, &told);
                assert_eq!(secret_of(&kit, "core-fw/admin"), secret, "{told}");
                runs.fetch_add(1, Ordering::Relaxed);
                if !happened {
                    break;
                }
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    let runs = runs.into_inner();
    assert!(runs > 30, "only {runs} runs");
}

#[test]
fn open_fails_at_every_call() {
    let arguments = PracticeKit::opening("core-db/root");
    at_every_call(&arguments, &|_| {}, &|kit, output, told| {
        let kit = Kit::read(Folder::at(kit.path(), None), Depth::Every).unwrap();
        let intents = kit.journal.records().filter(
            |(_, r)| matches!(&r.event, Event::OpenIntent(intent) if intent.credential == "core-db/root"),
        );
        if !output.stdout.is_empty() {
            assert!(intents.count() >= 2, "a secret without its intents: {told}");
        }
        if output.status.success() {
            assert!(!output.stdout.is_empty(), "{told}");
        }
    });
}

#[test]
fn seal_fails_at_every_call() {
    let arguments =
        ["seal", "vpn/admin", "--generate", "-k", "2", "--with", "23112", "--confirm", "seal vpn"];
    at_every_call(&arguments, &|_| {}, &|kit, output, told| {
        let sealed = Kit::read(Folder::at(kit.path(), None), Depth::Every).unwrap();
        let there = sealed.credentials.contains_key(&"vpn/admin".parse().unwrap());
        assert!(there || !output.status.success(), "acknowledged and lost: {told}");
        let opening = [
            &PracticeKit::opening("core-db/root")[..1],
            &["vpn/admin"],
            &PracticeKit::opening("core-db/root")[2..10],
            &["--confirm", "open vpn"],
        ]
        .concat();
        let pins = PracticeKit::pins(2);
        let pins: Vec<&str> = pins.iter().map(String::as_str).collect();
        if there {
            assert!(!kit.run(&opening, &pins).stdout.is_empty(), "recorded and does not open: {told}");
        } else {
            // What a crash left behind is in nobody's way.
            done(&kit.run(&arguments, &pins));
        }
    });
}

#[test]
fn export_fails_at_every_call() {
    let bundle = |kit: &PracticeKit| kit.path().join("out/records.jws");
    let whole = PracticeKit::new();
    let to = |kit: &PracticeKit| kit.path().join("out").display().to_string();
    done(&whole.run(&["records", "export", &to(&whole)], &[]));
    let complete = std::fs::read(bundle(&whole)).expect("a bundle");
    // The folder of the export is named relative to the working folder, which is the kit's own.
    at_every_call(&["records", "export", "out"], &|_| {}, &|kit, output, told| {
        if output.status.success() {
            assert_eq!(std::fs::read(bundle(kit)).expect("acknowledged"), complete, "{told}");
        }
        // Whatever was left behind, the next export is whole.
        done(&kit.run(&["records", "export", &to(kit)], &[]));
        assert_eq!(std::fs::read(bundle(kit)).expect("a bundle"), complete, "{told}");
    });
}

#[test]
fn merge_fails_at_every_call() {
    let other = PracticeKit::new();
    let pins = PracticeKit::pins(2);
    let pins: Vec<&str> = pins.iter().map(String::as_str).collect();
    let seal = ["seal", "vpn/admin", "--generate", "-k", "2", "--with", "23112", "--confirm", "seal vpn"];
    done(&other.run(&seal, &pins));
    done(&other.run(&PracticeKit::opening("core-db/root"), &pins));
    let count = |path: &Path| Kit::read(Folder::at(path, None), Depth::Every).unwrap().journal.count();
    let all = count(other.path());
    let from = other.path().display().to_string();
    at_every_call(&["kit", "merge", &from], &|_| {}, &|kit, output, told| {
        assert_eq!(count(other.path()), all, "the other copy is only read: {told}");
        if output.status.success() {
            assert_eq!(count(kit.path()), all, "acknowledged and lost: {told}");
        }
        done(&kit.run(&["kit", "merge", &from], &[]));
        assert_eq!(count(kit.path()), all, "{told}");
    });
}
