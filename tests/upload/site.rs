//! A station, a receiver, and the certificates between them.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use breakglass::audit::ledger;
use breakglass::record::chain::{Chain, Depth};
use breakglass::record::hash::Hash;
use breakglass::record::interop::jwks;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

use super::sample::{Writer, journal};

pub(crate) const TOKEN: &str = "a-token-of-32-characters-or-so-0";

/// One folder with all that a test needs.
pub(crate) struct Site {
    folder: tempfile::TempDir,
    pub(crate) writers: Vec<Writer>,
}

impl Site {
    /// Two keys with so many openings each; their bundle; certificates; the ledger's key.
    pub(crate) fn new(openings: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let mut writers: Vec<Writer> = [1, 2].map(Writer::founder).into();
        writers.iter_mut().for_each(|writer| writer.open(openings));
        let site = Site { folder, writers };
        let bundle: Vec<u8> = site.writers.iter().flat_map(Writer::journal).collect();
        site.write("records.jws", &bundle);
        site.write("token", TOKEN.as_bytes());
        site.authority("ca");
        site.authority("other-ca");
        let made = site.audit(&["checkpoint", "--new-key", "ledger.key"]);
        assert!(made.status.success(), "{}", said(&made));
        site
    }

    fn authority(&self, name: &str) {
        let mut about = CertificateParams::default();
        about.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        about.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let authority = about.self_signed(&key).expect("a certificate");
        let issuer = Issuer::new(about, key);
        self.write(&format!("{name}.pem"), authority.pem().as_bytes());
        for (end, usage) in [
            ("server", ExtendedKeyUsagePurpose::ServerAuth),
            ("station", ExtendedKeyUsagePurpose::ClientAuth),
        ] {
            let mut about =
                CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()]).expect("names");
            about.extended_key_usages = vec![usage];
            let key = KeyPair::generate().expect("a key");
            let certificate = about.signed_by(&key, &issuer).expect("a certificate");
            self.write(&format!("{name}-{end}.pem"), certificate.pem().as_bytes());
            self.write(&format!("{name}-{end}.key"), key.serialize_pem().as_bytes());
            self.write(
                &format!("{name}-{end}.sha256"),
                hex::encode(Hash::of(certificate.der()).0).as_bytes(),
            );
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).expect("a file is written");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a text")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass-audit"));
        command.current_dir(self.folder.path()).env_remove("BREAKGLASS_LEDGER").args(arguments);
        command
    }

    pub(crate) fn audit(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().expect("breakglass-audit runs")
    }

    /// A receiver over TLS that asks for certificate and token, on a port of its own.
    pub(crate) fn receiver(&self) -> Running {
        self.receiver_at("127.0.0.1:0", &[])
    }

    pub(crate) fn receiver_at(&self, listen: &str, more: &[&str]) -> Running {
        let all = [
            &["receive", "--listen", listen, "--cert", "ca-server.pem", "--cert-key", "ca-server.key"][..],
            &["--client-ca", "ca.pem", "--bearer-file", "token", "--key", "ledger.key"],
            more,
        ]
        .concat();
        Running::start(self.command(&all))
    }

    /// A receiver without TLS, for requests written by hand.
    pub(crate) fn plain_receiver(&self, more: &[&str]) -> Running {
        let all = [&["receive", "--listen", "127.0.0.1:0", "--plain-http", "--key", "ledger.key"][..], more]
            .concat();
        Running::start(self.command(&all))
    }

    /// What a station with certificate and token sends with; its state is in the file `state`.
    pub(crate) fn push_command(&self, to: &str, more: &[&str]) -> Command {
        self.push_with_state("state", to, more)
    }

    /// The same with its state in another file.
    pub(crate) fn push_with_state(&self, state: &str, to: &str, more: &[&str]) -> Command {
        let all = [
            &["push", "records.jws", "--to", to, "--state", state, "--ca", "ca.pem"][..],
            &["--bearer-file", "token", "--client-cert", "ca-station.pem", "--client-key", "ca-station.key"],
            more,
        ]
        .concat();
        self.command(&all)
    }

    pub(crate) fn push(&self, to: &str, more: &[&str]) -> Output {
        self.push_command(to, more).stdin(Stdio::null()).output().expect("breakglass-audit runs")
    }

    /// Every record's hash, and those of the ledger in order of arrival.
    pub(crate) fn hashes(&self) -> HashSet<Hash> {
        self.writers.iter().flat_map(|writer| writer.records.iter().map(|record| record.hash())).collect()
    }

    pub(crate) fn arrived(&self) -> Vec<Hash> {
        self.arrived_in(self.path("ledger.db").to_str().expect("UTF-8"))
    }

    pub(crate) fn arrived_in(&self, ledger: &str) -> Vec<Hash> {
        let mut ledger = ledger::open(ledger).expect("the ledger opens");
        let size = ledger.size().expect("a size");
        ledger.arrivals(0, size).expect("its hashes")
    }

    /// That the ledger holds each record once, and nothing else.
    pub(crate) fn holds_all_once(&self) {
        let arrived = self.arrived();
        assert_eq!(arrived.len(), self.hashes().len(), "nothing twice");
        assert_eq!(arrived.into_iter().collect::<HashSet<_>>(), self.hashes(), "nothing missing");
    }

    pub(crate) fn key_set(&self) -> String {
        let read = |writer: &Writer| Chain::read(&writer.name(), &journal(&writer.records), Depth::Links);
        jwks(&self.writers.iter().map(read).collect::<Vec<_>>())
    }
}

/// A program that runs until it is dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    /// Where it listens.
    pub(crate) url: String,
    out: BufReader<std::process::ChildStdout>,
}

impl Running {
    /// Starts it, and waits for the line that says where it listens.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a program that can be started");
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        out.read_line(&mut line).expect("a line");
        let url = line.trim_end().rsplit(' ').next().unwrap_or_default().to_owned();
        if url.is_empty() {
            let mut error = String::new();
            let _ = child.stderr.take().expect("a pipe").read_to_string(&mut error);
            panic!("it did not start: {error}");
        }
        Running { child, url, out }
    }

    /// `127.0.0.1:port`.
    pub(crate) fn address(&self) -> String {
        self.url.split('/').nth(2).expect("a URL").to_owned()
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Asks it to end, and says what it said at last and its exit code.
    pub(crate) fn end(mut self) -> (String, Option<i32>) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("a signal");
        let status = self.child.wait().expect("it ends");
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).expect("text");
        (rest, status.code())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What it said, for messages of tests.
pub(crate) fn said(output: &Output) -> String {
    format!(
        "{}{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Until it is so, or ten seconds are over.
pub(crate) fn wait_for(what: &str, mut so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what} does not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}
