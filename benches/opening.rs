//! What an opening costs: commands and bytes on the way to the key, and time on the host, beside `rage -d` with
//! age-plugin-yubikey on the same virtual YubiKey over real pcscd.
//!
//! `cargo bench --bench opening`. The floor is counted from the protocol, below. Times are medians of whole runs, ours
//! and rage's taking turns. The virtual key is touched at once; what its own work takes (it stores each change of its
//! state durably, and signs) is measured inside it and told apart from the host's.

#![allow(clippy::print_stdout, reason = "a benchmark prints its table")]

#[path = "../tests/support/pcsc.rs"]
mod pcsc;
#[path = "../tests/support/real.rs"]
mod real;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pcsc::{Counters, tools};
use real::{Life, ONE, TWO, opening, pin, pin_line};

const RUNS: usize = 41;

/// The least that stock decryption needs: SELECT, VERIFY, GENERAL AUTHENTICATE.
const DECRYPTION: u64 = 3;
/// A presence proof: one GENERAL AUTHENTICATE with 9E, again before a PIN is sent a second time.
const PRESENCE: u64 = 1;
/// A signed record: VERIFY and GENERAL AUTHENTICATE, then the head written and read back.
const RECORD: u64 = 4;
/// Once for each key: both heads read, tries, serial and version, another application selected to forget an old PIN;
/// the management key read, its algorithm, and the two halves of its authentication.
const ONCE: u64 = 2 + 1 + 2 + 1 + 4;

fn main() {
    let life = Life::start();
    let rage = Rage::new(&life);
    commands(&life, &rage);
    times(&life, &rage);
}

fn commands(life: &Life, rage: &Rage) {
    println!("commands and bytes from key found to plaintext");
    println!("{:<34} {:>9} {:>10} {:>10} {:>7}", "", "commands", "bytes to", "bytes from", "floor");
    let ours = counted(life, &[ONE], || open(life, "core-fw/admin", &[ONE]));
    // VERIFY of the decryption is that of the record; ECDH and SELECT are left of it.
    let floor = (DECRYPTION - 1) + 2 * PRESENCE + 2 * RECORD + ONCE;
    print("breakglass open, 1 key", ours, Some(floor));
    let stock = counted(life, &[ONE], || rage.decrypt());
    print("rage -d, 1 key", stock, Some(DECRYPTION));
    let both = counted(life, &[ONE, TWO], || open(life, "core-db/root", &[ONE, TWO]));
    let floor_both = 2 * (DECRYPTION - 1 + PRESENCE + RECORD + ONCE) + PRESENCE + RECORD;
    print("breakglass open, 2 of 3", both, Some(floor_both));
    let recorded = 2 * PRESENCE + 2 * RECORD + ONCE;
    let allowed = stock.commands + recorded;
    println!(
        "1 key: {} commands, rage's {} and the {recorded} of proof and records make {allowed}: {:.2} of that\n",
        ours.commands,
        stock.commands,
        ours.commands as f64 / allowed as f64
    );
    assert!(ours.commands <= allowed, "more commands than the plugin needs and the records cost");
}

fn times(life: &Life, rage: &Rage) {
    let (mut ours, mut stock) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        ours.push(timed(life, || open(life, "core-fw/admin", &[ONE])));
        stock.push(timed(life, || rage.decrypt()));
    }
    println!("time, 1 key, median of {RUNS} pairs");
    println!("{:<34} {:>10} {:>12} {:>10}", "", "in the key", "on the host", "whole");
    let host = |what: &str, times: &[Times]| {
        let of =
            |part: fn(&Times) -> Duration| median(times.iter().map(part).collect()).as_secs_f64() * 1000.0;
        let (key, whole) = (of(|times| times.key), of(|times| times.whole));
        let host = of(|times| times.whole.saturating_sub(times.key));
        println!("{what:<34} {key:>7.1} ms {host:>9.1} ms {whole:>7.1} ms");
        host
    };
    let (ours, stock) = (host("breakglass open, 1 key", &ours), host("rage -d, 1 key", &stock));
    println!("on the host, ours to rage's: {:.2}", ours / stock);
}

fn open(life: &Life, credential: &str, keys: &[u32]) {
    let named = keys.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let pins: Vec<String> = keys.iter().map(|serial| pin_line(*serial)).collect();
    let opened = life.run(&[&opening(credential)[..], &["--key", &named]].concat(), &pins).done();
    assert!(!opened.stdout.is_empty());
}

fn counted(life: &Life, keys: &[u32], run: impl FnOnce()) -> Counters {
    for serial in real::KEYS.map(|key| key.0) {
        life.world.order(&format!("{serial} reset-counters"));
    }
    run();
    let mut all = Counters { commands: 0, bytes_in: 0, bytes_out: 0, pins_sent: 0 };
    for serial in keys {
        let one = life.world.counters(*serial);
        all.commands += one.commands;
        all.bytes_in += one.bytes_in;
        all.bytes_out += one.bytes_out;
        all.pins_sent += one.pins_sent;
    }
    all
}

fn print(what: &str, counted: Counters, floor: Option<u64>) {
    let Counters { commands, bytes_in, bytes_out, .. } = counted;
    let floor = floor.map_or(String::new(), |floor| floor.to_string());
    println!("{what:<34} {commands:>9} {bytes_in:>10} {bytes_out:>10} {floor:>7}");
}

/// What one run took: in all, and of that inside the key, whose work is not the host's.
struct Times {
    whole: Duration,
    key: Duration,
}

fn timed(life: &Life, run: impl FnOnce()) -> Times {
    life.world.busy(ONE);
    let start = Instant::now();
    run();
    Times { whole: start.elapsed(), key: life.world.busy(ONE) }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Stock decryption of the same file with the same key; the PIN is typed on a terminal that `expect` makes.
struct Rage<'l> {
    life: &'l Life,
    identity: PathBuf,
    payload: PathBuf,
}

impl<'l> Rage<'l> {
    fn new(life: &'l Life) -> Self {
        let identity = life.path("identity.txt");
        let mut list = life.world.command(tools::age_plugin_yubikey());
        list.args(["--identity", "--serial", &ONE.to_string(), "--slot", "1"]);
        let said = life.world.run(&mut list);
        let line = said.lines().find(|line| line.starts_with("AGE-PLUGIN-YUBIKEY-")).expect("an identity");
        std::fs::write(&identity, line).expect("written");
        Rage { life, identity, payload: payload(&life.kit().join("sealed/core-fw/admin")) }
    }

    fn decrypt(&self) {
        let tools = tools::rage().parent().expect("a folder").to_path_buf();
        let mut expect = self.life.world.command(tools::debian("expect", "expect"));
        expect.args(["-c", TYPIST]);
        expect.env("PATH", format!("{}:/usr/bin:/bin", tools.display())).env("PINENTRY_PROGRAM", "none");
        expect.env("IDENTITY", &self.identity).env("PAYLOAD", &self.payload).env("PIN", pin(ONE));
        self.life.world.run(&mut expect);
    }
}

fn payload(credential: &Path) -> PathBuf {
    let generation = std::fs::read_dir(credential).expect("sealed").next().expect("a generation");
    generation.expect("an entry").path().join("payload.age")
}

const TYPIST: &str = r#"
set timeout 60
log_user 0
spawn -noecho sh -c {rage -d -i "$IDENTITY" "$PAYLOAD" > /dev/null}
expect {
    -re "Enter PIN for YubiKey with serial \[0-9\]+\[: \]" { send -- "$env(PIN)\r"; exp_continue }
    timeout { exit 124 }
    eof
}
exit [lindex [wait] 3]
"#;
