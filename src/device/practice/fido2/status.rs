//! Status bytes of CTAP 2.1 (section 8.2), as far as the simulated key answers them.

use std::fmt;

/// Why a CTAP request was refused.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CtapStatus(pub u8);

impl CtapStatus {
    /// No such command: the key has no FIDO2.
    pub const COMMAND: CtapStatus = CtapStatus(0x01);
    /// More salts than there can be.
    pub const LENGTH: CtapStatus = CtapStatus(0x03);
    /// Another program is speaking with it.
    pub const BUSY: CtapStatus = CtapStatus(0x06);
    /// No such credential, or none that may be used without the PIN.
    pub const NO_CREDENTIALS: CtapStatus = CtapStatus(0x2E);
    /// Nobody touched it.
    pub const TOUCH_TIMEOUT: CtapStatus = CtapStatus(0x2F);
    /// Wrong PIN.
    pub const PIN_INVALID: CtapStatus = CtapStatus(0x31);
    /// No try is left.
    pub const PIN_BLOCKED: CtapStatus = CtapStatus(0x32);
    /// Authenticated wrongly; setPIN says so where a PIN is set.
    pub const PIN_AUTH_INVALID: CtapStatus = CtapStatus(0x33);
    /// Three wrong PINs since it was plugged in.
    pub const PIN_AUTH_BLOCKED: CtapStatus = CtapStatus(0x34);
    /// No PIN is set.
    pub const PIN_NOT_SET: CtapStatus = CtapStatus(0x35);
    /// A PIN is set and was not given.
    pub const PIN_REQUIRED: CtapStatus = CtapStatus(0x36);
    /// A new PIN that the key does not take.
    pub const PIN_POLICY: CtapStatus = CtapStatus(0x37);
}

impl fmt::Debug for CtapStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CTAP status {:#04X}", self.0)
    }
}
