//! The card interface (CCID 1.1): messages of the reader's driver become APDUs for a virtual YubiKey
//! (`examples/virtual_yubikey`), which connects here as it does to vpcd: two bytes of length, then an APDU or one byte
//! about power.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::descriptors::CARD;
use crate::usb::Device;

const POWER_OFF: u8 = 0;
const POWER_ON: u8 = 1;
const ASK_ATR: u8 = 4;

const ICC_POWER_ON: u8 = 0x62;
const ICC_POWER_OFF: u8 = 0x63;
const GET_SLOT_STATUS: u8 = 0x65;
const TRANSFER_BLOCK: u8 = 0x6F;
const GET_PARAMETERS: u8 = 0x6C;
const SET_PARAMETERS: u8 = 0x61;

const DATA_BLOCK: u8 = 0x80;
const SLOT_STATUS: u8 = 0x81;
const PARAMETERS: u8 = 0x82;

/// bStatus: what the card is, and how the command went.
const ACTIVE: u8 = 0;
const INACTIVE: u8 = 1;
const ABSENT: u8 = 2;
const FAILED: u8 = 0x40;
const MORE_TIME: u8 = 0x80;

const MUTE: u8 = 0xFE;
const NOT_SUPPORTED: u8 = 0;

const HEADER: usize = 10;
const LONGEST_BLOCK: usize = 3072 - HEADER;

/// How often a card that works asks for more time, well within the driver's patience.
const MORE_TIME_EVERY: Duration = Duration::from_secs(1);

/// T=1 with an IFSC of 254, as in a YubiKey's ATR.
const T1: [u8; 7] = [0x13, 0x10, 0xFE, 0x15, 0x00, 0xFE, 0x00];

/// The card's end: a port of the loopback interface, and the virtual YubiKey that connected to it last.
pub(crate) struct Card {
    link: Arc<Mutex<Option<TcpStream>>>,
}

/// A message from the driver.
struct Message {
    kind: u8,
    sequence: u8,
    level: u16,
    data: Vec<u8>,
}

impl Card {
    pub(crate) fn listen(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let link = Arc::new(Mutex::new(None));
        let newest = Arc::clone(&link);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let _ = stream.set_nodelay(true); // it is only slower without
                *newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
            }
        });
        Ok(Card { link })
    }

    /// Answers the driver until the device is unplugged, which ends `written`.
    pub(crate) fn serve(&self, device: &Device, written: &Receiver<Vec<u8>>) {
        let mut powered = false;
        let mut rest: Vec<u8> = Vec::new(); // of an answer that is longer than one message
        let mut bytes: Vec<u8> = Vec::new();
        for piece in written {
            bytes.extend(piece);
            let Some(message) = Message::take(&mut bytes) else { continue };
            let state = match (self.link().is_some(), powered) {
                (false, _) => ABSENT,
                (true, false) => INACTIVE,
                (true, true) => ACTIVE,
            };
            let answer = match message.kind {
                ICC_POWER_ON => {
                    let atr = self.power(POWER_ON).and_then(|()| self.ask(&[ASK_ATR]));
                    powered = atr.is_some();
                    block(&message, atr, 0)
                }
                ICC_POWER_OFF => {
                    self.power(POWER_OFF);
                    powered = false;
                    frame(SLOT_STATUS, &message, [INACTIVE, 0, 1], &[])
                }
                GET_SLOT_STATUS => frame(SLOT_STATUS, &message, [state, 0, 0], &[]),
                GET_PARAMETERS | SET_PARAMETERS => frame(PARAMETERS, &message, [state, 0, 1], &T1),
                TRANSFER_BLOCK => {
                    const GO_ON: u16 = 0x10;
                    let first = message.level != GO_ON;
                    let answer = if first {
                        more_time_while(device, &message, || self.ask(&message.data))
                    } else {
                        Some(std::mem::take(&mut rest))
                    };
                    powered &= answer.is_some();
                    let answer = answer.map(|mut answer| {
                        rest = answer.split_off(answer.len().min(LONGEST_BLOCK));
                        answer
                    });
                    let chain = match (first, rest.is_empty()) {
                        (true, true) => 0,
                        (true, false) => 1,
                        (false, true) => 2,
                        (false, false) => 3,
                    };
                    block(&message, answer, chain)
                }
                _ => frame(SLOT_STATUS, &message, [FAILED | state, NOT_SUPPORTED, 0], &[]),
            };
            if device.give(CARD, answer).is_err() {
                return;
            }
        }
        self.power(POWER_OFF); // out of the port, and nobody there is as good as off
    }

    fn link(&self) -> MutexGuard<'_, Option<TcpStream>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn power(&self, order: u8) -> Option<()> {
        self.link().as_mut()?.write_all(&[0, 1, order]).ok()
    }

    /// What the card answers; `None`, and no card any more, if it does not.
    fn ask(&self, what: &[u8]) -> Option<Vec<u8>> {
        let talk = |stream: &mut TcpStream| -> io::Result<Vec<u8>> {
            let length = u16::try_from(what.len()).map_err(io::Error::other)?;
            stream.write_all(&[&length.to_be_bytes()[..], what].concat())?;
            let mut length = [0; 2];
            stream.read_exact(&mut length)?;
            let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut answer)?;
            Ok(answer)
        };
        let mut stream = self.link().as_ref()?.try_clone().ok()?;
        let answer = talk(&mut stream).ok();
        if answer.is_none() {
            *self.link() = None;
        }
        answer
    }
}

impl Message {
    /// The first whole message, out of what came.
    fn take(bytes: &mut Vec<u8>) -> Option<Self> {
        let header: [u8; HEADER] = *bytes.first_chunk()?;
        let length =
            usize::try_from(u32::from_le_bytes([header[1], header[2], header[3], header[4]])).ok()?;
        if bytes.len() < HEADER + length {
            return None;
        }
        let data = bytes.drain(..HEADER + length).skip(HEADER).collect();
        Some(Message {
            kind: header[0],
            sequence: header[6],
            level: u16::from_le_bytes([header[8], header[9]]),
            data,
        })
    }
}

fn frame(kind: u8, to: &Message, status: [u8; 3], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).expect("short").to_le_bytes();
    [&[kind], &length[..], &[0, to.sequence], &status[..], data].concat()
}

fn block(to: &Message, answer: Option<Vec<u8>>, chain: u8) -> Vec<u8> {
    match answer {
        Some(answer) => frame(DATA_BLOCK, to, [ACTIVE, 0, chain], &answer),
        None => frame(DATA_BLOCK, to, [FAILED | ABSENT, MUTE, 0], &[]),
    }
}

/// Asks the driver for more time while `work` goes on: a card that waits for a touch.
fn more_time_while<T>(device: &Device, message: &Message, work: impl FnOnce() -> T) -> T {
    let (done, is_done): (Sender<()>, Receiver<()>) = mpsc::channel();
    std::thread::scope(|threads| {
        threads.spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = is_done.recv_timeout(MORE_TIME_EVERY) {
                let _ = device.give(CARD, frame(DATA_BLOCK, message, [MORE_TIME, 1, 0], &[])); // it may be out
            }
        });
        let outcome = work();
        drop(done);
        outcome
    })
}
