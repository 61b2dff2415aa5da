//! What the program and its FIDO2 helper say to each other: one request in, one reply out, both JSON.
//!
//! The helper is the same program in a process of its own. Nothing in a reply is believed: what a key answered is in
//! it as raw bytes, and [`super::check`] judges them.

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Most bytes of a request, as JSON.
pub const MAX_REQUEST: usize = 64 * 1024;

/// Most bytes of a reply, as JSON.
pub const MAX_REPLY: usize = 64 * 1024;

/// One operation on one key.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Says which reply belongs to it.
    pub id: u64,
    /// Device node, such as `/dev/hidraw3`.
    pub path: String,
    /// What to do.
    pub work: Work,
}

/// What the helper does on a key.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Work {
    /// authenticatorGetInfo.
    Info,
    /// PIN tries left.
    Tries,
    /// The first PIN.
    SetPin {
        /// The PIN.
        new: Secret,
    },
    /// Another PIN.
    ChangePin {
        /// The present PIN.
        current: Secret,
        /// The PIN to be.
        new: Secret,
    },
    /// authenticatorMakeCredential.
    Create {
        /// The PIN.
        pin: Secret,
        /// User handle.
        #[serde(with = "hex")]
        user: Vec<u8>,
        /// What the key's attestation statement would be over.
        #[serde(with = "hex")]
        challenge: Vec<u8>,
    },
    /// authenticatorGetAssertion.
    Assert {
        /// The PIN.
        pin: Secret,
        /// Credential id.
        #[serde(with = "hex")]
        credential: Vec<u8>,
        /// The bytes whose SHA-256 is signed.
        #[serde(with = "hex")]
        challenge: Vec<u8>,
        /// One or two salts of 32 bytes.
        salts: Vec<Salt>,
    },
}

impl Work {
    /// What errors call it.
    pub fn step(&self) -> &'static str {
        match self {
            Work::Info => "GET INFO",
            Work::Tries => "GET PIN RETRIES",
            Work::SetPin { .. } => "SET PIN",
            Work::ChangePin { .. } => "CHANGE PIN",
            Work::Create { .. } => "MAKE CREDENTIAL",
            Work::Assert { .. } => "GET ASSERTION",
        }
    }

    /// Whether the key waits for a touch.
    pub fn touches(&self) -> bool {
        matches!(self, Work::Create { .. } | Work::Assert { .. })
    }

    /// CTAP requests that it takes where nothing fails: GET INFO, a key agreement for each shared secret, the PIN token,
    /// and the operation itself.
    pub fn requests(&self) -> u64 {
        match self {
            Work::Info => 1,
            Work::Tries => 2,
            Work::SetPin { .. } | Work::ChangePin { .. } => 3,
            Work::Create { .. } => 4,
            Work::Assert { .. } => 5,
        }
    }
}

/// Salt of an envelope.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Salt(#[serde(with = "hex")] pub [u8; 32]);

/// A PIN or an output of hmac-secret on its way through the pipe.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop, PartialEq, Eq)]
#[serde(transparent)]
pub struct Secret(#[serde(with = "hex")] Vec<u8>);

impl Secret {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Secret(bytes)
    }

    /// The bytes, for the key or for the caller.
    pub fn expose_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// What the helper says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// That of the request.
    pub id: u64,
    /// CTAP requests that were sent.
    pub requests: u64,
    /// Of these, how many waited for a touch.
    pub touches: u64,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an operation, as the library between us and the key tells it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Outcome {
    /// Of [`Work::Info`].
    Info(RawInfo),
    /// Of [`Work::Tries`].
    Tries(i64),
    /// Of [`Work::SetPin`] and [`Work::ChangePin`].
    Done,
    /// Of [`Work::Create`].
    Created(RawCredential),
    /// Of [`Work::Assert`].
    Asserted(Vec<RawAssertion>),
    /// Of any.
    Failed(Failure),
}

/// An answer to authenticatorGetInfo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawInfo {
    /// Model identifier.
    #[serde(with = "hex")]
    pub aaguid: Vec<u8>,
    /// 0 where it does not tell.
    pub firmware: u64,
    /// Versions.
    pub versions: Vec<String>,
    /// Extensions.
    pub extensions: Vec<String>,
    /// Option clientPin; `None` where the key knows no PIN.
    pub client_pin: Option<bool>,
    /// forcePINChange.
    pub force_pin_change: bool,
    /// minPINLength; 0 where it does not tell.
    pub min_pin_length: u64,
    /// pinUvAuthProtocols.
    pub pin_protocols: Vec<u64>,
}

