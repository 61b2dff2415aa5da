//! The private key of a minted credential, where it is made here: used once, never written by this module.

use std::fmt;

use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// A P-256 key in memory, wiped when dropped. Made on this machine for whoever uses the credential here; across a gap only
/// public keys come.
pub struct SubjectKey(SigningKey);

impl SubjectKey {
    /// A new one.
    pub fn generate(random: &mut dyn CryptoRng) -> Self {
        loop {
            let mut scalar = Zeroizing::new([0; 32]);
            random.fill_bytes(&mut scalar[..]);
            // All but one in 2^32 are below the order of the curve and above 0.
            if let Ok(key) = SigningKey::from_slice(&scalar[..]) {
                return SubjectKey(key);
            }
        }
    }

    /// From PKCS #8 (RFC 5958) in PEM, as [`SubjectKey::expose_pem`] writes it; `None` if it is no such P-256 key.
    pub fn from_pem(pem: &str) -> Option<Self> {
        SigningKey::from_pkcs8_pem(pem).ok().map(SubjectKey)
    }

    /// Its public half.
    pub fn public(&self) -> &VerifyingKey {
        self.0.verifying_key()
    }

    /// A signature over a SHA-256 digest.
    pub fn sign(&self, digest: &[u8; 32]) -> Signature {
        self.0.sign_prehash(digest).expect("a digest of 32 bytes is signed")
    }

    /// PKCS #8 in PEM, which OpenSSH, libpq, nginx, curl and kubectl read.
    pub fn expose_pem(&self) -> Zeroizing<String> {
        self.0.to_pkcs8_pem(LineEnding::LF).expect("a key of P-256 always has a PKCS #8 form")
    }

    /// The private scalar, 32 bytes, for an agent.
    pub fn expose_scalar(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes().into())
    }
}

impl fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubjectKey")
    }
}
