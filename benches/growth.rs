//! How `status` and the time to the PIN prompt grow with the journal and with the number of credentials.
//!
//! `cargo bench --bench growth`. Each row is the median of several whole runs of the release program on a practice kit.
//! The floor is what any reader must do: read the journal and hash it once (`sha256sum`), measured in the same run.

#![allow(clippy::print_stdout, reason = "a benchmark prints its table")]

#[path = "../tests/support/practice.rs"]
#[allow(dead_code)]
mod practice;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use breakglass::kit::Kit;
use breakglass::kit::folder::Folder;
use breakglass::record::chain::Depth;
use breakglass::record::event::{Event, OpenIntent, OpenReleased};
use breakglass::record::hash::Hash;
use breakglass::record::token::{Draft, Link, Record};
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature, SigningKey};
use practice::{PIN, PracticeKit, done};

const RUNS: usize = 7;

fn main() {
    println!("records in the journal, 2 credentials");
    println!("{:>9}  {:>12}  {:>12}  {:>12}  {:>8}", "records", "status", "to the PIN", "sha256sum", "ratio");
    for records in [10, 1_000, 10_000, 100_000] {
        let kit = PracticeKit::new();
        fill(kit.path(), records);
        row(&records.to_string(), &kit);
    }
    println!("\ncredentials, each sealed once");
    for credentials in [10, 1_000] {
        let kit = PracticeKit::new();
        for n in 2..credentials {
            let name = format!("platform-{n}/root");
            let word = format!("seal platform-{n}");
            let pin = format!("23112 pin {PIN}");
            done(&kit.run(
                &["seal", &name, "--generate", "-k", "2", "--with", "23112", "--confirm", &word],
                &[&pin],
            ));
        }
        row(&credentials.to_string(), &kit);
    }
}

/// One line of the table.
fn row(label: &str, kit: &PracticeKit) {
    let status = median(|| {
        // Something is due after an opening: exit 1 is as good as 0 here.
        assert!(matches!(program(kit.path(), &["status"]), Some(0 | 1)), "status failed");
    });
    let mut opening = PracticeKit::opening("core-db/root");
    opening.extend(["--key", "23115,30877"]);
    // Without a PIN to take, the program ends where it would ask for one.
    let prompt = median(|| assert_eq!(program(kit.path(), &opening), Some(2), "it did not come to the PIN"));
    let floor = median(|| {
        let files: Vec<_> = std::fs::read_dir(kit.path().join("journal"))
            .expect("a journal")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        let output = Command::new("sha256sum").args(&files).output().expect("sha256sum runs");
        assert!(output.status.success());
    });
    println!(
        "{label:>9}  {:>9.1} ms  {:>9.1} ms  {:>9.1} ms  {:>7.1}x",
        milliseconds(status),
        milliseconds(prompt),
        milliseconds(floor),
        status.as_secs_f64() / floor.as_secs_f64()
    );
}

fn program(kit: &Path, arguments: &[&str]) -> Option<i32> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass"));
    command.arg("--kit").arg(kit).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().expect("the program runs").code()
}

fn median(mut run: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[RUNS / 2]
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Appends openings to the chain of key 23112 until the journal has so many records: signed with the practice key's own
/// key, taken out of its file.
fn fill(folder: &Path, records: usize) {
    let kit = Kit::read(Folder::at(folder, None), Depth::Every).expect("a kit");
    let (name, last) =
        kit.journal.records().filter(|(name, _)| name.starts_with("23112-")).last().expect("a chain");
    let sealed = kit.credentials[&"core-db/root".parse().expect("a name")].generations[0].record;
    let key = signing_key(folder);
    let path = folder.join("journal").join(format!("{name}.jws"));
    let mut file =
        std::io::BufWriter::new(std::fs::File::options().append(true).open(path).expect("a journal"));
    let (mut seq, mut prev) = (last.link.seq, last.hash());
    let mut intent = prev;
    for n in kit.journal.count()..records {
        seq += 1;
        let event = if n % 2 == 0 { opening(sealed) } else { outcome(intent) };
        let record = sign(&key, last, seq, prev, event);
        prev = record.hash();
        intent = prev;
        file.write_all(record.bytes()).and_then(|()| file.write_all(b"\n")).expect("a line");
    }
}

fn signing_key(folder: &Path) -> SigningKey {
    let file = std::fs::read(folder.join("practice/23112.key")).expect("a practice key");
    let file: serde_json::Value = serde_json::from_slice(&file).expect("JSON");
    let secret = file["key"]["keys"]["9C"]["secret"].as_str().expect("a secret");
    SigningKey::from_slice(&hex::decode(secret).expect("hexadecimal")).expect("a scalar")
}

fn sign(key: &SigningKey, like: &Record, seq: u64, prev: Hash, event: Event) -> Record {
    let draft = Draft {
        kid: like.kid,
        x5c: Vec::new(),
        iss: like.iss.clone(),
        serial: like.serial,
        txn: Some("INC-1".into()),
        jti: format!("{seq:032x}"),
        iat: like.iat + seq as i64,
        link: Link { seq, prev: Some(prev), ..like.link.clone() },
        event,
    };
    let input = draft.signing_input().expect("within the format");
    let signature: Signature = key.sign_prehash(&input.digest()).expect("32 bytes");
    input.finish(&signature)
}

fn opening(sealed: Hash) -> Event {
    Event::OpenIntent(OpenIntent {
        credential: "core-db/root".into(),
        generation: 1,
        sealed,
        emergency: "pam-outage".into(),
        reason: "bench".into(),
        operator: "ada".into(),
        presence: true,
        tries: 3,
        overrides: Vec::new(),
        consent: None,
    })
}

fn outcome(intent: Hash) -> Event {
    Event::OpenReleased(OpenReleased {
        credential: "core-db/root".into(),
        generation: 1,
        intents: vec![intent],
        output: "fd".into(),
    })
}
