//! What the ledger as a whole shows: what came in, and what did not.

use std::collections::BTreeMap;

use super::count;
use crate::attestation::Serial;
use crate::audit::finding::{Finding, Severity, Sort};
use crate::audit::ledger::{BundleEnd, Evidence, Imported, KitRow, LedgerError, SetAside, Which};
use crate::record::event::{Event, KitKind};
use crate::record::hash::{Hash, KeyId};

/// Lines that were set aside are told one by one up to so many.
const LINES: usize = 1_000;

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
    pub set_aside: (Vec<SetAside>, u64),
    /// Imports, the oldest first.
    pub imports: Vec<Imported>,
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
        Ok(Books {
            now,
            kits,
            homeless: evidence.homeless()?,
            set_aside: evidence.set_aside(LINES)?,
            imports: evidence.imports()?,
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

fn lines(books: &Books, newer: bool) -> impl Iterator<Item = &SetAside> {
    books.set_aside.0.iter().filter(move |line| line.unknown_event == newer)
}

/// Lines that are no records: damaged on the way, or never any.
pub(super) fn line_unreadable(books: &Books) -> Vec<Finding> {
    let (told, all) = (books.set_aside.0.len() as u64, books.set_aside.1);
    let mut findings: Vec<Finding> = lines(books, false)
        .map(|line| {
            let text = format!("line {} of {} is no record: {}", line.line, line.source, line.why);
            Finding::new("LINE-UNREADABLE", Sort::CannotRead, Severity::Medium, text)
                .on([Hash::of(&line.bytes)])
                .at(line.received)
        })
        .collect();
    if all > told {
        let text = format!("{} more that are no records were set aside", count(all - told, "line"));
        findings.push(Finding::new("LINE-UNREADABLE", Sort::CannotRead, Severity::Medium, text));
    }
    findings
}

/// Records of a newer version: a newer program reads them.
pub(super) fn line_newer(books: &Books) -> Vec<Finding> {
    let mut sources: BTreeMap<&str, Vec<&SetAside>> = BTreeMap::new();
    for line in lines(books, true) {
        sources.entry(&line.source).or_default().push(line);
    }
    sources
        .into_iter()
        .map(|(source, lines)| {
            let text = format!(
                "{} of {source} a newer breakglass-audit is needed for: {}",
                count(lines.len() as u64, "line"),
                lines[0].why
            );
            Finding::new("LINE-NEWER", Sort::CannotRead, Severity::Medium, text)
                .on(lines.iter().map(|line| Hash::of(&line.bytes)))
                .at(lines[0].received)
                .then("install the newer breakglass-audit, then import the same again")
        })
        .collect()
}

/// Imports whose end shows or leaves open that something was cut off, by source. Only a later one of the same source settles it,
/// and only if it brought all of those records again: where sticks are mounted, those of many kits come and go.
fn unsettled(books: &Books) -> impl Iterator<Item = &Imported> {
    let good = |import: &Imported| {
        (import.stored + import.known).saturating_sub(import.bad).saturating_sub(import.unverified)
    };
    let mut sources: BTreeMap<&str, Vec<&Imported>> = BTreeMap::new();
    for import in &books.imports {
        let of_it = sources.entry(&import.source).or_default();
        of_it.retain(|before| import.known < good(before).max(1));
        of_it.push(import);
    }
    sources.into_values().flatten()
}

/// How imports ended, where that shows or leaves open that something was cut off.
pub(super) fn bundle_end(books: &Books) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut open: Vec<&Imported> = Vec::new();
    for import in unsettled(books) {
        let source = &import.source;
        let text = match import.end {
            None | Some(BundleEnd::Whole) => continue,
            Some(BundleEnd::Open) => {
                open.push(import);
                continue;
            }
            Some(BundleEnd::Cut) => format!("{source} ends in the middle of a line: it was cut"),
            Some(BundleEnd::Other) => format!(
                "{source}: the signed export that ends it was of other lines: some were added, changed, moved or taken out"
            ),
        };
        findings.push(
            Finding::new("BUNDLE-END", Sort::Wrong, Severity::High, text)
                .on(import.export)
                .at(import.at)
                .then("import the bundle again from where it was written"),
        );
    }
    if let Some(first) = open.first() {
        let more = match open.len() {
            1 => String::new(),
            all => format!(" and {} more", all - 1),
        };
        let text = format!(
            "no signed export ends {}{more}: whether lines were cut off there cannot be seen",
            first.source
        );
        findings.push(
            Finding::new("BUNDLE-END", Sort::NotChecked, Severity::Low, text)
                .at(first.at)
                .then("breakglass records export DIR --with SERIAL   ends a bundle so that a cut is seen"),
        );
    }
    findings
}

/// A source that brought fewer lines than it had before: what is there was rolled back, or exchanged.
pub(super) fn import_shrunk(books: &Books) -> Vec<Finding> {
    let mut most: BTreeMap<&str, &Imported> = BTreeMap::new();
    let mut findings: BTreeMap<&str, Finding> = BTreeMap::new();
    for import in &books.imports {
        // Of standard input nobody knows that it is the same again.
        if import.source == "-" {
            continue;
        }
        // Nothing of it was here: it is another kit's, mounted at the same place.
        if import.known == 0 && import.stored > 0 && most.contains_key(import.source.as_str()) {
            continue;
        }
        let before = *most.entry(&import.source).or_insert(import);
        if import.read < before.read {
            let text = format!(
                "{} brought {}, and {} before: the medium may have been rolled back",
                import.source,
                count(import.read, "line"),
                count(before.read, "line")
            );
            findings.insert(
                &import.source,
                Finding::new("IMPORT-SHRUNK", Sort::Wrong, Severity::Medium, text)
                    .possibly()
                    .on(import.export)
                    .at(import.at)
                    .then("compare it with the other copies of the kit; what was imported before is kept"),
            );
        } else {
            most.insert(&import.source, import);
            findings.remove(import.source.as_str());
        }
    }
    findings.into_values().collect()
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
