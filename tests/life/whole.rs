//! From blank keys to the auditor's bundle, and everything that people do in between.

use serde_json::Value;

use crate::pcsc::{Settings, tools};
use crate::real::*;
use crate::verifiers;

#[test]
fn a_kit_from_blank_keys_to_the_bundle() {
    let life = Life::blank(&Settings::usual(&KEYS));
    founded_and_admitted(&life);
    sealed(&life);
    drilled(&life);
    opened_with_every_pair(&life);
    ykman_reports_what_we_report(&life);
    rotated(&life);
    pins_changed(&life);
    policy_adopted(&life);
    retired(&life);
    exported_and_verified(&life);
}

fn founded_and_admitted(life: &Life) {
    life.run(&["init", "--name", "DC1 emergency kit"], &[]).done();
    complete(&life.kit(), &life.world);
    provision(life, ONE, &[]).done().says(&[
        "found     YubiKey 5C NFC, serial 4000001, firmware 5.7.4, blank",
        "4000001 is ready.",
        "found the kit with it:  breakglass key admit 4000001",
    ]);
    provision(life, TWO, &[]).refused(
        1,
        &[
            "key 4000002 with firmware 5.4.3 is refused by YSA-2024-03: firmware before 5.7 leaks ECDSA keys to whoever holds the key and a laboratory (EUCLEAK, CVE-2024-45678).",
            "nothing was changed.",
            "use a key with later firmware, or go on with a reason on record:  --override YSA-2024-03=\"why\"",
        ],
    );
    provision(life, TWO, &OLD_FIRMWARE).done().says(&[
        "firmware 5.4.3, blank",
        "accepted  YSA-2024-03: kept in a safe, P-256 only",
        "is ready.",
    ]);
    admit(life, ONE, ONE).done().says(&["quorum 2", "Yubico's, and the private one", "founded"]);
    admit(life, TWO, ONE).done().says(&["4000002 belongs to the kit now."]);
    provision(life, THREE, &[]).done().says(&["it is not part of the kit until 2 keys have admitted it"]);
    admit(life, THREE, ONE).is(
        0,
        &["signed by 1 of 2 keys. it takes effect when 1 more signs:  breakglass key admit 4000003 --with SERIAL"],
    );
    admit(life, THREE, ONE).refused(
        1,
        &[
            "key 4000001 has signed this already; 1 of 2 have.",
            "nothing was changed.",
            "let another key sign:  breakglass key admit 4000003 --with SERIAL",
        ],
    );
    admit(life, THREE, TWO).done().says(&["4000003 belongs to the kit now.", "safe B, bag 0102"]);
    let records = records(life);
    let enrolled = records.iter().find(|record| record["serial"] == TWO).expect("its enrolment");
    let overridden = &enrolled["facts"]["overrides"][0];
    assert_eq!(overridden["rule"], "YSA-2024-03", "{enrolled:#}");
    assert_eq!(overridden["why"], "kept in a safe, P-256 only");
}

/// Every record in the order of the list.
fn records(life: &Life) -> Vec<Value> {
    let listed = life.run(&["records", "list", "--json"], &[]).done().json();
    listed["records"].as_array().expect("records").clone()
}

fn sealed(life: &Life) {
    let seal = |words: &[&str], stdin: &[u8]| {
        let words = [&["seal"], words, &["--with", "4000001", "--user", "root"]].concat();
        life.run_with(&words, &[pin_line(ONE)], stdin).done()
    };
    seal(&["core-db/root", "-k", "2", "--confirm", "seal core-db"], ROOT_SECRET)
        .says(&["any 2 of 4000001, 4000002, 4000003", "every one of the 3 ways to open it"]);
    let file = life.path("secret.txt");
    std::fs::write(&file, ADMIN_SECRET).expect("written");
    let from = file.display().to_string();
    seal(&["core-fw/admin", "--from", &from, "--confirm", "seal core-fw"], b"").says(&["any 1 of"]);
    let labels = life.path("labels.txt");
    let to = labels.display().to_string();
    let generated = ["core-sw/console", "--generate", "24", "--to", "4000003", "--labels", &to];
    seal(&[&generated[..], &["--confirm", "seal core-sw"]].concat(), b"");
    let labels = std::fs::read_to_string(labels).expect("the labels");
    let opens = "opens core-db/root (2 of 3), core-fw/admin, core-sw/console";
    for part in ["4000003 · DC1 emergency kit · ", "safe B, bag 0102", opens] {
        assert!(labels.contains(part), "{labels}");
    }
}

