//! What the second factor costs an opening: requests on the way to the key, and touches, counted on practice keys.
//!
//! `cargo bench --bench two_factors`. A touch takes one second of a clock that nothing else moves, so that the seconds are the
//! touches. Beside PIV there is one touch for each key and none besides; the floor of requests is counted from CTAP.

#![allow(clippy::print_stdout, reason = "a benchmark prints its table")]

#[path = "../tests/support/practice.rs"]
#[allow(dead_code)]
mod practice;

use breakglass::attestation::Serial;
use breakglass::device::practice::{PracticeReaders, Surroundings, Touch};
use practice::{Hand, PIN, PracticeKit, done, keys_of, open, wish};

/// Milliseconds that a touch takes.
const TOUCH: u64 = 1_000;

/// For each key at least: what it is and can do, the tries left, two key agreements and the PIN token, the assertion.
const FLOOR: u64 = 6;

#[derive(Clone, Copy)]
struct Cost {
    commands: u64,
    requests: u64,
    touches: u64,
    pins: usize,
}

fn main() {
    println!(
        "{:<26} {:>12} {:>13} {:>6} {:>8} {:>5}",
        "", "PIV commands", "CTAP requests", "floor", "touches", "PINs"
    );
    for (keys, only) in [("1 key", &[23112][..]), ("2 of 3", &[23112, 30877])] {
        let piv = opening(only, "piv");
        let both = opening(only, "piv,fido2");
        let count = only.len() as u64;
        row(&format!("{keys}, PIV"), piv, 0);
        row(&format!("{keys}, PIV and FIDO2"), both, FLOOR * count);
        println!(
            "{keys}: FIDO2 adds {} CTAP requests, {:.2} times the floor, {} PIV commands to record what was asserted, and {} of the touches\n",
            both.requests,
            both.requests as f64 / (FLOOR * count) as f64,
            both.commands - piv.commands,
            both.touches - piv.touches
        );
        assert_eq!(both.touches, piv.touches + count, "one touch for FIDO2 with each key, none besides");
        assert_eq!(both.pins, piv.pins, "the PIN is typed once");
    }
}

fn row(what: &str, cost: Cost, floor: u64) {
    let Cost { commands, requests, touches, pins } = cost;
    println!("{what:<26} {commands:>12} {requests:>13} {floor:>6} {touches:>8} {pins:>5}");
}

fn opening(only: &[u32], factors: &str) -> Cost {
    let kit = PracticeKit::new();
    let pin = format!("23112 pin {PIN}");
    let k = only.len().to_string();
    let seal = ["seal", "bench/one", "--generate", "-k", &k, "--factors", factors, "--with", "23112"];
    done(&kit.run(&[&seal[..], &["--confirm", "seal bench"]].concat(), &[&pin]));
    let (around, _) = Surroundings::seeded(1);
    let mut readers = PracticeReaders::new(&keys_of(kit.path()), around.clone());
    let keys: Vec<_> = only.iter().map(|serial| readers.key(Serial(*serial)).expect("a key")).collect();
    for key in &keys {
        key.set_touch(Touch::Given { after_ms: TOUCH }).expect("touched");
        key.reset_counters();
    }
    let mut hand = Hand::knowing();
    let begun = around.milliseconds();
    open(&kit, &mut readers, &mut hand, wish("bench/one", only)).expect("opened");
    let touches = (around.milliseconds() - begun) / TOUCH;
    let counted: Vec<_> = keys.iter().map(|key| key.counters()).collect();
    Cost {
        commands: counted.iter().map(|counters| counters.commands).sum(),
        requests: counted.iter().map(|counters| counters.fido2_requests).sum(),
        touches,
        pins: hand.asked.len(),
    }
}
