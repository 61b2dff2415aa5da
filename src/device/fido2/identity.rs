//! The age identity that an hmac-secret is: its 32 bytes are the X25519 scalar, so that an envelope opens with stock
//! `age` and what stock tools get from the key.

use std::str::FromStr;

use age::x25519::Identity;
use bech32::{Bech32, Hrp};
use zeroize::Zeroizing;

use super::HmacSecret;

const SECRET_KEY: Hrp = Hrp::parse_unchecked("age-secret-key-");

/// Length of `AGE-SECRET-KEY-1…`: the prefix, 52 characters of 5 bits, 6 of checksum.
const TEXT: usize = 74;

impl HmacSecret {
    /// The identity, which opens what was sealed to [`HmacSecret::recipient`].
    pub fn identity(&self) -> Identity {
        // Of its full length from the start: never grown, so no copy is left behind.
        let mut text = Zeroizing::new(String::with_capacity(TEXT));
        bech32::encode_upper_to_fmt::<Bech32, _>(&mut *text, SECRET_KEY, self.expose_bytes())
            .expect("a text takes 74 characters");
        Identity::from_str(&text).expect("any 32 bytes are an X25519 scalar")
    }

    /// The public half, `age1…`: public.
    pub fn recipient(&self) -> String {
        self.identity().to_public().to_string()
    }
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn the_identity_is_these_bytes_and_ages_own() {
        for bytes in [[0; 32], [0x5A; 32], [0xFF; 32]] {
            let secret = HmacSecret::new(bytes);
            let text = secret.identity().to_string();
            assert_eq!(text.expose_secret().len(), TEXT);
            let decoded = bech32::decode(text.expose_secret()).unwrap().1;
            assert_eq!(decoded, bytes);
            let file = age::encrypt(&secret.identity().to_public(), b"hunter2").unwrap();
            assert_eq!(age::decrypt(&secret.identity(), &file).unwrap(), b"hunter2");
        }
    }

    /// 32 bytes of 0x42; the recipient is that of `age-keygen -y`.
    #[test]
    fn the_recipient_is_what_age_keygen_says() {
        let identity = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
        let bytes = bech32::decode(identity).unwrap().1.try_into().unwrap();
        let expected = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
        assert_eq!(HmacSecret::new(bytes).recipient(), expected);
    }
}
