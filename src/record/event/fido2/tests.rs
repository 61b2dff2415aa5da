use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::assertion;
use crate::record::event::{CredentialSealed, Event, KeyEnrolled};
use crate::record::sample::{self, Writer};
use crate::record::token::{Draft, Record, SEEN_MAX, WRITTEN_CAP};

fn enrolled() -> Fido2Enrolled {
    let writer = Writer::new(1);
    let Event::KeyEnrolled(KeyEnrolled { fido2: Some(facts), .. }) =
        writer.fido2_enrolment(&mut writer.authenticator())
    else {
        panic!("an enrolment with FIDO2")
    };
    *facts
}

/// The member of that path in the facts of the enrolment is this; whether they are read, and what is said if not.
fn with(pointer: &str, value: Value) -> Result<Fido2Enrolled, String> {
    let mut facts = serde_json::to_value(enrolled()).unwrap();
    *facts.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value;
    serde_json::from_str(&facts.to_string()).map_err(|error| error.to_string())
}

#[test]
fn the_sample_reads_back_and_its_proof_verifies() {
    let facts = enrolled();
    let text = serde_json::to_string(&facts).unwrap();
    assert_eq!(serde_json::from_str::<Fido2Enrolled>(&text).unwrap(), facts);
    let signing = Point(Writer::new(1).verifying_key().into());
    let challenge = enrolment_challenge(&signing);
    assert_eq!(challenge.len(), 30 + 33);
    let Assertion { data, signature } = &facts.proof;
    let key = facts.public.0.into();
    assert_eq!(assertion::verify(&key, &challenge, data.bytes(), signature.bytes()), Ok(41));
    assert!(text.contains(r#""profile":{"kind":"exact","step":1}"#), "{text}");
}

#[test]
fn a_step_is_exact_only_if_every_step_was_the_same() {
    let measured = CounterProfile::measured;
    assert_eq!(measured(&[7, 8, 9, 10]), Ok(CounterProfile::Exact { step: 1 }));
    assert_eq!(measured(&[7, 10, 13]), Ok(CounterProfile::Exact { step: 3 }));
    assert_eq!(measured(&[7, 8, 9, 11]), Ok(CounterProfile::Monotonic));
    assert_eq!(measured(&[7]), Ok(CounterProfile::Monotonic), "nothing is known of a step");
    for (still, at) in [(&[7, 8, 8][..], (8, 8)), (&[0, 0], (0, 0)), (&[9, 3], (9, 3))] {
        assert_eq!(measured(still), Err(at));
    }
}

#[test]
fn each_defect_of_an_enrolment_is_refused() {
    let long = URL_SAFE_NO_PAD.encode(vec![1; 1024]);
    let recipient = sample::envelope(crate::attestation::Serial(1), 1).recipient.to_string();
    let envelope = json!({"salt": URL_SAFE_NO_PAD.encode([1; 32]), "recipient": recipient});
    for (pointer, value) in [
        ("/aaguid", json!("AA".repeat(16))),
        ("/aaguid", json!("aa".repeat(15))),
        ("/firmware", json!(null)),
        ("/firmware", json!(-1)),
        ("/firmware", json!(1u64 << 53)),
        ("/credential", json!("")),
        ("/credential", json!(long)),
        ("/credential", json!("AB")),
        ("/credential", json!("AQ==")),
        ("/pin", json!("none")),
        ("/pin", json!({"shared": null})),
        ("/profile", json!(["exact", 1])),
        ("/profile", json!({"kind": "exact"})),
        ("/profile", json!({"kind": "exact", "step": 0})),
        ("/profile", json!({"kind": "exact", "step": null})),
        ("/profile", json!({"kind": "monotonic", "step": 1})),
        ("/profile", json!({"kind": "none"})),
        ("/profile", json!({"kind": "monotonic", "scope": 1})),
        ("/proof", json!([])),
        ("/proof/data", json!(URL_SAFE_NO_PAD.encode([0; 36]))),
        ("/proof/data", json!(URL_SAFE_NO_PAD.encode([0; 1025]))),
        ("/proof/signature", json!(URL_SAFE_NO_PAD.encode([0; 73]))),
        ("/proof/signature", json!(URL_SAFE_NO_PAD.encode([0; 7]))),
        ("/envelopes", json!([])),
        ("/envelopes", json!(vec![envelope; MAX_ENVELOPES + 1])),
        ("/envelopes/0", json!([])),
        ("/envelopes/0/salt", json!(URL_SAFE_NO_PAD.encode([0; 31]))),
        ("/envelopes/0/recipient", json!(recipient.to_uppercase())),
        ("/envelopes/0/recipient", json!(recipient.replacen("age1", "age2", 1))),
    ] {
        assert!(with(pointer, value.clone()).is_err(), "{pointer} {value}");
    }
    assert!(with("/profile", json!({"kind": "monotonic"})).is_ok());
}

#[test]
fn a_recipient_is_what_age_takes_and_has_one_spelling() {
    let identity = age::x25519::Identity::generate();
    let text = identity.to_public().to_string();
    let recipient: AgeRecipient = text.parse().unwrap();
    assert_eq!(recipient.as_str(), text);
    assert_eq!(recipient.id().0, Hash::of(text.as_bytes()).0[..8]);
    for wrong in [
        "",
        "age1",
        "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8q",
        "AGE1QL3Z7HJY54PW3HYWW5AYYFG7ZQGVC7W3J2ELW8ZMRJ2KG5SFN9AQMCAC8P",
        "age1yubikey1qgpp0esh7zmygwfgy78edxv7dx3r5nevz54a7mtvmanwtwqzst2w6hwu5h4",
        " age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
    ] {
        assert_eq!(wrong.parse::<AgeRecipient>(), Err(NotARecipient), "{wrong:?}");
    }
    let padded = bech32::encode_lower::<Bech32>(AGE, &[1; 33]).unwrap();
    assert_eq!(padded.parse::<AgeRecipient>(), Err(NotARecipient));
}

#[test]
fn envelopes_of_a_sealing_are_named_or_empty() {
    let Event::CredentialSealed(facts) = sample::every_event().remove(5) else { panic!("a sealing") };
    let [Some(id)] = facts.envelopes[..] else { panic!("one envelope") };
    let text = serde_json::to_string(&CredentialSealed { envelopes: vec![Some(id), None], ..facts }).unwrap();
    assert!(text.contains(&format!(r#""envelopes":["{id}",""]"#)), "{text}");
    let read = |text: &str| serde_json::from_str::<CredentialSealed>(text);
    assert_eq!(read(&text).unwrap().envelopes, [Some(id), None]);
    for wrong in ["AA", "AAAAAAAAAAB", "AAAAAAAAAAAA", " "] {
        assert!(read(&text.replace(&id.to_string(), wrong)).is_err(), "{wrong:?}");
    }
    assert!(read(&text.replace(r#""envelopes":["#, r#""envelopes":[null,"#)).is_err());
}

/// An assertion of a length, in a record with everything else as long as it can be.
fn asserted(data: usize, seen: usize) -> Draft {
    let mut writer = Writer::founder(1);
    writer.serial = crate::attestation::Serial(u32::MAX);
    let chain = |n| (format!("{}-0a1b2c{n:02x}", u32::MAX), ((1 << 53) - 1, Hash::of(&[n])));
    writer.seen = (0..seen as u8).map(chain).collect();
    let event = Event::OpenAsserted(OpenAsserted {
        over: Hash::of(b"intent"),
        data: AuthenticatorData::new(vec![0xA5; data]).unwrap(),
        signature: DerSignature::new(vec![0x30; 72]).unwrap(),
        next: Some(sample::envelope(writer.serial, 3)),
    });
    let mut draft = writer.draft(event);
    draft.txn = Some("i".repeat(64));
    draft.iss = format!("https://{}", "o".repeat(120));
    draft.jti = "f".repeat(32);
    draft.link.seq = (1 << 53) - 1;
    draft
}

/// What a key answers to two salts under PIN protocol 2 has 132 bytes; what may come is read up to 1,024.
#[test]
fn an_assertion_fits_in_a_record() {
    let writer = Writer::new(1);
    let usual = writer.authenticator().assert(b"x").data.bytes().len();
    assert_eq!(usual, 132);
    let length = |draft: Draft| draft.with_room().signing_input().map(|input| input.bytes().len() + 87);
    let whole = asserted(usual, SEEN_MAX).signing_input().map(|input| input.bytes().len() + 87).unwrap();
    assert!(whole <= WRITTEN_CAP, "{whole}");
    let largest = (37..=1024).rev().find(|data| length(asserted(*data, SEEN_MAX)).is_ok()).unwrap();
    assert!(largest >= 600, "at most {largest} bytes of authenticator data");
}

#[test]
fn an_assertion_needs_no_incident_and_no_reason() {
    let mut writer = Writer::founder(1);
    for event in sample::every_event()
        .into_iter()
        .filter(|event| matches!(event, Event::OpenAsserted(_) | Event::KeyWitness(_)))
    {
        let record = writer.write(event);
        assert_eq!((&record.txn, Record::parse(record.bytes()).unwrap().event.reasons()), (&None, vec![]));
    }
}

proptest! {
    #[test]
    fn any_text_is_a_recipient_or_refused(text in "(age1)?[a-z0-9]{0,70}|.{0,20}") {
        if let Ok(recipient) = text.parse::<AgeRecipient>() {
            prop_assert_eq!(recipient.as_str(), text);
        }
    }

    #[test]
    fn one_wrong_letter_is_noticed(at in 4usize..62, letter in "[a-z0-9]") {
        let text = AgeRecipient::of(&[7; 32]).to_string();
        let mut wrong = text.clone();
        wrong.replace_range(at..=at, &letter);
        prop_assert_eq!(wrong.parse::<AgeRecipient>().is_ok(), wrong == text);
    }

    #[test]
    fn any_json_is_read_or_refused(text in "[{}\\[\\]\":,a-z0-9]{0,60}") {
        let _ = serde_json::from_str::<Fido2Enrolled>(&text);
        let _ = serde_json::from_str::<OpenAsserted>(&text);
    }
}
