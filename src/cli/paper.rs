//! What is for paper: pages of a few kinds of blocks, written as text or as a page that a browser prints. Neither holds a
//! secret, and the page holds no script.

use serde::Serialize;

use super::Outcome;
use super::args::Paper;
use super::desk::Desk;
use super::hint::Trouble;
use crate::kit::Kit;

mod html;
mod text;

/// What is to be printed.
pub(super) struct Sheets {
    /// What it is, on the first line of the page.
    pub title: String,
    /// How the pages lie on the paper.
    pub form: Form,
    /// In order.
    pub pages: Vec<Page>,
}

/// How pages lie on the paper.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Each begins a new sheet.
    Sheets,
    /// Small ones to cut out, as many on a sheet as there is room for.
    Cards,
}

/// One page, or one card.
#[derive(Serialize)]
pub(super) struct Page {
    /// Its heading.
    pub title: String,
    /// What stands on it.
    pub blocks: Vec<Block>,
}

/// One thing on a page.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Block {
    /// A heading below the page's.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// Names and values.
    Facts(Vec<(String, String)>),
    /// What to do, one after the other.
    Steps(Vec<String>),
    /// Commands and files, exactly as they are.
    Exactly(String),
    /// A line to write on by hand: what belongs there.
    Blank(String),
}

impl Block {
    /// A line of [`Block::Facts`].
    pub(super) fn fact(name: &str, value: impl Into<String>) -> (String, String) {
        (name.to_owned(), value.into())
    }
}

/// Writes it: text on stdout, or the page to its file.
pub(super) fn write(
    desk: &mut Desk,
    kit: &Kit,
    options: &Paper,
    sheets: &Sheets,
) -> Result<Outcome, Trouble> {
    desk.practice_banner(kit);
    if let Some(path) = &options.html {
        std::fs::write(path, html::page(sheets))
            .map_err(|cause| Trouble::File { path: path.clone(), cause })?;
        desk.terminal.say(&format!("wrote {}: open it in a browser and print it", path.display()));
    }
    if desk.json {
        desk.json_result(&serde_json::json!({ "html": options.html, "pages": sheets.pages }))?;
    } else if options.html.is_none() {
        desk.text(&text::text(sheets))?;
    }
    Ok(Outcome::Done)
}

/// The kit as every page names it.
pub(super) fn kit_facts(kit: &Kit) -> Vec<(String, String)> {
    let mut facts = vec![
        Block::fact("kit", kit.policy.name.clone()),
        Block::fact("words", kit.words().unwrap_or_else(|| "not founded yet: no words".into())),
    ];
    if kit.kind() == crate::record::event::KitKind::Practice {
        facts.push(Block::fact("PRACTICE", "simulated keys, no real secrets"));
    }
    facts
}
