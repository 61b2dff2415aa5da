//! The person: asked for a PIN, told to touch, asked to confirm. May answer "nobody to ask".

use crate::attestation::Serial;
use crate::device::Tries;
use crate::secret::{Fido2Pin, Pin};

/// Nobody answered: no terminal, end of input, or the person gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// No terminal and no descriptor to ask on.
    #[error("there is nobody to ask")]
    NobodyToAsk,
    /// The person pressed the interrupt key, or input ended.
    #[error("cancelled")]
    Cancelled,
}

/// Which secret of the key is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// The present PIN.
    Pin,
    /// A PIN to set; asked twice.
    NewPin,
    /// The present PUK.
    Puk,
    /// A PUK to set; asked twice.
    NewPuk,
}

/// How a flow speaks with the person. A flow never sends a PIN that did not come from here.
pub trait Operator {
    /// Asks for a PIN or PUK of that key. `tries` is shown first.
    fn pin(&mut self, ask: Ask, serial: Serial, tries: Option<Tries>) -> Result<Pin, Unanswered>;
    /// Asks for the present FIDO2 PIN of that key, of which `left` tries are left, which is shown first. Each that is
    /// typed is for one use: a wrong one is asked for again, never sent again.
    fn fido2_pin(&mut self, serial: Serial, left: u8) -> Result<Fido2Pin, Unanswered>;
    /// Asks for a FIDO2 PIN to set, of at least `least` characters; asked twice. Nobody answers, unless an operator knows
    /// how to ask.
    fn new_fido2_pin(&mut self, _serial: Serial, _least: u8) -> Result<Fido2Pin, Unanswered> {
        Err(Unanswered::NobodyToAsk)
    }
    /// Says that a touch is needed now, and what for; called directly before the command that waits for it.
    fn touch(&mut self, serial: Serial, purpose: &str);
    /// Shows `text` and asks for exactly `word`; `false` if something else was typed.
    fn confirm(&mut self, text: &str, word: &str) -> Result<bool, Unanswered>;
    /// Waits until the person has changed what is plugged in; `text` says which key is wanted.
    fn swap(&mut self, text: &str) -> Result<(), Unanswered>;
    /// One line of progress.
    fn progress(&mut self, text: &str);
}
