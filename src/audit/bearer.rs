//! A bearer token (RFC 6750) that a station and a receiver share, from a file.

use std::fmt;

use zeroize::Zeroizing;

/// No shorter token is taken: 16 characters of base64 are 96 bits.
const SHORTEST: usize = 16;
/// No longer token is taken.
const LONGEST: usize = 4096;

/// The token. Wiped when dropped, printed nowhere.
pub struct Bearer(Zeroizing<Vec<u8>>);

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer")
    }
}

impl Bearer {
    /// Reads what a file holds: one token, perhaps with a line feed.
    ///
    /// # Errors
    /// [`BearerError`], where it is not one token of 16 to 4,096 characters of RFC 6750 section 2.1.
    pub fn from_file(content: &[u8]) -> Result<Self, BearerError> {
        let token = content.strip_suffix(b"\n").unwrap_or(content);
        let token = token.strip_suffix(b"\r").unwrap_or(token);
        let body = token.trim_ascii_end();
        let bare = body.iter().rposition(|byte| *byte != b'=').map_or(0, |at| at + 1);
        let good = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
        if body.len() != token.len() || !body[..bare].iter().all(good) {
            return Err(BearerError::Characters);
        }
        if !(SHORTEST..=LONGEST).contains(&body.len()) {
            return Err(BearerError::Length { characters: body.len() });
        }
        Ok(Bearer(Zeroizing::new(body.to_vec())))
    }

    /// Whether an `Authorization` header carries this token. Takes as long for a wrong one as for a right one of its length.
    pub fn is_in(&self, authorization: &[u8]) -> bool {
        let Some((scheme, token)) = authorization.split_at_checked(7) else { return false };
        if !scheme.eq_ignore_ascii_case(b"Bearer ") || token.len() != self.0.len() {
            return false;
        }
        self.0.iter().zip(token).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
    }

    /// The `Authorization` header.
    pub fn expose_header(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([b"Bearer ", &self.0[..]].concat())
    }
}

/// Why a file holds no bearer token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BearerError {
    /// Something that no token may hold.
    #[error("it holds other characters than a token may, or more than one line")]
    Characters,
    /// Too short to be a secret, or too long.
    #[error("a token of {characters} characters; it takes {SHORTEST} to {LONGEST}")]
    Length {
        /// How many.
        characters: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_what_the_file_holds_without_its_line_feed() {
        for file in ["0123456789abcdef", "0123456789abcdef\n", "0123456789abcdef\r\n", "-._~+/9876543210=="] {
            let bearer = Bearer::from_file(file.as_bytes()).unwrap();
            let header = format!("Bearer {}", file.trim_end());
            assert_eq!(bearer.expose_header().as_slice(), header.as_bytes());
            assert!(bearer.is_in(header.as_bytes()));
            assert!(bearer.is_in(header.replace("Bearer", "bearer").as_bytes()));
            assert_eq!(format!("{bearer:?}"), "Bearer");
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for file in [
            "0123456789 abcdef",
            "0123456789abcde\u{e9}",
            "0123456789abcdef\n\n",
            "012345=6789abcdef",
            " 123456789abcdef0",
        ] {
            assert_eq!(Bearer::from_file(file.as_bytes()).unwrap_err(), BearerError::Characters, "{file:?}");
        }
        assert_eq!(Bearer::from_file(b"").unwrap_err(), BearerError::Length { characters: 0 });
        assert_eq!(
            Bearer::from_file(b"0123456789abcde").unwrap_err(),
            BearerError::Length { characters: 15 }
        );
        assert!(Bearer::from_file(&[b'a'; 4097]).is_err());
    }

    #[test]
    fn another_token_is_none() {
        let bearer = Bearer::from_file(b"0123456789abcdef").unwrap();
        for header in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer 0123456789abcdeF",
            "Bearer 0123456789abcdef0",
            "Basic  0123456789abcdef",
            "0123456789abcdef",
        ] {
            assert!(!bearer.is_in(header.as_bytes()), "{header}");
        }
    }
}
