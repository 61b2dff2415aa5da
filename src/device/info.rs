//! What a key says of itself beside PIV: the management application's device information.
//!
//! Unsigned and informative; it decides only what provisioning refuses early (Bio Multi-protocol) or announces
//! (PIN complexity). Layout: yubikit `DeviceInfo`, a length byte and then TLVs, on numbered pages.

use zeroize::Zeroizing;

use super::DeviceError;
use super::piv::{Card, CardError};
use crate::attestation::{Firmware, Serial};

const SELECT_MANAGEMENT: [u8; 13] =
    [0x00, 0xA4, 0x04, 0x00, 0x08, 0xA0, 0x00, 0x00, 0x05, 0x27, 0x47, 0x11, 0x17];
const SELECT_PIV: [u8; 10] = [0x00, 0xA4, 0x04, 0x00, 0x05, 0xA0, 0x00, 0x00, 0x03, 0x08];
const COMMAND: &str = "READ CONFIG";
/// Two pages are known (firmware 5.7); a card that announces more without end is not followed.
const PAGES: u8 = 4;

/// Device information of the management application (firmware 4.1 and later).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Tag 02.
    pub serial: Option<Serial>,
    /// Tag 05.
    pub firmware: Option<Firmware>,
    /// Tag 04: shape in the low four bits, 80 for FIPS, 40 for Security Key.
    pub form_factor: u8,
    /// Whether NFC is built in (tag 0D is not zero).
    pub nfc: bool,
    /// Tag 14: which applications can be FIPS approved.
    pub fips_capable: u16,
    /// Tag 16: whether the key refuses trivial PINs and PUKs.
    pub pin_complexity: bool,
}

impl DeviceInfo {
    /// Whether it is a YubiKey Bio: one PIN for PIV and FIDO, and no PUK.
    pub fn is_bio(&self) -> bool {
        matches!(self.form_factor & 0x0F, 0x06 | 0x07)
    }

    /// Whether it is a FIPS key.
    pub fn is_fips(&self) -> bool {
        self.form_factor & 0x80 != 0 || self.fips_capable != 0
    }

    /// The name on the shelf, as far as the shape tells it.
    pub fn model(&self) -> String {
        let shape = match (self.form_factor & 0x0F, self.nfc) {
            (0x01, true) => "5 NFC",
            (0x01, false) => "5A",
            (0x02, _) => "5 Nano",
            (0x03, true) => "5C NFC",
            (0x03, false) => "5C",
            (0x04, _) => "5C Nano",
            (0x05, _) => "5Ci",
            (0x06, _) => "Bio",
            (0x07, _) => "C Bio",
            _ => return "YubiKey".to_owned(),
        };
        format!("YubiKey {shape}{}", if self.is_fips() { " FIPS" } else { "" })
    }
}

/// Reads it: selects the management application and PIV again, which ends a verified PIN and an authentication.
///
/// `None` if the card has no management application.
///
/// # Errors
/// [`DeviceError::Malformed`] for an answer that is not device information; whatever the way to the card says.
pub fn read(card: &mut dyn Card) -> Result<Option<DeviceInfo>, DeviceError> {
    let found = pages(card);
    exchange(card, "SELECT", &SELECT_PIV)?;
    found
}

fn pages(card: &mut dyn Card) -> Result<Option<DeviceInfo>, DeviceError> {
    if exchange(card, "SELECT", &SELECT_MANAGEMENT)?.1 != 0x9000 {
        return Ok(None);
    }
    let mut info = DeviceInfo::default();
    for page in 0..PAGES {
        let (bytes, status) = exchange(card, COMMAND, &[0x00, 0x1D, page, 0x00, 0x00])?;
        match status {
            0x9000 => {}
            _ if page == 0 => return Ok(None),
            status => return Err(DeviceError::Refused { command: COMMAND, status }),
        }
        if !take(&mut info, &bytes)? {
            break;
        }
    }
    Ok(Some(info))
}

/// Puts one page into `info`; whether another page follows.
fn take(info: &mut DeviceInfo, page: &[u8]) -> Result<bool, DeviceError> {
    let malformed = |detail| DeviceError::Malformed { command: COMMAND, detail };
    let (length, mut rest) = page.split_first().ok_or(malformed("an empty page"))?;
    if usize::from(*length) != rest.len() {
        return Err(malformed("a page whose length byte is wrong"));
    }
    let mut more = false;
    while let [tag, length, tail @ ..] = rest {
        let value = tail.get(..usize::from(*length)).ok_or(malformed("a field that is cut off"))?;
        rest = &tail[value.len()..];
        match (tag, value) {
            (0x02, &[a, b, c, d]) => info.serial = Some(Serial(u32::from_be_bytes([a, b, c, d]))),
            (0x04, &[form]) => info.form_factor = form,
            (0x05, &[major, minor, patch]) => info.firmware = Some(Firmware::new(major, minor, patch)),
            (0x0D, value) => info.nfc = value.iter().any(|byte| *byte != 0),
            (0x10, &[last]) => more = last != 0,
            (0x14, &[high, low]) => info.fips_capable = u16::from_be_bytes([high, low]),
            (0x16, &[flag]) => info.pin_complexity = flag == 1,
            _ => {} // unknown to us, or of another length in another firmware: informative only
        }
    }
    if rest.is_empty() { Ok(more) } else { Err(malformed("a field without a length")) }
}

