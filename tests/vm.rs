//! Real hidraw, real udev, real USB: a QEMU guest with Debian's kernel, security keys with a CTAP 2.1 authenticator on
//! its USB, and programs of others that say whether those are security keys at all.

#[path = "vm/guest.rs"]
mod guest;
#[path = "vm/life.rs"]
mod life;
#[path = "recovery/page.rs"]
mod page;
#[path = "support/pcsc.rs"]
mod pcsc;
#[path = "vm/stock.rs"]
mod stock;
#[path = "recovery/terminal.rs"]
mod terminal;

use breakglass::assertion;

use guest::Guest;

const PIN: &str = "48151623";

#[test]
fn what_libfido2_finds_in_the_guest_is_a_security_key_and_udev_lets_the_right_people_at_it() {
    let mut guest = Guest::boot();
    guest.ok("key alice --product 0402");
    the_group_of_our_rules_opens_the_key(&mut guest);
    stock_tools_and_ours_agree_on_assertions(&mut guest);
    a_pin_is_wrong_three_times_in_a_row(&mut guest);
    without_a_touch_nothing_is_signed(&mut guest);
    guest.ok("tell alice end");
    another_key_counts_in_steps_of_its_own(&mut guest);
}

fn the_group_of_our_rules_opens_the_key(guest: &mut Guest) {
    let listed = guest.ok("fido2-token -L");
    assert_eq!(listed, "/dev/hidraw0: vendor=0x1050, product=0x0402 (Yubico YubiKey FIDO)");
    let said = guest.ok("as member 'id -nG; fido2-token -I /dev/hidraw0'");
    assert!(said.starts_with("member breakglass\n"), "{said}");
    assert!(said.contains("version strings: U2F_V2, FIDO_2_0, FIDO_2_1\n"), "{said}");
    assert!(said.contains("extension strings: credProtect, hmac-secret"), "{said}");
    let refused = guest.run("as stranger 'fido2-token -I /dev/hidraw0'");
    assert_ne!(refused.code, 0, "{refused}");
    assert_eq!(guest.ok("stat -c '%a %G' /dev/hidraw0"), "660 breakglass");
}

fn stock_tools_and_ours_agree_on_assertions(guest: &mut Guest) {
    stock::set_pin(guest, "alice", PIN);
    let credential = stock::make(guest, "alice", PIN);
    let first = stock::assert(guest, "alice", PIN, &credential, b"first", 1);
    let again = stock::assert(guest, "alice", PIN, &credential, b"again", 1);
    let other = stock::assert(guest, "alice", PIN, &credential, b"other", 2);
    assert_eq!(first.secret.len(), 32);
    assert_eq!(first.secret, again.secret, "one salt, one secret");
    assert_ne!(first.secret, other.secret, "another salt, another secret");
    let count = |challenge: &[u8], of: &stock::Assertion| {
        assertion::verify(&credential.public, challenge, &of.data, &of.signature).expect("an assertion")
    };
    let begun = count(b"first", &first);
    assert_eq!((count(b"again", &again), count(b"other", &other)), (begun + 1, begun + 2));

    guest.ok("unplug alice; plug alice");
    let later = stock::assert(guest, "alice", PIN, &credential, b"later", 1);
    assert_eq!(later.secret, first.secret);
    assert_eq!(count(b"later", &later), begun + 3, "the counter and the PIN outlive the power");
}

fn a_pin_is_wrong_three_times_in_a_row(guest: &mut Guest) {
    guest.ok("printf '%s\\n' $(head -c 32 /dev/zero | base64) some.example $(head -c 64 /dev/zero | base64 -w 0) >wish");
    let tried = |guest: &mut Guest, pin: &str| {
        let answer = guest.run(&format!("echo {pin} | fido2-assert -G -v -i wish $(node alice)"));
        assert_ne!(answer.code, 0, "{answer}");
        answer.err
    };
    let retries = |guest: &mut Guest| guest.ok("fido2-token -I $(node alice) | grep 'pin retries'");
    for left in ["7", "6"] {
        let said = tried(guest, "11111111");
        assert!(said.contains("FIDO_ERR_PIN_INVALID"), "{said}");
        assert_eq!(retries(guest), format!("pin retries: {left}"));
    }
    let said = tried(guest, "11111111");
    assert!(said.contains("FIDO_ERR_PIN_AUTH_BLOCKED"), "{said}");
    let said = tried(guest, PIN);
    assert!(said.contains("FIDO_ERR_PIN_AUTH_BLOCKED"), "the right one, too, until the key was out: {said}");
    guest.ok("unplug alice; plug alice");
    let said = tried(guest, PIN);
    assert!(said.contains("FIDO_ERR_NO_CREDENTIALS"), "{said}");
    assert_eq!(retries(guest), "pin retries: 8");
}

