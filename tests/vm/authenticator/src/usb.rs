//! A USB device of the guest's kernel, by the virtual host controller of usbip (`vhci_hcd`): the kernel sends transfers
//! (URBs) over a socket, this answers them. It has all that a stick has: a parent in sysfs with vendor and product,
//! interfaces that the kernel's own drivers bind to, and unplugging. Format: Documentation/usb/usbip_protocol.rst.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};

use crate::descriptors::Product;

const ATTACH: &str = "/sys/devices/platform/vhci_hcd.0/attach";
const STATUS: &str = "/sys/devices/platform/vhci_hcd.0/status";

const SUBMIT: u32 = 1;
const UNLINK: u32 = 2;
const SUBMITTED: u32 = 3;
const UNLINKED: u32 = 4;
const HEADER: usize = 48;

/// Statuses are errno values, negative.
const STALL: i32 = -32;
const TAKEN_BACK: i32 = -104;

const FULL_SPEED: u32 = 2;
/// vhci's word for a port that nothing is plugged into.
const FREE: &str = "004";

/// A device that is plugged in. Dropping it, or [`Device::unplug`], takes it out.
pub(crate) struct Device {
    /// Its port of the virtual host controller, from 0.
    pub(crate) port: u32,
    product: Product,
    socket: UnixStream,
    bus: Mutex<Bus>,
}

/// IN transfers that wait for data, and data that waits for a transfer, for each endpoint.
#[derive(Default)]
struct Bus {
    waiting: HashMap<u8, VecDeque<(u32, usize)>>,
    ready: HashMap<u8, VecDeque<Vec<u8>>>,
}

impl Device {
    /// Plugs a device into the first free port.
    pub(crate) fn plug_in(product: Product) -> io::Result<Self> {
        let (kernel, socket) = UnixStream::pair()?;
        let status = std::fs::read_to_string(STATUS)?;
        let port = status.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            match (words.next(), words.next(), words.next()) {
                (Some("hs"), Some(port), Some(FREE)) => port.parse::<u32>().ok(),
                _ => None,
            }
        });
        let port = port.ok_or_else(|| io::Error::other("no port is free"))?;
        let request = format!("{port} {} {} {FULL_SPEED}", kernel.as_raw_fd(), 0x1_0001 + port);
        std::fs::write(ATTACH, request)?; // the kernel keeps the socket of its own
        Ok(Device { port, product, socket, bus: Mutex::default() })
    }

    /// Answers the kernel until the device is unplugged. What is written to an endpoint goes to `written`.
    pub(crate) fn serve(&self, mut written: impl FnMut(u8, Vec<u8>)) -> io::Result<()> {
        let mut header = [0; HEADER];
        loop {
            match (&self.socket).read_exact(&mut header) {
                Err(end) if end.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                outcome => outcome?,
            }
            let word = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().expect("four bytes"));
            let (command, number, to_host, endpoint) = (word(0), word(4), word(12) == 1, header[19]);
            match command {
                SUBMIT => {
                    let length = usize::try_from(word(24)).expect("64 bit");
                    let setup: [u8; 8] = header[40..48].try_into().expect("eight bytes");
                    let mut data = vec![0; if to_host { 0 } else { length }];
                    (&self.socket).read_exact(&mut data)?;
                    match (endpoint, to_host) {
                        (0, _) => self.control(number, setup, to_host, length)?,
                        (_, true) => self.wanted(endpoint, number, length)?,
                        (_, false) => {
                            self.done(number, 0, data.len(), &[])?;
                            written(endpoint, data);
                        }
                    }
                }
                UNLINK => self.unlink(number, word(20))?,
                other => return Err(io::Error::other(format!("usbip command {other}"))),
            }
        }
    }

    /// Gives the host a packet from an endpoint, now or when it next asks.
    pub(crate) fn give(&self, endpoint: u8, data: Vec<u8>) -> io::Result<()> {
        let mut bus = self.bus.lock().unwrap_or_else(PoisonError::into_inner);
        match bus.waiting.entry(endpoint).or_default().pop_front() {
            Some((number, _)) => self.done(number, 0, data.len(), &data),
            None => {
                bus.ready.entry(endpoint).or_default().push_back(data);
                Ok(())
            }
        }
    }

    /// Takes the device out of its port, whatever goes on.
    pub(crate) fn unplug(&self) {
        let _ = self.socket.shutdown(Shutdown::Both); // it may be out already
    }

    fn wanted(&self, endpoint: u8, number: u32, length: usize) -> io::Result<()> {
        let mut bus = self.bus.lock().unwrap_or_else(PoisonError::into_inner);
        match bus.ready.entry(endpoint).or_default().pop_front() {
            Some(data) => self.done(number, 0, data.len().min(length), &data[..data.len().min(length)]),
            None => {
                bus.waiting.entry(endpoint).or_default().push_back((number, length));
                Ok(())
            }
        }
    }

    fn control(&self, number: u32, setup: [u8; 8], to_host: bool, length: usize) -> io::Result<()> {
        const GET_STATUS: u8 = 0;
        const GET_DESCRIPTOR: u8 = 6;
        let value = u16::from_le_bytes([setup[2], setup[3]]);
        let index = u16::from_le_bytes([setup[4], setup[5]]);
        if !to_host {
            return self.done(number, 0, length, &[]); // configuration, interface, idle rate, keyboard lights: as you like
        }
        let answer = match (setup[0], setup[1]) {
            (0x80 | 0x81, GET_DESCRIPTOR) => self.product.descriptor(value, index),
            (0x80..=0x82, GET_STATUS) => Some(vec![0, 0]),
            _ => None,
        };
        match answer {
            Some(answer) => {
                self.done(number, 0, answer.len().min(length), &answer[..answer.len().min(length)])
            }
            None => self.done(number, STALL, 0, &[]),
        }
    }

    fn unlink(&self, number: u32, victim: u32) -> io::Result<()> {
        let mut bus = self.bus.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = false;
        for waiting in bus.waiting.values_mut() {
            let before = waiting.len();
            waiting.retain(|(waiting, _)| *waiting != victim);
            found |= waiting.len() < before;
        }
        let mut answer = [0; HEADER];
        answer[..4].copy_from_slice(&UNLINKED.to_be_bytes());
        answer[4..8].copy_from_slice(&number.to_be_bytes());
        answer[20..24].copy_from_slice(&(if found { TAKEN_BACK } else { 0 }).to_be_bytes());
        (&self.socket).write_all(&answer)
    }

    /// Tells the kernel how a transfer went. One write, so that answers of two threads do not mix.
    fn done(&self, number: u32, status: i32, length: usize, data: &[u8]) -> io::Result<()> {
        let mut answer = vec![0; HEADER];
        answer[..4].copy_from_slice(&SUBMITTED.to_be_bytes());
        answer[4..8].copy_from_slice(&number.to_be_bytes());
        answer[20..24].copy_from_slice(&status.to_be_bytes());
        answer[24..28].copy_from_slice(&u32::try_from(length).expect("short").to_be_bytes());
        answer.extend(data);
        (&self.socket).write_all(&answer)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.unplug();
    }
}
