//! Keys in slots: generate, import, use, move, delete. P-256 only; other algorithms are refused as a bad parameter.

use std::fmt;

use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::{PublicKey, SecretKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::model::SimulatedKey;
use super::status::Status;
use super::surroundings::Surroundings;
use crate::attestation::{PinPolicy, TouchPolicy};

/// PIV algorithm identifier of P-256.
pub(super) const P256: u8 = 0x11;

/// A slot that takes a key: 9A, 9C, 9D, 9E, 82 to 95. (F9 is apart: [`super::attest::AttestationKey`].)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyReference(u8);

impl KeyReference {
    /// `None` if there is no such slot.
    pub const fn new(reference: u8) -> Option<Self> {
        match reference {
            0x9A | 0x9C | 0x9D | 0x9E | 0x82..=0x95 => Some(KeyReference(reference)),
            _ => None,
        }
    }

    /// Its PIV key reference.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// PIN policy of a key that was made without naming one.
    const fn default_pin_policy(self) -> PinPolicy {
        match self.0 {
            0x9C => PinPolicy::Always,
            0x9E => PinPolicy::Never,
            _ => PinPolicy::Once,
        }
    }
}

impl From<crate::attestation::Slot> for KeyReference {
    fn from(slot: crate::attestation::Slot) -> Self {
        KeyReference(slot.number())
    }
}

impl fmt::Display for KeyReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X}", self.0)
    }
}

impl From<KeyReference> for String {
    fn from(reference: KeyReference) -> String {
        reference.to_string()
    }
}

impl TryFrom<String> for KeyReference {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        u8::from_str_radix(&text, 16)
            .ok()
            .and_then(KeyReference::new)
            .ok_or_else(|| format!("{text} is not a slot of a practice key"))
    }
}

/// Where a key came from; the byte of GET METADATA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Generated on the key: attestable.
    Generated = 1,
    /// Imported: not attestable.
    Imported = 2,
}

/// A private key in a slot, with its policies.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotKey {
    #[serde(with = "secret_key")]
    secret: SecretKey,
    /// Where it came from.
    pub origin: Origin,
    pin: u8,
    touch: u8,
}

impl SlotKey {
    /// Its public key.
    pub fn public(&self) -> PublicKey {
        self.secret.public_key()
    }

    /// PIN policy byte, touch policy byte.
    pub fn policy(&self) -> (u8, u8) {
        (self.pin, self.touch)
    }

    /// The DER signature of a 32-byte hash.
    fn sign(&self, hash: &[u8; 32]) -> Result<DerSignature, Status> {
        SigningKey::from(&self.secret).sign_prehash(hash).map_err(|_| Status::INTERNAL)
    }
}

/// Policy bytes of GENERATE and IMPORT; `None` for what the command left out.
#[derive(Debug, Clone, Copy, Default)]
pub struct PolicyBytes {
    /// Tag AA.
    pub pin: Option<u8>,
    /// Tag AB.
    pub touch: Option<u8>,
}

impl SimulatedKey {
    /// The key in that slot.
    pub fn key(&self, reference: KeyReference) -> Option<&SlotKey> {
        self.keys.get(&reference)
    }

    /// GENERATE ASYMMETRIC KEY PAIR: replaces what is there.
    pub fn generate(
        &mut self,
        reference: KeyReference,
        algorithm: u8,
        policy: PolicyBytes,
        around: &Surroundings,
    ) -> Result<PublicKey, Status> {
        self.require_management()?;
        if algorithm != P256 {
            return Err(Status::DATA);
        }
        let secret = random_secret(around);
        self.put_key(reference, secret, Origin::Generated, policy)
    }

    /// IMPORT KEY: replaces what is there. `scalar` has 32 bytes.
    pub fn import(
        &mut self,
        reference: KeyReference,
        algorithm: u8,
        scalar: &[u8],
        policy: PolicyBytes,
    ) -> Result<PublicKey, Status> {
        self.require_management()?;
        if algorithm != P256 {
            return Err(Status::DATA);
        }
        let secret = SecretKey::from_slice(scalar).map_err(|_| Status::DATA)?;
        self.put_key(reference, secret, Origin::Imported, policy)
    }