fn exchange(
    card: &mut dyn Card,
    command: &'static str,
    apdu: &[u8],
) -> Result<(Zeroizing<Vec<u8>>, u16), DeviceError> {
    let mut answer = Zeroizing::new(Vec::new());
    card.transmit(apdu, &mut answer).map_err(|error| match error {
        CardError::Removed | CardError::Reset => DeviceError::Removed { command },
        CardError::TimedOut(seconds) => DeviceError::TimedOut { command, seconds },
        CardError::TooLong => DeviceError::Malformed { command, detail: "longer than any answer" },
        CardError::Service(text) => DeviceError::Service(text),
    })?;
    let Some((_, &[high, low])) = answer.split_last_chunk::<2>() else {
        return Err(DeviceError::Malformed { command, detail: "no status word" });
    };
    let length = answer.len() - 2;
    answer.truncate(length);
    Ok((answer, u16::from_be_bytes([high, low])))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A card that answers from a list and notes what it was asked.
    struct Scripted {
        answers: Vec<Vec<u8>>,
        asked: Vec<Vec<u8>>,
    }

    impl Card for Scripted {
        fn transmit(&mut self, command: &[u8], answer: &mut Zeroizing<Vec<u8>>) -> Result<(), CardError> {
            self.asked.push(command.to_vec());
            answer.clear();
            if self.answers.is_empty() {
                return Err(CardError::Removed);
            }
            answer.extend_from_slice(&self.answers.remove(0));
            Ok(())
        }
        fn extended_length(&self) -> bool {
            false
        }
        fn reader(&self) -> &str {
            "scripted"
        }
    }

    fn asked(answers: &[&str]) -> (Result<Option<DeviceInfo>, DeviceError>, Vec<Vec<u8>>) {
        let answers = answers.iter().map(|a| hex::decode(a.replace(' ', "")).unwrap()).collect();
        let mut card = Scripted { answers, asked: Vec::new() };
        (read(&mut card), card.asked)
    }

    /// The two pages of a 5.7.4, as published in keyroost issue 147.
    const PAGE_0: &str = "3b 0102033f 03020236 0204020c7cb5 040101 0503050704 06020000 07010f 080100 0d02033f \
                          0e020236 0a0100 0f0100 2003000000 2103000000 100101 9000";
    const PAGE_1: &str =
        "29 110400000000 120100 130c3738434c5546583530303050 14020000 15020000 160100 170100 18020000 9000";

    #[test]
    fn a_real_5_7_4_is_read_whole_and_piv_is_selected_again() {
        let (info, commands) = asked(&["9000", PAGE_0, PAGE_1, "9000"]);
        let info = info.unwrap().unwrap();
        assert_eq!(info.serial, Some(Serial(0x020C_7CB5)));
        assert_eq!(info.firmware, Some(Firmware::new(5, 7, 4)));
        assert_eq!(info.model(), "YubiKey 5 NFC");
        assert!(!info.is_bio() && !info.is_fips() && !info.pin_complexity);
        assert_eq!(commands.last().unwrap(), &SELECT_PIV);
        assert_eq!(commands[2][2], 1, "the second page was asked for");
    }

    #[test]
    fn fips_bio_and_complexity_are_seen() {
        let (info, _) = asked(&["9000", "0a 040181 160101 14020001 9000", "9000"]);
        let info = info.unwrap().unwrap();
        assert!(info.is_fips() && info.pin_complexity);
        let (info, _) = asked(&["9000", "03 040107 9000", "9000"]);
        assert!(info.unwrap().unwrap().is_bio());
    }

    #[test]
    fn no_management_application_is_no_information() {
        assert_eq!(asked(&["6a82", "9000"]).0.unwrap(), None);
        assert_eq!(asked(&["9000", "6d00", "9000"]).0.unwrap(), None);
    }

    #[test]
    fn damaged_pages_are_malformed_and_never_a_panic() {
        for page in ["9000", "059000", "03 0401 9000", "02 0405 9000", "01 04 9000", "ff 9000", ""] {
            let (info, _) = asked(&["9000", page, "9000"]);
            assert!(matches!(info, Err(DeviceError::Malformed { .. })), "{page}: {info:?}");
        }
    }

    #[test]
    fn pages_without_end_are_not_followed() {
        let endless = "03 100101 9000";
        let (info, commands) = asked(&["9000", endless, endless, endless, endless, "9000"]);
        assert!(info.unwrap().is_some());
        assert_eq!(commands.len(), 6);
    }

    #[test]
    fn removal_is_said() {
        assert!(matches!(asked(&["9000"]).0, Err(DeviceError::Removed { .. })));
    }
}
