//! A PC/SC world of a test's own: pcscd, virtual readers and virtual YubiKeys in private namespaces, which the
//! machine's pcscd and other tests do not see and which are gone with the [`Pcsc`].
//!
//! ```ignore
//! #[path = "support/pcsc.rs"]
//! mod pcsc;
//!
//! let world = pcsc::Pcsc::start(&[(4_000_001, "5.7.4")]);
//! let output = world.run(world.command(&pcsc::tools::ykman()).arg("list"));
//! world.order("4000001 touch withhold");
//! ```
//!
//! Keys are certified by [`root`], which a kit can name as its private attestation root ([`Pcsc::root_certificate`]).
//! A test that speaks PC/SC itself runs inside by [`Pcsc::inside`].

#![allow(dead_code, reason = "each test uses its part")]

pub(crate) mod built;
pub(crate) mod tools;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use breakglass::device::practice::{Authority, Surroundings};

/// Reader name of a YubiKey with every interface enabled.
pub(crate) const YUBIKEY_READER: &str = "Yubico YubiKey OTP+FIDO+CCID";

/// Longest wait for a world to be ready, or for a reader to notice a key.
const PATIENCE: Duration = Duration::from_secs(90);

/// First port of vpcd in the world's own network: a reader has two slots, each with a port.
const FIRST_PORT: u16 = 0x9C40;

/// Set inside a world.
const INSIDE: &str = "BREAKGLASS_TEST_INSIDE";

/// The attestation root of every virtual key, the same in each run.
pub(crate) fn root() -> Authority {
    Authority::new("breakglass test attestation root", &Surroundings::seeded(0xB6).0).expect("a test root")
}

/// How a world differs from the usual one.
#[derive(Debug, Clone)]
pub(crate) struct Settings<'a> {
    /// Serial number and firmware of each key.
    pub(crate) keys: &'a [(u32, &'a str)],
    /// `usb` or `nfc`.
    pub(crate) atr: &'a str,
    /// Name of the readers, without their number.
    pub(crate) reader: &'a str,
    /// Whether there is one reader for all keys, the first of which is in it.
    pub(crate) one_port: bool,
    /// Whether pcscd runs.
    pub(crate) service: bool,
    /// Where the keys' files lie, if they are to survive the world.
    pub(crate) keys_folder: Option<&'a Path>,
}

impl<'a> Settings<'a> {
    /// YubiKeys on USB, one reader each.
    pub(crate) fn usual(keys: &'a [(u32, &'a str)]) -> Self {
        Settings {
            keys,
            atr: "usb",
            reader: YUBIKEY_READER,
            one_port: false,
            service: true,
            keys_folder: None,
        }
    }
}

/// One private PC/SC world. Dropping it ends every process in it.
pub(crate) struct Pcsc {
    world: Child,
    talk: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    first_process: String,
    folder: tempfile::TempDir,
    readers: BTreeMap<u32, String>,
}

impl Pcsc {
    /// YubiKeys on USB, one reader each, all plugged in and powered.
    pub(crate) fn start(keys: &[(u32, &str)]) -> Self {
        Pcsc::with(&Settings::usual(keys))
    }

    /// The same keys with one reader between them: the first is in it, the others wait.
    pub(crate) fn one_port(keys: &[(u32, &str)]) -> Self {
        Pcsc::with(&Settings { one_port: true, ..Settings::usual(keys) })
    }

    /// As wanted. Returns when each key is powered.
    pub(crate) fn with(settings: &Settings<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the world");
        lay_out(folder.path(), settings);
        let mut world = unshare(folder.path(), settings);
        let talk = (world.stdin.take().expect("piped"), BufReader::new(world.stdout.take().expect("piped")));
        let reader =
            |index| format!("{} {:02X} 00", settings.reader, if settings.one_port { 0 } else { index });
        let readers = settings.keys.iter().enumerate().map(|(index, key)| (key.0, reader(index))).collect();
        let mut pcsc = Pcsc { world, talk: Mutex::new(talk), first_process: String::new(), folder, readers };
        pcsc.order("help"); // the first answer comes when the script has done its part
        pcsc.first_process = pcsc.find_first_process();
        if settings.service {
            let plugged_in = if settings.one_port { 1 } else { settings.keys.len() };
            let ready = || pcsc.said("Card ATR:") >= plugged_in;
            pcsc.wait_for(ready, "pcscd powers each key once");
        }
        pcsc
    }

    /// Runs the named test of this test program inside a world made by `start`, and says whether the caller is that
    /// run: the test goes on if so and returns if not.
    ///
    /// ```ignore
    /// #[test]
    /// fn name() {
    ///     if !Pcsc::inside("name", || Pcsc::start(&[(1, "5.7.4")])) { return; }
    ///     // real PC/SC from here on
    /// }
    /// ```
    #[allow(clippy::disallowed_methods, reason = "the mark that tells the inner run is in the environment")]
    pub(crate) fn inside(test: &str, start: impl FnOnce() -> Pcsc) -> bool {
        if std::env::var_os(INSIDE).is_some() {
            return true;
        }
        let world = start();
        let program = std::env::current_exe().expect("the test program");
        let output = world.command(&program).args(["--exact", test, "--nocapture"]).env(INSIDE, "1").output();
        let output = output.expect("the test program runs");
        let said = text(&output);
        assert!(output.status.success() && said.contains("1 passed"), "inside the world:\n{said}");
        false
    }

