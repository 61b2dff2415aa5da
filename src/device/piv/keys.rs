//! GENERAL AUTHENTICATE with the keys of the slots (NIST SP 800-73-4 part 2, section 3.2.4): presence, records, ECDH.

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::elliptic_curve::sec1::ToSec1Point;
use sha2::{Digest, Sha256};

use super::apdu::{Answer, Command};
use super::metadata::P256;
use super::{Card, Session, StatusWord, pin, tlv};
use crate::attestation::Slot;
use crate::device::{Agree, DeviceError, Identity, Presence, SignMinted, SignRecords};
use crate::secret::{Pin, SharedSecret};

/// 7C and 82 with their lengths, and the longest DER signature on P-256.
const MOST_SIGNATURE: usize = 4 + 72;
/// 7C and 82 with their lengths, and one coordinate.
const MOST_COORDINATE: usize = 4 + 32;

impl<C: Card> Presence for Session<C> {
    fn prove_presence(&mut self, expected: &VerifyingKey, nonce: &[u8; 32]) -> Result<(), DeviceError> {
        let digest: [u8; 32] = Sha256::digest(nonce).into();
        let command = sign("proof of presence with 9E", Slot::Presence, &digest);
        self.doubted = true;
        let genuine = match self.channel.exchange(&command) {
            Ok(Answer { status: StatusWord::Done, data }) => {
                signature(&data).is_some_and(|signature| expected.verify_prehash(&digest, &signature).is_ok())
            }
            Ok(Answer { status: StatusWord::Unauthorised, .. }) => {
                self.doubted = false;
                return Err(DeviceError::PresenceNeedsPin(self.serial()));
            }
            // YubiKeys refuse an empty slot with the same word as wrong data; the metadata tell it apart.
            Ok(_) => match self.metadata(Slot::Presence) {
                Ok(None) => return Err(DeviceError::EmptySlot(Slot::Presence)),
                Err(gone @ (DeviceError::Removed { .. } | DeviceError::TimedOut { .. })) => return Err(gone),
                _ => false,
            },
            Err(DeviceError::Malformed { .. }) => false,
            Err(error) => return Err(error),
        };
        self.doubted = !genuine;
        if genuine { Ok(()) } else { Err(DeviceError::NotGenuine(self.serial())) }
    }
}

impl<C: Card> SignRecords for Session<C> {
    fn sign_record(
        &mut self,
        expected: &VerifyingKey,
        pin: &Pin,
        digest: &[u8; 32],
    ) -> Result<Signature, DeviceError> {
        self.sign_with_pin("signature with 9C", Slot::Signing, expected, pin, digest)
    }
}

impl<C: Card> SignMinted for Session<C> {
    fn sign_minted(
        &mut self,
        slot: Slot,
        expected: &VerifyingKey,
        pin: &Pin,
        digest: &[u8; 32],
    ) -> Result<Signature, DeviceError> {
        let name = match slot {
            Slot::SshAuthority => "signature with 83",
            Slot::X509Authority => "signature with 84",
            Slot::Tokens => "signature with 85",
            Slot::Signing | Slot::Sealing | Slot::Presence => panic!("{slot} mints nothing"),
        };
        self.sign_with_pin(name, slot, expected, pin, digest)
    }
}

impl<C: Card> Agree for Session<C> {
    fn agree(&mut self, peer: &p256::PublicKey) -> Result<SharedSecret, DeviceError> {
        let point = peer.to_sec1_point(false);
        let inner = [&[0x82, 0x00, 0x85, 0x41], point.as_bytes()].concat();
        let slot = Slot::Sealing;
        let command = general("key agreement with 82", slot, &inner, MOST_COORDINATE);
        let answer = self.used(&command, slot)?;
        let coordinate =
            response(&answer.data).ok_or_else(|| command.malformed("it is not an agreed secret"))?;
        let secret = <[u8; 32]>::try_from(coordinate)
            .map(SharedSecret::new)
            .map_err(|_| command.malformed("the agreed secret has not 32 bytes"))?;
        if secret.expose_bytes().iter().all(|byte| *byte == 0) {
            return Err(command.malformed("the agreed secret is zero"));
        }
        Ok(secret)
    }
}

