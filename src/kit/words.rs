//! Kit words: six words of the kit id, printed on every bag and compared on the screen.

use bip39::Language;

use crate::record::hash::Hash;

/// The first 66 bits of the kit id, 11 at a time, as words of the BIP-39 English list.
pub fn kit_words(kit: &Hash) -> [&'static str; 6] {
    let list = Language::English.word_list();
    std::array::from_fn(|word| {
        let index = (word * 11..word * 11 + 11)
            .fold(0usize, |index, bit| index << 1 | usize::from(kit.0[bit / 8] >> (7 - bit % 8) & 1));
        list[index]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eleven_bits_a_word() {
        assert_eq!(kit_words(&Hash([0; 32])), ["abandon"; 6]);
        assert_eq!(kit_words(&Hash([0xFF; 32])), ["zoo"; 6]);
        let mut one = [0; 32];
        one[1] = 0b0010_0000; // bit 10: the lowest of the first word
        assert_eq!(kit_words(&Hash(one))[0], "ability");
    }
}
