//! How fast records come into a ledger, beside what openssl, PyJWT and node jose reach on the same machine in the same run.
//!
//! `cargo bench --profile audit --features audit --bench import -- 1000000` (100,000 where no number is given). Real records: chained, of
//! four kits with four keys each, each signed, verified, parsed, hashed and stored. The machine may be shared, so each
//! rate stands twice: by the clock, and by CPU time as two cores would do it that nobody else uses.

#![allow(clippy::disallowed_methods, reason = "a benchmark is told how much by the environment")]
#![allow(clippy::print_stdout, reason = "a benchmark prints its table")]

#[path = "import/records.rs"]
mod records;

#[path = "../tests/support/postgres.rs"]
#[allow(dead_code, reason = "shared with tests")]
mod postgres;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use breakglass::audit::import::{Job, run};
use breakglass::audit::ledger;

/// The same as in the auditor's program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CORES: usize = 2;

/// Records that the slow ones are given.
const SAMPLE: usize = 20_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|one| one != "--bench").collect();
    if let [verb, bundle, ledger, malformed] = &arguments[..]
        && verb == "one-import"
    {
        return one_import(Path::new(bundle), ledger, malformed.parse().expect("a number of lines"));
    }
    let number = arguments.first().map_or(100_000, |text| text.parse().expect("a number of records"));
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("import");
    fs::create_dir_all(&folder).expect("a folder");
    let tenth = records::bundle(&folder, number / 10);
    let bundle = records::bundle(&folder, number);
    let bytes = fs::metadata(&bundle.records).expect("a file").len();
    println!("{number} records, {} bytes each, {} chains", bytes / number as u64, records::CHAINS);
    println!("\n{:<34} {:>12} {:>14} {:>9}", "", "by the clock", "by CPU, 2 cores", "us CPU");

    let before = openssl();
    let small = measured(&tenth.records, &sqlite(&folder), number / 10, 0);
    let sqlite_run = measured(&bundle.records, &sqlite(&folder), number, 0);
    let after = openssl();
    let openssl = Rate { clock: (before.clock + after.clock) / 2.0, cpu: (before.cpu + after.cpu) / 2.0 };
    row("openssl speed (mean of 2)", openssl);
    row("import into SQLite", sqlite_run.rate);
    let bytes_each = fs::metadata(ledger_file(&folder)).expect("a file").len() / number as u64;
    let again = measured(&bundle.records, &ledger_file(&folder), number, 0);
    row("the same again: all known", again.rate);
    let (damaged, malformed) = damaged(&bundle.records);
    let rate = measured(&damaged, &sqlite(&folder), number, malformed).rate;
    row(&format!("with {malformed} malformed lines"), rate);
    let server = postgres::Server::start(None);
    let shared = measured(&bundle.records, &server.url(&server.database()), number, 0);
    row("import into PostgreSQL (our CPU)", shared.rate);
    for (name, rate) in peers(&bundle, number.min(SAMPLE)) {
        match rate {
            Some(rate) => row(name, rate),
            None => println!("{name:<34} not there: tests/stock_verifiers.rs tells the command"),
        }
    }
    println!(
        "\nSQLite to openssl       {:.2} by CPU, {:.2} by the clock (goal 0.95)",
        sqlite_run.rate.cpu / openssl.cpu,
        sqlite_run.rate.clock / openssl.clock
    );
    println!(
        "PostgreSQL to SQLite    {:.2} by CPU, {:.2} by the clock (goal 0.90)",
        shared.rate.cpu / sqlite_run.rate.cpu,
        shared.rate.clock / sqlite_run.rate.clock
    );
    let growth = sqlite_run.peak as f64 / small.peak as f64;
    println!(
        "peak memory             {} kB at {number}, {} kB at {}: {growth:.2} (goal 1.20)",
        sqlite_run.peak,
        small.peak,
        number / 10
    );
    println!("ledger                  {bytes_each} bytes a record");
}

/// Operations a second: by the clock, and as two free cores would do by the CPU time that each took.
#[derive(Debug, Clone, Copy)]
struct Rate {
    clock: f64,
    cpu: f64,
}

fn row(name: &str, rate: Rate) {
    let each = CORES as f64 / rate.cpu * 1e6;
    println!("{name:<34} {:>10.0}/s {:>12.0}/s {each:>9.1}", rate.clock, rate.cpu);
}

/// One import by a process of its own.
struct Measured {
    rate: Rate,
    /// The most memory it had, kB.
    peak: u64,
}

fn ledger_file(folder: &Path) -> String {
    folder.join("ledger.db").display().to_string()
}

/// A ledger that is not there yet.
fn sqlite(folder: &Path) -> String {
    let name = ledger_file(folder);
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{name}{end}"));
    }
    name
}

/// The same bundle with one line in a thousand cut in two, and how many of the lines are malformed by that.
fn damaged(bundle: &Path) -> (PathBuf, u64) {
    let path = bundle.with_extension("damaged");
    let mut to = BufWriter::new(File::create(&path).expect("a file"));
    let mut malformed = 0;
    for (at, line) in BufReader::new(File::open(bundle).expect("a bundle")).split(b'\n').enumerate() {
        let line = line.expect("a line");
        if at % 1_000 == 500 {
            to.write_all(&line[..line.len() / 2]).and_then(|()| to.write_all(b"\n")).expect("writes");
            malformed += 1;
        }
        to.write_all(&line).and_then(|()| to.write_all(b"\n")).expect("writes");
    }
    to.flush().expect("writes");
    (path, malformed)
}

