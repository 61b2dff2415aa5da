//! For tests: a card that answers from a script, whatever it is asked, and notes every command.

use std::convert::Infallible;

use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Card, CardError, Session, tlv};
use crate::attestation::Serial;
use crate::device::DeviceError;
use crate::secret::Pin;

/// More commands than any call may send, also to the worst card: a caller that goes on is a test that fails.
const MOST_COMMANDS: usize = 150;

pub(super) const SERIAL: Serial = Serial(0x0123_4567);
pub(super) const NONCE: [u8; 32] = [0x4E; 32];
pub(super) const DIGEST: [u8; 32] = [0xD1; 32];

pub(super) type Step = Result<Vec<u8>, CardError>;

/// Answers with its steps in turn, then with the last for ever.
pub(super) struct Scripted {
    steps: Vec<Step>,
    next: usize,
    extended: bool,
    pub(super) asked: Vec<Vec<u8>>,
}

impl Card for Scripted {
    fn transmit(&mut self, command: &[u8], answer: &mut Zeroizing<Vec<u8>>) -> Result<(), CardError> {
        assert!(self.asked.len() < MOST_COMMANDS, "goes on for ever: {:02X?}", self.asked.last());
        self.asked.push(command.to_vec());
        answer.clear();
        let step = self.steps.get(self.next).or(self.steps.last()).expect("a script has a step").clone();
        self.next += 1;
        answer.extend_from_slice(&step?);
        Ok(())
    }

    fn extended_length(&self) -> bool {
        self.extended
    }

    fn reader(&self) -> &str {
        "scripted reader"
    }
}

impl Scripted {
    pub(super) fn new(steps: Vec<Step>) -> Self {
        Scripted { steps, next: 0, extended: true, asked: Vec::new() }
    }

    pub(super) fn with_extended_length(mut self, extended: bool) -> Self {
        self.extended = extended;
        self
    }

    /// INS of every command.
    pub(super) fn instructions(&self) -> Vec<u8> {
        self.asked.iter().map(|command| command[1]).collect()
    }
}

/// The same bytes for ever.
pub(super) struct Fixed(pub(super) u8);

impl TryRng for Fixed {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_ne_bytes([self.0; 4]))
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_ne_bytes([self.0; 8]))
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        out.fill(self.0);
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}

/// Bytes written as hex.
pub(super) fn hex(text: &str) -> Vec<u8> {
    hex::decode(text.replace(' ', "")).expect("tests write hex")
}

pub(super) fn done(data: &[u8]) -> Step {
    Ok([data, &[0x90, 0x00]].concat())
}

pub(super) fn status(word: u16) -> Step {
    Ok(word.to_be_bytes().to_vec())
}

/// What a 5.7.4 answers to connect.
pub(super) fn greeting() -> Vec<Step> {
    vec![
        done(b"Virtual mgr - FW version 5.7.4"),
        done(&hex("61114f0600001000010079074f05a000000308")),
        done(&SERIAL.0.to_be_bytes()),
        done(&[5, 7, 4]),
    ]
}

/// A connected session whose card goes on with `steps`; its commands so far are forgotten.
pub(super) fn session(steps: Vec<Step>) -> Session<Scripted> {
    session_of([5, 7, 4], true, steps)
}

pub(super) fn session_of(version: [u8; 3], extended: bool, steps: Vec<Step>) -> Session<Scripted> {
    let mut card = Scripted::new(greeting()).with_extended_length(extended);
    card.steps[3] = done(&version);
    let mut session = Session::connect(card, Box::new(Fixed(0x5A))).expect("the greeting is good");
    let card = &mut session.channel.card;
    card.asked.clear();
    card.steps = steps;
    card.next = 0;
    session
}

pub(super) fn key() -> SigningKey {
    SigningKey::from_slice(&[0x11; 32]).expect("a scalar")
}

pub(super) fn public() -> VerifyingKey {
    *key().verifying_key()
}

pub(super) fn pin() -> Pin {
    Pin::parse(b"739164").expect("a PIN")
}

pub(super) fn wrapped(value: &[u8]) -> Vec<u8> {
    tlv::write(0x7C, &tlv::write(0x82, value)).to_vec()
}

/// An answer to GENERAL AUTHENTICATE: our key's signature of `digest`.
pub(super) fn signed(digest: &[u8; 32]) -> Step {
    let signature: Signature = key().sign_prehash(digest).expect("32 bytes");
    done(&wrapped(signature.to_der().as_bytes()))
}

/// What the proof of presence is a signature of.
pub(super) fn presence_digest() -> [u8; 32] {
    Sha256::digest(NONCE).into()
}

/// The error of a call that must fail.
#[track_caller]
pub(super) fn error<T>(outcome: Result<T, DeviceError>) -> DeviceError {
    match outcome {
        Ok(_) => panic!("it was taken for an answer"),
        Err(error) => error,
    }
}