impl<C: Card> Session<C> {
    /// VERIFY and sign, with nothing between: the PIN is wanted directly before each use.
    fn sign_with_pin(
        &mut self,
        name: &'static str,
        slot: Slot,
        expected: &VerifyingKey,
        pin: &Pin,
        digest: &[u8; 32],
    ) -> Result<Signature, DeviceError> {
        self.verify(pin::Reference::Pin, pin)?;
        let command = sign(name, slot, digest);
        let answer = self.used(&command, slot)?;
        match signature(&answer.data) {
            Some(signature) if expected.verify_prehash(digest, &signature).is_ok() => Ok(signature),
            Some(_) => Err(DeviceError::BadSignature(slot)),
            None => Err(command.malformed("it is not a signature")),
        }
    }

    /// A use of a slot's key: 6982 after a good VERIFY, and 6985 on some firmware, is a touch that did not come.
    pub(super) fn used(&mut self, command: &Command, slot: Slot) -> Result<Answer, DeviceError> {
        let answer = self.channel.exchange(command)?;
        match answer.status {
            StatusWord::Done => Ok(answer),
            StatusWord::Unauthorised | StatusWord::Conditions => Err(DeviceError::NotTouched),
            StatusWord::NoReference | StatusWord::NotFound => Err(DeviceError::EmptySlot(slot)),
            other => Err(command.refused(other)),
        }
    }
}

pub(super) fn sign(name: &'static str, slot: Slot, digest: &[u8; 32]) -> Command {
    general(name, slot, &[&[0x82, 0x00, 0x81, 0x20][..], digest].concat(), MOST_SIGNATURE)
}

fn general(name: &'static str, slot: Slot, inner: &[u8], most: usize) -> Command {
    Command::act(name, [0, 0x87, P256, slot.number()], &[&tlv::write(0x7C, inner)], most)
}

/// The value of `7C { 82 { … } }`.
fn response(data: &[u8]) -> Option<&[u8]> {
    tlv::only(tlv::only(data, 0x7C).ok()?, 0x82).ok()
}

