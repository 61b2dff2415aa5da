//! Key revocation lists of OpenSSH (PROTOCOL.krl), which the library does not write. They carry no signature: whoever
//! installs one must have it from a hand that they trust.

use p256::ecdsa::VerifyingKey;
use ssh_key::public::{EcdsaPublicKey, KeyData};

use super::MintError;

const MAGIC: u64 = 0x5353_484B_524C_0A00; // "SSHKRL\n\0"
const FORMAT: u32 = 1;
const CERTIFICATES: u8 = 1;
const EXPLICIT_KEYS: u8 = 2;
const SERIAL_LIST: u8 = 0x20;
const KEY_IDS: u8 = 0x23;

/// What one authority takes back.
#[derive(Debug, Clone)]
pub struct Revoked {
    /// The authority.
    pub authority: VerifyingKey,
    /// Serial numbers of certificates.
    pub serials: Vec<u64>,
    /// Key identities; one may stand for several certificates.
    pub identities: Vec<String>,
    /// Everything that it ever signed.
    pub altogether: bool,
}

/// The list. `version` must grow from one to the next; `now` in Unix seconds. Without entries it is the empty list that
/// hosts need from the beginning: where `RevokedKeys` names no file, sshd lets nobody in.
pub fn revocation_list(
    revoked: &[Revoked],
    version: u64,
    now: u64,
    comment: &str,
) -> Result<Vec<u8>, MintError> {
    let mut list = Vec::new();
    list.extend(MAGIC.to_be_bytes());
    list.extend(FORMAT.to_be_bytes());
    list.extend(version.to_be_bytes());
    list.extend(now.to_be_bytes());
    list.extend(0u64.to_be_bytes()); // flags
    string(&mut list, b""); // reserved
    string(&mut list, comment.as_bytes());
    for one in revoked {
        let authority = blob(&one.authority)?;
        if !one.serials.is_empty() || !one.identities.is_empty() {
            section(&mut list, CERTIFICATES, &certificates(one, &authority));
        }
        if one.altogether {
            let mut keys = Vec::new();
            string(&mut keys, &authority);
            section(&mut list, EXPLICIT_KEYS, &keys);
        }
    }
    Ok(list)
}

fn certificates(one: &Revoked, authority: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    string(&mut body, authority);
    string(&mut body, b""); // reserved
    if !one.serials.is_empty() {
        let mut serials = one.serials.clone();
        serials.sort_unstable();
        serials.dedup();
        section(
            &mut body,
            SERIAL_LIST,
            &serials.iter().flat_map(|serial| serial.to_be_bytes()).collect::<Vec<u8>>(),
        );
    }
    if !one.identities.is_empty() {
        let mut identities: Vec<&str> = one.identities.iter().map(String::as_str).collect();
        identities.sort_unstable();
        identities.dedup();
        let mut names = Vec::new();
        identities.iter().for_each(|name| string(&mut names, name.as_bytes()));
        section(&mut body, KEY_IDS, &names);
    }
    body
}

fn blob(key: &VerifyingKey) -> Result<Vec<u8>, MintError> {
    ssh_key::PublicKey::from(KeyData::Ecdsa(EcdsaPublicKey::from(key))).to_bytes().map_err(MintError::Ssh)
}

fn section(list: &mut Vec<u8>, kind: u8, body: &[u8]) {
    list.push(kind);
    string(list, body);
}

/// RFC 4251 section 5: length in 4 bytes, then the bytes.
pub(super) fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("nothing here comes near 4 GiB");
    out.extend(length.to_be_bytes());
    out.extend_from_slice(bytes);
}
