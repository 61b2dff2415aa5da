//! What records say of a key's FIDO2 side: its credential, its assertions, its envelopes. Each byte string is a type of
//! its own, so that nothing of a wrong length or in a second spelling is ever read.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32, Hrp};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::Point;
use crate::assertion::{MAX_AUTHENTICATOR_DATA, MAX_SIGNATURE};
use crate::record::hash::Hash;
use crate::record::strict;

/// Most envelopes that an enrolment carries.
pub const MAX_ENVELOPES: usize = 32;

/// Bytes of a length between `MIN` and `MAX`, base64url without padding in JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct Bounded<const MIN: usize, const MAX: usize>(Vec<u8>);

/// The id of a FIDO2 credential (CTAP 2.1: at most 1,023 bytes).
pub type CredentialId = Bounded<1, 1023>;

/// Raw authenticator data of an assertion (WebAuthn level 2, section 6.1).
pub type AuthenticatorData = Bounded<37, MAX_AUTHENTICATOR_DATA>;

/// An ECDSA signature on P-256 in DER. Eight bytes are the shortest there can be.
pub type DerSignature = Bounded<8, MAX_SIGNATURE>;

/// Bytes of another length than they may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes, where {min} to {max} can be")]
pub struct WrongLength {
    /// How many there are.
    pub bytes: usize,
    /// How many there are at least.
    pub min: usize,
    /// How many there are at most.
    pub max: usize,
}

impl<const MIN: usize, const MAX: usize> Bounded<MIN, MAX> {
    /// Takes the bytes, if they are as many as they may be.
    pub fn new(bytes: Vec<u8>) -> Result<Self, WrongLength> {
        match bytes.len() {
            length if (MIN..=MAX).contains(&length) => Ok(Bounded(bytes)),
            length => Err(WrongLength { bytes: length, min: MIN, max: MAX }),
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl<const MIN: usize, const MAX: usize> fmt::Debug for Bounded<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl<const MIN: usize, const MAX: usize> Serialize for Bounded<MIN, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl<'de, const MIN: usize, const MAX: usize> Deserialize<'de> for Bounded<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Bounded::new(decoded(deserializer)?).map_err(D::Error::custom)
    }
}

/// 32 random bytes: the salt of an envelope, or a nonce.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Random(pub [u8; 32]);

/// The first 8 bytes of the SHA-256 of an envelope's recipient, as text: names the envelope in short.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvelopeId(pub [u8; 8]);

/// The model of an authenticator; 32 lower-case hexadecimal digits in JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Aaguid(pub [u8; 16]);

impl fmt::Display for EnvelopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for EnvelopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Display for Aaguid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Aaguid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Random {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Random {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = decoded(deserializer)?;
        bytes.try_into().map(Random).map_err(|_| D::Error::custom("not 32 bytes in base64url"))
    }
}

impl Serialize for Aaguid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Aaguid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 16];
        match hex::decode_to_slice(&text, &mut bytes) {
            Ok(()) if hex::encode(bytes) == text => Ok(Aaguid(bytes)),
            _ => Err(D::Error::custom("an AAGUID is 32 lower-case hexadecimal digits")),
        }
    }
}

/// The bytes of a text in canonical base64url.
fn decoded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| D::Error::custom("not canonical base64url"))
}

const AGE: Hrp = Hrp::parse_unchecked("age");

/// An X25519 recipient of age, `age1…`, in its one lower-case spelling.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct AgeRecipient(String);

/// A text that is no X25519 recipient of age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an X25519 recipient of age")]
pub struct NotARecipient;

impl AgeRecipient {
    /// Of a public key, 32 bytes (RFC 7748).
    pub fn of(public: &[u8; 32]) -> Self {
        AgeRecipient(bech32::encode_lower::<Bech32>(AGE, public).expect("62 characters are within Bech32"))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What names it in short.
    pub fn id(&self) -> EnvelopeId {
        let digest = Sha256::digest(&self.0);
        EnvelopeId(*digest.first_chunk().expect("32 bytes hold 8"))
    }
}

impl FromStr for AgeRecipient {
    type Err = NotARecipient;

    fn from_str(text: &str) -> Result<Self, NotARecipient> {
        let checked = CheckedHrpstring::new::<Bech32>(text).map_err(|_| NotARecipient)?;
        let bytes: Vec<u8> = checked.byte_iter().collect();
        let public: [u8; 32] = bytes.try_into().map_err(|_| NotARecipient)?;
        let recipient = AgeRecipient::of(&public);
        // One spelling only: the prefix, lower case, unused bits of zero.
        (recipient.0 == text).then_some(recipient).ok_or(NotARecipient)
    }
}

impl fmt::Display for AgeRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AgeRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for AgeRecipient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// What a sealing puts its outer layer to. The identity's 32 bytes are the key's hmac-secret of the salt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// What the key is asked with.
    pub salt: Random,
    /// The public half.
    pub recipient: AgeRecipient,
}

/// How the FIDO2 PIN was at provisioning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub enum Fido2PinKind {
    /// The same as the PIV PIN.
    Shared,
    /// One of its own.
    Own,
}

// From text alone, like `KitKind`.
impl TryFrom<String> for Fido2PinKind {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "shared" => Ok(Fido2PinKind::Shared),
            "own" => Ok(Fido2PinKind::Own),
            _ => Err("a FIDO2 PIN is shared or own"),
        }
    }
}