/// A drill proves a key before anything was opened, and gives nothing out.
fn drilled(life: &Life) {
    let words =
        ["drill", "core-db/root", "--key", "4000003", "--operator", "ada", "--confirm", "drill core-db"];
    let said = life.run(&words, &[pin_line(THREE)]).done();
    assert!(said.stdout.is_empty(), "{said}");
    said.says(&[
        "signed and on disk: record 4000003/",
        "proven on record: 4000003 would open core-db/root, generation 1, with others.",
        "nothing was opened. the next drill of it with 4000003 is due by ",
    ]);
}

fn opened_with_every_pair(life: &Life) {
    for (one, other) in [(ONE, TWO), (TWO, THREE), (THREE, ONE)] {
        let keys = format!("{one},{other}");
        life.open("core-db/root", &[one, other], &["--key", &keys]).gave(ROOT_SECRET).says(&[
            "share 1 of 2",
            "incident INC-4711.",
            "due: rotate core-db/root",
        ]);
    }
    for one in [ONE, TWO, THREE] {
        life.open("core-fw/admin", &[one], &["--key", &one.to_string()]).gave(ADMIN_SECRET);
    }
    let made_up = life.open("core-sw/console", &[THREE], &[]).done();
    assert_eq!(made_up.stdout.len(), 24);
    assert!(made_up.stdout.iter().all(u8::is_ascii_alphanumeric));
}

/// Serial, firmware, tries, management key and slots.
fn ykman_reports_what_we_report(life: &Life) {
    for (serial, firmware) in KEYS {
        let name = serial.to_string();
        let mut command = life.world.command(tools::ykman());
        let ykman = life.world.run(command.args(["--device", &name, "piv", "info"]));
        let value = |name: &str| {
            let line = ykman.lines().find(|line| line.starts_with(name));
            line.unwrap_or_else(|| panic!("{name}\n{ykman}"))[name.len()..].trim().to_owned()
        };
        let ours = life.run(&["key", "inspect", &name, "--json"], &[]).done().json();
        assert_eq!((&ours["serial"], &ours["firmware"]), (&serial.into(), &firmware.into()), "{ours:#}");
        assert_eq!(ours["firmware"], value("PIV version:"));
        for (of, field) in [("PIN tries remaining:", "pin"), ("PUK tries remaining:", "puk")] {
            let tries = &ours[field];
            assert_eq!(format!("{}/{}", tries["left"], tries["total"]), value(of));
            assert_eq!(tries["factory"], false);
        }
        let algorithm = value("Management key algorithm:").replace("AES", "AES-");
        assert_eq!(ours["management_key"]["algorithm"], algorithm);
        assert!(ykman.contains("Management key is stored on the YubiKey, protected by PIN."), "{ykman}");
        assert!(!ykman.contains("default"), "{ykman}");

        let slot = |line: &str| Some(line.strip_prefix("Slot ")?.split_once(' ')?.0.to_owned());
        let mut theirs: Vec<String> = ykman.lines().filter_map(slot).collect();
        let mut slots: Vec<String> = Vec::new();
        for slot in ours["slots"].as_array().expect("slots") {
            assert_eq!((&slot["empty"], &slot["algorithm"]), (&false.into(), &"P-256".into()));
            slots.push(slot["slot"].as_str().expect("a name").to_owned());
        }
        theirs.sort_unstable();
        slots.sort_unstable();
        assert_eq!(slots, theirs);
        assert_eq!(ykman.matches("Private key type: ECCP256").count(), 3, "{ykman}");
    }
}

