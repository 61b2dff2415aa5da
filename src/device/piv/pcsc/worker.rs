//! The thread that owns one connection to one card.

use std::ffi::CStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender};

use ::pcsc::{
    Attribute, Card, Context, Disposition, Error, MAX_BUFFER_SIZE_EXTENDED, Protocols, Scope, ShareMode,
};
use zeroize::{Zeroize, Zeroizing};

use crate::device::fido2::port::UsbDevice;

/// What the thread is asked to do. It ends when nobody is left who could ask.
pub(super) enum Order {
    /// Send this command APDU.
    Transmit(Zeroizing<Vec<u8>>),
    /// End the transaction so that another connection of ours can work on the card, then say so.
    Share(Sender<()>),
    /// Say what the driver tells of the reader's channel.
    Channel(Sender<Option<UsbDevice>>),
}

/// How far the thread has come.
pub(super) enum Opened {
    /// The card is powered.
    Connected,
    /// Commands are served: in a transaction, unless another handle of ours needs the card.
    Ready {
        /// Whether extended length may be used: USB carries it, contactless readers may not.
        extended: bool,
    },
}

pub(super) type Answers = Sender<Result<Zeroizing<Vec<u8>>, Error>>;

/// Serves one connection, through this context if it is given one. `beside` counts the other handles of ours that work on cards: while there is one, the card
/// is shared with it and not reset at the end.
pub(super) fn serve(
    context: Option<Context>,
    reader: &CStr,
    beside: &AtomicUsize,
    opened: &Sender<Result<Opened, Error>>,
    orders: &Receiver<Order>,
    answers: &Answers,
) {
    let mut card = match connect(context, reader) {
        Ok(card) => {
            let _ = opened.send(Ok(Opened::Connected));
            card
        }
        Err(error) => {
            let _ = opened.send(Err(error));
            return;
        }
    };
    let mut work = Work { buffer: Zeroizing::new(vec![0; MAX_BUFFER_SIZE_EXTENDED]), changed: false, beside };
    if work.alone(&mut card, opened, orders, answers) {
        while let Some(shared) = work.until_shared(&card, orders, answers) {
            let _ = shared.send(());
        }
    }
    // A failure means that the card is gone, and its state with it.
    let _ = card.disconnect(work.disposition());
}

fn connect(context: Option<Context>, reader: &CStr) -> Result<Card, Error> {
    let context = context.map_or_else(|| Context::establish(Scope::User), Ok)?;
    context.connect(reader, ShareMode::Shared, Protocols::T1)
}

/// The interface bytes of T0 are all there on a YubiKey's USB side, and none of them over NFC (ykman tells the two
/// apart in the same way). Asked inside the transaction: pcsc-lite lets the question wait for that of another program.
fn ready(card: &Card) -> Result<Opened, Error> {
    let status = card.status2_owned()?;
    Ok(Opened::Ready { extended: status.atr().get(1).is_some_and(|t0| t0 & 0xF0 == 0xF0) })
}

struct Work<'a> {
    buffer: Zeroizing<Vec<u8>>,
    /// PIN or management state may be left on the card.
    changed: bool,
    beside: &'a AtomicUsize,
}

impl Work<'_> {
    /// Transmits in one transaction; whether to go on without one.
    fn alone(
        &mut self,
        card: &mut Card,
        opened: &Sender<Result<Opened, Error>>,
        orders: &Receiver<Order>,
        answers: &Answers,
    ) -> bool {
        if self.beside.load(Ordering::SeqCst) > 0 {
            return opened.send(ready(card)).is_ok();
        }
        let transaction = match card.transaction() {
            Ok(transaction) => transaction,
            Err(error) => {
                let _ = opened.send(Err(error));
                return false;
            }
        };
        // Getting here may have taken so long that nobody waits any more; then the transaction ends at once.
        if opened.send(ready(&transaction)).is_err() {
            return false;
        }
        let shared = self.until_shared(&transaction, orders, answers);
        let disposition = if shared.is_some() { Disposition::LeaveCard } else { self.disposition() };
        // Reset inside the transaction, so that nobody meets the state in between.
        let _ = transaction.end(disposition);
        self.changed &= shared.is_some();
        shared.is_some_and(|shared| shared.send(()).is_ok())
    }

    /// Transmits until nobody asks any more, or until the card is to be shared.
    fn until_shared(
        &mut self,
        card: &Card,
        orders: &Receiver<Order>,
        answers: &Answers,
    ) -> Option<Sender<()>> {
        for order in orders {
            match order {
                Order::Transmit(command) => {
                    self.changed |= matches!(command.get(1), Some(0x20 | 0x24 | 0x2C | 0x87));
                    let sent = card.transmit(&command, &mut self.buffer);
                    let answer = sent.map(|bytes| Zeroizing::new(bytes.to_vec()));
                    let used = answer.as_ref().map_or(0, |bytes| bytes.len());
                    self.buffer[..used].zeroize();
                    if answers.send(answer).is_err() {
                        return None;
                    }
                }
                Order::Share(shared) => return Some(shared),
                Order::Channel(tell) => {
                    let channel =
                        card.get_attribute(Attribute::ChannelId, &mut [0; 16]).map(UsbDevice::of_channel);
                    let _ = tell.send(channel.ok().flatten());
                }
            }
        }
        None
    }

    fn disposition(&self) -> Disposition {
        match self.changed && self.beside.load(Ordering::SeqCst) == 0 {
            true => Disposition::ResetCard,
            false => Disposition::LeaveCard,
        }
    }
}
