//! What a report tells of one record: labels and values, made from the bytes that were signed. `page/told.js` makes the same
//! from the same table and the same bytes in the reader's browser, and compares.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::words::{time, visible};
use crate::record::token::Record;

/// Titles of events, which facts of each are told, and in which words: one table for this file and for the page.
pub(super) const TABLE: &str = include_str!("told.json");

static WORDS: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(TABLE).expect("the table is JSON"));

/// What a record says, as it is told.
pub(super) struct Told {
    facts: Value,
    event: String,
    txn: Option<String>,
    place: String,
    iat: i64,
}

impl Told {
    /// From the exact bytes.
    pub(super) fn of(record: &Record) -> Self {
        let input = record.signing_input();
        let dot = memchr::memchr(b'.', input).map_or(input.len(), |dot| dot + 1);
        let payload = URL_SAFE_NO_PAD.decode(&input[dot..]).unwrap_or_default();
        let mut claims: Value = serde_json::from_slice(&payload).unwrap_or_default();
        let event = record.event.name().to_owned();
        let uri = format!("{}{event}", crate::record::event::EVENT_BASE);
        Told {
            facts: claims["events"][uri.as_str()]["facts"].take(),
            event,
            txn: record.txn.clone(),
            place: place(record),
            iat: record.iat,
        }
    }

    /// What happened, in two or three words.
    pub(super) fn title(&self) -> String {
        WORDS["titles"][&self.event].as_str().unwrap_or(&self.event).to_owned()
    }

    /// Whether it is such an event.
    pub(super) fn is(&self, event: &str) -> bool {
        self.event == event
    }

    /// Claimed time.
    pub(super) fn time(&self) -> String {
        time(self.iat)
    }

    /// `<serial>-<kid8>/<seq>`.
    pub(super) fn place(&self) -> String {
        self.place.clone()
    }

    /// One fact.
    pub(super) fn fact(&self, name: &str) -> String {
        match name {
            "counter" => counter(&self.facts["data"]),
            "from" | "until" => self.facts[name].as_i64().map(time).unwrap_or_default(),
            "skipped" => value(&self.facts["consent"]["skipped"]),
            _ => value(&self.facts[name]),
        }
    }

    /// The facts that are told of such an event, each with its label; those that it lacks are left out.
    pub(super) fn facts(&self) -> Vec<(String, String)> {
        let names = WORDS["facts"][&self.event].as_array().into_iter().flatten();
        let told = names.filter_map(Value::as_str).map(|name| {
            let label = WORDS["labels"][name].as_str().unwrap_or(name);
            (label.to_owned(), self.fact(name))
        });
        let incident = self.txn.as_ref().map(|txn| (String::from("incident"), visible(txn)));
        incident.into_iter().chain(told).filter(|(_, value)| !value.is_empty()).collect()
    }

    /// Everything, as rows.
    pub(super) fn rows(&self) -> Vec<(String, String)> {
        let mut rows = self.facts();
        rows.push(("claimed time".into(), self.time()));
        rows.push(("record".into(), self.place()));
        rows
    }

    /// The facts on one line.
    pub(super) fn line(&self) -> String {
        let facts: Vec<String> =
            self.facts().into_iter().map(|(label, value)| format!("{label} {value}")).collect();
        facts.join(" · ")
    }
}

/// `<serial>-<kid8>/<seq>`.
pub(super) fn place(record: &Record) -> String {
    format!("{}/{}", record.chain_name(), record.link.seq)
}

/// JSON for people: the same in `page/told.js`.
fn value(json: &Value) -> String {
    match json {
        Value::Null => String::new(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => visible(text),
        Value::Array(list) => list.iter().map(value).collect::<Vec<_>>().join("; "),
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort();
            let told: Vec<String> =
                names.iter().map(|name| format!("{name} {}", value(&members[*name]))).collect();
            told.join(", ")
        }
    }
}

/// The signature counter in authenticator data: four bytes after hash and flags (WebAuthn level 2, section 6.1).
fn counter(data: &Value) -> String {
    let bytes = URL_SAFE_NO_PAD.decode(data.as_str().unwrap_or_default()).unwrap_or_default();
    match bytes.get(33..37).and_then(|four| four.try_into().ok()) {
        Some(four) => u32::from_be_bytes(four).to_string(),
        None => String::new(),
    }
}
