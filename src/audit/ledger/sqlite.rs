//! The embedded ledger: one SQLite file.
//!
//! Write-ahead log, so that reports read while an import writes; `synchronous=FULL`, so that what a call has returned is
//! on the disk, whatever happens to the power. One writer at a time: others wait.

mod open;
mod read;
mod schema;
mod write;

use open::Place;

use p256::ecdsa::VerifyingKey;
use rusqlite::types::FromSqlError;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::rows::Known;
use super::{
    Evidence, Fate, Held, Imported, KitRow, Ledger, LedgerError, LogCover, Login, SetAside, Signature, Trust,
    Which,
};
use crate::attestation::Serial;
use crate::record::hash::{Hash, KeyId};
use crate::record::token::Record;

/// A ledger in an SQLite file, or in memory.
#[derive(Debug)]
pub struct Sqlite {
    db: Connection,
    name: String,
    known: Known,
    /// Where its file is; `None`: in memory.
    place: Option<Place>,
}

/// What went wrong inside, without the ledger's name.
#[derive(Debug)]
enum Fault {
    Engine(rusqlite::Error),
    Newer(u32, u32),
    NotALedger(String),
    Changed(String),
    Moved,
    ReadOnly(String),
    MayNotWrite,
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Fault::Engine(error)
    }
}

// A column of another type than we write.
impl From<FromSqlError> for Fault {
    fn from(error: FromSqlError) -> Self {
        Fault::Changed(error.to_string())
    }
}

impl Fault {
    fn is_busy(&self) -> bool {
        matches!(
            self,
            Fault::Engine(rusqlite::Error::SqliteFailure(error, _))
                if matches!(error.code, ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
        )
    }

    fn of(self, name: &str) -> LedgerError {
        let ledger = name.to_owned();
        match self {
            _ if self.is_busy() => LedgerError::Busy { ledger },
            Fault::Engine(rusqlite::Error::SqliteFailure(error, _))
                if error.code == ErrorCode::NotADatabase =>
            {
                LedgerError::NotALedger { ledger, text: "it is no SQLite database".into() }
            }
            Fault::Engine(error) => LedgerError::Engine { ledger, text: error.to_string() },
            Fault::Newer(found, newest) => LedgerError::Newer { ledger, found, newest },
            Fault::NotALedger(text) => LedgerError::NotALedger { ledger, text },
            Fault::Changed(text) => LedgerError::Changed { ledger, text },
            Fault::Moved => LedgerError::Moved { ledger },
            Fault::ReadOnly(text) => LedgerError::ReadOnly { ledger, text },
            Fault::MayNotWrite => {
                LedgerError::Engine { ledger, text: "it may only be read here, not written".into() }
            }
        }
    }
}

impl Sqlite {
    /// A ledger that is gone when it is dropped.
    ///
    /// # Panics
    /// Where there is no memory for it.
    pub fn in_memory() -> Self {
        let mut db = Connection::open_in_memory().expect("memory");
        schema::prepare(&mut db, schema::STEPS).expect("an empty database takes the schema");
        Sqlite { db, name: "in memory".into(), known: Known::default(), place: None }
    }

    /// One transaction that writes: all of it or nothing. What is written into a file that has lost its name is no success.
    fn write<T>(
        &mut self,
        work: impl FnOnce(&Connection, &mut Known) -> Result<T, Fault>,
    ) -> Result<T, LedgerError> {
        let Sqlite { db, name, known, place } = self;
        known.trim();
        let all = || -> Result<T, Fault> {
            // SQLite itself says so only at the first change.
            if db.is_readonly("main")? {
                return Err(Fault::MayNotWrite);
            }
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction, known)?;
            transaction.commit()?;
            Ok(done)
        };
        let done = open::in_its_place(place.as_ref(), all());
        done.map_err(|fault| {
            *known = Known::default();
            fault.of(name)
        })
    }

    /// One transaction that reads: what others write meanwhile is not seen.
    fn read<T>(&mut self, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, LedgerError> {
        let Sqlite { db, name, place, .. } = self;
        let all = || -> Result<T, Fault> {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Deferred)?;
            work(&transaction)
        };
        let done = open::in_its_place(place.as_ref(), all());
        done.map_err(|fault| fault.of(name))
    }
}

