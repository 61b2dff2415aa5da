//! A certificate with its private key as an ssh-agent takes it (RFC 9987): bytes of one request, bytes of one answer. The
//! agent forgets both by itself; nothing is on a disk.

use zeroize::Zeroizing;

use super::Signed;
use super::krl::string;
use crate::mint::SubjectKey;

const ADD_ID_CONSTRAINED: u8 = 25;
const CONSTRAIN_LIFETIME: u8 = 1;
const KIND: &[u8] = b"ecdsa-sha2-nistp256-cert-v01@openssh.com";
/// Longest answer that is read.
const LONGEST_ANSWER: usize = 256 * 1024;

/// What an agent answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentAnswer {
    /// It has it.
    Taken,
    /// It has not: locked, or it knows no certificates or lifetimes.
    Refused,
}

/// The request that adds `certificate` with its key for `seconds`, length in front.
pub fn add_to_agent(
    certificate: &Signed,
    key: &SubjectKey,
    comment: &str,
    seconds: u32,
) -> Zeroizing<Vec<u8>> {
    let blob = certificate.blob();
    let room = blob.len() + comment.len() + 128;
    let mut body = Zeroizing::new(Vec::with_capacity(room)); // never grown, so never copied
    body.push(ADD_ID_CONSTRAINED);
    string(&mut body, KIND);
    string(&mut body, &blob);
    mpint(&mut body, &key.expose_scalar()[..]);
    string(&mut body, comment.as_bytes());
    body.push(CONSTRAIN_LIFETIME);
    body.extend(seconds.to_be_bytes());
    debug_assert!(body.len() <= room, "it was copied, and the copy not wiped");
    let mut request = Zeroizing::new(Vec::with_capacity(body.len() + 4));
    string(&mut request, &body);
    request
}

/// RFC 4251 section 5, of a number that is not negative: no leading zero bytes, but one before a high bit.
fn mpint(out: &mut Vec<u8>, number: &[u8]) {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = &number[zeros..];
    let pad = usize::from(digits.first().is_some_and(|byte| byte & 0x80 != 0));
    let length = u32::try_from(digits.len() + pad).expect("a scalar has 32 bytes");
    out.extend(length.to_be_bytes());
    out.extend(std::iter::repeat_n(0, pad));
    out.extend_from_slice(digits);
}

/// Reads what has come of an answer so far; `None` while it is not whole, `Refused` for one that is none.
pub fn agent_answer(bytes: &[u8]) -> Option<AgentAnswer> {
    const SUCCESS: u8 = 6;
    let (length, body) = bytes.split_first_chunk::<4>()?;
    let length = u32::from_be_bytes(*length) as usize;
    if length == 0 || length > LONGEST_ANSWER {
        return Some(AgentAnswer::Refused);
    }
    let body = body.get(..length)?;
    Some(if body == [SUCCESS] { AgentAnswer::Taken } else { AgentAnswer::Refused })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_ssh_wants_them() {
        for (number, written) in [
            (vec![0, 0], vec![0, 0, 0, 0]),
            (vec![0, 1], vec![0, 0, 0, 1, 1]),
            (vec![0x80], vec![0, 0, 0, 2, 0, 0x80]),
            (vec![0x7F, 0], vec![0, 0, 0, 2, 0x7F, 0]),
        ] {
            let mut out = Vec::new();
            mpint(&mut out, &number);
            assert_eq!(out, written);
        }
    }

    #[test]
    fn an_answer_is_taken_refused_or_not_whole() {
        assert_eq!(agent_answer(&[0, 0, 0, 1, 6]), Some(AgentAnswer::Taken));
        assert_eq!(agent_answer(&[0, 0, 0, 1, 5]), Some(AgentAnswer::Refused));
        assert_eq!(agent_answer(&[0, 0, 0, 2, 6, 0]), Some(AgentAnswer::Refused));
        assert_eq!(agent_answer(&[0, 0, 0, 0]), Some(AgentAnswer::Refused));
        assert_eq!(agent_answer(&[0xFF; 4]), Some(AgentAnswer::Refused));
        for part in [&[][..], &[0, 0], &[0, 0, 0, 1]] {
            assert_eq!(agent_answer(part), None);
        }
    }
}
