//! A card that answers something else than it was asked, at each command of an opening and of the verbs that look: an
//! error in words or the right result, in bounded time, and no PIN after a proof that failed.
//!
//! Every kind of bad answer at every command is tried in process (`device/piv/hostile.rs`); here each command meets some
//! of them through pcscd and the program.

use std::time::{Duration, Instant};

use crate::pcsc::Settings;
use crate::real::*;

/// No run of these waits for a card that is silent.
const SOON: Duration = Duration::from_secs(60);

/// Bad answers to one command, as orders to the virtual key.
fn spoilt(n: usize) -> Vec<String> {
    let long = "53".repeat(5_000);
    vec![
        format!("answer-from {n} 6100"),
        format!("answer-from {n} {}61FF", "53".repeat(255)),
        format!("answer-at {n} {long}9000"),
        format!("append-at {n} 9000"),
        format!("answer-at {n} 9000"),
        format!("truncate-at {n} 1"),
        format!("truncate-at {n} 5"),
        format!("answer-at {n} 6F00"),
        format!("answer-from {n} 6C00"),
        format!("answer-at {n} 7C0482025A5A9000"),
        format!("answer-at {n} 53820FFF009000"),
        format!("flip-at {n} 0 255"),
        format!("flip-at {n} 9 1"),
    ]
}

/// Headers of the commands that a run without faults sends.
fn commands_of(life: &Life, words: &[&str]) -> Vec<String> {
    life.world.order("4000001 heard");
    life.run(words, &[pin_line(ONE)]).done();
    life.world.order("4000001 heard").split(' ').map(str::to_owned).collect()
}

/// Runs with one bad answer; what was said, and the headers of what the key heard.
fn run_spoilt(life: &Life, words: &[&str], fault: &str) -> (Said, Vec<String>) {
    life.world.order("4000001 heard");
    life.world.order(&format!("4000001 {fault}"));
    let begun = Instant::now();
    let said = life.run(words, &[pin_line(ONE)]);
    let took = begun.elapsed();
    life.world.order("4000001 clear");
    let short = &fault[..fault.len().min(40)];
    assert!(took < SOON, "{short} took {took:?}\n{said}");
    assert!(matches!(said.code, Some(0..=7)), "{short}: {said}");
    assert_eq!(life.world.tries(ONE), (3, 3), "{short} spent a try\n{said}");
    let heard = life.world.order("4000001 heard").split(' ').map(str::to_owned).collect();
    (said, heard)
}

const PROOF: &str = "0087119E";
const VERIFY: &str = "00200080";

#[test]
fn bad_answers_end_an_opening_in_words_and_get_no_pin() {
    let life = Life::with(&Settings::usual(&[KEYS[0]]));
    let words = opening("core-fw/admin");
    let good = commands_of(&life, &words);
    let proof = good.iter().position(|header| header == PROOF).expect("a proof") + 1;
    let verify = good.iter().position(|header| header == VERIFY).expect("a PIN") + 1;
    assert!(proof < verify && good.len() > 20, "{good:?}");
    let mut refused = 0;
    for n in 1..=good.len() {
        let faults = spoilt(n);
        // The proof meets all of them, each other command some.
        let some = [2 * n % faults.len(), (2 * n + 1) % faults.len()];
        for (index, fault) in faults.iter().enumerate() {
            if n != proof && !some.contains(&index) {
                continue;
            }
            let (said, heard) = run_spoilt(&life, &words, fault);
            let short = &fault[..fault.len().min(40)];
            match said.code {
                Some(0) => assert!(said.stdout == ADMIN_SECRET, "{short}: {said}"),
                _ => {
                    refused += 1;
                    assert!(said.stdout.is_empty(), "{short}: {said}");
                }
            }
            let pin_after = |from: usize| heard[from..].iter().position(|header| header == VERIFY);
            if n == proof {
                assert_ne!(said.code, Some(0), "{short}: {said}");
                assert_eq!(pin_after(0), None, "{short}: a PIN was sent\n{said}");
            } else if let Some(pin) = pin_after(0) {
                assert!(heard[..pin].iter().any(|header| header == PROOF), "{short}: {heard:?}");
            }
        }
    }
    assert!(refused > good.len(), "{refused} runs were refused");
    life.open("core-fw/admin", &[ONE], &[]).gave(ADMIN_SECRET);
    let verified = life.run(&["records", "verify"], &[]).text();
    assert!(verified.contains("intact: "), "{verified}");
}

#[test]
fn bad_answers_end_a_look_in_words() {
    let life = Life::with(&Settings::usual(&[KEYS[0]]));
    for verb in [&["key", "inspect", "4000001"][..], &["inventory"]] {
        let good = commands_of(&life, verb);
        let proof = good.iter().position(|header| header == PROOF).expect("a proof") + 1;
        for n in 1..=good.len() {
            let faults = spoilt(n);
            let fault = &faults[if n == proof { faults.len() - 1 } else { 3 * n % faults.len() }];
            let (said, heard) = run_spoilt(&life, verb, fault);
            assert!(!heard.iter().any(|header| header == VERIFY), "{fault}: {heard:?}");
            if n == proof {
                assert_eq!(said.code, Some(6), "{fault}: {said}");
                assert!(said.text().contains("it cannot prove it; it may have been swapped"), "{said}");
            }
        }
        life.run(verb, &[]).done();
    }
}

/// 5 s for each command that needs nobody.
#[test]
fn a_card_that_never_answers_is_given_up() {
    let life = Life::with(&Settings::usual(&[KEYS[0]]));
    let words = opening("core-fw/admin");
    let good = commands_of(&life, &words);
    let at = |header: &str| good.iter().position(|found| found == header).expect(header) + 1;
    for (n, command) in [
        (1, "SELECT of the management application"),
        (at(PROOF), "proof of presence with 9E"),
        (at(VERIFY), "VERIFY"),
    ] {
        life.world.order(&format!("4000001 silent-at {n}"));
        let begun = Instant::now();
        let said = life.run(&words, &[pin_line(ONE)]).is(3, &[]);
        let took = begun.elapsed();
        assert!(took > Duration::from_secs(5) && took < Duration::from_secs(60), "{took:?}\n{said}");
        let silent = format!("the key did not answer {command} within 5 s.");
        said.says(&[&silent, "take it out and use another key; keep this one for examination"]);
        life.world.order("4000001 clear");
        life.world.remove(ONE);
        life.world.insert(ONE);
        // The silent key has heard the right PIN.
        assert_eq!(life.world.tries(ONE), (3, 3));
    }
    life.open("core-fw/admin", &[ONE], &[]).gave(ADMIN_SECRET);
}
