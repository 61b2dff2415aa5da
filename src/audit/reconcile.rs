//! What the platforms themselves say: logins of break-glass accounts, held against the openings on record. A login that no
//! opening accounts for is the one trace of a secret that left its kit.
//!
//! Two halves that know nothing of each other: [`read`] finds logins in foreign logs, and [`findings`] compares logins
//! with openings. [`Accounts`] says between them which account belongs to which credential. `doc/reconcile.md` describes
//! all three.

mod accounts;
mod auth;
mod clock;
mod covered;
mod entra;
mod journal;
mod matching;
mod minted;
mod nginx;
mod postgres;
mod reading;
mod split;
mod syslog;
mod table;
mod trace;
mod windows;

pub use accounts::{Account, Accounts, AccountsError};
pub use clock::{Clock, ZoneError, zone};
pub use covered::NotCovered;
pub use matching::{SPAN, Slack, TOLERANCE, findings, findings_with, unlogged};
pub(in crate::audit) use minted::sorted;
pub use minted::{Issue, Judged, Known, MintedLogin, OF_MINTED};
pub use reading::{Format, MOST_UNREADABLE, Settings, Sighting, Stretch, Summary, Unreadable, read, read_of};
pub use split::PIECE_CAP;
pub use table::{Mapping, MappingError};
pub use trace::{MINTED, Trace};
