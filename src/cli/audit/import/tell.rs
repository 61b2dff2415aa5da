//! What came of an import, told.

use std::path::Path;

use serde::Serialize;

use super::grouped;
use crate::audit::ledger::{BundleEnd, Imported, Ledger};
use crate::audit::report::words::visible;
use crate::cli::Outcome;
use crate::cli::audit::desk::AuditDesk;
use crate::cli::audit::trouble::Trouble;

/// Text or the one object; and the exit code, as far as what came in decides it.
pub(super) fn tell(
    desk: &mut AuditDesk,
    ledger: &mut dyn Ledger,
    done: &[Imported],
    policies: u64,
    quarantine: Option<&Path>,
    unread: &[Trouble],
) -> Result<Outcome, Trouble> {
    let sum = |count: fn(&Imported) -> u64| done.iter().map(count).sum::<u64>();
    let (bad, set_aside, unverified) = (sum(|i| i.bad), sum(|i| i.set_aside), sum(|i| i.unverified));
    if desk.json {
        let imports = done.iter().map(Shown::of).collect();
        desk.object(&Report {
            imports,
            policies,
            quarantine: quarantine.map(|path| path.display().to_string()),
            unread: unread.iter().map(ToString::to_string).collect(),
        })?;
    } else {
        let mut text = format!(
            "{} read · {} stored · {} known already · {} lines set aside",
            grouped(sum(|i| i.read)),
            grouped(sum(|i| i.stored)),
            grouped(sum(|i| i.known)),
            grouped(set_aside),
        );
        if let Some(path) = quarantine {
            text += &format!(" ({} says where and why)", path.display());
        }
        text.push('\n');
        if bad > 0 {
            text += &format!("{} with a signature that is not their key's: kept as evidence\n", grouped(bad));
        }
        if unverified > 0 {
            text += &format!(
                "{} of keys whose enrolment has not come in: not verified yet\n",
                grouped(unverified)
            );
        }
        for import in done {
            if import.read == 0 {
                text += &format!("{}: nothing is in it\n", visible(&import.source));
            }
            if let Some(what) = import.end.and_then(|end| ending(end, import.export.is_some())) {
                text += &format!("{}: {what}\n", visible(&import.source));
            }
        }
        if policies > 0 {
            text += &format!("{} of policies kept\n", grouped(policies));
        }
        desk.text(&text)?;
        say_untrusted(desk, ledger)?;
    }
    let other = done.iter().any(|import| import.end == Some(BundleEnd::Other));
    let empty = done.iter().any(|import| import.read == 0);
    let cut = done.iter().any(|import| import.end == Some(BundleEnd::Cut));
    Ok(match () {
        () if bad > 0 || other => Outcome::Wrong,
        () if set_aside > 0 || unverified > 0 || cut || empty => Outcome::Due,
        () => Outcome::Done,
    })
}

/// Kits that nobody has vouched for yet: nothing of what they say is proven until somebody compares their words.
fn say_untrusted(desk: &mut AuditDesk, ledger: &mut dyn Ledger) -> Result<(), Trouble> {
    for kit in ledger.kits()? {
        if kit.trust.is_none() {
            let words = crate::kit::words::kit_words(&kit.kit).join(" ");
            desk.terminal.say(&format!(
                "nobody has vouched for this kit yet. if these are the words on its bags:  breakglass-audit trust \"{words}\""
            ));
        }
    }
    Ok(())
}

/// What there is to say of how a bundle ended, with a signed export or without; nothing, if it is whole.
fn ending(end: BundleEnd, export: bool) -> Option<&'static str> {
    match end {
        BundleEnd::Whole => None,
        BundleEnd::Other => Some("the record that ends this bundle counts other lines than these"),
        BundleEnd::Cut => Some("ends in the middle of a line: it was cut"),
        BundleEnd::Open if export => Some("its signed end counts more records than were photographed"),
        BundleEnd::Open => Some("no signed end: lines may have been cut off"),
    }
}

/// The one object of `--json`.
#[derive(Serialize)]
struct Report<'a> {
    imports: Vec<Shown<'a>>,
    policies: u64,
    quarantine: Option<String>,
    /// What could not be read, or written, of it all.
    unread: Vec<String>,
}

#[derive(Serialize)]
struct Shown<'a> {
    source: &'a str,
    read: u64,
    stored: u64,
    known: u64,
    set_aside: u64,
    bad: u64,
    unverified: u64,
    end: Option<&'static str>,
    export: Option<crate::record::hash::Hash>,
}

impl<'a> Shown<'a> {
    fn of(import: &'a Imported) -> Self {
        let Imported { source, read, stored, known, set_aside, bad, unverified, end, export, .. } = import;
        let end = end.map(|end| match end {
            BundleEnd::Whole => "whole",
            BundleEnd::Other => "other",
            BundleEnd::Cut => "cut",
            BundleEnd::Open => "open",
        });
        let (read, stored, known, set_aside) = (*read, *stored, *known, *set_aside);
        Shown {
            source,
            read,
            stored,
            known,
            set_aside,
            bad: *bad,
            unverified: *unverified,
            end,
            export: *export,
        }
    }
}
