//! The status words that a simulated key answers with (ISO 7816-4; NIST SP 800-73-4 part 2, table 2).

/// SW1 SW2 of a refused command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(pub u16);

impl Status {
    /// Done.
    pub const DONE: Status = Status(0x9000);
    /// Wrong length.
    pub const LENGTH: Status = Status(0x6700);
    /// PIN not verified, management key not authenticated, or not touched.
    pub const SECURITY: Status = Status(0x6982);
    /// No try is left.
    pub const BLOCKED: Status = Status(0x6983);
    /// Conditions of use not satisfied: RESET while not blocked, or a PIN that is too simple.
    pub const CONDITIONS: Status = Status(0x6985);
    /// Something in the data field is wrong.
    pub const DATA: Status = Status(0x6A80);
    /// No such application or object.
    pub const NOT_FOUND: Status = Status(0x6A82);
    /// No space left.
    pub const SPACE: Status = Status(0x6A84);
    /// P1 or P2 is wrong.
    pub const PARAMETERS: Status = Status(0x6A86);
    /// No such key (GET METADATA of an empty slot).
    pub const REFERENCE: Status = Status(0x6A88);
    /// Unknown instruction.
    pub const INSTRUCTION: Status = Status(0x6D00);
    /// Unknown class.
    pub const CLASS: Status = Status(0x6E00);
    /// Something inside failed.
    pub const INTERNAL: Status = Status(0x6F00);

    /// A wrong PIN or PUK, with the tries that are left (15 at most can be told).
    pub const fn wrong(left: u8) -> Status {
        Status(0x63C0 | if left > 15 { 15 } else { left as u16 })
    }
}
