//! Short-lived credentials, minted by a key that platforms trust in advance: SSH and X.509 certificates, and tokens.
//!
//! Knows neither kit nor device. A request and a time become [`Unsigned`], whose digest is known before anything is signed,
//! so that a record can name it; a signature over that digest finishes it. Three kinds of minting keys, one in a slot of
//! its own each, so that one trust store can be emptied without the others: SSH ([`ssh`]), X.509 ([`x509`]), tokens
//! ([`jwt`]).

use p256::ecdsa::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::es256;

pub mod jwt;
pub mod ssh;
pub mod trust;
pub mod x509;

mod identity;
mod label;
mod number;
mod subject;
mod window;

pub use identity::KeyIdentity;
pub use label::{Label, NotALabel};
pub use number::{Numbers, of_decimal, spellings};
pub use subject::SubjectKey;
pub use window::{BACKDATED, LONGEST, MOST_BACKDATED, Window};

/// Why nothing is minted.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// Not from 1 second to [`LONGEST`], or further back than [`MOST_BACKDATED`], or a clock before 1970 or after 9999.
    #[error("no credential holds for {lifetime} s from {now}, {backdated} s backdated")]
    Window {
        /// The clock, in Unix seconds.
        now: u64,
        /// Seconds from then.
        lifetime: u64,
        /// Seconds before then.
        backdated: u64,
    },
    /// Something that has to be named is not.
    #[error("no {0} is named")]
    Nothing(&'static str),
    /// A text that cannot stand where it should.
    #[error("{what} {text:?} cannot be: {why}")]
    Text {
        /// What it is.
        what: &'static str,
        /// The text.
        text: String,
        /// What would do.
        why: &'static str,
    },
    /// `system:masters`, which no binding can take back, without the word for it.
    #[error("the group system:masters passes every check of a cluster and cannot be taken back")]
    Masters,
    /// A client that is named as the issuer of access tokens is: one token could pass for another.
    #[error("{0} is both the client and the issuer: a token of one kind could pass for one of the other")]
    ClientIsIssuer(String),
    /// An SSH certificate that cannot be written.
    #[error("the SSH certificate cannot be put together")]
    Ssh(#[source] ssh_key::Error),
    /// An X.509 certificate or list that cannot be written.
    #[error("the X.509 structure cannot be put together")]
    X509(#[source] x509_cert::builder::Error),
    /// The signature is not one of the minting key over what was to be signed.
    #[error("the signature does not verify with the minting key")]
    Signature,
}

impl From<ssh_key::Error> for MintError {
    fn from(error: ssh_key::Error) -> Self {
        MintError::Ssh(error)
    }
}

impl From<x509_cert::builder::Error> for MintError {
    fn from(error: x509_cert::builder::Error) -> Self {
        MintError::X509(error)
    }
}

impl From<x509_cert::der::Error> for MintError {
    fn from(error: x509_cert::der::Error) -> Self {
        MintError::X509(error.into())
    }
}

impl From<x509_cert::spki::Error> for MintError {
    fn from(error: x509_cert::spki::Error) -> Self {
        MintError::X509(error.into())
    }
}

type Finish<T> = Box<dyn FnOnce(&Signature) -> Result<T, MintError>>;

/// Waits for its signature; what will be signed is settled.
pub struct Unsigned<T> {
    key: VerifyingKey,
    signed_part: Vec<u8>,
    finish: Finish<T>,
}

impl<T> Unsigned<T> {
    fn new(
        key: &VerifyingKey,
        signed_part: Vec<u8>,
        finish: impl FnOnce(&Signature) -> Result<T, MintError> + 'static,
    ) -> Self {
        Unsigned { key: *key, signed_part, finish: Box::new(finish) }
    }

    /// What the key signs: SHA-256 of the part that the signature covers.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.signed_part).into()
    }

    /// The key whose signature is wanted.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// The same, of which something else is made in the end.
    pub fn map<U>(self, change: impl FnOnce(T) -> U + 'static) -> Unsigned<U>
    where
        T: 'static,
    {
        let Unsigned { key, signed_part, finish } = self;
        Unsigned { key, signed_part, finish: Box::new(move |signature| finish(signature).map(change)) }
    }

    /// The whole, with the signature over [`Unsigned::digest`].
    ///
    /// # Errors
    /// [`MintError::Signature`] if it is another's or over something else.
    pub fn finish(self, signature: &Signature) -> Result<T, MintError> {
        if !es256::verify(&self.key, &self.signed_part, signature) {
            return Err(MintError::Signature);
        }
        (self.finish)(signature)
    }
}

#[cfg(test)]
mod tests;
