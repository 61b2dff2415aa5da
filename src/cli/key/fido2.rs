//! The FIDO2 side of a key, as `key list` and `key inspect` show it.

use serde::Serialize;

use crate::kit::Kit;
use crate::record::event::{Aaguid, CounterProfile, CredentialId, Fido2PinKind};
use crate::record::hash::KeyId;

/// What the kit knows of an enrolled key's FIDO2 side.
#[derive(Serialize)]
pub(super) struct Fido2 {
    aaguid: Aaguid,
    firmware: Option<u64>,
    credential: CredentialId,
    pin: Fido2PinKind,
    profile: CounterProfile,
    envelopes: usize,
    unused_envelopes: usize,
}

/// `None` for a key of PIV alone.
pub(super) fn of(kit: &Kit, key: &KeyId) -> Option<Fido2> {
    let side = kit.fido2(key)?;
    let (envelopes, unused_envelopes) = (side.envelopes.len(), side.unused());
    let facts = side.facts;
    Some(Fido2 {
        aaguid: facts.aaguid,
        firmware: facts.firmware,
        credential: facts.credential,
        pin: facts.pin,
        profile: facts.profile,
        envelopes,
        unused_envelopes,
    })
}

/// `FIDO2 counts by 1, PIN shared, 7 envelopes unused`.
pub(super) fn in_words(fido2: Option<&Fido2>) -> String {
    let Some(fido2) = fido2 else { return "PIV alone".to_owned() };
    let counts = match fido2.profile {
        CounterProfile::Exact { step } => format!("counts by {step}"),
        CounterProfile::Monotonic => "counts upwards".to_owned(),
    };
    let pin = match fido2.pin {
        Fido2PinKind::Shared => "PIN shared",
        Fido2PinKind::Own => "PIN of its own",
    };
    let unused = match fido2.unused_envelopes {
        1 => "1 envelope unused".to_owned(),
        unused => format!("{unused} envelopes unused"),
    };
    format!("FIDO2 {counts}, {pin}, {unused}")
}
