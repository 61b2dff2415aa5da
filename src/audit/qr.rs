//! Pictures of codes: what a camera saw of a screen or a printed page, as the texts of the codes in it.

use std::io::Cursor;

use image::{ImageReader, Limits};

use crate::record::codes::Codes;

/// Pictures of cameras are smaller; what is larger is not decoded.
const LONGEST_SIDE: u32 = 12_000;
/// Memory for one picture, in bytes.
const PICTURE_CAP: u64 = 512 * 1024 * 1024;

/// Why a picture gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum QrError {
    /// Not a picture that can be read: PNG and JPEG are.
    #[error("no picture that can be read: {0}")]
    Picture(#[from] image::ImageError),
    /// The bytes cannot be read at all.
    #[error("{0}")]
    Bytes(#[from] std::io::Error),
}

/// How many codes a picture shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Those that were not known yet.
    pub new: usize,
    /// Those that another picture had shown already.
    pub again: usize,
    /// Those that are there and cannot be read: out of focus, damaged, cut off.
    pub unreadable: usize,
}

/// Reads every code of a picture (PNG or JPEG) into `codes`.
///
/// # Errors
/// [`QrError`], for what is no picture; a picture without codes gives nothing but noughts.
pub fn picture(bytes: &[u8], codes: &mut Codes) -> Result<Seen, QrError> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(PICTURE_CAP);
    reader.limits(limits);
    let picture = reader.decode()?.into_luma8();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
        picture.get_pixel(x as u32, y as u32).0[0]
    });
    let mut seen = Seen::default();
    for grid in prepared.detect_grids() {
        let mut text = Vec::new();
        let kind = match grid.decode_to(&mut text) {
            Err(_) => &mut seen.unreadable,
            Ok(_) if codes.text(text) => &mut seen.new,
            Ok(_) => &mut seen.again,
        };
        *kind += 1;
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_picture_panics(bytes: Vec<u8>) {
            let _ = picture(&bytes, &mut Codes::default());
        }
    }
}
