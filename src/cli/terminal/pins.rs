//! PINs and PUKs from a descriptor (`--pin-fd N`), for scripts and tests: never from arguments or the environment.
//!
//! One a line: `SERIAL pin PIN`, `SERIAL puk PUK`, `SERIAL new-pin PIN`, `SERIAL new-puk PUK`, `SERIAL fido2-pin PIN`
//! (the present FIDO2 PIN, where it is not the PIV PIN), `SERIAL new-fido2-pin PIN`; or, where only one key is meant, a
//! line with nothing but the PIN. Each line is used once, so a wrong PIN is never sent twice.

use std::io::{self, Read};

use zeroize::Zeroizing;

use super::descriptor;
use crate::attestation::Serial;
use crate::operator::Ask;
use crate::secret::{Fido2Pin, Pin, PinFormatError};

/// Longest text on the descriptor, in bytes.
const LONGEST: usize = 16 * 1024;

/// What was read from the descriptor.
#[derive(Debug)]
pub(crate) struct PinSource {
    lines: Vec<(Option<Serial>, Ask, Pin)>,
    fido2: Vec<(Serial, Fido2Pin)>,
    new_fido2: Vec<(Serial, Fido2Pin)>,
}

/// Why the lines are refused; none of them was used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PinSourceError {
    /// The descriptor.
    #[error("descriptor {number} cannot be read")]
    Descriptor {
        /// Which.
        number: i32,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A line that is neither form.
    #[error(
        "line {0} of the PINs is not SERIAL pin|puk|new-pin|new-puk|fido2-pin|new-fido2-pin VALUE, nor a single PIN"
    )]
    Line(usize),
    /// A value that cannot be a PIN.
    #[error("line {line} of the PINs: {cause}")]
    Format {
        /// Which line.
        line: usize,
        /// Why.
        #[source]
        cause: PinFormatError,
    },
    /// More than one PIN without serial.
    #[error("a PIN without serial must be the only line: with several keys, say which PIN is whose")]
    WhoseIsIt,
}

impl PinSource {
    /// Reads all lines at once.
    pub(crate) fn read(number: i32) -> Result<Self, PinSourceError> {
        let failed = |cause| PinSourceError::Descriptor { number, cause };
        let mut file = descriptor(number, false).map_err(failed)?;
        let mut bytes = Zeroizing::new(vec![0; LONGEST]);
        let mut length = 0;
        loop {
            match file.read(&mut bytes[length..]).map_err(failed)? {
                0 => break,
                more => length += more,
            }
        }
        Self::parse(&bytes[..length])
    }

