//! The life of a kit with two factors, by the release over the guest's own pcscd, CCID driver and hidraw: what opens,
//! what an opening elsewhere leaves, and what a key and its holder do wrong meanwhile.
//!
//! `core-db/root` is for ada, whose counter moves by one step; `pay-db/root` is for eve, whose counter moves at random.

use std::fs;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::guest::{Answer, Guest};
use crate::page::{block, block_with};
use crate::pcsc::{Pcsc, Settings, tools};
use crate::terminal::at_terminal;

const BOTH_PINS: &str = "pins '4000001 pin 48151623' '4000003 pin 48151624'";

#[test]
fn a_kit_with_two_factors_lives_in_the_guest() {
    let mut guest = Guest::boot();
    guest.ok("readers; new_kit");
    two_keys_are_provisioned_and_sealed_to(&mut guest);
    each_opening_sends_one_pin_and_makes_one_assertion(&mut guest);
    a_key_that_lies_opens_nothing(&mut guest);
    a_touch_is_withheld(&mut guest);
    a_key_is_taken_out_while_it_waits_for_a_touch(&mut guest);
    the_pin_is_wrong_three_times_in_a_row(&mut guest);
    the_page_opens_both_layers_with_stock_tools(&mut guest);
    what_was_opened_elsewhere_shows(&mut guest);
    a_key_that_goes_silent_is_given_up(&mut guest);
}