    /// A command that will run inside.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(tools::debian("nsenter", "util-linux"));
        command.args(["--target", &self.first_process, "--mount", "--net"]);
        if !is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg("--").arg(program);
        command.env_remove("LD_LIBRARY_PATH"); // cargo's, of dozens of folders that each library would be looked for in
        command
    }

    /// Runs it to its end; what it said, both streams together, if it succeeded.
    pub(crate) fn run(&self, command: &mut Command) -> String {
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        assert!(
            output.status.success(),
            "{command:?}\n{}\n{}\npcscd: {}",
            output.status,
            text(&output),
            self.log()
        );
        text(&output)
    }

    /// Gives an order to the virtual keys (`help` lists them); what it answers after `ok`.
    pub(crate) fn order(&self, order: &str) -> String {
        self.try_order(order).unwrap_or_else(|error| panic!("order {order:?}: {error}\n{}", self.log()))
    }

    fn try_order(&self, order: &str) -> Result<String, String> {
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        let (orders, answers) = &mut *talk;
        writeln!(orders, "{order}").and_then(|()| orders.flush()).map_err(|error| error.to_string())?;
        let mut line = String::new();
        answers.read_line(&mut line).map_err(|error| error.to_string())?;
        match line.trim_end().split_once(' ').unwrap_or((line.trim_end(), "")) {
            ("ok", answer) => Ok(answer.to_owned()),
            _ => Err(format!("{line:?}")),
        }
    }

    /// Takes the key out of its reader, if it is still in, and waits until pcscd has noticed that it is out.
    pub(crate) fn remove(&self, serial: u32) {
        self.order(&format!("{serial} remove"));
        self.wait_for(|| !self.seen(serial), "pcscd notices that the key is out");
    }

    /// Plugs the key in again and waits until pcscd has noticed. If it went out by itself (`remove-at`), call
    /// [`Pcsc::remove`] first: the readers look every 25 ms, and see nothing if the key is back before.
    pub(crate) fn insert(&self, serial: u32) {
        self.order(&format!("{serial} insert"));
        self.wait_for(|| self.seen(serial), "pcscd notices that the key is in");
    }

    /// Whether a key is in its reader, as far as pcscd has noticed. It says nothing of a key that was in from the start.
    fn seen(&self, serial: u32) -> bool {
        let (log, reader) = (self.log(), self.reader(serial));
        let last = |event: &str| log.rfind(&format!("{event} {reader}"));
        last("Card Removed From") <= last("Card inserted into")
    }

    /// Name of the key's reader as PC/SC lists it.
    pub(crate) fn reader(&self, serial: u32) -> &str {
        &self.readers[&serial]
    }

    fn said(&self, line: &str) -> usize {
        self.log().matches(line).count()
    }

    /// Tries left of PIN and PUK, from the key itself and without any command.
    pub(crate) fn tries(&self, serial: u32) -> (u8, u8) {
        let answer = self.order(&format!("{serial} tries"));
        let values: Vec<u8> = values(&answer);
        (values[0], values[1])
    }

    /// What the key has heard since `reset-counters`.
    pub(crate) fn counters(&self, serial: u32) -> Counters {
        let values = values(&self.order(&format!("{serial} counters")));
        let [commands, bytes_in, bytes_out, pins_sent] = values[..] else {
            panic!("four counters: {values:?}")
        };
        Counters { commands, bytes_in, bytes_out, pins_sent }
    }

    /// Touches that the key was given since it was plugged in for the first time.
    pub(crate) fn touches(&self, serial: u32) -> u64 {
        self.order(&format!("{serial} touches")).trim().parse().expect("a number")
    }

    /// How long commands took inside the key since this was asked last.
    pub(crate) fn busy(&self, serial: u32) -> Duration {
        Duration::from_micros(self.order(&format!("{serial} busy")).trim().parse().expect("microseconds"))
    }

    /// The world's own folder: key files in `keys`, `root.pem`, pcscd's log.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// PEM of the root that certified the keys.
    pub(crate) fn root_certificate(&self) -> PathBuf {
        self.folder().join("root.pem")
    }

    /// What pcscd said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder().join("pcscd.log")).unwrap_or_default()
    }

    /// Process id, on this machine, of the world's first process.
    pub(crate) fn first_process(&self) -> &str {
        &self.first_process
    }

    fn wait_for(&self, mut done: impl FnMut() -> bool, what: &str) {
        let begun = Instant::now();
        while !done() {
            assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}\npcscd: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// `unshare` waits outside for the first process in the new process namespace.
    fn find_first_process(&self) -> String {
        let waiting = self.world.id();
        let children = std::fs::read_to_string(format!("/proc/{waiting}/task/{waiting}/children"));
        children.expect("the kernel lists children").trim().to_owned()
    }
}

