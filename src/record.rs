//! Signed records: one event each, chained per key. Bytes in, bytes out; `doc/record-format.md` is the specification.
//!
//! A [`token::Record`] is one Security Event Token (RFC 8417): a JWT (RFC 7519) signed as a compact JWS (RFC 7515) with
//! ES256. What it says is an [`event::Event`] with its place in its key's chain, a [`token::Link`]. The exact bytes are
//! what is signed, hashed, stored and sent: nothing is serialised or signed a second time.

#[cfg(test)] // for `sample`, which finds its types beside itself wherever it is included
use crate::attestation;

pub mod bundle;
pub mod chain;
pub mod codes;
pub mod counter;
pub mod event;
pub mod hash;
pub mod interop;
pub mod packed;
#[cfg(test)]
pub(crate) mod sample;
mod strict;
pub mod token;
pub mod visible;
