//! From what a key answered to what is believed. Bytes in, no device: every field that the kit relies on is read again
//! from the raw authenticator data, and compared with what the library made of it.

use p256::ecdsa::VerifyingKey;
use sha2::{Digest, Sha256};

use super::wire::{RawAssertion, RawCredential, RawInfo};
use super::{Answer, AuthenticatorFacts, Credential, Fido2Error, HmacSecret, Question};
use crate::assertion::{self, MAX_SIGNATURE, RELYING_PARTY};

mod extensions;

use extensions::Extensions;

/// Most bytes of a credential id (WebAuthn level 2, section 6.5.1).
pub const MAX_CREDENTIAL_ID: usize = 1023;

/// Most bytes of the authenticator data of a new credential: 55, the id, the key and a few hundred of extensions.
pub const MAX_CREDENTIAL_DATA: usize = 2048;

/// Most entries of a list in GET INFO, and most bytes of one.
const MAX_LIST: usize = 64;

const INFO: &str = "GET INFO";
const TRIES: &str = "GET PIN RETRIES";
const CREATE: &str = "MAKE CREDENTIAL";
const ASSERT: &str = "GET ASSERTION";

/// A COSE key for ES256, whose CBOR is canonical and so always the same bytes about x and y (CTAP 2.1 section 8).
const COSE_ES256: [&[u8]; 2] = [&[0xA5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32], &[0x22, 0x58, 32]];

fn malformed(step: &'static str, detail: impl Into<String>) -> Fido2Error {
    Fido2Error::Malformed { step, detail: detail.into() }
}

/// What an authenticator says of itself.
///
/// # Errors
/// [`Fido2Error::Malformed`]; [`Fido2Error::Unsupported`] if it speaks no FIDO2.
pub fn facts(raw: &RawInfo) -> Result<AuthenticatorFacts, Fido2Error> {
    let aaguid = <[u8; 16]>::try_from(raw.aaguid.as_slice())
        .map_err(|_| malformed(INFO, format!("its AAGUID has {} bytes, not 16", raw.aaguid.len())))?;
    for list in [&raw.versions, &raw.extensions] {
        let printable = |text: &String| text.len() <= MAX_LIST && text.bytes().all(|b| b.is_ascii_graphic());
        if list.len() > MAX_LIST || !list.iter().all(printable) {
            return Err(malformed(INFO, "a list of names is too long, or no list of names"));
        }
    }
    if raw.pin_protocols.len() > MAX_LIST {
        return Err(malformed(INFO, "it names too many PIN protocols"));
    }
    if !raw.versions.iter().any(|version| version.starts_with("FIDO_2_")) {
        return Err(Fido2Error::Unsupported("FIDO2"));
    }
    let small = |number: &u64| u8::try_from(*number);
    let pin_protocols = raw
        .pin_protocols
        .iter()
        .map(small)
        .collect::<Result<_, _>>()
        .map_err(|_| malformed(INFO, "it names a PIN protocol beyond 255"))?;
    let pin_length = match raw.min_pin_length {
        0 => 4,
        length @ 4..=63 => length as u8,
        length => return Err(malformed(INFO, format!("it asks for PINs of at least {length} characters"))),
    };
    let has = |name: &str| raw.extensions.iter().any(|extension| extension == name);
    Ok(AuthenticatorFacts {
        aaguid,
        firmware: (raw.firmware != 0).then_some(raw.firmware),
        versions: raw.versions.clone(),
        pin_set: raw.client_pin == Some(true),
        pin_must_change: raw.force_pin_change,
        pin_length,
        pin_protocols,
        hmac_secret: has("hmac-secret"),
        cred_protect: has("credProtect"),
    })
}

/// PIN tries left: CTAP allows at most 8; the library says 0 where the answer lacks them, so 0 is believed too.
///
/// # Errors
/// [`Fido2Error::Malformed`] for any other number.
pub fn tries(raw: i64) -> Result<u8, Fido2Error> {
    match raw {
        0..=8 => Ok(raw as u8),
        _ => Err(malformed(TRIES, format!("{raw} tries left"))),
    }
}