    /// The same of lines that are at hand.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, PinSourceError> {
        let (mut lines, mut fido2, mut new_fido2) = (Vec::new(), Vec::new(), Vec::new());
        for (index, line) in bytes.split(|b| *b == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                continue;
            }
            let number = index + 1;
            let words: Vec<&[u8]> = line.split(|b| *b == b' ').filter(|w| !w.is_empty()).collect();
            let format = |cause| PinSourceError::Format { line: number, cause };
            let pin = |value| Pin::parse(value).map_err(format);
            match words[..] {
                [value] => lines.push((None, Ask::Pin, pin(value)?)),
                [serial, ask, value] => {
                    let serial = std::str::from_utf8(serial).ok().and_then(|s| s.parse().ok());
                    let serial = serial.ok_or(PinSourceError::Line(number))?;
                    let ask = match ask {
                        b"pin" => Ask::Pin,
                        b"puk" => Ask::Puk,
                        b"new-pin" => Ask::NewPin,
                        b"new-puk" => Ask::NewPuk,
                        b"fido2-pin" => {
                            fido2.push((serial, Fido2Pin::parse(value).map_err(format)?));
                            continue;
                        }
                        b"new-fido2-pin" => {
                            new_fido2.push((serial, Fido2Pin::parse(value).map_err(format)?));
                            continue;
                        }
                        _ => return Err(PinSourceError::Line(number)),
                    };
                    lines.push((Some(serial), ask, pin(value)?));
                }
                _ => return Err(PinSourceError::Line(number)),
            }
        }
        if lines.len() + fido2.len() + new_fido2.len() > 1
            && lines.iter().any(|(serial, ..)| serial.is_none())
        {
            return Err(PinSourceError::WhoseIsIt);
        }
        Ok(PinSource { lines, fido2, new_fido2 })
    }

    /// The next line for that key, used up.
    pub(crate) fn take(&mut self, ask: Ask, serial: Serial) -> Option<Pin> {
        let fits = |(whose, what, _): &(Option<Serial>, Ask, Pin)| {
            *what == ask && whose.is_none_or(|whose| whose == serial)
        };
        let at = self.lines.iter().position(fits)?;
        Some(self.lines.remove(at).2)
    }

    /// The next FIDO2 PIN for that key, used up.
    pub(crate) fn take_fido2(&mut self, serial: Serial) -> Option<Fido2Pin> {
        let at = self.fido2.iter().position(|(whose, _)| *whose == serial)?;
        Some(self.fido2.remove(at).1)
    }

    /// The next FIDO2 PIN to set on that key, used up.
    pub(crate) fn take_new_fido2(&mut self, serial: Serial) -> Option<Fido2Pin> {
        let at = self.new_fido2.iter().position(|(whose, _)| *whose == serial)?;
        Some(self.new_fido2.remove(at).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_used_once_and_by_its_key_only() {
        let mut pins =
            PinSource::parse(b"1 pin 111111\n2 pin 222222\n1 pin 333333\n1 new-puk 44444444\n").unwrap();
        assert!(pins.take(Ask::Pin, Serial(3)).is_none());
        assert_eq!(&pins.take(Ask::Pin, Serial(1)).unwrap().expose_block()[..6], b"111111");
        assert_eq!(&pins.take(Ask::Pin, Serial(1)).unwrap().expose_block()[..6], b"333333");
        assert!(pins.take(Ask::Pin, Serial(1)).is_none());
        assert!(pins.take(Ask::NewPuk, Serial(1)).is_some());
    }

    #[test]
    fn a_fido2_pin_is_used_for_fido2_only_and_once() {
        let mut pins =
            PinSource::parse(b"1 fido2-pin 4815\n1 new-fido2-pin 2342\n1 pin 111111\n1 fido2-pin 162342\n")
                .unwrap();
        assert!(pins.take_fido2(Serial(2)).is_none());
        for typed in [&b"4815"[..], b"162342"] {
            assert_eq!(pins.take_fido2(Serial(1)).unwrap().expose_typed(), typed);
        }
        assert!(pins.take_fido2(Serial(1)).is_none());
        assert!(pins.take(Ask::Pin, Serial(1)).is_some());
        assert!(pins.take_new_fido2(Serial(2)).is_none());
        assert_eq!(pins.take_new_fido2(Serial(1)).unwrap().expose_typed(), b"2342");
        assert!(pins.take_new_fido2(Serial(1)).is_none());
        let short = PinSource::parse(b"1 pin 111111\n1 fido2-pin 481\n");
        assert!(matches!(short, Err(PinSourceError::Format { line: 2, .. })), "{short:?}");
        let whose = PinSource::parse(b"123456\n1 fido2-pin 4815\n");
        assert!(matches!(whose, Err(PinSourceError::WhoseIsIt)), "{whose:?}");
    }

    #[test]
    fn a_bare_pin_must_be_alone() {
        assert!(PinSource::parse(b"123456\n").is_ok());
        assert!(matches!(PinSource::parse(b"123456\n654321\n"), Err(PinSourceError::WhoseIsIt)));
        assert!(matches!(PinSource::parse(b"1 pin 12345\n"), Err(PinSourceError::Format { line: 1, .. })));
        assert!(matches!(PinSource::parse(b"x pin 123456\n"), Err(PinSourceError::Line(1))));
    }
}
