//! Numbers of minted credentials: they name the record of their own minting, so that a line in the log of a platform leads to
//! it without a search.

use crate::attestation::Serial;

/// What the record of a minting is found by: the key and the sequence number in its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// Which key.
    pub key: Serial,
    /// Which record of it; the journal of a key never comes near 2^32.
    pub record: u32,
}

impl Numbers {
    /// Serial number of an SSH certificate: the key's serial in the upper half, the record in the lower.
    pub fn ssh(self) -> u64 {
        u64::from(self.key.0) << 32 | u64::from(self.record)
    }

    /// The numbers that an SSH serial number was made of.
    pub fn of_ssh(serial: u64) -> Self {
        Numbers { key: Serial((serial >> 32) as u32), record: serial as u32 }
    }

    /// The same of its bytes, most significant first, leading zeros or not; `None` if they are more than 8.
    pub fn of_ssh_bytes(serial: &[u8]) -> Option<Self> {
        let mut whole = [0; 8];
        whole[8usize.checked_sub(serial.len())?..].copy_from_slice(serial);
        Some(Numbers::of_ssh(u64::from_be_bytes(whole)))
    }

    /// Serial number of an X.509 certificate: `B`, so that it is positive and always 17 bytes; key; record; 8 random bytes
    /// (RFC 5280 section 4.1.2.2 has 20 at most).
    pub fn x509(self, random: [u8; 8]) -> [u8; 17] {
        let mut number = [b'B'; 17];
        number[1..5].copy_from_slice(&self.key.0.to_be_bytes());
        number[5..9].copy_from_slice(&self.record.to_be_bytes());
        number[9..].copy_from_slice(&random);
        number
    }

    /// The numbers that an X.509 serial number was made of; `None` if it is none of ours.
    pub fn of_x509(serial: &[u8]) -> Option<Self> {
        let (b'B', rest) = serial.split_first()? else { return None };
        let (key, rest) = rest.split_first_chunk()?;
        let (record, random) = rest.split_first_chunk()?;
        let numbers = Numbers { key: Serial(u32::from_be_bytes(*key)), record: u32::from_be_bytes(*record) };
        (random.len() == 8).then_some(numbers)
    }
}

/// A number, as bytes without leading zeros, by each way in which these digits may be meant: hexadecimal (colons, spaces and `0x`
/// aside), and decimal.
pub fn spellings(number: &str) -> Vec<Vec<u8>> {
    let digits: String = number.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
    let bare = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let mut found = Vec::new();
    let text = bare.unwrap_or(&digits);
    if text.is_empty() || text.len() > 64 || !text.bytes().all(|c| c.is_ascii_hexdigit()) {
        return found;
    }
    let even = if text.len() % 2 == 1 { format!("0{text}") } else { text.to_owned() };
    found.extend(hex::decode(even).ok().map(|bytes| trimmed(&bytes)));
    if bare.is_none() && text.bytes().all(|c| c.is_ascii_digit()) {
        found.extend(of_decimal(text));
    }
    found
}

fn trimmed(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().skip_while(|byte| *byte == 0).collect()
}

/// The bytes of a decimal number of any length, without leading zeros; `None` if it has something else than digits.
pub fn of_decimal(digits: &str) -> Option<Vec<u8>> {
    let mut bytes: Vec<u8> = Vec::new(); // the lowest first
    for digit in digits.chars() {
        let mut carry = digit.to_digit(10)?;
        for byte in &mut bytes {
            let value = u32::from(*byte) * 10 + carry;
            (*byte, carry) = ((value & 0xFF) as u8, value >> 8);
        }
        if carry > 0 {
            bytes.push(carry as u8);
        }
    }
    bytes.reverse();
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_the_same_however_they_are_spelled() {
        let number = [0x42, 0x00, 0x00, 0x5A, 0x48];
        for text in
            ["4200005a48", "4200005A48", "42:00:00:5A:48", "0x4200005a48", "004200005a48", "283467864648"]
        {
            assert!(spellings(text).contains(&number.to_vec()), "{text}: {:?}", spellings(text));
        }
        assert_eq!(
            spellings("99265284112391"),
            [vec![0x99, 0x26, 0x52, 0x84, 0x11, 0x23, 0x91], of_decimal("99265284112391").unwrap()]
        );
        for none in ["", "abcxyz", "-1", "9".repeat(65).as_str()] {
            assert!(spellings(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn a_log_can_be_read_by_eye() {
        let numbers = Numbers { key: Serial(23_112), record: 18 };
        assert_eq!(numbers.ssh(), 23_112 << 32 | 18);
        assert_eq!(hex::encode(numbers.x509([0xAB; 8])), "4200005a4800000012abababababababab");
        assert_eq!(Numbers::of_x509(&[]), None);
        assert_eq!(Numbers::of_x509(&[b'B'; 18]), None);
        assert_eq!(Numbers::of_x509(&[0x40; 17]), None);
    }

    proptest! {
        #[test]
        fn they_lead_back(key: u32, record: u32, random: [u8; 8]) {
            let numbers = Numbers { key: Serial(key), record };
            prop_assert_eq!(Numbers::of_ssh(numbers.ssh()), numbers);
            let bytes = of_decimal(&numbers.ssh().to_string()).unwrap();
            prop_assert_eq!(Numbers::of_ssh_bytes(&bytes), Some(numbers));
            prop_assert_eq!(Numbers::of_ssh_bytes(&[1; 9]), None);
            prop_assert_eq!(Numbers::of_x509(&numbers.x509(random)), Some(numbers));
        }
    }
}
