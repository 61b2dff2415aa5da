//! `doc/record-format.md` says what the code does: the same example, the same events, the same members.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass::attestation;
use breakglass::record::chain::{Chain, Depth};
use breakglass::record::event::{EVENT_BASE, Event, Override};
use breakglass::record::interop::jwks;
use breakglass::record::token::{READ_CAP, REASON_CAP, Record, WRITTEN_CAP};
use breakglass::record::{event, hash, token};
use p256::ecdsa::Signature;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use serde_json::{Value, json};

#[path = "../src/record/sample.rs"]
mod sample;

use sample::Writer;

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("doc/record-format.md");
    fs::read_to_string(path).expect("the format document")
}

/// The fenced block of this kind.
fn block(kind: &str) -> String {
    let document = document();
    let (_, rest) =
        document.split_once(&format!("\n```{kind}\n")).unwrap_or_else(|| panic!("no block {kind}"));
    rest.split_once("\n```\n").expect("the block ends").0.to_owned()
}

/// The record of the example, and the key set to verify it.
fn example() -> (Record, Value) {
    let mut writer = Writer::founder(1);
    writer.seen = BTreeMap::from([("20000002-9c0f3a51".into(), (17, hash::Hash::of(b"head")))]);
    let Event::OpenIntent(mut facts) = sample::intent() else { unreachable!() };
    facts.reason = "storage controller lost, console unreachable".into();
    facts.overrides.clear();
    facts.consent = None;
    let record = writer.write(Event::OpenIntent(facts));
    let chain = Chain::read(&writer.name(), &writer.journal(), Depth::Every);
    let mut jwk = serde_json::from_str::<Value>(&jwks([&chain])).expect("a key set")["keys"][0].take();
    jwk.as_object_mut().expect("a key").remove("x5c");
    (record, jwk)
}

/// Header and payload of a record.
fn opened(record: &Record) -> (String, String) {
    let text = std::str::from_utf8(record.bytes()).expect("base64url and dots");
    let mut parts = text
        .split('.')
        .map(|part| String::from_utf8(URL_SAFE_NO_PAD.decode(part).expect("base64url")).unwrap_or_default());
    (parts.next().expect("a header"), parts.next().expect("a payload"))
}

#[test]
fn the_example_is_a_record_of_this_code() {
    let (record, jwk) = example();
    let (header, payload) = opened(&record);
    let value = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    let squeezed: String = block("jws").split_whitespace().collect();
    let text = String::from_utf8_lossy(record.bytes());
    assert!(squeezed == text, "the example is\n{text}");
    assert_eq!(value(&block("header")), value(&header), "the header is\n{header}");
    assert_eq!(value(&block("claims")), value(&payload), "the claims are\n{payload}");
    assert_eq!(value(&block("jwk")), jwk, "the key is\n{jwk}");
}

/// The rows of the table that follows this heading: name of the member, and whether it is needed.
fn table(heading: &str) -> BTreeMap<String, String> {
    let document = document();
    let (_, rest) =
        document.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no heading {heading}"));
    let rows = rest
        .lines()
        .take_while(|line| !line.starts_with('#'))
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    rows.map(|(name, rest)| {
        let needed = rest.split_once(" | ").expect("three columns").0;
        (name.to_owned(), needed.to_owned())
    })
    .collect()
}

/// One record of each event with every member given.
fn full_records() -> Vec<(Writer, Record)> {
    let first = Writer::new(1);
    let mut enrolment = first.fido2_enrolment(&mut first.authenticator());
    if let Event::KeyEnrolled(facts) = &mut enrolment {
        facts.minting = BTreeMap::from([("83".into(), facts.sealing)]);
        facts.overrides = vec![Override { rule: "YSA-2024-03".into(), why: "no other key".into() }];
    }
    let mut records = vec![enrolment];
    records.extend(sample::every_event());
    let written = |event: Event| {
        let mut writer = match event {
            Event::KeyEnrolled(_) => Writer::new(1),
            _ => Writer::founder(1),
        };
        if matches!(event, Event::KitFounded(_)) {
            writer.kit = None;
        }
        let record = writer.write(event);
        (writer, record)
    };
    records.into_iter().map(written).collect()
}

