//! The ledger: every record of every kit that the auditor was given, as bytes, with what was found when it came in. Two
//! engines behind one trait, the same behaviour in both. `doc/ledger.md` tells what is where.

mod error;
pub mod postgres;
mod rows;
pub mod sqlite;

use std::path::Path;
use std::time::Duration;

use p256::ecdsa::VerifyingKey;

use crate::attestation::Serial;
use crate::record::hash::{Hash, KeyId};
use crate::record::token::Record;

/// Whether a record's signature is that of the key it names. The key is known from its enrolment, or was pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// It verifies.
    Good,
    /// It does not.
    Bad,
    /// The key is not known yet: its enrolment has not come in.
    Unknown,
}

impl From<bool> for Signature {
    /// Whether it verifies with the key, which is known.
    fn from(good: bool) -> Self {
        if good { Signature::Good } else { Signature::Bad }
    }
}

/// One record as the ledger holds it.
#[derive(Debug, Clone)]
pub struct Held {
    /// Its bytes, parsed.
    pub record: Record,
    /// What was found of its signature.
    pub signature: Signature,
    /// When the ledger first held it, Unix seconds by the auditor's clock.
    pub received: i64,
}

/// A line that is no record: its bytes are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// What was being imported.
    pub source: String,
    /// Which line of it, from 1.
    pub line: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Why it is none.
    pub why: String,
    /// A record of a newer version, not a damaged one.
    pub unknown_event: bool,
    /// When it came in.
    pub received: i64,
}

/// How a bundle ended, by its end alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BundleEnd {
    /// With a signed export that fits what is before it.
    Whole,
    /// With a signed export of other lines.
    Other,
    /// In the middle of a line.
    Cut,
    /// With anything else: lines may have been cut off. Where [`Imported::export`] is given all the same, the records were
    /// photographed one by one, and that one counts more than there are: some were missed.
    Open,
}

/// One import that was carried to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// What was imported: a path, `-`, or the name of a station that pushed it.
    pub source: String,
    /// When it ended, by the auditor's clock.
    pub at: i64,
    /// Lines read.
    pub read: u64,
    /// Records stored.
    pub stored: u64,
    /// Records that were there already.
    pub known: u64,
    /// Lines set aside.
    pub set_aside: u64,
    /// Of the records read, those whose signature is not that of the key they name.
    pub bad: u64,
    /// Of the records read, those whose key nothing has made known yet.
    pub unverified: u64,
    /// How it ended, where it is a bundle.
    pub end: Option<BundleEnd>,
    /// The record that ends it, if one does.
    pub export: Option<Hash>,
}

/// Why the auditor trusts a kit to be what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The kit words were compared with what is printed on the bags: the founding record is the right one.
    Words,
    /// These keys were given from elsewhere (a pinned JWKS).
    Pinned(Vec<KeyId>),
}

/// A kit that the ledger has records of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KitRow {
    /// Kit id.
    pub kit: Hash,
    /// Records of chains that name it.
    pub records: u64,
    /// Trust, if it was set, and when.
    pub trust: Option<(Trust, i64)>,
    /// DER of the private attestation root that the auditor gave for it.
    pub attestation_root: Option<Vec<u8>>,
}

/// A login that a platform reports of one of its accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Which log: a name that the auditor gave, or its path.
    pub log: String,
    /// `platform/account` of the credential it belongs to; or what the log shows of a minted one, as
    /// [`Trace`](super::reconcile::Trace) writes it.
    pub credential: String,
    /// When, Unix seconds, by the platform's clock.
    pub at: i64,
    /// From where, as the platform tells it.
    pub from: Option<String>,
    /// Whether the platform let it in.
    pub success: bool,
    /// The log's own line or object, shortened to 1,024 bytes, for people.
    pub raw: String,
}

/// What a log covers, so that what it does not say means something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogCover {
    /// Which log.
    pub log: String,
    /// The credential whose account it would show; `mint:` and a kind where it would show minted ones.
    pub credential: String,
    /// Time of the first and of the last line that was read.
    pub from_to: (i64, i64),
    /// SHA-256 of what was read.
    pub hash: Hash,
}

/// What the ledger was asked to select.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Every record.
    All,
    /// Those that change what the kit is ([`Event::changes_the_kit`](crate::record::event::Event::changes_the_kit)), without
    /// `open.asserted`, of which there is one per opening: few, whatever the kit has been through.
    Governance,
}

/// Reading: all that rules, reports and exports need.
pub trait Evidence {
    /// Every kit that some record names, by id.
    fn kits(&mut self) -> Result<Vec<KitRow>, LedgerError>;

    /// The records of every chain that belongs to that kit, or claims to: by chain name, then key, then place, then hash. A
    /// fork shows as two records with one place. A chain is given whole where a good signature says that it belongs; where
    /// only records with other signatures say so, those records alone are given, and those that name no kit.
    /// Streams: holds a few records at a time. Ends early where `each` says so.
    fn records(
        &mut self,
        kit: &Hash,
        which: Which,
        each: &mut dyn FnMut(Held) -> std::ops::ControlFlow<()>,
    ) -> Result<(), LedgerError>;

    /// The public key with that id, if an enrolment or a pinned set made it known.
    fn key(&mut self, kid: &KeyId) -> Result<Option<VerifyingKey>, LedgerError>;

