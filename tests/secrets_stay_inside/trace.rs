//! One run of the program under strace: what it said, and what it wrote, opened and sent.

use std::path::PathBuf;

use crate::canary;
use crate::pcsc::tools;
use crate::real::*;

/// Calls that bring bytes out of the process, or open a way out.
const CALLS: &str = "trace=%network,write,writev,pwrite64,pwritev,pwritev2,sendfile,splice,vmsplice,\
                     copy_file_range,open,openat,openat2,creat,memfd_create,execve,execveat,ioctl,mknodat,symlinkat";

/// What a run did.
pub(crate) struct Traced {
    pub(crate) said: Said,
    calls: Vec<String>,
}

/// Where the program finds a home, a place for scratch files, and its working folder: nothing is to be left there.
pub(crate) const PLACES: [&str; 3] = ["home", "tmp", "work"];

impl Traced {
    pub(crate) fn run(life: &Life, words: &[&str], pins: &[String], stdin: &[u8]) -> Self {
        let log = life.path("trace");
        let strace = tools::debian("strace", "strace");
        let (strace, log_name) = (strace.display().to_string(), log.display().to_string());
        // On the way into the world the working folder is lost.
        let work = life.path(PLACES[2]).display().to_string();
        let env = tools::debian("env", "coreutils").display().to_string();
        let programs = [&env[..], "-C", &work, &strace, "-f", "-qq", "-yy", "-s", "65536"];
        let programs = [&programs[..], &["-o", &log_name, "-e", CALLS, PROGRAM]].concat();
        let (lines, number) = pin_pipe(pins);
        let number = number.to_string();
        let mut command = life.command_by(&programs, &[&["--pin-fd", &number], words].concat());
        for (name, place) in ["HOME", "TMPDIR"].iter().zip(PLACES) {
            command.env(name, life.path(place));
        }
        // What libraries log when they are asked to.
        command.envs([("RUST_LOG", "trace"), ("RUST_BACKTRACE", "full")]);
        let child = start(command, stdin);
        drop(lines);
        let said = Said::new(words, child.wait_with_output().expect("it ends"));
        let calls = std::fs::read(&log).expect("a trace");
        let calls = String::from_utf8_lossy(&calls).lines().map(str::to_owned).collect();
        Traced { said, calls }
    }

    /// Everything that holds for whatever verb. `given` is where the secret of an opening was to go.
    pub(crate) fn keeps_inside(&self, life: &Life, given: Option<&str>) {
        let at = &self.said;
        assert!(canary::found_in(at.stderr.as_bytes()).is_empty(), "said: {at}");
        if given != Some("1<pipe:") {
            assert!(canary::found_in(&at.stdout).is_empty(), "a result: {at}");
        }
        let started_in = format!("AT_FDCWD<{}>", life.path(PLACES[2]).display());
        assert!(self.calls.iter().any(|call| call.contains(&started_in)), "it works in its folder: {at}");
        for call in &self.calls {
            self.writes_inside(call, given);
            self.opens_inside(call, life);
            let name = name(call);
            assert!(!name.starts_with("mknod") && !name.starts_with("symlink"), "{call}");
        }
        let started = self.calls.iter().filter(|call| name(call).starts_with("exec")).count();
        assert_eq!(started, 1, "no other program is started: {at}");
        for place in PLACES {
            let left = std::fs::read_dir(life.path(place)).expect("a folder").count();
            assert_eq!(left, 0, "files in {place}: {at}");
        }
    }

    /// PINs and PUKs go to pcscd, a secret where it was wanted, and neither anywhere else.
    fn writes_inside(&self, call: &str, given: Option<&str>) {
        for found in canary::found_in(call.as_bytes()) {
            let target = call.split_once('(').map_or("", |(_, arguments)| arguments);
            let to_pcscd = target.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with("<UNIX");
            let allowed = match found {
                "PIN" | "PUK" => to_pcscd,
                _ => given.is_some_and(|given| target.starts_with(given)),
            };
            assert!(allowed, "{found} leaves by {}\n{}", &call[..call.len().min(120)], self.said);
        }
    }

    /// Sockets of this machine only, and new files only where they were wanted.
    fn opens_inside(&self, call: &str, life: &Life) {
        let arguments = call.split_once('(').map_or("", |(_, arguments)| arguments);
        match name(call) {
            "socket" | "socketpair" => {
                let local = ["AF_UNIX", "AF_NETLINK"].iter().any(|family| arguments.starts_with(family));
                assert!(local, "{call}");
            }
            "connect" | "bind" => {
                let local = ["sa_family=AF_UNIX", "sa_family=AF_NETLINK"];
                assert!(local.iter().any(|family| arguments.contains(family)), "{call}");
            }
            "open" | "openat" | "openat2" | "creat" => {
                let writes = ["O_WRONLY", "O_RDWR", "O_CREAT"].iter().any(|flag| arguments.contains(flag));
                let path = arguments.split('"').nth(1).unwrap_or_default();
                let folder = life.path("").display().to_string();
                let harmless = ["/dev/tty", "/dev/null", "/proc/self/fd/"];
                let wanted =
                    path.starts_with(&folder) || harmless.iter().any(|known| path.starts_with(known));
                assert!(!writes || wanted, "{call}");
            }
            _ => {}
        }
    }

    /// Sockets that were opened.
    pub(crate) fn sockets(&self) -> usize {
        self.calls.iter().filter(|call| name(call) == "socket").count()
    }

    /// Calls that carry this canary.
    pub(crate) fn carrying(&self, wanted: &str) -> usize {
        self.calls.iter().filter(|call| canary::found_in(call.as_bytes()).contains(&wanted)).count()
    }
}

/// `write` of `1234 write(1<pipe:[5]>, …`, also of a call that ended later.
fn name(call: &str) -> &str {
    let call = call.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
    call.split('(').next().unwrap_or_default()
}

/// A file that the test itself wrote a secret into goes before anything is looked for.
pub(crate) fn write_input(life: &Life, name: &str, secret: &[u8]) -> PathBuf {
    let path = life.path(name);
    std::fs::write(&path, secret).expect("written");
    path
}
