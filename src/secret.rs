//! Secrets: typed, zeroed on drop, without `Clone`, `Display` or serde. `Debug` prints the name only.
//!
//! Each has one way out, named `expose_…`, so that every use is found by one search.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Why a typed PIN or PUK is not sent to any key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PinFormatError {
    /// Not 6 to 8 characters.
    #[error("it has {0} characters; a PIN or PUK has 6 to 8")]
    Length(usize),
    /// Not 4 to 63 characters, as a FIDO2 PIN has.
    #[error("it has {0} characters; a FIDO2 PIN has 4 to 63")]
    Fido2Length(usize),
    /// Something other than printable ASCII, which not every firmware takes.
    #[error("it has a character other than a letter, a digit or a sign of ASCII")]
    Character,
    /// 44 modhex characters: the key was touched and typed a one-time password.
    #[error("that was a touch: the key typed a one-time password, not your PIN; nothing was sent")]
    OneTimePassword,
}

/// A PIN or PUK reference value: 6 to 8 ASCII characters, padded with FF to the 8 bytes that PIV sends
/// (NIST SP 800-73-4 part 2, section 2.4.3).
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Pin {
    block: [u8; 8],
}

impl Pin {
    /// Takes what a person typed, without line end. Never sent anywhere if it cannot be a PIN.
    pub fn parse(typed: &[u8]) -> Result<Self, PinFormatError> {
        if typed.len() == 44 && typed.iter().all(|c| b"cbdefghijklnrtuv".contains(c)) {
            return Err(PinFormatError::OneTimePassword);
        }
        if !(6..=8).contains(&typed.len()) {
            return Err(PinFormatError::Length(typed.len()));
        }
        if !typed.iter().all(u8::is_ascii_graphic) {
            return Err(PinFormatError::Character);
        }
        let mut block = [0xFF; 8];
        block[..typed.len()].copy_from_slice(typed);
        Ok(Pin { block })
    }

    /// The 8 bytes that a VERIFY, CHANGE REFERENCE DATA or RESET RETRY COUNTER command carries.
    pub fn expose_block(&self) -> &[u8; 8] {
        &self.block
    }

    /// Whether both are the same, in constant time.
    pub fn same_as(&self, other: &Pin) -> bool {
        self.block.iter().zip(other.block.iter()).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin")
    }
}

/// A FIDO2 PIN: 4 to 63 bytes (CTAP 2.1 section 6.5.1). The kit takes printable ASCII only, which has one encoding.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Fido2Pin(Vec<u8>);

/// Most bytes of a FIDO2 PIN.
const FIDO2_PIN_BYTES: usize = 63;

impl Fido2Pin {
    /// Takes what a person typed, without line end. Never sent anywhere if it cannot be a FIDO2 PIN.
    pub fn parse(typed: &[u8]) -> Result<Self, PinFormatError> {
        if typed.len() == 44 && typed.iter().all(|c| b"cbdefghijklnrtuv".contains(c)) {
            return Err(PinFormatError::OneTimePassword);
        }
        if !(4..=FIDO2_PIN_BYTES).contains(&typed.len()) {
            return Err(PinFormatError::Fido2Length(typed.len()));
        }
        if !typed.iter().all(u8::is_ascii_graphic) {
            return Err(PinFormatError::Character);
        }
        let mut kept = Vec::with_capacity(FIDO2_PIN_BYTES); // never grown, so never copied
        kept.extend_from_slice(typed);
        Ok(Fido2Pin(kept))
    }

    /// The same characters as the PIV PIN: an operator types one.
    pub fn same_as_piv(pin: &Pin) -> Self {
        let length = pin.block.iter().position(|byte| *byte == 0xFF).unwrap_or(pin.block.len());
        let mut kept = Vec::with_capacity(FIDO2_PIN_BYTES);
        kept.extend_from_slice(&pin.block[..length]);
        Fido2Pin(kept)
    }

    /// Whether both are the same characters.
    pub fn same_as(&self, other: &Fido2Pin) -> bool {
        self.0 == other.0
    }

    /// The bytes as typed, for the key.
    pub fn expose_typed(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Fido2Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fido2Pin")
    }
}

/// Algorithm of a PIV management key; the value is its PIV algorithm identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ManagementAlgorithm {
    /// Three-key 3DES, 24 bytes; the default before firmware 5.7.
    TripleDes = 0x03,
    /// AES-128, 16 bytes.
    Aes128 = 0x08,
    /// AES-192, 24 bytes; the default from firmware 5.7.
    Aes192 = 0x0A,
    /// AES-256, 32 bytes.
    Aes256 = 0x0C,
}

impl ManagementAlgorithm {
    /// Length of such a key in bytes.
    pub const fn key_length(self) -> usize {
        match self {
            ManagementAlgorithm::TripleDes | ManagementAlgorithm::Aes192 => 24,
            ManagementAlgorithm::Aes128 => 16,
            ManagementAlgorithm::Aes256 => 32,
        }
    }

    /// From the PIV algorithm identifier in the metadata of 9B.
    pub const fn from_identifier(identifier: u8) -> Option<Self> {
        match identifier {
            0x03 => Some(ManagementAlgorithm::TripleDes),
            0x08 => Some(ManagementAlgorithm::Aes128),
            0x0A => Some(ManagementAlgorithm::Aes192),
            0x0C => Some(ManagementAlgorithm::Aes256),
            _ => None,
        }
    }
}

impl std::fmt::Display for ManagementAlgorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            ManagementAlgorithm::TripleDes => "3DES",
            ManagementAlgorithm::Aes128 => "AES-128",
            ManagementAlgorithm::Aes192 => "AES-192",
            ManagementAlgorithm::Aes256 => "AES-256",
        })
    }
}

/// A PIV management key (key reference 9B): whoever has it may generate keys and write objects.
pub struct ManagementKey {
    algorithm: ManagementAlgorithm,
    bytes: Zeroizing<Vec<u8>>,
}

impl ManagementKey {
    /// `None` if the length does not fit the algorithm.
    pub fn new(algorithm: ManagementAlgorithm, bytes: Zeroizing<Vec<u8>>) -> Option<Self> {
        (bytes.len() == algorithm.key_length()).then_some(ManagementKey { algorithm, bytes })
    }

    /// The factory key of that algorithm (01..08 three times; 16 bytes of it for AES-128; AES-256 has no factory use).
    pub fn factory(algorithm: ManagementAlgorithm) -> Self {
        let bytes = (1..=8u8).cycle().take(algorithm.key_length()).collect();
        ManagementKey { algorithm, bytes: Zeroizing::new(bytes) }
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> ManagementAlgorithm {
        self.algorithm
    }

    /// The key bytes, for authentication and for the PIN-protected copy on the key.
    pub fn expose_key(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for ManagementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ManagementKey")
    }
}

/// A credential's secret, or a share of what opens it.
pub struct Plaintext(Zeroizing<Vec<u8>>);

impl Plaintext {
    /// Takes the buffer over; it is wiped when dropped.
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Plaintext(bytes)
    }

    /// The secret itself, for the one place that hands it out.
    pub fn expose_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Plaintext")
    }
}

/// The x coordinate that an ECDH on P-256 gives, 32 bytes.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SharedSecret([u8; 32]);

impl SharedSecret {
    /// Takes the 32 bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        SharedSecret(bytes)
    }

    /// The 32 bytes, for a key derivation.
    pub fn expose_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret")
    }
}
