//! Every event in every format, read again by a strict reader of each.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::audit::finding::{Severity, Sort};
use crate::audit::ledger::Signature;
use crate::record::event::Event;
use crate::record::sample::{self, NOON};
use crate::record::token::Record;

mod readers;

use readers::{cef, rfc5424};

const FORMATS: [Format; 4] = [Format::Ocsf, Format::Ecs, Format::Cef, Format::Syslog];

/// One record of each event, hostile text included.
pub(super) fn every() -> Vec<Held> {
    let mut writer = sample::Writer::founder(1);
    for event in sample::every_event() {
        if !matches!(event, Event::KitFounded(_)) {
            writer.write(event);
        }
    }
    let mut hostile = sample::intent();
    if let Event::OpenIntent(facts) = &mut hostile {
        facts.reason = "a|b=c]d\\\"e\" rawEvent=x\r\nCEF:0|\u{202E}".into();
        facts.operator = "e=v]i\"l\\|".into();
    }
    writer.write(hostile);
    let held = |record: Record| Held { record, signature: Signature::Good, received: NOON + 86_400 };
    writer.records.into_iter().map(held).collect()
}

fn finding() -> Finding {
    Finding::new("LOGIN-WITHOUT-OPENING", Sort::Wrong, Severity::Critical, "a | login = of \"größe\" ]\\\nx")
        .of(Hash::of(b"kit"))
        .in_incident("INC=1|2")
        .on([Hash::of(b"one"), Hash::of(b"two")])
        .at(NOON)
        .then("breakglass rotate core-fw/admin")
}

fn write(format: Format, held: &Held) -> String {
    let line = Writer { format, most: None }.record(held, None);
    assert!(line.whole);
    assert!(!line.text.contains(['\n', '\r']), "one line");
    line.text
}

fn raw(held: &Held) -> &str {
    std::str::from_utf8(held.record.bytes()).unwrap()
}

/// The attributes that OCSF 1.4 requires: of the base event, of metadata and product, and of each class.
fn holds_what_ocsf_requires(event: &Value) {
    for name in ["activity_id", "category_uid", "class_uid", "severity_id", "time", "type_uid"] {
        assert!(event[name].is_i64() || event[name].is_u64(), "{name}: {event}");
    }
    let (class, activity) = (event["class_uid"].as_u64().unwrap(), event["activity_id"].as_u64().unwrap());
    assert_eq!(event["type_uid"], class * 100 + activity);
    assert_eq!(event["category_uid"], class / 1_000);
    assert_eq!(event["metadata"]["version"], "1.4.0");
    for name in ["name", "vendor_name"] {
        assert!(event["metadata"]["product"][name].is_string());
    }
    match class {
        3003 => {
            assert!(event["user"]["name"].is_string() && event["user"]["uid"].is_string());
            assert!(!event["privileges"].as_array().unwrap().is_empty(), "at least one of them");
            assert!([1, 2, 3].contains(&activity));
        }
        3004 => {
            assert!(event["entity"]["name"].is_string() && event["entity"]["type"].is_string());
            assert!([1, 2, 3, 4, 99].contains(&activity));
            assert!(
                activity != 99 || event["activity_name"].as_str().unwrap() != "Other",
                "named by its source"
            );
        }
        2004 => assert!(event["finding_info"]["uid"].is_string() && activity == 1),
        other => panic!("class {other}"),
    }
}

#[test]
fn ocsf_has_what_the_schema_requires_and_the_record_itself() {
    let mut classes = BTreeMap::new();
    for held in every() {
        let event: Value = serde_json::from_str(&write(Format::Ocsf, &held)).unwrap();
        holds_what_ocsf_requires(&event);
        assert_eq!(event["raw_data"], raw(&held));
        assert_eq!(event["time"], held.record.iat * 1_000);
        assert_eq!(event["metadata"]["logged_time"], held.received * 1_000);
        assert_eq!(event["metadata"]["uid"], held.record.hash().to_string());
        classes.insert(held.record.event.name(), (event["class_uid"].clone(), event["activity_id"].clone()));
    }
    assert_eq!(classes["open.intent"], (3003.into(), 1.into()));
    assert_eq!(classes["open.released"], (3003.into(), 1.into()));
    assert_eq!(classes["credential.sealed"], (3004.into(), 1.into()));
    assert_eq!(classes["key.retired"], (3004.into(), 4.into()));
    assert_eq!(classes["incident.closed"], (3004.into(), 3.into()));
    assert_eq!(classes.len(), Event::NAMES.len(), "each event");
    let line = Writer { format: Format::Ocsf, most: None }.finding(&finding(), NOON);
    let event: Value = serde_json::from_str(&line).unwrap();
    holds_what_ocsf_requires(&event);
    assert_eq!((&event["is_alert"], &event["severity_id"]), (&true.into(), &5.into()));
    assert_eq!(event["finding_info"]["related_events"].as_array().unwrap().len(), 2);
}

