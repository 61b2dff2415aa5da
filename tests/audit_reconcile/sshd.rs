//! An OpenSSH server of the test's own, on loopback, for whoever runs the test. What it says goes through `logger` of
//! util-linux, which puts the headers of syslog before it, each that it knows, and sends it to a socket of the test.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::tools::debian;

pub(crate) struct Sshd {
    folder: tempfile::TempDir,
    port: u16,
    server: Child,
    loggers: Vec<Logger>,
    /// Who logs in.
    pub(crate) account: String,
}

struct Logger {
    name: String,
    child: Child,
    /// Where its datagrams arrive, and what has arrived.
    socket: UnixDatagram,
    log: Vec<u8>,
}

impl Logger {
    /// Takes what has arrived, one line for each datagram.
    fn receive(&mut self) {
        let mut datagram = [0; 8_192];
        while let Ok(count) = self.socket.recv(&mut datagram) {
            self.log.extend_from_slice(&datagram[..count]);
            self.log.push(b'\n');
        }
    }
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn key(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    let made = run(Command::new(debian("ssh-keygen", "openssh-client"))
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&path));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    path
}

impl Sshd {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path();
        let (host, user) = (key(at, "host"), key(at, "user"));
        fs::copy(user.with_extension("pub"), at.join("authorized")).expect("a copy");
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it").port();
        let settings = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\n\
             PidFile none\nPermitRootLogin yes\nPasswordAuthentication yes\nKbdInteractiveAuthentication no\nUseDNS no\n",
            host.display(),
            at.join("authorized").display()
        );
        fs::write(at.join("config"), settings).expect("writes");
        if rustix::process::getuid().is_root() {
            // Where its Debian package has not started it, this folder is missing; it must be root's.
            let _ = fs::create_dir_all("/run/sshd");
        }
        let heard = at.join("stderr");
        let server = Command::new(debian("sshd", "openssh-server"))
            .args(["-D", "-e", "-f"])
            .arg(at.join("config"))
            .stdin(Stdio::null())
            .stderr(File::create(&heard).expect("a file"))
            .spawn()
            .expect("sshd starts");
        let headers = [("local", vec![]), ("rfc3164", vec!["--rfc3164"]), ("rfc5424", vec!["--rfc5424"])];
        let loggers = headers.map(|(name, header)| {
            // Follows the file as it grows, so that each line has the time at which it was written.
            let mut tail = Command::new(debian("tail", "coreutils"))
                .args(["-f", "-n", "+1", "--pid", &server.id().to_string(), "-s", "0.1"])
                .arg(&heard)
                .stdout(Stdio::piped())
                .spawn()
                .expect("tail starts");
            let path = at.join(name);
            let socket = UnixDatagram::bind(&path).expect("a socket");
            socket.set_nonblocking(true).expect("does not wait");
            let child = Command::new(debian("logger", "bsdutils"))
                .args(["--tag", "sshd", "--id=4711", "--socket"])
                .arg(&path)
                .args(header)
                .stdin(tail.stdout.take().expect("a pipe"))
                .spawn()
                .expect("logger starts");
            std::thread::spawn(move || tail.wait());
            Logger { name: name.to_owned(), child, socket, log: Vec::new() }
        });
        let account = String::from_utf8(run(Command::new(debian("id", "coreutils")).arg("-un")).stdout)
            .expect("a name");
        let sshd = Sshd { port, server, loggers: loggers.into(), account: account.trim().to_owned(), folder };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let text = fs::read_to_string(sshd.folder.path().join("stderr")).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_secs(30), "sshd does not answer:\n{text}");
            std::thread::sleep(Duration::from_millis(50));
        }
        sshd
    }

    fn ssh(&self, options: &[&str]) -> Command {
        let mut ssh = Command::new(debian("ssh", "openssh-client"));
        ssh.args(["-F", "none", "-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no"]);
        ssh.args(["-o", "IdentitiesOnly=yes", "-o", "NumberOfPasswordPrompts=1"]).args(options);
        ssh.args(["-p", &self.port.to_string(), &format!("{}@127.0.0.1", self.account), "true"]);
        ssh.stdin(Stdio::null()).env_remove("SSH_AUTH_SOCK");
        ssh
    }

    /// With the right key.
    pub(crate) fn log_in(&self) {
        let user = self.folder.path().join("user").display().to_string();
        let out = run(&mut self.ssh(&["-i", &user, "-o", "BatchMode=yes"]));
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }

    /// With a wrong password.
    pub(crate) fn fail(&self) {
        let ask = self.folder.path().join("ask");
        let mut file = File::create(&ask).expect("a file");
        file.write_all(b"#!/bin/sh\necho wrong\n").expect("writes");
        file.set_permissions(fs::Permissions::from_mode(0o700)).expect("its mode");
        drop(file);
        let mut ssh = self.ssh(&["-o", "PubkeyAuthentication=no", "-o", "PreferredAuthentications=password"]);
        let out = run(ssh.env("SSH_ASKPASS", &ask).env("SSH_ASKPASS_REQUIRE", "force"));
        assert!(!out.status.success());
    }

    /// Ends it, and gives what was logged under each header; and as it was said, without any.
    pub(crate) fn stop(mut self) -> (Vec<(String, Vec<u8>)>, String) {
        let begun = Instant::now();
        let said = || fs::read_to_string(self.folder.path().join("stderr")).expect("text");
        let is_whole = |log: &[u8]| String::from_utf8_lossy(log).contains("Failed password");
        while !self.loggers.iter().all(|logger| is_whole(&logger.log)) {
            assert!(begun.elapsed() < Duration::from_secs(30), "not everything was logged:\n{}", said());
            std::thread::sleep(Duration::from_millis(50));
            self.loggers.iter_mut().for_each(Logger::receive);
        }
        let said = said();
        let logs = self.loggers.iter().map(|logger| (logger.name.clone(), logger.log.clone())).collect();
        self.end();
        (logs, said)
    }

    fn end(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        for logger in &mut self.loggers {
            let _ = logger.child.kill();
            let _ = logger.child.wait();
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.end();
    }
}
