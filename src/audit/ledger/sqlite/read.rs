//! Reading, inside a transaction that sees one state.

use std::ops::ControlFlow;

use p256::ecdsa::VerifyingKey;
use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::Fault;
use crate::attestation::Serial;
use crate::audit::ledger::rows;
use crate::audit::ledger::{Held, Imported, KitRow, LogCover, Login, SetAside, Which};
use crate::record::hash::{Hash, KeyId};

/// Every row of a question.
fn all<T>(
    db: &Connection,
    question: &str,
    about: impl Params,
    mut each: impl FnMut(&Row<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut statement = db.prepare_cached(question)?;
    let mut rows = statement.query(about)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(each(row)?);
    }
    Ok(found)
}

/// The first column of the first row.
fn one<T: FromSql>(db: &Connection, question: &str, about: impl Params) -> Result<Option<T>, Fault> {
    Ok(db.prepare_cached(question)?.query_row(about, |row| row.get(0)).optional()?)
}

/// A value that only a hand other than ours can have put there.
fn changed(what: &str) -> Fault {
    Fault::Changed(format!("{what} has a value that is never written"))
}

fn hash(row: &Row<'_>, column: usize) -> Result<Hash, Fault> {
    rows::hash_of(row.get_ref(column)?.as_blob()?).ok_or_else(|| changed("a hash"))
}

pub(super) fn kits(db: &Connection) -> Result<Vec<KitRow>, Fault> {
    let question = "SELECT k.kit, k.trust, k.pinned, k.root, k.trusted,
            (SELECT count(*) FROM claims c JOIN records r ON r.chain_id = c.chain_id
             WHERE c.kit_id = k.id AND c.backed = 1)
          + (SELECT count(*) FROM claims c JOIN records r ON r.chain_id = c.chain_id
             WHERE c.kit_id = k.id AND c.backed = 0 AND (r.kit_id IS NULL OR r.kit_id = k.id))
        FROM kits k ORDER BY k.kit";
    all(db, question, [], |row| {
        let trust = match row.get::<_, Option<String>>(1)? {
            None => None,
            Some(code) => {
                let pinned: Option<Vec<u8>> = row.get(2)?;
                let trust =
                    rows::trust_of(&code, pinned.as_deref()).ok_or_else(|| changed("a kit's trust"))?;
                Some((trust, row.get(4)?))
            }
        };
        let records: i64 = row.get(5)?;
        Ok(KitRow { kit: hash(row, 0)?, records: records as u64, trust, attestation_root: row.get(3)? })
    })
}

