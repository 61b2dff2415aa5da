//! What is answered to a request, and what is kept of it: the part of the receiver that reads foreign bytes.
//!
//! 202 means that the record is stored, not that it is good: a gap, a fork, a key that nobody knows yet are findings for later, and to
//! refuse them would destroy evidence. 400 is for what can never become evidence of this ledger; its bytes are kept all the
//! same, where the sender is known.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::audit::ledger::{Fate, Signature};
use crate::record::token::{READ_CAP, Record, RecordError};

/// The error codes of RFC 8935 section 2.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// Not a SET as the record format wants it.
    InvalidRequest,
    /// The signature is not that of the key that the record names.
    InvalidKey,
    /// Of an organisation whose records this receiver does not take.
    InvalidIssuer,
    /// Meant for somebody: records name no audience.
    InvalidAudience,
    /// Nobody knows who sends this.
    AuthenticationFailed,
    /// It is known who sends this, and that one may not.
    AccessDenied,
}

/// Why there is no receipt (404), where the ledger has not got the record.
pub const UNKNOWN_RECORD: &str = "the ledger holds no such record";
/// Why there is no receipt, nor a checkpoint, for anything.
pub const SIGNS_NOTHING: &str = "this receiver signs nothing";

/// Why a record is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The code.
    pub err: Code,
    /// For people.
    pub description: String,
}

impl Refusal {
    /// With that code and text.
    pub fn new(err: Code, description: impl Into<String>) -> Self {
        Refusal { err, description: description.into() }
    }

    /// The body of the answer.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("two texts always have a JSON form")
    }
}

/// A request with what of it is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `Content-Type`, where there is one.
    pub content_type: Option<&'a [u8]>,
    /// Whether it has a `Content-Encoding`.
    pub encoded: bool,
    /// At most [`READ_CAP`] bytes.
    pub body: &'a [u8],
}

/// What is to be done with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    /// To the ledger, as a line of an import; the answer depends on what becomes of it.
    Line,
    /// The bytes are set aside, for this reason.
    Aside(Refusal),
    /// Nothing is kept.
    Nothing(Refusal),
}

/// Judges a request from a sender who may send. With `issuers` only records of these are taken; with none, of all.
pub fn judge(request: &Request<'_>, issuers: &[String]) -> Judged {
    let invalid = |text: &str| Refusal::new(Code::InvalidRequest, text);
    if request.body.is_empty() {
        return Judged::Nothing(invalid("the request has no body"));
    }
    if request.body.len() > READ_CAP {
        return Judged::Nothing(too_large());
    }
    if !request.content_type.is_some_and(is_secevent) {
        return Judged::Aside(invalid("the content type is not application/secevent+jwt"));
    }
    if request.encoded {
        return Judged::Aside(invalid("the body has a content encoding; records are sent as they are"));
    }
    match Record::parse(request.body) {
        Ok(record) if !issuers.is_empty() && !issuers.contains(&record.iss) => Judged::Aside(Refusal::new(
            Code::InvalidIssuer,
            format!("this receiver takes no records of {}", record.iss),
        )),
        Err(RecordError::Claims(_)) if has_audience(request.body) => {
            Judged::Aside(Refusal::new(Code::InvalidAudience, "a record of a kit names no audience (aud)"))
        }
        _ => Judged::Line,
    }
}

/// What is answered once the ledger holds it: `Ok` is 202.
///
/// # Errors
/// The refusal.
pub fn of_fate(fate: Fate, error: Option<&RecordError>) -> Result<(), Refusal> {
    match (fate, error) {
        (Fate::Stored(Signature::Bad) | Fate::Known(Signature::Bad), _) => Err(Refusal::new(
            Code::InvalidKey,
            "the signature does not verify with the key that the record names; it is kept as evidence",
        )),
        // A key that is not known yet may be enrolled by a record that is still on its way; an event that is not known
        // yet is read by a newer version, from the bytes that are kept.
        (Fate::Stored(_) | Fate::Known(_), _) | (Fate::SetAside, Some(RecordError::UnknownEvent(_))) => {
            Ok(())
        }
        (Fate::SetAside, Some(error)) => Err(Refusal::new(Code::InvalidRequest, error.to_string())),
        (Fate::SetAside, None) => Err(Refusal::new(Code::InvalidRequest, "this is no record of a kit")),
    }
}

/// More than a record may be.
pub fn too_large() -> Refusal {
    Refusal::new(Code::InvalidRequest, format!("a record has at most {READ_CAP} bytes"))
}

/// RFC 9110 section 8.3.1: the type in any case, perhaps with parameters.
fn is_secevent(content_type: &[u8]) -> bool {
    let bare = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    bare.trim_ascii().eq_ignore_ascii_case(b"application/secevent+jwt")
}

