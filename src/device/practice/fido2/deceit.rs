//! Answers of a FIDO2 side that is broken, cloned or made to deceive.

use crate::device::fido2::wire::RawInfo;

/// How a key answers one request dishonestly. What concerns another request is not heeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deceit {
    /// Any request: refused with this CTAP status, and not heard.
    Refuse(u8),

    /// A new credential or an assertion for another relying party. This one and all that follow, but for
    /// [`Deceit::OtherKey`], [`Deceit::OtherCredential`] and [`Deceit::BadSignature`], are signed as well as an honest one.
    OtherRelyingParty,
    /// The flag says that nobody touched it.
    NotTouched,
    /// The flag says that no PIN was given.
    NotVerified,
    /// The flag of an assertion says that a new credential follows.
    CarriesCredential,
    /// The counter of an assertion is that of the last assertion, as a clone's may be.
    CounterStandsStill,
    /// The counter is one less than that of the last assertion.
    CounterGoesBack,
    /// The counter is 0.
    CounterIsZero,
    /// Another credential answers, with its own id and key.
    OtherCredential,
    /// The right id, and the signature of another key.
    OtherKey,
    /// A signature over something else.
    BadSignature,
    /// The hmac-secret is missing.
    NoSecret,
    /// The hmac-secret is that of other salts.
    OtherSecret,

    /// GET INFO, or a new credential: it has no hmac-secret.
    WithoutHmacSecret,
    /// It has no credProtect.
    WithoutCredProtect,
    /// GET INFO: its PIN must be changed first.
    PinMustChange,
    /// Its PINs have 12 characters at least.
    LongPinsOnly,
}

impl Deceit {
    /// What GET INFO tells then.
    pub(super) fn told_in(self, mut info: RawInfo) -> RawInfo {
        match self {
            Deceit::WithoutHmacSecret => info.extensions.retain(|name| name != "hmac-secret"),
            Deceit::WithoutCredProtect => info.extensions.retain(|name| name != "credProtect"),
            Deceit::PinMustChange => info.force_pin_change = true,
            Deceit::LongPinsOnly => info.min_pin_length = 12,
            _ => {}
        }
        info
    }
}
