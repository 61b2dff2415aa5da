//! The recovery page, and the stock tools that it names.

use std::fs;
use std::path::PathBuf;

/// The fenced block of `doc/recovery.md` that opens with exactly this after its three backticks.
pub(crate) fn block(name: &str) -> String {
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("doc/recovery.md");
    let page = fs::read_to_string(page).expect("the recovery page");
    let (_, rest) = page.split_once(&format!("\n```{name}\n")).unwrap_or_else(|| panic!("no block {name:?}"));
    let (block, _) = rest.split_once("```\n").expect("the block ends");
    block.to_owned()
}

/// Where `rage` and `age-plugin-yubikey` were installed for the tests.
#[allow(
    clippy::disallowed_methods,
    reason = "a test is at the edge: where its tools lie comes from the environment"
)]
pub(crate) fn tools() -> PathBuf {
    let set = std::env::var_os("BREAKGLASS_TOOLS").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").expect("a home")).join(".cache/breakglass-tools");
    let tools = set.unwrap_or_else(home).join("bin");
    assert!(tools.join("rage").is_file(), "no rage in {}; the Makefile installs it", tools.display());
    tools
}
