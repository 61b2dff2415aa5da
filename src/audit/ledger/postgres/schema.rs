//! The tables, and how an older database comes to have them.

use ::postgres::{Client, Transaction};

use super::Fault;

/// The advisory lock of whoever writes: `bgld`.
const LOCK: i64 = 0x6267_6C64;

/// Steps from each format to the next; the first makes an empty schema a ledger of format 1. The formats are those of
/// SQLite. A step that was released is never changed.
pub(super) const STEPS: &[&str] = &[
    // 1: what records say, and what was no record. `arrival` is the order in which records came, from 1.
    "CREATE TABLE chains (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text NOT NULL,
        serial bigint NOT NULL,
        kid bytea NOT NULL,
        UNIQUE (kid, serial)
    );
    CREATE TABLE public_keys (kid bytea PRIMARY KEY, point bytea NOT NULL);
    CREATE TABLE kits (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        kit bytea NOT NULL UNIQUE,
        trust text,
        pinned bytea,
        root bytea,
        trusted bigint
    );
    CREATE TABLE claims (
        kit_id bigint NOT NULL REFERENCES kits,
        chain_id bigint NOT NULL REFERENCES chains,
        backed boolean NOT NULL,
        PRIMARY KEY (kit_id, chain_id)
    );
    CREATE INDEX claims_of_a_chain ON claims (chain_id);
    CREATE TABLE records (
        arrival bigint PRIMARY KEY,
        chain_id bigint NOT NULL,
        seq bigint NOT NULL,
        hash bytea NOT NULL,
        kit_id bigint,
        governs boolean NOT NULL,
        signature smallint NOT NULL,
        received bigint NOT NULL,
        bytes bytea NOT NULL,
        UNIQUE (chain_id, seq, hash)
    );
    ALTER TABLE records ALTER bytes SET STORAGE EXTERNAL;
    CREATE INDEX records_that_govern ON records (chain_id, seq, hash) WHERE governs;
    CREATE INDEX records_not_verified ON records (chain_id) WHERE signature = 2;
    CREATE TABLE credentials (kit_id bigint NOT NULL REFERENCES kits, name text NOT NULL, PRIMARY KEY (kit_id, name));
    CREATE TABLE set_aside (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        source text NOT NULL,
        line bigint NOT NULL,
        hash bytea NOT NULL,
        bytes bytea NOT NULL,
        why text NOT NULL,
        unknown_event boolean NOT NULL,
        received bigint NOT NULL,
        UNIQUE (source, line, hash)
    );
    CREATE TABLE imports (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        source text NOT NULL,
        at bigint NOT NULL,
        read bigint NOT NULL,
        stored bigint NOT NULL,
        known bigint NOT NULL,
        set_aside bigint NOT NULL,
        bad bigint NOT NULL,
        unverified bigint NOT NULL,
        ending text,
        export bytea
    );
    CREATE TABLE policies (hash bytea PRIMARY KEY, bytes bytea NOT NULL);",
    // 2: what others say: logs of platforms; and what the ledger says of itself.
    "CREATE TABLE logins (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        log text NOT NULL,
        credential text NOT NULL,
        at bigint NOT NULL,
        origin text NOT NULL,
        success boolean NOT NULL,
        raw text NOT NULL,
        hash bytea NOT NULL UNIQUE
    );
    CREATE INDEX logins_of_a_credential ON logins (credential, at);
    CREATE TABLE covers (
        log text NOT NULL,
        credential text NOT NULL,
        first bigint NOT NULL,
        last bigint NOT NULL,
        hash bytea NOT NULL,
        UNIQUE (credential, log, hash, first, last)
    );
    CREATE TABLE checkpoints (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        hash bytea NOT NULL UNIQUE,
        text text NOT NULL,
        size bigint NOT NULL,
        at bigint NOT NULL
    );",
];

/// Waits for whoever writes, and keeps others from writing until the transaction ends.
pub(super) fn lock(db: &mut Transaction<'_>) -> Result<(), Fault> {
    db.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK])?;
    Ok(())
}

/// Makes the tables of an empty schema, or takes those of an older one further.
pub(super) fn prepare(client: &mut Client, steps: &[&str]) -> Result<(), Fault> {
    let mut db = client.transaction()?;
    if format(&mut db, steps)? == steps.len() {
        return Ok(());
    }
    lock(&mut db)?;
    let found = format(&mut db, steps)?;
    if found == 0 {
        db.batch_execute(
            "CREATE SCHEMA IF NOT EXISTS breakglass; CREATE TABLE format (version bigint NOT NULL)",
        )?;
        db.execute("INSERT INTO format (version) VALUES (0)", &[])?;
    }
    for step in &steps[found..] {
        db.batch_execute(step)?;
    }
    db.execute("UPDATE format SET version = $1", &[&(steps.len() as i64)])?;
    db.commit()?;
    Ok(())
}

/// Which format the schema has; 0 where it is empty.
fn format(db: &mut Transaction<'_>, steps: &[&str]) -> Result<usize, Fault> {
    let tables = "SELECT count(*), count(*) FILTER (WHERE tablename = 'format') FROM pg_tables WHERE schemaname = 'breakglass'";
    let row = db.query_one(tables, &[])?;
    let found: i64 = match (row.get(0), row.get(1)) {
        (0i64, _) => return Ok(0),
        (_, 0i64) => {
            return Err(Fault::NotALedger("its schema breakglass is another program's".into()));
        }
        _ => db.query_one("SELECT version FROM format", &[])?.get(0),
    };
    match usize::try_from(found) {
        Ok(format) if format <= steps.len() => Ok(format),
        _ => Err(Fault::Newer(u32::try_from(found).unwrap_or(u32::MAX), steps.len() as u32)),
    }
}
