//! A machine of a test's own: Debian's kernel in QEMU, real hidraw and udev, security keys on its USB, and the programs
//! under test. What a scene says in its shell comes back as an [`Answer`].
//!
//! ```ignore
//! let mut guest = Guest::boot();
//! guest.ok("key alice; fido2-token -L");
//! let answer = guest.run("as stranger 'fido2-token -I /dev/hidraw0'");
//! assert_ne!(answer.code, 0);
//! ```
//!
//! `words.sh` has the words beside those of Linux. Acceleration is off everywhere, so that a test runs the same where
//! there is none: a boot takes about ten seconds.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::pcsc::{built, root, tools};

/// Longest boot, and longest scene.
const PATIENCE: Duration = Duration::from_secs(600);

/// A running guest. Dropping it switches it off.
pub(crate) struct Guest {
    qemu: Child,
    orders: ChildStdin,
    answers: Receiver<String>,
    folder: tempfile::TempDir,
}

/// What a scene said.
#[derive(Debug)]
pub(crate) struct Answer {
    script: String,
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Guest {
    /// Boots a guest and returns when udev has dealt with all it found.
    pub(crate) fn boot() -> Self {
        let kernel = tools::guest_kernel();
        let folder = tempfile::tempdir().expect("a folder for the guest");
        let initrd = folder.path().join("initrd");
        pack(&kernel, folder.path(), &initrd);
        let mut qemu = Command::new(tools::debian("qemu-system-x86_64", "qemu-system-x86"));
        qemu.args(["-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", "512", "-no-reboot"]);
        qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-rtc", "base=utc"]);
        qemu.arg("-kernel").arg(kernel.join("vmlinuz")).arg("-initrd").arg(&initrd);
        qemu.args(["-append", "console=ttyS0 quiet panic=-1 random.trust_cpu=on"]);
        qemu.arg("-serial").arg(format!("file:{}", folder.path().join("console").display()));
        qemu.args(["-chardev", "stdio,id=talk,signal=off", "-serial", "chardev:talk"]);
        let said = File::create(folder.path().join("qemu")).expect("a file for what qemu says");
        let mut qemu =
            qemu.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(said).spawn().expect("qemu starts");
        let orders = qemu.stdin.take().expect("piped");
        let lines = BufReader::new(qemu.stdout.take().expect("piped")).lines();
        let (answer, answers) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = answer.send(line); // the guest is being dropped otherwise
            }
        });
        let guest = Guest { qemu, orders, answers, folder };
        let first = guest.answer("booting");
        assert!(first.ends_with("ready"), "the guest says {first:?} first");
        guest
    }

    /// Runs a script of the guest's shell as root, with `set -eu`.
    pub(crate) fn run(&mut self, script: &str) -> Answer {
        writeln!(self.orders, "{}", STANDARD.encode(script)).expect("the guest listens");
        let line = self.answer(script);
        let mut words = line.split(' ');
        let code = words.next().and_then(|word| word.parse().ok());
        let mut text = || {
            let bytes = STANDARD.decode(words.next()?.strip_prefix('.')?).ok()?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        };
        let (Some(code), Some(out), Some(err)) = (code, text(), text()) else {
            panic!("the guest answers {line:?}{self}");
        };
        Answer { script: script.to_owned(), code, out, err }
    }

    /// What a script that must succeed says on stdout, without the last line feed.
    pub(crate) fn ok(&mut self, script: &str) -> String {
        let answer = self.run(script);
        if answer.code != 0 {
            let keys = self.run("grep '' /run/*.log || true").out;
            panic!("{answer}\n--- the keys:\n{keys}{self}");
        }
        answer.out.trim_end().to_owned()
    }

    fn answer(&self, to: &str) -> String {
        self.answers.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no answer to: {to}{self}"))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.qemu.kill(); // it may have ended by itself
        let _ = self.qemu.wait();
    }
}

/// The end of what kernel and qemu said, for the message of a failed test.
impl fmt::Display for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in ["console", "qemu"] {
            let said = std::fs::read(self.folder.path().join(part)).unwrap_or_default();
            let end = said.len().saturating_sub(3000);
            write!(f, "\n--- the guest's {part}:\n{}", String::from_utf8_lossy(&said[end..]))?;
        }
        Ok(())
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Answer { script, code, out, err } = self;
        write!(f, "in the guest:\n{script}\n--- exit code {code}, stdout:\n{out}\n--- stderr:\n{err}")
    }
}

/// All that is in the guest, the release of the program among it, and the keys that PIV sides are certified by.
fn pack(kernel: &Path, folder: &Path, initrd: &Path) {
    let (certificate, key) = root().to_pem().expect("a root in PEM");
    std::fs::write(folder.join("root.pem"), certificate).expect("root.pem is written");
    std::fs::write(folder.join("root-key.pem"), key.as_bytes()).expect("root-key.pem is written");
    let files = [
        (built::release(), "/usr/bin/breakglass"),
        (built::authenticator(), "/usr/bin/authenticator"),
        (built::virtual_yubikey(), "/usr/bin/virtual_yubikey"),
        (folder.join("root.pem"), "/etc/root.pem"),
        (folder.join("root-key.pem"), "/etc/root-key.pem"),
    ];
    for (program, package) in [
        ("busybox", "busybox-static"),
        ("udevadm", "udev"),
        ("fido2-token", "fido2-tools"),
        ("pcscd", "pcscd"),
        ("cpio", "cpio"),
        ("ldd", "libc-bin"),
    ] {
        tools::debian(program, package);
    }
    tools::debian_file(&["/usr/lib/pcsc/drivers/ifd-ccid.bundle/Contents/Info.plist"], "libccid");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vm/initrd.sh");
    let output = Command::new(script)
        .arg(kernel)
        .args(files.iter().map(|(file, place)| format!("{}={place}", file.display())))
        .stdout(File::create(initrd).expect("the initrd is made"))
        .stderr(Stdio::piped())
        .output()
        .expect("initrd.sh starts");
    assert!(output.status.success(), "initrd.sh: {}", String::from_utf8_lossy(&output.stderr));
}
