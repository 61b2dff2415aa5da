use proptest::prelude::*;

use super::*;
use crate::kit::policy::template;
use crate::record::event::KitKind;

/// 2026-11-21 12:00:00 UTC.
pub(in crate::kit) const NOON: i64 = 1_795_262_400;

pub(in crate::kit) fn asked() -> Asked {
    Asked {
        breakglass: KIND.into(),
        kit: Hash::of(b"kit"),
        policy: Hash::of(b"policy"),
        credential: "core-db/root".into(),
        generation: 3,
        emergency: "pam-outage".parse().unwrap(),
        incident: "INC-4711".into(),
        reason: "PAM cluster lost quorum".into(),
        operator: "ada".parse().unwrap(),
        document: "passport".into(),
        number: "C01X00T47".into(),
        seen_by: "dana".parse().unwrap(),
        at: NOON,
        until: NOON + 3_600,
        nonce: Random([7; 32]),
    }
}

fn with(change: impl Fn(&mut Asked)) -> Result<Request, String> {
    let mut asked = asked();
    change(&mut asked);
    Request::of(asked).map_err(|error| error.to_string())
}

#[test]
fn a_request_is_these_bytes() {
    let request = with(|_| ()).unwrap();
    let text = String::from_utf8(request.bytes().to_vec()).unwrap();
    assert_eq!(
        text,
        format!(
            r#"{{"breakglass":"request 1","kit":"{}","policy":"{}","credential":"core-db/root","generation":3,"emergency":"pam-outage","incident":"INC-4711","reason":"PAM cluster lost quorum","operator":"ada","document":"passport","number":"C01X00T47","seen_by":"dana","at":1795262400,"until":1795266000,"nonce":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"}}"#,
            Hash::of(b"kit"),
            Hash::of(b"policy")
        )
    );
    assert_eq!(request.file_name(), format!("request-{}.json", Hash::of(text.as_bytes()).short()));
    assert_eq!(request.words().split(' ').count(), 4);
    // What an editor or a code adds at the end is no part of it.
    assert_eq!(Request::parse((text + "\r\n").as_bytes()).unwrap(), request);
}

#[test]
fn what_is_not_in_its_one_spelling_or_within_its_limits_is_refused() {
    let text = String::from_utf8(with(|_| ()).unwrap().bytes().to_vec()).unwrap();
    for (from, to, says) in [
        ("request 1", "request 2", "is not a request that this version knows"),
        (",\"kit\"", ", \"kit\"", "not in the one spelling"),
        ("\"ada\"", "\"\\u0061da\"", "not in the one spelling"),
        ("\"generation\":3", "\"generation\":3,\"more\":1", "unknown field"),
        ("\"generation\":3", "\"generation\":3,\"generation\":3", "duplicate field"),
        ("\"ada\"", "\"Ada\"", "not a name"),
        ("\"dana\"", "null", "invalid type"),
        ("core-db/root", "core-db", "is not the name of a credential"),
        ("1795266000", "1795262399", "its times cannot be"),
        ("1795266000", "999999999999", "its times cannot be"),
    ] {
        assert!(text.contains(from), "{from}");
        let refused = Request::parse(text.replacen(from, to, 1).as_bytes()).unwrap_err().to_string();
        assert!(refused.contains(says), "{to}: {refused}");
    }
    assert!(with(|asked| asked.reason = "x".repeat(257)).unwrap_err().contains("reason is 1 to 256"));
    assert!(with(|asked| asked.reason = " ".into()).unwrap_err().contains("reason is 1 to 256"));
    assert!(with(|asked| asked.incident = "INC\n1".into()).unwrap_err().contains("incident is 1 to 64"));
    assert!(with(|asked| asked.document = String::new()).unwrap_err().contains("document is 1 to 64"));
    assert!(with(|asked| asked.number = "\u{1b}[2J".into()).unwrap_err().contains("number is 1 to 64"));
    with(|asked| asked.number = String::new()).unwrap();
    assert!(matches!(Request::parse(&[b'{'; READ_CAP + 1]), Err(NotARequest::TooLong)));
    let longest = with(|asked| {
        asked.reason = "\"".repeat(REASON);
        for text in [&mut asked.incident, &mut asked.document, &mut asked.number] {
            *text = "\\".repeat(SHORT);
        }
        for name in [&mut asked.operator, &mut asked.seen_by, &mut asked.emergency] {
            *name = "n".repeat(64).parse().unwrap();
        }
        asked.credential = format!("{0}/{0}", "c".repeat(64));
    });
    assert!(longest.unwrap().bytes().len() <= READ_CAP);
}

#[test]
fn a_request_fits_one_kit_one_policy_and_its_time() {
    let policy = Policy::parse(template("kit", KitKind::Practice).as_bytes()).unwrap();
    let kit = Hash::of(b"kit");
    let request = with(|asked| asked.policy = policy.hash).unwrap();
    for (kit, now, expected) in [
        (kit, NOON, Ok(())),
        (kit, NOON + 3_600, Ok(())),
        (kit, NOON + 3_601, Err(Unfit::Expired)),
        (kit, NOON - 1, Err(Unfit::TooLong)),
    ] {
        assert_eq!(request.fits(&kit, &policy, now), expected, "{now}");
    }
    assert!(matches!(request.fits(&Hash::of(b"other"), &policy, NOON), Err(Unfit::OtherKit(_))));
    assert_eq!(with(|_| ()).unwrap().fits(&kit, &policy, NOON), Err(Unfit::OtherPolicy));
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_read_as_they_are(bytes: Vec<u8>) {
        if let Ok(request) = Request::parse(&bytes) {
            prop_assert_eq!(request.bytes(), bytes.trim_ascii_end());
        }
    }

    #[test]
    fn any_change_of_a_request_is_refused_or_another_request(at in 0usize..600, byte: u8) {
        let request = with(|_| ()).unwrap();
        let mut bytes = request.bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(other) = Request::parse(&bytes) {
            prop_assert_eq!(other == request, other.hash() == request.hash());
            prop_assert_eq!(serde_json::to_vec(&other.asked).unwrap(), other.bytes());
        }
    }

    #[test]
    fn whatever_people_say_comes_back(reason in "[^\\p{C}]{1,60}", number in "[^\\p{C}]{0,15}") {
        prop_assume!(!reason.trim().is_empty());
        let request = with(|asked| { asked.reason = reason.clone(); asked.number = number.clone(); });
        let request = request.unwrap();
        prop_assert_eq!(&Request::parse(request.bytes()).unwrap(), &request);
        prop_assert_eq!(&request.asked.reason, &reason);
    }
}
