//! The FIDO2 PIN: none from the factory, 8 tries, three wrong ones in a row until it is plugged in anew (CTAP 2.1,
//! section 6.5.5).

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{CtapStatus, Fido2};
use crate::device::practice::pin::too_simple;
use crate::device::practice::surroundings::Surroundings;
use crate::secret::Fido2Pin;

/// Tries after a right PIN.
const TRIES: u8 = 8;

/// So many wrong PINs are taken before it wants to be plugged in anew.
const IN_A_ROW: u8 = 3;

/// Least length of a PIN.
pub(super) const LEAST: u8 = 4;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PinState {
    set: Option<Hashed>,
    left: u8,
    /// Wrong ones since it was plugged in or a PIN was right. It is in the file, because a key stays plugged in from one
    /// run of the program to the next.
    wrong_in_a_row: u8,
}

/// A salted hash, so that a person's habitual PIN does not lie readable in a practice file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hashed {
    #[serde(with = "hex::serde")]
    salt: [u8; 16],
    #[serde(with = "hex::serde")]
    hash: [u8; 32],
}

impl PinState {
    pub(super) fn factory() -> Self {
        PinState { set: None, left: TRIES, wrong_in_a_row: 0 }
    }
}

impl Hashed {
    fn of(pin: &Fido2Pin, salt: [u8; 16]) -> Self {
        let hash = Sha256::new().chain_update(salt).chain_update(pin.expose_typed()).finalize();
        Hashed { salt, hash: hash.into() }
    }
}

/// That the PIN was right, for one request. A real token lasts longer; the kit gets a new one for each.
pub struct PinToken(());

impl PinToken {
    /// The token of somebody who knows the PIN.
    pub(super) fn of_another_program() -> Self {
        PinToken(())
    }
}

impl Fido2 {
    /// Option clientPin.
    pub fn pin_is_set(&self) -> bool {
        self.pin.set.is_some()
    }

    /// getPINRetries.
    pub fn pin_tries(&self) -> u8 {
        self.pin.left
    }

    /// setPIN: only where none is set. `complexity` refuses simple ones.
    pub fn set_pin(
        &mut self,
        new: &Fido2Pin,
        complexity: bool,
        around: &Surroundings,
    ) -> Result<(), CtapStatus> {
        if self.pin_is_set() {
            return Err(CtapStatus::PIN_AUTH_INVALID);
        }
        self.replace_pin(new, complexity, around)
    }

    /// changePIN. A wrong `current` spends a try.
    pub fn change_pin(
        &mut self,
        current: &Fido2Pin,
        new: &Fido2Pin,
        complexity: bool,
        around: &Surroundings,
    ) -> Result<(), CtapStatus> {
        self.check_pin(current)?;
        self.replace_pin(new, complexity, around)
    }

    /// getPinToken. A wrong PIN spends a try.
    pub fn pin_token(&mut self, pin: &Fido2Pin) -> Result<PinToken, CtapStatus> {
        self.check_pin(pin).map(|()| PinToken(()))
    }

    /// Without power it forgets how many were wrong in a row, and nothing else.
    pub(in super::super) fn power_off(&mut self) {
        self.pin.wrong_in_a_row = 0;
    }

    /// The try is spent before the comparison, and given back if it is right.
    fn check_pin(&mut self, pin: &Fido2Pin) -> Result<(), CtapStatus> {
        let state = &mut self.pin;
        let hashed = state.set.as_ref().ok_or(CtapStatus::PIN_NOT_SET)?;
        if state.left == 0 {
            return Err(CtapStatus::PIN_BLOCKED);
        }
        if state.wrong_in_a_row >= IN_A_ROW {
            return Err(CtapStatus::PIN_AUTH_BLOCKED);
        }
        if Hashed::of(pin, hashed.salt).hash == hashed.hash {
            (state.left, state.wrong_in_a_row) = (TRIES, 0);
            return Ok(());
        }
        state.left -= 1;
        state.wrong_in_a_row += 1;
        Err(match (state.left, state.wrong_in_a_row) {
            (0, _) => CtapStatus::PIN_BLOCKED,
            (_, IN_A_ROW) => CtapStatus::PIN_AUTH_BLOCKED,
            _ => CtapStatus::PIN_INVALID,
        })
    }

    fn replace_pin(
        &mut self,
        new: &Fido2Pin,
        complexity: bool,
        around: &Surroundings,
    ) -> Result<(), CtapStatus> {
        let typed = new.expose_typed();
        if typed.len() < usize::from(LEAST) || (complexity && too_simple(typed)) {
            return Err(CtapStatus::PIN_POLICY);
        }
        self.pin = PinState { set: Some(Hashed::of(new, around.bytes())), ..PinState::factory() };
        Ok(())
    }
}
