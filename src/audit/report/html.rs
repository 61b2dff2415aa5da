//! A report as one HTML file: text that can be read and printed without a script, the records beside it as they were
//! signed, and a script that verifies them and holds the text against them.
//!
//! Nothing comes from anywhere else: script and style are named by their hash in the content security policy, which
//! forbids all else. Foreign text passes through maud, which escapes it, and through [`visible`], which shows what
//! would hide or turn it.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Serialize;
use sha2::{Digest, Sha256};

mod front;
mod incident;
mod kit;
mod method;
mod silence;

use super::faults::faults;
use super::told::{TABLE, Told};
use super::words::{count, day, time, visible};
use super::{Enclosed, Report};
use crate::audit::assessment::{Assessment, Place};
use crate::audit::ledger::{Held, Signature};
use crate::record::hash::Hash;

/// One script, one idea a file.
const SCRIPT: &str = concat!(
    include_str!("page/bytes.js"),
    include_str!("page/points.js"),
    include_str!("page/records.js"),
    include_str!("page/assertions.js"),
    include_str!("page/threads.js"),
    include_str!("page/faults.js"),
    include_str!("page/told.js"),
    include_str!("page/anchors.js"),
    include_str!("page/verdict.js"),
);
const STYLE: &str = include_str!("page.css");

/// A report as a file.
pub struct Page {
    /// Its text.
    pub html: String,
    /// SHA-256 of its script as the content security policy names it: the same for every report of this version.
    pub script: String,
}

/// What every part of the page works with.
struct Book<'a> {
    report: &'a Report,
    told: BTreeMap<Hash, Told>,
    enclosed: &'a Enclosed,
}

/// The page.
pub fn page(report: &Report, enclosed: &Enclosed) -> Page {
    let kits: BTreeSet<Hash> = report.kits.iter().map(|kit| kit.kit).collect();
    let faults = faults(enclosed, &kits);
    let told = enclosed.records.iter().map(|held| (held.record.hash(), Told::of(&held.record))).collect();
    let book = Book { report, told, enclosed };
    let script = script();
    let hash = hash_source(&script);
    let policy = format!(
        "default-src 'none'; script-src '{}'; worker-src blob:; style-src '{}'; base-uri 'none'; \
         form-action 'none'; require-trusted-types-for 'script'; trusted-types verifier",
        hash,
        hash_source(STYLE)
    );
    let body = html! {
        (front::cover(&book))
        (front::verdict(&book))
        main #report {
            (front::findings(&book))
            @for kit in &report.kits { (incident::pages(&book, kit)) }
            @for kit in &report.kits { (kit::pages(&book, kit)) }
            (silence::completeness(&book))
            (silence::not_checked(&book))
            (method::method(&book, &hash))
        }
    };
    let html = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                title { "Audit of emergency access, " (day(report.at)) }
                style { (PreEscaped(STYLE)) }
                // Before the text and at once: records are verified in threads of their own while the browser reads on.
                script #records type="text/plain" { (PreEscaped(lines(enclosed))) }
                script #stated type="application/json" { (PreEscaped(json(&stated(&book, &faults)))) }
                script #verifier type="module" async { (PreEscaped(&script)) }
            }
            body {
                a .skip href="#report" { "to the report" }
                (body)
            }
        }
    };
    Page { html: html.into_string(), script: hash }
}

/// SHA-256 of the script of every report of this version, as its content security policy names it.
pub fn script_hash() -> String {
    hash_source(&script())
}

