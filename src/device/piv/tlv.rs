//! BER-TLV as PIV answers use it (ISO/IEC 7816-4, section 5.2.2): a reader that trusts no length, and a writer.
//!
//! Tags have one or two bytes, lengths one to three (to 65,535). A length may be longer written than needed, as the
//! values are checked anyway; one that does not fit what is there, or the indefinite one, is refused.

use zeroize::Zeroizing;

/// Most elements that any answer we read has in one level.
const MOST_ELEMENTS: usize = 32;

/// Why bytes are not the TLV that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TlvError {
    /// It ends inside a tag, a length or a value.
    #[error("it ends inside an element")]
    Truncated,
    /// A tag of three bytes or more.
    #[error("a tag is too long")]
    Tag,
    /// The indefinite length, or one of more than two bytes.
    #[error("a length is not one that a card may send")]
    Length,
    /// Another tag than the expected one.
    #[error("it holds another element than the one asked for")]
    Unexpected,
    /// Bytes after the one element expected.
    #[error("it goes on after its end")]
    Trailing,
    /// The same tag twice in one level.
    #[error("an element is there twice")]
    Twice,
    /// More elements than any such answer has.
    #[error("it holds too many elements")]
    TooMany,
}

impl TlvError {
    /// The same words as `Display`, for an error that borrows nothing.
    pub fn detail(self) -> &'static str {
        match self {
            TlvError::Truncated => "it ends inside an element",
            TlvError::Tag => "a tag is too long",
            TlvError::Length => "a length is not one that a card may send",
            TlvError::Unexpected => "it holds another element than the one asked for",
            TlvError::Trailing => "it goes on after its end",
            TlvError::Twice => "an element is there twice",
            TlvError::TooMany => "it holds too many elements",
        }
    }
}

/// One element, its value borrowed from the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// The tag, `0x53` or `0x7F49`.
    pub tag: u16,
    /// The value.
    pub value: &'a [u8],
}

/// The first element of `input` and what follows it.
pub fn first(input: &[u8]) -> Result<(Tlv<'_>, &[u8]), TlvError> {
    let (tag, rest) = tag(input)?;
    let (length, rest) = length(rest)?;
    let (value, rest) = rest.split_at_checked(length).ok_or(TlvError::Truncated)?;
    Ok((Tlv { tag, value }, rest))
}

/// The value of `input`, which must be one element with that tag and nothing else.
pub fn only(input: &[u8], tag: u16) -> Result<&[u8], TlvError> {
    let (element, rest) = first(input)?;
    if element.tag != tag {
        return Err(TlvError::Unexpected);
    }
    if !rest.is_empty() {
        return Err(TlvError::Trailing);
    }
    Ok(element.value)
}

/// All elements of `input`, each tag at most once.
pub fn all(mut input: &[u8]) -> Result<Vec<Tlv<'_>>, TlvError> {
    let mut elements: Vec<Tlv<'_>> = Vec::new();
    while !input.is_empty() {
        let (element, rest) = first(input)?;
        if elements.iter().any(|known| known.tag == element.tag) {
            return Err(TlvError::Twice);
        }
        if elements.len() == MOST_ELEMENTS {
            return Err(TlvError::TooMany);
        }
        elements.push(element);
        input = rest;
    }
    Ok(elements)
}

/// The value with that tag among `elements`.
pub fn find<'a>(elements: &[Tlv<'a>], tag: u16) -> Option<&'a [u8]> {
    elements.iter().find(|element| element.tag == tag).map(|element| element.value)
}

/// `tag`, the shortest length, `value`. `value` has at most 65,535 bytes.
pub fn write(tag: u16, value: &[u8]) -> Zeroizing<Vec<u8>> {
    let length = u16::try_from(value.len()).expect("no element that we write is longer than an object");
    let mut out = Zeroizing::new(Vec::with_capacity(value.len() + 5));
    match tag.to_be_bytes() {
        [0, low] => out.push(low),
        both => out.extend_from_slice(&both),
    }
    match length.to_be_bytes() {
        [0, low @ 0..=0x7F] => out.push(low),
        [0, low] => out.extend_from_slice(&[0x81, low]),
        [high, low] => out.extend_from_slice(&[0x82, high, low]),
    }
    out.extend_from_slice(value);
    out
}

