//! A request to the receiver, as it is judged before anything is stored; and an answer of a receiver, as a station judges it.
#![no_main]

use breakglass::audit::push::answer::{self as answered, Answer};
use breakglass::audit::receive::answer::{Judged, Request, judge};
use breakglass::record::token::{READ_CAP, Record};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(3, |byte| *byte == 0);
    let (Some(kind), Some(flags), Some(body)) = (parts.next(), parts.next(), parts.next()) else { return };
    let encoded = flags.first().is_some_and(|flag| flag & 1 == 1);
    let content_type = if kind.is_empty() { b"application/secevent+jwt" } else { kind };
    let issuers = ["https://records.example.org".to_owned()];
    let request = Request { content_type: Some(content_type), encoded, body };
    match judge(&request, &issuers) {
        // What goes to the ledger is a record of that organisation, or damage for it to set aside.
        Judged::Line => {
            assert!(!encoded && !body.is_empty() && body.len() <= READ_CAP);
            assert!(Record::parse(body).map_or(true, |record| issuers.contains(&record.iss)));
        }
        Judged::Aside(refusal) => assert!(!refusal.to_json().contains('\n') && !body.is_empty()),
        Judged::Nothing(_) => assert!(body.is_empty() || body.len() > READ_CAP),
    }
    let text = String::from_utf8_lossy(kind).into_owned();
    let status = flags.first_chunk().map_or(400, |bytes| u16::from_le_bytes(*bytes) % 600);
    let answer = Answer {
        status,
        content_type: Some(text.clone()),
        has_language: encoded,
        retry_after: Some(text.clone()),
        location: Some(text),
        body: body.into(),
    };
    let (verdict, _) = answered::judge(&answer, 1_795_262_400);
    let accepted = verdict == answered::Verdict::Accepted;
    assert!(!accepted || [200, 201, 202, 204].contains(&status));
});
