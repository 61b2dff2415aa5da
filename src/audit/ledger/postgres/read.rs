//! Reading, inside a transaction that sees one state.

use std::ops::ControlFlow;

use ::postgres::types::ToSql;
use ::postgres::{Row, Transaction};
use p256::ecdsa::VerifyingKey;

use super::Fault;
use crate::attestation::Serial;
use crate::audit::ledger::rows;
use crate::audit::ledger::{Held, Imported, KitRow, LogCover, Login, SetAside, Which};
use crate::record::hash::{Hash, KeyId};

/// Rows that are fetched at a time.
const AT_A_TIME: i32 = 500;

/// A value that only a hand other than ours can have put there.
fn changed(what: &str) -> Fault {
    Fault::Changed(format!("{what} has a value that is never written"))
}

fn all<T>(
    db: &mut Transaction<'_>,
    question: &str,
    about: &[&(dyn ToSql + Sync)],
    each: impl Fn(&Row) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    db.query(question, about)?.iter().map(each).collect()
}

fn hash(row: &Row, column: usize) -> Result<Hash, Fault> {
    rows::hash_of(row.get(column)).ok_or_else(|| changed("a hash"))
}

fn number(row: &Row, column: usize) -> u64 {
    row.get::<_, i64>(column) as u64
}

fn serial(row: &Row, column: usize) -> Result<Serial, Fault> {
    u32::try_from(row.get::<_, i64>(column)).map(Serial).map_err(|_| changed("a serial number"))
}

pub(super) fn kits(db: &mut Transaction<'_>) -> Result<Vec<KitRow>, Fault> {
    let question = "SELECT k.kit, k.trust, k.pinned, k.root, k.trusted,
            (SELECT count(*) FROM claims c JOIN records r ON r.chain_id = c.chain_id
             WHERE c.kit_id = k.id AND c.backed)
          + (SELECT count(*) FROM claims c JOIN records r ON r.chain_id = c.chain_id
             WHERE c.kit_id = k.id AND NOT c.backed AND (r.kit_id IS NULL OR r.kit_id = k.id))
        FROM kits k ORDER BY k.kit";
    all(db, question, &[], |row| {
        let trust = match row.get::<_, Option<&str>>(1) {
            None => None,
            Some(code) => {
                let trust = rows::trust_of(code, row.get(2)).ok_or_else(|| changed("a kit's trust"))?;
                Some((trust, row.get(4)))
            }
        };
        let kit = hash(row, 0)?;
        Ok(KitRow { kit, records: number(row, 5), trust, attestation_root: row.get(3) })
    })
}

pub(super) fn records(
    db: &mut Transaction<'_>,
    kit: &Hash,
    which: Which,
    each: &mut dyn FnMut(Held) -> ControlFlow<()>,
) -> Result<(), Fault> {
    // The index gives the order at once; to sort a chain first would take as long as to read all of it.
    db.batch_execute("SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off")?;
    let chains = "SELECT c.id, m.backed, m.kit_id FROM kits k JOIN claims m ON m.kit_id = k.id
        JOIN chains c ON c.id = m.chain_id WHERE k.kit = $1 ORDER BY c.name COLLATE \"C\", c.kid";
    let chains = all(db, chains, &[&&kit.0[..]], |row| {
        Ok((row.get::<_, i64>(0), row.get::<_, bool>(1), row.get::<_, i64>(2)))
    })?;
    let governs = match which {
        Which::All => "",
        Which::Governance => "AND governs",
    };
    let question = db.prepare(&format!(
        "SELECT hash, signature, received, bytes FROM records
         WHERE chain_id = $1 {governs} AND ($2 OR kit_id IS NULL OR kit_id = $3) ORDER BY seq, hash"
    ))?;
    for (chain, backed, kit) in chains {
        let portal = db.bind(&question, &[&chain, &backed, &kit])?;
        loop {
            let rows = db.query_portal(&portal, AT_A_TIME)?;
            for row in &rows {
                if each(held(row)?).is_break() {
                    return Ok(());
                }
            }
            if rows.len() < AT_A_TIME as usize {
                break;
            }
        }
    }
    Ok(())
}

/// From `hash, signature, received, bytes`.
fn held(row: &Row) -> Result<Held, Fault> {
    Ok(Held {
        record: rows::record_of(row.get(0), row.get(3)).map_err(Fault::Changed)?,
        signature: rows::signature_of(row.get(1)).ok_or_else(|| changed("a signature"))?,
        received: row.get(2),
    })
}

pub(super) fn key(db: &mut Transaction<'_>, kid: &KeyId) -> Result<Option<VerifyingKey>, Fault> {
    let row = db.query_opt("SELECT point FROM public_keys WHERE kid = $1", &[&&kid.0.0[..]])?;
    row.map(|row| rows::key_of(kid, row.get(0)).map_err(Fault::Changed)).transpose()
}

pub(super) fn homeless(db: &mut Transaction<'_>) -> Result<Vec<(Serial, KeyId, u64)>, Fault> {
    let question = "SELECT c.serial, c.kid, count(*) FROM chains c JOIN records r ON r.chain_id = c.id
        WHERE NOT EXISTS (SELECT 1 FROM claims m WHERE m.chain_id = c.id)
        GROUP BY c.id ORDER BY c.name COLLATE \"C\", c.kid";
    all(db, question, &[], |row| Ok((serial(row, 0)?, KeyId(hash(row, 1)?), number(row, 2))))
}

