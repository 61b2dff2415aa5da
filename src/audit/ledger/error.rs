//! Why a ledger cannot be read or written.

/// Why a ledger cannot be read or written. Names the ledger, never with a password.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Made by a newer version.
    #[error(
        "the ledger {ledger} has format {found}; this program reads up to {newest}: a newer breakglass-audit is needed"
    )]
    Newer {
        /// Which.
        ledger: String,
        /// Its format.
        found: u32,
        /// The newest that is known here.
        newest: u32,
    },
    /// There is none, and this was not to make one.
    #[error("there is no ledger {ledger}")]
    Missing {
        /// Which.
        ledger: String,
    },
    /// A file or a database of something else.
    #[error("{ledger} is no ledger: {text}")]
    NotALedger {
        /// Which.
        ledger: String,
        /// What it is.
        text: String,
    },
    /// Somebody else was writing all the time.
    #[error("the ledger {ledger} is in use by another program")]
    Busy {
        /// Which.
        ledger: String,
    },
    /// The server was not reached, or was lost.
    #[error("the ledger {ledger} cannot be reached: {text}")]
    Unreachable {
        /// Which.
        ledger: String,
        /// What happened.
        text: String,
    },
    /// The engine says no.
    #[error("the ledger {ledger}: {text}")]
    Engine {
        /// Which.
        ledger: String,
        /// What the engine says.
        text: String,
    },
    /// Its file was taken away, or another put in its place, while it was open.
    #[error("the file of the ledger {ledger} was taken away or replaced while it was in use")]
    Moved {
        /// Which.
        ledger: String,
    },
    /// It may only be read here, and as it is it cannot be.
    #[error("the ledger {ledger} cannot be read where nothing may be written: {text}")]
    ReadOnly {
        /// Which.
        ledger: String,
        /// Why not.
        text: String,
    },
    /// Bytes in it are not what was put there.
    #[error("the ledger {ledger} was changed: {text}")]
    Changed {
        /// Which.
        ledger: String,
        /// Where.
        text: String,
    },
}
