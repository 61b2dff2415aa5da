//! libfido2's programs in the guest, which know nothing of ours: what they make and what they say of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use breakglass::assertion::RELYING_PARTY;
use p256::ecdsa::VerifyingKey;
use p256::pkcs8::DecodePublicKey;
use sha2::{Digest, Sha256};

use crate::guest::Guest;

/// A credential of the kit's kind: ES256, not discoverable, hmac-secret, credProtect 3.
pub(crate) struct Credential {
    pub(crate) id: String,
    pub(crate) public: VerifyingKey,
    pem: String,
}

/// What `fido2-assert` got.
pub(crate) struct Assertion {
    pub(crate) data: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) secret: Vec<u8>,
}

/// Sets the first PIN.
pub(crate) fn set_pin(guest: &mut Guest, key: &str, pin: &str) {
    guest.ok(&format!("printf '{pin}\\n{pin}\\n' | fido2-token -S $(node {key})"));
}

/// Makes a credential and has `fido2-cred -V` accept its attestation.
pub(crate) fn make(guest: &mut Guest, key: &str, pin: &str) -> Credential {
    let hash = STANDARD.encode(Sha256::digest(b"made by a stock tool"));
    let said = guest.ok(&format!(
        "printf '%s\\n' {hash} {RELYING_PARTY} somebody {user} >wish
         echo {pin} | fido2-cred -M -h -c 3 -i wish $(node {key}) >made
         fido2-cred -V -h -c 3 -i made",
        user = STANDARD.encode(b"somebody"),
    ));
    let (id, pem) = said.split_once('\n').expect("a credential id, and a public key");
    let public = VerifyingKey::from_public_key_pem(pem).expect("a P-256 key");
    Credential { id: id.to_owned(), public, pem: pem.to_owned() }
}

/// Gets an assertion over `challenge`, with the hmac-secret of 32 times `salt`, and has `fido2-assert -V` accept it.
pub(crate) fn assert(
    guest: &mut Guest,
    key: &str,
    pin: &str,
    credential: &Credential,
    challenge: &[u8],
    salt: u8,
) -> Assertion {
    let said = guest.ok(&format!(
        "printf '%s\\n' {hash} {RELYING_PARTY} {id} {salt} >wish
         echo '{pem}' >public
         echo {pin} | fido2-assert -G -h -p -v -i wish $(node {key}) >made
         head -n 4 made >assertion
         fido2-assert -V -h -p -v -i assertion public es256
         cat made",
        hash = STANDARD.encode(Sha256::digest(challenge)),
        id = credential.id,
        salt = STANDARD.encode([salt; 32]),
        pem = credential.pem,
    ));
    let lines: Vec<Vec<u8>> =
        said.lines().skip(2).map(|line| STANDARD.decode(line).expect("base64 on its own line")).collect();
    let [data, signature, secret] = &lines[..] else { panic!("data, signature and secret: {said}") };
    Assertion { data: without_head(data).to_vec(), signature: signature.clone(), secret: secret.clone() }
}

/// The bytes of a CBOR byte string of fewer than 65536.
fn without_head(cbor: &[u8]) -> &[u8] {
    match cbor {
        [0x40..=0x57, bytes @ ..] | [0x58, _, bytes @ ..] | [0x59, _, _, bytes @ ..] => bytes,
        _ => panic!("no byte string: {cbor:02x?}"),
    }
}
