//! What a minted credential costs: commands typed, questions, PINs and touches, commands on the way to the key, and time on the
//! host, beside `ssh-keygen -s` with a key that OpenSC's PKCS#11 finds on the same virtual YubiKey over real pcscd.
//!
//! `cargo bench --bench minting`. Both sign by PIN and touch; ssh-keygen records nothing, ours signs an intent and an outcome
//! besides, and proves the key before its PIN is sent. The other kinds stand there without a peer. Times are medians of whole
//! runs that take turns. The virtual key is touched at once; its own work is measured inside it and told apart from the
//! host's.

#![allow(clippy::print_stdout, reason = "a benchmark prints its table")]

#[path = "../tests/support/pcsc.rs"]
mod pcsc;
#[path = "../tests/support/real.rs"]
mod real;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use pcsc::{Settings, tools};
use real::{Life, ONE, STRANGER, admit, complete, pin_line, provision};

const RUNS: usize = 21;

/// What may be minted, for a kit.toml.
const RULES: &str = r#"
[[mint]]
name = "jump-hosts"
kind = "ssh"
principals = ["breakglass"]
terminal = true

[[mint]]
name = "cluster"
kind = "x509"
user = "ada"
groups = ["breakglass:cluster-admins"]

[[mint]]
name = "api"
kind = "token"
issuer = "urn:example:emergency"
resource = "https://api.example"
client = "breakglass"
scopes = ["read"]

[[mint]]
name = "log-in"
kind = "assertion"
client = "breakglass"
server = "https://as.example"
token-endpoint = "https://as.example/token"
scopes = ["read"]
"#;

/// Verb and table of each.
const MINTS: [(&str, &str); 4] =
    [("ssh", "jump-hosts"), ("x509", "cluster"), ("token", "api"), ("assertion", "log-in")];

fn main() {
    let life = Life::blank(&Settings::usual(&[(ONE, "5.7.4"), (STRANGER, "5.4.3")]));
    found(&life);
    let stock = Stock::new(&life);
    let mut ours = Minting { life: &life, count: 0 };
    println!(
        "{:<20} {:>17} {:>5} {:>8} {:>13} {:>8}",
        "one credential", "commands typed", "PINs", "touches", "to the key", "records"
    );
    for (kind, rule) in MINTS {
        let (commands, touches) = counted(&life, ONE, || ours.mint(kind, rule));
        println!(
            "{:<34} {:>3} {:>5} {touches:>8} {commands:>13} {:>8}",
            format!("breakglass mint {kind}"),
            1,
            1,
            2
        );
    }
    let (commands, touches) = counted(&life, STRANGER, || stock.sign());
    println!("{:<34} {:>3} {:>5} {touches:>8} {commands:>13} {:>8}\n", "ssh-keygen -s, OpenSC", 1, 1, 0);
    let (mut our_times, mut stock_times) = (MINTS.map(|_| Vec::new()), Vec::new());
    for _ in 0..RUNS {
        for ((kind, rule), times) in MINTS.into_iter().zip(&mut our_times) {
            times.push(timed(&life, ONE, || ours.mint(kind, rule)));
        }
        stock_times.push(timed(&life, STRANGER, || stock.sign()));
    }
    println!("time, median of {RUNS} turns");
    println!("{:<34} {:>10} {:>12} {:>10}", "", "in the key", "on the host", "whole");
    let each = MINTS.into_iter().zip(&our_times);
    let ours =
        each.map(|((kind, _), times)| row(&format!("breakglass mint {kind}"), times)).collect::<Vec<_>>();
    let stock = row("ssh-keygen -s, OpenSC", &stock_times);
    println!("on the host, our SSH certificate to ssh-keygen's: {:.2}", ours[0] / stock);
}

/// A kit of one key that mints.
fn found(life: &Life) {
    life.run(&["init", "--name", "DC1 emergency kit"], &[]).done();
    complete(&life.kit(), &life.world);
    let toml = life.kit().join("kit.toml");
    let text = std::fs::read_to_string(&toml).expect("kit.toml");
    std::fs::write(&toml, text.replace("# mints = ", "mints = ") + RULES).expect("kit.toml");
    provision(life, ONE, &[]).done();
    admit(life, ONE, ONE).done();
    let serial = ONE.to_string();
    let word = format!("authority {serial}");
    life.run(&["trust", "authority", "--key", &serial, "--confirm", &word], &[pin_line(ONE)]).done();
}

struct Minting<'l> {
    life: &'l Life,
    count: usize,
}

