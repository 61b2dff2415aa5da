//! BER-TLV as PIV uses it: tags of one or two bytes, lengths of one to three (ISO 7816-4, section 5.2.2).

/// The next element: its tag, its value, and what follows. `None` if it is cut short.
pub(super) fn next(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (&first, mut rest) = bytes.split_first()?;
    let mut tag = u16::from(first);
    if first & 0x1F == 0x1F {
        let (&second, after) = rest.split_first()?;
        (tag, rest) = (tag << 8 | u16::from(second), after);
    }
    let (length, rest) = match *rest {
        [short @ 0..=0x7F, ref rest @ ..] => (usize::from(short), rest),
        [0x81, length, ref rest @ ..] => (usize::from(length), rest),
        [0x82, high, low, ref rest @ ..] => (usize::from(u16::from_be_bytes([high, low])), rest),
        _ => return None,
    };
    (rest.len() >= length).then(|| (tag, &rest[..length], &rest[length..]))
}

/// Every element in order. `None` if the last one is cut short.
pub(super) fn all(mut bytes: &[u8]) -> Option<Vec<(u16, &[u8])>> {
    let mut elements = Vec::new();
    while !bytes.is_empty() {
        let (tag, value, rest) = next(bytes)?;
        elements.push((tag, value));
        bytes = rest;
    }
    Some(elements)
}

/// One element. `value` has at most 65,535 bytes.
pub(super) fn element(tag: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(value.len() + 5);
    if tag > 0xFF {
        bytes.push((tag >> 8) as u8);
    }
    bytes.push(tag as u8);
    match value.len() {
        length @ 0..=0x7F => bytes.push(length as u8),
        length @ 0x80..=0xFF => bytes.extend([0x81, length as u8]),
        length => bytes.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    bytes.extend(value);
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            tag in prop_oneof![0x01..0x1Fu16, 0x50..0x5Eu16, 0x5F20..0x5F7Fu16, Just(0x7F49)],
            value in prop::collection::vec(any::<u8>(), 0..700),
            after in prop::collection::vec(any::<u8>(), 0..3),
        ) {
            let bytes = [element(tag, &value), after.clone()].concat();
            prop_assert_eq!(next(&bytes), Some((tag, &value[..], &after[..])));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Some(elements) = all(&bytes) {
                prop_assert!(elements.iter().map(|(_, value)| value.len() + 2).sum::<usize>() <= bytes.len());
            }
        }
    }
}
