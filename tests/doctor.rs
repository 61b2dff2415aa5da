//! `doctor`, `key inspect` and `inventory` on real PC/SC with virtual YubiKeys: what is missing on a machine is named
//! with its command, and a key is described without a PIN.

#[path = "support/pcsc.rs"]
mod pcsc;

use std::path::Path;
use std::process::Command;

use pcsc::{Pcsc, Settings};
use serde_json::Value;

const NEW: u32 = 19_088_743;
const OLD: u32 = 12_345_678;
const KEYS: [(u32, &str); 2] = [(NEW, "5.7.4"), (OLD, "5.4.3")];

fn breakglass(world: &Pcsc, kit: &Path) -> Command {
    let mut command = world.command(env!("CARGO_BIN_EXE_breakglass"));
    command.arg("--kit").arg(kit).arg("--json");
    for name in ["RUST_LOG", "LD_PRELOAD", "LD_LIBRARY_PATH", "PCSCLITE_CSOCK_NAME"] {
        command.env_remove(name);
    }
    command
}

/// Exit code and the JSON object.
fn look(command: &mut Command) -> (Option<i32>, Value) {
    let output = command.output().expect("the program runs");
    let value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", pcsc::text(&output)));
    (output.status.code(), value)
}

/// Rule and next step of every finding of that rule.
fn next(value: &Value, rule: &str) -> Vec<String> {
    let findings = value["findings"].as_array().expect("findings");
    let of_rule = findings.iter().filter(|finding| finding["rule"] == rule);
    of_rule.map(|finding| finding["next"].as_str().unwrap_or("").to_owned()).collect()
}

/// A folder with a real kit that is not founded.
fn real_kit() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let init =
        Command::new(env!("CARGO_BIN_EXE_breakglass")).arg("--kit").arg(folder.path()).arg("init").output();
    assert!(init.expect("the program runs").status.success());
    folder
}

#[test]
fn keys_in_their_readers_are_fine() {
    let world = Pcsc::start(&KEYS);
    let kit = real_kit();
    let (_, value) = look(breakglass(&world, kit.path()).arg("doctor"));
    let fine: Vec<&str> =
        value["fine"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    for expected in [
        "pcscd answers".to_owned(),
        format!("{}: key {NEW}", world.reader(NEW)),
        format!("{}: key {OLD}", world.reader(OLD)),
        format!("{}/journal takes a record", kit.path().display()),
    ] {
        assert!(fine.contains(&expected.as_str()), "{expected}\n{value:#}");
    }
    for rule in ["PCSCD", "PCSCD-ACCESS", "READER", "MEDIUM", "CLOCK", "KIT"] {
        assert_eq!(next(&value, rule), [""; 0], "{rule}\n{value:#}");
    }
    assert_eq!(world.counters(NEW).pins_sent + world.counters(OLD).pins_sent, 0);
}

#[test]
fn a_missing_service_a_strange_environment_and_no_kit_are_named_with_what_mends_them() {
    let world = Pcsc::with(&Settings { service: false, ..Settings::usual(&KEYS) });
    let nothing = tempfile::tempdir().expect("a folder");
    let mut doctor = breakglass(&world, nothing.path());
    let (code, value) =
        look(doctor.arg("doctor").env("RUST_LOG", "trace").env("PCSCLITE_CSOCK_NAME", "/nowhere"));
    assert_eq!(code, Some(1), "{value:#}");
    let [start] = &next(&value, "PCSCD")[..] else { panic!("{value:#}") };
    assert!(start.contains("pcscd"), "{start}");
    assert_eq!(next(&value, "ENVIRONMENT"), ["unset PCSCLITE_CSOCK_NAME", "unset RUST_LOG"]);
    assert_eq!(next(&value, "KIT"), ["breakglass --kit DIR doctor"]);

    let output =
        breakglass(&world, nothing.path()).args(["key", "inspect"]).output().expect("the program runs");
    assert_eq!(output.status.code(), Some(3));
    assert!(pcsc::text(&output).contains("pcscd is not running"), "{}", pcsc::text(&output));
}

#[test]
fn a_medium_that_takes_no_record_is_named() {
    let world = Pcsc::with(&Settings { service: false, ..Settings::usual(&KEYS[..1]) });
    let kit = real_kit();
    let script =
        r#"mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$1" --kit "$0" --json doctor"#;
    let mut doctor = world.command("sh");
    let (code, value) =
        look(doctor.args(["-c", script]).arg(kit.path()).arg(env!("CARGO_BIN_EXE_breakglass")));
    assert_eq!(code, Some(1), "{value:#}");
    assert_eq!(next(&value, "MEDIUM"), ["write the records elsewhere:  --journal DIR"], "{value:#}");

    std::fs::write(kit.path().join("journal"), "a file where the folder should be").expect("written");
    let (code, value) = look(breakglass(&world, kit.path()).arg("doctor"));
    assert_eq!(
        (code, next(&value, "KIT")),
        (Some(6), vec!["breakglass records verify".to_owned()]),
        "{value:#}"
    );
}

#[test]
fn a_blank_key_is_described_without_a_pin() {
    let world = Pcsc::start(&KEYS);
    let kit = real_kit();
    for (serial, firmware, model, management) in
        [(NEW, "5.7.4", "YubiKey 5C NFC", "AES-192"), (OLD, "5.4.3", "YubiKey 5 NFC", "3DES")]
    {
        let (code, value) =
            look(breakglass(&world, kit.path()).args(["key", "inspect", &serial.to_string()]));
        assert_eq!((value["serial"].as_u64(), &value["firmware"]), (Some(serial.into()), &firmware.into()));
        assert_eq!((&value["model"], &value["standing"]), (&model.into(), &"unknown".into()), "{value:#}");
        let own = serde_json::json!({ "algorithm": management, "factory": true });
        assert_eq!(value["management_key"], own);
        assert_eq!(value["pin"], serde_json::json!({ "left": 3, "total": 3, "factory": true }));
        assert!(value["slots"].as_array().unwrap().iter().all(|slot| slot["empty"] == true));
        // Firmware before 5.7 is of no use for a kit; a blank key's factory values are no reproach.
        let old = value["advisories"].as_array().unwrap().iter().any(|one| one["id"] == "YSA-2024-03");
        assert_eq!((code, old), if serial == OLD { (Some(1), true) } else { (Some(0), false) }, "{value:#}");
        assert_eq!(world.tries(serial), (3, 3));
        assert_eq!(world.counters(serial).pins_sent, 0);
    }
    let output = breakglass(&world, kit.path()).args(["key", "inspect"]).output().expect("the program runs");
    assert_eq!(output.status.code(), Some(2), "two keys: {}", pcsc::text(&output));
    let (code, value) = look(breakglass(&world, kit.path()).arg("inventory"));
    assert_eq!((code, value["keys"].as_array().unwrap().len()), (Some(0), 2), "{value:#}");
}
