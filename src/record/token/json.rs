//! Header and claims as JSON. Members are written in the order of these structs, and read in any order.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Draft, Link, RecordError};
use crate::attestation::Serial;
use crate::record::event::{EVENT_BASE, Event};
use crate::record::hash::{Hash, KeyId};
use crate::record::strict;

const ALGORITHM: &str = "ES256";
const TYPE: &str = "secevent+jwt";

/// RFC 7515 section 4. `crit`, `jwk`, `jku`, `x5u` and all else are refused as unknown.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow)]
    typ: Cow<'a, str>,
    kid: KeyId,
    #[serde(default, deserialize_with = "strict::present", skip_serializing_if = "Option::is_none")]
    x5c: Option<Vec<String>>,
}

/// RFC 8417 section 2.2, with `sub_id` of RFC 9493. `exp`, `sub` and all else are refused as unknown.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims<E> {
    iss: String,
    #[serde(deserialize_with = "strict::object")]
    sub_id: Subject,
    #[serde(default, deserialize_with = "strict::present", skip_serializing_if = "Option::is_none")]
    txn: Option<String>,
    jti: String,
    #[serde(deserialize_with = "strict::time")]
    iat: i64,
    events: E,
}

/// RFC 9493 section 3.2.6, opaque: a serial number is no URI, no account and no e-mail address, and needs none of their
/// rules of comparison.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    format: String,
    id: String,
}

/// The object under the event's URI.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "F: DeserializeOwned"))]
struct Body<F> {
    #[serde(default, deserialize_with = "strict::present")]
    kit: Option<Hash>,
    #[serde(deserialize_with = "strict::integer")]
    seq: u64,
    #[serde(default, deserialize_with = "strict::present")]
    prev: Option<Hash>,
    #[serde(deserialize_with = "strict::heads")]
    seen: BTreeMap<String, (u64, Hash)>,
    #[serde(default, deserialize_with = "strict::present")]
    policy: Option<Hash>,
    tool: Hash,
    #[serde(deserialize_with = "strict::object")]
    facts: F,
}

/// The same object, to be written.
#[derive(Serialize)]
struct BodyRef<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    kit: Option<Hash>,
    seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    prev: Option<Hash>,
    seen: &'a BTreeMap<String, (u64, Hash)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Hash>,
    tool: Hash,
    facts: &'a Event,
}

/// Header and payload of this draft.
pub(super) fn write(draft: &Draft) -> (Vec<u8>, Vec<u8>) {
    let x5c: Vec<String> = draft.x5c.iter().map(|der| STANDARD.encode(der)).collect();
    let header = Header {
        alg: ALGORITHM.into(),
        typ: TYPE.into(),
        kid: draft.kid,
        x5c: (!x5c.is_empty()).then_some(x5c),
    };
    let claims = Claims {
        iss: draft.iss.clone(),
        sub_id: Subject { format: "opaque".into(), id: draft.serial.to_string() },
        txn: draft.txn.clone(),
        jti: draft.jti.clone(),
        iat: draft.iat,
        events: EventsRef(draft),
    };
    let never_fails = "maps with text keys always have a JSON form";
    (serde_json::to_vec(&header).expect(never_fails), serde_json::to_vec(&claims).expect(never_fails))
}

/// Contents of this header and payload, checked to be consistent.
pub(super) fn read(header: &[u8], payload: &[u8]) -> Result<Draft, RecordError> {
    let header = match usual(header) {
        Some(header) => header,
        None => whole(header).map_err(RecordError::Header)?,
    };
    if header.alg != ALGORITHM {
        return Err(RecordError::Algorithm(header.alg.into_owned()));
    }
    if header.typ != TYPE {
        return Err(RecordError::Type(header.typ.into_owned()));
    }
    let mut x5c = Vec::new();
    for (index, certificate) in header.x5c.iter().flatten().enumerate() {
        let der = STANDARD.decode(certificate.as_bytes());
        x5c.push(der.map_err(|_| RecordError::Certificate { index })?);
    }
    if header.x5c.is_some() && x5c.is_empty() {
        return Err(RecordError::Contradiction("the list of certificates is empty"));
    }
    let claims: Claims<Events> = whole(payload).map_err(RecordError::Claims)?;
    let (link, event) = match claims.events {
        Events::Known(both) => *both,
        Events::Unknown(uri) => return Err(RecordError::UnknownEvent(uri)),
    };
    let serial = claims.sub_id.serial()?;
    let (iss, txn, jti, iat) = (claims.iss, claims.txn, claims.jti, claims.iat);
    Draft { kid: header.kid, x5c, iss, serial, txn, jti, iat, link, event }.consistent()
}

