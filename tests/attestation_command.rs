//! `breakglass attestation`: our own vectors, and every pair of real certificates at hand with the verdict of its index.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn attestation(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_breakglass"))
        .args(["attestation", "--json"])
        .args(arguments)
        .output()
        .expect("the program runs")
}

#[test]
fn our_vectors_have_the_verdict_of_the_index() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/attestation");
    let index = std::fs::read_to_string(format!("{folder}/index.tsv")).unwrap();
    let mut cases = 0;
    for row in index.lines().skip(1) {
        let [leaf, device, root, expected] = row.split('\t').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let path = |name: &str| format!("{folder}/{name}");
        let output = attestation(&[&path(leaf), &path(device), "--root", &path(root)]);
        let told = String::from_utf8_lossy(&output.stderr);
        match expected {
            "ok" => {
                let facts: Value = serde_json::from_slice(&output.stdout).expect("the facts");
                assert_eq!(
                    (output.status.code(), &facts["root"]),
                    (Some(0), &"private".into()),
                    "{row}\n{told}"
                );
            }
            reason => {
                assert_eq!(output.status.code(), Some(6), "{row}\n{told}");
                assert!(output.stdout.is_empty(), "{row}");
                assert!(told.starts_with(reason), "{row}\n{told}");
            }
        }
        cases += 1;
    }
    assert!(cases > 50, "the index has only {cases} cases");
}

#[test]
fn what_is_no_certificate_is_wrong_use() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no.pem").display().to_string();
    assert_eq!(attestation(&[&path, &path]).status.code(), Some(2));
    std::fs::write(&path, "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n").unwrap();
    assert_eq!(attestation(&[&path, &path]).status.code(), Some(2));
}

/// The folder of real certificates: public data that is read where it lies and not copied here.
fn real_certificates() -> Option<PathBuf> {
    #[allow(clippy::disallowed_methods, reason = "the edge of a test: where the shared data lie")]
    let shared = std::env::var_os("BREAKGLASS_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let folder = shared.join("data/attestation");
    if folder.is_dir() {
        return Some(folder);
    }
    let line = format!(
        "not checked: the command on the attestations of real keys, because {} is not there\n",
        folder.display()
    );
    // Straight to the stream, so that the test harness does not keep it back.
    std::io::stderr().write_all(line.as_bytes()).expect("standard error takes a line");
    None
}

/// A row of INDEX.md's table: the pairs of its first cell, firmware, serial, slot, verdict.
fn rows(index: &str) -> Vec<(Vec<String>, [String; 4])> {
    let mut rows = Vec::new();
    for line in index.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [pairs, firmware, serial, slot, .., verdict] = cells[..] else { continue };
        let Some((folder, first)) = pairs.split_once('/') else { continue };
        let names = first.split(", ").map(|name| format!("{folder}/{name}")).collect();
        rows.push((names, [firmware, serial, slot, verdict].map(str::to_owned)));
    }
    rows
}

#[test]
fn every_real_pair_has_the_verdict_of_its_index() {
    let Some(folder) = real_certificates() else { return };
    let index = std::fs::read_to_string(folder.join("INDEX.md")).unwrap();
    let mut held = Vec::new();
    for (pairs, [firmware, serial, slot, verdict]) in rows(&index) {
        for pair in pairs {
            let path = |end: &str| folder.join(format!("{pair}_{end}.pem")).display().to_string();
            let output = attestation(&[&path("key_cert"), &path("device_cert")]);
            let told = String::from_utf8_lossy(&output.stderr);
            if verdict.starts_with("refused") {
                assert_eq!(output.status.code(), Some(6), "{pair}\n{told}");
                assert!(output.stdout.is_empty() && told.contains("do not use this key"), "{pair}\n{told}");
            } else {
                assert_eq!(output.status.code(), Some(0), "{pair}: {verdict}\n{told}");
                let facts: Value = serde_json::from_slice(&output.stdout).expect("the facts");
                let told = |name: &str| match &facts[name] {
                    Value::Null => "absent".to_owned(),
                    Value::String(text) => text.to_lowercase(),
                    other => other.to_string(),
                };
                let (number, fips) = match firmware.strip_suffix(" FIPS") {
                    Some(number) => (number, "true"),
                    None => (firmware.as_str(), "false"),
                };
                let expected = [number, &serial, &slot, fips, "yubico"];
                assert_eq!(["firmware", "serial", "slot", "fips", "root"].map(told), expected, "{pair}");
            }
            held.push(pair);
        }
    }
    assert_eq!(held.len(), 11, "{held:?}");
}
