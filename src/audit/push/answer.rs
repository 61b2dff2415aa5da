//! What a receiver's answer means, whatever receivers make of RFC 8935.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

/// No more of a body is read.
pub const BODY_CAP: usize = 8 * 1024;
/// No longer text of a receiver is kept or shown.
const TEXT_CAP: usize = 512;
/// Nobody comes back later than this, whatever the receiver asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// The codes of RFC 8935 section 2.4.
pub const CODES: [&str; 6] = [
    "invalid_request",
    "invalid_key",
    "invalid_issuer",
    "invalid_audience",
    "authentication_failed",
    "access_denied",
];

/// An answer as it came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// Whether it has a `Content-Language`.
    pub has_language: bool,
    /// `Retry-After`.
    pub retry_after: Option<String>,
    /// `Location`.
    pub location: Option<String>,
    /// The body, cut at [`BODY_CAP`].
    pub body: Vec<u8>,
}

/// What it means for the record that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The receiver has it.
    Accepted,
    /// The receiver does not want this one, and will not want it later.
    Refused {
        /// A code of RFC 8935, or the status.
        err: String,
        /// In the receiver's words.
        description: String,
    },
    /// Not now.
    Later {
        /// What it said.
        why: String,
        /// When it wants to be asked again.
        after: Option<Duration>,
    },
    /// It wants nothing of this sender, or is no receiver: the same for every record.
    Stop {
        /// What it said.
        why: String,
    },
}

/// Judges an answer; and what in it departs from RFC 8935. `now` in Unix seconds, for a `Retry-After` that is a date.
pub fn judge(answer: &Answer, now: i64) -> (Verdict, Vec<String>) {
    let mut notes = Vec::new();
    let status = answer.status;
    let verdict = match status {
        202 => {
            if !answer.body.is_empty() {
                notes.push("202 with a body".into());
            }
            Verdict::Accepted
        }
        // A page is what a login wall or a proxy shows: it has stored nothing.
        200..=299 if is_page(answer) => {
            Verdict::Later { why: format!("{status} with a page, not the answer of a receiver"), after: None }
        }
        200 | 201 | 204 => {
            notes.push(format!("{status} instead of 202"));
            Verdict::Accepted
        }
        400 => refused(answer, &mut notes),
        413 => Verdict::Refused { err: "413".into(), description: "too large for this receiver".into() },
        408 | 425 | 429 | 500..=599 => {
            Verdict::Later { why: told(answer), after: after(answer.retry_after.as_deref(), now) }
        }
        300..=399 => Verdict::Stop {
            why: match &answer.location {
                Some(to) => format!("{status}, a redirect to {}, which is not followed", shorten(to)),
                None => format!("{status}, a redirect, which is not followed"),
            },
        },
        _ => Verdict::Stop { why: told(answer) },
    };
    (verdict, notes)
}

/// 400, with a code if the receiver knows how.
fn refused(answer: &Answer, notes: &mut Vec<String>) -> Verdict {
    #[derive(Deserialize)]
    struct Body {
        err: String,
        #[serde(default)]
        description: String,
    }
    if !answer.has_language {
        notes.push("400 without Content-Language".into());
    }
    let Ok(Body { err, description }) = serde_json::from_slice(&answer.body) else {
        notes.push("400 without a code".into());
        return Verdict::Refused { err: "400".into(), description: shorten(&text(answer)) };
    };
    if !CODES.contains(&err.as_str()) {
        notes.push(format!("a code that RFC 8935 has not: {}", shorten(&err)));
    }
    let (err, description) = (shorten(&err), shorten(&description));
    match err.as_str() {
        // Not about the record: with other credentials it would be taken.
        "authentication_failed" | "access_denied" => Verdict::Stop { why: format!("{err}: {description}") },
        _ => Verdict::Refused { err, description },
    }
}

fn is_page(answer: &Answer) -> bool {
    let html = answer.content_type.as_ref().is_some_and(|kind| kind.to_ascii_lowercase().contains("html"));
    html && !answer.body.is_empty()
}

/// Status and the beginning of what stands in the body, where that is no page.
fn told(answer: &Answer) -> String {
    let body = shorten(text(answer).trim());
    if body.is_empty() || is_page(answer) {
        format!("status {}", answer.status)
    } else {
        format!("status {}: {body}", answer.status)
    }
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

/// The beginning of a receiver's text, on one line: whoever answers puts no line of their own before the person.
pub(super) fn shorten(text: &str) -> String {
    let mut end = text.len().min(TEXT_CAP);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].replace(char::is_control, " ")
}