#[test]
fn ecs_has_its_categories_and_the_record_itself() {
    let expected = ["admin", "change", "creation", "deletion", "group", "info", "user"]; // of the category iam
    for held in every() {
        let event: Value = serde_json::from_str(&write(Format::Ecs, &held)).unwrap();
        assert_eq!(event["event"]["original"], raw(&held));
        assert_eq!(event["event"]["category"], serde_json::json!(["iam"]));
        for kind in event["event"]["type"].as_array().unwrap() {
            assert!(expected.contains(&kind.as_str().unwrap()), "{kind}");
        }
        assert_eq!(event["event"]["sequence"], held.record.link.seq);
        event["@timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        assert_eq!(event["event"]["created"], "2026-11-22T12:00:00Z");
    }
    let held = every().pop().unwrap();
    let event: Value = serde_json::from_str(&write(Format::Ecs, &held)).unwrap();
    assert_eq!(event["user"]["name"], "e=v]i\"l\\|", "as it was typed: JSON escapes");
    assert_eq!(event["user"]["target"], serde_json::json!({ "name": "root", "domain": "vsphere" }));
    let line = Writer { format: Format::Ecs, most: None }.finding(&finding(), NOON);
    let event: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&event["event"]["kind"], &event["rule"]["id"]),
        (&"alert".into(), &"LOGIN-WITHOUT-OPENING".into())
    );
}

#[test]
fn cef_keeps_its_fields_apart_whatever_people_type() {
    for held in every() {
        let (header, extension) = cef(&write(Format::Cef, &held));
        assert_eq!(header[..3], ["CEF:0", "breakglass", "breakglass-audit"]);
        assert_eq!(header[4], held.record.event.name());
        assert!((0..=10).contains(&header[6].parse::<u8>().unwrap()));
        assert_eq!(extension["rawEvent"], raw(&held));
        assert_eq!(extension["cs1"], hex::encode(held.record.hash().0));
        assert_eq!(extension["cs1Label"], "recordSha256");
        assert_eq!(extension["cn1"], held.record.link.seq.to_string());
    }
    let (_, extension) = cef(&write(Format::Cef, &every().pop().unwrap()));
    assert_eq!(extension["suser"], "e=v]i\"l\\|");
    assert_eq!(extension["reason"], "a|b=c]d\\\"e\" rawEvent=x\\u{d}\\u{a}CEF:0|\\u{202e}");
    let (header, extension) = cef(&Writer { format: Format::Cef, most: None }.finding(&finding(), NOON));
    assert_eq!((header[4].as_str(), header[6].as_str()), ("LOGIN-WITHOUT-OPENING", "10"));
    assert_eq!((extension["cs4"].as_str(), extension["cat"].as_str()), ("INC=1|2", "wrong"));
    assert_eq!(extension["msg"], "a | login = of \"größe\" ]\\\\u{a}x");
}

