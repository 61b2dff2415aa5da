//! vpcd's protocol: a two-byte length, then one control byte or a command APDU; the card answers APDUs and the request
//! for its ATR in the same frame.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::os::linux::net::TcpStreamExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use breakglass::device::piv::{Card, CardError};
use breakglass::device::practice::{PracticeCard, PracticeKey};
use zeroize::Zeroizing;

/// How often a key that is out, or whose reader does not listen yet, looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Control bytes of vpcd.
const OFF: u8 = 0;
const ON: u8 = 1;
const RESET: u8 = 2;
const ATR: u8 = 4;

/// As which kind of card it answers to reset. ykman reads the transport from it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Atr {
    /// A YubiKey 5 on USB.
    Usb,
    /// A YubiKey 5 on an NFC reader.
    Nfc,
}

impl Atr {
    fn bytes(self) -> &'static [u8] {
        match self {
            Atr::Usb => b"\x3B\xFD\x13\x00\x00\x81\x31\xFE\x15\x80\x73\xC0\x21\xC0\x57\x59\x75\x62\x69\x4B\x65\x79\x40",
            Atr::Nfc => b"\x3B\x8D\x80\x01\x80\x73\xC0\x21\xC0\x57\x59\x75\x62\x69\x4B\x65\x79\xF9",
        }
    }
}

impl std::str::FromStr for Atr {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "usb" => Ok(Atr::Usb),
            "nfc" => Ok(Atr::Nfc),
            _ => Err(format!("{text} is neither usb nor nfc")),
        }
    }
}

/// A key, its reader, and what is known of their connection.
#[derive(Clone)]
pub(crate) struct Slot {
    pub(crate) key: PracticeKey,
    port: u16,
    atr: Atr,
    line: Arc<Mutex<Line>>,
}

#[derive(Default)]
struct Line {
    stream: Option<TcpStream>,
    heard: Vec<[u8; 4]>,
    busy: Duration,
}

impl Slot {
    pub(crate) fn new(key: PracticeKey, port: u16, atr: Atr) -> Self {
        Slot { key, port, atr, line: Arc::default() }
    }

    /// Keeps the key connected to its reader while it is plugged in.
    pub(crate) fn serve(&self) {
        loop {
            if self.key.plugged_in().unwrap_or(false)
                && let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
            {
                // However the conversation ended, the key is out of its reader now, or comes in again.
                let _ = self.converse(stream);
                self.line().stream = None;
            }
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// Headers (CLA INS P1 P2) of the commands heard since they were taken last.
    pub(crate) fn take_heard(&self) -> Vec<[u8; 4]> {
        std::mem::take(&mut self.line().heard)
    }

    /// How long commands took inside the key since this was asked last: from a whole command to the answer on its way.
    pub(crate) fn take_busy(&self) -> Duration {
        std::mem::take(&mut self.line().busy)
    }

    /// Breaks the line, as when the key leaves the reader.
    pub(crate) fn hang_up(&self) {
        if let Some(stream) = &self.line().stream {
            // It may be broken already, which is what is wanted.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn converse(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        self.line().stream = Some(stream.try_clone()?);
        let mut card = self.key.card();
        loop {
            match &frame(&mut stream)?[..] {
                [OFF | ON | RESET] => {
                    let begin = Instant::now();
                    card.reset().map_err(|error| io::Error::other(format!("{error:?}")))?;
                    self.line().busy += begin.elapsed();
                }
                [ATR] => answer(&mut stream, self.atr.bytes())?,
                [_] => {}
                command => {
                    let begin = Instant::now();
                    let sent = self.transmit(&mut card, command, &mut stream);
                    self.line().busy += begin.elapsed();
                    sent?;
                }
            }
        }
    }

    fn transmit(&self, card: &mut PracticeCard, command: &[u8], stream: &mut TcpStream) -> io::Result<()> {
        if let Some(&header) = command.first_chunk() {
            self.line().heard.push(header);
        }
        let mut bytes = Zeroizing::new(Vec::new());
        match card.transmit(command, &mut bytes) {
            Ok(()) => answer(stream, &bytes),
            // A card that never answers: the reader goes on waiting.
            Err(CardError::TimedOut(_)) => Ok(()),
            Err(error) => Err(io::Error::other(format!("{error:?}"))),
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One frame from the reader. vpcd sends length and content apart, so that without an acknowledgement at once each
/// command would wait 40 ms for the delayed one; the kernel forgets the wish after every read.
fn frame(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.set_quickack(true)?;
    stream.read_exact(&mut length)?;
    let mut content = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.set_quickack(true)?;
    stream.read_exact(&mut content)?;
    stream.set_quickack(true)?;
    Ok(content)
}

fn answer(stream: &mut TcpStream, content: &[u8]) -> io::Result<()> {
    let length = u16::try_from(content.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], content].concat())
}
