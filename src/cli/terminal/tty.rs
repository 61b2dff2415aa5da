//! The controlling terminal: questions, PINs that are not echoed, keys read one at a time.

use std::fs::File;
use std::io::{Read, Write};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};
use zeroize::Zeroizing;

use crate::operator::Unanswered;

/// Longest hidden line: a touch types 44 characters of one-time password, a secret may be longer.
const LONGEST: usize = 4096;

const INTERRUPT: u8 = 3;
const END: u8 = 4;
const BACKSPACE: u8 = 8;
const KILL_LINE: u8 = 21;
const DELETE: u8 = 127;

/// `/dev/tty`.
#[derive(Debug)]
pub(crate) struct Tty {
    file: File,
}

impl Tty {
    /// The controlling terminal, if the process has one.
    pub(crate) fn open() -> Option<Self> {
        let file = File::options().read(true).write(true).open("/dev/tty").ok()?;
        Some(Tty { file })
    }

    /// Writes text as it is.
    pub(crate) fn write(&mut self, text: &str) -> std::io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        self.file.flush()
    }

    /// Asks and reads a line that is echoed.
    pub(crate) fn line(&mut self, question: &str) -> Result<String, Unanswered> {
        self.write(question).map_err(|_| Unanswered::NobodyToAsk)?;
        let mut line = Vec::new();
        let mut byte = [0];
        loop {
            match self.file.read(&mut byte) {
                Ok(1) if byte[0] == b'\n' => break,
                Ok(1) if line.len() < LONGEST => line.push(byte[0]),
                Ok(1) => {}
                _ => return Err(Unanswered::Cancelled),
            }
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    /// Asks and reads a line that is not echoed, with a star for each character.
    pub(crate) fn hidden(&mut self, question: &str) -> Result<Zeroizing<Vec<u8>>, Unanswered> {
        let mut raw = self.raw().ok_or(Unanswered::NobodyToAsk)?;
        raw.write(question);
        // Never grown, so that no copy stays behind in memory that was let go.
        let mut typed = Zeroizing::new(Vec::with_capacity(LONGEST));
        loop {
            match raw.key(None) {
                Some(b'\r' | b'\n') => break,
                Some(INTERRUPT | END) | None => {
                    raw.write("\r\n");
                    return Err(Unanswered::Cancelled);
                }
                Some(BACKSPACE | DELETE) => {
                    if typed.pop().is_some() {
                        raw.write("\x08 \x08");
                    }
                }
                Some(KILL_LINE) => {
                    raw.write(&"\x08 \x08".repeat(typed.len()));
                    typed.clear();
                }
                Some(byte) if typed.len() < LONGEST => {
                    typed.push(byte);
                    raw.write("*");
                }
                Some(_) => {}
            }
        }
        raw.write("\r\n");
        Ok(typed)
    }

    /// How many lines it shows; `None` if it does not say.
    pub(crate) fn lines(&self) -> Option<usize> {
        tcgetwinsize(&self.file).ok().map(|size| size.ws_row.into()).filter(|lines| *lines > 0)
    }

    /// Single keys without echo until the guard is dropped.
    pub(crate) fn raw(&mut self) -> Option<Raw<'_>> {
        let before = tcgetattr(&self.file).ok()?;
        let mut modes = before.clone();
        modes.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN;
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&self.file, OptionalActions::Flush, &modes).ok()?;
        Some(Raw { tty: self, before })
    }
}

/// The terminal while it hands over single keys. Restored when dropped.
pub(crate) struct Raw<'t> {
    tty: &'t mut Tty,
    before: Termios,
}

impl Raw<'_> {
    /// Writes text as it is; a terminal that went away shows nothing.
    pub(crate) fn write(&mut self, text: &str) {
        let _ = self.tty.write(text);
    }

    /// The next key, or `None` at the end of input or after the time.
    pub(crate) fn key(&mut self, within: Option<Duration>) -> Option<u8> {
        if let Some(within) = within {
            let timeout = Timespec {
                tv_sec: i64::try_from(within.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: within.subsec_nanos().into(),
            };
            let mut fds = [PollFd::new(&self.tty.file, PollFlags::IN)];
            if poll(&mut fds, Some(&timeout)).unwrap_or(0) == 0 {
                return None;
            }
        }
        let mut byte = [0];
        matches!(self.tty.file.read(&mut byte), Ok(1)).then_some(byte[0])
    }
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.tty.file, OptionalActions::Flush, &self.before);
    }
}
