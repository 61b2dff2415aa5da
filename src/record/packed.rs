//! A bundle packed for codes that a camera reads: each record without base64, all of them deflated. Back come the same
//! bytes, line by line: base64url has one spelling here, so nothing is lost by leaving it out.
//!
//! `BGP1`, then a DEFLATE stream (RFC 1951) of entries, one a line. An entry is a byte that says what follows, and that:
//! - 1: a record. Lengths of header and payload (4 bytes each, big endian), both decoded, and the 64 bytes of the signature;
//! - 0: a line that is no such record. Its length (4 bytes) and its bytes as they are. Damage travels, too.

use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use super::token::READ_CAP;

const MAGIC: &[u8; 4] = b"BGP1";
const RAW: u8 = 0;
const RECORD: u8 = 1;

/// No more is unpacked from one bundle: a few thousand records, far beyond what anybody reads with a camera.
pub const UNPACKED_CAP: usize = 16 * 1024 * 1024;

/// Why bytes are no packed bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PackedError {
    /// They do not begin as one.
    #[error("these are no packed records")]
    Magic,
    /// The stream ends early, or is no stream.
    #[error("the packed records are damaged")]
    Damaged,
    /// More than [`UNPACKED_CAP`].
    #[error("more than {UNPACKED_CAP} bytes of records")]
    TooMuch,
}

/// Packs the lines of a bundle, each with its line feed. What follows the last line feed is packed as a line, too.
pub fn pack(bundle: &[u8]) -> Vec<u8> {
    let mut packed = DeflateEncoder::new(MAGIC.to_vec(), Compression::best());
    for line in bundle.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        packed.write_all(&entry(line)).expect("a vector takes everything");
    }
    packed.finish().expect("a vector takes everything")
}

fn entry(line: &[u8]) -> Vec<u8> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
    match parts(line) {
        Some([header, payload, signature]) => {
            [&[RECORD], &length(&header)[..], &length(&payload)[..], &header, &payload, &signature].concat()
        }
        None => [&[RAW], &length(line)[..], line].concat(),
    }
}

/// The decoded parts, if the line can be made of them again.
fn parts(line: &[u8]) -> Option<[Vec<u8>; 3]> {
    let parts: Vec<Vec<u8>> = line
        .split(|byte| *byte == b'.')
        .map(|part| URL_SAFE_NO_PAD.decode(part).ok())
        .collect::<Option<_>>()?;
    let parts: [Vec<u8>; 3] = parts.try_into().ok()?;
    (line.len() <= READ_CAP && parts[2].len() == 64).then_some(parts)
}

/// The bundle again: its lines, each with a line feed.
///
/// # Errors
/// See [`PackedError`].
pub fn unpack(packed: &[u8]) -> Result<Vec<u8>, PackedError> {
    let stream = packed.strip_prefix(MAGIC).ok_or(PackedError::Magic)?;
    let mut entries = Vec::new();
    let mut limited = DeflateDecoder::new(stream).take(UNPACKED_CAP as u64 + 1);
    limited.read_to_end(&mut entries).map_err(|_| PackedError::Damaged)?;
    if entries.len() > UNPACKED_CAP {
        return Err(PackedError::TooMuch);
    }
    let mut bundle = Vec::new();
    let mut rest = &entries[..];
    while let Some((kind, after)) = rest.split_first() {
        rest = after;
        match *kind {
            RAW => {
                let length = length(&mut rest)?;
                bundle.extend_from_slice(take(&mut rest, length)?);
            }
            RECORD => {
                let lengths = [length(&mut rest)?, length(&mut rest)?, 64];
                for (index, length) in lengths.into_iter().enumerate() {
                    if index > 0 {
                        bundle.push(b'.');
                    }
                    bundle.extend_from_slice(URL_SAFE_NO_PAD.encode(take(&mut rest, length)?).as_bytes());
                }
            }
            _ => return Err(PackedError::Damaged),
        }
        bundle.push(b'\n');
    }
    Ok(bundle)
}

fn length(rest: &mut &[u8]) -> Result<usize, PackedError> {
    let bytes = take(rest, 4)?.try_into().map_err(|_| PackedError::Damaged)?;
    Ok(u32::from_be_bytes(bytes) as usize)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], PackedError> {
    let (taken, after) = rest.split_at_checked(length).ok_or(PackedError::Damaged)?;
    *rest = after;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::sample::Writer;

    fn journal(openings: usize) -> Vec<u8> {
        let mut writer = Writer::founder(1);
        writer.open(openings);
        writer.journal()
    }

    #[test]
    fn records_come_back_to_the_byte_and_take_less() {
        let journal = journal(20);
        let packed = pack(&journal);
        assert_eq!(unpack(&packed).unwrap(), journal);
        assert!(packed.len() * 2 < journal.len(), "{} of {}", packed.len(), journal.len());
    }

    #[test]
    fn damaged_lines_come_back_to_the_byte() {
        let mut bundle = journal(1);
        bundle.extend_from_slice(b"scratched\na.b.c\n\n\xff\xfe\nlast without a line feed");
        let back = unpack(&pack(&bundle)).unwrap();
        assert_eq!(back, [&bundle[..], b"\n"].concat());
    }

    #[test]
    fn what_was_cut_or_is_too_much_is_refused() {
        let packed = pack(&journal(2));
        for end in 0..packed.len() {
            unpack(&packed[..end]).unwrap_err();
        }
        assert_eq!(unpack(b"BGP2"), Err(PackedError::Magic));
        let bomb = pack(&vec![b'x'; UNPACKED_CAP + 1]);
        assert!(bomb.len() < 100_000);
        assert_eq!(unpack(&bomb), Err(PackedError::TooMuch));
    }

    proptest! {
        #[test]
        fn any_lines_come_back(lines in proptest::collection::vec("[a-zA-Z0-9_.-]{0,40}", 0..20)) {
            let bundle: Vec<u8> = lines.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect();
            prop_assert_eq!(unpack(&pack(&bundle)).unwrap(), bundle);
        }

        #[test]
        fn any_bytes_are_refused_or_read(bytes: Vec<u8>) {
            let _ = unpack(&[&MAGIC[..], &bytes].concat());
        }
    }
}
