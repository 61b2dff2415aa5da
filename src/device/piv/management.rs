//! Mutual authentication with the management key (NIST SP 800-73-4 part 2, appendix A.1), read from where ykman keeps
//! it behind the PIN.

use aes::{Aes128, Aes192, Aes256};
use des::TdesEde3;
use des::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, BlockSizeUser, KeyInit};
use zeroize::Zeroizing;

use super::apdu::Command;
use super::{Card, Session, StatusWord, metadata, tlv};
use crate::device::firmware::behaviour;
use crate::device::{DeviceError, Identity};
use crate::secret::{ManagementAlgorithm, ManagementKey};

/// Printed Information, which other software leaves to ykman's `88 { 89 key }`; readable with a verified PIN only.
const PROTECTED: u32 = 0x5F_C109;

impl<C: Card> Session<C> {
    /// Authenticates with the PIN-protected management key, unless this connection already has.
    ///
    /// # Errors
    /// [`DeviceError::NoProtectedManagementKey`]; [`DeviceError::ManagementKey`] if the stored one is not the present
    /// one; [`DeviceError::Refused`] with 6982 if no PIN was verified.
    pub(super) fn manage(&mut self) -> Result<(), DeviceError> {
        if self.managed {
            return Ok(());
        }
        let key = self.protected_key()?;
        self.authenticate_management(&key)
    }

    fn protected_key(&mut self) -> Result<ManagementKey, DeviceError> {
        let content = self
            .object("GET DATA of the management key", PROTECTED)?
            .ok_or(DeviceError::NoProtectedManagementKey)?;
        let bytes = stored_key(&content).ok_or(DeviceError::NoProtectedManagementKey)?;
        let algorithm = match bytes.len() {
            16 => ManagementAlgorithm::Aes128,
            32 => ManagementAlgorithm::Aes256,
            _ => self.algorithm_of_24_bytes()?,
        };
        ManagementKey::new(algorithm, bytes).ok_or(DeviceError::NoProtectedManagementKey)
    }

    /// Only 24 bytes leave it open which algorithm it is, and only firmware with metadata knows another than 3DES.
    fn algorithm_of_24_bytes(&mut self) -> Result<ManagementAlgorithm, DeviceError> {
        if !behaviour(self.firmware()).metadata {
            return Ok(ManagementAlgorithm::TripleDes);
        }
        let command = metadata::command("METADATA of the management key", 0x9B);
        let answer = self.done(&command)?;
        metadata::management_algorithm(&command, &answer.data)
    }

    /// The card proves that it knows the key, and so do we, by blocks of the key's cipher.
    pub(super) fn authenticate_management(&mut self, key: &ManagementKey) -> Result<(), DeviceError> {
        match key.algorithm() {
            ManagementAlgorithm::TripleDes => self.authenticate_with::<TdesEde3>(key),
            ManagementAlgorithm::Aes128 => self.authenticate_with::<Aes128>(key),
            ManagementAlgorithm::Aes192 => self.authenticate_with::<Aes192>(key),
            ManagementAlgorithm::Aes256 => self.authenticate_with::<Aes256>(key),
        }
    }

    fn authenticate_with<B>(&mut self, key: &ManagementKey) -> Result<(), DeviceError>
    where
        B: KeyInit + BlockSizeUser + BlockCipherEncrypt + BlockCipherDecrypt,
    {
        let cipher = B::new_from_slice(key.expose_key()).map_err(|_| DeviceError::ManagementKey)?;
        let length = B::block_size();
        let header = [0, 0x87, key.algorithm() as u8, 0x9B];

        let ask =
            Command::act("witness of the management key", header, &[&[0x7C, 0x02, 0x80, 0x00]], 4 + length);
        let answer = self.judged(&ask)?;
        let witness = part(&ask, &answer, 0x80, length)?;
        let mut block = Array::<u8, B::BlockSize>::try_from(witness).expect("part has the block's length");
        cipher.decrypt_block(&mut block);

        let mut challenge = Array::<u8, B::BlockSize>::default();
        self.rng.fill_bytes(&mut challenge);
        let inner = [&tlv::write(0x80, &block)[..], &tlv::write(0x81, &challenge)].concat();
        let respond = Command::act(
            "authentication with the management key",
            header,
            &[&tlv::write(0x7C, &inner)],
            4 + length,
        );
        let answer = self.judged(&respond)?;
        cipher.encrypt_block(&mut challenge);
        if part(&respond, &answer, 0x82, length)? != &challenge[..] {
            return Err(respond.malformed("the key does not prove that it knows its management key"));
        }
        self.managed = true;
        Ok(())
    }