fn two_keys_are_provisioned_and_sealed_to(guest: &mut Guest) {
    guest.ok("yubikey ada 4000001 5.7.4
         pins '4000001 new-pin 48151623' '4000001 new-puk 97531864' '4000001 pin 48151623'
         bg key provision --serial 4000001 --confirm 4000001
         bg key admit 4000001 --confirm 'found 4000001'");
    assert_eq!(counts(guest, "ada"), Counts { made: 1, asserted: 5, pins: 6 });
    guest.ok("yubikey eve 4000003 5.7.4 --counter random
         pins '4000003 new-pin 48151624' '4000003 new-puk 97531865' '4000003 pin 48151624'
         bg key provision --serial 4000003 --confirm 4000003");
    guest.ok(BOTH_PINS);
    guest.ok("bg key admit 4000003 --with 4000001 --confirm 'admit 4000003'");
    for (serial, profile) in [("4000001", r#""kind":"exact","step":1"#), ("4000003", r#""kind":"monotonic""#)]
    {
        let line = guest.ok(&format!("head -n 1 /home/member/kit/journal/{serial}-*"));
        let claims = line.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let claims = String::from_utf8(claims.expect("a token")).expect("text");
        assert!(claims.contains(profile), "{serial}: {claims}");
    }
    // Sealing needs the FIDO2 side of no key.
    let before = (counts(guest, "ada"), counts(guest, "eve"));
    guest.ok("printf Winter-oyster | bg seal core-db/root --factors piv,fido2 --to 4000001 --with 4000001 \
             --confirm 'seal core-db'
         printf Summer-oyster | bg seal pay-db/root --factors piv,fido2 --to 4000003 --with 4000001 \
             --confirm 'seal pay-db'");
    assert_eq!((counts(guest, "ada"), counts(guest, "eve")), before);
}

/// Both keys are plugged in: the other one is not asked.
fn each_opening_sends_one_pin_and_makes_one_assertion(guest: &mut Guest) {
    for (key, other, credential, secret, moved) in [
        ("ada", "eve", "core-db/root", "Winter-oyster", "counter 6 → 7, as expected"),
        ("eve", "ada", "pay-db/root", "Summer-oyster", "counter "),
    ] {
        let (before, aside) = (counts(guest, key), counts(guest, other));
        let opened = opens(guest, credential, secret);
        assert!(opened.err.contains(&format!("counted and on disk: {moved}")), "{opened}");
        assert!(!opened.err.contains("records verify"), "{opened}");
        let after = Counts { asserted: before.asserted + 1, pins: before.pins + 1, ..before };
        assert_eq!((counts(guest, key), counts(guest, other)), (after, aside), "{opened}");
        assert_eq!(tries(guest, key), 8);
    }
    verifies(guest, 0);
}

fn a_key_that_lies_opens_nothing(guest: &mut Guest) {
    for (lie, code, says) in [
        ("short-data", 3, "answer to GET ASSERTION is malformed"),
        ("wrong-relying-party", 6, "the assertion is for another relying party"),
        ("wrong-credential", 3, "it answers for another credential"),
        ("wrong-counter", 6, "the assertion's signature does not verify"),
        ("bad-signature", 6, "the assertion's signature does not verify"),
        ("unverified", 6, "the assertion was made without a PIN"),
        ("error-0", 3, "answer to GET ASSERTION is malformed"),
    ] {
        let before = counts(guest, "eve").pins;
        guest.ok(&format!("tell eve spoil {lie}"));
        let refused = guest.run("opening pay-db/root");
        stopped(&refused, code, says);
        assert_eq!(counts(guest, "eve").pins, before + 1, "{lie}");
        guest.ok("tell eve honest");
    }
    verifies(guest, 1);
    opens(guest, "pay-db/root", "Summer-oyster");
}

fn a_touch_is_withheld(guest: &mut Guest) {
    let late = guest.run(
        "tell ada touch withhold
         opening core-db/root &
         for _ in 1 2 3; do tell ada wait; tell ada touch late; done
         wait $!",
    );
    stopped(&late, 3, "key 4000001: the key was not touched in time");
    assert_eq!(late.err.matches("4000001 was not touched in time; once more").count(), 2, "{late}");
    let once = guest.run(
        "opening core-db/root &
         tell ada wait
         tell ada touch late
         tell ada wait
         tell ada touch give
         wait $!",
    );
    assert_eq!((once.code, once.out.as_str()), (0, "Winter-oyster"), "{once}");
    assert_eq!(once.err.matches("was not touched in time; once more").count(), 1, "{once}");
    assert!(once.err.contains("as expected"), "what was not touched is not counted: {once}");
}

fn a_key_is_taken_out_while_it_waits_for_a_touch(guest: &mut Guest) {
    let out = guest.run(
        "tell eve touch withhold
         opening pay-db/root &
         tell eve wait
         unplug eve
         wait $!",
    );
    stopped(&out, 3, "key 4000003: the key was taken out during GET ASSERTION");
    guest.ok("tell eve touch give; plug eve");
    opens(guest, "pay-db/root", "Summer-oyster");
    verifies(guest, 1);
}

/// The FIDO2 PIN was changed elsewhere, so that the PIV PIN is not it any more.
fn the_pin_is_wrong_three_times_in_a_row(guest: &mut Guest) {
    let change = "printf '%s\\n' FROM TO TO | fido2-token -C $(node ada)";
    guest.ok(&change.replace("FROM", "48151623").replace("TO", "31415926"));
    let pins = |guest: &mut Guest, fido2: &[&str]| {
        let lines = fido2.iter().map(|pin| format!(" '4000001 fido2-pin {pin}'")).collect::<String>();
        guest.ok(&format!("pins '4000001 pin 48151623'{lines}"));
    };
    let before = counts(guest, "ada");
    pins(guest, &["11111111", "22222222"]);
    let says = "the key takes no FIDO2 PIN until it is taken out and put in again";
    let wrong = guest.run("opening core-db/root");
    stopped(&wrong, 4, says);
    for left in ["7 tries left", "6 tries left", "take the key out, put it in"] {
        assert!(wrong.err.contains(left), "{left}: {wrong}");
    }
    assert_eq!(counts(guest, "ada"), Counts { pins: before.pins + 3, ..before });
    pins(guest, &["31415926"]);
    // The PIV PIN first, as the kit knows no better; blocked is blocked.
    stopped(&guest.run("opening core-db/root"), 4, says);
    assert_eq!(tries(guest, "ada"), 5, "what came after the block is not counted");
    guest.ok("unplug ada; plug ada");
    let opened = opens(guest, "core-db/root", "Winter-oyster");
    assert!(opened.err.contains("that is not the FIDO2 PIN of 4000001; it has 4 tries left"), "{opened}");
    assert!(opened.err.contains("as expected"), "{opened}");
    assert_eq!(tries(guest, "ada"), 8);
    guest.ok(&change.replace("FROM", "31415926").replace("TO", "48151623"));
    guest.ok(BOTH_PINS);
}

/// The recovery page, from the sealed files to the secret, with nothing of ours. The line that asks the FIDO2 side runs in the
/// guest; the others here, the PIV side by the same card behind a pcscd of this machine.
fn the_page_opens_both_layers_with_stock_tools(guest: &mut Guest) {
    let sealed = guest.ok("ls -d /home/member/kit/sealed/core-db/root/1-*");
    let device = guest.ok("node ada");
    let page = block_with("sh fido2", &[("SERIAL=", "4000001"), ("DEVICE=", &device)]);
    let (with_key, without): (Vec<&str>, Vec<&str>) =
        page.lines().partition(|line| line.starts_with("fido2-assert "));
    let [with_key] = with_key[..] else { panic!("one line asks the key:\n{page}") };
    guest.ok(&format!("SEALED={sealed} SERIAL=4000001 DEVICE={device}\necho 48151623 | {with_key}"));
    let folder = tempfile::tempdir().expect("a folder");
    let bring = |guest: &mut Guest, file: &str, name: &str| {
        let bytes = STANDARD.decode(guest.ok(&format!("base64 -w 0 {file}"))).expect("base64");
        fs::write(folder.path().join(name), bytes).expect("written");
    };
    bring(guest, "answer.txt", "answer.txt");
    bring(guest, &format!("{sealed}/4000001-*.age"), "4000001-brought.age");
    fs::write(folder.path().join("envelope.py"), block("python envelope.py")).expect("written");
    let age = tools::debian("age", "age");
    let script = format!(
        "set -euo pipefail; SEALED=.; rage() {{ {} \"$@\"; }}\n{}",
        age.display(),
        without.join("\n")
    );
    let output = Command::new("bash").args(["-c", &script]).current_dir(&folder).output().expect("bash");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let inner = fs::read(folder.path().join("inner-4000001.age")).expect("the inner layer");
    assert!(inner.starts_with(b"age-encryption.org/v1\n-> piv-p256 "), "{}", String::from_utf8_lossy(&inner));

    bring(guest, &format!("{sealed}/payload.age"), "payload.age");
    let cards = folder.path().join("cards");
    fs::create_dir(&cards).expect("a folder");
    bring(guest, "/run/cards/4000001.key", "cards/4000001.key");
    let world =
        Pcsc::with(&Settings { keys_folder: Some(&cards), ..Settings::usual(&[(4_000_001, "5.7.4")]) });
    let script = format!(
        "SEALED=. SERIAL=4000001\n{}{{\n{}}} > opened\n",
        block("sh fido2-inner"),
        block("sh fido2-one")
    );
    let shown = at_terminal(&world, folder.path(), &script, "48151623");
    assert_eq!(shown.matches("Enter PIN for YubiKey with serial 4000001").count(), 1, "{shown}");
    assert_eq!(fs::read(folder.path().join("opened")).expect("opened"), b"Winter-oyster", "{shown}");
}

/// ada was asked by the page, eve is now.
fn what_was_opened_elsewhere_shows(guest: &mut Guest) {
    guest.ok(
        "echo 48151624 | fido2-assert -G -h -v -p -i /home/member/kit/sealed/pay-db/root/1-*/4000003-*.fido2 \
             $(node eve) >/dev/null",
    );
    verifies(guest, 1); // nobody can know before the key is asked again
    let random = opens(guest, "pay-db/root", "Summer-oyster");
    assert!(!random.err.contains("records verify"), "{random}");
    let verified = verifies(guest, 1);
    let possible =
        "note         key 4000003: whether FIDO2 was used outside this kit cannot be told; it is possible";
    assert!(verified.out.contains(possible), "{verified}");
    let exact = opens(guest, "core-db/root", "Winter-oyster");
    assert!(exact.err.contains(": not by the one use that is on record"), "{exact}");
    let verified = guest.run("bg records verify");
    assert_eq!(verified.code, 6, "{verified}");
    let wrong: Vec<&str> = verified.out.lines().filter(|line| line.starts_with("wrong ")).collect();
    let [wrong] = wrong[..] else { panic!("one finding: {verified}") };
    assert!(wrong.contains("key 4000001") && wrong.ends_with("that is certain   [COUNTER-JUMP]"), "{wrong}");
    assert!(wrong.contains("1 time more than the journal says"), "{wrong}");
}

/// One says nothing, the other one that it works, for ever; at the same time, as it takes a minute.
fn a_key_that_goes_silent_is_given_up(guest: &mut Guest) {
    let before = (counts(guest, "ada").pins, counts(guest, "eve").pins);
    guest.ok("cp -a /home/member/kit /home/member/copy");
    let answer = guest.run(
        "tell ada spoil silent
         tell eve spoil keepalive-1
         begun=$(cut -d. -f1 /proc/uptime)
         opening core-db/root >silent 2>&1 & silent=$!
         KIT=copy opening pay-db/root >busy 2>&1 & busy=$!
         code=0; wait $silent || code=$?; echo $code
         code=0; wait $busy || code=$?; echo $code
         echo $(($(cut -d. -f1 /proc/uptime) - begun))
         cat silent busy >&2",
    );
    let said: Vec<u32> = answer.out.lines().filter_map(|line| line.parse().ok()).collect();
    let [3, 3, seconds] = said[..] else { panic!("{answer}") };
    assert!(seconds < 300, "{answer}");
    let limit = "the key did not finish GET ASSERTION within ";
    assert_eq!(answer.err.matches(limit).count(), 2, "{answer}");
    assert!(!answer.err.contains("oyster") && !answer.err.contains("panicked"), "{answer}");
    assert_eq!((counts(guest, "ada").pins, counts(guest, "eve").pins), (before.0 + 1, before.1 + 1));
    guest.ok("for key in ada eve; do tell $key honest; unplug $key; plug $key; done");
    opens(guest, "core-db/root", "Winter-oyster");
    let other = guest.run("KIT=copy opening pay-db/root");
    assert_eq!((other.code, other.out.as_str()), (0, "Summer-oyster"), "{other}");
}

/// What a key was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counts {
    made: u32,
    asserted: u32,
    pins: u32,
}

fn counts(guest: &mut Guest, key: &str) -> Counts {
    let said = guest.ok(&format!("tell {key} counts"));
    let count = |name: &str| -> u32 {
        let of = said.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        of.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{name}: {said}"))
    };
    Counts { made: count("make"), asserted: count("assert"), pins: count("pin-tries") }
}

/// Tries of the FIDO2 PIN that are left, as libfido2 says it.
fn tries(guest: &mut Guest, key: &str) -> u32 {
    let said = guest.ok(&format!("fido2-token -I $(node {key}) | grep 'pin retries'"));
    said.strip_prefix("pin retries: ").and_then(|tries| tries.parse().ok()).expect("a number")
}

fn opens(guest: &mut Guest, credential: &str, secret: &str) -> Answer {
    let opened = guest.run(&format!("opening {credential}"));
    assert_eq!((opened.code, opened.out.as_str()), (0, secret), "{opened}");
    opened
}

fn stopped(answer: &Answer, code: i32, says: &str) {
    assert_eq!((answer.code, answer.out.as_str()), (code, ""), "{answer}");
    assert!(answer.err.contains(says) && !answer.err.contains("panicked"), "{says}: {answer}");
}

/// 0 for a journal of which nothing is due, 1 for one with openings that stopped; nothing is wrong with either.
fn verifies(guest: &mut Guest, code: i32) -> Answer {
    let verified = guest.run("bg records verify");
    assert_eq!(verified.code, code, "{verified}");
    assert!(!verified.out.contains("wrong "), "{verified}");
    verified
}