    /// Records of keys that no kit is known for: serial, key, how many.
    fn homeless(&mut self) -> Result<Vec<(Serial, KeyId, u64)>, LedgerError>;

    /// Lines that are no records, the newest first, at most so many; and how many there are.
    fn set_aside(&mut self, most: usize) -> Result<(Vec<SetAside>, u64), LedgerError>;

    /// The same, only those of a newer version, or only the others.
    fn set_aside_as(&mut self, newer: bool, most: usize) -> Result<(Vec<SetAside>, u64), LedgerError>;

    /// Every import, the oldest first.
    fn imports(&mut self) -> Result<Vec<Imported>, LedgerError>;

    /// The bytes of a policy that was imported, by their SHA-256.
    fn policy(&mut self, hash: &Hash) -> Result<Option<Vec<u8>>, LedgerError>;

    /// Logins of accounts whose credentials that kit holds, the oldest first; and what the logs cover.
    fn logins(&mut self, kit: &Hash) -> Result<(Vec<Login>, Vec<LogCover>), LedgerError>;

    /// Logins with minted credentials, whichever kit they are of, the oldest first; and what the logs cover.
    fn minted_logins(&mut self) -> Result<(Vec<Login>, Vec<LogCover>), LedgerError>;

    /// The time of the ledger's checkpoint with that hash (SHA-256 of its text), if this ledger made it.
    fn checkpoint_time(&mut self, hash: &Hash) -> Result<Option<i64>, LedgerError>;
}

pub use error::LedgerError;
pub use postgres::shown;

/// How long a call waits for others who are writing, where nobody says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Opens the ledger of that name, a path or `postgres://…`; makes it if it is not there.
///
/// # Errors
/// Every variant of [`LedgerError`] but [`LedgerError::Missing`].
pub fn open(name: &str) -> Result<Box<dyn Ledger>, LedgerError> {
    open_waiting(name, PATIENCE)
}

/// The same, and waits no longer than that for others.
///
/// # Errors
/// As [`open`].
pub fn open_waiting(name: &str, patience: Duration) -> Result<Box<dyn Ledger>, LedgerError> {
    Ok(match postgres::is_url(name) {
        true => Box::new(postgres::Postgres::open(name, patience)?),
        false => Box::new(sqlite::Sqlite::open(Path::new(name), patience)?),
    })
}

/// Opens a ledger that must be there. One in a file that may not be written is opened to read alone.
///
/// # Errors
/// Every variant of [`LedgerError`].
pub fn open_existing(name: &str) -> Result<Box<dyn Ledger>, LedgerError> {
    let path = Path::new(name);
    match postgres::is_url(name) {
        true => open(name),
        false if !path.exists() => Err(LedgerError::Missing { ledger: name.into() }),
        false => Ok(Box::new(sqlite::Sqlite::open_existing(path, PATIENCE)?)),
    }
}

/// What became of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// A record that the ledger did not hold.
    Stored(Signature),
    /// A record that it holds already.
    Known(Signature),
    /// No record: kept aside with its bytes.
    SetAside,
}

/// Writing. Each call is one transaction: durable when it returns, nothing of it done when it fails.
pub trait Ledger: Evidence + Send {
    /// Puts records in, once each, told apart by the SHA-256 of their bytes. An enrolment makes its key known, and the
    /// records of that key that came before it are verified then. Of each record, in the order given, whether it was new,
    /// and its signature: what was [`Signature::Unknown`] is verified here if the key is known by now.
    fn store(&mut self, records: &[(Record, Signature)], received: i64) -> Result<Vec<Fate>, LedgerError>;

    /// Makes keys known that were given from elsewhere. Records of theirs that came before are verified now.
    fn put_keys(&mut self, keys: &[VerifyingKey]) -> Result<(), LedgerError>;

    /// Keeps lines that are no records, once each, told apart by source, line and bytes.
    fn put_aside(&mut self, lines: &[SetAside]) -> Result<(), LedgerError>;

    /// Notes an import that was carried to its end.
    fn imported(&mut self, import: &Imported) -> Result<(), LedgerError>;

    /// Keeps a policy's bytes under their SHA-256.
    fn put_policy(&mut self, bytes: &[u8]) -> Result<Hash, LedgerError>;

    /// Says why a kit is trusted, and which private attestation root is its own (DER).
    fn put_trust(
        &mut self,
        kit: &Hash,
        trust: &Trust,
        root: Option<&[u8]>,
        at: i64,
    ) -> Result<(), LedgerError>;

    /// Keeps what a log says, once each.
    fn put_logins(&mut self, logins: &[Login], covers: &[LogCover]) -> Result<(), LedgerError>;

    /// Hashes of the records that arrived as number `from` (from 0) up to before `to`: a dense order that never changes.
    fn arrivals(&mut self, from: u64, to: u64) -> Result<Vec<Hash>, LedgerError>;

    /// How many records have arrived.
    fn size(&mut self) -> Result<u64, LedgerError>;

    /// Keeps a checkpoint's text, over so many arrivals.
    fn put_checkpoint(&mut self, text: &str, size: u64, at: i64) -> Result<(), LedgerError>;

    /// The text of the newest checkpoint.
    fn newest_checkpoint(&mut self) -> Result<Option<String>, LedgerError>;
}
