//! The rules in `udev/` mean what they say: read as udev reads them, and run as polkit runs them.

use std::io::Write;
use std::process::{Command, Stdio};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/udev");
const UDEV: &str = "70-breakglass-yubikey.rules";
const POLKIT: &str = "breakglass-pcscd.rules";

fn text(name: &str) -> String {
    std::fs::read_to_string(format!("{FOLDER}/{name}")).unwrap()
}

/// `KEY{attribute}` or `KEY`, operator, value.
#[derive(Debug, PartialEq)]
struct Token {
    key: String,
    operator: String,
    value: String,
}

/// One line of rules, by the grammar of udev(7).
fn tokens(line: &str) -> Vec<Token> {
    let mut rest = line;
    let mut tokens = Vec::new();
    loop {
        let end = rest.find(['=', '!', '+', '-', ':']).unwrap_or_else(|| panic!("no operator in `{rest}`"));
        let (key, tail) = rest.split_at(end);
        let operator = ["==", "!=", "+=", "-=", ":=", "="].into_iter().find(|o| tail.starts_with(o));
        let operator = operator.unwrap_or_else(|| panic!("no operator in `{tail}`"));
        let value =
            tail[operator.len()..].strip_prefix('"').unwrap_or_else(|| panic!("no quote in `{tail}`"));
        let (value, tail) = value.split_once('"').unwrap_or_else(|| panic!("no end of `{value}`"));
        tokens.push(Token { key: key.into(), operator: operator.into(), value: value.into() });
        if tail.is_empty() {
            return tokens;
        }
        rest = tail.strip_prefix(", ").unwrap_or_else(|| panic!("no comma before `{tail}`"));
    }
}

fn rules() -> Vec<Vec<Token>> {
    text(UDEV).lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(tokens).collect()
}

/// What udev does with a hidraw device of that product: the assignments of every rule that matches.
fn assigned(vendor: &str, product: &str, fido: bool) -> Vec<String> {
    let matches = |token: &Token| {
        let actual = match token.key.as_str() {
            "KERNEL" => return token.value == "hidraw*",
            "SUBSYSTEM" => "hidraw",
            "ATTRS{idVendor}" => vendor,
            "ATTRS{idProduct}" => product,
            "ENV{ID_FIDO_TOKEN}" => ["", "1"][usize::from(fido)],
            other => panic!("a match that this test does not know: {other}"),
        };
        token.value.split('|').any(|value| value == actual)
    };
    let mut found = Vec::new();
    for rule in rules() {
        let (conditions, assignments): (Vec<&Token>, Vec<&Token>) =
            rule.iter().partition(|t| t.operator == "==");
        if conditions.into_iter().all(matches) {
            found.extend(assignments.into_iter().map(|t| format!("{}{}{}", t.key, t.operator, t.value)));
        }
    }
    found
}

#[test]
fn each_fido_device_gets_seat_and_group_once() {
    // Product ids of YubiKeys that have FIDO, as ykman and libfido2 list them.
    for product in ["0113", "0114", "0115", "0116", "0120", "0402", "0403", "0406", "0407"] {
        assert_eq!(
            assigned("1050", product, true),
            ["TAG+=uaccess", "GROUP=breakglass", "MODE=0660"],
            "{product}"
        );
    }
}

#[test]
fn no_keyboard_and_no_other_device_is_given_away() {
    // The OTP keyboard of a key with FIDO and OTP, keys without FIDO, and the same ids of another vendor.
    for product in ["0114", "0116", "0403", "0407", "0110", "0111", "0112", "0401", "0404", "0405"] {
        assert_eq!(assigned("1050", product, false), [""; 0], "{product}");
    }
    assert_eq!(assigned("046d", "0407", true), [""; 0]);
}

#[test]
fn the_file_is_read_after_fido_id_and_before_uaccess_takes_effect() {
    let number: u8 = UDEV[..2].parse().unwrap();
    assert!((61..73).contains(&number));
}

#[test]
fn each_rule_says_above_it_for_which_device() {
    let text = text(UDEV);
    let lines: Vec<&str> = text.lines().collect();
    for pair in lines.windows(2).filter(|pair| pair[1].starts_with("KERNEL")) {
        assert!(pair[0].starts_with("# "), "{}", pair[1]);
    }
    assert_eq!(rules().len(), 5);
}

#[test]
fn udev_itself_accepts_the_rules_where_it_can_be_asked() {
    let verify = Command::new("udevadm")
        .args(["verify", "--resolve-names=never"])
        .arg(format!("{FOLDER}/{UDEV}"))
        .output();
    match verify {
        Ok(output) if !String::from_utf8_lossy(&output.stderr).contains("Unknown command verb") => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        _ => not_checked(
            "udev's own opinion of the rules, because `udevadm verify` (systemd 254) is not there",
        ),
    }
}

#[test]
fn polkit_lets_the_group_in_and_says_nothing_of_others() {
    // Each line: action, groups, verdict.
    let cases = [
        ("org.debian.pcsc-lite.access_pcsc", "breakglass", "yes"),
        ("org.debian.pcsc-lite.access_card", "users breakglass", "yes"),
        ("org.debian.pcsc-lite.access_pcsc", "users", "undefined"),
        ("org.debian.pcsc-lite.access_card", "", "undefined"),
        ("org.freedesktop.login1.reboot", "breakglass", "undefined"),
    ];
    let mut script = String::from(
        "let rule; const polkit = { Result: { YES: 'yes' }, addRule: f => { if (rule) throw 'two rules'; rule = f; } };\n",
    );
    script.push_str(&text(POLKIT));
    for (action, groups, _) in cases {
        script.push_str(&format!(
            "console.log(String(rule({{ id: '{action}' }}, {{ isInGroup: g => '{groups}'.split(' ').includes(g) }})));\n"
        ));
    }
    let node = Command::new("node").arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut node) = node else {
        return not_checked("the polkit rule, because node is not there to run it");
    };
    node.stdin.take().expect("it is piped").write_all(script.as_bytes()).unwrap();
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success());
    let verdicts = String::from_utf8(output.stdout).unwrap();
    assert_eq!(verdicts.lines().collect::<Vec<_>>(), cases.map(|(_, _, verdict)| verdict));
}

/// Straight to the stream, so that the test harness does not keep it back.
fn not_checked(what: &str) {
    std::io::stderr()
        .write_all(format!("not checked: {what}\n").as_bytes())
        .expect("standard error takes a line");
}
