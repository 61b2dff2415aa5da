//! Emergency credentials on hardware keys, opened offline, each use recorded.
//!
//! The life of a sealed credential, in module order: a key proves where its secrets were made ([`attestation`]), is
//! spoken to ([`device`]) with the person's consent ([`operator`]) and secrets that cannot be printed ([`secret`]);
//! what it signs is a [`record`]; records, policy and sealed files make a [`kit`]; a blank key joins it by
//! [`provision`]; a key proven present signs it by [`signing`]; and in an emergency [`unlock`] opens a credential, or a key
//! makes a short-lived one ([`mint`], by [`minting`]). [`cli`] is the edge that reads clocks, files and terminals.

pub mod assertion;
pub mod attestation;
#[cfg(feature = "audit")]
pub mod audit;
pub mod cli;
pub mod device;
pub mod es256;
pub mod hardening;
pub mod inventory;
pub mod kit;
pub mod mint;
pub mod minting;
pub mod operator;
pub mod provision;
pub mod record;
pub mod secret;
pub mod signing;
pub mod unlock;
