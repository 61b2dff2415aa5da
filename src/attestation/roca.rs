//! The fingerprint of RSA keys made by Infineon's faulty library (CVE-2017-15361, YSA-2017-01).
//!
//! Its primes are k * M + (65537^a mod M), M being the product of the first primes. So the modulus, taken modulo each
//! of those small primes, is a power of 65537. A modulus of another origin is that for all of them with a chance of
//! about one in 2^27 (Nemec et al., "The Return of Coppersmith's Attack", CCS 2017).

/// The odd primes of M for the shortest keys; longer keys use these and more.
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103,
    107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// Whether the modulus (big-endian bytes) has the form that lets its factors be computed.
pub(super) fn has_fingerprint(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|&prime| {
        let residue = modulus.iter().fold(0, |rest, &byte| (rest * 256 + u32::from(byte)) % prime);
        is_power_of_65537(residue, prime)
    })
}

fn is_power_of_65537(residue: u32, prime: u32) -> bool {
    let generator = 65537 % prime;
    let mut power = 1;
    loop {
        if power == residue {
            return true;
        }
        power = power * generator % prime;
        if power == 1 {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 65537^exponent, big-endian: a power of 65537 modulo every prime by construction.
    fn power_of_65537(exponent: usize) -> Vec<u8> {
        let mut little = vec![1u8];
        for _ in 0..exponent {
            // 65537 x = (x << 16) + x
            let mut sum = vec![0u8; little.len() + 3];
            let mut carry = 0u16;
            for (i, digit) in sum.iter_mut().enumerate() {
                let low = little.get(i).copied().unwrap_or(0);
                let high = i.checked_sub(2).and_then(|j| little.get(j)).copied().unwrap_or(0);
                let total = u16::from(low) + u16::from(high) + carry;
                *digit = total as u8;
                carry = total >> 8;
            }
            little = sum;
        }
        little.into_iter().rev().collect()
    }

    #[test]
    fn the_form_is_found() {
        assert_eq!(power_of_65537(2), [0, 0, 1, 0, 2, 0, 1]);
        for exponent in [1, 2, 63, 127] {
            assert!(has_fingerprint(&power_of_65537(exponent)), "65537^{exponent}");
        }
    }

    #[test]
    fn neighbours_of_the_form_are_not() {
        let mut modulus = power_of_65537(127);
        for step in 1..=100u8 {
            *modulus.last_mut().unwrap() = modulus.last().unwrap().wrapping_add(2);
            assert!(!has_fingerprint(&modulus), "step {step}");
        }
        assert!(!has_fingerprint(&[0]), "zero is no power");
    }
}
