//! Writing, under the lock.

use std::collections::HashSet;

use ::postgres::Transaction;
use ::postgres::binary_copy::BinaryCopyInWriter;
use ::postgres::types::Type;
use p256::ecdsa::VerifyingKey;

use super::{Fault, read};
use crate::attestation::Serial;
use crate::audit::ledger::rows::{self, ChainKey, Known};
use crate::audit::ledger::{Fate, Imported, LogCover, Login, SetAside, Signature, Trust};
use crate::record::hash::{Hash, KeyId};
use crate::record::token::{Record, chain_name};

/// How many records of a key that has just become known are verified at a time.
const LATER: i64 = 1_000;

/// A record on its way in.
struct Row<'a> {
    record: &'a Record,
    signature: Signature,
    chain: i64,
    kit: Option<i64>,
    new: bool,
}

pub(super) fn store(
    db: &mut Transaction<'_>,
    known: &mut Known,
    records: &[(Record, Signature)],
    received: i64,
) -> Result<Vec<Fate>, Fault> {
    keys(db, known, rows::enrolled(records))?;
    let mut without_key = HashSet::new();
    let mut coming = Vec::with_capacity(records.len());
    let mut twice = HashSet::with_capacity(records.len());
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
        coming.push(Row { record, signature, chain, kit, new: twice.insert(record.hash()) });
    }
    drop(twice);
    turn_out_known(db, &mut coming)?;
    copy(db, &coming, received)?;
    for row in coming.iter().filter(|row| row.new) {
        let Some(kit) = row.kit else { continue };
        let backed = row.signature == Signature::Good;
        claim(db, known, kit, row.chain, backed)?;
        if let Some(other) = rows::names(row.record) {
            let other = self::chain(db, known, other)?;
            claim(db, known, kit, other, backed)?;
        }
        if let Some(credential) = rows::credential_of(row.record) {
            self::credential(db, known, kit, credential)?;
        }
    }
    Ok(coming
        .iter()
        .map(|row| if row.new { Fate::Stored(row.signature) } else { Fate::Known(row.signature) })
        .collect())
}

/// Marks what the ledger holds already. Nobody else can put any of it in meanwhile.
fn turn_out_known(db: &mut Transaction<'_>, coming: &mut [Row<'_>]) -> Result<(), Fault> {
    let (mut chains, mut places, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    for row in coming.iter() {
        chains.push(row.chain);
        places.push(row.record.link.seq as i64);
        hashes.push(row.record.hash().0.to_vec());
    }
    let held = db.query(
        "SELECT i.number FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) WITH ORDINALITY
            AS i (chain_id, seq, hash, number) JOIN records USING (chain_id, seq, hash)",
        &[&chains, &places, &hashes],
    )?;
    for row in held {
        let number: i64 = row.get(0);
        coming[number as usize - 1].new = false;
    }
    Ok(())
}

/// Puts the new ones in, numbered as they come.
fn copy(db: &mut Transaction<'_>, coming: &[Row<'_>], received: i64) -> Result<(), Fault> {
    let mut arrival: i64 = db.query_one("SELECT coalesce(max(arrival), 0) FROM records", &[])?.get(0);
    let sink = db.copy_in(
        "COPY records (arrival, chain_id, seq, hash, kit_id, governs, signature, received, bytes) FROM STDIN BINARY",
    )?;
    let types = [
        Type::INT8,
        Type::INT8,
        Type::INT8,
        Type::BYTEA,
        Type::INT8,
        Type::BOOL,
        Type::INT2,
        Type::INT8,
        Type::BYTEA,
    ];
    let mut writer = BinaryCopyInWriter::new(sink, &types);
    for row in coming.iter().filter(|row| row.new) {
        arrival += 1;
        writer.write(&[
            &arrival,
            &row.chain,
            &(row.record.link.seq as i64),
            &&row.record.hash().0[..],
            &row.kit,
            &rows::governs(&row.record.event),
            &rows::signature_code(row.signature),
            &received,
            &row.record.bytes(),
        ])?;
    }
    writer.finish()?;
    Ok(())
}

/// Makes keys known, and verifies what came before them.
pub(super) fn keys(
    db: &mut Transaction<'_>,
    known: &mut Known,
    keys: impl Iterator<Item = (KeyId, VerifyingKey)>,
) -> Result<(), Fault> {
    for (kid, key) in keys {
        if known.keys.insert(kid, key).is_some() {
            continue;
        }
        let point = key.to_sec1_point(true);
        let insert = "INSERT INTO public_keys (kid, point) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        if db.execute(insert, &[&&kid.0.0[..], &point.as_bytes()])? == 1 {
            verify_waiting(db, known, &kid, &key)?;
        }
    }
    Ok(())
}

