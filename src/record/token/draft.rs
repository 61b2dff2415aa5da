//! A record before it is signed: its contents, and the bytes that the key is asked to sign.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::{Signature, VerifyingKey};

use super::{Link, READ_CAP, REASON_CAP, Record, RecordError, WRITTEN_CAP, json};
use crate::attestation::Serial;
use crate::record::event::{Event, KeyCheckedIn, KeyCheckedOut};
use crate::record::hash::{Hash, KeyId};

/// How many heads of other chains a writer puts in `seen`. So many leave room for an opening with the longest names and
/// reason; a kit with more keys names the heads that changed last. [`Draft::with_room`] is for the rare rest.
pub const SEEN_MAX: usize = 6;

/// What a record says: written here, then signed; or read from a signed one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// RFC 7638 thumbprint of the signing key.
    pub kid: KeyId,
    /// Certificates of the signing key, DER, its attestation first (RFC 7515 section 4.1.6). In `key.enrolled` only.
    pub x5c: Vec<Vec<u8>>,
    /// The organisation's issuer, an https URI.
    pub iss: String,
    /// Serial number of the key.
    pub serial: Serial,
    /// The incident that an opening belongs to.
    pub txn: Option<String>,
    /// Identifier of this record for receivers. Records are told apart by their hash, not by this.
    pub jti: String,
    /// The machine's claimed time, Unix seconds.
    pub iat: i64,
    /// Its place.
    pub link: Link,
    /// What happened.
    pub event: Event,
}

impl Draft {
    /// The same with so many heads of `seen` left out, the last by name first, that the record is short enough, if that
    /// can make it so. What others have seen is worth less than that an opening can be recorded.
    pub fn with_room(mut self) -> Self {
        while matches!(self.clone().signing_input(), Err(RecordError::TooLong { .. })) {
            if self.link.seen.pop_last().is_none() {
                break;
            }
        }
        self
    }

    /// The bytes to sign.
    ///
    /// # Errors
    /// [`RecordError::TooLong`] and [`RecordError::ReasonTooLong`] for the limits on writing; whatever
    /// [`Record::parse`] would refuse is refused here.
    pub fn signing_input(self) -> Result<SigningInput, RecordError> {
        for (member, text) in self.event.reasons() {
            if text.len() > REASON_CAP {
                return Err(RecordError::ReasonTooLong { member, bytes: text.len() });
            }
        }
        let (header, payload) = json::write(&self);
        // What cannot be read again is found here, before a key has signed it.
        let contents = json::read(&header, &payload)?;
        let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let bytes = text.len() + 1 + 86; // a dot, and 64 bytes in base64url
        let cap = if matches!(self.event, Event::KeyEnrolled(_)) { READ_CAP } else { WRITTEN_CAP };
        if bytes > cap {
            return Err(RecordError::TooLong { bytes, cap });
        }
        Ok(SigningInput { contents, text })
    }

    /// The rules between the parts, each of which is well formed by its type.
    pub(super) fn consistent(self) -> Result<Self, RecordError> {
        let wrong = |what| Err(RecordError::Contradiction(what));
        if !is_https(&self.iss) {
            return wrong("the issuer is not an https URI");
        }
        if self.jti.is_empty() || self.txn.as_deref() == Some("") {
            return wrong("an identifier is empty");
        }
        if self.link.prev.is_none() != (self.link.seq == 0) {
            return wrong("all records but the first, and only those, name the one before");
        }
        if matches!(self.event, Event::KeyEnrolled(_)) != (self.link.seq == 0) {
            return wrong("the first record of a key, and only that, enrols it");
        }
        if self.x5c.is_empty() != (self.link.seq != 0) {
            return wrong("an enrolment, and only that, carries certificates");
        }
        match (&self.event, self.link.kit) {
            (Event::KitFounded(_), Some(_)) => return wrong("a founding record names a kit"),
            (
                Event::KitFounded(_) | Event::KeyEnrolled(_) | Event::KeyPinChanged(_) | Event::Exported(_),
                _,
            ) => {}
            (_, None) => return wrong("no kit is named"),
            (_, Some(_)) => {}
        }
        match &self.event {
            Event::OpenIntent(_) | Event::OpenReleased(_) if self.txn.is_none() => {
                wrong("an opening names no incident")
            }
            Event::OpenIntent(facts) if facts.consent.as_ref().is_some_and(|consent| !consent.is_whole()) => {
                wrong("a consent names approvals without their request, or nothing")
            }
            Event::RequestApproved(_) if self.txn.is_none() => wrong("an approval names no incident"),
            Event::RequestApproved(facts) if facts.approver == facts.operator => {
                wrong("nobody approves what they ask for")
            }
            Event::IncidentClosed(_) if self.txn.is_none() => wrong("a close names no incident"),
            Event::KeyCheckedOut(KeyCheckedOut { person, witness, .. })
            | Event::KeyCheckedIn(KeyCheckedIn { person, witness, .. })
                if person == witness || person.is_empty() || witness.is_empty() =>
            {
                wrong("a key is moved by two people")
            }
            Event::DebtDischarged(_) | Event::IncidentReviewed(_) if self.txn.is_none() => {
                wrong("what ends a debt names no incident")
            }
            Event::DrillBegun(_) | Event::DrillEnded(_) if self.txn.is_some() => {
                wrong("a drill names an incident")
            }
            Event::MintIntent(_) | Event::MintIssued(_) if self.txn.is_none() => {
                wrong("a minting names no incident")
            }
            Event::MintIntent(facts) if facts.from >= facts.until => {
                wrong("what is minted ends before it begins")
            }
            Event::MintIntent(facts)
                if facts.numbers.is_empty() || facts.numbers.len() != facts.digests.len() =>
            {
                wrong("what is minted is not numbered one by one")
            }
            Event::MintRevoked(facts) if !facts.is_whole() => wrong(
                "what is taken back is neither numbered nor all, or its list is not that of certificates",
            ),
            Event::DrillEnded(facts) if facts.proven && facts.failed.is_some() => {
                wrong("a drill that proved something says what failed")
            }
            Event::KeyEnrolled(facts) if facts.serial != self.serial => {
                wrong("the enrolment is of another serial than its subject")
            }
            Event::KeyEnrolled(facts) if KeyId::of(&VerifyingKey::from(facts.signing.0)) != self.kid => {
                wrong("the enrolment is of another key than the header names")
            }
            _ => Ok(self),
        }
    }
}

/// An https URI without white space or control characters, as event receivers compare it: as text.
fn is_https(iss: &str) -> bool {
    iss.strip_prefix("https://")
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()))
}

/// Header, dot, payload: what the key signs. Turned into a [`Record`] by the signature.
#[derive(Debug, Clone)]
pub struct SigningInput {
    contents: Draft,
    text: String,
}

impl SigningInput {
    /// The bytes, for a signer that hashes.
    pub fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// SHA-256 of the bytes, for a signer that does not, such as PIV's GENERAL AUTHENTICATE.
    pub fn digest(&self) -> [u8; 32] {
        Hash::of(self.bytes()).0
    }

    /// Adds the signature. Of the two values of `s` that verify (`s` and `n - s`), a record holds the lower, so that
    /// nobody can give it a second hash.
    pub fn finish(self, signature: &Signature) -> Record {
        let signature = signature.normalize_s();
        let signed = self.text.len();
        let mut text = self.text;
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.to_bytes(), &mut text);
        Record::new(self.contents, signature, signed, text.into_bytes().into_boxed_slice())
    }
}