    fn put_key(
        &mut self,
        reference: KeyReference,
        secret: SecretKey,
        origin: Origin,
        policy: PolicyBytes,
    ) -> Result<PublicKey, Status> {
        // 00 means "default", as a missing tag does.
        let pin = policy.pin.filter(|&byte| byte != 0).unwrap_or(reference.default_pin_policy() as u8);
        let touch = policy.touch.filter(|&byte| byte != 0).unwrap_or(TouchPolicy::Never as u8);
        pin_policy(pin)?;
        touch_policy(touch)?;
        let public = secret.public_key();
        self.keys.insert(reference, SlotKey { secret, origin, pin, touch });
        Ok(public)
    }

    /// GENERAL AUTHENTICATE, sign: DER signature of a hash of at most 32 bytes (shorter ones are numbers, as in ECDSA).
    pub fn sign(
        &mut self,
        reference: KeyReference,
        hash: &[u8],
        around: &Surroundings,
    ) -> Result<Vec<u8>, Status> {
        let start = 32usize.checked_sub(hash.len()).ok_or(Status::DATA)?;
        let mut padded = [0; 32];
        padded[start..].copy_from_slice(hash);
        let signature = self.usable(reference, around)?.sign(&padded)?;
        Ok(signature.as_bytes().to_vec())
    }

    /// GENERAL AUTHENTICATE, ECDH: the x coordinate of `point` (65 bytes, 04 X Y) times the key.
    pub fn agree(
        &mut self,
        reference: KeyReference,
        point: &[u8],
        around: &Surroundings,
    ) -> Result<Zeroizing<[u8; 32]>, Status> {
        let peer = PublicKey::from_sec1_bytes(point).map_err(|_| Status::DATA)?;
        let key = self.usable(reference, around)?;
        let shared = p256::ecdh::diffie_hellman(key.secret.to_nonzero_scalar(), peer.as_affine());
        Ok(Zeroizing::new((*shared.raw_secret_bytes()).into()))
    }

    /// The key, if PIN and touch allow its use in this command.
    fn usable(&mut self, reference: KeyReference, around: &Surroundings) -> Result<SlotKey, Status> {
        let key = self.keys.get(&reference).cloned().ok_or(Status::DATA)?;
        self.require_pin(pin_policy(key.pin)?)?;
        self.require_touch(touch_policy(key.touch)?, around)?;
        Ok(key)
    }

    /// MOVE KEY (firmware 5.7), or DELETE KEY if `to` is `None`.
    pub fn move_key(&mut self, from: KeyReference, to: Option<KeyReference>) -> Result<(), Status> {
        if !self.profile.moves_keys() {
            return Err(Status::INSTRUCTION);
        }
        self.require_management()?;
        let key = self.keys.remove(&from).ok_or(Status::REFERENCE)?;
        if let Some(to) = to {
            self.keys.insert(to, key);
        }
        Ok(())
    }

    /// Puts another P-256 key in the place of one, policies kept: a counterfeit that answers for the real key.
    /// Nothing is asked; `None` if the slot is empty.
    pub fn counterfeit(&mut self, reference: KeyReference, around: &Surroundings) -> Option<PublicKey> {
        let key = self.keys.get_mut(&reference)?;
        key.secret = random_secret(around);
        Some(key.public())
    }
}

fn pin_policy(byte: u8) -> Result<PinPolicy, Status> {
    [PinPolicy::Never, PinPolicy::Once, PinPolicy::Always]
        .into_iter()
        .find(|&policy| policy as u8 == byte)
        .ok_or(Status::DATA)
}

fn touch_policy(byte: u8) -> Result<TouchPolicy, Status> {
    [TouchPolicy::Never, TouchPolicy::Always, TouchPolicy::Cached]
        .into_iter()
        .find(|&policy| policy as u8 == byte)
        .ok_or(Status::DATA)
}

/// A random P-256 key. A draw that is no scalar (one in 2^32) is drawn again.
pub(super) fn random_secret(around: &Surroundings) -> SecretKey {
    loop {
        let bytes = Zeroizing::new(around.bytes::<32>());
        if let Ok(secret) = SecretKey::from_slice(bytes.as_slice()) {
            return secret;
        }
    }
}

/// A private key in the file: 32 bytes in hex. Practice keys protect nothing, so nothing protects them.
pub(super) mod secret_key {
    use p256::SecretKey;
    use serde::de::Error;
    use serde::{Deserializer, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        key: &SecretKey,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        hex::serde::serialize(key.to_bytes().as_slice(), serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SecretKey, D::Error> {
        let bytes: Vec<u8> = hex::serde::deserialize(deserializer)?;
        SecretKey::from_slice(&bytes).map_err(|_| D::Error::custom("not a P-256 private key"))
    }
}