/// Verifies the records of a key that were stored before it was known.
fn verify_waiting(
    db: &mut Transaction<'_>,
    known: &mut Known,
    kid: &KeyId,
    key: &VerifyingKey,
) -> Result<(), Fault> {
    let select = db.prepare(
        "SELECT r.arrival, r.chain_id, r.kit_id, r.hash, r.bytes FROM records r JOIN chains c ON c.id = r.chain_id
         WHERE c.kid = $1 AND r.signature = 2 LIMIT $2",
    )?;
    let update = db.prepare("UPDATE records SET signature = $2 WHERE arrival = $1")?;
    loop {
        let waiting = db.query(&select, &[&&kid.0.0[..], &LATER])?;
        if waiting.is_empty() {
            return Ok(());
        }
        for row in waiting {
            let record = rows::record_of(row.get(3), row.get(4)).map_err(Fault::Changed)?;
            let (arrival, chain, kit): (i64, i64, Option<i64>) = (row.get(0), row.get(1), row.get(2));
            let signature = rows::verify(&record, key);
            db.execute(&update, &[&arrival, &rows::signature_code(signature)])?;
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

fn key(db: &mut Transaction<'_>, known: &mut Known, kid: &KeyId) -> Result<Option<VerifyingKey>, Fault> {
    if let Some(key) = known.keys.get(kid) {
        return Ok(Some(*key));
    }
    let key = read::key(db, kid)?;
    known.keys.extend(key.map(|key| (*kid, key)));
    Ok(key)
}

/// The number of a chain, given to it now if it has none.
fn chain(db: &mut Transaction<'_>, known: &mut Known, chain: ChainKey) -> Result<i64, Fault> {
    if let Some(id) = known.chains.get(&chain) {
        return Ok(*id);
    }
    let (kid, serial) = (chain.0, i64::from(chain.1.0));
    let name = chain_name(Serial(chain.1.0), &kid);
    db.execute(
        "INSERT INTO chains (name, serial, kid) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        &[&name, &serial, &&kid.0.0[..]],
    )?;
    let select = "SELECT id FROM chains WHERE kid = $1 AND serial = $2";
    let id = db.query_one(select, &[&&kid.0.0[..], &serial])?.get(0);
    known.chains.insert(chain, id);
    Ok(id)
}

/// The number of a kit, given to it now if it has none.
fn kit_id(db: &mut Transaction<'_>, known: &mut Known, kit: &Hash) -> Result<i64, Fault> {
    if let Some(id) = known.kits.get(kit) {
        return Ok(*id);
    }
    db.execute("INSERT INTO kits (kit) VALUES ($1) ON CONFLICT DO NOTHING", &[&&kit.0[..]])?;
    let id = db.query_one("SELECT id FROM kits WHERE kit = $1", &[&&kit.0[..]])?.get(0);
    known.kits.insert(*kit, id);
    Ok(id)
}

fn claim(
    db: &mut Transaction<'_>,
    known: &mut Known,
    kit: i64,
    chain: i64,
    backed: bool,
) -> Result<(), Fault> {
    if known.claims.get(&(kit, chain)).is_some_and(|already| *already || !backed) {
        return Ok(());
    }
    db.execute(
        "INSERT INTO claims (kit_id, chain_id, backed) VALUES ($1, $2, $3)
         ON CONFLICT (kit_id, chain_id) DO UPDATE SET backed = claims.backed OR excluded.backed",
        &[&kit, &chain, &backed],
    )?;
    known.claims.insert((kit, chain), backed);
    Ok(())
}

fn credential(db: &mut Transaction<'_>, known: &mut Known, kit: i64, name: &str) -> Result<(), Fault> {
    let name = rows::text(name);
    let entry = (kit, name);
    if known.credentials.contains(&entry) {
        return Ok(());
    }
    let insert = "INSERT INTO credentials (kit_id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    db.execute(insert, &[&kit, &entry.1])?;
    known.credentials.insert(entry);
    Ok(())
}

pub(super) fn aside(db: &mut Transaction<'_>, lines: &[SetAside]) -> Result<(), Fault> {
    let insert = db.prepare(
        "INSERT INTO set_aside (source, line, hash, bytes, why, unknown_event, received)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
    )?;
    for one in lines {
        let hash = Hash::of(&one.bytes);
        let (source, why) = (rows::text(&one.source), rows::text(&one.why));
        let line = one.line as i64;
        db.execute(
            &insert,
            &[&source, &line, &&hash.0[..], &one.bytes, &why, &one.unknown_event, &one.received],
        )?;
    }
    Ok(())
}

pub(super) fn imported(db: &mut Transaction<'_>, import: &Imported) -> Result<(), Fault> {
    let number = |number: u64| number as i64;
    db.execute(
        "INSERT INTO imports (source, at, read, stored, known, set_aside, bad, unverified, ending, export)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &[
            &rows::text(&import.source),
            &import.at,
            &number(import.read),
            &number(import.stored),
            &number(import.known),
            &number(import.set_aside),
            &number(import.bad),
            &number(import.unverified),
            &import.end.map(rows::end_code),
            &import.export.map(|hash| hash.0.to_vec()),
        ],
    )?;
    read_again(db)
}

/// Lines that were of a newer version and that this one can read are set aside no more, if they are in the ledger now.
fn read_again(db: &mut Transaction<'_>) -> Result<(), Fault> {
    for row in db.query("SELECT id, bytes FROM set_aside WHERE unknown_event", &[])? {
        let (id, bytes): (i64, Vec<u8>) = (row.get(0), row.get(1));
        let Ok(record) = Record::parse(&bytes) else { continue };
        let (kid, hash) = (record.kid.0.0, record.hash().0);
        db.execute(
            "DELETE FROM set_aside WHERE id = $1 AND EXISTS (
                SELECT 1 FROM records r JOIN chains c ON c.id = r.chain_id
                WHERE c.kid = $2 AND c.serial = $3 AND r.seq = $4 AND r.hash = $5)",
            &[&id, &&kid[..], &i64::from(record.serial.0), &(record.link.seq as i64), &&hash[..]],
        )?;
    }
    Ok(())
}

pub(super) fn policy(db: &mut Transaction<'_>, bytes: &[u8]) -> Result<Hash, Fault> {
    let hash = Hash::of(bytes);
    let insert = "INSERT INTO policies (hash, bytes) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    db.execute(insert, &[&&hash.0[..], &bytes])?;
    Ok(hash)
}

pub(super) fn trust(
    db: &mut Transaction<'_>,
    known: &mut Known,
    kit: &Hash,
    trust: &Trust,
    root: Option<&[u8]>,
    at: i64,
) -> Result<(), Fault> {
    let id = kit_id(db, known, kit)?;
    let (how, pinned) = rows::trust_code(trust);
    db.execute(
        "UPDATE kits SET trust = $2, pinned = $3, root = coalesce($4, root), trusted = $5 WHERE id = $1",
        &[&id, &how, &pinned, &root, &at],
    )?;
    Ok(())
}

pub(super) fn logins(db: &mut Transaction<'_>, logins: &[Login], covers: &[LogCover]) -> Result<(), Fault> {
    let insert = db.prepare(
        "INSERT INTO logins (log, credential, at, origin, success, raw, hash) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT DO NOTHING",
    )?;
    for login in logins {
        let from = rows::text(login.from.as_deref().unwrap_or_default());
        let (log, credential) = (rows::text(&login.log), rows::text(&login.credential));
        let raw = rows::text(&login.raw);
        // Lines of logs are longer than an index takes: one hash stands for all of it.
        let all = format!("{log}\0{credential}\0{}\0{from}\0{}\0{raw}", login.at, login.success);
        let hash = Hash::of(all.as_bytes());
        db.execute(&insert, &[&log, &credential, &login.at, &from, &login.success, &raw, &&hash.0[..]])?;
    }
    let insert = db.prepare(
        "INSERT INTO covers (log, credential, first, last, hash) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )?;
    for cover in covers {
        let (first, last) = cover.from_to;
        let (log, credential) = (rows::text(&cover.log), rows::text(&cover.credential));
        db.execute(&insert, &[&log, &credential, &first, &last, &&cover.hash.0[..]])?;
    }
    Ok(())
}

pub(super) fn checkpoint(db: &mut Transaction<'_>, text: &str, size: u64, at: i64) -> Result<(), Fault> {
    db.execute(
        "INSERT INTO checkpoints (hash, text, size, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        &[&&Hash::of(text.as_bytes()).0[..], &text, &(size as i64), &at],
    )?;
    Ok(())
}
