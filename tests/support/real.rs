//! A real kit on virtual YubiKeys over real PC/SC, worked on by the program as people run it: three keys of both firmware
//! lines, `core-db/root` sealed 2 of 3, `core-fw/admin` 1 of 3. Made once for each test process; each test works on a
//! copy in a world of its own.

#![allow(dead_code, reason = "each test uses its part")]

use std::io::{BufRead, BufReader, PipeReader, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use crate::pcsc::{Pcsc, Settings};

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_breakglass");

/// In safe A, with a 5.7.4.
pub(crate) const ONE: u32 = 4_000_001;
/// In safe A, with a 5.4.3.
pub(crate) const TWO: u32 = 4_000_002;
/// In safe B, with a 5.7.4.
pub(crate) const THREE: u32 = 4_000_003;
/// Blank, and of no kit.
pub(crate) const STRANGER: u32 = 4_000_004;

pub(crate) const KEYS: [(u32, &str); 3] = [(ONE, "5.7.4"), (TWO, "5.4.3"), (THREE, "5.7.4")];

/// What is sealed in the kit: one secret from stdin, one from a file.
pub(crate) const ROOT_SECRET: &[u8] = b"Winter-oyster 7 \xC3\xA4 root of core-db";
pub(crate) const ADMIN_SECRET: &[u8] = b"0OlI1-admin-of-core-fw";

/// Who the kit's records are from; the stock verifiers insist on it.
pub(crate) const ISSUER: &str = "https://records.example.org";

/// The PIN of that key: text that nothing else says.
pub(crate) fn pin(serial: u32) -> String {
    format!("pIN-x7Q{}", serial % 10)
}

/// The PUK of that key: text that nothing else says.
pub(crate) fn puk(serial: u32) -> String {
    format!("pUK+9wV{}", serial % 10)
}

/// The line of `--pin-fd` with the key's right PIN.
pub(crate) fn pin_line(serial: u32) -> String {
    format!("{serial} pin {}", pin(serial))
}

/// A kit and its keys in a folder, and the world in which the keys are plugged in.
pub(crate) struct Life {
    pub(crate) world: Pcsc,
    folder: tempfile::TempDir,
    keys: Vec<u32>,
}

impl Life {
    /// A copy of the kit with all its keys side by side.
    pub(crate) fn start() -> Self {
        Life::with(&Settings::usual(&KEYS))
    }

    /// The same with other readers, or other keys beside or instead; the world keeps its keys in the copy.
    pub(crate) fn with(settings: &Settings<'_>) -> Self {
        Life::copy_of(template().path(), settings)
    }

    /// A folder without a kit, and blank keys.
    pub(crate) fn blank(settings: &Settings<'_>) -> Self {
        let nothing = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(nothing.path().join("keys")).expect("a folder");
        Life::copy_of(nothing.path(), settings)
    }

    fn copy_of(template: &Path, settings: &Settings<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        copy(template, folder.path());
        let keys = folder.path().join("keys");
        let world = Pcsc::with(&Settings { keys_folder: Some(&keys), ..settings.clone() });
        Life { world, folder, keys: settings.keys.iter().map(|key| key.0).collect() }
    }

    /// Where the kit lies.
    pub(crate) fn kit(&self) -> PathBuf {
        self.folder.path().join("kit")
    }

    /// A path beside the kit.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The file of a key.
    pub(crate) fn key_file(&self, serial: u32) -> PathBuf {
        self.path("keys").join(format!("{serial}.key"))
    }

    /// Kit and keys as they were made, without faults, nothing counted.
    pub(crate) fn reset(&self) {
        for serial in &self.keys {
            self.world.order(&format!("{serial} clear"));
            let made = template().path().join(format!("keys/{serial}.key"));
            if made.exists() {
                let scratch = self.path("scratch.key");
                std::fs::copy(made, &scratch).expect("a copy");
                std::fs::rename(scratch, self.key_file(*serial)).expect("the key is put back");
            }
            self.world.order(&format!("{serial} reset-counters"));
        }
        std::fs::remove_dir_all(self.kit()).expect("the kit goes");
        copy(&template().path().join("kit"), &self.kit());
    }

    /// VERIFY commands with a PIN that the keys have heard since the last count or reset, in order of `KEYS`.
    pub(crate) fn pins_sent(&self) -> Vec<u64> {
        let sent = |serial: &u32| {
            let sent = self.world.counters(*serial).pins_sent;
            self.world.order(&format!("{serial} reset-counters"));
            sent
        };
        self.keys.iter().map(sent).collect()
    }

    /// The program inside, with these words, on the kit if they name no other.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        self.command_by(&[PROGRAM], words)
    }

    /// The same, the program being the last of `programs`, each of which runs the next.
    pub(crate) fn command_by(&self, programs: &[&str], words: &[&str]) -> Command {
        let mut command = self.world.command(programs[0]);
        command.args(&programs[1..]);
        if !words.contains(&"--kit") {
            command.arg("--kit").arg(self.kit());
        }
        command.args(words);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts it with lines of PINs on a descriptor and bytes on stdin.
    pub(crate) fn begin(&self, words: &[&str], pins: &[String], stdin: &[u8]) -> Child {
        let (lines, number) = pin_pipe(pins);
        let number = number.to_string();
        let child = start(self.command(&[&["--pin-fd", &number], words].concat()), stdin);
        drop(lines);
        child
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, words: &[&str], pins: &[String]) -> Said {
        self.run_with(words, pins, b"")
    }

    /// The same with bytes on stdin.
    pub(crate) fn run_with(&self, words: &[&str], pins: &[String], stdin: &[u8]) -> Said {
        let output = self.begin(words, pins, stdin).wait_with_output().expect("it ends");
        Said::new(words, output)
    }

    /// The words that seal `core-db/root` with its secret on stdin, and `core-fw/admin` from a file.
    pub(crate) fn seal_words(from: &str) -> [Vec<&str>; 2] {
        let sealing = ["--with", "4000001", "--user", "postgres", "--confirm"];
        [
            [&["seal", "core-db/root", "-k", "2"], &sealing[..], &["seal core-db"]].concat(),
            [&["seal", "core-fw/admin", "--from", from], &sealing[..], &["seal core-fw"]].concat(),
        ]
    }

    /// The same; meanwhile `attend` is told each line as it is said.
    pub(crate) fn attend(&self, words: &[&str], pins: &[String], mut attend: impl FnMut(&str)) -> Said {
        let mut child = self.begin(words, pins, b"");
        let mut stderr = String::new();
        for line in BufReader::new(child.stderr.take().expect("piped")).lines() {
            let line = line.expect("text");
            attend(&line);
            stderr += &line;
            stderr.push('\n');
        }
        let output = child.wait_with_output().expect("it ends");
        Said { stderr, ..Said::new(words, output) }
    }

    /// Opens it with the PINs of these keys, and the other words.
    pub(crate) fn open(&self, credential: &str, keys: &[u32], words: &[&str]) -> Said {
        let pins: Vec<String> = keys.iter().map(|serial| pin_line(*serial)).collect();
        self.run(&[&opening(credential)[..], words].concat(), &pins)
    }
}

/// Starts a command with bytes on stdin.
pub(crate) fn start(mut command: Command, stdin: &[u8]) -> Child {
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the program starts");
    // A program that refuses before it reads has closed the pipe.
    let _ = child.stdin.take().expect("piped").write_all(stdin);
    child
}

/// The words of an opening.
pub(crate) fn opening(credential: &str) -> Vec<&str> {
    let word = match credential {
        "core-db/root" => "open core-db",
        "core-fw/admin" => "open core-fw",
        "core-sw/console" => "open core-sw",
        other => panic!("{other}"),
    };
    [
        vec!["open", credential, "--emergency", "pam-outage", "--incident", "INC-4711"],
        vec!["--reason", "PAM lost quorum", "--operator", "ada", "--confirm", word],
    ]
    .concat()
}

/// A pipe that holds the lines, and the number under which a child finds it.
pub(crate) fn pin_pipe(pins: &[String]) -> (PipeReader, i32) {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    writer.write_all((pins.join("\n") + "\n").as_bytes()).expect("few lines fit into a pipe");
    rustix::io::fcntl_setfd(&reader, rustix::io::FdFlags::empty()).expect("a child inherits it");
    let number = reader.as_raw_fd();
    (reader, number)
}

/// What a finished run said.
pub(crate) struct Said {
    words: String,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Said {
    pub(crate) fn new(words: &[&str], output: Output) -> Self {
        Said {
            words: words.join(" "),
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// It succeeded.
    #[track_caller]
    pub(crate) fn done(self) -> Self {
        self.is(0, &[])
    }

    /// It ended with this code, and its last words were these lines.
    #[track_caller]
    pub(crate) fn is(self, code: i32, last: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        let lines: Vec<&str> = self.stderr.lines().collect();
        let end = &lines[lines.len().saturating_sub(last.len())..];
        assert_eq!(end, last, "{self}");
        self
    }

    /// It refused: this code, these last words, and nothing on stdout.
    #[track_caller]
    pub(crate) fn refused(self, code: i32, last: &[&str]) -> Self {
        assert!(self.stdout.is_empty(), "{self}");
        self.is(code, last)
    }

    /// Each of these was said, in this order.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        let mut rest = &self.stderr[..];
        for part in parts {
            let at = rest.find(part).unwrap_or_else(|| panic!("not said: {part}\n{self}"));
            rest = &rest[at + part.len()..];
        }
        self
    }

    /// It gave this secret.
    #[track_caller]
    pub(crate) fn gave(self, secret: &[u8]) -> Self {
        assert!(self.stdout == secret, "other bytes than were sealed\n{self}");
        self.done()
    }

    /// What is on stdout, as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// What is on stdout, as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Said { words, code, stderr, .. } = self;
        write!(f, "breakglass {words}\nexit {code:?}\n{}\n{stderr}", self.text())
    }
}

/// Adds to `kit.toml` where the keys lie, and the root that vouches for them.
pub(crate) fn complete(kit: &Path, world: &Pcsc) {
    let toml = kit.join("kit.toml");
    let root = std::fs::read_to_string(world.root_certificate()).expect("the root");
    let mut text = std::fs::read_to_string(&toml).expect("kit.toml");
    text = text.replace("https://example.org/breakglass", ISSUER);
    text = text.replacen("\n# Who may", &format!("\nattestation-root = \"\"\"{root}\"\"\"\n\n# Who may"), 1);
    for (serial, place, bag) in [(ONE, "safe A", "0417"), (TWO, "safe A", "0418"), (THREE, "safe B", "0102")]
    {
        text += &format!("\n[[key]]\nserial = {serial}\nplace = {place:?}\nbag = {bag:?}\npuk = \"carol\"\n");
    }
    std::fs::write(&toml, text).expect("kit.toml");
}

/// Provisions a blank key into the kit; what was said.
pub(crate) fn provision(life: &Life, serial: u32, words: &[&str]) -> Said {
    let name = serial.to_string();
    let lines = [format!("{serial} new-pin {}", pin(serial)), format!("{serial} new-puk {}", puk(serial))];
    life.run(&[&["key", "provision", "--serial", &name, "--confirm", &name], words].concat(), &lines)
}

/// Firmware 5.4.3 is refused without a word, because of this advisory.
pub(crate) const OLD_FIRMWARE: [&str; 2] = ["--override", "YSA-2024-03=kept in a safe, P-256 only"];

/// One key signs that another belongs to the kit.
pub(crate) fn admit(life: &Life, serial: u32, with: u32) -> Said {
    let (name, with_name) = (serial.to_string(), with.to_string());
    let word = if serial == with { format!("found {name}") } else { format!("admit {name}") };
    let mut words = vec!["key", "admit", &name, "--confirm", &word];
    if serial != with {
        words.extend(["--with", &with_name]);
    }
    life.run(&words, &[pin_line(with)])
}

fn template() -> &'static tempfile::TempDir {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    MADE.get_or_init(|| {
        let life = Life::blank(&Settings::usual(&KEYS));
        life.run(&["init", "--name", "DC1 emergency kit"], &[]).done();
        complete(&life.kit(), &life.world);
        provision(&life, ONE, &[]).done();
        provision(&life, TWO, &OLD_FIRMWARE).done();
        provision(&life, THREE, &[]).done();
        admit(&life, ONE, ONE).done();
        admit(&life, TWO, ONE).done();
        admit(&life, THREE, ONE).done();
        admit(&life, THREE, TWO).done();
        let file = life.path("secret.txt");
        std::fs::write(&file, ADMIN_SECRET).expect("written");
        let from = file.display().to_string();
        let [root, admin] = Life::seal_words(&from);
        life.run_with(&root, &[pin_line(ONE)], ROOT_SECRET).done();
        life.run(&admin, &[pin_line(ONE)]).done();
        std::fs::remove_file(file).expect("gone");
        let Life { world, folder, .. } = life;
        drop(world);
        folder
    })
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}
