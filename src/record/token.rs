//! One record: a Security Event Token (RFC 8417) as a compact JWS (RFC 7515), ES256, and nothing else.

mod draft;
mod error;
mod json;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::{Signature, VerifyingKey};

use super::hash::{Hash, KeyId};
use crate::attestation::Serial;
use crate::es256;

pub use draft::{Draft, SEEN_MAX, SigningInput};
pub use error::RecordError;

/// A record is written no longer than this, so that it fits on the key; except `key.enrolled`, which carries certificates.
pub const WRITTEN_CAP: usize = 2_600;
/// Nothing longer is read as a record, nor written as one.
pub const READ_CAP: usize = 64 * 1024;
/// A reason is written no longer than this, in bytes of UTF-8.
pub const REASON_CAP: usize = 256;

/// Where a record stands: its kit, its place in its key's chain, and what its writer knew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The kit's id. Absent in `kit.founded`, which makes it, and before.
    pub kit: Option<Hash>,
    /// Place in the key's chain, from 0.
    pub seq: u64,
    /// Hash of the key's record before. Absent at `seq` 0 only.
    pub prev: Option<Hash>,
    /// Heads of the other chains known to this copy of the kit: sequence number and hash, by chain name
    /// (`<serial>-<kid8>`). At most [`SEEN_MAX`] always fit.
    pub seen: BTreeMap<String, (u64, Hash)>,
    /// SHA-256 of the adopted policy.
    pub policy: Option<Hash>,
    /// SHA-256 of the program that wrote the record.
    pub tool: Hash,
}

/// A record as it was signed: parsed, immutable, and still its exact bytes. Its contents are read as fields of the
/// [`Draft`] it was made from: `record.kid`, `record.link.seq`, `record.event`.
///
/// Parsed is not verified: see [`Record::verify`] and [`super::chain::Chain`]. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Record(Arc<Signed>);

/// What a [`Record`] shares with its clones.
#[derive(PartialEq, Eq)]
struct Signed {
    contents: Draft,
    bytes: Box<[u8]>,
    /// How many of the bytes were signed.
    input: usize,
    signature: Signature,
    hash: Hash,
}

impl Deref for Record {
    type Target = Draft;
    fn deref(&self) -> &Draft {
        &self.0.contents
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("hash", &self.0.hash).field("contents", &self.0.contents).finish()
    }
}

impl Record {
    /// Reads one compact JWS, without line feed.
    ///
    /// # Errors
    /// Whatever departs from the format, in the order in which it is met; see [`RecordError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > READ_CAP {
            return Err(RecordError::TooLong { bytes: bytes.len(), cap: READ_CAP });
        }
        let parts = Parts::split(bytes)?;
        let contents = json::read(&decode(parts.header, "header")?, &decode(parts.payload, "payload")?)?;
        let signature = parts.signature()?;
        Ok(Record::new(contents, signature, parts.signed.len(), bytes.into()))
    }

    /// From bytes that say these contents, of which so many were signed, with this signature.
    fn new(contents: Draft, signature: Signature, input: usize, bytes: Box<[u8]>) -> Self {
        Record(Arc::new(Signed { hash: Hash::of(&bytes), contents, bytes, input, signature }))
    }

    /// The exact compact JWS, without line feed.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// SHA-256 of [`Record::bytes`]: what tells records apart, and what the next record's `prev` holds.
    pub fn hash(&self) -> Hash {
        self.0.hash
    }

    /// What was signed: header, dot, payload (RFC 7515 section 5.1).
    pub fn signing_input(&self) -> &[u8] {
        &self.0.bytes[..self.0.input]
    }

    /// The signature, with `s` in the lower half of the group's order.
    pub fn signature(&self) -> &Signature {
        &self.0.signature
    }

    /// The name of the chain that this record belongs to: `<serial>-<kid8>`.
    pub fn chain_name(&self) -> String {
        chain_name(self.serial, &self.kid)
    }

    /// Verifies the signature. Says nothing about whose key this is.
    ///
    /// # Errors
    /// [`BadSignature`], where it is not this key's over these bytes.
    pub fn verify(&self, key: &VerifyingKey) -> Result<(), BadSignature> {
        if es256::verify(key, self.signing_input(), &self.0.signature) {
            Ok(())
        } else {
            Err(BadSignature { serial: self.serial, seq: self.link.seq })
        }
    }
}

/// `<serial>-<kid8>`: the serial in decimal and the first 8 hexadecimal digits of the key id.
pub fn chain_name(serial: Serial, kid: &KeyId) -> String {
    format!("{serial}-{}", kid.0.short())
}

/// The signature is not that of the key over these bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature of record {seq} of key {serial} does not verify")]
pub struct BadSignature {
    /// The key that the record names.
    pub serial: Serial,
    /// Its place in that key's chain.
    pub seq: u64,
}

/// What programs put before text in UTF-8 and in both orders of UTF-16.
const MARKS: [&[u8]; 3] = [b"\xEF\xBB\xBF", b"\xFF\xFE", b"\xFE\xFF"];

/// A compact JWS cut at its dots.
pub(super) struct Parts<'a> {
    header: &'a [u8],
    payload: &'a [u8],
    signature: &'a [u8],
    /// What was signed.
    pub(super) signed: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Cuts; looks into none of the parts.
    pub(super) fn split(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let mut dots = memchr::memchr_iter(b'.', bytes);
        match (dots.next(), dots.next(), dots.next()) {
            (Some(_), Some(_), None) if bytes.ends_with(b"\r") => Err(RecordError::CarriageReturn),
            (Some(_), Some(_), None) if MARKS.iter().any(|mark| bytes.starts_with(mark)) => {
                Err(RecordError::ByteOrderMark)
            }
            (Some(first), Some(second), None) => Ok(Parts {
                header: &bytes[..first],
                payload: &bytes[first + 1..second],
                signature: &bytes[second + 1..],
                signed: &bytes[..second],
            }),
            (first, second, third) => {
                let seen = [first, second, third].iter().flatten().count();
                Err(RecordError::Parts { parts: 1 + seen + dots.count() })
            }
        }
    }

    /// The signature, if it is 64 bytes in range and in its lower form.
    pub(super) fn signature(&self) -> Result<Signature, RecordError> {
        let bytes = decode(self.signature, "signature")?;
        if bytes.len() != 64 {
            return Err(RecordError::SignatureLength { bytes: bytes.len() });
        }
        let signature = Signature::from_slice(&bytes).map_err(|_| RecordError::SignatureRange)?;
        if signature.normalize_s() != signature {
            return Err(RecordError::SignatureNotLow);
        }
        Ok(signature)
    }
}

/// RFC 7515 section 2: base64url, no padding; this engine also refuses trailing bits that are not zero, so that what it
/// decodes has one spelling.
fn decode(text: &[u8], part: &'static str) -> Result<Vec<u8>, RecordError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|source| RecordError::Base64 { part, source })
}

#[cfg(test)]
mod tests;