fn measured(bundle: &Path, ledger: &str, number: usize, malformed: u64) -> Measured {
    let mut one = Command::new(std::env::current_exe().expect("this program"));
    one.arg("one-import").arg(bundle).arg(ledger).arg(malformed.to_string());
    let out = one.output().expect("runs");
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{text}{}", String::from_utf8_lossy(&out.stderr));
    let numbers: Vec<f64> = text.split_whitespace().map(|word| word.parse().expect("a number")).collect();
    let [seconds, cpu, peak] = numbers[..] else { panic!("three numbers, not {text}") };
    let number = number as f64;
    Measured { rate: Rate { clock: number / seconds, cpu: number * CORES as f64 / cpu }, peak: peak as u64 }
}

/// What the process of its own does: prints seconds by the clock, of CPU, and the peak of its memory in kB.
fn one_import(bundle: &Path, name: &str, malformed: u64) {
    let mut ledger = ledger::open(name).expect("a ledger");
    let begun = Instant::now();
    let job = Job {
        photographed: false,
        source: "bench",
        at: 1_795_262_400,
        threads: NonZero::new(CORES),
        progress: &mut |_, _| {},
        aside: &mut |_| {},
    };
    let done = run(&mut *ledger, &mut File::open(bundle).expect("a bundle"), job).expect("imports");
    drop(ledger);
    let seconds = begun.elapsed().as_secs_f64();
    assert_eq!((done.bad, done.unverified, done.set_aside), (0, 0, malformed));
    assert_eq!(done.stored + done.known + malformed, done.read);
    let status = fs::read_to_string("/proc/self/status").expect("its own status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
    println!("{seconds} {} {}", cpu(false), peak.trim().trim_end_matches(" kB"));
}

/// Seconds of CPU that this process, or those that it waited for, have taken. `proc(5)`: fields 14 to 17, in ticks of
/// 10 ms.
fn cpu(of_children: bool) -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("its own times");
    let (_, fields) = stat.rsplit_once(')').expect("the name ends");
    let ticks: Vec<u64> =
        fields.split_whitespace().skip(11).take(4).map(|tick| tick.parse().expect("a number")).collect();
    let (own, children) = (ticks[0] + ticks[1], ticks[2] + ticks[3]);
    (if of_children { children } else { own }) as f64 / 100.0
}

/// Verifications of `openssl speed` on two cores: by the clock; and by the CPU time that one process took for them.
fn openssl() -> Rate {
    let verified = |arguments: &[&str]| -> f64 {
        let mut speed = Command::new("openssl");
        speed.args(["speed", "-seconds", "4"]).args(arguments).arg("ecdsap256");
        let out = speed.output().expect("openssl:  apt-get install openssl");
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let last = text.split_whitespace().last().and_then(|word| word.parse().ok());
        last.unwrap_or_else(|| panic!("openssl speed says: {text}"))
    };
    // With -multi it counts by the clock, without by its CPU time.
    Rate { clock: verified(&["-multi", "2"]), cpu: CORES as f64 * verified(&[]) }
}

/// PyJWT and node jose, one process each, on the first lines of the same file.
fn peers(bundle: &records::Bundle, number: usize) -> [(&'static str, Option<Rate>); 2] {
    let home = PathBuf::from(std::env::var_os("HOME").expect("a home"));
    let tools =
        std::env::var_os("BREAKGLASS_TEST_TOOLS").map_or(home.join(".cache/breakglass-tools"), PathBuf::from);
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stock_verifiers");
    let sample = bundle.records.with_extension("sample");
    let text = fs::read(&bundle.records).expect("a bundle");
    let end =
        text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(number - 1).expect("so many lines").0;
    fs::write(&sample, &text[..=end]).expect("writes");
    let python = tools.join("venv/bin/python");
    let mut pyjwt = Command::new(&python);
    pyjwt.arg(scripts.join("verify.py")).arg(&sample).arg(&bundle.keys);
    let mut jose = Command::new("node");
    jose.arg(scripts.join("verify.mjs")).arg(tools.join("node")).arg(&sample).arg(&bundle.keys);
    let there = [python.exists(), tools.join("node/node_modules/jose").exists()];
    let rate = |command: &mut Command| {
        let (begun, before) = (Instant::now(), cpu(true));
        let out = command.output().expect("runs");
        let good = out.stdout.split(|byte| *byte == b'\n').filter(|word| *word == b"good").count();
        assert_eq!(good, number, "{}", String::from_utf8_lossy(&out.stderr));
        let (clock, cpu) = (begun.elapsed().as_secs_f64(), cpu(true) - before);
        Rate { clock: number as f64 / clock, cpu: number as f64 * CORES as f64 / cpu }
    };
    [
        ("PyJWT (verifies only, 1 process)", there[0].then(|| rate(&mut pyjwt))),
        ("node jose (verifies only, 1 process)", there[1].then(|| rate(&mut jose))),
    ]
}