/// All, or those that are of a newer version, or that are not.
pub(super) fn set_aside(
    db: &mut Transaction<'_>,
    newer: Option<bool>,
    most: usize,
) -> Result<(Vec<SetAside>, u64), Fault> {
    let question = "SELECT source, line, bytes, why, unknown_event, received FROM set_aside
        WHERE $1::boolean IS NULL OR unknown_event = $1 ORDER BY id DESC LIMIT $2";
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let lines = all(db, question, &[&newer, &most], |row| {
        Ok(SetAside {
            source: row.get(0),
            line: number(row, 1),
            bytes: row.get(2),
            why: row.get(3),
            unknown_event: row.get(4),
            received: row.get(5),
        })
    })?;
    let question = "SELECT count(*) FROM set_aside WHERE $1::boolean IS NULL OR unknown_event = $1";
    Ok((lines, number(&db.query_one(question, &[&newer])?, 0)))
}

pub(super) fn imports(db: &mut Transaction<'_>) -> Result<Vec<Imported>, Fault> {
    let question = "SELECT source, at, read, stored, known, set_aside, bad, unverified, ending, export
        FROM imports ORDER BY id";
    all(db, question, &[], |row| {
        let end = match row.get::<_, Option<&str>>(8) {
            None => None,
            Some(code) => Some(rows::end_of(code).ok_or_else(|| changed("the end of an import"))?),
        };
        Ok(Imported {
            source: row.get(0),
            at: row.get(1),
            read: number(row, 2),
            stored: number(row, 3),
            known: number(row, 4),
            set_aside: number(row, 5),
            bad: number(row, 6),
            unverified: number(row, 7),
            end,
            export: match row.get::<_, Option<&[u8]>>(9) {
                None => None,
                Some(_) => Some(hash(row, 9)?),
            },
        })
    })
}

pub(super) fn policy(db: &mut Transaction<'_>, hash: &Hash) -> Result<Option<Vec<u8>>, Fault> {
    let row = db.query_opt("SELECT bytes FROM policies WHERE hash = $1", &[&&hash.0[..]])?;
    match row.map(|row| row.get::<_, Vec<u8>>(0)) {
        Some(bytes) if Hash::of(&bytes) != *hash => {
            Err(Fault::Changed(format!("the bytes of policy {hash} have another hash")))
        }
        bytes => Ok(bytes),
    }
}

pub(super) fn logins(db: &mut Transaction<'_>, kit: &Hash) -> Result<Vec<Login>, Fault> {
    let question = "SELECT l.log, l.credential, l.at, l.origin, l.success, l.raw FROM logins l
        JOIN credentials c ON c.name = l.credential JOIN kits k ON k.id = c.kit_id
        WHERE k.kit = $1 ORDER BY l.at, l.id";
    all(db, question, &[&&kit.0[..]], login)
}

/// No name of a credential has a colon.
pub(super) fn minted_logins(db: &mut Transaction<'_>) -> Result<Vec<Login>, Fault> {
    let question = "SELECT log, credential, at, origin, success, raw FROM logins
        WHERE credential LIKE 'mint:%' ORDER BY at, id";
    all(db, question, &[], login)
}

fn login(row: &Row) -> Result<Login, Fault> {
    let from: String = row.get(3);
    Ok(Login {
        log: row.get(0),
        credential: row.get(1),
        at: row.get(2),
        from: (!from.is_empty()).then_some(from),
        success: row.get(4),
        raw: row.get(5),
    })
}

pub(super) fn covers(db: &mut Transaction<'_>, kit: &Hash) -> Result<Vec<LogCover>, Fault> {
    let question = "SELECT l.log, l.credential, l.first, l.last, l.hash FROM covers l
        JOIN credentials c ON c.name = l.credential JOIN kits k ON k.id = c.kit_id
        WHERE k.kit = $1 ORDER BY l.credential COLLATE \"C\", l.log COLLATE \"C\", l.first, l.last, l.hash";
    all(db, question, &[&&kit.0[..]], cover)
}

pub(super) fn minted_covers(db: &mut Transaction<'_>) -> Result<Vec<LogCover>, Fault> {
    let question = "SELECT log, credential, first, last, hash FROM covers WHERE credential LIKE 'mint:%'
        ORDER BY credential COLLATE \"C\", log COLLATE \"C\", first, last, hash";
    all(db, question, &[], cover)
}

fn cover(row: &Row) -> Result<LogCover, Fault> {
    let (log, credential) = (row.get(0), row.get(1));
    Ok(LogCover { log, credential, from_to: (row.get(2), row.get(3)), hash: hash(row, 4)? })
}

pub(super) fn checkpoint_time(db: &mut Transaction<'_>, hash: &Hash) -> Result<Option<i64>, Fault> {
    let row = db.query_opt("SELECT at FROM checkpoints WHERE hash = $1", &[&&hash.0[..]])?;
    Ok(row.map(|row| row.get(0)))
}

pub(super) fn arrivals(db: &mut Transaction<'_>, from: u64, to: u64) -> Result<Vec<Hash>, Fault> {
    let question = "SELECT arrival, hash FROM records WHERE arrival > $1 AND arrival <= $2 ORDER BY arrival";
    let limit = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let rows = db.query(question, &[&limit(from), &limit(to)])?;
    let numbered = rows.iter().zip(limit(from).saturating_add(1)..);
    numbered
        .map(|(row, expected)| match row.get::<_, i64>(0) == expected {
            true => hash(row, 1),
            false => Err(Fault::Changed(format!("the record that came as number {expected} is gone"))),
        })
        .collect()
}

pub(super) fn size(db: &mut Transaction<'_>) -> Result<u64, Fault> {
    Ok(number(&db.query_one("SELECT coalesce(max(arrival), 0) FROM records", &[])?, 0))
}

pub(super) fn newest_checkpoint(db: &mut Transaction<'_>) -> Result<Option<String>, Fault> {
    let row = db.query_opt("SELECT text FROM checkpoints ORDER BY id DESC LIMIT 1", &[])?;
    Ok(row.map(|row| row.get(0)))
}
