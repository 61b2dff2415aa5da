//! Kit words: six words of the kit id, printed on every bag and compared on the screen. Check words: four of a request,
//! compared by voice.

use bip39::Language;

use crate::record::hash::Hash;

/// The first 66 bits of the kit id, 11 at a time, as words of the BIP-39 English list.
pub fn kit_words(kit: &Hash) -> [&'static str; 6] {
    words(kit)
}

/// The first 44 bits of a request's hash, likewise. They show that two people look at the same request, against mistakes
/// and against who has minutes; what counts is what the approver reads, and its whole hash is signed.
pub fn check_words(request: &Hash) -> [&'static str; 4] {
    words(request)
}

fn words<const COUNT: usize>(hash: &Hash) -> [&'static str; COUNT] {
    let list = Language::English.word_list();
    std::array::from_fn(|word| {
        let index = (word * 11..word * 11 + 11)
            .fold(0usize, |index, bit| index << 1 | usize::from(hash.0[bit / 8] >> (7 - bit % 8) & 1));
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
        assert_eq!(check_words(&Hash(one)), ["ability", "abandon", "abandon", "abandon"]);
    }
}