pub(super) fn records(
    db: &Connection,
    kit: &Hash,
    which: Which,
    each: &mut dyn FnMut(Held) -> ControlFlow<()>,
) -> Result<(), Fault> {
    let chains = "SELECT c.id, m.backed, m.kit_id FROM kits k JOIN claims m ON m.kit_id = k.id
        JOIN chains c ON c.id = m.chain_id WHERE k.kit = ?1 ORDER BY c.name, c.kid";
    let chains = all(db, chains, [&kit.0[..]], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?, row.get::<_, i64>(2)?))
    })?;
    let index = match which {
        Which::All => "",
        Which::Governance => "AND governs = 1",
    };
    let question = |kits| {
        format!(
            "SELECT hash, signature, received, bytes FROM records WHERE chain_id = ?1 {index} {kits} ORDER BY seq, hash"
        )
    };
    for (chain, backed, kit) in chains {
        let mut statement;
        let mut rows = if backed {
            statement = db.prepare_cached(&question(""))?;
            statement.query([chain])?
        } else {
            statement = db.prepare_cached(&question("AND (kit_id IS NULL OR kit_id = ?2)"))?;
            statement.query([chain, kit])?
        };
        while let Some(row) = rows.next()? {
            if each(held(row)?).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// From `hash, signature, received, bytes`.
fn held(row: &Row<'_>) -> Result<Held, Fault> {
    let (hash, bytes) = (row.get_ref(0)?.as_blob()?, row.get_ref(3)?.as_blob()?);
    Ok(Held {
        record: rows::record_of(hash, bytes).map_err(Fault::Changed)?,
        signature: rows::signature_of(row.get(1)?).ok_or_else(|| changed("a signature"))?,
        received: row.get(2)?,
    })
}

pub(super) fn key(db: &Connection, kid: &KeyId) -> Result<Option<VerifyingKey>, Fault> {
    let point: Option<Vec<u8>> = one(db, "SELECT point FROM public_keys WHERE kid = ?1", [&kid.0.0[..]])?;
    point.map(|point| rows::key_of(kid, &point).map_err(Fault::Changed)).transpose()
}

pub(super) fn homeless(db: &Connection) -> Result<Vec<(Serial, KeyId, u64)>, Fault> {
    let question = "SELECT c.serial, c.kid, count(*) FROM chains c JOIN records r ON r.chain_id = c.id
        WHERE NOT EXISTS (SELECT 1 FROM claims m WHERE m.chain_id = c.id)
        GROUP BY c.id ORDER BY c.name, c.kid";
    all(db, question, [], |row| Ok((Serial(row.get(0)?), KeyId(hash(row, 1)?), row.get::<_, i64>(2)? as u64)))
}

/// All, or those that are of a newer version, or that are not.
pub(super) fn set_aside(
    db: &Connection,
    newer: Option<bool>,
    most: usize,
) -> Result<(Vec<SetAside>, u64), Fault> {
    let question = "SELECT source, line, bytes, why, unknown_event, received FROM set_aside
        WHERE ?1 IS NULL OR unknown_event = ?1 ORDER BY id DESC LIMIT ?2";
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let lines = all(db, question, params![newer, most], |row| {
        Ok(SetAside {
            source: row.get(0)?,
            line: row.get::<_, i64>(1)? as u64,
            bytes: row.get(2)?,
            why: row.get(3)?,
            unknown_event: row.get(4)?,
            received: row.get(5)?,
        })
    })?;
    let question = "SELECT count(*) FROM set_aside WHERE ?1 IS NULL OR unknown_event = ?1";
    let count: i64 = one(db, question, [newer])?.unwrap_or_default();
    Ok((lines, count as u64))
}

pub(super) fn imports(db: &Connection) -> Result<Vec<Imported>, Fault> {
    let question = "SELECT source, at, read, stored, known, set_aside, bad, unverified, ending, export
        FROM imports ORDER BY id";
    all(db, question, [], |row| {
        let number = |column| row.get::<_, i64>(column).map(|number| number as u64);
        let end = match row.get::<_, Option<String>>(8)? {
            None => None,
            Some(code) => Some(rows::end_of(&code).ok_or_else(|| changed("the end of an import"))?),
        };
        Ok(Imported {
            source: row.get(0)?,
            at: row.get(1)?,
            read: number(2)?,
            stored: number(3)?,
            known: number(4)?,
            set_aside: number(5)?,
            bad: number(6)?,
            unverified: number(7)?,
            end,
            export: match row.get_ref(9)? {
                rusqlite::types::ValueRef::Null => None,
                _ => Some(hash(row, 9)?),
            },
        })
    })
}

pub(super) fn policy(db: &Connection, hash: &Hash) -> Result<Option<Vec<u8>>, Fault> {
    let bytes: Option<Vec<u8>> = one(db, "SELECT bytes FROM policies WHERE hash = ?1", [&hash.0[..]])?;
    match bytes {
        Some(bytes) if Hash::of(&bytes) != *hash => {
            Err(Fault::Changed(format!("the bytes of policy {hash} have another hash")))
        }
        bytes => Ok(bytes),
    }
}

pub(super) fn logins(db: &Connection, kit: &Hash) -> Result<Vec<Login>, Fault> {
    let question = "SELECT l.log, l.credential, l.at, l.origin, l.success, l.raw FROM logins l
        JOIN credentials c ON c.name = l.credential JOIN kits k ON k.id = c.kit_id
        WHERE k.kit = ?1 ORDER BY l.at, l.id";
    all(db, question, [&kit.0[..]], login)
}

/// No name of a credential has a colon.
pub(super) fn minted_logins(db: &Connection) -> Result<Vec<Login>, Fault> {
    let question = "SELECT log, credential, at, origin, success, raw FROM logins
        WHERE credential >= 'mint:' AND credential < 'mint;' ORDER BY at, id";
    all(db, question, [], login)
}

fn login(row: &Row<'_>) -> Result<Login, Fault> {
    let from: String = row.get(3)?;
    Ok(Login {
        log: row.get(0)?,
        credential: row.get(1)?,
        at: row.get(2)?,
        from: (!from.is_empty()).then_some(from),
        success: row.get(4)?,
        raw: row.get(5)?,
    })
}

pub(super) fn covers(db: &Connection, kit: &Hash) -> Result<Vec<LogCover>, Fault> {
    let question = "SELECT l.log, l.credential, l.first, l.last, l.hash FROM covers l
        JOIN credentials c ON c.name = l.credential JOIN kits k ON k.id = c.kit_id
        WHERE k.kit = ?1 ORDER BY l.credential, l.log, l.first, l.last, l.hash";
    all(db, question, [&kit.0[..]], cover)
}

pub(super) fn minted_covers(db: &Connection) -> Result<Vec<LogCover>, Fault> {
    let question = "SELECT log, credential, first, last, hash FROM covers
        WHERE credential >= 'mint:' AND credential < 'mint;' ORDER BY credential, log, first, last, hash";
    all(db, question, [], cover)
}

fn cover(row: &Row<'_>) -> Result<LogCover, Fault> {
    let (log, credential) = (row.get(0)?, row.get(1)?);
    Ok(LogCover { log, credential, from_to: (row.get(2)?, row.get(3)?), hash: hash(row, 4)? })
}

pub(super) fn checkpoint_time(db: &Connection, hash: &Hash) -> Result<Option<i64>, Fault> {
    one(db, "SELECT at FROM checkpoints WHERE hash = ?1", [&hash.0[..]])
}

pub(super) fn arrivals(db: &Connection, from: u64, to: u64) -> Result<Vec<Hash>, Fault> {
    let question = "SELECT arrival, hash FROM records WHERE arrival > ?1 AND arrival <= ?2 ORDER BY arrival";
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let mut next = number(from);
    all(db, question, params![number(from), number(to)], |row| {
        next += 1;
        match row.get::<_, i64>(0)? == next {
            true => hash(row, 1),
            false => Err(Fault::Changed(format!("the record that came as number {next} is gone"))),
        }
    })
}

pub(super) fn size(db: &Connection) -> Result<u64, Fault> {
    let newest: Option<i64> = one(db, "SELECT coalesce(max(arrival), 0) FROM records", [])?;
    Ok(newest.unwrap_or_default() as u64)
}

pub(super) fn newest_checkpoint(db: &Connection) -> Result<Option<String>, Fault> {
    one(db, "SELECT text FROM checkpoints ORDER BY id DESC LIMIT 1", [])
}