impl Evidence for Sqlite {
    fn kits(&mut self) -> Result<Vec<KitRow>, LedgerError> {
        self.read(read::kits)
    }

    fn records(
        &mut self,
        kit: &Hash,
        which: Which,
        each: &mut dyn FnMut(Held) -> std::ops::ControlFlow<()>,
    ) -> Result<(), LedgerError> {
        self.read(|db| read::records(db, kit, which, each))
    }

    fn key(&mut self, kid: &KeyId) -> Result<Option<VerifyingKey>, LedgerError> {
        if let Some(key) = self.known.keys.get(kid) {
            return Ok(Some(*key));
        }
        self.read(|db| read::key(db, kid))
    }

    fn homeless(&mut self) -> Result<Vec<(Serial, KeyId, u64)>, LedgerError> {
        self.read(read::homeless)
    }

    fn set_aside(&mut self, most: usize) -> Result<(Vec<SetAside>, u64), LedgerError> {
        self.read(|db| read::set_aside(db, None, most))
    }

    fn set_aside_as(&mut self, newer: bool, most: usize) -> Result<(Vec<SetAside>, u64), LedgerError> {
        self.read(|db| read::set_aside(db, Some(newer), most))
    }

    fn imports(&mut self) -> Result<Vec<Imported>, LedgerError> {
        self.read(read::imports)
    }

    fn policy(&mut self, hash: &Hash) -> Result<Option<Vec<u8>>, LedgerError> {
        self.read(|db| read::policy(db, hash))
    }

    fn logins(&mut self, kit: &Hash) -> Result<(Vec<Login>, Vec<LogCover>), LedgerError> {
        self.read(|db| Ok((read::logins(db, kit)?, read::covers(db, kit)?)))
    }

    fn minted_logins(&mut self) -> Result<(Vec<Login>, Vec<LogCover>), LedgerError> {
        self.read(|db| Ok((read::minted_logins(db)?, read::minted_covers(db)?)))
    }

    fn checkpoint_time(&mut self, hash: &Hash) -> Result<Option<i64>, LedgerError> {
        self.read(|db| read::checkpoint_time(db, hash))
    }
}

impl Ledger for Sqlite {
    fn store(&mut self, records: &[(Record, Signature)], received: i64) -> Result<Vec<Fate>, LedgerError> {
        self.write(|db, known| write::store(db, known, records, received))
    }

    fn put_keys(&mut self, keys: &[VerifyingKey]) -> Result<(), LedgerError> {
        self.write(|db, known| write::keys(db, known, keys.iter().map(|key| (KeyId::of(key), *key))))
    }

    fn put_aside(&mut self, lines: &[SetAside]) -> Result<(), LedgerError> {
        self.write(|db, _| write::aside(db, lines))
    }

    fn imported(&mut self, import: &Imported) -> Result<(), LedgerError> {
        self.write(|db, _| write::imported(db, import))
    }

    fn put_policy(&mut self, bytes: &[u8]) -> Result<Hash, LedgerError> {
        self.write(|db, _| write::policy(db, bytes))
    }

    fn put_trust(
        &mut self,
        kit: &Hash,
        trust: &Trust,
        root: Option<&[u8]>,
        at: i64,
    ) -> Result<(), LedgerError> {
        self.write(|db, known| write::trust(db, known, kit, trust, root, at))
    }

    fn put_logins(&mut self, logins: &[Login], covers: &[LogCover]) -> Result<(), LedgerError> {
        self.write(|db, _| write::logins(db, logins, covers))
    }

    fn arrivals(&mut self, from: u64, to: u64) -> Result<Vec<Hash>, LedgerError> {
        self.read(|db| read::arrivals(db, from, to))
    }

    fn size(&mut self) -> Result<u64, LedgerError> {
        self.read(read::size)
    }

    fn put_checkpoint(&mut self, text: &str, size: u64, at: i64) -> Result<(), LedgerError> {
        self.write(|db, _| write::checkpoint(db, text, size, at))
    }

    fn newest_checkpoint(&mut self) -> Result<Option<String>, LedgerError> {
        self.read(read::newest_checkpoint)
    }
}