    fn judged(&mut self, command: &Command) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        let answer = self.channel.exchange(command)?;
        match answer.status {
            StatusWord::Done => Ok(answer.data),
            StatusWord::Unauthorised | StatusWord::Conditions | StatusWord::WrongData => {
                Err(DeviceError::ManagementKey)
            }
            other => Err(command.refused(other)),
        }
    }
}

/// The value of `7C { tag { … } }`, which must be one block.
fn part<'a>(command: &Command, data: &'a [u8], tag: u16, length: usize) -> Result<&'a [u8], DeviceError> {
    let value = tlv::only(data, 0x7C)
        .and_then(|inner| tlv::only(inner, tag))
        .map_err(|error| command.malformed(error.detail()))?;
    if value.len() == length {
        Ok(value)
    } else {
        Err(command.malformed("it is not one block of the cipher"))
    }
}

/// `88 { 89 key, … }`.
fn stored_key(content: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let inner = tlv::only(content, 0x88).ok()?;
    let key = tlv::find(&tlv::all(inner).ok()?, 0x89)?;
    Some(Zeroizing::new(key.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::KeepHead;
    use crate::device::piv::scripted::*;

    /// Key, witness encrypted, challenge 5A… encrypted: `openssl enc -des-ede3-ecb` or `-aes-N-ecb`, `-nopad`. The
    /// witness is A0 A1 A2 … .
    const VECTORS: [(ManagementAlgorithm, &str, &str, &str); 4] = [
        (
            ManagementAlgorithm::TripleDes,
            "0123456789abcdef23456789abcdef01456789abcdef0123",
            "06ec26547df4bead",
            "33889a39dc8fb0be",
        ),
        (
            ManagementAlgorithm::Aes128,
            "000102030405060708090a0b0c0d0e0f",
            "5e18d1fef61d087ec0a33ed734a7918f",
            "45a79e1c6c82e84062eb54a062dc42c8",
        ),
        (
            ManagementAlgorithm::Aes192,
            "000102030405060708090a0b0c0d0e0f1011121314151617",
            "fec3d1e6cf6b44390890a54d8add8530",
            "a74eebc05e50618568706d761f7f1dac",
        ),
        (
            ManagementAlgorithm::Aes256,
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            "dc9f01fd76b87c0d0f4be8850b0bece0",
            "3b853a31ac7a359d79fddbb9b746791f",
        ),
    ];

    fn block(outer: &str, text: &str) -> Step {
        let value = hex(text);
        done(&tlv::write(0x7C, &tlv::write(hex(outer)[0].into(), &value)))
    }

    fn protected(key: &str) -> Step {
        done(&tlv::write(0x53, &tlv::write(0x88, &tlv::write(0x89, &hex(key)))))
    }

    #[test]
    fn each_algorithm_agrees_with_openssl() {
        for (algorithm, key, witness, challenge) in VECTORS {
            let key = ManagementKey::new(algorithm, Zeroizing::new(hex(key))).expect("its length fits");
            let mut session = session(vec![block("80", witness), block("82", challenge)]);
            session.authenticate_management(&key).expect("both prove that they know the key");
            assert!(session.managed);
            let length = witness.len() / 2;
            let plain: Vec<u8> = (0xA0..).take(length).collect();
            let inner = [&tlv::write(0x80, &plain)[..], &tlv::write(0x81, &vec![0x5A; length])].concat();
            let header = [0x00, 0x87, algorithm as u8, 0x9B];
            let ask = [&header[..], &hex("04 7C028000 00")].concat();
            let respond =
                [&header[..], &[inner.len() as u8 + 2, 0x7C, inner.len() as u8], &inner, &[0]].concat();
            assert_eq!(session.channel.card.asked, [ask, respond], "{algorithm:?}");
        }
    }

    #[test]
    fn a_card_that_cannot_answer_the_challenge_is_not_believed() {
        let (algorithm, key, witness, challenge) = VECTORS[3];
        let key = ManagementKey::new(algorithm, Zeroizing::new(hex(key))).expect("its length fits");
        let echo = block("82", &"5a".repeat(16));
        let short = block("82", &challenge[2..]);
        for answer in [echo, short, block("80", challenge), block("82", witness), done(&[])] {
            let mut session = session(vec![block("80", witness), answer]);
            assert!(matches!(error(session.authenticate_management(&key)), DeviceError::Malformed { .. }));
            assert!(!session.managed);
        }
    }

    #[test]
    fn a_key_that_is_not_accepted_is_said_to_be_that() {
        let (algorithm, key, witness, _) = VECTORS[3];
        let key = ManagementKey::new(algorithm, Zeroizing::new(hex(key))).expect("its length fits");
        for word in [0x6982, 0x6985, 0x6A80] {
            for steps in [vec![status(word)], vec![block("80", witness), status(word)]] {
                assert!(matches!(
                    error(session(steps).authenticate_management(&key)),
                    DeviceError::ManagementKey
                ));
            }
        }
    }

    #[test]
    fn the_algorithm_of_24_bytes_is_asked_for_where_there_are_two() {
        let (_, key, witness, challenge) = VECTORS[2];
        let good = vec![
            protected(key),
            done(&hex("01010A 02020001 050100")),
            block("80", witness),
            block("82", challenge),
        ];
        let mut new = session(good);
        new.manage().expect("AES-192");
        assert_eq!(new.channel.card.instructions(), [0xCB, 0xF7, 0x87, 0x87]);
        let (_, key, witness, challenge) = VECTORS[0];
        let mut old =
            session_of([5, 2, 7], true, vec![protected(key), block("80", witness), block("82", challenge)]);
        old.manage().expect("3DES");
        assert_eq!(old.channel.card.instructions(), [0xCB, 0x87, 0x87]);
    }

    #[test]
    fn a_key_without_one_behind_its_pin_is_named() {
        let none: [Step; 6] = [
            status(0x6A82),
            done(&hex("5300")),
            done(&hex("5302 8800")),
            done(&hex("5304 8802 8900")),
            done(&hex("5304 8802 8100")),
            protected(&"00".repeat(20)),
        ];
        for answer in none {
            let mut session = session(vec![answer, done(&hex("01010A"))]);
            assert!(matches!(
                error(session.put_head_object(0, b"head")),
                DeviceError::NoProtectedManagementKey
            ));
        }
        let mut locked = session(vec![status(0x6982)]);
        assert!(matches!(
            error(locked.put_head_object(0, b"head")),
            DeviceError::Refused { status: 0x6982, .. }
        ));
    }

    #[test]
    fn it_is_done_once_for_a_connection() {
        let (_, key, witness, challenge) = VECTORS[3];
        let head = |content: &[u8]| done(&tlv::write(0x53, content));
        let steps = vec![
            protected(key),
            block("80", witness),
            block("82", challenge),
            status(0x9000),
            head(b"one"),
            status(0x9000),
            head(b"two"),
        ];
        let mut session = session(steps);
        session.put_head_object(0, b"one").expect("the first");
        session.put_head_object(1, b"two").expect("the second");
        assert_eq!(session.channel.card.instructions(), [0xCB, 0x87, 0x87, 0xDB, 0xCB, 0xDB, 0xCB]);
    }
}
