//! PIN and PUK of a simulated key: compared, counted, blocked.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::model::SimulatedKey;
use super::status::Status;

/// Tries of a PIN or PUK from the factory.
const FACTORY_TRIES: u8 = 3;

/// Values that a key with PIN complexity refuses beside those with a single character (Yubico's full list has not been
/// seen; these are among its published examples).
const TOO_SIMPLE: [&[u8]; 6] = [b"123456", b"12345678", b"password", b"654321", b"123123", b"qwerty"];

/// PIN or PUK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Key reference 80.
    Pin,
    /// Key reference 81.
    Puk,
}

impl Which {
    /// From P2 of VERIFY, CHANGE REFERENCE DATA or GET METADATA.
    pub(super) fn from_reference(reference: u8) -> Option<Which> {
        match reference {
            0x80 => Some(Which::Pin),
            0x81 => Some(Which::Puk),
            _ => None,
        }
    }

    fn factory_block(self) -> [u8; 8] {
        match self {
            Which::Pin => *b"123456\xFF\xFF",
            Which::Puk => *b"12345678",
        }
    }
}

/// One reference value. It is kept as a salted hash, so that a person's habitual PIN does not lie readable in a practice
/// file; eight digits are guessed from it in a moment, and nothing is claimed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    #[serde(with = "hex::serde")]
    salt: [u8; 16],
    #[serde(with = "hex::serde")]
    hash: [u8; 32],
    /// Tries left; 0 is blocked.
    pub left: u8,
    /// Tries after a right entry.
    pub total: u8,
    /// Whether it is the factory value.
    pub factory: bool,
}

impl Reference {
    pub(super) fn factory(which: Which, salt: [u8; 16]) -> Self {
        let mut reference =
            Reference { salt, hash: [0; 32], left: FACTORY_TRIES, total: FACTORY_TRIES, factory: true };
        reference.set(&which.factory_block());
        reference.factory = true;
        reference
    }

    pub(super) fn salt(&self) -> [u8; 16] {
        self.salt
    }

    fn set(&mut self, block: &[u8; 8]) {
        self.hash = self.hashed(block);
        self.left = self.total;
        self.factory = false;
    }

    fn hashed(&self, block: &[u8; 8]) -> [u8; 32] {
        Sha256::new().chain_update(self.salt).chain_update(block).finalize().into()
    }

    /// A try: the counter goes down before the comparison, and back up if it is right.
    fn attempt(&mut self, block: &[u8; 8]) -> Result<(), Status> {
        self.left = self.left.checked_sub(1).ok_or(Status::BLOCKED)?;
        if self.hashed(block) == self.hash {
            self.left = self.total;
            Ok(())
        } else {
            Err(Status::wrong(self.left))
        }
    }

    fn status(&self) -> Status {
        if self.left == 0 { Status::BLOCKED } else { Status::wrong(self.left) }
    }
}

impl SimulatedKey {
    /// VERIFY with data. A wrong PIN spends a try and forgets an earlier right one.
    pub fn verify(&mut self, data: &[u8]) -> Result<(), Status> {
        let block = data.try_into().map_err(|_| Status::LENGTH)?;
        self.session.pin_verified = false;
        self.pin.attempt(block)?;
        self.session.pin_verified = true;
        self.session.pin_verified_at = Some(self.session.commands);
        Ok(())
    }

    /// VERIFY without data: whether the PIN is verified, and if not, how many tries are left.
    pub fn verified(&self) -> Result<(), Status> {
        if self.session.pin_verified { Ok(()) } else { Err(self.pin.status()) }
    }

    /// VERIFY with P1 = FF (firmware 5.4.3 and later): forgets that the PIN was verified.
    pub fn forget_pin(&mut self) {
        self.session.pin_verified = false;
    }

    /// CHANGE REFERENCE DATA: old value, new value, 8 bytes each. A verified PIN stays verified, as
    /// age-plugin-yubikey relies on.
    pub fn change(&mut self, which: Which, data: &[u8]) -> Result<(), Status> {
        let (old, new) = two_blocks(data)?;
        let (profile, complexity) = (self.profile, self.complexity);
        let reference = self.reference_mut(which);
        reference.attempt(&old)?;
        acceptable(which, &new, profile.ascii_puk(), complexity)?;
        reference.set(&new);
        Ok(())
    }

    /// RESET RETRY COUNTER: PUK, new PIN, 8 bytes each.
    pub fn unblock(&mut self, data: &[u8]) -> Result<(), Status> {
        let (puk, new) = two_blocks(data)?;
        self.puk.attempt(&puk)?;
        acceptable(Which::Pin, &new, self.profile.ascii_puk(), self.complexity)?;
        self.pin.set(&new);
        Ok(())
    }

    /// SET PIN RETRIES: needs management key and PIN; sets both values back to the factory's.
    pub fn set_retries(&mut self, pin: u8, puk: u8) -> Result<(), Status> {
        self.require_management()?;
        if !self.session.pin_verified {
            return Err(Status::SECURITY);
        }
        if pin == 0 || puk == 0 {
            return Err(Status::DATA);
        }
        for (which, total) in [(Which::Pin, pin), (Which::Puk, puk)] {
            let reference = self.reference_mut(which);
            *reference = Reference::factory(which, reference.salt);
            (reference.total, reference.left) = (total, total);
        }
        self.session.pin_verified = false;
        Ok(())
    }

    pub(super) fn both_blocked(&self) -> bool {
        self.pin.left == 0 && self.puk.left == 0
    }

    fn reference_mut(&mut self, which: Which) -> &mut Reference {
        match which {
            Which::Pin => &mut self.pin,
            Which::Puk => &mut self.puk,
        }
    }
}

fn two_blocks(data: &[u8]) -> Result<([u8; 8], [u8; 8]), Status> {
    let both: &[u8; 16] = data.try_into().map_err(|_| Status::LENGTH)?;
    let mut blocks = ([0; 8], [0; 8]);
    blocks.0.copy_from_slice(&both[..8]);
    blocks.1.copy_from_slice(&both[8..]);
    Ok(blocks)
}

/// 6 to 8 bytes, padded with FF at the end only; from 5.7 no byte from 80 on in a PUK; not too simple where the key
/// minds.
fn acceptable(which: Which, block: &[u8; 8], ascii_puk: bool, complexity: bool) -> Result<(), Status> {
    let length = block.iter().position(|&byte| byte == 0xFF).unwrap_or(8);
    let (value, padding) = block.split_at(length);
    let beyond_ascii = which == Which::Puk && ascii_puk && value.iter().any(|&byte| byte >= 0x80);
    if length < 6 || padding.iter().any(|&byte| byte != 0xFF) || beyond_ascii {
        return Err(Status::DATA);
    }
    if complexity && too_simple(value) { Err(Status::CONDITIONS) } else { Ok(()) }
}

/// Whether a key with PIN complexity refuses that value.
pub(super) fn too_simple(value: &[u8]) -> bool {
    value.windows(2).all(|pair| pair[0] == pair[1]) || TOO_SIMPLE.contains(&value)
}
