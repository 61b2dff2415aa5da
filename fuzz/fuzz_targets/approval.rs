//! Foreign bytes as a request and as an approval; and as the texts of a request, and as a change of an approval that is
//! whole, so that the fuzzer gets past the one spelling and the hashes.
#![no_main]

use breakglass::attestation;
use breakglass::kit::approval::{Approval, facts};
use breakglass::kit::request::{Asked, KIND, READ_CAP, Request};
use breakglass::record::event::{Event, Random};
use breakglass::record::{event, hash, token};
use libfuzzer_sys::fuzz_target;

#[path = "../../src/record/sample.rs"]
mod sample;

fuzz_target!(|data: &[u8]| {
    hold_request(data);
    hold_approval(data);
    let mut texts = data.splitn(4, |byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned());
    let mut next = || texts.next().unwrap_or_default();
    let (reason, document, number, operator) = (next(), next(), next(), next());
    let mut writer = sample::Writer::founder(1);
    let asked = Asked {
        breakglass: KIND.into(),
        kit: writer.kit.expect("founded"),
        policy: hash::Hash::of(b"policy"),
        credential: "core-db/root".into(),
        generation: 1,
        emergency: "pam-outage".parse().expect("a name"),
        incident: "2026-11-21-database-down".into(), // of every sample record
        reason,
        operator: operator.parse().unwrap_or_else(|_| "ada".parse().expect("a name")),
        document,
        number,
        seen_by: "dana".parse().expect("a name"),
        at: sample::NOON,
        until: sample::NOON + 3_600,
        nonce: Random([7; 32]),
    };
    let Ok(request) = Request::of(asked) else { return };
    hold_request(request.bytes());
    // No name of a person, so never that of who asks.
    writer.write(Event::RequestApproved(facts(&request, "Bob")));
    let approval = Approval::of(request, &writer.records).expect("it approves that request");
    let whole = approval.bytes();
    hold_approval(&whole);
    // The bytes in place of as many others, from the end.
    let mut changed = whole.clone();
    let at = changed.len().saturating_sub(data.len());
    changed[at..].copy_from_slice(&data[data.len() - (whole.len() - at)..]);
    if let Some(other) = hold_approval(&changed) {
        let good = other.record().verify(&writer.verifying_key()).is_ok();
        assert!(!good || other == approval, "a changed approval verifies");
    }
});

/// What is read as a request is just these bytes but for the end, and says what it says in one way.
fn hold_request(bytes: &[u8]) {
    let Ok(request) = Request::parse(bytes) else { return };
    assert!(request.bytes().len() <= READ_CAP);
    assert_eq!(request.bytes(), bytes.trim_ascii_end());
    assert_eq!(serde_json::to_vec(&request.asked).expect("JSON"), request.bytes());
    assert_eq!(Request::of(request.asked.clone()).expect("what was read can be made"), request);
    assert!(!request.asked.reason.chars().any(char::is_control));
    let _ = (request.credential(), request.words(), request.file_name());
}

/// What is read as an approval can be written and read again.
fn hold_approval(bytes: &[u8]) -> Option<Approval> {
    let approval = Approval::parse(bytes).ok()?;
    assert_eq!(Approval::parse(&approval.bytes()).expect("what is written can be read"), approval);
    assert_eq!(approval.facts().request, approval.request.hash());
    Some(approval)
}