fn rotated(life: &Life) {
    let with = ["--with", "4000002"];
    let rotate =
        |words: &[&str]| life.run(&[&["rotate", "core-fw/admin"], words, &with].concat(), &[pin_line(TWO)]);
    rotate(&["--generate", "--confirm", "seal core-fw"]).done().says(&[
        "generation 2, pending",
        "until you confirm it, open offers both generations",
        "breakglass rotate core-fw/admin --confirm-pending",
    ]);
    life.open("core-fw/admin", &[ONE], &[])
        .gave(ADMIN_SECRET)
        .says(&["generation 2 is pending: if the platform has it already, open that with --generation 2"]);
    let pending = life.open("core-fw/admin", &[TWO], &["--generation", "2", "--key", "4000002"]).done();
    assert_eq!(pending.stdout.len(), 20);
    rotate(&["--generate"]).refused(
        1,
        &[
            "generation 2 of core-fw/admin is pending already.",
            "nothing was changed.",
            "once the platform has it:  breakglass rotate core-fw/admin --confirm-pending",
        ],
    );
    rotate(&["--confirm-pending", "--confirm", "confirm core-fw"])
        .is(0, &["generation 2 of core-fw/admin is the current one now."]);
    life.open("core-fw/admin", &[THREE], &["--key", "4000003"]).gave(&pending.stdout);
}

/// ONE gets a new PIN by the old one, and by the PUK after it was blocked; then a new PUK.
fn pins_changed(life: &Life) {
    let change =
        |words: &[&str], lines: &[String]| life.run(&[&["key", "pin", "4000001"], words].concat(), lines);
    let new = |value: &str| format!("{ONE} new-pin {value}");
    let wrong = format!("{ONE} pin 11111111");
    life.pins_sent();
    change(&[], &[wrong.clone(), new("48151699")]).refused(
        4,
        &[
            "that PIN is wrong; 2 tries left.",
            "each wrong PIN has spent a try.",
            "run it again with the right PIN",
        ],
    );
    assert_eq!(life.world.tries(ONE), (2, 3));
    change(&[], &[pin_line(ONE), new("48151699")]).done().says(&["done, and on record as 4000001/"]);
    assert_eq!(life.world.tries(ONE), (3, 3));

    let words = ["--key", "4000001", "--spend-last-try"];
    life.run(&[&opening("core-fw/admin")[..], &words].concat(), &vec![wrong; 3]).is(4, &[]);
    assert_eq!(life.world.tries(ONE), (0, 3));
    let unblock = ["--what", "unblock"];
    change(&unblock, &[format!("{ONE} puk 11111111"), new("31415926")]).refused(
        4,
        &["that PUK is wrong; 2 tries left.", "one PUK try was spent.", "run it again with the right PUK"],
    );
    let puk_line = format!("{ONE} puk {}", puk(ONE));
    change(&unblock, &[puk_line.clone(), new(&puk(ONE))]).refused(
        1,
        &[
            "PIN and PUK are the same; whoever knows the one would know the other.",
            "nothing was changed.",
            "choose another one",
        ],
    );
    change(&unblock, &[puk_line.clone(), new(&pin(ONE))]).done();
    assert_eq!(life.world.tries(ONE), (3, 3));
    let new_puk = format!("{ONE} new-puk 86429753");
    change(&["--what", "puk"], &[puk_line.clone(), new_puk, pin_line(ONE)]).done();
    change(&unblock, &[puk_line, new("31415926")]).is(4, &[]);
    life.open("core-db/root", &[ONE, TWO], &[]).gave(ROOT_SECRET);
    let changes: Vec<Value> = records(life)
        .into_iter()
        .filter(|record| record["event"] == "key.pin-changed")
        .map(|record| record["what"].clone())
        .collect();
    assert_eq!(changes, ["pin", "unblock", "puk"]);
}

