//! GENERAL AUTHENTICATE with the keys of the slots (NIST SP 800-73-4 part 2, section 3.2.4): presence, records, ECDH.

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::elliptic_curve::sec1::ToSec1Point;
use sha2::{Digest, Sha256};

use super::apdu::{Answer, Command};
use super::metadata::P256;
use super::{Card, Session, StatusWord, pin, tlv};
use crate::attestation::Slot;
use crate::device::{Agree, DeviceError, Identity, Presence, SignRecords};
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
            Ok(_) | Err(DeviceError::Malformed { .. }) => false,
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
        self.verify(pin::Reference::Pin, pin)?;
        let command = sign("signature with 9C", Slot::Signing, digest);
        let answer = self.used(&command, Slot::Signing)?;
        match signature(&answer.data) {
            Some(signature) if expected.verify_prehash(digest, &signature).is_ok() => Ok(signature),
            Some(_) => Err(DeviceError::BadSignature(Slot::Signing)),
            None => Err(command.malformed("it is not a signature")),
        }
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