#[test]
fn syslog_is_what_the_rfc_says_and_ends_with_the_record() {
    for held in every() {
        let message = rfc5424(&write(Format::Syslog, &held));
        assert_eq!((message.facility, message.name.as_str()), (13, "breakglass-audit"));
        assert_eq!(message.id, held.record.event.name());
        assert_eq!(message.element, "breakglass@32473");
        assert_eq!(message.message, raw(&held));
        assert_eq!(message.parameters["hash"], held.record.hash().to_string());
    }
    let message = rfc5424(&write(Format::Syslog, &every().pop().unwrap()));
    assert_eq!(message.parameters["operator"], "e=v]i\"l\\|");
    assert_eq!(message.parameters["reason"], "a|b=c]d\\\"e\" rawEvent=x\\u{d}\\u{a}CEF:0|\\u{202e}");
    let message = rfc5424(&Writer { format: Format::Syslog, most: None }.finding(&finding(), NOON));
    assert_eq!((message.severity, message.id.as_str()), (2, "LOGIN-WITHOUT-OPENING"));
    assert_eq!(message.message, "\u{FEFF}a | login = of \"größe\" ]\\\\u{a}x");
}

#[test]
fn a_line_that_would_be_too_long_says_that_its_record_is_left_out() {
    let held = every();
    let long = &held[0]; // the enrolment, with its certificates
    for format in FORMATS {
        let whole = Writer { format, most: None }.record(long, None);
        let exactly = Writer { format, most: Some(whole.text.len()) }.record(long, None);
        assert_eq!(exactly, whole);
        let short = Writer { format, most: Some(whole.text.len() - 1) }.record(long, None);
        assert!(!short.whole && !short.text.contains(raw(long)), "{format:?}");
        assert!(short.text.contains(&long.record.hash().to_string()) || format == Format::Cef);
    }
    let writer = Writer { format: Format::Syslog, most: Some(SYSLOG_CAP) };
    let left_out: Vec<&str> = held
        .iter()
        .filter(|held| !writer.record(held, None).whole)
        .map(|held| held.record.event.name())
        .collect();
    assert!(!left_out.contains(&"open.intent") && !left_out.contains(&"open.released"), "{left_out:?}");
    assert!(held.iter().all(|held| writer.record(held, None).text.len() <= SYSLOG_CAP));
}

#[test]
fn a_finding_has_the_same_identifier_each_time() {
    let one = identifier(&finding());
    assert_eq!(one, identifier(&finding()));
    assert_ne!(one, identifier(&Finding { text: "another".into(), ..finding() }));
    assert_ne!(one, identifier(&Finding { incident: None, ..finding() }));
}

#[test]
fn a_bad_signature_is_said_and_weighs() {
    let mut held = every().pop().unwrap();
    held.signature = Signature::Bad;
    let event: Value = serde_json::from_str(&write(Format::Ocsf, &held)).unwrap();
    assert_eq!((&event["severity_id"], &event["unmapped"]["signature"]), (&4.into(), &"bad".into()));
    assert!(event["message"].as_str().unwrap().ends_with("its signature is not that of its key"));
}

proptest::proptest! {
    #[test]
    fn whatever_people_type_can_be_read_again(reason in ".{0,80}", operator in ".{0,40}", iat: i64) {
        let mut writer = sample::Writer::founder(1);
        let mut event = sample::intent();
        if let Event::OpenIntent(facts) = &mut event {
            (facts.reason, facts.operator) = (reason.clone(), operator.clone());
        }
        let mut draft = writer.draft(event);
        draft.iat = iat.clamp(-(1 << 52), 1 << 52);
        let record = writer.sign(draft);
        writer.records.push(record.clone());
        let held = Held { record, signature: Signature::Good, received: NOON };
        let ocsf: Value = serde_json::from_str(&write(Format::Ocsf, &held)).unwrap();
        proptest::prop_assert_eq!(ocsf["unmapped"]["reason"].as_str(), Some(reason.as_str()));
        let ecs: Value = serde_json::from_str(&write(Format::Ecs, &held)).unwrap();
        proptest::prop_assert_eq!(ecs["user"]["name"].as_str(), Some(operator.as_str()));
        let (_, extension) = cef(&write(Format::Cef, &held));
        proptest::prop_assert_eq!(&extension["rawEvent"], raw(&held));
        proptest::prop_assert_eq!(extension.get("suser").cloned().unwrap_or_default(), text::visible(&operator));
        let message = rfc5424(&write(Format::Syslog, &held));
        proptest::prop_assert_eq!(&message.message, raw(&held));
        proptest::prop_assert_eq!(message.parameters.get("operator").cloned().unwrap_or_default(), text::visible(&operator));
    }
}
