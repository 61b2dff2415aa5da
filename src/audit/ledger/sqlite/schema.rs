//! The tables, and how an older file comes to have them.

use rusqlite::{Connection, TransactionBehavior};

use super::Fault;

/// What SQLite keeps as `application_id` in the file's header: `bgld`.
const MARK: i32 = 0x6267_6C64;

/// Steps from each format to the next; the first makes an empty file a ledger of format 1. A step that was released is
/// never changed.
pub(super) const STEPS: &[&str] = &[
    // 1: what records say, and what was no record. `arrival` is the order in which records came, from 1.
    "CREATE TABLE chains (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        serial INTEGER NOT NULL,
        kid BLOB NOT NULL,
        UNIQUE (kid, serial)
    );
    CREATE TABLE public_keys (kid BLOB PRIMARY KEY, point BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE kits (
        id INTEGER PRIMARY KEY,
        kit BLOB NOT NULL UNIQUE,
        trust TEXT,
        pinned BLOB,
        root BLOB,
        trusted INTEGER
    );
    CREATE TABLE claims (
        kit_id INTEGER NOT NULL,
        chain_id INTEGER NOT NULL,
        backed INTEGER NOT NULL,
        PRIMARY KEY (kit_id, chain_id)
    ) WITHOUT ROWID;
    CREATE INDEX claims_of_a_chain ON claims (chain_id);
    CREATE TABLE records (
        arrival INTEGER PRIMARY KEY,
        chain_id INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        hash BLOB NOT NULL,
        kit_id INTEGER,
        governs INTEGER NOT NULL,
        signature INTEGER NOT NULL,
        received INTEGER NOT NULL,
        bytes BLOB NOT NULL,
        UNIQUE (chain_id, seq, hash)
    );
    CREATE INDEX records_that_govern ON records (chain_id, seq, hash) WHERE governs = 1;
    CREATE INDEX records_not_verified ON records (chain_id) WHERE signature = 2;
    CREATE TABLE credentials (kit_id INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (kit_id, name)) WITHOUT ROWID;
    CREATE TABLE set_aside (
        id INTEGER PRIMARY KEY,
        source TEXT NOT NULL,
        line INTEGER NOT NULL,
        hash BLOB NOT NULL,
        bytes BLOB NOT NULL,
        why TEXT NOT NULL,
        unknown_event INTEGER NOT NULL,
        received INTEGER NOT NULL,
        UNIQUE (source, line, hash)
    );
    CREATE TABLE imports (
        id INTEGER PRIMARY KEY,
        source TEXT NOT NULL,
        at INTEGER NOT NULL,
        read INTEGER NOT NULL,
        stored INTEGER NOT NULL,
        known INTEGER NOT NULL,
        set_aside INTEGER NOT NULL,
        bad INTEGER NOT NULL,
        unverified INTEGER NOT NULL,
        ending TEXT,
        export BLOB
    );
    CREATE TABLE policies (hash BLOB PRIMARY KEY, bytes BLOB NOT NULL) WITHOUT ROWID;",
    // 2: what others say: logs of platforms; and what the ledger says of itself.
    "CREATE TABLE logins (
        id INTEGER PRIMARY KEY,
        log TEXT NOT NULL,
        credential TEXT NOT NULL,
        at INTEGER NOT NULL,
        origin TEXT NOT NULL,
        success INTEGER NOT NULL,
        raw TEXT NOT NULL,
        UNIQUE (credential, at, log, raw, origin, success)
    );
    CREATE TABLE covers (
        log TEXT NOT NULL,
        credential TEXT NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        hash BLOB NOT NULL,
        UNIQUE (credential, log, hash, first, last)
    );
    CREATE TABLE checkpoints (
        id INTEGER PRIMARY KEY,
        hash BLOB NOT NULL UNIQUE,
        text TEXT NOT NULL,
        size INTEGER NOT NULL,
        at INTEGER NOT NULL
    );",
];

/// Makes the tables of an empty file, or takes those of an older one further.
pub(super) fn prepare(db: &mut Connection, steps: &[&str]) -> Result<(), Fault> {
    if now(db, steps)? == 0 {
        // Large pages: a record of 1,300 bytes leaves a quarter of each small page empty.
        db.execute_batch("PRAGMA page_size = 16384; PRAGMA journal_mode = WAL;")?;
    }
    db.execute_batch("PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;")?;
    db.set_prepared_statement_cache_capacity(64);
    if now(db, steps)? == steps.len() {
        return Ok(());
    }
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in &steps[format(&transaction, steps)?..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", MARK)?;
    transaction.pragma_update(None, "user_version", steps.len() as i64)?;
    transaction.commit()?;
    Ok(())
}

/// Takes the tables as they are, of a file that may only be read.
pub(super) fn check(db: &mut Connection, steps: &[&str]) -> Result<(), Fault> {
    db.execute_batch("PRAGMA cache_size = -16384;")?;
    db.set_prepared_statement_cache_capacity(64);
    match now(db, steps)? {
        0 => Err(Fault::NotALedger("nothing is in it".into())),
        format if format == steps.len() => Ok(()),
        format => Err(Fault::ReadOnly(format!("it has format {format}, and has to be taken further first"))),
    }
}

/// The format at one moment: who makes the same file meanwhile is seen whole or not at all.
fn now(db: &mut Connection, steps: &[&str]) -> Result<usize, Fault> {
    format(&*db.transaction()?, steps)
}

/// Which format the file has; 0 where it is empty.
fn format(db: &Connection, steps: &[&str]) -> Result<usize, Fault> {
    let number = |name| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let mark = number("application_id")?;
    let found = number("user_version")?;
    if mark != i64::from(MARK) {
        let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        return match (mark, found, tables) {
            (0, 0, 0) => Ok(0),
            _ => Err(Fault::NotALedger("it is a database of another program".into())),
        };
    }
    match usize::try_from(found) {
        Ok(format) if format <= steps.len() => Ok(format),
        _ => Err(Fault::Newer(u32::try_from(found).unwrap_or(u32::MAX), steps.len() as u32)),
    }
}