impl Drop for Pcsc {
    fn drop(&mut self) {
        // `unshare --kill-child` ends the first process, and with it the kernel ends every other.
        let _ = self.world.kill();
        let _ = self.world.wait();
    }
}

/// What a key has heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Command APDUs, links of a chain and GET RESPONSE among them.
    pub(crate) commands: u64,
    /// Bytes of command APDUs.
    pub(crate) bytes_in: u64,
    /// Bytes of answers.
    pub(crate) bytes_out: u64,
    /// VERIFY commands that carried a PIN.
    pub(crate) pins_sent: u64,
}

/// Both streams of a finished program as text.
pub(crate) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Root certificate and key, and one reader configuration for each key.
fn lay_out(folder: &Path, settings: &Settings<'_>) {
    let vpcd = tools::debian_file(
        &["/usr/lib/pcsc/drivers/serial/libifdvpcd.so", "/usr/lib64/pcsc/drivers/serial/libifdvpcd.so"],
        "vsmartcard-vpcd",
    );
    let (certificate, key) = root().to_pem().expect("a root in PEM");
    std::fs::write(folder.join("root.pem"), certificate).expect("root.pem is written");
    std::fs::write(folder.join("root-key.pem"), key.as_bytes()).expect("root-key.pem is written");
    for name in ["readers", "keys", "empty"] {
        std::fs::create_dir(folder.join(name)).expect("a folder of the world");
    }
    std::fs::copy(built::readers_driver(), folder.join("readers.so")).expect("the readers' driver is copied");
    let readers = if settings.one_port { 1 } else { settings.keys.len() };
    // One file: pcscd reads the files of a folder in any order, and numbers the readers as it meets them.
    let mut configuration = String::new();
    for index in 0..readers {
        std::fs::copy(&vpcd, folder.join(format!("libifdvpcd.so.{index}"))).expect("vpcd is copied");
        let (name, port) = (settings.reader, port(index));
        configuration += &format!(
            "FRIENDLYNAME \"{name}\"\nDEVICENAME /dev/null:0x{port:X}\nLIBPATH {}\nCHANNELID 0x{port:X}\n\n",
            folder.join("readers.so").display()
        );
    }
    std::fs::write(folder.join("readers/all"), configuration).expect("the readers' configuration is written");
}

fn port(index: usize) -> u16 {
    FIRST_PORT + 2 * u16::try_from(index).expect("few keys")
}

/// Namespaces for processes, mounts and network, in them pcscd and the keys. The driver for real readers is hidden, so
/// that no test ever reaches a real key.
fn unshare(folder: &Path, settings: &Settings<'_>) -> Child {
    let mut command = Command::new(tools::debian("unshare", "util-linux"));
    if !is_root() {
        command.arg("--map-root-user");
    }
    command.args([
        "--mount",
        "--net",
        "--pid",
        "--fork",
        "--kill-child",
        "--",
        "/bin/sh",
        "-euc",
        SCRIPT,
        "sh",
    ]);
    command.arg(tools::debian("ip", "iproute2"));
    command.arg(if settings.service { tools::debian("pcscd", "pcscd") } else { PathBuf::from("none") });
    command.arg(folder).arg(settings.keys_folder.unwrap_or(&folder.join("keys")));
    command.arg(built::virtual_yubikey());
    for (index, (serial, profile)) in settings.keys.iter().enumerate() {
        let (port, place) = match (settings.one_port, index) {
            (false, _) => (port(index), ""),
            (true, 0) => (port(0), ""),
            (true, _) => (port(0), ":out"),
        };
        command.args(["--key", &format!("{port}:{serial}:{profile}{place}")]);
    }
    command.args(["--atr", settings.atr]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("unshare starts")
}

const SCRIPT: &str = r#"
ip=$1 pcscd=$2 folder=$3 keys=$4 virtual_yubikey=$5
shift 5
"$ip" link set lo up
mkdir -p /run/pcscd 2>/dev/null || mount -t tmpfs none /run
mkdir -p /run/pcscd
mount -t tmpfs none /run/pcscd
for drivers in /usr/lib/pcsc/drivers/*.bundle /usr/lib64/pcsc/drivers/*.bundle; do
    [ ! -d "$drivers" ] || mount --bind "$folder/empty" "$drivers"
done
if [ "$pcscd" != none ]; then
    without_polkit=
    ! "$pcscd" --help 2>&1 | grep -q -e --disable-polkit || without_polkit=--disable-polkit
    "$pcscd" --foreground --info $without_polkit --config "$folder/readers" >"$folder/pcscd.log" 2>&1 </dev/null &
fi
exec "$virtual_yubikey" --folder "$keys" --root "$folder/root.pem" "$folder/root-key.pem" "$@"
"#;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn values<T: std::str::FromStr>(answer: &str) -> Vec<T> {
    answer.split(' ').filter_map(|pair| pair.split_once('=')?.1.parse().ok()).collect()
}
