//! How imports ended, and what a source no longer brings.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Books;
use crate::audit::finding::{Finding, Severity, Sort};
use crate::audit::ledger::{BundleEnd, Imported};
use crate::audit::rules::count;
use crate::record::hash::Hash;

/// The exports that imports were not the very lines of, and that no later import was.
pub(super) fn in_doubt(imports: &[Imported]) -> HashSet<Hash> {
    let (mut doubtful, mut whole) = (HashSet::new(), HashSet::new());
    for import in imports.iter().rev() {
        let Some(export) = import.export else { continue };
        if import.end == Some(BundleEnd::Whole) {
            whole.insert(export);
        } else if !whole.contains(&export) {
            doubtful.insert(export);
        }
    }
    doubtful
}

/// What has come in, and when, that settles how an import ended.
#[derive(Default)]
struct Settled<'a> {
    /// By export: the last import of its very lines.
    exports: HashMap<Hash, usize>,
    /// By source: the last that was a whole bundle, all of it verified.
    sources: HashMap<&'a str, usize>,
}

impl<'a> Settled<'a> {
    fn by(imports: &'a [Imported]) -> Self {
        let mut settled = Settled::default();
        for (at, import) in imports.iter().enumerate().filter(|(_, it)| it.end == Some(BundleEnd::Whole)) {
            settled.exports.extend(import.export.map(|export| (export, at)));
            if import.bad == 0 && import.unverified == 0 {
                settled.sources.insert(&import.source, at);
            }
        }
        settled
    }

    /// Where a signed export says which lines there should have been, only those very lines settle it, from wherever they
    /// come: the export has their hash. What a camera missed may have come before; what was changed after the whole of it
    /// came is a change all the same, until its source brings a whole bundle again.
    fn settles(&self, held: &HashSet<Hash>, at: usize, import: &Imported) -> bool {
        let Some(export) = import.export else { return false };
        let later = |last: Option<&usize>| last.is_some_and(|last| *last > at);
        match import.end {
            Some(BundleEnd::Open) => self.exports.contains_key(&export) || held.contains(&export),
            _ => {
                later(self.exports.get(&export))
                    || held.contains(&export) && later(self.sources.get(&import.source[..]))
            }
        }
    }
}

/// Imports whose end shows or leaves open that something was cut off, by source. Where no signed export says which lines there
/// should have been, only a later import of the same source settles it, and only if it brought all of those records again:
/// where sticks are mounted, those of many kits come and go.
fn unsettled(books: &Books) -> impl Iterator<Item = &Imported> {
    let good = |import: &Imported| {
        (import.stored + import.known).saturating_sub(import.bad).saturating_sub(import.unverified)
    };
    let settled = Settled::by(&books.imports);
    let mut sources: BTreeMap<&str, Vec<&Imported>> = BTreeMap::new();
    for (at, import) in books.imports.iter().enumerate() {
        let of_it = sources.entry(&import.source).or_default();
        of_it.retain(|before| before.export.is_some() || import.known < good(before).max(1));
        if import.end != Some(BundleEnd::Whole) && !settled.settles(&books.held, at, import) {
            of_it.push(import);
        }
    }
    sources.into_values().flatten()
}

/// How imports ended, where that shows or leaves open that something was cut off.
pub(in crate::audit::rules) fn bundle_end(books: &Books) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut open: Vec<&Imported> = Vec::new();
    for import in unsettled(books) {
        let source = &import.source;
        let text = match import.end {
            None | Some(BundleEnd::Whole) => continue,
            Some(BundleEnd::Open) if import.export.is_some() => {
                findings.push(missed_by_the_camera(import));
                continue;
            }
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
                .then(
                    "import the same bundle from where it was written; a stick or file of any name will do",
                ),
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

/// Records that were photographed one by one, and are fewer than their export counts.
fn missed_by_the_camera(import: &Imported) -> Finding {
    let text = format!(
        "{}: {} photographed, and the signed export that ends the bundle counts more: a code was missed, or could not be read",
        import.source,
        match import.read {
            1 => "1 record was".into(),
            read => format!("{read} records were"),
        }
    );
    Finding::new("BUNDLE-END", Sort::CannotCheck, Severity::Medium, text)
        .on(import.export)
        .at(import.at)
        .then("breakglass-audit import --qr   of pictures of all codes; or import the bundle itself")
}

/// A source that brought fewer lines than it had before: what is there was rolled back, or exchanged.
pub(in crate::audit::rules) fn import_shrunk(books: &Books) -> Vec<Finding> {
    let mut most: BTreeMap<&str, &Imported> = BTreeMap::new();
    let mut findings: BTreeMap<&str, Finding> = BTreeMap::new();
    for import in &books.imports {
        // Of standard input nobody knows that it is the same again.
        if import.source == "-" {
            continue;
        }
        // A camera missed a code: nothing was rolled back.
        if import.end == Some(BundleEnd::Open) && import.export.is_some() {
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
