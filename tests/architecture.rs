//! The tree keeps to its plan: the arrows between modules, the size and form of files, and a map (`ARCHITECTURE.md`)
//! that names what is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which of our modules each module may use, beside itself. Whoever adds an arrow changes it here and in
/// `ARCHITECTURE.md`, and argues it in review.
const ARROWS: &[(&str, &[&str])] = &[
    ("assertion", &["es256"]),
    ("es256", &[]),
    ("audit", &["assertion", "attestation", "es256", "kit", "mint", "record", "secret"]), // of mint: how numbers and names are spelled
    ("attestation", &[]),
    ("secret", &[]),
    ("hardening", &[]),
    ("record", &["assertion", "attestation", "es256"]), // plain facts: serial, firmware, slot
    ("mint", &["attestation", "es256", "record"]), // plain facts: serial; digests. Neither kit nor device
    ("operator", &["attestation", "secret", "device"]), // of device the tries left alone, held below
    ("device", &["assertion", "attestation", "secret"]),
    ("kit", &["assertion", "attestation", "secret", "record", "device", "mint"]), // device in kit::sealed alone, held below
    ("provision", &["assertion", "attestation", "secret", "record", "operator", "device"]),
    ("signing", &["assertion", "attestation", "secret", "record", "operator", "device", "kit"]),
    ("minting", &["attestation", "record", "operator", "device", "kit", "mint", "signing"]),
    ("inventory", &["assertion", "attestation", "record", "device", "kit"]),
    ("unlock", &["assertion", "attestation", "secret", "record", "operator", "device", "kit", "signing"]),
    (
        "cli",
        &[
            "assertion",
            "attestation",
            "secret",
            "record",
            "operator",
            "device",
            "kit",
            "mint",
            "minting",
            "provision",
            "signing",
            "unlock",
            "inventory",
            "hardening",
            "audit",
        ],
    ),
];

/// The longest file that needs no argument in review, in lines.
const LONGEST_FILE: usize = 600;

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file under `folder`, as a path relative to the project, sorted.
fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![project().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path.strip_prefix(project()).expect("inside the project").to_path_buf());
            }
        }
    }
    files.sort();
    files
}

fn read(path: &Path) -> String {
    fs::read_to_string(project().join(path)).expect("a file of the project")
}

/// The top-level module that a file of `src` belongs to: `src/kit/policy.rs` is part of `kit`.
fn module_of(path: &Path) -> String {
    let first = path.components().nth(1).expect("a file in src").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_string()
}

/// The modules that `lib.rs` declares.
fn modules() -> BTreeSet<String> {
    let lib = read(Path::new("src/lib.rs"));
    let name =
        |line: &str| line.strip_prefix("pub mod ").and_then(|l| l.strip_suffix(';')).map(str::to_string);
    lib.lines().filter_map(name).collect()
}

/// A file without its comments and its unit tests.
fn production_code(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let tests = lines.windows(2).position(|pair| {
        pair[0].starts_with("#[cfg(test)]") && pair[1].starts_with("mod ") && pair[1].ends_with('{')
    });
    lines[..tests.unwrap_or(lines.len())].join("\n")
}

/// What follows each `crate::` in code, one path for each member of a braced group.
fn own_paths(code: &str) -> Vec<String> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let path = |text: &str| text.split(|c| !is_name(c)).next().unwrap_or("").to_string();
    let mut paths = Vec::new();
    for (at, root) in code.match_indices("crate::") {
        if code[..at].ends_with(is_name) {
            continue; // the end of a longer name
        }
        let rest = &code[at + root.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            paths.push(path(rest));
            continue;
        };
        let mut depth = 0;
        let mut member = String::new();
        for c in group.chars() {
            match c {
                '}' if depth == 0 => break,
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => paths.push(path(std::mem::take(&mut member).trim())),
                _ if depth == 0 => member.push(c),
                _ => {}
            }
        }
        paths.push(path(member.trim()));
    }
    paths.retain(|path| !path.is_empty());
    paths
}

