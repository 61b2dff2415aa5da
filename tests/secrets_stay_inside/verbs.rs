//! Every verb once, under strace.

use crate::canary;
use crate::pcsc::Settings;
use crate::real::*;
use crate::trace::{PLACES, Traced, write_input};

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/attestation");

#[test]
fn no_verb_lets_anything_out_or_opens_a_way_out() {
    let life = Life::blank(&Settings::usual(&KEYS));
    for place in PLACES {
        std::fs::create_dir(life.path(place)).expect("a folder");
    }
    let traced = |words: &[&str], pins: &[String], stdin: &[u8]| {
        let traced = Traced::run(&life, words, pins, stdin);
        traced.keeps_inside(&life, None);
        traced
    };
    let quiet = |code: i32, words: &[&str]| {
        let looked = traced(words, &[], b"");
        assert_eq!(looked.said.code, Some(code), "{}", looked.said);
    };
    let signed = |words: &[&str], pins: &[String], stdin: &[u8]| {
        let signed = traced(words, pins, stdin);
        assert_eq!(signed.said.code, Some(0), "{}", signed.said);
        assert!(signed.carrying("PIN") > 0 && signed.sockets() > 0, "the trace shows it: {}", signed.said);
        signed
    };

    quiet(0, &["init", "--name", "DC1 emergency kit"]);
    complete(&life.kit(), &life.world);
    quiet(0, &["policy", "check"]);
    for (serial, words) in [(ONE, &[][..]), (TWO, &OLD_FIRMWARE), (THREE, &[])] {
        let name = serial.to_string();
        let new = [format!("{serial} new-pin {}", pin(serial)), format!("{serial} new-puk {}", puk(serial))];
        let words = [&["key", "provision", "--serial", &name, "--confirm", &name], words].concat();
        assert!(signed(&words, &new, b"").carrying("PUK") > 0);
    }
    let admit = |serial: &str, with: &[&str], word: &str, pins: &[String]| {
        signed(&[&["key", "admit", serial, "--confirm", word], with].concat(), pins, b"");
    };
    admit("4000001", &[], "found 4000001", &[pin_line(ONE)]);
    admit("4000002", &["--with", "4000001"], "admit 4000002", &[pin_line(ONE)]);
    admit("4000003", &["--with", "4000001"], "admit 4000003", &[pin_line(ONE)]);
    admit("4000003", &["--with", "4000002"], "admit 4000003", &[pin_line(TWO)]);

    let file = write_input(&life, "secret.txt", ADMIN_SECRET);
    let from = file.display().to_string();
    let [root, admin] = Life::seal_words(&from);
    assert_eq!(signed(&root, &[pin_line(ONE)], ROOT_SECRET).carrying("secret from stdin"), 0);
    signed(&admin, &[pin_line(ONE)], b"");
    std::fs::remove_file(file).expect("gone");

    // A wrong PIN and a wrong PUK are secrets as well: mostly the right ones with one slip.
    let slip = pin(ONE).replace('1', "2");
    let wrong = traced(
        &[&opening("core-fw/admin")[..], &["--key", "4000001"]].concat(),
        &[format!("{ONE} pin {slip}")],
        b"",
    );
    assert_eq!(wrong.said.code, Some(4), "{}", wrong.said);
    let unblock = ["key", "pin", "4000001", "--what", "unblock"];
    let lines = [format!("{ONE} puk {}", puk(TWO)), format!("{ONE} new-pin {slip}")];
    assert_eq!(traced(&unblock, &lines, b"").said.code, Some(4));
    signed(&["key", "pin", "4000001"], &[pin_line(ONE), format!("{ONE} new-pin {slip}")], b"");
    let lines = [format!("{ONE} puk {}", puk(ONE)), format!("{ONE} new-pin {}", pin(ONE))];
    signed(&unblock, &lines, b"");

    let open = |credential: &str, keys: &[u32]| {
        let pins: Vec<String> = keys.iter().map(|serial| pin_line(*serial)).collect();
        let opened = Traced::run(&life, &opening(credential), &pins, b"");
        opened.keeps_inside(&life, Some("1<pipe:"));
        opened
    };
    let opened = open("core-db/root", &[ONE, TWO]);
    assert_eq!(opened.carrying("secret from stdin"), 1, "{}", opened.said);
    opened.said.gave(ROOT_SECRET);
    open("core-fw/admin", &[ONE]).said.gave(ADMIN_SECRET);
    to_a_descriptor(&life);

    signed(
        &["rotate", "core-fw/admin", "--generate", "--with", "4000001", "--confirm", "seal core-fw"],
        &[pin_line(ONE)],
        b"",
    );
    signed(
        &[
            "rotate",
            "core-fw/admin",
            "--confirm-pending",
            "--with",
            "4000001",
            "--confirm",
            "confirm core-fw",
        ],
        &[pin_line(ONE)],
        b"",
    );
    let toml = life.kit().join("kit.toml");
    let text = std::fs::read_to_string(&toml).expect("kit.toml") + "\n# edited\n";
    std::fs::write(toml, text).expect("written");
    signed(&["policy", "adopt", "--with", "4000001", "--confirm", "adopt policy"], &[pin_line(ONE)], b"");
    let retire =
        ["key", "retire", "4000003", "--why", "lost", "--with", "4000001", "--confirm", "retire 4000003"];
    signed(&retire, &[pin_line(ONE)], b"");
    let export = life.path("export").display().to_string();
    signed(&["records", "export", &export, "--with", "4000001"], &[pin_line(ONE)], b"");

    let copy_path = life.path("copy");
    copy(&life.kit(), &copy_path);
    let copy_path = copy_path.display().to_string();
    for (code, words) in [
        (0, &["key", "list"][..]),
        (0, &["key", "inspect", "4000001"]),
        (0, &["inventory"]),
        (1, &["coverage"]),
        (1, &["status"]),
        (1, &["doctor"]),
        (0, &["records", "list"]),
        (0, &["records", "verify"]),
        (0, &["records", "export", "--openssl", "3", &export]),
        (0, &["kit", "merge", &copy_path]),
    ] {
        quiet(code, words);
    }
    let (leaf, device, root) =
        (format!("{VECTORS}/signing.pem"), format!("{VECTORS}/device.pem"), format!("{VECTORS}/root.pem"));
    quiet(0, &["attestation", &leaf, &device, "--root", &root]);
    let rehearsal = life.path("rehearsal").display().to_string();
    quiet(0, &["--kit", &rehearsal, "init", "--practice"]);
    quiet(0, &["--kit", &rehearsal, "practice", "new", "--serial", "77"]);
    quiet(1, &["--kit", &rehearsal, "practice", "use-elsewhere", "77"]);

    for folder in ["kit", "export", "copy", "home", "tmp", "work"] {
        canary::none_below(&life.path(folder));
    }
}

/// `--fd 9`: the secret goes there, behind what is in that file, and stdout stays empty.
fn to_a_descriptor(life: &Life) {
    let out = life.path("handed-out");
    let out_name = out.display().to_string();
    std::fs::write(&out, "before ").expect("written");
    let redirect = format!("exec \"$@\" 9>>'{out_name}'");
    let words = [&opening("core-fw/admin")[..], &["--fd", "9"]].concat();
    let (lines, number) = pin_pipe(&[pin_line(ONE)]);
    let number = number.to_string();
    let programs = ["/bin/sh", "-c", &redirect, "sh", PROGRAM];
    let command = life.command_by(&programs, &[&["--pin-fd", &number], &words[..]].concat());
    let output = start(command, b"").wait_with_output().expect("it ends");
    drop(lines);
    let said = Said::new(&words, output).gave(b"");
    assert!(canary::found_in(said.stderr.as_bytes()).is_empty(), "{said}");
    assert_eq!(std::fs::read(&out).expect("handed out"), [b"before ", ADMIN_SECRET].concat());
    std::fs::remove_file(out).expect("gone");
}