fn without_a_touch_nothing_is_signed(guest: &mut Guest) {
    let credential = stock::make(guest, "alice", PIN);
    let before = stock::assert(guest, "alice", PIN, &credential, b"before", 1);
    let said = guest.ok("tell alice touch withhold
         echo 48151623 | fido2-assert -G -h -p -v -i wish $(node alice) >made 2>said &
         tell alice wait
         unplug alice
         ! wait $!
         tell alice touch give
         plug alice
         cat said");
    assert!(said.contains("FIDO_ERR_"), "{said}");
    let after = stock::assert(guest, "alice", PIN, &credential, b"after", 1);
    let counter = |of: &stock::Assertion| assertion::counter(&of.data).expect("a counter");
    assert_eq!(counter(&after), counter(&before) + 1, "what was not touched is not counted");
}

fn another_key_counts_in_steps_of_its_own(guest: &mut Guest) {
    guest.ok("key bob --product 0407 --counter random");
    let nodes = guest.ok("stat -c '%a %G' /dev/hidraw*");
    let mut nodes: Vec<&str> = nodes.lines().collect();
    nodes.sort_unstable();
    assert_eq!(nodes, ["600 root", "660 breakglass"], "the keyboard of the same key stays root's");
    stock::set_pin(guest, "bob", PIN);
    let credential = stock::make(guest, "bob", PIN);
    let counters: Vec<u32> = (1..=5)
        .map(|salt| {
            let made = stock::assert(guest, "bob", PIN, &credential, b"again", salt);
            assertion::verify(&credential.public, b"again", &made.data, &made.signature)
                .expect("an assertion")
        })
        .collect();
    let steps: Vec<u32> = counters.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.iter().all(|step| (1..=256).contains(step)), "{counters:?}");
    assert!(
        steps.iter().any(|step| *step != 1),
        "{counters:?}: once in four thousand million runs by chance"
    );
}

#[test]
fn the_release_finds_both_sides_of_each_yubikey_in_the_guest() {
    let mut guest = Guest::boot();
    guest.ok("readers; yubikey ada 4000001 5.7.4; yubikey bob 4000002 5.4.3 --counter random");
    the_two_sides_of_a_key_are_told_by_their_usb_device(&mut guest);
    who_may_not_open_a_key_is_told_so(&mut guest);
    a_key_that_is_out_is_not_there(&mut guest);
}

fn the_two_sides_of_a_key_are_told_by_their_usb_device(guest: &mut Guest) {
    let said = guest.ok("as member 'breakglass doctor'");
    for fine in [
        "/dev/hidraw0 (Yubico YubiKey FIDO+CCID): the FIDO2 side of key 4000001",
        "/dev/hidraw1 (Yubico YubiKey FIDO+CCID): the FIDO2 side of key 4000002",
        "Yubico YubiKey FIDO+CCID 00 00: key 4000001",
        "Yubico YubiKey FIDO+CCID 01 00: key 4000002",
        "the udev rules are installed",
    ] {
        assert!(said.lines().any(|line| line == format!("fine         {fine}")), "{fine}:\n{said}");
    }
    assert!(!said.contains("may not open"), "{said}");
}

fn who_may_not_open_a_key_is_told_so(guest: &mut Guest) {
    let answer = guest.run("as stranger 'breakglass doctor'");
    assert_eq!(answer.code, 1, "{answer}");
    let refused = "due          this user may not open /dev/hidraw0 (Yubico YubiKey FIDO+CCID)";
    assert!(answer.out.lines().any(|line| line == refused), "{answer}");
}

fn a_key_that_is_out_is_not_there(guest: &mut Guest) {
    guest.ok("unplug ada");
    let said = guest.ok("as member 'breakglass doctor'");
    assert!(!said.contains("4000001") && !said.contains("hidraw0"), "{said}");
    assert!(said.contains("the FIDO2 side of key 4000002"), "{said}");
    guest.ok("plug ada; as member 'breakglass doctor' | grep 'FIDO2 side of key 4000001'");
}

#[test]
fn the_release_measures_a_counter_and_sees_through_lies() {
    let mut guest = Guest::boot();
    guest.ok("readers; yubikey ada 4000001 5.7.4; new_kit");
    stock::set_pin(&mut guest, "ada", PIN);
    guest.ok("echo '4000001 fido2-pin 48151623' >/home/member/pins");
    the_step_of_a_counter_is_measured(&mut guest);
    a_key_that_lies_is_not_believed(&mut guest);
}

fn the_step_of_a_counter_is_measured(guest: &mut Guest) {
    let said = guest.ok("bg key calibrate 4000001 --times 3");
    assert!(said.contains("profile   exact: by 1 each time"), "{said}");
}

/// Nothing but a refusal, and no more PINs than one for the credential and one for the assertion.
fn a_key_that_lies_is_not_believed(guest: &mut Guest) {
    let pins_sent = |guest: &mut Guest| -> u32 {
        let counts = guest.ok("tell ada counts");
        let tries = counts.split(' ').find_map(|count| count.strip_prefix("pin-tries="));
        tries.and_then(|tries| tries.parse().ok()).expect("a count")
    };
    for lie in [
        "short-data",
        "wrong-relying-party",
        "wrong-credential",
        "wrong-counter",
        "bad-signature",
        "unverified",
        "bare",
        "error-0",
    ] {
        let before = pins_sent(guest);
        let answer = guest.run(&format!("tell ada spoil {lie}; bg key calibrate 4000001 --times 2"));
        assert!((1..=7).contains(&answer.code) && answer.code != 2, "{lie}: {answer}");
        assert!(answer.out.is_empty() && !answer.err.contains("panicked"), "{lie}: {answer}");
        assert_eq!(pins_sent(guest) - before, 2, "{lie}: {answer}");
        guest.ok("tell ada honest");
    }
}