/// A new credential, and what its authenticator data say of it.
///
/// # Errors
/// [`Fido2Error::Malformed`] where the answer is not well-formed or is not to that request; [`Fido2Error::Unsupported`]
/// where the key made a credential without hmac-secret or with less than credProtect 3.
pub fn credential(raw: &RawCredential) -> Result<Credential, Fido2Error> {
    let wrong = |detail: &str| malformed(CREATE, detail);
    let data = raw.authenticator_data.as_slice();
    if data.len() > MAX_CREDENTIAL_DATA {
        return Err(wrong("the authenticator data are too long"));
    }
    let short = || malformed(CREATE, format!("the authenticator data end after {} bytes", data.len()));
    let (fixed, rest) = data.split_first_chunk::<55>().ok_or_else(short)?;
    if fixed[..32] != Sha256::digest(RELYING_PARTY.as_bytes())[..] {
        return Err(wrong("the credential is for another relying party"));
    }
    for (flag, detail) in [
        (0x01, "the credential was made without a touch"),
        (0x04, "the credential was made without a PIN"),
        (0x40, "the answer carries no credential"),
    ] {
        if fixed[32] & flag == 0 {
            return Err(wrong(detail));
        }
    }
    if u32::from_be_bytes([fixed[33], fixed[34], fixed[35], fixed[36]]) != raw.counter {
        return Err(wrong("two counters in one answer"));
    }
    if fixed[37..53] != raw.aaguid[..] {
        return Err(wrong("the credential names another model than GET INFO"));
    }
    let length = usize::from(u16::from_be_bytes([fixed[53], fixed[54]]));
    if !(1..=MAX_CREDENTIAL_ID).contains(&length) {
        return Err(malformed(CREATE, format!("a credential id of {length} bytes")));
    }
    let (id, rest) = rest.split_at_checked(length).ok_or_else(short)?;
    if id != raw.id {
        return Err(wrong("two credential ids in one answer"));
    }
    let (public, rest) = es256(rest).ok_or_else(|| wrong("its public key is no ES256 key"))?;
    if raw.public != public {
        return Err(wrong("two public keys in one answer"));
    }
    let public = p256::PublicKey::from_sec1_bytes(&public)
        .map_err(|_| wrong("its public key is not a point of P-256"))?;
    if (fixed[32] & 0x80 != 0) == rest.is_empty() {
        return Err(wrong("the extension flag and the length do not agree"));
    }
    let told = if rest.is_empty() { Some(Extensions::default()) } else { Extensions::read(rest) };
    let told = told.ok_or_else(|| wrong("its extensions cannot be read"))?;
    if told.hmac_secret != Some(true) {
        return Err(Fido2Error::Unsupported("hmac-secret with that credential"));
    }
    if told.cred_protect != Some(3) {
        return Err(Fido2Error::Unsupported(
            "credProtect 3, which keeps a credential silent without its PIN",
        ));
    }
    Ok(Credential { id: id.to_vec(), public })
}

/// The uncompressed SEC1 point of a COSE key, and what follows it.
fn es256(bytes: &[u8]) -> Option<([u8; 65], &[u8])> {
    let [head, middle] = COSE_ES256;
    let (x, rest) = bytes.strip_prefix(head)?.split_first_chunk::<32>()?;
    let (y, rest) = rest.strip_prefix(middle)?.split_first_chunk::<32>()?;
    let mut point = [4; 65];
    point[1..33].copy_from_slice(x);
    point[33..].copy_from_slice(y);
    Some((point, rest))
}

/// The one assertion that answers `question`, with its secrets.
///
/// # Errors
/// [`Fido2Error::Malformed`] where the answer is not to that question; [`Fido2Error::Assertion`] where it does not stand.
pub fn answer(question: &Question<'_>, raw: &[RawAssertion]) -> Result<Answer, Fido2Error> {
    let [raw] = raw else {
        return Err(malformed(ASSERT, format!("{} assertions instead of one", raw.len())));
    };
    if !raw.credential.is_empty() && raw.credential != question.credential.id {
        return Err(malformed(ASSERT, "it answers for another credential"));
    }
    if raw.signature.len() > MAX_SIGNATURE {
        return Err(malformed(ASSERT, format!("a signature of {} bytes", raw.signature.len())));
    }
    let key = VerifyingKey::from(question.credential.public);
    let counter = assertion::verify(&key, question.challenge, &raw.authenticator_data, &raw.signature)?;
    if counter != raw.counter {
        return Err(malformed(ASSERT, "two counters in one answer"));
    }
    let asked = 1 + usize::from(question.next.is_some());
    if raw.secrets.len() != asked {
        return Err(malformed(ASSERT, format!("{} secrets for {asked} salts", raw.secrets.len())));
    }
    let secret = |bytes: &[u8]| {
        let bytes = <[u8; 32]>::try_from(bytes);
        bytes.map(HmacSecret::new).map_err(|_| malformed(ASSERT, "a secret that has not 32 bytes"))
    };
    let first = secret(raw.secrets[0].expose_bytes())?;
    let next = raw.secrets.get(1).map(|next| secret(next.expose_bytes())).transpose()?;
    let two_salts = question.next.is_some_and(|next| next != question.salt);
    if two_salts && next.as_ref().is_some_and(|next| next.expose_bytes() == first.expose_bytes()) {
        return Err(malformed(ASSERT, "the same secret for two salts"));
    }
    Ok(Answer {
        authenticator_data: raw.authenticator_data.clone(),
        signature: raw.signature.clone(),
        counter,
        secret: first,
        next,
    })
}

#[cfg(test)]
mod tests;