impl Minting<'_> {
    fn mint(&mut self, kind: &str, rule: &str) {
        self.count += 1;
        let out = self.life.path(&format!("minted{}", self.count)).display().to_string();
        let (serial, word) = (ONE.to_string(), format!("mint {rule}"));
        let why = ["--emergency", "pam-outage", "--incident", "INC-4711", "--reason", "PAM lost quorum"];
        let how = ["--operator", "ada", "--key", &serial, "--out", &out, "--confirm", &word];
        let words = [&["mint", kind, rule][..], &why, &how].concat();
        self.life.run(&words, &[pin_line(ONE)]).done();
    }
}

/// A key with a certificate in 9A, as OpenSC finds keys, and what ssh-keygen needs to sign with it. Of the older firmware: the
/// yubico-piv-tool of Debian 12 does not know the management key of the newer.
struct Stock<'l> {
    life: &'l Life,
    module: PathBuf,
    ask: PathBuf,
}

impl<'l> Stock<'l> {
    fn new(life: &'l Life) -> Self {
        let module = tools::debian_file(&["/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so"], "opensc");
        let reader = life.world.reader(STRANGER).to_owned();
        let point = life.path("9a.pem").display().to_string();
        let certificate = life.path("9a-certificate.pem").display().to_string();
        let tool = |words: &[&str]| {
            let mut command = life.world.command(tools::debian("yubico-piv-tool", "yubico-piv-tool"));
            command.args(["-r", &reader]).args(words);
            life.world.run(&mut command);
        };
        let policies = ["--pin-policy", "once", "--touch-policy", "always"];
        tool(&[&["-a", "generate", "-s", "9a", "-A", "ECCP256", "-o", &point][..], &policies].concat());
        // OpenSC lists what has a certificate. Who signed it does not matter, so that no PIN is needed for it.
        let openssl = |words: &[&str]| {
            life.world.run(life.world.command(tools::debian("openssl", "openssl")).args(words));
        };
        let (request, other) =
            (life.path("9a.csr").display().to_string(), life.path("other").display().to_string());
        openssl(&[
            "req",
            "-new",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=ssh ca",
            "-keyout",
            &other,
            "-out",
            &request,
        ]);
        openssl(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-signkey",
            &other,
            "-force_pubkey",
            &point,
            "-out",
            &certificate,
        ]);
        tool(&["-a", "import-certificate", "-s", "9a", "-i", &certificate]);
        let ask = life.path("ask");
        std::fs::write(&ask, "#!/bin/sh\necho 123456\n").expect("written");
        std::fs::set_permissions(&ask, std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .expect("its mode");
        let stock = Stock { life, module, ask };
        let mut list = stock.keygen();
        let all = life.world.run(list.arg("-D").arg(&stock.module));
        let line = all.lines().find(|line| line.starts_with("ecdsa-sha2-nistp256 ")).expect("the key of 9A");
        std::fs::write(life.path("ca.pub"), line).expect("written");
        let mut subject = stock.keygen();
        life.world.run(subject.args(["-q", "-t", "ecdsa", "-N", "", "-f"]).arg(life.path("subject")));
        stock
    }

    fn keygen(&self) -> std::process::Command {
        let mut command = self.life.world.command(tools::debian("ssh-keygen", "openssh-client"));
        command.env("SSH_ASKPASS", &self.ask).env("SSH_ASKPASS_REQUIRE", "force");
        command
    }

    fn sign(&self) {
        let mut command = self.keygen();
        command.arg("-s").arg(self.life.path("ca.pub")).arg("-D").arg(&self.module);
        command.args(["-I", "INC-4711", "-n", "breakglass", "-V", "-5m:+15m"]);
        self.life.world.run(command.arg(self.life.path("subject.pub")));
    }
}

/// Commands that the key was sent, and touches.
fn counted(life: &Life, serial: u32, run: impl FnOnce()) -> (u64, u64) {
    life.world.order(&format!("{serial} reset-counters"));
    let before = life.world.touches(serial);
    run();
    (life.world.counters(serial).commands, life.world.touches(serial) - before)
}

/// What one run took: in all, and of that inside the key.
struct Times {
    whole: Duration,
    key: Duration,
}

fn timed(life: &Life, serial: u32, run: impl FnOnce()) -> Times {
    life.world.busy(serial);
    let start = Instant::now();
    run();
    Times { whole: start.elapsed(), key: life.world.busy(serial) }
}

/// Prints it; milliseconds on the host.
fn row(what: &str, times: &[Times]) -> f64 {
    let of = |part: fn(&Times) -> Duration| {
        let mut all: Vec<Duration> = times.iter().map(part).collect();
        all.sort();
        all[all.len() / 2].as_secs_f64() * 1000.0
    };
    let (key, whole) = (of(|times| times.key), of(|times| times.whole));
    let host = of(|times| times.whole.saturating_sub(times.key));
    println!("{what:<34} {key:>7.1} ms {host:>9.1} ms {whole:>7.1} ms");
    host
}
