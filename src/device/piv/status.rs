//! Status words (ISO/IEC 7816-4, section 5.6; NIST SP 800-73-4 part 2, section 3; Yubico's documentation).

/// SW1 SW2 of an answer, sorted by what they mean to a PIV command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusWord {
    /// 9000.
    Done,
    /// 61xx: so many bytes more (256 for 6100), by GET RESPONSE.
    More(usize),
    /// 6Cxx: ask again for exactly so many bytes (256 for 6C00).
    OtherLength(usize),
    /// 63Cx: a wrong PIN or PUK, or the answer to an empty VERIFY; so many tries are left (15 may mean more).
    TriesLeft(u8),
    /// 6983: no try is left.
    Blocked,
    /// 6982: the PIN, the touch or the management key is missing.
    Unauthorised,
    /// 6985: not now; also a PIN that is too simple, and on some firmware a missing touch.
    Conditions,
    /// 6A80: wrong data.
    WrongData,
    /// 6A82: no such object, application, or key.
    NotFound,
    /// 6A84: no space.
    NoSpace,
    /// 6A88: no such reference; the metadata of an empty slot.
    NoReference,
    /// Any other.
    Other(u16),
}

impl From<u16> for StatusWord {
    fn from(word: u16) -> Self {
        let low = word & 0xFF;
        let length = if low == 0 { 256 } else { usize::from(low) };
        match word {
            0x9000 => StatusWord::Done,
            0x6100..=0x61FF => StatusWord::More(length),
            0x6C00..=0x6CFF => StatusWord::OtherLength(length),
            0x63C0..=0x63CF => StatusWord::TriesLeft((word & 0x0F) as u8),
            0x6983 => StatusWord::Blocked,
            0x6982 => StatusWord::Unauthorised,
            0x6985 => StatusWord::Conditions,
            0x6A80 => StatusWord::WrongData,
            0x6A82 => StatusWord::NotFound,
            0x6A84 => StatusWord::NoSpace,
            0x6A88 => StatusWord::NoReference,
            other => StatusWord::Other(other),
        }
    }
}

impl StatusWord {
    /// SW1 SW2 as they came.
    pub fn word(self) -> u16 {
        match self {
            StatusWord::Done => 0x9000,
            StatusWord::More(length) => 0x6100 | (length & 0xFF) as u16,
            StatusWord::OtherLength(length) => 0x6C00 | (length & 0xFF) as u16,
            StatusWord::TriesLeft(left) => 0x63C0 | u16::from(left),
            StatusWord::Blocked => 0x6983,
            StatusWord::Unauthorised => 0x6982,
            StatusWord::Conditions => 0x6985,
            StatusWord::WrongData => 0x6A80,
            StatusWord::NotFound => 0x6A82,
            StatusWord::NoSpace => 0x6A84,
            StatusWord::NoReference => 0x6A88,
            StatusWord::Other(word) => word,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_keeps_its_value() {
        for word in 0..=u16::MAX {
            assert_eq!(StatusWord::from(word).word(), word);
        }
    }

    #[test]
    fn counts_are_taken_from_the_low_byte() {
        assert_eq!(StatusWord::from(0x63CF), StatusWord::TriesLeft(15));
        assert_eq!(StatusWord::from(0x6302), StatusWord::Other(0x6302));
        assert_eq!(StatusWord::from(0x6100), StatusWord::More(256));
        assert_eq!(StatusWord::from(0x6C04), StatusWord::OtherLength(4));
    }
}