/// How the key's signature counter moves, as measured at provisioning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WrittenProfile", into = "WrittenProfile")]
pub enum CounterProfile {
    /// By the same step with each use.
    Exact {
        /// The step, at least 1.
        step: u32,
    },
    /// By some positive number with each use.
    Monotonic,
}

impl CounterProfile {
    /// What these counters of assertions, made one after the other, show: a fixed step only if every step was the same.
    ///
    /// # Errors
    /// The first two neighbours that do not rise.
    pub fn measured(counters: &[u32]) -> Result<Self, (u32, u32)> {
        let mut steps = Vec::new();
        for pair in counters.windows(2) {
            match pair[1].checked_sub(pair[0]) {
                None | Some(0) => return Err((pair[0], pair[1])),
                Some(step) => steps.push(step),
            }
        }
        Ok(match steps[..] {
            [step, ref rest @ ..] if rest.iter().all(|other| *other == step) => {
                CounterProfile::Exact { step }
            }
            _ => CounterProfile::Monotonic,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenProfile {
    kind: String,
    #[serde(default, deserialize_with = "strict::present", skip_serializing_if = "Option::is_none")]
    step: Option<u32>,
}

impl From<CounterProfile> for WrittenProfile {
    fn from(profile: CounterProfile) -> Self {
        match profile {
            CounterProfile::Exact { step } => WrittenProfile { kind: "exact".into(), step: Some(step) },
            CounterProfile::Monotonic => WrittenProfile { kind: "monotonic".into(), step: None },
        }
    }
}

impl TryFrom<WrittenProfile> for CounterProfile {
    type Error = &'static str;
    fn try_from(written: WrittenProfile) -> Result<Self, Self::Error> {
        match (written.kind.as_str(), written.step) {
            ("exact", Some(step)) if step > 0 => Ok(CounterProfile::Exact { step }),
            ("monotonic", None) => Ok(CounterProfile::Monotonic),
            _ => Err("a counter is exact with a step from 1, or monotonic"),
        }
    }
}

/// An assertion as evidence: verified by [`crate::assertion::verify`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    /// The raw authenticator data, as signed.
    pub data: AuthenticatorData,
    /// Signature over the authenticator data and the SHA-256 of the challenge.
    pub signature: DerSignature,
}

/// The FIDO2 side of an enrolled key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fido2Enrolled {
    /// Model, as the key says it.
    pub aaguid: Aaguid,
    /// firmwareVersion of its getInfo, where it tells.
    #[serde(default, deserialize_with = "some_integer", skip_serializing_if = "Option::is_none")]
    pub firmware: Option<u64>,
    /// The one credential that the kit made on it.
    pub credential: CredentialId,
    /// Its public key, ES256.
    pub public: Point,
    /// How its PIN was at provisioning.
    pub pin: Fido2PinKind,
    /// How its counter moves.
    #[serde(deserialize_with = "strict::object")]
    pub profile: CounterProfile,
    /// The last assertion of the calibration, over [`enrolment_challenge`]: where the counting of the chain begins.
    #[serde(deserialize_with = "strict::object")]
    pub proof: Assertion,
    /// The first envelopes, at least one.
    #[serde(deserialize_with = "some_envelopes")]
    pub envelopes: Vec<Envelope>,
}

/// What the assertion of an enrolment is made over: a tag, then the compressed SEC1 point of 9C, so that it is of this
/// key's enrolment and of no other.
pub fn enrolment_challenge(signing: &Point) -> Vec<u8> {
    use p256::elliptic_curve::sec1::ToSec1Point;
    [b"breakglass fido2 enrolment v1\0", signing.0.to_sec1_point(true).as_bytes()].concat()
}

/// Facts of `open.asserted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenAsserted {
    /// Hash of the record of the same chain that was the challenge: its exact bytes without line feed.
    pub over: Hash,
    /// The raw authenticator data, as signed.
    pub data: AuthenticatorData,
    /// Signature over the authenticator data and `over`.
    pub signature: DerSignature,
    /// The envelope that the same assertion made.
    #[serde(default, deserialize_with = "strict::present_object", skip_serializing_if = "Option::is_none")]
    pub next: Option<Envelope>,
}

/// Facts of `key.witness`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyWitness {
    /// Drawn for this record, so that the assertion over it was made after.
    pub nonce: Random,
}

fn some_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    strict::integer(deserializer).map(Some)
}

fn some_envelopes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Envelope>, D::Error> {
    let envelopes: Vec<Envelope> = strict::objects(deserializer)?;
    match envelopes.len() {
        1..=MAX_ENVELOPES => Ok(envelopes),
        count => Err(D::Error::custom(format_args!("{count} envelopes, where 1 to {MAX_ENVELOPES} can be"))),
    }
}

/// The envelopes of a sealing, one for each recipient; empty text for a key without FIDO2.
pub mod envelope_ids {
    use super::*;

    /// Writes them.
    pub fn serialize<S: Serializer>(ids: &[Option<EnvelopeId>], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(ids.iter().map(|id| id.map_or(String::new(), |id| id.to_string())))
    }

    /// Reads them.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Option<EnvelopeId>>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let read = |text: String| match text.as_str() {
            "" => Ok(None),
            text => match URL_SAFE_NO_PAD.decode(text).map(<[u8; 8]>::try_from) {
                Ok(Ok(bytes)) => Ok(Some(EnvelopeId(bytes))),
                _ => Err(D::Error::custom("an envelope is named by 8 bytes in base64url")),
            },
        };
        texts.into_iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests;
