//! Random passwords, where the platform lets the kit choose.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::secret::Plaintext;

/// The length that is generated unless another is asked for; 119 bits out of letters and digits.
pub const DEFAULT_LENGTH: usize = 20;

/// Letters and digits.
pub const LETTERS_AND_DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Longest password that is generated.
const MAX_LENGTH: usize = 1024;

/// Why no password is generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GenerateError {
    /// Not 1 to 1024.
    #[error("a password of {0} characters cannot be generated; 1 to {MAX_LENGTH} can")]
    Length(usize),
    /// Fewer than two characters to choose from.
    #[error("an alphabet of {0} characters gives no choice")]
    Alphabet(usize),
    /// A character that not every keyboard and platform takes.
    #[error("the alphabet has the character {0:?}; only visible ASCII can be typed everywhere")]
    Character(char),
    /// A character twice, which would make it twice as likely.
    #[error("the alphabet has the character {0:?} twice")]
    Twice(char),
}

/// A password of `length` characters, each drawn from `alphabet` with the same probability.
///
/// # Errors
/// [`GenerateError`], before anything is drawn.
pub fn generate(length: usize, alphabet: &str, rng: &mut dyn CryptoRng) -> Result<Plaintext, GenerateError> {
    if !(1..=MAX_LENGTH).contains(&length) {
        return Err(GenerateError::Length(length));
    }
    let letters = letters(alphabet)?;
    // The largest multiple of the alphabet's size among the 256 values of a byte: what lies above would favour the
    // first letters and is drawn again.
    let fair = 256 - 256 % letters.len();
    let mut password = Zeroizing::new(Vec::with_capacity(length));
    let mut drawn = Zeroizing::new([0; 64]);
    while password.len() < length {
        rng.fill_bytes(&mut *drawn);
        let missing = length - password.len();
        let chosen = drawn.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < fair);
        password.extend(chosen.map(|byte| letters[byte % letters.len()]).take(missing));
    }
    Ok(Plaintext::new(password))
}

fn letters(alphabet: &str) -> Result<&[u8], GenerateError> {
    for (at, character) in alphabet.char_indices() {
        if !character.is_ascii_graphic() {
            return Err(GenerateError::Character(character));
        }
        if alphabet[..at].contains(character) {
            return Err(GenerateError::Twice(character));
        }
    }
    (alphabet.len() >= 2).then_some(alphabet.as_bytes()).ok_or(GenerateError::Alphabet(alphabet.len()))
}

#[cfg(test)]
mod tests {
    use super::super::soft::SeededRng;
    use super::*;

    fn password(length: usize, alphabet: &str, seed: u64) -> Vec<u8> {
        generate(length, alphabet, &mut SeededRng::new(seed)).unwrap().expose_bytes().to_vec()
    }

    #[test]
    fn length_and_alphabet_are_kept() {
        for length in [1, 20, 63, 64, 65, 1024] {
            let password = password(length, "abc-", 1);
            assert_eq!(password.len(), length);
            assert!(password.iter().all(|byte| b"abc-".contains(byte)));
        }
        assert_eq!(LETTERS_AND_DIGITS.len(), 62);
        assert_ne!(password(20, LETTERS_AND_DIGITS, 1), password(20, LETTERS_AND_DIGITS, 2));
    }

    /// Pearson's chi-squared over 62 letters, 61 degrees of freedom: 124 is exceeded once in 500,000 times. Taking the
    /// remainder of every byte would favour eight letters by a quarter and give above 800 here.
    #[test]
    fn no_letter_is_favoured() {
        let mut counts = [0f64; 62];
        let draws = 124_000;
        let mut rng = SeededRng::new(9);
        for _ in 0..draws / 1000 {
            let password = generate(1000, LETTERS_AND_DIGITS, &mut rng).unwrap();
            for byte in password.expose_bytes() {
                counts[LETTERS_AND_DIGITS.bytes().position(|letter| letter == *byte).unwrap()] += 1.0;
            }
        }
        let expected = f64::from(draws) / 62.0;
        let chi_squared: f64 = counts.iter().map(|count| (count - expected).powi(2) / expected).sum();
        assert!(chi_squared < 124.0, "{chi_squared}");
    }

    #[test]
    fn what_cannot_be_generated_is_named() {
        let refusal = |length, alphabet| generate(length, alphabet, &mut SeededRng::new(1)).unwrap_err();
        assert_eq!(refusal(0, "ab"), GenerateError::Length(0));
        assert_eq!(refusal(1025, "ab"), GenerateError::Length(1025));
        assert_eq!(refusal(20, ""), GenerateError::Alphabet(0));
        assert_eq!(refusal(20, "a"), GenerateError::Alphabet(1));
        assert_eq!(refusal(20, "abca"), GenerateError::Twice('a'));
        assert_eq!(refusal(20, "ab c"), GenerateError::Character(' '));
        assert_eq!(refusal(20, "abü"), GenerateError::Character('ü'));
    }
}
