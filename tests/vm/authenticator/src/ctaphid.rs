//! CTAPHID (CTAP 2.1 section 11.2): packets to messages and back, channels, keepalives, cancelling; and the counts of
//! what came in, which tell how often a PIN was sent.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::ccid::Card;
use crate::descriptors::{CARD, FIDO, PACKET, Product};
use crate::hostile::{self, Reply};
use crate::key::{Finger, LONGEST_MESSAGE, Power};
use crate::orders::Port;
use crate::usb::Device;

const PING: u8 = 0x01;
const MSG: u8 = 0x03;
const INIT: u8 = 0x06;
const WINK: u8 = 0x08;
pub(crate) const CBOR: u8 = 0x10;
const CANCEL: u8 = 0x11;
pub(crate) const KEEPALIVE: u8 = 0x3B;
pub(crate) const ERROR: u8 = 0x3F;

const BROADCAST: u32 = 0xFFFF_FFFF;
const INVALID_COMMAND: u8 = 0x01;
const BUSY: u8 = 0x06;
const INVALID_CHANNEL: u8 = 0x0B;
const CTAP2_KEEPALIVE_CANCEL: u8 = 0x2D;

const PROCESSING: u8 = 1;
const TOUCH_NEEDED: u8 = 2;

/// How often a key that works says that it does.
pub(crate) const KEEPALIVE_EVERY: Duration = Duration::from_millis(100);

/// A message that is being put together.
struct Incoming {
    channel: u32,
    command: u8,
    length: usize,
    data: Vec<u8>,
}

/// The device and what is under way on it.
pub(crate) struct Line {
    pub(crate) device: Device,
    finger: Finger,
    incoming: Mutex<Option<Incoming>>,
    channels: Mutex<u32>,
    busy: AtomicBool,
    cancelled: AtomicBool,
    gone: AtomicBool,
}

/// Plugs the key in and works it until it is unplugged.
pub(crate) fn connect(
    port: &Port,
    product: Product,
    card: Option<&Card>,
    power: &mut Power<'_>,
) -> io::Result<()> {
    let line = Arc::new(Line {
        device: Device::plug_in(product)?,
        finger: power.finger.clone(),
        incoming: Mutex::default(),
        channels: Mutex::new(0),
        busy: AtomicBool::new(false),
        cancelled: AtomicBool::new(false),
        gone: AtomicBool::new(false),
    });
    port.is_in(&line);
    std::thread::scope(|threads| {
        let (work, to_do) = mpsc::channel();
        let (to_card, from_driver) = mpsc::channel();
        let device = &line;
        let served = threads.spawn(move || {
            let outcome = device.device.serve(|endpoint, data| match endpoint {
                FIDO => device.packet(&data, &work),
                CARD => drop(to_card.send(data)), // a key without a card listens to nobody
                _ => {}
            });
            device.gone.store(true, Ordering::Relaxed);
            outcome // and with `work` and `to_card` gone, the work below ends
        });
        let card_out = threads.spawn(move || {
            if let Some(card) = card {
                card.serve(&device.device, &from_driver);
            }
        });
        line.work(port, power, &to_do);
        let outcome = served.join().expect("the device's thread does not panic");
        card_out.join().expect("the card's thread does not panic");
        outcome
    })
}

impl Line {
    /// Whether the key was unplugged.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// Whether the key waits for a touch.
    pub(crate) fn waits_for_touch(&self) -> bool {
        self.busy.load(Ordering::Relaxed) && self.finger.waited_for.load(Ordering::Relaxed)
    }

    pub(crate) fn set_touches(&self, touches: bool) {
        self.finger.touches.store(touches, Ordering::Relaxed);
    }

    /// The time for a touch is over.
    pub(crate) fn give_up_waiting(&self) {
        self.finger.give_up();
    }

    /// Takes an answer to pieces and sends it, announcing `announced` bytes.
    pub(crate) fn send(&self, channel: u32, command: u8, data: &[u8], announced: usize) {
        let mut first = vec![0; PACKET];
        let mut rest = data;
        let mut number = 0;
        first[..4].copy_from_slice(&channel.to_be_bytes());
        first[4] = 0x80 | command;
        first[5..7].copy_from_slice(&u16::try_from(announced).unwrap_or(u16::MAX).to_be_bytes());
        let mut packet = first;
        let mut from = 7;
        loop {
            let (now, later) = rest.split_at(rest.len().min(PACKET - from));
            packet[from..from + now.len()].copy_from_slice(now);
            let _ = self.device.give(FIDO, std::mem::take(&mut packet)); // a key that is out answers nobody
            rest = later;
            if rest.is_empty() {
                return;
            }
            packet = vec![0; PACKET];
            packet[..4].copy_from_slice(&channel.to_be_bytes());
            packet[4] = number;
            number = (number + 1) & 0x7F;
            from = 5;
        }
    }