fn tag(input: &[u8]) -> Result<(u16, &[u8]), TlvError> {
    match input {
        [] => Err(TlvError::Truncated),
        [first, rest @ ..] if first & 0x1F != 0x1F => Ok((u16::from(*first), rest)),
        [_] => Err(TlvError::Truncated),
        [_, second, ..] if second & 0x80 != 0 => Err(TlvError::Tag),
        [first, second, rest @ ..] => Ok((u16::from_be_bytes([*first, *second]), rest)),
    }
}

fn length(input: &[u8]) -> Result<(usize, &[u8]), TlvError> {
    match input {
        [] => Err(TlvError::Truncated),
        [short @ 0..=0x7F, rest @ ..] => Ok((usize::from(*short), rest)),
        [0x81, length, rest @ ..] => Ok((usize::from(*length), rest)),
        [0x82, high, low, rest @ ..] => Ok((usize::from(u16::from_be_bytes([*high, *low])), rest)),
        [0x81] | [0x82, ..] => Err(TlvError::Truncated),
        _ => Err(TlvError::Length),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_iso_7816_draws() {
        assert_eq!(only(&[0x53, 0x00], 0x53), Ok(&[][..]));
        assert_eq!(only(&[0x7F, 0x49, 0x02, 0x86, 0x00], 0x7F49), Ok(&[0x86, 0x00][..]));
        assert_eq!(only(&[0x53, 0x81, 0x01, 0xAA], 0x53), Ok(&[0xAA][..]));
        assert_eq!(only(&[0x53, 0x82, 0x00, 0x01, 0xAA], 0x53), Ok(&[0xAA][..]));
    }

    #[test]
    fn refuses_each_defect_by_its_name() {
        for (bytes, error) in [
            (&[][..], TlvError::Truncated),
            (&[0x53], TlvError::Truncated),
            (&[0x7F], TlvError::Truncated),
            (&[0x53, 0x01], TlvError::Truncated),
            (&[0x53, 0x81], TlvError::Truncated),
            (&[0x53, 0x82, 0x01], TlvError::Truncated),
            (&[0x53, 0x82, 0xFF, 0xFF, 0x00], TlvError::Truncated),
            (&[0x7F, 0x81, 0x01, 0x00], TlvError::Tag),
            (&[0x53, 0x80, 0x00, 0x00], TlvError::Length),
            (&[0x53, 0x83, 0x00, 0x00, 0x00], TlvError::Length),
            (&[0x53, 0x84, 0xFF, 0xFF, 0xFF, 0xFF], TlvError::Length),
            (&[0x53, 0xFF], TlvError::Length),
            (&[0x54, 0x00], TlvError::Unexpected),
            (&[0x53, 0x00, 0x00], TlvError::Trailing),
        ] {
            assert_eq!(only(bytes, 0x53), Err(error), "{bytes:02X?}");
            assert_eq!(error.to_string(), error.detail());
        }
        assert!(matches!(all(&[1, 0, 2, 0, 1, 0]), Err(TlvError::Twice)));
        let many: Vec<u8> = (0x40..=0x5E).chain(0x60..=0x7E).flat_map(|tag| [tag, 0]).collect();
        assert!(matches!(all(&many), Err(TlvError::TooMany)));
    }

    #[test]
    fn writes_the_shortest_length() {
        assert_eq!(write(0x53, &[7; 3])[..2], [0x53, 3]);
        assert_eq!(write(0x53, &[7; 128])[..3], [0x53, 0x81, 128]);
        assert_eq!(write(0x53, &[7; 255])[..3], [0x53, 0x81, 255]);
        assert_eq!(write(0x7F49, &[7; 256])[..5], [0x7F, 0x49, 0x82, 1, 0]);
    }

    proptest! {
        #[test]
        fn reads_back_what_it_writes(tag in prop_oneof![0u16..0x1F, Just(0x7F49), Just(0x53)],
                                     value in proptest::collection::vec(any::<u8>(), 0..3_000)) {
            let written = write(tag, &value);
            prop_assert_eq!(only(&written, tag), Ok(&value[..]));
        }

        #[test]
        fn any_bytes_are_an_answer_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(elements) = all(&bytes) {
                let values: usize = elements.iter().map(|element| element.value.len()).sum();
                prop_assert!(values <= bytes.len() && elements.len() <= MOST_ELEMENTS);
            }
            if let Ok((element, rest)) = first(&bytes) {
                prop_assert!(bytes.ends_with(rest) && element.value.len() + rest.len() < bytes.len());
            }
        }
    }
}
