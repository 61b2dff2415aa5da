//! Killed at any moment, and begun again: the same ledger, nothing twice, nothing missing.

use std::collections::HashSet;
use std::process::Stdio;
use std::time::Duration;

use crate::site::{Site, said, wait_for};

/// Moments that differ from run to run, spread over so many milliseconds.
fn moments(count: usize, over: u64) -> Vec<Duration> {
    (0..count)
        .map(|_| {
            let mut random = [0; 8];
            getrandom::fill(&mut random).expect("randomness");
            Duration::from_micros(u64::from_le_bytes(random) % (over * 1000))
        })
        .collect()
}

#[test]
fn a_push_is_killed_again_and_again() {
    let site = Site::new(150);
    let receiver = site.receiver();
    for moment in moments(12, 500) {
        let mut pushing = site
            .push_command(&receiver.url, &[])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        std::thread::sleep(moment);
        pushing.kill().expect("it can be killed");
        pushing.wait().expect("it ends");
    }
    let pushed = site.push(&receiver.url, &["--json"]);
    assert_eq!(pushed.status.code(), Some(0), "{}", said(&pushed));
    let told: serde_json::Value = serde_json::from_slice(&pushed.stdout).unwrap();
    assert_eq!(told["accepted"].as_u64().unwrap() + told["before"].as_u64().unwrap(), 304);
    drop(receiver);
    site.holds_all_once();
}

#[test]
fn a_receiver_is_killed_again_and_again() {
    let site = Site::new(150);
    let mut receiver = site.receiver();
    let (to, address) = (receiver.url.clone(), receiver.address());
    let pushing =
        site.push_command(&to, &["--json"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    for moment in moments(6, 300) {
        std::thread::sleep(moment);
        receiver.kill();
        receiver = site.receiver_at(&address, &[]);
    }
    let output = pushing.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    drop(receiver);
    site.holds_all_once();
}

#[test]
fn what_was_answered_with_202_is_there_after_the_kill() {
    let site = Site::new(150);
    for moment in moments(5, 700) {
        let receiver = site.receiver();
        // Each port is another receiver, so each has its state.
        let state = format!("state-{}", receiver.address());
        let mut pushing = site
            .push_with_state(&state, &receiver.url, &[])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        wait_for("the state", || site.path(&state).exists());
        std::thread::sleep(moment);
        receiver.kill();
        pushing.kill().expect("it can be killed");
        pushing.wait().expect("it ends");
        let arrived: HashSet<String> = site.arrived().iter().map(ToString::to_string).collect();
        let accepted: Vec<String> = site
            .read(&state)
            .lines()
            .filter_map(|line| {
                line.strip_prefix(r#"{"accepted":""#)?.strip_suffix(r#""}"#).map(str::to_owned)
            })
            .collect();
        for hash in accepted {
            assert!(arrived.contains(&hash), "{hash} was accepted and is gone");
        }
    }
}