fn hash_source(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

/// The script: two tables and the code that uses them. They are part of what the hash covers, since words that mean
/// something else would vouch for another kit.
fn script() -> String {
    let words = bip39::Language::English.word_list().join(" ");
    let table: serde_json::Value = serde_json::from_str(TABLE).expect("the table is JSON");
    format!("const WORDS = \"{words}\";\nconst TABLE = {};\n{SCRIPT}", json(&table))
}

/// The records, one a line, as in a bundle. Base64url and dots: nothing of it is markup.
fn lines(enclosed: &Enclosed) -> String {
    let mut lines = String::from("\n");
    for held in &enclosed.records {
        lines.push_str(&String::from_utf8_lossy(held.record.bytes()));
        lines.push('\n');
    }
    lines
}

/// What the report itself says of its records: `page/verdict.js` holds it against what it finds.
#[derive(Serialize)]
struct Stated {
    made: i64,
    since: Option<i64>,
    kits: Vec<StatedKit>,
    records: usize,
    of: u64,
    /// The end of each chain: place, hash.
    heads: BTreeMap<String, (u64, Hash)>,
    omitted: BTreeMap<String, Vec<(u64, u64)>>,
    faults: Vec<String>,
    /// Incidents with a page of their own.
    pages: Vec<String>,
    /// How many have none, because there are too many.
    unpaged: usize,
}

#[derive(Serialize)]
struct StatedKit {
    id: Hash,
    name: String,
    /// Whether its founding record is enclosed, and good.
    founded: bool,
}

impl StatedKit {
    fn of(kit: &Assessment, records: &[Held]) -> Self {
        let founding = |held: &Held| held.record.hash() == kit.kit && held.signature == Signature::Good;
        StatedKit { id: kit.kit, name: visible(&kit.name), founded: records.iter().any(founding) }
    }
}

fn stated(book: &Book<'_>, faults: &[String]) -> Stated {
    let report = book.report;
    let records = &book.enclosed.records;
    let heads = records.iter().map(|held| {
        let record = &held.record;
        (record.chain_name(), (record.link.seq, record.hash()))
    });
    let pages = report.kits.iter().flat_map(|kit| report.pages(kit).1);
    let unpaged = report.kits.iter().map(|kit| report.pages(kit).0.len()).sum();
    Stated {
        made: report.at,
        since: report.since,
        kits: report.kits.iter().map(|kit| StatedKit::of(kit, records)).collect(),
        records: records.len(),
        of: book.enclosed.of,
        heads: heads.collect(),
        omitted: book.enclosed.omitted.clone(),
        faults: faults.to_vec(),
        pages: pages.map(|incident| visible(&incident.name)).collect(),
        unpaged,
    }
}

/// JSON that can stand in a script element: `<` escaped, so that nothing in it ends the element or begins a comment.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("maps with text keys").replace('<', "\\u003c")
}

impl Book<'_> {
    /// A sentence of a finding. Kit words are left out: whoever took them from this file would prove the file by itself.
    fn sentence(&self, text: &str) -> String {
        let kits = self.report.kits.iter();
        visible(&kits.fold(text.to_owned(), |text, kit| text.replace(&kit.words, "(the words on its bags)")))
    }
}

/// Something that is told of a record. `tells` is `time`, `place`, `title`, `txn`, `line`, or the name of a fact.
fn told(book: &Book<'_>, hash: &Hash, tells: &str, otherwise: &str) -> Markup {
    let Some(one) = book.told.get(hash) else { return html! { (visible(otherwise)) } };
    let text = match tells {
        "time" => one.time(),
        "place" => one.place(),
        "title" => one.title(),
        "line" => one.line(),
        fact => one.fact(fact),
    };
    html! { span data-record=(hash) data-tells=(tells) { (text) } }
}

/// Everything that is told of a record, as rows of label and value; what the browser makes of the same bytes must be the
/// same.
fn rows(book: &Book<'_>, hash: &Hash) -> Markup {
    let rows = book.told.get(hash).map(Told::rows).unwrap_or_default();
    html! {
        dl .told data-record=(hash) data-tells="rows" {
            @for (label, value) in rows { dt { (label) } dd { (value) } }
        }
    }
}

/// The mark of a record: the script says here whether it verified.
fn mark(hash: &Hash) -> Markup {
    html! { span .mark data-mark=(hash) { "not verified" } }
}

/// A bound of time.
fn bound(seconds: Option<i64>) -> String {
    seconds.map_or(String::from("not known"), time)
}

/// Claimed, not before, not after: the cells of a row.
fn times(book: &Book<'_>, place: &Place) -> Markup {
    html! {
        td { (told(book, &place.hash, "time", &time(place.time.claimed))) }
        td { (bound(place.time.lower)) }
        td { (bound(place.time.upper)) }
    }
}

/// `20000001-0a1b2c3d/4`, as far as it is enclosed, else the beginning of the hash.
fn named(book: &Book<'_>, hash: &Hash) -> Markup {
    match book.told.contains_key(hash) {
        true => html! { a href=(format!("#r-{}", hash)) { (told(book, hash, "place", "")) } },
        false => html! { code { (hash.short()) "…" } },
    }
}

fn records(number: usize) -> String {
    count(number, "record", "records")
}