/// An answer to authenticatorMakeCredential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawCredential {
    /// The AAGUID that authenticatorGetInfo told just before.
    #[serde(with = "hex")]
    pub aaguid: Vec<u8>,
    /// Raw authenticator data.
    #[serde(with = "hex")]
    pub authenticator_data: Vec<u8>,
    /// Credential id, as the library read it.
    #[serde(with = "hex")]
    pub id: Vec<u8>,
    /// Public key, as the library read it: SEC1.
    #[serde(with = "hex")]
    pub public: Vec<u8>,
    /// Counter, as the library read it.
    pub counter: u32,
}

/// An answer to authenticatorGetAssertion.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawAssertion {
    /// Credential id; empty where the key leaves it out.
    #[serde(with = "hex")]
    pub credential: Vec<u8>,
    /// Raw authenticator data.
    #[serde(with = "hex")]
    pub authenticator_data: Vec<u8>,
    /// DER signature.
    #[serde(with = "hex")]
    pub signature: Vec<u8>,
    /// Counter, as the library read it.
    pub counter: u32,
    /// Decrypted outputs of hmac-secret.
    pub secrets: Vec<Secret>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Failure {
    /// This user may not open the node.
    Denied,
    /// The node is not there, or reading and writing ended.
    Gone,
    /// It cannot be opened for another reason.
    NotOpened(String),
    /// A CTAP status, CTAP 2.1 section 8.2, or an error code of the HID layer, which has the same numbers.
    Status(u8),
    /// Status 31, and the tries left, asked afterwards; `None` if that gave no answer.
    WrongPin(Option<i64>),
    /// The key kept saying that it waits for a touch (`true`) or that it works (`false`), for 50 s.
    StillWaiting(bool),
    /// It knows no PIN.
    NoPinOption,
    /// No PIN is set; none was sent.
    PinNotSet,
    /// A PIN is set already; none was sent.
    PinIsSet,
    /// The PIN must be changed first; none was sent.
    PinMustChange,
    /// What the library says otherwise.
    Other(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_the_same_on_both_ends_and_prints_no_secret() {
        let request = Request {
            id: 7,
            path: "/dev/hidraw0".into(),
            work: Work::Assert {
                pin: Secret::new(b"73920485".to_vec()),
                credential: vec![1; 64],
                challenge: b"a record".to_vec(),
                salts: vec![Salt([2; 32]), Salt([3; 32])],
            },
        };
        let text = serde_json::to_string(&request).unwrap();
        let read: Request = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        assert!(!format!("{read:?}").contains("73920485") && format!("{read:?}").contains("pin: Secret"));
        let Work::Assert { pin, salts, .. } = &read.work else { panic!("{read:?}") };
        assert_eq!((pin.expose_bytes(), salts[1].0), (&b"73920485"[..], [3; 32]));
        assert!(text.len() < MAX_REQUEST);
    }

    #[test]
    fn a_reply_with_a_member_too_many_is_none() {
        let good = r#"{"id":1,"requests":2,"touches":0,"outcome":{"tries":8}}"#;
        assert!(serde_json::from_str::<Reply>(good).is_ok());
        for bad in [
            r#"{"id":1,"requests":2,"touches":0,"outcome":{"tries":8},"more":1}"#,
            r#"{"id":1,"requests":2,"touches":0,"outcome":{"tries":8}}{"id":1}"#,
            r#"{"id":1,"id":2,"requests":2,"touches":0,"outcome":{"tries":8}}"#,
            r#"{"id":-1,"requests":2,"touches":0,"outcome":"done"}"#,
            r#"{"id":1,"requests":2,"touches":0,"outcome":{"failed":{"status":256}}}"#,
        ] {
            assert!(serde_json::from_str::<Reply>(bad).is_err(), "{bad}");
        }
    }
}
