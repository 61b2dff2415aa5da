//! What the ledger as a whole shows: what came in, and what did not.

use std::collections::{BTreeMap, HashSet};

use super::{MOST_CASES, count};
use crate::attestation::Serial;
use crate::audit::finding::{Finding, Severity, Sort};
use crate::audit::ledger::{Evidence, Imported, KitRow, LedgerError, SetAside, Which};
use crate::record::event::{Event, KitKind};
use crate::record::hash::{Hash, KeyId};

mod exports;
mod imports;

pub(super) use imports::{bundle_end, import_shrunk};

/// Lines of either kind that were set aside are told one by one up to so many: with how many more there are, which is told
/// first, as many as a rule tells.
const LINES: usize = MOST_CASES - 1;

/// What the ledger says of itself.
#[derive(Debug)]
pub struct Books {
    /// The auditor's clock.
    pub now: i64,
    /// Kits, with whether each was founded as real or practice, where that is known.
    pub kits: Vec<(KitRow, Option<KitKind>)>,
    /// Records of keys that no kit is known for.
    pub homeless: Vec<(Serial, KeyId, u64)>,
    /// Lines that are no records, the newest first; and how many there are.
    pub unreadable: (Vec<SetAside>, u64),
    /// Lines of a newer version, apart from the others, so that no number of those hides them.
    pub newer: (Vec<SetAside>, u64),
    /// Imports, the oldest first.
    pub imports: Vec<Imported>,
    /// Of the exports that imports were not the very lines of: those of which every line is in the ledger all the same.
    pub held: HashSet<Hash>,
}

impl Books {
    /// Reads them.
    ///
    /// # Errors
    /// Those of the ledger.
    pub fn read(evidence: &mut dyn Evidence, now: i64) -> Result<Self, LedgerError> {
        let mut kits = Vec::new();
        for row in evidence.kits()? {
            let kind = kind(evidence, &row.kit)?;
            kits.push((row, kind));
        }
        let imports = evidence.imports()?;
        let ids: Vec<Hash> = kits.iter().map(|(row, _): &(KitRow, _)| row.kit).collect();
        let held = exports::held(evidence, &ids, &imports::in_doubt(&imports))?;
        Ok(Books {
            now,
            kits,
            homeless: evidence.homeless()?,
            unreadable: evidence.set_aside_as(false, LINES)?,
            newer: evidence.set_aside_as(true, LINES)?,
            imports,
            held,
        })
    }
}

/// What the founding record of a kit says it is.
fn kind(evidence: &mut dyn Evidence, kit: &Hash) -> Result<Option<KitKind>, LedgerError> {
    let mut kind = None;
    evidence.records(kit, Which::Governance, &mut |held| match &held.record.event {
        Event::KitFounded(facts) if held.record.hash() == *kit => {
            kind = Some(facts.kind);
            std::ops::ControlFlow::Break(())
        }
        _ => std::ops::ControlFlow::Continue(()),
    })?;
    Ok(kind)
}

/// How many lines there are beside those that are told, if there are.
fn more((lines, all): &(Vec<SetAside>, u64)) -> Option<u64> {
    all.checked_sub(lines.len() as u64).filter(|more| *more > 0)
}

/// Lines that are no records: damaged on the way, or never any.
pub(super) fn line_unreadable(books: &Books) -> Vec<Finding> {
    let finding = |text| Finding::new("LINE-UNREADABLE", Sort::CannotRead, Severity::Medium, text);
    let more = more(&books.unreadable).map(|more| {
        let newest = books.unreadable.0.len();
        finding(format!(
            "{} that are no records were set aside: the {newest} newest are told here, {more} more are not",
            count(books.unreadable.1, "line")
        ))
        .then("the file of lines that were set aside, LEDGER.quarantine.txt, names all of them")
    });
    let told = books.unreadable.0.iter().map(|line| {
        let text = format!("line {} of {} is no record: {}", line.line, line.source, line.why);
        finding(text).on([Hash::of(&line.bytes)]).at(line.received)
    });
    more.into_iter().chain(told).collect()
}

/// Records of a newer version: a newer program reads them.
pub(super) fn line_newer(books: &Books) -> Vec<Finding> {
    let mut sources: BTreeMap<&str, Vec<&SetAside>> = BTreeMap::new();
    for line in &books.newer.0 {
        sources.entry(&line.source).or_default().push(line);
    }
    let finding = |text| {
        Finding::new("LINE-NEWER", Sort::CannotRead, Severity::Medium, text)
            .then("install the newer breakglass-audit, then import the same again")
    };
    let more = more(&books.newer).map(|more| {
        finding(format!(
            "{} a newer breakglass-audit is needed for: the newest are told here by source, {more} more are not",
            count(books.newer.1, "line")
        ))
    });
    let told = sources.into_iter().map(|(source, lines)| {
        let text = format!(
            "{} of {source} a newer breakglass-audit is needed for: {}",
            count(lines.len() as u64, "line"),
            lines[0].why
        );
        finding(text).on(lines.iter().map(|line| Hash::of(&line.bytes))).at(lines[0].received)
    });
    more.into_iter().chain(told).collect()
}

/// Records that came in again: harmless, told apart by the hash of their bytes.
pub(super) fn records_known(books: &Books) -> Vec<Finding> {
    match books.imports.iter().map(|import| import.known).sum() {
        0 => Vec::new(),
        known => {
            let text = format!("{} came in more than once and is held once", count(known, "record"));
            let text = if known == 1 { text } else { text.replace("is held", "are held") };
            vec![Finding::new("RECORDS-KNOWN", Sort::Note, Severity::Info, text)]
        }
    }
}

/// Records of keys that no kit is known for.
pub(super) fn key_homeless(books: &Books) -> Vec<Finding> {
    books
        .homeless
        .iter()
        .map(|(serial, _, records)| {
            let s = if *records == 1 { "s" } else { "" };
            let text =
                format!("{} of key {serial} belong{s} to no kit that is known", count(*records, "record"));
            Finding::new("KEY-HOMELESS", Sort::CannotCheck, Severity::Low, text)
                .then("breakglass-audit import   of the bundle of the kit that this key is of")
        })
        .collect()
}

/// Practice kits in a ledger that has real ones.
pub(super) fn practice_among_real(books: &Books) -> Vec<Finding> {
    let of = |kind| books.kits.iter().filter(move |(_, it)| *it == Some(kind)).map(|(row, _)| row.kit);
    let (practice, real) = (of(KitKind::Practice).count(), of(KitKind::Real).count());
    if practice == 0 || real == 0 {
        return Vec::new();
    }
    let text = format!(
        "{} of this ledger shows nothing about the {} beside: keep rehearsals in a ledger of their own",
        count(practice as u64, "practice kit"),
        count(real as u64, "real kit")
    );
    vec![Finding::new("PRACTICE-AMONG-REAL", Sort::Note, Severity::Low, text).on(of(KitKind::Practice))]
}