fn is_test_module(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem == "tests")
}

#[test]
fn modules_use_only_what_their_arrows_allow() {
    let known: BTreeSet<String> = ARROWS.iter().map(|(module, _)| module.to_string()).collect();
    assert_eq!(known, modules(), "ARROWS and src/lib.rs name different modules");
    let mut seen = 0;
    for (module, allowed) in ARROWS {
        for file in
            rust_files("src").iter().filter(|file| module_of(file) == *module && !is_test_module(file))
        {
            for path in own_paths(&production_code(&read(file))) {
                let target = path.split("::").next().expect("split gives at least one part");
                let allowed = target == *module || allowed.contains(&target);
                assert!(
                    allowed,
                    "{} uses crate::{path}, and {module} has no arrow to {target}",
                    file.display()
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 5, "only {seen} uses found: the scan is broken");
}

#[test]
fn operator_knows_of_a_device_only_the_tries_left() {
    for path in own_paths(&production_code(&read(Path::new("src/operator.rs")))) {
        assert!(!path.starts_with("device") || path == "device::Tries", "src/operator.rs uses crate::{path}");
    }
}

#[test]
fn in_a_kit_only_sealed_files_know_a_device() {
    for file in rust_files("src/kit") {
        let sealed = file.starts_with("src/kit/sealed") || file == Path::new("src/kit/sealed.rs");
        let paths = own_paths(&production_code(&read(&file)));
        let device = paths.iter().find(|path| path.starts_with("device"));
        assert!(sealed || is_test_module(&file) || device.is_none(), "{} uses {device:?}", file.display());
    }
}

#[test]
fn uses_are_found_in_every_form() {
    let text = "\
        use crate::device::{Key, Readers};\n\
        use crate::{\n    kit::policy::Policy, record::{event, hash},\n    secret,\n};\n\
        fn f(x: &crate::operator::Ask) -> my_crate::Other;\n\
        // use crate::comment;\n\
        /// [`crate::link`]\n\
        #[cfg(test)]\n\
        mod tests {\n    use crate::unlock;\n}\n";
    let expected = ["device::", "kit::policy::Policy", "record::", "secret", "operator::Ask"];
    assert_eq!(own_paths(&production_code(text)), expected);
}

#[test]
fn the_map_names_every_module_and_no_file_that_is_not_there() {
    let map = read(Path::new("ARCHITECTURE.md"));
    for module in modules() {
        let file = format!("src/{module}.rs");
        assert!(map.contains(&file), "ARCHITECTURE.md does not name {file}");
    }
    let named = map.split(|c: char| c.is_whitespace() || "`(),;|".contains(c));
    for path in named.filter(|word| {
        ["src/", "tests/", "doc/", "scripts/", "firmware-notes/"].iter().any(|root| word.starts_with(root))
    }) {
        assert!(project().join(path).exists(), "ARCHITECTURE.md names {path}, which is not there");
    }
}

#[test]
fn files_are_short_and_named_for_themselves() {
    for file in rust_files("src") {
        let lines = read(&file).lines().count();
        assert!(lines < LONGEST_FILE, "{} has {lines} lines: is it one idea?", file.display());
        assert_ne!(file.file_name().expect("a name"), "mod.rs", "{}", file.display());
    }
}

#[test]
fn no_test_is_switched_off() {
    let switched_off = concat!("#[", "ignore");
    for file in ["src", "tests", "benches", "examples"].into_iter().flat_map(rust_files) {
        assert!(!read(&file).contains(switched_off), "{} switches a test off", file.display());
    }
}

#[test]
fn unsafe_code_is_forbidden() {
    // The compiler holds it once the manifest says so: `forbid` cannot be allowed again in a file.
    let manifest: toml::Table = read(Path::new("Cargo.toml")).parse().expect("TOML");
    assert_eq!(manifest["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
}
