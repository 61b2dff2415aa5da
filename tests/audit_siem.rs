//! A real kit's records in each format for a SIEM, read again by programs of others.
#![cfg(feature = "audit")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

#[path = "support/practice.rs"]
#[allow(dead_code)]
mod practice;
#[path = "support/tools.rs"]
#[allow(dead_code)]
mod tools;

use practice::{PracticeKit, done};
use serde_json::Value;

fn audit(folder: &Path, arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_breakglass-audit"));
    program
        .current_dir(folder)
        .env_remove("BREAKGLASS_LEDGER")
        .args(arguments)
        .output()
        .expect("the program runs")
}

/// A kit with one opening, imported; and its records.
fn imported() -> (tempfile::TempDir, BTreeSet<String>) {
    let kit = PracticeKit::new();
    let pins = PracticeKit::pins(3);
    let pins: Vec<&str> = pins.iter().map(String::as_str).collect();
    done(&kit.run(&PracticeKit::opening("core-db/root"), &pins));
    let folder = tempfile::tempdir().expect("a folder");
    let out = audit(folder.path(), &["import", &kit.path().join("journal").display().to_string()]);
    assert!(matches!(out.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&out.stderr));
    let mut records = BTreeSet::new();
    for entry in std::fs::read_dir(kit.path().join("journal")).expect("a folder") {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("a journal");
        records.extend(text.lines().map(str::to_owned));
    }
    (folder, records)
}

fn export(folder: &Path, arguments: &[&str]) -> (String, String) {
    let out = audit(folder, &[&["export", "--format"], arguments].concat());
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    (text(&out.stdout), text(&out.stderr))
}

#[test]
fn every_record_is_in_every_format_and_programs_of_others_find_it() {
    let (folder, records) = imported();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audit_siem/parse.py");
    for format in ["ocsf", "ecs", "cef", "syslog"] {
        let (lines, said) = export(folder.path(), &[format, "--most", "0"]);
        assert_eq!(said, "");
        assert_eq!(lines.lines().count(), records.len(), "{format}");
        std::fs::write(folder.path().join("lines"), &lines).expect("writes");
        let out = Command::new(tools::python())
            .arg(&script)
            .arg(format)
            .arg(folder.path().join("lines"))
            .output()
            .expect("python runs");
        assert!(out.status.success(), "{format}: {}", String::from_utf8_lossy(&out.stderr));
        let found: BTreeSet<String> =
            String::from_utf8_lossy(&out.stdout).lines().map(str::to_owned).collect();
        assert_eq!(found, records, "{format}");
    }
}

#[test]
fn a_line_of_syslog_is_never_longer_than_receivers_take() {
    let (folder, records) = imported();
    let (lines, said) = export(folder.path(), &["syslog"]);
    assert!(lines.lines().all(|line| line.len() <= 2_048));
    let left_out = lines.lines().filter(|line| line.contains(" record=\"left-out\"")).count();
    assert!(said.starts_with(&format!("{left_out} lines without their signed record")), "{said}");
    // All but the enrolments' and such have theirs.
    let openings: Vec<&str> = lines.lines().filter(|line| line.contains(" open.intent ")).collect();
    assert!(
        openings.iter().all(|line| records.contains(line.rsplit(' ').next().expect("a record"))),
        "{openings:?}"
    );
    assert_eq!(openings.len(), 2);
}

#[test]
fn findings_follow_and_time_and_kit_choose() {
    let (folder, records) = imported();
    let (lines, _) = export(folder.path(), &["ecs", "--findings"]);
    let objects: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let findings = objects.iter().filter(|one| one["event"]["dataset"] == "breakglass.finding").count();
    assert_eq!(objects.len(), records.len() + findings);
    assert!(objects.iter().any(|one| one["rule"]["id"] == "KIT-UNTRUSTED"), "{lines}");
    assert_eq!(export(folder.path(), &["ecs", "--since", "2100-01-01"]).0, "");
    assert_eq!(
        export(folder.path(), &["ecs", "--since", "1970-01-01T00:00:00Z"]).0.lines().count(),
        records.len()
    );
    for (wrong, code) in [
        (vec!["ecs", "--since", "yesterday"], 2),
        (vec!["leef"], 2),
        (vec!["ecs", "--kit", "no such words"], 1),
    ] {
        let out = audit(folder.path(), &[&["export", "--format"], &wrong[..]].concat());
        assert_eq!(out.status.code(), Some(code), "{wrong:?}");
    }
}