/// A new operator, from the file to effect.
fn policy_adopted(life: &Life) {
    let toml = life.kit().join("kit.toml");
    let text = std::fs::read_to_string(&toml).expect("kit.toml");
    let eve = "\n[[person]]\nname = \"eve\"\nroles = [\"operator\"]\n";
    std::fs::write(&toml, text + eve).expect("kit.toml");
    let words: Vec<&str> =
        opening("core-db/root").iter().map(|w| if *w == "ada" { "eve" } else { *w }).collect();
    let open = || life.run(&words, &[pin_line(ONE), pin_line(TWO)]);
    let refusal = [
        "the policy does not allow it: \"eve\" is not an operator; operators are: ada.",
        "nothing was opened.",
    ];
    open()
        .refused(1, &refusal)
        .says(&["note: kit.toml differs from the adopted policy; it has no effect until it is adopted."]);
    let check = life.run(&["policy", "check"], &[]).is(1, &[]);
    assert!(check.text().contains("eve may now open"), "{check}");
    let adopt = |with: u32| {
        let name = with.to_string();
        let words = ["policy", "adopt", "--confirm", "adopt policy", "--with", &name];
        life.run(&words, &[pin_line(with)])
    };
    adopt(ONE).is(
        0,
        &["signed by 1 of 2 keys. it takes effect when 1 more signs:  breakglass policy adopt --with SERIAL"],
    );
    open().refused(1, &refusal);
    adopt(THREE).is(0, &["kit.toml is in force now."]);
    open().gave(ROOT_SECRET);
}

/// A lost key goes, its credentials are due, and go to the others.
fn retired(life: &Life) {
    let retire = |with: u32| {
        let name = with.to_string();
        let words = ["--why", "lost", "--confirm", "retire 4000003", "--with", &name];
        life.run(&[&["key", "retire", "4000003"], &words[..]].concat(), &[pin_line(with)])
    };
    retire(ONE).done().says(&[
        "to rotate core-db/root, core-fw/admin, core-sw/console",
        "it takes effect when 1 more signs:  breakglass key retire 4000003 --why lost --with SERIAL",
    ]);
    retire(TWO).is(
        0,
        &[
            "4000003 belongs to the kit no more.",
            "due: breakglass rotate core-db/root",
            "due: breakglass rotate core-fw/admin",
            "due: breakglass rotate core-sw/console",
        ],
    );
    let status = life.run(&["status"], &[]).is(1, &[]).text();
    for name in ["core-db/root", "core-fw/admin", "core-sw/console"] {
        let due = format!("rotate {name}: it is still sealed to 4000003, which was retired");
        assert!(status.contains(&due), "{due}\n{status}");
    }
    life.open("core-db/root", &[TWO, THREE], &["--key", "4000002,4000003"]).refused(
        2,
        &[
            "core-db/root takes 2 of its keys, and fewer can be used: key 4000003 was retired.",
            "nothing was opened.",
            "keys that would do: 4000002 (safe A, bag 0418), 4000001 (safe A, bag 0417)",
        ],
    );
    life.open("core-sw/console", &[THREE], &[]).refused(
        1,
        &[
            "core-sw/console takes 1 of its keys, and fewer can be used: key 4000003 was retired.",
            "nothing was opened.",
            "what opens with which keys:  breakglass coverage",
        ],
    );
    let rotate = ["rotate", "core-db/root", "--with", "4000002", "--confirm"];
    let words = [&rotate[..], &["seal core-db"]].concat();
    life.run_with(&words, &[pin_line(TWO)], b"after the loss").done().says(&["any 2 of 4000001, 4000002\n"]);
    let words = [&rotate[..], &["confirm core-db", "--confirm-pending"]].concat();
    life.run(&words, &[pin_line(TWO)]).done();
    life.open("core-db/root", &[ONE, TWO], &[]).gave(b"after the loss");
}

fn exported_and_verified(life: &Life) {
    let verified = life.run(&["records", "verify"], &[]).done().text();
    let count = records(life).len();
    assert!(verified.contains(&format!("intact: {count} records in 3 chains")), "{verified}");
    let export = life.path("export");
    let to = export.display().to_string();
    life.run(&["records", "export", &to, "--with", "4000001"], &[pin_line(ONE)]).done();
    let (bundle, jwks) = (export.join("records.jws"), export.join("jwks.json"));
    let good = vec![true; count + 1];
    assert_eq!(verifiers::npm_jose(&bundle, &jwks), good, "npm jose");
    assert_eq!(verifiers::pyjwt(&bundle, &jwks), good, "PyJWT");
    assert_eq!(verifiers::debian_jose(&bundle, &jwks), good, "Debian's jose");
}