/// RFC 9110 section 10.2.3: seconds, or a date.
fn after(header: Option<&str>, now: i64) -> Option<Duration> {
    let header = header?.trim();
    let seconds = match header.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            let date: Timestamp = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(header).ok()?;
            u64::try_from(date.as_second().saturating_sub(now)).unwrap_or(0)
        }
    };
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2026-11-21 12:00:00 UTC.
    const NOON: i64 = 1_795_262_400;

    fn answer(status: u16, kind: &str, body: &str) -> Answer {
        Answer {
            status,
            content_type: Some(kind.into()),
            has_language: true,
            body: body.into(),
            ..Answer::default()
        }
    }

    fn verdict(answer: &Answer) -> Verdict {
        judge(answer, NOON).0
    }

    #[test]
    fn what_a_receiver_says_stays_on_its_line() {
        let body = r#"{"err":"invalid_key","description":"no\nnext: run this\u001b[2J"}"#;
        let refused = verdict(&answer(400, "application/json", body));
        let expected =
            Verdict::Refused { err: "invalid_key".into(), description: "no next: run this [2J".into() };
        assert_eq!(refused, expected);
        let stopped = verdict(&answer(403, "text/plain", "no\nnext: run this"));
        assert_eq!(stopped, Verdict::Stop { why: "status 403: no next: run this".into() });
    }

    #[test]
    fn what_the_rfc_says() {
        assert_eq!(judge(&answer(202, "", ""), NOON), (Verdict::Accepted, vec![]));
        for code in ["invalid_request", "invalid_key", "invalid_issuer", "invalid_audience"] {
            let body = format!(r#"{{"err":"{code}","description":"because"}}"#);
            let (verdict, notes) = judge(&answer(400, "application/json", &body), NOON);
            assert_eq!(verdict, Verdict::Refused { err: code.into(), description: "because".into() });
            assert!(notes.is_empty());
        }
        for code in ["authentication_failed", "access_denied"] {
            let body = format!(r#"{{"err":"{code}","description":"because"}}"#);
            let why = format!("{code}: because");
            assert_eq!(verdict(&answer(400, "application/json", &body)), Verdict::Stop { why });
        }
    }

    #[test]
    fn sloppy_receivers_are_understood_and_said() {
        let (accepted, notes) = judge(&answer(200, "application/json", "{}"), NOON);
        assert_eq!((accepted, notes), (Verdict::Accepted, vec!["200 instead of 202".into()]));
        assert_eq!(judge(&answer(202, "", "ok"), NOON).1, ["202 with a body"]);
        let plain = Answer { has_language: false, ..answer(400, "text/plain", "bad JWS") };
        let (refused, notes) = judge(&plain, NOON);
        assert_eq!(refused, Verdict::Refused { err: "400".into(), description: "bad JWS".into() });
        assert_eq!(notes, ["400 without Content-Language", "400 without a code"]);
        let (refused, notes) =
            judge(&answer(400, "application/json", r#"{"err":"jws_signature_failed"}"#), NOON);
        assert!(matches!(refused, Verdict::Refused { err, .. } if err == "jws_signature_failed"));
        assert_eq!(notes, ["a code that RFC 8935 has not: jws_signature_failed"]);
    }

    #[test]
    fn a_page_is_no_acceptance() {
        let page = answer(200, "text/html; charset=utf-8", "<title>Sign in</title>");
        assert!(matches!(verdict(&page), Verdict::Later { .. }));
        let page = answer(500, "text/html", "<h1>oh</h1>");
        assert_eq!(verdict(&page), Verdict::Later { why: "status 500".into(), after: None });
    }

    #[test]
    fn who_is_busy_is_asked_again_when_it_says() {
        let busy = |after: &str| Answer { retry_after: Some(after.into()), ..answer(429, "", "") };
        let wait = |after: &str| match verdict(&busy(after)) {
            Verdict::Later { after, .. } => after.map(|after| after.as_secs()),
            other => panic!("{other:?}"),
        };
        assert_eq!(wait("7"), Some(7));
        assert_eq!(wait("Sat, 21 Nov 2026 12:01:00 GMT"), Some(60));
        assert_eq!(wait("Sat, 21 Nov 2026 11:01:00 GMT"), Some(0));
        assert_eq!(wait("99999999999"), Some(3600));
        assert_eq!(wait("soon"), None);
        for status in [408, 425, 503] {
            assert!(matches!(verdict(&answer(status, "", "")), Verdict::Later { .. }), "{status}");
        }
    }

    #[test]
    fn what_would_be_the_same_for_every_record_stops() {
        for status in [301, 307, 401, 403, 404, 405, 415, 421, 101, 600] {
            assert!(matches!(verdict(&answer(status, "", "")), Verdict::Stop { .. }), "{status}");
        }
        let moved = Answer { location: Some("http://elsewhere.example/".into()), ..answer(308, "", "") };
        assert!(matches!(verdict(&moved), Verdict::Stop { why } if why.contains("elsewhere.example")));
    }

    proptest! {
        /// Only what says so is accepted, and nothing long is kept.
        #[test]
        fn any_answer_is_judged(
            status: u16,
            content_type: Option<String>,
            has_language: bool,
            retry_after: Option<String>,
            location: Option<String>,
            body in prop::collection::vec(any::<u8>(), 0..2000),
        ) {
            let answer = Answer { status, content_type, has_language, retry_after, location, body };
            match verdict(&answer) {
                Verdict::Accepted => prop_assert!([200, 201, 202, 204].contains(&status)),
                Verdict::Refused { err, description } => {
                    prop_assert!([400, 413].contains(&status));
                    prop_assert!(err.len() + description.len() < 2000);
                }
                Verdict::Later { why, .. } | Verdict::Stop { why } => prop_assert!(why.len() < 2000),
            }
        }
    }
}
