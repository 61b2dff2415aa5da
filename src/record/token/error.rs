//! Why bytes are not a record.

use super::REASON_CAP;

/// Why bytes are not a record, or a draft cannot become one.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Longer than may be read or written.
    #[error("record of {bytes} bytes, more than {cap}")]
    TooLong {
        /// Length of the compact JWS.
        bytes: usize,
        /// The most it may be.
        cap: usize,
    },
    /// A reason longer than [`REASON_CAP`].
    #[error("{member} of {bytes} bytes, more than {REASON_CAP}")]
    ReasonTooLong {
        /// `reason` or `why`.
        member: &'static str,
        /// Its length in UTF-8.
        bytes: usize,
    },
    /// Not header, payload and signature with a dot between.
    #[error("not the three parts of a compact JWS, but {parts}")]
    Parts {
        /// How many parts there are.
        parts: usize,
    },
    /// A carriage return at the end: the line ends of the file were changed on the way. A record has none, as other bytes
    /// would be a second spelling of it.
    #[error(
        "a carriage return ends it: the file's line ends were changed on the way. get the file again, copied as binary"
    )]
    CarriageReturn,
    /// A byte order mark before it: a program wrote the file anew as text.
    #[error(
        "a byte order mark is before it: the file was saved anew as text. get the file again, copied as binary"
    )]
    ByteOrderMark,
    /// Not base64url without padding, or not in its one canonical spelling.
    #[error("{part} is not canonical base64url")]
    Base64 {
        /// `header`, `payload` or `signature`.
        part: &'static str,
        /// Where, and what is wrong there.
        source: base64::DecodeError,
    },
    /// The header is not JSON of exactly the known members.
    #[error("header: {0}")]
    Header(#[source] serde_json::Error),
    /// `alg` is not ES256.
    #[error("algorithm {0:?}, not ES256")]
    Algorithm(String),
    /// `typ` is not secevent+jwt.
    #[error("type {0:?}, not secevent+jwt")]
    Type(String),
    /// A certificate in `x5c` is not canonical base64.
    #[error("certificate {index} of the header is not canonical base64")]
    Certificate {
        /// Which, from 0.
        index: usize,
    },
    /// The claims are not JSON of exactly the known members and types.
    #[error("claims: {0}")]
    Claims(#[source] serde_json::Error),
    /// An event that this version does not know. Not a fault of the record: a newer version reads it.
    #[error("event {0:?} is not known to this version: a newer one is needed")]
    UnknownEvent(String),
    /// The parts of the record are well formed but exclude each other.
    #[error("the record contradicts itself: {0}")]
    Contradiction(&'static str),
    /// Not 64 bytes of `r` and `s`.
    #[error("signature of {bytes} bytes, not 64")]
    SignatureLength {
        /// Its length.
        bytes: usize,
    },
    /// `r` or `s` is zero or not below the group's order.
    #[error("signature out of range")]
    SignatureRange,
    /// `s` is in the upper half: the same signature in its second spelling, which would give the record a second hash.
    #[error("signature not in its lower form")]
    SignatureNotLow,
}