/// Whether the claims, read loosely, have an `aud`.
fn has_audience(body: &[u8]) -> bool {
    let claims = body.split(|byte| *byte == b'.').nth(1).unwrap_or_default();
    let claims = URL_SAFE_NO_PAD.decode(claims).unwrap_or_default();
    let claims: Option<serde_json::Value> = serde_json::from_slice(&claims).ok();
    claims.is_some_and(|claims| claims.get("aud").is_some())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::sample::Writer;

    const SET: Option<&[u8]> = Some(b"application/secevent+jwt");

    fn request(body: &[u8]) -> Request<'_> {
        Request { content_type: SET, encoded: false, body }
    }

    fn err(judged: Judged) -> (Code, bool) {
        match judged {
            Judged::Aside(refusal) => (refusal.err, true),
            Judged::Nothing(refusal) => (refusal.err, false),
            Judged::Line => panic!("not refused"),
        }
    }

    #[test]
    fn a_record_and_damage_go_to_the_ledger() {
        let writer = Writer::founder(1);
        for record in &writer.records {
            assert_eq!(judge(&request(record.bytes()), &[]), Judged::Line);
        }
        assert_eq!(judge(&request(b"damage"), &[]), Judged::Line);
        for kind in ["Application/SecEvent+JWT", "application/secevent+jwt; charset=utf-8"] {
            let request = Request { content_type: Some(kind.as_bytes()), ..request(b"damage") };
            assert_eq!(judge(&request, &[]), Judged::Line, "{kind}");
        }
    }

    #[test]
    fn what_is_no_such_request_is_refused_and_kept_where_there_is_something_to_keep() {
        let long = vec![b'a'; READ_CAP + 1];
        assert_eq!(err(judge(&request(b""), &[])), (Code::InvalidRequest, false));
        assert_eq!(err(judge(&request(&long), &[])), (Code::InvalidRequest, false));
        for kind in [None, Some(b"application/jwt".as_slice()), Some(b"application/json".as_slice())] {
            let request = Request { content_type: kind, ..request(b"x.y.z") };
            assert_eq!(err(judge(&request, &[])), (Code::InvalidRequest, true));
        }
        let encoded = Request { encoded: true, ..request(b"x.y.z") };
        assert_eq!(err(judge(&encoded, &[])), (Code::InvalidRequest, true));
    }

    #[test]
    fn issuers_and_audiences_have_their_codes() {
        let writer = Writer::founder(1);
        let record = request(writer.records[1].bytes());
        assert_eq!(judge(&record, &["https://records.example.org".into()]), Judged::Line);
        assert_eq!(err(judge(&record, &["https://other.example.org".into()])), (Code::InvalidIssuer, true));
        let parts: Vec<&[u8]> = record.body.split(|byte| *byte == b'.').collect();
        let claims = String::from_utf8(URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
        let claims = claims.replacen('{', r#"{"aud":"https://audit.example.org","#, 1);
        let body = [parts[0], URL_SAFE_NO_PAD.encode(claims).as_bytes(), parts[2]].join(&b'.');
        assert_eq!(err(judge(&request(&body), &[])), (Code::InvalidAudience, true));
    }

    #[test]
    fn only_what_can_never_be_evidence_is_refused_by_the_ledger() {
        for signature in [Signature::Good, Signature::Unknown] {
            assert_eq!(of_fate(Fate::Stored(signature), None), Ok(()));
            assert_eq!(of_fate(Fate::Known(signature), None), Ok(()));
        }
        for fate in [Fate::Stored(Signature::Bad), Fate::Known(Signature::Bad)] {
            assert_eq!(of_fate(fate, None).unwrap_err().err, Code::InvalidKey);
        }
        assert_eq!(of_fate(Fate::SetAside, Some(&RecordError::UnknownEvent("new".into()))), Ok(()));
        let error = Record::parse(b"damage").unwrap_err();
        assert_eq!(of_fate(Fate::SetAside, Some(&error)).unwrap_err().err, Code::InvalidRequest);
        assert_eq!(of_fate(Fate::SetAside, None).unwrap_err().err, Code::InvalidRequest);
    }

    #[test]
    fn codes_are_written_as_the_rfc_has_them() {
        use Code::*;
        let all =
            [InvalidRequest, InvalidKey, InvalidIssuer, InvalidAudience, AuthenticationFailed, AccessDenied];
        let written = all.map(|code| serde_json::to_value(code).unwrap());
        assert_eq!(written, crate::audit::push::answer::CODES.map(serde_json::Value::from));
        let refusal = Refusal::new(InvalidKey, "a \"word\"");
        assert_eq!(refusal.to_json(), r#"{"err":"invalid_key","description":"a \"word\""}"#);
    }

    proptest! {
        /// Whatever comes: an answer, and a line goes to the ledger only as what it says it is.
        #[test]
        fn any_request_is_judged(
            content_type in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
            encoded: bool,
            body in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let request = Request { content_type: content_type.as_deref(), encoded, body: &body };
            if judge(&request, &[]) == Judged::Line {
                prop_assert!(!encoded && content_type.is_some() && !body.is_empty());
            }
        }
    }
}
