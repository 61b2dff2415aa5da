//! The recovery page, as a reader copies from it.

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

/// The block with what a reader puts in the place of an example: each pair is a line's beginning and its new end.
pub(crate) fn block_with(name: &str, replacements: &[(&str, &str)]) -> String {
    let mut lines: Vec<String> = block(name).lines().map(str::to_owned).collect();
    for (beginning, end) in replacements {
        let line = lines.iter_mut().find(|line| line.starts_with(beginning));
        *line.unwrap_or_else(|| panic!("{name:?} has no line {beginning}…")) = format!("{beginning}{end}");
    }
    lines.join("\n") + "\n"
}
