//! While the program holds a PIN and a secret and waits for a touch: what others can see of it, and what is left when
//! it dies.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use breakglass::record::hash::Hash;
use breakglass::record::token::Record;

use crate::canary;
use crate::pcsc::{Settings, tools};
use crate::real::*;

/// Nobody, as Debian numbers him.
const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Words that make what follows run as an ordinary user.
fn as_user() -> Vec<String> {
    if !is_root() {
        return Vec::new();
    }
    let setpriv = tools::debian("setpriv", "util-linux").display().to_string();
    let nobody = NOBODY.to_string();
    [&setpriv, "--reuid", &nobody, "--regid", &nobody, "--clear-groups", "--"].map(str::to_owned).to_vec()
}

fn run_as_user(words: &[&str]) -> bool {
    let words: Vec<String> =
        as_user().into_iter().chain(words.iter().map(|word| (*word).to_owned())).collect();
    let output = Command::new(&words[0]).args(&words[1..]).stdin(Stdio::null()).output();
    output.expect("it runs").status.success()
}

/// What an ordinary user can do to a process of the same user: read its environment, take its memory, trace it.
fn reaches(process: u32) -> [bool; 3] {
    let strace = tools::debian("strace", "strace").display().to_string();
    let process = process.to_string();
    [
        run_as_user(&["cat", &format!("/proc/{process}/environ")]),
        run_as_user(&["head", "-c", "1", &format!("/proc/{process}/map_files")])
            || run_as_user(&["ls", &format!("/proc/{process}/fd")]),
        run_as_user(&["timeout", "1", &strace, "-qq", "-o", "/dev/null", "-p", &process]),
    ]
}

fn give_to_user(path: &Path) {
    if is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).expect("given away");
    }
    if path.is_dir() {
        for entry in std::fs::read_dir(path).expect("a folder") {
            give_to_user(&entry.expect("an entry").path());
        }
    }
}

/// Starts the program as an ordinary user whose shell allows core files, with PINs from a file of that user, and waits
/// until it waits for a touch.
fn begin(life: &Life, words: &[&str], stdin: &[u8]) -> (Child, String) {
    let lines = life.path("user/pins");
    std::fs::write(&lines, format!("{}\n{0}\n", pin_line(ONE))).expect("written");
    give_to_user(&lines);
    let program = life.path("user/breakglass").display().to_string();
    let shell = format!(
        "cd '{}' && ulimit -c unlimited && exec \"$@\" 9<'{}'",
        life.path("user").display(),
        lines.display()
    );
    let programs: Vec<String> =
        as_user().into_iter().chain(["/bin/sh", "-c", &shell, "sh", &program].map(str::to_owned)).collect();
    let programs: Vec<&str> = programs.iter().map(String::as_str).collect();
    let mut command = life.command_by(&programs, &[&["--pin-fd", "9"], words].concat());
    command.env("HOME", life.path("user"));
    let mut child = start(command, stdin);
    let mut said = String::new();
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    while !said.lines().any(|line| line.starts_with("touch 4000001 now")) {
        let read = stderr.read_line(&mut said).expect("text");
        assert!(read > 0, "it ended too early: {said}");
    }
    child.stderr = Some(stderr.into_inner());
    (child, said)
}

fn user_life() -> Life {
    let life = Life::with(&Settings::usual(&[KEYS[0]]));
    std::fs::create_dir(life.path("user")).expect("a folder");
    std::fs::copy(PROGRAM, life.path("user/breakglass")).expect("a copy");
    std::fs::set_permissions(life.path(""), PermissionsExt::from_mode(0o755)).expect("open to all");
    give_to_user(&life.path("user"));
    give_to_user(&life.kit());
    life
}

