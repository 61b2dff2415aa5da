//! What the locked dependencies may be: no known advisory, no network, allowed licences, one source. Needs no network;
//! `deny.toml` is the one list, read by cargo-deny too.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value as Json;
use toml::{Table, Value};

#[path = "supply_chain/advisory.rs"]
mod advisory;

use advisory::{Advisory, Version};

fn project(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn table(path: &str) -> Table {
    fs::read_to_string(project(path)).expect("a file of the project").parse().expect("TOML")
}

/// `deny.toml`'s array at `section`.`name`.
fn listed(section: &str, name: &str) -> Vec<Value> {
    table("deny.toml")[section][name].as_array().expect("an array").clone()
}

fn strings(values: &[Value], member: Option<&str>) -> BTreeSet<String> {
    let text = |value: &Value| match member {
        Some(member) => value[member].as_str().expect("a string").to_string(),
        None => value.as_str().expect("a string").to_string(),
    };
    values.iter().map(text).collect()
}

/// Name, version and source of every crate in `Cargo.lock` but ourselves.
fn locked() -> Vec<(String, Version, String)> {
    let field =
        |package: &Value, name: &str| package.get(name).and_then(Value::as_str).unwrap_or("").to_string();
    table("Cargo.lock")["package"]
        .as_array()
        .expect("an array of packages")
        .iter()
        .map(|p| (field(p, "name"), Version::parse(&field(p, "version")), field(p, "source")))
        .filter(|(name, _, _)| name != env!("CARGO_PKG_NAME"))
        .collect()
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--locked", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "cargo {arguments:?} (crates of other platforms are needed too: `cargo fetch --locked`): {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The snapshot of the RustSec database, where the machine has it. `scripts/test.sh` says so where not.
fn advisories() -> Option<Vec<Advisory>> {
    #[expect(clippy::disallowed_methods, reason = "where the data lies is a setting of the machine")]
    let shared = std::env::var_os("BREAKGLASS_SHARED").map_or_else(|| project("../shared"), PathBuf::from);
    let text = fs::read_to_string(shared.join("data/rustsec-2026-08-21.tsv")).ok()?;
    Some(text.lines().filter(|line| !line.starts_with('#')).map(Advisory::parse).collect())
}

#[test]
fn no_locked_crate_has_an_advisory_that_is_not_argued_away() {
    let Some(advisories) = advisories() else { return };
    assert!(advisories.len() > 1000, "the snapshot has {} rows", advisories.len());
    let excepted = strings(&listed("advisories", "ignore"), Some("id"));
    let mut found = BTreeSet::new();
    for (name, version, _) in locked() {
        found.extend(advisories.iter().filter(|a| a.concerns(&name, &version)).map(|a| a.id.clone()));
    }
    let open: Vec<_> = found.difference(&excepted).collect();
    assert!(open.is_empty(), "advisories that deny.toml has no reason for: {open:?}");
    let stale: Vec<_> = excepted.difference(&found).collect();
    assert!(stale.is_empty(), "exceptions in deny.toml that no locked crate needs any more: {stale:?}");
}

#[test]
fn every_exception_has_its_reason() {
    for exception in listed("advisories", "ignore") {
        assert!(exception["reason"].as_str().is_some_and(|reason| reason.len() > 40), "{exception}");
    }
}

#[test]
fn the_default_build_has_no_network_crate() {
    let tree =
        cargo(&["tree", "--edges", "normal,build", "--target", "all", "--prefix", "none", "--format", "{p}"]);
    let names: BTreeSet<String> =
        tree.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_string).collect();
    assert!(names.contains("age") && names.contains("pcsc"), "this is not our tree: {tree}");
    let banned = strings(&listed("bans", "deny"), Some("name"));
    assert!(banned.contains("tokio") && banned.contains("rustls"), "{banned:?}");
    let present: Vec<_> = names.intersection(&banned).collect();
    assert!(present.is_empty(), "{present:?} must not be part of the air-gapped program");
}

#[test]
fn every_licence_is_allowed() {
    let allowed = strings(&listed("licenses", "allow"), None);
    let metadata: Json = serde_json::from_str(&cargo(&["metadata", "--format-version", "1"])).expect("JSON");
    let packages = metadata["packages"].as_array().expect("an array of packages");
    assert!(packages.len() > 100, "{} packages", packages.len());
    let refused: Vec<_> = packages
        .iter()
        .map(|p| (p["name"].as_str().expect("a name"), p["license"].as_str().unwrap_or("none stated")))
        .filter(|(_, licence)| !licence_fits(licence, &allowed))
        .collect();
    assert!(refused.is_empty(), "licences that deny.toml does not allow: {refused:?}");
}

/// Whether a licence expression can be met by `allowed` alone. Knows the forms that crates use: `A OR B`, the old
/// `A/B`, and `(A OR B) AND C`; an exception (`WITH`) counts as a licence of its own.
fn licence_fits(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let any = |part: &str| part.replace('/', " OR ").split(" OR ").any(|name| allowed.contains(name.trim()));
    expression.split(" AND ").all(|part| any(part.trim().trim_start_matches('(').trim_end_matches(')')))
}

#[test]
fn licence_expressions_are_judged_right() {
    let allowed = ["MIT", "Unicode-3.0"].map(str::to_string).into();
    for fits in ["MIT", "GPL-2.0-only OR MIT", "Unlicense/MIT", "(MIT OR Apache-2.0) AND Unicode-3.0"] {
        assert!(licence_fits(fits, &allowed), "{fits}");
    }
    for refused in ["GPL-3.0-only", "none stated", "MIT AND GPL-2.0-only", "MIT WITH Linux-syscall-note"] {
        assert!(!licence_fits(refused, &allowed), "{refused}");
    }
}

#[test]
fn every_locked_crate_comes_from_one_registry() {
    let sources: BTreeSet<String> = locked().into_iter().map(|(_, _, source)| source).collect();
    assert_eq!(sources.len(), 1, "{sources:?}");
    assert!(sources.iter().all(|source| source.starts_with("registry+")), "{sources:?}");
}
