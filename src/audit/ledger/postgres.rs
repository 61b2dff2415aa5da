//! The shared ledger: a PostgreSQL database, in a schema of its own named `breakglass`.
//!
//! Who writes holds one advisory lock to the end of the transaction, so that the numbers of arrival are dense and others
//! wait their turn. Rows go in by `COPY … BINARY`; which of them are there already is asked first, under the lock.

mod address;
mod read;
mod schema;
mod tls;
mod write;

use std::error::Error as _;
use std::time::Duration;

use ::postgres::error::SqlState;
use ::postgres::{Client, IsolationLevel, Transaction};
use p256::ecdsa::VerifyingKey;

use super::rows::Known;
use super::{
    Evidence, Fate, Held, Imported, KitRow, Ledger, LedgerError, LogCover, Login, SetAside, Signature, Trust,
    Which,
};
use crate::attestation::Serial;
use crate::record::hash::{Hash, KeyId};
use crate::record::token::Record;

pub(super) use address::is_url;
pub use address::shown;

/// A ledger in a PostgreSQL database.
pub struct Postgres {
    client: Client,
    name: String,
    known: Known,
}

/// What went wrong inside, without the ledger's name.
#[derive(Debug)]
enum Fault {
    Engine(::postgres::Error),
    Newer(u32, u32),
    NotALedger(String),
    Changed(String),
}

impl From<::postgres::Error> for Fault {
    fn from(error: ::postgres::Error) -> Self {
        Fault::Engine(error)
    }
}

impl Fault {
    fn of(self, name: &str) -> LedgerError {
        let ledger = name.to_owned();
        let error = match self {
            Fault::Engine(error) => error,
            Fault::Newer(found, newest) => return LedgerError::Newer { ledger, found, newest },
            Fault::NotALedger(text) => return LedgerError::NotALedger { ledger, text },
            Fault::Changed(text) => return LedgerError::Changed { ledger, text },
        };
        let Some(said) = error.as_db_error() else {
            // Not the server's words, so a matter of reaching it.
            let (mut text, mut cause) = (error.to_string(), error.source());
            while let Some(one) = cause {
                let words = one.to_string();
                if !text.ends_with(&words) {
                    text += &format!(": {words}");
                }
                cause = one.source();
            }
            return LedgerError::Unreachable { ledger, text };
        };
        match said.code() {
            &SqlState::LOCK_NOT_AVAILABLE => LedgerError::Busy { ledger },
            &SqlState::ADMIN_SHUTDOWN | &SqlState::CRASH_SHUTDOWN | &SqlState::CANNOT_CONNECT_NOW => {
                LedgerError::Unreachable { ledger, text: said.message().into() }
            }
            _ => LedgerError::Engine { ledger, text: said.message().into() },
        }
    }
}

impl Postgres {
    /// Connects, and makes the tables where there are none. Each call waits so long for others who are writing.
    ///
    /// # Errors
    /// Every variant of [`LedgerError`] but [`LedgerError::Missing`].
    pub fn open(url: &str, patience: Duration) -> Result<Self, LedgerError> {
        let address = address::Address::parse(url)?;
        let name = address.name.clone();
        let mut client = address.connect()?;
        let settings = format!(
            "SET lock_timeout = {}; SET synchronous_commit = on; SET search_path = breakglass",
            patience.as_millis().clamp(1, 2_147_483_647)
        );
        let prepared = client.batch_execute(&settings).map_err(Fault::from);
        match prepared.and_then(|()| schema::prepare(&mut client, schema::STEPS)) {
            Ok(()) => Ok(Postgres { client, name, known: Known::default() }),
            Err(fault) => Err(fault.of(&name)),
        }
    }

    /// One transaction that writes, while all others wait: all of it or nothing.
    fn write<T>(
        &mut self,
        work: impl FnOnce(&mut Transaction<'_>, &mut Known) -> Result<T, Fault>,
    ) -> Result<T, LedgerError> {
        let Postgres { client, name, known } = self;
        known.trim();
        let all = || -> Result<T, Fault> {
            let mut transaction = client.transaction()?;
            schema::lock(&mut transaction)?;
            let done = work(&mut transaction, known)?;
            transaction.commit()?;
            Ok(done)
        };
        let done = all();
        done.map_err(|fault| {
            *known = Known::default();
            fault.of(name)
        })
    }

    /// One transaction that reads: what others write meanwhile is not seen.
    fn read<T>(
        &mut self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, LedgerError> {
        let Postgres { client, name, .. } = self;
        let all = || -> Result<T, Fault> {
            let transaction = client.build_transaction().read_only(true);
            let mut transaction = transaction.isolation_level(IsolationLevel::RepeatableRead).start()?;
            let done = work(&mut transaction)?;
            transaction.rollback()?;
            Ok(done)
        };
        let done = all();
        done.map_err(|fault| fault.of(name))
    }
}

impl Evidence for Postgres {
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

impl Ledger for Postgres {
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
