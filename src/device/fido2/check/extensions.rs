//! The extension outputs of a new credential: a small CBOR map (RFC 8949) of text to number, truth or bytes.

/// What is told of the extensions that the kit asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    pub(super) hmac_secret: Option<bool>,
    pub(super) cred_protect: Option<u64>,
}

enum Value {
    Number(u64),
    Truth(bool),
    Other,
}

impl Extensions {
    /// `None` if it is anything but one map, or names one of the two twice or with a value of another kind. Other
    /// extensions are passed over.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut told = Extensions::default();
        let (major, entries, mut rest) = head(bytes)?;
        if major != 5 {
            return None;
        }
        for _ in 0..entries {
            let (name, after) = text(rest)?;
            let (value, after) = self::value(after)?;
            rest = after;
            match (name, value) {
                (b"hmac-secret", Value::Truth(truth)) if told.hmac_secret.is_none() => {
                    told.hmac_secret = Some(truth)
                }
                (b"credProtect", Value::Number(number)) if told.cred_protect.is_none() => {
                    told.cred_protect = Some(number);
                }
                (b"hmac-secret" | b"credProtect", _) => return None,
                _ => {}
            }
        }
        rest.is_empty().then_some(told)
    }
}

/// Major type and argument, as long as it has at most two bytes.
fn head(bytes: &[u8]) -> Option<(u8, u64, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (argument, rest) = match first & 0x1F {
        small @ 0..=23 => (u64::from(small), rest),
        24 => rest.split_first().map(|(byte, rest)| (u64::from(*byte), rest))?,
        25 => rest.split_first_chunk().map(|(two, rest)| (u64::from(u16::from_be_bytes(*two)), rest))?,
        _ => return None,
    };
    Some((first >> 5, argument, rest))
}

fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (major, length, rest) = head(bytes)?;
    if major != 3 {
        return None;
    }
    rest.split_at_checked(usize::try_from(length).ok()?)
}

fn value(bytes: &[u8]) -> Option<(Value, &[u8])> {
    match head(bytes)? {
        (0, number, rest) => Some((Value::Number(number), rest)),
        (7, 20, rest) => Some((Value::Truth(false), rest)),
        (7, 21, rest) => Some((Value::Truth(true), rest)),
        (2 | 3, length, rest) => {
            let (_, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            Some((Value::Other, rest))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOTH: &[u8] = b"\xA2\x6BcredProtect\x03\x6Bhmac-secret\xF5";

    #[test]
    fn the_two_are_found_in_any_company() {
        let told = Extensions { hmac_secret: Some(true), cred_protect: Some(3) };
        assert_eq!(Extensions::read(BOTH), Some(told));
        let more = [b"\xA3\x68credBlob\x41\x07", &BOTH[1..]].concat();
        assert_eq!(Extensions::read(&more).unwrap().cred_protect, Some(3));
        assert_eq!(Extensions::read(b"\xA0"), Some(Extensions::default()));
        assert_eq!(Extensions::read(b"\xA1\x6Bhmac-secret\xF4").unwrap().hmac_secret, Some(false));
    }

    #[test]
    fn anything_else_is_nothing() {
        for bad in [
            &b""[..],
            b"\x80",
            b"\xA1\x6Bhmac-secret",
            b"\xA1\x6Bhmac-secret\x01",
            b"\xA1\x6BcredProtect\xF5",
            b"\xA2\x6Bhmac-secret\xF5\x6Bhmac-secret\xF5",
            b"\xBF\x6Bhmac-secret\xF5\xFF",
            b"\xA1\x6Bhmac-secret\xF5\x00",
            b"\xA1\x7B\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFFx",
            b"\xB9\xFF\xFF",
        ] {
            assert_eq!(Extensions::read(bad), None, "{bad:02X?}");
        }
        for cut in 0..BOTH.len() {
            assert_eq!(Extensions::read(&BOTH[..cut]), None, "{cut}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Extensions::read(&bytes);
            let _ = Extensions::read(&[b"\xA2\x6BcredProtect", &bytes[..]].concat());
        }
    }
}
