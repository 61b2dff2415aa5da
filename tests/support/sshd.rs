//! An OpenSSH server with the drop-in that is exported, and an agent, for whoever runs the test.

#![allow(dead_code, reason = "each test uses its part")]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use breakglass::mint::ssh::{AgentAnswer, Revoked, Signed, agent_answer, public_line, revocation_list};
use breakglass::mint::{SubjectKey, trust};
use p256::ecdsa::VerifyingKey;

use crate::tools::debian;

/// What the account's hosts list.
pub(crate) const PRINCIPAL: &str = "breakglass";

pub(crate) fn keygen() -> Command {
    Command::new(debian("ssh-keygen", "openssh-client"))
}

pub(crate) fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Everything that it said.
pub(crate) fn said(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// A file that only its owner reads.
pub(crate) fn secret(path: &Path, content: impl AsRef<[u8]>) {
    fs::write(path, content).expect("writes");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("its mode");
}

/// An OpenSSH server with the exported drop-in for one account.
pub(crate) struct Sshd {
    pub(crate) folder: tempfile::TempDir,
    port: u16,
    server: Child,
    /// Who logs in.
    pub(crate) account: String,
}

impl Sshd {
    /// `trusted` is the account that the drop-in is for; who logs in is always who runs the test.
    pub(crate) fn start(ca: &VerifyingKey, trusted: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path();
        let made = run(keygen().args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(at.join("host")));
        assert!(made.status.success(), "{}", said(&made));
        let account = said(&run(Command::new("id").arg("-un"))).trim().to_owned();
        let files = at.display().to_string();
        let drop_in = trust::sshd_drop_in(&trusted.unwrap_or(&account).parse().expect("a label"), &files);
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it").port();
        let settings = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {files}/host\nStrictModes no\nUsePAM no\nPidFile none\n\
             PermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nUseDNS no\n\
             AuthorizedKeysFile none\nLogLevel VERBOSE\n{drop_in}"
        );
        fs::write(at.join("config"), settings).expect("writes");
        fs::write(at.join("breakglass_ca.pub"), public_line(ca, "of the kit")).expect("writes");
        fs::write(at.join("breakglass_principals"), format!("{PRINCIPAL}\n")).expect("writes");
        if rustix::process::getuid().is_root() {
            let _ = fs::create_dir_all("/run/sshd"); // where its package has not started it
        }
        let server = Command::new(debian("sshd", "openssh-server"))
            .args(["-D", "-e", "-f"])
            .arg(at.join("config"))
            .stdin(Stdio::null())
            .stderr(File::create(at.join("log")).expect("a file"))
            .spawn()
            .expect("sshd starts");
        let sshd = Sshd { folder, port, server, account };
        sshd.revoke(&[]);
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(30), "sshd does not answer:\n{}", sshd.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        sshd
    }

    /// Installs the list.
    pub(crate) fn revoke(&self, revoked: &[Revoked]) {
        let list = revocation_list(revoked, 2, 1_790_000_000, "kit").expect("a list");
        fs::write(self.folder.path().join("breakglass.krl"), list).expect("writes");
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// `ssh` to it by a configuration that was handed out, and nothing else.
    pub(crate) fn ssh_configured(&self, config: &str) -> Command {
        let mut ssh = Command::new(debian("ssh", "openssh-client"));
        ssh.args(["-F", config, "-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no"]);
        ssh.args(["-o", "BatchMode=yes", "-p", &self.port.to_string()]);
        ssh.arg(format!("{}@127.0.0.1", self.account)).arg("echo in");
        ssh.stdin(Stdio::null()).env_remove("SSH_AUTH_SOCK");
        ssh
    }

    /// `ssh` to it with more options; says `in` where no other command is forced.
    pub(crate) fn ssh(&self, more: &[&str]) -> Command {
        let mut ssh = Command::new(debian("ssh", "openssh-client"));
        ssh.args(["-F", "none", "-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no"]);
        ssh.args(["-o", "BatchMode=yes", "-p", &self.port.to_string()]).args(more);
        ssh.arg(format!("{}@127.0.0.1", self.account)).arg("echo in");
        ssh.stdin(Stdio::null()).env_remove("SSH_AUTH_SOCK");
        ssh
    }

    /// Logs in with that certificate and key, as files.
    pub(crate) fn log_in(&self, certificate: &Signed, key: &SubjectKey) -> Output {
        let (id, public) = (self.folder.path().join("id"), self.folder.path().join("id-cert.pub"));
        secret(&id, key.expose_pem().as_bytes());
        fs::write(&public, certificate.line()).expect("writes");
        let certificate = format!("CertificateFile={}", public.display());
        run(&mut self.ssh(&["-i", &id.display().to_string(), "-o", &certificate, "-o", "IdentitiesOnly=yes"]))
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// An agent of the test's own.
pub(crate) struct Agent {
    folder: tempfile::TempDir,
    child: Child,
}

impl Agent {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("agent");
        let child = Command::new(debian("ssh-agent", "openssh-client"))
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .expect("ssh-agent starts");
        let begun = Instant::now();
        while UnixStream::connect(&socket).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(30), "ssh-agent does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        Agent { folder, child }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("agent")
    }

    pub(crate) fn ask(&self, request: &[u8]) -> AgentAnswer {
        let mut stream = UnixStream::connect(self.socket()).expect("connects");
        stream.write_all(request).expect("writes");
        let mut answer = Vec::new();
        loop {
            let mut more = [0; 64];
            let count = stream.read(&mut more).expect("reads");
            assert_ne!(count, 0, "the agent ended the conversation");
            answer.extend_from_slice(&more[..count]);
            if let Some(answer) = agent_answer(&answer) {
                return answer;
            }
        }
    }

    pub(crate) fn list(&self) -> String {
        said(&run(Command::new(debian("ssh-add", "openssh-client"))
            .arg("-l")
            .env("SSH_AUTH_SOCK", self.socket())))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