/// Neither in what `ps` shows nor in its environment; no core file may be written; and nobody but root can look inside.
fn is_closed(life: &Life, child: &Child, said: &str) {
    let process = child.id();
    let of = |name: &str| std::fs::read(format!("/proc/{process}/{name}")).expect("a process");
    let program = std::fs::read_link(format!("/proc/{process}/exe"));
    assert!(!is_root() || program.expect("a program") == life.path("user/breakglass"));
    for name in ["cmdline", "comm"].iter().chain(if is_root() { &["environ"][..] } else { &[] }) {
        assert!(canary::found_in(&of(name)).is_empty(), "in {name}");
    }
    assert!(canary::found_in(said.as_bytes()).is_empty(), "{said}");
    let limits = String::from_utf8(of("limits")).expect("text");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{core}");
    assert_eq!(reaches(process), [false; 3], "another program of the same user reaches it");
}

#[test]
fn what_waits_for_a_touch_shows_nothing() {
    // The control: a program of the same user that does not close itself.
    let sleep: Vec<String> = as_user().into_iter().chain(["sleep", "60"].map(str::to_owned)).collect();
    let mut control = Command::new(&sleep[0]).args(&sleep[1..]).spawn().expect("sleep runs");
    while std::fs::read(format!("/proc/{}/comm", control.id())).expect("a process") != b"sleep\n" {}
    assert_eq!(reaches(control.id())[..2], [true, true], "what can be seen of others");
    control.kill().expect("ended");
    control.wait().expect("ended");

    let life = user_life();
    life.world.order("4000001 touch give 4000");
    let words = [&opening("core-fw/admin")[..], &["--key", "4000001"]].concat();
    let (child, said) = begin(&life, &words, b"");
    is_closed(&life, &child, &said);
    let output = child.wait_with_output().expect("it ends");
    Said::new(&words, output).gave(ADMIN_SECRET);
    // Closed to others, it still knows itself: the record names the program that made it.
    let journal = std::fs::read_dir(life.kit().join("journal")).expect("a journal");
    let paths = journal.map(|entry| entry.expect("an entry").path());
    let ours =
        paths.into_iter().find(|path| path.display().to_string().contains("/4000001-")).expect("its journal");
    let text = std::fs::read_to_string(ours).expect("records");
    let record = Record::parse(text.lines().last().expect("a record").as_bytes()).expect("a record");
    assert_eq!(record.link.tool, Hash::of(&std::fs::read(PROGRAM).expect("the program")));

    let words = ["seal", "core-db/other", "--with", "4000001", "--confirm", "seal core-db"];
    let (child, said) = begin(&life, &words, ROOT_SECRET);
    is_closed(&life, &child, &said);
    Said::new(&words, child.wait_with_output().expect("it ends")).done();
    canary::none_below(&life.kit());
}

#[test]
fn what_dies_while_it_waits_leaves_no_core_and_no_trace() {
    let died = Command::new("/bin/sh")
        .args(["-c", "ulimit -c unlimited; kill -ABRT $$"])
        .current_dir(tempfile::tempdir().expect("a folder").path())
        .output();
    assert!(died.expect("a shell").status.core_dumped(), "a program that allows it leaves a core here");

    let life = user_life();
    life.world.order("4000001 touch give 2000");
    // Not QUIT or INT, which a shell makes a program in the background ignore, nor SEGV, which Rust handles once.
    for signal in ["ABRT", "SYS", "TERM"] {
        let words = [&opening("core-fw/admin")[..], &["--key", "4000001"]].concat();
        let (mut child, said) = begin(&life, &words, b"");
        assert!(
            Command::new("kill")
                .args(["-s", signal, &child.id().to_string()])
                .status()
                .expect("kill")
                .success()
        );
        let status = child.wait().expect("it ends");
        assert!(status.signal().is_some() && !status.core_dumped(), "{signal}: {status} {said}");
        std::fs::remove_file(life.path("user/pins")).expect("the test's own");
        let left: Vec<_> = std::fs::read_dir(life.path("user")).expect("a folder").collect();
        assert_eq!(left.len(), 1, "the program alone: {left:?}");
        canary::none_below(&life.kit());
        life.world.remove(ONE);
        life.world.insert(ONE);
    }
    life.world.order("4000001 touch give");
    give_to_user(&life.kit());
    life.open("core-fw/admin", &[ONE], &[]).gave(ADMIN_SECRET);
    assert_eq!(life.world.tries(ONE), (3, 3));
}
