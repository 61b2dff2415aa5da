use p256::ecdsa::signature::hazmat::PrehashSigner;
use proptest::prelude::*;

use super::*;
use crate::record::event::*;
use crate::record::sample::{self, Writer};

/// Signs this header and payload as they stand, right or wrong.
fn jws(writer: &Writer, header: &str, payload: &str) -> Vec<u8> {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature: Signature = writer.key.sign_prehash(&Hash::of(signed.as_bytes()).0).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.normalize_s().to_bytes())).into_bytes()
}

/// Header and payload of a record, as text.
fn opened(record: &Record) -> (String, String) {
    let parts = Parts::split(record.bytes()).unwrap();
    let text = |part| String::from_utf8(decode(part, "").unwrap()).unwrap();
    (text(parts.header), text(parts.payload))
}

/// The error of an opening whose header and payload were rewritten before it was signed.
fn rewritten(change: impl Fn(&mut String, &mut String)) -> RecordError {
    let mut writer = Writer::founder(1);
    let record = writer.write(sample::intent());
    let (mut header, mut payload) = opened(&record);
    let before = (header.clone(), payload.clone());
    Record::parse(&jws(&writer, &header, &payload)).expect("unchanged it is good");
    change(&mut header, &mut payload);
    assert_ne!((&before.0, &before.1), (&header, &payload), "the change found nothing to change");
    Record::parse(&jws(&writer, &header, &payload)).expect_err("must be refused")
}

/// The same, with one text replaced by another wherever it is found.
fn replaced(from: &str, to: &str) -> RecordError {
    rewritten(|header, payload| {
        *header = header.replacen(from, to, 1);
        *payload = payload.replacen(from, to, 1);
    })
}

#[test]
fn every_event_reads_back_as_it_was_written() {
    let mut writer = Writer::new(1);
    let enrolment = writer.enrolment();
    let mut written = vec![writer.write(enrolment)];
    written.push(writer.write(sample::founding()));
    writer.kit = Some(written[1].hash());
    writer.seen.insert("20000002-01020304".into(), (7, Hash::of(b"seen")));
    written.extend(sample::every_event().into_iter().skip(1).map(|event| writer.write(event)));
    for record in &written {
        let read = Record::parse(record.bytes()).unwrap();
        assert_eq!(&read, record);
        read.verify(&writer.verifying_key()).unwrap();
        read.verify(&Writer::new(2).verifying_key()).unwrap_err();
        assert_eq!(read.hash(), Hash::of(read.bytes()));
    }
    let names: Vec<_> = written.iter().map(|record| record.event.name()).collect();
    assert_eq!(names, Event::NAMES);
}