/// A strict DER signature with r and s between 1 and n - 1; s may be high.
pub(super) fn signature(data: &[u8]) -> Option<Signature> {
    Signature::from_der(response(data)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::ChangePin;
    use crate::device::piv::scripted::*;

    #[test]
    fn presence_is_one_command_over_the_hash_of_the_nonce() {
        let mut session = session(vec![signed(&presence_digest())]);
        session.prove_presence(&public(), &NONCE).expect("our own signature");
        let expected = [&hex("0087119e26 7c24 8200 8120")[..], &presence_digest(), &[0]].concat();
        assert_eq!(session.channel.card.asked, [expected]);
    }

    #[test]
    fn a_9e_that_wants_the_pin_is_told_apart_and_takes_it() {
        let mut session = session(vec![status(0x6982), status(0x9000)]);
        assert!(matches!(
            error(session.prove_presence(&public(), &NONCE)),
            DeviceError::PresenceNeedsPin(SERIAL)
        ));
        session.verify_pin(&pin()).expect("whether to go on is the flow's decision");
    }

    #[test]
    fn an_empty_9e_is_told_apart_and_gets_no_pin() {
        for refusal in [0x6A80, 0x6A82, 0x6A88, 0x6F00] {
            let mut session = session(vec![status(refusal), status(0x6A88), status(0x9000)]);
            let outcome = error(session.prove_presence(&public(), &NONCE));
            assert!(matches!(outcome, DeviceError::EmptySlot(Slot::Presence)), "{refusal:04X}: {outcome:?}");
            assert!(matches!(error(session.verify_pin(&pin())), DeviceError::NotGenuine(SERIAL)));
            assert_eq!(session.channel.card.asked.len(), 2, "no PIN was sent");
        }
    }

    #[test]
    fn a_record_is_verify_and_sign_with_nothing_between() {
        let mut session = session(vec![status(0x9000), signed(&DIGEST)]);
        let signature = session.sign_record(&public(), &pin(), &DIGEST).expect("our own signature");
        public().verify_prehash(&DIGEST, &signature).expect("it verifies");
        let sign = [&hex("0087119c26 7c24 8200 8120")[..], &DIGEST, &[0]].concat();
        assert_eq!(session.channel.card.asked, [hex("0020008008 373339313634ffff"), sign]);
    }

    #[test]
    fn what_is_minted_is_verify_and_sign_with_its_own_slot() {
        for (slot, number) in [(Slot::SshAuthority, "83"), (Slot::X509Authority, "84"), (Slot::Tokens, "85")]
        {
            let mut session = session(vec![status(0x9000), signed(&DIGEST)]);
            session.sign_minted(slot, &public(), &pin(), &DIGEST).expect("our own signature");
            let sign = [&hex(&format!("008711{number}26 7c24 8200 8120"))[..], &DIGEST, &[0]].concat();
            assert_eq!(session.channel.card.asked, [hex("0020008008 373339313634ffff"), sign]);
        }
        let mut session = session(vec![status(0x9000), signed(&[0; 32])]);
        let outcome = error(session.sign_minted(Slot::Tokens, &public(), &pin(), &DIGEST));
        assert!(matches!(outcome, DeviceError::BadSignature(Slot::Tokens)));
    }

    #[test]
    fn a_high_s_is_a_good_signature_too() {
        let good = signed(&DIGEST).expect("bytes");
        let low = signature(&good[..good.len() - 2]).expect("a signature");
        let high = Signature::from_scalars(low.r(), -low.s()).expect("n - s is a scalar");
        let mut session = session(vec![status(0x9000), done(&wrapped(high.to_der().as_bytes()))]);
        assert_eq!(session.sign_record(&public(), &pin(), &DIGEST).expect("still a signature"), high);
    }

    #[test]
    fn a_signature_of_something_else_is_an_accusation() {
        let mut session = session(vec![status(0x9000), signed(&[0; 32])]);
        let outcome = error(session.sign_record(&public(), &pin(), &DIGEST));
        assert!(matches!(outcome, DeviceError::BadSignature(Slot::Signing)));
    }

    #[test]
    fn only_strict_der_with_scalars_in_range_is_a_signature() {
        let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
        for der in [
            "3006 020100 020101",
            "3006 020101 020100",
            "3006 020101 0201FF",
            "3007 02020001 020101",
            "3006 020101 020101 00",
            "308106 020101 020101",
            "3005 020101 0201",
            "3003 020101",
            "3009 020101 020101 020101",
            "3080 020101 020101 0000",
            &format!("3026 020101 022100{order}"),
            "",
        ] {
            let mut session = session(vec![status(0x9000), done(&wrapped(&hex(der)))]);
            let outcome = error(session.sign_record(&public(), &pin(), &DIGEST));
            assert!(matches!(outcome, DeviceError::Malformed { .. }), "{der}: {outcome:?}");
        }
        assert!(signature(&wrapped(&hex("3006 020101 020101"))).is_some());
    }

    #[test]
    fn a_withheld_touch_is_not_a_wrong_pin() {
        for word in [0x6982, 0x6985] {
            let mut signing = session(vec![status(0x9000), status(word)]);
            assert!(matches!(
                error(signing.sign_record(&public(), &pin(), &DIGEST)),
                DeviceError::NotTouched
            ));
            let mut agreeing = session(vec![status(word)]);
            assert!(matches!(error(agreeing.agree(&public().into())), DeviceError::NotTouched));
        }
    }

    #[test]
    fn an_empty_slot_is_named() {
        for word in [0x6A82, 0x6A88] {
            let outcome = error(session(vec![status(word)]).agree(&public().into()));
            assert!(matches!(outcome, DeviceError::EmptySlot(Slot::Sealing)));
        }
    }

    #[test]
    fn agreement_sends_the_point_and_takes_32_bytes_that_are_not_zero() {
        let mut session = session(vec![done(&wrapped(&[7; 32]))]);
        assert_eq!(session.agree(&public().into()).expect("a secret").expose_bytes(), &[7; 32]);
        let expected = [&hex("0087118247 7c45 8200 8541")[..], &public().to_sec1_bytes(), &[0]].concat();
        assert_eq!(session.channel.card.asked, [expected]);
        for bad in [&[0; 32][..], &[7; 31], &[7; 33], &[]] {
            let outcome =
                error(super::super::scripted::session(vec![done(&wrapped(bad))]).agree(&public().into()));
            assert!(matches!(outcome, DeviceError::Malformed { command: "key agreement with 82", .. }));
        }
    }
}