    fn error(&self, channel: u32, code: u8) {
        self.send(channel, ERROR, &[code], 1);
    }

    fn packet(&self, packet: &[u8], work: &Sender<Incoming>) {
        if packet.len() < 7 {
            return;
        }
        let channel = u32::from_be_bytes(packet[..4].try_into().expect("four bytes"));
        let mut incoming = self.incoming.lock().unwrap_or_else(PoisonError::into_inner);
        if packet[4] & 0x80 != 0 {
            let length = usize::from(u16::from_be_bytes([packet[5], packet[6]])).min(LONGEST_MESSAGE);
            *incoming =
                Some(Incoming { channel, command: packet[4] & 0x7F, length, data: packet[7..].to_vec() });
        } else {
            match incoming.as_mut().filter(|incoming| incoming.channel == channel) {
                Some(incoming) => incoming.data.extend(&packet[5..]),
                None => return, // spurious: to be ignored (section 11.2.4)
            }
        }
        if incoming.as_ref().is_some_and(|incoming| incoming.data.len() >= incoming.length) {
            let mut message = incoming.take().expect("looked at above");
            message.data.truncate(message.length);
            self.message(message, work);
        }
    }

    fn message(&self, message: Incoming, work: &Sender<Incoming>) {
        match message.command {
            INIT => {
                let mut channel = message.channel;
                if channel == BROADCAST {
                    let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
                    *channels += 1;
                    channel = 0xB6_0000 + *channels;
                }
                let mut answer = message.data;
                answer.truncate(8);
                answer.extend(channel.to_be_bytes());
                answer.extend([2, 5, 7, 4, 0x01 | 0x04]); // CTAPHID 2, firmware 5.7.4, WINK and CBOR
                self.send(message.channel, INIT, &answer, answer.len());
            }
            CANCEL => self.cancelled.store(self.busy.load(Ordering::Relaxed), Ordering::Relaxed),
            _ if message.channel == BROADCAST => self.error(message.channel, INVALID_CHANNEL),
            PING => self.send(message.channel, PING, &message.data, message.data.len()),
            WINK => self.send(message.channel, WINK, &[], 0),
            CBOR | MSG if !self.busy.swap(true, Ordering::Relaxed) => {
                let _ = work.send(message); // the key is being unplugged otherwise
            }
            CBOR | MSG => self.error(message.channel, BUSY),
            _ => self.error(message.channel, INVALID_COMMAND),
        }
    }

    /// One command after the other, until there is nobody to give one.
    fn work(&self, port: &Port, power: &mut Power<'_>, to_do: &Receiver<Incoming>) {
        for message in to_do {
            self.cancelled.store(false, Ordering::Relaxed);
            port.count(&message.data);
            let reply = port.spoil_of(&message.data);
            let mut answer = match reply {
                Some(Reply::Never | Reply::Keepalives(_) | Reply::Error(_)) => None,
                _ => {
                    self.alive_while(message.channel, || power.answer(message.command == CBOR, &message.data))
                }
            };
            if let (Some(answer), true) = (&mut answer, self.cancelled.load(Ordering::Relaxed)) {
                *answer = vec![CTAP2_KEEPALIVE_CANCEL];
            }
            if !matches!(reply, Some(Reply::Never | Reply::Keepalives(_))) {
                self.busy.store(false, Ordering::Relaxed); // whoever has the answer may ask again at once
            }
            match reply {
                Some(spoil) => hostile::reply(self, message.channel, answer.unwrap_or_default(), spoil),
                None => match answer {
                    Some(answer) => self.send(message.channel, message.command, &answer, answer.len()),
                    None => self.error(message.channel, INVALID_COMMAND),
                },
            }
        }
    }

    /// Says every 100 ms that `work` goes on, and lets it give up waiting for a touch when it was cancelled or unplugged.
    fn alive_while<T>(&self, channel: u32, work: impl FnOnce() -> T) -> T {
        let (done, is_done) = mpsc::channel::<()>();
        std::thread::scope(|threads| {
            threads.spawn(move || {
                while let Err(RecvTimeoutError::Timeout) = is_done.recv_timeout(KEEPALIVE_EVERY) {
                    let waits = self.finger.waited_for.load(Ordering::Relaxed);
                    if waits && (self.is_gone() || self.cancelled.load(Ordering::Relaxed)) {
                        self.finger.give_up();
                    }
                    let status = if waits { TOUCH_NEEDED } else { PROCESSING };
                    self.send(channel, KEEPALIVE, &[status], 1);
                }
            });
            let outcome = work();
            drop(done);
            outcome
        })
    }
}