#[test]
fn header_and_claims_are_exactly_these() {
    let mut writer = Writer::founder(1);
    let (header, _) = opened(&writer.records[0]);
    let kid = writer.records[0].kid;
    assert_eq!(
        header,
        format!(r#"{{"alg":"ES256","typ":"secevent+jwt","kid":"{kid}","x5c":["MAMCAQE=","MAA="]}}"#)
    );
    let (header, payload) = opened(&writer.write(Event::KeyPinChanged(KeyPinChanged { what: "pin".into() })));
    assert_eq!(header, format!(r#"{{"alg":"ES256","typ":"secevent+jwt","kid":"{kid}"}}"#));
    let [kit, policy, tool] = [writer.kit.unwrap(), Hash::of(b"policy"), Hash::of(b"breakglass")];
    let body = format!(
        r#"{{"kit":"{kit}","seq":2,"prev":"{kit}","seen":{{}},"policy":"{policy}","tool":"{tool}","facts":{{"what":"pin"}}}}"#
    );
    assert_eq!(
        payload,
        format!(
            r#"{{"iss":"https://records.example.org","sub_id":{{"format":"opaque","id":"20000001"}},"jti":"20000001-2","iat":1795262520,"events":{{"https://breakglass.example/event/v1/key.pin-changed":{body}}}}}"#
        )
    );
}

#[test]
fn members_are_read_in_any_order() {
    let writer = Writer::founder(1);
    let (_, payload) = opened(&writer.records[1]);
    let header = format!(r#" {{ "kid":"{}", "typ":"secevent+jwt", "alg":"ES256" }} "#, writer.records[1].kid);
    let turned = payload.replacen(r#"{"iss":"https://records.example.org","#, "{", 1);
    let turned = format!(r#"{},"iss":"https://records.example.org"}}"#, &turned[..turned.len() - 1]);
    let record = Record::parse(&jws(&writer, &header, &turned)).unwrap();
    assert_eq!(*record, *writer.records[1]);
}

#[test]
fn the_other_spelling_of_a_signature_is_never_written_and_never_read() {
    let writer = Writer::founder(1);
    let draft = writer.draft(sample::intent());
    let input = draft.signing_input().unwrap();
    let low: Signature = writer.key.sign_prehash(&input.digest()).unwrap();
    let low = low.normalize_s();
    let high = Signature::from_scalars(low.r(), -low.s()).unwrap();
    let record = input.clone().finish(&low);
    assert_eq!(input.finish(&high), record);
    let text = String::from_utf8(record.bytes().to_vec()).unwrap();
    let forged = format!("{}.{}", &text[..record.0.input], URL_SAFE_NO_PAD.encode(high.to_bytes()));
    assert!(es256::verify(&writer.verifying_key(), record.signing_input(), &high), "it is a good signature");
    assert!(matches!(Record::parse(forged.as_bytes()), Err(RecordError::SignatureNotLow)));
}

#[test]
fn other_algorithms_types_and_header_members_are_refused() {
    for alg in ["none", "ES384", "HS256", "es256", "RS256", ""] {
        let error = replaced("\"ES256\"", &format!("{alg:?}"));
        assert!(matches!(error, RecordError::Algorithm(found) if found == alg));
    }
    for typ in ["JWT", "SECEVENT+JWT", "application/secevent+jwt"] {
        assert!(matches!(replaced("secevent+jwt", typ), RecordError::Type(found) if found == typ));
    }
    for member in [
        r#""crit":["exp"]"#,
        r#""jwk":{}"#,
        r#""jku":"https://a.example"#,
        r#""x5u":"https://a""#,
        r#""b64":true"#,
    ] {
        let error = rewritten(|header, _| *header = format!("{{{member},{}", &header[1..]));
        assert!(matches!(error, RecordError::Header(_)), "{member}: {error}");
    }
    for absent in [r#""alg":"ES256","#, r#""typ":"secevent+jwt","#] {
        assert!(matches!(replaced(absent, ""), RecordError::Header(_)));
    }
}

#[test]
fn duplicate_members_are_refused_at_every_level() {
    let header = [r#""alg":"none","#, r#""\u0061lg":"ES256","#];
    for first in header {
        let error = rewritten(|header, _| *header = format!("{{{first}{}", &header[1..]));
        assert!(matches!(error, RecordError::Header(_)), "{first}: {error}");
    }
    let other = Hash::of(b"other");
    for (at, first) in [
        ("{\"iss\"", "{\"iss\":\"https://other.example\",\"iss\"".into()),
        ("{\"format\"", "{\"format\":\"opaque\",\"format\"".into()),
        ("\"seq\"", "\"seq\":1,\"seq\"".into()),
        ("\"tool\"", format!("\"tool\":\"{other}\",\"tool\"")),
        ("\"generation\"", "\"generation\":9,\"generation\"".into()),
        ("{\"rule\"", "{\"rule\":\"none\",\"rule\"".into()),
        ("\"seen\":{", format!("\"seen\":{{\"a\":[1,\"{other}\"],\"a\":[2,\"{other}\"]")),
    ] {
        let error = replaced(at, &first);
        assert!(
            matches!(&error, RecordError::Claims(cause) if cause.to_string().contains("duplicate")),
            "{error}"
        );
    }
    for name in ["attestations", "files", "heads"] {
        let writer = Writer::founder(1);
        let event = match name {
            "attestations" => writer.enrolment(),
            "files" => sample::every_event().remove(5),
            _ => sample::every_event().remove(10),
        };
        let draft = if name == "attestations" { Writer::new(1).draft(event) } else { writer.draft(event) };
        let (header, payload) = opened(&writer.sign(draft));
        let start = payload.find(&format!("\"{name}\":{{")).unwrap() + name.len() + 4;
        let end = start + payload[start..].find('}').unwrap();
        let twice = format!("{},{}", &payload[..end], &payload[start..]);
        let error = Record::parse(&jws(&writer, &header, &twice)).unwrap_err();
        assert!(error.to_string().contains("duplicate"), "{name}: {error}");
    }
}

#[test]
fn two_events_or_none_are_refused() {
    let second = format!(r#"{{"{EVENT_BASE}exported":{{}},"#);
    for error in [
        rewritten(|_, payload| {
            *payload = payload.replacen("\"events\":{", &format!("\"events\":{second}"), 1)
        }),
        rewritten(|_, payload| {
            *payload = format!("{}{{}}}}", payload.split_at(payload.find("\"events\":").unwrap() + 9).0)
        }),
        rewritten(|_, payload| {
            let end = payload.len() - 2;
            *payload = format!(r#"{},"https://other.example/x":{{}}}}}}"#, &payload[..end]);
        }),
        // The same event twice, equal.
        rewritten(|_, payload| {
            let start = payload.find("\"events\":{").unwrap() + 10;
            let body = payload[start..payload.len() - 2].to_owned();
            *payload = format!("{}{body},{body}}}}}", &payload[..start]);
        }),
    ] {
        assert!(matches!(&error, RecordError::Claims(_)), "{error}");
    }
}

#[test]
fn an_event_of_the_future_asks_for_a_newer_version() {
    for (from, to) in [("v1/open.intent", "v1/open.closed"), ("v1/open.intent", "v2/open.intent")] {
        let error = replaced(from, to);
        assert!(matches!(&error, RecordError::UnknownEvent(uri) if uri.ends_with(to)), "{error}");
        assert!(error.to_string().contains("a newer one is needed"));
    }
}

#[test]
fn claims_of_other_shape_are_refused() {
    for (from, to) in [
        ("\"jti\"", "\"exp\":1,\"jti\""),
        ("\"jti\"", "\"sub\":\"a\",\"jti\""),
        ("\"jti\"", "\"aud\":\"a\",\"jti\""),
        ("\"seq\":2", "\"seq\":2.0"),
        ("\"seq\":2", "\"seq\":2e0"),
        ("\"seq\":2", "\"seq\":-2"),
        ("\"seq\":2", "\"seq\":\"2\""),
        ("\"seq\":2", "\"seq\":9007199254740992"),
        ("\"seq\":2", "\"seq\":18446744073709551616"),
        ("\"generation\":3", "\"generation\":9007199254740992"),
        ("\"iat\":1", "\"iat\":0.1"),
        ("\"iat\":1", "\"iat\":9007199254740992"),
        ("\"tries\":3", "\"tries\":256"),
        ("\"presence\":true", "\"presence\":1"),
        ("\"presence\":true", "\"presence\":null"),
        ("\"txn\":", "\"txn\":null,\"x\":"),
        ("\"seen\":{}", "\"seen\":[]"),
        ("\"seen\":{}", "\"seen\":{\"a\":[1,2]}"),
        ("\"seen\":{}", "\"seen\":{\"a\":[]}"),
        ("\"seen\":{},", ""),
        (
            "\"overrides\":[{\"rule\":\"gap\",\"why\":\"stick was lost\"}]",
            "\"overrides\":[[\"gap\",\"why\"]]",
        ),
        ("\"overrides\":[{\"rule\":\"gap\",\"why\":\"stick was lost\"}]", "\"overrides\":null"),
        ("\"reason\":\"", "\"reason\":\"\\ud800"),
        ("\"reason\":\"", "\"reason\":\"\u{1}"),
        ("{\"format\":\"opaque\",\"id\":\"20000001\"}", "[\"opaque\",\"20000001\"]"),
    ] {
        let error = replaced(from, to);
        assert!(matches!(&error, RecordError::Claims(_)), "{to}: {error}");
    }
    let facts_as_a_list = rewritten(|_, payload| {
        let start = payload.find("\"facts\":").unwrap() + 8;
        *payload = format!("{}[\"a\",1,\"b\",\"c\",\"d\",\"e\",true,3,[]]}}}}}}", &payload[..start]);
    });
    assert!(facts_as_a_list.to_string().contains("expected an object"), "{facts_as_a_list}");
    let trailing = rewritten(|_, payload| payload.push('1'));
    assert!(matches!(trailing, RecordError::Claims(_)));
    let real = Writer::founder(1);
    let (header, payload) = opened(&real.records[1]);
    let payload = payload.replacen("\"kind\":\"practice\"", "\"kind\":{\"practice\":null}", 1);
    assert!(matches!(Record::parse(&jws(&real, &header, &payload)), Err(RecordError::Claims(_))));
}

#[test]
fn a_header_or_payload_that_is_a_list_or_deeply_nested_is_refused() {
    let error = rewritten(|header, _| *header = r#"["ES256","secevent+jwt","a"]"#.into());
    assert!(matches!(error, RecordError::Header(_)));
    for bomb in ["[".repeat(40_000), "{\"a\":".repeat(8_000)] {
        let error = rewritten(|_, payload| *payload = bomb.clone());
        assert!(matches!(error, RecordError::Claims(_)));
        let inside = format!(r#"{{"events":{{"https://other.example/x":{bomb}"#);
        let error = rewritten(|_, payload| *payload = inside.clone());
        assert!(matches!(error, RecordError::Claims(_)));
    }
}

#[test]
fn parts_that_contradict_each_other_are_refused() {
    let contradiction = |from: &str, to: &str| {
        let error = replaced(from, to);
        assert!(matches!(error, RecordError::Contradiction(_)), "{from} -> {to}: {error}");
    };
    contradiction("https://records", "http://records");
    contradiction("https://records", "https://re cords");
    contradiction("\"seq\":2", "\"seq\":0");
    contradiction("\"id\":\"20000001\"", "\"id\":\"020000001\"");
    contradiction("\"id\":\"20000001\"", "\"id\":\"+20000001\"");
    contradiction("\"id\":\"20000001\"", "\"id\":\"4294967296\"");
    contradiction("\"opaque\"", "\"email\"");
    contradiction("\"txn\":\"2026-11-21-database-down\",", "");
    contradiction("2026-11-21-database-down", "");
    let kit = Writer::founder(1).kit.unwrap();
    contradiction(&format!("\"kit\":\"{kit}\","), "");
    let founding = Writer::founder(1);
    let mut draft = founding.draft(sample::founding());
    assert!(matches!(draft.clone().signing_input(), Err(RecordError::Contradiction(_))));
    draft.link.kit = None;
    founding.sign(draft);
}

#[test]
fn the_rules_of_the_first_record() {
    let writer = Writer::new(1);
    let refused = |change: &dyn Fn(&mut Draft)| {
        let mut draft = writer.draft(writer.enrolment());
        change(&mut draft);
        let error = draft.signing_input().unwrap_err();
        assert!(matches!(error, RecordError::Contradiction(_)), "{error}");
    };
    refused(&|draft| draft.x5c.clear());
    refused(&|draft| draft.link.prev = Some(Hash::of(b"before")));
    refused(&|draft| draft.serial = Serial(1));
    refused(&|draft| draft.kid = KeyId(Hash::of(b"another key")));
    refused(&|draft| (draft.link.seq, draft.link.prev) = (1, Some(Hash::of(b"before"))));
    refused(&|draft| draft.event = sample::intent());
}

#[test]
fn base64_has_one_spelling() {
    let writer = Writer::founder(1);
    let good = String::from_utf8(writer.records[1].bytes().to_vec()).unwrap();
    let parts: Vec<&str> = good.split('.').collect();
    let base64 = |text: String| match Record::parse(text.as_bytes()) {
        Err(RecordError::Base64 { part, .. }) => part,
        other => panic!("{other:?}"),
    };
    assert_eq!(base64(format!("{}=.{}.{}", parts[0], parts[1], parts[2])), "header");
    assert_eq!(base64(format!("{}.{}=.{}", parts[0], parts[1], parts[2])), "payload");
    assert_eq!(base64(format!("{good}==")), "signature");
    assert_eq!(base64(format!(" {good}")), "header");
    // 64 bytes end in a character of which four bits are not used.
    let last = good.chars().last().unwrap();
    let unused = char::from(last as u8 + 1);
    assert!("AQgw".contains(last), "{last}");
    assert_eq!(base64(format!("{}{unused}", &good[..good.len() - 1])), "signature");
    let standard = good.replacen(['-', '_'], "+", 1);
    assert_ne!(standard, good);
    base64(standard);
}

#[test]
fn what_a_program_did_to_the_file_as_text_is_named_and_not_taken() {
    let writer = Writer::founder(1);
    let good = writer.records[1].bytes();
    let windows = Record::parse(&[good, b"\r"].concat()).unwrap_err();
    assert!(matches!(windows, RecordError::CarriageReturn), "{windows}");
    for mark in [&b"\xEF\xBB\xBF"[..], b"\xFF\xFE"] {
        let marked = Record::parse(&[mark, good].concat()).unwrap_err();
        assert!(matches!(marked, RecordError::ByteOrderMark), "{marked}");
    }
    // What is no record anyhow is not told of by its line ends.
    assert!(matches!(Record::parse(b"hello\r"), Err(RecordError::Parts { parts: 1 })));
}

#[test]
fn signatures_of_other_form_are_refused() {
    let writer = Writer::founder(1);
    let record = &writer.records[1];
    let signed = std::str::from_utf8(record.signing_input()).unwrap();
    let with = |bytes: &[u8]| Record::parse(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bytes)).as_bytes());
    let der = record.signature().to_der();
    assert!(matches!(with(der.as_bytes()), Err(RecordError::SignatureLength { bytes: 70..=72 })));
    assert!(matches!(with(&[]), Err(RecordError::SignatureLength { bytes: 0 })));
    assert!(matches!(with(&[1; 65]), Err(RecordError::SignatureLength { bytes: 65 })));
    assert!(matches!(with(&[0; 64]), Err(RecordError::SignatureRange)));
    assert!(matches!(with(&[0xFF; 64]), Err(RecordError::SignatureRange)));
    assert!(matches!(Record::parse(signed.as_bytes()), Err(RecordError::Parts { parts: 2 })));
    assert!(matches!(Record::parse(b""), Err(RecordError::Parts { parts: 1 })));
    assert!(matches!(Record::parse(b"a.b.c.d.e"), Err(RecordError::Parts { parts: 5 })));
}

#[test]
fn certificates_are_canonical_base64() {
    let writer = Writer::founder(1);
    let (header, payload) = opened(&writer.records[0]);
    for other in ["MAMCAQE", "MAMCAQF=", "MAMC AQE=", "-AMCAQE="] {
        let header = header.replacen("MAMCAQE=", other, 1);
        let error = Record::parse(&jws(&writer, &header, &payload)).unwrap_err();
        assert!(matches!(error, RecordError::Certificate { index: 0 }), "{error}");
    }
}

#[test]
fn the_longest_opening_fits_with_all_heads_seen() {
    let mut writer = Writer::founder(1);
    for n in 0..SEEN_MAX as u64 {
        writer.seen.insert(format!("4294967{n:03}-0a1b2c3d"), (100_000, Hash::of(b"head")));
    }
    let Event::OpenIntent(mut facts) = sample::intent() else { unreachable!() };
    let name = "n".repeat(64);
    facts.credential = format!("{name}/{name}");
    (facts.emergency, facts.operator) = (name.clone(), name.clone());
    facts.reason = "r".repeat(REASON_CAP);
    facts.overrides.clear();
    facts.consent = None;
    let mut draft = writer.draft(Event::OpenIntent(facts));
    (draft.txn, draft.jti) = (Some("t".repeat(36)), "j".repeat(36));
    draft.iss = format!("https://{}", "i".repeat(64));
    let record = writer.sign(draft);
    assert!(record.bytes().len() <= WRITTEN_CAP);
    assert!(
        record.bytes().len() > WRITTEN_CAP - 250,
        "{} bytes: SEEN_MAX could be higher",
        record.bytes().len()
    );
}

/// As many approvals as a policy can ask for; or all but one of them, and names as long as it lets them be.
#[test]
fn the_longest_opening_fits_with_whatever_it_rests_on() {
    for (approvals, skipped) in [(5, vec![]), (4, vec!["a".repeat(128), "b".repeat(128)])] {
        let writer = Writer::founder(1);
        let Event::OpenIntent(mut facts) = sample::intent() else { unreachable!() };
        let name = "n".repeat(48);
        facts.credential = format!("{name}/{name}");
        (facts.emergency, facts.operator) = (name.clone(), name.clone());
        facts.reason = "r".repeat(REASON_CAP);
        facts.overrides.clear();
        let approvals = (0..approvals).map(|n: u8| Hash([n; 32])).collect();
        facts.consent = Some(Consent { request: Some(Hash::of(b"request")), approvals, skipped });
        let mut draft = writer.draft(Event::OpenIntent(facts));
        (draft.txn, draft.jti) = (Some("t".repeat(64)), "j".repeat(32));
        draft.iss = format!("https://{}", "i".repeat(64));
        let bytes = draft.with_room().signing_input().map(|input| input.bytes().len() + 87);
        assert!(bytes.as_ref().is_ok_and(|bytes| *bytes <= WRITTEN_CAP), "{bytes:?}");
    }
}

/// With as many names as a policy lets a table have (400 characters, each with its quotes and comma): one of the longest everything,
/// and the most client assertions at once of what is usual.
#[test]
fn the_longest_minting_fits() {
    for (count, length, issuer, reason) in [(1, 64, 128, REASON_CAP), (10, 24, 40, 100)] {
        let writer = Writer::founder(1);
        let Event::MintIntent(mut facts) = sample::minting() else { unreachable!() };
        let name = "n".repeat(length);
        (facts.rule, facts.emergency, facts.operator) = (name.clone(), name.clone(), name);
        facts.reason = "r".repeat(reason);
        facts.accounts = if count == 1 { vec!["a".repeat(37); 10] } else { vec!["a".repeat(37); 3] };
        facts.numbers = vec!["n".repeat(if count == 1 { 34 } else { 22 }); count];
        facts.digests = vec![Hash([1; 32]); count];
        facts.overrides.clear();
        let mut draft = writer.draft(Event::MintIntent(facts));
        (draft.txn, draft.jti) = (Some("t".repeat(length)), "j".repeat(32));
        draft.iss = format!("https://{}", "i".repeat(issuer - 8));
        let bytes = draft.with_room().signing_input().map(|input| input.bytes().len() + 87);
        assert!(bytes.as_ref().is_ok_and(|bytes| *bytes <= WRITTEN_CAP), "{bytes:?}");
    }
}

#[test]
fn a_consent_says_something_and_names_a_request_with_its_approvals() {
    let writer = Writer::founder(1);
    let sign = |consent: Consent| {
        let Event::OpenIntent(mut facts) = sample::intent() else { unreachable!() };
        facts.consent = Some(consent);
        writer.draft(Event::OpenIntent(facts)).signing_input().map(|_| ())
    };
    let (request, approvals, skipped) = (Some(Hash([1; 32])), vec![Hash([2; 32])], vec!["bob".to_owned()]);
    sign(Consent { request, approvals: approvals.clone(), skipped: vec![] }).unwrap();
    sign(Consent { skipped, ..Consent::default() }).unwrap();
    for wrong in [
        Consent::default(),
        Consent { request, ..Consent::default() },
        Consent { approvals, ..Consent::default() },
    ] {
        assert!(matches!(sign(wrong), Err(RecordError::Contradiction(_))));
    }
    let mut own = sample::approval();
    own.approver = own.operator.clone();
    let refused = writer.draft(Event::RequestApproved(own)).signing_input();
    assert!(matches!(refused, Err(RecordError::Contradiction("nobody approves what they ask for"))));
    let mut draft = writer.draft(Event::RequestApproved(sample::approval()));
    draft.txn = None;
    assert!(matches!(
        draft.signing_input(),
        Err(RecordError::Contradiction("an approval names no incident"))
    ));
}

#[test]
fn limits_on_writing() {
    let mut writer = Writer::founder(1);
    let reason = |text: String| {
        let Event::OpenIntent(mut facts) = sample::intent() else { unreachable!() };
        facts.reason = text;
        Event::OpenIntent(facts)
    };
    let error = writer.draft(reason("ä".repeat(129))).signing_input().unwrap_err();
    assert!(matches!(error, RecordError::ReasonTooLong { member: "reason", bytes: 258 }));
    writer.write(reason("ä".repeat(128)));
    let Event::OpenIntent(mut facts) = sample::intent() else { unreachable!() };
    facts.overrides[0].why = "w".repeat(257);
    let error = writer.draft(Event::OpenIntent(facts)).signing_input().unwrap_err();
    assert!(matches!(error, RecordError::ReasonTooLong { member: "why", bytes: 257 }));
    for n in 0..20 {
        writer.seen.insert(format!("{n}-00000000"), (0, Hash::of(b"head")));
    }
    let error = writer.draft(sample::intent()).signing_input().unwrap_err();
    assert!(matches!(error, RecordError::TooLong { bytes: 2_601.., cap: WRITTEN_CAP }));
    let mut large = Writer::new(1);
    large.x5c = vec![vec![0x30; 20_000]];
    let event = large.enrolment();
    assert!(large.write(event).bytes().len() > WRITTEN_CAP);
    large = Writer::new(1);
    large.x5c = vec![vec![0x30; 40_000]];
    let error = large.draft(large.enrolment()).signing_input().unwrap_err();
    assert!(matches!(error, RecordError::TooLong { cap: READ_CAP, .. }));
    assert!(matches!(Record::parse(&vec![b'a'; READ_CAP + 1]), Err(RecordError::TooLong { .. })));
}

#[test]
fn heads_give_way_to_reasons() {
    let mut writer = Writer::founder(1);
    for n in 0..40 {
        writer.seen.insert(format!("{n}-00000000"), (0, Hash::of(b"head")));
    }
    let draft = writer.draft(sample::intent());
    let fitted = draft.clone().with_room();
    assert!((1..40).contains(&fitted.link.seen.len()));
    assert_eq!(Draft { link: draft.link.clone(), ..fitted.clone() }, draft);
    let mut one_more = fitted.clone();
    one_more.link.seen.insert("99-00000000".into(), (0, Hash::of(b"head")));
    one_more.signing_input().unwrap_err();
    assert_eq!(fitted.clone().with_room(), fitted);
    fitted.signing_input().unwrap();
}

#[test]
fn integers_that_json_would_not_carry_are_refused_before_signing() {
    let writer = Writer::founder(1);
    let mut draft = writer.draft(sample::intent());
    draft.iat = i64::MAX;
    assert!(matches!(draft.signing_input(), Err(RecordError::Claims(_))));
    let mut draft = writer.draft(sample::intent());
    draft.link.seen.insert("a".into(), (u64::MAX, Hash::of(b"head")));
    assert!(matches!(draft.signing_input(), Err(RecordError::Claims(_))));
    let mut draft = writer.draft(sample::intent());
    draft.iat = -1;
    assert_eq!(Record::parse(writer.sign(draft).bytes()).unwrap().iat, -1);
}

proptest! {
    #[test]
    fn round_trip(
        reason in "\\PC{0,60}|[\u{0}-\u{1F}]{0,20}",
        generation in 1..=(1u64 << 53) - 1,
        iat in -(1i64 << 53) + 1..(1i64 << 53),
        tries: u8,
        presence: bool,
        jti in "[ -~]{1,40}",
        seen in proptest::collection::btree_map("[0-9]{1,10}-[0-9a-f]{8}", (0..(1u64 << 53), any::<[u8; 32]>()), 0..4),
    ) {
        let writer = Writer::founder(1);
        let Event::OpenIntent(mut facts) = sample::intent() else { unreachable!() };
        (facts.reason, facts.generation, facts.tries, facts.presence) = (reason, generation, tries, presence);
        let mut draft = writer.draft(Event::OpenIntent(facts));
        (draft.iat, draft.jti) = (iat, jti);
        draft.link.seen = seen.into_iter().map(|(name, (seq, hash))| (name, (seq, Hash(hash)))).collect();
        let record = writer.sign(draft.clone());
        prop_assert_eq!(&*record, &draft);
        let read = Record::parse(record.bytes()).unwrap();
        prop_assert_eq!(&read, &record);
        prop_assert!(read.verify(&writer.verifying_key()).is_ok());
    }

    #[test]
    fn any_changed_byte_is_refused(at: prop::sample::Index, byte: u8) {
        let mut writer = Writer::founder(1);
        let record = writer.write(sample::intent());
        let mut bytes = record.bytes().to_vec();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        let refused = Record::parse(&bytes).map_or(true, |read| read.verify(&writer.verifying_key()).is_err());
        prop_assert!(refused);
    }

    #[test]
    fn any_cut_is_refused(keep: prop::sample::Index) {
        let mut writer = Writer::founder(1);
        let record = writer.write(sample::intent());
        prop_assert!(Record::parse(&record.bytes()[..keep.index(record.bytes().len())]).is_err());
    }

    #[test]
    fn random_bytes_are_an_error(bytes: Vec<u8>) {
        prop_assert!(Record::parse(&bytes).is_err());
    }

    #[test]
    fn random_json_is_an_error(header in "[{}\\[\\]\":,a-z0-9]{0,60}", payload in "[{}\\[\\]\":,a-z0-9]{0,60}") {
        prop_assert!(Record::parse(&jws(&Writer::new(1), &header, &payload)).is_err());
    }

    #[test]
    fn what_base64_accepts_has_one_spelling(text in "[A-Za-z0-9_-]{0,12}") {
        if let Ok(bytes) = decode(text.as_bytes(), "") {
            prop_assert_eq!(URL_SAFE_NO_PAD.encode(bytes), text);
        }
    }
}
