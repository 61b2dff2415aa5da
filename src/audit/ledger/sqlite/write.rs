//! Writing, inside a transaction that others wait for.

use std::collections::HashSet;

use p256::ecdsa::VerifyingKey;
use rusqlite::{Connection, OptionalExtension, params};

use super::Fault;
use super::read;
use crate::attestation::Serial;
use crate::audit::ledger::rows::{self, ChainKey, Known};
use crate::audit::ledger::{Fate, Imported, LogCover, Login, SetAside, Signature, Trust};
use crate::record::hash::{Hash, KeyId};
use crate::record::token::{Record, chain_name};

/// How many records of a key that has just become known are verified at a time.
const LATER: usize = 1_000;

pub(super) fn store(
    db: &Connection,
    known: &mut Known,
    records: &[(Record, Signature)],
    received: i64,
) -> Result<Vec<Fate>, Fault> {
    keys(db, known, rows::enrolled(records))?;
    let mut insert = db.prepare_cached(
        "INSERT OR IGNORE INTO records (chain_id, seq, hash, kit_id, governs, signature, received, bytes)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let mut fates = Vec::with_capacity(records.len());
    let mut without_key = HashSet::new();
    for (record, signature) in records {
        let signature = match signature {
            Signature::Unknown if !without_key.contains(&record.kid) => match key(db, known, &record.kid)? {
                Some(key) => rows::verify(record, &key),
                None => {
                    without_key.insert(record.kid);
                    Signature::Unknown
                }
            },
            told => *told,
        };
        let chain = chain(db, known, (record.kid, record.serial))?;
        let kit = match rows::kit_of(record) {
            Some(kit) => Some(kit_id(db, known, &kit)?),
            None => None,
        };
        let new = insert.execute(params![
            chain,
            record.link.seq as i64,
            &record.hash().0[..],
            kit,
            rows::governs(&record.event),
            rows::signature_code(signature),
            received,
            record.bytes(),
        ])? == 1;
        if let (true, Some(kit)) = (new, kit) {
            claim(db, known, kit, chain, signature == Signature::Good)?;
            if let Some(other) = rows::names(record) {
                let other = self::chain(db, known, other)?;
                claim(db, known, kit, other, signature == Signature::Good)?;
            }
            if let Some(credential) = rows::credential_of(record) {
                self::credential(db, known, kit, credential)?;
            }
        }
        fates.push(if new { Fate::Stored(signature) } else { Fate::Known(signature) });
    }
    Ok(fates)
}

/// Makes keys known, and verifies what came before them.
pub(super) fn keys(
    db: &Connection,
    known: &mut Known,
    keys: impl Iterator<Item = (KeyId, VerifyingKey)>,
) -> Result<(), Fault> {
    for (kid, key) in keys {
        if known.keys.insert(kid, key).is_some() {
            continue;
        }
        let point = key.to_sec1_point(true);
        let mut insert =
            db.prepare_cached("INSERT OR IGNORE INTO public_keys (kid, point) VALUES (?1, ?2)")?;
        if insert.execute(params![&kid.0.0[..], point.as_bytes()])? == 1 {
            verify_waiting(db, known, &kid, &key)?;
        }
    }
    Ok(())
}

/// Verifies the records of a key that were stored before it was known.
fn verify_waiting(db: &Connection, known: &mut Known, kid: &KeyId, key: &VerifyingKey) -> Result<(), Fault> {
    let mut select = db.prepare_cached(
        "SELECT r.arrival, r.chain_id, r.kit_id, r.hash, r.bytes FROM records r JOIN chains c ON c.id = r.chain_id
         WHERE c.kid = ?1 AND r.signature = 2 LIMIT ?2",
    )?;
    let mut update = db.prepare_cached("UPDATE records SET signature = ?2 WHERE arrival = ?1")?;
    loop {
        let mut waiting = Vec::new();
        let mut rows = select.query(params![&kid.0.0[..], LATER as i64])?;
        while let Some(row) = rows.next()? {
            let record = rows::record_of(row.get_ref(3)?.as_blob()?, row.get_ref(4)?.as_blob()?);
            let (arrival, chain, kit): (i64, i64, Option<i64>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            waiting.push((arrival, chain, kit, record.map_err(Fault::Changed)?));
        }
        if waiting.is_empty() {
            return Ok(());
        }
        for (arrival, chain, kit, record) in waiting {
            let signature = rows::verify(&record, key);
            update.execute(params![arrival, rows::signature_code(signature)])?;
            if let (Signature::Good, Some(kit)) = (signature, kit) {
                claim(db, known, kit, chain, true)?;
                if let Some(other) = rows::names(&record) {
                    let other = self::chain(db, known, other)?;
                    claim(db, known, kit, other, true)?;
                }
            }
        }
    }
}

fn key(db: &Connection, known: &mut Known, kid: &KeyId) -> Result<Option<VerifyingKey>, Fault> {
    if let Some(key) = known.keys.get(kid) {
        return Ok(Some(*key));
    }
    let key = read::key(db, kid)?;
    known.keys.extend(key.map(|key| (*kid, key)));
    Ok(key)
}

/// The number of a chain, given to it now if it has none.
fn chain(db: &Connection, known: &mut Known, chain: ChainKey) -> Result<i64, Fault> {
    if let Some(id) = known.chains.get(&chain) {
        return Ok(*id);
    }
    let (kid, Serial(serial)) = chain;
    let name = chain_name(Serial(serial), &kid);
    db.prepare_cached("INSERT OR IGNORE INTO chains (name, serial, kid) VALUES (?1, ?2, ?3)")?
        .execute(params![name, serial, &kid.0.0[..]])?;
    let id = db
        .prepare_cached("SELECT id FROM chains WHERE kid = ?1 AND serial = ?2")?
        .query_row(params![&kid.0.0[..], serial], |row| row.get(0))?;
    known.chains.insert(chain, id);
    Ok(id)
}

/// The number of a kit, given to it now if it has none.
fn kit_id(db: &Connection, known: &mut Known, kit: &Hash) -> Result<i64, Fault> {
    if let Some(id) = known.kits.get(kit) {
        return Ok(*id);
    }
    db.prepare_cached("INSERT OR IGNORE INTO kits (kit) VALUES (?1)")?.execute([&kit.0[..]])?;
    let id =
        db.prepare_cached("SELECT id FROM kits WHERE kit = ?1")?.query_row([&kit.0[..]], |row| row.get(0))?;
    known.kits.insert(*kit, id);
    Ok(id)
}

fn claim(db: &Connection, known: &mut Known, kit: i64, chain: i64, backed: bool) -> Result<(), Fault> {
    if known.claims.get(&(kit, chain)).is_some_and(|already| *already || !backed) {
        return Ok(());
    }
    db.prepare_cached(
        "INSERT INTO claims (kit_id, chain_id, backed) VALUES (?1, ?2, ?3)
         ON CONFLICT (kit_id, chain_id) DO UPDATE SET backed = max(backed, excluded.backed)",
    )?
    .execute(params![kit, chain, backed])?;
    known.claims.insert((kit, chain), backed);
    Ok(())
}

fn credential(db: &Connection, known: &mut Known, kit: i64, name: &str) -> Result<(), Fault> {
    let entry = (kit, rows::text(name));
    if known.credentials.contains(&entry) {
        return Ok(());
    }
    db.prepare_cached("INSERT OR IGNORE INTO credentials (kit_id, name) VALUES (?1, ?2)")?
        .execute(params![kit, entry.1])?;
    known.credentials.insert(entry);
    Ok(())
}

pub(super) fn aside(db: &Connection, lines: &[SetAside]) -> Result<(), Fault> {
    let mut insert = db.prepare_cached(
        "INSERT OR IGNORE INTO set_aside (source, line, hash, bytes, why, unknown_event, received)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for one in lines {
        let hash = Hash::of(&one.bytes);
        let (line, bytes) = (one.line as i64, &one.bytes);
        insert.execute(params![
            rows::text(&one.source),
            line,
            &hash.0[..],
            bytes,
            rows::text(&one.why),
            one.unknown_event,
            one.received
        ])?;
    }
    Ok(())
}

pub(super) fn imported(db: &Connection, import: &Imported) -> Result<(), Fault> {
    db.prepare_cached(
        "INSERT INTO imports (source, at, read, stored, known, set_aside, bad, unverified, ending, export)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        rows::text(&import.source),
        import.at,
        import.read as i64,
        import.stored as i64,
        import.known as i64,
        import.set_aside as i64,
        import.bad as i64,
        import.unverified as i64,
        import.end.map(rows::end_code),
        import.export.map(|hash| hash.0.to_vec()),
    ])?;
    read_again(db)
}

/// Lines that were of a newer version and that this one can read are set aside no more, if they are in the ledger now.
fn read_again(db: &Connection) -> Result<(), Fault> {
    let mut select = db.prepare_cached("SELECT id, bytes FROM set_aside WHERE unknown_event = 1")?;
    let mut held = db.prepare_cached(
        "SELECT 1 FROM records r JOIN chains c ON c.id = r.chain_id
         WHERE c.kid = ?1 AND c.serial = ?2 AND r.seq = ?3 AND r.hash = ?4",
    )?;
    let mut rows = select.query([])?;
    let mut readable = Vec::new();
    while let Some(row) = rows.next()? {
        let Ok(record) = Record::parse(row.get_ref(1)?.as_blob()?) else { continue };
        let (kid, hash) = (record.kid.0.0, record.hash().0);
        let place = params![&kid[..], record.serial.0, record.link.seq as i64, &hash[..]];
        if held.query_row(place, |_| Ok(())).optional()?.is_some() {
            readable.push(row.get::<_, i64>(0)?);
        }
    }
    for id in readable {
        db.execute("DELETE FROM set_aside WHERE id = ?1", [id])?;
    }
    Ok(())
}

pub(super) fn policy(db: &Connection, bytes: &[u8]) -> Result<Hash, Fault> {
    let hash = Hash::of(bytes);
    db.execute("INSERT OR IGNORE INTO policies (hash, bytes) VALUES (?1, ?2)", params![&hash.0[..], bytes])?;
    Ok(hash)
}

pub(super) fn trust(
    db: &Connection,
    known: &mut Known,
    kit: &Hash,
    trust: &Trust,
    root: Option<&[u8]>,
    at: i64,
) -> Result<(), Fault> {
    let id = kit_id(db, known, kit)?;
    let (how, pinned) = rows::trust_code(trust);
    db.execute(
        "UPDATE kits SET trust = ?2, pinned = ?3, root = coalesce(?4, root), trusted = ?5 WHERE id = ?1",
        params![id, how, pinned, root, at],
    )?;
    Ok(())
}

pub(super) fn logins(db: &Connection, logins: &[Login], covers: &[LogCover]) -> Result<(), Fault> {
    let mut insert = db.prepare_cached(
        "INSERT OR IGNORE INTO logins (log, credential, at, origin, success, raw) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for login in logins {
        let origin = rows::text(login.from.as_deref().unwrap_or_default());
        let (log, credential) = (rows::text(&login.log), rows::text(&login.credential));
        let raw = rows::text(&login.raw);
        insert.execute(params![log, credential, login.at, origin, login.success, raw])?;
    }
    let mut insert = db.prepare_cached(
        "INSERT OR IGNORE INTO covers (log, credential, first, last, hash) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for cover in covers {
        let (first, last) = cover.from_to;
        let (log, credential) = (rows::text(&cover.log), rows::text(&cover.credential));
        insert.execute(params![log, credential, first, last, &cover.hash.0[..]])?;
    }
    Ok(())
}

pub(super) fn checkpoint(db: &Connection, text: &str, size: u64, at: i64) -> Result<(), Fault> {
    db.execute(
        "INSERT OR IGNORE INTO checkpoints (hash, text, size, at) VALUES (?1, ?2, ?3, ?4)",
        params![&Hash::of(text.as_bytes()).0[..], text, size as i64, at],
    )?;
    Ok(())
}