/// What reading says of this record after its header and claims were rewritten and signed anew.
fn rewritten(
    writer: &Writer,
    record: &Record,
    change: impl Fn(&mut Value, &mut Value),
) -> Result<(), String> {
    let (header, payload) = opened(record);
    let [mut header, mut claims]: [Value; 2] =
        [header, payload].map(|text| serde_json::from_str(&text).expect("JSON"));
    change(&mut header, &mut claims);
    let [header, claims] = [header, claims].map(|value| URL_SAFE_NO_PAD.encode(value.to_string()));
    let signed = format!("{header}.{claims}");
    let digest = hash::Hash::of(signed.as_bytes()).0;
    let signature: Signature = writer.key.sign_prehash(&digest).expect("32 bytes");
    let signature = URL_SAFE_NO_PAD.encode(signature.normalize_s().to_bytes());
    Record::parse(format!("{signed}.{signature}").as_bytes()).map(|_| ()).map_err(|error| error.to_string())
}

/// The members that the code knows beside one that nobody knows, from what it says when it refuses that.
fn known(refusal: Result<(), String>) -> Vec<String> {
    let refusal = refusal.expect_err("an unknown member is refused");
    let (_, names) = refusal.split_once("`?`, expected ").unwrap_or_else(|| panic!("{refusal}"));
    let mut names: Vec<String> = names.split('`').skip(1).step_by(2).map(String::from).collect();
    names.sort();
    names
}

fn names(table: BTreeMap<String, String>) -> Vec<String> {
    table.into_keys().collect()
}

fn uri(record: &Record) -> String {
    format!("{EVENT_BASE}{}", record.event.name())
}

#[test]
fn header_claims_and_event_object_have_the_members_of_the_document() {
    for (writer, record) in full_records() {
        let uri = uri(&record);
        let header = rewritten(&writer, &record, |header, _| header["?"] = json!(1));
        assert_eq!(known(header), names(table("## Header")));
        let claims = rewritten(&writer, &record, |_, claims| claims["?"] = json!(1));
        assert_eq!(known(claims), names(table("## Claims")));
        let object = rewritten(&writer, &record, |_, claims| claims["events"][&uri]["?"] = json!(1));
        assert_eq!(known(object), names(table("## Event object")));
    }
}

#[test]
fn every_event_has_the_facts_of_the_document_and_needs_those_that_it_says() {
    let records = full_records();
    let events: Vec<&str> = records.iter().map(|(_, record)| record.event.name()).collect();
    assert_eq!(events, Event::NAMES);
    for (writer, record) in records {
        let (uri, name) = (uri(&record), record.event.name());
        let facts = table(&format!("### `{name}`"));
        let refusal =
            rewritten(&writer, &record, |_, claims| claims["events"][&uri]["facts"]["?"] = json!(1));
        assert_eq!(known(refusal), names(facts.clone()), "{name}");
        for (fact, needed) in facts {
            let without = rewritten(&writer, &record, |_, claims| {
                let facts = claims["events"][&uri]["facts"].as_object_mut().expect("facts");
                facts.remove(&fact).unwrap_or_else(|| panic!("the sample of {name} lacks {fact}"));
            });
            let expected = match needed.as_str() {
                "yes" => Err(()),
                "no" => Ok(()),
                other => panic!("{name}: {fact} is needed {other:?}"),
            };
            assert_eq!(without.map_err(drop), expected, "{name} without {fact}");
        }
    }
}

#[test]
fn the_document_names_no_other_event_and_states_the_limits() {
    let document = document();
    let headings: Vec<&str> =
        document.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`')).collect();
    assert_eq!(headings, Event::NAMES);
    assert!(document.contains(EVENT_BASE));
    for (limit, text) in [(READ_CAP, "65,536 bytes"), (WRITTEN_CAP, "2,600 bytes"), (REASON_CAP, "256 bytes")]
    {
        assert_eq!(text.replace(',', ""), format!("{limit} bytes"));
        assert!(document.contains(text), "{text}");
    }
}
