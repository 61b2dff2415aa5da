//! The envelope of a credential: age, and nothing of our own inside it.
//!
//! One key is enough: `payload.age` has one stanza for each key. Several are needed, or FIDO2 too: `payload.age` is sealed
//! to a fresh X25519 identity, and each key's file holds that identity or a share of it, for a key with FIDO2 inside a second
//! layer that only its hmac-secret opens. Each is opened without this program as `doc/recovery.md` tells.
//!
//! Pure: bytes and traits in, bytes out. Names of files are given, no file is touched.

mod about;
mod envelope;
mod generate;
mod inspect;
mod open;
mod outer;
mod prove;
mod recipient;
mod seal;
mod share;
#[cfg(test)]
mod soft;
mod stanza;

pub use about::{ABOUT_NAME, About, AboutError, MAX_ABOUT_FILE};
pub use generate::{DEFAULT_LENGTH, GenerateError, LETTERS_AND_DIGITS, generate};
pub use inspect::{Difference, Expected, Inspection, inspect};
pub use open::{UnsealError, combine, open_by_file, open_single, unwrap_share};
pub use outer::{MAX_SIDECAR_FILE, Outer, SidecarError, envelope_of, open_envelope, sidecar_name};
pub use prove::{prove_by_file, prove_share, prove_single};
pub use recipient::{KeyTextError, PivRecipient, PluginIdentity, Tag};
pub use seal::{Proof, SealError, SealTo, Sealed, SealedFile, seal};
pub use share::{Share, ShareSetError, ShareTextError};

/// Most bytes of a secret: 64 KiB.
pub const MAX_PLAINTEXT: usize = 64 * 1024;

/// Most bytes of `payload.age`: a header for 255 keys, and the secret. A longer file is not read.
pub const MAX_PAYLOAD_FILE: usize = 128 * 1024;

/// Most bytes of a key's file, nested or not. A longer file is not read.
pub const MAX_SHARE_FILE: usize = 4 * 1024;

/// Most keys that one credential is sealed to; Shamir's shares over GF(256) have 255 numbers.
pub const MAX_KEYS: usize = 255;

/// Name of the file with the secret.
pub const PAYLOAD_NAME: &str = "payload.age";

/// Name of a key's file, by the key's name `<serial>-<kid8>`.
pub fn share_name(key: &str) -> String {
    format!("{key}.age")
}
