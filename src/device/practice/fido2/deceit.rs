//! Answers of a FIDO2 side that is broken, cloned or made to deceive.

use crate::device::fido2::AuthenticatorFacts;

/// How a key answers one request dishonestly. What concerns another request is not heeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deceit {
    /// Any request: refused with this CTAP status, and not heard.
    Refuse(u8),

    /// An assertion for another relying party. This one and all that follow, but for [`Deceit::OtherKey`],
    /// [`Deceit::OtherCredential`] and [`Deceit::BadSignature`], are signed as well as an honest one.
    OtherRelyingParty,
    /// The flag says that nobody touched it.
    NotTouched,
    /// The flag says that no PIN was given.
    NotVerified,
    /// The flag says that a new credential follows.
    CarriesCredential,
    /// The counter is that of the last assertion, as a clone's may be.
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

    /// GET INFO: it has no hmac-secret.
    WithoutHmacSecret,
    /// It has no credProtect.
    WithoutCredProtect,
    /// Its PIN must be changed first.
    PinMustChange,
    /// Its PINs have 12 characters at least.
    LongPinsOnly,
}

impl Deceit {
    /// What GET INFO tells then.
    pub(super) fn told_in(self, mut facts: AuthenticatorFacts) -> AuthenticatorFacts {
        match self {
            Deceit::WithoutHmacSecret => facts.hmac_secret = false,
            Deceit::WithoutCredProtect => facts.cred_protect = false,
            Deceit::PinMustChange => facts.pin_must_change = true,
            Deceit::LongPinsOnly => facts.pin_length = 12,
            _ => {}
        }
        facts
    }
}