/// One port: after its share, each key makes room for the next while the program waits.
#[test]
fn keys_are_swapped_in_one_port_while_it_waits() {
    let life = Life::with(&Settings { one_port: true, ..Settings::usual(&KEYS) });
    let mut here = ONE;
    for (first, second) in [(ONE, TWO), (TWO, THREE), (THREE, ONE)] {
        assert_eq!(here, first);
        let keys = format!("{first},{second}");
        let words = [&opening("core-db/root")[..], &["--wait", "60", "--key", &keys]].concat();
        let said = life.attend(&words, &[pin_line(first), pin_line(second)], |line| {
            if line.starts_with("insert one of: ") {
                assert!(line.contains(&second.to_string()) && !line.contains(&first.to_string()), "{line}");
                life.world.remove(first);
                life.world.insert(second);
                here = second;
            }
        });
        said.gave(ROOT_SECRET).says(&["share 1 of 2", "insert one of: ", "touch", "opened core-db/root"]);
    }
}

/// The custodian goes through every key in one port, and no PIN is asked.
#[test]
fn an_inventory_swaps_through_every_key_in_one_port() {
    let life = Life::with(&Settings { one_port: true, ..Settings::usual(&KEYS) });
    life.world.order("4000002 counterfeit 9E");
    let mut here = ONE;
    let said = life.attend(&["inventory", "--all", "--wait", "60"], &[], |line| {
        if line.starts_with("insert one of: ") {
            let next = if here == ONE { TWO } else { THREE };
            assert!(line.contains(&next.to_string()) && !line.contains(&here.to_string()), "{line}");
            life.world.remove(here);
            life.world.insert(next);
            here = next;
        }
    });
    let said = said.is(6, &[]).says(&[
        "4000001 was seen; take it out",
        "insert one of: 4000002 · 4000003",
        "4000002 was seen; take it out",
        "insert one of: 4000003",
        "4000003 was seen; take it out",
    ]);
    let text = said.text();
    let row = |serial: &str| text.lines().find(|line| line.starts_with(serial)).expect("its row").to_owned();
    for (serial, firmware, presence) in [
        ("4000001", "5.7.4", "genuine"),
        ("4000002", "5.4.3", "not the enrolled key"),
        ("4000003", "5.7.4", "genuine"),
    ] {
        for part in [firmware, presence, "PIN 3 of 3, PUK 3 of 3", "opens core-db/root, core-fw/admin"] {
            assert!(row(serial).contains(part), "{part}\n{text}");
        }
    }
    assert!(
        text.contains("this key says it is 4000002, but it cannot prove it; it may have been swapped"),
        "{text}"
    );
    assert_eq!(life.pins_sent(), [0, 0, 0]);
}

/// A key that is not there yet is waited for, and only so long.
#[test]
fn a_key_is_waited_for_as_long_as_was_said() {
    let life = Life::with(&Settings::usual(&KEYS[..1]));
    life.world.remove(ONE);
    let wait = |seconds: &'static str| [&opening("core-fw/admin")[..], &["--wait", seconds]].concat();
    life.run(&wait("1"), &[pin_line(ONE)]).refused(
        3,
        &[
            "no key is plugged in.",
            "nothing was changed.",
            "plug one in        (breakglass doctor looks for more)",
            "keys that would do: 4000001 (safe A, bag 0417), 4000002 (safe A, bag 0418), 4000003 (safe B, bag 0102)",
        ],
    );
    let said = life.attend(&wait("60"), &[pin_line(ONE)], |line| {
        if line.starts_with("insert one of: ") {
            life.world.insert(ONE);
        }
    });
    said.gave(ADMIN_SECRET);
}