/// The header of all records but enrolments, as they are written: only the key differs, and nothing is left to look for.
fn usual(header: &[u8]) -> Option<Header<'static>> {
    let rest = header.strip_prefix(br#"{"alg":"ES256","typ":"secevent+jwt","kid":""#)?;
    let kid = std::str::from_utf8(rest.strip_suffix(br#""}"#)?).ok()?;
    let kid = KeyId(kid.parse().ok()?);
    Some(Header { alg: ALGORITHM.into(), typ: TYPE.into(), kid, x5c: None })
}

/// One object and nothing after it.
fn whole<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = strict::object(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

impl Subject {
    fn serial(&self) -> Result<Serial, RecordError> {
        let serial: Option<Serial> = self.id.parse().ok();
        match serial {
            Some(serial) if self.format == "opaque" && serial.to_string() == self.id => Ok(serial),
            _ => Err(RecordError::Contradiction("the subject is not the serial number of a key")),
        }
    }
}

/// `events` to be written: one member, the URI of the event.
struct EventsRef<'a>(&'a Draft);

impl Serialize for EventsRef<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Link { kit, seq, prev, seen, policy, tool } = &self.0.link;
        let (kit, seq, prev, policy, tool) = (*kit, *seq, *prev, *policy, *tool);
        let body = BodyRef { kit, seq, prev, seen, policy, tool, facts: &self.0.event };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(&format!("{EVENT_BASE}{}", self.0.event.name()), &body)?;
        map.end()
    }
}

/// `events` as read.
enum Events {
    Known(Box<(Link, Event)>),
    Unknown(String),
}

impl<'de> Deserialize<'de> for Events {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OneEvent)
    }
}

struct OneEvent;

impl<'de> Visitor<'de> for OneEvent {
    type Value = Events;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with exactly one event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Events, A::Error> {
        let one = || serde::de::Error::custom("not exactly one event");
        let uri: String = map.next_key()?.ok_or_else(one)?;
        let known = match uri.strip_prefix(EVENT_BASE).unwrap_or_default() {
            "key.enrolled" => body(&mut map, Event::KeyEnrolled)?,
            "kit.founded" => body(&mut map, Event::KitFounded)?,
            "key.admitted" => body(&mut map, Event::KeyAdmitted)?,
            "key.retired" => body(&mut map, Event::KeyRetired)?,
            "policy.adopted" => body(&mut map, Event::PolicyAdopted)?,
            "key.pin-changed" => body(&mut map, Event::KeyPinChanged)?,
            "credential.sealed" => body(&mut map, Event::CredentialSealed)?,
            "credential.confirmed" => body(&mut map, Event::CredentialConfirmed)?,
            "open.intent" => body(&mut map, Event::OpenIntent)?,
            "open.asserted" => body(&mut map, Event::OpenAsserted)?,
            "open.released" => body(&mut map, Event::OpenReleased)?,
            "exported" => body(&mut map, Event::Exported)?,
            "gap.accepted" => body(&mut map, Event::GapAccepted)?,
            "key.witness" => body(&mut map, Event::KeyWitness)?,
            "incident.closed" => body(&mut map, Event::IncidentClosed)?,
            "ledger.anchored" => body(&mut map, Event::LedgerAnchored)?,
            "key.checked-out" => body(&mut map, Event::KeyCheckedOut)?,
            "key.checked-in" => body(&mut map, Event::KeyCheckedIn)?,
            "debt.discharged" => body(&mut map, Event::DebtDischarged)?,
            "incident.reviewed" => body(&mut map, Event::IncidentReviewed)?,
            "drill.begun" => body(&mut map, Event::DrillBegun)?,
            "drill.ended" => body(&mut map, Event::DrillEnded)?,
            "request.approved" => body(&mut map, Event::RequestApproved)?,
            "mint.intent" => body(&mut map, Event::MintIntent)?,
            "mint.issued" => body(&mut map, Event::MintIssued)?,
            "mint.authority" => body(&mut map, Event::MintAuthority)?,
            "mint.revoked" => body(&mut map, Event::MintRevoked)?,
            _ => {
                map.next_value::<IgnoredAny>()?;
                Events::Unknown(uri)
            }
        };
        match map.next_key::<IgnoredAny>()? {
            None => Ok(known),
            Some(_) => Err(one()),
        }
    }
}

/// The value of the event, whose facts are of the type that this variant holds.
fn body<'de, A, F>(map: &mut A, variant: fn(F) -> Event) -> Result<Events, A::Error>
where
    A: MapAccess<'de>,
    F: DeserializeOwned,
{
    struct Object<F>(Body<F>);
    impl<'de, F: DeserializeOwned> Deserialize<'de> for Object<F> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            strict::object(deserializer).map(Object)
        }
    }
    let Object(body) = map.next_value::<Object<F>>()?;
    let Body { kit, seq, prev, seen, policy, tool, facts } = body;
    Ok(Events::Known(Box::new((Link { kit, seq, prev, seen, policy, tool }, variant(facts)))))
}
